# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils import _nic_state

# What ethtool 6.1 said of an e1000 of QEMU's after `ethtool -K tg0 tx off tso off gso off`, in part.
E1000 = """\
Features for tg0:
rx-checksumming: off
tx-checksumming: off
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: off
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: off [fixed]
generic-segmentation-offload: off
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: on
tx-vlan-offload: on [fixed]
ntuple-filters: off [fixed]
receive-hashing: off [fixed]
highdma: off [fixed]
"""
# And of a veth's after `ethtool -K v0 tx off`, in part.
VETH = """\
Features for v0:
rx-checksumming: on
tx-checksumming: off
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: off
\ttx-checksum-sctp: off
scatter-gather: on
\ttx-scatter-gather: on
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off [requested on]
\ttx-tcp-ecn-segmentation: off [requested on]
generic-segmentation-offload: on
tx-lockless: on [fixed]
"""


def test_features():
    assert _nic_state.parse_features(E1000) == {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": False,
        "tx-tcp-mangleid-segmentation": False,
        "generic-segmentation-offload": False,
        "generic-receive-offload": True,
        "rx-vlan-offload": True,
    }
    assert _nic_state.parse_features(VETH) == {
        "rx-checksumming": True,
        "tx-checksum-ip-generic": False,
        "tx-checksum-sctp": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": True,
        "tx-tcp-ecn-segmentation": True,
        "generic-segmentation-offload": True,
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
    assert _nic_state.put_back(before, *nic) == []
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
    _nic_state.turn_offloads_off(before, *nic)
    ours = ethtool(nic, "-k")
    _nic_state.put_back(before, *nic)
    ethtool(nic, "-K", "gso", "off", "tso", "off", "rx", "off", "tx", "off")  # the ioctls tcpreplay uses
    assert ethtool(nic, "-k") == ours
    _nic_state.turn_offloads_off(_nic_state.read(*nic), *nic)
    assert ethtool(nic, "-k") == ours


def set_qdisc(nic, *words):
    subprocess.run(["tc", "-n", nic[1], "qdisc", "replace", "dev", nic[0], "root", *words], check=True)


def test_the_qdisc_that_netmap_leaves_behind_goes(nic):
    before = _nic_state.read(*nic)
    assert before.qdisc == "noop"  # it is down
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "up"], check=True)
    before = _nic_state.read(*nic)
    assert before.qdisc == "noqueue"
    set_qdisc(nic, "pfifo")
    assert _nic_state.put_back(before, *nic) == []
    assert _nic_state.read(*nic) == before


def test_a_qdisc_of_the_users_is_named(nic):
    subprocess.run(["ip", "-n", nic[1], "link", "set", "dev", nic[0], "up"], check=True)
    set_qdisc(nic, "tbf", "rate", "1mbit", "burst", "10kb", "latency", "10ms")
    before = _nic_state.read(*nic)
    assert _nic_state.put_back(before, *nic) == []
    assert _nic_state.read(*nic).qdisc == "tbf"
    set_qdisc(nic, "pfifo")
    promisc(nic, "on")
    assert _nic_state.put_back(before, *nic) == [
        "tga0: netmap replaced its root qdisc tbf, and now it is noqueue. Set it up again with `tc`."
    ]
    assert _nic_state.read(*nic).promiscuous is False


def test_an_interface_that_is_gone(nic):
    before = _nic_state.read(*nic)
    subprocess.run(["ip", "-n", nic[1], "link", "delete", nic[0]], check=True)
    complaints = _nic_state.put_back(before, *nic)
    assert len(complaints) == 3
    assert complaints[0].startswith("tga0: `ethtool -k tga0` failed: ") and "does not exist" in complaints[1]
