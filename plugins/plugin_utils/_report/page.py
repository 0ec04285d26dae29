# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a filter was given to the page: one result, or a comparison of several. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.comparison import compare_page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.one_result import result_page


def page(value: Any) -> Page:
    """The page of a result, or of a list of them.

    :raises TrafficgenError: something in it is no result of schema 1.
    """
    if isinstance(value, (Mapping, str, bytes)) or not isinstance(value, Sequence):
        return result_page(value)
    if not value:
        raise TrafficgenError("nothing to report: the list of results is empty", on="the result")
    return result_page(value[0]) if len(value) == 1 else compare_page(value)
