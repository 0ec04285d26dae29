# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames arrived in each tenth of a second. Pure, and bounded: of a long test the intervals are longer."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

_SHORTEST = 100_000_000  # nanoseconds
_MOST = 600  # intervals: a minute of the shortest


class Timeline:
    """Frames by the time at which they arrived."""

    def __init__(self) -> None:
        self._width, self._began = _SHORTEST, 0
        self._frames = array("Q")

    def add(self, at: int, frames: int = 1) -> None:
        """Count frames that arrived at this time (nanoseconds since 1970)."""
        if not self._frames:
            self._began = at
        # Frames from several CPUs may come a little out of their times' order.
        interval = max(0, at - self._began) // self._width
        while interval >= _MOST:
            self._double()
            interval = (at - self._began) // self._width
        if interval >= len(self._frames):
            self._frames.extend([0] * (interval + 1 - len(self._frames)))
        self._frames[interval] += frames

    def add_run(self, first: int, count: int, time_of: Callable[[int], int]) -> None:
        """Count frames that arrived one after the other: ``count`` of them, from the one that is ``first``."""
        done, last = first, first + count - 1
        while done <= last:
            self.add(time_of(done), 0)
            begin = time_of(done)
            end = begin + self._width - max(0, begin - self._began) % self._width
            low, high = done + 1, last + 1  # the first one that is not in this interval is among these
            if time_of(last) < end:
                low = high
            while low < high:
                middle = (low + high) // 2
                if time_of(middle) < end:
                    low = middle + 1
                else:
                    high = middle
            self.add(begin, low - done)
            done = low

    def _double(self) -> None:
        self._width *= 2
        if len(self._frames) % 2:
            self._frames.append(0)
        self._frames = array("Q", map(sum, zip(self._frames[::2], self._frames[1::2])))

    def figures(self) -> dict[str, Any] | None:
        """What the module returns of it; None if nothing arrived."""
        if not self._frames:
            return None
        return {
            "interval_seconds": self._width / 1e9,
            "began": self._began / 1e9,
            "frames": list(self._frames),
        }
