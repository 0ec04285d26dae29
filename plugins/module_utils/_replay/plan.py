# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will do: everything it needs is looked at, what would go wrong is refused, nothing is changed."""

from __future__ import annotations

import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import find_executable, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import guard
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings, check_settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import (
    OpenedPcap,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import (
    PcapSummary,
    all_tagged,
    repeated_frames,
    summarize,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    RatePlan,
    Size,
    plan_rate,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import (
    Traffic,
    check_frames,
    check_memory,
    check_pacing,
    check_start,
    default_timeout,
    expected_seconds,
    longest_untagged,
    packets_to_send,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.pcap import check_pcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import (
    Request,
    build_argv,
    options_used,
    parse_cpus,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import (
    REMEDY,
    VersionInfo,
    netmap_verdict,
    parse_version,
    require_option,
)

SHORT_LINK_LIMIT = 10.0  # seconds for a link that is coming up where nobody has used the port just now


@dataclass(frozen=True)
class Plan:
    """A run that may begin: what was asked for, what was found, what follows."""

    request: Request
    pcaps: Sequence[OpenedPcap]
    summaries: list[PcapSummary]
    traffic: Traffic
    version: VersionInfo
    injection_method: str | None
    netmap_mode: str | None
    netmap_delay: int
    hold: bool
    link: dict[str, Any]
    link_speed_mbps: int | None
    rx_link: dict[str, Any] | None
    nic: NicState
    settings: Settings
    rate: RatePlan
    argv: list[str]
    timeout: float

    @property
    def netmap(self) -> bool:
        """It is sent through netmap."""
        return self.injection_method == "netmap"


def make_plan(
    request: Request, pcaps: Sequence[OpenedPcap], warn: Callable[[str], None], link_limit: float | None = None
) -> Plan:
    """Look at everything the run needs, and refuse what would go wrong.

    :param pcaps: those of the request, opened.
    :param link_limit: seconds for a link that is coming up; 10 by default, where nobody has used the port just now.
    """
    executable = find_executable(request.executable, REMEDY)
    check_presets(executable)
    answer = run([executable, "--version"])
    version = parse_version(answer.stdout + answer.stderr)
    method = _injection_method(request, version, warn)
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
    nic, settings = state.read(request.sender), _settings(request)
    check_settings(nic, settings, request.sender)
    mode = installed.mode(link["driver"]) if method == "netmap" else None
    hold = method == "netmap" and request.hold
    delay = (
        0 if hold else request.netmap_delay if request.netmap_delay is not None else installed.DELAY.get(mode or "", 0)
    )
    speed = request.link_speed_mbps or link["speed_mbps"]
    rate = plan_rate(
        request.rate_form,
        True if request.rate_form == "topspeed" else request.rate,
        _size_to_send(request, traffic, summaries, pcaps),
        speed,
        strict=request.strict_rate,
    )
    argv = build_argv(request, rate, executable, delay)
    for option in options_used(argv):
        require_option(version, option)
    untagged = longest_untagged(link["mtu"])
    tagged = all(
        max(one.sizes) <= untagged or all_tagged(one.path, untagged, pcap.file) for one, pcap in zip(summaries, pcaps)
    )
    check_frames(request, traffic, link["mtu"], tagged=tagged, netmap_buffer=installed.buffer_size())
    check_memory(request, traffic, _available_memory())
    if request.extra.editing:
        warn(
            f"extra_args change the frames as they are sent (--{', --'.join(request.extra.editing)}): sizes, requested"
            " rates and sha256 are those of the pcaps."
        )
    coarse = check_pacing(request, rate, traffic, version.release)
    if coarse:
        warn(coarse)
    timeout = request.timeout or default_timeout(expected_seconds(request, rate, traffic, delay))
    check_start(request.start_at, time.time(), timeout)
    return Plan(
        request=request,
        pcaps=pcaps,
        summaries=summaries,
        traffic=traffic,
        version=version,
        injection_method=method,
        netmap_mode=mode,
        netmap_delay=delay,
        hold=hold,
        link=link,
        link_speed_mbps=speed,
        rx_link=rx_link,
        nic=nic,
        settings=settings,
        rate=rate,
        argv=argv,
        timeout=timeout,
    )


def _settings(request: Request) -> Settings:
    """What the run changes of its interface. Through netmap the port is reset anyway, by the kernel's path it need not
    be."""
    off = {
        name: value == "off" or (value == "auto" and request.injection_method == "netmap")
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
    if (
        request.extra.selects
        or not math.isfinite(packets)
        or len({size for one in summaries for size in one.sizes}) == 1
    ):
        return traffic.size
    frames = repeated_frames(summaries, int(packets), opened=[one.file for one in pcaps])
    return Size(frames.bytes / packets, frames.wire_bytes / packets)


def _injection_method(request: Request, version: VersionInfo, warn: Callable[[str], None]) -> str | None:
    """The way this tcpreplay sends when asked so. Without --netmap or --xdp it has exactly one, chosen when it was
    built.

    That order is src/common/sendpacket.c's: PF_PACKET on every Linux, unless a build was forced to another.
    """
    asked = request.injection_method
    if asked == "netmap":
        require_option(version, "netmap")
        usable, reason = netmap_verdict(version)
        if usable is False:
            raise TrafficgenError(
                f"the netmap of tcpreplay {version.version} does not work: {reason}", on="injection_method netmap"
            )
        if usable is None:
            warn(f"Whether the netmap of tcpreplay {version.version} works is not known: {reason}.")
        installed.require()
        return asked
    if asked == "af_xdp":
        require_option(version, "xdp")
        return asked
    if asked == "pf_packet" and version.default_injection_method != asked:
        raise TrafficgenError(
            f"this tcpreplay was built to send by {version.default_injection_method}",
            on="injection_method pf_packet",
            remedy="Take injection_method: auto, or another tcpreplay by executable.",
        )
    return version.default_injection_method


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
            "nothing that is sent can arrive there",
            on=f"rx_interface {link['interface']}",
            remedy="Name the interface at the other end of the path, and its namespace by rx_netns.",
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


def _available_memory(proc: str = "/proc") -> int | None:
    """MemAvailable in bytes: what can be had without swapping."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", read_text(f"{proc}/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def check_presets(executable: str) -> None:
    """Refuse a file of presets: tcpreplay takes more options from ``.tcpreplayrc`` in the folder that its name was
    found in."""
    presets = os.path.join(os.path.dirname(executable), ".tcpreplayrc")
    if os.path.lexists(presets):
        raise TrafficgenError(
            "tcpreplay takes options from it that nobody checks",
            on=presets,
            remedy="Remove it, and give the options as parameters.",
        )
