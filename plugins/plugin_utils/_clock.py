# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offset of a clock from question and answer, as NTP has it (RFC 5905): the quickest answer tells most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


class Reading(NamedTuple):
    """The own clock before and after the other told ``there``, in seconds since the epoch."""

    before: float
    there: float
    after: float


def read_time(stdout: str, stderr: str = "") -> float:
    """What ``date +%s.%N`` printed. A login may print something of its own before."""
    found = re.search(r"^(\d{6,}\.\d+)\s*\Z", stdout, re.MULTILINE)
    if not found:
        raise TrafficgenError(
            "told no time in nanoseconds", on="date", said=(stdout or stderr).strip()[:200], remedy="It takes GNU date."
        )
    return float(found[1])


def offset(samples: Sequence[Reading]) -> dict[str, Any]:
    """``{offset_seconds, uncertainty_seconds, samples}``, the other clock minus the own.

    The other clock was read between ``before`` and ``after``. A sample for which the own clock was set meanwhile is
    none.
    """
    usable = [one for one in samples if one.after >= one.before]
    if not usable:
        raise TrafficgenError("was set while it was compared", on="the controller's clock", remedy="Try again.")
    best = min(usable, key=lambda one: one.after - one.before)
    middle = (best.before + best.after) / 2
    return {
        "offset_seconds": round(best.there - middle, 6),
        "uncertainty_seconds": round((best.after - best.before) / 2, 6),
        "samples": len(usable),
    }
