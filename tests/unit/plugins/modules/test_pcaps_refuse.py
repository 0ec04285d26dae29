# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules pcap and pcap_info find in files, and their errors for what they cannot read or write."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.modules import pcap, pcap_info

TARGETS = Path(__file__).resolve().parents[3] / "integration/targets"
FIGURES = yaml.safe_load((TARGETS / "pcap_info/defaults/main.yml").read_text())["pcap_info_files"]
SCAN = {"preset": "tcp_port_scan"}


@pytest.fixture
def folder(tmp_path):
    """The files of the target pcap_info, and what can be made of them."""
    shutil.copytree(TARGETS / "pcap_info/files", tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / "little_endian_us.pcap").read_bytes()
    for name, content in {
        "header_alone.pcap": whole[:24],
        "short.pcap": whole[:10],
        "truncated.pcap": whole[:200],
        "little_endian_us.pcap.gz": gzip.compress(whole),
        "empty.pcap": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    return tmp_path


@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: figures["file"])
def test_what_capinfos_says(ask, folder, figures):
    path = str(folder / figures["file"])
    found = ask(pcap_info, path=path)
    assert not found["changed"]
    assert found["pcap_info"]["path"] == path
    assert {name: found["pcap_info"][name] for name in figures["expected"]} == figures["expected"]


def test_flows_are_left_out_where_nobody_asks(ask, folder):
    path = str(folder / "kinds.pcap")
    found = ask(pcap_info, path=path, flows=False, _ansible_check_mode=True)["pcap_info"]
    assert {**found, "flows": 9} == ask(pcap_info, path=path)["pcap_info"]
    assert found["flows"] is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "corrupt.pcap",
            "the record header at byte offset 104 (good packets before it: 1) claims a frame of 4294967295 bytes",
        ),
        (
            "truncated.pcap",
            "it ends at byte offset 200, within a record header of 16 bytes; "
            "the record that is cut off starts at byte offset 198",
        ),
        ("short.pcap", "it ends at byte offset 10, within the file header"),
        ("empty.pcap", "is empty: 0 bytes"),
        ("pcapng.pcapng", "is a pcapng file, not a classic pcap. Convert it first: `editcap -F nsecpcap IN OUT`"),
        ("modified.pcap", "modified format"),
        ("little_endian_us.pcap.gz", "is compressed by gzip. Unpack it first"),
        ("fifo", "is a FIFO, not a regular file"),
        ("missing.pcap", "no such file"),
        (".", "is a directory, not a regular file"),
        ("zero", "is a character device, not a regular file"),
    ],
)
def test_what_is_no_pcap(refusal, folder, name, message):
    path = f"{folder}/{name}"
    said = refusal(pcap_info, path=path)
    assert said.startswith(path)
    assert message in said


# The exact words are the tests' of what reads a spec; here it is that the module tells them, and touches nothing.
@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ([{"layers": ["Ether", "Ipp"]}], "Scapy has no layer 'Ipp'. Did you mean IP"),
        ([{"layers": ["Ether", {"IP": {"srcc": "198.18.0.1"}}]}], "IP has no field 'srcc'. Did you mean src?"),
        ([{"layers": ["Ether", "IP", {"UDP": {"dport": 65536}}]}], "UDP.dport: 65536 is out of the field's range"),
        ([{"layers": ["Ether", "IP", {"UDP": {"dport": "9-5"}}]}], "the range '9-5' is empty"),
        ([{"layers": ["Ether", "IP", "UDP", {"DNS": {"qd": "a.example"}}]}], "'a.example' is not a packet"),
        ([{"layers": ["Ether", "IP", "UDP", "GTPHeader"]}], "Name the module too: gtp.GTPHeader or gtp_v2.GTPHeader"),
        (
            [
                {
                    "layers": ["Ether", "IP", {"UDP": {"sport": "1-2", "dport": "1-3"}}],
                    "together": [["UDP.sport", "UDP.dport"]],
                }
            ],
            "UDP.sport has 2, UDP.dport has 3 values",
        ),
        ([{**SCAN, "seed": 1}], "seed is given, but fill is zeros"),
        ([{**SCAN, "size": 40}], "smaller than the headers"),
        ([{**SCAN, "size": 65536}], "65536 bytes is out of range"),
        ([{**SCAN, "count": 0}], "count is 0"),
        ([{**SCAN, "count": 10**15}], "does not fit there"),
        # 2^32 combinations of two subnets
        (
            [{**SCAN, "count": 1}, {"layers": ["Ether", {"IP": {"src": "10.0.0.0/16", "dst": "10.1.0.0/16"}}]}],
            "GB or more, as each combination of the values that vary is a frame. Give a count (streams[1])"
            ", or set allow_large: true.",
        ),
        ([], "no streams"),
        ([{"size": 64}], "one of the following is required: preset, layers"),
    ],
)
def test_a_bad_spec(refusal, tmp_path, check_mode, streams, message):
    pytest.importorskip("scapy")
    assert message in refusal(pcap, path=str(tmp_path / "bad.pcap"), streams=streams, _ansible_check_mode=check_mode)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "message"), [("", "is a directory"), ("/nowhere/scan.pcap", "no such folder")])
def test_a_place_where_no_file_can_be(refusal, tmp_path, name, message):
    pytest.importorskip("scapy")
    assert message in refusal(pcap, path=f"{tmp_path}{name}", streams=[SCAN])
    assert list(tmp_path.iterdir()) == []


# The length of the second one's file is not known beforehand, since its payload has several.
@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (SCAN, "does not fit there"),
        ({"layers": ["Ether", "IP", {"UDP": {"dport": "1-9999"}}, {"Raw": {"load": ["a", "bb"]}}]}, "No space left"),
    ],
)
def test_a_full_disk_keeps_the_file_that_is_there(refusal, tmp_path, stream, message):
    pytest.importorskip("scapy")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        old = tmp_path / "scan.pcap"
        old.write_text("the old file")
        assert message in refusal(pcap, path=str(old), streams=[stream])
        assert list(tmp_path.iterdir()) == [old]
        assert old.read_text() == "the old file"
    finally:
        subprocess.run(["umount", tmp_path], check=True)
