# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the counters prove about a run."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import frames_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import (
    account,
    reconcile,
    reconcile_count,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._counters.snapshots import (
    NONE_LOST,
    UNKNOWN,
    loss,
    lost,
    mac_receiver,
    receiver,
    result_of,
    sender,
    snap,
    verdict,
)


def test_all_sent_and_all_arrived():
    assert verdict(1000, sender(1000), receiver(1000)) == {
        "tx": {"source": "e1000 tx_packets", "packets": 1000, "bytes": None},
        "rx": {"source": "nftables ingress counter", "packets": 1000, "bytes": None}
        | {"host_drops": 0, "late_packets": None},
        "loss_packets": 0,
        "loss_ratio": 0.0,
        "verdict": "consistent",
        "reason": "",
    }


def test_no_receiver():
    counters = verdict(1000, sender(1000))
    assert counters["rx"] is None
    assert loss(counters) == ("consistent", None, None)
    assert counters["reason"] == ""


def test_a_run_that_sent_nothing_proves_nothing():
    counters = verdict(0, sender(0), receiver(0))
    assert loss(counters) == UNKNOWN
    assert counters["reason"].startswith("Tcpreplay sent nothing")


def test_the_frames_a_receiver_is_waited_for():
    assert frames_left({"packets": 1000}, {}, *sender(1000)) == 1000
    assert frames_left({"packets": 1000}, {}, *sender(1007)) == 1000
    assert frames_left({"packets": 1000}, {}, *sender(875)) == 875
    assert frames_left({"packets": 1000}, {}, *sender(None)) == 1000
    assert frames_left({"packets": None}, {}, *sender(875)) == 875
    assert frames_left({"packets": None}, {}, *sender(None)) is None


def test_fewer_left_than_tcpreplay_says():
    counters = verdict(1000, sender(990), devices=[{"failed_packets": 10}])
    assert counters["verdict"] == "short"
    assert counters["tx"]["packets"] == 990
    assert "10 fewer" in counters["reason"]
    assert "10 failed" in counters["reason"]


def test_others_frames_on_the_sending_port_are_no_loss():
    # two of LLDP, as measured: 3870662 on the device against tcpreplay's 3870660
    counters = verdict(3870660, sender(3870662), receiver(3870660))
    assert loss(counters) == NONE_LOST
    assert "2 frames more than tcpreplay" in counters["reason"]
    assert "tolerance 6" in counters["reason"]


def test_too_many_others_prove_nothing():
    counters = verdict(1000, sender(1500), receiver(900))
    assert loss(counters) == UNKNOWN
    assert "tolerance 6" in counters["reason"]


def test_a_receiver_that_counted_them_all_proves_it_among_others():
    assert lost(1000, sender(1500), receiver(1000)) == NONE_LOST


def test_a_receiver_that_may_have_counted_an_earlier_run_s_proves_nothing():
    """As many came as were sent, but some of the run before were still coming when this one began."""
    before, after = receiver(1000)
    before["earlier"] = {"packets": 3, "still_coming": True, "missed_seconds": None}
    for tx in (sender(None, driver="virtio_net"), sender(1500)):
        counters = verdict(1000, tx, (before, after))
        assert loss(counters) == UNKNOWN and "counted each of the 1000" not in counters["reason"]


def test_a_device_without_counters_is_unknown():
    counters = verdict(1000, sender(None, driver="virtio_net"))
    assert loss(counters) == UNKNOWN
    assert "virtio_net has no MAC" in counters["reason"]


def test_a_device_without_counters_and_a_receiver_that_counted_them_all():
    counters = verdict(1000, sender(None, driver="virtio_net"), receiver(1000))
    assert counters["tx"] is None
    assert loss(counters) == NONE_LOST
    assert counters["reason"]


def test_a_device_without_counters_and_a_receiver_that_did_not():
    counters = verdict(1000, sender(None, driver="virtio_net"), receiver(990))
    assert loss(counters) == UNKNOWN
    assert "of the 1000 frames that tcpreplay counts, 990 arrived" in counters["reason"]


def test_interrupted_runs_may_be_off_by_one():
    assert lost(1000, sender(999), receiver(999), interrupted=True) == NONE_LOST
    assert lost(1000, sender(1001), receiver(1001), interrupted=True) == NONE_LOST
    assert verdict(1000, sender(998), interrupted=True)["verdict"] == "short"
    assert verdict(1000, sender(999), interrupted=False)["verdict"] == "short"


def test_a_counter_that_went_backwards_is_none():
    counters = verdict(1000, (snap(tx=5000), snap(tx=900, at=2)), receiver(900))
    assert counters["tx"] is None
    assert loss(counters) == UNKNOWN
    assert "went backwards, from 5000 to 900" in counters["reason"]


def test_a_port_that_was_reset_in_between_is_not_short():
    # closing netmap resets the port: the MAC's counts since the driver last read them are lost, and the link flaps
    counters = verdict(1000, (snap(tx=0), snap(tx=700, at=2, carrier_changes=4)))
    assert counters["tx"] is None
    assert counters["verdict"] == "unknown"
    assert "the link went down or up" in counters["reason"]
    assert verdict(1000, (snap(tx=0), snap(tx=1000, at=2, carrier_changes=4)))["verdict"] == "consistent"


def test_native_netmap_passes_a_software_counter_by():
    run = {"injection_method": "netmap", "netmap_mode": "native"}
    assert verdict(1000, sender(0, driver="veth"), run=run)["verdict"] == "unknown"
    assert verdict(1000, sender(0, driver="veth"), run={**run, "netmap_mode": "emulated"})["verdict"] == "short"
    assert verdict(1000, sender(1000, driver="veth"), run={**run, "netmap_mode": "emulated"})["verdict"] == "consistent"


# 64-byte frames on 10G: 14,880,952 pps are the line (RFC 2544), 672 bits each at L1.
@pytest.mark.parametrize(
    ("pps", "seconds", "expected"),
    [
        (14880952, 10, "consistent"),
        (14880952 * 1.0009, 10, "consistent"),
        (14880952 * 1.01, 10, "impossible"),
        (18000000, 10, "impossible"),
        # 277 frames in the socket's buffer have not left yet, after a hundredth of a second
        (14880952 + 27700, 0.01, "consistent"),
        (14880952 * 1.001 + 28000, 0.01, "impossible"),
    ],
)
def test_no_more_fits_onto_a_line_than_fits(pps, seconds, expected):
    packets = int(pps * seconds)
    run, rates = {"link_speed_mbps": 10000, "in_flight_frames": 277}, {"l1_mbps": pps * 672 / 1e6}
    counters = verdict(packets, sender(packets), run=run, rates=rates, seconds=seconds)
    assert counters["verdict"] == expected
    assert ("tolerance 0.1%" in counters["reason"]) == (pps > 14880952 * 1.001)


@pytest.mark.parametrize("in_flight", [None, 277, 4096, 10**6])
@pytest.mark.parametrize("line", [10, 100, 1000, 10000, 100000])
def test_a_second_at_more_than_a_hundredth_above_the_line_is_impossible(line, in_flight):
    """Whatever the queues hold, the frames' size and the line: IN_FLIGHT of 8192 let twice a line of 100 Mbit/s pass
    for a second."""
    for wire in (64, 512, 1518, 9018):
        for over in (1.0101, 1.05, 2, 50):
            for seconds in (1, 1.7, 60):
                packets = int(line * 1e6 * over / ((wire + 20) * 8) * seconds)
                rates = {"l1_mbps": packets / seconds * (wire + 20) * 8 / 1e6}
                run = {"link_speed_mbps": line, "in_flight_frames": in_flight}
                for known in ({"seconds": seconds}, {}):
                    got = verdict(packets, sender(packets), run=run, rates=rates, **known)["verdict"]
                    assert got == "impossible" or rates["l1_mbps"] <= line * 1.01  # only whole frames


def test_where_no_frame_is_in_flight_none_is_allowed_for():
    run, rates = {"link_speed_mbps": 10000, "in_flight_frames": 0}, {"l1_mbps": 10100.0}
    assert verdict(100, sender(100), run=run, rates=rates, seconds=0.01)["verdict"] == "impossible"
    del run["in_flight_frames"]
    assert verdict(100, sender(100), run=run, rates=rates, seconds=0.01)["verdict"] == "consistent"


def test_a_verdict_names_what_sent():
    for run, name in (({"engine": "af_xdp"}, "xdp_replay"), ({"engine": "tcpreplay"}, "tcpreplay"), ({}, "tcpreplay")):
        assert verdict(1000, sender(990), run=run)["reason"].startswith(f"{name} counts 1000".capitalize())


def test_without_a_line_nothing_is_impossible():
    assert (
        verdict(10**9, sender(10**9), run={"link_speed_mbps": None}, rates={"l1_mbps": 1e6})["verdict"] == "consistent"
    )


def test_an_impossible_rate_of_a_device_that_proves_nothing():
    counters = verdict(10**8, sender(None), run={"link_speed_mbps": 10000}, rates={"l1_mbps": 12100.0})
    assert counters["verdict"] == "impossible"


def test_short_and_impossible_is_short_and_says_both():
    counters = verdict(10**8, sender(8 * 10**7), run={"link_speed_mbps": 10000}, rates={"l1_mbps": 12100.0})
    assert counters["verdict"] == "short"
    assert "do not fit onto a line of 10000 Mbps" in counters["reason"]


def test_the_receivers_mac_counts_where_there_is_no_frame_counter():
    counters = verdict(1000, sender(1000), mac_receiver(990))
    assert counters["rx"]["source"] == "e1000 rx_packets"
    assert loss(counters) == ("consistent", 10, 0.01)


def test_the_frame_counter_goes_before_the_mac():
    before, after = snap(rx=0, frames=0), snap(rx=1003, frames=999, at=2)
    assert lost(1000, sender(1000), (before, after)) == ("consistent", 1, 0.001)


def test_a_bare_number_says_nothing_of_drops():
    counters = reconcile_count(result_of(1000), "the router", 900)["counters"]
    rx = {"source": "the router", "packets": 900, "bytes": None, "host_drops": None, "late_packets": None}
    assert counters["rx"] == rx
    assert loss(counters) == ("consistent", 100, 0.1)


def test_a_receiver_that_proves_nothing_says_why():
    counters = verdict(1000, sender(1000), sender(None, driver="virtio_net"))
    assert counters["rx"] is None
    assert loss(counters) == ("consistent", None, None)
    assert "virtio_net has no MAC" in counters["reason"]


def test_a_run_that_printed_nothing():
    counters = account(None, None, None, *sender(1000), *receiver(1000))
    assert loss(counters) == UNKNOWN
    assert counters["tx"]["packets"] == 1000
    assert counters["reason"]


# A port sends a few frames of its own.
@pytest.mark.parametrize(
    ("sent", "more", "seconds", "expected"),
    [
        (1, 1, 2, "consistent"),
        (1, 2, 2, "unknown"),
        (1, 10, 60, "unknown"),
        (1000, 6, 2, "consistent"),
        (1000, 7, 2, "unknown"),
        (1000, 10, 60, "consistent"),
        (1000, 11, 60, "unknown"),
        (10**8, 64, 60, "consistent"),
        (10**8, 65, 60, "unknown"),
    ],
)
def test_others_frames_are_few_in_a_time_and_against_the_tests(sent, more, seconds, expected):
    counters = verdict(sent, (snap(tx=0), snap(tx=sent + more, at=seconds)))
    assert counters["verdict"] == expected
    assert "tolerance" in counters["reason"]


def test_every_other_verdict_has_a_reason():
    for sent in (None, 0, 900, 999, 1000, 1001, 2000):
        for got in (None, 0, 900, 1000, 1001):
            for drops in ((0, 0, 0), (5, 0, 0), (0, 500, 500)):
                rx = (None, None) if got is None else receiver(got, drops=drops)
                counters = verdict(1000, sender(sent), rx)
                assert counters["verdict"] == "consistent" or counters["reason"].endswith(".")
                assert counters["loss_packets"] is None or 0 <= counters["loss_packets"] <= 1000
                assert counters["loss_ratio"] is None or 0 <= counters["loss_ratio"] <= 1


RESULT = {
    "changed": True,
    "stats": {"packets": 1000},
    "rates": {"l1_mbps": 1.0},
    "run": {"link_speed_mbps": None, "pcaps": [{"path": "a.pcap"}]},
    "counters": verdict(1000, sender(1000)),
}


def test_reconcile_fills_in_a_copy():
    result, rx = copy.deepcopy(RESULT), receiver(900)
    inputs = copy.deepcopy((result, rx))
    reconciled = reconcile(result, *rx)
    assert loss(reconciled["counters"]) == ("consistent", 100, 0.1)
    assert (result, rx) == inputs
    reconciled["run"]["pcaps"].append("more")
    reconciled["counters"]["tx"]["packets"] = 1
    assert result == RESULT


def test_reconcile_is_the_modules_own_account():
    rx, tx = receiver(900), sender(1000)
    assert reconcile(RESULT, *rx)["counters"] == verdict(1000, tx, rx) == reconcile(RESULT, *rx, *tx)["counters"]


def test_reconcile_with_the_senders_counters_of_another_host():
    assert reconcile(RESULT, *receiver(900), *sender(950))["counters"]["verdict"] == "short"


def test_reconcile_keeps_why_the_run_knew_nothing():
    result = {**RESULT, "counters": verdict(1000, sender(None, driver="virtio_net"))}
    counters = reconcile(result, *receiver(990))["counters"]
    assert counters["verdict"] == "unknown"
    assert "virtio_net has no MAC" in counters["reason"]
    assert reconcile(result, *receiver(1000))["counters"]["verdict"] == "consistent"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"stats": {}}, snap(), snap()), "not a result of the module tcpreplay or xdp_replay"),
        ((RESULT, snap(), {"changed": False}), "rx_after: not a result of interface_counters_info"),
        ((RESULT, "before", snap()), "rx_before: not a result of interface_counters_info"),
        ((RESULT, snap(), snap(), snap(tx=1)), "belong together"),
    ],
)
def test_reconcile_of_something_else(arguments, message):
    with pytest.raises(TrafficgenError, match=message):
        reconcile(*arguments)
