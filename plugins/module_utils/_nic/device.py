# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device behind an interface: its driver, its place on the bus, the line's speed, its offloads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_driver
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
    """The driver of an interface as the kernel knows it. ``state``: what ``ip_link`` returned."""
    return _identify(state, netns, root)[1]


def device_of(state: Mapping[str, Any], netns: str | None, root: str) -> tuple[dict[str, Any], Path | None]:
    """The values of ``DEVICE_KEYS`` for an interface, and its device's folder below /sys."""
    interface = Interface(state["ifname"], netns)
    device, driver, bus_info = _identify(state, netns, root)
    there, settings = ask_ethtool(interface)
    speed = _speed(device, driver, settings if there else None)
    merging = _merging(ask_ethtool(interface, "-k")[1])
    return {"driver": driver, "bus_info": bus_info, "speed_mbps": speed, "merging": merging}, device


def _identify(state: Mapping[str, Any], netns: str | None, root: str) -> tuple[Path | None, str | None, str | None]:
    """The device, its driver, and its place on the bus."""
    said, bus_info = read_driver(Interface(state["ifname"], netns))
    device = device_folder(state, netns, bus_info or None, root)
    return device, _driver(device, said, state), bus_info or None


def ask_ethtool(interface: Interface, *question: str) -> tuple[bool, str]:
    """Whether ethtool is installed, and what it printed: nothing where the device does not support the query."""
    try:
        done = run(["ethtool", *question, interface.name], netns=interface.netns)
    except TrafficgenError as error:
        if error.on == "ethtool":
            return False, ""
        raise
    return True, done.stdout if done.status == 0 else ""


def parse_features(output: str) -> tuple[list[str], dict[str, bool]]:
    """Parse ``ethtool -k``: the features that are on, and for each that can be set whether it is requested. A feature
    that only sums up the indented ones below it is left out.

    ``off [requested on]``: requested, but off as long as another feature that it needs is off.
    """
    on: dict[str, None] = {}
    wanted: dict[str, bool] = {}
    sum_of_others = ""
    for line in output.splitlines():
        found = re.fullmatch(r"(\s*)([\w-]+): (on|off)(?: \[(fixed|requested on|requested off)\])?\s*", line)
        if not found:
            continue
        indent, name, value, note = found.groups()
        if indent and sum_of_others:
            wanted.pop(sum_of_others, None)
            on.pop(sum_of_others, None)
        elif not indent:
            sum_of_others = name
        if value == "on":
            on[name] = None
        if note != "fixed":
            wanted[name] = {"requested on": True, "requested off": False}.get(note or "", value == "on")
    return list(on), wanted


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


def _speed(device: Path | None, driver: str | None, settings: str | None) -> int | None:
    """The line's speed in Mbps. None without a link, and for a virtual NIC, whatever its driver says."""
    if device is None or table_driver(driver) in _NO_LINE or _emulated(device, driver):
        return None
    if settings is None:
        said = read_text(device.parent / "speed") if device.name == "device" else ""
        return int(said) if said.isdigit() and int(said) > 0 else None
    return parse_speed(settings)


def parse_speed(settings: str) -> int | None:
    """The speed in Mbps that ``ethtool IF`` prints; None if unknown."""
    found = re.search(r"^[ \t]*Speed:[ \t]*(\d{1,9})Mb/s", settings, re.MULTILINE)
    return int(found[1]) if found else None


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
    reading. QEMU's does not, so the sum grows every two seconds without any frame."""
    return device is not None and table_driver(driver) == "e1000" and _emulated(device, driver)


def _merging(features: str) -> list[str]:
    on, _wanted = parse_features(features)
    return [short for name, short in _MERGING.items() if name in on]
