# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/source: the checkout, from the stand-in's repository."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import program
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import source as sources
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import settings, write


def test_fetch_and_fetch_again(host: Any, source: tuple[str, str, str]) -> None:
    asked = settings(repository=source[0], version=source[1])
    assert sources.source_state(host, asked) == "fetch"
    assert sources.fetch(host, asked) == {"changed": True}
    # Not even the repository is read.
    assert sources.fetch(host, {**asked, "repository": "/gone"}) == {"changed": False}


def test_changed_source_is_fetched_again(host: Any, source: tuple[str, str, str]) -> None:
    asked = settings(repository=source[0], version=source[1])
    sources.fetch(host, asked)
    host.path("/usr/src/netmap/configure").write_text("exit 0")
    assert sources.source_state(host, asked) == "fetch"
    sources.fetch(host, asked)
    assert sources.source_state(host, asked) == "ready"


def test_somebody_elses_folder_is_left_alone(host: Any, source: tuple[str, str, str]) -> None:
    mine = write(host.path("/usr/src/netmap/notes"), "mine")
    with pytest.raises(TrafficgenError, match="this role did not make it"):
        sources.fetch(host, settings(repository=source[0], version=source[1]))
    assert mine.read_text() == "mine"


def test_no_repository_leaves_the_old_checkout(host: Any, source: tuple[str, str, str]) -> None:
    sources.fetch(host, settings(repository=source[0], version=source[1]))
    with pytest.raises(TrafficgenError, match="cannot be fetched from /gone"):
        sources.fetch(host, settings(repository="/gone", version=source[2]))
    with pytest.raises(TrafficgenError, match=f"has no commit {'1' * 40}"):
        sources.fetch(host, settings(repository=source[0], version="1" * 40))
    assert sources.source_state(host, settings(version=source[1])) == "ready"
    assert [path.name for path in host.path("/usr/src").iterdir() if "netmap" in path.name] == ["netmap"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to somebody else")
def test_somebody_elses_repository_is_read_as_its_owner(
    host: Any, source: tuple[str, str, str], tmp_path: Path
) -> None:
    who = tmp_path / "who"
    write(tmp_path / "tools/setpriv", f'#!/bin/sh\necho "$*" >{who}\nexec /usr/bin/setpriv "$@"\n', 0o755)
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is in folders that are root's alone
        repository = Path(shutil.copytree(source[0], f"{folder}/netmap"))
        Path(folder).chmod(0o755)
        for path in (repository, *repository.rglob("*")):
            os.chown(path, 65534, 65534)
        assert sources.fetch(host, settings(repository=str(repository), version=source[1])) == {"changed": True}
    assert who.read_text().startswith("--reuid=65534 --regid=65534 --clear-groups git upload-pack ")
    assert sources.upload_pack("https://github.com/luigirizzo/netmap.git") == []
    assert sources.upload_pack("ssh://host/repo") == []


def test_git_fetches_by_safe_ways_only(host: Any, source: tuple[str, str, str]) -> None:
    for repository in ("http://127.0.0.1:9/netmap.git", "git://127.0.0.1:9/netmap.git", "ext::sh -c true"):
        with pytest.raises(TrafficgenError, match=r"transport '(http|git|ext)' not allowed"):
            sources.fetch(host, settings(repository=repository, version=source[1]))
    assert sources.fetch(host, settings(repository=f"file://{source[0]}", version=source[1]))["changed"]


def test_a_commit_that_does_not_build_leaves_the_old_checkout(
    host: Any, built: Callable[..., dict[str, Any]], source: tuple[str, str, str], tmp_path: Path
) -> None:
    asked = built()
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match="make of netmap failed"):
        built(version=source[2])
    assert program.status(host, asked)["fetch"] is False
    assert program.status(host, asked)["build"] == []
    # From one to the other and back, without the repository.
    gone = {**asked, "repository": "/gone"}
    assert sources.fetch(host, {**gone, "version": source[2]}) == {"changed": True}
    assert sources.fetch(host, gone) == {"changed": True}
