# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All streams of a file in their order, as the records of a pcap, in blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import gcd

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.sizes import spread
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.stream import (
    RECORD,
    Clock,
    Slot,
    Stream,
    fill_records,
)

BLOCK = 1 << 20  # bytes of records made at once
RING = 3  # blocks in flight: a block that was yielded stays as it is until this many more were asked for
_SUPER_MOST = 4 << 20  # bytes of a pattern of frames that is patched as one
_RUN_LEAST = 16  # equal-shaped frames in a row that are worth patching as one
_CHUNK = 1024  # frames that are made one by one in one block


class Interleaved:
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
                "the last frame's time does not fit into a pcap",
                on="interval",
                remedy="The times in a pcap span 136 years at most. Shorten interval.",
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
