# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run treats a pcap. What it cannot send is refused before a frame has left; what it changes is a note. Pure.

All engines take a file as tcpreplay does: read in upstream's sources at v4.4.2 to v4.5.5 (safe_pcap_next() in
src/common/utils.c, send_packets() in src/send_packets.c), and tried with 4.4.3 on Linux 6.18, where packet_snd() of
the kernel refuses frames of 1 to 13 bytes and takes one of 14.
"""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    BARE_IP,
    MAX_SNAPLEN,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flows import LINKTYPE_ETHERNET
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import PcapSummary
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import ETHERNET_HEADER

# https://github.com/appneta/tcpreplay/issues/790, 792 and 826, mended by pull request 873 in 4.5.0. Without the MACs
# every version copies the packets as they are (a soft error in tcpedit_packet()). 4.4.3's `user` was right for RAW,
# NULL, LOOP, LINUX_SLL, C_HDLC and PPP.
ETHERNET_REMEDY = (
    "Give the packets Ethernet headers: `tcprewrite --dlt=enet --enet-dmac=MAC --enet-smac=MAC -i IN -o OUT`, with both"
    " MACs and of tcpreplay 4.5.0 or later; 4.4.0 to 4.4.4 write garbage there and end without an error. With any"
    " version, IPv4 alone: `tcprewrite --dlt=user --user-dlt=1 --user-dlink=02,00,00,00,00,02,02,00,00,00,00,01,08,00"
    " -i IN -o OUT`, the bytes being destination, source and EtherType."
)
_FILTER = "Leave them out: `tshark -r IN -Y '{}' -F nsecpcap -w OUT` (Wireshark)."


def check_pcap(one: PcapSummary, *, recorded_speed: bool) -> list[str]:
    """Refuse a pcap that cannot be sent completely.

    :param recorded_speed: the run is paced by the times in the file.
    :returns: a sentence on each thing that is sent differently than expected.
    """
    if one.link_type != LINKTYPE_ETHERNET:
        raise TrafficgenError(
            f"its link type is {one.link_type_name}, not Ethernet", on=one.path, remedy=ETHERNET_REMEDY
        )
    if not one.packets:
        raise TrafficgenError(
            "has no packets in it", on=one.path, remedy="Make it again, as with wirespeed.trafficgen.pcap."
        )
    if one.snaplen_cut_packets and one.snaplen < ETHERNET_HEADER:
        raise TrafficgenError(
            f"the snaplen in its header is {one.snaplen}, at which libpcap cuts every frame: less than an Ethernet"
            " header",
            on=one.path,
            remedy="`mergecap -F nsecpcap -w OUT IN` (Wireshark) writes the same packets with a larger one.",
        )
    if one.short_packets:
        empty = one.sizes.get(0)
        raise TrafficgenError(
            (
                f"has {_packets(empty, one)} of 0 bytes, which cannot be sent"
                if empty
                else (
                    f"has {_packets(one.short_packets, one)} shorter than an Ethernet header ({ETHERNET_HEADER} bytes),"
                    f" the shortest of {min(one.sizes)}, which cannot be sent"
                )
            ),
            on=one.path,
            remedy=_FILTER.format(f"frame.cap_len >= {ETHERNET_HEADER} && frame.len >= {ETHERNET_HEADER}"),
        )
    if one.largest_original > MAX_SNAPLEN:
        raise TrafficgenError(
            f"has a packet that had {one.largest_original} bytes on the line; the most that is sent is {MAX_SNAPLEN}",
            on=one.path,
            remedy=_FILTER.format(f"frame.len <= {MAX_SNAPLEN}"),
        )
    return [f"{one.path}: {text}" for text in _odd(one, recorded_speed)]


def _odd(one: PcapSummary, recorded_speed: bool) -> list[str]:
    texts = []
    if one.snaplen_cut_packets:
        texts.append(
            f"{_packets(one.snaplen_cut_packets, one)} are cut by the snaplen of the file's header, {one.snaplen}"
            " bytes, and sent so. `mergecap -F nsecpcap -w OUT IN` (Wireshark) writes them whole."
        )
    if one.truncated_packets > one.snaplen_cut_packets:
        texts.append(
            f"{_packets(one.truncated_packets - one.snaplen_cut_packets, one)} were cut when they were captured, and"
            " are sent as they are there."
        )
    if one.surplus_packets:
        texts.append(
            f"of {_packets(one.surplus_packets, one)} the file holds more bytes than they had on the line; these"
            " are left out."
        )
    if one.fcs_length:
        texts.append(
            f"its frames end in their FCS of {one.fcs_length} bytes, as its header says; it is sent as data,"
            " and the NIC adds one. `tcprewrite --efcs -i IN -o OUT` takes off one of 4 bytes."
        )
    if one.bare_ip:
        texts.append(
            f"{BARE_IP} Its first bytes are sent as MAC addresses. Take the pcap it was made from. {ETHERNET_REMEDY}"
        )
    if one.time_goes_back and recorded_speed:
        texts.append(
            f"time goes back {one.time_goes_back} times in it; there is no wait there, and the order is that of"
            " the file. `reordercap IN OUT` (Wireshark) puts it in the order of time."
        )
    return texts


def _packets(count: int, one: PcapSummary) -> str:
    return f"{count} of {one.packets} packets"
