# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a single HTML file: no network, no script, charts as inline SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.charts import MARKS, STYLES, logarithmic, svg
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Chart, Page, Series

_FOLDER = Path(__file__).parent
# The patterns of the bars.
_PATTERNS = (
    '<path d="M0 0h6v6h-6z" stroke="none"/>',
    '<path d="M0 6 6 0M-1 1 1-1M5 7 7 5" stroke-width="2"/>',
    '<circle cx="3" cy="3" r="1.7" stroke="none"/>',
    '<path d="M0 3h6" stroke-width="2"/>',
    '<path d="M3 0v6" stroke-width="2"/>',
    '<path d="M0 0 6 6M0 6 6 0" stroke-width="1"/>',
)


def to_html(page: Page) -> str:
    """The page as HTML."""
    require("pygal")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    numbers = iter(range(1, 1 << 30))
    sections = [
        {
            "title": section.title,
            "anchor": f"part-{index}",
            "text": section.text,
            "folded": section.folded,
            "tables": [(next(numbers), table) for table in section.tables],
            "charts": [_chart_values(chart) for chart in section.charts],
        }
        for index, section in enumerate(page.sections, start=1)
    ]
    text = environment.get_template("report.html.j2").render(
        page=page,
        sections=sections,
        # Both are the collection's own text; nothing in them comes from a user or a host.
        css=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704  (a file of this collection)
        patterns=[Markup(body) for body in _PATTERNS],  # noqa: S704  (constants of this file)
        marks=MARKS,
    )
    return inert(text)


def _chart_values(chart: Chart) -> dict[str, Any]:
    keys: dict[str, Series] = {}
    for series in chart.series:
        keys.setdefault(series.label, Series(series.label, series.style % STYLES, ()))
    return {
        "kind": chart.kind,
        "title": chart.title,
        "text": chart.text,
        "unit": f"{chart.y_title}, logarithmic" if logarithmic(chart) else chart.y_title,
        "legend": list(keys.values()),
        "svg": Markup(svg(chart)),  # noqa: S704  (an XML library wrote it)
    }


def inert(text: str) -> str:
    """Text that Ansible does not take for a template, whatever a name in a result contains. It reads the same as HTML
    or Markdown."""
    for mark in ("{{", "{%", "{#"):
        text = text.replace(mark, "&#123;" * mark.count("{") + mark.lstrip("{"))
    return text
