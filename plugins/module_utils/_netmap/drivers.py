# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap loaded and unloaded, and PCI devices given to its native drivers and back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import (
    PROGRAM,
    Host,
    devices_of,
    driver_of,
    holders,
    interfaces_of,
    is_loaded,
    must,
    pci,
    run,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.installed import (
    SIGNING,
    modinfo,
    module_file,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.settings import module_name, stock_name
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import device_problem, reload_problem
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import links_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import ROUTE, Netlink

# How long a device may take to get its stock driver at boot, and its new driver later.
BIND_SECONDS = 30


def insmod(host: Host, kernel: str, module: str, options: Sequence[str] = ()) -> None:
    """Load a module by the absolute path of the running kernel's file: modprobe might find another kernel's through
    weak-modules."""
    path = module_file(host, kernel, module)
    if not path:
        raise TrafficgenError(
            f"There is no {module}.ko for the running kernel {kernel} in {host.modules(kernel)}. "
            f"Run the playbook wirespeed.trafficgen.provision again, or on this host: {PROGRAM} build {kernel}"
        )
    known = {line.partition(":")[0] for line in modinfo(path, "parm").splitlines()}
    for option in options:
        if option.partition("=")[0] not in known:
            raise TrafficgenError(
                f"{path} has no parameter {option.partition('=')[0]}. It has: {', '.join(sorted(known))}. Check"
                " netmap_module_options."
            )
    needs = [name for name in modinfo(path, "depends").split(",") if name and name != "netmap"]
    if needs:
        must(["modprobe", "-a", *needs], f"{path} needs {', '.join(needs)}")
    done = run(["insmod", str(path), *options])
    if done.returncode != 0 and not is_loaded(host, module):
        said = done.stderr.strip()
        remedy = ""
        if re.search("Key was rejected|Required key|Operation not permitted", said):
            remedy = f" The kernel loads only modules with a signature it knows. {SIGNING}"
        elif "Invalid module format" in said:
            remedy = f" It was built for another kernel: {PROGRAM} build {kernel} builds it again."
        raise TrafficgenError(f"{said}.{remedy}")


def load(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Load netmap and give the named devices to their native drivers, unless already done. A failure is undone."""
    loaded = is_loaded(host)
    if not loaded:
        insmod(
            host, kernel, "netmap", [f"{name}={value}" for name, value in sorted(settings["module_options"].items())]
        )
    taken = []
    try:
        for address in settings["native_devices"]:
            if take(host, settings, kernel, address):
                taken += [address]
    except TrafficgenError:
        for address in taken:
            give_back(host, settings, address)
        if not loaded:
            unload(host, settings)
        raise
    return {"changed": not loaded or bool(taken), "devices": taken}


def unload(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the devices back and unload netmap with its drivers."""
    if not is_loaded(host):
        return {"changed": False}
    if problem := reload_problem(host, settings):
        raise TrafficgenError(problem)
    for driver in holders(host):
        for address in devices_of(host, driver):
            give_back(host, settings, address)
    for module in (*holders(host), "netmap"):
        must(["rmmod", module], f"{module} cannot be unloaded")
    return {"changed": True}


def wait_for_driver(host: Host, address: str, driver: str = "", seconds: float = BIND_SECONDS) -> str:
    """Wait until the device is bound, to ``driver`` if it is given."""
    end = time.monotonic() + seconds
    while True:
        found = driver_of(host, address)
        if (found and not driver) or (found == driver and driver) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def take(host: Host, settings: Mapping[str, Any], kernel: str, address: str) -> bool:
    """Give one device to its native driver; others of its kind keep theirs."""
    stock = wait_for_driver(host, address)
    if not stock:
        raise TrafficgenError(
            f"{address} has no driver, or is not there. Check netmap_native_devices, and lspci -k -s {address}."
        )
    if stock_name(stock, settings) != stock:
        return False
    if problem := another_device(host, settings, address) or device_problem(host, settings, address):
        raise TrafficgenError(problem)
    native = module_name(stock, settings)
    if not is_loaded(host, native):
        autoprobe = host.path("/sys/bus/pci/drivers_autoprobe")
        autoprobe.write_text("0")  # otherwise the new driver takes every device that has no driver
        try:
            insmod(host, kernel, native)
        finally:
            autoprobe.write_text("1")
    native = registered(host, native)
    up = interfaces_up(host, address)
    bind(host, address, native)
    found = wait_for_driver(host, address, native, 5)
    if found != native:
        bind(host, address, "")
        raise TrafficgenError(
            f"{address}: {native} did not take it. {wait_for_driver(host, address)} has it again. dmesg says why."
        )
    set_up(host, address, up)
    return True


def registered(host: Host, module: str) -> str:
    """The name of a loaded module's PCI driver: ice-netmap registers ice_netmap, the kernel's name for the module."""
    found = sorted(host.path(f"/sys/module/{module.replace('-', '_')}/drivers").glob("pci:*"))
    return found[0].name.partition(":")[2] if found else module


def give_back(host: Host, settings: Mapping[str, Any], address: str) -> None:
    """Give one device back to its stock driver."""
    up = interfaces_up(host, address)
    native = driver_of(host, address)
    bind(host, address, "")
    stock = wait_for_driver(host, address, seconds=5)
    if not stock and stock_name(native, settings) != native:
        # Its stock driver is not loaded, as after rmmod by hand.
        run(["modprobe", stock_name(native, settings)])
        (host.path("/sys/bus/pci/drivers_probe")).write_text(address)
        stock = wait_for_driver(host, address, seconds=5)
    if not stock or stock == native:
        raise TrafficgenError(f"{address} did not go back to its stock driver from {native}. dmesg says why.")
    set_up(host, address, up)


def bind(host: Host, address: str, driver: str) -> None:
    """Let the device go, and bind it to ``driver``, or to the one the kernel chooses."""
    try:
        (pci(host, address) / "driver_override").write_text(driver + "\n")
        if driver_of(host, address):
            (pci(host, address) / "driver/unbind").write_text(address)
        host.path("/sys/bus/pci/drivers_probe").write_text(address)
    except OSError as error:
        # The write fails if the probe does; the caller checks the result.
        if not (pci(host, address) / "driver_override").exists():
            raise TrafficgenError(f"{address}: its driver cannot be changed: {error.strerror}") from None


def interfaces_up(host: Host, address: str) -> bool:
    """Whether any of them is up."""
    flags = (read_text(host.path(f"/sys/class/net/{name}/flags")) for name in interfaces_of(host, address))
    return any(int(value or "0", 16) & 1 for value in flags)


def set_up(host: Host, address: str, up: bool) -> None:
    """A new driver makes a new interface, which is down: bring it up if the old one was up. udev may still rename
    it."""
    if not up:
        return
    run(["udevadm", "settle", "--timeout=10"])
    for name in interfaces_of(host, address):
        run(["ip", "link", "set", name, "up"])


def macs(host: Host, addresses: Iterable[str]) -> dict[str, str]:
    """The permanent MAC addresses of each device's ports, as far as they can be read."""
    with Netlink(ROUTE) as route:
        links = links_of(route) if addresses else []
    own = {link.get("ifname"): link.get("permaddr") or link.get("address") or "" for link in links}
    found = {
        address: " ".join(filter(None, (own.get(name) for name in interfaces_of(host, address))))
        for address in addresses
    }
    return {address: mac for address, mac in found.items() if mac}


def another_device(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Whether this is another device than the role checked: at boot there are no routes or connections yet to check."""
    was, now = settings.get("native_macs", {}).get(address), macs(host, [address]).get(address)
    if not was or not now or was == now:
        return ""
    return (
        f"{address} is {', '.join(interfaces_of(host, address))} with the MAC address {now}, but had {was} when it was"
        " chosen. A card was added, moved or removed, so this may be the management port. Run the role"
        " wirespeed.trafficgen.netmap again."
    )
