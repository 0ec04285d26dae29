# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enter a named network namespace for a moment."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import NETNS_FOLDER, in_netns

_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(netns: str | None) -> Iterator[None]:
    """Run the block in a named network namespace, in this thread only. Start no thread or process in the block.

    netmap looks up a name in the caller's namespace.
    """
    if netns is None:
        yield
        return
    in_netns([], netns)  # checks that the name is valid and exists
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(os.path.join(NETNS_FOLDER, netns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _set_netns(there, netns)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _set_netns(own, "this process's own")
    finally:
        os.close(own)


def inode(netns: str | None, proc: str = "/proc") -> int | None:
    """The number by which this kernel knows a network namespace, whatever its name; None where it cannot be read."""
    path = os.path.join(proc, "self/ns/net") if netns is None else os.path.join(NETNS_FOLDER, netns)
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino
    return None


def _set_netns(descriptor: int, name: str) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise TrafficgenError(
            "this network namespace could not be entered", on=name, said=os.strerror(ctypes.get_errno())
        )
