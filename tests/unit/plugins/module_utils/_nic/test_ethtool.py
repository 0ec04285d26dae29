# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import errno
import struct

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import ethtool
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause, RingSizes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface


class Nic:
    """What the kernel does with the request's memory: linux/ethtool.h's structures, packed here by hand."""

    def __init__(self):
        self.pause = [1, 1, 0]  # autoneg, rx_pause, tx_pause
        self.rings = [
            4096,
            0,
            0,
            2048,
            512,
            0,
            0,
            256,
        ]  # rx_max, rx_mini_max, rx_jumbo_max, tx_max; rx, rx_mini, rx_jumbo, tx
        # max_rx, max_tx, max_other, max_combined; rx, tx, other, combined
        self.channels = [0, 0, 1, 63, 2, 1, 1, 16]
        self.refuses = 0
        self.refused = (0x03, 0x10, 0x11, 0x12, 0x13, 0x3C)

    def ioctl(self, there, number, request):
        assert number == 0x8946
        name, address = struct.unpack_from("16sP", request)
        assert name.rstrip(b"\0") == b"ens17"
        command = ctypes.c_uint32.from_address(address).value
        if self.refuses and command in self.refused:
            raise OSError(self.refuses, "no")
        values = {0x12: self.pause, 0x13: self.pause, 0x10: self.rings, 0x11: self.rings, 0x3C: self.channels}.get(
            command
        )
        if command == 0x03:
            told = struct.pack("32s32s32s32s", b"ixgbe", b"5.1", b"0x80", b"0000:00:10.0")
            ctypes.memmove(address + 4, told, len(told))
        elif command in (0x12, 0x10, 0x3C):
            ctypes.memmove(address + 4, struct.pack(f"={len(values)}I", *values), 4 * len(values))
        else:
            values[:] = struct.unpack(f"={len(values)}I", ctypes.string_at(address + 4, 4 * len(values)))


@pytest.fixture
def nic(monkeypatch):
    nic = Nic()
    monkeypatch.setattr(ethtool.fcntl, "ioctl", nic.ioctl)
    return nic


def test_pause(nic):
    assert ethtool.read_pause(Interface("ens17")) == Pause(autoneg=True, rx=True, tx=False)
    ethtool.set_pause(Pause(autoneg=False, rx=False, tx=True), Interface("ens17"))
    assert nic.pause == [0, 0, 1]


def test_rings(nic):
    assert ethtool.read_rings(Interface("ens17")) == RingSizes(rx=512, tx=256, rx_most=4096, tx_most=2048)
    nic.rings[5] = 7
    ethtool.set_rings(1024, 2048, Interface("ens17"))
    assert nic.rings == [4096, 0, 0, 2048, 1024, 7, 0, 2048]


def test_channels(nic):
    assert ethtool.read_channels(Interface("ens17")) == ethtool.Channels(rx=2, tx=1, combined=16)
    nic.refuses = errno.EOPNOTSUPP
    assert ethtool.read_channels(Interface("ens17")) is None


def test_the_driver(nic):
    assert ethtool.read_driver(Interface("ens17")) == ("ixgbe", "0000:00:10.0")


def test_an_interface_without_them(nic):
    nic.rings[:] = [0] * 8
    assert ethtool.read_rings(Interface("ens17")) is None
    for number in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
        nic.refuses = number
        assert ethtool.read_pause(Interface("ens17")) is None
        assert ethtool.read_rings(Interface("ens17")) is None
        assert ethtool.read_driver(Interface("ens17")) == ("", "")


def test_what_the_kernel_refuses(nic):
    nic.refuses = errno.EPERM
    with pytest.raises(TrafficgenError, match="ens17: its settings could not be read: no"):
        ethtool.read_pause(Interface("ens17"))
    with pytest.raises(TrafficgenError, match="ens17: its flow control could not be set: no"):
        ethtool.set_pause(Pause(True, True, True), Interface("ens17"))
    nic.refused = (0x11,)
    with pytest.raises(TrafficgenError, match="its rings could not be made 64 slots for receiving and 128 for sending"):
        ethtool.set_rings(64, 128, Interface("ens17"))


def test_loopback_has_neither():
    # The kernel's own answer.
    assert ethtool.read_pause(Interface("lo")) is None
    assert ethtool.read_rings(Interface("lo")) is None
