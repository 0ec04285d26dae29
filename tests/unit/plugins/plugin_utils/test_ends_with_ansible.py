# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker ends with Ansible's main process: as Ansible forks both, and the main process alone is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils import _action

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def worker_of():
    """Starts a main process with a worker that does this. Returns the main's number, and what the worker says; at the
    pipe's end it is gone."""
    started = []

    def start(work):
        reading, writing = os.pipe()

        def main():
            worker = FORK.Process(target=work, args=(lambda word: os.write(writing, word),))
            worker.start()
            os.close(writing)
            worker.join()

        process = FORK.Process(target=main)
        process.start()
        os.close(writing)
        started.append((process, reading))
        return process.pid, reading

    yield start
    for process, reading in started:
        os.close(reading)
        process.join()


def rest(reading):
    return b"".join(iter(lambda: os.read(reading, 100), b""))


def test_it_ends_within_a_second(worker_of):
    def work(say):
        with _action.ends_with_ansible():
            say(b"b")
            time.sleep(20)
        say(b"e")

    main, reading = worker_of(work)
    assert os.read(reading, 1) == b"b"
    os.kill(main, signal.SIGKILL)
    killed = time.monotonic()
    assert rest(reading) == b"" and time.monotonic() - killed < 5


def test_the_next_item_of_a_loop_does_not_begin(worker_of):
    """Ansible waits between two items (`pause`), and is killed meanwhile."""

    def work(say):
        parent = os.getppid()
        with _action.ends_with_ansible():
            say(b"1")
        while os.getppid() == parent:
            time.sleep(0.01)
        with _action.ends_with_ansible():
            say(b"2")

    main, reading = worker_of(work)
    assert os.read(reading, 1) == b"1"
    os.kill(main, signal.SIGKILL)
    assert rest(reading) == b""


def test_it_goes_on_with_a_main_process(worker_of, monkeypatch):
    monkeypatch.setattr(_action, "_LOOK", 0.01)

    def work(say):
        with _action.ends_with_ansible():
            time.sleep(0.2)
            say(b"b")
        say(b"e")

    assert rest(worker_of(work)[1]) == b"be"


def test_after_the_run_it_is_left_alone(worker_of, monkeypatch):
    """What Ansible makes of its workers then is Ansible's."""
    monkeypatch.setattr(_action, "_LOOK", 0.01)

    def work(say):
        with _action.ends_with_ansible():
            parent = os.getppid()
        say(b"b")
        while os.getppid() == parent:
            time.sleep(0.01)
        time.sleep(0.2)
        say(b"e")

    main, reading = worker_of(work)
    assert os.read(reading, 1) == b"b"
    os.kill(main, signal.SIGKILL)
    assert rest(reading) == b"e"
