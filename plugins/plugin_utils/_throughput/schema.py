# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a throughput result and a record of trials are made of (docs/result-schema.md), checked field by field.

A file may have been edited, or be another program's. All that reads one relies on what is checked here, so that a wrong
file is an error which names the field, and never a report of half of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# No counter has more than 64 bits, and no rate, time or share of anything here is larger. Beyond, figures cannot be
# calculated with.
LARGEST = 1 << 64
SMALLEST = 1e-30
DEEPEST = 60
_SURROGATE = re.compile("[\ud800-\udfff]")
_EDITED = "Was it edited? Take the original."


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)} characters)"


def _wrong(on: str, where: str, what: str) -> TrafficgenError:
    return TrafficgenError(f"{where} {what}" if where else what, on=on, remedy=_EDITED)


# --- Any JSON ---


def check_plain(tree: Any, on: str) -> None:
    """Raise :class:`TrafficgenError` where a number, a text or the depth of a tree is more than can be worked with."""
    _check_leaf(tree, on, ())
    left: list[tuple[Any, tuple[Any, ...]]] = [(tree, ())]
    while left:
        value, way = left.pop()
        if len(way) >= DEEPEST:
            raise _wrong(on, _way(way[:4]), f"is nested more than {DEEPEST} deep")
        pairs: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Mapping):
            pairs = value.items()
            for key in value:
                if not key.isascii() and _SURROGATE.search(key):
                    raise _wrong(on, _way(way), f"has a key with half a character (a lone surrogate): {_shown(key)}")
        elif isinstance(value, (list, tuple)):
            pairs = enumerate(value, 1)
        for key, each in pairs:
            if isinstance(each, (Mapping, list, tuple)):
                left.append((each, (*way, key)))
            elif not (each is None or each is True or each is False):
                _check_leaf(each, on, (*way, key))


def _check_leaf(value: Any, on: str, way: tuple[Any, ...]) -> None:
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise _wrong(on, _way(way), f"has half a character (a lone surrogate): {_shown(value)}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(on, _way(way), f"is {value}, and no number")
        if abs(value) >= LARGEST:
            raise _wrong(on, _way(way), "is larger than any figure of a result: it has more than 64 bits")
        if value and abs(value) < SMALLEST:
            raise _wrong(on, _way(way), f"is {value:g}, smaller than any figure of a result")


def _way(way: Iterable[Any]) -> str:
    return ", ".join(f"entry {key}" if isinstance(key, int) else str(key) for key in way) or "it"


def parse(text: str, on: str) -> Any:
    """JSON text as plain data; :class:`TrafficgenError` for any that is none, ``ValueError`` where it is not even
    JSON."""
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise TrafficgenError("is nested too deeply", on=on, remedy=_EDITED) from None


def _whole(digits: str) -> int:
    # Python refuses thousands of digits at once, without a word of where they are: check_plain() finds what stands for
    # them.
    return int(digits) if len(digits) <= 40 else LARGEST


def plain_data(value: Any) -> Any:
    """The value in Python's own types, as JSON has them.

    Ansible's strings and containers are subclasses of their own, and jmespath goes by the names of types.
    """
    return json.loads(json.dumps(value, default=_plainer))


def _plainer(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)


# --- Kinds of values ---


@dataclass(frozen=True)
class Kind:
    """A value of one of some types; ``words``: its name in errors. ``parts``: the kinds of a dictionary's values;
    ``each``: the kind of all entries of a list or dictionary. ``null``: whether it may be null."""

    words: str
    types: tuple[type, ...]
    null: bool = False
    needed: Mapping[str, Kind] = field(default_factory=dict)
    known: Mapping[str, Kind] = field(default_factory=dict)
    each: Kind | None = None
    among: tuple[str, ...] = ()
    least: float | None = None

    def check(self, value: Any, on: str, where: str = "") -> None:
        """Raise :class:`TrafficgenError` unless the value is of this kind."""
        if value is None and self.null:
            return
        self._check_itself(value, on, where)
        if isinstance(value, (Mapping, list)):
            self._check_parts(value, on, where)

    def _check_itself(self, value: Any, on: str, where: str) -> None:
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            raise _wrong(on, where, f"is {_shown(value)}, not {self.words}")
        if self.among and value not in self.among:
            raise _wrong(on, where, f"is {_shown(value)}, none of {', '.join(self.among)}")
        if self.least is not None and isinstance(value, (int, float)) and value < self.least:
            raise _wrong(on, where, f"is {value}, less than {self.least:g}")

    def _check_parts(self, value: Mapping[str, Any] | list[Any], on: str, where: str) -> None:
        before = f"{where}, " if where else ""
        if isinstance(value, Mapping):
            missing = sorted(set(self.needed) - set(value))
            if missing:
                raise _wrong(on, where + ("," if where else ""), f"has no {', '.join(missing)}")
            for parts in (self.needed, self.known):
                for key, kind in parts.items():
                    if key in value:
                        kind.check(value[key], on, before + key)
        if self.each is not None:
            named: Iterable[tuple[str, Any]] = (
                value.items()
                if isinstance(value, Mapping)
                else ((f"entry {number}", one) for number, one in enumerate(value, 1))
            )
            for key, one in named:
                self.each.check(one, on, before + key)


def _dict(
    needed: Mapping[str, Kind] | None = None, known: Mapping[str, Kind] | None = None, *, null: bool = False
) -> Kind:
    return Kind("a dictionary", (dict,), null=null, needed=needed or {}, known=known or {})


def _list(each: Kind, *, null: bool = False) -> Kind:
    return Kind("a list", (list,), null=null, each=each)


_TEXT = Kind("text", (str,))
_TEXT_OR_NOT = Kind("text or null", (str,), null=True)
_NUMBER = Kind("a number", (int, float))
_NUMBER_OR_NOT = Kind("a number or null", (int, float), null=True)
_RATE_OR_NOT = Kind("a number or null", (int, float), null=True, least=0)
_WHOLE = Kind("a whole number", (int,), least=0)
_WHOLE_OR_NOT = Kind("a whole number or null", (int,), null=True)
_FLAG = Kind("true or false", (bool,))
_FLAG_OR_NOT = Kind("true, false or null", (bool,), null=True)
_TEXTS = _list(_TEXT)
_RATE = Kind("a dictionary", (dict,), each=Kind("a number or true", (int, float, bool), null=True))
_SIZES = _dict({"name": _TEXT}, dict.fromkeys(("ip_size", "frame_size", "wire_frame_size"), _RATE_OR_NOT))
_COUNTER = _dict({}, {"packets": _WHOLE_OR_NOT, "host_drops": _WHOLE_OR_NOT}, null=True)
_COUNTERS = _dict(
    {},
    {
        "tx": _COUNTER,
        "rx": _COUNTER,
        "loss_packets": _WHOLE_OR_NOT,
        "loss_ratio": _NUMBER_OR_NOT,
        "verdict": Kind("text or null", (str,), null=True, among=("consistent", "short", "impossible", "unknown")),
        "reason": _TEXT_OR_NOT,
    },
    null=True,
)
_UNITS = dict.fromkeys(("pps", "l1_mbps", "l2_mbps", "frame_mbps", "line_rate_percent"), _RATE_OR_NOT)
_SAMPLE = {"packets": _WHOLE_OR_NOT, "pps": _RATE_OR_NOT, "seconds": _RATE_OR_NOT}
_WORKER = _dict(
    {},
    {
        **dict.fromkeys(("cpu", "queue", "packets"), _WHOLE_OR_NOT),
        **dict.fromkeys(("seconds", "start_offset"), _NUMBER_OR_NOT),
    },
)
_TREE = {
    "stats": _dict({}, {**_SAMPLE, "samples": _list(_dict({}, _SAMPLE), null=True)}, null=True),
    "rates": _dict({}, _UNITS, null=True),
    "run": _dict(
        {},
        {
            "command": _list(_TEXT, null=True),
            **dict.fromkeys(("engine", "injection_method", "netmap_mode", "ended_by"), _TEXT_OR_NOT),
            "xdp_mode": Kind("text or null", (str,), null=True, among=("copy", "zero_copy")),
            "workers": _list(_WORKER, null=True),
            "capped": _FLAG_OR_NOT,
            **dict.fromkeys(("rate_reached", "started", "ended"), _NUMBER_OR_NOT),
            "link_speed_mbps": _RATE_OR_NOT,
            "phases": Kind("a dictionary", (dict,), null=True, each=_RATE_OR_NOT),
        },
        null=True,
    ),
    "counters": _COUNTERS,
}
_STATUS = Kind("text", (str,), among=("ok", "failed"))
_GAP = _dict({"seconds": _RATE_OR_NOT, "missing": _WHOLE_OR_NOT}, {"began": _NUMBER_OR_NOT}, null=True)
_MARKED = {
    **dict.fromkeys(
        ("sent", "arrived", "received", "missing", "lost", "duplicates", "reordered", "unexpected"), _WHOLE_OR_NOT
    ),
    "longest_gap": _GAP,
}
_OF_STREAM = dict.fromkeys(("reordered_ratio", "largest_late_seconds", "duplication_fraction"), _NUMBER_OR_NOT)
MARKS = _dict(
    {"read": Kind("text or null", (str,), null=True, among=("numbers", "count")), "error": _TEXT_OR_NOT},
    {
        **_MARKED,
        "why": _TEXT_OR_NOT,
        "numbered_passes": _FLAG_OR_NOT,
        "lost_ratio": _NUMBER_OR_NOT,
        **dict.fromkeys(("socket_drops", "altered", "lost_at_least"), _WHOLE_OR_NOT),
        "streams": _list(
            _dict(
                {"stream": _WHOLE_OR_NOT},
                {**_MARKED, **_OF_STREAM, "name": _TEXT_OR_NOT, "largest_extent": _WHOLE_OR_NOT},
            )
        ),
        "timeline": _dict(
            {
                "interval_seconds": Kind("a number or null", (int, float), null=True, least=1e-6),
                "frames": _list(_WHOLE_OR_NOT),
            },
            {"began": _NUMBER_OR_NOT},
            null=True,
        ),
        "notes": _list(_TEXT_OR_NOT),
    },
    null=True,
)

_OF_TRIAL = {
    "host": _TEXT,
    "traffic": _SIZES,
    "injection_method": _TEXT,
    "rate": _RATE,
    "repeat": _WHOLE_OR_NOT,
    "status": _STATUS,
    "error": _TEXT_OR_NOT,
    **_TREE,
}
_OF_PAIR = dict.fromkeys(("pair", "direction"), _TEXT_OR_NOT)
_ALSO_OF_TRIAL = {"start_delay_seconds": _NUMBER_OR_NOT, "marks": MARKS, **_OF_PAIR}
# The parts of a successful trial that a fleet's totals need.
OK_TRIAL = _dict(
    {
        "start_delay_seconds": _NUMBER_OR_NOT,
        "stats": _dict({"packets": _WHOLE_OR_NOT}),
        "rates": _dict(dict.fromkeys(("pps", "l1_mbps", "l2_mbps"), _RATE_OR_NOT)),
        "counters": _dict({"tx": _COUNTER, "loss_packets": _WHOLE_OR_NOT, "loss_ratio": _NUMBER_OR_NOT}),
    }
)
TRIAL = _dict({**_OF_TRIAL, "number": _WHOLE}, _ALSO_OF_TRIAL)
_NUMBERED_OR_NOT = _dict({**_OF_TRIAL, "number": _WHOLE_OR_NOT}, _ALSO_OF_TRIAL)
STEP = _dict({"asked_pps": _RATE_OR_NOT, "duration": _WHOLE})
_LOST = {**dict.fromkeys(("sent", "received", "lost"), _WHOLE_OR_NOT), "loss_ratio": _NUMBER_OR_NOT}
# Of one host, or of all that had one load
_OF_SEARCH_TRIAL = {
    **dict.fromkeys(("pps", "seconds"), _RATE_OR_NOT),
    **_LOST,
    **dict.fromkeys(("verdict", "reason", "engine", "injection_method", "netmap_mode", "xdp_mode"), _TEXT_OR_NOT),
    "command": _list(_TEXT, null=True),
    "counters": _COUNTERS,
}
_OF_HOSTS = Kind("a dictionary", (dict,), each=_dict({}, _OF_SEARCH_TRIAL))
_SEARCH_TRIAL = _dict({}, {"asked_pps": _RATE_OR_NOT, **_OF_SEARCH_TRIAL, "valid": _FLAG_OR_NOT, "hosts": _OF_HOSTS})
_AT_RATE = _dict(
    {},
    {
        **dict.fromkeys(("trials", "with_loss", "over_goal"), _WHOLE_OR_NOT),
        **_LOST,
        "hosts": _OF_HOSTS,
    },
    null=True,
)
_BOUNDS = dict.fromkeys(("lower_pps", "upper_pps", "conditional_pps"), _RATE_OR_NOT)
_FOUND = _dict(
    {},
    {**_UNITS, **_BOUNDS, "at_rate": _AT_RATE, "aggregate": _dict({}, {**_UNITS, **_BOUNDS, "factor": _WHOLE})},
    null=True,
)
_SEARCH = _dict(
    {
        "host": _TEXT,
        "traffic": _SIZES,
        "injection_method": _TEXT,
        "search": _TEXT_OR_NOT,
        "status": Kind("text", (str,), among=("found", "not_found", "failed")),
        "reason": _TEXT_OR_NOT,
        "found": _FOUND,
        "trials": _list(_SEARCH_TRIAL),
    },
    {
        "hosts": _TEXTS,
        "goals": _list(_dict({}, {"loss_ratio": _NUMBER_OR_NOT}), null=True),
        "library": _TEXT_OR_NOT,
        "limited_by": _TEXT_OR_NOT,
        **_OF_PAIR,
        "min_pps": _RATE_OR_NOT,
        "max_pps": _RATE_OR_NOT,
    },
)
_TRAFFIC = _dict(
    {**_SIZES.needed, **_SIZES.known},
    {
        "packets": _WHOLE_OR_NOT,
        "bytes": _WHOLE_OR_NOT,
        "flows": _WHOLE_OR_NOT,
        "sha256": _TEXT_OR_NOT,
        "path": _TEXT_OR_NOT,
    },
)
_FLEET = _dict(
    {
        "number": _WHOLE_OR_NOT,
        "traffic": _TEXT_OR_NOT,
        "injection_method": _TEXT,
        "rate": _RATE,
        "repeat": _WHOLE_OR_NOT,
        "hosts": _list(_TEXT, null=True),
        "pps": _RATE_OR_NOT,
    },
    {
        "l1_mbps": _RATE_OR_NOT,
        "l2_mbps": _RATE_OR_NOT,
        "loss_ratio": _NUMBER_OR_NOT,
        "start_spread_seconds": _NUMBER_OR_NOT,
    },
)
_HOST = _dict(
    {},
    {
        "interface": _dict({}, {"link_speed_mbps": _RATE_OR_NOT}, null=True),
        "memory_mb": _NUMBER_OR_NOT,
        **dict.fromkeys(("pair", "direction", "machine"), _TEXT_OR_NOT),
        "clock": _dict({}, {"offset_seconds": _NUMBER_OR_NOT, "uncertainty_seconds": _NUMBER_OR_NOT}, null=True),
    },
)
_ASKED = _list(_dict({"name": _TEXT, "expression": _TEXT}))
_CRITERION = _dict(
    {"name": _TEXT_OR_NOT, "expression": _TEXT_OR_NOT, "passed": _FLAG_OR_NOT, "error": _TEXT_OR_NOT},
    {"measured": _list(_dict({}))},
)
_UNFINISHED = _dict({"made": _WHOLE, "planned": _WHOLE, "what": _TEXT}, null=True)

RESULT = _dict(
    {
        "name": _TEXT,
        "collection_version": _TEXT,
        "ansible_version": _TEXT,
        "started": _NUMBER,
        "ended": _NUMBER,
        "estimated_seconds": _NUMBER_OR_NOT,
        "trial_seconds": _NUMBER,
        "settings": _dict(),
        "traffic": _list(_TRAFFIC),
        "hosts": Kind("a dictionary", (dict,), each=_HOST),
        "notes": _TEXTS,
        "trials": _list(_NUMBERED_OR_NOT),
        "searches": _list(_SEARCH),
        "fleet": _list(_FLEET),
        "criteria": _list(_CRITERION),
        "failures": _TEXTS,
        "passed": _FLAG,
    },
    {"unfinished": _UNFINISHED},
)

# --- The first line of a record ---

_PLANNED = {"traffic": _TEXT, "injection_method": _TEXT, "hosts": _TEXTS}
_PLAN = _dict(
    {
        "trials": _list(
            _dict(
                {
                    **_PLANNED,
                    "number": _WHOLE,
                    "warmup": _FLAG,
                    "rate": _RATE,
                    "repeat": _WHOLE_OR_NOT,
                    "duration": _NUMBER,
                }
            )
        ),
        "searches": _list(_dict(_PLANNED)),
        "notes": _TEXTS,
        "count": _WHOLE,
        "seconds": _NUMBER_OR_NOT,
    }
)
PLAN = _dict(
    {
        "name": _TEXT,
        "collection_version": _TEXT,
        "ansible_version": _TEXT,
        "started": _NUMBER,
        "settings": _dict(),
        "traffic": _list(_dict({"name": _TEXT})),
        "plan": _PLAN,
        "criteria": _ASKED,
        "hosts": Kind(
            "a dictionary",
            (dict,),
            each=_dict(
                {"host": _HOST, "traffic": _list(_dict({**_TRAFFIC.needed, "sha256": _TEXT_OR_NOT}, _TRAFFIC.known))}
            ),
        ),
    }
)
RESUMED = _dict({"resumed": _NUMBER, "made": _WHOLE})
CRITERIA = _dict({"criteria": _ASKED})
ENDED = _dict({"ended": _NUMBER, "broke": Kind("a dictionary", (dict,), each=_TEXT)})
