# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receiving the marked frames of a test: until all have come, or no more do, or the time is over. It always ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.arrivals import Arrivals
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.frames import Run, read_block
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import MOST_TESTS, numbers_in_turn
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.ring import MarkCount, MarkRing
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.timeline import Timeline
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import merging_offloads
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

# A year: longer than any test, and a wait that every call takes.
MOST_SECONDS, MOST_MB = 31_536_000.0, 1024
_SUMS = ("arrived", "received", "missing", "duplicates", "reordered")
# What a count does not tell.
_NOT_COUNTED = (
    *("received", "missing", "lost", "lost_ratio", "lost_at_least", "duplicates", "reordered"),
    *("unexpected", "altered", "foreign"),
)
CEASED = ("all", "idle")
_AFTER_ALL = 0.1  # seconds without a frame, once all have come: a copy would have come by then


@dataclass(frozen=True)
class Expected:
    """What is known of a test's frames: its number and, for each stream, its name and how many are marked. Without
    streams every stream counts, and how many were sent is not known.

    ``unmarked``: frames of a pass without a mark. ``numbered``: the sender goes on counting from pass to pass.
    """

    test: int
    streams: Mapping[int, tuple[str | None, int]] = field(default_factory=dict)
    passes: int | None = 1
    unmarked: int = 0
    numbered: bool = False

    def arrivals(self, marked: int | None, timeline: Timeline) -> Arrivals:
        """Of one stream, with so many marked frames in a pass."""
        if marked is None or not self.numbered:
            return Arrivals(marked, self.passes, timeline)
        found = Arrivals(numbers_in_turn(marked), None, timeline)
        found.sent = None if self.passes is None else marked * self.passes
        return found


def read_expected(marks: Any, passes: int | None, numbered: bool = False) -> Expected:
    """``pcap.marks`` of the module pcap, as a task hands it over."""

    def whole(value: Any, most: int) -> int:
        number = int(str(value))
        if not 0 <= number < most:
            raise ValueError
        return number

    try:
        streams = {
            whole(one["stream"], 1 << 16): (one.get("name"), whole(one["marked"], MOST_TESTS + 1))
            for one in marks["streams"]
        }
        unmarked = sum(whole(one.get("unmarked", 0), MOST_TESTS + 1) for one in marks["streams"])
        return Expected(whole(marks["test"], MOST_TESTS), streams, passes, unmarked, numbered)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TrafficgenError(
            "is not what the module pcap returned", on="marks", remedy="Give pcap.marks of its result."
        ) from None


class Tally:
    """What has arrived of a test, stream by stream, and what else there was."""

    def __init__(self, expected: Expected) -> None:
        self._expected, self.timeline = expected, Timeline()
        self.streams = {
            number: expected.arrivals(marked, self.timeline) for number, (_name, marked) in expected.streams.items()
        }
        self.sent: int | None = None  # frames of the test that are sent, where that is known
        if expected.streams and expected.passes is not None:
            self.sent = sum(marked for _name, marked in expected.streams.values()) * expected.passes
        self.foreign: Counter[int] = Counter()
        self.altered = self.unexpected = 0

    def take(self, run: Run) -> None:
        """Count frames that arrived."""
        if run.mark is None:
            self.altered += run.frames
        elif run.mark.test != self._expected.test:
            self.foreign[run.mark.test] += run.frames
        elif run.mark.stream in self.streams:
            arrivals = self.streams[run.mark.stream]
            if run.frames == 1:
                arrivals.arrive(run.mark.number, run.time_of(0))
            else:
                arrivals.arrive_in_sequence(run.mark.number, run.frames, run.time_of)
        elif self._expected.streams:
            self.unexpected += run.frames
        else:
            self.streams[run.mark.stream] = self._expected.arrivals(None, self.timeline)
            self.take(run)

    @property
    def arrived(self) -> int:
        """Frames of the test, copies included."""
        return sum(one.arrived for one in self.streams.values())

    def told(self, frames: int) -> None:
        """So many frames were sent, marked or not. In the middle of a pass that tells a single stream's alone."""
        marked = {number: each for number, (_name, each) in self._expected.streams.items()}
        in_a_pass = sum(marked.values()) + self._expected.unmarked
        if not in_a_pass:
            return
        passes, rest = divmod(frames, in_a_pass)
        for number, each in marked.items():
            whole_passes = None if rest else each * passes
            self.streams[number].sent = frames if each == in_a_pass else whole_passes
        known = not rest or not self._expected.unmarked
        self.sent = frames - self._expected.unmarked * passes if known else None

    def complete(self) -> bool:
        """Whether all frames of the test have come."""
        return self.sent is not None and sum(one.received for one in self.streams.values()) >= self.sent

    def figures(self, socket_drops: int, over: bool) -> dict[str, Any]:
        """The streams and their sums.

        :param socket_drops: frames that the receiver itself lost: then nobody knows which ones the device did.
        :param over: whether the frames had ceased; if not, what is missing may still come.
        """
        streams = []
        for number in sorted(self.streams):
            name, _marked = self._expected.streams.get(number, (None, None))
            streams.append({"stream": number, "name": name, **self.streams[number].figures()})
        sums: dict[str, Any] = {key: sum(one[key] for one in streams) for key in _SUMS}
        sent = self.sent
        if sent is not None and any(one["sent"] is None for one in streams):
            sums["missing"] = max(0, sent - sums["received"])
        # What was altered has arrived, too, of whichever stream. One too many may stand for one that is lost.
        unread = socket_drops + self.altered + _too_many({"sent": sent, **sums, "streams": streams})
        known = not unread and over
        for one in [*streams, sums]:
            one["lost"] = one["missing"] if known else None
        of = sent if sent is not None else sums["received"] + sums["missing"]
        return {
            "sent": sent,
            **sums,
            "lost_ratio": sums["missing"] / of if known and of else None,
            "lost_at_least": max(0, sums["missing"] - unread) if over else 0,
            "unexpected": self.unexpected + sum(one["unexpected"] for one in streams),
            "altered": self.altered,
            "foreign": [{"test": test, "packets": self.foreign[test]} for test in sorted(self.foreign)],
            "timeline": self.timeline.figures(),
            "streams": streams,
        }


def _too_many(found: Mapping[str, Any]) -> int:
    """How many more frames arrived than were sent, apart from those that are copies by their numbers."""

    def more(one: Mapping[str, Any]) -> int:
        return 0 if one["sent"] is None or one["received"] is None else max(0, one["received"] - one["sent"])

    return max(more(found), sum(map(more, found["streams"])))


def receive(
    interface: Interface,
    expected: Expected,
    *,
    duration: float,
    idle: float,
    ring_mb: int,
    ready_file: str | None,
    count_only: bool = False,
) -> dict[str, Any]:
    """Receive, and return the tree that the module ``mark_receiver`` documents.

    :param duration: seconds after which it ends in any case; ``idle``: seconds without a frame of the test, after the
    first, after which it ends. :param ready_file: made once it listens, and removed at the end.
    """
    check_limits(duration, idle, ring_mb, expected.passes)
    with Reception(interface, expected, ring_mb, count_only=count_only) as reception, _announced(ready_file):
        reception.begin()
        ended_by, quiet = reception.until_the_end(duration, idle)
        return reception.result(ended_by, ended_by in CEASED or quiet >= idle)


def check_limits(duration: float, idle: float, ring_mb: int, passes: int | None) -> None:
    """Refuse what is out of range."""
    _check("duration", duration, 0 < duration <= MOST_SECONDS, f"It must be above 0, and at most {MOST_SECONDS:.0f}.")
    _check("idle", idle, 0 <= idle <= MOST_SECONDS, f"It must be from 0 to {MOST_SECONDS:.0f}.")
    _check("ring_mb", ring_mb, 1 <= ring_mb <= MOST_MB, f"It must be from 1 to {MOST_MB}.")
    _check("loop", passes, passes is None or passes > 0, "It must be 0 or more.")


def _check(name: str, value: Any, right: bool, remedy: str) -> None:
    if not right:
        raise TrafficgenError(f"{value} is out of range", on=name, remedy=remedy)


class _Read:
    """The frames of a test, each looked at."""

    def __init__(self, interface: Interface, expected: Expected, ring_mb: int) -> None:
        self._test = expected.test
        self.tally = Tally(expected)
        self._socket: MarkRing | MarkCount = self._open(interface, ring_mb)

    def _open(self, interface: Interface, ring_mb: int) -> MarkRing | MarkCount:
        self._ring = MarkRing(interface, self._test, ring_mb)
        return self._ring

    def take(self, until: float) -> None:
        """Take what has come, but for no longer than until then (monotonic)."""
        for at, packets in self._ring.blocks():
            for run in read_block(self._ring.memory, at, packets, self._test):
                self.tally.take(run)
            if time.monotonic() >= until:
                return

    @property
    def arrived(self) -> int:
        """Frames that have come, copies included."""
        return self.tally.arrived

    def complete(self) -> bool:
        """Whether all have come."""
        return self.tally.complete()

    def drops(self) -> int:
        """Frames that its own socket dropped."""
        return self._ring.drops()

    def wait(self, seconds: float) -> bool:
        """Wait, so long at most; whether the interface is still up."""
        return self._socket.wait(seconds)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let it go."""
        self._socket.close()


class _Counted(_Read):
    """The frames of a test, counted by the kernel."""

    def _open(self, interface: Interface, ring_mb: int) -> MarkRing | MarkCount:
        self._count, self._arrived = MarkCount(interface, self._test), 0
        return self._count

    def take(self, until: float) -> None:
        """Read the count."""
        before, self._arrived = self._arrived, self._count.arrived
        if self._arrived > before:
            self.tally.timeline.add(time.time_ns(), self._arrived - before)

    @property
    def arrived(self) -> int:
        """Frames that have come, copies included."""
        return self._arrived

    def complete(self) -> bool:
        """Whether as many have come as were sent."""
        return self.tally.sent is not None and self._arrived >= self.tally.sent

    def drops(self) -> int:
        """None: its socket only counts."""
        return 0


class Reception:
    """An interface on which the frames of a test are listened for, until it is closed."""

    def __init__(self, interface: Interface, expected: Expected, ring_mb: int, *, count_only: bool) -> None:
        self._link = read_link(interface)
        self._interface = interface._replace(name=self._link["ifname"])
        self._merging = merging_offloads(self._interface)
        self._test, self._counted = expected.test, count_only
        self._source = (_Counted if count_only else _Read)(self._interface, expected, ring_mb)
        self.begin()

    def __enter__(self) -> Reception:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._source.close()

    def fileno(self) -> int:
        """Its socket's descriptor."""
        return self._source.fileno()

    def begin(self) -> None:
        """Its time begins now."""
        self._began, self._start = time.time(), time.monotonic()
        self._last = self._start  # when the last frame came

    def told(self, frames: int) -> None:
        """So many frames were sent, marked or not."""
        self._source.tally.told(frames)

    def until_the_end(
        self,
        duration: float,
        idle: float | None,
        *,
        all_left: float | None = None,
        asked: Callable[[], bool] = lambda: False,
    ) -> tuple[str, float]:
        """Take frames until one of the ends; which it was, and for how many seconds no frame of the test had come then.

        :param idle: end after so many seconds without a frame, or when all have come; None: more may still be sent.
        :param all_left: when the last frame was sent (monotonic), if nothing is sent any more; else the wait for quiet
            begins with the first one that comes.
        :param asked: whether to end now, as ``asked``.
        """
        source = self._source
        if all_left is not None:
            self._last = max(self._last, all_left)
        while True:
            seen = source.arrived
            source.take(self._start + duration)
            now = time.monotonic()
            if source.arrived > seen:
                self._last = now
            quiet = now - self._last
            if now - self._start >= duration:
                return "duration", quiet
            if idle is not None and (source.arrived or all_left is not None):
                patience = _AFTER_ALL if source.complete() else idle
                if quiet >= min(patience, idle):
                    return "all" if source.complete() else "idle", quiet
            if asked():
                return "asked", quiet
            if not source.wait(min(_AFTER_ALL / 2, duration - (now - self._start))):
                return "interface_down", quiet

    def result(self, ended_by: str, over: bool) -> dict[str, Any]:
        """The tree that the module documents; ``over``: whether the frames had ceased."""
        source = self._source
        seconds, drops, others = time.monotonic() - self._start, source.drops(), None
        with contextlib.suppress(TrafficgenError, KeyError):
            others = read_link(self._interface)["counters"]["rx_packets"] - self._link["counters"]["rx_packets"]
        found = {
            "test": self._test,
            "interface": self._interface.name,
            "netns": self._interface.netns,
            "began": self._began,
            "ended": time.time(),
            "seconds": seconds,
            "ended_by": ended_by,
            "count_only": self._counted,
            "socket_drops": drops,
            "interface_packets": others,
            **source.tally.figures(drops, over),
        }
        if self._counted:
            found.update(dict.fromkeys(_NOT_COUNTED), arrived=source.arrived, streams=[])
        found["notes"] = notes(found, over, self._merging)
        return found


@contextlib.contextmanager
def _announced(path: str | None) -> Iterator[None]:
    """A file that is there as long as the block runs."""
    if path is None:
        yield
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    except (OSError, ValueError) as error:
        there = isinstance(error, FileExistsError)
        raise TrafficgenError(
            "is there already" if there else "could not be made",
            on=f"ready_file {path}",
            said="" if there else str(error),
            remedy="Remove it, unless another receiver made it." if there else "Give a path in an existing folder.",
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def notes(result: Mapping[str, Any], over: bool, merging: Sequence[str]) -> list[str]:
    """What a reader has to know of these figures, in sentences."""
    said = []
    test, name = result["test"], result["interface"]
    if not result["arrived"]:
        said.append(
            f"No frame with a mark of test {test} arrived; {name} counted {result['interface_packets']} frames in"
            " all. If they are the test's, it was sent without marks or with another mark_id, or a device on the path"
            " rewrites the payload."
        )
    if result["foreign"]:
        others = ", ".join(f"{one['packets']} of test {one['test']}" for one in result["foreign"])
        said.append(f"Marks of other tests arrived, and are not counted: {others}.")
    if result["altered"]:
        said.append(
            f"{result['altered']} marks were altered on the way: a device rewrites the payload. So it is not known how"
            f" many frames were lost: at least {result['lost_at_least']}."
        )
    if result["unexpected"]:
        said.append(
            f"{result['unexpected']} frames have a stream or a number that is not in marks: another pcap was sent with"
            " the same mark_id."
        )
    if result["socket_drops"]:
        said.append(
            f"The receiver itself dropped {result['socket_drops']} frames, so it is not known how many were lost on the"
            f" way: at least {result['lost_at_least']}. Send more slowly, or raise ring_mb."
        )
    if more := _too_many(result):
        said.append(
            f"More frames arrived than were sent, by {more}, so it is not known how many were lost. Was the sender"
            " interrupted, or does another one send the same marks?"
        )
    if result["ended_by"] == "interface_down":
        said.append(f"{name} went down or away while it listened, so what was lost is not known.")
    elif not over and result["missing"]:
        said.append("Frames still came when it ended, so what is missing may be late. Raise duration.")
    if merging:
        said.append(f"{name} merges received frames ({', '.join(merging)}): marks may be missing. Turn it off.")
    return said
