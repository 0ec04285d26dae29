# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/promises.md names tests: each is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/promises.md"
WHERE = {
    "unit": ROOT / "tests/unit/plugins/module_utils",
    "controller": ROOT / "tests/unit/plugins/plugin_utils",
    "molecule": ROOT / "extensions/molecule/throughput",
    "modules": ROOT / "tests/unit/plugins/modules",
    "roles": ROOT / "tests/unit/roles",
    "guest": ROOT / "extensions/molecule/guest",
    "target": ROOT / "tests/integration/targets",
}


def rows():
    """The second column of each table's rows."""
    found = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [
        cells[2].strip()
        for cells in found
        if len(cells) == 4 and not set(cells[2]) <= set("- ") and cells[2].strip() != "proven by"
    ]


@pytest.mark.parametrize("row", rows())
def test_each_promise_names_tests_that_are_there(row):
    assert row
    faults = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/faults").glob("*.py"))
    for part in row.split(";"):
        place = part.split()[0]
        for name in re.findall(r'"([^"]+)"', part):
            assert f'"{name}"' in faults, name
        folder = WHERE.get(place)
        files: list[Path] = []
        for name in re.findall(r"`([^`]+)`", part):
            if name.startswith("./run"):
                assert name.split()[1] in (ROOT / "run").read_text(encoding="utf-8"), name
                continue
            file, _colons, function = name.rpartition("::")
            if function.startswith("test_") and not function.endswith(".py"):
                files = [folder / file] if file else files
                assert f"def {function}(" in files[0].read_text(encoding="utf-8"), name
            elif folder is not None:
                files = [folder / name] if not files or place != "target" else [files[0] / "tasks" / name]
                assert files[0].exists(), name
            else:
                assert (ROOT / name).exists() or f"{name}" in (ROOT / "tests/stages.sh").read_text(encoding="utf-8"), (
                    name
                )
