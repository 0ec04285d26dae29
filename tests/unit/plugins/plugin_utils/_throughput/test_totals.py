# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what several hosts make together: a fleet's loss, and how long searches take."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import fleet, trial_seconds


def sent(host, packets, left, lost):
    """A trial: tcpreplay's count, the device's, and what was lost of the test's frames."""
    ratio = lost / min(packets, left)
    return {
        "host": host,
        "number": 1,
        "status": "ok",
        "traffic": {"name": "scan"},
        "injection_method": "pf_packet",
        "rate": {"pps": 1000},
        "repeat": 1,
        "start_delay_seconds": None,
        "stats": {"packets": packets},
        "rates": {"pps": 1000.0, "l1_mbps": None, "l2_mbps": None},
        "counters": {"tx": {"packets": left}, "loss_packets": lost, "loss_ratio": ratio},
    }


@pytest.mark.parametrize(("packets", "left"), [(1000, 1004), (1004, 1000)])
def test_a_fleet_s_loss_is_of_the_test_s_frames_that_left(packets, left):
    """A port sends a few frames of its own, and one that was short has not sent what tcpreplay says."""
    [total] = fleet([sent("gen1", packets, left, 0), sent("gen2", 1000, 1000, 10)])
    assert (total["loss_packets"], total["loss_ratio"]) == (10, 10 / 2000)


def test_hosts_that_search_at_the_same_time_take_as_long_as_the_longest():
    def search(host, *seconds):
        return {"host": host, "trials": [{"seconds": each} for each in seconds]}

    assert trial_seconds([], [search("gen1", 10.0, 5.0), search("gen2", 8.0), search("gen2", 1.0, None)]) == 15.0
