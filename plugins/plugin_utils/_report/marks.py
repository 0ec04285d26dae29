# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's part on what the marks told: lost, doubled, reordered and late frames, the longest gap, and what arrived
over time. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
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
    as_text,
    count,
    dig,
    is_number,
    low_to_high,
    number,
    one_line,
    pps_figure,
    rate_label,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rate_charts import MAX_CHARTS, left_out
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    Group,
    figure,
    grouped,
    rate_key,
)

TITLE = "Lost, doubled, reordered"
_MOST_POINTS = 100  # of a line: more cannot be told apart
_MOST_LINES = 6  # of a method in one chart
_MOST_NOTES = 3
_ARRIVED = "Frames that arrived"
_WHAT = {"lost": "what was lost", "duplicates": "what was doubled", "reordered": "what was reordered"}


def mark_sections(found: Sequence[Group], many_hosts: bool) -> list[Section]:
    """What the marks of a result's trials told; nothing where nobody listened for any."""
    rows = [group for group in found if any(one.get("marks") for one in group.ok)]
    if not rows:
        return []
    columns = [
        Column("Traffic", TEXT, lambda group: group.traffic),
        *host_column(many_hosts, lambda group: group.host),
        Column("Asked", TEXT, lambda group: rate_label(group.rate)),
        Column("Method", TEXT, _method_with_notes),
        Column("Lost", NUMBER, _lost_cell),
        Column("Doubled", NUMBER, partial(_share_cell, "duplicates")),
        Column("Reordered", NUMBER, partial(_share_cell, "reordered")),
        Column("Late", NUMBER, _late_cell),
        Column("Longest gap", NUMBER, _gap_cell),
    ]
    text = (
        "By the marks of the frames; the median of the repeats. Lost: the share of the frames sent. Doubled: copies per"
        " frame that arrived (RFC 5560). Reordered: the share of the frames that arrived (RFC 4737). Late: frames that"
        " arrived after the wait for late ones. Longest gap: the longest time without a frame, of all repeats."
    )
    charts = [chart for chart in _timelines(rows, many_hosts) if chart]
    if charts:
        text += " The charts show what arrived where frames were lost. The dashed line is the mean of what was sent."
    counted = [group for group in rows if _only_counted(group)]
    said = [text]
    if counted and len(counted) < len(rows):
        whys = dict.fromkeys(_why_nothing(group, "longest_gap") for group in counted)
        left = "One case is" if len(counted) == 1 else f"{len(counted)} cases are"
        said.append(f"{left} not in the table: {', '.join(whys)}.")
        rows = [group for group in rows if group not in counted]
    said += left_out(len(charts) - MAX_CHARTS)
    return [Section(TITLE, said, [Table.of(TITLE, columns, rows)], charts[:MAX_CHARTS])]


def _only_counted(group: Group) -> bool:
    """Whether its row would have no figure, as nobody looked at the marks."""
    marks = [one["marks"] for one in group.ok if one.get("marks")]
    return all(one.get("read") == "count" for one in marks) and not group.figure("counters", "rx", "late_packets").high


def _told(group: Group) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The trials whose marks told something, and these."""
    return [(one, one["marks"]) for one in group.ok if one.get("marks") and not one["marks"].get("error")]


def _why_nothing(group: Group, key: str) -> str:
    """Why no trial of the group tells that."""
    marks = [one["marks"] for one in group.ok if one.get("marks")]
    said = [one_line(str(one["error"])) for one in marks if one.get("error")]
    counted = [f"the marks were only counted: {one['why']}" for one in marks if one.get("read") == "count"]
    if not said and not counted and any(one.get("notes") for one in marks):
        what = "how many were lost" if key == "lost" else "it"
        return f"the marks do not prove {what} (see the notes)"
    return next(iter([*said, *counted]), "not known")


def _method_with_notes(group: Group) -> Cell:
    notes = list(
        dict.fromkeys(one_line(str(note)) for _one, marks in _told(group) for note in marks.get("notes") or ())
    )
    return Cell(group.method, notes=tuple(notes[:_MOST_NOTES]))


def _share_of(group: Group, key: str, ratio: Callable[[Mapping[str, Any]], Any]) -> Cell:
    values = figure(ratio(marks) for _one, marks in _told(group))
    if values.median is None:
        return no_figure(_why_nothing(group, key))
    asked = sum(bool(one.get("marks")) for one in group.ok)
    notes = (f"{_WHAT[key]} is known for {values.n} of {count(asked, 'trial')}",) if values.n < asked else ()
    detail = low_to_high(values.low, values.high, share)
    return Cell(share(values.median), detail, notes, look="warn" if values.high else "")


def _lost_cell(group: Group) -> Cell:
    return _share_of(group, "lost", lambda marks: marks.get("lost_ratio"))


def _share_cell(key: str, group: Group) -> Cell:
    def ratio(marks: Mapping[str, Any]) -> float | None:
        value, received = marks.get(key), marks.get("received")
        return value / received if is_number(value) and received else None

    return _share_of(group, key, ratio)


def _late_cell(group: Group) -> Cell:
    values = group.figure("counters", "rx", "late_packets")
    if values.median is None:
        return no_figure("whether frames were late is not known: what arrived was not counted by MAC addresses")
    return Cell(number(values.median), low_to_high(values.low, values.high, number), look="warn" if values.high else "")


def _gap_cell(group: Group) -> Cell:
    gaps = [(dict(marks.get("longest_gap") or {}), one) for one, marks in _told(group)]
    known = [pair for pair in gaps if is_number(pair[0].get("seconds"))]
    if not known:
        return no_figure(_why_nothing(group, "longest_gap"))
    gap, trial = max(known, key=lambda pair: pair[0]["seconds"])
    missing = dig(gap, "missing")
    detail = f"{number(missing)} missing, trial {as_text(trial['number'])}" if missing else ""
    return Cell(f"{number(gap['seconds'], 4)} s", detail, look="warn" if missing else "")


# --- What arrived over time ---


def _timelines(rows: Sequence[Group], many_hosts: bool) -> list[Chart | None]:
    labels = list(dict.fromkeys(group.method for group in rows))
    by_traffic = grouped(rows, lambda group: (group.traffic, group.host, rate_key(group.rate)))
    return [_timeline(here, labels.index, many_hosts) for here in by_traffic.values()]


def _has_lost(trial: Mapping[str, Any], marks: Mapping[str, Any]) -> bool:
    return any((marks.get("lost"), marks.get("missing"), dig(trial, "counters", "loss_packets")))


def _timeline(here: Sequence[Group], style: Callable[[str], int], many_hosts: bool) -> Chart | None:
    """What arrived of a traffic, host and rate; None where nothing was lost."""
    series, words, sent = [], [], []
    for group in here:
        lines = [
            (trial, points) for trial, marks in _told(group) if _has_lost(trial, marks) and (points := _points(marks))
        ]
        for _trial, points in lines[:_MOST_LINES]:
            series.append(Series(group.method, style(group.method), points))
        if not lines:
            continue
        rates = [pps for _trial, points in lines for _at, pps in points]
        mean = figure(dig(trial, "rates", "pps") for trial, _points_of_it in lines).median
        if mean is not None:
            sent.append(mean)
        said = f"{group.method}: {pps_figure(min(rates))} to {pps_figure(max(rates))} pps arrived"
        said += f", {pps_figure(mean)} were sent" if mean is not None else ""
        if len(lines) > _MOST_LINES:
            said += f", in {len(lines)} trials, of which the first {_MOST_LINES} are drawn"
        words.append(said)
    if not series:
        return None
    title = f"{_ARRIVED}: {here[0].traffic} at {rate_label(here[0].rate)}" + (f", {here[0].host}" if many_hosts else "")
    levels = tuple((f"sent {pps_figure(pps)} pps", pps) for pps in sorted(set(sent))[:2])
    return Chart("lines", title, "; ".join(words) + ".", "seconds", "pps", tuple(series), levels=levels)


def _points(marks: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """The rate that arrived in each interval, at its middle. The last interval is not a whole one."""
    timeline = marks.get("timeline") or {}
    frames, width = [count or 0 for count in timeline.get("frames") or ()][:-1], timeline.get("interval_seconds") or 0
    if len(frames) < 2 or not width:
        return ()
    together = math.ceil(len(frames) / _MOST_POINTS)
    sums = [list(islice(frames, at, at + together)) for at in range(0, len(frames), together)]
    return tuple(
        ((at * together + len(some) / 2) * width, sum(some) / (len(some) * width)) for at, some in enumerate(sums)
    )
