# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_plan``: the trials of a matrix."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_plan
short_description: Make the list of trials of a throughput test
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Makes the trials of a test from traffic, injection methods, rates and repeats, in this order, and estimates the time
    they take. The role P(wirespeed.trafficgen.throughput#role) uses it.
  - Invalid values are an error, and so is an empty list.
positional: _input
options:
  _input:
    description: The traffic, as O(wirespeed.trafficgen.throughput#role:main:throughput_traffic).
    type: list
    elements: dict
    required: true
  rates:
    description: The rates of traffic without its own, each a dictionary with one key.
    type: list
    elements: dict
  methods:
    description: The injection methods. By default V(auto), and V(af_xdp) and V(netmap) on the hosts that can use them.
      One that is named and that a host cannot use is an error.
    type: list
    elements: str
  workers:
    description: How many workers send together, by injection method, as
      O(wirespeed.trafficgen.throughput#role:main:throughput_workers).
    type: dict
  without:
    description: Parameters of M(wirespeed.trafficgen.tcpreplay) that were given and that
      M(wirespeed.trafficgen.xdp_replay) does not have. If V(af_xdp) is tested, C(notes) names them.
    type: list
    elements: str
    default: []
  repeats:
    description: How often to repeat each trial.
    type: int
    default: 3
  duration:
    description: Seconds for each trial.
    type: int
    default: 10
  warmup:
    description: Seconds of a warm-up before the trials of one kind.
    type: int
    default: 0
  pause:
    description: Seconds between two trials.
    type: float
    default: 0
  margin:
    description: Seconds until the common start of several hosts.
    type: float
    default: 0
  search:
    description: A search instead of the rates.
    type: str
    choices: [ndr, pdr, rfc2544]
  search_options:
    description: The settings of the search.
    type: dict
  search_over:
    description: V(each) searches on every host, V(all) on all of them with one load.
    type: str
    choices: [each, all]
    default: each
  strict:
    description: Whether a rate above a host's line is an error.
    type: bool
    default: false
  hosts:
    description: For each host by name, the C(methods), C(link_speed_mbps) and C(traffic) that were found.
    type: dict
  infos:
    description: For each host by name, the C(tcpreplay), C(netmap) and C(xdp) that were found, as
      P(wirespeed.trafficgen.throughput_host#filter) has them, where the port and the traffic are not known yet.
    type: dict
  looked:
    description: The seconds that the role needed to look at the hosts, by which a trial's own overhead is estimated.
    type: float
  prepared:
    description: The seconds from the role's begin to the first trial, if they have passed.
    type: float
  receive_wait:
    description: For how many seconds frames that are missing are waited for. 0 where nobody counts what arrives.
    type: float
    default: 0
  settle:
    description: The seconds before the next trial if frames were missing. 0 where nobody counts what arrives.
    type: float
    default: 0
  probed:
    description: Whether a trial before all others sees that the ends of pairs reach each other.
    type: bool
    default: false
  libraries:
    description: Python libraries that the controller must have.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: How long will it take
  ansible.builtin.debug:
    msg: "{{ (traffic | wirespeed.trafficgen.throughput_plan(rates=[{'topspeed': true}], repeats=5)).seconds }} s"
  vars:
    traffic:
      - name: tcp_port_scan_64
        pcap: /var/lib/trafficgen/tcp_port_scan_64.pcap
"""

RETURN = r"""
_value:
  description:
    - C(trials), each with C(number), C(warmup), C(traffic), C(injection_method), C(rate), C(repeat), C(duration),
      C(hosts); C(searches); C(notes), sentences on what was left out; C(count), how many trials there are;
      C(seconds), how long all takes if no frame is lost, C(most_seconds), if each trial loses some, and both in words,
      C(time). Of a search, on a steady device, and on one that carries half of its limit under overload, and in words
      from the fewest trials to the most; none without C(hosts).
  type: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_plan(traffic: Any, libraries: Any = (), infos: Any = None, **options: Any) -> dict[str, Any]:
    """The trials, and the time they take."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._libraries import require_all
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.host import methods_of
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan

    require_all(list(libraries))
    if infos:
        options["able"] = {name: methods_of(**info) for name, info in infos.items()}
    # ansible-core 2.14 makes an empty string of a template that says none.
    return plan(traffic, **{"rates": None, **options, "search": options.get("search") or None})


FilterModule = filter_module(throughput_plan, "throughput")
