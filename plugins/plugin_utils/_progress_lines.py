# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that the action plugin tcpreplay shows while a run lasts: what they say, and when. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import FCS, Size, from_pps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import KEY

SETTING = "trafficgen_progress_interval"
# On a terminal, and in a log: seconds from one line to the next, about how many lines a run may have, and where its end
# is not known, by which factor each line comes later than the one before at least.
_TERMINAL = (5.0, 20, 1.5)
_LOG = (30.0, 5, 2.0)
_ENDS = 1.0  # what ends sooner than that needs no line
_SHORTEST = 0.2  # seconds between two samples whose difference is a rate: tcpreplay's have two decimals


@dataclass(frozen=True)
class Sample:
    """What tcpreplay counted since its start."""

    packets: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """What the module wrote: ``elapsed`` and ``left`` in seconds, ``left`` and ``sample`` None where they are not
    known.

    ``padding``: the bytes that are added to a frame on the wire, the mean of the pcaps.
    """

    elapsed: float
    left: float | None
    sample: Sample | None
    padding: float = 0.0


def interval(setting: object) -> float | None:
    """Seconds from the setting, None where it is not set. Raises ValueError."""
    if setting is None:
        return None
    try:
        if isinstance(setting, bool) or not isinstance(setting, (int, float, str)):
            raise ValueError
        seconds = float(setting)
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"not a number of seconds: {setting!r}") from None
    return seconds


def parse(printed: str) -> Report | None:
    """The report in what the file's reader printed, which a login shell may have added to. None where there is none."""
    for line in reversed(printed.splitlines()):
        try:
            read = json.loads(line)
        except ValueError:
            continue
        if isinstance(read, dict) and KEY in read:
            return _report(read)
    return None


def _report(read: Mapping[str, Any]) -> Report | None:
    elapsed: Any = read.get("elapsed")
    left: Any = read.get("left")
    sample, padding = read.get("sample"), read.get("padding", 0.0)
    if not _number(elapsed) or not (left is None or _number(left)) or not _number(padding):
        return None
    if sample is None:
        return Report(elapsed, left, None, padding)
    measures = [sample.get(name) for name in ("packets", "bytes", "seconds")] if isinstance(sample, dict) else [None]
    return Report(elapsed, left, Sample(*measures), padding) if all(map(_number, measures)) else None


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


class Pace:
    """When a line is due.

    :param asked: seconds, where the user has set them; then a log gets as many lines as a terminal.
    :param hosts: how many hosts run at once: together they show no more than a line a second.
    """

    def __init__(self, asked: float | None, *, terminal: bool, hosts: int = 1) -> None:
        usual, self._most, self._factor = _TERMINAL if terminal or asked is not None else _LOG
        # Not below a second: the module writes once a second.
        self.interval = max(usual if asked is None else asked, float(hosts), 1.0)
        self.wait = self.interval  # seconds until it is worth looking again
        self._last = 0.0

    def due(self, report: Report) -> bool:
        """Whether to show this one; then it counts as shown."""
        # With no end in sight ever farther apart, so that an hour has hardly more of them than a minute.
        step = self._last * (self._factor - 1) if report.left is None else (report.elapsed + report.left) / self._most
        step = max(self.interval, step)
        # The reports come about a second apart.
        due = report.elapsed - self._last > step - 0.5
        if due:
            self._last = report.elapsed
        self.wait = max(1.0, self._last + step - report.elapsed)
        return due and (report.left is None or report.left >= _ENDS)


def line(where: str, report: Report, before: Sample) -> str:
    """One line. The rates are those since the sample ``before``, and left out where there is no later one."""
    parts = [span(report.elapsed)]
    if report.sample is not None and (seconds := report.sample.seconds - before.seconds) >= _SHORTEST:
        packets, size = report.sample.packets - before.packets, report.sample.bytes - before.bytes
        pps = packets / seconds
        l1_mbps = 0.0
        if packets > 0:
            frame = size / packets
            l1_mbps = from_pps(pps, "l1_mbps", Size.of_means(frame, frame + FCS + report.padding))
        parts += [f"{pps:.0f} pps", f"{l1_mbps:.1f} L1 Mbps"]
    if report.left is not None:
        parts.append(f"about {span(report.left)} left")
    return f"sending: [{where}] => {', '.join(parts)}"


def span(seconds: float) -> str:
    """A time to be read in passing."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
