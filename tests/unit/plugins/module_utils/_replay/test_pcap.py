# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what is refused, and what is said about a pcap, before its first frame is sent."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import summarize
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.pcap import ETHERNET_REMEDY, check_pcap

FRAME = bytes.fromhex("0200000000020200000000010800") + bytes(46)
IPV4 = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 48, 1, 0, 64, 17, 0, b"\xc6\x12\0\1", b"\xc6\x12\0\2") + bytes(28)


@pytest.fixture
def warnings_of(tmp_path):
    """What is said about a pcap with these records: (frame, bytes on the line, second)."""

    def warnings_of(*records, snaplen=65535, link=1, recorded_speed=False):
        path = tmp_path / "one.pcap"
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link))
            for frame, original, second in records:
                file.write(struct.pack("<IIII", second, 0, len(frame), original) + frame)
        return check_pcap(summarize(str(path)), recorded_speed=recorded_speed)

    return warnings_of


def test_nothing_is_told_of_a_usual_pcap(warnings_of):
    assert warnings_of((FRAME, 60, 0), (FRAME, 60, 1), recorded_speed=True) == []


# tcpreplay 4.4.3 on Linux 6.18: "Unable to send packet: Error with PF_PACKET send() [3]: Invalid argument (errno = 22)"
# for 1 to 13 bytes; 14 are sent. At 0 bytes it exits.
@pytest.mark.parametrize("size", [1, 8, 13])
def test_a_frame_that_ends_within_its_header(warnings_of, size):
    with pytest.raises(TrafficgenError) as error:
        warnings_of((FRAME, 60, 0), (FRAME[:size], size, 1))
    assert (
        f"has 1 of 2 packets shorter than an Ethernet header (14 bytes), the shortest of {size}, which cannot be sent"
        in error.value.message
    )
    assert "tshark -r IN -Y 'frame.cap_len >= 14 && frame.len >= 14'" in error.value.remedy


def test_a_frame_that_is_a_header_alone_is_sent(warnings_of):
    assert warnings_of((FRAME[:14], 14, 0)) == []


@pytest.mark.parametrize("record", [(b"", 60, 0), (FRAME[:47], 0, 0)])
def test_a_frame_of_no_bytes(warnings_of, record):
    with pytest.raises(TrafficgenError, match="has 1 of 1 packets of 0 bytes, which cannot be sent"):
        warnings_of(record)


def test_frames_cut_by_the_files_snaplen(warnings_of):
    (text,) = warnings_of((FRAME, 60, 0), (FRAME[:40], 40, 1), snaplen=48)
    assert "1 of 2 packets are cut by the snaplen of the file's header, 48 bytes, and sent so. `mergecap" in text
    with pytest.raises(
        TrafficgenError, match=r"snaplen in its header is 13, .* less than an Ethernet header\. `mergecap"
    ):
        warnings_of((FRAME, 60, 0), snaplen=13)


def test_frames_cut_by_the_capture(warnings_of):
    texts = warnings_of((FRAME, 60, 0), (FRAME[:40], 60, 1), snaplen=48)
    assert ["cut by the snaplen" in text for text in texts] == [True, False]
    assert "1 of 2 packets were cut when they were captured" in texts[1]


def test_more_bytes_than_there_were(warnings_of):
    (text,) = warnings_of((FRAME, 50, 0), (FRAME, 60, 1))
    assert "of 1 of 2 packets the file holds more bytes than they had on the line; these are left out" in text


# safe_pcap_next() of src/common/utils.c exits at more.
def test_a_length_that_is_not_sent(warnings_of):
    warnings_of((FRAME, 262144, 0))
    with pytest.raises(TrafficgenError, match="had 262145 bytes on the line; the most that is sent is 262144"):
        warnings_of((FRAME, 60, 0), (FRAME, 262145, 0))


def test_a_captured_fcs(warnings_of):
    (text,) = warnings_of((FRAME + bytes(4), 64, 0), link=0x24000001)
    assert "its frames end in their FCS of 4 bytes" in text and "`tcprewrite --efcs -i IN -o OUT`" in text
    assert warnings_of((FRAME, 60, 0), link=0x04000001) == []


def test_time_that_goes_back(warnings_of):
    records = [(FRAME, 60, second) for second in (0, 50, 1, 2, 1)]
    (text,) = warnings_of(*records, recorded_speed=True)
    assert "time goes back 2 times in it; there is no wait there" in text
    assert warnings_of(*records) == []  # a rate was asked for


# tcprewrite --dlt=enet of 4.4.3 makes the first and the third of raw IP and NULL (shared by all of 4.4.0 to 4.4.4),
# without an error.
@pytest.mark.parametrize("before", [b"", b"\2\0\0\0", bytes.fromhex("00000000000002000000000100000800")])
def test_packets_that_claim_to_be_ethernet(warnings_of, before):
    (text,) = warnings_of(*[(before + IPV4, len(before) + 48, 0)] * 20)
    assert "its link type is Ethernet, but every frame is an IP packet without an Ethernet header" in text
    assert ETHERNET_REMEDY in text
    assert warnings_of((before + IPV4, len(before) + 48, 0), (FRAME, 60, 0)) == []
    assert warnings_of((FRAME[:14] + IPV4, 62, 0)) == []


def test_the_remedy_for_other_link_types_names_what_does_it_right(warnings_of):
    with pytest.raises(TrafficgenError) as error:
        warnings_of((IPV4, 48, 0), link=101)
    assert "its link type is RAW, not Ethernet" in error.value.message
    for needed in ("4.5.0 or later", "--enet-dmac=MAC --enet-smac=MAC", "4.4.0 to 4.4.4 write garbage"):
        assert needed in error.value.remedy
