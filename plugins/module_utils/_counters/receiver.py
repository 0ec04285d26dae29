# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting a run's frames at the receiving interface."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import (
    OTHERS,
    SETTLE,
    earlier,
    wait_for_frames,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.frame_counter import (
    add_frame_counter,
    read_frame_counter,
    remove_frame_counter,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import at_mac
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.missed_note import MissedNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import check_has_macs, snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface


def count_arrivals(
    interface: Interface, before: Mapping[str, Any], watch: Watch, *, receive_wait: float, sending: float
) -> dict[str, Any]:
    """The sending port's counters, once no more frames arrive at its own MAC: those of another run that sends to it.

    :param before: its snapshot from before the first frame; ``sending``: how long this run sent.
    """
    arrival = None

    def arrived() -> int:
        rx = at_mac(snapshot(interface, like=before))["mac"]["rx"]
        return int(rx["packets"]) if rx else 0

    if at_mac(before)["mac"]["rx"]:
        arrival = wait_for_frames(arrived, watch, receive_wait=receive_wait, sending=sending, others=OTHERS).tree(None)
    return {**snapshot(interface, like=before), "arrival": arrival}


class Receiver:
    """Snapshots before and after a run, with a frame counter if possible.

    :param link: a snapshot of the interface from before any change.
    :param macs: the source addresses of the test's frames.
    :param no_counter: why these cannot be counted; empty if they can.
    :param warn: takes a sentence for the user.
    :param addressed: tells whether all frames are sent to this MAC address or to a group that includes it.
    :param receive_wait: stop waiting after so many seconds without a frame.
    :param settle: seconds between the end of a run with missing frames and the first frame of this one.
    :param start_by: end all waiting before the first frame then (``time.time()``), to keep a common start.
    """

    def __init__(
        self,
        link: Mapping[str, Any],
        macs: Sequence[str],
        *,
        no_counter: str,
        warn: Callable[[str], None],
        addressed: Callable[[str], bool],
        receive_wait: float,
        settle: float,
        start_by: float = math.inf,
    ) -> None:
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] | None = None
        self.addressed = False
        self._interface, self._link = Interface(link["interface"], link["netns"]), link
        self._macs, self._no_counter = macs, no_counter
        self._addressed, self._warn = addressed, warn
        self._receive_wait, self._settle, self._start_by = receive_wait, settle, start_by
        self._note = MissedNote(self._interface)
        self._passed, self._ceased = 0, True

    def start(self) -> None:
        """Set up the counter. If that fails, the error is the reason for an unknown loss."""
        self.before = snapshot(self._interface, like=self._link)
        if not self._no_counter:
            with self._or_no_counter():
                check_has_macs(self.before)
                self.before["test_frames"] = add_frame_counter(self._interface, self._macs)

    def let_pass(self, watch: Watch) -> None:
        """Wait for late frames of an earlier run: what comes before the first frame is sent is not this run's."""
        with self._or_no_counter():
            seen = 0
            if (missed := self._missed()) is not None and missed < self._settle:
                self._until(self._settle - self._receive_wait, watch)
                seen = self._arrived()
                self._until(self._settle, watch)
            self._passed = self._arrived()
            self._ceased = self._passed == seen
            if not self._ceased and self._time_left() >= self._receive_wait:
                self._ceased = wait_for_frames(self._arrived, watch, receive_wait=self._receive_wait).ended == "quiet"
                self._passed = self._arrived()

    def begin(self) -> None:
        """Count from here on: the next frame is the first of the run."""
        missed = self._missed()
        if self.before["test_frames"] or self.before["mac"]["rx"]:
            if missed is not None and missed < SETTLE:
                self.before["earlier"] = earlier(0, still_coming=False, missed=missed)
            self._note.write(self._counted_macs())
        with self._or_no_counter():
            counter = self.before["test_frames"]
            if counter is None:
                return
            self.before["test_frames"] = now = read_frame_counter(counter, self._interface)
            packets = now["packets"] - counter["packets"]
            if not packets:
                return
            came = {"packets": packets, "still_coming": packets > self._passed or not self._ceased}
            self.before["earlier"] = {**self.before.get("earlier", earlier(0, still_coming=False)), **came}
            self._warn(
                f"{packets} frames of the test's source MAC addresses arrived on {self._interface.name} before the"
                " first was sent: late ones of an earlier run, or another sender's. They are not counted."
            )

    def finish(self, watch: Watch, expected: int | None, left_at: float, sending: float) -> None:
        """Read what arrived, once all frames have come or the wait for missing ones is over.

        :param expected: how many frames left; ``left_at``: when the last one did.
        :param sending: how long they were sent.
        """
        counter, mac = self.before["test_frames"], self.before["mac"]["rx"]
        try:
            arrival = None
            if counter or mac:
                arrival = wait_for_frames(
                    self._arrived if counter else self._arrived_at_mac,
                    watch,
                    receive_wait=self._receive_wait,
                    expected=expected,
                    left_at=left_at,
                    sending=sending,
                    others=0 if counter else OTHERS,
                )
            after = snapshot(self._interface, test_frames=counter, like=self.before)
            counted = after["test_frames"]["packets"] - counter["packets"] if counter else None
            if arrival:
                after["arrival"] = arrival.tree(counted)
                if arrival.ended == "all":
                    self._note.forget()
            if counted == 0 and after["mac_address"]:
                self.addressed = self._addressed(after["mac_address"])
        except TrafficgenError as error:
            self._warn(f"What arrived is not known: {error.message}")
            return
        if self._no_counter:
            reasons = (self._no_counter, after["mac"]["reason"])
            after["mac"] = {**after["mac"], "reason": "; ".join(filter(None, reasons))}
        self.after = after

    def remove(self) -> None:
        """Remove the counter; harmless where there is none."""
        try:
            self._note.still_missing()
            remove_frame_counter(self._interface)
        except TrafficgenError as error:
            name = self._interface.name
            self._warn(f"The frame counter on {name} is still there, until the next run: {error.message}")

    @contextlib.contextmanager
    def _or_no_counter(self) -> Iterator[None]:
        """Forget a counter that is gone before the run begins."""
        try:
            yield
        except TrafficgenError as error:
            self._no_counter = error.message.rstrip(".")
            self.before["test_frames"] = None

    def _until(self, seconds: float, watch: Watch) -> None:
        """Sleep until the run with missing frames is that long ago, or it is time to start."""
        while (missed := self._missed()) is not None and missed < seconds:
            if self._time_left() <= 0 or watch.why() is not None:
                return
            watch.beat()
            watch.wait(min(seconds - missed, self._time_left()))

    def _time_left(self) -> float:
        """How many seconds are left for waiting."""
        return self._start_by - time.time()

    def _counted_macs(self) -> Sequence[str] | None:
        return self._macs if self.before["test_frames"] else None

    def _missed(self) -> float | None:
        """How many seconds ago a run ended whose missing frames this one would count."""
        return self._note.seconds(self._counted_macs())

    def _arrived(self) -> int:
        """How many test frames have arrived since the first reading."""
        counter = self.before["test_frames"]
        if counter is None:
            return 0
        return int(read_frame_counter(counter, self._interface)["packets"]) - int(counter["packets"])

    def _arrived_at_mac(self) -> int:
        """How many frames the MAC has counted since then, foreign ones included."""
        mac = snapshot(self._interface, like=self.before)["mac"]["rx"]
        return int(mac["packets"]) - int(self.before["mac"]["rx"]["packets"]) if mac else 0
