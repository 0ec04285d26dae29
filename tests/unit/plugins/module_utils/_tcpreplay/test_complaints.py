# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _tcpreplay/complaints, on recorded complaints (tests/fixtures/tcpreplay_output.txt) and the texts of netmap
and other versions."""

from __future__ import annotations

import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.complaints import Uncounted, explain
from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED


def recorded(name):
    return RECORDED[f"{name}.stderr"]


@pytest.mark.parametrize(
    ("name", "status", "said", "remedy"),
    [
        ("no_file", 255, "Unable to retrieve information from file nope.pcap: No such file or directory", "path"),
        ("no_interface", 255, "Invalid interface name/alias: nope0", "netns"),
        ("interface_down", 255, "failed to open device snd9: error opening snd9: Network is down", "ip link set"),
        ("no_pcap", 255, "Error opening pcap file: unknown file format", "pcap_info"),
        (
            "short_pcap",
            255,
            "Error opening pcap file: truncated dump file; tried to read 24 file header bytes, only got 0",
            "pcap_info",
        ),
        ("link_type", 255, "Unable to process unsupported DLT type: 802.11 plus radiotap header (0x7f)", "Ethernet"),
        ("not_root", 255, "failed to open device snd0: socket: Operation not permitted", "become"),
        ("without_netmap", 1, "/usr/bin/tcpreplay: illegal option -- netmap", "wirespeed.trafficgen.tcpreplay"),
        (
            "netmap_not_loaded",
            255,
            "Unable to connect to netmap interface netmap:snd0. Ensure netmap module is installed (see INSTALL).",
            "wirespeed.trafficgen.netmap",
        ),
        ("options_conflict", 1, "the 'pps' and 'mbps' options conflict", "extra_args"),
        ("bad_rate", 255, "Unable to parse args: invalid pps value 'abc'", ""),
        ("no_tcpdump", 255, "Unable to execute tcpdump binary: /usr/bin/tcpdump", "tcpdump"),
        # These end with status 0.
        (
            "frame_too_large",
            0,
            "Unable to send packet: Error with PF_PACKET send() [1]: Message too long (errno = 90)",
            "MTU",
        ),
        (
            "frame_too_large_once",
            0,
            "Unable to send packet: Error with PF_PACKET send() [6]: Message too long (errno = 90)",
            "MTU",
        ),
        (
            "link_lost",
            0,
            "Unable to send packet: Error with PF_PACKET send() [947]: Network is down (errno = 100)",
            "ip link set",
        ),
    ],
)
def test_recorded(name, status, said, remedy):
    error = explain(recorded(name), status, on="snd0")
    assert error.on == "snd0"
    assert error.said == said
    assert remedy in error.remedy
    assert error.what
    assert "\n" not in error.message


# As netmap.c, sendpacket.c and send_packets.c write them (a plain build, not a debug one).
@pytest.mark.parametrize(
    ("stderr", "what", "remedy"),
    [
        ("Fatal Error: failed to open device v0: nm_do_ioctl: No such file or directory\n", "netmap", "4.4.2"),
        (
            (
                "Fatal Error: failed to open device v0: Unable to determine the running netmap version.\n"
                "See INSTALL document for details on installing or upgrading netmap.\n"
            ),
            "/dev/netmap",
            "insmod",
        ),
        (
            "Fatal Error: failed to open device v0: Unable to access netmap.\nSee INSTALL to learn\n",
            "/dev/netmap",
            "insmod",
        ),
        (
            (
                "Fatal Error: failed to open device v0: Failure accessing netmap.\n\tRequest for netmap version 14"
                " failed.\n\tCompiled netmap driver is version 14.\n\tError=Device or resource busy\n"
            ),
            "another program",
            "fuser",
        ),
        (
            (
                "Fatal Error: failed to open device v0: Failure accessing netmap.\n\tRequest for netmap version 14"
                " failed.\n\tCompiled netmap driver is version 11.\n\tError=Invalid argument\n"
            ),
            "refused",
            "dmesg",
        ),
        (
            "failed!\n\nFatal Error: failed to open device v0: interface v0 is not running - check cables\n",
            "link",
            "netmap_delay",
        ),
        ("\nFatal Error:\n--netmap feature was not compiled in. See INSTALL.\n", "without netmap", "pf_packet"),
        ("/usr/bin/tcpreplay: illegal option -- xdp\nUsage: ...\n", "AF_XDP", "4.5.0"),
        ("/usr/bin/tcpreplay: illegal option -- foo\nUsage: ...\n", "option", "extra_args"),
        ("ERROR in preload.c:f() line 45: Unable to malloc() 9000000000 bytes/n", "memory", "preload"),
        ("Warning: Unable to send packet: Giving up after 1000000 retries on EAGAIN/ENOBUFS\n", "queue", "rate"),
        (
            "Warning: WARNING: eth1 has no carrier (cable unplugged or link down). Packets will appear\n",
            "carrier",
            "cable",
        ),
    ],
)
def test_texts_of_other_builds(stderr, what, remedy):
    error = explain(f"File Cache is enabled\n\n{stderr}", 255)
    assert what in error.what
    assert remedy in error.remedy
    assert error.said in " ".join(stderr.split())


# Debian's 4.4.3, of frames of 8 and 14 bytes, and of a record whose length on the line is 0.
UNCOUNTED = "Warning in flows.c:flow_decode() line 199:\nUnable to process unsupported DLT type: Ethernet (0x1)\n"
REFUSED = (
    "Warning in send_packets.c:send_packets() line 489:\n"
    "Unable to send packet: Error with PF_PACKET send() [3]: Invalid argument (errno = 22)\n"
)


def test_a_short_frame_is_not_told_as_a_link_type():
    error = explain(UNCOUNTED + REFUSED, 0)
    assert "the kernel refused a frame, as it does one shorter than an Ethernet header" in error.what
    assert "link type" not in error.message
    error = explain(UNCOUNTED, 0)
    assert isinstance(error, Uncounted)
    assert "end within their Ethernet header" in error.what and "The frames are sent" in error.remedy
    assert "printed no statistics" in explain(UNCOUNTED, 0, nothing_sent=True).what
    assert "MTU" in explain(UNCOUNTED + recorded("frame_too_large"), 0).remedy
    error = explain(
        "safe_pcap_next ERROR: Invalid packet length in send_packets.c:get_next_packet() line 1041: packet length=0"
        " capture length=47\n",
        255,
    )
    assert "a packet has a length at which tcpreplay stops" in error.what


def test_the_remedy_for_a_link_type_is_not_the_broken_version():
    remedy = explain(recorded("link_type"), 255).remedy
    assert "4.5.0 or later" in remedy and "--enet-dmac" in remedy and "4.4.0 to 4.4.4" in remedy


@pytest.mark.parametrize("name", ["interrupted", "interrupted_stats", "loopback", "under_a_second"])
def test_no_error_of_a_good_run(name):
    assert explain(recorded(name), 0) is None


def test_an_interrupt_is_no_error():
    assert explain(" User interrupt...\nWarning: Unable to send packet: User abort\n", 0) is None


def test_nothing_sent_and_nothing_said():
    error = explain("File Cache is enabled\n", 0, nothing_sent=True)
    assert "sent nothing" in error.what
    assert "pcap_info" in error.remedy


def test_ended_by_a_signal():
    error = explain("", -9)
    assert "SIGKILL" in error.what
    assert "memory" in error.remedy
    assert "SIGSEGV" in explain("", -11).what
    assert "signal 99" in explain("", -99).what


def test_an_unknown_complaint_is_quoted():
    error = explain("\nFatal Error in x.c:f() line 12:\n The moon is\n in the wrong phase\n", 255)
    assert error.message == "tcpreplay: tcpreplay ended with exit status 255: The moon is in the wrong phase."
    assert explain("something\nodd\n\n", 3).said == "odd"
    assert "did not say" in explain("", 3).message


def test_a_warning_for_every_frame():
    warning = (
        "Warning in send_packets.c:send_packets() line 489:\nUnable to send packet: Error with PF_PACKET send() [{}]:"
        " odd\n"
    )
    flood = "".join(warning.format(number) for number in range(20000))
    started = time.process_time()
    assert explain(flood + recorded("no_file"), 255).said.endswith("No such file or directory")
    assert explain("Fatal Error in " * 100000, 255).said
    assert explain("TX ring on " * 100000 + "From " * 100000, 255)
    assert time.process_time() - started < 1
