# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pcap appears whole or not at all, and is written only when it is not there already."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import time
from itertools import islice

import pytest
from scapy.utils import rdpcap

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import write
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.interleave import Interleaved

SCAN = ({"preset": "udp_port_scan", "size": 64, "size_of": "ip", "count": 5000},)


def make(path, streams=SCAN, *, replace=os.replace, with_diff=False, interval=0.000001):
    return write.make_pcap(str(path), streams, interval, replace=replace, with_diff=with_diff)


def test_the_file_is_what_the_result_says(tmp_path):
    path = tmp_path / "scan.pcap"
    result = make(path)
    assert result["changed"] is True
    assert result["pcap"] == {
        "path": str(path),
        "packets": 5000,
        "bytes": 5000 * 78,
        "file_bytes": 24 + 5000 * (16 + 78),
        "sizes": {78: 5000},
        "flows": 5000,
        "marks": None,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    packets = rdpcap(str(path))
    assert [packet.dport for packet in packets] == list(range(1024, 6024))
    assert packets[4999].time == pytest.approx(0.004999)
    assert os.listdir(tmp_path) == ["scan.pcap"]


def test_a_second_run_changes_nothing_and_any_difference_is_mended(tmp_path):
    path = tmp_path / "scan.pcap"
    first = make(path)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    again = make(path)
    assert again == {**first, "changed": False}
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    whole = path.read_bytes()
    for spoiled in (whole[:-1], whole + b"x", whole[:100] + b"x" + whole[101:], b"", whole[:-1] + b"x"):
        path.write_bytes(spoiled)
        assert make(path, replace=None)["changed"] is True
        assert path.read_bytes() == spoiled
        assert make(path) == first
        assert path.read_bytes() == whole


def test_without_writing_it_tells_the_same(tmp_path):
    path = tmp_path / "scan.pcap"
    planned = make(path, replace=None)
    assert os.listdir(tmp_path) == []
    assert make(path) == planned


def test_an_interval_that_needs_nanoseconds_makes_a_nanosecond_file(tmp_path):
    path = tmp_path / "line-rate.pcap"
    make(path, interval=0.000000067)
    assert path.read_bytes()[:4] == bytes.fromhex("4d3cb2a1")
    assert rdpcap(str(path))[3].time * 10**9 == pytest.approx(201)


def test_the_difference_is_told_in_numbers(tmp_path):
    path = tmp_path / "scan.pcap"
    assert make(path, with_diff=True)["diff"]["before"] == ""
    diff = make(path, [{**SCAN[0], "count": 10}], with_diff=True)["diff"]
    assert "packets: 5000\nbytes: 390000\n" in diff["before"]
    assert "packets: 10\nbytes: 780\n" in diff["after"]
    path.write_bytes(b"not a pcap")
    assert make(path, with_diff=True)["diff"]["before"] == "file_bytes: 10 (no pcap)\n"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "link.pcap").symlink_to("scan.pcap")
    make(tmp_path / "link.pcap")
    assert (tmp_path / "link.pcap").is_symlink()
    assert (tmp_path / "scan.pcap").stat().st_size == 24 + 5000 * 94


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nowhere/a.pcap", "no such folder"),
        ("folder", "is a directory"),
        ("pipe", "is not a regular file"),
        ("loop", "link to itself"),
        ("a\0b", "is not a path"),
    ],
)
def test_places_where_no_file_can_be(tmp_path, where, says):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(os.listdir(tmp_path))
    for replace in (os.replace, None):
        with pytest.raises(TrafficgenError) as caught:
            make(tmp_path / where, replace=replace)
        assert says in caught.value.message
    assert sorted(os.listdir(tmp_path)) == before


def test_a_failure_half_way_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "scan.pcap"
    path.write_bytes(b"the old file")
    real = Interleaved.blocks

    def failing(self):
        yield from islice(real(self), 1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Interleaved, "blocks", failing)
    with pytest.raises(TrafficgenError) as caught:
        make(path)
    assert "No space left on device" in caught.value.message
    assert "470024 bytes" in caught.value.message
    assert path.read_bytes() == b"the old file"
    assert os.listdir(tmp_path) == ["scan.pcap"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_the_old_file_and_no_other(tmp_path, number):
    path = tmp_path / "scan.pcap"
    path.write_bytes(b"the old file")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def stuck(_self):
            yield bytearray(1 << 20)
            os.write(writing, b"x")
            time.sleep(60)
            os._exit(1)

        Interleaved.blocks = stuck
        make(path)
        os._exit(0)
    assert os.read(reading, 1) == b"x"
    os.kill(child, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
    assert path.read_bytes() == b"the old file"
    assert os.listdir(tmp_path) == ["scan.pcap"]


@pytest.mark.parametrize("unnamed", [True, False])
def test_names_of_any_length_and_alphabet_and_file_systems_without_unnamed_files(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        real = os.open

        def old(path, flags, *mode, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return real(path, flags, *mode, **options)

        monkeypatch.setattr(os, "open", old)
    name = "\N{SATELLITE ANTENNA}" * 63 + "ab"
    make(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    monkeypatch.chdir(tmp_path)
    make("there.pcap")
    assert make(name)["changed"] is False
    assert sorted(os.listdir(tmp_path)) == ["there.pcap", name]


def test_what_cannot_fit_is_refused_before_it_is_written(tmp_path):
    with pytest.raises(TrafficgenError, match="does not fit there"):
        make(tmp_path / "huge.pcap", [{**SCAN[0], "size": 1500, "count": 10**15}])
    assert os.listdir(tmp_path) == []


def test_blocks_reach_every_consumer_in_order_and_errors_come_through():
    seen, other = [], []

    def blocks():
        ring = [bytearray(1) for _place in range(write.RING)]
        for number in range(200):
            ring[number % len(ring)][0] = number
            yield ring[number % len(ring)]

    write.pump(blocks(), [lambda block: seen.append(block[0]), lambda block: other.append(block[0])])
    assert seen == other == list(range(200))

    def refuse(block):
        if block[0] == 7:
            raise ValueError("seven")

    with pytest.raises(ValueError, match="seven"):
        write.pump(blocks(), [refuse])


@pytest.mark.parametrize("unnamed", [True, False])
def test_the_temporary_file_is_nobody_elses(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # what a kernel that does not know it answers
    seen = []

    def replace(new, path):
        state = os.lstat(new)
        seen.append((os.path.basename(new), stat.S_ISREG(state.st_mode), stat.S_IMODE(state.st_mode), state.st_uid))
        os.replace(new, path)

    before = os.umask(0)
    try:
        make(tmp_path / "one.pcap", replace=replace)
        make(tmp_path / "two.pcap", replace=replace)
    finally:
        os.umask(before)
    assert [one[1:] for one in seen] == [(True, 0o600, os.geteuid())] * 2
    assert seen[0][0] != seen[1][0]  # so its name cannot be guessed


def test_a_link_where_the_temporary_file_should_be_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr(write.secrets, "token_hex", lambda length: "guessed")
    (tmp_path / ".trafficgen.guessed").symlink_to(victim)
    with pytest.raises(TrafficgenError, match="File exists"):
        make(tmp_path / "scan.pcap")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "scan.pcap").exists()


NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
@pytest.mark.parametrize(
    "given", ["shared/link.pcap", "shared/folder/scan.pcap", "shared/own/link.pcap", "own/chain.pcap"]
)
def test_another_users_link_in_a_shared_folder_is_not_followed(tmp_path, given):
    shared, own = tmp_path / "shared", tmp_path / "own"
    own.mkdir()
    victim = own / "scan.pcap"
    victim.write_text("precious")
    shared.mkdir()
    shared.chmod(0o1777)
    for link, target, owner in (
        (shared / "link.pcap", victim, NOBODY),
        (shared / "folder", own, NOBODY),
        (shared / "own", own, 0),
        (own / "link.pcap", shared / "link.pcap", 0),
        (own / "chain.pcap", "../shared/link.pcap", 0),
    ):
        link.symlink_to(target)
        os.lchown(link, owner, owner)
    path = tmp_path / given
    with pytest.raises(TrafficgenError, match="belongs to another user, and everybody can write to its folder"):
        make(path)
    assert victim.read_text() == "precious"
    # One's own link, or one of the folder's owner, is followed. So is any link in a folder that is not shared.
    os.chown(shared, NOBODY, NOBODY)
    assert make(path)["changed"] is True
    victim.write_text("precious")
    os.chown(shared, 0, 0)
    shared.chmod(0o755)
    assert make(path)["changed"] is True


@pytest.mark.parametrize(
    ("name", "says"), [("a\0b", "is not a path"), ("a\ud800b", "is not a path"), ("x" * 256, "File name too long")]
)
def test_what_cannot_be_a_name(tmp_path, name, says):
    for replace in (None, os.replace):
        with pytest.raises(TrafficgenError, match=says):
            make(f"{tmp_path}/{name}", replace=replace)
    assert os.listdir(tmp_path) == []
