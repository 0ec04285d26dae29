# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long programs: run to their ends, listened to, and stopped in time when nobody waits for them any more."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, not_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import MARK, UNKILLABLE, end_marked
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import (
    c_locale,
    find_executable,
    in_netns,
)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
OTHER_FAILED = "another failed"  # how a program ended that was stopped since one beside it failed
_DRAIN = 1.0  # seconds to read what a program that has ended left in its pipes


@dataclass(frozen=True)
class Supervised:
    """A long program that has ended, and how.

    ``status``: as of :class:`Completed`. ``ended``: ``exited`` by itself, ``timeout``, ``signal`` (this process was
    told to stop), ``gone`` (nobody waits for the result), :data:`OTHER_FAILED`, or what the caller's ``stop`` said.
    ``killed``: it did not heed SIGINT. ``started``, ``finished``: epoch seconds.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    ended: str
    killed: bool
    started: float
    finished: float


class Watch:
    """Notices, for as long as the block lasts, that the work should stop: a signal, or that Ansible has gone away.

    Signals are only noted, so that every ``finally`` still runs. Ansible has gone when the other end of our standard
    output or error is closed (its connection broke), or when our parent is another process than it was.

    Where Ansible was killed, and its ssh client goes on without it, nobody would notice: a client finds its own output
    closed when it writes there. So while a program is supervised it is given something to write, an empty line every
    few seconds, which Ansible leaves out before the result.

    :param streams: the file descriptors at whose other end somebody waits for the result; the lines go to the first
    one.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    _BEAT = 3.0  # seconds

    def __init__(self, streams: Sequence[int] = (1, 2)) -> None:
        self.signal: int | None = None
        self._streams = streams
        self._closed = False
        self._next_beat = time.monotonic() + self._BEAT

    def __enter__(self) -> Watch:
        self._parent = os.getppid()
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        self._fd_before = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        self._before: dict[int, Any] = {number: signal.signal(number, self._note) for number in self._SIGNALS}
        # Without a handler of Python's the end of a child would not wake the poll.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        for stream in self._streams:
            self._poll.register(stream, 0)  # errors and hang-ups are always told
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        os.close(self._wake)
        os.close(self._woken)

    def _note(self, number: int, frame: object) -> None:
        self.signal = number

    def why(self) -> str | None:
        """``signal`` or ``gone`` when it is time to stop, else None."""
        if self.signal is not None:
            return "signal"
        return "gone" if self._closed or os.getppid() != self._parent else None

    def wait(self, seconds: float, readers: Mapping[int, Callable[[], bool]] | None = None) -> None:
        """Sleep until something happens, or ``seconds`` (1 at most: a lost parent wakes nobody). A reader returns False
        at its end."""
        readers = readers or {}
        for descriptor in readers:
            self._poll.register(descriptor, select.POLLIN)
        try:
            events = self._poll.poll(max(0.0, min(seconds, 1.0)) * 1000)
        finally:
            for descriptor in readers:
                self._poll.unregister(descriptor)
        for descriptor, event in events:
            if descriptor in readers:
                readers[descriptor]()
            elif descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            else:
                # It would be told again and again. One that was never open (POLLNVAL) tells nothing.
                self._poll.unregister(descriptor)
                self._closed = self._closed or bool(event & (select.POLLERR | select.POLLHUP))

    def beat(self) -> None:
        """Give the client something to write, where it is time to."""
        now = time.monotonic()
        if not self._streams or self._closed or now < self._next_beat:
            return
        self._next_beat = now + self._BEAT
        # A pipe that nobody reads from and that is full must not hold us up.
        if not select.select([], self._streams[:1], [], 0)[1]:
            return
        try:
            os.write(self._streams[0], b"\n")
        except OSError:
            self._closed = True

    def sleep_until(self, moment: float) -> None:
        """Sleep until an epoch time, whatever is done to the clock meanwhile; return sooner where it is time to
        stop."""
        while (left := moment - time.time()) > 0 and self.why() is None:
            self.beat()
            self.wait(left)


class _Output:
    """One stream of a program: read as it comes, kept in bounded memory, its beginning and its end."""

    HEAD, TAIL = 1 << 20, 4 << 20

    def __init__(self, stream: IO[bytes], listen: Callable[[bytes], None] | None = None) -> None:
        self.descriptor = stream.fileno()
        self._listen = listen
        self.open = True
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._dropped = 0
        os.set_blocking(self.descriptor, False)

    def read(self) -> bool:
        """Take in what is there; False at the end."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return True
        self.open = bool(data)
        if self._listen is not None:
            self._listen(data)
        room = self.HEAD - len(self._head)
        self._head += data[:room]
        if len(data) > room:
            self._tail.append(data[room:])
            self._kept += len(data) - room
            while self._kept > self.TAIL:
                gone = self._tail.popleft()
                self._kept -= len(gone)
                self._dropped += len(gone)
        return self.open

    def text(self) -> str:
        """What was kept. Where something is left out, whole lines are."""
        head, tail = bytes(self._head), b"".join(self._tail)
        if self._dropped:
            head = head[: head.rfind(b"\n") + 1] or head
            whole_lines = tail.find(b"\n") + 1
            tail = b"[%d bytes left out]\n" % self._dropped + tail[whole_lines:]
        return (head + tail).decode("utf-8", "backslashreplace")


class Program(NamedTuple):
    """A program to run.

    ``cpus``: those it may run on; None for ours. ``listen``: is called with what it prints to its standard output, as
    it comes, and with nothing at least every second. ``pass_fds``: descriptors that it gets as well, so that they are
    open for as long as it lives. ``cut_short``: asked once it has ended well, whether it has ended early all the same.
    """

    argv: Sequence[str]
    cpus: AbstractSet[int] | None = None
    listen: Callable[[bytes], None] | None = None
    pass_fds: Sequence[int] = ()
    cut_short: Callable[[], bool] | None = None


class _Running:
    """A program that was started."""

    def __init__(self, program: Program, netns: str | None, mark: str | None) -> None:
        self.argv = in_netns([find_executable(program.argv[0]), *program.argv[1:]], netns)
        self.listen, self.cut_short = program.listen, program.cut_short
        self.ended, self.killed = "exited", False
        self.started, self.finished = time.time(), 0.0
        self.process = _spawn(self.argv, program.cpus, mark, program.pass_fds)
        if self.process.stdout is None or self.process.stderr is None:
            raise AssertionError("pipes were asked for")
        self.outputs = [_Output(self.process.stdout, program.listen), _Output(self.process.stderr)]

    def has_ended(self) -> bool:
        """Whether it is a zombie. It is not reaped, so its number and its group stay its own."""
        if not self.finished and os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.finished = time.time()
            # What it forked.
            self.signal(signal.SIGKILL)
        return bool(self.finished)

    def failed(self) -> bool:
        """Whether it has ended, and not well or too early."""
        state = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is None:
            return False
        return state.si_status != 0 or (self.cut_short is not None and self.cut_short())

    def signal(self, number: int) -> None:
        """Send a signal to it, and to what it forked."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def done(self) -> Supervised:
        """How it ended; its process is no more."""
        status = self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        out, errors = (output.text() for output in self.outputs)
        return Supervised(tuple(self.argv), status, out, errors, self.ended, self.killed, self.started, self.finished)


def supervise(
    programs: Sequence[Program],
    watch: Watch,
    *,
    timeout: float,
    netns: str | None = None,
    grace: float = 3.0,
    stop: Callable[[], str] | None = None,
    mark: str | None = None,
) -> list[Supervised]:
    """Run long programs beside each other to their ends, their streams apart. Their exit status is the caller's to
    judge.

    They get SIGINT after ``timeout``, when ``watch`` says that it is time to stop, or when another of them has failed
    or was cut short (``ended`` is :data:`OTHER_FAILED` then); and SIGKILL when they have not ended ``grace`` seconds
    later. What they have started and left behind is killed when they have ended. If this process dies, even by SIGKILL,
    the kernel kills them; :func:`no_process_left` then sees to the rest.

    :param timeout: seconds.
    :param stop: is asked about every second whether they should end, and why; an empty word is a no.
    :param mark: that of :func:`no_process_left`.
    """
    deadline = time.monotonic() + timeout
    ask = time.monotonic() + 1.0
    all_of_them: list[_Running] = []
    ended, killed = "exited", False
    try:
        all_of_them.extend(_Running(program, netns, mark) for program in programs)
        while running := [one for one in all_of_them if not one.has_ended()]:
            now = time.monotonic()
            reason = watch.why()
            if not reason and now >= deadline:
                reason = "timeout"
            if not reason and any(one.failed() for one in all_of_them if one not in running):
                reason = OTHER_FAILED
            if not reason and stop is not None and now >= ask:
                reason = stop()
            if now >= ask:
                ask = now + 1.0
            if ended == "exited" and reason:
                ended = reason
                deadline = now + grace
                for one in running:
                    one.ended = reason
                    one.signal(signal.SIGINT)
            elif ended != "exited" and now >= deadline:
                if killed:
                    raise TrafficgenError(
                        f"did not end within {UNKILLABLE:g} s of SIGKILL: it hangs in the kernel",
                        on=f"process {running[0].process.pid} ({running[0].argv[0]})",
                        remedy="`dmesg` may show the reason. The host may need a reboot.",
                    )
                killed, deadline = True, now + UNKILLABLE
                for one in running:
                    one.killed = True
                    one.signal(signal.SIGKILL)
            for one in running:
                if one.listen is not None:
                    one.listen(b"")
            watch.beat()
            watch.wait(deadline - now, _readers(all_of_them))
    except BaseException:
        # Nobody waits for them any more.
        for one in all_of_them:
            one.signal(signal.SIGKILL)
        raise
    if mark is not None:
        end_marked(mark)
    until = time.monotonic() + _DRAIN
    while (readers := _readers(all_of_them)) and time.monotonic() < until:
        watch.wait(until - time.monotonic(), readers)
    return [one.done() for one in all_of_them]


def _readers(programs: Sequence[_Running]) -> dict[int, Callable[[], bool]]:
    return {output.descriptor: output.read for one in programs for output in one.outputs if output.open}


def _spawn(
    argv: list[str], cpus: AbstractSet[int] | None, mark: str | None, pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(127)

    own_cpus = os.sched_getaffinity(0)
    try:
        if cpus is not None:
            # The child inherits it. Here and not in the child, so that a refusal can be told.
            os.sched_setaffinity(0, cpus)
            if os.sched_getaffinity(0) != set(cpus):
                raise OSError("this process may use only some of them (cpuset)")
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=mark or "/",
                pass_fds=pass_fds,
                env=c_locale() if mark is None else {**c_locale(), MARK: mark},
                start_new_session=True,
                # Only the child itself can ask the kernel to end it with its parent. The rule is about a parent with
                # threads, whose locks the child could wait for: a module has one thread.
                preexec_fn=die_with_parent,  # noqa: PLW1509  (a module has one thread)
            )
        except (OSError, ValueError) as error:
            raise not_run(argv[0], error) from error
    except OSError as error:
        listed = ",".join(map(str, sorted(cpus or ())))
        raise TrafficgenError(
            "these CPUs cannot be used",
            on=f"cpu_list {listed}",
            said=str(error),
            remedy="`taskset -cp $$` shows those that can.",
        ) from error
    finally:
        if cpus is not None:
            os.sched_setaffinity(0, own_cpus)
