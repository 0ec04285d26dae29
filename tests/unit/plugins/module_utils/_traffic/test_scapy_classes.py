# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contributed layers by name, against the bytes of a plain script with load_contrib()."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("scapy")
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.scapy_classes import layer_class
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic

# What a script has to say so that the addresses are not this host's.
ETHER = 'Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")'
IPV4 = 'IP(src="198.18.0.1", dst="198.18.0.2")'
# The contributed modules, the spec's layers, and the same in Python.
CONTRIBUTED = {
    "GTP-U": (
        ["gtp"],
        ["Ether", "IP", {"UDP": {"dport": 2152}}, {"GTP_U_Header": {"teid": 100}}, "IP", "UDP"],
        f"{ETHER}/{IPV4}/UDP(dport=2152)/GTP_U_Header(teid=100)/{IPV4}/UDP()",
    ),
    "LACP": (
        ["slowprot", "lacp"],
        [{"Ether": {"dst": "01:80:c2:00:00:02", "type": 0x8809}}, "SlowProtocol", "LACP"],
        f"{ETHER.replace('02:00:00:00:00:02', '01:80:c2:00:00:02')[:-1]}, type=0x8809)/SlowProtocol()/LACP()",
    ),
    "LLDP": (
        ["lldp"],
        [
            {"Ether": {"dst": "01:80:c2:00:00:0e"}},
            {"LLDPDUChassisID": {"subtype": 4, "id": "02:00:00:00:00:01"}},
            {"LLDPDUPortID": {"subtype": 5, "id": "ens17"}},
            {"LLDPDUTimeToLive": {"ttl": 120}},
            "LLDPDUEndOfLLDPDU",
        ],
        (
            f"{ETHER.replace('02:00:00:00:00:02', '01:80:c2:00:00:0e')}/LLDPDUChassisID(subtype=4,"
            ' id="02:00:00:00:00:01")/LLDPDUPortID(subtype=5,'
            ' id="ens17")/LLDPDUTimeToLive(ttl=120)/LLDPDUEndOfLLDPDU()'
        ),
    ),
    "OSPF": (
        ["ospf"],
        [
            "Ether",
            {"IP": {"ttl": 1}},
            {"OSPF_Hdr": {"src": "10.0.0.1"}},
            {"OSPF_Hello": {"neighbors": ["10.0.0.2", "10.0.0.3"]}},
        ],
        # To all OSPF routers, and their MAC address: as the script's author gets it.
        (
            'Ether(src="02:00:00:00:00:01")/IP(src="198.18.0.1", ttl=1)/OSPF_Hdr(src="10.0.0.1")/OSPF_Hello('
            'neighbors=["10.0.0.2", "10.0.0.3"])'
        ),
    ),
    "OSPF's states": (
        ["ospf"],
        [
            "Ether",
            "IP",
            "OSPF_Hdr",
            {
                "OSPF_LSUpd": {
                    "lsalist": [
                        {
                            "OSPF_Router_LSA": {
                                "id": "1.1.1.1",
                                "adrouter": "1.1.1.1",
                                "linklist": [
                                    {"OSPF_Link": {"id": "10.0.0.0", "data": "255.255.255.0", "type": 3}},
                                    {"OSPF_Link": {"id": "10.0.1.0", "metric": 5}},
                                ],
                            }
                        },
                        {"OSPF_Network_LSA": {"routerlist": ["1.1.1.1", "2.2.2.2"]}},
                    ]
                }
            },
        ],
        (
            'Ether(src="02:00:00:00:00:01")/IP(src="198.18.0.1")/OSPF_Hdr()/OSPF_LSUpd(lsalist=[OSPF_Router_LSA(id="1.1.1.1",'
            ' adrouter="1.1.1.1", linklist=[OSPF_Link(id="10.0.0.0", data="255.255.255.0", type=3),'
            ' OSPF_Link(id="10.0.1.0", metric=5)]), OSPF_Network_LSA(routerlist=["1.1.1.1", "2.2.2.2"])])'
        ),
    ),
    "BGP": (
        ["bgp"],
        ["Ether", "IP", {"TCP": {"dport": 179, "flags": "PA"}}, "BGPHeader", "BGPKeepAlive"],
        f'{ETHER}/{IPV4}/TCP(dport=179, flags="PA")/BGPHeader()/BGPKeepAlive()',
    ),
    "BGP's routes": (
        ["bgp"],
        [
            "Ether",
            "IP",
            {"TCP": {"dport": 179}},
            "BGPHeader",
            {"BGPUpdate": {"nlri": [{"BGPNLRI_IPv4": {"prefix": "10.0.0.0/8"}}]}},
        ],
        f'{ETHER}/{IPV4}/TCP(dport=179)/BGPHeader()/BGPUpdate(nlri=[BGPNLRI_IPv4(prefix="10.0.0.0/8")])',
    ),
    "TCP's options": (
        [],
        [
            "Ether",
            "IP",
            {
                "TCP": {
                    "options": [{"MSS": 1460}, "SAckOK", {"Timestamp": [1, 0]}, "NOP", ["WScale", 7], {"SAck": [5, 9]}]
                }
            },
        ],
        (
            f'{ETHER}/{IPV4}/TCP(options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None),'
            ' ("WScale", 7), ("SAck", (5, 9))])'
        ),
    ),
    "PIM": (
        ["pim"],
        [
            "Ether",
            {"IP": {"dst": "224.0.0.13", "ttl": 1}},
            "PIMv2Hdr",
            {"PIMv2Hello": {"option": [{"PIMv2HelloHoldtime": None}]}},
        ],
        (
            'Ether(src="02:00:00:00:00:01")/IP(src="198.18.0.1", dst="224.0.0.13",'
            " ttl=1)/PIMv2Hdr()/PIMv2Hello(option=[PIMv2HelloHoldtime()])"
        ),
    ),
    "CDP": (
        ["cdp"],
        [
            {"Dot3": {"src": "02:00:00:00:00:01", "dst": "01:00:0c:cc:cc:cc"}},
            "LLC",
            "SNAP",
            {"CDPv2_HDR": {"msg": [{"CDPMsgDeviceID": {"val": "gen1"}}]}},
        ],
        (
            'Dot3(src="02:00:00:00:00:01",'
            ' dst="01:00:0c:cc:cc:cc")/LLC()/SNAP()/CDPv2_HDR(msg=[CDPMsgDeviceID(val="gen1")])'
        ),
    ),
    "RoCE": (
        ["roce"],
        ["Ether", "IP", {"UDP": {"dport": 4791}}, {"BTH": {"psn": 5}}],
        f"{ETHER}/{IPV4}/UDP(dport=4791)/BTH(psn=5)",
    ),
    "Modbus": (
        ["modbus"],
        [
            "Ether",
            "IP",
            {"TCP": {"dport": 502}},
            "ModbusADURequest",
            {"ModbusPDU03ReadHoldingRegistersRequest": {"quantity": 4}},
        ],
        f"{ETHER}/{IPV4}/TCP(dport=502)/ModbusADURequest()/ModbusPDU03ReadHoldingRegistersRequest(quantity=4)",
    ),
    "of two of one name": (
        ["gtp_v2"],
        ["Ether", "IP", "UDP", {"gtp_v2.GTPHeader": {"teid": 5, "seq": 7}}],
        f"{ETHER}/{IPV4}/UDP()/GTPHeader(teid=5, seq=7)",
    ),
}


@pytest.fixture(scope="module")
def plain():
    """The bytes that a script gives, in a process of its own."""
    script = ["import logging; logging.disable()", "from scapy.all import *"]
    for modules, _layers, packet in CONTRIBUTED.values():
        script += [*(f"load_contrib({module!r})" for module in modules), f"print(bytes({packet}).hex())"]
    done = subprocess.run([sys.executable, "-c", "\n".join(script)], check=True, capture_output=True)
    return dict(zip(CONTRIBUTED, map(bytes.fromhex, done.stdout.decode().split()[-len(CONTRIBUTED) :])))


@pytest.mark.parametrize("name", CONTRIBUTED)
def test_a_contributed_layer_is_as_in_a_script(name, plain):
    _modules, layers, _packet = CONTRIBUTED[name]
    traffic, _link_type, _nanoseconds = read_traffic([{"layers": layers}], 0)
    assert traffic.streams[0].scapy_frame(0) == plain[name]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "GTPHeader",
            (
                "several modules of Scapy have a layer 'GTPHeader'. Name the module too: gtp.GTPHeader or"
                " gtp_v2.GTPHeader."
            ),
        ),
        ("GTP_U_Heder", "no layer 'GTP_U_Heder'. Did you mean GTP_U_Header"),
        ("ospf_hdr", "Did you mean OSPF_Hdr"),
        ("gtp.IP", "no layer 'gtp.IP'. Did you mean IP"),
        ("os.system", "no layer 'os.system'"),
        ("gtp.", "no layer 'gtp.'"),
        ("a b", "no layer 'a b'"),
    ],
)
def test_a_name_that_is_none_or_several(name, says):
    with pytest.raises(TrafficgenError) as caught:
        layer_class(name, "streams[0]")
    assert says in caught.value.message


def test_the_module_before_a_name_may_be_as_long_as_one_likes():
    assert (
        layer_class("gtp.GTP_U_Header", "x")
        is layer_class("scapy.contrib.gtp.GTP_U_Header", "x")
        is layer_class("GTP_U_Header", "x")
    )


def test_only_the_module_that_has_the_layer_is_imported():
    script = "import sys, scapy.all\nbefore = set(sys.modules)\n"
    script += f"from {layer_class.__module__} import layer_class\n"
    script += (
        "layer_class('LACP', 'x')\nprint(*[name for name in set(sys.modules) - before if"
        " name.startswith('scapy.contrib.')])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE)
    assert set(done.stdout.decode().split()) <= {"scapy.contrib.lacp", "scapy.contrib.slowprot"}


@pytest.mark.parametrize("layer", ["IE_IMSI", "SkinnyMessageTimeDate"])
def test_what_a_module_draws_when_it_is_imported_is_the_same_each_time(layer):
    # The default of one is a random number, of the other the time of day, both of the import.
    script = f"from {read_traffic.__module__} import read_traffic\n"
    module = "gtp" if layer == "IE_IMSI" else "skinny"
    script += f"spec = {{'layers': ['Ether', 'IP', 'UDP', '{module}.{layer}']}}\n"
    script += "print(read_traffic([spec], 0)[0].streams[0].scapy_frame(0).hex())"
    found = set()
    for hour in (0, 1):
        shifted = f"import time\nreally = time.time\ntime.time = lambda: really() + {hour * 3600}\n{script}"
        found.add(subprocess.run([sys.executable, "-c", shifted], check=True, stdout=subprocess.PIPE).stdout)
    assert len(found) == 1


def test_the_date_of_a_web_server_is_refused():
    if b"Date" not in bytes(layer_class("HTTPResponse", "x")()):
        pytest.skip("this Scapy gives it no date")
    with pytest.raises(TrafficgenError, match="to another value each time, at random or from the clock"):
        read_traffic([{"layers": ["Ether", "IP", "TCP", {"HTTP": None}, "HTTPResponse"]}], 0)


def test_an_igmp_report_goes_to_its_group_and_the_group_s_mac_address():
    try:
        layer_class("IGMPv2_MR", "x")
    except TrafficgenError:
        pytest.skip("this Scapy has no such layer")
    traffic, _link_type, _nanoseconds = read_traffic(
        [{"layers": ["Ether", "IP", {"IGMPv2_MR": {"gaddr": "239.1.1.0/29"}}]}], 0
    )
    for number in range(8):
        frame = bytes(traffic.streams[0].patched_frame(number))
        assert frame[:6] == bytes.fromhex("01005e0101") + bytes([number])
        assert frame[30:34] == frame[-4:] == bytes([239, 1, 1, number])
        assert frame == traffic.streams[0].scapy_frame(number)


@pytest.mark.parametrize(
    "name", ["pfcp.IE_Base", "pnio_rpc.BlockHeader", "radius._RadiusAttrIntValue", "dot11.Dot11Encrypted"]
)
def test_a_class_that_is_no_layer_by_itself_is_an_error_of_ours(name):
    with pytest.raises(TrafficgenError, match=r"^streams\[0\]: Scapy could not "):
        read_traffic([{"layers": ["Ether", "IP", "UDP", name]}], 0)
