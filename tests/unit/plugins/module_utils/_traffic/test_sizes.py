# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a size, and the order in which weighted sizes come."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import sizes


@pytest.mark.parametrize(
    ("form", "cycle"),
    [
        (64, [64]),
        ("64", [64]),
        (" 0064 ", [64]),
        ([64, 1518], [64, 1518]),
        ({"start": 64, "end": 128, "step": 32}, [64, 96, 128]),
        ({"start": 64, "end": 66}, [64, 65, 66]),
        ({"start": 64, "end": 64, "step": 9}, [64]),
    ],
)
def test_forms(form, cycle):
    assert sizes.size_cycle(form, "wire") == cycle


def test_simple_imix_is_seven_four_one():
    cycle = sizes.size_cycle({"imix": "simple"}, "wire")
    assert Counter(cycle) == {64: 7, 570: 4, 1518: 1}
    # The mean wire frame of simple IMIX with 570: (7 * 64 + 4 * 570 + 1518) / 12.
    assert sum(cycle) / len(cycle) == pytest.approx(353.83, abs=0.01)


def test_weights_are_spread_and_exact():
    cycle = sizes.size_cycle(
        {"weights": [{"size": 64, "weight": 5}, {"size": 128, "weight": 1}, {"size": 256, "weight": 1}]}, "frame"
    )
    # The known sequence of smooth weighted round robin for 5:1:1.
    assert cycle == [64, 64, 128, 64, 256, 64, 64]


@pytest.mark.parametrize(
    ("form", "base", "says"),
    [
        (0, "wire", "0 bytes is out of range"),
        (65536, "ip", "65536 bytes is out of range"),
        (True, "wire", "not a whole number"),
        ("big", "wire", "not a whole number"),
        ([], "wire", "the list is empty"),
        ({"start": 100, "end": 64}, "wire", "the range is empty"),
        ({"start": 64, "end": 100, "step": 0}, "wire", "step 0"),
        ({"start": 64}, "wire", "'end' is missing"),
        ({"start": 64, "end": 100, "stop": 1}, "wire", "unknown key 'stop'"),
        ("²", "wire", "not a whole number"),
        (
            "imix",
            "wire",
            "'imix' is not a whole number. For an IMIX write {imix: simple}. There are: simple, simple_594.",
        ),
        ("simple_594", "wire", "write {imix: simple_594}"),
        ({"start": 64, 1: 2, "a": 3}, "wire", "unknown key 1"),
        ({"imix": ["simple"]}, "wire", "no IMIX profile"),
        ({"weights": [{"size": 64, "weight": 10**9}]}, "wire", "the weights add up to 1000000000; the most is 50000."),
        ({"imix": "complex"}, "wire", "no IMIX profile 'complex'"),
        ({"imix": "simple"}, "ip", "IMIX sizes are those of wire frames, not of size_of: ip"),
        ({"weights": []}, "wire", "weights is not a list"),
        ({"weights": [{"size": 64}]}, "wire", "'weight' is missing"),
        ({"weights": [{"size": 64, "weight": 0}]}, "wire", "weight 0"),
        ({"weights": [64]}, "wire", "64 is not {size, weight}"),
    ],
)
def test_bad_sizes_say_what_is_wrong(form, base, says):
    with pytest.raises(TrafficgenError) as caught:
        sizes.size_cycle(form, base, "stream 'x', size")
    assert says in caught.value.message
    assert caught.value.message.startswith("stream 'x', size: ")


def test_equal_weights_take_turns_as_the_slow_way_has_it():
    assert sizes.spread([3, 3, 3]) == [0, 1, 2] * 3
    # Nearly equal weights take the slow way: the same numbers, and one more.
    assert sorted(sizes.spread([3, 3, 4])) == [0] * 3 + [1] * 3 + [2] * 4


def test_more_weights_than_can_be_ordered_are_refused():
    with pytest.raises(TrafficgenError, match="1000 weights add up to 11000; the most for so many is 10000"):
        sizes.spread([11] * 998 + [10, 12])
