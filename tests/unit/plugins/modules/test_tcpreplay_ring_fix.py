# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that repairs tcpreplay's sources: what it writes, and that it refuses others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import fix
from ansible_collections.wirespeed.trafficgen.plugins.modules import tcpreplay_ring_fix

SOURCES = Path(__file__).resolve().parents[3] / "sources/tcpreplay"


@pytest.fixture
def tree(tmp_path):
    return Path(shutil.copytree(SOURCES, tmp_path / "tree"))


def test_it_is_repaired_once(ask, tree):
    path = tree / "src/common/netmap.c"
    before = path.read_bytes() + b"// \xe9 of another encoding\n"
    path.write_bytes(before)
    path.chmod(0o640)
    checked = ask(tcpreplay_ring_fix, source=str(tree), _ansible_check_mode=True)
    assert (checked["changed"], path.read_bytes()) == (True, before)
    assert ask(tcpreplay_ring_fix, source=str(tree), _ansible_diff=True) == checked
    assert path.read_bytes().decode("latin-1") == fix(before.decode("latin-1"))
    assert path.stat().st_mode & 0o777 == 0o640
    assert ask(tcpreplay_ring_fix, source=str(tree))["changed"] is False


def test_other_sources_stay_as_they_are(refusal, tree):
    path = tree / "src/common/netmap.c"
    path.write_text("int nothing;\n")
    said = refusal(tcpreplay_ring_fix, source=str(tree))
    assert "netmap_tx_queues_empty() is not in it" in said and "Set tcpreplay_ring_fix: false" in said
    assert path.read_text() == "int nothing;\n"
    path.unlink()
    assert "netmap.c" in refusal(tcpreplay_ring_fix, source=str(tree))


def test_options_are_as_documented():
    options = yaml.safe_load(tcpreplay_ring_fix.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
    assert options == tcpreplay_ring_fix.ARGUMENT_SPEC
