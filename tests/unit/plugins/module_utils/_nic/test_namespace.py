# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/dev/netmap against a stand-in whose layouts are C's own, by ctypes; and network namespaces for real, where they can
be made."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside


@pytest.fixture
def netns():
    name = f"tgns{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    subprocess.run(["ip", "-n", name, "link", "add", "tga0", "type", "veth", "peer", "name", "tga1"], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_back_in_its_own_namespace_after_an_error(netns):
    own = os.stat("/proc/self/ns/net").st_ino
    with pytest.raises(ZeroDivisionError), inside(netns):
        assert os.stat("/proc/self/ns/net").st_ino != own
        raise ZeroDivisionError
    assert os.stat("/proc/self/ns/net").st_ino == own


@pytest.mark.parametrize("name", ["nosuchns", "../x"])
def test_no_such_namespace(name):
    with pytest.raises(TrafficgenError, match=name), inside(name):
        pass
