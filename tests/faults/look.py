# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a fault in a run, and look at everything afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import NOTES, SIZE, Lab, until


def nothing(lab: Lab) -> None:
    """No fault is made: the run itself is the fault."""


def sending(lab: Lab) -> None:
    """No fault is made either, but its time counts from when the run sends, and not from Ansible's start."""


@dataclass
class Fault:
    """A fault: what it is called, the run it is made in, how it is made, and what the result must say."""

    name: str
    make: Callable[[Lab], Any] = nothing
    params: dict[str, Any] = field(default_factory=dict)
    expect: Callable[[dict[str, Any], Lab], Any] = lambda result, lab: True
    # Seconds from the fault to the end of everything.
    bound: float = 10.0
    # What the fault itself takes away, which cannot be looked at afterwards.
    gone: bool = False
    # The settings differ until the next run has put them right.
    next_run_mends: bool = False
    without_result: bool = False
    receives: bool = True
    module: str = "tcpreplay"
    # Of the frames.
    size: int = SIZE
    # What there is around the run from before it on, and a program under which Ansible runs.
    around: Callable[[Lab], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    under: Sequence[str] = ()


def once(fault: Fault, lab: Lab) -> dict[str, Any]:
    """Make a fault once, and look at everything. ``wrong`` gets what is wrong."""
    try:
        lab.make(fault.size)
        with fault.around(lab):
            lab.look()
            return _once(fault, lab)
    finally:
        lab.remove()


def _once(fault: Fault, lab: Lab) -> dict[str, Any]:
    wrong: list[str] = []
    params = {"pcaps": [str(lab.pcap)], "interface": "a0", "netns": lab.a, **fault.params}
    if fault.receives:
        params |= {"rx_interface": "b0", "rx_netns": lab.b}
    behaviour = params.pop("STAND_IN", None)
    with _environment("STAND_IN", behaviour):
        asked = {name: value for name, value in params.items() if value is not None}
        lab.start(asked, fault.module, fault.under)
    if fault.receives and fault.make is not nothing:
        lab.senders()
        until(lambda: (lab.received() or 0) > 500, 10)
    fault.make(lab)
    began = time.monotonic()
    status, result = lab.result(60)
    left = until(lambda: not lab.left_processes(), fault.bound) or lab.left_processes()
    ended = time.monotonic() - began
    # A keeper gets half a second for tcpreplay's end.
    until(lambda: fault.next_run_mends or "trafficgen" not in lab.left_tables(), 3)
    if status is None:
        wrong.append("Ansible did not end within 60 s")
    if left is not True:
        wrong.append(f"processes stay: {left}")
    if ended > fault.bound:
        wrong.append(f"it took {ended:.1f} s")
    if "trafficgen" in lab.left_tables() and not fault.next_run_mends:
        wrong.append(f"tables stay: {lab.left_tables()}")
    if not fault.without_result:
        try:
            if not fault.expect(result, lab):
                wrong.append(f"it says: {json.dumps(result)[:2000]}")
        except (KeyError, TypeError) as error:
            wrong.append(f"{error!r}: it says: {json.dumps(result)[:2000]}")
        wrong += _true(fault, result, lab)
    if not fault.gone:
        if lab.locked():
            wrong.append("the interface is still locked")
        if fault.next_run_mends:
            wrong += _next_run_mends(fault, lab)
        elif lab.settings() != lab.before:
            wrong.append(f"its settings were {lab.before} and are {lab.settings()}")
    notes = [str(path) for path in Path("/run").glob(NOTES)] if not fault.next_run_mends else []
    files = lab.left_files()
    # Ansible's own stay where it was killed; the module's folder stays with the last that could remove it.
    stay = [path for path in files if not fault.without_result or "/trafficgen-" in path]
    if stay and not fault.next_run_mends:
        wrong.append(f"files stay: {stay}")
    return {"seconds": ended, "wrong": wrong, "notes": notes, "files": len(files), "result": result}


@contextlib.contextmanager
def _environment(name: str, value: str | None) -> Any:
    """The stand-in is told what to do by the environment; the threads start one after the other."""
    with _starting:
        if value is not None:
            os.environ[name] = value
        try:
            yield
        finally:
            os.environ.pop(name, None)


_starting = threading.Lock()


def _true(fault: Fault, result: dict[str, Any], lab: Lab) -> list[str]:
    """Whether what the result says was received is what the receiver's kernel counted."""
    rx = (result.get("counters") or {}).get("rx")
    received = lab.received()
    # What is dropped before the counter, or by it, the kernel has counted; a second run's frames are counted with the
    # first one's.
    if (
        not rx
        or received is None
        or lab.received_before is None
        or "dropped" in fault.name
        or "second run" in fault.name
    ):
        return []
    counted = received - lab.received_before
    wrong = [] if rx["packets"] == counted else [f"it says that {rx['packets']} were received, and {counted} were"]
    sent = result["stats"]["packets"]
    # The kernel tells what has left, frame by frame.
    if fault.module == "xdp_replay" and sent != counted:
        wrong.append(f"it says that {sent} were sent, and {counted} were received")
    return wrong


def _next_run_mends(fault: Fault, lab: Lab) -> list[str]:
    wrong = [] if lab.settings() != lab.before else ["the fault changed nothing that the next run could put right"]
    receiver = {"rx_interface": "b0", "rx_netns": lab.b}
    asked = {"pcaps": [str(lab.pcap)], "interface": "a0", "netns": lab.a, "pps": 5000, **receiver}
    workers = {"workers": 2} if fault.module == "xdp_replay" else {}
    lab.start({**asked, **workers}, fault.module)
    status, result = lab.result(60)
    if lab.left_tables():
        wrong.append(f"tables stay after the next run: {lab.left_tables()}")
    if status != 0 or "an earlier run was cut off" not in lab.warnings:
        wrong.append(f"the next run says: {json.dumps(result)[:1000]}")
    if lab.settings() != lab.before:
        wrong.append(f"after the next run its settings were {lab.before} and are {lab.settings()}")
    return wrong
