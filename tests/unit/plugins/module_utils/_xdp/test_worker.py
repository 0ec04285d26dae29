# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker beside a kernel that is made up here: what it takes, completes, drops and refuses, call by call. Whatever
that is, the figures are true to the frame, and no chunk is written to whose frame is under way."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp import worker
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.feed import Feed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.figures import Figures
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK, RING

from .conftest import a_stream, ip_frame, write_pcap

FRAMES = [ip_frame(number, 60 + number % 60) for number in range(300)]
LARGE = [ip_frame(number, 100 + 7 * (number % 200)) for number in range(300)]  # more than 12 chunks have room for
TAKE_ALL = ("take", RING)


class Queue:
    """A queue whose kernel does at each call what stands in ``script``, and afterwards takes and completes all.

    ``take`` N: take at most N frames, and complete those taken before; ``drop``: complete the next frame without
    sending it; a number: refuse with that errno. ``sent``: the bytes that left, as they lay in the UMEM when they were
    completed.
    """

    queue, budget, invalid, mode, wants_kick = 0, 32, 0, "copy", True

    def __init__(self, script=(), chunks=64):
        self._script = iter(script)
        self.umem = memoryview(bytearray(chunks * CHUNK))
        self.descriptors = memoryview(bytearray(RING * 16))
        self.sizes = self.descriptors.cast("I")[2::4]
        self.tx_producer, self.tx_consumer = (memoryview(bytearray(4)).cast("I") for _ring in range(2))
        self.completion_producer, self.completion_consumer = (memoryview(bytearray(4)).cast("I") for _ring in range(2))
        self._under_way = []
        self.sent, self.dropped, self.calls, self.at_once = [], [], 0, []

    def kick(self):
        self.calls += 1
        what, most = next(self._script, TAKE_ALL)
        assert self.tx_producer[0] - self.tx_consumer[0] <= RING
        if what == "refuse":
            raise OSError(most, os.strerror(most))
        before, self._under_way = self._under_way, []
        self._complete(before, self.sent)
        waiting = self.tx_producer[0] - self.tx_consumer[0]
        if what == "drop" and waiting:
            self._complete([self._taken()], self.dropped)
            raise OSError(errno.EBUSY, "Device or resource busy")
        taken = [self._taken() for _frame in range(min(waiting, most))]
        if taken:
            self.at_once.append(len(taken))
        if most == RING:
            self._complete(taken, self.sent)
        else:
            self._under_way = taken
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    def _taken(self):
        at = self.tx_consumer[0] % RING
        self.tx_consumer[0] += 1
        return self.descriptors.cast("Q")[2 * at], self.sizes[at]

    def _complete(self, frames, to):
        to += [bytes(self.umem[place : place + size]) for place, size in frames]
        self.completion_producer[0] += len(frames)

    def invalid_descriptors(self):
        return self.invalid


@pytest.fixture
def run(stream):
    """run(QUEUE, setting=…): sent by one worker, as far as it comes; its error, and its figures."""

    def run(queue, frames=FRAMES, *, told=lambda: False, **settings):
        made = stream(frames, **settings)
        figures = Figures(Figures.memory(1), 0)
        feed = Feed(made, 0, queue.umem)
        queue.start = time.monotonic() + 0.001
        return worker._Run(made, queue, figures, told, feed, queue.start).error(), figures

    return run


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 40)),
        st.just(("drop", 1)),
        st.sampled_from([errno.EAGAIN, errno.ENOBUFS]).map(lambda number: ("refuse", number)),
    ),
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(
    steps=STEPS,
    frames=st.sampled_from([FRAMES, LARGE]),
    loop=st.integers(1, 9),  # the ring has 2048 places
    limit=st.none() | st.integers(1, 2500),
    chunks=st.sampled_from([12, 64]),
)
def test_whatever_the_kernel_does_the_figures_are_true(tmp_path_factory, steps, frames, loop, limit, chunks):
    path = write_pcap(tmp_path_factory.mktemp("p") / "a.pcap", frames)
    queue, figures = Queue(steps, chunks), Figures(Figures.memory(1), 0)
    with ExitStack() as stack:
        made = a_stream(open_pcaps([path], stack), loop=loop, limit=limit)
        feed = Feed(made, 0, queue.umem)
        assert worker._Run(made, queue, figures, lambda: False, feed, time.monotonic()).error() is None
    asked = (frames * loop)[:limit]
    assert figures.sent(queue) == (len(queue.sent), sum(map(len, queue.sent)))
    assert figures.failed == len(queue.dropped)
    # Each once and in order, but for what was dropped, whose places are known by its bytes.
    left = iter(asked)
    assert all(frame in left for frame in queue.sent)
    assert sorted([*queue.sent, *queue.dropped]) == sorted(asked)


def test_at_a_rate_no_burst_is_larger_than_asked(run):
    queue = Queue()
    error, figures = run(queue, pps=20_000.0, burst=3)
    assert error is None and queue.sent == FRAMES
    assert max(queue.at_once) <= 3
    _started, last, _behind, largest = figures.read_times()
    assert 0.0149 < last - queue.start < 5 and largest >= 1


def test_the_recorded_speed(run):
    queue = Queue()
    error, figures = run(queue, FRAMES[:50], multiplier=0.005)  # a microsecond apart: 200 of them
    assert error is None and queue.sent == FRAMES[:50]
    assert 0.0097 < figures.read_times()[1] - queue.start < 5


@pytest.mark.parametrize("pps", [None, 5000.0])
def test_a_duration_ends_it(run, pps):
    queue = Queue()
    error, figures = run(queue, loop=0, duration=0.05, pps=pps)
    started, last, *_rest = figures.read_times()
    assert error is None and figures.sent(queue)[0] == len(queue.sent)
    assert last - started < 1
    if pps:
        assert 0 < len(queue.sent) <= 250


def test_what_the_kernel_does_not_take_is_told_to_it_again(run):
    """While frames wait in the ring, a rate's pauses are for them."""
    queue = Queue([("take", 0)] * 20)
    error, _figures = run(queue, FRAMES[:20], pps=10_000.0)
    assert error is None and queue.sent == FRAMES[:20]


def test_the_word_to_stop_is_heeded(run):
    for pps in (None, 0.5, 5000.0):
        queue, until = Queue(), time.monotonic() + 0.1
        error, figures = run(queue, told=lambda until=until: time.monotonic() > until, loop=0, pps=pps)
        assert error is None and figures.sent(queue)[0] == len(queue.sent) > 0
        assert time.monotonic() < until + 2


def test_the_word_to_stop_is_heeded_also_where_the_ring_is_full(run, monkeypatch):
    monkeypatch.setattr(worker, "_STALLED", 0.2)
    queue = Queue([("take", 0)] * 100_000)
    error, figures = run(queue, told=lambda: queue.calls > 100, loop=0)
    assert "no frame has left for 0.2 s, and 2048 are under way" in error.message
    assert figures.sent(queue) == (0, 0)


@pytest.mark.parametrize("settings", [{"loop": 0}, {"loop": 0, "pps": 5000.0}, {}])
def test_a_port_that_sends_no_more(run, monkeypatch, settings):
    monkeypatch.setattr(worker, "_STALLED", 0.2)
    queue = Queue([("take", 100), *[("refuse", errno.EAGAIN)] * 1_000_000])
    error, figures = run(queue, **settings)
    assert "no frame has left for 0.2 s" in error.message and "ethtool -l" in error.remedy
    assert figures.sent(queue) == (0, 0)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([errno.ENETDOWN] * 1000, "its interface was set down: Network is down"),
        # As the kernel says about one that is removed.
        (
            [errno.ENETDOWN] * 3 + [errno.ENXIO],
            "its interface is gone, or has no such queue to send on: No such device",
        ),
        ([errno.ENETDOWN, errno.EAGAIN, errno.ENOBUFS, errno.ENODEV], "its interface is gone: No such device"),
        ([errno.EPROTO], "the kernel accepts no more frames: Protocol error"),
    ],
)
def test_what_the_kernel_refuses(run, monkeypatch, numbers, said):
    monkeypatch.setattr(worker, "_NAP", 0.01)
    monkeypatch.setattr(worker, "_LAST_WORD", 0.2)
    queue = Queue([("take", 7), *(("refuse", number) for number in numbers)])
    error, figures = run(queue, loop=0)
    assert error.message.startswith(said)
    assert figures.sent(queue)[0] == len(queue.sent) <= 7


class ZeroCopy(Queue):
    """One of a driver. It takes by itself what is in the ring where it does not say that it wants to be told."""

    mode = "zero_copy"
    idle = 0  # looks until it says so again

    @property
    def wants_kick(self):
        self.idle -= 1
        if self.idle == 0:
            Queue.kick(self)
            self.calls -= 1
        return self.idle < 0


def test_a_driver_that_goes_on_by_itself_is_not_told(run):
    queue = ZeroCopy()
    queue.idle = 50
    error, figures = run(queue, FRAMES[:20])
    assert error is None and queue.sent == FRAMES[:20]
    assert (queue.calls, figures.failed) == (0, 0)


def test_what_a_driver_says_while_it_resets_its_port(run):
    """Neither is a frame dropped then, nor is the interface set down."""
    queue = ZeroCopy([("refuse", number) for number in [errno.EBUSY, errno.ENETDOWN, errno.ENOBUFS] * 5])
    error, figures = run(queue)
    assert error is None and queue.sent == FRAMES
    assert (figures.failed, queue.calls) == (0, 16)


def test_a_port_that_stays_without_its_link(run, monkeypatch):
    monkeypatch.setattr(worker, "_STALLED", 0.2)
    for number in (errno.ENETDOWN, errno.EBUSY):
        queue = ZeroCopy([("refuse", number)] * 1_000_000)
        error, figures = run(queue, loop=0)
        assert "the port stopped sending: no frame has left for 0.2 s" in error.message
        assert (figures.sent(queue), figures.failed) == ((0, 0), 0)


def test_frames_that_the_kernel_threw_away(run):
    queue = Queue()
    queue.invalid = 4
    error, _figures = run(queue)
    assert error.message == "the kernel dropped 4 frames as invalid."


@pytest.fixture
def signals():
    """The handlers and CPUs as they were."""
    cpus, numbers = os.sched_getaffinity(0), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    os.sched_setaffinity(0, cpus)
    for number, handler in zip(numbers, handlers):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None])
def test_a_signal_or_the_parent_says_stop(signals, number):
    memory = Figures.memory(2)
    stop = worker._Stop(Figures(memory, 1))
    assert not stop()
    if number is None:
        Figures(memory, 0).tell_to_stop()
    else:
        os.kill(os.getpid(), number)
    assert stop()


def talk(stream, queue, cpu, start):
    """A worker's messages and its end, where its parent says ``start`` and nothing, or nothing at all."""
    ours, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, line:
        if start is not None:
            ours.send(worker.START.pack(start))
        ours.shutdown(socket.SHUT_WR)
        error = worker._work(stream, 0, queue, Figures(Figures.memory(1), 0), line, lambda: False, cpu)
        line.shutdown(socket.SHUT_WR)
        return list(iter(lambda: ours.recv(4096), b"")), error


def test_it_says_when_all_is_loaded_and_waits_for_the_start(signals, stream):
    cpu = min(os.sched_getaffinity(0))
    queue = Queue()
    assert talk(stream(FRAMES), queue, cpu, time.monotonic()) == ([b"{}"], None)
    assert queue.sent == FRAMES
    assert os.sched_getaffinity(0) == {cpu}
    # Its parent is dead.
    queue = Queue()
    assert talk(stream(FRAMES), queue, cpu, None) == ([b"{}"], None)
    assert queue.sent == []


def test_what_is_wrong_with_it_is_said_instead(signals, stream):
    said, error = talk(stream(FRAMES), Queue(), 9999, time.monotonic())
    assert said == [] and "cpu_list 9999: this CPU cannot be used" in error.message
    said, error = talk(stream([bytes(5000)]), Queue(), min(os.sched_getaffinity(0)), time.monotonic())
    assert said == [] and "5000 bytes long" in error.message


def test_an_error_is_told_whole():
    error = TrafficgenError("it broke", on="it", said="no", remedy="Mend it.")
    assert TrafficgenError(**json.loads(worker._told(error))).message == error.message
    assert worker._told(None) == b"{}"
