# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the traffic spec: any spec is refused, or gives as many frames as asked for, of the sizes asked for,
each time the same."""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter

import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scapy")
from hypothesis import strategies

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import summarize
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import make_pcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import mac_text

# The same examples in each run. What is drawn is in no order that a smaller example would be easier to read in.
quickly = hypothesis.settings(deadline=None, max_examples=60, database=None, derandomize=True)

PORTS = strategies.one_of(
    strategies.integers(0, 65535),
    strategies.tuples(strategies.integers(0, 65535), strategies.integers(0, 65535)).map(
        lambda ends: f"{min(ends)}-{max(ends)}"
    ),
    strategies.lists(strategies.integers(0, 65535), min_size=1, max_size=5),
    strategies.tuples(
        strategies.integers(0, 30000), strategies.integers(30000, 65535), strategies.integers(1, 40000)
    ).map(lambda drawn: "{}-{}:{}".format(*drawn)),
    strategies.tuples(strategies.integers(100, 65535), strategies.integers(1, 9)).map(
        lambda drawn: {"start": drawn[0], "step": -drawn[1], "count": 10}
    ),
)
IPV4 = strategies.one_of(
    strategies.ip_addresses(v=4).map(str),
    strategies.integers(0, 32).map(lambda bits: f"0.0.0.0/{bits}"),
    strategies.integers(1, 1 << 31).map(lambda step: f"223.255.0.0-255.255.255.255:{step}"),
)
IPV6 = strategies.one_of(
    strategies.ip_addresses(v=6).map(str),
    strategies.integers(0, 128).map(lambda bits: f"::/{bits}"),
    strategies.integers(1, 1 << 120).map(lambda step: {"start": "fe80::", "end": "ffff::ffff", "step": step}),
)
FIELDS = {
    "Dot1Q": {"vlan": strategies.integers(0, 4095), "prio": strategies.integers(0, 7)},
    "IP": {"src": IPV4, "dst": IPV4, "ttl": strategies.integers(0, 255), "tos": strategies.just("0-255")},
    "IPv6": {"src": IPV6, "dst": IPV6, "hlim": strategies.integers(0, 255), "fl": strategies.just("0-0xfffff")},
    "UDP": {"sport": PORTS, "dport": PORTS},
    "TCP": {
        "sport": PORTS,
        "dport": PORTS,
        "seq": strategies.integers(0, 2**32 - 1),
        "flags": strategies.sampled_from(("S", "SA", "0-63")),
    },
}
HEADERS = {"Ether": 14, "Dot1Q": 4, "IP": 20, "IPv6": 40, "UDP": 8, "TCP": 20}


@strategies.composite
def stream(draw):
    """A stream, and the lengths its frames have to have in the file."""
    names = ["Ether", *(["Dot1Q"] if draw(strategies.booleans()) else [])]
    before_ip = sum(HEADERS[name] for name in names)
    names += [draw(strategies.sampled_from(("IP", "IPv6"))), draw(strategies.sampled_from(("UDP", "TCP")))]
    layers = [{name: draw(strategies.fixed_dictionaries({}, optional=FIELDS.get(name, {})))} for name in names]
    least = sum(HEADERS[name] for name in names)
    count = draw(strategies.integers(1, 60))
    base = draw(strategies.sampled_from(("wire", "frame", "ip")))
    less = {"wire": -4, "frame": 0, "ip": before_ip}[base]  # the file's frame has no FCS
    sizes = draw(strategies.lists(strategies.integers(least - less, 2000), min_size=1, max_size=4))
    given = draw(strategies.sampled_from(("number", "list", "steps")))
    if given == "number":
        size, cycle = sizes[0], sizes[:1]
    elif given == "list":
        size, cycle = sizes, sizes
    else:
        size = {"start": min(sizes), "end": max(sizes), "step": 1 + draw(strategies.integers(0, 500))}
        cycle = list(range(size["start"], size["end"] + 1, size["step"]))
    fill = draw(strategies.sampled_from(("zeros", "increment", "random")))
    spec = {"layers": layers, "size": size, "size_of": base, "count": count, "fill": fill}
    return spec, [cycle[number % len(cycle)] + less for number in range(count)]


def frames_of(data):
    at = 0
    while at < len(data):
        captured, original = struct.unpack_from("<8xII", data, at)
        assert captured == original
        yield data[at + 16 : at + 16 + captured]
        at += 16 + captured


def made(streams):
    traffic, link_type, _nanoseconds = read_traffic(streams, 0.000001)
    assert link_type == 1
    return b"".join(bytes(block) for block in traffic.blocks())


@quickly
@hypothesis.given(strategies.lists(stream(), min_size=1, max_size=3))
def test_count_frames_of_the_asked_sizes_and_twice_the_same(drawn):
    streams = [spec for spec, _lengths in drawn]
    data = made(streams)
    assert [len(frame) for frame in frames_of(data)] == [length for _spec, lengths in drawn for length in lengths]
    assert made(streams) == data


@quickly
@hypothesis.given(strategies.lists(strategies.tuples(stream(), strategies.integers(1, 5)), min_size=1, max_size=3))
def test_interleaved_streams_lose_no_frame(drawn):
    streams = [{**spec, "weight": weight} for (spec, _lengths), weight in drawn]
    data = made(streams)
    assert Counter(map(len, frames_of(data))) == Counter(
        length for (_spec, lengths), _weight in drawn for length in lengths
    )
    assert made(streams) == data


@hypothesis.settings(quickly, max_examples=40)
@hypothesis.given(stream())
def test_every_frame_is_the_one_that_scapy_builds(drawn):
    spec, _lengths = drawn
    traffic, _link_type, _nanoseconds = read_traffic([spec], 0)
    (one,) = traffic.streams
    assert list(frames_of(b"".join(map(bytes, traffic.blocks())))) == [
        one.scapy_frame(number) for number in range(one.frames)
    ]


@hypothesis.settings(quickly, max_examples=40)
@hypothesis.given(
    strategies.integers(2, 40),
    strategies.tuples(strategies.integers(0, 60000), strategies.integers(1, 100)),
    strategies.tuples(strategies.integers(0, (1 << 32) - 1), strategies.integers(-(1 << 24), 1 << 24).filter(bool)),
    strategies.integers(0, (1 << 48) - 41),
    strategies.integers(1, 5),
    strategies.sampled_from(("zeros", "random")),
)
def test_what_moves_together_is_what_was_drawn(count, ports, addresses, mac, others, fill):
    (port, port_step), (address, step) = ports, addresses
    hypothesis.assume(0 <= address + step * (count - 1) < 1 << 32)
    spec = {
        "layers": [
            {"Ether": {"src": {"start": mac_text(mac), "count": count}}},
            {
                "IP": {
                    "dst": {"start": str(ipaddress.IPv4Address(address)), "step": step, "count": count},
                    "ttl": {"start": 1, "count": others},
                }
            },
            {"UDP": {"dport": f"{port}-{port + port_step * (count - 1)}:{port_step}", "sport": 9}},
        ],
        "together": [["Ether.src", "IP.dst", "UDP.dport"]],
        "size": 80,
        "fill": fill,
    }
    hypothesis.assume(port + port_step * (count - 1) < 1 << 16)
    traffic, _link_type, _nanoseconds = read_traffic([spec], 0)
    frames = list(frames_of(b"".join(map(bytes, traffic.blocks()))))
    assert [(frame[6:12], frame[30:34], frame[36:38], frame[22]) for frame in frames] == [
        (
            (mac + host).to_bytes(6, "big"),
            (address + step * host).to_bytes(4, "big"),
            (port + port_step * host).to_bytes(2, "big"),
            ttl,
        )
        for ttl in range(1, others + 1)
        for host in range(count)
    ]
    assert frames == [traffic.streams[0].scapy_frame(number) for number in range(count * others)]
    for frame in frames:
        if 224 <= frame[30] < 240:  # RFC 1112: 01:00:5e, and the low 23 bits
            assert frame[:6] == bytes.fromhex("01005e") + bytes([frame[31] & 0x7F]) + frame[32:34]
        else:
            assert frame[:6] == (b"\xff" * 6 if frame[30:34] == b"\xff" * 4 else bytes.fromhex("020000000002"))


@hypothesis.settings(quickly, max_examples=20, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(drawn=strategies.lists(stream(), min_size=1, max_size=2))
def test_what_is_written_is_what_was_said(tmp_path, drawn):
    path = tmp_path / "one.pcap"
    path.unlink(missing_ok=True)
    said = make_pcap(
        str(path),
        [spec for spec, _lengths in drawn],
        0.000001,
        replace=lambda new, there: new and path.parent.joinpath(new).rename(there),
    )
    read = summarize(str(path))
    pcap = said["pcap"]
    assert (pcap["packets"], pcap["bytes"], pcap["file_bytes"], pcap["sizes"]) == (
        read.packets,
        read.bytes,
        read.file_bytes,
        read.sizes,
    )
    assert pcap["sha256"] == read.sha256
    assert pcap["flows"] in (None, read.flows)


ODD = strategies.recursive(
    strategies.one_of(
        strategies.none(),
        strategies.booleans(),
        strategies.integers(),
        strategies.floats(),
        strategies.text(max_size=8),
    ),
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3), strategies.dictionaries(strategies.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@hypothesis.settings(quickly, max_examples=300)
@hypothesis.given(stream(), strategies.sampled_from(("layers", "size", "field", "layer")), ODD, strategies.data())
def test_anything_else_is_refused_by_an_error_of_ours(drawn, where, odd, data):
    spec, _lengths = drawn
    if where in ("layers", "size"):
        spec = {**spec, where: odd}
    else:
        layers = list(spec["layers"])
        at = data.draw(strategies.integers(0, len(layers) - 1))
        name, fields = next(iter(layers[at].items()))
        field = (
            data.draw(strategies.sampled_from(sorted(FIELDS.get(name, {"src": None})))) if where == "field" else None
        )
        layers[at] = {name: {**fields, field: odd}} if field else odd
        spec = {**spec, "layers": layers}
    try:
        data = made([spec])
    except TrafficgenError as error:
        assert error.message.endswith((".", "!", "?", "…", "`"))
    else:
        assert len(list(frames_of(data))) == spec["count"]
        assert made([spec]) == data
