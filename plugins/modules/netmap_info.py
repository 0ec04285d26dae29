#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap on a host, and what it makes of each interface."""

from __future__ import annotations

DOCUMENTATION = r"""
module: netmap_info
short_description: Tell what netmap is on a host, and whether it is native or emulated on an interface
version_added: 0.1.0
description:
  - Tells whether netmap is loaded (if not, why, and what to do), which build it is, and what is installed for which
    kernel.
  - Asks netmap for the rings of each interface. Tells whether its driver is patched for netmap (native mode), or
    whether netmap uses the kernel's ordinary path (emulated mode), at a fraction of the speed.
  - Interfaces are not changed. For one without native support, netmap writes a line to the kernel's log.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.netns
  platform:
    support: full
options:
  interfaces:
    description:
      - The interfaces to look at. By default all except loopback.
    type: list
    elements: str
  netns:
    description:
      - A named network namespace (C(ip netns)) the interfaces are in.
    type: str
requirements:
  - kmod
notes:
  - Needs root.
seealso:
  - module: wirespeed.trafficgen.tcpreplay
  - module: wirespeed.trafficgen.tcpreplay_info
"""

EXAMPLES = r"""
- name: Look at netmap
  wirespeed.trafficgen.netmap_info:
  register: result

- name: See that it is loaded
  ansible.builtin.assert:
    that: result.netmap_info.loaded
    fail_msg: "{{ result.netmap_info.problem }}"

- name: See that the test interface has a native driver
  ansible.builtin.assert:
    that: result.netmap_info.interfaces.ens17.mode == 'native'
"""

RETURN = r"""
netmap_info:
  description: What was found.
  returned: success
  type: dict
  contains:
    loaded:
      description: Whether the running kernel has netmap and its device.
      type: bool
    problem:
      description: Why it is not loaded, and what to do. V(null) if it is.
      type: str
      sample: >-
        netmap is not loaded on this host: it is not built for the running kernel 5.14.0-570.17.1.el9_6.x86_64, only for
        5.14.0-503.22.1.el9_5.x86_64. Build it: role wirespeed.trafficgen.netmap. Or set injection_method: pf_packet.
    version:
      description: The version of netmap's API that the loaded module speaks.
      type: int
      sample: 14
    parameters:
      description: The parameters of the loaded module. One that cannot be read is V(null).
      type: dict
      sample: {admode: 0, buf_num: 163840, buf_size: 2048}
    srcversion:
      description: The kernel's checksum of the loaded module's sources. V(null) if modules are built without it (as
        on Debian).
      type: str
      sample: 55D5E1C7E5B4B1C5D0A3D1F
    build_id:
      description: The linker's checksum of the loaded module.
      type: str
      sample: 35ee1c4e2b4f5ab6ea57b1ba4ec0b5b2a1d4f2a7
    vermagic:
      description:
        - The kernel that the loaded module was built for, and its configuration.
        - V(null) if the module installed for this kernel is not the loaded one.
      type: str
      sample: 6.1.0-56-amd64 SMP preempt mod_unload modversions
    commit:
      description:
        - The commit of netmap the loaded module was built from.
        - V(null) if the role did not build it, or if it is not the installed one.
      type: str
      sample: 89607e1406c1fa5ac2106bd2ff33417f090c0d60
    device:
      description: The device. V(null) if it is missing.
      type: str
      sample: /dev/netmap
    kernel:
      description: The release of the running kernel.
      type: str
    kernels:
      description: The releases of the kernels that netmap is installed for.
      type: list
      elements: str
    builds:
      description: What is installed, by the release of its kernel.
      type: dict
      sample:
        6.1.0-56-amd64:
          path: /lib/modules/6.1.0-56-amd64/extra/netmap.ko
          vermagic: 6.1.0-56-amd64 SMP preempt mod_unload modversions
          srcversion: null
          build_id: 35ee1c4e2b4f5ab6ea57b1ba4ec0b5b2a1d4f2a7
          signer: null
          commit: 89607e1406c1fa5ac2106bd2ff33417f090c0d60
    secure_boot:
      description: Whether the host was started with Secure Boot. V(null) if that cannot be read.
      type: bool
    signatures_enforced:
      description: Whether the running kernel loads only signed modules.
      type: bool
    interfaces:
      description: How netmap treats each interface, by its name.
      type: dict
      contains:
        driver:
          description: The interface's driver, as the kernel knows it.
          type: str
          sample: e1000-netmap
        mode:
          description: V(native) or V(emulated). V(null) if netmap is not loaded or does not take the interface.
          type: str
        tx_rings:
          description: Rings for sending. Like the next three V(null) without a mode.
          type: int
        tx_slots:
          description: Frames in each.
          type: int
        rx_rings:
          description: Rings for receiving.
          type: int
        rx_slots:
          description: Frames in each.
          type: int
        reason:
          description: Why there is no mode. Empty if there is one.
          type: str
      sample:
        ens17: {driver: ixgbe, mode: native, tx_rings: 4, tx_slots: 512, rx_rings: 4, rx_slots: 512, reason: ""}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.info import info

ARGUMENT_SPEC: dict[str, Any] = {"interfaces": {"type": "list", "elements": "str"}, "netns": {"type": "str"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        found = info(module.params["interfaces"], module.params["netns"])
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    module.exit_json(changed=False, netmap_info=found)


if __name__ == "__main__":
    main()
