# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report a run's progress in a small file that the action plugin reads. The estimate is pure.

Only the plugin asks for it, by an environment variable with a path in its own folder. It is not a parameter, since
users have no use for it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import unfinished, write_whole

VARIABLE = "TRAFFICGEN_PROGRESS"
KEY = "trafficgen_progress"  # marks the line among anything else that a login shell may print
_EVERY = 1.0  # seconds between two writes


def seconds_left(
    elapsed: float,
    sample: Mapping[str, Any] | None,
    sampled_at: float,
    *,
    to_send: float,
    duration: float | None,
    expected: float,
) -> float | None:
    """About how long the run will still take; None if unknown.

    :param elapsed: seconds since the sender was started.
    :param sample: its last measures, at ``sampled_at`` on the same clock.
    :param to_send: packets; infinity or NaN if unknown.
    :param expected: seconds, from the request: used until there is a measurement.
    """
    ends = []
    if sample and sample["packets"] and sample["seconds"]:
        if math.isfinite(to_send):
            ends.append(sampled_at + (to_send - sample["packets"]) / (sample["packets"] / sample["seconds"]))
        if duration is not None:
            ends.append(sampled_at + duration - sample["seconds"])
    else:
        ends = [expected] if duration is None else [expected, duration]
    left = min(ends, default=math.inf) - elapsed
    return left if math.isfinite(left) and left >= 0 else None


def remove(path: str | None) -> None:
    """Remove the file, and its folder if empty: if Ansible is gone, so is the plugin."""
    if path is None:
        return
    for name in (path, unfinished(path)):
        with contextlib.suppress(OSError):
            os.unlink(name)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(path))


class Progress:
    """Writes the file while the block lasts. Without a path it does nothing. Its errors are ignored: the run matters
    more.

    ``padding``: the mean bytes added to a frame on the wire, for the reader of the file.
    """

    def __init__(
        self, path: str | None, *, to_send: float, duration: float | None, expected: float, padding: float = 0.0
    ) -> None:
        self._path = path
        self._padding = padding
        self._bounds = {"to_send": to_send, "duration": duration, "expected": expected}
        self._began: float | None = None
        self._next = 0.0
        self._sample: Mapping[str, Any] | None = None
        self._sampled_at = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc_info: object) -> None:
        remove(self._path)

    def tell(self, measure: Callable[[], Mapping[str, Any] | None]) -> None:
        """Write how far the run is, where it is time to.

        :param measure: asks for the packets, bytes and seconds sent by now; None where they are not known.
        """
        if self._path is None:
            return
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        if now < self._next:
            return
        self._next = now + _EVERY
        elapsed = now - self._began
        sample = measure()
        if sample is not None and sample != self._sample:
            self._sample, self._sampled_at = sample, elapsed
        left = seconds_left(elapsed, self._sample, self._sampled_at, **self._bounds)  # type: ignore[arg-type]
        told = None if self._sample is None else {name: self._sample[name] for name in ("packets", "bytes", "seconds")}
        try:
            report = {
                "elapsed": round(elapsed, 1),
                "left": left and round(left, 1),
                "sample": told,
                "padding": self._padding,
            }
            # The folder's owner reads it, and may be another user than this one.
            write_whole(self._path, json.dumps({KEY: 1, **report}).encode() + b"\n")
        except OSError:
            self.__exit__()
            self._path = None
