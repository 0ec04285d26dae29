# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the four roles take where nothing has changed.

The hosts must be generators already: a round that changes something, or fails, ends the measurement. What is not an
option of this command is handed to ansible-playbook. The CPU time is this machine's: with a local connection that is
all of it, over SSH it leaves out the host's.

    python3 benchmarks/provision.py -i hosts.ini [--rounds 3] [--slowest 8] [-e @variables.yml ...]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

_COMMAND = ["ansible-playbook", "wirespeed.trafficgen.provision"]
_TASK = re.compile(r"(?:TASK|RUNNING HANDLER) \[(.*)\]")
_RECAP = re.compile(r"(?P<host>\S+)\s*: (?P<counts>ok=\d+ .*)")


class Round(NamedTuple):
    """One run. ``tasks``: the seconds of each, by its name. ``recap``: what Ansible counted for each host."""

    wall: float
    cpu: float
    tasks: dict[str, float]
    recap: list[str]


def run(options: list[str]) -> Round:
    """Run the playbook. Ansible prints a task's title when it begins, so the times of the titles are the tasks'."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"}
    printed, tasks, recap = [], {"(Ansible's start)": 0.0}, []
    now, since = next(iter(tasks)), begun
    with subprocess.Popen(
        [*_COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as playbook:
        for line in playbook.stdout or ():
            printed.append(line)
            if (title := _TASK.match(line)) or line.startswith("PLAY RECAP"):
                at = time.monotonic()
                tasks[now] = tasks.get(now, 0.0) + at - since
                now, since = title[1] if title else "(Ansible's end)", at
            elif found := _RECAP.match(line):
                recap.append(f"{found['host']}: {' '.join(found['counts'].split())}")
    ended, after = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    tasks[now] = ended - since
    if playbook.returncode or not recap or any("changed=0 " not in one for one in recap):
        sys.exit(f"{''.join(printed)}\nThe playbook failed, or has changed something: nothing was measured.")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Round(ended - begun, cpu, tasks, recap)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slowest", type=int, default=8, help="how many tasks to print (default: %(default)s)")
    options, rest = parser.parse_known_args()
    rounds = []
    for number in range(1, options.rounds + 1):
        rounds.append(run(rest))
        load = os.getloadavg()[0]
        print(f"round {number}: {rounds[-1].wall:.1f} s, CPU {rounds[-1].cpu:.1f} s, load {load:.1f}", flush=True)
    print("\n".join(rounds[-1].recap))
    wall, cpu = (statistics.median(one[which] for one in rounds) for which in (0, 1))
    print(f"median: {wall:.1f} s, CPU {cpu:.1f} s")
    medians = {name: statistics.median(one.tasks.get(name, 0.0) for one in rounds) for name in rounds[-1].tasks}
    for name, seconds in sorted(medians.items(), key=lambda one: -one[1])[: options.slowest]:
        print(f"{seconds:7.2f} s  {name}")


if __name__ == "__main__":
    main()
