# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import frame_counter as fc
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import Completed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

RCV0 = Interface("rcv0", "tg-rcv")
# nft 1.0.6, `nft -a list table netdev ...`, after 4000 frames from the two and 7 from others.
LISTING = """table netdev trafficgen_count_rcv0 { # handle 3
\tchain ingress { # handle 1
\t\ttype filter hook ingress device "rcv0" priority filter; policy accept;
\t\t@ll,48,48 { 0x20000000001, 0x20000000009 } counter packets 4000 bytes 228000 accept # handle 4
\t\tcounter packets 7 bytes 420 # handle 5
\t}
}
"""
GONE = "Error: No such file or directory\nlist table netdev nope\n                  ^^^^\n"
REFUSED = (
    "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n"
)


class Nft:
    """Answers nft's calls from a list, and remembers them."""

    def __init__(self, monkeypatch, *answers):
        self.answers = list(answers)
        self.calls = []
        monkeypatch.setattr(fc, "find_executable", lambda name, remedy="": name)
        monkeypatch.setattr(fc, "run", self.run)

    def run(self, argv, *, netns=None, stdin=None):
        self.calls.append((argv, netns, stdin))
        status, stdout, stderr = self.answers.pop(0)
        return Completed(tuple(argv), status, stdout, stderr)


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
    assert fc.normal_mac(written) == normal


@pytest.mark.parametrize(
    "wrong",
    ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "zz:00:00:00:00:01", "198.18.0.1", "1; drop", "0x0200000001"],
)
def test_what_is_no_mac_address(wrong):
    with pytest.raises(TrafficgenError, match="not a MAC address"):
        fc.normal_mac(wrong)


@pytest.mark.parametrize("odd", ["ff:ff:ff:ff:ff:ff", "01:02:03:04:05:06", "00:00:00:00:00:00"])
def test_captures_have_frames_from_addresses_that_no_station_has(odd):
    assert fc.normal_mac(odd) == odd


def test_table_names_are_nftables_identifiers_and_never_the_same():
    names = ["eth0", "eth-0", "eth_0", "eth.0", "e@x", "enp3s0f0np0.100"]
    tables = {fc.table_name(name) for name in names}
    assert len(tables) == len(names)
    assert all(table.replace("_", "").isalnum() for table in tables)


def test_a_leftover_of_a_killed_run_is_replaced_in_the_same_transaction():
    lines = fc.ruleset("rcv0", ["02:00:00:00:00:01"]).splitlines()
    assert lines[:3] == [
        "add table netdev trafficgen_count_rcv0",
        "delete table netdev trafficgen_count_rcv0",
        "table netdev trafficgen_count_rcv0 {",
    ]


def test_the_counter_is_set_up_read_and_known_again(monkeypatch):
    nft = Nft(
        monkeypatch,
        (0, "", ""),
        (0, LISTING.replace("4000", "0").replace("228000", "0").replace(" 7 ", " 0 "), ""),
        (0, LISTING, ""),
    )
    counter = fc.add_frame_counter(RCV0, ["02:00:00:00:00:09", "0200.0000.0001", "02:00:00:00:00:01"])
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
    read = fc.read_frame_counter(counter, RCV0)
    assert (read["packets"], read["layer3_bytes"], read["others"]) == (4000, 228000, 7)


def test_the_bytes_of_the_header_are_matched_whatever_the_type_of_the_interface():
    """``ether saddr`` would stand behind a ``meta iiftype ether``, which the loopback interface does not meet."""
    rules = fc.ruleset("lo", ["01:02:03:04:05:06", "02:00:00:00:00:01"])
    assert "@ll,48,48 { 0x010203040506, 0x020000000001 } counter accept\n    counter\n" in rules
    assert "ether saddr" not in rules


def test_a_counter_that_somebody_replaced(monkeypatch):
    Nft(monkeypatch, (0, LISTING, ""))
    with pytest.raises(TrafficgenError, match="was replaced after"):
        fc.read_frame_counter({"handle": 2}, RCV0)


def test_a_counter_that_somebody_removed(monkeypatch):
    Nft(monkeypatch, (1, "", GONE), (1, "", GONE))
    with pytest.raises(TrafficgenError, match="is gone: somebody removed it"):
        fc.read_frame_counter({"handle": 3}, RCV0)
    fc.remove_frame_counter(RCV0)


def test_a_table_that_somebody_flushed(monkeypatch):
    Nft(monkeypatch, (0, "table netdev trafficgen_count_rcv0 { # handle 3\n}\n", ""))
    with pytest.raises(TrafficgenError, match="no frame counter any more"):
        fc.read_frame_counter({"handle": 3}, RCV0)


def test_a_counter_is_found_whoever_set_it_up(monkeypatch):
    Nft(monkeypatch, (0, LISTING, ""), (1, "", GONE), (0, "table netdev trafficgen_count_rcv0 { # handle 3\n}\n", ""))
    found = fc.find_frame_counter(RCV0)
    assert (found["macs"], found["packets"]) == (["02:00:00:00:00:01", "02:00:00:00:00:09"], 4000)
    assert fc.find_frame_counter(RCV0) is None
    assert fc.find_frame_counter(RCV0)["macs"] == []


def test_without_root(monkeypatch):
    Nft(monkeypatch, (1, "", REFUSED), (1, "", REFUSED))
    with pytest.raises(TrafficgenError, match=r"Operation not permitted.*run the task with become"):
        fc.add_frame_counter(RCV0, ["02:00:00:00:00:01"])
    with pytest.raises(TrafficgenError, match=r"Operation not permitted.*run the task with become"):
        fc.find_frame_counter(RCV0)


def test_without_nft_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(TrafficgenError, match=r"nft: not found.*Install nftables"):
        fc.add_frame_counter(RCV0, ["02:00:00:00:00:01"])


def test_an_interface_nftables_cannot_quote():
    with pytest.raises(TrafficgenError, match="cannot name this interface"):
        fc.add_frame_counter(Interface('a"b'), ["02:00:00:00:00:01"])


def test_no_addresses():
    with pytest.raises(TrafficgenError, match="no source MAC address"):
        fc.add_frame_counter(RCV0, [])


def test_names_that_are_not_ascii_have_tables_of_their_own():
    # By character, "\u0100" would be what "\x10" and "0" are.
    names = ["\u0100", "\x100", "ü0", "Ã¼0", "$(id)"]
    tables = {fc.table_name(name) for name in names}
    assert len(tables) == len(names)
    assert all(table.isascii() and table.replace("_", "").isalnum() for table in tables)


@pytest.mark.parametrize("name", ["a*", "*", "a\\b"])
def test_a_name_that_would_stand_for_others(name):
    with pytest.raises(TrafficgenError, match="cannot name this interface"):
        fc.add_frame_counter(Interface(name), ["02:00:00:00:00:01"])
