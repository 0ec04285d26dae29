# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import no_process_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import (
    OTHER_FAILED,
    Program,
    Watch,
    supervise,
)

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
STAND_IN = str(FIXTURES / "stand_in_tcpreplay.sh")


def alive(pid):
    """Whether a process runs. A zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition, seconds=10.0):
    """Wait for a condition. Returns whether it came true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def read_pid(path):
    read = []  # read once each time: another writer may be replacing it

    def whole():
        read[:] = [path.read_text() if path.exists() else ""]
        return read[0].endswith("\n")

    assert until(whole)
    return int(read[0])


def go(behaviour, timeout=10.0, **options):
    with Watch(()) as watch:
        return supervise([Program([STAND_IN, behaviour])], watch, timeout=timeout, **options)[0]


def test_the_streams_come_apart_with_status_locale_and_folder():
    done = go("streams")
    assert (done.status, done.stdout, done.stderr) == (3, "to-stdout\nC /\n", "to-stderr\n")
    assert (done.ended, done.killed) == ("exited", False)
    assert 0 <= done.finished - done.started < 2


def go_until(timeout, behaviour, **options):
    """As go(), with more time where SIGINT came before a busy host had let the stand-in's shell set its trap."""
    for longer in (1, 10, 100):
        done = go(behaviour, timeout=timeout * longer, **options)
        if done.status != -signal.SIGINT:
            break
    return done


def test_a_timeout_is_an_interrupt_first():
    done = go_until(0.3, "wait")
    assert (done.ended, done.killed, done.status) == ("timeout", False, 0)
    assert "sendpacket_abort" in done.stdout and "User interrupt..." in done.stderr


@pytest.mark.parametrize("behaviour", ["deaf", "spin"])
def test_what_heeds_no_interrupt_is_killed_and_what_it_printed_is_kept(behaviour):
    done = go_until(0.3, behaviour, grace=0.3)
    assert (done.ended, done.killed, done.status) == ("timeout", True, -signal.SIGKILL)
    assert done.finished - done.started < 5
    assert ("136261 packets" in done.stdout) == (behaviour == "deaf")


def test_a_flood_stays_in_bounded_memory_and_keeps_both_ends():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = go("flood", timeout=1.0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KB
    assert done.status == 0
    assert len(done.stdout) < 6 << 20
    assert done.stdout.startswith("0000") and "bytes left out]\n" in done.stdout
    assert "Retried packets (EAGAIN):  189\n" in done.stdout


def test_what_it_forked_is_ended_too(tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"
    monkeypatch.setenv("STAND_IN_PID", str(pid_file))
    before = time.monotonic()
    done = go("fork")
    assert done.status == 0 and "Successful packets" in done.stdout
    assert time.monotonic() - before < 5
    assert until(lambda: not alive(read_pid(pid_file)))


def test_what_it_forked_into_a_session_of_its_own_is_ended_too(tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"
    monkeypatch.setenv("STAND_IN_PID", str(pid_file))
    with no_process_left() as mark:
        done = go("daemon", mark=mark)
        # It holds none of our pipes, but it is ended at once, not only at the end of the block.
        assert done.status == 0 and not alive(read_pid(pid_file))


def test_it_runs_where_no_file_has_the_name_of_an_interface():
    with no_process_left() as mark, Watch(()) as watch:
        done = supervise([Program(["sh", "-c", "pwd; ls -A; stat -c %a ."])], watch, timeout=5, mark=mark)[0]
    assert done.stdout == f"{mark}\n700\n"
    assert not os.path.exists(mark)


def test_what_it_gets_stays_open_for_as_long_as_it_lives():
    reading, writing = os.pipe()
    with Watch(()) as watch:
        told = Program(["sh", "-c", f"echo told >/proc/self/fd/{writing}"], pass_fds=[writing])
        done = supervise([told], watch, timeout=5)[0]
    os.close(writing)
    assert (done.status, os.read(reading, 100), os.read(reading, 100)) == (0, b"told\n", b"")
    os.close(reading)


def test_no_processor_time_is_spent_on_waiting():
    before = time.process_time()
    go("wait", timeout=1.5)
    assert time.process_time() - before < 0.3


def test_it_runs_on_the_cpus_asked_for():
    cpu = min(os.sched_getaffinity(0))
    own = os.sched_getaffinity(0)
    with Watch(()) as watch:
        done = supervise([Program(["grep", "Cpus_allowed_list", "/proc/self/status"], {cpu})], watch, timeout=5)[0]
    assert done.stdout.split() == ["Cpus_allowed_list:", str(cpu)]
    assert os.sched_getaffinity(0) == own


def test_cpus_that_are_not_there_are_refused():
    own = os.sched_getaffinity(0)
    with pytest.raises(TrafficgenError, match="cpu_list 1023: these CPUs cannot be used"), Watch(()) as watch:
        supervise([Program(["true"], {1023})], watch, timeout=5)
    assert os.sched_getaffinity(0) == own


def test_a_program_that_cannot_be_run_is_an_error(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF not really")
    broken.chmod(0o755)
    with pytest.raises(TrafficgenError, match="could not be run"), Watch(()) as watch:
        supervise([Program([str(broken)])], watch, timeout=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_module_interrupts_the_child(number):
    threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
    handler = signal.getsignal(number)
    done = go("wait")
    assert (done.ended, done.killed, done.status) == ("signal", False, 0)
    assert "Successful packets" in done.stdout
    assert signal.getsignal(number) is handler


@pytest.mark.parametrize("behaviour", ["wait", "deaf"])
def test_a_closed_connection_ends_the_child(behaviour):
    reading, writing = os.pipe()
    threading.Timer(0.3, os.close, (reading,)).start()
    before = time.monotonic()
    try:
        with Watch((writing,)) as watch:
            done = supervise([Program([STAND_IN, behaviour])], watch, timeout=10, grace=0.5)[0]
    finally:
        os.close(writing)
    assert (done.ended, done.killed) == ("gone", behaviour == "deaf")
    assert time.monotonic() - before < 5


def test_streams_that_cannot_hang_up_do_not_wake_it():
    with open(os.devnull, "w") as null, Watch((null.fileno(), 999)) as watch:  # 999: not open at all
        before = time.process_time()
        done = supervise([Program([STAND_IN, "wait"])], watch, timeout=0.6)[0]
    assert done.ended == "timeout"
    assert time.process_time() - before < 0.2


def test_programs_beside_each_other_each_have_their_output_and_end():
    with Watch(()) as watch:
        programs = [Program(["sh", "-c", f"sleep 0.{number}; echo {number}"]) for number in (3, 1)]
        first, second = supervise(programs, watch, timeout=5)
    assert (first.stdout, second.stdout) == ("3\n", "1\n")
    assert (first.ended, second.ended) == ("exited", "exited")
    assert second.finished < first.finished < first.started + 2


@pytest.mark.parametrize("other", ["wait", "deaf"])
def test_where_one_fails_the_others_are_stopped(other):
    with Watch(()) as watch:
        programs = [Program([STAND_IN, other]), Program(["sh", "-c", "kill -9 $$"])]
        stopped, failed = supervise(programs, watch, timeout=20, grace=0.5)
    assert (failed.ended, failed.status) == ("exited", -9)
    assert (stopped.ended, stopped.killed) == (OTHER_FAILED, other == "deaf")
    assert stopped.finished < stopped.started + 5


def test_the_timeout_ends_those_that_still_run():
    with Watch(()) as watch:
        done = supervise([Program(["true"]), *[Program([STAND_IN, "wait"])] * 2], watch, timeout=0.6)
    assert [one.ended for one in done] == ["exited", "timeout", "timeout"]
    assert all("Successful packets" in one.stdout for one in done[1:])


def test_one_that_cannot_be_run_leaves_no_other_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("STAND_IN_PID", str(tmp_path / "pid"))
    with pytest.raises(TrafficgenError, match="no-such"), Watch(()) as watch:
        supervise([Program([STAND_IN, "wait"]), Program(["no-such-program"])], watch, timeout=5)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert until(lambda: not any(alive(int(pid)) for pid in children))


# A module in its own process, so that a test can kill it. It runs the stand-in and undoes something at the end.
MODULE = """
    import sys
    from pathlib import Path
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host import cleanup
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Program, Watch, supervise
    undo, stand_in, behaviour = sys.argv[1:]
    Watch._BEAT = 0.1
    undone = cleanup.undo_even_if_killed(lambda: Path(undo).write_text("undone"))
    with Watch() as watch, cleanup.no_process_left() as mark, undone:
        done = supervise([Program([stand_in, behaviour])], watch, timeout=60, grace=0.5, mark=mark)[0]
    print(done.ended)
"""


@pytest.fixture
def module(tmp_path):
    """Starts a module; returns its process, the child's pid and the file that tells that it was undone."""
    processes = []

    def start(behaviour, through=()):
        pid_file, undo = tmp_path / "pid", tmp_path / "undo"
        process = subprocess.Popen(
            [*through, sys.executable, "-c", textwrap.dedent(MODULE), str(undo), STAND_IN, behaviour],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STAND_IN_PID": str(pid_file), "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        processes.append(process)
        return process, read_pid(pid_file), undo

    yield start
    for process in processes:
        process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait()


@pytest.mark.parametrize("behaviour", ["wait", "deaf", "spin", "daemon-stays"])
def test_a_module_that_is_killed_takes_the_child_with_it_and_is_undone(module, behaviour):
    process, child, undo = module(behaviour)
    assert alive(child)
    process.kill()
    assert until(lambda: not alive(child))
    assert until(undo.exists)


def test_a_module_whose_whole_group_is_killed_is_undone(module):
    # This is how async_wrapper ends a job that takes too long.
    process, child, undo = module("deaf", through=("setsid",))
    os.killpg(process.pid, signal.SIGKILL)
    assert until(lambda: not alive(child))
    assert until(undo.exists)


def test_a_module_that_is_terminated_says_what_was_sent(module):
    process, child, undo = module("wait")
    process.terminate()
    assert process.stdout.read().lstrip() == "signal\n"
    assert not alive(child) and undo.exists()


def test_a_module_whose_output_nobody_reads_ends(module):
    process, child, undo = module("deaf")
    process.stdout.close()
    assert until(lambda: not alive(child))
    assert until(lambda: process.poll() is not None)
    assert undo.exists()


def test_a_client_that_goes_on_without_ansible_is_given_something_to_write(module):
    # It then finds its own output closed, and closes ours.
    process, child, _undo = module("wait")
    assert [process.stdout.read(1) for _time in range(3)] == ["\n"] * 3
    assert alive(child)


def test_a_client_that_reads_nothing_holds_nothing_up(module):
    process, _child, undo = module("wait")
    fcntl.fcntl(process.stdout.fileno(), 1031, 4096)  # F_SETPIPE_SZ
    until(lambda: False, 1.0)
    process.terminate()
    assert until(undo.exists)


def test_a_module_whose_parent_goes_ends(module, tmp_path):
    # A shell between, as with sudo or ssh; its end closes nothing, since the pipe is still ours.
    process, child, undo = module("deaf", through=("sh", "-c", '"$@"; true', "sh"))
    process.kill()
    assert until(lambda: not alive(child))
    assert until(undo.exists)


def test_what_is_undone_holds_no_pipe_of_ours(module):
    # Otherwise Ansible would wait for the keeper too.
    process, child, _undo = module("wait")

    def open_files(pid):
        with contextlib.suppress(OSError):
            return [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
        return []

    pipe = os.readlink(f"/proc/{process.pid}/fd/1")

    def others():
        return {int(name) for name in os.listdir("/proc") if name.isdigit() and pipe in open_files(name)} - {
            process.pid,
            os.getpid(),
        }

    assert until(lambda: not others())  # the keeper may have been forked a moment ago
    assert alive(child)


def test_the_watch_sleeps_until_a_moment():
    moment = time.time() + 0.25
    with Watch(()) as watch:
        watch.sleep_until(moment)
    assert 0 <= time.time() - moment < 1


def test_the_watch_wakes_from_its_sleep():
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = time.monotonic()
    with Watch(()) as watch:
        watch.sleep_until(time.time() + 30)
        assert watch.why() == "signal"
    assert time.monotonic() - before < 5


def test_where_one_is_cut_short_the_others_are_stopped():
    with Watch(()) as watch:
        programs = [Program([STAND_IN, "wait"]), Program(["true"], cut_short=lambda: True)]
        stopped, ended = supervise(programs, watch, timeout=20, grace=0.5)
    assert (ended.ended, ended.status, stopped.ended) == ("exited", 0, OTHER_FAILED)
