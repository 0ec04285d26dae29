# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FD.io's library MLRsearch, and a search of it with our settings."""

from __future__ import annotations

import importlib.metadata
import math
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import SearchSettings


def mlrsearch() -> Any:
    """The library, if it is there and of the release that is known."""
    library = require("MLRsearch")
    needed = ("Config", "GoalResult", "MeasurementResult", "MultipleLossRatioSearch", "SearchGoal")
    if not all(hasattr(library, name) for name in needed):
        raise TrafficgenError(
            "the Python library MLRsearch is not release 1.2, which the search needs",
            on=version(),
            remedy="Install it where ansible-core is: `pip install 'MLRsearch>=1.2,<2'`.",
        )
    return library


def version() -> str:
    """Its name and release, for results and errors."""
    try:
        return f"MLRsearch {importlib.metadata.version('MLRsearch')}"
    except importlib.metadata.PackageNotFoundError:
        return "MLRsearch"


def controller(library: Any, settings: SearchSettings) -> tuple[Any, Any]:
    """The library's search and its one goal."""
    goal = settings.goal
    # Without intermediate targets each trial has full length: the plain search.
    preceding = 0 if goal.initial_duration == goal.duration_sum else 2
    wanted = library.SearchGoal(
        loss_ratio=goal.loss_ratio,
        exceed_ratio=goal.exceed_ratio,
        relative_width=goal.width,
        initial_trial_duration=goal.initial_duration,
        final_trial_duration=goal.final_duration,
        duration_sum=goal.duration_sum,
        preceding_targets=preceding,
        expansion_coefficient=2,
        fail_fast=False,  # min_pps being too fast is an answer
    )
    config = library.Config(
        goals=[wanted],
        min_load=settings.min_pps,
        max_load=settings.max_pps,
        search_duration_max=math.inf,  # do not read the clock
        warmup_duration=None,
    )
    return library.MultipleLossRatioSearch(config=config), wanted
