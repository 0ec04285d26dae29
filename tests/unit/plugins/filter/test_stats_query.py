# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter stats_query."""

from __future__ import annotations

import collections
import functools
import sys

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter import stats_query as module

stats_query = functools.partial(module.FilterModule().filters()["stats_query"], None)
RESULTS = [
    {"stats": {"pps": 100.5}, "counters": {"verdict": "consistent"}, "run": {"command": "a"}},
    {"stats": {"pps": 300.5}, "counters": {"verdict": "unknown"}, "run": {"command": "b"}},
]


class Text(str):
    """A string of another class, as Ansible's are."""

    __slots__ = ()


def test_query():
    pytest.importorskip("jmespath")
    assert stats_query(RESULTS, "[].stats.pps") == [100.5, 300.5]
    assert stats_query(RESULTS, "max_by(@, &stats.pps).run.command") == "b"
    assert stats_query(RESULTS, "[?counters.verdict == 'consistent'].run.command") == ["a"]
    assert stats_query(RESULTS[0], "stats.nothing") is None


def test_data_of_other_classes():
    pytest.importorskip("jmespath")
    data = collections.UserDict({"name": Text("veth0"), "names": (Text("a"), Text("b"))})
    assert stats_query(data, Text("join('-', names)")) == "a-b"
    assert stats_query(data, "starts_with(name, 'veth')") is True


@pytest.mark.parametrize("expression", ["[?", "", "nosuch(@)", "length(`1`)", "sort_by(@, stats.pps)", "a b"])
def test_bad_expression(expression):
    pytest.importorskip("jmespath")
    with pytest.raises(AnsibleFilterError, match=r"stats_query: .*jmespath\.org"):
        stats_query(RESULTS, expression)


def test_no_expression():
    pytest.importorskip("jmespath")
    with pytest.raises(AnsibleFilterError, match="is a string, not int"):
        stats_query(RESULTS, 1)


def test_without_jmespath(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(AnsibleFilterError, match="pip install jmespath"):
        stats_query(RESULTS, "[]")
