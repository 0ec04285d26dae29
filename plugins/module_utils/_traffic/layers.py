# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a traffic spec as Scapy knows them: names to classes, given values to field values, values to bytes.

The only file that imports Scapy, and only when it is first used: everything else works on bytes and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Union

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import group_macs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import values as _values
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.scapy_classes import (
    layer_class,
    moment,
    near,
    scapy_module,
)

# What a spec leaves out and Scapy would take from this host's routes, ARP cache and interfaces, or ask the network for:
# the same spec must give the same bytes on every host. Addresses of RFC 2544 and RFC 5180, MACs of no vendor.
_SOURCE_DEFAULTS = {"mac": "02:00:00:00:00:01", "ip4": "198.18.0.1", "ip6": "2001:2::1"}
_DESTINATION_DEFAULTS = {"mac": "02:00:00:00:00:02", "ip4": "198.18.0.2", "ip6": "2001:2::2"}
# Layers whose "chksum" is the Internet checksum (RFC 1071), so that it can be patched; all of ICMPv6 and IGMP as well.
_INTERNET_CHECKSUMS = ("IP", "TCP", "UDP", "ICMP", "GRE", "OSPF_Hdr", "PIMv2Hdr", "VRRP")
_CHECKSUM_FIELDS = ("chksum", "cksum", "checksum")
# What may stand between an Ethernet header and the packet whose destination it takes.
_TAGS = ("Dot1Q", "Dot1AD", "LLC", "SNAP")
# The field that says whom a packet is for.
_LEADERS = {"IP": "dst", "IPv6": "dst", "ARP": "op"}
_DEEPEST = 20  # packets in fields of packets in fields …


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

    def __init__(self, kind: str, bits: int, numbers: _values.Numbers) -> None:
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
        return _values.mac_text(number) if self.kind == "mac" else number

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


def layer_entry(entry: Any, on: str) -> tuple[str, Any]:
    """A layer as (name, fields): a plain name, or a dictionary of one."""
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry)), str):
        return next(iter(entry.items()))
    raise TrafficgenError(f"{entry!r} is no layer", on=on, remedy="A layer is its name or {name: {field: value}}.")


def _scapy_field(layer: Any, name: str) -> Any:
    """The field that encodes ``name``, without the wrappers that make it conditional or choose among several."""
    found = layer.get_field(name)
    while True:
        if hasattr(found, "_find_fld_pkt_val"):  # MultipleTypeField: the one that the layer's other fields ask for
            found, _value = found._find_fld_pkt_val(layer, None)
        elif hasattr(found, "fld"):  # ConditionalField, Emph, ActionField
            found = found.fld
        else:
            return found


def _kind(scapy_field: Any, layer: Any) -> tuple[str, int]:
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


def _named_number(scapy_field: Any, layer: Any, on: str) -> Any:
    """A reader of the names that a field has for its numbers: flags such as "SA", types such as "echo-request"."""

    def by_name(text: str) -> int:
        try:
            return int(scapy_field.any2i(layer, text))
        except (KeyError, ValueError, TypeError, AttributeError, IndexError):
            names = [str(known) for known in getattr(scapy_field, "s2i", {})] or list(
                getattr(scapy_field, "names", []) or []
            )
            raise TrafficgenError(
                f"{text!r} is no value of this field", on=on, remedy=near(text, names) if names else ""
            ) from None

    return by_name


def _as_tuple(item: Any) -> Any:
    return tuple(_as_tuple(part) for part in item) if isinstance(item, list) else item


def _tcp_option(item: Any, on: str) -> Any:
    """One of TCP's options as Scapy takes it: from its name, {name: value}, or [name, value]."""
    if isinstance(item, str):
        item = [item, None]
    elif isinstance(item, dict) and len(item) == 1:
        item = list(next(iter(item.items())))
    if not isinstance(item, list) or len(item) != 2:
        raise TrafficgenError(
            f"{item!r} is no option", on=on, remedy="An option is NOP, or {MSS: 1460}, or {Timestamp: [1, 0]}."
        )
    name, value = item
    return name, b"" if name == "SAckOK" and value is None else _as_tuple(value)


def _bytes_of(name: str, value: Any, on: str) -> bytes:
    """The payload of a Raw layer: ``load`` as text, ``hex`` as pairs of hexadecimal digits."""
    if not isinstance(value, str):
        raise TrafficgenError(f"{value!r} is no text", on=on, remedy="Put it in quotes.")
    try:
        # Ansible hands on bytes that are no UTF-8 as surrogates.
        return value.encode(errors="surrogateescape") if name == "load" else bytes.fromhex(value)
    except ValueError as error:
        what = "not text" if name == "load" else "not hexadecimal"
        raise TrafficgenError(f"{value!r} is {what}", on=on, said=str(error)) from None


def _field_values(layer: Any, name: str, given: Any, on: str) -> Any:
    """What a given value stands for: a constant that Scapy takes, or a :class:`FieldNumbers` or
    :class:`FieldObjects`."""
    scapy_field = _scapy_field(layer, name)
    kind, bits = _kind(scapy_field, layer)
    if kind == "other":
        if type(scapy_field).__name__ == "TCPOptionsField":
            if not isinstance(given, list):
                raise TrafficgenError(
                    f"{given!r} is no list of options", on=on, remedy="Such as [{MSS: 1460}, NOP, {WScale: 7}]."
                )
            return [_tcp_option(item, on) for item in given]
        if isinstance(given, list) and not scapy_field.islist:
            if not given:
                raise TrafficgenError("an empty list", on=on)
            return FieldObjects(given) if len(given) > 1 else given[0]
        # Options, as of DHCP, are pairs in Scapy; YAML has lists only.
        return [_as_tuple(item) for item in given] if isinstance(given, list) else given
    items = given if isinstance(given, list) else [given]
    if not items:
        raise TrafficgenError("an empty list", on=on)
    if kind == "number":
        by_name = _named_number(scapy_field, layer, on)
        ranges = [_values.number_range(item, bits, on, by_name) for item in items]
    elif kind == "mac":
        ranges = [_values.mac_range(item, on) for item in items]
    else:
        ranges = [_values.address_range(item, 4 if kind == "ip4" else 6, on) for item in items]
    values = FieldNumbers(kind, bits, _values.Numbers(ranges))
    return values if values.count > 1 else values[0]


def no_fields(name: str, given: Any, on: str) -> TrafficgenError:
    """The error for a layer whose fields are no dictionary."""
    return TrafficgenError(
        f"{given!r} are no fields", on=f"{on}, {name}", remedy="A layer's fields are a dictionary: {name: value}."
    )


def _packets(scapy_field: Any, given: Any, on: str, depth: int) -> list[list[LayerSpec]]:
    """The packets that a field holds. A packet of several layers is a list of them, from the outermost inwards."""
    if depth > _DEEPEST:
        raise TrafficgenError(f"packets in fields, {_DEEPEST} deep", on=on)
    known = getattr(scapy_field, "cls", None)
    example = known.__name__ if isinstance(known, type) else "CLASS"
    found = []
    for number, item in enumerate(given if isinstance(given, list) else [given]):
        place = f"{on}[{number}]" if isinstance(given, list) else on
        stack = item if isinstance(item, list) else [item]
        # A plain word is a layer only where it looks like one: "www.example.com" is what goes into a field of one.
        if not stack or not all(
            isinstance(one, dict) or (isinstance(one, str) and one.isidentifier()) for one in stack
        ):
            raise TrafficgenError(
                f"{item!r} is no packet, and this field holds packets",
                on=place,
                remedy=f"Write each as a layer, in a list: [{{{example}: {{field: value}}}}].",
            )
        found.append(read_stack([layer_entry(one, place) for one in stack], place, depth + 1))
    if len(found) > 1 and not scapy_field.islist and not isinstance(scapy_field, scapy_module("scapy.fields").StrField):
        raise TrafficgenError(
            f"{len(found)} packets, and this field holds one",
            on=on,
            remedy="One of several layers is a list in the list: [[IP, UDP]].",
        )
    return found


def read_stack(entries: Sequence[tuple[str, Any]], on: str, depth: int = 0) -> list[LayerSpec]:
    """Layers that lie one in the other, the outermost first, each checked, with the destinations that follow from one
    another."""
    try:
        stack = [read_layer(name, fields, on, depth) for name, fields in entries]
        for index in reversed(range(len(stack))):
            for field_name, kind in stack[index].open.items():
                _set_destination(stack, index, field_name, kind)
    except TrafficgenError:
        raise
    except Exception as error:  # some of Scapy's classes are only there to make others of
        names = ", ".join(name for name, _fields in entries)
        raise TrafficgenError(
            f"Scapy could not make {names}", on=on, said=f"{type(error).__name__}: {error}"
        ) from error
    return stack


def read_layer(name: str, given: Any, on: str, depth: int = 0) -> LayerSpec:
    """One layer of a spec: its class, and each field's value or values, checked against the field's type and range."""
    scapy_class = layer_class(name, on)
    layer = scapy_class()
    spec = LayerSpec(scapy_class.__name__, scapy_class)
    fields = {} if given is None else given
    if not isinstance(fields, dict):
        raise no_fields(name, given, on)
    names = [known.name for known in scapy_class.fields_desc]
    raw = ("load", "hex") if spec.name == "Raw" else ()
    for field_name in fields:
        if field_name not in names and field_name not in raw:
            raise TrafficgenError(f"{name} has no field {field_name!r}", on=on, remedy=near(str(field_name), names))
    # In the header's order, since what a field is may hang on one before it.
    for field_name in sorted(fields, key=lambda one: names.index("load" if one in raw else one)):
        value = fields[field_name]
        where = f"{on}, {name}.{field_name}"
        target = "load" if field_name in raw else field_name
        if target in raw:
            loads = [_bytes_of(field_name, item, where) for item in (value if isinstance(value, list) else [value])]
            if not loads:
                raise TrafficgenError("an empty list", on=where)
            values: Any = FieldObjects(loads) if len(loads) > 1 else loads[0]
        elif value is None:
            continue  # as if it were not there: Scapy computes it
        elif _scapy_field(layer, field_name).holds_packets and value != []:
            spec.packets[field_name] = _packets(_scapy_field(layer, field_name), value, where, depth)
            continue
        else:
            values = _field_values(layer, field_name, value, where)
        if spec.has(target):
            raise TrafficgenError(f"{target} is given twice", on=f"{on}, {name}")
        if isinstance(values, (FieldNumbers, FieldObjects)):
            spec.varying[target] = values
        else:
            spec.constants[target] = values
        layer.fields[target] = values[0] if target in spec.varying else values
    # Scapy's own order, whatever order they were given in: that of the header.
    spec.varying = {field_name: spec.varying[field_name] for field_name in names if field_name in spec.varying}
    for field_name in names:
        if not spec.has(field_name):
            _pin_default(spec, layer, field_name)
    return spec


def _pin_default(spec: LayerSpec, layer: Any, name: str) -> None:
    """Give a field that Scapy would fill from this host the collection's own default, or leave it to what lies within
    the layer."""
    scapy_field = _scapy_field(layer, name)
    type_name = type(scapy_field).__name__
    kind, _bits = _kind(scapy_field, layer)
    if type_name.startswith("Source") and kind in _SOURCE_DEFAULTS:
        spec.constants[name] = _SOURCE_DEFAULTS[kind]
    elif type_name.startswith("Dest") and kind in _DESTINATION_DEFAULTS:
        spec.open[name] = kind
    elif type_name == "ICMPTimeStampField":  # its default is the time at which Scapy was imported
        spec.constants[name] = 0


def _set_destination(stack: Sequence[LayerSpec], index: int, name: str, kind: str) -> None:
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
    inner = next((one for one in stack[index + 1 :] if one.name not in _TAGS), None)
    if inner is None or inner.name not in _LEADERS:
        return
    leader = _LEADERS[inner.name]
    known = inner.varying.get(leader)
    given = (
        known.numbers
        if isinstance(known, FieldNumbers)
        else _values.Numbers([range(_number_of(inner, leader), _number_of(inner, leader) + 1)])
    )
    macs = group_macs.GroupMacs(given, inner.name, group_macs.number_of(_DESTINATION_DEFAULTS["mac"]))
    if known is None:
        layer.constants[name] = _values.mac_text(macs[0])
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
    scapy_field = _scapy_field(layer.scapy_class(), name)
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


class Stack:
    """The layers of a stream, built into bytes by Scapy.

    A field is named by (number of its layer, name). The layers are numbered from the outermost inwards, then those
    within fields.
    """

    def __init__(self, layers: Sequence[LayerSpec], on: str) -> None:
        self.layers = list(layers)
        self.specs = [*layers, *(inner for layer in layers for inner in layer.inside())]
        self._number = {id(spec): number for number, spec in enumerate(self.specs)}
        self.on = on

    def number(self, spec: LayerSpec) -> int:
        """A layer's number."""
        return self._number[id(spec)]

    def fields(self) -> Iterator[tuple[LayerSpec, str]]:
        """The varying fields, in Scapy's order of the product: the innermost layer's first, in a layer the one that
        stands first."""

        def inwards(stack: Sequence[LayerSpec]) -> Iterator[tuple[LayerSpec, str]]:
            for layer in reversed(stack):
                for desc in layer.scapy_class.fields_desc:
                    if desc.name in layer.varying:
                        yield layer, desc.name
                    for packet in layer.packets.get(desc.name, ()):
                        yield from inwards(packet)

        return inwards(self.layers)

    def link_type(self) -> int:
        """The pcap link type that the outermost layer asks for (1 is Ethernet, 101 raw IP)."""
        outermost = self.layers[0]
        if outermost.name in ("IP", "IPv6"):
            return 101
        number = scapy_module("scapy.config").conf.l2types.layer2num.get(outermost.scapy_class)
        if number is None:
            raise TrafficgenError(
                f"{outermost.name} cannot be the outermost layer of a pcap", on=self.on, remedy="Start with Ether."
            )
        return int(number)

    def build(self, values: Mapping[tuple[int, str], Any], payload: bytes = b"", start: int = 0) -> bytes:
        """The frame with the varying fields at ``values`` and ``payload`` behind it.

        :param start: leave out as many layers, from the outermost on.
        """
        own: dict[int, dict[str, Any]] = {}
        for (number, name), value in values.items():
            own.setdefault(number, {})[name] = value
        try:
            return bytes(self._stacked(self.layers[start:], own, payload))
        except TrafficgenError:
            raise
        except Exception as error:  # whatever a layer's own code raises for a value that it does not take
            raise TrafficgenError(
                "Scapy could not build the frame", on=self.on, said=f"{type(error).__name__}: {error}"
            ) from error

    def _stacked(self, layers: Sequence[LayerSpec], own: Mapping[int, Mapping[str, Any]], payload: bytes = b"") -> Any:
        """Layers one in the other, as a packet of Scapy's."""
        built: list[Any] = []
        for layer in layers:
            fields = dict(layer.constants)
            for name, stacks in layer.packets.items():
                packets = [self._stacked(stack, own) for stack in stacks]
                is_list = _scapy_field(layer.scapy_class(), name).islist
                for other in (
                    [] if is_list else packets[1:]
                ):  # DNS's records up to Scapy 2.5: each the payload of the one before
                    packets[0].add_payload(other)
                fields[name] = packets if is_list else packets[0]
            fields.update(own.get(self.number(layer), {}))
            if payload and layer is layers[-1] and layer.name == "Raw":
                fields["load"] = fields.get("load", b"") + payload
                payload = b""
            built.append(layer.scapy_class(**fields))
        if payload:
            built.append(scapy_module("scapy.packet").Raw(payload))
        for outer, inner in zip(built, built[1:]):
            outer.add_payload(inner)  # what "/" does, which copies both
        for packet in built:
            packet.explicit = 1  # nothing varies any more: no product to go through
        return built[0]

    def by_chance(self) -> list[str]:
        """The fields that Scapy fills at random, as far as it says so."""
        chance = scapy_module("scapy.volatile").VolatileValue
        return [
            f"{spec.name}.{name}"
            for spec in self.specs
            for name, default in spec.scapy_class().default_fields.items()
            if isinstance(default, chance) and not spec.has(name)
        ]

    def repeatable(self, values: dict[tuple[int, str], Any]) -> bool:
        """Whether Scapy builds the same frame again, and would at another time."""
        frames = set()
        for seconds in (0.0, 1e9, 1234567890.987):  # as for ICMP's timestamps
            with moment(seconds):
                frames.add(self.build(values))
        return len(frames) == 1

    def ip_offset(self, values: dict[tuple[int, str], Any]) -> int | None:
        """Bytes before the outermost IP or IPv6 header; None without one."""
        for index, layer in enumerate(self.layers):
            if layer.name in ("IP", "IPv6"):
                return len(self.build(values)) - len(self.build(values, start=index))
        return None

    def auto_checksums(self) -> list[tuple[int, str, bool]]:
        """The checksums that Scapy computes: (layer's number, field, whether zero is sent as 0xffff), outermost first.

        Only those that are known to be the Internet checksum; what varies with another one is built by Scapy itself.
        """
        found = []
        for number, layer in enumerate(self.specs):
            name = next((desc.name for desc in layer.scapy_class.fields_desc if desc.name in _CHECKSUM_FIELDS), None)
            known = layer.name in _INTERNET_CHECKSUMS or layer.name.startswith(("ICMPv6", "IGMP"))
            if name and known and not layer.has(name):
                found.append((number, name, layer.name == "UDP"))
        return found
