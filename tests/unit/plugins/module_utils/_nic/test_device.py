# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import parse_features

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
    on, wanted = parse_features(E1000)
    assert on == ["tx-scatter-gather", "generic-receive-offload", "rx-vlan-offload", "tx-vlan-offload"]
    assert wanted == {
        "rx-checksumming": False,
        "tx-checksum-ip-generic": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": False,
        "tx-tcp-mangleid-segmentation": False,
        "generic-segmentation-offload": False,
        "generic-receive-offload": True,
        "rx-vlan-offload": True,
    }
    on, wanted = parse_features(VETH)
    assert on == ["rx-checksumming", "tx-scatter-gather", "generic-segmentation-offload", "tx-lockless"]
    assert wanted == {
        "rx-checksumming": True,
        "tx-checksum-ip-generic": False,
        "tx-checksum-sctp": False,
        "tx-scatter-gather": True,
        "tx-tcp-segmentation": True,
        "tx-tcp-ecn-segmentation": True,
        "generic-segmentation-offload": True,
    }
