# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host import files


def test_a_small_file_is_read(tmp_path):
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_bytes(b" e1000\xff\n")
    assert (files.read_text(there), files.read_bytes(there)) == ("e1000\ufffd", b" e1000\xff\n")
    assert (files.read_text(missing), files.read_bytes(missing), files.sha256(missing)) == ("", None, "")
    there.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert files.sha256(there) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_a_process_has_open(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert str(tmp_path / "file") in files.open_files("/proc/self")
    assert file.name not in files.open_files("/proc/self")
    assert (files.open_files(tmp_path), files.entries(tmp_path), files.entries(tmp_path / "no")) == ([], ["file"], [])


@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_a_file_is_written_whole_and_through_no_link(tmp_path, mode):
    path, stranger = tmp_path / "file", tmp_path / "stranger"
    stranger.write_bytes(b"his")
    (tmp_path / ".file.new").symlink_to(stranger)
    files.write_whole(path, b"ours", mode, sync=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o7777, stranger.read_bytes()) == (b"ours", mode, b"his")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "stranger"]


def test_what_cannot_be_put_in_place_leaves_the_old_one(tmp_path):
    folder = tmp_path / "folder"
    (folder / "in it").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        files.write_whole(folder, b"ours")
    assert folder.is_dir()
