#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/run-suites --emulator: programs that the kernel refuses are run by the emulator,
without what that cannot do, and all others as ever. Takes a second:

  tests/scripts/test_suites.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
# The beginning of a program for a machine that is none (ELF's e_machine is 0xFFF0).
FOREIGN = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 0xFFF0, 1) + bytes(28)
# Stands in for the emulator, and for suites: notes how it was called, and passes the one test.
SUITE = """#!/bin/sh
echo "$@" >> {log}
program=$0
case $1 in --list) ;; */test_*) program=$1; shift ;; esac
name=${{program##*/test_}}
if [ "$1" = --list ]; then
    printf '%s\\tone\\n' "$name"
else
    printf '%s\\tone\\tpassed\\n' "$name" > "$TH_RESULTS"
fi
"""


class Emulator(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_suites-")
        self.addCleanup(scratch.cleanup)
        self.tree = pathlib.Path(scratch.name) / "tree"
        shutil.copytree(TREE / "scripts", self.tree / "scripts")
        self.programs = self.tree / "build" / "small" / "tests"
        self.programs.mkdir(parents=True)
        for folder in ("misuse", "examples"):  # which would be run, were they not left out
            (self.tree / "build" / "small" / folder).mkdir()
            self.write(self.tree / "build" / "small" / folder / "bad", b"#!/bin/sh\nexit 1\n")
        self.log = self.tree / "log"
        self.log.touch()
        self.emulator = self.tree / "emulator"
        self.write(self.emulator, SUITE.format(log=self.log).encode())

    def write(self, path, data):
        path.write_bytes(data)
        path.chmod(0o755)

    def run_suites(self, *names, data=FOREIGN, options=()):
        for name in names:
            self.write(self.programs / name, data)
        done = subprocess.run([self.tree / "scripts" / "run-suites", "small", "--emulator",
                               self.emulator, *options, *(self.programs / name for name in names)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def emulated(self):
        return sorted({line.split()[0].rsplit("/", 1)[-1]
                       for line in self.log.read_text().splitlines()})

    def test_what_the_kernel_refuses_is_emulated(self):
        status, out = self.run_suites("test_a", "test_b", options=["--misuse", "--examples"])
        self.assertEqual((0, "2 passed, 0 failed"), (status, out.splitlines()[-1]), out)
        self.assertIn(f"small: this kernel does not run its programs: by {self.emulator}, without "
                      "misuse, examples, ", out)
        self.assertEqual(["test_a", "test_b"], self.emulated())
        calls = self.log.read_text().splitlines()
        self.assertEqual(2, sum(call.endswith(" --list") for call in calls), calls)

    def test_what_it_cannot_do_is_left_out(self):
        """Programs that want more of a kernel than it gives: they fail if they are run."""
        names = subprocess.run(["grep", "-oP", r"^KERNEL_ONLY = \(\K[^)]*",
                                TREE / "scripts/run-suites"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.replace('"', "").replace(",", "").split()
        self.assertIn("test_pages", names)
        status, out = self.run_suites(*names, "test_z")
        self.assertEqual((0, "1 passed, 0 failed"), (status, out.splitlines()[-1]), out)
        self.assertEqual(["test_z"], self.emulated())
        for name in names:
            self.assertTrue((TREE / "tests" / f"{name}.c").exists(), name)
            self.assertIn(name, out)

    def test_what_the_kernel_runs_is_not_emulated(self):
        status, out = self.run_suites("test_a", data=SUITE.format(log="/dev/null").encode())
        self.assertEqual((0, "1 passed, 0 failed"), (status, out.splitlines()[-1]), out)
        self.assertEqual([], self.emulated())
        self.assertNotIn("does not run", out)

    def test_programs_that_are_not_there_are_none_to_emulate(self):
        (self.programs / "test_a").unlink(missing_ok=True)
        done = subprocess.run([self.tree / "scripts" / "run-suites", "small", "--emulator",
                               self.emulator, self.programs / "test_a"], text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertNotEqual(0, done.returncode)
        self.assertEqual([], self.emulated())

    def test_a_test_that_fails_under_it_fails(self):
        self.write(self.emulator, SUITE.format(log=self.log).replace("passed", "failed").encode())
        status, out = self.run_suites("test_a")
        self.assertEqual((1, "0 passed, 1 failed"), (status, out.splitlines()[-1]), out)


if __name__ == "__main__":
    unittest.main()
