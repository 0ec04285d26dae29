# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the counters prove of a run: the ``counters`` tree, from snapshots of the sender and the receiver. Pure.

tcpreplay counts the frames it handed to a socket or a ring, xdp_replay those that the kernel has completed. The
sender's device tells whether they left, a receiver whether they arrived. The verdict is about the sender's own figures:

- ``consistent``: the device sent what that says, or a receiver counted every frame of it.
- ``short``: the device sent fewer.
- ``impossible``: more than the line's rate at L1.
- ``unknown``: nothing proves it, or the loss may be the receiving host's own drops.

Loss counts the test's own frames only, between two counters that each prove something; else it is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.delta import check_snapshot
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import (
    Received,
    others_tolerated,
    received_by,
    sent_by,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.loss import Loss
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_sentence

# Clocks: a port may be 100 ppm off (IEEE 802.3), the host's clock as much, tcpreplay's figures are rounded.
LINE_TOLERANCE = 1e-3
# Frames handed over but not on the line yet when tcpreplay reads the clock: in the socket's buffer, the queue and the
# ring. If the run does not say how many, the largest ring of the known drivers. In a run of a second or more at most a
# share, so that no rate 1 % above the line passes.
IN_FLIGHT = 4096
IN_FLIGHT_SHARE = 0.008
# What sends, by the engine of a run; without one, as in results of before there were two, it is tcpreplay.
SENDERS = {"af_xdp": "xdp_replay"}
# A run that was interrupted may have counted a frame it did not send, or the other way round.
INTERRUPTED = 1


def account(
    stats: Mapping[str, Any] | None,
    rates: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    tx_before: Mapping[str, Any] | None,
    tx_after: Mapping[str, Any] | None,
    rx_before: Mapping[str, Any] | None = None,
    rx_after: Mapping[str, Any] | None = None,
    *,
    addressed: bool = False,
) -> dict[str, Any]:
    """The ``counters`` tree of a run: ``{tx, rx, loss_packets, loss_ratio, verdict, reason}``.

    :param addressed: all frames are known to be addressed to the receiving interface, or to a group that includes it.

    ``loss_packets`` is tx minus rx of the test's frames, without foreign frames that the device also sent. It includes
    what the receiving host dropped before it counted: up to ``rx.host_drops``. If that is more than 1 % of the loss,
    the loss is not the device's and the verdict is ``unknown``.
    """
    tx, why = sent_by(stats or {}, run or {}, tx_before, tx_after)
    received, rx_why = received_by(rx_before, rx_after, addressed=addressed)
    return _judge(stats or {}, rates or {}, run or {}, tx, why, received, rx_why)


def reconcile(
    result: Mapping[str, Any],
    rx_before: Mapping[str, Any],
    rx_after: Mapping[str, Any],
    tx_before: Mapping[str, Any] | None = None,
    tx_after: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of a run's result with ``counters`` filled in from a receiver's snapshots, and the sender's if given.

    Without the sender's, the run's own evidence of its device stays.
    """
    if not isinstance(result, Mapping) or not all(
        isinstance(result.get(key), Mapping) for key in ("stats", "rates", "run", "counters")
    ):
        raise TrafficgenError(
            "not a result of the module tcpreplay or xdp_replay",
            on="the input",
            said="it has no stats, rates, run and counters",
            remedy="Give the registered result, or the fact it set.",
        )
    if (tx_before is None) != (tx_after is None):
        raise TrafficgenError("tx_before and tx_after belong together", remedy="Give both, or neither.")
    for name, value in (
        ("rx_before", rx_before),
        ("rx_after", rx_after),
        ("tx_before", tx_before),
        ("tx_after", tx_after),
    ):
        if value is not None or name.startswith("rx"):
            check_snapshot(value, name)
    if tx_before is not None:
        stats, rates, run = (result[key] for key in ("stats", "rates", "run"))
        counters = account(stats, rates, run, tx_before, tx_after, rx_before, rx_after)
        return {**_copied(result), "counters": counters}
    return _with_received(result, *received_by(rx_before, rx_after))


def _copied(value: Any) -> Any:
    """A copy of a result. Not copy.deepcopy(): of Ansible's own dictionaries that copies the templating as well."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _with_received(result: Mapping[str, Any], received: Received | None, rx_why: str) -> dict[str, Any]:
    """A copy of a run's result with a verdict on what was received; the run's own evidence of its device stays."""
    stats, rates, run, earlier = (result[key] for key in ("stats", "rates", "run", "counters"))
    tx = earlier.get("tx")
    why = "" if tx else _continued(earlier.get("reason")) or "the run has no counter of its device"
    return {**_copied(result), "counters": _judge(stats, rates, run, tx, why, received, rx_why)}


def reconcile_count(
    result: Mapping[str, Any], source: str, packets: int, receive_wait: float | None = None
) -> dict[str, Any]:
    """Like :func:`reconcile`, with a bare number: how many frames, foreign ones included, ``source`` counted at the
    receiver meanwhile.

    A number does not say what its host dropped: ``rx.host_drops`` is None. It is assumed to count before that, as a
    router's port does.

    :param receive_wait: the wait ended after so many seconds without a frame; None if unknown.
    """
    if packets < 0:
        raise TrafficgenError(
            f"counted {-packets} frames less after the run than before it",
            on=source,
            remedy="Is it a counter, and was it not reset?",
        )
    arrival = None if receive_wait is None else {"ended": "quiet", "receive_wait": receive_wait, "late_packets": None}
    blind = "" if packets else "it stood still, and nothing shows that it counts the test's frames at all"
    return _with_received(result, Received(source, packets, uncounted=0, arrival=arrival, blind=blind), "")


def reconcile_marks(
    result: Mapping[str, Any], packets: int, *, over: bool, receive_wait: float | None = None
) -> dict[str, Any]:
    """Like :func:`reconcile`, with what a receiver of marks counted: the test's frames alone, from whatever address.

    What the receiving host dropped is what its counters told before; so is how many were late, if these saw as many.

    :param over: whether frames had ceased when it ended.
    """
    earlier = (result["counters"] or {}).get("rx") or {}
    arrival = {
        "ended": "quiet" if over else "limit",
        "receive_wait": receive_wait or 0.0,
        "waited": None,
        "late_packets": earlier.get("late_packets") if (earlier.get("packets") or 0) >= packets else None,
    }
    drops = earlier.get("host_drops")
    received = Received("marks", packets, exact=True, host_drops=drops, uncounted=drops or 0, arrival=arrival)
    return _with_received(result, received, "")


def _judge(
    stats: Mapping[str, Any],
    rates: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    why: str,
    received: Received | None,
    rx_why: str,
) -> dict[str, Any]:
    sending, said = _verdict_on_sending(stats, tx, why, received, SENDERS.get(run.get("engine") or "", "tcpreplay"))
    verdict, too_fast = _verdict_on_rate(stats, rates, run, sending)
    notes, loss = [said, too_fast], None
    if received and sending != "unknown":
        loss = Loss(stats, run, tx, received, notes)
        notes = loss.notes
        if verdict == "consistent" and not loss.is_the_devices:
            verdict = "unknown"
    if rx_why:
        notes.append(f"what arrived is not known: {rx_why}")
    return {
        "tx": None if tx is None else {key: tx[key] for key in ("source", "packets", "bytes")},
        "rx": received.tree() if received else None,
        "loss_packets": loss.packets if loss else None,
        "loss_ratio": loss.ratio if loss else None,
        "verdict": verdict,
        "reason": as_sentence("; ".join(filter(None, notes))),
    }


def _verdict_on_sending(
    stats: Mapping[str, Any], tx: Mapping[str, Any] | None, why: str, received: Received | None, sender: str
) -> tuple[str, str]:
    """The verdict on the sender's count, and the evidence in words."""
    claimed = stats.get("packets")
    if claimed is None:
        return "unknown", f"{sender} printed no statistics"
    if not claimed:
        return "unknown", f"{sender} sent nothing, so there is nothing to prove"
    mixed = received is not None and received.earlier is not None and received.earlier["still_coming"]
    all_arrived = received is not None and received.exact and received.packets == claimed and not mixed
    if tx is None:
        if all_arrived:
            said = f"no counter of the sending device ({why}), but a receiver counted each of the {claimed} frames"
            return "consistent", said
        said = f"nothing proves what was sent: {why}"
        if received and received.exact:
            said += f"; of the {claimed} frames that {sender} counts, {received.packets} arrived"
        return "unknown", said
    more = tx["packets"] - claimed
    if more == 0:
        return "consistent", ""
    if more < 0:
        said = f"{sender} counts {claimed} frames, {tx['source']} {-more} fewer"
        if stats.get("interrupted") and -more <= INTERRUPTED:
            return "consistent", f"{said}: an interrupted run may be off by {INTERRUPTED}"
        failed = sum(device.get("failed_packets") or 0 for device in stats.get("devices") or [])
        if queued := tx.get("queued"):
            said += f", of which {queued['packets']} were still in its queue ({queued['kind']})"
        return "short", said + (f" ({sender} says itself that {failed} failed)" if failed else "")
    tolerance = others_tolerated(claimed, tx.get("seconds") or stats.get("seconds") or 0)
    said = f"the device's {tx['source']} counts {more} frames more than {sender}"
    if more <= tolerance:
        return "consistent", f"{said}: others' frames, or its last ones when interrupted (tolerance {tolerance})"
    if all_arrived:
        return "consistent", f"{said}, which are others', since a receiver counted each of the {claimed} frames"
    said += f" (tolerance {tolerance}): among so many foreign frames nothing proves that the test's were sent"
    return "unknown", said


def _verdict_on_rate(
    stats: Mapping[str, Any], rates: Mapping[str, Any], run: Mapping[str, Any], verdict: str
) -> tuple[str, str]:
    """``impossible`` if more frames were counted than a line of that speed carries in the time; and why, in words."""
    line, rate = run.get("link_speed_mbps"), rates.get("l1_mbps")
    claimed = stats.get("packets")
    if not line or not rate or not claimed or rate <= line * (1 + LINE_TOLERANCE):
        return verdict, ""
    excess = claimed * (1 - line * (1 + LINE_TOLERANCE) / rate)
    known = run.get("in_flight_frames")
    tolerance = IN_FLIGHT if known is None else known
    if (stats.get("seconds") or 1) >= 1:
        tolerance = min(tolerance, int(claimed * IN_FLIGHT_SHARE))
    tolerances = f"tolerance {LINE_TOLERANCE:.1%}, and {tolerance} frames still in the port's queues"
    said = f"{rate:.2f} Mbps at L1"
    if excess <= tolerance:
        return verdict, f"{said} are more than a line of {line} Mbps carries in that time ({tolerances})"
    said += f" do not fit onto a line of {line} Mbps ({tolerances})"
    return "short" if verdict == "short" else "impossible", said


def _continued(reason: str | None) -> str:
    text = (reason or "").rstrip(".")
    return text[:1].lower() + text[1:]
