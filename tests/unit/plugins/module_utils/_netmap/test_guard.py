# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role netmap's program does not touch: ports that the host is managed over, and ports and modules that a run
uses.

The program has a copy of the rules of module_utils/_nic/management.py, since it runs where the collection is not. Here
both answer.
"""

from __future__ import annotations

import ast
import importlib.util
import ipaddress
import json
import os
import random
import socket
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import management
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import Connection, Way

REPO = Path(__file__).parents[3]

PROGRAM = REPO / "roles/netmap/files/trafficgen_netmap.py"

_spec = importlib.util.spec_from_file_location("trafficgen_netmap", PROGRAM)
assert _spec and _spec.loader
program: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)


def link(name: str, *addresses: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """One entry of ``ip -j -d addr show`` (iproute2 6.1)."""
    info = [
        {
            "family": "inet6" if ":" in one else "inet",
            "local": one,
            "scope": "link" if one.startswith("fe80") else "global",
        }
        for one in addresses
    ]
    return {
        "ifname": name,
        "flags": ["BROADCAST", "UP"],
        "addr_info": info,
        **({"linkinfo": {"info_kind": kind}} if kind else {}),
        **more,
    }


def route(dev: str, gateway: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return {"type": "unicast", "dst": "default", "gateway": gateway, "dev": dev, "flags": [], **more}


LO = {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1", "scope": "host"}]}
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

PEER, PEER6 = "203.0.113.77", "2001:db8:f::77"


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


@pytest.mark.parametrize("guard", [management, program], ids=["module", "program"])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_both_guards_answer_alike(case: Any, guard: Any) -> None:
    _name, interface, links, routes, ssh, whole_host, reason, *ways = case
    connections = [guard.Connection(one, PEER) if isinstance(one, str) else one for one in ssh]
    assert guard.why_not(interface, links, routes, connections, ways, whole_host=whole_host) == reason


def test_the_rules_are_the_module_s_word_for_word() -> None:
    """The two differ in who asks, and in how a file is read and ip is run."""
    assert management.__file__
    module, copy = (_definitions(Path(file)) for file in (management.__file__, PROGRAM))
    assert [name for name in copy if name in module] == list(module)
    assert [name for name in module if copy[name] != module[name]] == ["guard", "_ways", "_ip", "_bytes"]


def _definitions(file: Path) -> dict[str, str]:
    source = file.read_text()
    return {
        name: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        for name in ([ast.unparse(node.targets[0])] if isinstance(node, ast.Assign) else [getattr(node, "name", "")])
        if name
    }


def test_both_guards_answer_alike_on_any_host() -> None:
    chance = random.Random(20260101)
    refused = 0
    for _host in range(3000):
        names = [f"if{number}" for number in range(chance.randint(1, 6))]
        pool = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:DB8:0::2", "fe80::1"]
        links = [
            link(
                name,
                *chance.sample(pool, chance.choice([0, 0, 1, 2])),
                kind=chance.choice(["", "vlan", "veth", "bond"]),
                **{key: chance.choice(names) for key in ("link", "master") if chance.random() < 0.4},
                **({"link_netnsid": 0, "link_index": chance.randint(1, 3)} if chance.random() < 0.1 else {}),
            )
            for name in names
        ]
        routes = [
            (
                {
                    "dst": "default",
                    "type": chance.choice(["unicast", "unreachable", "throw"]),
                    "dev": chance.choice(names),
                }
                if chance.random() < 0.7
                else {"dst": "default", "nexthops": [{"dev": chance.choice(names)}, {}]}
            )
            for _number in range(chance.choice([0, 0, 1, 2]))
        ]
        ssh = [
            Connection(at, PEER, chance.random() < 0.5)
            for at in chance.sample([*pool, "fe80::1%if0", "fe80::1%if1"], chance.choice([0, 0, 0, 1, 2]))
        ]
        ways = [Way(PEER, chance.choice([*names, "lo"])) for _number in range(chance.choice([0, 0, 0, 1, 2]))]
        whole = chance.random() < 0.5
        interface = chance.choice(names)
        one, two = (
            guard.why_not(interface, links, routes, ssh, ways, whole_host=whole) for guard in (management, program)
        )
        assert one == two, (interface, links, routes, ssh, ways, whole)
        refused += bool(one)
        for name in ("above", "below", "touched", "ports_elsewhere"):
            assert getattr(program, name)(interface, links) == getattr(management, name)(interface, links)
    assert 500 < refused < 2500


def process(root: Path, pid: int, parent: int, environment: bytes = b"", name: bytes = b"sh") -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_bytes(b"%d (%s) S %d 1 1 0 -1\n" % (pid, name, parent))
    (folder / "environ").write_bytes(environment)


def opened(root: Path, pid: int, name: str, *files: str) -> None:
    process(root, pid, 1)
    folder = root / f"proc/{pid}"
    (folder / "comm").write_text(f"{name}\n")
    (folder / "fd").mkdir()
    for number, file in enumerate(files):
        (folder / f"fd/{number}").symlink_to(file)


@pytest.mark.parametrize("guard", [management, program], ids=["module", "program"])
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
def test_both_find_the_connection_behind_sudo(tmp_path: Path, guard: Any, variable: bytes, found: list[Any]) -> None:
    process(tmp_path, os.getpid(), 40, b"SUDO_USER=u\0")
    process(tmp_path, 40, 30, b"PATH=/bin\0", b"sudo ) S 1")
    process(tmp_path, 30, 1, b"A=b\0SSH_CONNECTION=" + variable + b"\0Z=\xff\0")
    process(tmp_path, 1, 0)
    assert guard.ssh_connections(str(tmp_path / "proc")) == found
    assert guard.ssh_connections(str(tmp_path / "nothing")) == []


ESTABLISHED, CLOSES, LISTENS = "01", "08", "0A"


def sockets(root: Path, *rows: tuple[str, int, str, int, str, int]) -> None:
    """The kernel's TCP tables: address and port here and there, state, inode."""

    def hexadecimal(address: str, port: int) -> str:
        packed = ipaddress.ip_address(address).packed
        words = (int.from_bytes(packed[index : index + 4], sys.byteorder) for index in range(0, len(packed), 4))
        return "".join(f"{word:08X}" for word in words) + f":{port:04X}"

    folder = root / "proc/self/net"
    folder.mkdir(parents=True)
    for name, colon in (("tcp", False), ("tcp6", True)):
        lines = [
            f"   0: {hexadecimal(at, port)} {hexadecimal(peer, far)} {state} 00000000:00000000 02:000AFB73 00000000    "
            f" 0 0 {inode} 2"
            for at, port, peer, far, state, inode in rows
            if (":" in at) == colon
        ]
        (folder / name).write_text("\n".join(["  sl  local_address rem_address   st", *lines, ""]))


@pytest.mark.parametrize("guard", [management, program], ids=["module", "program"])
def test_both_find_the_connections_of_other_sessions(tmp_path: Path, guard: Any) -> None:
    """What async, a tmux or cron started descends from no session."""
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
        ("2001:db8::10", 22, PEER6, 40004, ESTABLISHED, 0),  # whose server cannot be looked into
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
    assert guard.ssh_connections(str(tmp_path / "proc")) == others
    # That of this session is there once, with its zone where it has one.
    own = tmp_path / f"proc/{os.getpid()}/environ"
    own.write_bytes(b"SSH_CONNECTION=fe80::77%eth0 40007 fe80::1%eth0 22\0")
    assert guard.ssh_connections(str(tmp_path / "proc")) == [("fe80::1%eth0", "fe80::77%eth0", True), *others[:-1]]


# --- The program on a host with three ports ---

MANAGEMENT, TEST, OTHER = "0000:00:03.0", "0000:00:10.0", "0000:00:11.0"
SETTINGS = {
    "driver_suffix": "-netmap",
    "drivers": ["e1000"],
    "external_drivers": [],
    "native_devices": [],
    "module_options": {},
    "service": True,
    "native_macs": {},
    "allow_management_interface": False,
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three ports of one kind, each with its index; ip says what is in the files ``links``, ``routes`` and ``ways``."""
    root = tmp_path / "root"
    for number, (address, name) in enumerate(((MANAGEMENT, "eth0"), (TEST, "tg0"), (OTHER, "tg1")), 2):
        device = root / f"sys/bus/pci/devices/{address}"
        (device / "net" / name).mkdir(parents=True)
        (device / "driver").symlink_to("../../drivers/e1000")
        interface = root / f"sys/class/net/{name}"
        interface.mkdir(parents=True)
        (interface / "ifindex").write_text(f"{number}\n")
        (interface / "device").symlink_to(device)
    process(root, os.getpid(), 1)
    (root / "proc/net").mkdir()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ip").write_text(
        f"#!/bin/sh\ncd {tmp_path}\ncase $* in *-6*) echo '[]';; *-batch*) cat > asked; cat ways; exit 1;; *route*) cat"
        " routes;; *) cat links;; esac\n"
    )
    (tools / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    says(tmp_path)
    return program.Host(str(root), running="6.6.6")


def says(tmp_path: Path, *links: dict[str, Any], routes: tuple[dict[str, Any], ...] = ()) -> None:
    default = [
        LO,
        link("eth0", "192.0.2.10", address="02:00:00:00:00:01"),
        link("tg0", address="02:00:00:00:00:10"),
        link("tg1"),
    ]
    (tmp_path / "links").write_text(json.dumps(list(links) or default))
    (tmp_path / "routes").write_text(json.dumps(list(routes)))


def native(host: Any, *addresses: str) -> None:
    """netmap is loaded, and these devices are with its driver."""
    module = host.path("/sys/module/netmap")
    (module / "holders").mkdir(parents=True)
    (module / "holders/e1000_netmap").touch()
    (module / "refcnt").write_text("1\n")
    for address in addresses:
        host.path(f"/sys/module/e1000_netmap/drivers/pci:e1000-netmap/{address}").mkdir(parents=True)
        driver = host.path(f"/sys/bus/pci/devices/{address}/driver")
        driver.unlink()
        driver.symlink_to("../../drivers/e1000-netmap")


def sending(host: Any, index: int, inode: int, where: str = "net") -> None:
    """The kernel's list of a namespace's sockets while a run is under way, as Linux 6.1 prints it."""
    path = host.path(f"/proc/{where}/unix")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "00000000b0c1a9f7: 00000002 00000000 00010000 0001 01 17411 /run/systemd/private\n"
        "0000000041d2ee02: 00000003 00000000 00000000 0001 03 18099\n"
        f"00000000e3e0d1b8: 00000002 00000000 00010000 0001 01 {inode} @wirespeed.trafficgen/sending/{index}\n"
        f"00000000e3e0d1b9: 00000002 00000000 00010000 0001 01 9 @wirespeed.trafficgen/counting/{index}\n"
    )


def test_a_management_port_is_not_given_to_a_native_driver(host: Any, tmp_path: Path) -> None:
    says(tmp_path, *VLAN, routes=(route("eth0.5"),))
    asked = {**SETTINGS, "native_devices": ["eth0", TEST]}
    addresses, problems = program.resolve_devices(host, asked)
    assert addresses == [MANAGEMENT, TEST] and len(problems) == 1
    assert "0000:00:03.0 is eth0: the default route is on eth0.5, above it." in problems[0]
    assert "set netmap_allow_management_interface: true" in problems[0]
    with pytest.raises(program.Problem, match=r"the default route is on eth0\.5"):
        program.take(host, asked, "6.6.6", MANAGEMENT)
    assert program.resolve_devices(host, {**asked, "allow_management_interface": True})[1] == []


def test_the_connection_behind_sudo_protects_a_port(host: Any, tmp_path: Path) -> None:
    (host.path(f"/proc/{os.getpid()}") / "environ").write_bytes(b"SSH_CONNECTION=192.0.2.77 5 192.0.2.10 22\0")
    (tmp_path / "ways").touch()
    assert "eth0: the SSH connection came in at 192.0.2.10" in program.protected_problem(host, SETTINGS, MANAGEMENT)
    assert program.protected_problem(host, SETTINGS, TEST) == ""


def test_another_session_protects_a_port_from_the_unit(host: Any, tmp_path: Path) -> None:
    """The unit descends from no session, also where ``systemctl restart`` was typed in one."""
    native(host, MANAGEMENT)
    says(tmp_path, LO, link("eth0", "192.0.2.10"), link("tg0", "198.51.100.1"))
    (tmp_path / "ways").touch()
    assert program.reload_problem(host, SETTINGS) == ""
    sockets(host.root, ("192.0.2.10", 22, PEER, 40000, ESTABLISHED, 7))
    with pytest.raises(program.Problem, match=r"eth0: an SSH connection came in at 192\.0\.2\.10, on eth0"):
        program.unload(host, SETTINGS)
    assert program.reload_problem(host, {**SETTINGS, "allow_management_interface": True}) == ""


def test_the_way_of_the_answers_protects_a_port(host: Any, tmp_path: Path) -> None:
    says(tmp_path, LO, link("eth0", "192.0.2.10"), link("tg0", "198.51.100.1"))
    sockets(
        host.root,
        ("192.0.2.10", 22, PEER, 40000, ESTABLISHED, 7),
        ("2001:db8::10", 22, PEER6, 40000, ESTABLISHED, 7),
        ("fe80::1", 22, "fe80::77", 40000, ESTABLISHED, 7),
    )
    # What ip -j -batch says: a line each, and nothing of one that cannot be reached.
    answer = {"dst": PEER, "from": "192.0.2.10", "gateway": "192.0.2.1", "dev": "tg0", "flags": []}
    (tmp_path / "ways").write_text(f"{json.dumps([answer])}\nnonsense\n[{{}}]\n")
    assert f"tg0: the answers to the SSH client {PEER} leave by tg0." in program.protected_problem(host, SETTINGS, TEST)
    assert program.protected_problem(host, SETTINGS, OTHER) == ""
    assert (
        tmp_path / "asked"
    ).read_text() == f"route get {PEER} from 192.0.2.10\nroute get {PEER6} from 2001:db8::10\n"


def test_a_vlan_moved_to_a_namespace_leaves_through_the_port_here(host: Any, tmp_path: Path) -> None:
    there = [
        link("v7", kind="vlan", link_index=2, link_netnsid=0),
        link("snd0", kind="veth", link_index=2, link_netnsid=0),
    ]
    says(tmp_path, LO, link("eth0", "192.0.2.10", ifindex=2), link("tg0", ifindex=3), routes=(route("eth0"),))
    (tmp_path / "there").write_text(json.dumps(there))
    ip = tmp_path / "tools/ip"
    in_there = "case $* in '-n there '*route*) echo '[]'; exit;; '-n there '*) cat there; exit;; esac\n"
    ip.write_text(ip.read_text().replace("case", f"{in_there}case"))
    assert program.look(host, {"interfaces": ["v7", "snd0"], "netns": "there"})["managed"] == {
        "v7": "it leaves through eth0, and the default route is on eth0"
    }


def _rmmod(host: Any) -> None:
    program.unload(host, SETTINGS)


def _activate(host: Any) -> None:
    program.activate(host, SETTINGS)


def _restart(host: Any) -> None:
    program.replace(host, SETTINGS, "6.6.6", {}, (), loads=True)


def _no_unit(host: Any) -> None:
    path = host.path(program.UNIT_FILE)
    path.parent.mkdir(parents=True)
    path.touch()
    program.replace(host, {**SETTINGS, "service": False, "files": {}}, "6.6.6", {}, (), loads=False)


def _absent(host: Any) -> None:
    path = host.path(program.UNIT_FILE)
    path.parent.mkdir(parents=True)
    path.touch()
    program.remove(host, {**SETTINGS, "source_dir": "/usr/src/netmap"})


def _rebuild(host: Any) -> None:
    host.path("/sys/module/netmap/parameters").mkdir()
    program.build_and_install(
        host, {**SETTINGS, "signing_key": "", "kernel_dir": "/k", "kernel_sources": "", "signing_cert": ""}, "6.6.6"
    )


ACTS = [_rmmod, _activate, _restart, _no_unit, _absent, _rebuild]


@pytest.fixture
def act(request: pytest.FixtureRequest, host: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What gives a native port back; nothing of it may be begun. Of a build, only what has to do with ports."""
    for name in ("headers_problem", "tools_problem", "signing_problem", "build_folders_problem", "refused_problem"):
        monkeypatch.setattr(program, name, lambda *_: "")
    monkeypatch.setattr(program, "SOURCE", "", raising=False)

    def never(*_: Any, **_more: Any) -> None:
        raise AssertionError("it was begun")

    for name in ("systemctl", "bind", "write_file", "fetch", "must"):
        monkeypatch.setattr(program, name, never)
    return lambda: request.param(host)


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_a_native_management_port_away(host: Any, act: Callable[[], None]) -> None:
    native(host, MANAGEMENT)
    with pytest.raises(program.Problem, match=r"eth0: the only address of this host, 192\.0\.2\.10, is on eth0"):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_netmap_from_a_run(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    host.path("/sys/module/netmap/refcnt").write_text("2\n")
    opened(host.root, 42, "tcpreplay", "/dev/netmap")
    opened(host.root, 43, "bash", "/dev/null")
    with pytest.raises(program.Problem, match=r"netmap is in use by tcpreplay \(process 42\).*nothing was changed"):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_a_native_port_from_a_run_through_the_kernel(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    sending(host, 3, 18100)
    opened(host.root, 41, "python3", "socket:[18100]", "/dev/null")
    opened(host.root, 42, "tcpreplay", "socket:[5]", "socket:[18100]")
    opened(host.root, 43, "other", "socket:[9]")
    with pytest.raises(
        program.Problem, match=r"on tg0 .*: python3 \(process 41\), tcpreplay \(process 42\)\. .*nothing was changed"
    ):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_a_run_on_another_port_is_in_nobody_s_way(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    sending(host, 4, 18100)
    with pytest.raises(AssertionError, match="it was begun"):
        act()


def test_a_port_is_not_given_to_its_native_driver_during_a_run(host: Any) -> None:
    sending(host, 3, 18100)
    assert "A run is sending on tg0" in program.resolve_devices(host, {**SETTINGS, "native_devices": ["tg0"]})[1][0]
    with pytest.raises(program.Problem, match="A run is sending on tg0"):
        program.take(host, SETTINGS, "6.6.6", TEST)


def test_the_lock_of_a_run_is_found_as_the_kernel_lists_it() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        lock.bind(f"\0wirespeed.trafficgen/sending/{os.getpid()}")
        lock.listen()
        found = program.runs(program.Host())[str(os.getpid())]
        assert found == os.readlink(f"/proc/self/fd/{lock.fileno()}")
        assert any(f"(process {os.getpid()})" in who for who in program.have_open(program.Host(), [found]))
    assert str(os.getpid()) not in program.runs(program.Host())


def test_who_is_at_work_in_any_namespace(host: Any) -> None:
    assert program.busy(host) == ""
    opened(host.root, 42, "tcpreplay", "socket:[18100]")
    opened(host.root, 43, "pkt-gen", "/dev/netmap")
    opened(host.root, 44, "tcpreplay", "socket:[18200]")
    opened(host.root, 45, "bash", "socket:[9]")
    for pid, namespace, inode in ((42, 4026532001, 18100), (44, 4026532002, 18200)):
        host.path(f"/proc/{pid}/ns").mkdir()
        host.path(f"/proc/{pid}/ns/net").symlink_to(f"net:[{namespace}]")
        sending(host, 7, inode, f"{pid}/net")
    assert "in use: tcpreplay (process 42), pkt-gen (process 43), tcpreplay (process 44)." in program.busy(host)


# --- At boot ---


def test_the_unit_lets_the_guard_see() -> None:
    """Without these it would not fail, but see no connections."""
    lines = (REPO / "roles/netmap/templates/netmap.service.j2").read_text().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} <= set(unit["CapabilityBoundingSet"].split())
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"].split()
    hiding = {
        "PrivateNetwork",
        "NetworkNamespacePath",
        "JoinsNamespaceOf",
        "PrivateUsers",
        "PrivatePIDs",
        "ProtectProc",
        "ProcSubset",
    }
    assert not {*hiding, "User", "DynamicUser"} & set(unit)


def test_a_device_that_was_changed_for_another_is_not_taken(host: Any, tmp_path: Path) -> None:
    """Before the network is up there is nothing else to tell a management port by."""
    noted = {**SETTINGS, "native_macs": program.macs(host, [TEST])}
    assert noted["native_macs"] == {TEST: "02:00:00:00:00:10"}
    says(tmp_path, LO, link("tg0", address="02:00:00:00:00:99"))
    with pytest.raises(
        program.Problem, match=r"0000:00:10\.0 is tg0 with the MAC address 02:00:00:00:00:99, and had 02:00:00:00:00:10"
    ):
        program.take(host, noted, "6.6.6", TEST)
    # A bond gives its ports its own, and one of another netns shows none.
    says(tmp_path, LO, link("tg0", address="02:00:00:00:00:99", permaddr="02:00:00:00:00:10"))
    assert program.another_device(host, noted, TEST) == ""
    assert program.another_device(host, SETTINGS, TEST) == ""
    says(tmp_path, LO)
    assert program.another_device(host, noted, TEST) == ""


def test_without_an_answer_of_ip_nothing_is_taken(host: Any, tmp_path: Path) -> None:
    (tmp_path / "tools/ip").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(
        program.Problem, match=r"ip -j -d addr show: the guard of the management interface got no answer: broken"
    ):
        program.take(host, SETTINGS, "6.6.6", TEST)


# --- For other roles ---


def test_what_other_roles_ask(host: Any, tmp_path: Path) -> None:
    said = program.command(host, ["look", json.dumps({"interfaces": ["eth0", "tg0"], "folders": ["/usr/src/netmap"]})])
    assert said == {
        "managed": {"eth0": "the only address of this host, 192.0.2.10, is on eth0"},
        "folders": [],
        "busy": "",
    }
    # What another role's variable says where there is none.
    for netns in ("", None):
        assert program.look(host, {"interfaces": ["eth0", "tg0"], "netns": netns})["managed"] == said["managed"]
    # One address is the only one of many a namespace.
    (tmp_path / "tools/ip").write_text(
        f"#!/bin/sh\n[ \"$1 $2\" = '-n there' ] || exit 1\ncase $* in *route*) echo '[]';; *) cat {tmp_path}/links;;"
        " esac\n"
    )
    assert program.look(host, {"interfaces": ["eth0"], "netns": "there"})["managed"] == {}
