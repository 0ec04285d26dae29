# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests to try netmap in: each has a management port and two test ports on one hub, and reaches no other network.

An image is made once for a suite, from Debian packages, and kept in .cache/lab; a guest writes into an overlay of its
own. The management port is e1000, and by default the test ports are too, so a native driver for them has to leave it
alone. Needs QEMU (TRAFFICGEN_LAB_QEMU: another one); mmdebstrap, and root, for the image.
"""

from __future__ import annotations

import argparse
import shutil
import sys

from guest import Guest, status
from image import SUITES, make_image
from ports import MODELS
from tools import LabError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a guest, and wait until ssh answers")
    up.add_argument("name", nargs="?", default="lab")
    up.add_argument("--suite", choices=SUITES, default=SUITES[0], help="the guest's Debian (default: %(default)s)")
    up.add_argument("--kernel", default="0", help="0: the newest one (default); 1: the one before; or a release")
    up.add_argument(
        "--ports", choices=MODELS, default="e1000", help="the test ports' model; all but e1000 have several queues"
    )
    up.add_argument("--port", type=int, help="on 127.0.0.1, for ssh (default: a free one)")
    up.add_argument("--memory", type=int, default=2048, help="MiB (2048)")
    up.add_argument("--cpus", type=int, default=2)
    up.add_argument("--seconds", type=int, default=8 * 3600, help="the guest ends after so long (8 hours)")
    up.add_argument(
        "--snapshot", action="store_true", help="from a snapshot taken after a first boot: seconds, not a minute"
    )
    up.add_argument("--ssh-config", metavar="FILE", help="put a copy of the guest's ssh configuration there")
    ssh = commands.add_parser("ssh", help="log in, as root, or run a command")
    ssh.add_argument("name", nargs="?", default="lab")
    ssh.add_argument("words", nargs=argparse.REMAINDER)
    restart = commands.add_parser("restart", help="boot a guest again, with another kernel")
    restart.add_argument("name", nargs="?", default="lab")
    restart.add_argument("--kernel", default="0")
    restart.add_argument("--cut", action="store_true", help="by a power cut: the guest is told nothing")
    down = commands.add_parser("down", help="end a guest and forget it")
    down.add_argument("name", nargs="?", default="lab")
    commands.add_parser("status", help="list the guests")
    image = commands.add_parser("image", help="make the image, if it is not there")
    image.add_argument("--suite", choices=SUITES, default=SUITES[0])
    arguments = parser.parse_args()

    if arguments.command == "status":
        status()
    elif arguments.command == "image":
        print(make_image(arguments.suite))
    elif arguments.command == "up":
        guest = Guest(arguments.name)
        guest.up(arguments)
        if arguments.ssh_config:
            shutil.copy(guest.folder / "ssh_config", arguments.ssh_config)
        status()
    elif arguments.command == "ssh":
        guest = Guest(arguments.name)
        guest.facts  # noqa: B018  # says that there is none
        return guest.ssh(*arguments.words).returncode
    elif arguments.command == "restart":
        Guest(arguments.name).restart(arguments.kernel, arguments.cut)
    elif arguments.command == "down":
        Guest(arguments.name).down()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(1)
