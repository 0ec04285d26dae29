# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layer of a spec is: its constant and varying fields, and what Scapy says of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Union

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.scapy_classes import scapy_module
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import Numbers, mac_text


@dataclass(eq=False)
class LayerSpec:
    """One layer as given: its Scapy class, its constant fields, those that vary, and those that hold packets, in the
    header's order."""

    name: str
    scapy_class: Any
    constants: dict[str, Any] = field(default_factory=dict)
    varying: dict[str, Values] = field(default_factory=dict)
    packets: dict[str, list[list[LayerSpec]]] = field(
        default_factory=dict
    )  # each a stack of layers, the outermost first
    open: dict[str, str] = field(default_factory=dict)  # destinations that were not given, and their kind
    follows: dict[str, tuple[LayerSpec, str]] = field(
        default_factory=dict
    )  # a varying field that moves with another layer's
    swapped: dict[str, str] = field(default_factory=dict)  # the place of each field that changed places, of the other

    def inside(self) -> Iterator[LayerSpec]:
        """The layers within its fields, however deep."""
        for packets in self.packets.values():
            for stack in packets:
                for layer in stack:
                    yield layer
                    yield from layer.inside()

    def has(self, name: str) -> bool:
        """Whether the spec gives the field a value."""
        return name in self.constants or name in self.varying or name in self.packets


class FieldNumbers:
    """A varying field whose values are numbers: of ``bits`` bits, shown to Scapy as numbers or addresses (``kind``)."""

    def __init__(self, kind: str, bits: int, numbers: Numbers) -> None:
        self.kind = kind
        self.bits = bits
        self.numbers = numbers

    @property
    def count(self) -> int:
        """How many values there are: len() ends at 2**63, an IPv6 prefix does not."""
        return self.numbers.count

    def scapy_value(self, number: int) -> Any:
        """``number`` in the form that Scapy takes for this field."""
        if self.kind == "ip4":
            return str(IPv4Address(number))
        if self.kind == "ip6":
            return str(IPv6Address(number))
        return mac_text(number) if self.kind == "mac" else number

    def __getitem__(self, index: int) -> Any:
        return self.scapy_value(self.numbers[index])


class FieldObjects:
    """A varying field of any other type: its values are Scapy's to encode."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index]


Values = Union[FieldNumbers, FieldObjects]


def field_of(layer: Any, name: str) -> Any:
    """The field that encodes ``name``, without the wrappers that make it conditional or choose among several."""
    found = layer.get_field(name)
    while True:
        if hasattr(found, "_find_fld_pkt_val"):  # MultipleTypeField: the one that the layer's other fields ask for
            found, _value = found._find_fld_pkt_val(layer, None)
        elif hasattr(found, "fld"):  # ConditionalField, Emph, ActionField
            found = found.fld
        else:
            return found


def kind_of(scapy_field: Any, layer: Any) -> tuple[str, int]:
    """What a field's values are ("number", "ip4", "ip6", "mac" or "other"), and how many bits they have."""
    fields = scapy_module("scapy.fields")
    inet6 = getattr(fields, "IP6Field", None)
    if isinstance(scapy_field, fields.IPField):
        return "ip4", 32
    if inet6 and isinstance(scapy_field, inet6):
        return "ip6", 128
    if isinstance(scapy_field, fields.MACField):
        return "mac", 48
    if isinstance(scapy_field, fields.BitField):
        return "number", abs(int(scapy_field.size))
    form = getattr(scapy_field, "fmt", "")
    plain = not (scapy_field.islist or scapy_field.holds_packets or isinstance(scapy_field, fields.StrField))
    if plain and isinstance(form, str) and form.strip("!<>=@") in tuple("BHIQ"):
        # A format says little: the prefixes of BGP have that of a number, the 24 bits of VXLAN that of 32.
        bits = int(8 * scapy_field.sz)
        try:
            low = scapy_field.addfield(layer, b"", 1)
            high = low
            with suppress(Exception):
                high = scapy_field.addfield(layer, b"", (1 << bits) - 1)
        except Exception:  # whatever a field's own code raises for what is none of its values
            return "other", 0
        if not isinstance(low, bytes):
            return "number", bits  # some bits of a byte
        if low and len(low) == len(high):  # a number of a length of its own is left to Scapy
            return "number", 8 * len(low)
    return "other", 0
