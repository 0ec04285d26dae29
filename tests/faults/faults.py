#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make faults on purpose in runs of tcpreplay, and say what came of each: faults.py [--runs N] [--jobs N] [--only WORD]
FOLDER

Each run is the module's, started by Ansible, on a link between two namespaces of its own. Afterwards everything is
looked at: processes, the interface's settings, nftables, files, the lock, and whether the result is true to what the
interfaces counted. FOLDER gets a Markdown table (faults.md) and all of it (faults.json).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import FRAMES, MARK, NOTES, SIZE, Lab, parent, processes, run
from look import Fault, once

STAND_IN = str(Path(__file__).resolve().parents[1] / "fixtures/stand_in_tcpreplay.sh")
ENDLESS = {"loop": 0, "duration": 600, "pps": 2000, "timeout": 60}


def kill(who: Callable[[Lab], int | list[int]], *numbers: int) -> Callable[[Lab], None]:
    """The fault of a signal."""

    def make(lab: Lab) -> None:
        pids = who(lab)
        for number in numbers:
            for pid in pids if isinstance(pids, list) else [pids]:
                os.kill(pid, number)

    return make


def keepers_too(lab: Lab) -> list[int]:
    """The module and all that it has started, tcpreplay last: nothing is left that could put anything back."""
    module = lab.module()
    mark = f"{MARK}={lab.mark}".encode()
    ours = processes(
        lambda pid: (
            mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            and (int(pid) == module or parent(int(pid)) == module)
        )
    )
    return sorted(ours, key=lambda pid: (pid == lab.tcpreplay(), pid == module))


def ip(*words: str) -> Callable[[Lab], str]:
    """The fault of an ip command in the sender's namespace."""
    return lambda lab: run("ip", "-n", lab.a, *words)


def of_receiver(*words: str) -> Callable[[Lab], str]:
    """The fault of an ip command in the receiver's namespace."""
    return lambda lab: run("ip", "-n", lab.b, *words)


def nft(*words: str, stdin: str = "") -> Callable[[Lab], str]:
    """The fault of other rules at the receiver."""
    return lambda lab: run("ip", "netns", "exec", lab.b, "nft", *words, input=stdin)


def link_flaps(lab: Lab) -> None:
    """The other side goes down, and comes again."""
    of_receiver("link", "set", "b0", "down")(lab)
    time.sleep(1)
    of_receiver("link", "set", "b0", "up")(lab)


def replace_file(lab: Lab) -> None:
    """Another pcap in its place, with fewer frames in it: each pass opens the file again."""
    other = lab.pcap.with_suffix(".new")
    other.write_bytes(lab.pcap.read_bytes()[: 24 + 10 * (16 + SIZE)])
    other.rename(lab.pcap)


def write_to_file(lab: Lab) -> None:
    """The same frames with another last byte."""
    with lab.pcap.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"W")


def all_arrived(times: int) -> Callable[[dict[str, Any], Lab], bool]:
    """All frames were sent, and have arrived."""
    return lambda result, lab: (
        result["stats"]["packets"] == result["counters"]["rx"]["packets"] == times * FRAMES
        and result["counters"]["loss_packets"] == 0
    )


def loss_unknown(result: dict[str, Any], lab: Lab) -> bool:
    """What is not known is not told, and that is said."""
    return (
        result["counters"]["rx"] is result["counters"]["loss_packets"] is None
        and "What arrived is not known" in lab.warnings
    )


def lost_and_told(result: dict[str, Any], lab: Lab) -> bool:
    """What did not arrive is told, by either of the two counters."""
    counters, sent = result["counters"], result["stats"]["packets"]
    return (
        sent - counters["rx"]["packets"] > 300
        and (counters["loss_packets"] or 0) + sent - counters["tx"]["packets"] > 300
    )


def spoil(lab: Lab) -> None:
    """What somebody may do to the interface meanwhile, or a driver that is reset."""
    run("ip", "netns", "exec", lab.a, "ethtool", "-K", "a0", "tso", "off", "gso", "off", "tx", "off")
    run("ip", "-n", lab.a, "link", "set", "dev", "a0", "promisc", "on", "mtu", "1400")


def second_run(lab: Lab) -> None:
    """Another run on the interface, which is refused and names the first one."""
    other = Lab(0, lab.home / "second")
    other.mark, other.home = lab.mark + "-second", lab.home / "second"
    other.home.mkdir()
    holder = lab.tcpreplay()
    other.start({"pcaps": [str(lab.pcap)], "interface": "a0", "netns": lab.a, "pps": 1000})
    status, said = other.result(30)
    assert status, said
    assert (
        "another run is sending on it" in said["msg"]
        and f"process {holder} (tcpreplay) of root since 20" in said["msg"]
    ), said
    shutil.rmtree(other.home)
    os.kill(holder, signal.SIGINT)


def waiting_run(lab: Lab) -> None:
    """Another run that waits for the end of the first."""
    other = Lab(0, lab.home / "second")
    other.mark, other.home = lab.mark + "-second", lab.home / "second"
    other.home.mkdir()
    holder = lab.tcpreplay()
    other.start({"pcaps": [str(lab.pcap)], "interface": "a0", "netns": lab.a, "pps": 5000, "lock_timeout": 20})
    threading.Timer(3.0, os.kill, (holder, signal.SIGINT)).start()
    status, said = other.result(30)
    assert status == 0 and said["stats"]["packets"] == FRAMES, said
    shutil.rmtree(other.home)


def by_user(result: dict[str, Any], lab: Lab) -> bool:
    """An interrupted run that tells what was sent."""
    return (
        result["run"]["ended_by"] == "user"
        and result["stats"]["packets"] > 0
        and result["counters"]["verdict"] == "consistent"
    )


def says(*words: str) -> Callable[[dict[str, Any], Lab], bool]:
    """A failure that says this."""
    return lambda result, lab: bool(result.get("failed", True)) and all(word in result.get("msg", "") for word in words)


def verdict(wanted: str, *words: str) -> Callable[[dict[str, Any], Lab], bool]:
    """A run that went well, and a verdict on it with its reason."""
    return lambda result, lab: (
        result["counters"]["verdict"] == wanted and all(word in result["counters"]["reason"] for word in words)
    )


def stand_in(name: str, behaviour: str, expect: Callable[[dict[str, Any], Lab], Any], **params: Any) -> Fault:
    """A program that behaves badly in tcpreplay's place, in a run that is to end after two seconds."""
    asked = {"executable": STAND_IN, "pps": 2000, "loop": 0, "duration": 600, "timeout": 2, "STAND_IN": behaviour}
    return Fault(name, params={**asked, **params}, expect=expect, receives=False, bound=30.0)


# 194 times the file is as much as the stand-in says it has sent.
CLAIM = {"loop": 194, "duration": None}
DROPPER = (
    'table netdev dropper { chain c { type filter hook ingress device "b0" priority -10; limit rate over 500/second'
    " drop; }; }"
)

FAULTS = [
    Fault("none", params={"pps": 1000}, expect=lambda result, lab: result["stats"]["packets"] == FRAMES, bound=30),
    Fault(
        "its time is over",
        params={**ENDLESS, "timeout": 2},
        expect=lambda result, lab: result["run"]["ended_by"] == "timeout",
    ),
    # Programs that do not behave
    stand_in("it ignores SIGINT", "deaf", says("did not react to SIGINT", "was killed")),
    stand_in("it spins, and ignores SIGINT", "spin", says("did not react to SIGINT", "was killed")),
    stand_in("it fills its output", "flood", lambda result, lab: result["run"]["ended_by"] == "timeout"),
    stand_in(
        "it leaves a child behind that holds its output",
        "fork",
        lambda result, lab: result["run"]["ended_by"] != "timeout",
    ),
    stand_in(
        "it leaves a child behind in another session",
        "daemon",
        lambda result, lab: result["run"]["ended_by"] != "timeout",
    ),
    stand_in("it crashes", "crash", says("ended by SIGSEGV")),
    stand_in("it prints noise", "noise", says("printed no statistics")),
    stand_in("it prints nothing and ends well", "nothing", says("printed no statistics")),
    stand_in("it claims more than the interface counted", "run", verdict("short", "veth tx_packets"), **CLAIM),
    # Ends
    Fault("SIGINT to tcpreplay", kill(Lab.tcpreplay, signal.SIGINT), ENDLESS, by_user),
    Fault("SIGTERM to tcpreplay", kill(Lab.tcpreplay, signal.SIGTERM), ENDLESS, says("ended by SIGTERM")),
    Fault("SIGKILL to tcpreplay", kill(Lab.tcpreplay, signal.SIGKILL), ENDLESS, says("ended by SIGKILL")),
    Fault(
        "SIGSTOP to tcpreplay",
        kill(Lab.tcpreplay, signal.SIGSTOP),
        {**ENDLESS, "timeout": 4},
        says("was killed"),
        bound=12,
    ),
    Fault("SIGTERM to the module", kill(Lab.module, signal.SIGTERM), ENDLESS, by_user),
    Fault("SIGHUP to the module", kill(Lab.module, signal.SIGHUP), ENDLESS, by_user),
    Fault("SIGINT to the module", kill(Lab.module, signal.SIGINT), ENDLESS, by_user),
    Fault("SIGKILL to the module", kill(Lab.module, signal.SIGKILL), ENDLESS, without_result=True),
    Fault(
        "SIGKILL to the module, offloads off",
        kill(Lab.module, signal.SIGKILL),
        {**ENDLESS, "offloads": "off"},
        without_result=True,
    ),
    Fault(
        "SIGKILL to all of a run's processes at once",
        kill(keepers_too, signal.SIGSTOP, signal.SIGKILL),
        {**ENDLESS, "offloads": "off"},
        without_result=True,
        next_run_mends=True,
    ),
    Fault("SIGKILL to Ansible", kill(Lab.ansibles, signal.SIGKILL), ENDLESS, without_result=True),
    Fault(
        "SIGKILL to Ansible's main process alone",
        kill(lambda lab: lab.ansibles()[0], signal.SIGKILL),
        ENDLESS,
        without_result=True,
        bound=5.0,
    ),
    Fault("SIGINT to Ansible", kill(lambda lab: lab.ansibles()[0], signal.SIGINT), ENDLESS, without_result=True),
    # What happens to the interface and around it meanwhile
    Fault("the interface is set down", ip("link", "set", "a0", "down"), ENDLESS, says("a0: it was set down"), bound=8),
    Fault(
        "the interface is deleted",
        ip("link", "delete", "a0"),
        ENDLESS,
        says("a0: it was gone from its namespace"),
        gone=True,
        bound=8,
    ),
    Fault(
        "the receiver is deleted",
        of_receiver("link", "delete", "b0"),
        ENDLESS,
        says("a0: it was gone"),
        gone=True,
        bound=8,
    ),
    Fault(
        "the link goes down for a second",
        link_flaps,
        {"pps": 1000, "loop": 4},
        verdict("unknown", "the link went down", "arrived"),
    ),
    Fault("its settings are changed by another", spoil, {"pps": 1000, "loop": 4}, all_arrived(4)),
    Fault("the receiver's rules are flushed", nft("flush", "ruleset"), {"pps": 1000, "loop": 4}, loss_unknown),
    Fault(
        "frames are dropped before the counter", nft("-f", "-", stdin=DROPPER), {"pps": 1000, "loop": 4}, lost_and_told
    ),
    Fault(
        "the file is removed while it is sent", lambda lab: lab.pcap.unlink(), {"pps": 1000, "loop": 4}, all_arrived(4)
    ),
    Fault(
        "the file is replaced while it is sent",
        replace_file,
        {"pps": 1000, "loop": 4, "preload": False},
        all_arrived(4),
    ),
    Fault(
        "the file is written to while it is sent",
        write_to_file,
        {"pps": 1000, "loop": 4},
        says("was written to after it was"),
    ),
    Fault(
        "faster than the line it is said to have",
        params={"topspeed": True, "loop": 100, "link_speed_mbps": 1},
        expect=verdict("impossible", "line of 1 Mbps"),
        bound=30,
    ),
    # Two at once
    Fault("a second run", second_run, ENDLESS, by_user, bound=8),
    Fault("a second run that waits", waiting_run, ENDLESS, by_user, bound=8),
]


def main() -> int:
    """Make them all, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--runs", type=int, default=1, help="of each fault")
    arguments.add_argument("--jobs", type=int, default=3, help="faults at once")
    arguments.add_argument("--only", default="", help="those whose name has this in it")
    arguments.add_argument("folder", type=Path)
    asked = arguments.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    labs: list[Lab] = []
    free = threading.local()

    def one(fault: Fault) -> dict[str, Any]:
        if not hasattr(free, "lab"):
            free.lab = Lab(len(labs) + 1, Path(work))
            labs.append(free.lab)
        try:
            return once(fault, free.lab)
        except Exception as error:
            return {"seconds": 0.0, "wrong": [repr(error)], "notes": [], "files": 0, "result": {}}

    # In turns, so that the same fault does not happen everywhere at once.
    todo = [fault for _turn in range(asked.runs) for fault in FAULTS if asked.only in fault.name]
    # Interrupted, it ends and leaves nothing. A shell starts what is to run in its background with SIGINT ignored, and
    # so would be Ansible.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_args: sys.exit(1))
    with tempfile.TemporaryDirectory() as work:
        pool = ThreadPoolExecutor(asked.jobs)
        try:
            outcomes = list(pool.map(one, todo))
        finally:
            for again in range(2):
                for lab in labs:
                    lab.remove()
                pool.shutdown(wait=not again, cancel_futures=True)
    rows = ["| fault | runs | ended after, s (most) | went wrong |", "|---|---|---|---|"]
    failed = False
    for name in dict.fromkeys(fault.name for fault in todo):
        mine = [outcome for fault, outcome in zip(todo, outcomes) if fault.name == name]
        seconds = [outcome["seconds"] for outcome in mine]
        wrong = [text for outcome in mine for text in outcome["wrong"]]
        failed = failed or bool(wrong)
        rows.append(
            f"| {name} | {len(mine)} | {statistics.median(seconds):.1f} ({max(seconds):.1f}) |"
            f" {'; '.join(wrong) or 'nothing'} |"
        )
    left = [str(path) for path in Path("/run").glob(NOTES)]
    rows.append(f"\nNotes left in /run: {', '.join(left) or 'none'}")
    (asked.folder / "faults.md").write_text("\n".join(rows) + "\n")
    (asked.folder / "faults.json").write_text(
        json.dumps([{"fault": fault.name, **outcome} for fault, outcome in zip(todo, outcomes)], indent=1)
    )
    print("\n".join(rows))
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
