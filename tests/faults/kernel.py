#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel offers or lacks for a run through AF_XDP (x86_64 only): kernel.py queue NUMBER | program | without
COMMAND …

``queue``: hold that queue of a0 by an AF_XDP socket; ``program``: hold a program at its XDP slot, until standard input
ends. ``without``: run a command whose kernel has no AF_XDP, which a filter of its system calls says.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from pathlib import Path

_BPF = 321  # the system call
_PROG_LOAD, _LINK_CREATE, _TYPE_XDP, _ATTACH_XDP, _BY_THE_DRIVER = 5, 28, 6, 37, 4  # linux/bpf.h, linux/if_link.h
_PASS = bytes.fromhex("b700000002000000 9500000000000000")  # r0 = XDP_PASS; exit
_SET_SECCOMP, _FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
_LOAD, _IS, _RETURN = 0x20, 0x15, 0x06  # instructions of linux/filter.h
_SOCKET, _AF_XDP = 41, 44  # the system call, the family
_NUMBER, _FIRST_ARGUMENT = 0, 16  # where struct seccomp_data has them


def said(what: str, value: int) -> int:
    """A system call's result, if it is not an error."""
    if value < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return value


def hold_queue(number: int) -> object:
    """A socket bound to the queue."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[5]))
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import QueueSocket

    queue = QueueSocket(Interface("a0"), number, 1 << 20)
    queue.bind()
    return queue


def hold_program() -> int:
    """A program in the driver that lets everything pass. It stays as long as the descriptor of its link."""
    code, licence = ctypes.create_string_buffer(_PASS), ctypes.create_string_buffer(b"GPL")
    call = ctypes.CDLL(None, use_errno=True).syscall
    asked = struct.pack("=IIQQ", _TYPE_XDP, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(128, b"\0")
    program = said("load", call(_BPF, _PROG_LOAD, asked, 128))
    asked = struct.pack("=IIII", program, socket.if_nametoindex("a0"), _ATTACH_XDP, _BY_THE_DRIVER).ljust(128, b"\0")
    return said("attach", call(_BPF, _LINK_CREATE, asked, 128))


def without(command: list[str]) -> None:
    """Become the command. The kernel refuses it sockets of this family."""
    steps = (
        (_LOAD, 0, 0, _NUMBER),
        (_IS, 0, 3, _SOCKET),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IS, 0, 1, _AF_XDP),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("=HxxxxxxQ", len(steps), ctypes.addressof(code))
    said("seccomp", ctypes.CDLL(None, use_errno=True).prctl(_SET_SECCOMP, _FILTER, program, 0, 0))
    os.execvp(command[0], command)


def main() -> None:
    """Hold it, or run the command."""
    what, *more = sys.argv[1:]
    if what == "without":
        without(more)
    held = hold_queue(int(more[0])) if what == "queue" else hold_program()
    print("held", flush=True)
    sys.stdin.read()
    del held


if __name__ == "__main__":
    main()
