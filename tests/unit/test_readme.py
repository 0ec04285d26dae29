# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README as Galaxy and Automation Hub show it, away from the repository: its sections, and links that work there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))


def test_it_has_the_sections_that_automation_hub_asks_for():
    # https://docs.ansible.com/projects/partner-certification-requirements/readmes/ and Red Hat's template for READMEs
    found = re.findall(r"^## (.*)", README, re.MULTILINE)
    assert found == [
        "Description",
        "Requirements",
        "Installation",
        "Use Cases",
        "Testing",
        "Contributing",
        "Support",
        "Release Notes and Roadmap",
        "Related Information",
        "License Information",
    ]
    assert "pip install ansible" not in README


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)\s]+)\)", README))
def test_a_link_is_a_full_address_and_one_of_ours_leads_to_a_page(link):
    assert link.startswith("https://"), "a relative link leads nowhere on Galaxy's page"
    ours = [GALAXY[key] for key in ("documentation", "repository", "issues", "homepage")]
    if ".example" in link:
        assert any(link.startswith(address) for address in ours), f"galaxy.yml has other addresses: {ours}"
    if link.startswith(GALAXY["documentation"]):
        page = link.removeprefix(GALAXY["documentation"]).partition("#")[0]
        assert (ROOT / page.strip("/")).with_suffix(".md").is_file()


def test_the_version_is_typed_once():
    version = re.compile(rf"trafficgen[-: =]+v?{re.escape(GALAXY['version'])}")
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]
    assert [page.name for page in pages if version.search(page.read_text(encoding="utf-8"))] == []


def test_every_module_and_filter_is_in_a_table():
    names = {path.stem for room in ("modules", "filter") for path in (ROOT / "plugins" / room).glob("*.py")}
    assert {name for name in names if f"`{name}`" not in README} == set()
