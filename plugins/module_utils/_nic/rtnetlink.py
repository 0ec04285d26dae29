# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses, routes and queueing disciplines, asked of the kernel by rtnetlink(7).

What is told of one has the names that ``ip -j -d`` gives it, so that both can be compared. Numbers and structures are
those of linux/rtnetlink.h, if_link.h, if_addr.h and pkt_sched.h.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import (
    Netlink,
    attribute,
    attributes,
    every_attribute,
    number,
    text,
)

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_LINK, _GET_LINK, _GET_ADDRESS, _GET_ROUTE, _GET_QDISC = 16, 18, 22, 26, 38
_IFNAME, _EXT_MASK, _ALT_IFNAME, _XDP = 3, 29, 53, 43
_SKIP_STATS = 8  # RTEXT_FILTER_SKIP_STATS
_LONGEST_NAME = 15  # bytes; a longer one is an alternative name
_FLAGS = {"LOOPBACK": 0x8, "PROMISC": 0x100, "UP": 0x1, "LOWER_UP": 0x10000}
_NUMBERS = {
    4: "mtu",
    5: "link_index",
    10: "master_index",
    30: "promiscuity",
    31: "num_tx_queues",
    32: "num_rx_queues",
    35: "carrier_changes",
    37: "link_netnsid",
}
_TEXTS = {_IFNAME: "ifname", 6: "qdisc", 56: "parentdev", 57: "parentbus"}
# IFLA_XDP_DRV_PROG_ID and its like, by where the program runs: in the driver, in the kernel behind it, in the NIC.
_PROGRAMS = {5: "driver", 6: "generic", 7: "offload"}
_ADDRESS, _PERMANENT_ADDRESS, _LINKINFO, _KIND, _STATS64 = 1, 54, 18, 1, 23
# struct rtnl_link_stats64, by the names of /sys/class/net/IF/statistics.
_STATS = (
    "rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped multicast collisions"
    " rx_length_errors rx_over_errors rx_crc_errors rx_frame_errors rx_fifo_errors rx_missed_errors tx_aborted_errors"
    " tx_carrier_errors tx_fifo_errors tx_heartbeat_errors tx_window_errors rx_compressed tx_compressed rx_nohandler"
    " rx_otherhost_dropped"
)
# linux/if_arp.h, by the names of iproute2's lib/ll_types.c: what a packet tool meets.
_LINK_TYPES = {
    1: "ether",
    24: "ieee1394",
    32: "infiniband",
    280: "can",
    512: "ppp",
    513: "hdlc",
    519: "rawip",
    768: "ipip",
    769: "tunnel6",
    772: "loopback",
    776: "sit",
    778: "gre",
    801: "ieee802.11",
    802: "ieee802.11/prism",
    803: "ieee802.11/radiotap",
    804: "ieee802.15.4",
    823: "gre6",
    824: "netlink",
    825: "6lowpan",
    0xFFFE: "none",
    0xFFFF: "void",
}
_BY_IPV4 = frozenset((768, 776, 778))  # tunnels whose address is an IPv4 address

_IFADDR = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, length of the prefix, flags, scope, index
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}

_RTMSG = struct.Struct("=8BI")  # struct rtmsg: family, lengths of dst and src, tos, table, protocol, scope, type, flags
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_MULTIPATH = 1, 2, 4, 9
_NEXT_HOP = struct.Struct("=HBBi")  # struct rtnexthop: length, flags, hops, index
_CLONED, _LOOKUP_TABLE = 0x200, 0x1000
_ROUTE_TYPES = {1: "unicast", 2: "local", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}

_TCMSG = struct.Struct("=BxxxiIII")  # struct tcmsg: family, index, handle, parent, info
_ROOT = 0xFFFFFFFF  # TC_H_ROOT
_TCA_KIND, _TCA_STATS, _TCA_STATS2, _STATS_QUEUE = 1, 3, 7, 3
_QUEUE = struct.Struct("=I")  # struct gnet_stats_queue begins with the frames that wait
_QUEUE_AT = 28  # of struct tc_stats: bytes, packets, drops, overlimits, bps, pps come before


def link(route: Netlink, name: str) -> dict[str, Any]:
    """A link by its name, or one of its alternative ones, with its counters.

    :raises OSError: ENODEV where there is none.
    """
    kind = _ALT_IFNAME if len(name.encode()) > _LONGEST_NAME else _IFNAME
    answer = route.ask(_GET_LINK, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(kind, name.encode() + b"\0"))
    return parse_link(answer)


def flags(route: Netlink, index: int) -> int:
    """The flags of a link (IFF_UP and others), asked so cheaply that it can be polled.

    :raises OSError: ENODEV where it is gone.
    """
    request = _IFINFO.pack(0, 0, index, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _SKIP_STATS))
    found: int = _IFINFO.unpack_from(route.ask(_GET_LINK, request))[3]
    return found


def links(route: Netlink) -> list[dict[str, Any]]:
    """All links of the namespace, without their counters; ``link`` and ``master`` are names."""
    request = _IFINFO.pack(0, 0, 0, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _SKIP_STATS))
    found = [parse_link(answer) for kind, answer in route.list(_GET_LINK, request) if kind == _LINK]
    names = {one["ifindex"]: one["ifname"] for one in found}
    for one in found:
        if "master_index" in one:
            one["master"] = names.get(one["master_index"], f"if{one['master_index']}")
        if one.get("link_index") and "link_netnsid" not in one:
            one["link"] = names.get(one["link_index"], f"if{one['link_index']}")
    return found


def parse_link(answer: bytes) -> dict[str, Any]:
    """A message about a link. ``counters`` has the names of /sys/class/net/IF/statistics, ``xdp`` the
    XDP programs on it."""
    _family, arp_type, index, bits, _change = _IFINFO.unpack_from(answer)
    found = attributes(answer, _IFINFO.size)
    told: dict[str, Any] = {
        "ifindex": index,
        "flags": [name for name, bit in _FLAGS.items() if bits & bit],
        "link_type": _LINK_TYPES.get(arp_type, f"[{arp_type}]"),
    }
    told.update((name, number(found[kind])) for kind, name in _NUMBERS.items() if kind in found)
    told.update((name, text(found[kind])) for kind, name in _TEXTS.items() if kind in found)
    for kind, name in ((_ADDRESS, "address"), (_PERMANENT_ADDRESS, "permaddr")):
        if kind in found:
            by_ipv4 = arp_type in _BY_IPV4 and len(found[kind]) == 4
            told[name] = str(ipaddress.ip_address(found[kind])) if by_ipv4 else found[kind].hex(":")
    info_kind = text(attributes(found.get(_LINKINFO, b"")).get(_KIND, b""))
    if info_kind:
        told["linkinfo"] = {"info_kind": info_kind}
    if _STATS64 in found:
        told["counters"] = dict(
            zip(_STATS.split(), struct.unpack_from(f"={len(found[_STATS64]) // 8}Q", found[_STATS64]))
        )
    attached = attributes(found.get(_XDP, b""))
    programs = [{"mode": mode, "id": number(attached[kind])} for kind, mode in _PROGRAMS.items() if kind in attached]
    if programs:
        told["xdp"] = programs
    return told


def addresses(route: Netlink) -> dict[int, list[dict[str, Any]]]:
    """The addresses of the namespace's links, by a link's index."""
    found: dict[int, list[dict[str, Any]]] = {}
    for _kind, answer in route.list(_GET_ADDRESS, _IFADDR.pack(0, 0, 0, 0, 0)):
        _family, length, _flags, scope, index = _IFADDR.unpack_from(answer)
        told = attributes(answer, _IFADDR.size)
        local = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
        if local and len(local) in (4, 16):
            found.setdefault(index, []).append(
                {
                    "local": str(ipaddress.ip_address(local)),
                    "prefixlen": length,
                    "scope": _SCOPES.get(scope, str(scope)),
                }
            )
    return found


def default_routes(route: Netlink, family: int) -> list[dict[str, Any]]:
    """The default routes of a family, of all tables: ``type``, and the index of the link that each way leads over."""
    found = []
    for _kind, answer in route.list(_GET_ROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
        of, length, _source, _tos, _table, _protocol, _scope, kind, flags = _RTMSG.unpack_from(answer)
        # A kernel without the family lists what it has.
        if of == family and length == 0 and not flags & _CLONED:
            found.append({"type": _ROUTE_TYPES.get(kind, str(kind)), "ways": _ways(answer)})
    return found


def way(route: Netlink, peer: str, at: str) -> int | None:
    """The index of the link by which what is sent from ``at`` to ``peer`` leaves.

    :raises OSError: where there is no such route.
    """
    to, source = ipaddress.ip_address(peer), ipaddress.ip_address(at)
    request = _RTMSG.pack(
        2 if to.version == 4 else 10, to.max_prefixlen, source.max_prefixlen, 0, 0, 0, 0, 0, _LOOKUP_TABLE
    )
    answer = route.ask(_GET_ROUTE, request + attribute(_RTA_DST, to.packed) + attribute(_RTA_SRC, source.packed))
    return next(iter(_ways(answer)), None)


def _ways(answer: bytes) -> list[int]:
    found = attributes(answer, _RTMSG.size)
    ways = [number(found[_RTA_OIF])] if _RTA_OIF in found else []
    hops = found.get(_RTA_MULTIPATH, b"")
    while len(hops) >= _NEXT_HOP.size:
        length, _flags, _hops, index = _NEXT_HOP.unpack_from(hops)
        ways.append(index)
        if length < _NEXT_HOP.size:
            break
        following = (length + 3) & ~3
        hops = hops[following:]
    return ways


def root_qdisc(route: Netlink, index: int) -> tuple[str, int] | None:
    """The kind of a link's root qdisc, and the frames that wait in it and its classes; None where there is none."""
    for _kind, answer in route.list(_GET_QDISC, _TCMSG.pack(0, index, 0, 0, 0)):
        _family, of, _handle, parent, _info = _TCMSG.unpack_from(answer)
        if of == index and parent == _ROOT:
            return parse_qdisc(answer)
    return None


def parse_qdisc(answer: bytes) -> tuple[str, int]:
    """A message about a qdisc."""
    found = attributes(answer, _TCMSG.size)
    queue = dict(every_attribute(found.get(_TCA_STATS2, b""))).get(_STATS_QUEUE)
    waiting = queue if queue is not None else found.get(_TCA_STATS, b"")[_QUEUE_AT:]
    return text(found.get(_TCA_KIND, b"")), _QUEUE.unpack_from(waiting.ljust(_QUEUE.size, b"\0"))[0]
