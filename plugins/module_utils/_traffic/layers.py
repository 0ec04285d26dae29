# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a traffic spec as Scapy knows them: names to classes, given values to field values, values to bytes.

The only file that imports Scapy, and only when it is first used: everything else works on bytes and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.addresses import (
    pin_default,
    set_destination,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.fields import (
    FieldNumbers,
    FieldObjects,
    LayerSpec,
    field_of,
    kind_of,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.scapy_classes import (
    layer_class,
    moment,
    near,
    scapy_module,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.values import (
    Numbers,
    address_range,
    mac_range,
    number_range,
)

# Layers whose "chksum" is the Internet checksum (RFC 1071), so that it can be patched; all of ICMPv6 and IGMP as well.
_INTERNET_CHECKSUMS = ("IP", "TCP", "UDP", "ICMP", "GRE", "OSPF_Hdr", "PIMv2Hdr", "VRRP")
_CHECKSUM_FIELDS = ("chksum", "cksum", "checksum")
_DEEPEST = 20  # packets in fields of packets in fields …


def layer_entry(entry: Any, on: str) -> tuple[str, Any]:
    """A layer as (name, fields): a plain name, or a dictionary of one."""
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry)), str):
        return next(iter(entry.items()))
    raise TrafficgenError(f"{entry!r} is not a layer", on=on, remedy="Write NAME, or {NAME: {field: value}}.")


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
                f"{text!r} is not a value of this field", on=on, remedy=near(text, names) if names else ""
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
            f"{item!r} is not an option", on=on, remedy="Write an option as NOP, {MSS: 1460} or {Timestamp: [1, 0]}."
        )
    name, value = item
    return name, b"" if name == "SAckOK" and value is None else _as_tuple(value)


def _bytes_of(name: str, value: Any, on: str) -> bytes:
    """The payload of a Raw layer: ``load`` as text, ``hex`` as pairs of hexadecimal digits."""
    if not isinstance(value, str):
        raise TrafficgenError(f"{value!r} is not text", on=on, remedy="Put it in quotes.")
    try:
        # Ansible hands on bytes that are no UTF-8 as surrogates.
        return value.encode(errors="surrogateescape") if name == "load" else bytes.fromhex(value)
    except ValueError as error:
        what = "not text" if name == "load" else "not hexadecimal"
        raise TrafficgenError(f"{value!r} is {what}", on=on, said=str(error)) from None


def _field_values(layer: Any, name: str, given: Any, on: str) -> Any:
    """What a given value stands for: a constant that Scapy takes, or a :class:`FieldNumbers` or
    :class:`FieldObjects`."""
    scapy_field = field_of(layer, name)
    kind, bits = kind_of(scapy_field, layer)
    if kind == "other":
        if type(scapy_field).__name__ == "TCPOptionsField":
            if not isinstance(given, list):
                raise TrafficgenError(
                    f"{given!r} is not a list of options", on=on, remedy="Write [{MSS: 1460}, NOP, {WScale: 7}]."
                )
            return [_tcp_option(item, on) for item in given]
        if isinstance(given, list) and not scapy_field.islist:
            if not given:
                raise TrafficgenError("the list is empty", on=on, remedy="Give at least one value.")
            return FieldObjects(given) if len(given) > 1 else given[0]
        # Options, as of DHCP, are pairs in Scapy; YAML has lists only.
        return [_as_tuple(item) for item in given] if isinstance(given, list) else given
    items = given if isinstance(given, list) else [given]
    if not items:
        raise TrafficgenError("the list is empty", on=on, remedy="Give at least one value.")
    if kind == "number":
        by_name = _named_number(scapy_field, layer, on)
        ranges = [number_range(item, bits, on, by_name) for item in items]
    elif kind == "mac":
        ranges = [mac_range(item, on) for item in items]
    else:
        ranges = [address_range(item, 4 if kind == "ip4" else 6, on) for item in items]
    values = FieldNumbers(kind, bits, Numbers(ranges))
    return values if values.count > 1 else values[0]


def no_fields(name: str, given: Any, on: str) -> TrafficgenError:
    """The error for a layer whose fields are no dictionary."""
    return TrafficgenError(
        f"{given!r} is not a dictionary of fields",
        on=f"{on}, {name}",
        remedy="Write a layer's fields as {name: value}.",
    )


def _packets(scapy_field: Any, given: Any, on: str, depth: int) -> list[list[LayerSpec]]:
    """The packets that a field holds. A packet of several layers is a list of them, from the outermost inwards."""
    if depth > _DEEPEST:
        raise TrafficgenError(
            f"its fields hold packets that hold packets, more than {_DEEPEST} deep", on=on, remedy="Nest fewer."
        )
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
                f"{item!r} is not a packet, but this field holds packets",
                on=place,
                remedy=f"Write a list of layers: [{{{example}: {{field: value}}}}].",
            )
        found.append(read_stack([layer_entry(one, place) for one in stack], place, depth + 1))
    if len(found) > 1 and not scapy_field.islist and not isinstance(scapy_field, scapy_module("scapy.fields").StrField):
        raise TrafficgenError(
            f"{len(found)} packets, but this field holds one",
            on=on,
            remedy="Write a packet of several layers as a list in the list: [[IP, UDP]].",
        )
    return found


def read_stack(entries: Sequence[tuple[str, Any]], on: str, depth: int = 0) -> list[LayerSpec]:
    """Layers that lie one in the other, the outermost first, each checked, with the destinations that follow from one
    another."""
    try:
        stack = [read_layer(name, fields, on, depth) for name, fields in entries]
        for index in reversed(range(len(stack))):
            for field_name, kind in stack[index].open.items():
                set_destination(stack, index, field_name, kind)
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
            raise TrafficgenError(
                f"{name} has no field {field_name!r}", on=on, remedy=near(str(field_name), names, all_of_them=True)
            )
    # In the header's order, since what a field is may hang on one before it.
    for field_name in sorted(fields, key=lambda one: names.index("load" if one in raw else one)):
        value = fields[field_name]
        where = f"{on}, {name}.{field_name}"
        target = "load" if field_name in raw else field_name
        if target in raw:
            loads = [_bytes_of(field_name, item, where) for item in (value if isinstance(value, list) else [value])]
            if not loads:
                raise TrafficgenError("the list is empty", on=where, remedy="Give at least one value.")
            values: Any = FieldObjects(loads) if len(loads) > 1 else loads[0]
        elif value is None:
            continue  # as if it were not there: Scapy computes it
        elif field_of(layer, field_name).holds_packets and value != []:
            spec.packets[field_name] = _packets(field_of(layer, field_name), value, where, depth)
            continue
        else:
            values = _field_values(layer, field_name, value, where)
        if spec.has(target):
            raise TrafficgenError(f"{target} is set twice", on=f"{on}, {name}")
        if isinstance(values, (FieldNumbers, FieldObjects)):
            spec.varying[target] = values
        else:
            spec.constants[target] = values
        layer.fields[target] = values[0] if target in spec.varying else values
    # Scapy's own order, whatever order they were given in: that of the header.
    spec.varying = {field_name: spec.varying[field_name] for field_name in names if field_name in spec.varying}
    for field_name in names:
        if not spec.has(field_name):
            pin_default(spec, layer, field_name)
    return spec


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
                    name = layer.swapped.get(desc.name, desc.name)
                    if name in layer.varying:
                        yield layer, name
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
        try:
            return bytes(self.packet(values, payload, start))
        except TrafficgenError:
            raise
        except Exception as error:  # whatever a layer's own code raises for a value that it does not take
            raise TrafficgenError(
                "Scapy could not build the frame", on=self.on, said=f"{type(error).__name__}: {error}"
            ) from error

    def packet(self, values: Mapping[tuple[int, str], Any], payload: bytes = b"", start: int = 0) -> Any:
        """What :meth:`build` makes the bytes of, as a packet of Scapy's."""
        own: dict[int, dict[str, Any]] = {}
        for (number, name), value in values.items():
            own.setdefault(number, {})[name] = value
        return self._stacked(self.layers[start:], own, payload)

    def _stacked(self, layers: Sequence[LayerSpec], own: Mapping[int, Mapping[str, Any]], payload: bytes = b"") -> Any:
        """Layers one in the other, as a packet of Scapy's."""
        built: list[Any] = []
        for layer in layers:
            fields = dict(layer.constants)
            for name, stacks in layer.packets.items():
                packets = [self._stacked(stack, own) for stack in stacks]
                is_list = field_of(layer.scapy_class(), name).islist
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
