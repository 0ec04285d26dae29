# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_host``: what a generator is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_host
short_description: Describe a generator for a throughput result
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Builds a host's entry in a throughput result from facts, modules' results and the output of C(tuned-adm).
positional: _input
options:
  _input:
    description:
      - C(facts), C(link) (M(wirespeed.trafficgen.interface_counters_info)), C(tcpreplay)
        (M(wirespeed.trafficgen.tcpreplay_info)), C(netmap) (M(wirespeed.trafficgen.netmap_info)), C(netns),
        C(link_speed_mbps), C(cpu_list), C(clock), C(receiver); C(end), the end of a pair; C(xdp), the registered result
        of M(wirespeed.trafficgen.xdp_info); and C(tuned), the output of C(tuned-adm active).
    type: dict
    required: true
  asked:
    description: The requested traffic.
    type: list
    elements: dict
    required: true
  made:
    description: The registered result of M(wirespeed.trafficgen.pcap) for each traffic, skipped or not.
    type: list
    elements: dict
    required: true
  looked:
    description: The registered result of M(wirespeed.trafficgen.pcap_info) for each traffic, skipped or not.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: What the host is
  ansible.builtin.debug:
    msg: "{{ found | wirespeed.trafficgen.throughput_host(asked=[], made=[], looked=[]) }}"
"""

RETURN = r"""
_value:
  description: C(host) as in the result file, C(traffic) with its sizes, and C(methods) with whether each can be used.
  type: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_host(material: Any, asked: Any, made: Any, looked: Any) -> dict[str, Any]:
    """What the host is, and the traffic on it."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.host import (
        describe_traffic,
        host,
        methods_of,
    )
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import check_traffic

    found = [
        {**(one.get("pcap") or {}), **_without_nulls(other.get("pcap_info") or {})} for one, other in zip(made, looked)
    ]
    pairs = zip(check_traffic(asked), found)
    looked_at = {key: material[key] for key in ("tcpreplay", "netmap")}
    xdp = material.get("xdp")
    described = host(**{key: value for key, value in material.items() if key != "xdp"})
    largest = max((int(size) for one in found for size in one["sizes"]), default=0)
    return {
        "host": described,
        "link_speed_mbps": described["interface"]["link_speed_mbps"],
        "methods": methods_of(**looked_at, xdp=xdp, largest=largest),
        "traffic": [describe_traffic(one, each, each["path"]) for one, each in pairs],
    }


def _without_nulls(found: dict[str, Any]) -> dict[str, Any]:
    # Flows are not counted again where pcap has told how many there are.
    return {key: value for key, value in found.items() if value is not None}


FilterModule = filter_module(throughput_host, "throughput")
