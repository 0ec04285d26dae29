# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is not Ansible's own. It has its own folder, and an option to refuse a second connection."""

from __future__ import annotations

DOCUMENTATION = r"""
name: elsewhere
short_description: Run in another folder
description: For the tests of this collection only.
author: The wirespeed.trafficgen developers (!UNKNOWN)
options:
  folder:
    description: The folder.
    type: path
    required: true
    vars:
      - name: elsewhere_folder
  once:
    description: What to refuse of a second connection, V(made) or V(used).
    type: str
    vars:
      - name: elsewhere_once
"""

import shlex
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    """The connection ``local``, in a folder."""

    transport = "elsewhere"
    first: Any = None  # that was used in this process, which has one host

    def set_option(self, option: str, value: Any) -> None:
        """Refuse to be set up if asked to: Ansible sets all options at once."""
        super().set_option(option, value)
        if option == "once" and value == "made":
            raise AnsibleConnectionFailure("one only")

    def exec_command(self, cmd: str, in_data: Any = None, sudoable: bool = True) -> Any:
        """Run a command there."""
        Connection.first = Connection.first or self
        if self is not Connection.first and self.get_option("once") == "used":
            raise AnsibleConnectionFailure("one at a time")
        return super().exec_command(f"cd {shlex.quote(self.get_option('folder'))} && {cmd}", in_data, sudoable)
