# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _netmap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


@pytest.fixture
def host(tmp_path):
    """The root of a host that has netmap loaded, with e1000's driver under its own name and ixgbe's under another."""
    module = tmp_path / "sys/module/netmap"
    for folder in ("holders/e1000_netmap", "holders/ixgbe", "parameters"):
        (module / folder).mkdir(parents=True)
    (module / "srcversion").write_text("55D5E1C7E5B4B1C5D0A3D1F\n")
    (module / "parameters/buf_size").write_text("4096\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/netmap").touch()
    return tmp_path


def test_a_host_with_netmap(host):
    assert _netmap.loaded(str(host))
    _netmap.require(str(host))
    assert _netmap.version(str(host)) == "55D5E1C7E5B4B1C5D0A3D1F"
    assert _netmap.buffer_size(str(host)) == 4096


@pytest.mark.parametrize("missing", ["sys", "dev"])
def test_a_host_without_netmap(host, missing):
    shutil.rmtree(host / missing)
    assert not _netmap.loaded(str(host))
    with pytest.raises(TrafficgenError, match=r"netmap is not loaded on this host\. Load netmap on this host"):
        _netmap.require(str(host))
    if missing == "sys":
        assert _netmap.version(str(host)) is None
        assert _netmap.buffer_size(str(host)) == 2048


@pytest.mark.parametrize(
    ("driver", "mode"),
    [("e1000-netmap", "native"), ("ixgbe", "native"), ("e1000", "emulated"), ("veth", "emulated"), (None, "emulated"), ("", "emulated")],
)
def test_native_or_emulated(host, driver, mode):
    assert _netmap.mode(driver, str(host)) == mode
