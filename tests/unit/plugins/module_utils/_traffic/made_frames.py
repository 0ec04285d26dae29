# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames made from a spec, and what the specs of the tests have in common."""

from __future__ import annotations

import struct

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
IPS = {"src": "198.18.0.1", "dst": "198.18.0.2"}
IP6S = {"src": "2001:2::1", "dst": "2001:2::2"}


def records(streams, interval=0.000001):
    """The records made from a spec: (seconds, fraction, frame)."""
    traffic, _link_type, _nanoseconds = read_traffic(streams, interval)
    data = b"".join(bytes(block) for block in traffic.blocks())
    found, at = [], 0
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack_from("<IIII", data, at)
        assert captured == length
        found.append((seconds, fraction, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    assert len(found) == traffic.frames
    return found


def frames(*streams):
    return [frame for _seconds, _fraction, frame in records(list(streams))]


def layers(*given, **options):
    return {"layers": list(given), **options}
