# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's blocks in the order in which they are sent: one that stays in the UMEM, again and again, or one after the
other through it."""

from __future__ import annotations

from array import array
from collections import deque
from itertools import accumulate, chain
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.load import Block, Loader
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, frames_by_rate, share

_LARGE = 64  # chunks of a block before the start
_SMALL = 4  # and after it: reading it takes 0.1 ms, for which nothing is sent
_SHORTEST = 2048  # frames of what is repeated: a pass of one frame is sent as fast as a long one


class Turn(NamedTuple):
    """A block's turn. ``frames``: how many of it are sent; its indexes count from ``first_index`` on, its times
    from ``first_time``."""

    block: Block
    frames: int
    first_index: int = 0
    first_time: float = 0.0


class Feed:
    """The turns of one worker, in order. ``ended``: there are no more."""

    def __init__(self, stream: XdpStream, worker: int, umem: memoryview) -> None:
        self._loader = Loader(stream, worker, umem)
        self._ahead: deque[Block] = deque()
        self._under_way: deque[tuple[int, int]] = deque()  # chunks, and the worker's frames up to their last
        self._handed_out = 0
        self._repeated: Block | None = None
        while self._loader.free and not self._loader.passes and not self._loader.ended:
            self._load(_LARGE)
        if self._loader.passes and not self._loader.ended:
            self._repeat(stream)

    def _load(self, chunks: int) -> None:
        block = self._loader.block(chunks)
        if block is not None:
            self._ahead.append(block)

    def _repeat(self, stream: XdpStream) -> None:
        """The first pass lies in the UMEM as a whole: it is read no more."""
        whole = _joined(self._ahead)
        self._ahead.clear()
        self._pass_frames, self._pass_seconds = self._loader.index, self._loader.seconds
        bounds = [] if stream.loop == 0 else [stream.loop * self._pass_frames]
        if (until := frames_by_rate(stream)) is not None:
            bounds.append(until)
        self._left = share(whole.indexes, self._pass_frames, min(bounds)) if bounds else None
        times = -(-_SHORTEST // len(whole.indexes))
        self._repeated = _times(whole, times, self._pass_frames, self._pass_seconds)
        self._pass_frames *= times
        self._pass_seconds *= times
        self._turns = 0

    @property
    def streams(self) -> bool:
        """Whether there is more to read."""
        return self._repeated is None and not self._loader.ended

    @property
    def ended(self) -> bool:
        """Whether there is no turn any more."""
        return self._left == 0 if self._repeated is not None else not self._ahead and self._loader.ended

    def turn(self) -> Turn | None:
        """The next turn; None where it cannot be read yet, or where there is none."""
        if self._repeated is not None:
            if self._left == 0:
                return None
            frames = len(self._repeated.ends)
            if self._left is not None:
                frames = min(frames, self._left)
                self._left -= frames
            turn = Turn(self._repeated, frames, self._turns * self._pass_frames, self._turns * self._pass_seconds)
            self._turns += 1
            return turn
        if not self._ahead:
            self.read_on()
            if not self._ahead:
                return None
        block = self._ahead.popleft()
        self._handed_out += len(block.ends)
        self._under_way.append((block.chunks, self._handed_out))
        return Turn(block, len(block.ends))

    def completed(self, frames: int) -> None:
        """So many of the worker's frames have left: what they lay in may be written to."""
        while self._under_way and self._under_way[0][1] <= frames:
            self._loader.free += self._under_way.popleft()[0]

    def read_on(self) -> bool:
        """Read a small block where there is room for one; whether there was."""
        if self._repeated is not None or self._loader.ended or self._loader.free < _SMALL:
            return False
        self._load(_SMALL)
        return True


def _joined(blocks: deque[Block]) -> Block:
    """Blocks of one pass as one."""
    if len(blocks) == 1:
        return blocks[0]
    pairs = array("Q")
    for block in blocks:
        pairs.frombytes(block.descriptors.cast("B"))
    indexes = blocks[0].indexes
    return Block(
        memoryview(pairs),
        array("Q", accumulate(pairs[1::2])),
        range(indexes.start, blocks[-1].indexes[-1] + 1, indexes.step)
        if isinstance(indexes, range)
        else array("Q", chain.from_iterable(block.indexes for block in blocks)),
        None if blocks[0].times is None else array("d", chain.from_iterable(block.times or () for block in blocks)),
        0,
    )


def _times(block: Block, times: int, frames: int, seconds: float) -> Block:
    """A pass so many times over.

    :param frames: of a pass, of all workers.
    :param seconds: that a pass takes at the recorded speed.
    """
    if times == 1:
        return block
    pairs = array("Q", block.descriptors.tobytes() * times)
    return Block(
        memoryview(pairs),
        array("Q", accumulate(pairs[1::2])),
        array("Q", (turn * frames + index for turn in range(times) for index in block.indexes)),
        None
        if block.times is None
        else array("d", (turn * seconds + at for turn in range(times) for at in block.times)),
        0,
    )
