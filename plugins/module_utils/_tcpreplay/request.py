# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked to do: the module's parameters checked, the command line of tcpreplay, how long it should take.
Pure.

What tcpreplay does with an option was read in upstream's sources at v4.4.2 to v4.5.5 (src/tcpreplay_opts.def,
src/tcpreplay_api.c, src/send_packets.c).
"""

from __future__ import annotations

import keyword
import math
import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import check_receive_wait
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    RATE_FORMS,
    RatePlan,
    Size,
    from_pps,
    positive,
)

INJECTION_METHODS = ("auto", "pf_packet", "netmap", "af_xdp")
SETTINGS = (
    "auto",
    "off",
    "keep",
)  # of offloads and flow control; auto: off through netmap, which resets the port anyway
WITHOUT_END = 3600  # the timeout in seconds where nothing tells when a run should be over
MAX_FILES = 1024  # src/defines.h
_LATE = 0.1  # seconds by which a common start may be missed

# Counters of 64 bits hold what was sent times a constant: where that wraps, the run goes on unpaced (calc_sleep_time()
# in src/send_packets.c; issues 679, 779 and 974 of upstream). First version that no longer has it; packets for --pps;
# bits for --mbps.
_WRAPS = (((4, 5, 0), 2**64 // 3_600_000_000, None), ((4, 5, 3), 2**64 // 3_600_000_000_000, 2**64 // 10**9))
# Before 4.5.0 --mbps does not wrap: from so many bits on it paces to the millisecond instead of the microsecond.
_COARSE_BITS = 2**44

# For estimates that must not be too short, in packets a second: what any host reads into memory or sends, and what a
# usual one sends by the kernel's path. A rate that is out of reach is often asked for on purpose, to see what is in
# reach.
_SLOWEST_PRELOAD = 200_000
_SLOWEST_SENDER = 10_000
_USUAL_SENDER = 500_000
# What a preloaded frame takes besides its bytes: PACKET_HEADROOM of src/defines.h, its own header, malloc's.
_PRELOAD_OVERHEAD = 512 + 80

_LONGEST_NAME = 15  # bytes: IFNAMSIZ less the zero
_VLAN_TAG = 4
_LARGEST_RING = 4096  # slots: of the known drivers, by `ethtool -g`
_XDP_RING = 2048
_ETHERNET_HEADER = 14


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


@dataclass(frozen=True)
class Request:
    """One run, as the parameters ask for it, all of them checked as far as they can be without looking at the host."""

    pcaps: tuple[str, ...]
    interface: str
    netns: str | None
    rx_interface: str | None
    rx_netns: str | None
    injection_method: str
    rate_form: str | None
    rate: float | None
    strict_rate: bool
    loop: int
    duration: int | None
    limit: int | None
    preload: bool
    flow_stats: bool
    unique_ip: bool
    stats_interval: int
    netmap_delay: int | None
    hold: bool
    receive_wait: float
    settle: float
    link_speed_mbps: int | None
    cpus: frozenset[int] | None
    start_at: float | None
    timeout: int | None
    lock_timeout: int
    offloads: str
    flow_control: str
    tx_ring_size: int | None
    rx_ring_size: int | None
    allow_management_interface: bool
    fact_name: str
    executable: str
    extra: ExtraArgs


@dataclass(frozen=True)
class Traffic:
    """What one pass over the pcaps sends. ``longest_file``: packets of the longest of them; ``seconds``: as
    recorded."""

    packets: int
    bytes: int
    wire_bytes: int
    seconds: float
    largest: int
    longest_file: int
    sizes: Mapping[int, int] = field(default_factory=dict)  # frames by size

    @property
    def size(self) -> Size:
        """The mean size of a frame."""
        return Size(self.bytes / self.packets, self.wire_bytes / self.packets)


def check_interface(name: str, parameter: str) -> str:
    """A name the kernel takes for an interface (dev_valid_name() in net/core/dev.c), and that no program takes for an
    option.

    tcpreplay takes ``netmap:IF`` and ``valeN:P`` for another injection method, and a path for a character device.
    """
    if re.match(r"netmap:|vale[^\s:]*:", name):
        raise TrafficgenError(
            "not a name of an interface",
            on=f"{parameter} {name!r}",
            remedy="Give the interface's own name, and injection_method: netmap.",
        )
    # "*" is every interface to ethtool. What is printable has a form in UTF-8.
    wrong = (
        not re.fullmatch(r"[^\s/:%]{1,15}", name)
        or not name.isprintable()
        or name.startswith("-")
        or name in (".", "..", "*")
    )
    if wrong or len(name.encode()) > _LONGEST_NAME:
        raise TrafficgenError(
            "not a name of an interface",
            on=f"{parameter} {name!r}",
            remedy="`ip link` shows the names: 15 bytes at most.",
        )
    return name


def check_netns(name: str | None, parameter: str) -> str | None:
    """A name, not a path: it must not reach out of /run/netns."""
    if name is not None and (
        not name or name.startswith("-") or "/" in name or name in (".", "..") or not name.isprintable()
    ):
        raise TrafficgenError(
            "not a name of a network namespace",
            on=f"{parameter} {name!r}",
            remedy="`ip netns list` shows the names; it takes no path.",
        )
    return name


def parse_cpus(text: str, online: frozenset[int]) -> frozenset[int]:
    """A list like ``2-3,5`` (the kernel's and taskset's form) as a set.

    :param online: the CPUs the host has; empty where they are not to be checked.
    """
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", part)
        if not found or (found[2] and int(found[2]) < int(found[1])):
            raise TrafficgenError("not a list of CPUs", on=f"cpu_list {text!r}", remedy="Write it as in 2 or 2-3,5.")
        ranges.append((int(found[1]), int(found[2] or found[1])))
    cpus: set[int] = set()
    end = -1
    for first, last in sorted(ranges):  # in order, so that each number is added once, however often it is named
        cpus.update(range(max(first, end + 1), last + 1))
        end = max(end, last)
    missing = sorted(cpus - online)
    if online and missing:
        raise TrafficgenError(
            f"this host has no CPU {missing[0]}",
            on=f"cpu_list {text!r}",
            remedy=f"Its CPUs are {min(online)} to {max(online)}.",
        )
    return frozenset(cpus)


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
_REWRITING_SOURCES = frozenset(("enet-smac", "enet-subsmac", "enet-mac-seed", "enet-mac-seed-keep-bytes"))
_EDITING_WITH_VALUE = _REWRITING_SOURCES | frozenset(
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
        rewriting := [other for other in sorted(_REWRITING_SOURCES) if other.startswith(name)]
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


def parse_request(params: Mapping[str, Any], online: frozenset[int] = frozenset()) -> Request:
    """Check the module's parameters, each on its own and one against the other.

    :param online: the host's CPUs.
    :raises TrafficgenError: naming the parameter.
    """
    forms = [form for form in RATE_FORMS if params[form] is not None and params[form] is not False]
    if len(forms) > 1:
        raise TrafficgenError("only one rate can be asked for", on=" and ".join(forms), remedy="Leave all but one out.")
    form = forms[0] if forms else None
    rate = None if form is None else positive(params[form], form) if form != "topspeed" else 1.0
    if not params["pcaps"]:
        raise TrafficgenError("names no file", on="pcaps", remedy="Give one pcap at least.")
    if len(params["pcaps"]) > MAX_FILES:
        raise TrafficgenError(
            f"names {len(params['pcaps'])} files, and tcpreplay takes {MAX_FILES}",
            on="pcaps",
            remedy="Merge them (`mergecap -F pcap -w OUT IN...`).",
        )
    lowest = {
        "loop": 0,
        "duration": 1,
        "limit": 1,
        "stats_interval": 0,
        "netmap_delay": 0,
        "link_speed_mbps": 1,
        "timeout": 1,
        "lock_timeout": 0,
        "tx_ring_size": 1,
        "rx_ring_size": 1,
    }
    for name, least in lowest.items():
        if params[name] is not None and params[name] < least:
            raise TrafficgenError(f"must be {least} at least", on=f"{name} {params[name]}")
    if params["loop"] == 0 and params["duration"] is None and params["limit"] is None:
        raise TrafficgenError("would never end", on="loop 0", remedy="Give duration or limit as well.")
    if params["unique_ip"] and params["loop"] == 1:
        raise TrafficgenError(
            "changes the addresses from one pass to the next", on="unique_ip", remedy="It needs loop: 2 or more, or 0."
        )
    for name, words in (("injection_method", INJECTION_METHODS), ("offloads", SETTINGS), ("flow_control", SETTINGS)):
        if params[name] not in words:
            raise TrafficgenError(f"{params[name]!r} is not known", on=name, remedy=f"It is one of {', '.join(words)}.")
    if params["rx_netns"] is not None and params["rx_interface"] is None:
        raise TrafficgenError("needs rx_interface", on="rx_netns", remedy="Name the receiving interface as well.")
    check_receive_wait(params["receive_wait"])
    check_receive_wait(params["settle"], "settle")
    extra = check_extra_args(params["extra_args"])
    rewriting = sorted(_REWRITING_SOURCES.intersection(extra.options or {}))
    if rewriting and params["rx_interface"] is not None:
        raise TrafficgenError(
            f"--{rewriting[0]} rewrites the source MAC addresses by which rx_interface counts",
            on="extra_args",
            remedy="Rewrite the pcap before (`tcprewrite`) and send that, or leave rx_interface out.",
        )
    if params["start_at"] is not None and not math.isfinite(params["start_at"]):
        raise TrafficgenError("not a time", on=f"start_at {params['start_at']}", remedy="Give seconds since the epoch.")
    if (
        not params["fact_name"].isidentifier()
        or keyword.iskeyword(params["fact_name"])
        or not params["fact_name"].isascii()
    ):
        raise TrafficgenError(
            "not a name of a variable", on=f"fact_name {params['fact_name']!r}", remedy="Use letters, digits and _."
        )
    executable = params["executable"] or "tcpreplay"
    return Request(
        # Absolute, so that none begins with a dash; "-" alone would be the standard input.
        pcaps=tuple(os.path.abspath(path) for path in params["pcaps"]),
        interface=check_interface(params["interface"], "interface"),
        netns=check_netns(params["netns"], "netns"),
        rx_interface=(
            None if params["rx_interface"] is None else check_interface(params["rx_interface"], "rx_interface")
        ),
        rx_netns=check_netns(params["rx_netns"], "rx_netns"),
        rate_form=form,
        rate=rate,
        cpus=None if params["cpu_list"] is None else parse_cpus(params["cpu_list"], online),
        executable=os.path.abspath(executable) if "/" in executable else executable,
        extra=extra,
        **{
            name: params[name]
            for name in (
                "injection_method",
                "strict_rate",
                "loop",
                "duration",
                "limit",
                "preload",
                "flow_stats",
                "unique_ip",
                "stats_interval",
                "netmap_delay",
                "hold",
                "link_speed_mbps",
                "start_at",
                "timeout",
                "lock_timeout",
                "offloads",
                "flow_control",
                "tx_ring_size",
                "rx_ring_size",
                "receive_wait",
                "settle",
                "allow_management_interface",
                "fact_name",
            )
        },
    )


def build_argv(request: Request, plan: RatePlan, executable: str, netmap_delay: int) -> list[str]:
    """tcpreplay's command line.

    :param plan: what the rate is asked for with.
    """
    argv = [executable, f"--intf1={request.interface}", *plan.argv, f"--loop={request.loop}"]
    if request.duration is not None:
        argv.append(f"--duration={request.duration}")
    if request.limit is not None:
        argv.append(f"--limit={request.limit}")
    if request.preload:
        argv.append("--preload-pcap")
    if not request.flow_stats:
        argv.append("--no-flow-stats")
    if request.unique_ip:
        argv.append("--unique-ip")
    if request.stats_interval:  # --stats=0 would print after every pass
        argv.append(f"--stats={request.stats_interval}")
    if request.injection_method == "netmap":
        argv += ["--netmap", f"--nm-delay={netmap_delay}"]
    if request.injection_method == "af_xdp":
        argv.append("--xdp")
    return [*argv, *request.extra.argv, *request.pcaps]


def options_used(argv: Sequence[str]) -> list[str]:
    """The long names of the options in a command line of :func:`build_argv`."""
    return [word[2:].partition("=")[0] for word in argv if word.startswith("--")]


def packets_to_send(request: Request, traffic: Traffic) -> float:
    """How many packets the run sends unless time ends it: infinity for ``loop: 0``, NaN where ``extra_args`` choose
    among them."""
    if request.extra.selects:
        return math.nan if request.limit is None else request.limit
    total = traffic.packets * request.loop if request.loop else math.inf
    return total if request.limit is None else min(total, request.limit)


def expected_seconds(request: Request, plan: RatePlan, traffic: Traffic, netmap_delay: int = 0) -> float:
    """How long the run should take, start to end; infinity where only tcpreplay's own speed tells."""
    packets = packets_to_send(request, traffic)
    if math.isnan(packets):
        packets = traffic.packets * request.loop if request.loop else math.inf
    passes: float = packets / traffic.packets
    late = 0.0
    if plan.pps is not None:
        sending = packets / min(plan.pps, _USUAL_SENDER)
    elif request.rate_form == "topspeed":
        sending = math.inf
        # The clock is looked at between two files only.
        late = traffic.longest_file / _SLOWEST_SENDER
    else:
        recorded = max(0.0, traffic.seconds) / (request.rate or 1.0)
        sending = math.inf if math.isinf(passes) else passes * max(recorded, traffic.packets / _USUAL_SENDER)
    if math.isfinite(passes):
        sending += passes * (request.extra.seconds("loopdelay-ms", 1e-3) + request.extra.seconds("loopdelay-ns", 1e-9))
    if request.duration is not None:
        sending = min(sending, request.duration + late)
    if request.preload:
        sending += traffic.packets / _SLOWEST_PRELOAD
    # netmap: a second and the delay on opening, the delay again on closing (src/common/netmap.c).
    return sending + (1 + 2 * netmap_delay if request.injection_method == "netmap" else 0)


def default_timeout(expected: float) -> int:
    """The time limit of a run in seconds, where none is given."""
    return math.ceil(expected * 1.5 + 30) if math.isfinite(expected) else WITHOUT_END


def in_flight(injection_method: str | None, frame: float, ring: int | None, socket_buffer: int) -> int:
    """How many frames may have been handed over and not be on the line yet.

    The kernel's path: what the socket's buffer holds (sk_sndbuf; a frame is charged to it until the driver has sent
    it), be that in the queue or the ring. Measured behind a tbf of 1 Mbit/s: 163 of 60 bytes and 64 of 1514, where this
    says 277 and 120. Other ways: the ring, and af_xdp's own of 2048 before it (XSK_RING_PROD__DEFAULT_NUM_DESCS).

    :param frame: mean bytes; ``ring``: the slots of the port's ring, None where that is not known; ``socket_buffer``:
    its bytes.
    """
    if injection_method == "pf_packet":
        # struct sk_buff takes 256 bytes; frame, headroom and skb_shared_info together 512 at least (SKB_TRUESIZE).
        return math.ceil(socket_buffer / max(768, frame + 256))
    return (ring or _LARGEST_RING) + (_XDP_RING if injection_method == "af_xdp" else 0)


def check_presets(executable: str) -> None:
    """Refuse a file of presets: tcpreplay takes more options from ``.tcpreplayrc`` in the folder that its name was
    found in."""
    presets = os.path.join(os.path.dirname(executable), ".tcpreplayrc")
    if os.path.lexists(presets):
        raise TrafficgenError(
            "tcpreplay takes options from it that nobody checks",
            on=presets,
            remedy="Remove it, and give the options as parameters.",
        )


def edited_by(request: Request) -> list[str]:
    """The options by which the frames that are sent differ from those in the pcaps."""
    return [*request.extra.editing, *(["unique-ip"] if request.unique_ip else [])]


def check_start(start_at: float | None, now: float, timeout: float) -> None:
    """Refuse a start that is over, or so far away that it can only be a mistake."""
    if start_at is None:
        return
    if start_at < now:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s",
            on=f"start_at {start_at:.3f}",
            remedy="Give a later time, and see that the clocks of the hosts agree.",
        )
    if start_at > now + timeout:
        raise TrafficgenError(
            f"is {start_at - now:.0f} s away, further than timeout ({timeout:g} s)",
            on=f"start_at {start_at:.3f}",
            remedy="Give an earlier time or a longer timeout; it takes seconds since the epoch.",
        )


def check_ready(start_at: float, now: float) -> None:
    """Refuse to send at another time than the common one: what others sent meanwhile would be taken for this run's
    company."""
    if now - start_at > _LATE:
        raise TrafficgenError(
            f"is over since {now - start_at:.1f} s, and only now is the interface ready to send",
            on=f"start_at {start_at:.3f}",
            remedy="Give a later time.",
        )


def longest_untagged(mtu: int) -> int:
    """The bytes of the longest frame without a VLAN tag that an interface of this MTU takes."""
    return mtu + _ETHERNET_HEADER


def check_frames(
    request: Request, traffic: Traffic, mtu: int, *, tagged: bool = False, netmap_buffer: int = 2048
) -> None:
    """Refuse frames the interface cannot send whole.

    packet_snd() of the kernel (net/packet/af_packet.c) takes the MTU, the Ethernet header, and a tag more for a VLAN's
    frame. netmap cuts a frame at its buffer and sends it with its full length all the same.

    :param tagged: every frame longer than :func:`longest_untagged` has a VLAN tag.
    """
    most = longest_untagged(mtu) + (_VLAN_TAG if tagged else 0)
    if request.injection_method == "netmap":
        if traffic.largest > netmap_buffer:
            raise TrafficgenError(
                f"netmap would cut frames of {traffic.largest} bytes: its buffers have {netmap_buffer}",
                on=request.interface,
                remedy="Make smaller frames, or load netmap with a larger buf_size.",
            )
    elif traffic.largest > most:
        larger = sum(frames for size, frames in traffic.sizes.items() if size > most)
        raise TrafficgenError(
            f"its MTU is {mtu}, too small for a frame of {traffic.largest} bytes, and for {larger} of {traffic.packets}"
            " frames in all",
            on=request.interface,
            remedy=(
                "Raise the MTU there (and of all on the way), or make smaller frames: MTU + 14 bytes at most. To leave"
                f" them out: `tshark -r IN -Y 'frame.cap_len <= {most}' -F nsecpcap -w OUT` (Wireshark)."
            ),
        )


def check_memory(request: Request, traffic: Traffic, available: int | None) -> None:
    """Refuse to preload what does not fit into the memory, before the kernel ends some process for it."""
    needed = traffic.bytes + traffic.packets * _PRELOAD_OVERHEAD
    if request.preload and available is not None and needed > available:
        raise TrafficgenError(
            f"would take {needed / 1e6:.0f} MB of memory for {traffic.packets} packets, and {available / 1e6:.0f} MB"
            " are available",
            on="preload",
            remedy="Set preload: false, or send smaller pcaps with loop.",
        )


def check_pacing(request: Request, plan: RatePlan, traffic: Traffic, release: tuple[int, int, int]) -> str | None:
    """Refuse a run longer than this tcpreplay can pace; a warning, or None, for one that it paces coarsely in the
    end."""
    if plan.pps is None:
        return None
    packets = packets_to_send(request, traffic)
    if request.duration is not None:
        packets = plan.pps * request.duration if math.isnan(packets) else min(packets, plan.pps * request.duration)
    most_packets, most_bits = next((limits for fixed, *limits in _WRAPS if release < fixed), (None, None))
    if request.rate_form == "pps" and most_packets is not None and packets > most_packets:
        raise TrafficgenError(
            f"this tcpreplay loses the pace after {most_packets} packets"
            f" (https://github.com/appneta/tcpreplay/issues/779), and the run may send {packets:.0f}",
            on=f"pps {request.rate:g}",
            remedy=(
                f"Send fewer, install 4.5.3 or later, or ask for mbps: {from_pps(plan.pps, 'mbps', traffic.size):.6f},"
                " the same rate."
            ),
        )
    bits = packets * traffic.size.frame * 8
    if request.rate_form == "pps":
        return None
    if most_bits is not None and bits > most_bits:
        raise TrafficgenError(
            f"this tcpreplay loses the pace after {most_bits} bits of frames"
            f" (https://github.com/appneta/tcpreplay/issues/974), and the run may send {bits:.0f}",
            on=f"{request.rate_form} {request.rate:g}",
            remedy="Send fewer, or install 4.4.2 (role wirespeed.trafficgen.tcpreplay), or 4.5.3 and later.",
        )
    if release < (4, 5, 0) and bits > _COARSE_BITS:
        return (
            f"after {_COARSE_BITS / 8 / traffic.size.frame / plan.pps:.0f} s this tcpreplay paces to the millisecond"
            " only: the rate stays, but comes in bursts."
        )
    return None


def how_it_ended(
    request: Request, traffic: Traffic, stats: Mapping[str, Any], *, ended: str, exit_status: int | None, failed: bool
) -> str:
    """``run.ended_by``.

    :param ended: how the supervisor saw it end: ``exited``, ``timeout``, ``signal``, ``gone``;
        ``gone from its namespace`` or ``set down``, the interface.
    :param failed: an error is known besides.
    """
    if ended == "timeout":
        return "timeout"
    if ended in ("gone from its namespace", "set down"):
        return "error"
    # Exit status 0 also where it got SIGINT; before it has set its handler, SIGINT ends it.
    if ended in ("signal", "gone") or stats["interrupted"] or exit_status in (-2, -15):
        return "user"
    if failed or exit_status != 0:
        return "error"
    sent = stats["packets"] or 0
    in_pcaps = math.nan if request.extra.selects else traffic.packets * request.loop if request.loop else math.inf
    if request.limit is not None and sent >= request.limit and in_pcaps != request.limit:
        return "limit"
    if request.duration is not None:
        to_send = packets_to_send(request, traffic)
        in_time = (stats["seconds"] or 0) < request.duration if math.isnan(to_send) else sent >= to_send
        return "completed" if in_time else "duration"
    return "completed"
