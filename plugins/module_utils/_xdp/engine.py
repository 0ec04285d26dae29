# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AF_XDP as the engine of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import LINK_LIMIT, wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import run as runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.engine import LOST, Engine, Sent
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.outcome import Outcome
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import in_a_second
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.plan import XdpPlan, make_plan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.program import let_pass
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.request import XdpRequest, parse_request
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Done, Sender, WorkerDone
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import COPY

# The stats that only tcpreplay tells.
_NOT_TOLD = ("flows", "flows_per_second", "flow_packets", "non_flow_packets", "flows_unique", "flows_expired")
# How a run ends whose workers were told to.
_TOLD_TO = ("timeout", "signal", "gone", *LOST)


class Xdp(Engine):
    """Workers of this collection's own, one a queue. Their sockets are bound and their frames loaded beforehand."""

    plan: XdpPlan
    name = "af_xdp"
    sender: ClassVar[str] = "xdp_replay"
    whole_intervals = True

    def __init__(self, plan: XdpPlan, warn: Callable[[str], None]) -> None:
        super().__init__(plan, warn)
        self._sender: Sender | None = None
        self._mode: str | None = None
        self._asked = plan.asked
        self._workers = [
            {**dict.fromkeys(WorkerDone._fields), "queue": number} for number in range(plan.stream.workers)
        ]

    def take(self, stack: contextlib.ExitStack, watch: Watch) -> bool:
        """Have the program on the port that zero copy needs, where it is asked for."""
        if not self._asked.zero_copy:
            return False
        try:
            stack.enter_context(let_pass(self.plan.request.sender))
        except TrafficgenError as error:
            if not self._asked.copy:
                raise
            self.warn(f"The kernel copies the frames (mode: copy). {error.message}")
            self._asked = COPY
            return False
        self._wait_for_link(watch)
        return True

    def _wait_for_link(self, watch: Watch) -> None:
        """Many drivers reset the port when a program is put on it or a socket is bound."""
        sender = self.plan.request.sender
        if not wait_for_link(sender, watch=watch) and watch.why() is None:
            raise TrafficgenError(
                f"its link did not come up within {LINK_LIMIT:g} s of being reset for zero copy",
                on=sender.name,
                remedy="Check the cable and the other side, or set mode: copy.",
            )

    def load(self, stack: contextlib.ExitStack, watch: Watch, locks: Sequence[int]) -> None:
        """Bind the sockets, and put the frames into their memory."""
        request, asked = self.plan.request, self._asked
        self._sender = stack.enter_context(
            Sender(
                request.sender,
                self.plan.stream,
                cpus=None if request.cpus is None else sorted(request.cpus),
                asked=asked,
                receive=self.plan.receive if asked.zero_copy else 0,
                pass_fds=locks,
            )
        )
        self._mode = self._sender.mode
        if not asked.zero_copy:
            return
        if self._mode == "copy":
            self.warn(
                f"{request.sender.name}: the kernel copies the frames (mode: copy), because its driver took no socket"
                " with zero copy. `dmesg` may have the reason."
            )
        self._wait_for_link(watch)

    def send(
        self, watch: Watch, progress: Progress, *, stop: Callable[[], str], mark: str, locks: Sequence[int]
    ) -> Sent:
        """Let the workers send. ``mark`` is not needed: they start no program, and end with this process."""
        sender = self._sender
        if sender is None:
            raise AssertionError("nothing is loaded")
        sender.start(watch)
        done = sender.wait(
            watch,
            timeout=self.plan.timeout,
            stop=stop,
            listen=lambda: progress.tell(lambda: sender.measures()._asdict()),
        )
        self._workers = [one._asdict() for one in done.workers]
        if dropped := sum(one.failed for one in done.workers):
            self.warn(
                f"The kernel dropped {dropped} frames on {self.plan.request.sender.name}: the link was down for a"
                " while, or its other side did not take them. See the link, and the MTU on both sides."
            )
        return Sent(
            ended=done.ended,
            killed=done.killed,
            started=done.started,
            finished=done.finished,
            status=None,
            stats=stats_of(done, self.plan.request.sender.name),
            complaint=self._complaint(done),
        )

    def describe(self, nic: NicState) -> dict[str, Any]:
        """How it sends, and what each worker did; what tcpreplay alone has is None."""
        return {
            "command": None,
            "injection_method": "af_xdp",
            "netmap_mode": None,
            # The kernel has completed what is counted: the device has sent it.
            "in_flight_frames": 0,
            "tcpreplay_version": None,
            "netmap_version": None,
            "xdp_mode": self._mode,
            "split": self.plan.request.split,
            "workers": self._workers,
        }

    def not_ended_well(self, sent: Sent, when: str) -> TrafficgenError | None:
        """The error of workers that were stopped and had to be killed, or had not sent anything."""
        name = self.plan.request.sender.name
        if sent.killed:
            return TrafficgenError(
                f"a worker did not end when {when}, and was killed",
                on=name,
                remedy="Check that the link is up and that its other side takes frames.",
            )
        if not sent.stats["packets"]:
            return TrafficgenError(f"nothing had been sent when {when}", on=name, remedy="Raise timeout.")
        return None

    def _complaint(self, done: Done) -> TrafficgenError | None:
        """What became of a worker, where that is not what it should have."""
        name = self.plan.request.sender.name
        for number, worker in enumerate(done.workers):
            if worker.error:
                return TrafficgenError(f"worker {number}: {worker.error}", on=name)
        if done.ended in ("exited", *_TOLD_TO):
            return None
        return TrafficgenError(done.ended, on=name)


def stats_of(done: Done, interface: str) -> dict[str, Any]:
    """The ``stats`` tree of all workers together. Their flows are not added: two may have parts of the same."""
    packets, size, failed = (
        sum(values) for values in zip(*((one.packets, one.bytes, one.failed) for one in done.workers))
    )
    seconds = max(one.seconds for one in done.workers)
    return {
        "packets": packets,
        "bytes": size,
        "seconds": seconds,
        **in_a_second(packets, size, seconds),
        **dict.fromkeys(_NOT_TOLD),
        "failed_write_attempts": failed,
        "interrupted": done.ended in _TOLD_TO,
        "devices": [
            {
                "interface": interface,
                "successful_packets": packets,
                "failed_packets": failed,
                "truncated_packets": None,
                "retried_enobufs": None,
                "retried_eagain": None,
            }
        ],
        "samples": [],
    }


def carry_out(params: Mapping[str, Any], *, warn: Callable[[str], None], check_mode: bool = False) -> Outcome:
    """Do one run through AF_XDP, or in check mode only plan it.

    :param warn: takes the warnings as they come, a sentence each.
    """

    def engine_of(
        request: XdpRequest, pcaps: Sequence[OpenedPcap], warn: Callable[[str], None], link_limit: float | None
    ) -> Xdp:
        return Xdp(make_plan(request, pcaps, warn, link_limit), warn)

    return runs.carry_out(params, parse_request, engine_of, warn=warn, check_mode=check_mode)
