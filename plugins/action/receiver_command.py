# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of receiver_command: ansible.builtin.command, and why it could not be run."""

from __future__ import annotations

from ansible.plugins.action.command import ActionModule as Command

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors


class ActionModule(Command):  # type: ignore[misc]
    """What ansible.builtin.command does."""

    run = returns_errors(Command.run)
