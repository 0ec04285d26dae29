# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's callback ``default``, with one line for each trial and host.

A playbook cannot set how Ansible shows its tasks. But Ansible looks for callbacks beside the playbook first, so there
this one takes the place of its own. Of the role throughput it shows the messages, the warnings and what fails. All
other tasks, and with ``-v`` these as well, look as ever. Whoever has set another callback keeps that.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ansible.plugins import callback

DOCUMENTATION = """
name: default
type: stdout
short_description: Ansible's default callback, with one line for each trial and host
description:
  - The same as ansible.builtin.default, but of the role wirespeed.trafficgen.throughput it shows only messages,
    warnings and failures.
  - With C(-v) it shows these tasks as well.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - a playbook of this collection
"""

_ROLE = "wirespeed.trafficgen.throughput"
# The import system knows this very file by the name of Ansible's, so Ansible's is loaded by its path.
_FILE = Path(str(callback.__file__)).with_name("default.py")
_SPEC = importlib.util.spec_from_file_location(f"{__name__}_of_ansible", _FILE)
_default = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_default)

_SAY = ("debug", "ansible.builtin.debug")


class CallbackModule(_default.CallbackModule):  # type: ignore[misc]
    """Ansible's own, without what each task of the role did."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "default"

    def v2_playbook_on_task_start(self, task: Any, is_conditional: Any) -> None:
        """A heading comes only if the task fails."""
        if not self._is_quiet(task):
            super().v2_playbook_on_task_start(task, is_conditional)
            return
        self._last_task_name = task.get_name().strip()

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """No line for a file of the role."""
        if not self._is_quiet(included_file._task):
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        """A message as a line."""
        if not self._quietly(result):
            super().v2_runner_on_ok(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """The same of a loop's item."""
        if not self._quietly(result):
            super().v2_runner_item_on_ok(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """No line for what the role had no need of."""
        if not self._is_quiet(_of(result, "task")):
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """The same of a loop's item."""
        if not self._is_quiet(_of(result, "task")):
            super().v2_runner_item_on_skipped(result)

    def _is_quiet(self, task: Any) -> bool:
        """Whether what it did is not told."""
        role = getattr(task, "_role", None)
        return self._display.verbosity == 0 and role is not None and role.get_name() == _ROLE

    def _quietly(self, result: Any) -> bool:
        """Tell a quiet task's message and warnings; whether it is one."""
        task, said = _of(result, "task"), _of(result, "result")
        if not self._is_quiet(task):
            return False
        self._handle_warnings(said)
        if task.action in _SAY and "msg" in said and "results" not in said:  # of a loop each item has told its own
            self._display.display(" ".join(str(said["msg"]).split()))
        return True


def _of(result: Any, name: str) -> Any:
    """An attribute that ansible-core 2.14 has with an underscore only, and 2.23 will have without one only."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")
