# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/known: what is refused before anything is fetched."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external import releases
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    REPO,
    external,
)

EL9_6, EL9_7, EL9_8 = (f"5.14.0-{build}.x86_64" for build in ("570.17.1.el9_6", "611.5.1.el9_7", "700.1.1.el9_8"))


@pytest.mark.parametrize(
    ("name", "version", "kernel", "says"),
    [
        ("ixgbe", "6.1.6", EL9_6, ""),
        ("ixgbe", "6.1.6", EL9_7, "the first release for EL 9.7 is 6.3.4"),
        ("ixgbe", "6.3.4", EL9_7, ""),
        ("ixgbe", "6.3.4", EL9_8, "the first release for EL 9.8 is 6.4.4"),
        # Not tried, and so not refused: as text, 10 is less than 9.
        ("ixgbe", "6.10.1", EL9_7, ""),
        # A kernel that names no minor version, as CentOS Stream's, Debian's, or a minor older than the table.
        ("ixgbe", "5.0.4", "5.14.0-611.el9.x86_64", ""),
        ("ixgbe", "6.1.6", "6.1.0-56-amd64", ""),
        ("i40e", "2.28.9", "5.14.0-362.8.1.el9_3.x86_64", ""),
        # The table knows 9.4 and 9.6 of ixgbe: for 9.5 what is older than the one for 9.4 is.
        ("ixgbe", "5.19.6", KERNEL, "the first release for EL 9.4 is 5.20.10"),
        ("ixgbe", "5.20.10", KERNEL, ""),
        ("i40e", "2.28.15", EL9_7, "Set version (and url, checksum) to 2.28.16."),
        ("ice", "2.3.15", EL9_7, "Set version (and url, checksum) to 2.4.5 or 2.5.4."),
        ("ice", "2.6.4", EL9_7, "none of its patches for older versions fits the C code. Set version"),
        ("igb", "5.18.7", "6.1.0-56-amd64", ""),
        ("igb", "5.19.4", EL9_7, "the first release for EL 9.7 is 5.19.10"),
        ("igb", "5.19.10", EL9_7, ""),
        ("ixgbevf", "5.2.2", "6.1.0-56-amd64", "Set version (and url, checksum) to 5.1.3 or 5.1.4 or 5.1.5."),
        # Nothing that netmap has a patch for would do.
        ("ice", "2.5.4", EL9_8, "the first release for EL 9.8 is 2.6.6"),
    ],
)
def test_a_driver_for_the_kernel_s_el(name: str, version: str, kernel: str, says: str) -> None:
    found = releases.release_problems(external(name, version), kernel)
    assert len(found) == bool(says) and says in "".join(found)
    # A patch of the user's own may mend what is missing, and with "warn" it is left out if it does not build.
    assert releases.release_problems(external(name, version, patch="file:///x.patch"), kernel) == []
    assert releases.release_problems({**external(name, version), "missing_drivers": "warn"}, kernel) == []


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("i40e", "2.28.15", "Set version (and url, checksum) to 2.28.16. "),
        ("i40e", "2.28.16", ""),
        ("ice", "2.2.9", "Set version (and url, checksum) to 2.3.15 or 2.4.5 or 2.5.4. "),
        ("ice", "2.3.10", ""),
        ("ixgbe", "6.1.6", ""),
    ],
)
def test_a_driver_that_needs_what_the_headers_no_longer_have(name: str, version: str, says: str) -> None:
    """As Debian's 6.12.117, on which i40e 2.28.13 and ice 2.2.9 did not compile, and ice 2.4.5 did."""
    wanted = external(name, version)
    found = "".join(releases.release_problems(wanted, "6.12.117+deb12-amd64", may_sleep=False))
    assert bool(found) == bool(says) and says in found
    assert releases.release_problems(wanted, "6.12.117+deb12-amd64") == []


def test_a_version_is_not_advised_that_was_just_refused() -> None:
    """Seen with a netmap that had no patch for it, on Debian's kernel."""
    assert "5.18.7" in releases.would_do("igb", "6.1.0-57-amd64")
    said = releases.would_do("igb", "6.1.0-57-amd64", refused="5.18.7")
    assert said == "The netmap that is netmap_version's default has a patch for 5.18.7. "
    assert releases.would_do("igb", "6.1.0-57-amd64", refused="5.19.10").startswith("Set version")


def test_what_is_known_of_a_patch_is_of_one_netmap() -> None:
    driver = {"name": "ice", "version": "2.6.6"}
    assert releases.patch_note(driver) == "netmap has no patch for ice 2.6.6, and none for another version fits."
    assert releases.patch_note(driver, "1" * 40).startswith("Nobody has tried")
    assert releases.patch_note({"name": "ixgbe", "version": "6.1.6"}, "1" * 40).startswith("Nobody has tried")


def test_no_version_is_recommended_that_is_refused() -> None:
    for kernel in (KERNEL, EL9_6, EL9_7):
        for name in ("ixgbe", "i40e", "ice"):
            said = releases.would_do(name, kernel)
            versions = [one.version for one in releases.RELEASES if one.driver == name and f" {one.version}" in said]
            assert versions and [releases.release_problems(external(name, one), kernel) for one in versions] == [
                []
            ] * len(versions)


def test_the_table_is_in_order_and_each_row_has_a_source() -> None:
    for name in {one.driver for one in releases.RELEASES}:
        rows = [one for one in releases.RELEASES if one.driver == name]
        assert [releases.number(one.version) for one in rows] == sorted({releases.number(one.version) for one in rows})
        minors = [releases.number(one.el) for one in rows if one.el]
        assert minors == sorted(set(minors))
    assert all(one.source.startswith("https://") for one in releases.RELEASES)


def test_the_table_is_of_the_netmap_that_the_role_builds() -> None:
    assert f"netmap_version: {releases.NETMAP}\n" in (REPO / "roles/netmap/defaults/main.yml").read_text()


def test_the_readme_s_table_is_of_this_one() -> None:
    drivers = "ixgbe|ixgbevf|i40e|ice|igb"
    rows = re.findall(rf"^\| `({drivers})` .*$", (REPO / "roles/netmap/README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted({one.driver for one in releases.RELEASES})
    for row in re.finditer(rf"^\| `({drivers})` (.*)$", (REPO / "roles/netmap/README.md").read_text(), re.MULTILINE):
        known = {one.version: one for one in releases.RELEASES if one.driver == row[1]}
        for el, cell in zip(("9.6", "9.7", "9.8"), row[2].split("|")[1:]):
            for version in re.findall(r"\d+\.\d+\.\d+", cell.partition(":")[0]):
                assert releases.release_problems(external(row[1], version), f"5.14.0-1.el{el.replace('.', '_')}") == []
                assert known[version].patch or "not tried" in cell


def test_the_readme_s_example_builds_on_the_newest_el_there_is_a_patch_for() -> None:
    text = (REPO / "roles/netmap/README.md").read_text()
    example = text[text.index("netmap_external_drivers:\n") :].split("```")[0].split()
    name, version = (example[example.index(key) + 1] for key in ("name:", "version:"))
    assert releases.release_problems(external(name, version), EL9_7) == []
