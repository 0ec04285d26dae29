# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The soak's checks notice a single missing frame, and memory that grows slowly."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("soak_checks", Path(__file__).parents[3] / "tests/soak/checks.py")
assert _spec and _spec.loader
checks: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(checks)

RUN = {
    "stats": {"packets": 1000, "devices": [{"successful_packets": 1000, "failed_packets": 0}]},
    "run": {"exit_status": 0},
    "counters": {
        "tx": {"packets": 1000},
        "rx": {"packets": 1000},
        "loss_packets": 0,
        "loss_ratio": 0.0,
        "verdict": "consistent",
    },
}
# Ten frames were dropped by the receiving side of the veth, before its device counted them.
DROPPED = {"tx": {"packets": 990}, "rx": {"packets": 990}, "loss_packets": 0, "loss_ratio": 0.0, "verdict": "short"}


def changed(path: str, value: object) -> dict:
    whole: dict = copy.deepcopy(RUN)
    *parents, name = path.split()
    inner = whole
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    return whole


def test_a_run_that_adds_up() -> None:
    assert checks.wrong_counts(RUN, 1000, receiver=True, paced=True) == []
    assert checks.wrong_counts(RUN, None, receiver=True, paced=False) == []
    assert checks.wrong_counts(changed("counters rx", None), 1000, receiver=False, paced=True) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("stats packets", 999),
        ("stats devices", [{"successful_packets": 999, "failed_packets": 1}]),
        ("run exit_status", 255),
        ("counters tx", None),
        ("counters tx", {"packets": 999}),
        ("counters tx", {"packets": 1001}),
        ("counters rx", None),
        ("counters rx", {"packets": 999}),
        ("counters rx", {"packets": 1001}),
        ("counters loss_packets", None),
        ("counters loss_packets", 1),
        ("counters verdict", "unknown"),
        ("counters", None),
        ("failed", True),
    ],
)
@pytest.mark.parametrize("paced", [True, False])
def test_one_frame_is_seen(path: str, value: object, paced: bool) -> None:
    assert checks.wrong_counts(changed(path, value), 1000, receiver=True, paced=paced)


def test_fewer_or_more_than_asked() -> None:
    assert checks.wrong_counts(RUN, 1001, receiver=True, paced=True)
    assert checks.wrong_counts(RUN, 1000, receiver=False, paced=True)


def test_drops_at_top_speed_only_and_only_where_the_module_says_so() -> None:
    dropped = changed("counters", DROPPED)
    assert checks.wrong_counts(dropped, 1000, receiver=True, paced=False) == []
    assert checks.wrong_counts(dropped, 1000, receiver=True, paced=True)
    assert checks.wrong_counts(
        changed("counters", {**DROPPED, "verdict": "consistent"}), 1000, receiver=True, paced=False
    )


def test_drops_are_all_that_may_be_missing() -> None:
    assert checks.missing(1000, {"packets": 990, "dropped": 10}, 990) == []
    assert checks.missing(1000, {"packets": 990, "dropped": 9}, 990)
    assert checks.missing(1000, {"packets": 1000, "dropped": 0}, 999)


def test_memory() -> None:
    # Ten minutes, a sample a second: what it takes at first does not count, 2 KiB a second afterwards does.
    flat = [(float(second), 30000.0 + 5 * min(second, 200)) for second in range(600)]
    assert checks.last_half(flat) == (0.0, 0.0)
    spread, drift = checks.last_half([(float(second), 30000.0 + 2 * second) for second in range(600)])
    assert spread == pytest.approx(598, abs=2)
    assert drift == pytest.approx(598, abs=2)
    assert drift > checks.DRIFT


def test_time_files_and_overlap() -> None:
    assert checks.quarters([1.0] * 50 + [2.0] * 100 + [3.0] * 50) == (1.0, 3.0)
    assert checks.fewest([14, 12, 14, 12, 17, 14, 12, 14]) == (12, 12)
    assert checks.fewest([12, 14, 14, 15, 16, 17, 18, 19]) == (12, 16)
    assert checks.at_once([(0.0, 3.0), (1.0, 2.0), (2.0, 4.0)]) == 2
