# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run through AF_XDP will do: kernel, queues and netmap are looked at, and what cannot be is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import xdp
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import expected_seconds
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Found, Plan, look, time_limit
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK, check_machine
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.request import XdpRequest
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, check_stream


@dataclass(frozen=True)
class XdpPlan(Plan):
    """A run through AF_XDP that may begin."""

    request: XdpRequest
    stream: XdpStream


def make_plan(
    request: XdpRequest, pcaps: Sequence[OpenedPcap], warn: Callable[[str], None], link_limit: float | None = None
) -> XdpPlan:
    """Look at everything the run needs, and refuse what would go wrong.

    :param pcaps: those of the request, opened.
    :param link_limit: seconds for a link that is coming up; 10 by default, where nobody has used the port just now.
    """
    check_machine()
    if not xdp.has_af_xdp():
        raise TrafficgenError(
            "has no AF_XDP (CONFIG_XDP_SOCKETS)",
            on=f"this kernel, {os.uname().release}",
            remedy="Use the module tcpreplay, or another kernel.",
        )
    found = look(request, pcaps, warn, link_limit)
    _check_netmap(found, warn)
    _check_chunk(found)
    stream = XdpStream(
        pcaps=pcaps,
        loop=request.loop,
        limit=request.limit,
        duration=request.duration,
        pps=found.rate.pps,
        multiplier=_multiplier(found),
        workers=_workers(request),
        split=request.split,
        burst=request.burst,
    )
    check_stream(stream)
    expected = expected_seconds(request, found.rate, found.traffic)
    return XdpPlan(**vars(found), expected=expected, timeout=time_limit(request, expected), stream=stream)


def _multiplier(found: Found) -> float | None:
    """Of the recorded speed; None with a rate, and at top speed."""
    if found.request.rate_form is None:
        return 1.0
    return found.rate.asked if found.request.rate_form == "multiplier" else None


def _workers(request: XdpRequest) -> int:
    """How many workers send: one a queue."""
    name, netns = request.sender
    queues = xdp.queues(request.sender, read_link(request.sender))["tx"] or 1
    if request.workers is None:
        return min(queues, len(request.cpus or os.sched_getaffinity(0)))
    if request.workers > queues:
        inside = f"ip netns exec {netns} " if netns else ""
        raise TrafficgenError(
            f"{name} has {queues} {'queue' if queues == 1 else 'queues'} to send on, but each worker needs one",
            on=f"workers {request.workers}",
            remedy=f"Set workers to {queues} or fewer, or give the port more queues: `{inside}ethtool -L {name}"
            f" combined {request.workers}` (on a veth `tx {request.workers}`).",
        )
    return request.workers


def _check_netmap(found: Found, warn: Callable[[str], None]) -> None:
    """Refuse a port that netmap has: what is sent on it would go nowhere."""
    sender: Interface = found.request.sender
    has = xdp.has_netmap(found.nic.qdisc)
    if has:
        raise TrafficgenError(
            "netmap uses the interface",
            on=sender.name,
            remedy="Stop what uses netmap on it, or send with the module tcpreplay.",
        )
    if has is None and found.link["driver"] not in ("veth", "lo"):
        warn(
            f"netmap is in use on this host. If it uses {sender.name} through a native driver, no frame can leave here."
        )


def _check_chunk(found: Found) -> None:
    if found.traffic.largest > CHUNK:
        raise TrafficgenError(
            f"a frame of {found.traffic.largest} bytes is longer than the {CHUNK} that AF_XDP sends at most",
            on=found.request.sender.name,
            remedy="Make smaller frames, or send them with the module tcpreplay.",
        )
