# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap built for a kernel: configured, made, signed and verified."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.names import keeps_its_name
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.patching import (
    choose,
    over_netmap_s,
    preparation,
    unpack,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import (
    goes_over_netmap_s,
    not_beside,
    release_problems,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text, sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import (
    DEV_TOOLS,
    STATE,
    Host,
    driver_of,
    find_program,
    must,
    read_settings,
    run,
    write_file,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.install import install
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.installed import (
    modinfo,
    options_problem,
    refused_problem,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.safety import build_folders_problem
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.settings import (
    asked_drivers,
    configure_options,
    downloads,
    externals,
    headers_problem,
    inputs,
    kernel_folder,
    key_of,
    module_name,
    stock_name,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.source import (
    api_problem,
    fetch,
    netmap_problem,
    switch,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import reload_problem

# The tests in netmap's configure alone need 60 MB, a native driver tens more.
NEEDED_MB = 400
# configure and make have nothing to fetch: if they try, they get a proxy that does not exist. The files they unpack
# belong to root, whoever packed them.
CLOSED = {
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "ftp_proxy", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"
    ),
    "no_proxy": "",
    "NO_PROXY": "",
    "TAR_OPTIONS": "--no-same-owner --no-same-permissions",
}


# What a compiler, assembler, linker, modpost, a shell or make prints as the reason, before the "*** … Error 1" that
# make ends with. The role tcpreplay has the same in its vars.
REASONS = (
    r"\b[Ee]rror: ",
    r"^ERROR: ",
    r"undefined reference to",
    r"multiple definition of",
    r"cannot find -l",
    r": (line )?\d+: \S+: (command )?not found$",
    r"^make.*: No such file or directory$",
    r"\*\*\* No rule to make target",
)


def native_drivers(configure_output: str) -> list[str]:
    """The drivers that configure kept, from its last such line: it drops drivers that fail, and still succeeds."""
    lines = re.findall(r"^native drivers[ \t]*(.*)$", configure_output, re.MULTILINE)
    if not lines:
        raise TrafficgenError(
            "configure did not print a line 'native drivers': this is not a netmap this role knows. Check"
            " netmap_version."
        )
    return str(lines[-1]).split()


def failed_step(step: str, kernel: str, log: Path) -> TrafficgenError:
    """The error of a failed step, with the end of its log."""
    said = read_text(log)
    if "No space left on device" in said:
        return TrafficgenError(
            f"{step} of netmap for kernel {kernel} ran out of space in {log.parent}. Free some space there."
        )
    lines = [line for line in said.splitlines() if line.strip()]
    reasons = [line for line in lines if re.search("|".join(REASONS), line)]
    errors = [
        line
        for line in lines
        if re.search(r"ERROR|Error \d|\*\*\*", line) and not re.fullmatch(r"[* ]*(ERROR)?[* ]*", line)
    ]
    said = " | ".join(reasons[:3] or errors[:3] or lines[-3:])
    return TrafficgenError(f"{step} of netmap failed for kernel {kernel}: {said}. All of it is in {log}.")


def build(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Build for the kernel, verify, install, and load if it is running; write the stamp last. A failure changes
    nothing."""
    try:
        return build_and_install(host, settings, kernel)
    except BaseException:
        with contextlib.suppress(TrafficgenError, OSError):
            switch(host, read_settings(host))
        raise


def build_and_install(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """What :func:`build` does where nothing fails."""
    problems = [headers_problem(host, settings, kernel), tools_problem(host, settings, [kernel])]
    problems += [*version_problems(host, settings, kernel), signing_problem(host, settings)]
    problems.append(build_folders_problem(host, settings, kernel))
    if kernel == host.running and settings["service"]:
        problems += [refused_problem(host, settings), reload_problem(host, settings, settings["native_devices"])]
    for problem in filter(None, problems):
        raise TrafficgenError(problem)
    fetch(host, settings)
    source = host.path(settings["source_dir"])
    if problem := api_problem(settings["version"], read_text(source / "sys/net/netmap.h")):
        raise TrafficgenError(problem)
    parts = inputs(host, settings, kernel)
    folder = host.build_folder(kernel)
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    host.path(STATE).mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.mkdir(parents=True)
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MB:
        raise TrafficgenError(
            f"{folder} has {free} MB free, and a build takes up to {NEEDED_MB} MB. Free some space there."
        )
    place_archives(host, settings)
    patches, left_out = place_patches(host, settings, kernel, folder)

    log = folder / "configure.log"
    # Without these, netmap's configure and Intel's make files look for the running kernel's sources, whatever kernel
    # they build for: on Debian, where these are in a folder of their own, an external driver would not be built.
    release = {"kernelver": kernel, "BUILD_KERNEL": kernel}
    rest = [driver for driver in settings["external_drivers"] if driver["name"] not in left_out]
    options = configure_options({**settings, "external_drivers": rest}, kernel, kernel_folder(host, settings, kernel))
    configure = [str(source / "configure"), *options]
    if run(configure, log=log, cwd=folder, **release, **CLOSED).returncode != 0:
        raise failed_step("configure", kernel, log)
    drivers = native_drivers(read_text(log))
    log = folder / "make.log"
    make = ["make", f"-j{int(settings['jobs']) or os.cpu_count() or 1}"]
    # The drivers' sources come first: the rule of netmap.ko uses those that exist when it starts.
    steps = [[f"get-{driver}" for driver in drivers]] if drivers else []
    for targets in (*steps, []):
        if run([*make, *targets], log=log, cwd=folder, **release, **CLOSED).returncode != 0:
            raise failed_step("make", kernel, log)
        if targets and (problem := beside_problem(host, settings, folder, drivers)):
            raise TrafficgenError(problem)

    modules = collect(folder, settings["driver_suffix"])
    missing = [
        name for name in asked_drivers(settings) if name not in drivers or module_name(name, settings) not in modules
    ]
    if missing and settings["missing_drivers"] == "fail":
        raise TrafficgenError(
            f"netmap was built for kernel {kernel} without the native drivers asked for: {', '.join(missing)} (built:"
            f" {', '.join(drivers) or 'none'}). The reasons are in {folder}/configure.log and {folder}/config.log. Give"
            " their sources (netmap_kernel_sources, netmap_external_drivers), ask for others (netmap_drivers), or set"
            " netmap_missing_drivers: warn. What was installed before is unchanged."
        )
    for path in modules.values():
        must(["strip", "--strip-debug", str(path)], f"{path} cannot be stripped")
        sign(host, settings, kernel, path)
        verify(kernel, path, settings)
    if problem := options_problem(modules["netmap"], settings):
        raise TrafficgenError(problem)
    apps = {name: folder / "build-apps" / name / name for name in settings["apps"]}
    for name, path in apps.items():
        if not path.is_file():
            raise TrafficgenError(
                f"netmap's program {name} was not built for kernel {kernel}: see {folder}/make.log, and netmap_apps."
            )

    stamp = {
        "key": key_of(parts),
        **parts,
        "repository": settings["repository"],
        "kernel_dir": str(kernel_folder(host, settings, kernel)),
        "drivers": [name for name in drivers if module_name(name, settings) in modules],
        "missing": missing,
        "patches": patches,
        "vermagic": modinfo(modules["netmap"], "vermagic"),
        "srcversion": modinfo(modules["netmap"], "srcversion") or None,
        "signer": modinfo(modules["netmap"], "signer") or None,
        "seconds": round(time.monotonic() - started, 1),
        "built": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    }
    install(host, settings, kernel, modules, apps, stamp)
    clear_objects(folder)
    return {
        "changed": True,
        "kernel": kernel,
        "drivers": stamp["drivers"],
        "missing": missing,
        "patches": patches,
        "seconds": stamp["seconds"],
    }


def version_problems(host: Host, settings: Mapping[str, Any], kernel: str) -> list[str]:
    """The versions of netmap and external drivers that are known not to build for this kernel."""
    # Debian has the headers that all its kernels of a version share in another folder, the link "source".
    places = (kernel_folder(host, settings, kernel), host.path(f"/lib/modules/{kernel}/source"))
    headers = [read_text(place / "include/net/udp_tunnel.h") for place in places]
    may_sleep = not any(headers) or any("UDP_TUNNEL_NIC_INFO_MAY_SLEEP" in text for text in headers)
    return [netmap_problem(settings["version"], kernel), *release_problems(settings, kernel, may_sleep=may_sleep)]


def tools_problem(host: Host, settings: Mapping[str, Any], kernels: Iterable[str]) -> str:
    """Which programs a build for these kernels lacks here, as a sentence."""
    names = ["git", "make", "gcc", "strip", "depmod", "modinfo"]
    if asked_drivers(settings):
        names.append("patch")
    if missing := [name for name in names if not find_program(name)]:
        return f"Missing on this host: {', '.join(missing)}. {DEV_TOOLS}."
    for folder in (kernel_folder(host, settings, kernel) for kernel in kernels):
        # scripts/Makefile.modfinal: with a vmlinux, make runs pahole, and ends with status 127 where there is none.
        btf = (folder / "vmlinux").exists() and "CONFIG_DEBUG_INFO_BTF_MODULES=y" in read_text(folder / ".config")
        if btf and not find_program("pahole"):
            return (
                f"Missing on this host: pahole. The headers in {folder} have a vmlinux, so make needs it. {DEV_TOOLS}:"
                " the package dwarves (EL) or pahole (Debian)."
            )
    zipped = [driver["name"] for driver in externals(settings) if driver["place"].endswith(".zip")]
    if zipped and not find_program("unzip"):
        return (
            f"Missing on this host: unzip. The archive of {', '.join(zipped)} in netmap_external_drivers needs it."
            f" {DEV_TOOLS}."
        )
    return ""


def place_patches(host: Host, settings: Mapping[str, Any], kernel: str, folder: Path) -> tuple[list[str], list[str]]:
    """Tell netmap's configure which patch to use where it has none for the version, or one was given, and how to
    prepare a source. Returns how the patches fit, a sentence each, and the drivers that none of netmap's fits, where
    these may be missing."""
    told, lines, left_out = [], [], []
    patches = host.path(settings["source_dir"]) / "LINUX/final-patches"
    for driver in externals(settings):
        name = driver["name"]
        if not driver["version"]:
            continue  # virtio_net.c, of which netmap knows one
        source = folder / "source" / name
        unpack(host.path(driver["archive"]), name, driver["version"], source)
        command = preparation(source, name)
        own = host.path(driver["patch_file"]) if driver["patch_file"] else None
        over = own if goes_over_netmap_s(driver) else None
        try:
            patch, note = choose(patches, None if over else own, driver, kernel, source)
        except TrafficgenError as error:
            if (own and not over) or settings["missing_drivers"] == "fail":
                raise TrafficgenError(f"{error.message} Nothing was built.") from None
            left_out.append(name)
            told.append(f"{error.message} {name} was left out.")
            continue
        texts: tuple[str, ...] = (patch,)
        notes = [note]
        if over:
            try:
                texts, said = over_netmap_s(patches, over, driver, patch, source)
            except TrafficgenError as error:
                raise TrafficgenError(f"{error.message} Nothing was built.") from None
            notes.append(said)
        files = [folder / f"{name}{end}.patch" for end in ("", "-over")]
        used = [(file, text) for file, text in zip(files, texts) if text]
        for file, text in used:
            file.write_bytes(text.encode("latin-1"))
        if used:
            # netmap's make files apply them in this order.
            lines.append(f"{name}@patch := {' '.join(str(file) for file, _text in used)}\n")
        told += [note for note in notes if note]
        if command:
            lines.append(f"{name}@prepare := {command}\n")
    if lines:
        # netmap's default-config.mak.in_ names this file, for overrides of its variables.
        write_file(folder / "config.mak", "".join(lines).encode())
    shutil.rmtree(folder / "source", ignore_errors=True)
    return told, left_out


def beside_problem(host: Host, settings: Mapping[str, Any], folder: Path, drivers: Iterable[str]) -> str:
    """Which of the devices named has a driver whose patched source, prepared in ``folder``, keeps the stock name."""
    headers = host.path(settings["source_dir"]) / "LINUX"
    for driver in drivers:
        name = driver.removesuffix(".c")
        for address in settings["native_devices"]:
            stock = stock_name(driver_of(host, address), settings)
            if stock == name and keeps_its_name(folder / driver, headers, name):
                return f"{not_beside(address, name)} Nothing was installed."
    return ""


def place_archives(host: Host, settings: Mapping[str, Any]) -> None:
    """Verify the external drivers' archives and put them where configure finds them, so that it downloads nothing."""
    for needed in downloads(settings):
        archive = host.path(needed["archive"])
        if sha256(archive) != needed["sha256"]:
            raise TrafficgenError(
                f"{archive} is missing, or its checksum is not the one given for {needed['name']}. Run the role netmap"
                " again."
            )
    for driver in externals(settings):
        archive = host.path(driver["archive"])
        place = host.path(settings["source_dir"]) / "LINUX/ext-drivers" / driver["place"]
        if sha256(place) != driver["sha256"]:
            write_file(place, archive.read_bytes())


def collect(folder: Path, suffix: str) -> dict[str, Path]:
    """The modules that were built, by name: netmap and those with the suffix."""
    found = {}
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "netmap-tmpdir"]
        for name in names:
            module, extension = os.path.splitext(name)
            if extension == ".ko" and (module == "netmap" or module.endswith(suffix)):
                found[module] = Path(where) / name
    if "netmap" not in found:
        raise TrafficgenError(f"make succeeded, but there is no netmap.ko in {folder}. See {folder}/make.log.")
    return found


def verify(kernel: str, module: Path, settings: Mapping[str, Any]) -> None:
    """Raise if the module is for another kernel, or is not signed but should be."""
    release = modinfo(module, "vermagic").partition(" ")[0]
    if release != kernel:
        raise TrafficgenError(
            f"{module} was built for kernel {release or 'unknown'}, not for {kernel}. Check netmap_kernel_dir."
        )
    if settings["signing_key"] and not modinfo(module, "sig_id"):
        raise TrafficgenError(
            f"{module} was signed but has no signature. Check netmap_signing_key and netmap_signing_cert."
        )


def sign(host: Host, settings: Mapping[str, Any], kernel: str, module: Path) -> None:
    """Sign the module with the kernel's own program."""
    if not settings["signing_key"]:
        return
    folder = kernel_folder(host, settings, kernel)
    digest = re.search(r'^CONFIG_MODULE_SIG_HASH="(\w+)"', read_text(folder / ".config"), re.MULTILINE)
    program = folder / "scripts/sign-file"
    if not program.exists():
        raise TrafficgenError(f"{program} is missing. It signs modules. {DEV_TOOLS}, with the kernel's headers.")
    key, certificate = (str(host.path(settings[name])) for name in ("signing_key", "signing_cert"))
    must(
        [str(program), digest[1] if digest else "sha256", key, certificate, str(module)],
        f"{module} cannot be signed with {key}",
    )


def signing_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Why modules cannot be signed as asked."""
    for name in ("signing_key", "signing_cert"):
        if settings[name] and not host.path(settings[name]).is_file():
            return f"netmap_{name}: there is no file {settings[name]} on this host. Put it there first, with mode 0600."
    return ""


def clear_objects(folder: Path) -> None:
    """Keep only the logs of a build that is installed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.suffix not in (".log", ".status", ".h", ".patch"):
            path.unlink()
