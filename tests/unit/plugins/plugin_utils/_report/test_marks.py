# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's part on what the marks told."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.marks import TITLE
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import (
    left_out,
    load,
    table_of,
)


def changed(**of_marks):
    result = load("marks")
    for trial in result["trials"]:
        trial["marks"].update(of_marks)
    return result


def section_of(result):
    return next((section for section in page(result).sections if section.title == TITLE), None)


def test_a_result_without_marks_has_no_such_part():
    assert section_of(load("namespaces")) is None


def test_what_was_lost_and_for_how_long():
    kernel, xdp = table_of(page(load("marks")), TITLE)
    assert (kernel["Method"].text, kernel["Lost"].text, kernel["Doubled"].text) == (
        "kernel path (pf_packet)",
        "79.25 %",
        "0 %",
    )
    assert (kernel["Longest gap"].text, kernel["Longest gap"].detail) == ("1.2052 s", "5,995 missing, trial 2")
    assert (kernel["Reordered"].text, kernel["Late"].text) == ("0 %", "0")
    assert xdp["Method"].text == "AF_XDP"


def test_doubled_and_reordered_are_shares_of_what_arrived():
    row = table_of(page(changed(received=2000, duplicates=600, reordered=3)), TITLE)[0]
    assert (row["Doubled"].text, row["Reordered"].text) == ("30.00 %", "0.15 %")
    assert row["Doubled"].look == "warn"


def test_marks_that_were_only_counted():
    numbers = ("received", "lost", "lost_ratio", "duplicates", "reordered", "longest_gap")
    result = changed(read="count", why="the rate at top speed is not known before", **dict.fromkeys(numbers))
    said = left_out(page(result), TITLE)
    for heading in ("Lost", "Doubled", "Reordered", "Longest gap"):
        why = "the marks were only counted: the rate at top speed is not known before"
        assert any(sentence.startswith(f"Not shown: {heading} ({why}") for sentence in said), said


def test_rows_of_marks_that_were_only_counted_are_said_in_a_sentence():
    made = page(load("example"))
    assert {row["Asked"].text for row in table_of(made, TITLE)} == {"20,000 pps"}
    section = next(section for section in made.sections if section.title == TITLE)
    assert section.text[1] == (
        "4 cases are not in the table: the marks were only counted: the rate at top speed is not known before."
    )


def test_marks_that_tell_nothing_say_why():
    result = load("marks")
    for trial in result["trials"]:
        trial["marks"] = {"read": "numbers", "why": "", "error": "What the marks would tell is not known: it is gone"}
    assert "Not shown: Lost (What the marks would tell is not known: it is gone)." in left_out(page(result), TITLE)
    assert section_of(result).charts == []


def test_a_figure_of_some_repeats_says_of_how_many():
    result = load("marks")
    result["trials"][0]["marks"].update(lost=None, lost_ratio=None)
    row = table_of(page(result), TITLE)[0]
    assert row["Lost"].notes == ("what was lost is known for 1 of 2 trials",)
    assert row["Doubled"].notes == ()


def test_what_the_marks_do_not_prove_is_no_figure():
    """After an outage of more than half a pass, say."""
    numbers = ("received", "lost", "lost_ratio", "duplicates", "reordered", "missing", "timeline")
    result = changed(notes=["Nothing came for 0.600 s."], **dict.fromkeys(numbers))
    said = left_out(page(result), TITLE)
    assert "Not shown: Lost (the marks do not prove how many were lost (see the notes))." in said
    assert "Not shown: Doubled (the marks do not prove it (see the notes))." in said
    assert section_of(result).charts == []


def test_notes_of_the_receiver_are_at_the_method():
    row = table_of(page(changed(notes=["5 marks were altered on the way: a device rewrites the payload."])), TITLE)[0]
    assert row["Method"].notes == ("5 marks were altered on the way: a device rewrites the payload.",)


def test_what_arrived_is_drawn_against_what_was_sent():
    [chart] = section_of(load("marks")).charts
    assert [series.label for series in chart.series] == ["kernel path (pf_packet)"] * 2 + ["AF_XDP"] * 2
    assert [label for label, _value in chart.levels] == ["sent 2,562 pps", "sent 5,000 pps"]
    at, pps = zip(*chart.series[0].points)
    assert at[:2] == pytest.approx((0.05, 0.15)) and min(pps) == 0
    assert "0 to 5,310 pps arrived, 5,000 pps were sent" in chart.text.replace("5,000 were", "5,000 pps were")


def test_nothing_is_drawn_where_nothing_was_lost():
    result = changed(lost=0, missing=0)
    for trial in result["trials"]:
        trial["counters"].update(loss_packets=0, loss_ratio=0.0)
    assert section_of(result).charts == []


def test_a_long_test_has_lines_that_can_be_told_apart():
    """Ten minutes in intervals of a second: the mean of some together."""
    result = changed(timeline={"interval_seconds": 1.0, "began": 1.0, "frames": [5000] * 300 + [0] * 299 + [17]})
    points = section_of(result).charts[0].series[0].points
    assert len(points) <= 100
    assert {pps for _at, pps in points} == {5000.0, 0.0}
    assert points[-1][0] == pytest.approx(597, abs=3)
    # The last ones together are fewer, and at the same rate.
    result = changed(timeline={"interval_seconds": 1.0, "began": 1.0, "frames": [5000] * 596 + [17]})
    assert {pps for _at, pps in section_of(result).charts[0].series[0].points} == {5000.0}
