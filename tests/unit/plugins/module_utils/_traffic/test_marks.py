# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks in the frames of a spec: which frames have one, their numbers, and the checksums around them, as Scapy computes
them."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import Mark, read_mark
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import make_pcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic

STACKS = {
    "UDP": (Ether, ["Ether", "IP", {"UDP": {"dport": "1000-1299"}}]),
    "UDP in a VLAN": (Ether, ["Ether", {"Dot1Q": {"vlan": 5}}, "IP", {"UDP": {"dport": "1000-1299"}}]),
    "UDP over IPv6": (Ether, ["Ether", "IPv6", {"UDP": {"dport": "1000-1299"}}]),
    "TCP": (Ether, ["Ether", "IP", {"TCP": {"dport": "1000-1299"}}]),
    "TCP over IPv6": (Ether, ["Ether", "IPv6", {"TCP": {"dport": "1000-1299"}}]),
    "ICMP": (Ether, ["Ether", "IP", {"ICMP": {"seq": "0-299"}}]),
    "ICMPv6": (Ether, ["Ether", "IPv6", {"ICMPv6EchoRequest": {"seq": "0-299"}}]),
    "plain Ethernet": (Ether, [{"Ether": {"type": "0x88b5", "src": "02:00:00:00:01:00/40"}}]),
    "raw IP": (IP, [{"IP": {"dst": "198.18.0.0/24", "proto": 253}}]),
    "payload given": (Ether, ["Ether", "IP", {"UDP": {"dport": "1000-1299"}}, {"Raw": {"load": "odd"}}]),
    "UDP in GTP-U": (
        Ether,
        ["Ether", "IP", {"UDP": {"dport": 2152}}, {"GTP_U_Header": {"teid": "1-300"}}, "IP", "UDP"],
    ),
    "a checksum over all that is none of the Internet's": (
        Ether,
        ["Ether", "IP", {"SCTP": {"sport": "1-300"}}],
    ),
}


def frames(*streams, test=7):
    """Each frame of a spec, in the file's order, and the traffic."""
    traffic, _link_type, _nanoseconds = read_traffic(list(streams), 0, test)
    data = b"".join(bytes(block) for block in traffic.blocks())
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return found, traffic


def with_checksums_anew(outermost, frame):
    """The frame, its checksums computed by Scapy."""
    packet = outermost(frame)
    layer = packet
    while layer:
        for name in ("chksum", "cksum"):
            if name in layer.fields:
                del layer.fields[name]
        layer = layer.payload
    return bytes(packet)


@pytest.mark.parametrize("fill", ["zeros", "increment", "random"])
@pytest.mark.parametrize("size", [99, 1000])
@pytest.mark.parametrize("name", STACKS)
def test_checksums_are_right(name, size, fill):
    if name.startswith("plain") and fill == "random":
        fill = "increment"
    outermost, layers = STACKS[name]
    layers = [{"Ether": {"type": 0x88B5}} if isinstance(one, dict) and "/40" in str(one) else one for one in layers]
    found, traffic = frames({"layers": layers, "size": size, "count": 300, "fill": fill})
    assert traffic.streams[0].marked() == 300
    assert [read_mark(frame[-14:], 7) for frame in found] == [Mark(7, 0, number) for number in range(300)]
    assert {len(frame) for frame in found} == {size - 4}
    # All but that one are patched: as fast as without marks.
    assert traffic.streams[0]._one_each == name.startswith("a checksum over all")
    for frame in found[::17]:
        assert with_checksums_anew(outermost, frame) == frame


def test_each_frame_is_that_of_scapy():
    _found, traffic = frames({"layers": STACKS["TCP"][1], "size": {"imix": "simple"}, "count": 900})
    (stream,) = traffic.streams
    for frame in range(0, 900, 11):
        assert bytes(stream.patched_frame(frame)) == stream.scapy_frame(frame)


@pytest.mark.parametrize(
    ("layers", "length"),
    [
        (["Ether", "IP", "UDP"], 14),
        (["Ether", "IP", "ICMP"], 14),
        (["Ether", "Dot1Q", "IP", "UDP"], 14),
        (["Ether", "IP", "TCP"], 6),
        (["Ether", "Dot1Q", "IP", "TCP"], 0),
        (["Ether"], 14),
    ],
)
def test_what_fits_64_bytes_on_the_wire(layers, length):
    found, traffic = frames({"layers": layers, "size": 64, "count": 3}, test=9)
    assert [read_mark(frame[-length:] if length else b"", 9) for frame in found] == [
        Mark(9, 0, number) if length else None for number in range(3)
    ]
    assert traffic.streams[0].marked() == (3 if length else 0)


def test_only_marked_frames_are_numbered():
    """Of an IMIX in a VLAN those of 64 bytes have no room for one."""
    layers = ["Ether", "Dot1Q", "IP", {"TCP": {"dport": "1-60000"}}]
    found, traffic = frames({"layers": layers, "size": {"imix": "simple"}, "count": 1200})
    marked = [frame for frame in found if len(frame) > 60]
    assert len(marked) == 500 == traffic.streams[0].marked()
    assert [read_mark(frame[-14:], 7) for frame in marked] == [Mark(7, 0, number) for number in range(500)]
    unmarked = [frame for frame in found if len(frame) == 60]
    assert all(frame[-6:] == b"\x00\x00" + bytes(4) or read_mark(frame[-6:], 7) is None for frame in unmarked)


def test_headers_of_several_lengths():
    layers = ["Ether", "IP", {"UDP": {"dport": 53}}, {"DNS": {"qd": [{"DNSQR": {"qname": ["a.example", "b" * 30]}}]}}]
    found, traffic = frames({"layers": layers, "size": 98, "count": 40})
    numbers = [mark.number for mark in (read_mark(frame[-14:], 7) for frame in found) if mark]
    assert numbers == list(range(traffic.streams[0].marked()))
    assert len(numbers) == 20


def test_headers_whose_length_shows_frame_by_frame_only():
    """ICMP's timestamps make a header of 20 bytes instead of 8."""
    layers = ["Ether", "IP", {"ICMP": {"type": [8, 13]}}]
    found, traffic = frames({"layers": layers, "size": 60, "count": 40})
    numbers = [mark.number for mark in (read_mark(frame[-14:], 7) for frame in found) if mark]
    assert numbers == list(range(20)) == list(range(traffic.streams[0].marked()))


def test_interleaved_streams_have_numbers_of_their_own():
    one = {"layers": STACKS["UDP"][1], "size": 64, "weight": 2, "count": 200}
    other = {"layers": STACKS["TCP"][1], "size": [64, 128, 512], "weight": 3, "count": 333}
    found, _traffic = frames(one, other)
    numbers = {0: [], 1: []}
    for frame in found:
        mark = read_mark(frame[-14:], 7)
        numbers[mark.stream].append(mark.number)
    assert numbers == {0: list(range(200)), 1: list(range(333))}


def test_the_same_spec_and_id_are_the_same_bytes_another_id_is_not():
    spec = {"preset": "tcp_port_scan", "count": 100}
    assert frames(spec, test=1)[0] == frames(spec, test=1)[0] != frames(spec, test=2)[0]


def test_without_a_size_there_is_no_room(tmp_path):
    said = make_pcap(str(tmp_path / "x.pcap"), [{"layers": ["Ether", "IP", "UDP"]}], 0, replace=None, mark_id="a")
    assert said["pcap"]["marks"]["streams"] == [{"stream": 0, "name": None, "marked": 0, "unmarked": 1}]
    assert "1 of 1 in stream 0" in said["warnings"][0]


def test_what_a_file_says_of_its_marks(tmp_path):
    streams = [
        {"name": "scan", "preset": "tcp_port_scan", "count": 100},
        {"name": "vlan", "layers": ["Ether", "Dot1Q", "IP", "TCP"], "size": [64, 128], "count": 7},
    ]
    said = make_pcap(str(tmp_path / "x.pcap"), streams, 0, replace=None, mark_id="7")
    assert said["pcap"]["marks"] == {
        "test": 7,
        "streams": [
            {"stream": 0, "name": "scan", "marked": 100, "unmarked": 0},
            {"stream": 1, "name": "vlan", "marked": 3, "unmarked": 4},
        ],
    }
    assert "4 of 7 in vlan" in said["warnings"][0]
    assert make_pcap(str(tmp_path / "x.pcap"), streams, 0, replace=None)["pcap"]["marks"] is None
