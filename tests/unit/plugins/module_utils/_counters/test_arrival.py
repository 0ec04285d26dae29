# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import wait_for_frames
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_clock import Clock


def device(clock, arrivals):
    """A counter of frames that arrive at these times, counted from the last frame sent."""

    def count():
        clock.reads += 1
        clock.now += 0.01  # nft
        return sum(moment <= clock.now for moment in arrivals)

    return count


def wait(arrivals, expected, stop_at=float("inf"), receive_wait=2.0, **options):
    clock = Clock(stop_at)
    clock.reads = 0
    count = device(clock, arrivals)
    arrival = wait_for_frames(
        count, clock, receive_wait=receive_wait, expected=expected, left_at=0.0, clock=clock, **options
    )
    return arrival, count(), clock


def spread(first, last, frames=100):
    return [first + (last - first) * number / (frames - 1) for number in range(frames)]


def test_where_all_is_there_nothing_is_waited_for():
    arrival, counted, clock = wait(spread(-0.5, 0.0), 100)
    assert (arrival.ended, counted, arrival.tree(counted)["late_packets"]) == ("all", 100, 0)
    assert clock.reads == 2 and arrival.waited < 0.02


@pytest.mark.parametrize("delay", [0.1, 0.3, 0.5, 0.6, 1.0, 1.9])
def test_a_device_that_only_delays_loses_nothing(delay):
    """RFC 2544 section 23: wait two seconds for late frames."""
    arrival, counted, _clock = wait(spread(delay - 0.5, delay), 100)
    assert (arrival.ended, counted) == ("all", 100)
    assert delay <= arrival.waited < delay + 0.15
    assert arrival.tree(counted)["late_packets"] == 0


def test_frames_that_come_later_than_that_are_late():
    # They keep coming, each within 2 s of the one before.
    arrival, counted, _clock = wait(spread(1.0, 4.0, 301), 301)
    assert (arrival.ended, counted) == ("all", 301)
    # Frames after 2 s are too late. The counter is read every 0.1 s.
    assert 190 <= arrival.tree(counted)["late_packets"] <= 200


def test_late_is_counted_from_when_the_last_frame_left():
    """It left 1.5 s before the wait began, so that what comes 0.5 s after that is late."""
    clock = Clock(float("inf"))
    clock.reads = 0
    count = device(clock, spread(0.0, 1.0, 101))
    arrival = wait_for_frames(count, clock, receive_wait=2.0, expected=101, left_at=-1.5, clock=clock)
    assert arrival.ended == "all" and 35 <= arrival.tree(count())["late_packets"] <= 50


def test_what_is_lost_costs_the_wait_and_no_more():
    arrival, counted, clock = wait(spread(-0.5, 0.2, 70), 100)
    assert (arrival.ended, counted, arrival.tree(counted)["late_packets"]) == ("quiet", 70, 0)
    assert 2.2 <= arrival.waited < 2.4
    assert clock.reads < 40


def test_nothing_within_two_seconds_is_not_waited_for_any_longer():
    arrival, counted, _clock = wait(spread(2.5, 3.0), 100)
    assert (arrival.ended, counted) == ("quiet", 0)
    assert arrival.waited < 2.2


@pytest.mark.parametrize(("sending", "longest"), [(1.0, 10.0), (30.0, 30.0)])
def test_a_device_that_dribbles_is_not_waited_for_without_end(sending, longest):
    arrival, _counted, _clock = wait([1.5 * number for number in range(1000)], 1000, sending=sending)
    assert arrival.ended == "limit"
    assert longest <= arrival.waited < longest + 0.2


def test_others_frames_at_a_mac_do_not_lengthen_the_wait():
    others = [0.5 * number for number in range(1000)]
    arrival, _counted, _clock = wait(others, 1000, others=10)
    assert arrival.ended == "quiet" and arrival.waited < 2.2
    assert arrival.tree(None)["late_packets"] is None
    # A delayed stream among them does.
    arrival, _counted, _clock = wait(sorted(others + spread(1.0, 3.5)), 107, others=10)
    assert arrival.ended == "all" and 3.4 < arrival.waited < 3.7


def test_told_to_stop_it_waits_for_what_is_on_its_way_through_the_host_only():
    arrival, counted, _clock = wait(spread(-0.5, 1.0), 100, stop_at=0.0)
    assert arrival.ended == "stopped" and 0.3 <= arrival.waited < 0.45 and counted < 100
    arrival, counted, _clock = wait(spread(-0.5, 0.1), 100, stop_at=0.0)
    assert (arrival.ended, counted) == ("all", 100)


def test_no_wait_at_all():
    arrival, _counted, clock = wait(spread(-0.5, 0.3), 100, receive_wait=0.0)
    assert arrival.ended == "quiet" and clock.reads == 2


def test_where_nobody_knows_how_many_left_it_is_quiet_that_ends_it():
    arrival, counted, _clock = wait(spread(0.0, 1.0), None)
    assert (arrival.ended, counted) == ("quiet", 100) and 3.0 <= arrival.waited < 3.3
