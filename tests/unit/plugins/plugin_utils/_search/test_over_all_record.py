# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what a search over several hosts leaves: its plan, its record, its result, and their reports."""

from __future__ import annotations

import pytest

pytest.importorskip("MLRsearch")

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.over_all import options_for
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import record as module
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.junit import junit
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import judged, of_record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import trial
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import (
    TRAFFIC,
    devices,
    own,
    shared,
)

BOTH = ("forward", "reverse")
OPTIONS = {"max_pps": 1000, "min_pps": 10, "width": 0.1, "final_duration": 10}
ASKED = [{"name": "scan", "pcap": "/scan.pcap"}]


def header(hosts=BOTH, methods=("auto",), able=None, traffic=None):
    """What the role knows before the first trial."""
    interface = {"name": "ens17", "link_speed_mbps": 10000}
    found = {
        name: {
            "methods": (able or {}).get(name, {}),
            "link_speed_mbps": 10000,
            "host": {"interface": interface},
            "traffic": [(traffic or {}).get(name, TRAFFIC)],
        }
        for name in hosts
    }
    options = {"rates": [], "search": "rfc2544", "search_options": OPTIONS, "search_over": "all", "hosts": found}
    return {
        "name": "a test",
        "collection_version": "0.2.0",
        "ansible_version": "2.19.14",
        "started": 1000.0,
        "settings": {"search": "rfc2544", "search_options": OPTIONS, "search_over": "all"},
        "traffic": ASKED,
        "plan": plan(ASKED, methods=methods and list(methods), **options),
        "criteria": [],
        "hosts": found,
    }


def lines(method, following, measured, missing=()):
    """A trial's lines in the record, one for each host, from simulated devices' figures."""
    made = []
    for name, one in measured["hosts"].items():
        item = {"number": following["number"], "injection_method": method, "rate": {"pps": 1}, "repeat": None}
        seconds, sent = one["seconds"], one["sent"]
        ran = {
            "stats": {"packets": sent, "pps": sent / seconds, "seconds": seconds},
            "rates": {"pps": sent / seconds, "l1_mbps": None, "l2_mbps": None},
            "run": {"started": 1010.0, "ended": 1020.0, "engine": "tcpreplay", "injection_method": "pf_packet"},
            "counters": {
                "tx": None,
                "rx": {"packets": sent - one["lost"]},
                "loss_packets": one["lost"],
                "loss_ratio": one["lost"] / sent,
                "verdict": "consistent",
                "reason": "",
            },
        }
        if name in missing:
            ran = {"unreachable": True, "msg": "No route to host"}
        load = {"asked_pps": following["pps"], "duration": following["duration"]}
        made.append({"step": load, "trial": trial(item, ran, host=name, traffic=TRAFFIC)})
    return made


def next_trial(path, method="auto"):
    """What the role chooses, from what is in the record."""
    record = module.read_record(path)
    item = next(one for one in record.plan["plan"]["searches"] if one["injection_method"] == method)
    options = options_for(record.plan["hosts"], "scan", OPTIONS, together=True)
    return step(record.measured_together(item), check_settings("rfc2544", **options))["next"]


def search(path, measure, method="auto", **how):
    while following := next_trial(path, method):
        for line in lines(method, following, measure(following["pps"], following["duration"]), **how):
            module.append(path, line)


@pytest.fixture
def path(tmp_path):
    return tmp_path / module.FILE


def test_a_search_is_one_entry_of_all_hosts(path):
    module.begin(path, header())
    search(path, devices(BOTH, shared(800)))
    module.append(path, {"ended": 3000.0, "broke": {}})
    result = judged(of_record(module.read_record(path)))
    (found,) = result["searches"]
    assert (found["host"], found["hosts"], result["passed"]) == ("forward, reverse", list(BOTH), True)
    assert found["traffic"] == {"name": "scan", "ip_size": 64, "frame_size": 78, "wire_frame_size": 82}
    assert 350 < found["found"]["lower_pps"] <= 400
    assert found["found"]["aggregate"]["lower_pps"] == 2 * found["found"]["lower_pps"]
    assert found["trials"][0]["hosts"]["reverse"]["counters"]["rx"]["packets"] == 4000
    # Trials that are sent together take their time once.
    assert result["trial_seconds"] == 10 * len(found["trials"])


def test_a_trial_that_not_all_have_made_is_made_again(path):
    """As after SIGKILL between two hosts' lines. What is in the record is gone on from, and nothing is taken twice."""
    begun, measure = header(), devices(BOTH, shared(800))
    module.begin(path, begun)
    first = next_trial(path)
    for line in lines("auto", first, measure(first["pps"], first["duration"])):
        module.append(path, line)
    second = next_trial(path)
    assert second["number"] == 2
    module.append(path, lines("auto", second, measure(second["pps"], second["duration"]))[0])
    assert next_trial(path) == second
    result = of_record(module.read_record(path))
    assert result["unfinished"] == {"made": 0, "planned": 1, "what": "searches"}
    assert [len(one["trials"]) for one in result["searches"]] == [1]
    record = module.resume(path, begun)
    assert [(one["host"], len(one["measured"])) for one in record.searched()] == [("", 1)]
    search(path, measure)
    module.append(path, {"ended": 3000.0, "broke": {}})
    assert of_record(module.read_record(path))["passed"]


def test_another_search_over_is_another_test(path):
    begun = header()
    module.begin(path, begun)
    begun["settings"] = {**begun["settings"], "search_over": "each"}
    with pytest.raises(TrafficgenError, match="throughput_search_over was all, and is each"):
        module.resume(path, begun)


def test_a_host_that_goes_away_ends_the_search_and_those_after_it(path):
    able = {name: {"netmap": {"usable": True}} for name in BOTH}
    module.begin(path, header(methods=("auto", "netmap"), able=able))
    search(path, devices(BOTH, shared(800)), missing=["reverse"])
    module.append(path, {"ended": 3000.0, "broke": {}})
    result = judged(of_record(module.read_record(path)))
    first, second = result["searches"]
    assert (first["status"], len(first["trials"])) == ("failed", 1)
    assert "reverse: it failed: the host went away: No route to host." in first["reason"]
    assert (second["status"], second["hosts"], second["trials"]) == ("failed", list(BOTH), [])
    assert second["reason"] == "reverse: the host went away in an earlier search"
    assert [failure.partition(":")[0] for failure in result["failures"]] == [
        "forward, reverse, search rfc2544 of scan, auto",
        "forward, reverse, search rfc2544 of scan, netmap",
    ]


def test_a_host_that_broke_is_named(path):
    module.begin(path, header())
    first = next_trial(path)
    for line in lines("auto", first, devices(BOTH, shared(800))(first["pps"], first["duration"])):
        module.append(path, line)
    module.append(path, {"ended": 3000.0, "broke": {"reverse": "Send: no room"}})
    (found,) = of_record(module.read_record(path))["searches"]
    assert (found["status"], found["reason"]) == ("failed", "reverse: Send: no room")


def test_sizes_that_differ_are_none_of_the_search(path):
    module.begin(path, header(traffic={"reverse": {**TRAFFIC, "frame_size": 1514, "wire_frame_size": 1518}}))
    search(path, devices(BOTH, shared(800)))
    (found,) = of_record(module.read_record(path))["searches"]
    assert found["traffic"] == {"name": "scan", "ip_size": 64, "frame_size": None, "wire_frame_size": None}
    assert found["found"]["l1_mbps"] is None


# --- The plan ---


def test_a_method_that_not_all_have_is_not_searched_by():
    able = {"forward": {"netmap": {"usable": True}}, "reverse": {"netmap": {"usable": False, "reason": "not loaded"}}}
    planned = header(methods=None, able={name: {**one, "af_xdp": {"usable": False}} for name, one in able.items()})[
        "plan"
    ]
    assert [(one["injection_method"], one["hosts"]) for one in planned["searches"]] == [("auto", list(BOTH))]
    assert "reverse is tested without netmap: not loaded." in planned["notes"]
    assert any(
        note.startswith("There is no search by netmap, as throughput_search_over is all") for note in planned["notes"]
    )


def test_traffic_of_one_host_only_is_refused():
    with pytest.raises(TrafficgenError, match=r"throughput_traffic, scan: reverse cannot send it"):
        header(traffic={"reverse": {**TRAFFIC, "name": "other"}})


# --- The reports ---


def test_reports_show_the_load_and_each_host(path):
    module.begin(path, header())
    search(path, devices(BOTH, own(forward=600, reverse=400)))
    module.append(path, {"ended": 3000.0, "broke": {}})
    result = judged(of_record(module.read_record(path)))
    text = to_markdown(page(result))
    table = next(line for line in text.splitlines() if line.startswith("| scan") and "2 interfaces, each" in line)
    lower = result["searches"][0]["found"]["lower_pps"]
    assert f"| {2 * lower:,.2f} (2 x {lower:,.2f}) |" in table
    assert "2 interfaces, each: forward, reverse." in text
    assert "has one load for all" in text
    rows = [line for line in text.splitlines() if line.startswith("| RFC2544 of scan")]
    assert [row.split("|")[2].strip() for row in rows] == ["forward", "reverse"]
    steps = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| 1 ")]
    assert [row[1] for row in steps] == ["all", "forward", "reverse"]
    # asked, sent, and what of it was received and lost
    assert [(row[5], row[6], row[7]) for row in steps] == [
        ("20,000", "10,000", "10,000"),
        ("10,000", "6,000", "4,000"),
        ("10,000", "4,000", "6,000"),
    ]
    pytest.importorskip("junitparser")
    assert "forward, reverse, rfc2544: scan, auto" in junit(result)


def test_the_report_of_one_that_found_nothing(path):
    module.begin(path, header())
    search(path, devices(BOTH, own(forward=600, reverse=0)))
    module.append(path, {"ended": 3000.0, "broke": {}})
    result = judged(of_record(module.read_record(path)))
    assert not result["passed"]
    assert "that direction is dead" in to_markdown(page(result))
