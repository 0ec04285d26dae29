# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes every module documents. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Parts of documentation shared by the modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would do, without doing it.
  diff_mode:
    description: Returns what has changed, or what would have, when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
  platform:
    description: The systems the module runs on.
    support: full
    platforms: linux
"""

    # A module in an action group of meta/runtime.yml: it adds the membership.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/NAME) in C(module_defaults) to set the parameters that the group's modules share.
    support: full
"""

    # A module that only looks: it has nothing to change, in check mode or out of it.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing, so it does the same in check mode.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
"""
