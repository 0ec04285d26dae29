# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``as_type``: a role's variable in the type that its argument spec gives it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_type
short_description: Convert a value as Ansible converts a module's option
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - A variable from C(-e name=value) or an INI inventory is a string. Ansible checks it against the role's argument
    specs, but then passes the string to the tasks, so that C(false) is true and C(a,b) is one word.
  - This filter converts it by the same rules.
  - Null stays null.
positional: _input, type
options:
  _input:
    description: The value.
    type: raw
    required: true
  type:
    description: The type, as in an argument spec.
    type: str
    required: true
    choices: [bool, int, float, list]
"""

EXAMPLES = r"""
- name: Install what was asked for
  ansible.builtin.package:
    name: "{{ lab_packages | wirespeed.trafficgen.as_type('list') }}"
  when: lab_install | wirespeed.trafficgen.as_type('bool')
"""

RETURN = r"""
_value:
  description:
    - The value in that type. For a list given as text, blanks around the words and empty words are removed.
  type: raw
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_int, check_type_list

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def _list(value: Any) -> list[Any]:
    words = check_type_list(value)
    return [word.strip() for word in words if word.strip()] if isinstance(value, str) else list(words)


_TYPES: dict[str, Callable[[Any], Any]] = {
    "bool": check_type_bool,
    "int": check_type_int,
    "float": check_type_float,
    "list": _list,
}


def as_type(value: Any, type: str) -> Any:
    """The value as one of ``bool``, ``int``, ``float`` and ``list``; None stays None."""
    if type not in _TYPES:
        raise TrafficgenError("not a type it knows", on=repr(type), remedy=f"It is one of {', '.join(_TYPES)}.")
    if value is None:
        return None
    try:
        return _TYPES[type](value)
    except (TypeError, ValueError) as error:
        raise TrafficgenError(str(error)) from None


FilterModule = filter_module(as_type)
