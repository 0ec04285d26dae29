# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write 4000 frames from 02:00:00:00:00:01 to argv[1]: IPv4, VLAN-tagged, double-tagged, and not IP, 1000 each."""

from __future__ import annotations

import struct
import sys

MACS = bytes.fromhex("020000000002 020000000001")
IPV4 = bytes.fromhex("4500002e000000004011ee97 c6120001 c6120002") + bytes(30)  # 198.18.0.1 > 198.18.0.2, UDP
HEADERS = ("0800", "81000005 0800", "88a80005 81000006 0800", "88b5")

with open(sys.argv[1], "wb") as pcap:
    pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for header in HEADERS:
        frame = MACS + bytes.fromhex(header) + IPV4
        pcap.write((struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame) * 1000)
