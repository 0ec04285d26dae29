# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests to try netmap in: each has a management port and two test ports on one hub, and reaches no other network.

The image is made once, from Debian packages, and kept in .cache/lab; a guest writes into an overlay of its own. All
three ports are e1000, so a native driver for the test ports has to leave the management port alone. Needs QEMU;
mmdebstrap, and root, for the image.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("TRAFFICGEN_LAB_CACHE") or HERE.parent.parent / ".cache" / "lab")
GUESTS = CACHE / "guests"
KEY = CACHE / "key"
# What an image is made of. Another Debian needs other names in setup.sh.
SUITE = "bookworm"
DISK = "8G"
OPTIONS = (
    "--mode=root",
    "--variant=minbase",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--skip=cleanup/apt/lists",  # otherwise the guest's apt takes its empty lists for new ones
)
# "tcg" works everywhere. /dev/kvm may exist and never boot a guest, so "kvm" must be asked for.
ACCELERATOR = os.environ.get("TRAFFICGEN_LAB_ACCEL", "tcg")
# A cloud image instead of the one made here: a path or a URL. It boots its own kernel and is set up by cloud-init.
CLOUD_IMAGE = os.environ.get("TRAFFICGEN_LAB_IMAGE", "")
# In a guest under TCG a boot takes most of a minute; a busy machine doubles that.
BOOT_SECONDS = 300
# The test ports' PCI addresses, in a guest, and what they are called.
PORTS = {"mgmt0": "0x3", "tg0": "0x10", "tg1": "0x11"}


class LabError(Exception):
    pass


def run(*argv: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], check=True, text=True, **options)


def need(program: str, package: str) -> str:
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise LabError(f"{program} is missing. Install {package}.")
    return found


# --- The image ---


def make_key() -> None:
    if not KEY.exists():
        run(need("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", KEY)


def packages() -> str:
    """The lines of packages.txt and of TRAFFICGEN_LAB_PACKAGES, which adds to them."""
    return (HERE / "packages.txt").read_text() + "\n".join(os.environ.get("TRAFFICGEN_LAB_PACKAGES", "").split()) + "\n"


def image_folder() -> Path:
    """The folder of the image that packages.txt and setup.sh describe. The key pair is part of it."""
    what = (
        packages()
        + (HERE / "setup.sh").read_text()
        + KEY.with_suffix(".pub").read_text()
        + "".join((SUITE, DISK, *OPTIONS))
    )
    return CACHE / ("image-" + hashlib.sha256(what.encode()).hexdigest()[:16])


@contextlib.contextmanager
def locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpacked(kernel: Path) -> bytes:
    """The ELF file in a bzImage, which QEMU starts as well (PVH). Else each boot of a guest unpacks it."""
    packed = kernel.read_bytes()
    begin = packed.find(b"\xfd7zXZ\0")
    if begin < 0:
        raise LabError(f"{kernel} is not packed with xz, as Debian's are.")
    return lzma.LZMADecompressor().decompress(packed[begin:])


def make_image() -> Path:
    """The image's folder: base.qcow2, and of each kernel vmlinux-RELEASE and initrd.img-RELEASE. Made if it is not
    there."""
    with locked():
        make_key()
        folder = image_folder()
        if folder.exists():
            return folder
        if os.geteuid() != 0:
            raise LabError("the guest's image is not made yet, which needs root.")
        mmdebstrap = need("mmdebstrap", "mmdebstrap")
        mke2fs = need("mke2fs", "e2fsprogs")
        print("Making the guest's image from Debian packages, once: some minutes", file=sys.stderr)
        # mmdebstrap's root must be reachable for apt's own user: not below a clone in somebody's home.
        with tempfile.TemporaryDirectory(prefix="trafficgen-lab.") as name:
            work = Path(name)
            work.chmod(0o755)
            (work / "packages.txt").write_text(packages())
            root = work / "root"
            log = CACHE / "image.log"
            with open(log, "w", encoding="utf-8") as output:
                try:
                    run(
                        mmdebstrap,
                        *OPTIONS,
                        "--customize-hook=mkdir $1/lab",
                        f"--customize-hook=copy-in {work}/packages.txt {HERE}/setup.sh /lab",
                        f"--customize-hook=upload {KEY}.pub /lab/key.pub",
                        "--chrooted-customize-hook=sh /lab/setup.sh",
                        "--customize-hook=rm -r $1/lab",
                        SUITE,
                        root,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                except subprocess.CalledProcessError as error:
                    last = "\n".join(log.read_text().splitlines()[-15:])
                    raise LabError(f"the image could not be made; the end of {log}:\n{last}") from error
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            releases = (root / "boot/releases").read_text().split()
            for release in releases:
                (new / f"vmlinux-{release}").write_bytes(unpacked(root / f"boot/vmlinuz-{release}"))
                shutil.copy(root / f"boot/initrd.img-{release}", new)
            (new / "releases").write_text("\n".join(releases) + "\n")
            raw = work / "disk.raw"
            run(mke2fs, "-q", "-t", "ext4", "-E", "lazy_itable_init=0,discard", "-d", root, raw, DISK)
            run(need("qemu-img", "qemu-utils"), "convert", "-f", "raw", "-O", "qcow2", raw, new / "base.qcow2")
        for old in CACHE.glob("image-*"):
            if old != new and not any(guest["image"] == str(old) for guest in guests()):
                shutil.rmtree(old)
        new.rename(folder)
        return folder


def cloud_image() -> Path:
    """CLOUD_IMAGE in a folder of its own, with cloud-init's seed beside it."""
    with locked():
        make_key()
        folder = CACHE / ("image-" + hashlib.sha256(CLOUD_IMAGE.encode()).hexdigest()[:16])
        if not folder.exists():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            (new / "seed").mkdir(parents=True)
            public = KEY.with_suffix(".pub").read_text().strip()
            (new / "seed/meta-data").write_text("instance-id: lab\nlocal-hostname: lab\n")
            (new / "seed/user-data").write_text(
                f"#cloud-config\ndisable_root: false\nusers:\n  - {{name: root, ssh_authorized_keys: ['{public}']}}\n "
                f" - {{name: lab, ssh_authorized_keys: ['{public}'], sudo: 'ALL=(ALL) NOPASSWD: ALL', shell:"
                " /bin/bash}\n"
            )
            if CLOUD_IMAGE.startswith("https://"):
                with urllib.request.urlopen(CLOUD_IMAGE) as answer, open(new / "base.qcow2", "wb") as image:
                    shutil.copyfileobj(answer, image)
            else:
                shutil.copy(CLOUD_IMAGE, new / "base.qcow2")
            (new / "releases").write_text("")
            new.rename(folder)
        return folder


# --- Guests ---


def guests() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(GUESTS.glob("*/guest.json"))]


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
        qemu = need("qemu-system-x86_64", "qemu-system-x86")
        argv = [
            qemu,
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
            *("-netdev", "hubport,id=tg0,hubid=1", "-netdev", "hubport,id=tg1,hubid=1"),
        ]
        for number, (port, address) in enumerate(PORTS.items()):
            argv += ["-device", f"e1000,netdev={port},mac=02:00:00:00:10:{number:02x},addr={address}"]
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
                limit + argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
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
        image = cloud_image() if CLOUD_IMAGE else make_image()
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
        }
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.describe(facts)
        snapshot = image / "-".join(["booted", facts["kernel"], ACCELERATOR, str(facts["cpus"]), str(facts["memory"])])
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


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a guest, and wait until ssh answers")
    up.add_argument("name", nargs="?", default="lab")
    up.add_argument("--kernel", default="0", help="0: the newest one (default); 1: the one before; or a release")
    up.add_argument("--port", type=int, help="on 127.0.0.1, for ssh (default: a free one)")
    up.add_argument("--memory", type=int, default=2048, help="MiB (2048)")
    up.add_argument("--cpus", type=int, default=2)
    up.add_argument("--seconds", type=int, default=8 * 3600, help="the guest ends after so long (8 hours)")
    up.add_argument(
        "--snapshot", action="store_true", help="from a snapshot taken after a first boot: seconds, not a minute"
    )
    up.add_argument("--ssh-config", metavar="FILE", help="put a copy of the guest's ssh configuration there")
    ssh = commands.add_parser("ssh", help="log in, as root, or run a command")
    ssh.add_argument("name", nargs="?", default="lab")
    ssh.add_argument("words", nargs=argparse.REMAINDER)
    restart = commands.add_parser("restart", help="boot a guest again, with another kernel")
    restart.add_argument("name", nargs="?", default="lab")
    restart.add_argument("--kernel", default="0")
    restart.add_argument("--cut", action="store_true", help="by a power cut: the guest is told nothing")
    down = commands.add_parser("down", help="end a guest and forget it")
    down.add_argument("name", nargs="?", default="lab")
    commands.add_parser("status", help="list the guests")
    commands.add_parser("image", help="make the image, if it is not there")
    arguments = parser.parse_args()

    if arguments.command == "status":
        status()
    elif arguments.command == "image":
        print(make_image())
    elif arguments.command == "up":
        guest = Guest(arguments.name)
        guest.up(arguments)
        if arguments.ssh_config:
            shutil.copy(guest.folder / "ssh_config", arguments.ssh_config)
        status()
    elif arguments.command == "ssh":
        guest = Guest(arguments.name)
        guest.facts  # noqa: B018  # says that there is none
        return guest.ssh(*arguments.words).returncode
    elif arguments.command == "restart":
        Guest(arguments.name).restart(arguments.kernel, arguments.cut)
    elif arguments.command == "down":
        Guest(arguments.name).down()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(1)
