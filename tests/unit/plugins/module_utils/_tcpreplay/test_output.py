# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _tcpreplay/output, on recorded output (tests/fixtures/tcpreplay_output.txt) and on the forms of other
versions."""

from __future__ import annotations

import csv
import html
import io
import json
import time

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import _RATE, parse, read_log
from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED

# 4.4.2 with netmap, the two streams as they came through one pipe.
MIXED_4_4_2 = """\
File Cache is enabled
Switching network driver for v0 to netmap bypass mode... done!
Actual: 193533 packets (15095574 bytes) sent in 1.42 seconds
Rated: 10628358.1 Bps, 85.02 Mbps, 136261.00 pps
Switching network driver for v0 to normal mode... Flows: 64511 flows, 45420.33 fps, 193533 flow packets, 0 non-flow
Statistics for network device: v0
\tSuccessful packets:        193533
\tFailed packets:            0
\tTruncated packets:         0
\tRetried packets (ENOBUFS): 0
\tRetried packets (EAGAIN):  189
done!
"""
DEVICE = ("successful_packets", "failed_packets", "truncated_packets", "retried_enobufs", "retried_eagain")
STATS_4_4_2 = {
    "packets": 193533,
    "bytes": 15095574,
    "seconds": 1.42,
    "bytes_per_second": 10628358.1,
    "mbps": 85.02,
    "pps": 136261.00,
    "flows": 64511,
    "flows_per_second": 45420.33,
    "flow_packets": 193533,
    "non_flow_packets": 0,
    "flows_unique": None,
    "flows_expired": None,
    "failed_write_attempts": 0,
    "interrupted": False,
    "devices": [{"interface": "v0", **dict(zip(DEVICE, (193533, 0, 0, 0, 189)))}],
    "samples": [],
}
# The form of 4.0 and 4.1: a full stop, tenths of a second after the point, Attempted packets.
OLD = """\
Actual: 1000 packets (78000 bytes) sent in 2.05 seconds.
Rated: 31200.0 Bps, 0.249 Mbps, 400.00 pps
12 write attempts failed from full buffers and were repeated
Flows: 1000 flows, 400.00 fps, 1000 flow packets, 0 non-flow
Statistics for network device: eth1
\tAttempted packets:         1000
\tSuccessful packets:        999
\tFailed packets:            1
\tTruncated packets:         0
\tRetried packets (ENOBUFS): 12
\tRetried packets (EAGAIN):  0
"""


def recorded(name):
    return parse(RECORDED.get(f"{name}.stdout", ""), RECORDED.get(f"{name}.stderr", ""))


def test_two_streams_in_one_pipe():
    assert parse(MIXED_4_4_2) == STATS_4_4_2


MEASURES = ("packets", "bytes", "seconds", "bytes_per_second", "mbps", "pps")


@pytest.mark.parametrize(
    ("name", "measures", "more"),
    [
        (
            "paced",
            (750, 58500, 1.49, 39051.9, 0.312, 500.66),
            {"flows": 750, "flows_per_second": 500.66, "flow_packets": 750},
        ),
        (
            "under_a_second",
            (1000, 78000, 0.001418, 55007052.1, 440.05, 705218.61),
            {"flows": 1000, "flows_per_second": 705218.61, "flow_packets": 1000},
        ),
        (
            "flow_expiry",
            (2700, 194400, 0.269902, 720261.4, 5.76, 10003.63),
            {
                "flows": 200,
                "flows_per_second": 741.0,
                "flow_packets": 1800,
                "non_flow_packets": 900,
                "flows_unique": 200,
            },
        ),
        (
            "interrupted",
            (1403, 109434, 1.4, 78099.4, 0.624, 1001.27),
            {"flows": 1000, "flows_per_second": 713.66, "flow_packets": 1000, "interrupted": True},
        ),
    ],
)
def test_recorded(name, measures, more):
    stats = {**recorded(name), "devices": None, "samples": None}
    shown = {key: value for key, value in stats.items() if value not in (None, 0, False)}
    assert shown == {**dict(zip(MEASURES, measures)), **more}


def test_flows_without_expiry_have_no_unique_nor_expired():
    assert recorded("loops")["flows_unique"] is None
    assert recorded("flow_expiry")["flows_expired"] == 0


@pytest.mark.parametrize("name", ["no_flow_stats", "no_flows"])
def test_without_a_line_of_flows(name):
    stats = recorded(name)
    assert stats["packets"] in (1000, 10)
    assert [stats[key] for key in ("flows", "flows_per_second", "flow_packets", "non_flow_packets")] == [None] * 4


def test_samples_are_all_pairs_but_the_last():
    stats = recorded("stats")
    assert [sample["packets"] for sample in stats["samples"]] == [302, 602, 902]
    assert stats["samples"][1] == dict(zip(MEASURES, (602, 46956, 2.0, 23438.9, 0.187, 300.49)))
    assert (stats["packets"], stats["seconds"], stats["pps"]) == (1000, 3.33, 300.29)
    assert [sample["packets"] for sample in recorded("stats_each_loop")["samples"]] == [1000, 2000]


def test_killed_run_keeps_its_last_sample_as_the_total():
    stats = recorded("killed")
    assert (stats["packets"], stats["flows"], stats["devices"]) == (32053, None, [])
    assert [sample["packets"] for sample in stats["samples"]] == [16027]
    assert not stats["interrupted"]


def test_interrupted_counts_one_more_than_the_device():
    stats = recorded("interrupted_stats")
    assert stats["interrupted"]
    assert (stats["packets"], stats["devices"][0]["successful_packets"]) == (39233, 39232)


def test_an_interrupt_shows_in_either_stream():
    assert parse("", " User interrupt...\n")["interrupted"]
    assert parse("", "Warning: Unable to send packet: User abort\n")["interrupted"]
    assert parse("sendpacket_abort\n")["interrupted"]


def test_half_a_pair_at_its_beginning_or_end_is_none():
    rated = "Rated: 5.0 Bps, 5.000 Mbps, 5.00 pps\n"
    assert parse(rated + MIXED_4_4_2) == STATS_4_4_2
    pair = "".join(MIXED_4_4_2.splitlines(keepends=True)[2:4])
    for cut in (*range(4, pair.index("Rated") + 4), len(pair) - 4):
        killed = parse(pair + pair.replace("1.42", "2.42")[:cut])
        assert (killed["packets"], killed["seconds"], killed["samples"]) == (193533, 1.42, [])


def test_several_devices():
    devices = recorded("two_interfaces")["devices"]
    sent = [(device["interface"], device["successful_packets"]) for device in devices]
    assert sent == [("snd0", 1000), ("snd1", 900)]


def test_failed_packets():
    assert recorded("link_lost")["devices"][0]["failed_packets"] == 2054
    assert recorded("frame_too_large_once")["devices"][0]["failed_packets"] == 1


def test_old_versions():
    stats = parse(OLD)
    assert stats["seconds"] == 2.5  # the very run of 1000 packets at 400 pps
    assert stats["packets"] / stats["seconds"] == stats["pps"]
    assert stats["failed_write_attempts"] == 12
    assert stats["devices"] == [{"interface": "eth1", **dict(zip(DEVICE, (999, 1, 0, 12, 0)))}]
    short = "Actual: 5 packets (300 bytes) sent in 0.000046 seconds.\nRated: 1.0 Bps, 0.001 Mbps, 1.00 pps"
    assert parse(short)["seconds"] == 4.6e-05


def test_failed_write_attempts_are_those_of_the_total():
    pair = "Actual: {0} packets (7800 bytes) sent in 2.00 seconds\nRated: 1.0 Bps, 0.001 Mbps, 1.00 pps\n"
    pair += "Failed write attempts: {1}\n"
    assert parse(pair.format(100, 7) + pair.format(200, 9))["failed_write_attempts"] == 9


@pytest.mark.parametrize("name", ["one_pipe.log", "terminal.log"])
def test_a_log_of_both_streams(name):
    text = RECORDED[name]
    stats = parse(text)
    for end, other in (("\n", "\r\n"), ("\n\t", "\n"), ("\n\t", "\n        ")):
        assert parse(text.replace(end, other)) == stats
    assert stats["interrupted"] == (name == "one_pipe.log")
    assert (stats["packets"], len(stats["samples"])) == ((1142, 0) if name == "one_pipe.log" else (1000, 3))
    assert len(stats["devices"]) == 1
    assert None not in stats["devices"][0].values()


def test_terminal_noise():
    lines = (f"\x1b[32m{line}\x1b[0m\x1b[K\r\n" for line in MIXED_4_4_2.splitlines())
    assert parse("\x1b[?25l\x1b]0;root@host: ~\x07" + "".join(lines)) == STATS_4_4_2


def test_lines_with_a_prefix():
    lines = (f"Nov 23 02:30:37 gen1 tcpreplay[812]: {line}\n" for line in MIXED_4_4_2.splitlines())
    assert parse("".join(lines)) == STATS_4_4_2


def test_stdout_may_break_anywhere_at_a_piece_of_stderr():
    stdout = MIXED_4_4_2.replace("Switching network driver for v0 to normal mode... ", "").partition("done!\n")[2]
    stdout = stdout.replace("done!\n", "")
    switching = "Switching network driver for netmap:v0 to normal mode... "
    warning = "Warning in send_packets.c:send_packets() line 489:\nUnable to send packet: User abort\n"
    for piece in ("done!\n", "File Cache is enabled\n", switching, warning):
        for position in range(len(stdout)):
            stats = parse(stdout[:position] + piece + stdout[position:])
            assert stats == {**STATS_4_4_2, "interrupted": piece is warning}, stdout[:position]


def test_a_warning_does_not_swallow_statistics():
    assert parse("Warning: odd " + MIXED_4_4_2.replace("\n", " "))["packets"] == 193533


@pytest.mark.parametrize("text", ["", "\n", "Actual: 5 packets (", "sent in 1.42 seconds", RECORDED["no_file.stderr"]])
def test_nothing_printed(text):
    stats = parse(text)
    assert (stats["packets"], stats["pps"], stats["devices"], stats["samples"]) == (None, None, [], [])
    # It prints no statistics if, and only if, it sent no byte. This is known only of a run that came to its end.
    assert parse(text, exit_status=255)["packets"] is None
    ended = parse(text, exit_status=0)
    assert (ended["packets"], ended["bytes"], ended["pps"]) == (0, 0, None)


def test_a_log_cut_short_has_nulls_for_what_is_missing():
    stats = parse(MIXED_4_4_2[: MIXED_4_4_2.index("\tTruncated")])
    assert stats["devices"][0]["failed_packets"] == 0
    assert stats["devices"][0]["truncated_packets"] is None


@pytest.mark.parametrize("log", [MIXED_4_4_2 + OLD, RECORDED["killed.stdout"] * 2])
def test_several_runs_in_one_log(log):
    with pytest.raises(TrafficgenError, match="more than one run"):
        parse(log)


@pytest.mark.parametrize(
    "noise",
    [
        *("Actual: ", "Actual: 1 packets (1 bytes) sent in 1.0 seconds", "Rated: ", "Flows: 1 flows, "),
        *("Statistics for network device: x\n", "Warning: ", "Warning in ", "Switching network driver for "),
        *("\x1b[", "\x1b]", "\x1b[0;", "1", " ", "\n", "Actual:\n\n\n\n\n\n\n\n", "done!\n"),
    ],
)
def test_a_megabyte_of_noise(noise):
    started = time.process_time()
    text = noise * (1_000_000 // len(noise)) + "\n" + MIXED_4_4_2
    if _RATE.match(noise):  # which is a run each
        with pytest.raises(TrafficgenError, match="more than one run"):
            parse(text)
    else:
        assert parse(text)["packets"] == 193533
    assert time.process_time() - started < 1


# 4.4.3's forms.
RUN = """\
Actual: 4100 packets (410000 bytes) sent in 2.05 seconds
Rated: 200000.0 Bps, 1.60 Mbps, 2000.00 pps
Flows: 7 flows, 3.41 fps, 4090 unique flow packets, 10 unique non-flow packets
Statistics for network device: eth1
\tSuccessful packets:        4100
\tFailed packets:            0
\tTruncated packets:         0
\tRetried packets (ENOBUFS): 3
\tRetried packets (EAGAIN):  4
"""
OTHER = RUN.replace("4100", "8200").replace("410000", "820000").replace("2.05", "4.10").replace("eth1", "eth2")
PAIR, OTHER_PAIR = ("".join(run.splitlines(keepends=True)[:2]) for run in (RUN, OTHER))
RUN_STATS = parse(RUN)


def by_turns(one, other, first="", second=""):
    return "".join(f"{first}{mine}\n{second}{its}\n" for mine, its in zip(one.splitlines(), other.splitlines()))


def without(run, *words):
    return "".join(line for line in run.splitlines(keepends=True) if not line.strip().startswith(words))


def before_each(text, *prefixes):
    return "".join(f"{prefixes[number % len(prefixes)]}{line}\n" for number, line in enumerate(text.splitlines()))


NOT_GREPPED = ("Statistics", "Successful", "Failed", "Truncated", "Retried")
STATS_RUN = (
    "Test start: 2026-11-23 05:55:28.371355 ...\n"
    + PAIR.replace("4100", "2000")
    + "Test complete: 2026-11-23 05:55:31.701359\n"
)


@pytest.mark.parametrize(
    "log",
    [
        by_turns(RUN, OTHER, "gen1 | ", "gen2 | "),  # docker compose logs
        by_turns(RUN, OTHER),
        by_turns(without(RUN, "Flows"), without(OTHER, "Flows")),
        by_turns(PAIR, OTHER_PAIR),
        RUN + OTHER,
        OTHER_PAIR + PAIR,
        PAIR + OTHER_PAIR.replace("820000", "300000"),  # fewer bytes than before
        PAIR + OTHER_PAIR.replace("4.10", "1.10"),  # or less time
        before_each(PAIR, "[pod/gen-x7k2p/tcpreplay] ")
        + before_each(OTHER_PAIR, "[pod/gen-9zqw4/tcpreplay] "),  # kubectl --prefix
        before_each(PAIR, "one.log:") + before_each(OTHER_PAIR, "two.log:"),  # grep in two files
        before_each(PAIR, "Nov 23 02:30:37 gen tcpreplay[811]: ")
        + before_each(OTHER_PAIR, "Nov 23 02:31:37 gen tcpreplay[907]: "),
        without(RUN, *NOT_GREPPED) + without(OTHER, *NOT_GREPPED),  # grep -E "Actual|Rated|Flows"
        STATS_RUN + PAIR + STATS_RUN.replace("2000", "5000") + OTHER_PAIR,
        STATS_RUN + PAIR + OTHER_PAIR,  # a pair too many after its end
        PAIR + STATS_RUN.replace("2000", "5000"),  # or before its beginning
        RUN + RUN[RUN.index("Statistics") :],
    ],
)
def test_runs_that_can_be_told_apart(log):
    with pytest.raises(TrafficgenError, match="more than one run of tcpreplay, or lines of it are missing"):
        parse(log)


def test_runs_that_cannot_be_told_from_samples():
    grepped = read_log(PAIR + OTHER_PAIR)
    assert (grepped.one_run, grepped.stats["packets"], len(grepped.stats["samples"])) == (False, 8200, 1)
    assert read_log(RUN).one_run and read_log(PAIR).one_run
    assert read_log(RECORDED["stats.stdout"]).one_run
    assert read_log(RECORDED["killed.stdout"]).one_run  # it has its Test start:


def test_a_log_of_tcpreplay_3():
    log = "Actual: 4100 packets (410000 bytes) sent in {0} seconds.\t\tRated: {1} bps, 1.53 Mbps, 2000.00 pps\n"
    for seconds, rate in (("2.05", "200000.0"), ("-1362772353.61", "-0.0")):
        with pytest.raises(TrafficgenError, match="is of tcpreplay 3, whose `Rated:` is in bps"):
            parse(log.format(seconds, rate))


def in_json(text):
    return json.dumps({"changed": True, "rc": 0, "stdout": text, "stdout_lines": text.splitlines(), "stderr": ""})


def in_csv(text):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(
        [number, line, "stdout"] for number, line in enumerate(text.splitlines())
    )
    return out.getvalue()


def of_container(text):
    return "".join(
        json.dumps({"log": f"{line}\n", "stream": "stdout", "time": f"2026-11-28T12:00:0{number}.12345678Z"}) + "\n"
        for number, line in enumerate(text.splitlines())
    )


def table(text):
    width = max(map(len, text.splitlines()))
    return "".join(f"| {line.strip():{width}} |\n" for line in text.splitlines())


# Other programs' own quotation, where Python has it.
QUOTED = {
    "ansible -v": lambda text: "changed: [gen1] => " + in_json(text.strip()),
    "ansible -vvv": lambda text: "changed: [gen1] => " + json.dumps(json.loads(in_json(text)), indent=4),
    "ansible debug": lambda text: "ok: [gen1] => " + json.dumps({"run.stdout_lines": text.splitlines()}, indent=4),
    "json of json": lambda text: json.dumps({"message": json.dumps({"log": text})}),
    "container": of_container,
    "cri": lambda text: before_each(text, "2026-11-28T12:00:00.123456789Z stdout F "),
    "journal": lambda text: before_each(text, "Nov 28 12:00:01 gen1 tcpreplay[812]: "),
    "journal at midnight": lambda text: before_each(
        text, "Nov 30 23:59:59 gen1 tcpreplay[812]: ", "Dec 1 00:00:00 gen1 tcpreplay[812]: "
    ),
    "rsyslog": lambda text: "Nov 28 12:00:01 gen1 tcpreplay: " + text.replace("\n", "#012").replace("\t", "#011"),
    "grep -n": lambda text: "".join(f"run.log:{number}: {line}\n" for number, line in enumerate(text.splitlines())),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "repr of lines": lambda text: repr(text.splitlines()),
    "repr of a result": lambda text: repr({"stdout": text, "stdout_lines": text.splitlines()}),
    "csv": in_csv,
    "yaml": lambda text: yaml.safe_dump({"stdout_lines": text.splitlines()}),
    "yaml block": lambda text: yaml.safe_dump({"stdout": text.replace("\t", "  ")}, default_style="|"),
    "html": lambda text: "<pre>" + html.escape(text) + "</pre>",
    "html lines": lambda text: "<br>\n".join(html.escape(text).splitlines()),
    "html on one line": lambda text: "<br/>".join(html.escape(text).splitlines()),
    "html table": lambda text: "".join(
        f"<tr><td>{html.escape(line)}</td><td>gen1</td></tr>\n" for line in text.splitlines()
    ),
    "markdown": lambda text: f"```\n{text}```\n",
    "markdown ticks": lambda text: "".join(f"`{line.strip()}`  \n" for line in text.splitlines()),
    "reStructuredText": lambda text: "".join(f"        `` {line.strip()}`` \\\n" for line in text.splitlines()),
    "quoted mail": lambda text: before_each(text, "> > "),
    "table": table,
    "table of two": lambda text: "".join(f"|{line}|gen1|\n" for line in text.splitlines()),
    "csv unquoted": lambda text: before_each("".join(f"{line},stdout\n" for line in text.splitlines()), "1,gen1,"),
}


@pytest.mark.parametrize("tool", QUOTED)
def test_a_log_that_another_tool_has_quoted(tool):
    for run in (RUN, RUN.replace("eth1", "enp0s31f6.4094"), RUN.replace("eth1", "netmap:ens17-0")):
        assert parse(QUOTED[tool](run)) == parse(run)
        assert parse(run)["devices"][0]["interface"] in run.splitlines()[3].split()


@pytest.mark.parametrize(
    "log",
    [
        RUN.replace("4100 packets", "4,100 packets"),
        RUN.replace("Successful packets:        4100", "Successful packets:        4,100"),
        RUN.replace("(ENOBUFS): 3", "(ENOBUFS): 3'000"),
        RUN.replace("Failed packets:            0", "Failed packets: | 0"),
        PAIR
        + OTHER.replace("1.60 Mbps,", "1.60 Mbps,\n> "),  # wrapped by a mail program: the total, not a sample, is lost
        OTHER.replace("200000.0 Bps", "200,000.0 Bps"),
        PAIR + OTHER.replace("200000.0 Bps", "200,000.0 Bps").replace("8200 packets", "8,200 packets"),
        RUN.replace("eth1", "/dev/tap0"),
        RUN.replace("eth1", "a-name-of-16-bytes"),
        json.dumps({"message": in_json(RUN)}),  # twice, in a quotation of a quotation
    ],
)
def test_what_cannot_be_read_whole_is_an_error(log):
    with pytest.raises(TrafficgenError, match=r"cannot read a line|not an interface's name|more than one run") as error:
        if parse(log)["packets"] is None:  # the filter's own error
            raise TrafficgenError("cannot read a line", on="log")
    assert error.value.message
