# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzz target of result files and records of trials."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import tempfile

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report import markdown, page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import junit, record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import plan as throughput_plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import result as throughput_result
from ansible_collections.wirespeed.trafficgen.tests.fuzz.drawn import Source, refused

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "throughput"
# An input that failed once (crashes/result) holds places in this list: add at its end only.
_ODD = (
    *(None, True, False, 0, -1, 1, 0.1, 1 << 63, 1 << 64, 10**400),
    *(1e19, 1e308, -1e308, 1e-29, 5e-324, float("nan"), float("inf")),
    *("", "x", "\ud800", "{{ 7 * 7 }}", "<script>", "consistent", "ok", "failed", "found"),
    *([], [[]], ["x"], [None], {}, {"a": 1}, {"": None}, {"name": ["x"]}, {"topspeed": False}, {"pps": -5}),
    *({"line_rate_percent": 1e19}, "\0", "\u202e", "a" * 500),
)


@functools.cache
def _result(name: str) -> str:
    tree = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    tree["trials"] = tree["trials"][:3] + tree["trials"][-2:]
    for search in tree["searches"]:
        search["trials"] = search["trials"][:3] + search["trials"][-2:]
    return json.dumps(tree)


@functools.cache
def _record() -> str:
    """The lines of a record, as a list."""
    tree = json.loads(_result("namespaces"))
    asked = [{"name": tree["traffic"][0]["name"], "pcap": "/a.pcap"}]
    name, host_tree = next(iter(tree["hosts"].items()))
    found = {each: {"methods": {}, "link_speed_mbps": None, "traffic": tree["traffic"]} for each in (name, "other")}
    options = {"max_pps": 1000, "min_pps": 10, "final_duration": 1}
    planned = [
        throughput_plan.plan(asked, rates=[{"topspeed": True}], methods=["auto"], repeats=2, hosts=found),
        throughput_plan.plan(
            asked,
            rates=[],
            methods=["auto"],
            search="rfc2544",
            search_options={**options, "wire_frame_size": 82},
            hosts=found,
        ),
    ]
    keys = ("name", "collection_version", "ansible_version", "started")
    lines = []
    for plan, settings in zip(planned, ({}, {"search": "rfc2544", "search_options": options})):
        head = {
            **{key: tree[key] for key in keys},
            "settings": settings,
            "traffic": asked,
            "plan": plan,
            "criteria": [],
            "hosts": {each: {"host": host_tree, "traffic": tree["traffic"]} for each in found},
        }
        trial = {
            **tree["trials"][0],
            "number": 1,
            "host": name,
            "injection_method": "auto",
            "rate": {"topspeed": True},
            "repeat": 1,
        }
        step = {"step": {"asked_pps": 1000.0, "duration": 1}} if settings else {}
        more = [{"resumed": 2.0, "made": 1}, {"ended": 3.0, "broke": {}}]
        first = {"schema": record.SCHEMA, "schema_version": 1, "plan": head}
        lines.append([first, *({**step, "trial": {**trial, "host": each}} for each in found), *more])
    return json.dumps(lines)


def _ways(tree, way=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*way, key)
        yield from _ways(value, (*way, key))


def _changed(tree, source: Source):
    """The tree with some of its values others, gone, or added."""
    for _time in range(1 + source.below(3)):
        ways = list(_ways(tree))
        if not ways:
            return tree
        *way, last = source.one_of(ways)
        at = tree
        for key in way:
            at = at[key]
        kind = source.below(8)
        if kind < 6:
            at[last] = source.one_of(_ODD)
        elif kind == 6:
            del at[last]
        elif isinstance(at, dict):
            at[source.text(4)] = source.one_of(_ODD)
        else:
            at.append(source.one_of(_ODD))
    return json.loads(json.dumps(tree))


def _reported(tree, forms) -> None:
    for form in forms:
        with refused:
            form(tree).encode()


def result(data: bytes) -> None:
    """A result or a record in which something is not as it was: read and reported, or refused by the file's name."""
    # Only a controller has what these need; the other targets are tried on a managed node's Python as well.
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report import html
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import files

    source = Source(data)
    forms = (
        junit.junit,
        lambda tree: html.to_html(page.page(tree)),
        lambda tree: markdown.to_markdown(page.page([tree, tree])),
    )
    kind = source.below(4)
    if kind:
        text = json.dumps(_changed(json.loads(_result(("search", "namespaces", "troubles")[kind - 1])), source))
        try:
            tree = throughput_result.load(text, "a.json")
        except TrafficgenError as error:
            assert error.message.startswith("a.json")
            return
        _reported(tree, forms)
        return
    lines = _changed(source.one_of(json.loads(_record())), source)
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None, suffix=".jsonl") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        file.flush()
        with refused:
            made, _now = files.read(file.name)
            _reported(made, forms)
