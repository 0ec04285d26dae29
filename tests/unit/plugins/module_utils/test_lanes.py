# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic on lanes, against the same arithmetic on one number at a time."""

from __future__ import annotations

import random

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes


def lanes_of(numbers):
    return int.from_bytes(b"".join(number.to_bytes(4, "little") for number in numbers), "little")


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 100, 256])
def test_a_progression_is_start_and_steps(width, count):
    start = (1 << (8 * width)) - count
    data = _lanes.progression(start, 1, width, count)
    assert data == b"".join(number.to_bytes(width, "little") for number in range(start, start + count))


@pytest.mark.parametrize("zero_is_ffff", [False, True])
def test_checksums_are_those_of_rfc_1071(zero_is_ffff):
    def checksum(total):
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return (total ^ 0xFFFF) or (0xFFFF if zero_is_ffff else 0)

    chance = random.Random(1071)
    totals = [
        1,
        0xFFFE,
        0xFFFF,
        0x10000,
        0x1FFFE,
        0xFFFF * 7,
        0xFFFFFFFF,
        *(chance.randrange(1, 1 << 32) for _turn in range(500)),
    ]
    high, low = _lanes.checksum_columns(lanes_of(totals), len(totals), zero_is_ffff)
    assert [one << 8 | other for one, other in zip(high, low)] == [checksum(total) for total in totals]


def test_the_example_of_rfc_1071():
    # Section 3: the words 0001 f203 f4f5 f6f7 sum to 2ddf0, which folds to ddf2.
    sums = _lanes.word_sums([bytes([byte]) for byte in (0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7)])
    assert _lanes.fold(sums, 1) == 0xDDF2


def test_picking_lanes():
    assert _lanes.picked(lanes_of([1, 2, 3, 4, 5]), 5, 1, 2) == (lanes_of([2, 4]), 2)
    assert _lanes.picked(lanes_of([1, 2]), 2, 0, 1) == (lanes_of([1, 2]), 2)
