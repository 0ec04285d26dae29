# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpreplay as the engine of a run."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import in_netns
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import (
    OTHER_FAILED,
    Program,
    Supervised,
    Watch,
    supervise,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.hold import Hold, held
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import xdp
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import read_rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap, with_paths
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import run as runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.engine import OTHER_RINGS, Engine, Sent
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
    build_argv,
    parse_request,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import check_port
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.shares import Share, write_shares
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.workers import (
    KEYS,
    Worker,
    idle,
    together,
    trees,
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
        self._rings: tuple[int | None, int | None] = (None, None)
        request = plan.request
        several = request.workers > 1
        self.whole_intervals = several
        self._shares: list[Share] = []
        self._command = None if several else in_netns(plan.argv, request.sender.netns)
        self._workers: list[dict[str, Any]] = [dict.fromkeys(KEYS) for _worker in range(request.workers)]
        cpus = sorted(os.sched_getaffinity(0) if request.cpus is None else request.cpus)
        # Where there are too few, all may use all.
        self._cpus = cpus[: request.workers] if several and len(cpus) >= request.workers else [None] * request.workers

    def take(self, stack: contextlib.ExitStack, watch: Watch) -> bool:
        """Hold the interface in netmap mode, where it is to be held."""
        plan = self.plan
        if not plan.hold:
            return False
        self._hold = stack.enter_context(held(plan.request.sender))
        self._rings = _rings(plan.request.sender)
        check_buffers(plan.request, plan.traffic, self._hold.buffer_size)
        check_port(plan.request.workers, plan.request.sender, self._hold.rings)
        self._hold.wait_for_link(watch, plan.request.netmap_delay or 0)
        return True

    def load(self, stack: contextlib.ExitStack, watch: Watch, locks: Sequence[int]) -> None:
        """Write each worker's share of the pcaps, where there are several. The program reads when it is started."""
        plan = self.plan
        if plan.request.workers > 1:
            self._shares = write_shares(plan.request, plan.pcaps, plan.traffic, stack, watch)
            if watch.why() is None:
                for number in range(plan.request.workers):
                    self._rate(number)  # what is too slow fails here

    def send(
        self, watch: Watch, progress: Progress, *, stop: Callable[[], str], mark: str, locks: Sequence[int]
    ) -> Sent:
        """Run the program, or several."""
        plan, request = self.plan, self.plan.request
        if others := self._other_rings():
            raise TrafficgenError(
                f"it was {others} before anything was sent",
                on=request.sender.name,
                remedy="Find out who did that, and send again.",
            )
        numbers, programs = self._programs(Listener(progress, request.workers), locks)
        done = supervise(
            programs,
            watch,
            timeout=plan.timeout,
            netns=request.sender.netns,
            grace=_GRACE + 2 * plan.netmap_delay,
            stop=lambda: stop() or self._other_rings(),
            mark=mark,
        )
        others = self._other_rings()
        if self._hold and done[0].ended != "gone" and (left := self._hold.drain()):
            name = request.sender.name
            self.warn(f"{left} frames were still in the rings of {name} when it was let go, and did not leave.")
        done = [_with_paths(one, plan.pcaps) for one in done]
        self._command = list(done[0].argv)
        workers, complaint = self._ended(numbers, done)
        stats = workers[0].stats if request.workers == 1 else together(workers, request.sender.name)
        for number, tree in zip(numbers, trees(workers)):
            self._workers[number] = {**tree, "queue": self._ring(number)}
        # Of those that were stopped since another failed, the status says nothing.
        statuses = [one.status for one in done if one.ended != OTHER_FAILED]
        status = next(filter(None, statuses), 0)
        # It complained, and yet sent it all, or whatever it sent.
        sent_all = status == 0 and (stats["packets"] or -1) >= packets_to_send(request, plan.traffic)
        return Sent(
            ended=next((one.ended for one in done if one.ended not in ("exited", OTHER_FAILED)), others or "exited"),
            killed=any(one.killed for one in done),
            started=min(one.started for one in done),
            finished=max(one.finished for one in done),
            status=status,
            stats=stats,
            complaint=complaint,
            harmless=sent_all or isinstance(complaint, Uncounted),
            printed=("".join(one.stdout for one in done), "".join(one.stderr for one in done)),
        )

    def _other_rings(self) -> str:
        """What was done to the rings of an interface that is held, else empty. The driver has made new ones, which
        netmap does not know of: what is in its own may never leave, or is read past their end."""
        now = _rings(self.plan.request.sender) if self._hold else self._rings
        changed = any(before != after for before, after in zip(self._rings, now) if None not in (before, after))
        return OTHER_RINGS if changed else ""

    def _programs(self, listener: Listener, locks: Sequence[int]) -> tuple[list[int], list[Program]]:
        """The workers that have something to send, by their numbers, and the program of each."""
        plan, request = self.plan, self.plan.request
        if not self._shares:
            words, files = [one.word for one in plan.pcaps], [one.file.fileno() for one in plan.pcaps]
            argv = [*plan.argv[: -len(plan.pcaps)], *words]
            return [0], [Program(argv, request.cpus, listener.listen, [*locks, *files])]
        programs, numbers = [], []
        for number, share in enumerate(self._shares):
            if not share.packets or share.limit == 0:
                self._workers[number] = {**idle(self._cpus[number]), "queue": self._ring(number)}
                listener.leave_out(number)
                continue
            argv = build_argv(
                replace(request, pcaps=(share.word,), limit=share.limit),
                replace(plan.rate, argv=self._rate(number)),
                plan.argv[0],
                plan.netmap_delay,
                self._ring(number),
            )
            cpu = self._cpus[number]
            cpus = request.cpus if cpu is None else {cpu}
            programs.append(
                Program(
                    argv,
                    cpus,
                    listen=partial(listener.listen, worker=number),
                    pass_fds=[*locks, share.file.fileno()],
                    cut_short=partial(listener.interrupted, number),
                )
            )
            numbers.append(number)
        return numbers, programs

    def _rate(self, number: int) -> tuple[str, ...]:
        """The options for a worker's part of the rate; none for one without a frame."""
        share, traffic = self._shares[number], self.plan.traffic
        if not share.packets:
            return ()
        try:
            return self.plan.rate.part(share.packets / traffic.packets, share.bytes / traffic.bytes)
        except TrafficgenError as error:
            raise TrafficgenError(
                f"the part of worker {number}, which has {share.packets} of {traffic.packets} frames, is {error.what}",
                on=error.on,
                remedy="Ask for a higher rate, or set workers: 1.",
            ) from error

    def _ring(self, number: int) -> int | None:
        """The ring of netmap that a worker sends on, where there are several."""
        return number if self.plan.netmap and self._shares else None

    def _ended(self, numbers: Sequence[int], done: Sequence[Supervised]) -> tuple[list[Worker], TrafficgenError | None]:
        """What each worker said, and the first complaint that is not of having been stopped."""
        workers, complaints = [], []
        for number, one in zip(numbers, done):
            stats, complaint = self._said(one)
            if complaint is not None and one.ended == OTHER_FAILED:
                complaint = None
            if complaint is not None and self._shares and not isinstance(complaint, Uncounted):
                complaint = TrafficgenError(
                    f"worker {number}: {complaint.what}", on=complaint.on, said=complaint.said, remedy=complaint.remedy
                )
            complaints.append(complaint)
            error = OTHER_FAILED if one.ended == OTHER_FAILED else complaint.message if complaint else ""
            interval = self._interval(number, stats) if self._shares else 0.0
            workers.append(Worker(self._cpus[number], one, stats, error, interval))
        # One about the statistics alone comes last.
        told = sorted((one for one in complaints if one is not None), key=lambda one: isinstance(one, Uncounted))
        return workers, told[0] if told else None

    def _interval(self, number: int, stats: Mapping[str, Any]) -> float:
        """The seconds that belong to the last frame of a worker that sent all. At a rate in packets it does not wait
        for them itself."""
        request, share, total = self.plan.request, self._shares[number], self.plan.traffic.packets
        whole = share.packets * request.loop if request.loop else math.inf
        if share.limit is not None:
            whole = min(whole, share.limit)
        if self.plan.rate.form != "pps" or self.plan.rate.pps is None or stats["packets"] != whole:
            return 0.0
        return total / share.packets / self.plan.rate.pps

    def describe(self, nic: NicState) -> dict[str, Any]:
        """The command and the program, and what it sends through."""
        plan = self.plan
        in_flight_of_one = in_flight(
            plan.injection_method,
            plan.traffic.bytes / plan.traffic.packets,
            None if nic.rings is None else nic.rings.tx,
            _socket_buffer(),
        )
        return {
            "command": self._command,
            "injection_method": plan.injection_method,
            "netmap_mode": plan.netmap_mode,
            "in_flight_frames": plan.request.workers * in_flight_of_one,
            "tcpreplay_version": plan.version.version,
            "netmap_version": installed.version() if plan.netmap else None,
            "split": plan.request.split,
            "workers": self._workers,
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
        if self._shares and sent.stats["packets"] is None:
            return TrafficgenError(
                f"a worker told no count when {when}, so the sum is unknown",
                on=name,
                remedy="Raise timeout. run.workers has what the others sent.",
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


def _rings(interface: Interface) -> tuple[int | None, int | None]:
    """How many queues the driver has to send on, and the slots of each; None for what cannot be read, as of an
    interface that is gone."""
    with contextlib.suppress(TrafficgenError, OSError):
        sizes = read_rings(interface)
        return xdp.queues(interface, read_link(interface))["tx"], None if sizes is None else sizes.tx
    return None, None


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
