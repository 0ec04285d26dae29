# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run should take, and what it must not ask for: what this tcpreplay cannot pace, what does not fit into
memory or onto the interface. Pure."""

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
    from_pps,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import Request

WITHOUT_END = 3600  # the timeout in seconds where nothing tells when a run should be over
_LATE = 0.1  # seconds by which a common start may be missed
# Counters of 64 bits hold what was sent times a constant: where that wraps, the run goes on unpaced (calc_sleep_time()
# in src/send_packets.c; issues 679, 779 and 974 of upstream). First version that no longer has it; packets for --pps;
# bits for --mbps.
_WRAPS = (((4, 5, 0), 2**64 // 3_600_000_000, None), ((4, 5, 3), 2**64 // 3_600_000_000_000, 2**64 // 10**9))
# Before 4.5.0 --mbps does not wrap: from so many bits on it paces to the millisecond instead of the microsecond.
_COARSE_BITS = 2**44
# For estimates that must not be too short, in packets a second: what any host reads into memory or sends, and what a
# usual one sends by the kernel's path. A rate that is out of reach is often asked for on purpose, to see what is in
# reach.
_SLOWEST_PRELOAD = 200_000
_SLOWEST_SENDER = 10_000
_USUAL_SENDER = 500_000
# What a preloaded frame takes besides its bytes: PACKET_HEADROOM of src/defines.h, its own header, malloc's.
_PRELOAD_OVERHEAD = 512 + 80
_LARGEST_RING = 4096  # slots: of the known drivers, by `ethtool -g`
_XDP_RING = 2048


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
    """How many packets the run sends unless time ends it: infinity for ``loop: 0``, NaN where ``extra_args`` choose
    among them."""
    if request.extra.selects:
        return math.nan if request.limit is None else request.limit
    total = traffic.packets * request.loop if request.loop else math.inf
    return total if request.limit is None else min(total, request.limit)


def expected_seconds(request: Request, plan: RatePlan, traffic: Traffic, netmap_delay: int = 0) -> float:
    """How long the run should take, start to end; infinity where only tcpreplay's own speed tells."""
    packets = packets_to_send(request, traffic)
    if math.isnan(packets):
        packets = traffic.packets * request.loop if request.loop else math.inf
    passes: float = packets / traffic.packets
    late = 0.0
    if plan.pps is not None:
        sending = packets / min(plan.pps, _USUAL_SENDER)
    elif request.rate_form == "topspeed":
        sending = math.inf
        # The clock is looked at between two files only.
        late = traffic.longest_file / _SLOWEST_SENDER
    else:
        recorded = max(0.0, traffic.seconds) / (request.rate or 1.0)
        sending = math.inf if math.isinf(passes) else passes * max(recorded, traffic.packets / _USUAL_SENDER)
    if math.isfinite(passes):
        sending += passes * request.extra.loop_delay
    if request.duration is not None:
        sending = min(sending, request.duration + late)
    if request.preload:
        sending += traffic.packets / _SLOWEST_PRELOAD
    # netmap: a second and the delay on opening, the delay again on closing (src/common/netmap.c).
    return sending + (1 + 2 * netmap_delay if request.injection_method == "netmap" else 0)


def default_timeout(expected: float) -> int:
    """The time limit of a run in seconds, where none is given."""
    return math.ceil(expected * 1.5 + 30) if math.isfinite(expected) else WITHOUT_END


def in_flight(injection_method: str | None, frame: float, ring: int | None, socket_buffer: int) -> int:
    """How many frames may have been handed over and not be on the line yet.

    The kernel's path: what the socket's buffer holds (sk_sndbuf; a frame is charged to it until the driver has sent
    it), be that in the queue or the ring. Measured behind a tbf of 1 Mbit/s: 163 of 60 bytes and 64 of 1514, where this
    says 277 and 120. Other ways: the ring, and af_xdp's own of 2048 before it (XSK_RING_PROD__DEFAULT_NUM_DESCS).

    :param frame: mean bytes; ``ring``: the slots of the port's ring, None where that is not known; ``socket_buffer``:
    its bytes.
    """
    if injection_method == "pf_packet":
        # struct sk_buff takes 256 bytes; frame, headroom and skb_shared_info together 512 at least (SKB_TRUESIZE).
        return math.ceil(socket_buffer / max(768, frame + 256))
    return (ring or _LARGEST_RING) + (_XDP_RING if injection_method == "af_xdp" else 0)


def check_start(start_at: float | None, now: float, timeout: float) -> None:
    """Refuse a start that is over, or so far away that it can only be a mistake."""
    if start_at is None:
        return
    if start_at < now:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s",
            on=f"start_at {start_at:.3f}",
            remedy="Give a later time, and see that the clocks of the hosts agree.",
        )
    if start_at > now + timeout:
        raise TrafficgenError(
            f"is {start_at - now:.0f} s away, further than timeout ({timeout:g} s)",
            on=f"start_at {start_at:.3f}",
            remedy="Give an earlier time or a longer timeout; it takes seconds since the epoch.",
        )


def check_ready(start_at: float, now: float) -> None:
    """Refuse to send at another time than the common one: what others sent meanwhile would be taken for this run's
    company."""
    if now - start_at > _LATE:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s, and only now is the interface ready to send",
            on=f"start_at {start_at:.3f}",
            remedy="Give a later time.",
        )


def longest_untagged(mtu: int) -> int:
    """The bytes of the longest frame without a VLAN tag that an interface of this MTU takes."""
    return mtu + ETHERNET_HEADER


def check_frames(
    request: Request, traffic: Traffic, mtu: int, *, tagged: bool = False, netmap_buffer: int = 2048
) -> None:
    """Refuse frames the interface cannot send whole.

    packet_snd() of the kernel (net/packet/af_packet.c) takes the MTU, the Ethernet header, and a tag more for a VLAN's
    frame. netmap cuts a frame at its buffer and sends it with its full length all the same.

    :param tagged: every frame longer than :func:`longest_untagged` has a VLAN tag.
    """
    most = longest_untagged(mtu) + (VLAN_TAG if tagged else 0)
    if request.injection_method == "netmap":
        if traffic.largest > netmap_buffer:
            raise TrafficgenError(
                f"netmap would cut frames of {traffic.largest} bytes: its buffers have {netmap_buffer}",
                on=request.sender.name,
                remedy="Make smaller frames, or load netmap with a larger buf_size.",
            )
    elif traffic.largest > most:
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


def check_memory(request: Request, traffic: Traffic, available: int | None) -> None:
    """Refuse to preload what does not fit into the memory, before the kernel ends some process for it."""
    needed = traffic.bytes + traffic.packets * _PRELOAD_OVERHEAD
    if request.preload and available is not None and needed > available:
        raise TrafficgenError(
            f"would take {needed / 1e6:.0f} MB of memory for {traffic.packets} packets, and {available / 1e6:.0f} MB"
            " are available",
            on="preload",
            remedy="Set preload: false, or send smaller pcaps with loop.",
        )


def check_pacing(request: Request, plan: RatePlan, traffic: Traffic, release: tuple[int, int, int]) -> str | None:
    """Refuse a run longer than this tcpreplay can pace; a warning, or None, for one that it paces coarsely in the
    end."""
    if plan.pps is None:
        return None
    packets = packets_to_send(request, traffic)
    if request.duration is not None:
        packets = plan.pps * request.duration if math.isnan(packets) else min(packets, plan.pps * request.duration)
    most_packets, most_bits = next((limits for fixed, *limits in _WRAPS if release < fixed), (None, None))
    if request.rate_form == "pps" and most_packets is not None and packets > most_packets:
        raise TrafficgenError(
            f"this tcpreplay loses the pace after {most_packets} packets"
            f" (https://github.com/appneta/tcpreplay/issues/779), and the run may send {packets:.0f}",
            on=f"pps {request.rate:g}",
            remedy=(
                f"Send fewer, install 4.5.3 or later, or ask for mbps: {from_pps(plan.pps, 'mbps', traffic.size):.6f},"
                " the same rate."
            ),
        )
    bits = packets * traffic.size.frame * 8
    if request.rate_form == "pps":
        return None
    if most_bits is not None and bits > most_bits:
        raise TrafficgenError(
            f"this tcpreplay loses the pace after {most_bits} bits of frames"
            f" (https://github.com/appneta/tcpreplay/issues/974), and the run may send {bits:.0f}",
            on=f"{request.rate_form} {request.rate:g}",
            remedy="Send fewer, or install 4.4.2 (role wirespeed.trafficgen.tcpreplay), or 4.5.3 and later.",
        )
    if release < (4, 5, 0) and bits > _COARSE_BITS:
        return (
            f"after {_COARSE_BITS / 8 / traffic.size.frame / plan.pps:.0f} s this tcpreplay paces to the millisecond"
            " only: the rate stays, but comes in bursts."
        )
    return None
