# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print which words are not in a result and its reports as they were printed.

Its arguments: the folder, the word, and the names in it.
"""

from __future__ import annotations

import html
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def texts(value):
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def main() -> None:
    folder, words = Path(sys.argv[1]), [sys.argv[2].replace("NAME", name) for name in sys.argv[3:]]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    read = {
        "result.json": list(texts(result)),
        "report.html": [html.unescape((folder / "report.html").read_text(encoding="utf-8"))],
        # A backslash before what would else be a mark of Markdown's.
        "report.md": [html.unescape((folder / "report.md").read_text(encoding="utf-8")).replace("\\", "")],
        "junit.xml": [
            text for one in ET.parse(folder / "junit.xml").iter() for text in [*one.attrib.values(), one.text or ""]
        ],
    }
    # JUnit has only what failed.
    failed = [*(one["error"] or "" for one in result["trials"]), *(one["reason"] for one in result["searches"])]
    for word in words:
        for name, said in read.items():
            wanted = name != "junit.xml" or any(word in text for text in failed)
            if wanted and not any(word in text for text in said):
                print(f"{name}: no {word}")


main()
