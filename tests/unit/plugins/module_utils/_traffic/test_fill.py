# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random payload: it does not compress, is the same everywhere, and leaves every checksum right."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib

import pytest

pytest.importorskip("scapy")
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flow_count import count_flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fill import RandomFill
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic


def stream(*layers, **options):
    return {"layers": list(layers), "fill": "random", **options}


def frames(*streams):
    traffic, _link_type, _nanoseconds = read_traffic(list(streams), 0)
    data = b"".join(bytes(block) for block in traffic.blocks())
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return traffic, found


@pytest.mark.parametrize(
    "compressed", [lambda data: zlib.compress(data, 9), lambda data: bz2.compress(data, 9), lzma.compress]
)
@pytest.mark.parametrize("length", [16, 18, 84, 1472])
def test_it_does_not_compress_within_a_frame_or_across_frames(compressed, length):
    fills = [RandomFill(0, number) for number in range(2)]  # of two streams, interleaved
    data = b"".join(fill.payload(length, frame) for frame in range(3000) for fill in fills)
    # What makes up a length that four does not divide is zero: two bytes of eighteen.
    assert len(compressed(data)) > 0.99 * len(data) * (length // 4 * 4) / length
    assert len({data[at : at + length] for at in range(0, len(data), length)}) == 6000


def test_it_is_shake_128_as_any_program_computes_it():
    # printf 7/0/41 | openssl dgst -shake128 -xoflen 8
    assert RandomFill(7, 0).payload(16, 41) == bytes.fromhex("a1c99aeb6ceb8cd3") + bytes.fromhex("5e3665149314732c")
    # FIPS 202's own first bytes for an empty message: what the library returns under that name.
    assert hashlib.shake_128(b"").hexdigest(8) == "7f9c2ba4e88f827d"


SPECS = {
    "UDP": stream("Ether", "IP", {"UDP": {"dport": "1-400"}}, size=1518),
    "TCP in VLAN over IPv6, an odd payload": stream("Ether", "Dot1Q", "IPv6", {"TCP": {"dport": "1-90"}}, size=299),
    "sizes in turn": stream("Ether", "IP", {"UDP": {"dport": "1-90"}}, size=[64, 65, 66, 67, 594, 1518], seed=5),
    "IMIX in two streams": [
        stream("Ether", "IP", {"UDP": {"dport": "1-90"}}, size={"imix": "simple"}, weight=2),
        stream("Ether", "IP", {"ICMP": {"seq": "0-50", "type": 0}}, size=90, weight=3),
    ],
    "a payload of one's own before it": stream(
        "Ether", "IP", "UDP", {"Raw": {"load": ["abc", "de"]}}, size=200, count=60
    ),
    "an odd place": stream("Ether", "IP", {"UDP": {"sport": "1-60"}}, {"Raw": {"hex": "ff"}}, size=128),
    "a tunnel": stream(
        "Ether", "IP", "UDP", "VXLAN", "Ether", {"IP": {"src": "10.0.0.0/27"}}, "TCP", size=300, count=64
    ),
    "a checksum that is not the Internet's": stream(
        "Ether", "IP", {"SCTP": {"dport": "1-20"}}, {"Raw": {"load": "x"}}, size=128, count=40
    ),
    "no field that varies": stream("Ether", "IP", "SCTP", size=256, count=40),
    "together": stream(
        {"Ether": {"src": "02:00:00:00:00:01-02:00:00:00:00:05"}},
        {"IP": {"dst": "239.1.1.1-239.1.1.5"}},
        "UDP",
        size=90,
        together=[["Ether.src", "IP.dst"]],
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_frame_is_scapys_own(name):
    specs = SPECS[name] if isinstance(SPECS[name], list) else [SPECS[name]]
    traffic, made = frames(*specs)
    assert sorted(made) == sorted(one.scapy_frame(number) for one in traffic.streams for number in range(one.frames))
    assert len({frame[-8:] for frame in made}) > len(made) * 0.99


def test_frames_are_patched_all_the_same():
    # A template for each frame would be Scapy's pace: its payload's sum is what keeps it to one a size.
    for name, sizes in (
        ("UDP", 1),
        ("TCP in VLAN over IPv6, an odd payload", 1),
        ("sizes in turn", 6),
        ("a tunnel", 1),
        ("together", 1),
    ):
        traffic, _made = frames(SPECS[name])
        assert traffic.streams[0].period() == sizes, name


def test_the_seed_settles_it_and_nothing_else():
    one = stream("Ether", "IP", "UDP", size=128, count=5)
    assert frames(one)[1] == frames({**one, "seed": 0})[1]
    assert not set(frames(one)[1]) & set(frames({**one, "seed": 1})[1])
    # A second stream of the same frames is no repetition of the first.
    assert len(set(frames(one, one)[1])) == 10


def test_a_seed_of_nothing():
    for options, says in (
        ({"fill": "zeros", "seed": 1}, "seed is given, but fill is zeros"),
        ({"seed": True}, "seed is True"),
    ):
        with pytest.raises(TrafficgenError, match=says):
            read_traffic([stream("Ether", "IP", "UDP", size=64, **options)], 0)


def test_payload_that_is_read_as_ports_is_flows():
    traffic, made = frames(stream("Ether", {"IP": {"proto": 17}}, size=64, count=50))
    assert count_flows(traffic.streams, 1) == len({frame[34:38] for frame in made}) == 50
