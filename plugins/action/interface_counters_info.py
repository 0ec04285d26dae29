# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of interface_counters_info: the module, as any other is run, and why it could not be."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors


class ActionModule(Normal):  # type: ignore[misc]
    """What ansible.builtin.normal does."""

    @returns_errors
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Run the module, unless it is called for what it did as interface_counters, up to 0.1.0."""
        if "count_from_mac" in self._task.args:
            raise TrafficgenError(
                "this module only reads",
                on="count_from_mac",
                remedy="Set the counter up before it with wirespeed.trafficgen.frame_counter (interface, netns,"
                " source_macs), and remove it at the end with state: absent.",
            )
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result
