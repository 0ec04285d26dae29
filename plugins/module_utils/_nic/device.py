# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device behind an interface: its driver, its place on the bus, the line's speed, its offloads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import (
    read_driver,
    read_features,
    read_speed,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

# Drivers of hypervisors: the speed they report is not a line's.
_NO_LINE = frozenset(
    {"virtio_net", "vmxnet3", "xen_netfront", "hv_netvsc", "netvsc", "ena", "gve", "vif", "netdevsim", "net_failover"}
)
# PCI vendors of emulated NICs, in the subsystem id: Red Hat (QEMU), VMware, Oracle (VirtualBox).
_EMULATORS = frozenset({0x1AF4, 0x15AD, 0x80EE})
_EMULATED_E1000E = (0x8086, 0x0000)  # the subsystem QEMU gives its e1000e
# Offloads that merge arriving frames into larger ones before the ingress hook counts them.
_MERGING = {"generic-receive-offload": "gro", "large-receive-offload": "lro", "rx-gro-hw": "rx-gro-hw"}
# The part of a snapshot that stays the same as long as the interface exists.
DEVICE_KEYS = ("driver", "bus_info", "speed_mbps", "merging")


def table_driver(driver: str | None) -> str:
    """The driver to look up in a table: netmap's patched copy (``e1000-netmap``, configure's ``--driver-suffix``)
    counts as the original."""
    return re.sub(r"[-_]netmap$", "", driver or "")


def find_driver(state: Mapping[str, Any], netns: str | None, root: str = "/sys") -> str | None:
    """The driver of an interface as the kernel knows it. ``state``: what ``read_link`` returned."""
    return _identify(state, netns, root)[1]


def device_of(state: Mapping[str, Any], netns: str | None, root: str) -> tuple[dict[str, Any], Path | None]:
    """The values of ``DEVICE_KEYS`` for an interface, and its device's folder below /sys."""
    interface = Interface(state["ifname"], netns)
    device, driver, bus_info = _identify(state, netns, root)
    no_line = device is None or table_driver(driver) in _NO_LINE or _emulated(device, driver)
    speed = None if no_line else read_speed(interface)
    return {
        "driver": driver,
        "bus_info": bus_info,
        "speed_mbps": speed,
        "merging": merging_offloads(interface),
    }, device


def merging_offloads(interface: Interface) -> list[str]:
    """The offloads that are on and merge arriving frames."""
    on, _wanted = read_features(interface)
    return [short for name, short in _MERGING.items() if name in on]


def _identify(state: Mapping[str, Any], netns: str | None, root: str) -> tuple[Path | None, str | None, str | None]:
    """The device, its driver, and its place on the bus."""
    said, bus_info = read_driver(Interface(state["ifname"], netns))
    device = device_folder(state, netns, bus_info or None, root)
    return device, _driver(device, said, state), bus_info or None


def device_folder(state: Mapping[str, Any], netns: str | None, bus_info: str | None, root: str) -> Path | None:
    """The device behind the interface below /sys, None for a virtual one.

    /sys/class/net shows the namespace it was mounted in, not the interface's; /sys/bus shows every device.
    """
    if netns is None:
        own = Path(root, "class/net", state["ifname"], "device")
        return own if own.exists() else None
    if state.get("parentbus") and state.get("parentdev"):
        return Path(root, "bus", state["parentbus"], "devices", state["parentdev"])
    pci = Path(root, "bus/pci/devices", bus_info) if bus_info else None
    return pci if pci and pci.exists() else None


def _driver(device: Path | None, said: str, state: Mapping[str, Any]) -> str | None:
    """The driver as the kernel knows it: netmap's copy of e1000 calls itself e1000 in ethtool, and e1000-netmap in
    /sys."""
    if device and (device / "driver").exists():
        linked = (device / "driver").resolve().name
        if table_driver(linked) == said or not said:
            return linked
    if said:
        return said
    if state.get("link_type") == "loopback":
        return "lo"
    kind: str | None = state.get("linkinfo", {}).get("info_kind")
    return kind


def _emulated(device: Path, driver: str | None) -> bool:
    """Whether the NIC is emulated: told by its PCI subsystem."""
    try:
        vendor = int(read_text(device / "subsystem_vendor"), 16)
        subsystem = int(read_text(device / "subsystem_device"), 16)
    except ValueError:
        return False
    return vendor in _EMULATORS or (table_driver(driver) == "e1000e" and (vendor, subsystem) == _EMULATED_E1000E)


def miscounts(device: Path | None, driver: str | None) -> bool:
    """Whether the port's count of missed frames is wrong. The e1000 driver sums up a register that a real NIC clears on
    reading. QEMU's does not, so the sum grows every two seconds without any frame. QEMU's igb counts none at all: a
    frame that finds no buffer waits before the port until there is one, or the port is reset."""
    return device is not None and table_driver(driver) in ("e1000", "igb") and _emulated(device, driver)
