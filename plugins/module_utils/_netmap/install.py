# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap's modules and the role's other files: put in place together, and removed."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_bytes, sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.drivers import unload
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import (
    LOCK,
    PROGRAM,
    SETTINGS,
    STATE,
    UNIT,
    UNIT_FILE,
    Host,
    find_program,
    is_loaded,
    must,
    run,
    write_file,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.settings import (
    is_installed,
    read_stamp,
    stamped_kernels,
    wanted_kernels,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.source import MARK
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import reload_problem

# The role's files beside the modules. Which of them there are is the role's choice.
OTHER_FILES = (
    UNIT_FILE,
    "/etc/modprobe.d/trafficgen-netmap.conf",
    "/etc/kernel/install.d/95-trafficgen-netmap.install",
    "/etc/kernel/postinst.d/zz-trafficgen-netmap",
    "/etc/kernel/header_postinst.d/zz-trafficgen-netmap",
    "/etc/kernel/postrm.d/zz-trafficgen-netmap",
    SETTINGS,
    PROGRAM,
)


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to store: without the files and the program that the role passes with them."""
    return {name: value for name, value in settings.items() if name not in ("files", "program")}


def own_files(settings: Mapping[str, Any]) -> dict[str, bytes | None]:
    """The wanted files beside the modules; None for one that must not exist. Without the role, only the settings."""
    wanted: dict[str, bytes | None] = {}
    if "files" in settings:
        wanted.update(dict.fromkeys(OTHER_FILES))
        wanted.update((path, content.encode()) for path, content in settings["files"].items())
        wanted[PROGRAM] = settings["program"]
    wanted[SETTINGS] = (json.dumps(plain(settings), indent=4, sort_keys=True) + "\n").encode()
    return wanted


def mode_of(path: str) -> int:
    """The mode of one of them, or of a module."""
    return 0o755 if path == PROGRAM or path.startswith("/etc/kernel/") else 0o644


def unlike(host: Host, settings: Mapping[str, Any]) -> dict[str, bytes | None]:
    """Those of them that differ from what is wanted."""
    return {
        path: content
        for path, content in own_files(settings).items()
        if not is_as_wanted(host.path(path), content, mode_of(path))
    }


def is_as_wanted(path: Path, content: bytes | None, mode: int) -> bool:
    """Whether a file has this content, mode and owner; for None, whether it is missing."""
    if content is None or read_bytes(path) != content:
        return content is None and not path.exists()
    about = path.stat()
    return about.st_mode & 0o7777 == mode and about.st_uid == os.geteuid()


def install(
    host: Host,
    settings: Mapping[str, Any],
    kernel: str,
    modules: Mapping[str, Path],
    apps: Mapping[str, Path],
    stamp: dict[str, Any],
) -> None:
    """Put the modules in place of the old ones, load them if the kernel runs, and write the stamp."""
    new = {f"/lib/modules/{kernel}/extra/{name}.ko": path.read_bytes() for name, path in modules.items()}
    # Also a netmap.ko from before this role, perhaps compressed.
    old = {
        *read_stamp(host, kernel).get("files", {}),
        *new,
        *(f"{path}{end}" for path in new for end in (".xz", ".zst", ".gz")),
    }
    replace(host, settings, kernel, new, old, loads=kernel == host.running and settings["service"])
    for name, program in apps.items():
        write_file(host.path(f"/usr/local/bin/{name}"), program.read_bytes(), 0o755)
    stamp["files"] = {path: sha256(host.path(path)) for path in sorted(new)}
    stamp["apps"] = [f"/usr/local/bin/{name}" for name in sorted(apps)]
    write_file(host.stamp(kernel), (json.dumps(stamp, indent=2, sort_keys=True) + "\n").encode())


def replace(
    host: Host, settings: Mapping[str, Any], kernel: str, new: Mapping[str, bytes], old: Iterable[str], *, loads: bool
) -> dict[str, Any]:
    """Replace modules and the role's files, and reload if asked; on failure restore the old ones."""
    was_loaded = is_loaded(host)
    files = unlike(host, settings)
    kept = {path: content for path in sorted({*old, *files}) if (content := read_bytes(host.path(path))) is not None}
    everything = {**new, **{path: content for path, content in files.items() if content is not None}}
    no_unit = UNIT_FILE in kept and UNIT_FILE not in everything and UNIT_FILE in files
    if (loads or no_unit) and (problem := reload_problem(host, settings, settings["native_devices"] if loads else ())):
        raise TrafficgenError(problem)
    try:
        if no_unit:
            systemctl(UNIT, "stop")
            systemctl(UNIT, "disable")
        for path, content in everything.items():
            write_file(host.path(path), content, mode_of(path))
        for path in set(kept) - set(everything):
            host.path(path).unlink()
        if old:
            settle(host, kernel)
        if UNIT_FILE in files:
            reload_systemd()
        if loads:
            activate(host, settings)
    except (TrafficgenError, OSError) as error:
        for path in set(everything) - set(kept):
            host.path(path).unlink(missing_ok=True)
        for path, content in kept.items():
            write_file(host.path(path), content, mode_of(path))
        if old:
            settle(host, kernel)
        again = ""
        try:
            if UNIT_FILE in files:
                reload_systemd()
                if UNIT_FILE not in kept:
                    run(["systemctl", "reset-failed", UNIT])
            if no_unit:
                systemctl(UNIT, "enable")
            if was_loaded and (loads or no_unit):
                activate(host, settings)
        except TrafficgenError as second:
            again = f" Loading the old module again failed as well: {second}"
        raise TrafficgenError(f"{error} What was there before is back in place.{again}") from None
    return {"changed": loads or bool(everything or kept), "files": sorted(files)}


def reload_systemd() -> None:
    """Make systemd read the unit, or notice that it is gone."""
    must(["systemctl", "daemon-reload"], "systemd did not reload")


def settle(host: Host, kernel: str) -> None:
    """The modules' list and their SELinux label."""
    must(["depmod", *(["-b", str(host.root)] if str(host.root) != "/" else []), "-a", kernel], "depmod failed")
    restorecon = find_program("restorecon")
    if restorecon and host.path("/sys/fs/selinux/enforce").exists() and host.modules(kernel).is_dir():
        must([restorecon, "-R", str(host.modules(kernel))], "the SELinux label cannot be set")


def activate(host: Host, settings: Mapping[str, Any]) -> None:
    """Reload netmap from the installed modules, through the unit."""
    if problem := reload_problem(host, settings, settings["native_devices"]):
        raise TrafficgenError(problem)
    systemctl(UNIT, "stop")
    unload(host, settings)
    systemctl(UNIT, "start")


def systemctl(unit: str, verb: str) -> None:
    """Start or stop a unit; on failure report its message from the journal."""
    since = time.time()
    if run(["systemctl", verb, unit]).returncode == 0:
        return
    said = run(
        ["journalctl", "-q", "-u", unit, "-t", "trafficgen-netmap", "-o", "cat", f"--since=@{int(since) - 1}"]
    ).stdout
    last = said.strip().splitlines()[-1:] or [f"see: journalctl -u {unit}"]
    raise TrafficgenError(f"{unit} does not {verb}: {last[0]}")


def is_gone(host: Host, kernel: str, kernels: Iterable[str]) -> bool:
    """Whether a kernel that we built for is gone."""
    return kernel != host.running and kernel not in kernels and not is_installed(host, kernel)


def remove_kernel(host: Host, kernel: str) -> None:
    """Remove what was built for one kernel."""
    files = read_stamp(host, kernel).get("files", {})
    for path in files:
        host.path(path).unlink(missing_ok=True)
    if is_installed(host, kernel):
        settle(host, kernel)
    else:
        # Only depmod's lists are left of it.
        for path in glob.glob(str(host.path(f"/lib/modules/{kernel}/modules.*"))):
            Path(path).unlink()
    for folder in (host.modules(kernel), host.modules(kernel).parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
    shutil.rmtree(host.build_folder(kernel), ignore_errors=True)
    host.stamp(kernel).unlink(missing_ok=True)


def prune(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what was built for kernels that are gone."""
    kernels = wanted_kernels(host, settings)
    gone = [kernel for kernel in stamped_kernels(host) if is_gone(host, kernel, kernels)]
    for kernel in gone:
        remove_kernel(host, kernel)
    return {"changed": bool(gone), "kernels": gone}


def leftovers(host: Host, settings: Mapping[str, Any]) -> list[Path]:
    """The role's files on this host beside the modules."""
    source = host.path(settings["source_dir"])
    apps = {path for kernel in stamped_kernels(host) for path in read_stamp(host, kernel).get("apps", [])}
    ours = [source] if (source / ".git" / MARK).exists() else []
    paths = [
        *map(host.path, sorted(apps)),
        host.path(f"{STATE}/build/netmap"),
        host.path(f"{STATE}/archives/netmap"),
        *ours,
    ]
    return [path for path in (*paths, *map(host.path, OTHER_FILES)) if path.exists()]


def remove(host: Host, settings: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Unload netmap and remove all of it; with ``check``, only report what is there."""
    kernels = stamped_kernels(host)
    paths = leftovers(host, settings)
    unit = host.path(UNIT_FILE).exists()
    changed = bool(kernels or paths)
    if changed and (problem := reload_problem(host, settings)):
        raise TrafficgenError(problem)
    if changed and not check:
        if unit:
            systemctl(UNIT, "stop")
            systemctl(UNIT, "disable")
        unload(host, settings)
        for kernel in kernels:
            remove_kernel(host, kernel)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        host.path(LOCK).unlink(missing_ok=True)
        for folder in ("/build", "/archives", "/stamps", ""):
            with contextlib.suppress(OSError):
                host.path(f"{STATE}{folder}").rmdir()
        if unit:
            reload_systemd()
    return {"changed": changed, "kernels": kernels, "paths": [str(path) for path in paths]}
