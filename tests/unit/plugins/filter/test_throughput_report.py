# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filters throughput_html and throughput_markdown: their input and output."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter import throughput_html, throughput_markdown

FILTERS = {
    name: functools.partial(one, None)
    for module in (throughput_html, throughput_markdown)
    for name, one in module.FilterModule().filters().items()
}
RESULT = json.loads((Path(__file__).parents[3] / "fixtures" / "throughput" / "search.json").read_text(encoding="utf-8"))


class AnsibleText(str):
    """Like Ansible's own strings: a subclass of ``str``."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("name", "begin"), [("throughput_html", "<!DOCTYPE html>\n"), ("throughput_markdown", "# Search on 10G\n")]
)
def test_one_and_several(name, begin):
    text = FILTERS[name](RESULT)
    assert text.startswith(begin)
    assert FILTERS[name]([RESULT]) == FILTERS[name]((RESULT,)) == text
    assert "2 results side by side" in FILTERS[name]([RESULT, RESULT])
    assert FILTERS[name]({**RESULT, "name": AnsibleText(RESULT["name"])}) == text


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("value", [None, "text", 7, [], {"schema": "x"}, [RESULT, {}]])
def test_what_is_no_result(name, value):
    with pytest.raises(AnsibleFilterError, match=rf"^{name}: .*result"):
        FILTERS[name](value)
