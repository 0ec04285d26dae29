#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something stands against work on this host. The collection's roles ask it first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Fail where something stands against work on a host
version_added: 0.2.0
description:
  - Fails where the host is managed over one of the O(interfaces), where others than root can write one of the
    O(folders), or where a run is under way. It changes nothing.
  - The roles of this collection ask it before they begin.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
attributes:
  platform:
    support: full
options:
  interfaces:
    description:
      - Interfaces that the host must not be managed over. See the module M(wirespeed.trafficgen.tcpreplay) for what
        counts as that.
    type: list
    elements: str
    default: []
  netns:
    description:
      - A named network namespace (C(ip netns)) the interfaces are in.
    type: str
  allow_management_interface:
    description:
      - Whether the host may be managed over them all the same.
    type: bool
    default: false
  remedy:
    description:
      - What to do where the host is managed over one of them, as a sentence. It becomes part of the error.
    type: str
    default: ""
  folders:
    description:
      - Folders that only root may write, with all that lies above them, since root builds there.
    type: list
    elements: path
    default: []
  idle:
    description:
      - Whether no run may be under way, and nobody may have netmap open.
    type: bool
    default: false
requirements:
  - iproute2
notes:
  - It takes root.
seealso:
  - module: wirespeed.trafficgen.netmap_info
"""

EXAMPLES = r"""
- name: Stop where the host is managed over the test port, or a run is under way
  wirespeed.trafficgen.host_check:
    interfaces: [ens17]
    remedy: Choose another port.
    idle: true
"""

RETURN = r""" # """

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.program import (
    Host,
    busy,
    folder_problem,
    managed,
)


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
    asked = [] if given["allow_management_interface"] else given["interfaces"]
    found = managed(host, asked, given["netns"] or None)
    problems = [
        f"{name}: this host is managed over it: {why}. {given['remedy']}".strip() for name, why in found.items()
    ]
    problems += [problem for folder in given["folders"] if (problem := folder_problem(host, folder, folder))]
    return problems + list(filter(None, [busy(host) if given["idle"] else ""]))


if __name__ == "__main__":
    main()
