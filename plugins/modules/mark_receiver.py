#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: receive marked test frames, and tell which were lost, doubled, reordered."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mark_receiver
short_description: Receive marked test frames, and tell lost from doubled, reordered and late ones
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Listens on an interface for the frames of a test made with O(wirespeed.trafficgen.pcap#module:mark), and looks at
    the number in each mark. The frames may come from any MAC address, as behind a router.
  - It always ends, after O(duration) at the latest. It ends earlier once all frames have come, or if none has come for
    O(idle) seconds.
  - With O(state=started) it listens in the background while others send, and O(state=stopped) tells what came.
  - Looking at each frame takes time. Frames that come faster than the module can read them are dropped by its own
    socket. The result tells how many, and then does not call any frame lost. With O(count_only) it counts at any rate.
  - The interface is promiscuous while it listens. Nothing else on it is changed.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.interface
      - wirespeed.trafficgen.netns
  platform:
    support: full
options:
  state:
    description:
      - V(received) listens until the end, and tells what came.
      - V(started) returns as soon as a process of its own listens, which ends when it is asked with V(stopped), and
        after O(duration) at the latest. It leaves nothing behind.
      - V(stopped) asks that process, which waits for what is missing for O(idle) seconds and tells what came.
    type: str
    choices: [received, started, stopped]
    default: received
  receiver:
    description: Which one to ask with O(state=stopped), RV(receiver) of V(started).
    type: str
  frames:
    description:
      - How many frames were sent, marked or not, as RV(wirespeed.trafficgen.tcpreplay#module:stats.packets) tells, with
        O(state=stopped). It takes the place of O(loop).
      - In the middle of a pass, how many of these are marked follows only if all frames of the pcap are; and how many
        of each stream, only if there is one.
    type: int
  sent_ago:
    description: How many seconds ago the last frame was sent, with O(state=stopped). The wait O(idle) began then, or
      with the last frame that came if that was later.
    type: float
    default: 0
  interface:
    description: The network interface. Not for O(state=stopped).
    type: str
  netns:
    description: The named network namespace (C(ip netns)) the interface is in; this host's own by default.
    type: str
  marks:
    description:
      - The value RV(wirespeed.trafficgen.pcap#module:pcap.marks) of the pcap that is sent. It has the test's number,
        and how many frames of each stream are marked.
      - Give either this or O(mark_id), but for O(state=stopped).
    type: dict
  mark_id:
    description:
      - The O(wirespeed.trafficgen.pcap#module:mark_id) of the pcap. How many frames were sent is not known then, so
        those after the last one that arrived are not missed.
    type: str
  loop:
    description:
      - How often the pcap is sent, as O(wirespeed.trafficgen.tcpreplay#module:loop). V(0) if that is not known.
      - The frames of each pass have the same numbers. A number that comes again is taken for that of the pass in which
        it is less than half a pass early or late. If more than half a pass is lost in a row, or a frame is as late as
        that, the figures are wrong by a whole pass.
    type: int
    default: 1
  numbered_passes:
    description:
      - Whether the numbers go on from pass to pass, as M(wirespeed.trafficgen.xdp_replay) sends them with
        O(wirespeed.trafficgen.xdp_replay#module:marks).
    type: bool
    default: false
  duration:
    description: The seconds after which to end in any case, at most 31536000 (a year). Not for O(state=stopped).
    type: float
  idle:
    description:
      - The seconds without a frame, after the first one, after which to end. The default is RFC 2544's wait for late
        frames (section 23). With O(state=stopped) see O(sent_ago). O(state=started) has none.
      - Give more than the longest gap that you want to measure.
    type: float
    default: 2.0
  count_only:
    description:
      - Whether the kernel only counts the frames with a mark of the test, copies included, whatever their MAC
        addresses and sizes, and nobody looks at their numbers. It does that at any rate, and on any processor.
      - Only RV(marks.sent) and RV(marks.arrived) are then known. Their difference is the loss only if the device
        doubles nothing.
    type: bool
    default: false
  ring_mb:
    description: Megabytes of memory for frames that have arrived and are not read yet, from 1 to 1024.
    type: int
    default: 64
  ready_file:
    description:
      - A file to make once it listens, and to remove at the end, so that C(ansible.builtin.wait_for) can wait for it
        before the sender starts. It must not be there yet. One that a killed receiver left has to be removed.
    type: path
notes:
  - Needs root (CAP_NET_RAW), and without O(count_only) x86_64.
  - Switch off receive offloads that merge frames (GRO, LRO). RV(marks.notes) names those that are on.
  - Frames that netmap or AF_XDP take from the interface are not seen.
seealso:
  - module: wirespeed.trafficgen.pcap
  - module: wirespeed.trafficgen.frame_counter
"""

EXAMPLES = r"""
- name: Make frames with marks
  wirespeed.trafficgen.pcap:
    path: /var/lib/trafficgen/scan.pcap
    mark: true
    mark_id: 7
    streams:
      - {name: scan, preset: tcp_port_scan, size: 64, size_of: ip}
  register: made

- name: Receive them on the other side of the device, in the background
  delegate_to: receiver
  wirespeed.trafficgen.mark_receiver:
    interface: ens18
    marks: "{{ made.pcap.marks }}"
    duration: 60
    ready_file: /run/mark_receiver.ready
  async: 90
  poll: 0
  register: receiving
  when: not ansible_check_mode  # ansible-core 2.14 to 2.16 refuse async then, and nothing is sent

- name: Wait until it listens
  delegate_to: receiver
  ansible.builtin.wait_for:
    path: /run/mark_receiver.ready

- name: Send
  wirespeed.trafficgen.tcpreplay:
    interface: ens17
    pcaps: [/var/lib/trafficgen/scan.pcap]
    pps: 30000

- name: Wait for what was received
  delegate_to: receiver
  ansible.builtin.async_status:
    jid: "{{ receiving.ansible_job_id }}"
  register: received
  until: received is finished
  retries: 90
  delay: 1
  when: not ansible_check_mode  # nothing was sent

- name: Or listen in the background
  delegate_to: receiver
  wirespeed.trafficgen.mark_receiver:
    state: started
    interface: ens18
    marks: "{{ made.pcap.marks }}"
    loop: 0  # not known yet
    duration: 60
  register: listening

- name: Send for three seconds
  wirespeed.trafficgen.tcpreplay:
    interface: ens17
    pcaps: [/var/lib/trafficgen/scan.pcap]
    pps: 30000
    loop: 0
    duration: 3
  register: sent

- name: Ask for what was received
  delegate_to: receiver
  wirespeed.trafficgen.mark_receiver:
    state: stopped
    receiver: "{{ listening.receiver }}"
    frames: "{{ sent.stats.packets }}"
  register: received
  when: not ansible_check_mode  # nothing was sent

- name: Show it
  ansible.builtin.debug:
    msg: "{{ received.marks.lost }} lost, {{ received.marks.duplicates }} doubled, {{ received.marks.notes }}"
  when: not ansible_check_mode  # nothing was sent
"""

RETURN = r"""
receiver:
  description: What to ask the process by.
  returned: O(state=started)
  type: str
  sample: 6f1c2a9d0b7e4f35
process:
  description: Its number.
  returned: O(state=started)
  type: int
until:
  description: When it ends if nobody asks, in seconds since 1970.
  returned: O(state=started)
  type: float
marks:
  description: What arrived. The sums over all streams, then each stream. What O(count_only) does not tell is V(null).
  returned: O(state=received) and O(state=stopped)
  type: dict
  contains:
    test:
      description: The number of the test.
      type: int
    interface:
      description: The interface.
      type: str
    netns:
      description: Its network namespace.
      type: str
    began:
      description: When it began to listen, in seconds since 1970.
      type: float
    ended:
      description: When it ended.
      type: float
    seconds:
      description: How long it listened.
      type: float
    ended_by:
      description: Why it ended, V(all) (all frames had come), V(idle), V(duration), or V(interface_down).
      type: str
    count_only:
      description: Whether the kernel only counted.
      type: bool
    socket_drops:
      description: Marked frames that its own socket dropped, since it could not read as fast as they came.
      type: int
    interface_packets:
      description: All frames that the interface counted meanwhile, marked or not. V(null) if it is gone.
      type: int
    sent:
      description: Marked frames that are sent in all passes. V(null) if that is not known.
      type: int
    arrived:
      description: Frames of the test that arrived, copies included.
      type: int
    received:
      description: Frames of the test that arrived, without copies.
      type: int
    missing:
      description: Frames that did not arrive here, whatever the reason. If RV(marks.sent) is not known, those with a
        lower number than the highest that arrived.
      type: int
    lost:
      description: The same, if the device lost them. V(null) if the socket dropped frames, if marks were altered, if
        more frames arrived than were sent, if the interface went down, or if frames still came when O(duration) was
        over.
      type: int
    lost_at_least:
      description: The missing frames less those that the socket dropped, whose marks were altered, or that are too
        many.
      type: int
    lost_ratio:
      description: RV(marks.lost) of those sent.
      type: float
    duplicates:
      description: Copies that arrived after the first (RFC 5560).
      type: int
    reordered:
      description: Frames that arrived after one with a higher number (RFC 4737, Type-P-Reordered). Of copies only the
        first counts.
      type: int
    unexpected:
      description: Frames with the test's number whose stream or number is not in O(marks).
      type: int
    altered:
      description: Marks that do not add up, so that they were altered on the way. Short ones are not recognized then.
      type: int
    foreign:
      description: Marks of other tests (C(test)) and how many (C(packets)). Short ones are not recognized.
      type: list
      elements: dict
    timeline:
      description:
        - How many frames arrived in each interval, without copies, of all streams together, C(frames), with
          C(interval_seconds), and C(began), the first one's arrival. V(null) if none did. With O(count_only) copies
          are among them.
        - The intervals have 0.1 s, and are as much longer as it takes for there to be at most 600.
      type: dict
    notes:
      description: What to know about these figures, in sentences. Empty if there is nothing.
      type: list
      elements: str
    streams:
      description:
        - Each stream's C(stream) (its number), C(name), C(sent), C(arrived), C(received), C(missing), C(lost),
          C(duplicates), C(reordered) and C(unexpected), which mean the same as above, and the following.
        - C(missing_at_end), how many are missing after the last one that arrived. V(null) if C(sent) is not known.
        - C(duplication_fraction), copies per frame received, and C(replicated_packet_rate), the part of the frames
          received that arrived more than once (RFC 5560).
        - C(reordered_ratio), the part of the frames received that were reordered, C(largest_extent), how many frames
          at most arrived between a reordered one and the first with a higher number, that one included, and
          C(largest_late_seconds), the time between the two (RFC 4737, sections 4.1 to 4.3). V(null) where
          numbers were missing in more than half a million places before the frame came.
        - C(longest_gap), the longest time without a frame of the stream, with C(seconds), C(began), and C(missing), how
          many did not arrive in it. For a device that was gone this is the outage, to one frame's distance (RFC 6201).
        - C(first_arrival) and C(last_arrival), in seconds since 1970.
      type: list
      elements: dict
  sample:
    test: 7
    interface: ens18
    netns: null
    began: 1795928543.31
    ended: 1795928548.35
    seconds: 5.04
    ended_by: idle
    count_only: false
    socket_drops: 0
    interface_packets: 10000
    sent: 10000
    arrived: 10000
    received: 7000
    missing: 3000
    lost: 3000
    lost_at_least: 3000
    lost_ratio: 0.3
    duplicates: 3000
    reordered: 0
    unexpected: 0
    altered: 0
    foreign: []
    timeline: {interval_seconds: 0.1, began: 1795928544.36, frames: [350, 350, 350]}
    notes: []
    streams:
      - stream: 0
        name: scan
        sent: 10000
        arrived: 10000
        received: 7000
        missing: 3000
        missing_at_end: 0
        lost: 3000
        duplicates: 3000
        duplication_fraction: 0.42857142857142855
        replicated_packet_rate: 0.42857142857142855
        reordered: 0
        reordered_ratio: 0.0
        largest_extent: 0
        largest_late_seconds: 0.0
        longest_gap: {seconds: 0.051369278, began: 1795928545.13, missing: 30}
        unexpected: 0
        first_arrival: 1795928544.36
        last_arrival: 1795928546.35
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks import background
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import number_of_test
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import (
    Expected,
    read_expected,
    receive,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface

ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["received", "started", "stopped"], "default": "received"},
    "receiver": {"type": "str"},
    "frames": {"type": "int"},
    "sent_ago": {"type": "float", "default": 0.0},
    "interface": {"type": "str"},
    "netns": {"type": "str"},
    "marks": {"type": "dict"},
    "mark_id": {"type": "str"},
    "loop": {"type": "int", "default": 1},
    "numbered_passes": {"type": "bool", "default": False},
    "duration": {"type": "float"},
    "idle": {"type": "float", "default": 2.0},
    "count_only": {"type": "bool", "default": False},
    "ring_mb": {"type": "int", "default": 64},
    "ready_file": {"type": "path"},
}


def _expected(given: Mapping[str, Any]) -> Expected:
    passes = given["loop"] or None
    if given["marks"] is not None:
        return read_expected(given["marks"], passes, given["numbered_passes"])
    return Expected(number_of_test(given["mark_id"]), {}, passes)


def _carry_out(given: Mapping[str, Any]) -> dict[str, Any]:
    if given["state"] == "stopped":
        return {"marks": background.ask(given["receiver"], given["frames"], given["idle"], given["sent_ago"])}
    interface, expected = Interface(given["interface"], given["netns"]), _expected(given)
    options = {key: given[key] for key in ("duration", "ring_mb", "count_only")}
    if given["state"] == "started":
        return background.start(interface, expected, **options)
    return {"marks": receive(interface, expected, idle=given["idle"], ready_file=given["ready_file"], **options)}


def main() -> None:
    """Receive, and tell."""
    listening = [(state, ("interface", "duration"), ("marks", "mark_id")) for state in ("received", "started")]
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        mutually_exclusive=[("marks", "mark_id")],
        required_if=[
            *(("state", state, needed) for state, needed, _one_of in listening),
            *(("state", state, one_of, True) for state, _needed, one_of in listening),
            ("state", "stopped", ("receiver",)),
        ],
    )
    try:
        found = _carry_out(module.params)
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)
    for note in found.get("marks", {}).get("notes", ()):
        module.warn(note)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
