# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that wait in the sending interface's queueing discipline (tbf, fq, netem): handed over, but not sent yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import Stopping
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.rtnetlink import link, root_qdisc

_STEP = 0.1  # seconds
_STUCK = 2.0  # seconds without progress in a queue


@dataclass(frozen=True)
class Queue:
    """Frames that wait in an interface's queueing discipline. ``kind``: the root's."""

    frames: int
    kind: str


def read_queue(interface: Interface) -> Queue | None:
    """What waits there now, None where nobody knows: it has no queue, or is gone.

    The root's count includes its classes' (sch_tree_qlen and mq_dump() in net/sched).
    """
    try:
        with open_route(interface.netns) as route:
            found = root_qdisc(route, link(route, interface.name)["ifindex"])
    except (OSError, TrafficgenError):
        return None
    return None if found is None else Queue(frames=found[1], kind=found[0])


def wait_until_left(
    look: Callable[[], int | None],
    queue: Callable[[], Queue | None],
    watch: Stopping,
    *,
    claimed: int | None,
    until: float,
    clock: Callable[[], float] = time.monotonic,
) -> Queue | None:
    """Wait until all that tcpreplay handed over has left: the device counted it all, or its queue is empty and its
    counter stands still.

    :param look: reads from the device's counter how many frames left; None without one.
    :param claimed: how many tcpreplay handed over.
    :param until: when to give up, on ``clock``.
    :returns: what is still waiting then, if anything.
    """
    before: tuple[int | None, int] | None = None
    moved = clock()
    while True:
        left = look()
        if left is not None and claimed is not None and left >= claimed:
            return None
        waiting = queue()
        state = (left, waiting.frames if waiting else 0)
        now = clock()
        if state != before:
            moved, before = now, state
        stuck = _STUCK if state[1] else _STEP
        # Without a counter an empty queue is enough.
        done = not state[1] and (left is None or now - moved >= stuck)
        if done or now - moved >= stuck or now >= until or watch.why() is not None:
            return waiting if state[1] else None
        watch.beat()
        watch.wait(_STEP)


def tree(waiting: Queue | None) -> dict[str, Any] | None:
    """The value of ``queue`` in the sender's snapshot after a run."""
    return None if waiting is None else {"packets": waiting.frames, "kind": waiting.kind}
