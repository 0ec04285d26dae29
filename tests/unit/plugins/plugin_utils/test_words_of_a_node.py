# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node prints is text. The target words_of_a_node shows it with each ansible-core; here, that nothing has been
left out."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import as_filter

ROOT = Path(__file__).parents[4]
PLUGINS = "ansible_collections.wirespeed.trafficgen.plugins"


def files(folder):
    return sorted(path.stem for path in (ROOT / "plugins" / folder).glob("*.py"))


def blocks(tasks):
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from blocks(task.get(part, ()))


def test_an_answer_makes_the_template_unsafe():
    context = SimpleNamespace(unsafe=False)  # as ansible-core has it up to 2.18
    assert as_filter(lambda value, more: [value, more])(context, "a", more=1) == ["a", 1]
    assert context.unsafe
    later = SimpleNamespace()
    assert as_filter(str)(later, "a") == "a"
    assert not vars(later)


def test_an_error_is_ansibles_own():
    def refuse():
        raise TrafficgenError("no such thing", on="it", remedy="Name another.")

    with pytest.raises(AnsibleFilterError, match=r"^refuse: it: no such thing\. Name another\.$"):
        as_filter(refuse)(None)
    with pytest.raises(AnsibleFilterError, match=r"^other: "):
        as_filter(refuse, "other")(None)


@pytest.mark.parametrize("name", files("filter"))
def test_each_filter_is_made_so(name):
    filters = importlib.import_module(f"{PLUGINS}.filter.{name}").FilterModule().filters()
    assert list(filters) == [name]
    assert filters[name].__code__ is as_filter(str).__code__


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TrafficgenError("{{ 1 }}", on="it"), {"failed": True, "msg": "it: {{ 1 }}."}),
        (AnsibleConnectionFailure("{{ 1 }}"), {"unreachable": True, "msg": "{{ 1 }}"}),
    ],
)
def test_what_an_action_raises_is_its_result(error, result):
    def run(self, tmp=None, task_vars=None):
        raise error

    assert returns_errors(run)(None) == result


@pytest.mark.parametrize("name", files("action"))
def test_each_action_returns_its_errors(name):
    run = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule.run
    assert run.__code__ is returns_errors(run).__code__


@pytest.mark.parametrize("path", sorted(path.relative_to(ROOT) for path in ROOT.glob("roles/*/tasks/*.yml")), ids=str)
def test_who_goes_on_without_a_host_has_an_action_of_ours(path):
    """Ansible itself leaves the reason for an unreachable host unmarked."""
    for task in blocks(yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))):
        if task.get("ignore_unreachable"):
            assert {key.removeprefix("wirespeed.trafficgen.") for key in task} & set(files("action")), task["name"]
