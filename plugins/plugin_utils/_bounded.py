# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run work of unknown cost, such as a user's expression, in a child process with limited time and memory, so that the
controller survives."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

CPU_SECONDS = 10
MEMORY = 1 << 30  # bytes, on top of what the controller already uses
ANSWER = 64 << 20  # bytes of the answer, as JSON
_WAIT = 12  # times the CPU time: a busy machine is slow
_BLOCK = 1 << 16


def bounded(work: Callable[[], Any], *, cpu_seconds: int = CPU_SECONDS, memory: int = MEMORY) -> Any:
    """The value of ``work()``: plain data, as in JSON.

    :raises TrafficgenError: it raised any error, or exceeded a limit.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _child(work, writing, cpu_seconds, memory)
    os.close(writing)
    status = None
    try:
        text = _read(reading, time.monotonic() + cpu_seconds * _WAIT)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # if it has ended, it is a zombie until the next line
        status = os.waitpid(child, 0)[1]
    if text is None:
        raise TrafficgenError(
            f"took more than {cpu_seconds * _WAIT} s, or gave more than {ANSWER >> 20} MB, and was ended"
        )
    if not text:
        raise _ended(status, cpu_seconds, memory)
    answer = json.loads(text)
    if "value" not in answer:
        raise TrafficgenError(**answer)
    return answer["value"]


def _child(work: Callable[[], Any], writing: int, cpu_seconds: int, memory: int) -> None:
    """Do the work, write the answer and exit. Never returns: the rest of the program belongs to the parent."""
    status = 1
    try:
        _limit(cpu_seconds, memory)
        try:
            answer = json.dumps({"value": work()})
        except TrafficgenError as error:
            answer = json.dumps({key: getattr(error, key) for key in ("what", "on", "said", "remedy")})
        except MemoryError:
            answer = json.dumps({"what": f"took more than {memory >> 20} MB of memory, and was ended"})
        except RecursionError:
            answer = json.dumps({"what": "is nested too deeply"})
        except Exception as error:
            answer = json.dumps({"what": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        rest = answer.encode()
        while rest:
            written = os.write(writing, rest)
            rest = rest[written:]
        status = 0
    finally:
        os._exit(status)


def _limit(cpu_seconds: int, memory: int) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, most in ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, _size() + memory)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _size() -> int:
    """The bytes of this process's address space."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # the controller does not run Linux
        return 4 << 30


def _read(reading: int, until: float) -> bytes | None:
    """The child's whole output; None if it takes too long or writes too much."""
    parts: list[bytes] = []
    total = 0
    while total <= ANSWER:
        left = until - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return None
        part = os.read(reading, _BLOCK)
        if not part:
            return b"".join(parts)
        parts.append(part)
        total += len(part)
    return None


def _ended(status: int, cpu_seconds: int, memory: int) -> TrafficgenError:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return TrafficgenError(
            f"took more than {cpu_seconds} s of CPU time, or {memory >> 20} MB of memory, and was ended"
        )
    what = f"by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"with status {os.WEXITSTATUS(status)}"
    return TrafficgenError(f"ended {what} without an answer")
