# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook provision refuses before anything is installed or built, which takes minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROVISION = Path(__file__).parents[3] / "playbooks" / "provision.yml"
OLD = {"name": "ice", "version": "2.6.6", "url": "https://192.0.2.1/x.zip", "checksum": f"sha256:{'0' * 64}"}


def said(given: dict[str, Any]) -> str:
    # Even if it went on, in check mode it changes nothing.
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [sys.executable, str(program), "-i", "localhost,", "-c", "local", "--check", "-e", json.dumps(given)]
    own = {"target": "localhost", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    done = subprocess.run([*argv, "-e", json.dumps(own), str(PROVISION)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tcpreplay_version": "4.5.1"}, "The netmap of tcpreplay 4.5.1 does not work"),
        ({"netmap_external_drivers": [OLD]}, "netmap has no patch for ice 2.6.6"),
    ],
)
def test_it_is_refused_before_anything_is_installed(given: dict[str, Any], says: str) -> None:
    out = said(given)
    assert says in out
    # In check mode each role says what it would do.
    assert "Would " not in out


def test_where_netmap_is_to_go_its_drivers_do_not_matter() -> None:
    out = said({"netmap_external_drivers": [OLD], "netmap_state": "absent", "tcpreplay_version": "4.5.1"})
    assert "ice 2.6.6" not in out and "The netmap of tcpreplay 4.5.1 does not work" in out
