# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules to which the system gives too few open files or processes: an error that says so, and no trace of the
code."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import (
    ExhaustedError,
    TrafficgenError,
    as_ours,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host import cleanup, commands
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import write

ROOM = "ansible_collections.wirespeed.trafficgen.plugins.modules."


def call(module, arguments, open_files):
    """What a module returns that may have so many files open, and what it printed as errors."""
    limited = ["sh", "-c", 'ulimit -n "$1"; exec "$2" -m "$3"', "sh", str(open_files), sys.executable, ROOM + module]
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    done = subprocess.run(limited, input=given, capture_output=True, text=True, check=False)
    answers = [line for line in done.stdout.splitlines() if line.strip().startswith("{")]
    assert answers, f"no answer, but {done.stderr[-1000:]}"
    return json.loads(answers[-1]), done.stderr


# With fewer, Ansible's own module code cannot load what it says its answer with (Python 3.9, ansible-core 2.19).
@pytest.mark.parametrize("open_files", [8, 9, 10, 12, 14])
@pytest.mark.parametrize("module", ["tcpreplay", "interface_counters_info", "pcap_info", "pcap"])
def test_too_few_open_files(tmp_path, module, open_files):
    pcap = tmp_path / "a.pcap"
    pcap.write_bytes(struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1, 0, 0, 60, 60) + bytes(60))
    arguments = {
        "tcpreplay": {"pcaps": [str(pcap)], "interface": "lo", "_ansible_check_mode": True},
        "interface_counters_info": {"interface": "lo"},
        "pcap_info": {"path": str(pcap)},
        "pcap": {"path": str(tmp_path / "new.pcap"), "streams": [{"layers": [{"Ether": {}}]}]},
    }
    found, errors = call(module, arguments[module], open_files)
    assert "Traceback" not in found.get("msg", "") + errors
    if "Too many open files" in found.get("msg", ""):
        assert "`ulimit -n` shows it" in found["msg"]
        assert sorted(tmp_path.iterdir()) == [pcap]


def test_a_process_that_is_to_be_had_a_moment_later(monkeypatch):
    real, refused = subprocess.run, []

    def busy(*args, check=False, **options):
        if len(refused) < 3:
            refused.append(args)
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return real(*args, check=check, **options)

    monkeypatch.setattr(commands.subprocess, "run", busy)
    assert commands.run(["echo", "here"]).stdout == "here\n"
    assert len(refused) == 3


def test_no_process_to_be_had(monkeypatch):
    def refuse(*args, **options):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(commands, "_PATIENCE", 0.05)
    monkeypatch.setattr(commands.subprocess, "run", refuse)
    with pytest.raises(
        ExhaustedError, match=r"echo: could not be run: .*temporarily unavailable\. No more processes can be started"
    ):
        commands.run(["echo", "here"])
    monkeypatch.setattr(cleanup.os, "fork", refuse)
    begun = []
    nothing = pytest.raises(TrafficgenError, match=r"nothing was begun: .*No more processes can be started")
    with nothing, cleanup.undo_even_if_killed(lambda: begun.append("undone")):
        begun.append("begun")
    assert begun == []


def test_no_thread_to_be_had(monkeypatch, tmp_path):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    with pytest.raises(
        TrafficgenError, match=r"can't start new thread\. No more processes can be started: .* Nothing was changed\."
    ):
        write.write(str(tmp_path / "new.pcap"), lambda: iter([bytearray(24)]), 24, lambda new, path: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EMFILE, "`ulimit -n`"), (errno.EAGAIN, "pids.max"), (errno.EIO, "")]
)
def test_an_error_nobody_foresaw(number, remedy):
    error = as_ours(OSError(number, "as the system says", "/run/x"))
    assert error.message.startswith("/run/x: the system refused it: as the system says.")
    assert remedy in error.remedy and bool(error.remedy) == bool(remedy)


# What each module does its work by.
@pytest.mark.parametrize(
    ("module", "work", "arguments"),
    [
        ("tcpreplay", "carry_out", {"pcaps": ["/x"], "interface": "lo"}),
        ("interface_counters_info", "observe", {"interface": "lo"}),
        ("frame_counter", "set_frame_counter", {"interface": "lo", "state": "absent"}),
        ("pcap_info", "summarize", {"path": "/x"}),
        ("pcap", "make_pcap", {"path": "/x", "streams": [{"layers": []}]}),
        ("mark_receiver", "receive", {"interface": "lo", "mark_id": 7, "duration": 1}),
        ("netmap_info", "info", {}),
        ("xdp_info", "info", {"interface": "lo"}),
        ("xdp_replay", "carry_out", {"pcaps": ["/x"], "interface": "lo"}),
        ("tcpreplay_info", "find_executable", {}),
    ],
)
def test_what_nobody_foresaw_is_no_traceback(module, work, arguments):
    refuse = "def refuse(*args, **options):\n    raise OSError(24, 'Too many open files', '/run/netns/x')\n"
    program = f"{refuse}from {ROOM[:-1]} import {module} as module\nmodule.{work} = refuse\nmodule.main()\n"
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert json.loads(done.stdout)["msg"].startswith(
        "/run/netns/x: the system refused it: Too many open files. Raise the limit"
    )
