# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between two snapshots of an interface, and whether the two belong together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

_SNAPSHOT_KEYS = (
    *("interface", "ifindex", "boot_id", "driver", "kernel", "ethtool", "mac", "host_drops", "test_frames"),
    *("carrier_changes", "merging", "monotonic"),
)


def delta(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What happened on an interface between two snapshots.

    A counter that went backwards was reset, so its count is unknown: it becomes None and is named in ``resets``.

    :raises TrafficgenError: they are not of one interface, in this order, within one boot of one host.
    """
    check_pair(before, after)
    seconds = after["monotonic"] - before["monotonic"]
    resets: set[str] = set()

    def difference(
        old: Mapping[str, int | None], new: Mapping[str, int | None], prefix: str = ""
    ) -> dict[str, int | None]:
        differences: dict[str, int | None] = {}
        for name, value in new.items():
            earlier = old.get(name, 0)
            if value is None or earlier is None:
                differences[name] = None
                continue
            change = value - earlier
            differences[name] = change if change >= 0 else None
            if change < 0:
                resets.add(prefix + name)
        return differences

    kernel = difference(before["kernel"], after["kernel"])
    # ethtool -S also has values that are no counters and may fall.
    ethtool = {
        name: value - before["ethtool"][name] if value >= before["ethtool"][name] else None
        for name, value in after["ethtool"].items()
        if name in before["ethtool"] and value != before["ethtool"][name]
    }
    mac: dict[str, Any] = {"reason": after["mac"]["reason"] or before["mac"]["reason"]}
    for side in ("tx", "rx"):
        old, new = before["mac"][side], after["mac"][side]
        mac[side] = None
        if old and new and old["source"] == new["source"]:
            change = new["packets"] - old["packets"]
            if change < 0:
                resets.add(new["source"])
                mac["reason"] = (
                    f"{new['source']} went backwards, from {old['packets']} to {new['packets']}: the port was reset in"
                    " between"
                )
                continue
            size = None if old["bytes"] is None or new["bytes"] is None else new["bytes"] - old["bytes"]
            mac[side] = {**new, "packets": change, "bytes": size if size is None or size >= 0 else None}
    frames = None
    old, new = before["test_frames"], after["test_frames"]
    if old and new:
        if old["table"] != new["table"] or old["handle"] != new["handle"] or new["packets"] < old["packets"]:
            raise TrafficgenError("the frame counter is not the same one before and after", on=after["interface"])
        # Counters of 0.1.0 have packets only.
        counts = [name for name in ("packets", "layer3_bytes", "others") if name in old and name in new]
        frames = {**new, **{name: new[name] - old[name] for name in counts}}
    drops = difference(before["host_drops"], after["host_drops"], "host_drops.")
    return {
        "seconds": seconds,
        "kernel": kernel,
        "ethtool": ethtool,
        "mac": mac,
        "test_frames": frames,
        "host_drops": drops,
        "carrier_changes": after["carrier_changes"] - before["carrier_changes"],
        "resets": sorted(resets),
        "rates": _rates(seconds, kernel, mac, frames),
    }


def _rates(
    seconds: float, kernel: Mapping[str, Any], mac: Mapping[str, Any], frames: Mapping[str, Any] | None
) -> dict[str, float | None]:
    """pps and frame Mbps (no FCS, preamble or gap) of the kernel's counters; pps of the MAC's and of the test
    frames."""

    def per_second(value: float | None, unit: float = 1.0) -> float | None:
        return None if value is None or seconds <= 0 else value * unit / seconds

    rates: dict[str, float | None] = {}
    for side in ("rx", "tx"):
        rates[f"{side}_pps"] = per_second(kernel[f"{side}_packets"])
        rates[f"{side}_mbps"] = per_second(kernel[f"{side}_bytes"], 8 / 1e6)
        rates[f"mac_{side}_pps"] = per_second(mac[side]["packets"] if mac[side] else None)
    rates["test_frames_pps"] = per_second(frames["packets"] if frames else None)
    return rates


def check_snapshot(value: object, name: str) -> None:
    """Raise :class:`TrafficgenError` unless ``value`` is what interface_counters_info returns."""
    missing = [key for key in _SNAPSHOT_KEYS if not isinstance(value, Mapping) or key not in value]
    if missing:
        raise TrafficgenError(
            "not a result of interface_counters_info",
            on=name,
            said=f"it has no {', '.join(missing)}",
            remedy="Register the task's result and pass that.",
        )


def check_pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise :class:`TrafficgenError` unless both are snapshots of one interface, in this order, within one boot of one
    host."""
    check_snapshot(before, "before")
    check_snapshot(after, "after")
    on = f"{after['interface']}" + (f" in {after.get('netns')}" if after.get("netns") else "")
    if before["boot_id"] != after["boot_id"]:
        raise TrafficgenError(
            "the earlier counters are of another host, or from before a reboot",
            on=on,
            remedy="Take both on the same host, without a reboot in between.",
        )
    for key, what in (
        ("interface", "another interface"),
        ("netns", "another network namespace"),
        ("ifindex", "an interface replaced since"),
    ):
        if before.get(key) != after.get(key):
            raise TrafficgenError(
                f"the earlier counters are of {what}",
                on=on,
                said=f"{key} {before.get(key)!r}, now {after.get(key)!r}",
                remedy="Take both on the same interface.",
            )
    if after["monotonic"] < before["monotonic"]:
        raise TrafficgenError(
            "the earlier counters are newer than the later ones", on=on, remedy="Swap before and after."
        )
