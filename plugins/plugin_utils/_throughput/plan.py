# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trials of a test: traffic x methods x rates x repeats, in this order, with warm-ups, and how long they take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    ETHERNET_HEADER,
    RATE_FORMS,
    VLAN_TAG,
    Size,
    plan_rate,
    positive,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import INJECTION_METHODS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import PRESETS
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.estimate import Estimate, estimate
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import (
    bounded,
    hosts_of,
    options_for,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import (
    SEARCHES,
    SearchSettings,
    check_settings,
)
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.overhead import (
    DEVICES,
    TAKING,
    UNKNOWN,
    overhead,
)

# What is compared with the kernel path where a host has it.
CHOSEN = ("af_xdp", "netmap")
_WORKERS = "throughput_workers"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
# The role's variables for the parameters that a remedy names.
_IN_THE_ROLE = {
    "Give max_pps, or wire_frame_size and link_speed_mbps.": "Set throughput_search_options.max_pps, or"
    " throughput_link_speed_mbps.",
    "Give link_speed_mbps.": "Set throughput_link_speed_mbps, or ask for another kind of rate.",
}
# A line above all rates, to check a search's settings before port and frames are known.
_ANY_LINE = {"wire_frame_size": 64, "link_speed_mbps": 1e9}


def check_traffic(traffic: Any) -> list[dict[str, Any]]:
    """The requested traffic, each ``{name, streams | pcap, rates, ip_size}``, or an error."""
    checked: list[dict[str, Any]] = []
    for number, one in enumerate(_filled(traffic, "throughput_traffic", "traffic"), 1):
        on = f"throughput_traffic, entry {number}"
        if not isinstance(one, Mapping) or not _NAME.match(str(one.get("name", ""))):
            raise TrafficgenError(
                "has no name that is valid as a file name",
                on=on,
                remedy="Use letters, digits, dots, dashes and underscores.",
            )
        on = f"throughput_traffic, {one['name']}"
        unknown = sorted(set(one) - {"name", "streams", "pcap", "rates", "ip_size"})
        if unknown:
            raise TrafficgenError(
                f"unknown: {', '.join(unknown)}", on=on, remedy="It has name, streams or pcap, rates, ip_size."
            )
        if any(other["name"] == one["name"] for other in checked):
            raise TrafficgenError("the name is used twice", on=on, remedy="Give each its own name.")
        streams, pcap = one.get("streams"), one.get("pcap")
        if (not streams) == (not pcap):
            raise TrafficgenError(
                "has neither streams nor pcap, or both",
                on=on,
                remedy="Give one: streams, as for the module pcap, or pcap.",
            )
        rates = one.get("rates")
        checked.append(
            {
                "name": str(one["name"]),
                "streams": streams or None,
                "pcap": pcap or None,
                "rates": None if rates is None else check_rates(rates, f"rates of {one['name']}"),
                "ip_size": one.get("ip_size"),
            }
        )
    return checked


def check_rates(rates: Any, on: str = "throughput_rates") -> list[dict[str, Any]]:
    """The rates, each a dictionary with one key, a rate parameter of the module tcpreplay."""
    return [_rate(one, f"{on}, entry {number}") for number, one in enumerate(_filled(rates, on, "rate"), 1)]


def _rate(one: Any, on: str) -> dict[str, Any]:
    if not isinstance(one, Mapping) or len(one) != 1 or next(iter(one)) not in RATE_FORMS:
        raise TrafficgenError(
            f"not a rate: {one!r}", on=on, remedy=f"It has one key, of {', '.join(RATE_FORMS)}: {{mbps: 1000}}, say."
        )
    form, value = next(iter(one.items()))
    if form == "topspeed":
        if str(value).lower() not in ("true", "yes", "1"):
            raise TrafficgenError("topspeed can only be true", on=on)
        return {"topspeed": True}
    number = positive(value, f"{on}: {form}")
    return {str(form): int(number) if number == int(number) else number}


def check_methods(methods: Any) -> list[str]:
    """The injection methods: known, and each only once."""
    checked = [str(method) for method in _filled(methods, "throughput_methods", "injection method")]
    unknown = [method for method in checked if method not in INJECTION_METHODS]
    if unknown:
        raise TrafficgenError(
            f"not an injection method: {', '.join(unknown)}",
            on="throughput_methods",
            remedy=f"There are {', '.join(INJECTION_METHODS)}.",
        )
    if len(set(checked)) < len(checked):
        raise TrafficgenError(
            "names a method twice", on="throughput_methods", remedy="Name each once; throughput_repeats repeats trials."
        )
    return checked


def check_workers(workers: Any) -> dict[str, int | str]:
    """How many workers each method has, of those that are named: 1 or more, or ``auto`` for af_xdp."""
    if not workers:
        return {}
    if not isinstance(workers, Mapping):
        raise TrafficgenError(
            f"not a dictionary: {workers!r}",
            on=_WORKERS,
            remedy="Name methods in it: {pf_packet: 2, af_xdp: auto}, say.",
        )
    unknown = [str(method) for method in workers if method not in INJECTION_METHODS]
    if unknown:
        raise TrafficgenError(
            f"not an injection method: {', '.join(unknown)}",
            on=_WORKERS,
            remedy=f"There are {', '.join(INJECTION_METHODS)}.",
        )
    checked: dict[str, int | str] = {}
    for method, number in workers.items():
        auto = method == "af_xdp" and number == "auto"
        checked[str(method)] = "auto" if auto else whole_number(number, f"{_WORKERS}, {method}:", 1)
    return checked


def _check_shared_rates(
    workers: Mapping[str, int | str], methods: Iterable[str], asked: list[dict[str, Any]], general: list[dict[str, Any]]
) -> None:
    """Refuse the recorded speed where several workers would have to keep it together."""
    for method in methods:
        if workers.get(method, 1) == 1:
            continue
        for one in asked:
            if any("multiplier" in rate for rate in one["rates"] or general):
                raise TrafficgenError(
                    f"several workers cannot share the recorded speed (multiplier) of {one['name']}",
                    on=f"{_WORKERS}, {method}: {workers[method]}",
                    remedy=f"Set another kind of rate, or leave {method} out of throughput_workers.",
                )


def _filled(value: Any, on: str, what: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise TrafficgenError(f"an empty matrix: no {what}", on=on, remedy=f"Give a list of at least one {what}.")
    return value


def whole_number(value: Any, on: str, least: int) -> int:
    """``value`` as a whole number, at least ``least``."""
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not number >= least or number != int(number):
        raise TrafficgenError(f"not a whole number from {least} on", on=f"{on} {value!r}")
    return int(number)


def plan(
    traffic: Any,
    *,
    rates: Any,
    methods: Any = None,
    workers: Any = None,
    without: Iterable[str] = (),
    repeats: Any = 3,
    duration: Any = 10,
    warmup: Any = 0,
    pause: Any = 0,
    margin: Any = 0,
    search: str | None = None,
    search_options: Mapping[str, Any] | None = None,
    search_over: str = "each",
    strict: bool = False,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    able: Mapping[str, Mapping[str, Any]] | None = None,
    looked: float | None = None,
    prepared: float | None = None,
    receive_wait: float = 0.0,
    settle: float = 0.0,
    probed: bool = False,
) -> dict[str, Any]:
    """All trials of the run, and how long they take.

    :param methods: injection methods; None for the default one, plus AF_XDP and netmap on hosts that have them.
    :param workers: how many send together, by method; one where it is not named.
    :param without: parameters of tcpreplay that were given and that af_xdp does not take.
    :param margin: seconds between the start of a trial's tasks and a common start of several hosts.
    :param search: one of :data:`SEARCHES`, in place of the rates and repeats; ``search_options``: its settings;
        ``search_over``: of each host by itself, or of ``all`` with one load.
    :param hosts: by name ``{methods: {METHOD: {usable, reason, takes, most, why_most}}, link_speed_mbps, traffic:
        [{name, frame_size, wire_frame_size}]}``. Without it, the request is checked, and the plan is for one host that
        has all methods; how long a search takes is then unknown.
    :param able: the ``methods`` of each host by name, where ports and frames are not known yet.
    :param looked: the seconds that the role needed to look at the hosts: what it needs for a trial goes by the same
        machine and connection. ``prepared``: the seconds from its begin to now.
    :param receive_wait: for how long missing frames are waited for, and ``settle``: the pause after these; 0 where
        nobody counts what arrives. ``probed``: whether a trial before all others sees that pairs reach each other.
    :return: ``{trials, searches, notes, count}``, and the time as ``Overhead.told`` has it. A trial is ``{number,
    warmup, traffic, injection_method, rate, repeat, duration, hosts}``; a warm-up has the number of the trial after it.
    """
    asked = check_traffic(traffic)
    general = check_rates(rates) if search is None and any(one["rates"] is None for one in asked) else []
    explicit = None if methods is None else check_methods(methods)
    several = check_workers(workers)
    times = whole_number(repeats, "throughput_repeats", 1)
    seconds = whole_number(duration, "throughput_duration", 1)
    warm = whole_number(warmup, "throughput_warmup", 0)
    wait = positive(pause, "throughput_pause", zero=True)
    ahead = positive(margin, "throughput_start_margin", zero=True)
    if search is not None and search not in SEARCHES:
        raise TrafficgenError(
            f"not a search: {search}", on="throughput_search", remedy=f"There are {', '.join(SEARCHES)}, and none."
        )
    if hosts is not None:
        able = {name: host["methods"] for name, host in hosts.items()}
    known = able or {"": {}}
    where, notes = _methods_of(explicit, known)
    _check_queues(several, where, known)
    if "af_xdp" in where and (names := sorted(without)):
        notes.append(
            f"af_xdp is sent without {', '.join(names)} of throughput_tcpreplay, which xdp_replay does not have."
        )
    taking = {
        method: TAKING if any(_takes(known[name], method) for name in names) else 0 for method, names in where.items()
    }
    if search is None:
        _check_shared_rates(several, where, asked, general)
    trials: list[dict[str, Any]] = []
    searches: list[dict[str, Any]] = []
    number = 0
    for one in asked:
        for method, names in where.items():
            common = {"traffic": one["name"], "injection_method": method, "hosts": names}
            if search is not None:
                if search_over == "all" and len(names) < len(known):
                    notes.append(
                        f"There is no search by {method}, as throughput_search_over is all, and not all can send by it."
                    )
                else:
                    searches.append(common)
                continue
            for rate in one["rates"] or general:
                cell = {**common, "rate": rate, "duration": seconds}
                if warm:
                    trials.append({**cell, "number": number + 1, "warmup": True, "repeat": None, "duration": warm})
                for repeat in range(1, times + 1):
                    number += 1
                    trials.append({**cell, "number": number, "warmup": False, "repeat": repeat})
    searching: tuple[Estimate, ...] = ()
    if hosts is not None and search is None:
        _check_reachable(asked, general, hosts, strict)
    elif hosts is not None and search is not None:
        searching = _estimate_search(hosts, search, search_options or {}, together=search_over == "all")
        if search_over == "all":
            notes += bounded({one["name"]: hosts_of(hosts, one["name"]) for one in asked}, search_options or {})
    elif search is not None:
        check_search("", search, {**_ANY_LINE, **(search_options or {})})
    waits = {"pause": wait, "margin": ahead, "receive_wait": receive_wait, "settle": settle}
    each = overhead(len(known), **waits, looked=looked, prepared=prepared)
    takes = [taking[one["injection_method"]] for one in searches or trials]
    took = each.of_searches(searching, takes) if searches else each.of_trials((t["duration"] for t in trials), takes)
    return {
        "trials": trials,
        "searches": searches,
        "notes": notes,
        "count": number,
        **(each.told(took, probed=probed, searched=bool(searches)) if hosts is not None or search is None else UNKNOWN),
    }


def _methods_of(
    explicit: list[str] | None, able: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> tuple[dict[str, list[str]], list[str]]:
    """The hosts to test a method on, and a sentence for each method that a host is tested without. A method that was
    named and that a host cannot send by is an error."""
    where: dict[str, list[str]] = {}
    notes: list[str] = []
    for method in ("auto", *CHOSEN) if explicit is None else explicit:
        for name, methods in able.items():
            one = methods.get(method, {"usable": True})
            reason = (one.get("reason") or "the reason is not known").rstrip(".")
            if one["usable"]:
                where.setdefault(method, []).append(name)
            elif explicit is None:
                notes.append(f"{name} is tested without {method}: {reason}.")
            else:
                raise TrafficgenError(
                    f"{name} cannot send by it",
                    on=f"throughput_methods, {method}",
                    said=reason,
                    remedy=f"Take {method} out of throughput_methods; or set it to null, and each host is tested with"
                    " what it has.",
                )
    return where, notes


def _check_queues(
    workers: Mapping[str, int | str],
    where: Mapping[str, list[str]],
    able: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> None:
    """Refuse more workers than a host can have: each needs a queue or ring of its own."""
    for method, names in where.items():
        asked = workers.get(method, 1)
        for name in names:
            one = able[name].get(method, {})
            most = one.get("most")
            if most is not None and isinstance(asked, int) and asked > most:
                raise TrafficgenError(
                    f"{name} can have {most}, as each takes a queue of its own, and {one['why_most']}",
                    on=f"{_WORKERS}, {method}: {asked}",
                    remedy=f"Set {most}, or give the port more queues (`ethtool -L`).",
                )


def _takes(methods: Mapping[str, Mapping[str, Any]], method: str) -> bool:
    """Whether a method takes the port for itself, which can reset it."""
    return bool(methods.get(method, {}).get("takes", method == "netmap"))


def _of_role(remedy: str) -> str:
    """A remedy that names the role's variables."""
    return _IN_THE_ROLE.get(remedy, remedy.replace("strict_rate", "throughput_strict_rate"))


def _check_reachable(
    asked: list[dict[str, Any]], general: list[dict[str, Any]], hosts: Mapping[str, Mapping[str, Any]], strict: bool
) -> None:
    """Refuse now what a trial would refuse: a rate above the line with ``strict``, a percentage without a line rate, a
    rate that is too slow."""
    for name, host in hosts.items():
        found = {
            one["name"]: Size.of_means(one["frame_size"], one["wire_frame_size"]) for one in host.get("traffic", ())
        }
        for one in asked:
            for rate in one["rates"] or general:
                form, value = next(iter(rate.items()))
                try:
                    plan_rate(form, value, found[one["name"]], host.get("link_speed_mbps"), strict=strict)
                except TrafficgenError as error:
                    raise TrafficgenError(
                        error.what, on=f"{name}, {one['name']}, {error.on}", remedy=_of_role(error.remedy)
                    ) from None


def _estimate_search(
    hosts: Mapping[str, Mapping[str, Any]], search: str, options: Mapping[str, Any], *, together: bool
) -> tuple[Estimate, ...]:
    """The longest search on each kind of device. Checks the settings for each host, or for all of them together, and
    traffic."""
    traffic = dict.fromkeys(one["name"] for host in hosts.values() for one in host.get("traffic", ()))
    groups = {"all hosts": hosts} if together else {name: {name: host} for name, host in hosts.items()}
    asked = [
        (f"{where}, {name}, ", options_for(group, name, options, together=together))
        for where, group in groups.items()
        for name in traffic
        if together or any(one["name"] == name for one in hosts[where].get("traffic", ()))
    ]
    settings = [check_search(where, search, given) for where, given in asked]
    return tuple(
        max((estimate(one, *device) for one in settings), key=lambda took: took.seconds, default=Estimate(0, 0, 0))
        for device in DEVICES
    )


def check_search(where: str, search: str, options: Mapping[str, Any]) -> SearchSettings:
    """Check the role's settings of a search; ``where``: the beginning of the object that an error names."""
    try:
        return check_settings(search, **options)
    except TypeError as error:
        raise TrafficgenError("not a setting of a search", on="throughput_search_options", said=str(error)) from None
    except TrafficgenError as error:
        on = f"{where}throughput_search_options.{error.on}"
        raise TrafficgenError(error.what, on=on, said=error.said, remedy=_of_role(error.remedy)) from None


def ip_overhead(streams: Sequence[Mapping[str, Any]]) -> int | None:
    """The bytes of a frame around its IP packet: Ethernet header and VLAN tags. None if they differ or there is no
    IP."""
    found = {_overhead(_layers(one)) for one in streams}
    return found.pop() if len(found) == 1 else None


def _layers(stream: Mapping[str, Any]) -> Sequence[Any]:
    """A stream's layers: its own, or its preset's, which it cannot extend."""
    return (PRESETS.get(stream["preset"], {}) if stream.get("preset") else stream).get("layers") or ()


def _overhead(layers: Iterable[Any]) -> int | None:
    names = [next(iter(layer), "") if isinstance(layer, Mapping) else str(layer) for layer in layers]
    if names[:1] != ["Ether"]:
        return None
    for tags, name in enumerate(names[1:]):
        if name in ("IP", "IPv6"):
            return ETHERNET_HEADER + tags * VLAN_TAG
        if name not in ("Dot1Q", "Dot1AD"):
            break
    return None


def int_if_whole(value: float) -> int | float:
    """An int if it is a whole number: all frames have this size."""
    return int(value) if value == int(value) else value


def sizes(one: Mapping[str, Any], counted: Mapping[Any, int]) -> dict[str, Any]:
    """``{ip_size, frame_size, wire_frame_size}`` of checked traffic, in bytes, mean where they differ.

    :param counted: how many frames of each length the pcap has.
    """
    size = Size.of(counted)
    frame = size.frame
    overhead = ip_overhead(one["streams"]) if one["streams"] else None
    ip = frame - overhead if overhead is not None else one["ip_size"]
    return {
        "ip_size": None if ip is None else int_if_whole(float(ip)),
        "frame_size": int_if_whole(frame),
        "wire_frame_size": int_if_whole(size.wire),
    }
