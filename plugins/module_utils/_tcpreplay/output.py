# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse tcpreplay's output into the ``stats`` tree. Versions 4.0 to 4.6; pure.

The forms are those of ``packet_stats()`` (src/common/utils.c), ``flow_stats()`` (src/tcpreplay.c) and
``sendpacket_getstat()`` (src/common/sendpacket.c) at upstream's tags v4.0.0 to v4.6.0-beta2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# Noise of a terminal: CSI and OSC sequences, other escapes, control characters.
_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)

# What tcpreplay writes to stderr during a good run. If both streams share a pipe, these pieces may stand inside a line
# of stdout, which is whole again without them. No pattern may swallow a line of statistics.
_STDERR = re.compile(
    r"Switching network driver for [^\s]{1,80} to (?:netmap bypass|normal) mode\.\.\.[ ]?"
    r"|(?:done|failed)!\n"
    r"|File Cache is enabled\n"
    r"|[ ]User interrupt\.\.\.\n|sendpacket_abort\n"
    r"|Warning(?: in [^\s]{1,80} line \d{1,6})?:\s[^\n]*\n?"
)
_STATISTICS = ("Actual:", "Rated:", "Flows:", "Statistics for")
_INTERRUPTED = re.compile(r"User interrupt\.\.\.|sendpacket_abort|Unable to send packet: User abort")

# Accept any white space between words: a log has its own indent, wrapping and line ends.
_INTEGER = r"(\d{1,20})"
_DECIMAL = r"(\d{1,20}\.\d{1,6})"


def _words(text: str) -> str:
    return text.replace(" ", r"\s{1,40}").replace("#", _INTEGER).replace("~", _DECIMAL)


_RATE = re.compile(
    _words(r"Actual: # packets \(# bytes\) sent in ~ seconds") + r"(\.?)|" + _words(r"Rated: ~ Bps, ~ Mbps, ~ pps")
)
_SAYS_MORE = re.compile(r"\S")
_FLOWS = re.compile(
    "{}(?:{})?{}".format(
        _words("Flows: # flows, "),
        _words("# unique, # expired, "),
        _words("~ fps, #(?: unique)? flow packets, #(?: unique)? non-flow"),
    )
)
# Not the first digits of "4,100".
_WHOLE = r"(?![\d.,'_]{0,3}\d)"
_WRITE_ATTEMPTS = re.compile(_words("Failed write attempts: #") + _WHOLE + "|" + _words("# write attempts failed"))
_DEVICE = re.compile(_words(r"Statistics for network device: ") + r"(?=([^\n]{0,300}))")
_LABEL = _words(
    r"(Successful packets|Failed packets|Truncated packets|Retried packets \(ENOBUFS\)|Retried packets \(EAGAIN\)):"
)
_COUNTER = re.compile(_LABEL + rf"(?:\s{{1,40}}{_INTEGER}{_WHOLE})?")
# The beginning of a line of _RATE, whatever follows.
_BEGUN = re.compile(r"Actual:\s{1,40}[\d.,'_-]{1,40}\s{1,40}packets|Rated:\s{1,40}[\d.,'_-]{1,40}\s{1,40}Bps")
_STARTED, _COMPLETE = re.compile(r"Test start:\s{1,40}\d"), re.compile(r"Test complete:\s{1,40}\d")
# 3.x: bytes a second, called bps, and Mbps of 2^20 bits.
_THREE = re.compile(r"Rated:\s{1,40}-?[\d.]{1,40}\s{1,40}bps,")
# Ansible shows a program's output twice, as text and as lines.
_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_AGAIN = re.compile(
    rf"""["']stdout_lines["']:\s{{0,9}}\[(?:\s{{0,200}}{_STRING}(?:\s{{0,9}},\s{{0,200}}{_STRING})*)?\s{{0,200}}\]"""
)
_ONCE = re.compile(r"""["']stdout["']:\s{0,9}["']""")
# The parts of a prefix that differ between the lines of one run: times and counts.
_CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d(?:T[\d:.]{5,20}Z?)?|\d{1,2}:\d\d:\d\d[.,\d]{0,10}|:\d{1,9}:(?=\s|$)|\d{9,20}(?:\.\d{1,9})?"
)
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec),?")
_LONGEST_NAME = 15  # bytes of an interface's name: IFNAMSIZ less the zero
_LONGEST_PORT = 31  # of netmap's, with its ring and flags
_COUNTERS = {
    "Successful packets": "successful_packets",
    "Failed packets": "failed_packets",
    "Truncated packets": "truncated_packets",
    "Retried packets (ENOBUFS)": "retried_enobufs",
    "Retried packets (EAGAIN)": "retried_eagain",
}
_MOST_DEVICES = 2  # --intf1 and --intf2
# What follows a statistics line that is not the last one.
_MORE = re.compile(r"Actual:|Rated:|Flows:|Statistics for")
_AFTER_ACTUAL = re.compile(r"Actual:|Flows:|Statistics for")
_MEASURES = ("packets", "bytes", "seconds", "bytes_per_second", "mbps", "pps")


def _without_terminal(text: str) -> str:
    return _TERMINAL.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")


def _without_stderr(text: str) -> str:
    return _STDERR.sub(lambda piece: piece[0] if any(word in piece[0] for word in _STATISTICS) else "", text)


@dataclass(frozen=True)
class _Pair:
    """A complete pair of lines: where it starts and ends, and where its ``Rated:`` is."""

    measures: dict[str, Any]
    start: int
    rated: int
    end: int


def _pairs(text: str) -> list[_Pair]:
    """Each complete pair of lines. A log's own prefix may stand between the two."""
    found = []
    actual = None
    for line in _RATE.finditer(text):
        if line[1]:
            actual = line
        elif actual:
            packets, size, seconds, full_stop = actual.groups()[:4]
            whole, fraction = seconds.split(".")
            if full_stop and len(fraction) == 2:
                # Up to 4.1.2 (its line ends with a full stop) the two digits count tenths: "1.05" is a second and a
                # half.
                seconds = f"{whole}.{int(fraction)}"
            values = (int(packets), int(size), *map(float, (seconds, *line.groups()[4:])))
            found.append(_Pair(dict(zip(_MEASURES, values)), actual.start(), line.start(), line.end()))
            actual = None
    return found


def last_measures(text: str) -> dict[str, Any] | None:
    """The last complete pair of lines in tcpreplay's output so far; the output's beginning may be missing."""
    pairs = _pairs(_without_stderr(_without_terminal(text)))
    return pairs[-1].measures if pairs else None


def _devices(text: str, start: int, ending: str) -> list[dict[str, Any]]:
    """The statistics of each device after ``start``; ``ending``: from :func:`_ending`."""
    devices: list[dict[str, Any]] = []
    heads = list(_DEVICE.finditer(text, start))
    for head, following in zip(heads, [*heads[1:], None]):
        device: dict[str, Any] = {"interface": _name(head[1], ending), **dict.fromkeys(_COUNTERS.values())}
        for found in _COUNTER.finditer(text, head.start(1), following.start() if following else len(text)):
            label = _COUNTERS[" ".join(found[1].split())]
            if found[2] is None and _SAYS_MORE.search(text, found.end()):
                raise _unreadable(text, found.start())
            if device[label] is not None:  # interleaved lines of two runs
                raise _several()
            device[label] = _integer(found[2])
        devices.append(device)
    if len(devices) > _MOST_DEVICES or len({device["interface"] for device in devices}) < len(devices):
        raise _several()
    return devices


def _ending(text: str, pairs: Sequence[_Pair]) -> str:
    """The character after ``Rated:`` with which a quoting tool ends a line, such as a quotation mark; else empty."""
    if not pairs:
        return ""
    sign = _line_from(text, pairs[-1].end).strip()[:1]
    # A space or letters after it mean that the line lost its end.
    return "" if sign.isalnum() else sign


def _name(rest: str, ending: str) -> str:
    """The interface's name at the beginning of a line's rest."""
    quoted = rest.partition(ending)[0].rstrip() if ending else rest
    name = (quoted.split() or [""])[0]
    port = re.match(r"netmap:|vale[^\s:]*:", name)
    longest = _LONGEST_PORT if port else _LONGEST_NAME
    own = name.removeprefix(port[0]) if port else name
    if not name or "/" in name or len(own.encode("utf-8", "replace")) > longest:
        raise TrafficgenError(
            f"{(name or rest.strip())[:60]!r} is not an interface's name: another tool has quoted or cut this log",
            on="log",
            remedy="Give what tcpreplay printed.",
        )
    return name


def _several() -> TrafficgenError:
    return TrafficgenError(
        "holds more than one run of tcpreplay, or lines of it are missing",
        on="log",
        remedy="Give the log of one run at a time.",
    )


def _line_from(text: str, at: int) -> str:
    """What stands at a place up to the end of its line, 80 characters at most."""
    end = at + 80
    return text[at:end].partition("\n")[0]


def _unreadable(text: str, at: int) -> TrafficgenError:
    line = " ".join(_line_from(text, at).split())
    return TrafficgenError(
        "cannot read a line in it", on="log", said=line, remedy="Give what tcpreplay printed, as it printed it."
    )


def _sources(text: str, starts: Iterable[int]) -> set[frozenset[str]]:
    """The source of lines, by the prefix another tool has put before them: host, container, file or process."""
    found = set()
    for start in starts:
        at = max(0, start - 200)
        before = text[at:start].rpartition("\n")[2]
        if not any(word in before for word in _STATISTICS):
            words = _CHANGING.sub(" ", before).split()
            found.add(
                frozenset(word for word in words if any(sign.isalpha() for sign in word) and not _DATE.fullmatch(word))
            )
    return found - {frozenset()}


def _check_one_run(text: str, pairs: Sequence[_Pair]) -> bool:
    """Raise :class:`TrafficgenError` if the text holds more than one run or an incomplete line.

    :return: whether it is known to be one run. Pairs of lines without those of --stats may be samples or several runs.
    """
    if _THREE.search(text):
        raise TrafficgenError(
            "is of tcpreplay 3, whose `Rated:` is in bps, which there are bytes",
            on="log",
            remedy="Send again with 4.0 or later.",
        )
    whole = {start for pair in pairs for start in (pair.start, pair.rated)}
    first, last = (pairs[0].start, pairs[-1].end) if pairs else (0, 0)
    lines = {line.start() for line in _RATE.finditer(text)}
    for begun in _BEGUN.finditer(text):
        at = begun.start()
        if at in whole:
            continue
        # A log may be cut at its very beginning or end: by `tail`, or because the run was killed.
        if at not in lines and _MORE.search(text, begun.end()):
            raise _unreadable(text, at)
        if at in lines and (
            _AFTER_ACTUAL.search(text, begun.end()) if text.startswith("Actual", at) else pairs and at > first
        ):
            raise _several()
    measures = [pair.measures for pair in pairs]
    falling = any(
        later[name] < earlier[name]
        for earlier, later in zip(measures, measures[1:])
        for name in ("packets", "bytes", "seconds")
    )
    started, complete = ([found.start() for found in form.finditer(text)] for form in (_STARTED, _COMPLETE))
    if falling or _DEVICE.search(text, first, last) or len(_sources(text, whole)) > 1:
        raise _several()
    if max(len(started), len(complete), sum(1 for _found in _FLOWS.finditer(text, first))) > 1:
        raise _several()
    if any(pair.start < at for pair in pairs for at in started):
        raise _several()
    if sum(pair.start > at for pair in pairs for at in complete) > 1:
        raise _several()
    return len(pairs) < 2 or bool(started or complete)


@dataclass(frozen=True)
class Log:
    """A log as read. ``one_run``: False if its pairs of lines may be one run's samples or several runs."""

    stats: dict[str, Any]
    one_run: bool


def parse(stdout: str, stderr: str = "", *, exit_status: int | None = None) -> dict[str, Any]:
    """The ``stats`` tree of :func:`read_log`."""
    return read_log(stdout, stderr, exit_status=exit_status).stats


def read_log(stdout: str, stderr: str = "", *, exit_status: int | None = None) -> Log:
    """The statistics that tcpreplay printed for one run.

    ``pps`` is the rate tcpreplay printed. Packets divided by seconds differ, as the seconds have only two decimals.
    ``Mbps`` counts the bytes in the pcap and is cut, not rounded. Of several ``Actual:``/``Rated:`` pairs
    (``--stats``), each cumulative, the last is the total and the others are the samples. After an interrupt the devices
    may count one packet less than ``packets``.

    :param stdout: its output; or a whole log with both streams mixed, or as quoted by another tool.
    :param stderr: its other stream, read only for signs of an interrupt.
    :param exit_status: of a run that has ended. tcpreplay prints no statistics exactly if it sent no byte. So without
        statistics ``packets`` and ``bytes`` are 0 for status 0, else unknown: null, as all other measures.
    :raises TrafficgenError: the text holds more than one run, or a line that cannot be parsed.
    """
    log = _without_terminal(stdout)
    text = _without_stderr(_AGAIN.sub("", log) if _ONCE.search(log) else log)
    pairs = _pairs(text)
    one_run = _check_one_run(text, pairs)
    measures = [pair.measures for pair in pairs]
    end = pairs[-1].end if pairs else 0
    nothing = 0 if exit_status == 0 else None
    total = measures[-1] if measures else {**dict.fromkeys(_MEASURES), "packets": nothing, "bytes": nothing}
    flows = _FLOWS.search(text, end)
    count, unique, expired, per_second, flow_packets, non_flow = flows.groups() if flows else (None,) * 6
    attempts = _WRITE_ATTEMPTS.search(text, end)
    stats = {
        **total,
        "flows": _integer(count),
        "flows_per_second": None if per_second is None else float(per_second),
        "flow_packets": _integer(flow_packets),
        "non_flow_packets": _integer(non_flow),
        "flows_unique": _integer(unique),
        "flows_expired": _integer(expired),
        "failed_write_attempts": int(attempts[1] or attempts[2]) if attempts else 0,
        "interrupted": any(_INTERRUPTED.search(stream) for stream in (log, stderr)),
        "devices": _devices(text, end, _ending(text, pairs)),
        "samples": measures[:-1],
    }
    return Log(stats, one_run)


def _integer(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
