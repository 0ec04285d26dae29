# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Program, Watch, supervise
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import progress as progresses
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress, seconds_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.listener import Listener
from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
# At 1000 packets a second, reported 0.2 s after tcpreplay's clock: it read the file first.
SAMPLE = {"packets": 5000, "bytes": 300000, "seconds": 5.0}


@pytest.mark.parametrize(
    ("to_send", "duration", "expected", "left"),
    [
        (60000, None, 1.0, 54.0),  # the rate measured, not the one asked for
        (math.inf, 20, math.inf, 14.0),
        (60000, 20, math.inf, 14.0),
        (8000, 20, math.inf, 2.0),
        (math.inf, None, 100.0, None),
        (math.nan, None, 100.0, None),
        (5500, None, 100.0, None),  # over, by the estimate
    ],
)
def test_left_by_what_was_measured(to_send, duration, expected, left):
    found = seconds_left(6.2, SAMPLE, 5.2, to_send=to_send, duration=duration, expected=expected)
    assert found == (left if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("duration", "expected", "left"),
    [(None, 60.0, 53.0), (10, 60.0, 3.0), (10, math.inf, 3.0), (None, math.inf, None), (5, 60.0, None)],
)
def test_left_before_anything_was_measured(duration, expected, left):
    assert seconds_left(7.0, None, 0.0, to_send=1000, duration=duration, expected=expected) == left


def bounds(**other):
    return {"to_send": math.inf, "duration": 60, "expected": 60.0, **other}


def test_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(progresses, "_EVERY", 0.0)
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "progress"
    before = os.umask(0o077)
    try:
        with Progress(str(path), **bounds(), padding=18.0) as progress:
            listen = Listener(progress).listen
            listen(b"")
            assert json.loads(path.read_text()) == {
                "trafficgen_progress": 1,
                "elapsed": 0.0,
                "left": 60.0,
                "sample": None,
                "padding": 18.0,
            }
            # Cut anywhere, as a pipe may do. A pair of lines counts once it is complete.
            text = RECORDED["stats.stdout"].encode()
            cut = text.index(b"Rated:") + 9
            listen(text[:cut])
            assert json.loads(path.read_text())["sample"] is None
            listen(text[cut:])
            read = json.loads(path.read_text())
            assert os.listdir(tmp_path / "folder") == ["progress"]
            # Whoever owns the folder may be another user.
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
    finally:
        os.umask(before)
    last = text.decode().rpartition("Actual: ")[2].split()
    assert read["sample"] == {"packets": int(last[0]), "bytes": int(last[2].strip("(")), "seconds": float(last[6])}
    assert os.listdir(tmp_path) == []


def test_it_is_written_once_a_second(tmp_path):
    path = tmp_path / "progress"
    with Progress(str(path), **bounds()) as progress:
        listen = Listener(progress).listen
        listen(b"")
        path.unlink()
        listen(RECORDED["stats.stdout"].encode())
        assert not path.exists()


def test_without_a_path_or_a_folder_the_run_goes_on(tmp_path):
    for path in (None, str(tmp_path / "gone" / "progress"), "/proc/progress"):
        with Progress(path, **bounds()) as progress:
            listen = Listener(progress).listen
            listen(b"")
            listen(RECORDED["stats.stdout"].encode())
    assert os.listdir(tmp_path) == []


def test_no_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").write_text("theirs")
    (tmp_path / "folder" / ".progress.new").symlink_to(tmp_path / "other")
    with Progress(str(tmp_path / "folder" / "progress"), **bounds()) as progress:
        listen = Listener(progress).listen
        listen(b"")
    assert (tmp_path / "other").read_text() == "theirs"


def test_the_folder_goes_too_where_it_is_empty(tmp_path):
    for name in ("empty", "used"):
        (tmp_path / name).mkdir()
    (tmp_path / "used" / "AnsiballZ_tcpreplay.py").touch()
    for name in ("empty", "used"):
        with Progress(str(tmp_path / name / "progress"), **bounds()) as progress:
            listen = Listener(progress).listen
            listen(b"")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "used",
        "used/AnsiballZ_tcpreplay.py",
    ]


def test_a_run_is_listened_to(tmp_path):
    path = tmp_path / "folder" / "progress"
    path.parent.mkdir()
    seen = []

    def look():
        end = time.monotonic() + 5
        while time.monotonic() < end and not (seen and seen[-1]["sample"]):
            with contextlib.suppress(FileNotFoundError):
                seen.append(json.loads(path.read_text()))
            time.sleep(0.02)

    looking = threading.Thread(target=look)
    with Watch(()) as watch, Progress(str(path), **bounds()) as progress:
        looking.start()
        argv = [str(FIXTURES / "stand_in_tcpreplay.sh"), "wait"]
        done = supervise([Program(argv, listen=Listener(progress).listen)], watch, timeout=2.5)[0]
    looking.join()
    assert "Test start" in done.stdout
    assert seen[0]["elapsed"] == 0.0
    assert seen[-1]["sample"] == {"packets": 136261, "bytes": 10628358, "seconds": 1.0}
    assert not path.exists()
