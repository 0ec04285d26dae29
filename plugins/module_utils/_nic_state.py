# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tcpreplay's netmap changes of an interface, promiscuous mode and offloads: recorded before a run, put back after it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import run

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
    """Promiscuous mode as set by ``ip link`` or the like, and each feature that can be changed as it is wanted."""

    promiscuous: bool
    wanted: Mapping[str, bool]


def parse_features(output: str) -> dict[str, bool]:
    """``ethtool -k``: what is wanted of each feature that is neither fixed nor only the sum of the ones indented below it.

    ``off [requested on]``: it is wanted, and off as long as another one that it needs is off.
    """
    wanted: dict[str, bool] = {}
    sum_of_others = ""
    for line in output.splitlines():
        found = re.fullmatch(r"(\s*)([\w-]+): (on|off)(?: \[(fixed|requested (?:on|off)|not requested)\])?\s*", line)
        if not found:
            continue
        indent, name, value, note = found.groups()
        if indent and sum_of_others:
            wanted.pop(sum_of_others, None)
        elif not indent:
            sum_of_others = name
        if note != "fixed":
            wanted[name] = {"requested on": True, "requested off": False, "not requested": False}.get(note or "", value == "on")
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
    done = _run(["ip", "-j", "link", "show", "dev", interface], interface, netns)
    flags: list[str] = next((entry.get("flags", []) for entry in json.loads(done or "[]") if "ifname" in entry), [])
    return NicState("PROMISC" in flags, parse_features(_run(["ethtool", "-k", interface], interface, netns)))


def turn_offloads_off(interface: str, netns: str | None) -> None:
    """Turn off what tcpreplay will turn off. Some drivers reset the port for that, which is better done before the link is waited for."""
    now = read(interface, netns).wanted
    words = to_change(now, {name: False for name in now if _TURNED_OFF.fullmatch(name)})
    if words:
        _run(["ethtool", "-K", interface, *words], interface, netns)


def put_back(before: NicState, interface: str, netns: str | None) -> None:
    """Make an interface what it was before.

    :raises TrafficgenError: where something of it stays otherwise.
    """
    words = to_change(read(interface, netns).wanted, before.wanted)
    if words:
        _run(["ethtool", "-K", interface, *words], interface, netns)
    now = read(interface, netns)
    if now.promiscuous != before.promiscuous:
        _run(["ip", "link", "set", "dev", interface, "promisc", "on" if before.promiscuous else "off"], interface, netns)
    left = to_change(now.wanted, before.wanted)
    if left:
        raise TrafficgenError(
            "its offloads are not all as they were before the run", on=interface, remedy=f"Try `ethtool -K {interface} {' '.join(left)}`."
        )


def _run(argv: list[str], interface: str, netns: str | None) -> str:
    done = run(argv, netns=netns)
    if done.status != 0:
        raise TrafficgenError(f"`{' '.join(argv)}` failed", on=interface, said=done.stderr)
    return done.stdout
