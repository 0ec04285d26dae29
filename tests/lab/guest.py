# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest: QEMU's process, its ports, how it is reached."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import ports
from image import CLOUD_IMAGE, cloud_image, make_image
from tools import GUESTS, KEY, LabError, guests, need, run

# "tcg" works everywhere. /dev/kvm may exist and never boot a guest, so "kvm" must be asked for.
ACCELERATOR = os.environ.get("TRAFFICGEN_LAB_ACCEL", "tcg")
# In a guest under TCG a boot takes most of a minute; a busy machine doubles that.
BOOT_SECONDS = 300


class Guest:
    def __init__(self, name: str) -> None:
        if not name.replace("-", "").isalnum():
            raise LabError(f"{name!r} cannot be the name of a guest. Use letters, digits and hyphens.")
        self.name = name
        self.folder = GUESTS / name

    @property
    def facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.folder / "guest.json").read_text())
        except FileNotFoundError:
            raise LabError(f"there is no guest {self.name}. Make one: ./run lab up {self.name}") from None
        return facts

    def pid(self) -> int | None:
        """QEMU's process, if it runs and is this guest's."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if Path(f"/proc/{pid}/cwd").resolve() == self.folder.resolve() and b"qemu" in command[0]:
                return pid
        except (OSError, ValueError):
            pass
        return None

    # What a user of it needs: ssh's configuration and an inventory.
    def describe(self, facts: dict[str, Any]) -> None:
        (self.folder / "ssh_config").write_text(
            f"Host {self.name} lab\n"
            "    HostName 127.0.0.1\n"
            f"    Port {facts['port']}\n"
            "    User root\n"
            f"    IdentityFile {KEY}\n"
            "    IdentitiesOnly yes\n"
            "    BatchMode yes\n"
            "    StrictHostKeyChecking no\n"
            "    UserKnownHostsFile /dev/null\n"
            "    LogLevel ERROR\n"
            # Notice a guest that is gone. Otherwise a reboot costs minutes.
            "    ConnectTimeout 10\n"
            "    ServerAliveInterval 5\n"
            "    ServerAliveCountMax 6\n"
        )
        host = {
            "ansible_host": "127.0.0.1",
            "ansible_port": facts["port"],
            "ansible_user": "lab",
            "ansible_ssh_private_key_file": str(KEY),
            "ansible_python_interpreter": "/usr/bin/python3",  # to look for one costs a task under TCG
            "ansible_ssh_common_args": f"-F {self.folder}/ssh_config",
            "ansible_host_key_checking": False,  # each image has keys of its own
            "generator_interfaces": ["tg0", "tg1"],
        }
        (self.folder / "inventory.json").write_text(
            json.dumps({"generators": {"hosts": {self.name: host}}}, indent=2) + "\n"
        )
        (self.folder / "guest.json").write_text(json.dumps(facts, indent=2) + "\n")

    def ssh(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        argv = [need("ssh", "openssh-client"), "-F", str(self.folder / "ssh_config"), self.name, *command]
        return subprocess.run(argv, check=False, text=True, **options)

    def wait(self, seconds: float = BOOT_SECONDS) -> None:
        """Until ssh answers: QEMU takes connections long before the guest does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pid() is None:
                raise LabError(f"guest {self.name} ended: {self.said()}")
            answer = subprocess.DEVNULL
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.ssh("true", stdin=answer, stdout=answer, stderr=answer, timeout=20).returncode == 0:
                    return
            time.sleep(0.5)
        raise LabError(f"guest {self.name} does not answer after {seconds} s. The end of its console:\n{self.said()}")

    def said(self) -> str:
        lines: list[str] = []
        for name in ("qemu.log", "console.log"):
            with contextlib.suppress(FileNotFoundError):
                lines += (self.folder / name).read_text(errors="replace").splitlines()[-10:]
        return "\n".join(lines)

    def monitor(self, command: str) -> str:
        """A command to QEMU's monitor."""
        here = Path.cwd()
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(300)
            # A socket's path has at most 107 bytes: from within the folder it is short.
            os.chdir(self.folder)
            try:
                link.connect("monitor")
            finally:
                os.chdir(here)
            stream = link.makefile("rw")
            stream.readline()
            for order in (
                {"execute": "qmp_capabilities"},
                {"execute": "human-monitor-command", "arguments": {"command-line": command}},
            ):
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "error" in answer:
                        raise LabError(f"QEMU refused {command}: {answer['error']['desc']}")
                    if "return" in answer:
                        break
        return str(answer["return"])

    def start(self, facts: dict[str, Any], snapshot: str = "") -> None:
        image = Path(facts["image"])
        taps = ports.open_taps(facts["ports"], facts["cpus"])
        argv = [
            facts["qemu"],
            *ports.firmware(facts["qemu"]),
            *("-name", self.name, "-nodefaults", "-no-user-config", "-display", "none"),
            *("-accel", "tcg,thread=multi" if facts["accelerator"] == "tcg" else facts["accelerator"], "-cpu", "max"),
            *("-smp", str(facts["cpus"]), "-m", str(facts["memory"])),
            *("-serial", "file:console.log", "-qmp", "unix:monitor,server=on,wait=off", "-pidfile", "pid"),
            *(
                "-drive",
                "file=disk.qcow2,if=virtio,format=qcow2,cache=unsafe,discard=unmap",
                "-device",
                "virtio-rng-pci",
            ),
            # restrict: the guest reaches nobody; the forwarded port alone reaches the guest.
            *("-netdev", f"user,id=mgmt0,restrict=on,hostfwd=tcp:127.0.0.1:{facts['port']}-:22"),
            *ports.arguments(facts["ports"], taps),
        ]
        if facts["kernel"]:
            argv += [
                "-kernel",
                str(image / f"vmlinux-{facts['kernel']}"),
                "-initrd",
                str(image / f"initrd.img-{facts['kernel']}"),
            ]
            argv += ["-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0"]
        else:
            argv += [
                "-drive",
                f"if=virtio,format=raw,readonly=on,file.driver=vvfat,file.dir={image}/seed,file.label=CIDATA",
            ]
        if snapshot:
            argv += ["-loadvm", snapshot]
        # The guest ends, whatever happens to this process.
        limit = [need("timeout", "coreutils"), "--kill-after=10", str(facts["seconds"])]
        with open(self.folder / "qemu.log", "w", encoding="utf-8") as log:
            started = subprocess.Popen(
                limit + argv,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=tuple(itertools.chain(*taps)),
            )
        for queue in itertools.chain(*taps):
            os.close(queue)
        end = time.monotonic() + 60
        while self.pid() is None:
            if started.poll() is not None or time.monotonic() > end:
                raise LabError(f"QEMU did not start:\n{self.said()}")
            time.sleep(0.1)
        self.wait()
        if snapshot:
            # It went on from where it stood, which may be days ago.
            self.ssh("date", "-s", f"@{time.time():.2f}", stdout=subprocess.DEVNULL)

    def up(self, arguments: argparse.Namespace) -> None:
        if self.pid() is not None:
            return
        qemu = ports.find_qemu()
        ports.check_model(qemu, arguments.ports)
        image = cloud_image() if CLOUD_IMAGE else make_image(arguments.suite)
        releases = (image / "releases").read_text().split()
        facts = {
            "name": self.name,
            "image": str(image),
            "releases": releases,
            "kernel": pick(releases, arguments.kernel),
            "port": arguments.port or free_port(),
            "memory": arguments.memory,
            "cpus": arguments.cpus,
            "seconds": arguments.seconds,
            "accelerator": ACCELERATOR,
            "ports": arguments.ports,
            "qemu": qemu,
        }
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.describe(facts)
        booted = ["booted", facts["kernel"], ACCELERATOR, facts["cpus"], facts["memory"], facts["ports"]]
        snapshot = image / "-".join(map(str, [*booted, ports.qemu_version(qemu)]))
        if arguments.snapshot and snapshot.exists():
            shutil.copy(snapshot, self.folder / "disk.qcow2")
            self.start(facts, "booted")
            return
        base = ("-b", image / "base.qcow2", "-F", "qcow2")
        run(need("qemu-img", "qemu-utils"), "create", "-q", "-f", "qcow2", *base, self.folder / "disk.qcow2")
        self.start(facts)
        if arguments.snapshot:
            # Only once it has come to rest: the snapshot is many guests' beginning.
            self.ssh("systemctl is-system-running --wait; sync", stdout=subprocess.DEVNULL)
            said = self.monitor("savevm booted")
            if said.strip():
                raise LabError(f"QEMU could not save guest {self.name}: {said}")
            # The overlay is still open, but the guest stands still while it is copied.
            self.monitor("stop")
            shutil.copy(self.folder / "disk.qcow2", snapshot.with_suffix(".new"))
            snapshot.with_suffix(".new").rename(snapshot)
            self.monitor("cont")

    def restart(self, kernel: str, cut: bool = False) -> None:
        """Boot again, and with another kernel: what an update and a reboot are. ``cut``: the power goes instead."""
        facts = self.facts
        facts["kernel"] = pick(facts["releases"], kernel)
        if cut:
            self.end(0, (signal.SIGKILL,))
        else:
            self.ssh("systemctl poweroff", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.end(60)
        self.describe(facts)
        self.start(facts)

    def end(self, patience: float, means: tuple[int, ...] = (0, signal.SIGTERM, signal.SIGKILL)) -> None:
        """Wait for QEMU's end, and then make one."""
        # A guest that has powered off has ended its QEMU.
        pid = self.pid()
        if pid is None:
            return
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            for number in means:
                if number:
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(process, number)
                # Readable when all its threads have ended, and so its lock on the PID file. /proc is empty sooner.
                if select.select([process], [], [], 5 if number else patience)[0]:
                    return
        finally:
            os.close(process)

    def down(self) -> None:
        self.end(0)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pick(releases: list[str], wanted: str) -> str:
    """A kernel's release, from itself or from its number in the list. The first is the newest."""
    if not releases:
        return ""
    if wanted in releases:
        return wanted
    try:
        return releases[int(wanted)]
    except (ValueError, IndexError):
        raise LabError(f"no kernel {wanted}. There are: 0, {releases[0]}; 1, {releases[1]}") from None


def status() -> None:
    for facts in guests():
        guest = Guest(facts["name"])
        state = f"runs, ssh on 127.0.0.1 port {facts['port']}" if guest.pid() else "has ended"
        print(f"{facts['name']}: {state}, kernel {facts['kernel'] or 'its own'}")
        print(f"    inventory: {guest.folder}/inventory.json")
