# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic pcap format (draft-ietf-opsawg-pcap): its headers, and what a file is where it is none of those."""

from __future__ import annotations

import io
import os
import stat
import struct
from dataclasses import dataclass

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._lanes import word

MAGIC_MICROSECONDS = 0xA1B2C3D4
MAGIC_NANOSECONDS = 0xA1B23C4D
VERSION = (2, 4)
# Versions whose record headers have the two lengths the other way round (pcap_check_header() in libpcap's sf-pcap.c):
# always, and where the first would else be the larger. 543.0 is DG/UX's tcpdump.
_SWAPPED_VERSIONS = ((2, 0), (2, 1), (2, 2), (543, 0))
_MAYBE_SWAPPED_VERSIONS = ((2, 3),)
MAX_SNAPLEN = 262144  # libpcap's and Wireshark's limit for a frame
# These link types alone may have longer ones (libpcap's pcap-common.c): D-Bus, USBPcap, EBHSCR.
_LONGER_FRAMES = {231: 128 << 20, 249: 1 << 20, 279: 8 << 20}
_MAX_INT = 2**31 - 1  # C's, which libpcap keeps a file's snaplen in

# The field of the link type (draft-ietf-opsawg-pcap, section 4): F, and the FCS length in units of 16 bits.
_LINK_TYPE_BITS, _FCS_BIT, _FCS_SHIFT = 0x03FFFFFF, 0x04000000, 28

# As this collection writes them: little endian. magic, major, minor, zone, accuracy, snaplen, link type
GLOBAL_HEADER = struct.Struct("<IHHiIII")

LINK_TYPE_NAMES = {
    0: "NULL",
    1: "ETHERNET",
    6: "IEEE802_5",
    8: "SLIP",
    9: "PPP",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    113: "LINUX_SLL",
    127: "IEEE802_11_RADIOTAP",
    147: "USER0",
    178: "JUNIPER_ETHER",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    220: "USB_LINUX_MMAPPED",
    227: "CAN_SOCKETCAN",
    228: "IPV4",
    229: "IPV6",
    231: "DBUS",
    239: "NFLOG",
    249: "USBPCAP",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
    276: "LINUX_SLL2",
    279: "EBHSCR",
}


BARE_IP = "its link type is Ethernet, but every frame is an IP packet without an Ethernet header."

_IP_BEHIND = (0, 4, 16)  # bytes of header: RAW; NULL, LOOP, C_HDLC and PPP; LINUX_SLL


_CONVERT = "Convert it first: `editcap -F nsecpcap IN OUT` (Wireshark) or `tcpdump -r IN -w OUT`."
_OTHER_FORMATS = (
    (b"\x0a\x0d\x0d\x0a", "is a pcapng file, not a classic pcap", _CONVERT),
    (b"\xa1\xb2\xcd\x34", "is a pcap in the modified format of old Linux systems", _CONVERT),
    (b"\x34\xcd\xb2\xa1", "is a pcap in the modified format of old Linux systems", _CONVERT),
    (b"\x1f\x8b", "is compressed by gzip", "Unpack it first: `gzip -dk FILE`."),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd", "Unpack it first: `zstd -d FILE`."),
    (b"\x04\x22\x4d\x18", "is compressed by lz4", "Unpack it first: `lz4 -d FILE`."),
    (b"\xfd7zXZ\x00", "is compressed by xz", "Unpack it first: `xz -dk FILE`."),
    (b"BZh", "is compressed by bzip2", "Unpack it first: `bzip2 -dk FILE`."),
)


@dataclass(frozen=True)
class FileHeader:
    """What a pcap's first 24 bytes say. ``order`` is struct's sign of the byte order: ``<`` little, ``>`` big
    endian."""

    order: str
    nanosecond: bool
    snaplen: int
    link_type: int
    fcs_length: int | None = None  # bytes of FCS at each frame's end; None: not said
    version: tuple[int, int] = VERSION

    @property
    def link_type_name(self) -> str:
        """The LINKTYPE_ name without its prefix, or ``LINKTYPE N`` where it is not known here."""
        return LINK_TYPE_NAMES.get(self.link_type, f"LINKTYPE {self.link_type}")

    @property
    def longest_frame(self) -> int:
        """The bytes a frame may have; a record that claims more is corrupt."""
        return _LONGER_FRAMES.get(self.link_type, MAX_SNAPLEN)

    def lengths(self, first: int, second: int) -> tuple[int, int]:
        """The bytes in the file and on the line, from the two fields of a record header."""
        swapped = self.version in _SWAPPED_VERSIONS or (self.version in _MAYBE_SWAPPED_VERSIONS and first > second)
        return (second, first) if swapped else (first, second)

    def sent(self, captured: int, original: int) -> int:
        """The bytes of a frame that are read by libpcap, and of these sent by tcpreplay."""
        return min(captured, original, self.most_read)

    @property
    def most_read(self) -> int:
        """The bytes of a frame that libpcap hands over: it cuts at the snaplen, unless that is none
        (pcapint_adjust_snapshot())."""
        return self.snaplen if 0 < self.snaplen <= _MAX_INT else self.longest_frame


def open_pcap(path: str) -> io.FileIO:
    """Open a regular file for reading, unbuffered. Anything else is refused before it can block: a FIFO, a device, a
    directory."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            # A FIFO put in its place meanwhile must not block either.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISREG(mode):
                return open(descriptor, "rb", buffering=0)
            os.close(descriptor)
    except FileNotFoundError:
        raise TrafficgenError(
            "no such file", on=path, remedy="Check the path. The file must be on the managed node."
        ) from None
    except PermissionError as error:
        raise TrafficgenError(
            "cannot be read", on=path, said=error.strerror or "", remedy="Give the user read access, or become root."
        ) from None
    except OSError as error:
        raise TrafficgenError("cannot be read", on=path, said=error.strerror or str(error)) from error
    except ValueError as error:  # a zero byte, or what has no form in bytes
        raise TrafficgenError("is not a path", on=repr(path), said=str(error), remedy="Name a pcap file.") from None
    kinds = (
        (stat.S_ISDIR, "directory"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
    )
    kind = next((name for test, name in kinds if test(mode)), "special file")
    raise TrafficgenError(f"is a {kind}, not a regular file", on=path, remedy="Name a pcap file.")


def parse_header(head: bytes, path: str) -> FileHeader:
    """Read the first 24 bytes of a file, and refuse what is no classic pcap of a version that libpcap reads."""
    if not head:
        raise TrafficgenError(
            "is empty: 0 bytes, but a pcap starts with a header of 24", on=path, remedy="Make or copy it again."
        )
    for magic, what, remedy in _OTHER_FORMATS:
        if head.startswith(magic):
            raise TrafficgenError(what, on=path, remedy=remedy)
    for order in "<>":
        magics = [struct.pack(order + "I", magic) for magic in (MAGIC_MICROSECONDS, MAGIC_NANOSECONDS)]
        if head[:4] in magics:
            break
    else:
        raise TrafficgenError(
            f"is not a pcap file: its first bytes are {head[:4].hex(' ')}, not d4 c3 b2 a1 or one of the other three"
            " beginnings of a pcap",
            on=path,
            remedy="`capinfos FILE` (Wireshark) may show what it is.",
        )
    if len(head) < GLOBAL_HEADER.size:
        raise TrafficgenError(
            f"is truncated: it ends at byte offset {len(head)}, within the file header of 24 bytes",
            on=path,
            remedy="Copy it again.",
        )
    _magic, major, minor, _zone, _accuracy, snaplen, link = struct.unpack_from(order + GLOBAL_HEADER.format[1:], head)
    if (major, minor) not in (VERSION, *_SWAPPED_VERSIONS, *_MAYBE_SWAPPED_VERSIONS):
        raise TrafficgenError(
            f"is a pcap of version {major}.{minor} (byte offset 4); libpcap reads 2.0 to 2.4",
            on=path,
            remedy="`capinfos FILE` (Wireshark) may show what it is.",
        )
    fcs_length = 2 * (link >> _FCS_SHIFT) if link & _FCS_BIT else None
    return FileHeader(order, head[:4] == magics[1], snaplen, link & _LINK_TYPE_BITS, fcs_length, (major, minor))


def is_bare_ip(frame: bytes, original: int) -> bool:
    """Whether what should be an Ethernet frame is an IP packet at its very start, or behind a header of another link
    type.

    In a true frame a byte of the MAC addresses, or the third of what follows them, would have to be an IP version, and
    others the frame's length.

    :param frame: its first bytes; more than 56 are not looked at.
    :param original: the bytes it had on the line.
    """
    for at in _IP_BEHIND:
        if len(frame) >= at + 20 and frame[at] >> 4 == 4 and frame[at] & 15 >= 5:
            if word(frame, at + 2) == original - at:
                return True
        elif len(frame) >= at + 40 and frame[at] >> 4 == 6 and word(frame, at + 4) + 40 == original - at:
            return True
    return False
