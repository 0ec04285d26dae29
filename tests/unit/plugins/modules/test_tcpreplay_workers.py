# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module tcpreplay with several workers, on a link between two namespaces: what they sent is what arrived."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host import supervise
from ansible_collections.wirespeed.trafficgen.plugins.modules import tcpreplay

FRAMES = 20


@pytest.fixture
def given(lab, tmp_path):
    path = tmp_path / "mixed.pcap"
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number in range(FRAMES):
        size = 60 + 100 * (number % 3)
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 17, 0, 0x0A000001, 0x0A010000 + number)
        macs = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"
        data += struct.pack("<IIII", 0, number, size, size) + (macs + b"\x08\x00" + ip).ljust(size, b"\0")
    path.write_bytes(data)
    both = {"rx_interface": "rcv0", "rx_netns": lab.receiver, "receive_wait": 0.2, "settle": 1.0}
    return {"interface": "snd0", "netns": lab.sender, "pcaps": [str(path)], "lock_timeout": 5, **both}


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("limit", [FRAMES - 1, FRAMES, FRAMES + 1, 7 * FRAMES + 2])
def test_the_sum_is_exact(ask, given, workers, limit):
    found = ask(tcpreplay, **given, workers=workers, limit=limit, loop=0, pps=5000)
    assert not found.get("failed"), found
    assert found["stats"]["packets"] == limit == found["counters"]["rx"]["packets"]
    passes, rest = divmod(limit, FRAMES)
    of_each = [passes * len(range(one, FRAMES, workers)) + len(range(one, rest, workers)) for one in range(workers)]
    assert [worker["packets"] for worker in found["run"]["workers"]] == of_each
    assert found["counters"]["verdict"] == "consistent"
    # The frames are those that one would have sent: otherwise their mean size were not known.
    assert found["rates"]["reason"] == ""


@pytest.mark.parametrize("split", ["frame", "flow"])
@pytest.mark.parametrize("rate", [{"pps": 2000}, {"l1_mbps": 3}, {"mbps": 3}])
def test_the_rate_is_that_of_all(ask, given, split, rate):
    found = ask(tcpreplay, **given, workers=2, split=split, loop=200, **rate)
    assert not found.get("failed"), found
    assert found["stats"]["packets"] == 200 * FRAMES == found["counters"]["rx"]["packets"]
    apart = max(worker["start_offset"] for worker in found["run"]["workers"])
    seconds = found["stats"]["seconds"]
    # Each kept its part of the rate; only what they started apart is missing.
    assert found["run"]["rate_reached"] == pytest.approx((seconds - apart) / seconds, abs=0.01)


def test_each_has_a_cpu_of_its_own(ask, given, monkeypatch):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two workers get a CPU each only where this process may use two, and here it may use one")
    asked, spawn = [], supervise._spawn
    monkeypatch.setattr(supervise, "_spawn", lambda argv, cpus, *rest: asked.append(cpus) or spawn(argv, cpus, *rest))
    first, second = sorted(os.sched_getaffinity(0))[:2]
    found = ask(tcpreplay, **given, workers=2, topspeed=True)
    assert [worker["cpu"] for worker in found["run"]["workers"]] == [first, second]
    assert asked == [{first}, {second}]
    found = ask(tcpreplay, **given, workers=2, topspeed=True, cpu_list=str(first))
    assert [worker["cpu"] for worker in found["run"]["workers"]] == [None, None]
    assert asked[2:] == [{first}, {first}]


def senders(lab):
    """The processes of tcpreplay in this lab. Another test may run beside this one, on ports of the same names."""
    network = Path("/run/netns", lab.sender).stat().st_ino

    def sends(process):
        # One may end meanwhile.
        with contextlib.suppress(OSError):
            ours = (process / "ns/net").stat().st_ino == network
            return ours and b"--intf1=snd0" in (process / "cmdline").read_bytes().split(b"\0")
        return False

    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if sends(process)]


def test_a_worker_that_is_killed_ends_the_run(ask, given, lab):
    threading.Timer(1.5, lambda: os.kill(senders(lab)[0], signal.SIGKILL)).start()
    found = ask(tcpreplay, **given, workers=2, pps=1000, loop=0, duration=20)
    assert found["failed"] and "was ended by SIGKILL" in found["msg"]
    assert (found["run"]["ended_by"], found["run"]["exit_status"]) == ("error", -9)
    assert "another failed" in [worker["error"] for worker in found["run"]["workers"]]
    assert found["run"]["ended"] - found["run"]["started"] < 10
    assert senders(lab) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_module_that_gets_a_signal(given, lab, number, tmp_path):
    before, folder = lab.sent(), tmp_path / "temporary"
    folder.mkdir()
    asked = {**given, "workers": 2, "pps": 1000, "loop": 0, "duration": 60}
    with subprocess.Popen(
        [sys.executable, "-m", tcpreplay.__name__],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        run.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": asked}))
        run.stdin.close()
        while lab.sent() < before + 100 and run.poll() is None:
            time.sleep(0.05)
        assert len(senders(lab)) == 2
        assert os.listdir(folder) != []
        run.send_signal(number)
        said = run.stdout.read()
    until = time.monotonic() + 5
    while senders(lab) and time.monotonic() < until:
        time.sleep(0.05)
    assert senders(lab) == []
    if number == signal.SIGTERM:
        found = json.loads(said.splitlines()[-1])
        assert (found["run"]["ended_by"], found["stats"]["interrupted"]) == ("user", True)
        assert found["stats"]["packets"] == lab.sent() - before == found["counters"]["rx"]["packets"]
    while os.listdir(folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert os.listdir(folder) == []
