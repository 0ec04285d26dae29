# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each of several tcpreplay sends of the pcaps, in a temporary file of its own.

The files have no name: they go with the last process that has them open, however that ends. tcpreplay gets them as
``/proc/self/fd/N``, as it does the pcaps.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    GLOBAL_HEADER,
    MAGIC_MICROSECONDS,
    MAX_SNAPLEN,
    VERSION,
    parse_header,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import LINKTYPE_ETHERNET
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import Traffic
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.split import FlowSplit
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import TcpreplayRequest

_RECORD = struct.Struct("<IIII")
_BLOCK = 1 << 20
_LOOK = 4096  # frames after which it looks whether it is to stop


class Share:
    """The part of the pcaps that one worker sends, ``file``.

    ``packets`` and ``bytes`` are those of a pass. ``limit``: how many it sends of the whole run's limit; None without
    one.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.packets = self.bytes = self.first = 0
        self.limit: int | None = None

    @property
    def word(self) -> str:
        """What tcpreplay is given for it."""
        return f"/proc/self/fd/{self.file.fileno()}"


@contextlib.contextmanager
def _share() -> Iterator[Share]:
    with tempfile.TemporaryFile() as file:
        yield Share(file)


def room(request: TcpreplayRequest, traffic: Traffic) -> int:
    """How many bytes of temporary files the shares take: none for a single tcpreplay."""
    if request.workers == 1:
        return 0
    return traffic.bytes + _RECORD.size * traffic.packets + GLOBAL_HEADER.size * request.workers


def in_memory(mounts: str = "/proc/self/mountinfo") -> bool:
    """Whether the folder for temporary files takes memory: a tmpfs or ramfs, as the kernel lists it (proc(5))."""
    device = os.stat(tempfile.gettempdir()).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    found = (line.split() for line in read_text(mounts).splitlines())
    return any(words[2] == number and words[words.index("-") + 1] in ("tmpfs", "ramfs") for words in found)


def check_room(request: TcpreplayRequest, traffic: Traffic) -> None:
    """Refuse pcaps whose shares have no room in the folder for temporary files."""
    folder = tempfile.gettempdir()
    found = os.statvfs(folder)
    needed = room(request, traffic)
    if needed > (free := found.f_bavail * found.f_frsize):
        raise TrafficgenError(
            f"their parts of the pcaps take {needed / 1e6:.1f} MB of temporary files, but {folder} has"
            f" {free / 1e6:.1f} MB free",
            on=f"workers {request.workers}",
            remedy="Free some space, let TMPDIR name a folder with more, or set workers: 1.",
        )


def write_shares(
    request: TcpreplayRequest, pcaps: Sequence[OpenedPcap], traffic: Traffic, stack: contextlib.ExitStack, watch: Watch
) -> list[Share]:
    """Write the share of each worker, which is there until ``stack`` ends. Those that have no frame are left empty.

    Worker w of N has the frames i ≡ w mod N of a pass, or those of its flows.
    """
    passes, rest = (0, 0) if request.limit is None else divmod(request.limit, traffic.packets)
    try:
        shares = [stack.enter_context(_share()) for _worker in range(request.workers)]
        for share in shares:
            header = (MAGIC_MICROSECONDS, *VERSION, 0, 0, MAX_SNAPLEN, LINKTYPE_ETHERNET)
            share.file.write(GLOBAL_HEADER.pack(*header))
        _deal_out(request, pcaps, shares, rest, watch)
        for share in shares:
            share.file.flush()
    except OSError as error:
        raise TrafficgenError(
            "their parts of the pcaps could not be written",
            on=f"workers {request.workers}",
            said=str(error),
            remedy=f"{remedy_of(error)} TMPDIR names the folder for temporary files.".strip(),
        ) from error
    if request.limit is not None:
        for share in shares:
            share.limit = passes * share.packets + share.first
    return shares


def _deal_out(
    request: TcpreplayRequest, pcaps: Sequence[OpenedPcap], shares: Sequence[Share], rest: int, watch: Watch
) -> None:
    """Read the pcaps, and write each frame to its share.

    :param rest: how many frames of a pass its last, incomplete one has.
    """
    flows = FlowSplit(len(shares), LINKTYPE_ETHERNET) if request.split == "flow" else None
    index = 0
    for pcap in pcaps:
        pcap.file.seek(0)
        with open(pcap.file.fileno(), "rb", buffering=_BLOCK, closefd=False) as file:
            header = parse_header(file.read(GLOBAL_HEADER.size), pcap.path)
            unpack, divisor = struct.Struct(header.order + "IIII").unpack, 1000 if header.nanosecond else 1
            while len(head := file.read(_RECORD.size)) == _RECORD.size:
                seconds, fraction, *lengths = unpack(head)
                captured, original = header.lengths(*lengths)
                frame = file.read(captured)[: header.sent(captured, original)]
                size = len(frame)
                share = shares[index % len(shares) if flows is None else flows.worker(frame, 0, size)]
                share.file.write(_RECORD.pack(seconds, fraction // divisor, size, size) + frame)
                share.packets += 1
                share.bytes += size
                share.first += index < rest
                index += 1
                if not index % _LOOK and watch.why() is not None:
                    return  # nothing will be sent
