# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's image, as root makes it and as somebody else does: which programs are run, and that nothing is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# The real ones make the image of the stage guest, as root.
PROGRAMS = {
    # Its last word is the root to make. With --unshare-helper it runs a program as the one who owns that.
    "mmdebstrap": """
        echo "mmdebstrap $1 ${2##*/}" >>"$TMPDIR/said"
        if [ "$1" = --unshare-helper ]; then shift; exec "$@"; fi
        for root; do :; done
        mkdir -p "$root/boot"
        echo 6.1-test >"$root/boot/releases"
        touch "$root/boot/vmlinuz-6.1-test" "$root/boot/initrd.img-6.1-test"
        """,
    # A descriptor that it can open anew, and no path: in the namespace it is another user.
    "mke2fs": """
        case " $* " in *" /dev/stdin 8G ") echo disk >/dev/stdin; stat -L -c %a /dev/stdin >>"$TMPDIR/said" ;; esac
        """,
    "qemu-img": """
        for new; do :; done
        cp "$6" "$new"
        """,
    "ssh-keygen": """
        for key; do :; done
        touch "$key.pub"
        """,
    "newuidmap": "",
}


@pytest.fixture
def image(monkeypatch, tmp_path):
    """The module, with programs of its own and folders for the cache and for what is temporary."""
    for name, script in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nset -eu\n{script}")
        program.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("TRAFFICGEN_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "lab"))
    monkeypatch.setattr("tempfile.tempdir", None)
    import image

    yield image
    for name in ("image", "tools"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (0, "mmdebstrap --mode=root --variant=minbase|666"),
        (
            1000,
            "mmdebstrap --mode=unshare --variant=minbase|mmdebstrap --unshare-helper mke2fs|666"
            "|mmdebstrap --unshare-helper find",
        ),
    ],
)
def test_who_makes_the_image(monkeypatch, tmp_path, image, user, said):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    made = image.make_image("trixie")
    assert (made / "base.qcow2").read_text() == "disk\n"
    assert sorted(file.name for file in made.iterdir()) == [
        "base.qcow2",
        "initrd.img-6.1-test",
        "releases",
        "vmlinux-6.1-test",
    ]
    record = tmp_path / "temporary/said"
    assert "|".join(record.read_text().splitlines()) == said
    # Nothing else stays, and the image is not made again.
    assert list(record.parent.iterdir()) == [record]
    assert image.make_image("trixie") == made
    assert "|".join(record.read_text().splitlines()) == said


def test_without_root_uidmap_is_asked_for(monkeypatch, tmp_path, image):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    # As on a machine that has not installed it.
    (tmp_path / "bin/newuidmap").unlink()
    monkeypatch.setattr("shutil.which", lambda name, path: None if name == "newuidmap" else f"{tmp_path}/bin/{name}")
    with pytest.raises(image.LabError, match=r"newuidmap is missing\. Install uidmap"):
        image.make_image("trixie")
    assert not list((tmp_path / "temporary").iterdir())
