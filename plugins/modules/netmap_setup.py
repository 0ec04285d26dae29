#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap on a host: built, installed and loaded, or removed. The work of the role netmap."""

from __future__ import annotations

DOCUMENTATION = r"""
module: netmap_setup
short_description: Build, install and load netmap, or remove it
version_added: 1.0.0
description:
  - Used by the role P(wirespeed.trafficgen.netmap#role), which checks its variables and passes them in O(settings). Use
    the role, not this module.
  - Builds netmap for each kernel without a build of these settings. A build is verified before it replaces anything.
    If building, installing or loading fails, the previous state is restored.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
options:
  state:
    description:
      - Whether netmap should be on the host.
      - V(absent) unloads it, and removes the modules, the source and every file of the role.
    type: str
    choices: [present, absent]
    default: present
  settings:
    description:
      - The role's variables, without C(netmap_) in their names. They are stored in C(/etc/trafficgen-netmap.json), for
        the boot unit and kernel updates.
    type: dict
    required: true
  files:
    description:
      - The files to install with the modules, as a dictionary from path to content.
    type: dict
    default: {}
requirements:
  - git, make, gcc, kmod and the headers of each kernel (the role P(wirespeed.trafficgen.dev_tools#role) installs them)
notes:
  - Needs root.
  - Downloads external drivers' archives and patches only when it builds.
seealso:
  - module: wirespeed.trafficgen.netmap_info
"""

EXAMPLES = r"""
- name: Remove netmap
  wirespeed.trafficgen.netmap_setup:
    state: absent
    settings:
      source_dir: /usr/src/netmap
"""

RETURN = r"""
build:
  description: The kernels that netmap was built for. In check mode, those it would be built for.
  returned: success, O(state=present)
  type: list
  elements: str
  sample: [5.14.0-570.17.1.el9_6.x86_64]
fetch:
  description: Whether the source was fetched, or would be.
  returned: success, O(state=present)
  type: bool
files:
  description: The files beside the modules that were written or removed, or would be.
  returned: success, O(state=present)
  type: list
  elements: str
prune:
  description: The removed kernels for which netmap's builds were removed, or would be.
  returned: success, O(state=present)
  type: list
  elements: str
start:
  description: Whether the boot unit can load netmap now, because there is a build for the running kernel.
  returned: success, O(state=present)
  type: bool
unit_ready:
  description: Whether the boot unit is enabled, and active if it can load netmap now, so that it can be left alone.
  returned: success, O(state=present)
  type: bool
notes:
  description:
    - How external drivers were patched of versions that netmap has no patch for, or with a patch that was given, one
      sentence each.
    - In check mode, what is known of that before it is tried, how long building takes, and what the role
      P(wirespeed.trafficgen.dev_tools#role) has yet to install.
  returned: success, O(state=present)
  type: list
  elements: str
  sample: ["netmap has no patch for i40e 2.28.13. The one for 2.28.9 fits, at other lines."]
missing_drivers:
  description: The requested native drivers that were not built, by kernel.
  returned: success, O(state=present)
  type: dict
  sample: {5.14.0-570.17.1.el9_6.x86_64: [ixgbe]}
"""

import os
from collections.abc import Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import UNIT, Host, write_file
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.install import remove
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.package import packed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.program import set_up_all

RESULT = ("changed", "diff", "build", "fetch", "files", "prune", "start", "unit_ready", "missing_drivers", "notes")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "settings": {"type": "dict", "required": True},
            "files": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )

    def get_archive(driver: Mapping[str, str]) -> None:
        # Here, as it loads what speaks HTTP and TLS, and nothing is fetched in most runs.
        from ansible.module_utils.urls import fetch_file

        got = Host().path(fetch_file(module, driver["url"], timeout=60))
        if sha256(got) != driver["sha256"]:
            raise TrafficgenError(
                f"its checksum is not the one set for {driver['name']}",
                on=driver["url"],
                remedy="Correct its checksum, or its url, in netmap_external_drivers.",
            )
        write_file(Host().path(driver["archive"]), got.read_bytes(), 0o600)

    given = module.params
    os.umask(0o022)
    try:
        if os.geteuid() != 0:
            raise TrafficgenError("netmap's modules and settings need root", remedy="Run the role with become: true.")
        if given["state"] == "absent":
            result = remove(Host(), given["settings"], check=module.check_mode)
        else:
            wanted = {**given["settings"], "files": given["files"], "program": packed()}
            result = set_up_all(Host(), wanted, get_archive, check=module.check_mode)
            result["unit_ready"] = unit_is_ready(start=result["start"])
            for note in [] if module.check_mode else result["notes"]:
                module.warn(note)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    module.exit_json(**{name: result[name] for name in RESULT if name in result})


def unit_is_ready(*, start: bool) -> bool:
    """Whether systemd has nothing to do with the boot unit: the role's next task takes seconds over SSH."""
    try:
        said = run(["systemctl", "show", "--property=UnitFileState", "--property=ActiveState", UNIT])
    except TrafficgenError:  # no systemd: the next task says so
        return False
    states = said.stdout.split()
    return "UnitFileState=enabled" in states and ("ActiveState=active" in states or not start)


if __name__ == "__main__":
    main()
