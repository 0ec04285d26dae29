# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host below its own root folder, with the stand-in's source and tools that only pretend to build."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import build as builds
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import source as sources
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    REPO,
    settings,
    write,
)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host with the headers of one EL kernel, and tools that make files where the real ones make modules."""
    root = tmp_path / "root"
    headers = root / f"usr/src/kernels/{KERNEL}"
    write(headers / ".config", 'CONFIG_CC_VERSION_TEXT="gcc (GCC) 11.5.0"\nCONFIG_MODULE_SIG_HASH="sha256"\n')
    write(headers / "include/generated/utsrelease.h", f'#define UTS_RELEASE "{KERNEL}"\n')
    write(headers / "Module.symvers", "0x1 split_page vmlinux EXPORT_SYMBOL\n")
    (root / f"lib/modules/{KERNEL}/kernel").mkdir(parents=True)
    (root / "run").mkdir()
    tools = tmp_path / "tools"
    # A module here is a file that contains its kernel release.
    make = f"""#!/bin/sh
case $* in *get-*) exit ;; esac
if [ -e {tmp_path}/broken ]; then echo 'x.c:1: error: no'; exit 2; fi
echo "$(cat {tmp_path}/release 2>/dev/null || echo {KERNEL}) SMP" >netmap.ko
for driver in $(awk '{{print $1}}' drivers.mak); do cp netmap.ko "$driver-netmap.ko"; done
"""
    write(tools / "make", make, 0o755)
    write(tools / "modinfo", '#!/bin/sh\ncase $2 in vermagic) cat "$3";; parm) echo buf_num:int;; esac\n', 0o755)
    write(tools / "gcc", f"#!/bin/sh\ncat {tmp_path}/compiler 2>/dev/null || echo gcc 11\n", 0o755)
    for name in ("strip", "depmod", "journalctl"):
        write(tools / name, "#!/bin/sh\n", 0o755)
    said = f'echo "$*" >>{tmp_path}/systemctl'
    write(tools / "systemctl", f"#!/bin/sh\n{said}\n[ ! -e {tmp_path}/dead ] || [ $1 != start ]\n", 0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setattr(builds, "NEEDED_MB", 0)
    return hosts.Host(str(root), running="6.6.6-running")


@pytest.fixture
def source(tmp_path: Path) -> tuple[str, str, str]:
    """The stand-in's repository, the commit that builds, and the last commit."""
    done = subprocess.run(
        [REPO / "tests/sources/netmap_repository.sh", tmp_path / "repo"], check=True, capture_output=True, text=True
    )
    good, last = done.stdout.split()
    return str(tmp_path / "repo"), good, last


@pytest.fixture
def built(host: Any, source: tuple[str, str, str]) -> Callable[..., dict[str, Any]]:
    """Fetch and build with these settings, and return them."""

    def build(**changes: Any) -> dict[str, Any]:
        asked = settings(**{"repository": source[0], "version": source[1], **changes})
        sources.fetch(host, asked)
        builds.build(host, asked, KERNEL)
        return asked

    return build
