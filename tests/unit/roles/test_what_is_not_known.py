# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role throughput tells the receiver of marks of a trial that told nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
nativetypes = pytest.importorskip("jinja2.nativetypes")

ROLE = Path(__file__).parents[3] / "roles/throughput"


def tasks(given: Any) -> list[dict[str, Any]]:
    """The tasks of a file, those of its blocks as well."""
    return [each for one in given for each in (one, *tasks(one.get("block", [])))]


@pytest.mark.parametrize(
    ("run", "frames"),
    [
        ({"stats": {"packets": 3000}, "counters": {"tx": {"packets": 2990}}}, 2990),
        ({"stats": {"packets": 3000}, "counters": None}, 3000),
        ({"stats": {"packets": 0}, "counters": {}}, 0),
        ({"stats": None, "counters": None}, "omitted"),
        ({"failed": True, "msg": "no such interface"}, "omitted"),
    ],
)
def test_how_many_frames_left(run: dict[str, Any], frames: int | str) -> None:
    """A trial without a count is none that sent nothing, of which nothing could be lost."""
    environment = nativetypes.NativeEnvironment()
    environment.tests["integer"] = lambda value: isinstance(value, int)
    expected = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__throughput_expected"]
    every = tasks(yaml.safe_load((ROLE / "tasks/trial.yml").read_text()))
    (ask,) = [one["wirespeed.trafficgen.mark_receiver"] for one in every if one["name"].startswith("Ask what came")]
    left = environment.from_string(expected).render(__throughput_run=run)
    assert environment.from_string(ask["frames"]).render(__throughput_expected=left, omit="omitted") == frames
