# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's entry in a result: the host and its traffic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
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
) -> dict[str, Any]:
    """A host's entry in the result, from facts, modules' results (interface_counters_info, tcpreplay_info, netmap_info)
    and tuned-adm's output. ``tcpreplay``: None for a test that does not use it."""
    processor = facts.get("processor") or []
    guest = facts.get("virtualization_role") == "guest"
    interface = link["interface"]
    on_netmap = (netmap.get("interfaces") or {}).get(interface) or {}
    pause = link["flow_control"]
    count = facts.get("processor_vcpus") or facts.get("processor_nproc")
    return {
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
        "tcpreplay": tcpreplay
        and {
            "version": tcpreplay["version"],
            "executable": tcpreplay["path"],
            "netmap": tcpreplay["netmap"]["usable"],
        },
        "netmap": {"loaded": netmap["loaded"], "commit": netmap.get("commit"), "mode": on_netmap.get("mode")},
        "clock": clock or {"offset_seconds": 0.0, "uncertainty_seconds": None},
    }


def netmap_of(tcpreplay: Mapping[str, Any] | None, netmap: Mapping[str, Any]) -> dict[str, Any]:
    """``{usable, reason}``: whether a host can send through netmap, and why not."""
    if tcpreplay is None:
        return {"usable": False, "reason": "this test does not use tcpreplay"}
    if tcpreplay["netmap"]["usable"] is False:
        return {"usable": False, "reason": f"tcpreplay {tcpreplay['version']}: {tcpreplay['netmap']['reason']}"}
    if not netmap["loaded"]:
        return {"usable": False, "reason": netmap.get("problem") or "netmap is not loaded"}
    return {"usable": True, "reason": ""}


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
        **{key: found.get(key) for key in ("packets", "bytes", "flows", "sha256")},
        "streams": one["streams"],
        "path": path,
        "source_macs": found.get("source_macs"),
    }
