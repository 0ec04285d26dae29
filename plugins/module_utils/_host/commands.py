# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short programs: argv lists, the C locale, a time limit, no shell; in a network namespace where one is named.

What the boot unit runs imports this, so it loads no ctypes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, not_run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import check_netns

# Where "make install" puts things. A login shell looks here first, sudo's secure_path on EL not at all.
_LOCAL_PATH = ("/usr/local/sbin", "/usr/local/bin")
# What a non-login root shell's PATH often lacks.
_SYSTEM_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
NETNS_FOLDER = "/run/netns"
_PATIENCE = 1.0  # seconds for a process to be had

_Started = TypeVar("_Started")


class Completed(NamedTuple):
    """A program that has ended. ``status`` is its exit status, negative for the signal that ended it."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def find_executable(name: str, remedy: str = "") -> str:
    """The absolute path of a program: from PATH, with /usr/local before it where PATH leaves that out, then from the
    system's folders."""
    given = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    local = [folder for folder in _LOCAL_PATH if folder not in given]
    path = os.pathsep.join([*local, *given, *_SYSTEM_PATH])
    found = shutil.which(name, path=path)
    if found is None:
        raise TrafficgenError("not found, or not executable", on=name, remedy=remedy or f"Install {name} on this host.")
    return found


def in_netns(argv: Sequence[str], netns: str | None) -> list[str]:
    """``argv`` as it runs inside the named network namespace; as it is without one.

    ``ip netns exec`` replaces itself with the program, so the process id and the signals are the program's own.
    """
    if netns is None:
        return list(argv)
    check_netns(netns)
    if not os.path.exists(os.path.join(NETNS_FOLDER, netns)):
        raise TrafficgenError("no such network namespace", on=netns, remedy="`ip netns list` shows those that exist.")
    return [find_executable("ip", "Install iproute2 (iproute on EL)."), "netns", "exec", netns, *argv]


def c_locale() -> dict[str, str]:
    """This process's environment with the C locale: what a program prints is then what the parsers know."""
    return {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}


def patiently(start: Callable[[], _Started]) -> _Started:
    """Start a process; where the system has none to give (EAGAIN), try again for a while. What was changed has to be
    put back."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return start()
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(_PATIENCE / 20)


def run(argv: Sequence[str], *, netns: str | None = None, timeout: float = 30.0, stdin: str | None = None) -> Completed:
    """Run a short program to its end. Its exit status is the caller's to judge.

    :param timeout: seconds; a program that takes longer is killed and a :class:`TrafficgenError` raised.
    """
    full = in_netns([find_executable(argv[0]), *argv[1:]], netns)
    try:
        done = patiently(
            lambda: subprocess.run(
                full,
                input=stdin if stdin is not None else "",
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=timeout,
                check=False,
                env=c_locale(),
            )
        )
    except subprocess.TimeoutExpired:
        raise TrafficgenError(f"did not end within {timeout:g} s and was killed", on=" ".join(argv)) from None
    except (OSError, ValueError) as error:
        raise not_run(argv[0], error) from error
    return Completed(tuple(full), done.returncode, done.stdout, done.stderr)
