# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the kernel by netlink(7): one request, the messages that answer it, their attributes taken apart.

Numbers and structures are those of linux/netlink.h and linux/genetlink.h. Attributes are padded to four bytes.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

ROUTE, SOCK_DIAG, NETFILTER, GENERIC = 0, 4, 12, 16  # protocols

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_REQUEST, _MULTI, _INTERRUPTED, _DUMP, _CAPPED, _MORE_TOLD = 1, 2, 0x10, 0x300, 0x100, 0x200
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_SAID = 1  # NLMSGERR_ATTR_MSG
_LARGEST = 1 << 18  # bytes of an answer's part
_PATIENCE = 10.0  # seconds; the kernel answers at once
_TRIES = 5  # of a list that changes while it is read

_GENL = struct.Struct("=BBxx")  # struct genlmsghdr: command, version
_NLCTRL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2


class Message(NamedTuple):
    """A message of the kernel's: the number of its type, its flags, the number of the request, what follows."""

    kind: int
    flags: int
    sequence: int
    payload: bytes


class Netlink:
    """A socket to one of the kernel's netlink protocols, in the network namespace that it was opened in."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0
        for option in (_CAP_ACK, _EXT_ACK):
            with suppress(OSError):  # before Linux 4.12 an error is its number alone
                self._socket.setsockopt(_SOL_NETLINK, option, 1)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, kind: int, payload: bytes) -> bytes:
        """The one message that answers a request, without its header.

        :raises OSError: where the kernel refuses it, with the kernel's own words where it has any.
        """
        self._send(kind, _REQUEST, payload)
        message = next(self._answers())
        _raise_refusal(message)
        return message.payload

    def list(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """The messages of a dump, the type of each and what follows its header.

        :raises OSError: where the kernel refuses it, or where what is listed changes again and again meanwhile.
        """
        for _try in range(_TRIES):
            self._send(kind, _REQUEST | _DUMP, payload)
            found, whole = [], True
            for message in self._answers():
                _raise_refusal(message)
                whole = whole and not message.flags & _INTERRUPTED
                if message.kind == _DONE:
                    break
                found.append((message.kind, message.payload))
            if whole:
                return found
        raise OSError("what was to be listed was changed again and again meanwhile")

    def family(self, name: str) -> int:
        """The number of a family of generic netlink, by which it is asked (protocol ``GENERIC``).

        :raises OSError: ENOENT where the kernel has no such family.
        """
        answer = self.ask(_NLCTRL, genl(_GET_FAMILY, attribute(_FAMILY_NAME, name.encode() + b"\0")))
        return number(genl_attributes(answer)[_FAMILY_ID])

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(payload), kind, flags, self._sequence, 0) + payload)

    def _answers(self) -> Iterator[Message]:
        while True:
            data, _more, flags, _sender = self._socket.recvmsg(_LARGEST)
            if flags & socket.MSG_TRUNC:
                raise OSError("the kernel's answer is too long")
            yield from (one for one in messages(data) if one.sequence == self._sequence)


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one answer."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        payload, end = at + _HEADER.size, at + length
        yield Message(kind, flags, sequence, data[payload:end])
        at += _aligned(length)


def _raise_refusal(message: Message) -> None:
    if message.kind not in (_ERROR, _DONE) or len(message.payload) < 4:
        return
    refused: int = struct.unpack_from("=i", message.payload)[0]
    if refused < 0:
        said = os.strerror(-refused)
        words = _kernels_words(message)
        raise OSError(-refused, f"{said} ({words})" if words else said)


def _kernels_words(message: Message) -> str:
    """What the kernel adds to the number of an error (NETLINK_EXT_ACK)."""
    if not message.flags & _MORE_TOLD:
        return ""
    at = 4
    if message.kind == _ERROR:
        # The request stands first: its header alone, or all of it.
        length = _HEADER.unpack_from(message.payload, at)[0]
        at += _HEADER.size if message.flags & _CAPPED else _aligned(length)
    return text(attributes(message.payload[at:]).get(_SAID, b""))


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it stands in a message."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def every_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in their order, as lists have several of one type."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        value, end = at + _ATTRIBUTE.size, at + length
        yield kind & _TYPE, data[value:end]
        at += _aligned(length)


def attributes(data: bytes, behind: int = 0) -> dict[int, bytes]:
    """The attributes by their types, nested ones as they stand.

    :param behind: the size of the header before them.
    """
    return dict(every_attribute(data[behind:]))


def genl(command: int, payload: bytes = b"", version: int = 1) -> bytes:
    """A request of generic netlink, less its netlink header."""
    return _GENL.pack(command, version) + payload


def genl_attributes(answer: bytes) -> dict[int, bytes]:
    """The attributes of an answer of generic netlink."""
    return attributes(answer, _GENL.size)


def number(value: bytes) -> int:
    """An unsigned number in this machine's order of bytes."""
    return int.from_bytes(value, sys.byteorder)


def text(value: bytes) -> str:
    """A string, which ends with a zero."""
    return os.fsdecode(value.partition(b"\0")[0])


def _aligned(length: int) -> int:
    return (length + 3) & ~3
