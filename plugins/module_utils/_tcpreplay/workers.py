# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tcpreplay that have sent one stream did, each and together. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import OTHER_FAILED, Supervised
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import elapsed, in_a_second

# As xdp_replay has them; None is what no tcpreplay tells.
KEYS = (
    *("cpu", "queue", "packets", "bytes", "failed", "seconds", "start_offset"),
    *("largest_backlog", "behind", "error"),
)
_START = re.compile(r"Test start:\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{1,6})")


@dataclass(frozen=True)
class Worker:
    """A tcpreplay that has ended.

    ``cpu``: the one it was pinned to, None for none. ``stats``: of its own. ``error``: empty for none. ``interval``:
    seconds that belong to its last frame, at a rate in packets, where it sent all.
    """

    cpu: int | None
    done: Supervised
    stats: dict[str, Any]
    error: str = ""
    interval: float = 0.0

    @property
    def began(self) -> float | None:
        """When it began to send, in epoch seconds; None if it did not tell how long it sent."""
        seconds = elapsed(self.stats)
        if seconds is None:
            return None
        if said := _START.search(self.done.stdout):
            return time.mktime(time.strptime(said[1], "%Y-%m-%d %H:%M:%S")) + float(said[2])
        return self.done.finished - seconds  # without --stats it does not say


def idle(cpu: int | None = None) -> dict[str, Any]:
    """What a worker without any frame did."""
    return {**dict.fromkeys(KEYS), "cpu": cpu, "packets": 0, "bytes": 0, "failed": 0, "seconds": 0.0, "error": ""}


def trees(workers: Sequence[Worker]) -> list[dict[str, Any]]:
    """What ``run.workers`` says of each."""
    first = _first(workers)
    return [
        {
            **idle(one.cpu),
            "packets": one.stats["packets"],
            "bytes": one.stats["bytes"],
            "failed": one.stats["failed_write_attempts"],
            "seconds": elapsed(one.stats),
            "start_offset": None if one.began is None or first is None else one.began - first,
            "error": one.error,
        }
        for one in workers
    ]


def together(workers: Sequence[Worker], interface: str) -> dict[str, Any]:
    """The ``stats`` tree of all. Its seconds are those from the first start to the last end. Flows are not added: two
    workers may have parts of the same."""
    first = _first(workers)
    ends = [one.began + (elapsed(one.stats) or 0) + one.interval for one in workers if one.began is not None]
    packets, size = (_sum([one.stats[name] for one in workers]) for name in ("packets", "bytes"))
    seconds = None if first is None else max(ends) - first
    devices = [device for one in workers for device in one.stats["devices"]]
    return {
        **dict.fromkeys(workers[0].stats),
        "packets": packets,
        "bytes": size,
        "seconds": seconds,
        **in_a_second(packets, size, seconds),
        "failed_write_attempts": _sum([one.stats["failed_write_attempts"] for one in workers]),
        "interrupted": any(one.stats["interrupted"] for one in workers if one.done.ended != OTHER_FAILED),
        "devices": [
            {name: _sum([device[name] for device in devices]) for name in devices[0]} | {"interface": interface}
        ]
        if devices
        else [],
        "samples": [],
    }


def _first(workers: Sequence[Worker]) -> float | None:
    return min((one.began for one in workers if one.began is not None), default=None)


def _sum(values: Sequence[Any]) -> Any:
    """Their sum; None where one is not known, or no number."""
    return sum(values) if all(isinstance(value, int) for value in values) else None
