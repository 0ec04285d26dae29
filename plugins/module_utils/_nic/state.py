# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's settings: read and restored."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import ExhaustedError, TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import find_executable, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import find_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.ethtool import (
    Pause,
    RingSizes,
    kernels_name,
    read_features,
    read_pause,
    read_rings,
    set_features,
    set_pause,
    set_rings,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import LINK_LIMIT, read_link, wait_for_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

# ixgbe and others report the active flow control, which follows the setting once the link is up
# (ixgbe_get_pauseparam()).
_PAUSE_LIMIT, _PAUSE_STEP = 2.0, 0.05

# The offloads a run may turn off, as `ethtool -k` names them: those tcpreplay turns off for netmap
# (src/common/netmap.c), and those that merge or change arriving frames.
_TCPREPLAYS = "rx-checksumming|tx-checksum.*|tcp-segmentation-offload|tx-tcp.*|generic-segmentation-offload"
_OFFLOADS = re.compile(
    _TCPREPLAYS + "|generic-receive-offload|large-receive-offload|rx-gro-hw|rx-vlan-offload|tx-vlan-offload"
)


@dataclass(frozen=True)
class NicState:
    """An interface's settings.

    ``ifindex``: tells two interfaces of one name apart. ``promiscuous``: as set by ``ip link`` or the like; ``qdisc``:
    the root's kind. ``on``: the features that are on; ``wanted``: what each changeable one was set to, which may have
    to wait for another (sums of others are in neither). ``pause``, ``rings``: None if the interface has none.
    """

    ifindex: int
    driver: str
    promiscuous: bool
    qdisc: str
    up: bool
    mtu: int
    on: list[str]
    wanted: Mapping[str, bool]
    pause: Pause | None
    rings: RingSizes | None

    @property
    def offloads_to_turn_off(self) -> list[str]:
        """The offloads that are requested and that a run may turn off."""
        return [name for name, value in self.wanted.items() if value and _OFFLOADS.fullmatch(name)]

    @property
    def pauses(self) -> bool:
        """Whether it obeys or sends pause frames."""
        return self.pause is not None and (self.pause.rx or self.pause.tx)

    def offloads_on(self, *, netmap: bool) -> list[str]:
        """The offloads that are on during a run; with netmap, without those that tcpreplay itself turns off."""
        return [
            name for name in self.on if _OFFLOADS.fullmatch(name) and not (netmap and re.fullmatch(_TCPREPLAYS, name))
        ]


@dataclass(frozen=True)
class Undo:
    """What to restore: the state ``before``; ``pause``: flow control, as the run set it; ``qdisc``: the qdisc, as
    netmap replaces it; ``link``: the link was up and must be up again. ``pause_given_back``: already set, only to be
    checked.

    Flow control is restored only if the run set it, as drivers report what was negotiated, not what was set.
    """

    before: NicState
    pause: bool
    qdisc: bool
    link: bool
    pause_given_back: bool = False


def to_change(now: Mapping[str, bool], before: Mapping[str, bool]) -> dict[str, bool]:
    """The features to set so that ``now`` is what it was before."""
    return {name: value for name, value in before.items() if name in now and now[name] != value}


def read(interface: Interface) -> NicState:
    """An interface's settings now."""
    link = read_link(interface)
    flags = link.get("flags", [])
    on, wanted = read_features(interface)
    return NicState(
        ifindex=link["ifindex"],
        driver=find_driver(link, interface.netns) or "",
        promiscuous="PROMISC" in flags,
        qdisc=link.get("qdisc", ""),
        up="UP" in flags,
        mtu=link["mtu"],
        on=on,
        wanted=wanted,
        pause=read_pause(interface),
        rings=read_rings(interface),
    )


def turn_off(features: list[str], interface: Interface) -> None:
    """Turn off as many as the driver allows. ``ethtool -K`` fails only if it allows none, so the status is ignored."""
    with contextlib.suppress(TrafficgenError):  # what is on is read afterwards
        set_features(dict.fromkeys(features, False), interface)


def set_any_pause(wanted: Pause, interface: Interface) -> None:
    """Set flow control. i40e refuses to change autoneg with it; then autoneg stays.

    :raises TrafficgenError: refused either way.
    """
    try:
        set_pause(wanted, interface)
    except TrafficgenError:
        set_pause(Pause(not wanted.autoneg, wanted.rx, wanted.tx), interface)


def wait_for_pause(interface: Interface, is_set: Callable[[Pause | None], bool]) -> Pause | None:
    """An interface's flow control as soon as ``is_set`` accepts it, or as it is when the time is over."""
    until = time.monotonic() + _PAUSE_LIMIT
    while not is_set(pause := read_pause(interface)) and time.monotonic() < until:
        time.sleep(_PAUSE_STEP)
    return pause


def put_back(undo: Undo, interface: Interface) -> list[str]:
    """Restore an interface's settings. Returns a sentence on each that could not be restored.

    :raises ExhaustedError: no process can be started now.
    """
    before = undo.before
    try:
        now = read(interface)
    except ExhaustedError:
        raise
    except TrafficgenError as error:
        return [f"{error.message} So its settings were not restored."]
    if now.ifindex != before.ifindex or now.driver != before.driver:
        # The settings of the old interface do not belong to this one.
        return [
            f"{interface.name}: it is another interface than before the run (driver {before.driver}, now"
            f" {now.driver}), and was left as it is."
        ]
    steps = [_put_rings_back, _put_features_back, _put_link_back]
    if undo.qdisc:
        steps.append(_put_qdisc_back)
    if undo.pause and not undo.pause_given_back:
        steps.append(_put_pause_back)
    if undo.link:
        steps.append(_see_link_up)
    if undo.pause:
        steps.append(_see_pause)
    return [complaint for step in steps if (complaint := _complaint(step, before, now, interface))]


def _complaint(
    step: Callable[[NicState, NicState, Interface], None], before: NicState, now: NicState, interface: Interface
) -> str:
    try:
        step(before, now, interface)
    except ExhaustedError:
        raise
    except TrafficgenError as error:
        return error.message
    return ""


def _put_rings_back(before: NicState, now: NicState, interface: Interface) -> None:
    if before.rings is not None and now.rings is not None and before.rings != now.rings:
        set_rings(before.rings.rx, before.rings.tx, interface)


def _put_features_back(before: NicState, now: NicState, interface: Interface) -> None:
    wanted = to_change(now.wanted, before.wanted)
    if not wanted:
        return
    set_features(wanted, interface)
    left = to_change(read_features(interface)[1], before.wanted)
    if left:
        words = " ".join(f"{kernels_name(name)} {'on' if value else 'off'}" for name, value in left.items())
        raise TrafficgenError(
            "some offloads are not as they were before the run",
            on=interface.name,
            remedy=f"Try `ethtool -K {interface.name} {words}`.",
        )


def _put_link_back(before: NicState, now: NicState, interface: Interface) -> None:
    words: list[str] = []
    if now.promiscuous != before.promiscuous:
        words += ["promisc", "on" if before.promiscuous else "off"]
    if now.mtu != before.mtu:
        words += ["mtu", str(before.mtu)]
    if now.up != before.up:
        words.append("up" if before.up else "down")
    if words:
        _run(["ip", "link", "set", "dev", interface.name, *words], interface)


def _put_qdisc_back(before: NicState, now: NicState, interface: Interface) -> None:
    """netmap's emulated mode installs its own qdisc and leaves a pfifo behind. Deleting that brings back the kernel's
    default for this interface."""
    if now.qdisc == before.qdisc or read_link(interface).get("qdisc", "") == before.qdisc:
        return
    find_executable("tc", "Install iproute2 (iproute-tc on EL), so that the qdisc can be put back.")
    _run(["tc", "qdisc", "delete", "dev", interface.name, "root"], interface)
    after = read_link(interface).get("qdisc", "")
    if after != before.qdisc:
        raise TrafficgenError(
            f"netmap replaced its root qdisc {before.qdisc}, and now it is {after}",
            on=interface.name,
            remedy="Set it up again with `tc`.",
        )


def _put_pause_back(before: NicState, now: NicState, interface: Interface) -> None:
    if before.pause is None:
        return
    # i40e refuses autoneg until its own negotiation is done.
    wait_for_link(interface)
    set_any_pause(before.pause, interface)


def _see_pause(before: NicState, now: NicState, interface: Interface) -> None:
    after = wait_for_pause(interface, lambda pause: pause == before.pause)
    if before.pause is not None and after != before.pause:
        was = before.pause
        words = " ".join(
            f"{name} {'on' if value else 'off'}"
            for name, value in (("autoneg", was.autoneg), ("rx", was.rx), ("tx", was.tx))
        )
        raise TrafficgenError(
            "its flow control is not what it was before the run",
            on=interface.name,
            remedy=f"Try `ethtool -A {interface.name} {words}`.",
        )


def _see_link_up(before: NicState, now: NicState, interface: Interface) -> None:
    if not wait_for_link(interface):
        raise TrafficgenError(
            f"its link did not come up again within {LINK_LIMIT:g} s after the run",
            on=interface.name,
            remedy="Check the cable and the other side.",
        )


def _run(argv: list[str], interface: Interface) -> None:
    done = run(argv, netns=interface.netns)
    if done.status != 0:
        raise TrafficgenError(f"`{' '.join(argv)}` failed", on=interface.name, said=done.stderr)
