# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap on this host: built for a kernel, verified, put in place, loaded, unloaded, removed.

The module netmap_setup, the unit netmap.service and the hooks of a kernel update all come here, so that a module is
built and loaded in one way only. The settings are those of the role netmap; on the host they are in
/etc/trafficgen-netmap.json. As the command trafficgen-netmap (see package.py) it prints one JSON object; of a known
error it prints a sentence on standard error, and ends with status 3.

netmap_setup adds the role's other files as they are to be ("files": contents by path) and the command itself
("program"). These come with the modules and go with them, if that fails: all of it or nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import glob
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import links_of, why_managed

SETTINGS = "/etc/trafficgen-netmap.json"
PROGRAM = "/usr/local/sbin/trafficgen-netmap"
UNIT = "netmap.service"
STATE = "/var/lib/trafficgen"
LOCK = "/run/trafficgen-netmap.lock"
UNIT_FILE = "/etc/systemd/system/netmap.service"
# The role's files beside the modules. Which of them there are is the role's choice.
OTHER_FILES = (
    UNIT_FILE,
    "/etc/modprobe.d/trafficgen-netmap.conf",
    "/etc/kernel/install.d/95-trafficgen-netmap.install",
    "/etc/kernel/postinst.d/zz-trafficgen-netmap",
    "/etc/kernel/header_postinst.d/zz-trafficgen-netmap",
    "/etc/kernel/postrm.d/zz-trafficgen-netmap",
    SETTINGS,
    PROGRAM,
)
# Part of every key: raise it when this program builds otherwise than before.
RECIPE = 1
# A checkout with this file in .git is ours: it may be replaced, and goes with "remove".
MARK = "trafficgen"
# The tests of netmap's configure alone take 60 MB, a native driver tens more.
NEEDED_MB = 400
# How long a device may take to get its stock driver at boot, and its new driver at any time.
BIND_SECONDS = 30

# What configure downloads for an external driver, below LINUX/ext-drivers: where the file is there, it downloads
# nothing.
ARCHIVES = {
    "e1000e": "e1000e-{version}.tar.gz",
    "i40e": "i40e/v{version}.zip",
    "ice": "ice/v{version}.zip",
    "igb": "igb/v{version}.zip",
    "ixgbe": "ixgbe/v{version}.zip",
    "ixgbevf": "ixgbevf/v{version}.zip",
}
# mlx5 is netmap's, and not for us: its module is mlx5_core, on top of others of the same archive (mlx_compat, mlxfw),
# which have no suffix.
EXTERNAL = (*ARCHIVES, "mlx5", "virtio_net.c")
# Beside the stock driver there is no place for these: netmap's patch has no suffix for the name of their PCI driver (it
# has for all other PCI drivers: NETMAP_LINUX_DRIVER_SUFFIX in its headers), and two of one name the kernel does not
# take.
NOT_BESIDE = ("vmxnet3",)

# What git may fetch by, also where a server sends it elsewhere.
PROTOCOLS = "https:ssh:file"
# configure and make have nothing to fetch: should they try, they ask a proxy that is not there. And what they unpack is
# root's, whoever was its owner where it was packed.
CLOSED = {
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "ftp_proxy", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"
    ),
    "no_proxy": "",
    "NO_PROXY": "",
    "TAR_OPTIONS": "--no-same-owner --no-same-permissions",
}

DEV_TOOLS = "Run the role wirespeed.trafficgen.dev_tools, which brings it"


# --- The host ---


class Host:
    """Files and programs of this host, below a root folder in tests."""

    def __init__(self, root: str = "/", running: str | None = None) -> None:
        """Take ``running`` for the release of the running kernel, its own by default."""
        self.root = Path(root)
        self.running = running or os.uname().release

    def path(self, path: str) -> Path:
        """``path`` below the root."""
        return self.root / path.lstrip("/")

    def stamp(self, kernel: str) -> Path:
        """The stamp of what was built for ``kernel``."""
        return self.path(f"{STATE}/stamps/netmap-{kernel}.json")

    def build_folder(self, kernel: str) -> Path:
        """Where netmap is built for ``kernel``."""
        return self.path(f"{STATE}/build/netmap/{kernel}")

    def modules(self, kernel: str) -> Path:
        """Where its modules are installed."""
        return self.path(f"/lib/modules/{kernel}/extra")


def text(path: Path) -> str:
    """The content of a small file, stripped; empty where there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def sha256(path: Path) -> str:
    """The file's SHA-256; empty where there is none."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    log: Path | None = None,
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program, its output captured or in ``log``; its whole process group ends with this program."""
    env = {**os.environ, "LC_ALL": "C", **environment}
    for name in ("LANGUAGE", "MAKEFLAGS", "MFLAGS", "KERNELRELEASE"):
        env.pop(name, None)
    try:
        with contextlib.ExitStack() as stack:
            out: Any = stack.enter_context(log.open("a")) if log else subprocess.PIPE
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                cwd=cwd,
                env=env,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            try:
                stdout, stderr = process.communicate(stdin)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except FileNotFoundError:
        raise TrafficgenError(f"{argv[0]} is missing on this host. {DEV_TOOLS}.") from None
    return subprocess.CompletedProcess(argv, process.returncode, stdout or "", stderr or "")


def must(argv: Sequence[str], what: str) -> str:
    """:func:`run`, and a :class:`TrafficgenError` when it fails."""
    done = run(argv)
    if done.returncode != 0:
        raise TrafficgenError(f"{what}: {(done.stderr or done.stdout).strip()}")
    return str(done.stdout)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader finds the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # a link there would lead elsewhere
    with new.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(mode)
    new.replace(path)


def content_of(path: Path) -> bytes | None:
    """The content of a file; None where there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


# --- Folders that root builds in, and from ---


def writer(path: Path) -> str:
    """Who beside root can write a file or folder, in words; empty where nobody can."""
    about = path.lstat()
    if about.st_uid not in (0, os.geteuid()):
        return f"belongs to {name_of(about.st_uid)}"
    if stat.S_ISLNK(about.st_mode):
        return ""
    if about.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if not about.st_mode & stat.S_IWGRP:
        return ""
    # With an access control list, the group's bits are the most that it gives to anyone.
    with contextlib.suppress(OSError):
        os.getxattr(path, "system.posix_acl_access")
        return "can be written by those in its access control list (getfacl shows it)"
    who = members(about.st_gid)
    return f"can be written by {who}" if who else ""


def name_of(uid: int) -> str:
    """A login's name, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the login {uid}"


def members(gid: int) -> str:
    """Who is in a group beside root, in words. Of Debian's groups for /usr/src and /usr/local, src and staff, that is
    nobody."""
    try:
        group = grp.getgrgid(gid)
        name, listed = group.gr_name, set(group.gr_mem)
    except KeyError:
        name, listed = str(gid), set()
    listed |= {login.pw_name for login in pwd.getpwall() if login.pw_gid == gid}
    listed.discard("root")
    if gid >= 1000:
        # A group of people: a directory service need not list those whose own group it is.
        return f"the group {name}"
    return f"the group {name} ({', '.join(sorted(listed))})" if listed else ""


def unsafe(host: Host, folder: str) -> str:
    """Why root must not build in a folder, or from it: somebody else can write there or in a folder above.

    Of a folder that is not there yet, those above it count: root makes it. A link is followed, if nobody else can put
    another in its place.
    """
    place, todo, steps = host.root, [part for part in Path(folder).parts if part != "/"], 0
    while True:
        try:
            who = writer(place)
            link = os.readlink(place) if place.is_symlink() else ""
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if who or steps > 100:
            return f"{place} {who or 'leads round in a circle'}"
        if link:
            place = host.root if link.startswith("/") else place.parent
            todo = [part for part in Path(link).parts if part != "/"] + todo
        if not todo:
            return ""
        steps += 1
        part = todo.pop(0)
        place = (place if place == host.root else place.parent) if part == ".." else place / part


def folder_problem(host: Host, folder: str, what: str) -> str:
    """:func:`unsafe` as a sentence."""
    why = unsafe(host, folder)
    if not why:
        return ""
    return (
        f"{what}: {why}, and what is built there runs as root. Name one that only root can write, in folders that only"
        " root can write; or make it so, after a look at what lies there."
    )


def source_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Why the checkout is not to be built from, nor asked by git, which runs what its settings say."""
    name = settings["source_dir"]
    folder = host.path(name)
    if folder.is_symlink():
        return f"netmap_source_dir: {name} is a symbolic link, and the role would replace it. Name the folder itself."
    if problem := folder_problem(host, name, "netmap_source_dir"):
        return problem
    for where, folders, names in os.walk(folder):
        for entry in (*folders, *names):
            with contextlib.suppress(FileNotFoundError):
                if who := writer(Path(where) / entry):
                    return f"netmap_source_dir: {where}/{entry} {who}. Move {name} away: the role fetches it anew."
    return ""


def build_folders_problem(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """Which of the folders of a build somebody else can write."""
    folders = {
        "The build's folder": f"{STATE}/build/netmap/{kernel}",
        "The archives' folder": f"{STATE}/archives/netmap",
        "The stamps' folder": f"{STATE}/stamps",
        "netmap_kernel_dir": "/" + str(kernel_folder(host, settings, kernel).relative_to(host.root)),
    }
    if settings["kernel_sources"]:
        folders["netmap_kernel_sources"] = per_kernel(settings["kernel_sources"], kernel)
    return next(filter(None, (folder_problem(host, folder, what) for what, folder in folders.items())), "")


# --- The role's own files ---


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are kept: without the files and the program, which the role gives along with them."""
    return {name: value for name, value in settings.items() if name not in ("files", "program")}


def own_files(settings: Mapping[str, Any]) -> dict[str, bytes | None]:
    """The files beside the modules as they are to be, None for one that is not to be. Not from the role, only the
    settings."""
    wanted: dict[str, bytes | None] = {}
    if "files" in settings:
        wanted.update(dict.fromkeys(OTHER_FILES))
        wanted.update((path, content.encode()) for path, content in settings["files"].items())
        wanted[PROGRAM] = settings["program"]
    wanted[SETTINGS] = (json.dumps(plain(settings), indent=4, sort_keys=True) + "\n").encode()
    return wanted


def mode_of(path: str) -> int:
    """The mode of one of them, or of a module."""
    return 0o755 if path == PROGRAM or path.startswith("/etc/kernel/") else 0o644


def unlike(host: Host, settings: Mapping[str, Any]) -> dict[str, bytes | None]:
    """Those of them that are not as they are to be."""
    return {
        path: content
        for path, content in own_files(settings).items()
        if not is_as_wanted(host.path(path), content, mode_of(path))
    }


def is_as_wanted(path: Path, content: bytes | None, mode: int) -> bool:
    """Whether a file has this content, this mode and this owner; whether it is not there, for None."""
    if content is None or content_of(path) != content:
        return content is None and not path.exists()
    about = path.stat()
    return about.st_mode & 0o7777 == mode and about.st_uid == os.geteuid()


# --- What is asked, what is there ---


def wanted_kernels(host: Host, settings: Mapping[str, Any]) -> list[str]:
    """The kernel releases to build for."""
    kernels: list[str] = []
    for word in settings["kernels"]:
        if word == "running":
            kernels.append(host.running)
        elif word == "all_installed":
            kernels += installed_kernels(host)
        else:
            kernels.append(word)
    return list(dict.fromkeys(kernels))


def is_installed(host: Host, kernel: str) -> bool:
    """Whether the kernel itself is there: what a removed one leaves is a folder without its modules."""
    return host.path(f"/lib/modules/{kernel}/kernel").is_dir()


def installed_kernels(host: Host) -> list[str]:
    """The releases of the kernels that are installed."""
    return sorted(Path(folder).parent.name for folder in glob.glob(str(host.path("/lib/modules/*/kernel"))))


def per_kernel(template: str, kernel: str) -> str:
    """A path that may hold ``{kernel}``."""
    return template.replace("{kernel}", kernel)


def kernel_folder(host: Host, settings: Mapping[str, Any], kernel: str) -> Path:
    """The configured kernel folder to build against."""
    if settings["kernel_dir"]:
        return host.path(per_kernel(settings["kernel_dir"], kernel))
    packaged = host.path(f"/usr/src/kernels/{kernel}")  # EL's kernel-devel
    return packaged if packaged.is_dir() else host.path(f"/lib/modules/{kernel}/build")


def headers_problem(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """Why nothing can be built against the kernel's headers; empty where it can."""
    folder = kernel_folder(host, settings, kernel)
    devel = f"kernel-devel-{kernel} (EL) or linux-headers-{kernel} (Debian)"
    if not folder.is_dir():
        return f"There are no headers of kernel {kernel}: {folder} is missing. {DEV_TOOLS}: {devel}."
    release = re.search(r'UTS_RELEASE "([^"]*)"', text(folder / "include/generated/utsrelease.h"))
    if not release or not (folder / ".config").is_file():
        return (
            f"{folder} is no configured kernel folder: it lacks .config or include/generated/utsrelease.h. Install"
            f" {devel}."
        )
    if release[1] != kernel:
        return (
            f"{folder} has the headers of kernel {release[1]}, and netmap is to be built for {kernel}. "
            f"Install {devel}, or set netmap_kernel_dir to its folder, with {{kernel}} for the release."
        )
    return ""


def headers_identity(folder: Path) -> str:
    """What a build takes from the kernel folder beside its release: an update of the packages keeps the release now and
    then."""
    names = (".config", "Module.symvers", "include/generated/utsrelease.h")
    return hashlib.sha256(" ".join(sha256(folder / name) for name in names).encode()).hexdigest()


def compiler(folder: Path) -> str:
    """The compiler that the kernel's makefiles take, as it names itself; empty without one."""
    kernels = re.search(r'^CONFIG_CC_VERSION_TEXT="(\S+)', text(folder / ".config"), re.MULTILINE)
    for name in (kernels[1] if kernels else "", "gcc"):
        if name and shutil.which(name):
            return run([name, "--version"]).stdout.partition("\n")[0]
    return ""


def externals(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """The external drivers, each with the archive's place here and its place in netmap's tree."""
    found = []
    for driver in settings["external_drivers"]:
        name = driver["name"]
        place = ARCHIVES.get(name, name).format(version=driver["version"])
        archive = f"{STATE}/archives/netmap/{place}"
        found.append({**driver, "place": place, "archive": archive, "sha256": driver["checksum"].partition(":")[2]})
    return found


def asked_drivers(settings: Mapping[str, Any]) -> list[str]:
    """Every native driver that must come out of the build."""
    return list(dict.fromkeys([*settings["drivers"], *(driver["name"] for driver in settings["external_drivers"])]))


def configure_options(settings: Mapping[str, Any], kernel: str, folder: Path) -> list[str]:
    """The options of netmap's configure."""
    options = [f"--kernel-dir={folder}", f"--driver-suffix={settings['driver_suffix']}", "--no-utils"]
    if settings["kernel_sources"]:
        options.append(f"--kernel-sources={per_kernel(settings['kernel_sources'], kernel)}")
    asked = asked_drivers(settings)
    if asked:
        options.append("--drivers=" + ",".join(asked))
    elif settings["no_drivers"]:
        options.append("--no-drivers=" + ",".join(settings["no_drivers"]))
    # configure would download the sources of those that are not named here, unchecked.
    external = [driver["name"] for driver in settings["external_drivers"]]
    if external:
        options.append("--no-ext-drivers=" + ",".join(name for name in EXTERNAL if name not in external))
        options += [
            f"--select-version={driver['name']}:{driver['version']}"
            for driver in settings["external_drivers"]
            if driver["version"]
        ]
    else:
        options.append("--no-ext-drivers")
    options.append("--apps=" + ",".join(settings["apps"]) if settings["apps"] else "--no-apps")
    return options


def inputs(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Everything the result of a build depends on."""
    folder = kernel_folder(host, settings, kernel)
    certificate = settings["signing_cert"]
    return {
        "recipe": RECIPE,
        "version": settings["version"],
        "options": configure_options(settings, kernel, folder),
        "compiler": compiler(folder),
        "kernel": kernel,
        "kernel_headers": headers_identity(folder),
        "archives": sorted(driver["sha256"] for driver in externals(settings)),
        "missing_drivers": settings["missing_drivers"],
        "signing_cert": sha256(host.path(certificate)) if certificate else None,
    }


def key_of(parts: Mapping[str, Any]) -> str:
    """The key of a build: the same key, the same result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_stamp(host: Host, kernel: str) -> dict[str, Any]:
    """The stamp of the kernel's build; empty where there is none that can be read."""
    try:
        stamp = json.loads(text(host.stamp(kernel)))
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


def stamped_kernels(host: Host) -> list[str]:
    """The kernels something was built for."""
    return sorted(Path(path).stem[len("netmap-") :] for path in glob.glob(str(host.stamp("*"))))


def is_built(host: Host, settings: Mapping[str, Any], kernel: str) -> bool:
    """Whether what is installed for the kernel is what is asked for, untouched since."""
    stamp = read_stamp(host, kernel)
    files = stamp.get("files") or {}
    return (
        stamp.get("key") == key_of(inputs(host, settings, kernel))
        and bool(files)
        and all(sha256(host.path(path)) == digest for path, digest in files.items())
        and all(host.path(path).exists() for path in stamp.get("apps", []))
    )


# --- The source ---


def git(host: Host, settings: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git on the checkout, which is root's alone, and without a question to anyone."""
    if problem := source_problem(host, settings):
        raise TrafficgenError(problem)
    return run(
        ["git", "-C", str(host.path(settings["source_dir"])), *arguments],
        GIT_TERMINAL_PROMPT="0",
        GIT_ALLOW_PROTOCOL=PROTOCOLS,
    )


def source_state(host: Host, settings: Mapping[str, Any]) -> str:
    """``ready``: the commit asked for, unchanged; ``fetch``: to be fetched; ``foreign``: not the role's; ``unsafe``:
    not root's alone."""
    folder = host.path(settings["source_dir"])
    if source_problem(host, settings):
        return "unsafe"
    if not folder.exists() or not any(folder.iterdir()):
        return "fetch"
    ours = (folder / ".git" / MARK).exists()
    if not (folder / ".git").exists() or not shutil.which("git"):
        return "foreign" if not ours else "fetch"
    clean = (
        git(host, settings, "rev-parse", "HEAD").stdout.strip() == settings["version"]
        and git(host, settings, "status", "--porcelain", "--untracked-files=no").stdout == ""
        # configure refuses a build folder of its own while this is there.
        and not (folder / "LINUX/netmap_linux_config.h").exists()
    )
    if clean:
        return "ready"
    return "fetch" if ours else "foreign"


def fetch(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the checkout to the commit. The old one stays until the new one is whole."""
    state = source_state(host, settings)
    if state == "ready":
        return {"changed": False}
    if state == "unsafe":
        raise TrafficgenError(source_problem(host, settings))
    if state == "foreign":
        raise TrafficgenError(foreign_source(settings))
    if switch(host, settings):
        return {"changed": True}
    folder = host.path(settings["source_dir"])
    new = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    version, repository = settings["version"], settings["repository"]
    new.parent.mkdir(parents=True, exist_ok=True)

    as_owner = upload_pack(repository)

    def here(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(["git", "-C", str(new), *arguments], GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=PROTOCOLS)

    try:
        must(["git", "init", "-q", str(new)], f"{new} cannot be made")
        # One commit without its history, where the server gives it by its hash; else everything.
        if here("fetch", "-q", "--depth=1", *as_owner, repository, version).returncode != 0:
            done = here(
                "fetch", "-q", *as_owner, repository, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"
            )
            if done.returncode != 0:
                raise TrafficgenError(
                    f"netmap's source cannot be fetched from {repository}: {done.stderr.strip()}. Check the network and"
                    " the proxy of this host, or point netmap_repository at a copy: a URL, or a path on this host."
                )
        done = here("-c", "advice.detachedHead=false", "checkout", "-q", "--detach", version)
        if done.returncode != 0:
            raise TrafficgenError(
                f"{repository} has no commit {version}: {done.stderr.strip()}. Check netmap_version and"
                " netmap_repository."
            )
        # The commit before stays at hand, for a build of this one that fails.
        if (folder / ".git").exists():
            here("fetch", "-q", "--update-shallow", str(folder), "+HEAD:refs/trafficgen/before")
        (new / ".git" / MARK).touch()
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return {"changed": True}


def upload_pack(repository: str) -> list[str]:
    """Git's option to read somebody else's repository on this host.

    Git refuses that to root, as what it runs there goes by that repository's settings, so by its owner's will.
    (safe.directory would have root trust them, and does not reach that program.) So it runs as that owner; what comes
    of it is known by its hash.
    """
    folder = Path(repository.removeprefix("file://"))
    if not folder.is_absolute() or not folder.is_dir():
        return []
    about = (folder / ".git" if (folder / ".git").exists() else folder).stat()
    if about.st_uid == os.geteuid():
        return []
    return [
        f"--upload-pack=env HOME=/ setpriv --reuid={about.st_uid} --regid={about.st_gid} --clear-groups git upload-pack"
    ]


def switch(host: Host, settings: Mapping[str, Any]) -> bool:
    """Bring the checkout to the commit where it has that already: without the network."""
    if not host.path(f"{settings['source_dir']}/.git/{MARK}").exists():
        return False
    git(host, settings, "-c", "advice.detachedHead=false", "checkout", "-q", "--force", "--detach", settings["version"])
    return source_state(host, settings) == "ready"


def foreign_source(settings: Mapping[str, Any]) -> str:
    """The sentence about a folder that is not the role's."""
    return (
        f"{settings['source_dir']} is there, is not this role's, and is not an unchanged checkout of"
        f" {settings['version']}. Move it away, or set netmap_source_dir to another folder."
    )


# --- Building ---


def native_drivers(configure_output: str) -> list[str]:
    """The drivers that configure is left with, from its last line of that name: it drops what fails, and still
    succeeds."""
    lines = re.findall(r"^native drivers[ \t]*(.*)$", configure_output, re.MULTILINE)
    if not lines:
        raise TrafficgenError(
            "configure did not print a line 'native drivers': this is not a netmap this role knows. Check"
            " netmap_version."
        )
    return str(lines[-1]).split()


def failed_step(step: str, kernel: str, log: Path) -> TrafficgenError:
    """The error of a failed step, with the end of its log."""
    said = text(log)
    if "No space left on device" in said:
        return TrafficgenError(
            f"{step} of netmap for kernel {kernel} ran out of space in {log.parent}. Make room there."
        )
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [
        line
        for line in lines
        if re.search(r"\berror:|ERROR|Error \d|\*\*\*", line) and not re.fullmatch(r"[* ]*(ERROR)?[* ]*", line)
    ]
    return TrafficgenError(
        f"{step} of netmap failed for kernel {kernel}: {' | '.join(errors[:3] or lines[-3:])}. All of it is in {log}."
    )


def build(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Build for the kernel, verify, install, load if it runs; the stamp comes last. What fails leaves everything as it
    was."""
    try:
        return build_and_install(host, settings, kernel)
    except BaseException:
        with contextlib.suppress(TrafficgenError, OSError):
            switch(host, read_settings(host))
        raise


def build_and_install(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """What :func:`build` does where nothing fails."""
    problems = [headers_problem(host, settings, kernel), tools_problem(settings), signing_problem(host, settings)]
    problems.append(build_folders_problem(host, settings, kernel))
    if kernel == host.running and settings["service"]:
        problems += [refused_problem(host, settings), reload_problem(host, settings, settings["native_devices"])]
    for problem in filter(None, problems):
        raise TrafficgenError(problem)
    fetch(host, settings)
    parts = inputs(host, settings, kernel)
    folder = host.build_folder(kernel)
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    host.path(STATE).mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.mkdir(parents=True)
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MB:
        raise TrafficgenError(
            f"{folder} has room for {free} MB, and a build takes up to {NEEDED_MB} MB. Make room there."
        )
    place_archives(host, settings)

    source = host.path(settings["source_dir"])
    log = folder / "configure.log"
    # Without it, configure looks for the sources of the running kernel, whichever it builds for.
    if (
        run([str(source / "configure"), *parts["options"]], log=log, cwd=folder, kernelver=kernel, **CLOSED).returncode
        != 0
    ):
        raise failed_step("configure", kernel, log)
    drivers = native_drivers(text(log))
    log = folder / "make.log"
    make = ["make", f"-j{int(settings['jobs']) or os.cpu_count() or 1}"]
    # The drivers' sources come first: the rule of netmap.ko takes those that are there when it begins.
    steps = [[f"get-{driver}" for driver in drivers]] if drivers else []
    for targets in (*steps, []):
        if run([*make, *targets], log=log, cwd=folder, **CLOSED).returncode != 0:
            raise failed_step("make", kernel, log)

    modules = collect(folder, settings["driver_suffix"])
    missing = [
        name for name in asked_drivers(settings) if name not in drivers or module_name(name, settings) not in modules
    ]
    if missing and settings["missing_drivers"] == "fail":
        raise TrafficgenError(
            f"netmap was built for kernel {kernel} without the native drivers asked for: {', '.join(missing)} (built:"
            f" {', '.join(drivers) or 'none'}). The reasons are in {folder}/configure.log and {folder}/config.log. Give"
            " their sources (netmap_kernel_sources, netmap_external_drivers), ask for others (netmap_drivers), or set"
            " netmap_missing_drivers: warn. What was installed before still is."
        )
    for path in modules.values():
        must(["strip", "--strip-debug", str(path)], f"{path} cannot be stripped")
        sign(host, settings, kernel, path)
        verify(kernel, path, settings)
    if problem := options_problem(modules["netmap"], settings):
        raise TrafficgenError(problem)
    apps = {name: folder / "build-apps" / name / name for name in settings["apps"]}
    for name, path in apps.items():
        if not path.is_file():
            raise TrafficgenError(
                f"netmap's program {name} was not built for kernel {kernel}: see {folder}/make.log, and netmap_apps."
            )

    stamp = {
        "key": key_of(parts),
        **parts,
        "repository": settings["repository"],
        "kernel_dir": str(kernel_folder(host, settings, kernel)),
        "drivers": [name for name in drivers if module_name(name, settings) in modules],
        "missing": missing,
        "vermagic": modinfo(modules["netmap"], "vermagic"),
        "srcversion": modinfo(modules["netmap"], "srcversion") or None,
        "signer": modinfo(modules["netmap"], "signer") or None,
        "seconds": round(time.monotonic() - started, 1),
        "built": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    install(host, settings, kernel, modules, apps, stamp)
    clear_objects(folder)
    return {
        "changed": True,
        "kernel": kernel,
        "drivers": stamp["drivers"],
        "missing": missing,
        "seconds": stamp["seconds"],
    }


def tools_problem(settings: Mapping[str, Any]) -> str:
    """Which programs a build lacks here, as a sentence."""
    names = ["git", "make", "gcc", "strip", "depmod", "modinfo"]
    if asked_drivers(settings):
        names.append("patch")
    if missing := [name for name in names if not find_program(name)]:
        return f"Missing on this host: {', '.join(missing)}. {DEV_TOOLS}."
    zipped = [driver["name"] for driver in externals(settings) if driver["place"].endswith(".zip")]
    if zipped and not find_program("unzip"):
        return (
            f"unzip is missing on this host, which the archive of {', '.join(zipped)} needs. Install the package unzip."
        )
    return ""


def find_program(name: str) -> str | None:
    """The program's path; a login without root's PATH has no /usr/sbin."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def place_archives(host: Host, settings: Mapping[str, Any]) -> None:
    """Put the external drivers' archives, verified, where configure finds them and so downloads nothing."""
    for driver in externals(settings):
        archive = host.path(driver["archive"])
        if sha256(archive) != driver["sha256"]:
            raise TrafficgenError(
                f"{archive} is missing or is not the archive of {driver['name']} whose checksum was given. Run the role"
                " netmap."
            )
        place = host.path(settings["source_dir"]) / "LINUX/ext-drivers" / driver["place"]
        if sha256(place) != driver["sha256"]:
            write_file(place, archive.read_bytes())


def module_name(driver: str, settings: Mapping[str, Any]) -> str:
    """The module of a native driver."""
    return f"{driver.removesuffix('.c')}{settings['driver_suffix']}"


def collect(folder: Path, suffix: str) -> dict[str, Path]:
    """The modules that were built, by name: netmap and those with the suffix."""
    found = {}
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "netmap-tmpdir"]
        for name in names:
            module, extension = os.path.splitext(name)
            if extension == ".ko" and (module == "netmap" or module.endswith(suffix)):
                found[module] = Path(where) / name
    if "netmap" not in found:
        raise TrafficgenError(f"make succeeded, and there is no netmap.ko in {folder}. See {folder}/make.log.")
    return found


def modinfo(module: Path, field: str) -> str:
    """A field of a module."""
    return must(
        [find_program("modinfo") or "modinfo", "-F", field, str(module)], f"{module} is no kernel module"
    ).strip()


def verify(kernel: str, module: Path, settings: Mapping[str, Any]) -> None:
    """Raise where the module is not for the kernel, or not signed although it should be."""
    release = modinfo(module, "vermagic").partition(" ")[0]
    if release != kernel:
        raise TrafficgenError(
            f"{module} was built for kernel {release or 'unknown'}, not for {kernel}. Check netmap_kernel_dir."
        )
    if settings["signing_key"] and not modinfo(module, "sig_id"):
        raise TrafficgenError(
            f"{module} has no signature although it was signed. Check netmap_signing_key and netmap_signing_cert."
        )


def sign(host: Host, settings: Mapping[str, Any], kernel: str, module: Path) -> None:
    """Sign the module with the kernel's own program."""
    if not settings["signing_key"]:
        return
    folder = kernel_folder(host, settings, kernel)
    digest = re.search(r'^CONFIG_MODULE_SIG_HASH="(\w+)"', text(folder / ".config"), re.MULTILINE)
    program = folder / "scripts/sign-file"
    if not program.exists():
        raise TrafficgenError(f"{program} is missing, which signs modules. {DEV_TOOLS}, with the kernel's headers.")
    key, certificate = (str(host.path(settings[name])) for name in ("signing_key", "signing_cert"))
    must(
        [str(program), digest[1] if digest else "sha256", key, certificate, str(module)],
        f"{module} cannot be signed with {key}",
    )


def signing_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Why modules cannot be signed as asked."""
    for name in ("signing_key", "signing_cert"):
        if settings[name] and not host.path(settings[name]).is_file():
            return f"netmap_{name}: there is no file {settings[name]} on this host. Put it there first, with mode 0600."
    return ""


def clear_objects(folder: Path) -> None:
    """Of a build that is installed, keep what tells how it went."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.suffix not in (".log", ".status", ".h"):
            path.unlink()


# --- Installing ---


def install(
    host: Host,
    settings: Mapping[str, Any],
    kernel: str,
    modules: Mapping[str, Path],
    apps: Mapping[str, Path],
    stamp: dict[str, Any],
) -> None:
    """Put the modules in place of the old ones, load them if the kernel runs, and write the stamp."""
    new = {f"/lib/modules/{kernel}/extra/{name}.ko": path.read_bytes() for name, path in modules.items()}
    # Also a netmap.ko that was there before this role, perhaps compressed.
    old = {
        *read_stamp(host, kernel).get("files", {}),
        *new,
        *(f"{path}{end}" for path in new for end in (".xz", ".zst", ".gz")),
    }
    replace(host, settings, kernel, new, old, loads=kernel == host.running and settings["service"])
    for name, program in apps.items():
        write_file(host.path(f"/usr/local/bin/{name}"), program.read_bytes(), 0o755)
    stamp["files"] = {path: sha256(host.path(path)) for path in sorted(new)}
    stamp["apps"] = [f"/usr/local/bin/{name}" for name in sorted(apps)]
    write_file(host.stamp(kernel), (json.dumps(stamp, indent=2, sort_keys=True) + "\n").encode())


def replace(
    host: Host, settings: Mapping[str, Any], kernel: str, new: Mapping[str, bytes], old: Iterable[str], *, loads: bool
) -> dict[str, Any]:
    """Put new modules and the role's files in place of old ones, and load anew if asked; when that fails, everything
    old is back."""
    was_loaded = is_loaded(host)
    files = unlike(host, settings)
    kept = {path: content for path in sorted({*old, *files}) if (content := content_of(host.path(path))) is not None}
    everything = {**new, **{path: content for path, content in files.items() if content is not None}}
    no_unit = UNIT_FILE in kept and UNIT_FILE not in everything and UNIT_FILE in files
    if (loads or no_unit) and (problem := reload_problem(host, settings, settings["native_devices"] if loads else ())):
        raise TrafficgenError(problem)
    try:
        if no_unit:
            systemctl(UNIT, "stop")
            systemctl(UNIT, "disable")
        for path, content in everything.items():
            write_file(host.path(path), content, mode_of(path))
        for path in set(kept) - set(everything):
            host.path(path).unlink()
        if old:
            settle(host, kernel)
        if UNIT_FILE in files:
            reload_systemd()
        if loads:
            activate(host, settings)
    except (TrafficgenError, OSError) as error:
        for path in set(everything) - set(kept):
            host.path(path).unlink(missing_ok=True)
        for path, content in kept.items():
            write_file(host.path(path), content, mode_of(path))
        if old:
            settle(host, kernel)
        again = ""
        try:
            if UNIT_FILE in files:
                reload_systemd()
                if UNIT_FILE not in kept:
                    run(["systemctl", "reset-failed", UNIT])
            if no_unit:
                systemctl(UNIT, "enable")
            if was_loaded and (loads or no_unit):
                activate(host, settings)
        except TrafficgenError as second:
            again = f" Loading the old module again failed as well: {second}"
        raise TrafficgenError(f"{error} What was there before is back in place.{again}") from None
    return {"changed": loads or bool(everything or kept), "files": sorted(files)}


def reload_systemd() -> None:
    """Have systemd read the unit, or see that it is gone."""
    must(["systemctl", "daemon-reload"], "systemd did not reload")


def settle(host: Host, kernel: str) -> None:
    """The modules' list and their SELinux label."""
    must(
        [find_program("depmod") or "depmod", *(["-b", str(host.root)] if str(host.root) != "/" else []), "-a", kernel],
        "depmod failed",
    )
    restorecon = find_program("restorecon")
    if restorecon and host.path("/sys/fs/selinux/enforce").exists() and host.modules(kernel).is_dir():
        must([restorecon, "-R", str(host.modules(kernel))], "the SELinux label cannot be set")


def activate(host: Host, settings: Mapping[str, Any]) -> None:
    """Replace what is loaded by what is installed, through the unit."""
    if problem := reload_problem(host, settings, settings["native_devices"]):
        raise TrafficgenError(problem)
    systemctl(UNIT, "stop")
    unload(host, settings)
    systemctl(UNIT, "start")


def systemctl(unit: str, verb: str) -> None:
    """Start or stop a unit; of a failure, the sentence it left in the journal."""
    since = time.time()
    if run(["systemctl", verb, unit]).returncode == 0:
        return
    said = run(
        ["journalctl", "-q", "-u", unit, "-t", "trafficgen-netmap", "-o", "cat", f"--since=@{int(since) - 1}"]
    ).stdout
    last = said.strip().splitlines()[-1:] or [f"see: journalctl -u {unit}"]
    raise TrafficgenError(f"{unit} does not {verb}: {last[0]}")


# --- Loading ---


def is_loaded(host: Host, module: str = "netmap") -> bool:
    """Whether a module is in the kernel."""
    return host.path(f"/sys/module/{module.replace('-', '_')}/refcnt").exists()


def holders(host: Host, module: str = "netmap") -> list[str]:
    """The modules that use one: of netmap, its native drivers."""
    folder = host.path(f"/sys/module/{module.replace('-', '_')}/holders")
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def use_problem(host: Host) -> str:
    """Who keeps netmap from being unloaded, as a sentence."""
    users = int(text(host.path("/sys/module/netmap/refcnt")) or 0) - len(holders(host))
    if users <= 0:
        return ""
    who = have_open(host, ["/dev/netmap"])
    by = f" by {', '.join(who)}" if who else ""
    return f"netmap is in use{by}, and would have to be unloaded. End that first: nothing was changed."


def have_open(host: Host, files: Iterable[str]) -> list[str]:
    """The processes that have any of these open, by what /proc calls them."""
    files, who = set(files), []
    for folder in (
        sorted(glob.glob(str(host.path("/proc/[0-9]*"))), key=lambda path: int(Path(path).name)) if files else ()
    ):
        for link in glob.glob(f"{folder}/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(link) in files:
                    who.append(f"{text(Path(folder) / 'comm')} (process {Path(folder).name})")
                    break
    return who


def runs(host: Host, proc: str = "/proc") -> dict[str, str]:
    """The runs of the module tcpreplay in a network namespace: the interface's index, and the socket that keeps it for
    the run."""
    found = re.findall(
        r" (\d+) @wirespeed\.trafficgen/sending/(\d+)$", text(host.path(f"{proc}/net/unix")), re.MULTILINE
    )
    return {index: f"socket:[{inode}]" for inode, index in found}


def run_problem(host: Host, address: str) -> str:
    """Who is sending on a device, as a sentence."""
    under_way = runs(host)
    for name in interfaces_of(host, address):
        if lock := under_way.get(text(host.path(f"/sys/class/net/{name}/ifindex"))):
            by = f": {who}" if (who := ", ".join(have_open(host, [lock]))) else ""
            return f"A run is sending on {name} ({address}){by}. End that first: nothing was changed."
    return ""


def busy(host: Host) -> str:
    """Who has netmap open or is sending on any interface, in whichever network namespace, as a sentence."""
    used, seen = {"/dev/netmap"}, set()
    for folder in glob.glob(str(host.path("/proc/[0-9]*"))):
        with contextlib.suppress(OSError):
            namespace = os.readlink(f"{folder}/ns/net")
            if namespace not in seen:
                seen.add(namespace)
                used.update(runs(host, f"/proc/{Path(folder).name}").values())
    who = have_open(host, used)
    return (
        f"A run is under way, or netmap is in use: {', '.join(who)}. End that first: nothing was changed."
        if who
        else ""
    )


def reload_problem(host: Host, settings: Mapping[str, Any], taken: Iterable[str] = ()) -> str:
    """Why netmap cannot be unloaded now: who uses it, or a device that its drivers have, or would have afterwards
    (``taken``)."""
    moved = dict.fromkeys([*(address for driver in holders(host) for address in devices_of(host, driver)), *taken])
    return use_problem(host) or next(filter(None, (device_problem(host, settings, address) for address in moved)), "")


def device_problem(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Why a device must not change its driver now."""
    return protected_problem(host, settings, address) or run_problem(host, address)


def refused_problem(host: Host, settings: Mapping[str, Any]) -> str:
    """Whether this kernel takes signed modules only and there is no key to sign with."""
    if settings["signing_key"]:
        return ""
    locked = re.search(r"\[(integrity|confidentiality)\]", text(host.path("/sys/kernel/security/lockdown")))
    if not locked and text(host.path("/sys/module/module/parameters/sig_enforce")) != "Y":
        return ""
    return f"This kernel refuses unsigned modules (Secure Boot, kernel lockdown or module.sig_enforce). {SIGNING}"


SIGNING = (
    "Make a key, enrol its certificate (mokutil --import CERT.der, then reboot and confirm) and set netmap_signing_key"
    " and netmap_signing_cert; or switch Secure Boot off."
)


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
        f"netmap_module_options: the module has no {', '.join(unknown)}. It has: {', '.join(sorted(known))}."
        if unknown
        else ""
    )


def insmod(host: Host, kernel: str, module: str, options: Sequence[str] = ()) -> None:
    """Load a module by the absolute path of the running kernel's file: modprobe might find another kernel's through
    weak-modules."""
    path = module_file(host, kernel, module)
    if not path:
        raise TrafficgenError(
            f"There is no {module}.ko for the kernel that runs, {kernel}, in {host.modules(kernel)}. "
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
        must([find_program("modprobe") or "modprobe", "-a", *needs], f"{path} needs {', '.join(needs)}")
    done = run([find_program("insmod") or "insmod", str(path), *options])
    if done.returncode != 0 and not is_loaded(host, module):
        said = done.stderr.strip()
        remedy = ""
        if re.search("Key was rejected|Required key|Operation not permitted", said):
            remedy = f" The kernel takes modules only with a signature it knows. {SIGNING}"
        elif "Invalid module format" in said:
            remedy = f" It was built for another kernel: {PROGRAM} build {kernel} builds it again."
        raise TrafficgenError(f"{said}.{remedy}")


def load(host: Host, settings: Mapping[str, Any], kernel: str) -> dict[str, Any]:
    """Load netmap and give the named devices to their native drivers. What is so already stays so; a failure leaves
    nothing half done."""
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
        must([find_program("rmmod") or "rmmod", module], f"{module} cannot be unloaded")
    return {"changed": True}


def devices_of(host: Host, module: str) -> list[str]:
    """The PCI addresses bound to a module's drivers."""
    pattern = host.path(f"/sys/module/{module.replace('-', '_')}/drivers/pci:*/*:*:*.*")
    return sorted(Path(path).name for path in glob.glob(str(pattern)))


def pci(host: Host, address: str) -> Path:
    """The device's folder."""
    return host.path(f"/sys/bus/pci/devices/{address}")


def driver_of(host: Host, address: str) -> str:
    """The driver a device is bound to; empty without one."""
    link = pci(host, address) / "driver"
    return Path(os.readlink(link)).name if link.is_symlink() else ""


def wait_for_driver(host: Host, address: str, driver: str = "", seconds: float = BIND_SECONDS) -> str:
    """Wait until the device is bound, to ``driver`` if it is given."""
    end = time.monotonic() + seconds
    while True:
        found = driver_of(host, address)
        if (found and not driver) or (found == driver and driver) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def take(host: Host, settings: Mapping[str, Any], kernel: str, address: str) -> bool:
    """Give one device to its native driver; the others of its kind stay where they are."""
    suffix = settings["driver_suffix"]
    stock = wait_for_driver(host, address)
    if not stock:
        raise TrafficgenError(
            f"{address} has no driver, or is not there. Check netmap_native_devices, and lspci -k -s {address}."
        )
    if stock.endswith(suffix):
        return False
    if problem := another_device(host, settings, address) or device_problem(host, settings, address):
        raise TrafficgenError(problem)
    native = stock + suffix
    if not is_loaded(host, native):
        autoprobe = host.path("/sys/bus/pci/drivers_autoprobe")
        autoprobe.write_text("0")  # else the new driver takes every device that has none at the moment
        try:
            insmod(host, kernel, native)
        finally:
            autoprobe.write_text("1")
    up = interfaces_up(host, address)
    bind(host, address, native)
    found = wait_for_driver(host, address, native, 5)
    if found != native:
        bind(host, address, "")
        raise TrafficgenError(
            f"{address}: {native} did not take it; it is with {wait_for_driver(host, address)} again. dmesg says why."
        )
    set_up(host, address, up)
    return True


def give_back(host: Host, settings: Mapping[str, Any], address: str) -> None:
    """Give one device back to its stock driver."""
    up = interfaces_up(host, address)
    native = driver_of(host, address)
    bind(host, address, "")
    stock = wait_for_driver(host, address, seconds=5)
    suffix = settings["driver_suffix"]
    if not stock and native.endswith(suffix):
        # Its stock driver is not loaded, as after rmmod by hand.
        run([find_program("modprobe") or "modprobe", native[: -len(suffix)]])
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
        # A failed probe is told by the write; what comes of it is looked at by the caller.
        if not (pci(host, address) / "driver_override").exists():
            raise TrafficgenError(f"{address}: its driver cannot be changed: {error.strerror}") from None


def interfaces_of(host: Host, address: str) -> list[str]:
    """The network interfaces of a device."""
    folder = pci(host, address) / "net"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def interfaces_up(host: Host, address: str) -> bool:
    """Whether any of them is up."""
    flags = (text(host.path(f"/sys/class/net/{name}/flags")) for name in interfaces_of(host, address))
    return any(int(value or "0", 16) & 1 for value in flags)


def set_up(host: Host, address: str, up: bool) -> None:
    """A new driver makes a new interface, which is down: bring it up if the old one was. udev may still be about to
    rename it."""
    if not up:
        return
    run([find_program("udevadm") or "udevadm", "settle", "--timeout=10"])
    for name in interfaces_of(host, address):
        run([find_program("ip") or "ip", "link", "set", name, "up"])


# --- The management port ---


def protected_problem(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Why a device must not change its driver: this host is managed over it."""
    names = interfaces_of(host, address)
    # Settings of an earlier release of the role do not have it.
    if not names or settings.get("allow_management_interface"):
        return ""
    for name, why in managed(host, names).items():
        return (
            f"{address} is {name}: {why}. Its driver is not changed, as this host is managed over it. Name test ports"
            " only; or set netmap_allow_management_interface: true, and expect to lose the connection."
        )
    return ""


def managed(host: Host, interfaces: Iterable[str], netns: str | None = None) -> dict[str, str]:
    """Those of the interfaces that this host is managed over, each with the reason."""
    proc = str(host.path("/proc"))
    return {name: why for name in interfaces if (why := why_managed(name, netns, proc))}


def macs(host: Host, addresses: Iterable[str]) -> dict[str, str]:
    """The own MAC address of each device, of all its ports; without those that cannot be told."""
    links = links_of() if addresses else []
    own = {link.get("ifname"): link.get("permaddr") or link.get("address") or "" for link in links}
    found = {
        address: " ".join(filter(None, (own.get(name) for name in interfaces_of(host, address))))
        for address in addresses
    }
    return {address: mac for address, mac in found.items() if mac}


def another_device(host: Host, settings: Mapping[str, Any], address: str) -> str:
    """Whether this is not the device that the role has looked at: at boot there are no routes and no connection yet to
    tell by."""
    was, now = settings.get("native_macs", {}).get(address), macs(host, [address]).get(address)
    if not was or not now or was == now:
        return ""
    return (
        f"{address} is {', '.join(interfaces_of(host, address))} with the MAC address {now}, and had {was} when it was"
        " chosen: cards have been changed, and this may be the management port. Run the role"
        " wirespeed.trafficgen.netmap again."
    )


# --- What the role asks ---


def resolve_devices(host: Host, settings: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The PCI addresses of the devices named, by address or interface, and what is wrong with them."""
    addresses, problems = [], []
    suffix = settings["driver_suffix"]
    for name in settings["native_devices"]:
        address = name
        if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", name):
            device = host.path(f"/sys/class/net/{name}/device")
            if not device.exists():
                problems.append(
                    f"netmap_native_devices: {name} is no PCI address (0000:00:10.0) and no interface of a PCI device"
                    " here."
                )
                continue
            address = device.resolve().name
        if not pci(host, address).exists():
            problems.append(f"netmap_native_devices: there is no PCI device {address} here. lspci -D lists them.")
            continue
        addresses.append(address)
        driver = driver_of(host, address)
        if driver in NOT_BESIDE:
            problems.append(
                f"netmap_native_devices: {name} has the driver {driver}, whose netmap driver has the same name and"
                " cannot stand beside it. Leave it out: netmap uses the port in its emulated mode."
            )
        elif (
            driver
            and not driver.endswith(suffix)
            and driver not in [name.removesuffix(".c") for name in asked_drivers(settings)]
        ):
            problems.append(f"netmap_native_devices: {name} has the driver {driver}, which is not in netmap_drivers.")
        if not driver.endswith(suffix) and (problem := device_problem(host, settings, address)):
            problems.append(f"netmap_native_devices: {problem}")
    return addresses, problems


def same_module(host: Host, module: str, path: Path | None) -> bool:
    """Whether the module in the kernel is that of the file, by the build ID that the linker put into both."""
    note = host.path(f"/sys/module/{module.replace('-', '_')}/notes/.note.gnu.build-id")
    try:
        return path is not None and path.suffix == ".ko" and note.read_bytes() in path.read_bytes()
    except OSError:
        return False


def needs_restart(host: Host, settings: Mapping[str, Any], devices: Sequence[str]) -> bool:
    """Whether what is loaded differs from what is installed and asked for."""
    if not is_loaded(host):
        return False  # the unit is to be started, no more
    if not same_module(host, "netmap", module_file(host, host.running, "netmap")):
        return True
    for name, value in settings["module_options"].items():
        if text(host.path(f"/sys/module/netmap/parameters/{name}")) != str(value):
            return True
    # One that is asked for no more: what it is by itself only the module knows.
    with contextlib.suppress(TrafficgenError):
        if set(read_settings(host)["module_options"]) - set(settings["module_options"]):
            return True
    return {address for module in holders(host) for address in devices_of(host, module)} != set(devices)


def status(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is there, what is to be done, and what stands against it. Reads only."""
    kernels = wanted_kernels(host, settings)
    source = source_state(host, settings)
    devices, problems = resolve_devices(host, settings)
    todo = [kernel for kernel in kernels if not is_built(host, settings, kernel)]
    archives = [
        driver for driver in externals(settings) if todo and sha256(host.path(driver["archive"])) != driver["sha256"]
    ]
    # What the role dev_tools brings: missing in check mode, where that role did nothing yet, it is no error.
    lacking = [headers_problem(host, settings, kernel) for kernel in todo]
    if todo:
        lacking.insert(0, tools_problem(settings))
    if source == "foreign":
        problems.append(foreign_source(settings))
    elif source == "unsafe":
        problems.append(source_problem(host, settings))
    problems += [build_folders_problem(host, settings, kernel) for kernel in todo]
    problems.append(signing_problem(host, settings))
    loads = settings["service"] and host.running in kernels
    if loads and host.running not in todo:
        problems.append(options_problem(module_file(host, host.running, "netmap"), settings))
    restart = loads and host.running not in todo and needs_restart(host, settings, devices)
    if loads and host.running in todo:
        problems += [refused_problem(host, settings), reload_problem(host, settings)]
    elif restart or (not settings["service"] and host.path(UNIT_FILE).exists()):
        problems.append(reload_problem(host, settings))
    own = macs(host, devices)
    return {
        "running": host.running,
        "kernels": kernels,
        "fetch": source == "fetch",
        "archives": archives,
        "build": todo,
        "files": sorted(unlike(host, {**settings, "native_devices": devices, "native_macs": own})),
        "prune": [kernel for kernel in stamped_kernels(host) if is_gone(host, kernel, kernels)],
        "start": loads,
        "restart": restart,
        "native_devices": devices,
        "native_macs": own,
        "problems": [problem for problem in problems if problem],
        "lacking": [problem for problem in lacking if problem],
        "missing_drivers": missing_drivers(host, kernels),
    }


def missing_drivers(host: Host, kernels: Iterable[str]) -> dict[str, list[str]]:
    """Of each kernel, the native drivers that were asked for and did not build."""
    return {kernel: missing for kernel in kernels if (missing := read_stamp(host, kernel).get("missing"))}


def is_gone(host: Host, kernel: str, kernels: Iterable[str]) -> bool:
    """Whether a kernel we built for is no longer there."""
    return kernel != host.running and kernel not in kernels and not is_installed(host, kernel)


# --- Taking away ---


def remove_kernel(host: Host, kernel: str) -> None:
    """Remove what was built for one kernel."""
    files = read_stamp(host, kernel).get("files", {})
    for path in files:
        host.path(path).unlink(missing_ok=True)
    if is_installed(host, kernel):
        settle(host, kernel)
    else:
        # depmod's lists are all that is left of it.
        for path in glob.glob(str(host.path(f"/lib/modules/{kernel}/modules.*"))):
            Path(path).unlink()
    for folder in (host.modules(kernel), host.modules(kernel).parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
    shutil.rmtree(host.build_folder(kernel), ignore_errors=True)
    host.stamp(kernel).unlink(missing_ok=True)


def prune(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what was built for kernels that are gone."""
    kernels = wanted_kernels(host, settings)
    gone = [kernel for kernel in stamped_kernels(host) if is_gone(host, kernel, kernels)]
    for kernel in gone:
        remove_kernel(host, kernel)
    return {"changed": bool(gone), "kernels": gone}


def leftovers(host: Host, settings: Mapping[str, Any]) -> list[Path]:
    """What of the role is on this host beside the modules."""
    source = host.path(settings["source_dir"])
    apps = {path for kernel in stamped_kernels(host) for path in read_stamp(host, kernel).get("apps", [])}
    ours = [source] if (source / ".git" / MARK).exists() else []
    paths = [
        *map(host.path, sorted(apps)),
        host.path(f"{STATE}/build/netmap"),
        host.path(f"{STATE}/archives/netmap"),
        *ours,
    ]
    return [path for path in (*paths, *map(host.path, OTHER_FILES)) if path.exists()]


def remove(host: Host, settings: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Unload netmap and remove all of it; with ``check``, only say what there is."""
    kernels = stamped_kernels(host)
    paths = leftovers(host, settings)
    unit = host.path(UNIT_FILE).exists()
    changed = bool(kernels or paths)
    if changed and (problem := reload_problem(host, settings)):
        raise TrafficgenError(problem)
    if changed and not check:
        if unit:
            systemctl(UNIT, "stop")
            systemctl(UNIT, "disable")
        unload(host, settings)
        for kernel in kernels:
            remove_kernel(host, kernel)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        host.path(LOCK).unlink(missing_ok=True)
        for folder in ("/build", "/archives", "/stamps", ""):
            with contextlib.suppress(OSError):
                host.path(f"{STATE}{folder}").rmdir()
        if unit:
            reload_systemd()
    return {"changed": changed, "kernels": kernels, "paths": [str(path) for path in paths]}


# --- Hooks ---


def hook(host: Host, settings: Mapping[str, Any], action: str, kernel: str) -> dict[str, Any]:
    """What a kernel's package calls. The kernel's installation must not fail for our sake: a problem is a line of
    output."""
    try:
        if action in ("remove", "removing"):
            # Debian calls when a kernel's files are gone, and also when the package was only replaced. EL calls before
            # they go.
            if kernel != host.running and (action == "removing" or not is_installed(host, kernel)):
                remove_kernel(host, kernel)
        elif not is_installed(host, kernel) or headers_problem(host, settings, kernel):
            # On Debian the image and its headers come one after the other, in either order, and each calls.
            print(
                f"trafficgen-netmap: kernel {kernel} or its headers are not there yet; nothing built.", file=sys.stderr
            )
        elif not is_built(host, settings, kernel):
            print(f"trafficgen-netmap: building netmap for kernel {kernel}.", file=sys.stderr)
            return build(host, settings, kernel)
    except (TrafficgenError, OSError) as error:
        print(
            f"trafficgen-netmap: {error} Until the role netmap has run again, kernel {kernel} has no netmap.",
            file=sys.stderr,
        )
    return {"changed": False}


# --- The command ---

USAGE = """Usage: trafficgen-netmap COMMAND

  status              what is built and loaded, what is to be done, as JSON
  fetch               bring the source to the commit in /etc/trafficgen-netmap.json
  build KERNEL        build for a kernel, verify, install; load if it runs
  load KERNEL         load netmap, give the named devices to their native drivers
  unload              give them back, unload netmap
  activate            unload, and load anew through netmap.service
  prune               remove the builds of kernels that are gone
  hook add|removing|remove KERNEL
"""


@contextlib.contextmanager
def alone(host: Host) -> Iterator[None]:
    """One build at a time."""
    with host.path(LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_settings(host: Host) -> dict[str, Any]:
    """The host's settings."""
    try:
        settings = json.loads(host.path(SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise TrafficgenError(
            f"{SETTINGS} cannot be read: {error}. Run the role wirespeed.trafficgen.netmap."
        ) from None
    return dict(settings)


def command(host: Host, words: Sequence[str]) -> dict[str, Any]:
    """Carry out one command with the settings that the role left on this host."""
    name, rest = words[0] if words else "", list(words[1:])
    settings = read_settings(host)
    if name == "status" and not rest:
        return status(host, settings)
    if name == "load" and len(rest) == 1:
        return load(host, settings, rest[0])
    if name == "unload" and not rest:
        return unload(host, settings)
    with alone(host):
        if name == "fetch" and not rest:
            return fetch(host, settings)
        if name == "build" and len(rest) == 1:
            return build(host, settings, rest[0])
        if name == "activate" and not rest:
            return replace(host, settings, host.running, {}, (), loads=True)
        if name == "prune" and not rest:
            return prune(host, settings)
        if name == "hook" and len(rest) == 2 and rest[0] in ("add", "removing", "remove"):
            return hook(host, settings, *rest)
    raise TrafficgenError(USAGE)


# --- What the module netmap_setup does ---


def set_up_all(
    host: Host, settings: Mapping[str, Any], get_archive: Callable[[Mapping[str, str]], None], *, check: bool
) -> dict[str, Any]:
    """Bring the host to what ``settings`` ask for, by the plan of :func:`status`; with ``check`` only make the plan.

    :param get_archive: puts an external driver's archive, verified, into its place.
    """
    plan = status(host, settings)
    # Before a first real run, what the role dev_tools brings may well be missing.
    if problems := plan["problems"] + ([] if check else plan["lacking"]):
        raise TrafficgenError(" ".join(problems))
    # With addresses for interfaces: an interface's name may be gone while its device changes its driver.
    resolved = {**settings, **{name: plan[name] for name in ("native_devices", "native_macs")}}
    plan["diff"] = [
        {"before_header": path, "after_header": path, "before": told(content_of(host.path(path))), "after": told(new)}
        for path, new in unlike(host, resolved).items()
    ]
    plan["changed"] = bool(plan["build"] or plan["files"] or plan["prune"] or plan["restart"])
    if not check:
        with alone(host):
            for archive in plan["archives"]:
                get_archive(archive)
            if plan["fetch"]:
                fetch(host, resolved)
            # Each is verified, installed, loaded if its kernel runs; until then, what was there stays.
            if failed := list(filter(None, [why_not_built(host, resolved, kernel) for kernel in plan["build"]])):
                raise TrafficgenError(" ".join(failed))
            if plan["restart"] or (plan["files"] and not plan["build"]):
                replace(host, resolved, host.running, {}, (), loads=plan["restart"])
            if plan["prune"]:
                prune(host, resolved)
        plan["missing_drivers"] = missing_drivers(host, plan["kernels"])
    return plan


def why_not_built(host: Host, settings: Mapping[str, Any], kernel: str) -> str:
    """Build for one kernel; why that failed, as a sentence."""
    try:
        build(host, settings, kernel)
    except TrafficgenError as error:
        return error.message
    return ""


def told(content: bytes | None) -> str:
    """A file's content for a diff: of what is no text, its hash."""
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        return f"SHA-256 {hashlib.sha256(content or b'').hexdigest()}\n"


def end(number: int, _frame: object) -> NoReturn:
    """A signal ends this program the way an error does, so that what it runs ends too."""
    sys.exit(128 + number)


def main(words: Sequence[str]) -> int:
    """Run the command."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    os.umask(0o022)
    try:
        if os.geteuid() != 0:
            raise TrafficgenError(
                "netmap's modules and settings need root: run the role with become: true, and this program with sudo."
            )
        print(json.dumps(command(Host(), words), indent=2))
    except TrafficgenError as problem:
        print(problem.message, file=sys.stderr)
        return 3
    except OSError as error:
        print(f"{error.filename or 'trafficgen-netmap'}: {error.strerror}.", file=sys.stderr)
        return 3
    return 0
