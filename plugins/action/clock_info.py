# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of clock_info: the clock on the controller before and after a host has told its time."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._clock import Reading, offset, read_time


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask a host for its time."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"samples"})

    @returns_errors
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The quickest of some answers."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            samples = int(self._task.args.get("samples", 8))
            if samples < 1:
                raise ValueError
        except (TypeError, ValueError):
            raise TrafficgenError(
                f"samples must be a whole number, 1 or more, not {self._task.args['samples']!r}"
            ) from None
        # The first sets the connection up.
        self._low_level_execute_command("date +%s.%N", sudoable=False)
        taken = []
        for _number in range(samples):
            before = time.time()
            answer = self._low_level_execute_command("date +%s.%N", sudoable=False)
            after = time.time()
            taken.append(Reading(before, read_time(answer["stdout"], answer["stderr"]), after))
        return {**result, "changed": False, "clock": offset(taken)}
