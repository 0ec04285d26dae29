# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the reading of pcap files, with files made by hand; figures marked as such are capinfos' own (Wireshark
4.0)."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import socket
import struct
import tracemalloc
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import summary as pcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import flow_key

MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D


def header(order="<", magic=MICROSECONDS, version=(2, 4), snaplen=65535, link=1):
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)


def record(frame, order="<", seconds=0, fraction=0, original=None):
    return (
        struct.pack(order + "IIII", seconds, fraction, len(frame), len(frame) if original is None else original) + frame
    )


def udp(size, port=7, source="020000000001", address="198.18.0.1"):
    """A UDP frame of ``size`` bytes; checksums are nothing a reader of files looks at."""
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, size - 14, 1, 0, 64, 17, 0, socket.inet_aton(address), socket.inet_aton("198.18.0.2")
    )
    return (
        bytes.fromhex("020000000002" + source + "0800") + ip + struct.pack(">HHHH", 1024, port, size - 34, 0)
    ).ljust(size, b"x")


@pytest.fixture
def write(tmp_path):
    def write(*parts):
        path = tmp_path / "test.pcap"
        path.write_bytes(b"".join(parts))
        return str(path)

    return write


# capinfos of the file with order "<" and MICROSECONDS: Number of packets: 3; File size: 278 bytes; Data size: 206
# bytes; Capture duration: 1.000000 seconds; Packet size limit: file hdr: 65535 bytes
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit", "decimals"), [(MICROSECONDS, 10**6, 6), (NANOSECONDS, 10**9, 9)])
def test_small_file(write, order, magic, unit, decimals):
    frames = [udp(64, 7), udp(78, 8), udp(64, 7)]
    records = [record(frame, order, 1700000000 + i // 2, i % 2 * unit // 2) for i, frame in enumerate(frames)]
    path = write(header(order, magic), *records)
    content = Path(path).read_bytes()
    assert pcap.summarize(path, source_macs=True) == pcap.PcapSummary(
        path=path,
        packets=3,
        bytes=206,
        wire_bytes=218,  # 64 and 78 bytes with 4 of FCS each
        file_bytes=278,
        truncated_packets=0,
        snaplen_cut_packets=0,
        surplus_packets=0,
        short_packets=0,
        largest_original=78,
        link_type=1,
        link_type_name="ETHERNET",
        fcs_length=None,
        bare_ip=False,
        nanosecond=decimals == 9,
        byte_order={"<": "little", ">": "big"}[order],
        snaplen=65535,
        first="1700000000." + "0" * decimals,
        last="1700000001." + "0" * decimals,
        duration=1.0,
        replay_duration=1.0,
        time_goes_back=0,
        sizes={64: 2, 78: 1},
        flows=2,
        source_macs=["02:00:00:00:00:01"],
        vlan_tagged="none",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_what_was_not_asked_for_is_none(write):
    summary = pcap.summarize(write(header(), record(udp(64))), flows=False)
    assert summary.flows is None
    assert summary.source_macs is None


def test_nanoseconds_are_kept(write):
    path = write(
        header(magic=NANOSECONDS), record(udp(64), "<", 1700000000, 1), record(udp(64), "<", 1700000000, 123456789)
    )
    summary = pcap.summarize(path)
    assert (summary.first, summary.last, summary.duration) == (
        "1700000000.000000001",
        "1700000000.123456789",
        0.123456788,
    )


def test_packets_out_of_order(write):
    path = write(header(), record(udp(64), "<", 5, 250000), record(udp(64), "<", 3))
    assert pcap.summarize(path).duration == -2.25


def test_header_alone(write):
    summary = pcap.summarize(write(header()), source_macs=True)
    assert (summary.packets, summary.bytes, summary.file_bytes, summary.sizes, summary.flows) == (0, 0, 24, {}, 0)
    assert (summary.first, summary.last, summary.duration, summary.source_macs) == (None, None, 0.0, [])


def test_packets_cut_by_the_capture(write):
    path = write(
        header(snaplen=48),
        *[record(udp(64)[:40], original=64)] * 20,
        record(udp(64)[:39], original=64),
        record(udp(42)),
    )
    summary = pcap.summarize(path)
    assert (summary.packets, summary.truncated_packets, summary.bytes, summary.flows) == (22, 21, 20 * 40 + 39 + 42, 1)
    assert (summary.snaplen_cut_packets, summary.surplus_packets, summary.largest_original) == (0, 0, 64)


# libpcap hands over 96 bytes of each (pcap_next_packet() in its sf-pcap.c): `tcpreplay` of this file says "15 packets
# (1440 bytes)".
@pytest.mark.parametrize("count", [1, 15, 300])
def test_frames_cut_by_the_files_snaplen(write, count):
    summary = pcap.summarize(write(header(snaplen=96), *[record(udp(1000))] * count))
    assert (summary.sizes, summary.bytes, summary.flows) == ({96: count}, 96 * count, 1)
    assert (summary.snaplen_cut_packets, summary.truncated_packets, summary.largest_original) == (count, count, 1000)


# pcapint_adjust_snapshot() of libpcap's savefile.c: what is no C int, and 0, is the most a frame may have.
@pytest.mark.parametrize(
    ("snaplen", "size"),
    [(0, 1000), (1, 1), (999, 999), (1000, 1000), (2**31 - 1, 1000), (2**31, 1000), (2**32 - 1, 1000)],
)
def test_what_libpcap_makes_of_the_snaplen(write, snaplen, size):
    summary = pcap.summarize(write(header(snaplen=snaplen), record(udp(1000))))
    assert (summary.sizes, summary.snaplen, summary.snaplen_cut_packets) == ({size: 1}, snaplen, int(size < 1000))


# tcpreplay sends the smaller (safe_pcap_next() in its src/common/utils.c): "40 packets (4800 bytes)".
@pytest.mark.parametrize("count", [1, 40, 300])
def test_more_captured_than_there_was(write, count):
    summary = pcap.summarize(write(header(), *[record(udp(200), original=120)] * count))
    assert (summary.sizes, summary.surplus_packets, summary.truncated_packets, summary.snaplen_cut_packets) == (
        {120: count},
        count,
        0,
        0,
    )


# What tcpreplay leaves out is no part of a flow, nor of an address.
@pytest.mark.parametrize("count", [1, 40, 300])
def test_what_is_left_out_is_not_looked_at(write, count):
    for summary in (
        pcap.summarize(write(header(), *[record(udp(200), original=30)] * count), source_macs=True),
        pcap.summarize(write(header(snaplen=30), *[record(udp(200))] * count), source_macs=True),
    ):
        assert (summary.flows, summary.source_macs) == (0, ["02:00:00:00:00:01"])
    assert pcap.summarize(write(header(), *[record(udp(200), original=8)] * count), source_macs=True).source_macs == []


def test_no_bytes_of_more(write):
    summary = pcap.summarize(write(header(), record(bytes(47), original=0)))
    assert (summary.sizes, summary.surplus_packets) == ({0: 1}, 1)


def test_frames_that_end_within_their_header(write):
    frames = [bytes(size) for size in (0, 1, 13, 14, 15, 60)]
    assert pcap.summarize(write(header(), *map(record, frames))).short_packets == 3
    assert pcap.summarize(write(header(link=101), *map(record, frames))).short_packets is None


# draft-ietf-opsawg-pcap, section 4: bit 26 says that the FCS length is known, bits 28 to 31 how many 16-bit words it
# has.
@pytest.mark.parametrize(
    ("link", "length"), [(0x24000001, 4), (0x14000001, 2), (0x04000001, 0), (0x20000001, None), (1, None)]
)
def test_captured_fcs(write, link, length):
    summary = pcap.summarize(write(header(link=link), record(udp(64))))
    assert (summary.link_type, summary.fcs_length) == (1, length)


# capinfos of the same times (earliest and latest packet): 50.100000 seconds.
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("copies", [1, 100])
def test_time_goes_back(write, order, copies):
    times = [(100, 0), (100, 100000), (150, 100000), (101, 0)]
    records = [record(udp(64), order, *time) for time in times for _copy in range(copies)]
    summary = pcap.summarize(write(header(order), *records))
    assert (summary.duration, summary.replay_duration, summary.time_goes_back) == (1.0, 50.1, 1)


def test_a_fraction_of_more_than_a_second(write):
    summary = pcap.summarize(write(header(), record(udp(64), fraction=1_500_000), record(udp(64), "<", 1, 250000)))
    assert (summary.first, summary.last, summary.duration) == ("1.500000", "1.250000", -0.25)


# What `tcprewrite --dlt=enet` of 4.4.3 makes of raw IP: link type Ethernet, and the packets as they were.
@pytest.mark.parametrize("count", [1, 30])
def test_ip_packets_that_claim_to_be_ethernet(write, count):
    ipv4, ipv6 = udp(62)[14:], struct.pack(">IHBB32x", 6 << 28, 8, 17, 64) + bytes(8)
    assert pcap.summarize(write(header(), *[record(ipv4), record(ipv6)] * count)).bare_ip
    assert pcap.summarize(write(header(), *[record(ipv4)] * count)).bare_ip
    assert pcap.summarize(write(header(), *[record(ipv4[:30], original=48)] * count)).bare_ip
    for other in (udp(64), ipv4 + b"\0", b"\x45" * 60, b"\x60" * 60, bytes(60), ipv4[:10]):
        assert not pcap.summarize(write(header(), *[record(ipv4)] * count, record(other))).bare_ip, other
    assert not pcap.summarize(write(header(link=101), record(ipv4))).bare_ip
    assert not pcap.summarize(write(header())).bare_ip


def test_link_type_under_the_fcs_bits(write):
    assert pcap.summarize(write(header(link=0x24000001))).link_type == 1


@pytest.mark.parametrize(("link", "name"), [(105, "IEEE802_11"), (9999, "LINKTYPE 9999")])
def test_link_type_without_flows(write, link, name):
    summary = pcap.summarize(write(header(link=link), record(udp(64))), source_macs=True)
    assert (summary.link_type_name, summary.packets, summary.flows, summary.source_macs) == (name, 1, None, None)


def test_long_frames_where_the_link_type_has_them(write):
    frame = bytes(3_000_000)
    for link in (231, 279):
        assert pcap.summarize(write(header(link=link, snaplen=0), *[record(frame)] * 3)).sizes == {3_000_000: 3}
    for link in (1, 249):
        with pytest.raises(TrafficgenError, match="corrupt"):
            pcap.summarize(write(header(link=link), record(frame)))
    assert pcap.summarize(write(header(link=249, snaplen=0), record(frame[: 1 << 20]))).sizes == {1 << 20: 1}


@pytest.mark.parametrize("count", [4096, 4097])
def test_many_source_macs(write, count):
    path = write(header(), *(record(udp(64, source=f"02000000{i:04x}")) for i in range(count)))
    macs = pcap.summarize(path, source_macs=True).source_macs
    if count > 4096:
        assert macs is None
    else:
        assert macs == [f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(4096)]


def reference(content, order):
    """The same figures, record by record, with nothing but the format's definition."""
    frames, at = [], 24
    while at < len(content):
        length = struct.unpack_from(order + "I", content, at + 8)[0]
        frames.append(content[at + 16 : at + 16 + length])
        at += 16 + length
    sizes = [len(frame) for frame in frames]
    return {
        "packets": len(frames),
        "bytes": sum(sizes),
        "sizes": {size: sizes.count(size) for size in sorted(set(sizes))},
        "flows": len({flow_key(frame) for frame in frames} - {None}),
        "source_macs": sorted({frame[6:12].hex(":") for frame in frames if len(frame) >= 12}),
        "sha256": hashlib.sha256(content).hexdigest(),
        "file_bytes": len(content),
    }


@pytest.mark.parametrize("seed", range(25))
def test_against_a_reference(write, monkeypatch, seed):
    """Streaks and mixtures of sizes, in blocks that end anywhere."""
    generator = random.Random(seed)
    order = generator.choice("<>")
    monkeypatch.setattr(pcap, "_BLOCK", generator.choice((24, 100, 1000, 4096, 65536, 1 << 20)))
    frames = []
    while len(frames) < 2500:
        size = generator.choice((0, 1, 11, 12, 13, 42, 60, 61, 60 + 256, 1514))
        for _turn in range(generator.choice((1, 2, 7, 9, 10, 80, 1100))):
            frame = udp(max(size, 42), generator.randrange(5), generator.choice(("020000000001", "020000000003")))
            frames.append(frame[:size] if generator.random() < 0.99 else bytes(size))
    path = write(header(order), *(record(frame, order, i) for i, frame in enumerate(frames)))
    summary = pcap.summarize(path, source_macs=True)
    expected = reference(Path(path).read_bytes(), order)
    assert {key: getattr(summary, key) for key in expected} == expected
    assert (summary.first, summary.duration) == ("0.000000", len(frames) - 1)


def test_every_truncation_names_its_offset(write):
    whole = header() + record(udp(60)) + record(udp(44)) * 12
    for length in range(1, len(whole)):
        packets, rest = (0, length - 24) if length < 100 else (1 + (length - 100) // 60, (length - 100) % 60)
        path = write(whole[:length])
        if rest == 0:
            assert pcap.summarize(path).packets == packets
            continue
        with pytest.raises(TrafficgenError) as error:
            pcap.summarize(path)
        if length < 4:
            assert "not a pcap file" in error.value.message
            continue
        assert f"is truncated: it ends at byte offset {length}, " in error.value.message
        if length > 24:
            assert f"starts at byte offset {length - rest} (whole packets before it: {packets})" in error.value.message


@pytest.mark.parametrize("packets", [0, 1, 5, 30, 30000])
def test_corruption_names_its_offset_and_allocates_nothing(write, packets):
    path = write(header(), record(udp(60)) * packets, struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 60), bytes(100))
    tracemalloc.start()
    with pytest.raises(TrafficgenError) as error:
        pcap.summarize(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = (
        f"the record header at byte offset {24 + packets * 76} (good packets before it: {packets}) claims a frame of"
        " 4294967295 bytes"
    )
    assert said in error.value.message
    assert path in error.value.message
    assert peak < 8 << 20


def test_memory_stays_flat(write):
    path = write(header(), record(udp(1000)) * 30000)
    tracemalloc.start()
    pcap.summarize(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        (b"", "is empty: 0 bytes", ""),
        (header()[:23], "it ends at byte offset 23, within the file header", ""),
        (header(version=(2, 5)), "version 2.5 (byte offset 4)", "capinfos"),
        (header(version=(1, 2)), "version 1.2 (byte offset 4)", "capinfos"),
        (bytes.fromhex("0a0d0d0a1c000000"), "pcapng", "`editcap -F nsecpcap IN OUT`"),
        (bytes.fromhex("a1b2cd34"), "modified", "editcap"),
        (bytes.fromhex("34cdb2a1"), "modified", "editcap"),
        (gzip.compress(header(), mtime=0), "gzip", "gzip -dk"),
        (bytes.fromhex("28b52ffd"), "zstd", "zstd -d"),
        (bytes.fromhex("04224d18"), "lz4", "lz4 -d"),
        (bytes.fromhex("fd377a585a00"), "xz", "xz -dk"),
        (b"BZh9", "bzip2", "bzip2 -dk"),
        (b"#!/bin/sh", "its first bytes are 23 21 2f 62", "capinfos"),
    ],
)
def test_files_that_are_no_pcap(write, content, said, remedy):
    with pytest.raises(TrafficgenError) as error:
        pcap.summarize(write(content))
    assert said in error.value.message
    assert remedy in error.value.message


def test_paths_that_are_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to("loop")
    for name, said in {
        "": "is a directory",
        "fifo": "is a FIFO",
        "socket": "is a socket",
        "/dev/zero": "is a character device",
        "missing": "no such file",
        "loop": "cannot be read",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(TrafficgenError, match=said):
            pcap.summarize(str(tmp_path / name))


def test_unreadable_file(write, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    path = write(header())
    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    with pytest.raises(TrafficgenError, match=r"cannot be read: Permission denied\. Give the user read access"):
        pcap.summarize(path)


def test_link_to_a_file(write, tmp_path):
    (tmp_path / "link").symlink_to(write(header()))
    assert pcap.summarize(str(tmp_path / "link")).packets == 0


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_what_is_no_path(path):
    for read in (pcap.summarize, lambda name: pcap.all_tagged(name, 60)):
        with pytest.raises(TrafficgenError, match="is not a path"):
            read(path)


def test_frames_that_are_all_addressed_to_a_station(write):
    mine, all_of_them, other = b"\2\0\0\0\0\2", b"\xff" * 6, b"\2\0\0\0\0\3"
    frame = bytes(54)
    assert pcap.all_addressed_to(
        write(header(), record(mine + frame), record(all_of_them + frame)), "02:00:00:00:00:02"
    )
    assert not pcap.all_addressed_to(write(header(), record(mine + frame), record(other + frame)), "02:00:00:00:00:02")
    assert not pcap.all_addressed_to(write(header(), record(mine[:3])), "02:00:00:00:00:02")


@pytest.mark.parametrize("many", [1, 40])
@pytest.mark.parametrize(
    ("kinds", "said"),
    [("u", "none"), ("q", "all"), ("a", "all"), ("uq", "some"), ("qa", "all"), ("s", "none"), ("sq", "some")],
)
def test_vlan_tags_of_a_capture(write, kinds, said, many):
    """802.1Q's and 802.1ad's, which the kernel takes off alike. What ends before its EtherType has none."""
    macs = b"\2\0\0\0\0\2\2\0\0\0\0\1"
    frames = {
        "u": macs + b"\x08\0" + bytes(46),
        "q": macs + b"\x81\0" + bytes(46),
        "a": macs + b"\x88\xa8" + bytes(46),
        "s": macs,
    }
    path = write(header(), *(record(frames[kind]) for kind in kinds for _number in range(many)))
    assert pcap.summarize(path, source_macs=True).vlan_tagged == said
    assert pcap.summarize(path).vlan_tagged is None
