# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the parser of tcpreplay's output: statistics made from drawn numbers parse to these numbers, whatever
is around them."""

from __future__ import annotations

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import last_measures, parse

# The same examples in each run.
quickly = hypothesis.settings(deadline=None, max_examples=100, database=None, derandomize=True)

COUNT = strategies.integers(0, 2**63 - 1)
CENTS = strategies.integers(0, 10**13)
# What the kernel takes for a name, but for a colon, which begins an alias.
NAME = strategies.text(
    strategies.characters(exclude_categories=("C", "Z"), exclude_characters="/:%"), min_size=1, max_size=15
).filter(lambda name: len(name.encode()) <= 15)
LABELS = {
    "successful_packets": "Successful packets:        ",
    "failed_packets": "Failed packets:            ",
    "truncated_packets": "Truncated packets:         ",
    "retried_enobufs": "Retried packets (ENOBUFS): ",
    "retried_eagain": "Retried packets (EAGAIN):  ",
}
# What goes to stderr in a good run, each in one piece.
PIECES = (
    "Switching network driver for v0 to netmap bypass mode... ",
    "Switching network driver for eth0.100 to normal mode... ",
    "done!\n",
    "File Cache is enabled\n",
    "Warning: Packet #5 has gone back in time!\n",
)
INTERRUPTS = (" User interrupt...\n", "sendpacket_abort\n", "Warning: Unable to send packet: User abort\n")
KEYWORDS = (
    "Actual",
    "Rated",
    "Flows",
    "Statistics",
    "packets",
    "attempts",
    "Warning",
    "interrupt",
    "abort",
    "Switching",
    "done!",
    "failed!",
)


def decimal(cents, places=2):
    return f"{cents // 10**places}.{cents % 10**places:0{places}d}"


@strategies.composite
def pair(draw, form, packets, size, micro):
    """An Actual: and a Rated: line as that version prints them, and what they say."""
    if form == "4.1":  # tenths, printed as if they were hundredths
        whole, tenths = divmod(micro // 10**5, 10)
        seconds, printed, stop = float(f"{whole}.{tenths}"), f"{whole}.{tenths:02d}", "."
    elif micro < 10**6:
        seconds, printed, stop = micro / 1e6, decimal(micro, 6), ""
    else:
        seconds, printed, stop = float(decimal(micro // 10**4)), decimal(micro // 10**4), ""
    tenths = draw(CENTS)
    places = draw(strategies.sampled_from((2, 3)))
    mbps, pps = draw(CENTS), draw(CENTS)
    said = {
        "packets": packets,
        "bytes": size,
        "seconds": seconds,
        "bytes_per_second": float(decimal(tenths, 1)),
        "mbps": float(decimal(mbps, places)),
        "pps": float(decimal(pps)),
    }
    text = f"Actual: {packets} packets ({size} bytes) sent in {printed} seconds{stop}\n"
    return text + f"Rated: {decimal(tenths, 1)} Bps, {decimal(mbps, places)} Mbps, {decimal(pps)} pps\n", said


@strategies.composite
def run(draw):
    """What a run prints to stdout, in the form of a version (FORMS), and its ``stats``."""
    form = draw(strategies.sampled_from(("4.1", "4.4.2", "4.4.3")))
    text, samples = "", []
    # All of it counts from the start of the run.
    columns = draw(
        strategies.lists(strategies.tuples(COUNT, COUNT, strategies.integers(0, 10**13)), min_size=1, max_size=4)
    )
    for packets, size, micro in zip(*map(sorted, zip(*columns))):
        lines, said = draw(pair(form, packets, size, micro))
        text += lines
        samples.append(said)
    stats = {**samples.pop(), "samples": samples, "failed_write_attempts": 0, "interrupted": False, "devices": []}
    stats.update(
        dict.fromkeys(
            ("flows", "flows_per_second", "flow_packets", "non_flow_packets", "flows_unique", "flows_expired")
        )
    )
    if draw(strategies.booleans()):
        stats["failed_write_attempts"] = attempts = draw(COUNT)
        text += f"Failed write attempts: {attempts}\n"
    if draw(strategies.booleans()):
        flows, cents, of_flow, of_none = draw(COUNT), draw(CENTS), draw(COUNT), draw(COUNT)
        stats.update(
            flows=flows, flows_per_second=float(decimal(cents)), flow_packets=of_flow, non_flow_packets=of_none
        )
        expiry = ""
        if form == "4.4.3" and draw(strategies.booleans()):
            stats.update(flows_unique=draw(COUNT), flows_expired=draw(COUNT))
            expiry = f"{stats['flows_unique']} unique, {stats['flows_expired']} expired, "
        unique, end = ("unique ", " packets") if form == "4.4.3" else ("", "")
        text += (
            f"Flows: {flows} flows, {expiry}{decimal(cents)} fps, {of_flow} {unique}flow packets, {of_none}"
            f" {unique}non-flow{end}\n"
        )
    for interface in draw(strategies.lists(NAME, max_size=2, unique=True)):
        device = {"interface": interface, **{name: draw(COUNT) for name in LABELS}}
        stats["devices"].append(device)
        text += f"Statistics for network device: {device['interface']}\n"
        if form == "4.1":
            text += f"\tAttempted packets:         {draw(COUNT)}\n"
        text += "".join(f"\t{label}{device[name]}\n" for name, label in LABELS.items())
    return text, stats


def spliced(text, pieces):
    """``text`` with each piece put in at its place."""
    for place, piece in sorted(pieces, key=lambda one: one[0], reverse=True):
        at = place % (len(text) + 1)
        text = text[:at] + piece + text[at:]
    return text


@quickly
@hypothesis.given(run())
def test_statistics_parse_to_the_numbers_they_were_made_from(drawn):
    text, stats = drawn
    assert parse(text) == stats
    assert last_measures(text) == {
        name: stats[name] for name in ("packets", "bytes", "seconds", "bytes_per_second", "mbps", "pps")
    }


@quickly
@hypothesis.given(run(), strategies.sampled_from(("\r\n", "\n\n", "\n  ", " \n", "\x1b[0m\n")))
def test_a_terminal_and_a_log_change_nothing(drawn, line_end):
    text, stats = drawn
    assert parse(text.replace("\n", line_end)) == stats


@quickly
@hypothesis.given(run(), strategies.data())
def test_the_other_stream_may_stand_anywhere(drawn, data):
    text, stats = drawn
    places = strategies.integers(0, len(text))
    pieces = data.draw(
        strategies.lists(
            strategies.tuples(places, strategies.sampled_from(PIECES)), max_size=4, unique_by=lambda one: one[0]
        )
    )
    assert parse(spliced(text, pieces)) == stats
    interrupt = (
        data.draw(places.filter(lambda place: place not in [one[0] for one in pieces])),
        data.draw(strategies.sampled_from(INTERRUPTS)),
    )
    assert parse(spliced(text, [*pieces, interrupt])) == {**stats, "interrupted": True}


NOISE = strategies.text(max_size=200).filter(lambda text: not any(word in text for word in KEYWORDS))


@quickly
@hypothesis.given(run(), NOISE, NOISE)
def test_noise_before_and_after_changes_nothing(drawn, before, after):
    text, stats = drawn
    assert parse(f"{before}\n{text}{after}") == stats


@quickly
@hypothesis.given(run(), strategies.data())
def test_what_was_cut_off_is_an_answer_or_an_error_of_ours(drawn, data):
    text, _stats = drawn
    start = data.draw(strategies.integers(0, len(text)))
    end = data.draw(strategies.integers(start, len(text)))
    try:
        assert parse(text[start:end])["packets"] is None or start < end
    except TrafficgenError as error:
        assert "more than one run" in error.message


@quickly
@hypothesis.given(run(), run())
def test_two_runs_with_devices_are_told_from_one(one, other):
    hypothesis.assume(one[1]["devices"])
    with pytest.raises(TrafficgenError, match="more than one run"):
        parse(one[0] + other[0])
