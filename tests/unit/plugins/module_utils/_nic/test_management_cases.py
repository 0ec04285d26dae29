# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _nic/management: many kinds of hosts, and the ports they are managed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import (
    Connection,
    Way,
    ssh_connections,
    why_not,
)
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_host import (
    CLOSES,
    ESTABLISHED,
    LISTENS,
    LO,
    PEER,
    PEER6,
    link,
    opened,
    process,
    route,
    sockets,
)

# Management on eth0, a second network on eth1, a test port without an address.
PLAIN = [
    LO,
    link("eth0", "192.0.2.10", "2001:db8::10", "fe80::1"),
    link("eth1", "198.51.100.1"),
    link("ens17", "fe80::17"),
]
# The test port is in a bond, the bond below a VLAN, the VLAN in a bridge, which has the address.
STACK = [
    LO,
    link("ens17", master="bond0"),
    link("ens18", master="bond0"),
    link("bond0", kind="bond"),
    link("bond0.7", kind="vlan", link="bond0", master="br7"),
    link("br7", "192.0.2.10", "2001:db8::10", kind="bridge"),
    link("ens19", "198.51.100.1"),
]
VLAN = [LO, link("eth0"), link("eth0.5", "192.0.2.10", kind="vlan", link="eth0"), link("eth1", "198.51.100.1")]
MACVLAN = [LO, link("eth0"), link("mv0", "192.0.2.10", kind="macvlan", link="eth0"), link("eth1", "198.51.100.1")]
ELSEWHERE = [*MACVLAN[:2], {**MACVLAN[2], "link_netnsid": 0}, MACVLAN[3]]
VETH = [
    LO,
    link("v0", kind="veth", link="v1"),
    link("v1", "192.0.2.10", kind="veth", link="v0"),
    link("eth1", "198.51.100.1"),
]
TEAM = [LO, link("eth0", master="team0"), link("team0", "2001:db8::10", kind="team"), link("eth1", "2001:db8:1::1")]
ONE = [LO, link("eth0", "192.0.2.10"), link("ens17", "fe80::17")]
TWO_ZONES = [LO, link("eth0", "fe80::1"), link("eth1", "fe80::1", "198.51.100.1"), link("eth2", "192.0.2.1")]
# The management on one VLAN of a port; beside it another, a macvlan, and a bridge of a third with a guest's port.
BESIDE = [
    LO,
    link("eth0"),
    link("eth0.7", "192.0.2.10", kind="vlan", link="eth0"),
    link("eth0.8", kind="vlan", link="eth0"),
    link("mv0", kind="macvlan", link="eth0"),
    link("eth0.9", kind="vlan", link="eth0", master="br9"),
    link("br9", kind="bridge"),
    link("tap0", kind="tun", master="br9"),
    link("eth1", "198.51.100.1"),
]
# A VLAN of a port in another namespace.
MOVED = [LO, link("eth0", "192.0.2.10"), link("v8", "198.51.100.1", kind="vlan", link="eth0", link_netnsid=0)]
MAPPED = [LO, link("eth0", "::ffff:192.0.2.10"), link("eth1", "198.51.100.1")]
CIRCLE = [link("a", link="b", kind="gre"), link("b", "192.0.2.10", link="a", kind="gre"), link("c", "192.0.2.11")]

WAYS = {
    "dst": "default",
    "nexthops": [{"dev": "eth0", "gateway": "192.0.2.1"}, {"dev": "eth1", "gateway": "198.51.100.2"}],
}


def other(address: str) -> Connection:
    """A connection of another session: as a daemon (async), a tmux of yesterday's or cron sees all of them."""
    return Connection(address, PEER, own=False)


# name, interface, links, default routes, SSH connections (of this session, where it is an address alone), whether it is
# the host's own namespace; the expected reason, "" for none; the ways of the answers.
CASES = [
    ("a free port", "ens17", PLAIN, [route("eth0")], ["192.0.2.10"], True, ""),
    ("IPv4 route", "eth0", PLAIN, [route("eth0")], [], True, "the default route is on eth0"),
    ("IPv6 route", "eth0", PLAIN, [route("eth0", "fe80::99", metric=1024)], [], True, "the default route is on eth0"),
    (
        "another table's",
        "eth1",
        PLAIN,
        [route("eth0"), route("eth1", table="vpn")],
        [],
        True,
        "the default route is on eth1",
    ),
    ("nexthops", "eth1", PLAIN, [WAYS], [], True, "the default route is on eth1"),
    ("unreachable", "eth0", PLAIN, [route("eth0", type="unreachable")], [], True, ""),
    ("blackhole", "eth0", PLAIN, [route("eth0", type="blackhole")], [], True, ""),
    ("SSH, IPv4", "eth0", PLAIN, [], ["192.0.2.10"], True, "the SSH connection came in at 192.0.2.10, on eth0"),
    ("SSH, IPv6", "eth0", PLAIN, [], ["2001:db8::10"], True, "the SSH connection came in at 2001:db8::10, on eth0"),
    ("SSH, link-local", "eth0", PLAIN, [], ["fe80::1%eth0"], True, "the SSH connection came in at fe80::1, on eth0"),
    ("SSH, another zone", "eth0", TWO_ZONES, [], ["fe80::1%eth1"], True, ""),
    ("SSH, its zone", "eth1", TWO_ZONES, [], ["fe80::1%eth1"], True, "the SSH connection came in at fe80::1, on eth1"),
    ("SSH elsewhere", "eth1", PLAIN, [], ["192.0.2.10"], True, ""),
    ("only address", "eth0", ONE, [], [], True, "the only address of this host, 192.0.2.10, is on eth0"),
    ("no address", "ens17", ONE, [], [], True, ""),
    ("a namespace's only address", "eth0", ONE, [], [], False, ""),
    ("a namespace's route", "eth0", ONE, [route("eth0")], [], False, "the default route is on eth0"),
    (
        "route above bond, VLAN, bridge",
        "ens17",
        STACK,
        [route("br7")],
        [],
        True,
        "the default route is on br7, above it",
    ),
    ("the other slave", "ens18", STACK, [route("br7", "fe80::9")], [], True, "the default route is on br7, above it"),
    (
        "SSH above",
        "ens17",
        STACK,
        [],
        ["2001:db8::10"],
        True,
        "the SSH connection came in at 2001:db8::10, on br7, above it",
    ),
    ("below the VLAN", "bond0.7", STACK, [route("br7")], [], True, "the default route is on br7, above it"),
    ("beside the stack", "ens19", STACK, [route("br7")], ["192.0.2.10"], True, ""),
    (
        "above the bond",
        "br7",
        STACK,
        [route("bond0")],
        [],
        True,
        "the default route is on bond0, which leaves through the same port",
    ),
    ("VLAN", "eth0", VLAN, [], ["192.0.2.10"], True, "the SSH connection came in at 192.0.2.10, on eth0.5, above it"),
    (
        "only address above",
        "eth0",
        VLAN[:3],
        [],
        [],
        True,
        "the only address of this host, 192.0.2.10, is on eth0.5, above it",
    ),
    ("macvlan", "eth0", MACVLAN, [route("mv0")], [], True, "the default route is on mv0, above it"),
    ("that name in another namespace", "eth0", ELSEWHERE, [route("mv0")], [], True, ""),
    ("a veth's peer", "v0", VETH, [route("v1")], ["192.0.2.10"], True, ""),
    ("team, IPv6", "eth0", TEAM, [route("team0", "fe80::9")], [], True, "the default route is on team0, above it"),
    ("loopback", "lo", [LO], [route("lo")], ["127.0.0.1"], True, ""),
    ("an interface that is not there", "nosuch", PLAIN, [route("eth0")], ["192.0.2.10"], True, ""),
    ("a host without addresses", "eth0", [LO, link("eth0")], [], [], True, ""),
    ("a circle", "a", CIRCLE, [], ["192.0.2.10"], True, "the SSH connection came in at 192.0.2.10, on b, above it"),
    (
        "another session's",
        "eth0",
        PLAIN,
        [],
        [other("192.0.2.10")],
        True,
        "an SSH connection came in at 192.0.2.10, on eth0",
    ),
    (
        "another session's, IPv6",
        "eth0",
        PLAIN,
        [],
        [other("2001:db8::10")],
        True,
        "an SSH connection came in at 2001:db8::10, on eth0",
    ),
    (
        "another session's, above",
        "ens17",
        STACK,
        [],
        [other("192.0.2.10")],
        True,
        "an SSH connection came in at 192.0.2.10, on br7, above it",
    ),
    ("another session's elsewhere", "ens17", PLAIN, [], [other("192.0.2.10")], True, ""),
    (
        "the second session's",
        "eth1",
        PLAIN,
        [],
        ["192.0.2.10", other("198.51.100.1")],
        True,
        "an SSH connection came in at 198.51.100.1, on eth1",
    ),
    (
        "a policy's way",
        "eth1",
        PLAIN,
        [],
        ["192.0.2.10"],
        True,
        f"the answers to the SSH client {PEER} leave by eth1",
        Way(PEER, "eth1"),
    ),
    (
        "a policy's way, IPv6",
        "eth1",
        PLAIN,
        [],
        [],
        True,
        f"the answers to the SSH client {PEER6} leave by eth1",
        Way(PEER6, "eth1"),
    ),
    (
        "a policy's way, above",
        "ens17",
        STACK,
        [],
        [],
        True,
        f"the answers to the SSH client {PEER} leave by br7, above it",
        Way(PEER, "br7"),
    ),
    (
        "a policy's way, beside",
        "eth0.8",
        BESIDE,
        [],
        [],
        True,
        f"the answers to the SSH client {PEER} leave by eth0.7, which leaves through the same port",
        Way(PEER, "eth0.7"),
    ),
    ("a policy's way elsewhere", "ens17", PLAIN, [], [], True, "", Way(PEER, "eth1")),
    (
        "the second way",
        "eth1",
        PLAIN,
        [],
        [],
        True,
        f"the answers to the SSH client {PEER6} leave by eth1",
        Way(PEER, "eth0"),
        Way(PEER6, "eth1"),
    ),
    ("a way over loopback", "lo", PLAIN, [], [], True, "", Way("127.0.0.1", "lo")),
    *(
        (
            f"beside: {name}",
            name,
            BESIDE,
            [],
            ["192.0.2.10"],
            True,
            "the SSH connection came in at 192.0.2.10, on eth0.7, which leaves through the same port",
        )
        for name in ("eth0.8", "mv0", "eth0.9", "br9")
    ),
    (
        "a route beside",
        "mv0",
        BESIDE,
        [route("eth0")],
        [],
        True,
        "the default route is on eth0, which leaves through the same port",
    ),
    (
        "only address beside",
        "eth0.8",
        BESIDE[:4],
        [],
        [],
        True,
        "the only address of this host, 192.0.2.10, is on eth0.7, which leaves through the same port",
    ),
    (
        "itself before what is beside",
        "eth0.7",
        BESIDE,
        [],
        ["192.0.2.10"],
        True,
        "the SSH connection came in at 192.0.2.10, on eth0.7",
    ),
    ("another port of the bridge beside", "tap0", BESIDE, [route("eth0.7")], ["192.0.2.10"], True, ""),
    (
        "a bond's port beside its VLAN",
        "ens18",
        STACK,
        [route("bond0.7")],
        [],
        True,
        "the default route is on bond0.7, above it",
    ),
    ("a port in another namespace", "v8", MOVED, [route("eth0")], ["192.0.2.10"], True, ""),
    ("mapped", "eth0", MAPPED, [], ["192.0.2.10"], True, "the SSH connection came in at 192.0.2.10, on eth0"),
    (
        "another's zone",
        "eth1",
        TWO_ZONES,
        [],
        [other("fe80::1%eth1")],
        True,
        "an SSH connection came in at fe80::1, on eth1",
    ),
    # /proc/net/tcp6 has no zones: any port with that address may be meant.
    (
        "another's, without its zone",
        "eth0",
        TWO_ZONES,
        [],
        [other("fe80::1")],
        True,
        "an SSH connection came in at fe80::1, on eth0",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_why_not(case: Any) -> None:
    _name, interface, links, routes, ssh, whole_host, reason, *ways = case
    connections = [Connection(one, PEER) if isinstance(one, str) else one for one in ssh]
    assert why_not(interface, links, routes, connections, ways, whole_host=whole_host) == reason


@pytest.mark.parametrize(
    ("variable", "found"),
    [
        (b"192.0.2.77 51234 192.0.2.10 22", [("192.0.2.10", "192.0.2.77", True)]),
        (b"2001:db8::77 51234 2001:0db8::0010 22", [("2001:db8::10", "2001:db8::77", True)]),
        (b"::ffff:192.0.2.77 51234 ::ffff:192.0.2.10 22", [("192.0.2.10", "192.0.2.77", True)]),
        (b"fe80::77%eth0 51234 fe80::1%eth0 22", [("fe80::1%eth0", "fe80::77%eth0", True)]),
        (b"UNKNOWN 65535 UNKNOWN 65535", [("UNKNOWN", "UNKNOWN", True)]),
        (b"nonsense", []),
        (b"", []),
    ],
)
def test_it_finds_the_connection_behind_sudo(tmp_path: Path, variable: bytes, found: list[Any]) -> None:
    process(tmp_path, os.getpid(), 40, b"SUDO_USER=u\0")
    process(tmp_path, 40, 30, b"PATH=/bin\0", b"sudo ) S 1")
    process(tmp_path, 30, 1, b"A=b\0SSH_CONNECTION=" + variable + b"\0Z=\xff\0")
    process(tmp_path, 1, 0)
    assert ssh_connections(str(tmp_path / "proc")) == found
    assert ssh_connections(str(tmp_path / "nothing")) == []


def test_it_finds_the_connections_of_other_sessions(tmp_path: Path) -> None:
    """A process started by async, tmux or cron descends from no session."""
    process(tmp_path, os.getpid(), 1)
    process(tmp_path, 1, 0)
    for pid, name, inodes in (
        (40, "sshd", (101, 102, 104)),
        (41, "sshd-session", (103,)),
        (42, "dropbear", (107,)),
        (43, "httpd", (105,)),
    ):
        opened(tmp_path, pid, name, "/dev/null", *(f"socket:[{inode}]" for inode in inodes))
    sockets(
        tmp_path,
        ("0.0.0.0", 2222, "0.0.0.0", 0, LISTENS, 101),
        ("192.0.2.10", 2222, PEER, 40000, ESTABLISHED, 102),
        ("::ffff:192.0.2.11", 2222, f"::ffff:{PEER}", 40001, ESTABLISHED, 103),
        ("192.0.2.12", 40002, PEER, 80, ESTABLISHED, 104),  # forwarded by the server
        ("0.0.0.0", 80, "0.0.0.0", 0, LISTENS, 106),
        ("192.0.2.13", 80, PEER, 40003, ESTABLISHED, 105),  # a web server's
        ("2001:db8::10", 22, PEER6, 40004, ESTABLISHED, 0),  # whose server's files cannot be read
        ("192.0.2.14", 22, PEER, 40005, CLOSES, 0),
        ("192.0.2.15", 2222, PEER, 40006, ESTABLISHED, 107),
        ("fe80::1", 22, "fe80::77", 40007, ESTABLISHED, 0),
    )
    others = [
        ("192.0.2.10", PEER, False),
        ("192.0.2.15", PEER, False),
        ("192.0.2.11", PEER, False),
        ("2001:db8::10", PEER6, False),
        ("fe80::1", "fe80::77", False),
    ]
    assert ssh_connections(str(tmp_path / "proc")) == others
    # That of this session is there once, with its zone where it has one.
    own = tmp_path / f"proc/{os.getpid()}/environ"
    own.write_bytes(b"SSH_CONNECTION=fe80::77%eth0 40007 fe80::1%eth0 22\0")
    assert ssh_connections(str(tmp_path / "proc")) == [("fe80::1%eth0", "fe80::77%eth0", True), *others[:-1]]
