# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the settings of the role netmap: kernels, drivers, configure's options, the key of a build."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import goes_over_netmap_s
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text, sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import DEV_TOOLS, STATE, Host, run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.installed import stamp_of

# Part of every key: raise it when this program changes how it builds.
RECIPE = 1
# The file that configure downloads for an external driver, below LINUX/ext-drivers, unless it exists.
ARCHIVES = {
    "e1000e": "e1000e-{version}.tar.gz",
    "i40e": "i40e/v{version}.zip",
    "ice": "ice/v{version}.zip",
    "igb": "igb/v{version}.zip",
    "ixgbe": "ixgbe/v{version}.zip",
    "ixgbevf": "ixgbevf/v{version}.zip",
}
# mlx5 is netmap's, and not for us: its module is mlx5_core, on top of others of the same archive (mlx_compat, mlxfw),
# which have no suffix.
EXTERNAL = (*ARCHIVES, "mlx5", "virtio_net.c")


def wanted_kernels(host: Host, settings: Mapping[str, Any]) -> list[str]:
    """The kernel releases to build for."""
    kernels: list[str] = []
    for word in settings["kernels"]:
        if word == "running":
            kernels.append(host.running)
        elif word == "all_installed":
            kernels += installed_kernels(host)
        else:
            kernels.append(word)
    return list(dict.fromkeys(kernels))


def is_installed(host: Host, kernel: str) -> bool:
    """Whether the kernel is installed: a removed one leaves a folder without modules."""
    return host.path(f"/lib/modules/{kernel}/kernel").is_dir()


def installed_kernels(host: Host) -> list[str]:
    """The releases of the kernels that are installed."""
    return sorted(Path(folder).parent.name for folder in glob.glob(str(host.path("/lib/modules/*/kernel"))))


def per_kernel(template: str, kernel: str) -> str:
    """A path that may hold ``{kernel}``."""
    return template.replace("{kernel}", kernel)


def kernel_folder(host: Host, settings: Mapping[str, Any], kernel: str) -> Path:
    """The configured kernel folder to build against."""
    if settings["kernel_dir"]:
        return host.path(per_kernel(settings["kernel_dir"], kernel))
    packaged = host.path(f"/usr/src/kernels/{kernel}")  # EL's kernel-devel
    return packaged if packaged.is_dir() else host.path(f"/lib/modules/{kernel}/build")


def headers_problem(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """Why the kernel's headers cannot be used; empty if they can."""
    folder = kernel_folder(host, settings, kernel)
    devel = f"kernel-devel-{kernel} (EL) or linux-headers-{kernel} (Debian)"
    if not folder.is_dir():
        return f"There are no headers of kernel {kernel}: {folder} is missing. {DEV_TOOLS}: {devel}."
    release = re.search(r'UTS_RELEASE "([^"]*)"', read_text(folder / "include/generated/utsrelease.h"))
    if not release or not (folder / ".config").is_file():
        return (
            f"{folder} is not a configured kernel folder: it has no .config or no include/generated/utsrelease.h."
            f" Install {devel}."
        )
    if release[1] != kernel:
        return (
            f"{folder} has the headers of kernel {release[1]}, but netmap is built for {kernel}. "
            f"Install {devel}, or set netmap_kernel_dir to its folder, with {{kernel}} for the release."
        )
    return ""


def headers_identity(folder: Path) -> str:
    """The files of the kernel folder that a build depends on: a package update may keep the release's name."""
    names = (".config", "Module.symvers", "include/generated/utsrelease.h")
    return hashlib.sha256(" ".join(sha256(folder / name) for name in names).encode()).hexdigest()


def compiler(folder: Path) -> str:
    """The version line of the compiler that the kernel's makefiles use; empty without one."""
    kernels = re.search(r'^CONFIG_CC_VERSION_TEXT="(\S+)', read_text(folder / ".config"), re.MULTILINE)
    for name in (kernels[1] if kernels else "", "gcc"):
        if name and shutil.which(name):
            return run([name, "--version"]).stdout.partition("\n")[0]
    return ""


def externals(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """The external drivers, each with the archive's place here and its place in netmap's tree."""
    found = []
    for driver in settings["external_drivers"]:
        name = driver["name"]
        place = ARCHIVES.get(name, name).format(version=driver.get("version", ""))
        archive = f"{STATE}/archives/netmap/{place}"
        patch = f"{STATE}/archives/netmap/{name}.patch" if driver.get("patch") else ""
        digest = driver["checksum"].partition(":")[2]
        found.append(
            {"version": "", **driver, "place": place, "archive": archive, "sha256": digest, "patch_file": patch}
        )
    return found


def downloads(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the external drivers need, each with url, sha256, and its place here: their archives, and patches given."""
    found = []
    for driver in externals(settings):
        found.append({name: driver[name] for name in ("name", "url", "sha256", "archive")})
        if driver["patch_file"]:
            digest = driver["patch_checksum"].partition(":")[2]
            what = f"the patch of {driver['name']}"
            found.append({"name": what, "url": driver["patch"], "sha256": digest, "archive": driver["patch_file"]})
    return found


def asked_drivers(settings: Mapping[str, Any]) -> list[str]:
    """Every native driver that the build must produce."""
    return list(dict.fromkeys([*settings["drivers"], *(driver["name"] for driver in settings["external_drivers"])]))


def configure_options(settings: Mapping[str, Any], kernel: str, folder: Path) -> list[str]:
    """The options of netmap's configure."""
    options = [f"--kernel-dir={folder}", f"--driver-suffix={settings['driver_suffix']}", "--no-utils"]
    if settings["kernel_sources"]:
        options.append(f"--kernel-sources={per_kernel(settings['kernel_sources'], kernel)}")
    asked = asked_drivers(settings)
    if asked:
        options.append("--drivers=" + ",".join(asked))
    elif settings["no_drivers"]:
        options.append("--no-drivers=" + ",".join(settings["no_drivers"]))
    # configure would download the sources of those that are not named here, unchecked.
    external = [driver["name"] for driver in settings["external_drivers"]]
    if external:
        options.append("--no-ext-drivers=" + ",".join(name for name in EXTERNAL if name not in external))
        options += [
            f"--select-version={driver['name']}:{driver['version']}"
            for driver in settings["external_drivers"]
            if driver.get("version")
        ]
    else:
        options.append("--no-ext-drivers")
    options.append("--apps=" + ",".join(settings["apps"]) if settings["apps"] else "--no-apps")
    return options


def inputs(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Everything the result of a build depends on."""
    folder = kernel_folder(host, settings, kernel)
    certificate = settings["signing_cert"]
    over = sorted(driver["name"] for driver in settings["external_drivers"] if goes_over_netmap_s(driver))
    return {
        "recipe": RECIPE,
        "version": settings["version"],
        "options": configure_options(settings, kernel, folder),
        "compiler": compiler(folder),
        "kernel": kernel,
        "kernel_headers": headers_identity(folder),
        "archives": sorted(one["sha256"] for one in downloads(settings)),
        "missing_drivers": settings["missing_drivers"],
        "signing_cert": sha256(host.path(certificate)) if certificate else None,
        # Not where there is none: the keys of builds from before this was an option stay as they are.
        **({"patches_over_netmap": over} if over else {}),
    }


def key_of(parts: Mapping[str, Any]) -> str:
    """The key of a build: the same key, the same result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_stamp(host: Host, kernel: str) -> dict[str, Any]:
    """The stamp of the kernel's build; empty if there is no readable one."""
    return stamp_of(host, kernel) or {}


def stamped_kernels(host: Host) -> list[str]:
    """The kernels something was built for."""
    return sorted(Path(path).stem.removeprefix("netmap-") for path in glob.glob(str(host.stamp("*"))))


def is_built(host: Host, settings: Mapping[str, Any], kernel: str) -> bool:
    """Whether the kernel's installed build is the requested one and unchanged."""
    stamp = read_stamp(host, kernel)
    files = stamp.get("files") or {}
    if not files or stamp.get("key") != key_of(inputs(host, settings, kernel)):
        return False
    if any(sha256(host.path(path)) != digest for path, digest in files.items()):
        return False
    return all(host.path(path).exists() for path in stamp.get("apps", []))


def stock_name(driver: str, settings: Mapping[str, Any]) -> str:
    """The stock driver of a device's driver, which may be the native one. Where that takes its module's name, as ice,
    the kernel has an underscore for the hyphen."""
    suffix = settings["driver_suffix"]
    return driver[: -len(suffix)] if driver.replace("_", "-").endswith(suffix) else driver


def module_name(driver: str, settings: Mapping[str, Any]) -> str:
    """The module of a native driver."""
    return f"{driver.removesuffix('.c')}{settings['driver_suffix']}"
