# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of runs of xdp_replay by two workers. Faults that concern no engine are among those of tcpreplay."""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from actions import ip, keepers_too, kill, link_flaps, of_receiver, second_run
from expected import all_arrived, by_user, dropped, refused, says
from lab import Lab
from look import Fault

KERNEL = (sys.executable, str(Path(__file__).with_name("kernel.py")))
ENDLESS = {"workers": 2, "loop": 0, "duration": 600, "pps": 2000, "timeout": 60}
CHANGED = {**ENDLESS, "offloads": "off"}
SOME = {"workers": 2, "pps": 1000, "loop": 2}

fault = functools.partial(Fault, module="xdp_replay")


def held(*what: str) -> Callable[[Lab], contextlib.AbstractContextManager[None]]:
    """A part of the interface that another process holds."""

    @contextlib.contextmanager
    def hold(lab: Lab) -> Iterator[None]:
        command = ["ip", "netns", "exec", lab.a, *KERNEL, *what]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            try:
                assert holder.stdout and holder.stdout.readline() == "held\n"
                yield
            finally:
                holder.kill()

    return hold


def without(capability: str) -> tuple[str, ...]:
    """The program under which nobody has it."""
    return ("setpriv", "--inh-caps", f"-{capability}", "--bounding-set", f"-{capability}")


XDP_FAULTS = [
    # Ends
    fault(
        "AF_XDP: SIGSTOP to a worker",
        kill(lambda lab: lab.senders()[0], signal.SIGSTOP),
        {**CHANGED, "timeout": 3},
        says("a worker did not end", "was killed"),
        bound=16,
    ),
    fault(
        "AF_XDP: SIGKILL to a worker",
        kill(lambda lab: lab.senders()[0], signal.SIGKILL),
        CHANGED,
        says("a0: worker", "was killed by SIGKILL"),
    ),
    fault("AF_XDP: SIGKILL to all workers", kill(Lab.senders, signal.SIGKILL), CHANGED, says("was killed by SIGKILL")),
    fault("AF_XDP: SIGTERM to the module", kill(Lab.module, signal.SIGTERM), CHANGED, by_user),
    fault("AF_XDP: SIGKILL to the module", kill(Lab.module, signal.SIGKILL), CHANGED, without_result=True),
    fault(
        "AF_XDP: SIGKILL to all of a run's processes at once",
        kill(keepers_too, signal.SIGSTOP, signal.SIGKILL),
        CHANGED,
        without_result=True,
        next_run_mends=True,
    ),
    fault("AF_XDP: SIGKILL to Ansible", kill(Lab.ansibles, signal.SIGKILL), CHANGED, without_result=True),
    fault(
        "AF_XDP: SIGKILL to Ansible's main process alone",
        kill(lambda lab: lab.ansibles()[0], signal.SIGKILL),
        CHANGED,
        without_result=True,
        bound=5.0,
    ),
    # What happens to the interface and around it meanwhile
    fault("AF_XDP: the interface is set down", ip("link", "set", "a0", "down"), CHANGED, says("a0: ", "set down")),
    fault("AF_XDP: the interface is deleted", ip("link", "delete", "a0"), ENDLESS, says("a0: ", "gone"), gone=True),
    fault(
        "AF_XDP: the receiver is deleted", of_receiver("link", "delete", "b0"), ENDLESS, says("a0: ", "gone"), gone=True
    ),
    fault(
        "AF_XDP: the link goes down for a second",
        link_flaps,
        {**SOME, "loop": 4},
        dropped,
    ),
    fault(
        "AF_XDP: the MTU becomes too small on the other side",
        of_receiver("link", "set", "b0", "mtu", "1000"),
        {**SOME, "loop": 4},
        dropped,
        size=1514,
    ),
    # What it needs
    fault(
        "AF_XDP: an MTU that is too small",
        params=SOME,
        expect=refused("a0: its MTU is 1500, too small for a frame of 1515 bytes"),
        size=1515,
    ),
    fault(
        "AF_XDP: another socket has a queue",
        params=CHANGED,
        around=held("queue", "1"),
        expect=refused("a0: its queue 1 could not be used", "busy", "`ss --xdp -p`"),
    ),
    fault("AF_XDP: another program has its XDP slot", params=SOME, around=held("program"), expect=all_arrived(2)),
    fault(
        "AF_XDP: a kernel without it",
        params=CHANGED,
        under=(*KERNEL, "without"),
        expect=refused("has no AF_XDP (CONFIG_XDP_SOCKETS)"),
    ),
    fault(
        "AF_XDP: no CAP_NET_RAW",
        params=CHANGED,
        under=without("net_raw"),
        expect=refused("Operation not permitted", "become: true"),
    ),
    fault(
        "AF_XDP: too little locked memory",
        params=CHANGED,
        under=("prlimit", "--memlock=65536", *without("ipc_lock")),
        expect=refused("MB for frames could not be reserved", "Raise the limit of locked memory"),
    ),
    fault("AF_XDP: a second run, of tcpreplay", second_run, ENDLESS, by_user),
]
