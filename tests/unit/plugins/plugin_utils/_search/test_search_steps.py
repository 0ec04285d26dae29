# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the search's steps: what a trial proves, what is kept of it, and what is refused."""

from __future__ import annotations

import itertools
import json
import sys
import time
import types

import pytest

pytest.importorskip("MLRsearch")

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.estimate import estimate
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import (
    device,
    search_for,
    settings_of,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lost": None}, "what was lost is not known, as without a receiver"),
        (
            {"lost": None, "reason": "What arrived is not known: no counter."},
            "what was lost is not known: What arrived is not known: no counter.",
        ),
        ({"verdict": "unknown", "reason": "Why so."}, "its verdict is unknown: Why so."),
        ({"verdict": None}, "its verdict is unknown"),
        ({"verdict": "short"}, "its verdict is short"),
        ({"verdict": "impossible"}, "its verdict is impossible"),
        ({"sent": 0, "lost": 0}, "nothing was sent"),
        ({"seconds": 0}, "nothing was sent"),
        ({"seconds": None}, "nothing was sent"),
        ({"seconds": 0.7}, "it ended after 0.7 s"),
        ({"pps": 2e7}, "it was sent faster than asked, at 20000000.0 pps"),
        ({"error": "gen1: tcpreplay failed."}, "it failed: gen1: tcpreplay failed."),
    ],
)
def test_no_evidence(change, reason):
    settings = settings_of("ndr")
    measured = [device(700000)(settings.max_pps, 1)]
    following = step(measured, settings)["next"]
    measured.append({**device(700000)(following["pps"], following["duration"]), **change})
    tree = step(measured, settings)
    assert (tree["done"], tree["next"]) == (True, None)
    result = tree["result"]
    assert (result["status"], result["found"], result["limited_by"]) == ("failed", None, None)
    assert result["reason"].startswith(f"Trial 2 ({following['pps']:.1f} pps for 1 s) proves nothing: {reason}")
    assert [trial["valid"] for trial in result["trials"]] == [True, False]
    # With the short form of the trials, the answer is the same.
    assert step(tree["measured"], settings) == tree


def test_too_many_trials():
    result = search_for(settings_of("ndr", max_trials=20), device(700000, noise=0.02))
    assert result["status"] == "failed"
    assert len(result["trials"]) == 20
    assert "did not end within 20 trials (max_trials)" in result["reason"]


# --- Steps ---


def test_deterministic_whatever_the_clock_says(monkeypatch):
    settings = settings_of("ndr")
    result = search_for(settings, device(700000, noise=0.01))
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(hours)))
    assert search_for(settings, device(700000, noise=0.01)) == result
    monkeypatch.undo()
    assert result["library"].startswith("MLRsearch 1.2")


def test_results_of_the_module():
    """The figures are taken from the module's tree. Other hosts' frames on the device are not counted as the test's."""
    settings = settings_of("ndr", max_pps=100000)
    tree = {
        "stats": {"packets": 100000, "seconds": 1.0, "pps": 99999.5},
        "counters": {
            "tx": {"packets": 100002},
            "rx": {"packets": 99990},
            "loss_packets": 10,
            "verdict": "consistent",
            "reason": "2 of others.",
        },
    }
    measured = step([{"asked_pps": 100000, "duration": 1, "result": tree}], settings)["measured"]
    assert measured == [
        {
            "asked_pps": 100000.0,
            "duration": 1,
            "sent": 100000,
            "lost": 10,
            "seconds": 1.0,
            "pps": 99999.5,
            "verdict": "consistent",
            "reason": "2 of others.",
            "counters": tree["counters"],
        }
    ]
    failed = step(
        [{"asked_pps": 100000, "duration": 1, "result": {"failed": True, "msg": "no such interface"}}], settings
    )["result"]
    assert "it failed: no such interface." in failed["reason"]
    early = step([{"asked_pps": 100000, "duration": 1, "result": {"stats": None, "counters": None}}], settings)[
        "result"
    ]
    assert "it failed: it has no statistics." in early["reason"]


def test_how_each_trial_was_sent_and_counted_is_kept():
    """As of any trial: the command line, the method that was used, and what each side counted. No more, as it goes from
    step to step."""
    settings = settings_of("rfc2544", max_pps=100000, final_duration=1)
    counters = {
        "tx": {"source": "a", "packets": 100000},
        "rx": {"source": "b", "packets": 100000, "host_drops": 0},
        "loss_packets": 0,
    }
    tree = {
        "stats": {"packets": 100000, "seconds": 1.0, "pps": 1e5, "intervals": [1] * 1000},
        "run": {
            "command": ["tcpreplay", "-i", "ens17"],
            "injection_method": "netmap",
            "netmap_mode": "emulated",
            "stdout": "x" * 1000,
        },
        "counters": {**counters, "verdict": "consistent", "reason": ""},
        "error": None,
    }
    kept = {
        "command": ["tcpreplay", "-i", "ens17"],
        "injection_method": "netmap",
        "netmap_mode": "emulated",
        "counters": tree["counters"],
    }
    made = step([{"asked_pps": 100000, "duration": 1, "result": tree, "error": None}], settings)
    again = step(json.loads(json.dumps(made["measured"])), settings)
    assert again == made
    (one,) = again["result"]["trials"]
    assert {name: one[name] for name in kept} == kept
    assert len(json.dumps(again["measured"])) < 600
    # Also for a failed trial, and null if unknown.
    failed = step(
        [{"asked_pps": 100000, "duration": 1, "result": {**tree, "counters": None}, "error": "it broke"}], settings
    )
    failed = step(failed["measured"], settings)
    assert failed["result"]["reason"].endswith("it failed: it broke.")
    (one,) = failed["result"]["trials"]
    assert {name: one[name] for name in kept} == {**kept, "counters": None}
    (one,) = step([{"asked_pps": 100000, "duration": 1, "error": "the host went away"}], settings)["result"]["trials"]
    assert {name: one[name] for name in kept} == dict.fromkeys(kept)


def test_a_search_through_af_xdp_keeps_its_engine_and_mode():
    """xdp_replay starts no command. Which engine sent, and in which mode, is kept of each trial."""
    settings = settings_of("rfc2544", max_pps=100000, final_duration=1)
    sent_by = {"command": None, "engine": "af_xdp", "injection_method": "af_xdp", "xdp_mode": "copy"}
    tree = {
        "stats": {"packets": 100000, "seconds": 1.0, "pps": 1e5},
        "run": {**sent_by, "netmap_mode": None, "workers": [{"cpu": 0}] * 100},
        "counters": {"tx": {"packets": 100000}, "loss_packets": 0, "verdict": "consistent", "reason": ""},
    }
    made = step([{"asked_pps": 100000, "duration": 1, "result": tree}], settings)
    again = step(json.loads(json.dumps(made["measured"])), settings)
    assert (again["done"], again["result"]["status"]) == (True, "found")
    (one,) = again["result"]["trials"]
    assert {name: one[name] for name in sent_by} == sent_by
    assert "workers" not in one  # few are kept, as all trials are passed from step to step


class Lazy(dict):
    """As ansible-core's containers in a template: nobody else may make one."""

    def __init__(self, *_arguments):
        raise TypeError("Direct construction of lazy containers is not supported.")

    @classmethod
    def made(cls, value):
        one = cls.__new__(cls)
        one.update({key: cls.made(each) if isinstance(each, dict) else each for key, each in value.items()})
        return one


def test_results_in_ansibles_own_containers():
    settings = settings_of("rfc2544", max_pps=100000, final_duration=1)
    counters = {"tx": {"packets": 100000}, "loss_packets": 0, "verdict": "consistent", "reason": ""}
    result = {
        "stats": {"packets": 100000, "seconds": 1.0, "pps": 1e5},
        "run": {"command": ["tcpreplay"]},
        "counters": counters,
    }
    made = step([Lazy.made({"asked_pps": 100000, "duration": 1, "result": result})], settings)
    assert step([Lazy.made(made["measured"][0])], settings) == made
    assert not isinstance(made["measured"][0]["counters"]["tx"], Lazy)


def test_a_result_that_cannot_be_ends_the_search_with_its_trials():
    """More lost than sent, or half a frame: the play must not fail, or the other hosts' results would be lost."""
    settings = settings_of("ndr", max_pps=100000)
    stats = {"packets": 100000, "seconds": 1.0, "pps": 99999.5}
    for lost, why in ((100003, "lost 100003 of 100000 frames"), (0.5, "not a whole number of frames"), (-1, "")):
        result = {
            "stats": stats,
            "counters": {"tx": {"packets": 100003}, "loss_packets": lost, "verdict": "consistent"},
        }
        tree = step([{"asked_pps": 100000, "duration": 1, "result": result}], settings)
        assert (tree["done"], tree["result"]["status"], len(tree["result"]["trials"])) == (True, "failed", 1)
        assert f"proves nothing: it failed: what it counted cannot be: {why}" in tree["result"]["reason"]
        assert step(tree["measured"], settings) == tree


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ("trials", "not a list of trials"),
        ({"asked_pps": 1}, "not a list of trials"),
        (None, "not a list of trials"),
        ([None], "trial 1: not a trial"),
        ([{"asked_pps": 1000}], "trial 1: not a trial"),
        ([{"asked_pps": "fast", "duration": 1}], "trial 1, asked_pps 'fast'"),
        ([{"asked_pps": 1000, "duration": 1.5}], "trial 1, duration 1.5: not a whole number"),
        ([{"asked_pps": 1000, "duration": 1}], "trial 1: it has no sent, lost, seconds"),
        ([{"asked_pps": 1000, "duration": 1, "result": "ok"}], "trial 1: not a result"),
        ([{"asked_pps": 1e5, "duration": 1, "sent": 10, "lost": 11, "seconds": 1}], "trial 1: lost 11 of 10"),
        ([{"asked_pps": 1e5, "duration": 1, "sent": -1, "lost": 0, "seconds": 1}], "trial 1, sent -1"),
        ([{"asked_pps": 1e5, "duration": 1, "sent": 1.5, "lost": 0, "seconds": 1}], "trial 1, sent 1.5: not a whole"),
        ([{"asked_pps": 1e5, "duration": 1, "sent": 1, "lost": float("nan"), "seconds": 1}], "trial 1, lost nan"),
        ([{"asked_pps": 1e5, "duration": 1, "sent": 1, "lost": 0, "seconds": "x"}], "trial 1, seconds 'x'"),
        (
            [{"asked_pps": 9e4, "duration": 1, "sent": 90000, "lost": 0, "seconds": 1}],
            "trial 1: not the trial .*90000.000 pps for 1 s instead of 100000.000",
        ),
        (
            [{"asked_pps": 1e5, "duration": 2, "sent": 200000, "lost": 0, "seconds": 2}],
            "trial 1: not the trial .* for 2 s instead of .* for 1 s",
        ),
        (
            [{"asked_pps": 1e5, "duration": 1, "sent": 100000, "lost": 0, "seconds": 1}] * 12,
            "trial 12: the search had ended before it, with trial 11",
        ),
    ],
)
def test_garbage_trials(measured, message):
    with pytest.raises(TrafficgenError, match=message):
        step(measured, settings_of("ndr", max_pps=100000))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"search": "mrr"}, "'mrr': not a search.*ndr, pdr, rfc2544"),
        ({"search": None}, "not a search"),
        ({"search": "ndr", "link_speed_mbps": None}, "max_pps: a search needs a rate to begin at"),
        ({"search": "ndr", "max_pps": "fast"}, "max_pps 'fast'"),
        ({"search": "ndr", "max_pps": 500, "min_pps": 500}, "min_pps 500: not below max_pps 500"),
        ({"search": "ndr", "min_pps": 0}, "min_pps 0"),
        ({"search": "ndr", "wire_frame_size": 3}, "too small"),
        ({"search": "ndr", "width": 0}, "width 0"),
        ({"search": "ndr", "width": 1}, "width 1: not a ratio below 1"),
        ({"search": "ndr", "loss_ratio": 0.1}, "loss_ratio: ndr defines it.*pdr"),
        ({"search": "pdr", "loss_ratio": 0}, "loss_ratio 0"),
        ({"search": "pdr", "loss_ratio": 5}, "loss_ratio 5: not a ratio"),
        ({"search": "rfc2544", "exceed_ratio": 0.5}, "exceed_ratio: rfc2544 defines it"),
        ({"search": "rfc2544", "duration_sum": 60}, "duration_sum: rfc2544 defines it"),
        ({"search": "ndr", "exceed_ratio": 1}, "exceed_ratio 1"),
        ({"search": "ndr", "final_duration": 0.5}, "final_duration 0.5: not a whole number"),
        (
            {"search": "ndr", "final_duration": 5, "duration_sum": 4},
            "initial_duration 1, final_duration 5, duration_sum 4: not in order",
        ),
        ({"search": "ndr", "initial_duration": 5}, "initial_duration 5, final_duration 1"),
        ({"search": "ndr", "rate_tolerance": 2}, "rate_tolerance 2"),
        ({"search": "ndr", "max_trials": 0}, "max_trials 0"),
    ],
)
def test_garbage_settings(arguments, message):
    with pytest.raises(TrafficgenError, match=message):
        settings_of(**arguments)


def test_defaults():
    settings = check_settings("ndr", max_pps="2000", min_pps=None)
    assert (settings.min_pps, settings.max_pps) == (200, 2000)
    assert settings_of("ndr").min_pps == 1000
    assert settings_of("pdr").goal.loss_ratio == 0.005
    assert settings_of("ndr", final_duration=30).goal.duration_sum == 30
    found = search_for(settings, device(1000))["found"]
    assert found["l1_mbps"] is found["line_rate_percent"] is None


@pytest.mark.parametrize(
    "arguments", [{"search": "ndr"}, {"search": "rfc2544"}, {"search": "pdr", "final_duration": 5}]
)
def test_estimate(arguments):
    settings = settings_of(**arguments)
    took = estimate(settings)
    result = search_for(settings, device(0.7 * settings.max_pps))
    assert (took.trials, took.seconds) == (len(result["trials"]), result["trial_seconds"])
    assert took.lossy == sum(trial["lost"] > 0 for trial in result["trials"])
    # A device that carries less when it is overloaded takes more trials, and one that carries all takes fewer.
    assert estimate(settings, overload=0.5).trials > took.trials > estimate(settings, 1.1).trials
    assert estimate(settings, 1.1).lossy == 0


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "MLRsearch", None)
    with pytest.raises(TrafficgenError, match=r"missing on the controller: .* MLRsearch.*pip install MLRsearch"):
        step([], settings_of("ndr"))


def test_another_release_of_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "MLRsearch", types.ModuleType("MLRsearch"))
    with pytest.raises(TrafficgenError, match=r"MLRsearch is not release 1\.2.*pip install"):
        step([], settings_of("ndr"))
