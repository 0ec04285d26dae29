# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the numbers of a stream's frames tell, in the order in which they arrive: lost, duplicated, reordered, late, and
the longest gap. Pure, and bounded in memory: 64 kB for as many numbers that did not all arrive once, and 24 MB at most
for the places where numbers are missing.

Duplicates as in RFC 5560, order as in RFC 4737: of several copies of a frame only the first is looked at (section 3).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.timeline import Timeline

_CHUNK = 1 << 16  # numbers
_MANY = 255  # copies of a frame from which on they are no longer counted apart
_ONCE = b"\1" * _CHUNK
_MOST_JUMPS = 1 << 20  # of 24 bytes each


class Copies:
    """How many copies of each number have arrived."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytes | bytearray] = {}

    def add(self, number: int) -> int:
        """Count one more; return how many there were before."""
        chunk = self._writable(number // _CHUNK)
        before = chunk[number % _CHUNK]
        chunk[number % _CHUNK] = min(before + 1, _MANY)
        return before

    def add_once(self, first: int, count: int) -> None:
        """Count the first copy of each of these numbers."""
        while count:
            index, at = divmod(first, _CHUNK)
            some = min(count, _CHUNK - at)
            chunk = self._writable(index)
            end = at + some
            chunk[at:end] = _ONCE[:some]
            if end == _CHUNK and chunk == _ONCE:
                self._chunks[index] = _ONCE  # one for all
            first, count = first + some, count - some

    def missing(self, first: int, end: int) -> int:
        """How many of the numbers from ``first`` to before ``end`` have not arrived."""
        found = 0
        while first < end:
            index, at = divmod(first, _CHUNK)
            some = min(end - first, _CHUNK - at)
            chunk = self._chunks.get(index)
            found += some if chunk is None else chunk.count(0, at, at + some)
            first += some
        return found

    def _writable(self, index: int) -> bytearray:
        chunk = self._chunks.get(index)
        if not isinstance(chunk, bytearray):
            chunk = self._chunks[index] = bytearray(chunk or _CHUNK)
        return chunk


class Arrivals:
    """The marked frames of one stream, as they arrive.

    :param marked: how many the stream has in one pass of the file; None: not known.
    :param passes: how often the file is sent; None: not known. A number that comes again is of the pass for which it is
        less than half a pass early or late: the marks themselves do not tell the passes of a repeated file apart.
    :param timeline: counts the frames without their copies, too.
    """

    def __init__(self, marked: int | None = None, passes: int | None = 1, timeline: Timeline | None = None) -> None:
        self._marked, self._passes = marked, passes
        self._timeline = timeline or Timeline()
        self.sent = None if marked is None or passes is None else marked * passes
        self.received = 0  # without copies
        self.unexpected = 0  # numbers that no frame of the stream has
        self.first_at = self.last_at = 0  # nanoseconds since 1970
        self._copies, self._duplicates, self._duplicated = Copies(), 0, 0
        self._next = 0  # RFC 4737's NextExp: the highest number yet, plus one
        self._reordered, self._extent, self._lateness = 0, 0, 0
        # Where the numbers jumped: the number after the jump, how many had arrived before it, and when it arrived.
        self._jumps, self._before, self._times = array("Q"), array("Q"), array("Q")
        # Of the oldest of them only the last one's number is kept: how late a frame below it is cannot be told.
        self._forgotten, self._extent_known = 0, True
        self._gap, self._gap_from, self._gap_to, self._gap_began = -1, 0, 0, 0

    def arrive(self, number: int, at: int) -> None:
        """A frame with this number arrived at this time."""
        if self._marked is not None:
            if number >= self._marked:
                self.unexpected += 1
                return
            number = self._of_pass(number)
        self._time(number, at)
        copies = self._copies.add(number)
        if copies:
            self._duplicates += 1
            self._duplicated += copies == 1
            return
        self.received += 1
        self._timeline.add(at)
        if number > self._next:
            self._jumps.append(number)
            self._before.append(self.received - 1)
            self._times.append(at)
            if len(self._jumps) > _MOST_JUMPS:
                self._forget(_MOST_JUMPS // 2)
        if number >= self._next:
            self._next = number + 1
            return
        # The earliest frame with a higher number is the first after a jump: what arrives between is in sequence.
        jump = bisect_right(self._jumps, number)
        self._reordered += 1
        if number < self._forgotten:
            self._extent_known = False
            return
        self._extent = max(self._extent, self.received - 1 - self._before[jump])
        self._lateness = max(self._lateness, at - self._times[jump])

    def _forget(self, some: int) -> None:
        """Forget the oldest jumps."""
        self._forgotten = self._jumps[some - 1]
        for column in (self._jumps, self._before, self._times):
            del column[:some]

    def arrive_in_sequence(self, number: int, count: int, time_of: Callable[[int], int]) -> None:
        """As many frames arrived with this number and those that follow it.

        :param time_of: tells when the frame arrived that is that many after the first.
        """
        done = 0
        while done < count:
            wanted, some = self._run(number + done, count - done)
            if not some:
                self.arrive(number + done, time_of(done))
                done += 1
                continue
            first, last = time_of(done), time_of(done + some - 1)
            self._time(wanted, first)
            self._look_for_gap(time_of, done, first, done + some - 1, last)
            self.last_at = max(last, self.last_at)
            self._copies.add_once(wanted, some)
            self._timeline.add_run(done, some, time_of)
            self.received += some
            self._next = wanted + some
            done += some

    def _run(self, number: int, count: int) -> tuple[int, int]:
        """How many of these frames are the very next ones, none of which has arrived, and the first one's number."""
        if self._marked is None:
            return number, count if number == self._next else 0
        if number >= self._marked:
            return number, 0
        wanted = self._of_pass(number)
        return wanted, min(count, self._marked - number) if wanted == self._next else 0

    def _look_for_gap(self, time_of: Callable[[int], int], low: int, low_at: int, high: int, high_at: int) -> None:
        """Look for a longer gap between these two frames, between which none is missing: only where there is time for
        one, so at few of them."""
        if high_at - low_at <= self._gap or low == high:
            return
        if high - low == 1:
            self._gap, self._gap_began = high_at - low_at, low_at
            self._gap_from = self._gap_to = 0
            return
        middle = (low + high) // 2
        middle_at = time_of(middle)
        self._look_for_gap(time_of, low, low_at, middle, middle_at)
        self._look_for_gap(time_of, middle, middle_at, high, high_at)

    def _of_pass(self, number: int) -> int:
        """The number counted through all passes: the one that is nearest to the next one expected."""
        if self._passes == 1 or not self._marked:
            return number
        which = max(0, (self._next - number + self._marked // 2) // self._marked)
        return number + self._marked * (which if self._passes is None else min(which, self._passes - 1))

    def _time(self, number: int, at: int) -> None:
        if not self.first_at:
            self.first_at = at
        elif at - self.last_at > self._gap:
            self._gap, self._gap_began = at - self.last_at, self.last_at
            self._gap_from, self._gap_to = self._next, max(number, self._next)
        self.last_at = max(at, self.last_at)

    @property
    def arrived(self) -> int:
        """All frames, copies included."""
        return self.received + self._duplicates

    @property
    def missing(self) -> int:
        """Frames that were sent and have not arrived; where it is not known how many were sent, those below the highest
        number."""
        return max(0, (self._next if self.sent is None else self.sent) - self.received)

    def figures(self) -> dict[str, Any]:
        """What the module returns of a stream, but for what it was told of it."""
        received = self.received or None
        return {
            "sent": self.sent,
            "arrived": self.arrived,
            "received": self.received,
            "missing": self.missing,
            "missing_at_end": None if self.sent is None else max(0, self.sent - self._next),
            "duplicates": self._duplicates,
            "duplication_fraction": received and self._duplicates / received,
            "replicated_packet_rate": received and self._duplicated / received,
            "reordered": self._reordered,
            "reordered_ratio": received and self._reordered / received,
            "largest_extent": self._extent if self._extent_known else None,
            "largest_late_seconds": self._lateness / 1e9 if self._extent_known else None,
            "longest_gap": self._longest_gap(),
            "unexpected": self.unexpected,
            "first_arrival": self.first_at / 1e9 if received else None,
            "last_arrival": self.last_at / 1e9 if received else None,
        }

    def _longest_gap(self) -> dict[str, Any] | None:
        if self._gap < 0:
            return None
        return {
            "seconds": self._gap / 1e9,
            "began": self._gap_began / 1e9,
            "missing": self._copies.missing(self._gap_from, self._gap_to),
        }
