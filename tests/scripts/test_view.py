#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of heaplab view and heaplab draw --svg. Needs gcc. Takes some seconds:

  tests/scripts/test_view.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import base64
import json
import os
import re
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree

import surroundings

surroundings.make_usual()

from cli_case import HEAP_SEEDS, HEAPLAB, SCRIPT, TREE, CliTest
from cli_case import setUpModule  # which unittest calls
from html_check import Checker

LUA = TREE / "corpus/heap/seed/recorded-lua-start.txt"


class View(CliTest):
    def page(self, *arguments, status=0):
        """(what can be read, the data) of the page"""
        (self.folder / "page.html").unlink(missing_ok=True)
        found, out, err = self.call("view", "-o", "page.html", *arguments)
        self.assertEqual((status, ""), (found, out), err)
        self.assertEqual("" if status == 0 else err, err)
        checker = Checker(self.folder / "page.html")
        self.assertEqual([], checker.faults)
        text = self.read("page.html").decode()
        return checker.text, text

    def plugin(self, source, *flags):
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", *flags, f"-I{TREE}/include",
                        f"-I{TREE}/fuzz", TREE / "tests/scripts" / source, "-o",
                        self.folder / "mine.so"], check=True)
        return "./mine.so"

    def test_a_page_says_what_it_shows(self):
        text, page = self.page("good.txt")
        for words in ("good.txt on heap", "2 operations, 2 played. The script passed.",
                      "alloc s1 tag=0x1002 bytes=24", "The last moment"):
            self.assertIn(words, text)
        about = json.loads(re.search(r'id="about">(.*?)</script>', page)[1])
        self.assertEqual(("good.txt", "heap", True, 3),
                         (about["path"], about["subject"], about["heap"], about["guard"]))
        film = base64.b64decode(re.search(r'id="film">\n(.*?)</script>', page, re.DOTALL)[1])
        self.assertEqual(b"LF1\x18", film[:4])

    def test_long_scripts_are_cut_in_the_text_only(self):
        for count, words in ((500, None), (501, "... and 1 more")):
            self.write("long", "heap dwords=1000\n" + "free s0\n" * count)
            text, page = self.page("long")
            self.assertEqual(500, page.count("<li>free s0</li>"))
            self.assertEqual(words is not None, "... and" in text)
            self.assertIn(words or "500 played", text)

    def test_nothing_is_asked_of_a_network(self):
        _, page = self.page(LUA)
        self.assertIn("Content-Security-Policy", page)
        self.assertEqual([], re.findall(r"(?:src|href)=[\"'](?!data:|#)", page))
        self.assertEqual({"http://www.w3.org/2000/svg"}, set(re.findall(r"https?://[^\"' ]+", page)))

    def test_the_same_script_makes_the_same_page(self):
        self.assertEqual(self.page(LUA), self.page(LUA))

    def test_without_out_it_goes_to_standard_output(self):
        status, out, err = self.call("view", "good.txt")
        self.assertEqual((0, ""), (status, err))
        self.assertTrue(out.startswith("<!DOCTYPE html>\n"))
        self.page("good.txt")
        self.assertEqual(self.read("page.html").decode(), out)

    def test_every_seed_can_be_seen(self):
        for path in HEAP_SEEDS[::7]:
            text, _ = self.page(path)
            self.assertRegex(text, r"\d+ operations?, \d+ played\. The (script passed|subject cannot)")

    def test_a_region_that_is_refused_has_no_frames(self):
        self.write("small", "heap dwords=1\nalloc s0 tag=0x1001 bytes=1\n")
        text, _ = self.page("small")
        self.assertIn("1 operation, 0 played. The subject cannot be made", text)

    def test_subjects(self):
        for name in ("malloc", "arena", "pool", "tagged-wide", "slab"):
            text, _ = self.page("--subject", name, LUA)
            self.assertIn(f"on {name}", text)
            self.assertIn("The script passed.", text)

    def test_a_subject_that_fails(self):
        plugin = self.plugin("mistaken_subject.c", "-DMISTAKE=USABLE_IS_A_UNIT_MORE")
        text, page = self.page("--subject", plugin, LUA, status=1)
        self.assertIn("The script failed.", text)
        self.assertRegex(text[:2000], r"At operation \d+: property=\w+ detail=[\w ]+: ")

    def test_a_subject_that_ends_the_process_leaves_its_film(self):
        plugin = self.plugin("ending_subject.c")
        for mistake, words in (("null", "by signal 11"), ("exit", "with status 3")):
            os.environ["MISTAKE"] = mistake
            try:
                text, _ = self.page("--subject", plugin, "good.txt", status=1)
            finally:
                del os.environ["MISTAKE"]
            self.assertIn(f"2 operations, 1 played. The operation after the last one shown ended "
                          f"the process {words}.", text)

    def test_names_are_no_markup(self):
        self.write("<b>&\"'.txt", SCRIPT)
        text, page = self.page("<b>&\"'.txt")
        self.assertIn("<b>&\"'.txt on heap", text)
        self.assertNotIn("<b>", page)

    def test_bad_input(self):
        self.write("bad", "heap dwords=100\nalloc s0 tag=banana bytes=1\n")
        self.write("there.html", "mine")
        for arguments, words in (
            (["view", "bad"], "bad:2:10: "), (["view", "none"], "none: "), (["view"], "FILE"),
            (["view", "-o", "there.html", "good.txt"], "there.html"),
            (["view", "-o", "no/folder.html", "good.txt"], "no/folder.html"),
            (["view", "--subject", "none", "good.txt"], "'none'"),
            (["draw", "--svg", "--at", "x", "good.txt"], "'x'"),
            (["draw", "--svg", "--at", "good.txt"], "--at"),
            (["draw", "-o", "new.svg", "good.txt"], "goes with --svg: '-o'"),
            (["draw", "--at", "1", "good.txt"], "goes with --svg: '--at'"),
            (["draw", "--svg", "bad"], "bad:2:10: "),
        ):
            status, out, err = self.call(*arguments)
            self.assertEqual((2, ""), (status, out), arguments)
            self.assertIn(words, err)
            self.assertLessEqual(len(err.splitlines()), 2, err)
        self.assertEqual(b"mine", self.read("there.html"))
        self.assertFalse((self.folder / "new.svg").exists())

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            status, _, err = self.call("view", "good.txt", stdout=full)
        self.assertEqual(2, status)
        self.assertIn("No space left", err)

    def test_what_is_told_to_end_ends_what_plays(self):
        self.write("long", "heap dwords=30000 slots=1024\n" + "".join(
            f"alloc s{i % 1000} tag=0x1001 bytes={i % 90 + 1}\nresize s{i % 1000} bytes=50\n"
            for i in range(60000)))
        process = subprocess.Popen([HEAPLAB, "view", "-o", "page.html", "long"], cwd=self.folder,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], text=True,
                                  capture_output=True, check=False).stdout.split()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, process.wait(20))
        end = time.monotonic() + 10
        while time.monotonic() < end and any(os.path.exists(f"/proc/{pid}") for pid in children):
            time.sleep(0.1)
        self.assertEqual([], [pid for pid in children if os.path.exists(f"/proc/{pid}")])
        self.assertFalse((self.folder / "page.html").exists())


class Picture(CliTest):
    def picture(self, *arguments):
        status, out, err = self.call("draw", "--svg", *arguments)
        self.assertEqual((0, ""), (status, err))
        tree = xml.etree.ElementTree.fromstring(out)
        return tree, [element.get("fill") or element.get("class") for element in tree.iter()
                      if element.tag.endswith("rect") and element.get("height") == "30"]

    def test_a_moment_is_drawn(self):
        tree, rows = self.picture("--at", "0", "good.txt")
        self.assertEqual({"none", "free"}, set(rows))
        tree, rows = self.picture("--at", "1", "good.txt")
        self.assertEqual(1, sum(row.startswith("hsl") for row in rows))
        self.assertIn("after 1 of 2 operations", "".join(tree.itertext()))
        tree, rows = self.picture("good.txt")
        self.assertGreaterEqual(sum(row.startswith("hsl") for row in rows), 2)
        self.assertIn("after 2 of 2 operations", "".join(tree.itertext()))
        self.assertEqual(rows, self.picture("--at", "99", "good.txt")[1])

    def test_to_a_file(self):
        self.assertEqual((0, "", ""), self.call("draw", "--svg", "-o", "new.svg", "good.txt"))
        self.assertEqual(self.call("draw", "--svg", "good.txt")[1], self.read("new.svg").decode())
        status, _, err = self.call("draw", "--svg", "-o", "new.svg", "good.txt")
        self.assertEqual(2, status)
        self.assertIn("new.svg", err)

    def test_nothing_to_draw(self):
        self.write("small", "heap dwords=1\n")
        tree, _ = self.picture("small")
        self.assertIn("there is nothing to draw", "".join(tree.itertext()))

    def test_the_documents_have_the_picture_of_today(self):
        out = self.call("draw", "--svg", "--at", "14", TREE / "docs/view-example.txt")[1]
        licence, shown = (TREE / "docs/view-example.svg").read_text().split("\n", 1)
        self.assertIn("SPDX", licence)
        self.assertEqual(re.sub(r"[^>]*view-example", "view-example", out),
                         re.sub(r"[^>]*view-example", "view-example", shown))


if __name__ == "__main__":
    unittest.main()
