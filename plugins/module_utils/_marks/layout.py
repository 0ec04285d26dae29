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


class Mark(NamedTuple):
    """What a mark says."""

    test: int
    stream: int
    number: int


def test_number(mark_id: str) -> int:
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
        if length == LONG:
            start, others = first, sum(struct.unpack(">4H", self.head(LONG)))
        else:
            start, others = first | self.stream << 24, _ONES - short_sum(self.test)
        numbers = lanes.progression(start, step, 4, count)
        every, packed = lanes.ones(lanes.SUM_LANE, count), int.from_bytes(numbers, "little")
        low = every * _ONES
        sums = every * others + (packed & low) + ((packed >> 16) & low)
        high_bytes, low_bytes = lanes.checksum_columns(sums, count, False)
        checks = bytearray(2 * count)
        checks[1::2], checks[0::2] = high_bytes, low_bytes
        return numbers, bytes(checks)


def _sum(data: bytes) -> int:
    """The one's complement sum of the 16-bit words: 0xffff for zero, unless all of them are zero."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    return total and (total % _ONES or _ONES)


def read_mark(end: bytes, test: int) -> Mark | None:
    """The mark in the last 14 bytes (or 6, of a frame that has no more) of a payload.

    A long one of any test; a short one of ``test``, since another test's cannot be told from no mark.

    :returns: None where there is no mark.
    :raises ValueError: there is a long mark, but it was altered.
    """
    if len(end) >= LONG and end[-LONG] == MAGIC >> 8 and end[-LONG + 1] == MAGIC & 0xFF:
        if _sum(end[-LONG:]) == _ONES:
            _magic, found, stream = _LONG_HEAD.unpack_from(end, len(end) - LONG)
            return Mark(found, stream, int.from_bytes(end[-6:-2], "big"))
        altered = True
    else:
        altered = False
    if len(end) >= SHORT and _sum(end[-SHORT:]) == short_sum(test):
        return Mark(test, end[-SHORT], int.from_bytes(end[-5:-2], "big"))
    if altered:
        raise ValueError
    return None
