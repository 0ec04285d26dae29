# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a flow is, where in a frame its key lies, and how many there are.

A flow is what tcpreplay's ``Flows:`` line counts (flow_decode() in its src/common/flows.c): frames with the same source
and destination address, protocol and ports of the outermost IP header, one direction only; an ICMP message's type and
code stand for the ports. VLAN tags and MPLS labels are stepped over and are no part of the key. Where tcpreplay errs,
this does not:

* Up to 4.5.1 it takes IPv6 over Ethernet for no IP, unless the destination MAC address starts with the digit 6. Here
  IPv6 has flows.
* It reads ports in the data of an IPv4 fragment that is not the first, and none behind an IPv6 extension header that is
  not hop-by-hop options. Here such a fragment is of the flow without ports, and extension headers are stepped over.
* It knows no ports of SCTP, DCCP and UDP-Lite.
* It leaves out a frame that ends within its TCP header, and an ICMP message that is shorter than the longest kind of
  header. Here the ports, or the type and code, suffice.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Union

LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101
LINKTYPE_LOOP = 108
LINKTYPE_LINUX_SLL = 113
LINKTYPE_IPV4 = 228
LINKTYPE_IPV6 = 229
LINKTYPE_LINUX_SLL2 = 276

# Where a link-layer header says what follows it (None: the IP header's own version says it), and where it ends.
# 12 and 14 are RAW as some BSDs wrote it.
_LINK_LAYERS: dict[int, tuple[int | None, int]] = {
    LINKTYPE_ETHERNET: (12, 14),
    LINKTYPE_LINUX_SLL: (14, 16),
    LINKTYPE_LINUX_SLL2: (0, 20),
    LINKTYPE_NULL: (None, 4),
    LINKTYPE_LOOP: (None, 4),
    **dict.fromkeys((LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6, 12, 14), (None, 0)),
}
_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN = (0x8100, 0x88A8, 0x9100)
_MPLS = (0x8847, 0x8848)
_PORTS = frozenset((6, 17, 33, 132, 136))  # TCP, UDP, DCCP, SCTP, UDP-Lite
_ICMP = frozenset((1, 58))
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AH, _DESTINATION = 0, 43, 44, 51, 60

# Tags, labels and extension headers before the frame's kind is given up on: a frame made of nothing else would take for
# ever. Linux's own dissector (net/core/flow_dissector.c) stops after 15.
_MOST_HEADERS = 32

Buffer = Union[bytes, bytearray]


class _TooManyHeadersError(Exception):
    """The frame has more than :data:`_MOST_HEADERS`."""


class _CutError(Exception):
    """The frame ends before a byte that would have to be known. ``args[0]`` is that byte's offset."""


@dataclass(frozen=True)
class Layout:
    """Where the key of a frame's flow lies, and what decided that.

    Every frame of ``shortest`` to ``longest`` bytes with the same bytes at the offsets ``decisive`` has the same
    layout. ``key`` is None for a frame of no flow.
    """

    key: tuple[slice, ...] | None
    decisive: tuple[int, ...]
    shortest: int
    longest: int | None


class _Decoder:
    """Walks through one frame's headers and notes which bytes it looked at."""

    def __init__(self, frame: Buffer) -> None:
        self.frame = frame
        self.looked_at: list[int] = []
        self._headers = 0

    def _next_header(self) -> None:
        self._headers += 1
        if self._headers > _MOST_HEADERS:
            raise _TooManyHeadersError

    def byte(self, offset: int) -> int:
        if offset >= len(self.frame):
            raise _CutError(offset)
        self.looked_at.append(offset)
        return self.frame[offset]

    def word(self, offset: int) -> int:
        return self.byte(offset) << 8 | self.byte(offset + 1)

    def key(self, link_type: int) -> tuple[slice, ...] | None:
        """Protocol, addresses, ports: of 9, 11, 13 (IPv4), 33, 35 or 37 bytes (IPv6), so the length keeps the kinds
        apart."""
        type_at, offset = _LINK_LAYERS[link_type]
        ether_type = self._version(offset) if type_at is None else self.word(type_at)
        while True:
            self._next_header()
            if ether_type in _VLAN:
                ether_type = self.word(offset + 2)
                offset += 4
            elif ether_type in _MPLS:
                while not self.byte(offset + 2) & 1:  # the bottom of the stack
                    self._next_header()
                    offset += 4
                offset += 4
                ether_type = self._version(offset)
                if (
                    self.byte(offset) >> 4 == 0
                ):  # a pseudowire: its control word, then a whole Ethernet frame (RFC 4448)
                    ether_type = self.word(offset + 16)
                    offset += 18
            elif ether_type == _IPV4:
                return self._ipv4(offset)
            elif ether_type == _IPV6:
                return self._ipv6(offset)
            else:
                return None

    def _version(self, offset: int) -> int:
        return {4: _IPV4, 6: _IPV6}.get(self.byte(offset) >> 4, 0)

    def _ipv4(self, ip: int) -> tuple[slice, ...] | None:
        first = self.byte(ip)
        length = (first & 15) * 4
        if first >> 4 != 4 or length < 20:
            return None
        later_fragment = self.word(ip + 6) & 0x1FFF
        return self._joined(ip + 9, slice(ip + 12, ip + 20), None if later_fragment else ip + length)

    def _ipv6(self, ip: int) -> tuple[slice, ...] | None:
        if self.byte(ip) >> 4 != 6:
            return None
        protocol_at, following = ip + 6, ip + 40
        later_fragment = 0
        while not later_fragment:
            self._next_header()
            protocol = self.byte(protocol_at)
            if protocol in (_HOP_BY_HOP, _ROUTING, _DESTINATION):
                length = (self.byte(following + 1) + 1) * 8
            elif protocol == _AH:
                length = (self.byte(following + 1) + 2) * 4
            elif protocol == _FRAGMENT:
                length = 8
                later_fragment = self.word(following + 2) & 0xFFF8
            else:
                break
            protocol_at, following = following, following + length
        return self._joined(protocol_at, slice(ip + 8, ip + 40), None if later_fragment else following)

    def _joined(self, protocol_at: int, addresses: slice, ports_at: int | None) -> tuple[slice, ...]:
        protocol = self.byte(protocol_at)
        ports = 0 if ports_at is None else 4 if protocol in _PORTS else 2 if protocol in _ICMP else 0
        parts = [slice(protocol_at, protocol_at + 1), addresses]
        if ports_at == addresses.stop:  # one slice less to take for each frame
            parts[1] = slice(addresses.start, addresses.stop + ports)
        elif ports_at is not None and ports:
            parts.append(slice(ports_at, ports_at + ports))
        end = max(part.stop for part in parts)
        if end > len(self.frame):
            raise _CutError(end - 1)
        return tuple(parts)


def layout(frame: Buffer, link_type: int) -> Layout:
    """The layout of one frame.

    :param link_type: the file's LINKTYPE_ number. One that :func:`supported` does not know has no flows.
    """
    if link_type not in _LINK_LAYERS:
        return Layout(None, (), 0, None)
    decoder = _Decoder(frame)
    key: tuple[slice, ...] | None = None
    longest = None
    try:
        key = decoder.key(link_type)
    except _CutError as cut:
        longest = cut.args[0]
    except _TooManyHeadersError:
        pass  # a frame of no flow
    decisive = tuple(sorted(set(decoder.looked_at)))
    ends = [offset + 1 for offset in decisive[-1:]] + [part.stop for part in key or ()]
    return Layout(key, decisive, max(ends, default=0), longest)


def supported(link_type: int) -> bool:
    """Whether flows can be found in frames of this link type: Ethernet, Linux cooked (v1, v2), raw IP, BSD loopback."""
    return link_type in _LINK_LAYERS


def key_slices(frame: Buffer, link_type: int = LINKTYPE_ETHERNET) -> tuple[slice, ...] | None:
    """The ranges of bytes whose concatenation is the key of the frame's flow; None for a frame of no flow (not IP, or
    cut short)."""
    return layout(frame, link_type).key


def flow_key(frame: Buffer, link_type: int = LINKTYPE_ETHERNET) -> bytes | None:
    """The key of the frame's flow, or None: two frames are of one flow if their keys are equal."""
    slices = key_slices(frame, link_type)
    return None if slices is None else b"".join(frame[part] for part in slices)


def same_bytes(block: bytes, first: int, step: int, count: int, offsets: Iterable[int]) -> int:
    """How many of ``count`` records, ``step`` bytes apart from ``first`` on, have the first one's bytes at ``offsets``
    within them.

    Only those at the start count: the answer is 1 where the second differs. One strided slice an offset, no loop over
    records.
    """
    for offset in offsets:
        start = first + offset
        after = start + (count - 1) * step + 1
        column = block[start:after:step]
        if column != column[:1] * count:
            count -= len(column.lstrip(column[:1]))
    return count


def _format(fields: Iterable[tuple[int, int]], position: int = 0) -> str:
    """struct's format for fields (start, stop) of a frame that starts ``position`` bytes after what is unpacked."""
    parts, at = ["="], -position
    for start, stop in fields:
        parts.append(f"{start - at}x{stop - start}s")
        at = stop
    return "".join(parts)


class _Shape:
    """A layout made ready to be applied: the key's fields in one unpacking."""

    def __init__(self, found: Layout) -> None:
        self.decisive = found.decisive
        self.shortest = found.shortest
        self.longest = sys.maxsize if found.longest is None else found.longest
        self.has_key = found.key is not None
        key = [(part.start, part.stop) for part in found.key or ()]
        self._fields = sorted(key)
        # Behind IPv6 extension headers the protocol comes after the addresses, but is to be the key's first byte all
        # the same.
        self.in_order = None if key == self._fields else itemgetter(*(self._fields.index(part) for part in key))
        self.unpack_from = struct.Struct(_format(self._fields)).unpack_from
        self._records: dict[tuple[int, int], struct.Struct] = {}

    def key(self, block: bytes, offset: int) -> bytes:
        """The key of the frame at ``offset``."""
        fields = self.unpack_from(block, offset)
        return b"".join(fields if self.in_order is None else self.in_order(fields))

    def keys(self, records: memoryview, step: int, lead: int) -> Iterator[bytes]:
        """The keys of records of ``step`` bytes, ``lead`` of which stand before the frame."""
        if (step, lead) not in self._records:
            form = _format(self._fields, lead)
            self._records[step, lead] = struct.Struct(f"{form}{step - struct.calcsize(form)}x")
        fields = self._records[step, lead].iter_unpack(records)
        return map(b"".join, fields if self.in_order is None else map(self.in_order, fields))


@dataclass(frozen=True)
class _Family:
    """Shapes decided by bytes at the same offsets, found by what stands there."""

    decisive: tuple[int, ...]
    unpack_from: Callable[[bytes, int], tuple[bytes, ...]]
    shortest: int
    shapes: dict[tuple[bytes, ...], _Shape]


class FlowCounter:
    """Counts the distinct flows of many frames. It keeps every flow's key: 80 bytes of memory for each IPv4 flow, 115
    for each IPv6 one."""

    _FAMILIES = 8  # kept at hand, with so many shapes each; rarer ones are decoded again and again
    _SHAPES = 1024
    _PROBE = 64  # frames looked at before a longer run of one shape is believed in

    def __init__(self, link_type: int = LINKTYPE_ETHERNET) -> None:
        self._link_type = link_type
        self._families: list[_Family] = []
        self._keys: set[bytes] = set()

    @property
    def count(self) -> int:
        """The number of distinct flows so far."""
        return len(self._keys)

    def _shape(self, block: bytes, offset: int, length: int) -> _Shape:
        for family in self._families:
            if length >= family.shortest:
                known = family.shapes.get(family.unpack_from(block, offset))
                if known is not None and known.shortest <= length <= known.longest:
                    return known
        end = offset + length
        shape = _Shape(layout(block[offset:end], self._link_type))
        family = self._family(shape.decisive)
        if len(family.shapes) >= self._SHAPES:
            family.shapes.clear()
        family.shapes[family.unpack_from(block, offset)] = shape
        return shape

    def _family(self, decisive: tuple[int, ...]) -> _Family:
        for family in self._families:
            if family.decisive == decisive:
                return family
        starts = [o for o in decisive if o - 1 not in decisive]  # neighbouring bytes are one field
        stops = [o + 1 for o in decisive if o + 1 not in decisive]
        family = _Family(decisive, struct.Struct(_format(zip(starts, stops))).unpack_from, max(stops, default=0), {})
        self._families = [family, *self._families][: self._FAMILIES]
        return family

    def key(self, block: bytes, offset: int, length: int) -> bytes | None:
        """What :func:`flow_key` says of the frame of ``length`` bytes at ``offset`` in ``block``. Counts nothing."""
        shape = self._shape(block, offset, length)
        return shape.key(block, offset) if shape.has_key else None

    def add(self, block: bytes, offset: int, length: int) -> None:
        """Count the frame of ``length`` bytes at ``offset`` in ``block``."""
        shape = self._shape(block, offset, length)
        if shape.has_key:
            self._keys.add(shape.key(block, offset))

    def add_run(self, block: bytes, first: int, step: int, count: int, lead: int) -> None:
        """Count the frames of ``count`` records of ``step`` bytes each, the first at ``first``.

        A frame starts ``lead`` bytes into its record and fills the rest of it.
        """
        length = step - lead
        window = self._PROBE
        while count:
            shape = self._shape(block, first + lead, length)
            looked = min(window, count)
            same = same_bytes(block, first + lead, step, looked, shape.decisive)
            if shape.has_key:
                end = first + same * step
                self._keys.update(shape.keys(memoryview(block)[first:end], step, lead))
            first += same * step
            count -= same
            window *= 16
            if same < looked:
                # Shapes alternate here: frame by frame for a while.
                window = self._PROBE
                for _turn in range(min(window, count)):
                    self.add(block, first + lead, length)
                    first += step
                    count -= 1
