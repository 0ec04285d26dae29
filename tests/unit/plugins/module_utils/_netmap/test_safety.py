# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/safety: who owns the folders that root builds in."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import build, program, safety
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import source as sources
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    FILES,
    HOOK,
    KERNEL,
    give,
    module,
    needs_root,
    settings,
    write,
)


@needs_root
@pytest.mark.parametrize(
    ("mode", "uid", "gid", "why"),
    [
        (0o755, 0, 0, ""),
        (0o2775, 0, 0, ""),
        # As Debian had /usr/src (group src) and /usr/local/src (staff): nobody is in these groups.
        (0o2775, 0, 40, ""),
        (0o777, 0, 0, "can be written by everybody"),
        (0o1777, 0, 0, "can be written by everybody"),
        (0o755, 65534, 0, "belongs to nobody"),
        (0o775, 0, 1, "can be written by the group daemon (daemon)"),
        (0o775, 0, 4711, "can be written by the group 4711"),
        (0o755, 4711, 0, "belongs to the login 4711"),
    ],
)
@pytest.mark.parametrize("which", ["usr", "usr/src", "usr/src/netmap"])
def test_folders_that_others_can_write(host: Any, which: str, mode: int, uid: int, gid: int, why: str) -> None:
    give(write(host.path("/usr/src/netmap/configure")).parent)
    give(host.path(f"/{which}"), mode, uid, gid)
    said = safety.unsafe(host, "/usr/src/netmap/LINUX")
    assert said == (f"{host.root}/{which} {why}" if why else "")
    problem = safety.source_problem(host, settings())
    assert (why in problem and "netmap_source_dir: " in problem) if why else not problem


@needs_root
def test_an_access_control_list_that_lets_others_write(host: Any) -> None:
    folder = write(host.path("/usr/src/netmap/configure")).parent
    # user::rwx, user:4711:rwx, group::r-x, mask::rwx, other::r-x as the kernel keeps them (acl(5)): ls shows rwxrwxr-x,
    # of the group root.
    entries = [(1, 7, -1), (2, 7, 4711), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    packed = b"".join(struct.pack("<HHI", tag, rights, who % 2**32) for tag, rights, who in entries)
    try:
        os.setxattr(folder, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError:
        pytest.skip("this file system has no access control lists")
    assert "its access control list" in safety.unsafe(host, "/usr/src/netmap")


@needs_root
def test_links_are_followed_where_root_has_made_them(host: Any) -> None:
    real = write(host.path("/data/src/netmap/configure")).parent
    host.path("/usr/src").rename(host.path("/usr/old"))
    link = host.path("/usr/src")
    link.symlink_to("../data/src")
    assert safety.unsafe(host, "/usr/src/netmap") == "" and safety.source_problem(host, settings()) == ""
    give(real.parent, 0o777)
    assert safety.unsafe(host, "/usr/src/netmap") == f"{real.parent} can be written by everybody"
    give(real.parent)
    give(link, uid=65534)
    assert safety.unsafe(host, "/usr/src/netmap") == f"{link} belongs to nobody"
    give(link)
    link.unlink()
    link.symlink_to("/usr/src")
    assert "is a symbolic link that leads to itself" in safety.unsafe(host, "/usr/src/netmap")
    link.unlink()
    link.symlink_to("old")
    host.path("/usr/src/netmap").symlink_to(real)
    assert "is a symbolic link" in safety.source_problem(host, settings())
    # For a link, its target's parent folders count, not its own.
    give(real.parent, 0o777)
    host.path("/usr/up").symlink_to("../data/src")
    assert "everybody" in safety.unsafe(host, "/usr/up/../netmap")


@needs_root
def test_a_checkout_that_another_login_has_planted(host: Any, source: tuple[str, str, str]) -> None:
    """Git would run commands from its settings, as root, just to see whether anything has changed."""
    asked = settings(repository=source[0], version=source[1])
    sources.fetch(host, asked)
    ran = host.path("/ran")
    hook = write(host.path("/usr/src/netmap/.git/hook"), f"#!/bin/sh\ntouch {ran}\n", 0o755)
    config = host.path("/usr/src/netmap/.git/config")
    config.write_text(config.read_text() + f"[core]\n\tfsmonitor = {hook}\n")
    assert sources.source_state(host, asked) == "ready"
    assert ran.exists()  # root's own settings are followed
    ran.unlink()
    for path in (hook, config, hook.parent):
        give(path, path.stat().st_mode & 0o777, uid=65534)
        assert sources.source_state(host, asked) == "unsafe"
        for act in (sources.fetch, sources.switch):
            with pytest.raises(TrafficgenError, match="belongs to nobody"):
                act(host, asked)
        said = program.status(host, asked)
        assert said["fetch"] is False and any("belongs to nobody" in problem for problem in said["problems"])
        give(path, path.stat().st_mode & 0o777)
    assert not ran.exists()


@needs_root
@pytest.mark.parametrize("folder", ["/var/lib", "/var/lib/trafficgen/build/netmap", "/usr/src/kernels", "/srv/sources"])
def test_nothing_is_built_where_others_can_write(host: Any, source: tuple[str, str, str], folder: str) -> None:
    asked = settings(repository=source[0], version=source[1], kernel_sources="/srv/sources/linux-{kernel}")
    host.path(folder).mkdir(parents=True, exist_ok=True)
    give(host.path(folder), 0o777)
    assert any(
        f"{folder} can be written by everybody" in problem for problem in program.status(host, asked)["problems"]
    )
    with pytest.raises(TrafficgenError, match=f"{folder} can be written by everybody"):
        build.build(host, asked, KERNEL)
    assert not host.path("/usr/src/netmap").exists() and not module(host).exists()


def test_what_is_written_is_root_s_and_no_one_else_can(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.umask(0o022)  # main's
    # A link where a file is written first.
    stranger = write(tmp_path / "stranger", "as it was")
    host.path("/etc").mkdir(exist_ok=True)
    host.path("/etc/.trafficgen-netmap.json.new").symlink_to(stranger)
    built(files=FILES)
    assert stranger.read_text() == "as it was"
    paths = [path for path in host.root.rglob("*") if not path.is_relative_to(host.path("/usr/src/kernels"))]
    assert len(paths) > 30
    assert [path for path in paths if path.lstat().st_uid != os.geteuid()] == []
    assert [path for path in paths if path.lstat().st_mode & 0o7022 and not path.is_symlink()] == []
    assert host.path("/var/lib/trafficgen").stat().st_mode & 0o777 == 0o700
    modes = {path: host.path(path).stat().st_mode & 0o777 for path in (*FILES, hosts.PROGRAM, hosts.SETTINGS)}
    assert modes == {path: 0o755 if path in (HOOK, hosts.PROGRAM) else 0o644 for path in modes}
    assert [host.stamp(KERNEL).stat().st_mode & 0o777, module(host).stat().st_mode & 0o777] == [0o644, 0o644]
