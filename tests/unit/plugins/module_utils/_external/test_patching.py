# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _external/patching with a made-up driver and made-up patches, and the real program patch.

The driver is written as Intel's are: a folder src in a folder of the archive, with a Makefile for kbuild and by hand.
"""

from __future__ import annotations

import difflib
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._external import patching

KERNEL = "5.14.0-611.5.1.el9_7.x86_64"
MAKEFILE = """\
ifneq ($(KERNELRELEASE),)
obj-m += ixgbe.o
define ixgbe-y
\tixgbe_main.o
\tixgbe_lib.o
endef
ixgbe-y := $(strip ${ixgbe-y})
ixgbe-$(CONFIG_PTP) += ixgbe_ptp.o
ixgbe-${CONFIG_DCB} += ixgbe_dcb.o
else
DRIVER := ixgbe
default:
\tmake -C $(KSRC) M=$$PWD modules
endif
"""
MAIN = """\
/* The stand-in of a driver. */
static int begin;

static void clean(struct ring *ring)
{
\tring->clean = 1;
}

static int probe(struct pci_dev *dev)
{
#ifdef HAVE_CLOCK
\tclock_init(dev);

#endif /* HAVE_CLOCK */
\treturn 0;
}

/* The end. */
"""
ATTACH = "#ifdef DEV_NETMAP\n\tixgbe_netmap_attach(dev);\n#endif /* DEV_NETMAP */\n"


def files(makefile: str = MAKEFILE, main: str = MAIN) -> dict[str, str]:
    return {"ixgbe/Makefile": makefile, "ixgbe/ixgbe_main.c": main}


def native(before: dict[str, str]) -> dict[str, str]:
    """The driver as a patch of netmap makes it."""
    makefile = before["ixgbe/Makefile"].replace("ixgbe.o", "ixgbe$(NETMAP_DRIVER_SUFFIX).o")
    for end in ("-y", "-$", "-objs"):
        makefile = makefile.replace(f"ixgbe{end}", f"ixgbe$(NETMAP_DRIVER_SUFFIX){end}")
    main = before["ixgbe/ixgbe_main.c"].replace("\treturn 0;\n", f"{ATTACH}\treturn 0;\n")
    return {"ixgbe/Makefile": makefile, "ixgbe/ixgbe_main.c": main}


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    return "".join(
        line
        for path, text in after.items()
        for line in [
            f"diff --git a/{path} b/src/{path}\n",
            "index 1111111..2222222 100644\n",
            *difflib.unified_diff(before[path].splitlines(True), text.splitlines(True), f"a/{path}", f"b/{path}"),
        ]
    )


@pytest.fixture
def choose(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Choose a patch for a driver with these files, where netmap has patches by these versions."""

    def run(source: dict[str, str], patches: dict[str, str], version: str = "6.2.6", own: str = "") -> tuple[str, str]:
        place = tmp_path / "final-patches"
        place.mkdir(exist_ok=True)
        for other, text in patches.items():
            (place / f"intel--ixgbe--{other}").write_text(text)
        archive = tmp_path / "v.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            for path, text in source.items():
                zipped.writestr(f"ethernet-linux-ixgbe-{version}/{path.replace('ixgbe/', 'src/', 1)}", text)
        given = None
        driver = {"name": "ixgbe", "version": version, "patch": "file:///root/own.patch"}
        if own:
            given = tmp_path / "own.patch"
            given.write_text(own)
        patching.unpack(archive, "ixgbe", version, tmp_path / "source")
        return patching.choose(place, given, driver, KERNEL, tmp_path / "source")

    return run


def applied(folder: Path, patch: str, *options: str) -> dict[str, str]:
    """What netmap's make files make of it, with the options that they give to patch."""
    done = subprocess.run(
        ["patch", "--quiet", "--force", "-p1", *options],
        input=patch,
        text=True,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return {path: (folder / path).read_text() for path in files()}


OLDER = difference(files(), native(files()))


def test_netmap_s_own_patch_is_left_to_netmap(choose: Callable[..., tuple[str, str]]) -> None:
    assert choose(files(), {"6.2.6": OLDER}) == ("", "")


def test_netmap_s_own_patch_does_not_fit_another_source(choose: Callable[..., tuple[str, str]]) -> None:
    with pytest.raises(TrafficgenError, match=r"netmap's patch for ixgbe 6\.2\.6 does not fit the archive's source: "):
        choose(files(main="static int other;\n"), {"6.2.6": OLDER})


def test_the_nearest_patch_fits_at_other_lines(choose: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    moved = files(main=MAIN.replace("static int begin;", "static int begin;\nstatic int more;\nstatic int still_more;"))
    patch, note = choose(moved, {"6.1.6": OLDER, "5.0.4": "no patch"})
    assert note == "netmap has no patch for ixgbe 6.2.6. The one for 6.1.6 fits, at other lines."
    assert applied(tmp_path / "source", patch) == native(moved)


def test_a_newer_patch_is_tried_before_anything_is_adapted(choose: Callable[..., tuple[str, str]]) -> None:
    other = files(makefile=MAKEFILE.replace("ixgbe_lib.o\n", "ixgbe_lib.o\n\n"))
    _patch, note = choose(files(), {"6.1.6": difference(other, native(other)), "6.3.4": OLDER})
    assert note == "netmap has no patch for ixgbe 6.2.6. The one for 6.3.4 fits."


def test_a_makefile_with_other_blank_lines(choose: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    """As of ixgbe 6.2.5 and i40e 2.28.16."""
    spaced = files(
        makefile=MAKEFILE.replace("obj-m", "\nobj-m")
        .replace("endef\n", "endef\n\n")
        .replace(".o\nixgbe", ".o\n\nixgbe")
    )
    patch, note = choose(spaced, {"6.1.6": OLDER})
    assert note.endswith("The one for 6.1.6 fits, after the role adapted its part for Makefile.")
    assert applied(tmp_path / "source", patch, "--fuzz=0") == native(spaced)


def test_a_comment_after_endif_is_no_difference(choose: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    """As of ixgbe 6.3.4, where one hunk of the C code has another comment in its context."""
    other = files(main=MAIN.replace("#endif /* HAVE_CLOCK */", "#endif /* HAVE_CLOCK && MORE */"))
    patch, note = choose(other, {"6.1.6": OLDER})
    assert note.endswith("The one for 6.1.6 fits, after the role adapted its part for ixgbe_main.c.")
    assert applied(tmp_path / "source", patch, "--fuzz=0") == native(other)


@pytest.mark.parametrize(
    ("makefile", "main", "says"),
    [
        # The C code around it is another.
        (MAKEFILE, MAIN.replace("clock_init(dev);\n\n", "clock_init(dev, 1);\n"), "does not fit ixgbe/ixgbe_main.c"),
        (MAKEFILE, MAIN.replace("#endif /*", "#else /*"), "does not fit ixgbe/ixgbe_main.c"),
        # Twice the same place: nobody knows which is meant.
        (MAKEFILE, MAIN.replace("/* HAVE_CLOCK */", "/* X */") * 2, "does not fit ixgbe/ixgbe_main.c"),
        # Makefiles that are written in another way, or make two modules of that name.
        (
            MAKEFILE.replace("obj-m += ixgbe.o", "MODULE := ixgbe\nobj-m += $(MODULE).o"),
            MAIN,
            "does not fit ixgbe/Makefile",
        ),
        (MAKEFILE.replace("obj-m +=", "obj-m += ixgbe.o\nobj-m +="), MAIN, "does not fit ixgbe/Makefile"),
        (MAKEFILE.replace("obj-m += ixgbe.o", "obj-m += x.o ixgbe.o"), MAIN, "does not fit ixgbe/Makefile"),
        (MAKEFILE.replace("else\n", "targets += ixgbe.o\nelse\n"), MAIN, "does not fit ixgbe/Makefile"),
    ],
)
def test_what_does_not_fit_is_refused(
    choose: Callable[..., tuple[str, str]], makefile: str, main: str, says: str
) -> None:
    with pytest.raises(TrafficgenError) as error:
        choose(files(makefile, main), {"6.1.6": OLDER})
    assert f"netmap has no patch for ixgbe 6.2.6; the one for 6.1.6 {says}." in error.value.message
    # What would do on this kernel, whose EL needs 6.3.4.
    assert "Set version (and url, checksum) to 6.3.4. Or give a patch of your own" in error.value.message


def test_netmap_has_no_patch_of_this_driver(choose: Callable[..., tuple[str, str]]) -> None:
    with pytest.raises(TrafficgenError, match=r"netmap has no patch for ixgbe 6\.2\.6\. Set version"):
        choose(files(), {"netmap-3.6.0": "of another kind"})


def test_the_suffix_goes_to_this_module_alone() -> None:
    """As in ice's Makefile, which makes another module of a name that begins in the same way."""
    made = patching.suffixed(
        "obj-$(CONFIG_ICE) += ice.o\nice-objs := ice_main.o\nobj-m += ice-vfio-pci.o\nice-vfio-pci-y := a.o\n", "ice"
    )
    assert made == (
        "obj-$(CONFIG_ICE) += ice$(NETMAP_DRIVER_SUFFIX).o\nice$(NETMAP_DRIVER_SUFFIX)-objs := ice_main.o\n"
        "obj-m += ice-vfio-pci.o\nice-vfio-pci-y := a.o\n"
    )


UNBALANCED = """\
@@ -9,4 +9,3 @@
 #ifdef HAVE_CLOCK
 \tclock_init(dev);
-
-#endif /* HAVE_CLOCK */
+
"""


def test_a_hunk_that_only_takes_an_endif_away_is_left_out(choose: Callable[..., tuple[str, str]]) -> None:
    """As in netmap's patch for ice 2.2.9, whose file then ends within an #if."""
    patch, note = choose(files(), {"6.2.6": OLDER + UNBALANCED})
    assert patch == OLDER
    assert note == "netmap's patch for ixgbe 6.2.6 takes away an #endif: the role left that part of it out."


@pytest.mark.parametrize(
    "hunk",
    [
        UNBALANCED.replace("+\n", "+#endif\n"),
        UNBALANCED.replace("+\n", "+\tnetmap_attach();\n"),
        UNBALANCED.replace("-#endif", "-#error"),
    ],
)
def test_any_other_hunk_stays(hunk: str) -> None:
    assert patching.mended(OLDER + hunk) == OLDER + hunk


def test_the_order_of_headers_that_configure_needs(tmp_path: Path) -> None:
    """As in ixgbe 6.3.4, i40e 2.28.16 and ice 2.4.5. netmap's configure evaluates the command between single quotes."""
    header = tmp_path / "ixgbe/kcompat.h"
    header.parent.mkdir()
    header.write_text("#define A\n")
    assert patching.preparation(tmp_path, "ixgbe") == ""
    header.write_text('#ifdef X\n#error "kcompat.h must be included prior to kernel headers"\n#endif\n')
    command = patching.preparation(tmp_path, "ixgbe")
    assert not {"'", "#", "$"} & set(command)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert header.read_text() == "#ifdef X\n#endif\n"
    assert patching.preparation(tmp_path, "ice") == ""


# --- A patch of the user's own ---


def test_an_own_patch_is_used_in_place_of_netmap_s(choose: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    patch, note = choose(files(), {"6.2.6": "no patch"}, own=OLDER)
    assert patch == OLDER
    assert note == "ixgbe 6.2.6 was patched with the patch given for it, in place of netmap's."


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("", "is no patch in unified form"),
        ("--- a\n", "is no patch in unified form"),
        (
            OLDER.replace("ixgbe/", "i40e/"),
            "is for i40e/Makefile, i40e/ixgbe_main.c. Its paths must begin with a/ixgbe/",
        ),
        (OLDER.replace("a/ixgbe/Makefile", "a/ixgbe/../../x"), "is for ixgbe/../../x"),
        (OLDER.replace("_netmap_attach", "_attach"), "adds no call of netmap_attach"),
        (OLDER.replace("clock_init", "clock_begin"), "does not fit ixgbe/ixgbe_main.c: "),
        (OLDER.replace("ixgbe_main.c", "ixgbe_core.c"), "does not fit"),
        (OLDER.replace("@@ -", "@@ -x"), "does not fit"),
        # Each part would fit alone, so a dry run finds nothing.
        (OLDER + OLDER, "does not fit what it has itself changed before: "),
        (OLDER[OLDER.index("diff --git", 1) :], "does not add $(NETMAP_DRIVER_SUFFIX) to the module's name in ixgbe"),
    ],
)
def test_an_own_patch_that_is_none_for_this_driver(choose: Callable[..., tuple[str, str]], own: str, says: str) -> None:
    with pytest.raises(TrafficgenError) as error:
        choose(files(), {}, own=own or "\n")
    assert "the patch given for ixgbe 6.2.6 (file:///root/own.patch) " in error.value.message
    assert says in error.value.message


@pytest.mark.parametrize(
    "own",
    [
        OLDER.replace("_netmap_attach", "_attach"),
        OLDER[OLDER.index("diff --git", 1) :],
        # Made on top of netmap's: its lines are around.
        difference(native(files()), native(files(main=MAIN.replace("return 0;", "return 0; /* more */")))),
    ],
)
def test_what_lacks_a_part_of_netmap_s_patch_can_go_on_top(choose: Callable[..., tuple[str, str]], own: str) -> None:
    with pytest.raises(TrafficgenError, match="Or set patch_over_netmap: true, to have it applied on top of netmap's"):
        choose(files(), {}, own=own)


def test_an_own_patch_that_is_in_the_archive_already(choose: Callable[..., tuple[str, str]]) -> None:
    with pytest.raises(TrafficgenError, match="is in the archive already, and cannot be applied twice"):
        choose(native(files()), {}, own=OLDER)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_an_archive_that_is_none(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "v.zip"
    archive.write_bytes(content)
    with pytest.raises(TrafficgenError, match="the archive of ixgbe cannot be unpacked"):
        patching.unpack(archive, "ixgbe", "6.2.6", tmp_path / "source")


@pytest.mark.parametrize("folder", ["ethernet-linux-ixgbe-6.3.4", "ethernet-linux-i40e-6.2.6", "ixgbe-6.2.6"])
def test_an_archive_of_something_else(tmp_path: Path, folder: str) -> None:
    """netmap's configure would drop the driver: it looks for a folder with this very name."""
    archive = tmp_path / "v6.2.6.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(f"{folder}/src/Makefile", MAKEFILE)
    with pytest.raises(TrafficgenError, match=f"has the folder {folder}, not ethernet-linux-ixgbe-6.2.6"):
        patching.unpack(archive, "ixgbe", "6.2.6", tmp_path / "source")


def test_the_archive_of_e1000e_has_a_folder_of_another_name(tmp_path: Path) -> None:
    archive = tmp_path / "e1000e-3.8.7.tar.gz"
    source = tmp_path / "e1000e-3.8.7/src"
    source.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(source, "e1000e-3.8.7/src")
    patching.unpack(archive, "e1000e", "3.8.7", tmp_path / "source")
    assert (tmp_path / "source/e1000e").is_dir()


def test_an_archive_without_the_folder_of_the_source(choose: Callable[..., tuple[str, str]]) -> None:
    with pytest.raises(TrafficgenError, match="the archive of ixgbe has no folder src"):
        choose({"README": "only this"}, {"6.1.6": OLDER})
