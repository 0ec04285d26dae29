# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of pairs: who sends in which direction, from which machine, and what each of them has to know. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

DIRECTIONS = ("forward", "reverse", "both")
_PAIRS = "throughput_pairs"
_END = ("host", "interface", "netns", "mac", "next_hop_mac")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_INTERFACE = re.compile(r"[^:/ ]{1,15}\Z")
_MAC = re.compile(r"[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}\Z")
# What Ansible itself makes of each host: not the user's, and another for another host.
_ANSIBLES = re.compile(
    r"ansible_(facts|local|version|limit|forks|verbosity|search_path|config_file|play\w*|check_mode|diff_mode|loop\w*"
    r"|inventory_sources|run_tags|skip_tags|\w*role_names|collection_name|delegated_vars|index_var)\Z"
)


def ends(
    pairs: Any,
    direction: Any = "both",
    *,
    hosts: Mapping[str, Mapping[str, Any]],
    receiver: Any = None,
    taken: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Each end that sends: ``{name, host, end, variables}``, in the order of the pairs.

    :param pairs: the role's variable ``throughput_pairs``.
    :param hosts: of each machine that the inventory has its variables, by name.
    :param receiver: a receiver that was given besides.
    :param taken: the names that the inventory has.
    """
    if direction not in DIRECTIONS:
        raise TrafficgenError(
            f"not a direction: {direction!r}", on="throughput_direction", remedy=f"There are {', '.join(DIRECTIONS)}."
        )
    if receiver:
        raise TrafficgenError(
            "both are given, but the other end of a pair is the receiver",
            on=f"{_PAIRS} and throughput_receiver",
            remedy="Take throughput_receiver out.",
        )
    checked = _check(pairs, hosts)
    _check_ports(checked, hosts)
    found = []
    for pair in checked:
        for end, other, way in (("a", "b", "forward"), ("b", "a", "reverse")):
            if direction not in (way, "both"):
                continue
            name = f"{pair['name']}.{end}"
            if name in taken:
                raise TrafficgenError(
                    f"the inventory has a host of the name {name}, which this end would have",
                    on=f"{_PAIRS}, {pair['name']}",
                    remedy="Give the pair another name.",
                )
            found.append(_sender(name, pair, end, other, way, direction, hosts))
    return found


def _sender(
    name: str,
    pair: Mapping[str, Any],
    end: str,
    other: str,
    way: str,
    direction: str,
    hosts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    from_, to = pair[end], pair[other]
    there = {} if to["host"] == from_["host"] else {"host": to["host"]}
    receiver = {**there, "interface": to["interface"], "netns": to["netns"]}
    described = {
        "pair": pair["name"],
        "direction": way,
        "machine": from_["host"],
        "sender": f"{pair['name']}.{other}" if direction == "both" else None,
        "mac": from_["mac"],
        "to_mac": from_["next_hop_mac"] or to["mac"],
        "from": _shown(from_),
        "to": _shown(to),
    }
    port = {"throughput_interface": from_["interface"], "throughput_netns": from_["netns"]}
    return {
        "name": name,
        "host": from_["host"],
        "end": described,
        "variables": {
            **_variables(hosts[from_["host"]], from_["host"]),
            **port,
            "throughput_receiver": receiver,
            "__throughput_end": {**described, **port, "throughput_receiver": receiver},
        },
    }


def _shown(end: Mapping[str, Any]) -> str:
    return f"{end['interface']} of {end['host']}" + (f" (netns {end['netns']})" if end["netns"] else "")


def _variables(machine: Mapping[str, Any], host: str) -> dict[str, Any]:
    """How to reach a machine, and what the user has set for a test on it, wherever that stands."""
    facts = {f"ansible_{name}" for name in machine.get("ansible_facts") or {}}
    found: dict[str, Any] = {"ansible_host": host}
    for name in machine:
        if not str(name).startswith(("ansible_", "throughput_")) or _ANSIBLES.match(name) or name in facts:
            continue
        if name in (_PAIRS, "throughput_direction"):
            continue
        try:
            value = machine[name]
        except Exception as error:  # whatever a template raises
            raise _unreadable(str(name), host, " ".join(str(error).split())) from None
        if any("{{" in text for text in _texts(value)):  # ansible-core 2.14 leaves a template that it cannot resolve
            raise _unreadable(str(name), host, f"it is {value!r}")
        found[str(name)] = value
    return found


def _unreadable(name: str, host: str, said: str) -> TrafficgenError:
    return TrafficgenError(
        f"{name} of {host} needs a variable that is known within the role alone",
        on=_PAIRS,
        said=said,
        remedy=f"Write the value itself into {name}.",
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for each in value:
            yield from _texts(each)


def _check(pairs: Any, hosts: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs:
        raise TrafficgenError(
            f"not a list of pairs: {pairs!r}",
            on=_PAIRS,
            remedy="Write [{name: router, a: {host, interface}, b: {host, interface}}].",
        )
    checked: list[dict[str, Any]] = []
    for number, pair in enumerate(pairs, 1):
        if not isinstance(pair, Mapping) or not _NAME.match(str(pair.get("name", ""))):
            raise TrafficgenError(
                "has no name of letters, digits, dashes and underscores",
                on=f"{_PAIRS}, entry {number}",
                remedy="Set name.",
            )
        name = str(pair["name"])
        on = f"{_PAIRS}, {name}"
        unknown = sorted(str(key) for key in set(pair) - {"name", "a", "b"})
        if unknown:
            raise TrafficgenError(f"unknown: {', '.join(unknown)}", on=on, remedy="It has name, a and b.")
        if any(one["name"] == name for one in checked):
            raise TrafficgenError("the name is used twice", on=on, remedy="Give each pair its own name.")
        missing = [end for end in ("a", "b") if not pair.get(end)]
        if missing:
            raise TrafficgenError(
                f"has no {' and no '.join(missing)}, and a pair has two ends",
                on=on,
                remedy=f"Set {missing[0]}: {{host, interface}}, the port at the other side of the device.",
            )
        checked.append({"name": name, **{end: _end(pair[end], f"{on}, {end}", hosts) for end in ("a", "b")}})
    return checked


def _end(given: Any, on: str, hosts: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise TrafficgenError(f"not a dictionary: {given!r}", on=on, remedy="Write {host: gen1, interface: ens17}.")
    unknown = sorted(str(key) for key in set(given) - set(_END))
    if unknown:
        raise TrafficgenError(f"unknown: {', '.join(unknown)}", on=on, remedy=f"It has {', '.join(_END)}.")
    end = {key: str(given[key]) if given.get(key) else None for key in _END}
    if end["host"] is None:
        raise TrafficgenError("has no host", on=on, remedy="Set host to the machine's name in the inventory.")
    if end["host"] not in hosts:
        raise TrafficgenError(
            f"the inventory has no host {end['host']}",
            on=f"{on}, host",
            remedy="Add it there, or set host to one of its names.",
        )
    if not _INTERFACE.match(end["interface"] or ""):
        raise TrafficgenError(
            f"names no port: {given.get('interface')!r}", on=f"{on}, interface", remedy="Set it to ens17, say."
        )
    for key in ("mac", "next_hop_mac"):
        text = end[key]
        if text is not None and not _MAC.match(text):
            raise TrafficgenError(
                f"not a MAC address of one port: {text}",
                on=f"{on}, {key}",
                remedy='Write it in quotes, as "00:1b:21:aa:bb:cc".',
            )
    return end


def _check_ports(pairs: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse two ends that are one port, as far as the inventory shows: two names may have one address."""
    seen: dict[Any, str] = {}
    for pair in pairs:
        for end in ("a", "b"):
            one = pair[end]
            machine = hosts[one["host"]]
            local = machine.get("ansible_connection") in ("local", "ansible.builtin.local")
            place = (
                "" if local else (str(machine.get("ansible_host", one["host"])), str(machine.get("ansible_port", "")))
            )
            port = (place, one["netns"], one["interface"])
            name = f"{pair['name']}.{end}"
            if port in seen:
                raise TrafficgenError(
                    f"{seen[port]} and {name} are one port, {_shown(one)}",
                    on=_PAIRS,
                    remedy="Each end is a port of its own: set another interface, netns or host.",
                )
            seen[port] = name
