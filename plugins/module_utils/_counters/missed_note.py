# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A note of a run with missing frames, for the next run on the same receiver: late frames would count as its own.

It is in /run beside the notes of settings, from a run's first frame until all have arrived. The next run on the
receiver replaces it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import note
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

PREFIX = "wirespeed.trafficgen.missed-"
_OLD = 3600.0  # seconds after which a note is of no use; its interface may be gone


class MissedNote:
    """The note of one receiver.

    :raises TrafficgenError: there is no such interface.
    """

    def __init__(self, interface: Interface) -> None:
        self._note = note.NicNote(interface, PREFIX)

    def seconds(self, macs: Sequence[str] | None) -> float | None:
        """How long ago a run with missing frames from one of these addresses ended; None without one since the last
        boot.

        :param macs: None if every address is counted.
        """
        state = self._note.read()
        if state is None or not isinstance(state.get("at"), float):
            return None
        theirs = state.get("macs")
        if macs is not None and isinstance(theirs, list) and set(macs).isdisjoint(map(str, theirs)):
            return None
        return max(0.0, time.monotonic() - float(state["at"]))

    def write(self, macs: Sequence[str] | None) -> None:
        """Note that from now on frames of these addresses may be missing. If it cannot be written, the next run does
        not know."""
        _forget_old()
        self._note.write({"at": time.monotonic(), "macs": None if macs is None else list(macs)})

    def still_missing(self) -> None:
        """The run is over. If the note is still there, frames are missing, and the time counts from now."""
        state: dict[str, Any] | None = self._note.read()
        if state is not None:
            self._note.write({**state, "at": time.monotonic()})

    def forget(self) -> None:
        """All have arrived."""
        self._note.forget()


def _forget_old() -> None:
    with contextlib.suppress(OSError), os.scandir(note.FOLDER) as found:
        for entry in found:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD:
                        os.unlink(entry.path)
