# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers and their parent tell each other while they send: memory that both have, so that the figures of a worker
that was killed stay known."""

from __future__ import annotations

import mmap

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import RING, QueueSocket

_RECORD = 16  # numbers of 64 bits a worker
_TRIES = 100  # to read figures of one moment, of a worker that sends
_MASK = 0xFFFFFFFF  # of the rings' counters


class Figures:
    """A worker's figures, which it writes with each batch and its parent reads at any time."""

    def __init__(self, memory: memoryview, worker: int) -> None:
        # Its own part, after the parent's. A store of 64 aligned bits is one.
        start, end = (worker + 1) * _RECORD * 8, (worker + 2) * _RECORD * 8
        part = memory[start:end]
        self._counts, self._seconds = part[:64].cast("Q"), part[64:].cast("d")
        self._told = memory[:1]

    @staticmethod
    def memory(workers: int) -> memoryview:
        """Memory for so many, that what is forked has in common."""
        return memoryview(mmap.mmap(-1, (workers + 1) * _RECORD * 8))

    @property
    def told_to_stop(self) -> bool:
        """Whether the parent wants its workers to end."""
        return bool(self._told[0])

    def tell_to_stop(self) -> None:
        """Let all workers end."""
        self._told[0] = 1

    def submitted(self, frames: int, size: int) -> None:
        """So many frames, of so many bytes, have gone to the ring in all."""
        self._counts[0], self._counts[1] = frames, size

    def dropped(self, frames: int, size: int) -> None:
        """So many of them the kernel dropped."""
        self._counts[2], self._counts[3] = frames, size

    def times(self, started: float, last: float, behind: float, largest_backlog: int) -> None:
        """When it began, when its last frame was handed over (both on the monotonic clock), for how long it was behind,
        and the most frames that it was behind by."""
        self._seconds[0], self._seconds[1], self._seconds[2] = started, last, behind
        self._counts[4] = largest_backlog

    def read_times(self) -> tuple[float, float, float, int]:
        """What was said by :meth:`times`."""
        return self._seconds[0], self._seconds[1], self._seconds[2], self._counts[4]

    @property
    def failed(self) -> int:
        """Frames that the kernel dropped."""
        return self._counts[2]

    def sent(self, queue: QueueSocket) -> tuple[int, int]:
        """Frames that have left, and their bytes: those that the kernel has completed, less those that it dropped."""
        for _try in range(_TRIES):
            frames, size, failed, failed_size, *_rest = self._counts
            under_way = frames - queue.completion_producer[0] & _MASK
            if under_way <= RING:
                break  # else it has sent more meanwhile
        under_way = min(under_way, RING)
        # The ring still has their sizes.
        lost = sum(queue.sizes[number % RING] for number in range(frames - under_way, frames))
        return frames - under_way - failed, size - lost - failed_size
