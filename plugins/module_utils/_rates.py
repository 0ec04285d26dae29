# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates: what pps, tcpreplay's Mbps, L2, L1 and percent of a link are to each other, and what to ask tcpreplay for.

Three sizes of one frame: ``frame`` is its bytes in a pcap file; the wire frame adds the FCS (what RFC 2544 calls the
frame size) and has 64 bytes at least, to which a NIC pads; on an Ethernet line each frame takes the preamble, the start
delimiter and the gap besides (IEEE 802.3). A virtual link pads nothing, but has no line either: L2 and L1 are what a
line would take. A mean frame size may be fractional. Mbps are 10**6 bit/s throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

FCS = 4
SHORTEST_WIRE = 64  # minFrameSize of IEEE 802.3, FCS included: a NIC pads what is shorter
SHORTEST_FRAME = SHORTEST_WIRE - FCS
LINE_OVERHEAD = 7 + 1 + 12  # preamble, start delimiter, gap between frames
ETHERNET_HEADER, VLAN_TAG = 14, 4

# Mbps, packets a second or times: beyond any line, and still a number of bits, or packets an hour, that 64 bits hold.
_MOST = 1e9
_SIZE_OF = {"frame": 0, "wire": -FCS, "ip": ETHERNET_HEADER}
RATE_UNITS = ("pps", "frame_mbps", "l2_mbps", "l1_mbps", "line_rate_percent")

# The request forms of the tcpreplay module; without any of them a pcap is sent at the speed it was recorded at.
RATE_FORMS = ("mbps", "l2_mbps", "l1_mbps", "pps", "line_rate_percent", "multiplier", "topspeed")


def wire_bytes(frame: int | float) -> int | float:
    """The bytes on the wire, FCS and padding included, of a frame that has so many in the pcap."""
    return max(frame + FCS, SHORTEST_WIRE)


@dataclass(frozen=True)
class Size:
    """The bytes of a frame, or their mean where frames differ: ``frame`` in the pcap, ``wire`` with FCS and padding.

    Of mixed sizes the padded ones are averaged: 42 and 78 bytes are 73 on the wire, where their mean of 60 would be 64.
    """

    frame: float
    wire: float

    @classmethod
    def of(cls, size: object, size_of: str = "frame") -> Size:
        """The size of frames of one size, given as ``frame``, ``wire`` (with FCS) or ``ip`` (without Ethernet's
        header).

        :param size: a number; or how many frames there are of each size, as pcap_info returns it.
        """
        if isinstance(size, Mapping):
            return cls._mean(size, size_of)
        if size_of not in _SIZE_OF:
            raise TrafficgenError(
                "not a basis of a frame size", on=repr(size_of), remedy=f"It is one of {', '.join(_SIZE_OF)}."
            )
        frame = positive(size, "size") + _SIZE_OF[size_of]
        if frame <= 0:
            raise TrafficgenError(f"too small for a frame of which it is the {size_of} size", on=f"size {size}")
        return cls(frame, wire_bytes(frame))

    @classmethod
    def _mean(cls, sizes: Mapping[object, object], size_of: str) -> Size:
        counted = [
            (cls.of(size, size_of), positive(frames, f"frames of size {size}", zero=True))
            for size, frames in sizes.items()
        ]
        total = sum(frames for _size, frames in counted)
        if not total:
            raise TrafficgenError(
                "no frames of any size", on="size", remedy="Give sizes and how many frames there are of each."
            )
        return cls(
            sum(size.frame * frames for size, frames in counted) / total,
            sum(size.wire * frames for size, frames in counted) / total,
        )

    @classmethod
    def of_means(cls, frame: float, wire: float) -> Size:
        """The size whose two means are known; that on the wire is never below a padded frame's."""
        return cls(frame, max(wire, wire_bytes(frame)))

    @property
    def padding(self) -> float:
        """The bytes that a NIC adds to a frame besides the FCS, the mean."""
        return self.wire - self.frame - FCS

    @property
    def line(self) -> float:
        """The bytes whose time a frame takes on the line."""
        return self.wire + LINE_OVERHEAD

    def counted(self, unit: str) -> float:
        """The bytes that a unit of Mbps counts of a frame."""
        return {"mbps": self.frame, "frame_mbps": self.frame, "l2_mbps": self.wire, "l1_mbps": self.line}[unit]


def positive(value: object, name: str, *, zero: bool = False) -> float:
    """``value`` (a number, or a string of one) as a number above zero, or with ``zero`` not below it; else an error
    that names it."""
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise TrafficgenError(f"not a number {'from 0 on' if zero else 'above 0'}", on=f"{name} {value!r}")
    return number


def line_rate_pps(size: Size, link_speed_mbps: float) -> float:
    """Frames per second a link carries at most: 14,880,952 of 64 bytes on the wire, or padded to that, at 10G (RFC
    2544, RFC 5180)."""
    return link_speed_mbps * 1e6 / (size.line * 8)


def to_pps(value: float, unit: str, size: Size, link_speed_mbps: float | None = None) -> float:
    """A rate in frames per second, from any of :data:`RATE_UNITS` (or ``mbps``, tcpreplay's own, which is
    ``frame_mbps``)."""
    if unit == "pps":
        return value
    if unit == "line_rate_percent":
        if link_speed_mbps is None:
            raise TrafficgenError(
                "needs the link's speed, and this link has none", on="line_rate_percent", remedy="Give link_speed_mbps."
            )
        return line_rate_pps(size, link_speed_mbps) * value / 100
    return value * 1e6 / (size.counted(unit) * 8)


def from_pps(pps: float, unit: str, size: Size, link_speed_mbps: float | None = None) -> float:
    """The inverse of :func:`to_pps`."""
    return pps / to_pps(1, unit, size, link_speed_mbps)


def rates(pps: float | None, size: Size | None, link_speed_mbps: float | None = None) -> dict[str, float | None]:
    """The ``rates`` tree of a result: a rate in every unit, null where it cannot be known."""
    if pps is None or size is None:
        return {**dict.fromkeys(RATE_UNITS), "pps": pps}
    tree: dict[str, float | None] = {unit: from_pps(pps, unit, size) for unit in RATE_UNITS[:-1]}
    tree["line_rate_percent"] = None if link_speed_mbps is None else pps / line_rate_pps(size, link_speed_mbps) * 100
    return tree


def convert(
    value: object, unit: str, size: object, size_of: str = "wire", link_speed_mbps: object = None, to: str | None = None
) -> dict[str, float | None] | float:
    """The filter ``line_rate``: a rate in the unit ``to``, or without that in all of :data:`RATE_UNITS`. Everything is
    checked."""
    for name in (unit, to):
        if name is not None and name not in RATE_UNITS:
            raise TrafficgenError(
                "not a unit of a rate", on=repr(name), remedy=f"It is one of {', '.join(RATE_UNITS)}."
            )
    speed = None if link_speed_mbps is None else positive(link_speed_mbps, "link_speed_mbps")
    frame = Size.of(size, size_of)
    pps = to_pps(positive(value, unit, zero=True), unit, frame, speed)
    return rates(pps, frame, speed) if to is None else from_pps(pps, to, frame, speed)


@dataclass(frozen=True)
class RatePlan:
    """How a requested rate is asked of tcpreplay.

    ``argv``: its options. ``requested``: the form and its value as given, or None for the recorded speed.
    ``pps``: the frames per second to expect, None where only the run will tell (top speed, a multiplier, the recorded
    speed). ``capped``: the request was above the line, and ``argv`` asks for the line's rate.
    ``asked``: the rate asked of tcpreplay in the unit of the request, which is the line's where it was capped; None for
    top speed.
    """

    argv: tuple[str, ...]
    requested: dict[str, float | bool] | None
    pps: float | None
    capped: bool
    asked: float | None = None

    @property
    def form(self) -> str | None:
        """The parameter that was given, one of :data:`RATE_FORMS`; None for the recorded speed."""
        return next(iter(self.requested)) if self.requested else None

    def part(self, frames: float, size: float) -> tuple[str, ...]:
        """The options of one of several that send the frames together, each its part in the same time.

        :param frames: the share of the frames that it sends; ``size``: that of the bytes.
        """
        unit, equals, text = "".join(self.argv).partition("=")
        if not equals:
            return self.argv
        steps, share = (3600, frames) if unit == "--pps" else (10**6, size)
        return (f"{unit}={_asked(self.form or unit, float(text) * share, steps)}",)


def _asked(form: str, value: float, steps: int) -> str:
    # tcpreplay keeps an integer (bit/s, or frames an hour) of what it reads. Cut, not rounded: a capped rate must not
    # come out above the line. The thousandth of a step is against a value like 100.3 that in binary is a hair below
    # itself.
    if value > _MOST:
        raise TrafficgenError(
            "faster than anything tcpreplay can be asked for", on=f"{form} {value:g}", remedy="Take topspeed."
        )
    text = f"{math.floor(value * steps + 0.001) / steps:.6f}".rstrip("0").rstrip(".")
    if text == "0":  # which tcpreplay takes for top speed, or refuses
        raise TrafficgenError(
            "too slow for tcpreplay to hold",
            on=f"{form} {value:g}",
            remedy="Ask for at least 1 bit/s or 1 frame an hour.",
        )
    return text


def plan_rate(
    form: str | None,
    value: float | bool | None,
    size: Size,
    link_speed_mbps: float | None = None,
    *,
    strict: bool = False,
) -> RatePlan:
    """The plan for one of :data:`RATE_FORMS`.

    :param form: the parameter's name; None for the recorded speed.
    :param size: of a frame in the pcaps, the mean.
    :param link_speed_mbps: the line's speed, None where it has none: nothing is capped then.
    :param strict: refuse a rate above the line instead of capping it.
    """
    if form is None or (form == "topspeed" and not value):
        return RatePlan((), None, None, False)
    if form == "topspeed":
        return RatePlan(("--topspeed",), {form: True}, None, False)
    number = positive(value, form)
    if form == "multiplier":
        return RatePlan((f"--multiplier={_asked(form, number, 10**6)}",), {form: number}, None, False, number)
    pps = to_pps(number, form, size, link_speed_mbps)
    capped = False
    if link_speed_mbps is not None:
        line = line_rate_pps(size, link_speed_mbps)
        if pps > line * (1 + 1e-9):
            if strict:
                most = math.floor(from_pps(line, form, size, link_speed_mbps) * 100) / 100
                raise TrafficgenError(
                    f"above the line rate: {pps:.0f} pps where a link of {link_speed_mbps:g} Mbit/s carries {line:.0f}"
                    " of these frames",
                    on=f"{form} {number:g}",
                    remedy=f"Ask for at most {most:.2f}, or set strict_rate to false.",
                )
            pps, capped = line, True
    # Bits for everything but pps itself: of two pacers, --mbps holds the load of the line steadier where sizes differ,
    # and --pps goes unpaced after 5,124,095,576 frames (https://github.com/appneta/tcpreplay/issues/779).
    unit, steps = ("pps", 3600) if form == "pps" else ("mbps", 10**6)
    asked = from_pps(pps, form, size, link_speed_mbps) if capped else number
    return RatePlan((f"--{unit}={_asked(form, from_pps(pps, unit, size), steps)}",), {form: number}, pps, capped, asked)
