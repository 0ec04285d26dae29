# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _netmap_hold as hold
from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _nic_state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


class Port:
    """A port whose link goes down when it is taken, and a driver that sends ten frames each time it is told to look."""

    def __init__(self, netns=None):
        self.events = []
        self.frames = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.events.append("close")

    def take(self, interface):
        self.events.append(f"take {interface}")

    def buffer_size(self):
        return 2048

    def waiting(self):
        self.frames = max(0, self.frames - 10)
        return self.frames


class Link:
    """Up or down as ``script`` says, a word a look; its last one goes on."""

    script = "up"

    def __init__(self, interface, netns=None):
        self.words = iter(self.script.split())
        self.word = ""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def running(self):
        self.word = next(self.words, self.word)
        return self.word == "up"


class Clock:
    """Time that passes only where somebody waits; the tests of this machine's own speed are elsewhere."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Waiting:
    """A watch that lets the clock run, and tells to stop after ``stop`` seconds."""

    def __init__(self, clock, stop=1e9):
        self.clock = clock
        self.until = clock.now + stop

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def why(self):
        return "signal" if self.clock.now >= self.until else None


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(hold, "Link", Link)
    monkeypatch.setattr(hold, "time", clock)
    return clock


def wait(clock, script, monkeypatch, delay=0.0, stop=1e9):
    monkeypatch.setattr(Link, "script", script)
    began = clock.now
    hold.Hold(Port(), "ens17", None).wait_for_link(Waiting(clock, stop), delay)
    return clock.now - began


def test_the_link_is_waited_for(clock, monkeypatch):
    # Down for 100 looks, every 20 ms, then steady for 0.1 s.
    assert wait(clock, "down " * 100 + "up", monkeypatch) == pytest.approx(2.1, abs=0.03)


def test_a_link_that_seems_up_before_it_goes_down(clock, monkeypatch):
    assert wait(clock, "up up " + "down " * 48 + "up", monkeypatch) == pytest.approx(1.1, abs=0.03)


def test_a_delay_is_counted_from_the_taking(clock, monkeypatch):
    assert wait(clock, "down up", monkeypatch, delay=4) == pytest.approx(4, abs=0.03)


@pytest.mark.parametrize(("delay", "limit"), [(0, 30), (45, 45)])
def test_a_link_that_does_not_come_up(clock, monkeypatch, delay, limit):
    began = clock.now
    with pytest.raises(TrafficgenError, match=rf"ens17: its link did not come up within {limit} s.*netmap_delay"):
        wait(clock, "up down", monkeypatch, delay=delay)
    assert clock.now - began == pytest.approx(limit, abs=0.03)


def test_a_signal_ends_the_wait(clock, monkeypatch):
    assert wait(clock, "down", monkeypatch, stop=1) == pytest.approx(1, abs=0.03)


def test_the_rings_drain(clock, monkeypatch):
    port = Port()
    port.frames = 95
    assert hold.Hold(port, "ens17", None).drain() == 0
    monkeypatch.setattr(port, "waiting", lambda: 3)
    began = clock.now
    assert hold.Hold(port, "ens17", None).drain() == 3
    assert clock.now - began == pytest.approx(2, abs=0.03)


def test_offloads_go_off_before_it_is_taken(monkeypatch):
    port = Port()
    monkeypatch.setattr(hold, "Port", lambda netns: port)
    monkeypatch.setattr(_nic_state, "turn_offloads_off", lambda found, interface, netns: port.events.append(f"off {found} {netns}"))
    with pytest.raises(ZeroDivisionError), hold.held("ens17", "ns", "found"):
        port.events.append("run")
        raise ZeroDivisionError
    assert port.events == ["off found ns", "take ens17", "run", "close"]


@pytest.fixture
def state(monkeypatch, tmp_path):
    log = tmp_path / "put-back"

    def put_back(before, interface, netns):
        log.write_text(f"{before} {interface} {netns}")
        return []

    monkeypatch.setattr(_nic_state, "read", lambda interface, netns: f"{interface} {netns} before")
    monkeypatch.setattr(_nic_state, "put_back", put_back)
    return log


def test_left_as_found(state):
    warnings = []
    with pytest.raises(ZeroDivisionError), hold.left_as_found("ens17", "ns", warnings):
        assert not state.exists()
        raise ZeroDivisionError
    assert state.read_text() == "ens17 ns before ens17 ns"
    assert warnings == []


def test_left_as_found_after_sigkill(state):
    child = os.fork()
    if child == 0:
        with hold.left_as_found("ens17", None, []):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    until = time.monotonic() + 5
    while not state.exists() or not state.read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert state.read_text() == "ens17 None before ens17 None"


def test_what_cannot_be_put_back_is_a_warning(state, monkeypatch):
    monkeypatch.setattr(_nic_state, "put_back", lambda *args: ["ens17: is gone."])
    warnings = []
    with hold.left_as_found("ens17", None, warnings) as found:
        assert found == "ens17 None before"
    assert warnings == ["ens17: is gone."]


def left(clock, script, monkeypatch):
    """How long the end takes, with a link that is as ``script`` says."""
    words = iter(script.split())
    monkeypatch.setattr(Link, "running", lambda self: next(words) == "up")
    with hold.left_as_found("ens17", None, []):
        began = clock.now
    return clock.now - began


def test_a_link_that_was_up_is_up_in_the_end(clock, state, monkeypatch):
    assert left(clock, "up " + "down " * 100 + "up", monkeypatch) == pytest.approx(2, abs=0.03)
    assert left(clock, "down", monkeypatch) == 0


def test_the_end_is_not_waited_for_without_limit(clock, state, monkeypatch):
    assert left(clock, "up " + "down " * 10000, monkeypatch) == pytest.approx(30, abs=0.03)


def test_a_port_that_is_gone_in_the_end(state, monkeypatch):
    class Gone(Link):
        def __init__(self, interface, netns=None):
            if state.exists():
                raise TrafficgenError("its state cannot be read", on=interface)
            super().__init__(interface)

    monkeypatch.setattr(hold, "Link", Gone)
    warnings = []
    with hold.left_as_found("ens17", None, warnings):
        pass
    assert warnings == ["ens17: its state cannot be read."]
