#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: fail if work on this host would disturb it. The collection's roles use it first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Fail if work on a host would disturb it
version_added: 0.2.0
description:
  - Fails if the host is managed over one of the O(interfaces), if others than root can write to one of the O(folders),
    or if a run is under way. It changes nothing.
  - The roles of this collection use it before they begin.
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
      - Interfaces that the host must not be managed over, by the rules of
        O(wirespeed.trafficgen.tcpreplay#module:allow_management_interface).
    type: list
    elements: str
    default: []
  netns:
    description:
      - The named network namespace (C(ip netns)) of the interfaces.
    type: str
  allow_management_interface:
    description:
      - Whether to allow them even so.
    type: bool
    default: false
  remedy:
    description:
      - A sentence that says what to do if the host is managed over one of them. It becomes part of the error.
    type: str
    default: ""
  folders:
    description:
      - Folders to build in. Only root may be able to write to them and to the folders above them.
    type: list
    elements: path
    default: []
  idle:
    description:
      - Whether to fail if a run is under way or a process has netmap open.
    type: bool
    default: false
notes:
  - Needs root.
seealso:
  - module: wirespeed.trafficgen.netmap_info
"""

EXAMPLES = r"""
- name: Stop if the host is managed over the test port, or a run is under way
  wirespeed.trafficgen.host_check:
    interfaces: [ens17]
    remedy: Choose another port.
    idle: true
"""

RETURN = r""" # """

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import NETNS_FOLDER
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import entries
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import Host
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.safety import folder_problem
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import busy, managed, runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface, check_interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "netns": {"type": "str"},
            "allow_management_interface": {"type": "bool", "default": False},
            "remedy": {"type": "str", "default": ""},
            "folders": {"type": "list", "elements": "path", "default": []},
            "idle": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        problems = against(Host(), given)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    if problems:
        module.fail_json(msg=" ".join(problems))
    module.exit_json(changed=False)


def against(host: Host, given: Mapping[str, Any]) -> list[str]:
    """What stands against work on ``host``, a sentence each."""
    netns = given["netns"] or None
    asked = [] if given["allow_management_interface"] else given["interfaces"]
    interfaces = [Interface(check_interface(name), netns) for name in asked]
    found = {}
    if interfaces:
        with open_route(netns) as route:
            found = managed(host, interfaces, route)
    problems = [
        f"{name}: this host is managed over it: {why}. {given['remedy']}".strip() for name, why in found.items()
    ]
    problems += [problem for folder in given["folders"] if (problem := folder_problem(host, folder, folder))]
    return problems + list(filter(None, [busy(host, runs_in_named_namespaces(host)) if given["idle"] else ""]))


def runs_in_named_namespaces(host: Host) -> set[str]:
    """The sockets that keep interfaces in named network namespaces for a run. A run of xdp_replay has no process in its
    interface's namespace, so that no folder of /proc shows that namespace's sockets."""
    found: set[str] = set()
    for name in entries(NETNS_FOLDER):
        # A file that an interrupted `ip netns add` left there is no namespace, and one may be deleted meanwhile.
        with contextlib.suppress(TrafficgenError, OSError), inside(name):
            found.update(runs(host, "/proc/thread-self").values())
    return found


if __name__ == "__main__":
    main()
