#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of heaplab's command line: what each subcommand does. test_cli_refusals.py has what is refused.
Takes some seconds:

  tests/scripts/test_cli.py [-v] [NAME...]

HEAPLAB names the program (default: build/debug/heaplab).
"""

import sys

sys.dont_write_bytecode = True

import fcntl
import itertools
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import unittest

import surroundings

surroundings.make_usual()

from cli_case import CliTest, HEAPLAB, HEAP_SEEDS, LOOKS_LIKE_TEXT, SCRIPT, SCRIPT_BYTES, TREE
from cli_case import setUpModule  # which unittest calls

DRAWN = """\
heap dwords=118
alloc s0 tag=0x1001 bytes=80
alloc s2 tag=0x4001 bytes=56
alloc s1 tag=0x1002 bytes=64
free s0
compact
copy
"""
# At 100 columns the labels leave 59 cells: a cell is 2 dwords, and a header (6 dwords) 3 cells.
DRAWING = """\
      (fresh)                            |..........................................................
    0 alloc s0 tag=0x1001 bytes=80       |..aaaaaaaaaa|.............................................
    1 alloc s2 tag=0x4001 bytes=56       |..aaaaaaaaaa|................................|..CCCCCCC...
    2 alloc s1 tag=0x1002 bytes=64       |..aaaaaaaaaa|..bbbbbbbb|.....................|..CCCCCCC...
    3 free s0                            |............|..bbbbbbbb|.....................|..CCCCCCC...
    4 compact veto=0x00                  |..bbbbbbbb|..................................|..CCCCCCC...
    5 copy                               |..bbbbbbbb|..................................|..CCCCCCC...
"""

SUBJECT_DRAWN = """\
heap dwords=400 align=8 guard=1 slots=8 variant=2 subject=bump
alloc s0 bytes=300
alloc s1 bytes=500
free s1
reset
"""
# A cell is 1600 / 59 bytes; the canary after the last block is less than that.
SUBJECT_DRAWING = """\
      (fresh)                            |..........................................................
    0 alloc s0 bytes=300                 aaaaaaaaaaaa...............................................
    1 alloc s1 bytes=500                 aaaaaaaaaaabbbbbbbbbbbbbbbbbbbx............................
    2 free s1                            aaaaaaaaaaaax..............................................
    3 reset                              |..........................................................
in the end: live blocks 0, bytes asked for 0, of the backing 1600; by its own count 0 in use, at most 810
"""


def read_all(descriptor):
    """What was written to the other side of a terminal."""
    data = b""
    try:
        while piece := os.read(descriptor, 65536):
            data += piece
    except OSError:
        pass  # how a closed terminal ends
    os.close(descriptor)
    return data.decode()


class GoodUse(CliTest):
    def test_help(self):
        for arguments in (["help"], ["--help"], ["-h"]):
            status, out, err = self.call(*arguments)
            self.assertEqual((0, ""), (status, err))
            for name in ("run", "show", "asm", "draw", "bench", "subjects", "help"):
                self.assertRegex(out, rf"(?m)^  heaplab {name}( |$)")
            self.assertNotRegex(out, r"(?m) $", "no space at the end of a line")

    def pages(self):
        """What each subcommand's --help prints."""
        names = re.findall(r"(?m)^  heaplab ([a-z-]+)", self.call("help")[1])
        self.assertGreater(len(names), 14)
        names.remove("help")
        for name in names:
            status, out, err = self.call(name, "--help")
            self.assertEqual((0, "", out), (status, err, self.call(name, "-h")[1]))
            yield name, out

    def test_help_of_a_subcommand(self):
        for name, page in self.pages():
            usage = page.splitlines()[0]
            self.assertRegex(usage, rf"^usage: heaplab {name}( |$)")
            self.assertIn(usage.removeprefix("usage:"), self.call("help")[1])
            for word in re.findall(r"(?<![\w-])(--?[a-z][a-z-]*|FORM|FILE|SEED|EPOCH)", usage):
                lines = re.findall(rf"(?m)^  {word}\b.*", page)
                self.assertEqual(1, len(lines), (name, word))
            self.assertRegex(page, r"(?m)^exit status: 0 .*; 2 (.*, or )?bad input")
            self.assertNotRegex(page, r"(?m) $", "no space at the end of a line")

    def test_synopses_of_the_documents(self):
        """They are the usage lines."""
        usages = {name: page.splitlines()[0].removeprefix("usage: ") for name, page in self.pages()}
        found = [line.strip() for path in [*(TREE / "docs").glob("*.md"), TREE / "README.md"]
                 for line in re.findall(r"(?m)^    heaplab [a-z-]+ .*\[.*$", path.read_text())]
        self.assertIn("minimize", [line.split()[1] for line in found])
        for line in found:
            self.assertEqual(usages[line.split()[1]], line)

    def test_what_help_says_of_the_subject(self):
        """Not all play it: show and asm write its name only."""
        for name, page in self.pages():
            if "--subject" in page:
                self.assertEqual(name not in ("show", "asm"), "play" in re.search(
                    r"(?m)^  --subject .*", page)[0], name)
        self.assert_output("heap dwords=8 align=4 guard=3 slots=16 start=0 variant=0 subject=malloc\n",
                           "show", "--subject", "malloc", self.write("x", "heap dwords=8\n"))

    def test_examples_of_help(self):
        """They work as they stand, in the tree; what needs a failing script, or a build that counts,
        misses just that. (That of attack takes too long here; `make attack` does more.)"""
        for name in ("corpus", "fuzz"):
            (self.folder / name).symlink_to(TREE / name)
        for name, page in self.pages():
            example = re.search(r"(?m)^example: heaplab (.*)$", page)[1].split()
            self.assertEqual(name, example[0])
            if name == "attack":
                continue
            status, _, err = self.call(*example)
            if "found.txt" in example:
                self.assertEqual((2, True), (status, "found.txt: cannot be opened" in err), err)
            elif name == "worst":
                self.assertEqual((2, True), (status, "use build/worst/heaplab" in err), err)
            else:
                self.assertEqual((0, ""), (status, err), example)

    def test_subjects(self):
        status, out, err = self.call("subjects")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(out, "^heap +the tagged heap")

    def test_random(self):
        for more in ([], ["--subject", "arena"], ["--keep-going"]):
            status, out, err = self.call("random", "--seed", "7", "--seconds", "1", *more)
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(out, r"^\d+ scripts with seed 7, \d+ operations: passed\n$")

    def test_random_ends_after_so_many_scripts(self):
        for number in ("1", "3", "40"):
            start = time.monotonic()
            status, out, err = self.call("random", "--seed", "7", "--seconds", "600", "--scripts",
                                         number)
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(out, rf"^{number} scripts with seed 7, \d+ operations: passed\n$")
            self.assertLess(time.monotonic() - start, 60)

    def test_run(self):
        self.assert_output("1 script passed, 0 failed\n", "run", "good.txt")
        self.assert_output("2 scripts passed, 0 failed\n", "run", "good.bin", "good.txt")
        line = "good.txt: passed, 2 operations, 2 acted, 0 moves\n"
        end = "1 script passed, 0 failed\n"
        for arguments in (["-v", "good.txt"], ["good.txt", "-v"], ["-v", "--", "good.txt"]):
            self.assert_output(line + end, "run", *arguments)
        for level in "0123":
            self.assert_output(end, "run", "--guard", level, "--subject", "heap", "good.txt")

    def test_run_counts_moves_and_skipped_operations(self):
        script = "heap dwords=750\nalloc s0 tag=1 bytes=8\nalloc s1 tag=2 bytes=8\n"
        self.write("moves", script + "free s0\nfree s0\ncompact\n")
        wanted = "moves: passed, 5 operations, 4 acted, 1 moves\n1 script passed, 0 failed\n"
        self.assert_output(wanted, "run", "-v", "moves")

    def test_names_that_look_like_options(self):
        self.write("-v", SCRIPT)
        line = "-v: passed, 2 operations, 2 acted, 0 moves\n1 script passed, 0 failed\n"
        self.assert_output(line, "run", "-v", "--", "-v")
        self.assert_output("".join(SCRIPT.splitlines(True)[1:]), "show", "--", "-v")

    def test_show_and_asm(self):
        text = "".join(SCRIPT.splitlines(True)[1:])
        self.assert_output(text, "show", "good.txt")
        self.assert_output(text, "show", "good.bin")
        self.assert_output("", "asm", "good.txt", "-o", "made.bin")
        self.assertEqual(SCRIPT_BYTES, self.read("made.bin"))
        self.assert_output("", "asm", "-o", "again.bin", "made.bin")
        self.assertEqual(SCRIPT_BYTES, self.read("again.bin"))
        self.assert_output("", "show", "made.bin", "-o", "made.txt")
        self.assertEqual(text.encode(), self.read("made.txt"))
        left = {"good.txt", "good.bin", "made.bin", "again.bin", "made.txt"}
        self.assertEqual(left, set(os.listdir(self.folder)), "no temporary files")

    def test_overwriting_when_asked_to(self):
        self.write("old", "precious")
        self.assert_output("", "asm", "good.txt", "-o", "old", "-f")
        self.assertEqual(SCRIPT_BYTES, self.read("old"))
        self.assert_output("", "show", "-f", "old", "-o", "old")
        self.assertEqual("".join(SCRIPT.splitlines(True)[1:]).encode(), self.read("old"))

    def test_round_trips_of_the_corpus(self):
        self.assertGreater(len(HEAP_SEEDS), 50)
        for seed in HEAP_SEEDS:
            status, text, err = self.call("show", "--text", seed)
            self.assertEqual((0, ""), (status, err), seed)
            self.write("text", text)
            self.assert_output("", "asm", seed, "-o", "one", "-f")
            self.assert_output("", "asm", "text", "-o", "two", "-f")
            self.assertEqual(self.read("one"), self.read("two"), seed)
            self.assert_output(text, "show", "one")
            self.assert_output(text, "show", "--bytes", "two")

    def test_standard_streams_that_are_closed_do_not_end_up_in_the_output(self):
        def close_all():
            for descriptor in (0, 1, 2):
                os.close(descriptor)

        self.assertEqual(0, self.call("asm", "good.txt", "-o", "made", preexec_fn=close_all)[0])
        self.assertEqual(SCRIPT_BYTES, self.read("made"))
        status = self.call("asm", "nothing", "-o", "other", preexec_fn=close_all)[0]
        self.assertEqual((2, False), (status, (self.folder / "other").exists()))


class Forms(CliTest):
    def setUp(self):
        super().setUp()
        self.write("raw", LOOKS_LIKE_TEXT)

    def test_bytes_that_look_like_text(self):
        for arguments in (["run"], ["show"], ["draw"], ["asm", "-o", "made"]):
            self.assert_refused(*arguments, "raw", words=["raw:2:1: expected the heap line"])
            status, _, err = self.call(*arguments, "--bytes", "raw")
            self.assertEqual((0, ""), (status, err), arguments)
        status, text, _ = self.call("show", "raw", "--bytes")
        self.assertRegex(text, r"^heap dwords=\d+ .*\n(.+\n){2}$")  # 29 bytes: 2 records
        self.assert_output(text, "show", "made")

    def test_text_read_as_bytes(self):
        status, _, err = self.call("run", "--bytes", "good.txt")
        self.assertEqual((0, ""), (status, err))
        self.assertNotEqual(self.call("show", "good.txt"), self.call("show", "--bytes", "good.txt"))

    def test_bytes_read_as_text(self):
        for arguments in (["run"], ["show"], ["draw"], ["asm", "-o", "made"]):
            self.assert_refused(*arguments, "--text", "good.bin", words=["good.bin:1:1: "])

    def test_two_forms_contradict_each_other(self):
        forms = ("--bytes", "--text", "--numbered")
        for one, other in itertools.permutations(forms, 2):
            words = ["one form only", f"'{other}'", "usage: heaplab run "]
            self.assert_refused("run", one, "good.bin", other, words=words)
        arguments = ["asm", "--bytes", "--text", "good.txt", "-o", "made"]
        self.assert_refused(*arguments, words=["'--text'"])
        self.assert_output("1 script passed, 0 failed\n", "run", "--bytes", "--bytes", "good.bin")


class Draw(CliTest):
    def setUp(self):
        super().setUp()
        self.write("drawn", DRAWN)

    def test_drawing(self):
        self.maxDiff = None
        self.assert_output(DRAWING, "draw", "drawn")

    def test_colour(self):
        status, out, err = self.call("draw", "--colour", "drawn")
        self.assertEqual((0, ""), (status, err))
        self.assertIn("\033[32maa", out)
        self.assertIn("\033[36mCC", out)
        self.assertEqual(DRAWING, re.sub("\033\\[[0-9]*m", "", out))

    def test_width(self):
        for columns, width in (("60", 61), ("1", 61), ("141", 141), ("99999999999999999999", 441),
                               ("", 110), ("wide", 110), ("-5", 110)):
            _, out, _ = self.call("draw", "drawn", env={"COLUMNS": columns})
            self.assertEqual({width}, {len(line) for line in out.splitlines()}, columns)

    def test_width_of_the_terminal(self):
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
        status, _, err = self.call("draw", "drawn", stdout=side, env={"COLUMNS": ""})
        os.close(side)
        lines = read_all(main).replace("\r\n", "\n").splitlines()
        self.assertEqual((0, ""), (status, err))
        self.assertEqual({90}, {len(line) for line in lines})

    def test_subject(self):
        self.write("bumped", SUBJECT_DRAWN)
        self.assert_output(SUBJECT_DRAWING, "draw", "bumped")
        self.write("unguarded", SUBJECT_DRAWN.replace("guard=1", "guard=0"))
        self.assert_output(SUBJECT_DRAWING.replace("bx.", "b..").replace("ax.", "a.."), "draw", "unguarded")

    def test_every_subject(self):
        """A line for each operation, as wide as the others, wherever the memory is."""
        for path in sorted((TREE / "corpus" / "subjects" / "seed").glob("*.txt")):
            status, out, err = self.call("draw", path)
            self.assertEqual((0, ""), (status, err), path)
            lines = out.splitlines()
            text = self.call("show", path)[1]
            self.assertEqual(text.count("\n") + 1, len(lines), path)  # the heap line: (fresh)
            self.assertEqual({100}, {len(line) for line in lines[:-1]}, path)
            self.assertTrue(all(re.fullmatch(r"[a-z.|_x]+", line[41:]) for line in lines[:-1]))
            self.assertTrue(any(re.search("[a-w]", line[41:]) for line in lines[:-1]), path)
            self.assertRegex(lines[-1], r"^in the end: live blocks \d+, bytes asked for \d+")

    def test_subject_that_cannot_be_made(self):
        self.write("tiny", "heap dwords=1 variant=15 subject=pool\nalloc s0 bytes=1\n")
        line = "      (the subject cannot be made from this, so there is nothing to draw)\n"
        self.assert_output(line, "draw", "tiny")

    def test_region_that_is_refused(self):
        self.write("small", "heap dwords=3\ncopy\n")
        line = "      (the heap refuses this region, so there is nothing to draw)\n"
        self.assert_output(line, "draw", "small")


class Bench(CliTest):
    REPORT = re.compile(
        r"guard level of this build: \d\n"
        r"blocks on average: \d+\.\d live, \d+\.\d free\n"
        r"region of   750 dwords: (\d+) checked operations/s on one core\n"
        r"region of 75000 dwords: (\d+) checked operations/s on one core\n"
        r"cost per operation, large region / small region: (\d+\.\d{3})\n"
    )

    def test_demands_that_are_met(self):
        main, side = pty.openpty()
        arguments = ["bench", "--min-rate", "1", "--max-ratio", "1000.0", "--rounds", "3"]
        status, out, _ = self.call(*arguments, stderr=side, env={"TERM": "xterm"})
        os.close(side)
        self.assertEqual(0, status)
        self.assertRegex(out, self.REPORT)
        small, large, ratio = map(float, self.REPORT.fullmatch(out).groups())
        self.assertGreater(small, 1000)
        self.assertAlmostEqual(small / large, ratio, delta=0.002)
        progress = read_all(main)
        self.assertEqual(progress, "\rround 1 of 3\rround 2 of 3\rround 3 of 3\r\x1b[K")

    def test_demands_that_are_missed(self):
        arguments = ["bench", "--rounds", "1", "--min-rate", "1000000000000", "--max-ratio", ".001"]
        status, out, err = self.call(*arguments)
        self.assertEqual(1, status)
        self.assertRegex(out, self.REPORT)
        self.assertRegex(
            err,
            r"^heaplab bench: missed: --min-rate 1000000000000 \(measured \d+ checked "
            r"operations/s\); --max-ratio \.001 \(measured \d+\.\d{3}\)\n$",
        )
        status, _, err = self.call("bench", "--max-ratio", "0.001", "--rounds", "1")
        self.assertEqual(1, status)
        self.assertRegex(err, r"^heaplab bench: missed: --max-ratio 0\.001 \(measured [0-9.]+\)\n$")

    def test_all_blocks_after_each_operation(self):
        status, out, _ = self.call("bench", "--all", "--rounds", "1")
        self.assertEqual(0, status)
        self.assertRegex(out, self.REPORT)

    def test_other_ways_and_guard_levels(self):
        for arguments in (["--every-check"], ["--guard", "0"], ["--guard", "3", "--every-check"]):
            status, out, _ = self.call("bench", "--rounds", "1", *arguments)
            self.assertEqual(0, status)
            self.assertRegex(out, self.REPORT)

    def test_guard_levels_that_are_none(self):
        for value in ("4", "-1", "00", "x", "/", ":"):
            self.assert_refused("bench", "--guard", value,
                                words=["no guard level from 0 to 3:", value])
        self.assert_refused("bench", "--guard", words=["a value is missing", "--guard"])

    def test_rounds_that_are_none(self):
        for value in ("0", "1001", "-1", "1.0", "x", "1x", " 1", "9" * 400):
            self.assert_refused("bench", "--rounds", value,
                                words=["no number of rounds from 1 to 1000:", value[:100]])
        for arguments in (["--rounds"], ["--rounds", ""]):
            self.assert_refused("bench", *arguments, words=["a value is missing", "--rounds"])

    def test_demands_that_are_none(self):
        for option in ("--min-rate", "--max-ratio"):
            for value in ("0", "0.0", "-1", "1e6", "1,000", " 1", "nan", "inf", "0x1", ".", "1.2.3",
                          "9" * 400):
                self.assert_refused("bench", option, value, words=["no positive", value[:100]])
            for arguments in ([option], [option, ""]):
                self.assert_refused("bench", *arguments, words=["a value is missing", option])


class Sweep(CliTest):
    def test_every_chance_is_tried(self):
        # 2 allocations: n = 1, 2, 3, once and for ever; the other kinds have no chance.
        self.assert_output(
            "good.txt: passed, 12 runs: 2 allocations, 0 requests, 0 moves\n"
            "1 scripts swept, 0 failed, 0 out of time, 0 could not be read; 12 runs\n",
            "sweep", "-v", "good.txt",
        )

    def test_one_plan(self):
        for plan in ("alloc:1", "more:7", "move:2+", "own:1"):
            status, out, err = self.call("sweep", "--only", plan, "--guard", "0", "good.txt")
            self.assertEqual((0, ""), (status, err), plan)
            self.assertIn("1 scripts swept, 0 failed", out)

    def test_time_is_shared(self):
        seeds = [str(path) for path in HEAP_SEEDS]
        status, out, err = self.call("sweep", "--seconds", "1", *seeds)
        self.assertEqual((0, ""), (status, err))
        counts = [int(number) for number in re.findall(r"\d+", out)]
        self.assertEqual(len(seeds), counts[0] + counts[2], out)
        self.assertGreater(counts[2], 0, out)

    def test_progress_in_a_log(self):
        long = TREE / "corpus" / "heap" / "seed" / "recorded-python-running.txt"
        status, out, err = self.call("sweep", "--seconds", "7", long)
        self.assertEqual((0, True), (status, "1 out of time" in out), out)
        self.assertRegex(err, rf"^(sweep: file 1 of 1: {re.escape(str(long))}: \d+ runs\n)+$")

    def test_bad_arguments(self):
        for plan in ("alloc", "alloc:", "alloc:0", "alloc:-1", "alloc:1++", "free:1", "1", "x"):
            self.assert_refused("sweep", "--only", plan, "good.txt", words=["plan", plan])
        for time in ("0", "-1", "x", "1s", "99999999999999999999"):
            self.assert_refused("sweep", "--seconds", time, "good.txt", words=["time", time])
        self.assert_refused("sweep", words=["no FILE"])
        self.assert_refused("sweep", "--nothing", "good.txt", words=["--nothing"])
        self.assert_refused("attack", "good.txt", words=["good.txt"])
        self.assert_refused("attack", "--slow", words=["--slow"])


class Random(CliTest):
    PROGRESS = r"random: \d+ s of 60: \d+ scripts, \d+ operations, 0 different failures"

    def start(self, **options):
        return subprocess.Popen([HEAPLAB, "random", "--seed", "7", "--seconds", "60"],
                                cwd=self.folder, stdin=subprocess.DEVNULL, text=True, **options)

    def test_interrupts_end_it_with_the_summary(self):
        """They are sent when it has said how far it is, as a plain line in a log."""
        for number, name in ((signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"),
                             (signal.SIGHUP, "SIGHUP")):
            playing = self.start(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(playing.kill)
            self.assertTrue(select.select([playing.stderr], [], [], 20)[0], "no progress")
            first = playing.stderr.readline()
            playing.send_signal(number)
            out, err = playing.communicate(timeout=20)
            self.assertRegex(first + err, f"^({self.PROGRESS}\n)+$")
            self.assertRegex(out, r"^\d+ scripts with seed 7, [1-9]\d* operations: passed, ended "
                             rf"by {name}\n$")
            self.assertEqual(128 + number, playing.returncode)

    def test_a_terminal_gets_one_line_that_is_drawn_again(self):
        main, side = pty.openpty()
        playing = self.start(stdout=subprocess.PIPE, stderr=side, env=os.environ | {"TERM": "xterm"})
        self.addCleanup(playing.kill)
        os.close(side)
        self.assertTrue(select.select([main], [], [], 20)[0], "no progress")
        playing.send_signal(signal.SIGINT)
        out, _ = playing.communicate(timeout=20)
        self.assertIn("ended by Ctrl-C", out)
        self.assertRegex(read_all(main), rf"^(\r\x1b\[K{self.PROGRESS})+\r\x1b\[K$")

    def test_who_ignores_interrupts_goes_on(self):
        """As nohup and a shell's background jobs have it."""
        playing = self.start(stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.addCleanup(playing.kill)
        self.assertTrue(select.select([playing.stderr], [], [], 20)[0], "no progress")
        playing.send_signal(signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            playing.wait(timeout=1)
        playing.send_signal(signal.SIGTERM)
        self.assertIn("ended by SIGTERM", playing.communicate(timeout=20)[0])


class Subjects(CliTest):
    TEXT = "heap dwords=2000 subject=tagged\nzeroed s0 bytes=100\nfree s0\n"

    def test_the_script_says_which(self):
        self.write("tagged", self.TEXT)
        self.assert_output("1 script passed, 0 failed\n", "run", "tagged")
        status, out, _ = self.call("show", "tagged")
        self.assertEqual((0, True), (status, " subject=tagged\n" in out))
        self.assert_output("", "asm", "tagged", "-o", "made")
        self.assertEqual(1 + 4 + 2 * 10, len(self.read("made")))
        self.assert_output(out, "show", "--numbered", "made")

    def test_the_option_counts_more(self):
        self.write("tagged", self.TEXT)
        for name in ("malloc", "heap"):
            self.assert_output("1 script passed, 0 failed\n", "run", "--subject", name, "tagged")
        _, out, _ = self.call("show", "--subject", "malloc", "tagged")
        self.assertIn(" subject=malloc\n", out)

    def test_large_alignments_are_met_or_not_wherever_it_runs(self):
        """Addresses differ from run to run; what is refused must not."""
        self.write("aligned", "heap dwords=131000 align=16 guard=2 slots=8\n" + "".join(
            f"aligned s{i} tag=0x0000 bytes=11 align=1048576\n" for i in range(5)))
        runs = {self.call("diff", "--with", "arena-reset,tagged", "aligned") for _ in range(8)}
        self.assertEqual(1, len(runs), runs)

    def test_subjects_that_cannot_be_made(self):
        """That is no pass; nor, among others, a failure."""
        refused = "heap dwords=1 variant=15 subject=pool\nalloc s0 bytes=1\n"
        self.write("refused", refused)
        self.write("again", refused + "init\ninit\n")
        self.write("tagged", self.TEXT)
        self.write("idle", "heap dwords=2000 subject=tagged\nfree s0\n")
        words = ["run: nothing was tested: create refused the subject of 1 script"]
        for name in ("refused", "again"):
            self.assert_refused("run", name, words=words)
            self.assert_output(
                "2 scripts passed, 0 failed, 1 tested nothing: the subject could not be made\n",
                "run", "tagged", name, "idle")
        self.assert_refused("run", "refused", "again", words=["of 2 scripts"])
        line = "refused: nothing tested, the subject could not be made\n"
        self.assert_refused("run", "-v", "refused", words=words, out=line)
        self.write("small", "heap dwords=3\ncopy\n")
        self.assert_output("2 scripts passed, 0 failed\n", "run", "small", "idle")
        self.assert_refused("diff", "--with", "pool,pool", "refused",
                            words=["refused: nothing was tested", "create refused each subject"])
        self.assertEqual(0, self.call("diff", "--with", "pool,malloc", "refused")[0])
        self.assertEqual(0, self.call("diff", "--with", "tagged,malloc", "idle")[0])

    def test_unknown_names(self):
        self.write("other", self.TEXT.replace("tagged", "pile"))
        self.assert_refused("run", "other", words=["other:1:18:", "subject=", "pile"])

    def test_heap_only(self):
        self.write("tagged", self.TEXT)
        self.assert_refused("run", "--bare", "tagged", words=["for another subject"])

    def test_to_c_takes_every_subject(self):
        self.write("tagged", self.TEXT)
        self.assert_refused("to-c", "tagged", words=["tagged: does not fail in this build"])

    def test_plugins(self):
        shutil.copy(TREE / "examples" / "my_subject.c", self.folder / "mine.c")
        (self.folder / "none.c").write_text("int nothing;\n")
        for name in ("mine", "none"):
            subprocess.run(["gcc", "-shared", "-fPIC", f"-I{TREE}/include", f"-I{TREE}/fuzz",
                            f"{name}.c", "-o", f"{name}.so"], cwd=self.folder, check=True)
        self.write("large", SCRIPT.replace("dwords=750", "dwords=4000"))
        self.assert_output("1 script passed, 0 failed\n", "run", "--subject", "./mine.so", "large")
        self.assert_refused("run", "--subject", "./mine.so", "good.txt", words=["nothing was tested"])
        self.assert_refused("run", "--subject", "./none.so", "good.txt",
                            words=["none.so: is no subject", "lab_subject_export"])
        status, text, _ = self.call("show", "--subject", "./mine.so", "large")
        self.assertEqual((0, True), (status, " subject=plugin\n" in text))
        self.write("plugged", text)
        self.assert_refused("run", "plugged", words=["plugin is not named: --subject ./PATH.so"])
        self.assert_output("1 script passed, 0 failed\n", "run", "--subject", "./mine.so", "plugged")
        (row,) = re.findall(r"(?m)^\| `subject` \|.*", (TREE / "docs" / "script.md").read_text())
        self.assertIn("`plugin`", row)
        self.assert_refused("run", "--subject", "./absent.so", "good.txt", words=["absent.so"])

    def test_diff(self):
        self.write("tagged", self.TEXT)
        for subjects in ("malloc,tagged", "tagged,malloc,tagged"):
            status, out, err = self.call("diff", "--with", subjects, "tagged")
            self.assertEqual((0, ""), (status, err))
            self.assertIn("no difference", out)
        recorded = str(TREE / "corpus/heap/seed/recorded-lua-start.txt")
        status, out, err = self.call("diff", "--with", "malloc,buddy,fit,tagged", recorded)
        self.assertEqual((0, ""), (status, err))
        self.assertIn("no difference: malloc (0 refusals of its own), buddy (", out)
        for subjects in ("malloc", "malloc,", "malloc,heap", "malloc,pile", ",malloc"):
            self.assert_refused("diff", "--with", subjects, "tagged")
        for subjects in ("malloc,buddy,", "malloc,,buddy", ",malloc,buddy", ",".join(["malloc"] * 17)):
            self.assert_refused("diff", "--with", subjects, "tagged",
                                words=[f"no list of 2 to 16 subjects: '{subjects}'"])
        sides = ",".join(["malloc"] * 16)
        self.assertEqual(0, self.call("diff", "--with", sides, "tagged")[0])
        self.assert_refused("diff", "tagged", words=["no --with"])

    def test_peers(self):
        """Where they are installed, they play; where not, that is said."""
        self.write("script", "heap dwords=64 subject=heap\nalloc s0 tag=0 bytes=8\n")
        listed = self.call("subjects")[1]
        for name, package in (("mimalloc", "libmimalloc2.0"), ("jemalloc", "libjemalloc2")):
            if f"(not installed (package {package}))" in listed:
                self.assert_refused("run", "--subject", name, "script", words=[name, package])
            else:
                self.assert_output("1 script passed, 0 failed\n", "run", "--subject", name, "script")


if __name__ == "__main__":
    unittest.main()
