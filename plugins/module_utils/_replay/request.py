# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked to do: the module's parameters checked, the command line of tcpreplay, how long it should take.
Pure.

What tcpreplay does with an option was read in upstream's sources at v4.4.2 to v4.5.5 (src/tcpreplay_opts.def,
src/tcpreplay_api.c, src/send_packets.c).
"""

from __future__ import annotations

import keyword
import math
import os
import re
from collections.abc import Mapping, Sequence
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
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    RATE_FORMS,
    RatePlan,
    positive,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.options import (
    ExtraArgs,
    check_extra_args,
)

INJECTION_METHODS = ("auto", "pf_packet", "netmap", "af_xdp")
# Of offloads and flow control; auto: off through netmap, which resets the port anyway.
SETTINGS = ("auto", "off", "keep")
MAX_FILES = 1024  # src/defines.h
_LOWEST = {
    **dict.fromkeys(("loop", "stats_interval", "netmap_delay", "lock_timeout"), 0),
    **dict.fromkeys(("duration", "limit", "link_speed_mbps", "timeout", "tx_ring_size", "rx_ring_size"), 1),
}


@dataclass(frozen=True)
class Request:
    """One run, as the parameters ask for it, all of them checked as far as they can be without looking at the host."""

    pcaps: tuple[str, ...]
    sender: Interface
    receiver: Interface | None
    injection_method: str
    rate_form: str | None
    rate: float | None
    strict_rate: bool
    loop: int
    duration: int | None
    limit: int | None
    preload: bool
    flow_stats: bool
    unique_ip: bool
    stats_interval: int
    netmap_delay: int | None
    hold: bool
    receive_wait: float
    settle: float
    link_speed_mbps: int | None
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
    executable: str
    extra: ExtraArgs

    @property
    def edited_by(self) -> list[str]:
        """The options by which the frames that are sent differ from those in the pcaps."""
        return [*self.extra.editing, *(["unique-ip"] if self.unique_ip else [])]


def check_sender(name: str) -> str:
    """tcpreplay takes ``netmap:IF`` and ``valeN:P`` for another injection method, and a path for a character device."""
    if re.match(r"netmap:|vale[^\s:]*:", name):
        raise TrafficgenError(
            "not a name of an interface",
            on=f"interface {name!r}",
            remedy="Give the interface's own name, and injection_method: netmap.",
        )
    return check_interface(name, "interface", LONGEST)


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


def parse_request(params: Mapping[str, Any], online: frozenset[int] = frozenset()) -> Request:
    """Check the module's parameters, each on its own and one against the other.

    :param online: the host's CPUs.
    :raises TrafficgenError: naming the parameter.
    """
    forms = [form for form in RATE_FORMS if params[form] is not None and params[form] is not False]
    if len(forms) > 1:
        raise TrafficgenError("only one rate can be asked for", on=" and ".join(forms), remedy="Leave all but one out.")
    form = forms[0] if forms else None
    rate = None if form is None else positive(params[form], form) if form != "topspeed" else 1.0
    if not params["pcaps"]:
        raise TrafficgenError("names no file", on="pcaps", remedy="Give one pcap at least.")
    if len(params["pcaps"]) > MAX_FILES:
        raise TrafficgenError(
            f"names {len(params['pcaps'])} files, and tcpreplay takes {MAX_FILES}",
            on="pcaps",
            remedy="Merge them (`mergecap -F pcap -w OUT IN...`).",
        )
    for name, least in _LOWEST.items():
        if params[name] is not None and params[name] < least:
            raise TrafficgenError(f"must be {least} at least", on=f"{name} {params[name]}")
    if params["loop"] == 0 and params["duration"] is None and params["limit"] is None:
        raise TrafficgenError("would never end", on="loop 0", remedy="Give duration or limit as well.")
    if params["unique_ip"] and params["loop"] == 1:
        raise TrafficgenError(
            "changes the addresses from one pass to the next", on="unique_ip", remedy="It needs loop: 2 or more, or 0."
        )
    if params["rx_netns"] is not None and params["rx_interface"] is None:
        raise TrafficgenError("needs rx_interface", on="rx_netns", remedy="Name the receiving interface as well.")
    check_receive_wait(params["receive_wait"])
    check_receive_wait(params["settle"], "settle")
    extra = check_extra_args(params["extra_args"])
    if extra.rewriting_sources and params["rx_interface"] is not None:
        raise TrafficgenError(
            f"--{extra.rewriting_sources[0]} rewrites the source MAC addresses by which rx_interface counts",
            on="extra_args",
            remedy="Rewrite the pcap before (`tcprewrite`) and send that, or leave rx_interface out.",
        )
    if params["start_at"] is not None and not math.isfinite(params["start_at"]):
        raise TrafficgenError("not a time", on=f"start_at {params['start_at']}", remedy="Give seconds since the epoch.")
    fact, executable = params["fact_name"], params["executable"] or "tcpreplay"
    if not fact.isidentifier() or keyword.iskeyword(fact) or not fact.isascii():
        raise TrafficgenError("not a name of a variable", on=f"fact_name {fact!r}", remedy="Use letters, digits and _.")
    rx_interface, cpus = params["rx_interface"], params["cpu_list"]
    given = {one.name: params[one.name] for one in fields(Request) if one.name in params}
    checked = {
        # Absolute, so that none begins with a dash; "-" alone would be the standard input.
        "pcaps": tuple(os.path.abspath(path) for path in params["pcaps"]),
        "sender": Interface(check_sender(params["interface"]), check_netns(params["netns"], "netns")),
        "receiver": None
        if rx_interface is None
        else Interface(
            check_interface(rx_interface, "rx_interface", LONGEST), check_netns(params["rx_netns"], "rx_netns")
        ),
        "executable": os.path.abspath(executable) if "/" in executable else executable,
    }
    return Request(
        **{**given, **checked},
        rate_form=form,
        rate=rate,
        cpus=None if cpus is None else parse_cpus(cpus, online),
        extra=extra,
    )


def build_argv(request: Request, plan: RatePlan, executable: str, netmap_delay: int) -> list[str]:
    """tcpreplay's command line.

    :param plan: what the rate is asked for with.
    """
    netmap, stats = request.injection_method == "netmap", request.stats_interval
    options = (
        (f"--duration={request.duration}", request.duration is not None),
        (f"--limit={request.limit}", request.limit is not None),
        ("--preload-pcap", request.preload),
        ("--no-flow-stats", not request.flow_stats),
        ("--unique-ip", request.unique_ip),
        (f"--stats={stats}", stats),  # --stats=0 would print after every pass
        ("--netmap", netmap),
        (f"--nm-delay={netmap_delay}", netmap),
        ("--xdp", request.injection_method == "af_xdp"),
    )
    first = [executable, f"--intf1={request.sender.name}", *plan.argv, f"--loop={request.loop}"]
    return [*first, *(option for option, wanted in options if wanted), *request.extra.argv, *request.pcaps]


def options_used(argv: Sequence[str]) -> list[str]:
    """The long names of the options in a command line of :func:`build_argv`."""
    return [word[2:].partition("=")[0] for word in argv if word.startswith("--")]
