# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search over all hosts (throughput_search_over: all) finds on devices of known limits, as the role makes it.

The devices are forwarders in a namespace, whose limits nftables keeps:

- shared: two ports send to each other, through one limit for both directions. A direction carries half of it.
- two: the same with a limit for each direction. The load is the same for both, so the lower limit is found.
- fleet: four hosts send through one limit to four receivers. Each carries a quarter.

A limit's bucket lets some frames more through in a trial, so what is expected is the limit plus bucket / duration.
Needs root, tcpreplay, nftables and MLRsearch; makes namespaces bench-over-*, and removes them.

    python3 benchmarks/search_over.py [--rounds 3] [--device shared] [--device two] [--device fleet]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "bench-over"
SECONDS, BUCKET, WIDTH = 3, 1000, 0.02
SLACK = 0.01  # what the senders' starts and ends add to a trial, or take from it


@dataclass(frozen=True)
class Device:
    """``links``: pairs of ports that one bridge connects. ``ways``: who sends from which port to which. ``limits``:
    frames a second, and the ports at which they enter that share it. ``expected``: frames a second of each way."""

    links: list[tuple[str, str]]
    ways: dict[str, tuple[str, str]]
    limits: list[tuple[int, list[str]]]
    expected: float


def _devices() -> dict[str, Device]:
    both = {"forward": ("a", "b"), "reverse": ("b", "a")}
    fleet = range(1, 5)
    extra = BUCKET / SECONDS
    return {
        "shared": Device([("a", "b")], both, [(8000, ["a", "b"])], (8000 + extra) / 2),
        "two": Device([("a", "b")], both, [(3000, ["a"]), (5000, ["b"])], 3000 + extra),
        "fleet": Device(
            [(f"s{number}", f"r{number}") for number in fleet],
            {f"gen{number}": (f"s{number}", f"r{number}") for number in fleet},
            [(8000, [f"s{number}" for number in fleet])],
            (8000 + extra) / 4,
        ),
    }


def _run(*words: str, text: str | None = None) -> None:
    subprocess.run(words, check=True, input=text, text=True)


def _mac(port: str) -> str:
    return "02:00:00:00:{:02x}:{:02x}".format(*port.encode().ljust(2, b"\0"))


def _make(device: Device) -> None:
    forwarder = f"{PREFIX}-fwd"
    _run("ip", "netns", "add", forwarder)
    _quiet(forwarder)
    for number, ports in enumerate(device.links):
        _run("ip", "-n", forwarder, "link", "add", f"br{number}", "type", "bridge", "stp_state", "0")
        _run("ip", "-n", forwarder, "link", "set", f"br{number}", "up")
        for port in ports:
            netns = f"{PREFIX}-{port}"
            _run("ip", "netns", "add", netns)
            _quiet(netns)
            veth = ["type", "veth", "peer", "name", f"to-{port}", "netns", forwarder]
            _run("ip", "link", "add", "port0", "netns", netns, "address", _mac(port), *veth)
            _run("ip", "-n", forwarder, "link", "set", f"to-{port}", "up", "master", f"br{number}")
            _run("ip", "-n", netns, "link", "set", "port0", "up")
    chains = [
        f"chain limit{number} {{ type filter hook ingress devices = {{ {', '.join(f'to-{port}' for port in ports)} }}"
        f" priority 0; limit rate over {limit}/second burst {BUCKET} packets drop\n}}"
        for number, (limit, ports) in enumerate(device.limits)
    ]
    _run("ip", "netns", "exec", forwarder, "nft", "-f", "-", text="table netdev over {\n" + "\n".join(chains) + "\n}\n")


def _quiet(netns: str) -> None:
    """Without IPv6 the only frames are the test's."""
    path = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
    _run("ip", "netns", "exec", netns, "sh", "-c", f"if [ -e {path} ]; then echo 1 >{path}; fi")


def _remove() -> None:
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if line.startswith(f"{PREFIX}-"):
            _run("ip", "netns", "delete", line.split()[0])


def _search(device: Device, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The entry of the one search in the role's result."""
    hosts = {
        name: {
            "throughput_netns": f"{PREFIX}-{sender}",
            "throughput_receiver": {"interface": "port0", "netns": f"{PREFIX}-{receiver}"},
            "throughput_traffic": [
                {
                    "name": "udp_512",
                    "streams": [
                        {
                            "preset": "udp_port_scan",
                            "layers": [{"Ether": {"src": _mac(sender), "dst": _mac(receiver)}}],
                            "size": 494,
                            "size_of": "ip",
                            "count": 1000,
                        }
                    ],
                }
            ],
        }
        for name, (sender, receiver) in device.ways.items()
    }
    given = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "throughput_interface": "port0",
        "throughput_methods": ["auto"],
        "throughput_search": "rfc2544",
        "throughput_search_over": "all",
        "throughput_search_options": {
            "initial_duration": SECONDS,
            "final_duration": SECONDS,
            "width": WIDTH,
            "min_pps": 500,
            "max_pps": 10000,
            "rate_tolerance": 0.01,
        },
        "throughput_settle": 1,
        "throughput_receive_wait": 0.5,
        "throughput_start_margin": args.margin,
        "throughput_tcpreplay": {"timeout": int(4 * args.margin + 60)},
        "throughput_pcap_folder": str(folder / "pcaps"),
        "throughput_folder": str(folder / "result"),
    }
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"generators": {"hosts": hosts, "vars": given}}))
    done = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "wirespeed.trafficgen.throughput"],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        entry: dict[str, Any] = json.loads((folder / "result" / "result.json").read_text())["searches"][0]
    except OSError:
        sys.exit(done.stdout + done.stderr)
    return entry


def main() -> int:
    """Search on each device, and tell what was found beside what it does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", action="append", choices=list(_devices()))
    parser.add_argument("--margin", type=float, default=3, help="throughput_start_margin: more on a busy machine")
    args = parser.parse_args()
    os.environ["ANSIBLE_FORKS"] = "8"
    missed = 0
    for name, device in _devices().items():
        for number in range(1, args.rounds + 1) if name in (args.device or _devices()) else ():
            begun = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                _remove()
                try:
                    _make(device)
                    entry = _search(device, Path(folder), args)
                finally:
                    _remove()
            found = entry["found"] or {}
            lower, upper = found.get("lower_pps") or 0.0, found.get("upper_pps") or 0.0
            within = lower * (1 - SLACK) <= device.expected <= upper * (1 + SLACK)
            missed += not within
            together = found.get("aggregate", {}).get("lower_pps") or 0.0
            print(
                f"{name} {number}: expected {device.expected:.0f} pps for each of {len(device.ways)}; found {lower:.0f}"
                f", not above {upper:.0f}, together {together:.0f}; {len(entry['trials'])} trials,"
                f" {time.monotonic() - begun:.0f} s; {'within' if within else 'MISSED'} {entry['reason']}",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
