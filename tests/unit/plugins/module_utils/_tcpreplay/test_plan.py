# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is going to do, and what is refused before anything is changed."""

from __future__ import annotations

import contextlib
import math
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.settings import Settings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.opened import open_pcaps
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay import plan as plans
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import engine
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import plan as own_plans
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import parse_request


def test_a_rate_is_asked_for_the_frames_that_are_to_be_sent(host, pcap_of):
    # The first five alone are sent, and are 84 bytes on the line each: 10 Mbit/s are 14881 of them, and so many times
    # 42 bytes.
    host.params |= {"pcaps": [pcap_of([42] * 5 + [1514] * 5)], "topspeed": None, "loop": 2}
    for limit, frame, line in ((5, 42, 84), (20, 778, 811), (None, 778, 811)):
        command = host.plan(limit=limit, line_rate_percent=100, link_speed_mbps=10).tree["run"]["command"]
        (mbps,) = [float(word.partition("=")[2]) for word in command if word.startswith("--mbps=")]
        assert mbps == pytest.approx(10 * frame / line, abs=1e-5)


OFF = {"offloads_off": True, "flow_control_off": True}


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, Settings()),
        ({"injection_method": "netmap"}, Settings(**OFF)),
        ({"injection_method": "netmap", "offloads": "keep", "flow_control": "keep"}, Settings()),
        ({"offloads": "off", "flow_control": "off"}, Settings(**OFF, flow_control_asked=True)),
        ({"tx_ring_size": 1024, "rx_ring_size": 64}, Settings(tx_ring_size=1024, rx_ring_size=64)),
    ],
)
def test_the_settings_of_a_run(host, given, settings):
    host.nic = replace(host.nic, pause=Pause(True, True, False))
    run = host.run(**given).tree["run"]
    assert host.settings == settings
    by_tcpreplay = settings.offloads_off or "injection_method" in given
    assert run["offloads"] == (["rx-vlan-offload"] if by_tcpreplay else ["tx-tcp-segmentation", "rx-vlan-offload"])
    assert (run["flow_control"], run["ring_sizes"]) == ({"rx": True, "tx": False}, {"rx": 256, "tx": 512})
    assert ("wait for the NIC" in host.events) == (settings != Settings() and "injection_method" not in given)
    assert ("made" in host.events) == (settings != Settings() or "injection_method" in given)


def test_settings_it_cannot_have_are_refused_before_anything_is_changed(host):
    for check_mode in (False, True):
        with pytest.raises(TrafficgenError, match="tx_ring_size 8192, v0: its tx rings have 4096 slots at most"):
            host.run(tx_ring_size=8192, check_mode=check_mode)
    assert not any(event.startswith("record") for event in host.events)


def test_a_link_that_is_coming_up_is_waited_for(host, monkeypatch):
    host.add("v0", carrier=False, bus_info="0000:00:04.0")
    waits = []

    def comes_up(interface, *, limit):
        waits.append(limit)
        host.links["v0"]["carrier"] = True

    monkeypatch.setattr(plans, "wait_for_link", comes_up)
    assert host.plan().tree["run"]["interface"] == "v0"
    assert (host.events, waits) == (["snapshot v0"] * 2 + ["guard v0"], [10.0])
    host.add("v0", carrier=False)
    host.events.clear()
    with pytest.raises(TrafficgenError, match="no carrier"):
        host.plan()
    assert (host.events, waits) == (["snapshot v0"], [10.0])
    monkeypatch.setattr(plans, "wait_for_link", lambda interface, limit: False)
    host.add("v0", carrier=False, bus_info="0000:00:04.0")
    with pytest.raises(TrafficgenError, match="no carrier"):
        host.plan()


def test_native_netmap_waits_for_the_link(host, monkeypatch):
    monkeypatch.setattr(installed, "mode", lambda driver: "native" if driver == "ixgbe" else "emulated")
    host.add("v0", driver="ixgbe", speed_mbps=10000)
    host.params |= {"hold": False, "injection_method": "netmap"}
    run = host.plan(topspeed=None, l1_mbps=20000.0).tree["run"]
    assert (run["netmap_mode"], run["capped"], run["requested"]) == ("native", True, {"l1_mbps": 20000.0})
    # 10G of frames of 78 bytes, 102 on the line.
    assert {"--nm-delay=10", "--mbps=7647.058823"} <= set(run["command"])
    assert "--nm-delay=4" in host.plan(netmap_delay=4).tree["run"]["command"]


@pytest.mark.parametrize("version", ["4.4.4", "4.5.1"])
def test_a_tcpreplay_whose_netmap_is_broken_is_refused(host, monkeypatch, version):
    monkeypatch.setenv("STAND_IN_VERSION", version)
    with pytest.raises(TrafficgenError, match="issues/810"):
        host.run(injection_method="netmap")
    assert host.run().error is None


def test_a_version_nobody_tried_warns(host, monkeypatch):
    monkeypatch.setenv("STAND_IN_VERSION", "4.3.1")
    host.run(injection_method="netmap")
    assert "4.3.1" in host.warnings[0]


def test_what_this_tcpreplay_cannot_do_is_refused(host, monkeypatch):
    with pytest.raises(TrafficgenError, match=r"--xdp: tcpreplay 4\.4\.2 does not have it"):
        host.run(injection_method="af_xdp")
    monkeypatch.setenv("STAND_IN_METHOD", "libdnet eth_send()")
    with pytest.raises(TrafficgenError, match="built to send by libdnet"):
        host.run(injection_method="pf_packet")
    assert host.run().tree["run"]["injection_method"] == "libdnet"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"up": False}, r"v0: the interface is down\. Bring it up: `ip link set dev v0 up`"),
        ({"carrier": False}, "v0: the interface has no carrier"),
        ({"mtu": 40}, "its MTU is 40, too small for a frame of 78 bytes"),
    ],
)
def test_an_interface_that_cannot_send_is_refused(host, change, said):
    host.add("v0", **change)
    with pytest.raises(TrafficgenError, match=said):
        host.run()


def test_a_receiver_that_is_not_there_or_down_is_refused(host):
    with pytest.raises(TrafficgenError, match="r0: no such interface"):
        host.run(rx_interface="r0")
    host.add("r0", up=False)
    with pytest.raises(TrafficgenError, match=r"r0: the receiving interface is down.*`ip -n far link set dev r0 up`"):
        host.run(rx_interface="r0", rx_netns="far")
    assert "remove" not in host.events


@pytest.mark.parametrize("change", [{"ifindex": 2}, {"driver": "lo"}])
def test_a_receiver_that_nothing_can_reach_is_refused(host, change):
    host.add("r0", **change)
    with pytest.raises(TrafficgenError, match="rx_interface r0: frames sent on an interface do not arrive on it"):
        host.run(rx_interface="r0")


def test_a_long_frame_needs_a_vlan_tag(host, pcap_of):
    host.add("v0", mtu=74)  # takes 88 bytes, and 92 with a tag
    plain = pcap_of([60, 90])
    with pytest.raises(TrafficgenError, match="its MTU is 74, too small for a frame of 90 bytes"):
        host.plan(pcaps=[plain])
    data = bytearray(Path(plain).read_bytes())
    data[-90 + 12 : -90 + 14] = b"\x81\x00"
    Path(plain).write_bytes(data)
    host.plan(pcaps=[plain])
    assert host.warnings == []


def test_netmap_asks_for_its_buffers_and_not_for_the_mtu(host, pcap_of):
    host.plan(injection_method="netmap", pcaps=[pcap_of([2048])])
    with pytest.raises(TrafficgenError, match="netmap would cut frames of 2049 bytes: its buffers have 2048"):
        host.plan(injection_method="netmap", pcaps=[pcap_of([2049])])


def test_pcaps_that_cannot_be_sent_are_refused(host, tmp_path, pcap_of):
    cases = {
        pcap_of([], "empty.pcap"): "has no packets in it",
        pcap_of([60], "raw.pcap", link_type=101): "its link type is RAW, not Ethernet",
        str(tmp_path / "missing.pcap"): "no such file",
        str(tmp_path): "is a directory",
    }
    for path, said in cases.items():
        with pytest.raises(TrafficgenError, match=said):
            host.run(pcaps=[*host.params["pcaps"], path])
    assert host.events == []


def test_cut_packets_are_said(host, pcap_of):
    host.plan(pcaps=[pcap_of([60] * 3, cut=1000)])
    assert "3 of 3 packets were cut" in host.warnings[0]


def test_how_many_frames_are_above_the_mtu_is_said(host, pcap_of):
    pcaps = [pcap_of([60] * 9 + [1514, 1515, 1600], f"{number}.pcap") for number in range(2)]
    with pytest.raises(TrafficgenError) as error:
        host.plan(pcaps=pcaps)
    assert "its MTU is 1500, too small for a frame of 1600 bytes, and for 4 of 24 frames in all" in error.value.message
    assert "tshark -r IN -Y 'frame.cap_len <= 1514'" in error.value.remedy


# tcpreplay waits 50.1 s for these, and not at all where time goes back (send_packets() of src/send_packets.c).
def test_the_timeout_where_time_goes_back(host, tmp_path):
    path = tmp_path / "back.pcap"
    records = [
        struct.pack("<IIII", 100 + tenths // 10, tenths % 10 * 100000, 60, 60) + bytes(60) for tenths in (0, 1, 501, 10)
    ]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    host.params |= {"pcaps": [str(path)], "loop": 1, "topspeed": None, "timeout": None}
    for multiplier, waits in ((None, 50.1), (2.0, 25.05), (0.5, 100.2)):
        warnings = []
        request = parse_request({**host.params, "multiplier": multiplier})
        with contextlib.ExitStack() as stack:
            plan = own_plans.make_plan(request, open_pcaps(request.pcaps, stack), warnings.append)
        assert plan.traffic.seconds == 50.1
        assert plan.timeout == math.ceil(waits * 1.5 + 30 + 4 / 200_000 * 1.5)
        assert any("time goes back 1 times" in text for text in warnings)


def test_what_does_not_fit_into_memory_is_refused(host, monkeypatch):
    monkeypatch.setattr(own_plans, "_available_memory", lambda: 1000)
    with pytest.raises(TrafficgenError, match="preload: would take"):
        host.run()
    assert host.run(preload=False).error is None


def test_no_tcpreplay(host):
    with pytest.raises(TrafficgenError, match=r"/no/such/tcpreplay: not found.*role wirespeed\.trafficgen\.tcpreplay"):
        host.run(executable="/no/such/tcpreplay")
    with pytest.raises(TrafficgenError, match="did not say its version"):
        host.run(executable="/bin/true")


def test_the_guard_can_be_told_to_stand_aside(host):
    host.plan(allow_management_interface=True)
    assert host.events == ["snapshot v0"]


def test_check_mode_runs_nothing(host, monkeypatch, stand_in):
    keys = set(host.run().tree["run"])
    monkeypatch.setattr(engine, "supervise", None)
    host.add("r0")
    host.events.clear()
    tree = host.plan(rx_interface="r0").tree
    assert [tree[part] for part in ("stats", "rates", "counters")] == [None, None, None]
    assert set(tree["run"]) == keys
    assert (tree["run"]["command"][0], tree["run"]["exit_status"]) == (stand_in, None)
    assert host.events == ["snapshot v0", "snapshot r0", "guard v0"]
