# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all unit tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _collection_for_other_processes(monkeypatch):
    """A Python process that a test starts can import the collection. ansible-test's loader works in the test's own
    process only."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[5]), prepend=os.pathsep)


@pytest.fixture
def netns():
    """The name of a network namespace with both ends of a veth, tga0 and tga1."""
    name = f"tgtest{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "tga0", "type", "veth", "peer", "name", "tga1"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
