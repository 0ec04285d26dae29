# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._interface_lock import only_run

# Numbers no interface has, another one for each process of a parallel test run.
INDEX = 1_000_000_000 + os.getpid() * 10


def test_one_run_at_a_time():
    with only_run("ens17", INDEX, None):
        with pytest.raises(TrafficgenError, match=r"ens17: another run is sending on it\. Wait"), only_run("ens17", INDEX, None):
            raise AssertionError
        with only_run("ens18", INDEX + 1, None):
            pass
    with only_run("ens17", INDEX, None):
        pass


def test_the_lock_goes_with_the_process():
    child = os.fork()
    if child == 0:
        with only_run("ens17", INDEX + 2, None):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with only_run("ens17", INDEX + 2, None):
        pass


def test_a_namespace_has_interfaces_of_its_own():
    name = f"tglock{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        refused = pytest.raises(TrafficgenError, match="another run")
        with only_run("ens17", INDEX, None), only_run("ens17", INDEX, name), refused, only_run("ens17", INDEX, name):
            raise AssertionError
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
