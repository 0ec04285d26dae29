# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces as the kernel lists them, and a check for link up that is cheap enough to poll."""

from __future__ import annotations

import difflib
import errno
import socket
import time
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import rtnetlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import table_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import LONGEST, Interface, check_interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import ROUTE, Netlink

LINK_LIMIT = 30.0  # seconds for a link to come up again; 10GBASE-T takes some ten
_STEP, _STEADY = 0.02, 0.1
# Their firmware negotiates the link again some time after a setting was accepted, so it goes down later
# (ice_set_pauseparam() and i40e_set_pauseparam() in the drivers' ethtool files).
_LATE, _LATE_STEADY = frozenset(("ice", "i40e")), 2.0

# linux/if.h
_UP = 1  # IFF_UP
_RUNNING = 0x10040  # IFF_LOWER_UP and IFF_RUNNING


def open_route(netns: str | None) -> Netlink:
    """A socket for :mod:`rtnetlink`'s questions about a network namespace."""
    with inside(netns):
        return Netlink(ROUTE)


def read_link(interface: Interface) -> dict[str, Any]:
    """A link's state and counters, as :func:`rtnetlink.parse_link` has them.

    :raises TrafficgenError: where there is no such interface, naming those that there are.
    """
    check_interface(interface.name)
    with open_route(interface.netns) as route:
        try:
            return rtnetlink.link(route, interface.name)
        except OSError as error:
            # A kernel without alternative names knows no such attribute.
            if error.errno == errno.ENODEV or len(interface.name.encode()) > LONGEST:
                raise _no_such_interface(interface, route) from None
            raise TrafficgenError(
                "its state could not be read", on=interface.name, said=error.strerror or str(error)
            ) from error


def _no_such_interface(interface: Interface, route: Netlink) -> TrafficgenError:
    names = [link["ifname"] for link in rtnetlink.links(route)]
    near = difflib.get_close_matches(interface.name, names, n=3, cutoff=0.5)
    where = f"network namespace {interface.netns}" if interface.netns else "this host's own network namespace"
    remedy = f"Did you mean {' or '.join(near)}?" if near else ""
    others = [name for name in names if name not in near]
    if others:
        remedy += f" {'Also there' if near else 'There'}: {', '.join(sorted(others)[:20])}."
    return TrafficgenError(f"no such interface in {where}", on=interface.name, remedy=remedy.strip())


def interfaces_of(netns: str | None = None) -> list[str]:
    """The names of the interfaces in a network namespace, loopback left out."""
    with open_route(netns) as route:
        return [link["ifname"] for link in rtnetlink.links(route) if link["link_type"] != "loopback"]


class Link:
    """An interface's state, read from the kernel in a way that is cheap enough to poll."""

    def __init__(self, interface: Interface) -> None:
        self._interface = interface.name
        with inside(interface.netns):
            try:
                self._index = socket.if_nametoindex(interface.name)
            except OSError as error:
                raise self._unreadable(error.strerror or str(error)) from error
        self._netlink = open_route(interface.netns)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._netlink.close()

    def running(self) -> bool:
        """Whether it is up, has a carrier, and is flagged as running, which is what tcpreplay checks.

        The running flag alone is not enough: the kernel clears it up to a second after the carrier is lost
        (net/core/link_watch.c).
        """
        return self._flags() & _RUNNING == _RUNNING

    def trouble(self) -> str:
        """Why nothing can leave through it. Empty if frames can leave, or could once the carrier is back."""
        try:
            return "" if self._flags() & _UP else "set down"
        except TrafficgenError:
            return "gone from its namespace"

    def _flags(self) -> int:
        try:
            return rtnetlink.flags(self._netlink, self._index)
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error

    def _unreadable(self, said: str) -> TrafficgenError:
        return TrafficgenError("its state cannot be read", on=self._interface, said=said)


def wait_for_link(
    interface: Interface,
    *,
    limit: float = LINK_LIMIT,
    delay: float = 0.0,
    since: float | None = None,
    watch: Watch | None = None,
) -> bool:
    """Wait until a link is up and stays up for a moment; return whether it is. ``watch`` may end the wait.

    :param limit: seconds to wait for a link that is down.
    :param delay: wait at least so many seconds.
    :param since: when both begin, on the monotonic clock; by default now.
    """
    began = time.monotonic() if since is None else since
    steady = _steady_seconds(interface)
    up_since: float | None = None
    with Link(interface) as link:
        while watch is None or watch.why() is None:
            now = time.monotonic()
            up_since = (up_since or now) if link.running() else None
            if up_since is not None and now - up_since >= steady and now - began >= delay:
                return True
            if up_since is None and now - began >= limit:
                return False
            if watch is None:
                time.sleep(_STEP)
            else:
                watch.beat()
                watch.wait(_STEP)
    return False


def _steady_seconds(interface: Interface) -> float:
    """How long a link must stay up after a reset before it counts as up."""
    return _LATE_STEADY if table_driver(read_driver(interface)[0]) in _LATE else _STEADY
