# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_search_step``: which trial a search for the throughput wants next."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_search_step
short_description: Tell which trial a search for the throughput wants next, or what it found
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Searches for the highest rate at which a device loses no more than a goal allows. From the trials measured so far it
    returns the next one, and at the end the result. It measures nothing itself, and keeps no state between two steps.
  - It uses FD.io's library MLRsearch, which follows draft-05 of what became RFC 9971.
  - A trial that sent less than asked does not prove the device's loss. The rates found are never above what was sent. A
    trial whose loss is unknown, or whose verdict is not V(consistent), ends the search as failed.
requirements:
  - MLRsearch 1.2 (Python library, on the controller)
positional: _input
options:
  _input:
    description:
      - The trials measured so far, in order, each as C(next) asked for it. At the start an empty list.
      - Each has C(asked_pps) and C(duration), and besides these C(result), which is the result of
        M(wirespeed.trafficgen.tcpreplay) with what arrived in it; or C(sent), C(lost), C(seconds), and if known C(pps),
        C(verdict) and C(reason); or, when it failed, C(error), a message.
      - A trial that several hosts sent with one load has C(hosts) instead, these by the host's name, or a trial of a
        result; an empty dictionary for a host that made none.
    type: list
    elements: dict
    required: true
  search:
    description:
      - V(ndr) allows no loss in a trial, V(pdr) a share of O(loss_ratio). A rate is judged after O(duration_sum)
        seconds of trials, of which a share of O(exceed_ratio) may lose more. The defaults are FD.io's.
      - V(rfc2544) is the search of RFC 2544, section 26.1, without loss. One trial of full length decides.
    type: str
    choices: [ndr, pdr, rfc2544]
    required: true
  hosts:
    description:
      - For a search over several hosts with one load, each host by name, with its C(traffic) and C(host), as
        P(wirespeed.trafficgen.throughput_host#filter) has them. Their sizes and link speeds take the place of
        O(wire_frame_size), O(frame_size) and O(link_speed_mbps). The slowest line bounds O(max_pps).
      - All rates are per interface. The loss is that of all frames. A trial in which a host sent too little, went away
        or has another verdict than V(consistent) proves nothing. If nothing of a host arrives in a trial, the next one
        is at O(min_pps); if nothing arrives there either, that direction is dead, and the search has failed.
    version_added: 1.0.0
    type: dict
  traffic:
    description: The name of the traffic, with O(hosts).
    version_added: 1.0.0
    type: str
  max_pps:
    description:
      - The rate to start from, in frames a second, which is also the highest.
      - By default the line rate of frames of O(wire_frame_size) on a link of O(link_speed_mbps).
    type: float
  min_pps:
    description:
      - The lowest rate to try. By default 1000, or a tenth of O(max_pps) if that is less.
    type: float
  wire_frame_size:
    description:
      - The size of a frame on the wire with FCS and padding (at least 64 bytes), or the mean.
      - Without it, the rate found is given only in frames a second.
    type: float
  frame_size:
    description:
      - The size of a frame in the pcap, or the mean. By default 4 less than O(wire_frame_size).
      - Needed for tcpreplay's Mbps if frames are padded.
    version_added: 1.0.0
    type: float
  link_speed_mbps:
    description: The speed of the link, if it has one.
    type: float
  width:
    description: The largest distance of the two bounds at the end, as a share of the upper one.
    type: float
    default: 0.005
  loss_ratio:
    description: For V(pdr), the share of the frames that a trial may lose. By default 0.005.
    type: float
  exceed_ratio:
    description: For V(ndr) and V(pdr), the share of O(duration_sum) that trials with more loss may have. By default
      0.5.
    type: float
  initial_duration:
    description:
      - Whole seconds of the first, exploring trials. By default 1, for V(rfc2544) O(final_duration).
    type: int
  final_duration:
    description: Seconds of the trials that decide. By default 1; for V(rfc2544) 60, the least that RFC 2544 wants.
    type: int
  duration_sum:
    description: For V(ndr) and V(pdr), seconds of trials at a rate until it is judged. By default 21, or
      O(final_duration) if that is more.
    type: int
  rate_tolerance:
    description: By what share a trial may send less or more than asked and still prove something for that rate.
    type: float
    default: 0.005
  max_trials:
    description: The search fails if it has not ended within this many trials.
    type: int
    default: 200
seealso:
  - module: wirespeed.trafficgen.tcpreplay
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Which trial is the first one (at line rate, for a second)
  ansible.builtin.debug:
    msg: "{{ ([] | wirespeed.trafficgen.throughput_search_step('ndr', wire_frame_size=64, link_speed_mbps=10000)).next
      }}"

- name: Send so fast for a second
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    rx_interface: ens18
    pps: 500000
    loop: 0
    duration: 1
  register: sent

- name: Which is next, after one trial
  ansible.builtin.set_fact:
    step: "{{ trials | wirespeed.trafficgen.throughput_search_step('pdr', max_pps=500000, wire_frame_size=82) }}"
  vars:
    trials:
      - {asked_pps: 500000, duration: 1, result: "{{ sent }}"}

- name: And after the one that was measured since, in a loop until step.done
  ansible.builtin.set_fact:
    step: "{{ (step.measured + [trial]) | wirespeed.trafficgen.throughput_search_step('pdr', max_pps=500000,
      wire_frame_size=82) }}"
  vars:
    trial: {asked_pps: "{{ step.next.pps }}", duration: "{{ step.next.duration }}", result: "{{ sent }}"}
"""

RETURN = r"""
_value:
  description: What comes next, or what was found.
  type: dict
  contains:
    done:
      description: Whether the search has ended.
      type: bool
    next:
      description: The trial to measure, V(null) when done.
      type: dict
      contains:
        pps:
          description: Frames a second to ask the generator for.
          type: float
        duration:
          description: Its seconds, whole.
          type: int
        number:
          description: Which trial of the search it is, from 1.
          type: int
    measured:
      description: The trials given, each with its figures only. Append the next one to this list.
      type: list
      elements: dict
    result:
      description: The answer, V(null) until done.
      type: dict
      contains:
        status:
          description:
            - V(found); V(not_found) where even C(min_pps) is too fast; V(failed) where a trial proves nothing, or the
              trials ran out.
          type: str
        reason:
          description:
            - Empty only if the device was the limit and nothing was lost at the rate found.
          type: str
        limited_by:
          description:
            - V(device), V(generator) if it could not send more, or V(max_pps) if that rate met the goal. Only with
              V(device) the rate is the device's throughput; otherwise the device can do at least that. V(null) if
              failed.
          type: str
        found:
          description: V(null) unless found.
          type: dict
          contains:
            lower_pps:
              description: The highest rate that met the goal, as it was really sent.
              type: float
            upper_pps:
              description: The lowest rate that failed. V(null) if the device was not the limit.
              type: float
            conditional_pps:
              description: What the device forwards at C(lower_pps), by the trial that the exceed ratio picks.
              type: float
            at_rate:
              description:
                - Of the trials at that rate, how many there were (C(trials)), how many lost anything (C(with_loss)),
                  how many more than the goal allows (C(over_goal)), how many frames they C(sent) and C(lost), and the
                  C(loss_ratio) of these. With O(hosts) also C(hosts), each one's own.
              type: dict
            aggregate:
              description: Only with O(hosts), the C(factor), how many there are, and the rates times it.
              type: dict
            l1_mbps:
              description: C(lower_pps) on layer 1. The same rate is in C(l2_mbps), C(frame_mbps) and
                C(line_rate_percent).
              type: float
        goals:
          description: The goal searched for.
          type: list
          elements: dict
        library:
          description: The library and its version.
          type: str
        search:
          description: The O(search).
          type: str
        min_pps:
          description: The lowest rate that was allowed, in frames a second, and C(max_pps) the highest.
          type: float
        rate_tolerance:
          description: The O(rate_tolerance).
          type: float
        trials:
          description:
            - C(asked_pps), C(duration), C(pps), C(seconds), C(sent), C(lost), C(loss_ratio), C(verdict) of each,
              whether it is C(valid) as a proof of what the device does, and the C(reason) for anything that is not as
              asked.
            - Of the result that was given, its C(command), C(engine), C(injection_method), C(netmap_mode), C(xdp_mode)
              and C(counters), else V(null).
            - Of several hosts with one load, C(pps) is that of the slowest, C(sent) and C(lost) are sums, and C(hosts)
              has each host's own figures, C(received) too.
          type: list
          elements: dict
        trial_seconds:
          description: The time spent sending.
          type: float
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_search_step(
    measured: Any, search: Any, hosts: Any = None, traffic: Any = None, **settings: Any
) -> dict[str, Any]:
    """What comes next, or what was found."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import options_for
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings

    if hosts:
        settings = options_for(hosts, str(traffic), settings, together=True)
    return step(measured, check_settings(search, **settings))


FilterModule = filter_module(throughput_search_step)
