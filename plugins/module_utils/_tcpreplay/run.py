# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of tcpreplay, from the parameters to the result tree. The parts are elsewhere; here is the order they come
in.

Everything that can be refused is refused before anything is changed; nothing but tcpreplay works while it sends.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import sender_queue
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import (
    OTHERS,
    SETTLE,
    earlier,
    wait_for_frames,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import frames_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.frame_counter import (
    add_frame_counter,
    read_frame_counter,
    remove_frame_counter,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.loss import SMALL
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.missed_note import MissedNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import check_has_macs, snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import account
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.runner import (
    Supervised,
    Watch,
    find_executable,
    in_netns,
    nothing_left,
    run,
    supervise,
    undone,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.hold import held
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import settings as _nic_settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.lock import COUNTING, SENDING, only_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import guard
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import LINK_LIMIT, NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    SOURCE_MACS_LIMIT,
    PcapSummary,
    all_addressed_to,
    all_tagged,
    repeated_frames,
    summarize,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import (
    OpenedPcap,
    open_pcaps,
    with_paths,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    FCS,
    SHORTEST_FRAME,
    SHORTEST_WIRE,
    RatePlan,
    Size,
    plan_rate,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.complaints import Uncounted, explain
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.pcap import check_all
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.progress import VARIABLE, Progress, remove
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rate import (
    Recorded,
    measured,
    missed,
    reached,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import (
    Request,
    Traffic,
    build_argv,
    check_frames,
    check_memory,
    check_pacing,
    check_presets,
    check_ready,
    check_start,
    default_timeout,
    edited_by,
    expected_seconds,
    how_it_ended,
    in_flight,
    longest_untagged,
    options_used,
    packets_to_send,
    parse_cpus,
    parse_request,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import (
    REMEDY,
    VersionInfo,
    netmap_verdict,
    parse_version,
    require,
)

_GRACE = 3.0  # seconds from SIGINT to SIGKILL
_SET_UP = 1.0  # seconds before start_at at which the counters are set up
_QUEUE_LIMIT = 2.0  # seconds for the sender's queue where timeout leaves it fewer
_LINK_LIMIT, _LINK_STEP = 10.0, 0.2  # seconds


@dataclass
class Outcome:
    """What the module returns. ``tree``: the result tree; ``error``: the run failed, and how; ``printed``: by
    tcpreplay, if it ran."""

    tree: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    error: TrafficgenError | None = None
    printed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """A run that may begin: what was asked for, what was found, what follows."""

    request: Request
    pcaps: Sequence[OpenedPcap]
    traffic: Traffic
    summaries: list[PcapSummary]
    version: VersionInfo
    rate: RatePlan
    argv: list[str]
    link: dict[str, Any]
    nic: NicState
    settings: Settings
    rx_link: dict[str, Any] | None
    link_speed_mbps: int | None
    injection_method: str | None
    netmap_mode: str | None
    netmap_delay: int
    hold: bool
    timeout: float


def carry_out(params: Mapping[str, Any], *, check_mode: bool = False, warnings: list[str] | None = None) -> Outcome:
    """Do one run, or in check mode only plan it.

    :param warnings: gets the warnings as they come, so that they are known where this raises, too.
    """
    warnings = [] if warnings is None else warnings
    progress_file = os.environ.pop(VARIABLE, None)  # not for the programs that are started
    request = parse_request(params, _online_cpus())
    with contextlib.ExitStack() as stack:
        if check_mode:
            plan = make_plan(request, open_pcaps(request.pcaps, stack), warnings)
            return Outcome({"stats": None, "rates": None, "run": run_tree(plan), "counters": None}, warnings)
        stack.callback(remove, progress_file)  # Ansible may be gone before it is written
        locks = stack.enter_context(_locked(request))
        recovered = _nic_settings.recover(request.interface, request.netns)
        warnings.extend(recovered)
        # Where another run has just let go of the port, its link takes as long as it needs.
        link_limit = LINK_LIMIT if recovered or request.lock_timeout else _LINK_LIMIT
        plan = make_plan(request, open_pcaps(request.pcaps, stack), warnings, link_limit)
        return execute(plan, locks, warnings, progress_file)


@contextlib.contextmanager
def _locked(request: Request) -> Iterator[list[int]]:
    """Have the interfaces for this run alone; the descriptors of the locks, for what must be gone too before another
    run begins."""
    until = time.monotonic() + request.lock_timeout
    with only_run(request.interface, request.netns, SENDING, until) as sending:
        if request.rx_interface is None:
            yield [sending]
            return
        with only_run(request.rx_interface, request.rx_netns, COUNTING, until) as counting:
            yield [sending, counting]


def make_plan(
    request: Request, pcaps: Sequence[OpenedPcap], warnings: list[str], link_limit: float = _LINK_LIMIT
) -> Plan:
    """Look at everything the run needs, and refuse what would go wrong.

    :param pcaps: those of the request, opened.
    :param link_limit: seconds for a link that is coming up.
    """
    executable = find_executable(request.executable, REMEDY)
    check_presets(executable)
    answer = run([executable, "--version"])
    version = parse_version(answer.stdout + answer.stderr)
    method = _injection_method(request, version, warnings)
    summaries = [
        summarize(one.path, flows=False, source_macs=request.rx_interface is not None, opened=one.file) for one in pcaps
    ]
    check_all(summaries, warnings, recorded_speed=request.rate_form in (None, "multiplier"))
    traffic = _traffic(summaries)
    link = _settled_link(request, link_limit)
    _check_link(link, request)
    rx_link = None
    if request.rx_interface is not None:
        rx_link = snapshot(request.rx_interface, request.rx_netns)
        _check_receiver(rx_link, link, request)
    if not request.allow_management_interface:
        guard(request.interface, request.netns)
    nic, settings = state.read(request.interface, request.netns), _settings(request)
    _nic_settings.check(nic, settings, request.interface)
    mode = installed.mode(link["driver"]) if method == "netmap" else None
    hold = method == "netmap" and request.hold
    delay = (
        0 if hold else request.netmap_delay if request.netmap_delay is not None else installed.DELAY.get(mode or "", 0)
    )
    speed = request.link_speed_mbps or link["speed_mbps"]
    rate = plan_rate(
        request.rate_form,
        True if request.rate_form == "topspeed" else request.rate,
        _size_to_send(request, traffic, summaries, pcaps),
        speed,
        strict=request.strict_rate,
    )
    argv = build_argv(request, rate, executable, delay)
    for option in options_used(argv):
        require(version, option)
    untagged = longest_untagged(link["mtu"])
    tagged = all(
        max(one.sizes) <= untagged or all_tagged(one.path, untagged, pcap.file) for one, pcap in zip(summaries, pcaps)
    )
    check_frames(request, traffic, link["mtu"], tagged=tagged, netmap_buffer=installed.buffer_size())
    check_memory(request, traffic, _available_memory())
    if request.extra.editing:
        warnings.append(
            f"extra_args change the frames as they are sent (--{', --'.join(request.extra.editing)}): sizes, requested"
            " rates and sha256 are those of the pcaps."
        )
    coarse = check_pacing(request, rate, traffic, version.release)
    if coarse:
        warnings.append(coarse)
    timeout = request.timeout or default_timeout(expected_seconds(request, rate, traffic, delay))
    check_start(request.start_at, time.time(), timeout)
    return Plan(
        request,
        pcaps,
        traffic,
        summaries,
        version,
        rate,
        argv,
        link,
        nic,
        settings,
        rx_link,
        speed,
        method,
        mode,
        delay,
        hold,
        timeout,
    )


def _settings(request: Request) -> Settings:
    """What the run changes of its interface. Through netmap the port is reset anyway, by the kernel's path it need not
    be."""
    off = {
        name: value == "off" or (value == "auto" and request.injection_method == "netmap")
        for name, value in (("offloads", request.offloads), ("flow_control", request.flow_control))
    }
    return Settings(
        offloads_off=off["offloads"],
        flow_control_off=off["flow_control"],
        flow_control_asked=request.flow_control == "off",
        tx_ring_size=request.tx_ring_size,
        rx_ring_size=request.rx_ring_size,
    )


def execute(plan: Plan, locks: Sequence[int], warnings: list[str], progress_file: str | None = None) -> Outcome:
    """Send, count, and make the result of it, whatever became of it.

    :param locks: what nobody else may have before all that was started and changed here is gone and put back.
    """
    request = plan.request
    netmap = plan.injection_method == "netmap"
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(Watch())
        # What forks a process of its own comes before the hold: who has netmap's memory mapped, holds the interface.
        give_pause_back = stack.enter_context(
            _nic_settings.left_as_found(
                plan.nic,
                plan.settings,
                request.interface,
                request.netns,
                warnings,
                netmap=netmap,
                hand_on=locks,
            )
        )
        receiver = stack.enter_context(_receiver(plan, warnings, locks))
        mark = stack.enter_context(nothing_left(locks))
        hold = stack.enter_context(held(request.interface, request.netns)) if plan.hold else None
        if hold is not None:
            check_frames(request, plan.traffic, plan.link["mtu"], netmap_buffer=hold.buffer_size)
            hold.wait_for_link(watch, request.netmap_delay or 0)
        nic = _set(plan, watch, warnings, hold is not None)
        if request.start_at is not None:
            watch.sleep_until(request.start_at - _SET_UP)
        receiver.start()
        before = snapshot(request.interface, request.netns, like=plan.link)
        receiver.let_pass(watch)
        if request.start_at is not None:
            watch.sleep_until(request.start_at)
            check_ready(request.start_at, time.time())
        if watch.why() is not None:
            raise TrafficgenError("it was told to stop before it began", on="tcpreplay", said=_why_stopped(watch))
        receiver.begin()
        argv = [*plan.argv[: -len(plan.pcaps)], *(one.word for one in plan.pcaps)]
        with _progress(plan, progress_file) as progress, Link(request.interface, request.netns) as link:
            done = supervise(
                argv,
                watch,
                timeout=plan.timeout,
                netns=request.netns,
                cpus=request.cpus,
                grace=_GRACE + 2 * plan.netmap_delay,
                listen=progress.listen,
                stop=_Lost(link).why,
                mark=mark,
                hand_on=[*locks, *(one.file.fileno() for one in plan.pcaps)],
            )
        done = _as_the_reader_knows_it(done, plan.pcaps)
        altered = [one.altered(summary.sha256) for one, summary in zip(plan.pcaps, plan.summaries)]
        if done.ended == "gone":
            raise TrafficgenError("Ansible has gone away, so tcpreplay was ended", on=request.interface)
        if hold is not None and (left := hold.drain()):
            warnings.append(
                f"{left} frames were still in the rings of {request.interface} when it was let go, and did not leave."
            )
        stats, complaint = _said(plan, done)
        after, left_at = _after(plan, done, stats, before, watch, warnings)
        how = {"injection_method": plan.injection_method, "netmap_mode": plan.netmap_mode}
        receiver.finish(watch, frames_left(stats, how, before, after), left_at, done.finished - done.started)
        if hold is not None:
            give_pause_back()
    outcome = _outcome(plan, nic, done, stats, complaint, before, after, receiver, warnings)
    for pcap, error in zip(outcome.tree["run"]["pcaps"], altered):
        if error is not None:
            pcap["sha256"] = None
            outcome.error = outcome.error or error
    return outcome


def _as_the_reader_knows_it(done: Supervised, pcaps: Sequence[OpenedPcap]) -> Supervised:
    """A run that names the pcaps by their paths, where tcpreplay was given descriptors."""
    return replace(
        done,
        argv=tuple(with_paths(word, pcaps) for word in done.argv),
        stdout=with_paths(done.stdout, pcaps),
        stderr=with_paths(done.stderr, pcaps),
    )


class _Lost:
    """Whether the interface is gone or set down, and not for a moment only: tcpreplay 4.4.3 would go on trying, as fast
    as it can."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._before = ""

    def why(self) -> str:
        """The same trouble twice in a row, else nothing."""
        before, self._before = self._before, self._link.trouble()
        return self._before if self._before == before else ""


def _progress(plan: Plan, path: str | None) -> Progress:
    request = plan.request
    return Progress(
        path,
        to_send=packets_to_send(request, plan.traffic),
        duration=request.duration,
        expected=expected_seconds(request, plan.rate, plan.traffic, plan.netmap_delay),
        padding=plan.traffic.size.padding,
    )


def _set(plan: Plan, watch: Watch, warnings: list[str], link_is_up: bool) -> NicState:
    """What the interface is set to while the run sends, once its link is up again after its settings were made."""
    interface, netns = plan.request.interface, plan.request.netns
    if plan.injection_method != "netmap" and not _nic_settings.would_change(plan.nic, plan.settings):
        return plan.nic
    if not link_is_up and not state.wait_for_link(interface, netns, watch=watch) and watch.why() is None:
        raise TrafficgenError(
            "its link did not come up after its settings were made",
            on=interface,
            remedy=(
                "See that the cable and the other side are up, or leave offloads, flow_control and the ring sizes as"
                " they are."
            ),
        )
    return _nic_settings.made(plan.settings, interface, netns, warnings)


def run_tree(
    plan: Plan, nic: NicState | None = None, done: Supervised | None = None, ended_by: str | None = None
) -> dict[str, Any]:
    """The ``run`` part of the result; without a run, what is known before.

    :param nic: what the interface was set to while it ran.
    """
    nic = nic or plan.nic
    return {
        "command": list(done.argv) if done else in_netns(plan.argv, plan.request.netns),
        "requested": plan.rate.requested,
        "capped": plan.rate.capped,
        "rate_reached": None,
        "injection_method": plan.injection_method,
        "netmap_mode": plan.netmap_mode,
        "interface": plan.request.interface,
        "netns": plan.request.netns,
        "driver": plan.link["driver"],
        "link_speed_mbps": plan.link_speed_mbps,
        "mtu": plan.link["mtu"],
        "offloads": nic.offloads_on(netmap=plan.injection_method == "netmap"),
        "flow_control": None if nic.pause is None else {"rx": nic.pause.rx, "tx": nic.pause.tx},
        "ring_sizes": None if nic.rings is None else {"rx": nic.rings.rx, "tx": nic.rings.tx},
        "pcaps": [
            {"path": one.path, "packets": one.packets, "bytes": one.bytes, "sha256": one.sha256}
            for one in plan.summaries
        ],
        "frames": frames_tree(plan.summaries),
        "mac_address": plan.link["mac_address"],
        "edited_by": edited_by(plan.request),
        "in_flight_frames": in_flight(
            plan.injection_method,
            plan.traffic.bytes / plan.traffic.packets,
            None if nic.rings is None else nic.rings.tx,
            _socket_buffer(),
        ),
        "tcpreplay_version": plan.version.version,
        "netmap_version": installed.version() if plan.injection_method == "netmap" else None,
        "kernel": os.uname().release,
        "receive_wait": plan.request.receive_wait,
        "settle": plan.request.settle,
        "started": done.started if done else None,
        "ended": done.finished if done else None,
        "exit_status": done.status if done else None,
        "ended_by": ended_by,
    }


def frames_tree(summaries: Sequence[PcapSummary]) -> dict[str, Any]:
    """What the bytes that a receiver counts are held against: ``padding`` is what a NIC adds to short frames in a
    pass."""
    tags = {one.vlan_tagged for one in summaries}
    sizes = [(size, packets) for one in summaries for size, packets in one.sizes.items()]
    return {
        "smallest": min(size for size, _packets in sizes),
        "largest": max(size for size, _packets in sizes),
        "padding": sum((SMALL - size) * packets for size, packets in sizes if size < SMALL),
        "vlan_tagged": tags.pop() if len(tags) == 1 else None if None in tags else "some",
    }


def _said(plan: Plan, done: Supervised) -> tuple[dict[str, Any], TrafficgenError | None]:
    """What tcpreplay said, and what it complained of."""
    try:
        stats = parse(done.stdout, done.stderr, exit_status=done.status)
        return stats, explain(done.stderr, done.status, nothing_sent=not stats["packets"], on=plan.request.interface)
    except TrafficgenError as unreadable:
        return parse("", done.stderr), unreadable


def _outcome(
    plan: Plan,
    nic: NicState,
    done: Supervised,
    stats: dict[str, Any],
    complaint: TrafficgenError | None,
    before: dict[str, Any],
    after: dict[str, Any] | None,
    receiver: _Receiver,
    warnings: list[str],
) -> Outcome:
    request = plan.request
    to_send = packets_to_send(request, plan.traffic)
    if complaint and (isinstance(complaint, Uncounted) or (done.status == 0 and (stats["packets"] or -1) >= to_send)):
        # It complained, and yet sent it all, or whatever it sent.
        warnings.append(complaint.message)
        complaint = None
    if done.ended in ("gone from its namespace", "set down"):
        complaint = TrafficgenError(
            f"it was {done.ended} while tcpreplay sent, which was ended",
            on=request.interface,
            remedy="See who did that, and send again.",
        )
    ended_by = how_it_ended(
        request, plan.traffic, stats, ended=done.ended, exit_status=done.status, failed=complaint is not None
    )
    # An interrupt it did not expect yet ends it without a word, and so does SIGKILL: that is what was asked for, and no
    # complaint.
    error = complaint if ended_by == "error" else _not_ended_well(plan, done, stats, ended_by, complaint)
    if ended_by == "timeout" and error is None:
        warnings.append(f"tcpreplay was interrupted after the timeout of {plan.timeout:g} s, before it had sent all.")
    if ended_by == "completed" and error is None and not request.unique_ip and stats["packets"] < to_send:
        warnings.append(f"tcpreplay ended by itself after {stats['packets']} of {to_send:g} packets.")
    size, recorded = _sent(plan, stats)
    speeds = measured(stats, size, plan.link_speed_mbps)
    share = reached(plan.rate, speeds, stats, recorded)
    if error is None and (told := missed(plan.rate, share, speeds, recorded)):
        warnings.append(told)
    run_part = {**run_tree(plan, nic, done, ended_by), "rate_reached": share}
    counters = account(
        stats, speeds, run_part, before, after, receiver.before, receiver.after, addressed=receiver.addressed
    )
    tree = {"stats": stats, "rates": speeds, "run": run_part, "counters": counters}
    return Outcome(tree, warnings, error, (done.stdout, done.stderr))


def _not_ended_well(
    plan: Plan, done: Supervised, stats: Mapping[str, Any], ended_by: str, complaint: TrafficgenError | None
) -> TrafficgenError | None:
    """The error of a run that was stopped and did not stop as it should, or that had not sent anything by then."""
    if ended_by not in ("timeout", "user"):
        return complaint
    when = f"its timeout of {plan.timeout:g} s was over" if ended_by == "timeout" else "it was told to stop"
    if done.killed:
        return TrafficgenError(
            f"tcpreplay did not heed SIGINT when {when}, and was killed: what it counted last is not known",
            on=plan.request.interface,
            remedy="With netmap, it may have waited for a ring to drain: see that the link is up and nothing holds it.",
        )
    if done.status == -signal.SIGTERM:
        return TrafficgenError(
            "tcpreplay was ended by SIGTERM, at which it prints no statistics: what it counted is not known",
            on=plan.request.interface,
            remedy="End it by SIGINT, or the task.",
        )
    if not stats["packets"]:
        return TrafficgenError(
            f"tcpreplay had sent nothing when {when}",
            on=plan.request.interface,
            said=complaint.said if complaint else "",
            remedy="Raise timeout; it may still have been reading the pcaps (preload: false saves that).",
        )
    return None


def _after(
    plan: Plan, done: Supervised, stats: Mapping[str, Any], before: dict[str, Any], watch: Watch, warnings: list[str]
) -> tuple[dict[str, Any] | None, float]:
    """The sender's counters once what it was given has left, and when that was, on the monotonic clock.

    A run is not lost because its interface is.
    """
    interface, netns = plan.request.interface, plan.request.netns
    ended = time.monotonic()
    taken: dict[str, Any] | None = None

    def left() -> int | None:
        nonlocal taken
        taken = snapshot(interface, netns, like=plan.link)
        return frames_left({}, {}, before, taken)

    def queue() -> sender_queue.Queue | None:
        # netmap's frames pass the kernel's queue by; its own rings were waited for.
        return None if plan.injection_method == "netmap" else sender_queue.read_queue(interface, netns)

    until = ended + max(_QUEUE_LIMIT, plan.timeout - (done.finished - done.started))
    try:
        waiting = sender_queue.wait_until_left(left, queue, watch, claimed=stats["packets"], until=until)
    except TrafficgenError as error:
        warnings.append(f"The sender's counters after the run are not known: {error.message}")
        return None, ended
    if taken is not None and waiting is not None:
        taken["queue"] = sender_queue.tree(waiting)
        warnings.append(
            f"{waiting.frames} frames were still in the queue of {interface} ({waiting.kind}) when its counters were"
            " read: they leave later. Raise timeout to wait longer."
        )
    return taken, time.monotonic()


class _Receiver:
    """The count on the receiving interface, if one was named: snapshots before and after, with a frame counter where it
    can be."""

    def __init__(self, plan: Plan, warnings: list[str]) -> None:
        self.before: dict[str, Any] | None = None
        self.after: dict[str, Any] | None = None
        self.addressed = False
        self._pcaps = plan.pcaps
        self._interface = plan.request.rx_interface
        self._link = plan.rx_link
        self._netns = plan.request.rx_netns
        self._warnings = warnings
        self._receive_wait = plan.request.receive_wait
        self._settle = plan.request.settle
        self._start_at = plan.request.start_at
        self._note = None if self._interface is None else MissedNote(self._interface, self._netns)
        self._passed, self._ceased = 0, True
        macs = [one.source_macs for one in plan.summaries]
        self._macs = sorted({mac for some in macs for mac in some or ()})
        self._without = ""
        if None in macs or len(self._macs) > SOURCE_MACS_LIMIT:
            self._without = f"the pcaps have more than {SOURCE_MACS_LIMIT} source MAC addresses"

    def start(self) -> None:
        """Set up the counter; one that cannot be is told as the reason of an unknown loss."""
        if self._interface is None:
            return
        self.before = snapshot(self._interface, self._netns, like=self._link)
        if self._without:
            return
        try:
            check_has_macs(self.before)
            self.before["test_frames"] = add_frame_counter(self._interface, self._macs, self._netns)
        except TrafficgenError as error:
            self._without = error.message.rstrip(".")

    def let_pass(self, watch: Watch) -> None:
        """Let late frames of an earlier run pass: whatever comes before the first frame is sent is none of this
        run's."""
        with self._or_none():
            seen = 0
            if (missed := self._missed()) is not None and missed < self._settle:
                self._until(self._settle - self._receive_wait, watch)
                seen = self._arrived()
                self._until(self._settle, watch)
            self._passed = self._arrived()
            self._ceased = self._passed == seen
            if not self._ceased and self._time_left() >= self._receive_wait:
                self._ceased = wait_for_frames(self._arrived, watch, receive_wait=self._receive_wait).ended == "quiet"
                self._passed = self._arrived()

    def _until(self, seconds: float, watch: Watch) -> None:
        """Sleep until the run that missed frames is so long ago, or it is time to start."""
        while (
            (missed := self._missed()) is not None
            and missed < seconds
            and self._time_left() > 0
            and watch.why() is None
        ):
            watch.beat()
            watch.wait(min(seconds - missed, self._time_left()))

    def _time_left(self) -> float:
        """How many seconds start_at leaves for waiting: a common start is kept."""
        return math.inf if self._start_at is None else self._start_at - time.time() - _SET_UP / 2

    def begin(self) -> None:
        """Count from here on: the next frame is the first of the run."""
        missed = self._missed()
        if (
            self._note is not None
            and self.before is not None
            and (self.before["test_frames"] or self.before["mac"]["rx"])
        ):
            if missed is not None and missed < SETTLE:
                self.before["earlier"] = earlier(0, still_coming=False, missed=missed)
            self._note.write(self._counted_macs())
        with self._or_none():
            counter = self.before["test_frames"] if self.before else None
            if self.before is None or self._interface is None or counter is None:
                return
            self.before["test_frames"] = now = read_frame_counter(counter, self._interface, self._netns)
            packets = now["packets"] - counter["packets"]
            if not packets:
                return
            came = {"packets": packets, "still_coming": packets > self._passed or not self._ceased}
            self.before["earlier"] = {**self.before.get("earlier", earlier(0, still_coming=False)), **came}
            self._warnings.append(
                f"{packets} frames of the test's source MAC addresses arrived on {self._interface} before the first was"
                " sent: late ones of an earlier run, or another sender's. They are not counted."
            )

    @contextlib.contextmanager
    def _or_none(self) -> Iterator[None]:
        """A counter that has gone before the run began counts nothing."""
        try:
            yield
        except TrafficgenError as error:
            self._without = error.message.rstrip(".")
            if self.before is not None:
                self.before["test_frames"] = None

    def finish(self, watch: Watch, expected: int | None, left_at: float, sending: float) -> None:
        """Read what arrived, once all of it has come, or what is missing has had its time.

        :param expected: how many frames left, and ``left_at`` when the last one did; ``sending``: how long they were
        sent.
        """
        if self._interface is None or self.before is None:
            return
        counter, mac = self.before["test_frames"], self.before["mac"]["rx"]
        try:
            arrival = None
            if counter or mac:
                arrival = wait_for_frames(
                    self._arrived if counter else self._arrived_at_mac,
                    watch,
                    receive_wait=self._receive_wait,
                    expected=expected,
                    left_at=left_at,
                    sending=sending,
                    others=0 if counter else OTHERS,
                )
            self.after = snapshot(self._interface, self._netns, test_frames=counter, like=self.before)
            if arrival and arrival.ended == "all" and self._note is not None:
                self._note.forget()
            if arrival:
                self.after["arrival"] = arrival.tree(
                    self.after["test_frames"]["packets"] - counter["packets"] if counter else None
                )
            counted = self.after["test_frames"]
            if counted and counter and counted["packets"] == counter["packets"] and self.after["mac_address"]:
                self.addressed = all(
                    all_addressed_to(one.path, self.after["mac_address"], one.file) for one in self._pcaps
                )
        except TrafficgenError as error:
            self._warnings.append(f"What arrived is not known: {error.message}")
            self.after = None
            return
        if self._without:
            reasons = [self._without, self.after["mac"]["reason"]]
            self.after["mac"] = {**self.after["mac"], "reason": "; ".join(reason for reason in reasons if reason)}

    def _counted_macs(self) -> list[str] | None:
        return self._macs if self.before and self.before["test_frames"] else None

    def _missed(self) -> float | None:
        """How many seconds ago a run ended that missed frames which this one would count."""
        return None if self._note is None else self._note.seconds(self._counted_macs())

    def _arrived(self) -> int:
        """How many frames of the test have arrived since the counter was read first."""
        counter = self.before["test_frames"] if self.before else None
        if counter is None or self._interface is None:
            return 0
        now: int = read_frame_counter(counter, self._interface, self._netns)["packets"]
        return now - int(counter["packets"])

    def _arrived_at_mac(self) -> int:
        """How many frames the MAC has counted since then, whosever they were."""
        if self._interface is None or self.before is None:
            return 0
        mac = snapshot(self._interface, self._netns, like=self.before)["mac"]["rx"]
        return int(mac["packets"]) - int(self.before["mac"]["rx"]["packets"]) if mac else 0

    def remove(self) -> None:
        """Remove the counter; harmless where there is none."""
        if self._note is not None:
            self._note.still_missing()
        if self._interface is not None:
            remove_frame_counter(self._interface, self._netns)


@contextlib.contextmanager
def _receiver(plan: Plan, warnings: list[str], locks: Sequence[int]) -> Iterator[_Receiver]:
    receiver = _Receiver(plan, warnings)
    if plan.request.rx_interface is None:
        yield receiver
        return

    def remove() -> None:
        try:
            receiver.remove()
        except TrafficgenError as error:
            warnings.append(
                f"The frame counter on {plan.request.rx_interface} is still there, until the next run: {error.message}"
            )

    with undone(remove, locks):
        yield receiver


def _settled_link(request: Request, seconds: float) -> dict[str, Any]:
    """The interface's state. After netmap has let go of a port its link takes some seconds to come up, and is waited
    for."""
    until = time.monotonic() + seconds
    link = snapshot(request.interface, request.netns)
    while link["up"] and not link["carrier"] and link["bus_info"] and time.monotonic() < until:
        time.sleep(_LINK_STEP)
        link = snapshot(request.interface, request.netns)
    return link


def _traffic(summaries: list[PcapSummary]) -> Traffic:
    return Traffic(
        packets=sum(one.packets for one in summaries),
        bytes=sum(one.bytes for one in summaries),
        wire_bytes=sum(one.wire_bytes or 0 for one in summaries),
        seconds=sum(one.replay_duration for one in summaries),
        largest=max(max(one.sizes) for one in summaries),
        longest_file=max(one.packets for one in summaries),
        sizes=sum((Counter(one.sizes) for one in summaries), Counter()),
    )


def _size_to_send(
    request: Request, traffic: Traffic, summaries: Sequence[PcapSummary], pcaps: Sequence[OpenedPcap]
) -> Size:
    """The mean size of the frames that the run is to send: with ``limit`` those may be the first ones only."""
    packets = packets_to_send(request, traffic)
    if (
        request.extra.selects
        or not math.isfinite(packets)
        or len({size for one in summaries for size in one.sizes}) == 1
    ):
        return traffic.size
    frames = repeated_frames(summaries, int(packets), opened=[one.file for one in pcaps])
    return Size(frames.bytes / packets, frames.wire_bytes / packets)


def _sent(plan: Plan, stats: Mapping[str, Any]) -> tuple[Size | None, Recorded | None]:
    """The mean size of the frames that were sent, and for the recorded speed the time they should have taken; None
    where not known.

    tcpreplay tells how many there were, and their bytes. Where these are not the bytes of the pcaps' first frames it
    left some out (extra_args, unique_ip, failed writes), and nobody knows which; their padding is known even so where
    all frames have it, or none.
    """
    if not stats["packets"]:
        return None, None
    packets, size = stats["packets"], stats["bytes"]
    opened = [one.file for one in plan.pcaps]
    recorded = plan.rate.form in (None, "multiplier")
    padded = {frame < SHORTEST_FRAME for one in plan.summaries for frame in one.sizes}
    known = None
    if len(padded) == 1:
        known = Size(size / packets, SHORTEST_WIRE if True in padded else size / packets + FCS)
        if not recorded:
            return known, None
    try:
        frames = repeated_frames(plan.summaries, packets, opened)
        following = (
            repeated_frames(plan.summaries, packets + 1, opened) if recorded and stats["interrupted"] else frames
        )
    except TrafficgenError:  # a file that has gone meanwhile
        return known, None
    if frames.bytes != size:
        return known, None
    known = Size(frames.bytes / packets, frames.wire_bytes / packets)
    if not recorded or "maxsleep" in (plan.request.extra.options or {}):
        return known, None
    # After each pass but the last (src/replay.c).
    pause = plan.request.extra.seconds("loopdelay-ms", 1e-3) + plan.request.extra.seconds("loopdelay-ns", 1e-9)
    pauses = [pause * ((some.packets - 1) // plan.traffic.packets) for some in (frames, following)]
    return known, Recorded(frames.seconds + pauses[0], following.seconds + pauses[1])


def _injection_method(request: Request, version: VersionInfo, warnings: list[str]) -> str | None:
    """The way this tcpreplay sends when asked so. Without --netmap or --xdp it has exactly one, chosen when it was
    built.

    That order is src/common/sendpacket.c's: PF_PACKET on every Linux, unless a build was forced to another.
    """
    asked = request.injection_method
    if asked == "netmap":
        require(version, "netmap")
        usable, reason = netmap_verdict(version)
        if usable is False:
            raise TrafficgenError(
                f"the netmap of tcpreplay {version.version} does not work: {reason}", on="injection_method netmap"
            )
        if usable is None:
            warnings.append(f"Whether the netmap of tcpreplay {version.version} works is not known: {reason}.")
        installed.require()
        return asked
    if asked == "af_xdp":
        require(version, "xdp")
        return asked
    if asked == "pf_packet" and version.default_injection_method != asked:
        raise TrafficgenError(
            f"this tcpreplay was built to send by {version.default_injection_method}",
            on="injection_method pf_packet",
            remedy="Take injection_method: auto, or another tcpreplay by executable.",
        )
    return version.default_injection_method


def _check_link(link: Mapping[str, Any], request: Request) -> None:
    where = f"{request.interface} in {request.netns}" if request.netns else request.interface
    in_ns = f"-n {request.netns} " if request.netns else ""
    if not link["up"]:
        raise TrafficgenError(
            "the interface is down", on=where, remedy=f"Bring it up: `ip {in_ns}link set dev {request.interface} up`."
        )
    if not link["carrier"]:
        raise TrafficgenError(
            "the interface has no carrier, so nothing can leave it",
            on=where,
            remedy="Check the cable and the other side.",
        )


def _check_receiver(link: Mapping[str, Any], sender: Mapping[str, Any], request: Request) -> None:
    same = (link["ifindex"], link["netns"]) == (sender["ifindex"], sender["netns"])
    if (same or link["driver"] == "lo") and sender["driver"] != "lo":
        raise TrafficgenError(
            "nothing that is sent can arrive there",
            on=f"rx_interface {link['interface']}",
            remedy="Name the interface at the other end of the path, and its namespace by rx_netns.",
        )
    if not link["up"]:
        in_ns = f"-n {request.rx_netns} " if request.rx_netns else ""
        raise TrafficgenError(
            "the receiving interface is down",
            on=link["interface"],
            remedy=f"Bring it up: `ip {in_ns}link set dev {link['interface']} up`.",
        )


def _why_stopped(watch: Watch) -> str:
    return f"it got {signal.Signals(watch.signal).name}" if watch.signal else "Ansible has gone away"


def _socket_buffer(proc: str = "/proc") -> int:
    """The bytes of a socket's send buffer, which tcpreplay leaves as it is; the kernel's default where that cannot be
    read."""
    try:
        return int(Path(proc, "sys/net/core/wmem_default").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 212992


def _online_cpus(root: str = "/sys") -> frozenset[int]:
    try:
        with open(os.path.join(root, "devices/system/cpu/online"), encoding="ascii") as file:
            return parse_cpus(file.read().strip(), frozenset())
    except (OSError, TrafficgenError):
        return frozenset()


def _available_memory(proc: str = "/proc") -> int | None:
    """MemAvailable in bytes: what can be had without swapping."""
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open(os.path.join(proc, "meminfo"), encoding="ascii") as file,
    ):
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
