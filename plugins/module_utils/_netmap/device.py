# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to netmap through /dev/netmap: read an interface's rings, take an interface, count the frames waiting to leave.

The requests are the ones tcpreplay uses, NIOCGINFO and NIOCREGIF with ``struct nmreq``, so that what it can take can be
taken here. Numbers and layouts are those of netmap's sys/net/netmap.h and netmap_legacy.h at 89607e14 (API 14); API 11
to 13 have the same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import API_VERSIONS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

DEVICE = "/dev/netmap"

# nr_name; nr_version, nr_offset, nr_memsize, nr_tx_slots, nr_rx_slots; nr_tx_rings, nr_rx_rings, nr_ringid, nr_cmd,
# nr_arg1, nr_arg2; nr_arg3, nr_flags, spare2
_NMREQ = struct.Struct("=16s5I6H3I")
_ALL_NIC = 1  # NR_REG_ALL_NIC: all rings of the NIC, the host's not; without NR_EXCLUSIVE others may take them too


def _ioc(direction: int, number: int, size: int) -> int:
    # asm-generic/ioctl.h, which x86, Arm, RISC-V and s390 share. netmap's letter is i.
    return direction << 30 | size << 16 | ord("i") << 8 | number


_GINFO = _ioc(3, 145, _NMREQ.size)
_REGIF = _ioc(3, 146, _NMREQ.size)
_TXSYNC = _ioc(0, 148, 0)

# struct netmap_if: ni_name; ni_version, ni_flags, ni_tx_rings, ni_rx_rings, ni_bufs_head, two numbers of host rings,
# three spare; then the offsets of the rings from its own beginning, those of the NIC's transmit rings first.
_NETMAP_IF = struct.Struct("=16s10I")
_OFFSET = struct.Struct("n")
# struct netmap_ring: buf_ofs; num_slots, nr_buf_size; ringid, dir; head, cur, tail
_RING = struct.Struct("=qIIHHIII")


@dataclass(frozen=True)
class Rings:
    """An interface's rings in netmap, and the slots of each."""

    tx_rings: int
    tx_slots: int
    rx_rings: int
    rx_slots: int


class Port:
    """/dev/netmap, opened. Closing it, or the end of this process, releases what was taken through it.

    :param netns: the named network namespace the interfaces are in.
    :raises TrafficgenError: if it does not open, or speaks another language.
    """

    def __init__(self, netns: str | None = None, device: str = DEVICE) -> None:
        self._device = device
        self._netns = netns
        self._memory: mmap.mmap | None = None
        self._rings: list[int] = []
        try:
            self._fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise TrafficgenError(
                "cannot be opened", on=device, said=error.strerror or str(error), remedy=_opening(error)
            ) from error
        try:
            self.version = self._find_version()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release what was taken. A second call does nothing."""
        if self._memory is not None:
            self._memory.close()  # it has a copy of the descriptor
            self._memory = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rings(self, interface: str) -> Rings:
        """The rings of an interface, which stays as it is.

        :raises TrafficgenError: where netmap cannot take it.
        """
        answer = self._request(_GINFO, interface, "its rings could not be read from netmap")
        tx_slots, rx_slots, tx_rings, rx_rings = answer[4:8]
        return Rings(tx_rings, tx_slots, rx_rings, rx_slots)

    def take(self, interface: str) -> Rings:
        """Put an interface into netmap mode, with all its rings, not exclusively. The driver may reset the port.

        :raises TrafficgenError: where netmap or the driver refuses.
        """
        answer = self._request(_REGIF, interface, "could not be taken by netmap")
        offset, size, tx_slots, rx_slots, tx_rings, rx_rings = answer[2:8]
        try:
            self._memory = memory = mmap.mmap(self._fd, size)
        except (OSError, ValueError) as error:
            raise TrafficgenError("netmap's memory could not be mapped", on=interface, said=str(error)) from error
        memory.madvise(mmap.MADV_DONTFORK)  # a child with this mapping would hold the interface too
        at = offset + _NETMAP_IF.size
        self._rings = [
            offset + _OFFSET.unpack_from(memory, at + number * _OFFSET.size)[0] for number in range(tx_rings)
        ]
        return Rings(tx_rings, tx_slots, rx_rings, rx_slots)

    def buffer_size(self) -> int:
        """The bytes a frame can have in the rings of the interface taken."""
        memory = self._memory
        return 0 if memory is None else min(_RING.unpack_from(memory, ring)[2] for ring in self._rings)

    def waiting(self) -> int:
        """How many frames in the taken interface's rings have not left yet, after the driver was told to check."""
        if self._memory is None:
            return 0
        with contextlib.suppress(OSError):  # the port is gone: then nothing leaves any more, and the rings tell
            fcntl.ioctl(self._fd, _TXSYNC)
        frames = 0
        for ring in self._rings:
            fields = _RING.unpack_from(self._memory, ring)
            slots, head, tail = fields[1], fields[5], fields[7]
            frames += (head - tail - 1) % slots
        return frames

    def _find_version(self) -> int:
        for version in API_VERSIONS:
            if self._speaks(version):
                return version
        raise TrafficgenError(
            "has a version of netmap's API that is not known here",
            on=self._device,
            remedy=(
                f"Known are {API_VERSIONS[-1]} to {API_VERSIONS[0]}. Build netmap with the role"
                " wirespeed.trafficgen.netmap."
            ),
        )

    def _speaks(self, version: int) -> bool:
        try:
            self._ioctl(_GINFO, "", version)  # without a name it tells of the memory only
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise TrafficgenError("does not answer", on=self._device, said=error.strerror or str(error)) from error
        return True

    def _request(self, number: int, interface: str, failed: str) -> tuple[int, ...]:
        try:
            return self._ioctl(number, interface, self.version)
        except OSError as error:
            raise TrafficgenError(
                failed, on=interface, said=error.strerror or str(error), remedy=_refused(error)
            ) from error

    def _ioctl(self, number: int, interface: str, version: int) -> tuple[int, ...]:
        request = bytearray(_NMREQ.pack(os.fsencode(interface), version, *[0] * 4, *[0] * 6, 0, _ALL_NIC, 0))
        with inside(self._netns):
            fcntl.ioctl(self._fd, number, request)
        return _NMREQ.unpack(request)


def _opening(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "Run the task as root (become: true)."
    return "Load netmap on this host with the role wirespeed.trafficgen.netmap."


def _refused(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return "Another program or a VALE switch uses it exclusively. `fuser -v /dev/netmap` names it."
    if error.errno == errno.EOPNOTSUPP:
        return (
            "Its driver is not patched for netmap, and netmap was loaded with admode=1, which allows only drivers that"
            " are: change admode in netmap_module_options."
        )
    if error.errno == errno.ENOMEM:
        return (
            "netmap has too few or too small rings or buffers: raise buf_num, ring_num, ring_size in"
            " netmap_module_options."
        )
    if error.errno == errno.EINVAL:
        return "Its MTU may be larger than netmap's buffers (buf_size); `dmesg` has netmap's own reason."
    return "`dmesg` has netmap's own reason."
