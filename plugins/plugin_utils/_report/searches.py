# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches for the highest rate: results, trials, and a chart of the steps. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    NUMBER,
    TEXT,
    Cell,
    Chart,
    Column,
    Section,
    Series,
    Table,
    host_column,
    no_figure,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    as_text,
    count,
    dig,
    is_number,
    mbps_figure,
    number,
    one_line,
    percent,
    pps_figure,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rate_charts import MAX_CHARTS, left_out
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import engine_of, search_method

_Search = Mapping[str, Any]  # an entry of the result's searches

# The kinds of a search's trials: goal met, goal missed, or no evidence; with words and style (green circle, orange,
# grey).
MET, MISSED, NO_PROOF = "goal met", "goal missed", "no proof"
_STEPS = {MET: ("met the goal", 2, "good"), MISSED: ("missed it", 1, "bad"), NO_PROOF: ("proved nothing", 3, "warn")}
# What stopped a search. A generator's limit says nothing about the device.
_LIMITS = {"device": "the device's limit", "generator": "the generator's limit", "max_pps": "the highest rate allowed"}
# Why no rate missed the goal.
_NO_UPPER = {
    "max_pps": "no rate above max_pps was tried",
    "generator": "the generator could not send fast enough to reach the device's limit",
}


def search_section(searches: Sequence[_Search], many_hosts: bool) -> Section:
    """The result of each search."""

    def found_pps(entry: _Search) -> Cell:
        cell = found(entry, "lower_pps", pps_figure)
        notes = (why(entry),) if entry.get("status") != "found" or entry.get("reason") else ()
        return Cell(cell.text, _LIMITS.get(str(entry.get("limited_by")), ""), (*cell.notes, *notes))

    def why(entry: _Search) -> str:
        reason = f": {one_line(str(entry['reason']))}" if entry.get("reason") else ""
        return f"{_where(entry, many_hosts)}: {_status(entry)}{reason}"

    def found(entry: _Search, key: str, shown: Callable[[Any], str]) -> Cell:
        value = dig(entry, "found", key)
        if value is not None:
            return Cell(shown(value))
        if entry.get("found") is None:
            return no_figure(why(entry))
        reasons = {
            "line_rate_percent": "no line rate: a virtual link, or its speed is unknown",
            "upper_pps": _NO_UPPER.get(str(entry.get("limited_by")), ""),
        }
        return no_figure(reasons.get(key) or "the search does not say")

    def lost_there(entry: _Search) -> Cell:
        there = dig(entry, "found", "at_rate")
        if not is_number(dig(there, "loss_ratio")):
            return no_figure("not in the result" if entry.get("found") else why(entry))
        trials = f"in {number(dig(there, 'with_loss'))} of {count(dig(there, 'trials'), 'trial')}"
        return Cell(share(there["loss_ratio"]), trials)

    def kind(entry: _Search) -> Cell:
        name = as_text(entry.get("search"))
        return Cell(name) if entry.get("status") == "found" else Cell(name, _status(entry), look="bad")

    def trials(entry: _Search) -> Cell:
        steps = [trial for trial in entry.get("trials") or [] if isinstance(trial, dict)]
        invalid = sum(trial.get("valid") is False for trial in steps)
        return Cell(str(len(steps)), f"{invalid} no proof" if invalid else "")

    def engine(entry: _Search) -> Cell:
        return Cell(_engine(entry)) if _engine(entry) else no_figure("no engine: no trial names one")

    columns: list[Column[_Search]] = [
        Column("Traffic", TEXT, lambda entry: as_text(dig(entry, "traffic", "name"))),
        *host_column(many_hosts, lambda entry: as_text(entry.get("host"))),
        Column("Method", TEXT, search_method),
        *([Column("Engine", TEXT, engine)] if any(map(_engine, searches)) else []),
        Column("Search", TEXT, kind),
        Column("Loss goal", NUMBER, _goal),
        Column("Found pps", NUMBER, found_pps),
        Column("Lost there", NUMBER, lost_there),
        Column("Not above", NUMBER, lambda entry: found(entry, "upper_pps", pps_figure)),
        Column("L1 Mbps", NUMBER, lambda entry: found(entry, "l1_mbps", mbps_figure)),
        Column("L2 Mbps", NUMBER, lambda entry: found(entry, "l2_mbps", mbps_figure)),
        Column("Line rate", NUMBER, lambda entry: found(entry, "line_rate_percent", percent)),
        Column("Trials", NUMBER, trials),
    ]
    libraries = dict.fromkeys(str(entry["library"]) for entry in searches if entry.get("library"))
    text = [
        "Found met the loss goal. Lost there is what trials at that rate lost all the same. Not above is the lowest "
        "rate that failed.",
        *([f"Searched with {', '.join(libraries)}."] if libraries else []),
        "A trial that sent less than it was asked for proves nothing about the device's loss.",
    ]
    return Section("Search", text, [Table.of("The largest rate within the loss goal", columns, searches)])


def _engine(entry: _Search) -> str:
    """The modules that sent its trials."""
    return " and ".join(sorted({engine_of(trial) for trial in entry.get("trials") or []} - {""}))


def _status(entry: _Search) -> str:
    return as_text(entry.get("status")).replace("_", " ")


def _goal(entry: _Search) -> str:
    goals = entry.get("goals")
    ratios = [dig(goal, "loss_ratio") for goal in goals] if isinstance(goals, list) else []
    return ", ".join(share(ratio) for ratio in ratios if is_number(ratio)) or DASH


def _where(entry: _Search, many_hosts: bool) -> str:
    parts = [dig(entry, "traffic", "name"), entry.get("injection_method"), *([entry.get("host")] if many_hosts else [])]
    return ", ".join(as_text(part) for part in parts)


def _title(entry: _Search, many_hosts: bool) -> str:
    return f"{as_text(entry.get('search')).upper()} of {_where(entry, many_hosts)}"


def step_outcome(trial: Mapping[str, Any], entry: _Search) -> str:
    """Whether a trial of a search met the goal, missed it or proves nothing."""
    ratio, goals = dig(trial, "loss_ratio"), entry.get("goals")
    if dig(trial, "valid") is False or not is_number(ratio):
        return NO_PROOF
    allowed = dig(goals[0], "loss_ratio") if isinstance(goals, list) and goals else 0.0
    return MET if ratio <= (allowed if is_number(allowed) else 0.0) else MISSED


def search_trials(entry: _Search, many_hosts: bool) -> Table:
    """Each trial of a search."""

    def figure(shown: Callable[[Any], str], *names: str) -> Callable[[tuple[int, Any]], Cell]:
        def cell(step: tuple[int, Any]) -> Cell:
            _number, trial = step
            known = is_number(dig(trial, "loss_ratio")) and dig(trial, "valid") is not False
            text = shown(dig(trial, *names))
            why = "not in the result" if known else "no figure: see the outcome"
            return no_figure(why) if text == DASH else Cell(text)

        return cell

    def outcome(step: tuple[int, Any]) -> Cell:
        what, reason = step_outcome(step[1], entry), dig(step[1], "reason")
        return Cell(what, notes=(one_line(str(reason)),) if reason else (), look=_STEPS[what][2])

    columns: list[Column[tuple[int, Any]]] = [
        Column("Step", TEXT, lambda step: str(step[0])),
        Column("Asked pps", NUMBER, figure(pps_figure, "asked_pps")),
        Column("Sent pps", NUMBER, figure(pps_figure, "pps")),
        Column("Seconds", NUMBER, figure(lambda value: number(value, 2), "seconds")),
        Column("Sent", NUMBER, figure(number, "sent")),
        Column("Lost", NUMBER, figure(number, "lost")),
        Column("Loss", NUMBER, figure(share, "loss_ratio")),
        Column("Outcome", TEXT, outcome),
    ]
    return Table.of(_title(entry, many_hosts), columns, enumerate(entry["trials"], start=1))


def step_sections(searches: Sequence[_Search], many_hosts: bool) -> list[Section]:
    """The charts of the searches' steps, if any."""
    charts = [chart for chart in (_chart(entry, many_hosts) for entry in searches) if chart]
    text = ["Each mark is a trial at the rate asked for, in the order tried.", *left_out(len(charts) - MAX_CHARTS)]
    return [Section("Search steps", text, charts=charts[:MAX_CHARTS])] if charts else []


def _chart(entry: _Search, many_hosts: bool) -> Chart | None:
    kept: dict[str, list[tuple[int, float]]] = {outcome: [] for outcome in _STEPS}
    for index, trial in enumerate(entry.get("trials") or [], start=1):
        asked = dig(trial, "asked_pps")
        if is_number(asked):
            kept[step_outcome(trial, entry)].append((index, asked))
    if not any(kept.values()):
        return None
    series = tuple(Series(label, _STEPS[label][1], tuple(points)) for label, points in kept.items() if points)
    lower, upper = dig(entry, "found", "lower_pps"), dig(entry, "found", "upper_pps")
    levels = []
    if is_number(lower):
        levels.append((f"found: {pps_figure(lower)} pps", lower))
    if is_number(upper) and upper != lower:
        levels.append((f"not above: {pps_figure(upper)} pps", upper))
    words = ", ".join(f"{count(len(points), 'trial')} {_STEPS[label][0]}" for label, points in kept.items() if points)
    text = f"{words}; {', '.join(label for label, _pps in levels) or _status(entry)}."
    return Chart("steps", _title(entry, many_hosts), text, "trial", "pps asked for", series, levels=tuple(levels))
