# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames sent for real, between two network namespaces: what the sender says was sent is what the receiver counts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import undo_even_if_killed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp import queue_socket, sender, worker
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import QueueSocket
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender

from .conftest import a_stream, ip_frame

FRAMES = [ip_frame(number, 60 + number % 60) for number in range(1000)]


def packets(done):
    return sum(one.packets for one in done.workers)


def once(action):
    """Do it one time, when some frames have been sent."""
    left = [action]

    def look(sender):
        if left and sender.measures().packets > 100:
            left.pop()(sender)

    return look


def processes(done_or_sender):
    return [worker.pid for worker in done_or_sender._workers]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"loop": 7}, 7000),
        ({"loop": 0, "limit": 3001}, 3001),
        ({"loop": 0, "limit": 2999, "split": "flow"}, 2999),
        ({"loop": 0, "limit": 5000, "pps": 20_000.0}, 5000),
    ],
)
def test_all_of_it_comes(stream, lab, send, workers, settings, expected):
    done = send(stream(FRAMES, workers=workers, **settings))
    assert (done.ended, done.killed, packets(done)) == ("exited", False, expected)
    assert lab.came == expected
    assert [one.queue for one in done.workers] == list(range(workers))
    whole, rest = divmod(expected, 1000)
    size = whole * sum(map(len, FRAMES)) + sum(map(len, FRAMES[:rest]))
    assert sum(one.bytes for one in done.workers) == size
    assert not any(one.failed or one.error for one in done.workers)


def test_the_bytes_on_the_wire_are_the_pcap_s(stream, lab, send):
    frames = [ip_frame(number, size) for number, size in enumerate((60, 61, 1514, 97, 1000) * 20)]
    with lab.capture() as capture:
        assert packets(send(stream(frames[:31], frames[31:], loop=2))) == 200
        assert [capture.recv(4096) for _frame in range(200)] == frames * 2


def seconds(done):
    return max(one.seconds for one in done.workers)


def soonest(tries):
    """The one of several runs that took the least: a worker may be preempted at the end of any, on a busy host."""
    return min(seconds(done) for done in tries)


def test_a_duration_at_top_speed(stream, lab, send):
    runs = [send(stream(FRAMES, loop=0, duration=0.25)) for _try in range(5)]
    assert 0.24 < soonest(runs) < 0.26
    assert sum(map(packets, runs)) == lab.came > 5000


def test_a_duration_at_a_rate(stream, lab, send):
    runs = [send(stream(FRAMES, loop=0, duration=0.25, pps=20_000.0, workers=2)) for _try in range(5)]
    assert soonest(runs) < 0.26
    assert sum(map(packets, runs)) == lab.came <= 5 * 5000
    for done in runs:
        if all(one.largest_backlog < 50 for one in done.workers):  # none was preempted for five milliseconds
            assert packets(done) == 5000


def test_a_rate_of_two_workers(stream, lab, send):
    runs = [send(stream(FRAMES, loop=0, limit=600, pps=2000.0, workers=2)) for _try in range(5)]
    assert 0.2999 < soonest(runs) < 0.33
    assert min(max(one.start_offset for one in done.workers) for done in runs) < 0.01
    for done in runs:
        assert [one.packets for one in done.workers] == [300, 300]
        assert min(one.start_offset for one in done.workers) == 0.0
    assert lab.came == 3000


def test_files_larger_than_the_memory_for_them(stream, lab, send, monkeypatch):
    monkeypatch.setattr(sender, "_UMEM_MOST", 16 * queue_socket.CHUNK)
    monkeypatch.setattr(sender, "_UMEM_LEAST", 16 * queue_socket.CHUNK)
    frames = [ip_frame(number, 200) for number in range(3000)]
    with lab.capture() as capture:
        assert packets(send(stream(frames, loop=3, limit=7001))) == 7001
        assert [capture.recv(4096) for _frame in range(7001)] == (frames * 3)[:7001]
    assert packets(send(stream(frames, loop=0, limit=6000, pps=30_000.0, workers=2))) == 6000
    assert lab.came == 13_001


def test_figures_while_it_sends(stream, lab, send):
    seen = []
    done = send(stream(FRAMES, loop=0, duration=1.5, pps=1000.0), meanwhile=lambda one: seen.append(one.measures()))
    assert seen == sorted(seen)
    assert any(0 < one.packets < 1500 and one.bytes >= 60 * one.packets for one in seen)
    assert packets(done) == lab.came == 1500


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_is_killed(stream, lab, send, workers):
    def kill_one(sender):
        os.kill(processes(sender)[-1], signal.SIGKILL)

    done = send(stream(FRAMES, loop=0, workers=workers), meanwhile=once(kill_one))
    assert done.ended == f"worker {workers - 1} was killed by SIGKILL"
    assert done.workers[-1].error == "was killed by SIGKILL"
    assert packets(done) == lab.came > 100


def test_all_workers_killed(stream, lab, send):
    def kill_all(sender):
        for process in processes(sender):
            os.kill(process, signal.SIGKILL)

    done = send(stream(FRAMES, loop=0, workers=3), meanwhile=once(kill_all))
    assert "was killed by SIGKILL" in done.ended
    assert packets(done) == lab.came > 100


@pytest.mark.parametrize("settings", [{"workers": 2}, {"pps": 0.01, "workers": 1}])
def test_told_to_stop(stream, lab, send, settings):
    began = time.monotonic()
    done = send(stream(FRAMES, loop=0, **settings), stop=lambda: "enough")
    assert (done.ended, done.killed) == ("enough", False)
    assert time.monotonic() - began < 5
    assert packets(done) == lab.came > 0


def test_a_timeout(stream, lab, send):
    done = send(stream(FRAMES, loop=0, pps=100.0), timeout=0.5)
    assert done.ended == "timeout"
    assert packets(done) == lab.came


def test_the_interface_set_down(stream, lab, send):
    done = send(stream(FRAMES, loop=0, pps=5000.0, workers=2), meanwhile=once(lambda one: lab.ip("link set snd0 down")))
    assert done.ended in ("worker 0 failed", "worker 1 failed")
    assert "its interface was set down: Network is down" in {one.error[:43] for one in done.workers}
    assert packets(done) == lab.came


def test_the_interface_removed(stream, lab, send):
    done = send(stream(FRAMES, loop=0, pps=5000.0), meanwhile=once(lambda one: lab.ip("link delete snd0")))
    assert done.ended == "worker 0 failed"
    assert "its interface is gone" in done.workers[0].error
    assert packets(done) > 100


def test_no_carrier(stream, lab, send):
    """The kernel completes what it drops; it was not sent all the same."""
    lab.run(lab.receiver, "ip", "link", "set", "rcv0", "down")
    time.sleep(0.1)
    done = send(stream(FRAMES, workers=2))
    assert [(one.packets, one.bytes, one.failed) for one in done.workers] == [(0, 0, 500)] * 2
    assert done.ended == "exited"


def test_a_queue_that_is_taken(stream, lab, send):
    other = QueueSocket(lab.interface, 1, 1 << 20)
    other.bind()
    with pytest.raises(TrafficgenError, match=r"snd0: its queue 1 could not be used .* busy.* `ss --xdp -p`"):
        send(stream(FRAMES, workers=2))
    other.close()
    assert packets(send(stream(FRAMES, workers=2))) == 1000  # and nothing of the refused one was left


def test_no_such_queue(stream, send):
    with pytest.raises(TrafficgenError, match=r"its queue 3 could not be used .* Invalid argument.*ethtool -L"):
        send(stream(FRAMES, workers=4))


def test_no_such_interface(stream, lab, send):
    lab.interface = Interface("nosuch0", lab.sender)
    with pytest.raises(TrafficgenError, match="nosuch0"):
        send(stream(FRAMES))


def test_a_pcap_that_cannot_be_sent(stream, send):
    with pytest.raises(TrafficgenError, match="frame 3 of a pass is 5000 bytes long"):
        send(stream([*FRAMES[:2], bytes(5000)], workers=2))


def test_a_cpu_that_is_not_there(stream, send):
    with pytest.raises(TrafficgenError, match="cpu_list 9999: this CPU cannot be used"):
        send(stream(FRAMES), cpus=[9999])


def test_leaving_it_everything_is_gone(stream, lab):
    with Watch(()) as watch, Sender(lab.interface, stream(FRAMES, loop=0, workers=3), cpus=None) as left:
        left.start(watch)
        workers = processes(left)
    for process in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_with_its_parent_a_worker_dies(stream, lab):
    """SIGKILL of the process that has forked them: none goes on, and the queues are free."""
    path = stream(FRAMES).pcaps[0].path
    script = textwrap.dedent(f"""
        import contextlib, time
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream
        with contextlib.ExitStack() as stack, Watch(()) as watch:
            stream = XdpStream(open_pcaps([{path!r}], stack), 0, None, None, 1000.0, None, 3, "frame", None)
            with Sender(Interface("snd0", {lab.sender!r}), stream, cpus=None) as sender:
                sender.start(watch)
                print(*(worker.pid for worker in sender._workers), flush=True)
                time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        time.sleep(0.2)
        parent.kill()
    assert len(workers) == 3
    until = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{worker}") for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.02)
    again = QueueSocket(lab.interface, 2, 1 << 20)
    again.bind()
    again.close()


def test_another_processor_is_refused(monkeypatch):
    monkeypatch.setattr(queue_socket.os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "#1", "aarch64")))
    with pytest.raises(TrafficgenError, match=r"this host .aarch64.: AF_XDP in plain Python needs x86_64"):
        Sender(Interface("snd0"), a_stream([]), cpus=[0]).__enter__()


def test_a_kernel_without_af_xdp(monkeypatch, stream):
    def no_family(*arguments):
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(queue_socket.socket, "socket", no_family)
    with pytest.raises(
        TrafficgenError, match=r"lo: an AF_XDP socket could not be opened.* has no AF_XDP .CONFIG_XDP_SOCKETS"
    ):
        QueueSocket(Interface("lo"), 0, 1 << 20)


def test_what_is_forked_later_does_not_keep_the_queue(stream, lab):
    with undo_even_if_killed(lambda: None), Watch(()) as watch, contextlib.ExitStack() as later:
        with Sender(lab.interface, stream(FRAMES, workers=2), cpus=None) as sent:
            later.enter_context(undo_even_if_killed(lambda: None))
            sent.start(watch)
            sent.wait(watch, timeout=10, stop=lambda: "", listen=lambda: None)
        again = QueueSocket(lab.interface, 0, 1 << 20)
        again.bind()
        again.close()


def test_a_port_that_sends_no_more(stream, lab, send, monkeypatch):
    """Nobody tells the kernel of what is in the ring, so nothing leaves."""
    monkeypatch.setattr(QueueSocket, "kick", lambda self: None)
    monkeypatch.setattr(worker, "_STALLED", 0.5)
    done = send(stream(FRAMES, loop=0))
    assert done.ended == "worker 0 failed"
    assert "no frame has left for 0.5 s, and 2048 are under way" in done.workers[0].error
    assert packets(done) == lab.came == 0


def test_a_worker_that_does_not_heed_the_word(stream, lab, send, monkeypatch):
    monkeypatch.setattr(sender, "_GRACE", 0.5)
    stopped = once(lambda one: os.kill(processes(one)[1], signal.SIGSTOP))
    done = send(stream(FRAMES, loop=0, workers=2), meanwhile=stopped, timeout=1.5)
    assert (done.ended, done.killed) == ("timeout", True)
    assert [one.error for one in done.workers] == ["", "was killed by SIGKILL"]
    assert packets(done) == lab.came > 100


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (
            "net_raw",
            "an AF_XDP socket could not be opened: Operation not permitted. Run the task as root (become: true), or"
            " with CAP_NET_RAW.",
        ),
        (
            "ipc_lock",
            "its 1 MB for frames could not be reserved: No buffer space available. Raise the limit of locked memory",
        ),
    ],
)
def test_without_a_capability(lab, taken, message):
    script = textwrap.dedent("""
        import resource
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
        from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.queue_socket import QueueSocket
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
        QueueSocket(Interface("snd0"), 0, 1 << 18)
    """)
    setpriv = [shutil.which("setpriv") or pytest.skip("needs setpriv"), "--inh-caps", f"-{taken}"]
    inside = ["ip", "netns", "exec", lab.sender, *setpriv, "--bounding-set", f"-{taken}", sys.executable, "-c", script]
    done = subprocess.run(inside, capture_output=True, text=True, check=False)
    assert message in done.stderr
