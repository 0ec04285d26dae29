# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Markdown with GitHub's tables. Charts become text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Cell, Page, Section, Table
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import DASH, one_line

# Markdown ignores an underscore within a word; escaping it would only make names hard to read.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&{}!$]|(?<![^\W_])_|_(?![^\W_])")
_BEGINS_LIST = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "{": "&#123;", "}": "&#125;"}


def escape(text: str) -> str:
    """Text escaped for Markdown, in one line, also for a table's cell."""
    line = "".join(character if character.isprintable() else " " for character in one_line(text))
    line = _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], "\\" + match[0]), line)
    return _BEGINS_LIST.sub(lambda match: f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}", line)


def code(text: str) -> str:
    """Text as a code span in a table's cell."""
    line = one_line(text)
    if not line.isprintable() or any(mark in line for mark in ("{{", "{%", "{#")):  # code cannot contain entities
        return escape(text)
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def to_markdown(page: Page) -> str:
    """The page as Markdown."""
    sign = {True: "✔ ", False: "✘ "}.get(page.passed, "") if page.passed is not None else ""
    badges = "".join(f" ({escape(badge)})" for badge in page.badges)
    lines = [f"# {escape(page.title)}", "", f"**{sign}{escape(page.verdict)}**{badges}", ""]
    found = [
        f"- **{escape(one.figure)}** {escape(one.what)}{escape(': ' + one.detail if one.detail else '')}"
        for one in page.findings
    ]
    lines += [*found, ""] if found else []
    lines += _list(page.answers)
    lines += _list(page.failures)
    lines += _list(page.asked)
    for section in page.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _list(items: Iterable[str]) -> list[str]:
    lines = [f"- {escape(item)}" for item in items]
    return [*lines, ""] if lines else []


def _section(section: Section) -> list[str]:
    lines = [f"## {escape(section.title)}", ""]
    for text in section.text:
        lines += [escape(text), ""]
    for table in section.tables:
        lines += _table(table, section.title)
    lines += _list(f"{chart.title}: {chart.text}" for chart in section.charts)
    return lines


def _table(table: Table, title: str) -> list[str]:
    lines = [f"### {escape(table.caption)}", ""] if table.caption != title else []
    lines.append("| " + " | ".join(escape(column) for column in table.columns) + " |")
    lines.append(
        "|" + "|".join("---:" if index in table.numeric else "---" for index in range(len(table.columns))) + "|"
    )
    lines += ["| " + " | ".join(_cell(cell, table) for cell in row) + " |" for row in table.rows]
    lines.append("")
    if table.notes:
        lines += [f"{index}. {escape(note)}" for index, note in enumerate(table.notes, start=1)]
        lines.append("")
    for sentence in table.left_out:
        lines += [escape(sentence), ""]
    return lines


def _cell(cell: Cell, table: Table) -> str:
    text = code(cell.text) if cell.look == "code" and cell.text != DASH else escape(cell.text)
    if cell.look == "unquotable":
        text = f"~~{text}~~"
    elif cell.look in ("changed", "bad"):
        text = f"**{text}**"
    if cell.detail:
        text += f" ({escape(cell.detail)})"
    if cell.notes:
        text += f" \\[{','.join(map(str, table.note_numbers(cell)))}\\]"
    return text
