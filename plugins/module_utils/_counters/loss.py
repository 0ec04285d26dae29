# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of a test's frames were lost, and what forbids to say so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import RECEIVE_WAIT, SETTLE
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import (
    OTHER_SHARE,
    Received,
    others,
    usual,
)

# A NIC pads shorter frames to so many bytes (IEEE 802.3: 64 with the FCS).
SMALL = 60
_HEADER, _TAG = 14, 4
# A loss is the device's when the receiving host dropped at most this share of it.
HOST_SHARE = 0.01


def lost_frames(sent: int, tx: Mapping[str, Any] | None, received: Received, notes: list[str]) -> int | None:
    """How many of the test's ``sent`` frames were lost. More arrived than left: None, but for others' frames within the
    tolerance."""
    # A MAC, or a command, counts others' frames too, and so what left with them. Of those lost, no more than it sent
    # are the test's.
    base = sent if tx is None or received.exact else int(tx["packets"])
    if received.packets <= base:
        return min(base - received.packets, sent)
    more = received.packets - base
    if received.exact:
        # What left of the sender's queue since it was counted.
        if tx is not None and tx.get("queued") and more <= tx["queued"]["packets"]:
            return 0
        # The device's count may be the better one: an interrupted tcpreplay stopped counting before its last frames.
        if tx is not None and received.packets <= tx["packets"]:
            notes.append(
                f"{more} of these arrived from the test's source MAC addresses: its last ones when interrupted, the"
                " port's own (ARP, ND), or doubled ones, which may hide as many lost"
            )
            return 0
        notes.append(
            f"{more} frames more arrived than were sent (tolerance 0): duplicated on the way, or another sender uses"
            " the source MAC address"
        )
        return None
    tolerance = others(base, received.seconds or 0)
    if more <= tolerance:
        notes.append(
            f"the receiver's {received.source} counts {more} frames more than were sent: others' (tolerance"
            f" {tolerance}), which may hide a loss"
        )
        return 0
    notes.append(
        f"the receiver's {received.source} counts {more} frames more than were sent (tolerance {tolerance}): "
        "others' frames hide what was lost"
    )
    return None


def still_under_way(loss: int, tx: Mapping[str, Any] | None, received: Received, notes: list[str]) -> bool:
    """Whether frames may be neither lost nor counted yet, or some that were counted are an earlier run's: then the loss
    is not known."""
    if received.earlier and received.earlier["still_coming"]:
        notes.append(
            f"{received.earlier['packets']} frames of the test's source MAC addresses arrived before the first was"
            " sent, and more were coming: late ones of an earlier run, or another sender's, so what was lost is not"
            " known"
        )
        return True
    if received.earlier and received.earlier["missed_seconds"] is not None:
        notes.append(
            "late frames of the run before may be among those counted: it missed some, and ended "
            f"{received.earlier['missed_seconds']:.1f} s before this one began (settle; RFC 2544 says {SETTLE:g})"
        )
    queued = tx.get("queued") if tx else None
    if queued:
        notes.append(f"{queued['packets']} frames were still in the sender's own queue, so what was lost is not known")
        return True
    wait = received.arrival
    if not wait or not loss:
        return False
    if wait["ended"] == "limit":
        notes.append(
            f"frames were still arriving {wait['waited']:.1f} s after the last had left, so how many were lost is not"
            " known"
        )
        return True
    if wait["ended"] == "stopped":
        notes.append(
            f"it was told to stop, so late frames were not waited for: how many of the {loss} that are missing were"
            " lost is not known"
        )
        return True
    if wait["receive_wait"] >= RECEIVE_WAIT and not received.packets:
        notes.append(
            f"nothing arrived for {wait['receive_wait']:g} s after the last frame had left: what a device holds longer"
            " counts as lost"
        )
    if wait["receive_wait"] < RECEIVE_WAIT:
        notes.append(
            f"some of the {loss} lost frames may only be late: the receiver was waited for {wait['receive_wait']:g} s"
            f" without a frame (receive_wait; RFC 2544 says {RECEIVE_WAIT:g})"
        )
    return False


def own_frames(
    stats: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    received: Received,
    notes: list[str],
) -> None:
    """Say how many lost frames others' may hide: the sending port's own, from the address that is counted, or
    anybody's."""
    if not received.exact:
        if not any("others'" in note for note in notes):
            notes.append(
                f"the receiver's {received.source} counts others' frames, too, which may hide lost ones "
                f"(usually up to {usual(received.seconds or 0)} in that time)"
            )
        return
    more = 0 if tx is None else tx["packets"] - stats["packets"]
    if more > 0 and run.get("mac_address") in received.macs:
        notes.append(
            f"the port's own frames (ARP, ND) come from an address that is counted, so up to {more} lost frames may be"
            " hidden"
        )


def doubled(
    loss: int,
    stats: Mapping[str, Any],
    run: Mapping[str, Any],
    tx: Mapping[str, Any] | None,
    received: Received,
    notes: list[str],
) -> bool:
    """Whether the bytes that arrived are not those of the frames that left: some may have come twice, and as many more
    are lost."""
    frames, count, size = run.get("frames"), stats.get("packets"), stats.get("bytes")
    if (
        not frames
        or not size
        or received.layer3_bytes is None
        or received.merging
        or set(run.get("edited_by") or ()) - {"unique-ip"}
    ):
        return False
    if not received.packets or not count or (tx is not None and tx["packets"] != count):
        return False
    smallest, largest = frames["smallest"], frames["largest"]
    if smallest == largest or frames["vlan_tagged"] not in ("none", "all"):
        if not loss:
            notes.append(
                "as many frames arrived as left; a counter cannot tell whether some were lost and as many doubled on"
                " the way, where all are of one size or only some have a VLAN tag"
            )
        return False
    header = _HEADER + (_TAG if frames["vlan_tagged"] == "all" else 0)
    per_pass = sum(one["packets"] for one in run.get("pcaps") or ())
    # Frames below 60 bytes are padded by a NIC, and are not on a veth. Which of them a pass that ended early has sent
    # is not known.
    padding = frames["padding"] * -(-count // per_pass) if per_pass else count * SMALL
    missing = size - header * count - received.layer3_bytes
    if not loss and per_pass and not count % per_pass:
        fits = missing in (0, -padding)
    else:
        fits = loss * (smallest - header) - padding <= missing <= loss * (largest - header)
    if not fits:
        notes.append(
            f"{received.packets} of {count} frames arrived, and {received.layer3_bytes} of {size - header * count}"
            " bytes behind their headers, which does not fit: some were doubled on the way and as many more lost, or"
            " their sizes were changed (a Linux bridge may cut frames to their IP packets)"
        )
    elif not loss and missing:
        notes.append(
            f"as many frames arrived as left, and {-missing} bytes more: the padding of short ones (tolerance {padding}"
            " bytes), unless some were lost and as many doubled"
        )
    return not fits


def may_have_come_unseen(loss: int, sent: int, received: Received, notes: list[str]) -> bool:
    """Whether frames that the receiver did not count may yet have arrived: the loss is then not known."""
    most = usual(received.seconds or 0)
    if received.blind and received.packets <= (0 if received.exact else most):
        counted = f"only {received.packets}" if received.packets else "none"
        notes.append(
            f"the receiver's {received.source} counts {counted} of {sent} frames, which is no proof of a loss:"
            f" {received.blind}"
        )
        return True
    others = received.others
    if not others:
        return False
    # So few are anybody's; but in a run of few frames, these may be them.
    unseen = others > HOST_SHARE * loss if others > most else others >= loss and most > OTHER_SHARE * sent
    said = (
        f"{loss} of the test's frames did not arrive from its source MAC addresses, and {others} frames from other"
        " ones did"
    )
    if unseen:
        notes.append(
            f"{said}: a router or a tool that rewrites addresses may have sent the test's on so, and what was lost is"
            f" not known (tolerance {most} frames in this time, and {HOST_SHARE:.0%} of what is missing)"
        )
    else:
        notes.append(
            f"{said}, which are others' (tolerance {most} frames in this time, and {HOST_SHARE:.0%} of what is missing)"
        )
    return unseen


def host_has_a_share(loss: int, received: Received, notes: list[str]) -> bool:
    """Whether the loss cannot be laid at the door of the device under test."""
    # However many frames are merged into one, that one is counted.
    if received.merging and received.packets:
        notes.append(
            f"the receiver merges frames before it counts them ({', '.join(received.merging)}), so the {loss} lost"
            " frames may be none: switch that off with ethtool -K"
        )
        return True
    if received.uncounted is None:
        notes.append(
            f"whether the receiving host itself dropped some of the {loss} lost frames is not known: its port does not"
            " count those, or was reset"
        )
        return True
    if not received.uncounted:
        return False
    most = min(received.uncounted, loss)
    notes.append(
        f"up to {most} of the {loss} lost frames were dropped by the receiving host itself, "
        f"which is not the device's loss (tolerance {HOST_SHARE:.0%})"
    )
    return received.uncounted > HOST_SHARE * loss
