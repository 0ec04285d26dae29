# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap on this host: whether it is loaded, and why not, and what was built for which kernel.

What needs the device /dev/netmap is in info.py and device.py. Without it, the command trafficgen-netmap can read the
same facts.
"""

from __future__ import annotations

import functools
import json
import lzma
import os
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import entries, read_bytes, read_text
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import Host, must

ROLE = "role wirespeed.trafficgen.netmap"
DEFAULT_BUFFER = 2048

# tcpreplay's --nm-delay in seconds, where nobody holds the interface for it. Native: the port is reset when netmap
# takes it, and until its link is up again nothing is sent; ten is tcpreplay's own default and enough for most.
# Emulated: the port is not touched, but tcpreplay does not wait for its last ring of frames to leave before it closes,
# and this is all the time they have.
DELAY = {"native": 10, "emulated": 1}

_EMULATED_ONLY = 2  # of the parameter admode; 0 takes what there is, 1 native only
# The variable SecureBoot of the UEFI specification's global namespace: four bytes of attributes, one of value.
_SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# An ELF note NT_GNU_BUILD_ID: the sizes of name and content, its type, its name, then SHA-1.
_BUILD_ID = re.compile(re.escape(struct.pack("=3I", 4, 20, 3)) + rb"GNU\0(.{20})", re.DOTALL)
# Not the module gzip, which the command would load at every start for this alone.
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": functools.partial(zlib.decompress, wbits=zlib.MAX_WBITS | 16),
}


def loaded(root: str = "/") -> bool:
    """Whether the running kernel has netmap, and the device to speak to it."""
    return os.path.isdir(os.path.join(root, "sys/module/netmap")) and os.path.exists(os.path.join(root, "dev/netmap"))


def require(root: str = "/") -> None:
    """Raise :class:`TrafficgenError`, with what to do about it, unless netmap is loaded."""
    missing = problem(root)
    if missing is not None:
        raise missing


def problem(root: str = "/", kernel: str | None = None) -> TrafficgenError | None:
    """Why netmap is not loaded, and what to do about it; None where it is.

    :param kernel: the release of the running kernel, by default this host's.
    """
    if loaded(root):
        return None
    kernel = kernel or os.uname().release
    if os.path.isdir(os.path.join(root, "sys/module/netmap")):
        return _not_loaded(
            "the module is loaded, but /dev/netmap is missing", "`dmesg` may show the reason. Load netmap again."
        )
    found = builds(root)
    if kernel not in found:
        others = f", only for {', '.join(sorted(found))}" if found else ""
        return _not_loaded(
            f"it is not built for the running kernel {kernel}{others}",
            f"Build it: {ROLE}. Or set injection_method: pf_packet.",
        )
    build = found[kernel]
    for_kernel = (build["vermagic"] or kernel).split()[0]
    if for_kernel != kernel:
        return _not_loaded(
            f"{build['path']} is for kernel {for_kernel}, not for the running {kernel}", f"Build it again: {ROLE}."
        )
    if signatures_enforced(root) and build["signer"] is None:
        by = "Secure Boot is on" if secure_boot(root) else "it enforces signatures"
        return _not_loaded(
            f"this kernel refuses unsigned modules ({by}), and {build['path']} is not signed",
            f"Have the {ROLE} sign it (netmap_signing_key, netmap_signing_cert) with a key that is enrolled (`mokutil"
            " --import`), or turn Secure Boot off in the firmware.",
        )
    signed = f", signed by {build['signer']}" if build["signer"] else ""
    return _not_loaded(
        f"{build['path']} is built{signed}",
        "Load it: `systemctl start netmap`. Where that fails, `journalctl -u netmap` has the reason; `Key was rejected"
        " by service` means that the key it is signed with is not enrolled (`mokutil --import`).",
    )


def _not_loaded(said: str, remedy: str) -> TrafficgenError:
    return TrafficgenError("netmap is not loaded on this host", said=said, remedy=remedy)


def version(root: str = "/", kernel: str | None = None) -> str | None:
    """What tells the loaded module from others: its version, which netmap's own has none of, the commit it was built
    from where the role built it, the kernel's checksum of its sources, or the linker's of the whole (its build ID)."""
    module = os.path.join(root, "sys/module/netmap")
    build = builds(root).get(kernel or os.uname().release)
    commit = commit_of(build["stamp"]) if build and is_loaded_one(build, root) else None
    own = read_text(os.path.join(module, "version"))
    return own or commit or read_text(os.path.join(module, "srcversion")) or loaded_build_id(root)


def loaded_build_id(root: str) -> str | None:
    """What the linker called the module in the kernel."""
    return _build_id(read_bytes(os.path.join(root, "sys/module/netmap/notes/.note.gnu.build-id")) or b"")


def _build_id(data: bytes) -> str | None:
    found = _BUILD_ID.search(data)
    return found[1].hex() if found else None


def is_loaded_one(build: Mapping[str, Any], root: str) -> bool:
    """Whether what is installed is what is loaded, and not another build that was put there since."""
    build_id = loaded_build_id(root)
    if build_id and build["build_id"]:
        return bool(build_id == build["build_id"])
    srcversion = read_text(os.path.join(root, "sys/module/netmap/srcversion"))
    return bool(srcversion) and srcversion == build["srcversion"]


def parameters(root: str = "/") -> dict[str, Any]:
    """The parameters of the loaded module, numbers as numbers. One that cannot be read is None."""
    folder = Path(root, "sys/module/netmap/parameters")
    found: dict[str, Any] = {}
    for name in entries(folder):
        said = read_text(folder / name)
        found[name] = int(said) if re.fullmatch(r"-?\d+", said) else said or None
    return found


def mode(driver: str | None, root: str = "/") -> str:
    """``native`` where the interface's driver has been patched for netmap (its module then holds netmap's), else
    ``emulated``.

    The module of driver ``e1000-netmap`` is ``e1000_netmap``. netmap's parameter ``admode`` may be 2: always emulated.
    """
    if parameters(root).get("admode") == _EMULATED_ONLY:
        return "emulated"
    holder = os.path.join(root, "sys/module/netmap/holders", (driver or "").replace("-", "_"))
    return "native" if driver and os.path.exists(holder) else "emulated"


def buffer_size(root: str = "/") -> int:
    """The bytes of netmap's buffers, which is the most it sends of a frame."""
    size = parameters(root).get("buf_size")
    return size if isinstance(size, int) and size > 0 else DEFAULT_BUFFER


def builds(root: str = "/") -> dict[str, dict[str, Any]]:
    """What is installed, by the release of the kernel it lies with.

    Each: ``path``, what ``modinfo`` says (``vermagic``, ``srcversion``, ``signer``), the ``build_id``, and the
    ``stamp`` that the role left; None for what is not there.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(Path(root, "lib/modules").glob("*/extra/netmap.ko*")):
        release = file.parent.parent.name
        said = parse_modinfo(_modinfo(str(file)))
        stamp = stamp_of(Host(root), release)
        found[release] = {
            "path": "/" + str(file.relative_to(root)),
            **{name: said.get(name) for name in ("vermagic", "srcversion", "signer")},
            "build_id": _build_id(_unpacked(file)),
            "stamp": stamp,
        }
    return found


def parse_modinfo(output: str) -> dict[str, str]:
    """The first value of each field that ``modinfo`` prints."""
    fields: dict[str, str] = {}
    for line in output.splitlines():
        name, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(name.strip(), value.strip())
    return fields


def commit_of(stamp: Mapping[str, Any] | None) -> str | None:
    """The commit of netmap's sources that a stamp names: the role's netmap_version."""
    said = (stamp or {}).get("version")
    return said if isinstance(said, str) else None


def secure_boot(root: str = "/") -> bool | None:
    """Whether the firmware started this kernel with Secure Boot. None where that cannot be read."""
    if not os.path.isdir(os.path.join(root, "sys/firmware/efi")):
        return False
    content = read_bytes(os.path.join(root, _SECURE_BOOT))
    return None if content is None else content[4:5] == b"\1"


def signatures_enforced(root: str = "/") -> bool:
    """Whether the running kernel loads signed modules only: because it was told to, or because it is locked down."""
    enforce = read_text(os.path.join(root, "sys/module/module/parameters/sig_enforce"))
    lockdown = re.search(r"\[(\w+)\]", read_text(os.path.join(root, "sys/kernel/security/lockdown")))
    return enforce == "Y" or bool(lockdown and lockdown[1] != "none")


def _modinfo(path: str) -> str:
    done = run(["modinfo", path])
    return done.stdout if done.status == 0 else ""


def _unpacked(file: Path) -> bytes:
    """A module as it was linked; nothing where it is packed in another way."""
    data = read_bytes(file) or b""
    try:
        return _UNPACK.get(file.suffix, bytes)(data)
    except (zlib.error, lzma.LZMAError):
        return b""


def stamp_of(host: Host, kernel: str) -> dict[str, Any] | None:
    """What the role noted of its build for a kernel; None where there is none, or none that can be read."""
    path = host.stamp(kernel)
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise TrafficgenError(
            "cannot be read", on=str(path), said=str(error.strerror), remedy="Run the task as root (become: true)."
        ) from error
    except ValueError:
        return None  # the role writes it whole; what is broken says nothing
    return stamp if isinstance(stamp, dict) else None


SIGNING = (
    "Make a key, enrol its certificate (mokutil --import CERT.der, then reboot and confirm) and set netmap_signing_key"
    " and netmap_signing_cert; or switch Secure Boot off."
)


def modinfo(module: Path, field: str) -> str:
    """A field of a module."""
    return must(["modinfo", "-F", field, str(module)], f"{module} is not a kernel module").strip()


def refused_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Whether this kernel takes signed modules only and there is no key to sign with."""
    if settings["signing_key"] or not signatures_enforced(str(host.root)):
        return ""
    return f"This kernel refuses unsigned modules (Secure Boot, kernel lockdown or module.sig_enforce). {SIGNING}"


def module_file(host: Host, kernel: str, module: str) -> Path | None:
    """The installed file of a module, compressed or not."""
    for end in ("", ".xz", ".zst", ".gz"):
        path = host.modules(kernel) / f"{module}.ko{end}"
        if path.is_file():
            return path
    return None


def options_problem(path: Path | None, settings: Mapping[str, Any]) -> str:
    """Which of netmap_module_options the module does not have: the kernel would only log that."""
    if not path or not settings["module_options"]:
        return ""
    known = {line.partition(":")[0] for line in modinfo(path, "parm").splitlines()}
    unknown = sorted(set(settings["module_options"]) - known)
    return (
        f"netmap_module_options: the module has no parameter {', '.join(unknown)}. It has: {', '.join(sorted(known))}."
        if unknown
        else ""
    )


def is_loaded_file(host: Host, path: Path | None) -> bool:
    """Whether netmap in the kernel is that of the file, by the build ID that the linker put into both."""
    build_id = loaded_build_id(str(host.root))
    return path is not None and build_id is not None and build_id == _build_id(_unpacked(path))
