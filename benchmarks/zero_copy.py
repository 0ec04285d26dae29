# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What zero copy brings on a port that has it: the module xdp_replay with mode copy and zero_copy, by turns.

Which of the port's own counters (``ethtool -S``) moved by as many frames as the result says is printed of each run.

    python3 benchmarks/zero_copy.py INTERFACE [--workers 1] [--size 78] [--rounds 5] [--seconds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from xdp import FRAMES, write_pcap

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_statistics
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

MODULE = "ansible_collections.wirespeed.trafficgen.plugins.modules.xdp_replay"
MODES = ("copy", "zero_copy")
WANTED = 2.0


def send(interface: str, mode: str, asked: dict[str, Any]) -> float:
    """A run at top speed: its frames per second. It has to be of that mode, and short of no frame."""
    port = Interface(interface)
    before = read_statistics(port)
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {"interface": interface, "mode": mode, "topspeed": True, **asked}})
    ran = subprocess.run([sys.executable, "-m", MODULE], input=given, capture_output=True, text=True, check=False)
    found = json.loads(ran.stdout.splitlines()[-1])
    if found.get("failed") or found["run"]["xdp_mode"] != mode:
        raise SystemExit(found.get("msg") or f"{mode} asked for, {found['run']['xdp_mode']} obtained")
    packets, counters = found["stats"]["packets"], found["counters"]
    if counters["verdict"] not in ("consistent", "unknown"):
        raise SystemExit(f"{counters['verdict']}: {counters['reason']}")
    moved = [name for name, value in read_statistics(port).items() if value - before.get(name, 0) == packets]
    pps = float(found["stats"]["pps"])
    print(
        f"  {mode:>9}: {packets} frames, {pps / 1e3:.0f} thousand a second, {counters['verdict']}; counted so by"
        f" {', '.join(moved) or 'none of its own counters'}",
        flush=True,
    )
    return pps


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interface", nargs="?")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--size", type=int, default=78, choices=sorted(FRAMES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a run")
    options = parser.parse_args()
    if options.interface is None:
        print("Not measured: name a port whose driver has zero copy (the module xdp_info tells).")
        return
    print(f"Python {sys.version.split()[0]}, kernel {os.uname().release}, load {os.getloadavg()[0]:.1f}")
    found: dict[str, list[float]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder, "a.pcap")
        write_pcap(pcap, FRAMES[options.size] // 8, options.size)
        asked = {"pcaps": [str(pcap)], "loop": 0, "duration": options.seconds, "workers": options.workers}
        for number in range(options.rounds):
            print(f"round {number + 1}, frames of {options.size} bytes, workers {options.workers}")
            for mode in MODES:
                found[mode].append(send(options.interface, mode, asked))
    of_each = [zero / copy for copy, zero in zip(*(found[mode] for mode in MODES))]
    median = statistics.median(of_each)
    each = ", ".join(f"{one:.2f}" for one in of_each)
    print(f"zero copy / copy: {median:.2f} ({WANTED:g} wanted); of each round {each}")


if __name__ == "__main__":
    main()
