# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the page of one result."""

from __future__ import annotations

import copy
import statistics

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.html import to_html
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import DASH, TIMES, rate_label
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import (
    NAMES,
    left_out,
    load,
    table_of,
)


def test_figures_are_medians_with_their_ranges():
    result = load("first_user")
    rows = table_of(page(result), "tcp_port_scan_1500 (")
    netmap = next(row for row in rows if row["Method"].text == "netmap, emulated" and "capped" in row["Asked"].text)
    rates = [
        trial["rates"]
        for trial in result["trials"]
        if (trial["traffic"]["name"], trial["injection_method"], trial["rate"])
        == ("tcp_port_scan_1500", "netmap", {"mbps": 10000})
    ]
    assert netmap["Trials"].text == "3"
    pps = [rate["pps"] for rate in rates]
    assert netmap["pps"].text == f"{statistics.median(pps):,.0f}"
    assert netmap["pps"].detail == f"{min(pps):,.0f}..{max(pps):,.0f}"
    # 1514 bytes in the file are 1538 on the line with FCS, preamble and gap.
    for layer, size in (("L1", 1538), ("L2", 1518)):
        figure, unit = netmap[layer].text.split()
        assert (float(figure), unit) == (pytest.approx(statistics.median(pps) * size * 8 / 1e9, abs=0.001), "Gbps")


def test_the_gain_is_the_ratio_of_medians():
    rows = table_of(page(load("first_user")), "What each method brings")
    assert [
        (row["Traffic"].text, row["Gain"].text)
        for row in rows
        if "capped" in row["Asked"].text and "1500" in row["Traffic"].text
    ] == [
        ("tcp_port_scan_1500", f"1.7 {TIMES}"),  # the first user's figures: 9706 and 5624 Mbps
        ("udp_port_scan_1500", f"1.6 {TIMES}"),  # 9775 and 6279, of which the line takes 9844
    ]


def test_no_gain_from_a_rate_that_was_asked_for():
    made = page(load("first_user"))
    rows = table_of(made, "What each method brings")
    paced = next(
        row for row in rows if row["Traffic"].text == "tcp_port_scan_1500" and "capped" not in row["Asked"].text
    )
    assert "does not say which is faster" in paced["Gain"].notes[0]
    assert made.answers == [
        "netmap (emulated) sent 1.6 to 3.6 times what the kernel path did, in 6 of 8 cases. "
        "The other 2 allow no comparison (see notes)."
    ]


def test_no_gain_without_the_kernel_path():
    result = load("first_user")
    result["trials"] = [trial for trial in result["trials"] if trial["injection_method"] == "netmap"]
    said = left_out(page(result), "What each method brings")
    assert "Not shown: Gain (no gain: the kernel path was not tried at this rate)." in said


@pytest.mark.parametrize("rate", [{"mbps": 1000}, {"multiplier": 1}])
def test_a_trial_that_missed_its_rate_is_said_though_the_median_did_not(rate):
    result = load("first_user")
    shares = {4: 1.0, 5: 0.7992, 6: 0.9951}
    for trial in result["trials"][3:6]:
        trial["rate"] = rate
        trial["run"]["rate_reached"] = shares[trial["number"]]
    made = page(result)
    rows = table_of(made, "Each trial")
    assert [row["Asked"].detail for row in rows[3:6]] == ["", "79.92 % of it sent", ""]
    rows = table_of(made, "tcp_port_scan_64 (")
    row = next(row for row in rows if row["Method"].text.startswith("netmap") and row["Asked"].text == rate_label(rate))
    assert row["Asked"].detail == ""
    assert any(
        note.endswith("1 of 3 trials missed the rate asked for: 79.92 % of it sent in trial 5")
        for note in row["Asked"].notes
    )
    for text in (to_markdown(made), to_html(made)):
        assert text.count("79.92 % of it sent") == 2


def test_troubles_are_told():
    made = page(load("troubles"))
    assert (made.passed, made.verdict, len(made.failures)) == (False, "Failed", 4)
    rows = table_of(made, "tcp_port_scan_64 (")
    by_method = {(row["Host"].text, row["Method"].text): row for row in rows}
    netmap = by_method["gen1", "netmap, emulated"]
    assert (netmap["Trials"].text, netmap["Trials"].look) == ("1 of 2", "bad")
    assert "check cables | <b>no</b>. Plug it in." in netmap["Trials"].notes[0]
    kernel = by_method["gen1", "kernel path (pf_packet)"]
    assert kernel["Verdict"].text == "unknown"
    assert kernel["pps"].text != DASH
    assert "not in the table" in kernel["Verdict"].notes[0]
    assert kernel["Loss"].notes == ("loss unknown: nothing counted what arrived",)
    other = by_method["gen2", "kernel path (pf_packet)"]
    assert other["Loss"].text.startswith("0.000")
    assert "dropped 6 frames itself" in other["Loss"].notes[0]
    assert "no line rate" in other["Line rate"].notes[0]

    rows = table_of(made, "udp|<em>1500</em> (")
    by_method = {(row["Host"].text, row["Method"].text): row for row in rows}
    failed = by_method["gen2", "netmap"]
    assert {failed[column].text for column in ("pps", "L1", "L2", "Line rate", "Loss", "Verdict", "Gain")} == {DASH}
    assert all(failed[column].notes for column in ("pps", "L1", "L2", "Line rate", "Loss", "Verdict", "Gain"))
    impossible = by_method["gen1", "netmap, emulated"]
    assert (impossible["pps"].look, impossible["Gain"].text) == ("unquotable", DASH)
    short_one = by_method["gen1", "kernel path (pf_packet)"]
    assert (short_one["Verdict"].text, short_one["Verdict"].detail) == ("short", "1 of 2")


def test_what_is_not_to_be_quoted_is_not_drawn_as_a_bar():
    made = page(load("troubles"))
    bars = [chart for section in made.sections for chart in section.charts if chart.kind == "bars"]
    drawn = {
        (chart.title, series.label, name)
        for chart in bars
        for series in chart.series
        for name, point in zip(chart.categories, series.points)
        if point
    }
    assert ("L1 at top speed, gen1", "netmap, emulated", "udp|<em>1500</em>") not in drawn
    assert ("L1 at top speed, gen1", "netmap, emulated", "tcp_port_scan_64") in drawn


def test_a_line_rate_only_where_there_is_a_line():
    levels = {
        chart.title: chart.levels
        for section in page(load("troubles")).sections
        for chart in section.charts
        if chart.kind == "bars"
    }
    assert levels["L1 at top speed, gen1"] == (("line rate 10 Gbps", 10000.0),)
    assert levels["L1 at top speed, gen2"] == ()


@pytest.mark.parametrize("name", NAMES)
def test_each_dash_has_a_reason(name):
    for section in page(load(name)).sections:
        for table in section.tables:
            for row in table.rows:
                for column, cell in zip(table.columns, row):
                    if cell.text == DASH:
                        assert cell.notes, (table.caption, column)


def nulls(tree):
    """A result in which every figure that may be null is null. The schema's own keys may not be."""
    if isinstance(tree, dict):
        kept = (
            "schema",
            "schema_version",
            "name",
            "traffic",
            "hosts",
            "trials",
            "passed",
            "collection_version",
            "ansible_version",
            "started",
            "ended",
            "estimated_seconds",
            "trial_seconds",
            "host",
            "injection_method",
            "rate",
            "repeat",
            "status",
        )
        return {
            key: nulls(value) if isinstance(value, (dict, list)) else value if key in kept else None
            for key, value in tree.items()
        }
    return [nulls(value) for value in tree if isinstance(value, dict)]


@pytest.mark.parametrize("name", NAMES)
def test_nulls_everywhere(name):
    result = nulls(load(name))
    for key in ("trials", "searches"):
        for entry in result[key]:
            assert entry
    for form in (to_html, to_markdown):
        text = form(page(result))
        assert "None" not in text
        assert "nan" not in text


@pytest.mark.parametrize("key", ["stats", "rates", "run", "counters"])
def test_a_trial_without_a_part_of_its_tree(key):
    result = load("namespaces")
    for trial in result["trials"]:
        trial[key] = None
    assert to_markdown(page(result))
    assert to_html(page(result))


def test_without_trials():
    result = load("first_user")
    result.update(trials=[], passed=False, failures=["nothing was selected"])
    assert "This result has no trials." in to_markdown(page(result))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda result: [], "the list of results is empty"),
        (lambda result: None, "not a result of the role throughput, but a null"),
        (lambda result: "{}", "but a str"),
        (lambda result: {}, "it names no schema"),
        (lambda result: {**result, "schema": "other"}, "its schema is 'other'"),
        (lambda result: {**result, "schema_version": 2}, "schema version 2, and this collection reads 1.*newer"),
        (lambda result: {**result, "schema_version": True}, "schema version True"),
        (lambda result: {key: value for key, value in result.items() if key != "trials"}, "has no trials"),
        (lambda result: {**result, "hosts": []}, r"hosts is \[\], not a dictionary"),
        (lambda result: {**result, "traffic": ["x"]}, "traffic, entry 1 is .x., not a dictionary"),
        (lambda result: {**result, "trials": ["x"]}, "trials, entry 1 is .x., not a dictionary"),
        (
            lambda result: {**result, "trials": [{**result["trials"][0], "traffic": {}}]},
            "trials, entry 1, traffic, has no name",
        ),
        (lambda result: {**result, "searches": {}}, r"searches is \{\}, not a list"),
        (lambda result: {**result, "criteria": [None]}, "criteria, entry 1 is null, not a dictionary"),
        (lambda result: [result, {}], "result 2: is not a throughput result"),
    ],
)
def test_what_is_no_result(spoil, message):
    with pytest.raises(TrafficgenError, match=message):
        page(spoil(load("first_user")))


def test_what_the_run_has_to_say_of_itself():
    result = load("first_user")
    result["notes"] = ["gen1 has no netmap: it sends by its kernel alone."]
    assert "gen1 has no netmap: it sends by its kernel alone." in to_markdown(page(result))


# --- Searches ---


def test_what_limited_a_search_stands_beside_the_rate():
    result = load("search")
    result["searches"][1]["limited_by"] = "generator"
    rows = table_of(page(result), "The largest rate within the loss goal")
    assert "the device's limit" in str(rows[0])
    assert "the generator's limit" in str(rows[1])


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("max_pps", "no rate above max_pps was tried"),
        ("generator", "the generator could not send fast enough to reach the device's limit"),
    ],
)
def test_a_search_without_an_upper_bound_says_why(limit, why):
    result = load("search")
    result["searches"][0]["limited_by"] = limit
    result["searches"][0]["found"]["upper_pps"] = None
    rows = table_of(page(result), "The largest rate within the loss goal")
    assert rows[0]["Not above"].text == DASH
    assert rows[0]["Not above"].notes == (why,)


def test_the_method_of_a_search_is_the_one_used():
    result = load("search")
    first, second, third = result["searches"]
    for trial in first["trials"]:
        trial.update(injection_method="netmap", netmap_mode="emulated")
    first["trials"][0].update(injection_method=None, netmap_mode=None)  # nothing is known of this one
    second["injection_method"] = "auto"
    for trial in second["trials"]:
        trial.update(injection_method="pf_packet", netmap_mode=None)
    rows = table_of(page(result), "The largest rate within the loss goal")
    assert [row["Method"].text for row in rows] == [
        "netmap, emulated",
        "kernel path (pf_packet), by auto",
        "kernel path (pf_packet)",
    ]
    assert "injection_method" not in third["trials"][0]  # a result from before that was kept


def test_searches():
    made = page(load("search"))
    rows = table_of(made, "The largest rate within the loss goal")
    found = rows[0]
    low, high = (int(found[column].text.replace(",", "")) for column in ("Found pps", "Not above"))
    assert low <= 1_100_000 < high  # the device's capacity
    assert (found["Trials"].text, found["Trials"].detail) == ("13", "3 no proof")
    assert rows[2]["Found pps"].text == DASH
    assert "no trial could send what was asked for" in rows[2]["Found pps"].notes[0]
    charts = [chart for section in made.sections for chart in section.charts if chart.kind == "steps"]
    # The third one has only trials that proved nothing: a chart would show what was asked for, and no more.
    assert [chart.title for chart in charts] == ["NDR of tcp_port_scan_64, netmap", "NDR of tcp_port_scan_1500, netmap"]
    assert [series.label for series in charts[0].series] == ["goal met", "goal missed"]
    # The higher bound is the first: its label is above its line.
    assert [label for label, _value in charts[0].levels] == ["not above: 1,101,937 pps", "found: 1,098,945 pps"]
    assert [value for _label, value in charts[0].levels] == pytest.approx([high, low], abs=1)
    # Around the bounds: the trials at 12.3 to 3 Mpps are named, not drawn.
    bottom, top = charts[0].window
    assert 0.9 * low < bottom < low < high < top < 1.1 * high
    assert all(bottom <= pps <= top for series in charts[0].series for _number, pps in series.points)
    assert "Too far off to be drawn: 12.3 Mpps, 6.13 Mpps, " in charts[0].text


@pytest.mark.parametrize(
    ("goal", "outcome", "look"),
    [(0.005, "goal met", "good"), (0.0, "goal missed", "bad"), (0.001, "goal missed", "bad")],
)
def test_a_step_is_called_by_the_goal_of_its_search(goal, outcome, look):
    """0.197 % is within a PDR's 0.5 %."""
    result = load("search")
    entry = result["searches"][0]
    entry["goals"][0]["loss_ratio"] = goal
    entry["trials"] = [
        {**entry["trials"][0], "sent": 100000, "lost": 197, "loss_ratio": 0.00197, "valid": True, "reason": ""}
    ]
    made = page({**result, "searches": [entry]})
    rows = table_of(made, f"{entry['search'].upper()} of")
    assert (rows[0]["Loss"].text, rows[0]["Outcome"].text, rows[0]["Outcome"].look) == ("0.20 %", outcome, look)
    # One rate was tried: a chart would show what was asked for, and no more.
    assert not [chart for section in made.sections for chart in section.charts]


def test_the_result_is_not_changed():
    result = load("troubles")
    before = copy.deepcopy(result)
    page(result)
    page([result, result])
    assert result == before


def _by_two_engines(rate):
    """A result whose first two methods at one rate are the kernel path with two workers, and AF_XDP with one."""
    result = load("namespaces")
    name = result["trials"][0]["traffic"]["name"]
    kept = [trial for trial in result["trials"] if trial["traffic"]["name"] == name][:2]
    for number, trial in enumerate(kept, 1):
        trial.update(number=number, rate=rate, repeat=1, status="ok", error=None)
        trial["rates"]["pps"] = 1_000_000 * number
    first, second = kept
    first["injection_method"] = "pf_packet"
    first["run"].update(injection_method="pf_packet", netmap_mode=None, engine="tcpreplay", workers=[{}, {}])
    second["injection_method"] = "af_xdp"
    second["run"].update(
        injection_method="af_xdp", netmap_mode=None, engine="af_xdp", xdp_mode="zero_copy", workers=[{"cpu": 1}]
    )
    result["trials"] = kept
    return result, name


def test_the_engine_is_named_with_its_rate_per_worker():
    result, name = _by_two_engines({"topspeed": True})
    rows = table_of(page(result), f"{name} (")
    told = [(row["Method"].text, row["Engine"].text, row["Engine"].detail, row["pps per worker"].text) for row in rows]
    assert told == [
        ("kernel path (pf_packet)", "tcpreplay", "2 workers", "500,000"),
        ("AF_XDP", "xdp_replay, zero copy", "", "2,000,000"),
    ]
    # A run that does not tell its workers has no such rate, and not the whole.
    del result["trials"][0]["run"]["workers"]
    del result["trials"][1]["run"]["workers"]
    result["trials"][1]["run"]["workers"] = [{}, {}]
    assert table_of(page(result), f"{name} (")[0]["pps per worker"].text == DASH
    # Of single workers it is the rate itself.
    result["trials"][1]["run"]["workers"] = [{}]
    assert "pps per worker" not in table_of(page(result), f"{name} (")[0]


def test_what_each_method_brings():
    result, _name = _by_two_engines({"topspeed": True})
    again = copy.deepcopy(result["trials"])
    for trial in again:
        trial.update(number=trial["number"] + 2, repeat=2)
    result["trials"] += again
    made = page(result)
    (row,) = table_of(made, "What each method brings")
    told = [row[column].text for column in ("Method", "Engine", "Gain", "Gain per worker")]
    assert told == ["AF_XDP", "xdp_replay, zero copy", f"2.0 {TIMES}", f"4.0 {TIMES}"]  # two against one of two
    # A receiver counted, and the repeats do not differ.
    assert made.answers[0] == "AF_XDP (zero copy) sent 2.0 times what the kernel path did (4.0 times per worker)."
    # The same number of workers brings the same, said once.
    for trial in result["trials"]:
        trial["run"]["workers"] = [{}]
    made = page(result)
    assert made.answers[0] == "AF_XDP (zero copy) sent 2.0 times what the kernel path did."
    assert "Gain per worker" not in table_of(made, "What each method brings")[0]


def test_nothing_is_brought_where_the_kernel_path_is_alone():
    result, _name = _by_two_engines({"topspeed": True})
    result["trials"] = result["trials"][:1]
    made = page(result)
    section = next(section for section in made.sections if section.title == "What each method brings")
    assert section.tables == ()
    assert not any("times what the kernel path did" in sentence for sentence in made.answers)
    assert "Only the kernel path was tested" in section.text[0]


def test_each_trial_names_its_engine():
    result, _name = _by_two_engines({"topspeed": True})
    result["trials"][1]["run"]["command"] = None
    rows = table_of(page(result), "Each trial")
    assert [(row["Engine"].text, row["Engine"].detail) for row in rows] == [
        ("tcpreplay", "2 workers"),
        ("xdp_replay, zero copy", ""),
    ]
    assert rows[1]["Command"].notes == ("no command: xdp_replay sends by itself",)


def test_a_search_names_its_engine():
    result = load("search")
    for trial in result["searches"][0]["trials"]:
        trial.update(engine="af_xdp", xdp_mode="copy", injection_method="af_xdp")
    rows = table_of(page(result), "The largest rate within the loss goal")
    assert [(row["Method"].text, row["Engine"].text) for row in rows[:2]] == [
        ("AF_XDP", "xdp_replay, copy"),
        (rows[1]["Method"].text, DASH),
    ]


def test_a_rate_that_was_asked_for_is_none_of_a_core():
    result, name = _by_two_engines({"pps": 2_000_000})
    assert "pps per worker" not in table_of(page(result), f"{name} (")[0]


def test_a_result_that_names_no_engine_has_no_column_of_it():
    rows = table_of(page(load("first_user")), "tcp_port_scan_64 (")
    assert not {"Engine", "pps per worker"} & set(rows[0])


def of_a_pair(*, name="router"):
    """Both directions of a pair, tested: the trials of a result twice, the reverse ones at half the rate."""
    result = load("namespaces")
    there, back = ([copy.deepcopy(trial) for trial in result["trials"]] for _direction in range(2))
    for direction, trials in (("forward", there), ("reverse", back)):
        for trial in trials:
            trial.update(pair=name, direction=direction, host=f"{name}.{'ab'[direction == 'reverse']}")
    for trial in back:
        trial["rates"]["pps"] /= 2
        trial["counters"]["loss_ratio"] = 0.25
    result["hosts"] = dict.fromkeys((f"{name}.a", f"{name}.b"), result["hosts"]["localhost"])
    result["trials"] = there + back
    return result


def test_both_directions_of_a_pair_are_in_one_row():
    result = of_a_pair()
    rows = table_of(page(result), "The directions of each pair")
    assert len(rows) == len(
        {(one["traffic"]["name"], str(one["rate"]), one["injection_method"]) for one in result["trials"]}
    )
    for row in rows:
        there, back = (float(row[f"{direction} pps"].text.replace(",", "")) for direction in ("Forward", "Reverse"))
        assert there == pytest.approx(2 * back, abs=1)
        assert row["Reverse loss"].text == "25.00 %" != row["Forward loss"].text
        assert row["Pair"].text == "router"


def test_a_pair_of_which_one_direction_was_tested_has_no_such_table():
    result = of_a_pair()
    result["trials"] = [trial for trial in result["trials"] if trial["direction"] == "forward"]
    assert "Both directions" not in [section.title for section in page(result).sections]


def test_a_direction_without_a_trial_is_said():
    result = of_a_pair()
    gone = result["trials"][-1]
    result["trials"] = [
        one
        for one in result["trials"]
        if (one["host"], one["rate"], one["traffic"]["name"], one["injection_method"])
        != (gone["host"], gone["rate"], gone["traffic"]["name"], gone["injection_method"])
    ]
    rows = table_of(page(result), "The directions of each pair")
    lacking = [row for row in rows if row["Reverse pps"].text == DASH]
    assert [row["Reverse pps"].notes for row in lacking] == [("nothing was sent in the reverse direction",)]
