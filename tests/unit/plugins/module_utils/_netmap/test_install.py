# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/install: the modules and the role's files are all in place, or all as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import install, program
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import settings as asked_for
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    FILES,
    HOOK,
    KERNEL,
    UNIT,
    loaded,
    module,
    own,
    set_up,
    settings,
    write,
)


def test_a_killed_installation_is_built_again(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = built()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "settle", killed)
    with pytest.raises(KeyboardInterrupt):
        built(no_drivers=[])
    assert program.status(host, {**asked, "no_drivers": []})["build"] == [KERNEL]


def test_a_first_run_that_fails_leaves_no_file_of_the_role(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    before = sorted(host.root.rglob("*"))
    with pytest.raises(TrafficgenError, match="cannot be fetched from /gone"):
        set_up(host, settings(files=FILES, repository="/gone"))
    assert [path for path in sorted(host.root.rglob("*")) if path not in before] == [host.path(hosts.LOCK)]
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match="make of netmap failed"):
        built(files=FILES)
    assert own(host) == []
    # Built, but it must not be loaded.
    (tmp_path / "broken").unlink()
    write(tmp_path / "dead")
    host.running = KERNEL
    with pytest.raises(TrafficgenError, match=r"does not start.* What was there before is back in place"):
        built(files=FILES, service=True)
    assert own(host) == [] and not module(host).exists() and not host.stamp(KERNEL).exists()
    assert (tmp_path / "systemctl").read_text().splitlines()[-2:] == ["daemon-reload", "reset-failed netmap.service"]


def test_an_upgrade_that_fails_leaves_the_old_files(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    host.running = KERNEL
    built(files=FILES, service=True)
    before = {path: host.path(path).read_bytes() for path in own(host)}
    write(tmp_path / "dead")
    with pytest.raises(TrafficgenError, match="does not start"):
        built(files={UNIT: "[Unit]\n"}, service=True, no_drivers=[])
    assert {path: host.path(path).read_bytes() for path in own(host)} == before


def test_the_role_s_files_come_with_the_modules(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built(files=FILES)
    assert sorted(own(host)) == sorted([*FILES, hosts.PROGRAM, hosts.SETTINGS])
    assert host.path(hosts.PROGRAM).read_text() == "the program"
    assert "files" not in json.loads(host.path(hosts.SETTINGS).read_text())
    assert [host.path(path).stat().st_mode & 0o777 for path in (UNIT, HOOK, hosts.PROGRAM)] == [0o644, 0o755, 0o755]
    assert program.status(host, asked)["files"] == []


def test_changed_files_of_the_role_are_written_alone(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    asked = built(files=FILES)
    new = {**asked, "jobs": 2, "files": {UNIT: "[Unit]\n"}}
    host.path(hosts.PROGRAM).chmod(0o777)
    said = program.status(host, new)
    assert said["build"] == [] and said["files"] == sorted([*FILES, hosts.PROGRAM, hosts.SETTINGS])

    def tree() -> list[tuple[Path, int]]:
        # Without what git notes for itself when it is asked for a checkout's state.
        return sorted((path, path.stat().st_mtime_ns) for path in host.root.rglob("*") if ".git" not in path.parts)

    before = tree()
    would = set_up(host, new, check=True)
    assert would["changed"] and tree() == before
    assert [change["after"] for change in would["diff"] if change["after_header"] == UNIT] == ["[Unit]\n"]
    done = set_up(host, new)
    assert {**done, "diff": None} == {**would, "diff": None} and len(done["diff"]) == len(done["files"])
    assert host.path(UNIT).read_text() == "[Unit]\n" and not host.path(HOOK).exists()
    assert host.path(hosts.PROGRAM).stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "systemctl").read_text().splitlines()[-1] == "daemon-reload"
    assert set_up(host, new)["changed"] is False


def test_without_the_boot_unit_that_was_there(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    host.running = KERNEL
    asked = built(files=FILES, service=True)
    without = {**asked, "service": False, "files": {path: FILES[path] for path in FILES if path != UNIT}}
    assert UNIT in program.status(host, without)["files"]
    loaded(host, 1)
    assert "netmap is in use" in program.status(host, without)["problems"][0]
    write(host.path("/sys/module/netmap/refcnt"), "0\n")
    set_up(host, without)
    assert not host.path(UNIT).exists()
    assert (tmp_path / "systemctl").read_text().splitlines()[-3:] == [
        "stop netmap.service",
        "disable netmap.service",
        "daemon-reload",
    ]
    assert program.status(host, without)["files"] == []


def test_builds_of_kernels_that_are_gone_are_removed(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = {**built(), "kernels": ["running"]}
    assert program.status(host, asked)["prune"] == []
    host.path(f"/lib/modules/{KERNEL}/kernel").rmdir()
    assert program.status(host, asked)["prune"] == [KERNEL]
    assert install.prune(host, asked) == {"changed": True, "kernels": [KERNEL]}
    assert not host.path(f"/lib/modules/{KERNEL}").exists() and not host.stamp(KERNEL).exists()


def test_remove_takes_everything_and_says_so_first(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    write(host.path("/etc/modprobe.d/trafficgen-netmap.conf"))
    assert install.remove(host, asked, check=True)["changed"] is True
    assert module(host).exists()
    install.remove(host, asked)
    left = [str(path.relative_to(host.root)) for path in host.root.rglob("*") if path.is_file()]
    assert [path for path in left if "kernels" not in path] == []
    assert install.remove(host, asked)["changed"] is False


def test_the_shared_folder_of_somebody_else_stays(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    host.path("/usr/src/netmap/.git/trafficgen").unlink()
    other = write(host.path("/var/lib/trafficgen/stamps/tcpreplay.json"), "{}")
    install.remove(host, asked)
    assert host.path("/usr/src/netmap/configure").exists() and other.exists()


def test_a_module_that_does_not_load_gives_way_to_the_old_one(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = built()
    before = module(host).read_bytes(), host.stamp(KERNEL).read_text(), host.path(hosts.SETTINGS).read_text()
    host.running = KERNEL
    loaded(host, 0)
    tried = []

    def activate(*_: Any) -> None:
        tried.append(host.path(hosts.SETTINGS).read_text())
        if len(tried) == 1:
            raise TrafficgenError("insmod: Key was rejected by service.")

    monkeypatch.setattr(install, "activate", activate)
    with pytest.raises(
        TrafficgenError, match=r"Key was rejected by service\. What was there before is back in place\.$"
    ):
        built(no_drivers=[], service=True)
    assert tried[1] == before[2] != tried[0]
    assert (module(host).read_bytes(), host.stamp(KERNEL).read_text(), host.path(hosts.SETTINGS).read_text()) == before
    assert asked_for.is_built(host, asked, KERNEL)
