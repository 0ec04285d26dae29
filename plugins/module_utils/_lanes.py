# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on many small numbers at once, in plain Python: a vector is one big integer, each number a lane of it.

A lane is a fixed number of bytes, the first lane the lowest. Adding two such integers adds every lane at C speed, as
long as no lane overflows into its neighbour. That makes a column of checksums over ten thousand frames a handful of
operations, without a numeric library on the managed node.
"""

from __future__ import annotations

from functools import lru_cache

SUM_LANE = 4  # bytes of a lane that sums 16-bit words: room for 65536 of them


@lru_cache(maxsize=32)
def ones(width: int, count: int) -> int:
    """``count`` lanes of ``width`` bytes, each 1: multiply by a number to have it in every lane."""
    return ((1 << (8 * width * count)) - 1) // ((1 << (8 * width)) - 1)


@lru_cache(maxsize=32)
def iota(width: int, count: int) -> int:
    """``count`` lanes of ``width`` bytes: 0, 1, 2 … The last must fit its lane."""
    if count == 1:
        return 0
    # Each doubling appends the lanes so far, raised by their number: a few additions instead of a loop over the lanes.
    half = (count + 1) // 2
    lower = iota(width, half)
    upper = (lower + ones(width, half) * half) & ((1 << (8 * width * (count - half))) - 1)
    return lower | upper << (8 * width * half)


def progression(start: int, step: int, width: int, count: int) -> bytes:
    """``count`` little-endian numbers of ``width`` bytes: start, start + step, … ``step`` must not be negative."""
    if count == 1 or step == 0:
        return start.to_bytes(width, "little") * count
    return (ones(width, count) * start + iota(width, count) * step).to_bytes(width * count, "little")


def word(data: bytes, at: int) -> int:
    """The 16 bits that begin at a place."""
    end = at + 2
    return int.from_bytes(data[at:end], "big")


def word_sums(columns: list[bytes]) -> int:
    """The sum of the 16-bit words of a field, per frame, in :data:`SUM_LANE` lanes.

    :param columns: one column a byte of the field, the most significant first; a last odd byte counts as a high one
    (RFC 1071).
    """
    count = len(columns[0])
    total = 0
    for index in range(0, len(columns), 2):
        lanes = bytearray(SUM_LANE * count)
        lanes[1::SUM_LANE] = columns[index]
        if index + 1 < len(columns):
            lanes[0::SUM_LANE] = columns[index + 1]
        total += int.from_bytes(lanes, "little")
    return fold(total, count) if len(columns) > 2 else total


def fold(sums: int, count: int) -> int:
    """Each lane brought to 16 bits by end-around carry (RFC 1071). A lane that is not zero does not become zero."""
    low = ones(SUM_LANE, count) * 0xFFFF
    sums = (sums & low) + ((sums >> 16) & low)
    return (sums & low) + ((sums >> 16) & low)


def negated(folded: int, count: int) -> int:
    """Each folded lane's negative in one's complement."""
    return folded ^ (ones(SUM_LANE, count) * 0xFFFF)


def checksum_columns(sums: int, count: int, zero_is_ffff: bool) -> tuple[bytes, bytes]:
    """The high and the low byte of the Internet checksum of each lane's sum, which must not be zero.

    :param zero_is_ffff: UDP's rule (RFC 768): a checksum of zero is sent as 0xffff, since zero says that there is none.
    """
    every = ones(SUM_LANE, count)
    folded = fold(sums, count)
    if zero_is_ffff:
        # 0xffff, the other zero of one's complement, becomes 0, and everything else stays: then 0xffff - folded is
        # never 0.
        more = folded + every
        checksums = every * 0x10000 - ((more & (every * 0xFFFF)) + ((more >> 16) & every))
    else:
        checksums = folded ^ (every * 0xFFFF)
    data = checksums.to_bytes(SUM_LANE * count, "little")
    return data[1::SUM_LANE], data[0::SUM_LANE]


def picked(lanes: int, total: int, first: int, step: int) -> tuple[int, int]:
    """Every ``step``-th of ``total`` lanes from ``first`` on, and how many they are."""
    if step == 1 and first == 0:
        return lanes, total
    view = memoryview(lanes.to_bytes(SUM_LANE * total, "little")).cast("I")[first::step]
    return int.from_bytes(view.tobytes(), "little"), len(view)
