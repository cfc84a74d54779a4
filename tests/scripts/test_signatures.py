#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One failure has one signature, whoever tells of it: heaplab's random and minimize, what the
scripts make of the words of `heaplab run` and of a fuzz target, and a file of known failures. Needs
clang, and build/fuzz (`make fuzz-programs`). Takes half a minute:

  tests/scripts/test_signatures.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from common_lib.script import SetupError
from fuzz_lib import known, program, signature, targets

PLUGIN = TREE / "tests" / "scripts" / "ending_subject.c"
DEBUG = pathlib.Path(os.environ.get("HEAPLAB", TREE / "build" / "debug" / "heaplab")).resolve()
FUZZ = TREE / "build" / "fuzz" / "heaplab"
INCLUDES = [f"-I{TREE}/include", f"-I{TREE}/fuzz"]
CHECKS = ["-std=c11", "-O1", "-g", "-fno-sanitize-recover=all"]
CLANG = re.search(r"fuzz_CC +:= (\S+)", (TREE / "sanitize" / "fuzz.mk").read_text())[1]
SCRIPT = ("heap dwords=4000 subject=plugin\nalloc s0 bytes=4 check-end\n"
          "alloc s1 bytes=4 check-end\n")
HERE = "ending_subject.c"
SCRATCH = None


def must(*command):
    subprocess.run([str(word) for word in command], check=True, cwd=TREE)


def setUpModule():
    global SCRATCH
    SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="test-signatures-"))
    must("gcc", "-std=c11", "-g", "-shared", "-fPIC", *INCLUDES, PLUGIN, "-o", SCRATCH / "debug.so")
    must(CLANG, *CHECKS, "-fsanitize=address,undefined", "-shared", "-fPIC", *INCLUDES, PLUGIN,
         "-o", SCRATCH / "fuzz.so")
    objects = TREE / "build" / "fuzz" / "obj" / "fuzz"
    engines = [path for path in (objects / "engines").glob("*.o")
               if path.name not in ("afl.o", "replay.o")]
    libraries = [TREE / "build" / "fuzz" / name for name in ("libheaplab.a", "libtagheap-study.a",
                                                              "libtagheap.a")]
    must(CLANG, *CHECKS, "-fsanitize=fuzzer,address,undefined", *INCLUDES, PLUGIN,
         objects / "targets" / "subjects.o", *engines, *libraries, "-o", SCRATCH / "target")
    (SCRATCH / "one.txt").write_text(SCRIPT)
    must(FUZZ, "asm", SCRATCH / "one.txt", "--subject", SCRATCH / "fuzz.so", "-o",
         SCRATCH / "one.bin")


def tearDownModule():
    shutil.rmtree(SCRATCH)


class Ending(unittest.TestCase):
    def run_as(self, mistake, *command):
        env = program.environment() | {"MISTAKE": mistake}
        done = subprocess.run([str(word) for word in command], cwd=SCRATCH, env=env, text=True,
                              capture_output=True, check=False, errors="replace")
        return done.returncode, done.stdout + done.stderr



class Said(Ending):
    def said_by(self, heaplab, subject, mistake):
        """{who: signature}"""
        subject = ("--subject", SCRATCH / subject)
        _, text = self.run_as(mistake, heaplab, "random", *subject, "--seed", "1", "--seconds", "9")
        found = {"random": re.search(r" fails: (.*) \(operation ", text)[1]}
        self.assertRegex(text, r"\(operation \d+ of \d+: [a-z-]+, on subject ending \(a plug-in\)")
        _, text = self.run_as(mistake, heaplab, "minimize", *subject, "one.txt", "-f", "-o",
                              "min.txt")
        found["minimize"] = re.search(r"it fails: (.*)", text)[1]
        status, text = self.run_as(mistake, heaplab, "run", *subject, "one.txt")
        failure = signature.classify(text, TREE) or signature.classify_exit(status)
        found["run"] = failure.signature
        return found

    def check(self, mistake, in_fuzz, in_debug=None):
        said = self.said_by(FUZZ, "fuzz.so", mistake)
        _, text = self.run_as(mistake, SCRATCH / "target", "one.bin")
        said["target"] = signature.classify(text, TREE).signature
        if mistake == "exit":  # libFuzzer does not tell the status
            self.assertEqual("fuzz target exited", said.pop("target")[:18])
        self.assertEqual({in_fuzz}, set(said.values()), said)
        if in_debug is not None:
            said = self.said_by(DEBUG, "debug.so", mistake)
            self.assertEqual({in_debug}, set(said.values()), said)

    def test_a_difference(self):
        words = "property=result detail=alignment"
        self.check("property", words, words)

    def test_a_crash(self):
        at = self.line("*(volatile int *)")
        self.check("null", f"AddressSanitizer: SEGV at end_as tests/scripts/{HERE}:{at}",
                   "signal 11 at end_as")

    def test_an_assertion(self):
        self.check("assert", "signal 6 at end_as", "signal 6 at end_as")

    def test_a_panic(self):
        self.check("panic", "tagheap: canary smashed", "tagheap: canary smashed")

    def test_an_overflow(self):
        at = self.line("block[size] = 1")
        self.check("overflow", "AddressSanitizer: heap-buffer-overflow at overflow "
                   f"tests/scripts/{HERE}:{at}")

    def test_undefined_behaviour(self):
        """Numbers are N, whatever their sign."""
        for mistake, statement in (("below", "sum = least"), ("above", "sum = most")):
            self.check(mistake, "runtime error: signed integer overflow: N - N cannot be "
                       f"represented in type 'int' at tests/scripts/{HERE}:{self.line(statement)}")

    def test_exit(self):
        self.check("exit", "exit status 3", "exit status 3")

    def line(self, text):
        lines = PLUGIN.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)


class Known(Ending):
    """A file of known failures: for heaplab, for a fuzz target, for the scripts."""

    def write(self, text):
        path = SCRATCH / "known.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def random(self, mistake, text, *more):
        return self.run_as(mistake, DEBUG, "random", "--subject", SCRATCH / "debug.so",
                           "--seed", "1", "--seconds", "1", "--known", self.write(text), *more)

    def test_known_failures_end_nothing(self):
        for mistake, words in (("property", "property=result detail=alignment"),
                               ("null", "signal 11 at end_as")):
            status, text = self.random(
                mistake, f"# mine\n\n  {words}\t\nproperty=blocks detail=size\n")
            self.assertEqual(0, status, text)
            met = re.search(rf"^ +(\d+) known: {words}$", text, re.MULTILINE)
            scripts = re.search(r"^(\d+) scripts .*: nothing new$", text, re.MULTILINE)
            self.assertTrue(met and scripts, text)
            self.assertTrue(20 < int(met[1]) <= int(scripts[1]), text)
            self.assertIn("       0 known, not met (mended?): property=blocks detail=size", text)
            self.assertNotIn("fails:", text)

    def test_others_are_found_all_the_same(self):
        status, text = self.random("property", "property=result detail=overlap\n")
        self.assertEqual(1, status, text)
        self.assertIn("fails: property=result detail=alignment", text)
        self.assertIn("       0 known, not met (mended?): property=result detail=overlap", text)

    def test_a_target_passes(self):
        for text, passes in (("signal 6\nproperty=result detail=alignment\n", True),
                             ("signal 6\nproperty=result detail=overlap\n", False)):
            env = program.environment(known=self.write(text)) | {"MISTAKE": "property"}
            done = subprocess.run([SCRATCH / "target", "one.bin"], cwd=SCRATCH, env=env, text=True,
                                  capture_output=True, check=False)
            self.assertEqual(passes, done.returncode == 0, done.stderr)

    def test_files_that_are_none(self):
        """The same words from all three, before any work."""
        long = "property=blocks detail=" + "x" * 500
        for text, words in (
            ("property=a detail=b\nalloc s0 tag=0 bytes=4\n", ":2: is no signature"),
            (b"property=a detail=\0b\n", ":1: holds a byte that is no text"),
            (b"\x7fELF\x02\x01", ":1: holds a byte that is no text"),
            (b"\xef\xbb\xbf\xef\xbb\xbfleak", ":1: is no signature"),
            (b"\xef\xbb", ":1: is no signature"),
            (b"leak\n\xef\xbb\xbfleak", ":2: is no signature"),
            (long, ":1: is too long for a signature"),
            ("".join(f"signal {number}\n" for number in range(65)),
             ":65: is one signature more than the 64 that can be known"),
        ):
            status, said = self.random("property", text)
            self.assertEqual(2, status, said)
            self.assertRegex(said, r"\Aheaplab random: [^\n]*\n\Z")
            self.assertIn(f"known.txt{words}", said)
            with self.assertRaises(SetupError) as raised:
                known.read(SCRATCH / "known.txt")
            self.assertIn(f"known.txt{words}", str(raised.exception))
            self.refused_by_the_job(f"known.txt{words}")
            env = os.environ | {"LAB_KNOWN": str(SCRATCH / "known.txt")}
            done = subprocess.run([SCRATCH / "target", "one.bin"], cwd=SCRATCH, env=env, text=True,
                                  capture_output=True, check=False)
            self.assertEqual(2, done.returncode)
            self.assertIn(f"known.txt{words}", done.stderr)
        (SCRATCH / "known.txt").unlink()
        (SCRATCH / "known.txt").mkdir()
        self.addCleanup((SCRATCH / "known.txt").rmdir)
        for path in (SCRATCH / "known.txt", SCRATCH / "none.txt"):
            status, said = self.run_as("", DEBUG, "random", "--known", path)
            self.assertEqual(2, status, said)
            self.assertRegex(said, r"\Aheaplab random: [^\n]*: cannot be read: [^\n]*\n\Z")
            with self.assertRaises(SetupError):
                known.read(path)

    def refused_by_the_job(self, words):
        done = subprocess.run([TREE / "scripts" / "fuzz", "--check", "--known",
                               SCRATCH / "known.txt"], text=True, capture_output=True, check=False)
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, r"\Ascripts/fuzz: [^\n]*\n\Z")
        self.assertIn(words, done.stderr)

    def test_both_readers_take_the_same(self):
        lines = b"# a\nsignal 11 at f\r\n\tleak at g a.c:1 \nsignal 11 at f\ntimeout"
        mark = b"\xef\xbb\xbf"  # some editors begin a file with it
        for text in (b"\r\n" + lines, mark + lines, mark + lines[lines.index(b"signal"):]):
            path = self.write(text)
            self.assertEqual(["signal 11 at f", "leak at g a.c:1", "timeout"], known.read(path))
            _, said = self.random("", path.read_bytes())
            self.assertEqual(["signal 11 at f", "leak at g a.c:1", "timeout"],
                             re.findall(r"known, not met \(mended\?\): (.*)", said), said)
        for text in (b"", mark, mark + b"\n"):
            self.assertEqual([], known.read(self.write(text)))
            self.assertNotIn("known", self.random("", text)[1])


class Layout(unittest.TestCase):
    """The target `heap`, confined to one layout."""

    TARGET = TREE / "build" / "fuzz" / "fuzz_heap"

    def fuzz(self, layout, folder):
        return subprocess.run([self.TARGET, "-runs=200", "-seed=1", folder], text=True,
                              env=program.environment(layout=layout), capture_output=True,
                              check=False)

    def test_only_that_layout_is_played(self):
        for layout in ("lean", "wide"):
            folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
            for seed in ("classic", "lean", "wide"):
                script = f"heap dwords=400 guard=0 layout={seed}\nalloc s0 tag=1 bytes=8\n"
                (SCRATCH / "seed.txt").write_text(script)
                must(FUZZ, "asm", SCRATCH / "seed.txt", "-f", "-o", folder / seed)
            before = set(folder.iterdir())
            self.assertEqual(0, self.fuzz(layout, folder).returncode)
            kept = set(folder.iterdir()) - before
            self.assertGreater(len(kept), 2)
            for path in kept:
                shown = subprocess.run([FUZZ, "show", "--bytes", path], text=True,
                                       capture_output=True, check=True).stdout
                self.assertRegex(shown, rf"(?m)^heap .*layout={layout}\b")

    def test_layouts_that_there_are_not(self):
        done = self.fuzz("tall", SCRATCH)
        self.assertEqual(2, done.returncode)
        self.assertIn("LAB_LAYOUT=tall: there is no such layout", done.stderr)
        self.assertEqual(0, self.fuzz(None, pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))).returncode)

    def test_the_scripts_know_the_same(self):
        names = re.search(r"lab_layout_names\[LAB_LAYOUT_COUNT\] = \{(.*?)\}",
                          (TREE / "fuzz" / "script" / "script.c").read_text(), re.DOTALL)[1]
        self.assertEqual(targets.LAYOUTS, tuple(re.findall(r'"(\w+)"', names)))


if __name__ == "__main__":
    unittest.main()
