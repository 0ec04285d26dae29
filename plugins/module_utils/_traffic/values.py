# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of one field of a traffic spec: a value, a list, a range, a prefix, in the order in which the frames take
them."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, Callable

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _lanes as lanes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

_NUMBER = r"(?:0[xX][0-9a-fA-F]{1,64}|[0-9]{1,64})"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})\s*(?::\s*(-?{_NUMBER})\s*)?\Z")
_MAC = r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}"
_MAC_RANGE = re.compile(rf"\s*({_MAC})\s*(?:-\s*({_MAC})\s*(?::\s*(-?(?:{_MAC}|{_NUMBER}))\s*)?)?\Z")
_LONGEST = 200  # characters of an address range
_MOST_TABLED = 1 << 16  # values of one field that are kept encoded


def _length(values: range) -> int:
    """How many they are: len() ends at 2**63."""
    return (values.stop - values.start + values.step - (1 if values.step > 0 else -1)) // values.step


def spans(ranges: Iterable[range]) -> list[tuple[int, int]]:
    """The lowest and the highest number of each."""
    ends = [(piece.start, piece.start + piece.step * (_length(piece) - 1)) for piece in ranges]
    return [(min(pair), max(pair)) for pair in ends]


class Numbers:
    """Whole numbers in order, held as ranges, so that a /8 costs as little as a single address."""

    def __init__(self, ranges: Sequence[range]) -> None:
        self.ranges = tuple(ranges)
        self._ends = list(accumulate(_length(piece) for piece in ranges))
        self._tables: dict[tuple[int, int, bool], list[bytes]] = {}

    @property
    def count(self) -> int:
        """How many they are. len() ends at 2**63, an IPv6 prefix does not."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> int:
        ((start, _step, _count),) = self.pieces(index, index + 1)
        return start

    @property
    def distinct(self) -> bool:
        """Whether no value stands in it twice, as far as the ends of its ranges tell."""
        ordered = sorted(spans(self.ranges))
        return all(one[1] < other[0] for one, other in zip(ordered, ordered[1:]))

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """The values ``first`` (inclusive) to ``last`` (exclusive) as progressions: (start, step, how many)."""
        place = bisect_right(self._ends, first)
        while first < last:
            piece = self.ranges[place]
            begin = self._ends[place - 1] if place else 0
            count = min(last, self._ends[place]) - first
            yield piece.start + piece.step * (first - begin), piece.step, count
            first += count
            place += 1

    def columns(self, first: int, last: int, width: int, shift: int, little: bool) -> list[bytes]:
        """The values ``first`` (inclusive) to ``last`` (exclusive), shifted left by ``shift`` bits, as ``width`` bytes
        each.

        One column a byte, in the order in which the bytes stand in the frame: most significant first, unless
        ``little``.
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
        parts: list[list[bytes]] = []
        for start, step, count in self.pieces(first, last):
            lowest = start if step >= 0 else start + step * (count - 1)
            data = lanes.progression(lowest << shift, abs(step) << shift, width, count)
            columns = [data[byte::width] for byte in range(width)]
            parts.append(columns if step >= 0 else [column[::-1] for column in columns])
        joined = [b"".join(column) for column in zip(*parts)]
        return joined if little else joined[::-1]


def _bounded(low: int, high: int, bits: int, shown: Any, on: str, step: int = 1) -> range:
    if step == 0:
        raise TrafficgenError(f"{shown!r} has a step of 0", on=on, remedy="A step is at least 1.")
    if (low > high) if step > 0 else (low < high):
        raise TrafficgenError(
            f"the range {shown!r} is empty",
            on=on,
            remedy=(
                "The first value must not be above the last."
                if step > 0
                else "With a negative step it must not be below the last."
            ),
        )
    if min(low, high) < 0 or max(low, high) >= 1 << bits:
        raise TrafficgenError(
            f"{shown!r} is out of the field's range", on=on, remedy=f"It has {bits} bits: 0 to {(1 << bits) - 1}."
        )
    return range(low, high + (1 if step > 0 else -1), step)


def _number(text: str) -> int:
    # Zeros in front, with which YAML hands a number on as a string (0080), are decimal as well.
    return int(text, 16 if "x" in text.lower() else 10)


def _step(text: Any, address: Callable[[str], int], shown: Any, on: str) -> int:
    """A step: how many values further the next one is, as a number or, of addresses, as an address. With a minus it
    goes down."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if isinstance(text, str):
        found = re.fullmatch(rf"\s*(-?)\s*({_NUMBER})\s*", text)
        if found:
            return -_number(found[2]) if found[1] else _number(found[2])
        plain = text.strip()
        with suppress(ValueError):
            return -address(plain[1:]) if plain.startswith("-") else address(plain)
    raise TrafficgenError(
        f"{text!r} is not a step in {shown!r}", on=on, remedy="Give a number. Between addresses, an address will do."
    )


def _stepped(
    given: dict[Any, Any], bits: int, value: Callable[[Any], int], address: Callable[[str], int], on: str
) -> range:
    """``{start, end, step}`` or ``{start, step, count}``: the form for what has no unambiguous text, as IPv6 has none
    with a step."""
    unknown = sorted(set(given) - {"start", "end", "step", "count"}, key=str)
    if unknown or "start" not in given or ("end" in given) == ("count" in given):
        raise TrafficgenError(
            f"unknown key {unknown[0]!r}" if unknown else f"{given!r} is not a range",
            on=on,
            remedy="Write {start, end, step} or {start, step, count}; step may be left out.",
        )
    for key in ("start", "end"):
        if isinstance(given.get(key), dict):
            raise TrafficgenError(f"{key} is {given[key]!r}", on=on, remedy="start and end must be one value each.")
    start = value(given["start"])
    step = _step(given.get("step", 1), address, given, on)
    if "end" in given:
        return _bounded(start, value(given["end"]), bits, given, on, step)
    count = given["count"]
    if isinstance(count, str) and re.fullmatch(_NUMBER, count.strip()):
        count = _number(count.strip())
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise TrafficgenError(f"count is {count!r}", on=on, remedy="count must be a whole number, 1 or more.")
    return _bounded(start, start + step * (count - 1), bits, given, on, step)


def number_range(item: Any, bits: int, on: str, by_name: Callable[[str], int]) -> range:
    """A whole number, a range, or a name that ``by_name`` knows, of a field of ``bits`` bits.

    A range is ``a-b`` (inclusive; decimal or 0x) or ``a-b:step``, or a mapping (see :func:`_stepped`).
    """
    if isinstance(item, dict):
        return _stepped(item, bits, lambda one: _single(number_range(one, bits, on, by_name), one, on), int, on)
    if isinstance(item, bool) or not isinstance(item, (int, str)):
        raise TrafficgenError(f"{item!r} is not a number, a name or a range a-b", on=on)
    if isinstance(item, int):
        return _bounded(item, item, bits, item, on)
    text = item.strip()
    found = _RANGE.match(text)
    if found:
        return _bounded(_number(found[1]), _number(found[2]), bits, item, on, _step(found[3] or 1, int, item, on))
    if re.fullmatch(rf"-?{_NUMBER}", text):
        return _bounded(_number(text), _number(text), bits, item, on)
    value = by_name(text)
    return _bounded(value, value, bits, item, on)


def _single(values: range, shown: Any, on: str) -> int:
    if values.stop - values.start != values.step:
        raise TrafficgenError(
            f"{shown!r} stands for several values", on=on, remedy="start and end must be one value each."
        )
    return values.start


def address_range(item: Any, version: int, on: str) -> range:
    """An IP address, a prefix (every address in it), or ``a-b``, with ``:step`` if need be. Never a host name: nothing
    is looked up."""
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    network = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    bits = 32 if version == 4 else 128

    def number(text: str) -> int:
        return int(kind(text.strip()))

    if isinstance(item, dict):
        return _stepped(item, bits, lambda one: _single(address_range(one, version, on), one, on), number, on)
    text = item.strip() if isinstance(item, str) else item
    try:
        if not isinstance(text, str):
            raise ValueError("not a string")
        if len(text) > _LONGEST:
            raise ValueError("too long")
        if "/" in text:
            slash = text.index("/")
            length, colon, step = text[slash:].partition(":")
            net = network(text[:slash] + length)
            by = _step(step, number, item, on) if colon else 1
            return _bounded(int(net.network_address), int(net.broadcast_address), bits, item, on, by)
        low, dash, high = text.partition("-")
        if not dash:
            return _bounded(number(low), number(low), bits, item, on)
        last, by = _end_and_step(number(low), high, number, item, on)
        return _bounded(number(low), last, bits, item, on, by)
    except ValueError as error:
        raise TrafficgenError(
            f"{item!r} is not an IPv{version} address, prefix or range",
            on=on,
            said=str(error),
            remedy="Host names are not looked up.",
        ) from None


def _end_and_step(low: int, text: str, number: Callable[[str], int], shown: Any, on: str) -> tuple[int, int]:
    """The last address of a range and its step, from what stands behind the dash. In IPv6 a colon may be either's."""
    readings = []
    for at in [place for place, character in enumerate(text) if character == ":"]:
        with suppress(ValueError, TrafficgenError):
            behind = at + 1
            end, step = number(text[:at]), _step(text[behind:], number, shown, on)
            if step and (end - low) * step >= 0:
                readings.append((end, step))
    try:
        readings.append((number(text), 1))
    except ValueError:
        if not readings:
            last, colon, by = text.partition(":")
            if not colon or ":" in by:
                raise
            return number(last), _step(by, number, shown, on)
    if len(readings) > 1:
        raise TrafficgenError(
            f"{shown!r} can be read in two ways, with a step and without one",
            on=on,
            remedy="Write {start: ADDRESS, end: ADDRESS}, or {start: ADDRESS, end: ADDRESS, step: 16}.",
        )
    return readings[0]


def mac_range(item: Any, on: str) -> range:
    """A MAC address with colons, ``a-b`` or ``a-b:step``, the step a number or written as an address."""
    if isinstance(item, dict):
        return _stepped(item, 48, lambda one: _single(mac_range(one, on), one, on), _mac, on)
    found = _MAC_RANGE.match(item) if isinstance(item, str) else None
    if found:
        low, high = _mac(found[1]), _mac(found[2] or found[1])
        return _bounded(low, high, 48, item, on, _step(found[3] or 1, _mac, item, on))
    raise TrafficgenError(
        f"{item!r} is not a MAC address or range", on=on, remedy="Write it as 02:00:00:00:00:01, in quotes."
    )


def _mac(text: str) -> int:
    if not re.fullmatch(_MAC, text):
        raise ValueError("not a MAC address")
    return int(text.replace(":", ""), 16)


def mac_text(value: int) -> str:
    """A MAC address as Scapy takes it."""
    return ":".join(f"{byte:02x}" for byte in value.to_bytes(6, "big"))
