#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the result and the reports of a throughput test. What it does is in the action plugin of its name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_report
short_description: Write the result of a throughput test and its reports
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Reads the record in O(folder), see M(wirespeed.trafficgen.throughput_record), and writes C(result.json) before
    anything else. Then it judges the criteria, writes the result again with their answers, and makes each report. A
    report that cannot be made is returned as a problem and does not stop the others.
  - With O(results), it reports on one result, also of an interrupted test, or compares several.
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
    description: Result files, or folders of tests. The others are compared with the first.
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
  - Runs on the controller, as the user of C(ansible-playbook), and does nothing on the host.
seealso:
  - module: wirespeed.trafficgen.throughput_record
  - plugin: wirespeed.trafficgen.throughput_html
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Report on a test that was broken off
  wirespeed.trafficgen.throughput_report:
    results: [result.json]
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
