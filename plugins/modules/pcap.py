#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module wirespeed.trafficgen.pcap: a traffic spec to a pcap file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pcap
short_description: Make a pcap of test frames from a description of the traffic
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Makes a pcap file from one or several streams of frames. Scapy builds one frame of each shape. The varying fields
    and all checksums are patched into copies of it, so a million frames take about a second, and any number little
    memory.
  - The same description always gives the same bytes, on every host. To find out whether there is work, the module
    compares the existing file with what it would write.
  - Writing is atomic. If it fails or is interrupted, the old file is unchanged, and no other is left. (If the module is
    killed on a file system without unnamed files, such as NFS, a C(.trafficgen.*) file remains.)
  - The new file is written in the same folder, which must have room for both files.
extends_documentation_fragment:
  - ansible.builtin.files
  - wirespeed.trafficgen._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The difference is shown in numbers, not frame by frame.
  idempotent:
    support: full
requirements:
  - scapy 2.5 or newer on the host that runs the module
options:
  path:
    description: The file. Its folder must exist. A symbolic link is followed.
    type: path
    required: true
  interval:
    description:
      - The seconds between two frames. Frame C(i) has the time C(i) times this.
      - Times are in microseconds, or in nanoseconds if microseconds cannot hold the interval exactly.
    type: float
    default: 0.000001
  allow_large:
    description:
      - Whether to make a file above 1 GB from streams without O(streams[].count). The fields that vary may come to more
        frames than one would think, two subnets of 65536 addresses to 4 billion.
    type: bool
    default: false
    version_added: 1.0.0
  mark:
    description:
      - Whether the frames carry a mark in the last bytes of their payload, with O(mark_id), the stream's place in the
        list, and the frame's number in its stream. With it, M(wirespeed.trafficgen.mark_receiver) tells lost frames
        from doubled, reordered and late ones.
      - The mark is in the padding that O(streams[].size) adds, never in what O(streams[].layers) says. It takes 14
        bytes, or 6 where there are fewer. Frames with less padding have no mark, and RV(pcap.marks) counts them.
      - The checksums are right.
    type: bool
    default: false
    version_added: 1.0.0
  mark_id:
    description:
      - The id of the test in the marks, a number below 2 to the power of 32 or a short text. Give each of several tests
        at a time another one.
      - The same description and id give the same bytes.
    type: str
    default: "0"
    version_added: 1.0.0
  streams:
    description:
      - The traffic. Streams follow one another, or are interleaved if each has a O(streams[].weight).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The stream's name in messages.
        type: str
      preset:
        description:
          - A known kind of traffic to start from. Other options replace the preset's.
          - V(tcp_port_scan) and V(udp_port_scan) are one frame for each destination port from 1024 to 65534, from
            source port 1024.
          - V(rfc2544) is the test frame of RFC 2544, a UDP echo request, in the seven sizes for Ethernet in turn.
          - V(imix) is that test frame in the sizes of simple IMIX.
        type: str
        choices: [tcp_port_scan, udp_port_scan, rfc2544, imix]
      layers:
        description:
          - The layers, outermost first, with Scapy's names for layers and fields. Each is a name, or a dictionary with
            the name as its only key and the fields as its value.
          - The names are those of Scapy's classes, including the contributed ones (C(scapy.contrib)). If several of its
            modules have a class of that name, put the module before it, as in C(gtp.GTPHeader).
          - A field is a value, a list, an inclusive range such as C(1024-65534), or for addresses a prefix, which
            stands for all its addresses. A step follows a colon, as a number or an address, as in C(100-200:10),
            C(10.0.0.1-10.0.9.1:0.0.1.0), C(02:00:00:00:00:00-02:00:00:00:0f:00:256) and C(2001:2::/48:0:0:0:1::). A
            negative step counts down.
          - "A range can also be C({start: 100, end: 200, step: 10}) or C({start: 100, step: 10, count: 11}), so that an
            IPv6 address and its step cannot be confused."
          - Several varying fields give their product, in Scapy's order. The innermost layer's fields change fastest,
            and within a layer the first field of the header.
          - A number is decimal, or hexadecimal after C(0x). Leading zeros mean nothing. (YAML itself reads V(010)
            without quotes as 8.)
          - A field that holds packets, such as the questions of DNS or the options of IP, takes a list of packets, each
            written as a layer; a packet of several layers is a list within that list. Their fields can vary, too.
          - "Two questions in each frame: C({DNS: {qd: [{DNSQR: {qname: a.example}}, {DNSQR: {qname: b.example}}]}}).
            One question, a different one in each frame: C({DNS: {qd: [{DNSQR: {qname: [a.example, b.example]}}]}}).
            Wrong, because a text is not a packet: C({DNS: {qd: a.example}})."
          - "TCP's options are a list, as C([{MSS: 1460}, NOP, {WScale: 7}, SAckOK, {Timestamp: [1, 0]}])."
          - A field that Scapy would take from the clock or at random is refused. Only ICMP's timestamps become zero.
          - Other fields have Scapy's defaults. Instead of the host's own addresses, source and destination are
            C(02:00:00:00:00:01) and C(02:00:00:00:00:02), C(198.18.0.1) and C(198.18.0.2), C(2001:2::1) and
            C(2001:2::2).
          - Without a destination MAC address, a frame for a multicast group has that group's (RFC 1112, RFC 2464), and
            one for 255.255.255.255 or an ARP request is broadcast. Protocols with a group known to Scapy, such as OSPF,
            go to it. A destination that you set is kept.
          - Layer C(Raw) is the payload, with C(load) as text or C(hex) as hexadecimal digits.
          - With O(streams[].preset), these fields replace those of the preset's layers.
        type: list
        elements: raw
      together:
        description:
          - Fields that change together instead of in every combination. With C([[Ether.src, IP.src]]), ten MAC and ten
            IP addresses give ten kinds of frames, not a hundred.
          - All fields of a group must have the same number of values. Groups, and fields outside them, still give their
            product. A group has the place of its fastest field.
          - A field is C(LAYER.FIELD). If several layers of one name vary in it, C(IP:2.src) is that of the second layer
            from the outside.
        type: list
        elements: raw
        version_added: 1.0.0
      size:
        description:
          - The size of the frames. Payload is added to reach it. By default a frame is as long as its layers.
          - A number, or a list of numbers to take in turn.
          - C({start, end, step}), taken in turn, O(ignore:end) included.
          - "C({imix: simple}): wire frames of 64, 570 and 1518 bytes, 7:4:1. C({imix: simple_594}) has 594 instead of
            570."
          - "C({weights: [{size: 64, weight: 7}, ...]}): spread as evenly as possible, always in the same order. The sum
            of the weights is at most 50000."
        type: raw
      size_of:
        description:
          - What O(streams[].size) counts.
          - V(wire) is the frame on the line with its FCS (4 bytes), as in RFC 2544. V(frame) is the frame in the file.
          - V(ip) is the packet of the outermost IP or IPv6 layer.
        type: str
        choices: [wire, frame, ip]
        default: wire
      count:
        description:
          - How many frames. The product of the varying fields is truncated or repeated.
          - By default each combination occurs once, or each size if there are more sizes.
          - A warning names the varying fields that do not change within these frames.
        type: int
      weight:
        description:
          - How many frames this stream has in each turn of the interleaved streams. The sum of all is at most 50000. A
            stream that has ended drops out, and the others go on.
        type: int
      reverse:
        description:
          - Whether to make the other direction of what O(streams[].layers) says. Source and destination change places,
            MAC and IP addresses, ARP's, and the ports of TCP, UDP and SCTP, in tunnels too. All else is the same, and
            frame C(i) answers frame C(i).
          - A frame for a multicast group or to all has no other direction, and is refused.
        type: bool
        default: false
        version_added: 1.0.0
      fill:
        description:
          - The padding for O(streams[].size), zero bytes, bytes that count up, or (since 1.0.0) random bytes.
          - V(random) does not compress, neither within a frame nor across frames, so that a device that compresses
            gains nothing. The bytes of each frame depend on O(streams[].seed), the stream's place in the file, and the
            frame's number.
        type: str
        choices: [zeros, increment, random]
      seed:
        description: The seed for O(streams[].fill=random), by default V(0). The same seed gives the same bytes on every
          host.
        type: int
        version_added: 1.0.0
seealso:
  - module: wirespeed.trafficgen.pcap_info
  - module: wirespeed.trafficgen.mark_receiver
  - module: wirespeed.trafficgen.tcpreplay
  - name: Scapy's layers and fields
    description: Scapy's ls() lists both.
    link: https://scapy.readthedocs.io/en/latest/usage.html
"""

EXAMPLES = r"""
- name: A frame for each TCP port, IP packets of 64 bytes
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/tcp_port_scan_64.pcap
    streams:
      - preset: tcp_port_scan
        size: 64
        size_of: ip

- name: The same, every field given
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/tcp_port_scan_64.pcap
    streams:
      - name: tcp_port_scan
        layers:
          - Ether: {src: "02:00:00:00:00:01", dst: "02:00:00:00:00:02"}
          - IP: {src: 198.18.0.1, dst: 198.18.0.2}
          - TCP: {sport: 1024, dport: 1024-65534}
        size: 64
        size_of: ip

- name: IMIX to the router's own MAC address, from 254 hosts, a million frames
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/imix.pcap
    streams:
      - preset: imix
        layers:
          - Ether: {dst: "00:1b:21:aa:bb:cc"}
          - IP: {src: 198.18.1.1-198.18.1.254, dst: 198.19.0.0/24}
        count: 1000000

- name: Voice and data, one to three, in VLAN 100
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/mixed.pcap
    streams:
      - name: voice
        weight: 1
        count: 10000
        layers:
          - Ether
          - Dot1Q: {vlan: 100, prio: 5}
          - IP: {tos: 184}
          - UDP: {sport: 16384-16484, dport: 16384}
        size: 218
      - name: data
        weight: 3
        count: 30000
        layers:
          - Ether
          - Dot1Q: {vlan: 100}
          - IPv6: {dst: "2001:2::/120"}
          - TCP: {dport: [80, 443, 8000-8099], flags: PA}
          - Raw: {load: "GET / HTTP/1.1"}
        size: 1518

- name: Ten hosts, each with its own MAC and IP address, that send incompressible payload to every tenth port
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/ten_hosts.pcap
    streams:
      - layers:
          - Ether: {src: "02:00:00:00:01:01-02:00:00:00:01:0a"}
          - IP: {src: 10.0.0.1-10.0.0.10}
          - UDP: {dport: "100-200:10"}
        together: [[Ether.src, IP.src]]
        size: 1518
        fill: random

- name: What a server answers to a port scan
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/answers.pcap
    streams:
      - preset: udp_port_scan
        size: 64
        size_of: ip
        reverse: true

- name: GTP-U to a UPF, a hundred tunnels
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/gtp_u.pcap
    streams:
      - layers: [Ether, IP, {UDP: {dport: 2152}}, {GTP_U_Header: {teid: 1-100}}, {IP: {dst: 10.45.0.1}}, UDP]
        size: 256

- name: DNS questions for three names, and multicast to eight groups with their MAC addresses
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/dns_and_groups.pcap
    streams:
      - layers: [Ether, IP, {UDP: {dport: 53}}, {DNS: {qd: [{DNSQR: {qname: [a.example, b.example, c.example]}}]}}]
      - layers: [Ether, {IP: {dst: 239.1.1.0/29, ttl: 16}}, {UDP: {dport: 5000}}]
        size: 128
"""

RETURN = r"""
pcap:
  description: The content of the file, in check mode as it would be.
  returned: success
  type: dict
  contains:
    path:
      description: The path as given.
      type: str
    packets:
      description: How many frames.
      type: int
    bytes:
      description: The frames' bytes, as in the file, without FCS.
      type: int
    file_bytes:
      description: The file's length in bytes.
      type: int
    sizes:
      description: How many frames there are of each length in the file. The lengths are the keys.
      type: dict
    flows:
      description:
        - How many flows, as M(wirespeed.trafficgen.pcap_info) counts them.
        - V(none) if the module would have to look at more than 100,000 frames, because streams share flows or a field
          has a value twice.
      type: int
    marks:
      description: What the frames' marks say. V(none) without O(mark).
      type: dict
      contains:
        test:
          description: The number of the test in them. It is O(mark_id), or follows from it if that is a text.
          type: int
        streams:
          description: Each stream's number in its marks (C(stream)), its C(name), and how many of its frames have a
            mark (C(marked)) or no room for one (C(unmarked)).
          type: list
          elements: dict
    sha256:
      description: The file's SHA-256, in hexadecimal.
      type: str
  sample:
    path: /var/lib/trafficgen/tcp_port_scan_64.pcap
    packets: 64511
    bytes: 5031858
    file_bytes: 6064058
    sizes: {"78": 64511}
    flows: 64511
    marks: null
    sha256: b95c5f2cc32d20edc0aef3a750284a019b63d63a87c381ec95471d1018655cee
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.write import make_pcap

STREAM = {
    "name": {"type": "str"},
    "preset": {"type": "str", "choices": ["tcp_port_scan", "udp_port_scan", "rfc2544", "imix"]},
    "layers": {"type": "list", "elements": "raw"},
    "together": {"type": "list", "elements": "raw"},
    "size": {"type": "raw"},
    "size_of": {"type": "str", "choices": ["wire", "frame", "ip"], "default": "wire"},
    "count": {"type": "int"},
    "weight": {"type": "int"},
    "reverse": {"type": "bool", "default": False},
    "fill": {"type": "str", "choices": ["zeros", "increment", "random"]},
    "seed": {"type": "int"},
}


def main() -> None:
    """Read the parameters, make the file, set its attributes."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "interval": {"type": "float", "default": 0.000001},
            "allow_large": {"type": "bool", "default": False},
            "mark": {"type": "bool", "default": False},
            "mark_id": {"type": "str", "default": "0"},
            "streams": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": STREAM,
                "required_one_of": [["preset", "layers"]],
            },
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    try:
        result = make_pcap(
            module.params["path"],
            module.params["streams"],
            module.params["interval"],
            replace=(
                None
                if module.check_mode
                else lambda new, path: module.atomic_move(new, path, unsafe_writes=module.params["unsafe_writes"])
            ),
            with_diff=module._diff,
            allow_large=module.params["allow_large"],
            mark_id=module.params["mark_id"] if module.params["mark"] else None,
        )
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    # Of a link it is the file behind it that was written.
    attributes: dict[str, Any] = module.load_file_common_arguments(
        module.params, path=os.path.realpath(module.params["path"])
    )
    attributes_diff: dict[str, dict[str, Any]] = {}
    new = result["changed"]
    result["changed"] = module.set_fs_attributes_if_different(attributes, new, attributes_diff)
    if module._diff and not new:  # a new file's attributes are in no diff, since check mode does not know them
        for side, values in attributes_diff.items():
            result["diff"][side] += "".join(f"{name}: {value}\n" for name, value in values.items() if name != "path")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
