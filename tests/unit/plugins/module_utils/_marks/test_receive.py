# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marked frames over a veth: what the socket takes, what is told of them, and that it ends."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.frames import read_block
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import short_sum
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import (
    Expected,
    read_expected,
    receive,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.ring import MarkRing
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._marks.made import TCP, UDP, frames, marks


def received(wire, some, expected, **options):
    """What the receiver tells of frames that are sent as soon as it listens."""
    interface, send, ready = wire

    def when_ready():
        while not ready.exists():
            time.sleep(0.005)
        send(some)

    thread = threading.Thread(target=when_ready)
    thread.start()
    options = {"duration": 10.0, "idle": 0.3, "ring_mb": 4, "ready_file": str(ready), **options}
    told = receive(interface, expected, **options)
    thread.join()
    assert not ready.exists()
    return told


@pytest.mark.parametrize("spec", [UDP, TCP], ids=["long", "short"])
def test_30_percent_lost_and_30_percent_doubled_ten_times_of_ten(wire, spec):
    some = frames({**spec, "count": 1000})
    damaged = [frame for n, frame in enumerate(some) for _copy in range(0 if n % 10 < 3 else 2 if n % 10 > 6 else 1)]
    for _time in range(10):
        told = received(wire, damaged, read_expected(marks(1000), 1), idle=0.1)
        assert (told["sent"], told["arrived"], told["lost"], told["duplicates"]) == (1000, 1000, 300, 300)
        assert (told["reordered"], told["socket_drops"], told["notes"]) == (0, 0, [])
        assert told["streams"][0]["replicated_packet_rate"] == pytest.approx(300 / 700)


STACKS = {
    "UDP": ["Ether", "IP", "UDP"],
    "TCP, short marks": ["Ether", "IP", "TCP"],
    "a VLAN": ["Ether", {"Dot1Q": {"vlan": 5}}, "IP", "UDP"],
    "a VLAN in another": ["Ether", {"Dot1AD": {"vlan": 5}}, {"Dot1Q": {"vlan": 6}}, "IP", "UDP"],
    "IPv6 in a VLAN in another": ["Ether", {"Dot1Q": {"vlan": 5}}, {"Dot1Q": {"vlan": 6}}, "IPv6", "UDP"],
    "IPv6": ["Ether", "IPv6", "UDP"],
    "no IP": [{"Ether": {"type": "0x88b5"}}],
    "a tunnel": ["Ether", "IP", {"UDP": {"dport": 2152}}, {"GTP_U_Header": {"teid": 1}}, "IP", "UDP"],
    "MPLS": [{"Ether": {"type": "0x8847"}}, {"MPLS": {"label": 16}}, "IP", "UDP"],
}


@pytest.mark.parametrize("name", STACKS)
def test_marks_behind_any_headers_from_any_address(wire, name):
    layers = [{"Ether": {"dst": "02:00:00:00:77:77"}} if one == "Ether" else one for one in STACKS[name]]
    size = 64 if name == "TCP, short marks" else 150
    told = received(wire, frames({"layers": layers, "size": size, "count": 30}), read_expected(marks(30), 1))
    assert (told["received"], told["missing"], told["ended_by"], told["notes"]) == (30, 0, "all", [])


def test_the_kernel_s_filter_adds_up_short_marks_as_the_layout_says(wire):
    """Also where the sum of the three words is above 16 bits."""
    small = next(test for test in range(100_000) if short_sum(test) < 100)
    told = received(wire, frames({**TCP, "count": 300}, test=small), read_expected(marks(300, test=small), 1))
    assert told["received"] == 300


def test_what_the_device_padded_at_the_end(wire):
    padded = [frame + bytes(6) for frame in frames({**UDP, "count": 30})]
    assert received(wire, padded, read_expected(marks(30), 1))["received"] == 30


def test_several_streams_late_and_reordered(wire):
    some = frames({**UDP, "count": 100, "weight": 1}, {**TCP, "count": 100, "weight": 1})
    some.append(some.pop(40))
    told = received(wire, some, read_expected(marks(100, 100), 1))
    first, second = told["streams"]
    assert (first["reordered"], first["largest_extent"], second["reordered"]) == (1, 79, 0)
    assert first["largest_late_seconds"] > 0
    assert (told["lost"], told["lost_ratio"]) == (0, 0.0)


def test_three_passes_that_are_numbered(wire):
    """Each stream's own number of frames is that of all passes."""
    told = received(wire, frames({**UDP, "count": 300})[:290], read_expected(marks(100), 3, True))
    assert (told["sent"], told["lost"], told["streams"][0]["sent"]) == (300, 10, 300)
    assert (told["streams"][0]["lost"], told["streams"][0]["missing_at_end"]) == (10, 10)


def test_what_is_not_the_test_s_is_told_and_not_counted(wire):
    own, foreign = frames({**UDP, "count": 50}), frames({**UDP, "count": 20}, test=8)
    altered = [frame[:-3] + bytes([frame[-3] ^ 1]) + frame[-2:] for frame in own[:5]]
    bare = frames({**UDP, "count": 9}, test=None)
    more = frames({**UDP, "count": 60})[50:]
    told = received(wire, [*altered, *foreign, *bare, *more, *own[5:]], read_expected(marks(50), 1))
    assert (told["received"], told["missing"], told["altered"], told["unexpected"]) == (45, 5, 5, 10)
    # The five have arrived, though nobody can tell which ones they are.
    assert (told["lost"], told["lost_at_least"]) == (None, 0)
    assert told["foreign"] == [{"test": 8, "packets": 20}]
    said = " ".join(told["notes"])
    assert "20 of test 8" in said and "5 marks were altered" in said and "10 frames have a stream" in said


def test_no_marks_at_all(wire):
    bare = frames({**UDP, "count": 9}, test=None)
    told = received(wire, bare, read_expected(marks(9), 1), duration=0.6)
    assert (told["received"], told["ended_by"], told["interface_packets"]) == (0, "duration", 9)
    assert told["lost"] == 9
    assert "counted 9 frames in all" in told["notes"][0]


def test_without_the_marks_of_the_pcap(wire):
    some = frames({**UDP, "count": 50}, {**UDP, "count": 30})
    told = received(wire, [*some[:20], *some[25:]], Expected(7))
    assert (told["sent"], told["received"], told["missing"], told["ended_by"]) == (None, 75, 5, "idle")
    assert [one["received"] for one in told["streams"]] == [45, 30]


def test_it_ends_although_frames_still_come(wire):
    some = frames({**UDP, "count": 50})
    stop = threading.Event()

    def on_and_on():
        while not stop.is_set():
            wire[1](some)
            time.sleep(0.01)

    thread = threading.Thread(target=on_and_on)
    thread.start()
    try:
        start = time.monotonic()
        told = receive(wire[0], read_expected(marks(50), 1000), duration=0.7, idle=0.3, ring_mb=1, ready_file=None)
        assert time.monotonic() - start < 3
    finally:
        stop.set()
        thread.join()
    assert (told["ended_by"], told["lost"]) == ("duration", None)
    assert told["missing"] > 0 and "Frames still came" in told["notes"][0]


def test_an_interface_that_is_set_down(wire):
    interface = wire[0]
    down = threading.Timer(
        0.3, subprocess.run, [["ip", "-n", interface.netns, "link", "set", "tga1", "down"]], {"check": True}
    )
    down.start()
    told = receive(interface, Expected(7), duration=10.0, idle=5.0, ring_mb=1, ready_file=None)
    down.join()
    assert (told["ended_by"], told["seconds"] < 5) == ("interface_down", True)


def test_what_its_own_socket_dropped_is_not_lost_on_the_way(wire):
    """A ring of 1 MB that nobody reads is full after some thousand frames."""
    interface, send, _ready = wire
    ring = MarkRing(interface, 7, 1)
    try:
        send(frames({**UDP, "count": 20_000}))
        read = sum(run.frames for at, packets in ring.blocks() for run in read_block(ring.memory, at, packets, 7))
        assert 0 < read < 20_000
        # The block that was being filled has been handed over by now, and what is in it is not dropped.
        time.sleep(0.05)
        read += sum(run.frames for at, packets in ring.blocks() for run in read_block(ring.memory, at, packets, 7))
        assert ring.drops() == ring.drops() == 20_000 - read
    finally:
        ring.close()


def test_a_block_is_read_once_where_its_reader_goes_on_no_further(wire):
    interface, send, _ready = wire
    ring = MarkRing(interface, 7, 1)
    try:
        send(frames({**UDP, "count": 100}))
        time.sleep(0.1)
        blocks = ring.blocks()
        _at, packets = next(blocks)
        blocks.close()
        assert packets + sum(more for _at, more in ring.blocks()) == 100
    finally:
        ring.close()


def test_dropped_frames_make_the_loss_unknown(wire, monkeypatch):
    monkeypatch.setattr(MarkRing, "drops", lambda ring: 3)
    told = received(wire, frames({**UDP, "count": 50})[:40], read_expected(marks(50), 1))
    assert (told["missing"], told["lost"], told["lost_ratio"], told["lost_at_least"]) == (10, None, None, 7)
    assert told["streams"][0]["lost"] is None
    assert "dropped 3 frames" in told["notes"][0]


@pytest.mark.parametrize("spec", [UDP, TCP], ids=["long", "short"])
def test_a_count_of_a_test_s_frames_of_any_size(wire, spec):
    """Of 20,000 frames that nobody reads none is missed, and no other test's is counted."""
    some = frames({**spec, "size": [64, 1500], "count": 20_000})
    foreign, bare = frames({**UDP, "count": 30}, test=8), frames({**spec, "count": 9}, test=None)
    told = received(wire, [*foreign, *bare, *some], read_expected(marks(20_000), 1), count_only=True, idle=5.0)
    assert (told["sent"], told["arrived"], told["ended_by"]) == (20_000, 20_000, "all")
    assert {told[name] for name in ("received", "missing", "lost", "duplicates", "reordered", "foreign")} == {None}
    assert (told["streams"], told["notes"], told["interface_packets"]) == ([], [], 20_039)


def test_a_count_ends(wire):
    some = frames({**UDP, "count": 50})
    told = received(wire, some[:40], read_expected(marks(50), 1), count_only=True)
    assert (told["sent"], told["arrived"], told["ended_by"]) == (50, 40, "idle")
    told = received(wire, some, Expected(8), count_only=True, duration=0.5)
    assert (told["sent"], told["arrived"], told["ended_by"]) == (None, 0, "duration")
    assert "counted 50 frames in all" in told["notes"][0]


def test_the_interface_is_promiscuous_no_longer_than_it_listens(wire):
    interface = wire[0]

    def promiscuity():
        said = subprocess.run(
            ["ip", "-n", interface.netns, "-d", "link", "show", "tga1"], check=True, capture_output=True, text=True
        )
        return "promiscuity 1" in said.stdout

    ring = MarkRing(interface, 7, 1)
    assert promiscuity()
    ring.close()
    assert not promiscuity()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": 1e9}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"idle": -1.0}, "idle"),
        ({"ring_mb": 0}, "ring_mb"),
        ({"ready_file": "/no/such/folder/x"}, "ready_file"),
    ],
)
def test_options_out_of_range(wire, options, wrong):
    options = {"duration": 1.0, "idle": 0.1, "ring_mb": 1, "ready_file": None, **options}
    with pytest.raises(TrafficgenError, match=wrong):
        receive(wire[0], Expected(7), **options)


def test_a_file_that_is_there_is_left_alone(wire):
    interface, _send, ready = wire
    ready.write_text("kept")
    with pytest.raises(TrafficgenError, match="is there already"):
        receive(interface, Expected(7), duration=1.0, idle=0.1, ring_mb=1, ready_file=str(ready))
    assert ready.read_text() == "kept"


@pytest.mark.parametrize(
    "wrong", [{}, {"test": 7}, {"test": -1, "streams": []}, {"test": 7, "streams": [{"stream": 0, "marked": "x"}]}]
)
def test_marks_that_pcap_did_not_return(wrong):
    with pytest.raises(TrafficgenError, match="marks"):
        read_expected(wrong, 1)
