# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``tcpreplay_release``: what is known of a release of tcpreplay before it is built."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tcpreplay_release
short_description: Tell what is known of a release of tcpreplay
version_added: 1.0.0
author: The wirespeed.trafficgen developers (!UNKNOWN)
description:
  - Some releases of tcpreplay fail with netmap on every network card. This filter knows their numbers, so that nobody
    builds one in vain. For an installed tcpreplay use M(wirespeed.trafficgen.tcpreplay_info).
options:
  _input:
    description: The release, such as V(4.4.2).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse a release whose netmap is broken
  ansible.builtin.assert:
    that: (version | wirespeed.trafficgen.tcpreplay_release).netmap.usable is not false
"""

RETURN = r"""
_value:
  description:
    - C(valid), whether this is the number of a release (C(v4.4.2) and C(4.4) are not).
    - C(netmap), with C(usable), whether it can send through netmap if built with it, null if unknown, and C(reason),
      one sentence.
    - C(ring_fix), whether the role P(wirespeed.trafficgen.tcpreplay#role) repairs its wait for netmap's rings other
      than the first.
  type: dict
  sample: {valid: true, netmap: {usable: true, reason: versions 4.3.4 to 4.4.3 work}, ring_fix: true}
"""

from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._filter import filter_module


def tcpreplay_release(name: Any) -> dict[str, Any]:
    """What is known of the release of that name."""
    from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import (
        netmap_of_release,
        release_of,
        ring_fix_for,
    )

    release = release_of(str(name))
    usable, reason = (None, "not a release of tcpreplay") if release is None else netmap_of_release(release)
    return {
        "valid": release is not None,
        "netmap": {"usable": usable, "reason": reason},
        "ring_fix": release is not None and ring_fix_for(release),
    }


FilterModule = filter_module(tcpreplay_release)
