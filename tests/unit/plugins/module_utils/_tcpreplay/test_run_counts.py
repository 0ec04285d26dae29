# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run makes of the counters of its sender and its receiver."""

from __future__ import annotations

import itertools
import re
import struct
import time

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import receiver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import Arrival
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.sender_queue import Queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import run as runs

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
    """In place of a wait that takes as many looks as it has time for."""
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
    # After RFC 2544's five seconds there is nothing to say; nor is there anything to wait for.
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
    def gone(counter, interface, netns):
        raise TrafficgenError("the frame counter is gone", on=interface)

    host.add("r0")
    host.read = gone
    outcome = host.run(rx_interface="r0")
    assert outcome.error is None and "the frame counter is gone" in outcome.tree["counters"]["reason"]


def test_a_mac_that_counts_is_waited_for_as_well(host):
    host.add("r0", driver="ixgbe", mac={"tx": None, "rx": MAC, "reason": ""})
    real, counts = host.snapshot, itertools.chain([500, 500, 100500], itertools.repeat(194033))
    host.add_counter = lambda interface, macs, netns: None

    def snapshot(interface, netns=None, **options):
        state = real(interface, netns, **options)
        if interface == "r0":
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
    def refuse(interface, macs, netns=None):
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
    def fail(interface, netns=None):
        raise TrafficgenError("the frame counter could not be removed", on="r0")

    host.add("r0")
    host.remove = fail
    assert host.run(rx_interface="r0").error is None
    told = "The frame counter on r0 is still there, until the next run: r0: the frame counter could not be removed."
    assert told in host.warnings
