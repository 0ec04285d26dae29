# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hostile or broken input may cost: a megabyte of noise less than a second, a frame of four gigabytes that is not
there nothing."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter, nftables
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import names, netlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import MAX_SNAPLEN
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import all_tagged, summarize
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import request as replay_request
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import (
    complaints,
    output,
    request,
    versions,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import sizes, values

MEGABYTE = 1 << 20
SECONDS = 1.0  # of this process's own time, so that a busy machine changes nothing


def repeated(text, size=MEGABYTE):
    return (text * (size // len(text) + 1))[:size]


def random_bytes():
    return random.Random(1).randbytes(MEGABYTE)


# What nearly matches: a pattern that starts over at each of its places, and each time reads far, would take for ever.
NOISE = {
    "random": random_bytes().decode("utf-8", "backslashreplace")[:MEGABYTE],
    "random, as Latin-1": random_bytes().decode("latin-1"),
    "digits": repeated("1234567890"),
    "zeros": repeated("0"),
    "spaces": repeated(" "),
    "line ends": repeated("\n"),
    "carriage returns": repeated("\r\n"),
    "escapes": repeated("\x1b"),
    "CSI": repeated("\x1b[0;1;2"),
    "OSC": repeated("\x1b]0;title"),
    "one open OSC": "\x1b]" + repeated("x"),
    "Actual": repeated("Actual: "),
    "Actual with digits": repeated(
        "Actual: 12345678901234567890 packets (12345678901234567890 bytes) sent in 12345678901234567890.123456 "
    ),
    "Actual, wide": repeated("Actual:" + " " * 40 + "1" * 20 + " " * 40),
    "whole lines, no pair": repeated("Actual: 1 packets (60 bytes) sent in 0.01 seconds\n"),
    "whole pairs": repeated("Actual: 1 packets (60 bytes) sent in 0.01 seconds\nRated: 1.0 Bps, 0.01 Mbps, 1.00 pps\n"),
    "Rated": repeated("Rated: 10628358.1 Bps, 85.02 Mbps, "),
    "Flows": repeated("Flows: 1 flows, 1 unique, 1 expired, "),
    "lines of a result": '"stdout": "" ' + repeated('"stdout_lines": ["a", '),
    "one line of a result": '"stdout": "" "stdout_lines": ["' + repeated("\\"),
    "spaces in a result": '"stdout": "" "stdout_lines": [' + repeated(" "),
    "devices": repeated("Statistics for network device: v0\n"),
    "counters": repeated("Successful packets: \nRetried packets (ENOBUFS): "),
    "Warning": repeated("Warning in send_packets.c:foo line 1: "),
    "Warning in": repeated("Warning in "),
    "Switching": repeated("Switching network driver for "),
    "Failed": repeated("Failed in "),
    "Failed write attempts": repeated("Failed write attempts: "),
    "Fatal Error": repeated("Fatal Error in a.c:b() line 5:"),
    "Failure": repeated("Failure accessing netmap."),
    "Error opening": repeated("Error opening pcap file: "),
    "TX ring": repeated("TX ring on "),
    "From": repeated("From a.c line 5:\n"),
    "version": repeated("tcpreplay version: 4.4.2"),
    "method": repeated("Optional injection method: "),
    "option": repeated("name: on [requested on] "),
    "indented": repeated("  \t  "),
    "long name": repeated("a-b_c") + ": on",
    "colons": repeated(":"),
    "commas": repeated(","),
    "ranges": repeated("0-99999,"),
    "pairs of digits": repeated("00:"),
    "flags": "-" + repeated("v"),
    "dashes": repeated("-"),
    "words": repeated("--quiet\n"),
    "abbreviations": repeated("--e\n"),
    "unknown words": repeated("--a\n"),
    "values": repeated("-T\nnano\n"),
    "attributes": repeated("\4\0\1\0"),
}
READERS = {
    "tcpreplay's output": lambda text: (output.parse(text, text), output.last_measures(text)),
    "tcpreplay's complaints": lambda text: (complaints.explain(text, 1), complaints.explain(text, 0)),
    "tcpreplay's version": versions.parse_version,
    "netlink": lambda text: list(netlink.messages(text.encode("utf-8", "surrogateescape"))),
    "netlink's attributes": lambda text: netlink.attributes(text.encode("utf-8", "surrogateescape")),
    "nftables": lambda text: nftables.parse_rules([text.encode("utf-8", "surrogateescape")]),
    "extra_args": lambda text: request.check_extra_args(text.split("\n")),
    "extra_args, one word": lambda text: request.check_extra_args([text]),
    "cpu_list": lambda text: replay_request.parse_cpus(text, frozenset()),
    "interface": lambda text: names.check_interface(text, "interface"),
    "netns": lambda text: names.check_netns(text, "netns"),
    "a number of a spec": lambda text: values.number_range(text, 16, "field", int),
    "an address of a spec": lambda text: values.address_range(text, 4, "field"),
    "an IPv6 address of a spec": lambda text: values.address_range(text, 6, "field"),
    "a MAC of a spec": lambda text: values.mac_range(text, "field"),
    "a size": lambda text: sizes.size_cycle(text, "wire"),
    "a MAC to count": frame_counter.normal_mac,
}


def seconds_of(work):
    started = time.process_time()
    try:
        work()
    except (TrafficgenError, ValueError) as error:
        # A ValueError of number_range's is that of its reader of names, which here is int().
        assert (
            isinstance(error, TrafficgenError) or "invalid literal" in str(error) or "Exceeds the limit" in str(error)
        )
        assert not isinstance(error, TrafficgenError) or len(error.message) < 8000
    return time.process_time() - started


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_of_noise_costs_less_than_a_second(reader):
    costs = {kind: seconds_of(lambda text=text: READERS[reader](text)) for kind, text in NOISE.items()}
    worst = max(costs, key=costs.get)
    assert costs[worst] < SECONDS, f"{worst}: {costs[worst]:.2f} s"


def test_many_weights_are_refused_in_time():
    weights = [{"size": size, "weight": size % 2 + 1} for size in range(1, 33000)]
    assert seconds_of(lambda: sizes.size_cycle({"weights": weights}, "frame")) < SECONDS
    with pytest.raises(TrafficgenError, match="32999 weights add up to 49499"):
        sizes.size_cycle({"weights": weights}, "frame")
    # As many that are alike take turns.
    alike = [{"size": size, "weight": 2} for size in range(1, 20001)]
    assert sizes.size_cycle({"weights": alike}, "frame") == list(range(1, 20001)) * 2


HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
ETHER = bytes.fromhex("020000000002020000000001")
IPV6 = bytes.fromhex("86dd6000000000000040") + bytes(32)


def record(frame):
    return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame


def headers_only(header, start):
    """Frames of a megabyte in all that are made of nothing but headers, each of another length."""
    return b"".join(record(ETHER + start + header * (size // len(header))) for size in range(262000, 261600, -100))


PCAP_NOISE = {
    "random": random_bytes(),
    "random records": HEADER + random_bytes(),
    "records without a byte": HEADER + bytes(MEGABYTE),
    "records of all sizes": HEADER + b"".join(record(random.Random(size).randbytes(size)) for size in range(1400)),
    "small frames, all different": (
        HEADER + b"".join(record(struct.pack("<I", number) * 3 + b"\x08\x00E") for number in range(34000))
    ),
    "VLAN tags": HEADER + headers_only(b"\x81\x00\x00\x00", b""),
    "MPLS labels": HEADER + headers_only(b"\x00\x00\x00\x40", b"\x88\x47"),
    "pseudowires": HEADER + headers_only(b"\x00\x00\x01\x40" + bytes(4) + ETHER + b"\x88\x47", b"\x88\x47"),
    "extension headers": HEADER + headers_only(bytes(8), IPV6),
    "fragment headers": (
        HEADER + headers_only(bytes.fromhex("2c00000000000000"), IPV6.replace(b"\x00\x40", b"\x2c\x40"))
    ),
}


@pytest.mark.parametrize("kind", PCAP_NOISE)
def test_a_megabyte_of_pcap_costs_less_than_a_second(kind, tmp_path):
    path = tmp_path / "noise.pcap"
    path.write_bytes(PCAP_NOISE[kind])
    assert seconds_of(lambda: summarize(str(path), source_macs=True)) < SECONDS
    assert seconds_of(lambda: all_tagged(str(path), 60)) < SECONDS


def peak(work):
    """Bytes that were allocated at once."""
    tracemalloc.start()
    try:
        work()
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("snaplen", (65535, MAX_SNAPLEN, 0xFFFFFFFF, 0))
@pytest.mark.parametrize("link", (1, 101, 231))  # D-Bus's frames may have 128 MB
@pytest.mark.parametrize("claimed", (0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFFF, 128 << 20))
def test_a_frame_of_gigabytes_that_is_not_there_takes_no_memory(tmp_path, order, snaplen, link, claimed):
    path = tmp_path / "huge.pcap"
    good = struct.pack(order + "IIII", 0, 0, 60, 60) + bytes(60)
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)
    path.write_bytes(
        head + good + struct.pack(order + "IIII", 0, 0, claimed, claimed) + bytes(12) + b"\x81\x00" + bytes(86)
    )

    def read():
        with pytest.raises(TrafficgenError, match=r"is corrupt|is truncated") as caught:
            summarize(str(path), source_macs=True)
        assert "byte offset 100" in caught.value.message
        assert all_tagged(str(path), 60) is True  # it has a tag, and is skipped

    # Twice the block that the reader keeps, however large the file is.
    assert peak(read) < 4 << 20


def test_a_pcapng_that_claims_gigabytes_takes_no_memory(tmp_path):
    path = tmp_path / "huge.pcapng"
    path.write_bytes(
        struct.pack("<IIIHHq", 0x0A0D0D0A, 0xFFFFFFFC, 0x1A2B3C4D, 1, 0, -1)
        + struct.pack("<II", 6, 0xFFFFFFF0)
        + bytes(50)
    )

    def read():
        for reader in (summarize, lambda name: all_tagged(name, 60)):
            with pytest.raises(TrafficgenError, match="pcapng"):
                reader(str(path))

    assert peak(read) < 4 << 20
