# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_junit``: a result as JUnit XML."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_junit
short_description: Write a throughput result as JUnit XML
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Turns a result into test cases for CI systems, one for each trial, search and criterion.
requirements:
  - junitparser (Python library, on the controller)
positional: _input
options:
  _input:
    description: The result.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write it
  ansible.builtin.copy:
    content: "{{ result | wirespeed.trafficgen.throughput_junit }}"
    dest: junit.xml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The XML.
  type: str
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_junit(result: Any) -> str:
    """The result as JUnit XML."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.junit import junit

    return junit(result)


FilterModule = filter_module(throughput_junit)
