# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a line of JSON for each run of tcpreplay: the host, when the task or the item before began, when this one
ended, the result."""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: soak_results
type: aggregate
short_description: Writes the runs of tcpreplay to a file
description: Writes a line of JSON for each run to the file that the environment variable SOAK_RESULTS names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "soak_results"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._began = {}

    def v2_runner_on_start(self, host, task):
        self._began[host.get_name()] = time.time()

    def _write(self, result):
        if not result._task.action.endswith(".tcpreplay") or "results" in result._result:
            return
        host, now = result._host.get_name(), time.time()
        with open(os.environ["SOAK_RESULTS"], "a", encoding="utf-8") as file:
            print(json.dumps([host, self._began[host], now, result._result], default=str), file=file)
        self._began[host] = now

    v2_runner_on_ok = v2_runner_item_on_ok = v2_runner_item_on_failed = _write

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result)
