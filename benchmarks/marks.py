# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiver of marks can read, beside what the sender sends.

tcpreplay sends at top speed from one network namespace to another, and the receiver there looks at each mark. On a veth
the sender's CPU brings the frames into the receiver's memory; the receiver's CPU time is for reading alone. Frames that
its own socket dropped are its limit.

    python3 benchmarks/marks.py [--rounds 3] [--frames 500000]        (as root)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import read_expected, receive
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import make_pcap

SENDER, RECEIVER = "bench-marks-snd", "bench-marks-rcv"
SCAN = {"preset": "tcp_port_scan", "size_of": "ip"}
SPECS: dict[str, list[dict[str, Any]]] = {
    "one stream, 64-byte IP": [{**SCAN, "size": 64}],
    "one stream, 1500-byte IP": [{**SCAN, "size": 1500}],
    "two streams in turns, 64-byte IP": [
        {**SCAN, "size": 64, "weight": 1},
        {**SCAN, "preset": "udp_port_scan", "size": 64, "weight": 1},
    ],
    "IMIX": [{"preset": "imix", "count": 60_000}],
}


@contextlib.contextmanager
def link() -> Iterator[None]:
    """A veth between two namespaces."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    for name in (SENDER, RECEIVER):
        ip("netns", "add", name)
    try:
        ip("link", "add", "snd0", "netns", SENDER, "type", "veth", "peer", "name", "rcv0", "netns", RECEIVER)
        ip("-n", SENDER, "link", "set", "snd0", "addrgenmode", "none", "up")
        ip("-n", RECEIVER, "link", "set", "rcv0", "addrgenmode", "none", "up")
        yield
    finally:
        for name in (SENDER, RECEIVER):
            ip("netns", "delete", name)


def run(pcap: Path, marks: dict[str, Any], passes: int, ready: Path) -> tuple[float, float, int]:
    """One run: frames a second that came, seconds of CPU for each that was read, frames that the socket dropped."""
    # It waits for the receiver's sign.
    script = 'until [ -e "$1" ]; do sleep 0.02; done; exec tcpreplay -q -K -t -l "$2" -i snd0 "$3"'
    command = ["ip", "netns", "exec", SENDER, "sh", "-c", script, "sh", str(ready), str(passes), str(pcap)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        cpu = time.process_time()
        told = receive(
            Interface("rcv0", RECEIVER),
            read_expected(marks, passes),
            duration=120,
            idle=1.0,
            ring_mb=64,
            ready_file=str(ready),
        )
        cpu = time.process_time() - cpu
    first = min(one["first_arrival"] for one in told["streams"])
    seconds = max(one["last_arrival"] for one in told["streams"]) - first
    return (told["arrived"] + told["socket_drops"]) / seconds, cpu / told["arrived"], told["socket_drops"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=500_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, link():
        pcap, ready = Path(name, "marked.pcap"), Path(name, "ready")
        for what, spec in SPECS.items():
            made = make_pcap(str(pcap), spec, 0.000001, replace=os.replace, mark_id="7")["pcap"]
            passes = -(-options.frames // made["packets"])
            runs = [run(pcap, made["marks"], passes, ready) for _round in range(options.rounds)]
            came, cpu = (statistics.median(one[which] for one in runs) for which in (0, 1))
            dropped = sum(one[2] for one in runs)
            print(
                f"{what}: {came:,.0f} frames/s came; {cpu * 1e6:.2f} us of CPU for each, so one core reads"
                f" {1 / cpu:,.0f} a second, {1 / cpu / came:.1f} times what was sent; dropped {dropped}"
            )


if __name__ == "__main__":
    main()
