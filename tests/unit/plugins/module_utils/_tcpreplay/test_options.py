# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What extra_args may ask for, in every spelling that tcpreplay takes."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.options import check_extra_args


def spellings(table):
    """(words, the table's key) of each spelling in it; ``|`` stands between two."""
    return [(words.split(), key) for key, several in table.items() for words in several.split("|")]


# tcpreplay 4.4.3 takes each of these for the option named, but for beginnings that are also those of another one (--lo,
# --du, --pp, --uni), which another version may not have, and the options of netmap and AF_XDP, which it was built
# without.
COLLIDING = {
    "interface": "--intf1=eth0|-i eth0|-ieth0|-qieth0",
    "loop": "--lo=5|--LOOP=5|-l5",
    "limit": "--lim 5|-L 5",
    "duration": "--du=5",
    "multiplier": "--mul=2|-x2",
    "pps": "--pp=2|--pps=2|-p 2",
    "mbps": "--mb=2|-M2",
    "topspeed": "--top|-qt",
    "preload": "--preload_pcap|--preload-pcap|-K|-vK",
    "unique_ip": "--unique-ip|--uni",
    "injection_method": "--netmap|--xdp",
    "netmap_delay": "--nm-delay=1|--nm",
    "flow_stats": "--no-flow-stats|--no-f",
    "stats_interval": "--sta=1",
}
REFUSED = {
    "--intf2 cannot be used here: the module sends on one interface": "-I eth0|--intf2=eth0",
    "sends on one interface": "-c x|-2",
    "sends into a file": "--write=/etc/passwd|-w/tmp/x",
    "asks at a terminal": "-o|--one",
    "sends nothing": "-V|--version|--help|--save-opts=/x",
    "may hold any option": "--load-opts=/x",
    "not an option. Write a value as --name=value, and name files in pcaps": "other.pcap|--quiet word",
    "not an option": "--|-|--=x|--some-new-option value",
    "has no value": "--timer|-T",
    "-Z is not an option": "-Z",
    "cannot be used here": "--fuzz-seed=5|--fuzz 5|--fragroute=/etc/f.conf|--dlt=hdlc|--user-dlt=1|--hdlc-control=1",
}


@pytest.mark.parametrize(("words", "parameter"), spellings(COLLIDING))
def test_extra_args_that_collide_are_refused(words, parameter):
    with pytest.raises(TrafficgenError, match=rf"extra_args '.*': collides with the parameter {parameter}\."):
        check_extra_args(words)


@pytest.mark.parametrize(("words", "said"), [*spellings(REFUSED), ([""], "not an option")])
def test_extra_args_that_have_no_place_here_are_refused(words, said):
    with pytest.raises(TrafficgenError, match=said):
        check_extra_args(words)


@pytest.mark.parametrize("letter", "rsNSDebCmEF")
def test_tcpreplay_edits_short_options_have_no_place_here(letter):
    with pytest.raises(TrafficgenError, match=f"-{letter} is not an option of tcpreplay"):
        check_extra_args([f"-{letter}5"])


# Of tcpdump(1): -w writes a file, -z runs a program, -F and -V read files, -r one instead of the frames, -E takes
# secrets, -Z a user.
ASKED = "-w FILE|-wFILE|-e -w FILE|-ew FILE|-G1 -z /bin/sh -w F|-E x|-F f|-V f|-rf|-Z u|-C 1|-W 1|-m x|--print|tcp"
ASKED += "|-e tcp|-|--|-e\n-w f|-c 1|-i eth0"


@pytest.mark.parametrize("given", ASKED.split("|"))
@pytest.mark.parametrize(
    "spelling",
    [
        *("--verbose --decode={}", "-v -A{}", "-vA{}", "-vA {}", "-A {} -v", "--verb --dec={}", "--DE {}"),
        *("--decode {}", "--decode={} --decode=-e"),
    ],
)
def test_tcpdump_is_asked_for_nothing_but_printing(spelling, given):
    said = "makes tcpdump, which tcpreplay runs as root, do more than print"
    with pytest.raises(TrafficgenError, match=said):
        check_extra_args([word.format(given) for word in spelling.split()])


@pytest.mark.parametrize(
    ("words", "options"),
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
        (["-A", "-K"], {"decode": "-K"}),  # a value that looks like an option
    ],
)
def test_extra_args_that_pass(words, options):
    extra = check_extra_args(words)
    assert (extra.argv, extra.options) == (tuple(words), options)


@pytest.mark.parametrize("word", ["--quiet\0", "-T\0", "--maxsleep=\ud800"])
def test_a_word_that_no_program_can_be_given_is_refused(word):
    for words in ([word], ["-T", word]):
        with pytest.raises(TrafficgenError, match="not a valid argument of a program"):
            check_extra_args(words)


@pytest.mark.parametrize(
    ("delay", "seconds"), [("5", 0.005), ("\u00b2", 0.0), ("7" * 5000, 0.0), ("", 0.0), ("-1", 0.0)]
)
def test_a_delay_is_a_number_or_none(delay, seconds):
    assert check_extra_args([f"--loopdelay-ms={delay}"]).loop_delay == seconds
