# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpreplay's options, and which of them extra_args may use. Pure."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


@dataclass(frozen=True)
class ExtraArgs:
    """``extra_args``, checked. ``options``: what they ask for, by the long names."""

    argv: tuple[str, ...] = ()
    options: Mapping[str, str] | None = None

    def seconds(self, option: str, unit: float) -> float:
        """A delay they ask for, in seconds; 0 where it is no number, which tcpreplay refuses itself."""
        text = (self.options or {}).get(option, "")
        return int(text) * unit if re.fullmatch(r"[0-9]{1,18}", text) else 0.0

    @property
    def editing(self) -> tuple[str, ...]:
        """Those that make other frames of those in the pcaps."""
        return tuple(sorted((_EDITING_WITH_VALUE | _EDITING_FLAGS).intersection(self.options or {})))

    @property
    def selects(self) -> bool:
        """They leave frames out, so that what is in the pcaps does not tell what a pass sends."""
        return not {"include", "exclude"}.isdisjoint(self.options or {})


# tcpreplay's options by what extra_args may do with them. Those the module has a parameter for, and why the others are
# refused.
_PARAMETER_OF = {
    "intf1": "interface",
    "loop": "loop",
    "limit": "limit",
    "duration": "duration",
    "multiplier": "multiplier",
    "pps": "pps",
    "mbps": "mbps",
    "topspeed": "topspeed",
    "preload-pcap": "preload",
    "unique-ip": "unique_ip",
    "netmap": "injection_method",
    "nm-delay": "netmap_delay",
    "xdp": "injection_method",
    "no-flow-stats": "flow_stats",
    "stats": "stats_interval",
}


_REFUSED = {
    "intf2": "the module sends on one interface",
    "cachefile": "the module sends on one interface",
    "dualfile": "the module sends on one interface",
    "write": "it sends into a file",
    "oneatatime": "it asks at a terminal",
    "listnics": "it sends nothing",
    "version": "it sends nothing",
    "help": "it sends nothing",
    "more-help": "it sends nothing",
    "less-help": "it sends nothing",
    "save-opts": "it sends nothing",
    "load-opts": "it may hold any option",
    "fuzz-seed": "it leaves frames out and changes others, and nothing tells which",
    "fuzz-factor": "it leaves frames out",
    "fragroute": "it makes other frames of them",
    **dict.fromkeys(
        ("dlt", "user-dlt", "user-dlink", "hdlc-control", "hdlc-address"), "it sends other headers than Ethernet's"
    ),
}


# What tcpreplay-edit does to the frames (src/tcpedit/tcpedit_opts.def, 4.4.3): with a value, or without. The first
# change the source MAC address, by which a receiver counts.
REWRITING_SOURCES = frozenset(("enet-smac", "enet-subsmac", "enet-mac-seed", "enet-mac-seed-keep-bytes"))


_EDITING_WITH_VALUE = REWRITING_SOURCES | frozenset(
    (
        "enet-dmac",
        "enet-vlan",
        "enet-vlan-tag",
        "enet-vlan-cfi",
        "enet-vlan-pri",
        "enet-vlan-proto",
        "portmap",
        "seed",
        "pnat",
        "srcipmap",
        "dstipmap",
        "endpoints",
        "tcp-sequence",
        "mtu",
        "ttl",
        "tos",
        "tclass",
        "flowlabel",
        "fixlen",
    )
)


_EDITING_FLAGS = frozenset(("skipbroadcast", "fixcsum", "mtu-trunc", "efcs", "skipl2broadcast"))


_OWN_WITH_VALUE = frozenset(
    (
        "dbug",
        "timer",
        "maxsleep",
        "decode",
        "loopdelay-ms",
        "loopdelay-ns",
        "pps-multi",
        "unique-ip-loops",
        "flow-expiry",
        "include",
        "exclude",
        "xdp-batch-size",
    )
)


_WITH_VALUE = _OWN_WITH_VALUE | _EDITING_WITH_VALUE


# What tcpdump may be asked for, which prints the frames for --verbose: flags without a value, that change only what it
# prints. Others name files it reads and writes, programs it starts, users it becomes, and it runs as root.
_DECODE = re.compile(r"(?:\s*-[AbefKnNqStuvxX]+(?=\s|$))*\s*")


_FLAGS = _EDITING_FLAGS | frozenset(("quiet", "verbose", "pktlen", "pid", "suppress-warnings"))


_SHORT = {
    "i": "intf1",
    "l": "loop",
    "L": "limit",
    "x": "multiplier",
    "p": "pps",
    "M": "mbps",
    "t": "topspeed",
    "K": "preload-pcap",
    "I": "intf2",
    "c": "cachefile",
    "2": "dualfile",
    "w": "write",
    "o": "oneatatime",
    "V": "version",
    "H": "help",
    "h": "less-help",
    "!": "more-help",
    "d": "dbug",
    "T": "timer",
    "A": "decode",
    "q": "quiet",
    "v": "verbose",
    "P": "pid",
    "W": "suppress-warnings",
}


def check_extra_args(words: Sequence[str]) -> ExtraArgs:
    """Refuse what collides with a parameter, in every spelling the option parser (GNU AutoOpts) takes.

    It takes an unambiguous beginning of a long name, any case, ``_`` for ``-``, a value after ``=`` or as the next
    word; short options glued to each other and to a value. An option that is not known here passes, as ``--name`` or
    ``--name=value``.
    """
    options: dict[str, str] = {}
    rest = deque(words)
    while rest:
        word = _passable(rest.popleft())
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            name = _long_name(name, word)
            if name in _WITH_VALUE and not equals:
                value = _next_value(rest, word)
            options[name] = value
        elif word.startswith("-") and len(word) > 1 and word != "--":
            for at, letter in enumerate(word[1:], 2):
                if letter not in _SHORT:
                    raise TrafficgenError(f"-{letter} is no option of tcpreplay's", on=f"extra_args {word!r}")
                name = _allowed(_SHORT[letter], word)
                if name in _WITH_VALUE:
                    options[name] = word[at:] or _next_value(rest, word)
                    break
                options[name] = ""
        else:
            raise TrafficgenError(
                "not an option",
                on=f"extra_args {word!r}",
                remedy="Give a value as in --name=value, and files as pcaps.",
            )
        if not _DECODE.fullmatch(options.get("decode", "")):
            raise TrafficgenError(
                "asks tcpdump, which tcpreplay runs as root, for more than another way to print",
                on=f"extra_args {word!r}",
                remedy="Give flags like -e, -n, -q, -v, -x and -X alone; `tcpdump -r` reads a capture.",
            )
    return ExtraArgs(tuple(words), options)


def _passable(word: str) -> str:
    """A word that a program can be given: one that ends at no zero byte, and has a form in bytes."""
    try:
        if b"\0" in os.fsencode(word):
            raise ValueError("it holds a zero byte")
    except ValueError as error:
        raise TrafficgenError(
            "no program can be given this", on=f"extra_args {word!r}", said=str(error), remedy="Leave it out."
        ) from None
    return word


def _long_name(text: str, word: str) -> str:
    name = text.lower().replace("_", "-")
    if not name:
        raise TrafficgenError("not an option", on=f"extra_args {word!r}")
    if name in _WITH_VALUE or name in _FLAGS:
        return name
    if name.startswith("enet") and (
        rewriting := [other for other in sorted(REWRITING_SOURCES) if other.startswith(name)]
    ):
        return rewriting[0]  # which of them, depends on the version
    for other in (*_PARAMETER_OF, *_REFUSED):
        if other.startswith(name):
            return _allowed(other, word)
    whole = [other for other in (*_WITH_VALUE, *_FLAGS) if other.startswith(name)]
    return whole[0] if len(whole) == 1 else name


def _allowed(name: str, word: str) -> str:
    if name in _PARAMETER_OF:
        raise TrafficgenError(
            f"collides with the parameter {_PARAMETER_OF[name]}",
            on=f"extra_args {word!r}",
            remedy=f"Use {_PARAMETER_OF[name]} instead.",
        )
    if name in _REFUSED:
        raise TrafficgenError(
            f"--{name} cannot be used here: {_REFUSED[name]}", on=f"extra_args {word!r}", remedy="Leave it out."
        )
    return name


def _next_value(rest: deque[str], word: str) -> str:
    if not rest:
        raise TrafficgenError("has no value", on=f"extra_args {word!r}", remedy="Give it as in --name=value.")
    return _passable(rest.popleft())
