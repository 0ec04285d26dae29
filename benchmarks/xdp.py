# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sender on AF_XDP reaches beside tcpreplay at its best, and how well it keeps a rate.

Interleaved runs between two namespaces of its own: tcpreplay, one worker, two workers, and again. The receiver counts
each frame for itself, and drops it; on a veth the sender's CPU does that, too. A frame per second of CPU says more than
one per second where the host has other work. CPU time is the whole process's, loading included.

    python3 benchmarks/xdp.py [--rounds 5] [--seconds 4] [--skip ratios] [--skip workers] [--skip rates] …
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import json
import os
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.supervise import Watch
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Sender
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.stream import XdpStream

SENDER, RECEIVER = "bench-xdp-snd", "bench-xdp-rcv"
SIZES = {78: "64-byte IP packets", 1514: "1514-byte frames"}
FRAMES = {78: 64511, 1514: 8000}
RATES = (1_000, 10_000, 100_000, 500_000)
WANTED = {  # (size, what against what): the least ratio of frames per second of CPU
    (78, "one worker / tcpreplay"): 1.7,
    (78, "two workers / one"): 1.8,
    (78, "two workers / tcpreplay"): 2.7,
    (1514, "one worker / tcpreplay"): 1.4,
}

MODULE = "ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay"
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35  # asm-generic/socket.h


class Run(NamedTuple):
    """A run: its frames, the seconds it sent for, and those of CPU it took in all."""

    frames: int
    seconds: float
    cpu: float

    @property
    def pps(self) -> float:
        """Frames per second."""
        return self.frames / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Frames per second of CPU."""
        return self.frames / self.cpu


def write_pcap(path: Path, frames: int, size: int) -> None:
    """IP packets, each to a port of its own."""
    ethernet = bytes.fromhex("0200000000010200000000020800")
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 1, 0, 64, 17, 0, 0xC6120001, 0xC6120002)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(frames):
            frame = (ethernet + ip + struct.pack(">HH", 1024, 1024 + number % 64511)).ljust(size, b"\0")
            file.write(struct.pack("<IIII", number // 10**6, number % 10**6, size, size) + frame)


def run(*argv: str, stdin: str = "") -> str:
    """Run a program, and return what it printed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin).stdout


@contextlib.contextmanager
def lab() -> Iterator[None]:
    """Two namespaces with a link of two queues between them, and a receiver that counts."""
    remove()
    try:
        for netns in (SENDER, RECEIVER):
            run("ip", "netns", "add", netns)
            if Path("/proc/sys/net/ipv6").exists():
                run("ip", "netns", "exec", netns, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        queues = ["numtxqueues", "2", "numrxqueues", "2"]
        peer = ["type", "veth", "peer", "name", "rcv0", "netns", RECEIVER, *queues]
        run("ip", "link", "add", "snd0", "netns", SENDER, *queues, *peer)
        run("ip", "-n", SENDER, "link", "set", "snd0", "up")
        run("ip", "-n", RECEIVER, "link", "set", "rcv0", "up")
        rule = "type filter hook ingress device rcv0 priority 0\nether saddr 02:00:00:00:00:02 counter name came drop"
        rules = f"table netdev t {{\ncounter came {{\n}}\nchain c {{\n{rule}\n}}\n}}\n"
        run("ip", "netns", "exec", RECEIVER, "nft", "-f", "-", stdin=rules)
        yield
    finally:
        remove()


def remove() -> None:
    """Remove the namespaces, if they are there."""
    for netns in (SENDER, RECEIVER):
        subprocess.run(["ip", "netns", "delete", netns], check=False, capture_output=True)


def came() -> int:
    """The frames that the receiver has counted since it was asked last."""
    said = run("ip", "netns", "exec", RECEIVER, "nft", "reset", "counters")
    return int(re.findall(r"packets (\d+)", said)[0])


def cpu_of(status: resource.struct_rusage) -> float:
    """The seconds of CPU of a process that has ended, and of its children."""
    return status.ru_utime + status.ru_stime


def tcpreplay(pcap: Path, loops: int, *options: str) -> Run:
    """tcpreplay at its best: at top speed, where the options say no more."""
    argv = ["ip", "netns", "exec", SENDER, "tcpreplay", "--intf1=snd0", "--preload-pcap", *(options or ["--topspeed"])]
    with subprocess.Popen(
        [*argv, "--no-flow-stats", f"--loop={loops}", str(pcap)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        printed = process.stdout.read().decode()
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    frames = int(re.findall(r"Actual: (\d+) packets", printed)[0])
    check(frames)
    return Run(frames, frames / float(re.findall(r"([\d.]+) pps", printed)[-1]), cpu_of(used))


def check(frames: int) -> None:
    """Whether the receiver has counted as many."""
    if (counted := came()) != frames:
        raise SystemExit(f"{frames} frames sent, {counted} counted at the receiver")


def xdp(pcap: Path, **settings: Any) -> tuple[Run, dict[str, Any]]:
    """Our own sender, in a process of its own; and what it says of its workers."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            told = json.dumps(send(pcap, settings)).encode()
            os.write(writing, told)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        told = json.loads(file.read())
    _pid, _status, used = os.wait4(process, 0)
    check(told["frames"])
    return Run(told["frames"], told["seconds"], cpu_of(used)), told


def send(pcap: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Send, and say what became of it, and what memory it took."""
    usual = {
        "loop": 0,
        "limit": None,
        "duration": None,
        "pps": None,
        "multiplier": None,
        "workers": 1,
        "split": "frame",
    }
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(Watch(()))
        stream = XdpStream(open_pcaps([str(pcap)], stack), **{**usual, "burst": None, **settings})
        sender = stack.enter_context(Sender(Interface("snd0", SENDER), stream, cpus=None))
        sender.start(watch)
        memory: list[int] = []
        pids = [os.getpid(), *(worker.pid for worker in sender._workers)]
        done = sender.wait(
            watch, timeout=120, stop=lambda: "", listen=lambda: memory.append(sum(map(proportional, pids)))
        )
    if done.ended != "exited":
        raise SystemExit(f"ended: {done}")
    return {
        "frames": sum(worker.packets for worker in done.workers),
        "seconds": max(worker.seconds for worker in done.workers),
        "start_offset": max(worker.start_offset for worker in done.workers),
        "largest_backlog": max(worker.largest_backlog for worker in done.workers),
        "behind": max(worker.behind for worker in done.workers),
        "memory": max(memory),
    }


def proportional(pid: int) -> int:
    """The kilobytes of a process, its share of what several have in common."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def ratios(folder: Path, rounds: int, seconds: float) -> None:
    """Interleaved runs of each size, and the medians of what one is to the other."""
    for size, what in SIZES.items():
        pcap = folder / f"{size}.pcap"
        write_pcap(pcap, FRAMES[size], size)
        loops = max(1, round(tcpreplay(pcap, 20).per_cpu_second * seconds / FRAMES[size]))
        print(f"{what}, {loops} passes over {FRAMES[size]}; a thousand frames per second (per second of CPU)")
        print(f"{'round':>5} {'tcpreplay':>15} {'one worker':>15} {'two workers':>15} {'starts apart':>12}")
        found: list[tuple[Run, Run, Run]] = []
        for number in range(1, rounds + 1):
            one = xdp(pcap, loop=loops)[0]
            other = tcpreplay(pcap, loops)
            two, told = xdp(pcap, loop=loops, workers=2)
            found.append((other, one, two))
            columns = " ".join(f"{each.pps / 1e3:>7.0f} ({each.per_cpu_second / 1e3:>5.0f})" for each in found[-1])
            print(f"{number:>5} {columns} {told['start_offset'] * 1e3:>9.2f} ms", flush=True)
        for name, upper, lower, cores in (
            ("one worker / tcpreplay", 1, 0, 1),
            ("two workers / one", 2, 1, 2),
            ("two workers / tcpreplay", 2, 0, 2),
        ):
            # Two workers have twice the CPU: a second of theirs is two seconds of CPU.
            cpu = statistics.median(each[upper].per_cpu_second / each[lower].per_cpu_second for each in found) * cores
            wall = statistics.median(each[upper].pps / each[lower].pps for each in found)
            wanted = WANTED.get((size, name))
            print(f"  {name}: {cpu:.2f} by CPU, {wall:.2f} by the clock" + (f" ({wanted} wanted)" if wanted else ""))


def module(pcap: Path, loops: int, workers: int) -> tuple[Run, float]:
    """A run of the module tcpreplay at top speed, and how many seconds apart its workers began. Its CPU time is the
    module's, too."""
    asked = {"pcaps": [str(pcap)], "interface": "snd0", "netns": SENDER, "topspeed": True, "flow_stats": False}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**asked, "loop": loops, "workers": workers}})
    before = cpu_of(resource.getrusage(resource.RUSAGE_CHILDREN))
    found = json.loads(run(sys.executable, "-m", MODULE, stdin=given).splitlines()[-1])
    used = cpu_of(resource.getrusage(resource.RUSAGE_CHILDREN)) - before
    stats = found["stats"]
    check(stats["packets"])
    return Run(stats["packets"], stats["seconds"], used), max(one["start_offset"] for one in found["run"]["workers"])


def workers(folder: Path, rounds: int, seconds: float) -> None:
    """The module tcpreplay: two workers against one, interleaved."""
    pcap = folder / "workers.pcap"
    write_pcap(pcap, FRAMES[78], 78)
    loops = max(1, round(tcpreplay(pcap, 20).pps * seconds / FRAMES[78]))
    print(f"the module tcpreplay, {SIZES[78]}, {loops} passes over {FRAMES[78]}; thousands a second (of CPU)")
    print(f"{'round':>5} {'one worker':>15} {'two workers':>15} {'starts apart':>12}")
    found: list[tuple[Run, Run]] = []
    for number in range(1, rounds + 1):
        (one, _none), (two, apart) = (module(pcap, loops, count) for count in (1, 2))
        found.append((one, two))
        columns = " ".join(f"{each.pps / 1e3:>7.0f} ({each.per_cpu_second / 1e3:>5.0f})" for each in (one, two))
        print(f"{number:>5} {columns} {apart * 1e3:>9.2f} ms", flush=True)
    # Two workers have twice the CPU: a second of theirs is two seconds of CPU.
    cpu = statistics.median(two.per_cpu_second / one.per_cpu_second for one, two in found) * 2
    wall = statistics.median(two.pps / one.pps for one, two in found)
    print(f"  two workers / one: {cpu:.2f} by CPU, {wall:.2f} by the clock (1.6 wanted)")


def rates(folder: Path, seconds: float) -> None:
    """Rates asked, and reached."""
    pcap = folder / "rate.pcap"
    write_pcap(pcap, FRAMES[78], 78)
    print(f"rates over {seconds:g} s (within 0.1 % wanted)")
    for workers in (1, 2):
        for rate in RATES:
            run_, told = xdp(pcap, duration=seconds, pps=float(rate), workers=workers)
            print(
                f"  {rate:>7} asked of {workers}: {run_.pps:>10.1f} ({(run_.pps / rate - 1) * 100:+.3f} %), largest"
                f" backlog {told['largest_backlog']}, behind {told['behind']:.3f} of the time, {run_.cpu:.1f} s of CPU",
                flush=True,
            )


def gaps(folder: Path) -> None:
    """The time between frames at the receiver, as the kernel stamps them."""
    pcap = folder / "gaps.pcap"
    write_pcap(pcap, FRAMES[78], 78)
    edges = (0.1, 0.5, 0.9, 1.1, 1.5, 2.0, 10.0)
    print("gaps between frames at the receiver, as shares of the interval: how many of a hundred are below")
    print(f"{'':>20} {' '.join(f'{edge:>6}' for edge in edges)} {'longest':>10}")
    for rate in RATES[:3]:
        for name in ("tcpreplay", "AF_XDP"):
            with inside(RECEIVER):
                taking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            with taking:
                taking.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 256 << 20)
                taking.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                if name == "tcpreplay":
                    tcpreplay(pcap, 0, f"--limit={rate}", f"--pps={rate}")
                else:
                    xdp(pcap, limit=rate, pps=float(rate))
                stamps = [
                    struct.unpack("=qq", taking.recvmsg(1, 64, socket.MSG_DONTWAIT)[1][0][2]) for _frame in range(rate)
                ]
            moments = [seconds * 10**9 + rest for seconds, rest in stamps]
            found = sorted((after - before) * rate / 1e9 for before, after in zip(moments, moments[1:]))
            below = " ".join(f"{bisect.bisect(found, edge) / len(found) * 100:>6.2f}" for edge in edges)
            print(f"{rate:>7} by {name:>9} {below} {found[-1] / rate * 1e3:>7.2f} ms", flush=True)


def memory(folder: Path) -> None:
    """What ten million frames take."""
    pcap = folder / "large.pcap"
    write_pcap(pcap, 10_000_000, 78)
    for workers in (1, 2):
        run_, told = xdp(pcap, loop=1, workers=workers)
        print(
            f"ten million frames by {workers}: {told['memory'] / 1024:.0f} MB in all (300 at most wanted),"
            f" {run_.pps / 1e3:.0f} thousand frames per second ({run_.per_cpu_second / 1e3:.0f} per second of CPU)"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of CPU that a run of tcpreplay is to take, about")
    parser.add_argument("--skip", action="append", default=[], choices=("ratios", "workers", "rates", "gaps", "memory"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, lab():
        print(f"Python {sys.version.split()[0]}, kernel {os.uname().release}, load {os.getloadavg()[0]:.1f}")
        if "ratios" not in options.skip:
            ratios(Path(name), options.rounds, options.seconds)
        if "workers" not in options.skip:
            workers(Path(name), options.rounds, options.seconds)
        if "rates" not in options.skip:
            rates(Path(name), 10.0)
        if "gaps" not in options.skip:
            gaps(Path(name))
        if "memory" not in options.skip:
            memory(Path(name))


if __name__ == "__main__":
    main()
