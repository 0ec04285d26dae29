# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several results of the role throughput side by side, as a page. Pure.

The others are compared with the first. A difference is marked only where it is larger than the spread of the repeats.
Rates of other traffic under the same name, and rates that are not to be quoted, are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    NUMBER,
    TEXT,
    Cell,
    Chart,
    Column,
    Page,
    Section,
    Series,
    Table,
    host_column,
    no_figure,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    as_text,
    change,
    count,
    dig,
    is_number,
    low_to_high,
    one_line,
    pps_figure,
    rate_label,
    share,
    utc_time,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rate_charts import MAX_CHARTS, bars, left_out
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.setting import host_settings
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    VERDICT_LOOK,
    Group,
    apart,
    grouped,
    groups,
    outcome,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import check_result

RULE = (
    "Differences are between medians, against A. One is marked (▲ ▼, bold) only if both results have at least two "
    "repeats and their ranges do not touch. Any other may be chance."
)
# It differs from run to run, and does not describe the setting.
_NOT_COMPARED = ("Clock against the controller's",)

_Key = tuple[str, str, str, str]  # traffic, host or "", method, rate


@dataclass(frozen=True)
class _Entry:
    """A result, under its letter."""

    letter: str
    result: dict[str, Any]
    groups: dict[_Key, Group]
    traffic: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Compared:
    """The input for the parts of the page. ``other``: traffic that shares only its name, with the reason."""

    entries: list[_Entry]
    by_host: bool
    keys: list[_Key]
    other: dict[str, str]

    @property
    def base(self) -> _Entry:
        return self.entries[0]


def compare_page(values: Sequence[Any]) -> Page:
    """The comparison of two results or more."""
    if len(values) < 2:
        raise TrafficgenError("a comparison needs at least two results", on=f"a list of {len(values)}")
    every = _compared([check_result(value, f"result {index}") for index, value in enumerate(values, start=1)])
    settings = _settings(every)
    differ = {key: row for key, row in settings.items() if len(set(row)) > 1}
    same = {key: row for key, row in settings.items() if key not in differ}
    return Page(
        title="Comparison: " + ", ".join(dict.fromkeys(entry.result["name"] for entry in every.entries)),
        passed=None,
        kind="Throughput tests, compared",
        verdict=f"{count(len(every.entries), 'result')} side by side",
        asked=[
            f"{entry.letter}: {entry.result['name']}, begun {utc_time(entry.result.get('started'))}, "
            f"{outcome(entry.result)}, {count(len(entry.result['trials']), 'trial')}."
            for entry in every.entries
        ],
        answers=_answers(every),
        failures=[f"{one.letter}: {one_line(str(each))}" for one in every.entries for each in one.result["failures"]],
        sections=[
            *_rate_sections(every),
            *_search_sections(every),
            *_compared_criteria(every),
            _different_settings(every, differ),
            _same_settings(same),
        ],
    )


def _compared(results: Sequence[dict[str, Any]]) -> _Compared:
    # If each result has only one host, compare those, whatever their names.
    by_host = any(len({str(trial["host"]) for trial in result["trials"]}) > 1 for result in results)
    entries = []
    for index, result in enumerate(results):
        letter = chr(ord("A") + index) if index < 26 else f"R{index + 1}"
        found = {}
        for group in groups(result):
            traffic, host, method, rate = group.key
            found[traffic, host if by_host else "", method, rate] = group
        entries.append(_Entry(letter, result, found, {str(each["name"]): each for each in result["traffic"]}))
    keys = grouped((key for entry in entries for key in entry.groups), lambda key: key[0])
    in_order = list(dict.fromkeys(key for of_traffic in keys.values() for key in of_traffic))
    return _Compared(entries, by_host, in_order, _other_traffic(entries))


def _other_traffic(entries: Sequence[_Entry]) -> dict[str, str]:
    """The traffic that shares only its name, with the sentence on it."""
    found = {}
    for name in dict.fromkeys(name for entry in entries for name in entry.traffic):
        hashed = [(entry.letter, dig(entry.traffic.get(name), "sha256")) for entry in entries]
        files = grouped((pair for pair in hashed if pair[1]), lambda pair: str(pair[1]))
        if len(files) > 1:
            which = " and ".join("=".join(letter for letter, _hash in pairs) for pairs in files.values())
            why = "the SHA-256 of the pcaps differ, so the rates are not compared"
            found[name] = f"{name} is not the same traffic in {which}: {why}"
    return found


# --- Differences ---


@dataclass(frozen=True)
class _Difference:
    share: float | None
    marked: bool
    reason: str


def _no_difference(why: str) -> _Difference:
    return _Difference(None, False, why)


def _difference(every: _Compared, entry: _Entry, key: _Key) -> _Difference:
    """The difference between an entry's rate and the first's."""
    medians = []
    for one in (every.base, entry):
        group = one.groups.get(key)
        if group is None or not group.ok:
            return _no_difference(_why_none(group, one))
        if not group.quotable:
            return _no_difference(f"not compared: the verdict in {one.letter} is {group.verdict}")
        medians.append(group.figure("rates", "pps"))
    if key[0] in every.other:
        return _no_difference(every.other[key[0]])
    old, new = medians
    if not old.median or new.median is None:
        return _no_difference("a rate is unknown")
    ratio = new.median / old.median - 1
    if min(old.n, new.n) < 2:
        return _Difference(ratio, False, "not marked: a single trial has no spread to compare")
    return _Difference(ratio, apart(old, new), "")


def _why_none(group: Group | None, entry: _Entry) -> str:
    return f"not in {entry.letter}" if group is None else f"every trial failed in {entry.letter}"


def _difference_cell(every: _Compared, entry: _Entry, key: _Key) -> Cell:
    return _shown(_difference(every, entry, key))


def _shown(difference: _Difference) -> Cell:
    notes = (difference.reason,) if difference.reason else ()
    if difference.share is None:
        return no_figure(*notes)
    if not difference.marked:
        return Cell(change(difference.share), notes=notes)
    return Cell(f"{'▲' if difference.share > 0 else '▼'} {change(difference.share)}", notes=notes, look="changed")


def _answers(every: _Compared) -> list[str]:
    marked: list[str] = []
    quiet = silent = 0
    for entry in every.entries[1:]:
        for key in every.keys:
            difference = _difference(every, entry, key)
            if difference.share is None:
                silent += 1
            elif not difference.marked:
                quiet += 1
            else:
                one, two = every.base.groups[key], entry.groups[key]
                where = f"{key[0]}, {two.method}, {rate_label(two.rate)}" + (f", {key[1]}" if every.by_host else "")
                low, high = (pps_figure(group.figure("rates", "pps").median) for group in (one, two))
                marked.append(f"{where}: {change(difference.share)} in {entry.letter} against A ({low} to {high} pps).")
    lines = marked or ["No rate differs by more than the spread of its repeats."]
    if quiet:
        lines.append(f"{count(quiet, 'difference')} may be chance.")
    if silent:
        lines.append(f"{count(silent, 'rate')} cannot be compared (see notes).")
    return [*lines, *(f"{text}." for text in every.other.values())]


# --- Rates ---


def _rate_sections(every: _Compared) -> list[Section]:
    tables = [_compared_rates(every, name, keys) for name, keys in grouped(every.keys, lambda key: key[0]).items()]
    charts = _charts(every)
    text = ["Medians; the thin mark spans lowest to highest.", *left_out(len(charts) - MAX_CHARTS)]
    return [
        Section("Rates", [RULE, *(f"{text}." for text in every.other.values())], tables),
        *([Section("Rate by traffic", text, charts=charts[:MAX_CHARTS])] if charts else []),
    ]


def _compared_rates(every: _Compared, name: str, keys: Sequence[_Key]) -> Table:
    def here(key: _Key) -> list[Group]:
        return [entry.groups[key] for entry in every.entries if key in entry.groups]

    def method(key: _Key) -> Cell:
        sent = [(entry.letter, entry.groups.get(key)) for entry in every.entries]
        labels = {letter: group.method for letter, group in sent if group and group.ok}
        if len(set(labels.values())) == 1:
            return Cell(next(iter(labels.values())))
        note = "; ".join(f"{letter}: {label}" for letter, label in labels.items())
        return Cell(key[2], notes=(note,) if note else ())

    def asked(key: _Key) -> Cell:
        label = rate_label(here(key)[0].rate)
        if not any(group.capped for group in here(key)):
            return Cell(label)
        return Cell(f"{label}, capped", notes=("capped: the rate asked for is above the line rate",))

    columns: list[Column[_Key]] = [
        Column("Method", TEXT, method),
        *host_column(every.by_host, lambda key: key[1]),
        Column("Asked", TEXT, asked),
    ]
    for entry in every.entries:
        columns.append(Column(f"{entry.letter} pps", NUMBER, partial(_entry_pps, entry)))
        if entry is not every.base:
            columns.append(Column(f"{entry.letter} against A", NUMBER, partial(_difference_cell, every, entry)))
    columns += [Column(f"{entry.letter} loss", NUMBER, partial(_entry_loss, entry)) for entry in every.entries]
    columns += [Column(f"{entry.letter} verdict", TEXT, partial(_entry_verdict, entry)) for entry in every.entries]
    return Table.of(name, columns, keys)


def _entry_pps(entry: _Entry, key: _Key) -> Cell:
    group = entry.groups.get(key)
    if group is None or not group.ok:
        return no_figure(_why_none(group, entry))
    known = group.figure("rates", "pps")
    if known.median is None:
        return no_figure("no rate was reported")
    detail = low_to_high(known.low, known.high, pps_figure)
    notes = (f"{len(group.failed)} of {len(group.trials)} failed in {entry.letter}",) if group.failed else ()
    look = "" if group.quotable else "unquotable"
    return Cell(pps_figure(known.median), f"{detail}, n = {known.n}" if detail else f"n = {known.n}", notes, look)


def _entry_loss(entry: _Entry, key: _Key) -> Cell:
    group = entry.groups.get(key)
    if group is None:
        return no_figure(_why_none(group, entry))
    ratios = group.figure("counters", "loss_ratio")
    if ratios.median is None:
        return no_figure(f"loss unknown in {entry.letter}")
    return Cell(share(ratios.median), low_to_high(ratios.low, ratios.high, share))


def _entry_verdict(entry: _Entry, key: _Key) -> Cell:
    group = entry.groups.get(key)
    if group is None or not group.ok:
        return no_figure(_why_none(group, entry))
    return Cell(group.verdict, look=VERDICT_LOOK.get(group.verdict, ""))


def _charts(every: _Compared) -> list[Chart]:
    made = []
    for (host, rate), here in grouped(every.keys, lambda key: (key[1], key[3])).items():
        names = tuple(dict.fromkeys(key[0] for key in here))
        drawn: list[tuple[Series, str]] = []
        label = ""
        for method in dict.fromkeys(key[2] for key in here):
            for entry in every.entries:
                found = {name: entry.groups.get((name, host, method, rate)) for name in names}
                by_traffic = {name: group for name, group in found.items() if group}
                label = next((rate_label(group.rate) for group in by_traffic.values()), label)
                used = next((group.method for group in by_traffic.values() if group.quotable and group.ok), method)
                one = bars(f"{entry.letter}, {used}", len(drawn), names, by_traffic)
                drawn += [one] if one else []
        if drawn:
            title = f"L1 at {label}" + (f", {host}" if every.by_host else "")
            text = "; ".join(words for _series, words in drawn) + "."
            made.append(Chart("bars", title, text, "", "L1 Mbps", tuple(series for series, _words in drawn), names))
    return made


# --- Searches and criteria ---


def _search_sections(every: _Compared) -> list[Section]:
    found: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for entry in every.entries:
        for search in entry.result["searches"]:
            of = (dig(search, "traffic", "name"), search.get("injection_method"), search.get("search"))
            key = (*map(as_text, of), as_text(search.get("host")) if every.by_host else "")
            found.setdefault(key, {})[entry.letter] = search
    if not found:
        return []

    def found_pps(letter: str, key: tuple[str, ...]) -> Cell:
        search = found[key].get(letter)
        bounds = _bounds(search)
        if bounds is None:
            return no_figure(f"{letter}: {as_text(search.get('status')).replace('_', ' ') if search else 'not there'}")
        return Cell(pps_figure(bounds[0]), f"not above {pps_figure(bounds[1])}")

    def against(letter: str, key: tuple[str, ...]) -> Cell:
        base, bounds = (_bounds(found[key].get(one)) for one in ("A", letter))
        if key[0] in every.other or base is None or bounds is None or not base[0]:
            return no_figure(every.other.get(key[0]) or "a rate was not found")
        return _shown(_Difference(bounds[0] / base[0] - 1, base[1] < bounds[0] or bounds[1] < base[0], ""))

    columns: list[Column[tuple[str, ...]]] = [
        Column("Traffic", TEXT, lambda key: key[0]),
        *host_column(every.by_host, lambda key: key[3]),
        Column("Method", TEXT, lambda key: key[1]),
        Column("Search", TEXT, lambda key: key[2]),
    ]
    for entry in every.entries:
        columns.append(Column(f"{entry.letter} found pps", NUMBER, partial(found_pps, entry.letter)))
        if entry is not every.base:
            columns.append(Column(f"{entry.letter} against A", NUMBER, partial(against, entry.letter)))
    text = "Marked where the ranges from found to not above do not overlap."
    return [Section("Search", [text], [Table.of("The largest rate within the loss goal", columns, found)])]


def _bounds(search: Any) -> tuple[float, float] | None:
    lower, upper = dig(search, "found", "lower_pps"), dig(search, "found", "upper_pps")
    if not is_number(lower):
        return None
    return float(lower), float(upper) if is_number(upper) else float(lower)


def _compared_criteria(every: _Compared) -> list[Section]:
    names = dict.fromkeys(as_text(one.get("name")) for entry in every.entries for one in entry.result["criteria"])

    def answered(entry: _Entry, name: str) -> Cell:
        found = next((one for one in entry.result["criteria"] if as_text(one.get("name")) == name), None)
        if found is None:
            return no_figure(f"not asked in {entry.letter}")
        good = found.get("passed") is True and not found.get("error")
        return Cell("passed", look="good") if good else Cell("failed", look="bad")

    of_each = (Column(entry.letter, TEXT, partial(answered, entry)) for entry in every.entries)
    columns = [Column("Criterion", TEXT, str), *of_each]
    return [Section("Criteria", tables=[Table.of("Criteria", columns, names)])] if names else []


# --- Settings ---


def _settings(every: _Compared) -> dict[str, list[str]]:
    """Each setting's value in each result, by name."""
    of_each: list[dict[str, str]] = []
    for entry in every.entries:
        result = entry.result
        known = {"collection": result.get("collection_version"), "ansible-core": result.get("ansible_version")}
        found = {key: as_text(value) for key, value in known.items()}
        if not every.by_host:
            found["host"] = ", ".join(map(str, result["hosts"]))
        for name, host in result["hosts"].items():
            prefix = f"{name}: " if every.by_host or len(result["hosts"]) > 1 else ""
            described = host_settings(host) if isinstance(host, Mapping) else {}
            found.update({prefix + key: value for key, value in described.items() if key not in _NOT_COMPARED})
        for name, traffic in entry.traffic.items():
            found[f"{name}: SHA-256"] = as_text(traffic.get("sha256"))
        settings = result.get("settings")
        for key, value in (settings if isinstance(settings, Mapping) else {}).items():
            found[f"setting {key}"] = "none" if value is None else as_text(value)
        of_each.append(found)
    keys = dict.fromkeys(key for found in of_each for key in found)
    return {key: [found.get(key, "not there") for found in of_each] for key in keys}


def _different_settings(every: _Compared, rows: Mapping[str, Sequence[str]]) -> Section:
    title = "What differs in the setting"
    if not rows:
        return Section(title, ["Nothing."])

    def value(index: int, key: str) -> Cell:
        return Cell(rows[key][index], look="changed" if rows[key][index] != rows[key][0] else "")

    of_each = (Column(entry.letter, TEXT, partial(value, index)) for index, entry in enumerate(every.entries))
    return Section(title, tables=[Table.of("Different", [Column("Setting", TEXT, str), *of_each], rows)])


def _same_settings(rows: Mapping[str, Sequence[str]]) -> Section:
    title = "What is the same in the setting"
    if not rows:
        return Section(title, ["Nothing."], folded=True)
    columns = [Column("Setting", TEXT, str), Column("Value", TEXT, lambda key: rows[key][0])]
    return Section(title, tables=[Table.of("The same in all", columns, rows)], folded=True)
