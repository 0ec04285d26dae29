# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that a run makes, on NICs as their drivers show them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import settings as _nic_settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import state as _nic_state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause, RingSizes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_clock import Clock


def put_back(before, *, pause=False):
    return _nic_state.put_back(_nic_state.Undo(before, pause=pause, qdisc=True, link=False), ENS17)


def state(**given):
    """An interface of a NIC."""
    return _nic_state.NicState(
        **{
            "ifindex": 2,
            "driver": "ixgbe",
            "promiscuous": False,
            "qdisc": "mq",
            "up": True,
            "mtu": 1500,
            "on": ["generic-receive-offload"],
            "wanted": {"generic-receive-offload": True, "rx-all": False},
            "pause": Pause(True, True, True),
            "rings": RingSizes(512, 512, 4096, 4096),
            **given,
        }
    )


ENS17 = Interface("ens17")
Settings = _nic_settings.Settings
OFF = Settings(offloads_off=True)
NO_PAUSE, NO_PAUSE_ASKED = Settings(flow_control_off=True), Settings(flow_control_off=True, flow_control_asked=True)


@pytest.mark.parametrize(
    ("nic", "settings", "said"),
    [
        (state(), Settings(tx_ring_size=4097), "tx_ring_size 4097, ens17: its tx rings have 4096 slots at most"),
        (state(), Settings(rx_ring_size=8192), "rx_ring_size 8192, ens17: its rx rings have 4096 slots at most"),
        (state(rings=None), Settings(rx_ring_size=64), "the size of its rings cannot be set"),
        (state(pause=None), NO_PAUSE_ASKED, "ens17: it has no flow control"),
    ],
)
def test_settings_it_cannot_have_are_refused(nic, settings, said):
    with pytest.raises(TrafficgenError, match=said):
        _nic_settings.check_settings(nic, settings, ENS17)
    _nic_settings.check_settings(
        state(), Settings(tx_ring_size=4096, flow_control_off=True, flow_control_asked=True), ENS17
    )


@pytest.mark.parametrize(
    ("nic", "settings", "changes"),
    [
        (state(), Settings(), False),
        (state(), OFF, True),
        (state(wanted={"rx-all": True}), OFF, False),
        (state(), NO_PAUSE, True),
        (state(pause=Pause(True, False, False)), NO_PAUSE, False),
        (state(pause=None, rings=None), NO_PAUSE, False),
        (state(), Settings(tx_ring_size=512), False),
        (state(), Settings(tx_ring_size=1024), True),
    ],
)
def test_only_what_it_is_not_yet_is_made(nic, settings, changes):
    assert _nic_settings.would_change(nic, settings) is changes


@pytest.fixture
def driver(monkeypatch):
    """A NIC as its driver shows it: which flow control it accepts, and when it reports it (its ethtool file in Linux
    6.x)."""

    class Driver(Clock):
        kind = "e1000"
        asked: ClassVar = []
        shown = wanted = Pause(True, True, True)
        resets_at = 0.0

        def set_pause(self, pause, interface):
            self.asked.append(pause)
            if self.kind == "i40e" and pause.autoneg != self.wanted.autoneg:
                raise TrafficgenError(
                    "its flow control could not be set", on=interface.name, said="Operation not supported"
                )
            if self.kind == "stubborn":
                return
            if self.kind == "refuses":
                raise TrafficgenError("its flow control could not be set", on=interface.name, said="Invalid argument")
            # ixgbe_set_pauseparam() takes a negotiation for both.
            self.wanted = Pause(True, True, True) if self.kind == "ixgbe" and pause.autoneg else pause
            self.resets_at = self.now

        def read_pause(self, interface):
            # ixgbe reports what is in use, which its watchdog sets when the link is up.
            if self.kind != "ixgbe" or self.now > self.resets_at + 1.5:
                self.shown = self.wanted
            return self.shown

        def read(self, interface):
            return state(pause=self.read_pause(interface))

        def wait_for_link(self, interface):
            self.now += 1.0
            return True

    driver = Driver(now=1000.0)
    driver.asked.clear()
    for module in (_nic_state, _nic_settings):
        monkeypatch.setattr(module, "time", driver)
        monkeypatch.setattr(module, "read", driver.read)
    monkeypatch.setattr(_nic_state, "read_pause", driver.read_pause)
    monkeypatch.setattr(_nic_state, "set_pause", driver.set_pause)
    monkeypatch.setattr(_nic_state, "wait_for_link", driver.wait_for_link)
    return driver


@pytest.mark.parametrize(("kind", "asked"), [("e1000", 1), ("ixgbe", 1), ("i40e", 2)])
def test_flow_control_goes_off_and_comes_back_with_every_driver(driver, kind, asked):
    driver.kind = kind
    before, warnings = driver.wanted, []
    _nic_settings.apply(state(), NO_PAUSE_ASKED, ENS17)
    driver.wait_for_link(ENS17)
    now = _nic_settings.verify(NO_PAUSE_ASKED, ENS17, warnings.append)
    assert (now.pauses, len(driver.asked), warnings) == (False, asked, [])
    assert put_back(state(pause=before), pause=True) == []
    assert driver.wanted == driver.read_pause(ENS17) == before


def test_flow_control_is_put_back_at_once_as_well(driver):
    # ixgbe still reports the old one then.
    driver.kind = "ixgbe"
    before = driver.wanted
    _nic_settings.apply(state(), NO_PAUSE, ENS17)
    assert driver.wanted != before
    assert put_back(state(pause=before), pause=True) == []
    assert driver.wanted == before


def test_flow_control_given_back_is_only_looked_at(driver):
    before = driver.wanted
    undo = _nic_state.Undo(state(pause=before), pause=True, qdisc=False, link=True, pause_given_back=True)
    assert _nic_state.put_back(undo, ENS17) == []
    assert driver.asked == []
    driver.wanted = Pause(False, False, False)
    assert "its flow control is not what it was" in _nic_state.put_back(undo, ENS17)[0]


def test_flow_control_that_was_not_set_is_left_alone(driver):
    # With the link down, e1000 reports what it would negotiate.
    driver.wanted = Pause(True, False, False)
    assert put_back(state()) == []
    assert driver.asked == []


@pytest.mark.parametrize("kind", ["stubborn", "refuses"])
def test_flow_control_that_stays_on_is_said(driver, kind):
    driver.kind = kind
    warnings = []
    _nic_settings.apply(state(), NO_PAUSE, ENS17)
    assert _nic_settings.verify(NO_PAUSE, ENS17, warnings.append).pauses
    assert len(warnings) == 1 and "ens17: its flow control is still on" in warnings[0]
    with pytest.raises(
        TrafficgenError, match="still on" if kind == "stubborn" else "could not be set: Invalid argument"
    ):
        _nic_settings.apply(state(), NO_PAUSE_ASKED, ENS17)
        _nic_settings.verify(NO_PAUSE_ASKED, ENS17, warnings.append)
    driver.kind = "stubborn"
    [complaint] = put_back(state(pause=Pause(False, False, False)), pause=True)
    assert (
        "its flow control is not what it was" in complaint
        and "`ethtool -A ens17 autoneg off rx off tx off`" in complaint
    )


def test_offloads_that_stay_on_are_said(monkeypatch):
    monkeypatch.setattr(_nic_settings, "turn_off", lambda *args: None)
    monkeypatch.setattr(_nic_settings, "read", lambda interface: state())
    warnings = []
    _nic_settings.apply(state(), OFF, ENS17)
    _nic_settings.verify(OFF, ENS17, warnings.append)
    assert warnings == ["ens17: these offloads could not be turned off: generic-receive-offload."]
