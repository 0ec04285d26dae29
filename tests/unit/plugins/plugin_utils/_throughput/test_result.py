# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the result file: put together, and read back."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import host, result
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import trial
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import TRAFFIC

ASKED = [{"name": "scan", "pcap": "/scan.pcap"}]


def ran(pps, lost=0, started=1000.0, seconds=10.0):
    packets = int(pps * seconds)
    return {
        "stats": {"packets": packets, "pps": pps},
        "rates": {"pps": pps, "l1_mbps": pps * 102 * 8 / 1e6, "l2_mbps": pps * 82 * 8 / 1e6},
        "run": {"started": started, "ended": started + seconds, "capped": False},
        "counters": {
            "tx": None,
            "rx": None,
            "loss_packets": lost,
            "loss_ratio": 0.0,
            "verdict": "consistent",
            "reason": ".",
        },
    }


def material(runs, *, criteria=(), repeats=1):
    """What the role hands over. runs: by host, what the module returned for each trial."""
    hosts = {name: {"methods": {}, "link_speed_mbps": None, "traffic": [TRAFFIC]} for name in runs}
    planned = plan(ASKED, rates=[{"topspeed": True}], methods=["auto"], repeats=repeats, hosts=hosts)
    done = {
        name: {
            "host": {"kernel": "6.1"},
            "traffic": [TRAFFIC],
            "searches": [],
            "trials": [
                trial(item, each, host=name, traffic=TRAFFIC, start_at=999.99)
                for item, each in zip(planned["trials"], trials)
                if each is not ...
            ],
        }
        for name, trials in runs.items()
    }
    return {
        "name": "a test",
        "ansible_version": "2.19.14",
        "started": 990.0,
        "ended": 1100.0,
        "settings": {},
        "traffic": ASKED,
        "hosts": done,
        "plan": planned,
        "criteria": list(criteria),
    }


def test_a_fleet():
    made = result.assemble(material({"gen1": [ran(100.0, 5)], "gen2": [ran(50.0, 1, started=1000.5)]}))
    assert made["passed"] is True
    assert len(made["fleet"]) == 1
    total = made["fleet"][0]
    assert (total["number"], total["hosts"], total["pps"], total["packets"]) == (1, ["gen1", "gen2"], 150.0, 1500)
    assert (total["loss_packets"], total["loss_ratio"]) == (6, 6 / 1500)
    assert total["start_spread_seconds"] == 0.5
    # Together they took as long as one.
    assert made["trial_seconds"] == 10.0
    assert [key for key in made["traffic"][0] if key == "source_macs"] == []
    json.dumps(made)


def test_one_machine_is_no_fleet():
    assert result.assemble(material({"gen1": [ran(100.0)]}))["fleet"] == []


def test_a_host_that_failed_is_not_in_the_total():
    total = result.assemble(material({"gen1": [ran(100.0)], "gen2": [{"msg": "it broke", "failed": True}]}))["fleet"][0]
    assert (total["hosts"], total["pps"]) == (["gen1"], 100.0)


def test_a_loss_unknown_on_one_is_unknown_in_all():
    total = result.assemble(material({"gen1": [ran(100.0)], "gen2": [ran(100.0, None)]}))["fleet"][0]
    assert (total["loss_packets"], total["loss_ratio"], total["pps"]) == (None, None, 200.0)


def test_a_trial_that_failed_in_the_middle():
    made = result.assemble(material({"gen1": [ran(100.0), {"msg": "it broke", "failed": True}, ran(100.0)]}, repeats=3))
    assert made["passed"] is False
    assert made["failures"] == ["gen1, trial 2: scan, auto, top speed, repeat 2: FAILED: it broke"]
    assert [one["status"] for one in made["trials"]] == ["ok", "failed", "ok"]


def test_a_host_that_went_away():
    made = result.assemble(material({"gen1": [ran(100.0), {"unreachable": True, "msg": "timed out"}, ...]}, repeats=3))
    assert [one["error"] for one in made["trials"]] == [
        None,
        "the host went away: timed out",
        "not sent, since the host went away in trial 2",
    ]


def test_a_trial_of_another_run_is_none_of_this():
    given = material({"gen1": [ran(100.0), {"unreachable": True, "msg": "timed out"}, ...]}, repeats=3)
    stray = {**given["hosts"]["gen1"]["trials"][0], "number": 3, "repeat": 3}
    for other in ({"rate": {"pps": 7}}, {"injection_method": "netmap"}, {"traffic": {**TRAFFIC, "name": "other"}}):
        given["hosts"]["gen1"]["trials"][2:] = [{**stray, **other}]
        assert [one["error"] for one in result.assemble(given)["trials"]][
            2
        ] == "not sent, since the host went away in trial 2"


def test_a_host_that_broke_off():
    given = material({"gen1": [ran(100.0), ran(100.0)], "gen2": [ran(100.0), ...]}, repeats=2)
    given["hosts"]["gen2"]["broke"] = "Settle when it starts: no such thing"
    assert result.assemble(given)["failures"] == [
        "gen2, trial 2: scan, auto, top speed, repeat 2: FAILED: not sent, since Settle when it starts: no such thing"
    ]


def test_a_search_that_broke_off():
    given = material({"gen1": [], "gen2": []})
    item = {"traffic": "scan", "injection_method": "auto", "hosts": ["gen1", "gen2"]}
    given["plan"] = {**given["plan"], "trials": [], "searches": [item]}
    given["settings"] = {"search": "ndr"}
    given["hosts"]["gen1"]["searches"] = [
        {
            "host": "gen1",
            "traffic": "scan",
            "injection_method": "auto",
            "search": "ndr",
            "status": "found",
            "reason": "",
            "found": {},
            "trials": [],
        }
    ]
    given["hosts"]["gen2"]["broke"] = "Choose the next rate: lost 3 of 2 frames"
    made = result.assemble(given)
    assert [(one["host"], one["status"]) for one in made["searches"]] == [("gen1", "found"), ("gen2", "failed")]
    assert made["failures"] == ["gen2, search ndr of scan, auto: FAILED: Choose the next rate: lost 3 of 2 frames"]
    assert result.load(json.dumps(made)) == made


# A counter of all frames at the receiver is held against all frames that left, of which 50 are others'.
def test_the_fleets_loss_is_no_more_than_all():
    lossy = ran(100.0, 1050)
    lossy["counters"] = {**lossy["counters"], "tx": {"source": "tx", "packets": 1050, "bytes": None}, "loss_ratio": 1.0}
    assert result.assemble(material({"gen1": [lossy], "gen2": [lossy]}))["fleet"][0]["loss_ratio"] == 1.0


def test_a_criterion_that_is_not_met_fails_it():
    pytest.importorskip("jmespath")
    criteria = [
        {"name": "slow", "expression": "min(trials[].rates.pps) > `10`"},
        {"name": "fast", "expression": "min(trials[].rates.pps) > `1000`"},
    ]
    made = result.judged(result.assemble(material({"gen1": [ran(100.0)]}, criteria=criteria)))
    assert [one["passed"] for one in made["criteria"]] == [True, False]
    assert made["failures"] == ["Criterion 'fast' is not met (100, wanted > 1,000): min(trials[].rates.pps) > `1000`"]


def test_a_search_that_found_nothing_fails_it():
    """It gave no answer, whether the device or the generator is the cause."""
    run = material({"gen1": [ran(100.0)]})
    one = {
        "host": "gen1",
        "traffic": "scan",
        "injection_method": "auto",
        "search": "ndr",
        "reason": "",
        "found": None,
        "trials": [],
    }
    ends = (("found", ""), ("not_found", "There is a loss even at min_pps."), ("failed", "Trial 1 proves nothing."))
    run["hosts"]["gen1"]["searches"] = [{**one, "status": status, "reason": reason} for status, reason in ends]
    made = result.assemble(run)
    assert made["passed"] is False
    assert made["failures"] == [
        "gen1, search ndr of scan, auto: FOUND NOTHING: There is a loss even at min_pps.",
        "gen1, search ndr of scan, auto: FAILED: Trial 1 proves nothing.",
    ]


def test_files_that_differ_are_told():
    given = material({"gen1": [ran(1.0)], "gen2": [ran(1.0)]})
    given["hosts"]["gen2"]["traffic"] = [{**TRAFFIC, "sha256": "cd" * 32}]
    assert result.assemble(given)["notes"] == [
        "scan is not the same file on all hosts: abababababab... on gen1; cdcdcdcdcdcd... on gen2."
    ]


# --- Read back ---


@pytest.fixture
def written():
    return result.assemble(material({"gen1": [ran(100.0)]}))


def test_it_is_read_back(written):
    assert result.load(json.dumps(written)) == written


def changed(result, **keys):
    other = copy.deepcopy(result)
    for key, value in keys.items():
        if value is ...:
            del other[key]
        else:
            other[key] = value
    return json.dumps(other)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"schema": "another"}, r"a\.json: is not a throughput result: its schema is 'another'"),
        ({"schema": ...}, "it names no schema"),
        (
            {"schema_version": 2},
            r"schema version 2, and this collection reads 1\. Read it with a newer wirespeed\.trafficgen",
        ),
        ({"schema_version": "1"}, "schema version '1'"),
        ({"trials": ...}, "has no trials"),
        ({"trials": {}}, r"trials is \{\}, not a list"),
        ({"trials": [{"host": "gen1"}]}, "trials, entry 1, has no counters, error"),
        ({"passed": "yes"}, 'passed is "yes", not true or false'),
    ],
)
def test_not_our_result(written, keys, message):
    with pytest.raises(TrafficgenError, match=message):
        result.load(changed(written, **keys), "a.json")


def test_cut_short_at_any_place(written):
    text = json.dumps(written, indent=1)
    for end in range(1, len(text) - 1, 7):
        with pytest.raises(TrafficgenError, match=r"is cut short.*Copy it again"):
            result.load(text[:end], "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("# a report", "is not JSON"), ("[]", "not a throughput result"), ("3", "not a throughput")],
)
def test_no_result_at_all(text, message):
    with pytest.raises(TrafficgenError, match=message):
        result.load(text)


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        (("trials", 0, "stats", "packets"), 10**400, "trials, entry 1, stats, packets is larger than any figure"),
        (
            ("trials", 0, "stats", "packets"),
            int("9" * 4000),
            "trials, entry 1, stats, packets is larger than any figure",
        ),
        (("hosts", "gen1", "kernel"), "6.1\ud800", "hosts, gen1, kernel has half a character"),
        (("settings", "\udfff"), 1, "settings has a key with half a character"),
        (("trials", 0, "host"), ["gen1"], r"trials, entry 1, host is \[\"gen1\"\], not text"),
        (("trials", 0, "traffic", "name"), {}, "trials, entry 1, traffic, name is {}, not text"),
        (("traffic", 0, "name"), None, "traffic, entry 1, name is null, not text"),
        (("started",), float("nan"), "started is nan, and no number"),
        (("trials", 0, "rates", "pps"), float("-inf"), "trials, entry 1, rates, pps is -inf, and no number"),
        (("trials", 0, "rates", "pps"), -1, "trials, entry 1, rates, pps is -1, less than 0"),
        (("trials", 0, "rates", "pps"), "12", r"trials, entry 1, rates, pps is \"12\", not a number or null"),
        (("trials", 0, "rates", "pps"), True, "trials, entry 1, rates, pps is true, not a number or null"),
        (
            ("trials", 0, "counters", "verdict"),
            "fine",
            'trials, entry 1, counters, verdict is "fine", none of consistent, short',
        ),
        (("trials", 0, "run"), "x" * 100000, r"trials, entry 1, run is .*… \(100002 characters\), not a dictionary"),
        (("trials", 0, "run", "engine"), 4, "trials, entry 1, run, engine is 4, not text or null"),
        (("trials", 0, "run", "xdp_mode"), "fast", 'trials, entry 1, run, xdp_mode is "fast", none of copy, zero_copy'),
        (("trials", 0, "run", "workers"), [2], "trials, entry 1, run, workers, entry 1 is 2, not a dictionary"),
        (("trials", 0, "rate"), {"pps": [1]}, r"trials, entry 1, rate, pps is \[1\], not a number"),
        (
            ("settings", "deep"),
            json.loads("[" * 100 + "]" * 100),
            "settings, deep, entry 1, entry 1 is nested more than 60 deep",
        ),
        (("failures",), [None], "failures, entry 1 is null, not text"),
    ],
)
def test_a_wrong_field_is_named(written, way, value, message):
    at = written
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    with pytest.raises(TrafficgenError, match=rf"^a\.json: {message}.*Take the original\.$"):
        result.load(json.dumps(written), "a.json")


def test_nested_beyond_pythons_own_limit(written):
    text = json.dumps({**written, "settings": "here"}).replace('"here"', '{"a": ' * 100000 + "1" + "}" * 100000)
    with pytest.raises(TrafficgenError, match=r"^a\.json: .*is nested"):
        result.load(text, "a.json")


# --- A host ---


def test_a_command_that_counts_is_named():
    described = host._described({"kind": "command", "command": ["cat", "/count"], "name": "device", "host": None})
    assert described == {
        "host": None,
        "interface": None,
        "netns": None,
        "command": ["cat", "/count"],
        "name": "device",
        "counted_by": "command",
    }
    assert host._described({"kind": "none"}) is None


def test_what_tuned_prints():
    # tuned-adm 2.21
    assert host.parse_tuned("Current active profile: network-throughput\n") == "network-throughput"
    assert host.parse_tuned("") is host.parse_tuned("No current active profile.\n") is None


@pytest.mark.parametrize(
    ("link", "rings", "pause"),
    [
        (
            {"ring_sizes": {"rx": 512, "tx": 1024}, "flow_control": {"rx": True, "tx": False}},
            {"rx": 512, "tx": 1024},
            {"rx": "on", "tx": "off"},
        ),
        ({"ring_sizes": None, "flow_control": None}, None, None),
    ],
)
def test_the_rings_and_the_flow_control_of_a_port(link, rings, pause):
    port = dict.fromkeys(("interface", "driver", "bus_info", "speed_mbps", "mtu", "mac_address"))
    tcpreplay = {"version": "4.4.2", "path": "/usr/bin/tcpreplay", "netmap": {"usable": True}}
    said = host.host(facts={}, link={**port, **link}, tcpreplay=tcpreplay, netmap={"loaded": False})["interface"]
    assert (said["rings"], said["pause"]) == (rings, pause)


def test_a_test_without_tcpreplay():
    port = dict.fromkeys(
        ("interface", "driver", "bus_info", "speed_mbps", "mtu", "mac_address", "ring_sizes", "flow_control")
    )
    assert host.host(facts={}, link=port, tcpreplay=None, netmap={"loaded": True})["tcpreplay"] is None
    assert host.methods_of(tcpreplay=None, netmap={"loaded": True}, xdp=None)["netmap"]["usable"] is False


# What the modules return, on a port of Linux 6.12's virtio_net.
TCPREPLAY = {"version": "4.4.2", "path": "/usr/bin/tcpreplay", "netmap": {"usable": True, "reason": ""}}
XDP = {
    "interface": "ens17",
    "driver": "virtio_net",
    "kernel": "6.12.57",
    "architecture": "x86_64",
    "architecture_usable": True,
    "af_xdp": True,
    "zero_copy": False,
    "netmap": False,
    "sockets": [{"queue": 1, "processes": []}],
}


@pytest.mark.parametrize(
    ("change", "largest", "reason"),
    [
        ({}, 4096, ""),
        ({"netmap": None, "sockets": None}, 0, ""),
        ({}, 9000, "a frame has 9000 bytes, and xdp_replay sends at most 4096"),
        ({"architecture": "aarch64", "architecture_usable": False}, 0, "on x86_64 alone, and this is aarch64"),
        ({"af_xdp": False}, 0, "the kernel 6.12.57 has no AF_XDP (CONFIG_XDP_SOCKETS)"),
        ({"netmap": True}, 0, "netmap uses ens17"),
        (
            {"sockets": [{"queue": 0, "processes": [{"name": "suricata", "pid": 7}]}]},
            0,
            "another AF_XDP socket is on queue 0 of ens17, of suricata (7)",
        ),
    ],
)
def test_whether_a_host_has_af_xdp(change, largest, reason):
    looked = {"tcpreplay": TCPREPLAY, "netmap": {"loaded": False}, "xdp": {"xdp_info": {**XDP, **change}}}
    said = host.methods_of(**looked, largest=largest)
    assert (said["af_xdp"]["usable"], said["af_xdp"]["takes"]) == (not reason, False)
    assert said["af_xdp"]["reason"].endswith(reason)
    assert {key: said["netmap"][key] for key in ("usable", "reason", "takes")} == {
        "usable": False,
        "reason": "netmap is not loaded",
        "takes": True,
    }


@pytest.mark.parametrize(
    ("rings", "tx_rings", "rx_rings", "netmap", "queues", "af_xdp"),
    [
        ("all", 4, 5, 4, {"rx": 2, "tx": 2}, 2),
        ("all", 4, 2, 2, {"rx": 2, "tx": 2}, 2),
        ("one", 4, 4, 1, {"rx": 1, "tx": 1}, 1),
        ("all", None, None, None, None, None),
    ],
)
def test_how_many_workers_a_host_can_have(rings, tx_rings, rx_rings, netmap, queues, af_xdp):
    said = host.methods_of(
        tcpreplay={**TCPREPLAY, "netmap": {**TCPREPLAY["netmap"], "rings": rings}},
        netmap={"loaded": True, "interfaces": {"ens17": {"tx_rings": tx_rings, "rx_rings": rx_rings}}},
        xdp={"xdp_info": {**XDP, "queues": queues}},
    )
    assert (said["netmap"]["most"], said["af_xdp"]["most"]) == (netmap, af_xdp)


def test_a_port_that_zero_copy_takes_for_itself():
    for driver, takes in (("ixgbe", True), ("igb", False)):
        xdp = {"xdp_info": {**XDP, "driver": driver, "zero_copy": True}}
        assert host.methods_of(tcpreplay=None, netmap={"loaded": True}, xdp=xdp)["af_xdp"]["takes"] is takes


def test_what_cannot_be_looked_at_has_its_reason():
    said = host.methods_of(tcpreplay=None, netmap={"loaded": True}, xdp={"failed": True, "msg": "No such device."})
    assert said["af_xdp"]["reason"] == "No such device."


@pytest.mark.parametrize(
    ("settings", "receiver", "says"),
    [
        ({"receive_wait": 2, "settle": 5}, {"host": "sink"}, []),
        ({}, {"host": "sink"}, []),  # a result of a release before these were set
        ({"receive_wait": 0.5, "settle": 5}, {"host": "sink"}, ["waited for 0.5 s"]),
        ({"receive_wait": 0, "settle": 0}, {"host": "sink"}, ["waited for 0 s", "began 0 s later"]),
        ({"receive_wait": 0, "settle": 0}, None, []),
    ],
)
def test_waits_shorter_than_rfc_2544_section_23_are_said(settings, receiver, says):
    said = result._hasty(settings, {"gen1": {"host": {"receiver": receiver}}})
    assert len(said) == len(says) and all(part in sentence for part, sentence in zip(says, said))


def test_the_waits_are_in_the_result_and_its_notes():
    given = material({"gen1": [ran(100.0)]})
    given["settings"] = {**given["settings"], "receive_wait": 0.5, "settle": 1.0}
    given["hosts"]["gen1"]["host"] = {**given["hosts"]["gen1"]["host"], "receiver": {"host": "sink"}}
    made = result.assemble(given)
    assert (made["settings"]["receive_wait"], made["settings"]["settle"]) == (0.5, 1.0)
    assert len([note for note in made["notes"] if "RFC 2544 says" in note]) == 2
