# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the demo's table shows a rate that was not reached, and a run without a rate."""

from __future__ import annotations

from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).resolve().parents[3] / "playbooks" / "templates" / "table.txt.j2"


def result(name, reached, l1_mbps, requested="l1_mbps", reason=""):
    rates = {
        "pps": l1_mbps and l1_mbps * 1225.5,
        "l1_mbps": l1_mbps,
        "l2_mbps": l1_mbps and l1_mbps * 0.8,
        "reason": reason,
    }
    counters = {
        "rx": None,
        "loss_packets": None,
        "loss_ratio": None,
        "verdict": "unknown",
        "reason": "Nothing proves it.",
    }
    return {
        "item": {"name": name},
        "stats": {"packets": 1000},
        "rates": rates,
        "counters": counters,
        "run": {"requested": {requested: 100}, "rate_reached": reached},
    }


def table(*results):
    # As Ansible renders templates.
    template = jinja2.Environment(trim_blocks=True, autoescape=False).from_string(TEMPLATE.read_text())
    return template.render(demo_results=results, demo_l1_mbps="100").splitlines()


def test_a_missed_rate_is_marked_and_told():
    lines = table(result("slow", 0.8012, 80.12), result("kept", 0.9999, 99.99), result("free", None, 950.0, "topspeed"))
    columns = lines[0].index("reached"), lines[0].index("reached") + len("reached")
    assert [line[slice(*columns)].strip() for line in lines[1:4]] == ["80.1 %", "100.0 %", "-"]
    assert [line for line in lines if "rate asked for" in line] == [
        "slow: The rate asked for was missed: 80.12 of 100 Mbps L1."
    ]


def test_no_rate_at_all_is_no_number():
    lines = table(result("one", None, None, reason="One frame has no rate."))
    assert lines[1].split()[-4:] == ["?", "?", "?", "unknown"]
    assert "one: One frame has no rate." in lines


def test_a_reason_stands_once():
    lines = table(
        result("one", None, None, reason="One frame has no rate."),
        result("two", 1.0, 100.0),
        result("three", 1.0, 100.0),
    )
    assert lines[-2:] == ["one: One frame has no rate.", "All: Nothing proves it."]
