# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import plan_rate
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import limits
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import request as requests
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.options import check_extra_args
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.outcome import how_it_ended
from ansible_collections.wirespeed.trafficgen.plugins.modules.tcpreplay import ARGUMENT_SPEC

DEFAULTS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
# The first user's file: 64511 frames of 78 bytes.
SCAN = limits.Traffic(
    packets=64511, bytes=64511 * 78, wire_bytes=64511 * 82, seconds=0.0, largest=78, longest_file=64511
)
RELEASE = (4, 4, 2)


def request(**params):
    return requests.parse_request(
        {**DEFAULTS, "pcaps": ["/scan.pcap"], "interface": "ens17", **params}, frozenset(range(4))
    )


def plan(asked, traffic=SCAN, speed=None):
    value = True if asked.rate_form == "topspeed" else asked.rate
    return plan_rate(asked.rate_form, value, traffic.size, speed)


def words(**params):
    asked = request(**params)
    return requests.build_argv(asked, plan(asked), "tcpreplay", 6)[1:]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        # The first user's command, but for his short options: -i ens17 -K --loop 5000 --netmap --mbps 1000
        (
            {"loop": 5000, "injection_method": "netmap", "mbps": 1000.0, "stats_interval": 0},
            ["--intf1=ens17", "--mbps=1000", "--loop=5000", "--preload-pcap", "--netmap", "--nm-delay=6", "/scan.pcap"],
        ),
        ({}, ["--intf1=ens17", "--loop=1", "--preload-pcap", "--stats=1", "/scan.pcap"]),
        (
            {
                "topspeed": True,
                "loop": 0,
                "duration": 10,
                "limit": 5,
                "preload": False,
                "flow_stats": False,
                "stats_interval": 2,
            },
            [
                "--intf1=ens17",
                "--topspeed",
                "--loop=0",
                "--duration=10",
                "--limit=5",
                "--no-flow-stats",
                "--stats=2",
                "/scan.pcap",
            ],
        ),
        (
            {"pps": 0.5, "unique_ip": True, "loop": 3, "injection_method": "af_xdp"},
            [
                "--intf1=ens17",
                "--pps=0.5",
                "--loop=3",
                "--preload-pcap",
                "--unique-ip",
                "--stats=1",
                "--xdp",
                "/scan.pcap",
            ],
        ),
        (
            {
                "multiplier": 2.0,
                "topspeed": False,
                "extra_args": ["--timer=nano", "-q"],
                "pcaps": ["/b.pcap", "/a.pcap"],
            },
            [
                "--intf1=ens17",
                "--multiplier=2",
                "--loop=1",
                "--preload-pcap",
                "--stats=1",
                "--timer=nano",
                "-q",
                "/b.pcap",
                "/a.pcap",
            ],
        ),
    ],
)
def test_command_lines(params, expected):
    assert words(**params) == expected


def test_a_pcap_is_never_an_option_nor_the_standard_input(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ["-", "--loop=0", "with space.pcap", "new\nline.pcap"]
    assert request(pcaps=names).pcaps == tuple(f"{tmp_path}/{name}" for name in names)


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
        ({"loop": 0}, "loop 0: would never end. Give duration or limit"),
        ({"loop": -1}, "loop -1: must be 0 at least"),
        ({"duration": 0}, "duration 0: must be 1 at least"),
        ({"limit": 0}, "limit 0: must be 1 at least"),
        ({"stats_interval": -1}, "stats_interval -1"),
        ({"timeout": 0}, "timeout 0: must be 1"),
        ({"netmap_delay": -1}, "netmap_delay -1"),
        ({"link_speed_mbps": 0}, "link_speed_mbps 0"),
        ({"unique_ip": True}, "unique_ip: .* It needs loop"),
        ({"offloads": "on"}, "offloads: 'on' is not known. It is one of auto, off, keep"),
        ({"lock_timeout": -1}, "lock_timeout -1: must be 0 at least"),
        ({"tx_ring_size": 0}, "tx_ring_size 0: must be 1 at least"),
        (
            {"injection_method": "magic"},
            "injection_method: 'magic' is not known. It is one of auto, pf_packet, netmap, af_xdp",
        ),
        ({"pcaps": []}, "pcaps: names no file"),
        ({"pcaps": ["x"] * 1025}, "names 1025 files, and tcpreplay takes 1024"),
        ({"rx_netns": "r"}, "rx_netns: needs rx_interface"),
        ({"start_at": math.inf}, "start_at inf: not a time"),
        ({"start_at": math.nan}, "start_at nan: not a time"),
        ({"fact_name": "no-name"}, "fact_name 'no-name': not a name of a variable"),
        ({"fact_name": "1st"}, "not a name of a variable"),
        ({"fact_name": ""}, "not a name of a variable"),
        ({"fact_name": "class"}, "not a name of a variable"),
        ({"fact_name": "größe"}, "not a name of a variable"),
        ({"cpu_list": "4"}, "cpu_list '4': this host has no CPU 4. Its CPUs are 0 to 3"),
        ({"cpu_list": "2-1"}, "not a list of CPUs"),
        ({"cpu_list": ""}, "not a list of CPUs"),
        ({"cpu_list": "0x1"}, "not a list of CPUs"),
        ({"cpu_list": "1;reboot"}, "not a list of CPUs"),
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
        "",
        "-i",
        "--write=x",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "../x",
        "/dev/sda",
        ".",
        "..",
        "sixteencharacter",
        "eth0:1",
        "%1",
        "a\x1bb",
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
    "name", ["ens17", "fifteencharacte", "enp3s0f0.100", "br-lan", "wörld", "veth@x", "#", "a'b\"c"]
)
def test_what_the_kernel_takes_for_a_name_is_taken(name):
    assert request(interface=name).interface == name


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", {0}), ("2-3,1", {1, 2, 3}), (" 0 , 2 - 3 ", {0, 2, 3}), ("1,1", {1}), ("3-3", {3})]
)
def test_lists_of_cpus(text, cpus):
    assert request(cpu_list=text).cpus == cpus


# tcpreplay 4.4.3 takes each of these for the option named, but for beginnings that are also those of another one (--lo,
# --du, --pp, --uni), which another version may not have, and the options of netmap and AF_XDP, which it was built
# without.
@pytest.mark.parametrize(
    ("extra", "parameter"),
    [
        (["--intf1=eth0"], "interface"),
        (["-i", "eth0"], "interface"),
        (["-ieth0"], "interface"),
        (["-qieth0"], "interface"),
        (["--lo=5"], "loop"),
        (["--LOOP=5"], "loop"),
        (["-l5"], "loop"),
        (["--lim", "5"], "limit"),
        (["-L", "5"], "limit"),
        (["--du=5"], "duration"),
        (["--mul=2"], "multiplier"),
        (["-x2"], "multiplier"),
        (["--pp=2"], "pps"),
        (["--pps=2"], "pps"),
        (["-p", "2"], "pps"),
        (["--mb=2"], "mbps"),
        (["-M2"], "mbps"),
        (["--top"], "topspeed"),
        (["-qt"], "topspeed"),
        (["--preload_pcap"], "preload"),
        (["--preload-pcap"], "preload"),
        (["-K"], "preload"),
        (["-vK"], "preload"),
        (["--unique-ip"], "unique_ip"),
        (["--uni"], "unique_ip"),
        (["--netmap"], "injection_method"),
        (["--nm-delay=1"], "netmap_delay"),
        (["--nm"], "netmap_delay"),
        (["--xdp"], "injection_method"),
        (["--no-flow-stats"], "flow_stats"),
        (["--no-f"], "flow_stats"),
        (["--sta=1"], "stats_interval"),
    ],
)
def test_extra_args_that_collide_are_refused(extra, parameter):
    with pytest.raises(TrafficgenError, match=rf"extra_args '.*': collides with the parameter {parameter}\."):
        request(extra_args=extra)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["-I", "eth0"], "--intf2 cannot be used here: the module sends on one interface"),
        (["--intf2=eth0"], "sends on one interface"),
        (["-c", "x"], "sends on one interface"),
        (["-2"], "sends on one interface"),
        (["--write=/etc/passwd"], "sends into a file"),
        (["-w/tmp/x"], "sends into a file"),
        (["-o"], "asks at a terminal"),
        (["--one"], "asks at a terminal"),
        (["-V"], "sends nothing"),
        (["--version"], "sends nothing"),
        (["--help"], "sends nothing"),
        (["--save-opts=/x"], "sends nothing"),
        (["--load-opts=/x"], "may hold any option"),
        (["other.pcap"], "not an option. Give a value as in --name=value, and files as pcaps"),
        (["--"], "not an option"),
        (["-"], "not an option"),
        ([""], "not an option"),
        (["--=x"], "not an option"),
        (["--timer"], "has no value"),
        (["-T"], "has no value"),
        (["-Z"], "-Z is no option"),
        (["--quiet", "word"], "not an option"),
        (["--some-new-option", "value"], "not an option"),
    ],
)
def test_extra_args_that_have_no_place_here_are_refused(extra, said):
    with pytest.raises(TrafficgenError, match=said):
        request(extra_args=extra)


# tcpreplay-edit(1) of 4.4.3. What rewrites the source MAC address makes a receiver count none of the frames.
@pytest.mark.parametrize(
    "extra",
    [
        ["--enet-smac=02:22:22:22:22:22"],
        ["--enet-smac", "02:22:22:22:22:22"],
        ["--ENET_SMAC=02:22:22:22:22:22"],
        ["--enet-sm=02:22:22:22:22:22"],
        ["--enet-subsmac=02:00:00:00:00:01,02:22:22:22:22:22"],
        ["--enet-sub", "02:00:00:00:00:01,02:22:22:22:22:22"],
        ["--enet-mac-seed=5"],
        ["--enet-mac", "5"],
        ["-q", "--fixcsum", "--enet-mac-seed", "5"],
    ],
)
def test_options_that_rewrite_what_a_receiver_counts_by(extra):
    with pytest.raises(TrafficgenError, match="rewrites the source MAC addresses by which rx_interface counts"):
        request(extra_args=extra, rx_interface="b0")
    assert request(extra_args=extra).extra.editing


@pytest.mark.parametrize(
    "extra",
    [
        ["--fuzz-seed=5"],
        ["--fuzz", "5"],
        ["--fragroute=/etc/fragroute.conf"],
        ["--dlt=hdlc"],
        ["--user-dlt=1"],
        ["--hdlc-control=1"],
    ],
)
def test_options_that_make_other_frames_are_refused(extra):
    with pytest.raises(TrafficgenError, match="cannot be used here"):
        request(extra_args=extra)


@pytest.mark.parametrize("letter", "rsNSDebCmEF")
def test_tcpreplay_edits_short_options_have_no_place_here(letter):
    with pytest.raises(TrafficgenError, match=f"-{letter} is no option of tcpreplay's"):
        request(extra_args=[f"-{letter}5"])


def test_what_edits_the_frames_is_known():
    editing = ["--srcipmap=10.0.0.0/8:198.18.0.0/15", "--fixcsum", "--mtu-trunc"]
    asked = request(extra_args=editing, loop=2, unique_ip=True, rx_interface="b0")
    assert requests.edited_by(asked) == ["fixcsum", "mtu-trunc", "srcipmap", "unique-ip"]
    assert requests.edited_by(request(extra_args=["--timer=nano"])) == []


@pytest.mark.parametrize(
    ("method", "frame", "ring", "least", "most"),
    # least: what was seen in flight behind a tbf of 1 Mbit/s (veth, wmem_default 212992); most: what the buffer can
    # hold
    [
        ("pf_packet", 60, None, 163, 278),
        ("pf_packet", 1514, 512, 64, 141),
        ("netmap", 60, 256, 256, 256),
        ("netmap", 60, None, 4096, 4096),
        ("af_xdp", 60, 512, 2560, 2560),
    ],
)
def test_frames_in_flight(method, frame, ring, least, most):
    assert least <= limits.in_flight(method, frame, ring, 212992) <= most


def test_presets_beside_the_program_are_refused(tmp_path):
    """As ``tcpreplay`` was seen to read them (strace): in the folder of its name, not where a link points, nor in the
    home directory."""
    program = tmp_path / "tcpreplay"
    program.touch()
    requests.check_presets(str(program))
    (tmp_path / ".tcpreplayrc").write_text("limit 3\n")
    with pytest.raises(TrafficgenError, match=r"\.tcpreplayrc: tcpreplay takes options from it that nobody checks"):
        requests.check_presets(str(program))


# Of tcpdump(1): -w writes a file, -z runs a program, -F and -V read files, -r one instead of the frames, -E takes
# secrets, -Z a user.
@pytest.mark.parametrize(
    "given",
    [
        *(
            "-w FILE",
            "-wFILE",
            "-e -w FILE",
            "-ew FILE",
            "-G1 -z /bin/sh -w F",
            "-E x",
            "-F f",
            "-V f",
            "-rf",
            "-Z u",
            "-C 1",
            "-W 1",
        ),
        *("-m x", "--print", "tcp", "-e tcp", "-", "--", "-e\n-w f", "-c 1", "-i eth0"),
    ],
)
@pytest.mark.parametrize(
    "spelling",
    [
        ["--verbose", "--decode={}"],
        ["-v", "-A{}"],
        ["-vA{}"],
        ["-vA", "{}"],
        ["-A", "{}", "-v"],
        ["--verb", "--dec={}"],
        ["--DE", "{}"],
        ["--decode", "{}"],
        ["--decode={}", "--decode=-e"],
    ],
)
def test_tcpdump_is_asked_for_nothing_but_printing(spelling, given):
    with pytest.raises(
        TrafficgenError, match="asks tcpdump, which tcpreplay runs as root, for more than another way to print"
    ):
        request(extra_args=[word.format(given) for word in spelling])


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        (["--timer=nano"], {"timer": "nano"}),
        (["--timer", "nano", "-q"], {"timer": "nano", "quiet": ""}),
        (["-Tnano"], {"timer": "nano"}),
        (["-qT", "nano"], {"quiet": "", "timer": "nano"}),
        (["--loopdelay-ms", "20"], {"loopdelay-ms": "20"}),
        (["--loopdelay_ms=20"], {"loopdelay-ms": "20"}),
        (["--unique-ip-loops=2"], {"unique-ip-loops": "2"}),
        (["--pps-multi=4"], {"pps-multi": "4"}),
        (["--inc=1-5"], {"include": "1-5"}),
        (["--some-new-option=5"], {"some-new-option": "5"}),
        (
            ["--srcipmap", "10.0.0.0/8:198.18.0.0/15", "--fixcsum"],
            {"srcipmap": "10.0.0.0/8:198.18.0.0/15", "fixcsum": ""},
        ),
        (["-v", "--decode=-e -nn\t-vvX"], {"verbose": "", "decode": "-e -nn\t-vvX"}),
        (["-A", "-K"], {"decode": "-K"}),  # a value, though it looks like an option
    ],
)
def test_extra_args_that_pass(extra, options):
    asked = request(extra_args=extra)
    assert (asked.extra.argv, asked.extra.options) == (tuple(extra), options)


@pytest.mark.parametrize(
    ("params", "traffic", "seconds"),
    [
        # 64511 * 5000 frames of 78 bytes at 1000 Mbit/s: 201.27 s, as the first user's run took; and preloading them.
        ({"mbps": 1000.0, "loop": 5000}, SCAN, 64511 * 5000 / 500_000 + 64511 / 200_000),
        ({"pps": 1000.0, "loop": 2, "preload": False}, SCAN, 129.022),
        ({"pps": 1000.0, "loop": 0, "limit": 5000, "preload": False}, SCAN, 5.0),
        ({"pps": 1000.0, "loop": 0, "duration": 7, "preload": False}, SCAN, 7.0),
        ({"pps": 1000.0, "loop": 1, "duration": 100, "preload": False}, SCAN, 64.511),
        ({"pps": 1000.0, "preload": False, "injection_method": "netmap"}, SCAN, 64.511 + 1 + 2 * 6),
        ({"pps": 1000.0, "loop": 3, "preload": False, "extra_args": ["--loopdelay-ms=500"]}, SCAN, 3 * 64.511 + 1.5),
        ({"preload": False, "loop": 3}, limits.Traffic(10, 1000, 1040, 4.0, 100, 10), 12.0),
        ({"preload": False, "loop": 3, "multiplier": 0.5}, limits.Traffic(10, 1000, 1040, 4.0, 100, 10), 24.0),
        # A recording without time in it is sent as fast as it goes; one that goes backwards as well.
        ({"preload": False}, limits.Traffic(10**6, 10**8, 104 * 10**6, 0.0, 100, 10**6), 2.0),
        ({"preload": False}, limits.Traffic(10**6, 10**8, 104 * 10**6, -5.0, 100, 10**6), 2.0),
        ({"topspeed": True}, SCAN, math.inf),
        # At top speed the clock is looked at between files: 10 s, and one more pass at 10000 a second.
        ({"topspeed": True, "loop": 0, "duration": 10, "preload": False}, SCAN, 10 + 6.4511),
        ({"preload": False, "loop": 0, "duration": 3, "extra_args": ["--include=1-5"]}, SCAN, 3.0),
    ],
)
def test_how_long_a_run_should_take(params, traffic, seconds):
    asked = request(**params)
    assert limits.expected_seconds(asked, plan(asked, traffic), traffic, 6) == pytest.approx(seconds)


def test_the_default_timeout():
    assert limits.default_timeout(10) == 45
    assert limits.default_timeout(7200) == 10830
    assert limits.default_timeout(math.inf) == 3600


def test_starts():
    limits.check_start(None, 1000.0, 10)
    limits.check_start(1005.0, 1000.0, 10)
    with pytest.raises(TrafficgenError, match=r"start_at 999.500: is over since 0.5 s"):
        limits.check_start(999.5, 1000.0, 10)
    with pytest.raises(TrafficgenError, match=r"is 11 s away, further than timeout \(10 s\)"):
        limits.check_start(1011.0, 1000.0, 10)


@pytest.mark.parametrize(
    ("size", "tagged", "mtu", "method", "refused"),
    [
        (1514, False, 1500, "auto", False),
        (1515, False, 1500, "auto", True),
        (1518, True, 1500, "auto", False),
        (1519, True, 1500, "auto", True),
        (9014, False, 9000, "pf_packet", False),
        (2048, False, 1500, "netmap", False),
        (2049, False, 9000, "netmap", True),
    ],
)
def test_frames_that_are_too_large(size, tagged, mtu, method, refused):
    asked = request(injection_method=method)
    traffic = limits.Traffic(1, size, size + 4, 0.0, size, 1)
    if not refused:
        limits.check_frames(asked, traffic, mtu, tagged=tagged)
        return
    with pytest.raises(TrafficgenError, match=f"{size}"):
        limits.check_frames(asked, traffic, mtu, tagged=tagged)


def test_what_does_not_fit_into_the_memory():
    ten_million = limits.Traffic(10**7, 78 * 10**7, 82 * 10**7, 0.0, 78, 10**7)
    with pytest.raises(
        TrafficgenError, match="preload: would take 6700 MB of memory for 10000000 packets, and 6000 MB are available"
    ):
        limits.check_memory(request(), ten_million, 6 * 10**9)
    limits.check_memory(request(), ten_million, 7 * 10**9)
    limits.check_memory(request(), ten_million, None)
    limits.check_memory(request(preload=False), ten_million, 10**6)


@pytest.mark.parametrize(
    ("params", "release", "said"),
    [
        # 5,124,095,576 packets (upstream's issue 779): 344 s at 14.88 Mpps.
        ({"pps": 14_880_952.0, "loop": 0, "duration": 345}, RELEASE, "after 5124095576 packets"),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 344}, RELEASE, None),
        ({"pps": 1000.0, "loop": 0, "limit": 5_124_095_577}, RELEASE, "after 5124095576 packets"),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 345}, (4, 5, 3), None),
        ({"pps": 14_880_952.0, "loop": 0, "duration": 1}, (4, 5, 1), "after 5124095 packets"),
        # A wrap after 1.8e10 bits (upstream's issue 974).
        ({"mbps": 1000.0, "loop": 0, "duration": 19}, (4, 5, 2), "after 18446744073 bits"),
        ({"mbps": 1000.0, "loop": 0, "duration": 18}, (4, 5, 2), None),
        ({"mbps": 1000.0, "loop": 0, "duration": 19}, RELEASE, None),
        ({"topspeed": True, "loop": 0, "duration": 10**6}, RELEASE, None),
    ],
)
def test_runs_longer_than_tcpreplay_can_pace(params, release, said):
    asked = request(**params)
    if said is None:
        assert limits.check_pacing(asked, plan(asked), SCAN, release) is None
        return
    with pytest.raises(TrafficgenError, match=said):
        limits.check_pacing(asked, plan(asked), SCAN, release)


def test_coarse_pacing_is_said():
    # 1.76e13 bits: 1759 s at 10 Gbit/s.
    asked = request(mbps=10_000.0, loop=0, duration=1800)
    assert "after 1759 s " in limits.check_pacing(asked, plan(asked), SCAN, RELEASE)
    assert limits.check_pacing(asked, plan(asked), SCAN, (4, 5, 3)) is None


@pytest.mark.parametrize(
    ("params", "sent", "ended", "status", "expected"),
    [
        ({}, 64511, "exited", 0, "completed"),
        ({"loop": 5, "limit": 100}, 100, "exited", 0, "limit"),
        ({"loop": 0, "limit": 100}, 100, "exited", 0, "limit"),
        ({"limit": 64511}, 64511, "exited", 0, "completed"),
        ({"loop": 0, "duration": 3}, 3000, "exited", 0, "duration"),
        ({"loop": 2, "duration": 3}, 129022, "exited", 0, "completed"),
        ({"loop": 2, "duration": 3}, 129021, "exited", 0, "duration"),
        ({"loop": 0, "duration": 3, "limit": 100}, 100, "exited", 0, "limit"),
        ({"loop": 0, "duration": 3, "limit": 100}, 99, "exited", 0, "duration"),
        ({}, 10, "timeout", 0, "timeout"),
        ({}, 10, "timeout", -9, "timeout"),
        ({}, 10, "signal", 0, "user"),
        ({}, 10, "exited", -2, "user"),
        ({}, 10, "exited", -9, "error"),
        ({}, 10, "exited", 255, "error"),
        ({"duration": 1, "extra_args": ["--exclude=1"]}, 10, "exited", 0, "completed"),
        ({"duration": 1, "loop": 0, "extra_args": ["--exclude=1"]}, 99999, "exited", 0, "duration"),
    ],
)
def test_how_a_run_ended(params, sent, ended, status, expected):
    stats = {"packets": sent, "seconds": 3.0 if sent == 99999 else 0.5, "interrupted": False}
    assert how_it_ended(request(**params), SCAN, stats, ended=ended, exit_status=status, failed=False) == expected


def test_an_interrupt_is_the_users_although_the_status_is_0():
    stats = {"packets": 10, "seconds": 0.5, "interrupted": True}
    assert how_it_ended(request(), SCAN, stats, ended="exited", exit_status=0, failed=False) == "user"
    assert how_it_ended(request(), SCAN, stats, ended="timeout", exit_status=0, failed=False) == "timeout"


def test_a_known_complaint_is_an_error_although_the_status_is_0():
    stats = {"packets": 10, "seconds": 0.5, "interrupted": False}
    assert how_it_ended(request(), SCAN, stats, ended="exited", exit_status=0, failed=True) == "error"


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "--help",
        "-i",
        "a b",
        "a\nb",
        "a\u00a0b",
        "a/b",
        "a:b",
        "a%d",
        "a\0b",
        "a\x1bb",
        "",
        ".",
        "..",
        "netmap:a",
        "a" * 16,
        "ü" * 8,
        "a\udcff",
    ],
)
def test_what_is_no_interface_to_the_kernel_or_to_a_program(name):
    with pytest.raises(TrafficgenError, match="not a name of an interface"):
        requests.check_interface(name, "interface")


@pytest.mark.parametrize(
    "name", ["$(id)", "`id`", ";reboot", "|a&", "q'q", 'a"b', "a\\b", "{{7*7}}", "ü" * 7, "a*", "#", "~", "a" * 15]
)
def test_odd_names_that_the_kernel_takes(name):
    assert requests.check_interface(name, "interface") == name


def test_a_cpu_named_often_is_one():
    assert requests.parse_cpus("3,0-2,1-4,2,0", frozenset()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("word", ["--quiet\0", "-T\0", "--maxsleep=\ud800"])
def test_a_word_that_no_program_can_be_given_is_refused(word):
    for words in ([word], ["-T", word]):
        with pytest.raises(TrafficgenError, match="no program can be given this"):
            check_extra_args(words)


@pytest.mark.parametrize(
    ("delay", "seconds"), [("5", 0.005), ("\u00b2", 0.0), ("7" * 5000, 0.0), ("", 0.0), ("-1", 0.0)]
)
def test_a_delay_is_a_number_or_none(delay, seconds):
    assert check_extra_args([f"--loopdelay-ms={delay}"]).seconds("loopdelay-ms", 1e-3) == seconds
