# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _rates. The expected rates are those of RFC 5180 (appendix A.2: 10 Gb/s Ethernet) and RFC 2544's reading of
IEEE 802.3."""

from __future__ import annotations

import math

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _rates
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size

SIXTY = Size.of(60)

# Wire frame size: the frames per second that 10 Gb/s Ethernet carries.
RFC_5180_10G = {64: 14880952, 128: 8445946, 256: 4528986, 512: 2349624, 1024: 1197318, 1280: 961538, 1518: 812744}


@pytest.mark.parametrize(("wire", "pps"), RFC_5180_10G.items())
def test_line_rate_of_10g(wire, pps):
    assert round(_rates.line_rate_pps(Size.of(wire, "wire"), 10000)) == pps
    assert math.floor(_rates.line_rate_pps(Size.of(wire, "wire"), 1000)) in (pps // 10, pps // 10 - 1)


def test_rates_of_64_byte_frames_at_10g():
    rates = _rates.rates(14880952.38, Size.of(60), 10000)
    assert rates == {
        "pps": 14880952.38,
        "frame_mbps": pytest.approx(7142.857, abs=0.001),
        "l2_mbps": pytest.approx(7619.048, abs=0.001),
        "l1_mbps": pytest.approx(10000, abs=0.001),
        "line_rate_percent": pytest.approx(100, abs=0.001),
    }


# IEEE 802.3: with the FCS a frame has 64 bytes at least (RFC 2544's smallest), so that a line takes no more of the
# shorter ones. ARP and TCP's ACK without options have 42 and 54 bytes in a capture.
@pytest.mark.parametrize("frame", [14, 42, 54, 60])
def test_a_line_takes_no_more_of_what_is_padded(frame):
    assert round(_rates.line_rate_pps(Size.of(frame), 10000)) == 14880952
    assert round(_rates.line_rate_pps(Size.of(frame), 10)) == 14881
    plan = _rates.plan_rate("line_rate_percent", 100, Size.of(frame), 10)
    assert plan.pps == pytest.approx(14880.95, abs=0.01)
    # What tcpreplay is asked for is in bytes of the file.
    assert float(plan.argv[0].partition("--mbps=")[2]) == pytest.approx(14880.952 * frame * 8 / 1e6, rel=1e-5)
    rates = _rates.rates(14880952.38, Size.of(frame), 10000)
    assert [round(rates[unit], 1) for unit in ("l1_mbps", "l2_mbps", "line_rate_percent")] == [10000.0, 7619.0, 100.0]
    assert rates["frame_mbps"] == pytest.approx(14880952.38 * frame * 8 / 1e6)


def test_of_mixed_sizes_the_padded_ones_are_averaged():
    # 42 and 78 bytes: 64 and 82 on the wire, 84 and 102 bytes' time on the line.
    for mixed in (Size.of({42: 1, 78: 1}), Size.of({"42": 5, "78": 5}), Size.of({"46": 2, "82": 2}, "wire")):
        assert mixed == Size(60, 73)
        assert _rates.line_rate_pps(mixed, 1000) == pytest.approx(1e9 / 8 / ((84 + 102) / 2))
        assert mixed.padding == 9
    # Known by their means alone, as from a result; one that was written before padding was known.
    assert Size.of_means(60, 73) == Size(60, 73)
    assert Size.of_means(42, 46) == Size(42, 64)


@pytest.mark.parametrize("sizes", [{}, {"60": 0}, {"0": 1}, {"60": -1}, {"x": 1}, {"60": None}])
def test_no_sizes_at_all(sizes):
    with pytest.raises(TrafficgenError):
        Size.of(sizes)


def test_rates_of_the_first_user():
    # X520, IP packets of 64 bytes: tcpreplay said 1000.00 Mbps and 1.60 Mpps.
    assert _rates.rates(1602566.65, Size.of(78))["frame_mbps"] == pytest.approx(1000.00, abs=0.01)
    assert _rates.rates(812743.82, Size.of(1514), 10000)["frame_mbps"] == pytest.approx(9843.95, abs=0.01)


def test_rates_where_there_is_no_line_no_rate_or_no_frame():
    assert _rates.rates(1000, Size.of(60))["line_rate_percent"] is None
    assert _rates.rates(None, Size.of(60), 10000) == dict.fromkeys(_rates.RATE_UNITS)
    assert _rates.rates(1000, None)["l1_mbps"] is None
    assert _rates.rates(0, Size.of(60), 10000) == dict.fromkeys(_rates.RATE_UNITS, 0)


def test_mean_size_may_be_fractional():
    # Simple IMIX, 64, 570 and 1518 at 7:4:1: a mean of 353.83 bytes on the wire.
    mean = (7 * 64 + 4 * 570 + 1518) / 12 - 4
    assert _rates.line_rate_pps(Size.of(mean), 1000) == pytest.approx(1e9 / 8 / (353.8333 + 20), rel=1e-6)


@pytest.mark.parametrize(
    ("form", "value", "argv", "pps"),
    [
        ("mbps", 1000, "--mbps=1000", 2083333.33),
        ("l2_mbps", 512, "--mbps=480", 1e6),
        ("l1_mbps", 10000, "--mbps=7142.857142", 14880952.38),
        ("line_rate_percent", 10, "--mbps=714.285714", 1488095.24),
        ("pps", 1000.5, "--pps=1000.5", 1000.5),
        ("pps", 100.3, "--pps=100.3", 100.3),
    ],
)
def test_plan_of_a_rate(form, value, argv, pps):
    plan = _rates.plan_rate(form, value, SIXTY, 10000, strict=True)
    assert plan.argv == (argv,)
    assert plan.requested == {form: value}
    assert plan.pps == pytest.approx(pps, abs=0.01)
    assert not plan.capped


def test_plan_without_a_rate():
    assert _rates.plan_rate(None, None, SIXTY, 10000) == _rates.RatePlan((), None, None, False)
    assert _rates.plan_rate("topspeed", False, SIXTY) == _rates.RatePlan((), None, None, False)
    assert _rates.plan_rate("topspeed", True, SIXTY).argv == ("--topspeed",)
    assert _rates.plan_rate("multiplier", 2.5, SIXTY) == _rates.RatePlan(
        ("--multiplier=2.5",), {"multiplier": 2.5}, None, False, 2.5
    )


@pytest.mark.parametrize(
    ("form", "value"), [("mbps", 7143), ("l2_mbps", 1e5), ("l1_mbps", 10001), ("line_rate_percent", 100.1)]
)
def test_above_the_line_is_capped_to_it_and_never_above(form, value):
    plan = _rates.plan_rate(form, value, SIXTY, 10000)
    assert plan.capped
    assert plan.requested == {form: value}
    asked = float(plan.argv[0].partition("=")[2])
    assert 7142.857 < asked <= 10000 * 60 / 84


def test_pps_above_the_line_is_capped_in_pps():
    plan = _rates.plan_rate("pps", 2e7, SIXTY, 10000)
    assert plan.capped
    assert 14880952 < float(plan.argv[0].partition("--pps=")[2]) <= 1e10 / 8 / 84


def test_above_the_line_is_refused_when_strict_and_says_what_would_do():
    with pytest.raises(
        TrafficgenError, match=r"mbps 8000: above the line rate: .*14880952.*at most 7142\.85,"
    ) as refused:
        _rates.plan_rate("mbps", 8000, SIXTY, 10000, strict=True)
    assert "strict_rate" in refused.value.message
    _rates.plan_rate("mbps", 7142.85, SIXTY, 10000, strict=True)


def test_without_a_line_nothing_is_capped():
    plan = _rates.plan_rate("mbps", 1e6, SIXTY, None, strict=True)
    assert plan.argv == ("--mbps=1000000",)
    assert not plan.capped
    with pytest.raises(TrafficgenError, match="link_speed_mbps"):
        _rates.plan_rate("line_rate_percent", 50, SIXTY)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, None, "much", True, 10**400])
def test_no_rate_at_all(value):
    with pytest.raises(TrafficgenError, match="not a number above 0"):
        _rates.plan_rate("mbps", value, SIXTY)


@pytest.mark.parametrize("form", ["mbps", "pps", "multiplier"])
def test_too_slow_would_have_been_top_speed(form):
    with pytest.raises(TrafficgenError, match="too slow"):
        _rates.plan_rate(form, 1e-9, SIXTY)


@pytest.mark.parametrize("form", ["mbps", "l1_mbps", "pps", "multiplier"])
def test_too_fast_would_overflow_in_tcpreplay(form):
    with pytest.raises(TrafficgenError, match="faster than anything"):
        _rates.plan_rate(form, 1e18, SIXTY)


@pytest.mark.parametrize(
    ("size", "size_of", "frame"), [(64, "wire", 60), (60, "frame", 60), (64, "ip", 78), (1500, "ip", 1514)]
)
def test_frame_size(size, size_of, frame):
    assert Size.of(size, size_of) == Size(frame, frame + 4)


@pytest.mark.parametrize(("size", "size_of"), [(0, "frame"), (4, "wire"), ("x", "ip"), (64, "wide")])
def test_no_frame_size(size, size_of):
    with pytest.raises(TrafficgenError):
        Size.of(size, size_of)


@pytest.mark.parametrize("unit", _rates.RATE_UNITS)
def test_there_and_back(unit):
    size = Size(30.5, 353.8)
    assert _rates.from_pps(_rates.to_pps(12.5, unit, size, 2500), unit, size, 2500) == pytest.approx(12.5)
