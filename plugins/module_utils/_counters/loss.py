# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of a test's frames were lost, or why that is unknown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.arrival import RECEIVE_WAIT, SETTLE
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters.evidence import (
    OTHER_SHARE,
    Received,
    others_tolerated,
    usual_others,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import (
    ETHERNET_HEADER,
    SHORTEST_FRAME,
    VLAN_TAG,
)

# A loss counts as the device's if the receiving host dropped at most this share of it.
HOST_SHARE = 0.01


class Loss:
    """The loss of a run whose sending is proven.

    ``packets``: how many of the test's frames left and did not arrive; None if unknown. ``of``: how many left;
    ``ratio``: the lost share of them. ``is_the_devices``: known, and not the receiving host's own drops. ``notes``: the
    evidence in words.

    :param tx: what the sending device counted, if anything proves it.
    :param notes: findings about the sending.
    """

    def __init__(
        self,
        stats: Mapping[str, Any],
        run: Mapping[str, Any],
        tx: Mapping[str, Any] | None,
        rx: Received,
        notes: Sequence[str],
    ) -> None:
        self.notes = list(notes)
        self._stats, self._run, self._tx, self._rx = stats, run, tx, rx
        self._seconds: float = (stats.get("seconds") if rx.seconds is None else rx.seconds) or 0
        self.of: int = stats["packets"] if tx is None else min(stats["packets"], tx["packets"])
        self.packets = self._packets()
        if self.packets is not None:
            self._own_frames()
        self.ratio = self.packets / self.of if self.packets is not None and self.of else None
        self.is_the_devices = self.packets is not None and not (self.packets and self._host_has_a_share(self.packets))

    def _packets(self) -> int | None:
        missing = self._missing()
        if missing is None or self._still_under_way(missing) or self._doubled(missing):
            return None
        return None if missing and self._may_have_come_unseen(missing) else missing

    def _missing(self) -> int | None:
        """How many fewer arrived than left. None if more arrived, unless the surplus is within the tolerance for
        foreign frames."""
        tx, rx = self._tx, self._rx
        # A MAC or a command also counts foreign frames, so compare with all that left. At most the test's own can be
        # lost.
        base = self.of if tx is None or rx.exact else int(tx["packets"])
        if rx.packets <= base:
            return min(base - rx.packets, self.of)
        more = rx.packets - base
        if rx.exact:
            # Frames that left the sender's queue after it was counted.
            if tx is not None and tx.get("queued") and more <= tx["queued"]["packets"]:
                return 0
            # The device's count may be better: an interrupted tcpreplay does not count its last frames.
            if tx is not None and rx.packets <= tx["packets"]:
                self.notes.append(
                    f"{more} of these arrived from the test's source MAC addresses: its last ones when interrupted, the"
                    " port's own (ARP, ND), or doubled ones, which may hide as many lost"
                )
                return 0
            self.notes.append(
                f"{more} frames more arrived than were sent (tolerance 0): duplicated on the way, or another sender"
                " uses the source MAC address"
            )
            return None
        tolerance = others_tolerated(base, self._seconds)
        said = f"the receiver's {rx.source} counts {more} frames more than were sent"
        if more <= tolerance:
            self.notes.append(f"{said}: others' (tolerance {tolerance}), which may hide a loss")
            return 0
        self.notes.append(f"{said} (tolerance {tolerance}): others' frames hide what was lost")
        return None

    def _still_under_way(self, missing: int) -> bool:
        """Whether frames may still be on their way, or counted frames may belong to an earlier run."""
        tx, rx, notes = self._tx, self._rx, self.notes
        if rx.earlier and rx.earlier["still_coming"]:
            notes.append(
                f"{rx.earlier['packets']} frames of the test's source MAC addresses arrived before the first was"
                " sent, and more were coming: late ones of an earlier run, or another sender's, so what was lost is not"
                " known"
            )
            return True
        if rx.earlier and rx.earlier["missed_seconds"] is not None:
            notes.append(
                "late frames of the run before may be among those counted: it missed some, and ended "
                f"{rx.earlier['missed_seconds']:.1f} s before this one began (settle; RFC 2544 says {SETTLE:g})"
            )
        queued = tx.get("queued") if tx else None
        if queued:
            notes.append(
                f"{queued['packets']} frames were still in the sender's own queue, so what was lost is not known"
            )
            return True
        wait = rx.arrival
        if not wait or not missing:
            return False
        if wait["ended"] == "limit":
            ended = (
                "when the receiver ended"
                if wait["waited"] is None
                else f"{wait['waited']:.1f} s after the last had left"
            )
            notes.append(f"frames were still arriving {ended}, so how many were lost is not known")
            return True
        if wait["ended"] == "stopped":
            notes.append(
                f"it was told to stop, so late frames were not waited for: how many of the {missing} that are missing"
                " were lost is not known"
            )
            return True
        if wait["receive_wait"] < RECEIVE_WAIT:
            notes.append(
                f"some of the {missing} lost frames may only be late: the receiver was waited for"
                f" {wait['receive_wait']:g} s without a frame (receive_wait; RFC 2544 says {RECEIVE_WAIT:g})"
            )
        elif not rx.packets:
            notes.append(
                f"nothing arrived for {wait['receive_wait']:g} s after the last frame had left: what a device holds"
                " longer counts as lost"
            )
        return False

    def _doubled(self, missing: int) -> bool:
        """Whether the bytes that arrived do not match the frames that left: some may have been doubled and as many
        lost."""
        run, rx = self._run, self._rx
        frames, count, size = run.get("frames"), self._stats.get("packets"), self._stats.get("bytes")
        if not frames or not size or not count or not rx.packets or rx.layer3_bytes is None or rx.merging:
            return False
        if set(run.get("edited_by") or ()) - {"unique-ip"} or (self._tx is not None and self._tx["packets"] != count):
            return False
        smallest, largest = frames["smallest"], frames["largest"]
        if smallest == largest or frames["vlan_tagged"] not in ("none", "all"):
            if not missing:
                self.notes.append(
                    "as many frames arrived as left; a counter cannot tell whether some were lost and as many doubled"
                    " on the way, where all are of one size or only some have a VLAN tag"
                )
            return False
        header = ETHERNET_HEADER + (VLAN_TAG if frames["vlan_tagged"] == "all" else 0)
        per_pass = sum(one["packets"] for one in run.get("pcaps") or ())
        # A NIC pads frames below 60 bytes, a veth does not. If a pass ended early, it is unknown which of them it sent.
        padding = frames["padding"] * -(-count // per_pass) if per_pass else count * SHORTEST_FRAME
        fewer = size - header * count - rx.layer3_bytes
        if not missing and per_pass and not count % per_pass:
            fits = fewer in (0, -padding)
        else:
            fits = missing * (smallest - header) - padding <= fewer <= missing * (largest - header)
        if not fits:
            self.notes.append(
                f"{rx.packets} of {count} frames arrived, and {rx.layer3_bytes} of {size - header * count}"
                " bytes behind their headers, which does not fit: some were doubled on the way and as many more lost,"
                " or their sizes were changed (a Linux bridge may cut frames to their IP packets)"
            )
        elif not missing and fewer:
            self.notes.append(
                f"as many frames arrived as left, and {-fewer} bytes more: the padding of short ones (tolerance"
                f" {padding} bytes), unless some were lost and as many doubled"
            )
        return not fits

    def _may_have_come_unseen(self, missing: int) -> bool:
        """Whether frames may have arrived that the receiver did not count."""
        rx, most = self._rx, usual_others(self._seconds)
        if rx.blind and rx.packets <= (0 if rx.exact else most):
            counted = f"only {rx.packets}" if rx.packets else "none"
            self.notes.append(
                f"the receiver's {rx.source} counts {counted} of {self.of} frames, which does not prove a loss:"
                f" {rx.blind}"
            )
            return True
        if not rx.others:
            return False
        # So few foreign frames are normal, but in a short run they may be the test's.
        few = rx.others <= most
        unseen = rx.others >= missing and most > OTHER_SHARE * self.of if few else rx.others > HOST_SHARE * missing
        told = ", which are others'"
        if unseen:
            told = (
                ": a router or a tool that rewrites addresses may have sent the test's on so, and what was lost is not"
                " known"
            )
        self.notes.append(
            f"{missing} of the test's frames did not arrive from its source MAC addresses, and {rx.others} frames from"
            f" other ones did{told} (tolerance {most} frames in this time, and {HOST_SHARE:.0%} of what is missing)"
        )
        return unseen

    def _own_frames(self) -> None:
        """Note how many lost frames may be hidden by foreign ones: the sending port's own from a counted address, or
        anybody's."""
        tx, rx = self._tx, self._rx
        if not rx.exact:
            if not any("others'" in note for note in self.notes):
                self.notes.append(
                    f"the receiver's {rx.source} counts others' frames, too, which may hide lost ones "
                    f"(usually up to {usual_others(self._seconds)} in that time)"
                )
            return
        more = 0 if tx is None else tx["packets"] - self._stats["packets"]
        if more > 0 and self._run.get("mac_address") in rx.macs:
            self.notes.append(
                f"the port's own frames (ARP, ND) come from an address that is counted, so up to {more} lost frames may"
                " be hidden"
            )

    def _host_has_a_share(self, loss: int) -> bool:
        """Whether the device under test may not be the cause of the loss."""
        rx = self._rx
        # Frames merged into one count as one.
        if rx.merging and rx.packets:
            self.notes.append(
                f"the receiver merges frames before it counts them ({', '.join(rx.merging)}), so the {loss} lost"
                " frames may be none: switch that off with ethtool -K"
            )
            return True
        if rx.uncounted is None:
            self.notes.append(
                f"whether the receiving host itself dropped some of the {loss} lost frames is not known: its port does"
                " not count those, or was reset"
            )
            return True
        if not rx.uncounted:
            return False
        self.notes.append(
            f"up to {min(rx.uncounted, loss)} of the {loss} lost frames were dropped by the receiving host itself, "
            f"which is not the device's loss (tolerance {HOST_SHARE:.0%})"
        )
        return rx.uncounted > HOST_SHARE * loss
