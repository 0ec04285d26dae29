# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patched fields of consecutive frames, a column a byte."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes as lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.patches import Axis, Place


class Window:
    """The patched fields of consecutive frames of a stream: a column a byte, and the word sums for the checksums."""

    def __init__(self, patched: Sequence[Axis], first: int, count: int) -> None:
        self._patched = patched
        self._first = first
        self.count = count
        self._columns: dict[tuple[int, Place], list[bytes]] = {}
        self._sums: dict[tuple[int, Place], int] = {}

    def columns(self, axis_index: int, place: Place) -> list[bytes]:
        """The field's bytes in each frame, in the order in which they stand there."""
        key = (axis_index, place)
        if key not in self._columns:
            self._columns[key] = self._stretched(self._patched[axis_index], place)
        return self._columns[key]

    def sums(self, axis_index: int, place: Place) -> int:
        """The field's word sum in each frame, folded, as lanes."""
        key = (axis_index, place)
        if key not in self._sums:
            self._sums[key] = lanes.word_sums(self.columns(axis_index, place))
        return self._sums[key]

    def _stretched(self, axis: Axis, place: Place) -> list[bytes]:
        """The values of an axis over the window, each standing ``stride`` times."""
        stride = axis.stride
        first, last = self._first // stride, (self._first + self.count - 1) // stride
        columns = self._cycled(axis, place, first, last - first + 1)
        if stride == 1:
            return columns
        stretched = []
        for column in columns:
            if len(column) > stride:
                grown = bytearray(len(column) * stride)
                for offset in range(stride):
                    grown[offset::stride] = column
                skip = self._first - first * stride
                end = skip + self.count
                stretched.append(bytes(grown[skip:end]))
            else:
                starts = range(first * stride - self._first, self.count, stride)
                stretched.append(
                    b"".join(
                        [
                            byte.to_bytes(1, "big") * (min(start + stride, self.count) - max(start, 0))
                            for byte, start in zip(column, starts)
                        ]
                    )
                )
        return stretched

    @staticmethod
    def _cycled(axis: Axis, place: Place, first: int, count: int) -> list[bytes]:
        """``count`` values of an axis from number ``first`` on, begun anew after the last."""
        numbers, total = axis.numbers, axis.numbers.count
        form = (place.width, place.shift, place.little)
        start = first % total
        if start + count <= total:
            return list(numbers.columns(start, start + count, *form))
        if total <= count:
            turns = (start + count) // total + 1
            end = start + count
            return [(column * turns)[start:end] for column in numbers.columns(0, total, *form)]
        head, tail = numbers.columns(start, total, *form), numbers.columns(0, start + count - total, *form)
        return [one + other for one, other in zip(head, tail)]
