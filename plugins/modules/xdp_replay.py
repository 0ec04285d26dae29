#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: one run through AF_XDP, on as many cores as the port has queues, and what came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: xdp_replay
short_description: Replay pcaps through AF_XDP from several cores, and tell what was sent and what arrived
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Sends as M(wirespeed.trafficgen.tcpreplay) does, with a sender of this collection's own. It needs no tcpreplay, no
    compiler, and no kernel module that a kernel update breaks. AF_XDP is part of the kernel.
  - Each worker (O(workers)) is a process with a CPU and a queue of the port for itself. All of them start together.
  - Parameters that M(wirespeed.trafficgen.tcpreplay) has too mean the same, and so does the result. Guards, locks,
    counters and verdict are the same.
  - The kernel copies each frame, so every driver can be sent on. Some drivers can send without copying (O(mode)).
  - Checks everything it can before the first packet is sent. The sockets are bound and the frames loaded before the
    counters are read and O(start_at) has come.
  - Only one run at a time can send on an interface, whichever module sends. A second one is refused, or waits
    (O(lock_timeout)).
  - A run always ends. After O(timeout) the workers are told to stop, and killed if they still run 8 s later. When the
    module or its connection ends, even by SIGKILL, the workers end too. With C(async), the run goes on without Ansible.
  - When the interface is removed or set down during the run, or a worker is killed, the task fails and returns what was
    sent until then.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.action_group
  - wirespeed.trafficgen._replay
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  check_mode:
    support: full
    details:
      - Nothing is sent, and no fact is set. What is known before a run is returned, the rest is V(null).
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
      - At the recorded speed (O(multiplier), or no rate) there is a wait between the frames of a file, but not between
        two files or passes.
      - Files are read as libpcap reads them. A frame shorter than an Ethernet header is refused, and so is one that is
        longer than the MTU allows or than 4096 bytes.
  mode:
    description:
      - Whether the kernel copies the frames. RV(run.xdp_mode) tells what was done.
      - V(copy) works with every driver.
      - V(zero_copy) lets the port read the frames from the workers' memory. If that is not possible, the run is refused
        before anything is sent. While it lasts, an XDP program that lets every received frame pass is on O(interface).
        Many drivers reset the port when the program comes and goes, so the module waits for the link.
      - V(zero_copy) is refused on an interface that the host is managed over, even with O(allow_management_interface),
        where another XDP program is on the interface, and where netmap may use it.
      - V(auto) uses zero copy with C(ixgbe), C(i40e), C(ice), C(mlx5_core) and C(igc), which have had it for years, and
        copies with all others. It also copies, and warns, if such a driver cannot do it now.
      - Each worker then needs a queue that both sends and receives.
    type: str
    choices: [auto, zero_copy, copy]
    default: auto
  workers:
    description:
      - How many processes send, each on a queue of the port and a CPU of its own. Together they send the stream once,
        at the rate asked for. O(limit) is the sum of all.
      - V(auto) is as many as the port has queues to send on, and no more than there are CPUs (O(cpu_list)).
      - More than the port has queues is refused. C(ethtool -L) sets how many it has.
      - With more than one, frames of different workers may overtake each other.
    type: str
    default: '1'
  marks:
    description:
      - The value RV(wirespeed.trafficgen.pcap#module:pcap.marks) of the pcap. The numbers in its marks then go on from
        pass to pass, where the file alone would begin again at 0, so that a receiver can tell the passes apart
        (O(wirespeed.trafficgen.mark_receiver#module:numbered_passes)).
      - After 16,777,216 frames of a stream, or as many whole passes as that is, they begin again at 0.
      - Without it, the frames are sent as they are in the file.
    type: dict
  burst:
    description:
      - How many frames a worker sends at once at most, also when it has to catch up. By default what is due in
        0.2 ms, between 1 and 512.
    type: int
  mbps:
    description:
      - The rate in Mbit/s of the bytes in the pcap, without FCS, preamble and gap.
      - Give at most one of O(mbps), O(l2_mbps), O(l1_mbps), O(pps), O(line_rate_percent), O(multiplier), O(topspeed).
        Without any of them, the pcaps are sent at the recorded speed.
      - Frames are sent at equal distances in time, whatever their sizes. A rate in Mbit/s is turned into frames per
        second by the mean size of the frames to be sent. (tcpreplay spaces frames of different sizes by their size.)
  pps:
    description:
      - The rate in packets per second.
  duration:
    description:
      - End after this many seconds. Frames that are due later are not sent.
    type: float
  cpu_list:
    description:
      - The CPUs that the workers run on, such as V(2-3,5). Each is pinned to one of them, in turn. By default those
        that the module may use.
  timeout:
    description:
      - End the run after this many seconds. The task then returns what was sent so far, with RV(run.ended_by=timeout).
        It fails only if a worker had to be killed or nothing had been sent.
      - The default is 1.5 times the expected time, plus 30. The expected time is that of the packets at the rate asked
        for, or at 500,000 a second if that is slower, or O(duration). At the recorded speed it is
        RV(wirespeed.trafficgen.pcap_info#module:pcap_info.replay_duration).
      - The default is V(3600) if nothing else ends the run, as at top speed without O(duration).
  offloads:
    description:
      - Offloads of O(interface) during the run. V(off) turns off segmentation (TSO, GSO), merging (GRO, LRO), checksum
        and VLAN offload, as far as the NIC allows. V(keep) and V(auto) leave them as they are, as they have no effect
        on what is sent.
  flow_control:
    description:
      - Flow control (pause frames) of O(interface) during the run. If it is on, the other side can slow the sender
        down.
      - V(off) turns it off, or fails if that is not possible. Many NICs are reset by that, so the module waits for the
        link before and after. It restores what the driver reported before, which with some drivers is the negotiated
        setting.
      - V(auto) is V(keep). RV(run.flow_control) has what was used.
  fact_name:
    description:
      - The name of the fact that holds the result.
    type: str
    default: xdp_replay
requirements:
  - a kernel with AF_XDP (C(CONFIG_XDP_SOCKETS)), on x86_64
  - iproute2 (on EL C(iproute) and C(iproute-tc)), to restore the settings of O(interface)
  - nftables, for O(rx_interface)
notes:
  - x86_64 alone, because plain Python has no memory barrier, and other processors reorder what it writes.
  - Each worker takes up to 64 MB of memory for frames, all together up to 128 MB. Larger pcaps are streamed through it.
    With zero copy each has at least 8 MB more, to receive. Without C(CAP_IPC_LOCK) all of that counts against the limit
    of locked memory (C(ulimit -l)).
  - RV(stats.packets) counts what the kernel has completed, so it has left the kernel. RV(counters) says what the port
    counted.
  - After the run, however it ended, the module restores the settings of O(interface) that it changed, as
    M(wirespeed.trafficgen.tcpreplay) does. It leaves an XDP program that is there already alone.
  - The XDP program of V(mode=zero_copy) is gone when the module ends, even if all of its processes are killed.
  - Needs root, or CAP_NET_RAW and CAP_NET_ADMIN, and CAP_BPF for zero copy.
  - While a run lasts, an action plugin of the same name prints progress, as M(wirespeed.trafficgen.tcpreplay) does. The
    variable C(trafficgen_progress_interval) sets the seconds between two lines; V(0) prints none.
seealso:
  - module: wirespeed.trafficgen.tcpreplay
  - module: wirespeed.trafficgen.xdp_info
  - module: wirespeed.trafficgen.pcap
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A port scan of 64-byte packets from two cores, for two seconds, as fast as it goes
  wirespeed.trafficgen.xdp_replay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    workers: 2
    topspeed: true
    loop: 0
    duration: 2

- name: Half the line from as many cores as there are queues, each flow in its order
  wirespeed.trafficgen.xdp_replay:
    pcaps: [/var/lib/trafficgen/mixed.pcap]
    interface: ens17
    workers: auto
    split: flow
    line_rate_percent: 50
    link_speed_mbps: 1000  # a physical port tells its own
    loop: 0
    duration: 2.5
  register: result

- name: Without copying, or not at all
  wirespeed.trafficgen.xdp_replay:
    pcaps: [/var/lib/trafficgen/tcp_port_scan_64.pcap]
    interface: ens17
    mode: zero_copy
    topspeed: true
    limit: 10000000

- name: Show what each worker did
  ansible.builtin.debug:
    msg: "{{ result.run.workers }}"
"""

RETURN = r"""
stats:
  description: What was sent, of all workers together. V(null) in check mode.
  returned: success, or when a run failed
  type: dict
  contains:
    packets:
      description: Frames that the kernel has completed, without those that it dropped.
      type: int
      sample: 322555000
    bytes:
      description: Bytes of these, as in the pcap.
      type: int
    seconds:
      description: From the common start to the last frame, and at a rate the time of that frame too.
      type: float
      sample: 201.27
    bytes_per_second:
      description: Bytes divided by seconds.
      type: float
    mbps:
      description: The same in Mbit/s.
      type: float
    pps:
      description: Packets divided by seconds.
      type: float
      sample: 1602566.65
    flows:
      description: V(null), like C(flows_per_second), C(flow_packets), C(non_flow_packets), C(flows_unique) and
        C(flows_expired), which only tcpreplay tells. M(wirespeed.trafficgen.pcap_info) counts flows.
      type: int
    failed_write_attempts:
      description: Frames that the kernel dropped, as without a carrier. They are not in C(packets), and a warning tells
        how many there were.
      type: int
    interrupted:
      description: Whether it was told to stop.
      type: bool
    devices:
      description: The same counts for the interface, with the keys of M(wirespeed.trafficgen.tcpreplay). What only
        tcpreplay tells is V(null).
      type: list
      elements: dict
      sample: [{interface: ens17, successful_packets: 322555000, failed_packets: 0}]
    samples:
      description: Always empty.
      type: list
      elements: dict
rates:
  description:
    - RV(stats.pps) in every unit, for the mean frame sent. V(null) in check mode.
    - All are V(null) if there is no rate, as with one frame or less than 2 ms. RV(rates.reason) says why.
  returned: success, or when a run failed
  type: dict
  contains:
    pps:
      description: Packets per second.
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
      description: Why some or all of them are unknown. Empty if none is, or if only the link speed is missing.
      type: str
run:
  description:
    - The conditions of the run, to compare results months later.
    - Keys that are not listed here mean what they mean in M(wirespeed.trafficgen.tcpreplay). What only tcpreplay has is
      V(null), namely C(command), C(netmap_mode), C(netmap_version), C(tcpreplay_version) and C(exit_status).
  returned: success, or when a run failed
  type: dict
  contains:
    engine:
      description: What sent, here always V(af_xdp).
      type: str
    requested:
      description: The rate asked for, as given. V(null) for the recorded speed.
      type: dict
      sample: {l1_mbps: 10000.0}
    capped:
      description: Whether the rate asked for was above the line's, so that the line rate was used.
      type: bool
    rate_reached:
      description: The rate sent divided by the rate asked for. Below 0.99 and above 1.01 there is a warning.
      type: float
    flow_control:
      description: Whether it obeyed pause frames (C(rx)) and sent them (C(tx)) during the run. V(null) if it has no
        flow control.
      type: dict
    pcaps:
      description: What was in the files, with C(path), C(packets), C(bytes) and C(sha256).
      type: list
      elements: dict
    started:
      description: The common start of the workers, in seconds since the epoch.
      type: float
    ended:
      description: When the last worker had ended, in seconds since the epoch.
      type: float
    injection_method:
      description: Always V(af_xdp).
      type: str
    xdp_mode:
      description: V(copy) or V(zero_copy), as the kernel says of the sockets. V(null) before a run.
      type: str
    split:
      description: The O(split) that was used.
      type: str
    workers:
      description: What each worker did. Before a run all but C(queue) is V(null).
      type: list
      elements: dict
      contains:
        cpu:
          description: The CPU it was pinned to.
          type: int
        queue:
          description: The queue it sent on.
          type: int
        packets:
          description: Frames it sent.
          type: int
        bytes:
          description: Bytes of them.
          type: int
        failed:
          description: Frames of its that the kernel dropped.
          type: int
        seconds:
          description: From the common start to its last frame.
          type: float
        start_offset:
          description: Seconds that it began after the first worker.
          type: float
        largest_backlog:
          description: The most frames that were due and not sent. 0 at top speed.
          type: int
        behind:
          description: The share of the time in which a frame was more than 1 ms late, 0 to 1.
          type: float
        error:
          description: What went wrong. Empty if nothing did.
          type: str
      sample:
        - {cpu: 2, queue: 0, packets: 500000, bytes: 39000000, failed: 0, seconds: 1.0, start_offset: 0.0}
    ended_by:
      description:
        - V(completed), everything was sent. V(duration), V(limit), V(timeout), the option of that name. V(user),
          somebody interrupted the module. V(error), it failed.
      type: str
    phases:
      description:
        - Where the module's time went, in seconds. Their sum is the time from its first look to the port given back.
        - C(prepare) is reading and checking the pcaps and the host, and waiting for O(lock_timeout). C(set_port) is
          changing the port's settings. C(take_port) is taking the port for netmap or AF_XDP, and waiting until its link
          is up again. C(load) is what the sender reads before it begins. C(start) is setting up the counters and
          waiting for O(start_at). C(send) is sending, with the start and end of what sends. C(count) is waiting until
          all frames have left and arrived. C(restore) is giving the port back as it was.
      type: dict
      sample:
        {prepare: 0.12, set_port: 0.0, take_port: 0.0, load: 0.0, start: 0.05, send: 10.02, count: 0.51, restore: 0.01}
counters:
  description: What the counters prove, as M(wirespeed.trafficgen.tcpreplay) has it. V(null) in check mode.
  returned: success, or when a run failed
  type: dict
  contains:
    tx:
      description: What the sending NIC counted, with C(source), C(packets) and C(bytes). V(null) if nothing proves it.
      type: dict
    rx:
      description: What arrived at O(rx_interface), with C(source), C(packets), C(bytes), C(host_drops) and
        C(late_packets).
      type: dict
    loss_packets:
      description: Test frames that left and did not arrive. V(null) if either count is unknown.
      type: int
    loss_ratio:
      description: Their share, 0 to 1.
      type: float
    verdict:
      description:
        - V(consistent), the NIC sent what the workers say. V(short), it sent fewer frames. V(impossible), the rate is
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
  sample: {xdp_replay: {stats: {}, rates: {}, run: {}, counters: {}}}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import ARGUMENTS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.run import answer
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.engine import carry_out
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.zero_copy import MODES

ARGUMENT_SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "duration": {"type": "float"},
    "mode": {"type": "str", "default": "auto", "choices": list(MODES)},
    "workers": {"type": "str", "default": "1"},
    "burst": {"type": "int"},
    "marks": {"type": "dict"},
    "fact_name": {"type": "str", "default": "xdp_replay"},
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
