# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _replay/rate. What tcpreplay says was recorded from 4.4.3 on a veth, of frames of 60 bytes."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RATE_UNITS, Size, plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import (
    Recorded,
    elapsed,
    measured,
    missed,
    reached,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse


def printed(actual, rated):
    return f"Actual: {actual} seconds\nRated: {rated} pps\n"


SIXTY = Size.of(60)
PPS_2 = printed("2 packets (120 bytes) sent in 0.500019", "239.9 Bps, 0.001 Mbps, 3.99")
# --pps 2 of two frames, three times; they are due after 0, 0.5 ... 2.5 s.
PPS_6 = printed("6 packets (360 bytes) sent in 2.50", "143.9 Bps, 0.001 Mbps, 2.39")
# --mbps 0.00096, which is 2 frames a second.
MBPS_6 = printed("6 packets (360 bytes) sent in 3.00", "119.8 Bps, 0.000 Mbps, 1.99")
# Two frames recorded 1 s apart: three passes, and two at --multiplier=2.
RECORDED_6 = printed("6 packets (360 bytes) sent in 3.00", "119.9 Bps, 0.000 Mbps, 1.99")
TWICE_4 = printed("4 packets (240 bytes) sent in 1.00", "239.9 Bps, 0.001 Mbps, 3.99")
ONE = printed("1 packets (60 bytes) sent in 0.000021", "2857142.8 Bps, 22.85 Mbps, 47619.04")
TEN = printed("10 packets (600 bytes) sent in 0.000042", "14285714.2 Bps, 114.28 Mbps, 238095.23")
THOUSAND = printed("1000 packets (60000 bytes) sent in 0.002542", "23603461.8 Bps, 188.82 Mbps, 393391.03")


def share(said, form, value, recorded=None, speed=None, size=SIXTY, interrupted=False):
    stats = {**parse(said), "interrupted": interrupted}
    plan = plan_rate(form, value, size, speed)
    return reached(plan, measured(stats, size, speed), stats, recorded)


@pytest.mark.parametrize(
    ("said", "packets", "reason"),
    [
        (ONE, 1, "One frame has no rate."),
        (TEN, 10, "10 frames in 0.000042 s have no rate: it would be more than 1 % off below 0.002 s."),
        ("", None, "Tcpreplay printed no statistics."),
    ],
)
def test_what_has_no_rate(said, packets, reason):
    stats = parse(said)
    assert stats["packets"] == packets
    assert measured(stats, SIXTY, 10000) == {**dict.fromkeys(RATE_UNITS), "reason": reason}
    assert reached(plan_rate("pps", 1000, SIXTY), measured(stats, SIXTY, None), stats, None) is None


def test_a_short_run_has_a_rate():
    rates = measured(parse(THOUSAND), SIXTY, None)
    assert (rates["pps"], rates["reason"]) == (393391.03, "")


def test_nothing_sent_has_no_rate():
    assert measured(parse("", exit_status=0), None, 10000)["reason"] == "Nothing was sent."


# 600 frames in 59.9 s and 3 in 90 s by its clock; what tcpreplay prints of that is cut.
@pytest.mark.parametrize(
    ("packets", "seconds", "within"),
    [
        (600, 59.9, 0.0002),
        (3, 90.0, 0.0002),
        (2, 0.500019, 1e-6),
        (10**9, 1000.0, 1e-5),
        (5, 1.5, 0.001),
        (10**6, 1.0099, 1e-5),
    ],
)
def test_the_time_is_known_better_than_its_two_decimals(packets, seconds, within):
    size = packets * 60
    cut = {"seconds": int(seconds * (1e6 if seconds < 1 else 100)) / (1e6 if seconds < 1 else 100)}
    cut |= {"bytes_per_second": int(size / seconds * 10) / 10, "pps": int(packets / seconds * 100) / 100}
    stats = {"packets": packets, "bytes": size, **cut}
    assert elapsed(stats) == pytest.approx(seconds, rel=within)
    # So is a slow rate: 0.03 pps of 3 in 90 s are 10 % off.
    assert measured(stats, SIXTY, None)["pps"] == pytest.approx(packets / seconds, rel=max(within, 1e-5))


def test_of_few_frames_no_more_is_sent_than_was_asked_for():
    assert share(PPS_2, "pps", 2) == pytest.approx(1, abs=0.001)
    assert share(PPS_6, "pps", 2) == pytest.approx(1, abs=0.001)
    assert share(MBPS_6, "mbps", 0.00096) == pytest.approx(1, abs=0.003)
    # 64 bytes with the FCS, 84 with preamble and gap.
    assert share(MBPS_6, "l2_mbps", 2 * 64 * 8 / 1e6) == pytest.approx(1, abs=0.003)
    assert share(MBPS_6, "l1_mbps", 2 * 84 * 8 / 1e6) == pytest.approx(1, abs=0.003)


@pytest.mark.parametrize(
    ("form", "value", "speed", "expected"),
    [
        ("pps", 500000, None, 0.786),  # 999 of 1000 in 2.542 ms
        ("mbps", 400, None, 0.472),
        ("l2_mbps", 400, None, 393391.03 * 64 * 8 / 400e6),
        ("l1_mbps", 400, None, 393391.03 * 84 * 8 / 400e6),
        ("line_rate_percent", 50, 1000, 393391.03 * 84 * 8 / 500e6),
        # Above line rate, so capped at it.
        ("l1_mbps", 2000, 1000, 393391.03 * 84 * 8 / 1000e6),
        ("pps", 1e8, 1000, 393391.03 * 84 * 8 / 1000e6),
        ("line_rate_percent", 300, 1000, 393391.03 * 84 * 8 / 1000e6),
        ("topspeed", True, 1000, None),
    ],
)
def test_share_of_the_rate_asked_for(form, value, speed, expected):
    assert share(THOUSAND, form, value, speed=speed) == (expected and pytest.approx(expected, rel=0.002))


def test_share_where_the_seconds_have_the_last_frame_s_time_in_them():
    # As xdp_replay counts: ten frames at 10 a second take 1 s, where tcpreplay says 0.9.
    stats = {"packets": 10, "bytes": 600, "bytes_per_second": 600.0, "pps": 10.0, "seconds": 1.0, "interrupted": False}
    plan = plan_rate("pps", 10, SIXTY)
    speeds = measured(stats, SIXTY, None)
    assert reached(plan, speeds, stats, None, whole_intervals=True) == pytest.approx(1)
    assert reached(plan, speeds, stats, None) == pytest.approx(0.9)


def test_share_of_the_recorded_speed():
    assert share(RECORDED_6, None, None, Recorded(3.0, 3.0)) == pytest.approx(1, abs=0.001)
    assert share(TWICE_4, "multiplier", 2, Recorded(2.0, 2.0)) == pytest.approx(1, abs=0.001)
    assert share(RECORDED_6, None, None, Recorded(1.5, 1.5)) == pytest.approx(0.5, abs=0.001)
    # Not known, or all frames of one time.
    assert share(RECORDED_6, None, None) is None
    assert share(RECORDED_6, None, None, Recorded(0.0, 0.0)) is None
    assert share(TEN, None, None, Recorded(1.0, 1.0)) is None


def test_an_interrupt_while_the_next_frame_is_waited_for_is_not_late():
    # Two frames 2 s apart, and the third due after 4 s, interrupted after 3 s.
    assert share(MBPS_6, None, None, Recorded(2.0, 4.0), interrupted=True) == 1.0
    assert share(MBPS_6, None, None, Recorded(2.0, 2.5), interrupted=True) == pytest.approx(2.5 / 3, abs=0.003)
    assert share(PPS_6, "pps", 2.3, interrupted=True) == 1.0
    assert share(PPS_6, "pps", 4, interrupted=True) == pytest.approx(0.6, abs=0.001)
    assert share(PPS_6, "pps", 1, interrupted=True) == pytest.approx(2, abs=0.002)


def told(said, form, value, recorded=None, speed=None):
    stats, plan = parse(said), plan_rate(form, value, SIXTY, speed)
    rates = measured(stats, SIXTY, speed)
    return missed(plan, reached(plan, rates, stats, recorded), rates, recorded)


def test_a_missed_rate_is_told():
    assert (
        told(THOUSAND, "l1_mbps", 400) == "The rate asked for was missed: 66.1% of it was sent, 264.36 of l1_mbps 400."
    )
    assert (
        told(THOUSAND, "l1_mbps", 2000, speed=1000)
        == "The rate asked for was missed: 26.4% of it was sent, 264.36 of l1_mbps 2000, capped at the line's 1000.00."
    )
    assert told(THOUSAND, "mbps", 100) == "The rate asked for was exceeded: 188.8% of it was sent, 188.83 of mbps 100."
    assert told(RECORDED_6, None, None, Recorded(1.5, 1.5)).startswith(
        "The recorded speed was missed: 50.0% of it was sent, 1.500 s of"
    )
    assert told(TWICE_4, "multiplier", 2, Recorded(1.0, 1.0)).startswith(
        "The recorded speed, times 2, was missed: 50.0% of it was sent, "
    )


def test_a_rate_that_was_reached_or_that_nobody_knows_is_not_told():
    assert told(PPS_6, "pps", 2) is None
    assert told(THOUSAND, "topspeed", True) is None
    assert told(ONE, "pps", 2) is None


def test_where_the_frames_are_not_known_their_bytes_are():
    rates = measured(parse(THOUSAND), None, 1000)
    assert (rates["pps"], rates["l2_mbps"], rates["l1_mbps"], rates["line_rate_percent"]) == (
        393391.03,
        None,
        None,
        None,
    )
    assert rates["frame_mbps"] == pytest.approx(188.83, abs=0.01)
    assert rates["reason"].startswith(
        "Some of the pcaps' frames are padded on a line, and which of them were sent is not known"
    )
    stats = parse(THOUSAND)
    assert reached(plan_rate("l1_mbps", 100, SIXTY), rates, stats, None) is None
    assert reached(plan_rate("mbps", 188.83, SIXTY), rates, stats, None) == pytest.approx(1, abs=0.001)
