# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of one field of a traffic spec: a value, a list, a range, a prefix, in the order in which the frames take them."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Callable

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

_NUMBER = r"(?:0[xX][0-9a-fA-F]{1,64}|[0-9]{1,64})"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})\s*\Z")
_MAC = r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}"
_MAC_RANGE = re.compile(rf"\s*({_MAC})\s*-\s*({_MAC})\s*\Z")
_MOST_TABLED = 1 << 16  # values of one field that are kept encoded


class Numbers:
    """Whole numbers in order, held as ranges, so that a /8 costs as little as a single address."""

    def __init__(self, ranges: Sequence[range]) -> None:
        self.ranges = tuple(ranges)
        self._ends = list(accumulate(piece.stop - piece.start for piece in self.ranges))
        self._tables: dict[tuple[int, int, bool], list[bytes]] = {}

    @property
    def count(self) -> int:
        """How many they are. len() ends at 2**63, an IPv6 prefix does not."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> int:
        place = bisect_right(self._ends, index)
        return self.ranges[place][index - (self._ends[place - 1] if place else 0)]

    @property
    def distinct(self) -> bool:
        """Whether no value stands in it twice."""
        ordered = sorted((piece.start, piece.stop) for piece in self.ranges)
        return all(one[1] <= other[0] for one, other in zip(ordered, ordered[1:]))

    def columns(self, first: int, last: int, width: int, shift: int, little: bool) -> list[bytes]:
        """The values ``first`` (inclusive) to ``last`` (exclusive), shifted left by ``shift`` bits, as ``width`` bytes each.

        One column a byte, in the order in which the bytes stand in the frame: most significant first, unless ``little``.
        """
        if self.count > _MOST_TABLED:
            return self._encode(first, last, width, shift, little)
        key = (width, shift, little)
        if key not in self._tables:
            self._tables[key] = self._encode(0, self.count, width, shift, little)
        if first == 0 and last == self.count:
            return self._tables[key]
        return [column[first:last] for column in self._tables[key]]

    def _encode(self, first: int, last: int, width: int, shift: int, little: bool) -> list[bytes]:
        parts = []
        place = bisect_right(self._ends, first)
        while first < last:
            piece = self.ranges[place]
            skip = first - (self._ends[place - 1] if place else 0)
            count = min(last - first, piece.stop - piece.start - skip)
            parts.append(_lanes.progression(piece[skip] << shift, 1 << shift, width, count))
            first += count
            place += 1
        data = b"".join(parts)
        columns = [data[byte::width] for byte in range(width)]
        return columns if little else columns[::-1]


def _bounded(low: int, high: int, bits: int, shown: Any, on: str) -> range:
    if low > high:
        raise TrafficgenError(f"an empty range: {shown!r}", on=on, remedy="The first value must not be above the last.")
    if low < 0 or high >= 1 << bits:
        raise TrafficgenError(f"{shown!r} is out of the field's range", on=on, remedy=f"It has {bits} bits: 0 to {(1 << bits) - 1}.")
    return range(low, high + 1)


def _number(text: str) -> int:
    # Zeros in front, with which YAML hands a number on as a string (0080), are decimal as well.
    return int(text, 16 if "x" in text.lower() else 10)


def number_range(item: Any, bits: int, on: str, by_name: Callable[[str], int]) -> range:
    """A whole number, ``a-b`` (inclusive; decimal or 0x), or a name that ``by_name`` knows, of a field of ``bits`` bits."""
    if isinstance(item, bool) or not isinstance(item, (int, str)):
        raise TrafficgenError(f"{item!r} is no number, name or range a-b", on=on)
    if isinstance(item, int):
        return _bounded(item, item, bits, item, on)
    text = item.strip()
    found = _RANGE.match(text)
    if found:
        return _bounded(_number(found[1]), _number(found[2]), bits, item, on)
    if re.fullmatch(rf"-?{_NUMBER}", text):
        return _bounded(_number(text), _number(text), bits, item, on)
    value = by_name(text)
    return _bounded(value, value, bits, item, on)


def address_range(item: Any, version: int, on: str) -> range:
    """An IP address, a prefix (every address in it), or ``a-b``. Never a host name: nothing is looked up."""
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    network = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    bits = 32 if version == 4 else 128
    text = item.strip() if isinstance(item, str) else item
    try:
        if not isinstance(text, str):
            raise ValueError("not a string")
        if "/" in text:
            net = network(text)
            return range(int(net.network_address), int(net.broadcast_address) + 1)
        low, dash, high = text.partition("-")
        first = int(kind(low.strip()))
        return _bounded(first, int(kind(high.strip())) if dash else first, bits, item, on)
    except ValueError as error:
        raise TrafficgenError(
            f"{item!r} is no IPv{version} address, prefix or range", on=on, said=str(error), remedy="Host names are not looked up."
        ) from None


def mac_range(item: Any, on: str) -> range:
    """A MAC address with colons, or ``a-b``."""
    if isinstance(item, str):
        text = item.strip()
        found = _MAC_RANGE.match(text)
        if found or re.fullmatch(_MAC, text):
            low, high = (found[1], found[2]) if found else (text, text)
            return _bounded(int(low.replace(":", ""), 16), int(high.replace(":", ""), 16), 48, item, on)
    raise TrafficgenError(f"{item!r} is no MAC address or range", on=on, remedy="Write it as 02:00:00:00:00:01, in quotes.")


def mac_text(value: int) -> str:
    """A MAC address as Scapy takes it."""
    return ":".join(f"{byte:02x}" for byte in value.to_bytes(6, "big"))
