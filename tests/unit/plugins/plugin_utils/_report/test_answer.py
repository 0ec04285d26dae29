# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a report's beginning: the answer, and what has to be known beside it."""

from __future__ import annotations

import copy
import re

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.answer import MAX_FINDINGS, only_ratios
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.html import to_html
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import gain, groups
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import (
    NAMES,
    left_out,
    load,
    table_of,
)


def test_what_a_search_found_with_its_bound():
    findings = page(load("search")).findings
    assert (findings[0].figure, findings[0].what) == ("1.099 Mpps", "NDR of tcp_port_scan_64, netmap")
    assert findings[0].detail == (
        "not above 1.102 Mpps (the device's limit), 896.7 Mbps L1, 8.97 % of the line, loss goal 0 %"
    )
    assert findings[2].detail == "not found: no trial could send what was asked for"
    assert findings[2].look == "bad"


def test_the_highest_rate_of_each_traffic():
    findings = page(load("first_user")).findings
    assert [(finding.figure, finding.what) for finding in findings] == [
        ("2.14 Mpps", "tcp_port_scan_64"),
        ("801 kpps", "tcp_port_scan_1500"),
        ("2.22 Mpps", "udp_port_scan_64"),
        ("807 kpps", "udp_port_scan_1500"),
    ]
    assert findings[1].detail == (
        "netmap, emulated, 9.852 Gbps L1, 98.52 % of the line (10 Gbps of frames asked for, more than the line takes)"
    )


def test_the_highest_rate_without_loss_comes_before_one_with_loss():
    result = load("example")
    findings = page(result).findings
    assert [finding.what for finding in findings] == ["tcp_port_scan_64"] * 2 + ["tcp_port_scan_1500"] * 2
    assert all("loss 0 % (20,000 pps asked for)" in finding.detail for finding in findings[::2])
    assert not any("loss 0 %" in finding.detail for finding in findings[1::2])
    assert [finding.figure for finding in findings[::2]] == ["20.0 kpps", "20.0 kpps"]
    # As a busy machine gave it, unsteady: a range, with its unit once where both ends have the same.
    fastest = [trial for trial in result["trials"] if trial["rates"]["pps"] > 500_000]
    for trial, pps in zip(fastest, (575_201, 675_014, 693_533), strict=True):
        trial["rates"]["pps"] = pps
    assert page(result).findings[1].figure == "575 to 694 kpps"
    for trial in result["trials"]:
        if trial["rates"]["pps"] > 500_000:
            trial["rates"]["pps"] *= 1.5
    assert re.fullmatch(r"[0-9]+ kpps to [0-9.]+ Mpps", page(result).findings[1].figure)
    # One repeat with a loss, and the rate is none without.
    for trial in result["trials"]:
        if "pps" in trial["rate"] and trial["repeat"] == 1:
            trial["counters"]["loss_ratio"] = 0.001
    assert len(page(result).findings) == 2


def test_what_is_not_to_be_quoted_is_no_answer():
    result = load("first_user")
    for trial in result["trials"]:
        if trial["injection_method"] == "netmap" and trial["traffic"]["name"] == "tcp_port_scan_64":
            trial["counters"]["verdict"] = "impossible"
    assert page(result).findings[0].detail.startswith("kernel path")


def test_the_answer_stands_before_all_tables():
    text = to_html(page(load("search")))
    assert text.index("1.099 Mpps") < text.index("<main>")
    lines = to_markdown(page(load("search"))).splitlines()
    assert lines[4].startswith("- **1.099 Mpps** NDR of")


def test_of_many_traffics_the_first():
    result = load("first_user")
    trials = result["trials"]
    for number in range(5):
        more = copy.deepcopy([trial for trial in trials if trial["traffic"]["name"] == "udp_port_scan_64"])
        for trial in more:
            trial["traffic"]["name"] = f"more_{number}"
        result["trials"] = result["trials"] + more
    findings = page(result).findings
    assert len(findings) == MAX_FINDINGS + 1
    assert findings[-1].what == "and 1 figure more: see the tables"


# --- The gain ---


def test_a_gain_is_a_range_where_repeats_differ_by_more_than_a_fifth():
    result = load("first_user")
    one, two = (group for group in groups(result)[:4] if not group.capped)
    for group, rates in ((one, (100.0, 110.0, 121.0)), (two, (300.0, 310.0, 320.0))):
        for trial, pps in zip(group.trials, rates):
            trial["rates"]["pps"] = pps
            trial["run"]["rate_reached"] = 0.5
    kernel, netmap = (group for group in groups(result)[:4] if not group.capped)
    brought = gain(netmap, kernel)
    assert (brought.low, brought.high) == (300 / 121, 320 / 100)
    assert table_of(page(result), "What each method brings")[0]["Gain"].text == "2.5 to 3.2 \N{MULTIPLICATION SIGN}"
    kernel.trials[2]["rates"]["pps"] = 120.0  # a fifth
    brought = gain(netmap, groups(result)[0])
    assert brought.low == brought.high == brought.ratio == 310 / 110


# --- Passed, failed, or neither ---


@pytest.mark.parametrize(
    ("criteria", "failures", "verdict", "passed"),
    [
        ([], [], "Completed, no criteria", None),
        ([], ["gen1, trial 1: FAILED"], "Failed", False),
        ([{"name": "a", "expression": "`true`", "passed": True, "error": None}], [], "Passed", True),
        ([{"name": "a", "expression": "`false`", "passed": False, "error": None}], ["a"], "Failed", False),
    ],
)
def test_nothing_is_passed_without_criteria(criteria, failures, verdict, passed):
    result = {**load("first_user"), "criteria": criteria, "failures": failures, "passed": not failures}
    made = page(result)
    assert (made.verdict, made.passed) == (verdict, passed)
    assert ('class="answer passed"' in to_html(made)) is bool(passed)
    compared = page([result, result])
    assert verdict.lower() in compared.asked[0]


def test_a_criterion_shows_what_was_measured_and_wanted():
    result = load("first_user")
    result["criteria"] = [
        {
            "name": "fast",
            "expression": "min(trials[].rates.pps) > `1000000`",
            "passed": False,
            "error": None,
            "measured": [{"value": 602009.9, "comparison": ">", "wanted": 1000000}],
        }
    ]
    (row,) = table_of(page(result), "Criteria")
    assert (row["Outcome"].text, row["Outcome"].detail) == ("failed", "602,009.9, wanted > 1,000,000")
    del result["criteria"][0]["measured"]  # of an older version
    (row,) = table_of(page(result), "Criteria")
    assert (row["Outcome"].text, row["Outcome"].detail) == ("failed", "")


# --- Badges ---


def test_a_badge_where_loss_was_not_measured():
    assert page(load("first_user")).badges == ["Loss not measured"]
    result = load("namespaces")
    assert "Loss not measured" not in " ".join(page(result).badges)
    result["trials"][0]["counters"].update(loss_ratio=None, loss_packets=None)
    assert f"Loss not measured in 1 of {len(result['trials'])} trials" in page(result).badges
    assert "Loss not measured in 1 of" in to_html(page(result))


@pytest.mark.parametrize(
    ("driver", "model", "virtual", "said"),
    [
        ("veth", "AMD EPYC", None, "a virtual port (veth)"),
        ("e1000-netmap", "AMD EPYC", "kvm", "an imitated card (e1000-netmap)"),
        ("e1000", "QEMU TCG CPU version 2.5+", "kvm", "an emulated processor"),
        ("ixgbe", "QEMU TCG CPU version 2.5+", "kvm", "an emulated processor"),
        ("e1000e", "Intel Xeon", None, ""),  # a real card
        ("ixgbe", "AMD EPYC", "kvm", ""),  # handed through to a guest
    ],
)
def test_what_gives_ratios_only(driver, model, virtual, said):
    host = {"interface": {"driver": driver}, "cpu": {"model": model, "count": 2}, "virtualization": virtual}
    sentences = only_ratios({"gen1": host})
    if not said:
        assert sentences == []
    else:
        assert sentences == [f"Only ratios count, no rate says what real hardware does: gen1 has {said}."]


def test_a_badge_for_ratios():
    assert "Ratios only" in page(load("namespaces")).badges
    assert "Ratios only" not in page(load("first_user")).badges


# --- No column and no chart for nothing ---


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), ("first_user", "namespaces")])
def test_no_column_of_dashes(names):
    for section in page([load(name) for name in names]).sections:
        for table in section.tables:
            for index in range(1, len(table.columns)):
                assert {row[index].text for row in table.rows} != {"\N{EN DASH}"}, (table.caption, table.columns[index])


def test_a_column_that_is_not_shown_says_why():
    said = left_out(page(load("first_user")), "tcp_port_scan_64 (")
    assert said == ["Not shown: Loss (loss unknown: nothing counted what arrived)."]
    for form in (to_html, to_markdown):
        assert "Not shown: Loss" in form(page(load("first_user")))


def test_no_chart_that_shows_only_what_was_asked_for():
    result = load("first_user")
    result["trials"] = [trial for trial in result["trials"] if trial["rate"] == {"mbps": 1000}]
    for trial in result["trials"]:
        trial["run"].update(rate_reached=1.0, capped=False)
        stats = trial["stats"]
        for number, sample in enumerate(stats["samples"], 1):
            sample.update(packets=1000 * number, pps=1000.0, seconds=float(number))
        stats.update(packets=1000 * len(stats["samples"]), pps=1000.0, seconds=float(len(stats["samples"])))
    made = page(result)
    assert not [chart for section in made.sections for chart in section.charts]
    text = to_markdown(made)
    assert "Every method sent what was asked for" in text
    assert "The trials that were sampled kept the rate asked for throughout" in text
    # One that is not steady is drawn, though its mean is as asked.
    result["trials"][0]["stats"]["samples"][1].update(packets=1500, pps=750.0)
    assert [chart.kind for section in page(result).sections for chart in section.charts] == ["lines"]


# --- By frame size ---


def test_the_theoretical_line():
    """A line of 10 Gbit/s carries 812,744 frames of 1518 bytes a second, and 12,254,902 of 82."""
    for name, label in (("first_user", "netmap, emulated"), ("search", "NDR, netmap")):
        made = page(load(name))
        (chart,) = [chart for section in made.sections for chart in section.charts if chart.kind == "sizes"]
        theory = chart.series[-1]
        assert chart.categories == ("82", "1,518")
        assert theory.label == "theoretical line, 10 Gbps"
        assert [round(pps) for _index, pps in theory.points] == [12254902, 812744]
        assert label in [series.label for series in chart.series]
        drawn = to_html(made)
        assert re.search(r"theoretical line, 10 Gbps, 82 bytes: 12,254,902 pps", drawn)


def test_no_theoretical_line_where_there_is_no_line():
    result = load("namespaces")
    for trial in result["trials"]:
        trial["run"]["rate_reached"] = 0.5
    charts = [chart for section in page(result).sections for chart in section.charts if chart.kind == "sizes"]
    assert charts
    assert not any("theoretical" in series.label for chart in charts for series in chart.series)
    assert "no theoretical line: a virtual link, or its speed is unknown" in charts[0].text
