# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _collection_for_other_processes(monkeypatch):
    """A Python that a test starts finds the collection. ansible-test's own loader is in the test's process only."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[5]), prepend=os.pathsep)
