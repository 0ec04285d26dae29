# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of throughput_report: it works on the controller, where the results are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import files


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write what is made of results."""

    _requires_connection = False
    _VALID_ARGS = frozenset({"results", "folder", "kinds"})

    @returns_errors
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Finish a test, or report on results."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "Nothing is written in check mode."}
        args = self._task.args
        kinds = [str(kind) for kind in args.get("kinds") or ()]
        unknown = [kind for kind in kinds if kind not in files.REPORTS]
        if unknown:
            raise TrafficgenError(
                f"there is no {', '.join(unknown)}", on="kinds", remedy=f"There are {', '.join(files.REPORTS)}."
            )
        folder = Path(str(args["folder"]))
        if args.get("results"):
            done = files.report([str(place) for place in args["results"]], folder, kinds)
            return {**result, "changed": True, "written": done["written"], "problems": done["problems"]}
        done = files.finish(folder, kinds)
        of = done["result"]
        return {
            **result,
            "changed": True,
            "written": done["written"],
            "problems": done["problems"],
            "seconds": round(of["ended"] - of["started"], 1),
            **{key: of[key] for key in ("trial_seconds", "notes", "failures", "passed")},
        }
