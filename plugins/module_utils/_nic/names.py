# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface and its namespace, and the rules for names of interfaces and of network namespaces."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

LONGEST = 15  # bytes of an interface's name: IFNAMSIZ less the zero
LONGEST_ALTERNATIVE = 127  # of its alternative ones: ALTIFNAMSIZ less the zero


class Interface(NamedTuple):
    """An interface and its named network namespace; None: this process's own."""

    name: str
    netns: str | None = None


def check_interface(name: str, parameter: str = "", longest: int = LONGEST_ALTERNATIVE) -> str:
    """Check a name: valid for the kernel (dev_valid_name() in net/core/dev.c), and not an option, a number's place
    (``%d``) or a wildcard (ethtool's ``*``) to any program.

    :param parameter: the user's parameter that holds the name.
    """
    # Printable text can be encoded in UTF-8.
    allowed = re.fullmatch(r"[^\s/:%-][^\s/:%]*", name) and name not in (".", "..", "*")
    if not allowed or not name.isprintable() or len(name.encode()) > longest:
        raise TrafficgenError(
            "not a name of an interface",
            on=f"{parameter} {name!r}".strip(),
            remedy=f"`ip link` shows the names: {longest} bytes at most.",
        )
    return name


def check_netns(name: str | None, parameter: str = "") -> str | None:
    """Check a name. It must not be a path, which could point outside /run/netns."""
    if name is None:
        return None
    if not re.fullmatch(r"[^/-][^/]*", name) or not name.isprintable() or name in (".", ".."):
        raise TrafficgenError(
            "not a name of a network namespace",
            on=f"{parameter} {name!r}".strip(),
            remedy="`ip netns list` shows the names; it takes no path.",
        )
    return name
