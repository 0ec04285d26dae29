# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run, from the parameters to the result tree. The parts are elsewhere; here is the order they come in.

Everything that can be refused is refused before anything is changed; nothing but the engine works while it sends.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import sender_queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import frames_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.receiver import (
    Receiver,
    count_arrivals,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import (
    no_process_left,
    undo_even_if_killed,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import LINK_LIMIT, Link, wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.lock import COUNTING, SENDING, only_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap, open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import (
    SOURCE_MACS_LIMIT,
    all_addressed_to,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.engine import Engine, Sent
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.limits import check_ready, packets_to_send
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.outcome import (
    Ended,
    Outcome,
    outcome_of,
    run_tree,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.phases import Phases
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Plan, online_cpus
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import VARIABLE, Progress, remove
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import Request

_SET_UP = 1.0  # seconds before start_at at which the counters are set up
_QUEUE_LIMIT = 2.0  # minimum seconds for the sender's queue, even after timeout
_PRINTED = 16000  # characters of what a program printed that a failed run returns

# Makes a plan of a request and its opened pcaps, with a time limit for a link that is coming up, and the engine of it.
EngineOf = Callable[[Any, Sequence[OpenedPcap], Callable[[str], None], "float | None"], Engine]
RequestOf = Callable[[Mapping[str, Any], "frozenset[int]"], Request]


def carry_out(
    params: Mapping[str, Any],
    request_of: RequestOf,
    engine_of: EngineOf,
    *,
    warn: Callable[[str], None],
    check_mode: bool = False,
) -> Outcome:
    """Do one run, or only plan it in check mode.

    :param warn: called with each warning, a sentence.
    """
    phases = Phases()
    progress_file = os.environ.pop(VARIABLE, None)  # keep it from the programs that are started
    request = request_of(params, online_cpus())
    with contextlib.ExitStack() as stack:
        if check_mode:
            engine = engine_of(request, open_pcaps(request.pcaps, stack), warn, None)
            return Outcome({"stats": None, "rates": None, "run": run_tree(engine), "counters": None})
        stack.callback(remove, progress_file)  # Ansible may be gone before it is written
        locks = stack.enter_context(_locked(request))
        recovered = settings.recover(request.sender)
        for text in recovered:
            warn(text)
        # If another run has just released the port, allow its link the full time.
        link_limit = LINK_LIMIT if recovered or request.lock_timeout else None
        engine = engine_of(request, open_pcaps(request.pcaps, stack), warn, link_limit)
        return execute(engine, locks, warn, progress_file, phases)


def answer(do: Callable[[], Outcome], fact_name: str | None) -> dict[str, Any]:
    """What a module returns of a run; ``failed`` where it is to fail.

    :param fact_name: of the fact; None where none is set.
    """
    outcome, error = Outcome({}), None
    try:
        outcome = do()
        error = outcome.error
    except (TrafficgenError, OSError) as refused:
        error = as_ours(refused)
    result = {**outcome.tree, "changed": True}
    if error is not None:
        if outcome.printed is not None:
            result["stdout"], result["stderr"] = (text[-_PRINTED:] for text in outcome.printed)
        return {**result, "failed": True, "msg": error.message, "changed": outcome.printed is not None}
    if fact_name is not None:
        result["ansible_facts"] = {fact_name: outcome.tree}
    return result


@contextlib.contextmanager
def _locked(request: Request) -> Iterator[list[int]]:
    """Lock the interfaces for this run. Yields the locks' descriptors for processes that must end before another run
    begins."""
    until = time.monotonic() + request.lock_timeout
    with only_run(request.sender, SENDING, until) as sending:
        if request.receiver is None:
            yield [sending]
            return
        with only_run(request.receiver, COUNTING, until) as counting:
            yield [sending, counting]


def execute(
    engine: Engine, locks: Sequence[int], warn: Callable[[str], None], progress_file: str | None, phases: Phases
) -> Outcome:
    """Send, count, and make the result, even of a failed run.

    :param locks: to be held until every process started here has ended and every setting is restored.
    """
    plan = engine.plan
    start_at, sender = plan.request.start_at, plan.request.sender
    receiver = _receiver(plan, warn)
    phases.end("prepare")
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(Watch())
        # What forks a process of its own comes before the engine takes the interface: who has netmap's memory mapped,
        # holds it.
        give_pause_back = stack.enter_context(
            settings.left_as_found(
                plan.nic, plan.settings, sender, warn, resets=plan.resets, netmap=plan.netmap, pass_fds=locks
            )
        )
        if receiver:
            stack.enter_context(undo_even_if_killed(receiver.remove, locks))
        mark = stack.enter_context(no_process_left(locks))
        phases.end("set_port")
        taken = engine.take(stack, watch)
        nic = _nic_while_sending(plan, watch, warn, link_is_up=taken)
        phases.end("take_port")
        engine.load(stack, watch, locks)
        phases.end("load")
        if start_at is not None:
            watch.sleep_until(start_at - _SET_UP)
        if receiver:
            receiver.start()
        before = snapshot(sender, like=plan.link)
        if receiver:
            receiver.let_pass(watch)
        if start_at is not None:
            watch.sleep_until(start_at)
            check_ready(start_at, time.time())
        if watch.why() is not None:
            raise TrafficgenError("it was told to stop before it began", on=engine.sender, said=_why_stopped(watch))
        if receiver:
            receiver.begin()
        phases.end("start")
        with _progress(plan, progress_file) as progress, Link(sender) as link:
            sent = engine.send(watch, progress, stop=_Lost(link).why, mark=mark, locks=locks)
        phases.end("send")
        altered = [one.altered(summary.sha256) for one, summary in zip(plan.pcaps, plan.summaries)]
        if sent.ended == "gone":
            raise TrafficgenError(f"Ansible has gone away, so {engine.sender} was ended", on=sender.name)
        after, left_at = _after(plan, sent, before, watch, warn)
        if receiver:
            left = frames_left(sent.stats, engine.describe(nic), before, after)
            receiver.finish(watch, left, left_at, sent.finished - sent.started)
        arrivals = _arrivals(plan, sent, before, watch, warn) if plan.request.count_arrivals else None
        phases.end("count")
        if taken:
            give_pause_back()
    phases.end("restore")
    outcome = outcome_of(Ended(engine, nic, sent, before, after, receiver), warn)
    outcome.tree["run"]["phases"] = phases.tree()
    if arrivals is not None:
        outcome.tree["arrivals"] = arrivals
    for pcap, error in zip(outcome.tree["run"]["pcaps"], altered):
        if error is not None:
            pcap["sha256"] = None
            outcome.error = outcome.error or error
    return outcome


class _Lost:
    """Whether the interface is gone or set down, and not for a moment only: tcpreplay 4.4.3, for one, would go on
    trying, as fast as it can."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._before = ""

    def why(self) -> str:
        """A problem seen twice in a row, else empty."""
        before, self._before = self._before, self._link.trouble()
        return self._before if self._before == before else ""


def _progress(plan: Plan, path: str | None) -> Progress:
    request = plan.request
    return Progress(
        path,
        to_send=packets_to_send(request, plan.traffic),
        duration=request.duration,
        expected=plan.expected,
        padding=plan.traffic.size.padding,
    )


def _nic_while_sending(plan: Plan, watch: Watch, warn: Callable[[str], None], *, link_is_up: bool) -> NicState:
    """The interface's settings for the run, read once its link is up again after the change."""
    interface = plan.request.sender
    if not plan.resets and not settings.would_change(plan.nic, plan.settings):
        return plan.nic
    if not link_is_up and not wait_for_link(interface, watch=watch) and watch.why() is None:
        raise TrafficgenError(
            "its link did not come up after its settings were made",
            on=interface.name,
            remedy="Check the cable and the other side, or leave offloads, flow_control and the ring sizes unset.",
        )
    return settings.verify(plan.settings, interface, warn)


def _after(
    plan: Plan, sent: Sent, before: dict[str, Any], watch: Watch, warn: Callable[[str], None]
) -> tuple[dict[str, Any] | None, float]:
    """The sender's counters once all frames have left, and when that was, on the monotonic clock.

    If the interface is gone, the run still has a result.
    """
    sender, ended = plan.request.sender, time.monotonic()
    taken: dict[str, Any] | None = None

    def left() -> int | None:
        nonlocal taken
        taken = snapshot(sender, like=plan.link)
        return frames_left({}, {}, before, taken)

    def queue() -> sender_queue.Queue | None:
        # netmap bypasses the kernel's queue, and its own rings have drained.
        return None if plan.netmap else sender_queue.read_queue(sender)

    until = ended + max(_QUEUE_LIMIT, plan.timeout - (sent.finished - sent.started))
    try:
        waiting = sender_queue.wait_until_left(left, queue, watch, claimed=sent.stats["packets"], until=until)
    except TrafficgenError as error:
        warn(f"The sender's counters after the run are unknown: {error.message}")
        return None, ended
    if taken is not None and waiting is not None:
        taken["queue"] = sender_queue.tree(waiting)
        warn(
            f"{waiting.frames} frames were still in the queue of {sender.name} ({waiting.kind}) when its counters were"
            " read: they leave later. Raise timeout to wait longer."
        )
    return taken, time.monotonic()


def _arrivals(
    plan: Plan, sent: Sent, before: dict[str, Any], watch: Watch, warn: Callable[[str], None]
) -> dict[str, Any]:
    """The port's counters before and after, for the run that sends to it. After it they are None if unknown."""
    request, after = plan.request, None
    sending = sent.finished - sent.started
    try:
        after = count_arrivals(request.sender, before, watch, receive_wait=request.receive_wait, sending=sending)
    except TrafficgenError as error:
        warn(f"What arrived at {request.sender.name} is unknown: {error.message}")
    return {"before": before, "after": after}


def _receiver(plan: Plan, warn: Callable[[str], None]) -> Receiver | None:
    """The receiving interface's count, if one was named."""
    request = plan.request
    if plan.rx_link is None:
        return None
    some = [one.source_macs for one in plan.summaries]
    macs = sorted({mac for macs in some for mac in macs or ()})
    too_many = None in some or len(macs) > SOURCE_MACS_LIMIT
    return Receiver(
        plan.rx_link,
        macs,
        no_counter=f"the pcaps have more than {SOURCE_MACS_LIMIT} source MAC addresses" if too_many else "",
        warn=warn,
        addressed=lambda mac: all(all_addressed_to(one.path, mac, one.file) for one in plan.pcaps),
        receive_wait=request.receive_wait,
        settle=request.settle,
        start_by=math.inf if request.start_at is None else request.start_at - _SET_UP / 2,
    )


def _why_stopped(watch: Watch) -> str:
    return f"it got {signal.Signals(watch.signal).name}" if watch.signal else "Ansible has gone away"
