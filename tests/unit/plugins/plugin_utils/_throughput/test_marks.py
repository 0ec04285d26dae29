# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial's marks: how they are read, what is told of them, and when the loss goes by them."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.filter.throughput_trial import throughput_trial
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import schema
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.marks import reading

SIZES = {"name": "scan", "ip_size": 64, "frame_size": 78, "wire_frame_size": 82, "packets": 1000}
MARKS = {"test": 7, "streams": [{"stream": 0, "name": None, "marked": 1000, "unmarked": 0}]}
TRAFFIC = {**SIZES, "marks": MARKS}
RECEIVED = {"kind": "local", "host": "gen1", "interface": "rcv0"}


def item(rate, method="pf_packet"):
    return {
        "number": 1,
        "traffic": "scan",
        "injection_method": method,
        "rate": rate,
        "repeat": 1,
        "duration": 3,
    }


@pytest.mark.parametrize(
    ("rate", "line", "workers", "why"),
    [
        ({"pps": 400_000}, None, "1", ""),
        ({"pps": 400_001}, None, "1", "400,001 frames a second are more than throughput_mark_max_pps (400,000)"),
        # 10 Gbit/s of 78 bytes each are 16 million a second; a 100 Mbit/s line takes 122,549.
        ({"mbps": 10_000}, None, "1", "16,025,641 frames a second are more than throughput_mark_max_pps (400,000)"),
        ({"mbps": 10_000}, 100, "1", ""),
        ({"line_rate_percent": 50}, 1000, "1", "612,745 frames a second are more"),
        ({"line_rate_percent": 50}, None, "1", "the rate is not known before"),
        ({"topspeed": True}, None, "1", "the rate at top speed is not known before"),
        ({"topspeed": True}, 100, "1", ""),
        ({"multiplier": 2.0}, None, "1", "the rate at 2 times the recorded speed is not known before"),
        ({"pps": 1000}, None, "2", "several workers repeat the file at once, each by itself"),
        ({"pps": 1000}, None, "auto", "several workers repeat the file at once"),
    ],
)
def test_numbers_are_looked_at_up_to_a_rate(rate, line, workers, why):
    found = reading(item(rate), TRAFFIC, max_pps=400_000, link_speed_mbps=line, workers=workers)
    assert found.why.startswith(why)
    assert found.count_only == bool(why)


def ran(packets=3000, came=3000):
    rx = {"source": "nftables ingress counter", "packets": came, "bytes": None, "host_drops": 0, "late_packets": 0}
    lost = packets - came
    return {
        "stats": {"packets": packets, "bytes": 78 * packets, "seconds": 3.0, "interrupted": False, "devices": []},
        "rates": {"pps": packets / 3, "l1_mbps": 0.8, "l2_mbps": 0.7, "line_rate_percent": None},
        "run": {"started": 10.0, "ended": 13.0, "capped": False, "link_speed_mbps": None, "pcaps": []},
        "counters": {
            "tx": {"source": "veth tx_packets", "packets": packets, "bytes": None},
            "rx": rx,
            "loss_packets": lost,
            "loss_ratio": lost / packets,
            "verdict": "consistent",
            "reason": "",
        },
    }


def told(received=3000, *, sent=3000, duplicates=0, reordered=0, gap=0.002, count_only=False, **more):
    stream = {
        "stream": 0,
        "name": None,
        "sent": sent,
        "arrived": received + duplicates,
        "received": received,
        "missing": sent - received,
        "lost": sent - received,
        "duplicates": duplicates,
        "reordered": reordered,
        "reordered_ratio": reordered / 3000,
        "largest_extent": 1,
        "largest_late_seconds": 0.001,
        "longest_gap": {"seconds": gap, "began": 11.0, "missing": 0},
        "unexpected": 0,
    }
    numbers = ("received", "missing", "lost", "duplicates", "reordered", "unexpected")
    marks = {
        "test": 7,
        "interface": "rcv0",
        "count_only": count_only,
        "ended_by": "all",
        "socket_drops": 0,
        "sent": sent,
        "arrived": received + duplicates,
        **{key: None if count_only else stream[key] for key in numbers},
        "lost_ratio": None if count_only else (sent - received) / sent,
        "timeline": {"interval_seconds": 0.1, "began": 10.0, "frames": [received]},
        "notes": [],
        "streams": [] if count_only else [stream],
    }
    return {"changed": False, "marks": {**marks, **more}}


def made(run, after, rate=None, *, traffic=None, before=None, **more):
    marks = {
        "max_pps": 400_000,
        "link_speed_mbps": None,
        "workers": "1",
        "before": before or {"receiver": "00"},
        "after": after,
    }
    return throughput_trial(
        item(rate or {"pps": 1000}),
        run,
        traffic=[traffic or TRAFFIC],
        receiver=RECEIVED,
        receive_wait=2.0,
        marks=marks,
        **more,
    )


def test_what_the_marks_tell_is_in_the_trial():
    found = made(ran(), told(reordered=3))
    marks = found["trial"]["marks"]
    assert (marks["read"], marks["why"], marks["error"]) == ("numbers", "", None)
    assert (marks["lost"], marks["duplicates"], marks["reordered"]) == (0, 0, 3)
    assert marks["longest_gap"]["seconds"] == 0.002
    assert "interface" not in marks
    assert found["line"].endswith("0 lost, 3 reordered, consistent")
    schema.TRIAL.check(found["trial"], "the trial")
    # The counter of MAC addresses counted each of them, and its word stands.
    assert found["trial"]["counters"] == ran()["counters"]


def test_as_many_doubled_as_lost():
    """A counter sees all; the marks tell."""
    counters = made(ran(), told(2100, duplicates=900))["trial"]["counters"]
    assert (counters["rx"]["source"], counters["rx"]["packets"]) == ("marks", 2100)
    assert (counters["loss_packets"], counters["loss_ratio"], counters["verdict"]) == (900, 0.3, "consistent")
    assert counters["rx"]["late_packets"] == 0


def test_a_router_in_between():
    """It sends with MAC addresses of its own, so that by these nothing came."""
    counters = made(ran(came=0), told(2990))["trial"]["counters"]
    assert (counters["rx"]["packets"], counters["loss_packets"], counters["verdict"]) == (2990, 10, "consistent")
    # What came late is not known: the counter that tells it saw none of them.
    assert counters["rx"]["late_packets"] is None
    counters = made(ran(came=0), told(2990, count_only=True), {"topspeed": True})["trial"]["counters"]
    assert (counters["rx"]["packets"], counters["loss_packets"], counters["verdict"]) == (2990, 10, "consistent")


@pytest.mark.parametrize(("came", "source"), [(1494, "marks"), (1495, "nftables ingress counter")])
def test_less_than_half_of_them_came_from_the_test_s_addresses(came, source):
    """By docs/marks.md: of 2990 that arrived, 1495 are half."""
    assert made(ran(came=came), told(2990))["trial"]["counters"]["rx"]["source"] == source


def test_the_longest_gap_is_that_of_any_stream():
    after = told(2990, gap=0.2)
    first = after["marks"]["streams"][0]
    after["marks"]["streams"] = [
        first,
        {**first, "stream": 1, "longest_gap": {"seconds": 0.4, "began": 12.0, "missing": 8}},
        {**first, "stream": 2, "longest_gap": None},
    ]
    assert made(ran(), after)["trial"]["marks"]["longest_gap"] == {"seconds": 0.4, "began": 12.0, "missing": 8}


def test_no_counter_of_mac_addresses():
    run = ran()
    run["counters"].update(rx=None, loss_packets=None, loss_ratio=None)
    assert made(run, told(2999))["trial"]["counters"]["loss_packets"] == 1


@pytest.mark.parametrize(
    ("after", "traffic"),
    [
        (told(2990, socket_drops=5, lost=None), TRAFFIC),
        (told(2990, lost=None), TRAFFIC),
        (told(0), TRAFFIC),
        (told(2990), {**SIZES, "marks": {"test": 7, "streams": [{**MARKS["streams"][0], "unmarked": 1}]}}),
        ({"failed": True, "msg": "receiver 00: did not answer."}, TRAFFIC),
        (told(2990, ended_by="interface_down", lost=None), TRAFFIC),
    ],
    ids=[
        "its own drops",
        "the end is not known",
        "nothing came",
        "frames without a mark",
        "it was not heard",
        "it went",
    ],
)
def test_marks_that_prove_no_loss_leave_it_as_it_was(after, traffic):
    run = ran(came=0)
    assert made(copy.deepcopy(run), after, traffic=traffic)["trial"]["counters"] == run["counters"]


def test_a_count_on_an_interface_that_went_away_proves_no_loss():
    run = ran(came=0)
    after = told(2990, count_only=True, ended_by="interface_down")
    assert made(copy.deepcopy(run), after, {"topspeed": True})["trial"]["counters"] == run["counters"]


def test_what_host_dropped_is_not_the_device_s_loss():
    run = ran(came=0)
    run["counters"]["rx"]["host_drops"] = 7
    counters = made(run, told(2990))["trial"]["counters"]
    assert (counters["rx"]["host_drops"], counters["verdict"]) == (7, "unknown")


def test_frames_that_still_came():
    counters = made(ran(came=0), told(2990, ended_by="duration"))["trial"]["counters"]
    assert counters["loss_packets"] is None
    assert "were still arriving when the receiver ended" in counters["reason"]  # how long after is not known


def test_nobody_listened():
    assert made(ran(), None, before={"skipped": True})["trial"]["marks"] is None
    assert throughput_trial(item({"pps": 1}), ran(), traffic=[TRAFFIC])["trial"]["marks"] is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"failed": True, "msg": "rcv0: no such interface."}, {"skipped": True}, "rcv0: no such interface."),
        ({"receiver": "00"}, {"unreachable": True, "msg": "ssh: no route"}, "ssh: no route"),
        ({"receiver": "00"}, None, "it was not asked"),
    ],
)
def test_why_they_tell_nothing(before, after, said):
    found = made(ran(), after, before=before)["trial"]
    assert found["marks"]["error"] == f"What the marks would tell is not known: {said}"
    assert found["status"] == "ok"
    schema.TRIAL.check(found, "the trial")


def test_an_outage_of_more_than_half_a_pass():
    """The file has 1000 frames and is sent at 1000 a second."""
    trial = made(ran(), told(2400, gap=0.6))["trial"]
    marks = trial["marks"]
    # By docs/marks.md, frames of the next pass are taken for copies, and missing is as much too high.
    unknown = ("lost", "missing", "lost_ratio", "received", "duplicates", "reordered", "timeline")
    assert {marks[key] for key in unknown} == {None}
    [stream] = marks["streams"]
    assert {stream[key] for key in ("lost", "missing", "received", "duplicates", "reordered_ratio")} == {None}
    assert (marks["arrived"], stream["sent"], stream["arrived"]) == (2400, 3000, 2400)
    assert marks["longest_gap"] == stream["longest_gap"] == {"seconds": 0.6, "began": 11.0, "missing": None}
    schema.TRIAL.check(trial, "the trial")
    assert "0.600 s, which is more than half a pass of the file (0.500 s)" in marks["notes"][0]
    assert made(ran(), told(2400, gap=0.4))["trial"]["marks"]["lost"] == 600
    # One pass has no other to be taken for.
    once = {**TRAFFIC, "packets": 3000}
    assert made(ran(), told(900, gap=2.1), traffic=once)["trial"]["marks"]["lost"] == 2100


def test_how_to_listen_is_told_before_the_trial():
    options = {"max_pps": 400_000, "link_speed_mbps": None, "workers": "1"}
    for asked, count_only, numbered in (
        (item({"pps": 1000}), False, False),
        (item({"topspeed": True}), True, False),
        (item({"pps": 1000}, "af_xdp"), False, True),
        (item({"topspeed": True}, "af_xdp"), True, False),
    ):
        said = throughput_trial(asked, traffic=[TRAFFIC], marks=options)["listen"]
        assert said == {"count_only": count_only, "numbered_passes": numbered}


def test_passes_that_were_numbered_are_told_apart():
    """Also by several workers, which may reorder frames between them."""
    options = {"max_pps": 400_000, "link_speed_mbps": None, "workers": "2", "before": {"receiver": "00"}}
    options["after"] = told(2400, gap=0.6, reordered=5)
    asked = item({"pps": 1000}, "af_xdp")
    marks = throughput_trial(asked, ran(), traffic=[TRAFFIC], receiver=RECEIVED, marks=options)["trial"]["marks"]
    assert (marks["numbered_passes"], marks["lost"]) == (True, 600)
    assert len(marks["notes"]) == 1 and "Several workers sent at once" in marks["notes"][0]
