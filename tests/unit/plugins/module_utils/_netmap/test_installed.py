# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import lzma
import os
import shutil

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import info, installed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Rings
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import elf_note

RUNNING, OTHER = "6.1.0-56-amd64", "6.1.0-55-amd64"
COMMIT = "89607e1406c1fa5ac2106bd2ff33417f090c0d60"
SRCVERSION = "55D5E1C7E5B4B1C5D0A3D1F"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """The root of a host that has netmap loaded, with e1000's driver under its own name and ixgbe's under another."""
    netmap_info = tmp_path / "sys/module/netmap"
    for folder in ("holders/e1000_netmap", "holders/ixgbe", "parameters"):
        (netmap_info / folder).mkdir(parents=True)
    (netmap_info / "srcversion").write_text(SRCVERSION + "\n")
    for name, value in {
        "buf_size": "4096",
        "admode": "0",
        "generic_txqdisc": "1",
        "flags": "-1",
        "name": "x",
        "empty": "",
    }.items():
        (netmap_info / "parameters" / name).write_text(value + "\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/netmap").touch()
    monkeypatch.setattr(installed, "_modinfo", modinfo)
    return tmp_path


def modinfo(path):
    """What modinfo says about a file. The fixture's files contain it."""
    with {".xz": lzma.open, ".gz": gzip.open}.get(os.path.splitext(path)[1], open)(path, "rb") as file:
        return file.read().decode("ascii", "replace")


def install(host, release, *, vermagic=None, srcversion=SRCVERSION, signer=None, suffix="", stamp=None, build_id=""):
    file = host / f"lib/modules/{release}/extra/netmap.ko{suffix}"
    file.parent.mkdir(parents=True)
    # As kmod 30 prints it, in part.
    lines = [
        f"filename:       {file}",
        "license:        Dual BSD/GPL",
        f"srcversion:     {srcversion}",
        "depends:",
        "name:           netmap",
        f"vermagic:       {vermagic or release} SMP preempt mod_unload modversions ",
        "parm:           buf_size:int",
    ]
    if signer:
        lines += [
            "sig_id:         PKCS#7",
            f"signer:         {signer}",
            "sig_hashalgo:   sha256",
            "signature:      30:45:02",
        ]
    content = ("\n".join(lines) + "\n").encode() + (elf_note(build_id) if build_id else b"")
    pack = {".xz": lzma.compress, ".gz": gzip.compress}
    file.write_bytes(pack.get(suffix, bytes)(content))
    if stamp is not None:
        path = host / f"var/lib/trafficgen/stamps/netmap-{release}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(stamp if isinstance(stamp, str) else json.dumps(stamp))


def unload(host):
    shutil.rmtree(host / "sys/module/netmap")
    (host / "dev/netmap").unlink()


def test_a_host_with_netmap(host):
    root = str(host)
    assert installed.loaded(root)
    installed.require(root)
    assert installed.version(root) == SRCVERSION
    assert installed.buffer_size(root) == 4096
    assert installed.parameters(root) == {
        "admode": 0,
        "buf_size": 4096,
        "empty": None,
        "flags": -1,
        "generic_txqdisc": 1,
        "name": "x",
    }


@pytest.mark.parametrize("missing", ["sys", "dev"])
def test_a_host_without_netmap(host, missing):
    shutil.rmtree(host / missing)
    assert not installed.loaded(str(host))
    with pytest.raises(TrafficgenError, match=r"netmap is not loaded on this host: "):
        installed.require(str(host))
    if missing == "sys":
        assert installed.version(str(host)) is None
        assert installed.buffer_size(str(host)) == 2048


@pytest.mark.parametrize(
    ("driver", "mode"),
    [
        ("e1000-netmap", "native"),
        ("ixgbe", "native"),
        ("e1000", "emulated"),
        ("veth", "emulated"),
        (None, "emulated"),
        ("", "emulated"),
    ],
)
def test_native_or_emulated(host, driver, mode):
    assert installed.mode(driver, str(host)) == mode


def test_netmap_can_be_told_to_emulate_always(host):
    (host / "sys/module/netmap/parameters/admode").write_text("2\n")
    assert installed.mode("ixgbe", str(host)) == "emulated"


def problem(host):
    found = installed.problem(str(host), RUNNING)
    return found.message if found else None


def test_why_it_is_not_loaded(host):
    assert problem(host) is None
    (host / "dev/netmap").unlink()
    assert "the module is loaded, but /dev/netmap is missing" in problem(host)
    (host / "dev/netmap").touch()
    unload(host)
    assert f"it is not built for the running kernel {RUNNING}. Build it: role wirespeed.trafficgen.netmap" in problem(
        host
    )
    install(host, OTHER)
    assert f"it is not built for the running kernel {RUNNING}, only for {OTHER}." in problem(host)
    install(host, RUNNING, suffix=".xz")
    assert f"/lib/modules/{RUNNING}/extra/netmap.ko.xz is built. Load it: `systemctl start netmap`" in problem(host)


def test_a_module_of_another_kernel(host):
    unload(host)
    install(host, RUNNING, vermagic=OTHER)
    assert f"/extra/netmap.ko is for kernel {OTHER}, not for the running {RUNNING}. Build it again" in problem(host)


def set_secure_boot(host, value):
    path = host / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    path.parent.mkdir(parents=True)
    # Attributes 6 (runtime and boot service access), then the value, as efivarfs gives it.
    path.write_bytes(b"\6\0\0\0" + bytes([value]))
    lockdown = host / "sys/kernel/security/lockdown"
    lockdown.parent.mkdir(parents=True)
    lockdown.write_text("none [integrity] confidentiality\n" if value else "[none] integrity confidentiality\n")


@pytest.mark.parametrize("value", [0, 1])
def test_secure_boot(host, value):
    root = str(host)
    assert (installed.secure_boot(root), installed.signatures_enforced(root)) == (False, False)
    set_secure_boot(host, value)
    assert (installed.secure_boot(root), installed.signatures_enforced(root)) == (bool(value), bool(value))


def test_secure_boot_is_not_known_without_the_variables(host):
    (host / "sys/firmware/efi").mkdir(parents=True)
    assert installed.secure_boot(str(host)) is None


def test_signatures_can_be_enforced_without_secure_boot(host):
    unload(host)
    enforce = host / "sys/module/module/parameters/sig_enforce"
    enforce.parent.mkdir(parents=True)
    enforce.write_text("Y\n")
    install(host, RUNNING)
    assert "this kernel refuses unsigned modules (it enforces signatures)" in problem(host)
    enforce.write_text("N\n")
    assert "Load it" in problem(host)


def test_secure_boot_and_an_unsigned_module(host):
    unload(host)
    set_secure_boot(host, 1)
    install(host, RUNNING)
    said = problem(host)
    assert (
        "this kernel refuses unsigned modules (Secure Boot is on), and /lib/modules/6.1.0-56-amd64/extra/netmap.ko is"
        " not signed" in said
    )
    assert "netmap_signing_key" in said and "mokutil --import" in said


def test_secure_boot_and_a_signed_module(host):
    unload(host)
    set_secure_boot(host, 1)
    install(host, RUNNING, signer="our own key")
    said = problem(host)
    assert "netmap.ko is built, signed by our own key." in said and "Key was rejected by service" in said


class Port:
    version = 14

    def __init__(self, netns, device):
        self.where = (netns, device)
        Port.opened = self
        self.closed = False

    def rings(self, interface):
        if interface == "ens18":
            raise TrafficgenError(
                "its rings could not be read from netmap", on=interface, said="Operation not supported"
            )
        return Rings(4, 512, 8, 256)

    def close(self):
        self.closed = True


@pytest.fixture
def links(monkeypatch):
    links = {"ens17": "ixgbe", "ens18": "bnx2", "v0": "veth"}
    monkeypatch.setattr(info, "interfaces_of", lambda netns: sorted(links))
    monkeypatch.setattr(info, "read_link", lambda interface: {"ifname": interface.name})
    monkeypatch.setattr(info, "find_driver", lambda link, netns, root: links[link["ifname"]])
    monkeypatch.setattr(info, "Port", Port)
    return links


def test_all_that_is_known(host, links):
    install(host, RUNNING, stamp={"version": COMMIT})
    install(host, OTHER, srcversion="ANOTHER", signer="me", stamp="not JSON")
    found = info.info(netns="ns", root=str(host), kernel=RUNNING)
    assert found["interfaces"] == {
        "ens17": {
            "driver": "ixgbe",
            "mode": "native",
            "tx_rings": 4,
            "tx_slots": 512,
            "rx_rings": 8,
            "rx_slots": 256,
            "reason": "",
        },
        "ens18": {
            "driver": "bnx2",
            "mode": None,
            "tx_rings": None,
            "tx_slots": None,
            "rx_rings": None,
            "rx_slots": None,
            "reason": "ens18: its rings could not be read from netmap: Operation not supported.",
        },
        "v0": {
            "driver": "veth",
            "mode": "emulated",
            "tx_rings": 4,
            "tx_slots": 512,
            "rx_rings": 8,
            "rx_slots": 256,
            "reason": "",
        },
    }
    assert Port.opened.where == ("ns", f"{host}/dev/netmap") and Port.opened.closed
    assert (found["loaded"], found["problem"], found["version"], found["device"]) == (True, None, 14, "/dev/netmap")
    assert (found["srcversion"], found["commit"]) == (SRCVERSION, COMMIT)
    assert found["vermagic"] == f"{RUNNING} SMP preempt mod_unload modversions"
    assert found["kernels"] == [OTHER, RUNNING]
    assert found["builds"][OTHER] == {
        "path": f"/lib/modules/{OTHER}/extra/netmap.ko",
        "vermagic": f"{OTHER} SMP preempt mod_unload modversions",
        "srcversion": "ANOTHER",
        "build_id": None,
        "signer": "me",
        "commit": None,
    }


def test_what_is_loaded_may_be_another_build_than_what_is_installed(host, links):
    install(host, RUNNING, srcversion="NEWER", stamp={"version": COMMIT})
    found = info.info(["v0"], root=str(host), kernel=RUNNING)
    assert (found["srcversion"], found["vermagic"], found["commit"]) == (SRCVERSION, None, None)
    assert found["builds"][RUNNING]["commit"] == COMMIT
    assert set(found["interfaces"]) == {"v0"}


@pytest.mark.parametrize("suffix", ["", ".xz", ".gz"])
def test_a_module_is_known_by_its_build_id(host, links, suffix):
    ours, other = "35ee1c4e2b4f5ab6ea57b1ba4ec0b5b2a1d4f2a7", "0a" * 20
    (host / "sys/module/netmap/srcversion").unlink()
    assert installed.version(str(host), RUNNING) is None
    notes = host / "sys/module/netmap/notes/.note.gnu.build-id"
    notes.parent.mkdir()
    notes.write_bytes(elf_note(ours))
    assert installed.version(str(host), RUNNING) == ours
    install(host, RUNNING, srcversion="", build_id=ours, suffix=suffix, stamp={"version": COMMIT})
    found = info.info(["v0"], root=str(host), kernel=RUNNING)
    assert (found["build_id"], found["builds"][RUNNING]["build_id"], found["srcversion"]) == (ours, ours, None)
    assert (found["commit"], found["vermagic"]) == (COMMIT, f"{RUNNING} SMP preempt mod_unload modversions")
    assert installed.version(str(host), RUNNING) == COMMIT
    notes.write_bytes(elf_note(other))
    assert info.info(["v0"], root=str(host), kernel=RUNNING)["commit"] is None
    assert installed.version(str(host), RUNNING) == other


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".xz", b"broken"), (".gz", b"broken"), (".zst", b"broken"), (".gz", gzip.compress(bytes(9), mtime=0)[:-9])],
)
def test_a_module_that_cannot_be_unpacked(host, links, monkeypatch, suffix, content):
    monkeypatch.setattr(installed, "_modinfo", lambda path: "")
    install(host, RUNNING)
    file = host / f"lib/modules/{RUNNING}/extra/netmap.ko"
    file.with_suffix(".ko" + suffix).write_bytes(content)
    file.unlink()
    assert info.info(["v0"], root=str(host), kernel=RUNNING)["builds"][RUNNING]["build_id"] is None


def test_a_host_without_netmap_at_all(host, links):
    unload(host)
    found = info.info(root=str(host), kernel=RUNNING)
    assert (found["loaded"], found["version"], found["parameters"], found["srcversion"], found["device"]) == (
        False,
        None,
        {},
        None,
        None,
    )
    assert "it is not built for the running kernel" in found["problem"]
    assert found["interfaces"]["ens17"] == {
        "driver": "ixgbe",
        "mode": None,
        "tx_rings": None,
        "tx_slots": None,
        "rx_rings": None,
        "rx_slots": None,
        "reason": "netmap is not loaded",
    }


def test_the_result_is_documented(host, links):
    yaml = pytest.importorskip("yaml")
    from ansible_collections.wirespeed.trafficgen.plugins.modules import netmap_info

    install(host, RUNNING)
    found = info.info(root=str(host), kernel=RUNNING)
    documented = yaml.safe_load(netmap_info.RETURN)["netmap_info"]["contains"]
    assert set(documented) == set(found)
    assert (
        set(documented["interfaces"]["contains"])
        == set(found["interfaces"]["v0"])
        == set(documented["interfaces"]["sample"]["ens17"])
    )
    assert set(documented["builds"]["sample"][RUNNING]) == set(found["builds"][RUNNING])
    options = yaml.safe_load(netmap_info.DOCUMENTATION)["options"]
    for option in options.values():
        option.pop("description")
    assert options == netmap_info.ARGUMENT_SPEC
