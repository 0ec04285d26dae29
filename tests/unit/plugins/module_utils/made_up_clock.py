# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time in tests that wait for something: this machine's own speed makes no difference to them."""

from __future__ import annotations


class Clock:
    """A clock that only waiting moves: as the module time, as a function, and as a watch that says stop at
    ``stop_at``."""

    def __init__(self, stop_at: float = float("inf"), now: float = 0.0) -> None:
        self.stop_at, self.now = stop_at, now

    def __call__(self) -> float:
        return self.now

    monotonic = __call__

    def why(self) -> str | None:
        return "signal" if self.now >= self.stop_at else None

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    sleep = wait

    def beat(self) -> None:
        pass
