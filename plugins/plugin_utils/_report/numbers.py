# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All number formats of a report, so that HTML and Markdown agree. Pure."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

DASH = "\N{EN DASH}"  # no figure
TIMES = "\N{MULTIPLICATION SIGN}"


def number(value: Any, decimals: int = 0) -> str:
    """``1,602,567`` or ``9,843.95``; a dash for None and anything but a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return DASH
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text  # no minus zero


def pps_figure(value: Any) -> str:
    """Frames per second: ``14,880,952``; below a thousand with useful decimals."""
    return number(value, 0 if not is_number(value) or abs(value) >= 1000 or value == 0 else 2)


def mbps_figure(value: Any) -> str:
    """Mbit/s: ``9,843.95``, ``0.0512``."""
    return number(value, 4 if is_number(value) and 0 < abs(value) < 1 else 2)


def scaled(value: Any, unit: str, digits: int = 4) -> str:
    """A value with the prefix of its size: ``9.844 Gbps`` of bit/s, ``14.88 Mpps``; more digits would be false."""
    if not is_number(value):
        return DASH
    exponent = 0 if not value else math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    power = min(max(exponent // 3, 0), 3)
    whole = exponent - 3 * power + 1  # digits before the point
    decimals = max(0, digits - max(1, whole)) if power or value % 1 else 0
    text = f"{value / 1000**power:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text and float(text.replace(",", "")) == value / 1000**power else text
    return f"{text} {('', 'k', 'M', 'G')[power]}{unit}"


def bps_figure(mbps: Any) -> str:
    """A rate in Mbit/s, with the prefix of its size: ``9.844 Gbps``."""
    return scaled(mbps * 1e6, "bps") if is_number(mbps) else DASH


def percent(value: Any) -> str:
    """A percentage: ``100`` and ``0`` only for exact values."""
    if not is_number(value):
        return DASH
    if value in (0, 100):
        return f"{value:.0f} %"
    if 0 < value < 0.01:
        return f"{value:.4f} %" if value >= 0.0001 else "<0.0001 %"
    if 99.99 < value < 100:
        return f"{math.floor(value * 10000) / 10000:.4f} %" if value < 99.9999 else ">99.9999 %"
    return f"{value:,.2f} %"


def share(ratio: Any) -> str:
    """A ratio as a percentage."""
    return percent(ratio * 100) if is_number(ratio) else DASH


def change(value: float) -> str:
    """A difference in percent, with its sign."""
    return f"{value * 100:+.1f} %" if value else "0 %"


def is_number(value: Any) -> bool:
    """Whether it is a finite number and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def duration(seconds: Any) -> str:
    """``3 s``, ``3.2 s``, ``96 s`` or ``12 min 5 s``."""
    if not is_number(seconds):
        return DASH
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != round(seconds) else f"{seconds:.0f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def utc_time(epoch: Any) -> str:
    """Seconds since the epoch as a date and time in UTC."""
    if not is_number(epoch):
        return DASH
    try:
        return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return DASH


def count(what: int, word: str) -> str:
    """``1 trial``, ``2 trials``, ``2 searches``."""
    return f"{what} {word}{'' if what == 1 else 'es' if word.endswith('ch') else 's'}"


def rate_label(rate: Any) -> str:
    """A requested rate in words."""
    if not isinstance(rate, Mapping) or not rate:
        return "recorded speed"
    form, value = next(iter(rate.items()))
    if form == "topspeed":
        return "top speed" if value else "recorded speed"
    shown = f"{value:,.10g}" if is_number(value) else as_text(value)
    if str(form).endswith("mbps") and is_number(value):
        shown = scaled(value * 1e6, "bps", 10)
    words = {
        "mbps": "{} of frames",
        "l2_mbps": "{} L2",
        "l1_mbps": "{} L1",
        "pps": "{} pps",
        "line_rate_percent": "{} % of line rate",
        "multiplier": f"{{}} {TIMES} recorded speed",
    }
    return words.get(str(form), f"{form} {{}}").format(shown)


def as_text(value: Any) -> str:
    """A value as text: a dash for None, yes and no, JSON for nested values."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def dig(tree: Any, *names: str) -> Any:
    """The value at a path of keys; None if one of them is missing."""
    for name in names:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(name)
    return tree


def one_line(text: str) -> str:
    """Text in one line."""
    return " ".join(text.split())


def low_to_high(low: Any, high: Any, shown: Callable[[Any], str]) -> str:
    """``LOW..HIGH``; empty if both look the same."""
    if low is None or high is None or shown(low) == shown(high):
        return ""
    first, unit = shown(low).partition(" ")[::2]
    return f"{first}..{shown(high)}" if shown(high).endswith(f" {unit}") else f"{shown(low)}..{shown(high)}"


def measured_in_words(criterion: Mapping[str, Any]) -> str:
    """What a criterion measured against what it wants: ``607,018, wanted > 1,000,000``; empty if that is not known."""

    def shown(value: Any) -> str:
        return f"{value:,.10g}" if is_number(value) else as_text(value)

    measured = criterion.get("measured")
    compared = [one for one in measured if isinstance(one, Mapping)] if isinstance(measured, list) else []
    return "; ".join(
        f"{shown(one.get('value'))}, wanted {as_text(one.get('comparison'))} {shown(one.get('wanted'))}"
        for one in compared
    )
