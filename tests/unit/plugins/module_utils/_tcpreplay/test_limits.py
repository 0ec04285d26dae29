# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run should take, and what it must not ask for."""

from __future__ import annotations

import contextlib
import math

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import limits
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import Traffic
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.outcome import how_it_ended
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import limits as own_limits
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import parse_request
from ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay import ARGUMENT_SPEC

DEFAULTS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
# The first user's file: 64511 frames of 78 bytes.
SCAN = Traffic(packets=64511, bytes=64511 * 78, wire_bytes=64511 * 82, seconds=0.0, largest=78, longest_file=64511)
RELEASE = (4, 4, 2)


def request(**params):
    return parse_request({**DEFAULTS, "pcaps": ["/scan.pcap"], "interface": "ens17", **params})


def plan(asked, traffic=SCAN):
    value = True if asked.rate_form == "topspeed" else asked.rate
    return plan_rate(asked.rate_form, value, traffic.size, None)


@pytest.mark.parametrize(
    ("method", "frame", "ring", "least", "most"),
    # least: what was seen in flight behind a tbf of 1 Mbit/s (veth, wmem_default 212992); most: what the buffer can
    # hold
    [
        ("pf_packet", 60, None, 163, 278),
        ("pf_packet", 1514, 512, 64, 141),
        ("netmap", 60, 256, 256, 256),
        ("netmap", 60, None, 4096, 4096),
        ("af_xdp", 60, 512, 2560, 2560),
    ],
)
def test_frames_in_flight(method, frame, ring, least, most):
    assert least <= own_limits.in_flight(method, frame, ring, 212992) <= most


TEN, MILLION = Traffic(10, 1000, 1040, 4.0, 100, 10), (10**6, 10**8, 104 * 10**6)
THOUSAND = {"pps": 1000.0, "preload": False}


@pytest.mark.parametrize(
    ("params", "traffic", "seconds"),
    [
        # 64511 * 5000 frames of 78 bytes at 1000 Mbit/s: 201.27 s, as the first user's run took; and preloading them.
        ({"mbps": 1000.0, "loop": 5000}, SCAN, 64511 * 5000 / 500_000 + 64511 / 200_000),
        ({**THOUSAND, "loop": 2}, SCAN, 129.022),
        ({**THOUSAND, "loop": 0, "limit": 5000}, SCAN, 5.0),
        ({**THOUSAND, "loop": 0, "duration": 7}, SCAN, 7.0),
        ({**THOUSAND, "duration": 100}, SCAN, 64.511),
        ({**THOUSAND, "injection_method": "netmap"}, SCAN, 64.511 + 1 + 2 * 6),
        ({**THOUSAND, "loop": 3, "extra_args": ["--loopdelay-ms=500"]}, SCAN, 3 * 64.511 + 1.5),
        ({"preload": False, "loop": 3}, TEN, 12.0),
        ({"preload": False, "loop": 3, "multiplier": 0.5}, TEN, 24.0),
        # A recording without intervals is sent as fast as possible. So is one whose time goes backwards.
        ({"preload": False}, Traffic(*MILLION, 0.0, 100, 10**6), 2.0),
        ({"preload": False}, Traffic(*MILLION, -5.0, 100, 10**6), 2.0),
        ({"topspeed": True}, SCAN, math.inf),
        # At top speed the clock is looked at between files: 10 s, and one more pass at 10000 a second.
        ({"topspeed": True, "loop": 0, "duration": 10, "preload": False}, SCAN, 10 + 6.4511),
        ({"preload": False, "loop": 0, "duration": 3, "extra_args": ["--include=1-5"]}, SCAN, 3.0),
    ],
)
def test_how_long_a_run_should_take(params, traffic, seconds):
    asked = request(**params)
    assert own_limits.start_to_end(asked, plan(asked, traffic), traffic, 6) == pytest.approx(seconds)


def test_the_default_timeout():
    assert [limits.default_timeout(expected) for expected in (10, 7200, math.inf)] == [45, 10830, 3600]


def test_starts():
    limits.check_start(None, 1000.0, 10)
    limits.check_start(1005.0, 1000.0, 10)
    with pytest.raises(TrafficgenError, match=r"start_at 999.500: is over since 0.5 s"):
        limits.check_start(999.5, 1000.0, 10)
    with pytest.raises(TrafficgenError, match=r"is 11 s away, further than timeout \(10 s\)"):
        limits.check_start(1011.0, 1000.0, 10)


@pytest.mark.parametrize(
    ("size", "tagged", "mtu", "method", "refused"),
    [
        (1514, False, 1500, "auto", False),
        (1515, False, 1500, "auto", True),
        (1518, True, 1500, "auto", False),
        (1519, True, 1500, "auto", True),
        (9014, False, 9000, "pf_packet", False),
        (2048, False, 1500, "netmap", False),
        (2049, False, 9000, "netmap", True),
    ],
)
def test_frames_that_are_too_large(size, tagged, mtu, method, refused):
    asked = request(injection_method=method)
    traffic = Traffic(1, size, size + 4, 0.0, size, 1)
    with pytest.raises(TrafficgenError, match=f"{size}") if refused else contextlib.nullcontext():
        if method == "netmap":
            own_limits.check_buffers(asked, traffic)
        else:
            limits.check_frames(asked, traffic, mtu, tagged=tagged)


def test_what_does_not_fit_into_the_memory():
    ten_million = Traffic(10**7, 78 * 10**7, 82 * 10**7, 0.0, 78, 10**7)
    said = "preload: would take 6700 MB of memory for 10000000 packets, and 6000 MB are available"
    with pytest.raises(TrafficgenError, match=said):
        own_limits.check_memory(request(), ten_million, 6 * 10**9)
    own_limits.check_memory(request(), ten_million, 7 * 10**9)
    own_limits.check_memory(request(), ten_million, None)
    own_limits.check_memory(request(preload=False), ten_million, 10**6)
    # With files that are in memory, too.
    own_limits.check_memory(request(workers=2, topspeed=True), ten_million, 7 * 10**9, 10**8)
    with pytest.raises(TrafficgenError, match=r"workers 2: would take 7640 MB .* Let TMPDIR name a folder on a disk"):
        own_limits.check_memory(request(workers=2, topspeed=True), ten_million, 7 * 10**9, 940 * 10**6)
    with pytest.raises(TrafficgenError, match="workers 2: would take 940 MB"):
        own_limits.check_memory(request(workers=2, topspeed=True, preload=False), ten_million, 900 * 10**6, 940 * 10**6)


@pytest.mark.parametrize(
    ("params", "release", "said"),
    [
        # 5,124,095,576 packets (upstream's issue 779): 344 s at 14.88 Mpps.
        ({"pps": 14_880_952.0, "loop": 0, "duration": 345}, RELEASE, "after 5124095576 packets"),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 344}, RELEASE, None),
        ({"pps": 1000.0, "loop": 0, "limit": 5_124_095_577}, RELEASE, "after 5124095576 packets"),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 345}, (4, 5, 3), None),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 1}, (4, 5, 1), "after 5124095 packets"),
        # A wrap after 1.8e10 bits (upstream's issue 974).
        ({"mbps": 1000.0, "loop": 0, "duration": 19}, (4, 5, 2), "after 18446744073 bits"),
        ({"mbps": 1000.0, "loop": 0, "duration": 18}, (4, 5, 2), None),
        ({"mbps": 1000.0, "loop": 0, "duration": 19}, RELEASE, None),
        ({"topspeed": True, "loop": 0, "duration": 10**6}, RELEASE, None),
    ],
)
def test_runs_longer_than_tcpreplay_can_pace(params, release, said):
    asked = request(**params)
    if said is None:
        assert own_limits.check_pacing(asked, plan(asked), SCAN, release) is None
        return
    with pytest.raises(TrafficgenError, match=said):
        own_limits.check_pacing(asked, plan(asked), SCAN, release)


def test_coarse_pacing_is_said():
    # 1.76e13 bits: 1759 s at 10 Gbit/s.
    asked = request(mbps=10_000.0, loop=0, duration=1800)
    assert "after 1759 s " in own_limits.check_pacing(asked, plan(asked), SCAN, RELEASE)
    assert own_limits.check_pacing(asked, plan(asked), SCAN, (4, 5, 3)) is None


def ended(params, sent, *, ended="exited", status=0, failed=False, interrupted=False):
    stats = {"packets": sent, "seconds": 3.0 if sent == 99999 else 0.5, "interrupted": interrupted}
    return how_it_ended(request(**params), SCAN, stats, ended=ended, exit_status=status, failed=failed)


@pytest.mark.parametrize(
    ("params", "sent", "expected"),
    [
        ({}, 64511, "completed"),
        ({"loop": 5, "limit": 100}, 100, "limit"),
        ({"loop": 0, "limit": 100}, 100, "limit"),
        ({"limit": 64511}, 64511, "completed"),
        ({"loop": 0, "duration": 3}, 3000, "duration"),
        ({"loop": 2, "duration": 3}, 129022, "completed"),
        ({"loop": 2, "duration": 3}, 129021, "duration"),
        ({"loop": 0, "duration": 3, "limit": 100}, 100, "limit"),
        ({"loop": 0, "duration": 3, "limit": 100}, 99, "duration"),
        ({"duration": 1, "extra_args": ["--exclude=1"]}, 10, "completed"),
        ({"duration": 1, "loop": 0, "extra_args": ["--exclude=1"]}, 99999, "duration"),
    ],
)
def test_how_a_run_ended_by_itself(params, sent, expected):
    assert ended(params, sent) == expected


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"ended": "timeout"}, "timeout"),
        ({"ended": "timeout", "status": -9}, "timeout"),
        ({"ended": "signal"}, "user"),
        ({"status": -2}, "user"),
        ({"status": -9}, "error"),
        ({"status": 255}, "error"),
        # An interrupt is the user's. A known complaint is an error even with status 0.
        ({"interrupted": True}, "user"),
        ({"interrupted": True, "ended": "timeout"}, "timeout"),
        ({"failed": True}, "error"),
    ],
)
def test_how_a_run_was_ended(how, expected):
    assert ended({}, 10, **how) == expected
