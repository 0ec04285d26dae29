#!/usr/bin/python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: fail if work on this host would disturb it. The collection's roles use it first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Fail if work on a host would disturb it, and look at the host
version_added: 1.0.0
description:
  - Fails if the host is managed over one of the O(interfaces), if others than root can write to one of the O(folders),
    or if a run is under way. It changes nothing.
  - It also answers what a role has to know of the host, all in one task.
  - The roles of this collection use it before they begin.
author: The wirespeed.trafficgen developers (!UNKNOWN)
extends_documentation_fragment:
  - wirespeed.trafficgen._attributes
  - wirespeed.trafficgen._attributes.info_module
  - wirespeed.trafficgen._attributes.action_group
attributes:
  action_group:
    membership:
      - wirespeed.trafficgen.netns
  platform:
    support: full
options:
  root_for:
    description:
      - The role or the work that needs root. Where it is set, another user is an error, before anything is looked at.
    type: str
  interfaces:
    description:
      - Interfaces that the host must not be managed over, by the rules of
        O(wirespeed.trafficgen.tcpreplay#module:allow_management_interface).
      - By name or by MAC address. Those that the host does not have are returned as RV(missing).
    type: list
    elements: str
    default: []
  netns:
    description:
      - The named network namespace (C(ip netns)) of the interfaces.
    type: str
  allow_management_interface:
    description:
      - Whether to allow them even so.
    type: bool
    default: false
  remedy:
    description:
      - A sentence that says what to do if the host is managed over one of them. It becomes part of the error.
    type: str
    default: ""
  folders:
    description:
      - Folders to build in. Only root may be able to write to them and to the folders above them.
    type: list
    elements: path
    default: []
  idle:
    description:
      - Whether to fail if a run is under way or a process has netmap open.
    type: bool
    default: false
  files:
    description:
      - Files and folders to look at, see RV(files).
    type: list
    elements: path
    default: []
  programs:
    description:
      - Programs to run, as a dictionary from a name to the words of the command line. They have 30 seconds each, in the
        C locale, and must change nothing, as they run in check mode too. See RV(programs).
    type: dict
    default: {}
notes:
  - Needs root.
seealso:
  - module: wirespeed.trafficgen.netmap_info
"""

EXAMPLES = r"""
- name: Stop if the host is managed over the test port, or a run is under way
  wirespeed.trafficgen.host_check:
    interfaces: [ens17]
    remedy: Choose another port.
    idle: true
"""

RETURN = r"""
missing:
  description: Those of O(interfaces) that the host does not have.
  returned: success
  type: list
  elements: str
files:
  description: What O(files) are, by path. Null for one that does not exist.
  returned: success
  type: dict
  contains:
    folder:
      description: Whether it is a folder.
      type: bool
    content:
      description: Its text, null for a folder.
      type: str
    owner:
      description: The numbers of its owner and group.
      type: str
      sample: "0:0"
    mode:
      description: Its permissions.
      type: str
      sample: "0644"
programs:
  description: What O(programs) said, by name.
  returned: success
  type: dict
  contains:
    rc:
      description: The exit status. Null if there is no such program.
      type: int
    stdout:
      description: What it printed, without the last line's end.
      type: str
    stderr:
      description: What it printed as errors, without the last line's end.
      type: str
"""

import contextlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, as_ours
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import (
    NETNS_FOLDER,
    find_executable,
    run,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import entries, read_bytes
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.host import Host
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.safety import folder_problem
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.uses import busy, managed, runs
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import rtnetlink
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface, check_interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.namespace import inside


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "root_for": {"type": "str"},
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "netns": {"type": "str"},
            "allow_management_interface": {"type": "bool", "default": False},
            "remedy": {"type": "str", "default": ""},
            "folders": {"type": "list", "elements": "path", "default": []},
            "idle": {"type": "bool", "default": False},
            "files": {"type": "list", "elements": "path", "default": []},
            "programs": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        if given["root_for"] and os.geteuid() != 0:
            raise TrafficgenError(
                f"{given['root_for']} needs root",
                remedy=f"Run it with become: true (it ran as user {os.geteuid()}).",
            )
        ports, missing = find_ports(given["interfaces"], given["netns"] or None)
        if problems := against(Host(), ports, given):
            module.fail_json(msg=" ".join(problems))
        module.exit_json(
            changed=False,
            missing=missing,
            files={path: look_at(path) for path in given["files"]},
            programs={name: ask(name, words) for name, words in given["programs"].items()},
        )
    except (TrafficgenError, OSError) as error:
        module.fail_json(msg=as_ours(error).message)


def find_ports(asked: Sequence[str], netns: str | None) -> tuple[list[Interface], list[str]]:
    """The interfaces asked for by their names or MAC addresses, and those of them that are not there."""
    if not asked:
        return [], []
    with open_route(netns) as route:
        ports, missing = [], []
        for one in asked:
            if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", one.lower()):
                found = [link["ifname"] for link in rtnetlink.links(route) if link.get("address") == one.lower()]
                ports += [Interface(name, netns) for name in found]
                missing += [] if found else [one]
            else:
                ports.append(Interface(check_interface(one), netns))
                try:
                    rtnetlink.link(route, one)
                except OSError:
                    missing.append(one)
    return ports, missing


def against(host: Host, ports: Sequence[Interface], given: Mapping[str, Any]) -> list[str]:
    """What stands against work on ``host``, a sentence each."""
    found = {}
    if ports and not given["allow_management_interface"]:
        with open_route(ports[0].netns) as route:
            found = managed(host, ports, route)
    problems = [
        f"{name}: this host is managed over it: {why}. {given['remedy']}".strip() for name, why in found.items()
    ]
    problems += [problem for folder in given["folders"] if (problem := folder_problem(host, folder, folder))]
    return problems + list(filter(None, [busy(host, runs_in_named_namespaces(host)) if given["idle"] else ""]))


def look_at(path: str) -> dict[str, Any] | None:
    """A file or folder; None where there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    folder = stat.S_ISDIR(status.st_mode)
    return {
        "folder": folder,
        "content": None if folder else (read_bytes(path) or b"").decode("utf-8", "replace"),
        "owner": f"{status.st_uid}:{status.st_gid}",
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }


def ask(name: str, words: Any) -> dict[str, Any]:
    """What a program says."""
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise TrafficgenError("not the words of a command line", on=f"programs: {name}", remedy="Give a list of texts.")
    try:
        find_executable(words[0])
    except TrafficgenError as error:
        return {"rc": None, "stdout": "", "stderr": error.message}
    done = run(words)
    return {"rc": done.status, "stdout": done.stdout.rstrip("\n"), "stderr": done.stderr.rstrip("\n")}


def runs_in_named_namespaces(host: Host) -> set[str]:
    """The sockets that keep interfaces in named network namespaces for a run. A run of xdp_replay has no process in its
    interface's namespace, so that no folder of /proc shows that namespace's sockets."""
    found: set[str] = set()
    for name in entries(NETNS_FOLDER):
        # A file that an interrupted `ip netns add` left there is no namespace, and one may be deleted meanwhile.
        with contextlib.suppress(TrafficgenError, OSError), inside(name):
            found.update(runs(host, "/proc/thread-self").values())
    return found


if __name__ == "__main__":
    main()
