#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what holds for every tracked file: text says its licence in its first lines, no source is
longer than a reader keeps in mind, and what names its interpreter can be started.

  tests/scripts/test_files.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from fuzz_lib import plant

LICENCE = b"SPDX-License-Identifier: MIT"
HEAD_LINES = 5  # a document type, an interpreter, or what a patch is for may stand first
LINES_MAX = 700
# Folders and files that carry no line of ours, and why.
WITHOUT_LICENCE = {
    "LICENSE": "the licence itself",
    "corpus/script": "inputs that are kept byte for byte",
    "corpus/text": "the same",
    "corpus/resources": "the same",
}
SOURCES = (".c", ".h", ".cpp", ".def", ".py", ".mk")


def tracked(tree):
    """What git has, or would take, as paths from the tree's root; in a copy without git, everything."""
    return sorted(path for path in plant.list_files(tree) if (tree / path).is_file())


def is_source(path, data):
    return path.suffix in SOURCES or path.name == "Makefile" or data.startswith(b"#!")


def without_licence(tree):
    return sorted(str(path) for path in tracked(tree)
                  if not {str(path), *map(str, path.parents)} & set(WITHOUT_LICENCE)
                  and b"\0" not in (data := (tree / path).read_bytes())
                  and LICENCE not in b"".join(data.splitlines(True)[:HEAD_LINES]))


def too_long(tree):
    return sorted(f"{path}: {lines}" for path in tracked(tree)
                  if is_source(path, data := (tree / path).read_bytes())
                  and (lines := data.count(b"\n")) > LINES_MAX)


def not_startable(tree):
    """What names its interpreter is to be started."""
    return sorted(str(path) for path in tracked(tree)
                  if (tree / path).read_bytes().startswith(b"#!")
                  and not os.access(tree / path, os.X_OK))


class Files(unittest.TestCase):
    def test_text_says_its_licence(self):
        self.assertGreater(len(tracked(TREE)), 1000)
        self.assertEqual([], without_licence(TREE))

    def test_what_says_none_is_there(self):
        self.assertEqual([], [name for name in WITHOUT_LICENCE if not (TREE / name).exists()])

    def test_no_source_is_too_long(self):
        self.assertEqual([], too_long(TREE))

    def test_scripts_can_be_started(self):
        self.assertEqual([], not_startable(TREE))


class Itself(unittest.TestCase):
    """The checks find what they are for."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_files-")
        self.addCleanup(scratch.cleanup)
        self.tree = pathlib.Path(scratch.name)
        subprocess.run(["git", "-C", self.tree, "init", "-q"], check=True)
        self.add("LICENSE", b"MIT\n")
        self.add("corpus/text/a.txt", b"heap\n")
        self.add("ours.c", b"/* " + LICENCE + b" */\n")

    def add(self, name, data):
        (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / name).write_bytes(data)

    def test_text_without_a_licence(self):
        self.assertEqual([], without_licence(self.tree))
        self.add("a.mk", b"x := 1\n")
        self.add("corpus/heap/b.txt", b"heap\n")
        self.add("late.h", 5 * b"\n" + LICENCE)
        self.add("empty", b"")
        self.assertEqual(["a.mk", "corpus/heap/b.txt", "empty", "late.h"],
                         without_licence(self.tree))

    def test_what_is_no_text_needs_none(self):
        self.add("a.bin", b"\1\0\2")
        self.assertEqual([], without_licence(self.tree))

    def test_what_git_ignores_is_not_looked_at(self):
        self.add(".gitignore", b"# " + LICENCE + b"\nbuild/\n")
        self.add("build/a.c", 701 * b"\n")
        self.assertEqual(([], []), (without_licence(self.tree), too_long(self.tree)))

    def test_a_copy_without_git(self):
        shutil.rmtree(self.tree / ".git")
        self.add("a.mk", b"x := 1\n")
        self.add("build/b.mk", b"x := 1\n")
        self.assertEqual(["a.mk"], without_licence(self.tree))

    def test_a_script_without_its_mode(self):
        self.add("command", b"#!/bin/sh\n")
        self.assertEqual(["command"], not_startable(self.tree))
        (self.tree / "command").chmod(0o755)
        self.assertEqual([], not_startable(self.tree))

    def test_long_sources(self):
        for name in ("a.c", "b.h", "tests/c.py", "Makefile"):
            self.add(name, LINES_MAX * b"\n")
        self.add("page.md", 701 * b"\n")
        self.assertEqual([], too_long(self.tree))
        for name in ("a.c", "b.h", "tests/c.py", "Makefile"):
            self.add(name, (LINES_MAX + 1) * b"\n")
        self.add("command", b"#!/bin/sh" + 701 * b"\n")
        self.assertEqual(["Makefile: 701", "a.c: 701", "b.h: 701", "command: 701",
                          "tests/c.py: 701"], too_long(self.tree))


if __name__ == "__main__":
    unittest.main()
