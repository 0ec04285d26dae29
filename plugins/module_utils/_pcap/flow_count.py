# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many flows a file of streams has, from the streams alone: without looking at every frame, where they allow it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import flow_key, layout
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.patches import Place
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.stream import Stream
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import spans

_COUNTED = 100_000  # flows, or frames, that are counted one by one: the most that flat memory and a short time allow


@dataclass(frozen=True)
class _Box:
    """The flows of a stream as a product: what is the same in all keys, and the values that each varying part takes."""

    stream: Stream
    fixed: bytes  # a key with every varying part zero
    axes: tuple[int, ...]  # of the stream's patched axes, those that the key holds
    # Where each stands, its values, and which of the axes it is: those that move together are one.
    parts: tuple[tuple[Place, tuple[range, ...], int], ...]

    def flows(self) -> int:
        """Distinct combinations of the key's axes among the stream's frames, taken in the order of the product."""
        # What moves together is one axis, in the key if any of it is.
        moving: dict[int, tuple[int, bool]] = {}
        for index, axis in enumerate(self.stream.patched):
            moving[axis.stride] = (axis.values.count, index in self.axes or moving.get(axis.stride, (0, False))[1])
        axes = [moving[stride] for stride in sorted(moving)]

        def among(frames: int, count: int) -> int:
            """Of the first ``frames`` of the product of the ``count`` fastest axes."""
            if count == 0 or frames <= 0:
                return min(frames, 1)
            inner = 1
            for length, _in_key in axes[: count - 1]:
                inner *= length
            whole, rest = divmod(min(frames, inner * axes[count - 1][0]), inner)
            if axes[count - 1][1]:
                return whole * among(inner, count - 1) + among(rest, count - 1)
            return among(inner if whole else rest, count - 1)

        return among(self.stream.frames, len(axes))


def _box(stream: Stream, link_type: int) -> _Box | None:
    """The stream's flows as a product; None where a look at one frame does not tell them."""
    if stream.shaping:
        return None
    frame = bytes(stream.patched_frame(0))
    found = layout(frame, link_type)
    slices = found.key or ()
    in_key = {at for part in slices for at in range(*part.indices(len(frame)))}
    places = stream.template(0).patches.places
    if stream.fill.varies and {*in_key, *found.decisive} & set(
        range(len(frame) - stream.template(0).padding, len(frame))
    ):
        return None  # what follows the last layer is read as a header
    cleared = bytearray(frame)
    strides: list[int] = []
    axes, parts = [], []
    for index, (axis, place) in enumerate(zip(stream.patched, places)):
        covered = set(range(place.offset, place.offset + place.width))
        if covered & set(found.decisive):
            return None
        if in_key & covered:
            if not axis.numbers.distinct:
                return None
            axes.append(index)
            if axis.stride not in strides:
                strides.append(axis.stride)
            parts.append((place, axis.numbers.ranges, strides.index(axis.stride)))
            cleared[slice(place.offset, place.offset + place.width)] = bytes(place.width)
    return _Box(stream, b"".join(cleared[part] for part in slices), tuple(axes), tuple(parts))


def _apart(one: _Box, other: _Box) -> bool:
    """Whether two boxes certainly share no flow: what both hold fixed differs, or so do a part's values."""
    if len(one.fixed) != len(other.fixed):
        return True
    if one.parts == other.parts:
        return one.fixed != other.fixed
    others = {place: ranges for place, ranges, _axis in other.parts}
    return any(place in others and not _overlap(ranges, others[place]) for place, ranges, _axis in one.parts)


def _overlap(some: tuple[range, ...], others: tuple[range, ...]) -> bool:
    """Whether a number may be in both. Of either, no number is in two ranges."""
    ordered = sorted(spans([*some, *others]))
    return any(one[1] >= other[0] for one, other in zip(ordered, ordered[1:]))


def count_flows(streams: list[Stream], link_type: int) -> int | None:
    """The flows in a file of these streams, by the rule of :mod:`_pcap.flows`.

    None where streams share flows in a way that only a look at every frame would settle, and there are more than
    100,000 of them.
    """
    boxes = [_box(stream, link_type) for stream in streams]
    total = 0
    distinct: list[_Box] = []
    for box in boxes:
        if box is None:
            return _counted(streams, link_type)
        if not box.fixed:
            continue  # no IP: no flows
        same = [known for known in distinct if known.fixed == box.fixed and known.parts == box.parts]
        if same:
            # The same product in the same order: the one with more flows holds the other's.
            more = box.flows() - same[0].flows()
            if more > 0:
                total += more
                distinct[distinct.index(same[0])] = box
        elif all(_apart(known, box) for known in distinct):
            distinct.append(box)
            total += box.flows()
        else:
            return _counted(streams, link_type)
    return total


def _counted(streams: list[Stream], link_type: int) -> int | None:
    """The flows counted frame by frame, one turn of each stream's fields."""
    turns = [stream.frames if stream.fill.varies else min(stream.frames, stream.product) for stream in streams]
    if sum(turns) > _COUNTED:
        return None
    keys = {
        flow_key(bytes(stream.patched_frame(frame)), link_type)
        for stream, turn in zip(streams, turns)
        for frame in range(turn)
    }
    return len(keys - {None})
