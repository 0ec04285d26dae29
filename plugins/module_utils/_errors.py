# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error class of the collection: what failed, on which object, what the tool said, what to do."""

from __future__ import annotations

import errno
import os

_LONGEST = 2000  # characters of a part: wrong input may be a megabyte


def _short(part: str) -> str:
    half = _LONGEST // 2
    return part if len(part) <= _LONGEST else f"{part[:half]} … {part[-half:]}"


class TrafficgenError(Exception):
    """An error a user can act on. Only a plugin's entry point catches it and turns it into Ansible's own.

    :param what: what failed, as a sentence without its full stop.
    :param on: the object it failed on: a path, an interface, a parameter.
    :param said: what the tool or the system said of it, verbatim.
    :param remedy: what the user can do about it, as a sentence with its full stop.
    """

    def __init__(self, what: str, *, on: str = "", said: str = "", remedy: str = "") -> None:
        self.what = _short(what)
        self.on = _short(on)
        self.said = _short(said.strip())
        self.remedy = remedy
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """``ON: WHAT: SAID. REMEDY``, each part only where it is known."""
        sentence = ": ".join(part for part in (self.on, self.what, self.said) if part)
        if not sentence.endswith((".", "!", "?")):
            sentence += "."
        return f"{sentence} {self.remedy}".strip()


# What the system refuses to anybody, whatever is asked for, and where that is set.
_REMEDIES = {
    errno.EMFILE: (
        "Raise the limit of open files for the task's user: `ulimit -n` shows it; nofile in limits.conf or LimitNOFILE"
        " sets it."
    ),
    errno.ENFILE: "The host has no more open files to give: `sysctl fs.file-nr fs.file-max` shows how many.",
    errno.EAGAIN: (
        "No more processes can be started: raise `ulimit -u`, or pids.max (TasksMax) of the control group, or end some."
    ),
    errno.ENOMEM: "The host is short of memory: `free` shows how much there is.",
    errno.ENOSPC: "A file system is full: `df` shows which.",
}


class ExhaustedError(TrafficgenError):
    """The system has no process or no open file to give; later it may have."""


def not_run(program: str, error: Exception) -> TrafficgenError:
    """The error of a program that could not be started."""
    remedy = remedy_of(error)
    return (ExhaustedError if remedy else TrafficgenError)(
        "could not be run", on=program, said=str(error), remedy=remedy
    )


def remedy_of(error: BaseException) -> str:
    """What to do about an error of the system's that has no other cause than a limit; nothing for others."""
    return _REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def as_sentence(text: str) -> str:
    """``text`` with a capital and a full stop; empty as it was."""
    return text[:1].upper() + text[1:] + "." if text else ""


def as_ours(error: TrafficgenError | OSError) -> TrafficgenError:
    """An error to show: what nobody foresaw, as when the system runs out of something, has no trace of the code as its
    message."""
    if isinstance(error, TrafficgenError):
        return error
    on = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    return TrafficgenError("the system refused it", on=on, said=error.strerror or str(error), remedy=remedy_of(error))
