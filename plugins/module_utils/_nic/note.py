# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A note of an interface's settings from before a run, for the next run if this one is cut off.

It is in /run, readable by root only, and valid until the next boot, as the settings are. It names the interface by its
index and its network namespace's cookie, which the kernel does not reuse before that.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_bytes, read_text, write_whole
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

FOLDER = "/run"
SETTINGS = "wirespeed.trafficgen-"  # prefix of the file names of notes about settings
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14


class NicNote:
    """The note of one interface. The index is read here, as the interface may be gone when the note is removed.

    :raises TrafficgenError: where there is no such interface.
    """

    def __init__(self, interface: Interface, prefix: str = SETTINGS) -> None:
        self._interface = interface.name
        with inside(interface.netns), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
            try:
                index = socket.if_nametoindex(interface.name)
            except OSError as error:
                raise TrafficgenError("no such interface", on=interface.name, said=str(error)) from error
            try:
                cookie = int.from_bytes(there.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
            except OSError:
                cookie = os.stat("/proc/thread-self/ns/net").st_ino
        self._path = os.path.join(FOLDER, f"{prefix}{cookie}-{index}.json")

    def write(self, state: Mapping[str, Any]) -> list[str]:
        """Write it as a whole. Returns a warning if it could not be written."""
        try:
            write_whole(self._path, json.dumps({"boot_id": read_text(_BOOT_ID), "state": state}).encode(), 0o600)
        except OSError as error:
            why = f"{FOLDER}: {error.strerror}"
            return [f"{self._interface}: if this run is cut off, the next one cannot undo its changes ({why})."]
        return []

    def read(self) -> dict[str, Any] | None:
        """What an earlier run noted since the last boot; None without one, or if the file is damaged."""
        try:
            noted = json.loads(read_bytes(self._path) or b"")
        except ValueError:
            return None
        if not isinstance(noted, dict) or noted.get("boot_id") != read_text(_BOOT_ID):
            return None
        state = noted.get("state")
        return state if isinstance(state, dict) else None

    def forget(self) -> None:
        """Remove it, if it is there."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
