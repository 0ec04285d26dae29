# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the module tcpreplay refuses what it cannot send. Nothing is sent and no file changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.modules import tcpreplay

MAKE_PCAPS = Path(__file__).resolve().parents[3] / "integration/targets/tcpreplay_module/files/make_pcaps.py"
NAMES = "not a name of an interface"


@pytest.fixture(scope="module")
def pcaps(tmp_path_factory):
    """The folder of the target's pcaps."""
    folder = tmp_path_factory.mktemp("pcaps")
    subprocess.run([sys.executable, MAKE_PCAPS, folder], check=True)
    return folder


@pytest.fixture
def refused(refusal, lab, pcaps):
    """refused(PARAMETER=…): the error of a run that is valid except for these parameters."""

    def refused(**parameters):
        def state():
            return lab.sent(), sorted((path, path.stat().st_size, path.stat().st_mtime_ns) for path in pcaps.rglob("*"))

        before = state()
        sound = {"interface": "snd0", "netns": lab.sender, "pcaps": [str(pcaps / "small.pcap")]}
        said = refusal(tcpreplay, **{**sound, **parameters})
        assert state() == before
        return said

    return refused


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("missing.pcap", "missing.pcap: no such file"),
        (".", "is a directory"),
        ("empty.pcap", "has no packets in it"),
        ("no_bytes.pcap", "is empty"),
        ("cut.pcap", "is truncated"),
        ("text.pcap", "is not a pcap file"),
        ("raw.pcap", "its link type is RAW, not Ethernet"),
        ("raw.pcap", "4.5.0 or later"),
        ("too_large.pcap", "too small for a frame of 2000 bytes"),
        ("one_too_large.pcap", "too small for a frame of 1515 bytes"),
        ("short.pcap", "1 of 11 packets shorter than an Ethernet header"),
        ("no_length.pcap", "1 of 1 packets of 0 bytes"),
        ("giant.pcap", "had 262145 bytes on the line"),
    ],
)
def test_a_file_that_it_cannot_send(refused, pcaps, file, message):
    assert message in refused(pcaps=[str(pcaps / file)])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pcaps": []}, "pcaps: names no file"),
        ({"interface": "snd9"}, "snd9: no such interface"),
        ({"interface": "snd0 -i lo"}, NAMES),
        ({"interface": "netmap:snd0"}, "injection_method: netmap"),
        ({"interface": "lo"}, "the interface is down"),
        ({"netns": "no-such-namespace"}, "no-such-namespace: no such network namespace"),
        ({"rx_interface": "rcv9"}, "rcv9: no such interface"),
        ({"mbps": 1, "pps": 1}, "mbps and pps: only one rate"),
        ({"pps": 0}, "not a number above 0"),
        ({"mbps": "nan"}, "not a number above 0"),
        ({"l1_mbps": "inf"}, "not a number above 0"),
        ({"line_rate_percent": 50}, "Give link_speed_mbps"),
        ({"loop": 0}, "loop 0: would never end"),
        ({"unique_ip": True}, "unique_ip: changes the addresses between passes"),
        ({"injection_method": "magic"}, "value of injection_method must be one of"),
        ({"injection_method": "af_xdp"}, "--xdp"),
        ({"cpu_list": "0-9999"}, "this host has no CPU"),
        ({"start_at": 1000}, "is over since"),
        ({"extra_args": ["-isnd0"]}, "collides with the parameter interface"),
        ({"extra_args": ["-I", "snd0"]}, "the module sends on one interface"),
        ({"extra_args": ["--verbose", "--decode=-w FILE"]}, "makes tcpdump, which tcpreplay runs as root, do more"),
        ({"fact_name": "not-a-name"}, "not a name of a variable"),
        ({"executable": "/no/such/tcpreplay"}, "/no/such/tcpreplay: not found"),
        ({"l1_mbps": 20, "link_speed_mbps": 1, "strict_rate": True}, "above the line rate"),
    ],
)
def test_a_parameter_that_it_cannot_take(refused, lab, parameters, message):
    if "rx_interface" in parameters:
        parameters = {**parameters, "rx_netns": lab.receiver}
    assert message in refused(**parameters)


def test_a_link_that_is_down(refused, lab):
    def ip(netns, *words):
        subprocess.run(["ip", "-n", netns, "link", "set", *words], check=True)

    try:
        ip(lab.sender, "snd0", "down")
        assert "the interface is down. Bring it up" in refused()
        ip(lab.sender, "snd0", "up")
        ip(lab.receiver, "rcv0", "down")
        assert "has no carrier" in refused()
    finally:
        ip(lab.sender, "snd0", "up")
        ip(lab.receiver, "rcv0", "up")
