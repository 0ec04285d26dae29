# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a report's numbers: how they are written, and what is calculated from repeats and samples."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    bps_figure,
    change,
    low_to_high,
    mbps_figure,
    number,
    percent,
    pps_figure,
    rate_label,
    scaled,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    Figure,
    apart,
    gain,
    groups,
    steps_of,
)
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import load


def test_numbers():
    assert number(14880952.38) == "14,880,952"
    assert number(None) == number(float("nan")) == number(float("inf")) == number(True) == number("7") == DASH
    assert number(-0.0001, 2) == "0.00"
    assert pps_figure(812743.82) == "812,744"
    assert pps_figure(0.5) == "0.50"
    assert mbps_figure(9843.954) == "9,843.95"
    assert mbps_figure(0.0512) == "0.0512"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 %"),
        (100, "100 %"),
        (99.999, "99.9990 %"),
        (99.99999, ">99.9999 %"),
        (0.00001, "<0.0001 %"),
        (0.0004, "0.0004 %"),
        (50, "50.00 %"),
    ],
)
def test_a_percentage_is_nothing_or_all_only_where_it_is(value, shown):
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 pps"),
        (812.7, "812.7 pps"),
        (999.96, "1.000 kpps"),  # rounded up into the next unit
        (82563, "82.56 kpps"),
        (14880952.38, "14.88 Mpps"),
        (10e9, "10 Gpps"),  # exact, so without decimals
        (None, DASH),
    ],
)
def test_a_figure_with_the_prefix_of_its_size(value, shown):
    assert scaled(value, "pps") == shown


def test_a_range_has_its_unit_once():
    assert low_to_high(9843.95, 9901, bps_figure) == "9.844..9.901 Gbps"
    assert low_to_high(900, 1100, bps_figure) == "900 Mbps..1.1 Gbps"
    assert low_to_high(0.1, 0.2, share) == "10.00..20.00 %"


def test_changes_have_a_sign():
    assert [change(value) for value in (0.304, -0.5, 0)] == ["+30.4 %", "-50.0 %", "0 %"]


def test_rates_in_words():
    assert rate_label({"topspeed": True}) == "top speed"
    assert rate_label({"topspeed": False}) == rate_label(None) == rate_label({}) == "recorded speed"
    assert rate_label({"mbps": 10000}) == "10 Gbps of frames"
    assert rate_label({"line_rate_percent": 12.5}) == "12.5 % of line rate"


def test_ranges_that_touch_are_not_apart():
    assert apart(Figure(4, 3.1, 5, 2), Figure(2, 1, 3, 2)) and apart(Figure(2, 1, 3, 2), Figure(4, 3.1, 5, 2))
    assert not apart(Figure(4, 3, 5, 2), Figure(2, 1, 3, 2))
    assert not apart(Figure(2, 1, 3, 2), Figure(4, 3, 5, 2))


def test_a_gain_of_unsteady_repeats_is_from_the_worst_to_the_best():
    """100 to 150 against 40 to 50: twice at least, and not quite four times at most."""
    result = load("namespaces")
    for trial in result["trials"]:
        trial["counters"]["verdict"] = "consistent"
    one, other = groups(result)[:2]
    for group, figures in ((one, (100, 120, 150)), (other, (40, 45, 50))):
        group.ok[:] = [{**group.ok[0], "rates": {"pps": pps}} for pps in figures]
    found = gain(one, other)
    assert (found.low, found.high) == (2.0, 3.75)
    assert found.ratio == pytest.approx(120 / 45)


@pytest.mark.parametrize(
    ("change_kernel", "reason"),
    [
        (lambda trial: trial["counters"].update(verdict="short"), "verdict of kernel path .* is short"),
        (lambda trial: trial["counters"].update(verdict="impossible"), "is impossible"),
        (lambda trial: trial.update(status="failed", error="no"), r"every trial of kernel path \(pf_packet\) failed"),
        (lambda trial: trial["rates"].update(pps=None), "a rate is unknown"),
    ],
)
def test_no_gain_over_what_is_no_figure(change_kernel, reason):
    result = load("first_user")
    for trial in result["trials"]:
        if trial["injection_method"] == "pf_packet":
            change_kernel(trial)
            if trial["status"] == "failed":
                trial.update(stats=None, rates=None, run=None, counters=None)
    found = groups(result)
    brought = gain(next(group for group in found if group.used_method == "netmap"), found[0])
    assert brought.ratio is None
    assert re.search(reason, brought.reason)


def test_apart_is_a_matter_of_ranges():
    assert apart(Figure(10, 9, 11, 3), Figure(13, 12, 14, 2))
    assert not apart(Figure(10, 9, 12, 3), Figure(13, 12, 14, 2))
    assert not apart(Figure(10, 10, 10, 1), Figure(13, 12, 14, 2))
    assert not apart(Figure(None, None, None, 0), Figure(13, 12, 14, 2))


def test_steps_are_differences():
    stats = {
        "samples": [{"packets": 1000, "pps": 1000.0, "seconds": 1.0}, {"packets": 1500, "pps": 750.0, "seconds": 2.0}],
        "packets": 3500,
        "pps": 3500 / 3,
        "seconds": 3.0,
    }
    assert [round(pps) for _dummy, _dummy, pps in steps_of({"stats": stats})] == [1000, 500, 2000]


def test_steps_do_not_use_the_rounded_seconds():
    # 0.996 s, which tcpreplay prints as 1.00
    stats = {
        "samples": [{"packets": 996, "pps": 1000.0, "seconds": 1.0}],
        "packets": 1996,
        "pps": 1000.0,
        "seconds": 2.0,
    }
    assert [pps for _dummy, _dummy, pps in steps_of({"stats": stats})] == pytest.approx([1000, 1000])


def test_a_total_that_is_the_last_sample_is_no_step():
    sample = {"packets": 1000, "pps": 1000.0, "seconds": 1.0}
    later = {"packets": 2000, "pps": 1000.0, "seconds": 2.0}
    assert len(steps_of({"stats": {"samples": [sample, later], **later}})) == 2
    assert (
        steps_of({"stats": None})
        == steps_of({"stats": {"samples": None}})
        == steps_of({"stats": {"samples": [sample], **sample}})
        == []
    )


def test_recorded_unsteadiness_is_seen():
    """The mean since the start hides it: of this recorded run it differs by 15 %, the rate itself by more."""
    trial = load("namespaces")["trials"][0]
    rates = [pps for _dummy, _dummy, pps in steps_of(trial)]
    means = [sample["pps"] for sample in trial["stats"]["samples"]]
    assert max(rates) / min(rates) > max(means) / min(means) > 1.1
