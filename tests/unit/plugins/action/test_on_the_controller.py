# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that run on the controller: a host's clock, the record of trials, and the files made from it."""

from __future__ import annotations

import itertools
import json
import time
from types import SimpleNamespace

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.wirespeed.trafficgen.plugins.action import clock_info, throughput_record, throughput_report
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.record import FILE
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._throughput.test_record import (
    header,
    made,
    numbered,
)


@pytest.fixture
def act(monkeypatch):
    """act(PLUGIN, argument=…): the action's result."""
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})

    def act(plugin, *, check_mode=False, answers=None, **args):
        action = object.__new__(plugin.ActionModule)
        action._task = SimpleNamespace(args=args, check_mode=check_mode)
        if answers is not None:
            action._low_level_execute_command = lambda command, sudoable: next(answers)
        return action.run(task_vars={})

    return act


def test_a_clock(act):
    ahead = ({"stdout": f"{time.time() + 5:.9f}\n", "stderr": ""} for _answer in itertools.count())
    found = act(clock_info, answers=ahead, samples="3")
    assert found["changed"] is False and found["clock"]["samples"] == 3
    assert found["clock"]["offset_seconds"] == pytest.approx(5, abs=found["clock"]["uncertainty_seconds"] + 0.001)


@pytest.mark.parametrize("samples", [0, -1, "many", None])
def test_samples_that_are_no_number(act, samples):
    said = act(clock_info, answers=iter(()), samples=samples)
    assert said["failed"] and "samples" in said["msg"] and repr(samples) in said["msg"]


def test_a_host_that_has_no_such_clock(act):
    said = act(clock_info, answers=itertools.repeat({"stdout": "", "stderr": "date: not found"}))
    assert said["failed"] and "GNU date" in said["msg"]


@pytest.mark.parametrize("plugin", [throughput_record, throughput_report])
def test_check_mode_writes_nothing(act, tmp_path, plugin):
    assert act(plugin, check_mode=True, folder=str(tmp_path / "new"), kinds=["html"])["skipped"]
    assert not list(tmp_path.iterdir())


def test_a_record_is_begun_and_resumed(act, tmp_path):
    plan = header()
    begun = act(throughput_record, folder=str(tmp_path), plan=plan, resume=False)
    assert begun["changed"] and begun["put_aside"] == "" and begun["steps"] == []
    assert begun["made"] == 0 and begun["todo"] and "trials" not in begun["plan"]
    item = numbered(plan)[0]
    assert act(throughput_record, folder=str(tmp_path), **made(item, "gen1"))["changed"]
    assert act(throughput_record, folder=str(tmp_path), broke={"gen2": "It broke."})["changed"]
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert lines[0]["plan"]["collection_version"] and lines[-1]["broke"] == {"gen2": "It broke."}
    assert lines[1]["trial"]["host"] == "gen1" and "step" not in lines[1]
    # The same test goes on. A new one moves the old record aside.
    for resume in (True, "true"):
        found = act(throughput_record, folder=str(tmp_path), plan=plan, resume=resume)
        assert found.get("made") == 1, found
    anew = act(throughput_record, folder=str(tmp_path), plan=plan, resume=False)
    assert anew["put_aside"] and anew["made"] == 0


def test_another_test_is_not_resumed(act, tmp_path):
    act(throughput_record, folder=str(tmp_path), plan=header(), resume=False)
    said = act(throughput_record, folder=str(tmp_path), plan=header(repeats=5), resume=True)
    assert said["failed"] and said["msg"]


def test_a_report_of_no_such_kind(act, tmp_path):
    said = act(throughput_report, folder=str(tmp_path), kinds=["html", "docx"])
    assert said["failed"] and "docx" in said["msg"] and "html" in said["msg"]
    assert not list(tmp_path.iterdir())


def test_a_test_is_finished_and_reported_on(act, tmp_path):
    plan = header(hosts=("gen1",), repeats=1)
    act(throughput_record, folder=str(tmp_path), plan=plan, resume=False)
    for number, item in enumerate(numbered(plan)):
        act(throughput_record, folder=str(tmp_path), **made(item, "gen1", started=1010.0 + 20 * number))
    done = act(throughput_report, folder=str(tmp_path), kinds=["markdown"])
    assert (done["changed"], done["passed"], done["problems"]) == (True, True, [])
    assert done["trial_seconds"] == pytest.approx(10.0 * len(numbered(plan)))
    assert done["seconds"] > 0 and done["failures"] == []
    [result] = tmp_path.glob("*.json")
    (tmp_path / "more").mkdir()
    again = act(throughput_report, folder=str(tmp_path / "more"), results=[str(result)], kinds=["markdown"])
    assert again["written"] == ["report.md"] and "seconds" not in again
