# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the counters prove of a run: the ``counters`` tree, from snapshots of the sender and the receiver. Pure.

tcpreplay counts the frames it handed to a socket or a ring. Whether they left is told by the sender's device, whether
they arrived by a receiver. The verdict is on tcpreplay's own figures:

- ``consistent``: the device sent what tcpreplay says, or a receiver counted every frame of it.
- ``short``: the device sent fewer.
- ``impossible``: at that L1 rate the frames do not fit onto the line.
- ``unknown``: nothing proves it; or what was lost cannot be told from what the receiving host itself dropped.

Loss is of the test's own frames, between two counters that each prove something; else it is None.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import RECEIVE_WAIT, SETTLE
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import SOFTWARE_TX
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# A port's own frames are counted with the test's. A link that has come up brings IPv6's: two MLD reports (RFC 3810,
# section 9.1), an address's probe (RFC 4862, section 5.1), a router solicitation (RFC 4861, section 10). Then one a
# second at most: ARP's and ND's retries (RFC 4861: RETRANS_TIMER), LACP's fast rate (IEEE 802.1AX); STP and LLDP are
# slower. So many more than the test's are put down to them, but never more than a hundredth of the test's frames.
OTHER_FRAMES = 4
OTHERS_A_SECOND = 1
OTHER_SHARE = 0.01
# Clocks: a port may be 100 ppm off (IEEE 802.3), the host's clock as much, tcpreplay's figures are rounded.
LINE_TOLERANCE = 1e-3
# Frames handed over but not on the line yet when tcpreplay looks at the clock, in the socket's buffer, the queue and
# the ring: where the run does not say how many there may be, the most slots a ring of the known drivers has. Of a run
# of a second or more never more than a share, so that no rate 1 % above the line passes.
IN_FLIGHT = 4096
IN_FLIGHT_SHARE = 0.008
# A NIC pads shorter frames to so many bytes (IEEE 802.3: 64 with the FCS).
SMALL = 60
_HEADER, _TAG = 14, 4
# A loss is the device's when the receiving host dropped at most this share of it.
HOST_SHARE = 0.01
# A run that was interrupted may have counted a frame it did not send, or the other way round.
INTERRUPTED = 1

# Interfaces that hand every frame to the kernel, whatever its destination address.
_GIVEN_ALL = frozenset({"veth", "lo", "tun"})
# Those that hand on every frame in promiscuous mode; a port whose MAC is known (in _mac_counters) does so as well. A
# macvlan does not (tried), a guest's port has a switch of the host's before it, and a tunnel has its other end.
_PROMISCUOUS = frozenset({"bridge", "bonding", "team"})

_SNAPSHOT_KEYS = (
    "interface",
    "ifindex",
    "boot_id",
    "driver",
    "kernel",
    "ethtool",
    "mac",
    "host_drops",
    "test_frames",
    "carrier_changes",
    "merging",
    "monotonic",
)


def delta(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What happened on an interface between two snapshots.

    A counter that went backwards was reset, and how much it counted nobody knows: it becomes None and is named in
    ``resets``.

    :raises TrafficgenError: the two are not snapshots of one interface in that order, within one boot of one host.
    """
    check_pair(before, after)
    seconds = after["monotonic"] - before["monotonic"]
    resets: set[str] = set()

    def difference(
        old: Mapping[str, int | None], new: Mapping[str, int | None], prefix: str = ""
    ) -> dict[str, int | None]:
        differences: dict[str, int | None] = {}
        for name, value in new.items():
            earlier = old.get(name, 0)
            if value is None or earlier is None:
                differences[name] = None
                continue
            change = value - earlier
            differences[name] = change if change >= 0 else None
            if change < 0:
                resets.add(prefix + name)
        return differences

    kernel = difference(before["kernel"], after["kernel"])
    # ethtool -S also has values that are no counters and may fall.
    ethtool = {
        name: value - before["ethtool"][name] if value >= before["ethtool"][name] else None
        for name, value in after["ethtool"].items()
        if name in before["ethtool"] and value != before["ethtool"][name]
    }
    mac: dict[str, Any] = {"reason": after["mac"]["reason"] or before["mac"]["reason"]}
    for side in ("tx", "rx"):
        old, new = before["mac"][side], after["mac"][side]
        mac[side] = None
        if old and new and old["source"] == new["source"]:
            change = new["packets"] - old["packets"]
            if change < 0:
                resets.add(new["source"])
                mac["reason"] = (
                    f"{new['source']} went backwards, from {old['packets']} to {new['packets']}: the port was reset in"
                    " between"
                )
                continue
            size = None if old["bytes"] is None or new["bytes"] is None else new["bytes"] - old["bytes"]
            mac[side] = {**new, "packets": change, "bytes": size if size is None or size >= 0 else None}
    frames = None
    old, new = before["test_frames"], after["test_frames"]
    if old and new:
        if old["table"] != new["table"] or old["handle"] != new["handle"] or new["packets"] < old["packets"]:
            raise TrafficgenError("the frame counter is not the same one before and after", on=after["interface"])
        # Counters of 0.1.0 have packets alone.
        counts = [name for name in ("packets", "layer3_bytes", "others") if name in old and name in new]
        frames = {**new, **{name: new[name] - old[name] for name in counts}}
    drops = difference(before["host_drops"], after["host_drops"], "host_drops.")
    return {
        "seconds": seconds,
        "kernel": kernel,
        "ethtool": ethtool,
        "mac": mac,
        "test_frames": frames,
        "host_drops": drops,
        "carrier_changes": after["carrier_changes"] - before["carrier_changes"],
        "resets": sorted(resets),
        "rates": _rates(seconds, kernel, mac, frames),
    }


def _rates(
    seconds: float, kernel: Mapping[str, Any], mac: Mapping[str, Any], frames: Mapping[str, Any] | None
) -> dict[str, float | None]:
    """pps and frame Mbps (no FCS, preamble or gap) of the kernel's counters; pps of the MAC's and of the test
    frames."""

    def per_second(value: float | None, unit: float = 1.0) -> float | None:
        return None if value is None or seconds <= 0 else value * unit / seconds

    rates: dict[str, float | None] = {}
    for side in ("rx", "tx"):
        rates[f"{side}_pps"] = per_second(kernel[f"{side}_packets"])
        rates[f"{side}_mbps"] = per_second(kernel[f"{side}_bytes"], 8 / 1e6)
        rates[f"mac_{side}_pps"] = per_second(mac[side]["packets"] if mac[side] else None)
    rates["test_frames_pps"] = per_second(frames["packets"] if frames else None)
    return rates


def check_snapshot(value: object, name: str) -> None:
    """Raise :class:`TrafficgenError` unless ``value`` is what interface_counters returns."""
    missing = [key for key in _SNAPSHOT_KEYS if not isinstance(value, Mapping) or key not in value]
    if missing:
        raise TrafficgenError(
            "not a result of interface_counters",
            on=name,
            said=f"it has no {', '.join(missing)}",
            remedy="Register the task's result and give that.",
        )


def check_pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise :class:`TrafficgenError` unless both are snapshots of one interface, in this order, within one boot of one
    host."""
    check_snapshot(before, "before")
    check_snapshot(after, "after")
    on = f"{after['interface']}" + (f" in {after.get('netns')}" if after.get("netns") else "")
    if before["boot_id"] != after["boot_id"]:
        raise TrafficgenError(
            "the earlier counters are of another host, or of this one before it was booted again",
            on=on,
            remedy="Take both on one host, in one boot.",
        )
    for key, what in (
        ("interface", "another interface"),
        ("netns", "another network namespace"),
        ("ifindex", "an interface replaced since"),
    ):
        if before.get(key) != after.get(key):
            raise TrafficgenError(
                f"the earlier counters are of {what}",
                on=on,
                said=f"{key} {before.get(key)!r}, now {after.get(key)!r}",
                remedy="Take both on the same interface.",
            )
    if after["monotonic"] < before["monotonic"]:
        raise TrafficgenError("the earlier counters are the later ones", on=on, remedy="Swap before and after.")


@dataclass
class _Received:
    """What a receiver proves. ``host_drops``: frames its host dropped, None where nobody knows.

    ``uncounted``: those that it may have dropped before ``packets`` counted them, None where nobody knows, which spoils
    a verdict.
    """

    source: str
    packets: int
    size: int | None
    host_drops: int | None
    uncounted: int | None
    # Whether only test frames are counted; a MAC counts every frame of its port.
    exact: bool
    merging: list[str] = field(default_factory=list)
    # How it was waited for (``Arrival.tree``), and what came before the first frame was sent (``earlier``); None where
    # nobody looked.
    arrival: Mapping[str, Any] | None = None
    earlier: Mapping[str, Any] | None = None
    # Frames from other source addresses that arrived beside an exact count, None where they are not counted apart.
    others: int | None = None
    # Why a count of nothing does not prove that nothing came; empty where it does.
    blind: str = ""
    # Its bytes behind the Ethernet header and the outermost VLAN tag; the addresses it counts. None, none: not known.
    layer3_bytes: int | None = None
    macs: tuple[str, ...] = ()
    # From the reading before the run to the one after it; None for a bare number.
    seconds: float | None = None

    def tree(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "packets": self.packets,
            "bytes": self.size,
            "host_drops": self.host_drops,
            "late_packets": self.arrival["late_packets"] if self.arrival else None,
        }


def account(
    stats: Mapping[str, Any] | None,
    rates: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    tx_before: Mapping[str, Any] | None,
    tx_after: Mapping[str, Any] | None,
    rx_before: Mapping[str, Any] | None = None,
    rx_after: Mapping[str, Any] | None = None,
    *,
    addressed: bool = False,
) -> dict[str, Any]:
    """The ``counters`` tree of a run: ``{tx, rx, loss_packets, loss_ratio, verdict, reason}``.

    :param addressed: all the frames are known to be addressed to the receiving interface, or to everybody.

    ``loss_packets`` is tx minus rx of the test's frames: frames of others that the device sent too are not among them.
    It contains what the receiving host dropped before it counted; ``rx.host_drops`` tells how much that may be, and
    where it is more than 1 % of the loss, the loss is not the device's and the verdict ``unknown``.
    """
    tx, why = _sent(stats or {}, run or {}, tx_before, tx_after)
    received, rx_why = _received(rx_before, rx_after, addressed=addressed)
    return _judge(stats or {}, rates or {}, run or {}, tx, why, received, rx_why)


def reconcile(
    result: Mapping[str, Any],
    rx_before: Mapping[str, Any],
    rx_after: Mapping[str, Any],
    tx_before: Mapping[str, Any] | None = None,
    tx_after: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of a run's result with ``counters`` filled in from a receiver's snapshots, and the sender's where they are
    given.

    Without the sender's, what the run itself found of its device stands.
    """
    if not isinstance(result, Mapping) or not all(
        isinstance(result.get(key), Mapping) for key in ("stats", "rates", "run", "counters")
    ):
        raise TrafficgenError(
            "not a result of the tcpreplay module",
            on="what was given",
            said="it has no stats, rates, run and counters",
            remedy="Give the registered result, or the fact it set.",
        )
    if (tx_before is None) != (tx_after is None):
        raise TrafficgenError("tx_before and tx_after belong together", remedy="Give both, or neither.")
    for name, value in (
        ("rx_before", rx_before),
        ("rx_after", rx_after),
        ("tx_before", tx_before),
        ("tx_after", tx_after),
    ):
        if value is not None or name.startswith("rx"):
            check_snapshot(value, name)
    stats, rates, run, earlier = (result[key] for key in ("stats", "rates", "run", "counters"))
    if tx_before is not None:
        counters = account(stats, rates, run, tx_before, tx_after, rx_before, rx_after)
    else:
        received, rx_why = _received(rx_before, rx_after)
        tx = earlier.get("tx")
        why = "" if tx else _continued(earlier.get("reason")) or "the run has no counter of its device"
        counters = _judge(stats, rates, run, tx, why, received, rx_why)
    return {**copy.deepcopy(dict(result)), "counters": counters}


def reconcile_count(
    result: Mapping[str, Any], source: str, packets: int, receive_wait: float | None = None
) -> dict[str, Any]:
    """As :func:`reconcile`, with a bare number: how many frames, the test's or others', ``source`` counted at the
    receiver meanwhile.

    A number says nothing of what its host dropped: ``rx.host_drops`` is None. It is taken to count before that, as a
    router's port does.

    :param receive_wait: for how many seconds without a frame it was waited for; None where nobody says.
    """
    if packets < 0:
        raise TrafficgenError(
            f"counted {-packets} frames less after the run than before it",
            on=source,
            remedy="Is it a counter, and was it not reset?",
        )
    stats, rates, run, earlier = (result[key] for key in ("stats", "rates", "run", "counters"))
    tx = earlier.get("tx")
    why = "" if tx else _continued(earlier.get("reason")) or "the run has no counter of its device"
    arrival = None if receive_wait is None else {"ended": "quiet", "receive_wait": receive_wait, "late_packets": None}
    blind = "" if packets else "it stood still, and nothing shows that it counts the test's frames at all"
    counters = _judge(
        stats, rates, run, tx, why, _Received(source, packets, None, None, 0, False, blind=blind, arrival=arrival), ""
    )
    return {**copy.deepcopy(dict(result)), "counters": counters}


def frames_left(
    stats: Mapping[str, Any], run: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> int | None:
    """How many of the test's frames left, so far as anybody knows: those a receiver is waited for."""
    tx, _why = _sent(stats, run, before, after)
    known = [count for count in (stats.get("packets"), tx["packets"] if tx else None) if count is not None]
    return min(known) if known else None


def _sent(
    stats: Mapping[str, Any], run: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, str]:
    """What the sending device counted, or None and why: a count that a reset has cut short is none."""
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
    # netmap's native mode takes a port out of the kernel's hands and gives it back: the driver resets it both times,
    # and what the MAC counted since the driver last asked is lost.
    if change["carrier_changes"]:
        return (
            None,
            (
                f"{tx['source']} counted {tx['packets']} of {claimed}, but the link went down or up in between: the"
                " port may have been reset, and its counter with it"
            ),
        )
    if (
        after["driver"] in SOFTWARE_TX
        and run.get("injection_method") == "netmap"
        and run.get("netmap_mode") != "emulated"
    ):
        return None, f"{tx['source']} is the kernel's own count, and netmap's frames may have passed the kernel by"
    return tx, ""


def _received(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, addressed: bool = False
) -> tuple[_Received | None, str]:
    """What the receiver counted: its own count of test frames, else its MAC's; or None and why, empty where there is no
    receiver."""
    if before is None or after is None:
        return None, ""
    change = delta(before, after)
    drops = change["host_drops"]
    nic, kernel = drops["nic"], drops["kernel"] or 0
    if after["driver"] in SOFTWARE_TX:
        # The rx_dropped of these also grows for frames that were counted and that no protocol wanted. What they lose
        # before the ingress hook, they lose for a full backlog, which the host counts as well.
        kernel = min(kernel, drops["softnet"] or 0)
    frames, mac = change["test_frames"], change["mac"]["rx"]
    both = None if nic is None else nic + kernel
    arrival, earlier = after.get("arrival"), before.get("earlier")
    if frames:
        return (
            _Received(
                frames["source"],
                frames["packets"],
                frames["bytes"],
                both,
                both,
                True,
                list(after["merging"]),
                arrival,
                earlier,
                frames.get("others"),
                _may_be_blind(after, change, frames, addressed=addressed),
                frames.get("layer3_bytes"),
                tuple(frames["macs"]),
                change["seconds"],
            ),
            "",
        )
    if mac:
        uncounted = 0 if mac["drops_counted"] else nic
        blind = _may_be_blind(after, change, None, addressed=addressed)
        return (
            _Received(
                mac["source"],
                mac["packets"],
                mac["bytes"],
                both,
                uncounted,
                False,
                [],
                arrival,
                earlier,
                None,
                blind,
                None,
                (),
                change["seconds"],
            ),
            "",
        )
    return None, change["mac"]["reason"]


def _may_be_blind(
    after: Mapping[str, Any], change: Mapping[str, Any], frames: Mapping[str, Any] | None, *, addressed: bool
) -> str:
    """Why the counter may have seen nothing of frames that reached its interface; empty where it sees every one.

    The ingress hook comes behind XDP and tc, and before a bridge, bond or macvlan takes the frame from its port
    (__netif_receive_skb_core() in net/core/dev.c). What tc or nftables drops there before the counter is lost, as if on
    the way: tests make a device of known loss so.
    """
    came = change["kernel"].get("rx_packets")
    if frames is not None and came is not None and after.get("xdp"):
        untold = came - frames["packets"] - (frames.get("others") or 0)
        if untold > _usual(change["seconds"]):
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


def _judge(
    stats: Mapping[str, Any],
    rates: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    why: str,
    received: _Received | None,
    rx_why: str,
) -> dict[str, Any]:
    notes: list[str] = []
    sending = _verdict_on_sending(stats, tx, why, received, notes)
    verdict = _verdict_on_rate(stats, rates, run, sending, notes)
    loss, sent = None, None
    if received and received.seconds is None:
        received.seconds = stats.get("seconds")
    if received and sending != "unknown":
        sent = stats["packets"] if tx is None else min(stats["packets"], tx["packets"])
        loss = _loss(sent, tx, received, notes)
        if loss is not None and _still_under_way(loss, tx, received, notes):
            loss = None
        if loss is not None and _doubled(loss, stats, run, tx, received, notes):
            loss = None
        if loss and _may_have_come_unseen(loss, sent, received, notes):
            loss = None
        if loss is not None:
            _own_frames(stats, run, tx, received, notes)
        untold = loss is None or (loss > 0 and _host_has_a_share(loss, received, notes))
        if untold and verdict == "consistent":
            verdict = "unknown"
    if rx_why:
        notes.append(f"what arrived is not known: {rx_why}")
    return {
        "tx": None if tx is None else {key: tx[key] for key in ("source", "packets", "bytes")},
        "rx": received.tree() if received else None,
        "loss_packets": loss,
        "loss_ratio": loss / sent if loss is not None and sent else None,
        "verdict": verdict,
        "reason": _sentence(notes),
    }


def _verdict_on_sending(
    stats: Mapping[str, Any], tx: Mapping[str, Any] | None, why: str, received: _Received | None, notes: list[str]
) -> str:
    claimed = stats.get("packets")
    if not claimed:
        notes.append(
            "tcpreplay printed no statistics"
            if claimed is None
            else "tcpreplay sent nothing, of which nothing can be proved"
        )
        return "unknown"
    mixed = received is not None and received.earlier is not None and received.earlier["still_coming"]
    all_arrived = received is not None and received.exact and received.packets == claimed and not mixed
    if tx is None:
        if all_arrived:
            notes.append(
                f"no counter of the sending device ({why}), but a receiver counted each of the {claimed} frames"
            )
            return "consistent"
        notes.append(f"nothing proves what was sent: {why}")
        if received and received.exact:
            notes.append(f"of the {claimed} frames that tcpreplay counts, {received.packets} arrived")
        return "unknown"
    more = tx["packets"] - claimed
    if more == 0:
        return "consistent"
    if more < 0:
        said = f"tcpreplay counts {claimed} frames, {tx['source']} {-more} fewer"
        if stats.get("interrupted") and -more <= INTERRUPTED:
            notes.append(f"{said}: an interrupted run may be off by {INTERRUPTED}")
            return "consistent"
        failed = sum(device.get("failed_packets") or 0 for device in stats.get("devices") or [])
        queued = tx.get("queued")
        waiting = f", of which {queued['packets']} were still in its queue ({queued['kind']})" if queued else ""
        notes.append(said + waiting + (f" (tcpreplay says itself that {failed} failed)" if failed else ""))
        return "short"
    tolerance = _others(claimed, tx.get("seconds") or stats.get("seconds") or 0)
    said = f"the device's {tx['source']} counts {more} frames more than tcpreplay"
    if more <= tolerance:
        notes.append(f"{said}: others' frames, or its last ones when interrupted (tolerance {tolerance})")
        return "consistent"
    if all_arrived:
        notes.append(f"{said}, which are others', since a receiver counted each of the {claimed} frames")
        return "consistent"
    notes.append(
        f"{said} (tolerance {tolerance}): among so many others' frames nothing proves that the test's were sent"
    )
    return "unknown"


def _verdict_on_rate(
    stats: Mapping[str, Any], rates: Mapping[str, Any], run: Mapping[str, Any], verdict: str, notes: list[str]
) -> str:
    """``impossible`` where more frames were counted than a line of that speed carries in the time."""
    line, rate = run.get("link_speed_mbps"), rates.get("l1_mbps")
    claimed = stats.get("packets")
    if not line or not rate or not claimed or rate <= line * (1 + LINE_TOLERANCE):
        return verdict
    excess = claimed * (1 - line * (1 + LINE_TOLERANCE) / rate)
    tolerance = run.get("in_flight_frames") or IN_FLIGHT
    if (stats.get("seconds") or 1) >= 1:
        tolerance = min(tolerance, int(claimed * IN_FLIGHT_SHARE))
    tolerances = f"tolerance {LINE_TOLERANCE:.1%}, and {tolerance} frames still in the port's queues"
    if excess <= tolerance:
        notes.append(f"{rate:.2f} Mbps at L1 are more than a line of {line} Mbps carries in that time ({tolerances})")
        return verdict
    notes.append(f"{rate:.2f} Mbps at L1 do not fit onto a line of {line} Mbps ({tolerances})")
    return verdict if verdict == "short" else "impossible"


def _loss(sent: int, tx: Mapping[str, Any] | None, received: _Received, notes: list[str]) -> int | None:
    """How many of the test's ``sent`` frames were lost. More arrived than left: None, but for others' frames within the
    tolerance."""
    # A MAC, or a command, counts others' frames too, and so what left with them. Of those lost, no more than it sent
    # are the test's.
    base = sent if tx is None or received.exact else int(tx["packets"])
    if received.packets <= base:
        return min(base - received.packets, sent)
    more = received.packets - base
    if received.exact:
        # What left of the sender's queue since it was counted.
        if tx is not None and tx.get("queued") and more <= tx["queued"]["packets"]:
            return 0
        # The device's count may be the better one: an interrupted tcpreplay stopped counting before its last frames.
        if tx is not None and received.packets <= tx["packets"]:
            notes.append(
                f"{more} of these arrived from the test's source MAC addresses: its last ones when interrupted, the"
                " port's own (ARP, ND), or doubled ones, which may hide as many lost"
            )
            return 0
        notes.append(
            f"{more} frames more arrived than were sent (tolerance 0): duplicated on the way, or another sender uses"
            " the source MAC address"
        )
        return None
    tolerance = _others(base, received.seconds or 0)
    if more <= tolerance:
        notes.append(
            f"the receiver's {received.source} counts {more} frames more than were sent: others' (tolerance"
            f" {tolerance}), which may hide a loss"
        )
        return 0
    notes.append(
        f"the receiver's {received.source} counts {more} frames more than were sent (tolerance {tolerance}): "
        "others' frames hide what was lost"
    )
    return None


def _still_under_way(loss: int, tx: Mapping[str, Any] | None, received: _Received, notes: list[str]) -> bool:
    """Whether frames may be neither lost nor counted yet, or some that were counted are an earlier run's: then the loss
    is not known."""
    if received.earlier and received.earlier["still_coming"]:
        notes.append(
            f"{received.earlier['packets']} frames of the test's source MAC addresses arrived before the first was"
            " sent, and more were coming: late ones of an earlier run, or another sender's, so what was lost is not"
            " known"
        )
        return True
    if received.earlier and received.earlier["missed_seconds"] is not None:
        notes.append(
            "late frames of the run before may be among those counted: it missed some, and ended "
            f"{received.earlier['missed_seconds']:.1f} s before this one began (settle; RFC 2544 says {SETTLE:g})"
        )
    queued = tx.get("queued") if tx else None
    if queued:
        notes.append(f"{queued['packets']} frames were still in the sender's own queue, so what was lost is not known")
        return True
    wait = received.arrival
    if not wait or not loss:
        return False
    if wait["ended"] == "limit":
        notes.append(
            f"frames were still arriving {wait['waited']:.1f} s after the last had left, so how many were lost is not"
            " known"
        )
        return True
    if wait["ended"] == "stopped":
        notes.append(
            f"it was told to stop, so late frames were not waited for: how many of the {loss} that are missing were"
            " lost is not known"
        )
        return True
    if wait["receive_wait"] >= RECEIVE_WAIT and not received.packets:
        notes.append(
            f"nothing arrived for {wait['receive_wait']:g} s after the last frame had left: what a device holds longer"
            " counts as lost"
        )
    if wait["receive_wait"] < RECEIVE_WAIT:
        notes.append(
            f"some of the {loss} lost frames may only be late: the receiver was waited for {wait['receive_wait']:g} s"
            f" without a frame (receive_wait; RFC 2544 says {RECEIVE_WAIT:g})"
        )
    return False


def _own_frames(
    stats: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    received: _Received,
    notes: list[str],
) -> None:
    """Say how many lost frames others' may hide: the sending port's own, from the address that is counted, or
    anybody's."""
    if not received.exact:
        if not any("others'" in note for note in notes):
            notes.append(
                f"the receiver's {received.source} counts others' frames, too, which may hide lost ones "
                f"(usually up to {_usual(received.seconds or 0)} in that time)"
            )
        return
    more = 0 if tx is None else tx["packets"] - stats["packets"]
    if more > 0 and run.get("mac_address") in received.macs:
        notes.append(
            f"the port's own frames (ARP, ND) come from an address that is counted, so up to {more} lost frames may be"
            " hidden"
        )


def _doubled(
    loss: int,
    stats: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    received: _Received,
    notes: list[str],
) -> bool:
    """Whether the bytes that arrived are not those of the frames that left: some may have come twice, and as many more
    are lost."""
    frames, count, size = run.get("frames"), stats.get("packets"), stats.get("bytes")
    if (
        not frames
        or not size
        or received.layer3_bytes is None
        or received.merging
        or set(run.get("edited_by") or ()) - {"unique-ip"}
    ):
        return False
    if not received.packets or not count or (tx is not None and tx["packets"] != count):
        return False
    smallest, largest = frames["smallest"], frames["largest"]
    if smallest == largest or frames["vlan_tagged"] not in ("none", "all"):
        if not loss:
            notes.append(
                "as many frames arrived as left; a counter cannot tell whether some were lost and as many doubled on"
                " the way, where all are of one size or only some have a VLAN tag"
            )
        return False
    header = _HEADER + (_TAG if frames["vlan_tagged"] == "all" else 0)
    per_pass = sum(one["packets"] for one in run.get("pcaps") or ())
    # Frames below 60 bytes are padded by a NIC, and are not on a veth. Which of them a pass that ended early has sent
    # is not known.
    padding = frames["padding"] * -(-count // per_pass) if per_pass else count * SMALL
    missing = size - header * count - received.layer3_bytes
    if not loss and per_pass and not count % per_pass:
        fits = missing in (0, -padding)
    else:
        fits = loss * (smallest - header) - padding <= missing <= loss * (largest - header)
    if not fits:
        notes.append(
            f"{received.packets} of {count} frames arrived, and {received.layer3_bytes} of {size - header * count}"
            " bytes behind their headers, which does not fit: some were doubled on the way and as many more lost, or"
            " their sizes were changed (a Linux bridge may cut frames to their IP packets)"
        )
    elif not loss and missing:
        notes.append(
            f"as many frames arrived as left, and {-missing} bytes more: the padding of short ones (tolerance {padding}"
            " bytes), unless some were lost and as many doubled"
        )
    return not fits


def _may_have_come_unseen(loss: int, sent: int, received: _Received, notes: list[str]) -> bool:
    """Whether frames that the receiver did not count may yet have arrived: the loss is then not known."""
    usual = _usual(received.seconds or 0)
    if received.blind and received.packets <= (0 if received.exact else usual):
        counted = f"only {received.packets}" if received.packets else "none"
        notes.append(
            f"the receiver's {received.source} counts {counted} of {sent} frames, which is no proof of a loss:"
            f" {received.blind}"
        )
        return True
    others = received.others
    if not others:
        return False
    # So few are anybody's; but in a run of few frames, these may be them.
    unseen = others > HOST_SHARE * loss if others > usual else others >= loss and usual > OTHER_SHARE * sent
    said = (
        f"{loss} of the test's frames did not arrive from its source MAC addresses, and {others} frames from other"
        " ones did"
    )
    if unseen:
        notes.append(
            f"{said}: a router or a tool that rewrites addresses may have sent the test's on so, and what was lost is"
            f" not known (tolerance {usual} frames in this time, and {HOST_SHARE:.0%} of what is missing)"
        )
    else:
        notes.append(
            f"{said}, which are others' (tolerance {usual} frames in this time, and {HOST_SHARE:.0%} of what is"
            " missing)"
        )
    return unseen


def _host_has_a_share(loss: int, received: _Received, notes: list[str]) -> bool:
    """Whether the loss cannot be laid at the door of the device under test."""
    # However many frames are merged into one, that one is counted.
    if received.merging and received.packets:
        notes.append(
            f"the receiver merges frames before it counts them ({', '.join(received.merging)}), so the {loss} lost"
            " frames may be none: switch that off with ethtool -K"
        )
        return True
    if received.uncounted is None:
        notes.append(
            f"whether the receiving host itself dropped some of the {loss} lost frames is not known: its port does not"
            " count those, or was reset"
        )
        return True
    if not received.uncounted:
        return False
    most = min(received.uncounted, loss)
    notes.append(
        f"up to {most} of the {loss} lost frames were dropped by the receiving host itself, "
        f"which is not the device's loss (tolerance {HOST_SHARE:.0%})"
    )
    return received.uncounted > HOST_SHARE * loss


def _usual(seconds: float) -> int:
    """How many frames of others a port sends or receives in a time."""
    return OTHER_FRAMES + int(seconds * OTHERS_A_SECOND)


def _others(frames: int, seconds: float) -> int:
    """How many frames more than a test's ``frames`` are put down to others: one at least."""
    return min(_usual(seconds), max(1, int(frames * OTHER_SHARE)))


def _sentence(notes: list[str]) -> str:
    text = "; ".join(notes)
    return text[:1].upper() + text[1:] + "." if text else ""


def _continued(reason: str | None) -> str:
    text = (reason or "").rstrip(".")
    return text[:1].lower() + text[1:]
