# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The charts of rates: bars by traffic, and lines over time. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Chart, Section, Series
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    mbps_figure,
    number,
    pps_figure,
    rate_label,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    Group,
    figure,
    grouped,
    rate_key,
    steps_of,
)

MAX_CHARTS = 48  # charts of a kind: a fleet's page must still open on a phone
MAX_LINES = 12  # lines of a method in one chart: more cannot be told apart
MAX_BARS = 48  # traffic in one chart


def left_out(left: int) -> list[str]:
    """A sentence on charts that are not drawn, if any."""
    return [f"Only the first {MAX_CHARTS} charts are drawn, {left} are left out."] if left > 0 else []


def rate_chart_sections(found: Sequence[Group], many_hosts: bool) -> list[Section]:
    """The charts of a result's trials."""
    labels = list(dict.fromkeys(group.method for group in found))
    made = []
    by_rate = grouped(found, lambda group: (group.host, rate_key(group.rate)))
    bars = _drawn(_bar_chart(here, labels.index, many_hosts) for here in by_rate.values())
    if bars:
        text = "Medians in L1 Mbps: everything a frame occupies on the line. The thin mark spans lowest to highest."
        if any(chart.levels for chart in bars):
            text += " The dashed line is the line rate."
        else:
            text += " No line rate is drawn: the links are virtual, or their speed is unknown."
        made.append(Section("Rate by traffic", [text, *left_out(len(bars) - MAX_CHARTS)], charts=bars[:MAX_CHARTS]))
    by_traffic = grouped(found, lambda group: (group.traffic, group.host, rate_key(group.rate)))
    lines = _drawn(_line_chart(here, labels.index, many_hosts) for here in by_traffic.values())
    if lines:
        text = (
            "Each line is a trial. Each point is the rate since the point before it, not the mean since the start, so "
            "unsteadiness shows."
        )
        made.append(Section("Rate over time", [text, *left_out(len(lines) - MAX_CHARTS)], charts=lines[:MAX_CHARTS]))
    elif found:
        text = "No trial has two samples, so there is nothing to draw. Let trials last longer than two stats_interval."
        made.append(Section("Rate over time", [text]))
    return made


def _drawn(charts: Iterable[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart]


def _at(what: str, group: Group, many_hosts: bool) -> str:
    return f"{what} at {rate_label(group.rate)}" + (f", {group.host}" if many_hosts else "")


def bars(label: str, style: int, names: Sequence[str], by_traffic: Mapping[str, Group]) -> tuple[Series, str] | None:
    """The bars of one method, one for each traffic, and the same in words; None if no rate can be quoted."""
    points: list[tuple[float | None, float | None, float | None] | None] = []
    told = []
    for name in names:
        group = by_traffic.get(name)
        known = group.figure("rates", "l1_mbps") if group and group.quotable else figure(())
        points.append(None if known.median is None else (known.median, known.low, known.high))
        if known.median is not None:
            told.append(f"{name} {mbps_figure(known.median)}")
    return (Series(label, style, tuple(points)), f"{label}: {', '.join(told)}") if told else None


def _bar_chart(here: Sequence[Group], style: Callable[[str], int], many_hosts: bool) -> Chart | None:
    """The groups of a host and rate."""
    every = list(dict.fromkeys(group.traffic for group in here))
    names = every[:MAX_BARS]
    made = []
    hidden = []
    for label, of_method in grouped(here, lambda group: group.method).items():
        drawn = bars(label, style(label), names, {group.traffic: group for group in reversed(of_method)})
        if drawn:
            made.append(drawn)
        else:
            hidden.append(label)
    if not made:
        return None
    words = [text for _series, text in made]
    if len(every) > MAX_BARS:
        words.append(f"only the first {MAX_BARS} of {len(every)} are drawn")
    text = f"{'; '.join(words)}." + (f" Not drawn, see the tables: {', '.join(sorted(hidden))}." if hidden else "")
    speeds = sorted({group.link_speed for group in here if group.link_speed})
    levels = tuple((f"line rate {number(speed)} Mbps", speed) for speed in speeds)
    series = tuple(series for series, _text in made)
    return Chart("bars", _at("L1 Mbps", here[0], many_hosts), text, "", "L1 Mbps", series, tuple(names), levels)


def _line_chart(here: Sequence[Group], style: Callable[[str], int], many_hosts: bool) -> Chart | None:
    """The groups of a traffic, host and rate."""
    series = []
    words = []
    for group in here:
        trials = [steps for steps in map(steps_of, group.ok) if steps]
        for steps in trials[:MAX_LINES]:
            points = tuple(((begin + end) / 2, pps) for begin, end, pps in steps)
            series.append(Series(group.method, style(group.method), points))
        rates = [pps for steps in trials for _begin, _end, pps in steps]
        if not rates:
            continue
        mean = statistics.fmean(rates)
        said = f"{group.method}: {pps_figure(min(rates))} to {pps_figure(max(rates))} pps"
        if mean:
            said += f", standard deviation {share(statistics.pstdev(rates) / mean)} of the mean"
        if len(trials) > MAX_LINES:
            said += f", in {len(trials)} trials, of which the first {MAX_LINES} are drawn"
        words.append(said)
    if not series:
        return None
    title = _at(here[0].traffic, here[0], many_hosts)
    return Chart("lines", title, "; ".join(words) + ".", "seconds", "pps", tuple(series))
