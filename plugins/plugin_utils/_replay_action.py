# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that replays, and while it runs, lines on the controller's screen that tell how far it is.

The module runs as any other does, and its result is returned as it is. It writes how far it is into a file in Ansible's
temporary folder on the managed node; a thread here reads that through a connection of its own. Whatever fails of this,
the run goes on.
"""

from __future__ import annotations

import contextlib
import contextvars
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import VARIABLE
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import ends_with_ansible, returns_errors
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._progress_lines import (
    SETTING,
    Pace,
    Sample,
    interval,
    line,
    parse,
)

# The lines go to the standard error: the other may be for a program to read, and comes late where it is no terminal.
# Ansible loads this before it forks its workers, whose standard error may be another.
try:
    _TERMINAL = sys.stderr.isatty()
except (AttributeError, ValueError):
    _TERMINAL = False
_FILE = "progress"
_FAILURES = 3  # in a row: then no more is asked, lest a host takes it for an attack
_PATIENCE = 0.5  # seconds for a reading under way when the module has ended


class ReplayAction(ActionBase):
    """What ansible.builtin.normal does, and the lines."""

    @returns_errors
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module, and return its result."""
        # Not of the class: ansible-core 2.14 sets them when it makes the object.
        self._supports_check_mode = self._supports_async = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        if result.get("skipped"):
            return result
        wrap_async = self._task.async_val and not self._connection.has_native_async
        # What is to run in the background goes on without Ansible.
        with contextlib.nullcontext() if wrap_async else ends_with_ansible(), self._lines(task_vars or {}):
            result = merge_hash(result, self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    @contextlib.contextmanager
    def _lines(self, task_vars: dict[str, Any]) -> Iterator[None]:
        """Show the lines while the block lasts, if there are to be any."""
        stop = None
        pace = self._pace(task_vars)
        if pace is not None and (why := self._one_connection_only()):
            self._without(task_vars, why)
            pace = None
        if pace is not None:
            # In Ansible's folder the module itself would lie, too; without pipelining, that is, where it must be made
            # anyway. Mitogen, which shows no lines, may not be asked for it.
            if not self._is_pipelining_enabled("new", False) and self._connection._shell.tmpdir is None:
                self._make_tmp_path()
            try:
                stop = self._start(pace, task_vars)
            except Exception as error:
                self._without(task_vars, error)
        try:
            yield
        finally:
            if stop is not None:
                stop()

    def _pace(self, task_vars: dict[str, Any]) -> Pace | None:
        """When to show a line; None for not at all."""
        if self._task.check_mode or self._task.async_val or self._task.no_log:
            return None
        try:
            asked = interval(self._templar.template(task_vars.get(SETTING)))
        except Exception as error:
            self._display.warning(f"{SETTING}: {error}. There will be no lines during the run.")
            return None
        if asked == 0:
            return None
        hosts = len(task_vars.get("ansible_play_batch") or ()) if not self._task.run_once else 1
        pace = Pace(asked, terminal=_TERMINAL, hosts=hosts or 1)
        # What is over sooner needs no second connection.
        with contextlib.suppress(TypeError, ValueError):
            if float(self._task.args.get("duration")) <= pace.interval:
                return None
        return pace

    def _start(self, pace: Pace, task_vars: dict[str, Any]) -> Callable[[], None] | None:
        """Ask the module to tell, and begin to read; returns what ends that."""
        if self._is_become_unprivileged():
            raise ValueError(
                "the user to become is neither root nor the one to log in as, and could not write for that one"
            )
        connection = self._second_connection()
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        path = self._connection._shell.join_path(self._connection._shell.tmpdir, _FILE)
        # It reaches the module whatever the user to become, shell or kind of connection is, and no result shows it.
        environment = self._task.environment or []
        self._task.environment = [*(environment if isinstance(environment, list) else [environment]), {VARIABLE: path}]
        ended, allowed = threading.Event(), threading.Lock()

        def show(display: Callable[[], None]) -> None:
            # Never when the run is over: it would stand below its result, and this process may end, which must not be
            # in the middle of writing to the queue that all workers share.
            with allowed:
                if not ended.is_set():
                    display()

        def read() -> None:
            failures, before = 0, Sample()
            while failures < _FAILURES and not ended.wait(pace.wait):
                try:
                    # Not as the user to become: it is the other's folder, and each sudo would stand in the host's log.
                    _status, printed, _errors = connection.exec_command(
                        f"cat {shlex.quote(path)}", in_data=None, sudoable=False
                    )
                    report = parse(printed.decode("utf-8", "replace") if isinstance(printed, bytes) else str(printed))
                    failures = 0
                except Exception as error:
                    failures, report = failures + 1, None
                    if failures == _FAILURES:
                        show(partial(self._without, task_vars, error))
                if report is not None and pace.due(report):
                    text = line(self._where(task_vars), report, before)
                    show(partial(self._display.display, text, stderr=True))
                    before = report.sample or before
            with contextlib.suppress(Exception):
                connection.close()

        thread = threading.Thread(target=contextvars.copy_context().run, args=(read,), name="progress", daemon=True)
        thread.start()

        def stop() -> None:
            with allowed:
                ended.set()
            self._task.environment = environment
            thread.join(_PATIENCE)

        return stop

    def _one_connection_only(self) -> str:
        """Why there can be no second connection, asked before anything is: mitogen's actions have not all that
        Ansible's have."""
        kind = type(self._connection)
        if any(one.__module__.startswith("ansible_mitogen") for one in kind.__mro__):
            return "mitogen's connections cannot be had twice"
        if self._connection.supports_persistence or self._connection.force_persistence:
            return f"a connection of the kind {self._connection.transport} is kept by another process"
        return ""

    def _second_connection(self) -> Any:
        """Another connection like the module's, so that the module's is not touched."""
        first = self._connection
        # Not by the play's own kind: from the second item of a loop on, that is not what a delegated task has.
        second = self._shared_loader_obj.connection_loader.get(
            first._load_name,
            self._play_context,
            new_stdin=None,
            task_uuid=self._task._uuid,
            ansible_playbook_pid=getattr(first, "_ansible_playbook_pid", None),
        )
        if second is None:
            raise ValueError("there is no second connection")
        for source, target in ((first, second), (first._shell, second._shell)):
            for name, value in source.get_options().items():
                target.set_option(name, value)
        return second

    def _where(self, task_vars: dict[str, Any]) -> str:
        host = str(task_vars.get("inventory_hostname", ""))
        return f"{host} -> {self._task.delegate_to}" if self._task.delegate_to else host

    def _without(self, task_vars: dict[str, Any], why: object) -> None:
        self._display.v(f"No lines during the run: {why}", host=task_vars.get("inventory_hostname"))
