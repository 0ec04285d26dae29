# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: functions that take any bytes, read them by the collection's code and check what has to hold.

A target raises where the code raises anything but TrafficgenError, or where the answer is not the one
that a plain, slow way gives. Nothing here needs atheris: the unit tests run these functions on the files in ``crashes``
and ``corpus``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import struct
import tempfile
from collections import Counter

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _rates
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter, snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import device, names, state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import flow_count, flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import summary as pcap_summary
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import (
    complaints,
    options,
    request,
    versions,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import output as tcpreplay_output
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import sizes, values
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import spec as traffic_spec
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils import _clock, _progress_lines
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report import markdown, page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import criteria, host, junit, record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import plan as throughput_plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import result as throughput_result

refused = contextlib.suppress(TrafficgenError)


class Source:
    """Values made from bytes, in order; zeros when they are used up. So a small change of the bytes is one of the
    values."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, size: int = 1) -> int:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little")

    def below(self, limit: int) -> int:
        return self.number(1 if limit <= 256 else 4) % limit

    def one_of(self, choices):
        return choices[self.below(len(choices))]

    def bytes(self, most: int) -> bytes:
        length = self.below(most + 1)
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def text(self, most: int) -> str:
        # As Ansible hands on what is no UTF-8.
        return self.bytes(most).decode("utf-8", "surrogateescape")

    def rest(self) -> bytes:
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken


def text_of(data: bytes) -> str:
    """As the runner reads what a program printed."""
    return data.decode("utf-8", "backslashreplace")


# --- What tcpreplay prints ---


def output(data: bytes) -> None:
    """The two streams are set apart by the first zero byte, if there is one."""
    stdout, _zero, stderr = data.partition(b"\0")
    with refused:
        stats = tcpreplay_output.parse(text_of(stdout), text_of(stderr), exit_status=0)
        assert stats == tcpreplay_output.parse(text_of(stdout), text_of(stderr), exit_status=0)
        json.dumps(stats, allow_nan=False)
        measures = [*stats["samples"], stats]
        assert all(later["packets"] >= earlier["packets"] >= 0 for earlier, later in zip(measures, measures[1:]))
        for device in stats["devices"]:
            assert device["interface"] and not any(character.isspace() for character in device["interface"])
    last = tcpreplay_output.last_measures(text_of(data))
    assert last is None or last["packets"] >= 0


# --- pcaps ---


def _plainly_read(data: bytes):
    """Records of a pcap as (bytes in the file, on the line, frame as libpcap cuts it), one by one; None where it cannot
    be read whole."""
    order = {
        b"\xd4\xc3\xb2\xa1": "<",
        b"\x4d\x3c\xb2\xa1": "<",
        b"\xa1\xb2\xc3\xd4": ">",
        b"\xa1\xb2\x3c\x4d": ">",
    }.get(data[:4])
    if order is None or len(data) < 24 or struct.unpack(order + "HH", data[4:8]) != (2, 4):
        return None
    at, records = 24, []
    (snaplen,) = struct.unpack(order + "I", data[16:20])
    most = snaplen if 0 < snaplen < 2**31 else len(data)
    while at < len(data):
        if len(data) - at < 16:
            return None
        captured, original = struct.unpack(order + "8xII", data[at : at + 16])
        if captured > len(data) - at - 16:
            return None
        records.append((captured, original, data[at + 16 : at + 16 + min(captured, original, most)]))
        at += 16 + captured
    return records


def pcap(data: bytes) -> None:
    """The first byte tells the size of the blocks in which the file is read, so that records lie across their ends."""
    block, data = 1 << (5 + data[0] % 16) if data else 32, data[1:]
    records = _plainly_read(data)
    before = pcap_summary._BLOCK
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
        file.write(data)
        file.flush()
        try:
            pcap_summary._BLOCK = block
            summary = pcap_summary.summarize(file.name, source_macs=True)
        except TrafficgenError:
            summary = None
        finally:
            pcap_summary._BLOCK = before
        # The first block has the file's header in it whatever its size.
        assert (
            (summary is None) == (records is None) or records is None or max(record[0] for record in records) > 262144
        )
        tagged = None
        with refused:
            tagged = pcap_summary.all_tagged(file.name, 60)
    if summary is None or records is None:
        return
    assert summary.packets == len(records)
    assert summary.sizes == Counter(len(frame) for _captured, _original, frame in records)
    assert summary.bytes == sum(len(frame) for _captured, _original, frame in records)
    assert summary.truncated_packets == sum(original > len(frame) for _captured, original, frame in records)
    assert summary.surplus_packets == sum(captured > original for captured, original, _frame in records)
    assert tagged == all(frame[12:14] == b"\x81\x00" for _captured, _original, frame in records if len(frame) > 60)
    if summary.flows is not None:
        assert summary.flows == len(
            {flows.flow_key(frame, summary.link_type) for _captured, _original, frame in records} - {None}
        )
    if summary.link_type == 1:
        macs = sorted({frame[6:12].hex(":") for _captured, _original, frame in records if len(frame) >= 12})
        assert summary.source_macs == (macs if len(macs) <= pcap_summary.SOURCE_MACS_LIMIT else None)


# --- The traffic spec ---

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


# --- Small parsers: of programs' output, and of users' text ---


def _tcpreplay_stats(data: bytes) -> None:
    from ansible_collections.wirespeed.trafficgen.plugins.filter.tcpreplay_stats import tcpreplay_stats

    with refused:
        tcpreplay_stats(text_of(data).split("\n"))


def _line_rate(data: bytes) -> None:
    from ansible_collections.wirespeed.trafficgen.plugins.filter.line_rate import line_rate

    value, size, speed, *_more = [*data.decode("utf-8", "surrogateescape").split("\n"), "", "", ""]
    for unit in _rates.RATE_UNITS:
        with refused:
            json.dumps(line_rate(value, unit, size, "wire", speed or None), allow_nan=False)


def _stats_query(data: bytes) -> None:
    from ansible_collections.wirespeed.trafficgen.plugins.filter.stats_query import stats_query

    with refused:
        stats_query({"stats": {"packets": 1, "devices": [{"interface": "a"}]}}, data.decode("utf-8", "surrogateescape"))


def _version(data: bytes) -> None:
    info = versions.parse_version(text_of(data))
    versions.netmap_verdict(info)
    json.dumps(info.as_result())
    for option in ("duration", "xdp"):
        with refused:
            versions.require_option(info, option)


def _features(data: bytes) -> None:
    on, wanted = device.parse_features(text_of(data))
    assert state.to_change(wanted, wanted) == []
    assert len(set(on)) == len(on)


def _cpus(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert max(request.parse_cpus(text, frozenset())) <= 99999
    assert request.parse_cpus(text, frozenset(range(4))) <= frozenset(range(4))


def _extra_args(data: bytes) -> None:
    words = data.decode("utf-8", "surrogateescape").split("\n")
    extra = options.check_extra_args(words)
    assert list(extra.argv) == words
    for word in words:
        word.encode("utf-8", "surrogateescape")
        assert "\0" not in word  # no program can be given it
    assert extra.loop_delay >= 0


def _interface(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    name = names.check_interface(text, "interface", names.LONGEST)
    # dev_valid_name() of the kernel: 15 bytes, no slash, no colon, no white space.
    assert 0 < len(os.fsencode(name)) <= 15
    assert not {"/", ":", "\0", " "} & set(name) and not name.startswith("-")


def _netns(data: bytes) -> None:
    name = names.check_netns(data.decode("utf-8", "surrogateescape"), "netns")
    assert os.path.dirname(os.path.normpath(f"/run/netns/{name}")) == "/run/netns"


def _lines(data: bytes) -> list:
    return data.decode("utf-8", "surrogateescape").split("\n")


def _field_values(data: bytes) -> None:
    for item in _lines(data)[:8]:
        with refused:
            found = values.number_range(item, 16, "x", lambda text: int(text == "S"))
            assert 0 <= found.start < found.stop <= 1 << 16
        for version, bits in ((4, 32), (6, 128)):
            with refused:
                found = values.address_range(item, version, "x")
                assert 0 <= found.start < found.stop <= 1 << bits
        with refused:
            assert 0 <= values.mac_range(item, "x").start < 1 << 48


def _size_cycle(data: bytes) -> None:
    try:
        form = json.loads(data)
    except (ValueError, RecursionError):
        return
    assert all(1 <= size <= sizes.LARGEST for size in sizes.size_cycle(form, "wire"))


def _explain(data: bytes) -> None:
    for status in (0, 1, -9, None):
        error = complaints.explain(text_of(data), status)
        assert error is None or len(error.message) < 2000


def _rate(data: bytes) -> None:
    form, _newline, value = data.decode("utf-8", "surrogateescape").partition("\n")
    plan = _rates.plan_rate(form if form in _rates.RATE_FORMS else "pps", value, _rates.Size.of(60.0), 10000.0)
    assert all(word.startswith("--") and "\n" not in word for word in plan.argv)


def _table_name(data: bytes) -> None:
    name = frame_counter.table_name(data.decode("utf-8", "surrogateescape"))
    assert name.isascii() and name.replace("_", "").isalnum()


SMALL = (
    _tcpreplay_stats,
    _line_rate,
    _stats_query,
    _version,
    _features,
    _cpus,
    _extra_args,
    _interface,
    _netns,
    _field_values,
    _size_cycle,
    _explain,
    _rate,
    _table_name,
    lambda data: snapshot.parse_statistics(text_of(data)),
    lambda data: device.parse_speed(text_of(data)),
    lambda data: frame_counter.parse_table(text_of(data)),
    lambda data: frame_counter.normal_mac(data.decode("utf-8", "surrogateescape")),
    lambda data: _clock.read_time(text_of(data)),
    lambda data: _progress_lines.parse(text_of(data)),
    lambda data: host.parse_tuned(text_of(data)),
    lambda data: criteria.check_criteria([{"name": "a", "expression": text_of(data)}]),
    lambda data: traffic_spec.read_interval(text_of(data)),
)


def text(data: bytes) -> None:
    """The first byte names the parser."""
    if data:
        with refused:
            SMALL[data[0] % len(SMALL)](data[1:])


# --- Result files, and records of trials ---

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "throughput"
# An input that failed once (crashes/result) holds places in this list: add at its end only.
_ODD = (
    *(None, True, False, 0, -1, 1, 0.1, 1 << 63, 1 << 64, 10**400),
    *(1e19, 1e308, -1e308, 1e-29, 5e-324, float("nan"), float("inf")),
    *("", "x", "\ud800", "{{ 7 * 7 }}", "<script>", "consistent", "ok", "failed", "found"),
    *([], [[]], ["x"], [None], {}, {"a": 1}, {"": None}, {"name": ["x"]}, {"topspeed": False}, {"pps": -5}),
    *({"line_rate_percent": 1e19}, "\0", "\u202e", "a" * 500),
)


@functools.cache
def _result(name: str) -> str:
    tree = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    tree["trials"] = tree["trials"][:3] + tree["trials"][-2:]
    for search in tree["searches"]:
        search["trials"] = search["trials"][:3] + search["trials"][-2:]
    return json.dumps(tree)


@functools.cache
def _record() -> str:
    """The lines of a record, as a list."""
    tree = json.loads(_result("namespaces"))
    asked = [{"name": tree["traffic"][0]["name"], "pcap": "/a.pcap"}]
    name, host_tree = next(iter(tree["hosts"].items()))
    found = {
        each: {"netmap": {"usable": False}, "link_speed_mbps": None, "traffic": tree["traffic"]}
        for each in (name, "other")
    }
    options = {"max_pps": 1000, "min_pps": 10, "final_duration": 1}
    planned = [
        throughput_plan.plan(asked, rates=[{"topspeed": True}], methods=["auto"], repeats=2, hosts=found),
        throughput_plan.plan(
            asked,
            rates=[],
            methods=["auto"],
            search="rfc2544",
            search_options={**options, "wire_frame_size": 82},
            hosts=found,
        ),
    ]
    keys = ("name", "collection_version", "ansible_version", "started")
    lines = []
    for plan, settings in zip(planned, ({}, {"search": "rfc2544", "search_options": options})):
        head = {
            **{key: tree[key] for key in keys},
            "settings": settings,
            "traffic": asked,
            "plan": plan,
            "criteria": [],
            "hosts": {each: {"host": host_tree, "traffic": tree["traffic"]} for each in found},
        }
        trial = {
            **tree["trials"][0],
            "number": 1,
            "host": name,
            "injection_method": "auto",
            "rate": {"topspeed": True},
            "repeat": 1,
        }
        step = {"step": {"asked_pps": 1000.0, "duration": 1}} if settings else {}
        more = [{"resumed": 2.0, "made": 1}, {"ended": 3.0, "broke": {}}]
        first = {"schema": record.SCHEMA, "schema_version": 1, "plan": head}
        lines.append([first, *({**step, "trial": {**trial, "host": each}} for each in found), *more])
    return json.dumps(lines)


def _ways(tree, way=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*way, key)
        yield from _ways(value, (*way, key))


def _changed(tree, source: Source):
    """The tree with some of its values others, gone, or added."""
    for _time in range(1 + source.below(3)):
        ways = list(_ways(tree))
        if not ways:
            return tree
        *way, last = source.one_of(ways)
        at = tree
        for key in way:
            at = at[key]
        kind = source.below(8)
        if kind < 6:
            at[last] = source.one_of(_ODD)
        elif kind == 6:
            del at[last]
        elif isinstance(at, dict):
            at[source.text(4)] = source.one_of(_ODD)
        else:
            at.append(source.one_of(_ODD))
    return json.loads(json.dumps(tree))


def _reported(tree, forms) -> None:
    for form in forms:
        with refused:
            form(tree).encode()


def result(data: bytes) -> None:
    """A result or a record in which something is not as it was: read and reported, or refused by the file's name."""
    # Only a controller has what these need; the other targets are tried on a managed node's Python as well.
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report import html
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import files

    source = Source(data)
    forms = (
        junit.junit,
        lambda tree: html.to_html(page.page(tree)),
        lambda tree: markdown.to_markdown(page.page([tree, tree])),
    )
    kind = source.below(4)
    if kind:
        text = json.dumps(_changed(json.loads(_result(("search", "namespaces", "troubles")[kind - 1])), source))
        try:
            tree = throughput_result.load(text, "a.json")
        except TrafficgenError as error:
            assert error.message.startswith("a.json")
            return
        _reported(tree, forms)
        return
    lines = _changed(source.one_of(json.loads(_record())), source)
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None, suffix=".jsonl") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        file.flush()
        with refused:
            made, _now = files.read(file.name)
            _reported(made, forms)


TARGETS = {"output": output, "pcap": pcap, "spec": spec, "text": text, "result": result}
