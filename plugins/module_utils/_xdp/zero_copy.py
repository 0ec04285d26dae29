# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run asks for zero copy: the drivers that ``mode: auto`` takes it of, and what stands against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.xdp import ZERO_COPY, Told

MODES = ("auto", "zero_copy", "copy")


class Driver(NamedTuple):
    """What is known of a driver's zero copy: the first Linux that sends so, the commit that brought it (in Linux's
    repository), and what this collection was tried on."""

    since: str
    source: str
    tried: str = ""


# Those that `auto` takes zero copy of, as they have had it for years. Each wants a program on the port first: its
# ndo_xsk_wakeup() refuses to send without one. None of them was tried.
BY_ITSELF: Mapping[str, Driver] = {
    # drivers/net/ethernet/intel/i40e/i40e_xsk.c; the commit brought receiving, sending came in the same release
    "i40e": Driver("4.20", "0a714186d3c0"),
    # drivers/net/ethernet/intel/ixgbe/ixgbe_xsk.c
    "ixgbe": Driver("4.20", "8221c5eba8c1"),
    # drivers/net/ethernet/mellanox/mlx5/core/en/xsk. Before Linux 6.1 (3db4c85cde7a) its queues for this begin behind
    # the channels, bind() says EINVAL of lower ones, and `auto` copies.
    "mlx5_core": Driver("5.3", "db05815b36cb"),
    # drivers/net/ethernet/intel/ice/ice_xsk.c
    "ice": Driver("5.5", "2d4238f55697"),
    # drivers/net/ethernet/intel/igc/igc_main.c
    "igc": Driver("5.14", "9acf59a752d4"),
}
# Those that were tried, and that have it too lately to be taken unasked.
BY_REQUEST: Mapping[str, Driver] = {
    "virtio_net": Driver("6.13", "89f86675cb03", "Linux 7.3, with `iommu_platform=on,disable-legacy=on`"),
    "igb": Driver("6.14", "80f6ccf9f116", "Linux 7.3, QEMU's"),
}


class Asked(NamedTuple):
    """What the sockets are bound with. ``zero_copy``: asked for; ``copy``: taken where the driver refuses that.
    ``warning``: why `auto` does not ask; empty if it does, or if the driver is none of its."""

    zero_copy: bool
    copy: bool
    warning: str = ""


COPY = Asked(zero_copy=False, copy=True)


def decide(
    mode: str,
    name: str,
    driver: str,
    told: Told | None,
    *,
    programs: Sequence[Mapping[str, Any]],
    netmap: bool | None,
    managed: str,
) -> Asked:
    """What to ask for.

    :param mode: as the user set it.
    :param driver: the port's. netmap's patched copy of one is another.
    :param told: what the driver tells of itself; None where the kernel does not tell.
    :param programs: the XDP programs on the port.
    :param netmap: whether netmap has it; None where nobody knows.
    :param managed: why the host is managed over it, or empty.
    :raises TrafficgenError: ``zero_copy`` was asked for and cannot be.
    """
    if mode == "copy" or (mode == "auto" and driver not in BY_ITSELF):
        return COPY
    can = told is None or ZERO_COPY in told.features
    if mode == "auto" and not can:
        return COPY
    against = (
        _no_feature(driver, told)
        if told is not None and not can
        else _obstacle(programs=programs, netmap=netmap, managed=managed)
    )
    if not against:
        return Asked(zero_copy=True, copy=mode == "auto")
    what, remedy = against
    if mode == "auto":
        return Asked(zero_copy=False, copy=True, warning=f"{name}: its frames are copied (mode: copy), as {what}.")
    raise TrafficgenError(f"cannot be, as {what}", on=f"mode zero_copy, {name}", remedy=remedy)


def _no_feature(driver: str, told: Told) -> tuple[str, str]:
    listed = ", ".join(told.features) or "none"
    return (
        f"the driver {driver} does not say that it has it (its XDP features: {listed})",
        "The module xdp_info tells what a port can do. Set mode: copy.",
    )


def _obstacle(*, programs: Sequence[Mapping[str, Any]], netmap: bool | None, managed: str) -> tuple[str, str] | None:
    """What stands against it though the driver has it, and the remedy."""
    if managed:
        return (
            f"a program that is put on a port may reset it, and this host is managed over it: {managed}",
            "Send on another interface, or set mode: copy.",
        )
    if programs:
        found = ", ".join(f"{one['id']} ({one['mode']})" for one in programs)
        return (
            f"another XDP program is on the port, number {found}",
            "It was left alone. Remove it (`bpftool net` shows whose it is), or set mode: copy.",
        )
    if netmap is not False:
        return (
            "netmap is in use on this host, and the port may be its own",
            "End what uses netmap, or set mode: copy.",
        )
    return None
