# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result of the role throughput as a page. Pure.

What is unknown is a dash, with the reason in a note below the table.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    DASH,
    Cell,
    Chart,
    Page,
    Section,
    Series,
    Table,
    count,
    duration,
    is_number,
    mbps_figure,
    moment,
    number,
    one_line,
    path,
    percent,
    plain,
    pps_figure,
    rate_label,
    spread,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    KERNEL,
    NETMAP,
    UNQUOTABLE,
    VERDICT_LOOK,
    VERDICTS,
    Figure,
    Group,
    Groups,
    check_result,
    figure,
    gain,
    grouped,
    groups,
    rate_key,
    search_method,
    steps_of,
)

MAX_CHARTS = 48  # of a kind: a fleet's page must still open on a phone
MAX_LINES = 12  # of a method in one chart: more cannot be told apart
MAX_BARS = 48  # traffic in one chart
MAX_REASONS = 3

_RATES = (("pps", pps_figure), ("l1_mbps", mbps_figure), ("l2_mbps", mbps_figure))

# --- The page of one result ---


def result_page(value: Any) -> Page:
    """The report of one result."""
    result = check_result(value)
    found = groups(result)
    many_hosts = len({group.host for group in found} | set(result["hosts"])) > 1
    sections = [*_answer_sections(result, found, many_hosts)]
    sections += _chart_sections(result, found, many_hosts)
    sections += _setting_sections(result)
    return Page(
        title=result["name"] or "Throughput",
        passed=result["passed"],
        verdict=_verdict(result),
        asked=_asked(result, found),
        answers=[*_in_one_sentence(found), *map(str, result["notes"])],
        failures=[str(failure) for failure in result["failures"]],
        sections=sections,
    )


def _verdict(result: Mapping[str, Any]) -> str:
    unfinished = result.get("unfinished")
    if unfinished:
        return f"Unfinished: {unfinished['made']} of {unfinished['planned']} {unfinished['what']}"
    return "Passed" if result["passed"] else "Failed"


def _asked(result: Mapping[str, Any], found: Sequence[Group]) -> list[str]:
    trials = result["trials"]
    failed = [trial for trial in trials if trial["status"] != "ok"]
    methods = list(dict.fromkeys(group.asked_method for group in found))
    rates = list(dict.fromkeys(rate_label(group.rate) for group in found))
    settings = result.get("settings") if isinstance(result.get("settings"), Mapping) else {}
    seconds = path(settings, "duration")
    asked = [f"Traffic: {', '.join(str(entry['name']) for entry in result['traffic']) or DASH}."]
    if found:
        most = max(len(group.trials) for group in found)
        asked.append(
            f"Sent by {', '.join(methods)}, at {', '.join(rates)}, {count(most, 'repeat')}"
            + (f" of {duration(seconds)}" if is_number(seconds) else "")
            + f", from {', '.join(dict.fromkeys(group.host for group in found))}."
        )
    if result["searches"]:
        asked.append(
            f"{count(len(result['searches']), 'search').replace('searchs', 'searches')} for the largest rate within a"
            " loss goal."
        )
    steps = sum(len(entry.get("trials") or []) for entry in result["searches"])
    parts = (
        [count(len(trials), "trial") + (f", {len(failed)} of them failed" if failed else ", none failed")]
        if trials or not steps
        else []
    )
    parts += [count(steps, "search trial")] if steps else []
    sentence = f"{' and '.join(parts)}."
    took, sending = _difference(result.get("started"), result.get("ended")), result.get("trial_seconds")
    if took is not None:
        sentence += f" Begun {moment(result.get('started'))}, it took {duration(took)}"
        sentence += f", of which {duration(sending)} were trials." if is_number(sending) else "."
    asked.append(sentence)
    return asked


def _difference(begin: Any, end: Any) -> float | None:
    return end - begin if is_number(begin) and is_number(end) else None


def _in_one_sentence(found: Groups) -> list[str]:
    """What netmap brings, over all that was measured: only gains that nothing is to be said against."""
    gains = [(group, gain(group, _kernel_of(group, found))) for group in found if group.used_method == NETMAP]
    if not gains:
        return []
    clear = [(brought.ratio, group) for group, brought in gains if brought.ratio is not None and not brought.reason]
    if not clear:
        return ["What netmap brings over the kernel path cannot be told from this run; the notes below say why."]
    low, high = min(ratio for ratio, _dummy in clear), max(ratio for ratio, _dummy in clear)
    modes = " and ".join(dict.fromkeys(group.mode for _dummy, group in clear))
    ratios = " to ".join(dict.fromkeys((number(low, 2), number(high, 2))))
    sentence = f"netmap ({modes}) sent {ratios} times what the kernel path did"
    if len(clear) < len(gains):
        sentence += f", in {len(clear)} of {len(gains)} cases; the others do not tell, and the notes say why"
    return [f"{sentence}."]


def _brought_section(found: Groups, many_hosts: bool) -> Section:
    """What netmap brings, a line per traffic and rate, where it can be said."""
    section = Section("What netmap brings")
    columns = [
        "Traffic",
        *(["Host"] if many_hosts else []),
        "Asked",
        "Kernel path, pps",
        "netmap, pps",
        "netmap mode",
        "Gain",
    ]
    first = columns.index("Kernel path, pps")
    table = Table("What netmap brings", columns, numeric=(first, first + 1, first + 3))
    for group in found:
        if group.used_method != NETMAP:
            continue
        kernel = _kernel_of(group, found)
        row = [Cell(group.traffic), *([Cell(group.host)] if many_hosts else []), _asked_cell(table, group, share=False)]
        for side in (kernel, group):
            known = side.figure("rates", "pps") if side else figure(())
            why = _missing_reason(side) if side else "the kernel path was not tried at this rate"
            row.append(
                _figure_cell(
                    table, known, pps_figure, why, (), side is not None and side.verdict in UNQUOTABLE and bool(side.ok)
                )
            )
        row.append(Cell(group.mode) if group.ok else Cell(DASH, notes=(table.note(_missing_reason(group)),)))
        row.append(_gain_cell(table, group, found))
        table.rows.append(row)
    if table.rows:
        section.tables.append(table)
    else:
        section.text.append("No trial used netmap, so there is no gain over the kernel path to tell.")
    return section


def _kernel_of(group: Group, found: Groups) -> Group | None:
    same = [other for other in found.beside(group) if other.used_method in (KERNEL, "auto")]
    return next((other for other in same if other.ok), same[0] if same else None)


def _answer_sections(result: Mapping[str, Any], found: Groups, many_hosts: bool) -> list[Section]:
    made: list[Section] = []
    if result["criteria"]:
        table = Table("Criteria", ["Criterion", "Outcome", "Expression"])
        for entry in result["criteria"]:
            error, passed = entry.get("error"), entry.get("passed") is True
            outcome = (
                Cell("passed", look="good")
                if passed and not error
                else Cell("failed", detail=plain(error) if error else "", look="bad")
            )
            table.rows.append(
                [Cell(plain(entry.get("name"))), outcome, Cell(plain(entry.get("expression")), look="code")]
            )
        made.append(Section("Criteria", tables=[table]))
    if found:
        made.append(_brought_section(found, many_hosts))
    section = Section(
        "Rates",
        ["Each figure is the median over the repeats that did not fail, with the lowest and the highest below it."],
    )
    for name, rows in grouped(found, lambda group: group.traffic).items():
        section.tables.append(_rate_table(name, rows, found, many_hosts))
    if not found:
        section.text = ["There is no trial in this result."]
    if found or not result["searches"]:
        made.append(section)
    if many_hosts and result["fleet"]:
        made.append(_fleet_section(result))
    if result["searches"]:
        made.append(_search_section(result, many_hosts))
    return made


def _sizes(traffic: Mapping[str, Any]) -> str:
    parts = [
        f"{plain(traffic[key])} {words}"
        for key, words in (
            ("ip_size", "bytes of IP"),
            ("frame_size", "as a frame in the file"),
            ("wire_frame_size", "on the wire, with FCS"),
        )
        if is_number(traffic.get(key))
    ]
    return ", ".join(parts)


def _rate_table(name: str, rows: Sequence[Group], found: Groups, many_hosts: bool) -> Table:
    sizes = _sizes(rows[0].trials[0]["traffic"])
    columns = [
        "Method",
        *(["Host"] if many_hosts else []),
        "Asked",
        "Trials",
        "pps",
        "L1 Mbps",
        "L2 Mbps",
        "Line rate",
        "Loss",
        "Verdict",
        "Gain",
    ]
    first = columns.index("pps")
    table = Table(
        f"{name}" + (f" ({sizes})" if sizes else ""), columns, numeric=(*range(first - 1, first + 5), len(columns) - 1)
    )
    for group in rows:
        notes = _group_notes(table, group)
        unquotable = group.verdict in UNQUOTABLE and bool(group.ok)
        if unquotable:
            notes = (
                *notes,
                table.note(
                    f"{_mark(group, many_hosts)}: the verdict is {group.verdict}, so this rate is not to be quoted"
                ),
            )
        cells = [
            Cell(group.method),
            *([Cell(group.host)] if many_hosts else []),
            _asked_cell(table, group),
            _trials_cell(table, group, many_hosts),
        ]
        why = _missing_reason(group)
        for key, shown in _RATES:
            known = group.figure("rates", key)
            cells.append(_figure_cell(table, known, shown, why, notes if key == "pps" else (), unquotable))
        if group.ok and not group.figure("rates", "line_rate_percent").n:
            why = "this link has no line rate: its speed is not that of a line, or not known"
        cells.append(_figure_cell(table, group.figure("rates", "line_rate_percent"), percent, why, (), unquotable))
        cells.append(_loss_cell(table, group))
        cells.append(_verdict_cell(table, group))
        cells.append(_gain_cell(table, group, found))
        table.rows.append(cells)
    return table


def _mark(group: Group, many_hosts: bool) -> str:
    return f"{group.method}, {rate_label(group.rate)}" + (f", {group.host}" if many_hosts else "")


def _asked_cell(table: Table, group: Group, share: bool = True) -> Cell:
    detail, notes = "", []
    missed = [trial for trial in group.ok if _missed(trial)]
    if share and group.reached is not None and group.reached < REACHED:
        detail = _share(group.reached, group.capped)
    elif share and missed:
        # The median trial is none of them.
        least = min(missed, key=lambda trial: trial["run"]["rate_reached"])
        said = f"{len(missed)} of {count(len(group.ok), 'trial')} missed the rate asked for: {_missed(least)}"
        notes.append(table.note(f"{_mark(group, True)}: {said} in trial {plain(least['number'])}"))
    if not group.capped:
        return Cell(rate_label(group.rate), detail=detail, notes=tuple(notes))
    notes.append(table.note("capped: more was asked for than the line takes, and the line's rate was sent for"))
    return Cell(f"{rate_label(group.rate)}, capped", detail=detail, notes=tuple(notes))


def _share(reached: float, capped: bool) -> str:
    of = "the line's" if capped else "it"
    return f"{percent(reached * 100)} of {of} sent"


def _missed(trial: Mapping[str, Any]) -> str:
    """How much of the rate asked for a trial sent, where it missed it; else empty."""
    reached = path(trial, "run", "rate_reached")
    return _share(reached, path(trial, "run", "capped") is True) if is_number(reached) and reached < REACHED else ""


def _group_notes(table: Table, group: Group) -> tuple[int, ...]:
    notes: list[int] = []
    for trial in group.ok:
        ended = path(trial, "run", "ended_by")
        if ended in ("timeout", "user", "error"):
            notes.append(table.note(f"trial {plain(trial.get('number'))} was ended by {ended}"))
    return tuple(dict.fromkeys(notes))


def _missing_reason(group: Group) -> str:
    if not group.ok:
        return "no figure: each trial failed"
    return "no figure: the run did not tell its rate"


def _trials_cell(table: Table, group: Group, many_hosts: bool) -> Cell:
    if not group.failed:
        return Cell(str(len(group.trials)))
    by_reason: dict[str, list[str]] = {}
    for trial in group.failed:
        by_reason.setdefault(one_line(plain(trial.get("error"))), []).append(plain(trial.get("number")))
    notes = tuple(
        table.note(f"trial {', '.join(numbers)} ({_mark(group, many_hosts)}) failed: {reason}")
        for reason, numbers in by_reason.items()
    )
    text = "failed" if not group.ok else f"{len(group.ok)} of {len(group.trials)}"
    return Cell(
        text,
        detail=f"{len(group.failed)} of {len(group.trials)}" if not group.ok else f"{len(group.failed)} failed",
        notes=notes,
        look="bad",
    )


def _figure_cell(
    table: Table, found: Figure, shown: Any, why: str, notes: tuple[int, ...] = (), unquotable: bool = False
) -> Cell:
    if found.median is None:
        return Cell(DASH, notes=(table.note(why), *notes))
    return Cell(
        shown(found.median),
        detail=spread(found.low, found.high, shown),
        notes=notes,
        look="unquotable" if unquotable else "",
    )


def _reasons(group: Group, names: tuple[str, ...]) -> list[str]:
    found = []
    for trial in group.ok:
        reason = path(trial, "counters", "reason")
        if path(trial, "counters", "verdict") in names and reason:
            found.append(one_line(str(reason)))
    return list(dict.fromkeys(found))


def _loss_cell(table: Table, group: Group) -> Cell:
    ratios = group.figure("counters", "loss_ratio")
    if not group.ok:
        return Cell(DASH, notes=(table.note(_missing_reason(group)),))
    if not ratios.n:
        if all(path(trial, "counters", "rx") is None for trial in group.ok):
            why = "loss is not known: nothing counted what arrived"
        elif all(path(trial, "counters", "tx") is None for trial in group.ok):
            why = "loss is not known: nothing counted what left the device"
        else:
            why = "loss is not known: " + ("; ".join(_reasons(group, VERDICTS)[:1]) or "the counters do not tell")
        return Cell(DASH, notes=(table.note(why),))

    def shown(ratio: Any) -> str:
        return percent(ratio * 100)

    notes = []
    if ratios.n < len(group.ok):
        notes.append(table.note(f"the loss of {ratios.n} of {count(len(group.ok), 'trial')} is known"))
    dropped = [path(trial, "counters", "rx", "host_drops") for trial in group.ok]
    total = sum(value for value in dropped if is_number(value))
    if total:
        notes.append(
            table.note(f"the receiving host itself dropped {number(total)} frames, which is no loss of the device")
        )
    # More arrived than was sent is possible where the two are read at two moments; it is shown as it is.
    return Cell(
        shown(ratios.median),
        detail=spread(ratios.low, ratios.high, shown),
        notes=tuple(notes),
        look="warn" if ratios.high and ratios.high > 0 else "",
    )


def _verdict_cell(table: Table, group: Group) -> Cell:
    if not group.ok:
        return Cell(DASH, notes=(table.note(_missing_reason(group)),))
    verdict = group.verdict
    same = [trial for trial in group.ok if (path(trial, "counters", "verdict") or "unknown") == verdict]
    reasons = _reasons(group, tuple(name for name in VERDICTS if name != "consistent"))
    notes = [table.note(reason) for reason in reasons[:MAX_REASONS]]
    if len(reasons) > MAX_REASONS:
        notes.append(table.note("more reasons of that kind stand at the trials"))
    if verdict == "unknown" and not reasons:
        notes.append(table.note("no counters were read"))
    detail = f"{len(same)} of {len(group.ok)}" if len(same) < len(group.ok) else ""
    return Cell(verdict, detail=detail, notes=tuple(notes), look=VERDICT_LOOK.get(verdict, ""))


def _gain_cell(table: Table, group: Group, found: Groups) -> Cell:
    if group.used_method in (KERNEL, "auto"):
        if any(other.used_method not in (KERNEL, "auto") for other in found.beside(group)):
            return Cell("reference")
        return Cell(DASH, notes=(table.note("no gain: nothing but the kernel path was tried at this rate"),))
    brought = gain(group, _kernel_of(group, found))
    notes = (table.note(brought.reason),) if brought.reason else ()
    if brought.ratio is None:
        return Cell(DASH, notes=notes)
    return Cell(f"{number(brought.ratio, 2)} \N{MULTIPLICATION SIGN}", notes=notes)


def _fleet_section(result: Mapping[str, Any]) -> Section:
    table = Table(
        "Totals over the hosts that were started together",
        ["Traffic", "Method", "Asked", "Hosts", "Repeats", "pps", "L1 Mbps", "L2 Mbps", "Loss", "Started within"],
        numeric=(3, 4, 5, 6, 7, 8, 9),
    )
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in result["fleet"]:
        traffic = path(entry, "traffic", "name") or entry.get("traffic")
        found.setdefault(
            (plain(traffic), plain(entry.get("injection_method")), rate_key(entry.get("rate"))), []
        ).append(entry)
    for (traffic, method, _dummy), entries in found.items():
        sizes = figure(len(entry["hosts"]) if isinstance(entry.get("hosts"), list) else None for entry in entries)
        cells = [
            Cell(traffic),
            Cell(method),
            Cell(rate_label(entries[0].get("rate"))),
            Cell(number(sizes.median), detail=spread(sizes.low, sizes.high, number)),
        ]
        cells.append(Cell(str(len(entries))))
        for key, shown in _RATES:
            known = figure(entry.get(key) for entry in entries)
            cells.append(_figure_cell(table, known, shown, "no total: a host's rate is missing"))
        loss = figure(entry.get("loss_ratio") for entry in entries)
        cells.append(
            _figure_cell(table, loss, lambda ratio: percent(ratio * 100), "no total: the loss of a host is not known")
        )
        starts = figure(entry.get("start_spread_seconds") for entry in entries)
        cells.append(_figure_cell(table, starts, lambda value: f"{number(value, 3)} s", "the starts are not known"))
        table.rows.append(cells)
    return Section("The fleet", ["Sums over hosts, each the median over the repeats."], [table])


def _goal(entry: Mapping[str, Any]) -> str:
    goals = entry.get("goals")
    ratios = [path(goal, "loss_ratio") for goal in goals] if isinstance(goals, list) else []
    return ", ".join(percent(ratio * 100) for ratio in ratios if is_number(ratio)) or DASH


def _search_where(entry: Mapping[str, Any], many_hosts: bool) -> str:
    traffic = path(entry, "traffic", "name")
    return f"{plain(traffic)}, {plain(entry.get('injection_method'))}" + (
        f", {plain(entry.get('host'))}" if many_hosts else ""
    )


# What a trial of a search is: within its goal, beyond it, or no evidence of either.
MET, MISSED, NO_PROOF = "goal met", "goal missed", "no proof"
_STEP_WORDS = {MET: "met the goal", MISSED: "missed it", NO_PROOF: "proved nothing"}
# What a search was stopped by. A generator's limit says nothing of the device.
_LIMITS = {"device": "the device's limit", "generator": "the generator's limit", "max_pps": "the most that was asked"}
# Why there is no rate that did not meet the goal.
_NO_UPPER = {
    "max_pps": "no rate above max_pps was tried",
    "generator": "the generator could not send a rate that was too much",
}


def _found_cell(
    table: Table, found: Any, why: str, reasons: Mapping[str, str], key: str, shown: Callable[[Any], str]
) -> Cell:
    value = path(found, key)
    if value is None:
        return Cell(DASH, notes=(table.note(why if found is None else reasons.get(key) or "the search did not tell"),))
    return Cell(shown(value))


def _lost_there_cell(table: Table, entry: Mapping[str, Any], cell: Callable[[str, Any], Cell]) -> Cell:
    """What the trials at the rate found lost, and how many of them."""
    there = path(entry, "found", "at_rate")
    ratio = path(there, "loss_ratio")
    if not is_number(ratio):
        return Cell(DASH, notes=(table.note("not in the result"),)) if path(entry, "found") else cell("at_rate", str)
    return Cell(
        percent(ratio * 100), detail=f"in {number(path(there, 'with_loss'))} of {count(path(there, 'trials'), 'trial')}"
    )


def step_outcome(trial: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Whether a trial of a search met its goal; or that it proves nothing."""
    ratio, goals = path(trial, "loss_ratio"), entry.get("goals")
    if path(trial, "valid") is False or not is_number(ratio):
        return NO_PROOF
    allowed = path(goals[0], "loss_ratio") if isinstance(goals, list) and goals else 0.0
    return MET if ratio <= (allowed if is_number(allowed) else 0.0) else MISSED


def _search_section(result: Mapping[str, Any], many_hosts: bool) -> Section:
    table = Table(
        "The largest rate within the loss goal",
        [
            "Traffic",
            *(["Host"] if many_hosts else []),
            "Method",
            "Search",
            "Loss goal",
            "Found pps",
            "Lost there",
            "Not above",
            "L1 Mbps",
            "L2 Mbps",
            "Line rate",
            "Trials",
        ],
    )
    first = table.columns.index("Loss goal")
    table.numeric = tuple(range(first, len(table.columns)))
    for entry in result["searches"]:
        status = plain(entry.get("status"))
        why = f"{_search_where(entry, many_hosts)}: {status.replace('_', ' ')}" + (
            f": {one_line(str(entry['reason']))}" if entry.get("reason") else ""
        )
        trials = [trial for trial in entry.get("trials") or [] if isinstance(trial, dict)]
        invalid = [trial for trial in trials if trial.get("valid") is False]
        notes = (table.note(why),) if status != "found" or entry.get("reason") else ()

        reasons = {
            "line_rate_percent": "this link has no line rate",
            "upper_pps": _NO_UPPER.get(str(entry.get("limited_by")), ""),
        }
        cell = partial(_found_cell, table, entry.get("found"), why, reasons)
        lower = cell("lower_pps", pps_figure)
        table.rows.append(
            [
                Cell(plain(path(entry, "traffic", "name"))),
                *([Cell(plain(entry.get("host")))] if many_hosts else []),
                Cell(search_method(entry)),
                Cell(
                    plain(entry.get("search")),
                    detail=status.replace("_", " ") if status != "found" else "",
                    look="bad" if status != "found" else "",
                ),
                Cell(_goal(entry)),
                Cell(
                    lower.text,
                    detail=_LIMITS.get(str(entry.get("limited_by")), ""),
                    notes=tuple(dict.fromkeys((*lower.notes, *notes))),
                ),
                _lost_there_cell(table, entry, cell),
                cell("upper_pps", pps_figure),
                cell("l1_mbps", mbps_figure),
                cell("l2_mbps", mbps_figure),
                cell("line_rate_percent", percent),
                Cell(str(len(trials)), detail=f"{len(invalid)} no proof" if invalid else ""),
            ]
        )
    libraries = list(dict.fromkeys(str(entry["library"]) for entry in result["searches"] if entry.get("library")))
    text = [
        "The rate found met the loss goal; what the trials at that rate lost all the same stands beside it. "
        "Not above is the lowest rate that failed the goal."
    ]
    if libraries:
        text.append(f"Searched with {', '.join(libraries)}.")
    text.append("A trial that could not send what was asked is no proof of loss, and no proof that there is none.")
    return Section("Search", text, [table])


# --- Charts ---


def _chart_sections(result: Mapping[str, Any], found: Sequence[Group], many_hosts: bool) -> list[Section]:
    made: list[Section] = []
    labels = list(dict.fromkeys(group.method for group in found))
    bars, left = _bar_charts(found, labels, many_hosts)
    if bars:
        lined = any(chart.levels for chart in bars)
        text = (
            "Medians in L1 Mbps, which count the whole of what a frame takes of the line; the thin mark spans lowest to"
            " highest."
        )
        text += (
            " The dashed line is the line rate."
            if lined
            else " There is no line rate to draw: no link here is a line of known speed."
        )
        made.append(Section("Rate by traffic", [text, *left_out(left)], charts=bars))
    lines, left = _rate_charts(found, labels, many_hosts)
    if lines:
        section = Section(
            "Rate over time",
            [
                (
                    "Each line is a trial, each point the rate since the point before it, not the mean since the start:"
                    " so unsteadiness shows."
                ),
                *left_out(left),
            ],
            charts=lines,
        )
        made.append(section)
    elif found:
        made.append(
            Section(
                "Rate over time",
                ["No trial has two samples or more, so there is nothing to draw. See stats_interval and duration."],
            )
        )
    steps = [chart for chart in (_search_chart(entry, many_hosts) for entry in result["searches"]) if chart]
    if steps:
        text = "Each mark is a trial at the rate asked for, in the order tried."
        made.append(Section("Search steps", [text, *left_out(len(steps) - MAX_CHARTS)], charts=steps[:MAX_CHARTS]))
    return made


def left_out(left: int) -> list[str]:
    """A sentence on charts that are not drawn, if there are any."""
    return [f"Only the first {MAX_CHARTS} charts are drawn, {left} are left out."] if left > 0 else []


def _bar_charts(found: Sequence[Group], labels: Sequence[str], many_hosts: bool) -> tuple[list[Chart], int]:
    made = []
    for (host, _dummy), here in grouped(found, lambda group: (group.host, rate_key(group.rate))).items():
        # A rate that is not to be quoted is not drawn as if it were one.
        drawn = [
            group
            for group in here
            if group.ok and group.verdict not in UNQUOTABLE and group.figure("rates", "l1_mbps").n
        ]
        if not drawn:
            continue
        every = list(dict.fromkeys(group.traffic for group in here))
        names = tuple(every[:MAX_BARS])
        series = []
        words = []
        for label, of_method in grouped(drawn, lambda group: group.method).items():
            points: list[Any] = []
            by_traffic = {group.traffic: group for group in reversed(of_method)}
            for name in names:
                group = by_traffic.get(name)
                known = group.figure("rates", "l1_mbps") if group else figure(())
                points.append(None if known.median is None else (known.median, known.low, known.high))
            series.append(Series(label, labels.index(label), tuple(points)))
            told = [f"{name} {mbps_figure(point[0])}" for name, point in zip(names, points) if point]
            if told:
                words.append(f"{label}: {', '.join(told)}")
        speeds = sorted({group.link_speed for group in here if group.link_speed})
        levels = tuple((f"line rate {number(speed)} Mbps", speed) for speed in speeds)
        title = f"L1 Mbps at {rate_label(here[0].rate)}" + (f", {host}" if many_hosts else "")
        hidden = sorted({group.method for group in here} - {group.method for group in drawn})
        if len(every) > MAX_BARS:
            words.append(f"only the first {MAX_BARS} of {len(every)} are drawn")
        text = f"{'; '.join(words)}." + (f" Not drawn, see the tables: {', '.join(hidden)}." if hidden else "")
        made.append(Chart("bars", title, text, "", "L1 Mbps", tuple(series), names, levels))
    return made[:MAX_CHARTS], len(made) - MAX_CHARTS


def _rate_charts(found: Sequence[Group], labels: Sequence[str], many_hosts: bool) -> tuple[list[Chart], int]:
    made: list[Chart] = []
    for (traffic, host, _dummy), here in grouped(
        found, lambda group: (group.traffic, group.host, rate_key(group.rate))
    ).items():
        series = []
        words = []
        for group in here:
            intervals: list[float] = []
            lines = 0
            for trial in group.ok:
                steps = steps_of(trial)
                if not steps:
                    continue
                intervals += [pps for _dummy, _dummy, pps in steps]
                lines += 1
                if lines > MAX_LINES:
                    continue
                series.append(
                    Series(
                        group.method,
                        labels.index(group.method),
                        tuple(((begin + end) / 2, pps) for begin, end, pps in steps),
                    )
                )
            if intervals:
                mean = statistics.fmean(intervals)
                words.append(
                    f"{group.method}: {pps_figure(min(intervals))} to {pps_figure(max(intervals))} pps"
                    + (
                        f", standard deviation {percent(statistics.pstdev(intervals) / mean * 100)} of the mean"
                        if mean
                        else ""
                    )
                    + (f", in {lines} trials, of which the first {MAX_LINES} are drawn" if lines > MAX_LINES else "")
                )
        if not series:
            continue
        title = f"{traffic} at {rate_label(here[0].rate)}" + (f", {host}" if many_hosts else "")
        made.append(Chart("lines", title, "; ".join(words) + ".", "seconds", "pps", tuple(series)))
    return made[:MAX_CHARTS], len(made) - MAX_CHARTS


STEP_MET, STEP_MISSED, STEP_NO_PROOF = 2, 1, 3  # styles: green circle, orange, grey


def _search_chart(entry: Mapping[str, Any], many_hosts: bool) -> Chart | None:
    kept: dict[str, list[tuple[int, float]]] = {MET: [], MISSED: [], NO_PROOF: []}
    for index, trial in enumerate(entry.get("trials") or [], start=1):
        asked = path(trial, "asked_pps")
        if not is_number(asked):
            continue
        kept[step_outcome(trial, entry)].append((index, asked))
    if not any(kept.values()):
        return None
    styles = {MET: STEP_MET, MISSED: STEP_MISSED, NO_PROOF: STEP_NO_PROOF}
    series = tuple(Series(label, styles[label], tuple(points)) for label, points in kept.items() if points)
    lower, upper = path(entry, "found", "lower_pps"), path(entry, "found", "upper_pps")
    levels = []
    if is_number(lower):
        levels.append((f"found: {pps_figure(lower)} pps", lower))
    if is_number(upper) and upper != lower:
        levels.append((f"not above: {pps_figure(upper)} pps", upper))
    title = f"{plain(entry.get('search')).upper()} of {_search_where(entry, many_hosts)}"
    words = ", ".join(f"{count(len(points), 'trial')} {_STEP_WORDS[label]}" for label, points in kept.items() if points)
    text = (
        f"{words}; "
        + (
            ", ".join(label for label, _dummy in levels)
            if levels
            else f"{plain(entry.get('status')).replace('_', ' ')}"
        )
        + "."
    )
    return Chart("steps", title, text, "trial", "pps asked for", series, levels=tuple(levels))


# --- The setting ---


def _setting_sections(result: Mapping[str, Any]) -> list[Section]:
    made = [Section("The setting", tables=[*_host_tables(result["hosts"]), _traffic_table(result)])]
    streams = [entry for entry in result["traffic"] if entry.get("streams")]
    if streams:
        table = Table("Traffic specs", ["Traffic", "Streams"])
        table.rows = [[Cell(plain(entry["name"])), Cell(plain(entry["streams"]), look="code")] for entry in streams]
        made.append(Section("Traffic specs", tables=[table], folded=True))
    made.append(_settings_section(result))
    if result["trials"]:
        made.append(_trial_section(result))
    steps = [entry for entry in result["searches"] if entry.get("trials")]
    if steps:
        many_hosts = len({plain(entry.get("host")) for entry in steps}) > 1
        made.append(
            Section("Each search trial", tables=[_search_trials(entry, many_hosts) for entry in steps], folded=True)
        )
    return made


def host_settings(host: Mapping[str, Any]) -> dict[str, str]:
    """What is known of a host, in words."""

    def have(*names: str, none: str = DASH) -> str:
        value = path(host, *names)
        return none if value is None else plain(value)

    def sides(name: str) -> str:
        tree = path(host, "interface", name)
        return (
            f"tx {plain(tree.get('tx'))}, rx {plain(tree.get('rx'))}"
            if isinstance(tree, Mapping)
            else "the driver does not say"
        )

    speed = path(host, "interface", "link_speed_mbps")
    receiver = path(host, "receiver")
    tcpreplay, netmap = path(host, "tcpreplay") or {}, path(host, "netmap") or {}
    loaded = path(netmap, "loaded")
    clock, doubt = path(host, "clock", "offset_seconds"), path(host, "clock", "uncertainty_seconds")
    return {
        "Interface": have("interface", "name"),
        "Namespace": have("interface", "netns", none="none"),
        "Driver": have("interface", "driver"),
        "Bus": have("interface", "bus_info", none="none"),
        "Line": f"{number(speed)} Mbit/s" if is_number(speed) else "no line rate: not a line of known speed",
        "MTU": have("interface", "mtu"),
        "MAC address": have("interface", "mac_address"),
        "Ring sizes": sides("rings"),
        "Flow control": sides("pause"),
        "Receiver": _receiver(receiver),
        "Kernel": have("kernel"),
        "Distribution": have("distribution"),
        "CPU": f"{have('cpu', 'count')} \N{MULTIPLICATION SIGN} {have('cpu', 'model')}" if path(host, "cpu") else DASH,
        "Memory": f"{number(path(host, 'memory_mb'))} MB",
        "Virtualization": have("virtualization", none="none found"),
        "tuned profile": have("tuned_profile", none="none"),
        "tcpreplay pinned to CPU": have("cpu_list", none="not pinned"),
        "tcpreplay": f"{plain(path(tcpreplay, 'version'))}, {plain(path(tcpreplay, 'executable'))}",
        "tcpreplay has netmap": have("tcpreplay", "netmap", none="not known"),
        "netmap": (
            f"loaded, {have('netmap', 'mode', none='mode not known')}"
            if loaded
            else "not loaded"
            if loaded is False
            else DASH
        ),
        "netmap commit": have("netmap", "commit"),
        "Clock against the controller's": (
            f"{clock * 1000:+.2f} ms, ± {number(doubt * 1000 if is_number(doubt) else None, 2)} ms"
            if is_number(clock)
            else "not measured"
        ),
    }


def _receiver(receiver: Any) -> str:
    if not isinstance(receiver, Mapping):
        return "none: what arrived was not counted"
    where = plain(receiver.get("interface")) + (f" in {receiver['netns']}" if receiver.get("netns") else "")
    return f"{where} on {plain(receiver.get('host'))}, counted by {plain(receiver.get('counted_by'))}"


def _host_tables(hosts: Mapping[str, Any]) -> list[Table]:
    made = []
    names = list(hosts)
    for begin in range(0, len(names), 4):  # so many columns fit on paper
        part = names[begin : begin + 4]
        table = Table("Hosts", ["Setting", *part])
        known = [host_settings(hosts[name]) for name in part]
        for key in known[0]:
            table.rows.append(
                [Cell(key), *(Cell(settings[key], notes=_unsaid(table, settings[key])) for settings in known)]
            )
        made.append(table)
    return made


def _unsaid(table: Table, text: str) -> tuple[int, ...]:
    return (table.note("not in the result: it could not be read, or there is none"),) if DASH in text else ()


def _traffic_table(result: Mapping[str, Any]) -> Table:
    columns = ["Traffic", "IP bytes", "Frame", "Wire frame", "Frames", "Flows", "SHA-256 of the pcap", "Path"]
    table = Table("Traffic", columns, numeric=(1, 2, 3, 4, 5))
    for entry in result["traffic"]:
        cells = [Cell(plain(entry["name"]))]
        for key in ("ip_size", "frame_size", "wire_frame_size", "packets", "flows"):
            value = entry.get(key)
            text = number(value, 0 if not isinstance(value, float) or value.is_integer() else 1)
            reason = "not IP over Ethernet" if key == "ip_size" else "not known"
            cells.append(Cell(text, notes=(table.note(reason),) if text == DASH else ()))
        for key in ("sha256", "path"):
            text = plain(entry.get(key))
            cells.append(Cell(text, notes=(table.note("not known"),) if text == DASH else (), look="code"))
        table.rows.append(cells)
    return table


def _settings_section(result: Mapping[str, Any]) -> Section:
    table = Table("What the role was given, after its defaults", ["Setting", "Value"])
    settings = result.get("settings")
    rows = {
        "collection": result.get("collection_version"),
        "ansible-core": result.get("ansible_version"),
        **(settings if isinstance(settings, Mapping) else {}),
        "estimated time": (
            duration(result.get("estimated_seconds")) if is_number(result.get("estimated_seconds")) else None
        ),
    }
    table.rows = [[Cell(str(key)), Cell("none" if value is None else plain(value))] for key, value in rows.items()]
    return Section("Settings of the run", tables=[table], folded=True)


def _trial_section(result: Mapping[str, Any]) -> Section:
    columns = ["Trial", "Host", "Traffic", "Method", "Asked", "Repeat", "pps", "Loss", "Verdict", "Command"]
    table = Table("Each trial", columns, numeric=(6, 7))
    for trial in result["trials"]:
        ok = trial["status"] == "ok"
        verdict = path(trial, "counters", "verdict") or "unknown"
        reason = path(trial, "counters", "reason") if ok else trial.get("error")
        notes = (table.note(one_line(str(reason))),) if reason else ()
        mode = path(trial, "run", "netmap_mode")
        ratio = path(trial, "counters", "loss_ratio")
        command = path(trial, "run", "command")
        late = trial.get("start_delay_seconds")
        ended = path(trial, "run", "ended_by")
        why = "no figure: the trial failed" if not ok else "no figure: the run did not tell"
        uncounted = (
            "loss is not known: nothing counted what arrived"
            if path(trial, "counters", "rx") is None
            else "loss is not known: see the verdict"
        )
        asked = [words for words in ("capped" if path(trial, "run", "capped") is True else "", _missed(trial)) if words]
        pps, loss = pps_figure(path(trial, "rates", "pps")), percent(ratio * 100 if is_number(ratio) else None)
        table.rows.append(
            [
                Cell(plain(trial.get("number"))),
                Cell(plain(trial["host"])),
                Cell(plain(trial["traffic"]["name"])),
                Cell(
                    plain(path(trial, "run", "injection_method") or trial["injection_method"]),
                    detail=plain(mode) if mode else "",
                ),
                Cell(rate_label(trial["rate"]), detail=", ".join(asked)),
                Cell(plain(trial["repeat"]), detail=f"begun {late * 1000:+.0f} ms" if is_number(late) else ""),
                Cell(pps, notes=(table.note(why),) if pps == DASH else ()),
                Cell(loss, notes=(table.note(uncounted if ok else why),) if loss == DASH else ()),
                Cell(
                    verdict if ok else "failed",
                    detail=f"ended by {ended}" if ended else "",
                    notes=notes,
                    look=VERDICT_LOOK.get(verdict, "") if ok else "bad",
                ),
                Cell(command_line(command), notes=() if command else (table.note(why),), look="code"),
            ]
        )
    return Section("Each trial", tables=[table], folded=True)


def command_line(command: Any) -> str:
    """A command as a shell would take it."""
    if not isinstance(command, list):
        return plain(command)
    return " ".join(shlex.quote(str(word)) for word in command)


def _search_trials(entry: Mapping[str, Any], many_hosts: bool) -> Table:
    columns = ["Step", "Asked pps", "Sent pps", "Seconds", "Sent", "Lost", "Loss", "Outcome"]
    table = Table(
        f"{plain(entry.get('search')).upper()} of {_search_where(entry, many_hosts)}",
        columns,
        numeric=(1, 2, 3, 4, 5, 6),
    )
    for index, trial in enumerate(entry["trials"], start=1):
        ratio = path(trial, "loss_ratio")
        valid = path(trial, "valid")
        reason = path(trial, "reason")
        notes = (table.note(one_line(str(reason))),) if reason else ()
        known = is_number(ratio) and valid is not False
        outcome = step_outcome(trial, entry)
        why = "not in the result" if known else "no figure: see the outcome"

        def cell(text: str, why: str = why) -> Cell:
            return Cell(text, notes=(table.note(why),) if text == DASH else ())

        table.rows.append(
            [
                Cell(str(index)),
                cell(pps_figure(path(trial, "asked_pps"))),
                cell(pps_figure(path(trial, "pps"))),
                cell(number(path(trial, "seconds"), 2)),
                cell(number(path(trial, "sent"))),
                cell(number(path(trial, "lost"))),
                cell(percent(ratio * 100 if is_number(ratio) else None)),
                Cell(outcome, notes=notes, look={NO_PROOF: "warn", MISSED: "bad", MET: "good"}[outcome]),
            ]
        )
    return table
