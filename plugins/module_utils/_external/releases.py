# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External drivers: which release is for which kernel, how netmap's patches fit it, and which drivers cannot be loaded
beside the stock one. Known before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# The commit of netmap that the table's patches are of: the default of netmap_version.
NETMAP = "89607e1406c1fa5ac2106bd2ff33417f090c0d60"

# How netmap has a patch for a release of a driver.
EXACT = "exact"  # for this very version
OFFSETS = "offsets only"  # one for another version fits, at the same or at other lines
MAKEFILE = "Makefile only"  # as above, but its changes of the Makefile are made by patching.py
NONE = "none"  # parts of the C code do not fit
UNKNOWN = ""  # nobody has tried


class Release(NamedTuple):
    """A release of an external driver.

    ``el``: the minor version of EL 9 that its author says it was made for; empty where it names no new one. An older
    release is taken not to compile there. ``patch``: of netmap at :data:`NETMAP`, tried on the release's source; of
    :data:`EXACT`, only where ``source`` is Intel's own repository. ``compiled``: the kernels on whose headers it was
    compiled, patched, with netmap (Debian's 6.1.192 and 6.12.117); empty where nobody has tried. ``source``: where
    ``el``, or that the release exists, comes from.
    """

    driver: str
    version: str
    el: str
    patch: str
    compiled: str
    source: str


_INTEL = "https://github.com/intel/ethernet-linux-{}, the message of this release's commit"
_IXGBE, _IXGBEVF, _I40E, _ICE, _IGB = (_INTEL.format(name) for name in ("ixgbe", "ixgbevf", "i40e", "ice", "igb"))
_PULL = "https://github.com/intel/ethernet-linux-{}/pull/{}"

# Without netmap neither: see LAST_WITH_MAY_SLEEP.
NOT_6_12 = "not 6.12"

# In the order of versions. Nothing here was compiled on EL's own headers.
RELEASES = (
    Release("ixgbe", "5.19.6", "9.2", EXACT, "", "https://sourceforge.net/projects/e1000/files/ixgbe%20stable/5.19.6"),
    Release("ixgbe", "5.19.9", "", EXACT, "", _IXGBE),
    Release("ixgbe", "5.20.10", "9.4", EXACT, "", "https://sourceforge.net/projects/e1000/files/ixgbe%20stable/5.20.9"),
    Release("ixgbe", "5.21.5", "", OFFSETS, "", _IXGBE),
    Release("ixgbe", "5.21.6", "", OFFSETS, "", _IXGBE),
    Release("ixgbe", "5.22.25", "", OFFSETS, "", _IXGBE),
    Release("ixgbe", "6.0.5", "", EXACT, "", _IXGBE),
    Release("ixgbe", "6.0.6", "", EXACT, "", _IXGBE),
    Release("ixgbe", "6.1.3", "", OFFSETS, "", _IXGBE),
    Release("ixgbe", "6.1.4", "", OFFSETS, "", _IXGBE),
    Release("ixgbe", "6.1.5", "9.6", OFFSETS, "", _IXGBE),
    Release("ixgbe", "6.1.6", "", EXACT, "6.1, 6.12", _IXGBE),
    Release("ixgbe", "6.2.5", "", MAKEFILE, "", _IXGBE),
    Release("ixgbe", "6.2.6", "", MAKEFILE, "6.12", _IXGBE),
    Release("ixgbe", "6.3.4", "9.7", MAKEFILE, "6.1, 6.12", _IXGBE),
    Release("ixgbe", "6.4.4", "9.8", UNKNOWN, "", _PULL.format("ixgbe", 45)),
    Release("ixgbevf", "4.18.9", "", EXACT, "", _IXGBEVF),
    Release("ixgbevf", "4.20.6", "", OFFSETS, "", _IXGBEVF),
    Release("ixgbevf", "4.21.25", "", OFFSETS, "", _IXGBEVF),
    Release("ixgbevf", "5.0.2", "", EXACT, "", _IXGBEVF),
    Release("ixgbevf", "5.1.2", "", OFFSETS, "", _IXGBEVF),
    Release("ixgbevf", "5.1.3", "", OFFSETS, "", _IXGBEVF),
    Release("ixgbevf", "5.1.4", "9.6", OFFSETS, "", _IXGBEVF),
    Release("ixgbevf", "5.1.5", "", EXACT, "", _IXGBEVF),
    Release("ixgbevf", "5.1.6", "", NONE, "", _IXGBEVF),
    Release("ixgbevf", "5.1.7", "", NONE, "", _IXGBEVF),
    Release("ixgbevf", "5.2.2", "9.7", NONE, "", _IXGBEVF),
    Release("ixgbevf", "5.3.25", "", NONE, "", _IXGBEVF),
    Release("ixgbevf", "5.3.36", "9.8", NONE, "", _IXGBEVF),
    Release("i40e", "2.24.6", "", EXACT, "", _I40E),
    Release("i40e", "2.25.7", "", OFFSETS, "", _I40E),
    Release("i40e", "2.26.8", "", OFFSETS, "", _I40E),
    Release("i40e", "2.26.11", "", OFFSETS, "", _I40E),
    Release("i40e", "2.27.8", "", EXACT, "", _I40E),
    Release("i40e", "2.28.5", "", OFFSETS, "", _I40E),
    Release("i40e", "2.28.6", "", OFFSETS, "", _I40E),
    Release("i40e", "2.28.7", "9.6", OFFSETS, "", _I40E),
    Release("i40e", "2.28.9", "", EXACT, NOT_6_12, _I40E),
    Release("i40e", "2.28.10", "", OFFSETS, "", _I40E),
    Release("i40e", "2.28.13", "", OFFSETS, NOT_6_12, _I40E),
    Release("i40e", "2.28.15", "", OFFSETS, "", _I40E),
    Release("i40e", "2.28.16", "9.7", MAKEFILE, "6.1, 6.12", _I40E),
    Release("i40e", "2.30.18", "9.8", UNKNOWN, "", _PULL.format("i40e", 35)),
    Release("ice", "1.13.7", "", EXACT, "", _ICE),
    Release("ice", "1.14.9.2", "9.4", OFFSETS, "", _ICE),
    Release("ice", "1.14.11", "", OFFSETS, "", _ICE),
    Release("ice", "1.14.13", "", EXACT, "", _ICE),
    Release("ice", "1.15.4", "", EXACT, "", _ICE),
    Release("ice", "1.15.5", "", OFFSETS, "", _ICE),
    Release("ice", "1.16.3", "", EXACT, "", _ICE),
    Release("ice", "1.17.2", "", OFFSETS, "", _ICE),
    Release("ice", "1.17.4", "", OFFSETS, "", _ICE),
    Release("ice", "1.17.8", "9.6", OFFSETS, "", _ICE),
    Release("ice", "2.2.8", "", OFFSETS, "", _ICE),
    Release("ice", "2.2.9", "", EXACT, NOT_6_12, _ICE),
    Release("ice", "2.3.10", "", OFFSETS, "", _ICE),
    Release("ice", "2.3.14", "", OFFSETS, "", _ICE),
    Release("ice", "2.3.15", "", OFFSETS, "", _ICE),
    Release("ice", "2.4.5", "9.7", OFFSETS, "6.12", _ICE),
    Release("ice", "2.5.4", "", OFFSETS, "6.12", _ICE),
    Release("ice", "2.6.4", "", NONE, "", _ICE),
    Release("ice", "2.6.6", "9.8", NONE, "", _ICE),
    Release("igb", "5.15.6", "", EXACT, "", _IGB),
    Release("igb", "5.17.4", "", OFFSETS, "", _IGB),
    Release("igb", "5.17.5", "", OFFSETS, "", _IGB),
    Release("igb", "5.18.7", "", EXACT, "6.1, 6.12", _IGB),
    Release("igb", "5.19.4", "", EXACT, "", _PULL.format("igb", 10)),
    Release("igb", "5.19.9", "", UNKNOWN, "", _PULL.format("igb", 11)),
    Release("igb", "5.19.10", "9.7", UNKNOWN, "", _PULL.format("igb", 12)),
    Release("igb", "5.20.28", "9.8", UNKNOWN, "", _PULL.format("igb", 15)),
)

# The last releases that need UDP_TUNNEL_NIC_INFO_MAY_SLEEP, which later kernels have no more (Debian's 6.12.107): those
# after them ask for it. Read in each release's source.
LAST_WITH_MAY_SLEEP = {"i40e": "2.28.15", "ice": "2.2.9"}


def number(version: str) -> tuple[int, ...]:
    """A version to compare with others."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def el_of(kernel: str) -> str:
    """The minor version of EL 9 in a kernel's release, such as 9.7 of 5.14.0-611.5.1.el9_7.x86_64; empty otherwise."""
    found = re.search(r"\.el9_(\d+)", kernel)
    return f"9.{found[1]}" if found else ""


def first_for(driver: str, el: str) -> Release | None:
    """The oldest release of the driver that compiles on this EL, as far as is known."""
    fitting = [one for one in RELEASES if one.driver == driver and one.el and number(one.el) <= number(el)]
    return fitting[-1] if el and fitting else None


def row_of(driver: Mapping[str, str]) -> Release | None:
    """The table's row of a driver in netmap_external_drivers."""
    rows = [one for one in RELEASES if (one.driver, one.version) == (driver["name"], driver.get("version", ""))]
    return rows[0] if rows else None


def needs_may_sleep(driver: str, version: str) -> bool:
    """Whether a release needs what later kernels have no more."""
    return driver in LAST_WITH_MAY_SLEEP and number(version) <= number(LAST_WITH_MAY_SLEEP[driver])


def would_do(driver: str, kernel: str, *, may_sleep: bool = True, refused: str = "") -> str:
    """The newest versions that netmap has a patch for and this kernel takes, as far as is known, as a sentence.

    :param may_sleep: whether the kernel has UDP_TUNNEL_NIC_INFO_MAY_SLEEP.
    :param refused: the version that no patch fits. If one fits by the table, this is another netmap than the table's.
    """
    first = first_for(driver, el_of(kernel))
    oldest = number(first.version if first else "0")
    patched = [one for one in RELEASES if one.driver == driver and one.patch in (EXACT, OFFSETS, MAKEFILE)]
    new = [one.version for one in patched if number(one.version) >= oldest]
    found = [version for version in new if may_sleep or not needs_may_sleep(driver, version)]
    if refused in found:
        return f"The netmap that is netmap_version's default has a patch for {refused}. "
    return f"Set version (and url, checksum) to {' or '.join(found[-3:])}. " if found else ""


def goes_over_netmap_s(driver: Mapping[str, Any]) -> bool:
    """Whether the user's patch is applied on top of netmap's, and not in place of it. Ansible's words for true do."""
    return str(driver.get("patch_over_netmap", "")).lower() in ("true", "yes", "on", "1", "y", "t")


def release_problems(settings: Mapping[str, Any], kernel: str, *, may_sleep: bool = True) -> list[str]:
    """The external drivers that cannot be built for this kernel, each with why and what would do.

    :param may_sleep: whether the kernel's headers have UDP_TUNNEL_NIC_INFO_MAY_SLEEP; true where nobody knows.
    """
    problems = []
    el = el_of(kernel)
    for driver in settings["external_drivers"]:
        name, version = driver["name"], driver.get("version", "")
        # With "warn" a driver that fails is left out. And the user's own patch may have what is missing, except that
        # netmap's has to fit under it, where it goes on top of that.
        own, over = bool(driver.get("patch")), goes_over_netmap_s(driver)
        if (own and not over) or settings["missing_drivers"] == "warn":
            continue
        first, row = first_for(name, el), row_of(driver)
        do = (
            f"{would_do(name, kernel, may_sleep=may_sleep)}Or give a patch of your own (patch, in"
            " netmap_external_drivers), or set netmap_missing_drivers: warn to"
        )
        if first and version and number(version) < number(first.version) and not own:
            problems.append(
                f"netmap_external_drivers: {name} {version} is too old for kernel {kernel}: the first release for"
                f" EL {first.el} is {first.version} ({first.source}). {do} try it."
            )
        elif row and row.patch == NONE and settings["version"] == NETMAP:
            problems.append(
                f"netmap_external_drivers: netmap has no patch for {name} {version}, and none of its patches for older"
                f" versions fits the C code. {do} go on without it."
            )
        elif version and not may_sleep and needs_may_sleep(name, version) and not own:
            problems.append(
                f"netmap_external_drivers: {name} {version} does not compile on kernel {kernel}: it needs"
                f" UDP_TUNNEL_NIC_INFO_MAY_SLEEP, which this kernel's headers no longer have. {do} try it."
            )
    return problems


def patch_note(driver: Mapping[str, str], netmap: str = NETMAP) -> str:
    """What is known of netmap's patch for an external driver, as a sentence; empty where it is for this version.

    :param netmap: the commit of netmap.
    """
    row = row_of(driver) if netmap == NETMAP else None
    what = f"{driver['name']} {driver.get('version')}"
    own = driver.get("patch") and not goes_over_netmap_s(driver)
    if own or not driver.get("version") or (row and row.patch == EXACT):
        return ""
    if row and row.patch == OFFSETS:
        return f"netmap has no patch for {what}. One for another version fits."
    if row and row.patch == MAKEFILE:
        return (
            f"netmap has no patch for {what}. One for another version fits, after the role has adapted its part for"
            " the Makefile."
        )
    if row and row.patch == NONE:
        return f"netmap has no patch for {what}, and none for another version fits."
    return f"Nobody has tried netmap's patches on {what}. They are tried on its source before anything is built."


def linux_of(kernel: str) -> tuple[int, ...]:
    """Linux's version in a kernel's release, to two places."""
    return number(kernel)[:2]


def keeps_its_name_on(driver: str, kernel: str) -> bool:
    """Whether the driver's patched copy, made from this kernel's sources, is known to register the stock one's name.

    The kernel takes no two PCI drivers of one name. vmxnet3's patch has no suffix at all. igb in Linux 6.1 sets its
    name before the header with the suffix, and in 6.12 after it (both read in Debian's sources, patched). Whatever is
    not known here is read in the prepared source (names.py): EL's igb is of a later Linux than its kernel's number.
    """
    if driver == "igb":
        return ".el" not in kernel and linux_of(kernel) <= (6, 1)
    return driver == "vmxnet3"


def not_beside(port: str, driver: str) -> str:
    """Why a port of this driver cannot have a native one."""
    other = " Or build Intel's own igb (netmap_external_drivers), which gets another name." if driver == "igb" else ""
    return (
        f"netmap_native_devices: {port} has the driver {driver}. netmap's driver has the same name, so the"
        f" kernel cannot load both. Leave the port out: netmap uses it in emulated mode.{other}"
    )
