# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap's rings beyond the first: what is wrong with them in tcpreplay, its repair in the sources, and whether a
program has that.

A process on ``netmap:IF-k`` has ring k only. Having sent all, it waits until its rings are empty, in
``netmap_tx_queues_empty()`` of src/common/netmap.c. That begins with ring 0, for which a process without it has no
address: it takes other memory for a ring, and the wait has no limit (appneta/tcpreplay issue 560). After the wait it
goes on with ring 0 as well, in the last of several passes, before which it waits, too. Both have to be the first ring
it has, ``first_tx_ring``, which ``sendpacket_send_netmap()`` beside it uses. The function does the same in all releases
from 4.3.0 to 4.6.0-beta2.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_bytes, sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.hold import rings_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import VersionInfo, ring_fix_for

SOURCE = "src/common/netmap.c"
# What the role tcpreplay notes of the program it has installed. Only root can read it.
STAMP = "/var/lib/trafficgen/stamps/tcpreplay.json"
_ROLE = "the role wirespeed.trafficgen.tcpreplay"

# What is no code; the function's definition, to the brace in the first column that ends it; and what it makes the
# current ring.
_NO_CODE = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
_FUNCTION = re.compile(
    r"^(?:[A-Za-z_][\w \t*]*[ \t*])?netmap_tx_queues_empty[ \t]*\([^(){};]*\)\s*\{(.*?)^\}", re.MULTILINE | re.DOTALL
)
_CURRENT = re.compile(r"\b(?P<port>\w+)->cur_tx_ring\s*=(?!=)\s*(?P<ring>[^;]+?)\s*;")


def fix(source: str) -> str:
    """The text of :data:`SOURCE` with the wait on the process's own rings. It may have been so before.

    :raises TrafficgenError: where it is not the function that is known.
    """
    code = _NO_CODE.sub(lambda part: re.sub(r"[^\n]", " ", part[0]), source)  # each place is where it was
    found = list(_FUNCTION.finditer(code))
    if len(found) != 1:
        raise _not_the_place(f"netmap_tx_queues_empty() is {'not' if not found else f'{len(found)} times'} in it")
    begin, end = found[0].span(1)
    loop, current = code.find("while", begin, end), list(_CURRENT.finditer(code, begin, end))
    known = all(one["ring"] in ("0", f"{one['port']}->first_tx_ring") for one in current)
    if not known or len(current) != 2 or not current[0].end() <= loop < current[1].start():
        raise _not_the_place(
            "netmap_tx_queues_empty() does not begin with ring 0 and go back to it after its loop, each once"
        )
    for one in reversed(current):
        start, stop = one.start("ring"), one.end()
        source = f"{source[:start]}{one['port']}->first_tx_ring;{source[stop:]}"
    return source


def _not_the_place(what: str) -> TrafficgenError:
    return TrafficgenError(
        f"{what}, so it cannot be made to wait for the rings it sends on",
        on=SOURCE,
        remedy="Set tcpreplay_ring_fix: false to build these sources as they are, for one ring, or build 4.4.2.",
    )


def rings(program: str, version: VersionInfo) -> str | None:
    """The rings of netmap that a program can send on: ``all``, ``one`` (the first), or None where that is not known.

    Nothing in the program tells. The role notes what it built, by the program's hash.
    """
    if not version.netmap:
        return None
    try:
        noted: Any = json.loads(read_bytes(STAMP) or b"{}")
        known = noted["program"]["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    if known != sha256(program):
        return None
    # Before there was a repair, the role noted nothing of it.
    return "all" if noted.get("rings") == "all" else "one"


def check_program(workers: int, program: str, version: VersionInfo) -> None:
    """Refuse a program that cannot send on each worker's ring."""
    on, remedy = f"workers {workers}", f"Install 4.4.2 with {_ROLE}, or set workers: 1."
    if version.release >= (4, 5, 3):
        raise TrafficgenError(
            f"tcpreplay {version.version} cannot send on a ring of netmap other than the first: it gives up the wait"
            " for it after 2 s, counts frames that never leave, and writes into netmap's memory",
            on=on,
            remedy=remedy,
        )
    found = rings(program, version)
    if found == "all":
        return
    if not ring_fix_for(version.release):
        why = f"nobody has tried tcpreplay {version.version} on a ring of netmap other than the first"
    elif found == "one":
        why = f"{program} never ends on a ring of netmap other than the first, as tcpreplay's own sources have it"
        remedy = f"Build it again with {_ROLE} and tcpreplay_ring_fix: true, its default, or set workers: 1."
    else:
        why = (
            f"whether {program} ends on a ring of netmap other than the first is not known, and tcpreplay's own sources"
            f" do not: {STAMP}, which only root can read, does not have this program"
        )
        remedy = f"Build it with {_ROLE}, run the task as root, or set workers: 1."
    raise TrafficgenError(why, on=on, remedy=remedy)


def check_port(workers: int, interface: Interface, found: Rings | None = None) -> None:
    """Refuse a port with too few rings.

    tcpreplay knows the names of a port's rings, ``netmap:IF-k``, up to the number of those to receive
    (get_interface_list() in src/common/interface.c, 4.3.4 to 4.5.5), so these have to be as many as well.

    :param found: those that netmap has; None where it is to be asked.
    """
    rings = rings_of(interface) if found is None else found
    name, has = interface.name, min(rings.tx_rings, rings.rx_rings)
    if has >= workers:
        return
    count = f"{name} has {has} {'ring' if has == 1 else 'rings'} in netmap"
    inside = f"ip netns exec {interface.netns} " if interface.netns else ""
    raise TrafficgenError(
        f"{count} to send on, but each worker needs one"
        if rings.tx_rings == has
        else f"{count} to receive, and tcpreplay sends only on rings whose number these have, too",
        on=f"workers {workers}",
        remedy=(
            f"Set workers to {has}{' or fewer' if has > 1 else ''}, or give the port more rings:"
            f" `{inside}ethtool -L {name} combined {workers}` (`rx {workers} tx {workers}` where each kind has a number"
            " of its own, as on a veth)."
            f" `{inside}ethtool -l {name}` shows how many it can have."
        ),
    )
