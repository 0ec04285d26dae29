# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run: the result tree, its warnings, and the error it ended in."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.receiver import Receiver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import account
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import in_netns
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Supervised
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import PcapSummary, repeated_frames
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    FCS,
    SHORTEST_FRAME,
    SHORTEST_WIRE,
    Size,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import (
    Traffic,
    in_flight,
    packets_to_send,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Plan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import (
    Recorded,
    measured,
    missed,
    reached,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import Request
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.complaints import Uncounted, explain
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse


@dataclass
class Outcome:
    """What the module returns. ``tree``: the result tree; ``error``: the run failed, and how; ``printed``: by
    tcpreplay, if it ran."""

    tree: dict[str, Any]
    error: TrafficgenError | None = None
    printed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Ended:
    """A run that tcpreplay has ended, and what was counted of it. ``nic``: what the interface was set to meanwhile;
    ``stats`` and ``complaint``: what tcpreplay said."""

    plan: Plan
    nic: NicState
    done: Supervised
    stats: dict[str, Any]
    complaint: TrafficgenError | None
    before: dict[str, Any]
    after: dict[str, Any] | None
    receiver: Receiver | None


def run_tree(
    plan: Plan, nic: NicState | None = None, done: Supervised | None = None, ended_by: str | None = None
) -> dict[str, Any]:
    """The ``run`` part of the result; without a run, what is known before.

    :param nic: what the interface was set to while it ran.
    """
    nic = nic or plan.nic
    return {
        "command": list(done.argv) if done else in_netns(plan.argv, plan.request.sender.netns),
        "requested": plan.rate.requested,
        "capped": plan.rate.capped,
        "rate_reached": None,
        "injection_method": plan.injection_method,
        "netmap_mode": plan.netmap_mode,
        "interface": plan.request.sender.name,
        "netns": plan.request.sender.netns,
        "driver": plan.link["driver"],
        "link_speed_mbps": plan.link_speed_mbps,
        "mtu": plan.link["mtu"],
        "offloads": nic.offloads_on(netmap=plan.netmap),
        "flow_control": None if nic.pause is None else {"rx": nic.pause.rx, "tx": nic.pause.tx},
        "ring_sizes": None if nic.rings is None else {"rx": nic.rings.rx, "tx": nic.rings.tx},
        "pcaps": [
            {"path": one.path, "packets": one.packets, "bytes": one.bytes, "sha256": one.sha256}
            for one in plan.summaries
        ],
        "frames": frames_tree(plan.summaries),
        "mac_address": plan.link["mac_address"],
        "edited_by": plan.request.edited_by,
        "in_flight_frames": in_flight(
            plan.injection_method,
            plan.traffic.bytes / plan.traffic.packets,
            None if nic.rings is None else nic.rings.tx,
            _socket_buffer(),
        ),
        "tcpreplay_version": plan.version.version,
        "netmap_version": installed.version() if plan.netmap else None,
        "kernel": os.uname().release,
        "receive_wait": plan.request.receive_wait,
        "settle": plan.request.settle,
        "started": done.started if done else None,
        "ended": done.finished if done else None,
        "exit_status": done.status if done else None,
        "ended_by": ended_by,
    }


def frames_tree(summaries: Sequence[PcapSummary]) -> dict[str, Any]:
    """What the bytes that a receiver counts are held against: ``padding`` is what a NIC adds to short frames in a
    pass."""
    tags = {one.vlan_tagged for one in summaries}
    sizes = [(size, packets) for one in summaries for size, packets in one.sizes.items()]
    return {
        "smallest": min(size for size, _packets in sizes),
        "largest": max(size for size, _packets in sizes),
        "padding": sum((SHORTEST_FRAME - size) * packets for size, packets in sizes if size < SHORTEST_FRAME),
        "vlan_tagged": tags.pop() if len(tags) == 1 else None if None in tags else "some",
    }


def said_by(plan: Plan, done: Supervised) -> tuple[dict[str, Any], TrafficgenError | None]:
    """What tcpreplay said, and what it complained of."""
    try:
        stats = parse(done.stdout, done.stderr, exit_status=done.status)
        return stats, explain(done.stderr, done.status, nothing_sent=not stats["packets"], on=plan.request.sender.name)
    except TrafficgenError as unreadable:
        return parse("", done.stderr), unreadable


def outcome_of(run: Ended, warn: Callable[[str], None]) -> Outcome:
    """What came of it, with a warning for what was not as it was asked for."""
    plan, done, stats, complaint = run.plan, run.done, run.stats, run.complaint
    request, receiver = plan.request, run.receiver
    to_send = packets_to_send(request, plan.traffic)
    if complaint and (isinstance(complaint, Uncounted) or (done.status == 0 and (stats["packets"] or -1) >= to_send)):
        # It complained, and yet sent it all, or whatever it sent.
        warn(complaint.message)
        complaint = None
    if done.ended in ("gone from its namespace", "set down"):
        complaint = TrafficgenError(
            f"it was {done.ended} while tcpreplay sent, which was ended",
            on=request.sender.name,
            remedy="See who did that, and send again.",
        )
    ended_by = how_it_ended(
        request, plan.traffic, stats, ended=done.ended, exit_status=done.status, failed=complaint is not None
    )
    # An interrupt it did not expect yet ends it without a word, and so does SIGKILL: that is what was asked for, and no
    # complaint.
    error = complaint if ended_by == "error" else _not_ended_well(plan, done, stats, ended_by, complaint)
    if ended_by == "timeout" and error is None:
        warn(f"tcpreplay was interrupted after the timeout of {plan.timeout:g} s, before it had sent all.")
    if ended_by == "completed" and error is None and not request.unique_ip and stats["packets"] < to_send:
        warn(f"tcpreplay ended by itself after {stats['packets']} of {to_send:g} packets.")
    size, recorded = _sent(plan, stats)
    speeds = measured(stats, size, plan.link_speed_mbps)
    share = reached(plan.rate, speeds, stats, recorded)
    if error is None and (told := missed(plan.rate, share, speeds, recorded)):
        warn(told)
    run_part = {**run_tree(plan, run.nic, done, ended_by), "rate_reached": share}
    rx = (receiver.before, receiver.after) if receiver else (None, None)
    counters = account(
        stats, speeds, run_part, run.before, run.after, *rx, addressed=bool(receiver and receiver.addressed)
    )
    tree = {"stats": stats, "rates": speeds, "run": run_part, "counters": counters}
    return Outcome(tree, error, (done.stdout, done.stderr))


def _not_ended_well(
    plan: Plan, done: Supervised, stats: Mapping[str, Any], ended_by: str, complaint: TrafficgenError | None
) -> TrafficgenError | None:
    """The error of a run that was stopped and did not stop as it should, or that had not sent anything by then."""
    if ended_by not in ("timeout", "user"):
        return complaint
    when = f"its timeout of {plan.timeout:g} s was over" if ended_by == "timeout" else "it was told to stop"
    if done.killed:
        return TrafficgenError(
            f"tcpreplay did not heed SIGINT when {when}, and was killed: what it counted last is not known",
            on=plan.request.sender.name,
            remedy="With netmap, it may have waited for a ring to drain: see that the link is up and nothing holds it.",
        )
    if done.status == -signal.SIGTERM:
        return TrafficgenError(
            "tcpreplay was ended by SIGTERM, at which it prints no statistics: what it counted is not known",
            on=plan.request.sender.name,
            remedy="End it by SIGINT, or the task.",
        )
    if not stats["packets"]:
        return TrafficgenError(
            f"tcpreplay had sent nothing when {when}",
            on=plan.request.sender.name,
            said=complaint.said if complaint else "",
            remedy="Raise timeout; it may still have been reading the pcaps (preload: false saves that).",
        )
    return None


def _sent(plan: Plan, stats: Mapping[str, Any]) -> tuple[Size | None, Recorded | None]:
    """The mean size of the frames that were sent, and for the recorded speed the time they should have taken; None
    where not known.

    tcpreplay tells how many there were, and their bytes. Where these are not the bytes of the pcaps' first frames it
    left some out (extra_args, unique_ip, failed writes), and nobody knows which; their padding is known even so where
    all frames have it, or none.
    """
    if not stats["packets"]:
        return None, None
    packets, size = stats["packets"], stats["bytes"]
    opened = [one.file for one in plan.pcaps]
    recorded = plan.rate.form in (None, "multiplier")
    padded = {frame < SHORTEST_FRAME for one in plan.summaries for frame in one.sizes}
    known = None
    if len(padded) == 1:
        known = Size(size / packets, SHORTEST_WIRE if True in padded else size / packets + FCS)
        if not recorded:
            return known, None
    try:
        frames = repeated_frames(plan.summaries, packets, opened)
        following = (
            repeated_frames(plan.summaries, packets + 1, opened) if recorded and stats["interrupted"] else frames
        )
    except TrafficgenError:  # a file that has gone meanwhile
        return known, None
    if frames.bytes != size:
        return known, None
    known = Size(frames.bytes / packets, frames.wire_bytes / packets)
    if not recorded or "maxsleep" in plan.request.extra.options:
        return known, None
    pauses = [
        plan.request.extra.loop_delay * ((some.packets - 1) // plan.traffic.packets) for some in (frames, following)
    ]
    return known, Recorded(frames.seconds + pauses[0], following.seconds + pauses[1])


def _socket_buffer(proc: str = "/proc") -> int:
    """The bytes of a socket's send buffer, which tcpreplay leaves as it is; the kernel's default where that cannot be
    read."""
    said = read_text(f"{proc}/sys/net/core/wmem_default")
    return int(said) if said.isdecimal() else 212992


def how_it_ended(
    request: Request, traffic: Traffic, stats: Mapping[str, Any], *, ended: str, exit_status: int | None, failed: bool
) -> str:
    """``run.ended_by``.

    :param ended: how the supervisor saw it end: ``exited``, ``timeout``, ``signal``, ``gone``;
        ``gone from its namespace`` or ``set down``, the interface.
    :param failed: an error is known besides.
    """
    if ended == "timeout":
        return "timeout"
    if ended in ("gone from its namespace", "set down"):
        return "error"
    # Exit status 0 also where it got SIGINT; before it has set its handler, SIGINT ends it.
    if ended in ("signal", "gone") or stats["interrupted"] or exit_status in (-2, -15):
        return "user"
    if failed or exit_status != 0:
        return "error"
    sent = stats["packets"] or 0
    in_pcaps = math.nan if request.extra.selects else traffic.packets * request.loop if request.loop else math.inf
    if request.limit is not None and sent >= request.limit and in_pcaps != request.limit:
        return "limit"
    if request.duration is not None:
        to_send = packets_to_send(request, traffic)
        in_time = (stats["seconds"] or 0) < request.duration if math.isnan(to_send) else sent >= to_send
        return "completed" if in_time else "duration"
    return "completed"
