# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the highest rate at which a device loses no more than a goal allows. Pure: trials in, the next trial
or the answer out.

The search is FD.io's library MLRsearch 1.2, which follows draft-05 of what became RFC 9971
(https://csit.fd.io/cdocs/methodology/measurements/data_plane_throughput/mlr_search/). It calls a function that
measures. Ours replays the trials measured so far, and stops the search when they run out: the trial requested then is
the next one. So the list of trials is the only state between two steps.

The library is deterministic except for its time limit, which reads the clock. We set that to infinity and limit the
number of trials instead. It adds up the trials' requested durations.

What a trial proves (the library's MeasurementResult counts frames that were not sent as lost, and so does FD.io's
CSIT):

- The requested rate was sent, within a tolerance: the loss is the device's.
- Less was sent. That is not a loss, but proves nothing for the requested rate. If the generator has sent clearly more
  before, the trial is repeated. Otherwise the library counts unsent frames as lost, which leads it down to what the
  generator can send; the answer tells the two apart again.
- The loss is unknown, or more was sent than requested, or the trial ended early: no evidence, and the search has
  failed.

A rate in the answer is never above what a trial sent at that rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import rates
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.library import (
    controller,
    mlrsearch,
    version,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import (
    aggregate,
    judge,
    lost_by_host,
    parts,
    read_measured,
    sentence,
    short_form,
    silent,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import (
    Goal,
    SearchSettings,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.trial import (
    GOOD,
    KEPT,
    LOSSY,
    UNSENT,
    UNUSABLE,
    Judgement,
    SearchTrial,
)

# Tolerance for a rate that went through YAML and back; two requested rates differ by more.
_SAME_RATE = 1e-6
# How often to try a rate that was not reached although the generator has sent clearly more: a hiccup is not its limit.
_ATTEMPTS = 3
_CLEARLY = 1.1


def _for_library(trial: SearchTrial, short: bool, load: float, goal: Goal) -> dict[str, Any]:
    """The arguments of the library's MeasurementResult."""
    figures: dict[str, Any] = {"intended_duration": float(trial.duration), "intended_load": load}
    if not short:
        # Count as sent: frames missing within the tolerance are not lost.
        return {**figures, "offered_count": trial.sent, "loss_count": trial.lost}
    intended = max(1, round(trial.asked_pps * trial.duration))
    forwarded = round(intended * (trial.pps or 0.0) / trial.asked_pps * (1 - (trial.loss_ratio or 0.0)))
    # The trial proves nothing even if the goal allows more loss than is missing.
    lost = max(intended - forwarded, math.floor(intended * goal.loss_ratio) + 1)
    return {**figures, "offered_count": intended, "loss_count": min(intended, lost)}


class _RunOut(Exception):
    """The trials measured so far have run out. The search's request is the next one."""

    def __init__(self, pps: float, duration: int) -> None:
        self.pps = pps
        self.duration = duration


class _NoEvidence(Exception):
    """A trial proves nothing."""


class _Replay:
    """The library's measurer."""

    def __init__(self, library: Any, trials: Sequence[SearchTrial], settings: SearchSettings) -> None:
        self.library = library
        self.trials = trials
        self.settings = settings
        self.taken = 0
        self.used: list[tuple[float, SearchTrial, str]] = []
        # Including those repeated because too little was sent.
        self.tried: list[tuple[float, SearchTrial, str]] = []
        # The highest rate that the generator has sent.
        self.able = 0.0
        # Why a trial was made that the library did not ask for, by its number.
        self.looks: dict[int, str] = {}

    def measure(self, intended_duration: float, intended_load: float) -> Any:
        """The next trial's result; the library calls it with these parameter names."""
        duration = math.ceil(intended_duration - 1e-9)
        for _attempt in range(_ATTEMPTS):
            trial, judged = self._take(duration, intended_load)
            self.tried.append((intended_load, trial, judged.kind))
            self.able = max(self.able, trial.pps or 0.0)
            if not judged.short or self.able < intended_load * _CLEARLY:
                break
        self._look_for_dead(trial, intended_load)
        self.used.append((intended_load, trial, judged.kind))
        return self.library.MeasurementResult(**_for_library(trial, judged.short, intended_load, self.settings.goal))

    def _look_for_dead(self, trial: SearchTrial, load: float) -> None:
        """Tell a dead direction from one that the others starve: even at min_pps nothing of it arrives."""
        without = silent(trial)
        if not without:
            return
        number = self.taken
        if load > self.settings.min_pps:
            self.looks[number + 1] = f"Made at min_pps to see whether {' and '.join(without)} is dead."
            trial, judged = self._take(self.settings.goal.initial_duration, self.settings.min_pps)
            self.tried.append((self.settings.min_pps, trial, judged.kind))
        dead = [name for name in without if name in silent(trial)]
        if dead:
            nor = f", nor in trial {self.taken} at min_pps ({self.settings.min_pps:.1f} pps)" * (self.taken > number)
            raise _NoEvidence(
                f"Nothing that {' and '.join(dead)} sent arrived in trial {number} ({load:.1f} pps){nor}: that"
                " direction is dead, and its loss is not that of a load."
            )

    def _take(self, duration: int, load: float) -> tuple[SearchTrial, Judgement]:
        number = self.taken + 1
        if number > len(self.trials):
            raise _RunOut(load, duration)
        trial = self.trials[number - 1]
        if trial.duration != duration or not math.isclose(trial.asked_pps, load, rel_tol=_SAME_RATE):
            raise TrafficgenError(
                f"not the trial that the search asks for: {trial.asked_pps:.3f} pps for {trial.duration} s instead of "
                f"{load:.3f} pps for {duration} s",
                on=f"trial {number}",
                remedy="Measure what the step says is next, with the same settings throughout a search.",
            )
        judged = judge(trial, self.settings)
        if judged.kind == UNUSABLE:
            raise _NoEvidence(
                f"Trial {number} ({trial.asked_pps:.1f} pps for {trial.duration} s) proves nothing: {judged.why}."
            )
        self.taken = number
        return trial, judged

    def at(self, load: float) -> list[tuple[SearchTrial, str]]:
        """The trials at a load that the library was given, and their kinds."""
        return [(trial, kind) for other, trial, kind in self.used if other == load]

    def proofs_at(self, load: float) -> list[SearchTrial]:
        """All trials at a load that prove something: one repeated for sending too little may also have lost frames."""
        most = self.settings.goal.loss_ratio
        return [
            trial
            for other, trial, kind in self.tried
            if other == load and (kind in (GOOD, LOSSY) or (trial.loss_ratio or 0.0) > most)
        ]


# --- The answer ---


def step(measured: Iterable[object], settings: SearchSettings) -> dict[str, Any]:
    """The next step after these measurements: ``{done, next, measured, result}``.

    ``next``: ``{pps, duration, number}`` of the trial to measure, None when done. ``result``: an entry of the result
    file's ``searches``, without the caller's part, None until done. ``measured``: the trials in short form, to append
    the next one to.

    :raises TrafficgenError: the library is missing, or a trial is not what the search asked for.
    """
    if isinstance(measured, (str, Mapping)) or not isinstance(measured, Iterable):
        raise TrafficgenError("not a list of trials", on="what was measured")
    library = mlrsearch()
    trials = [read_measured(entry, number) for number, entry in enumerate(measured, start=1)]
    replay = _Replay(library, trials, settings)
    search, goal = controller(library, settings)
    following = None
    try:
        found = search.search(measurer=replay, debug=lambda text: None)[goal]
    except _RunOut as out:
        if len(trials) < settings.max_trials:
            following = {"pps": out.pps, "duration": out.duration, "number": len(trials) + 1}
            answer: dict[str, Any] = {}
        else:
            answer = _failed(
                f"The search did not end within {settings.max_trials} trials (max_trials){_so_far(search, goal)}."
            )
    except _NoEvidence as none:
        answer = _failed(str(none))
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        # The library failed on a corner case: keep the trials.
        answer = _failed(f"{version()} gave up: {' '.join(str(error).split())}.")
    else:
        if replay.taken < len(trials):
            raise TrafficgenError(
                f"the search had ended before it, with trial {replay.taken}", on=f"trial {replay.taken + 1}"
            )
        answer = _answer(found, replay, settings)
    return {
        "done": following is None,
        "next": following,
        "measured": [short_form(trial) for trial in trials],
        "result": None if following else _result(settings, trials, answer, replay.looks),
    }


def broken_off(measured: Iterable[object], settings: SearchSettings, reason: str) -> dict[str, Any]:
    """The answer of a search that did not finish, with its trials."""
    return _result(
        settings, [read_measured(entry, number) for number, entry in enumerate(measured, start=1)], _failed(reason)
    )


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "failed", "reason": reason, "limited_by": None, "found": None}


def _so_far(search: Any, goal: Any) -> str:
    bounds = search.database.get_relevant_bounds(search.scaling.goal_to_final_target[goal])
    low, high = (None if bound is None else f"{float(bound):.1f} pps" for bound in (bounds.clo, bounds.chi))
    if low is None and high is None:
        return ", and judged no rate"
    return "; so far it is " + " and ".join(
        part for part in (low and f"at least {low}", high and f"below {high}") if part
    )


def _answer(found: Any, replay: _Replay, settings: SearchSettings) -> dict[str, Any]:
    lower, upper = found.relevant_lower_bound, found.relevant_upper_bound
    goal = settings.goal
    generator = upper is not None and not _device_lost(replay.at(float(upper)), settings.goal)
    said = f"a loss of more than {settings.goal.loss_ratio:.3%}" if settings.goal.loss_ratio else "a loss"
    if lower is None:
        trials = replay.at(float(upper))
        if generator:
            most, sender = _best(trial for trial, _kind in trials)
            reason = f"{sender} could not send even min_pps, {float(upper):.1f} pps: {most:.1f} at best."
        else:
            ratios = [trial.loss_ratio or 0.0 for trial, _kind in trials]
            reason = (
                f"There is {said} even at min_pps, {float(upper):.1f} pps: {min(ratios):.4%} to {max(ratios):.4%} in"
                f" {len(ratios)} trials."
            )
        return {
            "status": "not_found",
            "reason": reason,
            "limited_by": "generator" if generator else "device",
            "found": None,
        }
    good = [
        trial
        for trial, kind in replay.at(float(lower))
        if kind == GOOD and trial.duration >= settings.goal.final_duration and trial.pps is not None
    ]
    # The rate that each good trial reached, not the requested one.
    proven = min(float(lower), *(trial.pps for trial in good if trial.pps is not None))
    forwarded = float(found.conditional_throughput) / float(lower)
    tree = rates(proven, settings.size, settings.link_speed_mbps)
    bounds: dict[str, float | None] = {"lower_pps": proven, "upper_pps": None, "conditional_pps": proven * forwarded}
    if upper is None:
        limit, reason = "max_pps", f"The goal was met at max_pps, {float(lower):.1f} pps: the device's limit is above."
    elif generator:
        limit = "generator"
        most, sender = _best(trial for trial, kind in replay.at(float(upper)) if kind == UNSENT)
        more = f", though {replay.able:.1f} pps once" if replay.able > float(upper) else ""
        reason = (
            f"{sender} could not send more: asked for {float(upper):.1f} pps it sent {most:.1f} at best{more}. "
            "The device was not brought to its limit."
        )
    else:
        limit, reason = "device", ""
        # The loss belongs to the rate that was sent.
        sent = [trial.pps for trial, kind in replay.at(float(upper)) if kind == LOSSY and trial.pps is not None]
        bounds["upper_pps"] = max(float(upper), *sent)
    there = _at_rate(replay.proofs_at(float(lower)), goal)
    found_tree = {
        **bounds,
        **{name: tree[name] for name in ("l1_mbps", "l2_mbps", "frame_mbps", "line_rate_percent")},
        "at_rate": there,
    }
    if replay.used[0][1].hosts:
        found_tree["aggregate"] = aggregate(found_tree, len(replay.used[0][1].hosts))
    reason = " ".join(sentence for sentence in (reason, lost_there(proven, there, goal.loss_ratio)) if sentence)
    return {"status": "found", "reason": reason, "limited_by": limit, "found": found_tree}


def _at_rate(trials: Sequence[SearchTrial], goal: Goal) -> dict[str, Any]:
    """The loss of the trials at the rate found: a goal may allow some of them to lose more."""
    sent, lost = sum(trial.sent or 0 for trial in trials), sum(trial.lost or 0 for trial in trials)
    hosts = lost_by_host(trials)
    return {
        "trials": len(trials),
        "with_loss": sum(1 for trial in trials if trial.lost),
        "over_goal": sum(1 for trial in trials if (trial.loss_ratio or 0.0) > goal.loss_ratio),
        "sent": sent,
        "lost": lost,
        "loss_ratio": lost / sent if sent else None,
        **({"hosts": hosts} if hosts else {}),
    }


def _best(trials: Iterable[SearchTrial]) -> tuple[float, str]:
    """The most that was sent, and who sent it: of several hosts the slowest, as all have one load."""
    best = max(trials, key=lambda trial: trial.pps or 0.0)
    slowest = min(best.hosts, key=lambda name: best.hosts[name].pps or 0.0, default="The generator")
    return best.pps or 0.0, slowest


def lost_there(pps: float, there: Mapping[str, Any], loss_ratio: float) -> str:
    """A sentence on loss beyond the goal at the rate found; empty if no trial lost that much."""
    if not there["over_goal"]:
        return ""
    share = f", {there['over_goal']} of them with more than {loss_ratio:.3%}" if loss_ratio else ""
    return (
        f"At {pps:.1f} pps, {there['with_loss']} of {there['trials']} trials lost frames{share}: {there['lost']} of"
        f" {there['sent']} ({there['loss_ratio'] * 100:.3g} %)."
    )


def _device_lost(trials: Iterable[tuple[SearchTrial, str]], goal: Goal) -> bool:
    """Whether a load is an upper bound by the device's loss alone, without trials in which the generator sent too
    little."""
    lossy = sum(trial.duration for trial, kind in trials if kind == LOSSY)
    return lossy > goal.exceed_ratio * max(goal.duration_sum, sum(trial.duration for trial, _kind in trials))


def _result(
    settings: SearchSettings,
    trials: Sequence[SearchTrial],
    answer: Mapping[str, Any],
    looks: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    tree = []
    for number, trial in enumerate(trials, start=1):
        judged = judge(trial, settings)
        tree.append(
            {
                "asked_pps": trial.asked_pps,
                "duration": trial.duration,
                "pps": trial.pps,
                "seconds": trial.seconds,
                "sent": trial.sent,
                "lost": trial.lost,
                "loss_ratio": trial.loss_ratio,
                "verdict": trial.verdict,
                "valid": judged.kind in (GOOD, LOSSY),
                "reason": " ".join(filter(None, ((looks or {}).get(number), sentence(trial, judged.why)))),
                **{name: trial.kept.get(name) for name in KEPT},
                **parts(trial, settings),
            }
        )
    return {
        "search": settings.search,
        "library": version(),
        "goals": [asdict(settings.goal)],
        "rate_tolerance": settings.rate_tolerance,
        "min_pps": settings.min_pps,
        "max_pps": settings.max_pps,
        **answer,
        "trial_seconds": sum(trial.seconds or 0.0 for trial in trials),
        "trials": tree,
    }
