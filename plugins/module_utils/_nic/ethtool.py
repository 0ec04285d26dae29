# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's flow control, ring sizes and offloads, read and set as ``ethtool -a``, ``-A``, ``-g``, ``-G``, ``-k``
and ``-K`` do; its driver, channels, speed and statistics: by SIOCETHTOOL.

Numbers and structures are those of linux/ethtool.h (ethtool_drvinfo, ethtool_pauseparam, ethtool_ringparam,
ethtool_channels, ethtool_link_settings, ethtool_sset_info, ethtool_gstrings, ethtool_stats, ethtool_gfeatures,
ethtool_sfeatures). Many drivers reset the port when one of these is set.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

_SIOCETHTOOL = 0x8946
_GET_DRIVER, _GET_RINGS, _SET_RINGS, _GET_PAUSE, _SET_PAUSE, _GET_CHANNELS = 0x03, 0x10, 0x11, 0x12, 0x13, 0x3C
_DRIVER_FIELDS, _PAUSE_FIELDS, _RING_FIELDS, _CHANNEL_FIELDS = 48, 3, 8, 8  # of 32 bits, after the command
_GET_STRINGS, _GET_STATISTICS, _GET_COUNTS, _GET_FEATURES, _SET_FEATURES, _GET_SETTINGS = (
    0x1B,
    0x1D,
    0x37,
    0x3A,
    0x3B,
    0x4C,
)
_STATISTICS, _FEATURES = 1, 4  # enum ethtool_stringset
_STRING = 32  # bytes of a name: ETH_GSTRING_LEN
_SPARE = 256  # names more than were told of, which a driver may have by the time that they are copied here
_SETTINGS_FIELDS = 11  # of struct ethtool_link_settings, before the masks of modes, three for each word of them
_MODE_WORDS = struct.Struct("=xxxb")  # in the third of them
_UNKNOWN_SPEEDS = frozenset((0, 0xFFFF, 0xFFFFFFFF))
# `ethtool -k` begins with these, in this order, and has names of its own for those that are one feature.
_FEATURE_NAMES = {
    "rx-checksum": "rx-checksumming",
    "tx-checksum-": "",
    "tx-scatter-gather": "",
    "tx-tcp": "",
    "tx-udp-fragmentation": "udp-fragmentation-offload",
    "tx-generic-segmentation": "generic-segmentation-offload",
    "rx-gro": "generic-receive-offload",
    "rx-lro": "large-receive-offload",
    "rx-vlan-hw-parse": "rx-vlan-offload",
    "tx-vlan-hw-insert": "tx-vlan-offload",
    "rx-ntuple-filter": "ntuple-filters",
    "rx-hashing": "receive-hashing",
}
_OWN_NAMES = {own: kernels for kernels, own in _FEATURE_NAMES.items() if own}
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
    _set(_SET_RINGS, values, f"its rings could not be made {rx} slots for receiving and {tx} for sending", interface)


def read_speed(interface: Interface) -> int | None:
    """The speed in Mbps that the driver tells; None where it tells none, or has no link."""
    # It is asked for the number of words first, which it tells as a negative one.
    told = _get(_GET_SETTINGS, _SETTINGS_FIELDS, interface)
    words = -_MODE_WORDS.unpack(struct.pack("=I", told[2]))[0] if told else 0
    if words <= 0:
        return None
    values = [0, 0, *struct.unpack("=I", _MODE_WORDS.pack(words)), *[0] * (_SETTINGS_FIELDS - 3 + 3 * words)]
    speed = (_exchange(_GET_SETTINGS, values, interface) or [0])[0]
    return None if speed in _UNKNOWN_SPEEDS else speed


def read_statistics(interface: Interface) -> dict[str, int]:
    """``ethtool -S``: name to value; empty where the driver has none. A name that comes twice (a queue's block in some
    drivers) gets ``#2`` and so on."""
    names = _strings(_STATISTICS, interface)
    room = 2 * (len(names) + _SPARE)
    found = _exchange(_GET_STATISTICS, [len(names), *[0] * room], interface) if names else None
    if found is None:
        return {}
    values = array.array("Q", array.array("I", found[1:][:room]).tobytes())
    statistics: dict[str, int] = {}
    seen: dict[str, int] = {}
    for name, value in zip(names, values[: found[0]]):
        if name:
            seen[name] = seen.get(name, 0) + 1
            statistics[name if seen[name] == 1 else f"{name}#{seen[name]}"] = value
    return statistics


def read_features(interface: Interface) -> tuple[list[str], dict[str, bool]]:
    """The offloads and other features that are on, and of each that is not fixed, whether it is wanted: by the names
    and in the order of ``ethtool -k``, without its sums of several.

    One that is wanted is off for as long as another one is that it needs.
    """
    names, blocks = _features(interface)
    on, wanted = [], {}
    for index, name in sorted(enumerate(names), key=lambda item: _rank(item[1])):
        if not name:
            continue
        available, requested, active, never_changed = (bool(value >> index % 32 & 1) for value in blocks[index // 32])
        own = _FEATURE_NAMES.get(name) or name
        if active:
            on.append(own)
        if available and not never_changed:
            wanted[own] = requested
    return on, wanted


def set_features(wanted: Mapping[str, bool], interface: Interface) -> None:
    """Have features on or off, by the names that :func:`read_features` has. What a driver makes of it is to be read.

    :raises TrafficgenError: where the kernel takes none of it.
    """
    names, blocks = _features(interface)
    masks = [[0, 0] for _block in blocks]
    for own, value in wanted.items():
        name = kernels_name(own)
        if name in names:
            word, bit = divmod(names.index(name), 32)
            masks[word][0] |= 1 << bit
            masks[word][1] |= value << bit
    _set(
        _SET_FEATURES,
        [len(masks), *(value for mask in masks for value in mask)],
        "its offloads could not be set",
        interface,
    )


def kernels_name(name: str) -> str:
    """The kernel's name of a feature, which ``ethtool -K`` takes as well."""
    return _OWN_NAMES.get(name, name)


def _rank(name: str) -> int:
    """Where ``ethtool -k`` lists a feature."""
    for rank, (begins, own) in enumerate(_FEATURE_NAMES.items()):
        if name == begins or (not own and name.startswith(begins)):
            return rank
    return len(_FEATURE_NAMES)


def _features(interface: Interface) -> tuple[list[str], list[list[int]]]:
    """The names of the features, and of each 32: those available, requested, active, never changed."""
    names = _strings(_FEATURES, interface)
    count = (len(names) + 31) // 32
    found = _exchange(_GET_FEATURES, [count, *[0] * 4 * count], interface)
    if found is None or not names:
        raise TrafficgenError("its offloads could not be read", on=interface.name)
    return names, [list(islice(found, 1 + 4 * block, 5 + 4 * block)) for block in range(count)]


def _strings(kind: int, interface: Interface) -> list[str]:
    """The names of a set."""
    counts = _exchange(_GET_COUNTS, [0, *struct.unpack("=II", struct.pack("=Q", 1 << kind)), 0], interface)
    # The mask says of which sets it tells; of none where the driver has none.
    if counts is None or not any(counts[1:3]):
        return []
    room = (counts[3] + _SPARE) * _STRING // 4
    found = _exchange(_GET_STRINGS, [kind, counts[3], *[0] * room], interface)
    if found is None:
        return []
    said = array.array("I", found[2:]).tobytes()
    each = struct.iter_unpack(f"{_STRING}s", said)
    return [
        name.partition(b"\0")[0].decode("utf-8", "replace").strip()
        for (name,) in islice(each, min(found[1], counts[3] + _SPARE))
    ]


def _get(command: int, fields: int, interface: Interface) -> list[int] | None:
    return _exchange(command, [0] * fields, interface)


def _exchange(command: int, values: list[int], interface: Interface) -> list[int] | None:
    """What the kernel makes of a structure, words of 32 bits after the command; None where there is no such thing."""
    try:
        return _ioctl(command, values, interface)
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
