#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the result and the reports of a throughput test. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_report
short_description: Write the result of a throughput test and its reports, each by itself
version_added: 0.2.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Of the record in O(folder), see M(wirespeed.trafficgen.throughput_record), it writes C(result.json) before anything
    else. Then the criteria are judged, the result is written again with their answers, and each report is made. What
    cannot be made does not keep the others from being written, and is told.
  - With O(results), it reports on one result, also of a test that was broken off, or compares several.
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
    description: The controller's folder to write to, and without O(results) the one with the record.
    type: path
    required: true
  results:
    description: Result files, or folders of tests. The others are held against the first.
    type: list
    elements: path
  kinds:
    description: Which reports to write, of V(html), V(markdown) and V(junit).
    type: list
    elements: str
    default: []
requirements:
  - pygal for V(html), junitparser for V(junit), jmespath for criteria, MLRsearch for a search (Python libraries, on the
    controller)
notes:
  - It runs on the controller, as who runs C(ansible-playbook), and does nothing on the host.
seealso:
  - module: wirespeed.trafficgen.throughput_record
  - plugin: wirespeed.trafficgen.throughput_html
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Report on a test that was broken off
  wirespeed.trafficgen.throughput_report:
    results: [trafficgen-results/first]
    folder: /tmp/so-far
    kinds: [markdown]
"""

RETURN = r"""
written:
  description: The names of the files that were written.
  returned: success
  type: list
  elements: str
problems:
  description: A sentence for each report that could not be made.
  returned: success
  type: list
  elements: str
seconds:
  description: How long the test took.
  returned: without O(results)
  type: float
trial_seconds:
  description: The trials' own time.
  returned: without O(results)
  type: float
notes:
  description: The result's notes.
  returned: without O(results)
  type: list
  elements: str
failures:
  description: What makes the test fail.
  returned: without O(results)
  type: list
  elements: str
passed:
  description: Whether the test passed.
  returned: without O(results)
  type: bool
"""
