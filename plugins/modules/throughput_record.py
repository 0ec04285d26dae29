#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the record of a throughput test's trials. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_record
short_description: Keep the trials of a throughput test on the controller
version_added: 0.2.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Writes the record of a test of the role P(wirespeed.trafficgen.throughput#role), C(trials.jsonl), a line of JSON for
    each trial, at once and synced, when the trial has been made. So at most the trial under way is lost by whatever
    ends the test.
  - The role's result is made of it by M(wirespeed.trafficgen.throughput_report).
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
      - Begin a record with all that is known before the first trial, as the role gathers it.
      - One of an unfinished test that is there already is renamed, and any other replaced.
    type: dict
  resume:
    description: Go on with the record that is there, which is refused where O(plan) is another than the one in it.
    type: bool
    default: false
  trial:
    description: Add a trial, as P(wirespeed.trafficgen.throughput_trial#filter) makes it.
    type: dict
  step:
    description: Of a trial of a search its C(asked_pps) and C(duration).
    type: dict
  broke:
    description: Add that the test has come to its end, with why hosts ended early, by their names.
    type: dict
notes:
  - It runs on the controller, as who runs C(ansible-playbook), and does nothing on the host.
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
    trials.
  returned: with O(plan)
  type: list
  elements: dict
"""
