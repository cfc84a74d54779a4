#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the parts of scripts/fuzz that need no fuzz target."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import types
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from fuzz_lib import duration, findings, job, live, plant, program, signature, stats, targets, worker


class Parts(unittest.TestCase):
    def test_durations(self):
        for text, seconds in (("90", 90), ("60s", 60), ("10m", 600), ("8h", 28800),
                              ("1h30m", 5400), ("1h1m1s", 3661), ("1h5s", 3605)):
            self.assertEqual(seconds, duration.parse(text))
        for seconds, text in ((-1, "0s"), (12, "12s"), (599, "9m59s"), (25500, "7h05m")):
            self.assertEqual(text, duration.show(seconds))

    def test_cores(self):
        three = [targets.describe(name) for name in ("heap", "script", "text")]
        for cores, shares in ((1, (1, 1, 1)), (3, (1, 1, 1)), (8, (6, 1, 1))):
            shared = targets.share_cores(three, cores)
            self.assertEqual(shares, tuple(shared[name] for name in ("heap", "script", "text")))

    def test_forms_of_scripts_are_said_to_the_programs(self):
        heap, classic, text = map(targets.describe, ("heap", "classic", "text"))
        for target, form, words in (
            (heap, targets.BYTES, "build/fuzz/heaplab run --bytes x"),
            (heap, targets.TEXT, "build/fuzz/heaplab run --text x"),
            (heap, (), "build/fuzz/heaplab run x"),
            (classic, targets.BYTES, "build/fuzz/replay_classic x"),
            (classic, targets.TEXT, "build/fuzz/replay_classic --scripts x"),
            (text, targets.BYTES, "build/fuzz/replay_text x"),
            (text, targets.TEXT, "build/fuzz/replay_text x"),
        ):
            self.assertEqual(words.split(), findings.plain_command(target, "x", form))
        subjects = targets.describe("subjects")
        self.assertEqual("build/fuzz/heaplab run --numbered x".split(),
                         findings.plain_command(subjects, "x"))
        self.assertEqual("build/fuzz/heaplab run --text x".split(),
                         findings.plain_command(subjects, "x", targets.TEXT))
        plugin = "--subject build/fuzz/plugin.so"
        self.assertEqual(f"build/fuzz/heaplab run --numbered {plugin} x".split(),
                         findings.plain_command(targets.PLUGIN, "x"))
        commands = findings.replay_commands(heap, "blocks", "x")
        self.assertEqual("heaplab run --bytes", " ".join(commands[0])[11:-2])
        self.assertEqual(["build/fuzz/replay_heap", "x"], commands[1])
        self.assertEqual(1, len(findings.replay_commands(classic, "classic", "x")))

    def test_what_no_subject_does_may_stay_0(self):
        """An operation that has no row for any other subject than the tagged heap."""
        operations = re.findall(r'^LAB_OP\((\w+), "([\w-]+)"',
                                (TREE / "fuzz/script/ops.def").read_text(), re.MULTILINE)
        deeds = set(re.findall(r"^LAB_DEED\(\w+, [\w |()]+, (\w+), ",
                               (TREE / "fuzz/script/deeds.def").read_text(), re.MULTILINE))
        self.assertGreater(len(operations), 10)
        self.assertGreater(len(deeds), 8)
        done_by_the_heap = {name for kind, name in operations if kind not in deeds}
        self.assertLessEqual(done_by_the_heap, set(targets.HEAP_ONLY))

    def test_page_layout(self):
        self.assertEqual(16 + 97 * 32, stats.PAGE_BYTES)

    def test_signatures(self):
        def frames(*names):
            lines = [f"    #{i} 0x{i + 1:x} in {name}" for i, name in enumerate(names)]
            return "\n".join(lines) + "\n\n"

        heap, fault = f"{TREE}/src/heap/chain.c:12:3", f"{TREE}/src/base/fault.c:3:1"
        libc = "abort stdlib/./stdlib/abort.c:79:7"
        player = f"play {TREE}/fuzz/runner/runner.c:9:1"
        for log, kind, text in (
            ("a file: FAILURE property=find detail=owner op=2 kind=find\n", "find",
             "property=find detail=owner"),
            ("FAILURE property=find detail=owner op=12 kind=find\n", "find",
             "property=find detail=owner"),
            ("FAILURE property=fault detail=canary smashed op=3 kind=compact-some\n", "fault",
             "property=fault detail=canary smashed"),
            ("==1==ERROR: AddressSanitizer: SEGV on 0x12\n" + frames(f"merge {heap}", player)
             + "SUMMARY: AddressSanitizer: SEGV x.c:1 in merge\n", "asan-segv",
             "AddressSanitizer: SEGV at merge src/heap/chain.c:12"),
            (f"{heap}: runtime error: index 12 out of bounds\n", "ubsan-index-n-out-of",
             "runtime error: index N out of bounds at src/heap/chain.c:12"),
            ("tagheap: double free: block 24 tag 0x1001\n==1== ERROR: libFuzzer: deadly signal\n"
             + frames(libc, f"th_fault_abort {fault}", f"merge {heap}")
             + "SUMMARY: libFuzzer: deadly signal\n", "fault-double-free",
             "tagheap: double free"),
            ("x.c:1:2: runtime error: signed integer overflow: -2147483648 - -1\n",
             "ubsan-signed-integer-overflow", "runtime error: signed integer overflow: N - N at x.c:1"),
            ("/home/me/my work/mine.c:7:1: runtime error: load of null pointer\n",
             "ubsan-load-of-null-pointer", "runtime error: load of null pointer at mine.c:7"),
            ("==1== ERROR: libFuzzer: deadly signal\n"
             + frames(libc, "ns::f(int, unsigned long) /home/me/my work/mine.cc:7:1", f"merge {heap}")
             + "SUMMARY: libFuzzer: deadly signal\n", "signal", "signal 6 at ns::f"),
            ("==1== ERROR: libFuzzer: timeout after 10 seconds\n"
             + frames(libc, f"merge {heap}", f"th_heap_free {heap}", player)
             + "SUMMARY: libFuzzer: timeout\n", "timeout",
             "timeout at th_heap_free src/heap/chain.c"),
            ("==1== ERROR: libFuzzer: out-of-memory (used: 2049Mb; limit: 2048Mb)\n"
             "SUMMARY: libFuzzer: out-of-memory\n", "oom", "out-of-memory"),
        ):
            failure = signature.classify(log, TREE)
            self.assertEqual((kind, text), tuple(failure))
        self.assertIsNone(signature.classify("#1 INITED cov: 2\n", TREE))
        self.assertEqual("timeout", signature.classify_end("timeout-1234", 72).kind)
        self.assertEqual("signal-9", signature.classify_end(None, -9).kind)

    def test_long_scripts_are_shortened(self):
        lines = [str(number) for number in range(100)]
        short = findings.shorten(lines, 3, 2)
        self.assertEqual(["0", "1", "2", "... 95 more lines ...", "98", "99"], short)
        self.assertEqual(lines[:6], findings.shorten(lines[:6], 3, 2))

    def test_table_columns_line_up(self):
        row = live.Row("heap", 1234.5, None, 10, 20, 30, 1, 4, 61, 75.2, "12345678")
        lines = live.table([row, row._replace(executions_per_second=10.0, since_find=None)])
        self.assertEqual(1, len({line.rfind("  ") for line in lines}), lines)
        self.assertIn("1,234", lines[1])
        self.assertTrue(lines[1].endswith("  1m15s ago  12345678"), lines[1])
        self.assertTrue(lines[2].endswith("  none  12345678"), lines[2])
        self.assertTrue(row.plain().endswith(", left 1m01s, last find 1m15s ago"), row.plain())
        self.assertIn("1 (+4 same)", lines[1])

    def test_paths_outside_the_tree_are_absolute(self):
        self.assertEqual("a/b", program.shown(TREE / "a" / "b", TREE))
        self.assertEqual("/a/b", program.shown(pathlib.Path("/a/b"), TREE))

    def test_back_off_is_for_quick_deaths_of_the_same_kind(self):
        tired = worker.Worker(targets.describe("heap"), 0, TREE, False)
        for lived, kind, wanted in (
            (0.2, "a", 0.0), (0.2, "a", 0.1), (0.2, "a", 0.2), (0.2, "a", 0.4), (0.2, "b", 0.0),
            (0.2, "b", 0.1), (5.0, "b", 0.0),
        ):
            tired.lived = lived
            tired.rest(kind)
            self.assertAlmostEqual(wanted, tired.back_off)
            self.assertAlmostEqual(time.monotonic() + wanted, tired.next_start, delta=0.05)
        tired.lived = 0.2
        for _ in range(20):
            tired.rest("b")
        self.assertEqual(worker.BACK_OFF_MAX, tired.back_off)

    def test_an_input_that_is_late_again_is_kept_no_longer(self):
        """It may be a seed, with which every worker begins."""
        settings = job.Settings(pathlib.Path("/nowhere"), (), 1, 1)
        busy = job.Job(settings, live=types.SimpleNamespace(say=lambda text: None))
        busy.store = types.SimpleNamespace(ends_in_time=lambda *_: True)
        removed = []
        busy.corpora = {"text": types.SimpleNamespace(remove=removed.append)}
        target = targets.describe("text")
        inputs = {name: types.SimpleNamespace(read_bytes=lambda name=name: name)
                  for name in (b"one", b"two")}
        for name, expected in ((b"one", []), (b"two", []), (b"one", [b"one"])):
            self.assertTrue(busy.is_late(target, None, inputs[name]))
            self.assertEqual(expected, removed)
        busy.interrupt = signal.SIGINT
        self.assertFalse(busy.is_late(target, None, inputs[b"one"]))

    def test_worker_that_reports_is_not_interrupted(self):
        settings = job.Settings(TREE, (), 60, 2)
        pressed = job.Job(settings, live=None)
        pressed.interrupt = signal.SIGINT
        sent = []
        quiet, reporting = (
            types.SimpleNamespace(
                running=lambda: True, artifacts=lambda left=left: left,
                signal=lambda number, name=name: sent.append((name, number)),
            )
            for name, left in (("quiet", []), ("reporting", ["timeout-1234"]))
        )
        pressed.workers = [quiet, reporting]
        for waited in (0.0, 0.1, 2.0, 2.1, 10.0, 11.0):
            pressed.press(waited)
        both = ("quiet", "reporting")
        soft, hard, kill = signal.SIGUSR1, signal.SIGINT, signal.SIGKILL
        wanted = [(name, soft) for name in both] + [("quiet", hard)]
        self.assertEqual(wanted + [(name, kill) for name in both], sent)


class Planting(unittest.TestCase):
    MAKEFILE = "build/debug/obj/%.o: %.c\n\techo $< >> log\n\tcp $< $@\n"
    GOALS = ["build/debug/obj/a.o", "build/debug/obj/b.o"]

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="planting-test-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name) / "tree"
        self.copy = self.root / "build" / "some" / "src"
        (self.root / "build/debug/obj").mkdir(parents=True)
        for name, text in (("Makefile", self.MAKEFILE), ("a.c", "a\n"), ("b.c", "b\n")):
            (self.root / name).write_text(text)
        self.assertEqual(["a.c", "b.c"], self.make(self.root))

    def make(self, folder):
        """What was compiled."""
        subprocess.run(["make", "-s", *self.GOALS], cwd=folder, check=True)
        log = folder / "log"
        compiled = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(compiled)

    def restore(self):
        plant.restore(self.root, self.copy, plant.list_files(self.root))

    def test_a_new_copy_has_what_is_built(self):
        """And only what is planted in it is compiled again."""
        then = time.time() - 3600  # copies that were as new as they are made would be newer
        for path in [*self.root.glob("*.c"), *self.root.glob("build/debug/obj/*")]:
            os.utime(path, (then - (path.suffix == ".c"),) * 2)
        self.restore()
        self.assertEqual([], self.make(self.copy))
        (self.copy / "a.c").write_text("a mistake\n")
        self.assertEqual(["a.c"], self.make(self.copy))
        self.restore()
        self.assertEqual("a\n", (self.copy / "a.c").read_text())
        self.assertEqual("a\n", (self.root / "build/debug/obj/a.o").read_text())

    def test_what_is_not_built_for_the_sources_does_not_count(self):
        (self.root / "b.c").write_text("newer\n")
        os.utime(self.root / "build/debug/obj/b.o", (1, 1))
        self.restore()
        self.assertEqual(["b.c"], self.make(self.copy))

    def test_a_copy_that_is_there_keeps_its_own(self):
        self.restore()
        for name in ("a", "b"):
            (self.root / f"build/debug/obj/{name}.o").write_text("other\n")
        self.restore()
        self.assertEqual("a\n", (self.copy / "build/debug/obj/a.o").read_text())
        self.assertFalse((self.copy / ".build").exists())


if __name__ == "__main__":
    unittest.main()
