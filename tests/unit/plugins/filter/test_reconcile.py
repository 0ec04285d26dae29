# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import functools
import inspect

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wirespeed.trafficgen.plugins.filter import reconcile

FILTER = functools.partial(reconcile.FilterModule().filters()["reconcile"], None)


def test_arguments_are_as_documented():
    documented = yaml.safe_load(reconcile.DOCUMENTATION)
    names = list(inspect.signature(reconcile.reconcile).parameters)[1:]
    assert documented["positional"].split(", ") == names
    assert set(documented["options"]) == {"_input", *names}


def test_an_error_is_ansibles_own():
    with pytest.raises(AnsibleFilterError, match="reconcile: the input: not a result of the module tcpreplay"):
        FILTER({}, {}, {})
