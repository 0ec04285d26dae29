# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values made from a fuzzer's bytes."""

from __future__ import annotations

import contextlib

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError

refused = contextlib.suppress(TrafficgenError)


class Source:
    """Values made from bytes, in order; zeros when they are used up. So a small change of the bytes is one of the
    values."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, size: int = 1) -> int:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little")

    def below(self, limit: int) -> int:
        return self.number(1 if limit <= 256 else 4) % limit

    def one_of(self, choices):
        return choices[self.below(len(choices))]

    def bytes(self, most: int) -> bytes:
        length = self.below(most + 1)
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def text(self, most: int) -> str:
        # As Ansible hands on what is no UTF-8.
        return self.bytes(most).decode("utf-8", "surrogateescape")

    def rest(self) -> bytes:
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken


def text_of(data: bytes) -> str:
    """As the runner reads what a program printed."""
    return data.decode("utf-8", "backslashreplace")
