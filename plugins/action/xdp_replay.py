# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module xdp_replay, and lines that tell how far it is."""

from __future__ import annotations

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._replay_action import ReplayAction


class ActionModule(ReplayAction):
    """Ansible looks for a class of this name in a file of the module's name."""
