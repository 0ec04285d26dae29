# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in a test frame: which test and which stream it is of, and its number in that stream. Private to this
collection; docs/marks.md shows the layout.

A mark is the end of the padding, so the last bytes of the payload. It has two forms, all numbers big-endian::

    long, 14 bytes:  magic (2)  test (4)  stream (2)  number (4)  check (2)
    short, 6 bytes:                       stream (1)  number (3)  check (2)

A TCP frame of 64 bytes on the wire has no more than 6 bytes of payload. The check makes the one's complement sum of the
mark's 16-bit words the same in each frame of a test: zero in the long form, a number that follows from the test in the
short one. So no checksum around the mark depends on its number (RFC 1071), and a mark whose sum is another one has been
altered, or is none.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes as lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

MAGIC = 0xA7E5
LONG, SHORT = 14, 6  # bytes
MOST_TESTS = 1 << 32
# Streams, and frames of a stream, that the fields of each form can number.
_MOST = {LONG: (1 << 16, 1 << 32), SHORT: (1 << 8, 1 << 24)}
_ONES = 0xFFFF
_LONGEST_TEXT = 64
_LONG_HEAD = struct.Struct(">HIH")
_LONG_WORDS, _SHORT_WORDS = struct.Struct(">7H"), struct.Struct(">3H")


def numbers_in_turn(marked: int) -> int:
    """How many numbers a stream has that goes on counting over the passes of its file, of so many marked frames each:
    as many whole passes as the short form can number, where one fits, else as the long one can. Then it is 0 again."""
    if not marked:
        return 0
    most = _MOST[SHORT if marked <= _MOST[SHORT][1] else LONG][1]
    return most // marked * marked


class Mark(NamedTuple):
    """What a mark says."""

    test: int
    stream: int
    number: int


def number_of_test(mark_id: str) -> int:
    """The number in the marks of a test: ``mark_id`` itself if it is a number, else one that follows from the text."""
    text = str(mark_id).strip()
    if text.isascii() and text.isdecimal():
        if len(text) <= _LONGEST_TEXT and int(text) < MOST_TESTS:
            return int(text)
        wrong = f"{text[:_LONGEST_TEXT]} is above {MOST_TESTS - 1}"
    elif not text or len(text) > _LONGEST_TEXT or not text.isprintable():
        wrong = f"{text[:_LONGEST_TEXT]!r} is no id of a test"
    else:
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    raise TrafficgenError(
        wrong,
        on="mark_id",
        remedy=f"Give a number from 0 to {MOST_TESTS - 1}, or a text of 1 to {_LONGEST_TEXT} characters.",
    )


@lru_cache(maxsize=8)
def short_sum(test: int) -> int:
    """The sum of the words of a short mark of this test: 1 to 0xfffe, so that neither zeros nor ones are a mark."""
    return 1 + int.from_bytes(hashlib.sha256(b"mark %d" % test).digest()[:4], "big") % (_ONES - 1)


@dataclass(frozen=True)
class StreamMarks:
    """The marks of one stream of a test."""

    test: int
    stream: int
    frames: int

    def bytes_in(self, padding: int) -> int:
        """The mark's length in a frame with so many bytes of padding: 0 where none fits, or could be numbered."""
        for length in (LONG, SHORT):
            streams, frames = _MOST[length]
            if padding >= length and self.stream < streams and self.frames <= frames:
                return length
        return 0

    def mark(self, length: int, number: int) -> bytes:
        """The mark of that length of frame ``number``."""
        numbers, checks = self.columns(length, number, 0, 1)
        return self.head(length) + numbers[::-1] + checks[1:] + checks[:1]

    def head(self, length: int) -> bytes:
        """What stands before the number, the same in each frame: nothing in the short form."""
        return _LONG_HEAD.pack(MAGIC, self.test, self.stream) if length == LONG else b""

    def columns(self, length: int, first: int, step: int, count: int) -> tuple[bytes, bytes]:
        """The numbers (4 bytes, with a short mark's stream) and checks (2 bytes) of ``count`` frames, whose numbers
        begin at ``first`` and grow by ``step``: one after the other, little-endian."""
        start = first if length == LONG else first | self.stream << 24
        numbers = lanes.progression(start, step, 4, count)
        high, low = lanes.checksum_columns(self._sums(length, numbers, count), count, False)
        checks = bytearray(2 * count)
        checks[1::2], checks[0::2] = high, low
        return numbers, bytes(checks)

    def following(self, length: int, numbers: bytes) -> list[bytes]:
        """The six bytes of the numbers and their checks, as columns in the order of a mark; ``numbers``: as
        :meth:`columns` has them."""
        count = len(numbers) // 4
        high, low = lanes.checksum_columns(self._sums(length, numbers, count), count, False)
        return [numbers[3::4], numbers[2::4], numbers[1::4], numbers[0::4], high, low]

    def are_whole(self, length: int, numbers: bytes, checks: bytes) -> bool:
        """Whether none of these marks was altered: their numbers as :meth:`columns` has them, the checks in 4 bytes
        each."""
        count = len(numbers) // 4
        sums = self._sums(length, numbers, count) + int.from_bytes(checks, "little")
        return lanes.fold(sums, count) == lanes.ones(lanes.SUM_LANE, count) * _ONES

    def _sums(self, length: int, numbers: bytes, count: int) -> int:
        """What each check makes up to a sum of zero, as lanes."""
        others = sum(struct.unpack(">4H", self.head(LONG))) if length == LONG else _ONES - short_sum(self.test)
        every, packed = lanes.ones(lanes.SUM_LANE, count), int.from_bytes(numbers, "little")
        words = every * _ONES
        return every * others + (packed & words) + ((packed >> 16) & words)


def read_mark(end: bytes, test: int) -> Mark | None:
    """The mark in the last 14 bytes of a payload, or in all of one that has fewer.

    A long one of any test; a short one of ``test``, since another test's cannot be told from no mark.

    :returns: None where there is no mark.
    :raises ValueError: there is a long mark, but it was altered.
    """
    if len(end) == LONG:
        words = _LONG_WORDS.unpack(end)
        if words[0] == MAGIC and sum(words) % _ONES == 0:
            return Mark(words[1] << 16 | words[2], words[3], words[4] << 16 | words[5])
        altered, words = words[0] == MAGIC, words[4:]
    elif len(end) >= SHORT:
        altered, words = False, _SHORT_WORDS.unpack(end[-SHORT:])
    else:
        return None
    if sum(words) % _ONES == short_sum(test):
        return Mark(test, words[0] >> 8, (words[0] & 0xFF) << 16 | words[1])
    if altered:
        raise ValueError
    return None
