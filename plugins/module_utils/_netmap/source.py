# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap's source: a checkout of one commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import NETMAP
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import API_VERSIONS, Host, must, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.safety import source_problem

# A checkout with this file in .git is ours: it may be replaced, and "remove" deletes it.
MARK = "trafficgen"
# The protocols that git may use, even after a redirect.
PROTOCOLS = "https:ssh:file"
# netmap's tags. They call do_gettimeofday(), which Linux 5.0 has no more, and so compile on no kernel of EL 9 or
# Debian 12 (v13.0 tried on 6.1).
TAGS = {
    "3ccdadad7d80bb1bc569d1f72ba3ece902350f65": "v11.0, of 2014",
    "7e9e5e7602f5c620ade87b722bed266dd4226031": "v11.1, of 2014",
    "18af5179486bb4339d09ad8a78756a03554d463a": "v11.2, of 2016",
    "6292c40b417146a94b78eb07828fe9c0345db77f": "v11.3, of 2017",
    "52330777e8fa723151a8d45f27969f99465a5479": "v11.4, of 2018",
    "6d3a00936a7dfae50d97b9f90d5f05bff235c86c": "v13.0, of 2019",
}


def git(host: Host, settings: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git on the checkout, which only root can write, without prompts."""
    if problem := source_problem(host, settings):
        raise TrafficgenError(problem)
    return run(
        ["git", "-C", str(host.path(settings["source_dir"])), *arguments],
        GIT_TERMINAL_PROMPT="0",
        GIT_ALLOW_PROTOCOL=PROTOCOLS,
    )


def source_state(host: Host, settings: Mapping[str, Any]) -> str:
    """``ready``: the commit asked for, unchanged; ``fetch``: to be fetched; ``foreign``: not the role's; ``unsafe``:
    not root's alone."""
    folder = host.path(settings["source_dir"])
    if source_problem(host, settings):
        return "unsafe"
    if not folder.exists() or not any(folder.iterdir()):
        return "fetch"
    ours = (folder / ".git" / MARK).exists()
    if not (folder / ".git").exists() or not shutil.which("git"):
        return "foreign" if not ours else "fetch"
    here = git(host, settings, "rev-parse", "HEAD").stdout.strip() == settings["version"]
    # configure refuses a separate build folder while this exists.
    configured = (folder / "LINUX/netmap_linux_config.h").exists()
    if here and not configured and not git(host, settings, "status", "--porcelain", "--untracked-files=no").stdout:
        return "ready"
    return "fetch" if ours else "foreign"


def fetch(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the checkout to the commit. The old one stays until the new one is complete."""
    state = source_state(host, settings)
    if state == "ready":
        return {"changed": False}
    if state == "unsafe":
        raise TrafficgenError(source_problem(host, settings))
    if state == "foreign":
        raise TrafficgenError(foreign_source(settings))
    if switch(host, settings):
        return {"changed": True}
    folder = host.path(settings["source_dir"])
    new = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    version, repository = settings["version"], settings["repository"]
    new.parent.mkdir(parents=True, exist_ok=True)

    as_owner = upload_pack(repository)

    def here(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(["git", "-C", str(new), *arguments], GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=PROTOCOLS)

    try:
        must(["git", "init", "-q", str(new)], f"{new} cannot be made")
        # One commit without history if the server allows fetching by hash; otherwise everything.
        if here("fetch", "-q", "--depth=1", *as_owner, repository, version).returncode != 0:
            done = here(
                "fetch", "-q", *as_owner, repository, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"
            )
            if done.returncode != 0:
                raise TrafficgenError(
                    f"netmap's source cannot be fetched from {repository}: {done.stderr.strip()}. Check the network and"
                    " the proxy of this host, or point netmap_repository at a copy: a URL, or a path on this host."
                )
        done = here("-c", "advice.detachedHead=false", "checkout", "-q", "--detach", version)
        if done.returncode != 0:
            raise TrafficgenError(
                f"{repository} has no commit {version}: {done.stderr.strip()}. Check netmap_version and"
                " netmap_repository."
            )
        # Keep the previous commit, in case this one does not build.
        if (folder / ".git").exists():
            here("fetch", "-q", "--update-shallow", str(folder), "+HEAD:refs/trafficgen/before")
        (new / ".git" / MARK).touch()
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return {"changed": True}


def upload_pack(repository: str) -> list[str]:
    """Git's option to read somebody else's repository on this host.

    Git refuses that to root, as what it runs there goes by that repository's settings, so by its owner's will.
    (safe.directory would have root trust them, and does not reach that program.) So it runs as that owner; what comes
    of it is known by its hash.
    """
    folder = Path(repository.removeprefix("file://"))
    if not folder.is_absolute() or not folder.is_dir():
        return []
    about = (folder / ".git" if (folder / ".git").exists() else folder).stat()
    if about.st_uid == os.geteuid():
        return []
    return [
        f"--upload-pack=env HOME=/ setpriv --reuid={about.st_uid} --regid={about.st_gid} --clear-groups git upload-pack"
    ]


def switch(host: Host, settings: Mapping[str, Any]) -> bool:
    """Bring the checkout to the commit without network access, if it already has it."""
    if not host.path(f"{settings['source_dir']}/.git/{MARK}").exists():
        return False
    git(host, settings, "-c", "advice.detachedHead=false", "checkout", "-q", "--force", "--detach", settings["version"])
    return source_state(host, settings) == "ready"


def foreign_source(settings: Mapping[str, Any]) -> str:
    """The sentence about a folder that is not the role's."""
    return (
        f"{settings['source_dir']} exists, but this role did not make it, and it is not an unchanged checkout of"
        f" {settings['version']}. Move it away, or set netmap_source_dir to another folder."
    )


def netmap_problem(version: str, kernel: str) -> str:
    """Whether a version of netmap is known not to compile on this kernel."""
    linux = tuple(map(int, re.findall(r"\d+", kernel)[:2]))
    if version == NETMAP and linux >= (7, 3):  # tried on 7.3.4. From 7.0 to 7.2 nobody has tried.
        return (
            f"netmap_version: {version} does not compile on kernel {kernel}: it uses strncpy(), which this kernel no"
            " longer has, and is made for Linux up to 6.19. Boot an older kernel, or set a later commit."
        )
    if version not in TAGS or linux < (5, 0):
        return ""
    return (
        f"netmap_version: {version} ({TAGS[version]}) does not compile on kernel {kernel}: it needs do_gettimeofday(),"
        f" which Linux 5.0 removed. Set a later commit, such as the role's default {NETMAP}."
    )


def api_problem(version: str, header: str) -> str:
    """Whether a checkout's sys/net/netmap.h has an API that the modules do not speak."""
    found = re.search(r"^[ \t]*#[ \t]*define\s+NETMAP_API\s+(\d+)", header, re.MULTILINE)
    if found and int(found[1]) in API_VERSIONS:
        return ""
    what = f"version {found[1]} of netmap's API" if found else "no NETMAP_API in its sys/net/netmap.h"
    return (
        f"netmap_version: {version} has {what}. The collection's modules speak versions {API_VERSIONS[-1]} to"
        f" {API_VERSIONS[0]}. Set another commit, such as the role's default {NETMAP}."
    )
