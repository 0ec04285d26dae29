# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of frames: from layers and varying fields to the records of a pcap, in blocks.

Scapy builds one frame a shape (a size, and the values of the fields that cannot be patched). In copies of it the
varying fields are patched a column at a time: byte b of field f of ten thousand frames is one slice assignment with a
stride. How a checksum follows from the fields is found out in ``patches``; what cannot be patched is left to Scapy,
frame by frame: slower, the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes as lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import StreamMarks
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import FieldNumbers, LayerSpec
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fill import REFERENCE, Fill, MarkedFill
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.layers import Stack
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.patches import (
    Analysis,
    Axis,
    Inexplicable,
    Patches,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.sizes import LARGEST, frame_length
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.window import Window

RECORD = struct.Struct("<IIII")  # seconds, fraction, captured length, length
Member = tuple[LayerSpec, str]  # a field of one layer
_TEMPLATES_KEPT = 16384  # without their padding they are about a kilobyte each
_SHAPES_ANALYSED = (
    256  # combinations of unpatched values whose frames are still looked into; with more, all is left to Scapy
)
_VALUES_COMPARED = 256  # values of a field that are compared one and all: every one of a field of 8 bits


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


class Stream:
    """The frames of one stream, by number.

    :param sizes: the sizes that the frames take in turn, in ``base``; empty: each frame as long as its layers are.
    :param count: how many frames; None: the product of the varying fields, or the number of sizes where that is more.
    :param on: what the stream is called in an error.
    :param together: groups of varying fields that change together, of as many values each.
    :param marks: the test's number and the stream's in the frames' marks; None: they have none.
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
        marks: tuple[int, int] | None = None,
    ) -> None:
        self.on = on
        self.weight = weight
        self._base = base
        self._sizes = list(sizes)
        self.stack = Stack(layers, on)
        self.axes, self.product = self._axes(together)
        self.frames = count if count is not None else max(self.product, len(self._sizes), 1)
        self.fill = fill if marks is None else MarkedFill(fill, StreamMarks(*marks, self.frames))
        self._templates: dict[tuple[int, ...], Template] = {}
        self._writes: dict[Any, Any] = {}  # templates of several sizes write the same bytes: one object for all
        self._shapes: dict[tuple[int, ...], tuple[Patches, int, int | None]] = {}
        self._check_repeatable()
        self._one_each = False  # whether each frame is a shape of its own
        self.patched: list[Axis] = []
        self.patched = self._patchable()
        self._number_marks()
        if not self._agrees():
            self.patched = []
            self._one_each = self.fill.varies
            self._templates.clear()
            self._shapes.clear()
            self._number_marks()

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
            f"{self.on}: with count {self.frames}, {' and '.join(still)} {'do' if len(still) > 1 else 'does'}"
            f" not change: every frame has the first value. {names[0]} changes fastest; all combinations take"
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
                f"Scapy sets {fields or 'fields of one of these layers'} to another value each time, at random or from"
                " the clock",
                on=self.on,
                remedy=(
                    f"Set {'them' if chance else 'its identifiers, nonces and times'} in layers: the same spec must"
                    " give the same bytes."
                ),
            )

    def _patchable(self) -> list[Axis]:
        """The axes that can be patched whatever the others' values are, as far as a first look at each tells."""
        numeric = [axis for axis in self.axes if isinstance(axis.values, FieldNumbers)]
        fitting = []
        try:
            analysis = Analysis(self.stack, self._values(0), numeric)
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
        return self.stack.build(self._values(frame), self.fill.payload(self._padding_of(frame), frame))

    def patched_frame(self, frame: int) -> bytearray:
        """Frame number ``frame``, patched into its template."""
        record = fill_records([Slot(self, frame, 0, 1)], 1, Clock(0, 10**6), 0)
        del record[: RECORD.size]
        return record

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
                remedy=f"The layers alone make a frame of {length} bytes. Give {size + length - wanted} or more.",
            )
        return wanted - length

    def _padding_of(self, frame: int) -> int:
        """The same, whatever the frame's shape is."""
        if not self._sizes:
            return 0
        shape = self._shapes.get(self.shape(frame)[1:]) or self._shape_of(self._values(frame), Patches((), ()))
        return self._padding(frame, *shape[1:])

    def _number_marks(self) -> None:
        """Tell a fill with marks which frames have room for one."""
        if isinstance(self.fill, MarkedFill) and self._sizes:
            self.fill.number_frames(
                [self._padding_of(frame) for frame in range(min(self._lengths_period(), self.frames))]
            )

    def marked(self) -> int:
        """How many of its frames have a mark."""
        return self.fill.number(self.frames) if isinstance(self.fill, MarkedFill) else 0

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
                Analysis(self.stack, values, self.patched).patches(self.patched) if self.patched else Patches((), ())
            )
            self._shapes[shape] = self._shape_of(values, patches)
        patches, length, ip_offset = self._shapes[shape]
        for axis in self.patched:
            values[axis.key] = axis.scapy_value(0)
        padding = self._padding(frame, length, ip_offset)
        payload = self.fill.payload(padding, REFERENCE if self.fill.varies and not self._one_each else frame)
        data = self.stack.build(values, payload)
        if len(data) != length + padding or len(data) > LARGEST + 64:
            raise TrafficgenError(f"the frame has {len(data)} bytes, not {length + padding}", on=self.on)
        # A sum of zero is a region of zeros, whose checksum is 0xffff; every other sum that is 0 modulo 0xffff is
        # 0xffff.
        sums = tuple(0xFFFF - lanes.word(data, checksum.offset) for checksum in patches.checksums)
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
        return self._lengths_period() * (max(self.frames, 1) if self._one_each else 1)

    def _lengths_period(self) -> int:
        period = max(len(self._sizes), 1)
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

    def window(self, first: int, count: int) -> Window:
        """The values of the patched fields in frames ``first`` to ``first + count``."""
        return Window(self.patched, first, count)


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
            return second.to_bytes(4, "little") * count, lanes.progression(fraction, by, 4, count)
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
    windows: dict[int, Window] = {}
    base = 0
    for index, (slot, template) in enumerate(zip(slots, templates)):
        if id(slot.stream) not in windows:
            first = min(other.frame for other in slots if other.stream is slot.stream)
            windows[id(slot.stream)] = slot.stream.window(first, slot.step * count)
        if clock.interval:
            seconds, fractions = clock.columns(number + index, len(slots), count)
            for byte in range(4):
                place = base + byte
                buffer[place::turn] = seconds[byte::4]
                place += 4
                buffer[place::turn] = fractions[byte::4]
        _patch(buffer, base, turn, template, slot, windows[id(slot.stream)], count)
        if template.padding:
            frames = range(slot.frame, slot.frame + slot.step * count, slot.step)
            slot.stream.fill.fill(buffer, base + len(template.head), turn, template.padding, frames)
        base += template.length
    return buffer


def _patch(buffer: bytearray, base: int, turn: int, template: Template, slot: Slot, window: Window, count: int) -> None:
    """Write the varying fields and checksums of one place of the pattern, in all its turns."""
    places = template.patches.places
    for at, kept, sources in template.writes:
        frames = slice(slot.rank, None, slot.step)
        parts = [window.columns(axis, places[axis])[byte][frames] for axis, byte in sources]
        to = slice(base + at, None, turn)
        if kept or len(parts) > 1:
            merged = lanes.ones(1, count) * kept
            for part in parts:
                merged |= int.from_bytes(part, "little")
            buffer[to] = merged.to_bytes(count, "little")
        else:
            buffer[to] = parts[0]
    for checksum, start in zip(template.patches.checksums, template.sums):
        total = lanes.ones(lanes.SUM_LANE, window.count) * start
        for axis, factor in checksum.factors:
            sums = window.sums(axis, places[axis])
            total += (sums if factor > 0 else lanes.negated(lanes.fold(sums, window.count), window.count)) * abs(factor)
        picked, _count = lanes.picked(total, window.count, slot.rank, slot.step)
        high, low = lanes.checksum_columns(picked, count, checksum.zero_is_ffff)
        place = base + RECORD.size + checksum.offset
        buffer[place::turn] = high
        place += 1
        buffer[place::turn] = low
