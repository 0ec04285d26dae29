# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker: the process, forked and not executed, that sends one part of the stream through one queue."""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from typing import NoReturn

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import keep_only
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.feed import Feed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.figures import Figures
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import QueueSocket
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.rings import SendRings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.schedule import Schedule
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream

START = struct.Struct("=d")  # the common start, on the monotonic clock
_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29  # linux/prctl.h
_STALLED = 5.0  # seconds without a frame completed
_SPIN = 1e-4  # seconds before a frame is due in which its worker does not sleep: a wake-up may take as long
# The same for a worker that makes up for what it is behind: where others want its CPU, each sleep makes it later.
_CATCHING_UP = 0.005
_NAP = 0.05  # seconds of sleep at most, so that it sees that it is to stop
_LAST_WORD = 0.5  # seconds for an interface that was set down to be gone
_READING = 3e-4  # seconds that reading a small block takes, amply
_OVERTIME = 0.008  # seconds after the duration in which what was due before its end still goes

_REASONS = {
    errno.ENETDOWN: "its interface was set down",
    errno.ENXIO: "its interface is gone, or has no such queue to send on",
    errno.ENODEV: "its interface is gone",
}


class _Stop:
    """Notices SIGINT and SIGTERM, and what the parent says to all workers."""

    def __init__(self, figures: Figures) -> None:
        self._figures, self._signal = figures, False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self._signal = True

    def __call__(self) -> bool:
        return self._signal or self._figures.told_to_stop


def be_worker(
    stream: XdpStream,
    number: int,
    queue: QueueSocket,
    figures: Figures,
    line: socket.socket,
    *,
    parent: int,
    cpu: int,
    pass_fds: Sequence[int],
) -> NoReturn:
    """Load, say so, wait for the start, send, say how it ended. Never returns: it is the life of a forked process.

    :param line: a message each: ``{}`` or an error when all is loaded, the start from the parent, ``{}`` or an error at
    the end.
    """
    status = 1
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(127)
        prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        stop = _Stop(figures)
        keep_only([queue.fileno(), line.fileno(), *(pcap.file.fileno() for pcap in stream.pcaps), *pass_fds])
        gc.disable()
        line.send(_told(_work(stream, number, queue, figures, line, stop, cpu)))
        status = 0
    except BaseException as broken:  # a mistake of ours: nothing may go on in what was forked
        line.send(_told(TrafficgenError("a worker failed", said=repr(broken))))
    finally:
        os._exit(status)


def _work(
    stream: XdpStream, number: int, queue: QueueSocket, figures: Figures, line: socket.socket, stop: _Stop, cpu: int
) -> TrafficgenError | None:
    try:
        _pin(cpu)
        feed = Feed(stream, number, queue.umem)
        line.send(_told(None))
        start = line.recv(START.size)
        return _Run(stream, queue, figures, stop, feed, *START.unpack(start)).error() if start else None
    except (TrafficgenError, OSError) as error:
        return as_ours(error)


def _told(error: TrafficgenError | None) -> bytes:
    """A message to the parent."""
    if error is None:
        return b"{}"
    return json.dumps({"what": error.what, "on": error.on, "said": error.said, "remedy": error.remedy}).encode()


def _pin(cpu: int) -> None:
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        raise TrafficgenError(
            "this CPU cannot be used",
            on=f"cpu_list {cpu}",
            said=error.strerror or str(error),
            remedy="`taskset -cp $$` shows those that can.",
        ) from error


class _Run:
    """The sending itself."""

    def __init__(
        self, stream: XdpStream, queue: QueueSocket, figures: Figures, stop: _Stop, feed: Feed, start: float
    ) -> None:
        self._queue, self._figures, self._stop, self._feed, self._start = queue, figures, stop, feed, start
        self._schedule = Schedule(stream)
        self._rings = SendRings(queue, figures)
        # Frames that are due then are sent no more.
        self._end = float("inf") if stream.duration is None else stream.duration
        self._progress, self._completed = start, 0
        self._began = self._last = 0.0

    def error(self) -> TrafficgenError | None:
        """Send, and wait for what is under way; what went wrong."""
        self._pause(self._start)
        self._began = self._last = time.monotonic()
        self._note()
        try:
            self._send()
            while self._rings.completed != self._rings.submitted:
                self._rings.push()
                self._check_progress()
                if self._rings.completed != self._rings.submitted:
                    time.sleep(_SPIN)
        except OSError as failed:
            error = self._last_word(failed)
            return TrafficgenError(
                _REASONS.get(error.errno or 0, "the kernel accepts no more frames"), said=error.strerror or str(error)
            )
        except TrafficgenError as error:
            return error
        finally:
            self._note()
        if invalid := self._queue.invalid_descriptors():
            return TrafficgenError(f"the kernel dropped {invalid} frames as invalid")
        return None

    def _last_word(self, error: OSError) -> OSError:
        """What the kernel says a little later, when what was on its way may have been completed: an interface that is
        removed is set down before it is gone."""
        until = time.monotonic() + _LAST_WORD
        time.sleep(_NAP)
        while error.errno == errno.ENETDOWN and time.monotonic() < until:
            try:
                self._rings.push()
            except OSError as later:
                error = later
            time.sleep(_NAP / 5)
        return error

    def _note(self) -> None:
        schedule = self._schedule
        self._figures.times(self._began, self._last, schedule.behind, schedule.largest_backlog)

    def _send(self) -> None:
        schedule, rings, feed, stop, clock, start = (
            self._schedule,
            self._rings,
            self._feed,
            self._stop,
            time.monotonic,
            self._start,
        )
        most = self._queue.budget
        position = frames = 0
        end, last_moment = self._end, self._end - 1e-9
        overtime = _OVERTIME if schedule.paced else 0.0
        while not stop():
            if position == frames:
                feed.completed(rings.completed)
                turn = feed.turn()
                if turn is None:
                    if feed.ended:
                        return
                    rings.push()  # its room in the UMEM is under way still
                    self._check_progress()
                    continue
                position, frames, block = 0, turn.frames, turn.block
                schedule.begin(turn)
            elapsed = clock() - start
            due = schedule.due(position, min(elapsed, last_moment))
            if elapsed >= end and (not due or elapsed >= end + overtime):
                return
            allowed = schedule.allowed(position, due, elapsed) if due and schedule.paced else min(due, schedule.burst)
            if not allowed:
                self._until(min(schedule.next_look(position, due), end), _CATCHING_UP if due else _SPIN)
                continue
            while allowed:
                count = min(allowed, most, rings.room)
                if count:
                    rings.submit(block, position, count)
                    position += count
                    allowed -= count
                else:
                    rings.push()
                    if stop():
                        break
                if rings.waiting or not rings.room:
                    self._check_progress()
            self._last = clock()
            self._note()
            if feed.streams:
                feed.completed(rings.completed)
                if not schedule.paced:
                    feed.read_on()

    def _until(self, moment: float, awake: float) -> None:
        """Use the time until so many seconds after the start: for what the kernel has not taken, for reading on.

        :param awake: so many seconds before it, it is waited for awake.
        """
        if self._rings.waiting:
            self._rings.push()
            self._check_progress()
            return
        self._progress, self._completed = time.monotonic(), self._rings.completed
        moment += self._start
        while self._feed.streams and moment - time.monotonic() > _READING and self._feed.read_on():
            pass
        self._pause(moment, awake)

    def _pause(self, moment: float, awake: float = _SPIN) -> None:
        """Sleep to shortly before a moment, then wait for it awake."""
        clock, sleep, stop = time.monotonic, time.sleep, self._stop
        while (left := moment - clock()) > awake:
            sleep(min(left - awake, _NAP))
            if stop():
                return
        while clock() < moment:
            pass

    def _check_progress(self) -> None:
        now = time.monotonic()
        if self._rings.completed != self._completed:
            self._progress, self._completed = now, self._rings.completed
        elif now - self._progress > _STALLED:
            raise TrafficgenError(
                f"the port stopped sending: no frame has left for {_STALLED:g} s, and"
                f" {self._rings.submitted - self._rings.completed} are under way",
                remedy="Check that the link and its other side are up, and that the port has that queue for sending"
                " (`ethtool -l`).",
            )
