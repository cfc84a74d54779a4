#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of th_memory_wipe against what compilers drop: with gcc, clang and tcc, at several levels of
optimization, and across files. A plain memset in its place must be seen to be dropped, or the test
would look in the wrong place. Takes some seconds:

  tests/scripts/test_wipe.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = TREE / "tests/scripts/wipe_probe.c"
WIPE = TREE / "src/base/wipe.c"
INCLUDES = ["-std=c11", "-Wall", "-I", str(TREE / "include"), "-I", str(TREE / "src")]
# What links across files with clang needs a linker that reads its files: lld, which is not wanted for
# this alone. There both sources are one.
BUILDS = ([("gcc", flags) for flags in ("-O0", "-O1", "-O2", "-O3", "-Os", "-O3 -flto")] +
          [("clang", flags) for flags in ("-O0", "-O2", "-O3", "-Os")] + [("tcc", "")])
DROPPING = [("gcc", "-O2"), ("gcc", "-O3"), ("gcc", "-O3 -flto"), ("clang", "-O2"), ("clang", "-O3")]


class Wipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="test_wipe-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)

    def ask(self, compiler, flags, wipe, sources):
        """What is left: on the stack, and in freed memory."""
        program = self.folder / "probe"
        subprocess.run([compiler, *INCLUDES, *flags.split(), f"-DWIPE={wipe}",
                        *map(str, sources), "-o", str(program)], check=True,
                       stdin=subprocess.DEVNULL)
        run = subprocess.run([str(program)], check=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True)
        return run.stdout.split()

    def test_a_wipe_is_dropped_by_no_compiler(self):
        for compiler, flags in BUILDS:
            with self.subTest(compiler=compiler, flags=flags):
                self.assertEqual(self.ask(compiler, flags, "th_memory_wipe", [PROBE, WIPE]),
                                 ["gone", "gone"])

    def test_neither_where_all_is_one_source(self):
        one = self.folder / "one.c"
        one.write_text(f'#include "{PROBE}"\n#include "{WIPE}"\n')
        for compiler, flags in DROPPING:
            with self.subTest(compiler=compiler, flags=flags):
                self.assertEqual(self.ask(compiler, flags, "th_memory_wipe", [one]),
                                 ["gone", "gone"])

    def test_a_memset_is_dropped(self):
        for compiler, flags in DROPPING:
            with self.subTest(compiler=compiler, flags=flags):
                self.assertEqual(self.ask(compiler, flags, "WIPE_BY_MEMSET", [PROBE]),
                                 ["left", "left"])


if __name__ == "__main__":
    unittest.main()
