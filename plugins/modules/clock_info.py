#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: how far a host's clock is from the controller's. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: clock_info
short_description: Measure how far a host's clock is from the controller's
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Asks the host for its time several times, and takes the quickest answer, as NTP does. The host read its clock at
    some time between question and answer; half of the time between the two is the most that the offset can be wrong.
  - With it, several hosts can start something at the same time, whatever their clocks say.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
attributes:
  platform:
    support: full
options:
  samples:
    description: How often to ask.
    type: int
    default: 8
requirements:
  - GNU date, as on any Linux distribution
notes:
  - It runs on the controller, and a plain C(date) on the host.
seealso:
  - module: wirespeed.trafficgen.tcpreplay
"""

EXAMPLES = r"""
- name: Measure the clocks
  wirespeed.trafficgen.clock_info:
  register: measured

- name: Choose a moment, the same for all hosts
  ansible.builtin.set_fact:
    common_start: "{{ now().timestamp() + 20 }}"
  run_once: true

- name: Send on all hosts at the same time
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    pps: 100000
    start_at: "{{ common_start | float + measured.clock.offset_seconds }}"
"""

RETURN = r"""
clock:
  description: The host's clock.
  returned: success
  type: dict
  contains:
    offset_seconds:
      description: The host's clock minus the controller's.
      type: float
      sample: 0.000412
    uncertainty_seconds:
      description: The most that this can be wrong.
      type: float
      sample: 0.002
    samples:
      description: How many answers came.
      type: int
"""
