# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast pcap makes files, beside Scapy's own way and beside dd, both measured in the same run.

Scapy's own way is a packet object each, then wrpcap. The library's figure is from spec to file in this process; the
module's is the whole process that Ansible starts on the managed node, Python's and Scapy's start included. dd writes as
many bytes to the same folder.

    python3 benchmarks/pcap.py [--folder DIR] [--rounds 5] [--ten-million]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import make_pcap

SCAPY_FRAMES = 20_000
MILLION = 1_000_000


def scan(size: int, count: int | None = None) -> list[dict[str, object]]:
    """The TCP port scan, with IP packets of ``size`` bytes."""
    return [{"preset": "tcp_port_scan", "size": size, "size_of": "ip", "count": count}]


def timed(job: Callable[[], object], rounds: int) -> float:
    """The median of ``rounds`` runs, in seconds."""
    taken = []
    for _round in range(rounds):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def scapys_way(path: Path, size: int) -> float:
    """Frames a second of a packet object each, then wrpcap."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw
    from scapy.utils import wrpcap

    def job() -> None:
        packets = [
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IP(src="198.18.0.1", dst="198.18.0.2")
            / TCP(sport=1024, dport=1024 + number)
            / Raw(bytes(size - 40))
            for number in range(SCAPY_FRAMES)
        ]
        wrpcap(str(path), packets)

    return SCAPY_FRAMES / timed(job, 1)


def library(path: Path, size: int, count: int | None, rounds: int, mark_id: str | None = None) -> tuple[float, float]:
    """Frames a second and bytes a second from spec to new file."""
    made = {}

    def job() -> None:
        path.unlink(missing_ok=True)
        said = make_pcap(str(path), scan(size, count), 0.000001, replace=os.replace, mark_id=mark_id)
        made.update(said["pcap"])

    seconds = timed(job, rounds)
    return made["packets"] / seconds, made["file_bytes"] / seconds


def module_command(folder: Path, path: Path, streams: list[dict[str, object]]) -> list[str]:
    """The command that Ansible runs on the managed node for this task: kept from a run of it."""
    env = {
        **os.environ,
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    arguments = json.dumps({"path": str(path), "streams": streams})
    subprocess.run(
        [
            "ansible",
            "localhost",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            "-m",
            "wirespeed.trafficgen.pcap",
            "-a",
            arguments,
        ],
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (kept,) = (folder / "remote").glob("*/AnsiballZ_pcap.py")
    return [sys.executable, str(kept)]


def dd(path: Path, length: int, rounds: int) -> float:
    """Bytes a second that dd writes to a new file."""

    def job() -> None:
        path.unlink(missing_ok=True)
        argv = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={length}", "iflag=count_bytes", "status=none"]
        subprocess.run(argv, check=True)

    return length / timed(job, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the files are written (default: the temporary folder)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--ten-million", action="store_true", help="also make ten million frames, and say how much memory that took"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        path = folder / "made.pcap"
        peer = scapys_way(folder / "scapy.pcap", 64)
        print(f"Scapy, an object each, then wrpcap, IP size 64: {peer:,.0f} frames/s")
        for what, count in (("64511 frames", None), ("a million frames", MILLION)):
            rate, _speed = library(path, 64, count, options.rounds)
            print(f"library, {what}: {rate:,.0f} frames/s, {rate / peer:,.0f} times Scapy's")
        for size in (64, 1500):
            plain, marked = (library(path, size, None, options.rounds, mark_id)[0] for mark_id in (None, "1"))
            print(f"library, 64511 frames of IP size {size}, with marks: {plain / marked:.2f} times as long as without")
        path.unlink()
        command = module_command(folder, path, scan(64, MILLION))

        def run_module() -> None:
            path.unlink(missing_ok=True)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        rate = MILLION / timed(run_module, options.rounds)
        print(f"module, a million frames, the whole process: {rate:,.0f} frames/s, {rate / peer:,.0f} times Scapy's")
        for what, count in (("64511 frames", None), ("300,000 frames", 300_000)):
            _rate, speed = library(path, 1500, count, options.rounds)
            length = path.stat().st_size
            beside = dd(folder / "dd", length, options.rounds)
            print(
                f"library, IP size 1500, {what}: {speed / 1e9:.2f} GB/s; dd {beside / 1e9:.2f} GB/s; ratio"
                f" {speed / beside:.2f}"
            )
        if options.ten_million:
            path.unlink()
            job = (
                "import sys, os; from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import"
                " make_pcap; "
            )
            job += (
                "print(make_pcap(sys.argv[1], [{'preset': 'tcp_port_scan', 'count': 10_000_000}], 0.000001,"
                " replace=os.replace))"
            )
            seconds = timed(
                lambda: subprocess.run([sys.executable, "-c", job, str(path)], check=True, stdout=subprocess.DEVNULL), 1
            )
            print(f"ten million frames of 64 bytes: {seconds:.2f} s")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"largest process (the module; Ansible's own included): {memory / 1024:.0f} MB RSS")


if __name__ == "__main__":
    main()
