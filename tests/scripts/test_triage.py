#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/triage, and of what scripts/regress says to flaky failures and
scripts/properties to bad patches, on the stand-in targets of test_fuzz.py. Needs clang. Takes half
a minute:

  tests/scripts/test_triage.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import re
import shutil
import unittest

import surroundings

surroundings.make_usual()

from standin_tree import TreeTest
from standin_tree import setUpModule, tearDownModule  # which unittest calls

from fuzz_lib import findings, signature, targets

ALL_BUGS = {"heap": "bug1 bug2 flaky overflow", "script": "bug1 leak", "text": "bug1"}


class TriageTest(TreeTest):
    def setUp(self):
        super().setUp()
        self.store = findings.Store(self.root)

    def file(self, target, kind, text, data, times=1, **options):
        """A finding, as a fuzzing job files it."""
        self.store.open()
        for _ in range(times):
            artifact = self.store.incoming / "x"
            artifact.write_bytes(data)
            failure = signature.Failure(kind, text)
            found, _ = self.store.add(targets.describe(target), failure, artifact, "log", **options)
        self.store.close()
        return found.folder

    def originals(self):
        out = self.build / "triage"
        paths = [path for path in self.root.rglob("*") if path.is_file() and
                 out not in path.parents and path.name != "standin-flaky"]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    def triage(self, *arguments, bugs=ALL_BUGS, **options):
        """(exit status, the rows below the heading as lists of cells, the last line, errors)"""
        before = self.originals()
        status, out, err = self.run_script(*arguments, script="triage", bugs=bugs, **options)
        self.assertEqual(before, self.originals())
        lines = out.splitlines()
        rows = [re.split(r"\s{2,}", line) for line in lines[1:-1]]
        return status, rows, lines[-1] if lines else "", err


class Groups(TriageTest):
    BLOCKS = "property=blocks detail=size"

    def test_nothing_found(self):
        """Which is no failure: it is what `make fuzz` hopes for."""
        for _ in range(2):
            status, out, err = self.run_script(script="triage")
            self.assertEqual((0, ""), (status, err))
            self.assertEqual(
                ["nothing to triage: build/findings has no findings; `make fuzz` keeps there what it "
                 "finds, FINDINGS=folder names another place",
                 "0 groups of 0 inputs: 0 open, 0 flaky, 0 fixed"], out.splitlines())
            (self.build / "findings").mkdir(exist_ok=True)

    def test_one_line_for_each_way_to_fail(self):
        self.file("heap", "blocks", self.BLOCKS, b"B1and much more", 3)
        folder = self.file("text", "blocks", self.BLOCKS, b"B1", 2, engine="afl")
        (folder / "dates").write_text("2026-01-02 2026-03-04\n")
        self.file("heap", "stats", "property=stats detail=used", b"B2", 9)
        status, rows, last, err = self.triage(bugs={"heap": "bug1", "text": "bug1"})
        self.assertEqual((1, ""), (status, err))
        self.assertEqual("2 groups of 3 inputs: 1 open, 0 flaky, 1 fixed", last)
        first, second = rows
        self.assertEqual(["open", "5x"], first[:2])
        self.assertTrue(first[2].startswith("2026-01-02..2"), first)
        self.assertEqual(["heap,text (afl,libfuzzer)", "2 ops", "-", self.BLOCKS], first[3:7])
        shrunken = self.root / first[7]
        self.assertEqual(self.build / "triage", shrunken.parent)
        self.assertEqual("heap standin\nbyte 42\nbyte 31\n", shrunken.read_text())
        self.assertEqual(["fixed", "9x"], second[:2])
        self.assertEqual(f"# 5x, 2 ops\n{self.BLOCKS}\n",
                         (self.build / "triage" / "known.txt").read_text())
        self.assertEqual("property=stats detail=used", second[6])

    def test_all_fixed_is_no_failure(self):
        self.file("heap", "stats", "property=stats detail=used", b"B2")
        status, rows, last, _ = self.triage(bugs={})
        self.assertEqual((0, "fixed"), (status, rows[0][0]))

    def test_a_subject_that_refuses_to_be_made_does_not_fail(self):
        self.file("heap", "init", "property=init detail=leak", b"B1")
        status, rows, _, err = self.triage(bugs={"heap": "untested"})
        self.assertEqual((0, "", "fixed"), (status, err, rows[0][0]))

    def test_how_it_fails_now_counts(self):
        """Two findings that were filed as different are one bug in this build."""
        self.file("heap", "old", "property=old detail=size", b"B1x")
        self.file("heap", "blocks", self.BLOCKS, b"B1y")
        status, rows, _, _ = self.triage()
        self.assertEqual([self.BLOCKS], [row[6] for row in rows])
        self.assertEqual((1, "2x"), (status, rows[0][1]))

    def test_flaky_input_is_a_group_of_its_own(self):
        self.file("heap", "result", "property=result detail=null", b"FL")
        self.file("heap", "blocks", self.BLOCKS, b"B1")
        status, rows, last, _ = self.triage()
        self.assertEqual((1, ["open", "flaky"]), (status, [row[0] for row in rows]))
        self.assertIn("1 open, 1 flaky, 0 fixed", last)
        (self.root / "standin-flaky").unlink(missing_ok=True)
        status, rows, _, _ = self.triage(bugs={"heap": "flaky"})
        self.assertEqual((1, ["flaky", "fixed"]), (status, [row[0] for row in rows]))

    def test_sanitizers_and_the_engine(self):
        overflow = self.file("heap", "asan-heap-buffer-overflow", "AddressSanitizer: old", b"OVx")
        self.file("script", "leak", "leak at leak old.c:1", b"LK")
        status, rows, _, _ = self.triage()
        self.assertEqual(1, status)
        found = sorted(row[6] for row in rows)
        self.assertRegex(found[0], "^AddressSanitizer: heap-buffer-overflow .*overflow")
        self.assertRegex(found[1], "^leak")
        self.assertEqual(["2 ops", "2 ops, not shrunk"], [row[4] for row in rows])
        self.assertEqual(b"OVx", (overflow / "input").read_bytes())

    def test_regression_case_holds_it(self):
        folder = self.file("heap", "blocks", self.BLOCKS, b"B1x")
        self.assertEqual("-", self.triage()[1][0][5])
        status, _, err = self.run_script(folder / "input", script="regress", bugs=ALL_BUGS)
        self.assertEqual((0, ""), (status, err))
        self.assertEqual("regress", self.triage()[1][0][5])
        (case,) = (self.root / "corpus" / "heap" / "regress").iterdir()
        case.write_text(case.read_text().replace("detail=size", "detail=other"))
        self.assertEqual("-", self.triage()[1][0][5])

    def test_files_from_anywhere(self):
        folder = self.root / "crashes"
        (folder / "deep").mkdir(parents=True)
        (folder / "id:000000,sig:06").write_bytes(b"B1abc")
        (folder / "deep" / "left-text-0-crash-1").write_bytes(b"B1")
        (folder / "README.txt").write_text("what this is\n")
        (folder / ".hidden").write_text("B1")
        env = {"TARGET": "heap"}
        status, rows, last, err = self.triage(folder, env=env)
        self.assertEqual((1, ""), (status, err))
        self.assertEqual(["open", "2x", "heap,text"], [rows[0][i] for i in (0, 1, 3)])
        self.assertIn("1 group of 2 inputs", last)
        passing = self.root / "fine"
        passing.write_bytes(b"nothing")
        status, rows, _, _ = self.triage(passing, env=env)
        self.assertEqual((0, "fixed", "has never failed here"),
                         (status, rows[0][0], rows[0][6]))

    def test_what_a_killed_job_left_is_found(self):
        self.store.incoming.mkdir(parents=True)
        (self.store.folder / "left-heap-0-crash-1").write_bytes(b"B1")
        self.assertEqual(["open"], [row[0] for row in self.triage()[1]])


class BadInput(TriageTest):
    def assert_refused(self, *arguments, words=(), **options):
        status, rows, last, err = self.triage(*arguments, **options)
        self.assertEqual((2, [], ""), (status, rows, last), err)
        self.assert_one_line(err, *words)

    def test_paths(self):
        self.assert_refused(self.root / "nowhere", words=["nowhere", "no such file"])
        folder = self.root / "crashes"
        folder.mkdir()
        (folder / "gone").symlink_to("nowhere")
        self.assert_refused(folder, words=["gone", "no such file"])
        (folder / "gone").unlink()
        os.mkfifo(folder / "pipe")
        self.assert_refused(folder, words=["pipe", "no regular file"])
        (folder / "pipe").unlink()
        (folder / "x").write_bytes(b"B1")
        self.assert_refused(folder, words=["which target", "TARGET="])
        self.assert_refused(folder, env={"TARGET": "pile"}, words=["unknown target 'pile'"])
        if os.geteuid() != 0:
            folder.chmod(0)
            self.assert_refused(folder, words=["cannot be read", "Permission denied"])
            folder.chmod(0o755)

    def test_folders_without_inputs(self):
        empty, other = self.root / "empty", self.root / "crash"
        (empty / "deep").mkdir(parents=True)
        other.write_bytes(b"B1")
        words = ["empty: nothing to triage", "no inputs", "build/findings"]
        self.assert_refused(empty, words=words)
        (empty / "deep" / "README.txt").write_text("what would be here\n")
        self.assert_refused(empty, words=words)
        self.assert_refused(other, empty, env={"TARGET": "heap"}, words=words)

    def test_own_output(self):
        out = self.build / "triage"
        out.mkdir()
        (out / "mine.txt").write_text("heap standin\nbyte 42\nbyte 31\n")
        self.assert_refused(out / "mine.txt", words=["build/triage", "copy it"])
        self.assertTrue((out / "mine.txt").exists())

    def test_options_and_programs(self):
        self.assert_refused("--nonsense", words=["--nonsense"])
        self.assert_refused("--shrink-time", "-1", words=["--shrink-time"])
        (self.build / "fuzz" / "heaplab").unlink()
        self.assert_refused(words=["heaplab", "missing", "make triage"])

    def test_one_bad_input_among_others(self):
        folder = self.root / "crashes"
        folder.mkdir()
        (folder / "a.txt").write_text("# nothing\n")
        (folder / "b.txt").write_text("heap standin\nbyte 42\nbyte 31\n")
        status, rows, last, err = self.triage(folder, env={"TARGET": "heap"})
        self.assertEqual((2, ["open"]), (status, [row[0] for row in rows]))
        self.assert_one_line(err, "crashes/a.txt", "cannot be used", "expected the heap line")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            status, _, err = self.run_script(script="triage", stdout=full)
        self.assertEqual(2, status)
        self.assert_one_line(err, "standard output", "No space left")


class Properties(TriageTest):
    def test_patches_that_cannot_be_used(self):
        """All are looked at before the first one is built."""
        (self.root / "fuzz" / "result").mkdir()
        (self.root / "fuzz" / "result" / "failure.h").write_text("    LAB_PROPERTY_STATS,\n")
        (self.root / "fuzz" / "bugs").mkdir()
        patch = self.root / "fuzz" / "bugs" / "property-stats.patch"
        change = "--- a/fuzz/result/failure.h\n+++ b/fuzz/result/failure.h\n@@ -1 +1 @@\n-x\n+y\n"
        for text, words in ((f"Property: stats\n\n{change}", ["does not apply", "anew"]),
                            (f"Property: pile\n\n{change}", ["Property: NAME", "stats"]),
                            ("Property: stats\n", ["does not apply"])):
            patch.write_text(text)
            before = self.originals()
            status, out, err = self.run_script(script="properties")
            self.assertEqual((2, ""), (status, out))
            self.assert_one_line(err, "fuzz/bugs/property-stats.patch", *words)
            after = {path: data for path, data in self.originals().items()
                     if self.build / "properties" not in path.parents}
            self.assertEqual(before, after)
            shutil.rmtree(self.build / "properties", ignore_errors=True)


class FlakyRegress(TriageTest):
    def test_is_not_adopted(self):
        crash = self.root / "crash"
        crash.write_bytes(b"FL")
        before = self.originals()
        status, out, err = self.run_script(crash, "--target", "heap", script="regress",
                                           bugs=ALL_BUGS)
        self.assertEqual((2, ""), (status, out))
        self.assert_one_line(err, "crash: is flaky", "property=result", '"no failure"',
                             "nothing written")
        self.assertEqual(before, self.originals())


if __name__ == "__main__":
    unittest.main()
