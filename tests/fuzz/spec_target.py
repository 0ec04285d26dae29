# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzz target of traffic specs: frames made by the collection are those that Scapy makes."""

from __future__ import annotations

import struct
from collections import Counter

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import flow_count, flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import spec as traffic_spec
from ansible_collections.wirespeed.trafficgen.tests.fuzz.drawn import Source

_LAYERS = (
    *("Ether", "IP", "IPv6", "UDP", "TCP", "ICMP", "Raw", "Dot1Q", "ARP", "MPLS", "GRE", "VXLAN", "DNS"),
    *("SCTP", "ICMPv6EchoRequest", "IPv6ExtHdrFragment", "IGMP", "BOOTP", "Dot3", "LLC", "PPPoE", "Packet"),
    *("NoSuchLayer", "IPOption", "NTP", "RIP", "ESP", "Padding"),
)
_FIELDS = (
    *("src", "dst", "sport", "dport", "vlan", "prio", "type", "ttl", "tos", "id", "flags", "frag", "proto"),
    *("len", "chksum", "load", "hex", "options", "seq", "ack", "window", "hlim", "fl", "nh", "tc", "code"),
    *("hwsrc", "psrc", "op", "label", "s", "vni", "version", "ihl", "plen", "nosuchfield", "qd", "urgptr"),
    "dataofs",
)
_SEEDED = (
    *(0, 1, -1, 255, 65535, 65536, 2**32, 2**128, 1.5, float("nan"), True, None, ""),
    *("0", "1-5", "5-1", "0x10-0x20", "1024-65534", "0-0xffffffff", "SA", "S", "echo-request"),
    *("example.org", "00112233", "zz"),
    *("10.0.0.0/30", "10.0.0.1", "10.0.0.1-10.0.0.9", "0.0.0.0/0", "10.0.0.1/40", "2001:db8::/126", "::/0"),
    "::1-::5",
    *("02:00:00:00:00:01", "02:00:00:00:00:01-02:00:00:00:00:09", "ff:ff:ff:ff:ff:ff"),
)


def _value(source: Source, depth: int = 2):
    kind = source.below(8)
    if kind < 4:
        return source.one_of(_SEEDED)
    if kind == 4:
        return source.number(2)
    if kind == 5:
        return source.text(12)
    if kind == 6 and depth:
        return [_value(source, depth - 1) for _item in range(source.below(4))]
    return {source.one_of(_FIELDS): _value(source, depth - 1)} if depth else source.number()


def _size(source: Source):
    kind = source.below(6)
    if kind == 0:
        return source.number(2)
    if kind == 1:
        return [source.number(2) % 2000 for _item in range(source.below(4))]
    if kind == 2:
        return {"start": source.number(2), "end": source.number(2), "step": source.number()}
    if kind == 3:
        return {"imix": source.one_of(("simple", "simple_594", "none"))}
    if kind == 4:
        return {"weights": [{"size": source.number(2), "weight": source.number()} for _item in range(source.below(4))]}
    return _value(source)


def make_spec(source: Source):
    """The module's parameters ``streams`` and ``interval``, of the types that Ansible makes of them."""
    streams = []
    for _stream in range(1 + source.below(3)):
        stream = {"size_of": source.one_of(("wire", "frame", "ip")), "count": 1 + source.below(40)}
        given = source.number()
        if given & 1:
            stream["preset"] = source.one_of(("tcp_port_scan", "udp_port_scan", "rfc2544", "imix"))
        if given & 2 or not given & 1:
            stream["layers"] = []
            for _layer in range(source.below(6)):
                fields = {source.one_of(_FIELDS): _value(source) for _field in range(source.below(4))}
                name = source.one_of(_LAYERS)
                stream["layers"].append(
                    {name: fields} if fields else source.one_of((name, {name: None}, _value(source)))
                )
        if given & 4:
            stream["size"] = _size(source)
        if given & 8:
            stream["weight"] = source.below(8)
        if given & 16:
            stream["fill"] = source.one_of(("zeros", "increment"))
        streams.append(stream)
    return streams, source.one_of(
        (0, 1e-6, 1e-9, 0.1, 1e9, 1e308, float("nan"), float("inf"), -1, 1e-320, 0.0001234567)
    )


def spec(data: bytes) -> None:
    streams, interval = make_spec(Source(data))
    try:
        traffic, link_type, _nanoseconds = traffic_spec.read_traffic(streams, interval)
        made = b"".join(bytes(block) for block in traffic.blocks())
    except TrafficgenError:
        return
    again, same_type, _nanoseconds = traffic_spec.read_traffic(streams, interval)
    assert made == b"".join(bytes(block) for block in again.blocks())
    assert link_type == same_type
    frames, at = [], 0
    while at < len(made):
        captured, original = struct.unpack_from("<8xII", made, at)
        assert captured == original
        frames.append(made[at + 16 : at + 16 + captured])
        at += 16 + captured
    assert at == len(made)
    assert len(frames) == traffic.frames == sum(stream["count"] for stream in streams)
    assert Counter(map(len, frames)) == traffic.sizes
    total = traffic.total_bytes()
    assert total is None or total == sum(map(len, frames))
    # Scapy itself makes each frame. Where streams take turns their order is not looked at.
    assert Counter(frames) == Counter(
        stream.scapy_frame(number) for stream in traffic.streams for number in range(stream.frames)
    )
    counted = flow_count.count_flows(traffic.streams, link_type)
    assert counted is None or counted == len({flows.flow_key(frame, link_type) for frame in frames} - {None})
