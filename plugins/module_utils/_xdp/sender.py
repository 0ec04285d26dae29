# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender: a worker a queue, started at one moment, listened to, and gone when it is left, whatever happened."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import UNKILLABLE
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import patiently
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.figures import Figures
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import (
    CHUNK,
    QueueSocket,
    check_machine,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream, check_stream
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.worker import START, be_worker
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import COPY, Asked

_UMEM_ALL, _UMEM_MOST, _UMEM_LEAST = 128 << 20, 64 << 20, 8 << 20  # bytes: of all workers about, of each
_NUMBERED = 2048  # chunks besides those of a pass
_LEAD = 0.01  # seconds from the word to the start, so that all have heard it
_GRACE = 8.0  # seconds from the word to stop to SIGKILL: a port that sends no more is noticed in five


class Measures(NamedTuple):
    """What has been sent so far, by all workers."""

    packets: int
    bytes: int
    seconds: float  # since the common start


class WorkerDone(NamedTuple):
    """What one worker has done."""

    cpu: int
    queue: int
    packets: int  # frames that the kernel has completed, less ``failed``
    bytes: int  # of them
    failed: int  # frames that the kernel dropped: no carrier, or the interface was just set down
    seconds: float  # from the common start to its last frame handed over, and with a rate one of its intervals more
    start_offset: float  # seconds that it began after the first worker
    largest_backlog: int  # the most frames that were due and not sent; 0 at top speed
    behind: float  # share of the time in which a frame was more than a millisecond late; 0 at top speed
    error: str  # empty where it has ended as it should


class Done(NamedTuple):
    """How the sending ended: ``exited`` by itself, ``timeout``, ``signal`` (this process was told to stop), ``gone``
    (nobody waits for the result), what the caller's ``stop`` said, or what became of a worker."""

    ended: str
    killed: bool  # a worker did not end within the grace, and got SIGKILL
    started: float  # epoch seconds, of the common start
    finished: float
    workers: tuple[WorkerDone, ...]


class _Worker:
    """A worker as its parent has it."""

    def __init__(self, number: int, cpu: int, queue: QueueSocket, figures: Figures) -> None:
        self.number, self.cpu, self.queue, self.figures = number, cpu, queue, figures
        self.line, self.other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = 0
        self.error = ""

    def has_ended(self) -> bool:
        """Whether it is a zombie. It is not reaped, so its number stays its own."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def heard(self) -> TrafficgenError | None:
        """Its message: an error, or that all is well. It is waited for."""
        said = self.line.recv(1 << 16)
        if not said:
            return TrafficgenError("ended without giving a reason", on=f"worker {self.number}")
        parts = json.loads(said)
        return TrafficgenError(**parts) if parts else None

    def fate(self) -> str:
        """What became of it, where that is not what it should have."""
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            self.error = f"was killed by {signal.Signals(ended.si_status).name}"
            return f"worker {self.number} {self.error}"
        with contextlib.suppress(BlockingIOError):
            self.line.setblocking(False)
            error = self.heard()
            self.error = error.message if error is not None else ""
        return f"worker {self.number} failed" if self.error else ""


class Sender:
    """Sends a stream through AF_XDP for as long as the block lasts; leaving it, every worker is gone.

    :param cpus: those that workers are pinned to, in turn; None: those that this process may use.
    :param asked: whether the sockets may be bound with zero copy, and whether by copying.
    :param receive: buffers for what arrives at each queue, which zero copy needs.
    :param pass_fds: descriptors that the workers keep open for as long as they live.
    :ivar mode: ``copy`` or ``zero_copy``, as the kernel says of the sockets.
    """

    mode: str

    def __init__(
        self,
        interface: Interface,
        stream: XdpStream,
        *,
        cpus: Sequence[int] | None,
        asked: Asked = COPY,
        receive: int = 0,
        pass_fds: Sequence[int] = (),
    ) -> None:
        check_stream(stream)
        self._asked, self._receive = asked, receive
        self._interface, self._stream, self._pass_fds = interface, stream, pass_fds
        self._cpus = sorted(os.sched_getaffinity(0)) if cpus is None else list(cpus)
        self._workers: list[_Worker] = []
        self._start = 0.0

    def __enter__(self) -> Sender:
        check_machine()
        try:
            memory = Figures.memory(self._stream.workers)
            for number in range(self._stream.workers):
                self._fork(number, memory)
            for worker in self._workers:
                if (error := worker.heard()) is not None:
                    raise error
            for worker in self._workers:
                worker.queue.bind(copy=self._asked.copy, zero_copy=self._asked.zero_copy)
            modes = {worker.queue.mode for worker in self._workers}
        except BaseException:
            self._end()
            raise
        self.mode = "copy" if "copy" in modes else "zero_copy"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def _fork(self, number: int, memory: memoryview) -> None:
        queue = QueueSocket(self._interface, number, self._umem_bytes(), self._receive)
        worker = _Worker(number, self._cpus[number % len(self._cpus)], queue, Figures(memory, number))
        self._workers.append(worker)
        parent = os.getpid()
        try:
            worker.pid = patiently(os.fork)
        except OSError as error:
            raise TrafficgenError(
                "its process could not be started", on=f"worker {number}", said=str(error), remedy=remedy_of(error)
            ) from error
        if worker.pid == 0:
            be_worker(
                self._stream,
                number,
                queue,
                worker.figures,
                worker.other_end,
                parent=parent,
                cpu=worker.cpu,
                pass_fds=self._pass_fds,
            )
        worker.other_end.close()
        queue.not_for_children()

    def _umem_bytes(self) -> int:
        """A worker's memory for frames: no more than all pcaps may need, where each frame of more than half a chunk has
        one of its own."""
        files = sum(os.fstat(pcap.file.fileno()).st_size for pcap in self._stream.pcaps)
        most = max(_UMEM_LEAST, min(_UMEM_MOST, _UMEM_ALL // self._stream.workers))
        # Of numbered passes there are several, so that one is numbered while another is on its way.
        more = 64 if self._stream.marks is None else _NUMBERED
        return min(most, (2 * files // CHUNK + more) * CHUNK)

    def start(self, watch: Watch) -> None:
        """Let all begin, at one moment a little ahead. What was noticed by ``watch`` meanwhile is :meth:`wait`'s."""
        self._start = time.monotonic() + _LEAD
        self._epoch = time.time() + _LEAD
        for worker in self._workers:
            with contextlib.suppress(OSError):  # it is dead, which is told later
                worker.line.send(START.pack(self._start))
        watch.beat()

    def measures(self) -> Measures:
        """What was sent so far."""
        sent = [worker.figures.sent(worker.queue) for worker in self._workers]
        seconds = max(0.0, time.monotonic() - self._start) if self._start else 0.0
        return Measures(sum(packets for packets, _size in sent), sum(size for _packets, size in sent), seconds)

    def wait(self, watch: Watch, *, timeout: float, stop: Callable[[], str], listen: Callable[[], None]) -> Done:
        """Wait for the end, or bring it about.

        :param timeout: seconds.
        :param stop: is asked about every second whether the sending should end, and why; an empty word is a no.
        :param listen: is called at least every second.
        """
        deadline = time.monotonic() + timeout
        ask = time.monotonic() + 1.0
        ended, killed = "exited", False
        fates: set[int] = set()
        while running := [worker for worker in self._workers if not worker.has_ended()]:
            now = time.monotonic()
            reason = watch.why() or ("timeout" if now >= deadline else "")
            for worker in self._workers:
                if worker not in running and worker.number not in fates:
                    fates.add(worker.number)
                    reason = reason or worker.fate()
            if not reason and now >= ask:
                reason = stop()
            if now >= ask:
                ask = now + 1.0
            if ended == "exited" and reason:
                ended, deadline = reason, now + _GRACE
                self._signal(running, signal.SIGINT)
            elif ended != "exited" and now >= deadline:
                if killed:
                    raise TrafficgenError(
                        f"did not end within {UNKILLABLE:g} s of SIGKILL: it hangs in the kernel",
                        on=f"worker {running[0].number} (process {running[0].pid})",
                        remedy="`dmesg` may show the reason. The host may need a reboot.",
                    )
                killed, deadline = True, now + UNKILLABLE
                self._signal(running, signal.SIGKILL)
            listen()
            watch.beat()
            watch.wait(min(deadline, ask) - now)
        finished = time.time()
        for worker in self._workers:
            if worker.number not in fates and (fate := worker.fate()) and ended == "exited":
                ended = fate
        return Done(ended, killed, self._epoch, finished, self._done())

    def _signal(self, workers: Sequence[_Worker], number: int) -> None:
        self._workers[0].figures.tell_to_stop()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, number)

    def _done(self) -> tuple[WorkerDone, ...]:
        interval = 1 / self._stream.pps if self._stream.pps else 0.0
        begun = [started for one in self._workers if (started := one.figures.read_times()[0])]
        first = min(begun, default=0.0)
        workers = []
        for one in self._workers:
            packets, size = one.figures.sent(one.queue)
            started, last, behind, largest = one.figures.read_times()
            seconds = max(0.0, last - self._start + interval) if packets else 0.0
            workers.append(
                WorkerDone(
                    one.cpu,
                    one.queue.queue,
                    packets,
                    size,
                    one.figures.failed,
                    seconds,
                    max(0.0, started - first),
                    largest,
                    min(1.0, behind / seconds) if seconds else 0.0,
                    one.error,
                )
            )
        return tuple(workers)

    def _end(self) -> None:
        """Let nothing be left."""
        for worker in self._workers:
            if worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
        for worker in self._workers:
            if worker.pid:
                os.waitpid(worker.pid, 0)
            worker.line.close()
            worker.queue.close()
        self._workers = []
