# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of runs of tcpreplay."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actions import (
    ip,
    keepers_too,
    kill,
    link_flaps,
    nft,
    of_receiver,
    replace_file,
    second_run,
    spoil,
    waiting_run,
    write_to_file,
)
from expected import all_arrived, by_user, loss_unknown, lost_and_told, says, verdict
from lab import FRAMES, Lab
from look import Fault, sending

STAND_IN = str(Path(__file__).resolve().parents[1] / "fixtures/stand_in_tcpreplay.sh")
ENDLESS = {"loop": 0, "duration": 600, "pps": 2000, "timeout": 60}
TWO = {**ENDLESS, "workers": 2, "offloads": "off"}


def both(lab: Lab) -> list[int]:
    """The two tcpreplay of a run with two workers."""
    return lab.tcpreplays(2)


def one_of_two(lab: Lab) -> int:
    """The second of them."""
    return both(lab)[1]


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
        sending,
        {**ENDLESS, "timeout": 2},
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
    # Two workers
    Fault(
        "two workers: SIGSTOP to one",
        kill(one_of_two, signal.SIGSTOP),
        {**TWO, "timeout": 4},
        says("was killed"),
        bound=12,
    ),
    Fault("two workers: SIGKILL to one", kill(one_of_two, signal.SIGKILL), TWO, says("ended by SIGKILL")),
    Fault("two workers: SIGKILL to both", kill(both, signal.SIGKILL), TWO, says("ended by SIGKILL")),
    Fault("two workers: SIGINT to one", kill(one_of_two, signal.SIGINT), TWO, by_user),
    Fault(
        "two workers: SIGKILL to the module",
        kill(lambda lab: both(lab) and lab.module(), signal.SIGKILL),
        TWO,
        without_result=True,
    ),
    Fault(
        "two workers: SIGKILL to all of a run's processes at once",
        kill(lambda lab: both(lab) and keepers_too(lab), signal.SIGSTOP, signal.SIGKILL),
        TWO,
        without_result=True,
        next_run_mends=True,
    ),
    Fault(
        "two workers: the interface is set down",
        ip("link", "set", "a0", "down"),
        TWO,
        says("a0: it was set down"),
        bound=8,
    ),
    Fault(
        "two workers: the interface is deleted",
        ip("link", "delete", "a0"),
        TWO,
        says("a0: it was gone"),
        gone=True,
        bound=8,
    ),
    # Two at once
    Fault("a second run", second_run, ENDLESS, by_user, bound=8),
    Fault("a second run that waits", waiting_run, ENDLESS, by_user, bound=8),
]
