#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of heaplab's command line: whatever is wrong with the input is said in one line, with exit
status 2 and nothing overwritten. Takes some seconds:

  tests/scripts/test_cli_refusals.py [-v] [NAME...]

HEAPLAB names the program (default: build/debug/heaplab).
"""

import sys

sys.dont_write_bytecode = True

import os
import random
import re
import resource
import unittest

import surroundings

surroundings.make_usual()

from cli_case import BAD_TEXTS, CliTest, SCRIPT, SCRIPT_BYTES
from cli_case import setUpModule  # which unittest calls


class BadArguments(CliTest):
    def test_peers(self):
        """A library that cannot be loaded is a reason, too."""
        (self.folder / "libjemalloc.so.2").write_text("")
        self.write("named", "heap dwords=64 subject=jemalloc\nalloc s0 bytes=8\n")
        env = os.environ | {"LD_LIBRARY_PATH": str(self.folder)}
        for arguments in (["--subject", "jemalloc", "good.txt"], ["named"]):
            words = ["subject jemalloc is not usable", "libjemalloc.so.2"]
            self.assert_refused("run", *arguments, words=words, env=env)

    def test_random(self):
        self.assert_refused("random", "good.txt", words=["unexpected argument 'good.txt'"])
        for option in ("--seconds", "--scripts", "--seed"):
            self.assert_refused("random", option, words=["a value is missing", option])
            for number in ("x", "-1", "1.5", "99999999999999999999"):
                self.assert_refused("random", option, number, words=["no number", f"'{number}'"])
        for number in ("0", "86401"):
            self.assert_refused("random", "--seconds", number,
                                words=[f"no number of seconds from 1 to 86400: '{number}'"])
        self.assert_refused("random", "--scripts", "0",
                            words=["no number of scripts from 1 up: '0'"])
        self.assert_refused("random", "-o", "good.txt", words=["good.txt: exists", "without -f"])
        self.assert_refused("random", "-x", words=["unknown option '-x'"])

    def test_outputs_are_tried_before_the_work(self):
        """An hour of work must not end with a file that cannot be written."""
        (self.folder / "folder").mkdir()
        for arguments in (["random", "--seconds", "3600"], ["explore", "--dwords", "46"],
                          ["minimize", "good.txt"], ["to-c", "good.txt"]):
            for options in ([], ["-f"]):
                for out, *words in (
                    ("no/where", "cannot be written: No such file", "its folder must be there"),
                    ("good.txt/x", "cannot be written: Not a directory"),
                    ("x" * 300, "cannot be written: File name too long"),
                    ("/proc/nothing", "cannot be written"),
                    ("folder", "folder: is no regular file", "choose another name"),
                ):
                    self.assert_refused(*arguments, *options, "-o", out, words=words)
            self.assert_refused(*arguments, "-o", "good.bin", words=["good.bin: exists"])
        self.write("old", "precious")
        self.assertEqual(0, self.call("random", "--seconds", "1", "-f", "-o", "old")[0])
        self.assertEqual(b"precious", self.read("old"))
        self.assertEqual({"old", "good.txt", "good.bin", "folder"}, set(os.listdir(self.folder)))

    def test_subcommands(self):
        self.assert_refused(words=["no subcommand", "heaplab help"])
        for name in ("play", "", "--version", "-x", "run\nrun", "r" * 5000):
            self.assert_refused(name, words=["unknown subcommand", "heaplab help"])
        self.assert_refused("help", "run", words=["unexpected argument 'run'"])

    def test_options(self):
        for name, more in (
            ("run", []), ("show", []), ("asm", ["-o", "made"]), ("draw", []),
        ):
            usage = f"usage: heaplab {name} "
            for option in ("-x", "--guards", "--byte", "-", "--bytes=1"):
                words = [f"unknown option '{option}'", usage]
                self.assert_refused(name, option, *more, "good.txt", words=words)
                self.assert_refused(name, "good.txt", *more, option, words=words)
            self.assert_refused(name, *more, words=["no FILE given", usage])
            self.assert_refused(name, *more, "--", words=["no FILE given", usage])
        self.assert_refused("bench", "-x", words=["unknown option '-x'", "usage: heaplab bench"])
        self.assert_refused("run", "-x\ny", "good.txt", words=["unknown option '-x?y'"])
        self.assert_refused("run", "-" + "x" * 9000, words=["unknown option", "usage: heaplab run"])

    def test_operands(self):
        for name in ("show", "draw"):
            self.assert_refused(name, "good.txt", "good.bin", words=["one FILE", "'good.bin'"])
        self.assert_refused("bench", "good.txt", words=["unexpected argument 'good.txt'"])
        self.assert_refused("subjects", "heap", words=["unexpected argument 'heap'"])
        for name in ("run", "show", "draw"):
            self.assert_refused(name, "", words=["the name of FILE is empty"])

    def test_guard_levels(self):
        for level in ("4", "-1", "x", "00", "3 ", "33"):
            words = [f"no guard level: '{level}'", "0..3"]
            self.assert_refused("run", "--guard", level, "good.txt", words=words)
        self.assert_refused("run", "good.txt", "--guard", words=["a value is missing", "--guard"])

    def test_subjects(self):
        for name in ("pile", "Heap", "heap "):
            words = ["unknown subject", f"'{name}'", "heaplab subjects"]
            self.assert_refused("run", "--subject", name, "good.txt", words=words)
        self.assert_refused("run", "good.txt", "--subject", words=["missing", "--subject"])

    def test_outputs_not_named(self):
        self.assert_refused("asm", "good.txt", words=["no -o OUT given"])
        for name in ("asm", "show"):
            self.assert_refused(name, "good.txt", "-o", words=["a value is missing after '-o'"])
            self.assert_refused(name, "good.txt", "-o", "", words=["a value is missing"])


class BadFiles(CliTest):
    def assert_file_refused(self, path, *words):
        for name, *more in (("run",), ("show",), ("draw",), ("asm", "-o", "made")):
            for form in ([], ["--bytes"], ["--text"]):
                self.assert_refused(name, *more, *form, path, words=[f"{name}: {path}: ", *words])

    def test_unreadable_files(self):
        (self.folder / "folder").mkdir()
        (self.folder / "loop").symlink_to("loop")
        self.write("empty", "")
        self.assert_file_refused("nothing", "No such file or directory")
        self.assert_file_refused("no/where", "No such file or directory")
        self.assert_file_refused("good.txt/x", "Not a directory")
        self.assert_file_refused("loop", "symbolic links")
        self.assert_file_refused("folder", "is a folder, not a script")
        self.assert_file_refused("empty", "is empty, not a script")
        self.assert_file_refused("x" * 300, "File name too long")
        self.assert_file_refused("/proc/self/mem", "cannot be read: Input/output error")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_forbidden_files(self):
        self.write("secret", SCRIPT).chmod(0)
        self.assert_refused("run", "secret", words=["secret: cannot be opened: Permission denied"])

    def test_line_ends_in_names(self):
        self.assert_refused("run", "no\nwhere", words=["no?where: cannot be opened"])

    def test_garbage_as_text(self):
        self.assertGreater(len(BAD_TEXTS), 20)
        for path in BAD_TEXTS:
            err = self.assert_refused("run", "--text", path)
            self.assertRegex(err, rf"^heaplab run: {re.escape(str(path))}:\d+:\d+: [^ ]")
        noise = random.Random(1)
        for _ in range(50):
            self.write("noise", noise.randbytes(noise.randint(1, 100)))
            for name in ("run", "show"):
                err = self.assert_refused(name, "--text", "noise")
                self.assertRegex(err, rf"^heaplab {name}: noise:\d+:\d+: [^ ]")
            self.assertEqual(0, self.call("run", "--bytes", "noise")[0])

    def test_truncated_text(self):
        """Each beginning of a script is one itself, or what is missing is said at its end."""
        passed = 0
        lines = SCRIPT.splitlines(True)
        for size in range(1, len(SCRIPT)):
            head = SCRIPT[:size]
            self.write("head", head)
            status, out, err = self.call("show", "--text", "head")
            if status == 0:
                passed += 1
                self.assertTrue(out.startswith("heap dwords=7"), head)
                self.assertEqual("", err)
            else:
                self.assertEqual((2, "", 1), (status, out, err.count("\n")), head)
                place = re.match(r"heaplab show: head:(\d+):(\d+): [^ ]", err)
                self.assertIsNotNone(place, err)
                last = len(head.splitlines()) + head.endswith("\n")
                self.assertEqual(last, int(place[1]), (head, err))
                self.assertLessEqual(int(place[2]), len(lines[last - 1]))
        self.assertGreater(passed, 10)
        self.assertLess(passed, len(SCRIPT) - 50)

    def test_truncated_bytes(self):
        """What is missing counts as 0 or is no operation, as docs/script.md says."""
        for size in range(1, len(SCRIPT_BYTES)):
            self.write("head", SCRIPT_BYTES[:size])
            status, out, err = self.call("show", "head")
            self.assertEqual((0, ""), (status, err))
            self.assertEqual(1 + max(0, size - 4) // 10, len(out.splitlines()))

    def test_bad_files_among_good_ones(self):
        self.write("bad", "heap dwords=750\nallot s0\n")
        arguments = ["run", "good.txt", "nothing", "bad", "good.bin"]
        status, out, err = self.call(*arguments)
        self.assertEqual((2, "2 scripts passed, 0 failed, 2 could not be read\n"), (status, out))
        first, second = err.splitlines()
        self.assertIn("nothing: cannot be opened", first)
        self.assertIn("bad:2:1: ", second)


class BadOutputs(CliTest):
    def test_outputs_that_exist(self):
        (self.folder / "folder").mkdir()
        (self.folder / "dangling").symlink_to("nothing")
        for name in ("asm", "show"):
            for out in ("good.txt", "good.bin"):
                words = [f"{name}: {out}: exists already", "without -f"]
                self.assert_refused(name, "good.txt", "-o", out, words=words)
            for out in ("folder", "dangling", "/dev/full", "folder/"):
                words = [f"{name}: {out}: ", "choose another name"]
                self.assert_refused(name, "good.txt", "-o", out, words=words)
                self.assert_refused(name, "good.txt", "-f", "-o", out, words=words)

    def test_bad_input_leaves_the_output_alone(self):
        self.write("old", "precious")
        for name in ("asm", "show"):
            for source in ("nothing", BAD_TEXTS[0]):
                for out in ("old", "new"):
                    self.assert_refused(name, "--text", source, "-f", "-o", out)

    def test_folders_that_are_missing(self):
        for out in ("no/where", "no/where/at/all", "no/", "good.txt/x"):
            for options in ([], ["-f"]):
                words = [f"asm: {out}: cannot be written", "its folder must be there"]
                self.assert_refused("asm", "good.txt", *options, "-o", out, words=words)
        self.assert_refused("asm", "good.txt", "-o", "x" * 300, words=["File name too long"])

    def test_disk_that_is_full(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

        self.write("old", "precious")
        for name in ("asm", "show"):
            for options in (["-o", "new"], ["-f", "-o", "old"]):
                self.assert_refused(name, "good.txt", *options, preexec_fn=limit,
                                    words=["cannot be written: File too large"])

    def test_standard_output_that_cannot_be_written(self):
        self.write("long", "heap dwords=750\n" + "copy\n" * 20000)
        for arguments in (
            ["help"], ["subjects"], ["show", "good.txt"], ["show", "long"], ["draw", "good.txt"],
            ["draw", "long"], ["run", "good.txt"], ["run", "-v", "good.txt"],
        ):
            with open("/dev/full", "wb") as full:
                line = self.assert_refused(*arguments, stdout=full)
            self.assertRegex(line, "^heaplab: cannot write to standard output: ")
            line = self.assert_refused(*arguments, preexec_fn=lambda: os.close(1))
            self.assertRegex(line, "standard output: (Bad file descriptor|write error)$")


if __name__ == "__main__":
    unittest.main()
