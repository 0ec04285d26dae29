# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook throughput shows: one line for each trial and host, and whatever fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROLE = "wirespeed.trafficgen.throughput"
SCREEN = Path(__file__).parents[3] / "playbooks" / "callback_plugins"
ROLES = SCREEN.parents[1] / "roles"

# The role's own name is what counts, so a collection of the test has a role of that name, and one of another.
TASKS = """
- name: Count
  ansible.builtin.set_fact: {number: 1}
- name: Not needed
  ansible.builtin.set_fact: {number: 2}
  when: false
- name: Changed
  ansible.builtin.debug: {msg: "gen1, trial 1/1:   16,022 pps"}
  changed_when: true  # what is tested: of a changed task, too, the screen shows the message alone
- name: Each
  ansible.builtin.debug: {msg: "item {{ item }}"}
  loop: [one, two]
- name: More
  ansible.builtin.include_tasks: more.yml
  when: more is not defined
- name: That fails
  ansible.builtin.assert: {that: number == 3, fail_msg: "it is {{ number }}"}
  when: more is not defined
"""
PLAY = """
- name: Test
  hosts: localhost
  gather_facts: false
  tasks:
    - name: A task of its own
      ansible.builtin.set_fact: {own: 1}
    - name: The role
      ansible.builtin.include_role: {name: wirespeed.trafficgen.throughput}
"""


@pytest.fixture
def play(tmp_path):
    """Runs a play with a role of that name, with the callback beside its playbook."""
    tasks = tmp_path / "ansible_collections" / "wirespeed" / "trafficgen" / "roles" / "throughput" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(TASKS)
    (tasks / "more.yml").write_text("- name: One more\n  ansible.builtin.debug: {msg: said}\n")
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "callback_plugins").symlink_to(SCREEN)
    (folder / "play.yml").write_text(PLAY)
    (tmp_path / "own.yml").write_text(PLAY)

    def run(*options, playbook=folder / "play.yml", **environment):
        program = Path(sys.executable).with_name("ansible-playbook")
        own = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "HOME": str(tmp_path), **environment}
        for name in ("ANSIBLE_CONFIG", "ANSIBLE_STDOUT_CALLBACK", "PYTHONPATH"):
            own.pop(name, None)
        ran = subprocess.run(
            [sys.executable, str(program), *options, str(playbook)],
            capture_output=True,
            text=True,
            env={**own, **environment},
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
        return ran.returncode, [line for line in ran.stdout.splitlines() if line.strip()]

    return run


def test_of_the_role_only_messages_and_failures(play):
    status, lines = play()
    assert status == 2
    of_role = lines[lines.index("ok: [localhost]") + 1 : next(i for i, line in enumerate(lines) if "RECAP" in line)]
    assert of_role[2:6] == ["gen1, trial 1/1: 16,022 pps", "item one", "item two", "said"]
    assert of_role[6].startswith("TASK [wirespeed.trafficgen.throughput : That fails]")
    assert "it is 1" in "".join(of_role[7:])
    assert not any("skipping" in line or "included" in line for line in of_role[2:])


def test_a_playbook_of_one_s_own_needs_one_setting(play, tmp_path):
    said = "gen1, trial 1/1: 16,022 pps"
    _status, lines = play(playbook=tmp_path / "own.yml")
    assert said not in lines
    text = (ROLES / "throughput" / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^callback_plugins = (.*)", text, re.MULTILINE)
    folder = "~/.ansible/collections/ansible_collections/wirespeed/trafficgen/"
    assert line.startswith(folder)
    here = line.replace(folder, f"{SCREEN.parents[1]}/")
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncallback_plugins = {here}\n")
    _status, lines = play(playbook=tmp_path / "own.yml")
    assert said in lines
    assert not any("skipping" in line for line in lines)


def test_other_tasks_as_ever(play):
    _status, lines = play()
    assert lines[1].startswith("TASK [A task of its own] ***")
    assert lines[2] == "ok: [localhost]"


@pytest.mark.parametrize("environment", [{}, {"ANSIBLE_STDOUT_CALLBACK": "minimal"}], ids=["-v", "another callback"])
def test_what_leaves_it_alone(play, environment):
    _status, lines = play(*(() if environment else ("-v",)), **environment)
    assert not any(line.startswith("gen1, trial") for line in lines)
