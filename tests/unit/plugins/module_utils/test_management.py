# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _management
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._management import above, ssh_addresses, why_not
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import Completed


def link(name, *addresses, flags=("BROADCAST", "MULTICAST", "UP", "LOWER_UP"), kind=None, **more):
    """One entry of ``ip -j -d addr show`` (iproute2 6.1)."""
    info = [
        {"family": "inet6" if ":" in a else "inet", "local": a, "prefixlen": 64, "scope": "link" if a.startswith("fe80") else "global"}
        for a in addresses
    ]
    return {"ifname": name, "flags": list(flags), "addr_info": info, **({"linkinfo": {"info_kind": kind}} if kind else {}), **more}


LO = {
    "ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}, {"family": "inet", "local": "203.0.113.9", "scope": "global"}],
}  # fmt: skip
# Management on eth0 with two addresses, a second network on eth1, a test port without any.
HOST = [LO, link("eth0", "192.0.2.10", "2001:db8::10", "fe80::1"), link("eth1", "198.51.100.1"), link("ens17", "fe80::17")]
DEFAULT4 = {"type": "unicast", "dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "table": "main", "flags": []}
DEFAULT6 = {"type": "unicast", "dst": "default", "gateway": "fe80::99", "dev": "eth0", "table": "main", "metric": 1024, "flags": []}
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


def ask(interface, links=None, routes=(), ssh=(), whole_host=True):
    return why_not(interface, HOST if links is None else links, routes, ssh, whole_host=whole_host)


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


def test_a_link_local_address_is_its_zones():
    links = [link("eth0", "fe80::1"), link("eth1", "fe80::1", "198.51.100.1"), link("eth2", "192.0.2.1")]
    assert ask("eth0", links, ssh=["fe80::1%eth1"]) == ""
    assert ask("eth1", links, ssh=["fe80::1%eth1"])


def test_the_only_address_of_the_host():
    links = [LO, link("eth0", "192.0.2.10", "2001:db8::10", "fe80::1"), link("ens17", "fe80::17")]
    assert ask("eth0", links) == "the only address of this host, 2001:db8::10, is on eth0"
    assert ask("ens17", links) == ""
    # One of two is not the only one, and a test's namespace may well have one.
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


def test_a_veths_peer_is_not_above_it():
    links = [LO, link("v0", kind="veth", link="v1"), link("v1", "192.0.2.10", kind="veth", link="v0"), link("eth0", "198.51.100.1")]
    assert ask("v0", links, routes=[{**DEFAULT4, "dev": "v1"}]) == ""


def test_a_name_in_another_namespace_is_not_below():
    links = [LO, link("eth0"), link("mv0", "192.0.2.10", kind="macvlan", link="eth0", link_netnsid=0), link("eth1", "198.51.100.1")]
    assert ask("eth0", links, routes=[{**DEFAULT4, "dev": "mv0"}]) == ""
    del links[2]["link_netnsid"]
    assert ask("eth0", links, routes=[{**DEFAULT4, "dev": "mv0"}])


def test_links_in_a_circle_end():
    assert above("a", [link("a", link="b", kind="gre"), link("b", link="a", kind="gre")]) == {"a", "b"}


def proc(tmp_path, *processes):
    """A /proc of processes, each ``(pid, parent, name, environment)``."""
    for pid, parent, name, environment in processes:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_bytes(b"%d (%s) S %d 1 1 0 -1\n" % (pid, name, parent))
        (tmp_path / str(pid) / "environ").write_bytes(environment)
    return str(tmp_path)


def test_ssh_connection_of_an_ancestor(tmp_path):
    # sshd's shell has it, sudo and what it runs do not; sshd itself never had.
    root = proc(
        tmp_path,
        (os.getpid(), 40, b"python3", b"PATH=/bin\0SUDO_USER=u\0"),
        (40, 30, b"sudo ) S 1", b"PATH=/bin\0"),
        (30, 20, b"sh", b"A=b\0SSH_CONNECTION=192.0.2.77 51234 192.0.2.10 22\0Z=\xff\0"),
        (20, 1, b"sshd", b""),
        (1, 0, b"systemd", b""),
    )
    assert ssh_addresses(root) == ["192.0.2.10"]


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
    assert ssh_addresses(root) == address


def test_processes_that_cannot_be_read_end_the_search(tmp_path):
    assert ssh_addresses(str(tmp_path)) == []
    root = proc(tmp_path, (os.getpid(), os.getpid(), b"its own parent", b""))
    assert ssh_addresses(root) == []


def test_the_guards_message(monkeypatch):
    def run(argv, *, netns=None, **_options):
        assert netns is None
        if "addr" in argv:
            return Completed(tuple(argv), 0, '[{"ifname":"eth0","flags":[],"addr_info":[]}]', "")
        if "-4" in argv:
            return Completed(tuple(argv), 0, '[{"dst":"default","dev":"eth0","flags":[]},{}]', "")
        return Completed(tuple(argv), 1, "", "Error: ipv6: FIB table does not exist.")

    monkeypatch.setattr(_management, "run", run)
    monkeypatch.setattr(_management, "ssh_addresses", list)
    with pytest.raises(
        TrafficgenError, match=r"^eth0: this host is managed over it: the default route is on eth0\. .*allow_management_interface: true"
    ):
        _management.guard("eth0")
    _management.guard("eth1")
