# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The marks in a block of frames, as the kernel lays it out: columns of equal frames at once, or one by one. Pure.

Equal frames in a row are what a test mostly has. Their headers are compared, and their marks read, by a few operations
on whole columns, which is many times as fast as frame by frame.
"""

from __future__ import annotations

import mmap
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple, Union

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import (
    LONG,
    SHORT,
    Mark,
    StreamMarks,
    read_mark,
)

Memory = Union[mmap.mmap, bytes, bytearray]
IP4, IP6 = 0x0800, 0x86DD  # EtherTypes
TAGS = (0x8100, 0x88A8)
_TAG = 4  # bytes
# struct tpacket3_hdr up to tp_mac, where the frame is. Behind that structure, of 48 bytes, is a sockaddr_ll.
_RECORD = struct.Struct("=6IH")
_PROTOCOL = struct.Struct(">H")
_PROTOCOL_AT = 48 + 2
_TIME = struct.Struct("=II")
_TIME_AT = 4
_SNAPLEN_AT = 12
_FEW = 8  # frames that are as soon read one by one


class Run(NamedTuple):
    """Frames of one stream with numbers that follow one another, and when each of them arrived; without a mark: one
    whose mark was altered."""

    mark: Mark | None
    frames: int
    time_of: Callable[[int], int]


class _Times(NamedTuple):
    """The times of frames whose records are ``stride`` bytes apart, the first of them at ``at``."""

    memory: Memory
    at: int
    stride: int

    def of(self, later: int) -> int:
        """When the frame arrived that is so many after the first."""
        seconds, nanoseconds = _TIME.unpack_from(self.memory, self.at + self.stride * later + _TIME_AT)
        return int(seconds) * 10**9 + int(nanoseconds)


def read_block(memory: Memory, at: int, count: int, test: int) -> Iterator[Run]:
    """The marks in ``count`` frames, of which the first record begins at ``at``. What is no mark is left out."""
    runs = _equal_frames(memory, at, count, test) if count > _FEW else None
    return iter(runs) if runs is not None else _one_by_one(memory, at, count, test)


def _one_by_one(memory: Memory, at: int, count: int, test: int) -> Iterator[Run]:
    """The runs of each stream: one stream's frames may lie between another's."""
    runs: dict[tuple[int, int], tuple[Mark, list[int]]] = {}
    for _frame in range(count):
        behind, seconds, nanoseconds, captured, _length, _status, start = _RECORD.unpack_from(memory, at)
        (protocol,) = _PROTOCOL.unpack_from(memory, at + _PROTOCOL_AT)
        end = at + start + _end(memory, at + start, captured, protocol)
        moment = seconds * 10**9 + nanoseconds
        try:
            mark_at = max(at + start, end - LONG)
            mark = read_mark(bytes(memory[mark_at:end]), test)
        except ValueError:
            yield Run(None, 1, [moment].__getitem__)
            mark = None
        if mark:
            key = (mark.test, mark.stream)
            first, times = runs.get(key, (mark, []))
            if mark.number != first.number + len(times):
                yield Run(first, len(times), times.__getitem__)
                first, times = mark, []
            times.append(moment)
            runs[key] = first, times
        at += behind
    for first, times in runs.values():
        yield Run(first, len(times), times.__getitem__)


def _end(memory: Memory, frame: int, captured: int, protocol: int) -> int:
    """Where a frame's payload ends, counted from its network header: at the IP packet's end, or at its own."""
    if protocol == IP4 and captured >= 20:
        return min(memory[frame + 2] << 8 | memory[frame + 3], captured)
    skip = 0
    if protocol in TAGS and captured >= _TAG:
        (protocol,) = _PROTOCOL.unpack_from(memory, frame + 2)
        skip = _TAG
    end = captured
    if protocol == IP4 and captured >= skip + 20:
        end = skip + _PROTOCOL.unpack_from(memory, frame + skip + 2)[0]
    elif protocol == IP6 and captured >= skip + 40:
        end = skip + 40 + _PROTOCOL.unpack_from(memory, frame + skip + 4)[0]
    return min(end, captured)


def _equal_frames(memory: Memory, at: int, count: int, test: int) -> list[Run] | None:
    """The runs in frames of one length, of one stream, with all marks whole; None where they are not such."""
    stride, _seconds, _nanoseconds, captured, _length, _status, start = _RECORD.unpack_from(memory, at)
    (protocol,) = _PROTOCOL.unpack_from(memory, at + _PROTOCOL_AT)
    if protocol in TAGS or not 0 < stride < 1 << 16:
        return None
    end = _end(memory, at + start, captured, protocol)
    frame_at, frame_end = at + start + max(0, end - LONG), at + start + end
    frame = bytes(memory[frame_at:frame_end])
    try:
        mark = read_mark(frame, test)
    except ValueError:
        return None
    if mark is None or mark.test != test:
        return None
    marks = StreamMarks(test, mark.stream, 0)
    length = LONG if frame.startswith(marks.head(LONG)) else SHORT

    def column(offset: int, some: int = count) -> bytes:
        first = at + offset
        after = first + stride * (some - 1) + 1
        return bytes(memory[first:after:stride])

    def same(offset: int, some: int = count) -> bool:
        return column(offset, some) == memory[at + offset].to_bytes(1, "big") * some

    mark_at = start + end - length
    number_at = start + end - SHORT
    alike = (*range(_SNAPLEN_AT, _SNAPLEN_AT + 3), *range(mark_at, number_at if length == LONG else number_at + 1))
    # The last record's offset to the next one is 0.
    if not (same(0, count - 1) and same(1, count - 1) and all(same(offset) for offset in alike)):
        return None
    packed = bytearray(4 * count)
    checks = bytearray(4 * count)
    for byte in range(4):
        place = 3 - byte
        packed[place::4] = column(number_at + byte)
    for byte in range(2):
        place = 1 - byte
        checks[place::4] = column(number_at + 4 + byte)
    if not marks.are_whole(length, bytes(packed), bytes(checks)):
        return None
    if length == SHORT:
        packed[3::4] = bytes(count)  # the stream
    numbers = array("I", bytes(packed))
    if sys.byteorder == "big":
        numbers.byteswap()

    times = _Times(memory, at, stride)
    if numbers[-1] - numbers[0] == count - 1 and numbers == array("I", range(numbers[0], numbers[0] + count)):
        return [Run(mark, count, times.of)]
    return list(_runs(numbers, mark, times))


def _runs(numbers: array[int], mark: Mark, times: _Times) -> Iterator[Run]:
    """The numbers cut where they do not follow one another."""
    first = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            later = times._replace(at=times.at + times.stride * first)
            yield Run(mark._replace(number=numbers[first]), at - first, later.of)
            first = at
