# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What netlink and ioctl read is what ip, ethtool and tc say, for each kind of interface that this kernel has."""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import subprocess
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.sender_queue import Queue, read_queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import ethtool, rtnetlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route, read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import attribute

KINDS = {
    "tgv0": "link add tgv0 numtxqueues 2 numrxqueues 2 type veth peer name tgv1",
    "tgv1": "",
    "tgbr": "link add tgbr type bridge",
    "tgmv": "link add tgmv link tgv0 type macvlan",
    "tgvl": "link add tgvl link tgv0 type vlan id 7",
    "tgbo": "link add tgbo type bond",
    "tgdu": "link add tgdu type dummy",
    "tgif": "link add tgif type ifb",
    "tgip": "link add tgip type ipip local 192.0.2.1 remote 192.0.2.2",
    "tgtap": "tuntap add dev tgtap mode tap",
    "tgtun": "tuntap add dev tgtun mode tun",
    "lo": "",
}
# iproute2's own names for some of /sys/class/net/IF/statistics. It prints the first only if it is not zero.
IP_NAMES = {"otherhost": "otherhost_dropped"}


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def in_netns(netns, *words):
    return ask("ip", "netns", "exec", netns, *words).stdout


@pytest.fixture(scope="module")
def netns():
    name = f"tgsame{os.getpid()}"
    if os.geteuid() != 0 or ask("ip", "netns", "add", name).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        for words in filter(None, KINDS.values()):
            ask("ip", "-n", name, *words.split())
        for words in (
            "link set tgv1 master tgbr",
            "link set tgv0 up promisc on",
            "link set tgv1 up",
            "link set tgbr up",
            "link set lo up",
            "address add 198.18.0.1/24 dev tgv0",
            "address add 198.18.0.9/32 dev tgv0 scope link",
            "address add 2001:2::1/64 dev tgbr nodad",
            "address add 192.0.2.1 peer 192.0.2.7 dev tgtun",
            "link set tgmv up",
            "route add default via 198.18.0.2 dev tgv0",
            "route add default via 198.18.0.3 dev tgv0 table 77",
            "route add unreachable default metric 4278198272",
            "route add 203.0.113.0/24 via 198.18.0.2",
            "-6 route add default via 2001:2::2 dev tgbr",
            "route add default metric 9 nexthop via 198.18.0.4 dev tgv0 nexthop via 198.18.0.5 dev tgv0",
        ):
            ask("ip", "-n", name, *words.split())
        time.sleep(0.3)  # duplicate address detection is over
        yield name
    finally:
        ask("ip", "netns", "delete", name)


@pytest.fixture(params=KINDS)
def interface(netns, request):
    if not in_netns(netns, "ip", "-j", "link", "show", "dev", request.param):
        pytest.skip("this kernel has no such interface")
    return Interface(request.param, netns)


def said_by_ip(netns, *words):
    return [entry for entry in json.loads(in_netns(netns, "ip", "-j", "-d", "-s", "-s", *words) or "[]") if entry]


KEYS = [
    "ifindex",
    "ifname",
    "mtu",
    "qdisc",
    "link_type",
    "address",
    "promiscuity",
    "num_tx_queues",
    "num_rx_queues",
    "parentbus",
    "parentdev",
    "permaddr",
]


def the_same(ours, ips):
    assert {key: ours.get(key) for key in KEYS} == {key: ips.get(key) for key in KEYS}
    assert (ours["flags"] and set(ours["flags"]) == set(ips["flags"]) & {"UP", "LOWER_UP", "PROMISC", "LOOPBACK"}) or (
        not ours["flags"] and not {"UP", "LOWER_UP", "PROMISC", "LOOPBACK"} & set(ips["flags"])
    )
    kind = ips.get("linkinfo", {}).get("info_kind")
    assert ours.get("linkinfo", {}).get("info_kind") == kind


def test_a_link(interface):
    before, after = None, said_by_ip(interface.netns, "link", "show", "dev", interface.name)
    while before != after:  # until its counters stand still
        before, ours = after, read_link(interface)
        after = said_by_ip(interface.netns, "link", "show", "dev", interface.name)
    [ips] = after
    the_same(ours, ips)
    counted = {
        f"{side}_{IP_NAMES.get(name, name)}": value
        for side in ("rx", "tx")
        for name, value in ips["stats64"][side].items()
        if name not in ("multicast", "collisions", "carrier_changes")
    }
    counted |= {"multicast": ips["stats64"]["rx"]["multicast"], "collisions": ips["stats64"]["tx"]["collisions"]}
    assert {name: ours["counters"][name] for name in counted} == counted
    assert not any(value for name, value in ours["counters"].items() if name not in counted)
    assert ours["carrier_changes"] == ips["stats64"]["tx"].get("carrier_changes", 0)


def test_the_counters_have_the_names_of_sys(netns):
    names = set(in_netns(netns, "ls", "/sys/class/net/tgv0/statistics").split())
    # /sys leaves out what came for other hosts.
    assert set(read_link(Interface("tgv0", netns))["counters"]) - names <= {"rx_otherhost_dropped"}
    assert names <= set(read_link(Interface("tgv0", netns))["counters"])


def test_all_links(netns):
    ips = {entry["ifname"]: entry for entry in said_by_ip(netns, "link", "show")}
    with open_route(netns) as route:
        ours = {one["ifname"]: one for one in rtnetlink.links(route)}
    assert list(ours) == list(ips)
    for name, one in ours.items():
        the_same(one, ips[name])
        assert {key: one.get(key) for key in ("link", "master")} == {
            key: ips[name].get(key) for key in ("link", "master")
        }
        assert ("link_netnsid" in one) == ("link_netnsid" in ips[name])


def test_a_link_whose_lower_one_is_elsewhere(netns):
    other = f"{netns}b"
    ask("ip", "netns", "add", other)
    try:
        made = ask("ip", "-n", netns, "link", "add", "tgmx", "link", "tgv0", "netns", other, "type", "macvlan")
        if made.returncode:
            pytest.skip("this kernel has no macvlan")
        [ips] = [entry for entry in said_by_ip(other, "link", "show") if entry["ifname"] == "tgmx"]
        with open_route(other) as route:
            [ours] = [one for one in rtnetlink.links(route) if one["ifname"] == "tgmx"]
        assert "link" not in ours and "link" not in ips
        assert (ours["link_netnsid"], ours["link_index"]) == (ips["link_netnsid"], ips["link_index"])
    finally:
        ask("ip", "netns", "delete", other)


def test_addresses(netns):
    ips = {
        entry["ifindex"]: [{key: one.get(key) for key in ("local", "prefixlen", "scope")} for one in entry["addr_info"]]
        for entry in said_by_ip(netns, "addr", "show")
        if entry["addr_info"]
    }
    with open_route(netns) as route:
        ours = rtnetlink.addresses(route)
    assert ours == ips
    assert {"global", "link", "host"} <= {one["scope"] for some in ours.values() for one in some}
    assert any(":" in one["local"] for some in ours.values() for one in some)


@pytest.mark.parametrize(("family", "option"), [(2, "-4"), (10, "-6")])
def test_default_routes(netns, family, option):
    with open_route(netns) as route:
        names = {one["ifindex"]: one["ifname"] for one in rtnetlink.links(route)}
        ours = [
            (one["type"], [names[index] for index in one["ways"]]) for one in rtnetlink.default_routes(route, family)
        ]
    ips = [
        (entry["type"], [hop["dev"] for hop in [entry, *entry.get("nexthops", [])] if "dev" in hop])
        for entry in said_by_ip(netns, option, "route", "show", "table", "all", "default")
    ]
    assert sorted(ours) == sorted(ips)
    assert len(ours) >= (4 if family == 2 else 1)


@pytest.mark.parametrize(
    ("peer", "at"),
    [
        ("203.0.113.5", "198.18.0.1"),
        ("198.18.0.77", "198.18.0.1"),
        ("2001:db8::1", "2001:2::1"),
        ("2001:2::99", "2001:2::1"),
        ("198.18.0.1", "198.18.0.1"),
        ("203.0.113.5", "192.0.2.99"),
    ],
)
def test_the_way_to_a_peer(netns, peer, at):
    said = json.loads(in_netns(netns, "ip", "-j", "route", "get", peer, "from", at) or "[{}]")
    with open_route(netns) as route:
        names = {one["ifindex"]: one["ifname"] for one in rtnetlink.links(route)}
        index = None
        with contextlib.suppress(OSError):
            index = rtnetlink.way(route, peer, at)
    assert (None if index is None else names[index]) == said[0].get("dev")


def said_by_ethtool_k(interface):
    """The features that are on, and of those that can be changed, the wanted ones. Without the summary lines."""
    on, wanted, sum_of_others = {}, {}, ""
    for line in in_netns(interface.netns, "ethtool", "-k", interface.name).splitlines():
        found = re.fullmatch(r"(\s*)([\w-]+): (on|off)(?: \[(fixed|requested on|requested off)\])?\s*", line)
        if not found:
            continue
        indent, name, value, note = found.groups()
        if indent:
            on.pop(sum_of_others, None)
            wanted.pop(sum_of_others, None)
        else:
            sum_of_others = name
        if value == "on":
            on[name] = True
        if note != "fixed":
            wanted[name] = value == "on" if note is None else note == "requested on"
    return list(on), wanted


def test_features(interface):
    ours, ethtools = ethtool.read_features(interface), said_by_ethtool_k(interface)
    assert ours == ethtools
    assert list(ours[1]) == list(ethtools[1])  # in the same order


def test_features_that_wait_for_others(netns):
    port = Interface("tgv0", netns)
    before = ethtool.read_features(port)
    in_netns(netns, "ethtool", "-K", "tgv0", "tx", "off", "gro", "on")
    on, wanted = ethtool.read_features(port)
    assert (on, wanted) == said_by_ethtool_k(port)
    assert wanted["tx-tcp-segmentation"] and "tx-tcp-segmentation" not in on
    ethtool.set_features(before[1], port)
    assert ethtool.read_features(port) == before == said_by_ethtool_k(port)


def test_statistics(interface):
    text = in_netns(interface.netns, "ethtool", "-S", interface.name)
    ethtools = [line.strip().rpartition(": ") for line in text.splitlines() if re.search(r": -?\d+$", line)]
    ours = ethtool.read_statistics(interface)
    assert list(ours) == [name for name, _colon, _value in ethtools]
    assert [str(value) for value in ours.values()] == [value for _name, _colon, value in ethtools]


def test_speed(interface):
    said = re.search(r"Speed: (\d+)Mb/s", in_netns(interface.netns, "ethtool", interface.name))
    assert ethtool.read_speed(interface) == (int(said[1]) if said else None)


def test_queues(interface):
    roots = [
        one
        for one in json.loads(
            in_netns(interface.netns, "tc", "-s", "-j", "qdisc", "show", "dev", interface.name) or "[]"
        )
        if one.get("root")
    ]
    assert read_queue(interface) == (Queue(roots[0]["qlen"], roots[0]["kind"]) if roots else None)


def test_a_queue_with_frames_in_it(netns):
    port = Interface("tgv0", netns)
    # A byte a second: everything stays in the queue.
    slow = "handle 1: tbf rate 8bit burst 2000 limit 100000"
    ask("tc", "-n", netns, "qdisc", "replace", "dev", "tgv0", "root", *slow.split())
    try:
        program = (
            "import socket; s = socket.socket(17, 3); s.bind(('tgv0', 0));"
            "[s.send(b'\\x02' * 12 + b'\\x08\\x00' + bytes(1200)) for _ in range(9)]"
        )
        in_netns(netns, "python3", "-c", program)
        before = read_queue(port)  # the kernel may send a frame of its own meanwhile
        [root] = [
            one
            for one in json.loads(in_netns(netns, "tc", "-s", "-j", "qdisc", "show", "dev", "tgv0"))
            if one.get("root")
        ]
        after = read_queue(port)
        assert (before.kind, after.kind) == ("tbf", "tbf")
        assert 5 <= before.frames <= root["qlen"] <= after.frames
    finally:
        ask("tc", "-n", netns, "qdisc", "delete", "dev", "tgv0", "root")
    assert read_queue(Interface("no-such-one", netns)) is read_queue(Interface("tgv0", "no-such-netns")) is None


def message(*attached):
    """A link's message about XDP programs: IFLA_XDP_ATTACHED, and each program's number by its mode."""
    inner = attribute(2, b"\1") + b"".join(attribute(kind, struct.pack("=I", number)) for kind, number in attached)
    return bytes(16) + attribute(3, b"v0\0") + attribute(43 | 0x8000, inner)


def test_programs():
    assert "xdp" not in rtnetlink.parse_link(message())
    assert "xdp" not in rtnetlink.parse_link(bytes(16) + attribute(3, b"v0\0"))
    # IFLA_XDP_PROG_ID comes with the one of the mode.
    assert rtnetlink.parse_link(message((4, 7), (6, 7)))["xdp"] == [{"mode": "generic", "id": 7}]
    assert rtnetlink.parse_link(message((5, 8), (7, 9)))["xdp"] == [
        {"mode": "driver", "id": 8},
        {"mode": "offload", "id": 9},
    ]
