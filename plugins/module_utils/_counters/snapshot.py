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
import time
from collections.abc import Mapping, Sequence
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
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError, TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import (
    DEVICE_KEYS,
    device_folder,
    device_of,
    miscounts,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import (
    read_pause,
    read_rings,
    read_statistics,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inode


def snapshot(
    interface: Interface,
    *,
    root: str = "/sys",
    proc: str = "/proc",
    test_frames: Mapping[str, Any] | None = None,
    like: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read an interface's counters and state now.

    Where the driver's MAC counters lag behind (bnxt_en: a second), it waits that long first.

    :param root: where /sys is; ``proc``: where /proc is.
    :param test_frames: the frame counter of an earlier snapshot, to be read again; an error if it is gone.
    :param like: an earlier snapshot: what the device is (driver, bus_info, speed_mbps, merging) is taken from there,
    which
        is not asked again then. Of another interface of that name it is not.
    :returns: the tree that ``interface_counters_info`` documents in its RETURN.
    """
    state = read_link(interface)
    interface = interface._replace(name=state["ifname"])
    if like is not None and like["ifindex"] == state["ifindex"]:
        device_is = {key: like[key] for key in DEVICE_KEYS}
        device = device_folder(state, interface.netns, like["bus_info"], root)
    else:
        device_is, device = device_of(state, interface.netns, root)
    driver = device_is["driver"]
    lag = refresh_seconds(driver)
    if lag:
        time.sleep(lag)
        state = read_link(interface)
    counted = read_frame_counter(test_frames, interface) if test_frames else None
    statistics = read_statistics(interface)
    now, monotonic = time.time(), time.monotonic()
    kernel, flags = state["counters"], state["flags"]
    return {
        "interface": interface.name,
        "netns": interface.netns,
        "ifindex": state["ifindex"],
        "boot_id": read_text(os.path.join(proc, "sys/kernel/random/boot_id")),
        **device_is,
        "up": "UP" in flags,
        "carrier": "LOWER_UP" in flags,
        "carrier_changes": state.get("carrier_changes", 0),
        "mtu": state["mtu"],
        "mac_address": state.get("address"),
        "link_type": state.get("link_type"),
        "xdp": "xdp" in state,
        "promiscuous": "PROMISC" in flags or state.get("promiscuity", 0) > 0,
        "time": now,
        "monotonic": monotonic,
        "kernel": kernel,
        "ethtool": statistics,
        "mac": mac_counters(driver, statistics, kernel, virtual_function=bool(device and (device / "physfn").exists())),
        "host_drops": {
            "nic": None if miscounts(device, driver) else nic_drops(driver, statistics, kernel),
            "kernel": kernel.get("rx_dropped", 0),
            "softnet": _softnet_dropped(proc),
        },
        "test_frames": counted,
    }


def observe(
    interface: Interface,
    *,
    since: Mapping[str, Any] | None = None,
    receive_wait: float | None = None,
    expect_packets: int | None = None,
    root: str = "/sys",
    proc: str = "/proc",
) -> dict[str, Any]:
    """One call of interface_counters_info.

    :param since: an earlier one of the same interface. The frame counter that it found must still be there.
    :param receive_wait: with ``since``, stop waiting after so many seconds without a frame; None: do not wait.
    :param expect_packets: how many frames to wait for since then.
    """
    arrival = None
    if since is not None:
        check_snapshot(since, "since")
        if receive_wait is not None:
            arrival = _wait(since, interface, receive_wait, expect_packets, root, proc)
    state = snapshot(interface, root=root, proc=proc)
    interface = interface._replace(name=state["interface"])
    pause, rings = read_pause(interface), read_rings(interface)
    state["netns_inode"] = inode(interface.netns, proc)
    state["flow_control"] = None if pause is None else {"rx": pause.rx, "tx": pause.tx}
    state["ring_sizes"] = None if rings is None else {"rx": rings.rx, "tx": rings.tx}
    if since is None:
        return {**state, "test_frames": _frame_counter(interface)}
    check_pair(since, state)
    earlier = since["test_frames"]
    state["test_frames"] = read_frame_counter(earlier, interface) if earlier else _frame_counter(interface)
    state["delta"] = delta(since, state)
    if arrival is not None:
        frames = state["delta"]["test_frames"]
        state["arrival"] = arrival.tree(frames["packets"] if frames else None)
    return state


def set_frame_counter(
    interface: Interface, macs: Sequence[str], *, present: bool, check_mode: bool = False
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """One call of the module frame_counter: the counter before, and after."""
    link = read_link(interface)
    interface = interface._replace(name=link["ifname"])
    before = find_frame_counter(interface)
    if not present:
        if before is not None and not check_mode:
            remove_frame_counter(interface)
        return before, None
    wanted = sorted({normal_mac(mac) for mac in macs})
    check_has_macs({"interface": interface.name, "link_type": link.get("link_type")})
    if before is not None and before["macs"] == wanted:
        return before, before
    if check_mode:
        return before, no_counts(interface.name, wanted)
    return before, add_frame_counter(interface, wanted)


def _frame_counter(interface: Interface) -> dict[str, Any] | None:
    """The interface's frame counter; None without one, without nft and without root."""
    try:
        found = find_frame_counter(interface)
    except ExhaustedError:
        raise
    except TrafficgenError:
        return None
    return found if found and found["macs"] else None


def check_has_macs(state: Mapping[str, Any]) -> None:
    """Refuse to count by source MAC address on an interface without Ethernet headers (tun, WireGuard, IPIP)."""
    if state["link_type"] not in ("ether", "loopback"):
        raise TrafficgenError(
            f"its link type is {state['link_type']}: what arrives there has no Ethernet header, and so no source MAC"
            " address to count by",
            on=state["interface"],
            remedy="Count at an interface that receives Ethernet frames.",
        )


def _wait(
    since: Mapping[str, Any], interface: Interface, receive_wait: float, expected: int | None, root: str, proc: str
) -> Arrival | None:
    """Wait for frames on their way: the test's if they are counted, else the MAC's. None if neither is."""
    counter, mac = since["test_frames"], since["mac"]["rx"]

    def arrived() -> int:
        return int(read_frame_counter(counter, interface)["packets"]) - int(counter["packets"])

    def arrived_at_mac() -> int:
        now = snapshot(interface, root=root, proc=proc, like=since)["mac"]["rx"]
        return int(now["packets"]) - int(mac["packets"]) if now else 0

    if not counter and not mac:
        return None
    return wait_for_frames(
        arrived if counter else arrived_at_mac,
        Patient(),
        receive_wait=receive_wait,
        expected=expected,
        # Sending began after that snapshot.
        sending=max(0.0, time.monotonic() - since["monotonic"]),
        others=0 if counter else OTHERS,
    )


def _softnet_dropped(proc: str) -> int:
    """Frames this host dropped because a CPU's backlog was full: second column of /proc/net/softnet_stat, hex, a line
    per CPU."""
    rows = (line.split() for line in read_text(os.path.join(proc, "net/softnet_stat")).splitlines())
    return sum(int(row[1], 16) for row in rows if len(row) > 1)
