#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt the demo at several moments and look for what it left: interrupt_demo.py FOLDER (the demo's, for its results)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = b"TRAFFICGEN_DEMO="
# (what the demo prints, seconds to wait from there, signal, whether the whole foreground gets it, as from a terminal)
MOMENTS = [
    ("TASK [Make the pcaps", 0.5, signal.SIGINT, True),
    ("TASK [Join them", 0.2, signal.SIGTERM, False),
    ("TASK [Replay each at a set rate", 2.0, signal.SIGINT, True),
    ("TASK [Replay each at a set rate", 2.5, signal.SIGTERM, False),
    ("TASK [Replay each at top speed", 2.0, signal.SIGHUP, True),
]


def namespaces() -> set[str]:
    """The demos' namespaces that exist."""
    folder = Path("/run/netns")
    return {path.name for path in folder.iterdir() if path.name.startswith("tgd")} if folder.is_dir() else set()


def is_marked(process: Path) -> bool:
    """Whether this entry of /proc is a demo's process, by the mark in its environment."""
    try:
        return any(value.startswith(MARK) for value in (process / "environ").read_bytes().split(b"\0"))
    except OSError:
        return False  # it has ended


def processes() -> set[str]:
    """The demos' processes that run."""
    return {process.name for process in Path("/proc").glob("[0-9]*") if is_marked(process)}


def temporary() -> set[str]:
    """The demos' temporary folders."""
    return {path.name for path in Path(os.environ.get("TMPDIR", "/tmp")).glob("trafficgen-demo.*")}


def left() -> set[str]:
    return namespaces() | processes() | temporary()


def interrupt(folder: str, said: str, wait: float, number: signal.Signals, everyone: bool) -> None:
    """Run the demo up to a moment, interrupt it there, and see that it ends and leaves nothing."""
    before = left()
    command = ["./run", "demo", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as demo:
        for line in demo.stdout:
            if said in line:
                break
        else:
            raise AssertionError(f"the demo ended before it said {said!r}")
        time.sleep(wait)
        assert namespaces() - before or "pcaps" in said, "there should be something to clean up by now"
        started = time.monotonic()
        if everyone:
            os.killpg(demo.pid, number)
        else:
            os.kill(demo.pid, number)
        demo.communicate(timeout=30)
    print(f"{said}] + {wait} s, {number.name}: status {demo.returncode} after {time.monotonic() - started:.1f} s, left: {left() - before}")
    assert demo.returncode == 128 + number, "an interrupted demo says so"
    assert not left() - before


for moment in MOMENTS:
    interrupt(sys.argv[1], *moment)
