# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of criteria: what passes, what fails, and what gives no answer."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._bounded import bounded
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import criteria as _criteria
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.criteria import (
    check_criteria,
    judge_criteria,
    query,
)

pytest.importorskip("jmespath")

RESULT = {
    "trials": [
        {"traffic": {"ip_size": 64}, "rates": {"pps": 2e6}, "counters": {"loss_packets": 0, "verdict": "consistent"}},
        {"traffic": {"ip_size": 1500}, "rates": {"pps": 8e5}, "counters": {"loss_packets": 3, "verdict": "consistent"}},
        {"traffic": {"ip_size": 1500}, "rates": None, "counters": None},
    ],
    "searches": [],
}


@pytest.mark.parametrize(
    ("expression", "passed", "error"),
    [
        ("min(trials[?traffic.ip_size==`64`].rates.pps) > `1000000`", True, None),
        ("min(trials[?traffic.ip_size==`1500`].rates.pps) > `1000000`", False, None),
        ("length(trials[?counters.loss_packets > `0`]) == `1`", True, None),
        ("!(min(trials[?traffic.ip_size==`64`].rates.pps) > `1000000`)", False, None),
        # Nothing selected: null, or a comparison with it, which says true for unequal and, negated, for equal.
        ("min(trials[?traffic.ip_size==`65`].rates.pps) > `1000000`", False, "selects nothing"),
        ("min(trials[?traffic.ip_size==`65`].rates.pps) != `0`", False, "selects nothing"),
        ("!(min(trials[?traffic.ip_size==`65`].rates.pps) == `0`)", False, "selects nothing"),
        ("trials[0].rates.pps > `1` || trial[0].rates.pps != `1`", False, "selects nothing"),
        ("trials[?traffic.ip_size==`65`].rates.pps | [0] != `1000`", False, "selects nothing"),
        ("trials[0].rate", False, "selects nothing"),
        # An empty list selects nothing, too: its sum is 0, it contains nothing and equals nothing.
        ("sum(trials[?trafic.ip_size==`64`].counters.loss_packets) == `0`", False, "selects nothing"),
        ("abs(sum(trials[?trafic.ip_size==`64`].counters.loss_packets)) == `0`", False, "selects nothing"),
        ("sum(trials[?trafic.ip_size==`64`].counters.loss_packets) | @ == `0`", False, "selects nothing"),
        ("!contains(trials[?trafic.ip_size==`64`].counters.verdict, 'short')", False, "selects nothing"),
        ("trials[?trafic.ip_size==`64`] != `[1]`", False, "selects nothing"),
        ("!(trials[?trafic.ip_size==`64`])", False, "selects nothing"),
        ("!(trials[0].counter)", False, "selects nothing"),
        ("length(searches) == `0` && length(trials[?traffic.ip_size==`65`]) == `0`", True, None),
        ("sum(trials[?traffic.ip_size==`64`].counters.loss_packets) == `0`", True, None),
        ("!contains(trials[].counters.verdict, 'short')", True, None),
        ("max_by(trials[?rates], &rates.pps).traffic.ip_size == `64`", True, None),
        ("trials[].counters.loss_packets == `[0, 3]`", True, None),
        ("type(searches) == 'array' && not_null(searches[0], `true`)", True, None),
        ("trials[?traffic.ip_size==`65`]", False, r"yields \[\], neither true nor false"),
        ("max(trials[].rates.pps)", False, r"yields 2000000.0, neither"),
        ("`1`", False, "yields 1, neither"),
        ("'true'", False, 'yields "true", neither'),
        ("length(nothing) == `0`", False, "invalid type"),
    ],
)
def test_answers(expression, passed, error):
    (one,) = judge_criteria([{"name": "it", "expression": expression}], RESULT)
    assert one["passed"] is passed
    if error is None:
        assert one["error"] is None
    else:
        assert re.search(error, one["error"]), one["error"]


# Whatever jmespath raises, and however long it takes: that is an error of this criterion, and the others have their
# answers.
@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("length(trials[::0]) > `0`", "slice step cannot be zero"),
        ("trials" + " | [@, @][]" * 60, "took more than .* and was ended"),
        ("trials[?to_string(@" + " | [@, @]" * 40 + ") == 'x']", "took more than .* and was ended"),
        ("&trials", "neither true nor false"),
    ],
)
def test_what_a_criterion_may_do(monkeypatch, expression, error):
    monkeypatch.setattr(_criteria, "bounded", lambda work: bounded(work, cpu_seconds=1, memory=200 << 20))
    found = judge_criteria(
        [{"name": "good", "expression": "length(trials) == `3`"}, {"name": "it", "expression": expression}], RESULT
    )
    assert [one["passed"] for one in found] == [True, False]
    assert re.search(error, found[1]["error"]), found


@pytest.mark.parametrize("expression", ["!" * 5000 + "`true`", "(" * 50000, "`" + "[" * 100000 + "`"])
def test_nested_too_deeply(expression):
    with pytest.raises(TrafficgenError, match="is nested too deeply"):
        check_criteria([{"name": "deep", "expression": expression}])
    with pytest.raises(TrafficgenError, match="is nested too deeply"):
        query(expression, RESULT)


# --- Work with a bound ---


def test_the_answer_is_the_works_own():
    assert bounded(lambda: {"a": [1, None, "\ud800"]}) == {"a": [1, None, "\ud800"]}
    with pytest.raises(TrafficgenError, match=r"^a\.json: is none: it says so\. Take another\.$"):
        bounded(lambda: fail(TrafficgenError("is none", on="a.json", said="it says so", remedy="Take another.")))
    with pytest.raises(TrafficgenError, match=r"^KeyError: 'trials'"):
        bounded(lambda: fail(KeyError("trials")))


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: [0] * (1 << 30), "took more than 500 MB of memory"),
        (lambda: next(number for number in itertools.count() if number < 0), r"took more than \d+ s"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "ended by signal 10 without an answer"),
        (lambda: os._exit(3), "ended with status 3 without an answer"),
        (lambda: "x" * (70 << 20), "gave more than 64 MB"),
    ],
)
def test_the_controller_survives(work, message):
    with pytest.raises(TrafficgenError, match=message):
        bounded(work, cpu_seconds=1, memory=500 << 20)
    with pytest.raises(ChildProcessError):  # nothing is left to wait for
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ([{"name": "a", "expression": "min(trials[?"}], r"criterion 'a': min\(trials\[\?: .*jmespath\.org"),
        ([{"name": "a", "expression": ""}], "criterion 'a'"),
        ([{"name": "a"}], "entry 1: not a criterion"),
        ([{"name": " ", "expression": "a"}], "entry 1: not a criterion"),
        ([{"name": "a", "expression": "a", "extra": 1}], "not a criterion"),
        ([{"name": "a", "expression": "b"}, {"name": "a", "expression": "c"}], "used twice"),
        ([{"name": "a", "expression": 1}], "is a string, not int"),
        (["min(a)"], "not a criterion"),
        ("min(a)", "not a list"),
    ],
)
def test_refused_before_anything_is_sent(criteria, message):
    with pytest.raises(TrafficgenError, match=message):
        check_criteria(criteria)


def test_without_jmespath(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(TrafficgenError, match=r"jmespath.*pip install jmespath"):
        check_criteria([{"name": "a", "expression": "a"}])
