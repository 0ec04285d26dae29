# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import guard as guards
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import management
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.guard import guard
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import (
    Connection,
    Way,
    above,
    below,
    ports_elsewhere,
    ssh_connections,
    touched,
    why_not,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_host import Kernel


def link(name, *addresses, flags=("BROADCAST", "MULTICAST", "UP", "LOWER_UP"), kind=None, **more):
    """One entry of ``ip -j -d addr show`` (iproute2 6.1)."""
    info = [
        {
            "family": "inet6" if ":" in a else "inet",
            "local": a,
            "prefixlen": 64,
            "scope": "link" if a.startswith("fe80") else "global",
        }
        for a in addresses
    ]
    return {
        "ifname": name,
        "flags": list(flags),
        "addr_info": info,
        **({"linkinfo": {"info_kind": kind}} if kind else {}),
        **more,
    }


LO = {
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "addr_info": [
        {"family": "inet", "local": "127.0.0.1", "scope": "host"},
        {"family": "inet", "local": "203.0.113.9", "scope": "global"},
    ],
}
# Management on eth0 with two addresses, a second network on eth1, a test port without any.
HOST = [
    LO,
    link("eth0", "192.0.2.10", "2001:db8::10", "fe80::1"),
    link("eth1", "198.51.100.1"),
    link("ens17", "fe80::17"),
]
DEFAULT4 = {"type": "unicast", "dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "table": "main", "flags": []}
DEFAULT6 = {
    "type": "unicast",
    "dst": "default",
    "gateway": "fe80::99",
    "dev": "eth0",
    "table": "main",
    "metric": 1024,
    "flags": [],
}
# Of the test port: a bond of it and another, the bond in a VLAN, the VLAN in a bridge.
STACK = [
    LO,
    link("ens17", master="bond0"),
    link("ens18", master="bond0"),
    link("bond0", kind="bond"),
    link("bond0.7", kind="vlan", link="bond0", master="br7"),
    link("br7", "192.0.2.10", kind="bridge"),
    link("ens19"),
]


def ask(interface, links=None, routes=(), ssh=(), ways=(), whole_host=True, own=True):
    connections = [Connection(address, "203.0.113.77", own) for address in ssh]
    return why_not(interface, HOST if links is None else links, routes, connections, ways, whole_host=whole_host)


def test_a_free_interface_may_be_used():
    assert ask("ens17", routes=[DEFAULT4, DEFAULT6], ssh=["192.0.2.10"]) == ""


@pytest.mark.parametrize("route", [DEFAULT4, DEFAULT6, {**DEFAULT4, "table": "vpn"}])
def test_the_default_route(route):
    assert ask("eth0", routes=[route]) == "the default route is on eth0"
    assert ask("eth1", routes=[route]) == ""


def test_a_default_route_of_several_ways():
    ways = {
        "dst": "default",
        "flags": [],
        "nexthops": [{"dev": "eth1", "gateway": "198.51.100.2"}, {"dev": "eth0", "gateway": "192.0.2.1"}],
    }
    assert ask("eth0", routes=[ways]) and ask("eth1", routes=[ways])
    assert ask("ens17", routes=[ways]) == ""


def test_a_route_to_nowhere_is_no_way():
    # What the kernel puts into each namespace for IPv6.
    assert ask("eth0", routes=[{"type": "unreachable", "dst": "default", "dev": "eth0", "metric": 4294967295}]) == ""


@pytest.mark.parametrize("address", ["192.0.2.10", "2001:db8::10", "fe80::1", "fe80::1%eth0"])
def test_the_address_the_ssh_connection_came_in_on(address):
    assert ask("eth0", ssh=[address]) == f"the SSH connection came in at {address.partition('%')[0]}, on eth0"
    assert ask("eth1", ssh=[address]) == ""


def test_an_ssh_connection_of_another_session():
    assert ask("eth0", ssh=["192.0.2.10"], own=False) == "an SSH connection came in at 192.0.2.10, on eth0"
    assert ask("eth1", ssh=["192.0.2.10"], own=False) == ""


def test_the_way_the_answers_take():
    # It came in at an address of lo, or of a port other than the one that the route to the client uses.
    ways = [Way("203.0.113.77", "eth1")]
    assert ask("eth1", ssh=["203.0.113.9"], ways=ways) == "the answers to the SSH client 203.0.113.77 leave by eth1"
    assert ask("eth0", ssh=["203.0.113.9"], ways=ways) == ""
    assert ask("lo", ways=[Way("192.0.2.10", "lo")]) == ""


def test_a_link_local_address_is_its_zones():
    links = [link("eth0", "fe80::1"), link("eth1", "fe80::1", "198.51.100.1"), link("eth2", "192.0.2.1")]
    assert ask("eth0", links, ssh=["fe80::1%eth1"]) == ""
    assert ask("eth1", links, ssh=["fe80::1%eth1"])


def test_the_only_address_of_the_host():
    links = [LO, link("eth0", "192.0.2.10", "2001:db8::10", "fe80::1"), link("ens17", "fe80::17")]
    assert ask("eth0", links) == "the only address of this host, 2001:db8::10, is on eth0"
    assert ask("ens17", links) == ""
    # One of two routes is not the only one, and a test's namespace may have one too.
    assert ask("eth0", [*links, link("eth1", "198.51.100.1")]) == ""
    assert ask("eth0", links, whole_host=False) == ""


def test_a_host_without_addresses_has_nothing_to_lose():
    assert ask("ens17", [LO, link("ens17"), link("ens18")]) == ""


def test_loopback_is_free():
    assert ask("lo", [LO], routes=[{**DEFAULT4, "dev": "lo"}], ssh=["127.0.0.1", "203.0.113.9"]) == ""


def test_what_is_above_an_interface():
    assert above("ens17", STACK) == {"ens17", "bond0", "bond0.7", "br7"}
    assert above("br7", STACK) == {"br7"}
    assert above("ens19", STACK) == {"ens19"}


@pytest.mark.parametrize("interface", ["ens17", "ens18", "bond0", "bond0.7"])
def test_management_above_an_interface(interface):
    for given in ({"routes": [{**DEFAULT4, "dev": "br7"}]}, {"ssh": ["192.0.2.10"]}, {}):
        assert "br7, above it" in ask(interface, STACK, **given)
    assert ask("ens19", STACK, routes=[{**DEFAULT4, "dev": "br7"}], ssh=["192.0.2.10"]) == ""


def test_beside_the_management_on_the_same_port():
    links = [
        LO,
        link("eth0"),
        link("eth0.7", "192.0.2.10", kind="vlan", link="eth0"),
        link("eth0.8", kind="vlan", link="eth0"),
        link("mv0", kind="macvlan", link="eth0"),
        link("tap0", master="br8"),
        link("eth0.9", kind="vlan", link="eth0", master="br8"),
        link("br8", kind="bridge"),
        link("eth1", "198.51.100.1"),
    ]
    said = "the SSH connection came in at 192.0.2.10, on eth0.7, which leaves through the same port"
    for name in ("eth0.8", "mv0", "eth0.9", "br8"):
        assert ask(name, links, ssh=["192.0.2.10"]) == said
        assert ask(name, links, routes=[{**DEFAULT4, "dev": "eth0"}])
    assert ask("eth0.7", links, ssh=["192.0.2.10"]) == "the SSH connection came in at 192.0.2.10, on eth0.7"
    # Frames sent on a port of a bridge leave by that port, not by the bridge's other ports.
    for name in ("eth1", "tap0"):
        assert ask(name, links, ssh=["192.0.2.10"]) == ""
    assert below("br8", links) == {"br8", "tap0", "eth0.9", "eth0"}
    assert touched("eth0.8", links) == {"eth0.8", "eth0", "eth0.7", "mv0", "eth0.9", "br8"}


def test_ports_in_another_namespace():
    links = [
        link("v7", kind="vlan", link_index=2, link_netnsid=0, ifindex=40, master="br7"),
        link("br7", kind="bridge", ifindex=41),
        link("snd0", kind="veth", link_index=9, link_netnsid=0, ifindex=8),
    ]
    assert ports_elsewhere("br7", links) == ports_elsewhere("v7", links) == [2]
    assert ports_elsewhere("snd0", links) == []


def test_a_veths_peer_is_not_above_it():
    links = [
        LO,
        link("v0", kind="veth", link="v1"),
        link("v1", "192.0.2.10", kind="veth", link="v0"),
        link("eth0", "198.51.100.1"),
    ]
    assert ask("v0", links, routes=[{**DEFAULT4, "dev": "v1"}]) == ""


def test_a_name_in_another_namespace_is_not_below():
    links = [
        LO,
        link("eth0"),
        link("mv0", "192.0.2.10", kind="macvlan", link="eth0", link_netnsid=0),
        link("eth1", "198.51.100.1"),
    ]
    assert ask("eth0", links, routes=[{**DEFAULT4, "dev": "mv0"}]) == ""
    del links[2]["link_netnsid"]
    assert ask("eth0", links, routes=[{**DEFAULT4, "dev": "mv0"}])


def test_links_in_a_circle_end():
    assert above("a", [link("a", link="b", kind="gre"), link("b", link="a", kind="gre")]) == {"a", "b"}


# Recorded on Debian 12 (6.1): sshd listens at 22; connections to it at 10.0.2.15 and 2001:db8:0:6::1. Then ones at port
# 2222, at 198.18.5.1 and, IPv4 on an IPv6 socket, at 198.18.6.1; one that a server forwards; one of another program's;
# one that is closing.
PROC_NET = Path(__file__).parents[4] / "fixtures" / "proc_net"
TCP = (PROC_NET / "tcp").read_text()
TCP6 = (PROC_NET / "tcp6").read_text()


def proc(tmp_path, *processes):
    """A /proc of processes, each ``(pid, parent, name, environment)``."""
    for pid, parent, name, environment in processes:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_bytes(b"%d (%s) S %d 1 1 0 -1\n" % (pid, name, parent))
        (tmp_path / str(pid) / "environ").write_bytes(environment)
    return str(tmp_path)


def test_ssh_connection_of_an_ancestor(tmp_path):
    # sshd's shell has it, sudo and its children do not, and sshd never had it.
    root = proc(
        tmp_path,
        (os.getpid(), 40, b"python3", b"PATH=/bin\0SUDO_USER=u\0"),
        (40, 30, b"sudo ) S 1", b"PATH=/bin\0"),
        (30, 20, b"sh", b"A=b\0SSH_CONNECTION=192.0.2.77 51234 192.0.2.10 22\0Z=\xff\0"),
        (20, 1, b"sshd", b""),
        (1, 0, b"systemd", b""),
    )
    assert ssh_connections(root) == [Connection("192.0.2.10", "192.0.2.77")]


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        (b"2001:db8::77 51234 2001:0db8::0010 22", ["2001:db8::10"]),
        (b"::ffff:192.0.2.77 51234 ::ffff:192.0.2.10 22", ["192.0.2.10"]),
        (b"fe80::77%eth0 51234 fe80::1%eth0 22", ["fe80::1%eth0"]),
        (b"", []),
        (b"nonsense", []),
        (b"UNKNOWN 65535 UNKNOWN 65535", ["UNKNOWN"]),
    ],
)
def test_forms_of_ssh_connection(tmp_path, variable, address):
    root = proc(tmp_path, (os.getpid(), 1, b"python3", b"SSH_CONNECTION=" + variable + b"\0"))
    assert [connection.at for connection in ssh_connections(root)] == address


def test_processes_that_cannot_be_read_end_the_search(tmp_path):
    assert ssh_connections(str(tmp_path)) == []
    root = proc(tmp_path, (os.getpid(), os.getpid(), b"its own parent", b""))
    assert ssh_connections(root) == []


@pytest.mark.skipif(sys.byteorder != "little", reason="it was recorded on such a machine")
def test_all_connections_to_ssh_servers(tmp_path):
    # A daemon whose session can no longer be found (async), and servers with their sockets.
    root = proc(
        tmp_path,
        (os.getpid(), 1, b"python3", b"PATH=/bin\0"),
        (1, 0, b"systemd", b""),
        (40, 1, b"", b""),
        (41, 1, b"", b""),
    )
    for pid, name, inodes in ((40, "sshd-session", (33021, 33022, 34386)), (41, "httpd", (33023,))):
        (tmp_path / str(pid) / "comm").write_text(name + "\n")
        (tmp_path / str(pid) / "fd").mkdir()
        (tmp_path / str(pid) / "fd" / "0").symlink_to("/dev/null")
        for number, inode in enumerate(inodes, 3):
            (tmp_path / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    (tmp_path / "self" / "net").mkdir(parents=True)
    (tmp_path / "self" / "net" / "tcp").write_text(TCP)
    (tmp_path / "self" / "net" / "tcp6").write_text(TCP6)
    (tmp_path / "sys").mkdir()
    assert ssh_connections(root) == [
        Connection("10.0.2.15", "10.0.2.2", False),
        Connection("198.18.5.1", "198.18.5.2", False),
        Connection("2001:db8:0:6::1", "2001:db8:0:6::2", False),
        Connection("198.18.6.1", "198.18.6.2", False),
    ]
    # The connection that this process descends from is listed once.
    (tmp_path / str(os.getpid()) / "environ").write_bytes(b"SSH_CONNECTION=198.18.5.2 34228 198.18.5.1 2222\0")
    assert ssh_connections(root)[0] == Connection("198.18.5.1", "198.18.5.2")
    assert len(ssh_connections(root)) == 4


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr(guards, "open_route", contextlib.nullcontext)
    return Kernel(monkeypatch)


def connected(monkeypatch, *connections):
    monkeypatch.setattr(management, "ssh_connections", lambda _proc: list(connections))


def test_the_guards_message(monkeypatch, kernel):
    connected(monkeypatch)
    kernel.says(link("eth0"), link("eth1"), routes=[{"dst": "default", "dev": "eth0", "flags": []}])
    with pytest.raises(
        TrafficgenError,
        match=r"^eth0: this host is managed over it: the default route is on eth0\. .*allow_management_interface: true",
    ):
        guard(Interface("eth0"))
    guard(Interface("eth1"))


def test_the_guard_asks_for_the_ways(monkeypatch, kernel):
    connected(
        monkeypatch,
        Connection("203.0.113.9", "203.0.113.77"),
        Connection("203.0.113.9", "203.0.113.78"),
        Connection("fe80::1%eth1", "fe80::77%eth1"),
        Connection("UNKNOWN", "UNKNOWN"),
    )
    kernel.says(link("eth0", "192.0.2.10"), link("eth7", "198.51.100.1"))
    kernel.ways = {"203.0.113.77": "eth7"}
    with pytest.raises(TrafficgenError, match=r"^eth7: .*the answers to the SSH client 203\.0\.113\.77 leave by eth7"):
        guard(Interface("eth7"))
    # The route to the second is gone.
    assert kernel.asked == [("203.0.113.9", "203.0.113.77"), ("203.0.113.9", "203.0.113.78")]
    guard(Interface("eth0"))


def test_the_guard_of_a_vlan_moved_to_a_namespace(monkeypatch, kernel):
    connected(monkeypatch, Connection("192.0.2.10", "192.0.2.77"))
    kernel.says(
        link("v7", kind="vlan", link_index=2, link_netnsid=0),
        link("snd0", kind="veth", link_index=2, link_netnsid=0),
        netns="test",
    )
    kernel.says(link("eth0", "192.0.2.10", ifindex=2), link("eth1", "198.51.100.1", ifindex=3))
    with pytest.raises(
        TrafficgenError,
        match=r"^v7: .*it leaves through eth0, and the SSH connection came in at 192\.0\.2\.10, on eth0",
    ):
        guard(Interface("v7", "test"))
    guard(Interface("snd0", "test"))


@pytest.mark.parametrize("asked_for", ["links", "addresses", "default_routes", "way"])
def test_without_an_answer_nothing_is_free(monkeypatch, kernel, asked_for):
    connected(monkeypatch, Connection("192.0.2.10", "192.0.2.77"))
    kernel.says(link("eth0", "192.0.2.10"), link("eth1", "198.51.100.1"))
    guard(Interface("eth1"))

    def refuse(*_given):
        raise OSError("what was to be listed was changed again and again meanwhile")

    monkeypatch.setattr(kernel, asked_for, refuse)
    with pytest.raises(TrafficgenError, match=r"the guard of the management interface got no answer: .*again"):
        guard(Interface("eth1"))


@pytest.mark.parametrize(("family", "number"), [(2, errno.EAFNOSUPPORT), (10, errno.EPERM)])
def test_only_ipv6_may_be_missing(monkeypatch, kernel, family, number):
    connected(monkeypatch)
    kernel.says(link("eth0", "192.0.2.10"), link("eth1", "198.51.100.1"))

    def routes(netns, asked):
        if asked == family:
            raise OSError(number, os.strerror(number))
        return []

    monkeypatch.setattr(kernel, "default_routes", routes)
    with pytest.raises(TrafficgenError, match=r"^default routes: the guard of the management interface got no answer"):
        guard(Interface("eth1"))
