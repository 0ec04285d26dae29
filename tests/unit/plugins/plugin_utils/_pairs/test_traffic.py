# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each end sends, judged by the frames: Scapy reads them."""

from __future__ import annotations

import pytest

pytest.importorskip("scapy")
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._pairs.traffic import end_traffic
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.made_frames import frames, layers

A, B, ROUTER_A, ROUTER_B = ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "00:1b:21:00:00:01", "00:1b:21:00:00:02")
SCAN = {"preset": "udp_port_scan", "size": 64, "count": 3}


def end(direction, mac=None, to_mac=None):
    return {"pair": "router", "direction": direction, "mac": mac, "to_mac": to_mac}


def sent(streams, one, **macs):
    """The frames that an end sends, as Scapy reads them."""
    (found,) = end_traffic([{"name": "x", "streams": streams, "rates": None}], one, **macs)
    assert found["name"] == "x" and "reverse" not in found
    return [Ether(frame) for frame in frames(*found["streams"])]


def test_both_directions_of_a_preset():
    there = sent([SCAN], end("forward"), mac=A, receiver_mac=B)
    back = sent([SCAN], end("reverse"), mac=B, receiver_mac=A)
    assert [(one.src, one.dst) for one in there] == [(A, B)] * 3
    assert [(one.src, one.dst) for one in back] == [(B, A)] * 3
    assert [(one[IP].src, one[UDP].sport) for one in back] == [(one[IP].dst, one[UDP].dport) for one in there]
    assert [(one[IP].dst, one[UDP].dport) for one in back] == [(one[IP].src, one[UDP].sport) for one in there]


def test_the_pair_s_addresses_come_before_those_of_the_ports():
    there = sent([SCAN], end("forward", A, ROUTER_A), mac=B, receiver_mac=B)
    back = sent([SCAN], end("reverse", B, ROUTER_B), mac=A, receiver_mac=A)
    assert {(one.src, one.dst) for one in there} == {(A, ROUTER_A)}
    assert {(one.src, one.dst) for one in back} == {(B, ROUTER_B)}


@pytest.mark.parametrize(
    "stream", [layers({"Ether": {"src": ROUTER_B}}, "IP", "UDP"), {**SCAN, "layers": [{"Ether": {"src": ROUTER_B}}]}]
)
def test_what_a_stream_says_itself_stays_and_is_swapped(stream):
    there, back = (
        sent([stream], end(way), mac=m, receiver_mac=o)[0] for way, m, o in (("forward", A, B), ("reverse", B, A))
    )
    assert (there.src, there.dst) == (ROUTER_B, B)
    assert (back.src, back.dst) == (B, ROUTER_B)


def test_a_stream_that_is_turned_already_is_turned_back():
    turned = {**SCAN, "reverse": True}
    there, back = (sent([turned], end(way), mac=A, receiver_mac=B) for way in ("forward", "reverse"))
    plain = sent([SCAN], end("forward"), mac=A, receiver_mac=B)
    ports = [[(one[IP].src, one[UDP].sport, one[UDP].dport) for one in each] for each in (there, back, plain)]
    assert ports[1] == ports[2] != ports[0]


def test_a_group_keeps_its_address():
    stream = layers("Ether", {"Dot1Q": {"vlan": 5}}, {"IP": {"dst": ["198.18.0.2", "239.1.1.1"]}}, "UDP")
    assert [(one.src, one.dst) for one in sent([stream], end("forward"), mac=A, receiver_mac=B)] == [
        (A, "02:00:00:00:00:02"),
        (A, "01:00:5e:01:01:01"),
    ]


def test_without_known_ports_nothing_is_filled_in():
    (found,) = end_traffic([{"name": "x", "streams": [layers("Ether", "IP")]}], end("forward"))
    assert found["streams"][0]["layers"] == [{"Ether": {}}, "IP"]


def test_a_spec_for_each_side():
    traffic = [
        {"name": "x", "pcap": "/there.pcap", "ip_size": 64, "reverse": {"pcap": "/back.pcap"}, "rates": [{"pps": 1}]}
    ]
    assert end_traffic(traffic, end("forward")) == [
        {"name": "x", "pcap": "/there.pcap", "ip_size": 64, "rates": [{"pps": 1}]}
    ]
    assert end_traffic(traffic, end("reverse")) == [{"name": "x", "pcap": "/back.pcap", "rates": [{"pps": 1}]}]
    (own,) = end_traffic(
        [{"name": "x", "streams": [SCAN], "reverse": {"streams": [layers("Ether", "IP")]}}], end("reverse"), B, A
    )
    assert own["streams"] == [{"layers": [{"Ether": {"src": B, "dst": A}}, "IP"]}]


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        (
            {"pcap": "/there.pcap"},
            "throughput_traffic, x: a capture has no other direction, and router.b sends that. Set reverse:",
        ),
        (
            {"streams": [SCAN], "reverse": [SCAN]},
            "throughput_traffic, x, reverse: not the traffic of the other direction",
        ),
        ({"streams": [SCAN], "reverse": {"rates": []}}, "throughput_traffic, x, reverse: not the traffic of the other"),
    ],
)
def test_what_has_no_other_direction(traffic, message):
    with pytest.raises(TrafficgenError) as caught:
        end_traffic([{"name": "x", **traffic}], end("reverse"))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "traffic", ["x", None, [None], [{"name": "x", "streams": "y"}], [{"streams": ["z", {"layers": 5}]}]]
)
def test_what_is_no_traffic_is_left_to_the_matrix(traffic):
    assert end_traffic(traffic, end("forward"), A, B) == traffic
