# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will do: everything it needs is looked at, what would go wrong is refused, nothing is changed. The part
that all engines share."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.guard import guard
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings, check_settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import (
    PcapSummary,
    all_tagged,
    repeated_frames,
    summarize,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RatePlan, Size, plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import (
    Traffic,
    check_frames,
    check_start,
    default_timeout,
    longest_untagged,
    packets_to_send,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.pcap import check_pcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import Request, parse_cpus

SHORT_LINK_LIMIT = 10.0  # seconds for a link that is coming up where nobody has used the port just now


@dataclass(frozen=True)
class Found:
    """What was asked for, what the pcaps and interfaces were found to be, and the rate that follows."""

    request: Request
    pcaps: Sequence[OpenedPcap]
    summaries: list[PcapSummary]
    traffic: Traffic
    link: dict[str, Any]
    link_speed_mbps: int | None
    rx_link: dict[str, Any] | None
    nic: NicState
    settings: Settings
    rate: RatePlan


@dataclass(frozen=True)
class Plan(Found):
    """A run that may begin. ``expected``: seconds it should take; ``timeout``: after which it is ended."""

    expected: float
    timeout: float

    @property
    def netmap(self) -> bool:
        """It is sent through netmap."""
        return False

    @property
    def resets(self) -> bool:
        """The engine may reset the port, whatever the settings are, both when it takes it and when it lets it go."""
        return self.netmap


def look(
    request: Request,
    pcaps: Sequence[OpenedPcap],
    warn: Callable[[str], None],
    link_limit: float | None = None,
    *,
    netmap: bool = False,
) -> Found:
    """Look at the pcaps and the interfaces of a run, and refuse what no engine could send.

    :param pcaps: those of the request, opened.
    :param link_limit: seconds for a link that is coming up; 10 by default, where nobody has used the port just now.
    :param netmap: the frames go through netmap, which does not ask for the MTU.
    """
    summaries = [
        summarize(one.path, flows=False, source_macs=request.receiver is not None, opened=one.file) for one in pcaps
    ]
    for one in summaries:
        for text in check_pcap(one, recorded_speed=request.rate_form in (None, "multiplier")):
            warn(text)
    traffic = _traffic(summaries)
    link = _settled_link(request, SHORT_LINK_LIMIT if link_limit is None else link_limit)
    _check_link(link, request)
    rx_link = None
    if request.receiver is not None:
        rx_link = snapshot(request.receiver)
        _check_receiver(rx_link, link)
    if not request.allow_management_interface:
        guard(request.sender)
    nic, settings = state.read(request.sender), _settings(request, netmap=netmap)
    check_settings(nic, settings, request.sender)
    speed = request.link_speed_mbps or link["speed_mbps"]
    rate = plan_rate(
        request.rate_form,
        True if request.rate_form == "topspeed" else request.rate,
        _size_to_send(request, traffic, summaries, pcaps),
        speed,
        strict=request.strict_rate,
    )
    if not netmap:
        untagged = longest_untagged(link["mtu"])
        tagged = all(
            max(one.sizes) <= untagged or all_tagged(one.path, untagged, pcap.file)
            for one, pcap in zip(summaries, pcaps)
        )
        check_frames(request, traffic, link["mtu"], tagged=tagged)
    return Found(
        request=request,
        pcaps=pcaps,
        summaries=summaries,
        traffic=traffic,
        link=link,
        link_speed_mbps=speed,
        rx_link=rx_link,
        nic=nic,
        settings=settings,
        rate=rate,
    )


def time_limit(request: Request, expected: float) -> float:
    """The timeout of a run that should take so many seconds; a start that is over, or further away, is refused."""
    timeout = request.timeout or default_timeout(expected)
    check_start(request.start_at, time.time(), timeout)
    return timeout


def _settings(request: Request, *, netmap: bool) -> Settings:
    """What the run changes of its interface. Through netmap the port is reset anyway, by the kernel's path it need not
    be."""
    off = {
        name: value == "off" or (value == "auto" and netmap)
        for name, value in (("offloads", request.offloads), ("flow_control", request.flow_control))
    }
    return Settings(
        offloads_off=off["offloads"],
        flow_control_off=off["flow_control"],
        flow_control_asked=request.flow_control == "off",
        tx_ring_size=request.tx_ring_size,
        rx_ring_size=request.rx_ring_size,
    )


def _settled_link(request: Request, seconds: float) -> dict[str, Any]:
    """The interface's state. After netmap has let go of a port its link takes some seconds to come up, and is waited
    for."""
    link = snapshot(request.sender)
    if link["up"] and not link["carrier"] and link["bus_info"]:
        wait_for_link(request.sender, limit=seconds)
        link = snapshot(request.sender)
    return link


def _traffic(summaries: list[PcapSummary]) -> Traffic:
    return Traffic(
        packets=sum(one.packets for one in summaries),
        bytes=sum(one.bytes for one in summaries),
        wire_bytes=sum(one.wire_bytes or 0 for one in summaries),
        seconds=sum(one.replay_duration for one in summaries),
        largest=max(max(one.sizes) for one in summaries),
        longest_file=max(one.packets for one in summaries),
        sizes=sum((Counter(one.sizes) for one in summaries), Counter()),
    )


def _size_to_send(
    request: Request, traffic: Traffic, summaries: Sequence[PcapSummary], pcaps: Sequence[OpenedPcap]
) -> Size:
    """The mean size of the frames that the run is to send: with ``limit`` those may be the first ones only."""
    packets = packets_to_send(request, traffic)
    if request.selects or not math.isfinite(packets) or len({size for one in summaries for size in one.sizes}) == 1:
        return traffic.size
    frames = repeated_frames(summaries, int(packets), opened=[one.file for one in pcaps])
    return Size(frames.bytes / packets, frames.wire_bytes / packets)


def _check_link(link: Mapping[str, Any], request: Request) -> None:
    name, netns = request.sender
    where = f"{name} in {netns}" if netns else name
    in_ns = f"-n {netns} " if netns else ""
    if not link["up"]:
        raise TrafficgenError(
            "the interface is down", on=where, remedy=f"Bring it up: `ip {in_ns}link set dev {name} up`."
        )
    if not link["carrier"]:
        raise TrafficgenError(
            "the interface has no carrier, so nothing can leave it",
            on=where,
            remedy="Check the cable and the other side.",
        )


def _check_receiver(link: Mapping[str, Any], sender: Mapping[str, Any]) -> None:
    same = (link["ifindex"], link["netns"]) == (sender["ifindex"], sender["netns"])
    if (same or link["driver"] == "lo") and sender["driver"] != "lo":
        raise TrafficgenError(
            "frames sent on an interface do not arrive on it",
            on=f"rx_interface {link['interface']}",
            remedy="Set rx_interface to the interface at the other end of the path, and rx_netns to its namespace.",
        )
    if not link["up"]:
        in_ns = f"-n {link['netns']} " if link["netns"] else ""
        raise TrafficgenError(
            "the receiving interface is down",
            on=link["interface"],
            remedy=f"Bring it up: `ip {in_ns}link set dev {link['interface']} up`.",
        )


def online_cpus(root: str = "/sys") -> frozenset[int]:
    """The CPUs of this host; none where that cannot be read."""
    said = read_text(f"{root}/devices/system/cpu/online")
    return parse_cpus(said, frozenset()) if said else frozenset()
