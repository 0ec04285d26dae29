# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of frames as the kernel lays them out, read in columns and one by one: the same marks, in the same order."""

from __future__ import annotations

import random
import struct

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import frames
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import LONG, SHORT, Mark, StreamMarks

TEST = 7
BEGAN = 1_795_928_543


def ip4(number, *, stream=0, payload=18, length=LONG, test=TEST, behind=b""):
    """An IPv4 packet without options or meaning, a mark at its end."""
    mark = StreamMarks(test, stream, 1 << 20).mark(length, number)
    body = bytes(8 + payload - length) + mark
    return frames.IP4, struct.pack(">BBH", 0x45, 0, 20 + len(body)) + bytes(16) + body + behind


def ip6(number, payload=18):
    body = bytes(payload - LONG) + StreamMarks(TEST, 0, 1 << 20).mark(LONG, number)
    return frames.IP6, b"\x60\0\0\0" + struct.pack(">H", len(body)) + bytes(34) + body


def tagged(number):
    protocol, packet = ip4(number)
    return 0x8100, struct.pack(">HH", 5, protocol) + packet + bytes(4)


def plain(number, payload=32):
    return 0x88B5, bytes(payload) + StreamMarks(TEST, 0, 1 << 20).mark(LONG, number)


def block(made):
    """As tpacket_rcv() and prb_fill_curr_block() write it; a frame each microsecond."""
    data = bytearray(48)
    for index, (protocol, packet) in enumerate(made):
        size = (96 + len(packet) + 7) // 8 * 8
        behind = 0 if index == len(made) - 1 else size
        head = struct.pack("=6IHH", behind, BEGAN, 1000 * index, len(packet), len(packet), 1, 96, 96)
        head = head.ljust(48, b"\0") + struct.pack("=H", 17) + struct.pack(">H", protocol)
        data += (head.ljust(96, b"\0") + packet).ljust(size, b"\0")
    return data


def found(made, reader=frames.read_block):
    """Each mark (None: altered) with its time, in the order in which each stream's are told."""
    marks = []
    for run in reader(block(made), 48, len(made), TEST):
        for later in range(run.frames):
            mark = run.mark and run.mark._replace(number=run.mark.number + later)
            marks.append((run.time_of(later) - BEGAN * 10**9, mark))
    return sorted(marks, key=lambda one: one[0])


def wanted(numbers, stream=0):
    return [(1000 * index, Mark(TEST, stream, number)) for index, number in enumerate(numbers)]


def in_columns(made):
    return frames._equal_frames(block(made), 48, len(made), TEST)


NUMBERS = {
    "in sequence": range(1000, 1100),
    "across 16 bits": range(65_500, 65_600),
    "lost and doubled": [n for n in range(100) for _copy in range((0, 1, 1, 2)[n % 4])],
    "backwards": range(100, 0, -1),
    "reordered between the same ends": [0, 1, 3, 2, *range(4, 20)],
    "two": [5, 6],
}


@pytest.mark.parametrize("frame", [ip4, ip6, tagged, plain], ids=["ip4", "ip6", "tagged", "plain"])
@pytest.mark.parametrize("name", NUMBERS)
def test_equal_frames(name, frame):
    numbers = list(NUMBERS[name])
    assert found([frame(number) for number in numbers]) == wanted(numbers)


@pytest.mark.parametrize("length", [LONG, SHORT])
def test_columns_are_read_where_frames_are_equal(length):
    made = [ip4(number, length=length, stream=3) for number in range(50)]
    (run,) = in_columns(made)
    assert (run.mark, run.frames, run.time_of(49)) == (Mark(TEST, 3, 0), 50, BEGAN * 10**9 + 49_000)
    assert found(made) == found(made, frames._one_by_one) == wanted(range(50), stream=3)
    numbers = [*range(20), *range(30, 60)]
    made = [ip4(number, length=length, stream=3) for number in numbers]
    assert len(in_columns(made)) == 2
    assert found(made) == wanted(numbers, stream=3)


@pytest.mark.parametrize(
    "odd",
    [
        ip4(20, payload=100),
        ip4(20, stream=1),
        ip4(20, test=8),
        ip4(20, length=SHORT),
        ip4(20, payload=14, behind=bytes(4)),  # as long, but padded
        ip6(20),
        plain(20, payload=31),
        (frames.IP4, bytes(46)),
    ],
    ids=["longer", "other stream", "other test", "short mark", "padded", "IPv6", "no IP", "no mark"],
)
@pytest.mark.parametrize("at", [0, 20, 39])
def test_one_that_is_not_as_the_others(odd, at):
    made = [ip4(number) for number in range(40)]
    made[at] = odd
    assert in_columns(made) is None
    told = dict(found(made))
    assert [told[1000 * index] for index in range(40) if index != at] == [
        Mark(TEST, 0, number) for number in range(40) if number != at
    ]
    one = found([odd])
    assert told.get(1000 * at) == (one[0][1] if one else None)


def test_an_altered_mark_is_told_wherever_it_is():
    made = [ip4(number) for number in range(40)]
    protocol, packet = made[17]
    made[17] = protocol, packet[:-4] + b"\xff" + packet[-3:]
    assert found(made) == [(at, None if at == 17_000 else mark) for at, mark in wanted(range(40))]


def test_streams_in_turns_of_any_size():
    chance = random.Random(1)
    made, told, sent = [], [], {0: 0, 1: 0, 2: 0}
    for index in range(300):
        stream = chance.randrange(3)
        made.append(ip4(sent[stream], stream=stream, payload=chance.choice((18, 100, 1000))))
        told.append((1000 * index, Mark(TEST, stream, sent[stream])))
        sent[stream] += 1 if chance.random() < 0.9 else 2
    assert found(made) == told


@pytest.mark.parametrize("cut", [0, 3, 19, 30])
def test_a_frame_that_says_more_than_it_has(cut):
    protocol, packet = ip4(5)
    assert found([(protocol, packet[:cut])]) in ([], [(0, None)])
