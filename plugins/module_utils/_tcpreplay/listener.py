# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run of tcpreplay is, by what it prints while it lasts."""

from __future__ import annotations

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import last_measures

_KEPT = 4096  # bytes of the output: a pair of lines has 200 at most


class Listener:
    """Tells the progress of a run from its output."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._printed = b""

    def listen(self, printed: bytes) -> None:
        """Take what tcpreplay printed, which may be nothing."""
        self._printed = (self._printed + printed)[-_KEPT:]
        self._progress.tell(self._measures)

    def _measures(self) -> dict[str, Any] | None:
        return last_measures(self._printed.decode("utf-8", "backslashreplace"))
