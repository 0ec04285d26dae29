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

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import note as _nic_note
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import settings, state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface


def test_only_what_differs_is_changed():
    before = {
        "rx-checksumming": True,
        "tx-checksum-ip-generic": True,
        "generic-receive-offload": True,
        "rx-all": False,
        "gone": True,
    }
    now = {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "generic-receive-offload": True,
        "rx-all": True,
        "new": True,
    }
    assert state.to_change(now, before) == {
        "rx-checksumming": True,
        "tx-checksum-ip-generic": True,
        "rx-all": False,
    }
    assert state.to_change(before, before) == {}


OFF = settings.Settings(offloads_off=True)


@pytest.fixture
def nic(netns):
    """A veth in a network namespace: its interface and namespace."""
    return Interface("tga0", netns)


def ethtool(nic, *words):
    done = subprocess.run(
        ["ip", "netns", "exec", nic.netns, "ethtool", words[0], nic.name, *words[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def promisc(nic, setting):
    subprocess.run(["ip", "-n", nic.netns, "link", "set", "dev", nic.name, "promisc", setting], check=True)


def link_set(nic, *words):
    subprocess.run(["ip", "-n", nic.netns, "link", "set", "dev", nic.name, *words], check=True)


def shown(nic):
    """Everything that ip and ethtool say about the interface's settings."""
    link = subprocess.run(
        ["ip", "-n", nic.netns, "-o", "link", "show", "dev", nic.name], capture_output=True, text=True, check=True
    ).stdout
    return link, ethtool(nic, "-k")


def spoil(nic):
    """What a run, tcpreplay, netmap or a driver that was reset might do to it."""
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")
    link_set(nic, "promisc", "on", "mtu", "1280", "down")


def put_back(before, nic, *, pause=False, link=False):
    return state.put_back(state.Undo(before, pause=pause, qdisc=True, link=link), nic)


def test_what_tcpreplay_changes_is_put_back(nic):
    ethtool(nic, "-K", "tx-sctp-segmentation", "off")
    before, shown = state.read(nic), ethtool(nic, "-k")
    assert "tx-checksumming: on" in shown and before.promiscuous is False
    # As tcpreplay does when it is killed.
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")
    promisc(nic, "on")
    assert ethtool(nic, "-k") != shown
    assert put_back(before, nic) == []
    assert ethtool(nic, "-k") == shown
    assert state.read(nic) == before


def test_promiscuous_mode_that_was_on_stays_on(nic):
    promisc(nic, "on")
    before = state.read(nic)
    put_back(before, nic)
    assert state.read(nic).promiscuous is True
    promisc(nic, "off")
    put_back(before, nic)
    assert state.read(nic).promiscuous is True


def test_offloads_go_off_and_tcpreplays_own_requests_change_no_more(nic):
    before = state.read(nic)
    assert before.offloads_to_turn_off and settings.would_change(before, OFF)
    warnings = []
    settings.apply(before, OFF, nic)
    ours = ethtool(nic, "-k")
    for word in ("tcp-segmentation-offload", "generic-receive-offload", "rx-vlan-offload", "tx-checksumming"):
        assert f"{word}: off" in ours
    now = settings.verify(OFF, nic, warnings.append)
    assert now.offloads_on(netmap=False) == now.offloads_to_turn_off == warnings == []
    assert not settings.would_change(now, OFF)
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")  # the ioctls tcpreplay uses
    assert ethtool(nic, "-k") == ours
    assert put_back(before, nic) == []
    assert state.read(nic) == before


def set_qdisc(nic, *words):
    subprocess.run(["tc", "-n", nic.netns, "qdisc", "replace", "dev", nic.name, "root", *words], check=True)


def test_the_qdisc_that_netmap_leaves_behind_goes(nic):
    before = state.read(nic)
    assert before.qdisc == "noop"  # it is down
    subprocess.run(["ip", "-n", nic.netns, "link", "set", "dev", nic.name, "up"], check=True)
    before = state.read(nic)
    assert before.qdisc == "noqueue"
    set_qdisc(nic, "pfifo")
    assert put_back(before, nic) == []
    assert state.read(nic) == before


def test_a_qdisc_of_the_users_is_named(nic):
    subprocess.run(["ip", "-n", nic.netns, "link", "set", "dev", nic.name, "up"], check=True)
    set_qdisc(nic, "tbf", "rate", "1mbit", "burst", "10kb", "latency", "10ms")
    before = state.read(nic)
    assert put_back(before, nic) == []
    assert state.read(nic).qdisc == "tbf"
    set_qdisc(nic, "pfifo")
    promisc(nic, "on")
    assert put_back(before, nic) == [
        "tga0: netmap replaced its root qdisc tbf, and now it is noqueue. Set it up again with `tc`."
    ]
    assert state.read(nic).promiscuous is False


def test_an_interface_that_is_gone_or_another_one(nic):
    before = state.read(nic)
    subprocess.run(["ip", "-n", nic.netns, "link", "delete", nic.name], check=True)
    [complaint] = put_back(before, nic)
    assert "no such interface" in complaint and "were not restored" in complaint
    subprocess.run(
        ["ip", "-n", nic.netns, "link", "add", nic.name, "mtu", "1400", "type", "veth", "peer", "name", "tga1"],
        check=True,
    )
    [complaint] = put_back(before, nic)
    assert "another interface than before the run" in complaint
    assert state.read(nic).mtu == 1400


def test_what_is_on_is_not_what_is_wanted(nic):
    # TSO needs the checksums.
    ethtool(nic, "-K", "tx", "off")
    now = state.read(nic)
    assert "tx-tcp-segmentation" in now.offloads_to_turn_off
    assert "tx-tcp-segmentation" not in now.offloads_on(netmap=False)
    # tcpreplay turns these off by itself.
    assert "generic-segmentation-offload" in now.offloads_on(netmap=False)
    assert "generic-segmentation-offload" not in now.offloads_on(netmap=True)


@pytest.fixture
def run_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(_nic_note, "FOLDER", str(tmp_path))
    return tmp_path


def up(nic):
    for name in (nic.name, "tga1"):
        link_set(Interface(name, nic.netns), "up")


def left_as_found(nic, warnings, **options):
    return settings.left_as_found(state.read(nic), options.pop("settings", OFF), nic, warnings.append, **options)


def test_left_as_found(nic, run_folder):
    up(nic)
    before, warnings = shown(nic), []
    with pytest.raises(ZeroDivisionError), left_as_found(nic, warnings):
        assert state.read(nic).offloads_to_turn_off == []
        [note] = run_folder.iterdir()
        assert note.stat().st_mode & 0o777 == 0o600
        spoil(nic)
        assert shown(nic) != before
        raise ZeroDivisionError
    assert shown(nic) == before
    assert warnings == [] and list(run_folder.iterdir()) == []
    assert settings.recover(nic) == []


def test_the_note_goes_where_the_interface_has_gone(nic, run_folder):
    up(nic)
    warnings = []
    with left_as_found(nic, warnings):
        assert len(list(run_folder.iterdir())) == 1
        subprocess.run(["ip", "-n", nic.netns, "link", "delete", nic.name], check=True)
    assert list(run_folder.iterdir()) == []
    assert "were not restored" in warnings[0]


def test_nothing_is_noted_where_nothing_changes(nic, run_folder):
    up(nic)
    with left_as_found(nic, [], settings=settings.Settings()):
        assert state.read(nic).offloads_to_turn_off
        assert list(run_folder.iterdir()) == []


def test_what_a_reset_changes_is_put_back(nic, run_folder):
    """With zero copy the port is reset, whatever the settings of the run are."""
    up(nic)
    before = shown(nic)
    with left_as_found(nic, [], settings=settings.Settings(), resets=True):
        assert len(list(run_folder.iterdir())) == 1
        spoil(nic)
    assert shown(nic) == before and list(run_folder.iterdir()) == []


def cut_off(nic, **options):
    """A run that changed the interface and was killed with SIGKILL, with or without its keeper."""
    child = os.fork()
    if child == 0:
        with left_as_found(nic, [], netmap=True, **options):
            spoil(nic)
            if options:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def _others_of(folder):
    """Whether a keeper still runs: a copy of this process that is no longer our child."""
    names = [str(path) for path in folder.iterdir()]
    return names and any(_is_keeper(pid) for pid in os.listdir("/proc") if pid.isdigit())


def _is_keeper(pid):
    try:
        mine = Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return Path(f"/proc/{pid}/cmdline").read_bytes() == mine and fields[1] == "1" and fields[0] != "Z"
    except OSError:
        return False


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
    cut_off(nic, pass_fds=(2,))
    assert shown(nic) != before
    assert settings.recover(nic) == [f"{nic.name}: an earlier run was cut off; its changes have been undone."]
    assert shown(nic) == before
    assert list(run_folder.iterdir()) == [] and settings.recover(nic) == []


@pytest.mark.parametrize(
    "spoiled", ["[]", "{", '{"boot_id": "another", "state": {"mtu": 1400}}', '{"boot_id": null}', ""]
)
def test_a_note_of_another_boot_or_none_at_all_says_nothing(nic, run_folder, spoiled):
    cut_off(nic, pass_fds=(2,))
    [note] = run_folder.iterdir()
    note.write_text(spoiled)
    now = shown(nic)
    assert settings.recover(nic) == []
    assert shown(nic) == now


def test_a_note_that_a_later_version_wrote_is_left_out(nic, run_folder):
    cut_off(nic, pass_fds=(2,))
    [note] = run_folder.iterdir()
    noted = json.loads(note.read_text())
    del noted["state"]["before"]["mtu"]
    note.write_text(json.dumps(noted))
    now = shown(nic)
    assert settings.recover(nic) == [
        "tga0: an earlier run was cut off, and some of its changes could not be undone.",
        "The note is from another version.",
    ]
    assert shown(nic) == now and list(run_folder.iterdir()) == []


def test_a_note_that_cannot_be_written_is_said(nic, run_folder, monkeypatch):
    monkeypatch.setattr(_nic_note, "FOLDER", str(run_folder / "missing"))
    warnings = []
    with left_as_found(nic, warnings):
        pass
    assert len(warnings) == 1 and "if this run is cut off" in warnings[0]


def test_what_cannot_be_put_back_is_a_warning(nic, run_folder, monkeypatch):
    monkeypatch.setattr(settings, "put_back", lambda *args: ["tga0: is gone."])
    warnings = []
    with left_as_found(nic, warnings):
        pass
    assert warnings == ["tga0: is gone."]
    assert list(run_folder.iterdir()) == []
    # If nobody was told, the next run tells it.
    cut_off(nic)
    until = time.monotonic() + 10
    while _others_of(run_folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert settings.recover(nic) == [
        "tga0: an earlier run was cut off, and some of its changes could not be undone.",
        "tga0: is gone.",
    ]
    assert list(run_folder.iterdir()) == []


def test_what_no_process_could_put_back_is_left_for_the_next_run(nic, run_folder, monkeypatch):
    up(nic)

    def exhausted(*args):
        raise ExhaustedError("could not be run", on="ip")

    was = settings.put_back
    monkeypatch.setattr(settings, "put_back", exhausted)
    warnings = []
    before = state.read(nic)
    with left_as_found(nic, warnings, netmap=True):
        spoil(nic)
    assert warnings == ["ip: could not be run. tga0 is not as it was before the run; the next run on it restores it."]
    assert settings.recover(nic) == ["ip: could not be run. The changes of an earlier run are not undone yet."]
    monkeypatch.setattr(settings, "put_back", was)
    assert settings.recover(nic) == ["tga0: an earlier run was cut off; its changes have been undone."]
    assert state.read(nic) == before
    assert list(run_folder.iterdir()) == []


def test_a_link_that_stays_down_is_said(nic, monkeypatch):
    monkeypatch.setattr(state, "LINK_LIMIT", 0.2)
    monkeypatch.setitem(state.wait_for_link.__kwdefaults__, "limit", 0.2)
    [complaint] = put_back(state.read(nic), nic, link=True)
    assert "its link did not come up again within 0.2 s" in complaint
