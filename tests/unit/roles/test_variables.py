# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role says in three places which variables it takes and what they are by default: they must agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROLES = Path(__file__).parents[3] / "roles"
NAMES = sorted(folder.name for folder in ROLES.iterdir() if (folder / "defaults").is_dir())

# | `netmap_version` | `89607e1406…` | What it is. |
_ROW = re.compile(r"^\| `(\w+)` +\| `(.+?)` +\| (.+) \|$", re.MULTILINE)


def defaults(role: str) -> dict[str, Any]:
    """What the role runs with."""
    return dict(yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()))


def options(role: str) -> dict[str, dict[str, Any]]:
    """What its variables are checked against."""
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())
    return dict(specs["argument_specs"]["main"]["options"])


def table(role: str) -> dict[str, Any]:
    """What its README tells the user."""
    return {
        name: yaml.safe_load(default.replace("\\|", "|"))
        for name, default, _meaning in _ROW.findall((ROLES / role / "README.md").read_text())
    }


def test_there_are_roles() -> None:
    assert NAMES


@pytest.mark.parametrize("role", NAMES)
def test_argument_specs_have_the_defaults(role: str) -> None:
    assert {name: option.get("default") for name, option in options(role).items()} == defaults(role)


@pytest.mark.parametrize("role", NAMES)
def test_readme_has_the_defaults(role: str) -> None:
    assert table(role) == defaults(role)


@pytest.mark.parametrize("role", NAMES)
def test_variables_carry_the_role_s_name(role: str) -> None:
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", NAMES)
def test_every_default_is_explained(role: str) -> None:
    """Each has a comment just above it, or shares that of the one above."""
    lines = (ROLES / role / "defaults/main.yml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(rf"{role}_\w+:", line):
            above = lines[number - 1]
            assert above.startswith(("# ", f"{role}_")) and "SPDX" not in above, f"{line} is not explained"
