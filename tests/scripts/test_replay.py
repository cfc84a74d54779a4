#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the programs that replay inputs without an engine: nothing that is named is passed over.

  tests/scripts/test_replay.py [-v] [NAME...]     (after make build-debug)
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = TREE / "build" / "debug" / "replay_heap"


class Replay(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def replay(self, *arguments):
        done = subprocess.run([PROGRAM, "--scripts", *arguments], capture_output=True, text=True)
        return done.returncode, done.stderr

    def write(self, name):
        (self.folder / name).write_text("heap dwords=750\nalloc s0 tag=1 bytes=8\n")

    def test_folders_of_scripts(self):
        self.write("a.txt")
        (self.folder / "inner").mkdir()
        shutil.copy(self.folder / "a.txt", self.folder / "inner" / "b.txt")
        self.assertEqual((0, ""), self.replay(self.folder))

    def test_what_cannot_be_replayed_is_not_passed_over(self):
        for bad, good in (("a.txt", "b.txt"), ("b.txt", "a.txt")):
            with self.subTest(bad=bad):
                self.write(good)
                (self.folder / bad).unlink(missing_ok=True)
                (self.folder / bad).symlink_to("nowhere")
                status, err = self.replay(self.folder)
                self.assertEqual(2, status)
                self.assertIn(f"{bad}: No such file", err)
                (self.folder / bad).unlink()


if __name__ == "__main__":
    unittest.main()
