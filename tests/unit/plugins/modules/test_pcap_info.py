# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that the documentation of pcap_info is that of its code."""

from __future__ import annotations

from dataclasses import fields

import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import SOURCE_MACS_LIMIT, PcapSummary
from ansible_collections.wirespeed.trafficgen.plugins.modules import pcap_info


def test_options_are_as_documented():
    options = yaml.safe_load(pcap_info.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
    assert options == pcap_info.ARGUMENT_SPEC


def test_result_is_as_documented():
    documented = yaml.safe_load(pcap_info.RETURN)["pcap_info"]
    names = {field.name for field in fields(PcapSummary)}
    assert set(documented["contains"]) == names
    assert set(documented["sample"]) == names
    assert any(str(SOURCE_MACS_LIMIT) in line for line in documented["contains"]["source_macs"]["description"])
