# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's flow control and ring sizes, read and set as ``ethtool -a``, ``-A``, ``-g`` and ``-G`` do, and its
driver: by SIOCETHTOOL.

Numbers and structures are from linux/ethtool.h (ethtool_drvinfo, ethtool_pauseparam, ethtool_ringparam,
ethtool_channels). Many drivers
reset the port when one of these is set.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

_SIOCETHTOOL = 0x8946
_GET_DRIVER, _GET_RINGS, _SET_RINGS, _GET_PAUSE, _SET_PAUSE, _GET_CHANNELS = 0x03, 0x10, 0x11, 0x12, 0x13, 0x3C
_DRIVER_FIELDS, _PAUSE_FIELDS, _RING_FIELDS, _CHANNEL_FIELDS = 48, 3, 8, 8  # of 32 bits, after the command
_NAME, _BUS_INFO = slice(0, 32), slice(96, 128)  # bytes of the first
_IFREQ = struct.Struct("16sP16x")
# Errors of a driver without this setting, and of an interface that is gone.
_NOT_THERE = frozenset((errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV))


@dataclass(frozen=True)
class Pause:
    """Flow control (IEEE 802.3 annex 31B): negotiated or not; ``rx``: obeys pause frames; ``tx``: sends them."""

    autoneg: bool
    rx: bool
    tx: bool


@dataclass(frozen=True)
class RingSizes:
    """The slots of each receive and transmit ring, and the NIC's maximum."""

    rx: int
    tx: int
    rx_most: int
    tx_most: int


@dataclass(frozen=True)
class Channels:
    """Queues that have an interrupt of their own: for receiving, for sending, and those for both."""

    rx: int
    tx: int
    combined: int


def read_driver(interface: Interface) -> tuple[str, str]:
    """The driver's name and the device's place on the bus; empty if unknown."""
    said = array.array("I", _get(_GET_DRIVER, _DRIVER_FIELDS, interface) or []).tobytes()
    name, bus_info = (said[part].partition(b"\0")[0].decode("ascii", "replace") for part in (_NAME, _BUS_INFO))
    return name, bus_info


def read_pause(interface: Interface) -> Pause | None:
    """An interface's flow control settings; None if it has none."""
    values = _get(_GET_PAUSE, _PAUSE_FIELDS, interface)
    return None if values is None else Pause(*map(bool, values))


def set_pause(pause: Pause, interface: Interface) -> None:
    """Set flow control."""
    _set(_SET_PAUSE, [pause.autoneg, pause.rx, pause.tx], "its flow control could not be set", interface)


def read_rings(interface: Interface) -> RingSizes | None:
    """The sizes of an interface's rings; None if it has none."""
    values = _get(_GET_RINGS, _RING_FIELDS, interface)
    if values is None or (not values[0] and not values[3]):
        return None
    return RingSizes(rx=values[4], tx=values[7], rx_most=values[0], tx_most=values[3])


def read_channels(interface: Interface) -> Channels | None:
    """The channels of an interface, as ``ethtool -l`` tells of them; None where the driver tells of none."""
    values = _get(_GET_CHANNELS, _CHANNEL_FIELDS, interface)
    return None if values is None else Channels(rx=values[4], tx=values[5], combined=values[7])


def set_rings(rx: int, tx: int, interface: Interface) -> None:
    """Set the sizes; mini and jumbo rings keep theirs."""
    values = _get(_GET_RINGS, _RING_FIELDS, interface) or [0] * _RING_FIELDS
    values[4], values[7] = rx, tx
    _set(
        _SET_RINGS,
        values,
        f"its rings could not be made {rx} slots for receiving and {tx} for sending",
        interface,
    )


def _get(command: int, fields: int, interface: Interface) -> list[int] | None:
    try:
        return _ioctl(command, [0] * fields, interface)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise TrafficgenError(
            "its settings could not be read", on=interface.name, said=error.strerror or str(error)
        ) from error


def _set(command: int, values: list[int], failed: str, interface: Interface) -> None:
    try:
        _ioctl(command, values, interface)
    except OSError as error:
        raise TrafficgenError(failed, on=interface.name, said=error.strerror or str(error)) from error


def _ioctl(command: int, values: list[int], interface: Interface) -> list[int]:
    request = array.array("I", [command, *map(int, values)])
    address, _length = request.buffer_info()
    with inside(interface.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        fcntl.ioctl(there, _SIOCETHTOOL, _IFREQ.pack(os.fsencode(interface.name), address))
    return request.tolist()[1:]
