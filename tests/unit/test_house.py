# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the house: which room may use which, how large a room and a file may grow, one name for one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
CODE = sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)
# Each room uses those that stand before it, never one that stands behind it. What names an interface and a namespace
# is for all.
ROOMS = [
    "_host",
    "_nic",
    "_external",
    "_netmap",
    "_counters",
    "_marks",
    "_traffic",
    "_pcap",
    "_replay",
    "_xdp",
    "_tcpreplay",
]
MOST_FILES, MOST_LINES = 14, 450
LONGER = {
    "plugins/modules/tcpreplay.py": "its documentation: Ansible wants it in the module's own file",
}


def room_of(name: str) -> str | None:
    found = re.search(r"module_utils[./](_[a-z]+)[./]", name + "/")
    return found[1] if found and found[1] in ROOMS else None


@pytest.mark.parametrize("path", [path for path in CODE if room_of(str(path))], ids=lambda path: path.name)
def test_a_room_uses_no_room_behind_it(path):
    own = ROOMS.index(room_of(str(path)))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and room_of(node.module or "") and not node.module.endswith("._nic.names"):
            assert ROOMS.index(room_of(node.module)) <= own, f"line {node.lineno}: {node.module}"


def test_one_engine_knows_nothing_of_another():
    for path in CODE:
        if room_of(str(path)) == "_xdp":
            assert "module_utils._tcpreplay" not in path.read_text(encoding="utf-8"), path


def test_a_filter_s_file_loads_no_room():
    """Ansible loads them all, in each task that uses one of them."""
    for path in (PLUGINS / "filter").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and "wirespeed" in (node.module or ""):
                assert node.module.rpartition(".")[2] in ("_errors", "_filter"), f"{path.name}, line {node.lineno}"


def test_what_speaks_http_is_loaded_where_it_is_used():
    """A module's start takes a fourth longer with it, and in most runs nothing is fetched."""
    for path in (PLUGINS / "modules").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            assert not (isinstance(node, ast.ImportFrom) and node.module == "ansible.module_utils.urls"), path.name


def test_no_room_is_too_full():
    files = defaultdict(list)
    for path in [*CODE, *(ROOT / "tests" / "unit").rglob("test_*.py")]:
        if path.parent not in (PLUGINS / "filter", PLUGINS / "modules"):  # Ansible wants a file for each
            files[path.parent].append(path.name)
    assert {str(folder): len(names) for folder, names in files.items() if len(names) > MOST_FILES} == {}


def test_no_file_is_too_long():
    long = {}
    for path in CODE:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            long[path.relative_to(ROOT).as_posix()] = lines
    assert set(long) == set(LONGER), long


def test_a_class_s_name_is_one_thing():
    homes = defaultdict(set)
    for path in CODE:
        if "_utils" in path.parent.as_posix():
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    homes[node.name].add(path.relative_to(PLUGINS).as_posix())
    assert {name: sorted(files) for name, files in homes.items() if len(files) > 1} == {}


def test_a_function_s_name_is_one_thing_in_its_room():
    for folder in {path.parent for path in CODE if "_utils" in path.parent.as_posix()}:
        homes = defaultdict(list)
        for path in folder.glob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef):
                    homes[node.name].append(path.name)
        assert {name: files for name, files in homes.items() if len(files) > 1} == {}, folder


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "unit").rglob("*.py")), ids=lambda path: path.name)
def test_what_is_imported_keeps_its_name_where_that_is_free(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [one for node in imports for one in node.names]
    ours = [one for node in imports if "wirespeed" in getattr(node, "module", "") for one in node.names]
    taken = {node.id for node in nodes if isinstance(node, ast.Name)} | {one.asname or one.name for one in names}
    taken |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    taken |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert [one.asname for one in ours if one.asname and one.name not in taken] == []


def test_the_formatter_has_no_exception():
    mark = "fmt" + ": "
    for path in [*CODE, *(ROOT / "tests").rglob("*.py")]:
        assert not re.search(rf"# {mark}(skip|off)", path.read_text(encoding="utf-8")), path


def test_an_example_in_the_background_is_none_in_check_mode():
    # ansible-core up to 2.16: "check mode and async cannot be used on same task"
    pages = [*(PLUGINS / "modules").glob("*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]
    pages += [*ROOT.glob("examples/**/*.yml"), *ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/**/*.yml")]
    tasks = [
        (page.name, task)
        for page in pages
        for task in re.split(r"\n *\n| *```", page.read_text(encoding="utf-8"))
        if re.search(r"(?m)^ *async: ", task)
    ]
    assert len(tasks) >= 2
    assert [name for name, task in tasks if "when: not ansible_check_mode" not in task] == []
