#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt the soak while tcpreplay sends, and look for what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SOAK = Path(__file__).parent / "soak.py"
READY, ENDS_WITHIN = 90, 5  # seconds


def processes(mark: str) -> dict[str, str]:
    """The processes with this mark in their environment: the number, and the network namespace and name."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[entry.name] = f"{os.readlink(entry / 'ns/net')} {(entry / 'comm').read_text().strip()}"
    return found


def interrupt(number: signal.Signals) -> None:
    mark = f"SOAK_TEST={os.getpid()}-{number.name}"
    name, _equals, value = mark.partition("=")
    command = [sys.executable, SOAK, "--seconds", "60", "--json", os.devnull, "top-speed"]
    with subprocess.Popen(command, env={**os.environ, name: value}) as soak:
        until = time.monotonic() + READY
        while not any(what.endswith(" tcpreplay") for what in processes(mark).values()):
            if soak.poll() is not None or time.monotonic() > until:
                soak.terminate()
                raise AssertionError("tcpreplay was not started")
            time.sleep(0.1)
        running = processes(mark)
        assert len({what.split()[0] for what in running.values()}) > 1, "it should be in a namespace of its own"
        began = time.monotonic()
        soak.send_signal(number)
        status = soak.wait(ENDS_WITHIN)
    left = [*processes(mark).values(), *map(str, Path("/run/netns").glob("tgl-*"))]
    print(
        f"{number.name}: {len(running)} processes, status {status} after {time.monotonic() - began:.2f} s, left:"
        f" {left}",
        flush=True,
    )
    assert not left
    assert status == 128 + number, "an interrupted soak says so"


# A shell starts what is to run in its background with SIGINT ignored, and so would the soak be.
signal.signal(signal.SIGINT, signal.default_int_handler)
for one in (signal.SIGINT, signal.SIGTERM):
    interrupt(one)
