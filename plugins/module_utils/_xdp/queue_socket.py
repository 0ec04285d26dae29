# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One queue's AF_XDP socket: its memory for frames (UMEM), its rings, and what the kernel says when it is bound.

Made before a worker is forked, so that both have its memory: what the kernel has completed is known, to the frame, also
when the worker was killed. Numbers and structures are those of linux/if_xdp.h. x86_64 alone: its stores become visible
in their order, and a store of 32 aligned bits at once, so a ring needs no barrier, of which Python has none.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from array import array
from typing import Literal

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

CHUNK = 4096  # bytes of UMEM that no frame may cross; the kernel takes 2048 and 4096
RING = 2048  # descriptors
_AF_XDP, _SOL_XDP = 44, 283
_OFFSETS, _TX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING, _STATISTICS, _OPTIONS, _BUDGET = 1, 3, 4, 5, 6, 7, 8, 9
_MMAP_TX, _MMAP_FILL, _MMAP_COMPLETION = 0x80000000, 0x100000000, 0x180000000
_COPY, _ZERO_COPY, _NEED_WAKEUP = 2, 4, 8
_IS_ZERO_COPY = 1  # of XDP_OPTIONS
_WAKE_UP = 1  # XDP_RING_NEED_WAKEUP, of a ring's flags
_DESCRIPTOR, _ADDRESS = 16, 8  # bytes of an entry of the TX ring, and of the fill and completion rings
_PATIENCE = 1.0  # seconds for a queue to be free: the kernel lets it go a while after its last socket was closed
_SO_SNDBUFFORCE = 33  # asm-generic/socket.h
_UMEM = struct.Struct("=QQII")  # address, length, chunk size, headroom: the first form, which every kernel takes
_RING_OFFSETS = struct.Struct("=4Q")  # producer, consumer, descriptors, flags; of RX, TX, fill and completion
_SOCKADDR = struct.Struct("=HHIII")  # family, flags, interface, queue, no shared UMEM

_SOCKET_REMEDIES = {
    errno.EAFNOSUPPORT: (
        "This kernel has no AF_XDP (CONFIG_XDP_SOCKETS). Use the module tcpreplay, or another kernel."
    ),
    errno.EPERM: "Run the task as root (become: true), or with CAP_NET_RAW.",
}
_MEMORY_REMEDIES = {
    errno.ENOBUFS: (
        "Raise the limit of locked memory (`ulimit -l`; memlock in limits.conf, LimitMEMLOCK), or run the task with"
        " CAP_IPC_LOCK."
    ),
    errno.ENOMEM: "The host is short of memory: `free` shows how much there is.",
}
_BIND_REMEDIES = {
    errno.EBUSY: "Another AF_XDP socket uses this queue. `ss --xdp -p` names its process, `bpftool net` its program.",
    errno.EINVAL: "Is there such a queue? `ethtool -l` shows the port's channels, `ethtool -L` sets them.",
    errno.EOPNOTSUPP: "The driver takes no AF_XDP socket on it.",
    errno.ENETDOWN: "Bring the interface up.",
    errno.EPERM: "Run the task as root (become: true), or with CAP_NET_RAW.",
}
_NO_ZERO_COPY = (
    "Its driver refuses zero copy there. `dmesg` may have the reason. Some drivers need an MTU below 3 KB or ring sizes"
    " that are powers of two; virtio_net needs `iommu_platform=on,disable-legacy=on` in QEMU. Otherwise set mode: copy."
)
_ZERO_COPY_REMEDIES = {**_BIND_REMEDIES, errno.EINVAL: _NO_ZERO_COPY, errno.EOPNOTSUPP: _NO_ZERO_COPY}


def check_machine() -> None:
    """Refuse a processor on which plain Python cannot order what it writes to a ring."""
    if os.uname().machine != "x86_64":
        raise TrafficgenError(
            "AF_XDP in plain Python needs x86_64, whose stores keep their order",
            on=f"this host ({os.uname().machine})",
            remedy="Use the module tcpreplay here.",
        )


class QueueSocket:
    """The socket of one queue. ``umem``: its frames' memory, of which both the worker and its parent have the same.

    :param receive: buffers for what arrives at the queue, a power of two. With zero copy the port has no others, and
        hears nothing without them; a program that lets all pass gives each back.
    """

    def __init__(self, interface: Interface, queue: int, umem_bytes: int, receive: int = 0) -> None:
        self._interface, self.queue = interface, queue
        try:
            with inside(interface.netns):
                self._index = socket.if_nametoindex(interface.name)
                self._socket = socket.socket(_AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
        except OSError as error:
            raise self._refused("an AF_XDP socket could not be opened", error, _SOCKET_REMEDIES) from error
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []
        try:
            self._set_up(umem_bytes, receive)
        except OSError as error:
            self.close()
            raise self._refused(
                f"its {-(-(umem_bytes + receive * CHUNK) >> 20)} MB for frames could not be reserved",
                error,
                _MEMORY_REMEDIES,
            ) from error

    def _set_up(self, umem_bytes: int, receive: int) -> None:
        whole = umem_bytes + receive * CHUNK
        umem = self._kept(mmap.mmap(-1, whole))
        there = ctypes.c_char.from_buffer(umem)
        address = ctypes.addressof(there)
        del there  # it keeps the memory from being closed
        self._socket.setsockopt(_SOL_XDP, _UMEM_REG, _UMEM.pack(address, whole, CHUNK, 0))
        for ring, entries in ((_FILL_RING, receive or RING), (_COMPLETION_RING, RING), (_TX_RING, RING)):
            self._socket.setsockopt(_SOL_XDP, ring, entries)
        _receive, tx, fill, completion = _RING_OFFSETS.iter_unpack(
            self._socket.getsockopt(_SOL_XDP, _OFFSETS, 4 * _RING_OFFSETS.size)
        )
        tx_map = self._kept(self._ring_map(tx[2] + RING * _DESCRIPTOR, _MMAP_TX))
        completion_map = self._kept(self._ring_map(completion[2] + RING * _ADDRESS, _MMAP_COMPLETION))
        self.umem = self._view(umem, 0, umem_bytes)
        self.descriptors = self._view(tx_map, tx[2], RING * _DESCRIPTOR)
        self.sizes = self._view(tx_map, tx[2], RING * _DESCRIPTOR, "I")[2::4]  # of the frames that they are of
        self._views.append(self.sizes)
        self.tx_producer = self._view(tx_map, tx[0], 4, "I")
        self.tx_consumer = self._view(tx_map, tx[1], 4, "I")
        self.completion_producer = self._view(completion_map, completion[0], 4, "I")
        self.completion_consumer = self._view(completion_map, completion[1], 4, "I")
        self._tx_flags = self._view(tx_map, tx[3], 4, "I")
        if receive:
            fill_map = self._kept(self._ring_map(fill[2] + receive * _ADDRESS, _MMAP_FILL))
            self.fill_addresses = self._view(fill_map, fill[2], receive * _ADDRESS, "Q")
            self.fill_addresses[:] = array("Q", range(umem_bytes, whole, CHUNK))
            self.fill_producer = self._view(fill_map, fill[0], 4, "I")
            self.fill_consumer = self._view(fill_map, fill[1], 4, "I")
            self.fill_producer[0] = receive
        # How much may be under way on a port that completes late: the usual 212992 bytes are some 270 small frames.
        # Without CAP_NET_ADMIN it stays so.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, RING * 2 * CHUNK)
        self.budget = 32  # frames that the kernel takes in one call; more since 6.17
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_XDP, _BUDGET, RING)
            self.budget = RING

    def _ring_map(self, length: int, offset: int) -> mmap.mmap:
        return mmap.mmap(
            self._socket.fileno(), length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset
        )

    def _kept(self, made: mmap.mmap) -> mmap.mmap:
        self._maps.append(made)
        return made

    def _view(self, of: mmap.mmap, start: int, length: int, form: Literal["B", "I", "Q"] = "B") -> memoryview[int]:
        end = start + length
        view: memoryview[int] = memoryview(of)[start:end].cast(form)
        self._views.append(view)
        return view

    def bind(self, *, copy: bool = True, zero_copy: bool = False) -> None:
        """Have the queue. ``copy``, ``zero_copy``: which of them it may be; of both the kernel takes zero copy where
        the driver has it."""
        only = (0 if zero_copy else _COPY) | (0 if copy else _ZERO_COPY)
        address = _SOCKADDR.pack(_AF_XDP, only | _NEED_WAKEUP, self._index, self.queue, 0)
        until = time.monotonic() + _PATIENCE
        while number := self._bind(address):
            if number != errno.EBUSY or time.monotonic() > until:
                raise self._refused(
                    f"its queue {self.queue} could not be used for AF_XDP{'' if copy else ' with zero copy'}",
                    OSError(number, os.strerror(number)),
                    _BIND_REMEDIES if copy else _ZERO_COPY_REMEDIES,
                )
            time.sleep(_PATIENCE / 100)

    @property
    def mode(self) -> str:
        """``copy`` or ``zero_copy``, as the kernel says once it is bound."""
        said: int = struct.unpack("=I", self._socket.getsockopt(_SOL_XDP, _OPTIONS, 4))[0]
        return "zero_copy" if said & _IS_ZERO_COPY else "copy"

    @property
    def wants_kick(self) -> bool:
        """Whether the kernel waits to be told of what is in the TX ring. With copy it always does."""
        return bool(self._tx_flags[0] & _WAKE_UP)

    def _bind(self, address: bytes) -> int:
        """bind(2), of which Python's own knows no address of this family; the number of its error, or 0."""
        if ctypes.CDLL(None, use_errno=True).bind(self._socket.fileno(), address, len(address)) == 0:
            return 0
        return ctypes.get_errno()

    def kick(self) -> None:
        """Let the kernel take what is in the TX ring; what it refuses is its OSError."""
        self._socket.send(b"", socket.MSG_DONTWAIT)

    def invalid_descriptors(self) -> int:
        """Descriptors that the kernel has thrown away."""
        said: int = struct.unpack_from("=3Q", self._socket.getsockopt(_SOL_XDP, _STATISTICS, 48))[2]
        return said

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def not_for_children(self) -> None:
        """What is forked from now on does not have its memory, and so does not keep the queue."""
        for one in self._maps:
            one.madvise(mmap.MADV_DONTFORK)

    def close(self) -> None:
        """Let the queue go."""
        for view in reversed(self._views):
            view.release()
        for one in self._maps:
            one.close()
        self._socket.close()

    def _refused(self, what: str, error: OSError, remedies: dict[int, str]) -> TrafficgenError:
        return TrafficgenError(
            what,
            on=self._interface.name,
            said=error.strerror or str(error),
            remedy=remedies.get(error.errno or 0, ""),
        )
