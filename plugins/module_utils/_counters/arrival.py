# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for frames that a device holds back. Pure: counter and clock are arguments.

RFC 2544 section 23 waits two seconds after the last frame for late ones. Here the wait ends once every frame has
arrived, and goes on, up to a limit, as long as frames keep coming.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

RECEIVE_WAIT = 2.0  # seconds
SETTLE = 5.0  # seconds from the end of a trial to the next, by the same section
_MOST = 3600  # seconds
# The longest wait while frames keep coming, in receive_waits, or the time of sending if that is longer: a device that
# has not emptied its buffers by then forwards less than half of what it is given.
_LONGEST = 5
# A port counts as quiet if its MAC counted no more than so many foreign frames during one receive_wait.
OTHERS = 10
_FIRST_STEP, _LAST_STEP, _SLOWER = 0.02, 0.1, 1.5  # seconds, seconds, and a factor
_TOLD_TO_STOP = 0.3  # seconds for frames still inside a host, if the user wants no wait


def check_receive_wait(seconds: float, name: str = "receive_wait") -> None:
    """Refuse a wait that is negative, not a number or longer than an hour."""
    if not 0 <= seconds <= _MOST:
        raise TrafficgenError(f"must be 0 to {_MOST} seconds", on=f"{name} {seconds:g}")


class Stopping(Protocol):
    """The part of :class:`Watch` that a wait uses: a reason to stop, and a sleep that ends early for it."""

    def why(self) -> str | None:
        """Why it is time to stop, or None."""

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until it is time to stop."""

    def beat(self) -> None:
        """Say that the wait is alive."""


class Patient:
    """A wait that nobody stops."""

    def why(self) -> str | None:
        """Nothing stops it."""
        return None

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def beat(self) -> None:
        """Nobody listens."""


@dataclass(frozen=True)
class Arrival:
    """How the wait for a run's frames ended.

    ``ended``: ``all``, as many as were expected had come; ``quiet``, none came for ``receive_wait`` seconds; ``limit``,
    they were still coming after the longest wait; ``stopped``, it was told to stop. ``in_time``: the frames that came
    within ``receive_wait`` seconds after the last one left; None if the wait ended earlier.
    """

    ended: str
    expected: int | None
    receive_wait: float
    waited: float
    in_time: int | None

    def tree(self, counted: int | None) -> dict[str, Any]:
        """The value of ``arrival`` in a snapshot.

        :param counted: how many frames had come in the end; None if it includes foreign frames.
        """
        late = None if counted is None else 0 if self.in_time is None else max(0, counted - self.in_time)
        return {
            "ended": self.ended,
            "expected": self.expected,
            "receive_wait": self.receive_wait,
            "waited": self.waited,
            "late_packets": late,
        }


def wait_for_frames(
    count: Callable[[], int],
    watch: Stopping,
    *,
    receive_wait: float,
    expected: int | None = None,
    left_at: float | None = None,
    sending: float = 0.0,
    others: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Arrival:
    """Wait until ``expected`` frames have arrived, or none has come for ``receive_wait`` seconds. It always ends.

    :param count: reads the receiver's counter.
    :param expected: how many frames left; None if unknown.
    :param left_at: when the last one left, on ``clock``; now by default.
    :param sending: how many seconds the run sent; the wait may last as long while frames keep coming.
    :param others: if the counter counts foreign frames, so many during ``receive_wait`` count as no frame.
    """
    began = clock()
    left_at = began if left_at is None else left_at
    longest = max(sending, _LONGEST * receive_wait)
    step = _FIRST_STEP
    in_time: int | None = None
    quiet_since, quiet_at = began, None
    while True:
        counted = count()
        now = clock()
        if in_time is None and now - left_at >= receive_wait:
            in_time = counted
        if quiet_at is None or counted - quiet_at > others:
            quiet_since, quiet_at = now, counted
        if expected is not None and counted >= expected:
            ended = "all"
        elif now - quiet_since >= receive_wait:
            ended = "quiet"
        elif now - began >= longest:
            ended = "limit"
        elif watch.why() is not None and now - began >= _TOLD_TO_STOP:
            ended = "stopped"
        else:
            watch.beat()
            watch.wait(max(0.001, min(step, quiet_since + receive_wait - now)))
            step = min(step * _SLOWER, _LAST_STEP)
            continue
        return Arrival(ended, expected, receive_wait, now - began, in_time)


def earlier(arrived: int, *, still_coming: bool, missed: float | None = None) -> Mapping[str, Any]:
    """The value of ``earlier`` in the receiver's first snapshot: frames with the test's addresses that came before its
    first one was sent.

    :param missed: how many seconds before that a run with missing frames ended, if less than :data:`SETTLE`.
    """
    return {"packets": arrived, "still_coming": still_coming, "missed_seconds": missed}
