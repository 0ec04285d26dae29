# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab guest's ports, without QEMU."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest


@pytest.fixture
def ports(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "lab"))
    import ports

    yield ports
    for name in ("ports", "tools"):
        sys.modules.pop(name, None)


@pytest.fixture
def qemu(tmp_path):
    """Says what QEMU 7.2 does: an unknown device is named on stderr, with exit status 0."""
    program = tmp_path / "qemu"
    program.write_text(
        "#!/bin/sh\n"
        "case $* in\n"
        "*--version*) echo 'QEMU emulator version 7.2.22 (Debian)' ;;\n"
        "*igb,help*) echo \"Device 'igb' not found\" >&2 ;;\n"
        "*,help*) echo 'options:' ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return str(program)


def test_a_qemu_without_the_model_is_refused_with_the_remedy(ports, qemu):
    with pytest.raises(ports.LabError, match=r"is QEMU 7\.2\.22, which has no igb .*TRAFFICGEN_LAB_QEMU"):
        ports.check_model(qemu, "igb")
    ports.check_model(qemu, "vmxnet3")


def test_a_qemu_that_is_no_program_is_refused(ports, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRAFFICGEN_LAB_QEMU", str(tmp_path / "file"))
    with pytest.raises(ports.LabError, match="no program"):
        ports.find_qemu()


def test_the_virtual_functions_of_one_igb_leave_the_other_s_slot_alone(ports):
    taken = [int(slot, 16) for slot in re.findall(r"addr=(0x\w+)", " ".join(ports.arguments("igb", [])))]
    reserved = [slot + more for slot in taken[1:] for more in (0, 16, 17)]
    assert len({*taken, *reserved}) == len(taken) + 4
    assert max(reserved) < 0x1F  # q35's own


def test_e1000_is_plugged_in_where_the_documentation_says(ports):
    argv = " ".join(ports.arguments("e1000", []))
    assert "e1000,netdev=tg0,mac=02:00:00:00:10:01,addr=0x10" in argv
    assert "-M" not in argv.split()


def test_virtio_has_each_of_its_queues(ports):
    argv = " ".join(ports.arguments("virtio", [[10, 11, 12, 13], [14, 15, 16, 17]]))
    assert "tap,id=tg1,vhost=off,fds=14:15:16:17" in argv
    assert "mq=on,iommu_platform=on,disable-legacy=on,netdev=tg1" in argv
    assert argv.count("vectors=10") == 2
