# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of reports share: recorded results, and a page's contents."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

FIXTURES = Path(__file__).parents[4] / "fixtures" / "throughput"
NAMES = (
    "first_user",
    "first_user_native",
    "troubles",
    "search",
    "namespaces",
    "namespaces_dropping",
    "marks",
    "example",
)


def load(name):
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def table_of(made, caption):
    """A table of a page as rows of {column: cell}."""
    table = next(table for section in made.sections for table in section.tables if table.caption.startswith(caption))
    return [dict(zip(table.columns, row)) for row in table.rows]


def left_out(made, caption):
    """The sentences on columns that a table of a page would have for nothing."""
    table = next(table for section in made.sections for table in section.tables if table.caption.startswith(caption))
    return list(table.left_out)


class Document(HTMLParser):
    """What a page is made of: its elements, its words, and each table as rows of cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open, self.unclosed = [], [], [], []
        self.tables = []
        self.feed(text)

    VOID = ("meta", "link", "br", "img", "path", "rect", "use", "circle")

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append(0)
        if tag in ("td", "th"):
            self.tables[-1][-1] += 1

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def handle_data(self, data):
        self.words.append(data)
