# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_criteria``: pass or fail."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_criteria
short_description: Judge a throughput result by named criteria
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Evaluates named JMESPath expressions over a result. True passes, false fails.
  - An expression that selects nothing, or gives anything but true or false, is an error and does not pass. One that
    does not parse is refused at once.
requirements:
  - jmespath (Python library, on the controller)
positional: _input, criteria
options:
  _input:
    description: The result. Without one (V(none)), the criteria are only checked.
    type: dict
    required: true
  criteria:
    description: The criteria, each with C(name) and C(expression).
    type: list
    elements: dict
    required: true
notes:
  - The filter notices that nothing was selected if the expression is null, or a side of the comparison that decides.
    C(length(trials[?loss > `0`]) == `0`) is true even if the field's name is wrong, so also count what should be there.
seealso:
  - plugin: wirespeed.trafficgen.stats_query
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge an earlier result
  ansible.builtin.debug:
    msg: "{{ result | wirespeed.trafficgen.throughput_criteria(criteria) }}"
  vars:
    criteria:
      - name: 64-byte packets above a million a second
        expression: min(trials[?traffic.ip_size==`64`].rates.pps) > `1000000`
"""

RETURN = r"""
_value:
  description: Each criterion with C(name), C(expression), C(passed), C(error), V(none) unless there is no
    answer, and C(measured), a list of C(value), C(comparison) and C(wanted), both sides of each comparison in it.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_criteria(result: Any, criteria: Any) -> list[dict[str, Any]]:
    """The answers; without a result the criteria, checked."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.criteria import (
        check_criteria,
        judge_criteria,
    )

    return check_criteria(criteria) if result is None else judge_criteria(criteria, result)


FilterModule = filter_module(throughput_criteria)
