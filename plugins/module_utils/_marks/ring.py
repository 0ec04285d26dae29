# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A packet socket that takes the frames with a mark: a filter in the kernel, and a ring of blocks in memory
(TPACKET_V3, packet(7)).

The socket is of type SOCK_DGRAM, so a frame begins at its network header, whatever is in front of it. Numbers and
structures are those of linux/if_packet.h and linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.frames import IP4, IP6, TAGS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import LONG, MAGIC, SHORT, short_sum
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

BLOCK = 1 << 18  # bytes; the kernel hands over whole blocks
_RETIRE = 10  # milliseconds after which a block is handed over that is not full
_ETH_P_ALL = 3
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_TPACKET_V3 = 2
_PROMISCUOUS = 1  # PACKET_MR_PROMISC
_SO_ATTACH_FILTER = 26
_REQUEST = struct.Struct("=7I")  # struct tpacket_req3
_MEMBERSHIP = struct.Struct("=iHH8s")  # struct packet_mreq
_BLOCK_HEAD = struct.Struct("=III")  # status, number of packets, offset of the first; behind version and offset_to_priv
_STATUS, _USER = 8, 1
_COUNTS, _TWO_COUNTS = struct.Struct("=III"), struct.Struct("=II")  # struct tpacket_stats_v3, struct tpacket_stats

_OUTGOING = 4  # PACKET_OUTGOING
_AD_PROTOCOL, _AD_PKTTYPE = 0xFFFFF000, 0xFFFFF004  # SKF_AD_OFF and what is there
# BPF_LD | BPF_W | BPF_ABS …, of linux/bpf_common.h and linux/filter.h
_LD, _LDH, _LD_IND, _LDH_IND, _LD_LEN, _ST = 0x20, 0x28, 0x40, 0x48, 0x80, 0x02
_LDX_MEM, _TAX, _ADD, _ADD_X, _MOD, _JEQ, _JA, _RET = 0x61, 0x07, 0x04, 0x0C, 0x94, 0x15, 0x05, 0x06
_WHOLE = 0x40000


class Instruction(NamedTuple):
    """One of a classic BPF program, with the names of where it goes on (empty: at the next one)."""

    code: int
    value: int
    true: str = ""
    false: str = ""


def mark_filter(test: int, *, others: bool = True) -> list[tuple[int, int, int, int]]:
    """The filter for frames with a mark of this test, and with ``others`` for those with a long one of any:
    (code, jt, jf, k) each."""

    def word(behind: int) -> Instruction:
        return Instruction(_LDH_IND, -behind & 0xFFFFFFFF)

    program: list[Instruction | str] = [
        Instruction(_LD, _AD_PKTTYPE),
        Instruction(_JEQ, _OUTGOING, true="drop"),
        Instruction(_LD, _AD_PROTOCOL),
        Instruction(_JEQ, IP4, true="ip4"),
        Instruction(_JEQ, IP6, true="ip6"),
        Instruction(_JEQ, TAGS[0], true="tag"),
        Instruction(_JEQ, TAGS[1], true="tag", false="other"),
        "tag",  # the outermost one the kernel has taken off; this is a second
        Instruction(_LDH, 2),
        Instruction(_JEQ, IP4, true="tagged ip4"),
        Instruction(_JEQ, IP6, true="tagged ip6", false="other"),
        "tagged ip4",
        Instruction(_LDH, 4 + 2),
        Instruction(_ADD, 4),
        Instruction(_JA, 0, true="end"),
        "tagged ip6",
        Instruction(_LDH, 4 + 4),
        Instruction(_ADD, 4 + 40),
        Instruction(_JA, 0, true="end"),
        "ip4",
        Instruction(_LDH, 2),
        Instruction(_JA, 0, true="end"),
        "ip6",
        Instruction(_LDH, 4),
        Instruction(_ADD, 40),
        Instruction(_JA, 0, true="end"),
        "other",
        Instruction(_LD_LEN, 0),
        "end",  # A is where the payload ends
        Instruction(_TAX, 0),
        word(LONG),
        Instruction(_JEQ, MAGIC, true="accept" if others else "long", false="short"),
        "long",
        Instruction(_LD_IND, -(LONG - 2) & 0xFFFFFFFF),
        Instruction(_JEQ, test, true="accept"),
        "short",
        word(SHORT),
        Instruction(_ST, 0),
        word(SHORT - 2),
        Instruction(_ST, 1),
        word(SHORT - 4),
        Instruction(_LDX_MEM, 0),
        Instruction(_ADD_X, 0),
        Instruction(_LDX_MEM, 1),
        Instruction(_ADD_X, 0),
        Instruction(_MOD, 0xFFFF),
        Instruction(_JEQ, short_sum(test), true="accept", false="drop"),
        "drop",
        Instruction(_RET, 0),
        "accept",
        Instruction(_RET, _WHOLE),
    ]
    labels: dict[str, int] = {}
    instructions: list[Instruction] = []
    for one in program:
        if isinstance(one, str):
            labels[one] = len(instructions)
        else:
            instructions.append(one)
    made = []
    for at, one in enumerate(instructions):
        true, false = (labels[name] - at - 1 if name else 0 for name in (one.true, one.false))
        made.append((one.code, 0, 0, true) if one.code == _JA else (one.code, true, false, one.value))
    return made


class _MarkSocket(ABC):
    """A packet socket on an interface that takes what the filter lets pass. What was set on the interface, promiscuous
    mode, goes with the socket."""

    def __init__(self, interface: Interface, program: list[tuple[int, int, int, int]]) -> None:
        try:
            with inside(interface.netns):
                index = socket.if_nametoindex(interface.name)
                # With protocol 0 nothing arrives until it is bound, behind the filter.
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
        except OSError as error:
            raise _refused("a packet socket could not be opened", interface, error) from error
        try:
            self._attach(program)
            self._set_up()
            self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, _MEMBERSHIP.pack(index, _PROMISCUOUS, 0, b""))
            self._socket.bind((interface.name, _ETH_P_ALL))
        except OSError as error:
            self._socket.close()
            raise _refused("the marks' receiver could not be set up", interface, error) from error
        self._poll = select.poll()
        self._poll.register(self._socket, self.events)

    events = 0  # that end a wait, besides the interface's end

    @abstractmethod
    def _set_up(self) -> None:
        """Prepare the socket before anything arrives."""

    def _attach(self, program: list[tuple[int, int, int, int]]) -> None:
        code = b"".join(struct.pack("=HBBI", *one) for one in program)
        buffer = ctypes.create_string_buffer(code)
        said = struct.pack("@HP", len(program), ctypes.addressof(buffer))  # struct sock_fprog
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, said)

    def wait(self, seconds: float) -> bool:
        """Wait for an event, so long at most; whether the interface is still up."""
        for _descriptor, event in self._poll.poll(max(0, seconds) * 1000):
            if event & ~self.events and self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return False
        return True

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let it go."""
        self._socket.close()


class MarkRing(_MarkSocket):
    """The frames themselves, in a ring.

    :param megabytes: of the ring.
    """

    events = select.POLLIN

    def __init__(self, interface: Interface, test: int, megabytes: int) -> None:
        if os.uname().machine != "x86_64":
            raise TrafficgenError(
                "a ring is read in plain Python, which needs x86_64, whose stores keep their order",
                on=f"this host ({os.uname().machine})",
                remedy="Receive on another host, or set count_only.",
            )
        self._blocks, self._at, self._drops = max(2, (megabytes << 20) // BLOCK), 0, 0
        super().__init__(interface, mark_filter(test))

    def _set_up(self) -> None:
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        request = _REQUEST.pack(BLOCK, self._blocks, BLOCK, self._blocks, _RETIRE, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        self.memory = mmap.mmap(self._socket.fileno(), BLOCK * self._blocks)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """The blocks that are full, at most as many as the ring has: where the first frame of each begins in
        :attr:`memory`, and how many there are."""
        for _block in range(self._blocks):
            start = self._at * BLOCK
            status, packets, first = _BLOCK_HEAD.unpack_from(self.memory, start + _STATUS)
            if not status & _USER:
                return
            try:
                yield start + first, packets
            finally:  # also where the reader goes on no further: it is read once
                struct.pack_into("=I", self.memory, start + _STATUS, 0)
                self._at = (self._at + 1) % self._blocks

    def drops(self) -> int:
        """Frames with a mark that found no room in the ring."""
        # Reading sets the kernel's counts back to 0.
        _packets, drops, _freezes = _COUNTS.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _COUNTS.size))
        self._drops += drops
        return self._drops

    def close(self) -> None:
        """Let it go."""
        self.memory.close()
        super().close()


class MarkCount(_MarkSocket):
    """How many frames have a mark of one test. The socket takes none of them, so that the kernel only counts."""

    def __init__(self, interface: Interface, test: int) -> None:
        self._counted = 0
        super().__init__(interface, mark_filter(test, others=False))

    def _set_up(self) -> None:
        # The least that the kernel allows, which a frame or two fill. What finds no room is counted as well.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    @property
    def arrived(self) -> int:
        """Frames up to now."""
        # Reading sets the kernel's counts back to 0. The first holds the second, which are those that found no room.
        counted, _drops = _TWO_COUNTS.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _TWO_COUNTS.size))
        self._counted += counted
        return self._counted


def _refused(what: str, interface: Interface, error: OSError) -> TrafficgenError:
    remedy = remedy_of(error)
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = "Run the task as root (become: true), or with CAP_NET_RAW."
    elif error.errno == errno.ENETDOWN:
        remedy = "Bring the interface up."
    elif error.errno == errno.ENOMEM:
        remedy = "Give a smaller ring_mb."
    return TrafficgenError(what, on=interface.name, said=error.strerror or str(error), remedy=remedy)
