# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import delta
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import frames_left
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import (
    account,
    reconcile,
    reconcile_count,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError


def snap(
    *,
    tx=None,
    rx=None,
    frames=None,
    others=0,
    at=0.0,
    driver="e1000",
    drops=(0, 0, 0),
    counted=False,
    flaps=2,
    **other,
):
    """A snapshot; ``tx``, ``rx``: the MAC's packets; ``frames``: the frame counter's; ``drops``: nic, kernel,
    softnet."""
    value = {
        "interface": "ens17",
        "netns": None,
        "ifindex": 3,
        "boot_id": "b1",
        "driver": driver,
        "carrier_changes": flaps,
        "merging": [],
        "monotonic": 100.0 + at,
        "ethtool": {},
        "kernel": {"rx_packets": 0, "tx_packets": tx or 0, "rx_bytes": 0, "tx_bytes": 100 * (tx or 0)},
        "mac": {
            "tx": None if tx is None else {"source": f"{driver} tx_packets", "packets": tx, "bytes": None},
            "rx": (
                None
                if rx is None
                else {"source": f"{driver} rx_packets", "packets": rx, "bytes": None, "drops_counted": counted}
            ),
            "reason": "" if tx is not None else f"{driver} has no MAC",
        },
        "host_drops": dict(zip(("nic", "kernel", "softnet"), drops)),
        "test_frames": (
            None
            if frames is None
            else {
                "source": "nftables ingress counter",
                "packets": frames,
                "bytes": None,
                "macs": ["02:00:00:00:00:01"],
                "table": "t",
                "handle": 1,
                "others": others,
            }
        ),
    }
    return {**value, **other}


def sender(packets, **other):
    """The sending device before and after it counted ``packets``, None for a device that proves nothing."""
    if packets is None:
        return snap(**other), snap(at=2, **other)
    return snap(tx=1000, **other), snap(tx=1000 + packets, at=2, **other)


def receiver(packets, drops=(0, 0, 0), driver="veth", others=0, **other):
    return snap(frames=0, driver=driver, **other), snap(
        frames=packets, drops=drops, driver=driver, others=others, at=2, **other
    )


def mac_receiver(packets, drops=(0, 0, 0), **other):
    return snap(rx=500, **other), snap(rx=500 + packets, drops=drops, at=2, **other)


def verdict(packets, tx, rx=(None, None), *, run=None, rates=None, **stats):
    return account({"packets": packets, **stats}, rates or {}, run or {}, *tx, *rx)


def loss(counters):
    return counters["verdict"], counters["loss_packets"], counters["loss_ratio"]


def test_all_sent_and_all_arrived():
    counters = verdict(1000, sender(1000), receiver(1000))
    assert counters == {
        "tx": {"source": "e1000 tx_packets", "packets": 1000, "bytes": None},
        "rx": {
            "source": "nftables ingress counter",
            "packets": 1000,
            "bytes": None,
            "host_drops": 0,
            "late_packets": None,
        },
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
    assert loss(counters) == ("unknown", None, None)
    assert counters["reason"].startswith("Tcpreplay sent nothing")


def test_merging_is_no_excuse_where_nothing_arrived():
    assert loss(verdict(1000, sender(1000), receiver(1, merging=["gro"])))[0] == "unknown"
    assert loss(verdict(1000, sender(1000), receiver(0, merging=["gro"]))) == ("consistent", 1000, 1.0)


def test_a_loss_where_the_hosts_own_drops_are_not_known():
    counters = verdict(1000, sender(1000), receiver(900, drops=(None, 0, 0), driver="e1000"))
    assert loss(counters) == ("unknown", 100, 0.1)
    assert counters["rx"]["host_drops"] is None
    assert (
        "whether the receiving host itself dropped some of the 100 lost frames is not known"
        in counters["reason"].lower()
    )
    assert loss(verdict(1000, sender(1000), receiver(1000, drops=(None, 0, 0), driver="e1000"))) == (
        "consistent",
        0,
        0.0,
    )


def waited(ended, receive_wait=2.0, late=0, seconds=2.1):
    return {"ended": ended, "expected": 1000, "receive_wait": receive_wait, "waited": seconds, "late_packets": late}


@pytest.mark.parametrize(
    ("arrival", "told", "said"),
    [
        (waited("quiet"), ("consistent", 100, 0.1), ""),
        (
            waited("quiet", 0.1),
            ("consistent", 100, 0.1),
            "waited for 0.1 s without a frame (receive_wait; RFC 2544 says 2)",
        ),
        (waited("limit", seconds=10.04), ("unknown", None, None), "still arriving 10.0 s after the last had left"),
        (waited("stopped"), ("unknown", None, None), "how many of the 100 that are missing were lost is not known"),
    ],
)
def test_what_is_late_is_not_lost(arrival, told, said):
    before, after = receiver(900)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": arrival}))
    assert loss(counters) == told and said in counters["reason"] and bool(said) == bool(counters["reason"])
    # Where nothing is missing, however it was waited for is no matter.
    before, after = receiver(1000)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": {**arrival, "late_packets": 7}}))
    assert (*loss(counters), counters["reason"], counters["rx"]["late_packets"]) == ("consistent", 0, 0.0, "", 7)


def test_where_nothing_came_late_frames_are_possible():
    before, after = receiver(0)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": waited("quiet")}))
    assert "nothing arrived for 2 s after the last frame had left" in counters["reason"].lower()


def test_frames_that_came_before_the_first_was_sent():
    before, after = receiver(1000)
    counters = verdict(
        1000,
        sender(1000),
        ({**before, "earlier": {"packets": 894, "still_coming": False, "missed_seconds": None}}, after),
    )
    assert (*loss(counters), counters["reason"]) == ("consistent", 0, 0.0, "")
    counters = verdict(
        1000,
        sender(1000),
        ({**before, "earlier": {"packets": 894, "still_coming": True, "missed_seconds": None}}, after),
    )
    assert loss(counters) == ("unknown", None, None)
    assert (
        "894 frames of the test's source MAC addresses arrived before the first was sent, and more were coming"
        in counters["reason"]
    )


def test_frames_that_leave_the_senders_queue_after_it_was_counted():
    before, after = sender(875)
    counters = verdict(1000, (before, {**after, "queue": {"packets": 125, "kind": "tbf"}}), receiver(1000))
    assert loss(counters) == ("short", None, None)
    assert "tx_packets 125 fewer, of which 125 were still in its queue (tbf)" in counters["reason"]


def test_the_frames_a_receiver_is_waited_for():
    assert frames_left({"packets": 1000}, {}, *sender(1000)) == 1000
    assert frames_left({"packets": 1000}, {}, *sender(1007)) == 1000
    assert frames_left({"packets": 1000}, {}, *sender(875)) == 875
    assert frames_left({"packets": 1000}, {}, *sender(None)) == 1000
    assert frames_left({"packets": None}, {}, *sender(875)) == 875
    assert frames_left({"packets": None}, {}, *sender(None)) is None


def test_what_the_device_lost():
    assert loss(verdict(1000, sender(1000), receiver(900))) == ("consistent", 100, 0.1)
    assert loss(verdict(1000, sender(1000), receiver(0))) == ("consistent", 1000, 1.0)


def test_fewer_left_than_tcpreplay_says():
    counters = verdict(1000, sender(990), devices=[{"failed_packets": 10}])
    assert counters["verdict"] == "short"
    assert counters["tx"]["packets"] == 990
    assert "10 fewer" in counters["reason"]
    assert "10 failed" in counters["reason"]


def test_the_loss_of_a_short_run_is_of_what_left():
    assert loss(verdict(1000, sender(800), receiver(600))) == ("short", 200, 0.25)


def test_others_frames_on_the_sending_port_are_no_loss():
    # two of LLDP, as measured: 3870662 on the device against tcpreplay's 3870660
    counters = verdict(3870660, sender(3870662), receiver(3870660))
    assert loss(counters) == ("consistent", 0, 0.0)
    assert "2 frames more than tcpreplay" in counters["reason"]
    assert "tolerance 6" in counters["reason"]


def test_too_many_others_prove_nothing():
    counters = verdict(1000, sender(1500), receiver(900))
    assert loss(counters) == ("unknown", None, None)
    assert "tolerance 6" in counters["reason"]


def test_a_receiver_that_counted_them_all_proves_it_among_others():
    assert loss(verdict(1000, sender(1500), receiver(1000))) == ("consistent", 0, 0.0)


def test_a_device_without_counters_is_unknown():
    counters = verdict(1000, sender(None, driver="virtio_net"))
    assert loss(counters) == ("unknown", None, None)
    assert "virtio_net has no MAC" in counters["reason"]


def test_a_device_without_counters_and_a_receiver_that_counted_them_all():
    counters = verdict(1000, sender(None, driver="virtio_net"), receiver(1000))
    assert counters["tx"] is None
    assert loss(counters) == ("consistent", 0, 0.0)
    assert counters["reason"]


def test_a_device_without_counters_and_a_receiver_that_did_not():
    counters = verdict(1000, sender(None, driver="virtio_net"), receiver(990))
    assert loss(counters) == ("unknown", None, None)
    assert "of the 1000 frames that tcpreplay counts, 990 arrived" in counters["reason"]


def test_more_arrived_than_left():
    counters = verdict(1000, sender(1000), receiver(1001))
    assert loss(counters) == ("unknown", None, None)
    assert "1 frames more arrived" in counters["reason"]


def test_interrupted_runs_may_be_off_by_one():
    assert loss(verdict(1000, sender(999), receiver(999), interrupted=True)) == ("consistent", 0, 0.0)
    assert loss(verdict(1000, sender(1001), receiver(1001), interrupted=True)) == ("consistent", 0, 0.0)
    assert verdict(1000, sender(998), interrupted=True)["verdict"] == "short"
    assert verdict(1000, sender(999), interrupted=False)["verdict"] == "short"


def test_a_counter_that_went_backwards_is_none():
    counters = verdict(1000, (snap(tx=5000), snap(tx=900, at=2)), receiver(900))
    assert counters["tx"] is None
    assert loss(counters) == ("unknown", None, None)
    assert "went backwards, from 5000 to 900" in counters["reason"]


def test_a_port_that_was_reset_in_between_is_not_short():
    # netmap's close resets the port: what the MAC had counted since the driver's last look is lost, and the link flaps
    counters = verdict(1000, (snap(tx=0), snap(tx=700, at=2, flaps=4)))
    assert counters["tx"] is None
    assert counters["verdict"] == "unknown"
    assert "the link went down or up" in counters["reason"]
    assert verdict(1000, (snap(tx=0), snap(tx=1000, at=2, flaps=4)))["verdict"] == "consistent"


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
        # 277 frames of the socket's buffer are not on the line yet, in a hundredth of a second
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
                    assert got == "impossible" or rates["l1_mbps"] <= line * 1.01  # whole frames alone


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


def test_what_the_receiving_host_dropped_is_not_the_devices_loss():
    counters = verdict(1000, sender(1000), receiver(900, drops=(60, 0, 0), driver="e1000"))
    assert loss(counters) == ("unknown", 100, 0.1)
    assert counters["rx"]["host_drops"] == 60
    assert "Up to 60 of the 100 lost frames were dropped by the receiving host itself" in counters["reason"]


def test_a_drop_or_two_on_the_host_do_not_hide_a_large_loss():
    counters = verdict(10**6, sender(10**6), receiver(900000, drops=(0, 3, 3), driver="e1000"))
    assert loss(counters) == ("consistent", 100000, 0.1)
    assert "Up to 3 of the 100000" in counters["reason"]


def test_host_drops_without_a_loss_do_not_matter():
    assert loss(verdict(1000, sender(1000), receiver(1000, drops=(0, 500, 0), driver="e1000"))) == (
        "consistent",
        0,
        0.0,
    )


def test_frames_no_protocol_wanted_were_counted_all_the_same():
    # frames that are not IP raise a veth's rx_dropped behind the ingress hook; a full backlog raises softnet's too
    counters = verdict(1000, sender(1000), receiver(900, drops=(0, 900, 0)))
    assert loss(counters) == ("consistent", 100, 0.1)
    assert counters["rx"]["host_drops"] == 0
    assert loss(verdict(1000, sender(1000), receiver(900, drops=(0, 100, 100)))) == ("unknown", 100, 0.1)


def test_a_receiver_that_merges_frames_cannot_tell_a_loss():
    before, after = receiver(900)
    counters = verdict(1000, sender(1000), ({**before, "merging": ["gro"]}, {**after, "merging": ["gro"]}))
    assert counters["verdict"] == "unknown"
    assert "ethtool -K" in counters["reason"]


def test_the_receivers_mac_counts_where_there_is_no_frame_counter():
    counters = verdict(1000, sender(1000), mac_receiver(990))
    assert counters["rx"]["source"] == "e1000 rx_packets"
    assert loss(counters) == ("consistent", 10, 0.01)


def test_the_frame_counter_goes_before_the_mac():
    before, after = snap(rx=0, frames=0), snap(rx=1003, frames=999, at=2)
    assert loss(verdict(1000, sender(1000), (before, after))) == ("consistent", 1, 0.001)


def test_others_frames_on_the_receiving_mac():
    counters = verdict(1000, sender(1000), mac_receiver(1004))
    assert loss(counters) == ("consistent", 0, 0.0)
    assert "tolerance 6" in counters["reason"]
    assert loss(verdict(1000, sender(1000), mac_receiver(1007))) == ("unknown", None, None)


def test_no_more_is_lost_than_the_test_sent():
    """Others' frames are in what a MAC or a command counts on both sides; where all is lost, theirs are not the test's
    loss."""
    counters = verdict(1000, sender(1003), mac_receiver(0, promiscuous=True))
    assert loss(counters) == ("consistent", 1000, 1.0)
    assert loss(verdict(1000, sender(1003), mac_receiver(500))) == ("consistent", 503, 0.503)
    run = {
        "stats": {"packets": 1000},
        "rates": {},
        "run": {},
        "counters": {"tx": {"source": "a", "packets": 1003, "bytes": None}},
    }
    assert loss(reconcile_count(run, "the router", 1)["counters"]) == ("consistent", 1000, 1.0)


def test_a_bare_number_says_nothing_of_drops():
    run = {
        "stats": {"packets": 1000},
        "rates": {},
        "run": {},
        "counters": {"tx": {"source": "a", "packets": 1000, "bytes": None}},
    }
    counters = reconcile_count(run, "the router", 900)["counters"]
    assert counters["rx"] == {
        "source": "the router",
        "packets": 900,
        "bytes": None,
        "host_drops": None,
        "late_packets": None,
    }
    assert loss(counters) == ("consistent", 100, 0.1)


def test_a_mac_that_does_not_count_what_it_had_no_room_for():
    assert loss(verdict(1000, sender(1000), mac_receiver(900, drops=(100, 0, 0)))) == ("unknown", 100, 0.1)
    # one that counts it: what is missing was lost before
    assert loss(verdict(1000, sender(1000), mac_receiver(900, drops=(100, 0, 0), counted=True))) == (
        "consistent",
        100,
        0.1,
    )
    # what the kernel drops was counted by the MAC before
    assert loss(verdict(1000, sender(1000), mac_receiver(900, drops=(0, 100, 0)))) == ("consistent", 100, 0.1)


def test_a_receiver_that_proves_nothing_says_why():
    counters = verdict(1000, sender(1000), sender(None, driver="virtio_net"))
    assert counters["rx"] is None
    assert loss(counters) == ("consistent", None, None)
    assert "virtio_net has no MAC" in counters["reason"]


def test_a_run_that_printed_nothing():
    counters = account(None, None, None, *sender(1000), *receiver(1000))
    assert loss(counters) == ("unknown", None, None)
    assert counters["tx"]["packets"] == 1000
    assert counters["reason"]


# What a counter of source addresses cannot see is no loss.


def test_frames_that_came_with_another_source_are_not_lost():
    """tcpreplay-edit --enet-smac, a router: all ten arrived, and none from the address that is counted."""
    counters = verdict(1000, sender(1000), receiver(0, others=1000))
    assert loss(counters) == ("unknown", None, None)
    assert "and 1000 frames from other ones did" in counters["reason"]
    assert "tolerance 6 frames in this time, and 1%" in counters["reason"]


@pytest.mark.parametrize(
    ("sent", "got", "others", "expected"),
    [
        # half of the sources rewritten, alone and with a true loss besides
        (1000, 500, 500, None),
        (1000, 450, 450, None),
        # a single frame of ten
        (10, 9, 1, None),
        # background traffic: ARP, LLDP, ND, as many a second as tolerated; and little against a large loss
        (10**6, 10**6 - 5, 6, 5),
        (10**6, 500_000, 4_000, 500_000),
        (100, 90, 2, 10),
        # nothing is missing: whatever else there was
        (1000, 1000, 5000, 0),
    ],
)
def test_others_frames_and_missing_ones(sent, got, others, expected):
    counters = verdict(sent, sender(sent), receiver(got, others=others))
    assert counters["loss_packets"] == expected
    assert counters["verdict"] == ("unknown" if expected is None else "consistent")
    assert expected == 0 or "tolerance" in counters["reason"]


def test_a_counter_without_others_is_an_earlier_ones():
    """Results of 0.1.0 do not have them."""
    before, after = receiver(900)
    del before["test_frames"]["others"], after["test_frames"]["others"]
    assert loss(verdict(1000, sender(1000), (before, after))) == ("consistent", 100, 0.1)


@pytest.mark.parametrize(
    ("driver", "promiscuous", "proven"),
    [
        ("veth", False, True),
        ("lo", False, True),
        ("tun", False, True),
        ("bridge", False, False),
        ("bridge", True, True),
        ("bonding", False, False),
        ("bonding", True, True),
        ("macvlan", False, False),
        ("macvlan", True, False),
        ("vxlan", True, False),
        ("ifb", True, False),
        ("dummy", True, False),
        ("virtio_net", True, False),
        ("", True, False),
        (None, True, False),
    ],
)
def test_a_count_of_nothing_is_a_loss_only_where_the_interface_is_given_every_frame(driver, promiscuous, proven):
    rx = receiver(0, driver=driver, promiscuous=promiscuous)
    counters = verdict(1000, sender(1000), rx)
    assert loss(counters) == (("consistent", 1000, 1.0) if proven else ("unknown", None, None))
    assert proven or "is given only what is addressed to it" in counters["reason"]
    # One frame that was counted shows that it is given them.
    assert loss(verdict(1000, sender(1000), receiver(1, driver=driver, promiscuous=promiscuous))) == (
        "consistent",
        999,
        0.999,
    )
    # The frames are known to be addressed to it.
    assert loss(account({"packets": 1000}, {}, {}, *sender(1000), *rx, addressed=True)) == ("consistent", 1000, 1.0)


def test_a_port_that_is_not_promiscuous():
    before, after = snap(rx=5, frames=0), snap(rx=5, frames=0, at=2)
    counters = verdict(1000, sender(1000), (before, after))
    assert loss(counters) == ("unknown", None, None)
    assert "make it promiscuous (`ip link set ens17 promisc on`)" in counters["reason"]
    after["promiscuous"] = True
    assert loss(verdict(1000, sender(1000), (before, after))) == ("consistent", 1000, 1.0)
    assert loss(verdict(1000, sender(1000), mac_receiver(3))) == ("unknown", None, None)


def test_what_an_xdp_program_takes_is_not_lost_on_the_way():
    before, after = receiver(0)
    after["kernel"] = {**after["kernel"], "rx_packets": 1000}
    # A filter of nftables or tc, the tests' device that loses frames.
    assert loss(verdict(1000, sender(1000), (before, after))) == ("consistent", 1000, 1.0)
    after["xdp"] = True
    counters = verdict(1000, sender(1000), (before, after))
    assert loss(counters) == ("unknown", None, None)
    assert "received 1000 frames meanwhile, and 1000 of them did not get past its XDP program" in counters["reason"]


def test_a_command_whose_number_stands_still_proves_no_loss():
    run = {
        "stats": {"packets": 1000},
        "rates": {},
        "run": {},
        "counters": {"tx": {"source": "a", "packets": 1000, "bytes": None}},
    }
    counters = reconcile_count(run, "the router", 0)["counters"]
    assert loss(counters) == ("unknown", None, None)
    assert "it stood still" in counters["reason"]


# As many frames as left, and yet not the same ones: what the counter's bytes tell, they begin behind the Ethernet
# header and the tag.


def with_bytes(sizes, got, *, tagged="none", **other):
    """A run that sent frames of ``sizes``, and of these ``got`` arrived (indices, some twice, some never)."""
    header = 18 if tagged == "all" else 14
    run = {
        "frames": {
            "smallest": min(sizes),
            "largest": max(sizes),
            "padding": sum(max(0, 60 - size) for size in sizes),
            "vlan_tagged": tagged,
        },
        "pcaps": [{"packets": len(sizes)}],
        **other,
    }
    before, after = receiver(len(got))
    before["test_frames"]["layer3_bytes"] = 0
    after["test_frames"]["layer3_bytes"] = sum(sizes[index] - header for index in got)
    return verdict(len(sizes), sender(len(sizes)), (before, after), run=run, bytes=sum(sizes))


MIX = [1514 if index % 12 == 0 else 570 if index % 3 == 0 else 128 for index in range(1000)]


def test_frames_lost_and_as_many_doubled_show_in_the_bytes():
    """Of each hundred the first thirty dropped, the last thirty doubled."""
    got = [index for index in range(1000) if index % 100 >= 30] + [index for index in range(1000) if index % 100 >= 70]
    counters = with_bytes(MIX, got)
    assert loss(counters) == ("unknown", None, None)
    assert "some were doubled on the way and as many more lost" in counters["reason"]
    for tagged in ("none", "all"):
        assert loss(with_bytes(MIX, list(range(1000)), tagged=tagged)) == ("consistent", 0, 0.0)


def test_frames_lost_and_as_many_doubled_do_not_show_where_all_are_of_one_size():
    """So the reason says that this is not known. Where a frame is missing, it is missing."""
    got = [index for index in range(1000) if index % 100 >= 30] + [index for index in range(1000) if index % 100 >= 70]
    for arrived in (got, list(range(1000))):
        counters = with_bytes([78] * 1000, arrived)
        assert loss(counters) == ("consistent", 0, 0.0)
        assert counters["reason"].startswith(
            "As many frames arrived as left; a counter cannot tell whether some were lost and as many doubled"
        )
    assert with_bytes(MIX, list(range(1000)))["reason"] == ""
    assert with_bytes(MIX, list(range(1000)), tagged="some")["reason"].startswith(
        "As many frames arrived as left; a counter cannot tell"
    )
    assert with_bytes([78] * 1000, list(range(999)))["reason"] == ""


def test_more_bytes_than_the_missing_frames_leave():
    # ten of the largest lost and doubled once again each, and one of the smallest lost: one is missing, with the bytes
    # of many
    got = [index for index in range(1000) if index % 12 or index >= 120] + [1] * 9
    counters = with_bytes(MIX, got)
    assert len(got) == 999
    assert loss(counters) == ("unknown", None, None)
    assert with_bytes(MIX, list(range(999)))["loss_packets"] == 1


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (0, ("consistent", 0, 0.0)),  # a veth does not pad
        (900 * 18, ("consistent", 0, 0.0)),  # a NIC does: 42 bytes to 60
        (900 * 18 - 1, ("unknown", None, None)),
        (-900, ("unknown", None, None)),  # a Linux bridge with br_netfilter cuts frames to their IP packets
    ],
)
def test_padding_of_short_frames(more, expected):
    sizes = [42] * 900 + [1514] * 100
    before, after = receiver(1000)
    before["test_frames"]["layer3_bytes"], after["test_frames"]["layer3_bytes"] = 0, sum(sizes) - 14000 + more
    run = {
        "frames": {"smallest": 42, "largest": 1514, "padding": 900 * 18, "vlan_tagged": "none"},
        "pcaps": [{"packets": 1000}],
    }
    counters = verdict(1000, sender(1000), (before, after), run=run, bytes=sum(sizes))
    assert loss(counters) == expected
    assert ("tolerance 16200 bytes" in counters["reason"]) == (more == 900 * 18)


def test_padding_of_a_pass_that_ended_early():
    before, after = receiver(500)
    before["test_frames"]["layer3_bytes"], after["test_frames"]["layer3_bytes"] = 0, 400 * 46 + 100 * 1500
    run = {
        "frames": {"smallest": 42, "largest": 1514, "padding": 900 * 18, "vlan_tagged": "none"},
        "pcaps": [{"packets": 1000}],
    }
    counters = verdict(500, sender(500), (before, after), run=run, bytes=400 * 42 + 100 * 1514)
    assert loss(counters) == ("consistent", 0, 0.0)
    assert "7200 bytes more" in counters["reason"]


@pytest.mark.parametrize(
    "other",
    [
        {"edited_by": ["mtu-trunc"]},
        {"frames": None},
        {"frames": {"smallest": 60, "largest": 99, "padding": 0, "vlan_tagged": "some"}},
    ],
)
def test_bytes_that_prove_nothing_are_left(other):
    got = [index for index in range(1000) if index % 100 >= 30] + [index for index in range(1000) if index % 100 >= 70]
    assert loss(with_bytes(MIX, got, **other)) == ("consistent", 0, 0.0)


@pytest.mark.parametrize("rx", [1000, 998])
def test_the_ports_own_frames_from_an_address_that_is_counted_may_hide_losses(rx):
    counters = verdict(1000, sender(1003), receiver(rx), run={"mac_address": "02:00:00:00:00:01"})
    assert counters["loss_packets"] == 1000 - rx
    assert "so up to 3 lost frames may be hidden" in counters["reason"]
    assert "hidden" not in verdict(1000, sender(1003), receiver(rx), run={"mac_address": "02:00:00:00:00:0f"})["reason"]
    counters = verdict(1000, sender(1003), receiver(1002), run={"mac_address": "02:00:00:00:00:01"})
    assert "2 of these arrived from the test's source MAC addresses" in counters["reason"]


@pytest.mark.parametrize("rx", [500, 990, 1000, 1003])
def test_a_counter_of_all_frames_may_hide_losses(rx):
    assert "may hide" in verdict(1000, sender(1000), mac_receiver(rx))["reason"]
    run = {
        "stats": {"packets": 1000},
        "rates": {},
        "run": {},
        "counters": {"tx": {"source": "a", "packets": 1000, "bytes": None}},
    }
    assert "may hide" in reconcile_count(run, "the router", rx)["counters"]["reason"]


# A port sends frames of its own, few of them in a time.


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
    "counters": {
        "tx": {"source": "e1000 tx_packets", "packets": 1000, "bytes": None},
        "rx": None,
        "loss_packets": None,
        "loss_ratio": None,
        "verdict": "consistent",
        "reason": "",
    },
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
        (({"stats": {}}, snap(), snap()), "not a result of the tcpreplay module"),
        ((RESULT, snap(), {"changed": False}), "rx_after: not a result of interface_counters_info"),
        ((RESULT, "before", snap()), "rx_before: not a result of interface_counters_info"),
        ((RESULT, snap(), snap(), snap(tx=1)), "belong together"),
    ],
)
def test_reconcile_of_something_else(arguments, message):
    with pytest.raises(TrafficgenError, match=message):
        reconcile(*arguments)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (snap(boot_id="b0"), snap(), "another host, or of this one before it was booted again"),
        (snap(interface="ens18"), snap(), "another interface"),
        (snap(netns="tg"), snap(), "another network namespace"),
        (snap(ifindex=9), snap(), "replaced since"),
        (snap(at=2), snap(), "Swap before and after"),
        (snap(frames=5), snap(frames=4, at=2), "frame counter is not the same"),
    ],
)
def test_two_that_do_not_belong_together(before, after, message):
    with pytest.raises(TrafficgenError, match=message):
        delta(before, after)


def test_differences_and_rates():
    kernel = {"rx_packets": 10, "tx_packets": 100, "rx_bytes": 0, "tx_bytes": 0}
    before = snap(tx=0, frames=0, kernel=kernel, ethtool={"a": 1, "b": 2, "c": 9})
    kernel = {"rx_packets": 4, "tx_packets": 300, "rx_bytes": 0, "tx_bytes": 250000}
    after = snap(tx=3000, frames=40, at=2, kernel=kernel, ethtool={"a": 5, "b": 2, "c": 1})
    change = delta(before, after)
    assert change["seconds"] == 2
    assert change["kernel"] == {"rx_packets": None, "tx_packets": 200, "rx_bytes": 0, "tx_bytes": 250000}
    assert change["resets"] == ["rx_packets"]
    assert change["ethtool"] == {"a": 4, "c": None}
    assert change["test_frames"]["packets"] == 40
    assert change["rates"] == {
        "rx_pps": None,
        "rx_mbps": 0.0,
        "mac_rx_pps": None,
        "tx_pps": 100.0,
        "tx_mbps": 1.0,
        "mac_tx_pps": 1500.0,
        "test_frames_pps": 20.0,
    }
