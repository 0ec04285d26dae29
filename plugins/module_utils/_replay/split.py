# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker a frame belongs to. Pure."""

from __future__ import annotations

import zlib

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import FlowCounter

SPLITS = ("frame", "flow")
_KNOWN_FLOWS = 1 << 16  # kept at hand with their workers
_ICMP = (1, 58)


class FlowSplit:
    """Which worker a frame's flow belongs to; both directions of a flow to the same, what is no IP to the first."""

    def __init__(self, workers: int, link_type: int) -> None:
        self._workers = workers
        self._flows = FlowCounter(link_type)
        self._known: dict[bytes, int] = {}

    def worker(self, block: bytes, offset: int, length: int) -> int:
        """The number of the worker that sends the frame of ``length`` bytes at ``offset``."""
        key = self._flows.key(block, offset, length)
        if key is None:
            return 0
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN_FLOWS:
                self._known.clear()
            found = self._known[key] = zlib.crc32(_both_ways(key)) % self._workers
        return found


def _both_ways(key: bytes) -> bytes:
    """A flow's key, the same for both directions: of an ICMP message, whose answer has another type, without that."""
    addresses = 32 if len(key) >= 33 else 8
    middle, end = 1 + addresses // 2, 1 + addresses
    ends = [key[1:middle], key[middle:end]]
    ports = b"" if key[0] in _ICMP else key[end:]
    if len(ports) == 4:
        ends = [ends[0] + ports[:2], ends[1] + ports[2:]]
    return key[:1] + b"".join(sorted(ends))
