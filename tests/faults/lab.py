# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link between two namespaces for one run of the module, and a look at what the run left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FRAMES, SIZE = 1000, 60
NOTES = "wirespeed.trafficgen-*"  # in /run
MARK = "TRAFFICGEN_FAULT"


def run(*argv: str, check: bool = True, **options: Any) -> str:
    """Run a program. Returns what it printed."""
    return subprocess.run(argv, check=check, capture_output=True, text=True, **options).stdout


def until(condition: Callable[[], Any], seconds: float) -> Any:
    """Wait for a condition. Returns its last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def write_pcap(path: Path, size: int) -> None:
    """Frames that nothing answers."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for _number in range(FRAMES):
            file.write(
                struct.pack("<IIII", 0, 0, size, size)
                + bytes.fromhex("0200000000020200000000018899").ljust(size, b"\0")
            )


def processes(test: Callable[[str], bool]) -> list[int]:
    """The processes for which a test is true, without zombies."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" and test(pid):
                found.append(int(pid))
    return found


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Lab:
    """Two namespaces with a link, a folder for all that Ansible and the module write, and how they were before the
    fault."""

    def __init__(self, number: int, folder: Path) -> None:
        self.a, self.b = f"tgx{os.getpid()}-{number}a", f"tgx{os.getpid()}-{number}b"
        self.home = folder / f"home{number}"
        self.pcap = folder / f"{number}.pcap"
        self.mark = f"{os.getpid()}-{number}"
        self.ansible: subprocess.Popen[str] | None = None
        self.warnings = ""
        self.sender = "tcpreplay"

    def make(self, size: int = SIZE) -> None:
        """Make it anew, with frames of ``size`` bytes to send."""
        self.remove()
        self.home.mkdir(parents=True)
        write_pcap(self.pcap, size)
        for netns in (self.a, self.b):
            run("ip", "netns", "add", netns)
            if Path("/proc/sys/net/ipv6").exists():
                run("ip", "netns", "exec", netns, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        queues = ("numtxqueues", "2", "numrxqueues", "2")
        end = ("name", "b0", "netns", self.b)
        run("ip", "link", "add", "a0", "netns", self.a, *queues, "type", "veth", "peer", *end, *queues)
        run("ip", "-n", self.a, "link", "set", "a0", "up")
        run("ip", "-n", self.b, "link", "set", "b0", "up")
        until(lambda: "LOWER_UP" in run("ip", "-n", self.a, "link", "show", "a0"), 5)

    def look(self) -> None:
        """Note how all is before the run."""
        self.before, self.received_before = self.settings(), self.received()

    def remove(self) -> None:
        """Remove it, with what is left in it."""
        for pid in self.left_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for netns in (self.a, self.b):
            if Path("/run/netns", netns).exists():
                run("ip", "netns", "delete", netns)
        shutil.rmtree(self.home, ignore_errors=True)

    def settings(self, interface: str = "a0") -> str:
        """All that ip and ethtool say of the sender's settings."""
        link = run("ip", "-n", self.a, "-d", "link", "show", "dev", interface, check=False)
        return re.sub(r"^\d+: \S+ ", "", link) + run(
            "ip", "netns", "exec", self.a, "ethtool", "-k", interface, check=False
        )

    def received(self) -> int | None:
        """What the receiver's kernel counted."""
        found = json.loads(run("ip", "-n", self.b, "-j", "-s", "link", "show", "dev", "b0", check=False) or "[]")
        return found[0]["stats64"]["rx"]["packets"] if found else None

    def left_processes(self) -> list[int]:
        """What was started from here, whoever its parent is now."""
        mark = f"{MARK}={self.mark}".encode()
        return processes(lambda pid: mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))

    def left_tables(self) -> str:
        """The receiver's nftables."""
        return (
            run("ip", "netns", "exec", self.b, "nft", "list", "tables", check=False).strip()
            if Path("/run/netns", self.b).exists()
            else ""
        )

    def left_files(self) -> list[str]:
        """The module's files in Ansible's folder, and its notes. Files that Ansible keeps there for its next start do
        not count."""
        ours = [str(path) for path in (self.home / ".ansible/tmp").glob("*/*")]
        return ours + [str(path) for path in (self.home / "tmp").glob("*")]

    def locked(self) -> bool:
        """Whether a run has the interface."""
        return "wirespeed.trafficgen/" in run("ip", "netns", "exec", self.a, "cat", "/proc/net/unix", check=False)

    def start(self, params: dict[str, Any], module: str = "tcpreplay", under: Sequence[str] = ()) -> None:
        """Start the module as Ansible does.

        :param under: a program and its arguments that runs Ansible.
        """
        self.sender = module
        (self.home / "tmp").mkdir(exist_ok=True)
        command = [
            *under,
            *("ansible", "localhost", "-c", "local", "-m"),
            f"wirespeed.trafficgen.{module}",
            "-a",
            json.dumps(params),
        ]
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            MARK: self.mark,
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        self.ansible = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
            cwd=self.home,
        )

    def tcpreplays(self, number: int = 1) -> list[int]:
        """The process ids of so many tcpreplay, once they send. The real one has loaded the file by then and counts on
        the link."""
        known = (b"tcpreplay\n", b"stand_in_tcprep\n", b"sh\n")
        marked = f"{MARK}={self.mark}".encode()

        def sends() -> list[int]:
            return processes(
                lambda pid: (
                    Path(f"/proc/{pid}/comm").read_bytes() in known
                    and b"--intf1=a0" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    and marked in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                )
            )

        found = until(lambda: ids if len(ids := sends()) >= number else [], 30)
        assert found, "tcpreplay did not start"
        return found

    def tcpreplay(self) -> int:
        """The process id of a tcpreplay that sends."""
        return self.tcpreplays()[0]

    def workers(self) -> list[int]:
        """The process ids of xdp_replay's two workers, once they have loaded their frames. Only they and the module
        have rings of an AF_XDP socket in their memory."""
        marked = f"{MARK}={self.mark}".encode()

        def ready() -> list[int]:
            have = processes(
                lambda pid: (
                    marked in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                    and "socket:[" in Path(f"/proc/{pid}/maps").read_text()
                )
            )
            found = [pid for pid in have if parent(pid) in have]
            return sorted(found) if len(found) == 2 else []

        found: list[int] = until(ready, 30)
        assert found, "the workers did not start"
        return found

    def senders(self) -> list[int]:
        """The processes that send."""
        return self.workers() if self.sender == "xdp_replay" else self.tcpreplays()

    def module(self) -> int:
        """The module's process."""
        return parent(self.senders()[0])

    def ansibles(self) -> list[int]:
        """Ansible's processes, the oldest first. The module is not among them."""
        found, above = [], parent(self.module())
        while above not in (os.getpid(), 1):
            found.append(above)
            above = parent(above)
        return found[::-1]

    def result(self, seconds: float) -> tuple[int | None, dict[str, Any]]:
        """Wait for Ansible's end. Returns its exit status (None: it does not end) and the module's result."""
        assert self.ansible is not None
        try:
            printed, self.warnings = self.ansible.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None, {}
        found = re.search(r"^localhost \| \S+ => (\{.*^\})", printed, re.DOTALL | re.MULTILINE)
        return self.ansible.returncode, json.loads(found[1]) if found else {}
