# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import subprocess

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap import opened as _opened_pcaps

CONTENT = b"what was looked at" * 100


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(CONTENT)
    with contextlib.ExitStack() as stack:
        yield path, _opened_pcaps.open_pcaps([str(path)], stack)[0]


SHA256 = hashlib.sha256(CONTENT).hexdigest()


def replaced(path):
    path.with_suffix(".new").write_bytes(b"other")
    path.with_suffix(".new").rename(path)


@pytest.mark.parametrize(
    "happens", [lambda path: None, lambda path: path.unlink(), replaced, lambda path: path.chmod(0o600)]
)
def test_the_very_file_is_read_whatever_becomes_of_its_name(opened, happens):
    path, pcap = opened
    happens(path)
    for _pass in range(2):
        read = subprocess.run(["cat", pcap.word], pass_fds=[pcap.file.fileno()], check=True, capture_output=True).stdout
        assert read == CONTENT
    assert pcap.altered(SHA256) is None


def in_place(path):
    with path.open("r+b") as file:
        file.write(b"W")


def in_place_and_dated_back(path):
    before = path.stat()
    in_place(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def copied_over(path):
    shutil.copyfile("/dev/null", path)
    path.write_bytes(CONTENT)  # the same again, but not all of the time


@pytest.mark.parametrize("happens", [in_place, in_place_and_dated_back, copied_over, lambda path: os.truncate(path, 7)])
def test_a_file_that_is_written_to_is_told(opened, happens):
    path, pcap = opened
    happens(path)
    with pytest.raises(TrafficgenError, match=r"a\.pcap: was written to after it was checked.*rename that"):
        raise pcap.altered(SHA256)


def test_what_tcpreplay_prints_has_the_paths(opened):
    path, pcap = opened
    said = f"Unable to open {pcap.word}, {pcap.word}9, /proc/self/fd/0"
    assert _opened_pcaps.with_paths(said, [pcap]) == f"Unable to open {path}, {pcap.word}9, /proc/self/fd/0"


def test_as_many_as_tcpreplay_takes(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("the limit of open files cannot be raised so far here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        with contextlib.ExitStack() as stack:
            assert len(_opened_pcaps.open_pcaps([str(path)] * 1024, stack)) == 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
