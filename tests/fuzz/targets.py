# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzz targets: functions that feed any bytes to the collection's code and check the answer.

A target raises if the code raises anything but TrafficgenError, or if the answer differs from that of a simple, slow
way. Nothing here needs atheris: the unit tests run these functions on the files in ``crashes`` and ``corpus``.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections import Counter

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _rates
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter, nftables
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import names, netlink, rtnetlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import summary as pcap_summary
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import request
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import complaints, options, versions
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import output as tcpreplay_output
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import sizes, values
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import spec as traffic_spec
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils import _clock, _progress_lines
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import criteria, host
from ansible_collections.wirespeed.trafficgen.tests.fuzz.drawn import refused, text_of
from ansible_collections.wirespeed.trafficgen.tests.fuzz.result_target import result
from ansible_collections.wirespeed.trafficgen.tests.fuzz.spec_target import spec

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


def _netlink(data: bytes) -> None:
    for message in netlink.messages(data):
        assert len(message.payload) <= len(data)
    assert sum(len(value) for _kind, value in netlink.every_attribute(data)) <= len(data)


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
    _netlink,
    _cpus,
    _extra_args,
    _interface,
    _netns,
    _field_values,
    _size_cycle,
    _explain,
    _rate,
    _table_name,
    lambda data: rtnetlink.parse_link(data.ljust(16, b"\0")),
    lambda data: nftables.parse_elements([data]),
    lambda data: nftables.parse_rules([data]),
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


TARGETS = {"output": output, "pcap": pcap, "spec": spec, "text": text, "result": result}
