# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface: waiting for its link, its names, and what happens to it while a run sends."""

from __future__ import annotations

import subprocess
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import link as links
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_clock import Clock


@pytest.mark.parametrize(
    ("script", "driver", "seconds"),
    [
        ("down " * 100 + "up", "ixgbe", 2.1),
        ("up up " + "down " * 48 + "up", "ixgbe", 1.1),
        ("up " * 75 + "down " * 25 + "up", "ice_netmap", 4.0),
        ("up " * 75 + "down " * 25 + "up", "i40e", 4.0),
        ("up down", "ixgbe", None),
    ],
)
def test_a_link_is_waited_for(monkeypatch, script, driver, seconds):
    clock, words = Clock(now=1000.0), iter(script.split())

    class Link:
        word = ""

        def __init__(self, interface):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

        def running(self):
            self.word = next(words, self.word)
            return self.word == "up"

    monkeypatch.setattr(links, "Link", Link)
    monkeypatch.setattr(links, "time", clock)
    monkeypatch.setattr(links, "read_driver", lambda interface: (driver, ""))
    assert links.wait_for_link(Interface("ens17")) is (seconds is not None)
    assert clock.now - 1000 == pytest.approx(seconds or 30, abs=0.05)


def test_a_link_that_is_not_there():
    with pytest.raises(TrafficgenError, match="nosuchif0: its state cannot be read: "):
        links.Link(Interface("nosuchif0"))


@pytest.mark.parametrize("name", ["", "-s", "a b", "a/b", "../x", "x" * 200, "*", "a\0b", "a\x1bb", "--help", "a\nb"])
def test_what_is_no_name_of_an_interface_is_not_asked_for(monkeypatch, name):
    monkeypatch.setattr(links, "open_route", lambda netns: pytest.fail("it was asked for"))
    with pytest.raises(TrafficgenError, match="not a name of an interface"):
        links.read_link(Interface(name))


def test_no_such_interface_names_the_near_ones(netns):
    said = rf"tag0: no such interface in network namespace {netns}\. Did you mean tga0 or tga1\? Also there: lo\."
    with pytest.raises(TrafficgenError, match=said):
        links.read_link(Interface("tag0", netns))
    with pytest.raises(TrafficgenError, match=r"no such interface in network namespace .* There: lo, tga0, tga1\."):
        links.read_link(Interface("a-name-that-only-an-alternative-one-can-have", netns))
    assert links.interfaces_of(netns) == ["tga1", "tga0"] or links.interfaces_of(netns) == ["tga0", "tga1"]


def test_an_alternative_name(netns):
    name = "a-name-that-only-an-alternative-one-can-have"
    subprocess.run(["ip", "-n", netns, "link", "property", "add", "dev", "tga0", "altname", name], check=True)
    assert links.read_link(Interface(name, netns))["ifname"] == "tga0"


def test_a_link_in_a_network_namespace(netns):
    def set_link(*words):
        subprocess.run(["ip", "-n", netns, "link", *words], check=True)

    with links.Link(Interface("tga0", netns)) as link:
        assert not link.running()
        set_link("set", "tga0", "up")
        assert not link.running()
        set_link("set", "tga1", "up")
        until = time.monotonic() + 10  # the kernel reports a carrier up to a second late
        while not link.running():
            assert time.monotonic() < until
            time.sleep(0.01)
        # A lost carrier counts at once, every time.
        for _value in range(3):
            set_link("set", "tga1", "down")
            assert not link.running()
            assert link.trouble() == ""
            set_link("set", "tga1", "up")
        set_link("set", "tga0", "down")
        assert link.trouble() == "set down"
        set_link("delete", "tga0")
        assert link.trouble() == "gone from its namespace"
        with pytest.raises(TrafficgenError, match="tga0: its state cannot be read: No such device"):
            link.running()
