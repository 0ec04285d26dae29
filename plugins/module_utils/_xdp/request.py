# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run through AF_XDP is asked to do: its own parameters checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.receive import Expected, read_expected
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import positive
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import (
    Request,
    check_lowest,
    parse_shared,
)


@dataclass(frozen=True)
class XdpRequest(Request):
    """One run through AF_XDP. ``workers``: None for as many as the port and the host allow. ``mode``: one of
    ``zero_copy.MODES``."""

    mode: str
    workers: int | None
    burst: int | None
    marks: Expected | None


def parse_request(params: Mapping[str, Any], online: frozenset[int] = frozenset()) -> XdpRequest:
    """Check the module's parameters, each on its own and one against the other.

    :param online: the host's CPUs.
    :raises TrafficgenError: naming the parameter.
    """
    shared = parse_shared(params, online)
    check_lowest(params, {"burst": 1})
    if params["duration"] is not None:
        positive(params["duration"], "duration")
    workers = params["workers"].strip()
    if workers != "auto" and not re.fullmatch(r"0*[1-9][0-9]{0,3}", workers):
        raise TrafficgenError(
            "not a number of workers", on=f"workers {params['workers']!r}", remedy="Give 1 or more, or auto."
        )
    return XdpRequest(
        **shared,
        mode=params["mode"],
        workers=None if workers == "auto" else int(workers),
        burst=params["burst"],
        marks=None if params["marks"] is None else read_expected(params["marks"], None),
    )
