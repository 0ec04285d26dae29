# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throughput result as JUnit XML: a test case for each trial, search and criterion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import (
    check_result,
    unfinished_words,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import title

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: Mapping[str, Any]) -> str:
    """The XML. An unmet criterion and a search without a find are failures. A failed trial or a criterion without an
    answer is an error.

    :raises TrafficgenError: it is no result of schema 1.
    """
    library = require("junitparser")
    result = check_result(result)
    suites = library.JUnitXml(_clean(result["name"]))

    def suite(name: str, cases: list[tuple[str, str, float, Any]]) -> None:
        one = library.TestSuite(name)
        made = []
        for case_name, group, seconds, outcome in cases:
            case = library.TestCase(_clean(case_name), classname=_clean(f"throughput.{group}"), time=round(seconds, 3))
            if outcome is not None:
                case.result = [outcome]
            made.append(case)
        one.add_testcases(made)  # one at a time would count all of them each time
        if cases:
            suites.add_testsuite(one)

    unfinished = result.get("unfinished")
    if unfinished:
        suite("test", [("comes to its end", "test", 0.0, library.Error(unfinished_words(unfinished)))])
    suite("trials", [_trial(one, library) for one in result["trials"]])
    suite("searches", [_search(one, library) for one in result["searches"]])
    suite("criteria", [(one["name"], "criteria", 0.0, _criterion(one, library)) for one in result["criteria"]])
    suites.update_statistics()
    text: Any = suites.tostring()
    return text.decode() if isinstance(text, bytes) else str(text)


def _trial(one: Mapping[str, Any], library: Any) -> tuple[str, str, float, Any]:
    run = one["run"] or {}
    seconds = run["ended"] - run["started"] if run.get("started") and run.get("ended") else 0.0
    return (
        f"{one['host']}, {title(one, one['traffic']['name'])}",
        one["host"],
        seconds,
        library.Error(_clean(one["error"])) if one["status"] != "ok" else None,
    )


def _search(one: Mapping[str, Any], library: Any) -> tuple[str, str, float, Any]:
    name = f"{one['host']}, {one['search']}: {one['traffic']['name']}, {one['injection_method']}"
    seconds = sum(step.get("seconds") or 0.0 for step in one["trials"])
    outcome = None
    if one["status"] != "found":
        kind = library.Failure if one["status"] == "not_found" else library.Error
        outcome = kind(_clean(one["reason"]))
    return name, one["host"], seconds, outcome


def _criterion(one: Mapping[str, Any], library: Any) -> Any:
    if one["error"]:
        return library.Error(_clean(f"{one['expression']}: {one['error']}"))
    return None if one["passed"] else library.Failure(_clean(f"not met: {one['expression']}"))


def _clean(text: Any) -> str:
    """Remove the characters that XML cannot hold."""
    return _NOT_XML.sub("?", str(text))
