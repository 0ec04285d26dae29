#!/usr/bin/env python
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML reports of the fixtures in a headless Chromium: browser.py FOLDER (for pages, screenshots and PDFs).

Each report, wide, on a phone, in dark mode and on paper: each chart shows each of its series, in its colour, by the
pixels of a screenshot; nothing is asked of a network; nothing is said on the console; the page is not wider than the
screen, a table not wider than the paper. Then charts are broken on purpose, and the same check has to see it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from ansible_collections.wirespeed.trafficgen.plugins.filter.throughput_html import throughput_html

FIXTURES = Path(__file__).parents[1] / "fixtures" / "throughput"
REPORTS = {
    "first_user": ["first_user"],
    "troubles": ["troubles"],
    "search": ["search"],
    "namespaces": ["namespaces"],
    "marks": ["marks"],
    "example": ["example"],
    "comparison": ["first_user", "first_user_native"],
    "comparison_namespaces": ["namespaces", "namespaces_dropping"],
}
PHONE, SCREEN = 390, 844  # the width and height of a phone's screen
PAPER = 703  # A4 less its margins, in CSS pixels
VIEWS = {
    "wide": {"width": 1280, "media": "screen", "scheme": "light"},
    "dark": {"width": 1280, "media": "screen", "scheme": "dark"},
    "phone": {"width": PHONE, "media": "screen", "scheme": "light"},
    "phone-dark": {"width": PHONE, "media": "screen", "scheme": "dark"},
    "paper": {"width": PAPER, "media": "print", "scheme": "dark"},  # paper is white, whatever the screen
}
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
FEWEST_PIXELS = 12  # a single mark of a chart on a phone has more
SECONDS = 30


class Browser:
    """A Chromium of its own, spoken to by its DevTools protocol over two pipes."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()

        def ends():
            # The protocol's: 3 to read from, 4 to write to. First out of the way, since the pipes may have these very
            # numbers.
            read, write = os.dup(theirs_read), os.dup(theirs_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={self.profile}"],
            preexec_fn=ends,  # noqa: PLW1509  (there is one thread)
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self.reader, self.writer = os.fdopen(ours_read, "rb"), os.fdopen(ours_write, "wb")
        self.rest, self.number, self.session, self.events = b"", 0, None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """The answer to a command. What else comes meanwhile is kept as events."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)
        raise TimeoutError(method)

    def next(self):
        while b"\0" not in self.rest:
            more = self.reader.read1(1 << 20)
            if not more:
                raise RuntimeError("chromium has gone away")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        """What a script in the page returns."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def open(self, path, view):
        self.events = []
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=view["width"],
            height=900,
            deviceScaleFactor=1,
            mobile=view["width"] == PHONE,
        )
        self.ask(
            "Emulation.setEmulatedMedia",
            media=view["media"],
            features=[{"name": "prefers-color-scheme", "value": view["scheme"]}],
        )
        self.ask("Page.navigate", url=path.as_uri())
        until = time.monotonic() + SECONDS
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            if time.monotonic() > until:
                raise TimeoutError(f"{path}: it does not load")
            self.events.append(self.next())
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def shot(self, box=None):
        """A screenshot as PNG: of a box of the page, or of the whole."""
        if box is None:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            box = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000)}
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip={**box, "scale": 1})
        return base64.b64decode(answer["data"])

    def close(self):
        try:
            self.session = None
            self.ask("Browser.close")
            self.process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        for end in (self.reader, self.writer):
            end.close()
        shutil.rmtree(self.profile, ignore_errors=True)


def pixels(png):
    """Each pixel of a PNG of 8 bits a channel, as Chromium makes them: (red, green, blue)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, width, channels = 8, b"", 0, 0
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, depth, colour, interlaced = struct.unpack(">I4xBB2xB", body)
            channels = {2: 3, 6: 4}[colour]
            assert (depth, interlaced) == (8, 0)
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    data = zlib.decompress(packed)
    length = width * channels
    above = bytearray(length)
    for begin in range(0, len(data), length + 1):
        kind, row = data[begin], bytearray(data[begin + 1 : begin + 1 + length])
        if kind == 2:
            row = bytearray((value + up) & 255 for value, up in zip(row, above))
        elif kind:
            for index in range(length):
                left = row[index - channels] if index >= channels else 0
                up = above[index]
                corner = above[index - channels] if index >= channels else 0
                if kind == 1:
                    guess = left
                elif kind == 3:
                    guess = (left + up) // 2
                else:
                    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                    guess = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
                row[index] = (row[index] + guess) & 255
        yield from zip(row[0::channels], row[1::channels], row[2::channels])
        above = row


# Each chart: its box on the page and the colour of each series in its key, as the style sheet has it in this very view.
CHARTS = """
[...document.querySelectorAll("figure")].map(figure => {
    const svg = figure.querySelector("svg.chart"), box = svg.getBoundingClientRect();
    const colours = [...figure.querySelectorAll(".keys li")].map(key => {
        const probe = document.createElement("i");
        probe.style.color = getComputedStyle(key.querySelector("g")).getPropertyValue("--c");
        key.querySelector("g").parentNode.parentNode.append(probe);
        const rgb = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
        probe.remove();
        return [key.textContent.trim(), rgb];
    });
    return {title: figure.querySelector("h3").textContent, named: svg.querySelector("title").textContent,
            box: {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height}, colours};
})
"""


# What of the answer is not on a phone's first screen: the first figure, and a wide table's second column, which has it.
FIRST_SCREEN = f"""
[...[...document.querySelectorAll(".findings")].map(list => list.querySelector("li"))
    .filter(line => line.getBoundingClientRect().bottom + scrollY > {SCREEN})
    .map(line => "below the first screen: " + line.textContent),
 ...[...document.querySelectorAll(".box.first")].map(box => box.querySelector("thead th:nth-child(2)"))
    .filter(cell => cell.getBoundingClientRect().right > {PHONE})
    .map(cell => "off the first screen: the column " + cell.textContent)]
"""


def empty_series(browser, chart):
    """The series of a chart that cannot be seen in it."""
    seen = dict.fromkeys((label for label, _dummy in chart["colours"]), 0)
    counted = {}
    for pixel in pixels(browser.shot(chart["box"])):
        counted[pixel] = counted.get(pixel, 0) + 1
    for label, wanted in chart["colours"]:
        seen[label] = sum(n for pixel, n in counted.items() if max(abs(a - b) for a, b in zip(pixel, wanted)) <= 40)
    return [f"{label} ({n} pixels)" for label, n in seen.items() if n < FEWEST_PIXELS]


def check(browser, page, view_name, view, folder):
    """What is wrong with a page in a view, a sentence each."""
    name = f"{page.stem}, {view_name}"
    wrong = []
    browser.open(page, view)
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and not parameters["request"]["url"].startswith(("file:", "data:")):
            wrong.append(f"{name}: it asks for {parameters['request']['url']}")
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            wrong.append(f"{name}: on the console: {json.dumps(parameters)[:300]}")
    if browser.run("document.querySelectorAll('script, iframe, object, embed, link[rel=stylesheet], img').length"):
        wrong.append(f"{name}: it has an element that runs or loads something")
    width = browser.run("document.documentElement.scrollWidth")
    if width > view["width"]:
        wrong.append(f"{name}: the page is {width} px wide on a screen of {view['width']}")
    small = browser.run(
        "[...document.querySelectorAll('a,summary,td,p,li')].filter(e => parseFloat(getComputedStyle(e).fontSize) <"
        " 7).length"
    )
    if small:
        wrong.append(f"{name}: {small} elements with text smaller than 7 px")
    if view["media"] == "print":
        cut = browser.run(
            "[...document.querySelectorAll('.box')].filter(b => b.scrollWidth > b.clientWidth + 1).map(b =>"
            " b.ariaLabel)"
        )
        wrong += [f"{name}: the table is cut: {caption}" for caption in cut]
        folded = browser.run(
            "[...document.querySelectorAll('details table')].filter(t => !t.checkVisibility({contentVisibilityAuto:"
            " true})).length"
        )
        if folded:
            wrong.append(f"{name}: {folded} folded tables are not on the paper")
        background = browser.run("getComputedStyle(document.body).backgroundColor")
        if background != "rgb(255, 255, 255)":
            wrong.append(f"{name}: paper is {background}")
    if view["width"] == PHONE:
        wrong += [f"{name}: {sentence}" for sentence in browser.run(FIRST_SCREEN)]
    bare = browser.run("document.querySelectorAll('.chart use:not(:has(title)), .chart .rect:not(:has(title))').length")
    if bare:
        wrong.append(f"{name}: {bare} marks without a title")
    charts = browser.run(CHARTS)
    for chart in charts:
        if not chart["named"]:
            wrong.append(f"{name}: the chart {chart['title']} has no name for who cannot see it")
        wrong += [f"{name}: the chart {chart['title']} does not show {label}" for label in empty_series(browser, chart)]
    (folder / f"{page.stem}-{view_name}.png").write_bytes(browser.shot())
    return wrong, len(charts)


BREAKS = {
    "a series is gone": "document.querySelectorAll('svg.chart g.s1').forEach(group => group.remove())",
    "the colours are gone": "document.querySelector('style').textContent = ''",
    "the charts are gone": "document.querySelectorAll('svg.chart > g').forEach(group => group.remove())",
    "a series is off the chart": (
        "document.querySelectorAll('svg.chart g.s0').forEach(g => g.style.transform = 'translate(0, 9999px)')"
    ),
}


# A page spoiled in each way, and what the checks have to say of it.
NO_CHART = (
    '<figure><h3>x</h3><ul class="keys"><li><svg><g class="s0"></g></svg>x</li></ul><svg'
    ' class="chart"><title></title></svg></figure>'
)
SPOILED = {
    '<img src="http://192.0.2.1/x.png">': "runs or loads",
    '<link rel="stylesheet" href="http://192.0.2.1/x.css">': "on the console",  # the page's own policy refuses it
    "<script>document.title = 1</script>": "on the console",
    '<p style="width:600px">wide</p>': "px wide on a screen",
    NO_CHART: "does not show x",
    '<svg class="chart"><title>x</title><use href="#m0"/></svg>': "1 marks without a title",
    '<ul class="findings" style="margin-top:900px"><li>far down</li></ul>': "below the first screen: far down",
    '<div class="box first"><table><thead><th style="min-width:390px">a</th><th>b</th></thead></table></div>': (
        "off the first screen: the column b"
    ),
}


def spoiled(browser, page, folder):
    """The checks that find nothing in a spoiled page."""
    text = page.read_text(encoding="utf-8")
    wrong = []
    other = folder / "spoiled.html"
    for what, said in SPOILED.items():
        other.write_text(text.replace("</main>", what + "</main>"), encoding="utf-8")
        found, _dummy = check(browser, other, "phone", VIEWS["phone"], folder)
        if not any(said in sentence for sentence in found):
            wrong.append(f"a check that sees nothing: {what}: {found}")
    unguarded = re.sub("<meta http-equiv[^>]*>", "", text)
    other.write_text(unguarded.replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'), encoding="utf-8")
    found, _dummy = check(browser, other, "phone", VIEWS["phone"], folder)
    if not any("it asks for http://127.0.0.1:9" in sentence for sentence in found):
        wrong.append(f"a check that sees no request: {found}")
    return wrong


def main():
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "chromium is missing"
    pages = []
    for name, inputs in REPORTS.items():
        results = [json.loads((FIXTURES / f"{one}.json").read_text(encoding="utf-8")) for one in inputs]
        page = folder / f"{name}.html"
        page.write_text(throughput_html(results if len(results) > 1 else results[0]), encoding="utf-8")
        print(f"{page.name}: {page.stat().st_size / 1000:.0f} kB")
        assert page.stat().st_size < 250_000, page
        pages.append(page)
    browser = Browser(program)
    wrong, seen = [], 0
    try:
        for page in pages:
            for view_name, view in VIEWS.items():
                said, charts = check(browser, page, view_name, view, folder)
                wrong += said
                seen += charts
            assert charts, f"{page}: no chart"
            browser.ask("Emulation.setEmulatedMedia", media="", features=[])
            pdf = browser.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"]
            (folder / f"{page.stem}.pdf").write_bytes(base64.b64decode(pdf))
        for how, script in BREAKS.items():
            browser.open(pages[0], VIEWS["wide"])
            charts = browser.run(CHARTS)
            browser.run(script)
            if not any(empty_series(browser, chart) for chart in charts):
                wrong.append(f"a check that sees nothing: {how}, and no chart was found empty")
        wrong += spoiled(browser, folder / "search.html", folder)
    finally:
        browser.close()
    print("\n".join(wrong))
    print(f"{seen} charts looked at, in {len(pages)} reports and {len(VIEWS)} views; {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
