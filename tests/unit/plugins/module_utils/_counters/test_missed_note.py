# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.missed_note import PREFIX, MissedNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import note as notes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

LO = Interface("lo")
MACS = ["02:00:00:00:00:01", "02:00:00:00:00:03"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "FOLDER", str(tmp_path))
    return tmp_path


def test_what_the_next_run_knows(folder):
    note = MissedNote(LO)
    assert note.seconds(MACS) is None
    note.write(MACS)
    assert 0 <= note.seconds(["02:00:00:00:00:03"]) < 1
    assert note.seconds(["02:00:00:00:00:07"]) is None  # these are not counted
    assert note.seconds(None) is not None  # a MAC counts every address
    note.write(None)
    assert note.seconds(["02:00:00:00:00:07"]) is not None
    note.forget()
    assert note.seconds(MACS) is None and list(folder.iterdir()) == []


def test_the_time_counts_from_the_end_of_the_run(folder):
    note = MissedNote(LO)
    note.still_missing()
    assert list(folder.iterdir()) == []  # all had arrived
    note.write(MACS)
    (path,) = folder.iterdir()
    noted = json.loads(path.read_text())
    noted["state"]["at"] = time.monotonic() - 60.0
    path.write_text(json.dumps(noted))
    assert 60 <= note.seconds(MACS) < 61
    note.still_missing()
    assert note.seconds(MACS) < 1


@pytest.mark.parametrize("state", [{}, {"at": "now"}, {"at": None, "macs": 7}])
def test_a_note_that_is_none(folder, state):
    note = MissedNote(LO)
    note._note.write(state)
    assert note.seconds(MACS) is None


def test_old_notes_do_not_gather(folder):
    old, other = folder / f"{PREFIX}7-7.json", folder / "wirespeed.trafficgen-7-7.json"
    for path in (old, other):
        path.write_text("{}")
        os.utime(path, (time.time() - 4000,) * 2)
    MissedNote(LO).write(MACS)
    assert not old.exists() and other.exists()


def test_a_folder_it_cannot_write_to(folder, monkeypatch):
    monkeypatch.setattr(notes, "FOLDER", str(folder / "none"))
    note = MissedNote(LO)
    note.write(MACS)
    assert note.seconds(MACS) is None
