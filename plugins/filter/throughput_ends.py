# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_ends``: the senders of pairs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_ends
short_description: Make the list of senders of throughput_pairs
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Checks pairs, and lists each end that sends, with the variables it has as a host of the play. The role
    P(wirespeed.trafficgen.throughput#role) uses it.
positional: _input
options:
  _input:
    description: The pairs, as O(wirespeed.trafficgen.throughput#role:main:throughput_pairs).
    type: list
    elements: dict
    required: true
  direction:
    description: The direction, as O(wirespeed.trafficgen.throughput#role:main:throughput_direction).
    type: str
    choices: [forward, reverse, both]
    default: both
  names:
    description: The names of the inventory's hosts.
    type: list
    elements: str
    required: true
  variables:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  receiver:
    description: A receiver that is given as well, which is an error.
    type: dict
"""

EXAMPLES = r"""
- name: Who sends
  ansible.builtin.debug:
    msg: "{{ senders | map(attribute='name') | list }}"
  vars:
    senders: "{{ pairs | wirespeed.trafficgen.throughput_ends(names=groups.all, variables=hostvars) }}"
    pairs:
      - name: router
        a: {host: gen1, interface: ens17}
        b: {host: gen1, interface: ens18}
"""

RETURN = r"""
_value:
  description:
    - For each end that sends, its C(name), the C(host) it is on, C(end) with its C(pair) and C(direction), and its
      C(variables).
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_ends(
    pairs: Any, names: Any, variables: Any, direction: Any = "both", receiver: Any = None
) -> list[dict[str, Any]]:
    """The senders."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._pairs.ends import ends

    hosts = {str(name): variables[name] for name in (*names, "localhost")}
    return ends(pairs, direction, hosts=hosts, receiver=receiver, taken=list(names))


FilterModule = filter_module(throughput_ends, "throughput")
