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
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route, read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import why_managed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import expected_seconds
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Found, Plan, look, time_limit
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK, check_machine
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.request import XdpRequest
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, check_stream
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import COPY, Asked, decide, may_ask

_RECEIVE = 2048  # buffers for what arrives at a queue, at least


@dataclass(frozen=True)
class XdpPlan(Plan):
    """A run through AF_XDP that may begin."""

    request: XdpRequest
    stream: XdpStream
    asked: Asked

    @property
    def resets(self) -> bool:
        """Many drivers reset the port for zero copy."""
        return self.asked.zero_copy

    @property
    def receive(self) -> int:
        """Buffers for what arrives, of each socket: more than a ring of the port has."""
        if not self.asked.zero_copy:
            return 0
        return max(_RECEIVE, 1 << (self.nic.rings.rx if self.nic.rings else 0).bit_length())


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
    netmap = _check_netmap(found, warn)
    _check_chunk(found)
    asked = _asked(request, found.link["driver"], netmap)
    if asked.warning:
        warn(asked.warning)
    stream = XdpStream(
        pcaps=pcaps,
        loop=request.loop,
        limit=request.limit,
        duration=request.duration,
        pps=found.rate.pps,
        multiplier=_multiplier(found),
        workers=_workers(request, asked),
        split=request.split,
        burst=request.burst,
        marks=request.marks,
    )
    check_stream(stream)
    expected = expected_seconds(request, found.rate, found.traffic)
    return XdpPlan(**vars(found), expected=expected, timeout=time_limit(request, expected), stream=stream, asked=asked)


def _multiplier(found: Found) -> float | None:
    """Of the recorded speed; None with a rate, and at top speed."""
    if found.request.rate_form is None:
        return 1.0
    return found.rate.asked if found.request.rate_form == "multiplier" else None


def _asked(request: XdpRequest, driver: str | None, netmap: bool | None) -> Asked:
    """Whether the sockets are to be bound with zero copy."""
    if not may_ask(request.mode, driver):
        return COPY
    link, managed = read_link(request.sender), ""
    if request.allow_management_interface:  # else it has been refused by now
        with open_route(request.sender.netns) as route:
            managed = why_managed(request.sender, route)
    return decide(
        request.mode,
        request.sender.name,
        driver,
        xdp.features_of(link["ifindex"], request.sender),
        programs=link.get("xdp", []),
        netmap=netmap,
        managed=managed,
    )


def _workers(request: XdpRequest, asked: Asked) -> int:
    """How many workers send: one a queue."""
    name, netns = request.sender
    there = xdp.queues(request.sender, read_link(request.sender))
    queues = there["tx"] or 1
    # Zero copy takes a queue to receive, too. Where copying is allowed, those without one do that.
    if asked.zero_copy and (request.workers is None or not asked.copy):
        queues = min(queues, there["rx"] or 1)
    if request.workers is None:
        return min(queues, len(request.cpus or os.sched_getaffinity(0)))
    if request.workers > queues:
        inside = f"ip netns exec {netns} " if netns else ""
        raise TrafficgenError(
            f"{name} has {queues} {'queue' if queues == 1 else 'queues'} to send on"
            f"{'' if asked.copy else ' without copying'}, but each worker needs one",
            on=f"workers {request.workers}",
            remedy=f"Set workers to {queues}{' or fewer' if queues > 1 else ''}, or give the port more queues:"
            f" `{inside}ethtool -L {name} combined {request.workers}` (on a veth `tx {request.workers}`).",
        )
    return request.workers


def _check_netmap(found: Found, warn: Callable[[str], None]) -> bool | None:
    """Refuse a port that netmap has: what is sent on it would go nowhere. None where it is not known."""
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
    return has


def _check_chunk(found: Found) -> None:
    if found.traffic.largest > CHUNK:
        raise TrafficgenError(
            f"a frame of {found.traffic.largest} bytes is longer than the {CHUNK} that AF_XDP sends at most",
            on=found.request.sender.name,
            remedy="Make smaller frames, or send them with the module tcpreplay.",
        )
