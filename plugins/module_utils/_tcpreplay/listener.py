# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run of tcpreplay is, by what it prints while it lasts."""

from __future__ import annotations

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import last_measures

_KEPT = 4096  # bytes of the output: a pair of lines has 200 at most
_INTERRUPTED = b"sendpacket_abort"  # it prints this on SIGINT, and ends with status 0


class Listener:
    """Tells the progress of a run from its output."""

    def __init__(self, progress: Progress, workers: int = 1) -> None:
        self._progress = progress
        self._printed = dict.fromkeys(range(workers), b"")

    def listen(self, printed: bytes, worker: int = 0) -> None:
        """Take what one tcpreplay printed, which may be nothing."""
        self._printed[worker] = (self._printed[worker] + printed)[-_KEPT:]
        self._progress.tell(self._measures)

    def leave_out(self, worker: int) -> None:
        """Wait for nothing from this one."""
        del self._printed[worker]

    def interrupted(self, worker: int) -> bool:
        """Whether this tcpreplay has said that it was interrupted."""
        return _INTERRUPTED in self._printed[worker]

    def _measures(self) -> dict[str, Any] | None:
        """What all of them have sent; None until each has said so."""
        last = [last_measures(printed.decode("utf-8", "backslashreplace")) for printed in self._printed.values()]
        known = [measures for measures in last if measures is not None]
        if len(known) < len(last):
            return None
        packets, size = (sum(measures[name] for measures in known) for name in ("packets", "bytes"))
        return {**known[0], "packets": packets, "bytes": size, "seconds": max(one["seconds"] for one in known)}
