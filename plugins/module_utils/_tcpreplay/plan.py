# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of tcpreplay will do: the program and netmap are looked at, and what this one cannot do is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import find_executable, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Plan, look, time_limit
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.limits import (
    check_buffers,
    check_memory,
    check_pacing,
    start_to_end,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import (
    TcpreplayRequest,
    build_argv,
    options_used,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import check_port, check_program
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.shares import check_room, in_memory, room
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import (
    REMEDY,
    VersionInfo,
    netmap_verdict,
    parse_version,
    require_option,
)


@dataclass(frozen=True)
class TcpreplayPlan(Plan):
    """A run of tcpreplay that may begin."""

    request: TcpreplayRequest
    version: VersionInfo
    injection_method: str | None
    netmap_mode: str | None
    netmap_delay: int
    hold: bool
    argv: list[str]

    @property
    def netmap(self) -> bool:
        """The run sends through netmap."""
        return self.injection_method == "netmap"


def make_plan(
    request: TcpreplayRequest, pcaps: Sequence[OpenedPcap], warn: Callable[[str], None], link_limit: float | None = None
) -> TcpreplayPlan:
    """Look at everything the run needs, and refuse what would go wrong.

    :param pcaps: those of the request, opened.
    :param link_limit: seconds for a link to come up; the default of 10 is for a port that was not in use just before.
    """
    executable = find_executable(request.executable, REMEDY)
    check_presets(executable)
    answer = run([executable, "--version"])
    version = parse_version(answer.stdout + answer.stderr)
    method = _injection_method(request, version, warn)
    found = look(request, pcaps, warn, link_limit, netmap=method == "netmap")
    mode = installed.mode(found.link["driver"]) if method == "netmap" else None
    hold = method == "netmap" and request.hold
    delay = (
        0 if hold else request.netmap_delay if request.netmap_delay is not None else installed.DELAY.get(mode or "", 0)
    )
    argv = build_argv(request, found.rate, executable, delay)
    for option in options_used(argv):
        require_option(version, option)
    if method == "netmap":
        if request.workers > 1:
            check_program(request.workers, executable, version)
            check_port(request.workers, request.sender)
        check_buffers(request, found.traffic, installed.buffer_size())
    files = room(request, found.traffic) if in_memory() else 0
    check_memory(request, found.traffic, _available_memory(), files)
    if request.workers > 1:
        check_room(request, found.traffic)
    if request.extra.editing:
        warn(
            f"extra_args change the frames as they are sent (--{', --'.join(request.extra.editing)}): sizes, requested"
            " rates and sha256 are those of the pcaps."
        )
    coarse = check_pacing(request, found.rate, found.traffic, version.release)
    if coarse:
        warn(coarse)
    expected = start_to_end(request, found.rate, found.traffic, delay)
    return TcpreplayPlan(
        **vars(found),
        expected=expected,
        timeout=time_limit(request, expected),
        version=version,
        injection_method=method,
        netmap_mode=mode,
        netmap_delay=delay,
        hold=hold,
        argv=argv,
    )


def _injection_method(request: TcpreplayRequest, version: VersionInfo, warn: Callable[[str], None]) -> str | None:
    """The injection method this tcpreplay uses for the request. Without --netmap or --xdp it has exactly one, chosen
    when it was built.

    The order is in src/common/sendpacket.c: PF_PACKET on every Linux, unless the build was forced to another.
    """
    asked = request.injection_method
    if asked == "netmap":
        require_option(version, "netmap")
        usable, reason = netmap_verdict(version)
        if usable is False:
            raise TrafficgenError(
                f"the netmap of tcpreplay {version.version} does not work: {reason}", on="injection_method netmap"
            )
        if usable is None:
            warn(f"Whether the netmap of tcpreplay {version.version} works is not known: {reason}.")
        installed.require()
        return asked
    if asked == "af_xdp":
        require_option(version, "xdp")
        return asked
    if asked == "pf_packet" and version.default_injection_method != asked:
        raise TrafficgenError(
            f"this tcpreplay was built to send by {version.default_injection_method}",
            on="injection_method pf_packet",
            remedy="Set injection_method: auto, or set executable to another tcpreplay.",
        )
    return version.default_injection_method


def _available_memory(proc: str = "/proc") -> int | None:
    """MemAvailable in bytes: what is available without swapping."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", read_text(f"{proc}/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def check_presets(executable: str) -> None:
    """Refuse a file of presets: tcpreplay reads more options from ``.tcpreplayrc`` in its program's folder."""
    presets = os.path.join(os.path.dirname(executable), ".tcpreplayrc")
    if os.path.lexists(presets):
        raise TrafficgenError(
            "tcpreplay reads unchecked options from it",
            on=presets,
            remedy="Remove it, and set the module's parameters.",
        )
