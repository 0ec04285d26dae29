# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``tcpreplay_stats``: a saved log of tcpreplay as data."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tcpreplay_stats
short_description: Turn what tcpreplay printed into data
version_added: 0.1.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Reads a saved log of one run of tcpreplay 4.0 or later, and returns its figures, by the same code as the module
    M(wirespeed.trafficgen.tcpreplay).
  - Standard output and error may be mixed, even within a line. Indentation may be lost, line ends and terminal escape
    sequences do not matter, and there may be other text.
  - Another tool may have quoted the log, such as C(ansible-playbook -v), a container's log in JSON, the system's
    journal, a table or an HTML page. If it cannot be read completely, for example because of thousands separators, it
    is an error.
  - Lines of several runs are an error, even if interleaved as by C(docker compose logs). They are recognised by lines
    that a run prints once, by counts and times that fall, and by prefixes such as a host's or a container's name.
  - A log of tcpreplay 3 is an error that says so.
positional: _input
options:
  _input:
    description: The log, as text or as a list of its lines.
    type: raw
    required: true
seealso:
  - plugin: wirespeed.trafficgen.stats_query
    plugin_type: filter
  - plugin: wirespeed.trafficgen.reconcile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the rate off a log
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', 'run.log') | wirespeed.trafficgen.tcpreplay_stats).pps }}"

- name: Run it by hand, and have the figures
  ansible.builtin.command:
    argv: [tcpreplay, --intf1=ens17, --topspeed, /var/lib/trafficgen/capture.pcap]
  register: run
  changed_when: true

- name: Show what was retried
  ansible.builtin.debug:
    msg: "{{ (run.stdout | wirespeed.trafficgen.tcpreplay_stats).devices | map(attribute='retried_enobufs') | sum }}"
"""

RETURN = r"""
_value:
  description:
    - The figures as tcpreplay printed them. A figure that it did not print is null.
    - A log without figures is an error, and so is a log that can be recognised as that of several runs.
  type: dict
  contains:
    packets:
      description: Packets handed to the socket or ring. After an interrupt it may be one more than the devices count.
      type: int
    bytes:
      description: Their bytes, as in the pcap.
      type: int
    seconds:
      description: How long it took. From a second on it has only two decimals, so do not calculate the rate from it.
      type: float
    bytes_per_second:
      description: The rate in bytes.
      type: float
    mbps:
      description: The rate in 10^6 bits a second, of the bytes in the pcap, truncated, not rounded.
      type: float
    pps:
      description: The rate in packets a second.
      type: float
    flows:
      description: How many flows there were. Like all figures of flows null without a line C(Flows:).
      type: int
    flows_per_second:
      description: The flows divided by the time.
      type: float
    flow_packets:
      description: Packets that belong to a flow. Since tcpreplay 4.4.3, a preloaded file counts once, however often it
        was sent.
      type: int
    non_flow_packets:
      description: Packets that belong to no flow, such as ARP.
      type: int
    flows_unique:
      description: Only with C(--flow-expiry).
      type: int
    flows_expired:
      description: Only with C(--flow-expiry).
      type: int
    failed_write_attempts:
      description: Writes that failed and were tried again.
      type: int
    interrupted:
      description: Whether somebody stopped the run. tcpreplay's exit status does not tell.
      type: bool
    devices:
      description: One entry for each interface, in the order of the log.
      type: list
      elements: dict
      contains:
        interface:
          description: Its name.
          type: str
        successful_packets:
          description: Packets it took.
          type: int
        failed_packets:
          description: Packets it refused.
          type: int
        truncated_packets:
          description: Packets it took a part of.
          type: int
        retried_enobufs:
          description: How often its queue was full. A packet may count many times.
          type: int
        retried_eagain:
          description: How often it asked to try again. A packet may count many times.
          type: int
    samples:
      description:
        - What C(--stats) printed during the run, with the figures from RV(_value.packets) to RV(_value.pps), counted
          from the start.
        - A killed run prints no total. Its last sample is taken as the total.
      type: list
      elements: dict
    reason:
      description:
        - Empty, or why the log may be that of several runs. If only the lines C(Actual:) and C(Rated:) are left, more
          than once, it may be one run with C(--stats) or several runs. It is read as one, and this says so.
      version_added: 1.0.0
      type: str
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module

SEVERAL = (
    "Whether this is one run and its samples, or several runs, is not known: the log has no line `Test start:` or `Test"
    " complete:`, which --stats prints. Taken for one run."
)


def tcpreplay_stats(log: Any) -> dict[str, Any]:
    """The ``stats`` tree of a log."""
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.output import read_log

    text = "\n".join(log) if isinstance(log, (list, tuple)) and all(isinstance(line, str) for line in log) else log
    if not isinstance(text, str):
        raise TrafficgenError(f"takes a log as text or as a list of lines, not {type(log).__name__}")
    found = read_log(text)
    if found.stats["packets"] is None:
        raise TrafficgenError(
            "no statistics of tcpreplay 4 in this log (`Actual:` and `Rated:`)",
            remedy="It prints none where it sent nothing.",
        )
    return {**found.stats, "reason": "" if found.one_run else SEVERAL}


FilterModule = filter_module(tcpreplay_stats)
