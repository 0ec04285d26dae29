# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is patched in copies of one frame: varying fields, and the checksums that follow from them.

The checksums follow from the fields by RFC 1624's arithmetic, whose coefficients are found by asking Scapy for a few
frames and comparing. So there is no knowledge here of which checksum covers what, and a tunnel's are right as well.
What the comparison cannot explain is :class:`Inexplicable`: Scapy then makes it, frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._lanes import word
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import FieldNumbers, FieldObjects
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.layers import Stack
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import Numbers


@dataclass(frozen=True)
class Axis:
    """A varying field: value ``i // stride % count`` of them is in frame ``i``."""

    key: tuple[int, str]  # layer's index, field's name
    values: FieldNumbers | FieldObjects
    stride: int

    @property
    def numbers(self) -> Numbers:
        """The values of an axis that is patched. :raises Inexplicable: they are no numbers."""
        return self._field.numbers

    def scapy_value(self, number: int) -> Any:
        """One of its numbers in the form that Scapy takes."""
        return self._field.scapy_value(number)

    @property
    def _field(self) -> FieldNumbers:
        if not isinstance(self.values, FieldNumbers):
            raise Inexplicable
        return self.values

    def index(self, frame: int) -> int:
        """Which of its values frame number ``frame`` has."""
        return frame // self.stride % self.values.count


@dataclass(frozen=True)
class Place:
    """Where a field stands in the frame: ``width`` bytes from ``offset`` on, the value shifted left by ``shift`` bits
    in them."""

    offset: int
    width: int
    shift: int
    mask: int
    little: bool

    def encode(self, value: int) -> bytes:
        """The value as its bytes stand in the frame, all other bits zero."""
        return (value << self.shift).to_bytes(self.width, "little" if self.little else "big")


@dataclass(frozen=True)
class Checksum:
    """A checksum to patch: its offset, UDP's rule for zero, and for each axis by what its word sum counts in it."""

    offset: int
    zero_is_ffff: bool
    factors: tuple[tuple[int, int], ...]  # (axis's index among the patched, factor), factors that are not 0


@dataclass(frozen=True)
class Patches:
    """All that is patched in the frames of one shape. The offsets count from the frame's start."""

    places: tuple[Place, ...]  # of each patched axis
    checksums: tuple[Checksum, ...]


class Inexplicable(Exception):
    """The differences between Scapy's frames do not follow from the field: it cannot be patched."""


def word_sum(data: bytes) -> int:
    """The sum of the 16-bit words, the first byte a high one."""
    return sum(data[0::2]) * 256 + sum(data[1::2])


def _differing(one: bytes, other: bytes, known: set[int]) -> list[int]:
    if len(one) != len(other):
        raise Inexplicable
    return [at for at, (a, b) in enumerate(zip(one, other)) if a != b and at not in known]


class Analysis:
    """What changes in a frame when a field does, found out by asking Scapy."""

    def __init__(self, stack: Stack, values: dict[tuple[int, str], Any], axes: Sequence[Axis]) -> None:
        self._stack = stack
        self._values = {**values, **{axis.key: axis.scapy_value(0) for axis in axes}}
        self.zero = stack.build(self._values)  # every patched field zero
        self._places: dict[tuple[int, str], tuple[Place, list[int]]] = {}
        self._checksums: list[tuple[int, bool]] = []
        self._covered: set[int] = set()
        for layer, name, zero_is_ffff in stack.auto_checksums():
            off = _differing(self._with((layer, name), 0), self._with((layer, name), 0xFFFF), self._covered)
            if off:
                if len(off) != 2 or off[1] != off[0] + 1:
                    raise Inexplicable
                self._checksums.append((off[0], zero_is_ffff))
                self._covered.update(off)

    def _with(self, key: tuple[int, str], value: Any) -> bytes:
        return self._stack.build({**self._values, key: value})

    def place(self, axis: Axis) -> tuple[Place, list[int]]:
        """Where the field of ``axis`` stands, and its factor in each checksum."""
        values = axis.values
        if not isinstance(values, FieldNumbers):
            raise Inexplicable
        most = (1 << values.bits) - 1
        ones = self._with(axis.key, values.scapy_value(most))
        off = _differing(self.zero, ones, self._covered)
        if not off:
            raise Inexplicable
        offset, width = off[0], off[-1] - off[0] + 1
        end = offset + width
        mask = int.from_bytes(ones[offset:end], "big") ^ int.from_bytes(self.zero[offset:end], "big")
        shift = (mask & -mask).bit_length() - 1
        if mask != most << shift:
            raise Inexplicable
        # Two values tell a byte order and a factor from the others; the stream's own values are compared in whole
        # frames later.
        samples = (1, 0x5A3C96E1D2B4078F5A3C96E1D2B4078F & most)
        frames = {value: self._with(axis.key, values.scapy_value(value)) for value in samples}
        place = self._fitting(frames, offset, width, shift, mask)
        self._places[axis.key] = (place, [self._factor(frames, place, at) for at, _zero_is_ffff in self._checksums])
        return self._places[axis.key]

    def _fitting(self, frames: dict[int, bytes], offset: int, width: int, shift: int, mask: int) -> Place:
        kept = bytes(byte & ~bit & 0xFF for byte, bit in zip(self.zero[offset:], mask.to_bytes(width, "big")))
        end = offset + width
        known = self._covered | set(range(offset, end))
        for little in (False, True):
            place = Place(offset, width, shift, mask, little)
            if all(
                bytes(a | b for a, b in zip(kept, place.encode(value))) == frame[offset:end]
                for value, frame in frames.items()
            ) and not any(_differing(self.zero, frame, known) for frame in frames.values()):
                return place
            if shift or width == 1:
                break
        raise Inexplicable

    def _factor(self, frames: dict[int, bytes], place: Place, at: int) -> int:
        """By what the field's word sum counts in the sum under the checksum at ``at``: 0 where it is not covered.

        ±1, 256 times that where the field starts at an odd byte; -1 or other small numbers in a tunnel's outer
        checksum.
        """
        was = word(self.zero, at)
        for factor in (0, 1, 256, -1, -256, 2, 512, -2, -512, 3, 768, -3, -768):
            if all(
                (was - word(frame, at) - factor * word_sum(place.encode(value))) % 0xFFFF == 0
                for value, frame in frames.items()
            ):
                return factor
        raise Inexplicable

    def patches(self, axes: Sequence[Axis]) -> Patches:
        """Everything there is to patch for ``axes``. :raises Inexplicable: when one of them cannot be."""
        found = [self._places.get(axis.key) or self.place(axis) for axis in axes]
        checksums = []
        for number, (at, zero_is_ffff) in enumerate(self._checksums):
            factors = tuple((axis, factors[number]) for axis, (_place, factors) in enumerate(found) if factors[number])
            if factors:
                checksums.append(Checksum(at, zero_is_ffff, factors))
        return Patches(tuple(place for place, _factors in found), tuple(checksums))
