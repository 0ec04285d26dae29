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
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import Watch


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


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(hold, "Link", Link)
    monkeypatch.setattr(hold, "_LINK_STEP", 0.005)
    monkeypatch.setattr(hold, "_LINK_STEADY", 0.05)
    monkeypatch.setattr(hold, "LINK_LIMIT", 0.4)


def wait(script, monkeypatch, delay=0.0, signalled=None):
    monkeypatch.setattr(Link, "script", script)
    with Watch(()) as watch:
        if signalled:
            os.kill(os.getpid(), signalled)
        began = time.monotonic()
        hold.Hold(Port(), "ens17", None).wait_for_link(watch, delay)
        return time.monotonic() - began


def test_the_link_is_waited_for(monkeypatch):
    assert 0.05 + 5 * 0.005 <= wait("down down down down down up", monkeypatch) < 0.3


def test_a_link_that_seems_up_before_it_goes_down(monkeypatch):
    assert 0.05 + 0.04 <= wait("up up down down down down down down up", monkeypatch) < 0.35


def test_a_delay_is_counted_from_the_taking(monkeypatch):
    assert 0.2 <= wait("down up", monkeypatch, delay=0.2) < 0.35


@pytest.mark.parametrize(("delay", "limit"), [(0.0, 0.4), (0.6, 0.6)])
def test_a_link_that_does_not_come_up(monkeypatch, delay, limit):
    began = time.monotonic()
    with pytest.raises(TrafficgenError, match=rf"ens17: its link did not come up within {limit} s.*netmap_delay"):
        wait("up down", monkeypatch, delay=delay)
    assert limit <= time.monotonic() - began < limit + 0.3


def test_a_signal_ends_the_wait(monkeypatch):
    assert wait("down", monkeypatch, signalled=signal.SIGTERM) < 0.2


def test_the_rings_drain(monkeypatch):
    port = Port()
    port.frames = 95
    assert hold.Hold(port, "ens17", None).drain() == 0
    monkeypatch.setattr(hold, "_DRAIN_LIMIT", 0.05)
    monkeypatch.setattr(port, "waiting", lambda: 3)
    began = time.monotonic()
    assert hold.Hold(port, "ens17", None).drain() == 3
    assert time.monotonic() - began < 0.5


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
    monkeypatch.setattr(hold, "_LAST_BREATH", 0.0)
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
