# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a run."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lab import FRAMES, MARK, SIZE, Lab, parent, processes, run


def kill(who: Callable[[Lab], int | list[int]], *numbers: int) -> Callable[[Lab], None]:
    """The fault of a signal."""

    def make(lab: Lab) -> None:
        pids = who(lab)
        for number in numbers:
            for pid in pids if isinstance(pids, list) else [pids]:
                os.kill(pid, number)

    return make


def keepers_too(lab: Lab) -> list[int]:
    """The module and everything it started, the sender last. Nothing is left that could restore anything."""
    module, senders = lab.module(), lab.senders()
    mark = f"{MARK}={lab.mark}".encode()
    ours = processes(
        lambda pid: (
            mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            and (int(pid) == module or parent(int(pid)) == module)
        )
    )
    return sorted(ours, key=lambda pid: (pid in senders, pid == module))


def ip(*words: str) -> Callable[[Lab], str]:
    """The fault of an ip command in the sender's namespace."""
    return lambda lab: run("ip", "-n", lab.a, *words)


def of_receiver(*words: str) -> Callable[[Lab], str]:
    """The fault of an ip command in the receiver's namespace."""
    return lambda lab: run("ip", "-n", lab.b, *words)


def nft(*words: str, stdin: str = "") -> Callable[[Lab], str]:
    """The fault of changed nftables rules at the receiver."""
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


def spoil(lab: Lab) -> None:
    """What somebody, or a driver's reset, may do to the interface during the run."""
    run("ip", "netns", "exec", lab.a, "ethtool", "-K", "a0", "tso", "off", "gso", "off", "tx", "off")
    run("ip", "-n", lab.a, "link", "set", "dev", "a0", "promisc", "on", "mtu", "1400")


def second_run(lab: Lab) -> None:
    """Another run on the interface, which is refused and names the first one."""
    other = Lab(0, lab.home / "second")
    other.mark, other.home = lab.mark + "-second", lab.home / "second"
    other.home.mkdir()
    module, senders = lab.module(), lab.senders()
    # Workers are copies of the module, of which only the first is named.
    holder = module if lab.sender == "xdp_replay" else senders[0]
    name = Path(f"/proc/{holder}/comm").read_text().strip()
    other.start({"pcaps": [str(lab.pcap)], "interface": "a0", "netns": lab.a, "pps": 1000})
    status, said = other.result(30)
    assert status, said
    assert (
        "another run is sending on it" in said["msg"] and f"process {holder} ({name}) of root since 20" in said["msg"]
    ), said
    shutil.rmtree(other.home)
    os.kill(module, signal.SIGINT)


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
