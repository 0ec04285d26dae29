# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filter from a function: its errors as Ansible wants them, and its answer as data that is never a template.

A filter imports what it needs of the collection when it is called. To find one of a collection's filters, Ansible loads
them all, from their sources, in each task anew: with all that they need that took a fifth of a second a task.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from jinja2 import pass_context

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

try:
    from ansible.utils.native_jinja import NativeJinjaText
except ImportError:  # ansible-core 2.19 and later never read a text as a list, a dictionary or a boolean
    NativeJinjaText = str


def as_filter(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """The function as a filter. ``name`` begins its errors, by default the function's.

    What a filter is given was printed by a node or stood in a file, and is text whatever it looks like. Up to
    ansible-core 2.18 a text is a template wherever it is kept and read again, unless it is marked as unsafe; and the
    answer of a filter loses the marks of its input, since Ansible writes the answer out and reads it in again as a
    literal. The context of the template is what keeps them: Ansible marks all that comes of a template with an unsafe
    context.
    """

    @pass_context
    @functools.wraps(function)
    def run(context: Any, *arguments: Any, **options: Any) -> Any:
        try:
            answer = function(*arguments, **options)
        except TrafficgenError as error:
            raise AnsibleFilterError(f"{name or function.__name__}: {error.message}") from None
        if hasattr(
            context, "unsafe"
        ):  # up to ansible-core 2.18; from 2.19 on nothing is a template that the playbook has not written
            context.unsafe = True
            if isinstance(answer, str):
                answer = NativeJinjaText(answer)  # "[1, 2]" and "True" stay text
        return answer

    return run


def filter_module(function: Callable[..., Any], name: str = "") -> type:
    """The class that Ansible looks for in a filter's file, with the one filter that :func:`as_filter` makes."""
    made = {function.__name__: as_filter(function, name)}
    return type("FilterModule", (), {"filters": lambda _self: made, "__doc__": "The filter, for Ansible to find."})
