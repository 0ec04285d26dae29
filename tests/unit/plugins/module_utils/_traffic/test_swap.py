# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other direction of a stream, with Scapy as the judge: it reads each frame, and swaps what it has read."""

from __future__ import annotations

import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scapy")

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.made_frames import frames, layers
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.test_properties import (
    quickly,
    stream,
)

ENDS = {
    Ether: ("src", "dst"),
    IP: ("src", "dst"),
    IPv6: ("src", "dst"),
    TCP: ("sport", "dport"),
    UDP: ("sport", "dport"),
}


def turned_round(frame):
    """A frame as Scapy reads it, its ends swapped in each layer, and its checksums computed again."""
    packet = Ether(frame)
    layer = packet
    while layer:
        if type(layer) in ENDS:
            one, other = ENDS[type(layer)]
            was = layer.getfieldval(one)
            layer.setfieldval(one, layer.getfieldval(other))
            layer.setfieldval(other, was)
        if hasattr(layer, "chksum"):
            del layer.chksum
        layer = layer.payload
    return bytes(packet)


@quickly
@hypothesis.given(stream())
def test_each_frame_has_its_ends_swapped_and_swapped_again_is_what_it_was(drawn):
    spec, _lengths = drawn
    there = frames(spec)
    try:
        back = frames({**spec, "reverse": True})
    except TrafficgenError as error:
        assert "it has no other direction" in error.message
        hypothesis.reject()
    assert back == [turned_round(frame) for frame in there]
    assert [turned_round(frame) for frame in back] == there


@pytest.mark.parametrize(
    "spec",
    [
        {"preset": "tcp_port_scan", "size": 64, "count": 5},
        {"preset": "rfc2544"},
        # What is left out is swapped as it was: the port that DNS asks for, VXLAN's, the ends within the tunnel.
        layers("Ether", "IP", {"UDP": {"sport": 1024}}, {"DNS": {"qd": [{"DNSQR": {"qname": "a.example"}}]}}),
        layers("Ether", "IP", "UDP", {"VXLAN": {"vni": 7}}, "Ether", "IPv6", {"TCP": {"dport": "80-82"}}),
        # Both ends vary: frame i is still frame i.
        layers(
            {"Ether": {"src": ["02:00:00:00:00:05", "02:00:00:00:00:07"]}},
            {"IP": {"src": ["10.0.0.1", "10.0.0.2"], "dst": "10.1.0.0/30"}},
            {"UDP": {"sport": "5-7", "dport": [9, 11]}},
            together=[["Ether.src", "IP.src"]],
        ),
    ],
    ids=["preset", "sizes", "bound ports", "tunnel", "together"],
)
def test_all_else_stays(spec):
    there, back = frames(spec), frames({**spec, "reverse": True})
    assert back == [turned_round(frame) for frame in there]
    assert there != back


def test_an_answer_of_arp_goes_the_other_way():
    given = {
        "op": 2,
        "hwsrc": "02:00:00:00:00:01",
        "psrc": "198.18.0.1",
        "hwdst": "02:00:00:00:00:02",
        "pdst": "198.18.0.2",
    }
    (frame,) = frames(layers("Ether", {"ARP": given}, reverse=True))
    arp = Ether(frame)[ARP]
    assert (arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst) == (given["hwdst"], given["pdst"], given["hwsrc"], given["psrc"])
    assert Ether(frame).src == "02:00:00:00:00:02"


def test_what_is_left_out_is_never_this_host_s_own():
    (frame,) = frames(layers("Ether", {"ARP": {"op": 2}}, reverse=True))
    assert (Ether(frame)[ARP].hwsrc, Ether(frame)[ARP].psrc) == ("00:00:00:00:00:00", "0.0.0.0")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (layers("Ether", {"IP": {"dst": "239.1.1.1"}}, "UDP"), "Ether.dst"),
        (layers({"Ether": {"dst": "02:00:00:00:00:09"}}, {"IP": {"dst": "223.0.0.0-225.0.0.0:1.0.0.0"}}), "IP.dst"),
        (layers({"Ether": {"dst": "02:00:00:00:00:09"}}, {"IPv6": {"dst": "ff02::1"}}), "IPv6.dst"),
        (layers({"Ether": {"dst": ["02:00:00:00:00:09", "01:00:5e:00:00:01"]}}), "Ether.dst"),
        (layers("Ether", "ARP"), "Ether.dst"),
        (layers("Ether", "EAPOL"), "Ether.dst"),
        (layers("IP", "UDP", {"Raw": {"load": "x"}}), ""),
        (layers({"IP": {"dst": "255.255.255.255"}}), "IP.dst"),
    ],
    ids=["group", "range", "ipv6", "mac list", "arp request", "eapol", "none", "all hosts"],
)
def test_nothing_comes_from_a_group(spec, field):
    if not field:
        assert frames({**spec, "reverse": True})
        return
    with pytest.raises(TrafficgenError, match=rf"{field}: is for a group.*has no other direction.*without reverse"):
        frames({**spec, "reverse": True})
