# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter as_type. The expected values are what Ansible makes of a module option of that type."""

from __future__ import annotations

import functools

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.wirespeed.trafficgen.plugins.filter.as_type import FilterModule

as_type = functools.partial(FilterModule().filters()["as_type"], None)


@pytest.mark.parametrize(
    ("of_type", "values"),
    [
        (
            "bool",
            [True, False, "true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0", 1, 0, "True", "NO"],
        ),
        ("int", [5000, "5000", "-1", "0"]),
        ("float", [0.5, "0.5", "1", 3, "1e3"]),
        ("list", [[], ["a"], ["a", "b,c"], "a,b", "a", 5, "5"]),
    ],
)
def test_it_makes_what_a_module_gets(of_type, values):
    for value in values:
        checked = ArgumentSpecValidator({"option": {"type": of_type}}).validate({"option": value})
        assert not checked.error_messages
        made = as_type(value, of_type)
        assert made == checked.validated_parameters["option"] and type(made) is type(
            checked.validated_parameters["option"]
        )


def test_blanks_and_nothing_are_no_words():
    assert as_type("", "list") == []
    assert as_type(" a, b ,", "list") == ["a", "b"]


@pytest.mark.parametrize("of_type", ["bool", "int", "float", "list"])
def test_null_stays_null(of_type):
    assert as_type(None, of_type) is None


@pytest.mark.parametrize(
    ("value", "of_type"), [("maybe", "bool"), ("many", "int"), ("", "float"), ({}, "list"), ("a", "str")]
)
def test_what_cannot_be_converted(value, of_type):
    with pytest.raises(AnsibleFilterError, match="as_type: "):
        as_type(value, of_type)
