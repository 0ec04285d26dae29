# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading and unloading netmap, on a host whose /sys reacts to writes as the kernel's does."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import drivers, program
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import host as hosts
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import (
    KERNEL,
    settings,
    write,
)

FIRST, SECOND = "0000:00:10.0", "0000:00:11.0"
ASKED = settings(drivers=["e1000"], native_devices=[FIRST], module_options={"buf_num": 4096})


class Sys:
    """The PCI devices, and the driver that the kernel binds to each. ``refuses``: drivers whose probe fails."""

    def __init__(self, host: Any, tools: Path) -> None:
        self.host, self.tools = host, tools
        self.refuses: set[str] = set()
        self.stock_is_there = True
        for address in (FIRST, SECOND):
            write(hosts.pci(host, address) / "driver_override", "(null)\n")
            self.bind(address, "e1000")
            write(host.path(f"/sys/class/net/tg{address[-3]}/flags"), "0x1003\n")
        for file in ("drivers_autoprobe", "drivers_probe"):
            write(host.path(f"/sys/bus/pci/{file}"))

    def bind(self, address: str, driver: str) -> None:
        self.unbind(address)
        folder = hosts.pci(self.host, address)
        write(self.host.path(f"/sys/bus/pci/drivers/{driver}/unbind"))
        (folder / "driver").symlink_to(f"../../drivers/{driver}")
        (folder / "net" / f"tg{address[-3]}").mkdir(parents=True)
        name = driver.replace("-", "_")
        self.host.path(f"/sys/module/{name}/drivers/pci:{driver}/{address}").mkdir(parents=True)

    def unbind(self, address: str) -> None:
        folder = hosts.pci(self.host, address)
        (folder / "driver").unlink(missing_ok=True)
        shutil.rmtree(folder / "net", ignore_errors=True)
        for found in self.host.path("/sys/module").glob(f"*/drivers/*/{address}"):
            found.rmdir()

    def wrote(self, path: Path, text: str) -> None:
        """What the kernel does."""
        if path.name == "unbind" and text:
            self.unbind(text)
        elif path.name == "drivers_probe" and text and not hosts.driver_of(self.host, text):
            override = (hosts.pci(self.host, text) / "driver_override").read_text().strip()
            wanted = override or "e1000"
            loaded = self.stock_is_there if wanted == "e1000" else hosts.is_loaded(self.host, wanted)
            if loaded and wanted not in self.refuses:
                self.bind(text, wanted)

    @property
    def said(self) -> list[str]:
        """The programs that were run."""
        log = self.tools / "said"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def sys(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sys:
    made = Sys(host, tmp_path / "tools")
    real = Path.write_text

    def write_text(path: Path, text: str, *more: Any, **others: Any) -> int:
        done = real(path, text, *more, **others)
        made.wrote(path, text)
        return done

    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.setattr(drivers, "BIND_SECONDS", 0)
    monkeypatch.setattr(drivers, "device_problem", lambda *_: "")
    monkeypatch.setattr(drivers, "reload_problem", lambda *_: "")
    monkeypatch.setattr(drivers, "Netlink", lambda protocol: contextlib.nullcontext())
    monkeypatch.setattr(drivers, "links_of", lambda route: [])
    real_wait = drivers.wait_for_driver
    monkeypatch.setattr(drivers, "wait_for_driver", lambda *given, **more: real_wait(*given[:3], seconds=0.0))
    tools, root = tmp_path / "tools", host.root
    log = f'echo "$(basename "$0") $*" >>{tools}/said\n'
    module = '$(basename "$1" .ko | tr - _)'
    refused = f"[ ! -e {tools}/refusal ] || {{ cat {tools}/refusal >&2; exit 1; }}\n"
    holder = f'[ "{module}" = netmap ] || {{ mkdir -p {root}/sys/module/netmap/holders/{module}; }}\n'
    write(
        tools / "insmod",
        f"#!/bin/sh\n{log}{refused}mkdir -p {root}/sys/module/{module}/holders\n"
        f"echo 0 >{root}/sys/module/{module}/refcnt\n{holder}",
        0o755,
    )
    gone = f"rm -rf {root}/sys/module/{module} {root}/sys/module/netmap/holders/{module}\n"
    write(tools / "rmmod", f"#!/bin/sh\n{log}{gone}", 0o755)
    for name in ("modprobe", "ip", "udevadm"):
        write(tools / name, f"#!/bin/sh\n{log}", 0o755)
    write(tools / "modinfo", "#!/bin/sh\ncase $2 in depends) echo netmap,ptp;; parm) echo buf_num:int;; esac\n", 0o755)
    for name in ("netmap", "e1000-netmap"):
        write(host.path(f"/lib/modules/{KERNEL}/extra/{name}.ko"))
    return made


def test_loaded_once_and_unloaded_once(host: Any, sys: Sys) -> None:
    assert drivers.load(host, ASKED, KERNEL) == {"changed": True, "devices": [FIRST]}
    assert (hosts.driver_of(host, FIRST), hosts.driver_of(host, SECOND)) == ("e1000-netmap", "e1000")
    extra = host.path(f"/lib/modules/{KERNEL}/extra")
    assert [line for line in sys.said if "insmod" in line] == [
        f"insmod {extra}/netmap.ko buf_num=4096",
        f"insmod {extra}/e1000-netmap.ko",
    ]
    assert "modprobe -a ptp" in sys.said and "ip link set tg0 up" in sys.said
    # The new driver takes no other device, and afterwards the kernel binds drivers as before.
    assert host.path("/sys/bus/pci/drivers_autoprobe").read_text() == "1"
    assert drivers.load(host, ASKED, KERNEL) == {"changed": False, "devices": []}
    assert drivers.unload(host, ASKED) == {"changed": True}
    assert hosts.driver_of(host, FIRST) == "e1000" and not hosts.is_loaded(host)
    assert [line for line in sys.said if "rmmod" in line] == ["rmmod e1000_netmap", "rmmod netmap"]
    assert drivers.unload(host, ASKED) == {"changed": False}


def test_a_driver_that_registers_its_module_s_name(host: Any, sys: Sys) -> None:
    """As ice does: the kernel writes an underscore for the hyphen of ice-netmap."""
    insmod = sys.tools / "insmod"
    name = f"{host.root}/sys/module/e1000_netmap/drivers/pci:e1000_netmap"
    insmod.write_text(insmod.read_text() + f"case $1 in *e1000-netmap.ko) mkdir -p {name} ;; esac\n")
    drivers.load(host, ASKED, KERNEL)
    assert hosts.driver_of(host, FIRST) == "e1000_netmap"
    assert drivers.load(host, ASKED, KERNEL) == {"changed": False, "devices": []}
    assert program.resolve_devices(host, ASKED)[1] == []
    drivers.unload(host, ASKED)
    assert hosts.driver_of(host, FIRST) == "e1000"


def test_an_interface_that_was_down_stays_down(host: Any, sys: Sys) -> None:
    write(host.path("/sys/class/net/tg0/flags"), "0x1002\n")
    drivers.load(host, ASKED, KERNEL)
    assert not any(line.startswith("ip ") for line in sys.said)


def test_a_driver_that_does_not_take_it(host: Any, sys: Sys) -> None:
    """Earlier steps are undone: the first device goes back to its driver, and netmap is unloaded."""
    sys.refuses.add("e1000-netmap")
    with pytest.raises(TrafficgenError, match=r"0000:00:10\.0: e1000-netmap .*dmesg"):
        drivers.load(host, ASKED, KERNEL)
    assert hosts.driver_of(host, FIRST) == "e1000" and not hosts.is_loaded(host)
    sys.refuses.clear()
    asked = {**ASKED, "native_devices": [FIRST, "0000:00:19.0"]}
    with pytest.raises(TrafficgenError, match=r"0000:00:19\.0 .*lspci"):
        drivers.load(host, asked, KERNEL)
    assert hosts.driver_of(host, FIRST) == "e1000" and not hosts.is_loaded(host)


def test_netmap_that_was_loaded_before_stays(host: Any, sys: Sys) -> None:
    drivers.load(host, {**ASKED, "native_devices": []}, KERNEL)
    sys.refuses.add("e1000-netmap")
    with pytest.raises(TrafficgenError):
        drivers.load(host, ASKED, KERNEL)
    assert hosts.is_loaded(host)
    # Devices taken before the one that failed go back too.
    sys.refuses.clear()
    with pytest.raises(TrafficgenError):
        drivers.load(host, {**ASKED, "native_devices": [FIRST, "0000:00:19.0"]}, KERNEL)
    assert hosts.driver_of(host, FIRST) == "e1000" and hosts.is_loaded(host)


@pytest.mark.parametrize("there", [True, False])
def test_a_stock_driver_that_is_not_loaded(host: Any, sys: Sys, there: bool) -> None:
    drivers.load(host, ASKED, KERNEL)
    sys.stock_is_there = False
    if there:
        write(sys.tools / "modprobe", f"#!/bin/sh\necho modprobe $* >>{sys.tools}/said\n", 0o755)
        real = drivers.run

        def run(argv: list[str], **more: Any) -> Any:
            sys.stock_is_there = sys.stock_is_there or argv == ["modprobe", "e1000"]
            return real(argv, **more)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(drivers, "run", run)
            drivers.unload(host, ASKED)
        assert hosts.driver_of(host, FIRST) == "e1000"
    else:
        with pytest.raises(TrafficgenError, match=r"0000:00:10\.0 .*e1000-netmap"):
            drivers.unload(host, ASKED)
        assert hosts.is_loaded(host)


def test_nothing_that_is_protected_is_taken_or_unloaded(host: Any, sys: Sys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "device_problem", lambda *_: "It is the management port.")
    with pytest.raises(TrafficgenError, match="management port"):
        drivers.load(host, ASKED, KERNEL)
    assert hosts.driver_of(host, FIRST) == "e1000" and not hosts.is_loaded(host)
    drivers.load(host, {**ASKED, "native_devices": []}, KERNEL)
    monkeypatch.setattr(drivers, "reload_problem", lambda *_: "A run is under way.")
    with pytest.raises(TrafficgenError, match="A run is under way"):
        drivers.unload(host, ASKED)
    assert hosts.is_loaded(host)


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ("insmod: ERROR: Key was rejected by service", "signature"),
        ("insmod: ERROR: Invalid module format", f"trafficgen-netmap build {KERNEL}"),
        ("insmod: ERROR: Cannot allocate memory", "Cannot allocate memory"),
    ],
)
def test_a_module_that_the_kernel_refuses(host: Any, sys: Sys, refusal: str, remedy: str) -> None:
    write(sys.tools / "refusal", f"{refusal}\n")
    with pytest.raises(TrafficgenError, match=refusal) as raised:
        drivers.load(host, ASKED, KERNEL)
    assert remedy in raised.value.message


def test_an_option_that_the_module_has_not(host: Any, sys: Sys) -> None:
    with pytest.raises(TrafficgenError, match=r"buf_sum.*buf_num.*netmap_module_options"):
        drivers.load(host, {**ASKED, "module_options": {"buf_sum": 1}}, KERNEL)
    assert sys.said == []


def test_a_device_whose_driver_cannot_be_changed(host: Any, sys: Sys) -> None:
    shutil.rmtree(hosts.pci(host, FIRST))
    with pytest.raises(TrafficgenError, match=r"0000:00:10\.0: .*driver"):
        drivers.bind(host, FIRST, "e1000")


# --- The command ---


@pytest.mark.parametrize(
    ("words", "called", "given"),
    [
        (["status"], "status", ()),
        (["load", KERNEL], "load", (KERNEL,)),
        (["unload"], "unload", ()),
        (["fetch"], "fetch", ()),
        (["build", KERNEL], "build", (KERNEL,)),
        (["activate"], "replace", ("6.6.6-running", {}, ())),
        (["prune"], "prune", ()),
        (["hook", "add", KERNEL], "hook", ("add", KERNEL)),
        (["hook", "removing", KERNEL], "hook", ("removing", KERNEL)),
    ],
)
@pytest.mark.parametrize("root", [True, False])
def test_a_command_prints_what_came_of_it(
    host: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    called: str,
    given: tuple[Any, ...],
    root: bool,
) -> None:
    calls = []

    def act(host: Any, asked: dict[str, Any], *more: Any, **others: Any) -> dict[str, Any]:
        calls.append((asked["version"], *more))
        return {"changed": True}

    write(host.path(hosts.SETTINGS), json.dumps({"version": "1"}))
    monkeypatch.setattr(program, called, act)
    monkeypatch.setattr(program, "Host", lambda: host)
    monkeypatch.setattr(program.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(program.os, "umask", lambda mask: None)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    status = program.main(words)
    said = capsys.readouterr()
    if root:
        assert (status, json.loads(said.out), calls) == (0, {"changed": True}, [("1", *given)])
    else:
        assert (status, said.out, calls) == (3, "", []) and "root" in said.err


@pytest.fixture
def command(
    host: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    def command(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(program, "Host", lambda: host)
        monkeypatch.setattr(program.os, "geteuid", lambda: 0)
        monkeypatch.setattr(program.os, "umask", lambda mask: None)
        monkeypatch.setattr(program.signal, "signal", lambda *_: None)
        return program.main(words), capsys.readouterr().err

    return command


@pytest.mark.parametrize(
    "words",
    [(), ("status", "more"), ("load",), ("unload", "now"), ("build",), ("hook", "add"), ("hook", "undo", KERNEL)],
)
def test_words_that_are_no_command(host: Any, command: Callable[..., tuple[int, str]], words: tuple[str, ...]) -> None:
    write(host.path(hosts.SETTINGS), "{}")
    status, said = command(*words)
    assert status == 3 and said.startswith("Usage: trafficgen-netmap COMMAND")


def test_without_settings_or_with_a_file_in_the_way(host: Any, command: Callable[..., tuple[int, str]]) -> None:
    status, said = command("status")
    assert status == 3 and hosts.SETTINGS in said and "wirespeed.trafficgen.netmap" in said
    write(host.path(hosts.SETTINGS), "{}")
    host.path(hosts.LOCK).mkdir(parents=True)
    status, said = command("prune")
    assert status == 3 and said.endswith("Is a directory.\n")


def test_a_signal_ends_it() -> None:
    with pytest.raises(SystemExit) as ended:
        program.end(15, None)
    assert ended.value.code == 143
