#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port and its kernel can do with AF_XDP."""

from __future__ import annotations

DOCUMENTATION = r"""
module: xdp_info
short_description: Tell what a port and its kernel can do with AF_XDP
version_added: 1.0.0
description:
  - Tells whether the kernel has AF_XDP, which queues the port has, which XDP features its driver has, and whether
    frames can be sent without copying them (zero copy).
  - Tells what is on the port already, namely XDP programs, AF_XDP sockets and netmap.
  - All of it is asked of the running kernel. There is no table of drivers in it.
  - Interfaces are not changed.
author: The wirespeed.trafficgen developers (!UNKNOWN)
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
    description: The named network namespace (C(ip netns)) the interface is in; this host's own by default.
    type: str
notes:
  - Needs root.
  - The kernel tells a driver's XDP features from Linux 6.3 on (generic netlink family C(netdev), described in the
    kernel's C(Documentation/netlink/specs/netdev.yaml)).
seealso:
  - module: wirespeed.trafficgen.netmap_info
  - module: wirespeed.trafficgen.xdp_replay
"""

EXAMPLES = r"""
- name: Look at the test port
  wirespeed.trafficgen.xdp_info:
    interface: ens17
  register: result

- name: See that it sends without copying
  ansible.builtin.assert:
    that: result.xdp_info.zero_copy is true
    fail_msg: "{{ result.xdp_info.reason }}"
"""

RETURN = r"""
xdp_info:
  description: What was found.
  returned: success
  type: dict
  contains:
    interface:
      description: The interface's name.
      type: str
      sample: ens17
    netns:
      description: The network namespace asked for.
      type: str
    driver:
      description: The interface's driver, as the kernel knows it.
      type: str
      sample: ixgbe
    kernel:
      description: The release of the running kernel.
      type: str
      sample: 6.12.57+deb13-amd64
    architecture:
      description: The host's processor, as C(uname -m) names it.
      type: str
      sample: x86_64
    architecture_usable:
      description: Whether this collection can send through AF_XDP on it. On all but x86_64 that needs memory barriers,
        which plain Python does not have.
      type: bool
    af_xdp:
      description: Whether the kernel has AF_XDP. A socket was made and closed again.
      type: bool
    queues:
      description: The queues that the port has now.
      type: dict
      contains:
        rx:
          description: Queues that receive.
          type: int
        tx:
          description: Queues that send. Each can have one AF_XDP socket.
          type: int
        combined:
          description: How many of them are channels for both, as C(ethtool -l) says. V(null) if the driver does not
            tell.
          type: int
      sample: {rx: 8, tx: 8, combined: 8}
    xdp_features:
      description:
        - The driver's XDP features, with the names of the kernel's C(netdev.yaml).
        - V(null) if the kernel does not tell.
      type: list
      elements: str
      sample: [basic, redirect, ndo-xmit, xsk-zerocopy]
    zero_copy_max_segments:
      description: How many buffers a frame may have that is sent without copying. V(null) if the kernel does not tell,
        V(0) if there is no zero copy.
      type: int
    zero_copy:
      description:
        - Whether the driver can send without copying. This is the driver's own word. A virtio_net says it also where
          binding is then refused.
        - V(null) if the kernel is too old to tell. Then only binding a socket shows it.
      type: bool
    reason:
      description: Why RV(xdp_info.zero_copy) has this value, in one sentence.
      type: str
      sample: The driver ixgbe says that it has it (XDP feature xsk-zerocopy).
    programs:
      description: The XDP programs on the port. Empty if there is none.
      type: list
      elements: dict
      contains:
        mode:
          description: Where it runs, V(driver), V(generic) (in the kernel behind the driver) or V(offload) (in the
            NIC).
          type: str
        id:
          description: The program's number, as C(bpftool prog) shows it.
          type: int
      sample: [{mode: driver, id: 42}]
    netmap:
      description:
        - Whether netmap has the port.
        - V(null) if netmap is in use on this host. A port that it has in native mode shows no sign of it.
      type: bool
    sockets:
      description:
        - The AF_XDP sockets that are bound to the port, by queue.
        - V(null) if the kernel does not list them (C(CONFIG_XDP_SOCKETS_DIAG)).
      type: list
      elements: dict
      contains:
        queue:
          description: The queue's number, from 0 on.
          type: int
        inode:
          description: The socket's number, as C(ss --xdp -e) shows it.
          type: int
        zero_copy:
          description: Whether it sends and receives without copying.
          type: bool
        processes:
          description: The processes that have it open, as far as this user may see them.
          type: list
          elements: dict
          contains:
            pid:
              description: The process's number.
              type: int
            name:
              description: Its name.
              type: str
      sample: [{queue: 0, inode: 81234, zero_copy: true, processes: [{pid: 4711, name: xdpsock}]}]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.xdp import info

ARGUMENT_SPEC: dict[str, Any] = {"interface": {"type": "str", "required": True}, "netns": {"type": "str"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        found = info(Interface(module.params["interface"], module.params["netns"]))
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    module.exit_json(changed=False, xdp_info=found)


if __name__ == "__main__":
    main()
