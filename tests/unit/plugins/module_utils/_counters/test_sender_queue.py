# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.sender_queue import Queue, wait_until_left
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_clock import Clock


class Shaper:
    """A queue that lets this many frames a second through, from 0 s on."""

    def __init__(self, clock, waiting, rate, sent=0, counter=True):
        self.clock, self.waiting, self.rate, self.sent, self.counter = clock, waiting, rate, sent, counter

    @property
    def gone(self):
        return min(self.waiting, int(self.clock.now * self.rate))

    def look(self):
        self.clock.now += 0.04  # ip, ethtool
        return self.sent + self.gone if self.counter else None

    def queue(self):
        return Queue(self.waiting - self.gone, "tbf")


def wait(waiting, rate, claimed, until=60.0, stop_at=float("inf"), **shaper):
    clock = Clock(stop_at)
    shape = Shaper(clock, waiting, rate, **shaper)
    return wait_until_left(shape.look, shape.queue, clock, claimed=claimed, until=until, clock=clock), clock.now


def test_where_all_has_left_nothing_is_waited_for():
    assert wait(0, 1, 1000, sent=1000) == (None, 0.04)


def test_a_shaper_is_waited_for():
    # The case: 125 of 1000 frames of 60 bytes wait in a tbf of 1 Mbit/s, which sends 2083 a second.
    left, seconds = wait(125, 2083, 1000, sent=875)
    assert left is None and seconds < 0.3
    left, seconds = wait(1000, 50, 1000)
    assert left is None and 20 <= seconds < 20.3


def test_without_a_counter_the_queue_tells():
    left, seconds = wait(100, 50, 1000, counter=False)
    assert left is None and 2 <= seconds < 2.3


def test_a_queue_that_does_not_move_is_told():
    left, seconds = wait(125, 0, 1000, sent=875)
    assert left == Queue(125, "tbf") and 2 <= seconds < 2.3


def test_it_ends_with_the_time_of_the_run():
    left, seconds = wait(1000, 50, 1000, until=5.0)
    assert left is not None and 740 < left.frames <= 750 and 5 <= seconds < 5.3


def test_it_ends_when_it_is_told_to_stop():
    assert wait(1000, 50, 1000, stop_at=0.0)[1] < 0.1


def test_fewer_counted_than_claimed_and_nothing_in_the_queue_is_looked_at_twice():
    left, seconds = wait(0, 0, 1000, sent=800)
    assert left is None and seconds < 0.3
