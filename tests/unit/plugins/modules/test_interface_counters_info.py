# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of interface_counters_info and frame_counter, and what modules share in meta/runtime.yml."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.doc_fragments import _replay
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import delta
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter as counting
from ansible_collections.wirespeed.trafficgen.plugins.modules import frame_counter, interface_counters_info

ROOT = Path(__file__).resolve().parents[4]
RUNTIME = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def documentation(name):
    module = importlib.import_module(f"ansible_collections.wirespeed.trafficgen.plugins.modules.{name}")
    return yaml.safe_load(module.DOCUMENTATION)


def options_of(name):
    """A module's options, those of the fragment for all that replay among them."""
    documented = documentation(name)
    shared = "wirespeed.trafficgen._replay" in documented.get("extends_documentation_fragment", [])
    fragment = yaml.safe_load(_replay.ModuleDocFragment.DOCUMENTATION)["options"] if shared else {}
    return {**fragment, **documented.get("options", {})}


@pytest.mark.parametrize("module", [frame_counter, interface_counters_info])
def test_options_are_as_documented(module):
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
    assert {name: {"required": False, **option} for name, option in options.items()} == {
        name: {"required": False, **option} for name, option in module.ARGUMENT_SPEC.items()
    }


def test_what_a_verdict_needs_is_documented():
    assert set(delta._SNAPSHOT_KEYS) <= set(yaml.safe_load(interface_counters_info.RETURN))


def test_a_counter_is_documented():
    [told] = yaml.safe_load(frame_counter.RETURN).values()
    read = yaml.safe_load(interface_counters_info.RETURN)["test_frames"]
    assert set(told["sample"]) == set(read["contains"]) == set(counting.no_counts("lo", []))


@pytest.mark.parametrize("group", RUNTIME["action_groups"])
def test_a_group_has_the_modules_that_take_its_parameter(group):
    takes = [name for name in MODULES if group in options_of(name)]
    assert RUNTIME["action_groups"][group] == takes
    if group == "interface":
        assert set(takes) <= set(RUNTIME["action_groups"]["netns"])


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_which_groups_it_is_in(name):
    said = documentation(name)["attributes"].get("action_group", {}).get("membership", [])
    groups = [group for group, members in RUNTIME["action_groups"].items() if name in members]
    assert said == [f"wirespeed.trafficgen.{group}" for group in groups]


def test_an_old_name_leads_to_a_module():
    routing = RUNTIME["plugin_routing"]
    assert routing["action"] == routing["modules"]
    assert {one["redirect"].rpartition(".")[2] for one in routing["modules"].values()} <= set(MODULES)
