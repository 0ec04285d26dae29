# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the payload consists of that makes a frame as long as its size asks."""

from __future__ import annotations

import hashlib

# No frame's number: its payload shows what in a frame depends on the payload.
REFERENCE = -1
_INVERTED = bytes(255 - byte for byte in range(256))


class Fill:
    """The same bytes in each frame: ``pattern``, repeated."""

    varies = False

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern

    def payload(self, length: int, _frame: int) -> bytes:
        """The first ``length`` bytes."""
        return (self._pattern * (length // len(self._pattern) + 1))[:length]


class RandomFill(Fill):
    """Bytes that do not compress, other ones in each frame, and the same ones on every host: SHAKE-128 (FIPS 202) of
    seed, stream, frame.

    The first half is SHAKE's, the second its complement (and up to three bytes of zero make up the length). So the
    16-bit words of each payload sum to zero in one's complement, whatever they are, and no frame's checksums need to be
    computed anew (RFC 1071).
    """

    varies = True

    def __init__(self, seed: int, stream: int) -> None:
        super().__init__(b"\0")
        self._key = f"{seed}/{stream}/"

    def payload(self, length: int, frame: int) -> bytes:
        """``length`` bytes for frame number ``frame``."""
        half = length // 4 * 2
        chance = hashlib.shake_128(f"{self._key}{frame}".encode()).digest(half)
        return chance + chance.translate(_INVERTED) + bytes(length - 2 * half)
