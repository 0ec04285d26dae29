# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap on this host: built for a kernel, verified, put in place, loaded, unloaded, removed.

The module netmap_setup, the unit netmap.service and the hooks of a kernel update all come here, so that a module is
built and loaded in one way only. The settings are those of the role netmap; on the host they are in
/etc/trafficgen-netmap.json. As the command trafficgen-netmap (see package.py) it prints one JSON object; of a known
error it prints a sentence on standard error, and ends with status 3.

netmap_setup adds the role's other files as they are to be ("files": contents by path) and the command itself
("program"). These come with the modules and go with them, if that fails: all of it or nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import (
    keeps_its_name_on,
    not_beside,
    patch_note,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_bytes, read_text, sha256
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.build import (
    build,
    signing_problem,
    tools_problem,
    version_problems,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.drivers import load, macs, unload
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import (
    UNIT_FILE,
    Host,
    alone,
    devices_of,
    driver_of,
    holders,
    is_loaded,
    pci,
    read_settings,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.install import (
    is_gone,
    prune,
    remove_kernel,
    replace,
    unlike,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.installed import (
    is_loaded_file,
    module_file,
    options_problem,
    refused_problem,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.safety import (
    build_folders_problem,
    source_problem,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.settings import (
    asked_drivers,
    downloads,
    headers_problem,
    is_built,
    is_installed,
    read_stamp,
    stamped_kernels,
    stock_name,
    wanted_kernels,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.source import (
    fetch,
    foreign_source,
    source_state,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import device_problem, reload_problem

# Processor seconds of a build: netmap with configure's tests, and a driver, which configure builds as well as make.
# Measured: 54 for netmap, 231 with ixgbe and i40e; ice is three times as large.
NETMAP_SECONDS, DRIVER_SECONDS = 60, 120

USAGE = """Usage: trafficgen-netmap COMMAND

  status              what is built and loaded, what would be done, as JSON
  fetch               bring the source to the commit in /etc/trafficgen-netmap.json
  build KERNEL        build for a kernel, verify, install; load if it runs
  load KERNEL         load netmap, give the named devices to their native drivers
  unload              give them back, unload netmap
  activate            unload, and load anew through netmap.service
  prune               remove the builds of kernels that are gone
  hook add|removing|remove KERNEL
"""


def resolve_devices(host: Host, settings: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The PCI addresses of the devices named, by address or interface, and what is wrong with them."""
    addresses, problems = [], []
    asked = [name.removesuffix(".c") for name in asked_drivers(settings)]
    for name in settings["native_devices"]:
        address = name
        if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", name):
            device = host.path(f"/sys/class/net/{name}/device")
            if not device.exists():
                problems.append(
                    f"netmap_native_devices: {name} is neither a PCI address (0000:00:10.0) nor an interface of a PCI"
                    " device here."
                )
                continue
            address = device.resolve().name
        if not pci(host, address).exists():
            problems.append(f"netmap_native_devices: there is no PCI device {address} here. lspci -D lists them.")
            continue
        addresses.append(address)
        driver = driver_of(host, address)
        of_kernel = driver not in [one["name"] for one in settings["external_drivers"]]
        if of_kernel and keeps_its_name_on(driver, host.running):
            problems.append(not_beside(name, driver))
        elif driver and stock_name(driver, settings) == driver and driver not in asked:
            problems.append(f"netmap_native_devices: {name} has the driver {driver}, which is not in netmap_drivers.")
        if stock_name(driver, settings) == driver and (problem := device_problem(host, settings, address)):
            problems.append(f"netmap_native_devices: {problem}")
    return addresses, problems


def needs_restart(host: Host, settings: Mapping[str, Any], devices: Sequence[str]) -> bool:
    """Whether the loaded modules differ from the installed ones or from the settings."""
    if not is_loaded(host):
        return False  # only the unit has to be started
    if not is_loaded_file(host, module_file(host, host.running, "netmap")):
        return True
    for name, value in settings["module_options"].items():
        if read_text(host.path(f"/sys/module/netmap/parameters/{name}")) != str(value):
            return True
    # An option that is no longer set: only the module knows its default.
    with contextlib.suppress(TrafficgenError):
        if set(read_settings(host)["module_options"]) - set(settings["module_options"]):
            return True
    return {address for module in holders(host) for address in devices_of(host, module)} != set(devices)


def status(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The current state, the work to do, and what prevents it. Read-only."""
    kernels = wanted_kernels(host, settings)
    source = source_state(host, settings)
    devices, problems = resolve_devices(host, settings)
    todo = [kernel for kernel in kernels if not is_built(host, settings, kernel)]
    archives = [one for one in downloads(settings) if todo and sha256(host.path(one["archive"])) != one["sha256"]]
    # The role dev_tools installs these: in check mode, in which it did nothing yet, they may be missing.
    lacking = [headers_problem(host, settings, kernel) for kernel in todo]
    if todo:
        lacking.insert(0, tools_problem(host, settings, todo))
    lacking += [
        f"netmap_external_drivers: there is no file {path} on this host, where {one['name']} is to come from. Put it"
        " there, or correct its address."
        for one, path in ((one, one["url"].removeprefix("file://")) for one in archives)
        if path.startswith("/") and not host.path(path).is_file()
    ]
    if source == "foreign":
        problems.append(foreign_source(settings))
    elif source == "unsafe":
        problems.append(source_problem(host, settings))
    for kernel in todo:
        problems += [*version_problems(host, settings, kernel), build_folders_problem(host, settings, kernel)]
    problems.append(signing_problem(host, settings))
    loads = settings["service"] and host.running in kernels
    if loads and host.running not in todo:
        problems.append(options_problem(module_file(host, host.running, "netmap"), settings))
    restart = loads and host.running not in todo and needs_restart(host, settings, devices)
    if loads and host.running in todo:
        problems += [refused_problem(host, settings), reload_problem(host, settings)]
    elif restart or (not settings["service"] and host.path(UNIT_FILE).exists()):
        problems.append(reload_problem(host, settings))
    own = macs(host, devices)
    lacking = [problem for problem in lacking if problem]
    return {
        "running": host.running,
        "kernels": kernels,
        "fetch": source == "fetch",
        "archives": archives,
        "build": todo,
        "files": sorted(unlike(host, {**settings, "native_devices": devices, "native_macs": own})),
        "prune": [kernel for kernel in stamped_kernels(host) if is_gone(host, kernel, kernels)],
        "start": loads,
        "restart": restart,
        "native_devices": devices,
        "native_macs": own,
        "problems": [problem for problem in problems if problem],
        "lacking": lacking,
        "notes": [*outlook(host, settings, todo), *lacking] if todo else [],
        "missing_drivers": missing_drivers(host, kernels),
    }


def outlook(host: Host, settings: Mapping[str, Any], todo: Sequence[str]) -> list[str]:
    """What to expect of these builds: how netmap's patches fit, and how long it takes."""
    jobs = int(settings["jobs"]) or os.cpu_count() or 1
    asked = len(asked_drivers(settings))
    before = [float(read_stamp(host, kernel).get("seconds") or 0) for kernel in stamped_kernels(host)]
    seconds = max(before, default=0) or (NETMAP_SECONDS + DRIVER_SECONDS * asked) / jobs
    so = (
        "as the last build here did"
        if any(before)
        else f"estimated for {jobs} CPUs; under emulation up to 40 times that"
    )
    notes = [patch_note(driver, settings["version"]) for driver in settings["external_drivers"]]
    long = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(round(seconds, -1), 10):.0f} s"
    notes.append(f"Building takes about {long} for each kernel ({so}).")
    return [note for note in notes if note]


def missing_drivers(host: Host, kernels: Iterable[str]) -> dict[str, list[str]]:
    """The requested native drivers that were not built, by kernel."""
    return {kernel: missing for kernel in kernels if (missing := read_stamp(host, kernel).get("missing"))}


def hook(host: Host, settings: Mapping[str, Any], action: str, kernel: str) -> dict[str, Any]:
    """The hook of a kernel's package. It must not make the kernel's installation fail: a problem is only printed."""
    try:
        if action in ("remove", "removing"):
            # Debian calls it after a kernel's files are gone, and also if the package was only replaced. EL calls it
            # before.
            if kernel != host.running and (action == "removing" or not is_installed(host, kernel)):
                remove_kernel(host, kernel)
        elif not is_installed(host, kernel) or headers_problem(host, settings, kernel):
            # On Debian image and headers are installed separately, in either order, and each calls the hook.
            sys.stderr.write(
                f"trafficgen-netmap: kernel {kernel} or its headers are not there yet. Nothing was built.\n"
            )
        elif not is_built(host, settings, kernel):
            sys.stderr.write(f"trafficgen-netmap: building netmap for kernel {kernel}.\n")
            return build(host, settings, kernel)
    except (TrafficgenError, OSError) as error:
        sys.stderr.write(
            f"trafficgen-netmap: {error} Until the role netmap has run again, kernel {kernel} has no netmap.\n"
        )
    return {"changed": False}


def command(host: Host, words: Sequence[str]) -> dict[str, Any]:
    """Carry out one command with the settings that the role left on this host."""
    name, rest = words[0] if words else "", list(words[1:])
    settings = read_settings(host)
    if name == "status" and not rest:
        return status(host, settings)
    if name == "load" and len(rest) == 1:
        return load(host, settings, rest[0])
    if name == "unload" and not rest:
        return unload(host, settings)
    with alone(host):
        if name == "fetch" and not rest:
            return fetch(host, settings)
        if name == "build" and len(rest) == 1:
            return build(host, settings, rest[0])
        if name == "activate" and not rest:
            return replace(host, settings, host.running, {}, (), loads=True)
        if name == "prune" and not rest:
            return prune(host, settings)
        if name == "hook" and len(rest) == 2 and rest[0] in ("add", "removing", "remove"):
            return hook(host, settings, *rest)
    raise TrafficgenError(USAGE)


def set_up_all(
    host: Host, settings: Mapping[str, Any], get_archive: Callable[[Mapping[str, str]], None], *, check: bool
) -> dict[str, Any]:
    """Bring the host to the state in ``settings``, by the plan of :func:`status`; with ``check`` only make the plan.

    :param get_archive: puts an external driver's archive, verified, into its place.
    """
    plan = status(host, settings)
    # Before the first real run, what dev_tools installs may be missing.
    if problems := plan["problems"] + ([] if check else plan["lacking"]):
        raise TrafficgenError(" ".join(problems))
    # With addresses for interfaces: an interface's name may be gone while its device changes its driver.
    resolved = {**settings, **{name: plan[name] for name in ("native_devices", "native_macs")}}
    plan["diff"] = [
        {"before_header": path, "after_header": path, "before": told(read_bytes(host.path(path))), "after": told(new)}
        for path, new in unlike(host, resolved).items()
    ]
    plan["changed"] = bool(plan["build"] or plan["files"] or plan["prune"] or plan["restart"])
    if not check:
        with alone(host):
            for archive in plan["archives"]:
                get_archive(archive)
            if plan["fetch"]:
                fetch(host, resolved)
            # Each is verified, installed, and loaded if its kernel is running; until then the old one stays.
            if failed := list(filter(None, [why_not_built(host, resolved, kernel) for kernel in plan["build"]])):
                raise TrafficgenError(" ".join(dict.fromkeys(failed)))
            if plan["restart"] or (plan["files"] and not plan["build"]):
                replace(host, resolved, host.running, {}, (), loads=plan["restart"])
            if plan["prune"]:
                prune(host, resolved)
        plan["missing_drivers"] = missing_drivers(host, plan["kernels"])
        stamps = [read_stamp(host, kernel) for kernel in plan["build"]]
        plan["notes"] = list(dict.fromkeys(note for stamp in stamps for note in stamp.get("patches", [])))
    return plan


def why_not_built(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """Build for one kernel; returns why it failed, as a sentence."""
    try:
        build(host, settings, kernel)
    except TrafficgenError as error:
        return error.message
    return ""


def told(content: bytes | None) -> str:
    """A file's content for a diff; a hash if it is not text."""
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        return f"SHA-256 {hashlib.sha256(content or b'').hexdigest()}\n"


def end(number: int, _frame: object) -> NoReturn:
    """A signal ends this program like an error, so that its child processes end too."""
    raise SystemExit(128 + number)


def main(words: Sequence[str]) -> int:
    """Run the command."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    os.umask(0o022)
    try:
        if os.geteuid() != 0:
            raise TrafficgenError(
                "netmap's modules and settings need root: run the role with become: true, and this program with sudo."
            )
        sys.stdout.write(json.dumps(command(Host(), words), indent=2) + "\n")
    except TrafficgenError as problem:
        sys.stderr.write(f"{problem.message}\n")
        return 3
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'trafficgen-netmap'}: {error.strerror}.\n")
        return 3
    return 0
