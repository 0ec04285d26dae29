# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a traffic spec as Scapy knows them: names to classes, given values to field values, values to bytes.

The only file that imports Scapy, and only when it is first used: everything else works on bytes and numbers.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import pkgutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _values
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# Where the usual layers live. Importing these takes a fifth of a second, all of Scapy four times that.
_USUAL = ("scapy.packet", "scapy.layers.l2", "scapy.layers.inet", "scapy.layers.inet6")
# What a spec leaves out and Scapy would take from this host's routes, ARP cache and interfaces, or ask the network for:
# the same spec must give the same bytes on every host. Addresses of RFC 2544 and RFC 5180, MACs of no vendor.
_SOURCE_DEFAULTS = {"mac": "02:00:00:00:00:01", "ip4": "198.18.0.1", "ip6": "2001:2::1"}
_DESTINATION_DEFAULTS = {"mac": "02:00:00:00:00:02", "ip4": "198.18.0.2", "ip6": "2001:2::2"}
# Layers whose "chksum" is the Internet checksum (RFC 1071), so that it can be patched; all ICMPv6 layers as well.
_INTERNET_CHECKSUMS = ("IP", "TCP", "UDP", "ICMP", "GRE", "IGMP")
_CHECKSUM_FIELDS = ("chksum", "cksum", "checksum")


@dataclass
class LayerSpec:
    """One layer as given: its Scapy class, its constant fields, and the fields that vary, in the header's order."""

    name: str
    scapy_class: Any
    constants: dict[str, Any] = field(default_factory=dict)
    varying: dict[str, FieldNumbers | FieldObjects] = field(default_factory=dict)


class FieldNumbers:
    """A varying field whose values are numbers: of ``bits`` bits, shown to Scapy as numbers or addresses (``kind``)."""

    def __init__(self, kind: str, bits: int, ranges: Sequence[range]) -> None:
        self.kind = kind
        self.bits = bits
        self.numbers = _values.Numbers(ranges)

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


def _near(name: str, names: Sequence[str]) -> str:
    """A remedy that names what comes nearest to ``name``."""
    by_lower = {known.lower(): known for known in names}
    near = [by_lower[found] for found in difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(sorted(names))}." if len(names) <= 40 else "Scapy's ls() lists them."


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "scapy":
            raise
        raise TrafficgenError(
            "Scapy cannot be imported by the Python that runs this module", on="scapy", said=str(error),
            remedy="Install it on this host: the package python3-scapy of Debian, or of EPEL on EL 9.",
        ) from error  # fmt: skip


def _import_rare(module: str, on: str) -> Any:
    """One of Scapy's rare modules, some of which need what is not installed with Scapy, or another system."""
    try:
        return _import(module)
    except TrafficgenError:
        raise
    except Exception as error:
        raise TrafficgenError(
            f"Scapy's module {module} cannot be imported", on=on, said=f"{type(error).__name__}: {error}",
            remedy="Install what it needs on this host, or take another layer.",
        ) from error  # fmt: skip


def layer_class(name: str, on: str) -> Any:
    """The Scapy layer of that name: first the usual ones, then the module named like it, all of Scapy, and the contrib module.

    All of Scapy takes 30 MB more than a layer or two.
    """
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # it warns of routes and interfaces, which are not used here
    # Nor are they read, which took a fifth of the time that its import takes (Scapy 2.6 and later heed this).
    config = _import("scapy.config").conf
    config.route_autoload = config.route6_autoload = False
    packet = _import("scapy.packet").Packet

    def looked_up(module: Any) -> Any:
        found = getattr(module, name, None)
        return found if isinstance(found, type) and issubclass(found, packet) and found is not packet else None

    for module in _USUAL:
        found = looked_up(_import(module))
        if found:
            return found
    for package in ("scapy.layers", "scapy.contrib"):
        found = package == "scapy.contrib" and looked_up(_import("scapy.all"))
        if not found and name.lower() in [module.name for module in pkgutil.iter_modules(_import(package).__path__)]:
            found = looked_up(_import_rare(f"{package}.{name.lower()}", on))
        if found:
            return found
    known = [layer.__name__ for layer in _import("scapy.config").conf.layers]
    raise TrafficgenError(f"Scapy has no layer {name!r}", on=on, remedy=_near(name, known))


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


def _kind(scapy_field: Any) -> tuple[str, int]:
    """What a field's values are ("number", "ip4", "ip6", "mac" or "other"), and how many bits they have."""
    fields = _import("scapy.fields")
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
        return "number", int(8 * scapy_field.sz)
    return "other", 0


def _named_number(scapy_field: Any, layer: Any, on: str) -> Any:
    """A reader of the names that a field has for its numbers: flags such as "SA", types such as "echo-request"."""

    def by_name(text: str) -> int:
        try:
            return int(scapy_field.any2i(layer, text))
        except (KeyError, ValueError, TypeError, AttributeError, IndexError):
            names = [str(known) for known in getattr(scapy_field, "s2i", {})] or list(getattr(scapy_field, "names", []) or [])
            raise TrafficgenError(f"{text!r} is no value of this field", on=on, remedy=_near(text, names) if names else "") from None

    return by_name


def _as_tuple(item: Any) -> Any:
    return tuple(_as_tuple(part) for part in item) if isinstance(item, list) else item


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
    """What a given value stands for: a constant that Scapy takes, or a :class:`FieldNumbers` or :class:`FieldObjects`."""
    scapy_field = _scapy_field(layer, name)
    kind, bits = _kind(scapy_field)
    if kind == "other":
        if isinstance(given, list) and not (scapy_field.islist or scapy_field.holds_packets):
            if not given:
                raise TrafficgenError("an empty list", on=on)
            return FieldObjects(given) if len(given) > 1 else given[0]
        # Options, as of TCP, are pairs in Scapy, and a timestamp is one in a pair; YAML has lists only.
        return [_as_tuple(item) for item in given] if isinstance(given, list) else given
    items = given if isinstance(given, list) else [given]
    if not items:
        raise TrafficgenError("an empty list", on=on)
    if kind == "number":
        ranges = [_values.number_range(item, bits, on, _named_number(scapy_field, layer, on)) for item in items]
    elif kind == "mac":
        ranges = [_values.mac_range(item, on) for item in items]
    else:
        ranges = [_values.address_range(item, 4 if kind == "ip4" else 6, on) for item in items]
    values = FieldNumbers(kind, bits, ranges)
    return values if values.count > 1 else values[0]


def no_fields(name: str, given: Any, on: str) -> TrafficgenError:
    """The error for a layer whose fields are no dictionary."""
    return TrafficgenError(f"{given!r} are no fields", on=f"{on}, {name}", remedy="A layer's fields are a dictionary: {name: value}.")


def read_layer(name: str, given: Any, on: str) -> LayerSpec:
    """One layer of a spec: its class, and each field's value or values, checked against the field's type and range."""
    scapy_class = layer_class(name, on)
    layer = scapy_class()
    spec = LayerSpec(name, scapy_class)
    fields = {} if given is None else given
    if not isinstance(fields, dict):
        raise no_fields(name, given, on)
    names = [known.name for known in scapy_class.fields_desc]
    for field_name, value in fields.items():
        where = f"{on}, {name}.{field_name}"
        target, values = field_name, value
        if name == "Raw" and field_name in ("load", "hex"):
            target = "load"
            loads = [_bytes_of(field_name, item, where) for item in (value if isinstance(value, list) else [value])]
            if not loads:
                raise TrafficgenError("an empty list", on=where)
            values = FieldObjects(loads) if len(loads) > 1 else loads[0]
        elif field_name not in names:
            raise TrafficgenError(f"{name} has no field {field_name!r}", on=on, remedy=_near(str(field_name), names))
        elif value is None:
            continue  # as if it were not there: Scapy computes it
        else:
            values = _field_values(layer, field_name, value, where)
        if target in spec.constants or target in spec.varying:
            raise TrafficgenError(f"{target} is given twice", on=f"{on}, {name}")
        if isinstance(values, (FieldNumbers, FieldObjects)):
            spec.varying[target] = values
        else:
            spec.constants[target] = values
    # Scapy's own order, whatever order they were given in: that of the header.
    spec.varying = {field_name: spec.varying[field_name] for field_name in names if field_name in spec.varying}
    for field_name in names:
        if field_name not in spec.constants and field_name not in spec.varying:
            _pin_default(spec, layer, field_name)
    return spec


def _pin_default(spec: LayerSpec, layer: Any, name: str) -> None:
    """Give a field that Scapy would fill from this host the collection's own default."""
    scapy_field = _scapy_field(layer, name)
    type_name = type(scapy_field).__name__
    defaults = (
        _SOURCE_DEFAULTS if type_name.startswith("Source") else _DESTINATION_DEFAULTS if type_name.startswith("Dest") else None
    )  # fmt: skip
    kind, _bits = _kind(scapy_field)
    if defaults is not None and kind in defaults:
        spec.constants[name] = defaults[kind]
    elif type_name == "ICMPTimeStampField":  # its default is the time at which Scapy was imported
        spec.constants[name] = 0


class Stack:
    """The layers of a stream, built into bytes by Scapy."""

    def __init__(self, layers: Sequence[LayerSpec], fill: bytes, on: str) -> None:
        self.layers = list(layers)
        self.on = on
        self._fill = fill

    def link_type(self) -> int:
        """The pcap link type that the outermost layer asks for (1 is Ethernet, 101 raw IP)."""
        outermost = self.layers[0]
        if outermost.name in ("IP", "IPv6"):
            return 101
        number = _import("scapy.config").conf.l2types.layer2num.get(outermost.scapy_class)
        if number is None:
            raise TrafficgenError(f"{outermost.name} cannot be the outermost layer of a pcap", on=self.on, remedy="Start with Ether.")
        return int(number)

    def build(self, values: dict[tuple[int, str], Any], padding: int = 0) -> bytes:
        """The frame with the varying fields at ``values`` ((layer's index, field): value) and ``padding`` bytes of payload more."""
        built: list[Any] = []
        try:
            for index, layer in enumerate(self.layers):
                fields = dict(layer.constants)
                fields.update({name: values[index, name] for name in layer.varying})
                fields.update({name: value for (at, name), value in values.items() if at == index})
                if padding and index == len(self.layers) - 1 and self._ends_raw:
                    fields["load"] = fields.get("load", b"") + self.padding(padding)
                built.append(layer.scapy_class(**fields))
            if padding and not self._ends_raw:
                built.append(_import("scapy.packet").Raw(self.padding(padding)))
            for outer, inner in zip(built, built[1:]):
                outer.add_payload(inner)  # what "/" does, which copies both
            for packet in built:
                packet.explicit = 1  # nothing varies any more: no product to go through
            return bytes(built[0])
        except TrafficgenError:
            raise
        except Exception as error:  # whatever a layer's own code raises for a value that it does not take
            raise TrafficgenError("Scapy could not build the frame", on=self.on, said=f"{type(error).__name__}: {error}") from error

    @property
    def _ends_raw(self) -> bool:
        return self.layers[-1].name == "Raw"

    def repeatable(self, values: dict[tuple[int, str], Any]) -> bool:
        """Whether Scapy builds the same frame again, and would at another time."""
        now = time.time
        try:
            frames = set()
            for moment in (0.0, 1e9, 1234567890.987):  # Scapy asks by time.time(), as for ICMP's timestamps
                setattr(time, "time", lambda moment=moment: moment)  # noqa: B010  # mypy takes no assignment to a function
                frames.add(self.build(values))
        finally:
            setattr(time, "time", now)  # noqa: B010
        return len(frames) == 1

    def padding(self, length: int) -> bytes:
        """The first ``length`` bytes of what frames are filled with."""
        return (self._fill * (length // len(self._fill) + 1))[:length]

    def ip_offset(self, values: dict[tuple[int, str], Any]) -> int | None:
        """Bytes before the outermost IP or IPv6 header; None without one."""
        for index, layer in enumerate(self.layers):
            if layer.name in ("IP", "IPv6"):
                if index == 0:
                    return 0
                return len(self.build(values)) - len(Stack(self.layers[index:], self._fill, self.on).build(
                    {(at - index, name): value for (at, name), value in values.items() if at >= index}))  # fmt: skip
        return None

    def auto_checksums(self) -> list[tuple[int, str, bool]]:
        """The checksums that Scapy computes: (layer's index, field, whether zero is sent as 0xffff), outermost first.

        Only those that are known to be the Internet checksum; what varies with another one is built by Scapy itself.
        """
        found = []
        for index, layer in enumerate(self.layers):
            name = next((desc.name for desc in layer.scapy_class.fields_desc if desc.name in _CHECKSUM_FIELDS), None)
            known = layer.name in _INTERNET_CHECKSUMS or layer.name.startswith("ICMPv6")
            if name and known and name not in layer.constants and name not in layer.varying:
                found.append((index, name, layer.name == "UDP"))
        return found
