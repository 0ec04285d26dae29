# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a throughput test on the controller: reads results and writes each report separately.

The result is written first, so that an error in a criterion or report cannot lose it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.html import to_html
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.markdown import to_markdown
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._report.page import page
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import record
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.junit import junit
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.result import judged, load, of_record

RESULT = "result.json"
_AGAIN = (
    "Make room, then run the playbook wirespeed.trafficgen.report with report_results set to the folder of the results."
)
# By kind: the file, and the function that makes it from a result or a list of results.
REPORTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "markdown": ("report.md", lambda results: to_markdown(page(results))),
    "html": ("report.html", lambda results: to_html(page(results))),
    "junit": ("junit.xml", junit),
}


def read(where: str) -> tuple[dict[str, Any], bool]:
    """A result, and whether it was made from a record just now. ``where``: a result file, a record, or the folder of
    either."""
    at = Path(where)
    if at.is_dir():
        log, result = at / record.FILE, at / RESULT
        if log.exists():
            kept = record.read_record(log)
            if kept.left() or not result.exists():
                return of_record(kept), True
        at = result
    elif at.suffix == Path(record.FILE).suffix:
        return of_record(record.read_record(at)), True
    try:
        text = at.read_bytes().decode("utf-8")
    except OSError as error:
        raise TrafficgenError(
            "cannot be read",
            on=str(at),
            said=error.strerror or str(error),
            remedy="Name a result.json of the role throughput, or the folder it is in.",
        ) from None
    except UnicodeDecodeError as error:
        raise TrafficgenError(
            "is not text in UTF-8", on=str(at), said=str(error), remedy="Name a result.json, as it was written."
        ) from None
    return load(text, str(at)), False


def write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    made = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            made = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(made, 0o644)
        os.replace(made, path)
    except OSError as error:
        if made is not None:
            with contextlib.suppress(OSError):
                os.unlink(made)
        raise TrafficgenError(
            "cannot be written", on=str(path), said=error.strerror or str(error), remedy=_AGAIN
        ) from None


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result file."""
    write(path, json.dumps(result, indent=1) + "\n")


def write_reports(
    results: Sequence[Mapping[str, Any]], folder: Path, kinds: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Write the reports of one result, or of a comparison. Returns the files, and a sentence for each that failed."""
    written: list[str] = []
    problems: list[str] = []
    for kind in kinds:
        name, make = REPORTS[kind]
        try:
            write(folder / name, make(results[0] if len(results) == 1 else results))
        except TrafficgenError as error:
            problems.append(f"{name} could not be made: {error.message}")
        except Exception as error:
            # A bug in this collection or a library must not stop the other reports.
            problems.append(f"{name} could not be made: {type(error).__name__}: {' '.join(str(error).split())}.")
        else:
            written.append(name)
    return written, problems


def finish(folder: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """Write all files of the test in a record's folder, the result first.

    :return: ``{result, written, problems}``.
    """
    result = of_record(record.read_record(folder / record.FILE))
    write_result(folder / RESULT, result)
    if result["criteria"] and not result["unfinished"]:
        result = judged(result)
        write_result(folder / RESULT, result)
    written, problems = write_reports([result], folder, kinds)
    return {"result": result, "written": [RESULT, *written], "problems": problems}


def report(places: Sequence[str], folder: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """Write the reports of one result, or of a comparison, to a folder. Also writes a result that was made from a
    record just now.

    :return: ``{results, written, problems}``.
    """
    read_now = [read(place) for place in places]
    results = [judged(result) if made else result for result, made in read_now]
    written: list[str] = []
    if len(results) == 1 and read_now[0][1]:
        write_result(folder / RESULT, results[0])
        written.append(RESULT)
    if len(results) > 1 and "junit" in kinds:
        raise TrafficgenError(
            "is of one result", on="junit", remedy="Name one result, or leave junit out of the kinds."
        )
    reports, problems = write_reports(results, folder, kinds)
    return {"results": results, "written": [*written, *reports], "problems": problems}
