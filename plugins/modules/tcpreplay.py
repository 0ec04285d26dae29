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
  - Runs C(tcpreplay) once. Returns its statistics as data, the rates in every unit, the conditions of the run, and what
    the counters of the sending and the receiving interface prove.
  - Checks everything it can before the first packet is sent.
  - Only one run at a time can send on an interface. A second one is refused, or waits (O(lock_timeout)).
  - A run always ends. After O(timeout), tcpreplay gets SIGINT, and SIGKILL if it is still running after that. When the
    module or its connection ends, even by SIGKILL, tcpreplay ends too. If the controller or the network dies silently,
    TCP needs about 15 minutes with Linux's defaults to notice. Until then the run continues, to its own end or
    O(timeout). So it does with C(async), which needs no Ansible.
  - When the interface is removed or set down during the run, the task fails and returns what was sent until then. So it
    does when somebody changes the number of rings (C(ethtool -L)) or their size (C(ethtool -G)) of an interface that is
    held for netmap (O(hold)).
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.action_group
  - wirespeed.trafficgen._replay
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.executable
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  check_mode:
    support: full
    details:
      - Nothing is sent, and no fact is set. RV(run.command) and everything else that is known before a run is returned,
        the rest is V(null).
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
      - The module opens each file once, and sends the file it has checked, even if that is replaced, renamed or removed
        meanwhile. If a file is written to in place, the run fails.
      - The files are sent one after the other, as one run. O(loop) repeats all of them. O(limit) and O(duration) apply
        to the whole run.
      - At the recorded speed (O(multiplier), or no rate) tcpreplay waits between the frames of a file, but not between
        two files or passes. If the first frame's time is 0, as in files of M(wirespeed.trafficgen.pcap), it does not
        wait before the second frame either.
      - Files are read as libpcap reads them. There is a warning if the snaplen or the capture truncated frames, if the
        file has more bytes of a frame than there were on the line, or if frames end in an FCS. A frame shorter than an
        Ethernet header is refused. M(wirespeed.trafficgen.pcap_info) counts each.
      - tcpreplay counts each file as a pass. So with several files O(unique_ip) changes the addresses from file to
        file, and before version 4.4.3 RV(stats.flow_packets) is multiplied by the number of files.
  injection_method:
    description:
      - How tcpreplay hands over the frames.
      - V(auto) is the default of this tcpreplay's build. On Linux it is the same as V(pf_packet), and never netmap.
      - V(netmap) takes the interface from the kernel. It needs a tcpreplay whose netmap works, and netmap loaded.
      - V(af_xdp) needs tcpreplay 4.5.0 or later, built with libxdp.
    type: str
    default: auto
    choices: [auto, pf_packet, netmap, af_xdp]
  mbps:
    description:
      - The rate in Mbit/s as tcpreplay counts it, that is of the bytes in the pcap, without FCS, preamble and gap.
      - Give at most one of O(mbps), O(l2_mbps), O(l1_mbps), O(pps), O(line_rate_percent), O(multiplier), O(topspeed).
        Without any of them, the pcaps are sent at the recorded speed.
  pps:
    description:
      - The rate in packets per second.
      - Before version 4.5.3 tcpreplay can keep it only for 5,124,095,576 packets (4.5.0 to 4.5.2, a thousandth of
        that). A longer run is refused. In 4.4 O(mbps) does not have this limit.
  duration:
    description:
      - End after this many seconds.
      - At top speed tcpreplay checks the clock only at the start of a file, so use short files. With a rate that it
        cannot reach, it checks late.
    type: int
  preload:
    description:
      - Read the pcaps into memory before sending. That takes their size plus about 600 bytes for each frame.
    type: bool
    default: true
  flow_stats:
    description:
      - Count flows. With many flows and without O(preload) that costs speed.
    type: bool
    default: true
  unique_ip:
    description:
      - Change the IP addresses from pass to pass, so that each pass has its own flows. Needs O(loop) other than 1.
      - From the second pass on, tcpreplay skips frames that are not IP.
    type: bool
    default: false
  stats_interval:
    description:
      - Take a sample (RV(stats.samples)) about every this many seconds. V(0) takes none. At top speed there are samples
        only between files.
    type: int
    default: 1
  netmap_delay:
    description:
      - For O(injection_method=netmap), seconds between taking the interface and the first packet. A switch port with
        spanning tree, for example, blocks frames for a while after its link has come up.
      - By default as short as the link allows. With O(hold) the module waits for the link, up to 30 s, or up to
        O(netmap_delay) if that is longer. Without O(hold) tcpreplay waits a fixed time, V(1) in emulated mode, where
        the link stays up, and V(10) in native mode, and again before it gives the interface back.
    type: int
  hold:
    description:
      - For O(injection_method=netmap), put the interface into netmap mode before tcpreplay does, wait for its link,
        keep it while tcpreplay runs, and read its counters before releasing it. That avoids fixed delays, and all
        frames in the rings have left when the counters are read.
      - With V(false) tcpreplay takes the interface and gives it back.
    type: bool
    default: true
  workers:
    description:
      - How many tcpreplay run beside each other, 256 at most. Together they send the stream once, at the rate asked
        for. O(limit) is the sum of all. If there are enough CPUs (O(cpu_list)), each is pinned to one of its own.
      - Each gets its share of the pcaps (O(split)) in a temporary file without a name, which goes with the processes.
        The folder for temporary files (E(TMPDIR)) needs room for the size of all pcaps. Frames of different workers may
        overtake each other.
      - They start a few milliseconds apart, with large pcaps and O(preload) more. RV(run.workers) shows it. A run
        should be much longer than that, as its rate is over the time from the first start to the last end.
      - With O(injection_method=netmap) each sends on a ring of its own. C(ethtool -L) sets how many the port has. It
        needs as many to receive, without which tcpreplay does not know a ring's name. That needs O(hold) and a
        tcpreplay of 4.3.4 to 4.4.3 that the role P(wirespeed.trafficgen.tcpreplay#role) has built with
        C(tcpreplay_ring_fix), its default. M(wirespeed.trafficgen.tcpreplay_info) shows it (C(rings)).
      - More than one is refused at the recorded speed with any O(split), for O(injection_method=af_xdp), and with
        C(--include) and C(--exclude) in O(extra_args). M(wirespeed.trafficgen.xdp_replay) sends more with as many CPUs
        as several tcpreplay through the kernel.
      - If one fails, the others are stopped, and the task fails.
    version_added: 1.0.0
    type: int
    default: 1
  cpu_list:
    description:
      - The CPUs tcpreplay may run on, such as V(2-3,5).
  timeout:
    description:
      - End the run after this many seconds. The task then returns what was sent so far, with RV(run.ended_by=timeout).
        It fails only if tcpreplay had to be killed or had sent nothing.
      - The module waits until the queue of O(interface) (C(tc qdisc), such as tbf or fq) is empty, as long as frames
        leave it and within the same time, or 2 s if less is left. Frames that remain in it are a warning.
      - The default is 1.5 times the expected time, plus 30. The expected time is that of the packets at the rate asked
        for, or at 500,000 a second if that is slower, or O(duration), plus netmap's delays. At the recorded speed it is
        RV(wirespeed.trafficgen.pcap_info#module:pcap_info.replay_duration).
      - The default is V(3600) if nothing else ends the run, as at top speed without O(duration).
  offloads:
    description:
      - Offloads of O(interface) during the run. V(off) turns off segmentation (TSO, GSO), merging (GRO, LRO), checksum
        and VLAN offload, as far as the NIC allows. V(keep) leaves them as they are, except those that tcpreplay itself
        turns off for netmap.
      - V(auto) is V(off) for O(injection_method=netmap), where they would give wrong frames, and V(keep) for other
        methods, where they have no effect.
  flow_control:
    description:
      - Flow control (pause frames) of O(interface) during the run. If it is on, the other side can slow the sender
        down.
      - V(off) turns it off, or fails if that is not possible. Many NICs are reset by that, so the module waits for the
        link before and after. It restores what the driver reported before, which with some drivers is the negotiated
        setting.
      - V(auto) is V(keep) for most methods. For O(injection_method=netmap), where the port is reset anyway, it is
        V(off), with a warning instead of a failure. RV(run.flow_control) has what was used.
  fact_name:
    description:
      - The name of the fact that holds the result.
    type: str
    default: tcpreplay
  executable:
    description:
      - The tcpreplay to run. By default the first one on E(PATH). If E(PATH) has no C(/usr/local), as with sudo on EL,
        that is searched first.
    type: path
  extra_args:
    description:
      - More options for tcpreplay, one word each; best as C(--name=value). Options that have a parameter here, in any
        spelling, and options that send elsewhere are refused.
      - With C(--verbose) tcpreplay runs C(tcpdump) as root. C(--decode) may only choose how it prints (C(-e), C(-n),
        C(-q), C(-v), C(-x), C(-X)).
      - Options of C(tcpreplay-edit) are listed in RV(run.edited_by), because the frames then differ from the hashed
        pcaps. Options that change the number of frames or their link type are refused, and with O(rx_interface) also
        those that rewrite the source MAC address.
      - A file C(.tcpreplayrc) next to O(executable) is refused, because tcpreplay would read options from it.
    type: list
    elements: str
    default: []
requirements:
  - tcpreplay 4.1.1 or later
  - iproute2 (on EL C(iproute) and C(iproute-tc)), to run tcpreplay in O(netns) and to restore what netmap changed
  - nftables, for O(rx_interface)
notes:
  - After the run, however it ended, the module restores the settings of O(interface), that is offloads, ring sizes,
    promiscuous mode, MTU, up or down, flow control if the run changed it, and the kind of its root queueing discipline,
    which netmap's emulated mode replaces. It does so even if the module is killed (SIGKILL). If all its processes were
    killed, the next run on the interface restores them and says so. What could not be restored is a warning. A driver
    that somebody changed meanwhile is left alone.
  - Needs root, or CAP_NET_RAW and CAP_NET_ADMIN. Without root and with a tcpreplay that has its own capabilities
    (setcap), the kernel does not end it when the module is killed, and the next run cannot restore what was left.
  - tcpreplay counts what it handed to the kernel or to netmap. RV(counters) says what left.
  - While a run lasts, an action plugin of the same name prints progress on the controller's standard error, about every
    5 seconds on a terminal and every 30 elsewhere, at most about 20 lines a run (5 without a terminal). A line has the
    time, the rate since the previous line, and about how long the run still takes, as far as known. At top speed there
    are figures only at the end of a file.
  - The variable C(trafficgen_progress_interval) sets the seconds between two lines; V(0) prints none. There are none in
    check mode, with C(async) or C(no_log), when becoming a user who is neither root nor the login, and with connections
    that cannot be opened twice (such as mitogen's). C(-v) shows the reason. The run and its result are the same.
seealso:
  - module: wirespeed.trafficgen.pcap
  - module: wirespeed.trafficgen.interface_counters_info
  - module: wirespeed.trafficgen.tcpreplay_info
  - module: wirespeed.trafficgen.xdp_replay
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A port scan of 64-byte packets, five times, at 100 Mbit/s
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    mbps: 100
    loop: 5
  register: result

- name: Show the rate and the verdict
  ansible.builtin.debug:
    msg: >-
      {{ result.stats.packets }} packets, {{ result.rates.l1_mbps | round(1) }} Mbit/s on the line,
      {{ result.counters.verdict }} {{ result.counters.reason }}
  when: not ansible_check_mode  # nothing was sent

- name: Fill half the line for ten seconds through netmap
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    injection_method: netmap
    line_rate_percent: 50
    link_speed_mbps: 10000  # a physical port tells its own
    loop: 0
    duration: 10

- name: The same scan from two cores, as fast as it goes
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    workers: 2
    topspeed: true
    loop: 0
    duration: 2

- name: Send from one namespace, and count what arrives in another
  wirespeed.trafficgen.tcpreplay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap, /var/lib/trafficgen/ten_hosts.pcap]
    netns: sender
    interface: snd0
    rx_netns: receiver
    rx_interface: rcv0
    pps: 50000
  register: through_the_firewall

- name: Fail if any was lost
  ansible.builtin.assert:
    that: through_the_firewall.counters.loss_packets == 0
  when: not ansible_check_mode  # nothing was sent
"""

RETURN = r"""
stats:
  description:
    - What tcpreplay printed. V(null) in check mode.
    - With several O(workers) the sums of all. The rates are over the time from the first start to the last end. Flow
      figures are V(null), as two may have parts of the same flow, and there are no samples. If one printed no
      statistics, the sums are V(null), and RV(run.workers) has what the others sent.
  returned: success, or when a run failed
  type: dict
  contains:
    packets:
      description: Packets it handed over. Like all figures here V(null) if it printed no statistics.
      type: int
      sample: 322555000
    bytes:
      description: Bytes of these, as in the pcap.
      type: int
    seconds:
      description: How long it sent. Above a second with two decimals only.
      type: float
      sample: 201.27
    bytes_per_second:
      description: Its rate in bytes.
      type: float
    mbps:
      description: Its rate in Mbit/s of the bytes in the pcap, truncated, not rounded.
      type: float
    pps:
      description: Its rate in packets.
      type: float
      sample: 1602566.65
    flows:
      description: Flows. Like the next three V(null) without O(flow_stats).
      type: int
    flows_per_second:
      description: Flows per second.
      type: float
    flow_packets:
      description: Packets of flows.
      type: int
    non_flow_packets:
      description: Packets of no flow.
      type: int
    flows_unique:
      description: Unique flows, only with C(--flow-expiry).
      type: int
    flows_expired:
      description: Expired flows, only with C(--flow-expiry).
      type: int
    failed_write_attempts:
      description: Writes that failed. Not the same as a device's failed packets.
      type: int
    interrupted:
      description: Whether it was interrupted. Its exit status is 0 even so.
      type: bool
    devices:
      description: What it counted for the device.
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
    - All are V(null) if there is no rate, as with one frame or less than 2 ms. RV(rates.reason) says why.
    - L2, L1 and percent are those of a line, where a frame has at least 64 bytes with FCS. A NIC pads shorter ones. A
      virtual interface does not, but its figures are calculated the same way.
  returned: success, or when a run failed
  type: dict
  contains:
    pps:
      description:
        - Packets per second, by tcpreplay's count and clock.
        - The same as RV(stats.pps). Below 100 a second, where two decimals are too few, it is calculated from packets
          and time.
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
        - Why some or all of them are unknown. Empty if none is, or if only the link speed is missing.
        - If tcpreplay left out frames (O(extra_args), O(unique_ip), failed writes) and some of the pcaps' frames are
          padded, only RV(rates.pps) and RV(rates.frame_mbps) are known.
      version_added: 1.0.0
      type: str
      sample: ""
run:
  description: The conditions of the run, to compare results months later.
  returned: success, or when a run failed
  type: dict
  contains:
    engine:
      description: What sent, here always V(tcpreplay).
      version_added: 1.0.0
      type: str
    command:
      description:
        - The command line, one word each.
        - It shows the paths of the pcaps. tcpreplay gets them as open descriptors (C(/proc/self/fd/N)), so that it
          sends the files that were checked.
        - With several O(workers) that of the first one, with a descriptor of its share. V(null) in check mode then.
      type: list
      elements: str
    requested:
      description: The rate asked for, as given. V(null) for the recorded speed.
      type: dict
      sample: {l1_mbps: 10000.0}
    capped:
      description: Whether the rate asked for was above the line's, so that the line rate was used.
      type: bool
    rate_reached:
      description:
        - The rate sent divided by the rate asked for, in the unit asked for, over the sending time, by tcpreplay's
          count. Below 0.99 and above 1.01 there is a warning.
        - For a capped rate it is the share of the line rate.
        - At the recorded speed, or a multiple of it, it is the recorded time of the frames sent divided by the time
          they took. The recorded time of each pass is from its first to its latest frame.
        - V(null) at top speed, and if RV(rates) does not have the rate. At the recorded speed also V(null) if the
          recording has no length, if tcpreplay left out frames (O(extra_args), O(unique_ip), failed writes), and with
          C(--maxsleep).
      version_added: 1.0.0
      type: float
      sample: 0.9998
    injection_method:
      description: The method that was used. For V(auto), the one that this tcpreplay names.
      type: str
      sample: pf_packet
    netmap_mode:
      description: V(native) with a driver patched for netmap, otherwise V(emulated). V(null) without netmap.
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
      description: The speed of its line. V(null) if there is none.
      type: int
    mtu:
      description: Its MTU.
      type: int
    offloads:
      description: Its offloads that were on during the run, of those that O(offloads=off) turns off, named as in
        C(ethtool -k).
      version_added: 1.0.0
      type: list
      elements: str
    flow_control:
      description: Whether it obeyed pause frames (C(rx)) and sent them (C(tx)) during the run. V(null) if it has no
        flow control.
      version_added: 1.0.0
      type: dict
      sample: {rx: false, tx: false}
    ring_sizes:
      description: The slots of its receive (C(rx)) and transmit (C(tx)) rings during the run. V(null) if it has none.
      version_added: 1.0.0
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
            - The hash of the file that was sent. If RV(run.edited_by) names options, the frames sent differ from it.
            - V(null) if the file was written to after it was checked. The task then fails.
          type: str
    frames:
      description:
        - For comparison with the bytes that a receiver counts, C(smallest) and C(largest) (bytes), C(padding), the
          bytes that a NIC adds to short frames in one pass, and C(vlan_tagged) (V(none), V(some) or V(all)).
        - V(null) without O(rx_interface).
      type: dict
      sample: {smallest: 60, largest: 1514, padding: 0, vlan_tagged: none}
      version_added: 1.0.0
    mac_address:
      description: The MAC address of O(interface).
      type: str
      version_added: 1.0.0
    edited_by:
      description: The options of tcpreplay-edit, and C(unique-ip), that changed the frames on sending.
      type: list
      elements: str
      version_added: 1.0.0
    in_flight_frames:
      description:
        - How many frames may still have been in the socket's buffer or the ring when tcpreplay stopped its clock. The
          verdict allows this many above the line rate, but in a run of a second or more at most 0.8 % of its frames.
        - Of all O(workers) together.
      type: int
      version_added: 1.0.0
    split:
      description: The O(split) that was used.
      version_added: 1.0.0
      type: str
    workers:
      description:
        - What each of O(workers) did, with the keys of M(wirespeed.trafficgen.xdp_replay). What tcpreplay does not tell
          (C(largest_backlog), C(behind)) is V(null). Before a run all is V(null).
      version_added: 1.0.0
      type: list
      elements: dict
      contains:
        cpu:
          description: The CPU it was pinned to. V(null) for one worker, and if there were fewer CPUs than workers.
          type: int
        queue:
          description: The ring of netmap it sent on. V(null) for one worker, and without netmap.
          type: int
        packets:
          description: Packets it handed over. V(null) if it printed no statistics.
          type: int
        bytes:
          description: Bytes of these.
          type: int
        failed:
          description: Its writes that failed.
          type: int
        seconds:
          description: How long it sent.
          type: float
        start_offset:
          description: Seconds that it began after the first worker, by the time tcpreplay prints (without
            O(stats_interval) by its end).
          type: float
        error:
          description: What it complained of. Empty if of nothing. V(another failed) if it was stopped for that.
          type: str
      sample:
        - {cpu: 2, queue: null, packets: 500000, bytes: 39000000, failed: 0, seconds: 1.0, start_offset: 0.0}
    tcpreplay_version:
      description: The version tcpreplay says it is.
      type: str
    netmap_version:
      description:
        - The commit of the loaded netmap if the role built it, otherwise a checksum of the module.
        - V(null) without netmap.
      type: str
    kernel:
      description: The running kernel's release.
      type: str
    receive_wait:
      description: The O(receive_wait) that was used.
      version_added: 1.0.0
      type: float
    settle:
      description: The O(settle) that was used.
      version_added: 1.0.0
      type: float
    started:
      description: When tcpreplay was started, in seconds since the epoch.
      type: float
    ended:
      description: When it ended, in seconds since the epoch.
      type: float
    exit_status:
      description: Its exit status, negative for the signal that ended it. Of several O(workers) that of the first one
        that failed.
      type: int
    ended_by:
      description:
        - V(completed), everything was sent. V(duration), V(limit), V(timeout), the option of that name. V(user),
          somebody interrupted it or the module. V(error), it failed.
      type: str
    phases:
      description:
        - Where the module's time went, in seconds. Their sum is the time from its first look to the port given back.
        - C(prepare) is reading and checking the pcaps and the host, and waiting for O(lock_timeout). C(set_port) is
          changing the port's settings. C(take_port) is taking the port for netmap or AF_XDP, and waiting until its link
          is up again. C(load) is what the sender reads before it begins. C(start) is setting up the counters and
          waiting for O(start_at). C(send) is sending, with the start and end of what sends. C(count) is waiting until
          all frames have left and arrived. C(restore) is giving the port back as it was.
      version_added: 1.0.0
      type: dict
      sample:
        {prepare: 0.12, set_port: 0.0, take_port: 0.0, load: 0.0, start: 0.05, send: 10.02, count: 0.51, restore: 0.01}
counters:
  description: What the counters prove. V(null) in check mode.
  returned: success, or when a run failed
  type: dict
  contains:
    tx:
      description: What the sending NIC counted, with C(source), C(packets) and C(bytes). V(null) if nothing proves it.
      type: dict
      sample: {source: e1000 tx_packets, packets: 322555000, bytes: null}
    rx:
      description:
        - What arrived at O(rx_interface), with C(source), C(packets), C(bytes), and C(host_drops), the frames that the
          receiving host itself dropped, V(null) if its port does not count them.
        - C(late_packets) are those of C(packets) that arrived more than O(receive_wait) after the last frame had left,
          while frames kept coming. V(null) if the counter also counts others' frames, or if there was no wait.
        - Frames that arrive before the first one is sent, such as late ones of an earlier run, are waited for, reported
          in a warning, and never counted.
      type: dict
    loss_packets:
      description: Test frames that left and did not arrive. V(null) if either count is unknown.
      type: int
    loss_ratio:
      description: Their share, 0 to 1.
      type: float
    verdict:
      description:
        - V(consistent), the NIC sent what tcpreplay says. V(short), it sent fewer frames. V(impossible), the rate is
          above the line's. V(unknown), nothing proves it.
      type: str
    reason:
      description: Why, in one sentence. It may be empty only for V(consistent).
      type: str
arrivals:
  description: The counters of O(interface) C(before) the first frame and C(after) the wait for the last, each as
    M(wirespeed.trafficgen.interface_counters_info) returns them. C(after) is V(null) if they could not be read.
  returned: with O(count_arrivals), if frames were sent
  type: dict
ansible_facts:
  description: RV(stats), RV(rates), RV(run) and RV(counters), and RV(arrivals) with O(count_arrivals), under the name
    O(fact_name).
  returned: success, not in check mode
  type: dict
  sample: {tcpreplay: {stats: {}, rates: {}, run: {}, counters: {}}}
stdout:
  description: What tcpreplay printed, at most the last 16,000 characters.
  returned: when a run failed
  type: str
stderr:
  description: What it printed as errors, at most the last 16,000 characters.
  returned: when a run failed
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import ARGUMENTS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.run import answer
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.engine import carry_out
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.request import INJECTION_METHODS

ARGUMENT_SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "injection_method": {"type": "str", "default": "auto", "choices": list(INJECTION_METHODS)},
    "duration": {"type": "int"},
    "workers": {"type": "int", "default": 1},
    "preload": {"type": "bool", "default": True},
    "flow_stats": {"type": "bool", "default": True},
    "unique_ip": {"type": "bool", "default": False},
    "stats_interval": {"type": "int", "default": 1},
    "netmap_delay": {"type": "int"},
    "hold": {"type": "bool", "default": True},
    "fact_name": {"type": "str", "default": "tcpreplay"},
    "executable": {"type": "path"},
    "extra_args": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Send, and return what came of it."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = answer(
        lambda: carry_out(module.params, check_mode=module.check_mode, warn=module.warn),
        None if module.check_mode else module.params["fact_name"],
    )
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
