# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note of what an interface was set to before a run changed it, for the next run to find where this one was cut off.

It lies in /run, for root alone, and holds good until the host is booted again, as the settings do. An interface is told by its index
and the cookie of its network namespace: the kernel uses neither again until then.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap_api import inside

FOLDER = "/run"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14


def write(interface: str, netns: str | None, state: Mapping[str, Any]) -> list[str]:
    """Write the note, whole or not at all. In the latter case, a sentence that says so."""
    try:
        path = _path(interface, netns)
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"boot_id": _boot_id(), "state": state}, file)
        os.rename(path + ".new", path)
    except OSError as error:
        return [f"{interface}: if this run is cut off, the next one cannot put right what it had changed ({FOLDER}: {error.strerror})."]
    return []


def read(interface: str, netns: str | None) -> dict[str, Any] | None:
    """What an earlier run noted, if one did since the host was booted. What is not whole says nothing."""
    try:
        with open(_path(interface, netns), encoding="utf-8") as file:
            noted = json.load(file)
    except (OSError, ValueError):
        return None
    if not isinstance(noted, dict) or noted.get("boot_id") != _boot_id():
        return None
    return noted.get("state")


def forget(interface: str, netns: str | None) -> None:
    """Remove the note, if there is one."""
    with contextlib.suppress(OSError):
        os.unlink(_path(interface, netns))


def _path(interface: str, netns: str | None) -> str:
    with inside(netns), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        index = socket.if_nametoindex(interface)
        try:
            cookie = int.from_bytes(there.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
        except OSError:
            cookie = os.stat("/proc/thread-self/ns/net").st_ino
    return os.path.join(FOLDER, f"wirespeed.trafficgen-{cookie}-{index}.json")


def _boot_id() -> str:
    with open(_BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
