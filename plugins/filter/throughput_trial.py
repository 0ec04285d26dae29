# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_trial``: one trial of a result."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_trial
short_description: Make a trial of the result from what the modules returned
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Makes one trial of a result from what M(wirespeed.trafficgen.tcpreplay) returned, successful or not, and from a
    receiver's counters.
positional: _input, ran
options:
  _input:
    description: The trial, as P(wirespeed.trafficgen.throughput_plan#filter) has it.
    type: dict
    required: true
  ran:
    description: The registered result of M(wirespeed.trafficgen.tcpreplay).
    type: dict
  host:
    description: The sending host's name in the inventory.
    type: str
    default: ""
  traffic:
    description: All the host's traffic, with its sizes.
    type: list
    elements: dict
    default: []
  start_at:
    description: When it was to start, by the controller's clock, in seconds since the epoch.
    type: float
  offset:
    description: The host's clock minus the controller's, in seconds.
    type: float
    default: 0
  receiver:
    description: The receiver, with its C(kind), one of C(none), C(local), C(remote), C(command), and C(taken) where the
      run that has taken the receiving port counts there.
    type: dict
  before:
    description: The registered result of the receiver's counters before the trial. Of C(taken), that run's
      C(arrivals.before).
    type: dict
  after:
    description: The same after it (C(arrivals.after)).
    type: dict
  receive_wait:
    description: The seconds without a frame after which the wait for the receiver ended.
    type: float
  marks:
    description:
      - Of the receiver of marks, C(max_pps), the rate up to which it looks at each number, with the port's
        C(link_speed_mbps) and C(workers); and C(before) and C(after), the registered results of starting and of asking
        it.
    type: dict
  taken:
    description: Whether another sender took the receiving port for itself, by netmap or zero copy. The port's MAC
      counts then, and without one the loss is unknown.
    type: bool
    default: false
  of:
    description: How many trials there are, for the line.
    type: int
"""

EXAMPLES = r"""
- name: Say what came of a trial
  ansible.builtin.debug:
    msg: "{{ (item | wirespeed.trafficgen.throughput_trial(sent, host='gen1', traffic=sizes)).line }}"
"""

RETURN = r"""
_value:
  description:
    - C(trial), as in the result file; C(title) and C(line), what it is and what came of it, for the screen; C(missing),
      whether frames may still be under way; C(listen), how the receiver of marks is to.
  type: dict
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_trial(
    item: Any, ran: Any = None, *, host: str = "", traffic: Any = (), of: int | None = None, **options: Any
) -> dict[str, Any]:
    """The trial, and a line that tells of it."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.marks import listening
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import (
        line,
        missing,
        title,
        trial,
    )

    known = next((one for one in traffic if one["name"] == item["traffic"]), {"name": item["traffic"]})
    made = trial(item, ran, host=host, traffic=known, **options)
    what = title(item, item["traffic"], of)
    return {
        "trial": made,
        "title": what,
        "line": line(made, what),
        "missing": missing(made, options.get("receiver")),
        "listen": listening(item, known, options.get("marks")),
    }


FilterModule = filter_module(throughput_trial, "throughput")
