#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installed tcpreplay is, and whether its netmap can be used."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tcpreplay_info
short_description: Tell what the installed tcpreplay is, and whether its netmap can be used
version_added: 0.1.0
description:
  - Asks C(tcpreplay --version), and returns its version, what it was built with, its injection methods, and whether its
    netmap works.
  - Some versions of tcpreplay are built with netmap but fail with it on every network card. This module knows them.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.executable
  platform:
    support: full
options:
  executable:
    description:
      - The tcpreplay to ask. By default the first one on E(PATH). If E(PATH) has no C(/usr/local), as with sudo on EL,
        that is searched first.
    type: path
requirements:
  - tcpreplay 4.0 or later
seealso:
  - module: wirespeed.trafficgen.tcpreplay
"""

EXAMPLES = r"""
- name: See which tcpreplay is there
  wirespeed.trafficgen.tcpreplay_info:
  register: result

- name: Refuse one whose netmap fails
  ansible.builtin.assert:
    that: result.tcpreplay_info.netmap.usable
    fail_msg: "{{ result.tcpreplay_info.netmap.reason }}"

- name: Look at one that was built by hand
  wirespeed.trafficgen.tcpreplay_info:
    executable: /opt/tcpreplay-4.4.2/bin/tcpreplay
"""

RETURN = r"""
tcpreplay_info:
  description: What this tcpreplay is, and what it can do.
  returned: success
  type: dict
  contains:
    path:
      description: The program that was asked.
      type: str
      sample: /usr/local/bin/tcpreplay
    version:
      description: Its version.
      type: str
      sample: 4.4.2
    build:
      description: What it was built with. A value is null if this version does not tell.
      type: dict
      contains:
        git:
          description: The state of the sources.
          type: str
          sample: git:v4.4.2
        debug:
          description: Whether it is a debug build, whose messages name a line of the source.
          type: bool
        libpcap:
          description: The version of libpcap.
          type: str
          sample: 1.10.3
        libdnet:
          description: The version of libdnet.
          type: str
        counters_64bit:
          description: Whether packets are counted in 64 bits.
          type: bool
        verbose:
          description: Whether packets can be printed through tcpdump.
          type: bool
        packet_editing:
          description: Whether packets can be edited as they are sent.
          type: bool
        fragroute:
          description: Whether the fragroute engine is built in.
          type: bool
    injection_methods:
      description:
        - Its injection methods, the default one first, with the names of
          O(wirespeed.trafficgen.tcpreplay#module:injection_method).
        - This includes methods that the option does not accept (such as V(libpcap)).
      type: list
      elements: str
      sample: [pf_packet, netmap]
    default_injection_method:
      description: Its default method.
      type: str
      sample: pf_packet
    netmap:
      description: Whether its netmap works.
      type: dict
      contains:
        usable:
          description:
            - Whether this tcpreplay can send through netmap on a network card, once netmap is loaded.
            - Null if nobody has tried this version.
          type: bool
        reason:
          description: The reason, in one sentence.
          type: str
          sample: versions 4.3.4 to 4.4.3 work
        module_loaded:
          description: Whether the running kernel has netmap.
          type: bool
        rings:
          description:
            - V(all) if it can send on each of a port's rings, so that O(wirespeed.trafficgen.tcpreplay#module:workers)
              can be more than one. V(one) if it can send on the first only, as tcpreplay's own sources have it.
            - From the record of the role P(wirespeed.trafficgen.tcpreplay#role), by the program's hash. Null for a
              program that the role has not built, without root, and without netmap.
          type: str
          sample: all
          version_added: 1.0.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import find_executable, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import (
    REMEDY,
    netmap_verdict,
    parse_version,
)

ARGUMENT_SPEC = {"executable": {"type": "path"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        path = find_executable(module.params["executable"] or "tcpreplay", REMEDY)
        answer = run([path, "--version"])
        version = parse_version(answer.stdout + answer.stderr)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    usable, reason = netmap_verdict(version)
    netmap = {
        "usable": usable,
        "reason": reason,
        "module_loaded": installed.loaded(),
        "rings": rings(path, version),
    }
    module.exit_json(changed=False, tcpreplay_info={"path": path, **version.as_result(), "netmap": netmap})


if __name__ == "__main__":
    main()
