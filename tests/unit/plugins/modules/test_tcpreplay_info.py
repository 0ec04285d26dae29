# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that the documentation of tcpreplay_info is that of its code."""

from __future__ import annotations

import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import parse_version
from ansible_collections.wirespeed.trafficgen.plugins.modules import tcpreplay_info


def test_options_are_as_documented():
    options = yaml.safe_load(tcpreplay_info.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
    assert options == tcpreplay_info.ARGUMENT_SPEC


def test_results_are_documented():
    documented = yaml.safe_load(tcpreplay_info.RETURN)["tcpreplay_info"]["contains"]
    result = parse_version("tcpreplay version: 4.4.2 (build git:v4.4.2)\n").as_result()
    assert {*result, "path", "netmap"} == set(documented)
    assert set(result["build"]) == set(documented["build"]["contains"])
