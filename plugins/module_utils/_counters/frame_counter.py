# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent count of arriving test frames: our own nftables counter (family netdev, hook ingress).

A veth's ``rx_packets`` is its peer's ``tx_packets`` and so proves nothing, and every interface also receives ARP, ND,
LLDP. This counter sees each frame the interface hands to the kernel, before any protocol does, and counts those with
the test's source MAC addresses, with or without VLAN tags, IP or not. It lets every frame pass. It matches the raw six
bytes, because nft puts ``meta iiftype ether`` before ``ether saddr``, and that does not match on loopback.

Each interface has one table, named after it, with one chain of two rules. The second rule counts the frames from other
addresses: the test's may have come with another source. nftables counts bytes after the Ethernet header and the
outermost VLAN tag. They are returned as ``layer3_bytes``, since ``bytes`` are frame bytes.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._counters import nftables
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import Completed, find_executable, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

SOURCE = "nftables ingress counter"
_MAC_BYTES = 6
_NUMBERS = (errno.EPERM, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT)  # by what nft says of them
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
# To run before the counter in the same hook, a chain (a user's filter, a test's dropper) takes a lower priority.
_PRIORITY = 0
_INSTALL = "Install nftables on this host (the package is called nftables on Debian and on EL)."


def normal_mac(mac: str) -> str:
    """A MAC address as nftables prints it: six pairs of hex digits, lower case, colons.

    Dashes and Cisco's dots are accepted. So are group addresses: no station has one, but frames in captures do come
    from them.
    """
    digits = re.sub(r"[:.-]", "", str(mac).strip().lower())
    normal = ":".join(map("".join, zip(digits[:12:2], digits[1:12:2])))
    if len(digits) != 12 or not _MAC.fullmatch(normal):
        raise TrafficgenError(
            "not a MAC address", on=repr(mac), remedy="Write it as six pairs of hex digits: 02:00:00:00:00:01."
        )
    return normal


def table_name(name: str) -> str:
    """The name of an interface's table. nftables takes letters, digits, ``_`` only; each other byte of the interface's
    name is escaped."""
    latin = os.fsencode(name).decode("latin-1")
    return "trafficgen_count_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", latin)


def ruleset(name: str, macs: Sequence[str]) -> str:
    """The input of ``nft -f -`` for a fresh counter, in one transaction.

    The table is first added, then deleted: this replaces one that a killed run left behind, and a missing one is no
    error.
    """
    table = table_name(name)
    return (
        f"add table netdev {table}\n"
        f"delete table netdev {table}\n"
        f"table netdev {table} {{\n"
        f"  chain ingress {{\n"
        f'    type filter hook ingress device "{name}" priority {_PRIORITY}; policy accept;\n'
        f"    @ll,48,48 {{ {', '.join('0x' + mac.replace(':', '') for mac in macs)} }} counter accept\n"
        f"    counter\n"
        f"  }}\n"
        f"}}\n"
    )


@dataclass(frozen=True)
class Counts:
    """The counter's values: ``packets`` and ``layer3_bytes`` from ``macs``, ``others`` from all other addresses; its
    table's ``handle``."""

    handle: int
    macs: tuple[str, ...]
    packets: int
    layer3_bytes: int
    others: int

    def tree(self, table: str) -> dict[str, Any]:
        """The modules' return value."""
        return {
            "source": SOURCE,
            "packets": self.packets,
            "bytes": None,
            "layer3_bytes": self.layer3_bytes,
            "others": self.others,
            "macs": list(self.macs),
            "table": table,
            "handle": self.handle,
        }


def counts_of(table: nftables.RuleTable) -> Counts:
    """What a table of :func:`ruleset` has counted."""
    macs = [value.hex(":") for value in table.rules[0].values if len(value) == _MAC_BYTES] if table.rules else []
    if len(table.rules) != 2 or not macs or table.rules[1].values:
        raise TrafficgenError("holds no frame counter any more", on="nftables table", remedy="Set it up again.")
    matching, others = table.rules
    return Counts(table.handle, tuple(sorted(macs)), matching.packets, matching.bytes, others.packets)


def add_frame_counter(interface: Interface, macs: Sequence[str]) -> dict[str, Any]:
    """Set up a fresh counter of frames from these source MAC addresses and return it like
    :func:`read_frame_counter`."""
    if not macs:
        raise TrafficgenError("no source MAC address to count", on=interface.name, remedy="Set source_macs.")
    # A star at the end would match all interfaces with this prefix.
    if re.search(r'["\\\s]|\*$', interface.name):
        raise TrafficgenError("nftables cannot name this interface", on=repr(interface.name), remedy="Rename it.")
    wanted = sorted({normal_mac(mac) for mac in macs})
    done = _nft(interface, "-f", "-", stdin=ruleset(interface.name, wanted))
    if done.status != 0:
        raise _refused("the frame counter could not be set up", interface, done)
    return _read(interface)


def find_frame_counter(interface: Interface) -> dict[str, Any] | None:
    """The interface's counter, whoever set it up; None without one. A table of that name without a counter has no
    addresses."""
    table = _table(interface)
    if table is None:
        return None
    try:
        return counts_of(table).tree(table_name(interface.name))
    except TrafficgenError:
        return no_counts(interface.name, [])


def no_counts(name: str, macs: list[str]) -> dict[str, Any]:
    """A counter at 0, for check mode."""
    names = ("packets", "bytes", "layer3_bytes", "others", "handle")
    return {"source": SOURCE, **dict.fromkeys(names), "macs": macs, "table": table_name(name)}


def read_frame_counter(counter: Mapping[str, Any], interface: Interface) -> dict[str, Any]:
    """The counter's values now. Raises :class:`TrafficgenError` if it is gone or was replaced."""
    now = _read(interface)
    if now["handle"] != counter["handle"]:
        raise TrafficgenError(
            "the frame counter was replaced after it was set up",
            on=interface.name,
            remedy="Let only one run at a time count on an interface.",
        )
    return now


def remove_frame_counter(interface: Interface) -> None:
    """Remove the interface's counter; no error if it is gone already."""
    done = _nft(interface, "delete", "table", "netdev", table_name(interface.name))
    if done.status != 0 and "No such file" not in done.stderr:
        raise _refused("the frame counter could not be removed", interface, done)


def _read(interface: Interface) -> dict[str, Any]:
    table = _table(interface)
    name = table_name(interface.name)
    if table is None:
        raise TrafficgenError(
            f"the frame counter (nftables table {name}) is gone: somebody removed it after it was set up",
            on=interface.name,
            remedy="Set it up again, and do not flush the ruleset while it counts.",
        )
    return counts_of(table).tree(name)


def _table(interface: Interface) -> nftables.RuleTable | None:
    """The interface's table; None where there is none."""
    try:
        return nftables.read_table(table_name(interface.name), interface.netns)
    except OSError as error:
        if remedy_of(error):
            raise  # the system has run out of something
        raise TrafficgenError(
            "the frame counter could not be read",
            on=interface.name,
            said=error.strerror or str(error),
            remedy=nftables.remedy_of(error.errno),
        ) from error


def _nft(interface: Interface, *arguments: str, stdin: str | None = None) -> Completed:
    find_executable("nft", _INSTALL)
    return run(["nft", *arguments], netns=interface.netns, stdin=stdin)


def _refused(what: str, interface: Interface, done: Completed) -> TrafficgenError:
    numbers = [number for number in _NUMBERS if os.strerror(number) in done.stderr]
    remedy = nftables.remedy_of(numbers[0]) if numbers else ""
    return TrafficgenError(what, on=interface.name, said=done.stderr or done.stdout, remedy=remedy)
