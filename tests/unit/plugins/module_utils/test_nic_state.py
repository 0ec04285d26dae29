# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _nic_note, _nic_state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._ethtool import Pause, RingSizes

# What ethtool 6.1 said of an e1000 of QEMU's after `ethtool -K tg0 tx off tso off gso off`, in part.
E1000 = """\
Features for tg0:
rx-checksumming: off
tx-checksumming: off
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: off
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: off [fixed]
generic-segmentation-offload: off
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: on
tx-vlan-offload: on [fixed]
ntuple-filters: off [fixed]
receive-hashing: off [fixed]
highdma: off [fixed]
"""
# And of a veth's after `ethtool -K v0 tx off`, in part.
VETH = """\
Features for v0:
rx-checksumming: on
tx-checksumming: off
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: off
\ttx-checksum-sctp: off
scatter-gather: on
\ttx-scatter-gather: on
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off [requested on]
\ttx-tcp-ecn-segmentation: off [requested on]
generic-segmentation-offload: on
tx-lockless: on [fixed]
"""


def test_features():
    assert _nic_state.parse_features(E1000) == {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": False,
        "tx-tcp-mangleid-segmentation": False,
        "generic-segmentation-offload": False,
        "generic-receive-offload": True,
        "rx-vlan-offload": True,
    }
    assert _nic_state.parse_features(VETH) == {
        "rx-checksumming": True,
        "tx-checksum-ip-generic": False,
        "tx-checksum-sctp": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": True,
        "tx-tcp-ecn-segmentation": True,
        "generic-segmentation-offload": True,
    }


def test_only_what_differs_is_changed():
    before = {"rx-checksumming": True, "tx-checksum-ip-generic": True, "generic-receive-offload": True, "rx-all": False, "gone": True}
    now = {"rx-checksumming": False, "tx-checksum-ip-generic": False, "generic-receive-offload": True, "rx-all": True, "new": True}
    assert _nic_state.to_change(now, before) == ["rx", "on", "tx-checksum-ip-generic", "on", "rx-all", "off"]
    assert _nic_state.to_change(before, before) == []


@pytest.fixture
def nic():
    """A veth in a network namespace: its interface and namespace."""
    name = f"tgnic{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "tga0", "type", "veth", "peer", "name", "tga1"], check=True)
        yield "tga0", name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def ethtool(nic, *words):
    done = subprocess.run(
        ["ip", "netns", "exec", nic[1], "ethtool", words[0], nic[0], *words[1:]], capture_output=True, text=True, check=True
    )
    return done.stdout


def promisc(nic, setting):
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "promisc", setting], check=True)


def link_set(nic, *words):
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], *words], check=True)


def shown(nic):
    """All that ip and ethtool say of the interface's settings."""
    link = subprocess.run(["ip", "-n", nic[1], "-o", "link", "show", "dev", nic[0]], capture_output=True, text=True, check=True).stdout
    return link, ethtool(nic, "-k")


def spoil(nic):
    """What a run, tcpreplay, netmap or a driver that was reset might do to it."""
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")
    link_set(nic, "promisc", "on", "mtu", "1280", "down")


def test_what_tcpreplay_changes_is_put_back(nic):
    ethtool(nic, "-K", "tx-sctp-segmentation", "off")
    before, shown = _nic_state.read(*nic), ethtool(nic, "-k")
    assert "tx-checksumming: on" in shown and before.promiscuous is False
    # As tcpreplay does when it is killed.
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")
    promisc(nic, "on")
    assert ethtool(nic, "-k") != shown
    assert _nic_state.put_back(before, *nic) == []
    assert ethtool(nic, "-k") == shown
    assert _nic_state.read(*nic) == before


def test_promiscuous_mode_that_was_on_stays_on(nic):
    promisc(nic, "on")
    before = _nic_state.read(*nic)
    _nic_state.put_back(before, *nic)
    assert _nic_state.read(*nic).promiscuous is True
    promisc(nic, "off")
    _nic_state.put_back(before, *nic)
    assert _nic_state.read(*nic).promiscuous is True


def test_offloads_go_off_and_tcpreplays_own_requests_change_no_more(nic):
    before = _nic_state.read(*nic)
    assert before.offloads_on and _nic_state.would_change(before, OFF)
    assert _nic_state.make(before, OFF, *nic) == []
    ours = ethtool(nic, "-k")
    for word in ("tcp-segmentation-offload", "generic-receive-offload", "rx-vlan-offload", "tx-checksumming"):
        assert f"{word}: off" in ours
    now = _nic_state.read(*nic)
    assert now.offloads_on == [] and not _nic_state.would_change(now, OFF)
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")  # the ioctls tcpreplay uses
    assert ethtool(nic, "-k") == ours
    assert _nic_state.put_back(before, *nic) == []
    assert _nic_state.read(*nic) == before


def set_qdisc(nic, *words):
    subprocess.run(["tc", "-n", nic[1], "qdisc", "replace", "dev", nic[0], "root", *words], check=True)


def test_the_qdisc_that_netmap_leaves_behind_goes(nic):
    before = _nic_state.read(*nic)
    assert before.qdisc == "noop"  # it is down
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "up"], check=True)
    before = _nic_state.read(*nic)
    assert before.qdisc == "noqueue"
    set_qdisc(nic, "pfifo")
    assert _nic_state.put_back(before, *nic) == []
    assert _nic_state.read(*nic) == before


def test_a_qdisc_of_the_users_is_named(nic):
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "up"], check=True)
    set_qdisc(nic, "tbf", "rate", "1mbit", "burst", "10kb", "latency", "10ms")
    before = _nic_state.read(*nic)
    assert _nic_state.put_back(before, *nic) == []
    assert _nic_state.read(*nic).qdisc == "tbf"
    set_qdisc(nic, "pfifo")
    promisc(nic, "on")
    assert _nic_state.put_back(before, *nic) == [
        "tga0: netmap replaced its root qdisc tbf, and now it is noqueue. Set it up again with `tc`."
    ]
    assert _nic_state.read(*nic).promiscuous is False


def test_an_interface_that_is_gone_or_another_one(nic):
    before = _nic_state.read(*nic)
    subprocess.run(["ip", "-n", nic[1], "link", "delete", nic[0]], check=True)
    [complaint] = _nic_state.put_back(before, *nic)
    assert "does not exist" in complaint and "was not put back" in complaint
    subprocess.run(["ip", "-n", nic[1], "link", "add", nic[0], "mtu", "1400", "type", "veth", "peer", "name", "tga1"], check=True)
    [complaint] = _nic_state.put_back(before, *nic)
    assert "not the interface it was before the run" in complaint
    assert _nic_state.read(*nic).mtu == 1400


def state(**given):
    """An interface of a NIC."""
    return _nic_state.NicState(
        **{
            "ifindex": 2, "driver": "ixgbe", "promiscuous": False, "qdisc": "mq", "up": True, "mtu": 1500,
            "wanted": {"generic-receive-offload": True, "rx-all": False}, "pause": Pause(True, True, True),
            "rings": RingSizes(512, 512, 4096, 4096), **given,
        }
    )  # fmt: skip


OFF = _nic_state.Settings(offloads_off=True)


@pytest.mark.parametrize(
    ("nic", "settings", "said"),
    [
        (state(), {"tx_ring_size": 4097}, "tx_ring_size 4097, ens17: its tx rings have 4096 slots at most"),
        (state(), {"rx_ring_size": 8192}, "rx_ring_size 8192, ens17: its rx rings have 4096 slots at most"),
        (state(rings=None), {"rx_ring_size": 64}, "its rings have no size that can be set"),
        (state(pause=None), {"flow_control_off": True, "flow_control_asked": True}, "ens17: it has no flow control"),
    ],
)
def test_settings_it_cannot_have_are_refused(nic, settings, said):
    with pytest.raises(TrafficgenError, match=said):
        _nic_state.check(nic, _nic_state.Settings(**settings), "ens17")
    _nic_state.check(state(), _nic_state.Settings(tx_ring_size=4096, flow_control_off=True, flow_control_asked=True), "ens17")


@pytest.mark.parametrize(
    ("nic", "settings", "changes"),
    [
        (state(), {}, False),
        (state(), {"offloads_off": True}, True),
        (state(wanted={"rx-all": True}), {"offloads_off": True}, False),
        (state(), {"flow_control_off": True}, True),
        (state(pause=Pause(True, False, False)), {"flow_control_off": True}, False),
        (state(pause=None, rings=None), {"flow_control_off": True}, False),
        (state(), {"tx_ring_size": 512}, False),
        (state(), {"tx_ring_size": 1024}, True),
    ],
)
def test_only_what_it_is_not_yet_is_made(nic, settings, changes):
    assert _nic_state.would_change(nic, _nic_state.Settings(**settings)) is changes


@pytest.fixture
def driver(monkeypatch):
    """Drivers as they are: how each takes flow control to be off."""

    class Driver:
        kind = "e1000"
        pause = Pause(True, True, True)
        asked: ClassVar = []

        def set_pause(self, pause, interface, netns):
            self.asked.append(pause)
            if self.kind == "i40e" and pause.autoneg != self.pause.autoneg:
                raise TrafficgenError("its flow control could not be set", on=interface, said="Operation not supported")
            if self.kind == "stubborn":
                return
            # ixgbe_set_pauseparam() takes a negotiation for both.
            self.pause = Pause(True, True, True) if self.kind == "ixgbe" and pause.autoneg else pause

    driver = Driver()
    driver.asked.clear()
    monkeypatch.setattr(_nic_state, "read_pause", lambda interface, netns: driver.pause)
    monkeypatch.setattr(_nic_state, "set_pause", driver.set_pause)
    return driver


@pytest.mark.parametrize(("kind", "asked"), [("e1000", 1), ("ixgbe", 1), ("i40e", 2)])
def test_flow_control_goes_off_with_every_driver(driver, kind, asked):
    driver.kind = kind
    assert _nic_state.make(state(), _nic_state.Settings(flow_control_off=True), "ens17", None) == []
    assert (driver.pause.rx, driver.pause.tx, len(driver.asked)) == (False, False, asked)


def test_flow_control_that_stays_on_is_said(driver):
    driver.kind = "stubborn"
    [note] = _nic_state.make(state(), _nic_state.Settings(flow_control_off=True), "ens17", None)
    assert "ens17: its flow control could not be turned off: it is still on" in note
    with pytest.raises(TrafficgenError, match="could not be turned off"):
        _nic_state.make(state(), _nic_state.Settings(flow_control_off=True, flow_control_asked=True), "ens17", None)


@pytest.fixture
def run_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(_nic_note, "FOLDER", str(tmp_path))
    return tmp_path


def up(nic):
    for name in (nic[0], "tga1"):
        link_set((name, nic[1]), "up")


def left_as_found(nic, warnings, **options):
    return _nic_state.left_as_found(_nic_state.read(*nic), options.pop("settings", OFF), *nic, warnings, **options)


def test_left_as_found(nic, run_folder):
    up(nic)
    before, warnings = shown(nic), []
    with pytest.raises(ZeroDivisionError), left_as_found(nic, warnings) as now:
        assert now.offloads_on == []
        [note] = run_folder.iterdir()
        assert note.stat().st_mode & 0o777 == 0o600
        spoil(nic)
        assert shown(nic) != before
        raise ZeroDivisionError
    assert shown(nic) == before
    assert warnings == [] and list(run_folder.iterdir()) == []
    assert _nic_state.recover(*nic) == []


def test_the_note_goes_where_the_interface_has_gone(nic, run_folder):
    up(nic)
    warnings = []
    with left_as_found(nic, warnings):
        assert len(list(run_folder.iterdir())) == 1
        subprocess.run(["ip", "-n", nic[1], "link", "delete", nic[0]], check=True)
    assert list(run_folder.iterdir()) == []
    assert "was not put back" in warnings[0]


def test_nothing_is_noted_where_nothing_changes(nic, run_folder):
    up(nic)
    with left_as_found(nic, [], settings=_nic_state.Settings()) as now:
        assert now.offloads_on
        assert list(run_folder.iterdir()) == []


def cut_off(nic, **options):
    """A run that changed the interface and was killed, by SIGKILL, with or without what was to put it back."""
    child = os.fork()
    if child == 0:
        with left_as_found(nic, [], changes=True, **options):
            spoil(nic)
            if options:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def _children():
    return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def test_left_as_found_after_sigkill(nic, run_folder):
    up(nic)
    before = shown(nic)
    cut_off(nic)
    until = time.monotonic() + 10
    while list(run_folder.iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    assert shown(nic) == before
    assert list(run_folder.iterdir()) == []


def test_what_was_cut_off_with_all_its_processes_is_put_right_by_the_next_run(nic, run_folder):
    up(nic)
    before = shown(nic)
    cut_off(nic, hand_on=(2,))
    assert shown(nic) != before
    assert _nic_state.recover(*nic) == [f"{nic[0]}: an earlier run was cut off; what it had changed has been put back."]
    assert shown(nic) == before
    assert list(run_folder.iterdir()) == [] and _nic_state.recover(*nic) == []


@pytest.mark.parametrize("spoiled", ["[]", "{", '{"boot_id": "another", "state": {"mtu": 1400}}', '{"boot_id": null}', ""])
def test_a_note_of_another_boot_or_none_at_all_says_nothing(nic, run_folder, spoiled):
    cut_off(nic, hand_on=(2,))
    [note] = run_folder.iterdir()
    note.write_text(spoiled)
    now = shown(nic)
    assert _nic_state.recover(*nic) == []
    assert shown(nic) == now


def test_a_note_that_a_later_version_wrote_is_left_out(nic, run_folder):
    cut_off(nic, hand_on=(2,))
    [note] = run_folder.iterdir()
    noted = json.loads(note.read_text())
    del noted["state"]["mtu"]
    note.write_text(json.dumps(noted))
    now = shown(nic)
    assert len(_nic_state.recover(*nic)) == 1
    assert shown(nic) == now and list(run_folder.iterdir()) == []


def test_a_note_that_cannot_be_written_is_said(nic, run_folder, monkeypatch):
    monkeypatch.setattr(_nic_note, "FOLDER", str(run_folder / "missing"))
    warnings = []
    with left_as_found(nic, warnings):
        pass
    assert len(warnings) == 1 and "if this run is cut off" in warnings[0]


def test_what_cannot_be_put_back_is_a_warning(nic, run_folder, monkeypatch):
    monkeypatch.setattr(_nic_state, "put_back", lambda *args: ["tga0: is gone."])
    warnings = []
    with left_as_found(nic, warnings):
        pass
    assert warnings == ["tga0: is gone."]


class Clock:
    """Time that passes only where somebody waits."""

    now = 1000.0
    word = ""

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock, and a link that is up or down as its script says, a word a look; its last one goes on."""
    clock = Clock()

    class Link:
        def __init__(self, interface, netns=None):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

        def running(self):
            clock.word = next(clock.words, clock.word)
            return clock.word == "up"

    monkeypatch.setattr(_nic_state, "Link", Link)
    monkeypatch.setattr(_nic_state, "time", clock)
    monkeypatch.setattr(_nic_state, "put_back", lambda *args: [])

    class Note:
        def __init__(self, *args):
            pass

        def write(self, state):
            return []

        def forget(self):
            pass

    monkeypatch.setattr(_nic_state, "NicNote", Note)
    return clock


@pytest.mark.parametrize(
    ("script", "changes", "seconds"),
    [
        ("up " + "down " * 100 + "up", True, 2.1),
        ("up up " + "down " * 48 + "up", True, 1.1),
        ("up down", True, 30),
        ("down", True, 0),
        ("up down", False, 0),
    ],
)
def test_a_link_that_was_up_is_up_in_the_end(clock, script, changes, seconds):
    clock.words = iter(script.split())
    with _nic_state.left_as_found(state(), _nic_state.Settings(), "ens17", None, [], changes=changes):
        began = clock.now
    assert clock.now - began == pytest.approx(seconds, abs=0.05)
