# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter tcpreplay_release, by the table of appneta/tcpreplay #810."""

from __future__ import annotations

import functools

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.filter.tcpreplay_release import FilterModule

tcpreplay_release = functools.partial(FilterModule().filters()["tcpreplay_release"], None)


@pytest.mark.parametrize(
    ("name", "usable"),
    [("4.4.2", True), ("4.4.3", True), ("4.4.4", False), ("4.5.2", False), ("4.5.3", True), ("4.2.0", None)],
)
def test_netmap_of_a_release(name, usable):
    told = tcpreplay_release(name)
    assert told["valid"] and told["netmap"]["usable"] is usable and told["netmap"]["reason"]


@pytest.mark.parametrize(
    ("name", "repaired"), [("4.3.3", False), ("4.3.4", True), ("4.4.3", True), ("4.4.4", False), ("4.5.5", False)]
)
def test_the_repair_of_a_release(name, repaired):
    assert tcpreplay_release(name)["ring_fix"] is repaired


@pytest.mark.parametrize("name", ["v4.4.2", 4.4, None, "4.4"])
def test_what_is_no_release(name):
    told = tcpreplay_release(name)
    assert not told["valid"] and told["netmap"]["usable"] is None and not told["ring_fix"]
