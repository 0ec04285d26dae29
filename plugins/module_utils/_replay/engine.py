# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of its engine, the program or code that sends: the order of a run is the same for all."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import NicState
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.plan import Plan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress

OTHER_RINGS = "given other rings"
# How a run ends whose interface is lost, in the words of Link.trouble(), or no longer as netmap took it.
LOST = ("gone from its namespace", "set down", OTHER_RINGS)


@dataclass(frozen=True)
class Sent:
    """What an engine says when it has ended.

    ``ended``: ``exited`` by itself, ``timeout``, ``signal`` (the module was told to stop), ``gone`` (nobody waits for
    the result), one of :data:`LOST`, or the engine's own word. ``killed``: it did not end when it was told to.
    ``started``, ``finished``: epoch seconds. ``status``: its exit status, None of what is no
    program. ``stats``: the ``stats`` tree.
    ``complaint``: what it complained of; ``harmless``: it sent all the same. ``printed``: its output and errors.
    """

    ended: str
    killed: bool
    started: float
    finished: float
    status: int | None
    stats: dict[str, Any]
    complaint: TrafficgenError | None
    harmless: bool = False
    printed: tuple[str, str] = ("", "")


class Engine(ABC):
    """One run's sender. Its methods are called in the order they stand here."""

    name: ClassVar[str]  # as ``run.engine`` has it
    sender: ClassVar[str]  # what sends, for the user
    # Of a run with a rate: its seconds have the time of the last frame in them, too.
    whole_intervals: bool = False

    def __init__(self, plan: Plan, warn: Callable[[str], None]) -> None:
        self.plan = plan
        self.warn = warn

    def take(self, stack: contextlib.ExitStack, watch: Watch) -> bool:
        """Take the interface for itself until ``stack`` ends; whether it did, and its link is up."""
        return False

    @abstractmethod
    def load(self, stack: contextlib.ExitStack, watch: Watch, locks: Sequence[int]) -> None:
        """Make ready what can be before the counters are read and the start has come."""

    @abstractmethod
    def send(
        self, watch: Watch, progress: Progress, *, stop: Callable[[], str], mark: str, locks: Sequence[int]
    ) -> Sent:
        """Send to the end, the timeout, or until ``watch`` or ``stop`` says to end, and wait for what is the engine's
        own and has not left.

        :param stop: is asked about every second; an empty word is a no.
        :param mark: that of ``no_process_left``.
        :param locks: descriptors that every process that sends has open.
        """

    @abstractmethod
    def describe(self, nic: NicState) -> dict[str, Any]:
        """The part of the ``run`` tree that is the engine's, as far as it is known.

        :param nic: what the interface is set to.
        """

    @abstractmethod
    def not_ended_well(self, sent: Sent, when: str) -> TrafficgenError | None:
        """The error of a run that was stopped (``when``) and did not stop as it should, or had not sent anything by
        then."""
