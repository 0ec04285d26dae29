# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/program: the plan, the hooks and the command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import (
    drivers,
    install,
    installed,
    program,
    uses,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import source as sources
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    REPO,
    elf_note,
    external,
    loaded,
    module,
    settings,
    write,
)


def test_a_driver_of_netmap_is_no_user_of_it(host: Any) -> None:
    loaded(host, 0, ("e1000_netmap",))
    assert uses.use_problem(host) == ""


def test_netmap_in_use_names_who(host: Any) -> None:
    loaded(host, 1, ("e1000_netmap",))
    write(host.path("/proc/42/comm"), "tcpreplay\n")
    host.path("/proc/42/fd").mkdir()
    host.path("/proc/42/fd/3").symlink_to("/dev/netmap")
    assert "tcpreplay (process 42)" in uses.use_problem(host)


@pytest.mark.parametrize(
    ("file", "content", "refused"),
    [
        ("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n", True),
        ("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n", False),
        ("/sys/module/module/parameters/sig_enforce", "Y\n", True),
        ("/sys/module/module/parameters/sig_enforce", "N\n", False),
    ],
)
def test_a_kernel_that_takes_signed_modules_only(host: Any, file: str, content: str, refused: bool) -> None:
    write(host.path(file), content)
    assert ("mokutil" in installed.refused_problem(host, settings())) is refused
    assert installed.refused_problem(host, settings(signing_key="/k", signing_cert="/c")) == ""


def test_devices_that_are_not_there_or_have_no_driver_built(host: Any, tmp_path: Path) -> None:
    for address, name, driver in (("0000:00:10.0", "eth1", "e1000"), ("0000:00:11.0", "eth2", "ixgbe")):
        device = host.path(f"/sys/bus/pci/devices/{address}")
        (device / "net" / name).mkdir(parents=True)
        (device / "driver").symlink_to(f"../../drivers/{driver}")
        host.path(f"/sys/class/net/{name}").mkdir(parents=True)
        host.path(f"/sys/class/net/{name}/device").symlink_to(device)
    write(tmp_path / "tools/ip", "#!/bin/sh\necho '[]'\n", 0o755)
    asked = settings(drivers=["e1000"], native_devices=["0000:00:10.0", "eth2", "eth9"])
    addresses, problems = program.resolve_devices(host, asked)
    assert addresses == ["0000:00:10.0", "0000:00:11.0"]
    assert len(problems) == 2
    assert "ixgbe, which is not in netmap_drivers" in problems[0]
    assert "eth9" in problems[1]


def test_a_driver_that_cannot_stand_beside_the_stock_one(host: Any, tmp_path: Path) -> None:
    write(tmp_path / "tools/ip", "#!/bin/sh\necho '[]'\n", 0o755)
    for address, driver in (("0000:00:10.0", "vmxnet3"), ("0000:00:11.0", "forcedeth")):
        device = host.path(f"/sys/bus/pci/devices/{address}")
        (device / "net").mkdir(parents=True)
        (device / "driver").symlink_to(f"../../drivers/{driver}")
    asked = settings(drivers=["vmxnet3", "forcedeth.c"], native_devices=["0000:00:10.0", "0000:00:11.0"])
    problems = program.resolve_devices(host, asked)[1]
    assert (
        len(problems) == 1
        and "0000:00:10.0 has the driver vmxnet3" in problems[0]
        and "the kernel cannot load both" in problems[0]
    )


def test_the_kernel_s_igb_cannot_and_intel_s_can(host: Any) -> None:
    device = host.path("/sys/bus/pci/devices/0000:00:10.0")
    (device / "net").mkdir(parents=True)
    (device / "driver").symlink_to("../../drivers/igb")
    asked = {"native_devices": ["0000:00:10.0"]}
    host.running = "6.1.0-56-amd64"
    problems = program.resolve_devices(host, settings(drivers=["igb"], **asked))[1]
    assert len(problems) == 1 and "Or build Intel's own igb" in problems[0]
    assert program.resolve_devices(host, {**external("igb", "5.19.4"), **asked})[1] == []
    # Of these the prepared source tells: that of 6.12 has netmap's name, and EL's has parts of later kernels.
    for host.running in ("6.12.117+deb12-amd64", "5.14.0-611.5.1.el9_7.x86_64", "5.14.0-611.el9.x86_64"):
        assert program.resolve_devices(host, settings(drivers=["igb"], **asked))[1] == []


def test_another_module_in_the_kernel_wants_a_restart(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    host.running = KERNEL
    asked = {**built(), "service": True}
    assert program.needs_restart(host, asked, []) is False
    loaded(host, 0)
    note = write(host.path("/sys/module/netmap/notes/.note.gnu.build-id"))
    note.write_bytes(elf_note("35ee1c4e2b4f5ab6ea57b1ba4ec0b5b2a1d4f2a7"))
    module(host).write_bytes(b"\x7fELF" + note.read_bytes())
    assert program.needs_restart(host, asked, []) is False
    write(host.path("/sys/module/netmap/parameters/buf_num"), "163840\n")
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 163840}}, []) is False
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 4096}}, []) is True
    assert program.needs_restart(host, asked, ["0000:00:10.0"]) is True
    was = write(host.path(hosts.SETTINGS), json.dumps({**install.plain(asked), "module_options": {"buf_num": 163840}}))
    assert program.needs_restart(host, asked, []) is True
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 163840}}, []) is False
    was.unlink()
    assert program.needs_restart(host, asked, []) is False
    note.write_bytes(elf_note("0a" * 20))
    assert program.needs_restart(host, asked, []) is True
    note.unlink()
    assert program.needs_restart(host, asked, []) is True


def test_this_kernel_has_no_build(host: Any) -> None:
    with pytest.raises(
        TrafficgenError,
        match=r"no netmap\.ko for the running kernel 6\.6\.6-running.*trafficgen-netmap build 6\.6\.6-running",
    ):
        drivers.load(host, settings(), "6.6.6-running")


def test_a_hook_builds_once_and_never_fails(
    host: Any,
    built: Callable[..., dict[str, Any]],
    source: tuple[str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = settings(repository=source[0], version=source[1], kernels=["running"])
    assert program.hook(host, {**asked, "repository": "/gone"}, "add", KERNEL)["changed"] is False
    assert "until the role netmap has run again" in capsys.readouterr().err.lower()
    sources.fetch(host, asked)
    assert program.hook(host, asked, "add", "5.14.0-1")["changed"] is False
    assert "not there yet" in capsys.readouterr().err
    assert program.hook(host, asked, "add", KERNEL)["changed"] is True
    assert program.hook(host, asked, "add", KERNEL)["changed"] is False
    host.path(f"/lib/modules/{KERNEL}/kernel").rmdir()
    program.hook(host, asked, "remove", KERNEL)
    assert not module(host).exists()


@pytest.mark.parametrize(
    ("template", "word", "verb"),
    [
        # kernel-core's %preun calls "kernel-install remove", with all of the kernel still there.
        ("kernel-install.j2", "remove", "removing"),
        ("kernel-install.j2", "add", "add"),
        ("kernel-postrm.j2", None, "remove"),
        ("kernel-postinst.j2", None, "add"),
    ],
)
def test_what_a_hook_calls(tmp_path: Path, template: str, word: str | None, verb: str) -> None:
    called = write(tmp_path / "program", f'#!/bin/sh\necho "$*" >{tmp_path}/said\n', 0o755)
    content = (REPO / "roles/netmap/templates" / template).read_text().replace("{{ __netmap_program }}", str(called))
    script = write(tmp_path / "hook", content, 0o755)
    subprocess.run([script, *([word] if word else []), KERNEL, "/boot/vmlinuz"], check=True)
    assert (tmp_path / "said").read_text().split() == ["hook", verb, KERNEL]


def test_a_kernel_about_to_be_removed(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    program.hook(host, asked, "remove", KERNEL)  # Debian's, after an update of the package: the kernel is still there
    assert module(host).exists()
    program.command(host, ["hook", "removing", KERNEL])
    assert not module(host).exists() and not host.stamp(KERNEL).exists()
    # Never while that kernel runs.
    built()
    host.running = KERNEL
    program.hook(host, asked, "removing", KERNEL)
    assert module(host).exists()
