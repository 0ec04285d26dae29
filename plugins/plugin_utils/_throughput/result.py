# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a throughput run, schema version 1 (docs/result-schema.md): made from trials, summed over the fleet,
read back."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import RECEIVE_WAIT
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    count,
    is_number,
    measured_in_words,
    utc_time,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import (
    options_for,
    whose,
    why_ended,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import broken_off, step
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import schema
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.criteria import judge_criteria
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import check_search
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.record import Record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import GONE, line, trial

SCHEMA = "wirespeed.trafficgen/throughput"
SCHEMA_VERSION = 1
NOT_JUDGED = "not judged"
SETTLE = 5.0  # seconds before the next trial (RFC 2544, section 23)

# --- Reading ---


def load(text: str, on: str = "the result") -> dict[str, Any]:
    """A result file's content, checked; ``on``: its name in errors."""
    again = "Name a result.json of the role throughput."
    if not text.strip():
        raise TrafficgenError("is empty", on=on, remedy=again)
    try:
        result = schema.parse(text, on)
    except json.JSONDecodeError as error:
        # A truncated file parses up to its end.
        whole = text.strip()
        cut = whole.startswith("{") and (not whole.endswith("}") or error.pos >= len(text.rstrip()))
        what = "is cut short: its JSON ends in the middle" if cut else "is not JSON"
        raise TrafficgenError(what, on=on, said=str(error), remedy="Copy it again." if cut else again) from None
    _check_result(result, on)
    return result  # type: ignore[no-any-return]


def check_result(value: Any, on: str = "the result") -> dict[str, Any]:
    """A result as plain data, whatever its containers' types; :class:`TrafficgenError` for anything else."""
    if not isinstance(value, Mapping):
        kind = {"NoneType": "null"}.get(type(value).__name__, type(value).__name__.strip("_"))
        raise TrafficgenError(
            f"not a result of the role throughput, but a {kind}",
            on=on,
            remedy="Give a result file that the role throughput wrote, read with throughput_load.",
        )
    result: dict[str, Any] = schema.plain_data(value)
    _check_result(result, on)
    return result


def _check_result(result: Any, on: str) -> None:
    again = "Name a result.json of the role throughput."
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        said = (
            f"its schema is {result['schema']!r}"
            if isinstance(result, dict) and "schema" in result
            else "it names no schema"
        )
        raise TrafficgenError("is not a throughput result", on=on, said=said, remedy=again)
    version = result.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise TrafficgenError(
            f"has schema version {version!r}, and this collection reads {SCHEMA_VERSION}",
            on=on,
            remedy="Read it with a newer wirespeed.trafficgen." if newer else again,
        )
    schema.check_plain(result, on)
    schema.RESULT.check(result, on)


# --- The whole ---


def of_record(record: Record) -> dict[str, Any]:
    """The result of a record, before its criteria are judged."""
    plan = record.plan
    broke = record.broke()
    searched = [
        _searched(record, item, hosts, broke)
        for item in plan["plan"]["searches"]
        for hosts in ([item["hosts"]] if record.together else [[host] for host in item["hosts"]])
    ]
    hosts: dict[str, Any] = {
        name: {**described, "broke": broke.get(name, ""), "trials": [], "searches": []}
        for name, described in plan["hosts"].items()
    }
    for (host, _number), trial_of in record.trials.items():
        hosts.get(host, {"trials": []})["trials"].append(trial_of)
    for done_or_not in searched:
        if done_or_not.found:
            hosts[done_or_not.hosts[0]]["searches"].append(done_or_not.found)
    unfinished = None
    if record.left():
        made = (
            sum(one.done for one in searched) if searched else len(_planned(plan["plan"]).keys() & record.trials.keys())
        )
        unfinished = {"made": made, "planned": record.planned(), "what": "searches" if searched else "trials"}
    last = max([plan["started"], *(one["resumed"] for one in record.resumed), *map(_ended, record.trials.values())])
    return assemble(
        {
            **plan,
            "hosts": hosts,
            "ended": record.ended["ended"] if record.ended else last,
            "unfinished": unfinished,
            "notes": [
                f"The test was interrupted after {count(one['made'], 'trial')}, and resumed {utc_time(one['resumed'])}."
                for one in record.resumed
            ],
        }
    )


@dataclass(frozen=True)
class _Searched:
    hosts: list[str]
    done: bool = False
    found: dict[str, Any] | None = None


def _searched(record: Record, item: Mapping[str, Any], hosts: list[str], broke: Mapping[str, str]) -> _Searched:
    """A search of a host, or of all with one load, replayed from its trials."""
    traffic, method = item["traffic"], item["injection_method"]
    measured = record.measured_together(item) if record.together else record.measured((hosts[0], traffic, method))
    known = {host: record.plan["hosts"][host] for host in hosts if host in record.plan["hosts"]}
    if not measured or len(known) < len(hosts):
        return _Searched(hosts)
    settings = record.plan["settings"]
    options = options_for(known, traffic, settings.get("search_options") or {}, together=record.together)
    asked = check_search(f"{' and '.join(hosts)}, {traffic}, ", settings.get("search"), options)
    now = step(measured, asked)
    answer = now["result"] or broken_off(measured, asked, why_ended(hosts, broke) or "It has not ended.")
    return _Searched(
        hosts,
        now["done"],
        {**whose(hosts, together=record.together), "traffic": traffic, "injection_method": method, **answer},
    )


def assemble(material: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run, before its criteria are judged.

    :param material: ``name``, ``ansible_version``, ``started``, ``ended``, ``settings``, ``traffic`` as requested,
        ``hosts`` (by name ``{host, traffic, trials, searches, broke}``; ``broke``: why the host ended early, if it
        did), ``plan``, ``criteria``; ``unfinished``: ``{made, planned, what}`` if the run has not ended.
    """
    plan, hosts, unfinished = material["plan"], material["hosts"], material.get("unfinished")
    planned = _planned(plan)
    trials = [one for name, host in hosts.items() for one in host.get("trials", ()) if _is_of(planned, name, one)]
    searches = [
        {"host": name, **one, "traffic": _sizes_of(one["traffic"], *(hosts[of] for of in one.get("hosts", [name])))}
        for name, host in hosts.items()
        for one in host.get("searches", ())
    ]
    if unfinished is None:
        searches += _never_ended(plan, hosts, searches, material["settings"])
        trials += _never_run(plan, hosts, trials)
    trials, searches = (
        [{**one, **_pair_of(hosts.get(one["host"], {}))} for one in each] for each in (trials, searches)
    )
    trials.sort(key=lambda one: one["number"])
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "name": material["name"],
        "collection_version": material.get("collection_version") or collection_version(),
        **{key: material[key] for key in ("ansible_version", "started", "ended")},
        "unfinished": unfinished,
        "estimated_seconds": plan["seconds"],
        "trial_seconds": trial_seconds(trials, searches),
        "settings": material["settings"],
        "traffic": _traffic(material["traffic"], hosts),
        "hosts": {name: one["host"] for name, one in hosts.items()},
        "notes": [*plan["notes"], *_different(hosts), *_hasty(material["settings"], hosts), *material.get("notes", ())],
        "trials": trials,
        "searches": searches,
        "fleet": fleet(trials) if len(hosts) > 1 else [],
    }
    return with_criteria(result, [{**one, "passed": False, "error": NOT_JUDGED} for one in material["criteria"]])


def _pair_of(host: Mapping[str, Any]) -> dict[str, Any]:
    """The pair and the direction that a host of the play is an end of; None each if of none."""
    return {key: host.get("host", {}).get(key) for key in ("pair", "direction")}


def judged(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result with its criteria judged, whatever they raise. Those of an unfinished run are not judged: trials are
    missing."""
    if result["unfinished"] or not result["criteria"]:
        return dict(result)
    asked = [{key: one[key] for key in ("name", "expression")} for one in result["criteria"]]
    bare = {key: value for key, value in result.items() if key not in ("criteria", "failures", "passed")}
    try:
        answers = judge_criteria(asked, bare)
    except TrafficgenError as error:
        answers = [{**one, "passed": False, "error": error.message} for one in asked]
    return with_criteria(result, answers)


def with_criteria(result: Mapping[str, Any], criteria: list[dict[str, Any]]) -> dict[str, Any]:
    """The result with the answers of its criteria, the reasons to fail the play, and whether it passed."""
    found = {**result, "criteria": criteria}
    found["failures"] = failures(found)
    found["passed"] = not found["failures"]
    return found


def _traffic(asked: Iterable[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for one in asked:
        described = next(
            (each for host in hosts.values() for each in host.get("traffic", ()) if each["name"] == one["name"]), None
        )
        if described is not None:
            found.append({key: value for key, value in described.items() if key != "source_macs"})
    return found


def _hasty(settings: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each wait shorter than RFC 2544, section 23, says, if there is a receiver."""
    if not any(host["host"].get("receiver") for host in hosts.values()):
        return []
    given = {key: value for key, value in settings.items() if is_number(value)}  # a record may have been edited
    wait, settle = given.get("receive_wait", RECEIVE_WAIT), given.get("settle", SETTLE)
    said = []
    if wait < RECEIVE_WAIT:
        said.append(
            f"Missing frames were waited for {wait:g} s (throughput_receive_wait), where RFC 2544 says"
            f" {RECEIVE_WAIT:g}: what came later counts as lost."
        )
    if settle < SETTLE:
        said.append(
            f"After a trial with missing frames the next one began {settle:g} s later at the earliest"
            f" (throughput_settle), where RFC 2544 says {SETTLE:g}: its device may not have come to rest."
        )
    return said


def _different(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each traffic whose pcap differs between hosts: users may bring their own. Each end of a pair has
    addresses of its own."""
    seen: dict[str, dict[str, list[str]]] = {}
    for name, host in hosts.items():
        if host["host"].get("pair"):
            continue
        for each in host.get("traffic", ()):
            if each["sha256"] is not None:
                seen.setdefault(each["name"], {}).setdefault(each["sha256"], []).append(name)
    said = []
    for traffic, files in seen.items():
        if len(files) > 1:
            which = "; ".join(f"{sha[:12]}... on {', '.join(names)}" for sha, names in files.items())
            said.append(f"{traffic} is not the same file on all hosts: {which}.")
    return said


def _planned(plan: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    """The trials of the plan by host and number."""
    return {(host, item["number"]): item for item in plan["trials"] if not item["warmup"] for host in item["hosts"]}


def _is_of(planned: Mapping[tuple[str, int], Mapping[str, Any]], host: str, one: Mapping[str, Any]) -> bool:
    """Whether a trial belongs to this plan and not to another run."""
    item = planned.get((host, one["number"]))
    if item is None or item["traffic"] != one["traffic"]["name"]:
        return False
    return all(item[key] == one[key] for key in ("injection_method", "rate", "repeat"))


def _ended(one: Mapping[str, Any]) -> float:
    return float((one["run"] or {}).get("ended") or 0)


def _never_ended(
    plan: Mapping[str, Any],
    hosts: Mapping[str, Any],
    searches: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The planned searches without a result: their host was lost during or before them."""
    done = {(one["host"], one["traffic"]["name"], one["injection_method"]) for one in searches}
    broke = {name: host["broke"] for name, host in hosts.items() if host.get("broke")}
    together = settings.get("search_over") == "all"
    return [
        {
            **whose(names, together=together),
            "traffic": _sizes_of(item["traffic"], *(hosts.get(name, {}) for name in names)),
            "injection_method": item["injection_method"],
            "search": settings.get("search"),
            "goals": [],
            "status": "failed",
            "reason": why_ended(names, broke) or "It has not ended.",
            "limited_by": None,
            "found": None,
            "trial_seconds": 0.0,
            "trials": [],
        }
        for item in plan["searches"]
        for names in ([item["hosts"]] if together else [[name] for name in item["hosts"]])
        if (", ".join(names), item["traffic"], item["injection_method"]) not in done
    ]


def _never_run(
    plan: Mapping[str, Any], hosts: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The planned trials without a result: their host was lost before them."""
    done = {(one["host"], one["number"]) for one in trials}
    gone = {one["host"]: one["number"] for one in reversed(trials) if one["error"] and one["error"].startswith(GONE)}
    lost = []
    for item in plan["trials"]:
        for name in item["hosts"]:
            if not item["warmup"] and (name, item["number"]) not in done:
                one = trial(item, None, host=name, traffic=_sizes_of(item["traffic"], hosts.get(name, {})))
                broke = hosts.get(name, {}).get("broke")
                why = f"{GONE} in trial {gone[name]}" if name in gone else broke
                lost.append({**one, "error": f"not sent, since {why}"} if why else one)
    return lost


def _sizes_of(traffic: str, *hosts: Mapping[str, Any]) -> dict[str, Any]:
    """A traffic's sizes; of several hosts null where they differ."""
    known = [
        next((one for one in host.get("traffic", ()) if one["name"] == traffic), {"name": traffic}) for host in hosts
    ]
    return {
        key: known[0].get(key) if all(one.get(key) == known[0].get(key) for one in known) else None
        for key in ("name", "ip_size", "frame_size", "wire_frame_size")
    }


def collection_version() -> str:
    """The version of this collection, as installed or from a clone; else ``unknown``."""
    top = Path(__file__).parents[3]
    for name, pattern in (("MANIFEST.json", r'"version": "([^"]+)"'), ("galaxy.yml", r"^version: (\S+)")):
        with contextlib.suppress(OSError):
            found = re.search(pattern, (top / name).read_text(encoding="utf-8"), re.MULTILINE)
            if found:
                return found[1]
    return "unknown"


def trial_seconds(trials: Iterable[Mapping[str, Any]], searches: Iterable[Mapping[str, Any]] = ()) -> float:
    """The sum of the trials' time; of trials started together, the longest counts."""
    longest: dict[int, float] = {}
    for one in trials:
        run = one["run"] or {}
        if run.get("started") and run.get("ended"):
            longest[one["number"]] = max(longest.get(one["number"], 0.0), run["ended"] - run["started"])
    # The hosts of a fleet search at the same time.
    by_host: dict[str, float] = {}
    for one in searches:
        by_host[one["host"]] = by_host.get(one["host"], 0.0) + sum(step.get("seconds") or 0.0 for step in one["trials"])
    return round(sum(longest.values()) + max(by_host.values(), default=0.0), 3)


def fleet(trials: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Totals over the hosts that were started together, one entry per trial number. Failed hosts are left out."""
    together: dict[int, list[Mapping[str, Any]]] = {}
    for one in trials:
        together.setdefault(one["number"], []).append(one)
    totals = []
    for number, ones in sorted(together.items()):
        sent = [one for one in ones if one["status"] == "ok"]
        loss = _total([one["counters"]["loss_packets"] for one in sent])
        base = _total([_base(one) for one in sent])
        delays = [one["start_delay_seconds"] for one in sent if one["start_delay_seconds"] is not None]
        totals.append(
            {
                "number": number,
                "traffic": ones[0]["traffic"]["name"],
                **{key: ones[0][key] for key in ("injection_method", "rate", "repeat")},
                "hosts": [one["host"] for one in sent],
                **{unit: _total([one["rates"][unit] for one in sent]) for unit in ("pps", "l1_mbps", "l2_mbps")},
                "packets": _total([one["stats"]["packets"] for one in sent]),
                "loss_packets": loss,
                "loss_ratio": loss / base if loss is not None and base else None,
                "start_spread_seconds": round(max(delays) - min(delays), 6) if delays else None,
            }
        )
    return totals


def _base(one: Mapping[str, Any]) -> int | None:
    """The frames that left, of which the loss is a share. If the receiver counts all frames, all that left."""
    loss, ratio = one["counters"]["loss_packets"], one["counters"]["loss_ratio"]
    if loss and ratio:
        return round(float(loss) / float(ratio))
    sent: int | None = one["stats"]["packets"]
    tx = one["counters"]["tx"]
    left = (tx or {}).get("packets")
    return sent if left is None or sent is None else int(min(sent, left))


def _total(values: Sequence[Any]) -> Any:
    """The sum; None if one of them is unknown or there are none."""
    return None if not values or any(value is None for value in values) else sum(values)


def unfinished_words(unfinished: Mapping[str, Any]) -> str:
    """A sentence on how far a test got."""
    return f"The test is unfinished: {unfinished['made']} of {unfinished['planned']} {unfinished['what']} were made."


def failures(result: Mapping[str, Any]) -> list[str]:
    """The reasons to fail the play, a sentence each."""
    found = []
    if result["unfinished"]:
        found.append(f"{unfinished_words(result['unfinished'])} Set throughput_resume to go on with it.")
    found += [line(one) for one in result["trials"] if one["status"] != "ok"]
    found += [
        f"{one['host']}, search {one['search']} of {one['traffic']['name']}, {one['injection_method']}: "
        f"{'FOUND NOTHING' if one['status'] == 'not_found' else 'FAILED'}: {one['reason']}"
        for one in result["searches"]
        if one["status"] != "found"
    ]
    for one in result["criteria"]:
        if not one["passed"]:
            said = measured_in_words(one)
            unmet = f"is not met ({said})" if said else "is not met"
            why = f"is no answer, {one['error']}" if one["error"] else unmet
            found.append(f"Criterion {one['name']!r} {why}: {one['expression']}")
    return found
