# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a result of the role throughput, or of several side by side. Pure.

What is unknown is a dash, with the reason in a note below the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report import answer
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.comparison import compare_page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.marks import mark_sections
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    TEXT,
    Cell,
    Column,
    Page,
    Section,
    Table,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    as_text,
    count,
    dig,
    duration,
    is_number,
    measured_in_words,
    rate_label,
    utc_time,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rate_charts import rate_chart_sections
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rates import (
    gains_in_sentences,
    rate_sections,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.searches import search_section, step_sections
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.setting import setting_sections
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    Group,
    groups,
    judged,
    outcome,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import check_result


def page(value: Any) -> Page:
    """The page of a result, or of a list of them.

    :raises TrafficgenError: a part of it is not a result of schema 1.
    """
    if isinstance(value, (Mapping, str, bytes)) or not isinstance(value, Sequence):
        return _result_page(value)
    if not value:
        raise TrafficgenError("nothing to report: the list of results is empty", on="the result")
    return _result_page(value[0]) if len(value) == 1 else compare_page(value)


def _result_page(value: Any) -> Page:
    result = check_result(value)
    found = groups(result)
    many_hosts = len({group.host for group in found} | set(result["hosts"])) > 1
    searches = result["searches"]
    return Page(
        title=result["name"] or "Throughput",
        passed=result["passed"] if judged(result) else None,
        verdict=_verdict(result),
        findings=answer.findings(result, found, many_hosts),
        badges=answer.badges(result, found),
        asked=_asked(result, found),
        answers=[*gains_in_sentences(found), *answer.only_ratios(result["hosts"]), *map(str, result["notes"])],
        failures=[str(failure) for failure in result["failures"]],
        sections=[
            *_criteria_sections(result["criteria"]),
            *rate_sections(result, found, many_hosts),
            *mark_sections(found, many_hosts),
            *([search_section(searches, many_hosts)] if searches else []),
            *rate_chart_sections(found, many_hosts),
            *step_sections(searches, many_hosts),
            *setting_sections(result),
        ],
    )


def _verdict(result: Mapping[str, Any]) -> str:
    unfinished = result.get("unfinished")
    if unfinished:
        return f"Unfinished: {unfinished['made']} of {unfinished['planned']} {unfinished['what']}"
    return outcome(result).capitalize()


def _asked(result: Mapping[str, Any], found: Sequence[Group]) -> list[str]:
    """The test in sentences."""
    asked = [f"Traffic: {', '.join(str(entry['name']) for entry in result['traffic']) or DASH}."]
    if found:
        methods, rates, hosts = (
            ", ".join(dict.fromkeys(names))
            for names in zip(*((group.asked_method, rate_label(group.rate), group.host) for group in found))
        )
        seconds = dig(result.get("settings"), "duration")
        each = f" of {duration(seconds)}" if is_number(seconds) else ""
        most = max(len(group.trials) for group in found)
        asked.append(f"Sent by {methods}, at {rates}, {count(most, 'repeat')}{each}, from {hosts}.")
    searches = result["searches"]
    if searches:
        asked.append(f"{count(len(searches), 'search')} for the largest rate within a loss goal.")
    trials, steps = result["trials"], sum(len(entry.get("trials") or []) for entry in searches)
    failed = sum(trial["status"] != "ok" for trial in trials)
    parts = [count(steps, "search trial")] if steps else []
    if trials or not steps:
        parts.insert(0, f"{count(len(trials), 'trial')}, {f'{failed} of them' if failed else 'none'} failed")
    sentence = f"{' and '.join(parts)}."
    begun, ended, sending = (dig(result, key) for key in ("started", "ended", "trial_seconds"))
    if is_number(begun) and is_number(ended):
        trial_time = f", of which {duration(sending)} were trials" if is_number(sending) else ""
        sentence += f" Begun {utc_time(begun)}, it took {duration(ended - begun)}{trial_time}."
    return [*asked, sentence]


def _criteria_sections(criteria: Sequence[Mapping[str, Any]]) -> list[Section]:
    def answered(entry: Mapping[str, Any]) -> Cell:
        error = entry.get("error")
        if entry.get("passed") is True and not error:
            return Cell("passed", measured_in_words(entry), look="good")
        return Cell("failed", as_text(error) if error else measured_in_words(entry), look="bad")

    columns: list[Column[Any]] = [
        Column("Criterion", TEXT, lambda entry: as_text(entry.get("name"))),
        Column("Outcome", TEXT, answered),
        Column("Expression", TEXT, lambda entry: Cell(as_text(entry.get("expression")), look="code")),
    ]
    return [Section("Criteria", tables=[Table.of("Criteria", columns, criteria)])] if criteria else []
