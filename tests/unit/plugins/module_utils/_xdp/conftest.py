# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pcaps, streams of them, and a link with three queues between two namespaces whose receiver counts for itself."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream

SENDER_MAC = "02:00:00:00:00:02"
_ETHERNET = bytes.fromhex("020000000001" + SENDER_MAC.replace(":", "") + "0800")


def ip_frame(number, size=78, *, source=0xC6120001, target=0xC6120002, ports=(1024, 9)):
    """A UDP frame of ``size`` bytes with its number in its last four."""
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 1, 0, 64, 17, 0, source, target) + struct.pack(">HH", *ports)
    return (_ETHERNET + ip).ljust(size - 4, b"\0") + struct.pack(">I", number)


def write_pcap(path, frames, times=None):
    """Frames a microsecond apart, or at their times in microseconds."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, frame in enumerate(frames):
            moment = number if times is None else times[number]
            file.write(struct.pack("<IIII", moment // 10**6, moment % 10**6, len(frame), len(frame)) + frame)
    return str(path)


def a_stream(pcaps, **settings):
    """A stream at top speed by one worker, once, where the settings do not say otherwise."""
    return XdpStream(
        pcaps,
        **{
            "loop": 1,
            "limit": None,
            "duration": None,
            "pps": None,
            "multiplier": None,
            "workers": 1,
            "split": "frame",
            "burst": None,
            **settings,
        },
    )


@pytest.fixture
def stream(tmp_path):
    """stream(FRAMES, …, setting=…): a stream of a pcap for each list of frames."""
    with contextlib.ExitStack() as stack:

        def stream(*lists, **settings):
            paths = [write_pcap(tmp_path / f"{number}.pcap", frames) for number, frames in enumerate(lists)]
            return a_stream(open_pcaps(paths, stack), **settings)

        yield stream


class Lab:
    """snd0 in one namespace, rcv0 in the other, and nothing on the link but a test's own frames."""

    def __init__(self):
        self.sender, self.receiver = f"tgx{os.getpid()}-snd", f"tgx{os.getpid()}-rcv"
        self.interface = Interface("snd0", self.sender)

    def make(self):
        queues = "numtxqueues 3 numrxqueues 3"
        for netns in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "add", netns], check=True, capture_output=True)
            self.run(netns, "sh", "-c", "echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6 || :")
        self.ip(f"link add snd0 {queues} type veth peer name rcv0 netns {self.receiver} {queues}")
        self.ip("link set snd0 up")
        self.run(self.receiver, "ip", "link", "set", "rcv0", "up")
        rules = f"type filter hook ingress device rcv0 priority 0\nether saddr {SENDER_MAC} counter name came"
        self.run(
            self.receiver,
            *("nft", "-f", "-"),
            stdin=f"table netdev t {{\ncounter came {{\n}}\nchain c {{\n{rules}\n}}\n}}\n",
        )

    def remove(self):
        for netns in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "delete", netns], check=False, capture_output=True)

    def run(self, netns, *argv, stdin=""):
        return subprocess.run(
            ["ip", "netns", "exec", netns, *argv], input=stdin, text=True, check=True, capture_output=True
        ).stdout

    def ip(self, words):
        return self.run(self.sender, "ip", *words.split())

    @property
    def came(self):
        """Frames that the receiver has counted since the start."""
        return int(re.search(r"packets (\d+)", self.run(self.receiver, "nft", "list", "counters"))[1])

    @contextlib.contextmanager
    def capture(self):
        """A socket that receives what arrives, in order."""
        with inside(self.receiver):
            taking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
        with taking:
            taking.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            taking.settimeout(1)
            yield taking


@pytest.fixture
def lab():
    """The lab, if this host allows it."""
    made = Lab()
    try:
        if os.geteuid() != 0 or not shutil.which("nft") or os.uname().machine != "x86_64":
            pytest.skip("needs root, nft and x86_64")
        try:
            socket.socket(44, socket.SOCK_RAW).close()
            made.make()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no lab here: {error} {getattr(error, 'stderr', '')}")
        yield made
    finally:
        made.remove()


@pytest.fixture
def send(lab):
    """send(STREAM, …): sent to its end; what became of it. ``meanwhile`` is called each second, with the sender."""

    def send(stream, *, timeout=60.0, stop=lambda: "", meanwhile=lambda sender: None, cpus=None):
        with Watch(()) as watch, Sender(lab.interface, stream, cpus=cpus) as sender:
            assert sender.mode == "copy"
            sender.start(watch)
            return sender.wait(watch, timeout=timeout, stop=stop, listen=lambda: meanwhile(sender))

    return send
