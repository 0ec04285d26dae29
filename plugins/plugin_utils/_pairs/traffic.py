# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an end of a pair sends: the traffic that was asked for, or its other direction. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import PRESETS

# What may stand between Ethernet's header and the packet.
_TAGS = ("Dot1Q", "Dot1AD")


def end_traffic(traffic: Any, end: Mapping[str, Any], mac: str | None = None, receiver_mac: str | None = None) -> Any:
    """What an end sends: the traffic as it was asked for, or its other direction. MAC addresses that a stream leaves
    out are the ends'.

    :param mac: of the port that sends; ``receiver_mac``: of the one that receives. None where they are not known yet.
    """
    if not isinstance(traffic, Sequence) or isinstance(traffic, str):
        return traffic  # refused with the matrix
    return [_of_end(one, end, end.get("mac") or mac, end.get("to_mac") or receiver_mac) for one in traffic]


def _of_end(one: Any, end: Mapping[str, Any], source: str | None, destination: str | None) -> Any:
    if not isinstance(one, Mapping):
        return one
    own = {key: value for key, value in one.items() if key != "reverse"}
    turn = end["direction"] == "reverse"
    given = one.get("reverse")
    on = f"throughput_traffic, {one.get('name', '?')}"
    if given is not None and (not isinstance(given, Mapping) or not set(given) <= {"streams", "pcap", "ip_size"}):
        raise TrafficgenError(
            f"not the traffic of the other direction: {given!r}",
            on=f"{on}, reverse",
            remedy="It has streams or pcap, and ip_size.",
        )
    if turn and given:
        own = {key: value for key, value in own.items() if key not in ("streams", "pcap", "ip_size")}
        own.update(given)
        turn = False
    if turn and own.get("pcap"):
        raise TrafficgenError(
            f"a capture has no other direction, and {end['pair']}.b sends that",
            on=on,
            remedy="Set reverse: {pcap: FILE} in it for the capture of that side, or throughput_direction: forward.",
        )
    streams = own.get("streams")
    if not isinstance(streams, Sequence) or isinstance(streams, str):
        return own
    if turn:
        source, destination = destination, source
    return {**own, "streams": [_stream(each, source, destination, turn=turn) for each in streams]}


def _stream(given: Any, source: str | None, destination: str | None, *, turn: bool) -> Any:
    if not isinstance(given, Mapping):
        return given
    stream = dict(given)
    preset = PRESETS.get(str(stream.get("preset")))
    own = stream.get("layers") or []
    layers = [_layer(one) for one in (own if isinstance(own, list) else [])]
    known = layers + [_layer(one) for one in (preset["layers"] if preset else [])]
    if preset and not any(name == "Ether" for name, _fields in layers):
        layers.insert(0, ("Ether", {}))
    if layers and layers[0][0] == "Ether" and isinstance(layers[0][1], Mapping):
        macs = {"src": source, "dst": destination if _is_for_one(known) else None}
        left_out = {key: mac for key, mac in macs.items() if mac and layers[0][1].get(key) is None}
        others = own[1:] if own and _layer(own[0])[0] == "Ether" else own
        stream["layers"] = [{"Ether": {**layers[0][1], **left_out}}, *others]
    if turn:
        stream["reverse"] = not stream.get("reverse", False)
    return stream


def _layer(one: Any) -> tuple[str, Any]:
    if isinstance(one, Mapping) and len(one) == 1:
        ((name, fields),) = one.items()
        return str(name), {} if fields is None else fields
    return str(one), {}


def _is_for_one(layers: Sequence[tuple[str, Any]]) -> bool:
    """Whether frames go to one host, so far as the spec shows. What is for a group has the group's MAC address, which
    the module pcap knows."""
    above = [one for one in layers if one[0] not in ("Ether", *_TAGS)]
    if not above or above[0][0] not in ("IP", "IPv6"):
        return False
    fields = [one[1].get("dst") for one in above if one[0] == above[0][0] and isinstance(one[1], Mapping)]
    given = next((one for one in fields if one is not None), None)
    if given is None:  # for OSPF, say, which has a group of its own
        return any(name in ("TCP", "UDP", "ICMP", "SCTP", "Raw") for name, _fields in above) or len(above) == 1
    texts = re.split(r"[-,/\[\]'\s{}]+", str(given))
    return not any(_is_group(text) for text in texts)


def _is_group(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.is_multicast or text == "255.255.255.255"
