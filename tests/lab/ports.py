# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a guest: which QEMU has them, where they are plugged in, and the wire between the two test ports."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
from pathlib import Path

from tools import LabError, need, run

# The management port is e1000 always, so a native e1000 driver for the test ports has to leave it alone.
MANAGEMENT = "e1000,netdev=mgmt0,mac=02:00:00:00:10:00,addr=0x3"
# QEMU's models of the test ports. All but the first want PCI Express, where they come after q35's own devices.
MODELS = {
    "e1000": "e1000",  # one queue
    "igb": "igb",  # a queue a CPU, up to 8
    "vmxnet3": "vmxnet3",  # a queue a CPU
    # Without iommu_platform, virtio_net refuses zero copy (EINVAL), although it says that it has it.
    "virtio": "virtio-net-pci,mq=on,iommu_platform=on,disable-legacy=on",
}
SLOTS = {"e1000": ("0x10", "0x11")}
SLOTS_Q35 = ("0x4", "0x8")  # igb keeps the slots 16 and 17 above its own for virtual functions
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
TUNSETIFF = 0x400454CA
TAP, NO_INFORMATION, VNET_HEADER, MULTI_QUEUE = 0x2, 0x1000, 0x4000, 0x100


def find_qemu() -> str:
    """The QEMU to run: TRAFFICGEN_LAB_QEMU, or the one on PATH."""
    named = os.environ.get("TRAFFICGEN_LAB_QEMU", "")
    if not named:
        return need("qemu-system-x86_64", "qemu-system-x86")
    if not os.access(named, os.X_OK):
        raise LabError(f"TRAFFICGEN_LAB_QEMU is {named}, which is no program.")
    return str(Path(named).absolute())


def firmware(qemu: str) -> list[str]:
    """Where a QEMU that is not installed, only unpacked, has its firmware."""
    prefix = Path(qemu).parent.parent
    folders = [prefix / name for name in ("share/qemu", "share/seabios", "lib/ipxe/qemu")]
    return [word for folder in folders if folder.is_dir() for word in ("-L", str(folder))]


def qemu_version(qemu: str) -> str:
    found = re.search(r"version (\S+)", run(qemu, "--version", capture_output=True).stdout)
    return str(found[1]) if found else "unknown"


def check_model(qemu: str, ports: str) -> None:
    model = MODELS[ports].partition(",")[0]
    # QEMU ends with 0 either way. That it has no such device, it says on stderr.
    if not run(qemu, *firmware(qemu), "-device", f"{model},help", capture_output=True).stdout:
        first = " (QEMU 8 is the first that has it)" if model == "igb" else ""
        raise LabError(
            f"{qemu} is QEMU {qemu_version(qemu)}, which has no {model}{first}. Set TRAFFICGEN_LAB_QEMU to another;"
            " docs/lab.md says how to get QEMU 10 beside Debian 12's own."
        )


def arguments(ports: str, taps: list[list[int]]) -> list[str]:
    """QEMU's. The test ports are on one hub of QEMU's, or each on a tap: a hub has one queue only."""
    argv = [] if ports in SLOTS else ["-M", "q35"]
    argv += ["-device", MANAGEMENT]
    for number, slot in enumerate(SLOTS.get(ports, SLOTS_Q35)):
        device = f"{MODELS[ports]},netdev=tg{number},mac=02:00:00:00:10:{number + 1:02x},addr={slot}"
        if taps:
            argv += ["-netdev", f"tap,id=tg{number},vhost=off,fds={':'.join(map(str, taps[number]))}"]
            device += f",vectors={2 * len(taps[number]) + 2}"
        else:
            argv += ["-netdev", f"hubport,id=tg{number},hubid=1"]
        argv += ["-device", device]
    return argv


def open_taps(ports: str, cpus: int) -> list[list[int]]:
    """For virtio two taps, each the descriptors of its queues, on a bridge in a namespace that ends with them: the host
    does not see it. They have twice the queues that the guest uses: XDP wants as many again to send."""
    if ports != "virtio":
        return []
    count = 2 * cpus
    here, there = socket.socketpair()
    with here, there:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                socket.send_fds(there, [b"taps"], [queue for tap in taps_in_a_new_namespace(count) for queue in tap])
                status = 0
            except OSError as error:
                there.sendall(str(error).encode())
            except subprocess.CalledProcessError as error:
                there.sendall(f"{' '.join(error.cmd)}: {error.stderr.strip()}".encode())
            finally:
                os._exit(status)
        said, queues_, _flags, _address = socket.recv_fds(here, 4096, 2 * count)
        os.waitpid(child, 0)
    if len(queues_) != 2 * count:
        raise LabError(
            f"the two taps with {count} queues each, which virtio ports need, could not be made: {said.decode()}. They"
            " take the kernel's tun and bridge, and root or a user's own namespaces."
        )
    return [queues_[:count], queues_[count:]]


def taps_in_a_new_namespace(count: int) -> list[list[int]]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "a network namespace")
    ip = need("ip", "iproute2")
    # Nothing but the test's frames on the wire.
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    run(ip, "link", "add", "wire", "type", "bridge", "mcast_snooping", "0", capture_output=True)
    taps: list[list[int]] = []
    for name in ("tap0", "tap1"):
        taps.append([])
        for _queue in range(count):
            queue = os.open("/dev/net/tun", os.O_RDWR)
            wanted = struct.pack("16sH22x", name.encode(), TAP | NO_INFORMATION | VNET_HEADER | MULTI_QUEUE)
            fcntl.ioctl(queue, TUNSETIFF, wanted)
            taps[-1].append(queue)
        run(ip, "link", "set", name, "master", "wire", "up", capture_output=True)
    run(ip, "link", "set", "wire", "up", capture_output=True)
    return taps
