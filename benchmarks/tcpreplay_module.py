# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module tcpreplay costs: its rate at top speed beside the same command run bare, and the time it adds.

Pairs of runs between two namespaces of its own, alternately the module's or the bare one first, and a second bare one
after each pair, which shows how far two runs of the same command lie apart. The added time is that of the whole task,
from Ansible's start of it to its result, less that of the bare command. On a host that has other work both say little.

    python3 benchmarks/tcpreplay_module.py [--pairs 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FRAMES = 64511  # the first user's file: a frame a port
SENDER, RECEIVER = "bench-tcpreplay-snd", "bench-tcpreplay-rcv"

CALLBACK = '''
import json, os, time
from ansible.plugins.callback import CallbackBase
DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Writes what each task took and returned
description: Writes what each task took and returned.
"""
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.began = time.monotonic()
    def v2_runner_on_ok(self, result):
        with open(os.environ["TASK_TIMES"], "w") as file:
            json.dump({"seconds": time.monotonic() - self.began, "result": result._result}, file, default=str)
'''


def write_pcap(path: Path) -> None:
    """IP packets of 64 bytes, in frames of 78, each to a port of its own."""
    ethernet = bytes.fromhex("0200000000020200000000010800")
    ip = bytes.fromhex("450000400001000040060000c6120001c6120002")
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(FRAMES):
            frame = (ethernet + ip + struct.pack(">HH", 1024, 1024 + number)).ljust(78, b"\0")
            file.write(struct.pack("<IIII", 0, 0, 78, 78) + frame)


def run(*argv: str, **options: object) -> str:
    """Run a program, and return what it printed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, **options).stdout  # type: ignore[call-overload,no-any-return]


@contextmanager
def lab() -> Iterator[None]:
    """Two namespaces with a link between them, and nothing else on it."""
    remove()
    try:
        for netns in (SENDER, RECEIVER):
            run("ip", "netns", "add", netns)
            if Path("/proc/sys/net/ipv6").exists():
                run("ip", "netns", "exec", netns, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        run("ip", "link", "add", "snd0", "netns", SENDER, "type", "veth", "peer", "name", "rcv0", "netns", RECEIVER)
        run("ip", "-n", SENDER, "link", "set", "snd0", "up")
        run("ip", "-n", RECEIVER, "link", "set", "rcv0", "up")
        yield
    finally:
        remove()


def remove() -> None:
    """Remove the namespaces, if they are there."""
    for netns in (SENDER, RECEIVER):
        subprocess.run(["ip", "netns", "delete", netns], check=False, capture_output=True)


def bare(pcap: Path, loops: int) -> tuple[float, float]:
    """Its rate in pps, and the seconds it took."""
    began = time.monotonic()
    printed = run(
        "ip",
        "netns",
        "exec",
        SENDER,
        "tcpreplay",
        "--intf1=snd0",
        "--topspeed",
        f"--loop={loops}",
        "--preload-pcap",
        "--stats=1",
        str(pcap),
    )
    return float(re.findall(r"([\d.]+) pps", printed)[-1]), time.monotonic() - began


def module(pcap: Path, loops: int, folder: Path) -> tuple[float, float]:
    """The same through the module."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [
            {
                "wirespeed.trafficgen.tcpreplay": {
                    "pcaps": [str(pcap)],
                    "interface": "snd0",
                    "netns": SENDER,
                    "topspeed": True,
                    "loop": loops,
                }
            }
        ],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    (folder / "task_times.py").write_text(CALLBACK)
    times = folder / "times.json"
    collections = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or next(
        entry for entry in sys.path if (Path(entry) / "ansible_collections/wirespeed/trafficgen").is_dir()
    )
    run(
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "localhost,",
        str(folder / "play.yml"),
        env={
            **os.environ,
            "TASK_TIMES": str(times),
            "ANSIBLE_CALLBACK_PLUGINS": str(folder),
            "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "ANSIBLE_COLLECTIONS_PATH": collections,
        },
    )
    measured = json.loads(times.read_text())
    return measured["result"]["stats"]["pps"], measured["seconds"]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long a run is to take, about")
    options = parser.parse_args()
    ratios, noise, added = [], [], []
    with tempfile.TemporaryDirectory() as name, lab():
        folder = Path(name)
        pcap = folder / "scan.pcap"
        write_pcap(pcap)
        loops = max(1, round(bare(pcap, 20)[0] * options.seconds / FRAMES))
        print(f"{loops} passes over {FRAMES} frames of 78 bytes at top speed, veth to veth")
        print(
            f"{'pair':>4} {'bare pps':>10} {'module pps':>10} {'ratio':>6} {'bare/bare':>9} {'bare s':>7} {'task s':>7}"
            f" {'added s':>7}"
        )
        for pair in range(1, options.pairs + 1):
            if pair % 2:
                (bare_pps, bare_s), (module_pps, module_s) = bare(pcap, loops), module(pcap, loops, folder)
            else:
                (module_pps, module_s), (bare_pps, bare_s) = module(pcap, loops, folder), bare(pcap, loops)
            ratios.append(module_pps / bare_pps)
            noise.append(bare(pcap, loops)[0] / bare_pps)
            # What it took longer than its own sending does, against what the bare one did.
            sending_bare, sending_module = loops * FRAMES / bare_pps, loops * FRAMES / module_pps
            added.append((module_s - sending_module) - (bare_s - sending_bare))
            measured = f"{pair:>4} {bare_pps:>10.0f} {module_pps:>10.0f} {ratios[-1]:>6.3f} {noise[-1]:>9.3f}"
            print(f"{measured} {bare_s:>7.2f} {module_s:>7.2f} {added[-1]:>7.2f}")
    print(
        f"median ratio {statistics.median(ratios):.3f} (0.99 at least is wanted), bare/bare"
        f" {statistics.median(noise):.3f}"
    )
    print(f"median added time {statistics.median(added):.2f} s (1 at most is wanted)")


if __name__ == "__main__":
    main()
