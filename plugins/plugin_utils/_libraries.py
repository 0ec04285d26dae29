# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python libraries that some requests need on the controller. The role looks for them before the first trial."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# The name to import, which is also pip's, and what it is for.
LIBRARIES = {
    "jmespath": "criteria and queries",
    "junitparser": "JUnit XML",
    "MLRsearch": "the search for the largest rate",
    "pygal": "the charts of the HTML report; Markdown needs no library",
}


def require(name: str) -> Any:
    """The library ``name``, imported; else an error that says what it is for and how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise _missing([name], said=str(error)) from None


def require_all(names: list[str]) -> None:
    """Raise :class:`TrafficgenError` if some of the libraries are not there, naming all of them. Nothing is
    imported."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    if absent:
        raise _missing(absent)


def _missing(names: list[str], said: str = "") -> TrafficgenError:
    """The error for libraries that are not there."""
    wanted = " and ".join(f"{name} (for {LIBRARIES[name]})" for name in names)
    return TrafficgenError(
        f"missing on the controller: the Python {'library' if len(names) == 1 else 'libraries'} {wanted}",
        said=said,
        remedy=f"Install it where ansible-core is: `pip install {' '.join(names)}`.",
    )
