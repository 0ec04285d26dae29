# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pcap is what libpcap makes of it: files of every kind, read by the collection and by libpcap itself, which
tcpreplay reads with."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from collections import Counter

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import summary as pcap_summary
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import PcapSummary, summarize

NAME = ctypes.util.find_library("pcap")
pytestmark = pytest.mark.skipif(NAME is None, reason="libpcap is not installed")
ETHERNET = 1  # as LINKTYPE_ and as DLT_
NANOSECONDS = 1  # PCAP_TSTAMP_PRECISION_NANO


class Header(ctypes.Structure):
    """struct pcap_pkthdr: the time, and the bytes handed over and on the line."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("original", ctypes.c_uint32),
    )


def read_by_libpcap(
    path: str, nanosecond: bool = False
) -> tuple[list[tuple[tuple[int, int], int, int]], int, int, str]:
    """The records as (time, bytes handed over, bytes on the line); link type; its FCS bits; what libpcap complains
    of."""
    library = ctypes.CDLL(NAME)
    library.pcap_open_offline_with_tstamp_precision.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    said = ctypes.create_string_buffer(256)
    handle = library.pcap_open_offline_with_tstamp_precision(path.encode(), NANOSECONDS, said)
    if not handle:
        return [], 0, 0, said.value.decode()
    pcap = ctypes.c_void_p(handle)
    header, frame = ctypes.POINTER(Header)(), ctypes.c_void_p()
    records = []
    while (found := library.pcap_next_ex(pcap, ctypes.byref(header), ctypes.byref(frame))) == 1:
        one = header.contents
        # Up to libpcap 1.10.4 both halves of a time are signed; the format's are not.
        fraction = one.fraction if nanosecond else one.fraction // 1000
        records.append(((one.seconds & 0xFFFFFFFF, fraction & 0xFFFFFFFF), one.captured, one.original))
    complaint = library.pcap_geterr(pcap).decode() if found == -1 else ""
    link, extension = library.pcap_datalink(pcap), library.pcap_datalink_ext(pcap) & 0xFFFFFFFF
    library.pcap_close(pcap)
    return records, link, extension, complaint


def compare(path: str, summary: PcapSummary) -> None:
    """Nothing of the summary may be otherwise than libpcap has it."""
    records, link, extension, complaint = read_by_libpcap(path, summary.nanosecond)
    assert complaint == ""
    # tcpreplay sends no more than there was on the line (safe_pcap_next() in its src/common/utils.c).
    sizes = Counter(min(captured, original) for _time, captured, original in records)
    assert (summary.packets, summary.sizes) == (len(records), sizes)
    assert summary.bytes == sum(size * packets for size, packets in sizes.items())
    assert summary.truncated_packets == sum(captured < original for _time, captured, original in records)
    assert summary.largest_original == max((original for *_record, original in records), default=0)
    assert (link == ETHERNET) == (summary.link_type == ETHERNET)
    assert summary.fcs_length == ((extension >> 28) * 2 if extension & 0x04000000 else None)
    unit = 10**9 if summary.nanosecond else 10**6
    times = [time for time, *_lengths in records] or [(0, 0)]
    first, last, latest = (seconds * unit + fraction for seconds, fraction in (times[0], times[-1], max(times)))
    assert summary.time_goes_back == sum(later < earlier for earlier, later in zip(times, times[1:]))
    assert (summary.duration, summary.replay_duration) == ((last - first) / unit, (latest - first) / unit)
    if records:
        assert [text.replace(".", "").lstrip("0") for text in (summary.first, summary.last)] == [
            str(time or "") for time in (first, last)
        ]


@strategies.composite
def pcap(draw):
    """A pcap's bytes: lengths that agree and do not, runs of records that are alike, any snaplen, link type and
    order."""
    order = draw(strategies.sampled_from("<>"))
    magic = draw(strategies.sampled_from((0xA1B2C3D4, 0xA1B23C4D)))
    snaplen = draw(
        strategies.one_of(
            strategies.integers(0, 130), strategies.sampled_from((65535, 262144, 2**31 - 1, 2**31, 2**32 - 1))
        )
    )
    link = draw(strategies.sampled_from((0, 1, 101, 113, 276))) | draw(
        strategies.sampled_from((0, 0x04000000, 0x24000000, 0xF0000000))
    )
    version = draw(strategies.sampled_from(((2, 4), (2, 4), (2, 0), (2, 2), (2, 3), (543, 0))))
    data = struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)
    length = strategies.one_of(strategies.integers(0, 128), strategies.sampled_from((60, 120)))
    time = draw(strategies.integers(0, 2**31))
    for _run in range(draw(strategies.integers(0, 6))):
        captured = draw(length)
        original = draw(strategies.one_of(strategies.just(captured), length))
        if version == (2, 3):  # has them either way, so the smaller one is what was captured
            captured, original = min(captured, original), max(captured, original)
            lengths = draw(strategies.sampled_from(((captured, original), (original, captured))))
        else:
            lengths = (captured, original) if version == (2, 4) else (original, captured)
        step = draw(strategies.integers(-3, 3))
        for _copy in range(draw(strategies.integers(1, 80))):
            data += struct.pack(order + "IIII", time, abs(step) * time % 10**6, *lengths) + bytes(captured)
            time = min(max(time + step, 0), 2**32 - 1)
    return data


@hypothesis.settings(
    deadline=None,
    max_examples=200,
    database=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(pcap(), strategies.integers(5, 20))
def test_any_pcap_is_what_libpcap_makes_of_it(tmp_path, data, block):
    path = tmp_path / "one.pcap"
    path.write_bytes(data)
    before = pcap_summary._BLOCK
    try:
        pcap_summary._BLOCK = 1 << block  # records lie across the blocks' ends
        compare(str(path), summarize(str(path)))
    finally:
        pcap_summary._BLOCK = before


@pytest.mark.parametrize("captured", [262144, 262145, 2**31, 2**32 - 1])
@pytest.mark.parametrize("snaplen", [0, 100, 65535, 2**31 - 1])
def test_a_frame_too_long_for_libpcap_is_refused(tmp_path, captured, snaplen):
    path = tmp_path / "one.pcap"
    content = bytes(min(captured, 300_000))
    path.write_bytes(
        struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1, 0, 0, captured, captured) + content
    )
    if captured == 262144:
        compare(str(path), summarize(str(path)))
        return
    assert "invalid packet capture length" in read_by_libpcap(str(path))[3]
    with pytest.raises(TrafficgenError, match="claims a frame of"):
        summarize(str(path))


@pytest.mark.parametrize("rest", [b"\n", bytes(15), struct.pack("<IIII", 0, 0, 60, 60) + bytes(59)])
def test_where_libpcap_stops_the_file_is_refused(tmp_path, rest):
    path = tmp_path / "one.pcap"
    path.write_bytes(struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1, 0, 0, 60, 60) + bytes(60) + rest)
    records, *_types, complaint = read_by_libpcap(str(path))
    assert (len(records), "truncated dump file" in complaint) == (1, True)
    with pytest.raises(TrafficgenError, match="is truncated"):
        summarize(str(path))
