# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refusal of an interface that the host is managed over.

The rules are in :mod:`management`, which the command trafficgen-netmap has too; this enters namespaces, which that must
not.
"""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import open_route
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.management import why_managed
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface


def guard(interface: Interface) -> None:
    """Raise :class:`TrafficgenError` where the host is managed over ``interface``."""
    with open_route(interface.netns) as route:
        reason = why_managed(interface, route)
    if reason:
        raise TrafficgenError(
            f"this host is managed over it: {reason}",
            on=interface.name,
            remedy=(
                "Send on another interface; or set allow_management_interface: true, and expect to lose the connection."
            ),
        )
