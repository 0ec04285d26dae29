# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When frames are due, and how many go at once."""

from __future__ import annotations

from array import array

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.feed import Turn
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.load import Block
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.schedule import Schedule

from .conftest import a_stream


def schedule(indexes=(), *, times=None, first_index=0, first_time=0.0, **settings):
    made = Schedule(a_stream([], **settings))
    block = Block(memoryview(b""), array("Q"), indexes, times, 0)
    made.begin(Turn(block, len(times or indexes), first_index, first_time))
    return made


@pytest.mark.parametrize(
    ("elapsed", "due"), [(0.0, 1), (0.0009, 1), (0.0011, 2), (0.1005, 101), (0.9995, 1000), (7.0, 1000)]
)
def test_frame_k_is_due_at_k_times_the_interval(elapsed, due):
    assert schedule(range(1000), pps=1000.0).due(0, elapsed) == due
    assert schedule(range(5000, 6000), pps=1000.0).due(0, 5 + elapsed) == due
    assert schedule(range(1000), pps=1000.0, first_index=5000).due(0, 5 + elapsed) == due


def test_a_worker_s_frames_are_due_when_the_stream_s_are():
    second = schedule(range(1, 100, 2), pps=1000.0, workers=2)
    assert [second.due(0, at) for at in (0.0, 0.00101, 0.0029, 0.00301)] == [0, 1, 1, 2]
    assert second.when(3) == pytest.approx(0.007)


def test_recorded_times():
    made = schedule(times=array("d", [0.0, 0.5, 0.5, 2.0]), first_time=10.0, multiplier=1.0)
    assert [made.due(0, at) for at in (9.9, 10.0, 10.5, 11.9, 12.0)] == [0, 1, 3, 3, 4]
    assert made.when(3) == 12.0


@pytest.mark.parametrize(
    ("settings", "burst"),
    [
        ({"pps": 10.0}, 1),
        ({"pps": 100_000.0}, 20),
        ({"pps": 100_000.0, "workers": 2}, 10),
        ({"pps": 5e6}, 512),
        ({}, 512),
        ({"pps": 5e6, "burst": 3}, 3),
    ],
)
def test_the_burst_by_default(settings, burst):
    assert schedule(range(1), **settings).burst == burst


def test_what_it_is_behind_goes_in_bursts_at_four_times_the_rate():
    behind = schedule(range(1000), pps=1000.0, burst=4)
    assert behind.allowed(0, behind.due(0, 0.1), 0.1) == 4  # after a tenth of a second in which it did not run
    assert behind.largest_backlog == 101
    assert behind.behind == pytest.approx(0.1)
    assert behind.allowed(4, behind.due(4, 0.1005), 0.1005) == 0
    assert behind.next_look(4, 97) == pytest.approx(0.101)
    assert behind.allowed(4, behind.due(4, 0.101), 0.101) == 4
    assert behind.largest_backlog == 101


def test_on_time_it_is_not_behind():
    made = schedule(range(1000), pps=1000.0)
    for number in range(1000):
        moment = number / 1000 + 0.0001
        assert made.allowed(number, made.due(number, moment), moment) == 1
    assert (made.behind, made.largest_backlog) == (0.0, 1)


def test_a_backlog_of_more_than_the_block():
    behind = schedule(range(10), pps=1000.0)
    behind.allowed(0, behind.due(0, 0.5), 0.5)
    assert behind.largest_backlog == pytest.approx(501, abs=1)
