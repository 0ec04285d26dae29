# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which name a patched driver registers with PCI: the kernel takes no two of one name, so a native driver that
keeps the stock one's cannot be loaded beside it. Read from the source as netmap's make files have prepared it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text

_STRUCT = re.compile(
    r"^static struct pci_driver \w+(?: \w+)? = \{[^}]*?^\s*\.name\s*=\s*(\w+|\"[^\"]*\")", re.MULTILINE
)
_INCLUDE = re.compile(r'^\s*#\s*include\s+[<"](\w*netmap\w*\.h)[>"]', re.MULTILINE)


def keeps_its_name(source: Path, headers: Path, stock: str) -> bool:
    """Whether a prepared driver registers the stock driver's name. False where it is no PCI driver.

    :param source: the driver's folder, or its one file.
    :param headers: netmap's folder with the headers that its patches include.
    :param stock: the stock driver's name.
    """
    files = sorted(source.glob("*.c")) if source.is_dir() else [source]
    return any(_keeps(read_text(file), headers, stock) for file in files)


def _keeps(text: str, headers: Path, stock: str) -> bool:
    return any(_is_stock(found, text, headers, stock) for found in _STRUCT.finditer(text))


def _is_stock(found: re.Match[str], text: str, headers: Path, stock: str) -> bool:
    if found[1] == "KBUILD_MODNAME":  # the module's own name, which has the suffix
        return False
    if found[1].startswith('"'):  # in ice's folder there is another driver as well, "ice-vfio-pci"
        return found[1].strip('"') == stock
    # netmap's header defines the variable's name anew, with a text that has the suffix. That holds from there on.
    included = (read_text(headers / name) for name in _INCLUDE.findall(text, 0, found.start()))
    return not any(_renames(header, found[1]) for header in included)


def _renames(header: str, variable: str) -> bool:
    lines: Iterable[str] = header.splitlines()
    anew = any(re.match(rf"\s*#\s*define\s+{re.escape(variable)}\b", line) for line in lines)
    return anew and "NETMAP_LINUX_DRIVER_SUFFIX" in header
