# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection into a folder with a system in it, by chroot. The folder is the host's address."""

from __future__ import annotations

DOCUMENTATION = r"""
name: root
short_description: Run in a folder that holds a system
description: For the tests of this collection only.
author: The wirespeed.trafficgen developers (!UNKNOWN)
options:
  remote_addr:
    description: The folder.
    type: path
    vars:
      - name: ansible_host
  remote_user:
    description: Who to be in there.
    type: str
    default: root
    vars:
      - name: ansible_user
"""

import os
import shutil
from typing import Any

from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    """The connection ``local``, in another root."""

    transport = "root"

    def _root(self) -> str:
        return str(self.get_option("remote_addr"))

    def exec_command(self, cmd: str, in_data: Any = None, sudoable: bool = True) -> Any:
        """Run a command, as the shell in that root takes it."""
        user, root, cmd = (self._shell.quote(word) for word in (str(self.get_option("remote_user")), self._root(), cmd))
        return super().exec_command(f"chroot --userspec={user} {root} /bin/sh -c {cmd}", in_data, sudoable)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file in."""
        if log := os.environ.get("MODULES_RUN"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{os.path.basename(out_path)}\n")
        super().put_file(in_path, self._root() + out_path)
        shutil.chown(self._root() + out_path, str(self.get_option("remote_user")))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out."""
        super().fetch_file(self._root() + in_path, out_path)
