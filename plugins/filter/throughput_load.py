# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_load``: a result file, read."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_load
short_description: Read the result file of a throughput test
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Reads a result of the role P(wirespeed.trafficgen.throughput#role), and checks that it is complete and of a known
    schema version.
positional: _input, path
options:
  _input:
    description: The content of the file.
    type: str
    required: true
  path:
    description: The file's name, for messages.
    type: str
    default: the result
"""

EXAMPLES = r"""
- name: The verdicts of an earlier test
  ansible.builtin.debug:
    msg: "{{ result.trials | map(attribute='counters.verdict') }}"
  vars:
    result: "{{ lookup('ansible.builtin.file', 'result.json') | wirespeed.trafficgen.throughput_load('result.json') }}"
"""

RETURN = r"""
_value:
  description: The result.
  type: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_load(text: Any, path: str = "the result") -> dict[str, Any]:
    """The result that is in a file."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import load

    if not isinstance(text, str):
        raise TrafficgenError(f"give the file's text, not {type(text).__name__}", on=path)
    return load(text, path)


FilterModule = filter_module(throughput_load)
