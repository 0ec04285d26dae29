# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of rates: sent and lost, each method's gain, and a fleet's totals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    NUMBER,
    TEXT,
    Cell,
    Column,
    Section,
    Table,
    host_column,
    no_figure,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    TIMES,
    as_text,
    bps_figure,
    count,
    dig,
    is_number,
    low_to_high,
    number,
    one_line,
    percent,
    pps_figure,
    rate_label,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    KERNEL,
    VERDICT_LOOK,
    VERDICTS,
    Figure,
    Group,
    Groups,
    figure,
    gain,
    grouped,
    method_label,
    rate_key,
)

MAX_REASONS = 3
_Directions = Mapping[str, Group]  # of one pair, traffic, method and rate

_UNITS = (("pps", "pps", pps_figure), ("L1", "l1_mbps", bps_figure), ("L2", "l2_mbps", bps_figure))


def rate_sections(result: Mapping[str, Any], found: Groups, many_hosts: bool) -> list[Section]:
    """The measurements: each method against the kernel path, each group's rates, and the fleet's."""
    sections = [_gain_section(found, many_hosts)] if found else []
    by_traffic = grouped(found, lambda group: group.traffic)
    tables = [_rate_table(name, rows, found, many_hosts) for name, rows in by_traffic.items()]
    if found:
        text = "Each figure is the median of the repeats that did not fail. Below it: the lowest and the highest."
        sections.append(Section("Rates", [text], tables))
    elif not result["searches"]:
        sections.append(Section("Rates", ["This result has no trials."]))
    sections += _direction_sections(found)
    if many_hosts and result["fleet"]:
        sections.append(_fleet_section(result["fleet"]))
    return sections


# --- Each method against the kernel path ---


def gains_in_sentences(found: Groups) -> list[str]:
    """Each method's gain over the whole result, from sound comparisons only."""
    by_method = grouped(_others(found), lambda group: group.used_method)
    return [_gain_sentence(groups, found) for groups in by_method.values()]


def _others(found: Groups) -> list[Group]:
    """The groups that are compared with the kernel path."""
    return [group for group in found if group.used_method not in (KERNEL, "auto")]


def _gain_sentence(groups: Sequence[Group], found: Groups) -> str:
    name = method_label("", groups[0].used_method, "")
    clear = []
    for group in groups:
        brought = gain(group, kernel := _kernel_of(group, found))
        if brought.ratio is not None and not brought.reason:
            clear.append((group, brought, _gain_of_a_worker(group, kernel)))
    if not clear:
        return f"This run allows no comparison of {name} with the kernel path (see notes)."
    modes = " and ".join(dict.fromkeys(group.mode for group, _brought, _each in clear))
    ends = [end for _group, brought, _each in clear for end in (brought.low, brought.high) if end is not None]
    sentence = f"{name} ({modes}) sent {_from_to(ends)} times what the kernel path did"
    each = [ratio for _group, _brought, ratio in clear if ratio is not None]
    if each:
        sentence += f" ({_from_to(each)} times per worker)"
    rest = len(groups) - len(clear)
    if rest:
        verb = "allows" if rest == 1 else "allow"
        sentence += f", in {len(clear)} of {len(groups)} cases. The other {rest} {verb} no comparison (see notes)"
    return f"{sentence}."


def _from_to(ratios: Iterable[float]) -> str:
    known = sorted(ratios)
    return " to ".join(dict.fromkeys((_times(known[0]), _times(known[-1]))))


def _times(ratio: float) -> str:
    """A gain with two digits: the repeats of a rate do not allow more."""
    return number(ratio, 2 if ratio < 0.995 else 1 if ratio < 9.95 else 0)


def _kernel_of(group: Group, found: Groups) -> Group | None:
    same = [other for other in found.beside(group) if other.used_method in (KERNEL, "auto")]
    return next((other for other in same if other.ok), same[0] if same else None)


def _gain_of_a_worker(group: Group, kernel: Group | None) -> float | None:
    """The gain of one worker, which has a core, where the two sides had different numbers of them."""
    if kernel is None or not group.at_top_speed or group.workers == kernel.workers:
        return None
    mine, other = group.pps_of_a_worker.median, kernel.pps_of_a_worker.median
    return mine / other if mine and other else None


def _gain_section(found: Groups, many_hosts: bool) -> Section:
    """The gains, a line for each traffic, rate and method that is compared with the kernel path."""
    title, rows = "What each method brings", _others(found)
    if not rows:
        return Section(title, ["Only the kernel path was tested, so there is nothing to compare it with."])

    def kernel_pps(group: Group) -> Cell:
        kernel = _kernel_of(group, found)
        if kernel is None:
            return no_figure("the kernel path was not tried at this rate")
        return _rate_cell("pps", pps_figure, kernel)

    def of_a_worker(group: Group) -> Cell:
        ratio = _gain_of_a_worker(group, _kernel_of(group, found)) if _gain_cell(found, group).text != DASH else None
        if ratio is None:
            return no_figure("not per worker: see Gain, or the rate was asked for, or both had as many workers")
        return Cell(f"{_times(ratio)} {TIMES}")

    each = any(_gain_of_a_worker(group, _kernel_of(group, found)) is not None for group in rows)
    # The answer comes first: so much of the table is on a phone's screen.
    columns = [
        Column("Traffic", TEXT, lambda group: group.traffic),
        Column("Gain", NUMBER, partial(_gain_cell, found)),
        *([Column("Gain per worker", NUMBER, of_a_worker)] if each else []),
        Column("Method", TEXT, lambda group: group.method),
        *host_column(many_hosts, lambda group: group.host),
        Column("Asked", TEXT, partial(_asked_cell, shares=False)),
        Column("pps", NUMBER, partial(_rate_cell, "pps", pps_figure)),
        Column("Kernel path, pps", NUMBER, kernel_pps),
        *_engine_column(rows),
    ]
    return Section(title, tables=[Table.of(title, columns, rows)])


def _gain_cell(found: Groups, group: Group) -> Cell:
    if group.used_method in (KERNEL, "auto"):
        if any(other.used_method not in (KERNEL, "auto") for other in found.beside(group)):
            return Cell("reference")
        return no_figure("no gain: only the kernel path was tried at this rate")
    brought = gain(group, _kernel_of(group, found))
    ends = [end for end in (brought.low, brought.high) if end is not None]
    text = f"{_from_to(ends)} {TIMES}" if ends else DASH
    return Cell(text, notes=(brought.reason,) if brought.reason else ())


# --- Each group ---


def _rate_table(name: str, rows: Sequence[Group], found: Groups, many_hosts: bool) -> Table:
    def pps(group: Group) -> Cell:
        notes = list(dict.fromkeys(_ended_early(group)))
        if not group.quotable:
            notes.append(f"{_mark(group, many_hosts)}: do not quote this rate, its verdict is {group.verdict}")
        return _rate_cell("pps", pps_figure, group, *notes)

    columns = [
        Column("Method", TEXT, lambda group: group.method),
        Column("pps", NUMBER, pps),
        Column("Loss", NUMBER, _loss_cell),
        Column("Gain", NUMBER, partial(_gain_cell, found)),
        *host_column(many_hosts, lambda group: group.host),
        Column("Asked", TEXT, _asked_cell),
        Column("Trials", NUMBER, partial(_trials_cell, many_hosts)),
        *([Column("pps per worker", NUMBER, _worker_cell)] if _several_workers(rows) else []),
        Column("L1", NUMBER, partial(_rate_cell, "l1_mbps", bps_figure)),
        Column("L2", NUMBER, partial(_rate_cell, "l2_mbps", bps_figure)),
        Column("Line rate", NUMBER, _line_rate_cell),
        Column("Verdict", TEXT, _verdict_cell),
        *_engine_column(rows),
    ]
    sizes = _sizes(rows[0].trials[0]["traffic"])
    return Table.of(f"{name} ({sizes})" if sizes else name, columns, rows)


def _engine_column(rows: Sequence[Group]) -> list[Column[Group]]:
    """The engine, where a run names one."""
    return [Column("Engine", TEXT, _engine_cell)] if any(group.engine for group in rows) else []


def _engine_cell(group: Group) -> Cell:
    if not group.engine:
        return no_figure("no engine: no run of it names one")
    several = group.workers if group.workers != [1] else []
    detail = " and ".join(count(workers, "worker") for workers in several)
    return Cell(group.engine, detail)


def _several_workers(rows: Sequence[Group]) -> bool:
    """Whether a rate says what one of several workers can do. That of a single one is the rate itself."""
    fast = [group for group in rows if group.at_top_speed]
    return any(workers > 1 for group in fast for workers in group.workers)


def _worker_cell(group: Group) -> Cell:
    if not group.ok:
        return no_figure(_why_no_rate(group))
    if not group.at_top_speed:
        return no_figure("not per worker: the rate was asked for, and is not what a core can do")
    look = "" if group.quotable else "unquotable"
    return _figure_cell(group.pps_of_a_worker, pps_figure, "not per worker: no run tells its workers", look=look)


def _sizes(traffic: Mapping[str, Any]) -> str:
    words = {
        "ip_size": "bytes of IP",
        "frame_size": "as a frame in the file",
        "wire_frame_size": "on the wire, with FCS",
    }
    return ", ".join(f"{as_text(traffic[key])} {what}" for key, what in words.items() if is_number(traffic.get(key)))


def _mark(group: Group, many_hosts: bool) -> str:
    return f"{group.method}, {rate_label(group.rate)}" + (f", {group.host}" if many_hosts else "")


def _asked_cell(group: Group, shares: bool = True) -> Cell:
    detail, notes = "", []
    missed = [trial for trial in group.ok if missed_rate(trial)]
    if shares and group.reached is not None and group.reached < REACHED:
        detail = _sent_of(group.reached, group.capped)
    elif shares and missed:
        # None of them is the median trial.
        least = min(missed, key=lambda trial: trial["run"]["rate_reached"])
        said = f"{len(missed)} of {count(len(group.ok), 'trial')} missed the rate asked for: {missed_rate(least)}"
        notes.append(f"{_mark(group, True)}: {said} in trial {as_text(least['number'])}")
    if group.capped:
        notes.append("capped: the rate asked for is above the line rate, so the frames were sent at line rate")
    return Cell(rate_label(group.rate) + (", capped" if group.capped else ""), detail, tuple(notes))


def _sent_of(reached: float, capped: bool) -> str:
    return f"{share(reached)} of {'the line rate' if capped else 'it'} sent"


def missed_rate(trial: Mapping[str, Any]) -> str:
    """How much of the requested rate a trial sent, if it missed it; else empty."""
    reached = dig(trial, "run", "rate_reached")
    return _sent_of(reached, dig(trial, "run", "capped") is True) if is_number(reached) and reached < REACHED else ""


def _ended_early(group: Group) -> list[str]:
    return [
        f"trial {as_text(trial.get('number'))} was ended by {ended}"
        for trial in group.ok
        if (ended := dig(trial, "run", "ended_by")) in ("timeout", "user", "error")
    ]


def _why_no_rate(group: Group) -> str:
    return "no figure: no rate was reported" if group.ok else "no figure: every trial failed"


def _trials_cell(many_hosts: bool, group: Group) -> Cell:
    all_of, failed = len(group.trials), len(group.failed)
    if not failed:
        return Cell(str(all_of))
    by_reason = grouped(group.failed, lambda trial: one_line(as_text(trial.get("error"))))
    notes = tuple(
        f"trial {', '.join(as_text(one.get('number')) for one in trials)} ({_mark(group, many_hosts)}) failed: {reason}"
        for reason, trials in by_reason.items()
    )
    if not group.ok:
        return Cell("failed", f"{failed} of {all_of}", notes, "bad")
    return Cell(f"{len(group.ok)} of {all_of}", f"{failed} failed", notes, "bad")


def _figure_cell(found: Figure, shown: Any, why: str, *notes: str, look: str = "") -> Cell:
    if found.median is None:
        return no_figure(why, *notes)
    return Cell(shown(found.median), low_to_high(found.low, found.high, shown), notes, look)


def _rate_cell(key: str, shown: Any, group: Group, *notes: str, why: str = "") -> Cell:
    look = "" if group.quotable else "unquotable"
    return _figure_cell(group.figure("rates", key), shown, why or _why_no_rate(group), *notes, look=look)


def _line_rate_cell(group: Group) -> Cell:
    why = "no line rate: a virtual link, or its speed is unknown" if group.ok else ""
    return _rate_cell("line_rate_percent", percent, group, why=why)


def _reasons(group: Group, names: Sequence[str]) -> list[str]:
    found = []
    for trial in group.ok:
        reason = dig(trial, "counters", "reason")
        if reason and dig(trial, "counters", "verdict") in names:
            found.append(one_line(str(reason)))
    return list(dict.fromkeys(found))


def _loss_cell(group: Group) -> Cell:
    ratios = group.figure("counters", "loss_ratio")
    if not group.ok:
        return no_figure(_why_no_rate(group))
    if not ratios.n:
        if all(dig(trial, "counters", "rx") is None for trial in group.ok):
            return no_figure("loss unknown: nothing counted what arrived")
        if all(dig(trial, "counters", "tx") is None for trial in group.ok):
            return no_figure("loss unknown: nothing counted what left the device")
        return no_figure("loss unknown: " + ("; ".join(_reasons(group, VERDICTS)[:1]) or "the counters do not tell"))
    notes = []
    if ratios.n < len(group.ok):
        notes.append(f"the loss is known for {ratios.n} of {count(len(group.ok), 'trial')}")
    dropped = [dig(trial, "counters", "rx", "host_drops") for trial in group.ok]
    total = sum(value for value in dropped if is_number(value))
    if total:
        notes.append(f"the receiving host dropped {number(total)} frames itself; the device did not lose these")
    # More may arrive than was sent if the two are read at different moments; show it as it is.
    return _figure_cell(ratios, share, "", *notes, look="warn" if ratios.high and ratios.high > 0 else "")


def _verdict_cell(group: Group) -> Cell:
    if not group.ok:
        return no_figure(_why_no_rate(group))
    same = [trial for trial in group.ok if (dig(trial, "counters", "verdict") or "unknown") == group.verdict]
    reasons = _reasons(group, [name for name in VERDICTS if name != "consistent"])
    notes = reasons[:MAX_REASONS]
    if len(reasons) > MAX_REASONS:
        notes.append("there are more reasons of this kind: see Each trial")
    if group.verdict == "unknown" and not reasons:
        notes.append("no counters were read")
    detail = f"{len(same)} of {len(group.ok)}" if len(same) < len(group.ok) else ""
    return Cell(group.verdict, detail, tuple(notes), VERDICT_LOOK.get(group.verdict, ""))


# --- Both directions of a pair ---


def _direction_sections(found: Groups) -> list[Section]:
    """The two directions of each pair side by side, where both were tested."""
    rows = grouped(
        (group for group in found if group.pair),
        lambda group: (group.pair, group.traffic, group.asked_method, rate_key(group.rate)),
    )
    both = [{group.direction: group for group in row} for row in rows.values()]
    if not any(len(row) > 1 for row in both):
        return []

    def first(row: _Directions) -> Group:
        return next(iter(row.values()))

    def of(direction: str, cell: Callable[[Group], Cell]) -> Callable[[_Directions], Cell]:
        return lambda row: (
            cell(row[direction]) if direction in row else no_figure(f"nothing was sent in the {direction} direction")
        )

    columns: list[Column[_Directions]] = [
        Column("Pair", TEXT, lambda row: first(row).pair),
        Column("Traffic", TEXT, lambda row: first(row).traffic),
        Column("Asked", TEXT, lambda row: rate_label(first(row).rate)),
        *(
            Column(f"{direction.capitalize()} {heading}", kind, of(direction, cell))
            for heading, kind, cell in (
                ("pps", NUMBER, partial(_rate_cell, "pps", pps_figure)),
                ("loss", NUMBER, _loss_cell),
                ("verdict", TEXT, _verdict_cell),
            )
            for direction in ("forward", "reverse")
        ),
        Column("Method", TEXT, lambda row: first(row).method),
    ]
    text = "Forward: from a to b. Reverse: from b to a. Both were sent at the same time."
    return [Section("Both directions", [text], [Table.of("The directions of each pair, side by side", columns, both)])]


# --- The fleet ---


def _fleet_section(fleet: Sequence[Mapping[str, Any]]) -> Section:
    _Totals = Sequence[Mapping[str, Any]]  # the repeats of one traffic, method and rate

    def total(key: str, shown: Any, why: str) -> Any:
        return lambda entries: _figure_cell(figure(entry.get(key) for entry in entries), shown, why)

    def hosts(entries: _Totals) -> Cell:
        sizes = figure(len(entry["hosts"]) if isinstance(entry.get("hosts"), list) else None for entry in entries)
        return Cell(number(sizes.median), low_to_high(sizes.low, sizes.high, number))

    def traffic(entry: Mapping[str, Any]) -> str:
        return as_text(dig(entry, "traffic", "name") or entry.get("traffic"))

    columns: list[Column[_Totals]] = [
        Column("Traffic", TEXT, lambda entries: traffic(entries[0])),
        Column("Method", TEXT, lambda entries: as_text(entries[0].get("injection_method"))),
        Column("Asked", TEXT, lambda entries: rate_label(entries[0].get("rate"))),
        Column("Hosts", NUMBER, hosts),
        Column("Repeats", NUMBER, lambda entries: str(len(entries))),
        *(Column(name, NUMBER, total(key, shown, "no total: a host's rate is missing")) for name, key, shown in _UNITS),
        Column("Loss", NUMBER, total("loss_ratio", share, "no total: the loss of a host is unknown")),
        Column(
            "Started within",
            NUMBER,
            total("start_spread_seconds", lambda value: f"{number(value, 3)} s", "the starts are unknown"),
        ),
    ]
    found = grouped(
        fleet, lambda entry: (traffic(entry), as_text(entry.get("injection_method")), rate_key(entry.get("rate")))
    )
    table = Table.of("Totals over the hosts that were started together", columns, found.values())
    return Section("The fleet", ["Sums over the hosts. Each is the median of the repeats."], [table])
