# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of a single trial: whether it proved something, and how much of its rate was sent."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rates import rate_sections
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.searches import (
    MET,
    MISSED,
    NO_PROOF,
    step_outcome,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import Groups, groups
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._report.pages import load


@pytest.mark.parametrize(
    ("valid", "loss_ratio", "outcome"),
    [
        (True, 0.0, MET),
        (True, 0.005, MET),  # the PDR of FD.io
        (True, 0.0051, MISSED),
        (False, 0.0, NO_PROOF),  # the generator sent too little, say
        (False, 0.2, NO_PROOF),
        (True, None, NO_PROOF),
    ],
)
def test_a_trial_that_proves_nothing_neither_met_nor_missed_the_goal(valid, loss_ratio, outcome):
    trial = {"valid": valid, "loss_ratio": loss_ratio}
    assert step_outcome(trial, {"goals": [{"loss_ratio": 0.005}]}) == outcome


def test_of_the_trials_that_missed_their_rate_the_worst_is_told():
    result = load("namespaces")
    one = groups(result)[0]
    run = one.ok[0]["run"]
    one.ok[:] = [
        {**one.ok[0], "number": number, "run": {**run, "rate_reached": reached, "capped": False}}
        for number, reached in enumerate((1.0, 0.9, 1.0, 0.8, 1.0), 1)
    ]
    words = repr(rate_sections({**result, "fleet": []}, Groups([one]), many_hosts=False))
    assert "2 of 5 trials missed the rate asked for: 80.00 % of it sent in trial 4" in words
