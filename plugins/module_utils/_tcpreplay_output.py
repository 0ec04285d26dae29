# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tcpreplay prints of a run, as the ``stats`` tree. Versions 4.0 to 4.6; pure.

The forms are those of ``packet_stats()`` (src/common/utils.c), ``flow_stats()`` (src/tcpreplay.c) and ``sendpacket_getstat()``
(src/common/sendpacket.c) at upstream's tags v4.0.0 to v4.6.0-beta2.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# Noise of a terminal: CSI and OSC sequences, other escapes, control characters.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# What tcpreplay writes to stderr in the course of a good run. Where both streams went into one pipe these pieces stand anywhere, a
# line of stdout begins or breaks at them, and without them it is whole again. No piece may swallow a line of statistics.
_STDERR = re.compile(
    r"Switching network driver for [^\s]{1,80} to (?:netmap bypass|normal) mode\.\.\.[ ]?"
    r"|(?:done|failed)!\n"
    r"|File Cache is enabled\n"
    r"|[ ]User interrupt\.\.\.\n|sendpacket_abort\n"
    r"|Warning(?: in [^\s]{1,80} line \d{1,6})?:\s[^\n]*\n?"
)
_STATISTICS = ("Actual:", "Rated:", "Flows:", "Statistics for")
_INTERRUPTED = re.compile(r"User interrupt\.\.\.|sendpacket_abort|Unable to send packet: User abort")

# Words may be set apart by any white space: a log's indent, wrapping and line ends are not tcpreplay's.
_INTEGER = r"(\d{1,20})"
_DECIMAL = r"(\d{1,20}\.\d{1,6})"


def _words(text: str) -> str:
    return text.replace(" ", r"\s{1,40}").replace("#", _INTEGER).replace("~", _DECIMAL)


_RATE = re.compile(_words(r"Actual: # packets \(# bytes\) sent in ~ seconds") + r"(\.?)|" + _words(r"Rated: ~ Bps, ~ Mbps, ~ pps"))
_FLOWS = re.compile(
    _words(r"Flows: # flows, ")
    + rf"(?:{_words('# unique, # expired, ')})?"
    + _words("~ fps, #(?: unique)? flow packets, #(?: unique)? non-flow")
)
_WRITE_ATTEMPTS = re.compile(_words("Failed write attempts: #") + "|" + _words("# write attempts failed"))
_DEVICE = re.compile(_words(r"Statistics for network device: ") + r"([^\s]{1,80})")
_COUNTER = re.compile(
    _words(r"(Successful packets|Failed packets|Truncated packets|Retried packets \(ENOBUFS\)|Retried packets \(EAGAIN\)): #")
)
_COUNTERS = {
    "Successful packets": "successful_packets",
    "Failed packets": "failed_packets",
    "Truncated packets": "truncated_packets",
    "Retried packets (ENOBUFS)": "retried_enobufs",
    "Retried packets (EAGAIN)": "retried_eagain",
}
_MEASURES = ("packets", "bytes", "seconds", "bytes_per_second", "mbps", "pps")


def _without_terminal(text: str) -> str:
    return _TERMINAL.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")


def _without_stderr(text: str) -> str:
    return _STDERR.sub(lambda piece: piece[0] if any(word in piece[0] for word in _STATISTICS) else "", text)


def _measures(text: str) -> list[tuple[dict[str, Any], int, int]]:
    """Each whole pair of lines, with where it starts and ends. A log's own prefixes may stand between the two."""
    found = []
    actual = None
    for line in _RATE.finditer(text):
        if line[1]:
            actual = line
        elif actual:
            packets, size, seconds, full_stop = actual.groups()[:4]
            whole, fraction = seconds.split(".")
            if full_stop and len(fraction) == 2:
                # Up to 4.1.2, whose line ends with a full stop, the two digits are a count of tenths: "1.05" is a second and a half.
                seconds = f"{whole}.{int(fraction)}"
            values = (int(packets), int(size), *map(float, (seconds, *line.groups()[4:])))
            found.append((dict(zip(_MEASURES, values)), actual.start(), line.end()))
            actual = None
    return found


def last_measures(text: str) -> dict[str, Any] | None:
    """The last whole pair of lines in what tcpreplay printed so far; its beginning may be missing."""
    pairs = _measures(_without_stderr(_without_terminal(text)))
    return pairs[-1][0] if pairs else None


def _devices(text: str, start: int) -> list[dict[str, Any]]:
    devices = []
    heads = list(_DEVICE.finditer(text, start))
    for head, following in zip(heads, [*heads[1:], None]):
        device: dict[str, Any] = {"interface": head[1], **dict.fromkeys(_COUNTERS.values())}
        for label, count in _COUNTER.findall(text, head.end(), following.start() if following else len(text)):
            device[_COUNTERS[" ".join(label.split())]] = int(count)
        devices.append(device)
    return devices


def parse(stdout: str, stderr: str = "", *, exit_status: int | None = None) -> dict[str, Any]:
    """The ``stats`` tree of one run, as tcpreplay said it.

    ``pps`` is the rate tcpreplay printed; packets divided by seconds is not it, as the seconds have but two decimals. ``Mbps`` counts
    the bytes in the pcap and is cut, not rounded. Of several ``Actual:``/``Rated:`` pairs (``--stats``), each cumulative, the last is
    the total and the others are the samples. After an interrupt the devices may count one packet less than ``packets``.

    :param stdout: what it printed; or the whole of a log in which the two streams were mixed.
    :param stderr: its other stream, read for the signs of an interrupt only.
    :param exit_status: of a run that has ended. tcpreplay prints no statistics exactly when it sent no byte, so for status 0
        ``packets`` and ``bytes`` are then 0; else what it sent is unknown, and they are null as all other measures are.
    :raises TrafficgenError: where the text holds more than one run.
    """
    log = _without_terminal(stdout)
    text = _without_stderr(log)
    pairs = _measures(text)
    measures = [pair[0] for pair in pairs]
    start, end = (pairs[0][1], pairs[-1][2]) if pairs else (0, 0)
    falling = any(later["packets"] < earlier["packets"] for earlier, later in zip(measures, measures[1:]))
    if falling or _DEVICE.search(text, start, end):
        raise TrafficgenError("holds more than one run of tcpreplay", on="log", remedy="Give the log of one run at a time.")
    nothing = 0 if exit_status == 0 else None
    total = measures[-1] if measures else {**dict.fromkeys(_MEASURES), "packets": nothing, "bytes": nothing}
    flows = _FLOWS.search(text, end)
    count, unique, expired, per_second, flow_packets, non_flow = flows.groups() if flows else (None,) * 6
    attempts = _WRITE_ATTEMPTS.search(text, end)
    return {
        **total,
        "flows": _integer(count),
        "flows_per_second": None if per_second is None else float(per_second),
        "flow_packets": _integer(flow_packets),
        "non_flow_packets": _integer(non_flow),
        "flows_unique": _integer(unique),
        "flows_expired": _integer(expired),
        "failed_write_attempts": int(attempts[1] or attempts[2]) if attempts else 0,
        "interrupted": any(_INTERRUPTED.search(stream) for stream in (log, stderr)),
        "devices": _devices(text, end),
        "samples": measures[:-1],
    }


def _integer(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
