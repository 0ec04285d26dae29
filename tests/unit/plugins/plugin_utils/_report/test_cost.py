# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report costs: four times the trials take some four times as long, whatever they differ in."""

from __future__ import annotations

import copy
import gc
import json
import time
from pathlib import Path

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.html import to_html
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.model import Cell, Table
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.junit import junit
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.record import Record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import of_record

pytest.importorskip("pygal")
pytest.importorskip("junitparser")

BASE = json.loads(
    (Path(__file__).parents[4] / "fixtures" / "throughput" / "first_user.json").read_text(encoding="utf-8")
)
FEW, MANY = 250, 1000  # trials
MOST = 8  # times as long; what is squared takes 16 times
FORMS = {
    "junit": junit,
    "markdown": lambda result: to_markdown(page(result)),
    "html": lambda result: to_html(page(result)),
    "a comparison": lambda result: to_html(page([result, result])),
}


def of(count, differ):
    """A result of so many trials, pairs of the kernel path and netmap, that differ in one thing, or are the repeats of
    two."""
    host = next(iter(BASE["hosts"].values()))
    trials, traffic, hosts = [], {}, {}
    for number in range(count):
        trial = copy.deepcopy(BASE["trials"][0])
        pair = number // 2
        trial["number"] = number + 1
        trial["traffic"]["name"] = f"traffic{pair}" if differ == "traffic" else "traffic"
        trial["host"] = f"gen{pair}" if differ == "hosts" else "gen"
        trial["rate"] = {"pps": pair + 1 if differ == "rates" else 1000}
        trial["injection_method"] = trial["run"]["injection_method"] = ("pf_packet", "netmap")[number % 2]
        if differ == "errors":
            trial.update(status="failed", error=f"it broke {number}", stats=None, rates=None, run=None, counters=None)
        if differ == "reasons":
            trial["counters"].update(verdict="short", reason=f"because of {number}", loss_ratio=None, rx=None)
        trials.append(trial)
        traffic[trial["traffic"]["name"]] = {**BASE["traffic"][0], "name": trial["traffic"]["name"]}
        hosts[trial["host"]] = host
    return {**BASE, "trials": trials, "traffic": list(traffic.values()), "hosts": hosts, "fleet": []}


def seconds_of(work, given):
    """CPU seconds of this process, without the garbage collector's: what it walks through are the other tests' objects,
    too."""
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        work(given)
        return time.process_time() - started
    finally:
        gc.enable()


def assert_linear(work, few, many):
    """The best of up to three tries at the larger, which ends with the first that was quick enough."""
    best = min(seconds_of(work, few) for _time in range(2))
    tries = []
    while not tries or (min(tries) >= MOST * best and len(tries) < 3):
        tries.append(seconds_of(work, many))
    assert min(tries) < MOST * best, f"the smaller took {best:.2f} s, the larger {min(tries):.2f} s"


# HTML is made of the page that Markdown is made of, too.
@pytest.mark.parametrize(
    ("form", "differ"),
    [
        *(("html", differ) for differ in ("repeats", "traffic", "rates", "hosts", "errors", "reasons")),
        ("markdown", "reasons"),
        ("junit", "repeats"),
        ("a comparison", "traffic"),
    ],
)
def test_it_is_linear(form, differ):
    FORMS[form](of(4, differ))  # what is done once
    assert_linear(FORMS[form], of(FEW, differ), of(MANY, differ))


def test_notes_are_numbered_in_linear_time():
    def number(count):
        cells = [Cell("", notes=(f"note {index}",)) for index in range(count)]
        table = Table("", [], [cells, cells])
        assert [table.note_numbers(cell) for cell in cells] == [[index + 1] for index in range(count)]
        assert len(table.notes) == count

    assert_linear(number, 4000, 16000)


def test_a_result_is_made_of_a_record_in_linear_time():
    def record(count):
        asked = [{"name": "scan", "pcap": "/scan.pcap"}]
        hosts = {f"gen{number}": {"methods": {}, "link_speed_mbps": None, "traffic": []} for number in range(2)}
        planned = plan(asked, rates=[{"topspeed": True}], methods=["auto"], repeats=count, hosts=None)
        for item in planned["trials"]:
            item["hosts"] = list(hosts)
        made = Record(
            {**BASE, "plan": planned, "hosts": {name: {"host": {}, "traffic": []} for name in hosts}, "criteria": []}
        )
        for item in planned["trials"]:
            for name in hosts:
                made.trials[name, item["number"]] = {
                    **BASE["trials"][0],
                    "number": item["number"],
                    "host": name,
                    "traffic": {"name": "scan"},
                    "rate": item["rate"],
                    "injection_method": "auto",
                    "repeat": item["repeat"],
                }
        return made

    def finish(made):
        assert made.todo() == []
        return of_record(made)

    assert_linear(finish, record(1000), record(4000))
