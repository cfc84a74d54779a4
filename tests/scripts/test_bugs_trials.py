#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what `make bugs SEEDS=20` measures: where a bug is marked, what the figures of trials
are, and when one set is better than another."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import random
import subprocess
import tempfile
import time
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from bugs_lib import curves, marks, oracles, patches, trials
from bugs_lib.trials import NEVER, Trial
from common_lib.script import SetupError
from fuzz_lib import plant, stats

SOURCE = """/* A file. */
#include "x.h"

enum { LIMIT = 4 };

#define TWICE(x) ((x) + \\
                  (x))

static const int table[] = {
    1,
    2,
};

static int one(int x,
               int y) {
    int z = 0;
    if (x < y) { /* ; */
        z = x;
    } else if (x > y) {
        z = y;
    } else {
        z = 1;
    }
    switch (z) {
    case 1:
        z += 2;
        break;
    default:
        break;
    }
    long_call(x,
              y + z);
    while (z > 0) {
        /* A comment. */
        z--;
    }
    return z;
}

static void two(void) {
}
"""


def trial(detected, reached=0.1, triggered=None, seed=1, spent=9.0):
    return Trial(seed, reached, triggered, detected, spent, 100)


class Marks(unittest.TestCase):
    def marked_before(self, old, new, to_function=False):
        """The stripped lines before which a mark is put when `old` becomes `new`."""
        before = SOURCE.split("\n")
        after = SOURCE.replace(old, new, 1).split("\n")
        self.assertNotEqual(before, after)
        return [after[at].strip() for at in marks.places(before, after, to_function)]

    def test_a_statement(self):
        self.assertEqual(["z += 3;"], self.marked_before("z += 2", "z += 3"))
        self.assertEqual(["return 1;"], self.marked_before("return z", "return 1"))
        self.assertEqual(["int z = 1;"], self.marked_before("int z = 0", "int z = 1"))
        self.assertEqual(["z++;"], self.marked_before("z--", "z++"))
        self.assertEqual(["while (z > 1) {"], self.marked_before("z > 0", "z > 1"))
        self.assertEqual(["z = y;"], self.marked_before("z = x;", "z = y;"))

    def test_what_is_taken_away(self):
        self.assertEqual(["break;"], self.marked_before("        z += 2;\n", ""))
        self.assertEqual(["}"], self.marked_before("        z = 1;\n", ""))
        self.assertEqual(["}"], self.marked_before("        z--;\n", ""))

    def test_parts_of_longer_statements(self):
        self.assertEqual(["if (x < y) { /* ; */"], self.marked_before("x > y", "x >= y"))
        self.assertEqual(["long_call(x,"], self.marked_before("y + z", "y - z"))
        self.assertEqual(["switch (z) {"], self.marked_before("case 1", "case 2"))
        self.assertEqual(["switch (z) {"], self.marked_before("default", "case 3"))

    def test_what_is_in_no_function(self):
        for old, new in (("LIMIT = 4", "LIMIT = 5"), ("((x) + ", "((x) - "), ("    2,\n", ""),
                         ('"x.h"', '"y.h"'), ("int y)", "long y)")):
            self.assertEqual([], self.marked_before(old, new), old)

    def test_the_beginning_of_the_function(self):
        self.assertEqual(["int z = 0;"], self.marked_before("z += 2", "z += 3", True))
        self.assertEqual([], self.marked_before("LIMIT = 4", "LIMIT = 5", True))

    def test_each_place_once_and_back_again(self):
        with tempfile.TemporaryDirectory(prefix="test-bugs-trials-") as scratch:
            root, copy = pathlib.Path(scratch, "root"), pathlib.Path(scratch, "copy")
            planted = SOURCE.replace("z += 2", "z += 3").replace("return z", "return 0")
            for folder, text in ((root, SOURCE), (copy, planted)):
                (folder / "src").mkdir(parents=True)
                (folder / "src/a.c").write_text(text)
            bug = patches.Bug("x", root, "", "", "src/base", "", "", "", "",
                              "lab_mark_less(x, 3)", ("src/a.c", "src/none.c"), "")
            kept = marks.mark(root, copy, bug, marks.Kind.FUNCTION)
            self.assertIn("    LAB_MARK(0u);", (copy / "src/a.c").read_text().split("\n"))
            marks.unmark(kept)
            kept = marks.mark(root, copy, bug, marks.Kind.STATEMENT)
            lines = (copy / "src/a.c").read_text().split("\n")
            self.assertEqual(2, sum(line.strip() == "LAB_MARK(lab_mark_less(x, 3));"
                                    for line in lines))
            self.assertEqual(f'#include "{copy}/fuzz/bugs/marks.h"', lines[0])
            marks.unmark(kept)
            self.assertEqual(planted, (copy / "src/a.c").read_text())

    def test_nearly_all_patches_can_be_marked(self):
        """A sample. Those that cannot change constants and macros."""
        bugs = [bug for bug in patches.read_all(TREE) if not bug.in_heaplab and not bug.threads]
        some = patches.sample(bugs, 40, "a sample")
        unmarked = []
        with tempfile.TemporaryDirectory(prefix="test-bugs-trials-") as scratch:
            for bug in some:
                copy = pathlib.Path(scratch, bug.name)
                for name in bug.touched:
                    (copy / name).parent.mkdir(parents=True, exist_ok=True)
                    (copy / name).write_text((TREE / name).read_text())
                plant.apply_patch(TREE, copy, bug.path)
                if not marks.mark(TREE, copy, bug, marks.Kind.STATEMENT):
                    unmarked.append(bug.name)
        self.assertLess(len(unmarked), 5, unmarked)


class Reaching(unittest.TestCase):
    """What the marks say, read from the page of a process (fuzz/engines/stats.c)."""

    def marked(self, at, detected):
        counters = {} if at is None else {"reached": int(at * 1e9)}
        return oracles.marked(stats.Stats(1, counters), "reached", 1000.0, detected)

    def test_before_it_is_detected(self):
        self.assertAlmostEqual(2.0, self.marked(1002.0, 5.0))
        self.assertAlmostEqual(2.0, self.marked(1002.0, NEVER))

    def test_by_the_input_that_detects(self):
        self.assertEqual(5.0, self.marked(None, 5.0))
        self.assertEqual(5.0, self.marked(1005.5, 5.0))

    def test_never(self):
        self.assertEqual(NEVER, self.marked(None, NEVER))


# Plays three inputs; the second reaches the changed lines, the third triggers the bug.
MARKED = """
#include <stddef.h>
#include <stdint.h>
#include "bugs/marks.h"
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *, size_t));
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size > 0) {
        LAB_MARK(lab_mark_equal(size, 2) & lab_mark_less(bytes[0], 8));
    }
    return 0;
}
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *, size_t)) {
    static const uint8_t bytes[2] = {7, 7};
    (void)argv;
    for (int size = 0; size < *argc; size++) {
        (void)callback(bytes, (size_t)size);
    }
    return 0;
}
int main(int argc, char **argv) {
    return LLVMFuzzerInitialize(&argc, &argv);
}
"""


class Pages(unittest.TestCase):
    """What fuzz/engines/stats.c publishes of the marks, with both compilers."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test-bugs-trials-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        (self.folder / "marked.c").write_text(MARKED)

    def counters(self, inputs):
        """Of a process that plays so many inputs."""
        page = self.folder / f"page-{inputs}"
        env = os.environ | {"LAB_STATS": str(page)}
        subprocess.run([self.folder / "program", *["x"] * (inputs - 1)], env=env, check=True)
        return stats.read(page).counters

    def test_when_each_was_first_set(self):
        for compiler in ("gcc", "clang"):
            command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
                       "-Werror", f"-I{TREE}/fuzz", self.folder / "marked.c",
                       TREE / "fuzz/engines/stats.c", "-o", self.folder / "program"]
            subprocess.run(command, check=True)
            started = time.monotonic_ns()
            self.assertEqual({}, self.counters(1))
            self.assertEqual({"reached"}, set(self.counters(2)))
            both = self.counters(3)
            self.assertEqual({"reached", "triggered"}, set(both))
            self.assertLess(started, both["reached"])
            self.assertLess(both["reached"], both["triggered"])
            self.assertLess(both["triggered"], time.monotonic_ns())
            self.assertEqual(both, self.counters(3))  # by another process: it is not the first
            for page in self.folder.glob("page-*"):
                page.unlink()


class Figures(unittest.TestCase):
    def test_the_interval_of_a_median(self):
        self.assertEqual((11.0, 6.0, 15.0),
                         trials.median_interval([float(i) for i in range(20, 0, -1)]))
        self.assertEqual((3.0, 1.0, 5.0), trials.median_interval([5.0, 1.0, 2.0, 3.0, 4.0]))
        self.assertEqual((1.0, 1.0, 1.0), trials.median_interval([1.0]))
        self.assertEqual((NEVER, 2.0, NEVER), trials.median_interval([2.0, NEVER, NEVER]))
        self.assertEqual((4.0, 1.0, 6.0), trials.median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))

    def test_the_interval_holds_the_median_so_often(self):
        chance = random.Random(7)
        hits = 0
        for _ in range(2000):
            _, lower, upper = trials.median_interval([chance.random() for _ in range(20)])
            hits += lower <= 0.5 <= upper
        self.assertGreater(hits / 2000, 0.94)
        self.assertLess(hits / 2000, 0.98)

    def test_survival(self):
        curve = trials.survival([(1.0, 1.0), (3.0, 3.0), (NEVER, 2.0), (3.0, 3.0)])
        self.assertEqual([0.0, 1.0, 3.0], [at for at, _ in curve])
        for wanted, (_, share) in zip([1.0, 0.75, 0.0], curve):
            self.assertAlmostEqual(wanted, share)
        self.assertEqual([(0.0, 1.0)], trials.survival([(NEVER, 5.0)]))

    def test_a12(self):
        self.assertEqual(1.0, trials.a12([1.0, 2.0], [3.0, NEVER]))
        self.assertEqual(0.0, trials.a12([NEVER], [3.0]))
        self.assertEqual(0.5, trials.a12([NEVER, 1.0], [NEVER, 1.0]))
        self.assertEqual(0.75, trials.a12([1.0, 3.0], [2.0, 4.0]))

    def test_u(self):
        sooner, later = [float(i) for i in range(10)], [float(i) for i in range(10, 20)]
        self.assertLess(trials.u_test(sooner, later), 0.001)
        self.assertAlmostEqual(trials.u_test(sooner, later), trials.u_test(later, sooner))
        self.assertLess(trials.u_test(sooner, [NEVER] * 10), 0.001)
        self.assertEqual(1.0, trials.u_test([NEVER] * 3, [NEVER] * 3))
        self.assertGreater(trials.u_test([1.0, 3.0, 5.0], [2.0, 4.0, NEVER]), 0.3)

    def test_holm(self):
        self.assertEqual([0.03, 0.06, 0.06], [round(p, 9) for p in trials.holm([0.01, 0.03, 0.04])])
        self.assertEqual([0.7, 0.02], trials.holm([0.7, 0.01]))
        self.assertEqual([1.0, 1.0], trials.holm([0.7, 0.9]))

    def test_signs(self):
        self.assertEqual(1.0, trials.sign_test(5, 5))
        self.assertEqual(1.0, trials.sign_test(0, 0))
        self.assertEqual(2 / 1024, trials.sign_test(10, 0))
        self.assertEqual(22 / 1024, trials.sign_test(1, 9))


class Comparing(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test-bugs-trials-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def table(self, name, bugs):
        """A file of trials; bugs: name -> seconds."""
        path = self.folder / name
        path.write_text(trials.tsv({bug: [trial(at, seed=i) for i, at in enumerate(times)]
                                    for bug, times in bugs.items()}))
        return path

    def run_bugs(self, *arguments):
        return subprocess.run([TREE / "scripts/bugs", *arguments], capture_output=True, text=True,
                              check=False)

    def test_what_is_written_is_read(self):
        every = {"a": [trial(1.5, 0.25, 0.5), trial(NEVER, NEVER, NEVER)], "b": [trial(2.0, None)]}
        path = self.folder / "t"
        path.write_text(trials.tsv(every))
        self.assertEqual(every, trials.read(path))

    def test_better_is_a_test(self):
        slow = {f"bug-{i}": [10.0 + k + i for k in range(20)] for i in range(8)}
        fast = {f"bug-{i}": [1.0 + k / 10 + i / 100 for k in range(20)] for i in range(8)}
        before, after = self.table("before", slow), self.table("after", fast)
        done = self.run_bugs("--compare", before, after)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(8, done.stdout.count(" 1.00 "))
        self.assertIn("8 bugs: 8 found clearly sooner, 0 clearly later", done.stdout)
        self.assertRegex(done.stdout, r"over all bugs: sooner \(mean A12 1\.000; sooner 8, later 0, "
                                      r"sign test p = 0\.0078\)\n$")
        self.assertIn("over all bugs: later", self.run_bugs("--compare", after, before).stdout)
        self.assertIn("over all bugs: no difference",
                      self.run_bugs("--compare", before, before).stdout)

    def test_a_single_bug_among_many_is_corrected_for(self):
        old = {f"bug-{i}": [float(k) for k in range(5)] for i in range(40)}
        new = dict(old, **{"bug-0": [k + 4.5 for k in range(5)]})
        out = self.run_bugs("--compare", self.table("a", old), self.table("b", new)).stdout
        self.assertIn("40 bugs: 0 found clearly sooner, 0 clearly later", out)

    def test_bad_input(self):
        good = self.table("good", {"a": [1.0]})
        bad = self.folder / "bad"
        text = good.read_text()
        for content, words in (("", "line 1: no table"), ("bug\n", "line 1: no table"),
                               (text + "a\t1\n", "line 3 is no trial"),
                               (text.replace("1.000", "soon"), "line 2 is no trial"),
                               (text.split("\n")[0] + "\n", "holds no trial"),
                               (text.replace("a\t", "b\t"), "no bug in common")):
            bad.write_text(content)
            done = self.run_bugs("--compare", good, bad)
            self.assertEqual((2, 1), (done.returncode, done.stderr.count("\n")), done.stderr)
            self.assertIn(words, done.stderr)
        done = self.run_bugs("--compare", good, self.folder / "none")
        self.assertEqual(2, done.returncode)
        self.assertIn("No such file", done.stderr)
        for arguments in (("--curves", "--first"), ("--curves", "--oracles", "suite"),
                          ("--curves", "--sample", "3")):
            done = self.run_bugs(*arguments)
            self.assertEqual(2, done.returncode)
            self.assertIn("--curves asks libfuzzer for all bugs", done.stderr)


class Page(unittest.TestCase):
    EVERY = {"soon": [trial(0.5, 0.1, 0.2) for _ in range(5)],
             "late": [trial(NEVER if i < 2 else 4.0, 0.1) for i in range(5)],
             "never": [trial(NEVER, None) for _ in range(5)]}

    def test_what_it_says(self):
        text = curves.markdown(self.EVERY, 9, "on a machine")
        self.assertIn("3 bugs, 15 trials (5 of each)", text)
        self.assertIn("- reached: 10/10 (100.0 %)", text)
        self.assertIn("- triggered: 5/5 (100.0 %)", text)
        self.assertIn("- detected: 8/15 (53.3 %)", text)
        self.assertIn("- in no trial: never", text)
        self.assertIn("| never |  |  | 0/5 | never [never, never] | 100 |", text)
        self.assertIn("| late | 5/5 |  | 3/5 | 4.00 [4.00, never] | 100 |", text)
        self.assertLess(text.index("| never |"), text.index("| late |"))
        self.assertNotIn("| soon |", text)

    def test_the_plot(self):
        text = curves.plot(self.EVERY, 9)
        self.assertIn("$detected << END\n0.010 1.00000\n0.500 0.66667\n4.000 0.46667\n"
                      "9.000 0.46667\nEND\n", text)
        self.assertIn("set xrange [0.01:9]", text)
        self.assertNotIn("$triggered", curves.plot({"late": self.EVERY["late"]}, 9))

    def test_rows(self):
        def row(name, **answers):
            return {"name": name, "answers": answers}

        rows = [row("a", libfuzzer={"trials": [list(trial(1.0))]}), row("b", suite={}),
                row("c", libfuzzer={"trials": None})]
        self.assertEqual({"a": [trial(1.0)]}, curves.of_rows(rows))


if __name__ == "__main__":
    unittest.main()
