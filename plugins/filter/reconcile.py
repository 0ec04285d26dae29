# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: a run's result, held against a receiver's counters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: reconcile
short_description: Hold the result of a run against the counters of its receiver
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Takes a result of M(wirespeed.trafficgen.tcpreplay), and two results of
    M(wirespeed.trafficgen.interface_counters_info) from the receiving interface, on whatever host, read before and
    after the run. Returns a copy of the result with its C(counters) filled in, by the same code that the module uses
    for a receiver on its own host.
  - The receiver's count is that of its frame counter (M(wirespeed.trafficgen.frame_counter)), or else of its MAC.
positional: rx_before, rx_after, tx_before, tx_after
options:
  _input:
    description: A registered result of M(wirespeed.trafficgen.tcpreplay), or the fact it set. It is not changed.
    type: dict
    required: true
  rx_before:
    description: The receiver's counters before the run.
    type: dict
    required: true
  rx_after:
    description: The receiver's counters after it.
    type: dict
    required: true
  tx_before:
    description: The sending interface's counters before the run. Without them, what the run itself found stands.
    type: dict
  tx_after:
    description: The sending interface's counters after it.
    type: dict
notes:
  - The loss is the frames of the test that left the sending device and that the receiver did not count. Others' frames
    that the device sent (up to 4 and one a second, and one in a hundred of the test's at most) are not among them.
  - A count of source addresses does not see frames whose source was rewritten on the way. Where more frames from other
    addresses arrived than a port usually gets (4 and one a second), and more than 1 % of what is missing, the loss is
    not known.
  - Frames that were lost and as many that were doubled are told by the bytes, where the frames are of different sizes;
    the loss is then not known. With frames of one size they cannot be told.
  - A count of nothing proves a loss only where the receiving interface is given every frame, that is a veth, a tap,
    loopback, and a port, a bridge or a bond that is promiscuous. Elsewhere, and for a bare number that stood still, the
    loss is not known.
  - What the receiving host itself dropped before it could count is not the loss of the device between the two. It stays
    in C(loss_packets), is told apart in C(rx.host_drops), and where it is more than 1 % of the loss the verdict is
    V(unknown). The device then lost at least C(loss_packets) - C(rx.host_drops) frames.
  - V(impossible) is a run whose L1 rate is above C(run.link_speed_mbps) by more than 0.1 %, and by more frames than may
    have been in the port's queues still when tcpreplay looked at the clock (C(run.in_flight_frames), 4096 where the run
    does not say; of a run of a second or more 0.8 % at most).
  - An interrupted run may differ from the device's count by one frame.
  - V(short) needs a counter that was not reset. When the link went down or up between the two readings, a count that is
    too low becomes V(null).
seealso:
  - module: wirespeed.trafficgen.tcpreplay
  - module: wirespeed.trafficgen.interface_counters_info
  - module: wirespeed.trafficgen.frame_counter
"""

EXAMPLES = r"""
- name: What the device between sender and receiver lost
  ansible.builtin.debug:
    msg: "{{ run.counters.loss_packets }} frames, {{ run.counters.verdict }}: {{ run.counters.reason }}"
  vars:
    run: "{{ sent | wirespeed.trafficgen.reconcile(rx_before, rx_after) }}"
"""

RETURN = r"""
_value:
  description:
    - The result with C(counters) filled in, as M(wirespeed.trafficgen.tcpreplay) documents them.
    - C(tx), C(rx) are what left and what arrived, V(null) where no counter proves it; C(loss_packets), C(loss_ratio);
      C(verdict), one of V(consistent), V(short), V(impossible), V(unknown); and C(reason), never empty for anything but
      V(consistent).
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def reconcile(
    result: Mapping[str, Any],
    rx_before: Mapping[str, Any],
    rx_after: Mapping[str, Any],
    tx_before: Mapping[str, Any] | None = None,
    tx_after: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of the result with ``counters`` filled in."""
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import verdict

    return verdict.reconcile(result, rx_before, rx_after, tx_before, tx_after)


FilterModule = filter_module(reconcile)
