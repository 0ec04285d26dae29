# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_end_traffic``: what an end of a pair sends."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_end_traffic
short_description: Turn the traffic of a throughput test to what an end of a pair sends
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Fills in the MAC addresses that the streams leave out. For the end that sends in reverse, it takes C(reverse) of
    each traffic, or the other direction of its streams. The role P(wirespeed.trafficgen.throughput#role) uses it.
positional: _input
options:
  _input:
    description: The traffic, as O(wirespeed.trafficgen.throughput#role:main:throughput_traffic).
    type: list
    elements: dict
    required: true
  end:
    description: The C(end), as P(wirespeed.trafficgen.throughput_ends#filter) returns it.
    type: dict
    required: true
  mac:
    description: The MAC address of the port that sends.
    type: str
  receiver_mac:
    description: The MAC address of the port that receives.
    type: str
"""

EXAMPLES = r"""
- name: What the other end sends
  ansible.builtin.debug:
    msg: "{{ throughput_traffic | wirespeed.trafficgen.throughput_end_traffic(end=other_end) }}"
  vars:
    other_end: {pair: router, direction: reverse}
"""

RETURN = r"""
_value:
  description: The traffic of that end.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_end_traffic(traffic: Any, end: Any, mac: Any = None, receiver_mac: Any = None) -> Any:
    """The traffic of an end."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._pairs.traffic import end_traffic

    return end_traffic(traffic, end, mac or None, receiver_mac or None)


FilterModule = filter_module(throughput_end_traffic, "throughput")
