# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the role netmap, below a root of its own, with the stand-in's source and tools that only pretend to
build."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import program

REPO = Path(__file__).parents[5]
KERNEL = "5.14.0-503.22.1.el9_5.x86_64"

# The end of what netmap's configure printed for a Debian kernel, drivers of the kernel's source asked for.
CONFIGURE = """\
********************************** WARNING **********************************
*** 'veth.c': no applicable patch found and no override provided.
*** Disabling driver.
***
***     Current configuration values:
***
*** native drivers              e1000 veth.c
*****************************************************************************
kernel directory            /lib/modules/6.1.0-56-amd64/build
                            [/usr/src/linux-headers-6.1.0-56-amd64]
linux version               601c0  [6.1.192]
module file                 netmap.ko

subsystems                  null ptnetmap generic monitor pipe vale\x20
apps                       \x20
native drivers              e1000\x20

Contents of the drivers.mak file:
e1000@conf := CONFIG_E1000
"""


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0" * 40,
        "repository": "/nowhere",
        "source_dir": "/usr/src/netmap",
        "kernels": [KERNEL],
        "kernel_dir": "",
        "kernel_sources": "",
        "jobs": 1,
        "drivers": [],
        "no_drivers": ["virtio_net.c"],
        "missing_drivers": "fail",
        "external_drivers": [],
        "driver_suffix": "-netmap",
        "native_devices": [],
        "native_macs": {},
        "allow_management_interface": False,
        "module_options": {},
        "apps": [],
        "service": False,
        "signing_key": "",
        "signing_cert": "",
        "program": b"the program",
        **changes,
    }


def write(path: Path, content: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


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
    # A module here is a file with the release it is for.
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
    monkeypatch.setattr(program, "NEEDED_MB", 0)
    return program.Host(str(root), running="6.6.6-running")


@pytest.fixture
def source(tmp_path: Path) -> tuple[str, str, str]:
    """The stand-in's repository, its commit that builds and its last one."""
    done = subprocess.run(
        [REPO / "tests/sources/netmap_repository.sh", tmp_path / "repo"], check=True, capture_output=True, text=True
    )
    good, last = done.stdout.split()
    return str(tmp_path / "repo"), good, last


@pytest.fixture
def built(host: Any, source: tuple[str, str, str]) -> Callable[..., dict[str, Any]]:
    """Fetch and build with these settings; returns them."""

    def build(**changes: Any) -> dict[str, Any]:
        asked = settings(**{"repository": source[0], "version": source[1], **changes})
        program.fetch(host, asked)
        program.build(host, asked, KERNEL)
        return asked

    return build


def module(host: Any, name: str = "netmap") -> Path:
    return Path(host.path(f"/lib/modules/{KERNEL}/extra/{name}.ko"))


def set_up(host: Any, asked: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """What the module netmap_setup does, where no archive is needed."""
    return program.set_up_all(host, asked, lambda archive: pytest.fail(f"{archive}"), check=check)


# --- What configure says and is told ---


def test_native_drivers_are_those_configure_is_left_with() -> None:
    assert program.native_drivers(CONFIGURE) == ["e1000"]


def test_no_native_drivers() -> None:
    assert program.native_drivers("native drivers              \n\n") == []


def test_output_without_that_line_is_refused() -> None:
    with pytest.raises(TrafficgenError, match="native drivers"):
        program.native_drivers("*** native drivers              e1000\n")


def test_default_options_download_nothing() -> None:
    options = program.configure_options(settings(), KERNEL, Path("/k"))
    assert "--no-ext-drivers" in options and "--no-drivers=virtio_net.c" in options and "--kernel-dir=/k" in options


def test_only_the_external_driver_given_is_external() -> None:
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "https://x/", "checksum": "sha256:" + "0" * 64}
    options = program.configure_options(settings(external_drivers=[driver], drivers=["e1000"]), KERNEL, Path("/k"))
    assert "--drivers=e1000,ixgbe" in options
    assert "--no-ext-drivers=e1000e,i40e,ice,igb,ixgbevf,mlx5,virtio_net.c" in options
    assert "--select-version=ixgbe:6.1.6" in options
    assert program.externals(settings(external_drivers=[driver]))[0]["place"] == "ixgbe/v6.1.6.zip"


def test_kernel_sources_follow_the_kernel() -> None:
    options = program.configure_options(settings(kernel_sources="/src/{kernel}"), KERNEL, Path("/k"))
    assert f"--kernel-sources=/src/{KERNEL}" in options


# --- Headers ---


def test_headers_of_the_kernel(host: Any) -> None:
    assert program.headers_problem(host, settings(), KERNEL) == ""


def test_missing_headers_name_the_package(host: Any) -> None:
    assert "kernel-devel-5.14.0-1" in program.headers_problem(host, settings(), "5.14.0-1")


def test_headers_of_another_kernel(host: Any) -> None:
    said = program.headers_problem(host, settings(kernel_dir=f"/usr/src/kernels/{KERNEL}"), "5.14.0-1")
    assert KERNEL in said and "5.14.0-1" in said


def test_wrong_kernel_folder(host: Any) -> None:
    assert "no configured kernel folder" in program.headers_problem(host, settings(kernel_dir="/usr/src"), KERNEL)


# --- The source ---


def test_fetch_and_fetch_again(host: Any, source: tuple[str, str, str]) -> None:
    asked = settings(repository=source[0], version=source[1])
    assert program.source_state(host, asked) == "fetch"
    assert program.fetch(host, asked) == {"changed": True}
    # Not even a look at the repository.
    assert program.fetch(host, {**asked, "repository": "/gone"}) == {"changed": False}


def test_changed_source_is_fetched_again(host: Any, source: tuple[str, str, str]) -> None:
    asked = settings(repository=source[0], version=source[1])
    program.fetch(host, asked)
    host.path("/usr/src/netmap/configure").write_text("exit 0")
    assert program.source_state(host, asked) == "fetch"
    program.fetch(host, asked)
    assert program.source_state(host, asked) == "ready"


def test_somebody_elses_folder_is_left_alone(host: Any, source: tuple[str, str, str]) -> None:
    mine = write(host.path("/usr/src/netmap/notes"), "mine")
    with pytest.raises(TrafficgenError, match="not this role's"):
        program.fetch(host, settings(repository=source[0], version=source[1]))
    assert mine.read_text() == "mine"


def test_no_repository_leaves_the_old_checkout(host: Any, source: tuple[str, str, str]) -> None:
    program.fetch(host, settings(repository=source[0], version=source[1]))
    with pytest.raises(TrafficgenError, match="cannot be fetched from /gone"):
        program.fetch(host, settings(repository="/gone", version=source[2]))
    with pytest.raises(TrafficgenError, match=f"has no commit {'1' * 40}"):
        program.fetch(host, settings(repository=source[0], version="1" * 40))
    assert program.source_state(host, settings(version=source[1])) == "ready"
    assert [path.name for path in host.path("/usr/src").iterdir() if "netmap" in path.name] == ["netmap"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to somebody else")
def test_somebody_elses_repository_is_read_as_its_owner(
    host: Any, source: tuple[str, str, str], tmp_path: Path
) -> None:
    who = tmp_path / "who"
    write(tmp_path / "tools/setpriv", f'#!/bin/sh\necho "$*" >{who}\nexec /usr/bin/setpriv "$@"\n', 0o755)
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is in folders that are root's alone
        repository = Path(shutil.copytree(source[0], f"{folder}/netmap"))
        Path(folder).chmod(0o755)
        for path in (repository, *repository.rglob("*")):
            os.chown(path, 65534, 65534)
        assert program.fetch(host, settings(repository=str(repository), version=source[1])) == {"changed": True}
    assert who.read_text().startswith("--reuid=65534 --regid=65534 --clear-groups git upload-pack ")
    assert program.upload_pack("https://github.com/luigirizzo/netmap.git") == []
    assert program.upload_pack("ssh://host/repo") == []


# --- Whose folders they are ---


def give(path: Path, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Path:
    os.chown(path, uid, gid, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)
    return path


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to somebody else")


@needs_root
@pytest.mark.parametrize(
    ("mode", "uid", "gid", "why"),
    [
        (0o755, 0, 0, ""),
        (0o2775, 0, 0, ""),
        # As Debian had /usr/src (group src) and /usr/local/src (staff): nobody is in these groups.
        (0o2775, 0, 40, ""),
        (0o777, 0, 0, "can be written by everybody"),
        (0o1777, 0, 0, "can be written by everybody"),
        (0o755, 65534, 0, "belongs to nobody"),
        (0o775, 0, 1, "can be written by the group daemon (daemon)"),
        (0o775, 0, 4711, "can be written by the group 4711"),
        (0o755, 4711, 0, "belongs to the login 4711"),
    ],
)
@pytest.mark.parametrize("which", ["usr", "usr/src", "usr/src/netmap"])
def test_folders_that_others_can_write(host: Any, which: str, mode: int, uid: int, gid: int, why: str) -> None:
    give(write(host.path("/usr/src/netmap/configure")).parent)
    give(host.path(f"/{which}"), mode, uid, gid)
    said = program.unsafe(host, "/usr/src/netmap/LINUX")
    assert said == (f"{host.root}/{which} {why}" if why else "")
    problem = program.source_problem(host, settings())
    assert (why in problem and "netmap_source_dir: " in problem) if why else not problem


@needs_root
def test_an_access_control_list_that_lets_others_write(host: Any) -> None:
    folder = write(host.path("/usr/src/netmap/configure")).parent
    # user::rwx, user:4711:rwx, group::r-x, mask::rwx, other::r-x as the kernel keeps them (acl(5)): ls shows rwxrwxr-x,
    # of the group root.
    entries = [(1, 7, -1), (2, 7, 4711), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    packed = b"".join(struct.pack("<HHI", tag, rights, who % 2**32) for tag, rights, who in entries)
    try:
        os.setxattr(folder, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError:
        pytest.skip("this file system has no access control lists")
    assert "its access control list" in program.unsafe(host, "/usr/src/netmap")


@needs_root
def test_links_are_followed_where_root_has_made_them(host: Any) -> None:
    real = write(host.path("/data/src/netmap/configure")).parent
    host.path("/usr/src").rename(host.path("/usr/old"))
    link = host.path("/usr/src")
    link.symlink_to("../data/src")
    assert program.unsafe(host, "/usr/src/netmap") == "" and program.source_problem(host, settings()) == ""
    give(real.parent, 0o777)
    assert program.unsafe(host, "/usr/src/netmap") == f"{real.parent} can be written by everybody"
    give(real.parent)
    give(link, uid=65534)
    assert program.unsafe(host, "/usr/src/netmap") == f"{link} belongs to nobody"
    give(link)
    link.unlink()
    link.symlink_to("/usr/src")
    assert "leads round in a circle" in program.unsafe(host, "/usr/src/netmap")
    link.unlink()
    link.symlink_to("old")
    host.path("/usr/src/netmap").symlink_to(real)
    assert "is a symbolic link" in program.source_problem(host, settings())
    # From a link upwards: where it leads, not where it lies.
    give(real.parent, 0o777)
    host.path("/usr/up").symlink_to("../data/src")
    assert "everybody" in program.unsafe(host, "/usr/up/../netmap")


@needs_root
def test_a_checkout_that_another_login_has_planted(host: Any, source: tuple[str, str, str]) -> None:
    """Git would run what its settings say, as root, and only to see whether it has changed."""
    asked = settings(repository=source[0], version=source[1])
    program.fetch(host, asked)
    ran = host.path("/ran")
    hook = write(host.path("/usr/src/netmap/.git/hook"), f"#!/bin/sh\ntouch {ran}\n", 0o755)
    config = host.path("/usr/src/netmap/.git/config")
    config.write_text(config.read_text() + f"[core]\n\tfsmonitor = {hook}\n")
    assert program.source_state(host, asked) == "ready"
    assert ran.exists()  # root's own settings are followed
    ran.unlink()
    for path in (hook, config, hook.parent):
        give(path, path.stat().st_mode & 0o777, uid=65534)
        assert program.source_state(host, asked) == "unsafe"
        for act in (program.fetch, program.switch):
            with pytest.raises(TrafficgenError, match="belongs to nobody"):
                act(host, asked)
        said = program.status(host, asked)
        assert said["fetch"] is False and any("belongs to nobody" in problem for problem in said["problems"])
        give(path, path.stat().st_mode & 0o777)
    assert not ran.exists()


@needs_root
@pytest.mark.parametrize("folder", ["/var/lib", "/var/lib/trafficgen/build/netmap", "/usr/src/kernels", "/srv/sources"])
def test_nothing_is_built_where_others_can_write(host: Any, source: tuple[str, str, str], folder: str) -> None:
    asked = settings(repository=source[0], version=source[1], kernel_sources="/srv/sources/linux-{kernel}")
    host.path(folder).mkdir(parents=True, exist_ok=True)
    give(host.path(folder), 0o777)
    assert any(
        f"{folder} can be written by everybody" in problem for problem in program.status(host, asked)["problems"]
    )
    with pytest.raises(TrafficgenError, match=f"{folder} can be written by everybody"):
        program.build(host, asked, KERNEL)
    assert not host.path("/usr/src/netmap").exists() and not module(host).exists()


def test_what_is_written_is_root_s_and_no_one_else_can(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.umask(0o022)  # main's
    # A link where a file is written first.
    stranger = write(tmp_path / "stranger", "as it was")
    host.path("/etc").mkdir(exist_ok=True)
    host.path("/etc/.trafficgen-netmap.json.new").symlink_to(stranger)
    built(files=FILES)
    assert stranger.read_text() == "as it was"
    paths = [path for path in host.root.rglob("*") if not path.is_relative_to(host.path("/usr/src/kernels"))]
    assert len(paths) > 30
    assert [path for path in paths if path.lstat().st_uid != os.geteuid()] == []
    assert [path for path in paths if path.lstat().st_mode & 0o7022 and not path.is_symlink()] == []
    assert host.path("/var/lib/trafficgen").stat().st_mode & 0o777 == 0o700
    modes = {path: host.path(path).stat().st_mode & 0o777 for path in (*FILES, program.PROGRAM, program.SETTINGS)}
    assert modes == {path: 0o755 if path in (HOOK, program.PROGRAM) else 0o644 for path in modes}
    assert [host.stamp(KERNEL).stat().st_mode & 0o777, module(host).stat().st_mode & 0o777] == [0o644, 0o644]


def test_git_fetches_by_safe_ways_only(host: Any, source: tuple[str, str, str]) -> None:
    for repository in ("http://127.0.0.1:9/netmap.git", "git://127.0.0.1:9/netmap.git", "ext::sh -c true"):
        with pytest.raises(TrafficgenError, match=r"transport '(http|git|ext)' not allowed"):
            program.fetch(host, settings(repository=repository, version=source[1]))
    assert program.fetch(host, settings(repository=f"file://{source[0]}", version=source[1]))["changed"]


def test_configure_and_make_cannot_fetch(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    make = tmp_path / "tools/make"
    tell = (
        f"for url in http://192.0.2.1/ https://192.0.2.1/; do curl -sS -m 5 $url 2>>{tmp_path}/said; done; env"
        f" >{tmp_path}/env\n"
    )
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{tell}"))
    built()
    assert "TAR_OPTIONS=--no-same-owner --no-same-permissions" in (tmp_path / "env").read_text()
    if shutil.which("curl"):
        assert (tmp_path / "said").read_text().count("127.0.0.1 port 9") == 2


# --- Building ---


def test_build_and_stamp(host: Any, built: Callable[..., dict[str, Any]], source: tuple[str, str, str]) -> None:
    asked = built(drivers=["e1000"], kernel_sources=str(host.path("/usr/src/netmap/kernel")))
    stamp = json.loads(host.stamp(KERNEL).read_text())
    assert stamp["version"] == source[1] and stamp["vermagic"].startswith(KERNEL) and stamp["drivers"] == ["e1000"]
    assert set(stamp["files"]) == {f"/lib/modules/{KERNEL}/extra/{name}.ko" for name in ("netmap", "e1000-netmap")}
    assert program.is_built(host, asked, KERNEL)
    assert program.status(host, asked)["build"] == []


def test_a_change_of_what_it_depends_on_builds_again(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    asked = built()
    assert not program.is_built(host, {**asked, "no_drivers": []}, KERNEL)
    assert not program.is_built(host, {**asked, "version": "1" * 40}, KERNEL)
    write(tmp_path / "compiler", "gcc 12")
    assert not program.is_built(host, asked, KERNEL)
    (tmp_path / "compiler").unlink()
    assert program.is_built(host, asked, KERNEL)
    write(host.path(f"/usr/src/kernels/{KERNEL}/Module.symvers"), "0x2 split_page vmlinux EXPORT_SYMBOL\n")
    assert not program.is_built(host, asked, KERNEL)


def test_a_changed_or_lost_module_is_built_again(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    module(host).write_text("another")
    assert program.status(host, asked)["build"] == [KERNEL]
    module(host).unlink()
    assert program.status(host, asked)["build"] == [KERNEL]


def test_a_failed_build_leaves_what_was_there(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    asked = built()
    before = module(host).read_bytes(), host.stamp(KERNEL).read_text(), host.path(program.SETTINGS).read_text()
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match=r"make of netmap failed .* x\.c:1: error: no"):
        built(no_drivers=[])
    assert (
        module(host).read_bytes(),
        host.stamp(KERNEL).read_text(),
        host.path(program.SETTINGS).read_text(),
    ) == before
    assert program.is_built(host, asked, KERNEL)
    # And it is tried again.
    assert program.status(host, {**asked, "no_drivers": []})["build"] == [KERNEL]
    (tmp_path / "broken").unlink()
    assert program.is_built(host, built(no_drivers=[]), KERNEL)


def test_a_module_for_another_kernel_is_not_installed(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    write(tmp_path / "release", "6.6.6")
    with pytest.raises(TrafficgenError, match=f"built for kernel 6.6.6, not for {KERNEL}"):
        built()
    assert not module(host).exists() and not host.stamp(KERNEL).exists()


def test_a_driver_that_does_not_build(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    kernel_sources = str(host.path("/usr/src/netmap/kernel"))
    with pytest.raises(TrafficgenError, match="without the native drivers asked for: igb"):
        built(drivers=["e1000", "igb"], kernel_sources=kernel_sources)
    assert not module(host).exists()
    built(drivers=["e1000", "igb"], kernel_sources=kernel_sources, missing_drivers="warn")
    assert json.loads(host.stamp(KERNEL).read_text())["missing"] == ["igb"]


def test_a_driver_without_a_module_is_not_claimed(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    make = tmp_path / "tools/make"
    make.write_text(make.read_text() + "rm -f e1000-netmap.ko\n")
    built(drivers=[], kernel_sources=str(host.path("/usr/src/netmap/kernel")))
    assert json.loads(host.stamp(KERNEL).read_text())["drivers"] == []


def test_a_driver_no_longer_asked_for_goes(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    built(drivers=["e1000"], kernel_sources=str(host.path("/usr/src/netmap/kernel")))
    built()
    assert module(host).exists() and not module(host, "e1000-netmap").exists()


def test_an_external_driver_needs_its_archive(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    content = "an archive"
    driver = {
        "name": "ixgbe",
        "version": "6.1.6",
        "url": "https://x/",
        "checksum": f"sha256:{program.hashlib.sha256(content.encode()).hexdigest()}",
    }
    with pytest.raises(TrafficgenError, match="missing or is not the archive of ixgbe"):
        built(external_drivers=[driver])
    write(host.path("/var/lib/trafficgen/archives/netmap/ixgbe/v6.1.6.zip"), content)
    built(external_drivers=[driver])
    assert module(host, "ixgbe-netmap").exists()


def test_unzip_is_asked_for_by_its_name(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "https://x/", "checksum": "sha256:" + "0" * 64}
    monkeypatch.setattr(program, "find_program", lambda name: None if name == "unzip" else f"/usr/bin/{name}")
    said = program.tools_problem(settings(external_drivers=[driver]))
    assert "archive of ixgbe" in said and "dev_tools" not in said
    assert program.tools_problem(settings()) == ""


def test_a_killed_installation_is_built_again(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = built()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "settle", killed)
    with pytest.raises(KeyboardInterrupt):
        built(no_drivers=[])
    assert program.status(host, {**asked, "no_drivers": []})["build"] == [KERNEL]


def test_no_room(host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "NEEDED_MB", 10**9)
    with pytest.raises(TrafficgenError, match="Make room there"):
        built()


def test_a_commit_that_does_not_build_leaves_the_old_checkout(
    host: Any, built: Callable[..., dict[str, Any]], source: tuple[str, str, str], tmp_path: Path
) -> None:
    asked = built()
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match="make of netmap failed"):
        built(version=source[2])
    assert program.status(host, asked)["fetch"] is False
    assert program.status(host, asked)["build"] == []
    # From one to the other and back without the repository.
    gone = {**asked, "repository": "/gone"}
    assert program.fetch(host, {**gone, "version": source[2]}) == {"changed": True}
    assert program.fetch(host, gone) == {"changed": True}


# --- The role's own files ---

UNIT = "/etc/systemd/system/netmap.service"
HOOK = "/etc/kernel/install.d/95-trafficgen-netmap.install"
FILES = {UNIT: "[Service]\n", "/etc/modprobe.d/trafficgen-netmap.conf": "blacklist e1000-netmap\n", HOOK: "#!/bin/sh\n"}


def own(host: Any) -> list[str]:
    return [path for path in program.OTHER_FILES if host.path(path).exists()]


def test_a_first_run_that_fails_leaves_no_file_of_the_role(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    before = sorted(host.root.rglob("*"))
    with pytest.raises(TrafficgenError, match="cannot be fetched from /gone"):
        set_up(host, settings(files=FILES, repository="/gone"))
    assert [path for path in sorted(host.root.rglob("*")) if path not in before] == [host.path(program.LOCK)]
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match="make of netmap failed"):
        built(files=FILES)
    assert own(host) == []
    # Built, and not to be loaded.
    (tmp_path / "broken").unlink()
    write(tmp_path / "dead")
    host.running = KERNEL
    with pytest.raises(TrafficgenError, match=r"does not start.* What was there before is back in place"):
        built(files=FILES, service=True)
    assert own(host) == [] and not module(host).exists() and not host.stamp(KERNEL).exists()
    assert (tmp_path / "systemctl").read_text().splitlines()[-2:] == ["daemon-reload", "reset-failed netmap.service"]


def test_an_upgrade_that_fails_leaves_the_old_files(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    host.running = KERNEL
    built(files=FILES, service=True)
    before = {path: host.path(path).read_bytes() for path in own(host)}
    write(tmp_path / "dead")
    with pytest.raises(TrafficgenError, match="does not start"):
        built(files={UNIT: "[Unit]\n"}, service=True, no_drivers=[])
    assert {path: host.path(path).read_bytes() for path in own(host)} == before


def test_the_role_s_files_come_with_the_modules(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built(files=FILES)
    assert sorted(own(host)) == sorted([*FILES, program.PROGRAM, program.SETTINGS])
    assert host.path(program.PROGRAM).read_text() == "the program"
    assert "files" not in json.loads(host.path(program.SETTINGS).read_text())
    assert [host.path(path).stat().st_mode & 0o777 for path in (UNIT, HOOK, program.PROGRAM)] == [0o644, 0o755, 0o755]
    assert program.status(host, asked)["files"] == []


def test_changed_files_of_the_role_are_written_alone(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    asked = built(files=FILES)
    new = {**asked, "jobs": 2, "files": {UNIT: "[Unit]\n"}}
    host.path(program.PROGRAM).chmod(0o777)
    said = program.status(host, new)
    assert said["build"] == [] and said["files"] == sorted([*FILES, program.PROGRAM, program.SETTINGS])

    def tree() -> list[tuple[Path, int]]:
        # Without what git notes for itself when it is asked for a checkout's state.
        return sorted((path, path.stat().st_mtime_ns) for path in host.root.rglob("*") if ".git" not in path.parts)

    before = tree()
    would = set_up(host, new, check=True)
    assert would["changed"] and tree() == before
    assert [change["after"] for change in would["diff"] if change["after_header"] == UNIT] == ["[Unit]\n"]
    done = set_up(host, new)
    assert {**done, "diff": None} == {**would, "diff": None} and len(done["diff"]) == len(done["files"])
    assert host.path(UNIT).read_text() == "[Unit]\n" and not host.path(HOOK).exists()
    assert host.path(program.PROGRAM).stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "systemctl").read_text().splitlines()[-1] == "daemon-reload"
    assert set_up(host, new)["changed"] is False


def test_without_the_boot_unit_that_was_there(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    host.running = KERNEL
    asked = built(files=FILES, service=True)
    without = {**asked, "service": False, "files": {path: FILES[path] for path in FILES if path != UNIT}}
    assert UNIT in program.status(host, without)["files"]
    loaded(host, 1)
    assert "netmap is in use" in program.status(host, without)["problems"][0]
    write(host.path("/sys/module/netmap/refcnt"), "0\n")
    set_up(host, without)
    assert not host.path(UNIT).exists()
    assert (tmp_path / "systemctl").read_text().splitlines()[-3:] == [
        "stop netmap.service",
        "disable netmap.service",
        "daemon-reload",
    ]
    assert program.status(host, without)["files"] == []


# --- In use, refused, in the way ---


def loaded(host: Any, users: int, holders: tuple[str, ...] = ()) -> None:
    write(host.path("/sys/module/netmap/refcnt"), f"{users + len(holders)}\n")
    for holder in holders:
        write(host.path(f"/sys/module/netmap/holders/{holder}"))


def test_a_driver_of_netmap_is_no_user_of_it(host: Any) -> None:
    loaded(host, 0, ("e1000_netmap",))
    assert program.use_problem(host) == ""


def test_netmap_in_use_names_who(host: Any) -> None:
    loaded(host, 1, ("e1000_netmap",))
    write(host.path("/proc/42/comm"), "tcpreplay\n")
    host.path("/proc/42/fd").mkdir()
    host.path("/proc/42/fd/3").symlink_to("/dev/netmap")
    assert "tcpreplay (process 42)" in program.use_problem(host)


@pytest.mark.parametrize(
    ("file", "content", "refused"),
    [
        ("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n", True),
        ("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n", False),
        ("/sys/module/module/parameters/sig_enforce", "Y\n", True),
        ("/sys/module/module/parameters/sig_enforce", "N\n", False),
    ],
)
def test_a_kernel_that_takes_signed_modules_only(host: Any, file: str, content: str, refused: bool) -> None:
    write(host.path(file), content)
    assert ("mokutil" in program.refused_problem(host, settings())) is refused
    assert program.refused_problem(host, settings(signing_key="/k", signing_cert="/c")) == ""


def test_devices_that_are_not_there_or_have_no_driver_built(host: Any, tmp_path: Path) -> None:
    for address, name, driver in (("0000:00:10.0", "eth1", "e1000"), ("0000:00:11.0", "eth2", "ixgbe")):
        device = host.path(f"/sys/bus/pci/devices/{address}")
        (device / "net" / name).mkdir(parents=True)
        (device / "driver").symlink_to(f"../../drivers/{driver}")
        host.path(f"/sys/class/net/{name}").mkdir(parents=True)
        host.path(f"/sys/class/net/{name}/device").symlink_to(device)
    write(tmp_path / "tools/ip", "#!/bin/sh\necho '[]'\n", 0o755)
    asked = settings(drivers=["e1000"], native_devices=["0000:00:10.0", "eth2", "eth9"])
    addresses, problems = program.resolve_devices(host, asked)
    assert addresses == ["0000:00:10.0", "0000:00:11.0"]
    assert len(problems) == 2
    assert "ixgbe, which is not in netmap_drivers" in problems[0]
    assert "eth9" in problems[1]


def test_a_driver_that_cannot_stand_beside_the_stock_one(host: Any, tmp_path: Path) -> None:
    write(tmp_path / "tools/ip", "#!/bin/sh\necho '[]'\n", 0o755)
    for address, driver in (("0000:00:10.0", "vmxnet3"), ("0000:00:11.0", "forcedeth")):
        device = host.path(f"/sys/bus/pci/devices/{address}")
        (device / "net").mkdir(parents=True)
        (device / "driver").symlink_to(f"../../drivers/{driver}")
    asked = settings(drivers=["vmxnet3", "forcedeth.c"], native_devices=["0000:00:10.0", "0000:00:11.0"])
    problems = program.resolve_devices(host, asked)[1]
    assert (
        len(problems) == 1
        and "0000:00:10.0 has the driver vmxnet3" in problems[0]
        and "cannot stand beside" in problems[0]
    )


def test_another_module_in_the_kernel_wants_a_restart(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    host.running = KERNEL
    asked = {**built(), "service": True}
    assert program.needs_restart(host, asked, []) is False
    loaded(host, 0)
    note = write(host.path("/sys/module/netmap/notes/.note.gnu.build-id"), KERNEL)
    assert program.needs_restart(host, asked, []) is False
    write(host.path("/sys/module/netmap/parameters/buf_num"), "163840\n")
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 163840}}, []) is False
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 4096}}, []) is True
    assert program.needs_restart(host, asked, ["0000:00:10.0"]) is True
    was = write(
        host.path(program.SETTINGS), json.dumps({**program.plain(asked), "module_options": {"buf_num": 163840}})
    )
    assert program.needs_restart(host, asked, []) is True
    assert program.needs_restart(host, {**asked, "module_options": {"buf_num": 163840}}, []) is False
    was.unlink()
    assert program.needs_restart(host, asked, []) is False
    note.write_text("another build")
    assert program.needs_restart(host, asked, []) is True


def test_this_kernel_has_no_build(host: Any) -> None:
    with pytest.raises(
        TrafficgenError,
        match=r"no netmap\.ko for the kernel that runs, 6\.6\.6-running.*trafficgen-netmap build 6\.6\.6-running",
    ):
        program.load(host, settings(), "6.6.6-running")


# --- Kernels that come and go ---


def test_builds_of_kernels_that_are_gone_are_removed(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = {**built(), "kernels": ["running"]}
    assert program.status(host, asked)["prune"] == []
    host.path(f"/lib/modules/{KERNEL}/kernel").rmdir()
    assert program.status(host, asked)["prune"] == [KERNEL]
    assert program.prune(host, asked) == {"changed": True, "kernels": [KERNEL]}
    assert not host.path(f"/lib/modules/{KERNEL}").exists() and not host.stamp(KERNEL).exists()


def test_all_installed_kernels(host: Any) -> None:
    host.path("/lib/modules/5.14.0-1/kernel").mkdir(parents=True)
    host.path("/lib/modules/5.14.0-0/extra").mkdir(parents=True)  # its kernel is gone
    assert program.wanted_kernels(host, settings(kernels=["all_installed", "running"])) == [
        "5.14.0-1",
        KERNEL,
        "6.6.6-running",
    ]


def test_a_hook_builds_once_and_never_fails(
    host: Any,
    built: Callable[..., dict[str, Any]],
    source: tuple[str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = settings(repository=source[0], version=source[1], kernels=["running"])
    assert program.hook(host, {**asked, "repository": "/gone"}, "add", KERNEL)["changed"] is False
    assert "until the role netmap has run again" in capsys.readouterr().err.lower()
    program.fetch(host, asked)
    assert program.hook(host, asked, "add", "5.14.0-1")["changed"] is False
    assert "not there yet" in capsys.readouterr().err
    assert program.hook(host, asked, "add", KERNEL)["changed"] is True
    assert program.hook(host, asked, "add", KERNEL)["changed"] is False
    host.path(f"/lib/modules/{KERNEL}/kernel").rmdir()
    program.hook(host, asked, "remove", KERNEL)
    assert not module(host).exists()


@pytest.mark.parametrize(
    ("template", "word", "verb"),
    [
        # kernel-core's %preun calls "kernel-install remove", with all of the kernel still there.
        ("kernel-install.j2", "remove", "removing"),
        ("kernel-install.j2", "add", "add"),
        ("kernel-postrm.j2", None, "remove"),
        ("kernel-postinst.j2", None, "add"),
    ],
)
def test_what_a_hook_calls(tmp_path: Path, template: str, word: str | None, verb: str) -> None:
    called = write(tmp_path / "program", f'#!/bin/sh\necho "$*" >{tmp_path}/said\n', 0o755)
    content = (REPO / "roles/netmap/templates" / template).read_text().replace("{{ __netmap_program }}", str(called))
    script = write(tmp_path / "hook", content, 0o755)
    subprocess.run([script, *([word] if word else []), KERNEL, "/boot/vmlinuz"], check=True)
    assert (tmp_path / "said").read_text().split() == ["hook", verb, KERNEL]


def test_a_kernel_about_to_be_removed(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    program.hook(host, asked, "remove", KERNEL)  # Debian's, after an update of the package: the kernel is still there
    assert module(host).exists()
    program.command(host, ["hook", "removing", KERNEL])
    assert not module(host).exists() and not host.stamp(KERNEL).exists()
    # Not under the feet of the kernel that runs.
    built()
    host.running = KERNEL
    program.hook(host, asked, "removing", KERNEL)
    assert module(host).exists()


def test_remove_takes_everything_and_says_so_first(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    write(host.path("/etc/modprobe.d/trafficgen-netmap.conf"))
    assert program.remove(host, asked, check=True)["changed"] is True
    assert module(host).exists()
    program.remove(host, asked)
    left = [str(path.relative_to(host.root)) for path in host.root.rglob("*") if path.is_file()]
    assert [path for path in left if "kernels" not in path] == []
    assert program.remove(host, asked)["changed"] is False


def test_the_shared_folder_of_somebody_else_stays(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    host.path("/usr/src/netmap/.git/trafficgen").unlink()
    other = write(host.path("/var/lib/trafficgen/stamps/tcpreplay.json"), "{}")
    program.remove(host, asked)
    assert host.path("/usr/src/netmap/configure").exists() and other.exists()


def test_a_parameter_the_module_does_not_have(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(TrafficgenError, match=r"has no buf_mun\. It has: buf_num"):
        built(module_options={"buf_mun": 1})
    assert not module(host).exists()
    host.running = KERNEL
    asked = {**built(module_options={"buf_num": 1}), "service": True}
    assert program.status(host, asked)["problems"] == []
    assert "buf_mun" in program.status(host, {**asked, "module_options": {"buf_mun": 1}})["problems"][0]


def test_a_module_that_does_not_load_gives_way_to_the_old_one(
    host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = built()
    before = module(host).read_bytes(), host.stamp(KERNEL).read_text(), host.path(program.SETTINGS).read_text()
    host.running = KERNEL
    loaded(host, 0)
    tried = []

    def activate(*_: Any) -> None:
        tried.append(host.path(program.SETTINGS).read_text())
        if len(tried) == 1:
            raise TrafficgenError("insmod: Key was rejected by service.")

    monkeypatch.setattr(program, "activate", activate)
    with pytest.raises(
        TrafficgenError, match=r"Key was rejected by service\. What was there before is back in place\.$"
    ):
        built(no_drivers=[], service=True)
    assert tried[1] == before[2] != tried[0]
    assert (
        module(host).read_bytes(),
        host.stamp(KERNEL).read_text(),
        host.path(program.SETTINGS).read_text(),
    ) == before
    assert program.is_built(host, asked, KERNEL)
