# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's entry in a result: the host and its traffic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK as LARGEST
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import may_ask
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import sizes


def host(
    *,
    facts: Mapping[str, Any],
    link: Mapping[str, Any],
    tcpreplay: Mapping[str, Any] | None,
    netmap: Mapping[str, Any],
    netns: str | None = None,
    link_speed_mbps: Any = None,
    cpu_list: str | None = None,
    tuned: str = "",
    clock: Mapping[str, Any] | None = None,
    receiver: Mapping[str, Any] | None = None,
    end: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A host's entry in the result, from facts, modules' results (interface_counters_info, tcpreplay_info, netmap_info)
    and tuned-adm's output. ``tcpreplay``: None for a test that does not use it. ``end``: of a pair, with its
    direction and machine."""
    processor = facts.get("processor") or []
    guest = facts.get("virtualization_role") == "guest"
    interface = link["interface"]
    on_netmap = (netmap.get("interfaces") or {}).get(interface) or {}
    pause = link["flow_control"]
    count = facts.get("processor_vcpus") or facts.get("processor_nproc")
    return {
        **{key: (end or {}).get(key) for key in ("pair", "direction", "machine")},
        "interface": {
            "name": interface,
            "netns": netns or None,
            "driver": link["driver"],
            "bus_info": link["bus_info"],
            "link_speed_mbps": int(link_speed_mbps) if link_speed_mbps else link["speed_mbps"],
            "mtu": link["mtu"],
            "mac_address": link["mac_address"],
            "rings": link["ring_sizes"],
            "pause": pause and {side: "on" if value else "off" for side, value in pause.items()},
        },
        "receiver": _described(receiver),
        "kernel": facts.get("kernel"),
        "distribution": f"{facts.get('distribution', '?')} {facts.get('distribution_version', '')}".strip(),
        # for each CPU: number, vendor, model; fewer on some architectures
        "cpu": {
            "model": processor[2] if len(processor) > 2 else (processor[-1] if processor else None),
            "count": count,
        },
        "memory_mb": facts.get("memtotal_mb"),
        "virtualization": facts.get("virtualization_type") if guest else None,
        "tuned_profile": parse_tuned(tuned),
        "cpu_list": cpu_list or None,
        "tcpreplay": {
            "version": tcpreplay["version"],
            "executable": tcpreplay["path"],
            "netmap": tcpreplay["netmap"]["usable"],
        }
        if tcpreplay
        else None,
        "netmap": {"loaded": netmap["loaded"], "commit": netmap.get("commit"), "mode": on_netmap.get("mode")},
        "clock": clock or {"offset_seconds": 0.0, "uncertainty_seconds": None},
    }


def methods_of(
    *, tcpreplay: Mapping[str, Any] | None, netmap: Mapping[str, Any], xdp: Mapping[str, Any] | None, largest: int = 0
) -> dict[str, dict[str, Any]]:
    """For netmap and af_xdp ``{usable, reason, takes, most, why_most}``: whether a host can send by it, why not,
    whether that takes the port for itself, and how many workers it can have (None where that is not known) for what
    reason. From what modules returned (tcpreplay_info, netmap_info, xdp_info).

    :param tcpreplay: None for a test that does not use it.
    :param xdp: what the module xdp_info returned, also if that is an error; None for a test that does not use it.
    :param largest: bytes of the largest frame, where it is known.
    """
    why_not = {"netmap": _why_no_netmap(tcpreplay, netmap), "af_xdp": _why_no_af_xdp(xdp or {}, largest)}
    found = (xdp or {}).get("xdp_info") or {}
    takes = {"netmap": True, "af_xdp": bool(found.get("zero_copy")) and may_ask("auto", found.get("driver"))}
    most = {"netmap": _most_by_netmap(tcpreplay, netmap), "af_xdp": _most_by_af_xdp(found)}
    return {
        name: {"usable": not why, "reason": why, "takes": takes[name], "most": most[name][0], "why_most": most[name][1]}
        for name, why in why_not.items()
    }


def _most_by_netmap(tcpreplay: Mapping[str, Any] | None, netmap: Mapping[str, Any]) -> tuple[int | None, str]:
    if tcpreplay and tcpreplay["netmap"].get("rings") != "all":
        return 1, (
            f"{tcpreplay['path']} is not known to send on more than the first ring. The role tcpreplay builds one that"
            " does (tcpreplay_ring_fix: true)"
        )
    ways = ("tx_rings", "rx_rings")  # tcpreplay uses a ring to send only if one to receive has its number, too
    rings = [min(one.get(way) or 0 for way in ways) for one in (netmap.get("interfaces") or {}).values()]
    return (rings[0], f"its port has {rings[0]} of netmap's rings for both directions") if any(rings) else (None, "")


def _most_by_af_xdp(found: Mapping[str, Any]) -> tuple[int | None, str]:
    queues = (found.get("queues") or {}).get("tx")
    return (queues, f"{found['interface']} has {queues} to send on") if queues else (None, "")


def _why_no_netmap(tcpreplay: Mapping[str, Any] | None, netmap: Mapping[str, Any]) -> str:
    if tcpreplay is None:
        return "this test does not use tcpreplay"
    if tcpreplay["netmap"]["usable"] is False:
        return f"tcpreplay {tcpreplay['version']}: {tcpreplay['netmap']['reason']}"
    return "" if netmap["loaded"] else netmap.get("problem") or "netmap is not loaded"


def _why_no_af_xdp(looked: Mapping[str, Any], largest: int) -> str:
    found = looked.get("xdp_info")
    if not found:
        return str(looked.get("msg") or "this test does not use it")
    if not found["architecture_usable"]:
        return f"xdp_replay sends on x86_64 alone, and this is {found['architecture']}"
    if not found["af_xdp"]:
        return f"the kernel {found['kernel']} has no AF_XDP (CONFIG_XDP_SOCKETS)"
    if found["netmap"]:
        return f"netmap uses {found['interface']}"
    for one in found["sockets"] or ():
        if one["queue"] == 0:
            who = ", ".join(f"{process['name']} ({process['pid']})" for process in one["processes"])
            return f"another AF_XDP socket is on queue 0 of {found['interface']}" + (f", of {who}" if who else "")
    if largest > LARGEST:
        return f"a frame has {largest} bytes, and xdp_replay sends at most {LARGEST}"
    return ""


def _described(receiver: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not receiver or receiver.get("kind", "none") == "none":
        return None
    by = "command" if receiver["kind"] == "command" else "test frames"
    return {
        **{key: receiver.get(key) or None for key in ("host", "interface", "netns", "command", "name")},
        "counted_by": by,
    }


def parse_tuned(text: str) -> str | None:
    """The profile that ``tuned-adm active`` names; None without tuned or a profile."""
    found = re.search(r"^Current active profile: (\S+)", text, re.MULTILINE)
    return found[1] if found else None


def describe_traffic(one: Mapping[str, Any], found: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A host's traffic, from the request and the result of pcap or pcap_info."""
    if not found["packets"]:
        raise TrafficgenError(
            "has no packets in it", on=path, remedy="Make it again, as with wirespeed.trafficgen.pcap."
        )
    return {
        "name": one["name"],
        **sizes(one, found["sizes"]),
        **{key: found.get(key) for key in ("packets", "bytes", "flows", "sha256", "marks")},
        "streams": one["streams"],
        "path": path,
        "source_macs": found.get("source_macs"),
    }
