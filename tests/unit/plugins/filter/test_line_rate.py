# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter line_rate. The expected rates are those of RFC 5180 (appendix A.2: 10 Gb/s Ethernet)."""

from __future__ import annotations

import functools

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter.line_rate import FilterModule

line_rate = functools.partial(FilterModule().filters()["line_rate"], None)


def test_one_unit():
    assert round(line_rate(100, "line_rate_percent", size=64, link_speed_mbps=10000, to="pps")) == 14880952
    assert round(line_rate(10000, "l1_mbps", size=64, to="frame_mbps"), 2) == 7142.86
    assert round(line_rate("10000", "l1_mbps", "1518", to="frame_mbps"), 2) == 9843.95
    assert line_rate(0, "pps", size=64, to="l1_mbps") == 0


def test_all_units():
    rates = line_rate(812743.82, "pps", size=1500, size_of="ip", link_speed_mbps=10000)
    assert {unit: round(rate) for unit, rate in rates.items()} == {
        "pps": 812744,
        "frame_mbps": 9844,
        "l2_mbps": 9870,
        "l1_mbps": 10000,
        "line_rate_percent": 100,
    }
    assert line_rate(1, "pps", 64)["line_rate_percent"] is None


def test_bases_of_a_size():
    assert line_rate(1, "pps", 64, "wire") == line_rate(1, "pps", 60, "frame") == line_rate(1, "pps", 46, "ip")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": -1, "unit": "pps", "size": 64}, "pps -1"),
        ({"value": "fast", "unit": "pps", "size": 64}, "'fast'"),
        ({"value": None, "unit": "pps", "size": 64}, "None"),
        ({"value": 1, "unit": "bps", "size": 64}, "'bps': not a unit.*l1_mbps"),
        ({"value": 1, "unit": "pps", "size": 64, "to": "mbps"}, "'mbps': not a unit"),
        ({"value": 1, "unit": "pps", "size": 0}, "size 0"),
        ({"value": 1, "unit": "pps", "size": 4}, "too small"),
        ({"value": 1, "unit": "pps", "size": 64, "size_of": "payload"}, "'payload': .*wire"),
        ({"value": 1, "unit": "line_rate_percent", "size": 64}, "link_speed_mbps"),
        ({"value": 1, "unit": "pps", "size": 64, "to": "line_rate_percent"}, "link_speed_mbps"),
        ({"value": 1, "unit": "pps", "size": 64, "link_speed_mbps": 0}, "link_speed_mbps 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(AnsibleFilterError, match=f"line_rate: .*{message}"):
        line_rate(**arguments)
