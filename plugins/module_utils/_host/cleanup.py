# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning up after a run, also when its process is killed by SIGKILL: a keeper process undoes what was changed, and
what a program started is found by a mark in its environment."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NoReturn

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import patiently

MARK = "TRAFFICGEN_RUN"  # the variable in whose environment a run's processes carry its mark
UNKILLABLE = 10.0  # seconds after SIGKILL


@contextlib.contextmanager
def no_process_left(pass_fds: Sequence[int] = ()) -> Iterator[str]:
    """A mark for :func:`supervise`. Whatever carries it when the block ends is ended, also when this process is killed
    by SIGKILL.

    It is in the environment, which what a program starts inherits, whatever session and parent it gives itself. It is
    an empty folder of the run's own, too, for the program to run in: tcpreplay takes the name of an interface for a
    file, where there is one of that name.
    """
    try:
        mark = tempfile.mkdtemp(prefix="trafficgen-")
    except OSError as error:
        raise TrafficgenError(
            "a temporary folder could not be made",
            said=str(error),
            remedy="`df` shows the free space. TMPDIR must name a folder that the task's user can write to.",
        ) from error

    def end() -> None:
        end_marked(mark)
        with contextlib.suppress(OSError):
            os.rmdir(mark)

    with undo_even_if_killed(end, pass_fds):
        yield mark


def end_marked(mark: str, proc: str = "/proc") -> None:
    """Kill what carries a mark, until there is nothing any more."""
    wanted = f"{MARK}={mark}".encode()
    until = time.monotonic() + UNKILLABLE
    while (
        found := [pid for pid in os.listdir(proc) if pid.isdigit() and _carries(proc, pid, wanted)]
    ) and time.monotonic() < until:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.01)


def _carries(proc: str, pid: str, wanted: bytes) -> bool:
    # What has ended, a zombie, has none any more; of other users' processes it cannot be read.
    with contextlib.suppress(OSError), open(os.path.join(proc, pid, "environ"), "rb") as file:
        return wanted in file.read().split(b"\0")
    return False


@contextlib.contextmanager
def undo_even_if_killed(undo: Callable[[], None], pass_fds: Sequence[int] = ()) -> Iterator[None]:
    """Call ``undo`` when the block ends, however it ends: also when this process is killed by SIGKILL.

    For that a process of its own, forked here, waits for the other end of a pipe to close.

    :param pass_fds: descriptors that it keeps open until it has undone that.
    """
    try:
        reading, writing = os.pipe()
        keeper = patiently(os.fork)
    except OSError as error:
        raise TrafficgenError(
            "the process that would put all back if this one is killed could not be started, so nothing was begun",
            said=str(error),
            remedy=remedy_of(error),
        ) from error
    if keeper == 0:
        _keep(reading, undo, pass_fds)
    os.close(reading)
    try:
        yield
    finally:
        try:
            undo()
        finally:
            with contextlib.suppress(BrokenPipeError):
                os.write(writing, b"done")
            os.close(writing)
            os.waitpid(keeper, 0)


def _keep(reading: int, undo: Callable[[], None], pass_fds: Sequence[int]) -> NoReturn:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        # Our own writing end, too: we would wait for it.
        keep_only([reading, *pass_fds])
        if not os.read(reading, 4):
            undo()
    except BaseException:  # there is nobody to tell
        os._exit(1)
    os._exit(0)


def keep_only(descriptors: Collection[int]) -> None:
    """Close all others, of a process that was forked and goes on for itself: nobody shall wait for its end of Ansible's
    pipes. Its standard streams lead nowhere then."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in (null, *descriptors):
            with contextlib.suppress(OSError):
                os.close(descriptor)
    for descriptor in {0, 1, 2} - {null, *descriptors}:
        os.dup2(null, descriptor)
