# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several results of the role throughput side by side, as a page. Pure.

The first result is what the others are held against. A difference is marked only where it is larger than what the
repeats differ by among themselves; of other traffic under the same name, or of rates that are not to be quoted, none is
claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    DASH,
    Cell,
    Chart,
    Page,
    Section,
    Series,
    Table,
    change,
    count,
    is_number,
    mbps_figure,
    moment,
    one_line,
    path,
    percent,
    plain,
    pps_figure,
    rate_label,
    spread,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.one_result import (
    MAX_CHARTS,
    host_settings,
    left_out,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    UNQUOTABLE,
    VERDICT_LOOK,
    Figure,
    Group,
    apart,
    check_result,
    figure,
    grouped,
    groups,
)

RULE = (
    "A difference is marked (▲ ▼, bold) only where the ranges of the repeats do not touch and each has two at least; "
    "any other may be chance. It is of the medians, against A."
)
# It differs from run to run, and says nothing of how the run was made.
_NOT_COMPARED = ("Clock against the controller's",)


@dataclass(frozen=True)
class _Entry:
    letter: str
    result: dict[str, Any]
    groups: dict[tuple[str, str, str, str], Group]
    traffic: dict[str, dict[str, Any]]


def compare_page(values: Sequence[Any]) -> Page:
    """The comparison of two results or more."""
    if len(values) < 2:
        raise TrafficgenError("a comparison is of two results or more", on=f"a list of {len(values)}")
    results = [check_result(value, f"result {index}") for index, value in enumerate(values, start=1)]
    by_host = _by_host(results)
    entries = []
    for index, result in enumerate(results):
        found = {}
        for group in groups(result):
            traffic, host, method, rate = group.key
            found[traffic, host if by_host else "", method, rate] = group
        entries.append(
            _Entry(_letter(index), result, found, {str(entry["name"]): entry for entry in result["traffic"]})
        )
    settings = _settings(entries, by_host)
    differ = {key: row for key, row in settings.items() if len(set(row)) > 1}
    other = _other_traffic(entries)
    sections = _rates(entries, by_host, other)
    answers = _answers(entries, by_host, other)
    return Page(
        title="Comparison: " + ", ".join(dict.fromkeys(result["name"] for result in results)),
        passed=None,
        verdict=f"{count(len(results), 'result')} side by side",
        asked=[
            f"{entry.letter}: {entry.result['name']}, begun {moment(entry.result.get('started'))}, "
            f"{'passed' if entry.result['passed'] else 'failed'}, {count(len(entry.result['trials']), 'trial')}."
            for entry in entries
        ],
        answers=answers,
        failures=[
            f"{entry.letter}: {one_line(str(failure))}" for entry in entries for failure in entry.result["failures"]
        ],
        sections=[
            *sections,
            *_searches(entries, by_host),
            *_criteria(entries),
            _settings_section("What differs in the setting", entries, differ, "changed"),
            _settings_section(
                "What is the same in the setting",
                entries,
                {key: settings[key] for key in settings if key not in differ},
                "",
            ),
        ],
    )


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"R{index + 1}"


def _by_host(results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether hosts are told apart. Where each result has one only, that is the one, whatever its name."""
    return any(len({str(trial["host"]) for trial in result["trials"]}) > 1 for result in results)


def _keys(entries: Sequence[_Entry]) -> list[tuple[str, str, str, str]]:
    keys = dict.fromkeys(key for entry in entries for key in entry.groups)
    order = {name: index for index, name in enumerate(dict.fromkeys(key[0] for key in keys))}
    return sorted(keys, key=lambda key: order[key[0]])


def _other_traffic(entries: Sequence[_Entry]) -> dict[str, str]:
    """The traffic that only shares its name, with the sentence that says so."""
    found = {}
    for name in dict.fromkeys(name for entry in entries for name in entry.traffic):
        hashes: dict[str, list[str]] = {}
        for entry in entries:
            sha256 = path(entry.traffic.get(name), "sha256")
            if sha256:
                hashes.setdefault(str(sha256), []).append(entry.letter)
        if len(hashes) > 1:
            found[name] = (
                f"{name} is not the same traffic in {' and '.join('='.join(letters) for letters in hashes.values())}"
            )
    return {
        name: f"{text}: the SHA-256 of the pcaps differ, so the rates are not compared" for name, text in found.items()
    }


@dataclass(frozen=True)
class _Difference:
    share: float | None
    marked: bool
    reason: str


def _difference(base: Group | None, other: Group | None, letters: tuple[str, str], strange: str | None) -> _Difference:
    for letter, group in zip(letters, (base, other)):
        if group is None:
            return _Difference(None, False, f"not in {letter}")
        if not group.ok:
            return _Difference(None, False, f"each trial failed in {letter}")
        if group.verdict in UNQUOTABLE:
            return _Difference(None, False, f"the verdict in {letter} is {group.verdict}, its rate is not to be quoted")
    if strange:
        return _Difference(None, False, strange)
    if base is None or other is None:  # said above; for the type checker
        return _Difference(None, False, "")
    one, two = base.figure("rates", "pps"), other.figure("rates", "pps")
    if not one.median or two.median is None:
        return _Difference(None, False, "a rate is unknown")
    share = two.median / one.median - 1
    if min(one.n, two.n) < 2:
        return _Difference(share, False, "not marked: of a single trial the spread is not known")
    return _Difference(share, apart(one, two), "")


def _difference_cell(table: Table, difference: _Difference) -> Cell:
    notes = (table.note(difference.reason),) if difference.reason else ()
    if difference.share is None:
        return Cell(DASH, notes=notes)
    if not difference.marked:
        return Cell(change(difference.share), notes=notes)
    return Cell(f"{'▲' if difference.share > 0 else '▼'} {change(difference.share)}", notes=notes, look="changed")


def _rates(entries: Sequence[_Entry], by_host: bool, other: Mapping[str, str]) -> list[Section]:
    section = Section("Rates", [RULE, *(f"{text}." for text in other.values())])
    base = entries[0]
    for name, keys in grouped(_keys(entries), lambda key: key[0]).items():
        columns = ["Method", *(["Host"] if by_host else []), "Asked"]
        first = len(columns)
        for entry in entries:
            columns.append(f"{entry.letter} pps")
            if entry is not base:
                columns.append(f"{entry.letter} against A")
        columns += [f"{entry.letter} loss" for entry in entries]
        numeric = tuple(range(first, len(columns)))
        columns += [f"{entry.letter} verdict" for entry in entries]
        table = Table(name, columns, numeric=numeric)
        for key in keys:
            table.rows.append(_rate_row(table, entries, key, by_host, other.get(name)))
        section.tables.append(table)
    charts = _charts(entries, by_host)
    text = ["Medians; the thin mark spans lowest to highest.", *left_out(len(charts) - MAX_CHARTS)]
    return [section, *([Section("Rate by traffic", text, charts=charts[:MAX_CHARTS])] if charts else [])]


def _rate_row(
    table: Table, entries: Sequence[_Entry], key: tuple[str, str, str, str], by_host: bool, strange: str | None
) -> list[Cell]:
    base = entries[0]
    here = {entry.letter: entry.groups.get(key) for entry in entries}
    labels = {letter: group.method for letter, group in here.items() if group and group.ok}
    same = len(set(labels.values())) == 1
    row = [Cell(next(iter(labels.values())) if same else key[2], notes=() if same else _label_notes(table, labels))]
    if by_host:
        row.append(Cell(key[1]))
    capped = any(group.capped for group in here.values() if group)
    notes = (table.note("capped: more was asked for than the line takes"),) if capped else ()
    row.append(
        Cell(
            next(rate_label(group.rate) for group in here.values() if group) + (", capped" if capped else ""),
            notes=notes,
        )
    )
    for entry in entries:
        row.append(_pps_cell(table, here[entry.letter], entry.letter))
        if entry is not base:
            difference = _difference(here[base.letter], here[entry.letter], (base.letter, entry.letter), strange)
            row.append(_difference_cell(table, difference))
    for entry in entries:
        group = here[entry.letter]
        ratios = group.figure("counters", "loss_ratio") if group else figure(())
        if ratios.median is None:
            row.append(
                Cell(
                    DASH,
                    notes=(
                        table.note(f"not in {entry.letter}" if not group else f"loss is not known in {entry.letter}"),
                    ),
                )
            )
        else:
            row.append(Cell(percent(ratios.median * 100), detail=spread(ratios.low, ratios.high, _loss)))
    for entry in entries:
        group = here[entry.letter]
        if group is None or not group.ok:
            row.append(
                Cell(
                    DASH,
                    notes=(
                        table.note(
                            f"not in {entry.letter}" if group is None else f"each trial failed in {entry.letter}"
                        ),
                    ),
                )
            )
        else:
            row.append(Cell(group.verdict, look=VERDICT_LOOK.get(group.verdict, "")))
    return row


def _loss(ratio: Any) -> str:
    return percent(ratio * 100)


def _label_notes(table: Table, labels: Mapping[str, str]) -> tuple[int, ...]:
    return (table.note("; ".join(f"{letter}: {label}" for letter, label in labels.items())),) if labels else ()


def _pps_cell(table: Table, group: Group | None, letter: str) -> Cell:
    known = group.figure("rates", "pps") if group else Figure(None, None, None, 0)
    if group is None or known.median is None:
        why = (
            f"not in {letter}"
            if group is None
            else f"each trial failed in {letter}"
            if not group.ok
            else "the run did not tell its rate"
        )
        return Cell(DASH, notes=(table.note(why),))
    notes = []
    if group.failed:
        notes.append(table.note(f"{len(group.failed)} of {len(group.trials)} failed in {letter}"))
    detail = spread(known.low, known.high, pps_figure)
    return Cell(
        pps_figure(known.median),
        detail=f"{detail}, n = {known.n}" if detail else f"n = {known.n}",
        notes=tuple(notes),
        look="unquotable" if group.verdict in UNQUOTABLE else "",
    )


def _answers(entries: Sequence[_Entry], by_host: bool, other: Mapping[str, str]) -> list[str]:
    base = entries[0]
    marked: list[str] = []
    quiet = silent = 0
    for entry in entries[1:]:
        for key in _keys(entries):
            one, two = base.groups.get(key), entry.groups.get(key)
            difference = _difference(one, two, (base.letter, entry.letter), other.get(key[0]))
            if difference.share is None:
                silent += 1
            elif not difference.marked or one is None or two is None:
                quiet += 1
            else:
                where = f"{key[0]}, {two.method}, {rate_label(two.rate)}" + (f", {key[1]}" if by_host else "")
                medians = [pps_figure(group.figure("rates", "pps").median) for group in (one, two)]
                marked.append(
                    f"{where}: {change(difference.share)} in {entry.letter} against A ({medians[0]} to {medians[1]}"
                    " pps)."
                )
    lines = marked or ["No rate differs by more than its repeats do."]
    if quiet:
        lines.append(f"{count(quiet, 'difference')} {'is' if quiet == 1 else 'are'} not told from chance.")
    if silent:
        lines.append(f"{count(silent, 'rate')} cannot be compared; the notes below the tables say why.")
    return [*lines, *(f"{text}." for text in other.values())]


def _charts(entries: Sequence[_Entry], by_host: bool) -> list[Chart]:
    made = []
    for (host, rate), here in grouped(_keys(entries), lambda key: (key[1], key[3])).items():
        names = tuple(dict.fromkeys(key[0] for key in here))
        series: list[Series] = []
        words = []
        label = ""
        for method in dict.fromkeys(key[2] for key in here):
            for entry in entries:
                points: list[Any] = []
                used = method
                for name in names:
                    group = entry.groups.get((name, host, method, rate))
                    quotable = group is not None and group.ok and group.verdict not in UNQUOTABLE
                    known = group.figure("rates", "l1_mbps") if group and quotable else figure(())
                    points.append(None if known.median is None else (known.median, known.low, known.high))
                    if group and known.median is not None:
                        used, label = group.method, rate_label(group.rate)
                if any(point is not None for point in points):
                    series.append(Series(f"{entry.letter}: {used}", len(series), tuple(points)))
                    told = [f"{name} {mbps_figure(point[0])}" for name, point in zip(names, points) if point]
                    words.append(f"{entry.letter}, {used}: {', '.join(told)}")
        if series:
            title = f"L1 Mbps at {label}" + (f", {host}" if by_host else "")
            made.append(Chart("bars", title, "; ".join(words) + ".", "", "L1 Mbps", tuple(series), names))
    return made


def _searches(entries: Sequence[_Entry], by_host: bool) -> list[Section]:
    found: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for entry in entries:
        for search in entry.result["searches"]:
            host = plain(search.get("host")) if by_host else ""
            key = (
                plain(path(search, "traffic", "name")),
                host,
                plain(search.get("injection_method")),
                plain(search.get("search")),
            )
            found.setdefault(key, {})[entry.letter] = search
    if not found:
        return []
    strange = _other_traffic(entries)
    columns = ["Traffic", *(["Host"] if by_host else []), "Method", "Search"]
    first = len(columns)
    for index, entry in enumerate(entries):
        columns += [f"{entry.letter} found pps", *([f"{entry.letter} against A"] if index else [])]
    table = Table("The largest rate within the loss goal", columns, numeric=tuple(range(first, len(columns))))
    for (traffic, host, method, search), by_letter in found.items():
        row = [Cell(traffic), *([Cell(host)] if by_host else []), Cell(method), Cell(search)]
        base = _bounds(by_letter.get("A"))
        for index, entry in enumerate(entries):
            bounds = _bounds(by_letter.get(entry.letter))
            reason = (
                plain(path(by_letter.get(entry.letter), "status")).replace("_", " ")
                if entry.letter in by_letter
                else "not there"
            )
            if bounds is None:
                row.append(Cell(DASH, notes=(table.note(f"{entry.letter}: {reason}"),)))
            else:
                row.append(Cell(pps_figure(bounds[0]), detail=f"not above {pps_figure(bounds[1])}"))
            if not index:
                continue
            if strange.get(traffic) or base is None or bounds is None or not base[0]:
                why = strange.get(traffic) or "a rate was not found"
                row.append(_difference_cell(table, _Difference(None, False, why)))
            else:
                row.append(
                    _difference_cell(
                        table, _Difference(bounds[0] / base[0] - 1, base[1] < bounds[0] or bounds[1] < base[0], "")
                    )
                )
        table.rows.append(row)
    return [
        Section(
            "Search",
            ["Marked where what was found and what was not above it, from both searches, do not overlap."],
            [table],
        )
    ]


def _bounds(search: Any) -> tuple[float, float] | None:
    lower, upper = path(search, "found", "lower_pps"), path(search, "found", "upper_pps")
    if not is_number(lower):
        return None
    return float(lower), float(upper) if is_number(upper) else float(lower)


def _criteria(entries: Sequence[_Entry]) -> list[Section]:
    names = dict.fromkeys(plain(entry.get("name")) for one in entries for entry in one.result["criteria"])
    if not names:
        return []
    table = Table("Criteria", ["Criterion", *(entry.letter for entry in entries)])
    for name in names:
        row = [Cell(name)]
        for entry in entries:
            found = next((one for one in entry.result["criteria"] if plain(one.get("name")) == name), None)
            if found is None:
                row.append(Cell(DASH, notes=(table.note(f"not asked in {entry.letter}"),)))
            else:
                good = found.get("passed") is True and not found.get("error")
                row.append(Cell("passed" if good else "failed", look="good" if good else "bad"))
        table.rows.append(row)
    return [Section("Criteria", tables=[table])]


def _settings(entries: Sequence[_Entry], by_host: bool) -> dict[str, list[str]]:
    """Each setting by its name, with its value in each result."""
    columns: list[dict[str, str]] = []
    for entry in entries:
        result = entry.result
        column = {
            "collection": plain(result.get("collection_version")),
            "ansible-core": plain(result.get("ansible_version")),
        }
        if not by_host:
            column["host"] = ", ".join(map(str, result["hosts"]))
        for name, host in result["hosts"].items():
            used = path(host, "tcpreplay")
            if used is None and not isinstance(host, Mapping):
                continue
            prefix = f"{name}: " if by_host or len(result["hosts"]) > 1 else ""
            column.update(
                {prefix + key: value for key, value in host_settings(host).items() if key not in _NOT_COMPARED}
            )
        for name, traffic in entry.traffic.items():
            column[f"{name}: SHA-256"] = plain(traffic.get("sha256"))
        settings = result.get("settings")
        for key, value in (settings if isinstance(settings, Mapping) else {}).items():
            column[f"setting {key}"] = "none" if value is None else plain(value)
        columns.append(column)
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: [column.get(key, "not there") for column in columns] for key in keys}


def _settings_section(title: str, entries: Sequence[_Entry], rows: Mapping[str, Sequence[str]], look: str) -> Section:
    section = Section(title, folded=not look)
    if not rows:
        section.text.append("Nothing.")
        return section
    if not look:
        table = Table("The same in all", ["Setting", "Value"])
        table.rows = [[Cell(key), Cell(values[0])] for key, values in rows.items()]
    else:
        table = Table("Different", ["Setting", *(entry.letter for entry in entries)])
        table.rows = [
            [
                Cell(key),
                Cell(values[0]),
                *(Cell(value, look="changed" if value != values[0] else "") for value in values[1:]),
            ]
            for key, values in rows.items()
        ]
    section.tables.append(table)
    return section
