# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles netmap and tcpreplay say of a make that failed: its reason, wherever in the output that stands.

The outputs are those of gcc 12, binutils 2.40, GNU make 4.3, and of the build of a module on Debian's headers of 6.12.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.build import REASONS, failed_step

jinja2 = pytest.importorskip("jinja2")
core = pytest.importorskip("ansible.plugins.test.core")
filters = pytest.importorskip("ansible.plugins.filter.core")

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = ROOT / "tests/fixtures/make"
FOUND = {
    "undeclared": "undeclared.c:1:21: error: implicit declaration of function 'g'",
    "header": "header.c:1:10: fatal error: pcap_no_such.h: No such file or directory",
    "undefined_reference": "undefref.c:(.text+0x5): undefined reference to `q'",
    "syntax": "syntax.c:2:12: error: storage size of 'x' isn't known",
    "warnings": "warn.c:1:31: error: suggest parentheses around assignment used as truth value",
    "no_program": "make: pahole: No such file or directory",
    "no_library": "/usr/bin/ld: cannot find -lnosuchlib: No such file or directory",
    "modpost": 'ERROR: modpost: "no_such_symbol" [/build/hello/hello.ko] undefined!',
    "pahole": "/bin/sh: 1: pahole: not found",
    "assembler": "bad.s:1: Error: no such instruction: `foo %rax'",
    "several": "error: ",
}


def said_of_tcpreplay(output: str, many: int = 0) -> str:
    """The role's message, with so many lines of warnings after the output."""
    tasks = yaml.safe_load((ROOT / "roles/tcpreplay/tasks/build.yml").read_text())[0]["rescue"][0]
    environment = jinja2.Environment(autoescape=False)
    environment.filters["flatten"] = filters.flatten
    environment.tests["search"] = core.TestModule().tests()["search"]
    lines = output.splitlines() + [f"other.c:{number}: warning: of another job" for number in range(many)]
    known = {
        "ansible_failed_result": {"stdout_lines": ["gcc -c y.c"], "stderr_lines": lines, "msg": "non-zero return code"},
        "ansible_failed_task": {"name": "Make"},
        **yaml.safe_load((ROOT / "roles/tcpreplay/vars/main.yml").read_text()),
    }
    for name, text in tasks["vars"].items():
        known[name] = environment.compile_expression(text.strip()[2:-2])(**known)
    return environment.from_string(tasks["ansible.builtin.fail"]["msg"]).render(**known)


def test_every_output_has_its_reason():
    assert sorted(FOUND) == sorted(path.stem for path in OUTPUTS.glob("*.txt"))


@pytest.mark.parametrize(("name", "reason"), FOUND.items())
def test_netmap(name, reason):
    said = str(failed_step("make", "5.14.0-1.el9_7", OUTPUTS / f"{name}.txt"))
    first = said.partition("5.14.0-1.el9_7: ")[2].partition(" | ")[0]
    assert reason in first
    assert said.endswith(f"All of it is in {OUTPUTS / name}.txt.")


@pytest.mark.parametrize("many", [0, 40])
@pytest.mark.parametrize(("name", "reason"), FOUND.items())
def test_tcpreplay(name, reason, many):
    said = said_of_tcpreplay((OUTPUTS / f"{name}.txt").read_text(), many)
    assert said.count(reason) == 1 or name == "several"
    assert reason in said.splitlines()[2]


def test_what_has_no_known_reason_is_shown_as_it_ends(tmp_path):
    log = tmp_path / "make.log"
    log.write_text("cc -c x.c\nexit 3\nmake: *** [Makefile:1: a] Error 3\n")
    assert str(failed_step("make", "6.1", log)) == (
        f"make of netmap failed for kernel 6.1: make: *** [Makefile:1: a] Error 3. All of it is in {log}."
    )
    end = "gcc -c y.c\ncc -c x.c\nexit 3\nmake: *** [Makefile:1: a] Error 3\n"
    assert f"non-zero return code\n{end}" in said_of_tcpreplay(log.read_text())


def test_what_only_looks_like_a_reason():
    for line in (
        "checking for strlcpy... not found",
        "cc -Werror=implicit-function-declaration -c error.c",
        "cc1: some warnings being treated as errors",
        "test -e x || echo not found",
        "make[2]: *** [Makefile:64: x.ko] Error 127",
    ):
        assert not re.search("|".join(REASONS), line)


def test_both_roles_look_for_the_same():
    variables = yaml.safe_load((ROOT / "roles/tcpreplay/vars/main.yml").read_text())
    assert variables["__tcpreplay_reason_patterns"] == list(REASONS)
