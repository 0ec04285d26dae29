#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the record of a throughput test's trials. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_record
short_description: Keep the trials of a throughput test on the controller
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Writes C(trials.jsonl), the record of a test of the role P(wirespeed.trafficgen.throughput#role). Each finished
    trial is one line of JSON, written and synced at once, so that at most the trial under way is lost.
  - M(wirespeed.trafficgen.throughput_report) makes the result from it.
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
  platform:
    support: full
options:
  folder:
    description: The controller's folder that the record is in.
    type: path
    required: true
  plan:
    description:
      - Start a record with everything that is known before the first trial, as the role collects it.
      - An existing record of an unfinished test is renamed, any other is replaced.
    type: dict
  resume:
    description: Continue the existing record. Refused if O(plan) differs from the one in it.
    type: bool
    default: false
  sends:
    description:
      - With O(resume), whether trials are made. If not, only the criteria of O(plan) are taken over, for reports of
        what is there.
    type: bool
    default: true
  trial:
    description: Add a trial, as P(wirespeed.trafficgen.throughput_trial#filter) makes it.
    type: dict
  step:
    description: For a trial of a search, its C(asked_pps) and C(duration).
    type: dict
  broke:
    description: Mark the test as complete, with the reason for each host that ended early. Nothing is added to a test
      that is complete already.
    type: dict
notes:
  - Runs on the controller, as the user of C(ansible-playbook), and does nothing on the host.
seealso:
  - module: wirespeed.trafficgen.throughput_report
"""

EXAMPLES = r"""
- name: Keep a trial
  wirespeed.trafficgen.throughput_record:
    folder: /var/lib/results/first
    trial: "{{ outcome.trial }}"
"""

RETURN = r"""
todo:
  description: The planned trials that are still to be made, as P(wirespeed.trafficgen.throughput_plan#filter) has them.
  returned: with O(plan)
  type: list
  elements: dict
made:
  description: How many trials are there already.
  returned: with O(plan)
  type: int
plan:
  description: The plan without its trials, as P(wirespeed.trafficgen.throughput_plan#filter) has it.
  returned: with O(plan)
  type: dict
put_aside:
  description: The new name of the record of an unfinished test that was there, empty where there was none.
  returned: with O(plan)
  type: str
steps:
  description: Of each search that has trials already C(host), C(traffic), C(injection_method) and C(measured), its
    trials. C(host) is empty for a search over all hosts, whose trials all of them have made.
  returned: with O(plan)
  type: list
  elements: dict
"""
