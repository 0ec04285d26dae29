# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /sys and /dev tell of netmap: whether it is there, and whether an interface would use it natively or emulated."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

REMEDY = (
    "Load netmap on this host (role wirespeed.trafficgen.netmap, or `insmod /lib/modules/$(uname -r)/extra/netmap.ko`), "
    "or take injection_method: pf_packet."
)
DEFAULT_BUFFER = 2048

# tcpreplay's --nm-delay in seconds. Native: the port is reset when netmap takes it, and until its link is up again nothing is sent;
# ten is tcpreplay's own default and enough for most. Emulated: the port is not touched, but tcpreplay does not wait for its last ring
# of frames to leave before it closes, and this is all the time they have.
DELAY = {"native": 10, "emulated": 1}


def loaded(root: str = "/") -> bool:
    """Whether the running kernel has netmap, and the device to speak to it."""
    return os.path.isdir(os.path.join(root, "sys/module/netmap")) and os.path.exists(os.path.join(root, "dev/netmap"))


def require(root: str = "/") -> None:
    """Raise :class:`TrafficgenError` unless netmap is loaded."""
    if not loaded(root):
        raise TrafficgenError("netmap is not loaded on this host", on="injection_method netmap", remedy=REMEDY)


def version(root: str = "/") -> str | None:
    """What tells one build of the loaded module from another: its version, else the kernel's checksum of its sources."""
    for name in ("version", "srcversion"):
        said = _text(os.path.join(root, "sys/module/netmap", name))
        if said:
            return said
    return None


def mode(driver: str | None, root: str = "/") -> str:
    """``native`` where the interface's driver has been patched for netmap (its module then holds netmap's), else ``emulated``.

    The module of driver ``e1000-netmap`` is ``e1000_netmap``.
    """
    holder = os.path.join(root, "sys/module/netmap/holders", (driver or "").replace("-", "_"))
    return "native" if driver and os.path.exists(holder) else "emulated"


def buffer_size(root: str = "/") -> int:
    """The bytes of netmap's buffers, which is the most it sends of a frame."""
    said = _text(os.path.join(root, "sys/module/netmap/parameters/buf_size"))
    return int(said) if said.isdigit() and int(said) > 0 else DEFAULT_BUFFER


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
