# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run from its start to its end: what is done to the interface, and what ends the run."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import struct
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import receiver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import Arrival
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.sender_queue import Queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import run as runs


def test_a_run_through_netmap(host, check_tree, stand_in):
    outcome = host.run(injection_method="netmap")
    check_tree(outcome.tree)
    assert outcome.error is None and host.warnings == []
    run, rates = outcome.tree["run"], outcome.tree["rates"]
    options = ["--topspeed", "--loop=19353", "--preload-pcap", "--stats=1", "--netmap", "--nm-delay=0"]
    assert run["command"] == [stand_in, "--intf1=v0", *options, *host.params["pcaps"]]
    assert (run["injection_method"], run["netmap_mode"], run["netmap_version"]) == ("netmap", "emulated", "55D5E1C7")
    assert (run["exit_status"], run["ended_by"]) == (0, "completed")
    assert (run["requested"], run["capped"]) == ({"topspeed": True}, False)
    assert (run["tcpreplay_version"], run["kernel"]) == ("4.4.2", os.uname().release)
    assert 0 < run["ended"] - run["started"] < 5
    assert [set(pcap) for pcap in run["pcaps"]] == [{"path", "packets", "bytes", "sha256"}]
    assert outcome.tree["stats"]["packets"] == 193533
    # 136261 pps of 78 bytes: 82 with the FCS, 102 with preamble and gap besides.
    assert rates["l1_mbps"] == pytest.approx(136261 * 102 * 8 / 1e6)
    assert rates["l2_mbps"] == pytest.approx(136261 * 82 * 8 / 1e6)
    assert outcome.tree["counters"]["verdict"] == "unknown"
    assert host.events == [
        *("snapshot v0", "guard v0", "record v0", "take v0", "wait for the link, 0", "made", "snapshot v0"),
        *("drain", "snapshot v0", "pause back", "let go", "put back"),
    ]


def test_a_run_through_netmap_without_a_hold(host):
    assert "--nm-delay=1" in host.run(injection_method="netmap", hold=False).tree["run"]["command"]
    assert host.events == [
        *("snapshot v0", "guard v0", "record v0", "wait for the NIC", "made", "snapshot v0", "snapshot v0", "put back")
    ]


def test_a_link_that_its_settings_took_down_and_that_stays_so(host):
    host.comes_up, host.complaints = False, ["v0: some offloads are not as they were."]
    with pytest.raises(TrafficgenError, match="v0: its link did not come up after its settings were made"):
        host.run(offloads="off")
    # A run that fails also returns its warnings.
    assert host.warnings == host.complaints


@pytest.mark.parametrize("trouble", ["set down", "gone from its namespace"])
def test_an_interface_that_goes_away_ends_the_run(host, monkeypatch, trouble):
    monkeypatch.setenv("STAND_IN", "wait")
    host.troubles = f"{trouble},{trouble}"
    outcome = host.run()
    assert f"v0: it was {trouble} while tcpreplay sent" in outcome.error.message
    assert (outcome.tree["run"]["ended_by"], outcome.tree["stats"]["packets"]) == ("error", 193533)


def test_a_trouble_of_a_moment_ends_nothing():
    troubles = iter(("", "set down", "", "set down", "set down"))

    class Link:
        def trouble(self):
            return next(troubles)

    lost = runs._Lost(Link())
    assert [lost.why() for _look in range(5)] == ["", "", "", "", "set down"]


def test_an_interface_lost_in_the_run_costs_no_result(host):
    real, calls = host.snapshot, []

    def lost(interface, **options):
        calls.append(interface)
        if len(calls) == 3:
            raise TrafficgenError("no such interface", on=interface.name)
        return real(interface, **options)

    host.snapshot = lost
    outcome = host.run()
    assert (outcome.error, outcome.tree["counters"]["verdict"]) == (None, "unknown")
    assert any("counters after the run are unknown" in warning for warning in host.warnings)


def test_what_an_earlier_run_left_is_put_right_first(host):
    host.recovered = ["v0: an earlier run was cut off."]
    host.run()
    assert host.warnings == ["v0: an earlier run was cut off."]
    host.plan()
    assert host.warnings == []


def test_what_a_hold_finds(host):
    host.left = 7
    host.run(injection_method="netmap", netmap_delay=3)
    assert "wait for the link, 3" in host.events
    assert host.warnings == ["7 frames were still in the rings of v0 when it was let go, and did not leave."]
    # netmap's buffers may be other than it was loaded with.
    host.buffer_size = 64
    with pytest.raises(TrafficgenError, match="netmap would cut frames of 78 bytes: its buffers have 64"):
        host.run(injection_method="netmap")


def test_a_second_run_on_the_interface_is_refused(host):
    host.add("r0")
    host.busy = {"sending"}
    with pytest.raises(TrafficgenError, match="v0: another run is sending on it after 7 s"):
        host.run(injection_method="netmap", lock_timeout=7)
    assert host.events == []
    assert host.plan().error is None
    host.busy = {"counting"}
    with pytest.raises(TrafficgenError, match="r0: another run is counting on it after 0 s"):
        host.run(rx_interface="r0")
    host.busy = set()
    assert host.run(rx_interface="r0").error is None
    assert host.busy == set()


def test_a_run_that_is_not_ready_in_time(host, monkeypatch):
    monkeypatch.setattr(host, "wait_for_link", lambda watch, delay: time.sleep(0.6))
    said = r"start_at [0-9.]+: is over since 0\.[0-9] s, but the interface is only ready"
    with pytest.raises(TrafficgenError, match=said):
        host.run(injection_method="netmap", start_at=time.time() + 0.3)
    assert "drain" not in host.events


def test_a_signal_to_the_module_is_the_users_interrupt(host, monkeypatch):
    monkeypatch.setenv("STAND_IN", "wait")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    outcome = host.run()
    assert (outcome.error, outcome.tree["run"]["ended_by"]) == (None, "user")


def test_a_start_to_come_is_kept(host):
    moment = time.time() + 1.3
    assert 0 <= host.run(start_at=moment).tree["run"]["started"] - moment < 1
    with pytest.raises(TrafficgenError, match="start_at"):
        host.run(start_at=time.time() - 1)
    with pytest.raises(TrafficgenError, match=r"further than timeout \(20 s\)"):
        host.run(start_at=time.time() + 30)


def test_a_module_told_to_stop_before_the_start_sends_nothing(host):
    host.add("r0")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(TrafficgenError, match="told to stop before it began: it got SIGTERM"):
        host.run(start_at=time.time() + 15, rx_interface="r0")
    assert host.events[-1] == "remove"


def test_what_is_sent_is_what_was_looked_at(host, tmp_path, pcap_of, program, stand_in):
    (path,) = host.params["pcaps"]
    looked_at = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    sent = tmp_path / "sent"
    real = host.snapshot

    def swap(*args, **options):
        if len(host.events) == 3:  # everything has been checked
            Path(pcap_of([60] * 7, "other.pcap")).rename(path)
        return real(*args, **options)

    host.snapshot = swap
    outcome = host.run(executable=program(f'for last; do :; done; cat "$last" >{sent}\nexec {stand_in} "$@"'))
    assert outcome.error is None
    assert hashlib.sha256(sent.read_bytes()).hexdigest() == looked_at == outcome.tree["run"]["pcaps"][0]["sha256"]
    assert outcome.tree["run"]["command"][-1] == path and Path(path).stat().st_size != sent.stat().st_size


def test_a_pcap_that_is_written_to_while_it_is_sent_fails_the_run(host, program, stand_in, check_tree):
    (path,) = host.params["pcaps"]
    outcome = host.run(executable=program(f'printf x >>{path}\nexec {stand_in} "$@"'))
    assert f"{path}: was written to after it was checked" in outcome.error.message
    assert outcome.tree["run"]["pcaps"][0]["sha256"] is None
    check_tree(outcome.tree)


MAC = {"source": "a MAC", "packets": 500, "bytes": None, "drops_counted": False}


def test_the_receiver_is_counted_until_all_has_come(host):
    host.add("r0")
    host.counted = iter([0, 0, 100000, 190000, 193533, 193533])
    tree = host.run(rx_interface="r0", receive_wait=2.0).tree
    rx = {"source": "a counter", "packets": 193533, "bytes": None, "host_drops": 0, "late_packets": 0}
    assert (tree["counters"]["rx"], tree["counters"]["verdict"]) == (rx, "consistent")
    assert tree["run"]["receive_wait"] == 2.0
    assert host.events[-3:] == ["snapshot r0", "missed none", "remove"]
    assert "add 02:00:00:00:00:01" in host.events


def test_a_receiver_that_never_stands_still_is_not_waited_for(host):
    host.receives(0)
    host.counted = itertools.chain([0, 0], range(1, 10**6))
    before = time.monotonic()
    counters = host.counts()
    assert time.monotonic() - before < 10
    assert 3 <= counters["rx"]["packets"] <= 60
    assert (counters["loss_packets"], counters["verdict"]) == (None, "unknown")
    assert re.search(r"frames were still arriving 1\.\d s after the last had left", counters["reason"].lower())


def looks_thrice(count, *args, **options):
    """In place of the wait, which reads the counter as often as it has time for."""
    for _number in range(3):
        count()
    return Arrival("quiet", None, 2.0, 0.0, None)


def test_what_comes_before_the_first_frame_is_not_counted(host, monkeypatch):
    host.receives(300, 300, 894, 894, 894, 894, 894 + 193533)
    monkeypatch.setattr(receiver, "wait_for_frames", looks_thrice)
    counters = host.counts()
    assert (counters["rx"]["packets"], counters["loss_packets"], counters["verdict"]) == (193533, 0, "consistent")
    assert host.warnings == [
        "894 frames of the test's source MAC addresses arrived on r0 before the first was sent: late ones of an earlier"
        " run, or another sender's. They are not counted."
    ]


def test_a_run_after_one_that_missed_frames_begins_later(host):
    host.missed = time.monotonic() - 1.0
    host.receives(0, 0, 0, 193533)
    tree = host.run(rx_interface="r0", settle=2.5).tree
    assert tree["run"]["started"] - time.time() + time.monotonic() - host.missed >= 2.5
    assert tree["counters"]["reason"].startswith(
        "Late frames of the run before may be among those counted: it missed some, and ended 2."
    )
    assert host.events.index("may miss 02:00:00:00:00:01") < host.events.index("missed none")
    # After RFC 2544's five seconds there is nothing to report and nothing to wait for.
    host.missed = time.monotonic() - 5.1
    host.receives(0, 0, 193533)
    assert host.counts()["reason"] == ""


def test_a_common_start_is_kept_after_one_that_missed_frames(host):
    host.missed = time.monotonic()
    host.receives(0, 0, 0, 193533)
    start_at = time.time() + 2.0
    tree = host.run(rx_interface="r0", start_at=start_at).tree
    assert 0 <= tree["run"]["started"] - start_at < 0.3
    assert "late frames of the run before may be among those counted" in tree["counters"]["reason"].lower()


def test_what_is_missed_stays_noted(host):
    host.receives(0, 0, 193500)
    host.counts()
    assert "may miss 02:00:00:00:00:01" in host.events and "missed none" not in host.events


def test_what_does_not_cease_before_the_first_frame_spoils_the_loss(host):
    host.receives(0)
    host.counted = itertools.count(1000, 1000)
    counters = host.counts()
    assert (counters["loss_packets"], counters["verdict"]) == (None, "unknown")
    assert "late ones of an earlier run, or another sender's" in counters["reason"]


def test_frames_that_never_cease_need_not_come_between_the_last_two_looks(host, monkeypatch):
    host.receives(1, 2, 3, 4, 4, 4, 4 + 193533)
    never = Arrival("limit", None, 2.0, 4.0, None)
    monkeypatch.setattr(receiver, "wait_for_frames", lambda count, *args, **options: (count(), never)[1])
    assert "arrived before the first was sent, and more were coming" in host.counts()["reason"]


def test_a_counter_that_goes_before_the_first_frame(host):
    def gone(counter, interface):
        raise TrafficgenError("the frame counter is gone", on=interface.name)

    host.add("r0")
    host.read = gone
    outcome = host.run(rx_interface="r0")
    assert outcome.error is None and "the frame counter is gone" in outcome.tree["counters"]["reason"]


def test_a_mac_that_counts_is_waited_for_as_well(host):
    host.add("r0", driver="ixgbe", mac={"tx": None, "rx": MAC, "reason": ""})
    real, counts = host.snapshot, itertools.chain([500, 500, 100500], itertools.repeat(194033))
    host.add_counter = lambda interface, macs: None

    def snapshot(interface, **options):
        state = real(interface, **options)
        if interface.name == "r0":
            state["mac"] = {**state["mac"], "rx": {**MAC, "packets": next(counts)}}
        return state

    host.snapshot = snapshot
    rx = host.counts()["rx"]
    assert (rx["packets"], rx["late_packets"]) == (193533, None)


def test_the_senders_queue_is_waited_for(host):
    host.queue = Queue(125, "tbf")
    host.sends(0, 193408, 193500, 193533)
    counters = host.run().tree["counters"]
    assert (counters["verdict"], counters["tx"]["packets"], counters["reason"]) == ("consistent", 193533, "")
    assert host.warnings == []


def test_what_stays_in_the_senders_queue_is_told(host, monkeypatch):
    host.queue = Queue(125, "tbf")
    host.receives(0, 0, 193410, sent=193408)
    monkeypatch.setattr(runs.sender_queue, "_STUCK", 0.1)
    counters = host.counts()
    assert (counters["verdict"], counters["tx"]["packets"], counters["loss_packets"]) == ("short", 193408, None)
    assert "125 fewer, of which 125 were still in its queue (tbf)" in counters["reason"]
    assert "what was lost is not known" in counters["reason"]
    assert host.warnings == [
        "125 frames were still in the queue of v0 (tbf) when its counters were read: they leave later. Raise timeout to"
        " wait longer."
    ]


def test_without_a_frame_counter_the_reason_is_said(host):
    def refuse(interface, macs):
        raise TrafficgenError("not found, or not executable", on="nft")

    host.add("r0")
    host.add_counter = refuse
    counters = host.counts()
    assert (counters["rx"], counters["loss_packets"]) == (None, None)
    assert "nft: not found" in counters["reason"]
    assert host.events[-1] == "remove"


def test_too_many_source_addresses_are_said(host, tmp_path):
    host.add("r0")
    path = tmp_path / "many.pcap"
    frames = (b"\2\0\0\0\0\2\2\0\0\0" + struct.pack(">H", number) + bytes(48) for number in range(4097))
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + b"".join(struct.pack("<IIII", 0, 0, 60, 60) + frame for frame in frames))
    assert "more than 4096 source MAC addresses" in host.counts(pcaps=[str(path)], loop=1)["reason"]
    assert not any(event.startswith("add") for event in host.events)


def test_a_counter_that_cannot_be_removed_costs_no_result(host):
    def fail(interface):
        raise TrafficgenError("the frame counter could not be removed", on="r0")

    host.add("r0")
    host.remove = fail
    assert host.run(rx_interface="r0").error is None
    told = "The frame counter on r0 is still there, until the next run: r0: the frame counter could not be removed."
    assert told in host.warnings
