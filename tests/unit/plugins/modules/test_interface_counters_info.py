# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import delta
from ansible_collections.wirespeed.trafficgen.plugins.modules import interface_counters as module


def test_options_are_as_documented():
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
        option.pop("version_added", None)
    assert options == module.ARGUMENT_SPEC


def test_what_a_verdict_needs_is_documented():
    assert set(delta._SNAPSHOT_KEYS) <= set(yaml.safe_load(module.RETURN))
