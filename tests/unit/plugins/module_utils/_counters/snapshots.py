# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up snapshots of a sender and a receiver, and the verdict on them."""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import account

MAC_ADDRESS = "02:00:00:00:00:01"
# As loss() tells it.
NONE_LOST, UNKNOWN = ("consistent", 0, 0.0), ("unknown", None, None)


def snap(*, tx=None, rx=None, frames=None, others=0, at=0.0, driver="e1000", drops=(0, 0, 0), counted=False, **other):
    """A snapshot; ``tx``, ``rx``: the MAC's packets; ``frames``: the frame counter's; ``drops``: nic, kernel,
    softnet."""
    sides = {"tx": tx, "rx": rx}
    mac = {
        side: None if packets is None else {"source": f"{driver} {side}_packets", "packets": packets, "bytes": None}
        for side, packets in sides.items()
    }
    if mac["rx"]:
        mac["rx"]["drops_counted"] = counted
    counter = {"source": "nftables ingress counter", "packets": frames, "bytes": None, "macs": [MAC_ADDRESS]}
    counter |= {"table": "t", "handle": 1, "others": others}
    return {
        "interface": "ens17",
        "netns": None,
        "ifindex": 3,
        "boot_id": "b1",
        "driver": driver,
        "ethtool": {},
        "carrier_changes": 2,
        "merging": [],
        "monotonic": 100.0 + at,
        "kernel": {"rx_packets": 0, "tx_packets": tx or 0, "rx_bytes": 0, "tx_bytes": 100 * (tx or 0)},
        "mac": {**mac, "reason": "" if tx is not None else f"{driver} has no MAC"},
        "host_drops": dict(zip(("nic", "kernel", "softnet"), drops)),
        "test_frames": None if frames is None else counter,
        **other,
    }


def sender(packets, **other):
    """The sending device before and after it counted ``packets``. None is a device that proves nothing."""
    if packets is None:
        return snap(**other), snap(at=2, **other)
    return snap(tx=1000, **other), snap(tx=1000 + packets, at=2, **other)


def receiver(packets, drops=(0, 0, 0), driver="veth", others=0, **other):
    """An interface with a frame counter."""
    after = snap(frames=packets, drops=drops, driver=driver, others=others, at=2, **other)
    return snap(frames=0, driver=driver, **other), after


def mac_receiver(packets, drops=(0, 0, 0), **other):
    """An interface where only the MAC counts."""
    return snap(rx=500, **other), snap(rx=500 + packets, drops=drops, at=2, **other)


def verdict(packets, tx, rx=(None, None), *, run=None, rates=None, addressed=False, **stats):
    return account({"packets": packets, **stats}, rates or {}, run or {}, *tx, *rx, addressed=addressed)


def loss(counters):
    return counters["verdict"], counters["loss_packets"], counters["loss_ratio"]


def lost(*arguments, **options):
    """The loss of :func:`verdict`."""
    return loss(verdict(*arguments, **options))


def result_of(packets):
    """The result of a run: the device counted ``packets``, tcpreplay says 1000."""
    tx = {"source": "e1000 tx_packets", "packets": packets, "bytes": None}
    return {"stats": {"packets": 1000}, "rates": {}, "run": {}, "counters": {"tx": tx}}
