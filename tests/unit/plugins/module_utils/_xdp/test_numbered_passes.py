# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of marks that go on from pass to pass: each worker's part, as it lies in its UMEM when it is completed."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import renumber
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import read_mark
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import read_expected
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._marks.made import (
    TCP,
    UDP,
    frames,
    marks,
)

from .conftest import a_stream, write_pcap
from .test_feed import TIGHT, joint, played

TRAFFIC = {
    "long marks": [{**UDP, "count": 70}],
    "short marks": [{**TCP, "count": 70}],
    "large frames": [{**UDP, "size": 1514, "count": 30}],
    "odd sizes": [{**UDP, "size": 77, "count": 70}],
    "both forms in turns": [{**UDP, "count": 30, "weight": 2}, {**TCP, "count": 20, "weight": 1}],
    "two sizes in turns": [{**UDP, "count": 40, "weight": 2}, {**UDP, "size": 700, "count": 20, "weight": 1}],
    "none with room": [{"layers": ["Ether", "IP", "UDP"], "count": 20}],
}


def numbers_of(sent):
    """The numbers of each stream, in the order of the whole stream."""
    found = defaultdict(list)
    for _index, frame, _when in sent:
        mark = read_mark(frame[-14:], 7)
        if mark:
            found[mark.stream].append(mark.number)
    return found


def marked_in(some):
    counts = Counter(mark.stream for frame in some if (mark := read_mark(frame[-14:], 7)))
    return read_expected(marks(*(counts[n] for n in range(max(counts, default=-1) + 1))), None)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(TRAFFIC)),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(("frame", "flow")),
    st.sampled_from((256 * CHUNK, TIGHT, 5 * CHUNK)),
)
def test_the_numbers_go_on_from_pass_to_pass(name, loop, workers, split, umem_bytes):
    some = frames(*TRAFFIC[name])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(Path(folder) / "one.pcap", some)], stack)
        plain = joint(a_stream(pcaps, loop=loop, workers=workers, split=split), umem_bytes=umem_bytes)
        stream = a_stream(pcaps, loop=loop, workers=workers, split=split, marks=marked_in(some))
        sent = joint(stream, umem_bytes=umem_bytes)
    assert [index for index, _frame, _when in sent] == [index for index, _frame, _when in plain]
    # Nothing but the number and its check is another.
    for (_index, frame, _when), (_same, before, _time) in zip(sent, plain):
        assert frame[:-6] == before[:-6]
    for numbers in numbers_of(sent).values():
        assert numbers == list(range(len(numbers)))
    assert {stream: len(numbers) for stream, numbers in numbers_of(sent).items()} == {
        stream: len(numbers) for stream, numbers in numbers_of(plain).items()
    }


def test_the_recorded_times_go_on_from_pass_to_pass(tmp_path):
    some = frames(*TRAFFIC["long marks"])
    with ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(tmp_path / "one.pcap", some)], stack)
        plain, numbered = (
            played(a_stream(pcaps, loop=400, multiplier=2.0, marks=given), 0) for given in (None, marked_in(some))
        )
    assert [when for _index, _frame, when in numbered] == pytest.approx([when for _index, _frame, when in plain])


@pytest.mark.parametrize("name", ["long marks", "short marks", "both forms in turns"])
@pytest.mark.parametrize("workers", [1, 2])
def test_without_an_end(tmp_path, name, workers):
    some = frames(*TRAFFIC[name])
    with ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(tmp_path / "one.pcap", some)], stack)
        stream = a_stream(pcaps, loop=0, workers=workers, marks=marked_in(some))
        sent = [played(stream, worker, most=30_000) for worker in range(workers)]
    least = min(part[-1][0] for part in sent)
    together = sorted(one for part in sent for one in part if one[0] <= least)
    for numbers in numbers_of(together).values():
        assert numbers == list(range(len(numbers))) and len(numbers) > 5000


def test_after_the_last_number_they_begin_again(tmp_path, monkeypatch):
    monkeypatch.setattr(renumber, "numbers_in_turn", lambda marked: 3 * marked)
    some = frames(*TRAFFIC["short marks"])
    with ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(tmp_path / "one.pcap", some)], stack)
        sent = played(a_stream(pcaps, loop=0, marks=marked_in(some)), 0, most=2000)
    numbers = numbers_of(sent)[0]
    assert numbers[:420] == [*range(210), *range(210)]


def test_marks_of_another_test_stay_as_they_are(tmp_path):
    some = frames({**UDP, "count": 40}, test=8)
    with ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(tmp_path / "one.pcap", some)], stack)
        stream = a_stream(pcaps, loop=3, marks=read_expected(marks(40), None))
        assert [frame for _index, frame, _when in played(stream, 0)] == some * 3


def test_numbers_that_the_test_does_not_have_stay_as_they_are(tmp_path):
    """Marks of another pcap were given: numbered on, its frames would be taken for those of the next pass."""
    some = frames({**UDP, "count": 40})
    with ExitStack() as stack:
        pcaps = open_pcaps([write_pcap(tmp_path / "one.pcap", some)], stack)
        sent = [frame for _index, frame, _when in played(a_stream(pcaps, loop=3, marks=marked_in(some[:30])), 0)]
    assert [sent[at::40] for at in range(30, 40)] == [[frame] * 3 for frame in some[30:]]
    assert [read_mark(frame[-14:], 7).number for frame in sent[40:70]] == list(range(30, 60))


@pytest.mark.parametrize("length", [6, 14])
@pytest.mark.parametrize("apart", [0, 3])
def test_what_is_written_in_columns_is_what_is_written_one_by_one(length, apart):
    """Places at equal distances, or not."""
    size, spec = (64, TCP) if length == 6 else (90, UDP)
    some = frames({**spec, "size": size, "count": 100})
    memory = memoryview(bytearray(16 * CHUNK))
    addresses = [at // 40 * CHUNK + at % 40 * 96 + (apart if at == 77 else 0) for at in range(100)]
    for address, frame in zip(addresses, some):
        memory[address : address + len(frame)] = frame
    numbering = renumber.PassNumbers(read_expected(marks(100), None), memory)
    [found] = numbering.find(addresses, [len(frame) for frame in some], CHUNK)
    assert found.in_a_row == (0 if apart else 40)
    numbering.write([found], 5)
    told = [bytes(memory[at : at + len(frame)]) for at, frame in zip(addresses, some)]
    assert [read_mark(frame[-14:], 7).number for frame in told] == list(range(500, 600))
