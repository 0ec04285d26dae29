# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a run sends and how long that should take; when it may begin, and which frames its interface cannot send.
Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    ETHERNET_HEADER,
    VLAN_TAG,
    RatePlan,
    Size,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import Request

WITHOUT_END = 3600  # the timeout in seconds where nothing tells when a run should be over
_LATE = 0.1  # seconds by which a common start may be missed
# For estimates that must not be too short, in packets a second: what a usual host sends by the kernel's path. A rate
# that is out of reach is often asked for on purpose, to see what is in reach.
_USUAL_SENDER = 500_000


@dataclass(frozen=True)
class Traffic:
    """What one pass over the pcaps sends. ``longest_file``: packets of the longest of them; ``seconds``: as
    recorded."""

    packets: int
    bytes: int
    wire_bytes: int
    seconds: float
    largest: int
    longest_file: int
    sizes: Mapping[int, int] = field(default_factory=dict)  # frames by size

    @property
    def size(self) -> Size:
        """The mean size of a frame."""
        return Size(self.bytes / self.packets, self.wire_bytes / self.packets)


def packets_to_send(request: Request, traffic: Traffic) -> float:
    """How many packets the run sends unless time ends it: infinity for ``loop: 0``, NaN where options choose among
    them."""
    if request.selects:
        return math.nan if request.limit is None else request.limit
    total = traffic.packets * request.loop if request.loop else math.inf
    return total if request.limit is None else min(total, request.limit)


def expected_seconds(request: Request, plan: RatePlan, traffic: Traffic, late: float = 0.0) -> float:
    """How long it should send, first frame to last; infinity where only the engine's own speed tells.

    :param late: by how much it may miss the end of ``duration``.
    """
    packets = packets_to_send(request, traffic)
    if math.isnan(packets):
        packets = traffic.packets * request.loop if request.loop else math.inf
    passes: float = packets / traffic.packets
    if plan.pps is not None:
        sending = packets / min(plan.pps, _USUAL_SENDER)
    elif request.rate_form == "topspeed":
        sending = math.inf
    else:
        recorded = max(0.0, traffic.seconds) / (request.rate or 1.0)
        sending = math.inf if math.isinf(passes) else passes * max(recorded, traffic.packets / _USUAL_SENDER)
    if math.isfinite(passes):
        sending += passes * request.loop_delay
    return sending if request.duration is None else min(sending, request.duration + late)


def default_timeout(expected: float) -> int:
    """The time limit of a run in seconds, where none is given."""
    return math.ceil(expected * 1.5 + 30) if math.isfinite(expected) else WITHOUT_END


def check_start(start_at: float | None, now: float, timeout: float) -> None:
    """Refuse a start that is over, or so far away that it can only be a mistake."""
    if start_at is None:
        return
    if start_at < now:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s",
            on=f"start_at {start_at:.3f}",
            remedy="Set start_at to a later time, and check that the hosts' clocks agree.",
        )
    if start_at > now + timeout:
        raise TrafficgenError(
            f"is {start_at - now:.0f} s away, further than timeout ({timeout:g} s)",
            on=f"start_at {start_at:.3f}",
            remedy="Set an earlier start_at (in seconds since the epoch) or a longer timeout.",
        )


def check_ready(start_at: float, now: float) -> None:
    """Refuse to send at another time than the common one: what others sent meanwhile would be taken for this run's
    company."""
    if now - start_at > _LATE:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s, but the interface is only ready to send now",
            on=f"start_at {start_at:.3f}",
            remedy="Give a later time.",
        )


def longest_untagged(mtu: int) -> int:
    """The bytes of the longest frame without a VLAN tag that an interface of this MTU takes."""
    return mtu + ETHERNET_HEADER


def check_frames(request: Request, traffic: Traffic, mtu: int, *, tagged: bool = False) -> None:
    """Refuse frames the interface cannot send whole.

    packet_snd() of the kernel (net/packet/af_packet.c) takes the MTU, the Ethernet header, and a tag more for a VLAN's
    frame.

    :param tagged: every frame longer than :func:`longest_untagged` has a VLAN tag.
    """
    most = longest_untagged(mtu) + (VLAN_TAG if tagged else 0)
    if traffic.largest > most:
        larger = sum(frames for size, frames in traffic.sizes.items() if size > most)
        raise TrafficgenError(
            f"its MTU is {mtu}, too small for a frame of {traffic.largest} bytes, and for {larger} of {traffic.packets}"
            " frames in all",
            on=request.sender.name,
            remedy=(
                "Raise the MTU there (and of all on the way), or make smaller frames: MTU + 14 bytes at most. To leave"
                f" them out: `tshark -r IN -Y 'frame.cap_len <= {most}' -F nsecpcap -w OUT` (Wireshark)."
            ),
        )
