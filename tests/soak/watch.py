# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at all processes in the house while a load lasts: their memory and open files."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Process:
    """What was seen of one. ``rss``: (epoch seconds, KiB); ``peak``: KiB; ``files``: (epoch seconds, open files)."""

    kind: str
    rss: list[tuple[float, float]] = field(default_factory=list)
    files: list[tuple[float, float]] = field(default_factory=list)
    peak: int = 0


def kind(argv: list[str]) -> str:
    """What a command line is of: the controller's Ansible, the module, tcpreplay."""
    modules = [found[1] for word in argv if (found := re.search(r"AnsiballZ_(\w+)\.py", word))]
    if modules:
        return f"module {modules[0]}" if os.path.basename(argv[0]).startswith("python") else "shell"
    if any(os.path.basename(word).startswith("ansible-playbook") for word in argv):
        return "ansible-playbook"
    return os.path.basename(argv[0])


class Watch:
    """Takes samples for as long as the block lasts."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.processes: dict[str, Process] = {}
        self._failure: Exception | None = None
        self.most = 0  # KiB of resident memory, of all together

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _look(self) -> None:
        try:
            self._look_on()
        except Exception as error:
            self._failure = error

    def _look_on(self) -> None:
        while not self._over.wait(self._seconds):
            now, together = time.time(), 0
            for entry in Path("/proc").glob("[0-9]*"):
                if entry.name == "1":
                    continue
                with contextlib.suppress(OSError):  # it has ended
                    together += self._sample(entry, now)
            self.most = max(self.most, together)

    def _sample(self, entry: Path, now: float) -> int:
        argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        status = (entry / "status").read_text()
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
        if len(found) < 2:  # it is about to end, and has no memory any more
            return 0
        rss, peak = int(found["VmRSS"]), int(found["VmHWM"])
        open_files = len(os.listdir(entry / "fd"))
        # The kernel gives numbers anew, and a process becomes another one: ip netns exec, a worker.
        key = f"{entry.name} {kind(argv)}"
        process = self.processes.setdefault(key, Process(kind(argv)))
        process.rss.append((now, rss))
        process.files.append((now, open_files))
        process.peak = max(process.peak, peak)
        return rss
