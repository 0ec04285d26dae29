# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result must say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import FRAMES, Lab


def all_arrived(times: int) -> Callable[[dict[str, Any], Lab], bool]:
    """All frames were sent, and have arrived."""
    return lambda result, lab: (
        result["stats"]["packets"] == result["counters"]["rx"]["packets"] == times * FRAMES
        and result["counters"]["loss_packets"] == 0
    )


def loss_unknown(result: dict[str, Any], lab: Lab) -> bool:
    """Unknown figures are null, and the result says why."""
    return (
        result["counters"]["rx"] is result["counters"]["loss_packets"] is None
        and "What arrived is not known" in lab.warnings
    )


def lost_and_told(result: dict[str, Any], lab: Lab) -> bool:
    """Either counter reports the frames that did not arrive."""
    counters, sent = result["counters"], result["stats"]["packets"]
    return (
        sent - counters["rx"]["packets"] > 300
        and (counters["loss_packets"] or 0) + sent - counters["tx"]["packets"] > 300
    )


def by_user(result: dict[str, Any], lab: Lab) -> bool:
    """An interrupted run that says what was sent."""
    return (
        result["run"]["ended_by"] == "user"
        and result["stats"]["packets"] > 0
        and result["counters"]["verdict"] == "consistent"
    )


def says(*words: str) -> Callable[[dict[str, Any], Lab], bool]:
    """A failure that says this."""
    return lambda result, lab: bool(result.get("failed", True)) and all(word in result.get("msg", "") for word in words)


def verdict(wanted: str, *words: str) -> Callable[[dict[str, Any], Lab], bool]:
    """A successful run, with this verdict and this reason."""
    return lambda result, lab: (
        result["counters"]["verdict"] == wanted and all(word in result["counters"]["reason"] for word in words)
    )


def refused(*words: str) -> Callable[[dict[str, Any], Lab], bool]:
    """A failure that says this. Nothing was sent."""
    return lambda result, lab: says(*words)(result, lab) and lab.received() == lab.received_before


def dropped(result: dict[str, Any], lab: Lab) -> bool:
    """A part of four passes that the kernel dropped while sending: not counted as sent, and the result says so."""
    sent, failed = result["stats"]["packets"], result["stats"]["failed_write_attempts"]
    return (
        sent + failed == 4 * FRAMES
        and failed > 300
        and result["counters"]["tx"]["packets"] == sent
        and f"The kernel dropped {failed} frames on a0" in lab.warnings
    )
