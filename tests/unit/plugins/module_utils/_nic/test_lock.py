# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import lock as _interface_lock
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.lock import COUNTING, SENDING, holders, only_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

BASE = (
    1_000_000_000 + os.getpid() % 1_000_000 * 1000
)  # numbers that no interface has, different in each process of a parallel test run


def lock(name, netns=None, what=SENDING, patience=0.0):
    return only_run(Interface(name, netns), what, time.monotonic() + patience, streams=())


@pytest.fixture(autouse=True)
def index(monkeypatch):
    """An interface's index has the digits of its name."""
    monkeypatch.setattr(_interface_lock.socket, "if_nametoindex", lambda name: BASE + int(name[3:]))


@contextlib.contextmanager
def elsewhere(name, child):
    """Hold the lock in another process, which calls ``child`` with the descriptor once it has it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with lock(name) as descriptor:
            os.write(writing, b"x")
            child(descriptor)
        os._exit(0)
    assert os.read(reading, 1) == b"x"
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)


def test_one_run_at_a_time():
    with lock("ens17"):
        with (
            pytest.raises(TrafficgenError, match=r"ens17: another run is sending on it: .*\. Wait until"),
            lock("ens17"),
        ):
            raise AssertionError
        with lock("ens18"):
            pass
        with lock("ens17", what=COUNTING):
            pass
    with lock("ens17"):
        pass


def test_who_holds_it_is_named():
    with elsewhere("ens17", lambda descriptor: time.sleep(60)) as pid:
        said = rf"held by process {pid} \(\S+\) of \S+ since {time.strftime('%Y-%m-%d')} "
        with pytest.raises(TrafficgenError, match=said), lock("ens17"):
            raise AssertionError


def test_nobody_holds_what_is_free():
    assert holders("wirespeed.trafficgen/sending/1") == ""


def test_it_waits_for_the_other_runs_end():
    with elsewhere("ens17", lambda descriptor: time.sleep(60)) as pid:
        threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
        before = time.monotonic()
        with lock("ens17", patience=30):
            assert 0.3 < time.monotonic() - before < 10


def test_it_waits_no_longer_than_asked():
    with lock("ens17"):
        before = time.monotonic()
        with pytest.raises(TrafficgenError, match="another run is sending on it"), lock("ens17", patience=0.4):
            raise AssertionError
        assert 0.4 <= time.monotonic() - before < 5


def test_an_interface_that_is_another_one_after_the_wait(monkeypatch):
    # For example, it was moved to another driver while another run had it.
    moved = {"ens17": BASE + 17}
    monkeypatch.setattr(_interface_lock.socket, "if_nametoindex", lambda name: moved[name])
    with lock("ens17"):
        threading.Timer(0.3, moved.__setitem__, ("ens17", BASE + 99)).start()
        with lock("ens17", patience=10):
            with pytest.raises(TrafficgenError, match="another run"), lock("ens17"):
                raise AssertionError
            assert holders(f"wirespeed.trafficgen/sending/{BASE + 99}")


def test_a_signal_ends_the_wait():
    with lock("ens17"):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        before = time.monotonic()
        with pytest.raises(TrafficgenError, match="told to stop while waiting"), lock("ens17", patience=30):
            raise AssertionError
        assert time.monotonic() - before < 5


def test_the_lock_goes_with_the_process():
    child = os.fork()
    if child == 0:
        with lock("ens17"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with lock("ens17"):
        pass


def test_the_lock_stays_as_long_as_a_program_that_got_it():
    programs = []

    def start(descriptor):
        program = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
        os.write(telling, f"{program.pid}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    told, telling = os.pipe()
    with elsewhere("ens17", start):
        programs.append(int(os.read(told, 100)))
    try:
        with pytest.raises(TrafficgenError, match=rf"held by process {programs[0]} \(sleep\)"), lock("ens17"):
            raise AssertionError
    finally:
        os.kill(programs[0], signal.SIGKILL)
        os.close(told)
        os.close(telling)
    with lock("ens17", patience=10):
        pass


def test_what_is_not_there_cannot_be_had(monkeypatch):
    def none(name):
        raise OSError("no such device")

    monkeypatch.setattr(_interface_lock.socket, "if_nametoindex", none)
    # The code that reads its state says so.
    with lock("ens17"), lock("ens17"):
        pass
    with pytest.raises(TrafficgenError, match="no such network namespace"), lock("ens17", "there-is-none-of-this-name"):
        raise AssertionError


def test_a_namespace_has_interfaces_of_its_own(netns):
    refused = pytest.raises(TrafficgenError, match=rf"another run.*held by process {os.getpid()} ")
    with lock("ens17"), lock("ens17", netns), refused, lock("ens17", netns):
        raise AssertionError
