# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the ``streams`` of a traffic spec, presets included, to streams of frames. Every error names the stream and the field."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._frames import Clock, Stream, Traffic
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._scapy_layers import LayerSpec, no_fields, read_layer
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._sizes import RFC2544_SIZES, size_cycle

# What the rest of a frame is filled with, repeated.
FILLS = {"zeros": bytes(1), "increment": bytes(range(256))}

_MOST_LAYERS = 100

_PORT_SCAN_PORTS = "1024-65534"
# RFC 2544, appendix C.2.6.4: a UDP echo request from port 0xC020 with a time to live of 10, its data counting up.
_TEST_FRAME = [{"Ether": None}, {"IP": {"ttl": 10}}, {"UDP": {"sport": 0xC020, "dport": 7}}]
PRESETS: dict[str, dict[str, Any]] = {
    "tcp_port_scan": {"layers": [{"Ether": None}, {"IP": None}, {"TCP": {"sport": 1024, "dport": _PORT_SCAN_PORTS}}], "size": 64},
    "udp_port_scan": {"layers": [{"Ether": None}, {"IP": None}, {"UDP": {"sport": 1024, "dport": _PORT_SCAN_PORTS}}], "size": 64},
    "rfc2544": {"layers": _TEST_FRAME, "size": list(RFC2544_SIZES), "fill": "increment"},
    "imix": {"layers": _TEST_FRAME, "size": {"imix": "simple"}, "fill": "increment"},
}


def _layer_entries(layers: Any, on: str) -> list[tuple[str, Any]]:
    """Each layer as (name, fields): a plain name, or a dictionary of one."""
    if not isinstance(layers, list) or not layers:
        raise TrafficgenError("no layers", on=on, remedy="layers is a list, such as [Ether: {...}, IP: {...}, UDP: {...}].")
    if len(layers) > _MOST_LAYERS:
        raise TrafficgenError(f"{len(layers)} layers", on=on, remedy=f"A frame has at most {_MOST_LAYERS}.")
    entries = []
    for entry in layers:
        if isinstance(entry, str):
            entries.append((entry, None))
        elif isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry)), str):
            entries.append(next(iter(entry.items())))
        else:
            raise TrafficgenError(f"{entry!r} is no layer", on=on, remedy="A layer is its name or {name: {field: value}}.")
    return entries


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
                f"the preset has no layer {name!r} to change", on=on, remedy=f"It has {names}. Leave preset out to give all layers."
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
        raise TrafficgenError(f"{what} is {value!r}", on=on, remedy=f"{what} is a whole number from 1 on.")
    return value


def read_stream(given: dict[str, Any], on: str) -> Stream:
    """One stream of a spec. ``on`` names it in errors."""
    options = _with_preset(given, on)
    layers: list[LayerSpec] = [read_layer(name, fields, on) for name, fields in _layer_entries(options.get("layers"), on)]
    base = options.get("size_of", "wire")
    sizes = size_cycle(options["size"], base, f"{on}, size") if "size" in options else []
    count = _positive(options["count"], "count", on) if "count" in options else None
    weight = _positive(options.get("weight", 1), "weight", on)
    return Stream(layers, sizes=sizes, base=base, count=count, weight=weight, fill=FILLS[options.get("fill", "zeros")], on=on)


def read_interval(interval: Any) -> tuple[Clock, bool]:
    """The clock of a file whose frames are ``interval`` seconds apart, and whether its times are in nanoseconds.

    Microseconds, which every reader takes, where they hold the interval exactly.
    """
    try:
        seconds = Decimal(str(interval))
    except InvalidOperation:
        raise TrafficgenError(f"{interval!r} is not a number of seconds", on="interval") from None
    if not seconds.is_finite() or seconds < 0:
        raise TrafficgenError(f"{interval} is not a time between frames", on="interval", remedy="Give seconds, 0 or more.")
    nanoseconds = seconds * 10**9
    if nanoseconds != nanoseconds.to_integral_value():
        raise TrafficgenError(f"{interval} s is no whole number of nanoseconds", on="interval", remedy="A pcap holds no finer time.")
    if int(nanoseconds) % 1000 == 0:
        return Clock(int(nanoseconds) // 1000, 10**6), False
    return Clock(int(nanoseconds), 10**9), True


def read_traffic(streams: Any, interval: Any) -> tuple[Traffic, int, bool]:
    """All of a spec: the traffic, its pcap link type, and whether its times are in nanoseconds.

    :param streams: the module's ``streams``. With a ``weight`` in every one they are interleaved, with none they follow one another.
    """
    if not streams:
        raise TrafficgenError("no streams", on="streams", remedy="Give at least one: {preset: tcp_port_scan}, or {layers: [...]}.")
    weighted = [stream.get("weight") is not None for stream in streams]
    if any(weighted) and not all(weighted):
        raise TrafficgenError(
            "some streams have a weight, and some have none", on="streams",
            remedy="Interleaved streams all need one; streams that follow one another have none.",
        )  # fmt: skip
    clock, nanoseconds = read_interval(interval)
    read = []
    for number, given in enumerate(streams):
        name = given.get("name")
        read.append(read_stream({key: given[key] for key in given if key != "name"}, f"stream {name!r}" if name else f"streams[{number}]"))
    link_types = {stream.stack.link_type() for stream in read}
    if len(link_types) > 1:
        raise TrafficgenError("the streams start with different kinds of layers", on="streams", remedy="One pcap has one link type.")
    return Traffic(read, interleaved=all(weighted), clock=clock), link_types.pop(), nanoseconds
