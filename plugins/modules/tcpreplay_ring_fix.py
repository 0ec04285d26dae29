#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: repair one function in tcpreplay's sources. The role tcpreplay uses it before it builds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tcpreplay_ring_fix
short_description: Make tcpreplay's sources wait for the netmap rings that they send on
version_added: 1.0.0
description:
  - Used by the role P(wirespeed.trafficgen.tcpreplay#role).
  - A tcpreplay that sends on a netmap ring other than the first (C(netmap:IF-1)) never ends, because its wait for the
    last frames begins with the first ring, which it does not have. This module makes the function
    C(netmap_tx_queues_empty()) in C(src/common/netmap.c) begin with the process's own first ring, and go back to that
    one. Nothing else in the file changes.
  - Sources in which that function is not the one of tcpreplay 4.3.4 to 4.6.0-beta2 are refused, and stay as they are.
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
  source:
    description:
      - The folder of the unpacked sources.
    type: path
    required: true
seealso:
  - module: wirespeed.trafficgen.tcpreplay_info
"""

EXAMPLES = r"""
- name: Repair it
  wirespeed.trafficgen.tcpreplay_ring_fix:
    source: /usr/src/tcpreplay-4.4.2
"""

RETURN = r""" # """

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import write_whole
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import SOURCE, fix

ARGUMENT_SPEC = {"source": {"type": "path", "required": True}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    path = os.path.join(module.params["source"], SOURCE)
    try:
        with open(path, "rb") as file:
            content, mode = file.read(), os.fstat(file.fileno()).st_mode & 0o777
        before = content.decode("utf-8", "surrogateescape")
        after = fix(before)
        if after != before and not module.check_mode:
            write_whole(path, after.encode("utf-8", "surrogateescape"), mode)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    module.exit_json(changed=after != before, diff=diff)


if __name__ == "__main__":
    main()
