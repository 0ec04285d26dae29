#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt the demo at several moments and look for what it left: interrupt_demo.py FOLDER (the demo's, for its
results)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# (what the demo prints, seconds to wait from there, signal, whether the whole foreground gets it, as from a terminal)
MOMENTS = [
    ("TASK [Make the pcaps", 0.5, signal.SIGINT, True),
    ("TASK [Join them", 0.2, signal.SIGTERM, False),
    ("TASK [Replay each at a set rate", 2.0, signal.SIGINT, True),
    ("TASK [Replay each at a set rate", 2.5, signal.SIGTERM, False),
    ("TASK [Replay each at top speed", 2.0, signal.SIGHUP, True),
]


def runs_with(process: Path, value: bytes) -> bool:
    """Whether this entry of /proc is a process with ``value`` in its environment."""
    try:
        return value in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has ended


def interrupt(folder: Path, said: str, wait: float, number: signal.Signals, everyone: bool) -> None:
    """Run the demo up to a moment, interrupt it there, and see that it ends and leaves nothing."""
    with tempfile.TemporaryDirectory() as temporary:

        def left(pid: int) -> list[str]:
            names = [str(path) for path in Path("/run/netns").glob(f"tgd{pid}-*")]
            names += [str(path) for path in Path(temporary).iterdir()]
            # What was begun and not finished would be hidden or oddly named.
            names += [
                str(path)
                for path in folder.glob("*")
                if path.suffix not in (".pcap", ".txt", ".json") or path.name[0] == "."
            ]
            return names + [
                str(path)
                for path in Path("/proc").glob("[0-9]*")
                if runs_with(path, f"TRAFFICGEN_TEST={temporary}".encode())
            ]

        environment = {**os.environ, "TMPDIR": temporary, "TRAFFICGEN_TEST": temporary}
        command = ["./run", "demo", str(folder)]
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as demo:
            for line in demo.stdout:
                if said in line:
                    break
            else:
                raise AssertionError(f"the demo ended before it said {said!r}")
            time.sleep(wait)
            assert left(demo.pid), "there should be something to clean up by now"
            started = time.monotonic()
            if everyone:
                os.killpg(demo.pid, number)
            else:
                os.kill(demo.pid, number)
            demo.communicate(timeout=30)
        seconds = time.monotonic() - started
        print(
            f"{said}] + {wait} s, {number.name}: status {demo.returncode} after {seconds:.1f} s, left:"
            f" {left(demo.pid)}",
            flush=True,
        )
        assert demo.returncode == 128 + number, "an interrupted demo says so"
        assert not left(demo.pid)


# What a background job or nohup ignores, its children ignore too, and a shell cannot trap it.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
for moment in MOMENTS:
    interrupt(Path(sys.argv[1]), *moment)
