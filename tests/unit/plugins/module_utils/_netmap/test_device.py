# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/dev/netmap, against a stand-in with the layouts of C (by ctypes), and real network namespaces where they can be
made."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import device

# What the macros _IOWR('i', 145, struct nmreq), … of netmap's headers give on x86-64 and Arm.
NIOCGINFO, NIOCREGIF, NIOCTXSYNC = 0xC03C6991, 0xC03C6992, 0x6994


class Nmreq(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 16),
        ("version", ctypes.c_uint32),
        ("offset", ctypes.c_uint32),
        ("memsize", ctypes.c_uint32),
        ("tx_slots", ctypes.c_uint32),
        ("rx_slots", ctypes.c_uint32),
        ("tx_rings", ctypes.c_uint16),
        ("rx_rings", ctypes.c_uint16),
        ("ringid", ctypes.c_uint16),
        ("cmd", ctypes.c_uint16),
        ("arg1", ctypes.c_uint16),
        ("arg2", ctypes.c_uint16),
        ("arg3", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("spare2", ctypes.c_uint32 * 1),
    ]


class Ring(ctypes.Structure):
    _fields_ = [
        ("buf_ofs", ctypes.c_int64),
        ("num_slots", ctypes.c_uint32),
        ("nr_buf_size", ctypes.c_uint32),
        ("ringid", ctypes.c_uint16),
        ("dir", ctypes.c_uint16),
        ("head", ctypes.c_uint32),
        ("cur", ctypes.c_uint32),
        ("tail", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    ]


class NetmapIf(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 16),
        ("version", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("tx_rings", ctypes.c_uint32),
        ("rx_rings", ctypes.c_uint32),
        ("bufs_head", ctypes.c_uint32),
        ("host_tx_rings", ctypes.c_uint32),
        ("host_rx_rings", ctypes.c_uint32),
        ("spare", ctypes.c_uint32 * 3),
        ("ring_ofs", ctypes.c_ssize_t * 6),
    ]


class Netmap:
    """The kernel's side: two transmit rings of 256 slots, in memory that is a file's."""

    OFFSET, RINGS, SIZE = 4096, (8192, 12288), 16384

    def __init__(self, path):
        self.speaks = 14
        self.error = None
        self.requests = []
        self.rings = [
            Ring(num_slots=256, nr_buf_size=2048, ringid=number, head=0, cur=0, tail=255) for number in (0, 1)
        ]
        self.path = path
        self.write()

    def write(self):
        nifp = NetmapIf(name=b"ens17", tx_rings=2, rx_rings=2, host_tx_rings=1, host_rx_rings=1)
        nifp.ring_ofs[:] = [offset - self.OFFSET for offset in (*self.RINGS, *[16000] * 4)]
        memory = bytearray(self.SIZE)
        memory[self.OFFSET : self.OFFSET + ctypes.sizeof(nifp)] = bytes(nifp)
        for offset, ring in zip(self.RINGS, self.rings):
            memory[offset : offset + ctypes.sizeof(ring)] = bytes(ring)
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(memory)

    def ioctl(self, fd, number, argument=0):
        os.fstat(fd)
        if number == NIOCTXSYNC:
            self.requests.append("sync")
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            return 0
        request = Nmreq.from_buffer(argument)
        assert len(argument) == ctypes.sizeof(Nmreq) == 60
        self.requests.append(
            ("info" if number == NIOCGINFO else "take", request.name, request.version, request.flags, request.ringid)
        )
        assert number in (NIOCGINFO, NIOCREGIF)
        if request.version != self.speaks:
            raise OSError(errno.EINVAL, "Invalid argument")
        if request.name and self.error:
            raise OSError(self.error, os.strerror(self.error))
        if request.name:
            request.offset, request.memsize = self.OFFSET, self.SIZE
            request.tx_rings, request.rx_rings, request.tx_slots, request.rx_slots = 2, 3, 256, 512
        return 0


@pytest.fixture
def netmap(tmp_path, monkeypatch):
    netmap = Netmap(tmp_path / "netmap")
    monkeypatch.setattr(fcntl, "ioctl", netmap.ioctl)
    return netmap


def open_port(netmap, netns=None):
    return device.Port(netns, device=str(netmap.path))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_the_rings_of_an_interface(netmap):
    with open_port(netmap) as port:
        assert port.version == 14
        assert port.rings("ens17") == device.Rings(tx_rings=2, tx_slots=256, rx_rings=3, rx_slots=512)
    # NR_REG_ALL_NIC, and never NIOCREGIF.
    assert netmap.requests == [("info", b"", 14, 1, 0), ("info", b"ens17", 14, 1, 0)]


def test_an_older_api(netmap):
    netmap.speaks = 12
    with open_port(netmap) as port:
        assert port.version == 12
        port.rings("ens17")
    assert netmap.requests[-1] == ("info", b"ens17", 12, 1, 0)


def test_an_api_nobody_knows(netmap):
    netmap.speaks = 99
    before = descriptors()
    with pytest.raises(
        TrafficgenError, match=r"netmap: has a version of netmap's API that is not known here.*Known are 11 to 14"
    ):
        open_port(netmap)
    assert descriptors() == before


def test_taking_an_interface_and_the_frames_that_wait(netmap):
    before = descriptors()
    with open_port(netmap) as port:
        assert port.waiting() == 0
        assert port.buffer_size() == 0
        assert port.take("ens17") == device.Rings(2, 256, 3, 512)
        assert netmap.requests[-1] == ("take", b"ens17", 14, 1, 0)
        assert port.waiting() == 0
        assert netmap.requests[-1] == "sync"
        # Five frames before the ring's end and two after it; 30 in the other ring.
        netmap.rings[0].head, netmap.rings[0].tail = 2, 250
        netmap.rings[1].head, netmap.rings[1].tail = 100, 69
        netmap.rings[1].nr_buf_size = 1024
        netmap.write()
        assert port.waiting() == 7 + 30
        assert port.buffer_size() == 1024
        netmap.error = errno.ENXIO
        assert port.waiting() == 7 + 30
    assert descriptors() == before
    port.close()
    assert port.waiting() == 0


def test_a_child_does_not_hold_it(netmap):
    with open_port(netmap) as port:
        port.take("ens17")
        name = str(netmap.path)
        with open("/proc/self/maps") as maps:
            assert name in maps.read()
        child = os.fork()
        if child == 0:
            with open("/proc/self/maps") as maps:
                os._exit(int(name in maps.read()))
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (errno.EBUSY, "Another program or a VALE switch uses it exclusively"),
        (errno.EOPNOTSUPP, "admode=1"),
        (errno.ENOMEM, "netmap_module_options"),
        (errno.EINVAL, "MTU"),
        (errno.ENXIO, "dmesg"),
    ],
)
def test_a_refusal_says_what_to_do(netmap, error, remedy):
    before = descriptors()
    with open_port(netmap) as port:
        netmap.error = error
        with pytest.raises(
            TrafficgenError, match=f"^ens17: could not be taken by netmap: {os.strerror(error)}.*{remedy}"
        ):
            port.take("ens17")
        with pytest.raises(TrafficgenError, match=r"^ens17: its rings could not be read from netmap"):
            port.rings("ens17")
    assert descriptors() == before


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(TrafficgenError, match=r"dev: cannot be opened: No such file or directory\. Load netmap"):
        device.Port(device=str(tmp_path / "dev"))


def test_a_device_that_is_another():
    with pytest.raises(TrafficgenError, match=r"/dev/null: does not answer: Inappropriate ioctl"):
        device.Port(device="/dev/null")


def test_in_a_network_namespace(netns, netmap, monkeypatch):
    own = os.stat("/proc/self/ns/net").st_ino
    there = os.stat(f"/run/netns/{netns}").st_ino
    seen = []
    answer = netmap.ioctl

    def ioctl(*args):
        seen.append(os.stat("/proc/thread-self/ns/net").st_ino)
        return answer(*args)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    before = descriptors()
    with open_port(netmap, netns) as port:
        port.rings("tga0")
    assert seen == [there] * 2
    assert os.stat("/proc/self/ns/net").st_ino == own
    assert descriptors() == before
