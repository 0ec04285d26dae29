# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets, and the errors for a wrong spec: what is wrong, where, and what would be right."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic import scapy_classes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import PRESETS, read_traffic


def udp(**fields):
    return {"layers": ["Ether", "IP", {"UDP": fields}]}


def frames(*streams):
    traffic, _link_type, _nanoseconds = read_traffic(list(streams), 0)
    return [stream.scapy_frame(number) for stream in traffic.streams for number in range(stream.frames)]


BAD = {
    "unknown layer": ({"layers": ["Ether", "Ipp"]}, "streams[0]: Scapy has no layer 'Ipp'. Did you mean IP"),
    "name is not a layer": ({"layers": ["Ether", "Packet"]}, "no layer 'Packet'"),
    "nothing near": ({"layers": ["Ether", "Xqzkwv"]}, "no layer 'Xqzkwv'. Scapy's ls() lists them."),
    "unknown field": (
        {"layers": [{"IP": {"srcc": "1.1.1.1"}}]},
        "streams[0]: IP has no field 'srcc'. Did you mean src? There are: chksum, dst, flags, frag, id, ihl,",
    ),
    "value above": (udp(dport=65536), "UDP.dport: 65536 is out of the field's range. It has 16 bits: 0 to 65535."),
    "range above": (udp(dport="1-65536"), "UDP.dport: '1-65536' is out of the field's range."),
    "value below": (
        {"layers": [{"IP": {"ttl": -1}}]},
        "IP.ttl: -1 is out of the field's range. It has 8 bits: 0 to 255.",
    ),
    "bits": (
        {"layers": ["Ether", {"Dot1Q": {"vlan": 4096}}]},
        "Dot1Q.vlan: 4096 is out of the field's range. It has 12 bits: 0 to 4095.",
    ),
    "range backwards": (udp(dport="9-5"), "UDP.dport: the range '9-5' is empty"),
    "empty list": (udp(dport=[]), "UDP.dport: the list is empty. Give at least one value."),
    "host name": (
        {"layers": [{"IP": {"dst": "router.example"}}]},
        "IP.dst: 'router.example' is not an IPv4 address, prefix or range",
    ),
    "IPv6 in IPv4": ({"layers": [{"IP": {"dst": "2001:2::1"}}]}, "is not an IPv4 address"),
    "host bits": ({"layers": [{"IP": {"dst": "198.18.0.1/24"}}]}, "has host bits set"),
    "addresses backwards": (
        {"layers": [{"IP": {"dst": "198.18.0.9-198.18.0.1"}}]},
        "the range '198.18.0.9-198.18.0.1' is empty",
    ),
    "MAC": ({"layers": [{"Ether": {"src": "02-00"}}]}, "Ether.src: '02-00' is not a MAC address or range."),
    "MAC read as a number": ({"layers": [{"Ether": {"src": 123456}}]}, "123456 is not a MAC address"),
    "flag": (
        {"layers": [{"IP": {"flags": "XX"}}]},
        "IP.flags: 'XX' is not a value of this field. There are: DF, MF, evil.",
    ),
    "name of a number": ({"layers": ["Ether", {"ICMP": {"type": "echo-reqest"}}]}, "Did you mean echo-request"),
    "hex": ({"layers": ["Ether", {"Raw": {"hex": "zz"}}]}, "Raw.hex: 'zz' is not hexadecimal"),
    "load twice": ({"layers": ["Ether", {"Raw": {"hex": "00", "load": "a"}}]}, "load is set twice"),
    "load is not text": ({"layers": ["Ether", {"Raw": {"load": 5}}]}, "Raw.load: 5 is not text."),
    "no fields": ({"layers": [{"IP": [1]}]}, "IP: [1] is not a dictionary of fields."),
    "two layers in one item": ({"layers": [{"Ether": None, "IP": None}]}, "is not a layer."),
    "no layers": ({"layers": []}, "streams[0]: no layers."),
    "no outermost layer": (
        {"layers": ["UDP"]},
        "streams[0]: UDP cannot be the outermost layer of a pcap. Start with Ether.",
    ),
    "layer with random values": (
        {"layers": ["Ether", "IP", "UDP", "NTP"]},
        "to another value each time, at random or from the clock",
    ),
    "too many digits": (udp(dport="9" * 5000), "is not a value of this field"),
    "a preset's layer without fields": (
        {"preset": "imix", "layers": [{"IP": [1]}]},
        "streams[0], IP: [1] is not a dictionary of fields.",
    ),
    "load cannot be encoded": ({"layers": ["Ether", {"Raw": {"load": "\ud800"}}]}, "is not text"),
    "count 0": ({**udp(), "count": 0}, "streams[0]: count is 0."),
    "weight 0": ({**udp(), "weight": 0}, "weight is 0."),
    "size below the headers": (
        {**udp(), "size": 45},
        (
            "size 45 (size_of: wire) is smaller than the headers. The layers alone make a frame "
            "of 42 bytes. Give 46 or more."
        ),
    ),
    "size above": ({**udp(), "size": 65536}, "size: 65536 bytes is out of range."),
    "IP size of ARP": ({"layers": ["Ether", "ARP"], "size": 64, "size_of": "ip"}, "the layers have no IP or IPv6"),
    "preset": ({"preset": "tcp_scan"}, "no preset 'tcp_scan'. There are: imix, rfc2544, tcp_port_scan, udp_port_scan."),
    "preset's layer": (
        {"preset": "imix", "layers": [{"TCP": {"dport": 1}}]},
        "has no layer 'TCP' to change. It has Ether, IP, UDP.",
    ),
    "imix with another size_of": ({"preset": "imix", "size_of": "ip"}, "IMIX sizes are those of wire frames"),
    "text where a packet goes": (
        {"layers": ["Ether", "IP", "UDP", {"DNS": {"qd": ["www.example.com"]}}]},
        "streams[0], DNS.qd[0]: 'www.example.com' is not a packet, but this field holds packets.",
    ),
    "text where packets go": (
        {"layers": ["Ether", {"IP": {"options": 7}}]},
        "IP.options: 7 is not a packet, but this field holds packets.",
    ),
    "a field in a packet in a field": (
        {"layers": ["Ether", "IP", "UDP", {"DNS": {"qd": [{"DNSQR": {"qnam": "a.example"}}]}}]},
        "streams[0], DNS.qd[0]: DNSQR has no field 'qnam'. Did you mean qname?",
    ),
    "a value in a packet in a field": (
        {"layers": ["Ether", "IP", "UDP", {"DNS": {"qd": [{"DNSQR": {"qtype": 65536}}]}}]},
        "streams[0], DNS.qd[0], DNSQR.qtype: 65536 is out of the field's range.",
    ),
    "step 0": (udp(dport="1-9:0"), "UDP.dport: '1-9:0' has a step of 0."),
    "a step of another kind": (
        {"layers": [{"IP": {"dst": "10.0.0.1-10.0.0.9:x"}}]},
        "IP.dst: 'x' is not a step in '10.0.0.1-10.0.0.9:x'.",
    ),
    "a step that goes up, to a lower end": (
        udp(dport="9-1:2"),
        "the range '9-1:2' is empty. The first value must not be above the last.",
    ),
    "a step that goes down, to a higher end": (
        udp(dport="1-9:-2"),
        "With a negative step it must not be below the last.",
    ),
    "a count that goes out of the field": (
        udp(dport={"start": 65000, "step": 100, "count": 9}),
        "is out of the field's range.",
    ),
    "a range of unknown keys": (
        udp(dport={"start": 1, "until": 9}),
        "UDP.dport: unknown key 'until'. Write {start, end",
    ),
    "a prefix of BGP": (
        {"layers": ["Ether", "IP", "TCP", "BGPHeader", {"BGPUpdate": {"nlri": ["10.0.0.0/8"]}}]},
        "BGPUpdate.nlri[0]: '10.0.0.0/8' is not a packet, but this field holds packets.",
    ),
    "more than 24 bits": (
        {"layers": ["Ether", "IP", "UDP", {"VXLAN": {"vni": 1 << 24}}]},
        "It has 24 bits: 0 to 16777215.",
    ),
    "a mapping in a mapping": (
        udp(dport={"start": {"start": 1, "end": 2}, "end": 9}),
        "UDP.dport: start is {'start': 1,",
    ),
    "a range of a range": (udp(dport={"start": "1-2", "end": 9}), "UDP.dport: '1-2' stands for several values."),
    "an IPv6 step or address": (
        {"layers": ["Ether", {"IPv6": {"dst": "2001:2::1-2001:2::100:10"}}]},
        "IPv6.dst: '2001:2::1-2001:2::100:10' can be read in two ways, with a step and without one.",
    ),
    "together, other counts": (
        {**udp(sport="1-3", dport="1-4"), "together": [["UDP.sport", "UDP.dport"]]},
        "streams[0], together: UDP.sport has 3, UDP.dport has 4 values. Fields of one group need the same number",
    ),
    "together, one value": (
        {**udp(sport="1-3"), "together": [["UDP.sport", "UDP.dport"]]},
        "together: UDP.dport does not vary.",
    ),
    "together, no layer": (
        {**udp(sport="1-3"), "together": [["UDP.sport", "TCP.dport"]]},
        "no layer 'TCP' for 'TCP.dport'. There are: ",
    ),
    "together, no field": ({**udp(sport="1-3"), "together": [["UDP.sport", "dport"]]}, "'dport' is not a field."),
    "together, alone": ({**udp(sport="1-3"), "together": ["UDP.sport"]}, "the group ['UDP.sport'] has one field."),
    "together, twice": (
        {**udp(sport="1-3", dport="1-3"), "together": [["UDP.sport", "UDP.dport"], ["UDP.dport", "UDP.sport"]]},
        "UDP.dport is listed twice.",
    ),
    "together, of two": (
        {
            "layers": [
                "Ether",
                {"IP": {"src": "10.0.0.0/30"}},
                {"IP": {"src": "10.0.0.0/30"}},
                {"UDP": {"dport": "1-4"}},
            ],
            "together": ["IP.src", "UDP.dport"],
        },
        "several layers have a field 'IP.src' that varies. Say which: IP:1.src",
    ),
    "what Scapy refuses": (
        {"layers": ["Ether", "IP", {"TCP": {"options": [{"MSS": 65536}]}}]},
        "streams[0]: Scapy could not build the",
    ),
    "options that are no list": (
        {"layers": ["Ether", "IP", {"TCP": {"options": "foo"}}]},
        "TCP.options: 'foo' is not a list of options.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_stream_is_told(name):
    stream, says = BAD[name]
    with pytest.raises(TrafficgenError) as caught:
        frames(stream)
    assert says in caught.value.message
    assert caught.value.message.startswith("streams[0]")


def test_a_named_stream_is_called_by_its_name():
    with pytest.raises(TrafficgenError, match=r"^stream 'voice', UDP\.dport: "):
        frames({**udp(dport=70000), "name": "voice"})


@pytest.mark.parametrize(
    ("streams", "interval", "says"),
    [
        ([], 0, "streams: no streams."),
        (
            [{**udp(), "weight": 10**9}, {**udp(), "weight": 1}],
            0,
            "weight: the weights add up to 1000000001; the most is 50000.",
        ),
        ([{**udp(), "weight": 1}, udp()], 0, "streams: some streams have a weight, and some have none."),
        ([udp(), {"layers": ["IP"]}], 0, "streams: the streams start with different kinds of layers."),
        ([udp()], -1, "interval: -1 is not a time between frames."),
        ([udp()], float("nan"), "interval: nan is not a time"),
        ([udp()], 0.0000000001, "is not a whole number of nanoseconds"),
        ([{**udp(), "count": 2}], 5_000_000_000.0, "interval: the last frame's time does not fit into a pcap."),
    ],
)
def test_a_wrong_file_is_told(streams, interval, says):
    with pytest.raises(TrafficgenError) as caught:
        read_traffic(streams, interval)
    assert says in caught.value.message


def test_a_preset_takes_fields_of_ones_own():
    (plain,) = frames({"preset": "rfc2544", "size": 64})
    (own,) = frames(
        {
            "preset": "rfc2544",
            "size": 64,
            "layers": [{"IP": {"dst": "198.19.0.1"}}, {"Ether": {"dst": "02:00:00:00:00:99"}}],
        }
    )
    assert own[:6] == bytes.fromhex("020000000099")
    assert own[30:34] == bytes([198, 19, 0, 1])
    assert plain[22] == own[22] == 10  # the preset's time to live
    assert PRESETS["rfc2544"]["layers"][0] == {"Ether": None}


def test_the_rfc2544_preset_is_its_test_frame():
    made = frames({"preset": "rfc2544"})
    assert [len(frame) + 4 for frame in made] == [64, 128, 256, 512, 1024, 1280, 1518]
    for frame in made:
        # Appendix C.2.6.4: TTL 10, UDP, from port C020 to 7, then octets that count up.
        assert (frame[22], frame[23]) == (10, 17)
        assert frame[34:38] == bytes.fromhex("c0200007")
        assert frame[42:] == (bytes(range(256)) * 6)[: len(frame) - 42]


def test_the_port_scan_presets_are_a_frame_a_port():
    for preset, protocol in (("tcp_port_scan", 6), ("udp_port_scan", 17)):
        traffic, _link_type, _nanoseconds = read_traffic([{"preset": preset, "size": 64, "size_of": "ip"}], 0)
        (stream,) = traffic.streams
        assert stream.frames == 64511
        assert {len(stream.scapy_frame(number)) for number in (0, 64510)} == {78}
        assert stream.scapy_frame(0)[23] == protocol
        assert [int.from_bytes(stream.scapy_frame(number)[36:38], "big") for number in (0, 64510)] == [1024, 65534]


def test_the_time_of_day_is_in_no_frame():
    # Scapy's default of ICMP's timestamps is the time at which it was imported.
    (request,) = frames({"layers": ["Ether", "IP", {"ICMP": {"type": "timestamp-request"}}]})
    assert request[42:] == bytes(12)


def test_names_of_hosts_are_never_looked_up(monkeypatch):
    import socket

    def never(*_args, **_kwargs):
        raise AssertionError("a look-up")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(socket, "gethostbyname", never)
    frames(
        udp(),
        {"layers": ["Ether", "IPv6", "UDP"]},
        {"layers": ["Ether", "ARP"]},
        {"layers": ["Ether", {"IP": {"dst": "224.0.0.1"}}]},
    )


def test_a_hundred_layers_and_no_more():
    with pytest.raises(TrafficgenError, match=r"101 layers\. A frame has at most 100"):
        read_traffic([{"layers": ["Raw"] * 101}], 0)


def test_a_module_of_scapys_that_needs_more_than_scapy_is_an_error_of_ours(monkeypatch):
    def import_module(name):
        if name == "scapy.contrib.lacp":
            raise OSError("only on another system")
        return importlib.import_module(name)

    monkeypatch.setattr(scapy_classes, "importlib", SimpleNamespace(import_module=import_module, util=importlib.util))
    with pytest.raises(
        TrafficgenError, match=r"scapy\.contrib\.lacp cannot be imported: OSError: only on another system"
    ):
        read_traffic([{"layers": ["Ether", "LACP"]}], 0)


def test_an_error_about_a_megabyte_is_none_itself():
    with pytest.raises(TrafficgenError) as caught:
        read_traffic([{"layers": ["Ether", "x" * 1000000]}], 0)
    assert len(caught.value.message) < 5000


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (
            10_000,
            (
                "streams[0]: with count 10000, IP.src (100 values) does not change: every frame has the first"
                " value. UDP.sport "
            ),
        ),
        (64_512, None),
        (1, "streams[0]: with count 1, UDP.sport (64511 values) and IP.src (100 values) do not change:"),
        (None, None),
    ],
)
def test_a_count_that_ends_before_a_field_has_moved_is_told(count, says):
    # luigirizzo/netmap#153: only the first IP address is ever used, the source port changes.
    spec = {
        "layers": ["Ether", {"IP": {"src": "10.0.0.1-10.0.0.100"}}, {"UDP": {"sport": "1024-65534", "dport": 9}}],
        "size": 64,
    }
    traffic, _link_type, _nanoseconds = read_traffic([{**spec, "count": count}], 0)
    if says is None:
        assert traffic.warnings() == []
    else:
        (warning,) = traffic.warnings()
        assert warning.startswith(says)


def test_what_moves_together_has_moved_when_one_has():
    spec = {"layers": ["Ether", {"IP": {"dst": "239.1.1.0/29"}}, {"UDP": {"dport": "1-8"}}], "count": 5}
    assert "IP.dst (8 values) does not change" in read_traffic([spec], 0)[0].warnings()[0]
    assert read_traffic([{**spec, "together": ["IP.dst", "UDP.dport"]}], 0)[0].warnings() == []


def test_what_is_random_is_named():
    with pytest.raises(TrafficgenError, match=r"Scapy sets IE_TEIDI\.TEIDI to another value each time"):
        frames({"layers": ["Ether", "IP", "UDP", {"gtp.GTPHeader": None}, "IE_TEIDI"]})
