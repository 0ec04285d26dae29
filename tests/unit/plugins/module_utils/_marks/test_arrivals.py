# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of numbers that arrive: examples like those of RFC 4737, and the same by the definitions of RFC 4737 and
RFC 5560."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import arrivals as arrivals_module
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.arrivals import Arrivals, Copies
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.timeline import Timeline

MS = 1_000_000


def told(numbers, *, times=None, marked=None, passes=1, timeline=None):
    arrivals = Arrivals(marked, passes, timeline)
    for index, number in enumerate(numbers):
        arrivals.arrive(number, times[index] if times else 10**18 + index * MS)
    return arrivals.figures()


def from_one(numbers):
    """RFC 4737 counts from 1."""
    return [number - 1 for number in numbers]


# The cases of RFC 4737's section 7: the order of arrival, how many are reordered, and the largest extent. That these
# follow from the definitions is tested below.
RFC4737 = {
    "packet 4": ([1, 2, 3, 5, 6, 7, 8, 4, 9, 10], 1, 4),
    "packets 5 and 6": ([1, 2, 3, 4, 7, 5, 6, 8, 9, 10], 2, 2),
    "packets 4, 5 and 6": ([1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11], 3, 6),
}


@pytest.mark.parametrize("name", RFC4737)
def test_one_two_and_three_reordered(name):
    numbers, reordered, extent = RFC4737[name]
    said = told(from_one(numbers), marked=len(numbers))
    assert (said["reordered"], said["largest_extent"]) == (reordered, extent)
    assert said["reordered_ratio"] == pytest.approx(reordered / len(numbers))
    assert (said["missing"], said["duplicates"]) == (0, 0)


def test_the_late_time_of_rfc_4737():
    """Packet 4 comes 4 ms after packet 5, the first with a higher number."""
    assert told(from_one(RFC4737["packet 4"][0]))["largest_late_seconds"] == pytest.approx(0.004)


def test_copies_are_not_reordered_again():
    """RFC 4737, section 3: only the first copy is looked at."""
    said = told(from_one([1, 2, 4, 3, 3, 1, 5]))
    assert (said["reordered"], said["duplicates"], said["received"], said["largest_extent"]) == (1, 2, 5, 1)


def test_duplicates_of_rfc_5560():
    """Of ten packets sent one is lost, one comes twice, one three times: three copies too many of nine packets, two of
    them replicated."""
    said = told([0, 1, 1, 2, 3, 4, 5, 5, 5, 6, 7, 8], marked=10)
    assert (said["arrived"], said["received"], said["missing"], said["duplicates"]) == (12, 9, 1, 3)
    assert said["duplication_fraction"] == pytest.approx(3 / 9)
    assert said["replicated_packet_rate"] == pytest.approx(2 / 9)


def test_30_percent_lost_and_30_percent_doubled():
    numbers = [n for n in range(1000) for _copy in range(0 if n % 10 < 3 else 2 if n % 10 > 6 else 1)]
    timeline = Timeline()
    said = told(numbers, marked=1000, timeline=timeline)
    assert (said["arrived"], said["received"], said["missing"], said["duplicates"]) == (1000, 700, 300, 300)
    assert sum(timeline.figures()["frames"]) == 700  # copies are not in it
    assert said["reordered"] == 0


def test_the_longest_gap_and_what_is_missing_in_it():
    numbers = [0, 1, 2, 10, 11, 12, 20, 21]
    times = [10**18 + ms * MS for ms in (0, 1, 2, 60, 61, 62, 72, 73)]
    gap = told(numbers, times=times)["longest_gap"]
    assert (gap["seconds"], gap["missing"]) == (pytest.approx(0.058), 7)
    # A frame that comes later after all is not missing.
    gap = told([*numbers, 5], times=[*times, 10**18 + 80 * MS])["longest_gap"]
    assert (gap["seconds"], gap["missing"]) == (pytest.approx(0.058), 6)


def test_times_out_of_order_make_no_gap():
    """Two CPUs take frames: the third frame's time is before the second's, and the fourth came 6 ms after that."""
    said = told([0, 1, 2, 3], times=[10**18 + ms * MS for ms in (0, 10, 5, 16)])
    assert said["longest_gap"]["seconds"] == pytest.approx(0.010)
    assert said["last_arrival"] == pytest.approx(10**9 + 0.016)


@pytest.mark.parametrize("at", [1, 2, 50, 98, 99])
def test_a_gap_in_which_nothing_is_missing(at):
    times = [10**18 + n * MS + (30 * MS if n >= at else 0) for n in range(100)]
    arrivals = Arrivals()
    arrivals.arrive_in_sequence(0, 100, times.__getitem__)
    gap = arrivals.figures()["longest_gap"]
    assert (gap["seconds"], gap["missing"]) == (pytest.approx(0.031), 0)
    assert gap["began"] == pytest.approx(times[at - 1] / 1e9)


def test_nothing_and_one():
    said = told([], marked=5)
    assert (said["missing"], said["longest_gap"], said["duplication_fraction"], said["first_arrival"]) == (
        5,
        None,
        None,
        None,
    )
    said = told([3])
    assert (said["received"], said["missing"], said["longest_gap"]) == (1, 3, None)


def test_a_number_that_no_frame_has():
    said = told([0, 1, 2, 9, 3], marked=4)
    assert (said["received"], said["missing"], said["unexpected"]) == (4, 0, 1)


def test_several_passes_of_one_file():
    said = told([*range(100), *range(40), *range(50, 100), *range(100)], marked=100, passes=3)
    assert (said["sent"], said["received"], said["missing"], said["duplicates"], said["reordered"]) == (
        300,
        290,
        10,
        0,
        0,
    )
    assert said["longest_gap"]["missing"] in (0, 10)


def test_a_frame_of_the_pass_before_is_late_not_a_copy():
    numbers = [*range(99), 0, 1, 99, *range(2, 100)]
    said = told(numbers, marked=100, passes=2)
    assert (said["missing"], said["duplicates"], said["reordered"], said["largest_extent"]) == (0, 0, 1, 2)


@pytest.mark.parametrize(("lost", "reads_right"), [(32_255, True), (32_256, False)])
def test_the_longest_loss_in_a_row_that_passes_allow(lost, reads_right):
    """docs/marks.md, for the port scan of 64,511 frames."""
    arrivals = Arrivals(64_511, 2)
    arrivals.arrive_in_sequence(0, 64_511, lambda later: 10**18 + later * MS)
    arrivals.arrive_in_sequence(lost, 64_511 - lost, lambda later: 10**18 + (64_511 + later) * MS)
    said = arrivals.figures()
    assert (said["missing"] == lost, said["duplicates"] == 0) == (reads_right, reads_right)


@pytest.mark.parametrize(("behind", "copies"), [(3, 0), (4, 1)])
def test_how_late_a_frame_of_another_pass_may_be(behind, copies):
    """Of seven: the last of the first pass comes when the number expected next is so many above it."""
    numbers = [*range(6), *range(behind - 1), 6, *range(behind - 1, 7)]
    said = told(numbers, marked=7, passes=2)
    assert (said["missing"], said["duplicates"]) == (copies, copies)


def test_a_copy_after_the_last_pass_is_of_that():
    said = told([*range(10), *range(10), 0], marked=10, passes=2)
    assert (said["received"], said["missing"], said["duplicates"]) == (20, 0, 1)


def test_what_is_missing_at_the_end_is_not_what_is_missing_before():
    said = told([0, 1, 5, 6], marked=10)
    assert (said["missing"], said["missing_at_end"]) == (6, 3)


def test_what_passes_cannot_tell():
    """A whole pass that is gone is missing in the sum, and told as such, whichever it was."""
    assert told([*range(100)] * 2, marked=100, passes=3)["missing"] == 100


@settings(max_examples=150, deadline=None)
@given(numbers=st.lists(st.integers(0, 40), max_size=60), cuts=st.lists(st.integers(1, 8), max_size=60))
def test_by_the_definitions(numbers, cuts):
    """RFC 4737's and RFC 5560's definitions written down as they stand, and the same frames handed over in runs."""
    first = list(dict.fromkeys(numbers))
    extents = [
        index - min(j for j in range(index) if first[j] > number)
        for index, number in enumerate(first)
        if any(before > number for before in first[:index])
    ]
    said = told(numbers)
    assert (said["reordered"], said["largest_extent"]) == (len(extents), max(extents, default=0))
    copies = Counter(numbers)
    assert said["duplicates"] == sum(copies.values()) - len(copies)
    assert said["missing"] == max(numbers, default=-1) + 1 - len(copies)

    arrivals, at = Arrivals(), 0
    times = [10**18 + index * index * MS for index in range(len(numbers))]
    for cut in [*cuts, *[1] * len(numbers)]:
        run = 1
        while at + run < len(numbers) and run < cut and numbers[at + run] == numbers[at] + run:
            run += 1
        if at < len(numbers):
            arrivals.arrive_in_sequence(numbers[at], run, lambda later, at=at: times[at + later])
            at += run
    assert arrivals.figures() == told(numbers, times=times)


def test_a_run_beyond_the_last_number():
    arrivals = Arrivals(10)
    arrivals.arrive_in_sequence(0, 12, lambda later: 10**18 + later * MS)
    said = arrivals.figures()
    assert (said["received"], said["unexpected"], said["missing"]) == (10, 2, 0)


@pytest.mark.parametrize(("late", "known"), [(1, False), (23, False), (25, True), (39, True)])
def test_how_late_a_frame_is_behind_too_many_gaps(monkeypatch, late, known):
    """Every second one is lost, and one of those comes at the end. The memory for it is bounded."""
    numbers = [*range(0, 42, 2), late]
    right = told(numbers)
    monkeypatch.setattr(arrivals_module, "_MOST_JUMPS", 12)
    said = told(numbers)
    unknown = {} if known else {"largest_extent": None, "largest_late_seconds": None}
    assert said == {**right, **unknown}
    assert (right["reordered"], right["largest_extent"]) == (1, (41 - late) // 2)


def test_runs_over_several_passes():
    arrivals = Arrivals(100, 3)
    arrivals.arrive_in_sequence(0, 100, lambda later: 10**18 + later * MS)
    arrivals.arrive_in_sequence(0, 60, lambda later: 10**18 + (100 + later) * MS)
    arrivals.arrive_in_sequence(60, 40, lambda later: 10**18 + (160 + later) * MS)
    said = arrivals.figures()
    assert (said["received"], said["missing"], said["duplicates"], said["reordered"]) == (200, 100, 0, 0)
    assert said["longest_gap"]["seconds"] == pytest.approx(0.001)


def test_copies_over_a_chunk_s_edge():
    copies = Copies()
    copies.add_once(65_000, 1000)
    copies.add_once(0, 65_000)
    assert copies.missing(0, 200_000) == 200_000 - 66_000
    assert [copies.add(number) for number in (10, 10, 65_535, 66_000)] == [1, 2, 1, 0]
    assert copies.missing(0, 66_001) == 0
