# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a pcap: blocks of records into a file that appears whole or not at all, hashed on the way, or compared with
what is there."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError, remedy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._marks.layout import LONG, SHORT, number_of_test
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.file import (
    GLOBAL_HEADER,
    MAGIC_MICROSECONDS,
    MAGIC_NANOSECONDS,
    MAX_SNAPLEN,
    VERSION,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.flow_count import count_flows
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._pcap.summary import summarize
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.interleave import RING, Interleaved
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.spec import read_traffic
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._traffic.stream import RECORD

Consumer = Callable[[bytearray], object]
LARGE = 10**9  # bytes of a file that is made only if it is asked for
_MOST_LINKS = 40  # as the kernel follows
_PREFIX = ".trafficgen."  # of the temporary file's name, however long the path's is


@dataclass(frozen=True)
class Written:
    """What went through: bytes of the file, its SHA-256, and whether the file at the path was these bytes already."""

    file_bytes: int
    sha256: str
    same: bool


class _Differs(Exception):
    """The file that is there is not the one wanted."""


def file_header(link_type: int, nanoseconds: bool) -> bytearray:
    """The pcap header of the files that this collection writes, little-endian."""
    magic = MAGIC_NANOSECONDS if nanoseconds else MAGIC_MICROSECONDS
    return bytearray(GLOBAL_HEADER.pack(magic, *VERSION, 0, 0, MAX_SNAPLEN, link_type))


def pump(blocks: Iterable[bytearray], consumers: list[Consumer]) -> None:
    """Give every block to every consumer, in order. Each consumer has a thread: hashing and writing leave the
    interpreter free.

    A block is used up before :data:`RING` more have been asked for, since then it is overwritten.
    """
    pools = [ThreadPoolExecutor(1) for _consumer in consumers]
    under_way: deque[list[Future[object]]] = deque()
    try:
        for block in blocks:
            try:
                under_way.append([pool.submit(consumer, block) for pool, consumer in zip(pools, consumers)])
            except RuntimeError as error:  # what Python makes of a thread that the system does not start
                raise OSError(errno.EAGAIN, str(error)) from error
            while len(under_way) >= RING:
                for future in under_way.popleft():
                    future.result()
        while under_way:
            for future in under_way.popleft():
                future.result()
    finally:
        for pool in pools:
            pool.shutdown(wait=True)


def _check_links(path: str) -> None:
    """Refuse a symbolic link that another login may have put there: by the rule of the kernel's own
    fs.protected_symlinks (proc(5)).

    The kernel never sees such a link in ``path``, since the file is put into the folder behind it.
    """
    ahead = deque(PurePath(os.path.join(os.getcwd(), path)).parts)
    there = ahead.popleft()
    links = 0
    while ahead and links < _MOST_LINKS:
        link = os.path.join(there, ahead.popleft())
        if not os.path.islink(link):
            there = link
            continue
        links += 1
        folder, owner = os.stat(there), os.lstat(link).st_uid
        shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
        if shared and owner not in (os.geteuid(), folder.st_uid):
            raise TrafficgenError(
                f"the symbolic link {link} belongs to another user, and everybody can write to its folder",
                on=path,
                remedy="Give the path of the file itself, or a path in a folder of your own.",
            )
        there, *behind = PurePath(there, os.readlink(link)).parts
        ahead.extendleft(reversed(behind))


def _target(path: str) -> str:
    """The file behind ``path``. :raises TrafficgenError: where no regular file can be."""
    try:
        if b"\0" in os.fsencode(path):
            raise ValueError("it contains a zero byte")
    except ValueError as error:  # or what has no form in bytes
        raise TrafficgenError(
            "is not a path", on=repr(path), said=str(error), remedy="Give a free path, or that of a file."
        ) from None
    _check_links(path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.islink(target):
        raise TrafficgenError("is a symbolic link to itself", on=path, remedy="Give a free path, or that of a file.")
    if not os.path.isdir(folder):
        raise TrafficgenError("no such folder", on=folder, remedy="Create it first, with ansible.builtin.file.")
    try:
        os.lstat(target)
    except FileNotFoundError:
        pass
    except OSError as error:  # too long a name, for one
        raise TrafficgenError(
            "cannot be written", on=path, said=error.strerror or str(error), remedy="Give another path."
        ) from error
    if os.path.isdir(target):
        raise TrafficgenError("is a directory", on=path, remedy="Give the path of the pcap itself.")
    if os.path.lexists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        raise TrafficgenError("is not a regular file", on=path, remedy="Give a free path, or that of a file.")
    return target


def _failed(path: str, error: OSError, needed: int | None) -> TrafficgenError:
    remedy = f"{remedy_of(error)} Nothing was changed.".strip()
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        size = f" of {needed} bytes" if needed else ""
        remedy = (
            f"The file{size} does not fit there. Free some space, lower count, or give another path."
            " Nothing was changed."
        )
    return TrafficgenError("could not be written", on=path, said=str(error), remedy=remedy)


def compare(path: str, blocks: Iterable[bytearray]) -> Written | None:
    """Whether the file at ``path`` is these bytes; None when it is not, or is not there."""
    digest = hashlib.sha256()
    total = 0
    try:
        with open(path, "rb", buffering=0) as there:

            def same(block: bytearray) -> None:
                nonlocal total
                view = memoryview(bytearray(len(block)))
                got = 0
                while got < len(block):
                    some = there.readinto(view[got:])
                    if not some:
                        raise _Differs
                    got += some
                if view != block:
                    raise _Differs
                total += len(block)

            pump(blocks, [same, digest.update])
            if there.read(1):
                return None
    except _Differs:
        return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrafficgenError("could not be read", on=path, said=str(error)) from error
    return Written(total, digest.hexdigest(), True)


def digest_only(blocks: Iterable[bytearray]) -> Written:
    """What a file of these bytes would be, without writing it."""
    digest = hashlib.sha256()
    total = 0

    def count(block: bytearray) -> None:
        nonlocal total
        digest.update(block)
        total += len(block)

    pump(blocks, [count])
    return Written(total, digest.hexdigest(), False)


def _check_room(path: str, needed: int | None) -> None:
    """Refuse what certainly does not fit, before any of it is made. A file that is replaced frees its room only
    afterwards."""
    free = os.statvfs(os.path.dirname(os.path.realpath(path)))
    if needed is not None and needed > free.f_bavail * free.f_frsize:
        raise _failed(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), needed)


def _check_size(path: str, least: int, streams: Any) -> None:
    """Refuse to make a file that is larger than one would think, before any of it is made."""
    without = [one.get("name") or f"streams[{index}]" for index, one in enumerate(streams) if not one.get("count")]
    if least > LARGE and without:
        raise TrafficgenError(
            f"would have {least / 10**9:.1f} GB or more, as each combination of the values that vary is a frame",
            on=path,
            remedy=f"Give a count ({', '.join(without)}), or set allow_large: true.",
        )


def _temporary(folder: str) -> tuple[int, str]:
    """A new file in ``folder`` to write to, and its path: empty, as it has no name, where the file system can do that.

    What has no name goes with the process, however that ends: no signal, and no power cut, leaves a part of a file
    behind.
    """
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), ""
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        return tempfile.mkstemp(prefix=_PREFIX, dir=folder)


def _named(handle: int, folder: str) -> str:
    """Give a file without a name one in ``folder``."""
    name = _PREFIX + secrets.token_hex(8)
    there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Python asks for what the link stands for, the file, only if a folder is given as a handle.
        os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=there, follow_symlinks=True)
    finally:
        os.close(there)
    return os.path.join(folder, name)


def write(
    path: str, blocks: Callable[[], Iterator[bytearray]], needed: int | None, replace: Callable[[str, str], object]
) -> Written:
    """Make ``path`` a file of these bytes, whatever is there.

    :param needed: the file's length in bytes, where it is known beforehand.
    :param replace: moves the finished temporary file (first argument) over the path (second).
    :raises TrafficgenError: the path cannot be written; then the old file is as it was, and no other is left.
    """
    target = _target(path)
    folder = os.path.dirname(target)
    temporary = ""
    digest = hashlib.sha256()
    total = 0
    try:
        handle, temporary = _temporary(folder)
        with open(handle, "wb", buffering=0) as out:

            def put(block: bytearray) -> None:
                nonlocal total
                view = memoryview(block)
                while view:
                    written = out.write(view)
                    view = view[written:]
                total += len(block)

            pump(blocks(), [put, digest.update])
            temporary = temporary or _named(out.fileno(), folder)
        replace(temporary, target)
    except OSError as error:
        raise _failed(path, error, needed) from error
    finally:
        if temporary and os.path.lexists(temporary):
            os.unlink(temporary)
    return Written(total, digest.hexdigest(), False)


def _described(path: str) -> str:
    """What is at ``path``, in a few lines for a diff."""
    if not os.path.exists(path):
        return ""
    try:
        found = summarize(path, flows=False)
    except TrafficgenError:
        return f"file_bytes: {os.path.getsize(path)} (no pcap)\n"
    return _lines(found.packets, found.bytes, found.file_bytes, found.sizes, found.sha256)


def _lines(packets: int, frame_bytes: int, file_bytes: int, sizes: Mapping[int, int], sha256: str) -> str:
    ordered = ", ".join(f"{size}: {sizes[size]}" for size in sorted(sizes))
    return f"packets: {packets}\nbytes: {frame_bytes}\nfile_bytes: {file_bytes}\nsizes: {ordered}\nsha256: {sha256}\n"


def _marks(test: int, given: Any, traffic: Interleaved) -> dict[str, Any]:
    """What the marks of a file say, and how many frames of each stream have one."""
    streams = [
        {
            "stream": number,
            "name": one.get("name"),
            "marked": stream.marked(),
            "unmarked": stream.frames - stream.marked(),
        }
        for number, (one, stream) in enumerate(zip(given, traffic.streams))
    ]
    return {"test": test, "streams": streams}


def _unmarked(marks: Mapping[str, Any] | None) -> list[str]:
    """A warning for the streams in which frames have no room for a mark."""
    streams = [one for one in marks["streams"] if one["unmarked"]] if marks else []
    if not streams:
        return []
    said = ", ".join(
        f"{one['unmarked']} of {one['unmarked'] + one['marked']} in {one['name'] or 'stream ' + str(one['stream'])}"
        for one in streams
    )
    return [
        f"Some frames have no mark, since the padding that size adds is too short for one: {said}. A mark takes"
        f" {LONG} bytes of padding, or {SHORT} (in the first 256 streams of up to 16777216 frames each)."
    ]


def make_pcap(
    path: str,
    streams: Any,
    interval: Any,
    *,
    replace: Callable[[str, str], object] | None,
    with_diff: bool = False,
    mark_id: str | None = None,
    allow_large: bool = False,
) -> dict[str, Any]:
    """Make ``path`` the pcap of a traffic spec: what the module does, and what it returns.

    :param allow_large: make a file above :data:`LARGE` from streams without a count.
    :param mark_id: the test's id in the frames' marks; None: no marks.
    :param replace: see :func:`write`; None: tell what would be done, and do nothing.
    :returns: ``changed``, ``pcap`` (path, packets, bytes, file_bytes, sizes, flows, marks, sha256), ``warnings`` if
        there are any and, if asked for, ``diff``.
    :raises TrafficgenError: the spec is wrong or the path cannot be written. Nothing has changed then.
    """
    target = _target(path)
    test = None if mark_id is None else number_of_test(mark_id)
    traffic, link_type, nanoseconds = read_traffic(streams, interval, test)
    total = traffic.total_bytes()
    needed = None if total is None else GLOBAL_HEADER.size + RECORD.size * traffic.frames + total

    def blocks() -> Iterator[bytearray]:
        yield file_header(link_type, nanoseconds)
        yield from traffic.blocks()

    before = _described(target) if with_diff else ""
    made = None
    if os.path.exists(target) and (needed is None or os.path.getsize(target) == needed):
        made = compare(target, blocks())
    if made is None:
        if not allow_large:
            _check_size(path, (RECORD.size + 14) * traffic.frames if needed is None else needed, streams)
        _check_room(path, needed)
        if replace is not None:
            made = write(target, blocks, needed, replace)
        elif os.access(os.path.dirname(target), os.W_OK | os.X_OK):
            made = digest_only(blocks())
        else:
            raise TrafficgenError(
                "cannot be written to",
                on=os.path.dirname(target),
                remedy="Give the user write access, become root, or give another path.",
            )
    frame_bytes = made.file_bytes - GLOBAL_HEADER.size - RECORD.size * traffic.frames
    result: dict[str, Any] = {
        "changed": not made.same,
        "pcap": {
            "path": path,
            "packets": traffic.frames,
            "bytes": frame_bytes,
            "file_bytes": made.file_bytes,
            "sizes": {size: traffic.sizes[size] for size in sorted(traffic.sizes)},
            "flows": count_flows(traffic.streams, link_type),
            "marks": None if test is None else _marks(test, streams, traffic),
            "sha256": made.sha256,
        },
    }
    warnings = traffic.warnings() + _unmarked(result["pcap"]["marks"])
    if warnings:
        result["warnings"] = warnings
    if with_diff:
        after = _lines(traffic.frames, frame_bytes, made.file_bytes, traffic.sizes, made.sha256)
        result["diff"] = {"before_header": path, "after_header": path, "before": before, "after": after}
    return result
