# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The charts of rates: bars by traffic, and lines over time. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, line_rate_pps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Chart, Section, Series
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    bps_figure,
    dig,
    is_number,
    number,
    pps_figure,
    rate_label,
    scaled,
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
THEORY = 5  # the grey style
FLAT = 0.02  # a paced trial within this share of its mean is a flat line
OF_SIZES = (
    "By the frame's bytes on the wire, with FCS. The theoretical line is the most that the link can carry (RFC 2544, "
    "section 26.1)."
)


def left_out(left: int) -> list[str]:
    """A sentence on charts that are not drawn, if any."""
    return [f"Only the first {MAX_CHARTS} charts are drawn, {left} are left out."] if left > 0 else []


def rate_chart_sections(found: Sequence[Group], many_hosts: bool) -> list[Section]:
    """The charts of a result's trials."""
    labels = list(dict.fromkeys(group.method for group in found))
    made = []
    by_rate = grouped(found, lambda group: (group.host, rate_key(group.rate)))
    # Where all sent what was asked for, a chart would only show that.
    limited = [here for here in by_rate.values() if not all(map(_sent_as_asked, here))]
    sizes = _drawn(_size_chart(here, labels.index, many_hosts) for here in _by_host(found).values())
    if sizes:
        made.append(Section("Rate by frame size", [OF_SIZES], charts=sizes[:MAX_CHARTS]))
    bars = _drawn(_bar_chart(here, labels.index, many_hosts) for here in limited)
    if bars:
        text = "Medians of L1: everything a frame occupies on the line. The thin mark spans lowest to highest."
        if any(chart.levels for chart in bars):
            text += " The dashed line is the line rate."
        else:
            text += " No line rate is drawn: the links are virtual, or their speed is unknown."
        made.append(Section("Rate by traffic", [text, *left_out(len(bars) - MAX_CHARTS)], charts=bars[:MAX_CHARTS]))
    elif found and not limited:
        text = "Every method sent what was asked for, so there is nothing to compare. Ask for more, or for top speed."
        made.append(Section("Rate by traffic", [text]))
    by_traffic = grouped(found, lambda group: (group.traffic, group.host, rate_key(group.rate)))
    lines = _drawn(_line_chart(here, labels.index, many_hosts) for here in by_traffic.values())
    if lines:
        text = (
            "Each line is a trial. Each point is the rate since the point before it, not the mean since the start, so "
            "unsteadiness shows."
        )
        made.append(Section("Rate over time", [text, *left_out(len(lines) - MAX_CHARTS)], charts=lines[:MAX_CHARTS]))
    elif any(steps_of(trial) for group in found for trial in group.ok):
        made.append(
            Section("Rate over time", ["The trials that were sampled kept the rate asked for throughout, within 2 %."])
        )
    elif found:
        text = "No trial has two samples, so there is nothing to draw. Let trials last longer than two stats_interval."
        made.append(Section("Rate over time", [text]))
    return made


def _sent_as_asked(group: Group) -> bool:
    """Whether the rate is that of the request, and says nothing of the path."""
    asked = not group.at_top_speed and not group.capped
    return asked and bool(group.ok) and group.reached is not None and group.reached >= REACHED


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
            told.append(f"{name} {bps_figure(known.median)}")
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
    levels = tuple((f"line rate {bps_figure(speed)}", speed) for speed in speeds)
    series = tuple(series for series, _text in made)
    return Chart("bars", _at("L1", here[0], many_hosts), text, "", "L1 Mbps", series, tuple(names), levels)


def _line_chart(here: Sequence[Group], style: Callable[[str], int], many_hosts: bool) -> Chart | None:
    """The groups of a traffic, host and rate."""
    series = []
    words = []
    flat = True  # all as asked for: a chart would only show that
    for group in here:
        trials = [steps for steps in map(steps_of, group.ok) if steps]
        for steps in trials[:MAX_LINES]:
            points = tuple(((begin + end) / 2, pps) for begin, end, pps in steps)
            series.append(Series(group.method, style(group.method), points))
        rates = [pps for steps in trials for _begin, _end, pps in steps]
        if not rates:
            continue
        mean = statistics.fmean(rates)
        flat = flat and _sent_as_asked(group) and max(abs(pps - mean) for pps in rates) <= FLAT * mean
        said = f"{group.method}: {pps_figure(min(rates))} to {pps_figure(max(rates))} pps"
        if mean:
            said += f", standard deviation {share(statistics.pstdev(rates) / mean)} of the mean"
        if len(trials) > MAX_LINES:
            said += f", in {len(trials)} trials, of which the first {MAX_LINES} are drawn"
        words.append(said)
    if not series or flat:
        return None
    title = _at(here[0].traffic, here[0], many_hosts)
    return Chart("lines", title, "; ".join(words) + ".", "seconds", "pps", tuple(series))


# --- By frame size ---


def _by_host(found: Sequence[Group]) -> dict[str, list[Group]]:
    return grouped((group for group in found if not _sent_as_asked(group)), lambda group: group.host)


def _size_chart(here: Sequence[Group], style: Callable[[str], int], many_hosts: bool) -> Chart | None:
    """The highest rate of each method and frame size on a host."""
    known: dict[str, dict[float, float]] = {}
    for group in here:
        size, pps = dig(group.trials[0], "traffic", "wire_frame_size"), group.figure("rates", "pps").median
        if is_number(size) and pps and group.quotable:
            of_method = known.setdefault(group.method, {})
            of_method[size] = max(pps, of_method.get(size, 0.0))
    speed = next((group.link_speed for group in here if group.link_speed), None)
    title = "pps by frame size" + (f", {here[0].host}" if many_hosts else "")
    return size_chart(title, known, speed, style)


def size_chart(
    title: str, known: Mapping[str, Mapping[float, float]], speed: float | None, style: Callable[[str], int]
) -> Chart | None:
    """Rates by frame size, a line for each label, and what a link of ``speed`` Mbit/s can carry; None for fewer than
    two sizes."""
    sizes = sorted({size for points in known.values() for size in points})
    if len(sizes) < 2:
        return None
    series, words = [], []
    for label, points in known.items():
        in_order = sorted(points.items())
        series.append(Series(label, style(label), tuple((sizes.index(size), pps) for size, pps in in_order)))
        words.append(
            f"{label}: " + ", ".join(f"{scaled(pps, 'pps')} at {number(size)} bytes" for size, pps in in_order)
        )
    if speed:
        most = [line_rate_pps(Size.of(size, "wire"), speed) for size in sizes]
        series.append(Series(f"theoretical line, {bps_figure(speed)}", THEORY, tuple(enumerate(most))))
    else:
        words.append("no theoretical line: a virtual link, or its speed is unknown")
    names = tuple(number(size) for size in sizes)
    return Chart("sizes", title, f"{'; '.join(words)}.", "bytes on the wire", "pps", tuple(series), names)
