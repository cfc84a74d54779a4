#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the search for the dearest calls: heaplab worst, heaplab cost and scripts/worst.

  tests/scripts/test_worst.py [-v] [NAME...]

They take build/worst/heaplab, build/release/heaplab and build/debug/heaplab.
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
SEARCH, COUNT, DEBUG = (TREE / "build" / name / "heaplab" for name in ("worst", "release", "debug"))
KINDS = ("alloc", "aligned", "aligned-k", "failed", "grow", "free", "trim")
SMALL = ("--sizes", "1K,4K", "--seconds", "0", "--samples", "3")
SECONDS_MAX = 120


class WorstTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def run_command(self, *command):
        done = subprocess.run([str(word) for word in command], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS_MAX,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def worst(self, *options):
        return self.run_command(TREE / "scripts" / "worst", "-o", self.folder / "calls", *options)

    def write_bounds(self, **bounds):
        lines = [f"{kind}\t{bounds.get(kind.replace('-', '_'), '-')}\n" for kind in KINDS]
        (self.folder / "bounds.tsv").write_text("".join(lines))
        return "--bounds", self.folder / "bounds.tsv"

    def assert_refused(self, result, *words):
        status, out, err = result
        self.assertEqual((2, ""), (status, out), err)
        self.assertEqual(1, err.count("\n"), err)
        for word in words:
            self.assertIn(word, err)

    # ---- scripts/worst

    def test_a_walk_grows_linearly(self):
        """What finds room by walking over the blocks is found out."""
        status, out, err = self.worst(*SMALL, "--index", "none", "--demand", "flat",
                                      *self.write_bounds())
        self.assertEqual(1, status, err)
        for kind in ("alloc", "failed"):
            self.assertRegex(out, rf"(?m)^  {kind} +like the size to the power of .*: linear$")
            self.assertIn(f"NOT HELD: {kind} does not grow as demanded: flat\n", out)
        for kind in ("free", "trim"):
            self.assertRegex(out, rf"(?m)^  {kind} +like the size to the power of .*: flat$")
            self.assertNotIn(f"NOT HELD: {kind}", out)
        self.assertTrue(out.endswith("\nno bound is stated\n"))
        for step in ("1 KiB searched", "4 KiB counted", "4 KiB: ordinary load counted"):
            self.assertIn(step, err)
        self.assertIn("worst: 6 of 6: ", err)

    def test_bounds(self):
        """One that is exceeded fails it; the table says by which script, which is there."""
        bounds = self.write_bounds(alloc="100\t10", free="100000\t0", aligned_k="0\t0\t1000000\t0")
        status, out, err = self.worst(*SMALL, *bounds)
        self.assertEqual(1, status, err)
        rows = re.findall(r"(?m)^ *(\d) KiB  (\S+) +(\S+) +(\d+) +(\d+|-)  (held|NOT HELD|) +(\S+)"
                          r"(?:, k \d+)?$", out)
        self.assertEqual([(size, kind) for size in "14" for kind in KINDS],
                         [row[:2] for row in rows], out)
        for _, kind, bound, worst, median, held, path in rows:
            if kind == "alloc":
                self.assertLess(int(bound), int(worst))
            expected = {"alloc": "NOT HELD", "free": "held", "aligned-k": "held"}
            self.assertEqual(expected.get(kind, ""), held)
            if kind != "aligned-k":
                self.assertLess(int(median), int(worst) + 1)
            self.assertTrue((self.folder / path).is_file(), path)
        self.assertEqual(("200", "220"), (rows[0][2], rows[7][2]))  # 100 + 10 log2(1024 or 4096)
        self.assertTrue(out.endswith("\n4 of 6 bounds held, 2 NOT HELD\n"), out)
        # The script gives the same count again.
        _, _, _, worst, _, _, path = rows[0]
        status, out, err = self.run_command(COUNT, "cost", path)
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(out, rf", alloc: {worst} instructions\n$")

    def test_bounds_that_hold(self):
        bounds = self.write_bounds(alloc="100000\t0", failed="0\t10000")
        status, out, err = self.worst(*SMALL, *bounds)
        self.assertEqual(0, status, err)
        self.assertNotIn("NOT HELD", out)
        self.assertTrue(out.endswith("\n4 of 4 bounds held\n"), out)

    def test_another_counter(self):
        """--count: given scripts, it prints lines like those of heaplab cost."""
        counter = self.folder / "counter"
        counter.write_text(f"#!/bin/bash\n{shlex.quote(str(COUNT))} cost \"$@\" |\n"
                           "sed 's/: [0-9]* instr/: 777 instr/'\n")
        counter.chmod(0o755)
        status, out, err = self.worst(*SMALL, *self.write_bounds(free="776\t0"), "--count", counter)
        self.assertEqual(1, status, err)
        self.assertRegex(out, r"(?m)^ *1 KiB  free +776 +777 +\d+  NOT HELD ")

    def test_a_counter_that_does_not_count(self):
        status, out, err = self.worst(*SMALL, "--count", "echo nonsense")
        self.assertEqual((2, ""), (status, out))
        self.assertIn("scripts/worst: echo nonsense: has not printed what ", err)

    def test_without_medians(self):
        status, out, err = self.worst(*SMALL[:4], "--samples", "0", *self.write_bounds())
        self.assertEqual(0, status, err)
        self.assertRegex(out, r"(?m)^ *1 KiB  free +- +\d+ +- ")

    def test_what_is_refused(self):
        self.assert_refused(self.worst("--sizes", "2Q"), "scripts/worst: --sizes: '2Q' is no size")
        self.assert_refused(self.worst("--sizes", "4K,2K"), "not in rising order")
        self.assert_refused(self.worst("--seconds", "-1"), "from 0 to 86400")
        self.assert_refused(self.worst("--samples", "-1"), "from 0 to 1000")
        self.assert_refused(self.worst("--steps", "-1"), "from 0 to")
        self.assert_refused(self.worst("--count", ""), "no command")
        self.assert_refused(self.worst("--count", "'"), "--count: ")
        self.assert_refused(self.worst("--nonsense"), "see scripts/worst --help")
        self.assert_refused(self.worst("--bounds", "absent.tsv"), "absent.tsv: No such file")
        for text, words in (("alloc\t1\n", "bounds.tsv:1: not KIND"),
                            ("# x\nalloc\t1\tx\n", "bounds.tsv:2: not KIND"),
                            ("lloc\t-\n", "bounds.tsv:1: not KIND"),
                            ("alloc\t-\nalloc\t-\n", "bounds.tsv:2: not KIND"),
                            ("alloc\t-\n", "says nothing of aligned")):
            (self.folder / "bounds.tsv").write_text(text)
            self.assert_refused(self.worst("--bounds", "bounds.tsv"), words)

    def test_what_is_missing(self):
        for option, command in (("--search", "./absent"), ("--count", "./absent cost")):
            status, _, err = self.worst(*SMALL, option, command)
            self.assertEqual(2, status)
            self.assertIn("scripts/worst: ./absent is not there; `make worst` builds it\n", err)
        status, _, err = self.worst(*SMALL, "--search", DEBUG)
        self.assertEqual(2, status)
        self.assertIn("this build does not count what it enters", err)

    def test_it_can_be_ended(self):
        process = subprocess.Popen(
            [TREE / "scripts" / "worst", "-o", self.folder / "calls", "--sizes", "1K,4K",
             "--seconds", "60", "--samples", "3"], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(143, process.returncode, err)
        self.assertIn("ended by SIGTERM: 2 regions are left out\n", out)

    # ---- heaplab worst

    def search(self, name, *more, seed=5, steps=60):
        return self.run_command(SEARCH, "worst", "--dwords", 256, "--steps", steps, "--seed", seed,
                                "-o", name, *more)

    def read(self, name):
        return {path.name: path.read_text() for path in (self.folder / name).iterdir()}

    def test_the_same_seed_finds_the_same(self):
        for name in ("one", "two"):
            status, out, err = self.search(name)
            self.assertEqual((0, ""), (status, err))
        self.assertRegex(out, r"(?m)^alloc +\d+ blocks entered, \d+ operations, (a comb|mutated)$")
        self.assertRegex(out, r"(?m)^\d+ scripts, \d+ calls counted$")
        self.assertEqual(self.read("one"), self.read("two"))
        self.assertLessEqual({f"{kind}-1.txt" for kind in KINDS} | {"ordinary.txt"},
                             set(self.read("one")))
        self.assertEqual(0, self.search("three", seed=6)[0])
        self.assertNotEqual(self.read("one"), self.read("three"))

    def entered(self, out):
        return {kind: int(count)
                for kind, count in re.findall(r"(?m)^(\S+) +(\d+) blocks entered", out)}

    def test_a_search_never_loses_what_it_has(self):
        """More steps find more, and one that begins with the result of another is no worse."""
        none = self.entered(self.search("none", steps=0)[1])
        some = self.entered(self.search("some", steps=800)[1])
        given = [self.folder / "some" / f"{kind}-1.txt" for kind in KINDS]
        more = self.entered(self.search("more", "--", *given, seed=6, steps=0)[1])
        for kind in KINDS:
            self.assertLessEqual(none[kind], some[kind])
            self.assertLessEqual(some[kind], more[kind])
        self.assertLess(sum(none.values()), sum(some.values()))

    def test_files_that_are_there(self):
        self.assertEqual(0, self.search("one", steps=0)[0])
        self.assert_refused(self.search("one", steps=0), "one/ordinary.txt", "exists")
        self.assertEqual(0, self.search("one", "-f", steps=0)[0])
        (self.folder / "file").write_text("")
        self.assert_refused(self.search("file"), "file")
        self.assert_refused(self.search("absent/folder"), "absent/folder: No such file")

    def test_arguments_of_the_search(self):
        def refused(words, *arguments):
            self.assert_refused(self.run_command(SEARCH, "worst", *arguments), words)

        refused("no --dwords N given", "-o", "x")
        refused("no -o OUT given", "--dwords", "64")
        refused("no size that scripts can have: '0'", "--dwords", "0", "-o", "x")
        refused("no size that scripts can have: '999999999'", "--dwords", "999999999", "-o", "x")
        refused("no heap has so few dwords", "--dwords", "8", "-o", "x")
        refused("no number of steps: '-1'", "--dwords", "64", "--steps", "-1", "-o", "x")
        refused("unknown option '-x'", "--dwords", "64", "-o", "x", "-x")
        refused("absent.txt: cannot be opened", "--dwords", "64", "-o", "y", "absent.txt")

    # ---- heaplab cost

    def script(self, text):
        (self.folder / "script.txt").write_text("heap dwords=400\n" + text)
        return "script.txt"

    def test_the_last_call_is_counted(self):
        for program in (COUNT, DEBUG):
            counts = []
            for _ in range(2):
                status, out, err = self.run_command(program, "cost", self.script(
                    "alloc s0 tag=0x1001 bytes=100\nfree s0\n"))
                self.assertEqual((0, ""), (status, err))
                counts.append(re.fullmatch(r"script\.txt: operation 2, free: (\d+) instructions\n",
                                           out)[1])
            self.assertEqual(*counts)
            self.assertLess(20, int(counts[0]))
        status, out, _ = self.run_command(COUNT, "cost", self.script(
            "alloc s0 tag=0x1001 bytes=100\nalloc s1 tag=0x1001 bytes=4\nfree s0\n"
            "aligned s2 tag=0x1001 bytes=64 align=1024\n"))
        self.assertRegex(out, r"^script.txt: operation 4, aligned-k: \d+ instructions, k 1\n$")

    def test_samples(self):
        status, out, err = self.run_command(COUNT, "cost", "--samples", "2", self.script(
            "alloc s0 tag=0x1001 bytes=4\nalloc s1 tag=0x1001 bytes=4\n"
            "alloc s2 tag=0x1001 bytes=4\nfree s0\n"))
        self.assertEqual((0, ""), (status, err))
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual([["script.txt"], ["calls", "counted", "median", "most"]], lines[:2])
        self.assertEqual([["alloc", "3", "2"], ["free", "1", "1"]],
                         [line[:3] for line in lines[2:]])
        self.assertLessEqual(int(lines[2][3]), int(lines[2][4]))
        self.assertEqual(lines[3][3], lines[3][4])

    def test_what_cannot_be_counted(self):
        def refused(words, *arguments):
            self.assert_refused(self.run_command(COUNT, "cost", *arguments), words)

        refused("its last operation is none that is counted", self.script("free s0\n"))
        refused("its last operation is none that is counted", self.script("compact veto=0x00\n"))
        refused("has no operation", self.script(""))
        (self.folder / "small.txt").write_text("heap dwords=4\nfree s0\n")
        refused("small.txt: the heap refuses its region", "small.txt")
        refused("no number of samples from 1 to 1000: '0'", "--samples", "0", "small.txt")
        refused("no FILE given")
        refused("absent.txt: cannot be opened", "absent.txt")


if __name__ == "__main__":
    unittest.main()
