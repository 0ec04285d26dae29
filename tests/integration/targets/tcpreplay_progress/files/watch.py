# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ansible, and report when it printed which line.

watch.py [--terminal] [--kill | --kill-main | --enough LINES] NETNS COMMAND...: prints JSON,
{"status": its exit status, "lines": [[seconds before its end, line]...]}.
With --kill it is killed at the first line about a run, with all its workers, but not the module: "gone" is how many
seconds later tcpreplay was gone from the namespace.
With --enough each run is interrupted once it has shown so many lines: it lasts as long as this host takes to show
them, and if they came at its end only, it would have none.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--terminal", action="store_true")
parser.add_argument("--kill", action="store_true")
parser.add_argument("--kill-main", action="store_true")
parser.add_argument("--enough", type=int, metavar="LINES")
parser.add_argument("netns")
parser.add_argument("command", nargs=argparse.REMAINDER)
options = parser.parse_args()


def senders() -> list[int]:
    """What sends in the namespace. The module calls ip there too."""
    pids = subprocess.run(
        ["ip", "netns", "pids", options.netns], capture_output=True, text=True, check=True
    ).stdout.split()
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended since it was listed
            if Path(f"/proc/{pid}/comm").read_text().strip() == "tcpreplay":
                found.append(int(pid))
    return found


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill() -> float:
    """Kill Ansible, from the top down; seconds until tcpreplay was gone."""
    [tcpreplay] = senders()
    above = parent(parent(tcpreplay))  # the module's
    victims = []
    while above != os.getpid():
        if "python" in os.readlink(f"/proc/{above}/exe"):
            victims.append(above)
        above = parent(above)
    for pid in [ansible.pid] if options.kill_main else reversed(victims):
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    while Path(f"/proc/{tcpreplay}").exists() and time.monotonic() < killed + 10:
        time.sleep(0.02)
    return time.monotonic() - killed


if options.terminal:
    reading, writing = pty.openpty()
else:
    reading, writing = os.pipe()
ansible = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
os.close(writing)
lines, gone = [], None
shown: Counter[int] = Counter()  # by process: what Ansible prints of a loop's items comes late where it is no terminal
try:
    with open(reading, encoding="utf-8", errors="replace") as output:
        for line in output:
            lines.append((time.monotonic(), re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()))
            if options.kill_main and "TASK [One run]" in line:
                while not senders():
                    time.sleep(0.1)
                gone = kill()
            elif "sending: [" in line:
                if options.kill and gone is None:
                    gone = kill()
                elif options.enough:
                    for pid in senders():
                        shown[pid] += 1
                        if shown[pid] == options.enough:
                            os.kill(pid, signal.SIGINT)
except OSError:  # so a terminal's other end tells that it is closed
    pass
status = ansible.wait()
ended = time.monotonic()
json.dump({"status": status, "lines": [[round(ended - at, 2), line] for at, line in lines], "gone": gone}, sys.stdout)
