#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what scripts/install-check refuses, and of how it fails; what it proves takes minutes, and
is `make install-check`.

  tests/scripts/test_install_check.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
COMMAND = TREE / "scripts/install-check"
NOBODY = 65534
IS_ROOT = os.geteuid() == 0


class InstallCheck(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_install_check-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.root = self.folder / "root"
        self.tools = self.folder / "tools"
        self.tools.mkdir()

    def write_tool(self, name, text):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def call(self, *arguments, **options):
        environment = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}"}
        return subprocess.run([COMMAND, f"--root={self.root}", *arguments], env=environment,
                              text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)

    def assert_refused(self, done, *words):
        self.assertEqual(2, done.returncode, done)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)
        self.assertTrue(done.stderr.startswith("scripts/install-check: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_options_that_are_none(self):
        self.assert_refused(self.call("--rot=x"), "--rot")
        self.assert_refused(self.call("now"), "now")

    def test_without_rights(self):
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}
        done = self.call(**user)
        self.assert_refused(done, "needs root")
        self.assertFalse(self.root.exists())

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_a_folder_that_is_somebodys(self):
        self.write_tool("debootstrap", "echo made > /dev/null; exit 9")
        self.root.mkdir()
        (self.root / "kept").write_text("mine\n")
        for arguments in ([], ["--fresh"]):
            self.assert_refused(self.call(*arguments), str(self.root), "no system that")
            self.assertEqual("mine\n", (self.root / "kept").read_text())

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_a_system_that_cannot_be_made(self):
        self.write_tool("debootstrap", 'mkdir -p "$4/etc"; echo I: begins; echo E: no such mirror; '
                                       "exit 1")
        self.assert_refused(self.call(), "debootstrap failed (E: no such mirror)")
        self.assertFalse(self.root.exists())
        self.assertIn("begins", (self.folder / "debootstrap.log").read_text())

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_what_fails_inside(self):
        """A system in which nothing can be run."""
        self.write_tool("debootstrap", 'mkdir -p "$4/etc" "$4/proc"')
        done = self.call()
        self.assertEqual((1, ""), (done.returncode, done.stderr))
        self.assertIn("install-check: FAILED: make install ended with status", done.stdout)
        self.assertTrue((self.root / "src/tagheap/Makefile").exists())


if __name__ == "__main__":
    unittest.main()
