# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpreplay as the engine of a run."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import in_netns
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import (
    Program,
    Supervised,
    Watch,
    supervise,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.hold import Hold, held
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap, with_paths
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import run as runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.engine import Engine, Sent
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import packets_to_send
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.outcome import Outcome
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.complaints import Uncounted, explain
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.limits import check_buffers, in_flight
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.listener import Listener
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.plan import TcpreplayPlan, make_plan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import (
    TcpreplayRequest,
    parse_request,
)

_GRACE = 3.0  # seconds from SIGINT to SIGKILL


class Tcpreplay(Engine):
    """The program, and netmap where it sends through that."""

    plan: TcpreplayPlan
    name = "tcpreplay"
    sender: ClassVar[str] = "tcpreplay"

    def __init__(self, plan: TcpreplayPlan, warn: Callable[[str], None]) -> None:
        super().__init__(plan, warn)
        self._hold: Hold | None = None
        self._command = in_netns(plan.argv, plan.request.sender.netns)

    def take(self, stack: contextlib.ExitStack, watch: Watch) -> bool:
        """Hold the interface in netmap mode, where it is to be held."""
        plan = self.plan
        if not plan.hold:
            return False
        self._hold = stack.enter_context(held(plan.request.sender))
        check_buffers(plan.request, plan.traffic, self._hold.buffer_size)
        self._hold.wait_for_link(watch, plan.request.netmap_delay or 0)
        return True

    def load(self, stack: contextlib.ExitStack, watch: Watch, locks: Sequence[int]) -> None:
        """Nothing: the program reads the pcaps when it is started."""

    def send(
        self, watch: Watch, progress: Progress, *, stop: Callable[[], str], mark: str, locks: Sequence[int]
    ) -> Sent:
        """Run the program."""
        plan, request = self.plan, self.plan.request
        program = Program(
            [*plan.argv[: -len(plan.pcaps)], *(one.word for one in plan.pcaps)],
            request.cpus,
            Listener(progress).listen,
            [*locks, *(one.file.fileno() for one in plan.pcaps)],
        )
        (done,) = supervise(
            [program],
            watch,
            timeout=plan.timeout,
            netns=request.sender.netns,
            grace=_GRACE + 2 * plan.netmap_delay,
            stop=stop,
            mark=mark,
        )
        if self._hold and done.ended != "gone" and (left := self._hold.drain()):
            name = request.sender.name
            self.warn(f"{left} frames were still in the rings of {name} when it was let go, and did not leave.")
        done = _with_paths(done, plan.pcaps)
        self._command = list(done.argv)
        stats, complaint = self._said(done)
        # It complained, and yet sent it all, or whatever it sent.
        sent_all = done.status == 0 and (stats["packets"] or -1) >= packets_to_send(request, plan.traffic)
        return Sent(
            ended=done.ended,
            killed=done.killed,
            started=done.started,
            finished=done.finished,
            status=done.status,
            stats=stats,
            complaint=complaint,
            harmless=sent_all or isinstance(complaint, Uncounted),
            printed=(done.stdout, done.stderr),
        )

    def describe(self, nic: NicState) -> dict[str, Any]:
        """The command and the program, and what it sends through."""
        plan = self.plan
        return {
            "command": self._command,
            "injection_method": plan.injection_method,
            "netmap_mode": plan.netmap_mode,
            "in_flight_frames": in_flight(
                plan.injection_method,
                plan.traffic.bytes / plan.traffic.packets,
                None if nic.rings is None else nic.rings.tx,
                _socket_buffer(),
            ),
            "tcpreplay_version": plan.version.version,
            "netmap_version": installed.version() if plan.netmap else None,
        }

    def not_ended_well(self, sent: Sent, when: str) -> TrafficgenError | None:
        """The error of a tcpreplay that was stopped and had to be killed, said nothing, or had not sent anything."""
        name = self.plan.request.sender.name
        if sent.killed:
            return TrafficgenError(
                f"tcpreplay did not react to SIGINT when {when}, and was killed: what it counted last is not known",
                on=name,
                remedy="With netmap, it may have waited for a ring to drain: check that the link is up.",
            )
        if sent.status == -signal.SIGTERM:
            return TrafficgenError(
                "tcpreplay was ended by SIGTERM, after which it prints no statistics: its count is unknown",
                on=name,
                remedy="End it with SIGINT, or end the task.",
            )
        if not sent.stats["packets"]:
            return TrafficgenError(
                f"tcpreplay had sent nothing when {when}",
                on=name,
                said=sent.complaint.said if sent.complaint else "",
                remedy="Raise timeout, or set preload: false: it may still have been reading the pcaps.",
            )
        return None

    def _said(self, done: Supervised) -> tuple[dict[str, Any], TrafficgenError | None]:
        """What tcpreplay said, and what it complained of."""
        try:
            stats = parse(done.stdout, done.stderr, exit_status=done.status)
            name = self.plan.request.sender.name
            return stats, explain(done.stderr, done.status, nothing_sent=not stats["packets"], on=name)
        except TrafficgenError as unreadable:
            return parse("", done.stderr), unreadable


def carry_out(params: Mapping[str, Any], *, warn: Callable[[str], None], check_mode: bool = False) -> Outcome:
    """Do one run of tcpreplay, or in check mode only plan it.

    :param warn: takes the warnings as they come, a sentence each.
    """

    def engine_of(
        request: TcpreplayRequest, pcaps: Sequence[OpenedPcap], warn: Callable[[str], None], link_limit: float | None
    ) -> Tcpreplay:
        return Tcpreplay(make_plan(request, pcaps, warn, link_limit), warn)

    return runs.carry_out(params, parse_request, engine_of, warn=warn, check_mode=check_mode)


def _with_paths(done: Supervised, pcaps: Sequence[OpenedPcap]) -> Supervised:
    """A run that names the pcaps by their paths, where tcpreplay was given descriptors."""
    return replace(
        done,
        argv=tuple(with_paths(word, pcaps) for word in done.argv),
        stdout=with_paths(done.stdout, pcaps),
        stderr=with_paths(done.stderr, pcaps),
    )


def _socket_buffer(proc: str = "/proc") -> int:
    """The bytes of a socket's send buffer, which tcpreplay leaves as it is; the kernel's default where that cannot be
    read."""
    said = read_text(f"{proc}/sys/net/core/wmem_default")
    return int(said) if said.isdecimal() else 212992
