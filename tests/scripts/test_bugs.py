#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/bugs, on small trees of their own with stand-ins for the oracles' programs."""

import sys

sys.dont_write_bytecode = True

import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import types
import unittest
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from bugs_lib import checkers, oracles, patches, report, watch
from common_lib.script import SetupError

LOADER = importlib.machinery.SourceFileLoader("bugs", str(TREE / "scripts" / "bugs"))
BUGS = importlib.util.module_from_spec(importlib.util.spec_from_loader("bugs", LOADER))
LOADER.exec_module(BUGS)

HEAD = "SPDX-License-Identifier: MIT\n\nBug: one is two\nWhy: a slip\nArea: src/heap\n\n"
DIFF = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-one\n+two\n"


def answer(found, seconds=0.5, **more):
    return oracles.Answer(found, seconds, **more)._asdict()


def row(name, area="src/heap", survives="", **answers):
    return {"name": name, "area": area, "what": "what | it is", "survives": survives,
            "answers": answers}


class TreeTest(unittest.TestCase):
    """A tree with two files to make mistakes in."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test-bugs-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name).resolve()
        for name in ("src/heap/heap.c", "src/heap/classic.c", "fuzz/runner/runner.c"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("one\n")
        (self.root / "fuzz" / "bugs").mkdir()
        (self.root / "docs").mkdir()

    def add(self, name, head=HEAD, path="src/heap/heap.c", diff=None):
        text = head + (DIFF.format(path) if diff is None else diff)
        (self.root / "fuzz" / "bugs" / f"{name}.patch").write_text(text)

    def run_bugs(self, *arguments, answers=None):
        """scripts/bugs with stand-ins for its oracles: `answers` is a function of the oracle's
        name and the bug's (None: nothing is planted), and gives an Answer."""
        self.asked = []

        def stand_in(oracle):
            def ask(context):
                planted = (context.copy / "src" / "heap" / "heap.c").read_text()
                name = context.bug.name if context.bug else None
                self.asked.append((name, oracle, planted.strip()))
                return answers(oracle, name)
            return ask

        with (mock.patch.dict(oracles.ORACLES, {n: stand_in(n) for n in oracles.ORACLES}),
              mock.patch.dict(checkers.CHECKERS, {n: stand_in(n) for n in checkers.CHECKERS}),
              mock.patch.object(oracles.shutil, "which", return_value="/usr/bin/afl-fuzz"),
              redirect_stdout(io.StringIO()) as out):
            status = BUGS.main(["--root", str(self.root), "--jobs", "1", *arguments])
        return status, out.getvalue()

    def assert_refused(self, *words, arguments=("--check",)):
        command = [TREE / "scripts" / "bugs", "--root", self.root, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(2, done.returncode, done.stdout + done.stderr)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)
        for word in ("scripts/bugs: ", *words):
            self.assertIn(word, done.stderr)


class BadInput(TreeTest):
    def test_no_patches(self):
        self.assert_refused("holds no *.patch")

    def test_a_missing_line(self):
        for name in ("Bug", "Why", "Area"):
            self.add("x", re.sub(rf"^{name}:.*\n", "", HEAD, flags=re.MULTILINE))
            self.assert_refused("fuzz/bugs/x.patch", f"needs a line '{name}: ...'")

    def test_a_line_twice_or_empty(self):
        self.add("x", HEAD + "Why: another\n")
        self.assert_refused("fuzz/bugs/x.patch", "2 lines 'Why: ...'")
        self.add("x", HEAD.replace("a slip", " "))
        self.assert_refused("fuzz/bugs/x.patch", "the line 'Why:' says nothing")

    def test_no_diff(self):
        for diff in ("", "--- src/heap/heap.c\n+++ src/heap/heap.c\n@@ -1 +1 @@\n-one\n+two\n"):
            self.add("x", diff=diff)
            self.assert_refused("fuzz/bugs/x.patch", "no diff")

    def test_no_text(self):
        self.add("x")
        (self.root / "fuzz" / "bugs" / "x.patch").write_bytes(b"\xff\xfe")
        self.assert_refused("fuzz/bugs/x.patch", "no text")

    def test_an_area_that_is_none_or_another(self):
        self.add("x", HEAD.replace("src/heap", "the heap"))
        self.assert_refused("fuzz/bugs/x.patch", "write src/FOLDER, or heaplab")
        self.add("x", HEAD.replace("src/heap", "heaplab"))
        self.assert_refused("fuzz/bugs/x.patch", "but it changes src/heap/heap.c")
        self.add("x", path="fuzz/runner/runner.c")
        self.assert_refused("fuzz/bugs/x.patch", "but it changes fuzz/runner/runner.c")

    def test_a_patch_that_does_not_apply(self):
        self.add("good")
        self.add("worse", diff=DIFF.format("src/heap/heap.c").replace("-one", "-eleven"))
        for arguments in (("--check",), (), ("--only", "good")):
            self.assert_refused("fuzz/bugs/worse.patch", "does not apply", arguments=arguments)
        self.add("worse", path="src/heap/gone.c")
        self.assert_refused("fuzz/bugs/worse.patch", "does not apply")
        self.assertEqual("one\n", (self.root / "src/heap/heap.c").read_text())
        self.assertFalse((self.root / "build").exists())

    def test_a_patch_whose_surroundings_have_changed(self):
        (self.root / "src/heap/heap.c").write_text("before\none\nbehind\n")
        self.add("drifted", diff="--- a/src/heap/heap.c\n+++ b/src/heap/heap.c\n@@ -1,3 +1,3 @@\n"
                                 " other\n-one\n+two\n words\n")
        self.assert_refused("fuzz/bugs/drifted.patch", "does not apply")

    def test_bad_options(self):
        self.add("x")
        for arguments, words in (
            (("--oracles", "suite,psychic"), ("psychic", "suite, guards")),
            (("--oracles", "afl"), ("afl", "sanitize/afl.mk")),
            (("--only", "y*"), ("--only y*", "no bug")),
            (("--seeds", "0"), ("--seeds 0",)),
            (("--jobs", "0"), ("--jobs 0",)),
            (("--sample", "0"), ("--sample 0",)),
            (("--time", "soon"), ("--time='soon'",)),
            (("--unknown",), ("--unknown", "--help")),
        ):
            self.assert_refused(*words, arguments=arguments)

    def test_another_run(self):
        self.add("x")
        lock = BUGS.plant.take_lock(self.root / "build" / "bugs")
        self.assert_refused("another run", arguments=())
        lock.close()

    def test_well_formed_patches_are_left_alone(self):
        self.add("x", HEAD.replace("Area", "History: a real one\nSurvives: a reason\nArea"))
        status, out = self.run_bugs("--check")
        self.assertEqual((0, "1 patches of fuzz/bugs: each well formed, each applies\n"),
                         (status, out))
        bug = patches.read_all(self.root)[0]
        self.assertEqual(("one is two", "a slip", "a real one", "a reason", "heap"),
                         (bug.what, bug.why, bug.history, bug.survives, bug.target))


class Running(TreeTest):
    def setUp(self):
        super().setUp()
        self.add("first")
        self.add("second", path="src/heap/classic.c")
        self.add("lab-third", HEAD.replace("src/heap", "heaplab"), "fuzz/runner/runner.c")

    @staticmethod
    def finds(oracle, name):
        found = name is not None and oracle in ("suite", "libfuzzer", "corpus")
        return oracles.Answer(found, 0.25, 12, "blocks size" if found else "", 0.5, 30,
                               3 if oracle == "libfuzzer" else None)

    def test_every_oracle_is_asked_with_the_bug_and_without(self):
        status, out = self.run_bugs(answers=self.finds)
        self.assertEqual(0, status, out)
        library = [name for name in oracles.ORACLES if name not in ("afl", *oracles.THREADS)]
        self.assertEqual([("first", name, "two") for name in library],
                         [asked for asked in self.asked if asked[0] == "first"])
        # The copy is as the tree again before the next one.
        self.assertEqual([("second", name, "one") for name in library],
                         [asked for asked in self.asked if asked[0] == "second"])
        self.assertEqual([("lab-third", "suite", "one")],
                         [asked for asked in self.asked if asked[0] == "lab-third"])
        self.assertEqual({*library, *oracles.THREADS, *checkers.CHECKERS},
                         {name for bug, name, text in self.asked if bug is None})
        self.assertIn("found: 3/3 (100.0 %)", out)
        self.assertIn("3 passed, 0 failed", out)
        self.assertRegex(out, r"first +12/0.25 +- ")
        self.assertEqual("one\n", (self.root / "src/heap/heap.c").read_text())

    def test_what_needs_threads_is_for_those_that_have_them(self):
        self.add("first", HEAD + "Threads: the order of two accesses\n\n")
        status, out = self.run_bugs(answers=self.finds)
        self.assertEqual(0, status, out)
        self.assertEqual(["suite", *oracles.THREADS],
                         [oracle for bug, oracle, text in self.asked if bug == "first"])
        self.assertIn("by fuzzing alone (libFuzzer, one core, empty corpus): 1/1", out)

    def test_two_at_once_in_copies_of_their_own(self):
        together = threading.Barrier(2)

        def meets(oracle, name):
            if name in ("first", "second") and oracle == "suite":
                together.wait(20)
            return self.finds(oracle, name)

        status, out = self.run_bugs("--jobs", "2", answers=meets)
        self.assertEqual(0, status, out)
        self.assertEqual({("first", "two"), ("second", "one")},
                         {(name, text) for name, oracle, text in self.asked
                          if oracle == "suite" and name in ("first", "second")})
        shown = [line.split()[0] for line in out.splitlines() if "12/0.25" in line]
        self.assertEqual(["first", "second"], shown)

    def test_trouble_in_one_ends_all(self):
        def breaks(oracle, name):
            if name == "first":
                raise SetupError("no room")
            return self.finds(oracle, name)

        with self.assertRaises(SetupError):
            self.run_bugs("--jobs", "2", answers=breaks)
        self.assertNotIn("lab-third", [name for name, _, _ in self.asked])

    def test_the_first_that_notices_can_be_enough(self):
        def model(oracle, name):
            return oracles.Answer(oracle == "model" and name is not None, 0.25)

        self.assertEqual(0, self.run_bugs("--only", "first", "--first", answers=model)[0])
        self.assertEqual(["suite", "guards", "model"],
                         [oracle for name, oracle, _ in self.asked if name == "first"])

    def test_afl_is_asked_where_it_exists(self):
        (self.root / "sanitize").mkdir()
        (self.root / "sanitize" / "afl.mk").write_text("")
        self.run_bugs("--only", "first", answers=self.finds)
        self.assertIn(("first", "afl", "two"), self.asked)

    def test_reports(self):
        self.run_bugs(answers=self.finds)
        lines = (self.root / "build/bugs/report.tsv").read_text().splitlines()
        fields = [dict(zip(lines[0].split("\t"), line.split("\t"))) for line in lines[1:]]
        self.assertEqual(["first", "second", "lab-third"], [line["bug"] for line in fields])
        self.assertEqual(("suite,libfuzzer", "yes", "0.250", "12", "no", "3"), tuple(
            fields[0][name] for name in ("found_by", "suite_found", "suite_seconds",
                                         "suite_operations", "model_found",
                                         "shrunken_operations")))
        text = (self.root / "docs/bugs.md").read_text()
        self.assertIn("| first: one is two | src/heap | 12/0.25 | - |", text)
        self.assertIn("| lab-third: one is two | suite | 0.25 | blocks size |", text)
        self.assertIn(time.strftime("%Y-%m-%d"), text)

    def test_a_part_writes_no_docs(self):
        for arguments in (("--only", "first"), ("--oracles", "suite"), ("--sample", "1")):
            self.run_bugs(*arguments, answers=self.finds)
            self.assertFalse((self.root / "docs/bugs.md").exists())

    def test_the_first_of_all_bugs_are_docs_that_say_so(self):
        self.run_bugs("--first", answers=self.finds)
        text = (self.root / "docs/bugs.md").read_text()
        self.assertIn("up to the first that notices it, in this order: suite", text)
        self.assertIn("| first: one is two | src/heap | suite | 0.25 |", text)
        self.assertNotIn("by fuzzing alone", text)
        self.run_bugs(answers=self.finds)
        self.assertIn("asks every oracle for it", (self.root / "docs/bugs.md").read_text())

    def test_what_is_known_is_not_asked_again(self):
        self.run_bugs(answers=self.finds)
        rows = (self.root / "build/bugs/report.tsv").read_text()
        self.assertEqual(0, self.run_bugs(answers=self.finds)[0])
        self.assertEqual([], self.asked)
        self.assertEqual(rows, (self.root / "build/bugs/report.tsv").read_text())
        self.run_bugs("--fresh", answers=self.finds)
        self.assertIn(("first", "suite", "two"), self.asked)

    def test_an_interrupted_run_goes_on(self):
        def dies(oracle, name):
            if (oracle, name) == ("asan", "first"):
                raise KeyboardInterrupt
            return self.finds(oracle, name)

        with self.assertRaises(KeyboardInterrupt):
            self.run_bugs("--only", "first", answers=dies)
        self.run_bugs("--only", "first", answers=self.finds)
        self.assertEqual(["asan", "ubsan", "valgrind", "explorer", "libfuzzer"],
                         [oracle for _, oracle, _ in self.asked])

    def test_another_tree_or_patch_is_asked_again(self):
        self.run_bugs("--oracles", "suite", answers=self.finds)
        self.add("first", HEAD.replace("a slip", "another reason"))
        self.run_bugs("--oracles", "suite", answers=self.finds)
        self.assertEqual([("first", "suite", "two")], self.asked)
        (self.root / "docs" / "heap.md").write_text("words\n")
        self.run_bugs("--oracles", "suite", answers=self.finds)
        self.assertEqual([], self.asked)
        (self.root / "src" / "heap" / "more.c").write_text("more\n")
        self.run_bugs("--oracles", "suite", answers=self.finds)
        self.assertIn(("second", "suite", "one"), self.asked)

    def test_a_damaged_row_is_asked_again(self):
        self.run_bugs("--oracles", "suite", answers=self.finds)
        for text in ("{", "[]", json.dumps({"key": 1})):
            (self.root / "build/bugs/rows/first.json").write_text(text)
            self.run_bugs("--oracles", "suite", answers=self.finds)
            self.assertEqual([("first", "suite", "two")], self.asked)

    def test_found_by_nothing(self):
        def blind(oracle, name):
            return oracles.Answer(name == "second" or oracle == "scripts" and name is not None)

        status, out = self.run_bugs("--oracles", "suite,model", answers=blind)
        self.assertEqual(1, status)
        self.assertIn("NOT GOOD ENOUGH: found by nothing: first", out)
        self.assertIn("2 passed, 1 failed", out)
        self.assertEqual(["suite", "corpus", "job", "planted", "canary", "scripts"],
                         [oracle for name, oracle, _ in self.asked if name == "lab-third"])

    def test_a_survivor_says_why(self):
        self.add("first", HEAD.replace("Why", "Survives: it shows nowhere\nWhy"))
        status, out = self.run_bugs(
            "--oracles", "suite", "--only", "first", answers=lambda *_: oracles.Answer(False))
        self.assertEqual(0, status, out)
        self.assertIn("survives: first: it shows nowhere", out)

    def test_a_false_alarm(self):
        status, out = self.run_bugs(
            "--oracles", "suite", "--only", "first",
            answers=lambda oracle, name: oracles.Answer(True, what="a fault"))
        self.assertEqual(1, status)
        self.assertIn("FALSE ALARM: suite finds something where nothing is planted: a fault", out)

    def test_compilers_that_remember_are_asked_first_where_they_are(self):
        (self.root / "Makefile").write_text("all:\n\t@echo $$PATH $$CCACHE_DIR\n")
        log = self.root / "log"
        for folder, wanted in ((self.root, f"{self.root}:"), (self.root / "none", os.environ["PATH"])):
            with mock.patch.object(BUGS.plant, "REMEMBERING", folder):
                self.assertTrue(BUGS.plant.make(self.root, ["all"], log))
            self.assertTrue(log.read_text().startswith(wanted), log.read_text())
            self.assertEqual(folder == self.root, f"{self.root.parent}/ccache" in log.read_text())

    def test_a_bug_that_does_not_build(self):
        def breaks(oracle, name):
            if name == "first":
                raise oracles.BuildError("fuzz/bugs/first.patch does not build: see log")
            return self.finds(oracle, name)

        with redirect_stderr(io.StringIO()), self.assertRaises(SetupError) as caught:
            self.run_bugs(answers=breaks)
        self.assertEqual("does not build: first", str(caught.exception))
        self.assertIn(("second", "suite", "one"), self.asked)

    def test_fuzzing_must_be_good_enough(self):
        def slow(oracle, name):
            return self.finds(oracle, name)._replace(seconds=1.5, worst=2.0)

        status, out = self.run_bugs(answers=slow)
        self.assertEqual(1, status)
        self.assertIn("NOT GOOD ENOUGH: fuzzing takes 1.50 s (median), 1 s at most", out)
        self.assertEqual(0, self.run_bugs("--sample", "2", "--fresh", answers=slow)[0])


class Arithmetic(unittest.TestCase):
    def test_the_suites_of_what_is_touched_come_first(self):
        names = ["actors", "arena", "heap", "heap_index", "index_check", "slab"]
        bug = mock.Mock(touched=("src/heap/index.c", "include/tagheap/heap.h"))
        self.assertEqual([["heap", "heap_index", "index_check"], ["actors"], ["arena", "slab"]],
                         oracles.suites_first(names, bug))
        bug = mock.Mock(touched=("src/heap/index_leaf.h",))
        self.assertEqual([[], ["actors", "heap", "heap_index", "index_check"], ["arena", "slab"]],
                         oracles.suites_first(names, bug))
        self.assertEqual([[], [], names], oracles.suites_first(names, None))

    def test_figures(self):
        rows = [
            row("a", libfuzzer=answer(True, 0.1, worst=0.4, shrunk=2), suite=answer(False)),
            row("b", libfuzzer=answer(True, 0.3, worst=9.0, shrunk=5), suite=answer(True)),
            row("c", libfuzzer=answer(True, 0.8, worst=0.9), suite=answer(True)),
            row("d", libfuzzer=answer(False, 60), suite=answer(True)),
            row("e", libfuzzer=answer(False, 60), suite=answer(False)),
            row("f", survives="so", libfuzzer=answer(False, 60), suite=answer(False)),
            row("g", "heaplab", suite=answer(False), corpus=answer(True)),
        ]
        figures = report.figure(rows)
        self.assertEqual((7, 5, ["f"], ["e"]), figures[:4])
        self.assertEqual((6, ["a", "b", "c"], ["d", "e", "f"], 0.3, 9.0, 3.5, 2), figures[4:11])
        self.assertEqual({(False, "libfuzzer"): (3, 6), (False, "suite"): (3, 6),
                          (True, "suite"): (0, 1), (True, "corpus"): (1, 1)}, figures.by_oracle)
        wrong = report.shortfalls(figures, True, False)
        self.assertEqual(["found by nothing: e",
                          "fuzzing alone finds 50.0 %, 95 % is the least"], wrong)
        self.assertEqual(wrong[:1], report.shortfalls(figures, False, False))
        self.assertEqual(wrong[1:], report.shortfalls(figures, False, True))
        lines = report.summary(figures, False)
        self.assertIn("found: 5/7 (71.4 %)", lines)
        self.assertIn("by fuzzing alone (libFuzzer, one core, empty corpus): 3/6 (50.0 %)", lines)
        self.assertIn("seconds of fuzzing to a bug: median 0.30, worst 9.00", lines)
        self.assertIn("shrunken scripts: 2, median 3.5 operations", lines)
        self.assertIn("in heaplab: suite 0/1, corpus 1/1", lines)

    def test_limits(self):
        def short(seconds, worst, found=20, of=20):
            rows = [row(str(i), libfuzzer=answer(i < found, seconds, worst=worst),
                        suite=answer(True)) for i in range(of)]
            return report.shortfalls(report.figure(rows), True, False)

        self.assertEqual([], short(1.0, 60.0, 19))
        self.assertIn("90.0 %", short(1.0, 60.0, 18)[0])
        self.assertIn("(median)", short(1.01, 60.0)[0])
        self.assertIn("(worst)", short(1.0, 60.1)[0])
        self.assertEqual([], report.shortfalls(report.figure([]), True, False))

    def test_cells(self):
        for fields, text in (
            (None, ""), (answer(False, 3), "-"), (answer(True, 0.123), "0.12"),
            (answer(True, 12.3, operations=9999), "9999/12"),
            (answer(True, 0.5, operations=12_345), "12k/0.50"),
            (answer(True, 0.5, operations=3_450_000), "3.5M/0.50"),
        ):
            self.assertEqual(text, report.cell(fields))

    def test_several_runs(self):
        runs = [oracles.Answer(True, seconds, operations, what)
                for seconds, operations, what in ((0.2, 20, "x"), (3.0, 300, "y"), (0.4, 40, "z"))]
        both = oracles.combine(runs, 2)
        self.assertEqual((True, 0.4, 40, "z", 3.0, 2),
                         (both.found, both.seconds, both.operations, both.what, both.worst,
                          both.shrunk))
        missed = oracles.combine([*runs[:1], oracles.Answer(False, 60.0)])
        self.assertFalse(missed.found)
        self.assertEqual("missed with 1 of 2 seeds", missed.what)

    def test_samples(self):
        names = list(range(50))
        self.assertEqual(names[:5], patches.sample(names[:5], 8, "salt"))
        seen = set()
        for salt in map(str, range(60)):
            chosen = patches.sample(names, 8, salt)
            self.assertEqual(8, len(set(chosen)))
            self.assertEqual(chosen, patches.sample(names, 8, salt))
            seen |= set(chosen)
        self.assertEqual(set(names), seen)

    def test_words_and_operations(self):
        text = ("a.txt: passed, 10 operations, 9 acted, 0 moves\n"
                "b.txt: passed, 5 operations, 5 acted, 0 moves\n"
                "c.txt: FAILURE property=blocks detail=free size op=3 kind=free\n"
                "d.txt: passed, 7 operations, 7 acted, 0 moves\n")
        match = oracles.RUN.search(text)
        self.assertEqual("blocks free size", oracles.words_of(match))
        seen = watch.Seen(match, 1.0, text, 1, None)
        self.assertEqual(19, oracles.operations_to(seen))
        self.assertIsNone(oracles.RUN.search("FAILURE property=blocks detail=size op=3 ki"))
        for pattern, line, words in (
            (oracles.RUN, "tagheap: canary smashed: block 0", "canary smashed"),
            (oracles.RUN, "tagheap: assertion failed: a.c:1: x", "assertion failed: a.c:1: x"),
            (oracles.ASAN, "==1==ERROR: AddressSanitizer: use-after-poison on address 0x1",
             "use-after-poison"),
            (oracles.UBSAN, "a.c:1:2: runtime error: shift", "shift"),
            (oracles.UBSAN, "/my work/a.c:1:2: runtime error: shift", "shift"),
            (oracles.MEMCHECK, "==1== Conditional jump or move depends", "Conditional jump"),
            (oracles.FUZZED, "==1== ERROR: libFuzzer: timeout after 1 s",
             "libFuzzer: timeout after 1 s"),
        ):
            self.assertEqual(words, oracles.words_of(pattern.search(line + "\n")))
        self.assertIsNone(oracles.ASAN.search("tagheap: canary smashed: block 0\n"))

    def test_where_a_bug_in_heaplab_is_looked_for_first(self):
        for path, first in (("fuzz/runner/ops.c", "suite"), ("scripts/fuzz_lib/job.py", "scripts"),
                            ("fuzz/record/plan.c", "scripts"), ("fuzz/track/watch.c", "scripts")):
            order = checkers.order(types.SimpleNamespace(touched=(path,)))
            self.assertEqual(first, order[0])
            self.assertEqual(sorted(checkers.CHECKERS), sorted(order))

    def test_scripts_are_asked_only_when_what_they_call_is_built(self):
        groups = checkers.script_tests(TREE, ["fuzz/track/watch.c"])
        every = sorted(path.stem[5:] for path in (TREE / "tests/scripts").glob("test_*.py"))
        self.assertEqual(("scripts-programs", ["track"]), groups[0])
        self.assertEqual(("build-debug", list(checkers.PYTHON_TESTS)), groups[1])
        self.assertEqual("scripts-programs", groups[2][0])
        self.assertEqual(every, sorted(sum((names for _, names in groups), [])))
        self.assertEqual([], checkers.script_tests(TREE, ["fuzz/record/plan.c"])[0][1])
        done = []
        context = types.SimpleNamespace(copy=TREE, bug=None, build=done.append)
        with mock.patch.object(checkers.program, "run",
                               lambda words, *_: (done.append(words[0]),
                                                  types.SimpleNamespace(status=0))[1]):
            self.assertFalse(checkers.scripts(context).found)
        self.assertEqual("build-debug", done[0])
        self.assertLess(done.index("tests/scripts/test_fuzz.py"), done.index("scripts-programs"))
        self.assertLess(done.index("scripts-programs"), done.index("tests/scripts/test_track.py"))


class Watching(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test-bugs-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def watch(self, command, limit=20):
        return watch.run(["/bin/sh", "-c", command], self.folder, self.folder / "log", limit,
                         oracles.RUN, dict(os.environ))

    def test_ends_with_the_first_finding(self):
        seen = self.watch("echo 'tagheap: double free: x'; sleep 30")
        self.assertEqual("double free", oracles.words_of(seen.match))
        self.assertLess(seen.seconds, 15)

    def test_ends_with_the_program_or_the_limit(self):
        seen = self.watch("echo nothing; exit 3")
        self.assertEqual((None, 3, "nothing\n"), (seen.match, seen.status, seen.text))
        self.assertEqual("exit status 3", oracles.end_of(seen))
        seen = self.watch("kill -SEGV $$")
        self.assertEqual("SIGSEGV", oracles.end_of(seen))
        seen = self.watch("sleep 30", 0.2)
        self.assertEqual("no end", oracles.end_of(seen))

    def test_what_is_printed_last_is_seen(self):
        for _ in range(5):
            seen = self.watch("echo 'tagheap: double free: x'; exit 1")
            self.assertIsNotNone(seen.match)


if __name__ == "__main__":
    unittest.main()
