# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The XDP program that most drivers want on a port before they send from a socket's memory without copying.

It has two instructions and lets every frame pass. A BPF link holds it on the port, and a link is there for as long as
its descriptor is: when the last process that has it has ended, also by SIGKILL, the kernel takes the program off.
Numbers and structures are those of linux/bpf.h and linux/if_link.h; x86_64 alone, as all of this room.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

_BPF = 321  # the number of bpf(2), asm/unistd_64.h
_PROG_LOAD, _LINK_CREATE = 5, 28
_TYPE_XDP, _ATTACH_XDP = 6, 37  # BPF_PROG_TYPE_XDP, BPF_XDP
_DRIVER_MODE = 4  # XDP_FLAGS_DRV_MODE: in the driver or not at all
_LET_PASS = bytes.fromhex("b700000002000000 9500000000000000")  # r0 = XDP_PASS; exit
# union bpf_attr of PROG_LOAD: type, instructions and their address, the licence's; level, size and address of a log;
# kernel's version, flags; name; interface (of an offload), attach type.
_LOAD = struct.Struct("=IIQQIIQII16sII")
_LINK = struct.Struct("=IIII")  # of LINK_CREATE: program, interface, attach type, flags
_SIZE = 128  # bytes of union bpf_attr; what a kernel does not know of has to be zero

_LOAD_REMEDIES = {
    errno.EPERM: (
        "Run the task as root (become: true), or with CAP_BPF and CAP_NET_ADMIN. Before Linux 5.11 programs count"
        " against the limit of locked memory (`ulimit -l`)."
    ),
    errno.ENOSYS: "This kernel has no bpf(2) (CONFIG_BPF_SYSCALL). Set mode: copy.",
}
_ATTACH_REMEDIES = {
    errno.EBUSY: "Another XDP program is on it, and was left alone. Remove it (`bpftool net` lists programs), or set"
    " mode: copy.",
    errno.EPERM: "Run the task as root (become: true), or with CAP_NET_ADMIN.",
    errno.EINVAL: (
        "`dmesg` may have the driver's reason, such as an MTU above 3 KB or too many queues. Kernels before 5.9 have no"
        " XDP link. Otherwise set mode: copy."
    ),
    errno.EOPNOTSUPP: "Its driver takes no XDP program, or not with these settings (`dmesg`). Set mode: copy.",
}
_ATTACH_REMEDIES[errno.EEXIST] = _ATTACH_REMEDIES[errno.EBUSY]
_ATTACH_REMEDIES[errno.ERANGE] = _ATTACH_REMEDIES[errno.EINVAL]


@contextmanager
def let_pass(interface: Interface) -> Iterator[None]:
    """Have the program on a port for as long as the block lasts. Many drivers reset the port for it, both times.

    :raises TrafficgenError: where the kernel does not load it, or the port does not take it. One that is there already
        is left alone: the kernel replaces none by a link.
    """
    link = _attach(interface)
    try:
        yield
    finally:
        os.close(link)


def _attach(interface: Interface) -> int:
    """The descriptor of the link, which the kernel closes on exec."""
    instructions, licence = ctypes.create_string_buffer(_LET_PASS), ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(instructions), ctypes.addressof(licence)
    attributes = _LOAD.pack(
        _TYPE_XDP, len(_LET_PASS) // 8, *addresses, 0, 0, 0, 0, 0, b"trafficgen_pass", 0, _ATTACH_XDP
    )
    program = _bpf(_PROG_LOAD, attributes, "an XDP program could not be loaded", interface, _LOAD_REMEDIES)
    try:
        with inside(interface.netns):
            index = socket.if_nametoindex(interface.name)
            attributes = _LINK.pack(program, index, _ATTACH_XDP, _DRIVER_MODE)
            return _bpf(_LINK_CREATE, attributes, "its driver took no XDP program", interface, _ATTACH_REMEDIES)
    finally:
        os.close(program)  # the link has it


def _bpf(command: int, attributes: bytes, failed: str, interface: Interface, remedies: dict[int, str]) -> int:
    memory = ctypes.create_string_buffer(attributes.ljust(_SIZE, b"\0"), _SIZE)
    descriptor: int = ctypes.CDLL(None, use_errno=True).syscall(_BPF, command, memory, _SIZE)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise TrafficgenError(
            failed, on=interface.name, said=os.strerror(number), remedy=remedies.get(number, "Set mode: copy.")
        )
    return descriptor
