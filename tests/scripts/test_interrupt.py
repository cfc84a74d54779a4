#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what heaplab says and keeps of long work that Ctrl-C, SIGTERM or SIGHUP ends. Takes ten
seconds. (test_cli.py has those of random; diff and run say which operation was being played:
test_plugin.py.)

  tests/scripts/test_interrupt.py [-v] [NAME...]

HEAPLAB names the program (default: build/debug/heaplab).
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
HEAPLAB = pathlib.Path(os.environ.get("HEAPLAB", TREE / "build" / "debug" / "heaplab")).resolve()
EXAMPLE = TREE / "examples" / "my_subject.c"
SEEDS = sorted((TREE / "corpus" / "heap" / "seed").glob("recorded-*.txt"))
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
SECONDS_MAX = 60
APART_SECONDS = 0.7  # two signals that are two requests

# Its alloc is slow, and wrong for one size.
SLOW = """    cells *c = self;
    usleep({pause_us});
    if (bytes == 7) {{
        return c->memory + 1;
    }}
"""
FAILS = "result detail="
PAIRS = 40
LONG = ("heap dwords=4000 subject=plugin\n" +
        "zeroed s0 bytes=4\nfree s0\n" * PAIRS + "zeroed s1 bytes=7\n")


class InterruptTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def build(self, pause_us):
        """A plug-in, and a script that fails on it."""
        start = "    cells *c = self;\n"
        source = self.folder / "slow.c"
        source.write_text("#include <unistd.h>\n" + EXAMPLE.read_text().replace(
            start, SLOW.format(pause_us=pause_us), 1))
        subprocess.run(["gcc", "-std=gnu11", "-shared", "-fPIC", f"-I{TREE}/include",
                        f"-I{TREE}/fuzz", source, "-o", self.folder / "slow.so"], check=True)
        (self.folder / "long.txt").write_text(LONG)

    def start(self, *command, **options):
        """On a terminal, where progress is shown at once."""
        self.terminal, side = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        process = subprocess.Popen(
            [HEAPLAB, *command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=side, text=True, env=os.environ | {"TERM": "xterm"}, **options)
        os.close(side)
        self.addCleanup(process.kill)
        return process

    def await_progress(self, pattern):
        """Until the line on the terminal says that."""
        end = time.monotonic() + SECONDS_MAX
        shown = ""
        while re.search(pattern, shown) is None:
            ready = select.select([self.terminal], [], [], end - time.monotonic())[0]
            self.assertTrue(ready, f"no {pattern} in {shown[-200:]}")
            shown += os.read(self.terminal, 4096).decode()

    def end(self, process, number):
        """Its standard output, and all that is left on the terminal's line."""
        process.send_signal(number)
        out, _ = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(128 + number, process.returncode, out)
        return out

    def minimize(self, **options):
        return self.start("minimize", "--subject", "./slow.so", "long.txt", "-f", "-o",
                          "small.txt", **options)

    def run_small(self):
        return subprocess.run([HEAPLAB, "run", "--subject", "./slow.so", "small.txt"],
                              cwd=self.folder, capture_output=True, text=True, check=False)


class Minimize(InterruptTest):
    def test_the_best_so_far_is_written(self):
        self.build(pause_us=3000)
        for number, name in NAMES.items():
            (self.folder / "small.txt").unlink(missing_ok=True)
            process = self.minimize()
            self.await_progress(r"round 1, .*: [1-4]\d operations")
            out = self.end(process, number)
            found = re.match(r"minimize: 81 -> (\d+) operations, \d+ runs, [\d.]+ s, ended by "
                             rf"{name}\n  it fails: property={FAILS}", out)
            self.assertIsNotNone(found, out)
            self.assertIn("  written to small.txt\n", out)
            small = (self.folder / "small.txt").read_text()
            self.assertEqual(int(found[1]), small.count("\n") - 1, small)
            self.assertLess(int(found[1]), 81)
            done = self.run_small()
            self.assertEqual(1, done.returncode, done)
            self.assertIn(FAILS, done.stdout)

    def test_nothing_is_written_before_it_is_known_how_it_fails(self):
        self.build(pause_us=40000)
        process = self.minimize()
        self.await_progress("round 0, reproducing")
        self.assertEqual("", self.end(process, signal.SIGTERM))
        self.assertEqual(["long.txt", "slow.c", "slow.so"],
                         sorted(path.name for path in self.folder.iterdir()))
        self.await_progress("heaplab minimize: long.txt: not minimized, ended by SIGTERM before it "
                            "was known how it fails")

    def test_a_second_request_ends_it_at_once(self):
        self.build(pause_us=100000)
        process = self.minimize()
        self.await_progress("round 0, reproducing")
        time.sleep(APART_SECONDS)  # the script is being played
        process.send_signal(signal.SIGINT)
        time.sleep(APART_SECONDS)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(-signal.SIGTERM, process.returncode)

    def test_timeout_asks_once(self):
        """timeout(1) signals the program, and then its process group, where the program is again;
        so does Ctrl-C for a program that a script has started."""
        self.build(pause_us=3000)
        process = self.minimize(start_new_session=True)
        self.await_progress("round 1, ")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(128 + signal.SIGTERM, process.returncode)
        self.assertIn("ended by SIGTERM", out)

    def test_what_is_ignored_stays_ignored(self):
        self.build(pause_us=500)
        process = self.minimize(
            preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in NAMES])
        self.await_progress("round [01], ")
        for number in NAMES:
            process.send_signal(number)
        out, _ = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(0, process.returncode, out)
        self.assertRegex(out, r"^minimize: 81 -> \d operations, \d+ runs, [\d.]+ s\n")


class Summaries(InterruptTest):
    def test_explore(self):
        for number, name in NAMES.items():
            process = self.start("explore")
            self.await_progress(r"s: depth \d+, [1-9]\d* states")
            out = self.end(process, number)
            self.assertRegex(out, r"\nstates +[1-9]\d*\ntransitions [1-9]\d*\ndepth(.*\n)+"
                             rf"not complete, ended by {name}: [1-9]\d* states were not "
                             "expanded\n$")
        self.assertEqual([], list(self.folder.iterdir()))

    def test_sweep(self):
        """Files that were not begun are not counted, nor read."""
        self.assertTrue(SEEDS)
        for number, name in NAMES.items():
            process = self.start("sweep", "-v", *SEEDS, *SEEDS, "none.txt")
            self.await_progress(r"sweep: file 1 of \d+: .*: [1-9]\d* runs")
            out = self.end(process, number)
            self.assertRegex(out, r"^.*: interrupted, \d+ runs: .*\n0 scripts swept, 0 failed, 1 "
                             rf"not to the end, 0 could not be read; \d+ runs, ended by {name}\n$")


if __name__ == "__main__":
    unittest.main()
