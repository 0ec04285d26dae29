# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host made up for the tests of netmap's setup: its settings and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import NETMAP
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import install, program

REPO = Path(__file__).parents[4]


KERNEL = "5.14.0-503.22.1.el9_5.x86_64"


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0" * 40,
        "repository": "/nowhere",
        "source_dir": "/usr/src/netmap",
        "kernels": [KERNEL],
        "kernel_dir": "",
        "kernel_sources": "",
        "jobs": 1,
        "drivers": [],
        "no_drivers": ["virtio_net.c"],
        "missing_drivers": "fail",
        "external_drivers": [],
        "driver_suffix": "-netmap",
        "native_devices": [],
        "native_macs": {},
        "allow_management_interface": False,
        "module_options": {},
        "apps": [],
        "service": False,
        "signing_key": "",
        "signing_cert": "",
        "program": b"the program",
        **changes,
    }


def external(name: str, version: str, **more: Any) -> dict[str, Any]:
    """The settings with one external driver, and the version of netmap that the role builds."""
    driver = {"name": name, "version": version, "url": "https://192.0.2.1/x.zip", "checksum": "sha256:" + "0" * 64}
    return settings(version=NETMAP, external_drivers=[{**driver, **more}])


def elf_note(build_id: str) -> bytes:
    """As in a module's section, and in /sys/module/netmap/notes of a guest: readelf -n tells its build ID."""
    return bytes.fromhex("040000001400000003000000474e5500") + bytes.fromhex(build_id)


def write(path: Path, content: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def module(host: Any, name: str = "netmap") -> Path:
    return Path(host.path(f"/lib/modules/{KERNEL}/extra/{name}.ko"))


def set_up(host: Any, asked: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """What the module netmap_setup does, where no archive is needed."""
    return program.set_up_all(host, asked, lambda archive: pytest.fail(f"{archive}"), check=check)


def give(path: Path, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Path:
    os.chown(path, uid, gid, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)
    return path


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to somebody else")


UNIT = "/etc/systemd/system/netmap.service"


HOOK = "/etc/kernel/install.d/95-trafficgen-netmap.install"


FILES = {UNIT: "[Service]\n", "/etc/modprobe.d/trafficgen-netmap.conf": "blacklist e1000-netmap\n", HOOK: "#!/bin/sh\n"}


def own(host: Any) -> list[str]:
    return [path for path in install.OTHER_FILES if host.path(path).exists()]


def loaded(host: Any, users: int, holders: tuple[str, ...] = ()) -> None:
    write(host.path("/sys/module/netmap/refcnt"), f"{users + len(holders)}\n")
    for holder in holders:
        write(host.path(f"/sys/module/netmap/holders/{holder}"))
