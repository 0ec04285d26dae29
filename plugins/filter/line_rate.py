# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``line_rate``: a rate in other units."""

from __future__ import annotations

DOCUMENTATION = r"""
name: line_rate
short_description: Convert a rate between frames per second, layers 1 and 2, and percent of a link
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Converts a rate of frames of one size, or of one mean size, on an Ethernet link. Mbps are 10^6 bits a second.
  - V(frame_mbps) counts the bytes in a pcap, as tcpreplay's Mbps do. V(l2_mbps) adds the 4 bytes of the FCS. V(l1_mbps)
    adds the 20 bytes of preamble, start delimiter and gap as well, and so tells how full a link is.
  - On a link a frame has at least 64 bytes with its FCS. A NIC pads shorter ones, and layers 1 and 2 count the padding.
positional: _input, unit
options:
  _input:
    description: The rate.
    type: float
    required: true
  unit:
    description: What the rate is given in.
    type: str
    choices: [pps, frame_mbps, l2_mbps, l1_mbps, line_rate_percent]
    required: true
  size:
    description:
      - The size of a frame in bytes. A mean size may have decimals.
      - Or a dictionary of sizes and how many frames have each, such as C(pcap_info.sizes) of
        M(wirespeed.trafficgen.pcap_info) (with O(size_of=frame)). Use it if some frames are padded, because then the
        mean size is not enough.
    type: raw
    required: true
  size_of:
    description:
      - What the size is of. V(wire) is the frame with its FCS, as RFC 2544 and RFC 6985 count; V(frame) is the frame in
        a pcap, 4 bytes less; V(ip) is the IP packet in an Ethernet frame without VLAN tags.
    type: str
    choices: [wire, frame, ip]
    default: wire
  link_speed_mbps:
    description: The speed of the link. Needed to convert to or from V(line_rate_percent).
    type: float
  to:
    description: The unit to convert to. Without it, all of them are returned.
    type: str
    choices: [pps, frame_mbps, l2_mbps, l1_mbps, line_rate_percent]
"""

EXAMPLES = r"""
- name: How many frames of 64 bytes fill a 10G link (14880952.38)
  ansible.builtin.debug:
    msg: "{{ 100 | wirespeed.trafficgen.line_rate('line_rate_percent', size=64, link_speed_mbps=10000, to='pps') }}"

- name: The same rate in tcpreplay's Mbps (7142.86)
  ansible.builtin.debug:
    msg: "{{ 10000 | wirespeed.trafficgen.line_rate('l1_mbps', size=64, to='frame_mbps') }}"

- name: A measured rate in every unit
  ansible.builtin.debug:
    msg: "{{ 812743 | wirespeed.trafficgen.line_rate('pps', size=1500, size_of='ip', link_speed_mbps=10000) }}"

- name: See what a capture holds
  wirespeed.trafficgen.pcap_info:
    path: /var/lib/trafficgen/capture.pcap
  register: result

- name: The frames of a capture that a 10G link carries in a second
  ansible.builtin.debug:
    msg: >-
      {{ 100 | wirespeed.trafficgen.line_rate('line_rate_percent', size=result.pcap_info.sizes, size_of='frame',
      link_speed_mbps=10000, to='pps') }}
"""

RETURN = r"""
_value:
  description:
    - With O(to), the rate in that unit, a number.
    - Else a dictionary of it in every unit, where V(line_rate_percent) is null without O(link_speed_mbps).
  type: raw
  sample: {pps: 14880952.38, frame_mbps: 7142.86, l2_mbps: 7619.05, l1_mbps: 10000.0, line_rate_percent: 100.0}
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def line_rate(
    value: Any, unit: str, size: Any, size_of: str = "wire", link_speed_mbps: Any = None, to: str | None = None
) -> Any:
    """A rate in another unit, or in all."""
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import convert

    return convert(value, unit, size, size_of, link_speed_mbps, to)


FilterModule = filter_module(line_rate)
