# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests boot from: an image made once of Debian packages, or a cloud image."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tools import CACHE, HERE, KEY, LabError, guests, need, run

# What an image is made of: a suite of Debian. Its newest kernel comes first, or with "-backports" that of backports.
SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports")
DISK = "8G"
OPTIONS = (
    "--variant=minbase",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--skip=cleanup/apt/lists",  # otherwise the guest's apt takes its empty lists for new ones
)
# A cloud image instead of the one made here: a path or a URL. It boots its own kernel and is set up by cloud-init.
CLOUD_IMAGE = os.environ.get("TRAFFICGEN_LAB_IMAGE", "")


def make_key() -> None:
    if not KEY.exists():
        run(need("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", KEY)


def packages() -> str:
    """The lines of packages.txt and of TRAFFICGEN_LAB_PACKAGES, which adds to them."""
    return (HERE / "packages.txt").read_text() + "\n".join(os.environ.get("TRAFFICGEN_LAB_PACKAGES", "").split()) + "\n"


def image_folder(suite: str) -> Path:
    """The folder of the image that packages.txt and setup.sh describe. The key pair is part of it."""
    what = (
        packages()
        + (HERE / "setup.sh").read_text()
        + KEY.with_suffix(".pub").read_text()
        + "".join((suite, DISK, *OPTIONS))
    )
    return CACHE / (f"image-{suite}-" + hashlib.sha256(what.encode()).hexdigest()[:16])


@contextlib.contextmanager
def locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpacked(kernel: Path) -> bytes:
    """The ELF file in a bzImage packed with xz, which QEMU starts as well (PVH): else each boot of a guest unpacks it.
    What is packed with zstd, as Debian 13's are, is soon unpacked."""
    packed = kernel.read_bytes()
    begin = packed.find(b"\xfd7zXZ\0")
    if begin < 0:
        return packed
    return lzma.LZMADecompressor().decompress(packed[begin:])


def make_image(suite: str) -> Path:
    """The image's folder: base.qcow2, and of each kernel vmlinux-RELEASE and initrd.img-RELEASE. Made if it is not
    there."""
    with locked():
        make_key()
        folder = image_folder(suite)
        if folder.exists():
            return folder
        mmdebstrap = need("mmdebstrap", "mmdebstrap")
        mke2fs = need("mke2fs", "e2fsprogs")
        # Who is not root makes it in a namespace of their own users, in which they are.
        as_root: tuple[str, ...] = ()
        if os.geteuid() != 0:
            need("newuidmap", "uidmap")
            as_root = (mmdebstrap, "--unshare-helper")
        print("Making the guest's image from Debian packages, once: some minutes", file=sys.stderr)
        # mmdebstrap's root must be reachable for apt's own user: not below a clone in somebody's home.
        with contextlib.ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trafficgen-lab.")))
            work.chmod(0o755)
            (work / "packages.txt").write_text(packages())
            root = work / "root"
            # Its files are the namespace's users', so that only there they can be taken away.
            stack.callback(lambda: root.exists() and run(*as_root, "find", root, "-mindepth", "1", "-delete"))
            log = CACHE / "image.log"
            with open(log, "w", encoding="utf-8") as output:
                try:
                    run(
                        mmdebstrap,
                        f"--mode={'unshare' if as_root else 'root'}",
                        *OPTIONS,
                        "--customize-hook=mkdir $1/lab",
                        f"--customize-hook=copy-in {work}/packages.txt {HERE}/setup.sh /lab",
                        f"--customize-hook=upload {KEY}.pub /lab/key.pub",
                        f"--chrooted-customize-hook=sh /lab/setup.sh {suite}",
                        "--customize-hook=rm -r $1/lab",
                        suite.removesuffix("-backports"),
                        root,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                except subprocess.CalledProcessError as error:
                    last = "\n".join(log.read_text().splitlines()[-15:])
                    raise LabError(f"the image could not be made; the end of {log}:\n{last}") from error
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            releases = (root / "boot/releases").read_text().split()
            for release in releases:
                (new / f"vmlinux-{release}").write_bytes(unpacked(root / f"boot/vmlinuz-{release}"))
                shutil.copy(root / f"boot/initrd.img-{release}", new)
            (new / "releases").write_text("\n".join(releases) + "\n")
            # In a folder of this user alone, so mke2fs, which may be another, gets it as a descriptor to write to.
            raw = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trafficgen-lab."))) / "disk.raw"
            with open(raw, "w+b") as disk:
                raw.chmod(0o666)
                format_disk = (mke2fs, "-q", "-t", "ext4", "-E", "lazy_itable_init=0,discard")
                run(*as_root, *format_disk, "-d", root, "/dev/stdin", DISK, stdin=disk)
            run(need("qemu-img", "qemu-utils"), "convert", "-f", "raw", "-O", "qcow2", raw, new / "base.qcow2")
        for old in CACHE.glob("image-*"):
            same = old.name.rpartition("-")[0] in ("image", f"image-{suite}")
            if same and old != new and not any(guest["image"] == str(old) for guest in guests()):
                shutil.rmtree(old)
        new.rename(folder)
        return folder


def cloud_image() -> Path:
    """CLOUD_IMAGE in a folder of its own, with cloud-init's seed beside it."""
    with locked():
        make_key()
        folder = CACHE / ("image-" + hashlib.sha256(CLOUD_IMAGE.encode()).hexdigest()[:16])
        if not folder.exists():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            (new / "seed").mkdir(parents=True)
            public = KEY.with_suffix(".pub").read_text().strip()
            (new / "seed/meta-data").write_text("instance-id: lab\nlocal-hostname: lab\n")
            (new / "seed/user-data").write_text(
                f"#cloud-config\ndisable_root: false\nusers:\n  - {{name: root, ssh_authorized_keys: ['{public}']}}\n "
                f" - {{name: lab, ssh_authorized_keys: ['{public}'], sudo: 'ALL=(ALL) NOPASSWD: ALL', shell:"
                " /bin/bash}\n"
            )
            if CLOUD_IMAGE.startswith("https://"):
                with urllib.request.urlopen(CLOUD_IMAGE) as answer, open(new / "base.qcow2", "wb") as image:
                    shutil.copyfileobj(answer, image)
            else:
                shutil.copy(CLOUD_IMAGE, new / "base.qcow2")
            (new / "releases").write_text("")
            new.rename(folder)
        return folder
