#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the counters of a network interface."""

from __future__ import annotations

DOCUMENTATION = r"""
module: interface_counters_info
short_description: Read the counters of a network interface
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Reads the kernel's counters of an interface, those of C(ethtool -S) and those of its MAC; its driver, speed, carrier
    and MTU; and its frame counter, if M(wirespeed.trafficgen.frame_counter) has set one up.
  - With O(since) it also returns the differences and rates since an earlier call.
  - The filter P(wirespeed.trafficgen.reconcile#filter) compares two such results, from whatever host, with a run of
    M(wirespeed.trafficgen.tcpreplay).
  - Up to 0.1.0 this was the module C(interface_counters), which also set up and removed the frame counter
    (C(count_from_mac)).
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  platform:
    support: full
options:
  interface:
    description: The network interface.
    type: str
    required: true
  netns:
    description: The named network namespace the interface is in; this host's own by default.
    type: str
  since:
    description:
      - An earlier result of this module for the same interface. RV(delta) then tells what happened since.
      - A frame counter that was there then must still be there.
    type: dict
  receive_wait:
    description:
      - With O(since), wait until O(expect_packets) test frames have arrived, or until none has arrived for this many
        seconds. RFC 2544, section 23, says 2.
      - While frames keep coming, the wait goes on for as long as they may have been sent, and for five times this many
        seconds at least. Then it ends.
      - Without a frame counter it waits for the frames that the MAC counts. Without either it does not wait.
      - By default it does not wait.
    type: float
  expect_packets:
    description: How many frames are expected since O(since). Without it, the wait ends when none has arrived for
      O(receive_wait) seconds.
    type: int
notes:
  - Only the MAC counts netmap's frames, which pass the kernel by. Read the counters while netmap still holds the port,
    since closing it resets the port.
seealso:
  - module: wirespeed.trafficgen.frame_counter
  - module: wirespeed.trafficgen.tcpreplay
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read an interface's counters
  wirespeed.trafficgen.interface_counters_info:
    interface: ens17
  register: before

- name: See what happened since
  wirespeed.trafficgen.interface_counters_info:
    interface: ens17
    since: "{{ before }}"
  register: after

- name: Read both ports of a namespace, which is named once
  module_defaults:
    group/wirespeed.trafficgen.netns:
      netns: receiver
  block:
    - name: Read the first
      wirespeed.trafficgen.interface_counters_info:
        interface: rcv0

    - name: Read the second
      wirespeed.trafficgen.interface_counters_info:
        interface: rcv1
"""

RETURN = r"""
interface:
  description: The interface's name.
  type: str
  returned: success
  sample: ens17
netns:
  description: The network namespace asked for.
  type: str
  returned: success
ifindex:
  description: The interface's number in its namespace. A replaced interface has another.
  type: int
  returned: success
netns_inode:
  description:
    - The number of its network namespace. With RV(boot_id) and RV(ifindex), it tells one port from another, whatever
      name each has.
  returned: success
  type: int
  sample: 4026531840
boot_id:
  description: The kernel's identifier of this boot of this host.
  type: str
  returned: success
driver:
  description:
    - The driver as the kernel knows it. netmap's patched copy of a driver, C(e1000-netmap) say, is told from the stock
      one.
    - V(null) where the kernel names none.
  type: str
  returned: success
  sample: ixgbe
bus_info:
  description: Where the device is on its bus.
  type: str
  returned: success
  sample: "0000:3b:00.0"
speed_mbps:
  description:
    - The speed of the line.
    - V(null) without a link, and where there is no line whatever the driver says (veth, tun, dummy, bridge, virtio,
      emulated NICs).
  type: int
  returned: success
  sample: 10000
up:
  description: Whether the interface is up.
  type: bool
  returned: success
carrier:
  description: Whether it has a link.
  type: bool
  returned: success
carrier_changes:
  description: How often the link went up or down.
  type: int
  returned: success
mtu:
  description: The largest packet, in bytes, without the Ethernet header.
  type: int
  returned: success
mac_address:
  description: The interface's own MAC address.
  type: str
  returned: success
link_type:
  description: What its frames begin with, as C(ip link) calls it.
  type: str
  returned: success
  sample: ether
xdp:
  description: Whether an XDP program is attached, which may take frames before a frame counter sees them.
  type: bool
  returned: success
promiscuous:
  description: Whether it takes frames that are addressed to others, set by a user or by what uses it (a bridge,
    C(tcpdump)).
  type: bool
  returned: success
merging:
  description: Receive offloads that are on and merge arriving frames before a frame counter sees them (V(gro), V(lro),
    V(rx-gro-hw)).
  type: list
  elements: str
  returned: success
flow_control:
  description: Whether the interface heeds pause frames (C(rx)) and sends them (C(tx)). V(null) where it has no flow
    control.
  type: dict
  returned: success
  sample: {rx: true, tx: false}
ring_sizes:
  description: The slots of each receive and each transmit ring. V(null) where the driver tells none.
  type: dict
  returned: success
  sample: {rx: 512, tx: 512}
time:
  description: When the counters were read, in seconds since the epoch.
  type: float
  returned: success
monotonic:
  description: The same on the host's monotonic clock, from which durations are taken.
  type: float
  returned: success
kernel:
  description: The kernel's counters, with the names of C(/sys/class/net/IF/statistics). Bytes are frame bytes, without
    FCS.
  type: dict
  returned: success
  sample: {rx_packets: 64511, tx_packets: 0, rx_bytes: 5031858, tx_bytes: 0, rx_dropped: 0, rx_missed_errors: 0}
ethtool:
  description: What C(ethtool -S) shows, name to value; empty where the driver has no such counters.
  type: dict
  returned: success
mac:
  description: The counters that prove what left and what came, by the table of known drivers.
  type: dict
  returned: success
  contains:
    tx:
      description:
        - V(null) where nothing proves what was sent, see RV(mac.reason).
        - A veth has no MAC, but its C(tx_packets) counts what the other end took.
      type: dict
      contains:
        source:
          description: Driver and names of the counters added up.
          type: str
          sample: ixgbe tx_pkts_nic
        packets:
          description: Frames, those of others too.
          type: int
        bytes:
          description: Frame bytes, without FCS; V(null) where it is not known what the driver counts.
          type: int
    rx:
      description: The same for what was received, and C(drops_counted), whether RV(host_drops) are among the packets.
      type: dict
    reason:
      description: Why RV(mac.tx) or RV(mac.rx) is V(null).
      type: str
host_drops:
  description: Frames that came in without an error and that this host lost itself.
  type: dict
  returned: success
  contains:
    nic:
      description:
        - For which the NIC had no room (the driver's own names, else C(rx_missed_errors)).
        - V(null) on an emulated e1000, where that counter grows by itself, and on an emulated igb, which counts none.
      type: int
    kernel:
      description: The kernel's C(rx_dropped). It also counts frames that no protocol on the host wanted.
      type: int
    softnet:
      description: Dropped on the whole host because a CPU's backlog was full.
      type: int
test_frames:
  description:
    - The frame counter that M(wirespeed.trafficgen.frame_counter) set up on the interface.
    - V(null) without one, and where it cannot be read (the task does not run as root).
  type: dict
  returned: success
  contains:
    source:
      description: What counts.
      type: str
      sample: nftables ingress counter
    packets:
      description: Frames counted since it was set up.
      type: int
    bytes:
      description: Always V(null), since nftables counts from layer 3 on.
      type: int
    layer3_bytes:
      description: Their bytes behind the Ethernet header and the outermost VLAN tag, padding included.
      type: int
    others:
      description: Frames from all other source addresses since then.
      type: int
    macs:
      description: The source MAC addresses it counts.
      type: list
      elements: str
    table:
      description: Its table, of the family netdev.
      type: str
    handle:
      description: The table's handle, which tells it from a later one of the same name.
      type: int
arrival:
  description: How the wait for frames that were still under way ended.
  type: dict
  returned: with O(since) and O(receive_wait), where there is a frame counter or a counter of the MAC
  contains:
    ended:
      description:
        - V(all), as many as O(expect_packets) had come; V(quiet), none came for O(receive_wait) seconds; V(limit), they
          were still coming after the longest wait.
      type: str
    expected:
      description: The value of O(expect_packets).
      type: int
    receive_wait:
      description: The value of O(receive_wait).
      type: float
    waited:
      description: The seconds it took.
      type: float
    late_packets:
      description: How many test frames came later than O(receive_wait) seconds after the wait began. Null without a
        frame counter.
      type: int
delta:
  description: What happened since the call that O(since) is of. A counter that went backwards was reset, and its
    difference is V(null).
  type: dict
  returned: with O(since)
  contains:
    seconds:
      description: The time between the two readings.
      type: float
    kernel:
      description: Differences of RV(kernel).
      type: dict
    ethtool:
      description: Differences of RV(ethtool), of the values that changed.
      type: dict
    mac:
      description: Differences of RV(mac).
      type: dict
    host_drops:
      description: Differences of RV(host_drops).
      type: dict
    test_frames:
      description: Difference of RV(test_frames).
      type: dict
    carrier_changes:
      description: How often the link went up or down.
      type: int
    resets:
      description: Names of the counters that went backwards.
      type: list
      elements: str
    rates:
      description:
        - C(rx_pps), C(tx_pps), C(rx_mbps), C(tx_mbps) by the kernel's counters, C(mac_rx_pps), C(mac_tx_pps) by those
          of the MAC, and C(test_frames_pps); V(null) where there is no count.
        - Mbps are of frame bytes, without FCS, preamble and gap, over the whole time between the two readings.
      type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import check_receive_wait
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.snapshot import observe
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

ARGUMENT_SPEC: dict[str, Any] = {
    "interface": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "since": {"type": "dict"},
    "receive_wait": {"type": "float"},
    "expect_packets": {"type": "int"},
}


def main() -> None:
    """Read."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        given = dict(module.params)
        if given["receive_wait"] is not None:
            check_receive_wait(given["receive_wait"])
        result = observe(Interface(given.pop("interface"), given.pop("netns")), **given)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
