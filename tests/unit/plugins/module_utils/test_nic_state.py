# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _nic_state
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# The beginning of what ethtool 6.1 said of an e1000 whose transmit checksums had been turned off.
E1000 = """\
Features for ens4:
rx-checksumming: off
tx-checksumming: off
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: off
\ttx-checksum-sctp: off [fixed]
scatter-gather: off
\ttx-scatter-gather: off [requested on]
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off [requested on]
\ttx-tcp-mangleid-segmentation: off
generic-segmentation-offload: off [requested on]
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: on
highdma: off [fixed]
rx-all: off
"""


def test_features():
    assert _nic_state.parse_features(E1000) == {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": True,
        "tx-tcp-mangleid-segmentation": False,
        "generic-segmentation-offload": True,
        "generic-receive-offload": True,
        "rx-vlan-offload": True,
        "rx-all": False,
    }


def test_only_what_differs_is_changed():
    before = {"rx-checksumming": True, "tx-checksum-ip-generic": True, "generic-receive-offload": True, "rx-all": False, "gone": True}
    now = {"rx-checksumming": False, "tx-checksum-ip-generic": False, "generic-receive-offload": True, "rx-all": True, "new": True}
    assert _nic_state.to_change(now, before) == ["rx", "on", "tx-checksum-ip-generic", "on", "rx-all", "off"]
    assert _nic_state.to_change(before, before) == []


@pytest.fixture
def nic():
    """A veth in a network namespace: its interface and namespace."""
    name = f"tgnic{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "tga0", "type", "veth", "peer", "name", "tga1"], check=True)
        yield "tga0", name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def ethtool(nic, *words):
    done = subprocess.run(
        ["ip", "netns", "exec", nic[1], "ethtool", words[0], nic[0], *words[1:]], capture_output=True, text=True, check=True
    )
    return done.stdout


def promisc(nic, setting):
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "promisc", setting], check=True)


def test_what_tcpreplay_changes_is_put_back(nic):
    ethtool(nic, "-K", "tx-sctp-segmentation", "off")
    before, shown = _nic_state.read(*nic), ethtool(nic, "-k")
    assert "tx-checksumming: on" in shown and before.promiscuous is False
    # As tcpreplay does when it is killed.
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")
    promisc(nic, "on")
    assert ethtool(nic, "-k") != shown
    _nic_state.put_back(before, *nic)
    assert ethtool(nic, "-k") == shown
    assert _nic_state.read(*nic) == before


def test_promiscuous_mode_that_was_on_stays_on(nic):
    promisc(nic, "on")
    before = _nic_state.read(*nic)
    _nic_state.put_back(before, *nic)
    assert _nic_state.read(*nic).promiscuous is True
    promisc(nic, "off")
    _nic_state.put_back(before, *nic)
    assert _nic_state.read(*nic).promiscuous is True


def test_offloads_go_off_as_tcpreplays_own_requests_do(nic):
    before = _nic_state.read(*nic)
    _nic_state.turn_offloads_off(*nic)
    ours = ethtool(nic, "-k")
    _nic_state.put_back(before, *nic)
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")  # the ioctls tcpreplay uses
    assert ethtool(nic, "-k") == ours
    _nic_state.turn_offloads_off(*nic)
    assert ethtool(nic, "-k") == ours


def test_an_interface_that_is_gone(nic):
    before = _nic_state.read(*nic)
    subprocess.run(["ip", "-n", nic[1], "link", "delete", nic[0]], check=True)
    with pytest.raises(TrafficgenError, match=r"tga0: `ip -j link show dev tga0` failed: .*does not exist"):
        _nic_state.put_back(before, *nic)
