# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of tcpreplay is asked to do: its own parameters checked, and its command line. Pure.

The effect of each option was read in upstream's sources at v4.4.2 to v4.5.5 (src/tcpreplay_opts.def,
src/tcpreplay_api.c, src/send_packets.c).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import RatePlan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import (
    Request,
    check_lowest,
    parse_shared,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.options import ExtraArgs, check_extra_args

INJECTION_METHODS = ("auto", "pf_packet", "netmap", "af_xdp")
MAX_FILES = 1024  # src/defines.h
MAX_WORKERS = 256
_LOWEST = {"stats_interval": 0, "netmap_delay": 0, "duration": 1, "workers": 1}
_OWN = ("injection_method", "preload", "flow_stats", "unique_ip", "stats_interval", "netmap_delay", "hold", "workers")


@dataclass(frozen=True)
class TcpreplayRequest(Request):
    """One run of tcpreplay, as the parameters ask for it."""

    injection_method: str
    preload: bool
    flow_stats: bool
    unique_ip: bool
    stats_interval: int
    netmap_delay: int | None
    hold: bool
    workers: int
    executable: str
    extra: ExtraArgs

    @property
    def edited_by(self) -> list[str]:
        """The options that make the sent frames differ from the pcaps'."""
        return [*self.extra.editing, *(["unique-ip"] if self.unique_ip else [])]

    @property
    def selects(self) -> bool:
        """The options choose among the frames of the pcaps."""
        return self.extra.selects

    @property
    def skips(self) -> bool:
        """It may end by itself before it has sent all."""
        return self.unique_ip

    @property
    def loop_delay(self) -> float:
        """Seconds between two passes."""
        return self.extra.loop_delay

    @property
    def cuts_pauses(self) -> bool:
        """The recorded times are not kept to."""
        return "maxsleep" in self.extra.options


def check_not_netmaps(name: str) -> None:
    """Refuse names that tcpreplay would take for another injection method (``netmap:IF``, ``valeN:P``) or a character
    device (a path)."""
    if re.match(r"netmap:|vale[^\s:]*:", name):
        raise TrafficgenError(
            "not a name of an interface",
            on=f"interface {name!r}",
            remedy="Give the interface's own name, and injection_method: netmap.",
        )


def parse_request(params: Mapping[str, Any], online: frozenset[int] = frozenset()) -> TcpreplayRequest:
    """Check the module's parameters, each alone and against each other.

    :param online: the host's CPUs.
    :raises TrafficgenError: naming the parameter.
    """
    check_not_netmaps(params["interface"])
    if params["injection_method"] == "netmap" and (mark := re.search(r"[-!*^{}]", params["interface"])):
        raise TrafficgenError(
            f"tcpreplay takes {mark[0]} and what follows in a name for a ring of netmap",
            on=f"interface {params['interface']}",
            remedy="Rename it (`ip link set NAME name NEW`), or use another injection_method.",
        )
    shared = parse_shared(params, online)
    if len(params["pcaps"]) > MAX_FILES:
        raise TrafficgenError(
            f"names {len(params['pcaps'])} files, and tcpreplay takes {MAX_FILES}",
            on="pcaps",
            remedy="Merge them (`mergecap -F pcap -w OUT IN...`).",
        )
    check_lowest(params, _LOWEST)
    if params["unique_ip"] and params["loop"] == 1:
        raise TrafficgenError(
            "changes the addresses between passes", on="unique_ip", remedy="Set loop to 2 or more, or to 0."
        )
    extra = check_extra_args(params["extra_args"])
    if params["workers"] > 1:
        _check_workers(params, shared["rate_form"], extra)
    if extra.rewriting_sources and params["rx_interface"] is not None:
        raise TrafficgenError(
            f"--{extra.rewriting_sources[0]} rewrites the source MAC addresses by which rx_interface counts",
            on="extra_args",
            remedy="Rewrite the pcap first (`tcprewrite`) and send that, or leave rx_interface out.",
        )
    executable = params["executable"] or "tcpreplay"
    return TcpreplayRequest(
        **shared,
        **{name: params[name] for name in _OWN},
        executable=os.path.abspath(executable) if "/" in executable else executable,
        extra=extra,
    )


def _check_workers(params: Mapping[str, Any], rate_form: str | None, extra: ExtraArgs) -> None:
    """Refuse what several tcpreplay cannot send as one stream."""
    number, method = params["workers"], params["injection_method"]
    if number > MAX_WORKERS:
        raise TrafficgenError(f"must be {MAX_WORKERS} at most", on=f"workers {number}", remedy="Give one for each CPU.")
    what, remedy = "", ""
    if rate_form in (None, "multiplier"):
        what = "several tcpreplay cannot share the recorded speed"
        remedy = "Set a rate or topspeed, set workers: 1, or use the module xdp_replay with split: flow."
    elif method == "netmap" and not params["hold"]:
        what = "several tcpreplay cannot take the port and give it back each on its own"
        remedy = "Set hold: true, its default, or workers: 1."
    elif method == "af_xdp":
        what = "several tcpreplay cannot send through AF_XDP: each would use the same queue"
        remedy = "Use the module xdp_replay, or set injection_method: pf_packet."
    elif extra.selects:
        what = "--include and --exclude in extra_args count the frames of the whole pcap, but each has only a part"
        remedy = "Leave the frames out of the pcap (`editcap`, Wireshark), or set workers: 1."
    if what:
        raise TrafficgenError(what, on=f"workers {number}", remedy=remedy)


def build_argv(
    request: TcpreplayRequest, plan: RatePlan, executable: str, netmap_delay: int, ring: int | None = None
) -> list[str]:
    """tcpreplay's command line.

    :param plan: how to ask for the rate.
    :param ring: of netmap, to send on; None for the first.
    """
    netmap, stats = request.injection_method == "netmap", request.stats_interval
    name = request.sender.name if ring is None else f"netmap:{request.sender.name}-{ring}"
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
    first = [executable, f"--intf1={name}", *plan.argv, f"--loop={request.loop}"]
    return [*first, *(option for option, wanted in options if wanted), *request.extra.argv, *request.pcaps]


def options_used(argv: Sequence[str]) -> list[str]:
    """The long names of the options in a command line of :func:`build_argv`."""
    return [word[2:].partition("=")[0] for word in argv if word.startswith("--")]
