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
    """What the kernel writes to the request's memory: structures of linux/ethtool.h, packed here by hand."""

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


class Sets:
    """A kernel that reports sets of names, and the values that go with them."""

    def __init__(self, names, values=(), blocks=()):
        self.names, self.values, self.blocks, self.asked_for = names, values, [list(block) for block in blocks], None

    def ioctl(self, there, number, request):
        _name, address = struct.unpack_from("16sP", request)
        command = ctypes.c_uint32.from_address(address).value
        told = {
            0x37: struct.pack("=IQI", 0, 1 << self.kind(address) if self.names else 0, len(self.names)),
            0x1B: struct.pack("=II", 0, len(self.names)) + b"".join(name.ljust(32, b"\0") for name in self.names),
            0x1D: struct.pack(f"=I{len(self.values)}Q", len(self.values), *self.values),
            0x3A: struct.pack("=I", len(self.blocks)) + b"".join(struct.pack("=4I", *block) for block in self.blocks),
            0x3B: b"",
        }[command]
        if command == 0x3B:
            self.asked_for = struct.unpack("=3I", ctypes.string_at(address + 4, 12))
        ctypes.memmove(address + 4, told, len(told))

    def kind(self, address):
        return max(0, ctypes.c_uint64.from_address(address + 8).value.bit_length() - 1)


@pytest.fixture
def sets(monkeypatch):
    def sets(*given):
        kernel = Sets(*given)
        monkeypatch.setattr(ethtool.fcntl, "ioctl", kernel.ioctl)
        return kernel

    return sets


def test_statistics_of_all_shapes(sets):
    names = b"[0]: rx_ucast_packets", b"Tx Queue#", b"  TSO pkts tx", b"Tx Queue#", b"TSO pkts tx", b"", b"rx_bytes.nic"
    sets(names, (5, 0, 7, 1, 9, 3, 12345678901234567890))
    assert ethtool.read_statistics(Interface("ens17")) == {
        "[0]: rx_ucast_packets": 5,
        "Tx Queue#": 0,
        "TSO pkts tx": 7,
        "Tx Queue##2": 1,
        "TSO pkts tx#2": 9,
        "rx_bytes.nic": 12345678901234567890,
    }
    sets(())
    assert ethtool.read_statistics(Interface("ens17")) == {}


# The features of a QEMU's e1000 after `ethtool -K tg0 tx off tso off gso off`, in part, in the kernel's order.
E1000 = (
    *(b"tx-scatter-gather", b"tx-checksum-ipv4", b"", b"tx-checksum-ip-generic", b"highdma", b"tx-vlan-hw-insert"),
    *(b"rx-vlan-hw-parse", b"tx-tcp-segmentation", b"rx-gro", b"rx-lro", b"rx-checksum", b"tx-generic-segmentation"),
)


def e1000():
    def bits(*names):
        return sum(1 << E1000.index(name) for name in names)

    can = bits(b"tx-scatter-gather", b"tx-checksum-ip-generic", b"rx-vlan-hw-parse", b"tx-tcp-segmentation", b"rx-gro")
    can |= bits(b"rx-checksum", b"tx-generic-segmentation", b"tx-vlan-hw-insert")
    wanted = bits(b"tx-scatter-gather", b"tx-vlan-hw-insert", b"rx-vlan-hw-parse", b"rx-gro", b"tx-tcp-segmentation")
    on = bits(b"tx-scatter-gather", b"tx-vlan-hw-insert", b"rx-vlan-hw-parse", b"rx-gro")
    return E1000, (), [(can, wanted, on, bits(b"tx-vlan-hw-insert"))]


def test_features(sets):
    sets(*e1000())
    on, wanted = ethtool.read_features(Interface("ens17"))
    assert on == ["tx-scatter-gather", "generic-receive-offload", "rx-vlan-offload", "tx-vlan-offload"]
    expected = {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": True,  # as soon as the checksums are
        "generic-segmentation-offload": False,
        "generic-receive-offload": True,
        "rx-vlan-offload": True,
    }
    assert (wanted, list(wanted)) == (expected, list(expected))


def test_features_are_set_by_either_name(sets):
    kernel = sets(*e1000())
    ethtool.set_features(
        {"generic-receive-offload": False, "rx-checksumming": True, "no-such": True}, Interface("ens17")
    )
    rx_gro, rx_checksum = 1 << E1000.index(b"rx-gro"), 1 << E1000.index(b"rx-checksum")
    assert kernel.asked_for == (1, rx_gro | rx_checksum, rx_checksum)
    assert ethtool.kernels_name("generic-receive-offload") == "rx-gro"
    assert ethtool.kernels_name("rx-all") == "rx-all"


def test_features_that_cannot_be_read_are_an_error(nic):
    nic.refuses, nic.refused = errno.ENODEV, (0x37, 0x3A)
    with pytest.raises(TrafficgenError, match="ens17: its offloads could not be read"):
        ethtool.read_features(Interface("ens17"))


class Settings:
    """A kernel with a link's settings, of four words of modes."""

    def __init__(self, speed):
        self.speed = speed

    def ioctl(self, there, number, request):
        _name, address = struct.unpack_from("16sP", request)
        command, _speed, words = struct.unpack("=IIxxxxxxxb", ctypes.string_at(address, 16))
        assert command == 0x4C
        told = (self.speed, 4) if words == 4 else (0, -4)
        ctypes.memmove(address + 4, struct.pack("=IBBBBBBBb", told[0], 1, 2, 3, 1, 0, 0, 0, told[1]), 12)


@pytest.mark.parametrize(
    ("speed", "told"), [(10000, 10000), (400000, 400000), (0xFFFFFFFF, None), (0, None), (65535, None)]
)
def test_speed(monkeypatch, speed, told):
    monkeypatch.setattr(ethtool.fcntl, "ioctl", Settings(speed).ioctl)
    assert ethtool.read_speed(Interface("ens17")) == told


def test_an_interface_without_them(nic):
    nic.rings[:] = [0] * 8
    assert ethtool.read_rings(Interface("ens17")) is None
    for number in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
        nic.refuses = number
        assert ethtool.read_pause(Interface("ens17")) is None
        assert ethtool.read_rings(Interface("ens17")) is None
        assert ethtool.read_driver(Interface("ens17")) == ("", "")
        nic.refused = (*nic.refused, 0x37, 0x4C)
        assert ethtool.read_statistics(Interface("ens17")) == {}
        assert ethtool.read_speed(Interface("ens17")) is None


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
