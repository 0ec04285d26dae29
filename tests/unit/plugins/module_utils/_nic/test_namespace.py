# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work inside a network namespace, and the way back out."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside


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
