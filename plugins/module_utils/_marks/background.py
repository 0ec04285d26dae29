# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver in a process of its own, which listens while others send, and tells what came when it is asked. It ends
when it has told, and after its time in any case.

It is asked over a Unix socket with an abstract name, so that it leaves nothing behind however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import struct
import time
from typing import Any, NamedTuple, NoReturn

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import keep_only
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import patiently
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import (
    CEASED,
    Expected,
    Reception,
    check_limits,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

_SO_PEERCRED = 17
_PEER = struct.Struct("=3i")  # process, user, group
_ANSWER = 30.0  # seconds, besides those in which frames may still come
_SENTENCE = 5.0  # seconds for a question that has begun


class _Question(NamedTuple):
    """How many frames were sent, how long to wait for missing ones, and how long ago the last was sent."""

    frames: int | None
    idle: float
    ago: float


def start(
    interface: Interface, expected: Expected, *, duration: float, ring_mb: int, count_only: bool
) -> dict[str, Any]:
    """Listen in the background for so many seconds at most; what to ask it by, its process, and when it ends."""
    check_limits(duration, 0, ring_mb, expected.passes)
    with Reception(interface, expected, ring_mb, count_only=count_only) as reception:
        name = os.urandom(8).hex()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
            listener.bind(_address(name))
            listener.listen(1)
            try:
                process = patiently(os.fork)
            except OSError as error:
                raise TrafficgenError(
                    "its process could not be started",
                    on="the receiver of marks",
                    said=str(error),
                    remedy=remedy_of(error),
                ) from error
            if process == 0:
                _live(reception, listener, duration)
        return {"receiver": name, "process": process, "until": time.time() + duration}


def ask(receiver: str, frames: int | None, idle: float, sent_ago: float = 0.0) -> dict[str, Any]:
    """What a receiver has received; it ends.

    :param frames: how many were sent, marked or not, if that is known.
    :param idle: seconds without a frame after which it no longer waits for missing ones. They begin with the last
        frame that came or that was sent, ``sent_ago`` seconds ago.
    """
    if not re.fullmatch(r"[0-9a-f]{16}", receiver):
        raise TrafficgenError(
            "is no receiver's", on=f"receiver {receiver[:40]!r}", remedy="Give what started returned."
        )
    check_limits(1, idle, 1, None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
        try:
            line.connect(_address(receiver))
            line.sendall(json.dumps({"frames": frames, "idle": idle, "ago": max(0.0, sent_ago)}).encode() + b"\n")
            answer = _all_of(line, idle)
        except (OSError, ValueError) as error:
            raise TrafficgenError(
                "did not answer, so what arrived is not known",
                on=f"receiver {receiver}",
                said=str(error),
                remedy="Did its duration end, or was it killed? Raise duration.",
            ) from error
    if "what" in answer:
        raise TrafficgenError(**answer)
    return answer


def _all_of(line: socket.socket, idle: float) -> dict[str, Any]:
    said = b""
    while True:
        line.settimeout(_ANSWER + idle if not said else _ANSWER)
        some = line.recv(1 << 16)
        if not some:
            return dict(json.loads(said))
        said += some


def _address(name: str) -> str:
    return f"\0trafficgen-marks-{name}"


def _live(reception: Reception, listener: socket.socket, duration: float) -> NoReturn:
    """The life of the receiver's process."""
    try:
        os.setsid()
        os.chdir("/")
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        keep_only([listener.fileno(), reception.fileno()])
        _listen(reception, listener, duration)
    finally:
        os._exit(0)


def _listen(reception: Reception, listener: socket.socket, duration: float) -> None:
    until = time.monotonic() + duration
    question, ended_by = None, ""
    while question is None and time.monotonic() < until:
        if not ended_by:
            ended_by, _quiet = reception.until_the_end(duration, None, asked=lambda: _is_asked(listener, 0))
            ended_by = "" if ended_by == "asked" else ended_by
        if _is_asked(listener, until - time.monotonic()):
            question = _question(listener)
    if question is None:
        return
    line, asked = question
    with line:
        answer = json.dumps(_answer(reception, ended_by, asked, duration))
        line.settimeout(_ANSWER)
        line.sendall(answer.encode())


def _answer(reception: Reception, ended_by: str, asked: _Question, duration: float) -> dict[str, Any]:
    try:
        over = False
        if asked.frames is not None:
            reception.told(asked.frames)
        if not ended_by:
            left = time.monotonic() - asked.ago
            ended_by, quiet = reception.until_the_end(duration, asked.idle, all_left=left)
            over = ended_by in CEASED or quiet >= asked.idle
        return reception.result(ended_by, over)
    except (TrafficgenError, OSError) as wrong:
        error = as_ours(wrong)
        return {"what": error.what, "on": error.on, "said": error.said, "remedy": error.remedy}


def _is_asked(listener: socket.socket, seconds: float) -> bool:
    return bool(select.select([listener], [], [], max(0, seconds))[0])


def _question(listener: socket.socket) -> tuple[socket.socket, _Question] | None:
    """Who asks, and what; None if it was somebody else."""
    line, _address_of_nobody = listener.accept()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        line.settimeout(_SENTENCE)
        _process, user, _group = _PEER.unpack(line.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, _PEER.size))
        said = b""
        while user == os.getuid() and not said.endswith(b"\n"):
            some = line.recv(4096)
            if not some:
                break
            said += some
        asked = json.loads(said)
        frames = None if asked["frames"] is None else int(asked["frames"])
        return line, _Question(frames, float(asked["idle"]), float(asked["ago"]))
    line.close()
    return None
