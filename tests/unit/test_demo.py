# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""./run demo where it cannot work: it says why before it installs or makes anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
# What a shell and the programs below need, bound into the folder of a chroot.
BOUND = [
    name for name in ("bin", "etc", "lib", "lib64", "proc", "sbin", "tmp", "usr", "dev") if Path("/", name).exists()
]


@pytest.fixture
def chroot(tmp_path):
    """Runs a command in a chroot whose folder is a mount point, or is not."""
    root = tmp_path / "root"
    for name in (*BOUND, "clone", "run", "sys"):
        (root / name).mkdir(parents=True)

    def run(*command: str, mounted: bool) -> subprocess.CompletedProcess[str]:
        binds = "".join(f"mount --rbind /{name} {root}/{name} && " for name in BOUND)
        script = (
            f"mount --make-rprivate / && {f'mount --bind {root} {root} && ' * mounted}{binds}"
            f'mount --bind {CLONE} {root}/clone && mount -t tmpfs tmpfs {root}/run && exec chroot {root} "$@"'
        )
        return subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-c", script, "sh", *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_a_chroot_whose_folder_is_no_mount_point(chroot):
    entered = "ip netns add one && ip netns exec one true"
    refused = chroot("sh", "-c", entered, mounted=False)
    assert refused.returncode and "Invalid argument" in refused.stderr
    said = chroot("/clone/run", "demo", "/tmp/no-such-folder", mounted=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        "run: / is not a mount point, as in a chroot, so `ip netns exec` cannot enter a network namespace. Leave the"
        " chroot, run `mount --bind DIR DIR` for its folder, and enter it again.\n"
    )
    assert not Path("/tmp/no-such-folder").exists()
    assert chroot("sh", "-c", entered, mounted=True).returncode == 0
    assert chroot("/clone/run", "demo", "--help", mounted=False).returncode == 0
