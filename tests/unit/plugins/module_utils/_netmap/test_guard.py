# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what netmap_setup does not touch: management ports, and ports and modules that a run uses."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import (
    build,
    drivers,
    install,
    program,
    source,
    uses,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import UNIT_FILE, Host
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.modules import host_check
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_host import (
    ESTABLISHED,
    LO,
    PEER,
    PEER6,
    Kernel,
    link,
    opened,
    process,
    route,
    sockets,
)

REPO = Path(__file__).parents[5]
VLAN = [LO, link("eth0"), link("eth0.5", "192.0.2.10", kind="vlan", link="eth0"), link("eth1", "198.51.100.1")]


# --- The program on a host with three ports ---

MANAGEMENT, TEST, OTHER = "0000:00:03.0", "0000:00:10.0", "0000:00:11.0"
SETTINGS = {
    "version": "0" * 40,
    "driver_suffix": "-netmap",
    "drivers": ["e1000"],
    "external_drivers": [],
    "native_devices": [],
    "module_options": {},
    "service": True,
    "native_macs": {},
    "allow_management_interface": False,
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three ports of one kind, each with its index, and a made-up kernel that reports its links and routes."""
    root = tmp_path / "root"
    for number, (address, name) in enumerate(((MANAGEMENT, "eth0"), (TEST, "tg0"), (OTHER, "tg1")), 2):
        device = root / f"sys/bus/pci/devices/{address}"
        (device / "net" / name).mkdir(parents=True)
        (device / "driver").symlink_to("../../drivers/e1000")
        interface = root / f"sys/class/net/{name}"
        interface.mkdir(parents=True)
        (interface / "ifindex").write_text(f"{number}\n")
        (interface / "device").symlink_to(device)
    process(root, os.getpid(), 1)
    (root / "proc/net").mkdir()
    made_up = Host(str(root), running="6.6.6")
    made_up.kernel = Kernel(monkeypatch)
    for part in (drivers, uses):
        monkeypatch.setattr(part, "Netlink", lambda protocol: contextlib.nullcontext())
    monkeypatch.setattr(host_check, "open_route", contextlib.nullcontext)
    says(made_up)
    return made_up


def says(host: Any, *links: dict[str, Any], routes: tuple[dict[str, Any], ...] = ()) -> None:
    default = [
        LO,
        link("eth0", "192.0.2.10", address="02:00:00:00:00:01"),
        link("tg0", address="02:00:00:00:00:10"),
        link("tg1"),
    ]
    host.kernel.says(*(links or default), routes=routes)


def native(host: Any, *addresses: str) -> None:
    """netmap is loaded, and its driver has these devices."""
    module = host.path("/sys/module/netmap")
    (module / "holders").mkdir(parents=True)
    (module / "holders/e1000_netmap").touch()
    (module / "refcnt").write_text("1\n")
    for address in addresses:
        host.path(f"/sys/module/e1000_netmap/drivers/pci:e1000-netmap/{address}").mkdir(parents=True)
        driver = host.path(f"/sys/bus/pci/devices/{address}/driver")
        driver.unlink()
        driver.symlink_to("../../drivers/e1000-netmap")


def sending(host: Any, index: int, inode: int, where: str = "net") -> None:
    """The kernel's list of a namespace's sockets while a run is under way, as Linux 6.1 prints it."""
    path = host.path(f"/proc/{where}/unix")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "00000000b0c1a9f7: 00000002 00000000 00010000 0001 01 17411 /run/systemd/private\n"
        "0000000041d2ee02: 00000003 00000000 00000000 0001 03 18099\n"
        f"00000000e3e0d1b8: 00000002 00000000 00010000 0001 01 {inode} @wirespeed.trafficgen/sending/{index}\n"
        f"00000000e3e0d1b9: 00000002 00000000 00010000 0001 01 9 @wirespeed.trafficgen/counting/{index}\n"
    )


def test_a_management_port_is_not_given_to_a_native_driver(host: Any) -> None:
    says(host, *VLAN, routes=(route("eth0.5"),))
    asked = {**SETTINGS, "native_devices": ["eth0", TEST]}
    addresses, problems = program.resolve_devices(host, asked)
    assert addresses == [MANAGEMENT, TEST] and len(problems) == 1
    assert "0000:00:03.0 is eth0: the default route is on eth0.5, above it." in problems[0]
    assert "set netmap_allow_management_interface: true" in problems[0]
    with pytest.raises(TrafficgenError, match=r"the default route is on eth0\.5"):
        drivers.take(host, asked, "6.6.6", MANAGEMENT)
    assert program.resolve_devices(host, {**asked, "allow_management_interface": True})[1] == []


def test_the_connection_behind_sudo_protects_a_port(host: Any) -> None:
    (host.path(f"/proc/{os.getpid()}") / "environ").write_bytes(b"SSH_CONNECTION=192.0.2.77 5 192.0.2.10 22\0")
    assert "eth0: the SSH connection came in at 192.0.2.10" in uses.protected_problem(host, SETTINGS, MANAGEMENT)
    assert uses.protected_problem(host, SETTINGS, TEST) == ""


def test_another_session_protects_a_port_from_the_unit(host: Any) -> None:
    """The unit descends from no session, also where ``systemctl restart`` was typed in one."""
    native(host, MANAGEMENT)
    says(host, LO, link("eth0", "192.0.2.10"), link("tg0", "198.51.100.1"))
    assert uses.reload_problem(host, SETTINGS) == ""
    sockets(host.root, ("192.0.2.10", 22, PEER, 40000, ESTABLISHED, 7))
    with pytest.raises(TrafficgenError, match=r"eth0: an SSH connection came in at 192\.0\.2\.10, on eth0"):
        drivers.unload(host, SETTINGS)
    assert uses.reload_problem(host, {**SETTINGS, "allow_management_interface": True}) == ""


def test_the_way_of_the_answers_protects_a_port(host: Any) -> None:
    says(host, LO, link("eth0", "192.0.2.10"), link("tg0", "198.51.100.1"))
    sockets(
        host.root,
        ("192.0.2.10", 22, PEER, 40000, ESTABLISHED, 7),
        ("2001:db8::10", 22, PEER6, 40000, ESTABLISHED, 7),
        ("fe80::1", 22, "fe80::77", 40000, ESTABLISHED, 7),
    )
    host.kernel.ways = {PEER: "tg0"}  # the other cannot be reached
    assert f"tg0: the answers to the SSH client {PEER} leave by tg0." in uses.protected_problem(host, SETTINGS, TEST)
    assert uses.protected_problem(host, SETTINGS, OTHER) == ""
    assert host.kernel.asked[:2] == [("192.0.2.10", PEER), ("2001:db8::10", PEER6)]


def test_a_vlan_moved_to_a_namespace_leaves_through_the_port_here(host: Any) -> None:
    there = [
        link("v7", kind="vlan", link_index=2, link_netnsid=0),
        link("snd0", kind="veth", link_index=2, link_netnsid=0),
    ]
    says(host, LO, link("eth0", "192.0.2.10", ifindex=2), link("tg0", ifindex=3), routes=(route("eth0"),))
    host.kernel.says(*there, netns="there")
    assert uses.managed(host, [Interface("v7", "there"), Interface("snd0", "there")], "there") == {
        "v7": "it leaves through eth0, and the default route is on eth0"
    }


def _rmmod(host: Any) -> None:
    drivers.unload(host, SETTINGS)


def _activate(host: Any) -> None:
    install.activate(host, SETTINGS)


def _restart(host: Any) -> None:
    install.replace(host, SETTINGS, "6.6.6", {}, (), loads=True)


def _no_unit(host: Any) -> None:
    path = host.path(UNIT_FILE)
    path.parent.mkdir(parents=True)
    path.touch()
    install.replace(host, {**SETTINGS, "service": False, "files": {}, "program": b""}, "6.6.6", {}, (), loads=False)


def _absent(host: Any) -> None:
    path = host.path(UNIT_FILE)
    path.parent.mkdir(parents=True)
    path.touch()
    install.remove(host, {**SETTINGS, "source_dir": "/usr/src/netmap"})


def _rebuild(host: Any) -> None:
    host.path("/sys/module/netmap/parameters").mkdir()
    build.build_and_install(
        host, {**SETTINGS, "signing_key": "", "kernel_dir": "/k", "kernel_sources": "", "signing_cert": ""}, "6.6.6"
    )


ACTS = [_rmmod, _activate, _restart, _no_unit, _absent, _rebuild]


@pytest.fixture
def act(request: pytest.FixtureRequest, host: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What gives a native port back. None of it may start. Of a build, only what concerns ports."""
    for name in ("headers_problem", "tools_problem", "signing_problem", "build_folders_problem", "refused_problem"):
        monkeypatch.setattr(build, name, lambda *_: "")

    def never(*_: Any, **_more: Any) -> None:
        raise AssertionError("it was begun")

    for name in ("systemctl", "bind", "write_file", "fetch", "must"):
        for part in (build, drivers, install, source):
            if hasattr(part, name):
                monkeypatch.setattr(part, name, never)
    return lambda: request.param(host)


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_a_native_management_port_away(host: Any, act: Callable[[], None]) -> None:
    native(host, MANAGEMENT)
    with pytest.raises(TrafficgenError, match=r"eth0: the only address of this host, 192\.0\.2\.10, is on eth0"):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_netmap_from_a_run(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    host.path("/sys/module/netmap/refcnt").write_text("2\n")
    opened(host.root, 42, "tcpreplay", "/dev/netmap")
    opened(host.root, 43, "bash", "/dev/null")
    with pytest.raises(TrafficgenError, match=r"netmap is in use by tcpreplay \(process 42\).*nothing was changed"):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_nothing_takes_a_native_port_from_a_run_through_the_kernel(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    sending(host, 3, 18100)
    opened(host.root, 41, "python3", "socket:[18100]", "/dev/null")
    opened(host.root, 42, "tcpreplay", "socket:[5]", "socket:[18100]")
    opened(host.root, 43, "other", "socket:[9]")
    with pytest.raises(
        TrafficgenError, match=r"on tg0 .*: python3 \(process 41\), tcpreplay \(process 42\)\. .*nothing was changed"
    ):
        act()


@pytest.mark.parametrize("act", ACTS, indirect=True, ids=[one.__name__ for one in ACTS])
def test_a_run_on_another_port_is_in_nobody_s_way(host: Any, act: Callable[[], None]) -> None:
    native(host, TEST)
    sending(host, 4, 18100)
    with pytest.raises(AssertionError, match="it was begun"):
        act()


def test_a_port_is_not_given_to_its_native_driver_during_a_run(host: Any) -> None:
    sending(host, 3, 18100)
    assert "A run is sending on tg0" in program.resolve_devices(host, {**SETTINGS, "native_devices": ["tg0"]})[1][0]
    with pytest.raises(TrafficgenError, match="A run is sending on tg0"):
        drivers.take(host, SETTINGS, "6.6.6", TEST)


def test_the_lock_of_a_run_is_found_as_the_kernel_lists_it() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        lock.bind(f"\0wirespeed.trafficgen/sending/{os.getpid()}")
        lock.listen()
        found = uses.runs(Host())[str(os.getpid())]
        assert found == os.readlink(f"/proc/self/fd/{lock.fileno()}")
        assert any(f"(process {os.getpid()})" in who for who in uses.have_open(Host(), [found]))
    assert str(os.getpid()) not in uses.runs(Host())


def test_who_is_at_work_in_any_namespace(host: Any) -> None:
    assert uses.busy(host) == ""
    opened(host.root, 42, "tcpreplay", "socket:[18100]")
    opened(host.root, 43, "pkt-gen", "/dev/netmap")
    opened(host.root, 44, "tcpreplay", "socket:[18200]")
    opened(host.root, 45, "bash", "socket:[9]")
    for pid, namespace, inode in ((42, 4026532001, 18100), (44, 4026532002, 18200)):
        host.path(f"/proc/{pid}/ns").mkdir()
        host.path(f"/proc/{pid}/ns/net").symlink_to(f"net:[{namespace}]")
        sending(host, 7, inode, f"{pid}/net")
    assert "in use: tcpreplay (process 42), pkt-gen (process 43), tcpreplay (process 44)." in uses.busy(host)


# --- At boot ---


def test_the_unit_lets_the_guard_see() -> None:
    """Without these it would not fail, but see no connections."""
    lines = (REPO / "roles/netmap/templates/netmap.service.j2").read_text().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} <= set(unit["CapabilityBoundingSet"].split())
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"].split()
    hiding = {
        "PrivateNetwork",
        "NetworkNamespacePath",
        "JoinsNamespaceOf",
        "PrivateUsers",
        "PrivatePIDs",
        "ProtectProc",
        "ProcSubset",
    }
    assert not {*hiding, "User", "DynamicUser"} & set(unit)


def test_a_device_that_was_changed_for_another_is_not_taken(host: Any) -> None:
    """Before the network is up, nothing else shows which port is the management port."""
    noted = {**SETTINGS, "native_macs": drivers.macs(host, [TEST])}
    assert noted["native_macs"] == {TEST: "02:00:00:00:00:10"}
    says(host, LO, link("tg0", address="02:00:00:00:00:99"))
    with pytest.raises(
        TrafficgenError, match=r"0000:00:10\.0 is tg0 with the MAC address 02:00:00:00:00:99, but had 02:00:00:00:00:10"
    ):
        drivers.take(host, noted, "6.6.6", TEST)
    # A bond gives its ports its own. A port in another netns shows none.
    says(host, LO, link("tg0", address="02:00:00:00:00:99", permaddr="02:00:00:00:00:10"))
    assert drivers.another_device(host, noted, TEST) == ""
    assert drivers.another_device(host, SETTINGS, TEST) == ""
    says(host, LO)
    assert drivers.another_device(host, noted, TEST) == ""


def test_without_an_answer_of_the_kernel_nothing_is_taken(host: Any) -> None:
    host.kernel.refusals.append(OSError("broken"))
    with pytest.raises(
        TrafficgenError, match=r"links and addresses: the guard of the management interface got no answer: broken"
    ):
        drivers.take(host, SETTINGS, "6.6.6", TEST)


# --- For other roles ---


def test_what_other_roles_ask(host: Any) -> None:
    ports = [Interface("eth0", None), Interface("tg0", None)]
    asked = {
        "allow_management_interface": False,
        "remedy": "Take another.",
        "folders": ["/usr/src/netmap"],
        "idle": True,
    }
    why = "eth0: this host is managed over it: the only address of this host, 192.0.2.10, is on eth0. Take another."
    assert host_check.against(host, ports, asked) == [why]
    assert host_check.against(host, ports, {**asked, "allow_management_interface": True}) == []
    opened(host.root, 43, "pkt-gen", "/dev/netmap")
    assert "in use: pkt-gen (process 43)." in host_check.against(host, ports, asked)[1]
    assert len(host_check.against(host, ports, {**asked, "idle": False})) == 1
