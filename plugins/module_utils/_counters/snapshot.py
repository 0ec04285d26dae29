# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's counters and state at one moment: the kernel's counters, ``ethtool -S``, the MAC's own, driver, speed,
carrier, MTU.

What the counters prove, and the differences between two snapshots, are in ``verdict``; the names of the MAC's counters
in ``mac``; the count of test frames in ``frame_counter``.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import (
    OTHERS,
    Arrival,
    Patient,
    wait_for_frames,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import (
    check_pair,
    check_snapshot,
    delta,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.frame_counter import (
    add_frame_counter,
    find_frame_counter,
    no_counts,
    normal_mac,
    read_frame_counter,
    remove_frame_counter,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import (
    mac_counters,
    nic_drops,
    refresh_seconds,
    table_driver,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError, TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_pause, read_rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import ip_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

# Drivers of hypervisors: behind the speed they report is no line.
_NO_LINE = frozenset(
    {"virtio_net", "vmxnet3", "xen_netfront", "hv_netvsc", "netvsc", "ena", "gve", "vif", "netdevsim", "net_failover"}
)
# PCI vendors of emulated NICs, in the subsystem id: Red Hat (QEMU), VMware, Oracle (VirtualBox).
_EMULATORS = frozenset({0x1AF4, 0x15AD, 0x80EE})
_EMULATED_E1000E = (0x8086, 0x0000)  # the subsystem QEMU gives its e1000e
# Offloads that merge arriving frames into larger ones before the ingress hook counts them.
_MERGING = {"generic-receive-offload": "gro", "large-receive-offload": "lro", "rx-gro-hw": "rx-gro-hw"}
# What of a snapshot stays what it is as long as the interface does.
_DEVICE_KEYS = ("driver", "bus_info", "speed_mbps", "merging")
_IP_NAMES = {"frame_errors": "frame_errors", "missed_errors": "missed_errors", "otherhost": "otherhost_dropped"}


def snapshot(
    interface: str,
    netns: str | None = None,
    *,
    root: str = "/sys",
    proc: str = "/proc",
    test_frames: Mapping[str, Any] | None = None,
    like: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read an interface's counters and state now.

    Where the driver's MAC counters lag behind (bnxt_en: a second), it waits that long first.

    :param netns: the named network namespace the interface is in.
    :param root: where /sys is; ``proc``: where /proc is.
    :param test_frames: the frame counter of an earlier snapshot; it is read again, and it is an error if it is gone.
    :param like: an earlier snapshot: what the device is (driver, bus_info, speed_mbps, merging) is taken from there,
    which leaves out
        most of the programs. Of another interface of that name it is not.
    :returns: the tree that ``interface_counters_info`` documents in its RETURN.
    """
    state = ip_link(Interface(interface, netns))
    name = state["ifname"]
    if like is not None and like["ifindex"] == state["ifindex"]:
        device_is = {key: like[key] for key in _DEVICE_KEYS}
        device = _device_folder(root, name, netns, state, like["bus_info"])
    else:
        device_is, device = _device(state, netns, root)
    driver = device_is["driver"]
    lag = refresh_seconds(driver)
    if lag:
        time.sleep(lag)
        state = ip_link(Interface(name, netns))
    counted = read_frame_counter(test_frames, name, netns) if test_frames else None
    ethtool_found, printed = _ethtool(["-S", name], netns)
    statistics = parse_statistics(printed)
    now, monotonic = time.time(), time.monotonic()
    kernel = kernel_counters(state)
    flags = state.get("flags", [])
    return {
        "interface": name,
        "netns": netns,
        "ifindex": state["ifindex"],
        "boot_id": read_text(os.path.join(proc, "sys/kernel/random/boot_id")),
        **device_is,
        "up": "UP" in flags,
        "carrier": "LOWER_UP" in flags,
        "carrier_changes": state.get("stats64", {}).get("tx", {}).get("carrier_changes", 0),
        "mtu": state["mtu"],
        "mac_address": state.get("address"),
        "link_type": state.get("link_type"),
        "xdp": "xdp" in state,
        "promiscuous": "PROMISC" in flags or state.get("promiscuity", 0) > 0,
        "time": now,
        "monotonic": monotonic,
        "kernel": kernel,
        "ethtool": statistics,
        "mac": mac_counters(
            driver,
            statistics,
            kernel,
            ethtool_missing=not ethtool_found,
            virtual_function=bool(device and (device / "physfn").exists()),
        ),
        "host_drops": {
            "nic": None if _miscounts(device, driver) else nic_drops(driver, statistics, kernel),
            "kernel": kernel.get("rx_dropped", 0),
            "softnet": _softnet_dropped(proc),
        },
        "test_frames": counted,
    }


def observe(
    interface: str,
    netns: str | None = None,
    *,
    since: Mapping[str, Any] | None = None,
    receive_wait: float | None = None,
    expect_packets: int | None = None,
    root: str = "/sys",
    proc: str = "/proc",
) -> dict[str, Any]:
    """One call of interface_counters_info.

    :param since: an earlier one of the same interface. The frame counter that it found must still be there.
    :param receive_wait: with ``since``, the seconds without a frame after which no more are waited for; None: do not
    wait.
    :param expect_packets: how many frames to wait for since then.
    """
    arrival = None
    if since is not None:
        check_snapshot(since, "since")
        if receive_wait is not None:
            arrival = _wait(since, interface, netns, receive_wait, expect_packets, root, proc)
    state = snapshot(interface, netns, root=root, proc=proc)
    interface = state["interface"]
    pause, rings = read_pause(Interface(interface, netns)), read_rings(Interface(interface, netns))
    state["flow_control"] = None if pause is None else {"rx": pause.rx, "tx": pause.tx}
    state["ring_sizes"] = None if rings is None else {"rx": rings.rx, "tx": rings.tx}
    if since is None:
        return {**state, "test_frames": _frame_counter(interface, netns)}
    check_pair(since, state)
    earlier = since["test_frames"]
    state["test_frames"] = (
        read_frame_counter(earlier, interface, netns) if earlier else _frame_counter(interface, netns)
    )
    state["delta"] = delta(since, state)
    if arrival is not None:
        frames = state["delta"]["test_frames"]
        state["arrival"] = arrival.tree(frames["packets"] if frames else None)
    return state


def set_frame_counter(
    interface: str, netns: str | None, macs: Sequence[str], *, present: bool, check_mode: bool = False
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """One call of the module frame_counter: the counter before, and after."""
    link = ip_link(Interface(interface, netns))
    interface = link["ifname"]
    before = find_frame_counter(interface, netns)
    if not present:
        if before is not None and not check_mode:
            remove_frame_counter(interface, netns)
        return before, None
    wanted = sorted({normal_mac(mac) for mac in macs})
    check_has_macs({"interface": interface, "link_type": link.get("link_type")})
    if before is not None and before["macs"] == wanted:
        return before, before
    if check_mode:
        return before, no_counts(interface, wanted)
    return before, add_frame_counter(interface, wanted, netns)


def _frame_counter(interface: str, netns: str | None) -> dict[str, Any] | None:
    """The interface's frame counter; None without one, and where nobody can look: no nft, not root."""
    try:
        found = find_frame_counter(interface, netns)
    except ExhaustedError:
        raise
    except TrafficgenError:
        return None
    return found if found and found["macs"] else None


def check_has_macs(state: Mapping[str, Any]) -> None:
    """Refuse to count by source MAC address where frames have none: in those bytes is another header (tun, WireGuard,
    IPIP)."""
    if state["link_type"] not in ("ether", "loopback"):
        raise TrafficgenError(
            f"its link type is {state['link_type']}: what arrives there has no Ethernet header, and so no source MAC"
            " address to count by",
            on=state["interface"],
            remedy="Count at an interface that receives Ethernet frames.",
        )


def _wait(
    since: Mapping[str, Any],
    interface: str,
    netns: str | None,
    receive_wait: float,
    expected: int | None,
    root: str,
    proc: str,
) -> Arrival | None:
    """Wait for what is still under way: the test's frames where these are counted, else the MAC's. None where neither
    is."""
    counter, mac = since["test_frames"], since["mac"]["rx"]

    def arrived() -> int:
        return int(read_frame_counter(counter, interface, netns)["packets"]) - int(counter["packets"])

    def arrived_at_mac() -> int:
        now = snapshot(interface, netns, root=root, proc=proc, like=since)["mac"]["rx"]
        return int(now["packets"]) - int(mac["packets"]) if now else 0

    if not counter and not mac:
        return None
    return wait_for_frames(
        arrived if counter else arrived_at_mac,
        Patient(),
        receive_wait=receive_wait,
        expected=expected,
        # Frames were sent for no longer than since then.
        sending=max(0.0, time.monotonic() - since["monotonic"]),
        others=0 if counter else OTHERS,
    )


def parse_statistics(output: str) -> dict[str, int]:
    """``ethtool -S``: name to value. A name that comes twice (a queue's block in some drivers) gets ``#2`` and so
    on."""
    statistics: dict[str, int] = {}
    seen: dict[str, int] = {}
    for line in output.splitlines():
        name, colon, value = line.rpartition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or not re.fullmatch(r"-?\d{1,20}", value):
            continue
        seen[name] = seen.get(name, 0) + 1
        statistics[name if seen[name] == 1 else f"{name}#{seen[name]}"] = int(value)
    return statistics


def kernel_counters(state: Mapping[str, Any]) -> dict[str, int]:
    """The counters of one entry of ``ip -j -s -s link show``, named as in /sys/class/net/IF/statistics."""
    kernel: dict[str, int] = {}
    for side, counters in sorted(state.get("stats64", {}).items()):
        for name, value in counters.items():
            if name == "multicast":
                kernel["multicast"] = value
            elif name == "collisions":
                kernel["collisions"] = value
            elif name != "carrier_changes":
                kernel[f"{side}_{_IP_NAMES.get(name, name)}"] = value
    return kernel


def find_driver(interface: str, netns: str | None = None, *, root: str = "/sys") -> str | None:
    """The interface's driver as the kernel knows it.

    :raises TrafficgenError: where there is no such interface.
    """
    return _identify(ip_link(Interface(interface, netns)), netns, root)[2]


def _device(state: Mapping[str, Any], netns: str | None, root: str) -> tuple[dict[str, Any], Path | None]:
    """What an interface's device is, the values of ``_DEVICE_KEYS``, and where it is below /sys."""
    name = state["ifname"]
    ethtool_found, device, driver, bus_info = _identify(state, netns, root)
    speed = _speed(device, driver, _ethtool([name], netns)[1] if ethtool_found else None)
    merging = _merging(_ethtool(["-k", name], netns)[1])
    return {"driver": driver, "bus_info": bus_info, "speed_mbps": speed, "merging": merging}, device


def _identify(
    state: Mapping[str, Any], netns: str | None, root: str
) -> tuple[bool, Path | None, str | None, str | None]:
    """Whether ethtool is there; the device, its driver, and where it is on its bus."""
    name = state["ifname"]
    ethtool_found, info = _ethtool(["-i", name], netns)
    bus_info = _field(info, "bus-info") or None
    kind = state.get("linkinfo", {}).get("info_kind")
    device = _device_folder(root, name, netns, state, bus_info)
    return ethtool_found, device, _driver(device, _field(info, "driver"), kind, name, state), bus_info


def _ethtool(arguments: list[str], netns: str | None) -> tuple[bool, str]:
    """Whether ethtool is there, and what it printed. A device that does not know a question is answered with
    nothing."""
    try:
        done = run(["ethtool", *arguments], netns=netns)
    except TrafficgenError as error:
        if error.on == "ethtool":
            return False, ""
        raise
    return True, done.stdout if done.status == 0 else ""


def _field(output: str, name: str) -> str:
    found = re.search(rf"^[ \t]*{re.escape(name)}:[ \t]*(\S.*)$", output, re.MULTILINE)
    return found[1].strip() if found else ""


def _device_folder(
    root: str, interface: str, netns: str | None, state: Mapping[str, Any], bus_info: str | None
) -> Path | None:
    """The device behind the interface below /sys, None for a virtual one.

    /sys/class/net shows the namespace it was mounted in, not that of the interface; /sys/bus shows every device.
    """
    if netns is None:
        own = Path(root, "class/net", interface, "device")
        return own if own.exists() else None
    if state.get("parentbus") and state.get("parentdev"):
        return Path(root, "bus", state["parentbus"], "devices", state["parentdev"])
    pci = Path(root, "bus/pci/devices", bus_info) if bus_info else None
    return pci if pci and pci.exists() else None


def _driver(device: Path | None, said: str, kind: str | None, interface: str, state: Mapping[str, Any]) -> str | None:
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
    return kind


def _speed(device: Path | None, driver: str | None, settings: str | None) -> int | None:
    """The line's speed in Mbps; None where there is no line, whatever the driver says, or no link."""
    if device is None or table_driver(driver) in _NO_LINE or _emulated(device, driver):
        return None
    if settings is None:
        said = read_text(device.parent / "speed") if device.name == "device" else ""
        return int(said) if said.isdigit() and int(said) > 0 else None
    found = re.match(r"(\d+)Mb/s", _field(settings, "Speed"))
    return int(found[1]) if found else None


def _emulated(device: Path, driver: str | None) -> bool:
    """Whether the NIC is an emulator's: by its PCI subsystem, and by what only emulators still make."""
    try:
        vendor = int(read_text(device / "subsystem_vendor"), 16)
        subsystem = int(read_text(device / "subsystem_device"), 16)
    except ValueError:
        return False
    return vendor in _EMULATORS or (table_driver(driver) == "e1000e" and (vendor, subsystem) == _EMULATED_E1000E)


def _miscounts(device: Path | None, driver: str | None) -> bool:
    """Whether the port's count of frames that it had no room for is none: the driver of e1000 adds up what its register
    holds, which reading clears in a real one and not in QEMU's, so that it grows every two seconds, with no frame
    about."""
    return device is not None and table_driver(driver) == "e1000" and _emulated(device, driver)


def _merging(features: str) -> list[str]:
    return [short for name, short in _MERGING.items() if _field(features, name).startswith("on")]


def _softnet_dropped(proc: str) -> int:
    """Frames this host dropped because a CPU's backlog was full: second column of /proc/net/softnet_stat, hex, a line
    per CPU."""
    rows = (line.split() for line in read_text(os.path.join(proc, "net/softnet_stat")).splitlines())
    return sum(int(row[1], 16) for row in rows if len(row) > 1)
