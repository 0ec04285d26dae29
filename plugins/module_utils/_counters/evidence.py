# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sender's device and the receiver counted in a run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import delta
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import SOFTWARE_TX

# A port's own frames are counted with the test's. A link that has come up brings IPv6's: two MLD reports (RFC 3810,
# section 9.1), an address's probe (RFC 4862, section 5.1), a router solicitation (RFC 4861, section 10). Then one a
# second at most: ARP's and ND's retries (RFC 4861: RETRANS_TIMER), LACP's fast rate (IEEE 802.1AX); STP and LLDP are
# slower. A surplus up to that number is attributed to them, but never more than a hundredth of the test's frames.
OTHER_FRAMES = 4
OTHERS_A_SECOND = 1
OTHER_SHARE = 0.01

# Interfaces that hand every frame to the kernel, whatever its destination address.
_GIVEN_ALL = frozenset({"veth", "lo", "tun"})
# Those that hand on every frame in promiscuous mode; so does a port whose MAC is known (in ``mac``). A macvlan does not
# (tried), a guest's port is behind the host's switch, and a tunnel delivers only what its other end sends.
_PROMISCUOUS = frozenset({"bridge", "bonding", "team"})


@dataclass(frozen=True)
class Received:
    """What a receiver proves.

    ``exact``: only test frames are counted; a MAC counts every frame of its port. ``host_drops``: frames its host
    dropped; ``uncounted``: those that may have been dropped before ``packets`` counted them, which prevents a verdict;
    None if unknown. ``arrival``: how the wait ended (``Arrival.tree``); ``earlier``: what came before the first frame
    was sent; None if not checked. ``others``: frames from other source addresses; None if not counted separately.
    ``blind``: why a count of 0 does not prove that nothing came; empty if it does. ``layer3_bytes``: bytes after the
    Ethernet header and the outermost VLAN tag. ``macs``: the source addresses it counts. ``seconds``: between the
    readings before and after the run; None for a bare number.
    """

    source: str
    packets: int
    exact: bool = False
    bytes: int | None = None
    host_drops: int | None = None
    uncounted: int | None = None
    merging: Sequence[str] = ()
    arrival: Mapping[str, Any] | None = None
    earlier: Mapping[str, Any] | None = None
    others: int | None = None
    blind: str = ""
    layer3_bytes: int | None = None
    macs: Sequence[str] = ()
    seconds: float | None = None

    def tree(self) -> dict[str, Any]:
        """The value of ``counters.rx``."""
        late = self.arrival["late_packets"] if self.arrival else None
        return {
            "source": self.source,
            "packets": self.packets,
            "bytes": self.bytes,
            "host_drops": self.host_drops,
            "late_packets": late,
        }


def frames_left(
    stats: Mapping[str, Any], run: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> int | None:
    """How many of the test's frames left, as far as known: the receiver waits for so many."""
    tx, _why = sent_by(stats, run, before, after)
    known = [count for count in (stats.get("packets"), tx["packets"] if tx else None) if count is not None]
    return min(known) if known else None


def sent_by(
    stats: Mapping[str, Any], run: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, str]:
    """What the sending device counted, or None and the reason, such as a counter reset during the run."""
    if before is None or after is None:
        return None, "the counters of the sending interface were not taken"
    change = delta(before, after)
    tx = change["mac"]["tx"]
    if tx is None:
        return None, change["mac"]["reason"]
    tx["queued"] = after.get("queue")
    tx["seconds"] = change["seconds"]
    claimed = stats.get("packets")
    if claimed is None or tx["packets"] >= claimed:
        return tx, ""
    # netmap's native mode takes the port from the kernel and gives it back. The driver resets it both times, and what
    # the MAC counted since the driver's last reading is lost.
    if change["carrier_changes"]:
        why = (
            f"{tx['source']} counted {tx['packets']} of {claimed}, but the link went down or up in between: the port"
            " may have been reset, and its counter with it"
        )
        return None, why
    natively = run.get("injection_method") == "netmap" and run.get("netmap_mode") != "emulated"
    if after["driver"] in SOFTWARE_TX and natively:
        return None, f"{tx['source']} is the kernel's own count, and netmap's frames may have passed the kernel by"
    return tx, ""


def received_by(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, addressed: bool = False
) -> tuple[Received | None, str]:
    """What the receiver counted: its count of test frames, else its MAC's. Or None and the reason, empty without a
    receiver."""
    if before is None or after is None:
        return None, ""
    change = delta(before, after)
    drops = change["host_drops"]
    nic, kernel = drops["nic"], drops["kernel"] or 0
    if after["driver"] in SOFTWARE_TX:
        # The rx_dropped of these also counts frames that arrived and that no protocol wanted. Before the ingress hook
        # they lose frames only to a full backlog, which the host counts as well.
        kernel = min(kernel, drops["softnet"] or 0)
    frames, mac = change["test_frames"], change["mac"]["rx"]
    both = None if nic is None else nic + kernel
    known = {
        "host_drops": both,
        "arrival": after.get("arrival"),
        "earlier": before.get("earlier"),
        "blind": _may_be_blind(after, change, frames, addressed=addressed),
        "seconds": change["seconds"],
    }
    if frames:
        counted = Received(
            frames["source"],
            frames["packets"],
            exact=True,
            bytes=frames["bytes"],
            uncounted=both,
            merging=after["merging"],
            others=frames.get("others"),
            layer3_bytes=frames.get("layer3_bytes"),
            macs=frames["macs"],
            **known,
        )
        return counted, ""
    if mac:
        uncounted = 0 if mac["drops_counted"] else nic
        return Received(mac["source"], mac["packets"], bytes=mac["bytes"], uncounted=uncounted, **known), ""
    return None, change["mac"]["reason"]


def _may_be_blind(
    after: Mapping[str, Any], change: Mapping[str, Any], frames: Mapping[str, Any] | None, *, addressed: bool
) -> str:
    """Why the counter may have missed frames that reached its interface; empty if it sees every one.

    The ingress hook comes behind XDP and tc, and before a bridge, bond or macvlan takes the frame from its port
    (__netif_receive_skb_core() in net/core/dev.c). What tc or nftables drops before the counter counts as lost on the
    way: tests build a device of known loss like this.
    """
    came = change["kernel"].get("rx_packets")
    if frames is not None and came is not None and after.get("xdp"):
        untold = came - frames["packets"] - (frames.get("others") or 0)
        if untold > usual_others(change["seconds"]):
            return (
                f"the interface received {came} frames meanwhile, and {untold} of them did not get past its XDP program"
            )
    can_take_all = after["mac"]["rx"] is not None or after["driver"] in _PROMISCUOUS
    if addressed or after["driver"] in _GIVEN_ALL or (can_take_all and after.get("promiscuous")):
        return ""
    remedy = (
        f"make it promiscuous (`ip link set {after['interface']} promisc on`)"
        if can_take_all
        else "count at the interface below it"
    )
    return (
        f"{after['interface']} is given only what is addressed to it, and whether the test's frames are is not known:"
        f" {remedy}, or send to its MAC address"
    )


def usual_others(seconds: float) -> int:
    """How many foreign frames a port may send or receive in this time."""
    return OTHER_FRAMES + int(seconds * OTHERS_A_SECOND)


def others_tolerated(frames: int, seconds: float) -> int:
    """Up to how many frames above a test's ``frames`` count as foreign: at least one."""
    return min(usual_others(seconds), max(1, int(frames * OTHER_SHARE)))
