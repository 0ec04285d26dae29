# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules that look at interfaces and programs refuse what they cannot look at."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.modules import (
    frame_counter,
    interface_counters_info,
    mark_receiver,
    netmap_info,
    tcpreplay_info,
)

COUNTED_MAC = "02:00:00:00:00:01"
NETMAP_BROKEN = "nm_do_ioctl"


@pytest.fixture
def counters(lab):
    """The receiver's interface."""
    return {"interface": "rcv0", "netns": lab.receiver}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interface": "rvc0"}, "rvc0: no such interface in network namespace {netns}. Did you mean rcv0?"),
        ({"netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
        ({"since": {"stdout": ""}}, "since: not a result of interface_counters_info"),
    ],
)
def test_the_counters_of_nothing(refusal, counters, parameters, message):
    assert message.format(**counters) in refusal(interface_counters_info, **{**counters, **parameters})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interface": "rvc0", "state": "absent"}, "rvc0: no such interface in network namespace"),
        ({"netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
        ({"source_macs": ["nonsense"]}, "'nonsense': not a MAC address"),
        ({"source_macs": []}, "no source MAC address to count. Set source_macs."),
        ({"source_macs": None}, "state is present but all of the following are missing: source_macs"),
    ],
)
def test_nothing_to_count(refusal, counters, parameters, message):
    given = {**counters, "source_macs": [COUNTED_MAC], **parameters}
    assert message in refusal(frame_counter, **{name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interface": "rvc0"}, "rvc0: no such interface in network namespace"),
        ({"netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
        ({"mark_id": "4294967296"}, "mark_id: 4294967296 is above 4294967295. Give a number"),
        ({"mark_id": None}, "state is received but any of the following are missing: marks, mark_id"),
        ({"state": "started", "duration": None}, "state is started but all of the following are missing: duration"),
        ({"state": "stopped"}, "state is stopped but all of the following are missing: receiver"),
        ({"state": "stopped", "receiver": "0" * 16}, "did not answer, so what arrived is not known"),
        ({"marks": {"test": 7, "streams": []}}, "parameters are mutually exclusive: marks|mark_id"),
        ({"mark_id": None, "marks": {"test": 7}}, "marks: is not what the module pcap returned. Give pcap.marks"),
        ({"loop": -1}, "loop: -1 is out of range. It must be 0 or more."),
        ({"duration": 0}, "duration: 0.0 is out of range."),
    ],
)
def test_marks_of_nothing(refusal, counters, parameters, message):
    given = {**counters, "mark_id": "7", "duration": 1, **parameters}
    said = refusal(mark_receiver, **{name: value for name, value in given.items() if value is not None})
    assert message in said


def test_counters_of_another_interface(ask, refusal, lab, counters):
    before = ask(interface_counters_info, interface="snd0", netns=lab.sender)
    said = refusal(interface_counters_info, **counters, since=before)
    assert "the earlier counters are of another interface" in said


def test_a_counter_that_is_gone(ask, refusal, lab, counters):
    counted = {**counters, "source_macs": [COUNTED_MAC]}
    ask(frame_counter, **counted)
    gone = ask(interface_counters_info, **counters)
    subprocess.run(["ip", "netns", "exec", lab.receiver, "nft", "flush", "ruleset"], check=True)
    assert "rcv0: the frame counter (nftables table trafficgen_count_rcv0) is gone" in refusal(
        interface_counters_info, **counters, since=gone
    )
    assert "the earlier counters are of another host" in refusal(
        interface_counters_info, **counters, since={**gone, "boot_id": "other"}
    )
    # Counting again is not an error.
    assert ask(frame_counter, **counted)["changed"]
    again = ask(interface_counters_info, **counters)
    assert again["test_frames"]["packets"] == 0
    assert ask(interface_counters_info, **counters, since=again)["delta"]["test_frames"]["packets"] == 0
    assert ask(frame_counter, **counters, state="absent")["changed"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interfaces": ["snd9"]}, "snd9: no such interface in network namespace"),
        ({"interfaces": ["snd0"], "netns": None}, "snd0: no such interface in this host's own network namespace"),
        ({"netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
        ({"interfaces": ["--help"]}, "not a name of an interface"),
    ],
)
def test_netmap_of_what_is_not_there(refusal, lab, parameters, message):
    assert message in refusal(netmap_info, **{"netns": lab.sender, **parameters})


@pytest.mark.parametrize(
    ("executable", "message"),
    [("{}/tcpreplay", "{}/tcpreplay"), ("{}", "{}"), ("/bin/true", "tcpreplay --version: did not say its version")],
)
def test_what_is_no_tcpreplay(refusal, tmp_path, executable, message):
    said = refusal(tcpreplay_info, executable=executable.format(tmp_path))
    assert message.format(tmp_path) in said
    assert "Install tcpreplay" in said


@pytest.mark.parametrize(("version", "usable"), [("4.4.2", True), ("4.5.1", False), ("4.5.5", True)])
def test_the_netmap_of_a_version(ask, tmp_path, version, usable):
    stand_in = tmp_path / "tcpreplay"
    stand_in.write_text(
        f"""#!/bin/sh
cat >&2 <<END
tcpreplay version: {version} (build git:v{version})
Cache file supported: 04
Not compiled with libdnet.
Compiled against libpcap: 1.10.0
64 bit packet counters: enabled
Default injection method: PF_PACKET send()
Optional injection method: netmap
END
"""
    )
    stand_in.chmod(0o755)
    found = ask(tcpreplay_info, executable=str(stand_in))["tcpreplay_info"]
    assert found["version"] == version
    assert found["injection_methods"] == ["pf_packet", "netmap"]
    assert found["netmap"]["usable"] == usable
    assert (NETMAP_BROKEN in found["netmap"]["reason"]) != usable
