# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the record of trials: each line is whole or absent, what is left to do, and what counts as another test. And
of the files made from it."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import resource
import signal

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import files
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import record as module
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import load, of_record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import trial
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.plugin_utils._search.simulated import TRAFFIC

INTERFACE = {"name": "ens17", "netns": None, "driver": "ixgbe", "link_speed_mbps": 10000, "mtu": 1500}


def header(hosts=("gen1", "gen2"), *, repeats=3, warmup=0, search=None, criteria=(), **keys):
    """What the role knows before the first trial."""
    found = {name: {"methods": {}, "link_speed_mbps": 10000, "traffic": [TRAFFIC]} for name in hosts}
    settings = {
        "repeats": repeats,
        "search": search,
        "search_options": {},
        "start_margin": 3.0,
        "rates": [{"pps": 100}],
    }
    asked = [{"name": "scan", "pcap": "/scan.pcap"}]
    planned = plan(
        asked,
        rates=[{"pps": 100}, {"pps": 200}],
        methods=["auto"],
        repeats=repeats,
        warmup=warmup,
        search=search,
        hosts=found,
    )
    return {
        "name": "a test",
        "collection_version": "0.2.0",
        "ansible_version": "2.19.14",
        "started": 1000.0,
        "settings": settings,
        "traffic": asked,
        "plan": planned,
        "criteria": list(criteria),
        "hosts": {name: {"host": {"kernel": "6.1", "interface": INTERFACE}, "traffic": [TRAFFIC]} for name in hosts},
        **keys,
    }


def ran(pps=100.0, started=1010.0, lost=0, seconds=10.0):
    packets = int(pps * seconds)
    return {
        "stats": {"packets": packets, "pps": pps, "seconds": seconds},
        "rates": {"pps": pps, "l1_mbps": pps * 102 * 8 / 1e6, "l2_mbps": pps * 82 * 8 / 1e6},
        "run": {"started": started, "ended": started + seconds, "capped": False},
        "counters": {
            "tx": None,
            "rx": None,
            "loss_packets": lost,
            "loss_ratio": lost / packets,
            "verdict": "consistent",
            "reason": "",
        },
    }


def made(item, host, **how):
    return {"trial": trial(item, ran(**how), host=host, traffic=TRAFFIC)}


def numbered(begun):
    return [item for item in begun["plan"]["trials"] if not item["warmup"]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / module.FILE


def test_each_line_is_read_back(path):
    begun = header()
    assert module.begin(path, begun) is None
    for item in numbered(begun)[:2]:
        for host in item["hosts"]:
            module.append(path, made(item, host))
    module.append(path, made(numbered(begun)[2], "gen1"))
    record = module.read_record(path)
    assert sorted(record.trials) == [("gen1", 1), ("gen1", 2), ("gen1", 3), ("gen2", 1), ("gen2", 2)]
    # gen2 has no third trial: all repeat it, since they start together.
    assert [item["number"] for item in record.todo()] == [3, 4, 5, 6]
    assert (record.left(), record.planned(), record.made()) == (True, 12, 5)


def test_a_line_that_is_torn_at_any_place_is_none(path):
    begun = header(["gen1"])
    module.begin(path, begun)
    module.append(path, made(numbered(begun)[0], "gen1"))
    whole = path.read_bytes()
    module.append(path, made(numbered(begun)[1], "gen1", pps=123.0))
    text = path.read_bytes()
    for end in range(len(whole), len(text)):
        path.write_bytes(text[:end])
        assert list(module.read_record(path).trials) == [("gen1", 1)]
        # The next one takes its place.
        module.append(path, made(numbered(begun)[2], "gen1"))
        assert list(module.read_record(path).trials) == [("gen1", 1), ("gen1", 3)]
    path.write_bytes(whole + bytes(500) + b"\n")  # as a power cut may leave it
    assert list(module.read_record(path).trials) == [("gen1", 1)]


def test_a_line_in_the_middle_that_is_none_is_said(path):
    module.begin(path, header(["gen1"]))
    for what, line in (("is not JSON", b"{\n"), ("is not a trial", b"{}\n"), ("has no", b'{"trial": {}}\n')):
        module.append(path, made(numbered(header(["gen1"]))[0], "gen1"))
        text = path.read_bytes()
        path.write_bytes(text + line + text.splitlines(keepends=True)[1])
        with pytest.raises(TrafficgenError, match=rf"trials\.jsonl, line {len(text.splitlines()) + 1}: .*{what}"):
            module.read_record(path)
        path.write_bytes(text)


@pytest.mark.parametrize("size", [0, 1, 100, 4000])
def test_a_full_disk_keeps_what_is_there(path, size):
    """A file size limit acts like a full disk: a part is written, then nothing."""
    begun = header(["gen1"])
    module.begin(path, begun)
    module.append(path, made(numbered(begun)[0], "gen1"))
    before = path.read_bytes()
    entry = made(numbered(begun)[1], "gen1")
    entry["trial"]["error"] = "x" * 5000
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + size, limits[1]))
        with pytest.raises(
            TrafficgenError,
            match=r"trials\.jsonl: cannot be written: .*Free some space, then resume",
        ):
            module.append(path, entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == before
    module.append(path, entry)
    assert len(module.read_record(path).trials) == 2


def _many(path, host, begun):
    for item in numbered(begun):
        module.append(path, made(item, host, pps=100.0))


def test_hosts_that_write_at_the_same_time(path):
    hosts = [f"gen{number}" for number in range(8)]
    begun = header(hosts, repeats=20)
    module.begin(path, begun)
    workers = [multiprocessing.get_context("fork").Process(target=_many, args=(path, host, begun)) for host in hosts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(module.read_record(path).trials) == 8 * 40
    assert not module.read_record(path).left()


def test_a_warm_up_is_made_where_a_trial_follows(path):
    begun = header(["gen1"], warmup=2)
    module.begin(path, begun)
    for item in numbered(begun)[:4]:  # all of the first rate, one of the second
        module.append(path, made(item, "gen1"))
    assert [(item["warmup"], item["number"]) for item in module.read_record(path).todo()] == [
        (True, 4),
        (False, 5),
        (False, 6),
    ]


def test_what_a_node_said_stays_as_it_is(path):
    begun = header(["gen1"])
    module.begin(path, begun)
    entry = made(numbered(begun)[0], "gen1")
    entry["trial"]["error"] = "{{ lookup('pipe', 'id') }} \udcff"
    entry["trial"]["stats"] = {"packets": 10**400, "pps": float("nan")}
    module.append(path, entry)
    kept = module.read_record(path).trials["gen1", 1]
    assert kept["error"] == "{{ lookup('pipe', 'id') }} \\udcff"
    assert kept["stats"] == {"packets": None, "pps": None}


# --- Going on ---


def test_the_same_test_goes_on(path):
    module.begin(path, header())
    again = header(started=2000.0, ansible_version="2.21.0", criteria=[{"name": "a", "expression": "b"}])
    again["settings"]["start_margin"] = 9.0
    module.resume(path, json.loads(json.dumps(again)))
    record = module.read_record(path)
    assert (record.plan["started"], len(record.resumed)) == (1000.0, 1)


def whole(path):
    """A test that has ended with all its trials."""
    module.begin(path, header(["gen1"]))
    for item in module.read_record(path).todo():
        module.append(path, made(item, "gen1"))
    module.end(path, {})
    return path.read_bytes()


def test_a_finished_test_is_not_interrupted_by_a_look_at_it(path):
    """Its time goes on counting to its own end, and no note tells of an interruption."""
    kept = whole(path)
    module.resume(path, header(["gen1"]))
    module.end(path, {})
    assert path.read_bytes() == kept


def test_an_unfinished_test_of_which_reports_are_made_stays_unwhole(path):
    module.begin(path, header(["gen1"]))
    module.append(path, made(numbered(header(["gen1"]))[0], "gen1"))
    kept = path.read_bytes()
    assert module.resume(path, header(["gen1"]), sends=False).left()
    assert path.read_bytes() == kept


def test_criteria_of_a_later_run_are_those_that_judge(path):
    whole(path)
    other = [{"name": "b", "expression": "length(trials) > `1`"}]
    assert module.resume(path, header(["gen1"], criteria=other), sends=False).plan["criteria"] == other
    record = module.read_record(path)
    assert (record.plan["criteria"], record.complete(), record.resumed) == (other, True, [])


def test_what_ended_before_its_last_trial_goes_on(path):
    module.begin(path, header(["gen1"]))
    module.end(path, {"gen1": "the host went away"})
    module.resume(path, header(["gen1"]))
    record = module.read_record(path)
    assert (len(record.resumed), record.ended) == (1, None)


def changed(tree, way, value):
    tree = copy.deepcopy(tree)
    at = tree
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return tree


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (header(repeats=4), "throughput_repeats was 3, and is 4"),
        (
            changed(header(), ("settings", "rates"), [{"pps": 7}]),
            r'throughput_rates was \[{"pps": 100}\], and is \[{"pps": 7}\]',
        ),
        (changed(header(), ("settings", "new"), 1), "throughput_new was not set, and is 1"),
        (changed(header(), ("name",), "another"), "throughput_name was a test, and is another"),
        (
            changed(header(), ("traffic", 0, "pcap"), "/b.pcap"),
            r"throughput_traffic \(scan: pcap\) was /scan.pcap, and is /b.pcap",
        ),
        (changed(header(), ("traffic", 0, "name"), "b"), "throughput_traffic was scan, and is b"),
        (header(["gen1"]), r"the hosts \(inventory, target, --limit\) were gen1, gen2, and are gen1"),
        (
            changed(header(), ("hosts", "gen2", "host", "interface"), {**INTERFACE, "name": "b"}),
            "gen2: throughput_interface was ens17",
        ),
        (changed(header(), ("hosts", "gen2", "host", "kernel"), "6.2"), "gen2: its kernel was 6.1, and is 6.2"),
        (
            changed(header(), ("hosts", "gen2", "traffic", 0, "sha256"), "cd"),
            "gen1: the SHA-256 of the pcap of scan was abab",
        ),
        (changed(header(), ("plan", "trials"), []), r"the trials that are planned \(throughput_methods"),
        (changed(header(), ("collection_version",), "9"), "the version of wirespeed.trafficgen was 0.2.0, and is 9"),
    ],
)
def test_another_test_is_refused(path, now, said):
    module.begin(path, header())
    before = path.read_bytes()
    with pytest.raises(TrafficgenError, match=f"not the test that was started there: {said}.*Set these as they were"):
        module.resume(path, now)
    assert path.read_bytes() == before


def test_an_unfinished_one_is_put_aside(path):
    begun = header(["gen1"], repeats=1)
    module.begin(path, begun)
    assert module.begin(path, begun) is None  # nothing was made, so nothing is kept
    module.append(path, made(numbered(begun)[0], "gen1"))
    kept = module.begin(path, begun)
    assert list(module.read_record(kept).trials) == [("gen1", 1)]
    assert module.read_record(path).trials == {}
    for item in numbered(begun):
        module.append(path, made(item, "gen1"))
    assert module.begin(path, begun) is None  # it was complete, and its result was there
    assert len(list(path.parent.iterdir())) == 2


# --- The result of it ---


def test_an_unfinished_result(path):
    begun = header()
    module.begin(path, begun)
    for host in ("gen1", "gen2"):
        module.append(path, made(numbered(begun)[0], host))
    module.append(path, made(numbered(begun)[1], "gen1", started=1030.0))
    result = of_record(module.read_record(path))
    assert result["unfinished"] == {"made": 3, "planned": 12, "what": "trials"}
    assert (len(result["trials"]), result["passed"], result["ended"]) == (3, False, 1040.0)
    assert result["failures"] == [
        "The test is unfinished: 3 of 12 trials were made. Set throughput_resume to go on with it."
    ]
    assert load(json.dumps(result)) == result


def test_a_host_that_broke_off_and_a_test_that_went_on(path):
    begun = header(["gen1"], repeats=1)
    module.begin(path, begun)
    module.append(path, made(numbered(begun)[0], "gen1"))
    module.append(path, {"ended": 1500.0, "broke": {"gen1": "no room"}})
    first = of_record(module.read_record(path))
    assert (first["unfinished"], first["ended"]) == (None, 1500.0)
    assert [one["error"] for one in first["trials"]] == [None, "not sent, since no room"]
    module.resume(path, begun)
    assert [item["number"] for item in module.read_record(path).todo()] == [2]
    module.append(path, made(numbered(begun)[1], "gen1", pps=200.0))
    module.append(path, {"ended": 2500.0, "broke": {}})
    result = of_record(module.read_record(path))
    assert (result["passed"], result["unfinished"], [one["number"] for one in result["trials"]]) == (True, None, [1, 2])
    assert any("was interrupted after 1 trial, and resumed" in note for note in result["notes"])


def test_a_search_is_replayed(path):
    """Each step is measured as the one before has it; read back at any step, the search wants the same next one."""
    pytest.importorskip("MLRsearch")
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
    from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import check_search

    begun = header(["gen1"], search="rfc2544")
    begun["settings"]["search_options"] = {"max_pps": 1000, "min_pps": 10, "width": 0.1, "final_duration": 10}
    asked = check_search(
        "", "rfc2544", {"wire_frame_size": 82, "link_speed_mbps": 10000, **begun["settings"]["search_options"]}
    )
    module.begin(path, begun)
    search = ("gen1", "scan", "auto")
    while True:
        measured = module.read_record(path).measured(search)
        result = of_record(module.read_record(path))
        now = step(measured, asked)
        if now["done"]:
            break
        assert result["unfinished"] == {"made": 0, "planned": 1, "what": "searches"}
        assert [len(one["trials"]) for one in result["searches"]] == ([len(measured)] if measured else [])
        pps = now["next"]["pps"]
        item = {
            "number": now["next"]["number"],
            "traffic": "scan",
            "injection_method": "auto",
            "rate": {"pps": pps},
            "repeat": None,
            "warmup": False,
            "hosts": ["gen1"],
        }
        lost = max(0, int(pps * 10) - 4000)  # a device of 400 frames a second
        entry = made(item, "gen1", pps=pps, lost=lost)
        module.append(path, {"step": {"asked_pps": pps, "duration": now["next"]["duration"]}, **entry})
    module.append(path, {"ended": 3000.0, "broke": {}})
    found = of_record(module.read_record(path))
    assert found["passed"]
    assert 340 < found["searches"][0]["found"]["lower_pps"] <= 400


# --- The files ---


def finished(path, **keys):
    begun = header(["gen1"], repeats=1, **keys)
    module.begin(path, begun)
    for item in numbered(begun):
        module.append(path, made(item, "gen1"))
    module.append(path, {"ended": 2000.0, "broke": {}})


def test_the_result_is_written_before_it_is_judged(path, monkeypatch):
    pytest.importorskip("jmespath")
    finished(path, criteria=[{"name": "a", "expression": "length(trials) == `2`"}])
    seen = []

    def judged(result):
        seen.append(load((path.parent / "result.json").read_text(encoding="utf-8")))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files, "judged", judged)
        files.finish(path.parent, [])
    assert seen[0]["criteria"][0]["error"] == "not judged"
    assert seen[0]["passed"] is False
    assert files.finish(path.parent, [])["result"]["passed"] is True


@pytest.mark.parametrize(
    "error", [TrafficgenError("is wrong"), KeyError("name"), RecursionError("too deep"), MemoryError()]
)
def test_a_report_that_cannot_be_made_keeps_no_other(path, monkeypatch, error):
    finished(path)

    def refuse(result):
        raise error

    broken = dict(files.REPORTS, html=("report.html", refuse))
    monkeypatch.setattr(files, "REPORTS", broken)
    done = files.finish(path.parent, ["html", "markdown", "junit"])
    assert done["written"] == ["result.json", "report.md", "junit.xml"]
    assert len(done["problems"]) == 1
    assert done["problems"][0].startswith("report.html could not be made: ")
    assert sorted(os.listdir(path.parent)) == ["junit.xml", "report.md", "result.json", "trials.jsonl"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(path):
    (path.parent / "report.md").write_text("old", encoding="utf-8")
    finished(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        with pytest.raises(TrafficgenError, match=r"report\.md: cannot be written: File too large.*report_results"):
            files.write(path.parent / "report.md", "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert sorted(os.listdir(path.parent)) == ["report.md", "trials.jsonl"]
    assert (path.parent / "report.md").read_text(encoding="utf-8") == "old"


def test_an_unfinished_folder_is_reported(path, tmp_path):
    begun = header(["gen1"])
    module.begin(path, begun)
    module.append(path, made(numbered(begun)[0], "gen1"))
    (path.parent / "result.json").write_text("stale", encoding="utf-8")
    to = tmp_path / "to"
    to.mkdir()
    done = files.report([str(path.parent)], to, ["markdown", "html", "junit"])
    assert done["written"] == ["result.json", "report.md", "report.html", "junit.xml"]
    for name in ("report.md", "report.html"):
        assert "Unfinished: 1 of 6 trials" in (to / name).read_text(encoding="utf-8")
    assert "The test is unfinished: 1 of 6 trials were made." in (to / "junit.xml").read_text(encoding="utf-8")
    assert load((to / "result.json").read_text(encoding="utf-8"))["unfinished"] == {
        "made": 1,
        "planned": 6,
        "what": "trials",
    }
    # Beside another result, and by the record's own name.
    assert files.report([str(path), str(to / "result.json")], to, ["markdown"])["written"] == ["report.md"]


def test_what_is_no_result_is_said(tmp_path):
    for name, content, said in (
        ("a.json", b"\xff", "is not text in UTF-8"),
        ("b.jsonl", b"", "has no whole line"),
        ("c.jsonl", b"{}\n", "is not a record"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TrafficgenError, match=f"{name}.*{said}"):
            files.report([str(tmp_path / name)], tmp_path, ["markdown"])
    with pytest.raises(TrafficgenError, match=r"result\.json: cannot be read: No such file"):
        files.report([str(tmp_path)], tmp_path, ["markdown"])
