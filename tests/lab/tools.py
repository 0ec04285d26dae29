# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab's images and guests are kept, and what every part of it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("TRAFFICGEN_LAB_CACHE") or HERE.parent.parent / ".cache" / "lab")
GUESTS = CACHE / "guests"
KEY = CACHE / "key"


class LabError(Exception):
    pass


def run(*argv: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], check=True, text=True, **options)


def need(program: str, package: str) -> str:
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise LabError(f"{program} is missing. Install {package}.")
    return found


def guests() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(GUESTS.glob("*/guest.json"))]
