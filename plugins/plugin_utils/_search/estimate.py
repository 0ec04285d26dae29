# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many trials a search takes, by making it with a simulated device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.library import controller, mlrsearch
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import SearchSettings


@dataclass(frozen=True)
class Estimate:
    """``trials``, of which ``lossy`` lose frames, and their ``seconds`` of sending."""

    trials: int
    lossy: int
    seconds: int


def estimate(settings: SearchSettings, share: float = 0.7, overload: float = 1.0) -> Estimate:
    """What the search takes on a device that does ``share`` of ``max_pps``, and of more than that the part ``overload``
    of it."""
    library = mlrsearch()
    limit = settings.max_pps * share
    made: list[tuple[int, int]] = []

    class _Device:
        def measure(self, intended_duration: float, intended_load: float) -> Any:
            duration = math.ceil(intended_duration - 1e-9)
            sent = max(1, round(intended_load * duration))
            carried = limit if intended_load <= limit else limit * overload
            loss = max(0, sent - round(carried * duration))
            made.append((duration, loss))
            return library.MeasurementResult(
                intended_duration=duration, intended_load=intended_load, offered_count=sent, loss_count=loss
            )

    search, _goal_of_it = controller(library, settings)
    search.search(measurer=_Device(), debug=lambda text: None)
    return Estimate(len(made), sum(loss > 0 for _duration, loss in made), sum(duration for duration, _loss in made))
