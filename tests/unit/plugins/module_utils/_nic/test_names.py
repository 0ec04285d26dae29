# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import (
    LONGEST,
    check_interface,
    check_netns,
)


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "--help",
        "-i",
        "a b",
        "a\nb",
        "a\u00a0b",
        "a/b",
        "a:b",
        "a%d",
        "a\0b",
        "a\x1bb",
        "",
        ".",
        "..",
        "netmap:a",
        "a" * 16,
        "ü" * 8,
        "a\udcff",
    ],
)
def test_what_is_no_interface_to_the_kernel_or_to_a_program(name):
    with pytest.raises(TrafficgenError, match=r"^interface .*: not a name of an interface\. .* 15 bytes"):
        check_interface(name, "interface", LONGEST)


@pytest.mark.parametrize(
    "name", ["$(id)", "`id`", ";reboot", "|a&", "q'q", 'a"b', "a\\b", "{{7*7}}", "ü" * 7, "a*", "#", "~", "a" * 15]
)
def test_odd_names_that_the_kernel_takes(name):
    assert check_interface(name, "interface", LONGEST) == name


def test_an_alternative_name_may_be_longer():
    assert check_interface("enp" + "0" * 124) == "enp" + "0" * 124
    with pytest.raises(TrafficgenError, match="127 bytes"):
        check_interface("enp" + "0" * 125)


def test_names_of_network_namespaces():
    assert (check_netns("lab 1"), check_netns(None)) == ("lab 1", None)
    for name in ("", ".", "..", "-all", "../init", "a/b", "a\nb"):
        with pytest.raises(TrafficgenError, match=r"^rx_netns .*: not a name of a network namespace"):
            check_netns(name, "rx_netns")
