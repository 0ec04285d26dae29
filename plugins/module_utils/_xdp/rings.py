# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TX ring and the completion ring as a worker uses them."""

from __future__ import annotations

import errno
import time

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.figures import Figures
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.load import Block
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import RING, QueueSocket

_MASK = 0xFFFFFFFF  # of the rings' counters
_BREATH = 2e-5  # seconds until the kernel may have room again


class SendRings:
    """A worker's frames on their way. ``submitted``: frames that have gone to the ring; ``completed``: that the kernel
    is done with. No more are under way than the ring has room for."""

    def __init__(self, queue: QueueSocket, figures: Figures) -> None:
        self._queue, self._figures = queue, figures
        self.submitted = self.completed = 0
        self._bytes = self._failed = self._failed_bytes = 0
        self._descriptors = queue.descriptors.cast("Q")
        self._kick = queue.kick
        self._zero_copy = queue.mode == "zero_copy"
        self._tx_producer, self._tx_consumer = queue.tx_producer, queue.tx_consumer
        self._done_producer, self._done_consumer = queue.completion_producer, queue.completion_consumer

    def submit(self, block: Block, position: int, frames: int) -> None:
        """Give the kernel so many frames of a block; there has to be room for them."""
        start = self.submitted % RING
        before = min(frames, RING - start)  # of the ring's end
        to, first, middle, last = 2 * start, 2 * position, 2 * (position + before), 2 * (position + frames)
        to_end = to + middle - first
        self._descriptors[to:to_end] = block.descriptors[first:middle]
        if before < frames:
            to_end = last - middle
            self._descriptors[:to_end] = block.descriptors[middle:last]
        self.submitted += frames
        self._bytes += block.ends[position + frames - 1] - (block.ends[position - 1] if position else 0)
        # Before the kernel can know of them: what it has completed of them is told by its own ring.
        self._figures.submitted(self.submitted, self._bytes)
        self._tx_producer[0] = self.submitted & _MASK
        self.push()

    def push(self) -> None:
        """Let the kernel go on, and see what it has completed."""
        if self._zero_copy and not self._queue.wants_kick:
            # The driver goes on by itself.
            if not self.room and self._done_producer[0] == self._done_consumer[0]:
                time.sleep(_BREATH)
            self._see_completed()
            return
        try:
            self._kick()
        except BlockingIOError:
            # It has taken as many as it takes in one call, or what is under way has all the room.
            if self._done_producer[0] == self._done_consumer[0]:
                time.sleep(_BREATH)
        except OSError as error:
            if error.errno == errno.EBUSY and not self._zero_copy:
                self._note_dropped()
            elif error.errno in (errno.ENOBUFS, errno.EBUSY) or (self._zero_copy and error.errno == errno.ENETDOWN):
                # Of a driver ENETDOWN may mean that the link is down, or that it resets the port. If that lasts, no
                # frame is completed, and if the interface was set down the parent sees it.
                time.sleep(_BREATH)
            else:
                raise
        self._see_completed()

    def _see_completed(self) -> None:
        produced = self._done_producer[0]
        self.completed += produced - self.completed & _MASK
        self._done_consumer[0] = produced

    def _note_dropped(self) -> None:
        """The kernel dropped a frame: without a carrier, or when the port was just set down. It completes it all the
        same."""
        self._failed += 1
        self._failed_bytes += self._queue.sizes[(self._tx_consumer[0] - 1) % RING]
        self._figures.dropped(self._failed, self._failed_bytes)

    @property
    def room(self) -> int:
        """How many frames may be submitted."""
        return RING - self.submitted + self.completed

    @property
    def waiting(self) -> bool:
        """Whether the kernel has not taken all of the ring."""
        return self._tx_consumer[0] != self._tx_producer[0]
