# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial of a throughput result. It is loaded for each trial, so it imports little."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import check_pair
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.frame_counter import SOURCE
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.mac import at_mac
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.verdict import reconcile, reconcile_count
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_sentence
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.rate import REACHED
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.marks import counted_by_marks, of_trial

# The beginning of a trial's message if its host was unreachable.
GONE = "the host went away"

_TREE = ("stats", "rates", "run", "counters")


def trial(
    item: Mapping[str, Any],
    ran: Mapping[str, Any] | None,
    *,
    host: str,
    traffic: Mapping[str, Any],
    start_at: float | None = None,
    offset: float = 0.0,
    receiver: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    receive_wait: float | None = None,
    marks: Mapping[str, Any] | None = None,
    taken: bool = False,
) -> dict[str, Any]:
    """One trial of the result, from the modules' registered results.

    :param item: the plan's entry.
    :param ran: the result of the module tcpreplay, successful or not; None if it was not called.
    :param traffic: ``{name, ip_size, frame_size, wire_frame_size, sha256}``; ``sha256``: of its pcap when the test
        began.
    :param start_at: when it was to start, by the controller's clock; ``offset``: the host's clock minus the
    controller's, in seconds.
    :param receiver: ``{kind: none | local | remote | command | taken, host, ...}``; ``taken``: the run that has taken
        the receiving port counts there. Its ``arrivals`` are ``before`` and ``after``, None without any.
    :param receive_wait: a command's counter was awaited until so many seconds without a frame.
    :param before: for a receiver that is not on the sending host: its counters' registered result, and ``after`` the
        trial.
    :param marks: ``before`` and ``after``, the registered results of starting and of asking the receiver of marks, and
        what :func:`reading` needs.
    :param taken: another sender took the receiving port for itself, by netmap or zero copy, so that its kernel did not
        see all that arrived there.
    """
    tree: dict[str, Any] = {key: ran.get(key) for key in _TREE} if ran else dict.fromkeys(_TREE)
    error = _why_not_run(receiver, before) or _why_failed(ran) or _why_other_pcap(tree["run"], traffic)
    kind = (receiver or {}).get("kind", "none")
    if error is None and (kind in ("remote", "command") or (kind == "taken" and before and after)):
        error = _why_failed(after, f"the receiver on {_receiver_host(receiver)} could not be read after the trial")
        if error is None:
            try:
                if taken and kind != "command":
                    before, after = _by_mac_alone(before or {}, after or {})
                tree = _counted(tree, kind, before or {}, after or {}, receiver or {}, receive_wait)
            except TrafficgenError as wrong:
                error = wrong.message
    found = of_trial(item, marks, traffic, tree)
    if error is None and taken:
        tree = {**tree, "counters": _unseen(tree["counters"], before, after)}
    elif error is None:
        tree = counted_by_marks(tree, found, traffic, receive_wait)
    started = (tree["run"] or {}).get("started")
    return {
        "host": host,
        "number": item["number"],
        "traffic": {key: traffic.get(key) for key in ("name", "ip_size", "frame_size", "wire_frame_size")},
        "injection_method": item["injection_method"],
        "rate": item["rate"],
        "repeat": item["repeat"],
        "status": "ok" if error is None else "failed",
        "error": error,
        "start_delay_seconds": None if start_at is None or started is None else round(started - offset - start_at, 6),
        **tree,
        "marks": found,
    }


def _by_mac_alone(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The readings of a port without the kernel's count of the test's frames."""
    check_pair(before, after)
    return at_mac(before), at_mac(after)


def _unseen(
    counters: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a trial's counters prove where another sender has taken the receiving port: its MAC sees each frame, unless
    the port was reset meanwhile; its kernel does not, so that a frame it has not counted is not lost."""
    found = dict(counters)
    rx = found.get("rx")
    by_mac = rx is not None and rx["source"] != SOURCE
    reset = bool(before and after) and (before or {}).get("carrier_changes") != (after or {}).get("carrier_changes")
    said = (found.get("reason") or "").rstrip(".")
    why = "the receiving port also sends, by a method that takes it for itself (netmap, or AF_XDP's zero copy)"
    if by_mac and not reset:
        return {**found, "reason": as_sentence("; ".join(filter(None, [said, f"{why}, so its MAC counts alone"])))}
    if found.get("loss_packets") == 0:
        return found
    no_mac = "its kernel does not see what arrives, and no MAC counted"
    what = "its link went down or up meanwhile" if by_mac else no_mac
    unknown = {"loss_packets": None, "loss_ratio": None, "verdict": "unknown"}
    if found.get("verdict") in ("short", "impossible"):  # that is of the sending
        del unknown["verdict"]
    lost = f"what was lost is not known: {why}, and {what}"
    return {**found, **unknown, "reason": as_sentence("; ".join([lost, said] if said and rx is None else [lost]))}


def _why_other_pcap(run: Mapping[str, Any] | None, traffic: Mapping[str, Any]) -> str | None:
    """Why the wrong pcap was sent: its hash has changed since the test began."""
    planned = traffic.get("sha256")
    for sent in (run or {}).get("pcaps") or ():
        if planned and sent["sha256"] != planned:
            return (
                f"another pcap was sent than the test began with: {sent['path']} had the SHA-256 {sent['sha256']}, and"
                f" {planned} before. Let nobody write it while the test lasts."
            )
    return None


def _receiver_host(receiver: Mapping[str, Any] | None) -> str:
    return (receiver or {}).get("host") or "the controller"


def _why_not_run(receiver: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> str | None:
    if (receiver or {}).get("kind") not in ("remote", "command"):
        return None
    return _why_failed(before, f"not sent, since the receiver on {_receiver_host(receiver)} could not be read")


def _why_failed(ran: Mapping[str, Any] | None, what: str = "") -> str | None:
    """Why a registered task failed, in a sentence; None if it did not."""
    if ran is None or ran.get("skipped"):
        return what or "not sent"
    if ran.get("unreachable"):
        message = f"{GONE}: {ran.get('msg') or 'unreachable'}"
    elif ran.get("rc"):
        message = f"status {ran['rc']}: {ran.get('stderr') or ran.get('stdout') or ran.get('msg') or 'no output'}"
    elif ran.get("msg") and (ran.get("failed") or "failed_when_result" in ran or "exception" in ran):
        message = str(ran["msg"])
    else:
        return None
    message = " ".join(message.split())
    return f"{what}: {message}" if what else message


def _counted(
    tree: dict[str, Any],
    kind: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    receiver: Mapping[str, Any],
    receive_wait: float | None,
) -> dict[str, Any]:
    if kind in ("remote", "taken"):
        return reconcile(tree, before, after)
    words = " ".join(str(word) for word in receiver.get("command", ()))
    source = receiver.get("name") or f"command {words}"
    return reconcile_count(tree, source, printed_count(after, words) - printed_count(before, words), receive_wait)


def missing(one: Mapping[str, Any], receiver: Mapping[str, Any] | None) -> bool:
    """Whether frames of a trial may still be on their way: some are missing or late, or that is unknown."""
    if (receiver or {}).get("kind", "none") == "none" or not (one["stats"] or {}).get("packets"):
        return False
    counters = one["counters"] or {}
    return counters.get("loss_packets") != 0 or bool((counters.get("rx") or {}).get("late_packets"))


def printed_count(registered: Mapping[str, Any], command: str) -> int:
    """The counter that a command printed: one whole number only."""
    printed = str(registered.get("stdout", "")).strip()
    if not re.fullmatch(r"[0-9]{1,20}", printed):  # 64 bits: a device may print anything
        raise TrafficgenError(
            f"printed {printed[:60]!r}, not one whole number",
            on=f"the receiver's command {command}",
            remedy="It must print a packet counter, in decimal, and nothing else.",
        )
    return int(printed)


def title(item: Mapping[str, Any], traffic: str, count: int | None = None) -> str:
    """A trial's name on the screen; ``item``: the plan's or the result's entry."""
    of = f"/{count}" if count else ""
    rate = ", ".join(
        "top speed" if form == "topspeed" else f"{form} {'?' if value is None else f'{float(value):g}'}"
        for form, value in item["rate"].items()
    )
    repeat = f", repeat {item['repeat']}" if item["repeat"] else ""
    if item.get("probe"):
        return f"a few frames before the trials: {traffic}, {item['injection_method']}, {rate}"
    what = "warm-up for trial" if item.get("warmup") else "trial"
    return f"{what} {item['number']}{of}: {traffic}, {item['injection_method']}, {rate}{repeat}"


def line(one: Mapping[str, Any], what: str | None = None) -> str:
    """A trial and its outcome on the screen."""
    what = f"{one['host']}, {what or title(one, one['traffic']['name'])}"
    if one["status"] != "ok":
        return f"{what}: FAILED: {one['error']}"
    rates, counters = one["rates"], one["counters"]
    said = ["no rate" if rates["pps"] is None else f"{rates['pps']:,.0f} pps"]
    if rates["l1_mbps"] is not None:
        said.append(f"{rates['l1_mbps']:,.1f} Mbps L1")
    if rates.get("line_rate_percent") is not None:
        said.append(f"{rates['line_rate_percent']:.2f} % of the line")
    if counters["loss_packets"] is not None:
        said.append(f"{counters['loss_packets']:,} lost")
    marks = one.get("marks") or {}
    said += [
        f"{marks[key]:,} {word}"
        for key, word in (("duplicates", "doubled"), ("reordered", "reordered"))
        if marks.get(key)
    ]
    reached = one["run"].get("rate_reached")
    if reached is not None and reached < REACHED:
        said.append(f"only {reached * 100:.1f} % of the rate asked for")
    if one["run"]["capped"]:
        said.append("capped at the line's rate")
    return f"{what}: {', '.join(said)}, {counters['verdict']}"
