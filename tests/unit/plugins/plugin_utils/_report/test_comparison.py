# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the page of several results."""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import (
    left_out,
    load,
    table_of,
)


def test_a_comparison_marks_what_is_outside_the_spread():
    made = page([load("first_user"), load("first_user_native")])
    assert made.passed is None
    rows = table_of(made, "tcp_port_scan_64")
    by_method = {(row["Method"].text, row["Asked"].text): row for row in rows}
    netmap = by_method["netmap", "10 Gbps of frames, capped"]
    assert (netmap["B against A"].text, netmap["B against A"].look) == ("▲ +30.4 %", "changed")
    assert netmap["Method"].notes == ("A: netmap, emulated; B: netmap, native",)
    kernel = by_method["kernel path (pf_packet)", "10 Gbps of frames, capped"]
    assert (kernel["B against A"].text, kernel["B against A"].look) == ("+2.8 %", "")


def test_other_traffic_under_the_same_name_is_not_compared():
    made = page([load("first_user"), load("first_user_native")])
    said = (
        "udp_port_scan_1500 is not the same traffic in A and B: the SHA-256 of the pcaps differ, so the rates are not"
        " compared"
    )
    assert f"{said}." in made.answers
    # No rate of it is compared, so there is no column.
    assert f"Not shown: B against A ({said})." in left_out(made, "udp_port_scan_1500")


def test_settings_that_differ_are_apart_from_the_others():
    made = page([load("first_user"), load("first_user_native")])
    differ = table_of(made, "Different")
    same = table_of(made, "The same in all")
    assert {row["Setting"].text for row in differ} == {"Kernel", "netmap", "udp_port_scan_1500: SHA-256"}
    assert {row["Setting"].text for row in same} >= {"Driver", "MTU", "tcpreplay", "tcp_port_scan_64: SHA-256"}
    assert next(section for section in made.sections if section.title == "What is the same in the setting").folded


def test_a_result_against_itself_does_not_differ():
    made = page([load("namespaces"), load("namespaces")])
    assert made.answers == ["No rate differs by more than the spread of its repeats.", "8 differences may be chance."]
    assert (
        "Nothing." in next(section for section in made.sections if section.title == "What differs in the setting").text
    )


def test_single_trials_are_not_marked():
    one, two = load("first_user"), load("first_user_native")
    for result in (one, two):
        result["trials"] = [trial for trial in result["trials"] if trial["repeat"] == 1]
    rows = table_of(page([one, two]), "tcp_port_scan_64")
    assert all(row["B against A"].look == "" for row in rows)
    assert "a single trial has no spread to compare" in rows[0]["B against A"].notes[0]


def test_what_is_in_one_result_only():
    one, two = load("first_user"), load("namespaces")
    assert "Not shown: B against A (not in B; not in A)." in left_out(page([one, two]), "tcp_port_scan_64")
    three = page([one, two, load("first_user_native")])
    rows = table_of(three, "tcp_port_scan_64")
    assert "C against A" in rows[0]


def test_verdicts_that_forbid_a_comparison():
    one, two = load("first_user"), load("first_user_native")
    for trial in two["trials"]:
        trial["counters"]["verdict"] = "impossible"
    said = "Not shown: B against A (not compared: the verdict in B is impossible)."
    assert said in left_out(page([one, two]), "tcp_port_scan_64")


def test_several_hosts_are_compared_each_with_itself():
    rows = table_of(page([load("troubles"), load("troubles")]), "tcp_port_scan_64")
    assert {row["Host"].text for row in rows} == {"gen1", "gen2"}
