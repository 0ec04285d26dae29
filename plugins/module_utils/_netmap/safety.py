# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that only root can write the folders of a build and those above them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import STATE, Host
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.settings import kernel_folder, per_kernel


def writer(path: Path) -> str:
    """Who besides root can write a file or folder, in words; empty if nobody."""
    about = path.lstat()
    if about.st_uid not in (0, os.geteuid()):
        return f"belongs to {name_of(about.st_uid)}"
    if stat.S_ISLNK(about.st_mode):
        return ""
    if about.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if not about.st_mode & stat.S_IWGRP:
        return ""
    # With an access control list, the group bits are the maximum for its entries.
    with contextlib.suppress(OSError):
        os.getxattr(path, "system.posix_acl_access")
        return "can be written by those in its access control list (getfacl shows it)"
    who = members(about.st_gid)
    return f"can be written by {who}" if who else ""


def name_of(uid: int) -> str:
    """A login's name, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the login {uid}"


def members(gid: int) -> str:
    """Who besides root is in a group, in words. Debian's groups for /usr/src and /usr/local (src, staff) are empty."""
    try:
        group = grp.getgrgid(gid)
        name, listed = group.gr_name, set(group.gr_mem)
    except KeyError:
        name, listed = str(gid), set()
    listed |= {login.pw_name for login in pwd.getpwall() if login.pw_gid == gid}
    listed.discard("root")
    if gid >= 1000:
        # A login's own group: a directory service need not list its members.
        return f"the group {name}"
    return f"the group {name} ({', '.join(sorted(listed))})" if listed else ""


def unsafe(host: Host, folder: str) -> str:
    """Why root must not build in a folder, or from it: somebody else can write there or in a folder above.

    Of a folder that is not there yet, those above it count: root makes it. A link is followed, if nobody else can put
    another in its place.
    """
    place, todo, steps = host.root, [part for part in Path(folder).parts if part != "/"], 0
    while True:
        try:
            who = writer(place)
            link = os.readlink(place) if place.is_symlink() else ""
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if who or steps > 100:
            return f"{place} {who or 'is a symbolic link that leads to itself'}"
        if link:
            place = host.root if link.startswith("/") else place.parent
            todo = [part for part in Path(link).parts if part != "/"] + todo
        if not todo:
            return ""
        steps += 1
        part = todo.pop(0)
        place = (place if place == host.root else place.parent) if part == ".." else place / part


def folder_problem(host: Host, folder: str, what: str) -> str:
    """:func:`unsafe` as a sentence."""
    why = unsafe(host, folder)
    if not why:
        return ""
    return (
        f"{what}: {why}, and what is built there runs as root. Name a folder that only root can write to, and whose"
        " parents only root can write to. Or look at what is in it, then change its permissions."
    )


def source_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Why not to build from the checkout or run git in it: git runs commands from its settings."""
    name = settings["source_dir"]
    folder = host.path(name)
    if folder.is_symlink():
        return f"netmap_source_dir: {name} is a symbolic link, which the role would replace. Name the folder itself."
    if problem := folder_problem(host, name, "netmap_source_dir"):
        return problem
    for where, folders, names in os.walk(folder):
        for entry in (*folders, *names):
            with contextlib.suppress(FileNotFoundError):
                if who := writer(Path(where) / entry):
                    return f"netmap_source_dir: {where}/{entry} {who}. Move {name} away: the role fetches it anew."
    return ""


def build_folders_problem(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """The folders of a build that somebody else can write."""
    folders = {
        "The build's folder": f"{STATE}/build/netmap/{kernel}",
        "The archives' folder": f"{STATE}/archives/netmap",
        "The stamps' folder": f"{STATE}/stamps",
        "netmap_kernel_dir": "/" + str(kernel_folder(host, settings, kernel).relative_to(host.root)),
    }
    if settings["kernel_sources"]:
        folders["netmap_kernel_sources"] = per_kernel(settings["kernel_sources"], kernel)
    return next(filter(None, (folder_problem(host, folder, what) for what, folder in folders.items())), "")
