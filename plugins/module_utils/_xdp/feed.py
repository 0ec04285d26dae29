# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's blocks in the order in which they are sent: one that stays in the UMEM, again and again, or one after the
other through it."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.renumber import Numbered, PassNumbers
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.load import Block, Loader
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, frames_by_rate, share

_LARGE = 64  # chunks of a block before the start
_SMALL = 4  # and after it: reading it takes 0.1 ms, for which nothing is sent
_AT_ONCE = 2048  # frames of a block that is numbered, about: it takes 0.3 ms, and of few frames it takes more for each
_AHEAD = 8192  # frames of numbered passes, if there is room: none is numbered anew before it has left
_SHORTEST = 2048  # frames of what is repeated: a pass of one frame is sent as fast as a long one


class Turn(NamedTuple):
    """A block's turn. ``frames``: how many of it are sent; its indexes count from ``first_index`` on, its times
    from ``first_time``."""

    block: Block
    frames: int
    first_index: int = 0
    first_time: float = 0.0


class _Marked(NamedTuple):
    """A block that stays in the UMEM, with the marks of its frames."""

    block: Block
    marks: list[Numbered]
    passes: int  # before its own


class Feed:
    """The turns of one worker, in order. ``ended``: there are no more."""

    def __init__(self, stream: XdpStream, worker: int, umem: memoryview) -> None:
        self._loader = Loader(stream, worker, umem)
        self._ahead: deque[Block] = deque()
        self._under_way: deque[tuple[int, int]] = deque()  # chunks, and the worker's frames up to their last
        self._handed_out = 0
        self._repeated: Block | None = None
        self._numbers = None if stream.marks is None else PassNumbers(stream.marks, umem)
        self._marked: list[_Marked] = []
        self._completed = 0
        room = self._loader.free
        self._load_pass()
        if self._loader.passes and not self._loader.ended:
            if self._numbers:
                room -= self._loader.free
                while self._loader.free >= room and not self._loader.ended and _frames(self._ahead) < _AHEAD:
                    self._load_pass()
            if not self._loader.ended:
                self._repeat(stream)

    def _load_pass(self) -> None:
        passes, chunks = self._loader.passes, _LARGE
        while self._loader.free and self._loader.passes == passes and not self._loader.ended:
            self._load(chunks)
            if self._numbers and self._ahead:
                chunks = max(_LARGE, _LARGE * _AT_ONCE // len(self._ahead[0].ends))

    def _load(self, chunks: int) -> None:
        passes = self._loader.passes
        block = self._loader.block(chunks)
        if block is None:
            return
        self._ahead.append(block)
        if self._numbers:
            marks = self._numbers.find(block.descriptors[0::2], block.descriptors[1::2], CHUNK)
            self._numbers.write(marks, passes)
            self._marked.append(_Marked(block, marks, passes))

    def _repeat(self, stream: XdpStream) -> None:
        """The first pass lies in the UMEM as a whole, or several do: they are read no more."""
        whole = _joined(self._ahead)
        self._ahead.clear()
        self._pass_frames, self._pass_seconds = self._loader.index, self._loader.seconds
        bounds = [] if stream.loop == 0 else [stream.loop * self._pass_frames // self._loader.passes]
        if (until := frames_by_rate(stream)) is not None:
            bounds.append(until)
        self._left = share(whole.indexes, self._pass_frames, min(bounds)) if bounds else None
        self._turns, self._repeated = 0, whole
        if self._numbers:
            self._last_of = [0] * len(self._marked)
            return
        times = -(-_SHORTEST // len(whole.indexes))
        self._repeated = _times(whole, times, self._pass_frames, self._pass_seconds)
        self._pass_frames *= times
        self._pass_seconds *= times

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
            if self._numbers:
                return self._numbered_turn(self._numbers)
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
        self._marked.clear()  # it is read anew for each pass
        self._handed_out += len(block.ends)
        self._under_way.append((block.chunks, self._handed_out))
        return Turn(block, len(block.ends))

    def _numbered_turn(self, numbers: PassNumbers) -> Turn | None:
        """The next block, numbered for its pass; None as long as a frame of it is on its way still."""
        over, which = divmod(self._turns, len(self._marked))
        if self._completed < self._last_of[which]:
            return None
        one = self._marked[which]
        if over:
            numbers.write(one.marks, one.passes + over * (self._marked[-1].passes + 1))
        frames = len(one.block.ends) if self._left is None else min(len(one.block.ends), self._left)
        if self._left is not None:
            self._left -= frames
        self._handed_out += frames
        self._last_of[which] = self._handed_out
        self._turns += 1
        return Turn(one.block, frames, over * self._pass_frames, over * self._pass_seconds)

    def completed(self, frames: int) -> None:
        """So many of the worker's frames have left: what they lay in may be written to."""
        self._completed = frames
        while self._under_way and self._under_way[0][1] <= frames:
            self._loader.free += self._under_way.popleft()[0]

    def read_on(self) -> bool:
        """Read a small block where there is room for one; whether there was."""
        if self._repeated is not None or self._loader.ended or self._loader.free < _SMALL:
            return False
        self._load(_SMALL)
        return True


def _frames(blocks: deque[Block]) -> int:
    return sum(len(block.ends) for block in blocks)


def _joined(blocks: deque[Block]) -> Block:
    """Blocks as one."""
    if len(blocks) == 1:
        return blocks[0]
    pairs = array("Q")
    for block in blocks:
        pairs.frombytes(block.descriptors.cast("B"))
    indexes: Sequence[int] = array("Q", chain.from_iterable(block.indexes for block in blocks))
    first = blocks[0].indexes
    if isinstance(first, range):
        # Of several passes they need not be at equal distances.
        alike = range(first.start, indexes[-1] + 1, first.step)
        indexes = alike if len(alike) == len(indexes) and array("Q", alike) == indexes else indexes
    return Block(
        memoryview(pairs),
        array("Q", accumulate(pairs[1::2])),
        indexes,
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
