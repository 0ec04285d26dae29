# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import re
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter, nftables
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.nftables import Rule, RuleTable
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import Completed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

RCV0 = Interface("rcv0", "tg-rcv")
MACS = frozenset((bytes.fromhex("020000000001"), bytes.fromhex("020000000009")))


def counted(packets=4000, size=228000, others=7, handle=3):
    """What the kernel says about a table after this many frames."""
    return RuleTable(handle, [Rule(MACS, "__set0", packets, size), Rule(frozenset(), "", others, 420)])


GONE = "Error: No such file or directory\nlist table netdev nope\n                  ^^^^\n"
REFUSED = (
    "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n"
)


class Nft:
    """Answers nft's calls and the kernel's tables from lists, and remembers what was asked for."""

    def __init__(self, monkeypatch, *answers, tables=()):
        self.answers, self.tables = list(answers), list(tables)
        self.calls = []
        monkeypatch.setattr(frame_counter, "find_executable", lambda name, remedy="": name)
        monkeypatch.setattr(frame_counter, "run", self.run)
        monkeypatch.setattr(frame_counter.nftables, "read_table", self.read_table)

    def run(self, argv, *, netns=None, stdin=None):
        self.calls.append((argv, netns, stdin))
        status, stdout, stderr = self.answers.pop(0)
        return Completed(tuple(argv), status, stdout, stderr)

    def read_table(self, name, netns):
        self.calls.append((name, netns))
        table = self.tables.pop(0)
        if isinstance(table, OSError):
            raise table
        return table


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("02:00:00:00:00:01", "02:00:00:00:00:01"),
        ("02-AB-cd-00-00-01", "02:ab:cd:00:00:01"),
        ("0200.0000.0001", "02:00:00:00:00:01"),
        (" 02:00:00:00:00:01\n", "02:00:00:00:00:01"),
    ],
)
def test_a_mac_address_in_its_usual_forms(written, normal):
    assert frame_counter.normal_mac(written) == normal


@pytest.mark.parametrize(
    "wrong",
    ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "zz:00:00:00:00:01", "198.18.0.1", "1; drop", "0x0200000001"],
)
def test_what_is_no_mac_address(wrong):
    with pytest.raises(TrafficgenError, match="not a MAC address"):
        frame_counter.normal_mac(wrong)


@pytest.mark.parametrize("odd", ["ff:ff:ff:ff:ff:ff", "01:02:03:04:05:06", "00:00:00:00:00:00"])
def test_captures_have_frames_from_addresses_that_no_station_has(odd):
    assert frame_counter.normal_mac(odd) == odd


def test_table_names_are_nftables_identifiers_and_never_the_same():
    names = ["eth0", "eth-0", "eth_0", "eth.0", "e@x", "enp3s0f0np0.100"]
    tables = {frame_counter.table_name(name) for name in names}
    assert len(tables) == len(names)
    assert all(table.replace("_", "").isalnum() for table in tables)


def test_a_leftover_of_a_killed_run_is_replaced_in_the_same_transaction():
    lines = frame_counter.ruleset("rcv0", ["02:00:00:00:00:01"]).splitlines()
    assert lines[:3] == [
        "add table netdev trafficgen_count_rcv0",
        "delete table netdev trafficgen_count_rcv0",
        "table netdev trafficgen_count_rcv0 {",
    ]


def test_the_counter_is_set_up_read_and_known_again(monkeypatch):
    nft = Nft(
        monkeypatch,
        (0, "", ""),
        tables=[counted(0, 0, 0), counted()],
    )
    counter = frame_counter.add_frame_counter(RCV0, ["02:00:00:00:00:09", "0200.0000.0001", "02:00:00:00:00:01"])
    assert counter == {
        "source": "nftables ingress counter",
        "packets": 0,
        "bytes": None,
        "macs": ["02:00:00:00:00:01", "02:00:00:00:00:09"],
        "table": "trafficgen_count_rcv0",
        "handle": 3,
        "layer3_bytes": 0,
        "others": 0,
    }
    assert {call[1] for call in nft.calls} == {"tg-rcv"}
    read = frame_counter.read_frame_counter(counter, RCV0)
    assert (read["packets"], read["layer3_bytes"], read["others"]) == (4000, 228000, 7)


def test_the_bytes_of_the_header_are_matched_whatever_the_type_of_the_interface():
    """nft puts ``meta iiftype ether`` before ``ether saddr``, and the loopback interface does not match that."""
    rules = frame_counter.ruleset("lo", ["01:02:03:04:05:06", "02:00:00:00:00:01"])
    assert "@ll,48,48 { 0x010203040506, 0x020000000001 } counter accept\n    counter\n" in rules
    assert "ether saddr" not in rules


def test_a_counter_that_somebody_replaced(monkeypatch):
    Nft(monkeypatch, tables=[counted()])
    with pytest.raises(TrafficgenError, match="was replaced after"):
        frame_counter.read_frame_counter({"handle": 2}, RCV0)


def test_a_counter_that_somebody_removed(monkeypatch):
    Nft(monkeypatch, (1, "", GONE), tables=[None])
    with pytest.raises(TrafficgenError, match="is gone: somebody removed it"):
        frame_counter.read_frame_counter({"handle": 3}, RCV0)
    frame_counter.remove_frame_counter(RCV0)


CHANGED = [
    RuleTable(3, []),
    RuleTable(3, counted().rules[:1]),
    RuleTable(3, counted().rules[::-1]),
    RuleTable(3, counted().rules[1:] * 2),
    RuleTable(3, [*counted().rules, counted().rules[1]]),
]


@pytest.mark.parametrize("table", CHANGED)
def test_a_table_that_somebody_changed(monkeypatch, table):
    Nft(monkeypatch, tables=[table])
    with pytest.raises(TrafficgenError, match="no frame counter any more"):
        frame_counter.read_frame_counter({"handle": 3}, RCV0)


def test_a_counter_is_found_whoever_set_it_up(monkeypatch):
    Nft(monkeypatch, tables=[counted(), None, RuleTable(3, [])])
    found = frame_counter.find_frame_counter(RCV0)
    assert (found["macs"], found["packets"]) == (["02:00:00:00:00:01", "02:00:00:00:00:09"], 4000)
    assert frame_counter.find_frame_counter(RCV0) is None
    assert frame_counter.find_frame_counter(RCV0)["macs"] == []


def test_without_root(monkeypatch):
    Nft(monkeypatch, (1, "", REFUSED), tables=[PermissionError(errno.EPERM, "Operation not permitted")])
    with pytest.raises(TrafficgenError, match=r"Operation not permitted.*run the task with become"):
        frame_counter.add_frame_counter(RCV0, ["02:00:00:00:00:01"])
    with pytest.raises(TrafficgenError, match=r"Operation not permitted.*run the task with become"):
        frame_counter.find_frame_counter(RCV0)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EPROTONOSUPPORT])
def test_a_kernel_without_it(monkeypatch, number):
    said = f"Error: Could not process rule: {os.strerror(number)}\n"
    Nft(monkeypatch, (1, "", said), tables=[OSError(number, os.strerror(number))])
    with pytest.raises(TrafficgenError, match=r"The kernel must have nftables' netdev family"):
        frame_counter.add_frame_counter(RCV0, ["02:00:00:00:00:01"])
    with pytest.raises(TrafficgenError, match=r"The kernel must have nftables' netdev family"):
        frame_counter.find_frame_counter(RCV0)


def test_what_the_system_has_no_more_of_is_no_missing_counter(monkeypatch):
    Nft(monkeypatch, tables=[OSError(errno.EMFILE, "Too many open files")])
    with pytest.raises(OSError, match="Too many open files"):
        frame_counter.find_frame_counter(RCV0)


def test_without_nft_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(TrafficgenError, match=r"nft: not found.*Install nftables"):
        frame_counter.add_frame_counter(RCV0, ["02:00:00:00:00:01"])


def test_an_interface_nftables_cannot_quote():
    with pytest.raises(TrafficgenError, match="cannot name this interface"):
        frame_counter.add_frame_counter(Interface('a"b'), ["02:00:00:00:00:01"])


def test_no_addresses():
    with pytest.raises(TrafficgenError, match="no source MAC address"):
        frame_counter.add_frame_counter(RCV0, [])


def test_names_that_are_not_ascii_have_tables_of_their_own():
    # By character, "\u0100" would be what "\x10" and "0" are.
    names = ["\u0100", "\x100", "ü0", "Ã¼0", "$(id)"]
    tables = {frame_counter.table_name(name) for name in names}
    assert len(tables) == len(names)
    assert all(table.isascii() and table.replace("_", "").isalnum() for table in tables)


@pytest.mark.parametrize("name", ["a*", "*", "a\\b"])
def test_a_name_that_would_stand_for_others(name):
    with pytest.raises(TrafficgenError, match="cannot name this interface"):
        frame_counter.add_frame_counter(Interface(name), ["02:00:00:00:00:01"])


@pytest.fixture
def netns():
    name = f"tgnft{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    try:
        table = ["ip", "netns", "exec", name, "nft", "add", "table", "netdev", "trial"]
        if subprocess.run(table, check=False, capture_output=True).returncode:
            pytest.skip("no nftables here")
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def listed(netns, table):
    """What nft says about the table: its handle, its addresses, packets and bytes of both rules."""
    said = subprocess.run(
        ["ip", "netns", "exec", netns, "nft", "-a", "list", "table", "netdev", table],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [handle] = re.findall(r"^table netdev \S+ \{ # handle (\d+)", said, re.MULTILINE)
    matching, others = re.findall(r"^(.*)counter packets (\d+) bytes (\d+)", said, re.MULTILINE)
    macs = sorted(f"{int(mac, 16):012x}" for mac in re.findall(r"0x([0-9a-f]+)", matching[0]))
    return int(handle), macs, *map(int, (*matching[1:], *others[1:2]))


@pytest.mark.parametrize(
    "macs", [["00:00:00:00:00:00"], ["02:00:00:00:00:01"], ["02:00:00:00:00:09", "00:00:00:00:00:00"]]
)
def test_it_is_what_nft_says(netns, macs):
    port = Interface("lo", netns)
    assert frame_counter.find_frame_counter(port) is None
    counter = frame_counter.add_frame_counter(port, macs)
    assert listed(netns, counter["table"])[2:] == (0, 0, 0)
    send = "import socket; s = socket.socket(2, 2); [s.sendto(b'x', ('127.0.0.1', 9)) for _ in range(5)]"
    subprocess.run(["ip", "netns", "exec", netns, "python3", "-c", send], check=True)
    now = frame_counter.read_frame_counter(counter, port)
    told = (now["handle"], [mac.replace(":", "") for mac in now["macs"]], now["packets"], now["layer3_bytes"])
    assert (*told, now["others"]) == listed(netns, counter["table"])
    assert now["packets"] + now["others"] >= 5
    assert (now["packets"] > 0) is ("00:00:00:00:00:00" in macs)
    subprocess.run(["ip", "netns", "exec", netns, "nft", "flush", "table", "netdev", counter["table"]], check=True)
    with pytest.raises(TrafficgenError, match="no frame counter any more"):
        frame_counter.read_frame_counter(counter, port)
    frame_counter.remove_frame_counter(port)
    assert nftables.read_table(counter["table"], netns) is None
