# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/build: netmap built by tools that only pretend to."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import build, program
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import settings as asked_for
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    module,
    settings,
    write,
)

# The end of what netmap's configure printed for a Debian kernel, with drivers from the kernel's source.
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


def test_native_drivers_are_those_configure_is_left_with() -> None:
    assert build.native_drivers(CONFIGURE) == ["e1000"]


def test_no_native_drivers() -> None:
    assert build.native_drivers("native drivers              \n\n") == []


def test_output_without_that_line_is_refused() -> None:
    with pytest.raises(TrafficgenError, match="native drivers"):
        build.native_drivers("*** native drivers              e1000\n")


def test_configure_and_make_cannot_fetch(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    make = tmp_path / "tools/make"
    tell = (
        f"for url in http://192.0.2.1/ https://192.0.2.1/; do curl -sS -m 5 $url 2>>{tmp_path}/said; done; env"
        f" >{tmp_path}/env\n"
    )
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{tell}"))
    built()
    assert "TAR_OPTIONS=--no-same-owner --no-same-permissions" in (tmp_path / "env").read_text()
    # The kernel that Intel's make files build for: without it, the running one.
    assert f"BUILD_KERNEL={KERNEL}\n" in (tmp_path / "env").read_text()
    if shutil.which("curl"):
        assert (tmp_path / "said").read_text().count("127.0.0.1 port 9") == 2


def test_build_and_stamp(host: Any, built: Callable[..., dict[str, Any]], source: tuple[str, str, str]) -> None:
    asked = built(drivers=["e1000"], kernel_sources=str(host.path("/usr/src/netmap/kernel")))
    stamp = json.loads(host.stamp(KERNEL).read_text())
    assert stamp["version"] == source[1] and stamp["vermagic"].startswith(KERNEL) and stamp["drivers"] == ["e1000"]
    assert set(stamp["files"]) == {f"/lib/modules/{KERNEL}/extra/{name}.ko" for name in ("netmap", "e1000-netmap")}
    assert asked_for.is_built(host, asked, KERNEL)
    assert program.status(host, asked)["build"] == []


def test_a_change_of_what_it_depends_on_builds_again(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    asked = built()
    assert not asked_for.is_built(host, {**asked, "no_drivers": []}, KERNEL)
    assert not asked_for.is_built(host, {**asked, "version": "1" * 40}, KERNEL)
    write(tmp_path / "compiler", "gcc 12")
    assert not asked_for.is_built(host, asked, KERNEL)
    (tmp_path / "compiler").unlink()
    assert asked_for.is_built(host, asked, KERNEL)
    write(host.path(f"/usr/src/kernels/{KERNEL}/Module.symvers"), "0x2 split_page vmlinux EXPORT_SYMBOL\n")
    assert not asked_for.is_built(host, asked, KERNEL)


def test_a_changed_or_lost_module_is_built_again(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    asked = built()
    module(host).write_text("another")
    assert program.status(host, asked)["build"] == [KERNEL]
    module(host).unlink()
    assert program.status(host, asked)["build"] == [KERNEL]


def test_a_failed_build_leaves_what_was_there(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    asked = built()
    before = module(host).read_bytes(), host.stamp(KERNEL).read_text(), host.path(hosts.SETTINGS).read_text()
    write(tmp_path / "broken")
    with pytest.raises(TrafficgenError, match=r"make of netmap failed .* x\.c:1: error: no"):
        built(no_drivers=[])
    assert (
        module(host).read_bytes(),
        host.stamp(KERNEL).read_text(),
        host.path(hosts.SETTINGS).read_text(),
    ) == before
    assert asked_for.is_built(host, asked, KERNEL)
    # And it is tried again.
    assert program.status(host, {**asked, "no_drivers": []})["build"] == [KERNEL]
    (tmp_path / "broken").unlink()
    assert asked_for.is_built(host, built(no_drivers=[]), KERNEL)


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


DRIVER = {"ixgbe/Makefile": "obj-m += ixgbe.o\nixgbe-y := a.o\n", "ixgbe/a.c": "1\n2\n3\nprobe();\n5\n6\n7\n"}
PATCH = """\
--- a/ixgbe/Makefile
+++ b/ixgbe/Makefile
@@ -1,2 +1,2 @@
-obj-m += ixgbe.o
-ixgbe-y := a.o
+obj-m += ixgbe$(NETMAP_DRIVER_SUFFIX).o
+ixgbe$(NETMAP_DRIVER_SUFFIX)-y := a.o
--- a/ixgbe/a.c
+++ b/ixgbe/a.c
@@ -1,6 +1,7 @@
 1
 2
 3
+ixgbe_netmap_attach();
 probe();
 5
 6
"""


def zipped(content: dict[str, str], version: str = "6.2.6") -> bytes:
    """An archive as Intel's are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in content.items():
            archive.writestr(f"ethernet-linux-ixgbe-{version}/{path.replace('ixgbe/', 'src/', 1)}", text)
    return file.getvalue()


def placed(host: Any, name: str, content: bytes) -> str:
    """A download that is there already. Returns its checksum."""
    write(host.path(f"/var/lib/trafficgen/archives/netmap/{name}")).write_bytes(content)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_an_external_driver_needs_its_archive(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    content = zipped(DRIVER, "6.1.6")
    driver = {
        "name": "ixgbe",
        "version": "6.1.6",
        "url": "https://x/",
        "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    with pytest.raises(TrafficgenError, match="is missing, or its checksum is not the one given for ixgbe"):
        built(external_drivers=[driver])
    placed(host, "ixgbe/v6.1.6.zip", content)
    write(host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.1.6"))
    built(external_drivers=[driver])
    assert module(host, "ixgbe-netmap").exists()
    # netmap has a patch for this version, so its make files need to be told nothing.
    assert not (host.build_folder(KERNEL) / "config.mak").exists()
    assert json.loads(host.stamp(KERNEL).read_text())["patches"] == []


def test_netmap_is_told_of_the_patch_for_another_version(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """In the file that its default-config.mak.in_ names for that, which configure and make read."""
    built()
    make = tmp_path / "tools/make"
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\ncat config.mak *.patch >{tmp_path}/read\n"))
    write(host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.1.6"), PATCH)
    checksum = placed(host, "ixgbe/v6.2.6.zip", zipped(DRIVER))
    driver = {"name": "ixgbe", "version": "6.2.6", "url": "https://x/", "checksum": checksum}
    asked = built(external_drivers=[driver])
    file = host.build_folder(KERNEL) / "ixgbe.patch"
    assert (tmp_path / "read").read_text() == f"ixgbe@patch := {file}\n{PATCH}"
    assert file.read_text() == PATCH
    told = ["netmap has no patch for ixgbe 6.2.6. The one for 6.1.6 fits."]
    assert json.loads(host.stamp(KERNEL).read_text())["patches"] == told
    assert program.status(host, asked)["build"] == []
    (tmp_path / "read").unlink()
    # One that does not fit is refused before configure and make.
    (host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.1.6")).write_text(PATCH.replace("probe", "begin"))
    with pytest.raises(TrafficgenError, match=r"the one for 6\.1\.6 does not fit ixgbe/a\.c"):
        built(external_drivers=[driver], jobs=2, no_drivers=[])
    assert not (tmp_path / "read").exists() and module(host, "ixgbe-netmap").exists()
    # Where a driver may be missing, it is left out, and configure is not asked for it.
    asked = built(external_drivers=[driver], missing_drivers="warn", no_drivers=["veth.c"])
    stamp = json.loads(host.stamp(KERNEL).read_text())
    assert stamp["missing"] == ["ixgbe"] and stamp["patches"][0].endswith("ixgbe was left out.")
    assert not module(host, "ixgbe-netmap").exists() and module(host).exists()
    assert program.status(host, asked)["build"] == []


def test_a_source_is_prepared_for_configure(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    built()
    make = tmp_path / "tools/make"
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\ncat config.mak >{tmp_path}/read\n"))
    write(host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.3.4"))
    guard = '#error "kcompat.h must be included prior to kernel headers"\n'
    checksum = placed(host, "ixgbe/v6.3.4.zip", zipped({**DRIVER, "ixgbe/kcompat.h": guard}, "6.3.4"))
    built(external_drivers=[{"name": "ixgbe", "version": "6.3.4", "url": "https://x/", "checksum": checksum}])
    assert (tmp_path / "read").read_text().startswith("ixgbe@prepare := sed -i ")


def test_a_driver_that_keeps_the_stock_name_is_not_built_for_a_port(
    host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """netmap's make files prepare the source first; what it registers is read there, before it is compiled."""
    device = host.path("/sys/bus/pci/devices/0000:00:10.0")
    device.mkdir(parents=True)
    (device / "driver").symlink_to("../../drivers/e1000")
    make = tmp_path / "tools/make"
    source = "static struct pci_driver d = {\\n\\t.name = e1000_driver_name,\\n};\\n"
    prepare = (
        f"case $* in *get-*) mkdir -p e1000; printf '{source}' >e1000/main.c ;; *) touch {tmp_path}/made ;; esac\n"
    )
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{prepare}"))
    asked = {"drivers": ["e1000"], "kernel_sources": str(host.path("/usr/src/netmap/kernel"))}
    with pytest.raises(TrafficgenError, match=r"0000:00:10\.0 has the driver e1000\. .* cannot load both"):
        built(native_devices=["0000:00:10.0"], **asked)
    assert not (tmp_path / "made").exists() and not module(host).exists()
    # For no port, it may be loaded where the stock driver is not.
    built(**asked)
    assert module(host, "e1000-netmap").exists()


def archived(host: Any) -> dict[str, Any]:
    """A driver of netmap_external_drivers whose archive was fetched."""
    checksum = placed(host, "ixgbe/v6.2.6.zip", zipped(DRIVER))
    return {"name": "ixgbe", "version": "6.2.6", "url": "https://x/", "checksum": checksum}


def test_a_patch_of_the_user_s_own(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    built()
    driver = {
        **archived(host),
        "patch": "file:///root/own.patch",
        "patch_checksum": f"sha256:{'0' * 64}",
    }
    write(host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.1.6"), "no patch")
    with pytest.raises(TrafficgenError, match="its checksum is not the one given for the patch of ixgbe"):
        built(external_drivers=[driver])
    driver["patch_checksum"] = placed(host, "ixgbe.patch", PATCH.encode())
    asked = built(external_drivers=[driver])
    assert (host.build_folder(KERNEL) / "ixgbe.patch").read_text() == PATCH
    assert asked_for.is_built(host, asked, KERNEL)
    # Another patch is another build, for which it is fetched again.
    again = {**asked, "external_drivers": [{**driver, "patch_checksum": f"sha256:{'1' * 64}"}]}
    plan = program.status(host, again)
    assert plan["build"] == [KERNEL]
    assert [one["url"] for one in plan["archives"]] == ["file:///root/own.patch"]


OVER = """\
--- a/ixgbe/a.c
+++ b/ixgbe/a.c
@@ -2,6 +2,7 @@
 2
 3
 ixgbe_netmap_attach();
+more();
 probe();
 5
 6
"""


def test_a_patch_on_top_of_netmap_s(host: Any, built: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    built()
    make = tmp_path / "tools/make"
    make.write_text(make.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\ncp config.mak {tmp_path}/read\n"))
    driver = {
        **archived(host),
        "patch": "file:///root/own.patch",
        "patch_checksum": placed(host, "ixgbe.patch", OVER.encode()),
        "patch_over_netmap": True,
    }
    exact = write(host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.2.6"), PATCH)
    asked = built(external_drivers=[driver])
    first, second = (host.build_folder(KERNEL) / f"ixgbe{end}.patch" for end in ("", "-over"))
    # In this order: netmap's make files run patch for each.
    assert (tmp_path / "read").read_text() == f"ixgbe@patch := {first} {second}\n"
    assert (first.read_text(), second.read_text()) == (PATCH, OVER)
    on_top = "The patch given for ixgbe 6.2.6 was applied on top of netmap's."
    assert json.loads(host.stamp(KERNEL).read_text())["patches"] == [on_top]
    # In place of netmap's is another build, as is another patch.
    assert program.status(host, asked)["build"] == []
    for change in ({"patch_over_netmap": False}, {"patch_checksum": f"sha256:{'1' * 64}"}):
        assert program.status(host, {**asked, "external_drivers": [{**driver, **change}]})["build"] == [KERNEL]
    # Where netmap's is for another version, that is said first.
    exact.rename(exact.with_name("intel--ixgbe--6.1.6"))
    built(external_drivers=[driver], jobs=2, no_drivers=[])
    told = ["netmap has no patch for ixgbe 6.2.6. The one for 6.1.6 fits.", on_top]
    assert json.loads(host.stamp(KERNEL).read_text())["patches"] == told
    # One that does not fit on top is refused before configure and make, also where a driver may be missing.
    driver["patch_checksum"] = placed(host, "ixgbe.patch", OVER.replace("_attach", "_detach").encode())
    (tmp_path / "read").unlink()
    with pytest.raises(TrafficgenError, match=r"does not fit ixgbe/a\.c: .* on top of that\. Nothing was built\."):
        built(external_drivers=[driver], missing_drivers="warn")
    assert not (tmp_path / "read").exists()
    # And the driver is left out there if netmap's does not fit.
    (host.path("/usr/src/netmap/LINUX/final-patches/intel--ixgbe--6.1.6")).write_text(PATCH.replace("probe", "begin"))
    built(external_drivers=[driver], missing_drivers="warn")
    assert json.loads(host.stamp(KERNEL).read_text())["missing"] == ["ixgbe"]


def test_the_key_of_a_build_without_a_patch_on_top_is_as_it_was(host: Any) -> None:
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "https://x/", "checksum": "sha256:" + "0" * 64}
    keys = [
        asked_for.key_of(asked_for.inputs(host, settings(external_drivers=[{**driver, **more}]), KERNEL))
        for more in ({}, {"patch_over_netmap": False}, {"patch_over_netmap": True})
    ]
    assert keys[0] == keys[1] != keys[2]


def test_unzip_is_asked_for_by_its_name(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "https://x/", "checksum": "sha256:" + "0" * 64}
    monkeypatch.setattr(build, "find_program", lambda name: None if name == "unzip" else f"/usr/bin/{name}")
    said = build.tools_problem(host, settings(external_drivers=[driver]), [KERNEL])
    assert "Missing on this host: unzip." in said and "ixgbe in netmap_external_drivers" in said and "dev_tools" in said
    assert build.tools_problem(host, settings(), [KERNEL]) == ""


def test_pahole_is_asked_for_where_the_headers_have_a_vmlinux(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only with the option BTF for modules; the headers of Debian's 6.1 have the option and no vmlinux."""
    monkeypatch.setattr(build, "find_program", lambda name: None if name == "pahole" else f"/usr/bin/{name}")
    headers = host.path(f"/usr/src/kernels/{KERNEL}")
    write(headers / "vmlinux")
    assert build.tools_problem(host, settings(), [KERNEL]) == ""
    write(headers / ".config", "CONFIG_DEBUG_INFO_BTF_MODULES=y\n")
    said = build.tools_problem(host, settings(), [KERNEL])
    assert "Missing on this host: pahole." in said and "dwarves" in said
    (headers / "vmlinux").unlink()
    assert build.tools_problem(host, settings(), [KERNEL]) == ""


def test_no_room(host: Any, built: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "NEEDED_MB", 10**9)
    with pytest.raises(TrafficgenError, match="Free some space there"):
        built()


def test_a_parameter_the_module_does_not_have(host: Any, built: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(TrafficgenError, match=r"has no parameter buf_mun\. It has: buf_num"):
        built(module_options={"buf_mun": 1})
    assert not module(host).exists()
    host.running = KERNEL
    asked = {**built(module_options={"buf_num": 1}), "service": True}
    assert program.status(host, asked)["problems"] == []
    assert "buf_mun" in program.status(host, {**asked, "module_options": {"buf_mun": 1}})["problems"][0]
