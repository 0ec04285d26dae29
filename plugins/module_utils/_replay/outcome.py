# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run: the result tree, its warnings, and the error it ended in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.receiver import Receiver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import account
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import PcapSummary, repeated_frames
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    FCS,
    SHORTEST_FRAME,
    SHORTEST_WIRE,
    Size,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.engine import LOST, Engine, Sent
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import (
    Traffic,
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


@dataclass
class Outcome:
    """What the module returns. ``tree``: the result tree; ``error``: the run failed, and how; ``printed``: by the
    engine's program, if it ran."""

    tree: dict[str, Any]
    error: TrafficgenError | None = None
    printed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Ended:
    """A run that its engine has ended, and what was counted of it. ``nic``: what the interface was set to
    meanwhile."""

    engine: Engine
    nic: NicState
    sent: Sent
    before: dict[str, Any]
    after: dict[str, Any] | None
    receiver: Receiver | None


def run_tree(
    engine: Engine, nic: NicState | None = None, sent: Sent | None = None, ended_by: str | None = None
) -> dict[str, Any]:
    """The ``run`` part of the result; without a run, what is known before.

    :param nic: what the interface was set to while it ran.
    """
    plan, nic = engine.plan, nic or engine.plan.nic
    return {
        "engine": engine.name,
        "requested": plan.rate.requested,
        "capped": plan.rate.capped,
        "rate_reached": None,
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
        "kernel": os.uname().release,
        "receive_wait": plan.request.receive_wait,
        "settle": plan.request.settle,
        "started": sent.started if sent else None,
        "ended": sent.finished if sent else None,
        "exit_status": sent.status if sent else None,
        "ended_by": ended_by,
        "phases": None,
        **engine.describe(nic),
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


def outcome_of(run: Ended, warn: Callable[[str], None]) -> Outcome:
    """What came of it, with a warning for what was not as it was asked for."""
    engine, sent, receiver = run.engine, run.sent, run.receiver
    plan, request, sender = engine.plan, engine.plan.request, engine.sender
    stats, complaint = sent.stats, sent.complaint
    to_send = packets_to_send(request, plan.traffic)
    if complaint and sent.harmless:
        warn(complaint.message)
        complaint = None
    if sent.ended in LOST:
        complaint = TrafficgenError(
            f"it was {sent.ended} while {sender} sent, which was ended",
            on=request.sender.name,
            remedy="Find out who did that, and send again.",
        )
    ended_by = how_it_ended(
        request, plan.traffic, stats, ended=sent.ended, exit_status=sent.status, failed=complaint is not None
    )
    error = complaint
    if ended_by in ("timeout", "user"):
        # An interrupt it did not expect yet ends it without a word, and so does SIGKILL: that is what was asked for,
        # and no complaint.
        when = f"its timeout of {plan.timeout:g} s was over" if ended_by == "timeout" else "it was told to stop"
        error = engine.not_ended_well(sent, when)
    if ended_by == "timeout" and error is None:
        warn(f"{sender} was interrupted after the timeout of {plan.timeout:g} s, before it had sent all.")
    if ended_by == "completed" and error is None and not request.skips and stats["packets"] < to_send:
        warn(f"{sender} ended by itself after {stats['packets']} of {to_send:g} packets.")
    size, recorded = _frames_sent(plan, stats)
    speeds = measured(stats, size, plan.link_speed_mbps, sender)
    share = reached(plan.rate, speeds, stats, recorded, whole_intervals=engine.whole_intervals)
    if error is None and (told := missed(plan.rate, share, speeds, recorded)):
        warn(told)
    run_part = {**run_tree(engine, run.nic, sent, ended_by), "rate_reached": share}
    rx = (receiver.before, receiver.after) if receiver else (None, None)
    counters = account(
        stats, speeds, run_part, run.before, run.after, *rx, addressed=bool(receiver and receiver.addressed)
    )
    tree = {"stats": stats, "rates": speeds, "run": run_part, "counters": counters}
    return Outcome(tree, error, sent.printed)


def _frames_sent(plan: Plan, stats: Mapping[str, Any]) -> tuple[Size | None, Recorded | None]:
    """The mean size of the frames that were sent, and for the recorded speed the time they should have taken; None
    where not known.

    The engine tells how many there were, and their bytes. Where these are not the bytes of the pcaps' first frames it
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
    if not recorded or plan.request.cuts_pauses:
        return known, None
    pauses = [plan.request.loop_delay * ((some.packets - 1) // plan.traffic.packets) for some in (frames, following)]
    return known, Recorded(frames.seconds + pauses[0], following.seconds + pauses[1])


def how_it_ended(
    request: Request, traffic: Traffic, stats: Mapping[str, Any], *, ended: str, exit_status: int | None, failed: bool
) -> str:
    """``run.ended_by``.

    :param ended: how the supervisor saw it end: ``exited``, ``timeout``, ``signal``, ``gone``;
        or one of :data:`LOST`, the interface.
    :param failed: an error is known besides.
    """
    if ended == "timeout":
        return "timeout"
    if ended in LOST:
        return "error"
    # Exit status 0 also where it got SIGINT; before it has set its handler, SIGINT ends it.
    if ended in ("signal", "gone") or stats["interrupted"] or exit_status in (-2, -15):
        return "user"
    if failed or exit_status not in (0, None):
        return "error"
    sent = stats["packets"] or 0
    in_pcaps = math.nan if request.selects else traffic.packets * request.loop if request.loop else math.inf
    if request.limit is not None and sent >= request.limit and in_pcaps != request.limit:
        return "limit"
    if request.duration is not None:
        to_send = packets_to_send(request, traffic)
        in_time = (stats["seconds"] or 0) < request.duration if math.isnan(to_send) else sent >= to_send
        return "completed" if in_time else "duration"
    return "completed"
