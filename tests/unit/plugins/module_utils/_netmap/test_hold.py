# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import hold
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_clock import Clock

ENS17 = Interface("ens17")


class Port:
    """A port whose link goes down when netmap takes it, and a driver that sends ten frames at each sync."""

    def __init__(self, netns=None):
        self.events = []
        self.frames = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.events.append("close")

    def take(self, interface):
        self.events.append(f"take {interface}")
        return self.rings(interface)

    def rings(self, interface):
        return Rings(2, 256, 3, 128)

    def buffer_size(self):
        return 2048

    def waiting(self):
        self.frames = max(0, self.frames - 10)
        return self.frames


class Link:
    """Up or down as ``script`` says, one word for each look. The last word repeats."""

    script = "up"

    def __init__(self, interface):
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
def clock(monkeypatch):
    clock = Clock(now=1000.0)
    monkeypatch.setattr(link, "Link", Link)
    monkeypatch.setattr(link, "read_driver", lambda interface: ("ixgbe", ""))
    for module in (hold, link):
        monkeypatch.setattr(module, "time", clock)
    return clock


def wait(clock, script, monkeypatch, delay=0.0, stop=1e9):
    monkeypatch.setattr(Link, "script", script)
    began = clock.now
    clock.stop_at = began + stop
    hold.Hold(Port(), ENS17).wait_for_link(clock, delay)
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
    assert hold.Hold(port, ENS17).drain() == 0
    monkeypatch.setattr(port, "waiting", lambda: 3)
    began = clock.now
    assert hold.Hold(port, ENS17).drain() == 3
    assert clock.now - began == pytest.approx(2, abs=0.03)


def test_its_rings(monkeypatch):
    port = Port()
    monkeypatch.setattr(hold, "Port", lambda netns: port)
    assert (hold.rings_of(ENS17), port.events) == (Rings(2, 256, 3, 128), ["close"])
    assert hold.Hold(port, ENS17).rings == Rings(2, 256, 3, 128)


def test_it_is_let_go_of_however_the_block_ends(monkeypatch):
    port = Port()
    monkeypatch.setattr(hold, "Port", lambda netns: port)
    with pytest.raises(ZeroDivisionError), hold.held(Interface("ens17", "ns")):
        port.events.append("run")
        raise ZeroDivisionError
    assert port.events == ["take ens17", "run", "close"]
