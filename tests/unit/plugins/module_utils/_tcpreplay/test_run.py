# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import re
import signal
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import Arrival
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.sender_queue import Queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause, RingSizes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import run as runs
from ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay import ARGUMENT_SPEC

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
MAC = {"source": "a MAC", "packets": 500, "bytes": None, "drops_counted": False}
STAND_IN = str(FIXTURES / "stand_in_tcpreplay.sh")

# DESIGN's result tree.
RUN_KEYS = {
    "command",
    "requested",
    "capped",
    "rate_reached",
    "injection_method",
    "netmap_mode",
    "interface",
    "netns",
    "driver",
    "link_speed_mbps",
    "mtu",
    "offloads",
    "flow_control",
    "ring_sizes",
    "pcaps",
    "edited_by",
    "in_flight_frames",
    "frames",
    "mac_address",
    "receive_wait",
    "settle",
    "tcpreplay_version",
    "netmap_version",
    "kernel",
    "started",
    "ended",
    "exit_status",
    "ended_by",
}
STATS_KEYS = {
    "packets",
    "bytes",
    "seconds",
    "bytes_per_second",
    "mbps",
    "pps",
    "flows",
    "flows_per_second",
    "flow_packets",
    "non_flow_packets",
    "flows_unique",
    "flows_expired",
    "failed_write_attempts",
    "interrupted",
    "devices",
    "samples",
}
RATES_KEYS = {"pps", "frame_mbps", "l2_mbps", "l1_mbps", "line_rate_percent", "reason"}
COUNTERS_KEYS = {"tx", "rx", "loss_packets", "loss_ratio", "verdict", "reason"}


def write_pcap(path, sizes, link_type=1, cut=0):
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type))
        for second, size in enumerate(sizes):
            file.write(
                struct.pack("<IIII", second, 0, size, size + cut) + b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1" + bytes(size - 12)
            )
    return str(path)


class Host:
    """The interfaces a run sees, and what was done to the receiver's counter."""

    def __init__(self):
        self.links = {}
        self.add("v0")
        self.events = []
        self.busy = set()
        self.counted = iter(())

    def add(self, name, **state):
        self.links[name] = {
            "interface": name,
            "netns": None,
            "ifindex": len(self.links) + 2,
            "boot_id": "b",
            "driver": "veth",
            "bus_info": None,
            "speed_mbps": None,
            "up": True,
            "carrier": True,
            "carrier_changes": 2,
            "mtu": 1500,
            "mac_address": "02:00:00:00:00:01",
            "merging": [],
            "link_type": "ether",
            "promiscuous": False,
            "kernel": {"rx_packets": 0, "tx_packets": 0, "rx_bytes": 0, "tx_bytes": 0},
            "ethtool": {},
            "mac": {"tx": None, "rx": None, "reason": "nobody counts here"},
            "host_drops": {"nic": 0, "kernel": 0, "softnet": 0},
            **state,
        }

    def snapshot(self, interface, netns=None, *, test_frames=None, like=None):
        if interface not in self.links:
            raise TrafficgenError("no such interface", on=interface)
        self.events.append(f"snapshot {interface}")
        counted = self.read(test_frames) if test_frames else None
        return {**self.links[interface], "test_frames": counted, "time": time.time(), "monotonic": time.monotonic()}

    def sends(self, *counts):
        """What the sender's MAC counts, from the first look at it on."""
        real, left = self.snapshot, itertools.chain([0, *counts[:-1]], itertools.repeat(counts[-1]))

        def snapshot(interface, netns=None, **options):
            state = real(interface, netns, **options)
            tx = {**MAC, "packets": next(left)} if interface == "v0" else None
            return {**state, "mac": {"tx": tx, "rx": None, "reason": ""}}

        return snapshot

    def add_counter(self, interface, macs, netns=None):
        self.events.append(f"add {' '.join(macs)}")
        return {"source": "a counter", "packets": 0, "bytes": None, "macs": macs, "table": "t", "handle": 1}

    def read(self, counter, interface=None, netns=None):
        return {**counter, "packets": next(self.counted, counter["packets"])}

    def remove(self, interface, netns=None):
        self.events.append("remove")

    @contextlib.contextmanager
    def only_run(self, interface, netns, what, until):
        if what in self.busy:
            raise TrafficgenError(
                f"another run is {what} on it after {round(until - time.monotonic())} s", on=interface
            )
        self.busy.add(what)
        try:
            yield 2
        finally:
            self.busy.remove(what)

    recovered: ClassVar = []
    nic = NicState(
        2,
        "veth",
        False,
        "noqueue",
        True,
        1500,
        ["tx-tcp-segmentation", "rx-vlan-offload"],
        {"tx-tcp-segmentation": True, "rx-all": True},
        None,
        RingSizes(256, 512, 4096, 4096),
    )
    comes_up = True

    def wait_for_nic(self, interface, netns, watch):
        self.events.append("wait for the NIC")
        return self.comes_up

    def made(self, settings, interface, netns, warnings):
        self.events.append("made")
        return replace(self.nic, on=["rx-vlan-offload"] if settings.offloads_off else self.nic.on)

    @contextlib.contextmanager
    def left_as_found(self, before, settings, interface, netns, warnings, *, netmap, hand_on):
        assert before == self.nic and hand_on[0] == 2
        self.settings = settings
        if settings == Settings() and not netmap:
            yield None
            return
        self.events.append(f"record {interface}")
        try:
            yield lambda: self.events.append("pause back")
        finally:
            warnings.extend(self.complaints)
        self.events.append("put back")

    complaints: ClassVar = []

    @contextlib.contextmanager
    def held(self, interface, netns):
        self.events.append(f"take {interface}")
        yield self
        self.events.append("let go")

    troubles = ""

    @contextlib.contextmanager
    def link(self, interface, netns):
        words = iter(self.troubles.split(","))

        class Link:
            last = ""

            def trouble(self):
                self.last = next(words, self.last)
                return self.last

        yield Link()

    missed = None

    def seconds(self, macs):
        return None if self.missed is None else time.monotonic() - self.missed

    def write(self, macs):
        self.events.append(f"may miss {' '.join(macs or ['any'])}")

    def still_missing(self):
        pass

    def forget(self):
        self.events.append("missed none")

    buffer_size = 2048
    left = 0
    queue = None

    def wait_for_link(self, watch, delay):
        self.events.append(f"wait for the link, {delay}")

    def drain(self):
        self.events.append("drain")
        return self.left


@pytest.fixture
def host(monkeypatch):
    host = Host()
    monkeypatch.setattr(runs, "snapshot", host.snapshot)
    monkeypatch.setattr(runs, "add_frame_counter", host.add_counter)
    monkeypatch.setattr(runs, "read_frame_counter", host.read)
    monkeypatch.setattr(runs, "remove_frame_counter", host.remove)
    monkeypatch.setattr(runs.sender_queue, "read_queue", lambda interface, netns: host.queue)
    monkeypatch.setattr(runs, "MissedNote", lambda interface, netns: host)
    monkeypatch.setattr(runs, "guard", lambda interface, netns: host.events.append(f"guard {interface}"))
    monkeypatch.setattr(runs, "only_run", host.only_run)
    monkeypatch.setattr(runs.state, "read", lambda interface, netns: host.nic)
    monkeypatch.setattr(runs._nic_settings, "recover", lambda interface, netns: host.recovered)
    monkeypatch.setattr(runs._nic_settings, "left_as_found", host.left_as_found)
    monkeypatch.setattr(runs._nic_settings, "made", host.made)
    monkeypatch.setattr(runs.state, "wait_for_link", host.wait_for_nic)
    monkeypatch.setattr(runs, "held", host.held)
    monkeypatch.setattr(runs, "Link", host.link)
    monkeypatch.setattr(installed, "require", lambda: None)
    monkeypatch.setattr(installed, "version", lambda: "55D5E1C7")
    monkeypatch.setattr(runs, "Watch", lambda: REAL_WATCH(()))
    monkeypatch.setenv("STAND_IN", "run")
    return host


REAL_WATCH = runs.Watch


@pytest.fixture
def params(tmp_path):
    defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    # The stand-in says that it sent 193533 frames; so many loops of these are no more.
    pcap = write_pcap(tmp_path / "a.pcap", [78] * 10)
    return {
        **defaults,
        "pcaps": [pcap],
        "interface": "v0",
        "executable": STAND_IN,
        "loop": 19353,
        "topspeed": True,
        "timeout": 20,
        "receive_wait": 0.2,
    }


def check_tree(tree):
    assert set(tree) == {"stats", "rates", "run", "counters"}
    assert set(tree["run"]) == RUN_KEYS
    assert set(tree["stats"]) == STATS_KEYS
    assert set(tree["rates"]) == RATES_KEYS
    assert set(tree["counters"]) == COUNTERS_KEYS


def test_a_run_through_netmap(host, params):
    outcome = runs.carry_out({**params, "injection_method": "netmap"})
    check_tree(outcome.tree)
    assert outcome.error is None and outcome.warnings == []
    run = outcome.tree["run"]
    assert run["command"] == [
        STAND_IN,
        "--intf1=v0",
        "--topspeed",
        "--loop=19353",
        "--preload-pcap",
        "--stats=1",
        "--netmap",
        "--nm-delay=0",
        *params["pcaps"],
    ]
    assert (run["injection_method"], run["netmap_mode"], run["netmap_version"]) == ("netmap", "emulated", "55D5E1C7")
    assert (run["exit_status"], run["ended_by"], run["requested"], run["capped"]) == (
        0,
        "completed",
        {"topspeed": True},
        False,
    )
    assert run["tcpreplay_version"] == "4.4.2"
    assert run["kernel"] == os.uname().release
    assert 0 < run["ended"] - run["started"] < 5
    assert [set(pcap) for pcap in run["pcaps"]] == [{"path", "packets", "bytes", "sha256"}]
    assert outcome.tree["stats"]["packets"] == 193533
    # 136261 pps of 78 bytes: 82 with the FCS, 102 with preamble and gap besides.
    assert outcome.tree["rates"]["l1_mbps"] == pytest.approx(136261 * 102 * 8 / 1e6)
    assert outcome.tree["rates"]["l2_mbps"] == pytest.approx(136261 * 82 * 8 / 1e6)
    assert outcome.tree["counters"]["verdict"] == "unknown"
    assert host.events == [
        "snapshot v0",
        "guard v0",
        "record v0",
        "take v0",
        "wait for the link, 0",
        "made",
        "snapshot v0",
        "drain",
        "snapshot v0",
        "pause back",
        "let go",
        "put back",
    ]


def said(packets, size, seconds, *more):
    """What tcpreplay prints of so much."""
    actual = f"{seconds:.6f}" if seconds < 1 else f"{seconds:.2f}"
    rated = f"{size / seconds:.1f} Bps, {size * 8 / seconds / 1e6:.2f} Mbps, {packets / seconds:.2f} pps"
    return "\n".join(
        (f"Actual: {packets} packets ({size} bytes) sent in {actual} seconds", f"Rated: {rated}", *more, "")
    )


@pytest.fixture
def says(monkeypatch):
    """The stand-in says what it is told to."""
    monkeypatch.setenv("STAND_IN", "said")
    return lambda text: monkeypatch.setenv("STAND_IN_SAID", text)


# On the wire 42 and 60 bytes are 64, and 1514 are 1518 (IEEE 802.3); on the line, 20 more each.
@pytest.mark.parametrize(
    ("files", "given", "packets", "wire"),
    [
        ([[42] * 4], {"loop": 5}, 20, 20 * 64),
        ([[42, 1514]], {"loop": 10}, 20, 10 * (64 + 1518)),
        # Ended within a pass, or before the first one was over.
        ([[42, 42, 1514, 60]], {"loop": 0, "duration": 1}, 11, 2 * (3 * 64 + 1518) + 2 * 64 + 1518),
        ([[42] * 9 + [1514]], {"limit": 9}, 9, 9 * 64),
        ([[42, 42], [1514, 60, 42]], {"loop": 0, "limit": 8}, 8, (4 * 64 + 1518) + 2 * 64 + 1518),
    ],
)
def test_padding_is_that_of_the_frames_that_were_sent(host, params, says, tmp_path, files, given, packets, wire):
    pcaps = [write_pcap(tmp_path / f"{number}.pcap", sizes) for number, sizes in enumerate(files)]
    sizes = [size for file in files for size in file]
    size = sum((sizes * packets)[:packets])
    says(said(packets, size, 1.0))
    rates = runs.carry_out({**params, "pcaps": pcaps, "link_speed_mbps": 100, "loop": 1, **given}).tree["rates"]
    assert rates["frame_mbps"] == pytest.approx(size * 8 / 1e6)
    assert rates["l2_mbps"] == pytest.approx(wire * 8 / 1e6)
    l1_mbps = pytest.approx((wire + 20 * packets) * 8 / 1e6)
    assert (rates["l1_mbps"], rates["line_rate_percent"]) == (l1_mbps, l1_mbps)  # of 100 Mbit/s
    assert rates["reason"] == ""


def test_a_rate_is_asked_for_the_frames_that_are_to_be_sent(host, params, tmp_path):
    # The first five alone are sent, and are 84 bytes on the line each: 10 Mbit/s are 14881 of them, and so many times
    # 42 bytes.
    pcap = write_pcap(tmp_path / "mixed.pcap", [42] * 5 + [1514] * 5)
    asked = {**params, "pcaps": [pcap], "topspeed": None, "line_rate_percent": 100, "link_speed_mbps": 10}
    for given, frame, line in (({"limit": 5}, 42, 84), ({"limit": 20}, 778, 811), ({"limit": None}, 778, 811)):
        command = runs.carry_out({**asked, "loop": 2, **given}, check_mode=True).tree["run"]["command"]
        (mbps,) = [float(word.partition("=")[2]) for word in command if word.startswith("--mbps=")]
        assert mbps == pytest.approx(10 * frame / line, abs=1e-5)


@pytest.mark.parametrize(
    ("sizes", "known"),
    [([60, 78, 1514], True), ([42, 54, 60], False), ([42, 54], True), ([42, 1514], False)],
)
def test_padding_where_frames_were_left_out(host, params, says, tmp_path, sizes, known):
    # unique_ip leaves out what is not IP: four frames, and not the bytes of the first four.
    pcap = write_pcap(tmp_path / "some.pcap", sizes)
    says(said(4, sum(sizes[:3]) + 47, 1.0))
    rates = runs.carry_out({**params, "pcaps": [pcap], "loop": 2, "unique_ip": True}).tree["rates"]
    assert rates["pps"] == 4 and rates["frame_mbps"] == pytest.approx((sum(sizes[:3]) + 47) * 8 / 1e6)
    assert [rates["l1_mbps"] is not None, rates["reason"] == ""] == [known, known]


def test_the_recorded_speed_is_compared_with_the_frames_that_were_sent(host, params, says, tmp_path):
    # Frames a second apart: two passes of 4 s, and 2 s of the third.
    pcap = write_pcap(tmp_path / "seconds.pcap", [60] * 5)
    asked = {**params, "pcaps": [pcap], "topspeed": None, "loop": 0}
    says(said(13, 13 * 60, 10.0))
    outcome = runs.carry_out({**asked, "duration": 10})
    assert outcome.tree["run"]["rate_reached"] == pytest.approx(1, abs=0.002) and outcome.warnings == []
    outcome = runs.carry_out({**asked, "duration": 10, "multiplier": 2.0})
    assert outcome.tree["run"]["rate_reached"] == pytest.approx(0.5, abs=0.002)
    assert outcome.warnings == [
        "The recorded speed, times 2, was missed: 50.0% of it was sent, 5.000 s of the recording in 10.000 s."
    ]
    # It waits between passes as well, or no longer than it is told to.
    pauses = runs.carry_out({**asked, "duration": 10, "extra_args": ["--loopdelay-ms=500"]})
    assert pauses.tree["run"]["rate_reached"] == pytest.approx(1.1, abs=0.002)
    assert (
        runs.carry_out({**asked, "duration": 10, "extra_args": ["--maxsleep=500"]}).tree["run"]["rate_reached"] is None
    )
    # Interrupted in the third second of the third pass.
    says(said(13, 13 * 60, 10.6, " User interrupt..."))
    assert runs.carry_out({**asked, "duration": 20}).tree["run"]["rate_reached"] == 1.0


def test_a_file_that_has_gone_after_the_run_was_opened_before(host, params, says, tmp_path, monkeypatch):
    pcap = write_pcap(tmp_path / "mixed.pcap", [42, 1514])
    says(said(3, 42 + 1514 + 42, 1.0))
    monkeypatch.setattr(runs, "execute", lambda *given, execute=runs.execute: (os.unlink(pcap), execute(*given))[1])
    outcome = runs.carry_out({**params, "pcaps": [pcap], "loop": 2})
    # 84 bytes of the line's time, 1538 and 84 again.
    assert outcome.error is None and outcome.tree["rates"]["l1_mbps"] == pytest.approx(1706 * 8 / 1e6)


def test_one_frame_has_no_rate(host, params, says, tmp_path):
    says("Actual: 1 packets (60 bytes) sent in 0.000021 seconds\nRated: 2857142.8 Bps, 22.85 Mbps, 47619.04 pps\n")
    outcome = runs.carry_out(
        {**params, "pcaps": [write_pcap(tmp_path / "one.pcap", [60])], "topspeed": None, "pps": 10.0, "loop": 1}
    )
    assert outcome.tree["stats"]["pps"] == 47619.04
    assert outcome.tree["rates"] == {**dict.fromkeys(RATES_KEYS), "reason": "One frame has no rate."}
    assert outcome.tree["run"]["rate_reached"] is None and outcome.warnings == []


def test_a_missed_rate_is_a_warning(host, params, says):
    says(said(1000, 78000, 1.25))
    outcome = runs.carry_out({**params, "topspeed": None, "pps": 1000.0, "loop": 100})
    assert outcome.tree["run"]["rate_reached"] == pytest.approx(0.7992)
    assert outcome.warnings == ["The rate asked for was missed: 79.9% of it was sent, 800.00 of pps 1000."]


def test_a_run_through_netmap_without_a_hold(host, params):
    outcome = runs.carry_out({**params, "injection_method": "netmap", "hold": False})
    assert "--nm-delay=1" in outcome.tree["run"]["command"]
    assert host.events == [
        "snapshot v0",
        "guard v0",
        "record v0",
        "wait for the NIC",
        "made",
        "snapshot v0",
        "snapshot v0",
        "put back",
    ]


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, Settings()),
        ({"injection_method": "netmap"}, Settings(offloads_off=True, flow_control_off=True)),
        ({"injection_method": "netmap", "offloads": "keep", "flow_control": "keep"}, Settings()),
        (
            {"offloads": "off", "flow_control": "off"},
            Settings(offloads_off=True, flow_control_off=True, flow_control_asked=True),
        ),
        ({"tx_ring_size": 1024, "rx_ring_size": 64}, Settings(tx_ring_size=1024, rx_ring_size=64)),
    ],
)
def test_the_settings_of_a_run(host, params, given, settings):
    host.nic = replace(host.nic, pause=Pause(True, True, False))
    outcome = runs.carry_out({**params, **given})
    assert host.settings == settings
    run = outcome.tree["run"]
    by_tcpreplay = settings.offloads_off or "injection_method" in given
    assert run["offloads"] == (["rx-vlan-offload"] if by_tcpreplay else ["tx-tcp-segmentation", "rx-vlan-offload"])
    assert (run["flow_control"], run["ring_sizes"]) == ({"rx": True, "tx": False}, {"rx": 256, "tx": 512})
    assert ("wait for the NIC" in host.events) == (settings != Settings() and "injection_method" not in given)
    assert ("made" in host.events) == (settings != Settings() or "injection_method" in given)


def test_settings_it_cannot_have_are_refused_before_anything_is_changed(host, params):
    for check_mode in (False, True):
        with pytest.raises(TrafficgenError, match="tx_ring_size 8192, v0: its tx rings have 4096 slots at most"):
            runs.carry_out({**params, "tx_ring_size": 8192}, check_mode=check_mode)
    assert not any(event.startswith("record") for event in host.events)


def test_a_link_that_its_settings_took_down_and_that_stays_so(host, params):
    host.comes_up, host.complaints, warnings = False, ["v0: its offloads are not all as they were."], []
    with pytest.raises(TrafficgenError, match="v0: its link did not come up after its settings were made"):
        runs.carry_out({**params, "offloads": "off"}, warnings=warnings)
    # A run that fails tells of its warnings, too.
    assert warnings == host.complaints


@pytest.mark.parametrize("trouble", ["set down", "gone from its namespace"])
def test_an_interface_that_goes_away_ends_the_run(host, params, monkeypatch, trouble):
    monkeypatch.setenv("STAND_IN", "wait")
    host.troubles = f",{trouble},,{trouble},{trouble}"
    before = time.monotonic()
    outcome = runs.carry_out(params)
    assert 4 < time.monotonic() - before < 12
    assert f"v0: it was {trouble} while tcpreplay sent" in outcome.error.message
    assert (outcome.tree["run"]["ended_by"], outcome.tree["stats"]["packets"]) == ("error", 193533)


def test_what_an_earlier_run_left_is_put_right_first(host, params):
    host.recovered = ["v0: an earlier run was cut off."]
    assert runs.carry_out(params).warnings == ["v0: an earlier run was cut off."]
    assert runs.carry_out(params, check_mode=True).warnings == []


def test_what_a_hold_finds(host, params):
    host.left = 7
    outcome = runs.carry_out({**params, "injection_method": "netmap", "netmap_delay": 3})
    assert "wait for the link, 3" in host.events
    assert outcome.warnings == ["7 frames were still in the rings of v0 when it was let go, and did not leave."]
    # netmap's buffers may be other than it was loaded with.
    host.buffer_size = 64
    with pytest.raises(TrafficgenError, match="netmap would cut frames of 78 bytes: its buffers have 64"):
        runs.carry_out({**params, "injection_method": "netmap"})


def test_a_second_run_on_the_interface_is_refused(host, params):
    host.add("r0")
    host.busy = {"sending"}
    with pytest.raises(TrafficgenError, match="v0: another run is sending on it after 7 s"):
        runs.carry_out({**params, "injection_method": "netmap", "lock_timeout": 7})
    assert host.events == []
    assert runs.carry_out(params, check_mode=True).error is None
    host.busy = {"counting"}
    with pytest.raises(TrafficgenError, match="r0: another run is counting on it after 0 s"):
        runs.carry_out({**params, "rx_interface": "r0"})
    host.busy = set()
    assert runs.carry_out({**params, "rx_interface": "r0"}).error is None
    assert host.busy == set()


def test_a_run_that_is_not_ready_in_time(host, params, monkeypatch):
    monkeypatch.setattr(host, "wait_for_link", lambda watch, delay: time.sleep(0.6))
    with pytest.raises(
        TrafficgenError, match=r"start_at [0-9.]+: is over since 0\.[0-9] s, and only now is the interface ready"
    ):
        runs.carry_out({**params, "injection_method": "netmap", "start_at": time.time() + 0.3})
    assert "drain" not in host.events


def test_a_link_that_is_coming_up_is_waited_for(host, params, monkeypatch):
    monkeypatch.setattr(runs, "_LINK_STEP", 0.0)
    host.add("v0", carrier=False, bus_info="0000:00:04.0")
    wrapped = host.snapshot

    def later(*args, **kwargs):
        if len(host.events) == 3:
            host.links["v0"]["carrier"] = True
        return wrapped(*args, **kwargs)

    monkeypatch.setattr(runs, "snapshot", later)
    assert runs.carry_out(params, check_mode=True).tree["run"]["interface"] == "v0"
    assert host.events == ["snapshot v0"] * 4 + ["guard v0"]
    host.add("v0", carrier=False)
    host.events.clear()
    with pytest.raises(TrafficgenError, match="no carrier"):
        runs.carry_out(params, check_mode=True)
    assert host.events == ["snapshot v0"]
    monkeypatch.setattr(runs, "_LINK_LIMIT", 0.1)
    host.add("v0", carrier=False, bus_info="0000:00:04.0")
    host.events += [""] * 4
    with pytest.raises(TrafficgenError, match="no carrier"):
        runs.carry_out(params, check_mode=True)


def test_native_netmap_waits_for_the_link(host, params, monkeypatch):
    monkeypatch.setattr(installed, "mode", lambda driver: "native" if driver == "ixgbe" else "emulated")
    host.add("v0", driver="ixgbe", speed_mbps=10000)
    params = {**params, "hold": False}
    outcome = runs.carry_out(
        {**params, "injection_method": "netmap", "topspeed": None, "l1_mbps": 20000.0}, check_mode=True
    )
    assert outcome.tree["run"]["netmap_mode"] == "native"
    assert "--nm-delay=10" in outcome.tree["run"]["command"]
    assert outcome.tree["run"]["capped"] is True
    assert outcome.tree["run"]["requested"] == {"l1_mbps": 20000.0}
    # 10G of frames of 78 bytes, 102 on the line.
    assert "--mbps=7647.058823" in outcome.tree["run"]["command"]
    given = runs.carry_out({**params, "injection_method": "netmap", "netmap_delay": 4}, check_mode=True)
    assert "--nm-delay=4" in given.tree["run"]["command"]


def test_check_mode_runs_nothing(host, params, monkeypatch):
    monkeypatch.setattr(runs, "supervise", None)
    host.add("r0")
    outcome = runs.carry_out({**params, "rx_interface": "r0"}, check_mode=True)
    assert [outcome.tree[part] for part in ("stats", "rates", "counters")] == [None, None, None]
    assert set(outcome.tree["run"]) == RUN_KEYS
    assert outcome.tree["run"]["command"][0] == STAND_IN
    assert outcome.tree["run"]["exit_status"] is None
    assert host.events == ["snapshot v0", "snapshot r0", "guard v0"]


@pytest.mark.parametrize(("version", "said"), [("4.4.4", "issues/810"), ("4.5.1", "issues/810")])
def test_a_tcpreplay_whose_netmap_is_broken_is_refused(host, params, monkeypatch, version, said):
    monkeypatch.setenv("STAND_IN_VERSION", version)
    with pytest.raises(TrafficgenError, match=said):
        runs.carry_out({**params, "injection_method": "netmap"})
    assert runs.carry_out(params).error is None


def test_a_version_nobody_tried_warns(host, params, monkeypatch):
    monkeypatch.setenv("STAND_IN_VERSION", "4.3.1")
    assert "4.3.1" in runs.carry_out({**params, "injection_method": "netmap"}).warnings[0]


def test_what_this_tcpreplay_cannot_do_is_refused(host, params, monkeypatch):
    with pytest.raises(TrafficgenError, match=r"--xdp: tcpreplay 4\.4\.2 does not have it"):
        runs.carry_out({**params, "injection_method": "af_xdp"})
    monkeypatch.setenv("STAND_IN_METHOD", "libdnet eth_send()")
    with pytest.raises(TrafficgenError, match="built to send by libdnet"):
        runs.carry_out({**params, "injection_method": "pf_packet"})
    assert runs.carry_out(params).tree["run"]["injection_method"] == "libdnet"


def test_a_fatal_error_says_what_to_do_and_keeps_what_was_printed(host, params, monkeypatch):
    monkeypatch.setenv("STAND_IN", "no-ioctl")
    outcome = runs.carry_out({**params, "injection_method": "netmap"})
    check_tree(outcome.tree)
    assert outcome.error is not None and "issues/810" in outcome.error.message
    assert (outcome.tree["run"]["exit_status"], outcome.tree["run"]["ended_by"]) == (255, "error")
    assert outcome.tree["stats"]["packets"] is None
    assert outcome.printed is not None and "nm_do_ioctl" in outcome.printed[1]


def test_a_timeout_returns_what_was_sent(host, params, monkeypatch):
    monkeypatch.setenv("STAND_IN", "wait")
    outcome = runs.carry_out({**params, "timeout": 1})
    check_tree(outcome.tree)
    assert outcome.error is None
    assert outcome.tree["run"]["ended_by"] == "timeout"
    assert outcome.tree["stats"]["interrupted"] is True
    assert outcome.tree["stats"]["packets"] == 193533
    assert len(outcome.tree["stats"]["samples"]) == 1
    assert any("timeout of 1 s" in warning for warning in outcome.warnings)


def test_one_that_had_to_be_killed_failed_and_returns_its_samples(host, params, monkeypatch):
    monkeypatch.setenv("STAND_IN", "deaf")
    monkeypatch.setattr(runs, "_GRACE", 0.2)
    outcome = runs.carry_out({**params, "timeout": 1})
    assert outcome.error is not None and "did not heed SIGINT" in outcome.error.message
    assert (outcome.tree["run"]["ended_by"], outcome.tree["run"]["exit_status"]) == ("timeout", -9)
    assert outcome.tree["stats"]["packets"] == 136261


def test_one_interrupted_before_it_sent_failed(host, params, monkeypatch, tmp_path):
    asleep = tmp_path / "asleep"
    asleep.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {STAND_IN} --version\nexec sleep 60\n')
    asleep.chmod(0o755)
    outcome = runs.carry_out({**params, "timeout": 1, "executable": str(asleep)})
    assert outcome.error is not None and "had sent nothing when its timeout of 1 s was over" in outcome.error.message
    assert outcome.tree["run"]["exit_status"] == -2


def test_a_signal_to_the_module_is_the_users_interrupt(host, params, monkeypatch):
    monkeypatch.setenv("STAND_IN", "wait")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    outcome = runs.carry_out(params)
    assert outcome.error is None
    assert outcome.tree["run"]["ended_by"] == "user"


def test_fewer_packets_than_there_are_is_said(host, params):
    outcome = runs.carry_out({**params, "loop": 20000})
    assert outcome.error is None
    assert outcome.warnings == ["tcpreplay ended by itself after 193533 of 200000 packets."]


def test_a_start_to_come_is_kept(host, params):
    moment = time.time() + 1.3
    outcome = runs.carry_out({**params, "start_at": moment})
    assert 0 <= outcome.tree["run"]["started"] - moment < 1
    with pytest.raises(TrafficgenError, match="start_at"):
        runs.carry_out({**params, "start_at": time.time() - 1})
    with pytest.raises(TrafficgenError, match=r"further than timeout \(20 s\)"):
        runs.carry_out({**params, "start_at": time.time() + 30})


def test_a_module_told_to_stop_before_the_start_sends_nothing(host, params):
    host.add("r0")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(TrafficgenError, match="told to stop before it began: it got SIGTERM"):
        runs.carry_out({**params, "start_at": time.time() + 15, "rx_interface": "r0"})
    assert host.events[-1] == "remove"


def test_the_receiver_is_counted_until_all_has_come(host, params):
    host.add("r0")
    host.counted = iter([0, 0, 100000, 190000, 193533, 193533])
    outcome = runs.carry_out({**params, "rx_interface": "r0", "receive_wait": 2.0})
    counters = outcome.tree["counters"]
    assert counters["rx"] == {
        "source": "a counter",
        "packets": 193533,
        "bytes": None,
        "host_drops": 0,
        "late_packets": 0,
    }
    assert counters["verdict"] == "consistent"
    assert outcome.tree["run"]["receive_wait"] == 2.0
    assert host.events[-3:] == ["snapshot r0", "missed none", "remove"]
    assert "add 02:00:00:00:00:01" in host.events


def test_a_receiver_that_never_stands_still_is_not_waited_for(host, params, monkeypatch):
    host.add("r0")
    host.counted = itertools.chain([0, 0], range(1, 10**6))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    before = time.monotonic()
    counters = runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]
    assert time.monotonic() - before < 10
    assert 3 <= counters["rx"]["packets"] <= 60
    assert (counters["loss_packets"], counters["verdict"]) == (None, "unknown")
    assert re.search(r"frames were still arriving 1\.\d s after the last had left", counters["reason"].lower())


def looks_thrice(count, *args, **options):
    """In place of a wait that takes as many looks as it has time for."""
    for _number in range(3):
        count()
    return Arrival("quiet", None, 2.0, 0.0, None)


def test_what_comes_before_the_first_frame_is_not_counted(host, params, monkeypatch):
    host.add("r0")
    host.counted = itertools.chain([300, 300, 894, 894, 894, 894], itertools.repeat(894 + 193533))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    monkeypatch.setattr(runs, "wait_for_frames", looks_thrice)
    outcome = runs.carry_out({**params, "rx_interface": "r0"})
    counters = outcome.tree["counters"]
    assert (counters["rx"]["packets"], counters["loss_packets"], counters["verdict"]) == (193533, 0, "consistent")
    assert outcome.warnings == [
        "894 frames of the test's source MAC addresses arrived on r0 before the first was sent: late ones of an earlier"
        " run, or another sender's. They are not counted."
    ]


def test_a_run_after_one_that_missed_frames_begins_later(host, params, monkeypatch):
    host.add("r0")
    host.missed = time.monotonic() - 1.0
    host.counted = itertools.chain([0, 0, 0], itertools.repeat(193533))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    outcome = runs.carry_out({**params, "rx_interface": "r0", "settle": 2.5})
    assert outcome.tree["run"]["started"] - time.time() + time.monotonic() - host.missed >= 2.5
    assert outcome.tree["counters"]["reason"].startswith(
        "Late frames of the run before may be among those counted: it missed some, and ended 2."
    )
    assert host.events.index("may miss 02:00:00:00:00:01") < host.events.index("missed none")
    # After RFC 2544's five seconds there is nothing to say; nor is there anything to wait for.
    host.missed = time.monotonic() - 5.1
    host.counted = itertools.chain([0, 0], itertools.repeat(193533))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    assert runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]["reason"] == ""


def test_a_common_start_is_kept_after_one_that_missed_frames(host, params, monkeypatch):
    host.add("r0")
    host.missed = time.monotonic()
    host.counted = itertools.chain([0, 0, 0], itertools.repeat(193533))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    start_at = time.time() + 2.0
    outcome = runs.carry_out({**params, "rx_interface": "r0", "start_at": start_at})
    assert 0 <= outcome.tree["run"]["started"] - start_at < 0.3
    assert "late frames of the run before may be among those counted" in outcome.tree["counters"]["reason"].lower()


def test_what_is_missed_stays_noted(host, params, monkeypatch):
    host.add("r0")
    host.counted = itertools.chain([0, 0], itertools.repeat(193500))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    runs.carry_out({**params, "rx_interface": "r0"})
    assert "may miss 02:00:00:00:00:01" in host.events and "missed none" not in host.events


def test_what_does_not_cease_before_the_first_frame_spoils_the_loss(host, params, monkeypatch):
    host.add("r0")
    host.counted = itertools.count(1000, 1000)
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    counters = runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]
    assert (counters["loss_packets"], counters["verdict"]) == (None, "unknown")
    assert "late ones of an earlier run, or another sender's" in counters["reason"]


def test_frames_that_never_cease_need_not_come_between_the_last_two_looks(host, params, monkeypatch):
    host.add("r0")
    host.counted = itertools.chain(range(1, 5), itertools.repeat(4, 2), itertools.repeat(4 + 193533))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193533))
    monkeypatch.setattr(
        runs, "wait_for_frames", lambda count, *args, **options: Arrival("limit", None, 2.0, float(count()), None)
    )
    counters = runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]
    assert "arrived before the first was sent, and more were coming" in counters["reason"]


def test_a_counter_that_goes_before_the_first_frame(host, params, monkeypatch):
    host.add("r0")

    def gone(counter, interface, netns):
        raise TrafficgenError("the frame counter is gone", on=interface)

    monkeypatch.setattr(runs, "read_frame_counter", gone)
    outcome = runs.carry_out({**params, "rx_interface": "r0"})
    assert outcome.error is None and "the frame counter is gone" in outcome.tree["counters"]["reason"]


def test_what_is_sent_is_what_was_looked_at(host, params, monkeypatch, tmp_path):
    looked_at = hashlib.sha256(Path(params["pcaps"][0]).read_bytes()).hexdigest()
    sent = tmp_path / "sent"
    sender = tmp_path / "sender"
    sender.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || for last; do :; done; cat "$last" >{sent}\nexec {STAND_IN} "$@"\n'
    )
    sender.chmod(0o755)
    real = host.snapshot

    def swap(*args, **options):
        if len(host.events) == 3:  # all has been looked at
            Path(write_pcap(tmp_path / "other.pcap", [60] * 7)).rename(params["pcaps"][0])
        return real(*args, **options)

    monkeypatch.setattr(runs, "snapshot", swap)
    outcome = runs.carry_out({**params, "executable": str(sender)})
    assert outcome.error is None
    assert hashlib.sha256(sent.read_bytes()).hexdigest() == looked_at == outcome.tree["run"]["pcaps"][0]["sha256"]
    assert (
        outcome.tree["run"]["command"][-1] == params["pcaps"][0]
        and Path(params["pcaps"][0]).stat().st_size != sent.stat().st_size
    )


def test_a_pcap_that_is_written_to_while_it_is_sent_fails_the_run(host, params, tmp_path):
    sender = tmp_path / "sender"
    sender.write_text(f'#!/bin/sh\n[ "$1" = --version ] || printf x >>{params["pcaps"][0]}\nexec {STAND_IN} "$@"\n')
    sender.chmod(0o755)
    outcome = runs.carry_out({**params, "executable": str(sender)})
    assert (
        outcome.error is not None
        and f"{params['pcaps'][0]}: was written to after it was looked at" in outcome.error.message
    )
    assert outcome.tree["run"]["pcaps"][0]["sha256"] is None
    check_tree(outcome.tree)


def test_a_mac_that_counts_is_waited_for_as_well(host, params, monkeypatch):
    host.add("r0", driver="ixgbe", mac={"tx": None, "rx": MAC, "reason": ""})
    real, counts = host.snapshot, itertools.chain([500, 500, 100500], itertools.repeat(194033))
    monkeypatch.setattr(runs, "add_frame_counter", lambda interface, macs, netns: None)

    def snapshot(interface, netns=None, **options):
        state = real(interface, netns, **options)
        return (
            state if interface == "v0" else {**state, "mac": {**state["mac"], "rx": {**MAC, "packets": next(counts)}}}
        )

    monkeypatch.setattr(runs, "snapshot", snapshot)
    rx = runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]["rx"]
    assert (rx["packets"], rx["late_packets"]) == (193533, None)


def test_the_senders_queue_is_waited_for(host, params, monkeypatch):
    host.queue = Queue(125, "tbf")
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193408, 193500, 193533))
    outcome = runs.carry_out(params)
    counters = outcome.tree["counters"]
    assert (counters["verdict"], counters["tx"]["packets"], counters["reason"], outcome.warnings) == (
        "consistent",
        193533,
        "",
        [],
    )


def test_what_stays_in_the_senders_queue_is_told(host, params, monkeypatch):
    host.add("r0")
    host.queue = Queue(125, "tbf")
    host.counted = itertools.chain([0, 0], itertools.repeat(193410))
    monkeypatch.setattr(runs, "snapshot", host.sends(0, 193408))
    monkeypatch.setattr(runs.sender_queue, "_STUCK", 0.1)
    outcome = runs.carry_out({**params, "rx_interface": "r0"})
    counters = outcome.tree["counters"]
    assert (counters["verdict"], counters["tx"]["packets"], counters["loss_packets"]) == ("short", 193408, None)
    assert "125 fewer, of which 125 were still in its queue (tbf)" in counters["reason"]
    assert "what was lost is not known" in counters["reason"]
    assert outcome.warnings == [
        "125 frames were still in the queue of v0 (tbf) when its counters were read: they leave later. Raise timeout to"
        " wait longer."
    ]


def test_without_a_frame_counter_the_reason_is_said(host, params, monkeypatch):
    host.add("r0")

    def refuse(interface, macs, netns=None):
        raise TrafficgenError("not found, or not executable", on="nft")

    monkeypatch.setattr(runs, "add_frame_counter", refuse)
    counters = runs.carry_out({**params, "rx_interface": "r0"}).tree["counters"]
    assert (counters["rx"], counters["loss_packets"]) == (None, None)
    assert "nft: not found" in counters["reason"]
    assert host.events[-1] == "remove"


def test_too_many_source_addresses_are_said(host, params, tmp_path):
    host.add("r0")
    path = tmp_path / "many.pcap"
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(4097):
            file.write(
                struct.pack("<IIII", 0, 0, 60, 60) + b"\2\0\0\0\0\2\2\0\0\0" + struct.pack(">H", number) + bytes(48)
            )
    counters = runs.carry_out({**params, "pcaps": [str(path)], "rx_interface": "r0", "loop": 1}).tree["counters"]
    assert "more than 4096 source MAC addresses" in counters["reason"]
    assert not any(event.startswith("add") for event in host.events)


def test_a_counter_that_cannot_be_removed_costs_no_result(host, params, monkeypatch):
    host.add("r0")

    def fail(interface, netns=None):
        raise TrafficgenError("the frame counter could not be removed", on="r0")

    monkeypatch.setattr(runs, "remove_frame_counter", fail)
    outcome = runs.carry_out({**params, "rx_interface": "r0"})
    assert outcome.error is None
    told = "The frame counter on r0 is still there, until the next run: r0: the frame counter could not be removed."
    assert told in outcome.warnings


def test_an_interface_lost_in_the_run_costs_no_result(host, params, monkeypatch):
    real, calls = host.snapshot, []

    def lost(interface, netns=None, **options):
        calls.append(interface)
        if len(calls) == 3:
            raise TrafficgenError("no such interface", on=interface)
        return real(interface, netns, **options)

    monkeypatch.setattr(runs, "snapshot", lost)
    outcome = runs.carry_out(params)
    assert outcome.error is None
    assert outcome.tree["counters"]["verdict"] == "unknown"
    assert any("counters after the run are not known" in warning for warning in outcome.warnings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"up": False}, r"v0: the interface is down\. Bring it up: `ip link set dev v0 up`"),
        ({"carrier": False}, "v0: the interface has no carrier"),
        ({"mtu": 40}, "its MTU is 40, too small for a frame of 78 bytes"),
    ],
)
def test_an_interface_that_cannot_send_is_refused(host, params, change, said):
    host.add("v0", **change)
    with pytest.raises(TrafficgenError, match=said):
        runs.carry_out(params)


def test_a_receiver_that_is_not_there_or_down_is_refused(host, params):
    with pytest.raises(TrafficgenError, match="r0: no such interface"):
        runs.carry_out({**params, "rx_interface": "r0"})
    host.add("r0", up=False)
    with pytest.raises(TrafficgenError, match=r"r0: the receiving interface is down.*`ip -n far link set dev r0 up`"):
        runs.carry_out({**params, "rx_interface": "r0", "rx_netns": "far"})
    assert "remove" not in host.events


@pytest.mark.parametrize("change", [{"ifindex": 2}, {"driver": "lo"}])
def test_a_receiver_that_nothing_can_reach_is_refused(host, params, change):
    host.add("r0", **change)
    with pytest.raises(TrafficgenError, match="rx_interface r0: nothing that is sent can arrive there"):
        runs.carry_out({**params, "rx_interface": "r0"})


def test_a_long_frame_needs_a_vlan_tag(host, params, tmp_path):
    host.add("v0", mtu=74)  # takes 88 bytes, and 92 with a tag
    plain = write_pcap(tmp_path / "plain.pcap", [60, 90])
    with pytest.raises(TrafficgenError, match="its MTU is 74, too small for a frame of 90 bytes"):
        runs.carry_out({**params, "pcaps": [plain]}, check_mode=True)
    data = bytearray(Path(plain).read_bytes())
    data[-90 + 12 : -90 + 14] = b"\x81\x00"
    Path(plain).write_bytes(data)
    assert runs.carry_out({**params, "pcaps": [plain]}, check_mode=True).warnings == []


def test_pcaps_that_cannot_be_sent_are_refused(host, params, tmp_path):
    cases = {
        write_pcap(tmp_path / "empty.pcap", []): "has no packets in it",
        write_pcap(tmp_path / "raw.pcap", [60], link_type=101): "its link type is RAW, not Ethernet",
        str(tmp_path / "missing.pcap"): "no such file",
        str(tmp_path): "is a directory",
    }
    for path, said in cases.items():
        with pytest.raises(TrafficgenError, match=said):
            runs.carry_out({**params, "pcaps": [*params["pcaps"], path]})
    assert host.events == []


def test_cut_packets_are_said(host, params, tmp_path):
    cut = write_pcap(tmp_path / "cut.pcap", [60] * 3, cut=1000)
    assert "3 of 3 packets were cut" in runs.carry_out({**params, "pcaps": [cut]}, check_mode=True).warnings[0]


def test_how_many_frames_are_above_the_mtu_is_said(host, params, tmp_path):
    pcaps = [write_pcap(tmp_path / f"{number}.pcap", [60] * 9 + [1514, 1515, 1600]) for number in range(2)]
    with pytest.raises(TrafficgenError) as error:
        runs.carry_out({**params, "pcaps": pcaps}, check_mode=True)
    assert "its MTU is 1500, too small for a frame of 1600 bytes, and for 4 of 24 frames in all" in error.value.message
    assert "tshark -r IN -Y 'frame.cap_len <= 1514'" in error.value.remedy


# tcpreplay waits 50.1 s for these, and not at all where time goes back (send_packets() of src/send_packets.c).
def test_the_timeout_where_time_goes_back(host, params, tmp_path):
    path = tmp_path / "back.pcap"
    records = [
        struct.pack("<IIII", 100 + tenths // 10, tenths % 10 * 100000, 60, 60) + bytes(60) for tenths in (0, 1, 501, 10)
    ]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    for multiplier, waits in ((None, 50.1), (2.0, 25.05), (0.5, 100.2)):
        asked = {**params, "pcaps": [str(path)], "loop": 1, "topspeed": None, "multiplier": multiplier, "timeout": None}
        warnings = []
        request = runs.parse_request(asked)
        with contextlib.ExitStack() as stack:
            plan = runs.make_plan(request, runs.open_pcaps(request.pcaps, stack), warnings)
        assert plan.traffic.seconds == 50.1
        assert plan.timeout == math.ceil(waits * 1.5 + 30 + 4 / 200_000 * 1.5)
        assert any("time goes back 1 times" in text for text in warnings)


# What Debian's tcpreplay 4.4.3 prints of a frame of 14 bytes, which it sends.
def test_what_the_flow_statistics_leave_out_is_no_error(host, params, says, tmp_path):
    told = "Warning in flows.c:flow_decode() line 199:\\nUnable to process unsupported DLT type: Ethernet (0x1)\\n"
    warns = tmp_path / "warns"
    warns.write_text(f'#!/bin/sh\n[ "$1" = --version ] || printf \'{told}\' >&2\nexec {STAND_IN} "$@"\n')
    warns.chmod(0o755)
    says(said(100000, 7800000, 2.01))
    outcome = runs.carry_out({**params, "loop": 0, "duration": 2, "executable": str(warns)})
    assert outcome.error is None
    assert outcome.tree["run"]["ended_by"] == "duration"
    assert any("flow statistics leave out frames" in warning for warning in outcome.warnings)


def test_what_does_not_fit_into_memory_is_refused(host, params, monkeypatch):
    monkeypatch.setattr(runs, "_available_memory", lambda: 1000)
    with pytest.raises(TrafficgenError, match="preload: would take"):
        runs.carry_out(params)
    assert runs.carry_out({**params, "preload": False}).error is None


def test_no_tcpreplay(host, params, monkeypatch):
    with pytest.raises(TrafficgenError, match=r"/no/such/tcpreplay: not found.*role wirespeed\.trafficgen\.tcpreplay"):
        runs.carry_out({**params, "executable": "/no/such/tcpreplay"})
    with pytest.raises(TrafficgenError, match="did not say its version"):
        runs.carry_out({**params, "executable": "/bin/true"})


def test_the_guard_can_be_told_to_stand_aside(host, params):
    runs.carry_out({**params, "allow_management_interface": True}, check_mode=True)
    assert host.events == ["snapshot v0"]
