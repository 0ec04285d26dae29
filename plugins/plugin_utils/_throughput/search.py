# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the largest rate at which a device loses no more than a goal allows. Pure: trials in, the next trial
or the answer out.

The search is FD.io's library MLRsearch 1.2, which follows draft-05 of what became RFC 9971
(https://csit.fd.io/cdocs/methodology/measurements/data_plane_throughput/mlr_search/). It wants to call a function that
measures. Ours replays the trials measured so far, and stops the search where they run out: what it was asked for then
is the next trial. So no state is kept between two steps but the list of trials.

The library is deterministic, but for its time limit, which looks at the clock. That limit is set to infinity: what
bounds a search is the number of its trials. Its sums of time are of the trials' durations as asked.

What a trial proves (the library's MeasurementResult counts frames that were not sent as lost, and so does FD.io's
CSIT):

- The rate asked for was sent, within a tolerance: the loss is the device's.
- Less was sent. That is no loss, but it is no proof for the rate asked either. Where the generator has sent clearly
  more before, the trial is asked for again. Else what was not sent is lost to the library, which leads it down to what
  the generator can send; which of the two it was is told apart again in the answer.
- What was lost is not known, or more was sent than asked, or the trial ended early: no evidence, and the search has
  failed.

A rate in the answer is never above what a trial sent at that rate.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, line_rate_pps, positive, rates

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
# A trial that lasted so much less than asked did not end by its duration.
_EARLY = 0.05
# Between two asked rates there is more; a rate that went through YAML and back is nearer.
_SAME_RATE = 1e-6
# How often a rate is tried that was not sent, though the generator has sent clearly more before: a hiccup is not its
# limit.
_ATTEMPTS = 3
_CLEARLY = 1.1


@dataclass(frozen=True)
class Goal:
    """What counts as found. Ratios from 0 to below 1, durations in whole seconds.

    ``loss_ratio``: a trial that lost more is a bad one. ``exceed_ratio``: the share of ``duration_sum`` that bad trials
    may have at a rate which is still good enough. ``width``: how far the bounds may be apart, as a share of the upper
    one. ``initial_duration`` and ``final_duration``: of the trials that look around, and of those that decide.
    ``duration_sum``: of the trials at one rate, until it is judged.
    """

    loss_ratio: float
    exceed_ratio: float
    width: float
    initial_duration: int
    final_duration: int
    duration_sum: int


@dataclass(frozen=True)
class Settings:
    """A search as asked, checked and with its defaults. ``size``: the mean frame's, None where unknown."""

    search: str
    goal: Goal
    min_pps: float
    max_pps: float
    size: Size | None
    link_speed_mbps: float | None
    rate_tolerance: float
    max_trials: int


def _whole(value: object, name: str) -> int:
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
    plain = search == "rfc2544"
    refused = {"ndr": ("loss_ratio",), "pdr": (), "rfc2544": ("loss_ratio", "exceed_ratio", "duration_sum")}[search]
    for name in refused:
        if given[name] is not None:
            raise TrafficgenError(
                f"{search} says what it is",
                on=name,
                remedy="Leave it out, or search for " + ("ndr or pdr." if plain else "pdr."),
            )
    loss_ratio, exceed_ratio = given["loss_ratio"], given["exceed_ratio"]
    final = _whole(given["final_duration"] or (_RFC2544_SECONDS if plain else _TRIAL_SECONDS), "final_duration")
    initial = _whole(given["initial_duration"] or (final if plain else _TRIAL_SECONDS), "initial_duration")
    total = final if plain else _whole(given["duration_sum"] or max(_DURATION_SUM, final), "duration_sum")
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
            0.0 if plain else _ratio(_EXCEED_RATIO if exceed_ratio is None else exceed_ratio, "exceed_ratio", zero=True)
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
) -> Settings:
    """The settings of a search; None is the default. ``max_pps`` is by default the line rate of the frames on the
    link."""
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
            "a search needs a rate to begin at", on="max_pps", remedy="Give it, or wire_frame_size and link_speed_mbps."
        )
    least = min(_MIN_PPS, most / 10) if min_pps is None else positive(min_pps, "min_pps")
    if least >= most:
        raise TrafficgenError(f"not below max_pps {most:g}", on=f"min_pps {least:g}")
    return Settings(
        search=str(search),
        goal=goal,
        min_pps=least,
        max_pps=most,
        size=size,
        link_speed_mbps=speed,
        rate_tolerance=(
            _RATE_TOLERANCE if rate_tolerance is None else _ratio(rate_tolerance, "rate_tolerance", zero=True)
        ),
        max_trials=_MAX_TRIALS if max_trials is None else _whole(max_trials, "max_trials"),
    )


# --- Trials ---

# Of a trial's run, and its counters: how it was sent, and what each side counted. All trials are handed from step to
# step, so it is little.
_OF_RUN = ("command", "injection_method", "netmap_mode")
_KEPT = (*_OF_RUN, "counters")


@dataclass(frozen=True)
class Trial:
    """A trial as measured. What is not known is None. ``why``: of a verdict that is not ``consistent``, or of a trial
    that failed.

    ``kept``: what the search does not look at, and its reader does (:data:`_KEPT`).
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

    @property
    def loss_ratio(self) -> float | None:
        """Of the frames sent, those lost."""
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
    """The figures of a trial from the result of the module tcpreplay, after reconcile or not."""
    stats, counters = result.get("stats"), result.get("counters")
    if result.get("failed") or not isinstance(stats, Mapping) or not isinstance(counters, Mapping):
        return {"error": result.get("msg") or "it has no statistics"}
    packets = stats.get("packets")
    tx = counters.get("tx") or {}
    # The device's count may hold a few frames of others; the loss is of the test's.
    sent = packets if packets is None or tx.get("packets") is None else min(packets, tx["packets"])
    return {
        "sent": sent,
        "lost": counters.get("loss_packets"),
        "seconds": stats.get("seconds"),
        "pps": stats.get("pps"),
        "verdict": counters.get("verdict"),
        "reason": counters.get("reason"),
    }


def read_trial(entry: object, number: int) -> Trial:
    """A trial from ``{asked_pps, duration}`` and either ``{sent, lost, seconds, pps, verdict, reason}``, ``{result}``
    or ``{error}``.

    ``result`` is the tree of the module tcpreplay. ``pps`` may be left out: it is ``sent / seconds``. A ``verdict``
    left out is ``consistent``.

    :raises TrafficgenError: it is not such an entry.
    """
    on = f"trial {number}"
    if not isinstance(entry, Mapping) or "asked_pps" not in entry or "duration" not in entry:
        raise TrafficgenError(
            "not a trial: it has no asked_pps and duration",
            on=on,
            remedy="Append what the step said was next, measured.",
        )
    asked, duration = positive(entry["asked_pps"], f"{on}, asked_pps"), _whole(entry["duration"], f"{on}, duration")
    result = entry.get("result")
    if result is not None and not isinstance(result, Mapping):
        raise TrafficgenError("not a result of the tcpreplay module", on=on)
    return dataclasses.replace(_figures(asked, duration, entry, result, on), kept=_kept(entry, result))


def _kept(entry: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    of: Mapping[str, Any] = entry
    if result is not None:
        run = result.get("run") or {}
        of = {**{name: run.get(name) for name in _OF_RUN}, "counters": result.get("counters")}
    return {name: _bare(of[name]) for name in _KEPT if of.get(name) is not None}


def _bare(value: Any) -> Any:
    """The value in Python's own containers: Ansible's refuse to be copied."""
    if isinstance(value, Mapping):
        return {str(key): _bare(each) for key, each in value.items()}
    return [_bare(each) for each in value] if isinstance(value, (list, tuple)) else value


def _figures(asked: float, duration: int, entry: Mapping[str, Any], result: Mapping[str, Any] | None, on: str) -> Trial:
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
        # It is the run's doing, not the caller's: the trial proves nothing, and the search ends with that, and with its
        # trials.
        return _no_trial(asked, duration, f"what it counted cannot be: {error.what}")


def _no_trial(asked: float, duration: int, why: object) -> Trial:
    return Trial(asked, duration, None, None, None, None, None, str(why))


def _measured(asked: float, duration: int, figures: Mapping[str, Any], on: str) -> Trial:
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
    return Trial(asked, duration, pps, seconds, sent, lost, verdict, str(figures.get("reason") or ""))


# What a trial is to a search: good, lossy (the device's loss is above the goal), unsent (the generator did not send
# what was asked, and of what it sent no more was lost than allowed), or no evidence.
GOOD, LOSSY, UNSENT, UNUSABLE = "good", "lossy", "unsent", "unusable"


@dataclass(frozen=True)
class Judgement:
    """``kind``: one of the four words above. ``short``: less was sent than asked. ``why``: of anything not as asked, no
    full stop."""

    kind: str
    short: bool = False
    why: str = ""


def judge(trial: Trial, settings: Settings) -> Judgement:
    """What a trial proves."""
    unusable = _unusable(trial)
    if unusable:
        return Judgement(UNUSABLE, why=unusable)
    loss, pps, tolerance = trial.loss_ratio or 0.0, trial.pps or 0.0, f"(tolerance {settings.rate_tolerance:.2%})"
    # One frame more or less is not a rate missed.
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


def _unusable(trial: Trial) -> str:
    """Why a trial is no evidence, empty if it is."""
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


def _for_library(trial: Trial, short: bool, load: float, goal: Goal) -> dict[str, Any]:
    """The arguments of the library's MeasurementResult."""
    figures: dict[str, Any] = {"intended_duration": float(trial.duration), "intended_load": load}
    if not short:
        # As sent: frames missing within the tolerance are not lost.
        return {**figures, "offered_count": trial.sent, "loss_count": trial.lost}
    intended = max(1, round(trial.asked_pps * trial.duration))
    forwarded = round(intended * (trial.pps or 0.0) / trial.asked_pps * (1 - (trial.loss_ratio or 0.0)))
    # Where the goal allows more than is missing, the trial still is no proof.
    lost = max(intended - forwarded, math.floor(intended * goal.loss_ratio) + 1)
    return {**figures, "offered_count": intended, "loss_count": min(intended, lost)}


# --- The library ---


def _library() -> Any:
    try:
        import MLRsearch
    except ImportError:
        raise TrafficgenError(
            "the Python library MLRsearch is missing on the controller, which searches for the throughput",
            remedy="Install it where ansible-core is: `pip install MLRsearch`.",
        ) from None
    if not all(
        hasattr(MLRsearch, name)
        for name in ("Config", "GoalResult", "MeasurementResult", "MultipleLossRatioSearch", "SearchGoal")
    ):
        raise TrafficgenError(
            "this release of the Python library MLRsearch is another than 1.2, which is needed",
            on=_version(),
            remedy="Install that where ansible-core is: `pip install 'MLRsearch>=1.2,<2'`.",
        )
    return MLRsearch


def _version() -> str:
    try:
        return f"MLRsearch {importlib.metadata.version('MLRsearch')}"
    except importlib.metadata.PackageNotFoundError:
        return "MLRsearch"


def _controller(library: Any, settings: Settings) -> tuple[Any, Any]:
    """The library's search and its one goal."""
    goal = settings.goal
    # Without targets before the final one, each trial is of full length: the plain search.
    preceding = 0 if goal.initial_duration == goal.duration_sum else 2
    wanted = library.SearchGoal(
        loss_ratio=goal.loss_ratio,
        exceed_ratio=goal.exceed_ratio,
        relative_width=goal.width,
        initial_trial_duration=goal.initial_duration,
        final_trial_duration=goal.final_duration,
        duration_sum=goal.duration_sum,
        preceding_targets=preceding,
        expansion_coefficient=2,
        fail_fast=False,  # min_pps too fast is an answer
    )
    config = library.Config(
        goals=[wanted],
        min_load=settings.min_pps,
        max_load=settings.max_pps,
        search_duration_max=math.inf,  # the clock is not looked at
        warmup_duration=None,
    )
    return library.MultipleLossRatioSearch(config=config), wanted


class _RunOut(Exception):
    """The trials measured so far have run out. What the search asked for is the next one."""

    def __init__(self, pps: float, duration: int) -> None:
        self.pps = pps
        self.duration = duration


class _NoEvidence(Exception):
    """A trial proves nothing."""


class _Replay:
    """What the library takes for the one that measures."""

    def __init__(self, library: Any, trials: Sequence[Trial], settings: Settings) -> None:
        self.library = library
        self.trials = trials
        self.settings = settings
        self.taken = 0
        self.used: list[tuple[float, Trial, str]] = []
        # With those that were asked for again, since too little was sent.
        self.tried: list[tuple[float, Trial, str]] = []
        # The most that the generator has sent.
        self.able = 0.0

    def measure(self, intended_duration: float, intended_load: float) -> Any:
        """The next trial's result; its parameters' names are the library's."""
        duration = math.ceil(intended_duration - 1e-9)
        for _attempt in range(_ATTEMPTS):
            trial, judged = self._take(duration, intended_load)
            self.tried.append((intended_load, trial, judged.kind))
            self.able = max(self.able, trial.pps or 0.0)
            if not judged.short or self.able < intended_load * _CLEARLY:
                break
        self.used.append((intended_load, trial, judged.kind))
        return self.library.MeasurementResult(**_for_library(trial, judged.short, intended_load, self.settings.goal))

    def _take(self, duration: int, load: float) -> tuple[Trial, Judgement]:
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

    def at(self, load: float) -> list[tuple[Trial, str]]:
        """The trials at a load that the library was told of, and what they are."""
        return [(trial, kind) for other, trial, kind in self.used if other == load]

    def proofs_at(self, load: float) -> list[Trial]:
        """All trials at a load that prove something: one that sent too little and was repeated may have lost frames as
        well."""
        return [trial for other, trial, kind in self.tried if other == load and kind in (GOOD, LOSSY)]


# --- The answer ---


def step(measured: Iterable[object], settings: Settings) -> dict[str, Any]:
    """What comes next, after what has been measured: ``{done, next, measured, result}``.

    ``next``: ``{pps, duration, number}`` of the trial to measure, None when done. ``result``: an entry of the result
    file's ``searches``, without what only the caller knows, None until done. ``measured``: the trials, short: what to
    append the next to.

    :raises TrafficgenError: the library is missing, or a trial is not what the search asked for.
    """
    if isinstance(measured, (str, Mapping)) or not isinstance(measured, Iterable):
        raise TrafficgenError("not a list of trials", on="what was measured")
    library = _library()
    trials = [read_trial(entry, number) for number, entry in enumerate(measured, start=1)]
    replay = _Replay(library, trials, settings)
    search, goal = _controller(library, settings)
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
        # The library's own corner cases: the trials are kept.
        answer = _failed(f"{_version()} gave up: {' '.join(str(error).split())}.")
    else:
        if replay.taken < len(trials):
            raise TrafficgenError(
                f"the search had ended before it, with trial {replay.taken}", on=f"trial {replay.taken + 1}"
            )
        answer = _answer(found, replay, settings)
    return {
        "done": following is None,
        "next": following,
        "measured": [_short(trial) for trial in trials],
        "result": None if following else _result(settings, trials, answer),
    }


def broken_off(measured: Iterable[object], settings: Settings, reason: str) -> dict[str, Any]:
    """The answer of a search that did not come to its end, with the trials that it made."""
    return _result(
        settings, [read_trial(entry, number) for number, entry in enumerate(measured, start=1)], _failed(reason)
    )


def estimate(settings: Settings) -> tuple[int, int]:
    """How many trials and seconds of sending the search takes on a steady device that does 70 % of ``max_pps``."""
    library = _library()
    durations: list[int] = []

    class _Steady:
        def measure(self, intended_duration: float, intended_load: float) -> Any:
            duration = math.ceil(intended_duration - 1e-9)
            durations.append(duration)
            sent = max(1, round(intended_load * duration))
            return library.MeasurementResult(
                intended_duration=duration,
                intended_load=intended_load,
                offered_count=sent,
                loss_count=max(0, sent - round(settings.max_pps * 0.7 * duration)),
            )

    search, _goal_of_it = _controller(library, settings)
    search.search(measurer=_Steady(), debug=lambda text: None)
    return len(durations), sum(durations)


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


def _answer(found: Any, replay: _Replay, settings: Settings) -> dict[str, Any]:
    lower, upper = found.relevant_lower_bound, found.relevant_upper_bound
    goal = settings.goal
    generator = upper is not None and not _device_lost(replay.at(float(upper)), settings.goal)
    said = f"a loss of more than {settings.goal.loss_ratio:.3%}" if settings.goal.loss_ratio else "a loss"
    if lower is None:
        trials = replay.at(float(upper))
        if generator:
            most = max(trial.pps or 0.0 for trial, _kind in trials)
            reason = f"The generator could not send even min_pps, {float(upper):.1f} pps: {most:.1f} at best."
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
    # Not the rate asked for, but what each of the good trials reached.
    proven = min(float(lower), *(trial.pps for trial in good if trial.pps is not None))
    forwarded = float(found.conditional_throughput) / float(lower)
    tree = rates(proven, settings.size, settings.link_speed_mbps)
    bounds: dict[str, float | None] = {"lower_pps": proven, "upper_pps": None, "conditional_pps": proven * forwarded}
    if upper is None:
        limit, reason = "max_pps", f"The goal was met at max_pps, {float(lower):.1f} pps: the device's limit is above."
    elif generator:
        limit = "generator"
        most = max(trial.pps or 0.0 for trial, kind in replay.at(float(upper)) if kind == UNSENT)
        more = f", though {replay.able:.1f} pps once" if replay.able > float(upper) else ""
        reason = (
            f"The generator could not send more: asked for {float(upper):.1f} pps it sent {most:.1f} at best{more}. "
            "The device was not brought to its limit."
        )
    else:
        limit, reason = "device", ""
        # What was lost, was lost at the rate that was sent.
        sent = [trial.pps for trial, kind in replay.at(float(upper)) if kind == LOSSY and trial.pps is not None]
        bounds["upper_pps"] = max(float(upper), *sent)
    there = _at_rate(replay.proofs_at(float(lower)), goal)
    found_tree = {
        **bounds,
        **{name: tree[name] for name in ("l1_mbps", "l2_mbps", "frame_mbps", "line_rate_percent")},
        "at_rate": there,
    }
    reason = " ".join(sentence for sentence in (reason, lost_there(proven, there, goal.loss_ratio)) if sentence)
    return {"status": "found", "reason": reason, "limited_by": limit, "found": found_tree}


def _at_rate(trials: Sequence[Trial], goal: Goal) -> dict[str, Any]:
    """What the trials at the rate found lost: a goal that lets some of them be worse is no promise that none loses."""
    sent, lost = sum(trial.sent or 0 for trial in trials), sum(trial.lost or 0 for trial in trials)
    return {
        "trials": len(trials),
        "with_loss": sum(1 for trial in trials if trial.lost),
        "over_goal": sum(1 for trial in trials if (trial.loss_ratio or 0.0) > goal.loss_ratio),
        "sent": sent,
        "lost": lost,
        "loss_ratio": lost / sent if sent else None,
    }


def lost_there(pps: float, there: Mapping[str, Any], loss_ratio: float) -> str:
    """A sentence on what was lost at the rate found beyond the goal, empty where no trial was."""
    if not there["over_goal"]:
        return ""
    share = f", {there['over_goal']} of them with more than {loss_ratio:.3%}" if loss_ratio else ""
    return (
        f"At {pps:.1f} pps, {there['with_loss']} of {there['trials']} trials lost frames{share}: {there['lost']} of"
        f" {there['sent']} ({there['loss_ratio'] * 100:.3g} %)."
    )


def _device_lost(trials: Iterable[tuple[Trial, str]], goal: Goal) -> bool:
    """Whether the device's loss alone makes a load an upper bound, without the trials in which the generator sent too
    little."""
    lossy = sum(trial.duration for trial, kind in trials if kind == LOSSY)
    return lossy > goal.exceed_ratio * max(goal.duration_sum, sum(trial.duration for trial, _kind in trials))


def _short(trial: Trial) -> dict[str, Any]:
    if trial.verdict is None:
        return {"asked_pps": trial.asked_pps, "duration": trial.duration, "error": trial.why, **trial.kept}
    figures = asdict(dataclasses.replace(trial, kept={}))
    del figures["kept"], figures["why"]
    return {**figures, "reason": trial.why, **trial.kept}


def _result(settings: Settings, trials: Sequence[Trial], answer: Mapping[str, Any]) -> dict[str, Any]:
    tree = []
    for trial in trials:
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
                "reason": judged.why[:1].upper() + judged.why[1:] + "." if judged.why else "",
                **{name: trial.kept.get(name) for name in _KEPT},
            }
        )
    return {
        "search": settings.search,
        "library": _version(),
        "goals": [asdict(settings.goal)],
        "rate_tolerance": settings.rate_tolerance,
        "min_pps": settings.min_pps,
        "max_pps": settings.max_pps,
        **answer,
        "trial_seconds": sum(trial.seconds or 0.0 for trial in trials),
        "trials": tree,
    }
