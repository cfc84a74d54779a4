#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The report in a real browser: it renders without a complaint, asks nothing of a network, can be
used by keys, is there without scripts, and fits a phone. Needs chromium (make report-test).

  tests/browser/test_report.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import tempfile
import unittest

from browser import Browser

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TREE / "scripts"), str(TREE / "tests" / "scripts")]

from report_lib import history, report

SIGNATURE = "property=blocks detail=size"


def a_run(number, **more):
    """A made-up run, for its looks only."""
    growth = [[second, 1000 * second, 500 + 40 * min(second, 12) + 9 * number,
               900 + 99 * min(second, 15), 10 + second] for second in range(30)]
    target = {"executions": 29000, "rate": 966, "checked": 29000, "edges_start": 500,
              "edges": growth[-1][2], "features": 2000, "corpus_start": 10, "corpus": 39,
              "since_find": 14.2, "stability": None, "peak_mb": 61, "slowest_seconds": 0,
              "timeouts": 0, "growth": growth}
    run = {"id": f"run-{number}", "started": f"2026-01-{number + 1:02}T22:00:00+0000",
           "result": "clean", "seconds": 29.5, "seconds_asked": 30, "cores": 2, "findings": [],
           "commit": f"{number}123456789abcdef", "changed": False, "seeds": [1, 2],
           "processor_seconds": 50.0, "targets": {"heap": target, "text": {**target, "edges": 700}},
           "sample": {"scripts": 12345, "operations": 400000, "seed": 7, "failed": 0}}
    return {**run, **more}


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        for number in range(3):
            history.append(cls.folder, a_run(number))
        finding = {"signature": SIGNATURE, "kind": "blocks", "target": "heap", "new": True,
                   "folder": "build/findings/heap-blocks-1", "seen": 3, "again": [5, 5],
                   "command": "build/fuzz/heaplab run --bytes build/findings/heap-blocks-1/input",
                   "files": {"script": "findings/heap-blocks-1/script.txt"}, "shrunk": True}
        script = cls.folder / "findings" / "heap-blocks-1" / "script.txt"
        script.parent.mkdir(parents=True)
        script.write_text("heap dwords=100 align=4 guard=3\nalloc s0 tag=0x1001 bytes=12\n")
        run = a_run(3, result="findings", findings=[finding])
        cls.page = report.write(cls.folder, run, history.read(cls.folder))
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.scratch.cleanup()

    def setUp(self):
        self.browser.errors.clear()
        self.browser.requests.clear()
        self.browser.resize(1200, 900)
        self.browser.prefer("light")
        self.browser.open(self.page)

    def test_it_renders_without_a_complaint(self):
        self.assertEqual([], self.browser.errors)
        self.assertIn("1 finding, 1 new", self.browser.run("document.body.innerText"))
        self.assertEqual(2, self.browser.run("document.querySelectorAll('svg.chart').length"))
        self.assertGreater(self.browser.run(
            "document.querySelector('svg.chart .curve').getTotalLength()"), 300)

    def test_no_request_leaves_the_page(self):
        outside = [url for url in self.browser.requests
                   if not url.startswith((self.folder.resolve().as_uri(), "data:"))]
        self.assertEqual([], outside)
        self.assertTrue(self.browser.requests)

    def test_what_would_leave_is_refused(self):
        self.browser.run("fetch('http://127.0.0.1:9/').catch(() => 'refused')")
        self.assertTrue(any("Content Security Policy" in each for each in self.browser.errors),
                        self.browser.errors)

    def test_links_work(self):
        links = self.browser.run("[...document.querySelectorAll('a')].map((a) => a.href)")
        self.assertGreater(len(links), 8)
        for link in links:
            self.browser.open(link)
            self.assertFalse(self.browser.run("document.body.innerText.includes('ERR_')"), link)
        self.assertEqual([], self.browser.errors)

    def test_a_phone_needs_no_sideways_scrolling(self):
        self.browser.resize(360, 740, phone=True)
        self.browser.open(self.page)
        self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), 360)

    def test_dark_is_dark_and_light_is_light(self):
        ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        self.assertGreater(min(self.browser.run(ground)), 200)
        self.browser.prefer("dark")
        self.assertLess(max(self.browser.run(ground)), 60)

    def test_letters_stand_out_from_the_ground(self):
        """At least 4.5 to 1, as the Web Content Accessibility Guidelines want it."""
        contrast = """(() => {
            const light = (text) => {
                const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((each) => {
                    const share = each / 255;
                    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ground = (node) => {
                for (; node; node = node.parentElement) {
                    const colour = getComputedStyle(node).backgroundColor;
                    if (!/, 0(\\.\\d+)?\\)$/.test(colour)) { return colour; }
                }
                return "rgb(255, 255, 255)";
            };
            const seen = {};
            for (const node of document.querySelectorAll("h1,h2,h3,p,th,td,a,code,dt,dd,li")) {
                const pair = [light(getComputedStyle(node).color), light(ground(node))];
                const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
                seen[node.tagName + "." + node.className] = ratio;
            }
            return seen;
        })()"""
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme)
            low = {name: ratio for name, ratio in self.browser.run(contrast).items() if ratio < 4.5}
            self.assertEqual({}, low, scheme)

    def test_without_scripts_the_text_is_there(self):
        self.browser.scripts(False)
        try:
            self.browser.open(self.page)
            self.browser.scripts(True)
            text = self.browser.run("document.body.innerText")
        finally:
            self.browser.scripts(True)
        for words in ("1 finding, 1 new", SIGNATURE, "alloc s0 tag=0x1001", "fails 5 of 5 times",
                      "at most one in"):
            self.assertIn(words, text)
        self.assertNotIn("Copy", text)

    def test_curves_answer_to_keys_and_mouse(self):
        self.browser.run("document.querySelector('svg.chart').focus()")
        reading = "document.querySelector('.reading').textContent"
        self.browser.press("Home")
        self.assertEqual("00:00:00: 527 edges", self.browser.run(reading))
        self.browser.press("ArrowRight")
        self.assertEqual("00:00:01: 567 edges", self.browser.run(reading))
        self.browser.press("End")
        self.assertEqual("00:00:29: 1,007 edges", self.browser.run(reading))
        self.browser.run("document.querySelector('svg.chart').scrollIntoView()")
        box = self.browser.run("(({left, top, width, height}) => [left, top, width, height])"
                               "(document.querySelector('svg.chart').getBoundingClientRect())")
        self.browser.move_mouse(box[0] + box[2] / 2, box[1] + box[3] / 2)
        self.assertRegex(self.browser.run(reading), r"^00:00:1[345]: ")

    def test_commands_can_be_copied_or_selected(self):
        self.browser.run("document.querySelector('.command button').click()")
        words = self.browser.run("new Promise((done) => setTimeout(() => done("
                                 "document.querySelector('.command button').textContent), 300))")
        self.assertIn(words, ("Copied", "Selected"))

    def test_everything_focusable_has_a_name(self):
        nameless = self.browser.run("""[...document.querySelectorAll("a,button,[tabindex],svg,img")]
            .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim() ||
                                node.alt))
            .map((node) => node.outerHTML.slice(0, 80))""")
        self.assertEqual([], nameless)


if __name__ == "__main__":
    unittest.main()
