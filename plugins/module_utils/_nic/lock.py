# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on an interface, whoever starts it."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import entries, open_files, read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside

SENDING, COUNTING = "sending", "counting"
_STEP = 0.1  # seconds from one try to the next
_NAMED = 3  # processes


@dataclass(frozen=True)
class _Process:
    """A process; ``ticks``: from the boot to its start."""

    pid: int
    name: str
    parent: int
    ticks: int


@contextlib.contextmanager
def only_run(
    interface: Interface, what: str = SENDING, until: float = 0.0, streams: Sequence[int] = (1, 2)
) -> Iterator[int]:
    """Reserve an interface for this run while the block lasts.

    The lock is a socket with an abstract name (unix(7)). Every network namespace has its own names. The name holds the
    interface's index, which survives renaming. It leaves no file. The kernel frees it when the last process that has it
    open is gone: this one, and those that inherited the descriptor, which the block gets.

    :param what: ``sending`` on the interface, or ``counting`` what arrives. Two runs may do one each at the same time.
    :param until: wait until then for another run to end (time.monotonic()).
    :param streams: the descriptors to watch for a hangup, as for :class:`Watch`.
    :raises TrafficgenError: another run has it (names its processes), or there is no such namespace.
    """
    with contextlib.ExitStack() as stack:
        taken = _taken(interface, what, stack)
        if taken is None:
            with Watch(streams) as watch:
                while taken is None and time.monotonic() < until and watch.why() is None:
                    watch.beat()
                    watch.wait(min(until - time.monotonic(), _STEP))
                    taken = _taken(interface, what, stack)
                if taken is None and watch.why() is not None:
                    raise TrafficgenError("it was told to stop while waiting for another run to end", on=interface.name)
        if taken is None:
            held = holders(_name(interface, what), interface.netns)
            raise TrafficgenError(
                f"another run is {what} on it",
                on=interface.name,
                said=held and f"it is held by {held}",
                remedy=(
                    "Wait until that run has ended, or raise lock_timeout: two runs at once would spoil both results."
                ),
            )
        yield taken


def _taken(interface: Interface, what: str, stack: contextlib.ExitStack) -> int | None:
    """The lock's descriptor; None if another run has it. The name may stand for another interface at each try."""
    with inside(interface.netns):
        lock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
    if not _bound(lock, _name(interface, what), interface):
        lock.close()
        return None
    return lock.fileno()


def _name(interface: Interface, what: str) -> str:
    with inside(interface.netns):
        try:
            index = socket.if_nametoindex(interface.name)
        except OSError:
            # The code that reads the interface's state has a better error for this.
            index = 0
    return f"wirespeed.trafficgen/{what}/{index}" if index else ""


def _bound(lock: socket.socket, name: str, interface: Interface) -> bool:
    if not name:
        return True
    try:
        lock.bind(f"\0{name}")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise TrafficgenError(
                "it could not be reserved for this run", on=interface.name, said=str(error)
            ) from error
        return False
    return True


def holders(name: str, netns: str | None = None, proc: str = "/proc") -> str:
    """The processes that have the socket of an abstract name open, oldest first; empty if none can be seen."""
    with inside(netns):
        sockets = read_text(os.path.join(proc, "thread-self/net/unix")).splitlines()
    inode = next((line.split()[6] for line in sockets if line.endswith(f" @{name}")), None)
    if inode is None:
        return ""
    stat = read_text(os.path.join(proc, "stat")).splitlines()
    boot = next((int(line.split()[1]) for line in stat if line.startswith("btime ")), 0)
    found = [
        _process(proc, pid)
        for pid in entries(proc)
        if pid.isdigit() and f"socket:[{inode}]" in open_files(os.path.join(proc, pid))
    ]
    # A module's keepers are copies of it.
    programs = {one.pid: one.name for one in found}
    found = [one for one in found if programs.get(one.parent) != one.name]
    return ", ".join(_describe(proc, one, boot) for one in sorted(found, key=attrgetter("ticks"))[:_NAMED])


def _describe(proc: str, one: _Process, boot: int) -> str:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(boot + one.ticks / os.sysconf("SC_CLK_TCK")))
    try:
        uid = os.stat(os.path.join(proc, str(one.pid))).st_uid
        login = pwd.getpwuid(uid).pw_name
    except OSError:
        login = "?"
    except KeyError:
        login = str(uid)
    return f"process {one.pid} ({one.name}) of {login} since {started}"


def _process(proc: str, pid: str) -> _Process:
    # proc(5): the program's name is in brackets and may itself contain brackets. After it the parent is field 2,
    # starttime field 20.
    before, _bracket, after = read_text(os.path.join(proc, pid, "stat")).rpartition(")")
    fields = after.split()
    return (
        _Process(int(pid), before.partition("(")[2], int(fields[1]), int(fields[19]))
        if len(fields) > 19
        else _Process(int(pid), "?", 0, 0)
    )
