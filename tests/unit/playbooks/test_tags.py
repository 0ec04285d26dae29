# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tags of the playbook provision leave to do, by Ansible's own list. What the tags of the role throughput do
is in molecule's scenario."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROVISION = Path(__file__).parents[3] / "playbooks" / "provision.yml"
CHECK, LOAD = "Check what is to be done", "Load the netmap that was built"


def left(*options: str) -> list[str]:
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [sys.executable, str(program), "-i", "localhost,", "--list-tasks", *options, str(PROVISION)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^ {6}(.*)\tTAGS: ", said, re.MULTILINE)


def test_load_builds_nothing():
    assert left("--tags", "load") == [CHECK, LOAD]


@pytest.mark.parametrize("role", ["dev_tools", "netmap", "scapy"])
def test_a_role_s_name_is_that_role_alone(role):
    first, *others = left("--tags", role)
    assert first == CHECK
    assert len(others) == 1


def test_build_is_all_but_the_undoing():
    whole, built = left(), left("--tags", "build")
    assert LOAD not in whole  # the role netmap loads it
    assert [task for task in whole if task not in built] == ["Check that no run is in progress", "Undo each role"]
