# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse ``tcpreplay --version``: which options a binary has, and whether its netmap works."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.options import OPTIONS, Option

REMEDY = (
    "Install tcpreplay with the role wirespeed.trafficgen.tcpreplay, or from the system's packages (Debian and Ubuntu:"
    " tcpreplay; EL: tcpreplay of EPEL), or set executable to the program."
)

_ISSUES = "https://github.com/appneta/tcpreplay/issues"

# tcpreplay's words for an injection method (src/common/sendpacket.c), and the collection's names.
_METHODS = {
    "PF_PACKET send()": "pf_packet",
    "PF_PACKET / TX_RING": "pf_packet",
    "netmap": "netmap",
    "AF_XDP": "af_xdp",
    "xsk_ring_prod_submit()": "af_xdp",
    "bpf send()": "bpf",
    "libdnet eth_send()": "libdnet",
    "pcap_inject()": "libpcap",
    "pcap_sendpacket()": "libpcap",
}


@dataclass(frozen=True)
class VersionInfo:
    """What a tcpreplay binary reports about itself; null if it does not.

    ``version`` as printed, ``release`` its three numbers, ``build`` the git description it was built from.
    ``injection_methods``: the default one first.
    """

    version: str
    release: tuple[int, int, int]
    build: str
    debug: bool
    libpcap: str | None
    libdnet: str | None
    counters_64bit: bool | None
    verbose: bool | None
    packet_editing: bool | None
    fragroute: bool | None
    default_injection_method: str | None
    injection_methods: tuple[str, ...]

    @property
    def netmap(self) -> bool:
        """Netmap was compiled in. The running kernel may lack it, and it may be broken: see :func:`netmap_verdict`."""
        return "netmap" in self.injection_methods

    def as_result(self) -> dict[str, Any]:
        """The tree that the module ``tcpreplay_info`` returns."""
        return {
            "version": self.version,
            "build": {
                "git": self.build,
                "debug": self.debug,
                "libpcap": self.libpcap,
                "libdnet": self.libdnet,
                "counters_64bit": self.counters_64bit,
                "verbose": self.verbose,
                "packet_editing": self.packet_editing,
                "fragroute": self.fragroute,
            },
            "default_injection_method": self.default_injection_method,
            "injection_methods": list(self.injection_methods),
        }


_HEAD = re.compile(
    r"tcpreplay version: (\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(\S{0,40})(?: \(build ([^)\n]{0,200})\))?(.{0,80})"
)


def parse_version(text: str) -> VersionInfo:
    """Parse the output of ``tcpreplay --version`` (4.0 to 4.6, on stderr).

    :raises TrafficgenError: it is not tcpreplay's.
    """
    head = _HEAD.search(text)
    if not head:
        raise TrafficgenError(
            "did not say its version as tcpreplay 4 does",
            on="tcpreplay --version",
            said=" ".join(text.split())[:200],
            remedy=REMEDY,
        )
    major, minor, patch, suffix, build, flags = head.groups()
    told: dict[str, str] = {}
    behind = head.end()
    for line in text[behind:].splitlines():
        name, colon, value = line.strip().partition(": ")
        if colon:
            told.setdefault(name, value.strip())
    default = told.get("Default injection method") or told.get("Injection method")
    optional = re.findall(r"Optional injection method: (.+)", text)
    methods = [_METHODS.get(method.strip(), method.strip()) for method in [default, *optional] if method]

    def enabled(name: str) -> bool | None:
        return told[name] == "enabled" if name in told else None

    return VersionInfo(
        version=f"{major}.{minor}" + (f".{patch}" if patch else "") + suffix,
        release=(int(major), int(minor), int(patch or 0)),
        build=build or "",
        debug="(debug)" in flags,
        libpcap=told.get("Compiled against libpcap") or told.get("Compiled against PF_RING libpcap"),
        libdnet=told.get("Compiled against libdnet"),
        counters_64bit=enabled("64 bit packet counters"),
        verbose=enabled("Verbose printing via tcpdump"),
        packet_editing=enabled("Packet editing"),
        fragroute=enabled("Fragroute engine"),
        default_injection_method=methods[0] if default else None,
        injection_methods=tuple(dict.fromkeys(methods)),
    )


def require_option(info: VersionInfo, name: str) -> None:
    """Refuse a binary without the long option ``name`` (given without dashes), and say what it lacks."""
    option = OPTIONS.get(name, Option(name))
    if info.release < option.since:
        raise TrafficgenError(
            f"tcpreplay {info.version} does not have it",
            on=f"--{name}",
            remedy=f"Install tcpreplay {'.'.join(map(str, option.since))} or later.",
        )
    if option.needs and option.needs not in info.injection_methods:
        raise TrafficgenError(
            f"this tcpreplay {info.version} was built without {option.needs}",
            on=f"--{name}",
            remedy="Build it with the role wirespeed.trafficgen.tcpreplay, or set another injection_method.",
        )


# A release's name, as in upstream's tags after the v: 4.4.2, 4.5.0-beta2.
_RELEASE = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?:[-_.]?(?:alpha|beta|rc)[0-9]{0,3})?")


def release_of(name: str) -> tuple[int, int, int] | None:
    """The three numbers of a release's name; None for anything else (``v4.4.2``, ``4.4``, ``latest``)."""
    found = _RELEASE.fullmatch(name)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def ring_fix_for(release: tuple[int, int, int]) -> bool:
    """Whether the role repairs a release's wait for other rings than the first. The netmap of those before has not been
    tried, of those after is broken, or gives up the wait."""
    return (4, 3, 4) <= release <= (4, 4, 3)


def netmap_verdict(info: VersionInfo) -> tuple[bool | None, str]:
    """Whether this binary's ``--netmap`` works on a network card (None: unknown), and why."""
    if not info.netmap:
        return False, "built without netmap"
    # A build from git between 4.4.3 and 4.4.4 still calls itself 4.4.3.
    if info.release == (4, 4, 3) and re.search(r"4\.4\.3-\d+-g", info.build):
        return None, f"a build from git after 4.4.3 may have the fault of 4.4.4 ({_ISSUES}/810)"
    return netmap_of_release(info.release)


def netmap_of_release(release: tuple[int, int, int]) -> tuple[bool | None, str]:
    """Whether a release's ``--netmap``, if built in, works on a network card (None: unknown), and why.

    VALE ports of the broken versions work, so a test on VALE alone cannot tell.
    """
    if release < (4, 3, 4):
        return None, "versions before 4.3.4 have not been tried"
    if release <= (4, 4, 3):
        return True, "versions 4.3.4 to 4.4.3 work"
    if release < (4, 5, 3):
        why = (
            "versions 4.4.4 to 4.5.2 take a success of the netmap driver for a failure and end with `nm_do_ioctl: No"
            f" such file or directory` ({_ISSUES}/810): use 4.4.2, 4.4.3, or 4.5.3 and later"
        )
        return False, why
    why = (
        "versions from 4.5.3 on work, but wait 100 microseconds whenever the ring is full, and so may send less than"
        f" half of what 4.4.2 does ({_ISSUES}/984)"
    )
    return True, why
