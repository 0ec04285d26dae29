# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpreplay's options: the first version with each, and which of them ``extra_args`` may use. Pure."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


class Option(NamedTuple):
    """An option of tcpreplay or tcpreplay-edit.

    ``since``: the first version with it, by upstream's tags; ``needs``: what must be compiled in. ``parameter``: the
    module's parameter for it; ``refused``: why ``extra_args`` cannot use it. ``edits``: it changes the pcaps' frames;
    ``rewrites_source``: even their source MAC addresses, by which a receiver counts.
    """

    name: str
    short: str = ""
    takes_value: bool = False
    since: tuple[int, int, int] = (4, 0, 0)
    needs: str = ""
    parameter: str = ""
    refused: str = ""
    edits: bool = False
    rewrites_source: bool = False


_ONE = "the module sends on one interface"
_NOTHING = "it sends nothing"
_HEADERS = "it sends other headers than Ethernet's"

# By name. An ambiguous abbreviation stands for the first match here: first options with a parameter, then refused ones.
# tcpreplay-edit's are from src/tcpedit/tcpedit_opts.def, 4.4.3.
OPTIONS = {
    option.name: option
    for option in (
        Option("intf1", "i", parameter="interface"),
        Option("loop", "l", parameter="loop"),
        Option("limit", "L", parameter="limit"),
        Option("duration", since=(4, 1, 1), parameter="duration"),
        Option("multiplier", "x", parameter="multiplier"),
        Option("pps", "p", parameter="pps"),
        Option("mbps", "M", parameter="mbps"),
        Option("topspeed", "t", parameter="topspeed"),
        Option("preload-pcap", "K", parameter="preload"),
        Option("unique-ip", parameter="unique_ip"),
        Option("netmap", needs="netmap", parameter="injection_method"),
        Option("nm-delay", since=(4, 1, 0), needs="netmap", parameter="netmap_delay"),
        Option("xdp", since=(4, 5, 0), needs="af_xdp", parameter="injection_method"),
        Option("no-flow-stats", parameter="flow_stats"),
        Option("stats", parameter="stats_interval"),
        Option("intf2", "I", refused=_ONE),
        Option("cachefile", "c", refused=_ONE),
        Option("dualfile", "2", refused=_ONE),
        Option("write", "w", since=(4, 5, 0), refused="it sends into a file"),
        Option("oneatatime", "o", refused="it asks at a terminal"),
        Option("listnics", refused=_NOTHING),
        Option("version", "V", refused=_NOTHING),
        Option("help", "H", refused=_NOTHING),
        Option("more-help", "!", refused=_NOTHING),
        Option("less-help", "h", refused=_NOTHING),
        Option("save-opts", refused=_NOTHING),
        Option("load-opts", refused="it may hold any option"),
        Option("fuzz-seed", refused="it leaves frames out and changes others, and does not tell which"),
        Option("fuzz-factor", refused="it leaves frames out"),
        Option("fragroute", refused="it changes the frames"),
        Option("dlt", refused=_HEADERS),
        Option("user-dlt", refused=_HEADERS),
        Option("user-dlink", refused=_HEADERS),
        Option("hdlc-control", refused=_HEADERS),
        Option("hdlc-address", refused=_HEADERS),
        Option("dbug", "d", takes_value=True),
        Option("timer", "T", takes_value=True),
        Option("decode", "A", takes_value=True),
        Option("maxsleep", takes_value=True),
        Option("loopdelay-ms", takes_value=True, since=(4, 1, 0)),
        Option("loopdelay-ns", takes_value=True, since=(4, 5, 0)),
        Option("pps-multi", takes_value=True),
        Option("unique-ip-loops", takes_value=True, since=(4, 2, 0)),
        Option("flow-expiry", takes_value=True),
        Option("include", takes_value=True, since=(4, 5, 0)),
        Option("exclude", takes_value=True, since=(4, 5, 0)),
        Option("xdp-batch-size", takes_value=True, since=(4, 5, 0), needs="af_xdp"),
        Option("quiet", "q"),
        Option("verbose", "v"),
        Option("pktlen"),
        Option("pid", "P"),
        Option("suppress-warnings", "W", since=(4, 5, 0)),
        *(
            Option(name, takes_value=True, edits=True, rewrites_source=True)
            for name in ("enet-mac-seed", "enet-mac-seed-keep-bytes", "enet-smac", "enet-subsmac")
        ),
        *(
            Option(name, takes_value=True, edits=True)
            for name in (
                *("enet-dmac", "enet-vlan", "enet-vlan-tag", "enet-vlan-cfi", "enet-vlan-pri", "enet-vlan-proto"),
                *("portmap", "seed", "pnat", "srcipmap", "dstipmap", "endpoints", "tcp-sequence", "mtu", "ttl", "tos"),
                *("tclass", "flowlabel", "fixlen"),
            )
        ),
        *(Option(name, edits=True) for name in ("skipbroadcast", "fixcsum", "mtu-trunc", "efcs", "skipl2broadcast")),
    )
}
# By each beginning of a name, the options whose names begin so.
_BEGUN_BY: dict[str, list[Option]] = {}
for _option in OPTIONS.values():
    for _length in range(1, len(_option.name) + 1):
        _BEGUN_BY.setdefault(_option.name[:_length], []).append(_option)
_BY_LETTER = {option.short: option for option in OPTIONS.values() if option.short}

# Flags for tcpdump, which prints the frames for --verbose: those without a value that change only the output. It runs
# as root, and other flags name files to read or write, programs to start, users to become.
_DECODE = re.compile(r"(?:\s*-[AbefKnNqStuvxX]+(?=\s|$))*\s*")


@dataclass(frozen=True)
class ExtraArgs:
    """``extra_args``, checked. ``options``: by their long names."""

    argv: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def loop_delay(self) -> float:
        """The seconds they wait after each pass but the last (src/replay.c)."""
        return self._seconds("loopdelay-ms", 1e-3) + self._seconds("loopdelay-ns", 1e-9)

    @property
    def editing(self) -> list[str]:
        """Those that change the pcaps' frames."""
        return sorted(name for name in self.options if name in OPTIONS and OPTIONS[name].edits)

    @property
    def rewriting_sources(self) -> list[str]:
        """Those that rewrite the source MAC addresses."""
        return [name for name in self.editing if OPTIONS[name].rewrites_source]

    @property
    def selects(self) -> bool:
        """They skip frames, so the pcaps do not tell what a pass sends."""
        return not {"include", "exclude"}.isdisjoint(self.options)

    def _seconds(self, option: str, unit: float) -> float:
        """A delay in seconds; 0 if it is not a number, which tcpreplay itself refuses."""
        text = self.options.get(option, "")
        return int(text) * unit if re.fullmatch(r"[0-9]{1,18}", text) else 0.0


def check_extra_args(words: Sequence[str]) -> ExtraArgs:
    """Refuse what collides with a parameter, in every spelling that the option parser (GNU AutoOpts) accepts.

    It accepts unambiguous abbreviations of a long name, any case, ``_`` for ``-``, a value after ``=`` or as the next
    word, and short options joined to each other and to a value. An unknown option passes, as ``--name`` or
    ``--name=value``.
    """
    options: dict[str, str] = {}
    rest = deque(words)
    while rest:
        word = _passable(rest.popleft())
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            option = _by_name(name, word)
            options[option.name] = _next_value(rest, word) if option.takes_value and not equals else value
        elif word.startswith("-") and len(word) > 1 and word != "--":
            for at, letter in enumerate(word[1:], 2):
                if letter not in _BY_LETTER:
                    raise _refused(f"-{letter} is not an option of tcpreplay", word)
                option = _allowed(_BY_LETTER[letter], word)
                if option.takes_value:
                    options[option.name] = word[at:] or _next_value(rest, word)
                    break
                options[option.name] = ""
        else:
            raise _refused("not an option", word, "Write a value as --name=value, and name files in pcaps.")
        if "decode" in options and not _DECODE.fullmatch(options["decode"]):
            raise _refused(
                "makes tcpdump, which tcpreplay runs as root, do more than print",
                word,
                "Use only flags like -e, -n, -q, -v, -x and -X. To read a capture, use `tcpdump -r`.",
            )
    return ExtraArgs(tuple(words), options)


def _refused(what: str, word: str, remedy: str = "", said: str = "") -> TrafficgenError:
    return TrafficgenError(what, on=f"extra_args {word!r}", said=said, remedy=remedy)


def _passable(word: str) -> str:
    """Check that a word can be a program's argument: without a zero byte, and encodable."""
    try:
        if b"\0" in os.fsencode(word):
            raise ValueError("it contains a zero byte")
    except ValueError as error:
        raise _refused("not a valid argument of a program", word, "Leave it out.", str(error)) from None
    return word


def _by_name(text: str, word: str) -> Option:
    """The option with this long name or abbreviation."""
    name = text.lower().replace("_", "-")
    if not name:
        raise _refused("not an option", word)
    begun = _BEGUN_BY.get(name, [])
    exact = OPTIONS.get(name)
    if exact and not (exact.parameter or exact.refused):
        return exact
    if name.startswith("enet") and (rewriting := [option for option in begun if option.rewrites_source]):
        return rewriting[0]  # which one depends on the version
    if begun:
        _allowed(begun[0], word)
    return begun[0] if len(begun) == 1 else Option(name)


def _allowed(option: Option, word: str) -> Option:
    if option.parameter:
        raise _refused(f"collides with the parameter {option.parameter}", word, f"Use {option.parameter} instead.")
    if option.refused:
        raise _refused(f"--{option.name} cannot be used here: {option.refused}", word, "Leave it out.")
    return option


def _next_value(rest: deque[str], word: str) -> str:
    if not rest:
        raise _refused("has no value", word, "Write it as --name=value.")
    return _passable(rest.popleft())
