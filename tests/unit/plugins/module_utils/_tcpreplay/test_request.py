# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's parameters, and the command line that is made of them."""

from __future__ import annotations

import math

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import Size, plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import parse_cpus
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import request as requests
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.plan import check_presets
from ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay import ARGUMENT_SPEC

DEFAULTS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}


def request(**params):
    given = {**DEFAULTS, "pcaps": ["/scan.pcap"], "interface": "ens17", **params}
    return requests.parse_request(given, frozenset(range(4)))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        # The first user's command, without his short options: -i ens17 -K --loop 5000 --netmap --mbps 1000
        (
            {"loop": 5000, "injection_method": "netmap", "mbps": 1000.0, "stats_interval": 0},
            "--mbps=1000 --loop=5000 --preload-pcap --netmap --nm-delay=6 /scan.pcap",
        ),
        ({}, "--loop=1 --preload-pcap --stats=1 /scan.pcap"),
        (
            {"topspeed": True, "loop": 0, "duration": 10, "limit": 5}
            | {"preload": False, "flow_stats": False, "stats_interval": 2},
            "--topspeed --loop=0 --duration=10 --limit=5 --no-flow-stats --stats=2 /scan.pcap",
        ),
        (
            {"pps": 0.5, "unique_ip": True, "loop": 3, "injection_method": "af_xdp"},
            "--pps=0.5 --loop=3 --preload-pcap --unique-ip --stats=1 --xdp /scan.pcap",
        ),
        (
            {"multiplier": 2.0, "topspeed": False}
            | {"extra_args": ["--timer=nano", "-q"], "pcaps": ["/b.pcap", "/a.pcap"]},
            "--multiplier=2 --loop=1 --preload-pcap --stats=1 --timer=nano -q /b.pcap /a.pcap",
        ),
    ],
)
def test_command_lines(params, expected):
    asked = request(**params)
    plan = plan_rate(asked.rate_form, asked.rate_form == "topspeed" or asked.rate, Size(78, 82), None)
    argv = requests.build_argv(asked, plan, "tcpreplay", 6)
    assert argv == ["tcpreplay", "--intf1=ens17", *expected.split()]


def test_a_pcap_is_never_an_option_nor_the_standard_input(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ["-", "--loop=0", "with space.pcap", "new\nline.pcap"]
    assert request(pcaps=names).pcaps == tuple(f"{tmp_path}/{name}" for name in names)


NO_NAME = "not a name of a variable"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mbps": 1.0, "pps": 2.0}, "mbps and pps: only one rate"),
        ({"topspeed": True, "multiplier": 2.0}, "multiplier and topspeed: only one rate"),
        ({"pps": 0.0}, "pps 0.0: not a number above 0"),
        ({"mbps": -1.0}, "mbps -1.0: not a number above 0"),
        ({"l1_mbps": math.nan}, "l1_mbps nan: not a number above 0"),
        ({"l2_mbps": math.inf}, "l2_mbps inf: not a number above 0"),
        ({"line_rate_percent": -0.0}, "line_rate_percent -0.0: not a number above 0"),
        ({"loop": 0}, "loop 0: would never end. Set duration or limit"),
        ({"loop": -1}, "loop -1: must be 0 at least"),
        ({"duration": 0}, "duration 0: must be 1 at least"),
        ({"limit": 0}, "limit 0: must be 1 at least"),
        ({"stats_interval": -1}, "stats_interval -1"),
        ({"timeout": 0}, "timeout 0: must be 1"),
        ({"netmap_delay": -1}, "netmap_delay -1"),
        ({"link_speed_mbps": 0}, "link_speed_mbps 0"),
        ({"unique_ip": True}, "unique_ip: .* Set loop to 2"),
        ({"lock_timeout": -1}, "lock_timeout -1: must be 0 at least"),
        ({"tx_ring_size": 0}, "tx_ring_size 0: must be 1 at least"),
        ({"pcaps": []}, "pcaps: names no file"),
        ({"pcaps": ["x"] * 1025}, "names 1025 files, and tcpreplay takes 1024"),
        ({"rx_netns": "r"}, "rx_netns: needs rx_interface"),
        ({"start_at": math.inf}, "start_at inf: not a time"),
        ({"start_at": math.nan}, "start_at nan: not a time"),
        ({"fact_name": "no-name"}, f"fact_name 'no-name': {NO_NAME}"),
        *(({"fact_name": name}, NO_NAME) for name in ("1st", "", "class", "größe")),
        ({"cpu_list": "4"}, "cpu_list '4': this host has no CPU 4. Its CPUs are 0 to 3"),
        *(({"cpu_list": text}, "not a list of CPUs") for text in ("2-1", "", "0x1", "1;reboot")),
        ({"netns": "../init"}, "netns '../init': not a name of a network namespace"),
        ({"netns": "-all"}, "not a name of a network namespace"),
        ({"rx_interface": "r", "rx_netns": ""}, "rx_netns '': not a name of a network namespace"),
    ],
)
def test_what_is_refused(params, said):
    with pytest.raises(TrafficgenError, match=said):
        request(**params)


@pytest.mark.parametrize("parameter", ["interface", "rx_interface"])
@pytest.mark.parametrize(
    "name",
    [
        *("", "-i", "--write=x", "a b", "a\tb", "a\nb", "a\0b", "../x", "/dev/sda", ".", "..", "sixteencharacter"),
        *("eth0:1", "%1", "a\x1bb", "*", "--help", "a\u00a0b", "a/b", "a%d", "netmap:a", "ü" * 8, "a\udcff"),
    ],
)
def test_what_is_no_interface_is_refused(parameter, name):
    with pytest.raises(TrafficgenError, match=f"{parameter} .*: not a name of an interface"):
        request(**{parameter: name})


@pytest.mark.parametrize("name", ["netmap:ens17", "netmap:ens17!", "vale0:1", "valeX:p"])
def test_netmaps_names_point_to_the_injection_method(name):
    with pytest.raises(TrafficgenError, match="injection_method: netmap"):
        request(interface=name)


@pytest.mark.parametrize(
    "name",
    [
        *("ens17", "fifteencharacte", "enp3s0f0.100", "br-lan", "wörld", "veth@x", "#", "a'b\"c", "$(id)", "`id`", "~"),
        *(";reboot", "|a&", "q'q", 'a"b', "a\\b", "{{7*7}}", "ü" * 7, "a*"),
    ],
)
def test_what_the_kernel_takes_for_a_name_is_taken(name):
    assert request(interface=name).sender.name == name


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", {0}), ("2-3,1", {1, 2, 3}), (" 0 , 2 - 3 ", {0, 2, 3}), ("1,1", {1}), ("3-3", {3})]
)
def test_lists_of_cpus(text, cpus):
    assert request(cpu_list=text).cpus == cpus


def test_a_cpu_named_often_is_one():
    assert parse_cpus("3,0-2,1-4,2,0", frozenset()) == {0, 1, 2, 3, 4}


# tcpreplay-edit(1) of 4.4.3. What rewrites the source MAC address makes a receiver count none of the frames.
SUBSTITUTED = "02:00:00:00:00:01,02:22:22:22:22:22"


@pytest.mark.parametrize(
    "extra",
    [
        ["--enet-smac=02:22:22:22:22:22"],
        ["--enet-smac", "02:22:22:22:22:22"],
        ["--ENET_SMAC=02:22:22:22:22:22"],
        ["--enet-sm=02:22:22:22:22:22"],
        [f"--enet-subsmac={SUBSTITUTED}"],
        ["--enet-sub", SUBSTITUTED],
        ["--enet-mac-seed=5"],
        ["--enet-mac", "5"],
        ["-q", "--fixcsum", "--enet-mac-seed", "5"],
    ],
)
def test_options_that_rewrite_what_a_receiver_counts_by(extra):
    with pytest.raises(TrafficgenError, match="rewrites the source MAC addresses by which rx_interface counts"):
        request(extra_args=extra, rx_interface="b0")
    assert request(extra_args=extra).extra.editing


def test_what_edits_the_frames_is_known():
    editing = ["--srcipmap=10.0.0.0/8:198.18.0.0/15", "--fixcsum", "--mtu-trunc"]
    asked = request(extra_args=editing, loop=2, unique_ip=True, rx_interface="b0")
    assert asked.edited_by == ["fixcsum", "mtu-trunc", "srcipmap", "unique-ip"]
    assert request(extra_args=["--timer=nano"]).edited_by == []


def test_presets_beside_the_program_are_refused(tmp_path):
    """As ``tcpreplay`` was seen to read them (strace): in the folder of its name, not where a link points, nor in the
    home directory."""
    program = tmp_path / "tcpreplay"
    program.touch()
    check_presets(str(program))
    (tmp_path / ".tcpreplayrc").write_text("limit 3\n")
    with pytest.raises(TrafficgenError, match=r"\.tcpreplayrc: tcpreplay reads unchecked options from it"):
        check_presets(str(program))
