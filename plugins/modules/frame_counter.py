#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: a counter of its own for the test frames that arrive on an interface."""

from __future__ import annotations

DOCUMENTATION = r"""
module: frame_counter
short_description: Count the test frames that arrive on a network interface
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Sets up, or removes, a counter of arriving test frames in nftables (family netdev, hook ingress, priority 0).
  - It counts each frame that has one of the source MAC addresses, VLAN-tagged or not, IP or not, before the host's own
    protocols see it. It lets every frame pass.
  - M(wirespeed.trafficgen.interface_counters_info) reads it.
  - An interface has one such counter. With O(state=present) one for other addresses, as a killed run may have left, is
    replaced.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A counter that is there for the same addresses goes on counting. Take the difference of two readings.
  platform:
    support: full
options:
  interface:
    description:
      - The network interface. It must have Ethernet headers. Others (tun, WireGuard) have no source MAC address and are
        refused.
      - It must be given the frames at all, so they must be addressed to it, or it must be promiscuous. A macvlan or a
        VLAN interface gets no others even then, and a bridge gets only what is for the host. Count at the port below.
    type: str
    required: true
  netns:
    description: The named network namespace the interface is in; this host's own by default.
    type: str
  state:
    description: Whether there is to be a counter.
    type: str
    choices: [present, absent]
    default: present
  source_macs:
    description:
      - Source MAC addresses of the test frames. Required with O(state=present).
      - Frames from other addresses are counted apart, in C(others) of RV(test_frames).
      - Multicast and all-zero addresses are counted, too. No station has one, but captures have frames from them.
    type: list
    elements: str
notes:
  - Needs C(ip), C(nft) and root.
  - Switch off receive offloads that merge frames (GRO, LRO). P(wirespeed.trafficgen.interface_counters_info#module)
    names those that are on.
  - M(wirespeed.trafficgen.tcpreplay) with O(wirespeed.trafficgen.tcpreplay#module:rx_interface) sets up a counter by
    itself, in place of this one, and removes it.
seealso:
  - module: wirespeed.trafficgen.interface_counters_info
  - module: wirespeed.trafficgen.tcpreplay
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Count the frames of a test on the receiving host
  delegate_to: receiver
  module_defaults: &receiving_port
    group/wirespeed.trafficgen.interface:
      interface: ens18
  block:
    - name: Set up the counter
      wirespeed.trafficgen.frame_counter:
        source_macs: "02:00:00:00:00:01"

    - name: Read it
      wirespeed.trafficgen.interface_counters_info:
      register: rx_before

- name: Send
  wirespeed.trafficgen.tcpreplay:
    interface: ens17
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    mbps: 100
  register: sent

- name: Read what arrived, and remove the counter
  delegate_to: receiver
  when: not ansible_check_mode  # nothing was sent
  module_defaults: *receiving_port
  block:
    - name: Read it again
      wirespeed.trafficgen.interface_counters_info:
        since: "{{ rx_before }}"
        receive_wait: 2
        expect_packets: "{{ sent.stats.packets }}"
      register: rx_after

    - name: Remove it
      wirespeed.trafficgen.frame_counter:
        state: absent

- name: Show the loss
  ansible.builtin.debug:
    msg: "{{ (sent | wirespeed.trafficgen.reconcile(rx_before, rx_after)).counters }}"
  when: not ansible_check_mode  # nothing was sent
"""

RETURN = r"""
test_frames:
  description:
    - The counter as it is now, as M(wirespeed.trafficgen.interface_counters_info) returns it. V(null) without one.
    - In check mode, a counter that would be set up has no counts.
  type: dict
  returned: success
  sample:
    source: nftables ingress counter
    packets: 0
    bytes: null
    layer3_bytes: 0
    others: 0
    macs: ["02:00:00:00:00:01"]
    table: trafficgen_count_ens18
    handle: 3
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import set_frame_counter
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

ARGUMENT_SPEC: dict[str, Any] = {
    "interface": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "source_macs": {"type": "list", "elements": "str"},
}


def main() -> None:
    """Set up or remove a frame counter."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "present", ["source_macs"])]
    )
    present = module.params["state"] == "present"
    try:
        before, after = set_frame_counter(
            Interface(module.params["interface"], module.params["netns"]),
            module.params["source_macs"] or (),
            present=present,
            check_mode=module.check_mode,
        )
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    diff = {name: _described(counter) for name, counter in (("before", before), ("after", after))}
    module.exit_json(changed=diff["before"] != diff["after"], test_frames=after, diff=diff)


def _described(counter: dict[str, Any] | None) -> dict[str, Any]:
    return {"state": "present", "source_macs": counter["macs"]} if counter else {"state": "absent"}


if __name__ == "__main__":
    main()
