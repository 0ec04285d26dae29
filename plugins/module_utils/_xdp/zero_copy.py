# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run asks for zero copy: the drivers that ``mode: auto`` takes it of, and what stands against it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.xdp import ZERO_COPY, Told

MODES = ("auto", "zero_copy", "copy")


# The drivers that `auto` takes zero copy of, as they have had it for years: the release, and the commit in Linux's
# repository that brought sending (docs/engines.md has where that was read). Each wants a program on the port first: its
# ndo_xsk_wakeup() refuses to send without one. None of them was tried. igb and virtio_net have it since 6.14 and 6.13,
# too lately to be taken unasked.
BY_ITSELF = frozenset(
    {
        "i40e",  # 4.20, 1328dcddbd53
        "ixgbe",  # 4.20, 8221c5eba8c1
        # 5.3, db05815b36cb. Before 6.1 (3db4c85cde7a) its queues for this begin behind the channels: bind() says EINVAL
        # of lower ones, and with `auto` the kernel copies.
        "mlx5_core",
        "ice",  # 5.5, 2d4238f55697
        "igc",  # 5.14, 9acf59a752d4
    }
)


class Asked(NamedTuple):
    """What the sockets are bound with. ``zero_copy``: asked for; ``copy``: taken where the driver refuses that.
    ``warning``: why `auto` does not ask of a driver that could; else empty."""

    zero_copy: bool
    copy: bool
    warning: str = ""


COPY = Asked(zero_copy=False, copy=True)


def may_ask(mode: str, driver: str | None) -> bool:
    """Whether it depends on the port what is asked for."""
    return mode == "zero_copy" or (mode == "auto" and driver in BY_ITSELF)


def decide(
    mode: str,
    name: str,
    driver: str | None,
    told: Told | None,
    *,
    programs: Sequence[Mapping[str, Any]],
    netmap: bool | None,
    managed: str,
) -> Asked:
    """What to ask for, where :func:`may_ask` says that it may be asked for.

    :param mode: as the user set it.
    :param driver: the port's. netmap's patched copy of one is another.
    :param told: what the driver tells of itself; None where the kernel does not tell.
    :param programs: the XDP programs on the port.
    :param netmap: whether netmap has it; None where nobody knows.
    :param managed: why the host is managed over it, or empty.
    :raises TrafficgenError: ``zero_copy`` was asked for and cannot be.
    """
    can = told is None or ZERO_COPY in told.features
    if mode == "auto" and not can:
        return COPY
    against = _no_feature(driver, told) if told is not None and not can else _obstacle(programs, netmap, managed)
    if not against:
        return Asked(zero_copy=True, copy=mode == "auto")
    what, remedy = against
    if mode == "auto":
        return COPY._replace(warning=f"{name}: the kernel copies the frames (mode: copy), because {what}.")
    raise TrafficgenError(f"not possible, because {what}", on=f"mode zero_copy, {name}", remedy=remedy)


def _no_feature(driver: str | None, told: Told) -> tuple[str, str]:
    listed = ", ".join(told.features) or "none"
    return (
        f"the driver {driver or '(unknown)'} of the kernel {os.uname().release} does not have it"
        f" (its XDP features: {listed})",
        "Set mode: copy, or use another kernel or port. The module xdp_info tells what a port can do.",
    )


def _obstacle(programs: Sequence[Mapping[str, Any]], netmap: bool | None, managed: str) -> tuple[str, str] | None:
    """What stands against it though the driver has it, and the remedy."""
    if managed:
        return (
            f"it may reset the port, and this host is managed over it: {managed}",
            "Send on another interface, or set mode: copy.",
        )
    if programs:
        found = ", ".join(f"number {one['id']} ({one['mode']})" for one in programs)
        return (
            f"another XDP program is on the port: {found}",
            "It was left alone. Remove it (`bpftool net` lists programs), or set mode: copy.",
        )
    if netmap is not False:
        return (
            "netmap is in use on this host, perhaps on this port",
            "End what uses netmap, or set mode: copy.",
        )
    return None
