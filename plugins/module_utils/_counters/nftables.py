# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a table of nftables' family netdev, asked of the kernel by netlink: ``nft`` takes 15 ms for it, and lists
every table first.

Numbers are those of linux/netfilter/nfnetlink.h and nf_tables.h. Numbers of nftables are in network order.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import (
    NETFILTER,
    Netlink,
    attribute,
    attributes,
    every_attribute,
    text,
)

_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_NETDEV = 5  # NFPROTO_NETDEV
_NFTABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GET_TABLE, _GET_RULE, _GET_ELEMENTS = _NFTABLES | 1, _NFTABLES | 7, _NFTABLES | 13
_NAME, _HANDLE = 1, 4  # NFTA_TABLE_*
_RULE_TABLE, _RULE_EXPRESSIONS = 1, 4  # NFTA_RULE_*
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2  # NFTA_EXPR_*
_COUNTED_BYTES, _COUNTED_PACKETS = 1, 2  # NFTA_COUNTER_*
_COMPARED, _LOOKED_UP = 3, 1  # NFTA_CMP_DATA, NFTA_LOOKUP_SET
_SET_TABLE, _SET, _ELEMENTS, _KEY, _VALUE = 1, 2, 3, 1, 1  # NFTA_SET_ELEM_LIST_*, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE


class Rule(NamedTuple):
    """A rule: what it compares with, values or the name of a set of them; the packets and bytes it has counted."""

    values: frozenset[bytes]
    looked_up: str
    packets: int
    bytes: int


class RuleTable(NamedTuple):
    """A table: its handle, and its rules that count, in their order."""

    handle: int
    rules: list[Rule]


def read_table(name: str, netns: str | None) -> RuleTable | None:
    """A table as it stands now; None where there is none.

    :raises OSError: where the kernel does not tell.
    """
    with inside(netns):
        netfilter = Netlink(NETFILTER)
    with netfilter:
        try:
            answer = netfilter.ask(_GET_TABLE, _request(attribute(_NAME, name.encode() + b"\0")))
        except FileNotFoundError:
            return None
        handle = _number(_told(answer).get(_HANDLE, b""))
        request = _request(attribute(_RULE_TABLE, name.encode() + b"\0"))
        rules = parse_rules(message for _kind, message in netfilter.list(_GET_RULE, request))
        return RuleTable(handle, [_with_elements(netfilter, name, rule) for rule in rules])


def parse_rules(messages: Iterable[bytes]) -> list[Rule]:
    """The rules that count, of a dump of them."""
    found = []
    for message in messages:
        values: set[bytes] = set()
        looked_up, counted = "", None
        for _element, expression in every_attribute(_told(message).get(_RULE_EXPRESSIONS, b"")):
            parts = attributes(expression)
            kind = text(parts.get(_EXPRESSION_NAME, b""))
            data = attributes(parts.get(_EXPRESSION_DATA, b""))
            if kind == "cmp":
                values.add(attributes(data.get(_COMPARED, b"")).get(_VALUE, b""))
            elif kind == "lookup":
                looked_up = text(data.get(_LOOKED_UP, b""))
            elif kind == "counter":
                counted = _number(data.get(_COUNTED_PACKETS, b"")), _number(data.get(_COUNTED_BYTES, b""))
        if counted:
            found.append(Rule(frozenset(values), looked_up, *counted))
    return found


def parse_elements(messages: Iterable[bytes]) -> frozenset[bytes]:
    """The keys of a set, of a dump of its elements."""
    return frozenset(
        attributes(attributes(element).get(_KEY, b"")).get(_VALUE, b"")
        for message in messages
        for _element, element in every_attribute(_told(message).get(_ELEMENTS, b""))
    )


def _with_elements(netfilter: Netlink, table: str, rule: Rule) -> Rule:
    if not rule.looked_up:
        return rule
    wanted = attribute(_SET_TABLE, table.encode() + b"\0") + attribute(_SET, rule.looked_up.encode() + b"\0")
    messages = (message for _kind, message in netfilter.list(_GET_ELEMENTS, _request(wanted)))
    return rule._replace(values=parse_elements(messages))


def _request(wanted: bytes) -> bytes:
    return _HEADER.pack(_NETDEV, 0, 0) + wanted


def _told(message: bytes) -> dict[int, bytes]:
    return attributes(message, _HEADER.size)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def remedy_of(number: int | None) -> str:
    """What to do about a refusal of the kernel's."""
    if number in (errno.EPERM, errno.EACCES):
        return "nftables needs root (CAP_NET_ADMIN): run the task with become."
    if number in (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EINVAL):
        return "The kernel must have nftables' netdev family (CONFIG_NF_TABLES_NETDEV)."
    return ""
