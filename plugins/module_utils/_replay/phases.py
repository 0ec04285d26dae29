# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run's time goes."""

from __future__ import annotations

import time

# In the order of a run, as the modules' documentation explains them.
PHASES = ("prepare", "set_port", "take_port", "load", "start", "send", "count", "restore")


class Phases:
    """The seconds of each phase of a run. It begins with the first; a phase that did not come has none."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._since = time.monotonic()

    def end(self, phase: str) -> None:
        """What has passed since the last phase ended was this one."""
        now = time.monotonic()
        self.seconds[phase] += now - self._since
        self._since = now

    def tree(self) -> dict[str, float]:
        """``run.phases``."""
        return {phase: round(seconds, 3) for phase, seconds in self.seconds.items()}
