# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what a flow is. The frames were made with Scapy, and are what tshark 4.0 says of them (its -e fields are in
the keys)."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import flows

# From the EtherType on.
FRAMES = {
    "tcp": "080045000028000100004006eea7c6120001c612000204000007000000000000000050022000ffb30000",
    "udp": "08004500001c000100004011eea8c6120001c61200020400000700086faf",
    "udp_ip_options": "08004600002000010000401159a0c6120001c6120002940400000400000700086faf",
    "sctp": "080045000020000100004084ee31c6120001c61200020400000700000000872bc729",
    "icmp": "08004500001c000100004001eeb8c6120001c61200020800f7ff00000000",
    "gre": (
        "08004500003400010000402fee72c6120001c6120002000008004500001c00010000401166ce0a0000010a000002040000070008e7d4"
    ),
    "vlan": "8100000508004500001c000100004011eea8c6120001c61200020400000700086faf",
    "qinq": "88a800058100000608004500001c000100004011eea8c6120001c61200020400000700086faf",
    "mpls": "884700010000000111004500001c000100004011eea8c6120001c61200020400000700086faf",
    "pseudowire": (
        "8847000101000000000102000000000202000000000108004500001c000100004011eea8c6120001c61200020400000700086faf"
    ),
    "first_fragment": "08004500002c000120004011ce98c6120001c61200020400000700285b5b41414141414141414141414141414141",
    "later_fragment": "080045000024000100034011ee9dc6120001c612000241414141414141414141414141414141",
    "udp6": "86dd60000000000811402001000200000000000000000000000120010002000000000000000000000002040000070008bbce",
    "udp6_hop_by_hop": (
        "86dd600000000010004020010002000000000000000000000001200100020000000000000000000000021100010400000000040000070008bbce"
    ),
    "udp6_destination": (
        "86dd6000000000103c4020010002000000000000000000000001200100020000000000000000000000021100010400000000040000070008bbce"
    ),
    "udp6_ah": (
        "86dd60000000002033402001000200000000000000000000000120010002000000000000000000000002110400000000000100000001"
        "0000000000000000000000000400000700080000"
    ),
    "icmp6": "86dd6000000000083a40200100020000000000000000000000012001000200000000000000000000000280003fb400000000",
    "arp": "0806000108000604000102fc00000001c000020200000000000000000000",
    "first_fragment6": (
        "86dd6000000004d82c402001000200000000000000000000000120010002000000000000000000000002110000010000000904000007"
        "058083b142424242424242424242"
    ),
    "later_fragment6": (
        "86dd6000000000b82c402001000200000000000000000000000120010002000000000000000000000002110004d00000000942424242"
        "4242424242424242424242424242"
    ),
}
UDP, TCP, ICMP, SCTP, GRE, ICMPV6 = 17, 6, 1, 132, 47, 58
PORTS = struct.pack(">HH", 1024, 7)


def key4(protocol, rest=b""):
    return bytes([protocol]) + socket.inet_aton("198.18.0.1") + socket.inet_aton("198.18.0.2") + rest


def key6(protocol, rest=b""):
    return (
        bytes([protocol])
        + socket.inet_pton(socket.AF_INET6, "2001:2::1")
        + socket.inet_pton(socket.AF_INET6, "2001:2::2")
        + rest
    )


KEYS = {
    "tcp": key4(TCP, PORTS),
    "udp": key4(UDP, PORTS),
    "udp_ip_options": key4(UDP, PORTS),
    "sctp": key4(SCTP, PORTS),
    "icmp": key4(ICMP, b"\x08\x00"),  # echo request
    "gre": key4(GRE),
    "vlan": key4(UDP, PORTS),
    "qinq": key4(UDP, PORTS),
    "mpls": key4(UDP, PORTS),
    "pseudowire": key4(UDP, PORTS),
    "first_fragment": key4(UDP, PORTS),
    "later_fragment": key4(UDP),
    "udp6": key6(UDP, PORTS),
    "udp6_hop_by_hop": key6(UDP, PORTS),
    "udp6_destination": key6(UDP, PORTS),
    "udp6_ah": key6(UDP, PORTS),
    "icmp6": key6(ICMPV6, b"\x80\x00"),  # echo request
    "arp": None,
    "first_fragment6": key6(UDP, PORTS),
    "later_fragment6": key6(UDP),
}
# The kinds on which tcpreplay 4.4.3 agrees. Of a file with a frame of each kind it said, over a veth:
# Flows: 5 flows, 66666.66 fps, 11 unique flow packets, 8 unique non-flow packets
TCPREPLAY_FLOWS = 5
TCPREPLAY_FLOW_PACKETS = (
    "tcp",
    "udp",
    "udp_ip_options",
    "sctp",
    "gre",
    "vlan",
    "qinq",
    "mpls",
    "pseudowire",
    "first_fragment",
    "later_fragment",
)


def frame(name):
    return bytes.fromhex("020000000002020000000001" + FRAMES[name])


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_key(name):
    assert flows.flow_key(frame(name)) == KEYS[name]


def test_as_tcpreplay_counts():
    assert len({flows.flow_key(frame(name)) for name in TCPREPLAY_FLOW_PACKETS} - {None}) == TCPREPLAY_FLOWS


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_cut_frame_has_the_same_key_or_none(name):
    whole = frame(name)
    keys = [flows.flow_key(whole[:length]) for length in range(len(whole) + 1)]
    shortest = next((length for length, key in enumerate(keys) if key), len(keys))
    assert keys == [None] * shortest + [KEYS[name]] * (len(keys) - shortest)


def test_no_version_of_ip():
    broken = bytearray(frame("udp"))
    broken[14] = 0x55
    assert flows.flow_key(broken) is None
    broken[14] = 0x44  # a header of 16 bytes
    assert flows.flow_key(broken) is None


@pytest.mark.parametrize("offset", [1, 0x1000, 0x1FFF])
@pytest.mark.parametrize("flags", [0, 0x2000, 0x4000])
def test_fragment_offset_and_not_the_flags_beside_it(offset, flags):
    fragment = bytearray(frame("udp"))
    fragment[20:22] = struct.pack(">H", flags)
    assert flows.flow_key(fragment) == KEYS["udp"]
    fragment[20:22] = struct.pack(">H", flags | offset)
    assert flows.flow_key(fragment) == KEYS["later_fragment"]


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (flows.LINKTYPE_RAW, ""),
        (12, ""),
        (flows.LINKTYPE_IPV4, ""),
        (flows.LINKTYPE_NULL, "02000000"),
        (flows.LINKTYPE_LOOP, "00000002"),
        (flows.LINKTYPE_LINUX_SLL, "00000001000602000000000100000800"),
        (flows.LINKTYPE_LINUX_SLL2, "0800000000000002000100060200000000010000"),
    ],
)
def test_link_types(link_type, header):
    assert flows.supported(link_type)
    assert flows.flow_key(bytes.fromhex(header) + frame("udp")[14:], link_type) == KEYS["udp"]


def test_unknown_link_type_has_no_flows():
    assert not flows.supported(105)
    assert flows.flow_key(frame("udp"), 105) is None


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_layout_holds_for_what_it_says(name):
    """The slices stay the same, whatever is in the bytes that do not matter."""
    generator = random.Random(name)
    whole = frame(name)
    found = flows.layout(whole, 1)
    for _turn in range(50):
        other = bytearray(generator.randbytes(len(whole)))
        for offset in found.decisive:
            other[offset] = whole[offset]
        assert flows.layout(other, 1) == found


def mixed_traffic(generator, kinds, count):
    """Frames of these kinds, with a few addresses and ports, some cut."""
    for _turn in range(count):
        one = bytearray(frame(generator.choice(kinds)))
        one[-20 + generator.randrange(20)] = generator.randrange(3)
        if generator.random() < 0.1:
            one = one[: generator.randrange(len(one))]
        yield bytes(one)


@pytest.mark.parametrize("seed", range(20))
def test_counter_against_keys_one_by_one(seed):
    generator = random.Random(seed)
    kinds = generator.sample(sorted(FRAMES), generator.randrange(1, len(FRAMES)))
    counter = flows.FlowCounter()
    expected = set()
    for one in mixed_traffic(generator, kinds, 500):
        counter.add(b"\xff" * 3 + one, 3, len(one))
        expected.add(flows.flow_key(one))
    assert counter.count == len(expected - {None})


@pytest.mark.parametrize("seed", range(20))
def test_run_against_keys_one_by_one(seed):
    """Frames of one length, whose shapes come in runs and in turn."""
    generator = random.Random(seed)
    kinds = generator.sample(sorted(FRAMES), 3)
    length = generator.choice((30, 70, 90))
    frames = []
    while len(frames) < 3000:
        one = frame(generator.choice(kinds)).ljust(length, b"\0")[:length]
        for _turn in range(generator.choice((1, 1, 2, 70, 500))):
            end = generator.randrange(2, 8)
            frames.append(one[:-end] + generator.randbytes(end) if generator.random() < 0.5 else one)
    lead = 16
    block = b"?" * 5 + b"".join(b"h" * lead + one for one in frames)
    counter = flows.FlowCounter()
    counter.add_run(block, 5, lead + length, len(frames), lead)
    assert counter.count == len({flows.flow_key(one) for one in frames} - {None})


def test_counter_forgets_no_flow_when_it_forgets_shapes(monkeypatch):
    monkeypatch.setattr(flows.FlowCounter, "_SHAPES", 2)
    monkeypatch.setattr(flows.FlowCounter, "_FAMILIES", 2)
    counter = flows.FlowCounter()
    for _turn in range(2):
        for name in FRAMES:
            counter.add(frame(name), 0, len(frame(name)))
    assert counter.count == len(set(KEYS.values()) - {None})


def test_same_bytes():
    block = b"..ab1ab2ab3xb4ab5"
    assert flows.same_bytes(block, 2, 3, 5, (0, 1)) == 3
    assert flows.same_bytes(block, 2, 3, 5, (1,)) == 5
    assert flows.same_bytes(block, 2, 3, 5, (1, 2)) == 1
    assert flows.same_bytes(block, 2, 3, 5, ()) == 5


@pytest.mark.parametrize("header", [b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05"])
def test_tags_are_followed_so_far_and_no_farther(header):
    ip = bytes.fromhex("0800 45000028 00000000 40110000 c6120001 c6120002 0400 0007".replace(" ", ""))
    for count, known in ((0, True), (31, True), (32, False), (1000, False)):
        assert (flows.flow_key(bytes(12) + header * count + ip + bytes(20)) is not None) is known


def test_labels_are_followed_so_far_and_no_farther():
    label, last = b"\x00\x00\x00\x40", b"\x00\x00\x01\x40"
    ip = bytes.fromhex("45000028 00000000 40110000 c6120001 c6120002 0400 0007".replace(" ", ""))
    for count, known in ((0, True), (30, True), (31, False), (5000, False)):
        assert (flows.flow_key(bytes(12) + b"\x88\x47" + label * count + last + ip + bytes(20)) is not None) is known
