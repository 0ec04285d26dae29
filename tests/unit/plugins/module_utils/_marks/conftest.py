# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A veth to send marked frames over."""

from __future__ import annotations

import socket
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside


@pytest.fixture
def wire(netns, tmp_path):
    """The receiving interface, a function that sends frames to it, and a path for the receiver's sign."""
    for name in ("tga0", "tga1"):
        subprocess.run(["ip", "-n", netns, "link", "set", name, "addrgenmode", "none", "up"], check=True)
    with inside(netns):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind(("tga0", 0))

    def send(some):
        for frame in some:
            sender.send(frame)

    yield Interface("tga1", netns), send, tmp_path / "ready"
    sender.close()
