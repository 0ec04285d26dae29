# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import snapshot as snapshots
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError, TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import device
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause, RingSizes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

# A veth that received 2000 frames for which no protocol was registered.
VETH = {
    "ifindex": 2,
    "ifname": "rcv0",
    "flags": ["UP", "LOWER_UP"],
    "mtu": 1500,
    "link_type": "ether",
    "address": "02:00:00:00:00:02",
    "linkinfo": {"info_kind": "veth"},
    "carrier_changes": 2,
    "counters": {"rx_bytes": 292936, "rx_packets": 4012, "rx_errors": 0, "rx_dropped": 2000, "multicast": 3}
    | {"rx_missed_errors": 0, "rx_otherhost_dropped": 1000, "tx_bytes": 936, "tx_packets": 12, "tx_dropped": 0},
}
VETH_STATISTICS = {"peer_ifindex": 2, "rx_queue_0_xdp_packets": 0, "rx_queue_0_drops": 7}
NIC = {**VETH, "ifname": "ens17", "parentbus": "pci", "parentdev": "0000:3b:00.0", "linkinfo": {}}
IXGBE_STATISTICS = {"rx_packets": 1, "tx_packets": 2, "rx_pkts_nic": 30, "tx_pkts_nic": 40}


class Host:
    """A host with one interface: it answers for the kernel and has its own /sys and /proc."""

    def __init__(self, monkeypatch, tmp_path):
        self.link, self.speed, self.statistics, self.features = VETH, 10000, VETH_STATISTICS, ["tx-tcp-segmentation"]
        self.driver = ("veth", "")
        self.netns = set()
        self.asked = []
        self.sys, self.proc = tmp_path / "sys", tmp_path / "proc"
        self.write("proc/sys/kernel/random/boot_id", "34212773-1fe5-4df4-86d8-90112c9e281b\n")
        self.write("proc/net/softnet_stat", "00109736 00000000 0 0\n0001d94a 0000001f 0 0\n")
        monkeypatch.setattr(device, "read_driver", lambda interface: self.driver)
        monkeypatch.setattr(snapshots, "read_link", self.read_link)
        monkeypatch.setattr(snapshots, "read_statistics", self.asks("statistics"))
        monkeypatch.setattr(device, "read_speed", self.asks("speed"))
        monkeypatch.setattr(device, "read_features", lambda interface: (self.asks("features")(interface), {}))
        self.pause, self.rings = Pause(autoneg=True, rx=True, tx=False), RingSizes(512, 1024, 4096, 4096)
        monkeypatch.setattr(snapshots, "read_pause", lambda interface: self.pause)
        monkeypatch.setattr(snapshots, "read_rings", lambda interface: self.rings)

    def write(self, path, text):
        file = self.sys.parent / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def nic(self, driver, speed=10000, subsystem=("0x8086", "0x0003"), linked=None, netns=False):
        device = "sys/bus/pci/devices/0000:3b:00.0"
        self.write(f"{device}/subsystem_vendor", subsystem[0] + "\n")
        self.write(f"{device}/subsystem_device", subsystem[1] + "\n")
        folder = self.sys.parent / f"sys/bus/pci/drivers/{linked or driver}"
        folder.mkdir(parents=True)
        (self.sys.parent / device / "driver").symlink_to(folder)
        net = self.sys / "class/net/ens17"
        if not netns:
            net.mkdir(parents=True)
            (net / "device").symlink_to(self.sys.parent / device)
        self.link, self.driver = NIC, (driver, "0000:3b:00.0")
        self.speed, self.statistics = speed, IXGBE_STATISTICS

    def read_link(self, interface):
        self.netns.add(interface.netns)
        self.asked.append("link")
        assert interface.name == self.link["ifname"]
        return self.link

    def asks(self, what):
        def answer(interface):
            self.netns.add(interface.netns)
            self.asked.append(what)
            return getattr(self, what)

        return answer

    def snapshot(self, interface=None, netns=None):
        return snapshots.snapshot(
            Interface(interface or self.link["ifname"], netns), root=str(self.sys), proc=str(self.proc)
        )


@pytest.fixture
def host(monkeypatch, tmp_path):
    return Host(monkeypatch, tmp_path)


def test_a_veth(host):
    state = host.snapshot("rcv0", "tg-rcv")
    assert host.netns == {"tg-rcv"}
    assert (state["interface"], state["netns"], state["driver"], state["bus_info"]) == ("rcv0", "tg-rcv", "veth", None)
    assert (state["up"], state["carrier"], state["mtu"]) == (True, True, 1500)
    assert state["mac_address"] == "02:00:00:00:00:02"
    assert state["speed_mbps"] is None  # although ethtool says 10000
    assert state["boot_id"] == "34212773-1fe5-4df4-86d8-90112c9e281b"
    assert state["carrier_changes"] == 2
    expected = {"rx_packets": 4012, "rx_bytes": 292936, "tx_packets": 12, "tx_bytes": 936, "rx_dropped": 2000}
    expected |= {"rx_missed_errors": 0, "rx_otherhost_dropped": 1000, "multicast": 3}
    assert {name: state["kernel"][name] for name in expected} == expected
    assert state["ethtool"] == {"peer_ifindex": 2, "rx_queue_0_xdp_packets": 0, "rx_queue_0_drops": 7}
    assert state["mac"]["tx"]["packets"] == 12
    assert state["host_drops"] == {"nic": 0, "kernel": 2000, "softnet": 0x1F}
    assert state["merging"] == []
    assert state["test_frames"] is None
    json.dumps(state)


@pytest.mark.parametrize("netns", [None, "tg"])
def test_a_nic(host, netns):
    host.nic("ixgbe", netns=netns is not None)
    state = host.snapshot(netns=netns)
    assert (state["driver"], state["bus_info"], state["speed_mbps"]) == ("ixgbe", "0000:3b:00.0", 10000)
    assert (state["mac"]["tx"]["packets"], state["mac"]["rx"]["packets"]) == (40, 30)


def test_netmaps_copy_of_a_driver_is_told_from_the_stock_one(host):
    host.nic("e1000", linked="e1000-netmap")
    state = host.snapshot()
    assert state["driver"] == "e1000-netmap"
    assert state["mac"]["tx"]["source"] == "e1000 tx_packets"


@pytest.mark.parametrize(
    ("driver", "speed", "subsystem"),
    [
        ("ixgbe", None, ("0x8086", "0x0003")),
        ("e1000", 1000, ("0x1af4", "0x1100")),  # QEMU
        ("e1000e", 1000, ("0x8086", "0x0000")),  # QEMU's e1000e
        ("e1000", 1000, ("0x15ad", "0x0750")),  # VMware
        ("virtio_net", 10000, ("0x1af4", "0x0001")),
        ("vmxnet3", 10000, ("0x15ad", "0x07b0")),
    ],
)
def test_speeds_that_are_a_fiction(host, driver, speed, subsystem):
    host.nic(driver, speed, subsystem)
    assert host.snapshot()["speed_mbps"] is None


def test_a_virtual_function_has_no_mac(host):
    host.nic("mlx5_core")
    (host.sys / "bus/pci/devices/0000:3b:00.0/physfn").mkdir()
    assert "virtual function" in host.snapshot()["mac"]["reason"]


def test_an_interface_that_is_down(host):
    host.link = {**VETH, "flags": []}
    state = host.snapshot()
    assert (state["up"], state["carrier"]) == (False, False)


def test_counters_that_lag_behind_are_waited_for(host, monkeypatch):
    waited = []
    monkeypatch.setattr(snapshots.time, "sleep", waited.append)
    host.nic("bnxt_en")
    host.snapshot()
    assert waited
    assert waited[0] >= 1


def test_offloads_that_merge_are_named(host):
    host.features = ["generic-receive-offload", "rx-gro-list", "rx-gro-hw"]
    assert host.snapshot()["merging"] == ["gro", "rx-gro-hw"]


MAC = "02:00:00:00:00:01"


class Frames:
    """The frame counter's functions, remembering what was done."""

    def __init__(self, monkeypatch, counter=None):
        self.done, self.counter = [], counter
        monkeypatch.setattr(snapshots, "find_frame_counter", lambda *a: self.counter)
        monkeypatch.setattr(snapshots, "add_frame_counter", self.add)
        monkeypatch.setattr(snapshots, "read_frame_counter", lambda old, *a: {**old, "packets": 9})
        monkeypatch.setattr(snapshots, "remove_frame_counter", self.remove)

    def add(self, interface, macs):
        self.done.append("add")
        self.counter = {"source": "s", "packets": 0, "bytes": None, "macs": macs, "table": "t", "handle": 1}
        return self.counter

    def remove(self, *arguments):
        self.done.append("remove")
        self.counter = None


def observe(host, **arguments):
    return snapshots.observe(Interface("rcv0"), root=str(host.sys), proc=str(host.proc), **arguments)


def test_rings_and_flow_control(host):
    said = observe(host)
    assert (said["ring_sizes"], said["flow_control"]) == ({"rx": 512, "tx": 1024}, {"rx": True, "tx": False})
    host.pause = host.rings = None
    assert observe(host, since=said)["ring_sizes"] is observe(host)["flow_control"] is None


def count(macs=(MAC,), **arguments):
    return snapshots.set_frame_counter(Interface("rcv0"), macs, **{"present": True, **arguments})


def test_a_counter_is_set_up_kept_replaced_and_removed(host, monkeypatch):
    frames = Frames(monkeypatch)
    assert count(["0200.0000.0001"]) == (None, frames.counter)
    assert frames.counter["macs"] == [MAC]
    assert count() == (frames.counter, frames.counter)
    assert frames.done == ["add"]
    earlier = frames.counter
    assert count(["02:00:00:00:00:07"]) == (earlier, frames.counter)
    assert frames.counter["macs"] == ["02:00:00:00:00:07"]
    assert count(present=False)[1] is None
    assert count(present=False) == (None, None)
    assert frames.done == ["add", "add", "remove"]


def test_a_counter_is_read_whoever_set_it_up(host, monkeypatch):
    frames = Frames(monkeypatch)
    count()
    first = observe(host)
    assert first["test_frames"] == frames.counter
    assert "delta" not in first
    assert observe(host, since=first)["delta"]["test_frames"]["packets"] == 9
    assert frames.done == ["add"]


def test_a_counter_that_nobody_can_look_at(host, monkeypatch):
    Frames(monkeypatch)

    def refuse(*arguments):
        raise error

    monkeypatch.setattr(snapshots, "find_frame_counter", refuse)
    error = TrafficgenError("the frame counter could not be read", remedy="nftables needs root")
    assert observe(host)["test_frames"] is None
    with pytest.raises(TrafficgenError, match="needs root"):
        count(present=False)
    error = ExhaustedError("could not be run", on="nft")
    with pytest.raises(ExhaustedError):
        observe(host)


@pytest.mark.parametrize("kind", ["none", "ipip", None])
def test_frames_without_an_ethernet_header_have_no_source_address(host, monkeypatch, kind):
    """tun, WireGuard (none), IPIP: other headers are in those bytes."""
    frames = Frames(monkeypatch)
    entry = host.link = {**VETH, "link_type": kind}
    with pytest.raises(TrafficgenError, match=r"rcv0: its link type is .*: what arrives there has no Ethernet header"):
        count()
    assert frames.done == []
    for kind in ("ether", "loopback"):
        entry["link_type"] = kind
        assert count()[1]


def test_check_mode_sets_up_and_removes_nothing(host, monkeypatch):
    frames = Frames(monkeypatch)
    before, after = count(check_mode=True)
    assert (before, after["macs"], after["packets"]) == (None, [MAC], None)
    assert set(after) == set(frame_counter.Counts(1, (), 0, 0, 0).tree("t"))
    assert frames.done == []
    count()
    assert count(present=False, check_mode=True) == (frames.counter, None)
    assert frames.done == ["add"]


def test_late_frames_are_waited_for(host, monkeypatch):
    """Ten of 30 frames arrive at each look, as from a device that holds them back. Then some never arrive."""
    Frames(monkeypatch)
    count()
    first = observe(host)
    arrived = iter((0, 10, 20, 30, 30))
    monkeypatch.setattr(snapshots, "read_frame_counter", lambda old, *a: {**old, "packets": next(arrived)})
    all_came = observe(host, since=first, receive_wait=2.0, expect_packets=30)
    assert all_came["delta"]["test_frames"]["packets"] == 30
    arrival = all_came["arrival"]
    assert (arrival["ended"], arrival["late_packets"]) == ("all", 0) and arrival["waited"] < 2
    monkeypatch.setattr(snapshots, "read_frame_counter", lambda old, *a: {**old, "packets": 29})
    some_lost = observe(host, since=first, receive_wait=0.1, expect_packets=30)
    assert some_lost["arrival"]["ended"] == "quiet" and some_lost["arrival"]["waited"] >= 0.1
    assert observe(host, since=first, receive_wait=0, expect_packets=30)["arrival"]["ended"] == "quiet"
    assert "arrival" not in observe(host, since=first)


def test_without_a_counter_the_rest_is_read(host, monkeypatch):
    Frames(monkeypatch)
    first = observe(host)
    second = observe(host, since=first)
    assert (first["test_frames"], second["delta"]["test_frames"]) == (None, None)
    assert second["delta"]["kernel"]["rx_packets"] == 0


@pytest.mark.parametrize(
    ("since", "message"),
    [
        ({"ifindex": 9}, "replaced since"),
        ({"boot_id": "other"}, "another host"),
        ({"interface": "snd0"}, "another interface"),
    ],
)
def test_a_since_that_does_not_fit(host, monkeypatch, since, message):
    Frames(monkeypatch)
    first = observe(host)
    with pytest.raises(TrafficgenError, match=message):
        observe(host, since={**first, **since})


def test_what_is_no_mac_address_leaves_the_counter_alone(host, monkeypatch):
    frames = Frames(monkeypatch)
    count()
    with pytest.raises(TrafficgenError, match="not a MAC address"):
        count(["nonsense"])
    assert frames.done == ["add"]


def test_a_since_of_something_else(host):
    with pytest.raises(TrafficgenError, match="since: not a result of interface_counters_info"):
        observe(host, since={"changed": False, "stdout": ""})


def test_a_second_snapshot_asks_for_the_counters_alone(host):
    host.nic("ixgbe")
    first = host.snapshot()
    host.asked.clear()
    later = snapshots.snapshot(Interface("ens17"), root=str(host.sys), proc=str(host.proc), like=first)
    assert host.asked == ["link", "statistics"]
    assert {key: later[key] for key in later if key not in ("time", "monotonic")} == {
        key: first[key] for key in first if key not in ("time", "monotonic")
    }


def test_an_interface_replaced_since_is_looked_at_again(host):
    host.nic("ixgbe")
    first = {**host.snapshot(), "ifindex": 99, "driver": "e1000"}
    assert (
        snapshots.snapshot(Interface("ens17"), root=str(host.sys), proc=str(host.proc), like=first)["driver"] == "ixgbe"
    )


@pytest.mark.parametrize("driver", ["e1000", "igb"])
@pytest.mark.parametrize(("subsystem", "drops"), [(("0x1af4", "0x1100"), None), (("0x8086", "0x001e"), 7)])
def test_an_emulated_port_does_not_count_missed_frames_as_a_real_one(host, driver, subsystem, drops):
    # rx_missed_errors of a QEMU 7.2 guest without traffic: 3715359499, and 4 seconds later 3768702907
    host.nic(driver, subsystem=subsystem)
    host.statistics = {"rx_packets": 1, "tx_packets": 2, "rx_missed_errors": 7}
    assert host.snapshot()["host_drops"]["nic"] == drops
