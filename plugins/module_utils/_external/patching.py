# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which patch makes a native driver of an external driver's source, tried before anything is built.

netmap has a patch for each version of a driver that it knows (LINUX/final-patches/intel--NAME--VERSION). For another
version the nearest is tried with ``patch --dry-run`` and no fuzz. What it changes in the Makefile, the role can change
by a rule of its own; what it changes in the C code has to fit. A patch of the user's own takes the place of netmap's,
or goes on top of it.
"""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external.releases import (
    number,
    would_do,
)
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.commands import run
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._host.files import read_text

# What netmap's make files set to the suffix.
SUFFIX = "$(NETMAP_DRIVER_SUFFIX)"
# A comment on a line of the preprocessor, which changes nothing: #endif /* HAVE_X */
_COMMENT = re.compile(r"^(\s*#\s*(?:else|endif)\b)\s*/\*(?:(?!\*/).)*\*/\s*$")


class FilePatch(NamedTuple):
    """A patch's part for one file: its path below the folder of the build, its text."""

    path: str
    text: str


class DryRun(NamedTuple):
    """What ``patch --dry-run`` said: the files that do not fit, and whether some fit at other lines only."""

    rejected: tuple[str, ...]
    moved: bool
    said: str


def sections(patch: str) -> list[FilePatch]:
    """A patch in unified form, file by file. The path is the one that ``patch -p1`` uses."""
    starts = [found.start() for found in re.finditer(r"^--- \S.*\n\+\+\+ \S", patch, re.MULTILINE)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(patch)]):
        text = re.sub(r"^(?:diff|index) .*\n", "", patch[start:end], flags=re.MULTILINE)
        old, new = (line.split()[1] for line in text.splitlines()[:2])
        found.append(FilePatch((new if old == "/dev/null" else old).partition("/")[2], text))
    return found


def dry_run(folder: Path, patch: str, *options: str) -> DryRun:
    """Try a patch on the source in ``folder``, which it does not change."""
    file = folder / "try.patch"
    file.write_bytes(patch.encode("latin-1"))
    done = run(["patch", "--dry-run", "--force", "--fuzz=0", "-p1", *options, "-d", str(folder), "-i", str(file)])
    said = done.stdout + done.stderr
    rejected, at = [], ""
    for line in said.splitlines():
        if found := re.match(r"(?:checking|patching) file '?([^' ]+)", line):
            at = found[1]
        elif "FAILED at" in line or "hunk ignored" in line or "hunks ignored" in line:
            rejected.append(at)
        elif "can't find file to patch" in line or "malformed patch" in line or "garbage" in line:
            rejected.append("")
    if done.status != 0 and not rejected:
        rejected.append("")
    return DryRun(tuple(dict.fromkeys(rejected)), "offset" in said, said)


def fitted(section: FilePatch, source: str) -> FilePatch:
    """The section, its context taken from the source where that differs by a comment after #else or #endif only."""
    lines = source.splitlines(keepends=True)
    plain = [_COMMENT.sub(r"\1\n", line) for line in lines]
    head, *hunks = re.split(r"^(?=@@ )", section.text, flags=re.MULTILINE)
    text = head
    for hunk in hunks:
        title, *body = hunk.splitlines(keepends=True)
        old = [line[1:] for line in body if line[0] in " -"]
        if not _places(lines, old):
            places = _places(plain, [_COMMENT.sub(r"\1\n", line) for line in old])
            if len(places) == 1:
                there = islice(lines, places[0], None)
                body = [line[0] + next(there) if line[0] in " -" else line for line in body]
        text += title + "".join(body)
    return FilePatch(section.path, text)


def _places(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where these lines stand, one after another."""
    first = [place for place, line in enumerate(lines) if wanted and line == wanted[0]]
    return [place for place in first if list(islice(lines, place, place + len(wanted))) == list(wanted)]


def suffixed(makefile: str, name: str) -> str:
    """A kbuild Makefile that makes the module NAME-SUFFIX of the same objects; empty where it is written otherwise.

    ``obj-m += NAME.o`` names the module, ``NAME-y``, ``NAME-objs`` and ``NAME-$(CONFIG_X)`` its objects. The rest uses
    the name for folders and man pages, which are not installed.
    """
    module = rf"(?<![\w-]){re.escape(name)}"
    text, modules = re.subn(
        rf"^(obj-(?:m|y|\$[({{]\w+[)}}])[ \t]*[+:]?=[ \t]*){module}\.o(?=\s)",
        rf"\g<1>{name}{SUFFIX}.o",
        makefile,
        flags=re.MULTILINE,
    )
    text, objects = re.subn(rf"{module}(?=-(?:y\b|objs\b|\$[({{]))", f"{name}{SUFFIX}", text)
    left = re.search(rf"{module}(?:\.o\b|-(?:y\b|objs\b|\$[({{]))", text)
    return text if modules == 1 and objects > 0 and not left else ""


def mended(patch: str) -> str:
    """The patch without hunks that add nothing and leave an ``#if`` without its ``#endif``.

    netmap's patch for ice 2.2.9 has one: it takes away a call and the ``#endif`` after it, and the file ends within an
    ``#if``.
    """
    hunks = re.findall(r"^@@ .*\n(?:[ +\\-].*\n)*", patch, flags=re.MULTILINE)
    for hunk in hunks:
        if _depth(hunk, "+") != _depth(hunk, "-") and not re.search(r"^\+[ \t]*\S", hunk, re.MULTILINE):
            patch = patch.replace(hunk, "", 1)
    return patch


def _depth(hunk: str, sign: str) -> int:
    """How many more ``#if`` than ``#endif`` there are in the lines with this sign."""
    begun, ended = (len(re.findall(rf"^\{sign}\s*#\s*{word}", hunk, re.MULTILINE)) for word in ("if", "endif"))
    return begun - ended


def preparation(folder: Path, name: str) -> str:
    """The command with which netmap's make files have to prepare a driver's source; empty for none.

    netmap's configure asks for a driver's types by compiling its header after the kernel's. Intel's releases for EL 9.7
    refuse that order by an ``#error``, which nothing else depends on.
    """
    refusal = "kcompat.h must be included prior to kernel headers"
    file = folder / name / "kcompat.h"
    return f'sed -i "/{refusal}/d" {name}/kcompat.h' if refusal in read_text(file) else ""


def made_to_fit(folder: Path, name: str, patch: str) -> str:
    """The patch as it fits this source: context with other comments, the Makefile changed by :func:`suffixed`."""
    parts = []
    for section in sections(patch):
        source = folder / section.path
        before = source.read_bytes().decode("latin-1") if source.is_file() else ""
        if source.name != "Makefile":
            parts.append(fitted(section, before).text)
            continue
        after = suffixed(before, name)
        parts.append(
            "".join(
                line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                for line in difflib.unified_diff(
                    before.splitlines(keepends=True),
                    (after or before).splitlines(keepends=True),
                    f"a/{section.path}",
                    f"b/{section.path}",
                )
            )
        )
        if not after:
            parts.append(section.text)
    return "".join(parts)


def unpack(archive: Path, name: str, version: str, folder: Path) -> None:
    """The archive's driver as ``folder``/NAME, as netmap's make files place it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        shutil.unpack_archive(str(archive), str(folder), "zip" if archive.suffix == ".zip" else "gztar")
    except (OSError, ValueError, shutil.ReadError) as error:
        raise TrafficgenError(
            f"netmap_external_drivers: the archive of {name} cannot be unpacked as {archive.name}: {error}. Check its"
            " url."
        ) from None
    found = sorted(folder.glob("*/src"))
    if len(found) != 1:
        raise TrafficgenError(
            f"netmap_external_drivers: the archive of {name} has no folder src, in which Intel's drivers have their"
            " source. Check its url."
        )
    # netmap's make files go by this name.
    wanted = f"{name}-{version}" if name == "e1000e" else f"ethernet-linux-{name}-{version}"
    if found[0].parent.name != wanted:
        raise TrafficgenError(
            f"netmap_external_drivers: the archive of {name} {version} has the folder {found[0].parent.name}, not"
            f" {wanted}. It is of another version or driver, or not the one of the tag v{version}. Set url and checksum"
            " to those of this version, or version to the archive's."
        )
    (folder / name).symlink_to(found[0].relative_to(folder))


def apply(folder: Path, patch: str) -> str:
    """Patch the source in ``folder`` as netmap's make files do. Returns what ``patch`` said, if that failed.

    More than :func:`dry_run` tells, which tries each part on the file as it was: of a part that is there twice, the
    second does not fit what the first has made.
    """
    file = folder / "apply.patch"
    file.write_bytes(patch.encode("latin-1"))
    done = run(["patch", "--quiet", "--force", "-p1", "-d", str(folder), "-i", str(file)])
    said = " | ".join((done.stdout + done.stderr).splitlines()[:6])
    return (said or f"status {done.status}") if done.status else ""


def choose(patches: Path, own: Path | None, driver: Mapping[str, str], kernel: str, folder: Path) -> tuple[str, str]:
    """The patch for an external driver, and a sentence on how it fits; both empty for netmap's own for this version.

    :param patches: netmap's folder of patches.
    :param own: the user's patch, where it takes the place of netmap's.
    :param folder: where the driver's source was unpacked. It is patched.
    :raises TrafficgenError: no patch fits.
    """
    name, version = driver["name"], driver["version"]
    if own:
        patch = _text(own)
        if problem := own_problem(folder, driver, patch):
            raise TrafficgenError(problem)
        return patch, f"{name} {version} was patched with the patch given for it, in place of netmap's."
    exact = patches / f"intel--{name}--{version}"
    if exact.exists():
        patch = mended(_text(exact))
        if said := apply(folder, patch):
            raise TrafficgenError(
                f"netmap_external_drivers: netmap's patch for {name} {version} does not fit the archive's source:"
                f" {said}. Give the archive of the driver's author, unchanged (url, checksum)."
            )
        if patch == _text(exact):
            return "", ""
        return patch, f"netmap's patch for {name} {version} takes away an #endif: the role left that part of it out."
    others = nearest([path.name for path in patches.glob(f"intel--{name}--*")], name, version)
    texts = {other: mended(_text(patches / f"intel--{name}--{other}")) for other in others}
    trials = {other: dry_run(folder, text) for other, text in texts.items()}
    begin = f"netmap has no patch for {name} {version}"
    for other, trial in trials.items():
        if not trial.rejected:
            return texts[other], f"{begin}. The one for {other} fits{', at other lines' if trial.moved else ''}."
    misfits = []
    for other, trial in trials.items():
        text = made_to_fit(folder, name, texts[other])
        again = dry_run(folder, text)
        if not again.rejected:
            adapted = " and ".join(Path(file).name for file in trial.rejected)
            return text, f"{begin}. The one for {other} fits, after the role adapted its part for {adapted}."
        misfits.append(f"; the one for {other} does not fit {', '.join(filter(None, again.rejected)) or 'at all'}")
    versions = would_do(name, kernel, refused=version)
    raise TrafficgenError(
        f"netmap_external_drivers: {begin}{''.join(misfits)}. {versions}Or give a patch of your own (patch,"
        " patch_checksum)."
    )


def _text(file: Path) -> str:
    return file.read_bytes().decode("latin-1")


def nearest(names: Sequence[str], name: str, version: str) -> list[str]:
    """The versions of netmap's patches to try: the newest of the older ones, then the oldest of the newer."""
    others = sorted((one.removeprefix(f"intel--{name}--") for one in names), key=number)
    others = [one for one in others if re.fullmatch(r"[0-9.]+", one)]
    older = [one for one in others if number(one) < number(version)]
    newer = [one for one in others if number(one) > number(version)]
    return older[-1:] + newer[:1]


def over_netmap_s(
    patches: Path, own: Path, driver: Mapping[str, str], patch: str, folder: Path
) -> tuple[tuple[str, str], str]:
    """netmap's patch and the user's own, to apply one after the other, and a sentence on that.

    They stay two: netmap's make files take several, each with a run of ``patch`` of its own, as they are tried here.

    :param patch: what :func:`choose` said: netmap's patch; empty for netmap's own for this version.
    :param folder: the driver's source as :func:`choose` left it. It is patched.
    :raises TrafficgenError: the user's patch does not fit on top of netmap's.
    """
    name, version = driver["name"], driver["version"]
    exact = patches / f"intel--{name}--{version}"
    patch = patch or mended(_text(exact))
    # choose() has applied the one for this very version, and only tried the others.
    said = "" if exact.exists() else apply(folder, patch)
    if said:
        raise TrafficgenError(
            f"netmap_external_drivers: netmap's patch for {name} {version}, on which the patch given goes, does not"
            f" fit: {said}. Give a whole patch of your own, without patch_over_netmap."
        )
    text = _text(own)
    if problem := over_problem(folder, driver, text):
        raise TrafficgenError(problem)
    return (patch, text), f"The patch given for {name} {version} was applied on top of netmap's."


def given_problem(driver: Mapping[str, str], patch: str) -> str:
    """Why the user's patch is none for this driver, as a sentence that its source is not needed for."""
    given, name = _given(driver), driver["name"]
    files = [section.path for section in sections(patch)]
    if not files:
        return f"{given} is no patch in unified form, as git diff writes it, uncompressed."
    if others := sorted({file for file in files if not file.startswith(f"{name}/") or ".." in Path(file).parts}):
        return (
            f"{given} is for {', '.join(others[:3])}. Its paths must begin with a/{name}/, which is the archive's"
            " folder src: it must be for this driver."
        )
    return ""


def _given(driver: Mapping[str, str]) -> str:
    return f"netmap_external_drivers: the patch given for {driver['name']} {driver['version']} ({driver['patch']})"


def _misfit(driver: Mapping[str, str], trial: DryRun, remedy: str) -> str:
    return (
        f"{_given(driver)} does not fit {', '.join(filter(None, trial.rejected)) or 'its source'}:"
        f" {' | '.join(trial.said.splitlines()[:6])}. {remedy}"
    )


def _twice(driver: Mapping[str, str], said: str) -> str:
    return (
        f"{_given(driver)} does not fit what it has itself changed before: {said}. A part of it is there twice, or in"
        " the wrong order."
    )


def _adds(patch: str, word: str) -> bool:
    return any(line.startswith("+") and word in line for line in patch.splitlines())


# What to do where a patch of the user's own lacks a part of netmap's.
_WHOLE = (
    "It is used in place of netmap's patch, so it must have all of that as well. Or set patch_over_netmap: true, to"
    " have it applied on top of netmap's."
)


def own_problem(folder: Path, driver: Mapping[str, str], patch: str) -> str:
    """Why a patch of the user's own cannot be used in place of netmap's, as a sentence."""
    given, name = _given(driver), driver["name"]
    if problem := given_problem(driver, patch):
        return problem
    if not _adds(patch, "netmap_attach"):
        return f"{given} adds no call of netmap_attach. {_WHOLE}"
    trial = dry_run(folder, patch)
    if not trial.rejected:
        if said := apply(folder, patch):
            return _twice(driver, said)
        if "NETMAP_DRIVER_SUFFIX" not in read_text(folder / name / "Makefile"):
            return f"{given} does not add {SUFFIX} to the module's name in {name}/Makefile. {_WHOLE}"
        return ""
    if not dry_run(folder, patch, "--reverse").rejected:
        return (
            f"{given} is in the archive already, and cannot be applied twice. Give the archive of the driver's author."
        )
    return _misfit(driver, trial, "Make it anew for this version.")


def over_problem(folder: Path, driver: Mapping[str, str], patch: str) -> str:
    """Why a patch of the user's own cannot be used on top of netmap's, which the source has, as a sentence."""
    given, name = _given(driver), driver["name"]
    if problem := given_problem(driver, patch):
        return problem
    whole = _adds(patch, "netmap_attach") and _adds(patch, "NETMAP_DRIVER_SUFFIX")
    trial = dry_run(folder, patch)
    # What fits elsewhere may be there already where it belongs.
    if (trial.rejected or trial.moved) and not dry_run(folder, patch, "--reverse").rejected:
        if whole:
            return (
                f"{given} is netmap's whole patch again, and patch_over_netmap applies that already. Remove patch,"
                " patch_checksum and patch_over_netmap."
            )
        return (
            f"{given} is in netmap's patch or the archive already, and cannot be applied twice. Remove patch,"
            " patch_checksum and patch_over_netmap, or give what comes on top."
        )
    if trial.rejected and whole:
        remedy = (
            "It has netmap's changes in it. Take them out of it, or remove patch_over_netmap, so that it is used in"
            " place of netmap's."
        )
        return _misfit(driver, trial, remedy)
    if trial.rejected:
        remedy = "patch_over_netmap applies it to the source as netmap's patch left it: make it anew on top of that."
        return _misfit(driver, trial, remedy)
    if said := apply(folder, patch):
        return _twice(driver, said)
    if "NETMAP_DRIVER_SUFFIX" not in read_text(folder / name / "Makefile"):
        return (
            f"{given} takes netmap's {SUFFIX} out of {name}/Makefile. With patch_over_netmap it must leave that there:"
            " without it the module has the stock driver's name."
        )
    if not any("netmap_attach" in _text(file) for file in (folder / name).glob("*.c")):
        return (
            f"{given} takes netmap's call of netmap_attach out of {name}. With patch_over_netmap it must leave that"
            " there: without it the driver is not a native one."
        )
    return ""
