# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test takes besides sending. A trial's own tasks go by how quick the role was to look at the hosts, which is of
the same machine, connection and number of hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.estimate import Estimate

# Seconds: the setup of the test and the look at the hosts, where these are not measured; the end; a port to be taken
# and returned, by netmap or for zero copy; what comes on top of the trials of one host.
ONCE, LOOKING, THE_END, TAKING, ON_TOP = 12.5, 5.0, 2.5, 3.0, 0.7
PROBE = 1  # what the ends of pairs send before the first trial
UNKNOWN = {"seconds": None, "most_seconds": None, "time": ""}
# Of the highest rate, what the device carries, and what of that under overload: a steady one, which is likely; one that
# all is too little for, with the fewest trials; and one that breaks down, with the most.
DEVICES = ((0.7, 1.0), (1.1, 1.0), (0.7, 0.5))
# Shares of the time to look at the hosts: what is left to do when the pause begins, or all around a common start.
OF_LOOKING, AROUND = 0.3, 0.5


@dataclass(frozen=True)
class Overhead:
    """Seconds ``between`` the sending of two trials, ``lost`` more if the first of them loses frames, and ``once``."""

    between: float
    lost: float
    once: float

    def of_trials(self, seconds: Iterable[float], takes: Sequence[float]) -> tuple[float, float]:
        """Of trials that send for so long, on ports that take so long: if no frame is lost, and if all lose some."""
        took = sum(seconds) + sum(takes) + self.between * len(takes)
        return took, took + self.lost * len(takes)

    def of_searches(self, kinds: Iterable[Estimate], takes: Sequence[float]) -> list[float]:
        """Of searches, one for each of ``takes``, with each kind of device."""
        return [
            sum(kind.seconds + kind.trials * (self.between + take) + kind.lossy * self.lost for take in takes)
            for kind in kinds
        ]

    def told(self, took: Sequence[float], *, probed: bool, searched: bool) -> dict[str, Any]:
        """``{seconds, most_seconds, time}`` of the whole: if no frame is lost, if each trial loses some, and in words.
        Of a search, on the first and the last of the devices; in words, from the fewest to the most."""
        once = self.once + (PROBE + self.between if probed else 0)
        likely, *others = (round(once + one, 1) for one in took)
        most = others[-1]
        time = f"about {_words(likely)}"
        if searched:
            time = f"{_words(min(others))} to {_words(most)}, as the device decides how many trials each takes"
        elif most > likely * 1.1:
            time += f", or {_words(most)} if each trial loses frames"
        return {"seconds": likely, "most_seconds": most, "time": time}


def _words(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.1f} minutes"


def overhead(
    hosts: int,
    *,
    pause: float,
    margin: float,
    receive_wait: float = 0.0,
    settle: float = 0.0,
    looked: float | None = None,
    prepared: float | None = None,
) -> Overhead:
    """What each trial costs.

    :param pause: seconds between two trials at least; ``margin``: to the common start of several hosts.
    :param receive_wait: for how long missing frames are waited for; ``settle``: the pause after these.
    :param looked: the seconds that the look at the hosts took; ``prepared``: those from the begin to now.
    """
    looking = LOOKING if looked is None else looked
    if hosts > 1:
        between = max(pause, margin + looking * AROUND)
        kept = max(pause, margin)
    else:
        between = max(pause, looking * OF_LOOKING) + ON_TOP
        kept = pause
    return Overhead(between, receive_wait + max(0.0, settle - kept), (ONCE if prepared is None else prepared) + THE_END)
