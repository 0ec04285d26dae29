# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host made up for the tests of the management guard: what the kernel says of its links, and files of /proc."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import management

PEER, PEER6 = "203.0.113.77", "2001:db8:f::77"
LO = {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1", "scope": "host"}]}


def link(name: str, *addresses: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """One entry of ``ip -j -d addr show`` (iproute2 6.1)."""
    info = [
        {
            "family": "inet6" if ":" in one else "inet",
            "local": one,
            "scope": "link" if one.startswith("fe80") else "global",
        }
        for one in addresses
    ]
    return {
        "ifname": name,
        "flags": ["BROADCAST", "UP"],
        "addr_info": info,
        **({"linkinfo": {"info_kind": kind}} if kind else {}),
        **more,
    }


def route(dev: str, gateway: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return {"type": "unicast", "dst": "default", "gateway": gateway, "dev": dev, "flags": [], **more}


class Kernel:
    """What rtnetlink tells of made-up namespaces, in which the name of one stands for a socket in it."""

    def __init__(self, monkeypatch: Any) -> None:
        self.known: dict[str | None, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {None: ([], [])}
        self.ways: dict[str, str] = {}  # a peer, and the link by which it is reached
        self.asked: list[tuple[str, str]] = []
        self.refusals: list[OSError] = []  # what it says instead of its links
        monkeypatch.setattr(management, "rtnetlink", self)
        monkeypatch.setattr(management, "Netlink", lambda protocol: contextlib.nullcontext())

    def says(self, *links: dict[str, Any], routes: Iterable[dict[str, Any]] = (), netns: str | None = None) -> None:
        numbered = [{"ifindex": 100 + number, **one} for number, one in enumerate(links)]
        self.known[netns] = (numbered, list(routes))

    def index(self, netns: str | None, name: str) -> int:
        return next((one["ifindex"] for one in self.known[netns][0] if one["ifname"] == name), 99)

    def links(self, netns: str | None) -> list[dict[str, Any]]:
        for refusal in self.refusals:
            raise refusal
        return [{key: one[key] for key in one if key != "addr_info"} for one in self.known[netns][0]]

    def addresses(self, netns: str | None) -> dict[int, list[dict[str, Any]]]:
        return {one["ifindex"]: one["addr_info"] for one in self.known[netns][0] if one["addr_info"]}

    def default_routes(self, netns: str | None, family: int) -> list[dict[str, Any]]:
        if family == 10:
            raise OSError(errno.EAFNOSUPPORT, "a kernel without IPv6")
        found = []
        for one in self.known[netns][1]:
            hops = [hop["dev"] for hop in [one, *one.get("nexthops", [])] if "dev" in hop]
            found.append({"type": one.get("type", "unicast"), "ways": [self.index(netns, name) for name in hops]})
        return found

    def way(self, netns: str | None, peer: str, at: str) -> int | None:
        assert netns is None
        self.asked.append((at, peer))
        if peer not in self.ways:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return self.index(netns, self.ways[peer])


def process(root: Path, pid: int, parent: int, environment: bytes = b"", name: bytes = b"sh") -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_bytes(b"%d (%s) S %d 1 1 0 -1\n" % (pid, name, parent))
    (folder / "environ").write_bytes(environment)


def opened(root: Path, pid: int, name: str, *files: str) -> None:
    process(root, pid, 1)
    folder = root / f"proc/{pid}"
    (folder / "comm").write_text(f"{name}\n")
    (folder / "fd").mkdir()
    for number, file in enumerate(files):
        (folder / f"fd/{number}").symlink_to(file)


ESTABLISHED, CLOSES, LISTENS = "01", "08", "0A"


def sockets(root: Path, *rows: tuple[str, int, str, int, str, int]) -> None:
    """The kernel's TCP tables: address and port here and there, state, inode."""

    def hexadecimal(address: str, port: int) -> str:
        packed = ipaddress.ip_address(address).packed
        words = (int.from_bytes(packed[index : index + 4], sys.byteorder) for index in range(0, len(packed), 4))
        return "".join(f"{word:08X}" for word in words) + f":{port:04X}"

    folder = root / "proc/self/net"
    folder.mkdir(parents=True)
    for name, colon in (("tcp", False), ("tcp6", True)):
        lines = [
            f"   0: {hexadecimal(at, port)} {hexadecimal(peer, far)} {state} 00000000:00000000 02:000AFB73 00000000    "
            f" 0 0 {inode} 2"
            for at, port, peer, far, state, inode in rows
            if (":" in at) == colon
        ]
        (folder / name).write_text("\n".join(["  sl  local_address rem_address   st", *lines, ""]))
