# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent through AF_XDP, and which part of it each worker sends. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import Expected
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import OpenedPcap
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.split import SPLITS


class XdpStream(NamedTuple):
    """What is sent, at which rate, and how it is split among workers.

    Worker w of N with ``split`` frame has the frames i ≡ w mod N of each pass; with flow, those of its flows.
    """

    pcaps: Sequence[OpenedPcap]  # in order: one pass
    loop: int  # passes, 0 without end
    limit: int | None  # frames in all
    duration: float | None  # seconds
    pps: float | None  # of all workers together; None with a multiplier, and at top speed
    multiplier: float | None  # of the recorded speed: waits between the frames of a file, none between files and passes
    workers: int
    split: str  # one of SPLITS
    burst: int | None  # frames at once at most; None: a default from the rate
    marks: Expected | None = None  # of a test whose numbers go on from pass to pass


def check_stream(stream: XdpStream) -> None:
    """Refuse what cannot be sent as one stream."""
    if stream.workers > 1 and stream.split == "frame" and stream.multiplier is not None:
        raise TrafficgenError(
            "frames that are split one by one among workers cannot be sent at the recorded speed",
            on=f"workers {stream.workers}, split {stream.split}",
            remedy="Use `split: flow`, one worker, or a rate.",
        )
    if stream.workers < 1 or stream.split not in SPLITS or (stream.burst is not None and stream.burst < 1):
        raise AssertionError(f"not a stream: {stream}")


def frames_by_rate(stream: XdpStream) -> int | None:
    """The number of the first frame of the whole stream that is not sent, as far as limit, rate and duration tell it;
    None where they do not."""
    bounds = [] if stream.limit is None else [stream.limit]
    if stream.duration is not None and stream.pps is not None:
        # Frame k is due at k / pps. The millionth of a frame is against 0.1 times 30 being more than 3.
        bounds.append(math.ceil(stream.duration * stream.pps - 1e-6))
    return min(bounds, default=None)


def share(indexes: Sequence[int], frames: int, before: int) -> int:
    """How many frames a worker sends of the first ``before`` of the whole stream.

    :param indexes: those of its frames within a pass, ascending.
    :param frames: of a pass, of all workers.
    """
    passes, rest = divmod(before, frames)
    return passes * len(indexes) + bisect_left(indexes, rest)
