# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial's marks: whether each number can be looked at, what the receiver of marks told, and whether the loss goes by
it. It is loaded for each trial, so it imports little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import reconcile_marks
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, line_rate_pps, to_pps

_NOT_KEPT = ("began", "ended", "seconds", "interface", "netns", "count_only")
# What goes by the passes that frames are taken for; and of a stream what does not.
_BY_PASSES = (
    *("received", "missing", "lost", "lost_ratio", "lost_at_least", "duplicates", "reordered"),
    "timeline",  # it has no copies
)
_OF_ANY_PASS = ("stream", "name", "sent", "arrived", "unexpected", "longest_gap", "first_arrival", "last_arrival")


class MarkReading(NamedTuple):
    """Whether the kernel only counts the marks, and why; whether the sender numbers each pass of the file."""

    count_only: bool
    why: str
    numbered_passes: bool = False


def marked(traffic: Mapping[str, Any]) -> int:
    """How many of the frames of a pass have a mark."""
    return sum(one["marked"] for one in (traffic.get("marks") or {}).get("streams", ()))


def reading(
    item: Mapping[str, Any],
    traffic: Mapping[str, Any],
    *,
    max_pps: float,
    link_speed_mbps: float | None = None,
    workers: str = "1",
) -> MarkReading:
    """How to receive a trial's marks: numbers are looked at up to a rate, and where they tell the passes apart that
    several workers may be in."""
    numbered = item["injection_method"] == "af_xdp"
    if workers != "1" and not numbered:
        return MarkReading(True, "several workers repeat the file at once, each by itself")
    size = traffic.get("wire_frame_size")
    most = None if not size or not link_speed_mbps else line_rate_pps(Size.of(size, "wire"), link_speed_mbps)
    [(form, value)] = item["rate"].items()
    if form in ("topspeed", "multiplier"):
        said = "at top speed" if form == "topspeed" else f"at {value:g} times the recorded speed"
        pps, asked = most, f"the rate {said} is not known before"
    else:
        try:
            pps = to_pps(
                float(value), "frame_mbps" if form == "mbps" else form, Size.of(size or 0, "wire"), link_speed_mbps
            )
        except TrafficgenError:
            pps = None
        pps, asked = min((one for one in (pps, most) if one), default=None), "the rate is not known before"
    if pps is None:
        return MarkReading(True, asked)
    if pps > max_pps:
        return MarkReading(True, f"{pps:,.0f} frames a second are more than throughput_mark_max_pps ({max_pps:,.0f})")
    return MarkReading(False, "", numbered)


def _how(item: Mapping[str, Any], traffic: Mapping[str, Any], listened: Mapping[str, Any]) -> MarkReading:
    return reading(item, traffic, **{key: value for key, value in listened.items() if key not in ("before", "after")})


def listening(
    item: Mapping[str, Any], traffic: Mapping[str, Any], listened: Mapping[str, Any] | None
) -> dict[str, bool]:
    """How the receiver of marks is to listen; ``listened``: as for :func:`of_trial`."""
    how = _how(item, traffic, listened) if listened else MarkReading(True, "")
    return {"count_only": how.count_only, "numbered_passes": how.numbered_passes}


def of_trial(
    item: Mapping[str, Any],
    listened: Mapping[str, Any] | None,
    traffic: Mapping[str, Any],
    tree: Mapping[str, Any],
) -> dict[str, Any] | None:
    """The trial's ``marks``; None where nobody listened for any.

    :param listened: what :func:`reading` needs, and the registered results of starting the receiver, ``before``, and
        of asking it, ``after``.
    """
    before, after = (listened or {}).get("before"), (listened or {}).get("after")
    if not listened or not before or before.get("skipped"):
        return None
    how = _how(item, traffic, listened)
    found: dict[str, Any] = {"read": "count" if how.count_only else "numbers", "why": how.why, "error": None}
    found["numbered_passes"] = how.numbered_passes
    told = (after or {}).get("marks")
    if told is None:
        said = next((one["msg"] for one in (after, before) if one and one.get("msg")), "it was not asked")
        return {**found, "error": f"What the marks would tell is not known: {' '.join(str(said).split())}"}
    found.update({key: value for key, value in told.items() if key not in _NOT_KEPT})
    found["longest_gap"] = max(
        (one["longest_gap"] for one in told["streams"] if one["longest_gap"]),
        key=lambda gap: gap["seconds"],
        default=None,
    )
    found["notes"] = [*told["notes"], *_half_a_pass(found, traffic, tree)]
    if found["reordered"] and listened["workers"] != "1":
        found["notes"].append(
            "Several workers sent at once, so that frames of one may have left before those of another with lower"
            " numbers: not all that is reordered need be the device's doing."
        )
    return found


def _half_a_pass(found: dict[str, Any], traffic: Mapping[str, Any], tree: Mapping[str, Any]) -> list[str]:
    """What a file that is repeated byte for byte cannot tell: an outage of more than half of it."""
    gap, pps = found["longest_gap"], (tree.get("rates") or {}).get("pps")
    packets, sent = traffic.get("packets"), (tree.get("stats") or {}).get("packets")
    if not gap or not pps or not packets or not sent or sent <= packets or found["numbered_passes"]:
        return []
    half = packets / 2 / pps
    if gap["seconds"] < half:
        return []
    found.update(dict.fromkeys(_BY_PASSES), longest_gap={**gap, "missing": None})
    found["streams"] = [_without_passes(one, half) for one in found["streams"]]
    return [
        f"Nothing came for {gap['seconds']:.3f} s, which is more than half a pass of the file ({half:.3f} s): its"
        " passes cannot be told apart then, and how many were lost, doubled and reordered is not known. A pcap with"
        " more frames (count) can tell longer outages."
    ]


def _without_passes(stream: Mapping[str, Any], half: float) -> Mapping[str, Any]:
    """A stream's figures, of one with such an outage only those that do not go by the passes."""
    gap = stream["longest_gap"]
    if not gap or gap["seconds"] < half:
        return stream
    known = {key: value if key in _OF_ANY_PASS else None for key, value in stream.items()}
    return {**known, "longest_gap": {**gap, "missing": None}}


def counted_by_marks(
    tree: dict[str, Any], found: Mapping[str, Any] | None, traffic: Mapping[str, Any], receive_wait: float | None
) -> dict[str, Any]:
    """The trial's tree, its loss counted by the marks where the counter of MAC addresses cannot tell: where it saw
    less than half of the test's frames (a router in between), saw nothing, or where some came twice."""
    if not found or found["error"] or any(one["unmarked"] for one in (traffic.get("marks") or {}).get("streams", ())):
        return tree
    arrived = found["arrived"] if found["read"] == "count" else found["received"]
    if not arrived or found["ended_by"] == "interface_down" or (found["read"] == "numbers" and found["lost"] is None):
        return tree
    rx = (tree["counters"] or {}).get("rx")
    if rx is not None and not found["duplicates"] and 2 * (rx["packets"] or 0) >= arrived:
        return tree
    return reconcile_marks(tree, arrived, over=found["ended_by"] != "duration", receive_wait=receive_wait)
