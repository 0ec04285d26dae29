# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/package: the command as one file, and what the boot unit lets it use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import package

MODULE_UTILS = Path(__file__).parents[5] / "plugins" / "module_utils"
# ctypes wants memory that can be written and executed; the others open sockets that the unit does not allow.
CLOSED = {"ctypes", "_ctypes", "http.client", "urllib.request", "ssl", "_ssl"}
# A tenth of the command's start-up time, and not needed.
SLOW = {"dataclasses", "datetime", "gzip", "inspect"}


@pytest.fixture
def command(tmp_path):
    path = tmp_path / "trafficgen-netmap"
    path.write_bytes(package.packed())
    path.chmod(0o755)
    return path


def test_the_same_files_give_the_same_bytes():
    assert package.packed() == package.packed()
    assert package.packed().startswith(b"#!/usr/bin/python3\n")


@pytest.mark.parametrize("interpreter", [sys.executable, "/usr/bin/python3"])
def test_it_runs_without_the_collection(command, interpreter, tmp_path):
    done = subprocess.run(
        [interpreter, "-I", command, "no-such-command"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(
        ("/etc/trafficgen-netmap.json cannot be read", "netmap's modules and settings need root")
    )


def test_it_is_all_that_it_imports():
    """Each part, read by Python's own parser: what it imports from the collection is packed, and nothing else."""
    needed, seen = ["_netmap.program"], set()
    while needed:
        part = needed.pop()
        seen.add(part)
        for node in ast.walk(ast.parse((MODULE_UTILS / f"{part.replace('.', '/')}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.ROOT):
                named = node.module[len(package.ROOT) + 1 :]
                room = (MODULE_UTILS / named).is_dir()
                needed += ({f"{named}.{alias.name}" for alias in node.names} if room else {named}) - seen
    assert seen == set(package.PARTS)


def test_the_unit_s_commands_load_nothing_that_the_unit_forbids(command):
    shown = "import runpy, sys; sys.argv[1:] = ['status']\n"
    shown += f"try: runpy.run_path({str(command)!r})\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", shown], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.program" in loaded
    assert not loaded & (CLOSED | SLOW)


@pytest.mark.parametrize("part", package.PARTS)
def test_no_part_opens_a_socket_but_netlink_s_or_enters_a_namespace(part):
    text = (MODULE_UTILS / f"{part.replace('.', '/')}.py").read_text()
    names = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    imported = {
        alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not names & {"setns", "unshare", "memfd_create"}
    if part == "_nic.netlink":
        assert {name for name in names if name.startswith("AF_")} == {"AF_NETLINK"}
        imported.remove("socket")
    assert not imported & {"socket", "ctypes", "mmap", "multiprocessing", "asyncio"}
