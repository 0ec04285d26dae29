# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink's messages: bytes recorded on Linux 6.18, and the running kernel."""

from __future__ import annotations

import errno
import socket
import struct
import sys

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import netlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import (
    GENERIC,
    ROUTE,
    Netlink,
    attribute,
    attributes,
    every_attribute,
    genl,
)

little = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes were recorded on x86_64")
# NETDEV_CMD_DEV_GET of a virtio_net (ifindex 4), as the second request was answered.
VIRTIO = bytes.fromhex(
    "48000000140000000200000000000000"
    "01010000"
    "0800010004000000"
    "0c000300" + "2b00000000000000"
    "0c000500" + "0000000000000000"
    "0c000600" + "0000000000000000"
    "0800040001000000"
)
# The answer to an ifindex of no bytes: EINVAL, the request's header, NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS.
REFUSAL = (
    struct.pack("=IHHII", 80, 2, 0x300, 5, 0)
    + struct.pack("=i", -errno.EINVAL)
    + struct.pack("=IHHII", 24, 20, 1, 5, 0)
    + attribute(1, b"invalid attribute length\0")
    + attribute(2, struct.pack("=I", 20))
)


class Kernel:
    """Answers each request with the next of these parts, numbered like the request."""

    def __init__(self, *answers):
        self.answers, self.asked = [list(parts) for parts in answers], []

    def setsockopt(self, *option):
        raise OSError(errno.ENOPROTOOPT, "an old kernel")

    def settimeout(self, seconds):
        pass

    def close(self):
        pass

    def send(self, data):
        self.asked.append(struct.unpack_from("=IHHII", data))
        self.parts = self.answers.pop(0)

    def recvmsg(self, size):
        part, flags = self.parts.pop(0), 0
        if part is None:
            part, flags = b"", socket.MSG_TRUNC
        return part, [], flags, None


@pytest.fixture
def answered(monkeypatch):
    def answered(*answers):
        kernel = Kernel(*answers)
        monkeypatch.setattr(netlink.socket, "socket", lambda *kind: kernel)
        return Netlink(ROUTE), kernel

    return answered


def message(sequence, kind, payload=b"", flags=2):
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload + bytes(-len(payload) % 4)


DONE = struct.pack("=i", 0)


@little
def test_a_recorded_message():
    [one] = netlink.messages(VIRTIO)
    assert (one.kind, one.sequence) == (20, 2)
    found = netlink.genl_attributes(one.payload)
    assert {kind: netlink.number(value) for kind, value in found.items()} == {1: 4, 3: 43, 5: 0, 6: 0, 4: 1}


def test_attributes_are_padded_and_their_flags_are_none_of_their_type():
    data = attribute(1, b"ab\0") + attribute(3 | 0x8000, attribute(7, b"x")) + attribute(3, b"")
    assert len(data) == 8 + 12 + 4
    assert list(every_attribute(data)) == [(1, b"ab\0"), (3, attribute(7, b"x")), (3, b"")]
    assert attributes(attribute(1, b"ab\0"))[1] == b"ab\0"


@pytest.mark.parametrize("cut", range(1, 24))
def test_bytes_that_end_too_early_end_the_list(cut):
    data = attribute(1, b"abc\0") + attribute(2, b"0123456789abcdef")
    assert len(list(every_attribute(data[:cut]))) <= 2
    list(netlink.messages(VIRTIO[:cut]))
    assert list(every_attribute(b"\0\0\1\0")) == []


def test_one_answer(answered):
    asked, kernel = answered([message(7, 16, b"an earlier one's") + message(1, 16, b"this one's")])
    assert asked.ask(18, b"") == b"this one's"
    assert kernel.asked == [(16, 18, 1, 1, 0)]


def test_what_the_kernel_says_of_an_error(answered):
    asked, _kernel = answered([message(1, 2, REFUSAL[16:], flags=0x300)])
    with pytest.raises(OSError, match=r"Invalid argument \(invalid attribute length\)") as caught:
        asked.ask(20, b"")
    assert caught.value.errno == errno.EINVAL
    # A kernel that knows no NETLINK_CAP_ACK sends the whole request back.
    whole = struct.pack("=i", -errno.EINVAL) + struct.pack("=IHHII", 21, 20, 1, 1, 0) + bytes(8)
    asked, _kernel = answered([message(1, 2, whole + attribute(1, b"no\0"), flags=0x200)])
    with pytest.raises(OSError, match=r"\(no\)"):
        asked.ask(20, b"")
    asked, _kernel = answered([message(1, 2, struct.pack("=i", -errno.EPERM) + bytes(16), flags=0)])
    with pytest.raises(PermissionError, match=r"Operation not permitted$"):
        asked.ask(20, b"")


def test_a_list_in_parts(answered):
    asked, kernel = answered([message(1, 16, b"a") + message(1, 16, b"b"), message(1, 16, b"c"), message(1, 3, DONE)])
    assert asked.list(18, b"") == [(16, b"a"), (16, b"b"), (16, b"c")]
    assert kernel.asked[0][2] == 0x301


def test_a_list_that_is_changed_meanwhile_is_asked_for_again(answered):
    torn = [message(1, 16, b"half"), message(1, 3, DONE, flags=0x12)]
    asked, _kernel = answered(torn, [message(2, 16, b"whole"), message(2, 3, DONE)])
    assert asked.list(18, b"") == [(16, b"whole")]
    asked, _kernel = answered(*([message(number, 3, DONE, flags=0x12)] for number in range(1, 9)))
    with pytest.raises(OSError, match="changed again and again"):
        asked.list(18, b"")


def test_a_list_that_ends_in_an_error(answered):
    asked, _kernel = answered([message(1, 16, b"a"), message(1, 3, struct.pack("=i", -errno.ENOBUFS))])
    with pytest.raises(OSError, match="No buffer space"):
        asked.list(18, b"")


def test_an_answer_that_is_cut_is_none(answered):
    asked, _kernel = answered([None])
    with pytest.raises(OSError, match="too long"):
        asked.ask(18, b"")


def test_the_kernel_itself():
    with Netlink(GENERIC) as asked:
        assert asked.family("nlctrl") == 16
        with pytest.raises(FileNotFoundError):
            asked.family("nosuch")
        # The same question as a list: every family has a name.
        names = [netlink.text(netlink.genl_attributes(answer)[2]) for _kind, answer in asked.list(16, genl(3))]
        assert "nlctrl" in names
    with Netlink(ROUTE) as asked, pytest.raises(OSError, match="No such device") as caught:
        asked.ask(18, struct.pack("=BxHiII", 0, 0, 0x7FFFFFF0, 0, 0))
    assert caught.value.errno == errno.ENODEV
