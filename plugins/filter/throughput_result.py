# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_result``: put together."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_result
short_description: Put the result of a throughput test together
version_added: 0.2.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Makes of what the role P(wirespeed.trafficgen.throughput#role) gathered the result, schema version 1, with the totals over the
    fleet, the answers of the criteria, and what makes the play fail.
positional: _input
options:
  _input:
    description:
      - C(name), C(collection_version), C(ansible_version), C(started), C(ended), C(settings), C(traffic), C(hosts), C(plan), C(criteria).
    type: dict
    required: true
seealso:
  - plugin: wirespeed.trafficgen.throughput_load
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Whether all went well
  ansible.builtin.debug:
    msg: "{{ (gathered | wirespeed.trafficgen.throughput_result).passed }}"
"""

RETURN = r"""
_value:
  description: The result.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import as_filter
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput_result import assemble


def throughput_result(material: Any) -> dict[str, Any]:
    """The result."""
    return assemble(material)


class FilterModule:
    """The filter, for Ansible to find."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"throughput_result": as_filter(throughput_result, "throughput")}
