# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a user's patch on top of netmap's, with a made-up driver, and the real program patch."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external import patching, releases

KERNEL = "5.14.0-611.5.1.el9_7.x86_64"
SOURCE = {
    "ixgbe/Makefile": "obj-m += ixgbe.o\nixgbe-y := ixgbe_main.o\n",
    "ixgbe/ixgbe_main.c": "".join(f"line {number};\n" for number in range(40)),
    "ixgbe/ixgbe_lib.c": "static int lib;\n",
}
NATIVE = {
    **SOURCE,
    "ixgbe/Makefile": SOURCE["ixgbe/Makefile"]
    .replace("ixgbe.o", "ixgbe$(NETMAP_DRIVER_SUFFIX).o")
    .replace("ixgbe-y", "ixgbe$(NETMAP_DRIVER_SUFFIX)-y"),
    "ixgbe/ixgbe_main.c": SOURCE["ixgbe/ixgbe_main.c"].replace("line 20;\n", "line 20;\nixgbe_netmap_attach();\n"),
}
# Another file, a new one, a line next to netmap's, one that netmap's patch has added, and one far from it.
WANTED = {
    **NATIVE,
    "ixgbe/ixgbe_lib.c": "static int lib = 1;\n",
    "ixgbe/extra.h": "int extra;\n",
    "ixgbe/ixgbe_main.c": NATIVE["ixgbe/ixgbe_main.c"]
    .replace("line 20;\nixgbe_netmap_attach();\n", "line 20, changed;\nif (extra)\n\tixgbe_netmap_attach();\n")
    .replace("line 37;\n", "line 37, changed;\n"),
}


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    """As ``diff -ruN`` writes it."""
    parts = []
    for path, text in after.items():
        old = before.get(path, "")
        parts += difflib.unified_diff(
            old.splitlines(True), text.splitlines(True), f"a/{path}" if old else "/dev/null", f"b/{path}"
        )
    return "".join(parts)


NETMAP_S = difference(SOURCE, NATIVE)
OWN = difference(NATIVE, WANTED)


def unpacked(folder: Path, source: dict[str, str]) -> Path:
    for path, text in source.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


Over = Callable[..., tuple[tuple[str, str], str]]


@pytest.fixture
def over(tmp_path: Path) -> Over:
    """netmap's patch by this version chosen for ixgbe 6.2.6, and this one put on top."""

    def run(
        own: str, by: str = "6.2.6", source: dict[str, str] | None = None, netmap_s: str = NETMAP_S
    ) -> tuple[tuple[str, str], str]:
        patches = tmp_path / "final-patches"
        patches.mkdir()
        (patches / f"intel--ixgbe--{by}").write_text(netmap_s)
        given = tmp_path / "own.patch"
        given.write_text(own)
        folder = unpacked(tmp_path / "source", source or SOURCE)
        driver = {"name": "ixgbe", "version": "6.2.6", "patch": "file:///root/own.patch", "patch_over_netmap": "true"}
        patch, _note = patching.choose(patches, None, driver, KERNEL, folder)
        return patching.over_netmap_s(patches, given, driver, patch, folder)

    return run


@pytest.mark.parametrize("by", ["6.2.6", "6.1.6", "6.3.4"])
def test_an_own_patch_goes_on_top_of_netmap_s(over: Over, tmp_path: Path, by: str) -> None:
    """Applied as netmap's make files do: one run of patch for each."""
    both, note = over(OWN, by)
    assert both == (NETMAP_S, OWN)
    assert note == "The patch given for ixgbe 6.2.6 was applied on top of netmap's."
    folder = unpacked(tmp_path / "made", SOURCE)
    for text in both:
        subprocess.run(["patch", "--quiet", "--force", "-p1"], input=text, text=True, cwd=folder, check=True)
    assert {path: (folder / path).read_text() for path in WANTED} == WANTED
    # And as it was tried.
    assert {path: (tmp_path / "source" / path).read_text() for path in WANTED} == WANTED


def test_netmap_s_patch_is_adapted_first(over: Over, tmp_path: Path) -> None:
    """As to a Makefile with other blank lines."""
    spaced = {**SOURCE, "ixgbe/Makefile": SOURCE["ixgbe/Makefile"].replace(".o\nixgbe", ".o\n\nixgbe")}
    (_first, own), _note = over(OWN, "6.1.6", spaced)
    assert own == OWN
    assert "ixgbe$(NETMAP_DRIVER_SUFFIX).o\n\nixgbe" in (tmp_path / "source/ixgbe/Makefile").read_text()
    assert (tmp_path / "source/ixgbe/ixgbe_main.c").read_text() == WANTED["ixgbe/ixgbe_main.c"]


REMEDIES = {
    "again": "Remove patch, patch_checksum and patch_over_netmap.",
    "already": "Remove patch, patch_checksum and patch_over_netmap, or give what comes on top.",
    "whole": "Take them out of it, or remove patch_over_netmap, so that it is used in place of netmap's.",
    "anew": "patch_over_netmap applies it to the source as netmap's patch left it: make it anew on top of that.",
}


@pytest.mark.parametrize(
    ("own", "says", "remedy"),
    [
        ("no patch", "is no patch in unified form", "as git diff writes it"),
        (OWN.replace("ixgbe/", "i40e/"), "is for i40e/extra.h, i40e/ixgbe_lib.c", "it must be for this driver"),
        (OWN.replace("line 18;", "line 0;"), "does not fit ixgbe/ixgbe_main.c: ", REMEDIES["anew"]),
        # Made on the archive's source, and about lines that netmap's patch changes.
        (
            difference(SOURCE, {"ixgbe/Makefile": SOURCE["ixgbe/Makefile"] + "ixgbe-y += extra.o\n"}),
            "does not fit ixgbe/Makefile: ",
            REMEDIES["anew"],
        ),
        (NETMAP_S, "is netmap's whole patch again", REMEDIES["again"]),
        # A part of it, and one that stands at other lines.
        (
            difference(SOURCE, {"ixgbe/ixgbe_main.c": NATIVE["ixgbe/ixgbe_main.c"]}),
            "is in netmap's patch or the archive already",
            REMEDIES["already"],
        ),
        # netmap's and more, which is made to be used in place of it.
        (difference(SOURCE, WANTED), "does not fit", REMEDIES["whole"]),
        (OWN + OWN, "does not fit what it has itself changed before: ", "A part of it is there twice"),
        (
            difference(NATIVE, {"ixgbe/Makefile": SOURCE["ixgbe/Makefile"]}),
            "takes netmap's $(NETMAP_DRIVER_SUFFIX) out of ixgbe/Makefile",
            "it must leave that there",
        ),
        (
            difference(NATIVE, {"ixgbe/ixgbe_main.c": SOURCE["ixgbe/ixgbe_main.c"]}),
            "takes netmap's call of netmap_attach out of ixgbe",
            "it must leave that there",
        ),
    ],
)
def test_what_cannot_go_on_top_of_netmap_s(over: Over, own: str, says: str, remedy: str) -> None:
    with pytest.raises(TrafficgenError) as error:
        over(own)
    said = error.value.message
    assert said.startswith("netmap_external_drivers: the patch given for ixgbe 6.2.6 (file:///root/own.patch) ")
    assert says in said and remedy in said


def test_what_fits_elsewhere_is_no_second_time_there(over: Over) -> None:
    """The same lines stand twice: what netmap's patch has added at the first fits the second as well."""
    source = {**SOURCE, "ixgbe/ixgbe_main.c": SOURCE["ixgbe/ixgbe_main.c"] * 2}
    main = source["ixgbe/ixgbe_main.c"].replace("line 20;\n", "line 20;\nixgbe_netmap_attach();\n", 1)
    netmap_s = difference(source, {**NATIVE, "ixgbe/ixgbe_main.c": main})
    with pytest.raises(TrafficgenError, match="is in netmap's patch or the archive already"):
        over(difference(source, {"ixgbe/ixgbe_main.c": main}), source=source, netmap_s=netmap_s)


def test_netmap_s_patch_has_a_part_twice(over: Over) -> None:
    with pytest.raises(TrafficgenError, match=r"on which the patch given goes, does not fit: .* without patch_over_"):
        over(OWN, "6.1.6", netmap_s=NETMAP_S + NETMAP_S)


@pytest.mark.parametrize("value", [True, "yes", "True", 1])
def test_words_for_true(value: object) -> None:
    assert releases.goes_over_netmap_s({"patch_over_netmap": value})


@pytest.mark.parametrize("driver", [{}, {"patch_over_netmap": False}, {"patch_over_netmap": "no"}])
def test_words_for_false(driver: dict[str, object]) -> None:
    assert not releases.goes_over_netmap_s(driver)


def test_netmap_s_patch_has_to_fit_under_it() -> None:
    """What is known of that is said as without a patch of one's own; not that the release is too old for the kernel."""
    ice = {"name": "ice", "version": "2.6.6", "patch": "file:///x.patch"}
    settings = {"missing_drivers": "fail", "version": releases.NETMAP}
    assert releases.release_problems({**settings, "external_drivers": [ice]}, KERNEL) == []
    over = {**ice, "patch_over_netmap": True}
    (said,) = releases.release_problems({**settings, "external_drivers": [over]}, KERNEL)
    assert "none of its patches" in said
    assert releases.patch_note(ice) == ""
    assert "none for another version fits" in releases.patch_note(over)
    old = {"name": "ixgbe", "version": "6.1.6", "patch": "file:///x.patch", "patch_over_netmap": True}
    assert releases.release_problems({**settings, "external_drivers": [old]}, KERNEL) == []
