# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the runs: that counts add up to the frame, that memory and time per run are flat. Pure."""

from __future__ import annotations

import statistics

# Of a process's resident memory, in the last half of a run, in KiB: how far apart any two samples may lie, and how far
# the line through them may rise or fall from the half's beginning to its end.
SPREAD, DRIFT = 1024, 512
# What a run takes beside its sending, in the last quarter of many, at most: so many times what it took in the first,
# and so many seconds more. Others use the machine as well, and a quarter of fewer runs than ENOUGH tells more of them
# than of us.
SLOWER, SECONDS, ENOUGH = 1.5, 0.5, 40
LARGER = 1.1  # the same for the module's peak of memory
# KiB that Ansible may grow by: of each run it keeps the result, and some of its own code it loads at the first use,
# which may come late.
RESULT, ONCE = 32, 2048
# Open files come and go: the fewest in a half of the samples count. One that is forgotten in each run, or in every
# tenth, shows.
FILES = 4


def wrong_counts(result: dict, asked: int | None, *, receiver: bool, paced: bool) -> list[str]:
    """What is wrong with one run's figures; ``asked``: frames, None where a time was asked for.

    Paced, nothing may be lost. At top speed the kernel may drop what the receiving side of a veth has no room for; it
    does that before the device counts the frame as sent. Whether those drops are all that is missing, the devices tell
    for all runs together (missing).
    """
    if result.get("failed") or not result.get("counters"):
        return [f"failed: {result.get('msg')}"]
    stats, counters = result["stats"], result["counters"]
    sent, tx, rx = stats["packets"], counters["tx"], counters["rx"]
    wrong = []

    def expect(what: str, value: object, wanted: object) -> None:
        if value != wanted:
            wrong.append(f"{what} is {value}, not {wanted}")

    if asked is not None:
        expect("sent", sent, asked)
    expect("tcpreplay's count of the device", [device["successful_packets"] for device in stats["devices"]], [sent])
    expect("failed", [device["failed_packets"] for device in stats["devices"]], [0])
    expect("exit status", result["run"]["exit_status"], 0)
    if tx is None or receiver != (rx is not None):
        return [*wrong, f"counters are missing: {counters}"]
    lost = sent - tx["packets"]
    if paced or not lost:
        expect("left", tx["packets"], sent)
        expect("verdict", counters["verdict"], "consistent")
    else:
        expect("verdict", counters["verdict"], "short")
        expect("more left than was sent", lost < 0, False)
    if receiver:
        expect("arrived", rx["packets"], tx["packets"])
        expect("loss", [counters["loss_packets"], counters["loss_ratio"]], [0, 0.0])
    return wrong


def missing(sent: int, device: dict[str, int], arrived: int) -> list[str]:
    """Whether all runs' frames add up: ``device`` has what the sender's link counted, ``arrived`` a counter that no run
    knows of."""
    wrong = []
    if sent != device["packets"] + device["dropped"]:
        wrong.append(f"{sent} sent are not {device['packets']} that left and {device['dropped']} dropped")
    if arrived != device["packets"]:
        wrong.append(f"{device['packets']} left, {arrived} arrived")
    return wrong


def quarters(values: list[float]) -> tuple[float, float]:
    """The medians of the first quarter and of the last."""
    some = max(1, len(values) // 4)
    return statistics.median(values[:some]), statistics.median(values[-some:])


def last_half(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Spread (largest less smallest) and drift (what the straight line through them rises) of the last half of (time,
    value) samples."""
    middle = (samples[0][0] + samples[-1][0]) / 2
    half = [sample for sample in samples if sample[0] >= middle]
    values = [value for _time, value in half]
    mean_time, mean = statistics.fmean(time for time, _value in half), statistics.fmean(values)
    square = sum((time - mean_time) ** 2 for time, _value in half)
    slope = sum((time - mean_time) * (value - mean) for time, value in half) / square if square else 0.0
    return max(values) - min(values), slope * (half[-1][0] - half[0][0])


def fewest(values: list[float]) -> tuple[float, float]:
    """The fewest of the first half and of the last."""
    middle = len(values) // 2
    return min(values[:middle]), min(values[middle:])


def at_once(spans: list[tuple[float, float]]) -> int:
    """How many of these (start, end) were under way at the same time, at most."""
    return max(sum(start <= moment < end for start, end in spans) for moment, _end in spans)
