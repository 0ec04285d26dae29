# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of frames: from layers and varying fields to the records of a pcap, in blocks.

Scapy builds one frame a shape (a size, and the values of the fields that cannot be patched). In copies of it the
varying fields are patched a column at a time: byte b of field f of ten thousand frames is one slice assignment with a
stride. The checksums follow from the fields by RFC 1624's arithmetic, whose coefficients are found by asking Scapy for
a few frames and comparing; so there is no knowledge here of which checksum covers what, and a tunnel's are right as
well. What the comparison cannot explain is left to Scapy, frame by frame: slower, the same bytes.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import lanes as _lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fill import REFERENCE, Fill
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.layers import (
    FieldNumbers,
    FieldObjects,
    LayerSpec,
    Stack,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.sizes import LARGEST, frame_length, spread
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import Numbers

RECORD = struct.Struct("<IIII")  # seconds, fraction, captured length, length
Member = tuple[LayerSpec, str]  # a field of one layer
BLOCK = 1 << 20  # bytes of records made at once
RING = 3  # blocks in flight: a block that was yielded stays as it is until this many more were asked for
_SUPER_MOST = 4 << 20  # bytes of a pattern of frames that is patched as one
_RUN_LEAST = 16  # equal-shaped frames in a row that are worth patching as one
_CHUNK = 1024  # frames that are made one by one in one block
_TEMPLATES_KEPT = 16384  # without their padding they are about a kilobyte each
_SHAPES_ANALYSED = (
    256  # combinations of unpatched values whose frames are still looked into; with more, all is left to Scapy
)
_VALUES_COMPARED = 256  # values of a field that are compared one and all: every one of a field of 8 bits


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


@dataclass(frozen=True)
class Template:
    """A frame of one shape with its record header, the patched fields' bits zero, and each patched checksum's sum
    without them."""

    head: bytes  # the record without the padding, which all templates share
    padding: int
    patches: Patches
    sums: tuple[int, ...]
    # A byte to write: (offset in the record, bits that stay, [(axis, which byte of the field), …])
    writes: tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]

    @property
    def length(self) -> int:
        """The record's bytes."""
        return len(self.head) + self.padding


class Inexplicable(Exception):
    """The differences between Scapy's frames do not follow from the field: it cannot be patched."""


def _word_sum(data: bytes) -> int:
    """The sum of the 16-bit words, the first byte a high one."""
    return sum(data[0::2]) * 256 + sum(data[1::2])


def _differing(one: bytes, other: bytes, known: set[int]) -> list[int]:
    if len(one) != len(other):
        raise Inexplicable
    return [at for at, (a, b) in enumerate(zip(one, other)) if a != b and at not in known]


class _Analysis:
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
        mask = int.from_bytes(ones[offset : offset + width], "big") ^ int.from_bytes(
            self.zero[offset : offset + width], "big"
        )
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
        for little in (False, True):
            place = Place(offset, width, shift, mask, little)
            if all(
                bytes(a | b for a, b in zip(kept, place.encode(value))) == frame[offset : offset + width]
                and not _differing(self.zero, frame, self._covered | set(range(offset, offset + width)))
                for value, frame in frames.items()
            ):
                return place
            if shift or width == 1:
                break
        raise Inexplicable

    def _factor(self, frames: dict[int, bytes], place: Place, at: int) -> int:
        """By what the field's word sum counts in the sum under the checksum at ``at``: 0 where it is not covered.

        ±1, 256 times that where the field starts at an odd byte; -1 or other small numbers in a tunnel's outer
        checksum.
        """
        was = int.from_bytes(self.zero[at : at + 2], "big")
        for factor in (0, 1, 256, -1, -256, 2, 512, -2, -512, 3, 768, -3, -768):
            if all(
                (was - int.from_bytes(frame[at : at + 2], "big") - factor * _word_sum(place.encode(value))) % 0xFFFF
                == 0
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


class Stream:
    """The frames of one stream, by number.

    :param sizes: the sizes that the frames take in turn, in ``base``; empty: each frame as long as its layers are.
    :param count: how many frames; None: the product of the varying fields, or the number of sizes where that is more.
    :param on: what the stream is called in an error.
    :param together: groups of varying fields that change together, of as many values each.
    """

    def __init__(
        self,
        layers: Sequence[LayerSpec],
        *,
        sizes: Sequence[int],
        base: str,
        count: int | None,
        weight: int,
        fill: Fill,
        on: str,
        together: Sequence[Sequence[Member]] = (),
    ) -> None:
        self.on = on
        self.weight = weight
        self._base = base
        self._sizes = list(sizes)
        self.fill = fill
        self.stack = Stack(layers, on)
        self.axes, self.product = self._axes(together)
        self.frames = count if count is not None else max(self.product, len(self._sizes), 1)
        self._templates: dict[tuple[int, ...], Template] = {}
        self._writes: dict[Any, Any] = {}  # templates of several sizes write the same bytes: one object for all
        self._shapes: dict[tuple[int, ...], tuple[Patches, int, int | None]] = {}
        self._check_repeatable()
        self._one_each = False  # whether each frame is a shape of its own
        self.patched: list[Axis] = []
        self.patched = self._patchable()
        if not self._agrees():
            self.patched = []
            self._one_each = fill.varies
            self._templates.clear()
            self._shapes.clear()

    def _axes(self, together: Sequence[Sequence[Member]]) -> tuple[list[Axis], int]:
        """The varying fields in Scapy's order of the product, what moves together at the place of its fastest; and the
        product's length."""
        follows = {(id(spec), name): spec.follows[name] for spec in self.stack.specs for name in spec.follows}
        group_of = {(id(spec), name): number for number, group in enumerate(together) for spec, name in group}
        strides: dict[Any, int] = {}
        axes = []
        stride = 1
        for spec, name in self.stack.fields():
            leader = follows.get((id(spec), name), (spec, name))
            member = (id(leader[0]), leader[1])
            group = group_of.get(member, member)
            values = spec.varying[name]
            if group not in strides:
                strides[group] = stride
                stride *= values.count
            axes.append(Axis((self.stack.number(spec), name), values, strides[group]))
        return axes, stride

    def unmoved(self) -> list[str]:
        """A warning for each varying field of which ``count`` frames have the first value only."""
        specs = self.stack.specs
        names = [f"{specs[number].name}.{name}" for number, name in (axis.key for axis in self.axes)]
        still = [
            f"{name} ({axis.values.count} values)"
            for axis, name in zip(self.axes, names)
            if self.frames <= axis.stride and axis.key[1] not in specs[axis.key[0]].follows
        ]
        if not still:
            return []
        return [
            f"{self.on}: count {self.frames} ends before {' and '.join(still)} {'have' if len(still) > 1 else 'has'}"
            f" changed at all: every frame has the first value. {names[0]} changes fastest, and all combinations are"
            f" {self.product} frames. Raise count, give fewer values, or let fields change together (together)."
        ]

    @property
    def shaping(self) -> list[Axis]:
        """The varying fields that are not patched: each of their values is a shape of its own."""
        return [axis for axis in self.axes if axis not in self.patched]

    def _check_repeatable(self) -> None:
        # What would be looked up in this host has been pinned already.
        if not self.stack.repeatable(self._values(0)):
            chance = self.stack.by_chance()
            fields = ", ".join(chance)
            raise TrafficgenError(
                f"Scapy gives {fields or 'one of these layers'} another value each time: a random one, or the time"
                " of day",
                on=self.on,
                remedy=(
                    f"Give {'them' if chance else 'its identifiers, nonces and times'} values of their own: "
                    "the same spec has to give the same bytes."
                ),
            )

    def _patchable(self) -> list[Axis]:
        """The axes that can be patched whatever the others' values are, as far as a first look at each tells."""
        numeric = [axis for axis in self.axes if isinstance(axis.values, FieldNumbers)]
        fitting = []
        try:
            analysis = _Analysis(self.stack, self._values(0), numeric)
        except (Inexplicable, TrafficgenError):  # zero may be a value that Scapy refuses for a field
            return []
        for axis in numeric:
            try:
                analysis.place(axis)
            except (Inexplicable, TrafficgenError):  # nor may it take the field's largest value
                continue
            fitting.append(axis)
        if len(fitting) == len(numeric) == len(self.axes):
            self._shapes[()] = self._shape_of(self._values(0), analysis.patches(fitting))
        shapes = prod({axis.stride: axis.values.count for axis in self.axes if axis not in fitting}.values())
        return fitting if shapes <= _SHAPES_ANALYSED else []

    def _shape_of(self, values: dict[tuple[int, str], Any], patches: Patches) -> tuple[Patches, int, int | None]:
        """What is patched in frames of the shape that ``values`` have, their length unpadded, and where their IP header
        starts."""
        return patches, len(self.stack.build(values)), self._ip_offset(values)

    def _agrees(self) -> bool:
        """Whether patched frames are Scapy's own, over a sample: the ends, some between, and every value of short axes
        once.

        What a layer looks like may depend on a single value of a field: ICMP's timestamps (types 13 and 14) make it
        longer.
        """
        last = self.frames - 1
        sample = {0, last} | {last * part // 7919 for part in (211, 2999, 4513, 7717)}
        for axis in self.axes:
            if axis.values.count <= _VALUES_COMPARED:
                sample |= {axis.stride * index for index in range(axis.values.count) if axis.stride * index <= last}
        if self.fill.varies and self._sizes:  # frames with room for payload that differs
            longest = self._sizes.index(max(self._sizes))
            sample |= {frame for frame in (longest, longest + len(self._sizes)) if frame <= last}
        try:
            return not (self.patched or self.fill.varies) or all(
                bytes(self.patched_frame(frame)) == self.scapy_frame(frame) for frame in sorted(sample)
            )
        except Inexplicable:
            return False

    def _values(self, frame: int) -> dict[tuple[int, str], Any]:
        return {axis.key: axis.values[axis.index(frame)] for axis in self.axes}

    def scapy_frame(self, frame: int) -> bytes:
        """Frame number ``frame`` as Scapy builds it: what every other way has to equal."""
        values = self._values(frame)
        if not self._sizes:
            return self.stack.build(values)
        shape = self._shapes.get(self.shape(frame)[1:]) or self._shape_of(values, Patches((), ()))
        return self.stack.build(values, self.fill.payload(self._padding(frame, *shape[1:]), frame))

    def patched_frame(self, frame: int) -> bytearray:
        """Frame number ``frame``, patched into its template."""
        return fill_records([Slot(self, frame, 0, 1)], 1, Clock(0, 10**6), 0)[RECORD.size :]

    def _padding(self, frame: int, length: int, ip_offset: int | None) -> int:
        """The payload bytes that make frame number ``frame`` as long as its size asks."""
        if not self._sizes:
            return 0
        size = self._sizes[frame % len(self._sizes)]
        wanted = frame_length(size, self._base, ip_offset, self.on)
        if wanted < length:
            raise TrafficgenError(
                f"size {size} (size_of: {self._base}) is smaller than the headers",
                on=self.on,
                remedy=f"The layers alone are a frame of {length} bytes: {size + length - wanted} in that base.",
            )
        return wanted - length

    def _ip_offset(self, values: dict[tuple[int, str], Any]) -> int | None:
        return self.stack.ip_offset(values) if self._base == "ip" and self._sizes else None

    def shape(self, frame: int) -> tuple[int, ...]:
        """What frame number ``frame``'s template depends on."""
        size = self._sizes[frame % len(self._sizes)] if self._sizes else 0
        return (size, *([frame] if self._one_each else []), *(axis.index(frame) for axis in self.shaping))

    def template(self, frame: int) -> Template:
        """The template of frame number ``frame``."""
        shape = self.shape(frame)
        if shape not in self._templates:
            if len(self._templates) >= _TEMPLATES_KEPT:
                self._templates.clear()
            self._templates[shape] = self._make_template(frame)
        return self._templates[shape]

    def _make_template(self, frame: int) -> Template:
        values = self._values(frame)
        shape = self.shape(frame)[1:]
        if shape not in self._shapes:
            if len(self._shapes) >= _TEMPLATES_KEPT:
                self._shapes.clear()
            patches = (
                _Analysis(self.stack, values, self.patched).patches(self.patched) if self.patched else Patches((), ())
            )
            self._shapes[shape] = self._shape_of(values, patches)
        patches, length, ip_offset = self._shapes[shape]
        for axis in self.patched:
            values[axis.key] = axis.scapy_value(0)
        padding = self._padding(frame, length, ip_offset)
        payload = self.fill.payload(padding, REFERENCE if self.fill.varies and not self._one_each else frame)
        data = self.stack.build(values, payload)
        if len(data) != length + padding or len(data) > LARGEST + 64:
            raise TrafficgenError(f"the frame comes to {len(data)} bytes, not {length + padding}", on=self.on)
        # A sum of zero is a region of zeros, whose checksum is 0xffff; every other sum that is 0 modulo 0xffff is
        # 0xffff.
        sums = tuple(0xFFFF - int.from_bytes(data[c.offset : c.offset + 2], "big") for c in patches.checksums)
        parts: dict[int, list[tuple[int, int]]] = {}
        for axis_index, place in enumerate(patches.places):
            touched = place.mask.to_bytes(place.width, "big")
            for byte in range(place.width):
                if touched[byte]:
                    parts.setdefault(place.offset + byte, []).append((axis_index, byte))
        writes = tuple((RECORD.size + at, data[at], tuple(sources)) for at, sources in sorted(parts.items()))
        # The padding is the frame's end, unless a layer has a trailer.
        at_the_end = (
            padding and data.endswith(payload) and max(parts, default=0) < len(data) - padding and not self._one_each
        )
        shared = padding if at_the_end else 0
        head = RECORD.pack(0, 0, len(data), len(data)) + data[: len(data) - shared]
        return Template(head, shared, patches, sums, self._writes.setdefault(writes, writes))

    def period(self) -> int:
        """After how many frames the shapes come round again."""
        period = max(len(self._sizes), 1)
        if self._one_each:
            return period * max(self.frames, 1)
        for axis in self.shaping:
            cycle = axis.stride * axis.values.count
            period = period * cycle // gcd(period, cycle)
        return period

    def run_length(self, frame: int) -> int:
        """How many frames from ``frame`` on have its shape, at least."""
        if len(self._sizes) > 1 or self._one_each:
            return 1
        return min([axis.stride - frame % axis.stride for axis in self.shaping], default=self.frames)

    def total_bytes(self) -> int | None:
        """The bytes of all frames where sizes or a single shape settle them beforehand, else None."""
        if self.shaping and (
            not self._sizes or self._base == "ip"
        ):  # what comes before the IP header may vary in length
            return None
        cycle = max(len(self._sizes), 1)
        whole, rest = divmod(self.frames, cycle)
        self.template(0)
        _patches, length, ip_offset = self._shapes[self.shape(0)[1:]]
        lengths = [length + self._padding(frame, length, ip_offset) for frame in range(min(cycle, self.frames))]
        return whole * sum(lengths) + sum(lengths[:rest])

    def window(self, first: int, count: int) -> _Window:
        """The values of the patched fields in frames ``first`` to ``first + count``."""
        return _Window(self, first, count)


class _Window:
    """The patched fields of consecutive frames of a stream: a column a byte, and the word sums for the checksums."""

    def __init__(self, stream: Stream, first: int, count: int) -> None:
        self._stream = stream
        self._first = first
        self.count = count
        self._columns: dict[tuple[int, Place], list[bytes]] = {}
        self._sums: dict[tuple[int, Place], int] = {}

    def columns(self, axis_index: int, place: Place) -> list[bytes]:
        """The field's bytes in each frame, in the order in which they stand there."""
        key = (axis_index, place)
        if key not in self._columns:
            self._columns[key] = self._stretched(self._stream.patched[axis_index], place)
        return self._columns[key]

    def sums(self, axis_index: int, place: Place) -> int:
        """The field's word sum in each frame, folded, as lanes."""
        key = (axis_index, place)
        if key not in self._sums:
            self._sums[key] = _lanes.word_sums(self.columns(axis_index, place))
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
                stretched.append(bytes(grown[skip : skip + self.count]))
            else:
                starts = range(first * stride - self._first, self.count, stride)
                stretched.append(
                    b"".join(
                        [
                            column[i : i + 1] * (min(start + stride, self.count) - max(start, 0))
                            for i, start in enumerate(starts)
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
            return [(column * turns)[start : start + count] for column in numbers.columns(0, total, *form)]
        head, tail = numbers.columns(start, total, *form), numbers.columns(0, start + count - total, *form)
        return [one + other for one, other in zip(head, tail)]


@dataclass(frozen=True)
class Slot:
    """A place in a pattern of frames: its stream, its first frame's number, its rank and how many of the pattern are
    the stream's."""

    stream: Stream
    frame: int
    rank: int
    step: int


@dataclass(frozen=True)
class Clock:
    """The times in a file: frame i of the file at i times ``interval`` ticks, ``per_second`` of them a second."""

    interval: int
    per_second: int

    def columns(self, first: int, step: int, count: int) -> tuple[bytes, bytes]:
        """Seconds and fraction of every ``step``-th frame from ``first`` on, as little-endian 32-bit numbers."""
        start, by = first * self.interval, step * self.interval
        second, fraction = divmod(start, self.per_second)
        if fraction + by * (count - 1) < self.per_second:
            return second.to_bytes(4, "little") * count, _lanes.progression(fraction, by, 4, count)
        times = [divmod(start + by * i, self.per_second) for i in range(count)]
        return struct.pack(f"<{count}I", *(time[0] for time in times)), struct.pack(
            f"<{count}I", *(time[1] for time in times)
        )


def fill_records(
    slots: Sequence[Slot], count: int, clock: Clock, number: int, buffer: bytearray | None = None
) -> bytearray:
    """``count`` turns of a pattern of frames, as pcap records.

    :param number: the first frame's number in the file.
    :param buffer: a buffer that an earlier call for the same pattern and count has returned, to be patched again.
    """
    templates = [slot.stream.template(slot.frame) for slot in slots]
    turn = sum(template.length for template in templates)
    if buffer is None:
        parts = [
            part for slot, one in zip(slots, templates) for part in (one.head, slot.stream.fill.payload(one.padding, 0))
        ]
        buffer = bytearray(b"".join(parts) * count)
    windows: dict[int, _Window] = {}
    base = 0
    for index, (slot, template) in enumerate(zip(slots, templates)):
        if id(slot.stream) not in windows:
            first = min(other.frame for other in slots if other.stream is slot.stream)
            windows[id(slot.stream)] = slot.stream.window(first, slot.step * count)
        if clock.interval:
            seconds, fractions = clock.columns(number + index, len(slots), count)
            for byte in range(4):
                buffer[base + byte :: turn] = seconds[byte::4]
                buffer[base + 4 + byte :: turn] = fractions[byte::4]
        _patch(buffer, base, turn, template, slot, windows[id(slot.stream)], count)
        if template.padding and slot.stream.fill.varies:
            frame, at = slot.frame, base + len(template.head)
            for _turn in range(count):
                buffer[at : at + template.padding] = slot.stream.fill.payload(template.padding, frame)
                frame, at = frame + slot.step, at + turn
        base += template.length
    return buffer


def _patch(
    buffer: bytearray, base: int, turn: int, template: Template, slot: Slot, window: _Window, count: int
) -> None:
    """Write the varying fields and checksums of one place of the pattern, in all its turns."""
    places = template.patches.places
    for at, kept, sources in template.writes:
        parts = [window.columns(axis, places[axis])[byte][slot.rank :: slot.step] for axis, byte in sources]
        if kept or len(parts) > 1:
            merged = _lanes.ones(1, count) * kept
            for part in parts:
                merged |= int.from_bytes(part, "little")
            buffer[base + at :: turn] = merged.to_bytes(count, "little")
        else:
            buffer[base + at :: turn] = parts[0]
    for checksum, start in zip(template.patches.checksums, template.sums):
        total = _lanes.ones(_lanes.SUM_LANE, window.count) * start
        for axis, factor in checksum.factors:
            sums = window.sums(axis, places[axis])
            total += (sums if factor > 0 else _lanes.negated(_lanes.fold(sums, window.count), window.count)) * abs(
                factor
            )
        lanes, _count = _lanes.picked(total, window.count, slot.rank, slot.step)
        high, low = _lanes.checksum_columns(lanes, count, checksum.zero_is_ffff)
        buffer[base + RECORD.size + checksum.offset :: turn] = high
        buffer[base + RECORD.size + checksum.offset + 1 :: turn] = low


class Traffic:
    """All streams of a file in their order: one after the other, or interleaved by weight.

    ``sizes`` counts the frames by length as the blocks are made.

    Interleaved streams take turns as evenly as their weights allow; one that has no frames left drops out of the
    pattern.
    """

    def __init__(self, streams: Sequence[Stream], *, interleaved: bool, clock: Clock) -> None:
        self.streams = list(streams)
        self._interleaved = interleaved
        self._clock = clock
        if interleaved:
            spread(
                [stream.weight for stream in streams]
            )  # refuses weights that are too large, before anything is written
        self.frames = sum(stream.frames for stream in streams)
        self.sizes: Counter[int] = Counter()
        self._number = 0
        if self.frames and (self.frames - 1) * clock.interval // clock.per_second >= 1 << 32:
            raise TrafficgenError(
                "the last frame's time does not fit a pcap",
                on="interval",
                remedy="A pcap holds 136 years: shorten the interval.",
            )

    def warnings(self) -> list[str]:
        """What the spec's author may not have meant."""
        return [warning for stream in self.streams for warning in stream.unmoved()]

    def total_bytes(self) -> int | None:
        """The bytes of all frames, where they are known before the frames are made."""
        totals = [stream.total_bytes() for stream in self.streams]
        return None if None in totals else sum(total for total in totals if total is not None)

    def blocks(self) -> Iterator[bytearray]:
        """All records of the file. A block is overwritten once :data:`RING` more have been asked for."""
        self.sizes.clear()
        self._number = 0
        if not self._interleaved:
            for stream in self.streams:
                yield from self._cycles([stream], {stream: 0}, stream.frames)
            return
        done = dict.fromkeys(self.streams, 0)
        alive = [stream for stream in self.streams if stream.frames]
        while alive:
            pattern = [alive[index] for index in spread([stream.weight for stream in alive])]
            cycles = min((stream.frames - done[stream]) // stream.weight for stream in alive)
            if cycles:
                yield from self._cycles(pattern, done, cycles)
                for stream in alive:
                    done[stream] += cycles * stream.weight
            else:
                # The last turn of the stream that ends: the places of what is used up are skipped.
                slots = []
                for stream in pattern:
                    if done[stream] < stream.frames:
                        slots.append((stream, done[stream]))
                        done[stream] += 1
                yield from self._one_by_one(slots)
            alive = [stream for stream in alive if done[stream] < stream.frames]

    def _cycles(self, pattern: Sequence[Stream], start: dict[Stream, int], cycles: int) -> Iterator[bytearray]:
        """``cycles`` turns of a pattern of streams, of which each goes on at ``start``."""
        done = dict(start)
        weights = Counter(pattern)
        together = 1
        for stream, weight in weights.items():
            period = stream.period()
            share = period // gcd(period, weight)
            together = together * share // gcd(together, share)
        if together * len(pattern) <= _CHUNK * 16 and together <= cycles:
            turn = self._slots(list(pattern) * together, done)
            length = sum(stream.template(frame).length for stream, frame in turn)
            if length <= _SUPER_MOST:
                yield from self._turns(turn, length, cycles // together)
                for stream, weight in weights.items():
                    done[stream] += weight * (cycles - cycles % together)
                cycles %= together
        while cycles:
            run = pattern[0].run_length(done[pattern[0]]) if len(pattern) == 1 else 1
            if run >= _RUN_LEAST:
                stream, run = pattern[0], min(run, cycles)
                frame = done[stream]
                yield from self._turns([(stream, frame)], stream.template(frame).length, run)
                done[stream] += run
                cycles -= run
            else:
                some = min(cycles, max(1, _CHUNK // len(pattern)))
                slots = self._slots(list(pattern) * some, done)
                yield from self._one_by_one(slots)
                for stream, weight in weights.items():
                    done[stream] += weight * some
                cycles -= some

    @staticmethod
    def _slots(pattern: Sequence[Stream], start: dict[Stream, int]) -> list[tuple[Stream, int]]:
        """The frames of a pattern, as (stream, frame's number)."""
        done = dict(start)
        slots = []
        for stream in pattern:
            slots.append((stream, done[stream]))
            done[stream] += 1
        return slots

    def _turns(self, frames: Sequence[tuple[Stream, int]], length: int, turns: int) -> Iterator[bytearray]:
        """A pattern of frames ``turns`` times, in blocks; buffers are patched again, not built anew."""
        weights = Counter(stream for stream, _frame in frames)
        a_block = min(turns, max(1, BLOCK // length, min(16, (4 * BLOCK) // length)))
        ring: list[bytearray | None] = [None] * RING
        made = 0
        lengths = Counter(stream.template(frame).length - RECORD.size for stream, frame in frames)
        while made < turns:
            count = min(a_block, turns - made)
            ranks: Counter[Stream] = Counter()
            slots = []
            for stream, frame in frames:
                slots.append(Slot(stream, frame + made * weights[stream], ranks[stream], weights[stream]))
                ranks[stream] += 1
            at = made // a_block % RING
            buffer = fill_records(slots, count, self._clock, self._number, ring[at] if count == a_block else None)
            ring[at] = buffer
            made += count
            self._number += count * len(frames)
            for size, times in lengths.items():
                self.sizes[size] += times * count
            yield buffer

    def _one_by_one(self, frames: Sequence[tuple[Stream, int]]) -> Iterator[bytearray]:
        """Frames of any shapes in a row, each patched on its own, in blocks."""
        some: list[tuple[Stream, int]] = []
        length = 0
        for stream, frame in frames:
            record = stream.template(frame).length
            if some and length + record > BLOCK:
                yield self._block(some)
                some, length = [], 0
            some.append((stream, frame))
            length += record
            self.sizes[record - RECORD.size] += 1
        yield self._block(some)

    def _block(self, frames: Sequence[tuple[Stream, int]]) -> bytearray:
        """A block of these frames, each its own template."""
        weights = Counter(stream for stream, _frame in frames)
        ranks: Counter[Stream] = Counter()
        slots = []
        for stream, frame in frames:
            slots.append(Slot(stream, frame, ranks[stream], weights[stream]))
            ranks[stream] += 1
        block = fill_records(slots, 1, self._clock, self._number)
        self._number += len(frames)
        return block
