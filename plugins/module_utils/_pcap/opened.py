# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pcaps of a run, opened once: what is looked at is what tcpreplay sends, whatever lies at their paths by then.

tcpreplay takes names only, and opens a file again for each pass. ``/proc/self/fd/N`` of a descriptor that it has
inherited names the very file (proc(5)), also when it has been renamed, replaced or removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import open_pcap

_FOLDER = "/proc/self/fd"
_BLOCK = 1 << 20
_OTHERS = 256  # descriptors for what is not a pcap
# A kernel before 6.13 dates a file by its tick, of 10 ms at most: a change within the same one would not show.
_TICK = 0.02


class _Stamp(NamedTuple):
    """What a write to a file changes. ``status``: its ctime, which a new name, mode or owner changes as well."""

    size: int
    written: int
    status: int


@dataclass(frozen=True)
class OpenedPcap:
    """A pcap that is open for reading for as long as the run lasts."""

    path: str
    file: io.FileIO
    stamp: _Stamp

    @property
    def word(self) -> str:
        """What tcpreplay is given for it."""
        return f"{_FOLDER}/{self.file.fileno()}"

    def altered(self, sha256: str) -> TrafficgenError | None:
        """The error where it may be another file's content than the one of that hash that was sent; None where it is
        the same."""
        now = _stamp(self.file)
        if now == self.stamp:
            return None
        if now[:2] != self.stamp[:2]:
            said = (
                f"it had {self.stamp.size} bytes, written {_moment(self.stamp.written)}; now it has {now.size}, written"
                f" {_moment(now.written)}"
            )
        # Its name, or whose it is; or a program that has set the time of writing back.
        elif (found := self._sha256()) != sha256:
            said = f"sha256 {sha256}, now {found}"
        else:
            return None
        return TrafficgenError(
            "was written to after it was checked, so it is not known what was sent of it",
            on=self.path,
            said=said,
            remedy="Do not write to a pcap while it is sent. Write a new file beside it and rename that.",
        )

    def _sha256(self) -> str:
        digest = hashlib.sha256()
        self.file.seek(0)
        while block := self.file.read(_BLOCK):
            digest.update(block)
        return digest.hexdigest()


def open_pcaps(paths: Sequence[str], stack: contextlib.ExitStack) -> list[OpenedPcap]:
    """Open them until ``stack`` ends.

    :raises TrafficgenError: naming the one that cannot be opened.
    """
    _allow(len(paths) + _OTHERS)
    opened = []
    for path in paths:
        file = stack.enter_context(open_pcap(path))
        stamp = _stamp(file)
        if abs(time.time() - stamp.status / 1e9) < _TICK:
            time.sleep(_TICK)
        opened.append(OpenedPcap(path, file, stamp))
    return opened


def with_paths(text: str, pcaps: Sequence[OpenedPcap]) -> str:
    """What tcpreplay printed, or was given, with the pcaps' own paths in it."""
    paths = {one.word: one.path for one in pcaps}
    return re.sub(rf"{_FOLDER}/[0-9]+", lambda found: paths.get(found[0], found[0]), text)


def _stamp(file: io.FileIO) -> _Stamp:
    state = os.fstat(file.fileno())
    return _Stamp(state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _moment(nanoseconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(nanoseconds // 10**9)) + f".{nanoseconds % 10**9:09d}"


def _allow(descriptors: int) -> None:
    """Raise the limit of open files to what is needed, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptors if hard == resource.RLIM_INFINITY else min(descriptors, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
