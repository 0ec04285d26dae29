# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of this host: small ones as /sys and /proc have them, and such as are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os


def read_bytes(path: str | os.PathLike[str]) -> bytes | None:
    """The content of a file; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a small file, stripped; empty where it cannot be read."""
    return (read_bytes(path) or b"").decode("utf-8", "replace").strip()


def entries(folder: str | os.PathLike[str]) -> list[str]:
    """The sorted names in a folder; none if it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def open_files(process: str | os.PathLike[str]) -> list[str]:
    """What a process has open, by its folder below /proc: paths, ``socket:[INODE]`` and the like."""
    found = []
    for descriptor in entries(os.path.join(process, "fd")):
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(os.path.join(process, "fd", descriptor)))
    return found


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def unfinished(path: str | os.PathLike[str]) -> str:
    """Where :func:`write_whole` writes, before it puts that in place."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.new")


def write_whole(path: str | os.PathLike[str], content: bytes, mode: int = 0o644, *, sync: bool = False) -> None:
    """Write a file so that a reader finds the old one or the new one, whole.

    :param sync: it has to outlast a power cut.
    """
    new = unfinished(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)  # a link there would lead elsewhere
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        if sync:
            os.fsync(descriptor)
    os.replace(new, path)
