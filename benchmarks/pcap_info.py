# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast pcap_info's library reads files, beside capinfos and Scapy's RawPcapReader, measured in the same run.

capinfos is asked for what it has of the same (packets, bytes, times, hashes); it knows no sizes and no flows.
RawPcapReader only hands the frames over, and is given a part of the file. The hash's own time is shown too: where it is
most of ours, the hash is the limit.

    python3 benchmarks/pcap_info.py [--folder DIR] [--rounds 5]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import summarize

SCAPY_FRAMES = 50_000


def timed(job: Callable[[], object], rounds: int) -> float:
    """The median of ``rounds`` runs, in seconds."""
    taken = []
    for _round in range(rounds):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def records(sizes: Iterator[int], frames: int, protocols: tuple[int, ...] = (6,)) -> Iterator[bytes]:
    """Frames, each to a port of its own (64511 in turn), in records of a pcap."""
    ethernet = bytes.fromhex("0200000000020200000000010800")
    for number, size in zip(range(frames), sizes):
        ip = struct.pack(
            ">BBHHHBBHII", 0x45, 0, size - 14, 1, 0, 64, protocols[number % len(protocols)], 0, 0xC6120001, 0xC6120002
        )
        frame = (ethernet + ip + struct.pack(">HH", 1024, 1024 + number % 64511)).ljust(size, b"\0")
        yield struct.pack("<IIII", number // 1_000_000, number % 1_000_000, size, size) + frame


def always(*sizes: int) -> Iterator[int]:
    """These sizes in turn, without an end."""
    while True:
        yield from sizes


def anything() -> Iterator[int]:
    """Sizes in no order, the same in each run."""
    generator = random.Random(1)
    while True:
        yield generator.randrange(60, 200)


FILES: dict[str, Callable[[], Iterator[bytes]]] = {
    "78-byte frames": lambda: records(always(78), 1_000_000),
    "78-byte frames, TCP and UDP in turn": lambda: records(always(78), 1_000_000, (6, 17)),
    "1514-byte frames": lambda: records(always(1514), 150_000),
    "IMIX 7:4:1": lambda: records(always(*[60] * 7, *[566] * 4, 1514), 500_000),
    "sizes 60-199, at random": lambda: records(anything(), 1_000_000),
}


def scapys_way(path: Path) -> float:
    """Frames a second that RawPcapReader hands over; 0 without Scapy."""
    try:
        from scapy.utils import RawPcapReader
    except ImportError:
        return 0.0

    def job() -> None:
        with RawPcapReader(str(path)) as reader:
            for number, _frame in enumerate(reader, 1):
                if number == SCAPY_FRAMES:
                    break

    return SCAPY_FRAMES / timed(job, 3)


def hash_alone(path: Path) -> None:
    """The file's SHA-256, and no more."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the files are written (default: the temporary folder)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    capinfos = shutil.which("capinfos")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        path = Path(name) / "read.pcap"
        for what, make in FILES.items():
            with path.open("wb") as file:
                file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
                file.writelines(make())
            length = path.stat().st_size
            packets = summarize(str(path), flows=False).packets
            without = timed(lambda: summarize(str(path), flows=False, source_macs=True), options.rounds)
            with_flows = timed(lambda: summarize(str(path)), options.rounds)
            hashing = timed(lambda: hash_alone(path), options.rounds)
            print(f"{what}: {packets:,} frames, {length / 1e6:.0f} MB; reading and SHA-256 alone {hashing:.3f} s")
            peers = []
            if scapy := scapys_way(path):
                peers.append((f"RawPcapReader's {scapy / 1e6:.2f}", packets / scapy))
            if capinfos:
                seconds = timed(
                    lambda: subprocess.run([capinfos, "-cdluHM", str(path)], check=True, stdout=subprocess.DEVNULL),
                    options.rounds,
                )
                peers.append((f"capinfos' {packets / seconds / 1e6:.2f}", seconds))
            for how, seconds in (("without flows", without), ("with flows", with_flows)):
                ratios = "; ".join(f"{other / seconds:.2f} times {which}" for which, other in peers)
                print(
                    f"  {how}: {seconds:.3f} s, {packets / seconds / 1e6:.2f} M frames/s, {length / seconds / 1e9:.2f}"
                    f" GB/s; {ratios}"
                )


if __name__ == "__main__":
    main()
