# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import NETNS_FOLDER
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.lock import only_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.rtnetlink import link
from ansible_collections.wirespeed.trafficgen.plugins.modules import host_check


@pytest.fixture
def managed(lab):
    """The sender's namespace, with a default route over its interface."""
    command = f"ip -n {lab.sender} route {{}} default dev snd0"
    assert os.system(command.format("add")) == 0
    yield lab.sender
    os.system(command.format("delete"))


def test_nothing_stands_against_it(ask, lab):
    assert ask(host_check)["changed"] is False
    said = ask(host_check, interfaces=["snd0"], netns=lab.sender, folders=["/usr/lib/not-yet/there"])
    assert (said.get("failed"), said["changed"]) == (None, False)


def test_all_that_stands_against_it_is_said(refusal, managed, tmp_path):
    tmp_path.chmod(0o777)
    folders = [str(tmp_path / "a"), "/usr/lib"]
    said = refusal(host_check, interfaces=["lo", "snd0"], netns=managed, remedy="Set port.", folders=folders)
    assert said.startswith("snd0: this host is managed over it: ")
    assert f". Set port. {tmp_path}/a: " in said
    assert (
        f"{tmp_path} can be written by everybody, and what is built there runs as root." in said or "/tmp can" in said
    )
    assert "/usr/lib" not in said


def test_what_it_looked_at_is_answered(ask, lab, tmp_path):
    (tmp_path / "note").write_text("one\n")
    (tmp_path / "note").chmod(0o640)
    (tmp_path / "folder").mkdir(0o700)
    paths = [str(tmp_path / name) for name in ("note", "folder", "none", "note/below")]
    programs = {"said": ["sh", "-c", "echo $LC_ALL; echo wrong >&2; exit 3"], "none": ["no-such-program"]}
    # An empty netns is what another role's variable contains if there is none.
    asked = {"interfaces": ["lo", "nosuch0"], "netns": ""}
    said = ask(host_check, files=paths, programs=programs, root_for="test", **asked)
    assert said["files"] == {
        paths[0]: {"folder": False, "content": "one\n", "owner": "0:0", "mode": "0640"},
        paths[1]: {"folder": True, "content": None, "owner": "0:0", "mode": "0700"},
        paths[2]: None,
        paths[3]: None,
    }
    assert said["programs"]["said"] == {"rc": 3, "stdout": "C", "stderr": "wrong"}
    assert said["programs"]["none"]["rc"] is None
    assert said["missing"] == ["nosuch0"]


def test_a_port_by_its_mac_address(ask, refusal, managed):
    with open_route(managed) as route:
        address = link(route, "snd0")["address"]
    said = refusal(host_check, interfaces=[address.upper()], netns=managed)
    assert said.startswith("snd0: this host is managed over it: ")
    assert ask(host_check, interfaces=["02:ff:ff:ff:ff:ff"], netns=managed)["missing"] == ["02:ff:ff:ff:ff:ff"]


def test_who_is_not_root(refusal, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = refusal(host_check, root_for="tcpreplay", folders=["/nosuch"])
    assert said == "tcpreplay needs root. Run it with become: true (it ran as user 1000)."


def is_seen(ask, sender):
    # Others may be at work on this machine, too.
    own = f"(process {os.getpid()})"
    with only_run(Interface("snd0", sender)):
        assert own not in ask(host_check).get("msg", "")
        said = ask(host_check, idle=True)
        assert said["failed"] and said["msg"].startswith("A run is under way, or netmap is in use: ")
        assert own in said["msg"]
    assert own not in ask(host_check, idle=True).get("msg", "")


def test_a_run_that_is_under_way(ask, lab):
    inside = ["ip", "netns", "exec", lab.sender, "sh", "-c", "echo there && exec sleep 60"]
    with subprocess.Popen(inside, stdout=subprocess.PIPE) as sends:
        try:
            assert sends.stdout and sends.stdout.readline() == b"there\n"
            is_seen(ask, lab.sender)
        finally:
            sends.kill()


def test_a_run_without_a_process_in_its_namespace(ask, lab):
    # So are the runs of xdp_replay.
    is_seen(ask, lab.sender)


def test_a_file_that_is_no_namespace_is_passed_over(ask, lab):
    left = Path(NETNS_FOLDER, f"left-{os.getpid()}")
    left.touch()
    try:
        is_seen(ask, lab.sender)
    finally:
        left.unlink()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interfaces": ["--help"]}, "'--help': not a name of an interface"),
        ({"programs": {"a": "ls -l"}}, "programs: a: not the words of a command line. Give a list of texts."),
        ({"interfaces": ["lo"], "netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
    ],
)
def test_what_is_not_there(refusal, lab, parameters, message):
    assert message in refusal(host_check, **parameters)
