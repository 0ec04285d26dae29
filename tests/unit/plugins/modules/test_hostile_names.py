# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files, interfaces, namespaces and programs that mean something to a shell, an option parser or a format.

None may become an option or a word of a shell: the program tghx, which they would call, leaves a trace.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.modules import (
    frame_counter,
    interface_counters_info,
    mark_receiver,
    netmap_info,
    pcap,
    pcap_info,
    tcpreplay,
    xdp_info,
    xdp_replay,
)

# The kernel takes all of these for names of interfaces, and so does everything that a run calls.
INTERFACES = ["$(tghx)", "`tghx`;tghx", "|tghx&#q'", "ü0{{7*7}}", "help", "dev"]
# nftables has no way to write these: a run sends on them, and does not count.
UNQUOTABLE = ['a"b\\tghx', "a*"]
# What the kernel refuses, and what it takes but a program would take for an option or for several interfaces.
REFUSED = ["--help", "-itghx", "*", "a\ntghx", "netmap:tghx"]
FILES = [
    "-rf $(tghx)\t;tghx",
    "--help.pcap",
    "a\nb`tghx`|tghx&.pcap",
    "q\"'\\ünï-\u65e5\u672c%s%n{{7*7}}*?[a]",
    "x" * 250 + ".pcap",  # the longest that a file system takes
]
STREAMS = [{"layers": ["Ether", "IP", {"UDP": {"dport": "1-10"}}], "size": 64}]
PROGRAM = "tcpreplay $(tghx);ü\n--help"
MAC = "02:00:00:00:00:01"


class Hostile:
    """A folder with a pcap of 10 frames, and two namespaces with a link of each name between them."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        self.pcap = str(folder / FILES[0])
        self.sender, self.receiver = f"tgh{os.getpid()}-snd $(tghx) `tghx`;tghx", f"tgh{os.getpid()}-rcv 'ü' \"|tghx"

    def trace(self):
        """Whether something has run the program."""
        return (self.folder / "trace").exists()

    def make(self):
        self.bin.mkdir()
        program = self.bin / "tghx"
        program.write_text(f"#!/bin/sh\necho run >>'{self.folder}/trace'\n")
        program.chmod(0o755)
        for netns in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "add", netns], check=True)
            # No neighbour discovery. A kernel without IPv6 has no such setting.
            for which in ("all", "default"):
                command = ["ip", "netns", "exec", netns, "sysctl", "-q", f"net.ipv6.conf.{which}.disable_ipv6=1"]
                subprocess.run(command, capture_output=True, check=False)
        for number, name in enumerate(INTERFACES + UNQUOTABLE):
            # A plain name first: as the name of a new link some would be taken for a keyword.
            made = [f"s{number}", "type", "veth", "peer", "name", f"r{number}", "netns", self.receiver]
            subprocess.run(["ip", "-n", self.sender, "link", "add", *made], check=True)
            for netns, plain in ((self.sender, f"s{number}"), (self.receiver, f"r{number}")):
                subprocess.run(["ip", "-n", netns, "link", "set", "dev", plain, "name", name], check=True)
                subprocess.run(["ip", "-n", netns, "link", "set", "dev", name, "up"], check=True)


@pytest.fixture
def hostile(lab, tmp_path, monkeypatch, ask):
    """Afterwards no shell has run a name, and there is no file but those that were named."""
    pytest.importorskip("scapy")
    made = Hostile(tmp_path)
    try:
        made.make()
        monkeypatch.setenv("PATH", str(made.bin), prepend=os.pathsep)
        # It leaves a trace where a name gets to a shell.
        subprocess.run(["sh", "-c", 'sh -c "echo $0"', INTERFACES[0]], capture_output=True, check=True)
        assert made.trace()
        (tmp_path / "trace").unlink()
        ask(pcap, path=made.pcap, streams=STREAMS)
        yield made
        assert not made.trace()
        assert {path.name for path in tmp_path.iterdir()} <= {"bin", *FILES, PROGRAM}
    finally:
        for netns in (made.sender, made.receiver):
            if os.path.exists(f"/run/netns/{netns}"):
                subprocess.run(["ip", "netns", "delete", netns], check=True)


def send(hostile, name, module=tcpreplay, **parameters):
    """A run by the module in a process of its own, as it leaves one behind for a while; its answer."""
    given = {"pcaps": [hostile.pcap], "interface": name, "netns": hostile.sender, **parameters}
    command = [sys.executable, "-m", module.__name__]
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": given})
    done = subprocess.run(command, input=arguments, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert not answer.get("failed"), answer
    return answer


def test_files(hostile, ask, refusal):
    paths = [str(hostile.folder / name) for name in FILES]
    written = [ask(pcap, path=path, streams=STREAMS)["pcap"] for path in paths]
    read = [ask(pcap_info, path=path)["pcap_info"] for path in paths]
    assert [one["path"] for one in read] == paths
    assert [one["sha256"] for one in read] == [one["sha256"] for one in written]
    sent = send(hostile, INTERFACES[0], pcaps=paths, rx_interface=INTERFACES[0], rx_netns=hostile.receiver)
    assert sent["stats"]["packets"] == 10 * len(FILES)
    assert (sent["counters"]["verdict"], sent["counters"]["loss_ratio"]) == ("consistent", 0)
    too_long = str(hostile.folder / ("x" + FILES[-1]))
    assert "File name too long" in refusal(pcap, path=too_long, streams=STREAMS)
    assert "File name too long" in refusal(pcap_info, path=too_long)


def test_interfaces(hostile, ask):
    for name in INTERFACES[1:]:
        sent = send(hostile, name, rx_interface=name, rx_netns=hostile.receiver)
        assert sent["stats"]["devices"][0]["interface"] == name
        assert sent["stats"]["packets"] == 10
        assert (sent["counters"]["verdict"], sent["counters"]["loss_ratio"]) == ("consistent", 0)
        assert send(hostile, name, xdp_replay)["stats"]["packets"] == 10
    found = ask(netmap_info, interfaces=INTERFACES + UNQUOTABLE, netns=hostile.sender)["netmap_info"]
    assert sorted(found["interfaces"]) == sorted(INTERFACES + UNQUOTABLE)
    for name in INTERFACES + UNQUOTABLE:
        assert ask(xdp_info, interface=name, netns=hostile.sender)["xdp_info"]["interface"] == name
        listened = ask(mark_receiver, interface=name, netns=hostile.receiver, mark_id=";tghx", duration=0.05)
        assert listened["marks"]["interface"] == name


def test_interfaces_that_nftables_cannot_name(hostile, ask, refusal):
    for name in UNQUOTABLE:
        assert send(hostile, name)["stats"]["packets"] == 10
        receiver = {"interface": name, "netns": hostile.receiver}
        assert "nftables cannot name this interface" in refusal(frame_counter, **receiver, source_macs=[MAC])
        counted = ask(interface_counters_info, **receiver)
        assert (counted["interface"], counted["driver"]) == (name, "veth")
        assert counted["kernel"]["rx_packets"] >= 10


def test_what_is_no_name(hostile, refusal):
    sound = {"pcaps": [hostile.pcap], "netns": hostile.sender}
    for name in REFUSED:
        for module in (tcpreplay, xdp_replay):
            assert "not a name of an interface" in refusal(module, **sound, interface=name)
    for name in REFUSED[1:4]:
        assert "not a name of an interface" in refusal(interface_counters_info, interface=name, netns=hostile.sender)
        listening = {"interface": name, "netns": hostile.receiver, "mark_id": 1, "duration": 1}
        assert "not a name of an interface" in refusal(mark_receiver, **listening)
    for name in ("-tghx", "../netns/tghx"):
        said = refusal(tcpreplay, **{**sound, "netns": name}, interface="help")
        assert "not a name of a network namespace" in said


def test_other_words(hostile, refusal):
    (hostile.folder / PROGRAM).symlink_to(shutil.which("tcpreplay"))
    assert send(hostile, "help", executable=str(hostile.folder / PROGRAM))["stats"]["packets"] == 10
    for parameters, message in (
        ({"executable": "tcpreplay;tghx"}, "not found"),
        ({"executable": "--help"}, "not found"),
        ({"extra_args": [";tghx"]}, "not an option"),
        ({"extra_args": ["-q\n-ilo"]}, "is not an option of tcpreplay"),
        ({"extra_args": ["--maxsleep=$(tghx)"]}, "tcpreplay"),
        ({"fact_name": "x; tghx"}, "not a name of a variable"),
        ({"fact_name": "{{ 7 * 7 }}"}, "not a name of a variable"),
        ({"cpu_list": "0;tghx"}, "not a list of CPUs"),
    ):
        said = refusal(tcpreplay, pcaps=[hostile.pcap], interface="help", netns=hostile.sender, **parameters)
        assert message in said
