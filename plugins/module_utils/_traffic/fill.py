# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the payload consists of that makes a frame as long as its size asks: a pattern, chance, and a mark at its
end."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from itertools import accumulate

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import StreamMarks

# No frame's number: its payload shows what in a frame depends on the payload.
REFERENCE = -1
_INVERTED = bytes(255 - byte for byte in range(256))


class Fill:
    """The same bytes in each frame: ``pattern``, repeated."""

    varies = False

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern

    def payload(self, length: int, _frame: int) -> bytes:
        """The first ``length`` bytes."""
        return (self._pattern * (length // len(self._pattern) + 1))[:length]

    def fill(self, buffer: bytearray, at: int, turn: int, length: int, frames: range) -> None:
        """Write what differs in the padding of these frames: ``length`` bytes from ``at`` on, then every ``turn``."""


class RandomFill(Fill):
    """Bytes that do not compress, other ones in each frame, and the same ones on every host: SHAKE-128 (FIPS 202) of
    seed, stream, frame.

    The first half is SHAKE's, the second its complement (and up to three bytes of zero make up the length). So the
    16-bit words of each payload sum to zero in one's complement, whatever they are, and no frame's checksums need to be
    computed anew (RFC 1071).
    """

    varies = True

    def __init__(self, seed: int, stream: int) -> None:
        super().__init__(b"\0")
        self._key = f"{seed}/{stream}/"

    def payload(self, length: int, frame: int) -> bytes:
        """``length`` bytes for frame number ``frame``."""
        half = length // 4 * 2
        chance = hashlib.shake_128(f"{self._key}{frame}".encode()).digest(half)
        return chance + chance.translate(_INVERTED) + bytes(length - 2 * half)

    def fill(self, buffer: bytearray, at: int, turn: int, length: int, frames: range) -> None:
        """Each frame's bytes, one frame after the other."""
        for frame in frames:
            end = at + length
            buffer[at:end] = self.payload(length, frame)
            at += turn


class MarkedFill(Fill):
    """Another fill, with the stream's mark as the last bytes wherever there is room for one.

    The numbers in the marks are those of the marked frames alone, so that a receiver misses none that was never sent.
    """

    varies = True

    def __init__(self, base: Fill, marks: StreamMarks) -> None:
        super().__init__(b"\0")
        self._base, self._marks = base, marks
        self._before = array("Q", (0,))  # marked frames before each one of a period

    def number_frames(self, paddings: Sequence[int]) -> None:
        """Number the frames: ``paddings`` are the bytes of padding in each of a period, after which they come round
        again."""
        self._before = array("Q", accumulate((self._marks.bytes_in(one) > 0 for one in paddings), initial=0))

    def number(self, frame: int) -> int:
        """How many marked frames there are before this one: its number, if it has a mark."""
        period = max(1, len(self._before) - 1)
        return frame // period * self._before[-1] + self._before[frame % period]

    def payload(self, length: int, frame: int) -> bytes:
        """``length`` bytes for frame number ``frame``."""
        size = self._marks.bytes_in(length)
        payload = self._base.payload(length - size, frame)
        if not size:
            return payload
        return payload + self._marks.mark(size, 0 if frame == REFERENCE else self.number(frame))

    def fill(self, buffer: bytearray, at: int, turn: int, length: int, frames: range) -> None:
        """A column a byte of the numbers and checks. These frames are of one shape, so their numbers grow evenly."""
        size = self._marks.bytes_in(length)
        self._base.fill(buffer, at, turn, length - size, frames)
        if not size:
            return
        first = self.number(frames[0])
        step = self.number(frames[1]) - first if len(frames) > 1 else 0
        numbers, checks = self._marks.columns(size, first, step, len(frames))
        end = at + length  # what stands before the number is in the template already
        for byte in range(4):
            place = end - 3 - byte
            buffer[place::turn] = numbers[byte::4]
        for byte in range(2):
            place = end - 1 - byte
            buffer[place::turn] = checks[byte::2]
