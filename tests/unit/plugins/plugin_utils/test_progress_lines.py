# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lines shown while a run lasts. The rates are those of RFC 5180 (appendix A.2: 10 Gb/s Ethernet)."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._progress_lines import (
    Pace,
    Report,
    Sample,
    interval,
    line,
    parse,
    span,
)

# 64-byte wire frames, 60 bytes in the pcap, at line rate.
FULL = Sample(packets=14880952 * 10, bytes=14880952 * 10 * 60, seconds=10.0)


def test_a_line_tells_the_rate_since_the_one_before():
    assert (
        line("gen1", Report(10.3, 50.2, FULL), Sample())
        == "sending: [gen1] => 10 s, 14880952 pps, 10000.0 L1 Mbps, about 50 s left"
    )
    half = Sample(FULL.packets + 14880952 // 2 * 5, FULL.bytes + 14880952 // 2 * 5 * 60, 15.0)
    assert (
        line("gen1", Report(15.1, 45, half), FULL)
        == "sending: [gen1] => 15 s, 7440476 pps, 5000.0 L1 Mbps, about 45 s left"
    )


def test_a_padded_frame_fills_the_line_like_one_of_64():
    # 42 bytes in the pcap, 64 on the wire (IEEE 802.3).
    sample = Sample(packets=14880952 * 10, bytes=14880952 * 10 * 42, seconds=10.0)
    assert (
        line("gen1", Report(10.3, None, sample, 18.0), Sample())
        == "sending: [gen1] => 10 s, 14880952 pps, 10000.0 L1 Mbps"
    )
    # Of 42 and 102 bytes the mean is 72, and 84 and 126 bytes' time on the line.
    mixed = Sample(packets=10**7, bytes=10**7 * 72, seconds=10.0)
    assert (
        line("gen1", Report(10.3, None, mixed, 9.0), Sample()) == "sending: [gen1] => 10 s, 1000000 pps, 840.0 L1 Mbps"
    )


def test_what_is_not_known_is_left_out():
    assert line("gen1", Report(10, None, None), Sample()) == "sending: [gen1] => 10 s"
    assert line("gen1", Report(10, 5, None), Sample()) == "sending: [gen1] => 10 s, about 5 s left"
    # No sample since the last line.
    assert line("gen1", Report(20, None, FULL), FULL) == "sending: [gen1] => 20 s"
    # A sample says that nothing was sent.
    assert (
        line("gen1", Report(15, None, Sample(FULL.packets, FULL.bytes, 15.0)), FULL)
        == "sending: [gen1] => 15 s, 0 pps, 0.0 L1 Mbps"
    )


def test_times():
    assert [span(seconds) for seconds in (0.4, 99.4, 99.6, 3599, 5999, 6000, 7325)] == [
        "0 s",
        "99 s",
        "1 min 40 s",
        "59 min 59 s",
        "99 min 59 s",
        "1 h 40 min",
        "2 h 2 min",
    ]


@pytest.mark.parametrize(
    ("printed", "report"),
    [
        ('{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": null}\n', Report(3.0, None, None)),
        (
            (
                'Hello\n{"trafficgen_progress": 1, "elapsed": 3, "left": 4.5, "sample": {"packets": 1, "bytes": 60,'
                ' "seconds": 1}}\r\nBye\n'
            ),
            Report(3, 4.5, Sample(1, 60, 1.0)),
        ),
        (
            '{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": null, "padding": 18.0}',
            Report(3.0, None, None, 18.0),
        ),
        ('{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": null, "padding": "18"}', None),
        ("", None),
        ("cat: progress: No such file or directory\n", None),
        ('{"elapsed": 3.0, "left": null, "sample": null}', None),
        ('{"trafficgen_progress": 1, "elapsed": "\x1b[2J", "left": null, "sample": null}', None),
        ('{"trafficgen_progress": 1, "elapsed": NaN, "left": null, "sample": null}', None),
        ('{"trafficgen_progress": 1, "elapsed": -1, "left": null, "sample": null}', None),
        ('{"trafficgen_progress": 1, "elapsed": 3.0, "left": true, "sample": null}', None),
        ('{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": [1]}', None),
        (
            (
                '{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": {"packets": 1, "bytes": null,'
                ' "seconds": 1.0}}'
            ),
            None,
        ),
        ('{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sa', None),
    ],
)
def test_parse(printed, report):
    assert parse(printed) == report


def test_the_setting():
    assert [interval(setting) for setting in (None, 0, "5", 2.5)] == [None, 0.0, 5.0, 2.5]
    for wrong in ("soon", "", -1, "nan", "inf", True, [5]):
        with pytest.raises(ValueError, match="not a number of seconds"):
            interval(wrong)


def shown(pace, seconds, known=True, every=1.0):
    """When lines were shown in a run of this many seconds, with reports up to a second late."""
    at, lines = 0.0, []
    while (at := at + pace.wait) < seconds:
        elapsed = at // every * every
        if pace.due(Report(elapsed, seconds - elapsed if known else None, None)):
            lines.append(round(elapsed))
    return lines


def test_a_run_of_a_few_seconds_shows_none():
    assert shown(Pace(None, terminal=True), 4.9) == []
    assert shown(Pace(None, terminal=False), 29) == []
    # Nor is there one at its very end.
    assert shown(Pace(None, terminal=True), 5.5, every=0.1) == []


def test_a_line_every_few_seconds():
    assert shown(Pace(None, terminal=True), 28) == [5, 10, 15, 20, 25]
    assert shown(Pace(None, terminal=False), 100) == [30, 60, 90]
    # If the user says how often, that also holds in a log.
    assert shown(Pace(10.0, terminal=False), 35) == [10, 20, 30]
    assert shown(Pace(0.1, terminal=True), 3.5) == [1, 2]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seconds", [60, 100, 600, 3600, 86400])
def test_no_flood(seconds, known):
    assert 3 <= len(shown(Pace(None, terminal=True), seconds, known)) <= 20 + (0 if known else 5)
    assert 1 <= len(shown(Pace(None, terminal=False), seconds, known)) <= 5 + (0 if known else 7)
    # Many hosts together show at most one line a second.
    assert len(shown(Pace(None, terminal=True, hosts=50), seconds, known)) <= seconds / 50


def test_the_end_may_come_later_than_was_thought():
    pace = Pace(None, terminal=True)
    lines = [at for at in range(1, 3600) if pace.due(Report(at, max(0.0, 10.0 - at) or None, None))]
    assert lines[:2] == [5, 10]
    assert len(lines) <= 20
