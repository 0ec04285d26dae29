# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked to do, whichever engine sends: the parameters that all have, and their checks. Pure."""

from __future__ import annotations

import keyword
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import check_receive_wait
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import (
    LONGEST,
    Interface,
    check_interface,
    check_netns,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RATE_FORMS, positive
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.split import SPLITS

# Of offloads and flow control; auto: off through netmap, which resets the port anyway.
SETTINGS = ("auto", "off", "keep")
# The parameters that mean the same in every module that replays. Of the fact's name the default differs, and of the
# duration the type.
ARGUMENTS: dict[str, Any] = {
    "pcaps": {"type": "list", "elements": "path", "required": True},
    "interface": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "rx_interface": {"type": "str"},
    "rx_netns": {"type": "str"},
    "mbps": {"type": "float"},
    "l2_mbps": {"type": "float"},
    "l1_mbps": {"type": "float"},
    "pps": {"type": "float"},
    "line_rate_percent": {"type": "float"},
    "multiplier": {"type": "float"},
    "topspeed": {"type": "bool"},
    "strict_rate": {"type": "bool", "default": False},
    "loop": {"type": "int", "default": 1},
    "limit": {"type": "int"},
    "link_speed_mbps": {"type": "int"},
    "split": {"type": "str", "default": "frame", "choices": list(SPLITS)},
    "cpu_list": {"type": "str"},
    "count_arrivals": {"type": "bool", "default": False},
    "receive_wait": {"type": "float", "default": 2.0},
    "settle": {"type": "float", "default": 5.0},
    "start_at": {"type": "float"},
    "timeout": {"type": "int"},
    "lock_timeout": {"type": "int", "default": 0},
    "offloads": {"type": "str", "default": "auto", "choices": list(SETTINGS)},
    "flow_control": {"type": "str", "default": "auto", "choices": list(SETTINGS)},
    "tx_ring_size": {"type": "int"},
    "rx_ring_size": {"type": "int"},
    "allow_management_interface": {"type": "bool", "default": False},
}
_LOWEST = {
    **dict.fromkeys(("loop", "lock_timeout"), 0),
    **dict.fromkeys(("limit", "link_speed_mbps", "timeout", "tx_ring_size", "rx_ring_size"), 1),
}


@dataclass(frozen=True)
class Request:
    """One run, as the parameters ask for it, all of them checked as far as they can be without looking at the host."""

    pcaps: tuple[str, ...]
    sender: Interface
    receiver: Interface | None
    rate_form: str | None
    rate: float | None
    strict_rate: bool
    loop: int
    duration: float | None
    limit: int | None
    count_arrivals: bool
    receive_wait: float
    settle: float
    link_speed_mbps: int | None
    split: str
    cpus: frozenset[int] | None
    start_at: float | None
    timeout: int | None
    lock_timeout: int
    offloads: str
    flow_control: str
    tx_ring_size: int | None
    rx_ring_size: int | None
    allow_management_interface: bool
    fact_name: str

    @property
    def edited_by(self) -> list[str]:
        """The options by which the frames that are sent differ from those in the pcaps."""
        return []

    @property
    def selects(self) -> bool:
        """Not all frames of the pcaps are sent, and nobody knows how many are."""
        return False

    @property
    def skips(self) -> bool:
        """It may end by itself before it has sent all."""
        return False

    @property
    def loop_delay(self) -> float:
        """Seconds between two passes."""
        return 0.0

    @property
    def cuts_pauses(self) -> bool:
        """The recorded times are not kept to."""
        return False


def parse_cpus(text: str, online: frozenset[int]) -> frozenset[int]:
    """A list like ``2-3,5`` (the kernel's and taskset's form) as a set.

    :param online: the CPUs the host has; empty where they are not to be checked.
    """
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", part)
        if not found or (found[2] and int(found[2]) < int(found[1])):
            raise TrafficgenError("not a list of CPUs", on=f"cpu_list {text!r}", remedy="Write it as in 2 or 2-3,5.")
        ranges.append((int(found[1]), int(found[2] or found[1])))
    cpus: set[int] = set()
    end = -1
    for first, last in sorted(ranges):  # in order, so that each number is added once, however often it is named
        cpus.update(range(max(first, end + 1), last + 1))
        end = max(end, last)
    missing = sorted(cpus - online)
    if online and missing:
        raise TrafficgenError(
            f"this host has no CPU {missing[0]}",
            on=f"cpu_list {text!r}",
            remedy=f"Its CPUs are {min(online)} to {max(online)}.",
        )
    return frozenset(cpus)


def check_lowest(params: Mapping[str, Any], lowest: Mapping[str, int]) -> None:
    """Refuse a number below the least that its parameter may have."""
    for name, least in lowest.items():
        if params[name] is not None and params[name] < least:
            raise TrafficgenError(f"must be {least} at least", on=f"{name} {params[name]}")


def parse_shared(params: Mapping[str, Any], online: frozenset[int] = frozenset()) -> dict[str, Any]:
    """Check the parameters that all modules have, each on its own and one against the other.

    :param online: the host's CPUs.
    :returns: the fields of a :class:`Request`.
    :raises TrafficgenError: naming the parameter.
    """
    forms = [form for form in RATE_FORMS if params[form] is not None and params[form] is not False]
    if len(forms) > 1:
        raise TrafficgenError("only one rate can be set", on=" and ".join(forms), remedy="Set only one of them.")
    form = forms[0] if forms else None
    rate = None if form is None else positive(params[form], form) if form != "topspeed" else 1.0
    if not params["pcaps"]:
        raise TrafficgenError("names no file", on="pcaps", remedy="Name at least one pcap.")
    check_lowest(params, _LOWEST)
    if params["loop"] == 0 and params["duration"] is None and params["limit"] is None:
        raise TrafficgenError("would never end", on="loop 0", remedy="Set duration or limit as well.")
    if params["rx_netns"] is not None and params["rx_interface"] is None:
        raise TrafficgenError("needs rx_interface", on="rx_netns", remedy="Set rx_interface as well.")
    check_receive_wait(params["receive_wait"])
    check_receive_wait(params["settle"], "settle")
    if params["start_at"] is not None and not math.isfinite(params["start_at"]):
        raise TrafficgenError("not a time", on=f"start_at {params['start_at']}", remedy="Give seconds since the epoch.")
    fact, rx_interface, cpus = params["fact_name"], params["rx_interface"], params["cpu_list"]
    if not fact.isidentifier() or keyword.iskeyword(fact) or not fact.isascii():
        raise TrafficgenError("not a name of a variable", on=f"fact_name {fact!r}", remedy="Use letters, digits and _.")
    given = {one.name: params[one.name] for one in fields(Request) if one.name in params}
    return {
        **given,
        # Absolute, so that none begins with a dash; "-" alone would be the standard input.
        "pcaps": tuple(os.path.abspath(path) for path in params["pcaps"]),
        "sender": Interface(
            check_interface(params["interface"], "interface", LONGEST), check_netns(params["netns"], "netns")
        ),
        "receiver": None
        if rx_interface is None
        else Interface(
            check_interface(rx_interface, "rx_interface", LONGEST), check_netns(params["rx_netns"], "rx_netns")
        ),
        "rate_form": form,
        "rate": rate,
        "cpus": None if cpus is None else parse_cpus(cpus, online),
    }
