# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the role throughput has the receiver of marks listen: the module takes it, however long the trial is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import check_limits

jinja2 = pytest.importorskip("jinja2")

ROLE = Path(__file__).resolve().parents[3] / "roles/throughput/vars/main.yml"
HOUR, DAY = 3600, 86_400


def listening(duration: int, **tcpreplay: int) -> float:
    """The role's expression, for a trial of so many seconds."""
    text = yaml.safe_load(ROLE.read_text())["__throughput_listening_seconds"].strip()
    expression = jinja2.Environment(autoescape=True).compile_expression(text[2:-2], undefined_to_none=False)
    return float(
        expression(
            throughput_tcpreplay=tcpreplay,
            __throughput_item={"duration": duration},
            __throughput_settings={"pause": 1, "settle": 5, "receive_wait": 2},
        )
    )


@pytest.mark.parametrize("duration", [1, 15 * HOUR, 16 * HOUR, 3 * DAY, 60 * DAY])
def test_a_long_trial_is_listened_to(duration):
    seconds = listening(duration)
    assert seconds > 1.5 * duration
    check_limits(seconds, 2.0, 16, None)


def test_the_timeout_of_a_run_is_listened_through():
    assert listening(10, timeout=2 * DAY) > 2 * DAY
    check_limits(listening(10, timeout=2 * DAY), 2.0, 16, None)


@pytest.mark.parametrize("duration", [0, -1, 366 * DAY, float("inf"), float("nan")])
def test_it_still_ends(duration):
    with pytest.raises(TrafficgenError, match=r"duration: .* is out of range\..* at most 31536000\."):
        check_limits(duration, 2.0, 16, None)
