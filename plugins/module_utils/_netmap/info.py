# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of the module netmap_info: netmap on this host, and how it would use each interface."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import DEVICE, Port
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import find_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import interfaces_of, read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

_TOLD = ("path", "vermagic", "srcversion", "build_id", "signer")  # of a build
_NO_RINGS = {"tx_rings": None, "tx_slots": None, "rx_rings": None, "rx_slots": None}


def info(
    interfaces: Sequence[str] | None = None, netns: str | None = None, *, root: str = "/", kernel: str | None = None
) -> dict[str, Any]:
    """What ``netmap_info`` returns.

    :param interfaces: the interfaces to report; None for all but loopback.
    """
    kernel = kernel or os.uname().release
    here = installed.loaded(root)
    found = installed.builds(root)
    build = found.get(kernel)
    same = build if build and here and installed.is_loaded_one(build, root) else None
    missing = installed.problem(root, kernel)
    names = list(interfaces) if interfaces is not None else interfaces_of(netns)
    port = Port(netns, os.path.join(root, DEVICE.lstrip("/"))) if here else None
    try:
        described = {name: _describe(Interface(name, netns), port, root) for name in names}
    finally:
        if port is not None:
            port.close()
    return {
        "loaded": here,
        "problem": missing.message if missing else None,
        "version": port.version if port else None,
        "parameters": installed.parameters(root),
        "srcversion": read_text(os.path.join(root, "sys/module/netmap/srcversion")) or None,
        "build_id": installed.loaded_build_id(root),
        "vermagic": same["vermagic"] if same else None,
        "commit": installed.commit_of(same["stamp"]) if same else None,
        "device": DEVICE if os.path.exists(os.path.join(root, "dev/netmap")) else None,
        "kernel": kernel,
        "kernels": sorted(found),
        "builds": {
            release: {**{name: one[name] for name in _TOLD}, "commit": installed.commit_of(one["stamp"])}
            for release, one in found.items()
        },
        "secure_boot": installed.secure_boot(root),
        "signatures_enforced": installed.signatures_enforced(root),
        "interfaces": described,
    }


def _describe(interface: Interface, port: Port | None, root: str) -> dict[str, Any]:
    driver = find_driver(read_link(interface), interface.netns, os.path.join(root, "sys"))
    if port is None:
        return {"driver": driver, "mode": None, **_NO_RINGS, "reason": "netmap is not loaded"}
    try:
        rings = port.rings(interface.name)
    except TrafficgenError as error:
        return {"driver": driver, "mode": None, **_NO_RINGS, "reason": error.message}
    return {"driver": driver, "mode": installed.mode(driver, root), **asdict(rings), "reason": ""}
