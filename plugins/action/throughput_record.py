# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of throughput_record: it works on the controller, where the record is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import collection_version


class ActionModule(ActionBase):  # type: ignore[misc]
    """Add to a record of trials."""

    _requires_connection = False
    _VALID_ARGS = frozenset({"folder", "plan", "resume", "trial", "step", "broke", "sends"})

    @returns_errors
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Begin it, or add a line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "Nothing is written in check mode."}
        return {**result, "changed": True, **self._write(self._task.args)}

    def _write(self, args: Any) -> dict[str, Any]:
        path = Path(str(args["folder"])) / record.FILE
        if args.get("plan"):
            plan = {"collection_version": collection_version(), "started": time.time(), **args["plan"]}
            return self._begin(path, plan, args)
        if "broke" in args:
            record.end(path, args["broke"])
        else:
            record.append(path, {**({"step": args["step"]} if args.get("step") else {}), "trial": args["trial"]})
        return {}

    def _begin(self, path: Path, plan: dict[str, Any], args: Any) -> dict[str, Any]:
        kept = None
        if boolean(args.get("resume", False)):
            begun = record.resume(path, plan, sends=boolean(args.get("sends", True)))
        else:
            kept = record.begin(path, plan)
            begun = record.read_record(path)
        return {
            "todo": begun.todo(),
            "made": begun.made(),
            "plan": {key: value for key, value in begun.plan["plan"].items() if key != "trials"},
            "put_aside": str(kept) if kept else "",
            "steps": begun.searched(),
        }
