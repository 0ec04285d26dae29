# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``throughput_markdown``: results of the role throughput as a report in Markdown."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_markdown
short_description: Make a report in Markdown of results of the role throughput
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Makes a report of one result of the role P(wirespeed.trafficgen.throughput#role), or a comparison of several.
  - It has the same tables as the HTML report, and words in place of the charts.
  - Each figure is the median of the repeats, with the lowest and the highest. A dash is an unknown figure, with the
    reason.
  - A rate whose verdict is V(short) or V(impossible) is struck through and gives no gain.
  - In a comparison, the others are compared with the first result. A difference is marked only if the ranges of the
    repeats do not touch and each side has at least two.
positional: _input
options:
  _input:
    description: A result as in the role's result file, of schema version 1, or a list of them for a comparison.
    type: raw
    required: true
seealso:
  - plugin: wirespeed.trafficgen.throughput_html
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the report of a result
  ansible.builtin.copy:
    content: "{{ lookup('ansible.builtin.file', 'result.json') | from_json | wirespeed.trafficgen.throughput_markdown
      }}"
    dest: report.md
    mode: "0644"

- name: Write a comparison, before and after a kernel update
  ansible.builtin.copy:
    content: "{{ results | wirespeed.trafficgen.throughput_markdown }}"
    dest: comparison.md
    mode: "0644"
  vars:
    results:
      - "{{ lookup('ansible.builtin.file', 'before.json') | from_json }}"
      - "{{ lookup('ansible.builtin.file', 'after.json') | from_json }}"
"""

RETURN = r"""
_value:
  description: The report, the text of a file in Markdown.
  type: str
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def throughput_markdown(value: Any) -> str:
    """The report of a result, or of a list of them, in Markdown."""
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page

    return to_markdown(page(value))


FilterModule = filter_module(throughput_markdown)
