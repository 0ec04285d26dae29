# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an interface is set to: read before a run, changed for it, and put back after it, whatever ended it.

It is put back at the end; by a process that waits for that, when the module is killed; and by the next run on the interface, from a
note on disk, where both were.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._ethtool import (
    Pause,
    RingSizes,
    read_driver,
    read_pause,
    read_rings,
    set_pause,
    set_rings,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap_api import Link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic_note import NicNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._runner import find_executable, run, undone

LINK_LIMIT = 30.0  # seconds for a link to come up again; 10GBASE-T takes some ten
LINK_STEP, LINK_STEADY = 0.02, 0.1
_LAST_BREATH = 0.5  # seconds until tcpreplay, killed with this process, has let go of the NIC too

# What offloads `off` turns off, by the names of `ethtool -k`: what tcpreplay turns off for netmap (src/common/netmap.c), and what
# would merge or change the frames that arrive.
_OFFLOADS = re.compile(
    "rx-checksumming|tx-checksum.*|tcp-segmentation-offload|tx-tcp.*|generic-segmentation-offload|generic-receive-offload|"
    "large-receive-offload|rx-gro-hw|rx-vlan-offload|tx-vlan-offload"
)
# `ethtool -K` takes the kernel's names of features, but words of its own for these, which `ethtool -k` lists by another name.
_WORDS = {
    "rx-checksumming": "rx",
    "tx-checksumming": "tx",
    "scatter-gather": "sg",
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
    "large-receive-offload": "lro",
    "rx-vlan-offload": "rxvlan",
    "tx-vlan-offload": "txvlan",
    "ntuple-filters": "ntuple",
    "receive-hashing": "rxhash",
}


@dataclass(frozen=True)
class NicState:
    """What an interface is set to.

    ``ifindex``: another one is another interface, whatever its name. ``promiscuous``: as set by ``ip link`` or the like; ``qdisc``: the
    kind of the root one; ``wanted``: of each feature that is not fixed; ``pause``, ``rings``: None where it has none.
    """

    ifindex: int
    driver: str
    promiscuous: bool
    qdisc: str
    up: bool
    mtu: int
    wanted: Mapping[str, bool]
    pause: Pause | None
    rings: RingSizes | None

    @property
    def offloads_on(self) -> list[str]:
        """Those of the offloads that ``off`` means, and that are wanted."""
        return [name for name, value in self.wanted.items() if value and _OFFLOADS.fullmatch(name)]


@dataclass(frozen=True)
class Settings:
    """What a run wants changed. ``flow_control_asked``: in so many words, so that it is an error where it cannot be off."""

    offloads_off: bool = False
    flow_control_off: bool = False
    tx_ring_size: int | None = None
    rx_ring_size: int | None = None
    flow_control_asked: bool = False


def parse_features(output: str) -> dict[str, bool]:
    """``ethtool -k``: what is wanted of each feature that is neither fixed nor only the sum of the ones indented below it.

    ``off [requested on]``: it is wanted, and off as long as another one that it needs is off.
    """
    wanted: dict[str, bool] = {}
    sum_of_others = ""
    for line in output.splitlines():
        found = re.fullmatch(r"(\s*)([\w-]+): (on|off)(?: \[(fixed|requested on|requested off)\])?\s*", line)
        if not found:
            continue
        indent, name, value, note = found.groups()
        if indent and sum_of_others:
            wanted.pop(sum_of_others, None)
        elif not indent:
            sum_of_others = name
        if note != "fixed":
            wanted[name] = {"requested on": True, "requested off": False}.get(note or "", value == "on")
    return wanted


def to_change(now: Mapping[str, bool], before: Mapping[str, bool]) -> list[str]:
    """The words for ``ethtool -K IF`` that make ``now`` what it was before."""
    return [
        word
        for name, value in before.items()
        if name in now and now[name] != value
        for word in (_WORDS.get(name, name), "on" if value else "off")
    ]


def read(interface: str, netns: str | None) -> NicState:
    """What an interface is set to now."""
    link = _link(interface, netns)
    flags = link.get("flags", [])
    return NicState(
        ifindex=link["ifindex"],
        driver=read_driver(interface, netns),
        promiscuous="PROMISC" in flags,
        qdisc=link.get("qdisc", ""),
        up="UP" in flags,
        mtu=link["mtu"],
        wanted=_features(interface, netns),
        pause=read_pause(interface, netns),
        rings=read_rings(interface, netns),
    )


def check(now: NicState, settings: Settings, interface: str) -> None:
    """Refuse settings that the interface cannot have, before anything is changed."""
    for name, wanted in (("rx", settings.rx_ring_size), ("tx", settings.tx_ring_size)):
        if wanted is None:
            continue
        most = 0 if now.rings is None else now.rings.rx_most if name == "rx" else now.rings.tx_most
        if not most:
            raise TrafficgenError(
                "its rings have no size that can be set",
                on=f"{name}_ring_size {wanted}, {interface}",
                remedy=f"Leave {name}_ring_size out.",
            )
        if wanted > most:
            raise TrafficgenError(
                f"its {name} rings have {most} slots at most", on=f"{name}_ring_size {wanted}, {interface}", remedy=f"Give {most} or less."
            )
    if settings.flow_control_asked and now.pause is None:
        raise TrafficgenError("it has no flow control that could be off", on=interface, remedy="Leave flow_control out.")


def would_change(now: NicState, settings: Settings) -> bool:
    """Whether the settings are others than the interface has."""
    rings = now.rings and (settings.rx_ring_size or now.rings.rx, settings.tx_ring_size or now.rings.tx) != (now.rings.rx, now.rings.tx)
    pausing = settings.flow_control_off and now.pause is not None and (now.pause.rx or now.pause.tx)
    return bool(rings or pausing or (settings.offloads_off and now.offloads_on))


def make(now: NicState, settings: Settings, interface: str, netns: str | None) -> list[str]:
    """Make the settings. What of them could not be made, and was not asked for in so many words, a sentence each.

    :raises TrafficgenError: where what was asked for fails.
    """
    notes: list[str] = []
    if now.rings is not None:
        sizes = (settings.rx_ring_size or now.rings.rx, settings.tx_ring_size or now.rings.tx)
        if sizes != (now.rings.rx, now.rings.tx):
            set_rings(*sizes, interface, netns)
    if settings.flow_control_off and now.pause is not None and (now.pause.rx or now.pause.tx):
        try:
            _pause_off(now.pause, interface, netns)
        except TrafficgenError as error:
            if settings.flow_control_asked:
                raise
            notes.append(error.message)
    if settings.offloads_off and now.offloads_on:
        words = to_change(now.wanted, dict.fromkeys(now.offloads_on, False))
        _run(["ethtool", "-K", interface, *words], interface, netns)
    return notes


def _pause_off(now: Pause, interface: str, netns: str | None) -> None:
    """Without negotiating it, as ixgbe takes a negotiation for a yes; i40e on the other hand will not have that changed."""
    failed: TrafficgenError | None = None
    for autoneg in dict.fromkeys((False, now.autoneg)):
        try:
            set_pause(Pause(autoneg, rx=False, tx=False), interface, netns)
        except TrafficgenError as error:
            failed = failed or error
            continue
        after = read_pause(interface, netns)
        if after is not None and not after.rx and not after.tx:
            return
    raise TrafficgenError(
        "its flow control could not be turned off", on=interface, said=failed.said if failed else "it is still on",
        remedy=f"Try `ethtool -A {interface} autoneg off rx off tx off`, or set flow_control: keep.",
    )  # fmt: skip


@contextlib.contextmanager
def left_as_found(
    before: NicState,
    settings: Settings,
    interface: str,
    netns: str | None,
    warnings: list[str],
    *,
    changes: bool = False,
    hand_on: Sequence[int] = (),
) -> Iterator[NicState]:
    """Make a run's settings, and put back what an interface was set to when the block ends, however it ends: also by SIGKILL.

    The block gets what the interface is set to then. What cannot be put back is a warning. At the normal end a link that was up, and may
    have been reset, is up again, so that what comes next finds it so.

    :param before: what :func:`read` said.
    :param changes: the run changes the interface, whatever the settings are: netmap does.
    :param hand_on: descriptors that are open until it is put back.
    """
    makes = would_change(before, settings)
    note = NicNote(interface, netns) if makes or changes else None
    with Link(interface, netns) as link:
        was_running = link.running()
    process = os.getpid()

    def put_all_back() -> None:
        if os.getpid() != process:
            time.sleep(_LAST_BREATH)
        warnings.extend(put_back(before, interface, netns))
        if note is not None:
            note.forget()

    with undone(put_all_back, hand_on):
        if note is not None:
            warnings.extend(note.write(asdict(before)))
        if makes:
            warnings.extend(make(before, settings, interface, netns))
        yield read(interface, netns) if makes else before
    if was_running and note is not None:
        try:
            wait_for_link(interface, netns)
        except TrafficgenError as error:
            warnings.append(error.message)


def wait_for_link(interface: str, netns: str | None, seconds: float = LINK_LIMIT) -> bool:
    """Wait for a link to be up and to stay so for a moment; whether it is."""
    until = time.monotonic() + seconds
    up_since: float | None = None
    with Link(interface, netns) as link:
        while (now := time.monotonic()) < until:
            up_since = (up_since or now) if link.running() else None
            if up_since is not None and now - up_since >= LINK_STEADY:
                return True
            time.sleep(LINK_STEP)
    return False


def recover(interface: str, netns: str | None) -> list[str]:
    """Put right what an earlier run left behind that was cut off with all its processes; what it was, a sentence each.

    What was set up before the host was booted again has gone with that, and so has the note.
    """
    try:
        note = NicNote(interface, netns)
    except OSError:  # there is no such interface, which what comes next says better
        return []
    noted = note.read()
    if noted is None:
        return []
    before = _from_note(noted)
    complaints = [] if before is None else put_back(before, interface, netns)
    note.forget()
    return [f"{interface}: an earlier run was cut off; what it had changed has been put back.", *complaints]


def _from_note(noted: Mapping[str, Any]) -> NicState | None:
    try:
        return NicState(
            **{
                **noted,
                "pause": None if noted["pause"] is None else Pause(**noted["pause"]),
                "rings": None if noted["rings"] is None else RingSizes(**noted["rings"]),
            }
        )
    except (KeyError, TypeError):  # another version's
        return None


def put_back(before: NicState, interface: str, netns: str | None) -> list[str]:
    """Make an interface what it was before; what of it could not be, a sentence each."""
    try:
        now = read(interface, netns)
    except TrafficgenError as error:
        return [f"{error.message} So what it was set to was not put back."]
    if now.ifindex != before.ifindex or now.driver != before.driver:
        # What it was set to is not what this one was set to.
        return [
            f"{interface}: it is not the interface it was before the run (driver {before.driver}, now {now.driver}), and was left as it is."
        ]
    steps = (_put_rings_back, _put_pause_back, _put_features_back, _put_link_back, _put_qdisc_back)
    return [complaint for step in steps if (complaint := _complaint(step, before, now, interface, netns))]


def _complaint(
    step: Callable[[NicState, NicState, str, str | None], None], before: NicState, now: NicState, interface: str, netns: str | None
) -> str:
    try:
        step(before, now, interface, netns)
    except TrafficgenError as error:
        return error.message
    return ""


def _put_rings_back(before: NicState, now: NicState, interface: str, netns: str | None) -> None:
    if before.rings is not None and now.rings is not None and before.rings != now.rings:
        set_rings(before.rings.rx, before.rings.tx, interface, netns)


def _put_pause_back(before: NicState, now: NicState, interface: str, netns: str | None) -> None:
    if before.pause is not None and now.pause is not None and before.pause != now.pause:
        set_pause(before.pause, interface, netns)


def _put_features_back(before: NicState, now: NicState, interface: str, netns: str | None) -> None:
    words = to_change(now.wanted, before.wanted)
    if not words:
        return
    _run(["ethtool", "-K", interface, *words], interface, netns)
    left = to_change(_features(interface, netns), before.wanted)
    if left:
        raise TrafficgenError(
            "its offloads are not all as they were before the run", on=interface, remedy=f"Try `ethtool -K {interface} {' '.join(left)}`."
        )


def _put_link_back(before: NicState, now: NicState, interface: str, netns: str | None) -> None:
    words: list[str] = []
    if now.promiscuous != before.promiscuous:
        words += ["promisc", "on" if before.promiscuous else "off"]
    if now.mtu != before.mtu:
        words += ["mtu", str(before.mtu)]
    if now.up != before.up:
        words.append("up" if before.up else "down")
    if words:
        _run(["ip", "link", "set", "dev", interface, *words], interface, netns)


def _put_qdisc_back(before: NicState, now: NicState, interface: str, netns: str | None) -> None:
    """netmap's emulated mode puts a qdisc of its own in, and leaves a pfifo behind, whatever was there. What the kernel sets up by
    itself for this interface comes back when that goes."""
    if now.qdisc == before.qdisc or _link(interface, netns).get("qdisc", "") == before.qdisc:
        return
    find_executable("tc", "Install iproute2 (iproute-tc on EL), so that the qdisc can be put back.")
    _run(["tc", "qdisc", "delete", "dev", interface, "root"], interface, netns)
    after = _link(interface, netns).get("qdisc", "")
    if after != before.qdisc:
        raise TrafficgenError(
            f"netmap replaced its root qdisc {before.qdisc}, and now it is {after}", on=interface, remedy="Set it up again with `tc`."
        )


def _link(interface: str, netns: str | None) -> dict[str, Any]:
    done = _run(["ip", "-j", "link", "show", "dev", interface], interface, netns)
    return next((entry for entry in json.loads(done or "[]") if "ifname" in entry), {})


def _features(interface: str, netns: str | None) -> dict[str, bool]:
    return parse_features(_run(["ethtool", "-k", interface], interface, netns))


def _run(argv: list[str], interface: str, netns: str | None) -> str:
    done = run(argv, netns=netns)
    if done.status != 0:
        raise TrafficgenError(f"`{' '.join(argv)}` failed", on=interface, said=done.stderr)
    return done.stdout
