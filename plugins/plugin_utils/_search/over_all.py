# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A search over several hosts with one load: both directions of a link, several pairs, a fleet into one device. Pure.

The load is per interface: each host sends it, and so is every rate of the answer. An aggregate is that load times the
number of hosts, its factor (RFC 9971, on Trial Load). The loss is that of all frames together, 1 - received / sent, as
the RFC counts it (Trial Forwarding Ratio); each host's own is shown beside it.

A trial is evidence only if each host's is: sent at the load, counted without contradiction, and by a host that is
still there. So one host that sent too little makes it prove nothing, even if frames were lost: the share that was lost
is then not that of this load.

A direction of which nothing arrives may be dead (a cable, a route), or starved by the others at this load. The search
tells them apart by a trial at ``min_pps``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_sentence
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, line_rate_pps, positive
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import SearchSettings
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.trial import (
    GOOD,
    KEPT,
    LOSSY,
    UNSENT,
    UNUSABLE,
    Judgement,
    SearchTrial,
    assess,
    read_trial,
)

_SIZES = ("wire_frame_size", "frame_size")
# Worst first: the trial of all has the worst verdict of its hosts.
_VERDICTS = ("impossible", "short", "unknown")
# What all hosts of a trial may have in common, of what is kept of each.
_COMMON = tuple(name for name in KEPT if name not in ("command", "counters"))


# --- Settings ---


def options_for(
    hosts: Mapping[str, Mapping[str, Any]], traffic: str, options: Mapping[str, Any], *, together: bool
) -> dict[str, Any]:
    """The options of a search of one host, or of all ``together``, with the sizes and speeds of these hosts.

    :param hosts: by name ``{traffic: [{name, frame_size, wire_frame_size}], host: {interface: {link_speed_mbps}}}``.
    """
    if together:
        return common_options(hosts_of(hosts, traffic), options)
    (host,) = hosts.values()
    return {**(_of_traffic(host, traffic) or {}), **options}


def hosts_of(hosts: Mapping[str, Mapping[str, Any]], traffic: str) -> dict[str, dict[str, Any]]:
    """Of each host by name the ``{wire_frame_size, frame_size, link_speed_mbps}`` of one traffic."""
    found = {name: _of_traffic(host, traffic) for name, host in hosts.items()}
    without = sorted(name for name, one in found.items() if one is None)
    if without:
        raise TrafficgenError(
            f"{' and '.join(without)} cannot send it, and a search over all hosts has one load for all",
            on=f"throughput_traffic, {traffic}",
            remedy="Give all hosts the same traffic, or set throughput_search_over: each.",
        )
    return {name: one for name, one in found.items() if one is not None}


def _of_traffic(host: Mapping[str, Any], traffic: str) -> dict[str, Any] | None:
    one = next((each for each in host.get("traffic", ()) if each["name"] == traffic), None)
    interface = (host.get("host") or {}).get("interface") or {}
    speed = host.get("link_speed_mbps", interface.get("link_speed_mbps"))
    return None if one is None else {**{key: one.get(key) for key in _SIZES}, "link_speed_mbps": speed}


def common_options(hosts: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a search (as of :func:`._search.settings.check_settings`) that has one load for all.

    The largest load is that of the slowest line, whatever ``max_pps`` says: no host sends more than its line carries.
    Frame sizes and link speeds are kept only where all hosts have the same, since other units are of one size.

    :param hosts: as :func:`hosts_of` returns them.
    """
    given = {name: value for name, value in options.items() if value is not None}
    each = [{**host, **{key: given[key] for key in host if key in given}} for host in hosts.values()]
    common = {key: each[0][key] for key in each[0] if all(host[key] == each[0][key] for host in each)}
    bound = _bound(hosts, given)
    return {**common, **given, **({"max_pps": bound[0]} if bound else {})}


def bounded(traffic: Mapping[str, Mapping[str, Mapping[str, Any]]], options: Mapping[str, Any]) -> list[str]:
    """A sentence for each traffic whose largest load is not the line rate of all hosts, or below the max_pps given.

    :param traffic: by name what :func:`hosts_of` returns.
    """
    given = {name: value for name, value in options.items() if value is not None}
    said = []
    for name, hosts in traffic.items():
        bound = _bound(hosts, given)
        if bound and (len(bound[1]) < len(hosts) or "max_pps" in given):
            said.append(
                f"The largest load of {name} is {bound[0]:.1f} pps for each interface: the line rate of"
                f" {', '.join(bound[1])}."
            )
    return said


def _bound(hosts: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> tuple[float, list[str]] | None:
    """The least line rate, and the hosts that have it; None if max_pps is not above it, or if no line is known."""
    try:
        lines = {
            name: line_rate_pps(Size.of(one["wire_frame_size"], "wire"), positive(one["link_speed_mbps"], "speed"))
            for name, one in ((name, {**host, **given}) for name, host in hosts.items())
            if one.get("wire_frame_size") is not None and one.get("link_speed_mbps") is not None
        }
        most = positive(given["max_pps"], "max_pps") if "max_pps" in given else math.inf
    except TrafficgenError:
        return None  # check_settings names what is wrong
    if not lines or most <= min(lines.values()):
        return None
    return min(lines.values()), sorted(name for name, line in lines.items() if line == min(lines.values()))


# --- Trials ---


def read_measured(entry: object, number: int) -> SearchTrial:
    """A trial of one host, or of several: ``{asked_pps, duration, hosts: {NAME: FIGURES}}``.

    FIGURES are what :func:`._search.trial.read_trial` takes without the load, or a trial of a result; empty
    for a host that made no trial.
    """
    if not isinstance(entry, Mapping) or "hosts" not in entry:
        return read_trial(entry, number)
    of_hosts = entry["hosts"]
    if not isinstance(of_hosts, Mapping) or not of_hosts:
        raise TrafficgenError("hosts is not a dictionary of hosts", on=f"trial {number}")
    asked = {key: entry[key] for key in ("asked_pps", "duration") if key in entry}
    # By name, so that no figure and no sentence depends on the order of the inventory.
    hosts = {str(name): _of_host(asked, of_hosts[name], number, str(name)) for name in sorted(of_hosts)}
    every = list(hosts.values())
    return SearchTrial(
        asked_pps=every[0].asked_pps,
        duration=every[0].duration,
        pps=min(_known(each.pps for each in every), default=None),
        seconds=max(_known(each.seconds for each in every), default=None),
        sent=_sum(each.sent for each in every),
        lost=_sum(each.lost for each in every),
        verdict=_verdict(every),
        why="; ".join(f"{name}: {each.why.rstrip('.')}" for name, each in hosts.items() if each.why),
        kept={
            key: values.pop()
            for key in _COMMON
            if len(values := {each.kept.get(key) for each in every}) == 1 and None not in values
        },
        hosts=hosts,
    )


def short_form(trial: SearchTrial) -> dict[str, Any]:
    """A trial's figures, as :func:`read_measured` takes them."""
    load = {"asked_pps": trial.asked_pps, "duration": trial.duration}
    if trial.hosts:
        return {**load, "hosts": {name: short_form(each) for name, each in trial.hosts.items()}}
    if trial.verdict is None:
        return {**load, "error": trial.why, **trial.kept}
    figures = {name: getattr(trial, name) for name in ("pps", "seconds", "sent", "lost", "verdict")}
    return {**load, **figures, "reason": trial.why, **trial.kept}


def _of_host(asked: Mapping[str, Any], figures: object, number: int, name: str) -> SearchTrial:
    if not isinstance(figures, Mapping) or not figures:
        figures = {"error": "the host made no trial"}
    elif "stats" in figures:
        figures = {"error": figures.get("error"), "result": figures}
    try:
        return read_trial({**figures, **asked}, number)
    except TrafficgenError as error:
        raise TrafficgenError(error.what, on=f"{name}, {error.on}", remedy=error.remedy) from None


def _known(values: Iterable[float | None]) -> list[float]:
    """The values; none if one of them is unknown."""
    every = list(values)
    return [] if None in every else [value for value in every if value is not None]


def _sum(values: Iterable[int | None]) -> int | None:
    every = list(values)
    return None if None in every else sum(value for value in every if value is not None)


def _verdict(every: Sequence[SearchTrial]) -> str | None:
    bad = [each.verdict for each in every if each.verdict != "consistent"]
    # None, of a trial that failed, is in no order, and so worse than all of them.
    return min(bad, key=lambda one: _VERDICTS.index(one) if one in _VERDICTS else -1) if bad else "consistent"


def judge(trial: SearchTrial, settings: SearchSettings) -> Judgement:
    """What a trial proves, of one host or of several."""
    if not trial.hosts:
        return assess(trial, settings)
    judged = {name: assess(each, settings) for name, each in trial.hosts.items()}
    unusable = [f"{name}: {one.why}" for name, one in judged.items() if one.kind == UNUSABLE]
    if unusable:
        return Judgement(UNUSABLE, why="; ".join(unusable))
    short = [f"{name}: {one.why}" for name, one in judged.items() if one.short]
    if short:
        return Judgement(UNSENT, True, "; ".join(short))
    nothing = silent(trial)
    return Judgement(
        LOSSY if (trial.loss_ratio or 0.0) > settings.goal.loss_ratio else GOOD,
        why=f"Nothing that {' and '.join(nothing)} sent arrived" if nothing else "",
    )


def sentence(trial: SearchTrial, why: str) -> str:
    """The reason in a sentence, which may begin with a host's name."""
    return f"{why.rstrip('.')}." if trial.hosts and why else as_sentence(why)


def silent(trial: SearchTrial) -> list[str]:
    """The hosts of a trial that sent frames of which none arrived."""
    return [name for name, each in trial.hosts.items() if each.sent and each.lost == each.sent]


# --- The answer ---


def aggregate(found: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """What all interfaces carry together: the factor, and the rates of ``found`` times it."""
    rates = ("lower_pps", "upper_pps", "conditional_pps", "l1_mbps", "l2_mbps", "frame_mbps")
    return {"factor": factor, **{key: None if found[key] is None else found[key] * factor for key in rates}}


def lost_by_host(trials: Sequence[SearchTrial]) -> dict[str, dict[str, Any]]:
    """What each host sent in some trials, and what of it was received and lost."""
    names = dict.fromkeys(name for trial in trials for name in trial.hosts)
    return {name: _counts([trial.hosts[name] for trial in trials if name in trial.hosts]) for name in names}


def _counts(trials: Sequence[SearchTrial]) -> dict[str, Any]:
    sent, lost = _sum(trial.sent for trial in trials), _sum(trial.lost for trial in trials)
    received = None if sent is None or lost is None else sent - lost
    return {
        "sent": sent,
        "received": received,
        "lost": lost,
        "loss_ratio": lost / sent if sent and lost is not None else None,
    }


def parts(trial: SearchTrial, settings: SearchSettings) -> dict[str, Any]:
    """Of a trial of several hosts what a result has besides: ``received``, and in ``hosts`` the part of each."""
    hosts = {
        name: {
            "pps": each.pps,
            "seconds": each.seconds,
            **_counts([each]),
            "verdict": each.verdict,
            "reason": as_sentence(assess(each, settings).why),
            **{key: each.kept.get(key) for key in KEPT},
        }
        for name, each in trial.hosts.items()
    }
    return {"received": _counts([trial])["received"], "hosts": hosts} if hosts else {}


def whose(hosts: Sequence[str], *, together: bool) -> dict[str, Any]:
    """Whose search it is: ``host``, and of one over all hosts ``hosts``, too."""
    return {"host": ", ".join(hosts), **({"hosts": list(hosts)} if together else {})}


def why_ended(hosts: Sequence[str], broke: Mapping[str, str]) -> str:
    """Why a search of these hosts did not end; empty if none of them broke it off."""
    said = {host: broke[host] for host in hosts if broke.get(host)}
    return "; ".join(f"{host}: {why}" for host, why in said.items()) if len(hosts) > 1 else "".join(said.values())
