# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate of a run: what the engine's figures tell of it, and whether it is the one asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import as_sentence
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RATE_UNITS, RatePlan, Size, rates

# The requested rate counts as reached from the first share on, and as exceeded from the second.
REACHED, EXCEEDED = 0.99, 1.01

# tcpreplay reads its clock, and then sends. On a veth the first frame takes 20 to 25 us, later ones 2 to 3 (4.4.3; the
# socket's first use): more than 1 % of a shorter run.
SHORTEST = 0.002  # seconds

# packet_stats() of src/common/utils.c cuts all figures: seconds at a microsecond below 1 s, else at a hundredth.
_CUT = {"bytes_per_second": 0.1, "pps": 0.01}
# Below so many packets a second the hundredths of tcpreplay's own figure are not exact to 0.01 %.
_EXACT_PPS = 100


@dataclass(frozen=True)
class Recorded:
    """How many seconds the sent frames took when recorded, and how many with one frame more."""

    seconds: float
    with_next: float


def in_a_second(packets: int | None, size: int | None, seconds: float | None) -> dict[str, float | None]:
    """What ``stats`` has of each second, of ``size`` bytes; None where it cannot be known."""
    if packets is None or size is None or not seconds:
        return dict.fromkeys(("bytes_per_second", "mbps", "pps"))
    return {"bytes_per_second": size / seconds, "mbps": size * 8 / seconds / 1e6, "pps": packets / seconds}


def elapsed(stats: Mapping[str, Any]) -> float | None:
    """How many seconds a run sent, from tcpreplay's most exact figure: its seconds have only two decimals above a
    second."""
    packets, seconds = stats.get("packets"), stats.get("seconds")
    if not packets or not seconds:
        return None
    told = [((1e-6 if seconds < 1 else 1e-2) / seconds, float(seconds))]
    for count, rate in (("bytes", "bytes_per_second"), ("packets", "pps")):
        if stats[rate] and stats[count]:
            told.append((_CUT[rate] / stats[rate], stats[count] / stats[rate]))
    return min(told)[1]


def measured(
    stats: Mapping[str, Any], size: Size | None, link_speed_mbps: float | None, sender: str = "tcpreplay"
) -> dict[str, Any]:
    """The ``rates`` tree of a run, with a ``reason`` if some of it is unknown.

    :param size: the mean of what was sent; None if it is unknown which frames those were.
    :param sender: what sent, for the user.
    """
    packets, seconds = stats["packets"], elapsed(stats)
    reason = ""
    if not packets:
        reason = f"{sender} printed no statistics" if packets is None else "nothing was sent"
    elif packets == 1:
        reason = "one frame has no rate"
    elif seconds is None or seconds < SHORTEST:
        reason = (
            f"{packets} frames in {seconds or 0:.6f} s have no rate: it would be more than 1 % off below {SHORTEST:g} s"
        )
    if reason or seconds is None:
        return {**dict.fromkeys(RATE_UNITS), "reason": as_sentence(reason)}
    pps = stats["pps"] if stats["pps"] and stats["pps"] >= _EXACT_PPS else packets / seconds
    tree = rates(pps, size, link_speed_mbps)
    if size is None:
        tree["frame_mbps"] = pps * stats["bytes"] / packets * 8 / 1e6
        reason = (
            "some of the pcaps' frames are padded on a line, and which of them were sent is not known: the bytes that"
            f" {sender} counts are not those of the first ones"
        )
    return {**tree, "reason": as_sentence(reason)}


def reached(
    plan: RatePlan,
    speeds: Mapping[str, Any],
    stats: Mapping[str, Any],
    recorded: Recorded | None,
    *,
    whole_intervals: bool = False,
) -> float | None:
    """The rate sent divided by the requested one, at most the line's. For the recorded speed: time recorded divided by
    time taken.

    :param speeds: of :func:`measured`.
    :param recorded: for the recorded speed and multiples of it; None if unknown.
    :param whole_intervals: the seconds of a run with a rate include the time of its last frame.
    """
    packets, seconds = stats["packets"], elapsed(stats)
    if speeds["pps"] is None or not seconds:
        return None
    if plan.form in (None, "multiplier"):
        if recorded is None or not recorded.seconds:
            return None
        share, with_next = (time / (plan.asked or 1.0) / seconds for time in (recorded.seconds, recorded.with_next))
    elif plan.asked is None or speeds[_UNIT.get(plan.form, plan.form)] is None:
        return None
    else:
        # For a rate in bits tcpreplay also waits for the time of the frame to send. For one in frames it sends the
        # first at once, so n frames take the time of n - 1.
        share = speeds[_UNIT.get(plan.form, plan.form)] / plan.asked
        frames = packets - 1 if plan.form == "pps" and not whole_intervals else packets
        share, with_next = share * frames / packets, share * (frames + 1) / packets
    # An interrupted run was waiting to send the next frame: it is late only after that.
    return sorted((share, 1.0, with_next))[1] if stats["interrupted"] else share


_UNIT = {"mbps": "frame_mbps"}


def missed(plan: RatePlan, share: float | None, speeds: Mapping[str, Any], recorded: Recorded | None) -> str | None:
    """A sentence on a rate that was not the requested one, else None."""
    if share is None or REACHED <= share <= EXCEEDED:
        return None
    how = "missed" if share < REACHED else "exceeded"
    if plan.form in (None, "multiplier"):
        times = "" if plan.form is None else f", times {plan.asked:.10g},"
        seconds = 0.0 if recorded is None else recorded.seconds / (plan.asked or 1.0)
        return (
            f"The recorded speed{times} was {how}: {share:.1%} of it was sent, {seconds:.3f} s of the recording in"
            f" {seconds / share:.3f} s."
        )
    asked = f"{plan.form} {(plan.requested or {}).get(plan.form, plan.asked):.10g}"
    if plan.capped:
        asked += f", capped at the line's {plan.asked:.2f}"
    return (
        f"The rate asked for was {how}: {share:.1%} of it was sent, {speeds[_UNIT.get(plan.form, plan.form)]:.2f} of"
        f" {asked}."
    )
