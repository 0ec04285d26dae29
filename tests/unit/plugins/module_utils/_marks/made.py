# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marked frames, as the module pcap makes them, and what it tells of them."""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic

UDP = {"layers": ["Ether", "IP", {"UDP": {"dport": "1-60000"}}], "size": 64}
TCP = {"layers": ["Ether", "IP", {"TCP": {"dport": "1-60000"}}], "size": 64}


def frames(*streams, test=7):
    traffic, _link_type, _nanoseconds = read_traffic(list(streams), 0, test)
    found = []
    for block in traffic.blocks():
        data, at = bytes(block), 0
        while at < len(data):
            length = int.from_bytes(data[at + 8 : at + 12], "little")
            found.append(data[at + 16 : at + 16 + length])
            at += 16 + length
    return found


def marks(*marked, test=7, unmarked=0):
    streams = [{"stream": n, "name": None, "marked": one, "unmarked": unmarked} for n, one in enumerate(marked)]
    return {"test": test, "streams": streams}
