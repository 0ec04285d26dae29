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
  - Reads a pcap file once, and returns its packets, bytes, sizes, flows, time span, link type and SHA-256.
  - Reads classic pcap files (versions 2.0 to 2.4) of any size, with microseconds or nanoseconds, in either byte order,
    as libpcap and tcpreplay do. libpcap truncates a frame at the snaplen of the file's header. tcpreplay sends no more
    of a frame than it had on the line.
  - If the file is truncated or corrupt, the task fails with the byte offset. If it is pcapng or compressed, the message
    has the command to convert it. A file with only a header is valid and has no packets.
  - Needs about 5 MB of memory for a file of any size, without the flows.
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
      - Whether to count flows. That takes most of the time, and for each flow 80 bytes of memory (IPv4) or 115 (IPv6),
        80 MB for a million.
    type: bool
    default: true
notes:
  - A flow is all frames with the same source and destination address, protocol and ports, in one direction, by the
    outermost IP header behind VLAN tags and MPLS labels. For ICMP, type and code take the place of the ports. Later
    fragments belong to the flow without ports.
  - tcpreplay's C(Flows:) line differs for a few kinds of frames. Up to version 4.5.1 it does not recognise IPv6 over
    Ethernet. It reads the data of later fragments as ports, ignores the ports of SCTP, DCCP and UDP-Lite and those
    behind IPv6 extension headers other than hop-by-hop options, and skips frames that end within the TCP header or the
    first 28 bytes of an ICMP message.
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
  description: The content of the file.
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
        - The packets' bytes as libpcap reads and tcpreplay sends them, without the file's own headers.
        - For each packet, the smallest of the bytes in the file, its length on the line, and RV(pcap_info.snaplen).
        - Without FCS, unless the capture has it (RV(pcap_info.fcs_length), if the file says so).
      type: int
    wire_bytes:
      description:
        - The packets' bytes as Ethernet frames on a line, each with the 4 bytes of an FCS, and padded to 64 where it is
          shorter. RFC 2544 counts so. By RV(pcap_info.packets) it is the mean wire frame, which is not the mean frame
          and 4 bytes where some are padded.
        - Null for other link types.
      version_added: 1.0.0
      type: int
    file_bytes:
      description: The file's length in bytes.
      type: int
    truncated_packets:
      description: How many packets are shorter than they were on the line, because the capture or the file's snaplen
        truncated them.
      type: int
    snaplen_cut_packets:
      description:
        - How many of RV(pcap_info.truncated_packets) are longer in the file, and truncated at RV(pcap_info.snaplen) by
          libpcap.
        - C(tcpreplay), C(tcpdump) and everything else that uses libpcap truncates them. Wireshark shows all of them.
      version_added: 1.0.0
      type: int
    surplus_packets:
      description:
        - How many packets have more bytes in the file than their length on the line. tcpreplay does not send the
          excess.
        - A packet with the length 0 has the size 0, and tcpreplay stops there.
      version_added: 1.0.0
      type: int
    short_packets:
      description:
        - How many Ethernet frames are shorter than their 14-byte header. They cannot be sent.
        - Null for other link types.
      version_added: 1.0.0
      type: int
    largest_original:
      description: The length of the longest packet on the line, in bytes, however little of it is in the file. 0
        without packets.
      version_added: 1.0.0
      type: int
    duration:
      description:
        - The seconds from the time stamp of the first packet in the file to that of the last one.
        - Negative if the last packet is older than the first.
      type: float
    replay_duration:
      description:
        - The seconds from the time stamp of the first packet in the file to the latest one, which is
          RV(pcap_info.duration) unless time goes back. tcpreplay takes that long at the recorded speed. It waits
          wherever time goes beyond the latest stamp so far, and does not wait where it goes back.
      version_added: 1.0.0
      type: float
    time_goes_back:
      description: How many packets have an older time stamp than the packet before them.
      version_added: 1.0.0
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
        - The most bytes of a packet that the capture kept, as the file's header says.
        - For libpcap, 0 and numbers from 2147483648 on mean no limit.
      type: int
    link_type:
      description: The number of the link type (LINKTYPE). Ethernet is V(1).
      type: int
    link_type_name:
      description: Its name, or V(LINKTYPE) and the number if the name is unknown.
      type: str
    fcs_length:
      description:
        - The number of FCS bytes at the end of each frame, by the link type field of the file's header. tcpreplay sends
          them as data, and the NIC adds its own FCS.
        - Null if the header does not say, as in nearly all files. That does not prove that there is none.
      version_added: 1.0.0
      type: int
    bare_ip:
      description:
        - Whether the link type is Ethernet, but every packet is an IPv4 or IPv6 packet without an Ethernet header, with
          exactly the length in its IP header. The module then warns.
        - C(tcprewrite --dlt=enet) of tcpreplay 4.4.0 to 4.4.4 makes such files from raw IP, without an error.
      version_added: 1.0.0
      type: bool
    sizes:
      description: How many packets there are of each size, as RV(pcap_info.bytes) counts. The keys are the sizes.
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
        - Null for other link types, and if there are more than 4096.
      type: list
      elements: str
    vlan_tagged:
      description: Whether V(none), V(some) or V(all) of the frames have a VLAN tag. Null as RV(pcap_info.source_macs).
      type: str
      version_added: 1.0.0
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
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import BARE_IP
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import summarize

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
