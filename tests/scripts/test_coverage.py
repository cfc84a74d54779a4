#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/coverage: small libraries are compiled as the cov variant is, called in part,
and must be told apart rightly. Takes some seconds."""

import sys

sys.dont_write_bytecode = True

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from coverage_lib import exclusions, places, source

FLAGS = ["-std=c11", "-O1", "-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc"]
WRAPPED = re.search(r"^cov_WRAPPED := (.*)$", (TREE / "sanitize/cov.mk").read_text(), re.M)[1]
SUBJECT = re.search(r"^cov_SUBJECT  = .*\) (.*) \$<$", (TREE / "sanitize/cov.mk").read_text(),
                    re.M)[1].split()
LINK = [f"-Wl,--wrap={name}" for name in WRAPPED.split()]
PROOF = "No caller can bring that about, as its comment proves."

# both(a, b) takes its arguments from the command line, which is what the tests vary.
HEAP_C = """\
int both(int a, int b);
int both(int a, int b) {
    if (a && b) {
        return 1;
    }
    return 0;
}
"""
PORT_C = """\
#include <stdlib.h>
void th_port_panic(const char *line, unsigned long length);
void th_port_panic(const char *line, unsigned long length) {
    (void)line;
    while (length > 0) {
        length--;
    }
    abort();
}
"""
MAIN_C = """\
int both(int a, int b);
void th_port_panic(const char *line, unsigned long length);
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int status;
    if (fork() == 0) {
        th_port_panic("x", 1);
    }
    for (int i = 1; i < argc; i++) {
        (void)both(argv[i][0] == '1', argv[i][1] == '1');
    }
    return wait(&status) < 0;
}
"""
ALL = ("11", "01", "10")
# The same for files, which it finds among its arguments.
PLAYER_C = """\
#include <stdio.h>
int both(int a, int b);
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (file != NULL) {
            int a = getc(file);
            (void)both(a == '1', getc(file) == '1');
            (void)fclose(file);
        }
    }
    return 0;
}
"""


class Library:
    """A tree with scripts/coverage, some sources and a program that calls them."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder).resolve()
        for name in ("scripts", "src/base", "src/heap", "src/os", "tests"):
            (self.root / name).mkdir(parents=True)
        shutil.copy(TREE / "scripts/coverage", self.root / "scripts")
        for name in ("common_lib", "coverage_lib"):
            shutil.copytree(TREE / "scripts" / name, self.root / "scripts" / name,
                        ignore=shutil.ignore_patterns("__pycache__"))
        self.write("src/heap/heap.c", HEAP_C)
        self.write("src/os/port.c", PORT_C)
        self.write("main.c", MAIN_C)
        self.exclude()

    def write(self, name, text):
        (self.root / name).write_text(text)

    def exclude(self, *rows):
        """Rows without the proof, which is always the same."""
        self.write("tests/coverage-exclusions.tsv",
                   "# kind\tfile\tfunction\ttext\tproof\n"
                   + "".join("\t".join((*row, PROOF)) + "\n" for row in rows))

    def compile(self, *names):
        sources = names or [str(path.relative_to(self.root))
                            for path in self.root.glob("src/*/*.c")]
        for name in sources:
            path = self.root / "build/cov/obj" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["clang-19", *FLAGS, *SUBJECT, name, "-c", name, "-o",
                            path.with_suffix(".o")], cwd=self.root, check=True,
                           stderr=subprocess.DEVNULL)

    def link(self, main="main.c", program="program"):
        objects = sorted(self.root.glob("build/cov/obj/src/*/*.o"))
        subprocess.run(["clang-19", *FLAGS, *LINK, main, str(TREE / "sanitize/cov_exit.c"),
                        *objects, "-o", program], cwd=self.root, check=True)

    def gate(self, *arguments, command=None, **environment):
        """(exit status, standard output, standard error)"""
        run = subprocess.run(
            ["scripts/coverage", "gate", "--", *(command or ["./program", *arguments])],
            cwd=self.root, env={**os.environ, **environment}, capture_output=True, text=True)
        return run.returncode, run.stdout, run.stderr


class Gate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.library = Library(folder.name)

    def build(self):
        self.library.compile()
        self.library.link()

    def test_who_ends_it_ends_the_command(self):
        self.build()
        command = ["bash", "-c", "kill -TERM $PPID; sleep 100"]
        start = time.monotonic()
        status, out, errors = self.library.gate(command=command)
        self.assertEqual((128 + signal.SIGTERM, "", ""), (status, out, errors))
        self.assertLess(time.monotonic() - start, 50)

    def expect(self, expected_status, *lines, of=None):
        status, out, errors = of if of is not None else self.library.gate(*ALL)
        self.assertEqual(expected_status, status, out + errors)
        for line in lines:
            self.assertIn(line, out + errors)
        return out + errors

    def expect_one_line(self, text, of):
        status, _, errors = of
        self.assertEqual(2, status)
        self.assertEqual(1, len(errors.splitlines()), errors)
        self.assertIn(text, errors)

    def test_what_is_covered_passes(self):
        self.build()
        out = self.expect(0, "gate: 19 of 19 places covered, 0 excluded: passed")
        self.assertIn("heap/heap.c", out)
        self.assertTrue((self.library.root / "build/coverage/html/index.html").exists())

    def test_a_tree_whose_path_looks_like_a_pattern(self):
        self.library = Library(self.library.root / "100% p%m %")
        self.build()
        self.expect(0, "gate: 19 of 19 places covered, 0 excluded: passed")

    def test_a_call_less_names_the_places(self):
        self.build()
        self.expect(1, "src/heap/heap.c:3:14: both: never false: b",
                    "src/heap/heap.c:3:14: both: condition: b", "2 FAILURES",
                    of=self.library.gate("11", "01"))
        self.expect(1, "both: never true: b", "both: region: if (a && b) {",
                    of=self.library.gate("10", "01"))
        out = self.expect(1, of=self.library.gate("11", "10"))
        self.assertIn("src/heap/heap.c:3:9: both: condition: a", out)
        self.assertNotIn("condition: b", out)

    def test_a_function_never_called_is_one_failure(self):
        self.build()
        self.expect(1, "src/heap/heap.c:2:24: both: function: both", "1 FAILURES",
                    of=self.library.gate())

    def test_a_row_excludes_its_place_and_no_other(self):
        self.build()
        never_false = ("never false", "src/heap/heap.c", "both", "b")
        condition = ("condition", "src/heap/heap.c", "both", "b")
        self.library.exclude(never_false, condition)
        self.expect(0, "2 excluded: passed", of=self.library.gate("11", "01"))
        self.library.exclude(never_false)
        self.expect(1, "condition: b", "1 FAILURES", of=self.library.gate("11", "01"))
        # The code above may move; the row still finds its place.
        self.library.write("src/heap/heap.c", "\n\n" + HEAP_C)
        self.library.exclude(never_false, condition)
        self.build()
        self.expect(0, of=self.library.gate("11", "01"))

    def test_a_row_that_excludes_nothing_fails(self):
        self.build()
        self.library.exclude(("condition", "src/heap/heap.c", "both", "b"))
        self.expect(1, "coverage-exclusions.tsv: line 2: this is covered now")
        for row in (("condition", "src/heap/heap.c", "both", "c"),
                    ("condition", "src/heap/heap.c", "neither", "b"),
                    ("condition", "src/heap/gone.c", "both", "b")):
            self.library.exclude(row)
            self.expect(1, "line 2: no such place is left: condition", "1 FAILURES")

    def test_a_new_dead_branch_fails(self):
        self.library.write("src/heap/heap.c", HEAP_C.replace(
            "    return 0;", "    if (a > 4) {\n        return 7;\n    }\n    return 0;"))
        self.build()
        self.expect(1, "both: never true: a > 4", "both: region: if (a > 4) {", "2 FAILURES")

    def test_what_clang_does_not_measure_fails(self):
        nested = HEAP_C.replace("(a && b)", "(a && both(a && b, 0) == 0 && b)")
        self.library.write("src/heap/heap.c", nested)
        self.build()
        self.expect(1, "both: clang does not measure this decision, take it apart: if (a && both(")

    def test_a_macro_is_measured_where_it_is_used(self):
        self.library.write("src/heap/heap.c", HEAP_C + """
#define PICK(x) ((x) ? 1 : 2)
int macro(int a); /* "a && b" || 'c' are no decisions */
int macro(int a) {
    return PICK(a) + PICK(!a);
}
#define BOTH(x, y) ((x) && (y))
int hidden(int a, int b);
int hidden(int a, int b) {
    return BOTH(a, b);
}
""")
        self.library.write("main.c", MAIN_C.replace("int status;", """int status;
    int macro(int a), hidden(int a, int b);
    (void)macro(1);
    for (int i = 0; i < 4; i++) {
        (void)hidden(i & 1, i & 2);
    }"""))
        self.build()
        out = self.expect(1, "macro: never false: PICK", "macro: never true: PICK",
                          "hidden: a decision that is partly in a macro; make the macro a function")
        self.assertEqual(2, len(re.findall(r"macro: never (?:true|false): PICK", out)), out)

    def test_instances_of_a_header(self):
        self.library.write("src/base/h.h", "static inline int or_not(int a, int b) {\n"
                                           "    return a || b ? 1 : 0;\n}\n")
        for name in ("x", "y"):
            self.library.write(f"src/base/{name}.c", f'#include "h.h"\nint {name}(int a, int b);\n'
                               f"int {name}(int a, int b) {{ return or_not(a, b); }}\n")
        for calls, missing in (
            ("x(0, 0); x(1, 0); y(0, 1); y(0, 0);", None),  # each shows one condition
            ("x(1, 0); y(0, 0); y(0, 1);", "condition: a"),  # a needs both
        ):
            self.library.write("main.c", MAIN_C.replace(
                "int status;", f"int status, x(int, int), y(int, int); {calls}"))
            self.build()
            out = self.expect(1 if missing else 0, *([missing] if missing else []))
            self.assertNotIn("never", out)

    def test_functions_of_the_same_name_are_not_taken_for_one_another(self):
        helper = ("static int helper(int a) { return a ? 1 : 2; }\n"
                  "int NAME(int a);\nint NAME(int a) { return helper(a); }\n")
        for name, file in (("base", "src/base/main.c"), ("os", "src/os/main.c")):
            self.library.write(file, helper.replace("NAME", name))
        self.library.write("main.c", helper.replace("NAME", "lab") + MAIN_C.replace(
            "int status;", "int status, base(int), os(int); lab(0); lab(1); base(1); os(0);"))
        self.build()
        self.expect(1, "src/base/main.c:1:35: helper: never false: a",
                    "src/os/main.c:1:35: helper: never true: a", "4 FAILURES")

    def test_calls_that_do_not_come_back_prove_nothing(self):
        self.library.write("src/heap/heap.c", HEAP_C + """
int leave(void);
int outer(void);
int outer(void) {
    if (leave() == 0) {
        return 1;
    }
    return 0;
}
""")
        before = MAIN_C.replace("int main", """#include <setjmp.h>
#include <stdlib.h>
int outer(void);
static jmp_buf point;
static int way;
int leave(void);
int leave(void) {
    if (way == 1) {
        abort();
    } else if (way == 2) {
        exit(0);
    } else if (way == 3) {
        _exit(0);
    } else if (way == 4) {
        longjmp(point, 1);
    }
    return way == 5;
}
int main""")
        for way in (1, 2, 3, 4):
            self.library.write("main.c", before.replace("int status;", f"""int status;
    (void)outer();
    if (fork() == 0) {{
        way = {way};
        if (setjmp(point) == 0) {{
            (void)outer();
        }}
        return 0;
    }}"""))
            self.build()
            self.expect(1, "outer: never false: leave() == 0")
        self.library.write("main.c", before.replace(
            "int status;", "int status; (void)outer(); way = 5; (void)outer();"))
        self.build()
        self.expect(0)

    def test_what_cannot_be_measured_is_no_success(self):
        self.build()
        self.expect(1, "coverage: not measured: false ended with status 1",
                    of=self.library.gate(command=["false"]))
        self.expect_one_line("cannot run ./gone: No such file", self.library.gate(
            command=["./gone"]))
        self.expect_one_line("has written a profile", self.library.gate(command=["true"]))
        self.library.write("src/base/new.c", "int f(void);\nint f(void) { return 1; }\n")
        self.expect_one_line("build/cov/obj/src/base/new.o is missing; `make coverage` builds it",
                             self.library.gate(*ALL))
        (self.library.root / "src/base/new.c").unlink()
        self.library.write("src/heap/heap.c", HEAP_C.replace("a && b", "a && b && a"))
        self.library.compile("src/heap/heap.c")  # and not linked again
        self.expect_one_line("functions have mismatched data", self.library.gate(*ALL))

    def test_a_missing_tool_is_named(self):
        self.build()
        tools = self.library.root / "tools"
        tools.mkdir()
        (tools / "python3").symlink_to(sys.executable)
        self.expect_one_line("llvm-profdata-19 is missing; scripts/bootstrap cov installs it",
                             self.library.gate(*ALL, PATH=str(tools)))

    def test_a_damaged_list_is_refused(self):
        path = self.library.root / "tests/coverage-exclusions.tsv"
        for text, words in (
            ("condition\ta.c\tf\tx\n", ":1: needs 5 fields"),
            (f"condition\ta.c\t\tx\t{PROOF}\n", ":1: needs 5 fields"),
            (f"\n# x\nline\ta.c\tf\tx\t{PROOF}\n", ":3: no kind 'line'; there are function,"),
            ("condition\ta.c\tf\tx\tdead\n", ":1: the proof is too short"),
        ):
            path.write_text(text)
            self.expect_one_line(words, self.library.gate(*ALL))
        path.write_bytes(b"\xff")
        self.expect_one_line("cannot be read", self.library.gate(*ALL))
        path.unlink()
        self.expect_one_line("cannot be read", self.library.gate(*ALL))


class Corpus(unittest.TestCase):
    def test_what_it_covers_is_said_and_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            library = Library(folder)
            library.compile()
            library.write("player.c", PLAYER_C)
            for player in ("heaplab", "replay_classic"):
                library.link("player.c", f"build/cov/{player}")
            (library.root / "build/corpus/heap").mkdir(parents=True)
            for words in ("11", "01"):
                library.write(f"build/corpus/heap/{words}", words)
            for status, least, said in ((1, "76", "LESS THAN 76 %"), (0, "75", "at least 75 %")):
                run = subprocess.run(["scripts/coverage", "corpus", "--min", least],
                                     cwd=library.root, capture_output=True, text=True)
                self.assertEqual((status, ""), (run.returncode, run.stderr), run.stdout)
                self.assertIn(f"branches of src/heap/: 75.00 %, {said}\n", run.stdout)
            kept = json.loads((library.root / "build/coverage/corpus.json").read_text())
            self.assertEqual((3, 4, ["src/heap/heap.c:3:14: both: never false: b"]),
                             (kept["taken"], kept["all"], kept["never"]))


class Parts(unittest.TestCase):
    def place(self, line, covered, text="x"):
        return places.Place(places.CONDITION, "a.c", line, 1, "f", text, covered)

    def check(self, rows, everything):
        rows = [exclusions.Row(n, *row, PROOF) for n, row in enumerate(rows, 1)]
        return exclusions.check(rows, [p for p in everything if not p.covered], everything)

    def test_a_text_that_stands_twice(self):
        row = (places.CONDITION, "a.c", "f", "x")
        both = [self.place(1, False), self.place(2, False)]
        self.assertEqual(([], []), self.check([row, row], both))
        for rows, everything, words in (
            ([row], both, "2 such places need 2 rows, there are 1"),
            ([row] * 3, both, "2 such places need 2 rows, there are 3"),
            ([row], [both[0], self.place(2, True)], "stands 2 times in the function, 1 of them"),
        ):
            left, wrong = self.check(rows, everything)
            self.assertEqual([p for p in everything if not p.covered], left)
            self.assertEqual(1, len(wrong))
            self.assertIn(words, wrong[0])

    def test_operators_are_found_in_code_only(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "a.c").write_text(
                'a && b; /* && */ // ||\n"&& \\" ||" || c;\n#if A && \\\n B && C\n'
                "'\"' && d;\nTH_ASSERT(a && (b));\n /* \n && */ e\n")
            self.assertEqual([(1, 3), (2, 12), (5, 5)], list(source.Sources(root).operators("a.c")))

    def test_lines_are_counted_from_segments(self):
        # line, column, count, has a count, a region begins, is a gap
        segments = [[1, 10, 3, True, True, False], [2, 5, 0, True, True, False],
                    [4, 5, 3, True, False, False], [6, 1, 0, False, True, False],
                    [8, 1, 3, True, False, False], [9, 2, 0, False, False, False]]
        # 1 and 5, 6 to 7 skipped, 2 and 3 not executed, 4 to begin with neither.
        self.assertEqual((3, 6), places.count_lines(segments))

    def test_every_assertion_has_its_test(self):
        test = "".join(path.read_text() for path in sorted(TREE.glob("tests/test_*.c"))
                       if "expect_assertion(" in path.read_text())
        test = re.sub(r'"\s+"', "", test)  # a literal in two lines
        # Of the folders that the gate is for.
        for path in sorted(path for folder in ("base", "heap", "os", "alloc", "resource")
                           for path in TREE.glob(f"src/{folder}/*.[ch]")
                           if path.name != "assert.h"):
            for condition in re.findall(r"\bTH_ASSERT\(([^;]*)\);", path.read_text()):
                condition = " ".join(condition.split())
                self.assertTrue(f'"{condition}"' in test, f"{path}: TH_ASSERT({condition})")


if __name__ == "__main__":
    unittest.main()
