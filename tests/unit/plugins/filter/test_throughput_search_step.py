# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter throughput_search_step. The search itself is tested with plugin_utils."""

from __future__ import annotations

import functools
import inspect
import sys

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter import throughput_search_step as module
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings

throughput_search_step = functools.partial(module.FilterModule().filters()["throughput_search_step"], None)


def test_first_step():
    pytest.importorskip("MLRsearch")
    tree = throughput_search_step([], "ndr", wire_frame_size=64, link_speed_mbps=10000)
    # RFC 5180, appendix A.2.
    assert round(tree["next"].pop("pps")) == 14880952
    assert tree == {"done": False, "next": {"duration": 1, "number": 1}, "measured": [], "result": None}


def test_numbers_as_strings():
    """As templates without native types return them."""
    pytest.importorskip("MLRsearch")
    trial = {
        "asked_pps": "2000",
        "duration": "60",
        "sent": "120000",
        "lost": "0",
        "seconds": "60.0",
        "verdict": "consistent",
    }
    tree = throughput_search_step([trial], "rfc2544", max_pps="2000", wire_frame_size="64.0")
    assert (tree["done"], tree["result"]["status"], tree["result"]["found"]["lower_pps"]) == (True, "found", 2000)


def test_errors():
    with pytest.raises(AnsibleFilterError, match="throughput_search_step: 'fastest': not a search"):
        throughput_search_step([], "fastest", max_pps=1000)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "MLRsearch", None)
    with pytest.raises(AnsibleFilterError, match="pip install MLRsearch"):
        throughput_search_step([], "ndr", max_pps=1000)


def test_every_parameter_is_documented():
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    search, *others = inspect.signature(check_settings).parameters
    assert list(documented) == ["_input", search, "hosts", "traffic", *others]
