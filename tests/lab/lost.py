#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left in a guest when Ansible, or the connection, goes away while tcpreplay sends.

Each case runs a play as a user does, over SSH, with a login that becomes root; tcpreplay is the stand-in, and waits for
ever. Then the fault is made, and it is watched until nothing of the login is left: no process, no rule, no setting of
the interface, and no file but the note that frames may be missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARK = "TRAFFICGEN_LOST"
START = 400.0  # seconds until tcpreplay is there; four runs at once took over 120 in a guest without KVM beside others
LONG = 600  # seconds: the timeout of a run that something else has to end
ANSWER = 60.0  # seconds for a script in the guest
SETTLE = 1.0  # seconds tcpreplay has sent when the fault is made
SOON = 15.0  # seconds; a machine of its own needs five
PERSIST = 6  # seconds for which ssh keeps a connection that nobody uses

# These run in the guest, as root. The kernel's audit session is one of the few things that neither sudo nor a daemon
# leaves: by the first marked process, all of its login are known, sshd's as well.
LOGINS = """
import json, os, sys, time

def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""

def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        session = read(pid, "sessionid")
        if session and session != b"4294967295" and read(pid, "loginuid") != b"0":
            yield pid, session

def variable(pid, name):
    for one in read(pid, "environ").decode(errors="replace").split(chr(0)):
        if one.startswith(name + "="):
            return one.partition("=")[2]
"""
WATCHER = f"""{LOGINS}
sessions, told = {{}}, {{}}
while True:
    alive = {{}}
    for pid, session in processes():
        if session not in sessions and (mark := variable(pid, "{MARK}")):
            sessions[session] = mark
        if session in sessions:
            # By its arguments, as it is asked for its version before. What it starts may have ended before it is read.
            sends = " that sends" * (b"--intf1=" in read(pid, "cmdline"))
            alive.setdefault(sessions[session], []).append(read(pid, "comm").decode().strip() + sends)
    try:
        print(flush=True)  # where nobody listens any more, it ends
        for case in set(sessions.values()):
            now = sorted(alive.get(case, []))
            if told.get(case) != now:
                told[case] = now
                print(json.dumps([case, now]), flush=True)
    except OSError:
        os._exit(0)
    time.sleep(0.2)
"""
# The connection of a login is the only one from its client's port. sudo has not taken that from its own environment.
CUT = f"""{LOGINS}
mark, table = sys.argv[1:]
sessions = {{session for pid, session in processes() if variable(pid, "{MARK}") == mark}}
found = [variable(pid, "SSH_CONNECTION") for pid, session in processes() if session in sessions]
ports = {{connection.split()[1] for connection in found if connection}}
if len(ports) != 1:
    sys.exit(f"{{mark}}: {{len(sessions)}} logins, from the ports {{sorted(ports)}}")
rules = "table inet %s {{ chain in {{ type filter hook input priority 0; tcp sport %s drop; }}; "
rules += "chain out {{ type filter hook output priority 0; tcp dport %s drop; }}; }}"
os.execlp("nft", "nft", rules % (table, *ports, *ports))
"""
# Without IPv6, whose own frames would be counted as sent and not arrived. The stand-in sends none, so none are missed.
MAKE_PORTS = """
ip link add {tx} type veth peer name {rx}
for port in {tx} {rx}; do
    echo 1 >/proc/sys/net/ipv6/conf/$port/disable_ipv6
    ip link set $port up
done
"""
# A run that ends because Ansible has gone no longer counts what arrived, so the note that frames may be missing stays,
# for the receiver's next run. A run that ends by its timeout counts, and removes the note.
NOTE = re.compile(r"/run/wirespeed\.trafficgen\.missed-\d+-(\d+)\.json")
# What there is before and after, whoever made it.
LOOK = r"""
find /tmp /var/tmp /dev/shm /run /root /home /etc /srv -xdev |
    grep -vE '^/run/(systemd|udev)/|^(/root|/home/lab)/\.ansible(/tmp)?$' | sort
nft list ruleset
for port in $(ls /sys/class/net | grep '^lost'); do
    ethtool -k "$port"
    ip -o link show "$port" | sed 's/^[0-9]*: //'
done
"""


class Guest:
    """The guest, as root."""

    def __init__(self, ssh: list[str]) -> None:
        self._ssh = ssh

    def run(self, script: str, *interpreter: str) -> str:
        return subprocess.run(
            [*self._ssh, *(interpreter or ("sh", "-s"))],
            input=script,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
            timeout=ANSWER,
        ).stdout

    def watch(self) -> subprocess.Popen[str]:
        watcher = subprocess.Popen(
            [*self._ssh, "exec python3 -u -"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if watcher.stdin is not None:
            watcher.stdin.write(WATCHER)
            watcher.stdin.close()
        return watcher


@dataclass
class Run:
    """One play in which something happens. ``seen``: what of its login was alive, and since when
    (``time.monotonic``)."""

    name: str
    number: int
    case: Case
    guest: Guest
    process: subprocess.Popen[str] | None = None
    seen: list[tuple[float, list[str]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    faulted: float = 0.0

    @property
    def mark(self) -> str:
        return f"{self.name}.{self.number}"

    @property
    def port(self) -> str:
        return f"lost{self.number}"

    def note(self, alive: list[str]) -> None:
        with self.changed:
            self.seen.append((time.monotonic(), alive))
            self.changed.notify_all()

    def wait(self, what: Callable[[list[str]], bool], seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: bool(self.seen) and what(self.seen[-1][1]), seconds)

    def start(self, inventory: str, folder: Path) -> None:
        persist = f"-o ControlMaster=auto -o ControlPersist={PERSIST}s" if self.case.persist else "-o ControlMaster=no"
        environment = {
            **os.environ,
            MARK: self.mark,
            "ANSIBLE_STRATEGY": "ansible.builtin.linear",
            "ANSIBLE_SSH_ARGS": f"-C {persist}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder),
            "ANSIBLE_LOCAL_TEMP": str(folder),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_HOST_KEY_CHECKING": "false",
        }
        self.process = subprocess.Popen(
            [
                "ansible-playbook",
                "-i",
                inventory,
                HERE / "lost_run.yml",
                "-e",
                f"lost_mark={self.mark} lost_port={self.port} lost_timeout={self.case.timeout}",
            ],
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def starts(self) -> bool:
        """Wait until tcpreplay sends."""
        until = time.monotonic() + START
        while self.process and self.process.poll() is None and time.monotonic() < until:
            if self.wait(lambda alive: any(name.endswith(" that sends") for name in alive), 1.0):
                return True
        return False

    def said(self) -> str:
        """What the play has printed, which is ended."""
        self.kill_all()
        return self.process.communicate(timeout=ANSWER)[0] if self.process else ""

    def processes(self) -> Iterator[tuple[int, list[str]]]:
        """All processes on this side that belong to it, whoever their parents are now."""
        for path in Path("/proc").glob("[0-9]*"):
            if f"{MARK}={self.mark}" in words_of(path / "environ"):
                yield int(path.name), words_of(path / "cmdline")

    def ansible(self) -> list[int]:
        return [pid for pid, words in self.processes() if any(word.endswith("ansible-playbook") for word in words[:2])]

    def clients(self) -> list[int]:
        """ssh without its master, whose title has taken the place of its environment."""
        return [pid for pid, words in self.processes() if words[0].endswith("ssh")]

    def stop(self) -> None:
        self.kill(self.clients(), signal.SIGSTOP)

    def kill(self, pids: list[int], number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # the one before took it along
                os.kill(pid, number)

    def kill_all(self) -> None:
        self.kill([pid for pid, _words in self.processes()], signal.SIGKILL)

    def cut(self) -> None:
        """No packet passes any more, and neither side is notified."""
        self.guest.run(CUT, "python3", "-", self.mark, self.port)

    def mend(self) -> None:
        self.guest.run(f"nft delete table inet {self.port}")


@dataclass(frozen=True)
class Case:
    """``within``: seconds from the fault in which all must be gone but sshd and, in the kernel's hands, its
    connection."""

    what: str
    fault: Callable[[Run], None]
    within: float
    persist: bool = True
    timeout: int = LONG
    after: Callable[[Run], None] | None = None


def words_of(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]  # it has ended


def group(number: int) -> Callable[[Run], None]:
    return lambda run: os.killpg(run.process.pid, number)


CASES = {
    "client": Case("the ssh client is killed", lambda run: run.kill(run.clients(), signal.SIGKILL), SOON),
    "client-alone": Case(
        "the same without ControlPersist", lambda run: run.kill(run.clients(), signal.SIGKILL), SOON, persist=False
    ),
    "int": Case("ansible-playbook and its group get SIGINT (Ctrl-C)", group(signal.SIGINT), SOON),
    "int-one": Case("ansible-playbook alone gets SIGINT", lambda run: os.kill(run.process.pid, signal.SIGINT), SOON),
    "term": Case("ansible-playbook gets SIGTERM", lambda run: os.kill(run.process.pid, signal.SIGTERM), SOON),
    "kill": Case(
        "ansible-playbook and its workers are killed, ssh is left",
        lambda run: run.kill(run.ansible(), signal.SIGKILL),
        SOON,
    ),
    "kill-alone": Case(
        "the same without ControlPersist", lambda run: run.kill(run.ansible(), signal.SIGKILL), SOON, persist=False
    ),
    "kill-main": Case(
        "ansible-playbook is killed, its workers are left", lambda run: os.kill(run.process.pid, signal.SIGKILL), SOON
    ),
    "kill-all": Case("all processes on the controller are killed", Run.kill_all, SOON, persist=False),
    # Nothing reports these two before the run's timeout.
    "cut": Case("the network drops every packet", Run.cut, 15 + 15, timeout=15, after=Run.mend),
    "stop": Case("ssh is stopped, its connection stands", Run.stop, 15 + 15, timeout=15, persist=False),
}


def follow(guest: Guest, runs: dict[str, Run]) -> subprocess.Popen[str]:
    watcher = guest.watch()

    def read() -> None:
        for line in watcher.stdout or ():
            mark, alive = json.loads(line) if line.strip() else ("", [])
            if mark in runs:
                runs[mark].note(alive)

    threading.Thread(target=read, daemon=True).start()
    return watcher


class Turns:
    """To start a run is most of the work, and several are started at once. A fault has the guest for itself, or the
    load of the others would be measured."""

    def __init__(self) -> None:
        self._starting = 0
        self._taken = False
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._starting += 1
        try:
            yield
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken and not self._starting)
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()


def carry_out(run: Run, inventory: str, turns: Turns) -> str:
    """Do one run; the row of the table, which ends in "ok" if nothing stayed."""
    with tempfile.TemporaryDirectory(prefix="lost.") as name:
        try:
            if run.case.timeout != LONG:  # it would be over before its turn
                with turns.alone():
                    start(run, inventory, Path(name))
                    return lose(run)
            with turns.beside_others():
                start(run, inventory, Path(name))
            with turns.alone():
                return lose(run)
        finally:
            # What was stopped is woken by that as well.
            run.kill_all()
            if run.process:
                run.process.wait(ANSWER)


def start(run: Run, inventory: str, folder: Path) -> None:
    run.start(inventory, folder)
    if not run.starts():
        raise AssertionError(f"tcpreplay did not start:\n{run.said()}")


def lose(run: Run) -> str:
    """Make the fault, and see what stays."""
    time.sleep(SETTLE)
    run.faulted = time.monotonic()
    run.case.fault(run)
    gone = run.wait(lambda alive: not set(alive) - {"sshd"}, run.case.within + 20)
    seen = run.seen
    if run.case.after:
        seen = list(run.seen)  # then Ansible has its connection again, and tidies up over it
        run.case.after(run)
    quiet = run.wait(lambda alive: not alive, PERSIST + 20 if run.case.timeout == LONG else 1)
    spans = [span(run.faulted, seen, test) for test in (is_tcpreplay, is_module, lambda one: True)]
    shown = "  ".join(f"{'not gone' if one is None else f'{one:8.1f}'}" for one in spans)
    fine = gone and spans[1] is not None and spans[1] <= run.case.within and (quiet or run.case.timeout != LONG)
    return f"{run.mark:16} {shown}  {'ok' if fine else f'LEFT: {seen[-1][1]}'}"


def is_tcpreplay(name: str) -> bool:
    return name.startswith(("stand_in", "sleep"))


def is_module(name: str) -> bool:
    return name != "sshd"


def span(faulted: float, seen: list[tuple[float, list[str]]], test: Callable[[str], bool]) -> float | None:
    """Seconds from the fault until the last of them was gone."""
    last = None
    for moment, alive in seen:
        present = any(map(test, alive))
        last = None if present else moment if last is None else last
    return None if last is None else max(0.0, last - faulted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "cases", nargs="*", default=list(CASES), help="; ".join(f"{name}: {case.what}" for name, case in CASES.items())
    )
    parser.add_argument("--inventory", required=True, help="one with the guest as the host generator")
    parser.add_argument("--ssh-config", required=True, help="the guest's, with the host molecule")
    parser.add_argument("--runs", type=int, default=1, help="how often each")
    parser.add_argument("--together", type=int, default=1, metavar="N", help="N at a time, each on ports of its own")
    arguments = parser.parse_args()

    guest = Guest(["ssh", "-F", arguments.ssh_config, "molecule"])
    names = arguments.cases * arguments.runs
    runs = {run.mark: run for run in (Run(name, number, CASES[name], guest) for number, name in enumerate(names, 1))}
    ports = [(run.port, run.port.replace("lost", "lostrx")) for run in runs.values()]
    guest.run("".join(MAKE_PORTS.format(tx=tx, rx=rx) for tx, rx in ports))
    receivers = guest.run("".join(f"cat /sys/class/net/{rx}/ifindex\n" for _tx, rx in ports)).split()
    before = guest.run(LOOK)
    watcher = follow(guest, runs)
    print(f"{'seconds until':16} tcpreplay    module   session are gone", flush=True)
    rows: list[str] = []
    places, turns = threading.Semaphore(arguments.together), Turns()

    def one(run: Run) -> None:
        try:
            with places:
                row = carry_out(run, arguments.inventory, turns)
        except Exception as error:
            row = f"{run.mark:16} {error}"
        rows.append(row)
        print(row, flush=True)

    try:
        threads = [threading.Thread(target=one, args=(run,)) for run in runs.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = guest.run(LOOK)
    finally:
        watcher.kill()
        guest.run("".join(f"ip link delete {tx}\n" for tx, _rx in ports))
    notes = {line: found[1] for line in after.splitlines() if (found := NOTE.fullmatch(line)) and found[1] in receivers}
    unfinished = [index for index, run in zip(receivers, runs.values(), strict=True) if run.case.timeout == LONG]
    left = sorted(set(after.splitlines()) ^ set(before.splitlines()) ^ set(notes))
    print("left: " + ("; ".join(left) or "no file, no rule, no setting") + f"; notes of missed frames: {len(notes)}")
    fine = not left and sorted(notes.values()) == sorted(unfinished)
    return 0 if fine and len(rows) == len(runs) and all(row.endswith("  ok") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
