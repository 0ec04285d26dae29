# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the ``streams`` of a traffic spec, presets included, to streams of frames. Every error names the stream and the
field."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import LayerSpec
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fill import Fill, RandomFill
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.interleave import Interleaved
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.layers import (
    layer_entry,
    no_fields,
    read_stack,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.sizes import RFC2544_SIZES, size_cycle
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.stream import Clock, Member, Stream
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.swap import swap_ends, swapped

# What the rest of a frame is filled with, repeated.
FILLS = {"zeros": bytes(1), "increment": bytes(range(256))}

_MOST_LAYERS = 100
_MEMBER = re.compile(r"(\w{1,200})(?::([0-9]{1,3}))?\.(\w{1,200})\Z")

_PORT_SCAN_PORTS = "1024-65534"
# RFC 2544, appendix C.2.6.4: a UDP echo request from port 0xC020 with a time to live of 10, its data counting up.
_TEST_FRAME = [{"Ether": None}, {"IP": {"ttl": 10}}, {"UDP": {"sport": 0xC020, "dport": 7}}]
PRESETS: dict[str, dict[str, Any]] = {
    "tcp_port_scan": {
        "layers": [{"Ether": None}, {"IP": None}, {"TCP": {"sport": 1024, "dport": _PORT_SCAN_PORTS}}],
        "size": 64,
    },
    "udp_port_scan": {
        "layers": [{"Ether": None}, {"IP": None}, {"UDP": {"sport": 1024, "dport": _PORT_SCAN_PORTS}}],
        "size": 64,
    },
    "rfc2544": {"layers": _TEST_FRAME, "size": list(RFC2544_SIZES), "fill": "increment"},
    "imix": {"layers": _TEST_FRAME, "size": {"imix": "simple"}, "fill": "increment"},
}


def _layer_entries(layers: Any, on: str) -> list[tuple[str, Any]]:
    """Each layer as (name, fields): a plain name, or a dictionary of one."""
    if not isinstance(layers, list) or not layers:
        raise TrafficgenError(
            "no layers", on=on, remedy="layers is a list, such as [Ether: {...}, IP: {...}, UDP: {...}]."
        )
    if len(layers) > _MOST_LAYERS:
        raise TrafficgenError(f"{len(layers)} layers", on=on, remedy=f"A frame has at most {_MOST_LAYERS}.")
    return [layer_entry(entry, on) for entry in layers]


def _merged(preset: list[Any], own: Any, on: str) -> list[Any]:
    """A preset's layers with the fields of ``own`` put over them, by layer name."""
    merged = [(name, dict(fields or {})) for name, fields in _layer_entries(preset, on)]
    for name, fields in _layer_entries(own, on):
        for known, into in merged:
            if known == name:
                if not isinstance(fields or {}, dict):
                    raise no_fields(name, fields, on)
                into.update(fields or {})
                break
        else:
            names = ", ".join(known for known, _fields in merged)
            raise TrafficgenError(
                f"the preset has no layer {name!r} to change",
                on=on,
                remedy=f"It has {names}. Leave preset out to give all layers.",
            )
    return [{name: fields} for name, fields in merged]


def _with_preset(given: dict[str, Any], on: str) -> dict[str, Any]:
    """A stream's options with those of its preset where it has none of its own."""
    own = {key: value for key, value in given.items() if value is not None}
    name = own.pop("preset", None)
    if name is None:
        return own
    if name not in PRESETS:
        raise TrafficgenError(f"no preset {name!r}", on=on, remedy=f"There are: {', '.join(sorted(PRESETS))}.")
    preset = PRESETS[name]
    layers = _merged(preset["layers"], own["layers"], on) if "layers" in own else preset["layers"]
    return {**preset, **own, "layers": layers}


def _positive(value: Any, what: str, on: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TrafficgenError(f"{what} is {value!r}", on=on, remedy=f"{what} must be a whole number, 1 or more.")
    return value


def _strictly_whole(value: Any, what: str, on: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TrafficgenError(f"{what} is {value!r}", on=on, remedy=f"{what} must be a whole number.")
    return value


def _fill(options: dict[str, Any], number: int, on: str) -> Fill:
    """What fills the frames of stream ``number`` of the file."""
    kind = options.get("fill", "zeros")
    if kind == "random":
        return RandomFill(_strictly_whole(options.get("seed", 0), "seed", on), number)
    if "seed" in options:
        raise TrafficgenError(f"seed is given, but fill is {kind}", on=on, remedy="Give seed only with fill: random.")
    return Fill(FILLS[kind])


def _member(layers: list[LayerSpec], text: Any, on: str) -> Member:
    """The varying field that ``LAYER.FIELD`` or ``LAYER:NUMBER.FIELD`` names, the number counting layers of one name
    from the outside."""
    found = _MEMBER.match(text) if isinstance(text, str) else None
    if not found:
        raise TrafficgenError(
            f"{text!r} is not a field", on=on, remedy="Name a field as Ether.src, or IP:2.src of the second IP layer."
        )
    every = [*layers, *(inner for layer in layers for inner in layer.inside())]
    named = [spec for spec in every if spec.name == found[1]]
    if not named:
        raise TrafficgenError(
            f"there is no layer {found[1]!r} for {text!r}",
            on=on,
            remedy=f"There are: {', '.join(spec.name for spec in every)}.",
        )
    if found[2]:
        place = int(found[2])
        named = [named[place - 1]] if 1 <= place <= len(named) else []
    varying = [spec for spec in named if found[3] in spec.varying and found[3] not in spec.follows]
    if len(varying) > 1:
        raise TrafficgenError(
            f"several layers have a field {text!r} that varies",
            on=on,
            remedy=f"Say which: {found[1]}:1.{found[3]} is the outermost.",
        )
    if not varying:
        raise TrafficgenError(
            f"{text} does not vary",
            on=on,
            remedy=(
                "Give it several values in layers. A destination MAC that is left out follows the address of its"
                " group anyway."
            ),
        )
    return varying[0], found[3]


def _together(layers: list[LayerSpec], given: Any, on: str) -> list[list[Member]]:
    """The groups of fields that move together: of as many values each, and each field in one group."""
    if given is None:
        return []
    if not isinstance(given, list) or not given:
        raise TrafficgenError(
            f"{given!r} is not a list of groups of fields", on=on, remedy="Write [[Ether.src, IP.src]]."
        )
    groups = []
    taken = set()
    for names in given if all(isinstance(one, list) for one in given) else [given]:
        members = [_member(layers, name, on) for name in names]
        if len(members) < 2:
            raise TrafficgenError(f"the group {names!r} has one field", on=on, remedy="Name two fields or more.")
        counts = [spec.varying[name].count for spec, name in members]
        if len(set(counts)) > 1:
            said = ", ".join(f"{name} has {count}" for name, count in zip(names, counts))
            # Beginning the shorter one again would pair what does not belong together, without a word.
            raise TrafficgenError(f"{said} values", on=on, remedy="Fields of one group need the same number of values.")
        for (spec, field), name in zip(members, names):
            if (id(spec), field) in taken:
                raise TrafficgenError(f"{name} is listed twice", on=on, remedy="A field can be in one group only.")
            taken.add((id(spec), field))
        groups.append(members)
    return groups


def read_stream(given: dict[str, Any], on: str, number: int = 0, test: int | None = None) -> Stream:
    """One stream of a spec. ``on`` names it in errors, ``number`` is its place in the file; ``test`` is the number in
    its marks, None for none."""
    options = _with_preset(given, on)
    layers = read_stack(_layer_entries(options.get("layers"), on), on)
    base = options.get("size_of", "wire")
    sizes = size_cycle(options["size"], base, f"{on}, size") if "size" in options else []
    count = _positive(options["count"], "count", on) if "count" in options else None
    weight = _positive(options.get("weight", 1), "weight", on)
    together = _together(layers, options.get("together"), f"{on}, together")
    if options.get("reverse"):
        swap_ends(layers, on)
        together = [[(layer, swapped(layer, name)) for layer, name in group] for group in together]
    fill = _fill(options, number, on)
    return Stream(
        layers,
        sizes=sizes,
        base=base,
        count=count,
        weight=weight,
        fill=fill,
        on=on,
        together=together,
        marks=None if test is None else (test, number),
    )


def read_interval(interval: Any) -> tuple[Clock, bool]:
    """The clock of a file whose frames are ``interval`` seconds apart, and whether its times are in nanoseconds.

    Microseconds, which every reader takes, where they hold the interval exactly.
    """
    try:
        seconds = Decimal(str(interval))
    except InvalidOperation:
        raise TrafficgenError(f"{interval!r} is not a number of seconds", on="interval") from None
    if not seconds.is_finite() or seconds < 0:
        raise TrafficgenError(
            f"{interval} is not a time between frames", on="interval", remedy="Give seconds, 0 or more."
        )
    nanoseconds = seconds * 10**9
    if nanoseconds != nanoseconds.to_integral_value():
        raise TrafficgenError(
            f"{interval} s is not a whole number of nanoseconds", on="interval", remedy="A pcap stores no finer time."
        )
    if int(nanoseconds) % 1000 == 0:
        return Clock(int(nanoseconds) // 1000, 10**6), False
    return Clock(int(nanoseconds), 10**9), True


def read_traffic(streams: Any, interval: Any, test: int | None = None) -> tuple[Interleaved, int, bool]:
    """All of a spec: the traffic, its pcap link type, and whether its times are in nanoseconds.

    :param streams: the module's ``streams``. With a ``weight`` in every one they are interleaved, with none they follow
    one another.
    :param test: the number of the test in the frames' marks; None: no marks.
    """
    if not streams:
        raise TrafficgenError(
            "no streams", on="streams", remedy="Give at least one: {preset: tcp_port_scan}, or {layers: [...]}."
        )
    weighted = [stream.get("weight") is not None for stream in streams]
    if any(weighted) and not all(weighted):
        raise TrafficgenError(
            "some streams have a weight, and some have none",
            on="streams",
            remedy="Interleaved streams all need one; streams that follow one another have none.",
        )
    clock, nanoseconds = read_interval(interval)
    read = []
    for number, given in enumerate(streams):
        name = given.get("name")
        on = f"stream {name!r}" if name else f"streams[{number}]"
        read.append(read_stream({key: given[key] for key in given if key != "name"}, on, number, test))
    link_types = {stream.stack.link_type() for stream in read}
    if len(link_types) > 1:
        raise TrafficgenError(
            "the streams start with different kinds of layers", on="streams", remedy="One pcap has one link type."
        )
    return Interleaved(read, interleaved=all(weighted), clock=clock), link_types.pop(), nanoseconds
