# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other direction of a stream: source and destination of each layer change places, and all else stays.

No checksum changes: the Internet checksum is a sum (RFC 1071), and both are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import (
    FieldNumbers,
    LayerSpec,
    field_of,
    kind_of,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.layers import Stack
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import spans

# What says where a frame comes from and where it goes: of Ethernet, IP and IPv6; of ARP; of TCP, UDP and SCTP.
_ENDS = (("src", "dst"), ("hwsrc", "hwdst"), ("psrc", "pdst"), ("sport", "dport"))
_REMEDY = "Give the traffic of the other direction by itself, without reverse."


def swap_ends(layers: Sequence[LayerSpec], on: str) -> None:
    """Swap sender and receiver in each layer, tunnelled ones as well. Frame i becomes frame i of the other direction:
    the order of the product stays.

    A frame for a group has no other direction: no frame comes from a group.
    """
    stack = Stack(layers, on)
    first = {(stack.number(layer), name): values[0] for layer in stack.specs for name, values in layer.varying.items()}
    try:
        packet = stack.packet(first)
        for layer in layers:
            _swap(layer, packet, on)
            packet = packet.payload
    except TrafficgenError:
        raise
    except Exception as error:  # whatever a layer's own code raises
        names = ", ".join(layer.name for layer in layers)
        raise TrafficgenError(
            f"Scapy could not swap the ends of {names}",
            on=on,
            said=f"{type(error).__name__}: {error}",
            remedy=_REMEDY,
        ) from error


def swapped(layer: LayerSpec, name: str) -> str:
    """What a field is called after the swap."""
    return layer.swapped.get(name, name)


def _swap(layer: LayerSpec, packet: Any, on: str) -> None:
    names = {desc.name for desc in layer.scapy_class.fields_desc}
    for sender, receiver in _ENDS:
        if not {sender, receiver} <= names:
            continue
        for name in (sender, receiver):
            if not layer.has(name):
                layer.constants[name] = _default(layer, packet, name)
        if any(_is_group(*span) for span in _numbers(layer, packet, receiver)):
            raise TrafficgenError(
                "is for a group, and nothing comes from a group, so it has no other direction",
                on=f"{on}, {layer.name}.{receiver}",
                remedy=_REMEDY,
            )
        for values in (layer.constants, layer.varying):
            moved = {new: values.pop(old) for old, new in ((sender, receiver), (receiver, sender)) if old in values}
            values.update(moved)
        layer.swapped.update({sender: receiver, receiver: sender})


def _default(layer: LayerSpec, packet: Any, name: str) -> Any:
    """What a field has that was not given: the layer's default, or what the layer within asks for. None is a value that
    is found only when the bytes are made, as ARP's zeros."""
    value = packet.getfieldval(name)
    return layer.scapy_class(bytes(packet)).getfieldval(name) if value is None else value


def _numbers(layer: LayerSpec, packet: Any, name: str) -> list[tuple[str, int, int]]:
    """The kind of an address field, and the lowest and the highest of its numbers for each of its ranges."""
    values = layer.varying.get(name)
    if isinstance(values, FieldNumbers):
        return [(values.kind, *ends) for ends in spans(values.numbers.ranges)]
    kind, _bits = kind_of(field_of(packet, name), packet)
    text = str(layer.constants.get(name, ""))
    if kind == "mac":
        number = int(text.replace(":", ""), 16)
    elif kind in ("ip4", "ip6"):
        number = int(IPv4Address(text) if kind == "ip4" else IPv6Address(text))
    else:
        return []
    return [(kind, number, number)]


def _is_group(kind: str, low: int, high: int) -> bool:
    """Whether one of the addresses from ``low`` to ``high`` is multicast or broadcast."""
    if kind == "mac":  # the lowest bit of the first byte (IEEE 802)
        return any(byte & 1 for byte in range(low >> 40, min(high >> 40, (low >> 40) + 1) + 1))
    if kind == "ip4":
        return (low < 240 << 24 and high >= 224 << 24) or high == (1 << 32) - 1
    return kind == "ip6" and high >= 0xFF << 120
