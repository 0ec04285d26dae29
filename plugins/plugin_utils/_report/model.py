# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a report: sections with sentences, tables and charts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import DASH

TEXT, NUMBER = "text", "number"  # kinds of columns: numbers are right-aligned

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a second line, its notes, and how it looks (good, warn, bad, changed, unquotable, code, or
    nothing)."""

    text: str
    detail: str = ""
    notes: tuple[str, ...] = ()
    look: str = ""

    @property
    def long(self) -> bool:
        """Whether it has a word, such as a hash, that is too long for one line."""
        return self.look != "code" and any(len(word) > 24 for word in self.text.split())


def no_figure(why: str, *notes: str) -> Cell:
    """A dash, with the reason."""
    return Cell(DASH, notes=(why, *notes))


@dataclass(frozen=True)
class Column(Generic[_Row]):
    """A column: its heading, its kind, and the function that makes its cell from a row's item. A plain cell may be a
    string."""

    heading: str
    kind: str
    cell: Callable[[_Row], Cell | str]


def host_column(many_hosts: bool, host: Callable[[_Row], str]) -> list[Column[_Row]]:
    """The column of hosts, if there are several."""
    return [Column("Host", TEXT, host)] if many_hosts else []


def _left_out(heading: str, cells: Iterable[Cell]) -> str:
    """Why a column is not shown."""
    reasons = "; ".join(dict.fromkeys(note for cell in cells for note in cell.notes))
    return f"Not shown: {heading}" + (f" ({reasons})." if reasons else ".")


@dataclass(frozen=True)
class Table:
    """A table. The first column is the row header; ``numeric``: the right-aligned columns; ``left_out``: a sentence for
    each column that would have no figure at all."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: Sequence[int] = ()
    left_out: Sequence[str] = ()

    @classmethod
    def of(cls, caption: str, columns: Sequence[Column[_Row]], items: Iterable[_Row]) -> Table:
        """A table with a row for each item, without the columns in which every cell is a dash."""
        made = ([column.cell(item) for column in columns] for item in items)
        rows = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in made]
        empty = [index for index in range(1, len(columns)) if rows and all(row[index].text == DASH for row in rows)]
        kept = [index for index in range(len(columns)) if index not in empty]
        return cls(
            caption,
            [columns[index].heading for index in kept],
            [[row[index] for index in kept] for row in rows],
            [place for place, index in enumerate(kept) if columns[index].kind == NUMBER],
            [_left_out(columns[index].heading, [row[index] for row in rows]) for index in empty],
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        notes = dict.fromkeys(note for row in self.rows for cell in row for note in cell.notes)
        return {note: number for number, note in enumerate(notes, start=1)}

    @property
    def notes(self) -> list[str]:
        """The notes, each once, in the order of their numbers."""
        return list(self._numbers)

    def note_numbers(self, cell: Cell) -> list[int]:
        """The numbers of a cell's notes."""
        return [self._numbers[note] for note in dict.fromkeys(cell.notes)]


@dataclass(frozen=True)
class Series:
    """One series: ``points`` are (x, y); for bars, (value, low, high) or None for each category."""

    label: str
    style: int  # picks colour and shape
    points: tuple[Any, ...]


@dataclass(frozen=True)
class Chart:
    """A chart of ``kind`` lines, bars, steps or sizes. ``text`` describes it for readers who cannot see it; ``window``:
    the part of the axis of values that is drawn, where that is not all from 0 on."""

    kind: str
    title: str
    text: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    categories: tuple[str, ...] = ()
    levels: tuple[tuple[str, float], ...] = ()  # horizontal lines: a label and a value
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page. ``folded``: collapsed on a screen, open on paper."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    folded: bool = False


@dataclass(frozen=True)
class Finding:
    """A line of the answer: ``figure`` of ``what``, and what has to be known beside it."""

    figure: str
    what: str
    detail: str = ""
    look: str = ""


@dataclass(frozen=True)
class Page:
    """The whole report. ``passed`` is the answer to the criteria; None if none were given, and for a comparison."""

    title: str
    passed: bool | None
    verdict: str
    asked: list[str]
    answers: list[str]
    failures: list[str]
    sections: list[Section]
    kind: str = "Throughput test"
    findings: Sequence[Finding] = ()
    badges: Sequence[str] = ()
