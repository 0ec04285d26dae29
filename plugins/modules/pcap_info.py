#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a pcap file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pcap_info
short_description: Tell what is in a pcap file
version_added: 0.1.0
description:
  - Reads a pcap file once, and returns how many packets, bytes, sizes and flows it holds, its time span, its link type,
    and its SHA-256.
  - It reads classic pcap files with microseconds or nanoseconds, in either byte order, however large, as libpcap and so
    tcpreplay read them. libpcap cuts a frame at the snaplen of the file's header; tcpreplay sends no more of it than it
    had on the
    line.
  - Version 2.4 of the format is what all write today. Versions 2.0 to 2.3 are read, too.
  - A file that is truncated or corrupt fails the task, with the byte offset in the message. So does a pcapng or a
    compressed file, with the command that converts it. A file of a header alone is valid, and has no packets.
  - Apart from the flows it needs about 5 MB of memory, whatever the file's size.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
attributes:
  platform:
    support: full
options:
  path:
    description:
      - The file, on the managed node. It must be a regular file, or a link to one.
    type: path
    required: true
  flows:
    description:
      - Whether to count the flows.
      - That takes most of the time, and for each flow 80 bytes of memory (IPv4) or 115 (IPv6), so 80 MB for a million.
    type: bool
    default: true
notes:
  - A flow is frames with the same source and destination address, protocol and ports, in one direction. The outermost
    IP header counts; VLAN tags and MPLS labels are stepped over; an ICMP message's type and code stand for the ports. A
    fragment that is
    not the first
    is of the flow without ports.
  - The C(Flows:) line of tcpreplay counts the same, but for a few kinds of frames. Up to version 4.5.1 it takes IPv6
    over Ethernet for no IP. It takes the data of later fragments for ports, knows no ports of SCTP, DCCP and UDP-Lite,
    reads no ports
    behind IPv6
    extension headers other than hop-by-hop options, and leaves out frames that end within the TCP header or the first
    28 bytes of an
    ICMP message.
seealso:
  - module: wirespeed.trafficgen.pcap
  - module: wirespeed.trafficgen.tcpreplay
"""

EXAMPLES = r"""
- name: See what a capture holds
  wirespeed.trafficgen.pcap_info:
    path: /var/lib/trafficgen/capture.pcap
  register: result

- name: Show its size, and how long it took
  ansible.builtin.debug:
    msg: "{{ result.pcap_info.packets }} packets, {{ result.pcap_info.bytes }} bytes in {{ result.pcap_info.duration }}
      s"

- name: Check a large file that was copied, without counting its flows
  wirespeed.trafficgen.pcap_info:
    path: /var/lib/trafficgen/tcp_port_scan_64.pcap
    flows: false
  register: copied
  failed_when: copied is failed or copied.pcap_info.sha256 != wanted_sha256
"""

RETURN = r"""
pcap_info:
  description: What the file holds.
  returned: success
  type: dict
  contains:
    path:
      description: The path as given.
      type: str
    packets:
      description: How many packets.
      type: int
    bytes:
      description:
        - The packets' bytes as libpcap reads and tcpreplay sends and counts them, without the file's own headers.
        - Of each packet it is the least of the bytes in the file, its length on the line, and RV(pcap_info.snaplen).
        - The FCS is not among them, unless the capture has it. Where the file says so, it is RV(pcap_info.fcs_length).
      type: int
    wire_bytes:
      description:
        - The packets' bytes as Ethernet frames on a line, each with the 4 bytes of an FCS, and padded to 64 where it is
          shorter. RFC 2544 counts so. By RV(pcap_info.packets) it is the mean wire frame, which is not the mean frame
          and 4 bytes where
          some are padded.
        - Null for other link types.
      version_added: 0.2.0
      type: int
    file_bytes:
      description: The file's length in bytes.
      type: int
    truncated_packets:
      description: How many packets are read and sent shorter than they were on the line, since the capture or the
        file's snaplen cut them.
      type: int
    snaplen_cut_packets:
      description:
        - How many of RV(pcap_info.truncated_packets) the file holds more of, and libpcap cuts at RV(pcap_info.snaplen).
        - C(tcpreplay), C(tcpdump) and all that read by libpcap see them cut; Wireshark shows the whole of them.
      version_added: 0.2.0
      type: int
    surplus_packets:
      description:
        - How many packets the file holds more bytes of than they are said to have had on the line. tcpreplay leaves
          these bytes out.
        - A packet that had no byte on the line has the size 0. tcpreplay stops at it.
      version_added: 0.2.0
      type: int
    short_packets:
      description:
        - How many Ethernet frames end before their header of 14 bytes does. They cannot be sent.
        - Null for other link types.
      version_added: 0.2.0
      type: int
    largest_original:
      description: The length of the longest packet on the line, in bytes, however little of it is in the file. 0
        without packets.
      version_added: 0.2.0
      type: int
    duration:
      description:
        - The seconds from the time stamp of the first packet in the file to that of the last one.
        - Negative where the file is not in the order of time, and the last packet is older than the first.
      type: float
    replay_duration:
      description:
        - The seconds from the time stamp of the first packet in the file to the latest one, which is
          RV(pcap_info.duration) unless time goes back. tcpreplay takes that long at the recorded speed. It waits
          wherever time goes beyond the latest
          stamp so far, and does
          not wait where it goes back.
      version_added: 0.2.0
      type: float
    time_goes_back:
      description: How many packets have an older time stamp than the packet before them.
      version_added: 0.2.0
      type: int
    first:
      description:
        - The time stamp of the first packet in the file, in seconds since 1970-01-01 00:00 UTC.
        - A string of six decimals, or of nine in a file with nanoseconds, since a float cannot hold that many. Null
          without packets.
      type: str
    last:
      description: The time stamp of the last packet in the file, as RV(pcap_info.first).
      type: str
    nanosecond:
      description: Whether the time stamps are in nanoseconds, not in microseconds.
      type: bool
    byte_order:
      description: The byte order of the file's headers, V(little) or V(big).
      type: str
    snaplen:
      description:
        - The largest number of bytes of a packet that the capture was to keep, as the file's header says.
        - To libpcap, 0 and numbers from 2147483648 on are no limit.
      type: int
    link_type:
      description: The number of the link type (LINKTYPE). Ethernet is V(1).
      type: int
    link_type_name:
      description: Its name, or V(LINKTYPE) and the number where the name is not known here.
      type: str
    fcs_length:
      description:
        - How many bytes of FCS each frame ends in, as the link type field of the file's header says. The frames have
          them as any other byte, so tcpreplay sends them as data, and the NIC adds an FCS of its own.
        - Null where the header says nothing of it, as in nearly all files. That is no proof that there is none.
      version_added: 0.2.0
      type: int
    bare_ip:
      description:
        - Whether the link type says Ethernet, and yet every packet is an IPv4 or IPv6 packet without an Ethernet
          header, its length being the one its IP header says. The module warns of it.
        - C(tcprewrite --dlt=enet) of tcpreplay 4.4.0 to 4.4.4 makes such files of raw IP, and ends without an error.
      version_added: 0.2.0
      type: bool
    sizes:
      description: How many packets there are of each size. The keys are the sizes in bytes, as RV(pcap_info.bytes)
        counts them.
      type: dict
    flows:
      description:
        - How many flows there are.
        - Null with O(flows=false), and for link types other than Ethernet, Linux cooked (v1 and v2), raw IP and BSD
          loopback.
      type: int
    source_macs:
      description:
        - The source MAC addresses of Ethernet frames, sorted.
        - Null for other link types, and where there are more than 4096.
      type: list
      elements: str
    vlan_tagged:
      description: Whether V(none), V(some) or V(all) of the frames have a VLAN tag. Null as RV(pcap_info.source_macs).
      type: str
      version_added: 0.2.0
    sha256:
      description: The file's SHA-256, in hexadecimal.
      type: str
  sample:
    path: /var/lib/trafficgen/capture.pcap
    packets: 3
    bytes: 206
    wire_bytes: 218
    file_bytes: 278
    truncated_packets: 0
    snaplen_cut_packets: 0
    surplus_packets: 0
    short_packets: 0
    largest_original: 78
    duration: 1.0
    replay_duration: 1.0
    time_goes_back: 0
    first: "1700000000.000000000"
    last: "1700000001.000000000"
    nanosecond: true
    byte_order: big
    snaplen: 65535
    link_type: 1
    link_type_name: ETHERNET
    fcs_length: null
    bare_ip: false
    sizes: {"64": 2, "78": 1}
    flows: 2
    source_macs: ["02:00:00:00:00:01"]
    vlan_tagged: none
    sha256: b922223121715130ad4325b250766676c68c126cc19165414e4656497b1075ca
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import BARE_IP, summarize

ARGUMENT_SPEC = {"path": {"type": "path", "required": True}, "flows": {"type": "bool", "default": True}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        summary = summarize(module.params["path"], flows=module.params["flows"], source_macs=True)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    if summary.bare_ip:
        module.warn(f"{summary.path}: {BARE_IP}")
    module.exit_json(changed=False, pcap_info=asdict(summary))


if __name__ == "__main__":
    main()
