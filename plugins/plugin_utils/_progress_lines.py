# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that the action plugins tcpreplay and xdp_replay show during a run: their text and their times. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import FCS, Size, from_pps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import KEY

SETTING = "trafficgen_progress_interval"
# For a terminal, and for a log: seconds between lines, the rough maximum of lines in a run, and, for a run without a
# known end, the factor by which the gaps grow at least.
_TERMINAL = (5.0, 20, 1.5)
_LOG = (30.0, 5, 2.0)
_ENDS = 1.0  # a shorter run needs no line
_SHORTEST = 0.2  # minimum seconds between two samples to compute a rate: tcpreplay prints two decimals


@dataclass(frozen=True)
class Sample:
    """The sender's counts since its start."""

    packets: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The module's report: ``elapsed`` and ``left`` in seconds; ``left`` and ``sample`` are None if unknown.

    ``padding``: the mean bytes added to a frame on the wire.
    """

    elapsed: float
    left: float | None
    sample: Sample | None
    padding: float = 0.0


def interval(setting: object) -> float | None:
    """Seconds from the setting; None if not set. Raises ValueError."""
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
    """The report in the output of the file's reader, to which a login shell may have added text. None without one."""
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
    """Decides when a line is due.

    :param asked: the user's seconds, if set; then a log gets as many lines as a terminal.
    :param hosts: how many hosts run at once: together they show at most one line per second.
    """

    def __init__(self, asked: float | None, *, terminal: bool, hosts: int = 1) -> None:
        usual, self._most, self._factor = _TERMINAL if terminal or asked is not None else _LOG
        # At least a second: the module writes once per second.
        self.interval = max(usual if asked is None else asked, float(hosts), 1.0)
        self.wait = self.interval  # seconds until the next look
        self._last = 0.0

    def due(self, report: Report) -> bool:
        """Whether to show this report; if so, it counts as shown."""
        # Without a known end the gaps grow, so that an hour has few more lines than a minute.
        step = self._last * (self._factor - 1) if report.left is None else (report.elapsed + report.left) / self._most
        step = max(self.interval, step)
        # The reports come about a second apart.
        due = report.elapsed - self._last > step - 0.5
        if due:
            self._last = report.elapsed
        self.wait = max(1.0, self._last + step - report.elapsed)
        return due and (report.left is None or report.left >= _ENDS)


def line(where: str, report: Report, before: Sample) -> str:
    """One line, with the rates since the sample ``before``, or without rates if there is no later one."""
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
    """A short form of a duration."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
