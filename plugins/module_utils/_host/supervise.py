# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long program: run to its end, listened to, and stopped in time when nobody waits for it any more."""

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
from typing import IO, Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, not_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import MARK, UNKILLABLE, end_marked
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import (
    c_locale,
    find_executable,
    in_netns,
)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_DRAIN = 1.0  # seconds to read what a program that has ended left in its pipes


@dataclass(frozen=True)
class Supervised:
    """A long program that has ended, and how.

    ``status``: as of :class:`Completed`. ``ended``: ``exited`` by itself, ``timeout``, ``signal`` (this process was
    told to stop), ``gone`` (nobody waits for the result), or what the caller's ``stop`` said.
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
            tail = b"[%d bytes left out]\n" % self._dropped + tail[tail.find(b"\n") + 1 :]
        return (head + tail).decode("utf-8", "backslashreplace")


def supervise(
    argv: Sequence[str],
    watch: Watch,
    *,
    timeout: float,
    netns: str | None = None,
    cpus: AbstractSet[int] | None = None,
    grace: float = 3.0,
    listen: Callable[[bytes], None] | None = None,
    stop: Callable[[], str] | None = None,
    mark: str | None = None,
    pass_fds: Sequence[int] = (),
) -> Supervised:
    """Run a long program to its end, its two streams apart. Its exit status is the caller's to judge.

    It gets SIGINT after ``timeout``, or when ``watch`` says that it is time to stop, and SIGKILL when it has not ended
    ``grace`` seconds later. What it has started and left behind is killed when it has ended. If this process dies, even
    by SIGKILL, the kernel kills it; :func:`no_process_left` then sees to the rest.

    :param timeout: seconds.
    :param cpus: the CPUs it may run on.
    :param listen: is called with what it prints to its standard output, as it comes, and with nothing at least every
    second.
    :param stop: is asked about every second whether it should end, and why; an empty word is a no.
    :param mark: that of :func:`no_process_left`.
    :param pass_fds: descriptors that it gets as well, so that they are open for as long as it lives.
    """
    full = in_netns([find_executable(argv[0]), *argv[1:]], netns)
    started = time.time()
    deadline = time.monotonic() + timeout
    ask = time.monotonic() + 1.0
    process = _spawn(full, cpus, mark, pass_fds)
    if process.stdout is None or process.stderr is None:
        raise AssertionError("pipes were asked for")
    outputs = [_Output(process.stdout, listen), _Output(process.stderr)]
    ended, killed = "exited", False
    try:
        while not _has_ended(process.pid):
            now = time.monotonic()
            reason = (
                watch.why()
                or ("timeout" if now >= deadline else None)
                or (stop() if stop is not None and now >= ask else None)
            )
            if now >= ask:
                ask = now + 1.0
            if ended == "exited" and reason:
                ended = reason
                deadline = now + grace
                _signal_group(process.pid, signal.SIGINT)
            elif ended != "exited" and now >= deadline:
                if killed:
                    raise TrafficgenError(
                        f"did not end within {UNKILLABLE:g} s of SIGKILL: it hangs in the kernel",
                        on=f"process {process.pid} ({full[0]})",
                        remedy="`dmesg` may show the reason. The host may need a reboot.",
                    )
                killed, deadline = True, now + UNKILLABLE
                _signal_group(process.pid, signal.SIGKILL)
            if listen is not None:
                listen(b"")
            watch.beat()
            watch.wait(deadline - now, {output.descriptor: output.read for output in outputs if output.open})
    except BaseException:
        # Nobody waits for it any more.
        _signal_group(process.pid, signal.SIGKILL)
        raise
    finished = time.time()
    # What it forked; it itself is a zombie, which keeps the number of its group from being reused.
    _signal_group(process.pid, signal.SIGKILL)
    if mark is not None:
        end_marked(mark)
    until = time.monotonic() + _DRAIN
    while any(output.open for output in outputs) and time.monotonic() < until:
        watch.wait(until - time.monotonic(), {output.descriptor: output.read for output in outputs if output.open})
    status = process.wait()
    process.stdout.close()
    process.stderr.close()
    return Supervised(tuple(full), status, outputs[0].text(), outputs[1].text(), ended, killed, started, finished)


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


def _has_ended(pid: int) -> bool:
    """Whether a child is a zombie. It is not reaped, so its number and its group stay its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
