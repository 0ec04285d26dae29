# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs what the documentation prints, as it stands: each plugin's EXAMPLES, the tasks and plays of README and guides.

It wants namespaces of its own (root): ``ens17`` and ``ens18`` are the ends of a veth, as are ``snd0`` in the namespace
sender and ``rcv0`` in receiver. All hosts are this one. First all runs for real, then with --check. A warning that is
not expected is an error, as is a long run without a line of its progress, and no fact is injected as a variable.

run.py [--quick] FOLDER [NAME…]: all, or what is named. With --quick for another version of Ansible: each module, each
filter and one throughput test, and nothing with --check.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# What a virtual port or this machine does not have: a task's name, and what it then says.
LACKING = {
    "See that it is loaded": "netmap",
    "See that the test interface has a native driver": "",
    "Fill half the line for ten seconds through netmap": "netmap",
    "Without copying, or not at all": "mode zero_copy",
    "See that it sends without copying": "",
    "Refuse one whose netmap fails": "netmap",
    "Look at one that was built by hand": "/opt/tcpreplay-4.4.2/bin/tcpreplay",
    "Read a switch's counter": "rror executing command|No such file",
    "Send it through netmap": "netmap",
    "Send on two rings": "netmap",
    "Send without copying, or not at all": "mode zero_copy",
    "Repair it": "/usr/src/tcpreplay-4.4.2",
}
# It runs for three seconds; here a line is due each second.
LONG, LINE = "Send for three seconds", r"^sending: \[gen1\] => "
# What the modules warn of on these ports.
WARNINGS = r"The rate asked for was missed|Encountered 1 template error"
# Not run: what needs the role's own data (molecule's scenario throughput runs them), and what would change the machine.
NOT_HERE = ("netmap_setup", "throughput_host", "throughput_record", "roles/dev_tools/README.md")
# On one host, in this order: what they make and register, others use.
TOGETHER = ("pcap", "clock_info", "frame_counter", "mark_receiver", "tcpreplay", "xdp_replay", "reconcile")
SCAN = "/var/lib/trafficgen/tcp_port_scan_64.pcap"
RESULT = "{{ lookup('ansible.builtin.file', 'result.json') | from_json }}"
VARIABLES: dict[str, dict[str, Any]] = {
    "as_type": {"lab_packages": "", "lab_install": "false"},
    "pcap_info": {"wanted_sha256": f"{{{{ lookup('ansible.builtin.pipe', 'sha256sum {SCAN}')[:64] }}}}"},
    "stats_query": {"results": ["{{ hostvars.gen1.sent }}"]},
    "tcpreplay_release": {"version": "4.4.2"},
    "throughput_criteria": {"result": RESULT},
    "throughput_end_traffic": {
        "throughput_traffic": [{"name": "scan", "streams": [{"preset": "tcp_port_scan", "size": 64}]}],
    },
    "throughput_junit": {"result": RESULT},
    "throughput_trial": {
        "item": {
            "number": 1,
            "traffic": "scan",
            "injection_method": "auto",
            "rate": {"mbps": 100},
            "repeat": 1,
            "warmup": False,
        },
        "sizes": [{"name": "scan", "ip_size": 64, "frame_size": 78, "wire_frame_size": 82}],
        "sent": "{{ hostvars.gen1.sent }}",
    },
}
SETTINGS = {"ANSIBLE_INJECT_FACT_VARS": "false", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"}
LAB = """
ip link add ens17 numtxqueues 2 numrxqueues 2 type veth peer name ens18
ip link set ens17 address 02:00:00:00:00:01
ip link set ens18 address 02:00:00:00:00:02
ip link set ens17 up
ip link set ens18 up promisc on
ip netns add sender
ip netns add receiver
ip -n sender link add snd0 type veth peer name rcv0 netns receiver
ip -n sender link set snd0 up
ip -n receiver link set rcv0 up promisc on
ip -n receiver link add rcv1 type veth peer name rcv2
"""


def examples() -> dict[str, str]:
    """The EXAMPLES of each plugin, by its name."""
    found = dict.fromkeys(TOGETHER, "")
    for path in sorted([*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/filter/*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
                found[path.stem] = ast.literal_eval(node.value)
    return found


def of_the_guides() -> dict[str, str]:
    """The tasks and plays in README, guides and the roles' READMEs, by file and line."""
    found = {}
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]:
        text = path.read_text(encoding="utf-8")
        for block in re.finditer(r"^( *)```yaml\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
            inner = re.sub(rf"^{block[1]}", "", block[2], flags=re.MULTILINE)
            content = next(iter(yaml.safe_load_all(inner)))
            if isinstance(content, list) and any(key for one in content for key in one if key == "hosts" or "." in key):
                found[f"{path.relative_to(ROOT)}:{text[: block.start()].count(chr(10)) + 1}"] = inner
    return found


def play(name: str, text: str) -> list[dict[str, Any]]:
    """Plays of which no task's failure is the end: it is said, to be compared with what may fail."""
    content = yaml.safe_load(text)
    host = "gen1" if name in TOGETHER else name.partition(":")[0].replace("/", "_")
    are_plays = "hosts" in content[0]
    plays = content if are_plays else [{"hosts": host, "become": True, "tasks": content}]
    for one in plays:
        tasks = [told(one["tasks"])] if are_plays else [told([task]) for task in one["tasks"]]
        one.update(name=name, gather_facts=False, tasks=tasks, vars={**VARIABLES.get(name, {}), **one.get("vars", {})})
    return plays


def told(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Tasks of which a failure is a line of output, and ends them."""
    tell = {
        "name": "Tell it",
        "ansible.builtin.debug": {"msg": "SAID|{{ ansible_failed_task.name }}|{{ ansible_failed_result.msg }}"},
    }
    return {"block": tasks, "rescue": [tell]}


def run(folder: Path, name: str, plays: list[dict[str, Any]], *options: str) -> list[str]:
    """What is wrong with a run of plays."""
    if not plays:
        return []
    playbook, inventory, log = folder / f"{name}.yml", folder / "inventory.yml", folder / f"{name}.log"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
    hosts = {one["hosts"]: None for one in plays if one["hosts"] not in ("localhost", "generators")}
    groups = {"generators": {"hosts": {"gen1": None}}, "others": {"hosts": {**hosts, "receiver": None}}}
    variables = {"ansible_python_interpreter": sys.executable, "trafficgen_progress_interval": 1}
    inventory.write_text(yaml.safe_dump({**groups, "all": {"vars": variables}}))
    settings = {**SETTINGS, "ANSIBLE_ASYNC_DIR": str(folder / "async")}
    with log.open("w") as output:
        status = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), "-c", "local", *options, str(playbook)],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    printed = log.read_text()
    wrong = [f"{name}: exit status {status}"] if status else []
    said = dict(re.findall(r"\"SAID\|([^{].*?)\|(.*?)\"?$", printed, re.MULTILINE))
    wrong += [
        f"{name}: {task}: {message}"
        for task, message in said.items()
        if task not in LACKING or not re.search(LACKING[task], message)
    ]
    asked = {task.get("name") for one in plays for block in one["tasks"] for task in block["block"]}
    wrong += [f"{name}: {task}: succeeded" for task in LACKING if task in asked and task not in said and not options]
    if LONG in asked and not options and not re.search(LINE, printed, re.MULTILINE):
        wrong.append(f"{name}: {LONG}: no line of its progress")
    warnings = re.findall(r"^\[(?:DEPRECATION )?WARNING\]: .*", printed, re.MULTILINE)
    return wrong + [f"{name}: {line}" for line in warnings if not re.search(WARNINGS, line)]


def run_playbook(folder: Path, name: str, *, quick: bool) -> list[str]:
    """What is wrong with one of examples/. Its hosts are this one."""
    of = ROOT / "examples" / name
    here = folder / name
    here.mkdir()
    (folder / "vars.json").write_text(
        json.dumps({"ansible_python_interpreter": sys.executable, "ansible_become": False})
    )
    argv = ["ansible-playbook", "-i", str(of / "inventory.yml"), "-c", "local", "-e", f"@{folder}/vars.json"]
    wrong = []
    # What lab-machine would build for minutes, the stages dnf and guest do.
    for_real = name != "lab-machine"
    for options in ([] if quick else [["--check"]]) + ([[]] if for_real else []):
        done = subprocess.run(
            [*argv, str(of / "playbook.yml"), *options],
            cwd=here,
            env={**os.environ, **SETTINGS, "PWD": str(here)},  # to which the role's relative folders are
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        warnings = re.findall(r"^\[(?:DEPRECATION )?WARNING\]: .*", done.stdout, re.MULTILINE)
        # A kernel that the distribution does not have has no headers either.
        expected = name == "lab-machine" and "has no headers for the kernel" in done.stdout
        if (done.returncode and not expected) or [line for line in warnings if not re.search(WARNINGS, line)]:
            wrong.append(f"examples/{name} {options}: exit status {done.returncode}: {done.stdout[-3000:]}")
        if options and list(here.iterdir()):
            wrong.append(f"examples/{name}: --check has made {list(here.iterdir())}")
    return wrong


def main(folder: Path, names: list[str], *, quick: bool) -> None:
    """Run all of it, or what is named, in an empty folder."""
    samples = Path("/var/lib/trafficgen")
    made = not samples.exists()
    samples.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(samples)], check=True)
    for command in LAB.strip().splitlines():
        subprocess.run(command.split(), check=True)
    fixtures = ROOT / "tests/fixtures"
    for name in ("result", "before", "after"):
        shutil.copy(fixtures / "throughput/namespaces.json", folder / f"{name}.json")
    Path("/var/lib/trafficgen/capture.pcap").write_bytes(
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        + b"".join(struct.pack("<IIII", second, 0, 60, 60) + bytes(range(60)) for second in range(100))
    )
    recorded = (fixtures / "tcpreplay_output.txt").read_text(encoding="utf-8")
    (folder / "run.log").write_text(recorded.partition("==> paced.stdout <==\n")[2].partition("\n==> ")[0])
    printed = {
        name: text
        for name, text in {**examples(), **({} if quick else of_the_guides())}.items()
        if name.partition(":")[0] not in NOT_HERE and (not names or name in names)
    }
    # A filter knows of no check mode.
    of_filters = {path.stem for path in ROOT.glob("plugins/filter/*.py")}
    wrong = run(folder, "sent", [one for name, text in printed.items() for one in play(name, text)])
    checked = [one for name, text in printed.items() if name not in of_filters for one in play(name, text)]
    wrong += run(folder, "checked", [] if quick else checked, "--check")
    playbooks = sorted(path.name for path in (ROOT / "examples").iterdir())
    for name in ["ci"] if quick and not names else playbooks:
        if not names or name in names:
            wrong += run_playbook(folder, name, quick=quick)
    subprocess.run(["umount", str(samples)], check=True)
    if made:
        samples.rmdir()
    if wrong:
        sys.exit("\n".join(["What the documentation prints does not run as it should:", *wrong]))


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    main(Path(arguments[0]), arguments[1:], quick="--quick" in sys.argv)
