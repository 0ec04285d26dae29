# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A measured trial of a search, and what it proves. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import positive
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import (
    SearchSettings,
    whole_seconds,
)

# A trial shorter than this share of its duration was ended by something else.
_EARLY = 0.05

# The parts to keep of a trial's run and counters: how it was sent, and what each side counted. Few, as all trials are
# passed from step to step.
_OF_RUN = ("command", "engine", "injection_method", "netmap_mode", "xdp_mode")
KEPT = (*_OF_RUN, "counters")


@dataclass(frozen=True)
class SearchTrial:
    """A measured trial; None for unknown values. ``why``: of a verdict that is not ``consistent``, or of a trial that
    failed.

    ``kept``: what the search does not look at, and its reader does (:data:`KEPT`).

    ``hosts``: of a trial that several hosts sent with one load, each host's own; the figures are then of all of them
    (:mod:`._search.over_all`).
    """

    asked_pps: float
    duration: int
    pps: float | None
    seconds: float | None
    sent: int | None
    lost: int | None
    verdict: str | None
    why: str
    kept: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, SearchTrial] = field(default_factory=dict)

    @property
    def loss_ratio(self) -> float | None:
        """The share of the sent frames that was lost."""
        return self.lost / self.sent if self.sent and self.lost is not None else None


def _count(value: object, name: str, on: str) -> int | None:
    if value is None:
        return None
    try:
        number = positive(value, name, zero=True)
    except TrafficgenError as error:
        raise TrafficgenError(error.what, on=f"{on}, {error.on}") from None
    if number != int(number):
        raise TrafficgenError("not a whole number of frames", on=f"{on}, {name} {value!r}")
    return int(number)


def _of_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's figures from the result of the module tcpreplay, with or without reconcile."""
    stats, counters = result.get("stats"), result.get("counters")
    if result.get("failed") or not isinstance(stats, Mapping) or not isinstance(counters, Mapping):
        return {"error": result.get("msg") or "it has no statistics"}
    packets = stats.get("packets")
    tx = counters.get("tx") or {}
    # The device's count may include a few foreign frames; the loss counts the test's only.
    sent = packets if packets is None or tx.get("packets") is None else min(packets, tx["packets"])
    return {
        "sent": sent,
        "lost": counters.get("loss_packets"),
        "seconds": stats.get("seconds"),
        "pps": stats.get("pps"),
        "verdict": counters.get("verdict"),
        "reason": counters.get("reason"),
    }


def read_trial(entry: object, number: int) -> SearchTrial:
    """A trial from ``{asked_pps, duration}`` and either ``{sent, lost, seconds, pps, verdict, reason}``, ``{result}``
    or ``{error}``.

    ``result`` is the tree of the module tcpreplay. Default for ``pps``: ``sent / seconds``, for ``verdict``:
    ``consistent``.

    :raises TrafficgenError: it is not such an entry.
    """
    on = f"trial {number}"
    if not isinstance(entry, Mapping) or "asked_pps" not in entry or "duration" not in entry:
        raise TrafficgenError(
            "not a trial: it has no asked_pps and duration",
            on=on,
            remedy="Append what the step said was next, measured.",
        )
    asked, duration = (
        positive(entry["asked_pps"], f"{on}, asked_pps"),
        whole_seconds(entry["duration"], f"{on}, duration"),
    )
    result = entry.get("result")
    if result is not None and not isinstance(result, Mapping):
        raise TrafficgenError("not a result of the tcpreplay module", on=on)
    return dataclasses.replace(_figures(asked, duration, entry, result, on), kept=_kept(entry, result))


def _kept(entry: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    of: Mapping[str, Any] = entry
    if result is not None:
        run = result.get("run") or {}
        of = {**{name: run.get(name) for name in _OF_RUN}, "counters": result.get("counters")}
    return {name: _bare(of[name]) for name in KEPT if of.get(name) is not None}


def _bare(value: Any) -> Any:
    """The value in plain containers: Ansible's cannot be copied."""
    if isinstance(value, Mapping):
        return {str(key): _bare(each) for key, each in value.items()}
    return [_bare(each) for each in value] if isinstance(value, (list, tuple)) else value


def _figures(
    asked: float, duration: int, entry: Mapping[str, Any], result: Mapping[str, Any] | None, on: str
) -> SearchTrial:
    if entry.get("error"):
        return _no_trial(asked, duration, entry["error"])
    if result is None:
        return _measured(asked, duration, entry, on)
    figures = _of_result(result)
    if figures.get("error"):
        return _no_trial(asked, duration, figures["error"])
    try:
        return _measured(asked, duration, figures, on)
    except TrafficgenError as error:
        # The run's fault, not the caller's: the trial proves nothing, and the search ends, but keeps its trials.
        return _no_trial(asked, duration, f"what it counted cannot be: {error.what}")


def _no_trial(asked: float, duration: int, why: object) -> SearchTrial:
    return SearchTrial(asked, duration, None, None, None, None, None, str(why))


def _measured(asked: float, duration: int, figures: Mapping[str, Any], on: str) -> SearchTrial:
    missing = [name for name in ("sent", "lost", "seconds") if name not in figures]
    if missing:
        raise TrafficgenError(f"it has no {', '.join(missing)}", on=on, remedy="Give null for what is not known.")
    sent, lost = _count(figures["sent"], "sent", on), _count(figures["lost"], "lost", on)
    if sent is not None and lost is not None and lost > sent:
        raise TrafficgenError(f"lost {lost} of {sent} frames", on=on)
    seconds = None if figures["seconds"] is None else positive(figures["seconds"], f"{on}, seconds", zero=True)
    pps = None if figures.get("pps") is None else positive(figures["pps"], f"{on}, pps", zero=True)
    if pps is None and sent is not None and seconds:
        pps = sent / seconds
    verdict = str(figures.get("verdict", "consistent") or "unknown")
    return SearchTrial(asked, duration, pps, seconds, sent, lost, verdict, str(figures.get("reason") or ""))


# The kinds of trials: good, lossy (the device's loss is above the goal), unsent (the generator sent less than
# requested, and its loss was within the goal), or no evidence.
GOOD, LOSSY, UNSENT, UNUSABLE = "good", "lossy", "unsent", "unusable"


@dataclass(frozen=True)
class Judgement:
    """``kind``: one of the four words above. ``short``: less was sent than requested. ``why``: the reason, without a
    full stop."""

    kind: str
    short: bool = False
    why: str = ""


def assess(trial: SearchTrial, settings: SearchSettings) -> Judgement:
    """What a trial proves."""
    unusable = _unusable(trial)
    if unusable:
        return Judgement(UNUSABLE, why=unusable)
    loss, pps, tolerance = trial.loss_ratio or 0.0, trial.pps or 0.0, f"(tolerance {settings.rate_tolerance:.2%})"
    # A difference of one frame does not miss the rate.
    slack = trial.asked_pps * settings.rate_tolerance + 1 / trial.duration
    if pps > trial.asked_pps + slack:
        return Judgement(UNUSABLE, why=f"it was sent faster than asked, at {pps:.1f} pps {tolerance}")
    lossy = loss > settings.goal.loss_ratio
    if pps >= trial.asked_pps - slack:
        return Judgement(LOSSY if lossy else GOOD)
    said = f"the generator sent only {pps:.1f} pps {tolerance}"
    if lossy:
        return Judgement(LOSSY, True, f"{said}, and of that {loss:.3%} was lost")
    return Judgement(UNSENT, True, f"{said}: no proof of the device's loss")


def _unusable(trial: SearchTrial) -> str:
    """Why a trial is no evidence; empty if it is."""
    why = trial.why.rstrip(".")
    if trial.verdict is None:
        return f"it failed: {why}"
    if trial.verdict != "consistent":
        return f"its verdict is {trial.verdict}" + (f": {why}" if why else "")
    if trial.lost is None:
        return "what was lost is not known" + (f": {why}" if why else ", as without a receiver")
    if not trial.sent or not trial.pps or not trial.seconds:
        return "nothing was sent"
    if trial.seconds + 1 / trial.asked_pps < trial.duration * (1 - _EARLY):
        return f"it ended after {trial.seconds:g} s"
    return ""
