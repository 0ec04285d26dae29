# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a run: its rates, how it ended, and its errors."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import engine


# On the wire 42 and 60 bytes are 64, and 1514 are 1518 (IEEE 802.3); on the line, 20 more each.
@pytest.mark.parametrize(
    ("files", "given", "packets", "wire"),
    [
        ([[42] * 4], {"loop": 5}, 20, 20 * 64),
        ([[42, 1514]], {"loop": 10}, 20, 10 * (64 + 1518)),
        # Ended within a pass, or before the end of the first one.
        ([[42, 42, 1514, 60]], {"loop": 0, "duration": 1}, 11, 2 * (3 * 64 + 1518) + 2 * 64 + 1518),
        ([[42] * 9 + [1514]], {"limit": 9}, 9, 9 * 64),
        ([[42, 42], [1514, 60, 42]], {"loop": 0, "limit": 8}, 8, (4 * 64 + 1518) + 2 * 64 + 1518),
    ],
)
def test_padding_is_that_of_the_frames_that_were_sent(host, says, pcap_of, files, given, packets, wire):
    pcaps = [pcap_of(sizes, f"{number}.pcap") for number, sizes in enumerate(files)]
    sizes = [size for file in files for size in file]
    size = sum((sizes * packets)[:packets])
    says(packets, size, 1.0)
    rates = host.run(**{"pcaps": pcaps, "link_speed_mbps": 100, "loop": 1, **given}).tree["rates"]
    assert rates["frame_mbps"] == pytest.approx(size * 8 / 1e6)
    assert rates["l2_mbps"] == pytest.approx(wire * 8 / 1e6)
    l1_mbps = pytest.approx((wire + 20 * packets) * 8 / 1e6)
    assert (rates["l1_mbps"], rates["line_rate_percent"]) == (l1_mbps, l1_mbps)  # of 100 Mbit/s
    assert rates["reason"] == ""


@pytest.mark.parametrize(
    ("sizes", "known"), [([60, 78, 1514], True), ([42, 54, 60], False), ([42, 54], True), ([42, 1514], False)]
)
def test_padding_where_frames_were_left_out(host, says, pcap_of, sizes, known):
    # unique_ip leaves out what is not IP: four frames, and not the bytes of the first four.
    says(4, sum(sizes[:3]) + 47, 1.0)
    rates = host.run(pcaps=[pcap_of(sizes)], loop=2, unique_ip=True).tree["rates"]
    assert rates["pps"] == 4 and rates["frame_mbps"] == pytest.approx((sum(sizes[:3]) + 47) * 8 / 1e6)
    assert [rates["l1_mbps"] is not None, rates["reason"] == ""] == [known, known]


def test_the_recorded_speed_is_compared_with_the_frames_that_were_sent(host, says, pcap_of):
    # Frames a second apart: two passes of 4 s, and 2 s of the third.
    host.params |= {"pcaps": [pcap_of([60] * 5)], "topspeed": None, "loop": 0, "duration": 10}

    def reached(**given):
        return host.run(**given).tree["run"]["rate_reached"]

    says(13, 13 * 60, 10.0)
    assert reached() == pytest.approx(1, abs=0.002) and host.warnings == []
    assert reached(multiplier=2.0) == pytest.approx(0.5, abs=0.002)
    assert host.warnings == [
        "The recorded speed, times 2, was missed: 50.0% of it was sent, 5.000 s of the recording in 10.000 s."
    ]
    # It also waits between passes, or no longer than it is told to.
    assert reached(extra_args=["--loopdelay-ms=500"]) == pytest.approx(1.1, abs=0.002)
    assert reached(extra_args=["--maxsleep=500"]) is None
    # Interrupted in the third second of the third pass.
    says(13, 13 * 60, 10.6, " User interrupt...")
    assert reached(duration=20) == 1.0


def test_a_file_that_has_gone_after_the_run_was_opened_before(host, says, pcap_of, monkeypatch):
    pcap = pcap_of([42, 1514])
    says(3, 42 + 1514 + 42, 1.0)
    execute = engine.runs.execute
    monkeypatch.setattr(engine.runs, "execute", lambda *given: (os.unlink(pcap), execute(*given))[1])
    outcome = host.run(pcaps=[pcap], loop=2)
    # 84 bytes of the line's time, 1538 and 84 again.
    assert outcome.error is None and outcome.tree["rates"]["l1_mbps"] == pytest.approx(1706 * 8 / 1e6)


def test_one_frame_has_no_rate(host, says, pcap_of):
    says(1, 60, 0.000021)
    tree = host.run(pcaps=[pcap_of([60])], topspeed=None, pps=10.0, loop=1).tree
    assert tree["stats"]["pps"] == 47619.05
    assert tree["rates"] == {**dict.fromkeys(tree["rates"]), "reason": "One frame has no rate."}
    assert tree["run"]["rate_reached"] is None and host.warnings == []


def test_a_missed_rate_is_a_warning(host, says):
    says(1000, 78000, 1.25)
    assert host.run(topspeed=None, pps=1000.0, loop=100).tree["run"]["rate_reached"] == pytest.approx(0.7992)
    assert host.warnings == ["The rate asked for was missed: 79.9% of it was sent, 800.00 of pps 1000."]


def test_fewer_packets_than_there_are_is_said(host):
    assert host.run(loop=20000).error is None
    assert host.warnings == ["tcpreplay ended by itself after 193533 of 200000 packets."]


def test_a_fatal_error_says_what_to_do_and_keeps_what_was_printed(host, monkeypatch, check_tree):
    monkeypatch.setenv("STAND_IN", "no-ioctl")
    outcome = host.run(injection_method="netmap")
    check_tree(outcome.tree)
    assert outcome.error is not None and "issues/810" in outcome.error.message
    assert (outcome.tree["run"]["exit_status"], outcome.tree["run"]["ended_by"]) == (255, "error")
    assert outcome.tree["stats"]["packets"] is None
    assert outcome.printed is not None and "nm_do_ioctl" in outcome.printed[1]


def test_a_timeout_returns_what_was_sent(host, monkeypatch, check_tree):
    monkeypatch.setenv("STAND_IN", "wait")
    outcome = host.run(timeout=1)
    check_tree(outcome.tree)
    stats = outcome.tree["stats"]
    assert (outcome.error, outcome.tree["run"]["ended_by"]) == (None, "timeout")
    assert (stats["interrupted"], stats["packets"], len(stats["samples"])) == (True, 193533, 1)
    assert any("timeout of 1 s" in warning for warning in host.warnings)


def test_one_that_had_to_be_killed_failed_and_returns_its_samples(host, monkeypatch):
    monkeypatch.setenv("STAND_IN", "deaf")
    monkeypatch.setattr(engine, "_GRACE", 0.2)
    outcome = host.run(timeout=1)
    assert outcome.error is not None and "did not react to SIGINT" in outcome.error.message
    assert (outcome.tree["run"]["ended_by"], outcome.tree["run"]["exit_status"]) == ("timeout", -9)
    assert outcome.tree["stats"]["packets"] == 136261


def test_one_interrupted_before_it_sent_failed(host, program):
    outcome = host.run(timeout=1, executable=program("exec sleep 60"))
    assert outcome.error is not None and "had sent nothing when its timeout of 1 s was over" in outcome.error.message
    assert outcome.tree["run"]["exit_status"] == -2


# What Debian's tcpreplay 4.4.3 prints of a frame of 14 bytes, which it sends.
def test_what_the_flow_statistics_leave_out_is_no_error(host, says, program, stand_in):
    told = "Warning in flows.c:flow_decode() line 199:\\nUnable to process unsupported DLT type: Ethernet (0x1)\\n"
    says(100000, 7800000, 2.01)
    warns = program(f"printf '{told}' >&2\nexec {stand_in} \"$@\"")
    outcome = host.run(loop=0, duration=2, executable=warns)
    assert (outcome.error, outcome.tree["run"]["ended_by"]) == (None, "duration")
    assert any("flow statistics leave out frames" in warning for warning in host.warnings)
