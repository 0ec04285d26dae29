# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ends send, and with what variables; and pairs that are refused, each with what to set."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("scapy")

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._pairs.ends import ends
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._pairs.traffic import end_traffic
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._traffic.made_frames import frames

HOSTS = {
    "gen1": {
        "inventory_hostname": "gen1",
        "ansible_host": "192.0.2.1",
        "ansible_port": 2222,
        "ansible_user": "lab",
        "ansible_ssh_common_args": "-o ProxyJump=bastion",
        "ansible_become_password": "secret",
        "ansible_python_interpreter": "/usr/bin/python3.9",
        "ansible_facts": {"kernel": "5.14"},
        "ansible_kernel": "5.14",
        "ansible_play_hosts": ["gen1"],
        "ansible_version": {"full": "2.19"},
        "throughput_tcpreplay": {"cpu_list": "2"},
        "throughput_pairs": "those of the play",
        "rack": 7,
    },
    "192.0.2.2": {},
    "alias1": {"ansible_host": "192.0.2.1", "ansible_port": 2222},
    "guest": {"ansible_host": "192.0.2.1", "ansible_port": 2223},
    "here": {"ansible_connection": "local"},
    "localhost": {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"},
}
PAIR = {
    "name": "router",
    "a": {"host": "gen1", "interface": "ens17", "mac": "02:00:00:00:00:0a", "next_hop_mac": "00:1b:21:00:00:01"},
    "b": {"host": "gen1", "interface": "ens18", "netns": "far", "mac": "02:00:00:00:00:0b"},
}


def pair(**changes):
    """The pair with other values: b__host is the host of b; None leaves the key out."""
    made = copy.deepcopy(PAIR)
    for way, value in changes.items():
        *into, key = way.split("__")
        place = made[into[0]] if into else made
        if value is None:
            del place[key]
        else:
            place[key] = value
    return made


@pytest.mark.parametrize(
    ("direction", "names"),
    [("both", ["router.a", "router.b"]), ("forward", ["router.a"]), ("reverse", ["router.b"])],
)
def test_who_sends(direction, names):
    found = ends([PAIR], direction, hosts=HOSTS)
    assert [one["name"] for one in found] == names
    assert [one["end"]["direction"] for one in found] == [{"a": "forward", "b": "reverse"}[name[-1]] for name in names]


def test_what_a_sender_has_to_know():
    a, b = ends([PAIR], hosts=HOSTS)
    assert a["host"] == "gen1"
    variables = a["variables"]
    assert (variables["throughput_interface"], variables["throughput_netns"]) == ("ens17", None)
    assert variables["throughput_receiver"] == {"interface": "ens18", "netns": "far"}
    assert b["variables"]["throughput_receiver"] == {"interface": "ens17", "netns": None}
    # Its frames go to the router; the router's to b's own address.
    assert (a["end"]["mac"], a["end"]["to_mac"]) == ("02:00:00:00:00:0a", "00:1b:21:00:00:01")
    assert (b["end"]["mac"], b["end"]["to_mac"]) == ("02:00:00:00:00:0b", "02:00:00:00:00:0a")


def test_it_is_reached_as_its_machine_is():
    """All that is the user's, whatever connection plugin it is for; nothing of what Ansible makes of a host."""
    variables = ends([PAIR], "forward", hosts=HOSTS)[0]["variables"]
    own = {name: value for name, value in HOSTS["gen1"].items() if name.startswith(("ansible_", "throughput_tcp"))}
    for name in ("ansible_facts", "ansible_kernel", "ansible_play_hosts", "ansible_version"):
        del own[name]
        assert name not in variables
    assert {name: variables[name] for name in own} == own
    assert "throughput_pairs" not in variables and "rack" not in variables


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.2", "192.0.2.2"), ("here", "here"), ("localhost", "localhost")]
)
def test_the_name_alone_may_be_the_address(host, address):
    (one,) = ends([pair(a__host=host)], "forward", hosts=HOSTS)
    assert one["variables"]["ansible_host"] == address
    assert one["variables"].get("ansible_connection") == HOSTS[host].get("ansible_connection")
    assert one["variables"]["throughput_receiver"]["host"] == "gen1"


def test_several_pairs():
    other = {
        "name": "second",
        "a": {"host": "gen1", "interface": "ens19"},
        "b": {"host": "guest", "interface": "ens19"},
    }
    found = ends([PAIR, other], hosts=HOSTS)
    assert [one["name"] for one in found] == ["router.a", "router.b", "second.a", "second.b"]
    assert found[2]["variables"]["throughput_receiver"] == {"host": "guest", "interface": "ens19", "netns": None}


TWICE = {"name": "second", "a": {"host": "alias1", "interface": "ens17"}, "b": {"host": "guest", "interface": "x"}}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([pair(b=None)], "throughput_pairs, router: has no b, and a pair has two ends. Set b: {host, interface}"),
        ([pair(a={})], "throughput_pairs, router: has no a, and a pair has two ends. Set a:"),
        ([pair(b__host="gen9")], "throughput_pairs, router, b, host: the inventory has no host gen9. Add it"),
        ([pair(b__host=None)], "throughput_pairs, router, b: has no host. Set host"),
        ([pair(a__interface=None)], "throughput_pairs, router, a, interface: names no port"),
        ([pair(a__port="ens17")], "throughput_pairs, router, a: unknown: port. It has host, interface, netns, mac"),
        ([pair(c={})], "throughput_pairs, router: unknown: c. It has name, a and b"),
        ([pair(name=None)], "throughput_pairs, entry 1: has no name"),
        ([pair(name="a.b")], "throughput_pairs, entry 1: has no name"),
        ([PAIR, PAIR], "throughput_pairs, router: the name is used twice"),
        ([pair(a__mac="01:00:5e:00:00:01")], "throughput_pairs, router, a, mac: not a MAC address of one port"),
        ([pair(a__mac=7200)], 'Write it in quotes, as "00:1b:21:aa:bb:cc"'),
        ([pair(a="gen1")], "throughput_pairs, router, a: not a dictionary: 'gen1'"),
        ("router", "throughput_pairs: not a list of pairs: 'router'. Write [{name: router"),
        # Two names for one port
        (
            [pair(b__interface="ens17", b__netns=None)],
            "throughput_pairs: router.a and router.b are one port, ens17 of gen1",
        ),
        ([PAIR, TWICE], "throughput_pairs: router.a and second.a are one port, ens17 of alias1. Each end is a port of"),
        (
            [pair(a__host="here", b__host="localhost", b__interface="ens17", b__netns=None)],
            "router.a and router.b are one port, ens17 of localhost",
        ),
    ],
)
def test_pairs_that_are_none(pairs, message):
    with pytest.raises(TrafficgenError) as caught:
        ends(pairs, hosts=HOSTS)
    assert message in caught.value.message


def test_ports_of_one_name_on_two_machines_behind_one_address():
    assert ends([pair(b__host="guest", b__interface="ens17", b__netns=None)], hosts=HOSTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "there"}, "throughput_direction: not a direction: 'there'. There are forward, reverse, both"),
        ({"receiver": {"interface": "x"}}, "throughput_pairs and throughput_receiver: both are given"),
        ({"taken": ["router.b"]}, "throughput_pairs, router: the inventory has a host of the name router.b"),
    ],
)
def test_what_does_not_go_with_pairs(options, message):
    with pytest.raises(TrafficgenError) as caught:
        ends([PAIR], hosts=HOSTS, **options)
    assert message in caught.value.message


class Undefined(dict):
    def __getitem__(self, name):
        raise KeyError("'throughput_name' is undefined")


@pytest.mark.parametrize(
    "machine", [Undefined(throughput_traffic=1), {"throughput_traffic": [{"name": "{{ throughput_name }}"}]}]
)
def test_a_variable_that_cannot_be_handed_on(machine):
    with pytest.raises(
        TrafficgenError, match=r"throughput_traffic of gen1 needs a variable that is known within the role"
    ):
        ends([PAIR], hosts={**HOSTS, "gen1": machine})


GUIDE = Path(__file__).parents[5] / "docs" / "both-directions.md"
EXAMPLES = [
    text
    for text in re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    if "hosts:" in text
]


@pytest.mark.parametrize("text", EXAMPLES, ids=["hardware", "namespaces"])
def test_the_guide_s_examples(text):
    """They are taken as they stand, with Ansible's own template filled in: pairs, and the traffic of each end."""
    group = yaml.safe_load(text.replace("{{ ansible_playbook_python }}", "/usr/bin/python3"))["generators"]
    variables = group["vars"]
    hosts = {name: {**variables, **(own or {})} for name, own in group["hosts"].items()}
    found = ends(variables["throughput_pairs"], hosts=hosts)
    assert [one["end"]["direction"] for one in found] == ["forward", "reverse"]
    for one in found:
        asked = end_traffic(variables["throughput_traffic"], one["end"], "02:00:00:00:00:0a", "02:00:00:00:00:0b")
        assert plan(asked, rates=None, methods=["auto"], repeats=1)["count"] == 1
        assert len(frames(*asked[0]["streams"])) in (1000, 64511)
