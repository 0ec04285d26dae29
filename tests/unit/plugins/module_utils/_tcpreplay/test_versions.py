# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _tcpreplay/versions. The verdicts are those measured on real netmap and stated in appneta/tcpreplay #810 and
#984."""

from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import versions
from ansible_collections.wirespeed.trafficgen.tests.fixtures.tcpreplay_output import RECORDED

DEBIAN = RECORDED["version_4.4.3.stderr"]


def answer(
    version,
    build="git:v1",
    methods=("Default injection method: PF_PACKET send()", "Optional injection method: netmap"),
    flags="",
):
    return "\n".join(
        [
            f"tcpreplay version: {version} (build {build}){flags}",
            "Copyright 2013-2022 by Fred Klassen <tcpreplay at appneta dot com> - AppNeta",
            "Cache file supported: 04",
            "Not compiled with libdnet.",
            "Compiled against libpcap: 1.10.0",
            "64 bit packet counters: disabled",
            "Verbose printing via tcpdump: disabled",
            "Packet editing: enabled",
            "Fragroute engine: disabled",
            *methods,
            "",
        ]
    )


def test_debian():
    info = versions.parse_version(DEBIAN)
    assert info == versions.VersionInfo(
        version="4.4.3",
        release=(4, 4, 3),
        build="git:v4.4.3",
        debug=True,
        libpcap="1.10.3",
        libdnet="1.16.1 (libdumbnet)",
        counters_64bit=True,
        verbose=True,
        packet_editing=False,
        fragroute=True,
        default_injection_method="pf_packet",
        injection_methods=("pf_packet",),
    )
    assert not info.netmap
    result = info.as_result()
    assert result["version"] == "4.4.3"
    assert result["injection_methods"] == ["pf_packet"]
    assert result["build"]["git"] == "git:v4.4.3"


def test_other_builds():
    info = versions.parse_version(answer("4.4.2", "git:v4.4.2-7-g1a2b3c4"))
    assert (info.version, info.release, info.build, info.debug) == ("4.4.2", (4, 4, 2), "git:v4.4.2-7-g1a2b3c4", False)
    assert (info.libdnet, info.libpcap, info.counters_64bit, info.packet_editing) == (None, "1.10.0", False, True)
    assert info.injection_methods == ("pf_packet", "netmap")
    pre = versions.parse_version(answer("4.5.3_beta1", flags=" (timestamp-trace)"))
    assert (pre.version, pre.release) == ("4.5.3_beta1", (4, 5, 3))
    assert versions.parse_version(answer("4.5.0-beta2")).version == "4.5.0-beta2"
    assert versions.parse_version("tcpreplay version: 4.6").release == (4, 6, 0)
    assert versions.parse_version(answer("4.4.2").replace("\n", "\r\n")).injection_methods == ("pf_packet", "netmap")


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["Injection method: PF_PACKET send()"], ("pf_packet",)),  # 4.0 and 4.1 say no more of netmap
        (["Injection method: PF_PACKET / TX_RING", "Not compiled with netmap"], ("pf_packet",)),
        (
            [
                "Default injection method: PF_PACKET send()",
                "Optional injection method: netmap",
                "Optional injection method: AF_XDP",
            ],
            ("pf_packet", "netmap", "af_xdp"),
        ),
        (["Injection method: pcap_inject()", "Not compiled with netmap", "Not compiled with AF_XDP"], ("libpcap",)),
        (["Injection method: something new()"], ("something new()",)),
        ([], ()),
    ],
)
def test_injection_methods(methods, expected):
    info = versions.parse_version(answer("4.5.5", methods=methods))
    assert info.injection_methods == expected
    assert info.default_injection_method == (expected[0] if expected else None)


@pytest.mark.parametrize(
    "text", ["", "tcprewrite version: 4.4.3 (build git:v4.4.3)", "error while loading shared libraries: libpcap.so.1"]
)
def test_not_tcpreplay(text):
    with pytest.raises(TrafficgenError, match="Install tcpreplay"):
        versions.parse_version(text)


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("4.3.3", None),
        ("4.3.4", True),
        ("4.4.2", True),
        ("4.4.3", True),
        ("4.4.4", False),
        ("4.5.0", False),
        ("4.5.1", False),
        ("4.5.2", False),
        ("4.5.3_beta1", True),
        ("4.5.3", True),
        ("4.5.5", True),
        ("4.6.0_beta1", True),
    ],
)
def test_netmap_verdict(version, usable):
    verdict, reason = versions.netmap_verdict(versions.parse_version(answer(version)))
    assert verdict is usable
    assert reason
    if usable is False:
        assert "issues/810" in reason
        assert "nm_do_ioctl" in reason


def test_netmap_verdict_of_other_builds():
    assert versions.netmap_verdict(versions.parse_version(DEBIAN)) == (False, "built without netmap")
    assert versions.netmap_verdict(versions.parse_version(answer("4.4.3", "git:v4.4.3-20-gabcdef0")))[0] is None
    assert "984" in versions.netmap_verdict(versions.parse_version(answer("4.5.5")))[1]


# By upstream's src/tcpreplay_opts.def: --duration is in v4.1.1 and not in v4.1.0, and so on.
@pytest.mark.parametrize(
    ("option", "without", "with_it"),
    [
        ("nm-delay", "4.0.5", "4.1.0"),
        ("loopdelay-ms", "4.0.5", "4.1.0"),
        ("duration", "4.1.0", "4.1.1"),
        ("unique-ip-loops", "4.1.2", "4.2.0"),
        ("loopdelay-ns", "4.4.4", "4.5.0"),
        ("no-flow-stats", None, "4.0.0"),
        ("unique-ip", None, "4.0.0"),
        ("netmap", None, "4.0.0"),
    ],
)
def test_options(option, without, with_it):
    versions.require_option(versions.parse_version(answer(with_it)), option)
    if without:
        with pytest.raises(
            TrafficgenError, match=rf"--{option}: tcpreplay {without} does not have it.*{with_it} or later"
        ):
            versions.require_option(versions.parse_version(answer(without)), option)


def test_options_that_must_be_compiled_in():
    debian = versions.parse_version(DEBIAN)
    for option in ("netmap", "nm-delay"):
        with pytest.raises(TrafficgenError, match="built without netmap"):
            versions.require_option(debian, option)
    with pytest.raises(TrafficgenError, match=r"4\.5\.0 or later"):
        versions.require_option(debian, "xdp")
    with pytest.raises(TrafficgenError, match="built without af_xdp"):
        versions.require_option(versions.parse_version(answer("4.5.5")), "xdp")
    with_xdp = answer("4.5.5", methods=["Optional injection method: AF_XDP"])
    versions.require_option(versions.parse_version(with_xdp), "xdp")


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("4.4.2", (4, 4, 2)),
        ("4.5.0-beta2", (4, 5, 0)),
        ("4.5.3_beta1", (4, 5, 3)),
        ("4.0.0beta1", (4, 0, 0)),
        *((wrong, None) for wrong in ("v4.4.2", "4.4", "4", "", "latest", "4.4.2 ", "4.4.2\n", "4.4.2-1-g12345")),
        *((wrong, None) for wrong in ("4.4.x", "master", "٤.4.2")),
    ],
)
def test_the_names_of_releases_are_those_of_upstream_s_tags(name, release):
    assert versions.release_of(name) == release
