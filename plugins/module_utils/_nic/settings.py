# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up the interface for a run, and restore it afterwards.

The module restores it at the end. If the module is killed, a waiting process does; if both are killed, the next run
does, from a note on disk.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError, TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.cleanup import undo_even_if_killed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import Pause, RingSizes, set_rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import Link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.note import NicNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.state import (
    NicState,
    Undo,
    put_back,
    read,
    set_any_pause,
    turn_off,
    wait_for_pause,
)

_LAST_BREATH = 0.5  # seconds until tcpreplay, killed with this process, has released the NIC too


@dataclass(frozen=True)
class Settings:
    """What a run wants changed. ``flow_control_asked``: the user asked for it, so it is an error if it cannot be
    off."""

    offloads_off: bool = False
    flow_control_off: bool = False
    tx_ring_size: int | None = None
    rx_ring_size: int | None = None
    flow_control_asked: bool = False


def check_settings(now: NicState, settings: Settings, interface: Interface) -> None:
    """Refuse settings that the interface does not support, before anything is changed."""
    for name, wanted in (("rx", settings.rx_ring_size), ("tx", settings.tx_ring_size)):
        if wanted is None:
            continue
        on = f"{name}_ring_size {wanted}, {interface.name}"
        most = 0 if now.rings is None else now.rings.rx_most if name == "rx" else now.rings.tx_most
        if not most:
            raise TrafficgenError("the size of its rings cannot be set", on=on, remedy=f"Leave {name}_ring_size out.")
        if wanted > most:
            raise TrafficgenError(f"its {name} rings have {most} slots at most", on=on, remedy=f"Give {most} or less.")
    if settings.flow_control_asked and now.pause is None:
        raise TrafficgenError("it has no flow control to turn off", on=interface.name, remedy="Leave flow_control out.")


def would_change(now: NicState, settings: Settings) -> bool:
    """Whether the settings differ from the interface's."""
    pauses = settings.flow_control_off and now.pauses
    return bool(_ring_sizes(now, settings) or pauses or (settings.offloads_off and now.offloads_to_turn_off))


def apply(now: NicState, settings: Settings, interface: Interface) -> None:
    """Make the settings. :func:`verify` checks them once the link is up again.

    :raises TrafficgenError: the driver refused something the user asked for.
    """
    sizes = _ring_sizes(now, settings)
    if sizes:
        set_rings(*sizes, interface)
    if settings.flow_control_off and now.pauses:
        # With autoneg off: ixgbe would take negotiation for "both on".
        try:
            set_any_pause(Pause(autoneg=False, rx=False, tx=False), interface)
        except TrafficgenError:
            if settings.flow_control_asked:
                raise
    if settings.offloads_off and now.offloads_to_turn_off:
        turn_off(now.offloads_to_turn_off, interface)


def verify(settings: Settings, interface: Interface, warn: Callable[[str], None]) -> NicState:
    """The interface's settings for the run, now that its link is up. Warns of each setting that was not taken.

    :raises TrafficgenError: flow control is on although the user asked for off.
    """
    if settings.flow_control_off:
        wait_for_pause(interface, lambda pause: pause is None or not (pause.rx or pause.tx))
    now = read(interface)
    if settings.flow_control_off and now.pauses:
        error = TrafficgenError(
            "its flow control is still on, after it was turned off",
            on=interface.name,
            remedy=f"See `ethtool -a {interface.name}`; turn it off on the other side, or set flow_control: keep.",
        )
        if settings.flow_control_asked:
            raise error
        warn(error.message)
    if settings.offloads_off and now.offloads_to_turn_off:
        warn(f"{interface.name}: these offloads could not be turned off: {', '.join(now.offloads_to_turn_off)}.")
    return now


def _ring_sizes(now: NicState, settings: Settings) -> tuple[int, int] | None:
    """The receive and transmit sizes to set; None if they already are so."""
    if now.rings is None:
        return None
    sizes = (settings.rx_ring_size or now.rings.rx, settings.tx_ring_size or now.rings.tx)
    return None if sizes == (now.rings.rx, now.rings.tx) else sizes


@contextlib.contextmanager
def left_as_found(
    before: NicState,
    settings: Settings,
    interface: Interface,
    warn: Callable[[str], None],
    *,
    resets: bool = False,
    netmap: bool = False,
    pass_fds: Sequence[int] = (),
) -> Iterator[Callable[[], None]]:
    """Make a run's settings, and restore the interface when the block ends, even by SIGKILL.

    The block gets a function that restores flow control right away, before something else resets the port, so that the
    link has to come up only once. What cannot be restored becomes a warning, or, if nobody is left to read it, the next
    run's work.

    :param before: from :func:`read`.
    :param resets: the run may reset the port whatever the settings are.
    :param netmap: the run uses netmap, which does so, and leaves another qdisc.
    :param pass_fds: descriptors to keep open until it is restored.
    """
    changes = resets or netmap or would_change(before, settings)
    note = NicNote(interface) if changes else None
    with Link(interface) as link:
        undo = Undo(
            before, pause=settings.flow_control_off and before.pauses, qdisc=netmap, link=changes and link.running()
        )
    process = os.getpid()
    given_back = False

    def give_pause_back() -> None:
        nonlocal given_back
        if undo.pause and before.pause is not None:
            with contextlib.suppress(TrafficgenError):  # tried again at the end
                set_any_pause(before.pause, interface)
                given_back = True

    def put_all_back() -> None:
        here = os.getpid() == process
        if not here:
            time.sleep(_LAST_BREATH)
        try:
            complaints = put_back(replace(undo, pause_given_back=given_back), interface)
        except ExhaustedError as error:
            warn(f"{error.message} {interface.name} is not as it was before the run; the next run on it restores it.")
            return
        for text in complaints:
            warn(text)
        if note is not None and (here or not complaints):
            note.forget()

    with undo_even_if_killed(put_all_back, pass_fds):
        if note is not None:
            for text in note.write(asdict(undo)):
                warn(text)
        if would_change(before, settings):
            apply(before, settings, interface)
        yield give_pause_back


def recover(interface: Interface) -> list[str]:
    """Restore what an earlier run left changed because all its processes were killed. Returns warnings about it.

    A reboot undoes all settings, so an older note is ignored.
    """
    try:
        note = NicNote(interface)
    except TrafficgenError:  # no such interface: the next step has a better error for that
        return []
    noted = note.read()
    if noted is None:
        return []
    undo = _from_note(noted)
    try:
        complaints = ["The note is from another version."] if undo is None else put_back(undo, interface)
    except ExhaustedError as error:
        return [f"{error.message} The changes of an earlier run are not undone yet."]
    note.forget()
    if complaints:
        return [
            f"{interface.name}: an earlier run was cut off, and some of its changes could not be undone.",
            *complaints,
        ]
    return [f"{interface.name}: an earlier run was cut off; its changes have been undone."]


def _from_note(noted: Mapping[str, Any]) -> Undo | None:
    try:
        before = dict(noted["before"])
        for name, kind in (("pause", Pause), ("rings", RingSizes)):
            before[name] = None if before[name] is None else kind(**before[name])
        return Undo(**{**noted, "before": NicState(**before)})
    except (KeyError, TypeError, ValueError):
        return None
