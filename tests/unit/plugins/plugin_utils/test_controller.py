# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the clock's offset, of missing libraries, and of JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils import _libraries
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._clock import Reading, offset, read_time
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.junit import junit


def test_the_quickest_answer_tells():
    # The other clock is 5 s ahead. The slow answers were held up on one way only.
    samples = [Reading(100.0, 105.9, 101.0), Reading(102.0, 107.01, 102.02), Reading(103.0, 108.0, 103.5)]
    found = offset(samples)
    assert found == {"offset_seconds": 5.0, "uncertainty_seconds": 0.01, "samples": 3}
    # However long the answer took, the true offset is within the uncertainty.
    for asymmetry in (0.0, 0.3, 0.99):
        one = offset([Reading(100.0, 100.0 + asymmetry + 5.0, 101.0)])
        assert abs(one["offset_seconds"] - 5.0) <= one["uncertainty_seconds"]


def test_a_clock_set_meanwhile_is_no_answer():
    assert offset([Reading(100.0, 1.0, 99.0), Reading(99.0, 99.5, 100.0)])["samples"] == 1
    with pytest.raises(TrafficgenError, match="was set while"):
        offset([Reading(100.0, 1.0, 99.0)])


@pytest.mark.parametrize("text", ["1795533000.123456789\n", "Welcome to gen1\r\n1795533000.123456789\r\n"])
def test_the_time_is_read(text):
    assert read_time(text) == 1795533000.123456789


@pytest.mark.parametrize("text", ["", "1795533000.%N\n", "date: invalid\n"])
def test_no_time(text):
    with pytest.raises(TrafficgenError, match="GNU date"):
        read_time(text)


def test_missing_libraries_are_all_named(monkeypatch):
    monkeypatch.setattr(_libraries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrafficgenError, match=r"pygal \(for the charts.*junitparser.*pip install pygal junitparser"):
        _libraries.require_all(["pygal", "junitparser"])
    _libraries.require_all([])


def result(**parts):
    """A complete result: JUnit XML is made only from one."""
    return {
        "schema": "wirespeed.trafficgen/throughput",
        "schema_version": 1,
        "name": "a test",
        "collection_version": "0.2.0",
        "ansible_version": "2.19.14",
        "started": 1.0,
        "ended": 2.0,
        "estimated_seconds": None,
        "trial_seconds": 1.0,
        "settings": {},
        "traffic": [],
        "hosts": {},
        "notes": [],
        "trials": [],
        "searches": [],
        "fleet": [],
        "criteria": [],
        "failures": [],
        "passed": True,
        **parts,
    }


def test_junit():
    pytest.importorskip("junitparser")
    one = {
        "host": "gen1",
        "number": 1,
        "traffic": {"name": "scan"},
        "injection_method": "auto",
        "rate": {"mbps": 1000},
        "repeat": 1,
        "status": "ok",
        "error": None,
        "run": {"started": 10.0, "ended": 12.5},
        "stats": None,
        "rates": None,
        "counters": None,
    }
    text = junit(
        result(
            name="a test \x01 <&>",
            trials=[one, {**one, "number": 2, "status": "failed", "error": "it \x1b[1mbroke", "run": None}],
            criteria=[
                {"name": "met", "expression": "a", "passed": True, "error": None},
                {"name": "unmet", "expression": "b", "passed": False, "error": None},
                {"name": "none", "expression": "c", "passed": False, "error": "it selects nothing"},
            ],
        )
    )
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "5",
        "failures": "1",
        "errors": "2",
    }
    trials, criteria = root.findall("testsuite")
    assert [case.get("time") for case in trials] == ["2.5", "0.0"]
    assert trials[0].get("name") == "gen1, trial 1: scan, auto, mbps 1000, repeat 1"
    assert trials[1].find("error").get("message") == "it ?[1mbroke"
    assert criteria[1].find("failure") is not None
    assert "selects nothing" in criteria[2].find("error").get("message")


def test_junit_of_searches():
    pytest.importorskip("junitparser")
    one = {
        "host": "gen1",
        "traffic": {"name": "scan"},
        "injection_method": "auto",
        "search": "ndr",
        "trials": [{"seconds": 1.0}],
        "found": None,
    }
    ends = (("found", ""), ("not_found", "There is a loss even at min_pps."), ("failed", "Trial 1 proves nothing."))
    searches = [{**one, "status": status, "reason": reason} for status, reason in ends]
    root = ET.fromstring(junit(result(searches=searches)))
    found, nothing, failed = root.find("testsuite")
    assert [len(found), len(nothing), len(failed)] == [0, 1, 1]
    assert nothing.find("failure").get("message") == "There is a loss even at min_pps."
    assert failed.find("error").get("message") == "Trial 1 proves nothing."
