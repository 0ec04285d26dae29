# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A search's settings, checked and with defaults: its goal, and the rates it searches between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, line_rate_pps, positive

SEARCHES = ("ndr", "pdr", "rfc2544")

# FD.io's own goals for its NDR and PDR (on that page).
_PDR_LOSS_RATIO = 0.005
_EXCEED_RATIO = 0.5
_WIDTH = 0.005
_TRIAL_SECONDS = 1
_DURATION_SUM = 21
# RFC 2544, section 24: trials of at least 60 seconds.
_RFC2544_SECONDS = 60

_MIN_PPS = 1000.0
_RATE_TOLERANCE = 0.005
_MAX_TRIALS = 200


@dataclass(frozen=True)
class Goal:
    """The search's goal. Ratios from 0 to below 1, durations in whole seconds.

    ``loss_ratio``: a trial that lost more is bad. ``exceed_ratio``: a rate is good enough up to this share of bad
    trials in ``duration_sum``. ``width``: how far apart the bounds may be, as a share of the upper one.
    ``initial_duration`` and ``final_duration``: of the first, exploring trials, and of those that decide.
    ``duration_sum``: total time of trials at one rate before it is judged.
    """

    loss_ratio: float
    exceed_ratio: float
    width: float
    initial_duration: int
    final_duration: int
    duration_sum: int


@dataclass(frozen=True)
class SearchSettings:
    """A search's settings, checked and with defaults. ``size``: the mean frame size; None if unknown."""

    search: str
    goal: Goal
    min_pps: float
    max_pps: float
    size: Size | None
    link_speed_mbps: float | None
    rate_tolerance: float
    max_trials: int


def whole_seconds(value: object, name: str) -> int:
    """A duration that tcpreplay can keep."""
    number = positive(value, name)
    if number != int(number):
        raise TrafficgenError(
            "not a whole number", on=f"{name} {value!r}", remedy="tcpreplay's durations are whole seconds."
        )
    return int(number)


def _ratio(value: object, name: str, *, zero: bool = False) -> float:
    number = positive(value, name, zero=zero)
    if number >= 1:
        raise TrafficgenError("not a ratio below 1", on=f"{name} {value!r}", remedy="0.005 is 0.5 %.")
    return number


def _goal(search: str, given: Mapping[str, object]) -> Goal:
    rfc2544 = search == "rfc2544"
    refused = {"ndr": ("loss_ratio",), "pdr": (), "rfc2544": ("loss_ratio", "exceed_ratio", "duration_sum")}[search]
    for name in refused:
        if given[name] is not None:
            raise TrafficgenError(
                f"{search} defines it",
                on=name,
                remedy="Leave it out, or search for " + ("ndr or pdr." if rfc2544 else "pdr."),
            )
    loss_ratio, exceed_ratio = given["loss_ratio"], given["exceed_ratio"]
    final = whole_seconds(
        given["final_duration"] or (_RFC2544_SECONDS if rfc2544 else _TRIAL_SECONDS), "final_duration"
    )
    initial = whole_seconds(given["initial_duration"] or (final if rfc2544 else _TRIAL_SECONDS), "initial_duration")
    total = final if rfc2544 else whole_seconds(given["duration_sum"] or max(_DURATION_SUM, final), "duration_sum")
    if not initial <= final <= total:
        raise TrafficgenError(
            "not in order",
            on=f"initial_duration {initial}, final_duration {final}, duration_sum {total}",
            remedy="None may be above the next.",
        )
    return Goal(
        loss_ratio=(
            _ratio(_PDR_LOSS_RATIO if loss_ratio is None else loss_ratio, "loss_ratio") if search == "pdr" else 0.0
        ),
        exceed_ratio=(
            0.0
            if rfc2544
            else _ratio(_EXCEED_RATIO if exceed_ratio is None else exceed_ratio, "exceed_ratio", zero=True)
        ),
        width=_ratio(_WIDTH if given["width"] is None else given["width"], "width"),
        initial_duration=initial,
        final_duration=final,
        duration_sum=total,
    )


def check_settings(
    search: object,
    *,
    max_pps: object = None,
    min_pps: object = None,
    wire_frame_size: object = None,
    frame_size: object = None,
    link_speed_mbps: object = None,
    width: object = None,
    loss_ratio: object = None,
    exceed_ratio: object = None,
    initial_duration: object = None,
    final_duration: object = None,
    duration_sum: object = None,
    rate_tolerance: object = None,
    max_trials: object = None,
) -> SearchSettings:
    """The settings of a search; None means the default. By default ``max_pps`` is the frames' line rate on the link."""
    if search not in SEARCHES:
        raise TrafficgenError("not a search", on=repr(search), remedy=f"It is one of {', '.join(SEARCHES)}.")
    goal = _goal(
        str(search),
        {
            "width": width,
            "loss_ratio": loss_ratio,
            "exceed_ratio": exceed_ratio,
            "initial_duration": initial_duration,
            "final_duration": final_duration,
            "duration_sum": duration_sum,
        },
    )
    size = None if wire_frame_size is None else Size.of(wire_frame_size, "wire")
    if size is not None and frame_size is not None:
        size = Size.of_means(positive(frame_size, "frame_size"), size.wire)
    speed = None if link_speed_mbps is None else positive(link_speed_mbps, "link_speed_mbps")
    if max_pps is not None:
        most = positive(max_pps, "max_pps")
    elif size is not None and speed is not None:
        most = line_rate_pps(size, speed)
    else:
        raise TrafficgenError(
            "a search needs a rate to begin at",
            on="max_pps",
            remedy="Give max_pps, or wire_frame_size and link_speed_mbps.",
        )
    least = min(_MIN_PPS, most / 10) if min_pps is None else positive(min_pps, "min_pps")
    if least >= most:
        raise TrafficgenError(f"not below max_pps {most:g}", on=f"min_pps {least:g}")
    return SearchSettings(
        search=str(search),
        goal=goal,
        min_pps=least,
        max_pps=most,
        size=size,
        link_speed_mbps=speed,
        rate_tolerance=(
            _RATE_TOLERANCE if rate_tolerance is None else _ratio(rate_tolerance, "rate_tolerance", zero=True)
        ),
        max_trials=_MAX_TRIALS if max_trials is None else whole_seconds(max_trials, "max_trials"),
    )
