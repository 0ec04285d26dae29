# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver in the background, over a real veth: what it tells, and that it always ends."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import background
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import read_expected
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._marks.made import UDP, frames, marks


@pytest.fixture
def started():
    """Starts receivers, and ends those that are left."""
    processes = []

    def start(interface, marked, *, duration=20.0, count_only=False, passes=None, numbered=False):
        expected = read_expected(marked, passes, numbered)
        said = background.start(interface, expected, duration=duration, ring_mb=4, count_only=count_only)
        processes.append(said["process"])
        return said["receiver"]

    yield start
    for process in processes:
        # Where it is the test's own child, nobody else takes its status.
        until = time.monotonic() + 25
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            assert time.monotonic() < until, "it has not ended"
            time.sleep(0.01)


def test_it_tells_what_came_of_what_was_sent_and_ends(wire, started):
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    send([*frames({**UDP, "count": 100}) * 2][:150])
    began = time.monotonic()
    told = background.ask(receiver, 150, 2.0)
    assert time.monotonic() - began < 1.5  # all have come: it does not wait for more
    assert (told["sent"], told["received"], told["lost"], told["ended_by"]) == (150, 150, 0, "all")
    assert told["streams"][0]["sent"] == 150
    assert sum(told["timeline"]["frames"]) == 150
    with pytest.raises(TrafficgenError, match="did not answer"):
        background.ask(receiver, 150, 0.1)


def test_what_is_missing_is_waited_for(wire, started):
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    send(frames({**UDP, "count": 100})[:90])
    began = time.monotonic()
    told = background.ask(receiver, 100, 0.5)
    assert 0.5 <= time.monotonic() - began < 3
    assert (told["lost"], told["lost_ratio"], told["ended_by"]) == (10, 0.1, "idle")


def test_the_wait_for_late_frames_begins_with_the_last_that_came(wire, started):
    """Though the sender was ready long before: a device holds them back."""
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    some = frames({**UDP, "count": 100})
    send(some[:50])
    later = threading.Timer(0.5, send, [some[50:99]])
    later.start()
    told = background.ask(receiver, 100, 2.0, 60.0)
    later.join()
    assert (told["received"], told["lost"], told["ended_by"]) == (99, 1, "idle")


def test_the_wait_has_begun_when_the_last_frame_was_sent(wire, started):
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    send(frames({**UDP, "count": 100})[:90])
    time.sleep(1.5)
    began = time.monotonic()
    told = background.ask(receiver, 100, 2.5, 1.5)
    assert told["lost"] == 10 and time.monotonic() - began < 2.4


def test_frames_that_still_come_when_its_time_is_over(wire, started):
    """What is missing then may only be late."""
    interface, send, _ready = wire
    receiver = started(interface, marks(1000), duration=1.0)
    over = threading.Event()

    def trickle():
        for frame in frames({**UDP, "count": 1000})[:900]:
            send([frame])
            if over.wait(0.01):
                return

    sender = threading.Thread(target=trickle)
    sender.start()
    told = background.ask(receiver, 1000, 5.0)
    over.set()
    sender.join()
    assert (told["ended_by"], told["lost"], told["lost_at_least"]) == ("duration", None, 0)
    assert "Frames still came" in told["notes"][0]


def test_nothing_came_and_nothing_was_sent(wire, started):
    interface, _send, _ready = wire
    assert background.ask(started(interface, marks(100)), 0, 0.2)["lost"] == 0
    told = background.ask(started(interface, marks(100)), 40, 0.2)
    assert (told["lost"], told["timeline"]) == (40, None)
    assert "No frame with a mark of test 7 arrived" in told["notes"][0]


def test_frames_without_a_mark_in_the_middle_of_a_pass(wire, started):
    """How many of the last, broken pass are marked is not known."""
    interface, send, _ready = wire
    some = frames({**UDP, "count": 100})
    receiver = started(interface, marks(100, unmarked=100))
    send([*some, *some])
    told = background.ask(receiver, 400, 0.3)
    assert (told["sent"], told["lost"]) == (200, 0)
    receiver = started(interface, marks(100, unmarked=100))
    send([*some, *some[:-10]])
    told = background.ask(receiver, 395, 0.3)
    assert (told["sent"], told["received"], told["lost"]) == (None, 190, 0)


def test_several_streams_in_the_middle_of_a_pass(wire, started):
    interface, send, _ready = wire
    some = frames({**UDP, "count": 50, "weight": 1}, {**UDP, "count": 50, "weight": 1})
    receiver = started(interface, marks(50, 50))
    send([*some, *some[:20]])
    told = background.ask(receiver, 130, 0.3)
    assert (told["sent"], told["received"], told["lost"]) == (130, 120, 10)
    assert [one["sent"] for one in told["streams"]] == [None, None]


def test_the_sender_s_count_takes_the_place_of_the_passes(wire, started):
    """Of the second, broken pass nobody knows which stream has how many."""
    interface, send, _ready = wire
    some = frames({**UDP, "count": 50, "weight": 1}, {**UDP, "count": 50, "weight": 1})
    receiver = started(interface, marks(50, 50), passes=1, numbered=True)
    send(some)
    told = background.ask(receiver, 120, 0.3)
    assert (told["sent"], told["lost"]) == (120, 20)
    assert [(one["sent"], one["missing_at_end"]) for one in told["streams"]] == [(None, None)] * 2
    receiver = started(interface, marks(100, unmarked=100), passes=1)
    told = background.ask(receiver, 250, 0.3)
    assert (told["sent"], told["lost_ratio"]) == (None, None)


def test_more_came_than_was_sent(wire, started):
    """As of a sender that was interrupted, and has counted one less; or of two. What is too much of one stream does not
    stand for what another one lost."""
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    send(frames({**UDP, "count": 100}))
    told = background.ask(receiver, 99, 0.3)
    assert (told["received"], told["missing"], told["lost"], told["lost_at_least"]) == (100, 0, None, 0)
    assert (told["streams"][0]["missing"], told["streams"][0]["missing_at_end"]) == (0, 0)
    assert "More frames arrived than were sent, by 1" in told["notes"][0]

    streams = {**UDP, "count": 50, "weight": 1}, {**UDP, "count": 50, "weight": 1}
    receiver = started(interface, marks(50, 50))
    send([*frames(*streams), *frames(*streams)[:40]])
    told = background.ask(receiver, 130, 0.3)  # in the middle of a pass, where it is not known of which stream
    assert (told["received"], told["missing"], told["lost"]) == (140, 0, None)

    receiver = started(interface, marks(50, 50))
    both = frames(*streams)
    send([*both[0::2][:40], *both[1::2], *both[1::2][:10]])  # a whole pass of ten of the second's, to all appearances
    told = background.ask(receiver, 100, 0.3)
    assert (told["arrived"], told["received"], told["missing"]) == (100, 100, 10)
    assert (told["lost"], told["lost_at_least"]) == (None, 0)


def test_the_kernel_s_count(wire, started):
    interface, send, _ready = wire
    receiver = started(interface, marks(100), count_only=True)
    send(frames({**UDP, "count": 100}) * 3)
    told = background.ask(receiver, 300, 0.5)
    assert (told["sent"], told["arrived"], told["lost"], told["count_only"]) == (300, 300, None, True)
    assert sum(told["timeline"]["frames"]) == 300


def test_it_ends_after_its_time_if_nobody_asks(wire, started):
    interface, _send, _ready = wire
    receiver = started(interface, marks(100), duration=0.3)
    time.sleep(0.5)
    with pytest.raises(TrafficgenError, match=r"did not answer.*Did its duration end"):
        background.ask(receiver, 0, 0.1)


def test_an_interface_that_is_gone(wire, started, netns):
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    send(frames({**UDP, "count": 100})[:30])
    time.sleep(0.1)
    subprocess.run(["ip", "-n", netns, "link", "del", "tga1"], check=True)
    told = background.ask(receiver, 100, 0.2)
    assert (told["received"], told["interface_packets"], told["ended_by"]) == (30, None, "interface_down")
    # What was sent after that has found nobody.
    assert (told["missing"], told["lost"], told["lost_ratio"], told["lost_at_least"]) == (70, None, None, 0)
    assert "went down or away while it listened" in told["notes"][0]


def test_more_is_sent_than_was_expected(wire, started):
    """All of a pass has come when the second one begins, and the sender's own count goes before."""
    interface, send, _ready = wire
    receiver = started(interface, marks(100), passes=1, numbered=True)
    both = frames({**UDP, "count": 200})
    send(both[:100])
    time.sleep(0.3)
    send(both[100:])
    told = background.ask(receiver, 200, 0.3)
    assert (told["sent"], told["received"], told["lost"], told["ended_by"]) == (200, 200, 0, "all")


def test_another_name_than_a_receiver_s():
    with pytest.raises(TrafficgenError, match="Give what started returned"):
        background.ask("../run", 0, 0.1)


def test_who_hangs_up_does_not_end_it(wire, started):
    interface, send, _ready = wire
    receiver = started(interface, marks(100))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(f"\0trafficgen-marks-{receiver}")
    send(frames({**UDP, "count": 100}))
    assert background.ask(receiver, 100, 0.3)["lost"] == 0


def test_numbers_that_go_on_from_pass_to_pass(wire, started):
    """More than half a pass is lost in a row, which a repeated file could not tell."""
    interface, send, _ready = wire
    receiver = started(interface, marks(100), numbered=True)
    long = frames({**UDP, "count": 300})
    send(long[:20])
    time.sleep(0.05)
    send(long[180:290])
    told = background.ask(receiver, 290, 0.3)
    assert (told["sent"], told["received"], told["lost"], told["duplicates"]) == (290, 130, 160, 0)
    assert told["streams"][0]["longest_gap"]["missing"] == 160
