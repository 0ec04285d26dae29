# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _external/names: made-up drivers, each written as one of the kernel's or of Intel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external import names

HEADER = """\
#define port_driver_name netmap_port_driver_name
char netmap_port_driver_name[] = "port" NETMAP_LINUX_DRIVER_SUFFIX;
"""
INCLUDE = "#if defined(CONFIG_NETMAP)\n#include <if_port_netmap.h>\n#endif\n"
STRUCT = "static struct pci_driver port_driver = {\n\t.name     = port_driver_name,\n\t.probe = probe,\n};\n"


@pytest.mark.parametrize(
    ("source", "keeps"),
    [
        (INCLUDE + STRUCT, False),  # e1000, ixgbe, i40e
        (STRUCT + INCLUDE, True),  # igb: the name is read before the header defines it anew
        (INCLUDE.replace("if_port_netmap", "if_other_netmap_v2") + STRUCT, True),  # vmxnet3: its header does not
        (INCLUDE.replace("<if_port_netmap.h>", '"if_port_netmap.h"') + STRUCT, False),
        (STRUCT, True),  # netmap's patch was not applied
        (STRUCT.replace("port_driver_name", "KBUILD_MODNAME") + INCLUDE, False),  # ice
        (STRUCT.replace("port_driver_name", '"port-vfio-pci"'), False),  # a second driver in Intel's ice
        (STRUCT.replace("port_driver_name", '"port-vfio-pci"') + STRUCT, True),
        (INCLUDE + STRUCT.replace("port_driver_name", '"port"'), True),
        (INCLUDE + STRUCT.replace("port_driver_name", "port_driver_name_v2"), True),
        # Intel's, which has another struct for an old kernel before it.
        (INCLUDE + "static struct pci_driver_rh port_rh = {\n\t.name = x,\n};\n" + STRUCT, False),
        ("static int veth_driver;\n", False),  # no PCI driver
    ],
)
def test_the_name_a_patched_driver_registers(tmp_path: Path, source: str, keeps: bool) -> None:
    headers, folder = tmp_path / "LINUX", tmp_path / "port"
    headers.mkdir()
    folder.mkdir()
    (headers / "if_port_netmap.h").write_text(HEADER)
    (headers / "if_other_netmap_v2.h").write_text("#define SOFTC_T port_adapter\n")
    (folder / "port_main.c").write_text(source)
    (folder / "port_hw.c").write_text("int reset;\n")
    assert names.keeps_its_name(folder, headers, "port") is keeps
    assert names.keeps_its_name(folder / "port_main.c", headers, "port") is keeps
