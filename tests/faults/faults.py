#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make faults on purpose in runs of tcpreplay and xdp_replay, and say what came of each: faults.py [--runs N]
[--jobs N] [--only WORD] FOLDER

Each run is the module's, started by Ansible, on a link between two namespaces of its own. Afterwards everything is
looked at: processes, the interface's settings, nftables, files, the lock, and whether the result is true to what the
interfaces counted. FOLDER gets a Markdown table (faults.md) and all of it (faults.json).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import NOTES, Lab
from look import Fault, once
from of_tcpreplay import FAULTS
from of_xdp_replay import XDP_FAULTS


def main() -> int:
    """Make them all, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--runs", type=int, default=1, help="of each fault")
    arguments.add_argument("--jobs", type=int, default=3, help="faults at once")
    arguments.add_argument("--only", default="", help="those whose name has this in it")
    arguments.add_argument("folder", type=Path)
    asked = arguments.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    labs: list[Lab] = []
    free = threading.local()

    def one(fault: Fault) -> dict[str, Any]:
        if not hasattr(free, "lab"):
            free.lab = Lab(len(labs) + 1, Path(work))
            labs.append(free.lab)
        try:
            return once(fault, free.lab)
        except Exception as error:
            return {"seconds": 0.0, "wrong": [repr(error)], "notes": [], "files": 0, "result": {}}

    faults = [*FAULTS, *XDP_FAULTS]
    if os.uname().machine != "x86_64" or not Path("/proc/net/protocols").read_text().count("\nXDP "):
        print("NOT RUN: those of AF_XDP, which needs x86_64 and a kernel that has it")
        faults = FAULTS
    # In turns, so that the same fault does not happen everywhere at once.
    todo = [fault for _turn in range(asked.runs) for fault in faults if asked.only in fault.name]
    # Interrupted, it ends and leaves nothing. A shell starts what is to run in its background with SIGINT ignored, and
    # so would be Ansible.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_args: sys.exit(1))
    with tempfile.TemporaryDirectory() as work:
        pool = ThreadPoolExecutor(asked.jobs)
        try:
            outcomes = list(pool.map(one, todo))
        finally:
            for again in range(2):
                for lab in labs:
                    lab.remove()
                pool.shutdown(wait=not again, cancel_futures=True)
    rows = ["| fault | runs | ended after, s (most) | went wrong |", "|---|---|---|---|"]
    failed = False
    for name in dict.fromkeys(fault.name for fault in todo):
        mine = [outcome for fault, outcome in zip(todo, outcomes) if fault.name == name]
        seconds = [outcome["seconds"] for outcome in mine]
        wrong = [text for outcome in mine for text in outcome["wrong"]]
        failed = failed or bool(wrong)
        rows.append(
            f"| {name} | {len(mine)} | {statistics.median(seconds):.1f} ({max(seconds):.1f}) |"
            f" {'; '.join(wrong) or 'nothing'} |"
        )
    left = [str(path) for path in Path("/run").glob(NOTES)]
    rows.append(f"\nNotes left in /run: {', '.join(left) or 'none'}")
    (asked.folder / "faults.md").write_text("\n".join(rows) + "\n")
    (asked.folder / "faults.json").write_text(
        json.dumps([{"fault": fault.name, **outcome} for fault, outcome in zip(todo, outcomes)], indent=1)
    )
    print("\n".join(rows))
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
