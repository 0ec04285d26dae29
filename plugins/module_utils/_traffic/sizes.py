# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame sizes of a stream: the ``size`` of a traffic spec, in any of its forms and bases, to a cycle of frame
lengths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import FCS

LARGEST = 65535
LONGEST_TURN = 50_000  # frames after which weighted sizes or streams come round again
_MOST_COMPARED = 10_000_000  # weights looked at to put a turn in order: half a second
BASES = ("wire", "frame", "ip")

# Wire frame sizes and their weights. Simple IMIX is written with 570 or with 594 in the middle; both are here, by name.
IMIX_PROFILES: dict[str, tuple[tuple[int, int], ...]] = {
    "simple": ((64, 7), (570, 4), (1518, 1)),
    "simple_594": ((64, 7), (594, 4), (1518, 1)),
}
# RFC 2544, section 9.1: the sizes for Ethernet, wire frames.
RFC2544_SIZES = (64, 128, 256, 512, 1024, 1280, 1518)


def spread(weights: Sequence[int], on: str = "weight") -> list[int]:
    """An order of indices in which index i stands ``weights[i]`` times, as evenly as can be (smooth weighted round
    robin).

    The sequence depends on the weights alone, so it is repeatable and exact, as RFC 6985 asks of an IMIX.

    :raises TrafficgenError: the weights come to more than :data:`LONGEST_TURN`, or are too many for that.
    """
    total = sum(weights)
    if total > LONGEST_TURN:
        raise TrafficgenError(
            f"the weights add up to {total}; the most is {LONGEST_TURN}",
            on=on,
            remedy="Divide them all by the same number.",
        )
    if len(set(weights)) == 1:
        return list(range(len(weights))) * weights[0]
    if total * len(weights) > _MOST_COMPARED:
        raise TrafficgenError(
            f"{len(weights)} weights add up to {total}; the most for so many is {_MOST_COMPARED // len(weights)}",
            on=on,
            remedy="Divide them all by the same number, or give fewer.",
        )
    credit = [0] * len(weights)
    order = []
    for _turn in range(total):
        credit = [have + weight for have, weight in zip(credit, weights)]
        chosen = max(range(len(weights)), key=credit.__getitem__)
        credit[chosen] -= total
        order.append(chosen)
    return order


def _whole(value: Any, on: str) -> int:
    """``value`` as a whole number, also when it came as a string from a template."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,64}\s*", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TrafficgenError(f"{value!r} is not a whole number", on=on)
    return value


def _size(value: Any, on: str) -> int:
    size = _whole(value, on)
    if not 1 <= size <= LARGEST:
        raise TrafficgenError(f"{size} bytes is out of range", on=on, remedy=f"A size must be between 1 and {LARGEST}.")
    return size


def _keys(form: dict[str, Any], needed: set[str], optional: set[str], on: str) -> None:
    unknown = sorted(set(form) - needed - optional, key=str)
    missing = sorted(needed - set(form))
    if unknown or missing:
        wrong = f"unknown key {unknown[0]!r}" if unknown else f"{missing[0]!r} is missing"
        raise TrafficgenError(
            wrong,
            on=on,
            remedy=(
                "A size is a number, a list of numbers, {start, end, step}, {imix: NAME} or {weights: [{size, weight},"
                " ...]}."
            ),
        )


def _weighted(pairs: Sequence[tuple[int, int]], on: str) -> list[int]:
    return [pairs[index][0] for index in spread([weight for _size, weight in pairs], on)]


def size_cycle(form: Any, base: str, on: str = "size") -> list[int]:
    """The sizes that the frames of a stream take in turn, as given (in ``base``).

    :param form: a number; a list of numbers; ``{start, end, step}``; ``{imix: NAME}``; ``{weights: [{size, weight},
    …]}``.
    :param base: what the numbers count, one of :data:`BASES`. IMIX profiles are wire frames, and refuse another base.
    :raises TrafficgenError: for anything else, naming ``on``.
    """
    if isinstance(form, list):
        if not form:
            raise TrafficgenError("the list is empty", on=on, remedy="Give at least one value.")
        return [_size(value, on) for value in form]
    if isinstance(form, str) and form.lower() in ("imix", *IMIX_PROFILES):
        name = next(iter(IMIX_PROFILES)) if form.lower() == "imix" else form.lower()
        raise TrafficgenError(
            f"{form!r} is not a whole number",
            on=on,
            remedy=f"For an IMIX write {{imix: {name}}}. There are: {', '.join(IMIX_PROFILES)}.",
        )
    if not isinstance(form, dict):
        return [_size(form, on)]
    if "imix" in form:
        _keys(form, {"imix"}, set(), on)
        if not isinstance(form["imix"], str) or form["imix"] not in IMIX_PROFILES:
            raise TrafficgenError(
                f"no IMIX profile {form['imix']!r}", on=on, remedy=f"There are: {', '.join(IMIX_PROFILES)}."
            )
        if base != "wire":
            raise TrafficgenError(
                f"IMIX sizes are those of wire frames, not of size_of: {base}", on=on, remedy="Leave size_of out."
            )
        return _weighted(IMIX_PROFILES[form["imix"]], on)
    if "weights" in form:
        _keys(form, {"weights"}, set(), on)
        if not isinstance(form["weights"], list) or not form["weights"]:
            raise TrafficgenError("weights is not a list of {size, weight}", on=on)
        pairs = []
        for entry in form["weights"]:
            if not isinstance(entry, dict):
                raise TrafficgenError(f"{entry!r} is not {{size, weight}}", on=on)
            _keys(entry, {"size", "weight"}, set(), on)
            weight = _whole(entry["weight"], on)
            if weight < 1:
                raise TrafficgenError(
                    f"weight {weight} is out of range", on=on, remedy="A weight must be a whole number, 1 or more."
                )
            pairs.append((_size(entry["size"], on), weight))
        return _weighted(pairs, on)
    _keys(form, {"start", "end"}, {"step"}, on)
    start, end, step = _size(form["start"], on), _size(form["end"], on), _whole(form.get("step", 1), on)
    if step < 1:
        raise TrafficgenError(f"step {step} is not positive", on=on)
    if start > end:
        raise TrafficgenError(f"the range is empty: start {start} is above end {end}", on=on)
    return list(range(start, end + 1, step))


def frame_length(size: int, base: str, ip_offset: int | None, on: str = "size") -> int:
    """The length in the pcap, in bytes, of a frame whose size in ``base`` is ``size``.

    :param ip_offset: bytes before the outermost IP header; None where there is none.
    """
    if base == "frame":
        return size
    if base == "wire":
        return size - FCS
    if ip_offset is None:
        raise TrafficgenError(
            "size_of: ip, but the layers have no IP or IPv6", on=on, remedy="Use size_of: wire or frame."
        )
    return size + ip_offset
