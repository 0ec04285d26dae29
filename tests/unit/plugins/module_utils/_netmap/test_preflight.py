# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what the role netmap says before it fetches or builds anything."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import NETMAP
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import program, source
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    external,
    set_up,
    settings,
    write,
)

EL9_7 = "5.14.0-611.5.1.el9_7.x86_64"


def test_a_problem_is_said_before_anything_is_fetched(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host.path(f"/lib/modules/{EL9_7}/kernel").mkdir(parents=True)
    wanted = {**external("ixgbe", "6.1.6"), "kernels": [EL9_7]}
    monkeypatch.setattr(program, "fetch", lambda *_: pytest.fail("it fetched"))
    for check in (True, False):
        with pytest.raises(TrafficgenError, match=r"ixgbe 6\.1\.6 is too old for kernel 5\.14\.0-611"):
            set_up(host, wanted, check=check)


@pytest.mark.parametrize("place", [f"/usr/src/kernels/{KERNEL}", f"/lib/modules/{KERNEL}/source"])
def test_what_a_driver_needs_is_looked_for_in_the_headers(host: Any, place: str) -> None:
    """EL has them in one folder, Debian those that its kernels share in another."""
    wanted = external("i40e", "2.28.13")
    header = host.path(f"{place}/include/net/udp_tunnel.h")
    for text, says in (("", ""), ("UDP_TUNNEL_NIC_INFO_MAY_SLEEP = 1,\n", ""), ("enum other;\n", "MAY_SLEEP, which")):
        write(header, text)
        found = "".join(program.status(host, wanted)["problems"])
        assert ("MAY_SLEEP" in found) == bool(says) and says in found


def test_a_tag_of_netmap_that_no_kernel_here_takes() -> None:
    old = "6d3a00936a7dfae50d97b9f90d5f05bff235c86c"
    assert "v13.0, of 2019) does not compile on kernel 6.1.0" in source.netmap_problem(old, "6.1.0-56-amd64")
    assert source.netmap_problem(old, "4.18.0-553.el8_10.x86_64") == ""
    assert source.netmap_problem(NETMAP, "6.1.0-56-amd64") == ""
    assert "does not compile on kernel 7.3.4+deb13-amd64" in source.netmap_problem(NETMAP, "7.3.4+deb13-amd64")
    assert source.netmap_problem("a" * 40, "7.3.4+deb13-amd64") == ""


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("#define NETMAP_API 14\n", ""),
        ("#define\tNETMAP_API\t11\t\t/* current API version */\n", ""),
        ("#define NETMAP_API 10\n", "version 10 of netmap's API"),
        ("#define NETMAP_API 15\n", "The collection's modules speak versions 11 to 14"),
        ("#define NETMAP_MIN_API 14\n", "has no NETMAP_API"),
        ("", "has no NETMAP_API"),
    ],
)
def test_the_api_of_a_checkout(header: str, says: str) -> None:
    found = source.api_problem("0" * 40, header)
    assert says in found and bool(says) == bool(found)


def test_nothing_is_built_of_a_netmap_with_another_api(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "API_VERSIONS", (16, 15))
    with pytest.raises(
        TrafficgenError, match=r"netmap_version: [0-9a-f]{40} has version 14 .* speak versions 15 to 16"
    ):
        built()
    assert not (host.build_folder(KERNEL) / "configure.log").exists()


def test_what_to_expect_of_a_build(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    wanted = {**external("i40e", "2.28.13"), "jobs": 2}
    notes = program.outlook(host, wanted, [KERNEL, "5.14.0-1"])
    assert notes == [
        "netmap has no patch for i40e 2.28.13. One for another version fits.",
        "Building takes about 2 min for each kernel (estimated for 2 CPUs; under emulation up to 40 times that).",
    ]
    # netmap alone, on few and on many CPUs
    said = [program.outlook(host, settings(jobs=jobs), [KERNEL])[-1] for jobs in (2, 64)]
    assert [one.split(" for each")[0] for one in said] == [f"Building takes about {time} s" for time in (30, 10)]
    assert "Nobody has tried" in program.outlook(host, external("igb", "5.19.10"), [KERNEL])[0]
    assert "adapted its part for the Makefile" in program.outlook(host, external("i40e", "2.28.16"), [KERNEL])[0]
    assert program.outlook(host, external("ixgbe", "6.1.6"), [KERNEL])[0].startswith("Building takes")
    built()
    stamp = host.stamp(KERNEL)
    stamp.write_text(stamp.read_text().replace('"seconds": ', '"seconds": 60'))
    assert "as the last build here did" in program.outlook(host, settings(), [KERNEL])[0]


def test_a_file_that_is_not_there_is_said_before_anything_is_fetched(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In check mode it is only noted: another task of the play may put it there."""
    asked = built()
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "file:///root/v6.1.6.zip", "checksum": f"sha256:{'0' * 64}"}
    wanted = {**asked, "external_drivers": [{**driver, "patch": "https://x/", "patch_checksum": driver["checksum"]}]}
    says = "there is no file /root/v6.1.6.zip on this host, where ixgbe is to come from"
    assert [says in note for note in set_up(host, wanted, check=True)["notes"]].count(True) == 1
    monkeypatch.setattr(program, "fetch", lambda *_: pytest.fail("it fetched"))
    with pytest.raises(TrafficgenError, match=says):
        set_up(host, wanted)
    write(host.path("/root/v6.1.6.zip"))
    assert not [note for note in program.status(host, wanted)["notes"] if says in note]


def test_check_mode_says_what_is_missing(host: Any) -> None:
    write(host.path("/lib/modules/5.14.0-1/kernel/x"))
    plan = set_up(host, settings(kernels=["5.14.0-1"], source_dir=str(host.path("/x"))), check=True)
    assert "There are no headers of kernel 5.14.0-1" in plan["notes"][1]
