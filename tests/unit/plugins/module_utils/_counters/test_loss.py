# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is lost, and what only looks lost."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import reconcile_count
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


def test_merging_is_no_excuse_where_nothing_arrived():
    assert lost(1000, sender(1000), receiver(1, merging=["gro"]))[0] == "unknown"
    assert lost(1000, sender(1000), receiver(0, merging=["gro"])) == ("consistent", 1000, 1.0)


def test_a_loss_where_the_hosts_own_drops_are_not_known():
    counters = verdict(1000, sender(1000), receiver(900, drops=(None, 0, 0), driver="e1000"))
    assert loss(counters) == ("unknown", 100, 0.1)
    assert counters["rx"]["host_drops"] is None
    assert "the receiving host itself dropped some of the 100 lost frames is not known" in counters["reason"]
    assert lost(1000, sender(1000), receiver(1000, drops=(None, 0, 0), driver="e1000")) == NONE_LOST


def waited(ended, receive_wait=2.0, late=0, seconds=2.1):
    return {"ended": ended, "expected": 1000, "receive_wait": receive_wait, "waited": seconds, "late_packets": late}


@pytest.mark.parametrize(
    ("arrival", "told", "said"),
    [
        (waited("quiet"), ("consistent", 100, 0.1), ""),
        (waited("quiet", 0.1), ("consistent", 100, 0.1), "for 0.1 s without a frame (receive_wait; RFC 2544 says 2)"),
        (waited("limit", seconds=10.04), UNKNOWN, "still arriving 10.0 s after the last had left"),
        (waited("stopped"), UNKNOWN, "how many of the 100 that are missing were lost is not known"),
    ],
)
def test_what_is_late_is_not_lost(arrival, told, said):
    before, after = receiver(900)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": arrival}))
    assert loss(counters) == told and said in counters["reason"] and bool(said) == bool(counters["reason"])
    # If nothing is missing, it does not matter how the run waited.
    before, after = receiver(1000)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": {**arrival, "late_packets": 7}}))
    assert (*loss(counters), counters["reason"], counters["rx"]["late_packets"]) == ("consistent", 0, 0.0, "", 7)


def test_where_nothing_came_late_frames_are_possible():
    before, after = receiver(0)
    counters = verdict(1000, sender(1000), (before, {**after, "arrival": waited("quiet")}))
    assert "nothing arrived for 2 s after the last frame had left" in counters["reason"].lower()


def test_frames_that_came_before_the_first_was_sent():
    before, after = receiver(1000)
    earlier = {"packets": 894, "still_coming": False, "missed_seconds": None}
    counters = verdict(1000, sender(1000), ({**before, "earlier": earlier}, after))
    assert (*loss(counters), counters["reason"]) == ("consistent", 0, 0.0, "")
    earlier["still_coming"] = True
    counters = verdict(1000, sender(1000), ({**before, "earlier": earlier}, after))
    assert loss(counters) == UNKNOWN
    said = "894 frames of the test's source MAC addresses arrived before the first was sent, and more were coming"
    assert said in counters["reason"]


def test_frames_that_leave_the_senders_queue_after_it_was_counted():
    before, after = sender(875)
    counters = verdict(1000, (before, {**after, "queue": {"packets": 125, "kind": "tbf"}}), receiver(1000))
    assert loss(counters) == ("short", None, None)
    assert "tx_packets 125 fewer, of which 125 were still in its queue (tbf)" in counters["reason"]


def test_the_host_s_own_drops_are_at_most_a_hundredth_of_the_device_s_loss():
    assert lost(1000, sender(1000), receiver(900, drops=(1, 0, 0), driver="e1000"))[0] == "consistent"
    assert lost(1000, sender(1000), receiver(900, drops=(2, 0, 0), driver="e1000"))[0] == "unknown"


def test_what_the_device_lost():
    assert lost(1000, sender(1000), receiver(900)) == ("consistent", 100, 0.1)
    assert lost(1000, sender(1000), receiver(0)) == ("consistent", 1000, 1.0)


def test_the_loss_of_a_short_run_is_of_what_left():
    assert lost(1000, sender(800), receiver(600)) == ("short", 200, 0.25)


def test_more_arrived_than_left():
    counters = verdict(1000, sender(1000), receiver(1001))
    assert loss(counters) == UNKNOWN
    assert "1 frames more arrived" in counters["reason"]


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
    assert lost(1000, sender(1000), receiver(1000, drops=(0, 500, 0), driver="e1000")) == NONE_LOST


def test_frames_no_protocol_wanted_were_counted_all_the_same():
    # frames that are not IP raise a veth's rx_dropped behind the ingress hook; a full backlog raises softnet's too
    counters = verdict(1000, sender(1000), receiver(900, drops=(0, 900, 0)))
    assert loss(counters) == ("consistent", 100, 0.1)
    assert counters["rx"]["host_drops"] == 0
    assert lost(1000, sender(1000), receiver(900, drops=(0, 100, 100))) == ("unknown", 100, 0.1)


def test_a_receiver_that_merges_frames_cannot_tell_a_loss():
    before, after = receiver(900)
    counters = verdict(1000, sender(1000), ({**before, "merging": ["gro"]}, {**after, "merging": ["gro"]}))
    assert counters["verdict"] == "unknown"
    assert "ethtool -K" in counters["reason"]


def test_others_frames_on_the_receiving_mac():
    counters = verdict(1000, sender(1000), mac_receiver(1004))
    assert loss(counters) == NONE_LOST
    assert "tolerance 6" in counters["reason"]
    assert lost(1000, sender(1000), mac_receiver(1007)) == UNKNOWN


def test_no_more_is_lost_than_the_test_sent():
    """A MAC or a command also counts other hosts' frames, on both sides. If everything is lost, they are no part of the
    test's loss."""
    counters = verdict(1000, sender(1003), mac_receiver(0, promiscuous=True))
    assert loss(counters) == ("consistent", 1000, 1.0)
    assert lost(1000, sender(1003), mac_receiver(500)) == ("consistent", 503, 0.503)
    assert loss(reconcile_count(result_of(1003), "the router", 1)["counters"]) == ("consistent", 1000, 1.0)


def test_a_mac_that_does_not_count_what_it_had_no_room_for():
    assert lost(1000, sender(1000), mac_receiver(900, drops=(100, 0, 0))) == ("unknown", 100, 0.1)
    # one that counts it: what is missing was lost before
    assert lost(1000, sender(1000), mac_receiver(900, drops=(100, 0, 0), counted=True)) == ("consistent", 100, 0.1)
    # the MAC counts a frame before the kernel drops it
    assert lost(1000, sender(1000), mac_receiver(900, drops=(0, 100, 0))) == ("consistent", 100, 0.1)


def test_frames_that_came_with_another_source_are_not_lost():
    """tcpreplay-edit --enet-smac, or a router: all ten arrived, but none from the address that is counted."""
    counters = verdict(1000, sender(1000), receiver(0, others=1000))
    assert loss(counters) == UNKNOWN
    assert "and 1000 frames from other ones did" in counters["reason"]
    assert "tolerance 6 frames in this time, and 1%" in counters["reason"]


@pytest.mark.parametrize(
    ("sent", "got", "others", "expected"),
    [
        # half of the sources rewritten, without and with a real loss
        (1000, 500, 500, None),
        (1000, 450, 450, None),
        # a single frame of ten
        (10, 9, 1, None),
        # background traffic (ARP, LLDP, ND): at the tolerated rate, and small beside a large loss
        (10**6, 10**6 - 5, 6, 5),
        (10**6, 500_000, 4_000, 500_000),
        (100, 90, 2, 10),
        # nothing is missing: other frames do not matter
        (1000, 1000, 5000, 0),
    ],
)
def test_others_frames_and_missing_ones(sent, got, others, expected):
    counters = verdict(sent, sender(sent), receiver(got, others=others))
    assert counters["loss_packets"] == expected
    assert counters["verdict"] == ("unknown" if expected is None else "consistent")
    assert expected == 0 or "tolerance" in counters["reason"]


def test_a_counter_without_others_is_an_earlier_ones():
    """Results of 0.1.0 lack these fields."""
    before, after = receiver(900)
    del before["test_frames"]["others"], after["test_frames"]["others"]
    assert lost(1000, sender(1000), (before, after)) == ("consistent", 100, 0.1)


@pytest.mark.parametrize(
    ("driver", "promiscuous", "proven"),
    [
        *((driver, False, True) for driver in ("veth", "lo", "tun")),
        *((driver, on, on) for driver in ("bridge", "bonding") for on in (False, True)),
        ("macvlan", False, False),
        *((driver, True, False) for driver in ("macvlan", "vxlan", "ifb", "dummy", "virtio_net", "", None)),
    ],
)
def test_a_count_of_nothing_is_a_loss_only_where_the_interface_is_given_every_frame(driver, promiscuous, proven):
    rx = receiver(0, driver=driver, promiscuous=promiscuous)
    counters = verdict(1000, sender(1000), rx)
    assert loss(counters) == (("consistent", 1000, 1.0) if proven else UNKNOWN)
    assert proven or "is given only what is addressed to it" in counters["reason"]
    # One counted frame shows that the interface gets them.
    assert lost(1000, sender(1000), receiver(1, driver=driver, promiscuous=promiscuous)) == ("consistent", 999, 0.999)
    # The frames are known to be addressed to it.
    assert lost(1000, sender(1000), rx, addressed=True) == ("consistent", 1000, 1.0)


def test_a_port_that_is_not_promiscuous():
    before, after = snap(rx=5, frames=0), snap(rx=5, frames=0, at=2)
    counters = verdict(1000, sender(1000), (before, after))
    assert loss(counters) == UNKNOWN
    assert "make it promiscuous (`ip link set ens17 promisc on`)" in counters["reason"]
    after["promiscuous"] = True
    assert lost(1000, sender(1000), (before, after)) == ("consistent", 1000, 1.0)
    assert lost(1000, sender(1000), mac_receiver(3)) == UNKNOWN


def test_what_an_xdp_program_takes_is_not_lost_on_the_way():
    before, after = receiver(0)
    after["kernel"] = {**after["kernel"], "rx_packets": 1000}
    # An nftables or tc filter stands for the device under test and loses frames.
    assert lost(1000, sender(1000), (before, after)) == ("consistent", 1000, 1.0)
    after["xdp"] = True
    counters = verdict(1000, sender(1000), (before, after))
    assert loss(counters) == UNKNOWN
    assert "received 1000 frames meanwhile, and 1000 of them did not get past its XDP program" in counters["reason"]
    # In two seconds six may be anybody's. Those that were counted as others' did get past it.
    after["kernel"]["rx_packets"], after["test_frames"]["others"] = 8, 4
    assert lost(1000, sender(1000), (before, after)) == ("consistent", 1000, 1.0)


def test_a_command_whose_number_stands_still_proves_no_loss():
    counters = reconcile_count(result_of(1000), "the router", 0)["counters"]
    assert loss(counters) == UNKNOWN
    assert "it stood still" in counters["reason"]


def with_bytes(sizes, got, *, tagged="none", **other):
    """A run that sent frames of ``sizes``. ``got`` are the indices of those that arrived: some twice, some never."""
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


# Of each hundred, the first thirty are dropped and the last thirty doubled.
DOUBLED = [
    *(index for index in range(1000) if index % 100 >= 30),
    *(index for index in range(1000) if index % 100 >= 70),
]
MIX = [1514 if index % 12 == 0 else 570 if index % 3 == 0 else 128 for index in range(1000)]


def test_frames_lost_and_as_many_doubled_show_in_the_bytes():
    counters = with_bytes(MIX, DOUBLED)
    assert loss(counters) == UNKNOWN
    assert "some were doubled on the way and as many more lost" in counters["reason"]
    for tagged in ("none", "all"):
        assert loss(with_bytes(MIX, list(range(1000)), tagged=tagged)) == NONE_LOST


def test_frames_lost_and_as_many_doubled_do_not_show_where_all_are_of_one_size():
    """So the reason says that this is unknown. A missing frame still counts as missing."""
    for arrived in (DOUBLED, list(range(1000))):
        counters = with_bytes([78] * 1000, arrived)
        assert loss(counters) == NONE_LOST
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
    assert loss(counters) == UNKNOWN
    assert with_bytes(MIX, list(range(999)))["loss_packets"] == 1


PADDED = {
    "frames": {"smallest": 42, "largest": 1514, "padding": 900 * 18, "vlan_tagged": "none"},
    "pcaps": [{"packets": 1000}],
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (0, NONE_LOST),  # a veth does not pad
        (900 * 18, NONE_LOST),  # a NIC does: 42 bytes to 60
        (900 * 18 - 1, UNKNOWN),
        (-900, UNKNOWN),  # a Linux bridge with br_netfilter cuts frames to their IP packets
    ],
)
def test_padding_of_short_frames(more, expected):
    sizes = [42] * 900 + [1514] * 100
    before, after = receiver(1000)
    before["test_frames"]["layer3_bytes"], after["test_frames"]["layer3_bytes"] = 0, sum(sizes) - 14000 + more
    counters = verdict(1000, sender(1000), (before, after), run=PADDED, bytes=sum(sizes))
    assert loss(counters) == expected
    assert ("tolerance 16200 bytes" in counters["reason"]) == (more == 900 * 18)


def test_padding_of_a_pass_that_ended_early():
    before, after = receiver(500)
    before["test_frames"]["layer3_bytes"], after["test_frames"]["layer3_bytes"] = 0, 400 * 46 + 100 * 1500
    counters = verdict(500, sender(500), (before, after), run=PADDED, bytes=400 * 42 + 100 * 1514)
    assert loss(counters) == NONE_LOST
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
    assert loss(with_bytes(MIX, DOUBLED, **other)) == NONE_LOST


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
    assert "may hide" in reconcile_count(result_of(1000), "the router", rx)["counters"]["reason"]
