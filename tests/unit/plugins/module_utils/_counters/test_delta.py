# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between two snapshots, and whether they belong together."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import delta
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._counters.snapshots import snap


def with_counter(frames, **other):
    """Two seconds later, with another counter: one that was made anew has counted from 0 again."""
    after = snap(frames=frames, at=2)
    after["test_frames"].update(other)
    return after


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (snap(boot_id="b0"), snap(), "another host, or from before a reboot"),
        (snap(interface="ens18"), snap(), "another interface"),
        (snap(netns="tg"), snap(), "another network namespace"),
        (snap(ifindex=9), snap(), "replaced since"),
        (snap(at=2), snap(), "Swap before and after"),
        (snap(frames=5), snap(frames=4, at=2), "frame counter is not the same"),
        (snap(frames=5), with_counter(frames=9, handle=2), "frame counter is not the same"),
        (snap(frames=5), with_counter(frames=9, table="u"), "frame counter is not the same"),
    ],
)
def test_two_that_do_not_belong_together(before, after, message):
    with pytest.raises(TrafficgenError, match=message):
        delta(before, after)


def test_differences_and_rates():
    kernel = {"rx_packets": 10, "tx_packets": 100, "rx_bytes": 0, "tx_bytes": 0}
    before = snap(tx=0, frames=0, kernel=kernel, ethtool={"a": 1, "b": 2, "c": 9})
    kernel = {"rx_packets": 4, "tx_packets": 300, "rx_bytes": 0, "tx_bytes": 250000}
    after = snap(tx=3000, frames=40, at=2, kernel=kernel, ethtool={"a": 5, "b": 2, "c": 1})
    change = delta(before, after)
    assert change["seconds"] == 2
    assert change["kernel"] == {"rx_packets": None, "tx_packets": 200, "rx_bytes": 0, "tx_bytes": 250000}
    assert change["resets"] == ["rx_packets"]
    assert change["ethtool"] == {"a": 4, "c": None}
    assert change["test_frames"]["packets"] == 40
    assert change["rates"] == {
        "rx_pps": None,
        "rx_mbps": 0.0,
        "mac_rx_pps": None,
        "tx_pps": 100.0,
        "tx_mbps": 1.0,
        "mac_tx_pps": 1500.0,
        "test_frames_pps": 20.0,
    }
