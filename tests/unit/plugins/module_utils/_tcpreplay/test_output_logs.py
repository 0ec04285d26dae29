# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of several runs, and what other tools make of a log."""

from __future__ import annotations

import csv
import html
import io
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import parse, read_log

FIXTURES = Path(__file__).parents[4] / "fixtures" / "tcpreplay_output"

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
    assert read_log((FIXTURES / "stats.stdout").read_text()).one_run
    assert read_log((FIXTURES / "killed.stdout").read_text()).one_run  # it has its Test start:


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
    with pytest.raises(TrafficgenError, match=r"cannot read a line|no name of an interface|more than one run") as error:
        if parse(log)["packets"] is None:  # the filter's own error
            raise TrafficgenError("cannot read a line", on="log")
    assert error.value.message
