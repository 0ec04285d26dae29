# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath over results, and criteria: expressions that decide whether a run of trials passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._bounded import bounded
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.schema import plain_data

_REMEDY = "See https://jmespath.org/specification.html."


def query(expression: Any, data: Any) -> Any:
    """The expression's value for the data."""
    return _bounded(expression, lambda: _parse(expression).search(plain_data(data)))


def _bounded(expression: Any, work: Callable[[], Any]) -> Any:
    """Evaluate in a bounded child (:mod:`_bounded`): an expression may never end, use all memory, or raise anything."""
    require("jmespath")
    if not isinstance(expression, str):
        raise TrafficgenError(f"the expression is a string, not {type(expression).__name__}")
    try:
        return bounded(lambda: _said(work))
    except TrafficgenError as error:
        raise TrafficgenError(error.what, on=expression, remedy=_REMEDY) from None


def _said(work: Callable[[], Any]) -> Any:
    """The library's own errors need no class name."""
    try:
        return work()
    except require("jmespath").exceptions.JMESPathError as error:
        raise TrafficgenError(" ".join(str(error).split())) from None


def _check_expression(expression: Any) -> None:
    _bounded(expression, lambda: bool(_parse(expression)))


def _parse(expression: str) -> Any:
    return require("jmespath").compile(str(expression))


def check_criteria(criteria: Any) -> list[dict[str, str]]:
    """The criteria as ``{name, expression}``, with unique names and valid expressions."""
    if not isinstance(criteria, Sequence) or isinstance(criteria, str):
        raise TrafficgenError(
            "not a list of criteria", on="throughput_criteria", remedy="Each is {name: ..., expression: ...}."
        )
    checked: list[dict[str, str]] = []
    for number, one in enumerate(criteria, 1):
        on = f"throughput_criteria, entry {number}"
        if not isinstance(one, Mapping) or set(one) != {"name", "expression"} or not str(one["name"]).strip():
            raise TrafficgenError(
                "not a criterion", on=on, remedy="It is {name: ..., expression: ...}, and nothing else."
            )
        if any(other["name"] == one["name"] for other in checked):
            raise TrafficgenError(f"the name {one['name']!r} is used twice", on=on, remedy="Give each its own name.")
        try:
            _check_expression(one["expression"])
        except TrafficgenError as error:
            raise TrafficgenError(
                error.what, on=f"criterion {one['name']!r}: {one['expression']}", remedy=error.remedy
            ) from None
        checked.append({"name": str(one["name"]), "expression": str(one["expression"])})
    return checked


def judge_criteria(criteria: Any, data: Any) -> list[dict[str, Any]]:
    """Each criterion as ``{name, expression, passed, error, measured}``: passed only if it yields true; an error if it
    yields neither true nor false; ``measured``: ``{value, comparison, wanted}`` for each comparison in it."""
    checked = check_criteria(criteria)
    bare = plain_data(data) if checked else None
    return [_judged(one, bare) for one in checked]


def _judged(one: dict[str, str], data: Any) -> dict[str, Any]:
    try:
        passed, error, measured = _bounded(one["expression"], lambda: _evaluate(one["expression"], data))
    except TrafficgenError as failed:
        passed, error, measured = False, failed.what, []
    return {**one, "passed": passed, "error": error, "measured": measured}


def _evaluate(expression: str, data: Any) -> tuple[bool, str | None, list[dict[str, Any]]]:
    """Whether it is met, why it gives no answer, and what was compared with what."""
    compiled = _parse(expression)
    return *_truth(compiled, data), list(_compared(compiled.parsed, data))


_COMPARISONS = {"lt": "<", "lte": "<=", "eq": "==", "ne": "!=", "gte": ">=", "gt": ">"}


def _compared(node: Mapping[str, Any], data: Any) -> Iterator[dict[str, Any]]:
    """The comparisons of the answer itself, each with both of its values; not those of a filter."""
    kind, children = node["type"], node["children"]
    if kind == "comparator":
        value, wanted = (_in_brief(_value(child, data)) for child in children)
        yield {"value": value, "comparison": _COMPARISONS[node["value"]], "wanted": wanted}
    elif kind in ("and_expression", "or_expression", "not_expression"):
        for child in children:
            yield from _compared(child, data)
    elif kind == "pipe":
        yield from _compared(children[1], _value(children[0], data))


def _in_brief(value: Any) -> Any:
    """A value to be shown: lists and objects as text, and that not in full."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= 80 else text[:77] + "..."


def _truth(compiled: Any, data: Any) -> tuple[bool, str | None]:
    value = compiled.search(data)
    if value is None or _selects_nothing(compiled.parsed, data):
        return False, "it selects nothing"
    if isinstance(value, bool):
        return value, None
    return False, f"it yields {_in_brief(json.dumps(value, default=repr))}, neither true nor false"


# These answer even for nothing.
_OF_NOTHING = ("length", "not_null", "type")


def _selects_nothing(node: Mapping[str, Any], data: Any) -> bool:
    """Whether a part of the answer selects nothing. A comparison, negation or function would turn that into a pass.

    Only parts of the answer itself count (and, or, not, comparison, function), not of a filter, where a field may be
    null.
    """
    kind, children = node["type"], node["children"]
    if kind in ("and_expression", "or_expression"):
        return any(_selects_nothing(child, data) for child in children)
    if kind in ("not_expression", "comparator"):
        return any(_is_nothing(child, data, (None, [])) for child in children)
    if kind == "function_expression":
        return node["value"] not in _OF_NOTHING and any(_is_nothing(child, data, ([],)) for child in children)
    if kind == "pipe":
        return _selects_nothing(children[0], data) or _selects_nothing(children[1], _value(children[0], data))
    return False


def _is_nothing(node: Mapping[str, Any], data: Any, nothing: Sequence[Any]) -> bool:
    """Whether the part's value is one of ``nothing``, or made of parts that select nothing. A literal is intended."""
    if node["type"] in ("literal", "expref"):
        return False
    return _value(node, data) in nothing or _selects_nothing(node, data)


def _value(node: Mapping[str, Any], data: Any) -> Any:
    return require("jmespath").visitor.TreeInterpreter().visit(node, data)
