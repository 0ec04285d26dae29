# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make two namespaces, and a veth of each name between them: the same name on both sides. Its input is JSON on
stdin."""

from __future__ import annotations

import json
import subprocess
import sys


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def main() -> None:
    given = json.load(sys.stdin)
    for netns in (given["sender"], given["receiver"]):
        ip("netns", "add", netns)
        # No neighbour discovery: the only frames are the test's own.
        for which in ("all", "default"):
            command = ["ip", "netns", "exec", netns, "sysctl", "-q", f"net.ipv6.conf.{which}.disable_ipv6=1"]
            subprocess.run(command, check=False)  # a kernel without IPv6 has no such setting
    for number, name in enumerate(given["names"]):
        for netns, side in ((given["sender"], "s"), (given["receiver"], "r")):
            if side == "s":
                ip(
                    "-n",
                    netns,
                    "link",
                    "add",
                    f"s{number}",
                    "type",
                    "veth",
                    "peer",
                    "name",
                    f"r{number}",
                    "netns",
                    given["receiver"],
                )
            # A plain name first: as the name of a new link some would be taken for a keyword.
            ip("-n", netns, "link", "set", "dev", f"{side}{number}", "name", name)
        for netns in (given["sender"], given["receiver"]):
            ip("-n", netns, "link", "set", "dev", name, "up")


main()
