# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines during a run: Ansible's side of them. The module and the second connection are made up here."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import KEY, VARIABLE
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils import _replay_action
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._progress_lines import SETTING
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._replay_action import ReplayAction

REPORT = {KEY: 1, "elapsed": 40.0, "left": 40.0, "sample": {"packets": 4000, "bytes": 240_000, "seconds": 40.0}}
PATH = "/tmp/ansible/pro gress/progress"
RESULT = {"changed": True, "stats": {"packets": 1}}


class Options:
    """Something with Ansible's options."""

    def __init__(self, **options):
        self.options = options

    def get_options(self):
        return self.options

    def set_option(self, name, value):
        self.options[name] = value


class Connection(Options):
    """A connection, and what is read through it: one answer for each reading, an exception or what ``cat`` printed."""

    _load_name = transport = "ssh"
    has_native_async = supports_persistence = force_persistence = False

    def __init__(self, answers=(), **options):
        super().__init__(**options)
        self._shell = Options(admin_users=["root"])
        self._shell.tmpdir = None
        self._shell.join_path = lambda *parts: "/".join(parts)
        self._answers = iter(answers)
        self.asked, self.closed = [], threading.Event()

    def exec_command(self, command, in_data=None, sudoable=True):
        assert (in_data, sudoable) == (None, False)
        self.asked.append(command)
        answer = next(self._answers, "")
        if isinstance(answer, Exception):
            raise answer
        return 0, answer if isinstance(answer, (str, bytes)) else json.dumps(answer).encode(), b""

    def close(self):
        self.closed.set()


class Display:
    def __init__(self):
        self.lines, self.warnings, self.whys = [], [], []

    def display(self, text, stderr=False):
        assert stderr
        self.lines.append(text)

    def warning(self, text):
        self.warnings.append(text)

    def v(self, text, host=None):
        self.whys.append(text)


@pytest.fixture
def act(monkeypatch):
    """act(ANSWERS, …): an action whose module runs until all answers were read; its result is in ``result``."""
    monkeypatch.setattr(_replay_action.Pace, "__init__", quick(_replay_action.Pace.__init__))
    monkeypatch.setattr(_replay_action, "_PATIENCE", 5.0)

    def act(answers=(), *, task_vars=None, first=None, loader=None, unprivileged=False, pipelining=False, **task):
        second = Connection(answers)
        action = object.__new__(ReplayAction)
        action._connection = first or Connection(port=2222)
        action._task = SimpleNamespace(
            **{
                "check_mode": False,
                "async_val": 0,
                "no_log": False,
                "run_once": False,
                "delegate_to": None,
                "environment": None,
                "args": {},
                "_uuid": "1",
                **task,
            }
        )
        action._play_context = SimpleNamespace()
        action._templar = SimpleNamespace(template=lambda value: value)
        action._shared_loader_obj = SimpleNamespace(
            connection_loader=SimpleNamespace(get=loader or (lambda *names, **more: second))
        )
        display = Display()
        monkeypatch.setattr(ActionBase, "_display", display, raising=False)
        action._display = display
        action.ran = []

        def run_module(task_vars, wrap_async):
            action.ran.append((wrap_async, action._task.environment))
            if answers:
                until = time.monotonic() + 10
                while len(second.asked) < len(answers) and not second.closed.is_set() and time.monotonic() < until:
                    time.sleep(0.005)
                time.sleep(0.05)
            return dict(RESULT)

        def make_folder():
            action._connection._shell.tmpdir = PATH.rpartition("/")[0]

        removed = []
        monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {"skipped": True} if skip(self) else {})
        monkeypatch.setattr(action, "_execute_module", run_module, raising=False)
        monkeypatch.setattr(action, "_make_tmp_path", make_folder, raising=False)
        monkeypatch.setattr(action, "_remove_tmp_path", removed.append, raising=False)
        monkeypatch.setattr(action, "_is_pipelining_enabled", lambda *words: pipelining, raising=False)
        monkeypatch.setattr(action, "_is_become_unprivileged", lambda: unprivileged, raising=False)
        action.result = action.run(task_vars={"inventory_hostname": "gen1", SETTING: 1, **(task_vars or {})})
        action.second, action.removed = second, removed
        return action

    return act


def skip(action):
    return action._task.args.get("skip", False)


def quick(real):
    """Waits of milliseconds, not of seconds, at first."""

    def init(self, *given, **more):
        real(self, *given, **more)
        self.wait = 0.01
        self.due = lambda report: True

    return init


@pytest.mark.parametrize("environment", [None, {"LANG": "C"}, [{"LANG": "C"}]])
def test_lines_are_shown_and_nothing_of_it_stays(act, environment):
    later = {**REPORT, "elapsed": 50.0, "left": 30.0, "sample": {"packets": 6000, "bytes": 360_000, "seconds": 50.0}}
    one = act([REPORT, "no report\n", later], environment=environment)
    assert one.result == RESULT
    assert one._display.lines == [
        "sending: [gen1] => 40 s, 100 pps, 0.1 L1 Mbps, about 40 s left",
        "sending: [gen1] => 50 s, 200 pps, 0.1 L1 Mbps, about 30 s left",
    ]
    assert set(one.second.asked) == {f"cat '{PATH}'"}
    [(wrap_async, given)] = one.ran
    before = [] if environment is None else environment if isinstance(environment, list) else [environment]
    assert (wrap_async, given) == (0, [*before, {VARIABLE: PATH}])
    assert one._task.environment == (environment or [])
    assert one.second.closed.wait(5) and one.removed == [PATH.rpartition("/")[0]]
    # As the first connection is set.
    assert one.second.options == {"port": 2222} and one.second._shell.options == {"admin_users": ["root"]}
    assert (one._display.whys, one._display.warnings) == ([], [])


def test_a_delegated_task_names_both_hosts(act):
    assert act([REPORT], delegate_to="rx1")._display.lines[0].startswith("sending: [gen1 -> rx1] => ")


def test_after_three_failures_no_more_is_asked(act):
    one = act([REPORT, OSError("1"), OSError("2"), REPORT, OSError("a"), OSError("b"), OSError("c"), REPORT])
    assert one.result == RESULT and len(one.second.asked) == 7
    assert one._display.whys == ["No lines during the run: c"]
    assert len(one._display.lines) == 2


def test_no_line_when_the_run_is_over(act, monkeypatch):
    """A late reading shows nothing: its line would be below the result."""
    monkeypatch.setattr(_replay_action, "_PATIENCE", 0.01)
    going_on = threading.Event()

    class Late(bytes):
        def decode(self, *given):
            going_on.wait(10)
            return json.dumps(REPORT)

    one = act([Late()])
    going_on.set()
    assert one.second.closed.wait(5)
    assert one._display.lines == []


@pytest.mark.parametrize(
    "task",
    [
        {"check_mode": True},
        {"no_log": True},
        {"async_val": 60},
        {"task_vars": {SETTING: 0}},
        {"args": {"duration": 0.5}},
    ],
)
def test_no_line_is_wanted(act, task):
    one = act(**task)
    assert one.result == RESULT
    assert [(bool(wrap), given) for wrap, given in one.ran] == [("async_val" in task, None)] and one.second.asked == []
    assert one.removed == ([] if "async_val" in task else [None])
    assert (one._display.whys, one._display.warnings) == ([], [])


def test_a_setting_that_is_no_number_is_a_warning(act):
    one = act(task_vars={SETTING: "often"})
    assert one.result == RESULT and one.second.asked == []
    assert one._display.warnings == [
        f"{SETTING}: not a number of seconds: 'often'. There will be no lines during the run."
    ]


def kept_connection(name):
    made = Connection()
    setattr(made, name, True)
    return made


class Mitogen(Connection):
    pass


Mitogen.__module__ = "ansible_mitogen.connection"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"first": kept_connection("supports_persistence")}, "kept by another process"),
        ({"first": kept_connection("force_persistence")}, "kept by another process"),
        ({"first": Mitogen()}, "mitogen's connections"),
        ({"unprivileged": True}, "neither root nor"),
        ({"loader": lambda *names, **more: None}, "no second connection"),
    ],
)
def test_where_there_can_be_none_the_module_runs_all_the_same(act, given, why):
    one = act(**given)
    assert one.result == RESULT and one.ran == [(0, None)]
    assert len(one._display.whys) == 1 and why in one._display.whys[0]


def test_with_pipelining_the_folder_is_made_for_the_file_alone(act):
    one = act([REPORT], pipelining=True)
    assert one._display.lines and one.removed == [PATH.rpartition("/")[0]]


def test_a_task_that_is_skipped_runs_nothing(act):
    one = act(args={"skip": True})
    assert one.result == {"skipped": True} and one.ran == []
