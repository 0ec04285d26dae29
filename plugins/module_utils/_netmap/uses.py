# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses netmap or sends, and over which interfaces the host is managed."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import open_files, read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import (
    Host,
    devices_of,
    holders,
    interfaces_of,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import why_managed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import ROUTE, Netlink


def use_problem(host: Host) -> str:
    """Who prevents unloading netmap, as a sentence."""
    users = int(read_text(host.path("/sys/module/netmap/refcnt")) or 0) - len(holders(host))
    if users <= 0:
        return ""
    who = have_open(host, ["/dev/netmap"])
    by = f" by {', '.join(who)}" if who else ""
    return f"netmap is in use{by} and would have to be unloaded. Stop that first: nothing was changed."


def have_open(host: Host, files: Iterable[str]) -> list[str]:
    """The processes that have any of these open, by the names in /proc."""
    files = set(files)
    processes = map(Path, glob.glob(str(host.path("/proc/[0-9]*"))) if files else ())
    return [
        f"{read_text(process / 'comm')} (process {process.name})"
        for process in sorted(processes, key=lambda path: int(path.name))
        if files.intersection(open_files(process))
    ]


def runs(host: Host, proc: str = "/proc") -> dict[str, str]:
    """The runs in a network namespace: the interface's index, and the socket that keeps it for
    the run."""
    found = re.findall(
        r" (\d+) @wirespeed\.trafficgen/sending/(\d+)$", read_text(host.path(f"{proc}/net/unix")), re.MULTILINE
    )
    return {index: f"socket:[{inode}]" for inode, index in found}


def run_problem(host: Host, address: str) -> str:
    """Who is sending on a device, as a sentence."""
    under_way = runs(host)
    for name in interfaces_of(host, address):
        if lock := under_way.get(read_text(host.path(f"/sys/class/net/{name}/ifindex"))):
            by = f": {who}" if (who := ", ".join(have_open(host, [lock]))) else ""
            return f"A run is sending on {name} ({address}){by}. Stop that first: nothing was changed."
    return ""


def busy(host: Host, sockets: Iterable[str] = ()) -> str:
    """Who has netmap open or is sending on any interface, as a sentence.

    :param sockets: those of runs in network namespaces that no process is in. Others are found here.
    """
    used, seen = {"/dev/netmap", *sockets}, set()
    for folder in glob.glob(str(host.path("/proc/[0-9]*"))):
        with contextlib.suppress(OSError):
            namespace = os.readlink(f"{folder}/ns/net")
            if namespace not in seen:
                seen.add(namespace)
                used.update(runs(host, f"/proc/{Path(folder).name}").values())
    who = have_open(host, used)
    return (
        f"A run is under way, or netmap is in use: {', '.join(who)}. Stop that first: nothing was changed."
        if who
        else ""
    )


def reload_problem(host: Host, settings: Mapping[str, Any], taken: Iterable[str] = ()) -> str:
    """Why netmap cannot be unloaded now: its users, or a device that its drivers have or would get (``taken``)."""
    moved = dict.fromkeys([*(address for driver in holders(host) for address in devices_of(host, driver)), *taken])
    return use_problem(host) or next(filter(None, (device_problem(host, settings, address) for address in moved)), "")


def device_problem(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Why a device must not change its driver now."""
    return protected_problem(host, settings, address) or run_problem(host, address)


def protected_problem(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Why a device must not change its driver: this host is managed over it."""
    names = interfaces_of(host, address)
    # Settings of an earlier release of the role do not have it.
    if not names or settings.get("allow_management_interface"):
        return ""
    with Netlink(ROUTE) as route:
        found = managed(host, map(Interface, names), route)
    for name, why in found.items():
        return (
            f"{address} is {name}: {why}. Its driver is not changed, because this host is managed over it. Name"
            " only test ports; or set netmap_allow_management_interface: true, and expect to lose the connection."
        )
    return ""


def managed(host: Host, interfaces: Iterable[Interface], route: Netlink) -> dict[str, str]:
    """Those of the interfaces that this host is managed over, each with the reason.

    :param route: asks rtnetlink in their namespace.
    """
    proc = str(host.path("/proc"))
    return {one.name: why for one in interfaces if (why := why_managed(one, route, proc))}
