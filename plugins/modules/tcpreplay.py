#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: one run of tcpreplay, and what came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tcpreplay
short_description: Replay pcaps with tcpreplay, and tell what was sent and what arrived
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Runs C(tcpreplay) once, and returns what it said as data, the rates in every unit, what the run was made of, and
    what the counters of the sending and the receiving interface prove of it.
  - Everything that can be checked is checked before the first packet is sent.
  - One run at a time can send on an interface. A second one is refused, or waits (O(lock_timeout)).
  - A run always ends. After O(timeout) it gets SIGINT, and SIGKILL if it does not heed that. When Ansible goes away
    (its connection, or the module itself, also by SIGKILL) tcpreplay goes too. Where the controller or the network dies
    without a word, TCP
    takes its time to
    notice, with Linux's defaults some 15 minutes; the run ends at its own end or O(timeout) at the latest.
  - When the interface is removed or set down while it sends, the run ends as failed, with what was sent until then.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.executable
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  check_mode:
    support: full
    details:
      - Nothing is sent. RV(run.command) and all that is known before a run are returned, all else is V(null), and no
        fact is set.
  diff_mode:
    support: N/A
    details:
      - A run changes no configuration.
  idempotent:
    support: none
    details:
      - Every call sends.
options:
  pcaps:
    description:
      - Classic pcap files with Ethernet frames, on the managed node.
      - Each is opened once, and the file that was looked at is sent, also when it is replaced, renamed or removed
        meanwhile. A file that is written to in place makes the run fail.
      - They are sent one after the other, as one run. O(loop) goes over all of them, O(limit) and O(duration) hold for
        the whole.
      - At the speed of the recording (O(multiplier), or no rate) tcpreplay waits from frame to frame of a file, and not
        from the end of a file, or of a pass, to the start of the next. Where the first frame's time is 0, as in the
        files of
        M(wirespeed.trafficgen.pcap), it does not wait before the second one either.
      - They are what libpcap makes of them. Frames that are cut by the snaplen of the file's header or were cut by the
        capture, that the file holds more of than there was on the line, or that end in an FCS by the link type field,
        are a warning. A
        frame shorter than
        an Ethernet header is refused. M(wirespeed.trafficgen.pcap_info) counts each.
      - tcpreplay counts each file as a pass. With several files O(unique_ip) therefore changes the addresses from file
        to file, and before version 4.4.3 RV(stats.flow_packets) is multiplied by their number.
    type: list
    elements: path
    required: true
  interface:
    description:
      - The interface to send on. It must be up and have a carrier.
    type: str
    required: true
  netns:
    description:
      - A named network namespace (C(ip netns)) the run and its counters live in.
    type: str
  rx_interface:
    description:
      - A receiving interface on the same host. A frame counter there, as M(wirespeed.trafficgen.frame_counter) sets up,
        counts the frames from the source MAC addresses in the pcaps.
      - A router on the way writes source addresses of its own. Count there with
        M(wirespeed.trafficgen.frame_counter), and use the filter P(wirespeed.trafficgen.reconcile#filter).
      - With more than 4096 source addresses, or without C(nft), the interface's MAC counters are used where it has any.
    type: str
  rx_netns:
    description:
      - The network namespace of O(rx_interface).
    type: str
  injection_method:
    description:
      - How frames are handed over.
      - V(auto) is the choice of this tcpreplay's build, on Linux the same as V(pf_packet), and never netmap.
      - V(netmap) takes the interface from the kernel, and needs a tcpreplay whose netmap works, and netmap loaded.
      - V(af_xdp) needs tcpreplay 4.5.0 or later, built with libxdp.
    type: str
    default: auto
    choices: [auto, pf_packet, netmap, af_xdp]
  mbps:
    description:
      - The rate in Mbit/s as tcpreplay counts it, of the bytes in the pcap, without FCS, preamble and gap.
      - Without any of O(mbps), O(l2_mbps), O(l1_mbps), O(pps), O(line_rate_percent), O(multiplier), O(topspeed), the
        pcaps are sent at the speed they were recorded at. One of them at most can be given.
    type: float
  l2_mbps:
    description:
      - The rate in Mbit/s of whole Ethernet frames, FCS included, and the padding of those that have less than 60 bytes
        in the pcap.
    type: float
  l1_mbps:
    description:
      - The rate in Mbit/s on the line, with FCS, padding, preamble and gap (RFC 2544 counts so; 10000 fills a 10G
        line).
    type: float
  pps:
    description:
      - The rate in packets per second.
      - Before version 4.5.3 tcpreplay can hold it for 5,124,095,576 packets only (4.5.0 to 4.5.2, a thousandth of
        that), and a longer run is refused. O(mbps) does not have this limit in 4.4.
    type: float
  line_rate_percent:
    description:
      - The rate in percent of what the line carries of these frames. Needs a line, or O(link_speed_mbps).
    type: float
  multiplier:
    description:
      - The recorded speed, times this.
    type: float
  topspeed:
    description:
      - As fast as it goes.
    type: bool
  strict_rate:
    description:
      - What to do with a rate above the line's. V(false) asks for the line's rate instead and marks the result
        (RV(run.capped)); V(true) refuses.
    type: bool
    default: false
  loop:
    description:
      - How often to send the pcaps. V(0) is without end, and needs O(duration) or O(limit).
    type: int
    default: 1
  duration:
    description:
      - End after so many whole seconds.
      - At top speed tcpreplay looks at the clock only when it begins a file, so keep a file short then. With a rate it
        cannot reach it looks late.
    type: int
  limit:
    description:
      - End after so many frames.
    type: int
  preload:
    description:
      - Read the pcaps into memory before sending. It takes their size and some 600 bytes more a frame.
    type: bool
    default: true
  flow_stats:
    description:
      - Count flows. Without O(preload) that costs speed where there are many.
    type: bool
    default: true
  unique_ip:
    description:
      - Change the IP addresses from one pass to the next, so that each has flows of its own. Needs O(loop) other than
        1.
      - From the second pass on, tcpreplay leaves out frames that are not IP.
    type: bool
    default: false
  stats_interval:
    description:
      - Take a sample (RV(stats.samples)) about every so many seconds. V(0) takes none. At top speed one is taken only
        between files.
    type: int
    default: 1
  netmap_delay:
    description:
      - Seconds between netmap taking the interface and the first packet, for O(injection_method=netmap). The port of a
        switch with spanning tree, for one, stays mute that long after its link has come up.
      - By default as short as the link allows. With O(hold) that is until the link is up, but 30 s at most, or
        O(netmap_delay) if that is longer. Without O(hold) tcpreplay waits a fixed time, V(1) in emulated mode, where
        the link stays up, and V(10)
        in native mode, and
        once more before it gives the interface back.
    type: int
  hold:
    description:
      - For O(injection_method=netmap), take the interface into netmap mode before tcpreplay does, wait for its link,
        keep it while tcpreplay runs, and read its counters before letting go. No time is lost in fixed delays, and what
        tcpreplay put
        into the
        interface's rings has left when the counters are read.
      - V(false) leaves taking it and giving it back to tcpreplay.
    type: bool
    default: true
  link_speed_mbps:
    description:
      - The speed of the line in Mbit/s. By default the NIC's; a virtual interface has none, whatever it says.
    type: int
  cpu_list:
    description:
      - The CPUs tcpreplay may run on, such as V(2-3,5).
    type: str
  receive_wait:
    description:
      - How long O(rx_interface) is waited for after the last frame has left, in seconds without a frame. The wait is
        over as soon as all that left has arrived, so only a run that misses frames takes that long. RFC 2544 section 23
        asks for 2 s.
      - As long as frames keep coming the wait goes on, to 5 times this, or the time that was sent if that is longer.
        After that RV(counters.loss_packets) is V(null), since more may come.
      - Where only the MAC counts, up to 10 frames in that time are taken for others' and do not lengthen the wait.
      - A shorter wait is quicker where frames are lost, and takes late frames for lost ones; RV(counters.reason) then
        says so. V(0) does not wait at all.
      - It is no part of O(timeout). A module that is told to stop waits 0.3 s at most.
    version_added: 0.2.0
    type: float
    default: 2.0
  settle:
    description:
      - Where a run on O(rx_interface) has missed frames, the next one there that would count them begins this many
        seconds after its end, so that they are not counted to it. RFC 2544 section 23 asks for 5 s. A run that missed
        nothing costs the next
        one nothing.
      - A start at O(start_at) is kept. With less than 5 s, for that or by this option, RV(counters.reason) says so.
    version_added: 0.2.0
    type: float
    default: 5.0
  start_at:
    description:
      - When to start, in seconds since the epoch, for a common start of several hosts. Not further away than
        O(timeout).
      - Where the interface is ready to send only later than 0.1 s after it, nothing is sent, and the task fails.
    type: float
  timeout:
    description:
      - Seconds after which the run is ended. The result is then that of what was sent so far, with
        RV(run.ended_by=timeout), and the task does not fail for it unless tcpreplay had to be killed or had sent
        nothing.
      - The queue of O(interface) (C(tc qdisc), as tbf or fq) is waited for within the same time, or 2 s if less is left
        of it, for as long as frames leave it. Frames that are still in it then are a warning.
      - By default the expected time, times 1.5, plus 30. Expected is what the packets take at the rate asked for, or at
        500,000 a second if that is longer, or O(duration), and what netmap waits. At the speed of the recording it is
        the time from the
        first packet of each file to the latest one,
        RV(wirespeed.trafficgen.pcap_info#module:pcap_info.replay_duration).
      - V(3600) by default where nothing ends it sooner, as at top speed without O(duration).
    type: int
  lock_timeout:
    description:
      - Seconds to wait, in all, where another run is sending on O(interface), or counting on O(rx_interface); two at
        once would spoil both.
      - By default the task fails at once. Either way the error names the processes of the other run.
    version_added: 0.2.0
    type: int
    default: 0
  offloads:
    description:
      - Offloads of O(interface) while the run lasts. V(off) turns off segmentation (TSO, GSO), merging (GRO, LRO),
        checksum and VLAN offload, those that can be; V(keep) leaves them as they are, but for those that tcpreplay
        itself turns off for
        netmap.
      - V(auto) is V(off) for O(injection_method=netmap), where they would be wrong, and V(keep) for other methods,
        which they do not touch.
    version_added: 0.2.0
    type: str
    choices: [auto, 'off', keep]
    default: auto
  flow_control:
    description:
      - Flow control (pause frames) of O(interface) while the run lasts. While it is on, the other side can slow the
        sender down.
      - V(off) turns it off, or fails where that cannot be; many NICs are reset for that, and their link is waited for,
        before and after. It is put back by what the driver told of it before, which for some is what was negotiated.
      - V(auto) is V(off) for O(injection_method=netmap), where the port is reset anyway, with a warning where that
        cannot be, and V(keep) for other methods. RV(run.flow_control) has what it was.
    version_added: 0.2.0
    type: str
    choices: [auto, 'off', keep]
    default: auto
  tx_ring_size:
    description:
      - Slots of each transmit ring while the run lasts. By default as many as there are. Many NICs are reset for that.
    version_added: 0.2.0
    type: int
  rx_ring_size:
    description:
      - Slots of each receive ring, likewise.
    version_added: 0.2.0
    type: int
  allow_management_interface:
    description:
      - Send even if the host is managed over O(interface). It is if the default route, the address an SSH connection
        came in at (any to this host), the way its answers take, or the only global address is on it, on a bond, bridge
        or VLAN above it,
        or on an interface
        that leaves through the same port. A connection whose client has vanished without a word counts until TCP has
        noticed.
    type: bool
    default: false
  fact_name:
    description:
      - The name of the fact that holds the result.
    type: str
    default: tcpreplay
  executable:
    description:
      - The tcpreplay to run. By default the first one on E(PATH), with C(/usr/local) before it where E(PATH) leaves
        that out, as that of sudo on EL does.
    type: path
  extra_args:
    description:
      - More options for tcpreplay, a word each. What a parameter is for is refused, in every spelling, and so is what
        sends elsewhere.
      - With C(--verbose) tcpreplay runs C(tcpdump) as root. C(--decode) may ask it for another way to print (C(-e),
        C(-n), C(-q), C(-v), C(-x), C(-X)), and for nothing else.
      - A value is best given as C(--name=value).
      - Options of C(tcpreplay-edit) are named in RV(run.edited_by), as the pcaps' hashes are not those of the frames
        then. Refused are those that change how many frames there are or their link type, and with O(rx_interface) those
        that rewrite the
        source MAC address.
      - A file C(.tcpreplayrc) beside O(executable), from which tcpreplay takes more options, is refused.
    type: list
    elements: str
    default: []
requirements:
  - tcpreplay 4.1.1 or later
  - iproute2 (on EL C(iproute) and C(iproute-tc)), ethtool
  - nftables, for O(rx_interface)
notes:
  - After the run, whatever ended it, O(interface) is set to what it was set to before it, that is its offloads, ring
    sizes, promiscuous mode, MTU, whether it is up, flow control where the run changed it, and the kind of its root
    queueing discipline,
    which netmap's
    emulated mode replaces. This holds also when the module is killed (SIGKILL), and where that was the fate of all its
    processes, the
    next run on the interface puts it right, and says so. What could not be put back is a warning. A driver that another
    has changed
    meanwhile is left.
  - It takes root, or CAP_NET_RAW and CAP_NET_ADMIN. With a tcpreplay that has capabilities of its own (setcap) and no
    root, neither does the kernel end it when the module is killed, nor can the next run put right what was left.
  - tcpreplay counts what it handed to the kernel or to netmap. What left is told by RV(counters).
  - While a run lasts, an action plugin of the same name shows a line about every 5 seconds with the time, the rate
    since the line before, and about how long it still takes, on the controller's standard error; where that is no
    terminal, about
    every 30. A long run
    has about 20 lines in all (5 where it is no terminal). What is not measured or not known is left out; at top speed
    there are figures
    only at the end of a file.
  - The variable C(trafficgen_progress_interval) sets the seconds from one line to the next, on any output; V(0) shows
    none. None are shown in check mode, with C(async) or C(no_log), when becoming a user who is neither root nor the one
    logged in, nor
    where the
    connection cannot be had a second time (as mitogen's). With C(-v) the reason is told. The run and its result are the
    same with and
    without.
seealso:
  - module: wirespeed.trafficgen.pcap
  - module: wirespeed.trafficgen.interface_counters_info
  - module: wirespeed.trafficgen.tcpreplay_info
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A port scan of 64-byte packets, 5000 times, at 1000 Mbit/s
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    mbps: 1000
    loop: 5000

- name: Fill half the line for ten seconds through netmap
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    injection_method: netmap
    line_rate_percent: 50
    loop: 0
    duration: 10
  register: result

- name: Say what came of it
  ansible.builtin.debug:
    msg: >-
      {{ result.stats.packets }} packets, {{ result.rates.l1_mbps | round(1) }} Mbit/s on the line,
      {{ result.counters.verdict }} {{ result.counters.reason }}

- name: Send from one namespace, and count what arrives in another
  wirespeed.trafficgen.tcpreplay:
    pcaps: [first.pcap, second.pcap]
    netns: sender
    interface: snd0
    rx_netns: receiver
    rx_interface: rcv0
    pps: 10000
    fact_name: through_the_firewall
"""

RETURN = r"""
stats:
  description: What tcpreplay said, in its own words. V(null) in check mode.
  returned: success, or when a run failed
  type: dict
  contains:
    packets:
      description: Packets it handed over. V(null), as all measures, where it printed no statistics.
      type: int
      sample: 322555000
    bytes:
      description: Their bytes, as in the pcap.
      type: int
    seconds:
      description: How long it sent; two decimals only, above a second.
      type: float
      sample: 201.27
    bytes_per_second:
      description: Its rate in bytes.
      type: float
    mbps:
      description: Its rate in Mbit/s of the bytes in the pcap; cut, not rounded.
      type: float
    pps:
      description: Its rate in packets.
      type: float
      sample: 1602566.65
    flows:
      description: Flows. V(null) without O(flow_stats), as the next three are.
      type: int
    flows_per_second:
      description: Flows by seconds.
      type: float
    flow_packets:
      description: Packets of flows.
      type: int
    non_flow_packets:
      description: Packets of no flow.
      type: int
    flows_unique:
      description: Unique flows; with C(--flow-expiry) only.
      type: int
    flows_expired:
      description: Expired flows; with C(--flow-expiry) only.
      type: int
    failed_write_attempts:
      description: Writes that failed. Not the same as a device's failed packets.
      type: int
    interrupted:
      description: Whether it was interrupted. Its exit status is 0 even so.
      type: bool
    devices:
      description: What it counted of the device.
      type: list
      elements: dict
      sample:
        - interface: ens17
          successful_packets: 322555000
          failed_packets: 0
          truncated_packets: 0
          retried_enobufs: 0
          retried_eagain: 357180
    samples:
      description: The measures, from RV(stats.packets) to RV(stats.pps), since the start, about every
        O(stats_interval).
      type: list
      elements: dict
rates:
  description:
    - RV(stats.pps) in every unit, for the mean frame sent. V(null) in check mode.
    - All are V(null) where there is no rate, which RV(rates.reason) explains, as with one frame, or less than 2 ms.
    - L2, L1 and percent are of a line, on which a frame has 64 bytes at least with its FCS. A NIC pads it to that; a
      virtual interface does not, and its figures are those of a line all the same.
  returned: success, or when a run failed
  type: dict
  contains:
    pps:
      description:
        - Packets per second, by tcpreplay's count and clock.
        - It is RV(stats.pps). Below 100 a second, where the two decimals of that are too few, it is made of the packets
          and the time.
      type: float
    frame_mbps:
      description: Mbit/s of the bytes in the pcap.
      type: float
    l2_mbps:
      description: Mbit/s of whole frames, FCS and padding included.
      type: float
    l1_mbps:
      description: Mbit/s on the line, preamble and gap included.
      type: float
    line_rate_percent:
      description: Percent of the line. V(null) where there is no line.
      type: float
    reason:
      description:
        - Why some or all of them are not known, in a sentence; empty where they are, or where only a line is missing.
        - Where some of the pcaps' frames are padded and tcpreplay left frames out (O(extra_args), O(unique_ip), failed
          writes), which ones were sent is not known, and only RV(rates.pps) and RV(rates.frame_mbps) are.
      version_added: 0.2.0
      type: str
      sample: ""
run:
  description: What the run was made of, so that results can be compared months later.
  returned: success, or when a run failed
  type: dict
  contains:
    command:
      description:
        - The command line, a word each.
        - The pcaps stand here by their paths. tcpreplay itself is given them as open descriptors (C(/proc/self/fd/N)),
          so that it sends the very files that were looked at.
      type: list
      elements: str
    requested:
      description: The rate asked for, as given. V(null) for the recorded speed.
      type: dict
      sample: {l1_mbps: 10000.0}
    capped:
      description: It was above the line's rate, and the line's rate was asked of tcpreplay instead.
      type: bool
    rate_reached:
      description:
        - The rate sent by the rate asked for, in the unit it was asked in and over the time it sent, whatever ended it.
          1.0 is all of it. Below 0.99 and above 1.01 there is a warning.
        - Of a rate that was capped it is the share of the line's rate.
        - At the speed of the recording, or a multiple of it, it is the time that the frames sent took when they were
          recorded, by the time they took. Of each pass over a file that is from its first to its latest frame.
        - By tcpreplay's count. Whether it left is told by RV(counters.verdict).
        - V(null) at top speed, where RV(rates) has no such rate, and at the speed of the recording where it has no
          length, where tcpreplay left frames out (O(extra_args), O(unique_ip), failed writes), and with C(--maxsleep).
      version_added: 0.2.0
      type: float
      sample: 0.9998
    injection_method:
      description: How frames were handed over. V(auto) is resolved to what this tcpreplay says it does.
      type: str
      sample: pf_packet
    netmap_mode:
      description: V(native) with a driver patched for netmap, else V(emulated). V(null) without netmap.
      type: str
    interface:
      description: The sending interface.
      type: str
    netns:
      description: Its network namespace.
      type: str
    driver:
      description: Its driver, as the kernel knows it.
      type: str
    link_speed_mbps:
      description: The speed of its line. V(null) where there is none.
      type: int
    mtu:
      description: Its MTU.
      type: int
    offloads:
      description: Those of its offloads that were on while it ran, of the ones O(offloads=off) turns off, by the names
        of C(ethtool -k).
      version_added: 0.2.0
      type: list
      elements: str
    flow_control:
      description: Whether it heeded pause frames (C(rx)) and sent them (C(tx)) while it ran. V(null) where it has no
        flow control.
      version_added: 0.2.0
      type: dict
      sample: {rx: false, tx: false}
    ring_sizes:
      description: The slots of its receive (C(rx)) and transmit (C(tx)) rings while it ran. V(null) where it has none.
      version_added: 0.2.0
      type: dict
      sample: {rx: 512, tx: 512}
    pcaps:
      description: What was in the files.
      type: list
      elements: dict
      contains:
        path:
          description: The file.
          type: str
        packets:
          description: Packets in it.
          type: int
        bytes:
          description: Bytes of its frames.
          type: int
        sha256:
          description:
            - The hash of the file that was sent. Where RV(run.edited_by) names options, other frames than the file's
              were.
            - V(null) where the file was written to after it was looked at; the task then fails.
          type: str
    frames:
      description:
        - What the bytes that a receiver counts are held against, that is C(smallest) and C(largest) (bytes),
          C(padding), the bytes that a NIC adds to the short ones in a pass over the pcaps, and C(vlan_tagged), V(none),
          V(some) or V(all) of them;
          V(null) without
          O(rx_interface).
      type: dict
      sample: {smallest: 60, largest: 1514, padding: 0, vlan_tagged: none}
      version_added: 0.2.0
    mac_address:
      description: The MAC address of O(interface), from which its own frames come, too.
      type: str
      version_added: 0.2.0
    edited_by:
      description: The options of tcpreplay-edit, and C(unique-ip), that changed the frames as they were sent.
      type: list
      elements: str
      version_added: 0.2.0
    in_flight_frames:
      description:
        - How many frames may have been handed over and not be on the line yet when tcpreplay looked at the clock, by
          the socket's buffer or the ring. So many may be above the line's rate; in a run of a second or more, 0.8 % of
          its frames at most.
      type: int
      version_added: 0.2.0
    tcpreplay_version:
      description: The version tcpreplay says it is.
      type: str
    netmap_version:
      description:
        - What tells the loaded netmap from another, the commit it was built from where the role built it, else a
          checksum of the module.
        - V(null) without netmap.
      type: str
    kernel:
      description: The running kernel's release.
      type: str
    receive_wait:
      description: The O(receive_wait) it was done with.
      version_added: 0.2.0
      type: float
    settle:
      description: The O(settle) it was done with.
      version_added: 0.2.0
      type: float
    started:
      description: When tcpreplay was started, in seconds since the epoch.
      type: float
    ended:
      description: When it had ended.
      type: float
    exit_status:
      description: Its exit status, negative for the signal that ended it.
      type: int
    ended_by:
      description:
        - V(completed), all was sent; V(duration), V(limit), V(timeout), the option of that name; V(user), somebody
          interrupted it or the module; V(error), it failed.
      type: str
counters:
  description: What the counters prove. V(null) in check mode.
  returned: success, or when a run failed
  type: dict
  contains:
    tx:
      description: What the sending device counted, with C(source), C(packets) and C(bytes). V(null) where nothing
        proves it.
      type: dict
      sample: {source: e1000 tx_packets, packets: 322555000, bytes: null}
    rx:
      description:
        - What arrived at O(rx_interface), with C(source), C(packets), C(bytes) and C(host_drops), what that host itself
          lost, V(null) where its port does not count that.
        - C(late_packets) are those of C(packets) that arrived more than O(receive_wait) after the last frame had left;
          they were waited for because frames kept coming. V(null) where others' frames are counted as well, or nobody
          waited.
        - Frames that come before the first one is sent, late ones of an earlier run for instance, are waited for, told
          in a warning, and never counted.
      type: dict
    loss_packets:
      description: Frames of the test that left and did not arrive. V(null) where either is not known.
      type: int
    loss_ratio:
      description: Their share, 0 to 1.
      type: float
    verdict:
      description:
        - V(consistent), the device sent what tcpreplay says; V(short), it sent fewer; V(impossible), that does not fit
          onto the line; V(unknown).
      type: str
    reason:
      description: Why, in a sentence. Never empty for anything but V(consistent).
      type: str
ansible_facts:
  description: RV(stats), RV(rates), RV(run) and RV(counters) below the name O(fact_name).
  returned: success, not in check mode
  type: dict
  sample: {tcpreplay: {stats: {}, rates: {}, run: {}, counters: {}}}
stdout:
  description: What tcpreplay printed; of more than 16,000 characters, the end.
  returned: when a run failed
  type: str
stderr:
  description: What it printed as errors; of more than 16,000 characters, the end.
  returned: when a run failed
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.outcome import Outcome
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import INJECTION_METHODS, SETTINGS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.run import carry_out

ARGUMENT_SPEC: dict[str, Any] = {
    "pcaps": {"type": "list", "elements": "path", "required": True},
    "interface": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "rx_interface": {"type": "str"},
    "rx_netns": {"type": "str"},
    "injection_method": {"type": "str", "default": "auto", "choices": list(INJECTION_METHODS)},
    "mbps": {"type": "float"},
    "l2_mbps": {"type": "float"},
    "l1_mbps": {"type": "float"},
    "pps": {"type": "float"},
    "line_rate_percent": {"type": "float"},
    "multiplier": {"type": "float"},
    "topspeed": {"type": "bool"},
    "strict_rate": {"type": "bool", "default": False},
    "loop": {"type": "int", "default": 1},
    "duration": {"type": "int"},
    "limit": {"type": "int"},
    "preload": {"type": "bool", "default": True},
    "flow_stats": {"type": "bool", "default": True},
    "unique_ip": {"type": "bool", "default": False},
    "stats_interval": {"type": "int", "default": 1},
    "netmap_delay": {"type": "int"},
    "hold": {"type": "bool", "default": True},
    "link_speed_mbps": {"type": "int"},
    "cpu_list": {"type": "str"},
    "receive_wait": {"type": "float", "default": 2.0},
    "settle": {"type": "float", "default": 5.0},
    "start_at": {"type": "float"},
    "timeout": {"type": "int"},
    "lock_timeout": {"type": "int", "default": 0},
    "offloads": {"type": "str", "default": "auto", "choices": list(SETTINGS)},
    "flow_control": {"type": "str", "default": "auto", "choices": list(SETTINGS)},
    "tx_ring_size": {"type": "int"},
    "rx_ring_size": {"type": "int"},
    "allow_management_interface": {"type": "bool", "default": False},
    "fact_name": {"type": "str", "default": "tcpreplay"},
    "executable": {"type": "path"},
    "extra_args": {"type": "list", "elements": "str", "default": []},
}
PRINTED = 16000


def main() -> None:
    """Send, and return what came of it."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    outcome, error = Outcome({}), None
    try:
        outcome = carry_out(module.params, check_mode=module.check_mode, warn=module.warn)
        error = outcome.error
    except (TrafficgenError, OSError) as refused:
        error = as_ours(refused)
    result = dict(outcome.tree)
    if error is not None:
        if outcome.printed is not None:
            result["stdout"], result["stderr"] = (text[-PRINTED:] for text in outcome.printed)
        module.fail_json(msg=error.message, changed=outcome.printed is not None, **result)
    if not module.check_mode:
        result["ansible_facts"] = {module.params["fact_name"]: outcome.tree}
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
