# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames made by patching against the same frames built by Scapy, one object each, from an expression written by
hand."""

from __future__ import annotations

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.made_frames import (
    IP6S,
    IPS,
    MACS,
    frames,
    layers,
)


def dns_questions(one, other):
    """Two questions as this Scapy takes them: up to 2.5 each is the payload of the one before."""
    return [one, other] if isinstance(DNS().qd, list) else one / other


PRODUCTS = {
    "ports": (
        layers("Ether", "IP", {"TCP": {"sport": "1-3", "dport": "5-300"}}),
        Ether(**MACS) / IP(**IPS) / TCP(sport=[1, 2, 3], dport=list(range(5, 301))),
    ),
    "fields in another order": (
        layers(
            "Ether",
            {"IP": {"dst": "198.18.0.0/30", "src": ["198.18.1.1", "198.18.1.5-198.18.1.6"]}},
            {"UDP": {"dport": "7-9"}},
        ),
        Ether(**MACS)
        / IP(
            dst=["198.18.0.0", "198.18.0.1", "198.18.0.2", "198.18.0.3"], src=["198.18.1.1", "198.18.1.5", "198.18.1.6"]
        )
        / UDP(dport=[7, 8, 9]),
    ),
    "bits that share a byte": (
        layers(
            "Ether",
            {"Dot1AD": {"vlan": "1-5"}},
            {"Dot1Q": {"vlan": "250-260", "prio": [0, 3, 7]}},
            {"IP": {"tos": "0-3"}},
        ),
        Ether(**MACS)
        / Dot1AD(vlan=[1, 2, 3, 4, 5])
        / Dot1Q(vlan=list(range(250, 261)), prio=[0, 3, 7])
        / IP(**IPS, tos=[0, 1, 2, 3]),
    ),
    "odd offsets in a checksum": (
        layers(
            "Ether",
            {"IP": {"ttl": "1-255", "id": "65530-65535"}},
            {"ICMP": {"id": "0-1", "type": ["echo-request", "echo-reply"]}},
        ),
        Ether(**MACS) / IP(**IPS, ttl=list(range(1, 256)), id=list(range(65530, 65536))) / ICMP(id=[0, 1], type=[8, 0]),
    ),
    "IPv6": (
        layers(
            "Ether", {"IPv6": {"src": "2001:2::ff-2001:2::102", "fl": "0-5", "tc": [0, 255]}}, {"UDP": {"sport": "1-3"}}
        ),
        Ether(**MACS)
        / IPv6(
            src=["2001:2::ff", "2001:2::100", "2001:2::101", "2001:2::102"],
            dst="2001:2::2",
            fl=list(range(6)),
            tc=[0, 255],
        )
        / UDP(sport=[1, 2, 3]),
    ),
    "ICMPv6": (
        layers("Ether", "IPv6", {"ICMPv6EchoRequest": {"id": "0-2000"}}),
        Ether(**MACS) / IPv6(**IP6S) / ICMPv6EchoRequest(id=list(range(2001))),
    ),
    "a tunnel's outer checksum": (
        layers(
            "Ether",
            {"IP": {"src": "198.18.0.4-198.18.0.5"}},
            {"UDP": {"sport": "49152-49154", "dport": 4789}},
            {"VXLAN": {"vni": "1-3"}},
            {"Ether": {"src": "02:00:00:00:00:fe-02:00:00:00:01:01"}},
            {"IP": {"dst": "10.0.0.0/31"}},
            {"TCP": {"dport": "80-82"}},
        ),
        Ether(**MACS)
        / IP(src=["198.18.0.4", "198.18.0.5"], dst="198.18.0.2")
        / UDP(sport=[49152, 49153, 49154], dport=4789)
        / VXLAN(vni=[1, 2, 3])
        / Ether(
            src=["02:00:00:00:00:fe", "02:00:00:00:00:ff", "02:00:00:00:01:00", "02:00:00:00:01:01"], dst=MACS["dst"]
        )
        / IP(src="198.18.0.1", dst=["10.0.0.0", "10.0.0.1"])
        / TCP(dport=[80, 81, 82]),
    ),
    "GRE with a checksum": (
        layers(
            "Ether",
            "IP",
            {"GRE": {"chksum_present": 1}},
            {"IP": {"dst": "10.0.0.0/24", "ttl": "1-3"}},
            {"UDP": {"dport": "80-82"}},
        ),
        Ether(**MACS)
        / IP(**IPS)
        / GRE(chksum_present=1)
        / IP(src="198.18.0.1", dst=[f"10.0.0.{i}" for i in range(256)], ttl=[1, 2, 3])
        / UDP(dport=[80, 81, 82]),
    ),
    "ARP": (
        layers("Ether", {"ARP": {"psrc": "10.0.0.0/28", "op": ["who-has", "is-at"]}}),
        # A request is broadcast, an answer is not. In a layer the field that stands first changes fastest.
        [
            Ether(src=MACS["src"], dst=dst, type=0x0806)
            / ARP(hwsrc=MACS["src"], psrc=f"10.0.0.{i}", op=op, hwdst="00:00:00:00:00:00", pdst="0.0.0.0")
            for i in range(16)
            for op, dst in ((1, "ff:ff:ff:ff:ff:ff"), (2, MACS["dst"]))
        ],
    ),
    "a contributed layer": (
        layers("Ether", {"MPLS": {"label": "4090-4100", "cos": [1, 2]}}, "IP", {"UDP": {"dport": "1-3"}}),
        Ether(**MACS) / MPLS(label=list(range(4090, 4101)), cos=[1, 2]) / IP(**IPS) / UDP(dport=[1, 2, 3]),
    ),
    "a checksum that is not the Internet's": (
        layers("Ether", "IP", {"SCTP": {"dport": "1-50"}}),
        Ether(**MACS) / IP(**IPS) / SCTP(dport=list(range(1, 51))),
    ),
    "names of flags, and options": (
        layers(
            "Ether",
            "IP",
            {"TCP": {"flags": ["S", "SA", "F"], "dport": "1-70", "options": [["MSS", 1460], ["NOP", None]]}},
        ),
        [
            Ether(**MACS) / IP(**IPS) / TCP(flags=flags, dport=port, options=[("MSS", 1460), ("NOP", None)])
            for flags in ("S", "SA", "F")
            for port in range(1, 71)
        ],
    ),
    "a value that makes its layer longer": (
        layers("Ether", "IP", {"ICMP": {"type": "0-20", "seq": "7-9"}}),
        Ether(**MACS) / IP(**IPS) / ICMP(type=list(range(21)), seq=[7, 8, 9], ts_ori=0, ts_rx=0, ts_tx=0),
    ),
    "a timestamp in an option": (
        layers(
            "Ether", "IP", {"TCP": {"dport": "1-9", "options": [["NOP", None], ["NOP", None], ["Timestamp", [1, 2]]]}}
        ),
        Ether(**MACS)
        / IP(**IPS)
        / TCP(dport=list(range(1, 10)), options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]),
    ),
    "numbers with zeros in front": (
        layers("Ether", "IP", {"UDP": {"sport": "0080", "dport": "08-0x12"}}),
        Ether(**MACS) / IP(**IPS) / UDP(sport=80, dport=list(range(8, 19))),
    ),
    "steps": (
        layers(
            "Ether",
            {"IP": {"dst": "10.0.0.0/22:0.0.1.0", "src": "10.0.9.1-10.0.0.1:-0.0.3.0"}},
            {"UDP": {"dport": "100-200:10"}},
        ),
        Ether(**MACS)
        / IP(dst=[f"10.0.{i}.0" for i in range(4)], src=[f"10.0.{i}.1" for i in (9, 6, 3, 0)])
        / UDP(dport=list(range(100, 201, 10))),
    ),
    "steps of MAC and IPv6 addresses": (
        layers(
            {
                "Ether": {
                    "src": [
                        "02:00:00:00:00:00-02:00:00:00:0f:00:256",
                        "02:00:00:01:00:00-02:00:00:01:00:09:00:00:00:00:00:03",
                    ]
                }
            },
            {
                "IPv6": {
                    "dst": [
                        "2001:2::/46:0:0:1::",
                        "2001:2::1-2001:2::ff:::10",
                        {"start": "2001:2::5", "step": 16, "count": 3},
                    ]
                }
            },
            {"UDP": {"dport": {"start": 9, "end": 5, "step": -2}}},
        ),
        Ether(
            src=[*(f"02:00:00:00:{i:02x}:00" for i in range(16)), *(f"02:00:00:01:00:{i:02x}" for i in (0, 3, 6, 9))],
            dst=MACS["dst"],
        )
        / IPv6(
            src=IP6S["src"],
            dst=[
                *(f"2001:2:{i:x}::" for i in range(4)),
                *(f"2001:2::{i:x}1" for i in range(16)),
                "2001:2::5",
                "2001:2::15",
                "2001:2::25",
            ],
        )
        / UDP(dport=[9, 7, 5]),
    ),
    "fields that move together": (
        layers(
            {"Ether": {"src": "02:00:00:00:01:01-02:00:00:00:01:0a"}},
            {"IP": {"src": "10.0.0.1-10.0.0.10", "ttl": [7, 9]}},
            {"UDP": {"dport": "5-7", "sport": "1-3"}},
            together=[["Ether.src", "IP.src"], ["UDP.sport", "UDP.dport"]],
        ),
        [
            Ether(src=f"02:00:00:00:01:{host:02x}", dst=MACS["dst"])
            / IP(src=f"10.0.0.{host}", dst=IPS["dst"], ttl=ttl)
            / UDP(sport=port, dport=port + 4)
            for host in range(1, 11)
            for ttl in (7, 9)
            for port in (1, 2, 3)
        ],
    ),
    "the second of two layers, together with a payload": (
        layers(
            "Ether",
            {"IP": {"src": "10.0.0.0/30"}},
            {"IP": {"src": "10.1.0.0/30"}},
            "UDP",
            {"Raw": {"load": ["a", "bb", "c", "d"]}},
            together=["IP:2.src", "Raw.load"],
        ),
        [
            Ether(**MACS)
            / IP(src=f"10.0.0.{outer}", dst=IPS["dst"])
            / IP(src=f"10.1.0.{inner}", dst=IPS["dst"])
            / UDP()
            / Raw(load)
            for outer in range(4)
            for inner, load in enumerate(("a", "bb", "c", "d"))
        ],
    ),
    "groups and hosts, each to its MAC address": (
        layers(
            {"Ether": {"src": "02:00:00:00:00:01-02:00:00:00:00:02"}},
            "Dot1AD",
            "Dot1Q",
            {
                "IP": {
                    "dst": [
                        "223.255.255.254-224.0.0.1",
                        "224.127.255.255-224.128.0.1",
                        "239.255.255.254-240.0.0.1",
                        "255.255.255.254/31",
                    ]
                }
            },
            "UDP",
        ),
        [
            Ether(src=f"02:00:00:00:00:0{host}", dst=mac) / Dot1AD() / Dot1Q() / IP(src=IPS["src"], dst=address) / UDP()
            for host in (1, 2)
            for address, mac in (
                ("223.255.255.254", MACS["dst"]),
                ("223.255.255.255", MACS["dst"]),
                ("224.0.0.0", "01:00:5e:00:00:00"),
                ("224.0.0.1", "01:00:5e:00:00:01"),
                ("224.127.255.255", "01:00:5e:7f:ff:ff"),
                ("224.128.0.0", "01:00:5e:00:00:00"),
                ("224.128.0.1", "01:00:5e:00:00:01"),
                ("239.255.255.254", "01:00:5e:7f:ff:fe"),
                ("239.255.255.255", "01:00:5e:7f:ff:ff"),
                ("240.0.0.0", MACS["dst"]),
                ("240.0.0.1", MACS["dst"]),
                ("255.255.255.254", MACS["dst"]),
                ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
            )
        ],
    ),
    "groups of IPv6, and a tunnel to one": (
        layers(
            "Ether",
            {"IPv6": {"dst": "ff0e::1:0:0-ff0e::1:0:3"}},
            {"UDP": {"dport": 4789}},
            "VXLAN",
            {"Ether": None},
            {"IP": {"dst": "239.1.1.4/30"}},
            "UDP",
        ),
        [
            Ether(src=MACS["src"], dst=f"33:33:00:00:00:0{outer}")
            / IPv6(src=IP6S["src"], dst=f"ff0e::1:0:{outer}")
            / UDP(dport=4789)
            / VXLAN()
            / Ether(src=MACS["src"], dst=f"01:00:5e:01:01:0{inner}")
            / IP(src=IPS["src"], dst=f"239.1.1.{inner}")
            / UDP()
            for outer in range(4)
            for inner in (4, 5, 6, 7)
        ],
    ),
    "packets in fields that vary": (
        layers(
            "Ether",
            {"IP": {"options": [{"IPOption_LSRR": {"routers": ["192.168.1.1"]}}, "IPOption_NOP"]}},
            {"UDP": {"dport": 53}},
            {
                "DNS": {
                    "id": "1-2",
                    "qd": [{"DNSQR": {"qname": ["a.example", "bb.example"]}}, {"DNSQR": {"qtype": ["AAAA", 255]}}],
                }
            },
            count=16,
        ),
        [
            Ether(**MACS)
            / IP(**IPS, options=[IPOption_LSRR(routers=["192.168.1.1"]), IPOption_NOP()])
            / UDP(dport=53)
            / DNS(id=number, qd=dns_questions(DNSQR(qname=name), DNSQR(qtype=kind)))
            for kind in (28, 255)
            for name in ("a.example", "bb.example")
            for number in (1, 2)
        ]
        * 2,
    ),
    "a checksum given": (
        layers("Ether", {"IP": {"chksum": 0xBEEF}}, {"UDP": {"chksum": 0, "dport": "1-9"}}),
        Ether(**MACS) / IP(**IPS, chksum=0xBEEF) / UDP(chksum=0, dport=list(range(1, 10))),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_product_is_scapys_frame_for_frame(name):
    spec, packet = PRODUCTS[name]
    expected = [bytes(one) for one in packet]
    assert len(expected) > 8
    made = frames(spec)
    assert len(made) == len(expected)
    assert made == expected


@pytest.mark.parametrize(("sport", "patched"), [("0-65535", 1), ([0, 65535, 1, 0xFFFE], 1)])
def test_a_udp_checksum_of_zero_is_sent_as_ffff(sport, patched):
    # Among 65536 source ports one gives a sum of 0xffff: RFC 768 has its checksum sent as all ones.
    made = frames(layers("Ether", "IP", {"UDP": {"sport": sport}}))
    ports = range(65536) if isinstance(sport, str) else sport
    for port in [*list(ports)[:: max(1, len(ports) // 50)], *_zero_port(made)]:
        one = next(frame for frame in made if frame[34:36] == port.to_bytes(2, "big"))
        assert one == bytes(Ether(**MACS) / IP(**IPS) / UDP(sport=port))
    assert not any(frame[40:42] == b"\0\0" for frame in made)
    assert len(read_traffic([layers("Ether", "IP", {"UDP": {"sport": sport}})], 0)[0].streams[0].patched) == patched


def _zero_port(made):
    return [int.from_bytes(frame[34:36], "big") for frame in made if frame[40:42] == b"\xff\xff"]


def test_payloads_of_several_lengths_are_frames_of_several_lengths():
    made = frames(layers("Ether", "IP", {"UDP": {"dport": "1-40"}}, {"Raw": {"load": ["a", "bb", "ccc"]}}))
    loads = ["a", "bb", "ccc"]
    assert made == [
        bytes(Ether(**MACS) / IP(**IPS) / UDP(dport=port) / Raw(load)) for port in range(1, 41) for load in loads
    ]


@pytest.mark.parametrize(("fill", "payload"), [("zeros", bytes(30)), ("increment", bytes(range(30)))])
def test_sizes_are_reached_with_payload(fill, payload):
    made = frames(layers("Ether", "IP", "UDP", size=58, size_of="ip", fill=fill))
    assert made == [bytes(Ether(**MACS) / IP(**IPS) / UDP() / Raw(payload))]


def test_a_payload_of_ones_own_is_filled_up():
    made = frames(layers("Ether", "IP", "UDP", {"Raw": {"hex": "cafe"}}, size=64))
    assert made == [bytes(Ether(**MACS) / IP(**IPS) / UDP() / Raw(b"\xca\xfe" + bytes(16)))]
    assert len(made[0]) == 60


@pytest.mark.parametrize(("base", "length"), [("wire", 96), ("frame", 100), ("ip", 118)])
def test_the_three_bases_of_a_size(base, length):
    assert [len(frame) for frame in frames(layers("Ether", "Dot1Q", "IP", "UDP", size=100, size_of=base))] == [length]


def test_sizes_go_round_while_the_fields_go_on():
    made = frames(layers("Ether", "IP", {"UDP": {"dport": "1-50000"}}, size={"imix": "simple"}, count=50000))
    lengths = [len(frame) for frame in made[:12]]
    assert sorted(lengths) == sorted([60] * 7 + [566] * 4 + [1514])
    assert [len(frame) for frame in made] == (lengths * 5000)[:50000]
    for number in (0, 11, 12, 4999, 25000, 49999):
        packet = Ether(**MACS) / IP(**IPS) / UDP(dport=number + 1)
        assert made[number] == bytes(packet / Raw(bytes(lengths[number % 12] - 42)))


def test_count_cuts_the_product_short_or_goes_through_it_again():
    spec = layers("Ether", "IP", {"UDP": {"dport": "1-5"}})
    once = frames(spec)
    assert frames({**spec, "count": 3}) == once[:3]
    assert frames({**spec, "count": 12}) == once + once + once[:2]
