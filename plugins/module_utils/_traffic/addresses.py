# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that a spec leaves out: a default of the test ranges, or what the layers within say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import group_macs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import (
    FieldNumbers,
    LayerSpec,
    field_of,
    kind_of,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import Numbers, mac_text

# What a spec leaves out and Scapy would take from this host's routes, ARP cache and interfaces, or ask the network for:
# the same spec must give the same bytes on every host. Addresses of RFC 2544 and RFC 5180, MACs of no vendor.
_SOURCE_DEFAULTS = {"mac": "02:00:00:00:00:01", "ip4": "198.18.0.1", "ip6": "2001:2::1"}
_DESTINATION_DEFAULTS = {"mac": "02:00:00:00:00:02", "ip4": "198.18.0.2", "ip6": "2001:2::2"}
# What may stand between an Ethernet header and the packet whose destination it takes.
_TAGS = ("Dot1Q", "Dot1AD", "LLC", "SNAP")
# The field that says whom a packet is for.
_LEADERS = {"IP": "dst", "IPv6": "dst", "ARP": "op"}


def pin_default(spec: LayerSpec, layer: Any, name: str) -> None:
    """Give a field that Scapy would fill from this host the collection's own default, or leave it to what lies within
    the layer."""
    scapy_field = field_of(layer, name)
    type_name = type(scapy_field).__name__
    kind, _bits = kind_of(scapy_field, layer)
    if type_name.startswith("Source") and kind in _SOURCE_DEFAULTS:
        spec.constants[name] = _SOURCE_DEFAULTS[kind]
    elif type_name.startswith("Dest") and kind in _DESTINATION_DEFAULTS:
        spec.open[name] = kind
    elif type_name == "ICMPTimeStampField":  # its default is the time at which Scapy was imported
        spec.constants[name] = 0


def set_destination(stack: Sequence[LayerSpec], index: int, name: str, kind: str) -> None:
    """A destination that was not given: what the layers within say, as of multicast, else the collection's own
    default."""
    layer = stack[index]
    within = stack[index + 1] if index + 1 < len(stack) else None
    if within is not None and _said_by_binding(layer, within, name):
        return  # Scapy's own constant, such as 01:80:c2:00:00:03 for EAPOL
    if within is not None and kind != "mac" and _bind_address(layer, within, name, kind):
        return
    layer.constants[name] = _DESTINATION_DEFAULTS[kind]
    if kind != "mac":
        return
    inner = next((one for one in islice(stack, index + 1, None) if one.name not in _TAGS), None)
    if inner is None or inner.name not in _LEADERS:
        return
    leader = _LEADERS[inner.name]
    known = inner.varying.get(leader)
    given = (
        known.numbers
        if isinstance(known, FieldNumbers)
        else Numbers([range(_number_of(inner, leader), _number_of(inner, leader) + 1)])
    )
    macs = group_macs.GroupMacs(given, inner.name, group_macs.number_of(_DESTINATION_DEFAULTS["mac"]))
    if known is None:
        layer.constants[name] = mac_text(macs[0])
    elif macs.vary:
        del layer.constants[name]
        layer.varying[name] = FieldNumbers("mac", 48, macs)
        layer.follows[name] = inner.follows.get(leader, (inner, leader))


def _number_of(spec: LayerSpec, name: str) -> int:
    """The number that a constant field, or its default, is."""
    value = spec.constants.get(name, getattr(spec.scapy_class(), name))
    if isinstance(value, str):
        return int(IPv6Address(value)) if ":" in value else int(IPv4Address(value))
    return int(value)


def _said_by_binding(layer: LayerSpec, within: LayerSpec, name: str) -> bool:
    """Whether Scapy binds the two layers with a value for the field ``name`` of the outer one."""
    inner = within.scapy_class()
    bound: Mapping[str, Any] = next(
        (inner.overload_fields[one] for one in layer.scapy_class().aliastypes if one in inner.overload_fields), {}
    )
    return name in bound


def _bind_address(layer: LayerSpec, within: LayerSpec, name: str, kind: str) -> bool:
    """Give the field ``name`` the group that Scapy knows for the protocol within, such as 224.0.0.5 for OSPF, if it
    knows one."""
    scapy_field = field_of(layer.scapy_class(), name)
    inner = within.scapy_class(**within.constants)
    for address, condition in getattr(scapy_field, "bindings", {}).get(within.scapy_class, []):
        # Where what settles it varies, as the ports of a scan, no frame of them is for the group.
        if set(condition) & set(within.varying) or any(
            getattr(inner, key, None) != value for key, value in condition.items()
        ):
            continue
        groups = {
            key: values
            for key, values in within.varying.items()
            if isinstance(values, FieldNumbers) and values.kind == kind
        }
        if not callable(address):
            layer.constants[name] = address
        elif not groups:
            layer.constants[name] = address(layer.scapy_class(**layer.constants) / inner)
        elif len(groups) == 1:  # the group that an IGMP report is about
            ((leader, values),) = groups.items()
            layer.varying[name] = values
            layer.follows[name] = (within, leader)
        else:
            continue
        return True
    return False
