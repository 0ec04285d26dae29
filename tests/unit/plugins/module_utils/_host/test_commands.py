# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host import commands


@pytest.mark.parametrize(
    ("path", "first"),
    [("/usr/sbin:/usr/bin", "local"), ("system:local", "system"), ("local:system", "local"), ("system", "local")],
)
def test_usr_local_goes_first_where_path_leaves_it_out(monkeypatch, tmp_path, path, first):
    # sudo's secure_path on EL, for one
    monkeypatch.setattr(commands, "_LOCAL_PATH", (str(tmp_path / "local"),))
    for folder in ("local", "system"):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "trafficgen-program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv(
        "PATH", path.replace("local", str(tmp_path / "local")).replace("system", str(tmp_path / "system"))
    )
    assert commands.find_executable("trafficgen-program") == str(tmp_path / first / "trafficgen-program")


def test_names_that_are_no_namespace_are_refused():
    for name in ("", "-x", "../../tmp", ".", "a/b"):
        with pytest.raises(TrafficgenError, match="not a name of a network namespace"):
            commands.in_netns(["true"], name)
    with pytest.raises(TrafficgenError, match="no such network namespace"):
        commands.in_netns(["true"], "there-is-none-of-this-name")
