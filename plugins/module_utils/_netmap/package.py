# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command trafficgen-netmap as one file: the very files that the modules use, zipped behind a ``#!`` line.

A host needs it without Ansible and without the collection: at boot, after a kernel update, by hand. The same files give
the same bytes, so that a comparison tells whether it is to be written.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile

ROOT = "ansible_collections.wirespeed.trafficgen.plugins.module_utils"
# What the program imports of the collection, itself included. The boot unit allows it no socket but AF_UNIX and
# AF_NETLINK, no other namespace and no memory that can be written and executed: nothing here may need more.
PARTS = (
    "_errors",
    "_external.names",
    "_external.patching",
    "_external.releases",
    "_host.commands",
    "_host.files",
    "_nic.management",
    "_nic.names",
    "_nic.netlink",
    "_nic.rtnetlink",
    "_netmap.build",
    "_netmap.drivers",
    "_netmap.host",
    "_netmap.install",
    "_netmap.installed",
    "_netmap.program",
    "_netmap.safety",
    "_netmap.settings",
    "_netmap.source",
    "_netmap.uses",
)
MAIN = f"""import sys

from {ROOT}._netmap.program import main

sys.exit(main(sys.argv[1:]))
"""
_DATE = (1980, 1, 1, 0, 0, 0)  # zip's first


def packed() -> bytes:
    """The file as it is to be on the host."""
    files = {"__main__.py": MAIN}
    for part in PARTS:
        name = f"{ROOT}.{part}"
        folders = name.split(".")[:-1]
        for depth in range(1, len(folders) + 1):
            files["/".join([*folders[:depth], "__init__.py"])] = ""
        files[name.replace(".", "/") + ".py"] = _source(name)
    target = io.BytesIO()
    target.write(b"#!/usr/bin/python3\n")
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, _DATE), content)
    return target.getvalue()


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    source = spec.loader.get_source(name) if spec and spec.loader else None  # type: ignore[attr-defined]
    if source is None:
        raise AssertionError(f"{name} has no source here")
    # Ansible's own loader, on the controller, gives bytes.
    return source.decode("utf-8") if isinstance(source, bytes) else str(source)
