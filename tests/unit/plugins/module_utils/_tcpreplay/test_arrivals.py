# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrives at the sending port itself, which another run sends to it: read before the port is given back."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

COUNTS = {"injection_method": "netmap", "count_arrivals": True, "receive_wait": 0.3}


@pytest.fixture
def arrives(host):
    """Sets what the port's MAC has received at each reading, from the one before the first frame on, and how many of
    these found no buffer."""
    real = host.snapshot

    def arrives(counts, no_buffer=0, driver="igb"):
        counts = itertools.chain([next(counts := iter(counts))] * 2, counts)  # the first reading is the plan's

        def snapshot(interface, **options):
            count = next(counts)
            rx = {"source": "igb rx_packets", "packets": count, "bytes": None, "drops_counted": False}
            drops = {"nic": no_buffer if isinstance(no_buffer, int) else next(no_buffer), "kernel": 0, "softnet": 0}
            mac = {"tx": None, "rx": rx, "reason": ""}
            return {**real(interface, **options), "driver": driver, "mac": mac, "host_drops": drops}

        host.snapshot = snapshot

    return arrives


def test_they_are_counted_before_the_port_is_given_back(host, arrives):
    # 50 at each reading, and then a foreign one now and again, which never ceases.
    arrives(itertools.chain(range(500, 900, 50), itertools.count(901)))
    found = host.run(**COUNTS).tree["arrivals"]
    before, after = found["before"], found["after"]
    assert before["mac"]["rx"]["packets"] == 500 and after["mac"]["rx"]["packets"] > 900
    assert after["arrival"]["ended"] == "quiet" and after["arrival"]["waited"] >= 0.3
    last = len(host.events) - host.events[::-1].index("snapshot v0")
    assert host.events[last:] == ["pause back", "let go", "put back"]


def test_what_finds_no_buffer_keeps_it_waiting(host, arrives):
    """The port's rings are full, so its count stands still, and that of the missed ones goes on."""
    no_buffer = itertools.chain(range(0, 600, 50), itertools.repeat(600))
    arrives(itertools.repeat(500), no_buffer=no_buffer)
    assert host.run(**{**COUNTS, "receive_wait": 0.4}).tree["arrivals"]["after"]["host_drops"]["nic"] == 600


def test_frames_that_never_cease(host, arrives):
    arrives(itertools.count(500, 50))
    began = time.monotonic()
    assert host.run(**COUNTS).tree["arrivals"]["after"]["arrival"]["ended"] == "limit"
    assert time.monotonic() - began < 10


def test_told_to_stop(host, arrives):
    arrives(itertools.count(500, 50))
    began = time.monotonic()
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    found = host.run(**{**COUNTS, "receive_wait": 60}).tree["arrivals"]
    assert found["after"]["arrival"]["ended"] == "stopped"
    assert time.monotonic() - began < 10 and host.events[-2:] == ["let go", "put back"]


def test_a_port_without_a_mac(host):
    found = host.run(**COUNTS).tree["arrivals"]
    assert found["after"]["arrival"] is None and found["after"]["interface"] == "v0"


def test_counters_that_cannot_be_read(host, arrives):
    def counts():
        yield from (500, 500)
        raise TrafficgenError("no such interface", on="v0")

    arrives(counts())
    outcome = host.run(**COUNTS)
    assert outcome.error is None and outcome.tree["arrivals"]["after"] is None
    assert "What arrived at v0 is unknown: v0: no such interface." in host.warnings


def test_nobody_asked_for_them(host, check_tree):
    check_tree(host.run(injection_method="netmap").tree)
