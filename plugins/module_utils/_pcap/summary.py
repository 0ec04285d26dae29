# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a pcap: how many frames of which sizes, how fast they were recorded, whose they are.

A file is read once, in blocks of bounded size.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import operator
import os
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    GLOBAL_HEADER,
    VERSION,
    FileHeader,
    is_bare_ip,
    open_pcap,
    parse_header,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import (
    LINKTYPE_ETHERNET,
    FlowCounter,
    same_bytes,
    supported,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import ETHERNET_HEADER, wire_bytes

SOURCE_MACS_LIMIT = 4096  # a counter's rule finds one among them by a hash, and takes 60 ms to set up (nft 1.0.6)
_VLAN = b"\x81\x00"  # the EtherType of IEEE 802.1Q
_VLANS = (_VLAN, b"\x88\xa8")  # and of 802.1ad: the kernel takes either off an arriving frame
_BLOCK = 1 << 20
_PROBE = 64  # records looked at before a longer run of one size is believed in
_LENGTHS = range(8, 16)  # the bytes of a record header that hold its two lengths


@dataclass(frozen=True)
class PcapSummary:
    """What is in a pcap, as libpcap reads it and tcpreplay sends it.

    A frame's size is the least of the bytes the file holds of it, the length it had on the line, and the file's
    snaplen. No FCS is in it, unless it was captured too.
    """

    path: str
    packets: int
    bytes: int
    wire_bytes: int | None  # as Ethernet frames on the line, with FCS and padding; None for another link type
    file_bytes: int
    truncated_packets: int  # frames smaller than on the line, for whatever reason
    snaplen_cut_packets: int  # those that the file holds more of, and libpcap cuts at the file's snaplen
    surplus_packets: int  # records that hold more than the frame's length on the line
    short_packets: int | None  # frames that end within their Ethernet header; None: not Ethernet
    largest_original: int  # the most bytes a frame is said to have had on the line
    link_type: int
    link_type_name: str
    nanosecond: bool
    byte_order: str  # little | big
    fcs_length: int | None  # bytes of FCS at each frame's end, as the file's header says; None: it does not say
    bare_ip: bool  # the link type says Ethernet, and every frame is an IP packet without an Ethernet header
    snaplen: int
    first: str | None  # epoch seconds with six or nine decimals, of the first and last packet in the order of the file
    last: str | None
    duration: float  # seconds between these two
    replay_duration: (
        float  # seconds from the first packet to the latest, for which tcpreplay waits at the recorded speed
    )
    time_goes_back: int  # packets older than the one before them
    sizes: dict[int, int]  # packets by frame size, ascending
    flows: int | None  # None: not asked for, or not known for this link type
    source_macs: list[str] | None  # None: not asked for, more than SOURCE_MACS_LIMIT, or not Ethernet
    vlan_tagged: str | None  # none | some | all of the frames; None as source_macs
    sha256: str


def _as_number(seconds: int, fraction: int) -> int:
    """A time stamp as one number that keeps the order."""
    return seconds << 32 | fraction


class _Scan:
    """Counts the records of a file, handed to it block by block."""

    def __init__(self, header: FileHeader, flows: bool, source_macs: bool, path: str) -> None:
        self.path = path
        self.header = header
        self.record = struct.Struct(f"{header.order}IIII")
        ethernet = header.link_type == LINKTYPE_ETHERNET
        self.sizes: defaultdict[int, int] = defaultdict(int)
        self.truncated = self.snaplen_cut = self.surplus = self.largest_original = 0
        self.bare_ip = ethernet
        self.first = self.last = self.latest = -1  # time stamps as _as_number() makes them
        self.back = 0
        self.flows = FlowCounter(header.link_type) if flows and supported(header.link_type) else None
        self.macs: set[bytes] | None = set() if source_macs and ethernet else None
        self.tags: set[bool] = set()

    def feed(self, block: bytes, base: int) -> int:
        """Count the whole records at the start of ``block``, which starts at byte ``base`` of the file; how many bytes
        they took."""
        unpack = self.record.unpack_from
        sizes, longest, most = self.sizes, self.header.longest_frame, self.header.most_read
        add_flow = self.flows.add if self.flows is not None else None
        bare_ip, lengths = self.bare_ip, None if self.header.version == VERSION else self.header.lengths
        end = len(block)
        at = 0
        before, alike = -1, 0
        last_seconds, last_fraction = divmod(self.last, 1 << 32)
        while at + 16 <= end:
            seconds, fraction, captured, original = unpack(block, at)
            if lengths is not None:
                captured, original = lengths(captured, original)
            following = at + 16 + captured
            if captured > longest:
                self._corrupt(base + at, captured)
            if following > end:
                break
            size = captured if captured == original and captured <= most else min(captured, original, most)
            if captured == before:
                alike += 1
                if alike > 8 and size == captured and not bare_ip:
                    self.last = _as_number(last_seconds, last_fraction)
                    count = self._run(block, at, 16 + captured)
                    last_seconds, last_fraction = divmod(self.last, 1 << 32)
                    self._add_size(captured, original, count)
                    at += count * (16 + captured)
                    alike = 0
                    continue
            else:
                before, alike = captured, 0
            if size == original == captured:
                sizes[size] += 1
            else:
                self._add_size(captured, original, 1)
            if seconds < last_seconds or (fraction < last_fraction and seconds == last_seconds):
                self.back += 1
                self.latest = max(self.latest, _as_number(last_seconds, last_fraction))
            last_seconds, last_fraction = seconds, fraction
            if add_flow is not None:
                add_flow(block, at + 16, size)
            if self.macs is not None:
                source, source_end = at + 22, at + 16 + min(size, 14)
                self._add_mac(block[source:source_end])
            if bare_ip:
                start, looked = at + 16, at + 16 + min(size, 56)
                bare_ip = is_bare_ip(block[start:looked], original)
            at = following
        if at and self.first < 0:
            self.first = _as_number(*unpack(block, 0)[:2])
        self.last = _as_number(last_seconds, last_fraction)
        self.bare_ip = bare_ip
        return at

    def _add_size(self, captured: int, original: int, count: int) -> None:
        """Take in frames of which the file may hold more or less than was on the line."""
        whole = min(captured, original)
        size = self.header.sent(captured, original)
        self.sizes[size] += count
        self.truncated += count * (size < original)
        self.snaplen_cut += count * (size < whole)
        self.surplus += count * (captured > original)
        self.largest_original = max(self.largest_original, original)

    def _run(self, block: bytes, first: int, step: int) -> int:
        """Take in the records of one size from ``first`` on, without a loop over them; how many there were."""
        limit = (len(block) - first) // step
        looked = min(_PROBE, limit)
        count = same_bytes(block, first, step, looked, _LENGTHS)
        while count == looked < limit:
            looked = min(looked * 16, limit)
            count = same_bytes(block, first, step, looked, _LENGTHS)
        self._add_times(block, first, step, count)
        if self.flows is not None:
            self.flows.add_run(block, first, step, count, 16)
        if self.macs is not None and step >= 28:
            end = min(step, 30)
            if same_bytes(block, first, step, count, range(22, end)) == count:
                self._add_mac(struct.unpack_from(f"{end - 22}s", block, first + 22)[0])
            else:
                form = struct.Struct(f"22x{end - 22}s{step - end}x")
                after = first + count * step
                for mac in set(map(itemgetter(0), form.iter_unpack(memoryview(block)[first:after]))):
                    self._add_mac(mac)
        return count

    def _add_times(self, block: bytes, first: int, step: int, count: int) -> None:
        """Take in the time stamps of ``count`` records, their bytes by columns, joined as :func:`_as_number` does."""
        joined = bytearray(8 * count)
        end = first + (count - 1) * step + 1
        little = self.header.order == "<"
        for place in range(8):
            column = (place + 4) % 8 if little else place  # the fraction, which stands second, is the lower half
            start, after = first + column, end + column
            joined[place::8] = block[start:after:step]
        stamps = struct.unpack(f"{self.header.order}{count}Q", joined)
        if stamps[0] < self.last or list(stamps) != sorted(stamps):
            self.back += sum(map(operator.gt, (self.last, *stamps), stamps))
            self.latest = max(self.latest, self.last, *stamps)
        self.last = stamps[-1]

    @property
    def short_packets(self) -> int | None:
        """How many Ethernet frames end within their header."""
        if self.header.link_type != LINKTYPE_ETHERNET:
            return None
        return sum(packets for size, packets in self.sizes.items() if size < ETHERNET_HEADER)

    def _add_mac(self, mac: bytes) -> None:
        """Take in a frame's source address and, where it is that long, the EtherType behind."""
        if self.macs is not None and len(mac) >= 6:
            self.macs.add(mac[:6])
            self.tags.add(mac[6:8] in _VLANS)
            if len(self.macs) > SOURCE_MACS_LIMIT:
                self.macs = None

    def _corrupt(self, offset: int, captured: int) -> None:
        raise TrafficgenError(
            f"is corrupt: the record header at byte offset {offset} (good packets before it:"
            f" {sum(self.sizes.values())}) claims a frame of {captured} bytes; a frame in a pcap has at most"
            f" {self.header.longest_frame}",
            on=self.path,
            remedy="Make or copy it again.",
        )

    def ended(self, rest: bytes, base: int) -> None:
        """The file ends with ``rest``, at byte ``base``: refuse it where a record is cut."""
        if not rest:
            return
        packets = sum(self.sizes.values())
        if len(rest) < 16:
            where = "within a record header of 16 bytes"
        else:
            captured, _original = self.header.lengths(*self.record.unpack_from(rest)[2:])
            where = f"{len(rest) - 16} bytes into a frame of {captured}"
        raise TrafficgenError(
            f"is truncated: it ends at byte offset {base + len(rest)}, {where}; "
            f"the record that is cut off starts at byte offset {base} (whole packets before it: {packets})",
            on=self.path,
            remedy="Copy it again; `editcap -F nsecpcap IN OUT` (Wireshark) keeps the whole packets.",
        )


@contextlib.contextmanager
def _from_its_start(path: str, opened: io.FileIO | None) -> Iterator[io.FileIO]:
    """The file that is open already, which stays so, or else the one at ``path``."""
    if opened is None:
        with open_pcap(path) as file:
            yield file
    else:
        opened.seek(0)
        yield opened


def all_tagged(path: str, over: int, opened: io.FileIO | None = None) -> bool:
    """Whether each frame of more than ``over`` bytes has an IEEE 802.1Q tag. Reads the file up to the first that has
    none.

    :param opened: the file, where it is open already, whatever lies at ``path`` by now.
    """
    with _from_its_start(path, opened) as raw, open(raw.fileno(), "rb", buffering=_BLOCK, closefd=False) as file:
        header = parse_header(file.read(GLOBAL_HEADER.size), path)
        record = struct.Struct(header.order + "8xII")
        while len(head := file.read(record.size)) == record.size:
            captured, original = header.lengths(*record.unpack(head))
            long = header.sent(captured, original) > over
            if long and file.read(ETHERNET_HEADER)[12:] != _VLAN:
                return False
            file.seek(captured - (ETHERNET_HEADER if long else 0), os.SEEK_CUR)
    return True


def all_addressed_to(path: str, mac: str, opened: io.FileIO | None = None) -> bool:
    """Whether each frame is addressed to this MAC address, or to everybody. Reads as :func:`all_tagged` does."""
    wanted = (bytes.fromhex(mac.replace(":", "")), b"\xff" * 6)
    with _from_its_start(path, opened) as raw, open(raw.fileno(), "rb", buffering=_BLOCK, closefd=False) as file:
        header = parse_header(file.read(GLOBAL_HEADER.size), path)
        record = struct.Struct(header.order + "8xII")
        while len(head := file.read(record.size)) == record.size:
            captured, _original = header.lengths(*record.unpack(head))
            if file.read(min(captured, 6)) not in wanted:
                return False
            file.seek(captured - 6, os.SEEK_CUR)
    return True


@dataclass(frozen=True)
class Frames:
    """Some frames, one after the other. ``seconds``: as recorded, from the first to the latest, of each file on its
    own."""

    packets: int
    bytes: int
    wire_bytes: int
    seconds: float

    def __add__(self, other: Frames) -> Frames:
        return Frames(
            self.packets + other.packets,
            self.bytes + other.bytes,
            self.wire_bytes + other.wire_bytes,
            self.seconds + other.seconds,
        )

    def __mul__(self, times: int) -> Frames:
        return Frames(self.packets * times, self.bytes * times, self.wire_bytes * times, self.seconds * times)


def first_frames(path: str, packets: int, opened: io.FileIO | None = None) -> Frames:
    """The first so many frames of a file. Reads their headers one by one.

    :param opened: as for :func:`all_tagged`.
    """
    count = size = wire = 0
    first = latest = -1
    with _from_its_start(path, opened) as raw, open(raw.fileno(), "rb", buffering=_BLOCK, closefd=False) as file:
        header = parse_header(file.read(GLOBAL_HEADER.size), path)
        record = struct.Struct(header.order + "IIII")
        while count < packets and len(head := file.read(record.size)) == record.size:
            seconds, fraction, *lengths = record.unpack(head)
            captured, original = header.lengths(*lengths)
            sent = header.sent(captured, original)
            count, size, wire = count + 1, size + sent, wire + int(wire_bytes(sent))
            stamp = _as_number(seconds, fraction)
            first, latest = stamp if first < 0 else first, max(latest, stamp)
            file.seek(captured, os.SEEK_CUR)
    decimals = 9 if header.nanosecond else 6
    return Frames(count, size, wire, (_units(latest, decimals) - _units(first, decimals)) / 10**decimals)


def repeated_frames(
    summaries: Sequence[PcapSummary], packets: int, opened: Sequence[io.FileIO] | None = None
) -> Frames:
    """The first so many frames of Ethernet pcaps that are sent one after the other, again and again.

    :param opened: the files, where they are open already.
    """
    sources: Sequence[io.FileIO | None] = opened or [None] * len(summaries)
    files = [Frames(one.packets, one.bytes, one.wire_bytes or 0, one.replay_duration) for one in summaries]
    passes, rest = divmod(packets, sum(one.packets for one in files))
    total = sum((one * passes for one in files), Frames(0, 0, 0, 0.0))
    for summary, one, source in zip(summaries, files, sources):
        if rest < one.packets:
            return total + first_frames(summary.path, rest, source) if rest else total
        total, rest = total + one, rest - one.packets
    return total


def summarize(
    path: str, *, flows: bool = True, source_macs: bool = False, opened: io.FileIO | None = None
) -> PcapSummary:
    """Read a whole pcap once, in bounded memory but for the flows (see :class:`FlowCounter`).

    :param flows: count the flows, which takes most of the time where it is asked for.
    :param source_macs: collect the source MAC addresses of Ethernet frames.
    :param opened: the file, where it is open already, whatever lies at ``path`` by now.
    :raises TrafficgenError: the file cannot be read, is no classic pcap, is truncated or corrupt; the message names the
    byte offset.
    """
    digest = hashlib.sha256()
    with _from_its_start(path, opened) as file:
        try:
            block = file.read(_BLOCK)
            header = parse_header(block[: GLOBAL_HEADER.size], path)
            scan = _Scan(header, flows, source_macs, path)
            digest.update(block)
            file_bytes = len(block)
            taken = GLOBAL_HEADER.size
            rest = block[taken:]
            while True:
                taken = scan.feed(rest, file_bytes - len(rest))
                rest = rest[taken:]
                block = file.read(_BLOCK)
                if not block:
                    break
                digest.update(block)
                file_bytes += len(block)
                rest += block
        except OSError as error:
            raise TrafficgenError("cannot be read", on=path, said=error.strerror or str(error)) from error
    scan.ended(rest, file_bytes - len(rest))
    decimals = 9 if header.nanosecond else 6
    first, last, latest = (_units(stamp, decimals) for stamp in (scan.first, scan.last, max(scan.last, scan.latest)))
    return PcapSummary(
        path=path,
        packets=sum(scan.sizes.values()),
        bytes=sum(size * packets for size, packets in scan.sizes.items()),
        wire_bytes=(
            None
            if header.link_type != LINKTYPE_ETHERNET
            else sum(int(wire_bytes(size)) * packets for size, packets in scan.sizes.items())
        ),
        file_bytes=file_bytes,
        truncated_packets=scan.truncated,
        snaplen_cut_packets=scan.snaplen_cut,
        surplus_packets=scan.surplus,
        short_packets=scan.short_packets,
        largest_original=max((scan.largest_original, *scan.sizes)),
        link_type=header.link_type,
        link_type_name=header.link_type_name,
        fcs_length=header.fcs_length,
        bare_ip=scan.bare_ip and bool(scan.sizes),
        nanosecond=header.nanosecond,
        byte_order="little" if header.order == "<" else "big",
        snaplen=header.snaplen,
        first=_seconds(first, decimals) if scan.sizes else None,
        last=_seconds(last, decimals) if scan.sizes else None,
        duration=(last - first) / 10**decimals,
        replay_duration=(latest - first) / 10**decimals,
        time_goes_back=scan.back,
        sizes=dict(sorted(scan.sizes.items())),
        flows=scan.flows.count if scan.flows is not None else None,
        source_macs=None if scan.macs is None else sorted(mac.hex(":") for mac in scan.macs),
        vlan_tagged=(
            None if scan.macs is None else "some" if len(scan.tags) > 1 else "all" if True in scan.tags else "none"
        ),
        sha256=digest.hexdigest(),
    )


def _units(stamp: int, decimals: int) -> int:
    """A time stamp in microseconds or nanoseconds; 0 for none. Its fraction may be more than a second."""
    return 0 if stamp < 0 else (stamp >> 32) * 10**decimals + (stamp & 0xFFFFFFFF)


def _seconds(units: int, decimals: int) -> str:
    return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"
