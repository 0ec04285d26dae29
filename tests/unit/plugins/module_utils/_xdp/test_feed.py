# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each worker's part, read into a UMEM that is plain memory here. Together the parts are the stream, frame by frame."""

from __future__ import annotations

import itertools
import tempfile
from collections import deque
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.feed import Feed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import check_stream, share

from .conftest import a_stream, ip_frame, write_pcap

ROOMY, TIGHT = 256 * CHUNK, 12 * CHUNK


def played(stream, worker, umem_bytes=ROOMY, most=100_000):
    """(number in the stream, bytes, when) of each frame that a worker sends, in its order. Its bytes are those that lie
    in the UMEM when it is completed, which is as late as can be."""
    umem = memoryview(bytearray(umem_bytes))
    feed = Feed(stream, worker, umem)
    found = []
    under_way = deque()
    while len(found) < most:
        turn = feed.turn() if len(under_way) < 4 else None
        if turn is not None:
            under_way.append(turn)
        elif under_way:
            found += frames_of(under_way.popleft(), umem)
            feed.completed(len(found))
        else:
            assert feed.ended
            break
    return found


def frames_of(turn, umem):
    frames = []
    for at in range(turn.frames):
        place, size = turn.block.descriptors[2 * at : 2 * at + 2]
        assert place // CHUNK == (place + size - 1) // CHUNK
        # Kernels of 2020 refuse a frame that ends with its chunk.
        assert (place + size) % CHUNK or size == CHUNK
        assert turn.block.ends[at] - (turn.block.ends[at - 1] if at else 0) == size
        when = None if turn.block.times is None else turn.block.times[at] + turn.first_time
        frames.append((turn.block.indexes[at] + turn.first_index, bytes(umem[place : place + size]), when))
    return frames


def joint(stream, **options):
    """What all workers send, in the order of the stream."""
    parts = [played(stream, worker, **options) for worker in range(stream.workers)]
    for part in parts:
        assert part == sorted(part, key=lambda one: one[0])
    return sorted(itertools.chain.from_iterable(parts))


@st.composite
def cases(draw):
    sizes = draw(st.lists(st.sampled_from((60, 61, 78, 1514, 2048, 4095, 4096)), min_size=1, max_size=40))
    files = draw(st.integers(1, min(3, len(sizes))))
    a_pass = len(sizes)
    loop = draw(st.integers(1, 4))
    limit = draw(
        st.one_of(
            st.none(),
            st.sampled_from([1, max(1, a_pass - 1), a_pass, a_pass + 1, 2 * a_pass + 1]),
            st.integers(1, 5 * a_pass),
        )
    )
    workers, split = draw(st.integers(1, 3)), draw(st.sampled_from(("frame", "flow")))
    return sizes, files, loop, limit, workers, split, draw(st.sampled_from((ROOMY, TIGHT, 5 * CHUNK)))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_workers_parts_are_the_stream(case):
    sizes, files, loop, limit, workers, split, umem_bytes = case
    frames = [ip_frame(number, size, ports=(number % 5, 9)) for number, size in enumerate(sizes)]
    step = -(-len(frames) // files)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        paths = [
            write_pcap(Path(name) / f"{first}.pcap", frames[first : first + step])
            for first in range(0, len(frames), step)
        ]
        stream = a_stream(open_pcaps(paths, stack), loop=loop, limit=limit, workers=workers, split=split)
        expected = list(enumerate((frames * loop)[:limit]))
        assert [(number, frame) for number, frame, _when in joint(stream, umem_bytes=umem_bytes)] == expected
        if split == "frame":
            own = [number for number, _frame, _when in played(stream, workers - 1, umem_bytes)]
            assert own == [n for n, _f in expected if n % len(frames) % workers == workers - 1]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("umem_bytes", [ROOMY, TIGHT])
def test_without_an_end_it_goes_on(stream, workers, umem_bytes):
    frames = [ip_frame(number, 1514) for number in range(50)]
    endless = stream(frames, loop=0, workers=workers)
    for worker in range(workers):
        found = played(endless, worker, umem_bytes, most=500)
        assert all(frame == frames[number % 50] for number, frame, _when in found)
        numbers = [number for number, _frame, _when in found]
        own = (number for number in itertools.count() if number % 50 % workers == worker)
        assert numbers == list(itertools.islice(own, len(numbers)))
        assert len(numbers) >= 500


def test_a_worker_without_frames_ends(stream):
    one = stream([ip_frame(0)], loop=0, workers=2)
    assert played(one, 1) == []
    assert len(played(one, 0, most=5000)) >= 5000


@pytest.mark.parametrize(
    ("duration", "pps", "frames"), [(0.25, 10_000, 2500), (0.1, 30, 3), (2.5, 0.5, 2), (1, 7.5, 8)]
)
def test_a_duration_at_a_rate_is_a_number_of_frames(stream, duration, pps, frames):
    paced = stream([ip_frame(number) for number in range(7)], loop=0, duration=duration, pps=pps, workers=2)
    assert len(joint(paced)) == frames


@pytest.mark.parametrize("umem_bytes", [ROOMY, TIGHT])
def test_the_recorded_speed(tmp_path, umem_bytes):
    times = [10, 20, 15, 50]  # microseconds; the third was recorded before the second
    paths = [write_pcap(tmp_path / name, [ip_frame(number, 1514) for number in range(4)], times) for name in "ab"]
    with ExitStack() as stack:
        played_twice = played(a_stream(open_pcaps(paths, stack), loop=2, multiplier=2.0), 0, umem_bytes)
    a_file = [0, 5, 5, 20]
    expected = [start + at for start in (0, 20, 40, 60) for at in a_file]
    assert [when * 1e6 for _number, _frame, when in played_twice] == pytest.approx(expected)


@given(indexes=st.sets(st.integers(0, 30)).map(sorted), frames=st.integers(31, 40), before=st.integers(0, 200))
def test_a_share_is_what_counting_says(indexes, frames, before):
    assert share(indexes, frames, before) == sum(number % frames in indexes for number in range(before))


def test_both_directions_of_a_flow_go_to_one_worker(stream):
    there = [ip_frame(n, source=1, target=2 + n, ports=(1000 + n, 53)) for n in range(64)]
    back = [ip_frame(64 + n, source=2 + n, target=1, ports=(53, 1000 + n)) for n in range(64)]
    other = [bytes(12) + b"\x08\x06" + bytes(46)]
    split = stream(there + back + other, workers=3, split="flow")
    parts = [{number for number, _frame, _when in played(split, worker)} for worker in range(3)]
    assert all(len(part) > 20 for part in parts)
    for part in parts:
        assert {number + 64 for number in part if number < 64} == {number for number in part if 64 <= number < 128}
    assert 128 in parts[0]


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        ([ip_frame(0), bytes(4097)], "frame 2 of a pass is 4097 bytes long, but AF_XDP sends 4096 at most"),
        ([bytes(13)], "frame 1 of a pass is 13 bytes long, less than an Ethernet header"),
        ([], "has no frames to send"),
    ],
)
def test_what_cannot_be_sent(stream, frames, match):
    with pytest.raises(TrafficgenError, match=match):
        played(stream(frames), 0)


def test_a_pcap_that_is_cut_meanwhile(tmp_path):
    path = write_pcap(tmp_path / "cut.pcap", [ip_frame(0), ip_frame(1)])
    with ExitStack() as stack:
        cut = a_stream(open_pcaps([path], stack))
        with open(path, "r+b") as file:
            file.truncate(24 + 2 * 16 + 78 + 5)
        with pytest.raises(TrafficgenError, match="the record at byte offset 118 is cut"):
            played(cut, 0)


def test_the_recorded_speed_is_not_for_frames_that_are_split():
    with pytest.raises(TrafficgenError, match="split: flow"):
        check_stream(a_stream([], workers=2, multiplier=1.0))
    check_stream(a_stream([], workers=2, multiplier=1.0, split="flow"))
