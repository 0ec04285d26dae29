# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill Ansible in the middle of a run, but not the module: only its connection breaks.

argv: the sender's namespace, then the command that starts Ansible. Prints how many seconds later tcpreplay was gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

NETNS, COMMAND = sys.argv[1], sys.argv[2:]


def senders() -> list[int]:
    """What sends in the namespace. The module calls ip there too."""
    pids = subprocess.run(["ip", "netns", "pids", NETNS], capture_output=True, text=True, check=True).stdout.split()
    names = subprocess.run(
        ["ps", "-o", "pid=,comm=", "-p", ",".join(pids) or "0"], capture_output=True, text=True, check=False
    ).stdout
    return [int(line.split()[0]) for line in names.splitlines() if line.split()[1] == "tcpreplay"]


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(wanted: bool, seconds: float) -> list[int]:
    """Wait until something sends, or nothing does any more."""
    end = time.monotonic() + seconds
    while bool(pids := senders()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    if bool(pids) != wanted:
        sys.exit(f"tcpreplay {'did not start' if wanted else f'stayed: {pids}'}")
    return pids


ansible = subprocess.Popen(COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
[tcpreplay] = wait_for(True, 30)
module = parent(tcpreplay)
above = parent(module)
victims = []
while above != os.getpid():
    # A shell between Ansible and the module lives on: the module is to see that its pipe is closed, not that its parent
    # is gone.
    if "python" in os.readlink(f"/proc/{above}/exe"):
        victims.append(above)
    above = parent(above)
for pid in reversed(victims):
    os.kill(pid, signal.SIGKILL)
killed = time.monotonic()
wait_for(False, 10)
print(f"{time.monotonic() - killed:.2f}")
ansible.wait()
