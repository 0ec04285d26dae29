# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of the management interface: why an interface must not be flooded or taken from the kernel.

It is on an interface when the default route, the address the SSH connection came in on, or the only global address of the host is on it, or
on a bond, bridge, VLAN or other interface above it. What is above another is told by the kernel's links: ``master``, and ``link`` of
what lies on it.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import run

# Routes of these kinds lead nowhere.
_NO_WAY = frozenset(("unreachable", "blackhole", "prohibit", "throw"))


def guard(interface: str, netns: str | None = None) -> None:
    """Raise :class:`TrafficgenError` where the host is managed over ``interface``.

    :param netns: the named network namespace the interface is in. There one address may well be the only one.
    """
    reason = why_not(
        interface,
        _ip(["addr", "show"], netns),
        [*_ip(["-4", "route", "show", "table", "all", "default"], netns), *_ip(["-6", "route", "show", "table", "all", "default"], netns)],
        ssh_addresses(),
        whole_host=netns is None,
    )
    if reason:
        raise TrafficgenError(
            f"this host is managed over it: {reason}", on=interface,
            remedy="Send on another interface; or set allow_management_interface: true, and expect to lose the connection.",
        )  # fmt: skip


def why_not(
    interface: str,
    links: Sequence[Mapping[str, Any]],
    routes: Iterable[Mapping[str, Any]],
    ssh: Iterable[str],
    *,
    whole_host: bool,
) -> str:
    """The reason against sending on ``interface``, empty where there is none. Pure.

    :param links: what ``ip -j addr show`` says; ``routes``: the default routes, of all tables and both families.
    :param ssh: addresses of this host at which SSH connections came in.
    :param whole_host: the links are those of the host itself, so that an only address there is the host's only one.
    """
    by_name = {link["ifname"]: link for link in links if "ifname" in link}
    if "LOOPBACK" in by_name.get(interface, {}).get("flags", []):
        return ""
    taken = above(interface, links)
    for route in routes:
        ways = [route, *route.get("nexthops", [])]
        for way in ways:
            if way.get("dev") in taken and route.get("type") not in _NO_WAY:
                return f"the default route is on {_where(way['dev'], interface)}"
    for text in ssh:
        address, _percent, zone = text.partition("%")
        for name in taken:
            if (not zone or zone == name) and address in _addresses(by_name.get(name, {})):
                return f"the SSH connection came in at {address}, on {_where(name, interface)}"
    if whole_host:
        holders = {
            name: address
            for name, link in by_name.items()
            if "LOOPBACK" not in link.get("flags", [])
            for address in _addresses(link, "global")
        }
        if holders and set(holders) <= taken:
            name, address = next(iter(holders.items()))
            return f"the only address of this host, {address}, is on {_where(name, interface)}"
    return ""


def above(interface: str, links: Iterable[Mapping[str, Any]]) -> set[str]:
    """``interface``, and every interface whose frames leave through it."""
    links = list(links)
    found: set[str] = set()
    todo = [interface]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for link in links:
            # A link_netnsid says that the one below is in another namespace, whatever its name; a veth's peer is not below it.
            if link.get("link") == name and "link_netnsid" not in link and link.get("linkinfo", {}).get("info_kind") != "veth":
                todo.append(link["ifname"])
            if link.get("ifname") == name and link.get("master"):
                todo.append(link["master"])
    return found


def ssh_addresses(proc: str = "/proc") -> list[str]:
    """This host's own addresses in SSH_CONNECTION, of this process and of those it descends from: sudo drops the variable."""
    found: list[str] = []
    pid = os.getpid()
    seen: set[int] = set()
    while pid > 0 and pid not in seen:
        seen.add(pid)
        for variable in _bytes(os.path.join(proc, str(pid), "environ")).split(b"\0"):
            name, _equals, value = variable.partition(b"=")
            words = value.decode("ascii", "replace").split()
            if name == b"SSH_CONNECTION" and len(words) == 4:
                found.append(_normal(words[2]))
        # The fields after the program's name, which stands in brackets and may hold any: its state, its parent.
        fields = _bytes(os.path.join(proc, str(pid), "stat")).rpartition(b")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return list(dict.fromkeys(found))


def _normal(text: str) -> str:
    """An address as ``ip`` writes it, with its zone; IPv4 also where it came in on an IPv6 socket."""
    text, percent, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address) + percent + zone


def _addresses(link: Mapping[str, Any], scope: str | None = None) -> list[str]:
    return [
        _normal(entry["local"])
        for entry in link.get("addr_info", [])
        if "local" in entry and (scope is None or entry.get("scope") == scope)
    ]


def _where(name: str, interface: str) -> str:
    return name if name == interface else f"{name}, above it"


def _ip(arguments: list[str], netns: str | None) -> list[dict[str, Any]]:
    done = run(["ip", "-j", "-d", *arguments], netns=netns)
    if done.status != 0:
        # A kernel without IPv6 has no such routes.
        if "-6" in arguments:
            return []
        raise TrafficgenError("the guard of the management interface got no answer", on=" ".join(done.argv), said=done.stderr)
    entries = json.loads(done.stdout or "[]")
    return [entry for entry in entries if entry]


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
