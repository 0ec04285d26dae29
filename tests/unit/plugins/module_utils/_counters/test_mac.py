# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import (
    mac_counters,
    nic_drops,
    refresh_seconds,
)

KERNEL = {"tx_packets": 7, "tx_bytes": 700, "rx_packets": 8, "rx_bytes": 800, "rx_missed_errors": 5}


# Ten frames of 60 bytes (64 with FCS) were sent and three of 60 received. The kernel's own counts differ.
INTEL = "tx_packets=10 rx_packets=3 tx_bytes=640 rx_bytes=192"


@pytest.mark.parametrize(
    ("driver", "ethtool", "tx", "rx", "sizes"),
    [
        ("e1000", INTEL, "tx_packets", "rx_packets", (600, 180)),
        ("e1000-netmap", INTEL, "tx_packets", "rx_packets", (600, 180)),
        # tx_packets is counted in software, so only tx_pkts_nic has netmap's frames
        (
            "ixgbe",
            "tx_packets=0 rx_packets=1 tx_pkts_nic=10 rx_pkts_nic=3 tx_bytes_nic=640 rx_bytes_nic=192",
            "tx_pkts_nic",
            "rx_pkts_nic",
            (600, 180),
        ),
        (
            "i40e",
            "tx_packets=0 port.tx_unicast=7 port.tx_multicast=2 port.tx_broadcast=1 port.tx_bytes=640"
            " port.rx_unicast=1 port.rx_multicast=1 port.rx_broadcast=1 port.rx_bytes=192",
            "port.tx_unicast + port.tx_multicast + port.tx_broadcast",
            "port.rx_unicast + port.rx_multicast + port.rx_broadcast",
            (600, 180),
        ),
        (
            "ice",
            "tx_unicast=0 tx_unicast.nic=7 tx_multicast.nic=2 tx_broadcast.nic=1 tx_bytes.nic=640"
            " rx_unicast.nic=1 rx_multicast.nic=1 rx_broadcast.nic=1 rx_bytes.nic=192",
            "tx_unicast.nic + tx_multicast.nic + tx_broadcast.nic",
            "rx_unicast.nic + rx_multicast.nic + rx_broadcast.nic",
            (600, 180),
        ),
        (
            "mlx5_core",
            "tx_packets=0 tx_packets_phy=10 rx_packets_phy=3 tx_bytes_phy=640 rx_bytes_phy=192",
            "tx_packets_phy",
            "rx_packets_phy",
            (None, 180),
        ),
        ("bnxt_en", "tx_good_frames=10 rx_good_frames=3", "tx_good_frames", "rx_good_frames", (None, None)),
    ],
)
def test_the_counters_of_each_driver(driver, ethtool, tx, rx, sizes):
    counted = {name: int(value) for name, value in (pair.split("=") for pair in ethtool.split())}
    mac, name = mac_counters(driver, counted, KERNEL), driver.replace("-netmap", "")
    sides = ((tx, 10, sizes[0]), (rx, 3, sizes[1]))
    for side, (source, packets, size) in zip(("tx", "rx"), sides):
        told = (mac[side]["source"], mac[side]["packets"], mac[side]["bytes"])
        assert told == (f"{name} {source}", packets, size)
    assert mac["reason"] == ""


def test_a_veth_proves_what_it_sent_and_nothing_of_what_it_received():
    mac = mac_counters("veth", {}, KERNEL)
    assert mac["tx"] == {"source": "veth tx_packets", "packets": 7, "bytes": 700}
    assert mac["rx"] is None
    assert "peer's tx_packets" in mac["reason"]


@pytest.mark.parametrize(
    "driver", ["virtio_net", "vmxnet3", "dummy", "bridge", "bond", "tun", "ixgbevf", "iavf", "frobnic", None]
)
def test_what_proves_nothing_says_why(driver):
    mac = mac_counters(driver, {"tx_packets": 1, "rx_packets": 1}, KERNEL)
    assert (mac["tx"], mac["rx"]) == (None, None)
    assert mac["reason"]


def test_a_virtual_function_shares_its_drivers_name_and_not_its_mac():
    mac = mac_counters("mlx5_core", {"tx_packets_phy": 10, "rx_packets_phy": 3}, KERNEL, virtual_function=True)
    assert (mac["tx"], mac["rx"]) == (None, None)
    assert "virtual function" in mac["reason"]


def test_a_missing_name_is_named():
    mac = mac_counters("ixgbe", {"tx_pkts_nic": 10, "tx_packets": 10, "rx_packets": 3}, KERNEL)
    assert mac["tx"]["packets"] == 10
    assert mac["rx"] is None
    assert "rx_pkts_nic" in mac["reason"]


@pytest.mark.parametrize(
    ("driver", "ethtool", "drops"),
    [
        # RNBC counts frames that wait in the FIFO. Lost ones are in MPC.
        ("igb", {"rx_missed_errors": 4, "rx_no_buffer_count": 900}, 4),
        ("mlx5_core", {"rx_discards_phy": 2, "rx_out_of_buffer": 3}, 5),
        ("frobnic", {"rx_missed_errors": 4}, 5),
        ("e1000", {}, 5),
    ],
)
def test_what_the_host_had_no_room_for(driver, ethtool, drops):
    assert nic_drops(driver, ethtool, KERNEL) == drops


def test_the_nic_that_writes_its_counters_once_a_second():
    assert refresh_seconds("bnxt_en") > 1
    assert refresh_seconds("ixgbe-netmap") == 0
    assert refresh_seconds(None) == 0
