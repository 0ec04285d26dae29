# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are called here as Ansible calls them, but in this process; and they get a link between two namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings

SENDER_MAC = "02:00:00:00:00:01"


@pytest.fixture
def ask(monkeypatch, capsys):
    """ask(MODULE, PARAMETER=…): what the module answers."""

    def ask(module, **parameters):
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": parameters}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        # A module's warnings are those of its process.
        monkeypatch.setattr(warnings, "_global_warnings", type(warnings._global_warnings)())
        with pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def refusal(ask):
    """refusal(MODULE, PARAMETER=…): how it refuses what it cannot take. It never shows a traceback."""

    def refusal(module, **parameters):
        answer = ask(module, **parameters)
        assert answer.get("failed"), answer
        assert "Traceback" not in answer["msg"]
        return answer["msg"]

    return refusal


def batch(netns, *lines):
    """Lines for ip, all in one process."""
    subprocess.run(
        ["ip", *(["-n", netns] if netns else []), "-batch", "-"], input="\n".join(lines), text=True, check=True
    )


class Lab:
    """Two namespaces: snd0 in the one, rcv0 in the other, and nothing on the link but a test's own frames."""

    def __init__(self):
        self.sender, self.receiver = f"tgu{os.getpid()}-snd", f"tgu{os.getpid()}-rcv"

    def make(self):
        batch(None, f"netns add {self.sender}", f"netns add {self.receiver}")
        # No neighbour discovery. A kernel without IPv6 has no such setting.
        for netns in (self.sender, self.receiver):
            command = ["ip", "netns", "exec", netns, "sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1"]
            subprocess.run(command, capture_output=True, check=False)
        link = f"link add snd0 netns {self.sender} address {SENDER_MAC} type veth peer name rcv0 netns {self.receiver}"
        batch(None, link)
        batch(self.sender, "link set snd0 up")
        batch(self.receiver, "link set rcv0 up")

    def sent(self):
        """What the sender's kernel has counted."""
        command = ["ip", "-n", self.sender, "-j", "-s", "link", "show", "dev", "snd0"]
        [link] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return link["stats64"]["tx"]["packets"]


@pytest.fixture(scope="module")
def lab():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for program in ("ip", "nft", "ethtool", "tcpreplay"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    made = Lab()
    try:
        try:
            made.make()
        except subprocess.CalledProcessError:
            pytest.skip("this machine allows no network namespaces")
        yield made
    finally:
        for netns in (made.sender, made.receiver):
            if os.path.exists(f"/run/netns/{netns}"):
                batch(None, f"netns delete {netns}")
