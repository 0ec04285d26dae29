# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a result of the role throughput: groups of repeats, gains, rates between samples. Pure.

Each figure is a median over the repeats, with the lowest and the highest.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import as_text, dig, is_number

# Worst first: a group of repeats gets the worst verdict of its trials.
VERDICTS = ("impossible", "short", "unknown", "consistent")
UNQUOTABLE = ("impossible", "short")
UNSTEADY = 1.2
VERDICT_LOOK = {"impossible": "bad", "short": "bad", "unknown": "warn", "consistent": "good"}

KERNEL = "pf_packet"
NETMAP = "netmap"
AF_XDP = "af_xdp"
# The module that stands for each engine
_ENGINES = {"tcpreplay": "tcpreplay", AF_XDP: "xdp_replay"}


# --- Groups: the repeats of one thing ---


@dataclass(frozen=True)
class Figure:
    """One quantity over the repeats: median, lowest, highest, and how many values; ``median``: None if unknown."""

    median: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def unsteady(self) -> bool:
        """Whether the repeats differ by more than a fifth, so that their median would look more exact than it is."""
        return bool(self.low and self.high and self.high > self.low * UNSTEADY)


def figure(values: Iterable[Any]) -> Figure:
    """The figure of those values that are numbers."""
    known = [value for value in values if is_number(value)]
    if not known:
        return Figure(None, None, None, 0)
    return Figure(statistics.median(known), min(known), max(known), len(known))


def method_label(asked: str, used: str, mode: str) -> str:
    """The label of a requested method, with the one used and its ``mode`` (native, emulated, or empty if nothing was
    sent)."""
    label = used
    if used == KERNEL:
        label = "kernel path (pf_packet)"
    elif used == NETMAP and mode:
        label = f"netmap, {mode}"
    elif used == AF_XDP:
        label = "AF_XDP"
    return f"{label}, by auto" if asked == "auto" and used != "auto" else label


def search_method(entry: Mapping[str, Any]) -> str:
    """The same for a search, from its trials."""
    asked = as_text(entry.get("injection_method"))
    trials = [trial for trial in entry.get("trials") or [] if dig(trial, "injection_method")]
    used = " and ".join(sorted({str(trial["injection_method"]) for trial in trials})) or asked
    return method_label(asked, used, _modes(trial.get("netmap_mode") for trial in trials))


def _modes(modes: Iterable[Any]) -> str:
    return " and ".join(sorted({str(mode or "mode not known").replace("_", " ") for mode in modes}))


def engine_of(run: Any) -> str:
    """The module that sent in a run, with AF_XDP's copy or zero copy; empty if the run names none."""
    name, mode = dig(run, "engine"), dig(run, "xdp_mode")
    if not name:
        return ""
    return _ENGINES.get(name, str(name)) + (f", {str(mode).replace('_', ' ')}" if mode else "")


@dataclass(frozen=True)
class Group:
    """The trials of one traffic, host, injection method and rate."""

    traffic: str
    host: str
    asked_method: str
    rate: Any
    trials: tuple[dict[str, Any], ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What distinguishes it from other groups."""
        return (self.traffic, self.host, self.asked_method, rate_key(self.rate))

    @property
    def pair(self) -> str:
        """The pair that its host is an end of; empty for a host of no pair."""
        return str(self.trials[0].get("pair") or "")

    @property
    def direction(self) -> str:
        """Its direction in the pair: ``forward`` or ``reverse``."""
        return str(self.trials[0].get("direction") or "")

    @cached_property
    def ok(self) -> list[dict[str, Any]]:
        """The trials that did not fail."""
        return [trial for trial in self.trials if trial["status"] == "ok"]

    @cached_property
    def failed(self) -> list[dict[str, Any]]:
        """The trials that failed."""
        return [trial for trial in self.trials if trial["status"] != "ok"]

    @cached_property
    def used_method(self) -> str:
        """The method that sent the frames, from the runs; the requested one if no run names it."""
        used = sorted(
            {str(dig(trial, "run", "injection_method")) for trial in self.ok if dig(trial, "run", "injection_method")}
        )
        return " and ".join(used) if used else self.asked_method

    @property
    def method(self) -> str:
        """The method's label at each figure: for netmap with native or emulated."""
        return method_label(self.asked_method, self.used_method, self.mode)

    @cached_property
    def mode(self) -> str:
        """Native or emulated, of AF_XDP copy or zero copy, from the runs."""
        name = "xdp_mode" if self.used_method == AF_XDP else "netmap_mode"
        return _modes(dig(trial, "run", name) for trial in self.ok)

    @cached_property
    def engine(self) -> str:
        """The modules that sent, with AF_XDP's copy or zero copy; empty if no run names one."""
        return " and ".join(sorted({engine_of(trial.get("run")) for trial in self.ok} - {""}))

    @cached_property
    def workers(self) -> list[int]:
        """How many workers sent together, each different number once."""
        return sorted({workers_of(trial) for trial in self.ok} - {0})

    @property
    def at_top_speed(self) -> bool:
        """Whether the request was for all that the generator can send."""
        return rate_key(self.rate).startswith("topspeed")

    @property
    def pps_of_a_worker(self) -> Figure:
        """The rate divided by the workers, of the trials that name theirs."""
        return figure(
            pps / number
            for trial in self.ok
            if is_number(pps := dig(trial, "rates", "pps")) and (number := workers_of(trial))
        )

    @cached_property
    def verdict(self) -> str:
        """The worst verdict of its trials."""
        found = {dig(trial, "counters", "verdict") or "unknown" for trial in self.ok}
        return next((verdict for verdict in VERDICTS if verdict in found), "unknown")

    @property
    def quotable(self) -> bool:
        """Whether its verdict allows quoting the rate."""
        return self.verdict not in UNQUOTABLE

    @property
    def capped(self) -> bool:
        """Whether the request was above line rate."""
        return any(dig(trial, "run", "capped") is True for trial in self.ok)

    def figure(self, *names: str) -> Figure:
        """A quantity from the trials' trees, such as ``rates``, ``pps``."""
        return figure(dig(trial, *names) for trial in self.ok)

    @property
    def link_speed(self) -> float | None:
        """The line's Mbit/s; None if the link has none."""
        speeds = [dig(trial, "run", "link_speed_mbps") for trial in self.ok]
        return next((float(speed) for speed in speeds if is_number(speed) and speed > 0), None)

    @cached_property
    def reached(self) -> float | None:
        """The share of the requested rate that the median trial sent."""
        return self.figure("run", "rate_reached").median


def workers_of(trial: Mapping[str, Any]) -> int:
    """How many workers sent a trial's frames; 0 if its run does not say."""
    return len(dig(trial, "run", "workers") or ())


def rate_key(rate: Any) -> str:
    """A key for a rate; equal for 10 and 10.0."""
    if not isinstance(rate, Mapping) or not rate:
        return "recorded"
    form, value = next(iter(rate.items()))
    return f"{form} {float(value) if is_number(value) else value}"


class Groups(list[Group]):
    """The groups of a result, with an index by traffic, host and rate: there may be thousands."""

    def beside(self, group: Group) -> list[Group]:
        """The groups of a group's traffic, host and rate, itself among them."""
        return self._cells[_cell_of(group)]

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str], list[Group]]:
        return grouped(self, _cell_of)


def _cell_of(group: Group) -> tuple[str, str, str]:
    return group.traffic, group.host, rate_key(group.rate)


_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """The items by a key, in order of first appearance."""
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def groups(result: Mapping[str, Any]) -> Groups:
    """The groups of a result, in the requested order of traffic, without warm-ups."""
    order = {entry["name"]: index for index, entry in reversed(list(enumerate(result["traffic"])))}
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for trial in result["trials"]:
        key = (
            str(trial["traffic"]["name"]),
            str(trial["host"]),
            str(trial["injection_method"]),
            rate_key(trial["rate"]),
        )
        found.setdefault(key, []).append(trial)
    made = [
        Group(traffic, host, method, trials[0]["rate"], tuple(trials))
        for (traffic, host, method, _dummy), trials in found.items()
    ]
    hosts = {host: index for index, host in enumerate(dict.fromkeys(group.host for group in made))}
    rates = {key: index for index, key in enumerate(dict.fromkeys(rate_key(group.rate) for group in made))}
    return Groups(
        sorted(
            made,
            key=lambda group: (order.get(group.traffic, len(order)), hosts[group.host], rates[rate_key(group.rate)]),
        )
    )


def judged(result: Mapping[str, Any]) -> bool:
    """Whether there is a yes or no: criteria were given, or something has failed."""
    return bool(result["criteria"]) or not result["passed"]


def outcome(result: Mapping[str, Any]) -> str:
    """A result's answer in a word or two. Without criteria nothing was passed."""
    if not judged(result):
        return "completed, no criteria"
    return "passed" if result["passed"] else "failed"


@dataclass(frozen=True)
class Gain:
    """A method's gain over the kernel path: the ratio of the medians, or None and why. ``low`` and ``high``: the
    lowest of the one's repeats against the highest of the other's, and the reverse, where the repeats of a side differ
    by more than a fifth; else the ratio itself."""

    ratio: float | None
    reason: str = ""  # a caveat beside a ratio
    low: float | None = None
    high: float | None = None


def gain(group: Group, kernel: Group | None) -> Gain:
    """The gain of a group over the group of the kernel path with the same traffic, host and rate."""
    if kernel is None:
        return Gain(None, "no gain: the kernel path was not tried at this rate")
    for side in (group, kernel):
        if not side.ok:
            return Gain(None, f"no gain: every trial of {side.method} failed")
        if not side.quotable:
            return Gain(None, f"no gain: the verdict of {side.method} is {side.verdict}, so its rate proves nothing")
    mine, other = group.figure("rates", "pps"), kernel.figure("rates", "pps")
    if not mine.median or not other.median:
        return Gain(None, "no gain: a rate is unknown")
    ratio = low = high = mine.median / other.median
    if mine.unsteady or other.unsteady:
        low, high = mine.low / other.high, mine.high / other.low  # type: ignore[operator]
    # Such a trial was limited by the requested rate, not by the path.
    if all(side.reached is not None and side.reached >= REACHED for side in (group, kernel)):
        why = "both paths reached the rate asked for, so this does not say which is faster"
        return Gain(ratio, why, low, high)
    reasons = []
    if "unknown" in (group.verdict, kernel.verdict):
        reasons.append("no counter confirms the rates behind this gain (verdict unknown)")
    if mine.n < 2 or other.n < 2:
        reasons.append("the gain is from single trials, so their spread is unknown")
    elif not apart(mine, other):
        reasons.append("the ranges of the repeats overlap, so the gain may be chance")
    return Gain(ratio, "; ".join(reasons), low, high)


def apart(one: Figure, other: Figure) -> bool:
    """Whether two figures differ by more than their repeats: each has at least two, and the ranges do not touch."""
    if one.n < 2 or other.n < 2 or None in (one.low, one.high, other.low, other.high):
        return False
    return one.low > other.high or one.high < other.low  # type: ignore[operator]


def steps_of(trial: Mapping[str, Any]) -> list[tuple[float, float, float]]:
    """The rate in each interval between two samples, as (begin, end, pps): differences, since the samples count from
    the start.

    tcpreplay prints seconds with two decimals, too coarse for an interval of one second; packets over its own mean pps
    gives the same time exactly.
    """
    stats = trial.get("stats")
    if not isinstance(stats, Mapping):
        return []
    samples = stats.get("samples")
    points = [*(samples if isinstance(samples, list) else []), stats]
    made: list[tuple[float, float, float]] = []
    begin, packets = 0.0, 0.0
    for point in points:
        sent, mean, seconds = dig(point, "packets"), dig(point, "pps"), dig(point, "seconds")
        if not is_number(sent):
            continue
        end = sent / mean if is_number(mean) and mean > 0 else seconds
        # The last sample may be the total itself, or a few ms before it: too short for a rate.
        if not is_number(end) or end - begin < 0.1 or sent < packets:
            continue
        made.append((begin, float(end), (sent - packets) / (end - begin)))
        begin, packets = float(end), float(sent)
    return made if len(made) > 1 else []
