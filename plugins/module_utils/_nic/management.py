# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of the management interface: why an interface must not be flooded or taken from the kernel.

An interface is a management interface if it has the default route, the address an SSH connection came in at, the route
back to an SSH client, or the host's only global address. The same goes for a bond, bridge, VLAN or other interface
above it, and for one that leaves through the same port. The kernel's links say what is above what: ``master``, and the
upper interface's ``link``.

A false refusal costs a parameter, a false pass the host. So all SSH connections to this host count, not only the one
this process descends from: that one cannot be found from a daemon (async) or an old tmux.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import (
    entries,
    open_files,
    read_bytes,
    read_text,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import rtnetlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import ROUTE, Netlink

# Routes of these kinds lead nowhere.
_NO_WAY = frozenset(("unreachable", "blackhole", "prohibit", "throw"))
# SSH servers, by the names of their processes: OpenSSH's, since 9.8 also its second one, and a small one.
_SERVERS = frozenset(("sshd", "sshd-session", "dropbear"))
_SSH_PORT = 22
_IPV4, _IPV6 = 2, 10  # AF_INET, AF_INET6
_ESTABLISHED, _LISTENS = "01", "0A"  # net/tcp_states.h


class Connection(NamedTuple):
    """An SSH connection to this host: the local address, the client's, and whether this process descends from it."""

    at: str
    peer: str
    own: bool = True


class Way(NamedTuple):
    """The interface by which the answers to an SSH client leave."""

    peer: str
    interface: str


def why_managed(interface: Interface, route: Netlink, proc: str = "/proc") -> str:
    """Why the host is managed over ``interface``; empty if it is not.

    In a namespace of its own an only address proves nothing.

    :param route: asks rtnetlink in the interface's namespace.
    :raises TrafficgenError: where the kernel gives no answer; then nothing may be taken for free.
    """
    links = links_of(route)
    connections = ssh_connections(proc)
    reason = _why_not(interface, route, links, connections)
    elsewhere = ports_elsewhere(interface.name, links) if interface.netns and not reason else []
    if elsewhere:
        # Assume the lower interface is here: such a VLAN is made here and then moved to a test's namespace.
        with Netlink(ROUTE) as own:
            here = links_of(own)
            for link in here:
                if link["ifindex"] in elsewhere and (
                    found := _why_not(Interface(link["ifname"]), own, here, connections)
                ):
                    reason = f"it leaves through {link['ifname']}, and {found}"
    return reason


def links_of(route: Netlink) -> list[dict[str, Any]]:
    """A namespace's links, each with its addresses, as ``ip -j -d addr show`` has them."""
    with _answered("links and addresses"):
        links, addresses = rtnetlink.links(route), rtnetlink.addresses(route)
    return [{**link, "addr_info": addresses.get(link["ifindex"], [])} for link in links]


def _why_not(
    interface: Interface, route: Netlink, links: Sequence[Mapping[str, Any]], connections: Sequence[Connection]
) -> str:
    whole_host = interface.netns is None
    names = {link["ifindex"]: link["ifname"] for link in links}
    return why_not(
        interface.name,
        links,
        [
            {"type": one["type"], "nexthops": [{"dev": names.get(index)} for index in one["ways"]]}
            for family in (_IPV4, _IPV6)
            for one in _default_routes(route, family)
        ],
        connections,
        _ways_back(connections, route, names) if whole_host else [],
        whole_host=whole_host,
    )


def why_not(
    interface: str,
    links: Sequence[Mapping[str, Any]],
    routes: Iterable[Mapping[str, Any]],
    ssh: Iterable[Connection],
    ways: Iterable[Way],
    *,
    whole_host: bool,
) -> str:
    """Why not to send on ``interface``; empty if there is no reason. Pure.

    :param links: what :func:`links_of` says; ``routes``: the default routes, of all tables and both families.
    :param ssh: the SSH connections to this host; ``ways``: the ways their answers take.
    :param whole_host: the links are the host's own, so an only address there is the host's only one.
    """
    by_name = {link["ifname"]: link for link in links if "ifname" in link}
    if "LOOPBACK" in by_name.get(interface, {}).get("flags", []):
        return ""
    taken = touched(interface, links)

    def where(name: str) -> str:
        if name == interface:
            return name
        return f"{name}, above it" if name in above(interface, links) else f"{name}, which leaves through the same port"

    for route in routes:
        for way in [route, *route.get("nexthops", [])]:
            if way.get("dev") in taken and route.get("type") not in _NO_WAY:
                return f"the default route is on {where(way['dev'])}"
    for connection in ssh:
        address, _percent, zone = connection.at.partition("%")
        for name in sorted(taken):
            if (not zone or zone == name) and address in _addresses(by_name.get(name, {})):
                return f"{'the' if connection.own else 'an'} SSH connection came in at {address}, on {where(name)}"
    for peer, name in ways:
        if name in taken:
            return f"the answers to the SSH client {peer} leave by {where(name)}"
    if whole_host:
        holders = {
            name: address
            for name, link in by_name.items()
            if "LOOPBACK" not in link.get("flags", [])
            for address in _addresses(link, "global")
        }
        if holders and set(holders) <= taken:
            name, address = next(iter(holders.items()))
            return f"the only address of this host, {address}, is on {where(name)}"
    return ""


def touched(interface: str, links: Iterable[Mapping[str, Any]]) -> set[str]:
    """``interface``, every interface whose frames leave through it, and every one that shares its ports."""
    links = list(links)
    return set().union(*(above(name, links) for name in below(interface, links)))


def above(interface: str, links: Iterable[Mapping[str, Any]]) -> set[str]:
    """``interface``, and every interface whose frames leave through it."""
    links = list(links)
    return _closure(
        interface,
        lambda name: [
            *(link["ifname"] for link in links if _lies_on(link) == name),
            *(link["master"] for link in links if link.get("ifname") == name and link.get("master")),
        ],
    )


def below(interface: str, links: Iterable[Mapping[str, Any]]) -> set[str]:
    """``interface``, and every interface that its frames leave through."""
    links = list(links)
    return _closure(
        interface,
        lambda name: [
            *(link["ifname"] for link in links if link.get("master") == name),
            *(on for link in links if link.get("ifname") == name and (on := _lies_on(link))),
        ],
    )


def ports_elsewhere(interface: str, links: Iterable[Mapping[str, Any]]) -> list[int]:
    """The indexes of the interfaces in other namespaces that frames of ``interface`` leave through."""
    links = list(links)
    found = below(interface, links)
    return [
        int(link["link_index"])
        for link in links
        if link.get("ifname") in found and "link_netnsid" in link and "link_index" in link and not _is_veth(link)
    ]


def _closure(first: str, step: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    todo = [first]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(step(name))
    return found


def _lies_on(link: Mapping[str, Any]) -> str | None:
    # With a link_netnsid the lower interface is in another namespace, whatever its name. A veth's peer is not below it.
    return None if "link_netnsid" in link or _is_veth(link) else link.get("link")


def _is_veth(link: Mapping[str, Any]) -> bool:
    return bool(link.get("linkinfo", {}).get("info_kind") == "veth")


def ssh_connections(proc: str = "/proc") -> list[Connection]:
    """The SSH connections to this host, first those that this process descends from."""
    found = _own_connections(proc)
    own = {(connection.at.partition("%")[0], connection.peer.partition("%")[0]) for connection in found}
    return [*found, *(other for other in _other_connections(proc) if (other.at, other.peer) not in own)]


def _own_connections(proc: str) -> list[Connection]:
    """From SSH_CONNECTION of this process and its ancestors: sudo drops the variable."""
    found: list[Connection] = []
    pid = os.getpid()
    seen: set[int] = set()
    while pid > 0 and pid not in seen:
        seen.add(pid)
        for variable in (read_bytes(os.path.join(proc, str(pid), "environ")) or b"").split(b"\0"):
            name, _equals, value = variable.partition(b"=")
            words = value.decode("ascii", "replace").split()
            if name == b"SSH_CONNECTION" and len(words) == 4:
                found.append(Connection(_normal(words[2]), _normal(words[0])))
        # The program's name is in brackets and may itself contain brackets. After it: state, parent.
        fields = read_text(os.path.join(proc, str(pid), "stat")).rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return list(dict.fromkeys(found))


def _other_connections(proc: str) -> list[Connection]:
    """Incoming TCP connections of SSH servers, or to port 22 if the server's sockets cannot be read."""
    processes = (os.path.join(proc, pid) for pid in entries(proc) if pid.isdigit())
    servers = (process for process in processes if read_text(os.path.join(process, "comm")) in _SERVERS)
    sockets = {file for server in servers for file in open_files(server)}
    rows = []
    for table in ("tcp", "tcp6"):
        lines = read_text(os.path.join(proc, "self", "net", table)).splitlines()[1:]
        # sl, local address, remote address, state, queues, timer, retransmissions, uid, timeout, inode (proc(5)).
        rows += [fields for line in lines if len(fields := line.split()) > 9]
    # A server's other connections are forwarded ones, which go out.
    listens = {_port(local) for _number, local, _remote, state, *_more in rows if state == _LISTENS}
    found = [
        Connection(_from_hex(local), _from_hex(remote), own=False)
        for _number, local, remote, state, *more in rows
        if state == _ESTABLISHED
        if (_port(local) == _SSH_PORT or (_port(local) in listens and f"socket:[{more[5]}]" in sockets))
    ]
    return list(dict.fromkeys(found))


def _port(text: str) -> int:
    return int(text.partition(":")[2], 16)


def _default_routes(route: Netlink, family: int) -> list[dict[str, Any]]:
    with _answered("default routes"):
        try:
            return rtnetlink.default_routes(route, family)
        except OSError as error:
            # A kernel without IPv6 has no such routes.
            if family == _IPV6 and error.errno in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                return []
            raise


def _ways_back(connections: Iterable[Connection], route: Netlink, names: Mapping[int, str]) -> list[Way]:
    """The interfaces by which answers to SSH clients leave; the kernel resolves them, so policy routing counts."""
    found = []
    for at, peer in dict.fromkeys((connection.at, connection.peer) for connection in connections):
        # A link-local address has no way but its own interface.
        if not _is_address(at) or not _is_address(peer) or ipaddress.ip_address(peer).is_link_local:
            continue
        with _answered(f"the route to {peer}"):
            try:
                index = rtnetlink.way(route, peer, at)
            except OSError as error:
                if error.errno is None:
                    raise
                continue  # a route that is gone
        if index is not None and index in names:
            found.append(Way(peer, names[index]))
    return found


def _from_hex(text: str) -> str:
    """An address in /proc/net/tcp or tcp6: words of 32 bits in this machine's byte order."""
    digits = text.partition(":")[0]
    words = [int(word, 16).to_bytes(4, sys.byteorder) for word in re.findall(".{1,8}", digits)]
    return _normal(str(ipaddress.ip_address(b"".join(words))))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _normal(text: str) -> str:
    """An address as ``ip`` writes it, with its zone. IPv4 mapped to IPv6 becomes IPv4."""
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


@contextlib.contextmanager
def _answered(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrafficgenError(
            "the guard of the management interface got no answer", on=what, said=error.strerror or str(error)
        ) from error
