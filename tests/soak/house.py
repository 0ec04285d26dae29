# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A house of its own: namespaces of mounts and processes, in which nobody else works, so that every leftover can be
told.

The folders for what is temporary are empty ones in memory, and named network namespaces are seen in here only. When the
first process in here ends, the kernel ends all others, and with them go the mounts, the network namespaces and their
interfaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# Everywhere that a program keeps something for a while, for the next run or for the next boot.
FOLDERS = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/var/lib")  # in here these are in memory, and empty
OURS = Path("/tmp/soak")  # what the runs are asked to write
HOME = Path("/tmp/home")
# Ansible keeps these two where it has been. Scapy keeps what it read of the system's lists, and makes a folder for its
# settings.
KEPT = {
    str(HOME / name)
    for name in (
        ".ansible",
        ".ansible/tmp",
        ".config",
        ".cache",
        ".cache/scapy",
        *(f".cache/scapy/{name}.pickle" for name in ("bluetoothids", "ethertypes", "manufdb", "services")),
    )
}
SETTLE = 1.0  # seconds for a process that is about to end
TABLE = "tgl"  # what the names of our own tables begin with


def run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"soak: `{' '.join(argv)}` failed: {done.stderr}")
    return done.stdout


def enter(command: list[str], descriptor: int) -> int:
    """Run a command in a house of its own, and return its exit status. It ends with this process, whatever ends
    that."""
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command],
        start_new_session=True,
        pass_fds=[descriptor],
        preexec_fn=lambda: prctl(1, int(signal.SIGKILL), 0, 0, 0),  # noqa: PLW1509
    )
    told = []

    def stop(number: int, frame: object) -> None:
        told.append(number)
        # The first process inside ends at once, and unshare when all the others have ended too.
        os.killpg(process.pid, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    status = process.wait()
    return 128 + told[0] if told else status


def furnish() -> None:
    """Put the empty folders in place, from inside. What is needed to run stays to be seen, wherever it is."""
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    needed = {os.path.realpath(path) for path in (Path(__file__).parents[2], sys.prefix, sys.base_prefix)}
    hidden = {
        path: os.open(path, os.O_PATH) for path in needed if any(path.startswith(f"{folder}/") for folder in FOLDERS)
    }
    for folder in FOLDERS:
        run("mount", "-t", "tmpfs", "-o", "mode=1777", "tgl", folder)
    for path, descriptor in hidden.items():
        os.makedirs(path)
        run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{descriptor}", path)
        os.close(descriptor)
    for path in (OURS, HOME, Path("/run/netns"), Path("/run/lock")):
        path.mkdir(exist_ok=True)


@dataclass(frozen=True)
class Pair:
    """A sender and a receiver: a veth from one network namespace to another."""

    number: int
    sender: str
    receiver: str

    @property
    def mac(self) -> str:
        return f"02:00:00:00:00:{self.number:02x}"

    def variables(self) -> dict[str, str]:
        """For the plays."""
        return {
            "soak_sender": self.sender,
            "soak_interface": f"snd{self.number}",
            "soak_mac": self.mac,
            "soak_receiver": self.receiver,
            "soak_rx_interface": f"rcv{self.number}",
        }


class Lab:
    """Pairs without IPv6, so that the test's frames are the only ones. Every second pair shares its two namespaces with
    the others of these, as the ports of one host do, whose kernel then has a namespace's locks and tables to share
    out."""

    def __init__(self, pairs: int) -> None:
        self.pairs = []
        for number in range(1, pairs + 1):
            place = 2 if number % 2 == 0 else number
            self.pairs.append(Pair(number, f"tgl-{place}-snd", f"tgl-{place}-rcv"))
        self.namespaces = sorted({name for pair in self.pairs for name in (pair.sender, pair.receiver)})
        for netns in self.namespaces:
            run("ip", "netns", "add", netns)
            if Path("/proc/sys/net/ipv6").exists():
                run("ip", "netns", "exec", netns, "tee", "/proc/sys/net/ipv6/conf/all/disable_ipv6", stdin="1")
        for pair in self.pairs:
            self._join(pair)

    @staticmethod
    def _join(pair: Pair) -> None:
        sender, receiver = f"snd{pair.number}", f"rcv{pair.number}"
        run(
            "ip",
            "link",
            "add",
            sender,
            "netns",
            pair.sender,
            "address",
            pair.mac,
            "type",
            "veth",
            "peer",
            "name",
            receiver,
            "netns",
            pair.receiver,
            "address",
            "02:00:00:01:00:00",
        )
        # A count of our own beside the module's.
        chain = f'type filter hook ingress device "{receiver}" priority 10; counter;'
        run(
            "ip",
            "netns",
            "exec",
            pair.receiver,
            "nft",
            f"table netdev {TABLE}{pair.number} {{ chain arrived {{ {chain} }}; }}",
        )
        run("ip", "-n", pair.receiver, "link", "set", receiver, "up")
        run("ip", "-n", pair.sender, "link", "set", sender, "up")

    def counts(self) -> list[tuple[dict[str, int], int]]:
        """For each pair what the sender's link counted, and what arrived by our own counter."""
        found = []
        for pair in self.pairs:
            stats = json.loads(run("ip", "-n", pair.sender, "-j", "-s", "link", "show", "dev", f"snd{pair.number}"))[0][
                "stats64"
            ]["tx"]
            listing = run(
                "ip", "netns", "exec", pair.receiver, "nft", "list", "table", "netdev", f"{TABLE}{pair.number}"
            )
            counted = re.search(r"counter packets (\d+)", listing)
            found.append(
                ({"packets": stats["packets"], "dropped": stats["dropped"]}, int(counted[1]) if counted else -1)
            )
        return found

    def left(self) -> list[str]:
        """Tables of nftables and sockets in the namespaces."""
        found = []
        for netns in self.namespaces:
            tables = run("ip", "netns", "exec", netns, "nft", "list", "tables").splitlines()
            found += [f"{netns}: {table}" for table in tables if not table.startswith(f"table netdev {TABLE}")]
            for kind in ("unix", "packet"):
                sockets = run("ip", "netns", "exec", netns, "cat", f"/proc/net/{kind}").splitlines()[1:]
                found += [f"{netns}: {kind} socket {socket}" for socket in sockets]
        return found

    def remove(self) -> None:
        for netns in self.namespaces:
            run("ip", "netns", "delete", netns)


def files() -> set[str]:
    """All there is in the folders of this house."""
    return {
        os.path.join(where, name)
        for folder in FOLDERS
        for where, folders, names in os.walk(folder)
        if not Path(where).is_relative_to(OURS)
        for name in folders + names
    }


def new_files(before: set[str]) -> list[str]:
    return sorted(files() - before - KEPT)


def bury() -> None:
    """The first process inherits those whose parents have ended, and has to take note of their end."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ChildProcessError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and parent == "1":
                os.waitpid(int(entry.parent.name), os.WNOHANG)


def processes() -> list[str]:
    """Those that are left, but for this one."""
    until = time.monotonic() + SETTLE
    while True:
        bury()
        left = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if entry.name != "1":
                    left.append(
                        f"process {entry.name}: {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode()}"
                    )
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.05)


def end_all() -> None:
    """End what is left, so that the next load has the house to itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    processes()
