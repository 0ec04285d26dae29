# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The destination MAC addresses that follow from what a frame carries: multicast and broadcast, which no router or
cache is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import Numbers, spans

_BROADCAST = (1 << 48) - 1
_WHO_HAS = 1  # of ARP's operations: a request
# A part of all addresses: (first, the one after the last, its MAC address or None for the default, whether that counts
# up with them)
_Part = tuple[int, int, "int | None", bool]


def _ipv4_part(address: int) -> _Part:
    """RFC 1112, section 6.4: the low 23 bits of a group go into 01:00:5e:00:00:00."""
    groups, above, limited = 224 << 24, 240 << 24, (1 << 32) - 1
    if address < groups:
        return 0, groups, None, False
    if address < above:
        first = address >> 23 << 23
        return first, first + (1 << 23), 0x01005E000000, True
    return (above, limited, None, False) if address < limited else (limited, limited + 1, _BROADCAST, False)


def _ipv6_part(address: int) -> _Part:
    """RFC 2464, section 7: the low 32 bits of a group go into 33:33:00:00:00:00."""
    groups = 0xFF << 120
    if address < groups:
        return 0, groups, None, False
    first = address >> 32 << 32
    return first, first + (1 << 32), 0x333300000000, True


def _arp_part(operation: int) -> _Part:
    """RFC 826: a request is broadcast, an answer goes to who asked."""
    if operation == _WHO_HAS:
        return _WHO_HAS, _WHO_HAS + 1, _BROADCAST, False
    return (0, _WHO_HAS, None, False) if operation < _WHO_HAS else (_WHO_HAS + 1, 1 << 16, None, False)


_PARTS: dict[str, Callable[[int], _Part]] = {"IP": _ipv4_part, "IPv6": _ipv6_part, "ARP": _arp_part}


class GroupMacs(Numbers):
    """The MAC addresses that belong to the values of another field, one each.

    :param kind: what these are: destinations of an ``IP`` or ``IPv6`` packet, or operations of ``ARP``.
    :param default: of what is for one host.
    """

    def __init__(self, leading: Numbers, kind: str, default: int) -> None:
        super().__init__(leading.ranges)
        self._part = _PARTS[kind]
        self._default = default

    @property
    def vary(self) -> bool:
        """Whether any is another than the default. Of the ends of each range and of what lies between none is left
        out."""
        ends = ((self._part(low), self._part(high)) for low, high in spans(self.ranges))
        return any((low[2], high[2]) != (None, None) or low[:2] != high[:2] for low, high in ends)

    @property
    def distinct(self) -> bool:
        """Several groups may have the same address, and all hosts do."""
        return False

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """As of the other field, cut where the rule changes."""
        for start, step, count in super().pieces(first, last):
            at, left = start, count
            while left:
                low, end, mac, counts = self._part(at)
                inside = left if step == 0 else (end - 1 - at) // step + 1 if step > 0 else (at - low) // -step + 1
                some = min(left, inside)
                base = self._default if mac is None else mac
                yield (base + at - low, step, some) if counts else (base, 0, some)
                at, left = at + step * some, left - some

    def __getitem__(self, index: int) -> int:
        ((mac, _step, _count),) = self.pieces(index, index + 1)
        return mac


def number_of(mac: str) -> int:
    """A MAC address as a number."""
    return int(mac.replace(":", ""), 16)
