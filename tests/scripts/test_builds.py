#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of `make lib`, as its users call it: from a copy of the tree that holds the library alone,
with their compilers, flags and environments. Needs gcc and tcc. Takes less than half a minute:

  tests/scripts/test_builds.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARTS = ("Makefile", "include", "sanitize", "scripts/common_lib", "scripts/variant.mk",
         "scripts/dist_lib", "valgrind")
PATH = "/usr/local/bin:/usr/bin:/bin"
STRICT = "-Wall -Wextra -Werror"
LIBRARY = "build/lib/libtagheap.a"

# Hands everything on to the real tool, and notes how it was called.
NOTING = """#!/bin/sh
echo "$@" >> {log}
exec {tool} "$@"
"""

PROGRAM = """
#include <tagheap/heap.h>
static uint32_t region[1024];
static th_heap heap;
int main(void) {
    th_status status = th_heap_init(&heap, region, sizeof region, NULL);
    return status == TH_OK && th_heap_alloc(&heap, 100, 0x1001) != NULL ? 0 : 1;
}
"""

# What becomes of each layout, and of a region that classic headers do not reach.
LAYOUTS = """
#include <stdio.h>
#include <tagheap/heap.h>
static uint32_t region[200000];
static th_heap heap;
static void try_it(th_heap_layout layout, size_t bytes) {
    const th_heap_config config = {.layout = layout, .index = TH_HEAP_INDEX_NONE};
    th_status status = th_heap_init(&heap, region, bytes, &config);
    bool works = status == TH_OK && th_heap_alloc(&heap, 100, 0x1001) != NULL &&
                 th_heap_realloc(&heap, th_heap_alloc(&heap, 20, 0x4001), 50) != NULL &&
                 th_heap_compact(&heap, NULL, NULL).done && th_heap_check(&heap, NULL) == TH_OK;
    printf("%s%d ", works ? "" : th_status_name(status), works ? heap.layout : 0);
}
int main(void) {
    for (int layout = 0; layout < 4; layout++) {
        printf("%d:", th_heap_has_layout((th_heap_layout)layout));
        try_it((th_heap_layout)layout, 4000);
    }
    try_it(TH_HEAP_LAYOUT_AUTO, sizeof region);
    return 0;
}
"""


class BuildsTest(unittest.TestCase):
    SOURCES = ("src",)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_builds-")
        self.addCleanup(scratch.cleanup)
        self.tree = pathlib.Path(scratch.name)
        for part in (*PARTS, *self.SOURCES):
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.tree / part)
        for script in ("bootstrap", "dist"):
            shutil.copy(ROOT / "scripts" / script, self.tree / "scripts")

    def make(self, *arguments, **environment):
        return subprocess.run(["/usr/bin/make", *arguments], cwd=self.tree, text=True,
                              env={"PATH": PATH} | environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def assert_builds(self, *arguments, **environment):
        done = self.make(*arguments, **environment)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def run_program(self, compiler, *flags):
        """A program links with what was built, and works."""
        source, program = self.tree / "program.c", self.tree / "program"
        source.write_text(PROGRAM)
        subprocess.run([compiler, *flags, "-Iinclude", source, LIBRARY, "-o", program],
                       cwd=self.tree, check=True)
        self.assertEqual(0, subprocess.run([program], check=False).returncode)

    def run_tool(self, *command):
        """What it prints."""
        return subprocess.run(command, cwd=self.tree, check=True, stdout=subprocess.PIPE,
                              text=True).stdout


class CallsTest(BuildsTest):
    """What make does with its users' compilers and flags: with a part of the library, which is
    compiled soon, and which no program is linked with."""

    SOURCES = ("src/base",)

    def noting(self, tool):
        """(a command that does what the tool does, a function that gives its calls)"""
        command, log = self.tree / f"my-{tool}", self.tree / f"{tool}.log"
        command.write_text(NOTING.format(log=log, tool=tool))
        command.chmod(0o755)
        return str(command), lambda: log.read_text().splitlines() if log.exists() else []

    def assert_compiled_with(self, calls, *flags):
        compiled = [call.split() for call in calls if " -c " in call]
        self.assertEqual(1, len(compiled))  # the whole library is one file
        for call in compiled:
            places = [call.index(flag) if flag in call else -1 for flag in flags]
            self.assertTrue(min(places) > call.index("-std=c11"), call)
            self.assertEqual(sorted(places), places, call)  # in this order

    def test_a_warning_is_no_error_for_the_user_and_one_for_us(self):
        (self.tree / "src/base/careless.c").write_text(
            "/* SPDX-License-Identifier: MIT */\n"
            "int th_careless(void);\nint th_careless(void) { int unused; return 0; }\n")
        self.assertIn("-Wunused-variable", self.assert_builds("lib", "CFLAGS=-O0 -Wall"))
        done = self.make("build/release/obj/src/base/careless.o")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("-Werror=unused-variable", done.stdout)

    def test_flags_compiler_and_archiver_are_the_users(self):
        cc, cc_calls = self.noting("gcc")
        ar, ar_calls = self.noting("ar")
        self.assert_builds("lib", CC=cc, AR=ar, CFLAGS="-O0 -DMINE='\"a b\"'",
                           CPPFLAGS="-DFIRST -DTH_GUARD=2", EXTRA_CFLAGS="-DLAST")
        self.assert_compiled_with(cc_calls(), "-DFIRST", "-DTH_GUARD=2", "-O0", "-DLAST")
        for call in cc_calls():
            self.assertNotRegex(call, r" (-O2|-g|-W\S*|-M\S*)\b")
        self.assertEqual(2, len(ar_calls()))  # and what is for study
        count = len(cc_calls())
        self.assert_builds("lib", CC=cc, AR=ar, CFLAGS="-O0 -DMINE='\"a b\"'",
                           CPPFLAGS="-DFIRST -DTH_GUARD=2", EXTRA_CFLAGS="-DLAST")
        self.assert_compiled_with(cc_calls(), "-O0")  # no more than before
        self.assertLessEqual(len(cc_calls()), count + 1)  # --version

    def test_the_command_line_wins_over_the_environment(self):
        cc, calls = self.noting("gcc")
        self.assert_builds("lib", f"CC={cc}", "CFLAGS=-O0 -DLINE", CC="no-such", CFLAGS="-Og")
        self.assert_compiled_with(calls(), "-O0", "-DLINE")
        self.assertFalse([call for call in calls() if "-Og" in call])

    def test_without_flags_it_is_optimized(self):
        cc, calls = self.noting("gcc")
        self.assert_builds("lib", CC=cc)
        self.assert_compiled_with(calls(), "-O2", "-g")

    def test_our_variants_do_not_look_at_them(self):
        cc, calls = self.noting("gcc")
        self.assert_builds("build/release/obj/src/base/status.o", CC=cc, CFLAGS="-Dint=bad",
                           CPPFLAGS="-Dint=bad")
        self.assertEqual([], calls())

    def test_a_source_that_comes_and_goes_is_in_it_and_out_of_it(self):
        added = self.tree / "src/base/added.c"
        added.write_text("/* SPDX-License-Identifier: MIT */\n#include \"tagheap/port.h\"\n"
                         "#error added\n")
        self.assertIn("#error added", self.make("lib", "CFLAGS=-O0").stdout)
        added.unlink()
        self.assert_builds("lib", "CFLAGS=-O0")

    def test_what_a_changed_header_makes(self):
        self.assert_builds("lib", "CFLAGS=-O0")
        self.assertNotIn(" CC ", self.assert_builds("lib", "CFLAGS=-O0"))
        header = self.tree / "src/base/align.h"
        text = header.read_text()
        header.write_text(text.replace("\n#endif\n", "\n#error changed\n#endif\n"))
        self.assertNotEqual(text, header.read_text())
        self.assertIn("#error changed", self.make("lib", "CFLAGS=-O0").stdout)

    def test_a_compiler_that_is_not_there(self):
        done = self.make("lib", "CC=no-such-compiler -m64")
        self.assertEqual(2, done.returncode)
        lines = done.stdout.splitlines()
        self.assertEqual(1, len(lines), lines)
        self.assertRegex(lines[0], r"CC=no-such-compiler -m64: .*no command no-such-compiler")


class LibraryTest(BuildsTest):
    """What comes of it."""

    def test_with_nothing_in_the_environment(self):
        done = subprocess.run(["/usr/bin/env", "-i", "/usr/bin/make", "lib"], cwd=self.tree,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout)
        self.run_program("gcc")

    def test_other_standards_and_dialects_without_a_warning(self):
        for flags in ("-O0 -std=c17 -pedantic-errors -DNDEBUG -fPIC -fno-strict-aliasing",
                      "-O0 -std=gnu11 -fshort-enums -funsigned-char", "-O0 -std=c2x",
                      "-O3 -fPIC -DTH_GUARD=3", "-O0 -fno-strict-aliasing -DTH_COMPILER_GNU=0"):
            with self.subTest(flags):
                text = self.assert_builds("lib", f"CFLAGS={flags} {STRICT}")
                self.assertNotIn("warning", text)
                self.run_program("gcc")

    def test_optimized_when_it_is_linked(self):
        flags = f"CFLAGS=-O3 -flto {STRICT}"
        self.assert_builds("lib", "CC=gcc", "AR=gcc-ar", flags)
        self.run_program("gcc", "-O3", "-flto=auto", "-Werror")

    def test_of_the_one_object_a_program_takes_what_it_needs(self):
        self.assert_builds("lib")
        self.run_program("gcc", "-Wl,--gc-sections")
        symbols = subprocess.run(["nm", "program"], cwd=self.tree, text=True, check=True,
                                 capture_output=True).stdout
        self.assertIn(" th_heap_alloc\n", symbols)
        self.assertNotIn("th_buddy", symbols)

    def test_of_some_layouts(self):
        """1 is classic, 2 lean, 3 wide; TH_LAYOUTS is a sum of 1, 2 and 4 for them."""
        lacks = "0:TH_ERR_LAYOUT0"
        expected = {
            7: "1:1 1:1 1:2 1:3 3",
            3: f"1:1 1:1 1:2 {lacks} TH_ERR_TOO_LARGE0",
            5: f"1:1 1:1 {lacks} 1:3 3",
            1: f"1:1 1:1 {lacks} {lacks} TH_ERR_TOO_LARGE0",
            2: f"1:2 {lacks} 1:2 {lacks} TH_ERR_TOO_LARGE0",
            4: f"1:3 {lacks} {lacks} 1:3 3",
        }
        text = {}
        (self.tree / "layouts.c").write_text(LAYOUTS)
        for layouts, said in expected.items():
            self.assert_builds("lib", CPPFLAGS=f"-DTH_LAYOUTS={layouts}", CFLAGS=f"-Os {STRICT}")
            self.run_tool("gcc", "-Iinclude", "layouts.c", LIBRARY, "-o", "layouts")
            self.assertEqual(said, self.run_tool("./layouts").strip(), layouts)
            text[layouts] = int(self.run_tool("size", "layouts").split()[6])
        self.assertLess(max(text[1], text[4]), text[5])
        self.assertLess(max(text[1], text[2]), text[3])
        self.assertLess(max(text[3], text[5]), text[7])
        for bad in ("0", "8", "2 -DTH_GUARD=1"):
            done = self.make("lib", CPPFLAGS=f"-DTH_LAYOUTS={bad}")
            self.assertNotEqual(0, done.returncode, bad)

    def test_by_a_compiler_without_builtins(self):
        self.assert_builds("lib", "CC=tcc")
        self.run_program("tcc")


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
