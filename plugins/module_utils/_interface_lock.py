# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on an interface."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap_api import inside


@contextlib.contextmanager
def only_run(interface: str, ifindex: int, netns: str | None) -> Iterator[None]:
    """Refuse a second run on an interface for as long as the block lasts.

    The lock is a socket with an abstract name (unix(7)): every network namespace has its own, it leaves no file, and it goes with the
    process, however that ends.

    :raises TrafficgenError: if another run has it.
    """
    with inside(netns):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with lock:
        try:
            lock.bind(f"\0wirespeed.trafficgen/sending/{ifindex}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise TrafficgenError("it could not be reserved for this run", on=interface, said=str(error)) from error
            raise TrafficgenError(
                "another run is sending on it", on=interface, remedy="Wait until that has ended: two at once would spoil both results."
            ) from error
        yield
