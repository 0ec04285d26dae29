# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the pcap reader: what is written is read back; a file cut at any byte, or changed in any field, is read
or refused."""

from __future__ import annotations

import importlib.util
import struct
from collections import Counter
from pathlib import Path

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import summary as pcap_summary
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import all_tagged, summarize

# The same examples in each run.
quickly = hypothesis.settings(deadline=None, max_examples=60, database=None, derandomize=True)

MAGICS = {
    (order, nano): struct.pack(order + "I", 0xA1B23C4D if nano else 0xA1B2C3D4)
    for order in "<>"
    for nano in (False, True)
}
FRAME = strategies.one_of(
    strategies.binary(max_size=80),
    strategies.sampled_from([bytes(60), bytes(12) + b"\x81\x00" + bytes(50), b"\xff" * 64]),
)
FIELDS = {
    "magic": (0, 4),
    "major": (4, 2),
    "minor": (6, 2),
    "zone": (8, 4),
    "accuracy": (12, 4),
    "snaplen": (16, 4),
    "link": (20, 4),
}


def targets():
    """The fuzz targets: what they check is checked here on drawn input."""
    found = importlib.util.spec_from_file_location("fuzz_targets", Path(__file__).parents[4] / "fuzz" / "targets.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@strategies.composite
def pcap(draw):
    """A pcap's bytes, its records, and what its header says."""
    order, nano = draw(strategies.sampled_from("<>")), draw(strategies.booleans())
    link = draw(strategies.sampled_from((0, 1, 101, 113, 147, 276)))
    frames = [
        frame
        for frame in draw(strategies.lists(FRAME, max_size=6))
        for _copy in range(draw(strategies.integers(1, 12)))
    ]
    records = [
        (draw(strategies.integers(0, 2**32 - 1)), 5, len(frame) + draw(strategies.integers(0, 1)), frame)
        for frame in frames
    ]
    data = MAGICS[order, nano] + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, link)
    for seconds, fraction, original, frame in records:
        data += struct.pack(order + "IIII", seconds, fraction, len(frame), original) + frame
    return data, records, (order, nano, link)


@pytest.fixture(name="file")
def fixture_file(tmp_path_factory):
    return tmp_path_factory.mktemp("pcap") / "one.pcap"


# The file is written anew for each example.
same_file = hypothesis.settings(quickly, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])


@same_file
@hypothesis.given(pcap(), strategies.integers(5, 20))
def test_what_is_written_is_read_back(file, drawn, block):
    data, records, (order, nano, link) = drawn
    file.write_bytes(data)
    before = pcap_summary._BLOCK
    try:
        pcap_summary._BLOCK = 1 << block  # records lie across the blocks' ends
        summary = summarize(str(file))
    finally:
        pcap_summary._BLOCK = before
    assert (summary.byte_order, summary.nanosecond, summary.link_type) == (
        "little" if order == "<" else "big",
        nano,
        link,
    )
    assert summary.packets == len(records)
    assert summary.bytes == sum(len(frame) for *_times, frame in records)
    assert summary.sizes == Counter(len(frame) for *_times, frame in records)
    assert summary.truncated_packets == sum(original > len(frame) for _seconds, _fraction, original, frame in records)
    assert summary.first == (f"{records[0][0]}.{5:0{9 if nano else 6}d}" if records else None)
    assert summary.last == (f"{records[-1][0]}.{5:0{9 if nano else 6}d}" if records else None)
    assert all_tagged(str(file), 40) == all(
        frame[12:14] == b"\x81\x00" for *_times, frame in records if len(frame) > 40
    )


@hypothesis.settings(same_file, max_examples=8)
@hypothesis.given(pcap())
def test_a_file_cut_at_any_byte_is_read_or_refused(file, drawn):
    data, records, _header = drawn
    whole = {24}
    for *_times, frame in records:
        whole.add(max(whole) + 16 + len(frame))
    for end in range(len(data) + 1):
        file.write_bytes(data[:end])
        if end in whole:
            assert summarize(str(file)).file_bytes == end
        else:
            with pytest.raises(TrafficgenError, match=r"truncated|is empty|is not a pcap"):
                summarize(str(file))


@same_file
@hypothesis.given(pcap(), strategies.sampled_from(sorted(FIELDS)), strategies.binary(min_size=4, max_size=4))
def test_any_field_of_the_header_may_be_anything(file, drawn, field, value):
    data = bytearray(drawn[0])
    at, width = FIELDS[field]
    data[at : at + width] = value[:width]
    targets().pcap(b"\x0f" + bytes(data))


@same_file
@hypothesis.given(pcap(), strategies.data())
def test_any_field_of_a_record_may_be_anything(file, drawn, data):
    content, records, (order, _nano, _link) = drawn
    hypothesis.assume(records)
    starts = [24]
    for *_times, frame in records:
        starts.append(starts[-1] + 16 + len(frame))
    at = data.draw(strategies.sampled_from(starts[:-1])) + data.draw(strategies.sampled_from((0, 4, 8, 12)))
    value = data.draw(strategies.one_of(strategies.integers(0, 200), strategies.integers(0, 2**32 - 1)))
    targets().pcap(
        bytes([data.draw(strategies.integers(0, 15))])
        + content[:at]
        + struct.pack(order + "I", value)
        + content[at + 4 :]
    )
