# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the site of "./run docs": the guides as they are, and antsibull-docs' pages of the plugins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes

project = "wirespeed.trafficgen"
copyright = "the wirespeed.trafficgen developers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_use_index = False
html_copy_source = False
pygments_style = "ansible"
myst_heading_anchors = 4
default_role = "any"
nitpicky = True

# Where antsibull-docs' pages lead in Ansible's own documentation. Sphinx could ask for that, but has no network here.
_ANSIBLE = "https://docs.ansible.com/ansible/latest/"
_LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "ansible_collections.ansible.builtin.command_module": "collections/ansible/builtin/command_module.html",
}


def _ansible_s_own(_app: Any, _env: Any, reference: Any, text: Any) -> nodes.reference | None:
    """The link for a label of Ansible's documentation. None for any other, which Sphinx then reports."""
    page = _LABELS.get(reference.get("reftarget"))
    return nodes.reference("", "", text, internal=False, refuri=_ANSIBLE + page) if page else None


# README leads to this site from elsewhere. Here it is a page of it, and its links are looked at as the others are.
_SITE = yaml.safe_load(Path(__file__).with_name("galaxy.yml").read_text(encoding="utf-8"))["documentation"]


def _links_within(_app: Any, name: str, source: list[str]) -> None:
    if name == "README":
        source[0] = re.sub(rf"{re.escape(_SITE)}/([\w/-]+)\.html", r"\1.md", source[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _links_within)
    app.connect("missing-reference", _ansible_s_own)
