#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the readers of foreign bytes, guided by coverage (atheris): fuzz.py FOLDER SECONDS [TARGET…].

Each target runs for so many seconds in a process of its own, which may take no more than MEMORY, and no more than
SLOWEST for one input. What it finds interesting is kept in FOLDER/TARGET, for the next run to begin with. What fails is
kept in FOLDER/failed: put it into tests/fuzz/crashes/TARGET once it is mended, where the unit tests try it again and
again.

With FUZZ_SEED in the environment, each run has the same random numbers and begins with the seeds alone.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED

HERE = Path(__file__).resolve().parent
PCAPS = HERE.parent / "integration" / "targets" / "pcap_info" / "files"
MEMORY = 1 << 30
SLOWEST = 5  # seconds of the process's own time for one input, of hundreds or thousands that take one
HANGS = 120  # seconds by the clock, however busy the machine is
LENGTHS = {"output": 4096, "pcap": 4096, "spec": 256, "text": 1024, "result": 24}


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with: what was recorded, the files of other tests, and what once failed."""
    found = [
        file.read_bytes() for folder in ("corpus", "crashes") for file in sorted((HERE / folder / target).glob("*"))
    ]
    if target == "output":
        found += [text.encode() for text in RECORDED.values()]
    elif target == "pcap":
        found += [bytes([15]) + file.read_bytes() for file in sorted(PCAPS.glob("*.pcap*"))]
        ether = bytes.fromhex("020000000002020000000001")
        ip = bytes.fromhex("0800450000280000000040110000c6120001c612000204000007000800000000")
        frames = [
            ether + ip,
            ether + b"\x81\x00\x00\x05" + ip,
            ether + b"\x88\x47\x00\x01\x01\x40" + ip[2:],
            ether + bytes(50),
        ]
        # Frames of one size in a row are read in one go, and in several where the blocks are small.
        for order, some, block in (
            ("<", frames * 3, 2),
            (">", frames * 3, 2),
            ("<", frames[3:] * 20, 15),
            ("<", frames[:1] * 20, 4),
        ):
            body = b"".join(struct.pack(order + "IIII", 1, 2, len(frame), len(frame)) + frame for frame in some)
            found.append(bytes([block]) + struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + body)
    elif target == "spec":
        found += [bytes([kind, 0, 3, kind]) + bytes(range(length)) for kind in range(0, 32, 3) for length in (20, 90)]
    elif target == "result":
        found += [
            bytes([kind, 1, place, 0, 0, 0, 0, odd])
            for kind in range(4)
            for place, odd in ((3, 9), (40, 19), (90, 0), (200, 30))
        ]
    elif target == "text":
        version = (
            b"tcpreplay version: 4.4.2 (build git:v4.4.2) (debug)\nCompiled against libpcap: 1.10\nOptional injection"
            b" method: netmap\n"
        )
        texts = [
            RECORDED["paced.stdout"].encode(),
            b"100\n64\n10000",
            b"stats.devices[?interface=='a'].interface | [0]",
            version,
            b"2-3,5",
            b"--quiet\n--loopdelay-ms=5\n-T\nnano\n--maxsleep=3",
            b"eth0.100",
            b"tg-snd",
            b"1024-65534\n10.0.0.0/8\n2001:db8::/64\n02:00:00:00:00:01-02:00:00:00:00:05\n0x10",
            json.dumps({"weights": [{"size": 64, "weight": 7}]}).encode(),
            RECORDED["no_pcap.stderr"].encode(),
            b"pps\n1000.5",
            'a"b$(id)\u00fc'.encode(),
            (
                b"table netdev a { # handle 3\n\tchain ingress {\n\t\tether saddr { 02:00:00:00:00:01 } counter packets"
                b" 5 bytes 300\n"
            ),
            b"0200.0000.0001",
            b"1700000000.123456789\n",
            (
                b'{"trafficgen_progress": 1, "elapsed": 3.0, "left": null, "sample": {"packets": 1, "bytes": 60,'
                b' "seconds": 1.0}}\n'
            ),
            b"Ring parameters for e0:\nCurrent hardware settings:\nRX:\t\t256\nTX:\t\t256\n",
            b"stats.packets == `1`",
            b"0.000001",
        ]
        found += [bytes([number]) + text for number, text in enumerate(texts)]
    return found


def child(target: str, arguments: list[str]) -> None:
    """One target, in this process, to its end."""
    import atheris  # only here: the process that starts these needs none

    with atheris.instrument_imports(include=["ansible_collections.wirespeed.trafficgen"]):
        from ansible_collections.wirespeed.trafficgen.tests.fuzz.targets import TARGETS
    if target != "result":  # atheris's patterns are incomplete: Jinja, which makes reports, needs the rest
        atheris.enabled_hooks.add("RegEx")
    TARGETS[target](b"")  # what it imports late (Scapy) is not the first input's time
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def one(data: bytes) -> None:
        started = time.process_time()
        TARGETS[target](data)
        taken = time.process_time() - started
        if taken > SLOWEST:
            raise AssertionError(f"took {taken:.1f} s")

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def run(target: str, folder: Path, seconds: int, seed: str | None) -> bool:
    """Fuzz one target, say in a line what came of it, and whether nothing failed."""
    kept = folder / target
    if seed:
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    failed = folder / "failed"
    failed.mkdir(exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as begin:
        for number, data in enumerate(seeds(target)):
            Path(begin, f"{number:03d}").write_bytes(data)
        arguments = [
            str(kept),
            begin,
            f"-max_total_time={seconds}",
            f"-timeout={HANGS}",
            f"-max_len={LENGTHS[target]}",
            "-rss_limit_mb=1024",
            f"-artifact_prefix={failed}/{target}-",
            "-print_final_stats=1",
            "-verbosity=1",
            *([f"-seed={seed}"] if seed else []),
        ]
        done = subprocess.run(
            [sys.executable, __file__, "--child", target, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + 3 * HANGS,
            check=False,
        )
    said = done.stdout + done.stderr
    (folder / f"{target}.log").write_text(said, encoding="utf-8")
    executions = re.findall(r"number_of_executed_units: (\d+)|Done (\d+) runs", said)
    coverage = re.findall(r"cov: (\d+)", said)
    count = "".join(executions[-1]) if executions else "?"
    verdict = "ok" if done.returncode == 0 and executions else "FAILED"
    print(
        f"{target:8}{verdict:8}{time.monotonic() - started:6.0f} s  {count} inputs, coverage"
        f" {coverage[-1] if coverage else '?'}, {len(list(kept.iterdir()))} kept",
        flush=True,
    )
    if verdict == "FAILED":
        # The exception stands in stdout, libFuzzer's words in stderr.
        print(done.stdout[-4000:], done.stderr[-1500:], sep="\n", flush=True)
    return verdict == "ok"


def main() -> int:
    """Run the targets one after the other."""
    if sys.argv[1] == "--child":
        child(sys.argv[2], sys.argv[3:])
        return 0
    folder, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    wanted = sys.argv[3:] or list(LENGTHS)
    unknown = [name for name in wanted if name not in LENGTHS]
    if unknown:
        print(f"no such target: {unknown[0]}. There are: {', '.join(LENGTHS)}", file=sys.stderr)
        return 2
    # Where one fails the others run as well: each has its own to tell.
    verdicts = [run(target, folder, seconds, os.environ.get("FUZZ_SEED")) for target in wanted]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
