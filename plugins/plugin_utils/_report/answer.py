# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The box on top of a report: what was found, and what has to be known before anybody quotes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Finding
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    as_text,
    bps_figure,
    count,
    dig,
    is_number,
    percent,
    rate_label,
    scaled,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.searches import found_in_short
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import Figure, Group, grouped

MAX_FINDINGS = 8
# Ports without hardware, and cards that QEMU and others only imitate: what these send says nothing of a real one.
_VIRTUAL = ("veth", "tun", "tap", "dummy", "bridge", "macvlan", "ipvlan", "netdevsim", "bond", "vxlan")
_IMITATED = re.compile(r"(e1000e?|8139too|8139cp|pcnet32)(-netmap)?\Z")
_EMULATED = re.compile(r"QEMU TCG|QEMU Virtual CPU")


def findings(result: Mapping[str, Any], found: Sequence[Group], many_hosts: bool) -> list[Finding]:
    """The figures that were asked for: of each search, and of each traffic the highest rate, after the highest of those
    without loss if that is another."""
    made = found_in_short(result["searches"], many_hosts)
    for here in grouped(found, lambda group: (group.traffic, group.host)).values():
        sound = [group for group in here if group.quotable and group.figure("rates", "pps").median is not None]
        best = max(sound, key=_median_pps, default=None)
        if best is None:
            continue
        whole = [group for group in sound if group.figure("counters", "loss_ratio").high == 0]
        if whole and best.figure("counters", "loss_ratio").high:
            made.append(_finding(max(whole, key=_median_pps), many_hosts))
        made.append(_finding(best, many_hosts))
    left = len(made) - MAX_FINDINGS
    if left <= 0:
        return made
    return [*made[:MAX_FINDINGS], Finding("", f"and {count(left, 'figure')} more: see the tables")]


def _median_pps(group: Group) -> float:
    return group.figure("rates", "pps").median or 0.0


def _finding(best: Group, many_hosts: bool) -> Finding:
    line, l1_mbps = (best.figure("rates", key) for key in ("line_rate_percent", "l1_mbps"))
    said = [best.method]
    if l1_mbps.median is not None:
        said.append(f"{bps_figure(l1_mbps.median)} L1")
    if line.median is not None:
        said.append(f"{percent(line.median)} of the line")
    loss = best.figure("counters", "loss_ratio")
    if loss.median is not None:
        said.append(f"loss {share(loss.median)}")
    what = best.traffic + (f", {best.host}" if many_hosts else "")
    return Finding(_scaled_range(best.figure("rates", "pps")), what, f"{', '.join(said)} ({_as_asked(best)})")


def _as_asked(group: Group) -> str:
    asked = rate_label(group.rate)
    if group.at_top_speed or group.reached is None:
        return asked
    if group.capped:
        return f"{asked} asked for, more than the line takes"
    return f"{asked} asked for" if group.reached >= REACHED else f"{share(group.reached)} of the {asked} asked for"


def _scaled_range(pps: Figure) -> str:
    if pps.unsteady:
        (low, unit), high = scaled(pps.low, "pps", 2).split(), scaled(pps.high, "pps", 2)
        return f"{low} to {high}" if high.endswith(f" {unit}") else f"{low} {unit} to {high}"
    return scaled(pps.median, "pps", 3)


def badges(result: Mapping[str, Any], found: Sequence[Group]) -> list[str]:
    """What has to be known before a figure is quoted, in a few words each."""
    made = []
    sent = [trial for group in found for trial in group.ok]
    unknown = sum(not is_number(dig(trial, "counters", "loss_ratio")) for trial in sent)
    if unknown:
        some = "" if unknown == len(sent) else f" in {unknown} of {count(len(sent), 'trial')}"
        made.append(f"Loss not measured{some}")
    if only_ratios(result["hosts"]):
        made.append("Ratios only")
    return made


def only_ratios(hosts: Mapping[str, Any]) -> list[str]:
    """A sentence for each reason why figures of these hosts mean something only against each other."""
    reasons: dict[str, list[str]] = {}
    for name, host in hosts.items():
        driver, model = as_text(dig(host, "interface", "driver")), as_text(dig(host, "cpu", "model"))
        if _EMULATED.search(model):
            reasons.setdefault("an emulated processor", []).append(str(name))
        elif driver in _VIRTUAL:
            reasons.setdefault(f"a virtual port ({driver})", []).append(str(name))
        elif dig(host, "virtualization") and _IMITATED.match(driver):
            reasons.setdefault(f"an imitated card ({driver})", []).append(str(name))
    return [
        f"Only ratios count, no rate says what real hardware does: {', '.join(names)} "
        f"{'has' if len(names) == 1 else 'have'} {what}."
        for what, names in reasons.items()
    ]
