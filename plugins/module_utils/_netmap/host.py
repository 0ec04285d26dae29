# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host for netmap: files below a root, programs, PCI devices and the users of kernel modules."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import entries, write_whole

# The versions of netmap's API (NETMAP_API in sys/net/netmap.h) that the collection's modules speak.
API_VERSIONS = (14, 13, 12, 11)
SETTINGS = "/etc/trafficgen-netmap.json"
PROGRAM = "/usr/local/sbin/trafficgen-netmap"
UNIT = "netmap.service"
STATE = "/var/lib/trafficgen"
LOCK = "/run/trafficgen-netmap.lock"
UNIT_FILE = "/etc/systemd/system/netmap.service"
DEV_TOOLS = "Run the role wirespeed.trafficgen.dev_tools, which installs it"


class Host:
    """Files and programs of this host, below a root folder in tests."""

    def __init__(self, root: str = "/", running: str | None = None) -> None:
        """Take ``running`` for the release of the running kernel, its own by default."""
        self.root = Path(root)
        self.running = running or os.uname().release

    def path(self, path: str) -> Path:
        """``path`` below the root."""
        return self.root / path.lstrip("/")

    def stamp(self, kernel: str) -> Path:
        """The stamp of what was built for ``kernel``."""
        return self.path(f"{STATE}/stamps/netmap-{kernel}.json")

    def build_folder(self, kernel: str) -> Path:
        """Where netmap is built for ``kernel``."""
        return self.path(f"{STATE}/build/netmap/{kernel}")

    def modules(self, kernel: str) -> Path:
        """Where its modules are installed."""
        return self.path(f"/lib/modules/{kernel}/extra")


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    log: Path | None = None,
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program and capture its output, or write it to ``log``; its process group ends with this program."""
    env = {**os.environ, "LC_ALL": "C", **environment}
    for name in ("LANGUAGE", "MAKEFLAGS", "MFLAGS", "KERNELRELEASE"):
        env.pop(name, None)
    try:
        with contextlib.ExitStack() as stack:
            out: Any = stack.enter_context(log.open("a")) if log else subprocess.PIPE
            process = subprocess.Popen(
                [find_program(argv[0]) or argv[0], *argv[1:]],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                cwd=cwd,
                env=env,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            try:
                stdout, stderr = process.communicate(stdin)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except FileNotFoundError:
        raise TrafficgenError(f"{argv[0]} is missing on this host. {DEV_TOOLS}.") from None
    return subprocess.CompletedProcess(argv, process.returncode, stdout or "", stderr or "")


def must(argv: Sequence[str], what: str) -> str:
    """:func:`run`, and a :class:`TrafficgenError` when it fails."""
    done = run(argv)
    if done.returncode != 0:
        raise TrafficgenError(f"{what}: {(done.stderr or done.stdout).strip()}")
    return str(done.stdout)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file and its folders; a reader sees the complete old or new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, mode, sync=True)


def find_program(name: str) -> str | None:
    """The program's path; a login without root's PATH has no /usr/sbin."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def is_loaded(host: Host, module: str = "netmap") -> bool:
    """Whether a module is in the kernel."""
    return host.path(f"/sys/module/{module.replace('-', '_')}/refcnt").exists()


def holders(host: Host, module: str = "netmap") -> list[str]:
    """The modules that use a module: netmap's are its native drivers."""
    return entries(host.path(f"/sys/module/{module.replace('-', '_')}/holders"))


def devices_of(host: Host, module: str) -> list[str]:
    """The PCI addresses bound to a module's drivers."""
    pattern = host.path(f"/sys/module/{module.replace('-', '_')}/drivers/pci:*/*:*:*.*")
    return sorted(Path(path).name for path in glob.glob(str(pattern)))


def pci(host: Host, address: str) -> Path:
    """The device's folder."""
    return host.path(f"/sys/bus/pci/devices/{address}")


def driver_of(host: Host, address: str) -> str:
    """The driver a device is bound to; empty without one."""
    link = pci(host, address) / "driver"
    return Path(os.readlink(link)).name if link.is_symlink() else ""


def interfaces_of(host: Host, address: str) -> list[str]:
    """The network interfaces of a device."""
    return entries(pci(host, address) / "net")


@contextlib.contextmanager
def alone(host: Host) -> Iterator[None]:
    """One build at a time."""
    with host.path(LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_settings(host: Host) -> dict[str, Any]:
    """The host's settings."""
    try:
        settings = json.loads(host.path(SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise TrafficgenError(
            f"{SETTINGS} cannot be read: {error}. Run the role wirespeed.trafficgen.netmap."
        ) from None
    return dict(settings)
