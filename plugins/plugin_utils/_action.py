# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our actions have in common: errors are results, and a worker ends with Ansible."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

Run = Callable[..., dict[str, Any]]
_LOOK = 1.0  # seconds from one look at Ansible's main process to the next


def returns_errors(run: Run) -> Run:
    """The ``run`` of an action, which returns what Ansible's own actions raise: that it failed, or that the host is
    unreachable, and why.

    Up to ansible-core 2.18 what is returned is marked as unsafe, and what is raised is not: whoever registered or
    rescued it had the words of a node in it, as a banner that SSH printed, evaluated as a template.
    """

    @functools.wraps(run)
    def returns(self: Any, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return run(self, tmp, task_vars)
        except TrafficgenError as error:
            return {"failed": True, "msg": error.message}
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": to_text(error)}

    return returns


@contextlib.contextmanager
def ends_with_ansible() -> Iterator[None]:
    """Kill this worker if Ansible's main process is gone: before the block, or within a second while it lasts.

    A main process that is killed (``kill -9``, out of memory) leaves its workers behind: they wait for their modules,
    and a module that has a reader goes on. Without the worker the connection closes, and the module notices that.
    """
    main = multiprocessing.parent_process()
    ended = threading.Event()

    def look(pid: int | None) -> None:
        if os.getppid() != pid:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(pid: int | None) -> None:
        while not ended.wait(_LOOK):
            look(pid)

    if main is not None:
        look(main.pid)  # of a loop, an item may begin when it has long been gone
        threading.Thread(target=watch, args=(main.pid,), name="ends_with_ansible", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
