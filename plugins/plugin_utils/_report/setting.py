# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test's setting (hosts, traffic, the role's variables) and each trial. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import (
    NUMBER,
    TEXT,
    Cell,
    Column,
    Section,
    Table,
    no_figure,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.numbers import (
    DASH,
    TIMES,
    as_text,
    bps_figure,
    count,
    dig,
    duration,
    is_number,
    number,
    one_line,
    pps_figure,
    rate_label,
    share,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.rates import missed_rate
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.searches import search_trials
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.statistics import (
    AF_XDP,
    VERDICT_LOOK,
    engine_of,
    workers_of,
)

_HOSTS = 4  # so many columns fit on paper


def setting_sections(result: Mapping[str, Any]) -> list[Section]:
    """The test's setting and all of its trials."""
    made = [Section("The setting", tables=[*_host_tables(result["hosts"]), _traffic_table(result)])]
    streams = [entry for entry in result["traffic"] if entry.get("streams")]
    if streams:
        columns: list[Column[Any]] = [
            Column("Traffic", TEXT, lambda entry: as_text(entry["name"])),
            Column("Streams", TEXT, lambda entry: Cell(as_text(entry["streams"]), look="code")),
        ]
        made.append(Section("Traffic specs", tables=[Table.of("Traffic specs", columns, streams)], folded=True))
    made.append(_variables_section(result))
    if result["trials"]:
        made.append(_trial_section(result))
    searches = [entry for entry in result["searches"] if entry.get("trials")]
    if searches:
        many_hosts = len({as_text(entry.get("host")) for entry in searches}) > 1
        tables = [search_trials(entry, many_hosts) for entry in searches]
        made.append(Section("Each search trial", tables=tables, folded=True))
    return made


def host_settings(host: Mapping[str, Any]) -> dict[str, str]:
    """A host in words."""

    def have(*names: str, none: str = DASH) -> str:
        value = dig(host, *names)
        return none if value is None else as_text(value)

    def sides(name: str) -> str:
        tree = dig(host, "interface", name)
        known = isinstance(tree, Mapping)
        return f"tx {as_text(tree.get('tx'))}, rx {as_text(tree.get('rx'))}" if known else "not reported by the driver"

    def clock() -> str:
        offset, doubt = dig(host, "clock", "offset_seconds"), dig(host, "clock", "uncertainty_seconds")
        if not is_number(offset):
            return "not measured"
        return f"{offset * 1000:+.2f} ms, ± {number(doubt * 1000 if is_number(doubt) else None, 2)} ms"

    speed, loaded = dig(host, "interface", "link_speed_mbps"), dig(host, "netmap", "loaded")
    no_line = "no line rate: a virtual link, or its speed is unknown"
    mode = f"loaded, {have('netmap', 'mode', none='mode not known')}" if loaded else "not loaded"
    return {
        "Interface": have("interface", "name"),
        "Namespace": have("interface", "netns", none="none"),
        "Driver": have("interface", "driver"),
        "Bus": have("interface", "bus_info", none="none"),
        "Line": bps_figure(speed) if is_number(speed) else no_line,
        "MTU": have("interface", "mtu"),
        "MAC address": have("interface", "mac_address"),
        "Ring sizes": sides("rings"),
        "Flow control": sides("pause"),
        "Receiver": _receiver(dig(host, "receiver")),
        "Kernel": have("kernel"),
        "Distribution": have("distribution"),
        "CPU": f"{have('cpu', 'count')} {TIMES} {have('cpu', 'model')}" if dig(host, "cpu") else DASH,
        "Memory": f"{number(dig(host, 'memory_mb'))} MB",
        "Virtualization": have("virtualization", none="none found"),
        "tuned profile": have("tuned_profile", none="none"),
        "tcpreplay pinned to CPU": have("cpu_list", none="not pinned"),
        "tcpreplay": f"{have('tcpreplay', 'version')}, {have('tcpreplay', 'executable')}"
        if dig(host, "tcpreplay")
        else "not used",
        "tcpreplay has netmap": have("tcpreplay", "netmap", none="not known"),
        "netmap": DASH if loaded is None else mode,
        "netmap commit": have("netmap", "commit"),
        "Clock against the controller's": clock(),
    }


def _receiver(receiver: Any) -> str:
    if not isinstance(receiver, Mapping):
        return "none: what arrived was not counted"
    where = as_text(receiver.get("interface")) + (f" in {receiver['netns']}" if receiver.get("netns") else "")
    return f"{where} on {as_text(receiver.get('host'))}, counted by {as_text(receiver.get('counted_by'))}"


def _host_tables(hosts: Mapping[str, Any]) -> list[Table]:
    known = {name: host_settings(host) for name, host in hosts.items()}
    keys = list(next(iter(known.values()), {}))

    def of_host(name: str) -> Callable[[str], Cell]:
        why = "not in the result: it could not be read, or does not exist"
        return lambda key: Cell(known[name][key], notes=(why,) if DASH in known[name][key] else ())

    made = []
    names = list(known)
    for begin in range(0, len(names), _HOSTS):
        of_each = (Column(name, TEXT, of_host(name)) for name in islice(names, begin, begin + _HOSTS))
        made.append(Table.of("Hosts", [Column("Setting", TEXT, str), *of_each], keys))
    return made


def _traffic_table(result: Mapping[str, Any]) -> Table:
    def figure(key: str, why: str = "not known") -> Callable[[Any], Cell]:
        def cell(entry: Any) -> Cell:
            value = entry.get(key)
            text = number(value, 0 if not isinstance(value, float) or value.is_integer() else 1)
            return no_figure(why) if text == DASH else Cell(text)

        return cell

    def word(key: str) -> Callable[[Any], Cell]:
        return lambda entry: Cell(text := as_text(entry.get(key)), "", ("not known",) if text == DASH else (), "code")

    columns: list[Column[Any]] = [
        Column("Traffic", TEXT, lambda entry: as_text(entry["name"])),
        Column("IP bytes", NUMBER, figure("ip_size", "not IP over Ethernet")),
        Column("Frame", NUMBER, figure("frame_size")),
        Column("Wire frame", NUMBER, figure("wire_frame_size")),
        Column("Frames", NUMBER, figure("packets")),
        Column("Flows", NUMBER, figure("flows")),
        Column("SHA-256 of the pcap", TEXT, word("sha256")),
        Column("Path", TEXT, word("path")),
    ]
    return Table.of("Traffic", columns, result["traffic"])


def _variables_section(result: Mapping[str, Any]) -> Section:
    settings, estimated = result.get("settings"), result.get("estimated_seconds")
    rows = {
        "collection": result.get("collection_version"),
        "ansible-core": result.get("ansible_version"),
        **(settings if isinstance(settings, Mapping) else {}),
        "estimated time": duration(estimated) if is_number(estimated) else None,
    }
    columns: list[Column[tuple[str, Any]]] = [
        Column("Setting", TEXT, lambda row: str(row[0])),
        Column("Value", TEXT, lambda row: "none" if row[1] is None else as_text(row[1])),
    ]
    table = Table.of("The role's variables, with defaults", columns, rows.items())
    return Section("Settings of the run", tables=[table], folded=True)


def _trial_section(result: Mapping[str, Any]) -> Section:
    columns: list[Column[Any]] = [
        Column("Trial", TEXT, lambda trial: as_text(trial.get("number"))),
        Column("Host", TEXT, lambda trial: as_text(trial["host"])),
        Column("Traffic", TEXT, lambda trial: as_text(trial["traffic"]["name"])),
        Column("Method", TEXT, _method_cell),
        *(
            [Column("Engine", TEXT, _trial_engine)]
            if any(dig(one, "run", "engine") for one in result["trials"])
            else []
        ),
        Column("Asked", TEXT, _trial_asked),
        Column("Repeat", TEXT, _trial_repeat),
        Column("pps", NUMBER, _trial_pps),
        Column("Loss", NUMBER, _trial_loss),
        Column("Verdict", TEXT, _trial_outcome),
        Column("Command", TEXT, _command_cell),
    ]
    return Section("Each trial", tables=[Table.of("Each trial", columns, result["trials"])], folded=True)


def _method_cell(trial: Mapping[str, Any]) -> Cell:
    used, mode = dig(trial, "run", "injection_method"), dig(trial, "run", "netmap_mode")
    return Cell(as_text(used or trial["injection_method"]), as_text(mode) if mode else "")


def _trial_engine(trial: Mapping[str, Any]) -> Cell:
    engine, workers = engine_of(trial.get("run")), workers_of(trial)
    if not engine:
        return no_figure("no engine: the run names none")
    return Cell(engine, count(workers, "worker") if workers > 1 else "")


def _trial_asked(trial: Mapping[str, Any]) -> Cell:
    words = ("capped" if dig(trial, "run", "capped") is True else "", missed_rate(trial))
    return Cell(rate_label(trial["rate"]), ", ".join(word for word in words if word))


def _trial_repeat(trial: Mapping[str, Any]) -> Cell:
    late = dig(trial, "start_delay_seconds")
    return Cell(as_text(trial["repeat"]), f"begun {late * 1000:+.0f} ms" if is_number(late) else "")


def _why_no_figure(trial: Mapping[str, Any]) -> str:
    return "no figure: it was not reported" if trial["status"] == "ok" else "no figure: the trial failed"


def _trial_pps(trial: Mapping[str, Any]) -> Cell:
    pps = dig(trial, "rates", "pps")
    return Cell(pps_figure(pps)) if is_number(pps) else no_figure(_why_no_figure(trial))


def _trial_loss(trial: Mapping[str, Any]) -> Cell:
    ratio = dig(trial, "counters", "loss_ratio")
    if is_number(ratio):
        return Cell(share(ratio))
    if trial["status"] != "ok":
        return no_figure(_why_no_figure(trial))
    counted = dig(trial, "counters", "rx") is not None
    return no_figure("loss unknown: see the verdict" if counted else "loss unknown: nothing counted what arrived")


def _trial_outcome(trial: Mapping[str, Any]) -> Cell:
    ok, ended = trial["status"] == "ok", dig(trial, "run", "ended_by")
    verdict = dig(trial, "counters", "verdict") or "unknown"
    reason = dig(trial, "counters", "reason") if ok else trial.get("error")
    notes = (one_line(str(reason)),) if reason else ()
    detail = f"ended by {ended}" if ended else ""
    return Cell(verdict, detail, notes, VERDICT_LOOK.get(verdict, "")) if ok else Cell("failed", detail, notes, "bad")


def _command_cell(trial: Mapping[str, Any]) -> Cell:
    command = dig(trial, "run", "command")
    if not command and dig(trial, "run", "engine") == AF_XDP:
        return no_figure("no command: xdp_replay sends by itself")
    return Cell(command_line(command), notes=() if command else (_why_no_figure(trial),), look="code")


def command_line(command: Any) -> str:
    """A command with a shell's quoting."""
    return " ".join(shlex.quote(str(word)) for word in command) if isinstance(command, list) else as_text(command)
