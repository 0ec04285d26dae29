# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scapy's layers by the names of their classes, contributed ones among them.

Scapy's own list holds only what has been imported, and importing all of scapy.contrib takes seconds, opens sockets and
prints. So the sources are searched for the class, and the module that defines it is imported, as load_contrib() would.
"""

from __future__ import annotations

import contextlib
import datetime
import difflib
import importlib.util
import logging
import os
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

# Where the usual layers live. Importing these takes a fifth of a second, all of Scapy four times that.
_USUAL = ("scapy.packet", "scapy.layers.l2", "scapy.layers.inet", "scapy.layers.inet6")
_CLASS = re.compile(rb"^class (\w{1,200})\s*\(([^()]{0,500})\)\s*:", re.MULTILINE)


def near(
    name: str, names: Sequence[str], otherwise: str = "Scapy's ls() lists them.", *, all_of_them: bool = False
) -> str:
    """A remedy that names what comes nearest to ``name``; where that is wanted, or nothing does, all there are."""
    by_lower = {known.lower(): known for known in names}
    found = [
        by_lower[match] for match in difflib.get_close_matches(name.lower()[:100], list(by_lower), n=3, cutoff=0.5)
    ]
    every = f"There are: {', '.join(sorted(names))}." if len(names) <= 40 else otherwise
    if not found:
        return every
    question = f"Did you mean {' or '.join(found)}?"
    return f"{question} {every}" if all_of_them else question


def scapy_module(module: str) -> Any:
    """One of Scapy's modules that come without anything else."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "scapy":
            raise
        raise TrafficgenError(
            "Scapy cannot be imported by the Python that runs this module",
            on="scapy",
            said=str(error),
            remedy="Install the package python3-scapy on this host (on EL 9 from EPEL).",
        ) from error


def _rare_module(module: str, on: str) -> Any:
    """One of Scapy's rare modules, some of which need what is not installed with Scapy, or another system."""
    try:
        # Some print, and what Ansible reads is this program's output.
        with contextlib.redirect_stdout(sys.stderr), moment(0.0), _no_chance():
            return scapy_module(module)
    except TrafficgenError:
        raise
    except Exception as error:
        raise TrafficgenError(
            f"Scapy's module {module} cannot be imported",
            on=on,
            said=f"{type(error).__name__}: {error}",
            remedy="Install what it needs on this host, or use another layer.",
        ) from error


@contextlib.contextmanager
def moment(seconds: float) -> Iterator[None]:
    """It is ``seconds`` after the epoch, for what asks time.time() or datetime.now()."""

    class Then(datetime.datetime):
        """A datetime whose now is then."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            """That moment."""
            return cls.fromtimestamp(seconds, tz)

    really = time.time, datetime.datetime
    try:
        vars(time).update(time=lambda: seconds)
        vars(datetime).update(datetime=Then)
        yield
    finally:
        vars(time).update(time=really[0])
        vars(datetime).update(datetime=really[1])


@contextlib.contextmanager
def _no_chance() -> Iterator[None]:
    """Random numbers are the same ones each time: some defaults, as scapy.contrib.gtp's IE_IMSI, are drawn when the
    module is imported."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)


@lru_cache(maxsize=1)
def _defined() -> dict[str, dict[str, str]]:
    """The classes that Scapy's layers and contributed modules define: their modules, and there what stands in their
    parentheses."""
    found: dict[str, dict[str, str]] = {}
    for package in ("scapy.layers", "scapy.contrib"):
        for base in scapy_module(package).__path__:
            for folder, _folders, files in sorted(os.walk(base)):
                inside = os.path.relpath(folder, base)
                above = [package, *(inside.split(os.sep) if inside != os.curdir else [])]
                for file in sorted(files):
                    stem, ending = os.path.splitext(file)
                    if ending != ".py":
                        continue
                    module = ".".join(above if stem == "__init__" else [*above, stem])
                    with open(os.path.join(folder, file), "rb") as source:
                        for match in _CLASS.finditer(source.read()):
                            found.setdefault(match[1].decode(), {})[module] = match[2].decode(errors="replace")
    return found


@lru_cache(maxsize=1)
def _layer_names() -> dict[str, tuple[str, ...]]:
    """Those of the defined classes that are layers, as far as their sources tell, and the modules where they are."""
    defined = _defined()
    layers: dict[str, set[str]] = {}
    known = {"Packet"}
    while known:  # each turn finds what is made of the layers found in the last one
        more = set()
        for name, modules in defined.items():
            for module, bases in modules.items():
                made_of = {base.strip().rpartition(".")[2] for base in bases.split(",")}
                if made_of & known and module not in layers.get(name, ()):
                    layers.setdefault(name, set()).add(module)
                    more.add(name)
        known = more
    return {name: tuple(sorted(modules)) for name, modules in layers.items()}


def _layer_of(module: Any, name: str) -> Any:
    packet = scapy_module("scapy.packet").Packet
    found = getattr(module, name, None)
    return found if isinstance(found, type) and issubclass(found, packet) and found is not packet else None


def _short(module: str) -> str:
    """A module as a spec names it."""
    return module.partition(".")[2].partition(".")[2]


def layer_class(name: str, on: str) -> Any:
    """The Scapy layer of that name: a usual one, else one of all that ``from scapy.all import *`` gives, else a
    contributed one.

    :param name: the class, with (the end of) its module before it where several modules have one of that name:
    ``gtp.GTPHeader``.
    """
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # it warns of routes and interfaces, which are not used here
    # Nor are they read, which took a fifth of the time that its import takes (Scapy 2.6 and later heed this).
    config = scapy_module("scapy.config").conf
    config.route_autoload = config.route6_autoload = False
    inside, _dot, plain = name.rpartition(".")
    if not inside:
        for module in _USUAL:
            found = _layer_of(scapy_module(module), plain)
            if found:
                return found
        # A module that is named like its class, as scapy.layers.vxlan, spares the 30 MB of all of Scapy.
        alone = f"scapy.layers.{plain.lower()}"
        found = plain.isidentifier() and importlib.util.find_spec(alone) and _layer_of(_rare_module(alone, on), plain)
        found = found or _layer_of(scapy_module("scapy.all"), plain)
        if found:
            return found
    modules = [one for one in _layer_names().get(plain, ()) if not inside or f".{one}".endswith(f".{inside}")]
    if len(modules) > 1:
        choice = " or ".join(f"{_short(module)}.{plain}" for module in modules)
        raise TrafficgenError(
            f"several modules of Scapy have a layer {name!r}", on=on, remedy=f"Name the module too: {choice}."
        )
    if modules:
        scapy_module("scapy.all")  # as in a script: what a layer looks like below another one may be settled there
        found = _layer_of(_rare_module(modules[0], on), plain)
        if found:
            return found
    known = {layer.__name__ for layer in config.layers} | set(_layer_names())
    raise TrafficgenError(f"Scapy has no layer {name!r}", on=on, remedy=near(plain, sorted(known)))
