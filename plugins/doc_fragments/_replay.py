# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of every module that replays pcaps. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """What the parameters mean to all of them; what one means to a module alone is that module's to say."""

    DOCUMENTATION = r"""
options:
  pcaps:
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
      - The named network namespace (C(ip netns)) of O(interface).
    type: str
  rx_interface:
    description:
      - A receiving interface on the same host. The module counts the frames from the pcaps' source MAC addresses there,
        as M(wirespeed.trafficgen.frame_counter) does.
      - A router on the way replaces the source address with its own. Then use M(wirespeed.trafficgen.frame_counter)
        with the router's address, and the filter P(wirespeed.trafficgen.reconcile#filter).
      - With more than 4096 source addresses, or without C(nft), the interface's MAC counters are used if it has any.
    type: str
  rx_netns:
    description:
      - The network namespace of O(rx_interface).
    type: str
  mbps:
    type: float
  l2_mbps:
    description:
      - The rate in Mbit/s of whole Ethernet frames, with FCS and with the padding of frames below 60 bytes.
    type: float
  l1_mbps:
    description:
      - The rate in Mbit/s on the line, with FCS, padding, preamble and gap, as in RFC 2544. 10000 fills a 10G line.
    type: float
  pps:
    type: float
  line_rate_percent:
    description:
      - The rate in percent of the line rate. Needs a link with a known speed, or O(link_speed_mbps).
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
      - What to do with a rate above the line's. V(false) uses the line rate instead and marks the result
        (RV(run.capped)). V(true) refuses.
    type: bool
    default: false
  loop:
    description:
      - How often to send the pcaps. V(0) repeats without end, and needs O(duration) or O(limit).
    type: int
    default: 1
  limit:
    description:
      - End after this many frames.
    type: int
  link_speed_mbps:
    description:
      - The speed of the line in Mbit/s. By default as the NIC reports it. A virtual interface has none, whatever it
        reports.
    type: int
  split:
    description:
      - How O(workers) share the frames.
      - With V(frame), worker w of N sends the frames w, w + N, w + 2N and so on. Their rates are equal. It is refused
        with more than one worker at the recorded speed.
      - With V(flow), both directions of a flow (addresses, protocol, ports) go to the same worker, in their order. Use
        it for what keeps states. Frames without IP go to the first one.
    type: str
    choices: [frame, flow]
    default: frame
    version_added: 1.0.0
  cpu_list:
    type: str
  count_arrivals:
    description:
      - Also read what arrives at O(interface) itself meanwhile (RV(arrivals)), for another run that sends to it, and
        give the interface back only then.
      - A run through netmap, or AF_XDP's zero copy, takes its interface from the kernel. No other program can count
        there, except by the MAC, which is reset when the interface is given back. Let both runs begin at the same
        O(start_at).
      - After the last frame was sent, it waits until none has arrived for O(receive_wait) seconds.
    version_added: 1.0.0
    type: bool
    default: false
  receive_wait:
    description:
      - After the last frame has left, wait for missing frames until none has arrived on O(rx_interface) for this many
        seconds. RFC 2544, section 23, says 2. If all frames have arrived, the wait ends at once.
      - While frames keep coming, the wait continues, up to 5 times this, or up to the sending time if that is longer.
        After that RV(counters.loss_packets) is V(null), because more may come.
      - If only the MAC counts, up to 10 frames in that time are taken for others' and do not extend the wait.
      - A shorter wait may count late frames as lost; RV(counters.reason) then says so. V(0) does not wait.
      - The wait is not part of O(timeout). If the module is told to stop, it waits at most 0.3 s.
    version_added: 1.0.0
    type: float
    default: 2.0
  settle:
    description:
      - If a run on O(rx_interface) missed frames, the next run that would count them starts this many seconds after its
        end, so that it does not count them. RFC 2544, section 23, says 5. After a run that missed nothing there is no
        delay.
      - A start at O(start_at) is kept. If less than 5 s have passed, RV(counters.reason) says so.
    version_added: 1.0.0
    type: float
    default: 5.0
  start_at:
    description:
      - When to start, in seconds since the epoch, so that several hosts can start together. It must be within
        O(timeout).
      - If the interface is not ready within 0.1 s after that time, nothing is sent, and the task fails.
    type: float
  timeout:
    type: int
  lock_timeout:
    description:
      - Seconds to wait if another run is sending on O(interface) or counting on O(rx_interface). Two runs at once would
        spoil both.
      - By default the task fails at once. The error names the processes of the other run.
    version_added: 1.0.0
    type: int
    default: 0
  offloads:
    version_added: 1.0.0
    type: str
    choices: [auto, 'off', keep]
    default: auto
  flow_control:
    version_added: 1.0.0
    type: str
    choices: [auto, 'off', keep]
    default: auto
  tx_ring_size:
    description:
      - Slots of each transmit ring during the run. By default unchanged. Many NICs are reset by a change.
    version_added: 1.0.0
    type: int
  rx_ring_size:
    description:
      - Slots of each receive ring during the run. By default unchanged.
    version_added: 1.0.0
    type: int
  allow_management_interface:
    description:
      - Send even if the host is managed over O(interface). That is the case if the default route, an SSH connection's
        local address or return path, or the host's only global address is on it, on a bond, bridge or VLAN above it, or
        on an interface that leaves through the same port. A connection whose client has vanished counts until TCP
        notices.
    type: bool
    default: false
"""
