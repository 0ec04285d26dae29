# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``stats_query``: JMESPath over results."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stats_query
short_description: Query results with a JMESPath expression
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Evaluates a JMESPath expression over one result of M(wirespeed.trafficgen.tcpreplay), a list of them, or any other
    data.
requirements:
  - jmespath (Python library, on the controller)
positional: _input, expression
options:
  _input:
    description: The data to query.
    type: raw
    required: true
  expression:
    description: The expression, see U(https://jmespath.org/specification.html).
    type: str
    required: true
seealso:
  - plugin: wirespeed.trafficgen.tcpreplay_stats
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The fastest run
  ansible.builtin.debug:
    msg: "{{ results | wirespeed.trafficgen.stats_query('max_by(@, &rates.pps).run.command') }}"

- name: Rate and loss of the runs that can be trusted
  ansible.builtin.debug:
    msg: "{{ results | wirespeed.trafficgen.stats_query(wanted) }}"
  vars:
    wanted: "[?counters.verdict == 'consistent'].{pps: rates.pps, loss: counters.loss_ratio}"
"""

RETURN = r"""
_value:
  description: The expression's value. Null if it selects nothing.
  type: raw
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def stats_query(data: Any, expression: str) -> Any:
    """What the expression gives over the data."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.criteria import query

    return query(expression, data)


FilterModule = filter_module(stats_query)
