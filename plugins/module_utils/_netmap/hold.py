# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holding an interface in netmap mode around a run of tcpreplay.

The first program that takes a NIC resets it, and so does the last one that releases it; each time the link goes down
and up. tcpreplay alone is both, and sleeps a fixed time after each (``--nm-delay``), whether the link is up or not. If
the NIC is already held, nothing is reset, and tcpreplay can start and end at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Port, Rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import LINK_LIMIT, wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

_DRAIN_LIMIT, _DRAIN_STEP = 2.0, 0.002


class Hold:
    """An interface that this process holds in netmap mode."""

    def __init__(self, port: Port, interface: Interface) -> None:
        self._interface = interface
        self._port = port
        self._taken = time.monotonic()
        self.rings = port.take(interface.name)

    @property
    def buffer_size(self) -> int:
        """The bytes a frame can have in the rings."""
        return self._port.buffer_size()

    def wait_for_link(self, watch: Watch, delay: float = 0.0) -> None:
        """Return when the link is up and ``delay`` seconds have passed since the interface was taken, or when it is
        time to stop.

        :raises TrafficgenError: if it does not come up in ``LINK_LIMIT`` seconds, or ``delay`` if that is longer.
        """
        limit = max(LINK_LIMIT, delay)
        came = wait_for_link(self._interface, limit=limit, delay=delay, since=self._taken, watch=watch)
        if not came and not watch.why():
            raise TrafficgenError(
                f"its link did not come up within {limit:g} s after netmap took it",
                on=self._interface.name,
                remedy="Check the cable and the other side. If the link needs longer than that, raise netmap_delay.",
            )

    def drain(self) -> int:
        """Wait until what tcpreplay put into the rings has left; how many frames have not within a time in which any
        NIC sends a ring."""
        until = time.monotonic() + _DRAIN_LIMIT
        while (left := self._port.waiting()) and time.monotonic() < until:
            time.sleep(_DRAIN_STEP)
        return left


def rings_of(interface: Interface) -> Rings:
    """The rings of an interface in netmap. It stays as it is."""
    with Port(interface.netns) as port:
        return port.rings(interface.name)


@contextlib.contextmanager
def held(interface: Interface) -> Iterator[Hold]:
    """Take an interface into netmap mode, and let go of it when the block ends.

    If this process is killed, the kernel lets go of it. Settings are made before: where they reset the port, the link
    is waited for once.
    """
    with Port(interface.netns) as port:
        yield Hold(port, interface)
