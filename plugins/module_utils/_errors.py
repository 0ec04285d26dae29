# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error class of the collection: what failed, on which object, what the tool said, what to do."""

from __future__ import annotations

_LONGEST = 2000  # characters of a part: what was given wrong may be a megabyte


def _short(part: str) -> str:
    return part if len(part) <= _LONGEST else f"{part[: _LONGEST // 2]} … {part[-_LONGEST // 2 :]}"


class TrafficgenError(Exception):
    """An error a user can act on. Only a plugin's entry point catches it and turns it into Ansible's own.

    :param what: what failed, as a sentence without its full stop.
    :param on: the object it failed on: a path, an interface, a parameter.
    :param said: what the tool or the system said of it, verbatim.
    :param remedy: what the user can do about it, as a sentence with its full stop.
    """

    def __init__(self, what: str, *, on: str = "", said: str = "", remedy: str = "") -> None:
        self.what = _short(what)
        self.on = _short(on)
        self.said = _short(said.strip())
        self.remedy = remedy
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """``ON: WHAT: SAID. REMEDY``, each part only where it is known."""
        sentence = ": ".join(part for part in (self.on, self.what, self.said) if part)
        if not sentence.endswith((".", "!", "?")):
            sentence += "."
        return f"{sentence} {self.remedy}".strip()
