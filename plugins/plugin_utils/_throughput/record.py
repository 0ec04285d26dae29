# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a throughput test: a file with a line of JSON for each trial, written right after the trial.

It is the only source of the result. However a test ends, even by SIGKILL or a full disk, its finished trials are in it.
Its lines:

- ``{"plan": {...}}``, the first: all that is known before the first trial (:data:`_throughput.schema.PLAN`).
- ``{"trial": {...}}``, as in the result; of a search ``{"step": {asked_pps, duration}, "trial": {...}}``. A later line
  replaces an earlier one of the same host and number, as when all hosts repeat because one missed the common start.
- ``{"resumed": TIME, "made": N}`` and ``{"ended": TIME, "broke": {HOST: WHY}}``.
- ``{"criteria": [...]}``, in place of the plan's, if others were given when it was resumed.

A line is written in one piece and synced. An incomplete last line, as after SIGKILL or a power cut, is ignored.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import schema
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import GONE

FILE = "trials.jsonl"
SCHEMA = "wirespeed.trafficgen/trials"
SCHEMA_VERSION = 1
_BLOCK = 1 << 16
_NO_ROOM = (
    "The earlier trials are still in it. Free some space, then resume with throughput_resume, or make a report of its"
    " folder."
)


# --- Writing ---


def clean(value: Any) -> Any:
    """The value in our schema's JSON: plain types, no lone surrogates, and null for a number larger than any
    counter."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return int(value) if abs(value) < schema.LARGEST else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) and abs(value) < schema.LARGEST else None
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, Iterable) else clean(str(value))


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line, complete or not at all, and on disk when this returns."""
    _write(path, entry, os.O_RDWR)


def end(path: Path, broke: Mapping[str, str]) -> None:
    """Record the end, unless nothing came after it."""
    if read_record(path).ended is None:
        append(path, {"ended": time.time(), "broke": broke})


def begin(path: Path, plan: Mapping[str, Any]) -> Path | None:
    """Begin a record. An unfinished earlier one is kept under a new name, which is returned."""
    kept = None
    if path.exists():
        kept = _put_aside(path)
    _write(path, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "plan": plan}, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    _sync_folder(path.parent)
    return kept


def _put_aside(path: Path) -> Path | None:
    try:
        record = read_record(path)
    except TrafficgenError:
        record = None
    with _explained(path):
        if record is not None and (not record.left() or not record.made()):
            path.unlink()
            return None
        other = path.with_name(f"trials-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(path.stat().st_mtime))}.jsonl")
        return path.replace(other)


def _write(path: Path, entry: Mapping[str, Any], flags: int) -> None:
    line = (json.dumps(clean(entry), allow_nan=False, separators=(",", ":")) + "\n").encode()
    with _explained(path, "cannot be written", _NO_ROOM):
        file = os.open(path, flags, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # the hosts of a fleet write at the same time
            end = _whole_lines(file)
            os.ftruncate(file, end)
            os.lseek(file, end, os.SEEK_SET)
            try:
                if os.write(file, line) < len(line):
                    raise OSError("No space left for the whole line")
                os.fsync(file)
            except OSError:
                os.ftruncate(file, end)
                raise
        finally:
            os.close(file)


def _whole_lines(file: int) -> int:
    """Where the last complete line ends."""
    end = os.lseek(file, 0, os.SEEK_END)
    while end:
        begin = max(0, end - _BLOCK)
        at = os.pread(file, end - begin, begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0


def _sync_folder(folder: Path) -> None:
    with _explained(folder):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


@contextlib.contextmanager
def _explained(path: Path, what: str = "cannot be used", remedy: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrafficgenError(what, on=str(path), said=error.strerror or str(error), remedy=remedy) from None


# --- Reading ---

_Search = tuple[str, str, str]


@dataclass
class Record:
    """A record's content. ``trials`` by host and number; ``steps`` of searches by host, traffic and method, then by
    number."""

    plan: dict[str, Any]
    trials: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    steps: dict[_Search, dict[int, dict[str, Any]]] = field(default_factory=dict)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    ended: dict[str, Any] | None = None

    def add(self, entry: Mapping[str, Any], on: str) -> None:
        """Add a line's content."""
        if "criteria" in entry:
            schema.CRITERIA.check(entry, on)
            self.plan = {**self.plan, "criteria": entry["criteria"]}
            return
        self.ended = None
        if "trial" in entry:
            trial = entry["trial"]
            schema.TRIAL.check(trial, on)
            if trial["status"] == "ok":
                schema.OK_TRIAL.check(trial, on)
            if "step" not in entry:
                self.trials[trial["host"], trial["number"]] = trial
                return
            schema.STEP.check(entry["step"], on)
            search = (trial["host"], trial["traffic"]["name"], trial["injection_method"])
            self.steps.setdefault(search, {})[trial["number"]] = {
                **entry["step"],
                "error": trial["error"],
                "result": trial,
            }
        elif "resumed" in entry:
            schema.RESUMED.check(entry, on)
            self.resumed.append(dict(entry))
        elif "ended" in entry:
            schema.ENDED.check(entry, on)
            self.ended = dict(entry)
        else:
            raise TrafficgenError("is not a trial", on=on, remedy="Was it edited? Take the original.")

    def measured(self, search: _Search) -> list[dict[str, Any]]:
        """The steps of a search in order, up to the first that is missing."""
        steps = self.steps.get(search, {})
        found: list[dict[str, Any]] = []
        while len(found) + 1 in steps:
            found.append(steps[len(found) + 1])
        return found

    @property
    def together(self) -> bool:
        """Whether each search is one over all its hosts, with one load."""
        return bool(self.plan["settings"].get("search_over") == "all")

    def searched(self) -> list[dict[str, Any]]:
        """Of each search with trials ``{host, traffic, injection_method, measured}``; ``host``: empty for all."""
        measured = {search: self.measured(search) for search in self.steps}
        if self.together:
            items = self.plan["plan"]["searches"]
            measured = {("", one["traffic"], one["injection_method"]): self.measured_together(one) for one in items}
        return [
            {"host": host, "traffic": traffic, "injection_method": method, "measured": steps}
            for (host, traffic, method), steps in measured.items()
        ]

    def measured_together(self, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The steps of a search over all its hosts in order, each with ``hosts``, up to the first that one of them has
        not made."""
        of_hosts = {
            host: self.steps.get((host, item["traffic"], item["injection_method"]), {}) for host in item["hosts"]
        }
        found: list[dict[str, Any]] = []
        while True:
            steps = {host: steps.get(len(found) + 1) for host, steps in of_hosts.items()}
            asked = [(step["asked_pps"], step["duration"]) for step in steps.values() if step]
            if not asked or asked != [asked[0]] * len(of_hosts):
                return found
            results = {host: step["result"] for host, step in steps.items() if step}
            found.append({"asked_pps": asked[0][0], "duration": asked[0][1], "hosts": results})

    def broke(self) -> dict[str, str]:
        """Why each host ended early, of those that did. Without one of them, no search over all can be made."""
        gone = {
            host: f"{GONE} in an earlier search"
            for (host, _traffic, _method), steps in self.steps.items()
            if self.together and any((step["error"] or "").startswith(GONE) for step in steps.values())
        }
        return {**gone, **(self.ended or {}).get("broke", {})}

    def todo(self) -> list[dict[str, Any]]:
        """The planned trials that some of their hosts have not made, each kind with its warm-up."""
        planned = self.plan["plan"]["trials"]
        missing = [
            item
            for item in planned
            if not item["warmup"] and any((host, item["number"]) not in self.trials for host in item["hosts"])
        ]
        kinds = {_kind(item) for item in missing}
        numbers = {item["number"] for item in missing}
        return [item for item in planned if (_kind(item) in kinds if item["warmup"] else item["number"] in numbers)]

    def planned(self) -> int:
        """How many trials, or searches, are planned, summed over the hosts."""
        plan = self.plan["plan"]
        if plan["searches"] and self.together:
            return len(plan["searches"])
        return sum(len(item["hosts"]) for item in plan["searches"] or plan["trials"] if not item.get("warmup"))

    def made(self) -> int:
        """How many trials, or trials of searches, are recorded."""
        return len(self.trials) + sum(map(len, self.steps.values()))

    def left(self) -> bool:
        """Whether the test has not ended, even if all planned trials are there."""
        plan = self.plan["plan"]
        return self.ended is None and (bool(plan["searches"]) or bool(self.todo()))

    def complete(self) -> bool:
        """Whether it ended, with all its trials."""
        return self.ended is not None and not self.ended["broke"] and not self.todo()


def _kind(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return item["traffic"], item["injection_method"], json.dumps(item["rate"], sort_keys=True)


def read_record(path: Path) -> Record:
    """The record in a file, without an incomplete last line."""
    with _explained(path, "cannot be read", "Name the results' folder of a throughput test, or a trials.jsonl."):
        lines = path.read_bytes().split(b"\n")
    torn = lines.pop()  # after the last line's end: nothing, or part of a line
    if lines and not torn and _entry(lines[-1]) is None:
        lines.pop()  # after a power cut there may be anything
    if not lines:
        raise TrafficgenError(
            "has no whole line, so nothing was measured", on=str(path), remedy="Start the test again."
        )
    first = _entry(lines[0])
    if first is None or first.get("schema") != SCHEMA:
        raise TrafficgenError("is not a record of a throughput test", on=str(path), remedy="Name one: a trials.jsonl.")
    if first.get("schema_version") != SCHEMA_VERSION:
        raise TrafficgenError(
            f"has schema version {first.get('schema_version')!r}, and this collection reads {SCHEMA_VERSION}",
            on=str(path),
            remedy="Read it with the wirespeed.trafficgen that wrote it.",
        )
    on = f"{path}, line 1"
    schema.check_plain(first, on)
    schema.PLAN.check(first.get("plan"), on)
    record = Record(first["plan"])
    for number, line in enumerate(lines[1:], 2):
        on = f"{path}, line {number}"
        entry = _entry(line)
        if entry is None:
            raise TrafficgenError("is not JSON", on=on, remedy="Was it edited? Take the original.")
        schema.check_plain(entry, on)
        record.add(entry, on)
    return record


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = schema.parse(line.decode(), "it")
    except (ValueError, TrafficgenError):
        return None
    return entry if isinstance(entry, dict) else None


# --- Going on ---

# The user's name for a setting.
_OF_HOST = (
    (("interface", "name"), "throughput_interface"),
    (("interface", "netns"), "throughput_netns"),
    (("interface", "link_speed_mbps"), "throughput_link_speed_mbps"),
    (("receiver",), "throughput_receiver"),
    (("pair",), "throughput_pairs (its pair)"),
    (("direction",), "throughput_pairs (its direction)"),
    (("machine",), "throughput_pairs (its host)"),
    (("interface", "driver"), "the driver of its port"),
    (("interface", "bus_info"), "the bus address of its port"),
    (("interface", "mtu"), "the MTU of its port"),
    (("kernel",), "its kernel"),
    (("distribution",), "its distribution"),
    (("cpu",), "its CPU"),
    (("tcpreplay",), "its tcpreplay"),
    (("netmap",), "its netmap"),
)
# These do not change a trial: how far ahead hosts agree to start.
_FREE = ("start_margin",)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences between a test to resume and the one that was started, named by the role's variables; both are
    plans."""
    found = _differs("throughput_name", before["name"], now["name"])
    if before["collection_version"] != now["collection_version"]:
        found += _differs(
            "the version of wirespeed.trafficgen", before["collection_version"], now["collection_version"]
        )
    for key in dict.fromkeys((*before["settings"], *now["settings"])):
        if key not in _FREE:
            found += _differs(f"throughput_{key}", before["settings"].get(key), now["settings"].get(key))
    found += _traffic_changes(before["traffic"], now["traffic"])
    if set(before["hosts"]) != set(now["hosts"]):
        found.append(
            f"the hosts (inventory, target, --limit) were {', '.join(before['hosts'])}, and are"
            f" {', '.join(now['hosts'])}"
        )
    for name in before["hosts"]:
        if name in now["hosts"]:
            found += _host(name, before["hosts"][name], now["hosts"][name])
    if not found and _work(before["plan"]) != _work(now["plan"]):
        found.append("the trials that are planned (throughput_methods, by what the hosts can do)")
    return found


def _work(plan: Mapping[str, Any]) -> tuple[Any, Any]:
    return plan["trials"], plan["searches"]


def _differs(name: str, before: Any, now: Any) -> list[str]:
    return [] if before == now else [f"{name} was {_setting_shown(before)}, and is {_setting_shown(now)}"]


def _setting_shown(value: Any) -> str:
    text = "not set" if value is None else value if isinstance(value, str) and value else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _traffic_changes(before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> list[str]:
    old, new = ({one["name"]: one for one in each} for each in (before, now))
    if list(old) != list(new):
        return [f"throughput_traffic was {', '.join(old)}, and is {', '.join(new)}"]
    keys = ("streams", "pcap", "rates", "ip_size")
    return [
        said
        for name in old
        for key in keys
        for said in _differs(
            f"throughput_traffic ({name}: {key})", old[name].get(key) or None, new[name].get(key) or None
        )
    ]


def _host(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for way, called in _OF_HOST:
        old, new = before["host"], now["host"]
        for key in way:
            old, new = ((tree or {}).get(key) for tree in (old, new))
        found += _differs(f"{name}: {called}", old, new)
    hashes = {one["name"]: one["sha256"] for one in before["traffic"]}
    for one in now["traffic"]:
        if one["name"] in hashes:
            found += _differs(f"{name}: the SHA-256 of the pcap of {one['name']}", hashes[one["name"]], one["sha256"])
    return found


def resume(path: Path, plan: Mapping[str, Any], *, sends: bool = True) -> Record:
    """The record of the test to resume; :class:`TrafficgenError` if it is another test's.

    :param sends: whether trials are made, or only the reports of what is there.
    """
    record = read_record(path)
    different = differences(record.plan, clean(plan))
    if different:
        raise TrafficgenError(
            "this is not the test that was started there",
            on=str(path),
            said="; ".join(different),
            remedy="Set these as they were, or leave out throughput_resume to start a new test.",
        )
    criteria = {"criteria": clean(list(plan["criteria"]))}
    if criteria["criteria"] != record.plan["criteria"]:
        append(path, criteria)
        record.add(criteria, str(path))
    if sends and not record.complete():
        append(path, {"resumed": time.time(), "made": record.made()})
    return record
