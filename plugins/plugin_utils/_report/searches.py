# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches for the highest rate: results, trials, and a chart of the steps. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    NUMBER,
    TEXT,
    Cell,
    Chart,
    Column,
    Finding,
    Section,
    Series,
    Table,
    no_figure,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    as_text,
    bps_figure,
    count,
    dig,
    is_number,
    number,
    one_line,
    percent,
    pps_figure,
    scaled,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rate_charts import (
    MAX_CHARTS,
    OF_SIZES,
    left_out,
    size_chart,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    engine_of,
    grouped,
    search_method,
)

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


class _Step(NamedTuple):
    """A row of a search's trials: the figures are the trial's, or those of a host's part in it."""

    number: int
    trial: Any
    figures: Any
    host: str = ""


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

    def whose(entry: _Search) -> Cell:
        names = entry.get("hosts")
        return Cell(_whose(entry), notes=(f"{_whose(entry)}: {', '.join(names)}.",) if names else ())

    def together(entry: _Search) -> Cell:
        rate, factor = (dig(entry, "found", "aggregate", name) for name in ("lower_pps", "factor"))
        if not is_number(rate):
            return no_figure(why(entry) if entry.get("hosts") else "of one interface")
        return Cell(pps_figure(rate), f"{factor} x {pps_figure(dig(entry, 'found', 'lower_pps'))}")

    over = [entry for entry in searches if entry.get("hosts")]
    # The answer comes first: so much of the table is on a phone's screen.
    columns: list[Column[_Search]] = [
        Column("Traffic", TEXT, lambda entry: as_text(dig(entry, "traffic", "name"))),
        Column("Found pps", NUMBER, found_pps),
        Column("Not above", NUMBER, lambda entry: found(entry, "upper_pps", pps_figure)),
        *([Column("Host", TEXT, whose)] if over or many_hosts else []),
        *([Column("Together pps", NUMBER, together)] if over else []),
        Column("Method", TEXT, search_method),
        *([Column("Engine", TEXT, engine)] if any(map(_engine, searches)) else []),
        Column("Search", TEXT, kind),
        Column("Loss goal", NUMBER, _goal),
        Column("Lost there", NUMBER, lost_there),
        Column("L1", NUMBER, lambda entry: found(entry, "l1_mbps", bps_figure)),
        Column("L2", NUMBER, lambda entry: found(entry, "l2_mbps", bps_figure)),
        Column("Line rate", NUMBER, lambda entry: found(entry, "line_rate_percent", percent)),
        Column("Trials", NUMBER, trials),
    ]
    libraries = dict.fromkeys(str(entry["library"]) for entry in searches if entry.get("library"))
    text = [
        "Found met the loss goal. Lost there is what trials at that rate lost all the same. Not above is the lowest "
        "rate that failed.",
        *([f"Searched with {', '.join(libraries)}."] if libraries else []),
        "A trial that sent less than it was asked for proves nothing about the device's loss.",
        *([_OVER_ALL] if over else []),
    ]
    tables = [Table.of("The largest rate within the loss goal", columns, searches)]
    return Section("Search", text, [*tables, *_lost_by_host(over)])


_OVER_ALL = (
    "A search over several interfaces has one load for all. Its rates are those of each interface, and its loss is "
    "that of all frames. Together pps is the rate times the number of interfaces."
)


def _lost_by_host(searches: Sequence[_Search]) -> list[Table]:
    """What each host lost at the rate found by searches over several."""
    rows = [
        (entry, name, part)
        for entry in searches
        for name, part in (dig(entry, "found", "at_rate", "hosts") or {}).items()
    ]
    columns: list[Column[tuple[_Search, str, Any]]] = [
        Column("Search", TEXT, lambda row: _title(row[0], many_hosts=False)),
        Column("Host", TEXT, lambda row: row[1]),
        *(
            Column(heading, NUMBER, _part(shown, name))
            for heading, shown, name in (
                ("Sent", number, "sent"),
                ("Received", number, "received"),
                ("Lost", number, "lost"),
                ("Loss", share, "loss_ratio"),
            )
        ),
    ]
    return [Table.of("What each host lost at the rate found", columns, rows)] if rows else []


def _part(shown: Callable[[Any], str], name: str) -> Callable[[tuple[_Search, str, Any]], Cell]:
    def cell(row: tuple[_Search, str, Any]) -> Cell:
        text = shown(dig(row[2], name))
        return no_figure("not in the result") if text == DASH else Cell(text)

    return cell


def _engine(entry: _Search) -> str:
    """The modules that sent its trials."""
    return " and ".join(sorted({engine_of(trial) for trial in entry.get("trials") or []} - {""}))


def _status(entry: _Search) -> str:
    return as_text(entry.get("status")).replace("_", " ")


def _goal(entry: _Search) -> str:
    goals = entry.get("goals")
    ratios = [dig(goal, "loss_ratio") for goal in goals] if isinstance(goals, list) else []
    return ", ".join(share(ratio) for ratio in ratios if is_number(ratio)) or DASH


def _whose(entry: _Search) -> str:
    """The host that searched; of several with one load how many there are."""
    names = entry.get("hosts")
    return f"{count(len(names), 'interface')}, each" if names else as_text(entry.get("host"))


def _where(entry: _Search, many_hosts: bool) -> str:
    parts = [as_text(dig(entry, "traffic", "name")), as_text(entry.get("injection_method"))]
    return ", ".join([*parts, *([_whose(entry)] if many_hosts or entry.get("hosts") else [])])


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
    """Each trial of a search; of one over several hosts with a row for each host's part."""

    def figure(shown: Callable[[Any], str], *names: str) -> Callable[[_Step], Cell]:
        def cell(step: _Step) -> Cell:
            known = is_number(dig(step.figures, "loss_ratio")) and dig(step.trial, "valid") is not False
            text = shown(dig(step.figures, *names))
            why = "not in the result" if known else "no figure: see the outcome"
            return no_figure(why) if text == DASH else Cell(text)

        return cell

    def outcome(step: _Step) -> Cell:
        reason = dig(step.figures, "reason")
        notes = (one_line(str(reason)),) if reason else ()
        if step.host:
            return Cell(as_text(dig(step.figures, "verdict")), notes=notes)
        what = step_outcome(step.trial, entry)
        return Cell(what, notes=notes, look=_STEPS[what][2])

    steps = []
    for index, trial in enumerate(entry["trials"], start=1):
        steps.append(_Step(index, trial, trial))
        steps += [_Step(index, trial, part, name) for name, part in (dig(trial, "hosts") or {}).items()]
    over = bool(entry.get("hosts"))
    columns: list[Column[_Step]] = [
        Column("Step", TEXT, lambda step: str(step.number)),
        *([Column("Host", TEXT, lambda step: step.host or "all")] if over else []),
        Column("Asked pps", NUMBER, lambda step: figure(pps_figure, "asked_pps")(step._replace(figures=step.trial))),
        Column("Sent pps", NUMBER, figure(pps_figure, "pps")),
        Column("Seconds", NUMBER, figure(lambda value: number(value, 2), "seconds")),
        Column("Sent", NUMBER, figure(number, "sent")),
        *([Column("Received", NUMBER, figure(number, "received"))] if over else []),
        Column("Lost", NUMBER, figure(number, "lost")),
        Column("Loss", NUMBER, figure(share, "loss_ratio")),
        Column("Outcome", TEXT, outcome),
    ]
    return Table.of(_title(entry, many_hosts), columns, steps)


def found_in_short(searches: Sequence[_Search], many_hosts: bool) -> list[Finding]:
    """The rate that each search found, with its bound."""
    made = []
    for entry in searches:
        lower, upper = dig(entry, "found", "lower_pps"), dig(entry, "found", "upper_pps")
        what = f"{as_text(entry.get('search')).upper()} of {_where(entry, many_hosts)}"
        if not is_number(lower):
            why = f": {one_line(str(entry['reason']))}" if entry.get("reason") else ""
            made.append(Finding(DASH, what, f"{_status(entry)}{why}", "bad"))
            continue
        limit = _LIMITS.get(str(entry.get("limited_by")), "")
        above = f"not above {scaled(upper, 'pps')}" if is_number(upper) else "no rate above it missed the goal"
        line = dig(entry, "found", "line_rate_percent")
        said = [
            above + (f" ({limit})" if limit else ""),
            *_together(entry),
            *([f"{bps_figure(entry['found']['l1_mbps'])} L1"] if is_number(dig(entry, "found", "l1_mbps")) else []),
            *([f"{percent(line)} of the line"] if is_number(line) else []),
            f"loss goal {_goal(entry)}",
        ]
        made.append(Finding(scaled(lower, "pps"), what, ", ".join(said)))
    return made


def _together(entry: _Search) -> list[str]:
    rate, factor = (dig(entry, "found", "aggregate", name) for name in ("lower_pps", "factor"))
    return [f"together {scaled(rate, 'pps')} (factor {factor})"] if is_number(rate) else []


def step_sections(searches: Sequence[_Search], many_hosts: bool) -> list[Section]:
    """The charts of the searches' steps, if any."""
    charts = [chart for chart in (_chart(entry, many_hosts) for entry in searches) if chart]
    sizes = [chart for chart in _size_charts(searches, many_hosts) if chart]
    text = [
        "Each mark is a trial at the rate asked for, in the order tried: around the rate found, by whether it met the "
        "goal.",
        *left_out(len(charts) - MAX_CHARTS),
    ]
    return [
        *([Section("Rate found by frame size", [OF_SIZES], charts=sizes[:MAX_CHARTS])] if sizes else []),
        *([Section("Search steps", text, charts=charts[:MAX_CHARTS])] if charts else []),
    ]


def _size_charts(searches: Sequence[_Search], many_hosts: bool) -> Iterator[Chart | None]:
    """The rates found by frame size, a chart for each host."""
    for host, here in grouped(searches, lambda entry: as_text(entry.get("host"))).items():
        known: dict[str, dict[float, float]] = {}
        speeds = []
        for entry in here:
            size, pps = dig(entry, "traffic", "wire_frame_size"), dig(entry, "found", "lower_pps")
            if not is_number(size) or not is_number(pps):
                continue
            label = f"{as_text(entry.get('search')).upper()}, {search_method(entry)}"
            known.setdefault(label, {})[size] = max(pps, known.get(label, {}).get(size, 0.0))
            percent_of, l1_mbps = dig(entry, "found", "line_rate_percent"), dig(entry, "found", "l1_mbps")
            if is_number(percent_of) and is_number(l1_mbps) and percent_of:
                speeds.append(round(l1_mbps / percent_of * 100))  # the link's own
        title = "pps found by frame size" + (f", {host}" if many_hosts else "")
        yield size_chart(title, known, max(speeds, default=None), list(known).index)


def _chart(entry: _Search, many_hosts: bool) -> Chart | None:
    """The steps of a search around its bounds; None if they only show what was asked for."""
    kept: dict[str, list[tuple[int, float]]] = {outcome: [] for outcome in _STEPS}
    for index, trial in enumerate(entry.get("trials") or [], start=1):
        asked = dig(trial, "asked_pps")
        if is_number(asked):
            kept[step_outcome(trial, entry)].append((index, asked))
    if len({pps for label in (MET, MISSED) for _index, pps in kept[label]}) < 2:
        return None
    lower, upper = dig(entry, "found", "lower_pps"), dig(entry, "found", "upper_pps")
    bounds = [value for value in (lower, upper) if is_number(value)]
    window = _window(bounds, [pps for label in (MET, MISSED) for _index, pps in kept[label]])
    words = ", ".join(f"{count(len(points), 'trial')} {_STEPS[label][0]}" for label, points in kept.items() if points)
    series, outside = [], []
    for label, points in kept.items():
        inside = tuple(point for point in points if window is None or window[0] <= point[1] <= window[1])
        outside += [pps for _index, pps in points if window is not None and not window[0] <= pps <= window[1]]
        if inside:
            series.append(Series(label, _STEPS[label][1], inside))
    # The higher one first: its label is above its line, that of the lower one below.
    levels = [(f"not above: {pps_figure(upper)} pps", upper)] if is_number(upper) and upper != lower else []
    levels += [(f"found: {pps_figure(lower)} pps", lower)] if is_number(lower) else []
    text = f"{words}; {', '.join(label for label, _pps in levels) or _status(entry)}."
    if outside:
        far = ", ".join(scaled(pps, "pps", 3) for pps in sorted(set(outside), reverse=True))
        text += f" Too far off to be drawn: {far}."
    title = _title(entry, many_hosts)
    return Chart("steps", title, text, "trial", "pps asked for", tuple(series), levels=tuple(levels), window=window)


def _window(bounds: Sequence[float], tried: Sequence[float]) -> tuple[float, float] | None:
    """So much around the bounds as shows them apart: ten times their distance to each side, but two trials at least,
    if there are two."""
    if not bounds:
        return None
    low, high = min(bounds), max(bounds)
    near = sorted(max(low - pps, pps - high, 0.0) for pps in tried)
    around = max(10 * (high - low), 0.01 * high, near[min(len(near), 2) - 1] * 1.05)
    return max(0.0, low - around), high + around
