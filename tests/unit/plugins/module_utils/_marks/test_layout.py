# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a mark, as docs/marks.md has them, and what is read of them."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import layout
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import LONG, SHORT, Mark, StreamMarks

# By hand: the words a7e5 0000 0007 0002 0001 0203 make a9f2, whose complement is 560d.
BY_HAND = "a7e5 00000007 0002 00010203 560d"


def test_a_long_mark_byte_for_byte():
    mark = StreamMarks(7, 2, 1 << 20).mark(LONG, 0x10203)
    assert mark == bytes.fromhex(BY_HAND)
    assert layout.read_mark(mark, 7) == Mark(7, 2, 0x10203)


def test_a_short_mark_byte_for_byte():
    total = 1 + int.from_bytes(hashlib.sha256(b"mark 7").digest()[:4], "big") % 0xFFFE
    mark = StreamMarks(7, 2, 1 << 20).mark(SHORT, 0x10203)
    assert mark[:4] == bytes.fromhex("02 010203")
    assert (0x0201 + 0x0203 + int.from_bytes(mark[4:], "big")) % 0xFFFF == total
    assert layout.read_mark(mark, 7) == Mark(7, 2, 0x10203)
    assert layout.read_mark(b" / HTTP/" + mark, 7) == Mark(7, 2, 0x10203)


@pytest.mark.parametrize("length", [LONG, SHORT])
@pytest.mark.parametrize("test", [0, 7, 0xFFFFFFFF])
def test_every_mark_has_one_sum(length, test):
    """What makes the checksums around it right, whatever its number."""
    marks = StreamMarks(test, 255, 1 << 24)
    numbers = [*range(300), 0x5817, 0x5818, 0xFFFE, 0xFFFF, 0x10000, 0xFFFFFF]
    found = [marks.mark(length, number) for number in numbers]
    sums = {sum(one[0::2]) * 256 % 0xFFFF + sum(one[1::2]) for one in found}
    assert len({one % 0xFFFF for one in sums}) == 1
    assert [layout.read_mark(one, test) for one in found] == [Mark(test, 255, number) for number in numbers]


def test_columns_are_the_marks_of_each_frame():
    for length in (LONG, SHORT):
        marks = StreamMarks(0xCAFE0001, 3, 10_000_000)
        numbers, checks = marks.columns(length, 65_000, 7, 1000)
        for index in range(1000):
            number, check = numbers[4 * index : 4 * index + 4], checks[2 * index : 2 * index + 2]
            assert marks.head(length) + number[::-1] + check[::-1] == marks.mark(length, 65_000 + 7 * index)


@pytest.mark.parametrize(
    ("stream", "frames", "padding", "length"),
    [
        (0, 64511, 18, LONG),  # UDP or ICMP over IPv4, 64 bytes on the wire
        (0, 64511, 14, LONG),  # the same in a VLAN
        (0, 64511, 13, SHORT),
        (0, 64511, 6, SHORT),  # TCP
        (0, 64511, 5, 0),
        (255, 1 << 24, 6, SHORT),
        (256, 64511, 6, 0),
        (0, (1 << 24) + 1, 6, 0),
        (0, (1 << 24) + 1, 14, LONG),
        (65535, 1 << 32, 14, LONG),
        (65536, 64511, 14, 0),
    ],
)
def test_the_room_that_a_mark_takes(stream, frames, padding, length):
    assert StreamMarks(0, stream, frames).bytes_in(padding) == length


def test_an_altered_mark_is_told():
    mark = bytearray.fromhex(BY_HAND)
    mark[9] ^= 1
    with pytest.raises(ValueError):
        layout.read_mark(bytes(mark), 7)


@pytest.mark.parametrize("end", [b"", b"abcde", bytes(14), b"\xff" * 14, b"\xff" * 6, bytes(range(14))])
def test_no_mark(end):
    assert layout.read_mark(end, 7) is None


def test_a_mark_of_another_test():
    assert layout.read_mark(StreamMarks(8, 0, 10).mark(LONG, 5), 7) == Mark(8, 0, 5)
    assert layout.read_mark(StreamMarks(8, 0, 10).mark(SHORT, 5), 7) is None


@pytest.mark.parametrize(
    ("marked", "numbers"),
    [
        (0, 0),
        (64_511, 260 * 64_511),  # 16,772,860 of 16,777,216
        (16_777_216, 16_777_216),  # as many as a short mark numbers, by docs/marks.md
        (16_777_217, 255 * 16_777_217),  # of 2 ** 32
    ],
)
def test_numbers_go_on_over_as_many_whole_passes_as_a_mark_can_number(marked, numbers):
    assert layout.numbers_in_turn(marked) == numbers


def test_the_number_of_a_test():
    assert [layout.number_of_test(one) for one in ("0", "7", " 7 ", "4294967295")] == [0, 7, 7, 4294967295]
    assert layout.number_of_test("rack 3") == int.from_bytes(hashlib.sha256(b"rack 3").digest()[:4], "big")


@pytest.mark.parametrize("wrong", ["", " ", "4294967296", "9" * 5000, "x" * 65, "a\nb"])
def test_what_is_no_id(wrong):
    with pytest.raises(TrafficgenError, match="mark_id"):
        layout.number_of_test(wrong)
