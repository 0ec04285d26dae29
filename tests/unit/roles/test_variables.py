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


# How a task may use a variable that is no text: converted as Ansible's argument specs do, or asked whether there is
# one.
_CONVERTED = r"{name} (?:\| default\([^|]*\) )?\| wirespeed\.trafficgen\.as_type\('{type}'\)|{name} is (?:not )?none"
# Keys whose text is for people
_WORDS = ("fail", "fail_msg", "msg", "name", "label", "success_msg", "remedy")


def used_in(node: object, key: str = "") -> list[str]:
    """The texts of a YAML tree that Ansible works with."""
    if isinstance(node, dict):
        return [text for name, value in node.items() for text in used_in(value, str(name))]
    if isinstance(node, list):
        return [text for value in node for text in used_in(value, key)]
    return [] if key in _WORDS or not isinstance(node, str) else [node]


def expressions() -> dict[str, list[str]]:
    """All texts with expressions in roles and playbooks, by file."""
    found = {}
    for path in [*ROLES.glob("*/*/*.*"), *ROLES.parent.glob("playbooks/**/*.*")]:
        text = path.read_text()
        if path.parent.name in ("tasks", "vars", "handlers", "playbooks"):
            found[str(path.relative_to(ROLES.parent))] = used_in(yaml.safe_load(text))
        elif path.suffix == ".j2":
            found[str(path.relative_to(ROLES.parent))] = re.findall(r"\{[{%].*?[%}]\}", text, re.DOTALL)
    return found


def typed_options() -> list[tuple[str, str]]:
    """The variables of all roles that are a boolean, a number or a list of words. Ansible itself refuses the text of a
    list of others."""
    return [
        (name, option["type"])
        for role in NAMES
        for name, option in options(role).items()
        if option["type"] in ("bool", "int", "float") or (option["type"] == "list" and option["elements"] != "dict")
    ]


@pytest.mark.parametrize(("name", "of_type"), typed_options())
def test_a_variable_given_as_text_is_converted_where_it_is_used(name: str, of_type: str) -> None:
    """``-e name=false`` hands on the text ``false``, which is true, unless each use converts it."""
    wrong = [
        f"{path}: {text.strip()}"
        for path, texts in expressions().items()
        for text in texts
        if re.search(rf"(?<![.\w]){name}\b(?! *:)", re.sub(_CONVERTED.format(name=name, type=of_type), "", text))
    ]
    assert wrong == []


def test_the_typed_variables_are_found() -> None:
    """The test above would pass if it looked at none of them."""
    assert len(typed_options()) > 25
    assert any("tcpreplay_netmap" in text for texts in expressions().values() for text in texts)


def conditions_in(node: object) -> list[str]:
    """What stands as a condition in a YAML tree of tasks."""
    if isinstance(node, list):
        return [text for value in node for text in conditions_in(value)]
    if not isinstance(node, dict):
        return []
    found = [text for value in node.values() for text in conditions_in(value)]
    for key in ("when", "failed_when", "changed_when", "that", "until"):
        value = node.get(key, [])
        found += [
            text
            for text in (value if isinstance(value, list) else [value])
            if isinstance(text, str) and "{{" not in text
        ]
    return found


@pytest.mark.parametrize(
    "path",
    [*ROLES.glob("*/tasks/*.yml"), *ROLES.parent.glob("playbooks/*.yml")],
    ids=lambda path: f"{path.parents[1].name}/{path.name}",
)
def test_conditions_are_what_ansible_core_2_14_can_read(path: Path) -> None:
    """It puts a condition into ``{% if … %}``, in which a bare ``a if b else c`` does not parse; later ones take it as
    an expression."""
    environment = pytest.importorskip("jinja2").Environment(autoescape=True)
    for text in conditions_in(yaml.safe_load(path.read_text())):
        environment.parse("{% if " + text + " %}True{% endif %}")
