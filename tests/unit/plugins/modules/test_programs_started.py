# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs the modules start. Each takes about 15 ms, and far more on a busy host."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.modules import (
    host_check,
    interface_counters_info,
    mark_receiver,
    tcpreplay,
    xdp_info,
)

PROGRAMS = ("bash", "ethtool", "ip", "modinfo", "nft", "sh", "sysctl", "tc", "tcpreplay")


@pytest.fixture
def started(tmp_path, monkeypatch):
    """started(MODULE, PARAMETER=…): its answer, and the programs that it started, by their names and first words."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        if real := shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\nexec {real} "$@"\n')
            (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")

    def started(module, **parameters):
        log.write_text("")
        given = json.dumps({"ANSIBLE_MODULE_ARGS": parameters})
        command = [sys.executable, "-m", module.__name__]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        assert not answer.get("failed"), answer
        # The program run in a namespace replaces ip.
        lines = [line for line in log.read_text().splitlines() if not line.startswith("ip netns exec ")]
        return answer, [" ".join(line.split()[:2]) for line in lines]

    return started


@pytest.fixture
def pcap(tmp_path):
    path = tmp_path / "a.pcap"
    frame = bytes.fromhex("020000000002" + "020000000001" + "88b5") + bytes(46)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for second in range(10):
            file.write(struct.pack("<IIII", second, 0, len(frame), len(frame)) + frame)
    return str(path)


@pytest.mark.parametrize("more", [{}, {"offloads": "off"}])
def test_a_run_starts_three_programs_besides_tcpreplay(started, lab, pcap, more):
    receiver = {"rx_interface": "rcv0", "rx_netns": lab.receiver}
    sender = {"interface": "snd0", "netns": lab.sender}
    answer, programs = started(tcpreplay, pcaps=[pcap], topspeed=True, **sender, **receiver, **more)
    assert (answer["counters"]["verdict"], answer["stats"]["packets"]) == ("consistent", 10)
    assert programs == ["tcpreplay --version", "nft -f", "tcpreplay --intf1=snd0", "nft delete"]


def test_a_run_without_a_receiver_starts_one(started, lab, pcap):
    answer, programs = started(tcpreplay, pcaps=[pcap], topspeed=True, interface="snd0", netns=lab.sender)
    assert answer["stats"]["packets"] == 10
    assert programs == ["tcpreplay --version", "tcpreplay --intf1=snd0"]


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        (interface_counters_info, {"interface": "rcv0"}),
        (xdp_info, {"interface": "rcv0"}),
        (host_check, {"interfaces": ["rcv0"]}),
        (mark_receiver, {"interface": "rcv0", "mark_id": "7", "duration": 0.05}),
    ],
    ids=["interface_counters_info", "xdp_info", "host_check", "mark_receiver"],
)
def test_what_only_looks_starts_none(started, lab, module, parameters):
    assert started(module, **parameters, netns=lab.receiver)[1] == []
