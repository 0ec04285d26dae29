# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames arrived when: in tenths of a second, and bounded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.timeline import Timeline

BEGAN = 1_795_928_543 * 10**9
TENTH = 10**8


def test_a_second_without_frames():
    timeline = Timeline()
    for at in (0, 1, TENTH - 1, TENTH, 11 * TENTH):
        timeline.add(BEGAN + at)
    said = timeline.figures()
    assert said["frames"] == [3, 1, *[0] * 9, 1]
    assert (said["interval_seconds"], said["began"]) == (0.1, pytest.approx(BEGAN / 1e9))


def test_nothing_came():
    assert Timeline().figures() is None


def test_an_hour_is_told_in_600_intervals_at_most():
    timeline = Timeline()
    for second in range(3600):
        timeline.add(BEGAN + second * 10**9, 5)
    said = timeline.figures()
    assert len(said["frames"]) <= 600 and sum(said["frames"]) == 18000
    assert said["interval_seconds"] == 6.4
    assert set(said["frames"][:-1]) == {30, 35}


def test_a_frame_that_is_stamped_earlier_than_the_first():
    timeline = Timeline()
    timeline.add(BEGAN)
    timeline.add(BEGAN - 5)
    timeline.add_run(0, 2, [BEGAN - 9, BEGAN - 3].__getitem__)
    assert timeline.figures()["frames"] == [4]


def test_a_run_whose_last_frame_begins_an_interval():
    timeline = Timeline()
    timeline.add_run(0, 3, [BEGAN, BEGAN + TENTH - 1, BEGAN + TENTH].__getitem__)
    assert timeline.figures()["frames"] == [2, 1]


@given(st.lists(st.integers(0, 30 * TENTH), min_size=1, max_size=200), st.data())
def test_runs_are_counted_as_frame_by_frame(gaps, data):
    times, now = [], BEGAN
    for gap in gaps:
        now += gap if gap % 3 else gap % 1000
        times.append(now)
    timeline, at = Timeline(), 0
    while at < len(times):
        some = data.draw(st.integers(1, len(times) - at))
        timeline.add_run(at, some, times.__getitem__)
        at += some
    said = timeline.figures()
    width = round(said["interval_seconds"] * 1e9)
    expected = Counter((time - times[0]) // width for time in times)
    assert said["frames"] == [expected[number] for number in range(max(expected) + 1)]
