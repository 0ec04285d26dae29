#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what a demo left in its folder: check_demo.py FOLDER L1_MBPS (the set rate, one that a busy machine can
keep)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

folder, asked = Path(sys.argv[1]), float(sys.argv[2])
results = json.loads((folder / "results.json").read_text())
table = (folder / "table.txt").read_text().splitlines()

assert len(results) == 8, "four pcaps, each at a set rate and at top speed"
assert len(table) >= 1 + len(results), table
for number, result in enumerate(results):
    name = result["name"]
    assert table[1 + number].startswith(name), table
    stats, rates, counters = result["stats"], result["rates"], result["counters"]
    print(name, stats["packets"], counters)
    # One frame for each of the ports 1024 to 65534, of 64 or 1500 bytes of IP and 14 of Ethernet.
    assert [pcap["packets"] for pcap in result["run"]["pcaps"]] == [64511], name
    frame = 14 + int(name.rsplit("_", 1)[1])
    assert stats["bytes"] == stats["packets"] * frame, name
    # What arrived is the receiver's own count, not the sender's again, and no frame came from nowhere.
    assert counters["rx"]["source"].startswith("nft"), counters
    assert 0 < counters["rx"]["packets"] <= counters["tx"]["packets"], counters
    assert counters["loss_packets"] == counters["tx"]["packets"] - counters["rx"]["packets"], counters
    assert counters["verdict"] in ("consistent", "short"), counters
    # On the line a frame is 24 bytes longer: FCS, preamble, gap.
    assert abs(rates["l1_mbps"] - rates["pps"] * (frame + 24) * 8 / 1e6) < 0.01 * rates["l1_mbps"], rates
    reached = result["run"]["rate_reached"]
    if number < 4:
        assert abs(reached - rates["l1_mbps"] / asked) < 0.001, result["run"]
        assert f" {reached * 100:.1f} % " in table[1 + number], table
        assert any(line.startswith(f"{name}: The rate asked for was missed") for line in table) == (reached < 0.99), (
            table
        )
        assert 0.9 * asked < rates["l1_mbps"] < 1.01 * asked, (
            f"{name}: asked for {asked} Mbit/s, sent {rates['l1_mbps']}"
        )
        assert counters["loss_packets"] == 0, counters
    else:
        assert reached is None, result["run"]
print("the demo's eight results add up")
