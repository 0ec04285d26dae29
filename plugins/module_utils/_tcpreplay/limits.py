# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run of tcpreplay should take, and what it must not ask for: what this tcpreplay cannot pace, what does not
fit into memory or into netmap's buffers. Pure."""

from __future__ import annotations

import math

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RatePlan, from_pps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import (
    Traffic,
    expected_seconds,
    packets_to_send,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import TcpreplayRequest

# 64-bit counters hold what was sent times a constant. When they wrap, the run goes on unpaced (calc_sleep_time() in
# src/send_packets.c; issues 679, 779 and 974 of upstream). First version that no longer has it; packets for --pps; bits
# for --mbps.
_WRAPS = (((4, 5, 0), 2**64 // 3_600_000_000, None), ((4, 5, 3), 2**64 // 3_600_000_000_000, 2**64 // 10**9))
# Before 4.5.0 --mbps does not wrap: after so many bits it paces by milliseconds instead of microseconds.
_COARSE_BITS = 2**44
# For estimates that must not be too short, in packets a second: what any host reads into memory or sends.
_SLOWEST_PRELOAD = 200_000
_SLOWEST_SENDER = 10_000
# Memory of a preloaded frame besides its bytes: PACKET_HEADROOM of src/defines.h, its header, malloc's header.
_PRELOAD_OVERHEAD = 512 + 80
_LARGEST_RING = 4096  # slots: of the known drivers, by `ethtool -g`
_XDP_RING = 2048


def start_to_end(request: TcpreplayRequest, plan: RatePlan, traffic: Traffic, netmap_delay: int = 0) -> float:
    """How many seconds the program should run; infinity where only its own speed tells."""
    # At top speed the clock is looked at between two files only.
    late = traffic.longest_file / _SLOWEST_SENDER if request.rate_form == "topspeed" else 0.0
    seconds = expected_seconds(request, plan, traffic, late)
    if request.preload:
        seconds += traffic.packets / _SLOWEST_PRELOAD
    # netmap: a second and the delay on opening, the delay again on closing (src/common/netmap.c).
    return seconds + (1 + 2 * netmap_delay if request.injection_method == "netmap" else 0)


def in_flight(injection_method: str | None, frame: float, ring: int | None, socket_buffer: int) -> int:
    """How many frames may have been handed over but not be on the line yet.

    With the kernel: what the socket's buffer holds (sk_sndbuf; a frame is charged to it until the driver has sent it),
    in the queue or in the ring. Measured behind a tbf of 1 Mbit/s: 163 of 60 bytes and 64 of 1514, where this says 277
    and 120. Other methods: the ring, and before it af_xdp's own of 2048 (XSK_RING_PROD__DEFAULT_NUM_DESCS).

    :param frame: mean bytes; ``ring``: the slots of the port's ring, None if unknown; ``socket_buffer``: its bytes.
    """
    if injection_method == "pf_packet":
        # struct sk_buff takes 256 bytes; frame, headroom and skb_shared_info together 512 at least (SKB_TRUESIZE).
        return math.ceil(socket_buffer / max(768, frame + 256))
    return (ring or _LARGEST_RING) + (_XDP_RING if injection_method == "af_xdp" else 0)


def check_buffers(request: TcpreplayRequest, traffic: Traffic, netmap_buffer: int = 2048) -> None:
    """Refuse frames that are longer than netmap's buffers: it cuts them there, and sends them with their full length
    all the same."""
    if traffic.largest > netmap_buffer:
        raise TrafficgenError(
            f"netmap would cut frames of {traffic.largest} bytes: its buffers have {netmap_buffer}",
            on=request.sender.name,
            remedy="Make smaller frames, or load netmap with a larger buf_size.",
        )


def check_memory(request: TcpreplayRequest, traffic: Traffic, available: int | None, files: int = 0) -> None:
    """Refuse what does not fit into memory, before the kernel kills some process for it: the preloaded frames, and the
    workers' files where the folder for temporary files is in memory.

    :param files: bytes of such files.
    """
    preloaded = traffic.bytes + traffic.packets * _PRELOAD_OVERHEAD if request.preload else 0
    needed = preloaded + files
    if available is None or needed <= available:
        return
    raise TrafficgenError(
        f"would take {needed / 1e6:.0f} MB of memory for {traffic.packets} packets, and {available / 1e6:.0f} MB"
        " are available",
        on=f"workers {request.workers}" if files else "preload",
        remedy=f"{'Let TMPDIR name a folder on a disk, set' if files else 'Set'} preload: false, or send smaller pcaps"
        " with loop.",
    )


def check_pacing(
    request: TcpreplayRequest, plan: RatePlan, traffic: Traffic, release: tuple[int, int, int]
) -> str | None:
    """Refuse a run too long for this tcpreplay to pace. Returns a warning, or None, for one that it paces coarsely at
    the end."""
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
