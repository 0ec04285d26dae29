# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of both forms of a page, HTML and Markdown, and of the charts."""

from __future__ import annotations

import re
import sys

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.charts import log_ticks, short, svg, ticks
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.html import to_html
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import code, escape, to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Chart, Series
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import (
    FIXTURES,
    NAMES,
    Document,
    load,
)


@pytest.mark.parametrize(
    "names", [*((name,) for name in NAMES), ("first_user", "first_user_native"), ("namespaces", "namespaces_dropping")]
)
def test_html_is_whole_and_needs_nothing_else(names):
    results = [load(name) for name in names]
    text = to_html(page(results))
    document = Document(text)
    assert (document.open, document.unclosed) == ([], [])
    tags = {tag for tag, _dummy in document.elements}
    assert not tags & {"script", "iframe", "img", "object", "embed", "base", "form"}
    for tag, attributes in document.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:,")), (tag, attributes)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    for rows in document.tables:
        assert len(set(rows)) == 1, "each row has a cell for each column"
    links = {attributes["href"][1:] for tag, attributes in document.elements if tag == "a"}
    assert links <= {attributes.get("id") for _dummy, attributes in document.elements}
    identities = [attributes["id"] for _dummy, attributes in document.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    charts = sum(len(section.charts) for section in page(results).sections)
    drawn = [attributes for tag, attributes in document.elements if tag == "svg" and attributes.get("role") == "img"]
    assert len(drawn) == charts > 0


def test_the_example_in_the_guides_is_of_this_look():
    made = (FIXTURES.parents[2] / "docs" / "example-report.md").read_text(encoding="utf-8")
    again = "ansible-playbook tests/report/example.yml --tags report"
    assert made == to_markdown(page(load("example"))), f"Write it anew: {again}"


def test_html_is_small():
    assert len(to_html(page(load("first_user"))).encode()) < 130_000


def test_names_do_not_break_the_html():
    text = to_html(page(load("troubles")))
    document = Document(text)
    assert "script" not in {tag for tag, _dummy in document.elements}
    assert not {"em", "b", "i"} & {tag for tag, _dummy in document.elements}
    assert '<script>alert(1)</script> | "x" `y` *z* {{ 7 * 7 }}\n# head' in "".join(document.words)
    assert not re.search(r"\{[{%#]", text), "Ansible would take it for a template"


def test_a_chart_has_no_style_or_script_of_its_own():
    for section in page(load("first_user")).sections:
        for chart in section.charts:
            drawn = svg(chart)
            assert drawn.startswith('<svg class="chart ')
            assert not re.search("<(style|script|defs|desc|!--)", drawn)
            assert f"<title>{chart.title}</title>" in drawn
            points = sum(len(series.points) for series in chart.series)
            assert drawn.count("<rect " if chart.kind == "bars" else "<use ") >= points
            marks = re.findall(r"<(?:use|rect) [^>]*><title>([^<]+)</title>", drawn)
            assert len(marks) == sum(point is not None for series in chart.series for point in series.points)
            assert all(any(mark.startswith(f"{series.label}, ") for series in chart.series) for mark in marks)


def test_a_level_is_where_the_axis_has_it():
    chart = Chart("bars", "t", "", "", "", (Series("a", 0, ((500, 500, 500),)),), ("x",), (("line", 500.0),))
    drawn = svg(chart)
    level = float(re.search(r'level-0"><path d="M0 ([\d.]+)', drawn)[1])
    column = float(re.search(r'<rect x="[\d.]+" y="([\d.]+)"', drawn)[1])
    assert level == pytest.approx(column, abs=0.2)


def test_ticks():
    assert ticks(1.6e6) == [0, 500e3, 1e6, 1.5e6, 2e6]
    assert ticks(0) == [0, 1]
    assert ticks(10) == [0, 2, 4, 6, 8, 10]
    assert log_ticks(760e3, 12.2e6) == [500e3, 1e6, 2e6, 5e6, 10e6, 20e6]
    assert [short(value) for value in (0, 999, 1500, 2.5e6, 1e10)] == ["0", "999", "1.5k", "2.5M", "10G"]


def test_without_pygal(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygal", None)
    with pytest.raises(TrafficgenError, match=r"pygal.*pip install pygal"):
        to_html(page(load("first_user")))
    assert to_markdown(page(load("first_user")))


def cells(line):
    return re.split(r"(?<!\\)\|", line)[1:-1]


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), ("first_user", "first_user_native")])
def test_markdown_tables_are_whole(names):
    text = to_markdown(page([load(name) for name in names]))
    lines = text.splitlines()
    tables = 0
    for index, line in enumerate(lines):
        if re.fullmatch(r"\|(-+:?\|)+", line):
            tables += 1
            width = len(cells(line))
            assert lines[index - 2].startswith(("#", "")) or not lines[index - 2]
            rows = [lines[index - 1]]
            for row in lines[index + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append(row)
            assert {len(cells(row)) for row in rows} == {width}
    assert tables == sum(len(section.tables) for section in page([load(name) for name in names]).sections)


def test_names_do_not_break_the_markdown():
    text = to_markdown(page(load("troubles")))
    outside = re.sub(r"(`+).*?\1", "", text)
    assert not re.search(r"(?<!\\)<[a-z/]", outside)
    assert not re.search(r"\{[{%#]", text)
    assert (
        text.splitlines()[0]
        == r'# &lt;script&gt;alert(1)&lt;/script&gt; \| "x" \`y\` \*z\* &#123;&#123; 7 \* 7 &#125;&#125; \# head'
    )


def test_escape():
    assert escape("tcp_port_scan_64") == "tcp_port_scan_64"
    assert escape("_a_ b\n- c") == r"\_a\_ b - c"
    assert [escape(text) for text in ("1. x", "- x", "+ x", "1) x", "10.0")] == [
        r"1\. x",
        r"\- x",
        r"\+ x",
        r"1\) x",
        "10.0",
    ]
    assert escape("[a](javascript:b) ![c](d)") == r"\[a\](javascript:b) \!\[c\](d)"
    assert code("a|b `c`") == r"`` a\|b `c` ``"
    assert code("{{ x }}") == "&#123;&#123; x &#125;&#125;"


def test_both_forms_have_the_same_figures():
    result = load("first_user")
    words = " ".join("".join(Document(to_html(page(result))).words).split())
    text = to_markdown(page(result))
    for section in page(result).sections:
        for table in section.tables:
            for row in table.rows:
                for cell in row:
                    assert cell.text in words
                    assert (code(cell.text) if cell.look == "code" else escape(cell.text)) in text
