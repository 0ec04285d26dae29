# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tcpreplay's complaints mean and what to do about them: one table. Pure.

The texts are upstream's (src/tcpreplay_api.c, src/replay.c, src/send_packets.c,
src/common/{sendpacket,netmap,get,utils}.c at the tags v4.2.6 to v4.5.5) and libpcap's. A debug build, as Debian's, puts
a source file, function and line before each.
"""

from __future__ import annotations

import re
import signal
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.pcap import ETHERNET_REMEDY

_NETMAP_LOAD = (
    "Load netmap on this host (role wirespeed.trafficgen.netmap, or `insmod /lib/modules/$(uname -r)/extra/netmap.ko`),"
    " or set injection_method: pf_packet."
)
_PCAP = (
    "Check the file with wirespeed.trafficgen.pcap_info; tcpreplay reads classic pcap (`editcap -F pcap IN OUT`"
    " converts pcapng)."
)


class _Known(NamedTuple):
    pattern: str
    what: str
    remedy: str


# The first that matches wins, so the particular stand before the general.
_KNOWN = (
    _Known(
        r"nm_do_ioctl: ",
        "netmap did not answer tcpreplay's requests",
        "Versions 4.4.4 to 4.5.2 of tcpreplay cannot use netmap (https://github.com/appneta/tcpreplay/issues/810): "
        "install 4.4.2 (role wirespeed.trafficgen.tcpreplay), or 4.5.3 and later.",
    ),
    _Known(
        r"Unable to connect to netmap interface|Unable to determine the running netmap version|Unable to access"
        r" netmap\.",
        "netmap is not there: /dev/netmap does not open",
        _NETMAP_LOAD,
    ),
    _Known(
        r"Failure accessing netmap\.[\s\S]{0,200}?Error=Device or resource busy",
        "another program holds this interface in netmap mode",
        "End that program: `fuser /dev/netmap` names it.",
    ),
    _Known(
        r"Failure accessing netmap\.",
        "netmap refused this interface",
        "Build tcpreplay against the netmap that is loaded (role wirespeed.trafficgen.tcpreplay); `dmesg` has netmap's"
        " own reason.",
    ),
    _Known(
        r"Netmap interface '.{0,80}' not configured",
        "netmap does not know this interface",
        "`ip link` shows the interfaces.",
    ),
    _Known(
        r"is not running - check cables",
        "the link did not come up in time after netmap took the interface",
        "Raise netmap_delay, and check the cable and the other side.",
    ),
    _Known(
        r"TX ring on .{1,80} did not drain",
        "netmap's ring did not drain: the last packets may not have left",
        "Check the link; flow control on the other side may hold it.",
    ),
    _Known(
        r"illegal option -- (?:netmap|nm-delay)|--netmap feature was not compiled in|not compiled with netmap support",
        "this tcpreplay was built without netmap",
        "Build it with the role wirespeed.trafficgen.tcpreplay, or set injection_method: pf_packet.",
    ),
    _Known(
        r"illegal option -- xdp|--xdp feature was not compiled in",
        "this tcpreplay was built without AF_XDP",
        "Install tcpreplay 4.5.0 or later built with libxdp, or set injection_method: pf_packet.",
    ),
    _Known(
        r"AF_XDP socket configuration is not successful|Can't allocate buffer memory",
        "AF_XDP could not be set up on this interface",
        "Check that its driver supports AF_XDP, or set injection_method: pf_packet.",
    ),
    _Known(
        r"illegal option",
        "this tcpreplay does not know an option",
        "Check extra_args; `tcpreplay --help` lists its options.",
    ),
    _Known(r"options conflict|Command line arguments required", "tcpreplay refused its options", "See extra_args."),
    _Known(
        r"Invalid interface name/alias|No such device",
        "no such interface",
        "`ip link` shows the interfaces; for one in a network namespace set netns.",
    ),
    _Known(r"Network is down", "the interface is down", "Bring it up: `ip link set dev INTERFACE up`."),
    _Known(
        r"has no carrier",
        "the interface has no carrier: packets seem to be sent but do not leave",
        "Check the cable and the other side.",
    ),
    _Known(r"Operation not permitted", "sending raw packets needs root", "Run the task with become: true."),
    _Known(
        r"Unable to retrieve information from file",
        "a pcap file cannot be read",
        "Check the path in pcaps on the host where tcpreplay runs.",
    ),
    _Known(
        r"Error opening pcap file: .{0,300}(?:No such file|Permission denied)",
        "a pcap file cannot be read",
        "Check the path in pcaps on the host where tcpreplay runs.",
    ),
    _Known(r"Error opening pcap file", "a file is not a pcap that tcpreplay can read", _PCAP),
    _Known(
        r"safe_pcap_next(?:_ex)? ERROR: Invalid packet length",
        "a packet has a length at which tcpreplay stops: 0 bytes, or more than 262144",
        "wirespeed.trafficgen.pcap_info shows the sizes.",
    ),
    _Known(
        r"Unable to send packet: [^\n]{0,80}Invalid argument",
        "the kernel refused a frame, as it does one shorter than an Ethernet header (14 bytes)",
        "wirespeed.trafficgen.pcap_info counts them (short_packets); leave them out.",
    ),
    _Known(
        r"unsupported DLT type(?!:[^\n]{0,80}\(0x1\))|DLT (?:type )?mismatch",
        "tcpreplay cannot send a pcap's link type",
        ETHERNET_REMEDY,
    ),
    _Known(
        r"Message too long",
        "a frame is larger than the interface's MTU",
        "Raise the MTU of the interface (and of all on the way), or make smaller frames: a frame is MTU + 14 bytes at"
        " most.",
    ),
    _Known(
        r"retries on EAGAIN/ENOBUFS|No buffer space available",
        "the interface's queue stayed full",
        "Set a lower rate, or check what slows the interface down (flow control, a queueing discipline).",
    ),
    _Known(
        r"Unable to (?:malloc|remalloc|strdup)|Cannot allocate memory",
        "not enough memory",
        "preload keeps every frame in memory. Set preload: false, or send smaller pcaps with loop.",
    ),
    _Known(
        r"Unable to add more then", "too many pcap files for one run", "Merge them (`mergecap -F pcap -w OUT IN...`)."
    ),
    _Known(
        r"Unable to execute tcpdump",
        "verbose output needs tcpdump",
        "Install tcpdump, or leave --verbose out of extra_args.",
    ),
)
# get_l2len_protocol() of src/common/get.c, up to 4.4.4, for flow statistics alone: the link type is Ethernet, and the
# frame is sent.
_UNCOUNTED = re.compile(r"unsupported DLT type: [^\n]{0,80}\(0x1\)")
_PATTERNS = [re.compile(known.pattern) for known in _KNOWN]

# A real error: its text to the end, which may begin on the next line.
_FATAL = re.compile(r"(?:Fatal Error|Failed|tcpreplay error|ERROR)(?: in .{1,200} line \d{1,6})?: ?([\s\S]{1,2000})")
_ORIGIN = re.compile(r"From [^\s]{1,80} line \d{1,6}:\s?")
_READ = 20000  # characters of the head and of the tail: a run may print a warning for every frame it cannot send


class Uncounted(TrafficgenError):
    """A complaint about the statistics, not about sending: not an error of the run."""


def explain(
    stderr: str, exit_status: int | None, *, nothing_sent: bool = False, on: str = "tcpreplay"
) -> TrafficgenError | None:
    """The error a run ended with, ready to raise; None for a run that ended well.

    tcpreplay exits with status 0 even if it could send no frame at all: frames too large, interface down, empty pcap.
    So a known complaint is an error whatever the status. The caller knows what was sent and may lower it to a warning.

    :param exit_status: negative for the signal that ended it; None if unknown.
    :param nothing_sent: it printed no statistics, which means that it sent no byte.
    :param on: the object that the error names, such as the interface.
    """
    text = stderr if len(stderr) <= 2 * _READ else f"{stderr[:_READ]}\n{stderr[-_READ:]}"
    for pattern, known in zip(_PATTERNS, _KNOWN):
        found = pattern.search(text)
        if found:
            return TrafficgenError(known.what, on=on, said=_said(text, found), remedy=known.remedy)
    if exit_status is not None and exit_status < 0:
        name = signal.Signals(-exit_status).name if -exit_status in set(signal.Signals) else f"signal {-exit_status}"
        remedy = (
            "If nobody sent that signal, the kernel may have run out of memory. See `dmesg`, or set preload: false."
            if name == "SIGKILL"
            else ""
        )
        return TrafficgenError(f"tcpreplay was ended by {name}", on=on, said=_last_line(text), remedy=remedy)
    if exit_status:
        fatal = _FATAL.search(text)
        said = _one_line(fatal[1]) if fatal else _last_line(text)
        return TrafficgenError(
            f"tcpreplay ended with exit status {exit_status}",
            on=on,
            said=said,
            remedy="" if said else "It did not say why.",
        )
    if exit_status == 0 and nothing_sent:
        return TrafficgenError(
            "tcpreplay printed no statistics, so it sent nothing, and gave no reason",
            on=on,
            remedy="Check with wirespeed.trafficgen.pcap_info that the pcaps have frames.",
        )
    uncounted = _UNCOUNTED.search(text)
    if uncounted:
        return Uncounted(
            "tcpreplay's flow statistics leave out frames that end within their Ethernet header, a VLAN tag or an MPLS"
            " label, or are 802.3 frames without IP",
            on=on,
            said=_said(text, uncounted),
            remedy="The frames are sent. To count no flows, set flow_stats: false.",
        )
    return None


def _said(text: str, found: re.Match[str]) -> str:
    """The lines of the complaint, without the place in the source."""
    start = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    line = text[start:end] if end >= 0 else text[start:]
    return _one_line(_FATAL.sub(lambda fatal: fatal[1], line))


def _one_line(text: str) -> str:
    return " ".join(_ORIGIN.sub("", text).split())[:500]


def _last_line(text: str) -> str:
    lines = text.split("\n")
    return next((_one_line(line) for line in reversed(lines) if line.strip()), "")
