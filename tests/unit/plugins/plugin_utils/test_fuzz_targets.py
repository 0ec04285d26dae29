# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzz targets without a fuzzer: on what once failed, on their seeds, and on drawn bytes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scapy")
from hypothesis import strategies

FOLDER = Path(__file__).parents[3] / "fuzz"
# The same examples in each run.
quickly = hypothesis.settings(deadline=None, max_examples=100, database=None, derandomize=True)


def loaded(name):
    found = importlib.util.spec_from_file_location(f"fuzz_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


TARGETS = loaded("targets").TARGETS
SEEDS = {target: loaded("fuzz").seeds(target) for target in TARGETS}


@pytest.mark.parametrize(
    "file", sorted((FOLDER / "crashes").glob("*/*")), ids=lambda file: f"{file.parent.name}-{file.name}"
)
def test_what_once_failed(file):
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds(target):
    for data in SEEDS[target]:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@quickly
@hypothesis.given(data=strategies.data())
def test_drawn_bytes(target, data):
    TARGETS[target](data.draw(strategies.binary(max_size=300)))


@pytest.mark.parametrize("target", TARGETS)
@quickly
@hypothesis.given(data=strategies.data())
def test_changed_seeds(target, data):
    seed = data.draw(strategies.sampled_from(SEEDS[target]))
    start = data.draw(strategies.integers(0, len(seed)))
    end = data.draw(strategies.integers(start, len(seed)))
    TARGETS[target](seed[:start] + data.draw(strategies.binary(max_size=8)) + seed[end:])
