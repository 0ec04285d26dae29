# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams in one file: in blocks, in turn by weight, with their times."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import interleave
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.made_frames import (
    IPS,
    MACS,
    frames,
    layers,
    records,
)


def test_many_sizes_are_few_templates_and_small_blocks():
    # A full sweep's templates with their padding, or a thousand jumbo frames in a block, would be a hundred megabytes.
    sweep = layers("Ether", "IP", {"UDP": {"dport": "1-900"}}, size={"start": 9000, "end": 19000}, count=3000)
    traffic, _link_type, _nanoseconds = read_traffic([sweep], 0)
    assert max(len(block) for block in traffic.blocks()) <= interleave.BLOCK
    (stream,) = traffic.streams
    assert len(stream._templates) == 3000
    assert max(len(template.head) for template in stream._templates.values()) == 16 + 42
    # Equal sizes in a cycle of sizes share one template.
    weights = {"weights": [{"size": 64, "weight": 997}, {"size": 100, "weight": 991}]}
    traffic, _link_type, _nanoseconds = read_traffic([layers("Ether", "IP", "UDP", size=weights, count=4000)], 0)
    assert sum(len(block) for block in traffic.blocks()) == 4000 * 16 + traffic.total_bytes()
    assert len(traffic.streams[0]._templates) == 2


def test_a_file_longer_than_a_block_goes_on_where_the_block_ended():
    count = 3 * interleave.BLOCK // 76
    made = frames(layers("Ether", {"IP": {"src": "10.0.0.0/8"}}, {"UDP": {"dport": "1-7"}}, size=64, count=count))
    for number in [*range(0, count, 997), count - 1]:
        address, port = divmod(number, 7)
        packet = (
            Ether(**MACS)
            / IP(src=f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}", dst=IPS["dst"])
            / UDP(dport=port + 1)
        )
        assert made[number] == bytes(packet / Raw(bytes(18)))


def test_streams_follow_one_another_or_take_turns_by_weight():
    one, other = (
        layers("Ether", "IP", {"UDP": {"dport": "1-100"}}),
        layers("Ether", "IP", {"UDP": {"dport": "201-230"}}),
    )

    def ports(*streams):
        return [int.from_bytes(frame[36:38], "big") for frame in frames(*streams)]

    assert ports(one, other) == [*range(1, 101), *range(201, 231)]
    mixed = ports({**one, "weight": 2}, {**other, "weight": 1})
    assert mixed[:6] == [1, 201, 2, 3, 202, 4]
    # The second stream is used up after 30 turns; the first goes on alone, and no frame is lost or doubled.
    assert mixed[90:] == list(range(61, 101))
    assert sorted(mixed) == [*range(1, 101), *range(201, 231)]


def test_a_stream_that_ends_within_a_turn_leaves_its_places_to_no_one():
    one, other = (
        layers("Ether", "IP", {"UDP": {"dport": "1-7"}}, weight=3),
        layers("Ether", "IP", {"UDP": {"dport": "101-120"}}, weight=2),
    )
    ports = [int.from_bytes(frame[36:38], "big") for frame in frames(one, other)]
    assert sorted(ports) == [*range(1, 8), *range(101, 121)]
    assert [port for port in ports if port < 100] == list(range(1, 8))
    assert [port for port in ports if port > 100] == list(range(101, 121))


@pytest.mark.parametrize("interval", [0, 0.000001, 0.01, 1.5, 0.000000067])
def test_frame_i_has_the_time_i_times_the_interval(interval):
    per_second = 10**9 if interval == 0.000000067 else 10**6
    ticks = round(interval * per_second)
    made = records([layers("Ether", "IP", {"UDP": {"dport": "1-40000"}}, count=40000)], interval)
    assert [(seconds, fraction) for seconds, fraction, _frame in made] == [
        divmod(i * ticks, per_second) for i in range(40000)
    ]


def test_lengths_are_known_beforehand():
    for spec in (
        layers("Ether", "IP", "UDP", size={"start": 64, "end": 99}, count=100),
        layers("Ether", "IP", {"UDP": {"dport": "1-9"}}),
    ):
        traffic, _link_type, _nanoseconds = read_traffic([spec], 0)
        assert traffic.total_bytes() == sum(len(frame) for frame in frames(spec))


def test_the_frames_counted_by_size_are_the_frames():
    traffic, _link_type, _nanoseconds = read_traffic([{"preset": "imix", "count": 1207}], 0)
    for _block in traffic.blocks():
        pass
    # 100 turns of 7:4:1, and the first seven of another.
    assert sum(traffic.sizes.values()) == 1207
    assert set(traffic.sizes) == {60, 566, 1514}
    assert traffic.sizes[1514] in (100, 101)
