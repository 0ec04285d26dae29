# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter tcpreplay_stats."""

from __future__ import annotations

import functools

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter.tcpreplay_stats import FilterModule
from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED

tcpreplay_stats = functools.partial(FilterModule().filters()["tcpreplay_stats"], None)


def test_a_log_as_text_or_lines():
    log = RECORDED["one_pipe.log"]
    stats = tcpreplay_stats(log)
    assert (stats["packets"], stats["pps"], stats["interrupted"]) == (1142, 1000.84, True)
    assert tcpreplay_stats(log.splitlines()) == stats


def test_what_may_be_several_runs_says_so():
    pair = "Actual: {0} packets ({0}00 bytes) sent in {1} seconds\nRated: 200000.0 Bps, 1.60 Mbps, 2000.00 pps\n"
    grepped = tcpreplay_stats(pair.format(4100, 2.05) + pair.format(9000, "4.50"))
    assert (grepped["packets"], len(grepped["samples"])) == (9000, 1)
    assert grepped["reason"].startswith("Whether this is one run and its samples, or several runs, is not known")
    assert tcpreplay_stats(pair.format(4100, 2.05))["reason"] == ""
    assert tcpreplay_stats(RECORDED["stats.stdout"])["reason"] == ""


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", "no statistics"),
        (RECORDED["no_file.stderr"], "no statistics"),
        (RECORDED["paced.stdout"] * 2, "more than one run"),
        (None, "not NoneType"),
        ({"stdout": ""}, "not dict"),
        ([1, 2], "not list"),
        (b"Actual: ", "not bytes"),
    ],
)
def test_no_log(log, message):
    with pytest.raises(AnsibleFilterError, match=f"tcpreplay_stats: .*{message}"):
        tcpreplay_stats(log)
