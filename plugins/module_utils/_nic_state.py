# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run through netmap changes of an interface, promiscuous mode, offloads, qdisc: recorded before it, put back after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import find_executable, run

# What tcpreplay turns off (src/common/netmap.c), by the names of `ethtool -k`.
_TURNED_OFF = re.compile("rx-checksumming|tx-checksum.*|tcp-segmentation-offload|tx-tcp.*|generic-segmentation-offload")
# `ethtool -K` takes the kernel's names of features, but words of its own for these, which `ethtool -k` lists by another name.
_WORDS = {
    "rx-checksumming": "rx",
    "tx-checksumming": "tx",
    "scatter-gather": "sg",
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
    "large-receive-offload": "lro",
    "rx-vlan-offload": "rxvlan",
    "tx-vlan-offload": "txvlan",
    "ntuple-filters": "ntuple",
    "receive-hashing": "rxhash",
}


@dataclass(frozen=True)
class NicState:
    """Promiscuous mode as set by ``ip link`` or the like, the kind of the root qdisc, and what is wanted of each feature not fixed."""

    promiscuous: bool
    qdisc: str
    wanted: Mapping[str, bool]


def parse_features(output: str) -> dict[str, bool]:
    """``ethtool -k``: what is wanted of each feature that is neither fixed nor only the sum of the ones indented below it.

    ``off [requested on]``: it is wanted, and off as long as another one that it needs is off.
    """
    wanted: dict[str, bool] = {}
    sum_of_others = ""
    for line in output.splitlines():
        found = re.fullmatch(r"(\s*)([\w-]+): (on|off)(?: \[(fixed|requested on|requested off)\])?\s*", line)
        if not found:
            continue
        indent, name, value, note = found.groups()
        if indent and sum_of_others:
            wanted.pop(sum_of_others, None)
        elif not indent:
            sum_of_others = name
        if note != "fixed":
            wanted[name] = {"requested on": True, "requested off": False}.get(note or "", value == "on")
    return wanted


def to_change(now: Mapping[str, bool], before: Mapping[str, bool]) -> list[str]:
    """The words for ``ethtool -K IF`` that make ``now`` what it was before."""
    return [
        word
        for name, value in before.items()
        if name in now and now[name] != value
        for word in (_WORDS.get(name, name), "on" if value else "off")
    ]


def read(interface: str, netns: str | None) -> NicState:
    """What an interface is set to now."""
    link = _link(interface, netns)
    return NicState("PROMISC" in link.get("flags", []), link.get("qdisc", ""), _features(interface, netns))


def turn_offloads_off(now: NicState, interface: str, netns: str | None) -> None:
    """Turn off what tcpreplay will turn off. Some drivers reset the port for that, which is better done before the link is waited for."""
    words = to_change(now.wanted, {name: False for name in now.wanted if _TURNED_OFF.fullmatch(name)})
    if words:
        _run(["ethtool", "-K", interface, *words], interface, netns)


def put_back(before: NicState, interface: str, netns: str | None) -> list[str]:
    """Make an interface what it was before; what of it could not be, a sentence each."""
    steps = (_put_features_back, _put_promiscuous_back, _put_qdisc_back)
    return [complaint for step in steps if (complaint := _complaint(step, before, interface, netns))]


def _complaint(step: Callable[[NicState, str, str | None], None], before: NicState, interface: str, netns: str | None) -> str:
    try:
        step(before, interface, netns)
    except TrafficgenError as error:
        return error.message
    return ""


def _put_features_back(before: NicState, interface: str, netns: str | None) -> None:
    words = to_change(_features(interface, netns), before.wanted)
    if not words:
        return
    _run(["ethtool", "-K", interface, *words], interface, netns)
    left = to_change(_features(interface, netns), before.wanted)
    if left:
        raise TrafficgenError(
            "its offloads are not all as they were before the run", on=interface, remedy=f"Try `ethtool -K {interface} {' '.join(left)}`."
        )


def _put_promiscuous_back(before: NicState, interface: str, netns: str | None) -> None:
    if ("PROMISC" in _link(interface, netns).get("flags", [])) != before.promiscuous:
        _run(["ip", "link", "set", "dev", interface, "promisc", "on" if before.promiscuous else "off"], interface, netns)


def _put_qdisc_back(before: NicState, interface: str, netns: str | None) -> None:
    """netmap's emulated mode puts a qdisc of its own in, and leaves a pfifo behind, whatever was there. What the kernel sets up by
    itself for this interface comes back when that goes."""
    if _link(interface, netns).get("qdisc", "") == before.qdisc:
        return
    find_executable("tc", "Install iproute2 (iproute-tc on EL), so that the qdisc can be put back.")
    _run(["tc", "qdisc", "delete", "dev", interface, "root"], interface, netns)
    now = _link(interface, netns).get("qdisc", "")
    if now != before.qdisc:
        raise TrafficgenError(
            f"netmap replaced its root qdisc {before.qdisc}, and now it is {now}", on=interface, remedy="Set it up again with `tc`."
        )


def _link(interface: str, netns: str | None) -> dict[str, Any]:
    done = _run(["ip", "-j", "link", "show", "dev", interface], interface, netns)
    return next((entry for entry in json.loads(done or "[]") if "ifname" in entry), {})


def _features(interface: str, netns: str | None) -> dict[str, bool]:
    return parse_features(_run(["ethtool", "-k", interface], interface, netns))


def _run(argv: list[str], interface: str, netns: str | None) -> str:
    done = run(argv, netns=netns)
    if done.status != 0:
        raise TrafficgenError(f"`{' '.join(argv)}` failed", on=interface, said=done.stderr)
    return done.stdout
