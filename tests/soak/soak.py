#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules under load, as a user would use them: many generators at once, many runs one after the other, one long
run at top speed.

It prints a table, and ends with status 1 if a frame is not accounted for, if memory, open files or the time of a run
grow, or if a file, process, namespace, table or socket is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import checks
import house
import watch

HERE = Path(__file__).parent
COLLECTION = house.OURS / "ansible_collections/wirespeed/trafficgen"
PLAYS = COLLECTION / "tests/soak"
FRAMES = 200  # in a pcap
TOP_SPEED_FRAMES = 1000
TOP_SPEED_LOOPS = 1000  # of each generator
ENDS_WITHIN = 3  # seconds after its duration


class Load:
    """One play under watch: what it was asked to send, what came of it, what is wrong."""

    def __init__(self, name: str, play: str, lab: house.Lab, variables: dict, *, every: float, limit: float) -> None:
        """``every``: seconds from sample to sample; ``limit``: seconds after which the play counts as hanging."""
        self.name = name
        self.wrong: list[str] = []
        self.runs: dict[str, list[tuple[float, float, dict]]]  # by host: start, end, result
        self.figures: dict[str, int | str] = {}
        before, self.load_before = house.files(), os.getloadavg()[0]
        results = house.OURS / "results"
        results.write_text("")
        hosts = {f"gen{pair.number:02}": pair.variables() for pair in lab.pairs}
        inventory = {
            "generators": {
                "hosts": hosts,
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            }
        }
        (house.OURS / "hosts.json").write_text(json.dumps(inventory))
        (house.OURS / "variables.json").write_text(json.dumps({"soak_folder": str(house.OURS), **variables}))
        began = time.monotonic()
        with watch.Watch(every) as self.watch, open(house.OURS / "log", "w") as log:
            self._play(play, len(hosts), results, log, limit)
        self.seconds = time.monotonic() - began
        self.load_after = os.getloadavg()[0]
        self.runs = {host: [] for host in hosts}
        for line in results.read_text().splitlines():
            host, start, end, result = json.loads(line)
            self.runs[host].append((start, end, result))
        self._add_up(lab)
        self.left = house.processes() + lab.left()
        house.end_all()
        lab.remove()
        self.left += house.new_files(before)

    def _play(self, play: str, forks: int, results: Path, log: object, limit: float) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "TMPDIR"))},
            "HOME": str(house.HOME),
            "ANSIBLE_COLLECTIONS_PATH": str(house.OURS),
            "ANSIBLE_CALLBACK_PLUGINS": str(PLAYS / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "soak_results",
            "ANSIBLE_NOCOLOR": "1",
            "SOAK_RESULTS": str(results),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        folder = Path(sys.executable).parent
        process = subprocess.Popen(
            [
                folder / "ansible-playbook",
                "-i",
                house.OURS / "hosts.json",
                "-f",
                str(forks),
                "-e",
                f"@{house.OURS / 'variables.json'}",
                PLAYS / play,
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.wrong.append(f"it had not ended after {limit:g} s")
            return
        if status != 0:
            self.wrong.append(
                f"ansible-playbook ended with status {status}:\n" + (house.OURS / "log").read_text()[-3000:]
            )

    def _add_up(self, lab: house.Lab) -> None:
        self.sent = self.dropped = self.arrived = 0
        for number, (device, arrived) in enumerate(lab.counts(), 1):
            host = f"gen{number:02}"
            sent = sum((result.get("stats") or {}).get("packets") or 0 for _start, _end, result in self.runs[host])
            self.wrong += [f"{host}: {what}" for what in checks.missing(sent, device, arrived)]
            self.sent, self.dropped, self.arrived = (
                self.sent + sent,
                self.dropped + device["dropped"],
                self.arrived + arrived,
            )

    def check(self, asked: list[dict]) -> None:
        """Compare each host's runs with what was asked: ``frames`` (None for a time), ``receiver``, ``paced``, ``name``
        each."""
        for host, runs in self.runs.items():
            if len(runs) != len(asked):
                self.wrong.append(f"{host}: {len(runs)} results of {len(asked)} runs")
            for (_start, _end, result), wanted in zip(runs, asked):
                wrong = checks.wrong_counts(
                    result, wanted["frames"], receiver=wanted["receiver"], paced=wanted["paced"]
                )
                self.wrong += [f"{host}, {wanted['name']}: {what}" for what in wrong]

    def of_kind(self, kind: str) -> list[watch.Process]:
        return [process for process in self.watch.processes.values() if process.kind == kind]

    def row(self) -> dict:
        return {
            "what": self.name,
            "runs": sum(map(len, self.runs.values())),
            "sent": self.sent,
            "arrived": self.arrived,
            "dropped": self.dropped,
            "lost": self.sent - self.arrived - self.dropped,
            "seconds": round(self.seconds, 1),
            "load": [self.load_before, self.load_after],
            "figures": {
                "all at most": self.watch.most,
                **{
                    f"{kind}, peak": max((one.peak for one in self.of_kind(kind)), default=0)
                    for kind in ("module tcpreplay", "ansible-playbook")
                },
                **self.figures,
            },
            "left": self.left,
            "wrong": self.wrong,
        }


def generators_at_once(options: argparse.Namespace) -> Load:
    """Rounds of all generators: as they come, from a common moment, at top speed."""
    # Seconds in which two slow cores have all modules ready. 12 were too few once for 20, beside other tests.
    start_in = 6 + options.generators
    rounds = [
        {"name": "as they come", "pps": 1000, "loop": 20},
        *(
            {"name": f"common start {number}", "pps": 500 * number, "loop": 10 * number + 15, "start_in": start_in}
            for number in range(1, options.rounds)
        ),
        {"name": "top speed", "topspeed": True, "loop": TOP_SPEED_LOOPS, "start_in": start_in},
    ]
    if options.short:
        rounds = [{"name": "common start", "pps": 1000, "loop": 15, "start_in": start_in}]
    load = Load(
        f"{options.generators} generators at once",
        "at_once.yml",
        house.Lab(options.generators),
        {"soak_frames": FRAMES, "soak_rounds": rounds},
        every=0.5,
        limit=120 * len(rounds) + 300,
    )
    load.check([{**one, "frames": FRAMES * one["loop"], "receiver": True, "paced": "pps" in one} for one in rounds])
    for number, one in enumerate(rounds):
        sending = [runs[number][2].get("run") for runs in load.runs.values() if len(runs) > number]
        spans = [(run["started"], run["ended"]) for run in sending if run]
        most = checks.at_once(spans) if spans else 0
        load.figures[f"{one['name']}, sending at the same time"] = most
        if "start_in" in one and most < options.generators:
            load.wrong.append(f"{one['name']}: only {most} of {options.generators} were sending at the same time")
    return load


RATES = (
    {"pps": 2000},
    {"mbps": 4},
    {"topspeed": True},
    {"l1_mbps": 6},
    {"multiplier": 1},
    {"l2_mbps": 5},
    {"pps": 15000},
    {"multiplier": 3},
)
LENGTHS = ({"loop": 1}, {"loop": 5}, {"loop": 0, "limit": 777}, {"loop": 0, "duration": 1}, {"loop": 3, "limit": 550})
PCAPS = (("small",), ("imix",), ("small", "imix"))


def plan_runs(number: int) -> list[dict]:
    """So many runs, no two alike in the first hundred and more: the cycles have no common factor."""
    runs = []
    for index in range(number):
        rate, length, pcaps = RATES[index % len(RATES)], LENGTHS[index % len(LENGTHS)], PCAPS[index % len(PCAPS)]
        frames = length["loop"] * FRAMES * len(pcaps) or None
        if "limit" in length:
            frames = min(frames or length["limit"], length["limit"])
        runs.append(
            {
                **rate,
                **length,
                "pcaps": [str(house.OURS / f"{name}.pcap") for name in pcaps],
                "receiver": index % 7 not in (2, 5),
                "name": f"{index + 1}: {rate}, {length}, {pcaps}",
                "frames": frames,
                "paced": "topspeed" not in rate,
            }
        )
    return runs


def runs_in_a_row(options: argparse.Namespace) -> Load:
    """Runs on one interface, in one loop."""
    runs = plan_runs(options.runs)
    load = Load(
        f"{options.runs} runs one after the other",
        "in_a_row.yml",
        house.Lab(1),
        {"soak_frames": FRAMES, "soak_runs": runs},
        every=0.1,
        limit=15 * options.runs + 60,
    )
    load.check(runs)
    done = [run for run in load.runs["gen01"] if not run[2].get("failed")]
    if len(done) < 4:
        return load
    begun, over = done[0][1], done[-1][1]
    # What a run takes beside its sending.
    extra = [end - start - (result["run"]["ended"] - result["run"]["started"]) for start, end, result in done]
    first, last = checks.quarters(extra)
    load.figures["seconds a run beside its sending, first and last quarter"] = f"{first:.2f} to {last:.2f}"
    if len(done) >= checks.ENOUGH and last > first * checks.SLOWER + checks.SECONDS:
        load.wrong.append(f"a run took {first:.2f} s beside its sending at first, {last:.2f} s at last")
    # A run's module and what it forks: the largest.
    modules = load.of_kind("module tcpreplay")
    peaks = [
        max((float(one.peak) for one in modules if start <= one.rss[0][0] <= end), default=0.0)
        for start, end, _result in done
    ]
    first, last = checks.quarters(peaks)
    load.figures["module's peak, first and last quarter"] = f"{first:.0f} to {last:.0f}"
    if last > first * checks.LARGER:
        load.wrong.append(f"the module's peak of memory was {first:.0f} KiB at first, {last:.0f} KiB at last")
    for number, process in enumerate(load.of_kind("ansible-playbook")):
        rss, files = (
            [value for moment, value in samples if begun <= moment <= over] for samples in (process.rss, process.files)
        )
        if len(rss) < options.runs:  # one that was there only for a while
            continue
        load.figures[f"ansible-playbook ({number})"] = f"{rss[0]} to {rss[-1]}"
        growth = rss[-1] - rss[len(rss) // 2]
        if growth > checks.ONCE + checks.RESULT * options.runs / 2:
            load.wrong.append(f"ansible-playbook grew by {growth:.0f} KiB in the last half of {options.runs} runs")
        first, last = checks.fewest(files)
        if last > first + checks.FILES:
            load.wrong.append(f"open files of ansible-playbook grew from {first} to {last}")
    return load


def long_top_speed(options: argparse.Namespace) -> Load:
    """One run as fast as it goes."""
    load = Load(
        f"{options.seconds} s of top speed",
        "top_speed.yml",
        house.Lab(1),
        {"soak_frames": TOP_SPEED_FRAMES, "soak_seconds": options.seconds},
        every=min(1.0, options.seconds / 50),
        limit=options.seconds + 120,
    )
    load.check([{"name": "the run", "frames": None, "receiver": True, "paced": False}])
    if load.wrong:
        return load
    run = load.runs["gen01"][0][2]["run"]
    if run["ended_by"] != "duration" or not 0 <= run["ended"] - run["started"] - options.seconds <= ENDS_WITHIN:
        load.wrong.append(f"it ended after {run['ended'] - run['started']:.1f} s, by {run['ended_by']}")
    watched = set()
    for number, process in enumerate(load.watch.processes.values()):
        samples = [sample for sample in process.rss if run["started"] <= sample[0] <= run["ended"]]
        if not samples or samples[-1][0] - samples[0][0] < 0.9 * options.seconds:
            continue
        watched.add(process.kind)
        spread, drift = checks.last_half(samples)
        load.figures[f"{process.kind} ({number})"] = (
            f"{samples[0][1]} to {samples[-1][1]}, spread {spread}, drift {drift:.1f}"
        )
        if spread > checks.SPREAD or abs(drift) > checks.DRIFT:
            load.wrong.append(f"memory of {process.kind}: spread {spread} KiB, drift {drift:.0f} KiB in the last half")
        files = [value for moment, value in process.files if run["started"] <= moment <= run["ended"]]
        first, last = checks.fewest(files)
        if last > first:
            load.wrong.append(f"open files of {process.kind} grew from {first} to {last}")
    if not {"module tcpreplay", "tcpreplay", "ansible-playbook"} <= watched:
        load.wrong.append(f"only {sorted(watched)} was seen all the while")
    return load


LOADS: dict[str, Callable[[argparse.Namespace], Load]] = {
    "at-once": generators_at_once,
    "in-a-row": runs_in_a_row,
    "top-speed": long_top_speed,
}


def table(rows: list[dict]) -> str:
    columns = ("what", "runs", "sent", "arrived", "dropped", "lost", "MiB", "left", "wrong", "seconds", "load")
    lines = [columns]
    for row in rows:
        figures = {
            **row,
            "MiB": f"{row['figures']['all at most'] / 1024:.0f}",
            "left": len(row["left"]),
            "wrong": len(row["wrong"]),
            "load": "{:.1f}-{:.1f}".format(*row["load"]),
        }
        lines.append(tuple(str(figures[name]) for name in columns))
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width) for index, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    )


def inside(options: argparse.Namespace) -> int:
    house.furnish()
    # As they are now: a clone may be worked on meanwhile.
    for folder in ("plugins", "meta", "tests/soak"):
        shutil.copytree(HERE.parents[1] / folder, COLLECTION / folder)
    rows = []
    for name in options.loads or LOADS:
        print(f"{time.strftime('%H:%M:%S')}  {name}", flush=True)
        rows.append(LOADS[name](options).row())
        for what in (*rows[-1]["wrong"], *(f"left: {left}" for left in rows[-1]["left"])):
            print(f"  {what}", flush=True)
    print(table(rows), "Memory is in KiB:", sep="\n")
    for row in rows:
        print(f"  {row['what']}:", "; ".join(f"{name} {value}" for name, value in row["figures"].items()))
    with open(options.descriptor, "w") as file:
        json.dump(rows, file, indent=2)
    return int(any(row["wrong"] or row["left"] for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./run soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("loads", nargs="*", choices=[*LOADS, []], metavar="LOAD", help=f"{', '.join(LOADS)} (all)")
    parser.add_argument("--short", action="store_true", help="smaller figures, in less than a minute")
    parser.add_argument("--generators", type=int, help="at once (20)")
    parser.add_argument("--rounds", type=int, help="of the generators, besides the one at top speed (5)")
    parser.add_argument("--runs", type=int, help="one after the other (200, short 12)")
    parser.add_argument("--seconds", type=int, help="at top speed (600, short 10)")
    parser.add_argument(
        "--json", type=Path, default=Path("trafficgen-soak.json"), help="the file for the figures (%(default)s)"
    )
    parser.add_argument("--descriptor", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    usual = {"generators": 20, "rounds": 5, "runs": 200, "seconds": 600}
    short = {"runs": 12, "seconds": 10}
    for name, value in {**usual, **(short if options.short else {})}.items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    if options.descriptor is not None:
        sys.exit(inside(options))
    if os.geteuid() != 0:
        sys.exit("soak: this needs root (it makes network namespaces)")
    if not os.access(options.json.absolute().parent, os.W_OK):
        sys.exit(f"soak: {options.json} cannot be written")
    with tempfile.TemporaryFile("w+") as file:
        status = house.enter([sys.executable, *sys.argv, "--descriptor", str(file.fileno())], file.fileno())
        file.seek(0)
        figures = file.read()
    if figures:
        options.json.write_text(figures)
    sys.exit(status)


if __name__ == "__main__":
    main()
