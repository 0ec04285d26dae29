# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the search, on simulated devices and generators whose limits are known."""

from __future__ import annotations

import itertools
import json
import random
import re

import pytest

pytest.importorskip("MLRsearch")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies

from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import (
    check_found,
    device,
    search_for,
    settings_of,
)

# RFC 5180, appendix A.2: 10 Gb/s Ethernet.
LINE_RATES = {64: 14880952, 512: 2349624, 1518: 812744}
# The same examples in each run.
quickly = hypothesis.settings(deadline=None, max_examples=40, database=None, derandomize=True)


@pytest.mark.parametrize("wire", LINE_RATES)
@pytest.mark.parametrize("search", ["ndr", "pdr", "rfc2544"])
@pytest.mark.parametrize("bits", [None, 2.5e9])
def test_known_capacity(search, wire, bits):
    """Devices limited in frames a second (700,000) or in bits a second (2.5 Gb/s of wire frames)."""
    settings = settings_of(search, wire_frame_size=wire)
    assert round(settings.max_pps) == LINE_RATES[wire]
    capacity = 700000 if bits is None else bits / (wire * 8)
    result = search_for(settings, device(capacity))
    check_found(result, capacity, settings)
    found = result["found"]
    assert found["l1_mbps"] == pytest.approx(found["lower_pps"] * (wire + 20) * 8 / 1e6)
    assert found["l2_mbps"] == pytest.approx(found["lower_pps"] * wire * 8 / 1e6)
    assert found["frame_mbps"] == pytest.approx(found["lower_pps"] * (wire - 4) * 8 / 1e6)
    assert found["line_rate_percent"] == pytest.approx(found["lower_pps"] / settings.max_pps * 100)


# 42 bytes in the pcap are padded to 64 on the wire (IEEE 802.3); of those and as many of 78, the means are 60 and 73.
@pytest.mark.parametrize(("sizes", "wire"), [((42, 46), 64), ((42, 64), 64), ((60, 73), 73)])
def test_frames_that_are_padded(sizes, wire):
    settings = settings_of("rfc2544", frame_size=sizes[0], wire_frame_size=sizes[1])
    assert settings.max_pps == pytest.approx(1e10 / 8 / (wire + 20))
    found = search_for(settings, device(700000))["found"]
    rates = [found[unit] / found["lower_pps"] / 8 * 1e6 for unit in ("frame_mbps", "l2_mbps", "l1_mbps")]
    assert rates == pytest.approx([sizes[0], wire, wire + 20])


@quickly
@hypothesis.given(
    search=strategies.sampled_from(["ndr", "pdr", "rfc2544"]),
    share=strategies.floats(0.003, 0.99),
    width=strategies.sampled_from([0.002, 0.005, 0.02, 0.1]),
    durations=strategies.sampled_from([(None, None), (1, 5), (2, 30), (5, 5)]),
)
def test_any_capacity(search, share, width, durations):
    settings = settings_of(search, width=width, initial_duration=durations[0], final_duration=durations[1])
    capacity = settings.max_pps * share
    result = search_for(settings, device(capacity))
    check_found(result, capacity, settings)
    # A hard limit shows itself in the first trial; a bound takes 11 of the 21 s that a rate is judged by.
    assert len(result["trials"]) <= (20 if search == "rfc2544" else 45)


@hypothesis.settings(quickly, max_examples=20)
@hypothesis.given(
    search=strategies.sampled_from(["ndr", "pdr", "rfc2544"]),
    noise=strategies.floats(0.0, 0.03),
    seed=strategies.integers(0, 999),
)
def test_noise(search, noise, seed):
    """The search ends, within its trials, and finds what the noise leaves of the limit."""
    capacity = 700000
    settings = settings_of(search)
    result = search_for(settings, device(capacity, noise=noise, seed=seed))
    assert result["status"] == "found"
    assert len(result["trials"]) <= 200
    found = result["found"]
    assert found["upper_pps"] - found["lower_pps"] <= found["upper_pps"] * settings.goal.width + 2
    # Half of an NDR's trials may be worse: it is at the median. One trial of RFC 2544's may be 4 standard deviations
    # off.
    assert found["lower_pps"] == pytest.approx(capacity, rel=4 * noise + 0.011)


def test_a_small_constant_loss():
    """0.1 % is too much for no loss, and little enough for a partial drop rate of 0.5 %."""
    lossy = device(700000, constant=0.001)
    for search in ("ndr", "rfc2544"):
        result = search_for(settings_of(search), lossy)
        assert (result["status"], result["limited_by"], result["found"]) == ("not_found", "device", None)
        assert "even at min_pps, 1000.0 pps: 0.1000%" in result["reason"]
        assert len(result["trials"]) <= 40
    result = search_for(settings_of("pdr"), lossy)
    assert result["status"] == "found"
    # At x the device loses x/1000 and what is above 700000: 0.5 % at 700000 / 0.996.
    assert result["found"]["lower_pps"] == pytest.approx(700000 / 0.996, rel=0.006)
    assert result["found"]["conditional_pps"] <= 700000
    stricter = search_for(settings_of("pdr", loss_ratio=0.0005), lossy)
    assert stricter["status"] == "not_found"
    assert "a loss of more than 0.050%" in stricter["reason"]


def test_exceed_ratio():
    """A device that loses a frame in every fourth trial: half of them may for NDR, none for exceed_ratio 0 and RFC
    2544."""

    def measure_with(capacity):
        steady, numbers = device(capacity), itertools.count(1)

        def measure(pps, duration):
            trial = steady(pps, duration)
            return trial if next(numbers) % 4 else {**trial, "lost": max(1, trial["lost"])}

        return measure

    found = search_for(settings_of("ndr"), measure_with(700000))
    assert re.fullmatch(r"At [0-9.]+ pps, 3 of 14 trials lost frames: 3 of 9795002 \(3\.06e-05 %\)\.", found["reason"])
    check_found({**found, "reason": ""}, 700000, settings_of("ndr"))
    assert search_for(settings_of("ndr", exceed_ratio=0), measure_with(700000))["status"] == "not_found"


def hysteresis(high=50000, low=20000, share=0.2, seconds=10):
    """A device that loses a share of all, once it got more than ``high``, until it has had less than ``low`` for so
    long."""
    left = 0

    def measure(pps, duration):
        nonlocal left
        left = seconds if pps > high else 0 if pps < low else left
        lost = round(pps * duration * share) if left else 0
        left = max(0, left - duration)
        return {
            "asked_pps": pps,
            "duration": duration,
            "sent": round(pps * duration),
            "lost": lost,
            "seconds": float(duration),
        }

    return measure


def fickle(share_of_trials=0.4, share=0.3, seed=1):
    """A device that loses a share of all frames in some of the trials, at whatever rate."""
    chance = random.Random(seed)

    def measure(pps, duration):
        sent = round(pps * duration)
        lost = round(sent * share) if chance.random() < share_of_trials else 0
        return {"asked_pps": pps, "duration": duration, "sent": sent, "lost": lost, "seconds": float(duration)}

    return measure


def bucket(rate=50000, burst=25000):
    """A token bucket, full at the start of each trial."""

    def measure(pps, duration):
        sent = round(pps * duration)
        lost = max(0, sent - rate * duration - burst)
        return {"asked_pps": pps, "duration": duration, "sent": sent, "lost": lost, "seconds": float(duration)}

    return measure


@pytest.mark.parametrize("model", [hysteresis, fickle, bucket])
@pytest.mark.parametrize("search", ["ndr", "pdr"])
def test_what_was_found_tells_what_was_lost_there(search, model):
    """Three devices of which the exceed ratio hides a loss, or the trials' length a limit: the answer tells what its
    own trials lost."""
    result = search_for(settings_of(search, max_pps=100000, link_speed_mbps=None), model())
    there = [
        trial
        for trial in result["trials"]
        if trial["pps"] == pytest.approx(result["found"]["lower_pps"], rel=1e-4) and trial["valid"]
    ]
    told = result["found"]["at_rate"]
    assert told["trials"] == len(there)
    assert told["sent"] == sum(trial["sent"] for trial in there) and told["lost"] == sum(
        trial["lost"] for trial in there
    )
    assert told["with_loss"] == sum(trial["lost"] > 0 for trial in there)
    assert told["loss_ratio"] == told["lost"] / told["sent"]
    assert ("lost frames" in result["reason"]) == (told["over_goal"] > 0)
    assert "no loss" not in json.dumps(result)
    if model is not bucket:
        assert told["over_goal"] > 0


def test_rfc2544_is_the_plain_search():
    """Each trial is of full length, 60 s as RFC 2544 section 24 wants it, and no rate is tried twice."""
    result = search_for(settings_of("rfc2544"), device(700000, noise=0.02))
    assert {trial["duration"] for trial in result["trials"]} == {60}
    rates = [trial["asked_pps"] for trial in result["trials"]]
    assert len(set(rates)) == len(rates)
    assert result["goals"] == [
        {
            "loss_ratio": 0.0,
            "exceed_ratio": 0.0,
            "width": 0.005,
            "initial_duration": 60,
            "final_duration": 60,
            "duration_sum": 60,
        }
    ]
    assert result["trial_seconds"] == 60 * len(rates)


def test_short_trials_look_around_and_long_ones_decide():
    settings = settings_of("rfc2544", initial_duration=1, final_duration=30)
    result = search_for(settings, device(700000))
    at_the_bound = [
        trial for trial in result["trials"] if trial["pps"] == pytest.approx(result["found"]["lower_pps"], rel=1e-4)
    ]
    assert max(trial["duration"] for trial in at_the_bound) == 30
    assert result["trials"][0]["duration"] == 1


# --- The ends of the range ---


def test_no_loss_at_max():
    result = search_for(settings_of("ndr", max_pps=500000), device(700000))
    assert (result["status"], result["limited_by"]) == ("found", "max_pps")
    assert result["found"]["lower_pps"] == 500000
    assert result["found"]["upper_pps"] is None
    assert result["reason"] == "The goal was met at max_pps, 500000.0 pps: the device's limit is above."
    assert result["found"]["at_rate"]["with_loss"] == result["found"]["at_rate"]["lost"] == 0


def test_loss_at_min():
    result = search_for(settings_of("ndr", min_pps=2000), device(1500))
    assert (result["status"], result["limited_by"], result["found"]) == ("not_found", "device", None)
    assert "even at min_pps, 2000.0 pps: 25.0000%" in result["reason"]


# --- The generator ---


@pytest.mark.parametrize("search", ["ndr", "pdr", "rfc2544"])
def test_the_generator_is_the_limit(search):
    """It sends 450,000 at most, the device could do more: the answer is what was sent, and says so."""
    result = search_for(settings_of(search), device(700000, sender=450000))
    assert (result["status"], result["limited_by"]) == ("found", "generator")
    assert 450000 * (1 - 0.011) <= result["found"]["lower_pps"] <= 450000
    assert result["found"]["upper_pps"] is None
    assert "The generator could not send more" in result["reason"]
    assert "it sent 450000.0 at best. The device was not brought to its limit." in result["reason"]
    first = result["trials"][0]
    assert (first["valid"], first["lost"]) == (False, 0)
    assert "The generator sent only 450000.0 pps (tolerance 0.50%): no proof" in first["reason"]


def test_the_device_is_the_limit_below_the_generators():
    """At first the generator cannot send what is asked, but what it sends is lost already."""
    result = search_for(settings_of("ndr"), device(300000, sender=450000))
    check_found(result, 300000, settings_of("ndr"))
    assert result["trials"][0]["valid"] is True
    assert "and of that 33.333% was lost" in result["trials"][0]["reason"]


def test_more_loss_allowed_than_the_generator_falls_short():
    """A generator 3 % short of max_pps is no proof for max_pps, even where a loss of 5 % would be allowed."""
    result = search_for(settings_of("pdr", loss_ratio=0.05, max_pps=100000), device(700000, sender=97000))
    assert result["limited_by"] == "generator"
    assert result["found"]["lower_pps"] <= 97000


def test_the_generator_cannot_even_send_min():
    result = search_for(settings_of("ndr"), device(700000, sender=900))
    assert (result["status"], result["limited_by"]) == ("not_found", "generator")
    assert "could not send even min_pps, 1000.0 pps: 900.0 at best" in result["reason"]


def test_within_the_tolerance_the_answer_is_what_was_sent():
    """A generator that sends 0.3 % less than asked: no loss, and yet nothing above what was sent."""

    def measure(pps, duration):
        return device(700000)(pps * 0.997, duration) | {"asked_pps": pps}

    result = search_for(settings_of("ndr", max_pps=500000), measure)
    assert (result["status"], result["limited_by"]) == ("found", "max_pps")
    assert result["found"]["lower_pps"] == pytest.approx(500000 * 0.997)
    assert result["found"]["conditional_pps"] == result["found"]["lower_pps"]  # nothing was lost of it
    assert all(trial["valid"] for trial in result["trials"])
    assert search_for(settings_of("ndr", max_pps=500000, rate_tolerance=0.002), measure)["limited_by"] == "generator"


def test_within_the_tolerance_a_loss_is_that_of_what_was_sent():
    """A generator that sends 0.4 % more than asked, and a device that forwards 700,000: the bounds are on both sides of
    that."""

    def measure(pps, duration):
        return device(700000)(pps * 1.004, duration) | {"asked_pps": pps}

    found = search_for(settings_of("rfc2544"), measure)["found"]
    assert found["lower_pps"] <= 700000 <= found["upper_pps"]


@quickly
@hypothesis.given(
    search=strategies.sampled_from(["ndr", "pdr", "rfc2544"]),
    capacity=strategies.floats(2000, 2e6),
    sender=strategies.floats(2000, 2e6),
    noise=strategies.floats(0, 0.03),
    seed=strategies.integers(0, 999),
)
def test_never_above_what_was_sent(search, capacity, sender, noise, seed):
    settings = settings_of(search)
    result = search_for(settings, device(capacity, sender=sender, sender_noise=noise, noise=noise, seed=seed))
    if result["found"]:
        good = [
            trial for trial in result["trials"] if trial["valid"] and trial["loss_ratio"] <= settings.goal.loss_ratio
        ]
        assert max(trial["pps"] for trial in good) >= result["found"]["lower_pps"]
    else:
        assert result["reason"]


def test_a_hiccup_of_the_generator_is_measured_again():
    """It has sent more before, so one trial that fell short is no limit of it. Three in a row are taken for one."""
    settings = settings_of("rfc2544", final_duration=10)

    def stumbling(at):
        steady, numbers = device(700000), itertools.count(1)

        def measure(pps, duration):
            trial = steady(pps, duration)
            return {**trial, "sent": round(trial["sent"] * 0.9), "lost": 0} if next(numbers) in at else trial

        return measure

    once = search_for(settings, stumbling({3}))
    check_found(once, 700000, settings)
    assert once["trials"][2]["valid"] is False
    assert once["trials"][3]["asked_pps"] == once["trials"][2]["asked_pps"]
    assert search_for(settings, stumbling(set(range(3, 99))))["limited_by"] == "generator"


def test_a_trial_that_was_repeated_since_too_little_was_sent_hides_no_loss():
    """At 90 % of the rate found 1000 frames were lost once. That trial is measured again, and what it lost is told all
    the same."""
    settings = settings_of("rfc2544", final_duration=10)
    plain = search_for(settings, device(700000))
    found = plain["found"]["lower_pps"]
    first = itertools.chain([True], itertools.repeat(False))

    def measure(pps, duration):
        trial = device(700000)(pps, duration)
        return (
            {**trial, "sent": round(trial["sent"] * 0.9), "lost": 1000}
            if abs(pps - found) < 1 and next(first)
            else trial
        )

    result = search_for(settings, measure)
    assert len(result["trials"]) == len(plain["trials"]) + 1
    assert result["found"]["lower_pps"] == found
    there = result["found"]["at_rate"]
    assert (there["trials"], there["with_loss"], there["lost"]) == (2, 1, 1000)
    assert "1 of 2 trials lost frames: 1000 of" in result["reason"]
