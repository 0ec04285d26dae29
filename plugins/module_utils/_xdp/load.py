# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's frames, read from the pcaps into its UMEM, with a descriptor each: a block at a time."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    GLOBAL_HEADER,
    VERSION,
    parse_header,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import ETHERNET_HEADER
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.split import FlowSplit
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, frames_by_rate

_READ = 256 << 10  # bytes of a file at a time, more where a record is longer
_RECORD = 16  # bytes of a record's header
_ALIGN = 8  # a frame's place in its chunk is a multiple of it


class Block(NamedTuple):
    """Some of a worker's frames, one after the other in a pass, as they lie in its UMEM."""

    descriptors: memoryview  # two numbers of 64 bits a frame: its address, its size
    ends: array[int]  # the bytes of the frames up to each one, itself included
    indexes: Sequence[int]  # the frames' numbers in the whole stream
    times: array[float] | None  # when each is due, in seconds; None where that follows from its number
    chunks: int  # of the UMEM that it takes


class _Packing:
    """The frames of a block while it is made."""

    def __init__(self, most: int) -> None:
        self.most = most  # chunks
        self.taken = self.counted = 0
        self.at = self.chunk_end = 0  # where the next frame goes, and where its chunk ends: none is begun
        self.addresses: list[int] = []
        self.sizes: list[int] = []
        self.indexes: list[int] = []
        self.times: list[float] = []


class Loader:
    """Reads a worker's part of the stream, pass after pass, and puts it where the UMEM has room.

    ``free``: the UMEM's chunks that may be written to. ``index``: the next frame's number in the whole stream.
    ``passes``: how many were read whole. ``seconds``: how long a pass takes at the recorded speed. ``ended``: there is
    nothing more of the stream for this worker.
    """

    def __init__(self, stream: XdpStream, worker: int, umem: memoryview) -> None:
        self._stream, self._worker, self._umem = stream, worker, umem
        self._chunks = self.free = len(umem) // CHUNK
        self._next_chunk = 0
        until = frames_by_rate(stream)
        self._until = -1 if until is None else until
        self._by_flow = stream.split == "flow" and stream.workers > 1
        self.index = self.passes = 0
        self.seconds = 0.0
        self.ended = until == 0
        self._pass_began = self._own = 0
        self._open(0)

    def _open(self, number: int) -> None:
        self._number = number
        pcap = self._stream.pcaps[number]
        self._path, self._descriptor = pcap.path, pcap.file.fileno()
        self._header = parse_header(os.pread(self._descriptor, GLOBAL_HEADER.size, 0), self._path)
        self._unpack = struct.Struct(f"{self._header.order}4I").unpack_from
        self._data, self._at, self._offset = b"", 0, GLOBAL_HEADER.size
        self._flows = FlowSplit(self._stream.workers, self._header.link_type) if self._by_flow else None
        self._first = self._latest = -1  # nanoseconds
        self._file_began = self.seconds

    def block(self, most: int) -> Block | None:
        """The next frames, of one pass, in so many free chunks at most; None where the pass has no more of this
        worker's."""
        packing = _Packing(min(most, self.free))
        while not self._pack(packing) and not self.ended:
            if not self._read_on():
                if self._number + 1 == len(self._stream.pcaps):
                    self._end_pass()
                    break
                self._open(self._number + 1)
        self.free -= packing.taken
        self._next_chunk = (self._next_chunk + packing.taken) % self._chunks
        if not packing.sizes:
            return None
        pairs = array("Q", bytes(16 * len(packing.sizes)))
        pairs[0::2] = array("Q", packing.addresses)
        pairs[1::2] = array("Q", packing.sizes)
        step = self._stream.workers
        first = packing.indexes[0]
        return Block(
            memoryview(pairs),
            array("Q", accumulate(packing.sizes)),
            array("Q", packing.indexes) if self._by_flow else range(first, first + step * len(packing.sizes), step),
            array("d", packing.times) if self._stream.multiplier is not None else None,
            packing.taken,
        )

    def _pack(self, packing: _Packing) -> bool:
        """Pack what was read of the file; whether the packing is full."""
        data, at, end, unpack = self._data, self._at, len(self._data), self._unpack
        umem, worker, workers, flows = self._umem, self._worker, self._stream.workers, self._flows
        lengths = None if self._header.version == VERSION else self._header.lengths
        most_read, multiplier, index = self._header.most_read, self._stream.multiplier, self.index
        until, pass_began = self._until, self._pass_began
        place, chunk_end = packing.at, packing.chunk_end
        add_address, add_size, add_index = packing.addresses.append, packing.sizes.append, packing.indexes.append
        view = memoryview(data)
        full = False
        while at + _RECORD <= end:
            if index == until:
                self.ended = True
                break
            seconds, fraction, captured, original = unpack(data, at)
            if lengths is not None:
                captured, original = lengths(captured, original)
            start = at + _RECORD
            if start + captured > end:
                break
            size = captured if captured <= original and captured <= most_read else min(captured, original, most_read)
            if (flows.worker(data, start, size) if flows else (index - pass_began) % workers) == worker:
                # Kernels of 2020 take no frame that ends where its chunk does (xp_aligned_validate_desc()).
                if place + size >= chunk_end:
                    if packing.taken == packing.most:
                        full = True
                        break
                    place = (self._next_chunk + packing.taken) % self._chunks * CHUNK
                    chunk_end = place + CHUNK
                    packing.taken += 1
                    if size > CHUNK:
                        raise self._refused(index, f"{size} bytes long, but AF_XDP sends {CHUNK} at most")
                if size < ETHERNET_HEADER:
                    raise self._refused(index, f"{size} bytes long, less than an Ethernet header")
                place_end, frame_end = place + size, start + size
                umem[place:place_end] = view[start:frame_end]
                add_address(place)
                add_size(size)
                if flows is not None or not packing.indexes:
                    add_index(index)
                place = place + size + _ALIGN - 1 & -_ALIGN
                if multiplier is not None:
                    packing.times.append(self._due(seconds, fraction))
            elif multiplier is not None:
                self._due(seconds, fraction)
            index += 1
            at = start + captured
        self._own += len(packing.sizes) - packing.counted
        packing.counted = len(packing.sizes)
        packing.at, packing.chunk_end = place, chunk_end
        self._at, self.index = at, index
        return full

    def _due(self, seconds: int, fraction: int) -> float:
        """When a frame of this file is due: as long after the first as it was recorded, not before one ahead of it."""
        stamp = seconds * 10**9 + (fraction if self._header.nanosecond else fraction * 1000)
        if self._first < 0:
            self._first = stamp
        self._latest = max(self._latest, stamp)
        self.seconds = self._file_began + (self._latest - self._first) / 1e9 / (self._stream.multiplier or 1)
        return self.seconds

    def _refused(self, index: int, why: str) -> TrafficgenError:
        return TrafficgenError(
            f"frame {index - self._pass_began + 1} of a pass is {why}",
            on=self._path,
            remedy="Remove it with `editcap` (Wireshark), or send with the module tcpreplay.",
        )

    def _read_on(self) -> bool:
        """Read on in the file; False at its end."""
        at = self._at
        rest = self._data[at:]
        wanted = _READ
        if len(rest) >= _RECORD:
            captured = self._header.lengths(*self._unpack(rest, 0)[2:])[0]
            if captured > self._header.longest_frame:
                raise self._spoilt(len(rest), f"claims a frame of {captured} bytes")
            wanted = max(wanted, captured)
        read = os.pread(self._descriptor, wanted, self._offset)
        if rest and not read:
            raise self._spoilt(len(rest), "is cut")
        self._offset += len(read)
        self._data, self._at = rest + read, 0
        return bool(read)

    def _spoilt(self, rest: int, what: str) -> TrafficgenError:
        return TrafficgenError(
            f"the record at byte offset {self._offset - rest} {what}",
            on=self._path,
            remedy="Make or copy the pcap again.",
        )

    def _end_pass(self) -> None:
        if self.index == self._pass_began:
            raise TrafficgenError("has no frames to send", on=self._path, remedy="Name a pcap with frames.")
        self.passes += 1
        self.ended = self.passes == self._stream.loop or not self._own
        self._pass_began, self._own = self.index, 0
        self._open(0)
