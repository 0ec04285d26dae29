# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a worker's frames are due, how many may go at once, and how far behind it is. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.feed import Turn
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream

_LATE = 0.001  # seconds after which a frame that is due makes its worker behind the schedule
_CATCH_UP = 4  # times the rate, at most, at which it makes up for what it is behind
_BURST_SECONDS = 0.0002  # of the rate, which go at once at most where the user says nothing
_MOST_AT_ONCE = 512


class Schedule:
    """The schedule of one worker's frames, in seconds since the common start.

    ``burst``: frames at once at most. ``interval``: seconds that belong to the last frame of a stream with a rate.
    ``largest_backlog``: the most frames that were due and not sent. ``behind``: seconds in which the oldest of them was
    more than a millisecond late.
    """

    def __init__(self, stream: XdpStream) -> None:
        self._pps, self._recorded = stream.pps, stream.multiplier is not None
        self.paced = self._recorded or self._pps is not None
        self.interval = 1 / self._pps if self._pps else 0.0
        own = self._pps / stream.workers if self._pps else None
        by_rate = _MOST_AT_ONCE if own is None else max(1, min(math.ceil(own * _BURST_SECONDS), _MOST_AT_ONCE))
        self.burst = stream.burst or by_rate
        self._spacing = self.burst / (own * _CATCH_UP) if own else 0.0
        self._not_before = 0.0
        self._beyond, self._workers = 0, stream.workers
        self.largest_backlog = 0
        self.behind = 0.0
        self._looked = 0.0

    def begin(self, turn: Turn) -> None:
        """Go over to a block."""
        self._beyond = 0
        self._frames = turn.frames
        self._marks: Sequence[float] = turn.block.indexes
        self._offset: float = turn.first_index
        if self._recorded and turn.block.times is not None:
            self._marks, self._offset = turn.block.times, turn.first_time

    def due(self, position: int, elapsed: float) -> int:
        """How many frames of the block are due from ``position`` on."""
        if not self.paced:
            return self._frames - position
        key = (elapsed if self._recorded else elapsed * (self._pps or 0)) - self._offset
        if self._marks[position] > key:
            return 0
        near = min(position + 256, self._frames)
        found = bisect_right(self._marks, key, position, near)
        if found == near < self._frames:
            found = bisect_right(self._marks, key, near, self._frames)
        if found == self._frames and not self._recorded:  # of blocks behind this one there may be as many more
            self._beyond = int(key - self._marks[found - 1]) // self._workers
        return found - position

    def when(self, position: int) -> float:
        """When the frame at ``position`` is due."""
        mark = self._marks[position] + self._offset
        return mark if self._recorded else mark / (self._pps or 1)

    def allowed(self, position: int, due: int, elapsed: float) -> int:
        """How many of the frames that are due may go now: none before the burst before it has had its time. Notes how
        far behind the worker is."""
        self.largest_backlog = max(self.largest_backlog, due + self._beyond)
        late = elapsed - self.when(position)
        if late > _LATE:
            self.behind += min(late, elapsed - self._looked)
        self._looked = elapsed
        if elapsed < self._not_before:
            return 0
        if due <= self.burst:
            return due
        self._not_before = elapsed + self._spacing
        return self.burst

    def next_look(self, position: int, due: int) -> float:
        """When to look again where nothing may go."""
        return self._not_before if due else self.when(position)
