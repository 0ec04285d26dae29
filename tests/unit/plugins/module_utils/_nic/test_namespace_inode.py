# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of a network namespace, by which one port is told from another."""

from __future__ import annotations

import subprocess

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import namespace


def test_it_is_the_one_that_every_process_in_it_has():
    assert (
        subprocess.check_output(["readlink", "/proc/self/ns/net"], text=True).strip()
        == f"net:[{namespace.inode(None)}]"
    )


def test_two_names_for_one_are_one(tmp_path, monkeypatch):
    monkeypatch.setattr(namespace, "NETNS_FOLDER", str(tmp_path))
    (tmp_path / "left").symlink_to("/proc/self/ns/net")
    assert namespace.inode("left") == namespace.inode(None)
    assert namespace.inode("nowhere") is None
