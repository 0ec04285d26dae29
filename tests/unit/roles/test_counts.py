# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who counts in a trial of the role throughput: the receiver, or the run that has taken the receiving port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

jinja2 = pytest.importorskip("jinja2")
core = pytest.importorskip("ansible.plugins.filter.core")
sets = pytest.importorskip("ansible.plugins.filter.mathstuff")

ROLE = Path(__file__).resolve().parents[3] / "roles/throughput/vars/main.yml"
NAMES = ("__throughput_taker", "__throughput_counts", "__throughput_arrivals", "__throughput_counts_arrivals")
PORTS = {
    "a": {"boot_id": "one", "netns_inode": 4, "ifindex": 2},
    "b": {"boot_id": "one", "netns_inode": 4, "ifindex": 3},
}
COUNTED = {"before": {"kernel": {}}, "after": {"kernel": {}}}


def ends(mac: bool = True, takes: bool = True, apart: bool = False) -> dict[str, dict[str, Any]]:
    """The variables of both ends of a pair, and of a generator whose receiver is a command."""
    methods = {name: {"takes": takes} for name in ("netmap", "af_xdp")}
    ports = {
        name: {**port, "mac": {"rx": {"packets": 0} if mac else None}, "boot_id": name if apart else port["boot_id"]}
        for name, port in PORTS.items()
    }
    found = {
        name: {
            "inventory_hostname": name,
            "__throughput_kind": "remote" if apart else "local",
            "__throughput_link": ports[name],
            "__throughput_receiving": ports[other],
            "__throughput_found": {"methods": methods},
            "__throughput_run": {"arrivals": {**COUNTED, "of": name}},
        }
        for name, other in (("a", "b"), ("b", "a"))
    }
    other = {"__throughput_kind": "command", "__throughput_receiving": {"skipped": True}, "__throughput_run": {"rc": 1}}
    return {
        **found,
        "c": {
            **found["a"],
            **other,
            "inventory_hostname": "c",
            "__throughput_link": {**PORTS["a"], "ifindex": 9, "mac": {"rx": {}}},
        },
    }


def said(hosts: dict[str, dict[str, Any]], name: str, method: str = "netmap", sending: str = "abc") -> list[Any]:
    """What the role's variables are on one host in a trial."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(extract=core.extract, difference=sets.difference, bool=core.to_bool)
    expressions = yaml.safe_load(ROLE.read_text())
    item = {"hosts": list(sending), "injection_method": method}
    known = {**hosts[name], "hostvars": hosts, "__throughput_item": item}
    for variable in NAMES:
        text = expressions[variable].strip()
        assert text.startswith("{{") and text.endswith("}}")
        known[variable] = environment.compile_expression(text[2:-2].strip(), undefined_to_none=False)(**known)
    return [known[variable] for variable in NAMES]


@pytest.mark.parametrize(("name", "other"), [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("method", ["netmap", "af_xdp"])
@pytest.mark.parametrize("apart", [False, True])
def test_ports_that_both_send(name, other, method, apart):
    """Each run counts what the other one sends, on one machine as on two."""
    assert said(ends(apart=apart), name, method) == [other, "taken", {**COUNTED, "of": other}, True]


def test_a_port_without_a_mac():
    """The receiver counts as ever, and the trial's result says what that is worth."""
    assert said(ends(mac=False), "a")[:2] == ["b", "local"] and said(ends(mac=False), "a")[3] is False


@pytest.mark.parametrize(
    ("given", "method", "sending"),
    [({"takes": False}, "af_xdp", "abc"), ({}, "pf_packet", "abc"), ({}, "netmap", "a"), ({}, "netmap", "ac")],
)
def test_a_port_that_nobody_takes(given, method, sending):
    """By a method that copies, by the kernel path, and where the other end does not send."""
    assert said(ends(**given), "a", method, sending) == ["", "local", {}, False]


def test_a_receiver_that_is_a_command():
    assert said(ends(), "c") == ["", "command", {}, False]


def test_a_run_that_failed():
    hosts = ends()
    hosts["b"]["__throughput_run"] = {"failed": True, "msg": "no such interface"}
    assert said(hosts, "a") == ["b", "taken", {}, True]
