# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calculated number of a spec's flows, against the flows counted in its frames."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flow_count import count_flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import flow_key
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic


def stream(ip=None, udp=None, **options):
    return {"layers": ["Ether", {"IP": ip}, {"UDP": udp}], **options}


SPECS = {
    "one": [stream()],
    "ports": [stream(udp={"sport": "1-5", "dport": "1-50"})],
    "a field that is no flow's": [stream(ip={"ttl": "1-9"}, udp={"dport": "1-50"})],
    "cut short in the middle": [stream(ip={"src": "198.18.0.0/28", "ttl": "1-9"}, udp={"dport": "1-50"}, count=777)],
    "cut short before the flow's field changes": [stream(ip={"src": "198.18.0.0/28", "ttl": "1-9"}, count=3)],
    "gone through again": [stream(udp={"dport": "1-5"}, count=77)],
    "a value twice": [stream(udp={"dport": [80, 80, "79-81"]})],
    "apart": [stream(udp={"dport": "1-50"}), stream(udp={"dport": "51-60"}), stream(ip={"src": "10.0.0.1"})],
    "the same in two sizes": [
        stream(udp={"dport": "1-50"}, size=64),
        stream(udp={"dport": "1-50"}, size=1500, count=30),
    ],
    "the same, cut at other places": [
        {"layers": ["Ether", {"IP": {"src": "198.18.0.0/28"}}, {"TCP": {"seq": seq}}], "count": count}
        for seq, count in ((5, 16), ("1-9", 18), (5, 16))
    ],
    "overlapping": [stream(udp={"dport": "1-50"}), stream(udp={"dport": "40-90"})],
    "the protocol": [stream(ip={"proto": "0-255"})],
    "payloads": [{"layers": ["Ether", "IP", {"UDP": {"dport": "1-5"}}, {"Raw": {"load": ["a", "bb"]}}]}],
    "a tunnel": [{"layers": ["Ether", "IP", {"GRE": None}, {"IP": {"src": "10.0.0.0/28"}}, {"UDP": {"dport": "1-9"}}]}],
    "no IP": [{"layers": ["Ether", {"ARP": {"psrc": "10.0.0.0/28"}}]}],
    "together": [
        stream(
            ip={"src": "10.0.0.0/28"},
            udp={"sport": "1-16", "dport": "1-3"},
            together=["IP.src", "UDP.sport"],
            count=100,
        )
    ],
    "together with what is no flow's": [
        stream(ip={"ttl": "1-16"}, udp={"sport": "1-16"}, together=["IP.ttl", "UDP.sport"])
    ],
    "the same values, together and each with each": [
        stream(udp={"sport": "1-9", "dport": "1-9"}, together=["UDP.sport", "UDP.dport"]),
        stream(udp={"sport": "1-9", "dport": "1-9"}, count=9),
    ],
    "steps between one another": [
        stream(udp={"dport": "1-101:10"}),
        stream(udp={"dport": "2-102:10"}),
        stream(udp={"dport": "101-1:-5"}),
    ],
    "groups": [stream(ip={"dst": "239.0.0.0/27"}, count=20), stream(ip={"dst": "239.127.255.250-239.128.0.9"})],
    "random payload": [stream(udp={"dport": "1-9"}, size=90, fill="random", count=30)],
    "VLAN and IPv6": [
        {"layers": ["Ether", {"Dot1Q": {"vlan": "1-9"}}, {"IPv6": {"src": "2001:2::/124"}}, {"TCP": {"dport": "1-9"}}]}
    ],
}


@pytest.mark.parametrize("name", SPECS)
def test_the_flows_reckoned_are_the_flows_there(name):
    traffic, link_type, _nanoseconds = read_traffic(SPECS[name], 0)
    frames = {one.scapy_frame(number) for one in traffic.streams for number in range(one.frames)}
    assert count_flows(traffic.streams, link_type) == len({flow_key(frame, link_type) for frame in frames} - {None})


def test_more_flows_than_can_be_looked_at():
    def flows(*specs):
        traffic, link_type, _nanoseconds = read_traffic(list(specs), 0)
        return count_flows(traffic.streams, link_type)

    assert flows(stream(ip={"src": "10.0.0.0/8"}, udp={"dport": "0-65535"}, count=10_000_000_000)) == 10_000_000_000
    # Not every combination of values, and not every frame.
    odd, even = ([f"10.{number >> 8}.{number & 255}.1" for number in range(start, 50_000, 2)] for start in (1, 0))
    assert (
        flows(stream(ip={"src": odd}, udp={"dport": "1-9"}), stream(ip={"src": even}, udp={"dport": "1-9"})) == 450_000
    )
    # Two overlapping streams of a million flows: better no number than a wrong one.
    overlapping = [stream(ip={"src": f"10.{start}.0.0-10.{start + 15}.255.255"}) for start in (0, 8)]
    assert flows(*overlapping) is None
