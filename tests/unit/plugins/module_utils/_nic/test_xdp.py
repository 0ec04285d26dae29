# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reported about AF_XDP: from recorded answers, a stand-in for /sys and /proc, and the running kernel."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import socket
import struct
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import xdp
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.netlink import attribute
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.xdp import Socket, Told


def features(bits, segments=None):
    """An answer to NETDEV_CMD_DEV_GET, with the attributes of Linux 6.18 around those that are read."""
    told = attribute(1, struct.pack("=I", 4)) + attribute(3, struct.pack("=Q", bits)) + attribute(5, bytes(8))
    return bytes(4) + told + (attribute(4, struct.pack("=I", segments)) if segments is not None else b"")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        # As Linux 6.18 answers for a dummy, a virtio_net and a veth.
        (features(0), Told([], 0)),
        (features(0x2B, 1), Told(["basic", "redirect", "xsk-zerocopy", "rx-sg"], 1)),
        (features(0x23), Told(["basic", "redirect", "rx-sg"], 0)),
        # All that has a name, and one that a later kernel may have.
        (
            features(0xFF, 17),
            Told(["basic", "redirect", "ndo-xmit", "xsk-zerocopy", "hw-offload", "rx-sg", "ndo-xmit-sg", "bit-7"], 17),
        ),
        (bytes(4), Told([], 0)),
    ],
)
def test_features(answer, told):
    assert xdp.parse_device(answer) == told


@pytest.mark.parametrize(
    ("there", "told", "can", "reason"),
    [
        (True, Told(["basic", "xsk-zerocopy"], 1), True, "The driver ixgbe says that it has it"),
        (True, Told(["basic", "redirect"], 0), False, "its XDP features are basic, redirect."),
        (True, Told([], 0), False, "it has no XDP feature at all."),
        (True, None, None, "The kernel 5.14.0 does not tell (6.3 and later do)"),
        (False, Told(["xsk-zerocopy"], 1), False, "The kernel 5.14.0 has no AF_XDP"),
    ],
)
def test_zero_copy(there, told, can, reason):
    found = xdp.zero_copy(there, told, "ixgbe", "5.14.0")
    assert found[0] is can
    assert reason in found[1]


def bound(inode, ifindex, queue, flags=None):
    """struct xdp_diag_msg with XDP_DIAG_INFO and XDP_DIAG_UMEM, by linux/xdp_diag.h."""
    message = struct.pack("=BBHI2I", 44, 3, 0, inode, 5, 0) + attribute(1, struct.pack("=II", ifindex, queue))
    umem = struct.pack("=QIIIIIIII", 1 << 20, 1, 256, 4096, 0, ifindex, queue, flags or 0, 1)
    return message + (attribute(5, umem) if flags is not None else b"")


def test_sockets():
    answers = [bound(81, 4, 1, 1), bound(80, 4, 0, 0), bound(82, 5, 0, 1), bound(83, 0, 0), bound(84, 4, 2)]
    assert xdp.parse_sockets(answers, 4) == [Socket(0, 80, False), Socket(1, 81, True), Socket(2, 84, False)]


def test_who_has_a_socket(tmp_path):
    for pid, name, targets in ((12, "sender", ["socket:[80]", "/dev/null"]), (9, "parent", ["socket:[80]"])):
        folder = tmp_path / str(pid) / "fd"
        folder.mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
        for number, target in enumerate(targets):
            (folder / str(number)).symlink_to(target)
    (tmp_path / "13").mkdir()  # the process has gone, or is another user's
    found = xdp._described([Socket(0, 80, False), Socket(1, 81, True)], str(tmp_path))
    assert found == [
        {
            "queue": 0,
            "inode": 80,
            "zero_copy": False,
            "processes": [{"pid": 9, "name": "parent"}, {"pid": 12, "name": "sender"}],
        },
        {"queue": 1, "inode": 81, "zero_copy": True, "processes": []},
    ]
    assert xdp._described(None, str(tmp_path)) is None
    assert xdp._described([], str(tmp_path)) == []


@pytest.mark.parametrize(
    ("qdisc", "holders", "users", "has"),
    [
        ("mq", None, None, False),
        ("mq", [], 0, False),
        ("mq", ["e1000_netmap"], 1, False),
        ("mq", ["e1000_netmap"], 2, None),
        ("netmapemu", [], 1, True),
        ("netmap_generic", [], 1, True),
    ],
)
def test_netmap(tmp_path, qdisc, holders, users, has):
    if holders is not None:
        module = tmp_path / "sys/module/netmap"
        (module / "holders").mkdir(parents=True)
        (module / "refcnt").write_text(f"{users}\n")
        for name in holders:
            (module / "holders" / name).mkdir()
    assert xdp.has_netmap(qdisc, str(tmp_path)) is has


def test_a_kernel_that_tells_nothing(monkeypatch):
    class Old:
        def __init__(self, protocol):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

        def family(self, name):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

        def list(self, kind, payload):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(xdp, "Netlink", Old)
    assert xdp.features_of(1, Interface("lo")) is None
    assert xdp.sockets_of(1, Interface("lo")) is None

    def refuse(*given: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(Old, "list", refuse)
    with pytest.raises(PermissionError):
        xdp.sockets_of(1, Interface("lo"))


@pytest.mark.parametrize(("number", "there"), [(errno.EAFNOSUPPORT, False), (errno.EPERM, None)])
def test_a_socket_that_is_refused(monkeypatch, number, there):
    def refuse(*kind):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(xdp.socket, "socket", refuse)
    if there is None:
        with pytest.raises(TrafficgenError, match=r"no AF_XDP socket for this user.*Run the task as root"):
            xdp.has_af_xdp()
    else:
        assert xdp.has_af_xdp() is there


@pytest.fixture
def netns():
    name = f"tgxdp{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("cannot make a network namespace here")
    for words in (
        "tgx0 numtxqueues 3 numrxqueues 2 type veth peer name tgx1",
        "tgb0 numtxqueues 2 numrxqueues 2 type bridge",
    ):
        subprocess.run(["ip", "-n", name, "link", "add", *words.split()], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def ethtool_channels(netns, interface):
    said = subprocess.run(
        ["ip", "netns", "exec", netns, "ethtool", "-l", interface], capture_output=True, text=True, check=False
    ).stdout
    now = said.partition("Current hardware settings:")[2]
    return {name.lower(): int(value) for name, value in re.findall(r"(RX|TX|Combined):\s+(\d+)", now)}


def queue_folders(netns, interface):
    """/sys of the namespace itself."""
    said = subprocess.run(
        ["ip", "netns", "exec", netns, "ls", f"/sys/class/net/{interface}/queues"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {side: sum(name.startswith(f"{side}-") for name in said) for side in ("rx", "tx")}


@pytest.mark.parametrize("interface", ["tgx0", "tgb0"])
def test_it_says_what_other_programs_say(netns, interface):
    found = xdp.info(Interface(interface, netns))
    assert (found["interface"], found["netns"]) == (interface, netns)
    channels = ethtool_channels(netns, interface)
    assert {side: found["queues"][side] for side in ("rx", "tx")} == queue_folders(netns, interface)
    assert found["queues"]["combined"] == channels.get("combined", 0 if channels else None)
    assert (found["programs"], found["sockets"] or []) == ([], [])
    assert found["architecture_usable"] == (os.uname().machine == "x86_64")
    if found["xdp_features"] is None:
        assert found["zero_copy"] is None
    else:
        assert found["xdp_features"] == (["basic", "redirect", "rx-sg"] if interface == "tgx0" else [])
        assert found["zero_copy"] is False


def bpf(command, attributes):
    """bpf(2); a descriptor."""
    memory = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(321, command, memory, 128)
    if descriptor < 0:
        pytest.skip(f"bpf(2): {os.strerror(ctypes.get_errno())}")
    return descriptor


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of bpf(2) is x86_64's")
def test_a_program_that_is_there(netns):
    let_pass = ctypes.create_string_buffer(bytes.fromhex("b700000002000000 9500000000000000"))  # r0 = XDP_PASS; exit
    program_type, instructions, license = 6, ctypes.addressof(let_pass), ctypes.create_string_buffer(b"GPL")
    program = bpf(5, struct.pack("=IIQQ", program_type, 2, instructions, ctypes.addressof(license)))
    port = Interface("tgx0", netns)
    with inside(netns):
        # A link of the kind xdp, in the kernel behind the driver: it is there for as long as its descriptor is.
        link = bpf(28, struct.pack("=IIII", program, socket.if_nametoindex("tgx0"), 37, 2))
    try:
        [shown] = json.loads(
            subprocess.run(
                ["ip", "-n", netns, "-j", "-d", "link", "show", "tgx0"], capture_output=True, check=True
            ).stdout
        )
        assert xdp.info(port)["programs"] == [{"mode": "generic", "id": shown["xdp"]["prog"]["id"]}]
    finally:
        os.close(link)
        os.close(program)
    assert xdp.info(port)["programs"] == []


def test_an_interface_that_is_not_there(netns):
    with pytest.raises(TrafficgenError, match=r"tgx9: no such interface in network namespace .*Did you mean"):
        xdp.info(Interface("tgx9", netns))


def test_af_xdp_is_what_a_socket_says():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try:
        socket.socket(44, socket.SOCK_RAW).close()
        there = True
    except OSError:
        there = False
    assert xdp.has_af_xdp() is there
