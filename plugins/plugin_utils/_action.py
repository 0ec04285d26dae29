# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action's ``run`` whose errors are results: text, and no template."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

Run = Callable[..., dict[str, Any]]


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
