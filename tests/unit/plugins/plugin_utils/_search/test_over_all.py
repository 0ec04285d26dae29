# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a search over several hosts with one load: on devices with known limits, and of what is no evidence."""

from __future__ import annotations

import itertools
import json
import random

import pytest

pytest.importorskip("MLRsearch")

from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import (
    bounded,
    common_options,
    options_for,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import (
    TRAFFIC,
    check_found,
    devices,
    own,
    search_for,
    settings_of,
    shared,
)

BOTH = ("forward", "reverse")
FLEET = ("gen1", "gen2", "gen3", "gen4")


@pytest.mark.parametrize("search", ["ndr", "pdr", "rfc2544"])
@pytest.mark.parametrize(
    ("names", "forwards", "each"),
    [
        (BOTH, shared(700000), 350000),
        (FLEET, shared(700000), 175000),
        (BOTH, own(forward=300000, reverse=500000), 300000),
        (("gen1",), shared(700000), 700000),
    ],
)
def test_the_load_is_per_interface(search, names, forwards, each):
    settings = settings_of(search)
    result = search_for(settings, devices(names, forwards))
    # A PDR allows 0.5 % of all frames. Where one of two directions has none left, that one may lose 1 %.
    one_of_two = search == "pdr" and each == 300000
    check_found(result, each * (1 + 0.005 * one_of_two), settings)
    found = result["found"]
    assert found["aggregate"]["factor"] == len(names)
    for key in ("lower_pps", "upper_pps", "conditional_pps", "l1_mbps", "l2_mbps", "frame_mbps"):
        assert found["aggregate"][key] == found[key] * len(names)
    # The line's share is that of a line.
    assert found["line_rate_percent"] == pytest.approx(found["lower_pps"] / 14880952.38 * 100)


def test_loss_is_that_of_all_frames():
    """1 - received / sent over all, as RFC 9971 has it (Trial Forwarding Ratio), and each host's own beside it."""
    settings = settings_of("pdr")
    lossy = devices(BOTH, lambda sent, _seconds: {"forward": sent["forward"], "reverse": sent["reverse"] * 0.992})
    result = search_for(settings, lossy)
    assert (result["status"], result["limited_by"]) == ("found", "max_pps")
    there = result["found"]["at_rate"]
    assert 0.0039 < there["loss_ratio"] < 0.0041
    assert there["hosts"]["forward"]["loss_ratio"] == 0
    assert 0.0079 < there["hosts"]["reverse"]["loss_ratio"] < 0.0081
    for one in (there, *result["trials"]):
        parts = one["hosts"].values()
        assert (one["sent"], one["lost"]) == (sum(p["sent"] for p in parts), sum(p["lost"] for p in parts))
        assert all(part["received"] == part["sent"] - part["lost"] for part in parts)
    assert all(trial["received"] == trial["sent"] - trial["lost"] for trial in result["trials"])


def test_any_order_of_hosts_gives_the_same():
    settings = settings_of("rfc2544")
    forwards = own(gen1=200000, gen2=300000, gen3=150000, gen4=900000)
    senders = {"gen2": 180000}
    results = [
        search_for(settings, devices(order, forwards, senders))
        for order in itertools.islice(itertools.permutations(FLEET), 0, None, 5)
    ]
    assert all(json.dumps(one) == json.dumps(results[0]) for one in results)


@given(
    st.lists(st.integers(2000, 900000), min_size=1, max_size=4),
    st.lists(st.integers(2000, 900000), min_size=4, max_size=4),
    st.randoms(),
)
@how(max_examples=8, deadline=None)
def test_what_is_found_was_sent_and_not_lost(limits, can, chance):
    """Whatever each direction and each generator can do: the answer is the least of all, or below it by the width."""
    names = FLEET[: len(limits)]
    forwards, senders = own(**dict(zip(names, limits))), dict(zip(names, can))
    settings = settings_of("rfc2544", max_pps=1000000, min_pps=1000, final_duration=10)
    result = search_for(settings, devices(names, forwards, senders))
    other = list(names)
    chance.shuffle(other)
    assert search_for(settings, devices(other, forwards, senders)) == result
    least, most = min(*limits, 10**9), min(senders[name] for name in names)
    assert result["status"] == "found"
    assert min(least, most) * 0.99 < result["found"]["lower_pps"] <= min(least, most) * 1.001
    assert result["limited_by"] in ("device", "generator")
    if least < most * 0.98:
        assert result["limited_by"] == "device"
    if most < least * 0.98:
        assert result["limited_by"] == "generator"


# --- Dead or starved ---


@pytest.mark.parametrize("search", ["ndr", "rfc2544"])
def test_a_dead_direction_is_no_loss(search):
    """Of one direction nothing arrives, at any load: said after two trials, and not searched down to min_pps."""
    settings = settings_of(search)
    result = search_for(settings, devices(BOTH, own(forward=500000, reverse=0)))
    assert (result["status"], result["limited_by"], result["found"]) == ("failed", None, None)
    assert result["reason"] == (
        "Nothing that reverse sent arrived in trial 1 (14880952.4 pps), nor in trial 2 at min_pps (1000.0 pps): that "
        "direction is dead, and its loss is not that of a load."
    )
    assert [trial["asked_pps"] for trial in result["trials"]] == [settings.max_pps, settings.min_pps]
    assert result["trials"][1]["reason"].startswith("Made at min_pps to see whether reverse is dead.")
    assert result["trials"][1]["hosts"]["reverse"]["loss_ratio"] == 1


def test_all_directions_dead():
    result = search_for(settings_of("ndr"), devices(BOTH, own(forward=0, reverse=0)))
    assert result["reason"].startswith("Nothing that forward and reverse sent arrived in trial 1")
    assert len(result["trials"]) == 2


def test_a_direction_that_dies_later():
    """It was there in the first trials, and then it is not: no evidence about a load."""
    settings = settings_of("ndr")
    measured, alive = [], devices(BOTH, shared(700000))
    for _trial in range(4):
        following = step(measured, settings)["next"]
        measured.append(alive(following["pps"], following["duration"]))
    dead = devices(BOTH, own(forward=700000, reverse=0))
    while not (tree := step(measured, settings))["done"]:
        measured.append(dead(tree["next"]["pps"], tree["next"]["duration"]))
    assert tree["result"]["reason"].startswith("Nothing that reverse sent arrived in trial 5")
    assert len(measured) == 6


@pytest.mark.parametrize("search", ["ndr", "rfc2544"])
def test_a_starved_direction_is_not_dead(search):
    """At overload the device forwards one direction before the other. Half of its limit is found nevertheless."""

    def first(sent, seconds):
        forward = min(sent["forward"], 700000 * seconds)
        return {"forward": forward, "reverse": min(sent["reverse"], 700000 * seconds - forward)}

    settings = settings_of(search)
    result = search_for(settings, devices(BOTH, first))
    check_found(result, 350000, settings)
    looked = [trial for trial in result["trials"] if "to see whether reverse is dead" in trial["reason"]]
    assert looked
    assert all(trial["asked_pps"] == settings.min_pps and trial["valid"] for trial in looked)
    assert result["trials"][0]["reason"] == "Nothing that reverse sent arrived."


# --- No evidence ---


@pytest.mark.parametrize(
    ("of_reverse", "reason"),
    [
        ({}, "reverse: it failed: the host made no trial."),
        (None, "reverse: it failed: the host made no trial."),
        (
            {"stats": None, "counters": None, "error": "the host went away: No route to host"},
            "reverse: it failed: the host went away: No route to host.",
        ),
        (
            {"sent": 100, "lost": 0, "seconds": 1.0, "verdict": "unknown", "reason": "Why."},
            "reverse: its verdict is unknown: Why.",
        ),
        ({"sent": 100, "lost": 0, "seconds": 1.0, "verdict": "impossible"}, "reverse: its verdict is impossible."),
        ({"sent": 100, "lost": None, "seconds": 1.0}, "reverse: what was lost is not known, as without a receiver."),
        ({"sent": 0, "lost": 0, "seconds": 1.0}, "reverse: nothing was sent."),
        ({"sent": 100, "lost": 0, "seconds": 0.2}, "reverse: it ended after 0.2 s."),
        ({"sent": 30000000, "lost": 0, "seconds": 1.0}, "reverse: it was sent faster than asked, at 30000000.0 pps"),
    ],
)
def test_one_host_without_evidence(of_reverse, reason):
    """The trial proves nothing, whatever the others measured; the host is named, and the search ends."""
    settings = settings_of("ndr")
    measured = devices(BOTH, shared(700000))(settings.max_pps, 1)
    measured["hosts"]["reverse"] = of_reverse
    tree = step([measured], settings)
    assert (tree["done"], tree["result"]["status"], tree["result"]["found"]) == (True, "failed", None)
    assert tree["result"]["reason"].startswith(f"Trial 1 (14880952.4 pps for 1 s) proves nothing: {reason}")
    (trial,) = tree["result"]["trials"]
    assert (trial["valid"], trial["hosts"]["forward"]["verdict"]) == (False, "consistent")
    # With the short form of the trials, the answer is the same.
    assert step(tree["measured"], settings) == tree


def figures_of_all(**of_each):
    """What a result has of a trial in which the hosts measured this."""
    settings = settings_of("ndr")
    given = {name: {"sent": 14880952, "lost": 0, "seconds": 1.0, **one} for name, one in of_each.items()}
    [trial] = step([{"asked_pps": settings.max_pps, "duration": 1, "hosts": given}], settings)["result"]["trials"]
    return trial


def test_what_a_short_trial_sent_is_what_its_device_counted():
    """Its loss is of that, too."""
    run = {"stats": {"packets": 1000, "seconds": 1.0, "pps": 1000.0}, "run": {}}
    counters = {"tx": {"packets": 900}, "loss_packets": 90, "loss_ratio": 0.1, "verdict": "short", "reason": "."}
    trial = figures_of_all(forward={"result": {**run, "counters": counters}})
    assert (trial["hosts"]["forward"]["sent"], trial["loss_ratio"]) == (900, 0.1)


def test_a_part_that_is_not_known_makes_the_sum_unknown():
    """Forward's frames alone are not all frames."""
    trial = figures_of_all(forward={"lost": 7}, reverse={"lost": None})
    assert (trial["sent"], trial["lost"], trial["loss_ratio"], trial["received"]) == (2 * 14880952, None, None, None)
    trial = figures_of_all(forward={}, reverse={"error": "it failed"})
    assert (trial["sent"], trial["lost"], trial["pps"], trial["seconds"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("forward", "reverse", "of_all"),
    [
        ({"verdict": "short"}, {"verdict": "impossible"}, "impossible"),
        ({"verdict": "impossible"}, {"verdict": "unknown"}, "impossible"),
        ({"verdict": "unknown"}, {"verdict": "short"}, "short"),
        ({"verdict": "consistent"}, {"verdict": "unknown"}, "unknown"),
        ({"verdict": "impossible"}, {"error": "it failed"}, None),
    ],
)
def test_the_verdict_on_all_is_the_worst(forward, reverse, of_all):
    assert figures_of_all(forward=forward, reverse=reverse)["verdict"] == of_all
    assert figures_of_all(forward=reverse, reverse=forward)["verdict"] == of_all


def test_hosts_that_send_together_take_as_long_as_the_longest():
    trial = figures_of_all(forward={"seconds": 1.0, "verdict": "short"}, reverse={"seconds": 1.25})
    assert (trial["seconds"], trial["pps"]) == (1.25, pytest.approx(14880952 / 1.25))


def test_a_generator_that_fell_short_is_named_and_proves_nothing():
    settings = settings_of("ndr")
    result = search_for(settings, devices(BOTH, shared(700000), {"reverse": 200000}))
    assert (result["status"], result["limited_by"]) == ("found", "generator")
    assert result["found"]["lower_pps"] == 200000
    assert result["found"]["upper_pps"] is None
    assert result["reason"].startswith("reverse could not send more: asked for 20")
    short = [trial for trial in result["trials"] if trial["asked_pps"] > 210000]
    assert short
    for trial in short:
        # Even where frames were lost: the share that was lost is not that of this load.
        assert not trial["valid"]
        assert trial["reason"].startswith("reverse: the generator sent only 200000.0 pps (tolerance 0.50%)")
        assert "forward" not in trial["reason"]


def test_a_generator_that_cannot_send_the_least():
    result = search_for(settings_of("rfc2544"), devices(BOTH, shared(700000), {"forward": 300}))
    assert (result["status"], result["limited_by"]) == ("not_found", "generator")
    assert result["reason"] == "forward could not send even min_pps, 1000.0 pps: 300.0 at best."


def test_a_hiccup_of_one_host_hides_no_loss():
    """It sent too little once at the rate found, and frames were lost. The trial was repeated, and is still told of."""
    settings = settings_of("ndr", max_pps=100000)
    good = devices(BOTH, shared(1000000))
    short = good(100000, 1)
    short["hosts"]["reverse"] = {"sent": 50000, "lost": 100, "seconds": 1.0}
    measured = [good(100000, 1), short]
    while not (tree := step(measured, settings))["done"]:
        measured.append(good(tree["next"]["pps"], tree["next"]["duration"]))
    there = tree["result"]["found"]["at_rate"]
    assert (there["lost"], there["hosts"]["reverse"]["lost"], there["hosts"]["forward"]["lost"]) == (100, 100, 0)
    assert [trial["valid"] for trial in tree["result"]["trials"][:3]] == [True, False, True]


def test_it_ends_whatever_is_measured():
    """Hosts that do anything do not keep it going for ever."""
    chance = random.Random(5)
    for _search in range(5):
        settings = settings_of("ndr", max_trials=30)
        wild = devices(FLEET, lambda sent, _seconds: {name: count * chance.random() for name, count in sent.items()})
        result = search_for(settings, wild)
        assert result["status"] in ("found", "not_found", "failed")
        assert len(result["trials"]) <= 30


def test_not_hosts():
    with pytest.raises(TrafficgenError, match=r"trial 1: hosts is not a dictionary of hosts"):
        step([{"asked_pps": 1000, "duration": 1, "hosts": ["gen1"]}], settings_of("ndr"))
    with pytest.raises(TrafficgenError, match=r"gen1, trial 1: it has no sent"):
        step([{"asked_pps": 1000, "duration": 1, "hosts": {"gen1": {"lost": 1, "seconds": 1}}}], settings_of("ndr"))


# --- The largest common load ---

SMALL, LARGE = {"wire_frame_size": 64, "frame_size": 60}, {"wire_frame_size": 1518, "frame_size": 1514}


def test_the_slowest_line_bounds_the_load():
    hosts = {"gen1": {**SMALL, "link_speed_mbps": 10000}, "gen2": {**SMALL, "link_speed_mbps": 1000}}
    settings = check_settings("ndr", **common_options(hosts, {}))
    assert settings.max_pps == pytest.approx(1488095.2, abs=0.1)
    assert (settings.size.wire, settings.link_speed_mbps) == (64, None)
    assert bounded({"scan": hosts}, {}) == [
        "The largest load of scan is 1488095.2 pps for each interface: the line rate of gen2."
    ]
    assert check_settings("ndr", **common_options(hosts, {"max_pps": 5e6})).max_pps == settings.max_pps
    assert check_settings("ndr", **common_options(hosts, {"max_pps": "5e5"})).max_pps == 5e5
    assert bounded({"scan": hosts}, {"max_pps": 5e5}) == []


def test_different_sizes_have_no_common_bits():
    hosts = {"gen1": {**SMALL, "link_speed_mbps": 10000}, "gen2": {**LARGE, "link_speed_mbps": 10000}}
    settings = check_settings("rfc2544", **common_options(hosts, {}))
    assert settings.max_pps == pytest.approx(812743.8, abs=0.1)
    assert settings.size is None
    found = search_for(settings, devices(("gen1", "gen2"), shared(700000)))["found"]
    assert (found["l1_mbps"], found["aggregate"]["l1_mbps"], found["line_rate_percent"]) == (None, None, None)
    assert found["aggregate"]["lower_pps"] == 2 * found["lower_pps"]


def test_the_same_lines_are_a_search_as_of_one():
    hosts = {name: {**SMALL, "link_speed_mbps": 10000} for name in BOTH}
    assert check_settings("ndr", **common_options(hosts, {})) == settings_of("ndr", frame_size=60)
    assert bounded({"scan": hosts}, {}) == []


@pytest.mark.parametrize(
    ("change", "options", "error"),
    [
        ({"link_speed_mbps": None}, {}, "a search needs a rate to begin at"),
        ({"link_speed_mbps": 1}, {"min_pps": 5000}, r"min_pps 5000: not below max_pps 1488"),
        ({}, {"max_pps": "fast"}, "max_pps 'fast': not a number above 0"),
    ],
)
def test_no_common_load(change, options, error):
    hosts = {name: {**SMALL, "link_speed_mbps": 10000, **change} for name in BOTH}
    with pytest.raises(TrafficgenError, match=error):
        check_settings("ndr", **common_options(hosts, options))


def test_traffic_that_a_host_does_not_have():
    hosts = {
        "gen1": {"traffic": [TRAFFIC], "link_speed_mbps": 10000},
        "gen2": {"traffic": [{**TRAFFIC, "name": "other"}], "link_speed_mbps": 10000},
    }
    with pytest.raises(
        TrafficgenError, match=r"throughput_traffic, scan: gen2 cannot send it, and .* one load for all"
    ):
        options_for(hosts, "scan", {}, together=True)
