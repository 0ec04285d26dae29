# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When zero copy is asked for, and the program that it needs on a port: a veth takes that in its driver, but no socket
without copying."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.xdp import Told
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.program import let_pass
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import CHUNK, QueueSocket
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import COPY, Asked, decide, may_ask

from .conftest import ip_frame

CAN = Told(["basic", "redirect", "xsk-zerocopy"], 1)
CANNOT = Told(["basic", "redirect"], 0)
FREE = {"programs": [], "netmap": False, "managed": ""}
PROGRAM = {"id": 17, "mode": "driver"}
BOTH = Asked(zero_copy=True, copy=True)


@pytest.mark.parametrize(
    ("mode", "driver", "may"),
    [
        ("copy", "ixgbe", False),
        ("auto", "igb", False),
        ("auto", "virtio_net", False),
        ("auto", "veth", False),
        ("auto", None, False),
        *(("auto", driver, True) for driver in ("ixgbe", "i40e", "ice", "mlx5_core", "igc")),
        *(("zero_copy", driver, True) for driver in ("igb", "veth", None)),
    ],
)
def test_where_it_may_be_asked_for(mode, driver, may):
    assert may_ask(mode, driver) is may


@pytest.mark.parametrize("told", [CAN, None])  # None: a kernel that does not tell, so its bind() will
def test_asked_for(told):
    assert decide("auto", "ens1", "ice", told, **FREE) == BOTH
    assert decide("zero_copy", "ens1", "igb", told, **FREE) == Asked(zero_copy=True, copy=False)


@pytest.mark.parametrize(
    ("told", "found", "what", "remedy"),
    [
        (CANNOT, {}, "the driver ice of the kernel", "The module xdp_info tells what a port can do."),
        (Told([], 0), {}, "does not have it (its XDP features: none)", "Set mode: copy"),
        (CAN, {"managed": "the default route is on ens1"}, "the default route is on ens1", "Send on another interface"),
        (CAN, {"programs": [PROGRAM]}, "another XDP program is on the port: number 17 (driver)", "It was left alone."),
        (CAN, {"netmap": None}, "netmap is in use on this host", "End what uses netmap"),
        (None, {"netmap": True}, "netmap is in use on this host", "or set mode: copy."),
    ],
)
def test_what_stands_against_it(told, found, what, remedy):
    with pytest.raises(TrafficgenError) as refused:
        decide("zero_copy", "ens1", "ice", told, **{**FREE, **found})
    assert refused.value.message.startswith("mode zero_copy, ens1: not possible, because ")
    assert what in refused.value.message and remedy in refused.value.message
    by_itself = decide("auto", "ens1", "ice", told, **{**FREE, **found})
    assert by_itself._replace(warning="") == COPY
    # No word of a driver that cannot: nothing is lost there.
    assert (what in by_itself.warning) is (told is None or told is CAN)
    assert by_itself.warning[:5] in ("", "ens1:")


def programs(lab):
    return read_link(lab.interface).get("xdp", [])


def gone(lab, seconds=5.0):
    """Whether there is no program any more, or soon."""
    until = time.monotonic() + seconds
    while programs(lab) and time.monotonic() < until:
        time.sleep(0.02)
    return not programs(lab)


def test_the_program_stays_for_the_block(lab):
    with pytest.raises(ZeroDivisionError), let_pass(lab.interface):
        assert [one["mode"] for one in programs(lab)] == ["driver"]
        with inside(lab.sender):
            here = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
        with inside(lab.receiver):
            there = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with here, there:
            here.settimeout(5)
            there.bind(("rcv0", 0))
            there.send(ip_frame(1))
            assert here.recv(4096) == ip_frame(1)
        raise ZeroDivisionError
    assert not programs(lab)


def test_a_slot_that_is_taken(lab):
    with let_pass(lab.interface):
        first = programs(lab)
        with pytest.raises(TrafficgenError) as refused, let_pass(lab.interface):
            pytest.fail("it was replaced")
        said = refused.value.message
        assert "snd0: its driver took no XDP program" in said and "was left alone" in said and "mode: copy" in said
        assert programs(lab) == first


def test_a_port_that_takes_none(lab):
    """A veth whose frames are larger than a page."""
    lab.ip("link set snd0 mtu 9000")
    lab.run(lab.receiver, "ip", "link", "set", "rcv0", "mtu", "9000")
    with pytest.raises(TrafficgenError) as refused, let_pass(lab.interface):
        pytest.fail("it was taken")
    assert "its driver took no XDP program" in refused.value.message and "mode: copy" in refused.value.message


def test_buffers_for_what_arrives(lab):
    """They are the port's before it is bound, each once, and none has a frame in it that is sent."""
    queue = QueueSocket(lab.interface, 0, 64 * CHUNK, receive=256)
    try:
        assert queue.fill_producer[0] - queue.fill_consumer[0] == 256
        assert len(queue.umem) == 64 * CHUNK
        addresses = sorted(queue.fill_addresses)
        assert addresses == list(range(64 * CHUNK, (64 + 256) * CHUNK, CHUNK))
        queue.bind(zero_copy=True)
        assert queue.mode == "copy"
    finally:
        queue.close()


def test_without_copying_or_not_at_all(lab):
    queue = QueueSocket(lab.interface, 0, 64 * CHUNK, receive=256)
    try:
        with pytest.raises(TrafficgenError) as refused:
            queue.bind(copy=False, zero_copy=True)
    finally:
        queue.close()
    assert "its queue 0 could not be used for AF_XDP with zero copy" in refused.value.message
    assert "Otherwise set mode: copy" in refused.value.message


def test_no_worker_keeps_the_program(stream, lab):
    frames = [ip_frame(number) for number in range(100)]
    with ExitStack() as port, Watch(()) as watch:
        port.enter_context(let_pass(lab.interface))
        made = stream(frames, loop=0, pps=500.0, workers=3)
        with Sender(lab.interface, made, cpus=None, asked=BOTH, receive=2048) as sender:
            sender.start(watch)
            assert (sender.mode, len(programs(lab))) == ("copy", 1)
            port.close()
            assert gone(lab) and not any(worker.has_ended() for worker in sender._workers)


RUN = """
import sys
from contextlib import ExitStack
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.program import let_pass
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import Asked

pcap, netns = sys.argv[1:]
port = Interface("snd0", netns)
with ExitStack() as stack, Watch(()) as watch:
    made = XdpStream(open_pcaps([pcap], stack), loop=0, limit=None, duration=60.0, pps=500.0, multiplier=None,
                     workers=2, split="frame", burst=None)
    stack.enter_context(let_pass(port))
    sender = stack.enter_context(Sender(port, made, cpus=None, asked=Asked(True, True), receive=2048))
    sender.start(watch)
    print(*(worker.pid for worker in sender._workers), flush=True)
    sender.wait(watch, timeout=60.0, stop=lambda: "", listen=lambda: None)
"""


@pytest.mark.parametrize("workers_too", [False, True])
def test_nothing_stays_after_sigkill(stream, lab, workers_too):
    path = stream([ip_frame(number) for number in range(100)]).pcaps[0].path
    with subprocess.Popen([sys.executable, "-c", RUN, path, lab.sender], stdout=subprocess.PIPE, text=True) as run:
        workers = [int(pid) for pid in run.stdout.readline().split()]
        assert len(workers) == 2 and len(programs(lab)) == 1
        for pid in [run.pid, *(workers if workers_too else [])]:
            os.kill(pid, signal.SIGKILL)
    assert gone(lab)
    until = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < until:
        time.sleep(0.02)
    queue = QueueSocket(lab.interface, 1, CHUNK)
    try:
        queue.bind()
    finally:
        queue.close()
