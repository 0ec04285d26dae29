# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The charts of a report as SVG, by pygal.

pygal puts a style sheet and a script into each chart, larger than the chart itself. We remove them: the page has one
style sheet, with colours for dark mode and paper. Colours are never the only difference: lines also have dashes and
marks, bars have patterns.
"""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Chart, Series
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import number, scaled

STYLES = 6  # colours, dashes, marks and patterns in the page's style sheet

# About the width of a phone, so that the text is readable there.
_WIDTH, _HEIGHT = 420, 230
_LETTER, _LINE = 6.6, 12  # of a label, in the same unit
_MOST_LINES = 3
_MARGIN = 6
_FONTS = {"label_font_size": 11, "major_label_font_size": 11, "legend_font_size": 12, "title_font_size": 12}
_GONE = ("style", "script", "desc", "defs", "title")
_FIGURE = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
MARKS = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",  # circle
    "M-3-3h6v6h-6z",  # square
    "M0-4 3.6 2.6h-7.2z",  # triangle
    "M0-4 4 0 0 4-4 0z",  # diamond
    "M-3.5-3.5 3.5 3.5M-3.5 3.5 3.5-3.5",  # cross
    "M0 4 3.6-2.6h-7.2z",  # triangle, upside down
)


def short(value: float) -> str:
    """A number for an axis: ``1.2M``, ``500k``, ``0``."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def ticks(top: float) -> list[float]:
    """Four to six round steps from 0 to at least ``top``."""
    if not top > 0:
        return [0.0, 1.0]
    rough = top / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))
    return [index * step for index in range(math.ceil(top / step - 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Steps of 1, 2 and 5 times a power of ten around ``low`` and ``high``; only powers of ten if that gives too
    many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [digit * 10.0**decade for decade in decades for digit in ((1, 2, 5) if len(decades) <= 4 else (1,))]
    below = max(step for step in steps if step <= low * (1 + 1e-9))
    above = min(step for step in [*steps, 10.0 ** (decades[-1] + 1)] if step >= high * (1 - 1e-9))
    return [step for step in [*steps, 10.0 ** (decades[-1] + 1)] if below <= step <= above]


def ticks_between(low: float, high: float) -> list[float]:
    """Four to seven round steps that span ``low`` to ``high``."""
    step = ticks(high - low)[1]
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def svg(chart: Chart) -> str:
    """One chart as an ``<svg>`` element, for a page with the style sheet."""
    drawn = {"lines": _lines, "bars": _bars, "steps": _steps, "sizes": _by_size}[chart.kind](chart)
    root = drawn.render_tree()
    _levels(root, chart)
    if chart.kind == "bars":
        _wrap(root, chart)
    return _lean(root, chart)


def _values(chart: Chart) -> list[float]:
    """The values that the axis must cover."""
    points = [point for series in chart.series for point in series.points if point is not None]
    drawn = [point[2] for point in points] if chart.kind == "bars" else [y for _dummy, y in points]
    # Leave room above a level for its label, and for a bar as high as it.
    return [*drawn, *(level * (1 if chart.kind == "steps" else 1.08) for _dummy, level in chart.levels)]


def logarithmic(chart: Chart) -> bool:
    """Logarithmic for searches that span decades and found nothing to look at more closely."""
    values = _values(chart)
    steps = chart.kind == "steps" and chart.window is None
    return steps and bool(values) and min(values) > 0 and max(values) >= 10 * min(values)


def axis(chart: Chart) -> list[float]:
    """The steps of the axis of values."""
    if chart.window is not None:
        return ticks_between(*chart.window)
    values = _values(chart)
    return log_ticks(min(values), max(values)) if logarithmic(chart) else ticks(max(values, default=0.0))


def place(chart: Chart, value: float) -> float:
    """A value's place on the axis. pygal's own logarithmic mode would make both axes logarithmic."""
    return math.log10(value) if logarithmic(chart) else value


def _options(chart: Chart) -> dict[str, Any]:
    labels = axis(chart)
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "js": (),
        "css": (),
        "style": require("pygal").style.Style(**_FONTS),
        "show_legend": False,  # the page has its own in HTML, which wraps on a phone
        "x_title": chart.x_title or None,
        "include_x_axis": not logarithmic(chart) and chart.window is None,
        "y_labels": [{"value": place(chart, value), "label": short(value)} for value in labels],
        "range": (place(chart, labels[0]), place(chart, labels[-1])),
        "margin": _MARGIN,
        "no_data_text": "no data",
        "value_formatter": short,
    }


def _lines(chart: Chart) -> Any:
    points = [point for series in chart.series for point in series.points]
    labels = ticks(max((x for x, _dummy in points), default=0.0))
    drawn = require("pygal").XY(
        **{
            **_options(chart),
            "x_labels": labels,
            "xrange": (0, labels[-1]),
            "dots_size": 2.5,
            "x_value_formatter": short,
        }
    )
    for series in chart.series:
        drawn.add(series.label, list(series.points))
    return drawn


def _by_size(chart: Chart) -> Any:
    """Lines over sizes, which are evenly spaced, as in the field's own reports."""
    drawn = require("pygal").XY(
        **{
            **_options(chart),
            "x_labels": [{"value": index, "label": size} for index, size in enumerate(chart.categories)],
            "xrange": (-0.3, len(chart.categories) - 0.7),
            "dots_size": 2.5,
        }
    )
    for series in chart.series:
        drawn.add(series.label, list(series.points))
    return drawn


def _steps(chart: Chart) -> Any:
    points = [point for series in chart.series for point in series.points]
    last = max((x for x, _dummy in points), default=1)
    every = max(1, math.ceil(last / 12))
    drawn = require("pygal").XY(
        **{
            **_options(chart),
            "stroke": False,
            "x_labels": list(range(0, last + every, every)),
            "xrange": (0, last + 1),
            "x_value_formatter": short,
        }
    )
    for series in chart.series:
        drawn.add(series.label, [(x, place(chart, y)) for x, y in series.points])
    return drawn


def _bars(chart: Chart) -> Any:
    lines = max((len(label) for label in _labels(chart)), default=1)
    drawn = require("pygal").Bar(
        **{**_options(chart), "x_labels": list(chart.categories), "margin_bottom": _MARGIN + _LINE * (lines - 1)}
    )
    for series in chart.series:
        values: list[Any] = []
        for point in series.points:
            if point is None:
                values.append(None)
                continue
            value, low, high = point
            values.append({"value": value, "ci": {"low": low, "high": high}} if low != high else value)
        drawn.add(series.label, values)
    return drawn


def _labels(chart: Chart) -> list[list[str]]:
    """The names below the bars, wrapped to their width; the text below the chart has the full names."""
    room = max(3, int((_WIDTH - 60) / max(1, len(chart.categories)) / _LETTER))
    made = []
    for name in chart.categories:
        lines: list[str] = []
        for part in re.findall(r"[^\s_.:/-]*[\s_.:/-]?", name):
            for piece in re.findall(f"(?s).{{1,{room}}}", part):
                if lines and len(lines[-1]) + len(piece) <= room:
                    lines[-1] += piece
                else:
                    lines.append(piece)
        if len(lines) > _MOST_LINES:
            lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][: room - 1]}…"]
        made.append(lines or [""])
    return made


def _wrap(root: Any, chart: Chart) -> None:
    axis_x = next((group for group in root.iter("g") if str(group.get("class")).startswith("axis x")), None)
    texts = [] if axis_x is None else list(axis_x.iter("text"))
    for text, lines in zip(texts, _labels(chart)):
        text.text = lines[0]
        for line in lines[1:]:
            ElementTree.SubElement(text, "tspan", {"x": text.get("x"), "dy": str(_LINE)}).text = line


def _levels(root: Any, chart: Chart) -> None:
    """The horizontal lines, which pygal lacks: line rate, bounds."""
    plot = next(group for group in root.iter("g") if group.get("class") == "plot")
    width = float(plot.find("rect").get("width"))
    for index, (label, value) in enumerate(chart.levels):
        y = _height_of(plot, chart, value)
        group = ElementTree.SubElement(plot, "g", {"class": f"level level-{index}"})
        ElementTree.SubElement(group, "path", {"d": f"M0 {y:.1f} h{width:.1f}"})
        # The first label above its line, the second below: a search's bounds are close together, the higher one first.
        below = index % 2 == 1 or y < 14
        # A search ends near its bounds, so its labels are at the begin.
        x = 4.0 if chart.kind == "steps" else width - 4
        ElementTree.SubElement(group, "text", {"x": f"{x:.1f}", "y": f"{y + (12 if below else -4):.1f}"}).text = label


def _height_of(plot: Any, chart: Chart, value: float) -> float:
    """A value's height, from the lines that pygal drew for the lowest and highest step of the axis."""
    group = next(group for group in plot.iter("g") if str(group.get("class")).startswith("axis y"))
    drawn = [path for path in group.iter("path") if {"guide", "axis"} & set(path.get("class").split())]
    lines = [float(re.split("[ ,]", path.get("d"))[1]) for path in drawn]
    bottom, top = max(lines), min(lines)
    low, high = place(chart, axis(chart)[0]), place(chart, axis(chart)[-1])
    return bottom - (bottom - top) * (place(chart, value) - low) / (high - low)


def _shape(element: Any, style: int, titles: list[str]) -> None:
    """The dots of a series as marks of its shape, defined once on the page. Each mark and bar says what it is."""
    left = iter(titles)
    for dots in [group for group in element.iter("g") if group.get("class") == "dots"]:
        dot = dots.find("circle")
        dots.tag, dots.attrib = "use", {"href": f"#m{style}", "x": dot.get("cx"), "y": dot.get("cy")}
        dots.remove(dot)
        ElementTree.SubElement(dots, "title").text = next(left)
    for block in [rect for rect in element.iter("rect") if str(rect.get("class")).startswith("rect")]:
        ElementTree.SubElement(block, "title").text = next(left)


def _titles(chart: Chart, series: Series) -> list[str]:
    """What each point of a series is."""
    if chart.kind == "bars":
        points = [(name, point) for name, point in zip(chart.categories, series.points) if point is not None]
        return [f"{series.label}, {name}: {_range(chart, point)}" for name, point in points]
    said = []
    for x, y in series.points:
        at = {"sizes": lambda x: f"{chart.categories[x]} bytes", "steps": lambda x: f"trial {x}"}.get(
            chart.kind, lambda x: f"{x:.1f} s"
        )(x)
        said.append(f"{series.label}, {at}: {number(y)} pps")
    return said


def _range(chart: Chart, point: tuple[float, float, float]) -> str:
    value, low, high = (scaled(each * 1e6, "bps") for each in point)
    return value if low == high else f"{value} ({low} to {high})"


def _lean(root: Any, chart: Chart) -> str:
    """The chart without parts the page does not need, with different marks, and a name for screen readers."""
    styles = {f"serie-{index}": series for index, series in enumerate(chart.series)}
    for parent in list(root.iter()):
        for child in list(parent):
            name = str(child.get("class") or "")
            overlay = "tooltip-overlay" in name or "text-overlay" in name
            gone = overlay or not isinstance(child.tag, str) or child.tag in _GONE
            background = child.tag == "rect" and name == "background"
            empty = child.tag == "g" and len(child) == 0
            if gone or background or empty:
                parent.remove(child)
    for element in list(root.iter()):
        words = str(element.get("class") or "").split()
        series = next((styles[word] for word in words if word in styles), None)
        if series is not None:
            element.set("class", f"s{series.style % STYLES}")
            _shape(element, series.style % STYLES, _titles(chart, series))
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key in ("id", "rx", "ry") or not value:
                del element.attrib[key]
            elif key == "class":
                element.set(key, value.replace(" reactive", "").replace(" tooltip-trigger", ""))
            elif key not in ("viewBox", "href"):
                element.set(key, _FIGURE.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), value))
    root.attrib = {"class": f"chart {chart.kind}", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img"}
    title = ElementTree.Element("title")
    title.text = chart.title
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")
