#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: run the command that reads a receiver's counter. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: receiver_command
short_description: Run the command that reads a receiver's counter
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Runs a command without a shell, as M(ansible.builtin.command) does, for the role
    P(wirespeed.trafficgen.throughput#role).
  - It differs for a host that cannot be reached. Up to ansible-core 2.18 the registered reason, which contains the
    host's own words, is evaluated as a template. Here it is text.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
attributes:
  check_mode:
    support: none
    details: The command is not run, because its effects are unknown.
  diff_mode:
    support: none
  idempotent:
    support: N/A
    details: It depends on the command.
  platform:
    support: full
options:
  argv:
    description: The command and its arguments, one word each.
    type: list
    elements: str
    required: true
seealso:
  - module: ansible.builtin.command
  - module: wirespeed.trafficgen.interface_counters_info
"""

EXAMPLES = r"""
- name: Read a switch's counter
  wirespeed.trafficgen.receiver_command:
    argv: [/usr/local/bin/read-port, sw1, "17"]
  register: before
  delegate_to: localhost
  changed_when: false
"""

RETURN = r"""
rc:
  description: Its exit status.
  returned: when it was run
  type: int
  sample: 0
stdout:
  description: What it printed.
  returned: when it was run
  type: str
  sample: "322555000"
stderr:
  description: What it said besides.
  returned: when it was run
  type: str
"""
