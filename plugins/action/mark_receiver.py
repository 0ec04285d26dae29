# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of mark_receiver: the module, as any other is run, and why it could not be."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._action import returns_errors


class ActionModule(Normal):  # type: ignore[misc]
    """What ansible.builtin.normal does."""

    run = returns_errors(Normal.run)
