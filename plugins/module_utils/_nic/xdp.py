# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port and its kernel can do with AF_XDP, and what is there already. All of it is asked of the kernel; no
driver is known here.

Numbers and structures are those of linux/netdev.h (its names: Documentation/netlink/specs/netdev.yaml) and
linux/xdp_diag.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import open_files, read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import find_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_channels
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import (
    GENERIC,
    SOCK_DIAG,
    Netlink,
    attribute,
    attributes,
    genl,
    genl_attributes,
    number,
)

AF_XDP = 44
# enum netdev_xdp_act, by bit.
FEATURES = ("basic", "redirect", "ndo-xmit", "xsk-zerocopy", "hw-offload", "rx-sg", "ndo-xmit-sg")
ZERO_COPY = "xsk-zerocopy"
_DEV_GET, _DEV_IFINDEX, _DEV_FEATURES, _DEV_SEGMENTS = 1, 1, 3, 4  # NETDEV_CMD_DEV_GET, NETDEV_A_DEV_*
_DIAG_BY_FAMILY, _SHOW_INFO, _SHOW_UMEM = 20, 1, 4
_DIAG_REQUEST = struct.Struct("=BBxxIIQ")  # struct xdp_diag_req: family, protocol, inode, what to show, cookie
_DIAG_MESSAGE = struct.Struct("=BBxxIQ")  # struct xdp_diag_msg: family, type, inode, cookie
_DIAG_INFO, _DIAG_UMEM, _IN_ZERO_COPY = 1, 5, 1
_UMEM = struct.Struct("=Q8I")  # struct xdp_diag_umem: size; id, pages, chunk, headroom, interface, queue, flags, users
# A kernel that was built without: no such family, no handler, no such module.
_NOT_TOLD = frozenset((errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT))


class Told(NamedTuple):
    """What the driver tells of itself: the names of its XDP features; how many buffers a frame may have that is sent
    without copying."""

    features: list[str]
    segments: int


class Socket(NamedTuple):
    """An AF_XDP socket that is bound to a queue."""

    queue: int
    inode: int
    zero_copy: bool


def info(interface: Interface, root: str = "/") -> dict[str, Any]:
    """What ``xdp_info`` returns."""
    link = read_link(interface)
    interface = Interface(link["ifname"], interface.netns)
    driver = find_driver(link, interface.netns, os.path.join(root, "sys"))
    there = has_af_xdp()
    told = features_of(link["ifindex"], interface)
    can, reason = zero_copy(there, told, driver, os.uname().release)
    return {
        "interface": interface.name,
        "netns": interface.netns,
        "driver": driver,
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "architecture_usable": os.uname().machine == "x86_64",
        "af_xdp": there,
        "queues": queues(interface, link, root),
        "xdp_features": told.features if told else None,
        "zero_copy_max_segments": told.segments if told else None,
        "zero_copy": can,
        "reason": reason,
        "programs": link.get("xdp", []),
        "netmap": has_netmap(link.get("qdisc", ""), root),
        "sockets": _described(sockets_of(link["ifindex"], interface), os.path.join(root, "proc")),
    }


def has_af_xdp() -> bool:
    """Whether the kernel makes AF_XDP sockets.

    :raises TrafficgenError: where it makes none for this user.
    """
    try:
        socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC).close()
    except PermissionError as error:
        raise TrafficgenError(
            "no AF_XDP socket for this user",
            on="this host",
            said=error.strerror or "",
            remedy="Run the task as root (become: true).",
        ) from error
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return False
        raise
    return True


def zero_copy(there: bool, told: Told | None, driver: str | None, kernel: str) -> tuple[bool | None, str]:
    """Whether the driver has zero copy, None where nobody tells; and why, in a sentence."""
    if not there:
        return False, f"The kernel {kernel} has no AF_XDP (CONFIG_XDP_SOCKETS)."
    if told is None:
        return None, f"The kernel {kernel} does not tell (6.3 and later do): a socket that is bound shows it."
    if ZERO_COPY in told.features:
        return True, f"The driver {driver} says that it has it (XDP feature {ZERO_COPY})."
    listed = f"its XDP features are {', '.join(told.features)}" if told.features else "it has no XDP feature at all"
    return False, f"The driver {driver} does not say that it has it: {listed}."


def features_of(ifindex: int, interface: Interface) -> Told | None:
    """What the driver tells by the generic netlink family netdev; None before Linux 6.3, which has no such family."""
    with inside(interface.netns):
        netdev = Netlink(GENERIC)
    with netdev:
        try:
            family = netdev.family("netdev")
        except FileNotFoundError:
            return None
        return parse_device(netdev.ask(family, genl(_DEV_GET, attribute(_DEV_IFINDEX, struct.pack("=I", ifindex)))))


def parse_device(answer: bytes) -> Told:
    """The answer to NETDEV_CMD_DEV_GET. A bit that has no name here is ``bit-N``."""
    found = genl_attributes(answer)
    bits = number(found.get(_DEV_FEATURES, b""))
    names = [
        FEATURES[bit] if bit < len(FEATURES) else f"bit-{bit}" for bit in range(bits.bit_length()) if bits >> bit & 1
    ]
    return Told(names, number(found.get(_DEV_SEGMENTS, b"")))


def sockets_of(ifindex: int, interface: Interface) -> list[Socket] | None:
    """The AF_XDP sockets that are bound to the port's queues, by queue; None where the kernel does not list them
    (CONFIG_XDP_SOCKETS_DIAG)."""
    request = _DIAG_REQUEST.pack(AF_XDP, 0, 0, _SHOW_INFO | _SHOW_UMEM, 0)
    with inside(interface.netns):
        diag = Netlink(SOCK_DIAG)
    with diag:
        try:
            listed = diag.list(_DIAG_BY_FAMILY, request)
        except OSError as error:
            if error.errno in _NOT_TOLD:
                return None
            raise
    return parse_sockets((answer for _kind, answer in listed), ifindex)


def parse_sockets(answers: Iterable[bytes], ifindex: int) -> list[Socket]:
    """The messages of a dump of struct xdp_diag_msg, of which those of the interface are taken."""
    found = []
    for answer in answers:
        _family, _type, inode, _cookie = _DIAG_MESSAGE.unpack_from(answer)
        told = attributes(answer, _DIAG_MESSAGE.size)
        at, queue = struct.unpack("=II", told.get(_DIAG_INFO, bytes(8)))
        if at == ifindex:
            umem = _UMEM.unpack_from(told.get(_DIAG_UMEM, b"").ljust(_UMEM.size, b"\0"))
            found.append(Socket(queue, inode, bool(umem[7] & _IN_ZERO_COPY)))
    return sorted(found)


def _described(sockets: list[Socket] | None, proc: str) -> list[dict[str, Any]] | None:
    if not sockets:
        return [] if sockets is not None else None
    who: dict[str, list[dict[str, Any]]] = {f"socket:[{one.inode}]": [] for one in sockets}
    for folder in sorted(Path(proc).glob("[0-9]*"), key=lambda path: int(path.name)):
        process = {"pid": int(folder.name), "name": read_text(folder / "comm")}
        for target in who.keys() & open_files(folder):
            who[target].append(process)
    return [{**one._asdict(), "processes": who[f"socket:[{one.inode}]"]} for one in sockets]


def queues(interface: Interface, link: dict[str, Any], root: str = "/") -> dict[str, int | None]:
    """How many queues the port has to receive and to send, and how many of them are channels for both.

    /sys shows this process's own namespace only. Elsewhere the channels tell; without those it is what the driver made
    room for.
    """
    channels = read_channels(interface)
    folder = Path(root, "sys/class/net", interface.name, "queues")
    names = os.listdir(folder) if interface.netns is None and folder.is_dir() else []
    if names:
        rx, tx = (sum(name.startswith(side) for name in names) for side in ("rx-", "tx-"))
    elif channels:
        rx, tx = channels.rx + channels.combined, channels.tx + channels.combined
    else:
        rx, tx = link["num_rx_queues"], link["num_tx_queues"]
    return {"rx": rx, "tx": tx, "combined": channels.combined if channels else None}


def has_netmap(qdisc: str, root: str = "/") -> bool | None:
    """Whether netmap has the port; None where netmap is in use, and the port may be its own.

    netmap's emulated mode has a qdisc of its own there. Of its native mode nothing is to be seen.
    """
    if qdisc.startswith("netmap"):
        return True
    module = Path(root, "sys/module/netmap")
    if not module.is_dir():
        return False
    drivers = len(os.listdir(module / "holders")) if (module / "holders").is_dir() else 0
    return None if int(read_text(module / "refcnt") or 0) > drivers else False
