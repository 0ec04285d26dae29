# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that go on from pass to pass, written into frames that are in memory. Pure.

The words of a mark add up to the same in each frame, so no other checksum changes.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes as lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import (
    LONG,
    SHORT,
    StreamMarks,
    numbers_in_turn,
    read_mark,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import Expected

# Numbers at once: ten bytes each are worked on, which stay in the CPU's cache.
_AT_ONCE = 4096


class Numbered(NamedTuple):
    """The marks of one stream and form among frames in memory."""

    marks: StreamMarks
    length: int  # of a mark
    places: array[int]  # where each one's number and check are
    numbers: bytes  # in the first pass, 4 bytes each, little-endian; of short ones with their stream
    in_a_row: int  # so many of the places, and again as many a stride on, and so on; 0: there is no such order
    stride: int


class PassNumbers:
    """Numbers the frames of a test in memory for each pass."""

    def __init__(self, expected: Expected, memory: memoryview) -> None:
        self._expected, self._memory = expected, memory

    def find(self, addresses: Sequence[int], sizes: Sequence[int], stride: int) -> list[Numbered]:
        """The marks in frames as they are in the file.

        :param stride: bytes after which another frame may be at the same place, if it is.
        """
        test, memory = self._expected.test, self._memory
        found: dict[tuple[int, int], tuple[array[int], array[int]]] = {}
        for address, size in zip(addresses, sizes):
            last, behind = max(address, address + size - LONG), address + size
            end = bytes(memory[last:behind])
            try:
                mark = read_mark(end, test)
            except ValueError:
                continue
            if mark is None or mark.test != test or mark.number >= self._marked(mark.stream):
                continue
            long = end.startswith(StreamMarks(test, mark.stream, 0).head(LONG))
            places, numbers = found.setdefault((mark.stream, LONG if long else SHORT), (array("Q"), array("I")))
            places.append(address + size - SHORT)
            numbers.append(mark.number if long else mark.number | mark.stream << 24)
        return [
            Numbered(StreamMarks(test, stream, 0), length, places, _little(numbers), _row(places, stride), stride)
            for (stream, length), (places, numbers) in found.items()
        ]

    def write(self, found: Sequence[Numbered], passes: int) -> None:
        """Number them for the pass with so many before it."""
        for one in found:
            marked = self._marked(one.marks.stream)
            more = marked * (passes % (numbers_in_turn(marked) // marked))
            step = max(_AT_ONCE // one.in_a_row, 1) * one.in_a_row if one.in_a_row else _AT_ONCE
            for first in range(0, len(one.places), step):
                some = min(step, len(one.places) - first)
                self._write(one, first, some, more)

    def _write(self, one: Numbered, first: int, some: int, more: int) -> None:
        start, end = 4 * first, 4 * (first + some)
        base = int.from_bytes(one.numbers[start:end], "little")
        numbers = (base + lanes.ones(4, some) * more).to_bytes(4 * some, "little")
        bytes_of = one.marks.following(one.length, numbers)
        if not one.in_a_row:
            packed = bytearray(SHORT * some)
            for index, column in enumerate(bytes_of):
                packed[index::SHORT] = column
            whole, memory = memoryview(packed), self._memory
            after = first + some
            for place, at in zip(one.places[first:after], range(0, SHORT * some, SHORT)):
                behind, end = place + SHORT, at + SHORT
                memory[place:behind] = whole[at:end]
            return
        views = [memoryview(column) for column in bytes_of]
        for slot in range(min(one.in_a_row, some)):
            place = one.places[first + slot]
            last = place + one.stride * ((some - slot - 1) // one.in_a_row)
            turns = slice(slot, None, one.in_a_row)
            for index, view in enumerate(views):
                self._memory[slice(place + index, last + index + 1, one.stride)] = view[turns]

    def _marked(self, stream: int) -> int:
        return self._expected.streams.get(stream, (None, 0))[1]


def _little(numbers: array[int]) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _row(places: array[int], stride: int) -> int:
    """After how many of the places they are again those of the beginning, a stride on each time; 0: they are not."""
    first = places[0]
    row = next((at for at, place in enumerate(places) if place >= first + stride), 0)
    if not row or any(place != places[at % row] + at // row * stride for at, place in enumerate(places)):
        return 0
    return row
