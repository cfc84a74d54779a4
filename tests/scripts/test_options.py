#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that every script in Python reads its options alike: what is no option is said in one line,
with exit status 2, before anything is done.

  tests/scripts/test_options.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import concurrent.futures
import os
import pathlib
import subprocess
import unittest

import surroundings

surroundings.make_usual()

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"
PARSER = SCRIPTS / "common_lib/options.py"


def text_of(path):
    return path.read_text(errors="replace")


class Options(unittest.TestCase):
    commands = [path for path in sorted(SCRIPTS.iterdir())
                if path.is_file() and text_of(path).startswith("#!/usr/bin/python3\n")]

    def test_one_line(self):
        def call(path):
            return subprocess.run([path, "--no-such-option"], capture_output=True, text=True,
                                  check=False, stdin=subprocess.DEVNULL)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, done in zip(self.commands, pool.map(call, self.commands)):
                with self.subTest(path.name):
                    self.assertEqual((2, ""), (done.returncode, done.stdout))
                    self.assertRegex(done.stderr, rf"\A(scripts/)?{path.name}: .+\n\Z")
        self.assertGreater(len(self.commands), 25)

    def test_one_parser(self):
        for path in [*self.commands, *SCRIPTS.glob("*_lib/*.py")]:
            if path != PARSER:
                self.assertNotIn("ArgumentParser(", text_of(path), path.relative_to(SCRIPTS))


if __name__ == "__main__":
    unittest.main()
