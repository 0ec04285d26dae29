# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tcpreplay for one stream: their shares of the pcaps, what cannot be shared, and their figures together."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import struct
from types import SimpleNamespace

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Supervised, Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.progress import Progress
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import shares
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.listener import Listener
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.workers import Worker, together, trees

MACS = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"


def frame(number, size=60):
    """An IPv4 frame of UDP: each number is a flow."""
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 17, 0, 0x0A000001, 0x0A010000 + number)
    return (MACS + b"\x08\x00" + ip + struct.pack(">HHHH", 1, 2, 8, 0)).ljust(size, b"\0")


def records(data, order="<"):
    at = 24
    while at < len(data):
        seconds, fraction, captured, original = struct.unpack_from(order + "4I", data, at)
        yield seconds, fraction, original, data[at + 16 : at + 16 + captured]
        at += 16 + captured


@pytest.fixture
def written(tmp_path):
    """Two pcaps, of 7 and 4 frames, the second big-endian and in nanoseconds; and a way to write their shares."""
    frames = [frame(number, 60 + number) for number in range(11)]
    for name, some, order, magic in (("a", frames[:7], "<", 0xA1B2C3D4), ("b", frames[7:], ">", 0xA1B23C4D)):
        data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
        for number, one in enumerate(some):
            data += struct.pack(order + "4I", 5, number * 1000, len(one), len(one)) + one
        (tmp_path / name).write_bytes(data)

    def write(workers, split="frame", limit=None):
        request = SimpleNamespace(workers=workers, split=split, limit=limit)
        with contextlib.ExitStack() as stack, Watch(()) as watch:
            pcaps = open_pcaps([str(tmp_path / "a"), str(tmp_path / "b")], stack)
            made = shares.write_shares(request, pcaps, SimpleNamespace(packets=11), stack, watch)
            found = []
            for share in made:
                share.file.seek(0)
                found.append(list(records(share.file.read())))
                assert os.fstat(share.file.fileno()).st_nlink == 0
            return made, found

    return write, frames


@pytest.mark.parametrize("workers", [1, 2, 3, 12])
def test_the_shares_are_the_frames_dealt_out_one_by_one(written, workers):
    write, frames = written
    made, found = write(workers)
    dealt = itertools.zip_longest(*[[one[3] for one in share] for share in found])
    assert [one for turn in dealt for one in turn if one is not None] == frames
    assert [share.packets for share in made] == [len(share) for share in found]
    assert [share.bytes for share in made] == [sum(one[2] for one in share) for share in found]
    # Whatever the file's order and unit, all times are in microseconds.
    assert sorted(one[1] for share in found for one in share) == sorted([*range(0, 7000, 1000), 0, 1, 2, 3])


@pytest.mark.parametrize("split", ["frame", "flow"])
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("limit", [1, 2, 10, 11, 12, 13, 22, 23, 24, 110])
def test_their_limits_are_the_runs(written, workers, split, limit):
    write, frames = written
    made, found = write(workers, split, limit)
    assert sum(share.limit for share in made) == limit
    passes, rest = divmod(limit, len(frames))
    first = frames[:rest]
    for share, own in zip(made, found):
        assert share.limit == passes * len(own) + sum(one[3] in first for one in own)


def test_a_flow_stays_with_its_worker(written):
    write, frames = written
    _made, found = write(3, "flow")
    assert sorted(one[3] for share in found for one in share) == sorted(frames)
    assert [[frames.index(one[3]) for one in share] for share in found] == [
        sorted(frames.index(one[3]) for one in share) for share in found
    ]


def test_shares_that_have_no_room(host, monkeypatch):
    full = SimpleNamespace(f_bavail=0, f_frsize=4096)
    with monkeypatch.context() as patch:
        patch.setattr(shares.os, "statvfs", lambda path: full)
        with pytest.raises(
            TrafficgenError, match=r"workers 2: .* 0.0 MB of temporary files, .* 0.0 MB free. Free some"
        ):
            host.plan(workers=2)
        host.plan()
    monkeypatch.setattr(shares.tempfile, "TemporaryFile", no_room)
    with pytest.raises(TrafficgenError, match=r"parts of the pcaps could not be written: .*No space.* TMPDIR"):
        host.run(workers=2)


@pytest.mark.parametrize(("kind", "memory"), [("tmpfs", True), ("ramfs", True), ("ext4", False), ("overlay", False)])
def test_files_in_memory_are_memory(tmp_path, monkeypatch, kind, memory):
    """Mounts as proc_pid_mountinfo(5) has them, with and without optional fields."""
    monkeypatch.setattr(shares.tempfile, "tempdir", str(tmp_path))
    device = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - tmpfs /dev/root rw,errors=continue\n"
        f"37 35 {os.major(device)}:{os.minor(device)} / /tmp rw shared:5 master:1 - {kind} tmpfs rw,size=1k\n"
        "38 35 0:77 / /run rw - tmpfs tmpfs rw\n"
    )
    assert shares.in_memory(str(mounts)) is memory


def no_room():
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"workers": 0}, "workers 0: must be 1 at least"),
        ({"workers": 257}, "workers 257: must be 256 at most"),
        ({"topspeed": None}, "cannot share the recorded speed. Set a rate"),
        ({"topspeed": None, "split": "flow", "multiplier": 2.0}, "cannot share the recorded speed. Set a rate"),
        ({"injection_method": "netmap", "hold": False}, "give it back each on its own. Set hold: true"),
        ({"injection_method": "netmap", "topspeed": None}, "cannot share the recorded speed. Set a rate"),
        ({"injection_method": "af_xdp"}, "the same queue. Use the module xdp_replay"),
        ({"extra_args": ["--include=1-5"]}, "--include and --exclude in extra_args"),
    ],
)
def test_what_several_cannot_send(host, parameters, message):
    with pytest.raises(TrafficgenError) as refused:
        host.plan(**{"workers": 2, **parameters})
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("form", "value", "options"),
    [
        ("pps", 900, ["--pps=600", "--pps=300"]),
        ("mbps", 10, ["--mbps=7.5", "--mbps=2.5"]),
        ("topspeed", True, ["--topspeed", "--topspeed"]),
    ],
)
def test_rates_are_split_so_that_all_take_the_same_time(form, value, options):
    plan = plan_rate(form, value, Size(100, 104))
    assert [*plan.part(2 / 3, 3 / 4), *plan.part(1 / 3, 1 / 4)] == options


def test_two_run_beside_each_other(host, check_tree, stand_in, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    outcome = host.run(workers=2, loop=38706)
    check_tree(outcome.tree)
    run, stats = outcome.tree["run"], outcome.tree["stats"]
    assert outcome.error is None
    assert (stats["packets"], stats["devices"][0]["retried_eagain"], stats["flows"]) == (387066, 378, None)
    assert run["command"][:4] == [stand_in, "--intf1=v0", "--topspeed", "--loop=38706"]
    assert run["command"][-1].startswith("/proc/self/fd/")
    assert [worker["packets"] for worker in run["workers"]] == [193533, 193533]
    assert [worker["cpu"] for worker in run["workers"]] == [None, None]
    assert run["in_flight_frames"] == 2 * host.run().tree["run"]["in_flight_frames"]
    before = host.plan(workers=2).tree["run"]
    assert before["command"] is None and set(before["workers"][1].values()) == {None}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_of_the_rate_that_is_too_slow(host, pcap_of, workers):
    """One frame an hour is the lowest that tcpreplay holds, and a fraction of it would be at top speed."""
    given = {"pcaps": [pcap_of([60, 60])], "pps": 1.5 / 3600, "topspeed": False, "workers": workers}
    if workers == 1:
        assert host.plan(**given).error is None
        return
    with pytest.raises(TrafficgenError) as refused:
        host.run(**given)
    assert refused.value.message == (
        "pps 0.000139: the part of worker 0, which has 1 of 2 frames, is too slow for tcpreplay to hold. Ask for a"
        " higher rate, or set workers: 1."
    )


def test_a_worker_without_a_frame_is_not_started(host):
    workers = host.run(workers=2, limit=1).tree["run"]["workers"]
    assert [worker["packets"] for worker in workers] == [193533, 0]
    assert (workers[1]["seconds"], workers[1]["start_offset"], workers[1]["error"]) == (0.0, None, "")


def test_a_signal_ends_both(host, monkeypatch):
    monkeypatch.setenv("STAND_IN", "wait")
    listen, heard = Listener.listen, set()

    def told(self, printed, worker=0):
        listen(self, printed, worker)
        if printed and worker not in heard:
            heard.add(worker)
            if len(heard) == 2:  # both send
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Listener, "listen", told)
    outcome = host.run(workers=2)
    assert (outcome.error, outcome.tree["run"]["ended_by"]) == (None, "user")
    assert outcome.tree["stats"]["interrupted"] and outcome.tree["stats"]["packets"] == 387066


def test_one_that_crashes_is_named_and_ends_the_other(host, program):
    # The one with the smaller share crashes.
    script = 'export STAND_IN=wait; case "$*" in *--limit=2*) {};; esac; exec {} "$@"'
    crash = program(script.format("sleep 0.3; kill -9 $$", host.params["executable"]))
    outcome = host.run(workers=2, executable=crash, limit=5)
    run, stats = outcome.tree["run"], outcome.tree["stats"]
    assert "v0: worker 1: " in outcome.error.message
    assert (run["ended_by"], run["exit_status"], stats["interrupted"]) == ("error", -9, False)
    assert (stats["packets"], [worker["packets"] for worker in run["workers"]]) == (None, [193533, None])
    assert run["workers"][0]["error"] == "another failed"


def test_a_count_that_is_missing_is_an_error_of_a_stopped_run(host, program):
    script = 'export STAND_IN=wait; case "$*" in *--limit=2*) {};; esac; exec {} "$@"'
    silent = program(script.format("exec sleep 9", host.params["executable"]))
    outcome = host.run(workers=2, executable=silent, limit=5, timeout=1)
    assert outcome.tree["run"]["ended_by"] == "timeout"
    assert "a worker told no count when its timeout of 1 s was over" in outcome.error.message


def worker(start, seconds, *, finished=100.0, interval=0.0):
    said = f"Test start: 2026-11-29 00:00:{start:09.6f} ...\n" if start is not None else ""
    said += f"Actual: 1000 packets (60000 bytes) sent in {seconds:.2f} seconds\n"
    said += f"Rated: {60000 / seconds:.1f} Bps, 0.48 Mbps, {1000 / seconds:.2f} pps\n"
    return Worker(
        None, Supervised((), 0, said, "", "exited", False, 0.0, finished), parse(said, exit_status=0), "", interval
    )


def test_the_rate_is_from_the_first_start_to_the_last_end():
    both = [worker(10.5, 2.0), worker(10.0, 2.0)]
    assert together(both, "v0")["seconds"] == pytest.approx(2.5)
    assert together(both, "v0")["pps"] == pytest.approx(800)
    assert [one["start_offset"] for one in trees(both)] == [pytest.approx(0.5), 0]
    # Its last frame has an interval, too.
    assert together([worker(10.0, 2.0, interval=0.5)], "v0")["seconds"] == pytest.approx(2.5)
    # Without --stats, tcpreplay does not print when it started.
    apart = [worker(None, 2.0, finished=100.0), worker(None, 2.0, finished=100.25)]
    assert together(apart, "v0")["seconds"] == pytest.approx(2.25)


def test_the_progress_is_that_of_all(tmp_path):
    told = []
    progress = Progress(None, to_send=0, duration=None, expected=0)
    progress.tell = lambda measure: told.append(measure())
    listener = Listener(progress, 3)
    listener.leave_out(2)
    for number, seconds in ((0, 1.0), (1, 1.5)):
        listener.listen(worker(1.0, seconds).done.stdout.encode(), number)
    assert told[0] is None
    assert (told[1]["packets"], told[1]["bytes"], told[1]["seconds"]) == (2000, 120000, 1.5)
