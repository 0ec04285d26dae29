# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the pcaps of this target into the folder argv[1], and broken ones."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])


def header(link_type: int = 1, snaplen: int = 65535) -> bytes:
    """A pcap's first 24 bytes."""
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link_type)


def ip_header(length: int, source: bytes, destination: bytes) -> bytes:
    """IPv4 with its checksum: a bridge with br_netfilter drops it with a wrong one."""
    words = struct.pack(">BBHHHBB2x4s4s", 0x45, 0, length, 0, 0, 64, 17, source, destination)
    total = sum(struct.unpack(">10H", words))
    total = (total & 0xFFFF) + (total >> 16)
    return words[:10] + struct.pack(">H", 0xFFFF - ((total & 0xFFFF) + (total >> 16))) + words[12:]


def frames(count: int, size: int, source: int, gap: float = 0.0, mac: str = "0200000000") -> bytes:
    """UDP to one port after the other, ``gap`` seconds apart, without UDP's checksum; ``mac``: how the source MAC
    address begins."""
    records = []
    for number in range(count):
        at = number * gap
        ethernet = bytes.fromhex("020000000002") + bytes.fromhex(mac) + bytes([source]) + b"\x08\x00"
        ip = ip_header(size - 14, bytes([198, 18, 0, source]), bytes([198, 18, 0, 2]))
        udp = struct.pack(">HHHH", 1024, 1025 + number, size - 34, 0)
        frame = (ethernet + ip + udp).ljust(size, b"\0")
        records.append(struct.pack("<IIII", int(at), round(at % 1 * 1e6), size, size) + frame)
    return b"".join(records)


def record(size: int, original: int, at: float = 1.0) -> bytes:
    """A frame of which ``size`` bytes are in the file, and ``original`` were on the line."""
    ethernet = bytes.fromhex("0200000000020200000000010800")
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), size, original) + ethernet.ljust(size, b"\0")[:size]


FOLDER.mkdir(exist_ok=True)
for name, content in {
    "small.pcap": header() + frames(1000, 60, 1),
    "large.pcap": header() + frames(100, 1514, 3),
    "recorded.pcap": header() + frames(20, 60, 1, gap=0.1),  # 1.9 s
    # One of ten comes from a multicast address, as in captures of fuzzers.
    "odd.pcap": header() + frames(1, 60, 6, mac="0102030405") + frames(9, 60, 1),
    "too_large.pcap": header() + frames(10, 2000, 1),
    # 1515 to 1518 bytes need a VLAN tag.
    "one_too_large.pcap": header() + frames(1, 60, 1) + frames(1, 1515, 1) + frames(1, 60, 1),
    "empty.pcap": header(),
    "no_bytes.pcap": b"",
    "cut.pcap": header() + frames(10, 60, 1)[:-7],
    "text.pcap": b"This is not a pcap, and it is long enough to hold a header of one.\n",
    "snaplen.pcap": header(snaplen=96) + frames(15, 1000, 1),
    "surplus.pcap": header() + record(200, 120) * 40,
    "fcs.pcap": header(0x24000001) + frames(10, 64, 1),
    "back.pcap": header() + b"".join(record(60, 60, at) for at in (1.0, 1.1, 2.5, 1.2)),
    "header_alone.pcap": header() + record(14, 14) * 5,
    "bare_ip.pcap": (
        header() + struct.pack("<IIII", 0, 0, 48, 48) + ip_header(48, b"\xc6\x12\0\1", b"\xc6\x12\0\2") + bytes(28)
    ),
    "short.pcap": header() + record(60, 60) * 10 + record(8, 8),
    "no_length.pcap": header() + record(47, 0),
    "giant.pcap": header() + record(60, 262145),
    "raw.pcap": header(101) + frames(10, 60, 1),
}.items():
    (FOLDER / name).write_bytes(content)
