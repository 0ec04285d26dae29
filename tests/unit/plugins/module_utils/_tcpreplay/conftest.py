# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a stand-in for tcpreplay, on interfaces that are made up."""

from __future__ import annotations

import contextlib
import itertools
import struct
import time
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import receiver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import RingSizes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import plan as plans
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import run as runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import engine, rings
from ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay import ARGUMENT_SPEC

STAND_IN = str(Path(__file__).resolve().parents[4] / "fixtures/stand_in_tcpreplay.sh")
MAC = {"source": "a MAC", "packets": 500, "bytes": None, "drops_counted": False}
REAL_WATCH = runs.Watch


class Host:
    """The interfaces that a run sees. Remembers what was done to them, to the receiver's counter and to its note of
    missed frames."""

    recovered: ClassVar = []
    complaints: ClassVar = []
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
    troubles = ""
    missed = None
    buffer_size = 2048
    left = 0
    queue = None
    # Of netmap, and of the driver.
    tx_rings = rx_rings = queues = 4
    slots = 512

    def __init__(self, params):
        self.params, self.warnings = params, []
        self.links, self.events, self.busy = {}, [], set()
        self.counted = iter(())
        self.add("v0")

    @property
    def rings(self):
        return Rings(self.tx_rings, 256, self.rx_rings, 256)

    def run(self, *, check_mode=False, **given):
        self.warnings = []
        return engine.carry_out({**self.params, **given}, check_mode=check_mode, warn=self.warnings.append)

    def plan(self, **given):
        return self.run(check_mode=True, **given)

    def counts(self, **given):
        """The counters of a run with a receiver."""
        return self.run(rx_interface="r0", **given).tree["counters"]

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

    def snapshot(self, interface, *, test_frames=None, like=None):
        name = interface.name
        if name not in self.links:
            raise TrafficgenError("no such interface", on=name)
        self.events.append(f"snapshot {name}")
        counted = self.read(test_frames) if test_frames else None
        now = {"time": time.time(), "monotonic": time.monotonic()}
        return {**self.links[name], "netns": interface.netns, "test_frames": counted, **now}

    def sends(self, *counts):
        """What the sender's MAC counts, from its first reading on."""
        real, left = self.snapshot, itertools.chain([0, *counts[:-1]], itertools.repeat(counts[-1]))

        def snapshot(interface, **options):
            state = real(interface, **options)
            tx = {**MAC, "packets": next(left)} if interface.name == "v0" else None
            return {**state, "mac": {"tx": tx, "rx": None, "reason": ""}}

        self.snapshot = snapshot

    def receives(self, *counts, sent=193533):
        """What a receiver's frame counter reads, one of ``counts`` after the other (the last one repeats), and the
        sender's MAC."""
        self.add("r0")
        self.counted = itertools.chain(counts, itertools.repeat(counts[-1]))
        self.sends(0, sent)

    def add_counter(self, interface, macs):
        self.events.append(f"add {' '.join(macs)}")
        return {"source": "a counter", "packets": 0, "bytes": None, "macs": macs, "table": "t", "handle": 1}

    def read(self, counter, interface=None):
        return {**counter, "packets": next(self.counted, counter["packets"])}

    def remove(self, interface):
        self.events.append("remove")

    @contextlib.contextmanager
    def only_run(self, interface, what, until):
        if what in self.busy:
            waited = round(until - time.monotonic())
            raise TrafficgenError(f"another run is {what} on it after {waited} s", on=interface.name)
        self.busy.add(what)
        try:
            yield 2
        finally:
            self.busy.remove(what)

    def wait_for_nic(self, interface, watch):
        self.events.append("wait for the NIC")
        return self.comes_up

    def made(self, settings, interface, warn):
        self.events.append("made")
        on = ["rx-vlan-offload"] if settings.offloads_off else self.nic.on
        return NicState(**{**vars(self.nic), "on": on})

    @contextlib.contextmanager
    def left_as_found(self, before, settings, interface, warn, *, resets, netmap, pass_fds):
        assert before == self.nic and pass_fds[0] == 2
        self.settings = settings
        if settings == Settings() and not netmap:
            yield None
            return
        self.events.append(f"record {interface.name}")
        try:
            yield lambda: self.events.append("pause back")
        finally:
            for text in self.complaints:
                warn(text)
        self.events.append("put back")

    @contextlib.contextmanager
    def held(self, interface):
        self.events.append(f"take {interface.name}")
        yield self
        self.events.append("let go")

    @contextlib.contextmanager
    def link(self, interface):
        words = iter(self.troubles.split(","))

        class Link:
            last = ""

            def trouble(self):
                self.last = next(words, self.last)
                return self.last

        yield Link()

    def seconds(self, macs):
        return None if self.missed is None else time.monotonic() - self.missed

    def write(self, macs):
        self.events.append(f"may miss {' '.join(macs or ['any'])}")

    def still_missing(self):
        pass

    def forget(self):
        self.events.append("missed none")

    def wait_for_link(self, watch, delay):
        self.events.append(f"wait for the link, {delay}")

    def drain(self):
        self.events.append("drain")
        return self.left


@pytest.fixture
def pcap_of(tmp_path):
    """Writes a pcap of frames of these sizes, a second apart."""

    def write(sizes, name="a.pcap", link_type=1, cut=0):
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type))
            for second, size in enumerate(sizes):
                macs = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"
                file.write(struct.pack("<IIII", second, 0, size, size + cut) + macs + bytes(size - 12))
        return str(path)

    return write


@pytest.fixture
def program(tmp_path):
    """Writes a program that prints its version as the stand-in does, and otherwise runs this shell script."""

    def write(script):
        path = tmp_path / "program"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {STAND_IN} --version\n{script}\n')
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def stand_in():
    return STAND_IN


@pytest.fixture
def host(monkeypatch, pcap_of):
    # The stand-in says that it sent 193533 frames. This many loops come to no more.
    given = {"pcaps": [pcap_of([78] * 10)], "interface": "v0", "executable": STAND_IN, "loop": 19353}
    defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    host = Host({**defaults, **given, "topspeed": True, "timeout": 20, "receive_wait": 0.2})

    def replace(module, **names):
        """Looked up at each call, so that a test can replace it again."""
        for name, own in names.items():
            monkeypatch.setattr(module, name, lambda *given, own=own, **options: getattr(host, own)(*given, **options))

    for module in (plans, runs, receiver):
        replace(module, snapshot="snapshot")
    replace(receiver, add_frame_counter="add_counter", read_frame_counter="read", remove_frame_counter="remove")
    replace(runs, only_run="only_run", Link="link", wait_for_link="wait_for_nic")
    replace(engine, held="held")
    monkeypatch.setattr(engine, "_rings", lambda interface: (host.queues, host.slots))
    monkeypatch.setattr(rings, "rings_of", lambda interface: host.rings)
    replace(runs.settings, left_as_found="left_as_found", verify="made")
    replace(plans, wait_for_link="wait_for_nic")
    monkeypatch.setattr(receiver, "MissedNote", lambda interface: host)
    monkeypatch.setattr(runs.sender_queue, "read_queue", lambda interface: host.queue)
    monkeypatch.setattr(plans.state, "read", lambda interface: host.nic)
    monkeypatch.setattr(runs.settings, "recover", lambda interface: host.recovered)
    monkeypatch.setattr(plans, "guard", lambda interface: host.events.append(f"guard {interface.name}"))
    monkeypatch.setattr(installed, "require", lambda: None)
    monkeypatch.setattr(installed, "version", lambda: "55D5E1C7")
    monkeypatch.setattr(runs, "Watch", lambda: REAL_WATCH(()))
    monkeypatch.setenv("STAND_IN", "run")
    return host


@pytest.fixture
def says(monkeypatch):
    """Makes the stand-in print what tcpreplay prints for this many packets and bytes in this many seconds."""

    def say(packets, size, seconds, *more):
        actual = f"{seconds:.6f}" if seconds < 1 else f"{seconds:.2f}"
        rated = f"{size / seconds:.1f} Bps, {size * 8 / seconds / 1e6:.2f} Mbps, {packets / seconds:.2f} pps"
        head = (f"Actual: {packets} packets ({size} bytes) sent in {actual} seconds", f"Rated: {rated}")
        monkeypatch.setenv("STAND_IN", "said")
        monkeypatch.setenv("STAND_IN_SAID", "\n".join((*head, *more, "")))

    return say


# DESIGN's result tree.
_KEYS = {
    "run": "engine"
    " command requested capped rate_reached injection_method netmap_mode interface netns driver link_speed_mbps"
    " mtu offloads flow_control ring_sizes pcaps edited_by in_flight_frames frames mac_address receive_wait settle"
    " split workers tcpreplay_version netmap_version kernel started ended exit_status ended_by phases",
    "stats": "packets bytes seconds bytes_per_second mbps pps flows flows_per_second flow_packets non_flow_packets"
    " flows_unique flows_expired failed_write_attempts interrupted devices samples",
    "rates": "pps frame_mbps l2_mbps l1_mbps line_rate_percent reason",
    "counters": "tx rx loss_packets loss_ratio verdict reason",
}


@pytest.fixture
def check_tree():
    def check(tree):
        assert {part: set(values) for part, values in tree.items()} == {
            part: set(keys.split()) for part, keys in _KEYS.items()
        }

    return check
