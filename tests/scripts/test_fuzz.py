#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/fuzz, on a small tree of its own whose fuzz targets (standin.c) have known
bugs. Needs clang. Takes less than a minute:

  tests/scripts/test_fuzz.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import time
import types
import unittest

import surroundings

surroundings.make_usual()

from standin_tree import ENGINES, FLAGS, HERE, SCRIPT, TARGETS, TreeTest
from standin_tree import setUpModule, tearDownModule  # which unittest calls

from fuzz_lib import canary, corpus, findings, signature, targets


class CleanRuns(TreeTest):
    def test_clean_run_says_what_it_did_and_is_resumed(self):
        status, out, err = self.run_script("--time", "2", "--no-merge")
        self.assertEqual((0, ""), (status, err), out)
        for name in TARGETS:
            self.assertEqual(2, out.count(f"\n{name}: exec/s "), "a line at start and end")
        self.assertNotIn("\x1b", out)
        summary = self.summary()
        self.assertEqual(("clean", 0), (summary["result"], summary["exit_status"]))
        for name in TARGETS:
            target = summary["targets"][name]
            self.assertGreater(target["executions"], 1000)
            self.assertGreater(target["coverage"], 0)
            files = list((self.build / "fuzz-corpus" / name).iterdir())
            self.assertEqual(target["corpus_files"], len(files))
            self.assertGreater(len(files), 0)
        heap = summary["targets"]["heap"]
        self.assertEqual(heap["executions"] * 1000, heap["checked_operations"])
        self.assertLess(abs(summary["seconds"] - 2), 1.5)
        self.assert_no_workers()

        before = {path.name for path in (self.build / "fuzz-corpus" / "heap").iterdir()}
        status, out, _ = self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap")
        self.assertEqual(0, status, out)
        log = (self.build / "fuzz-logs" / "heap-0.1.log").read_text()
        self.assertRegex(log, rf"{len(before)} files found in {self.build}/fuzz-corpus/heap")
        after = {path.name for path in (self.build / "fuzz-corpus" / "heap").iterdir()}
        self.assertTrue(before)
        self.assertEqual(["heap"], list(self.summary()["targets"]))
        self.assertTrue(after)

    def test_output_that_breaks_does_not_end_the_run(self):
        process = self.start("--time", "2", "--no-merge", "text")
        process.stdout.readline()
        process.stdout.close()
        with process.stderr as stream:
            err = stream.read()
        self.assertEqual(2, process.wait())
        self.assert_one_line(err, "Broken pipe", "the summary is in build/fuzz-summary.json")
        self.assertEqual("clean", self.summary()["result"])

    def test_executions_agree_with_the_engine(self):
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "text")
        log = (self.build / "fuzz-logs" / "text-0.1.log").read_text()
        units = int(re.search(r"number_of_executed_units: (\d+)", log)[1])
        self.assertEqual(units, self.summary()["targets"]["text"]["executions"])

    def test_terminal_gets_one_block_that_is_drawn_again(self):
        main, side = pty.openpty()
        env = {"TERM": "xterm", "COLUMNS": "60"}
        process = self.start("--time", "2", stdout=side, env=env)
        os.close(side)
        data = b""
        try:
            while piece := os.read(main, 65536):
                data += piece
        except OSError:
            pass  # how a closed terminal ends
        process.communicate()
        os.close(main)
        out = data.decode()
        self.assertEqual(0, process.returncode, out)
        self.assertGreaterEqual(out.count("\x1b[4A\x1b[J"), 2, "heading and three targets")
        self.assertIn("SUMMARY", out)
        block = [line for line in out.splitlines() if "exec/s" in line]
        self.assertTrue(all(len(re.sub("\x1b.*?[AJ]", "", line)) < 60 for line in block))

    def test_corpus_is_merged_when_it_has_grown(self):
        folder = self.build / "fuzz-corpus" / "heap"
        folder.mkdir(parents=True)
        for number in range(200):
            data = b"zz%d" % number
            (folder / corpus.sha1(data)).write_bytes(data)
        status, out, _ = self.run_script("--time", "1", "heap")
        self.assertEqual(0, status, out)
        self.assertRegex(out, r"corpus of heap merged: \d+ files -> \d+")
        self.assertLess(len(list(folder.iterdir())), 64)
        self.assertEqual([], list(folder.parent.glob(".heap.old")))

    def test_failing_seed_is_taken_out_of_the_run_only(self):
        source = self.seed("heap", "seed-x", b"x" * 5000)
        files = corpus.Corpus(self.root, targets.describe("heap"))
        files.open()
        read_by_the_engine = b"x" * 4096
        (files.folder / corpus.sha1(read_by_the_engine)).write_bytes(read_by_the_engine)
        self.assertEqual(["seed-x"], [path.name for path in files.seeds.iterdir()])
        self.assertEqual([source], files.remove(read_by_the_engine))
        self.assertEqual([], list(files.seeds.iterdir()))
        self.assertEqual(0, files.files())
        self.assertTrue(source.exists())

    def test_interrupted_merge_is_repaired(self):
        aside = self.build / "fuzz-corpus" / ".heap.old"
        aside.mkdir(parents=True)
        (aside / corpus.sha1(b"kept")).write_bytes(b"kept")
        files = corpus.Corpus(self.root, targets.describe("heap"))
        files.open()
        self.assertEqual(b"kept", (files.folder / corpus.sha1(b"kept")).read_bytes())
        self.assertFalse(aside.exists())


class Findings(TreeTest):
    def test_equal_failures_are_one_finding(self):
        bugs = {"heap": "bug1 bug2"}
        for name in ("B1", "B2", "B1odd"):
            self.seed("heap", name, name.encode())
        wanted = {"heap-blocks": 2, "heap-stats": 1}
        status, out = self.run_until(wanted, "heap", bugs=bugs)
        self.assertEqual(1, status, "findings outrank the interruption")
        self.assertIn("interrupted by SIGINT", out)
        names = self.found()
        self.assertEqual(["heap-blocks", "heap-stats"], [name[:-9] for name in names], out)
        folder = self.build / "findings" / names[0]
        self.assertEqual(b"B1", (folder / "input").read_bytes())
        self.assertEqual("heap standin\nbyte 42\nbyte 31\n", (folder / "script.txt").read_text())
        self.assertIn("FAILURE property=blocks", (folder / "log.txt").read_text())
        command = f"build/fuzz/heaplab run --bytes build/findings/{names[0]}/input"
        self.assertEqual(command, (folder / "command").read_text().strip())
        count = self.count("heap-blocks")
        self.assertGreaterEqual(count, 2, "two seeds fail in this way")
        self.assertEqual(1, out.count("FINDING in heap: property=blocks"))
        self.assertIn(f"  replay: {command}", out)
        self.assertIn("seed build/corpus/heap/B2 fails", out)
        self.assertIn("result: FAILED", out)
        summary = self.summary()
        self.assertEqual(("findings", 1), (summary["result"], summary["exit_status"]))
        known = {found["kind"]: found for found in summary["targets"]["heap"]["findings"]}
        self.assertEqual(count, known["blocks"]["seen"])
        self.assertTrue(known["blocks"]["replays"])
        self.assertEqual(2, known["blocks"]["input_bytes"])
        self.assertTrue((self.build / "corpus" / "heap" / "B1").exists(), "seeds are kept")

        # Another run without the bugs: clean, and nothing is lost.
        status, out, _ = self.run_script("--time", "1", "heap")
        self.assertEqual(0, status, out)
        self.assertIn("2 findings of earlier runs", out)
        self.assertEqual(names, self.found())
        self.assertEqual(2, len(self.summary()["older_findings"]))

        # With the bugs again, the count goes on.
        self.run_until({"heap-blocks": count + 1}, "heap", bugs=bugs)
        again = self.summary()["targets"]["heap"]["findings"]
        seen = sum(found["seen"] for found in again if found["kind"] == "blocks")
        self.assertEqual(count + seen, self.count("heap-blocks"))

    def test_known_failures_are_counted_only(self):
        """Those that end a process, and from a seed: it is out of the way at once."""
        known = self.root / "known.txt"
        known.write_text("# a shallow one\nproperty=blocks detail=size\nsignal 11 at nowhere\n")
        self.seed("heap", "one", b"B1")
        for given in (("--known", known), ()):
            env = {} if given else {"KNOWN": "known.txt"}
            status, out, err = self.run_script("--time", "4", "heap", *given, env=env,
                                               bugs={"heap": "bug1 bug2"})
            self.assertEqual((1, ""), (status, err), out)
            self.assertEqual(["property=stats detail=used"], [
                found["signature"] for found in self.summary()["targets"]["heap"]["findings"]], out)
            known_failures = self.summary()["known"]
            self.assertGreater(known_failures["property=blocks detail=size"], 0)
            self.assertEqual(0, known_failures["signal 11 at nowhere"])
            self.assertRegex(out, r"(?m)^  known, met \d+x: property=blocks detail=size$")
            self.assertIn("  known, not met (mended?): signal 11 at nowhere\n", out)
            shutil.rmtree(self.build / "findings")
        status, out, err = self.run_script("--time", "2", "heap", "--known", known,
                                           bugs={"heap": "bug1"})
        self.assertEqual((0, "", []), (status, err, self.found()), out)

    def test_what_the_sanitizers_and_the_engine_find(self):
        bugs = {"heap": "overflow", "script": "undefined leak", "text": "memory hang"}
        for target, name in (
            ("heap", "OV"), ("script", "UB"), ("script", "LK"), ("text", "MM"), ("text", "HG"),
        ):
            self.seed(target, name, name.encode())
        wanted = [
            "heap-asan-heap-buffer-overflow", "script-leak",
            "script-ubsan-signed-integer-overflow", "text-oom", "text-timeout",
        ]
        counts = {name: 1 for name in wanted}
        status, out = self.run_until(counts, "--timeout", "8", bugs=bugs)
        self.assertEqual(1, status, out)
        self.assertEqual(wanted, [name[:-9] for name in self.found()], out)
        for folder in (self.build / "findings").iterdir():
            command = (folder / "command").read_text().split()
            env = os.environ | {f"STANDIN_{name}": words for name, words in bugs.items()}
            shown = subprocess.run(command, cwd=self.root, env=env, capture_output=True)
            self.assertNotEqual(0, shown.returncode, f"{command} shows nothing")

    def test_empty_input_replays_though_heaplab_refuses_it(self):
        status, out, _ = self.run_script(
            "--time", "20", "--until-finding", "heap", bugs={"heap": "empty"}
        )
        self.assertEqual(1, status, out)
        (name,) = self.found()
        self.assertIn(f"replay: build/fuzz/replay_heap build/findings/{name}/input", out)
        (found,) = self.summary()["targets"]["heap"]["findings"]
        self.assertEqual((0, True), (found["input_bytes"], found["replays"]))

    def test_input_that_looks_like_text_is_bytes(self):
        bugs = {"heap": "comment"}
        self.seed("heap", "looks-like-text", b"# no text\n")
        status, out, _ = self.run_script("--time", "20", "--until-finding", "heap", bugs=bugs)
        self.assertEqual(1, status, out)
        (found,) = self.summary()["targets"]["heap"]["findings"]
        self.assertEqual(f"build/fuzz/heaplab run --bytes {found['input']}", found["command"])
        self.assertTrue(found["replays"])
        script = (self.root / found["folder"] / "script.txt").read_text()
        self.assertTrue(script.startswith("heap standin\nbyte 23\nbyte 20\n"), script)
        status, out, err = self.run_script(found["input"], script="regress", bugs=bugs)
        self.assertEqual((0, ""), (status, err))
        (path,) = (self.root / "corpus" / "heap" / "regress").iterdir()
        self.assertTrue(path.read_text().endswith(script))

    def test_hang_in_the_last_second_is_found(self):
        self.seed("text", "HG", b"HG")
        status, out, _ = self.run_script(
            "--time", "1", "--timeout", "1", "text", bugs={"text": "hang"}
        )
        self.assertEqual(1, status, out)
        self.assertRegex(self.found()[0], "text-timeout-")

    def test_an_input_that_a_busy_machine_makes_late_is_no_finding(self):
        self.seed("text", "LT", b"LT")
        status, out, _ = self.run_script(
            "--time", "4", "--timeout", "1", "text", bugs={"text": "late"}
        )
        self.assertEqual((0, []), (status, self.found()), out)
        self.assertEqual(1, self.summary()["targets"]["text"]["late_inputs"])
        self.assertIn("no finding in text: an input that was not done after 1s", out)
        self.assertIn("late inputs that end in time when they are played alone: 1 ", out)

    def test_smaller_input_replaces_larger_and_count_goes_on(self):
        store = findings.Store(self.root)
        store.open()
        failure = signature.Failure("blocks", "property=blocks")
        artifact = store.incoming / "x"
        for data, kept in ((b"12345", b"12345"), (b"123456", b"12345"), (b"12", b"12")):
            artifact.write_bytes(data)
            found, _ = store.add(targets.describe("text"), failure, artifact, "log of %r" % data)
            self.assertEqual(kept, (found.folder / "input").read_bytes())
            self.assertEqual("log of %r" % kept, (found.folder / "log.txt").read_text())
        self.assertEqual("3\n", (found.folder / "count").read_text())

    def test_left_behind_input_is_kept(self):
        store = findings.Store(self.root)
        store.incoming.mkdir(parents=True)
        (store.incoming / "heap-0-crash-1").write_bytes(b"precious")
        store.open()
        kept = self.build / "findings" / "left-heap-0-crash-1"
        self.assertEqual(b"precious", kept.read_bytes())


class FullDisk(TreeTest):
    """Files that lie on a full disk, as links to /dev/full. (Whoever reads there gets no end.)"""

    BUGS = {"heap": "bug1"}
    FULL = "cannot be written: No space left on device"

    def first_finding(self):
        status, _, _ = self.run_script("--time", "20", "--until-finding", "heap", bugs=self.BUGS)
        self.assertEqual(1, status)
        (found,) = self.summary()["targets"]["heap"]["findings"]
        return self.root / found["folder"], found

    def fill(self, path):
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/full")

    def broken_off(self, *more):
        """The standard output of a run that the disk ends, and its only finding."""
        start = time.monotonic()
        status, out, err = self.run_script("--time", "50", "heap", *more, bugs=self.BUGS)
        self.assertLess(time.monotonic() - start, 40)
        self.assertEqual((1, ""), (status, err), out)
        self.assertRegex(out, r"\nSUMMARY after .*\n  heap: [1-9][\d,]* executions.*, findings 1\n")
        self.assertRegex(out, rf"\n  problem: the run broke off: .*{self.FULL}\n")
        self.assert_no_workers()
        summary = self.summary()
        (found,) = summary["targets"]["heap"]["findings"]
        self.assertEqual("findings", summary["result"])
        return out, found

    def test_it_ends_a_run_with_the_summary(self):
        """A failure that has been found before."""
        folder, before = self.first_finding()
        (folder / "signature").unlink()
        self.fill(folder / "log.txt")
        out, found = self.broken_off()
        self.assertEqual(before["signature"], found["signature"])
        self.assertIn(f"finding, seen 1x: {found['signature']}\n    {before['command']}\n", out)
        left = re.search(r"problem: an input that failed was not filed: (build/.*)\n", out)
        self.assertTrue((self.root / left[1]).read_bytes().startswith(b"B1"), out)

    def test_a_new_failure_is_kept(self):
        """It has a folder, but no input is in it."""
        folder, before = self.first_finding()
        (folder / "signature").unlink()
        (folder / "command").unlink()
        self.fill(folder / "input")
        out, found = self.broken_off()
        self.assertEqual(before["signature"], found["signature"])
        self.assertRegex(found["input"], r"^build/findings/left-heap-\d-crash-")
        self.assertTrue((self.root / found["input"]).read_bytes().startswith(b"B1"))
        self.assertIn(f"\n    build/fuzz/heaplab run --bytes {found['input']}\n", out)

    def test_the_summary_is_printed_though_its_file_cannot_be_written(self):
        self.fill(self.build / "fuzz-summary.json")
        status, out, err = self.run_script("--time", "1", "heap")
        self.assertEqual((1, ""), (status, err), out)
        self.assertRegex(out, r"\nSUMMARY after .*\n  heap: [1-9][\d,]* executions")
        self.assertRegex(out, rf"\n  problem: .*/build/fuzz-summary\.json: {self.FULL}\n"
                         r"  result: FAILED: .* \(in no file\)\n  report: ")


class DeadHarness(TreeTest):
    def test_dead_harnesses_fail_the_run(self):
        bugs = {"heap": "dead", "script": "exits", "text": "never"}
        status, out, err = self.run_script("--time", "3", "--timeout", "1", bugs=bugs)
        self.assertEqual((1, ""), (status, err), out)
        self.assertEqual("broken", self.summary()["result"])
        self.assertEqual([], self.found())
        self.assertIn("target heap checked no operation", out)
        self.assertIn("worker script-0 ended before its time", out)
        self.assertIn("worker script-0 executed no input", out)
        self.assertIn("worker text-0 executed no input", out)
        self.assert_no_workers()

    def test_counter_that_never_moves_fails_the_run(self):
        status, out, _ = self.run_script("--time", "1", "heap", bugs={"heap": "idle"})
        self.assertEqual(1, status, out)
        self.assertIn("'resize' stayed 0", out)

    def test_death_without_an_input_fails_the_run(self):
        status, out, _ = self.run_script("--time", "1", "heap", bugs={"heap": "killed"})
        self.assertEqual(1, status, out)
        self.assertRegex(out, "heap-0 ended before its time .*signal 9; [1-9][0-9]* inputs")

    def test_program_that_is_none_fails_the_run(self):
        path = self.build / "fuzz" / "fuzz_text"
        path.unlink()
        path.write_text("no program\n")
        path.chmod(0o755)
        status, out, _ = self.run_script("--time", "2", "text")
        self.assertEqual(1, status, out)
        self.assertIn("worker text-0 cannot start", out)


class Interruptions(TreeTest):
    def start_at_work(self, *arguments, **options):
        """A run whose workers have begun, however busy the machine is."""
        process = self.start(*arguments, **options)
        end = time.monotonic() + 30
        while not list((self.build / "fuzz-logs").glob("*.log")) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
        return process

    def interrupt(self, numbers, bugs=None):
        process = self.start_at_work("--time", "60", "heap", bugs=bugs)
        started = time.monotonic()
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.6)  # sooner, it counts as the same request (timeout signals twice)
        out, err = process.communicate(timeout=20)
        self.assertEqual("", err)
        self.assertLess(time.monotonic() - started, 5)
        self.assert_no_workers()
        return process.returncode, out

    def test_ctrl_c_ends_with_the_summary(self):
        status, out = self.interrupt([signal.SIGINT])
        self.assertEqual(130, status, out)
        self.assertRegex(out, "SUMMARY after .* interrupted by SIGINT")
        self.assertIn("result: interrupted", out)
        self.assertEqual("interrupted", self.summary()["result"])
        self.assertGreater(self.summary()["targets"]["heap"]["executions"], 0)
        self.assertTrue(list((self.build / "fuzz-corpus" / "heap").iterdir()))

    def test_sigterm_ends_with_the_summary(self):
        status, out = self.interrupt([signal.SIGTERM])
        self.assertEqual(143, status, out)
        self.assertIn("interrupted by SIGTERM", out)

    def test_a_closed_terminal_ends_with_the_summary(self):
        status, out = self.interrupt([signal.SIGHUP])
        self.assertEqual(129, status, out)
        self.assertIn("interrupted by SIGHUP", out)

    def test_who_ignores_interrupts_goes_on(self):
        """As nohup and a shell's background jobs have it."""
        process = self.start_at_work("--time", "3", "text", preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_IGN))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, out)

    def test_second_ctrl_c_kills_at_once(self):
        # A worker that does not care for the first one.
        status, out = self.interrupt([signal.SIGINT] * 2, bugs={"heap": "stuck"})
        self.assertEqual(130, status, out)
        self.assertNotIn("SUMMARY", out)

    def test_killed_job_leaves_no_workers(self):
        process = self.start_at_work("--time", "60", "heap")
        process.kill()
        process.communicate()
        time.sleep(0.3)
        self.assert_no_workers()


class BadSetup(TreeTest):
    def assert_refused(self, *arguments, words=(), **options):
        status, out, err = self.run_script(*arguments, **options)
        self.assertEqual((2, ""), (status, out), err)
        self.assert_one_line(err, *words)

    def test_bad_times(self):
        for text in ("", "0", "0s", "-1", "5x", "1.5h", "m", "10 m", "1h30", "s10", "999999h",
                     "1m1h", "１０", "9" * 400):
            self.assert_refused("--time", text, words=["FUZZ_TIME"])
        self.assert_refused(env={"FUZZ_TIME": "soon"}, words=["FUZZ_TIME='soon'"])
        self.assertFalse((self.build / "fuzz-corpus").exists(), "nothing was written")

    def test_bad_lists_of_known_failures(self):
        (self.root / "known.txt").write_text("property=a detail=b\nalloc s0\n")
        for arguments, env in ((("--known", "known.txt"), {}), ((), {"KNOWN": "known.txt"})):
            status, out, err = self.run_script(*arguments, env=env)
            self.assertEqual((2, ""), (status, out))
            self.assert_one_line(err, "known.txt:2: is no signature")
        self.assertFalse((self.build / "fuzz-summary.json").exists())
        status, _, err = self.run_script("--canary", "--known", "known.txt")
        self.assertEqual(2, status)
        self.assert_one_line(err, "--canary")

    def test_layouts(self):
        for arguments, env in ((("--layout", "lean", "--cores", "2"), {}),
                               (("heap", "--cores", "2"), {"LAYOUT": "lean"})):
            status, out, err = self.run_script("--time", "20", *arguments, "--until-finding",
                                               env=env, bugs={"heap": "lean", "script": "bug1"})
            self.assertEqual((1, ""), (status, err), out)
            self.assertIn("fuzzing heap x2 on 2 cores for 20s, layout lean only\n", out)
            self.assertGreater(self.count("heap-blocks"), 0)
            shutil.rmtree(self.build / "findings")
        self.assert_refused("--layout", "tall",
                            words=["LAYOUT='tall': it is one of classic, lean, wide, auto"])
        self.assert_refused("script", env={"LAYOUT": "lean"}, words=["LAYOUT", "target 'heap' only"])
        self.assert_refused("--canary", env={"LAYOUT": "lean"}, words=["--canary", "LAYOUT"])

    def test_bad_options(self):
        self.assert_refused("--nonsense", words=["--nonsense"])
        self.assert_refused("nonsense", words=["unknown target 'nonsense'", "heap, script, text"])
        self.assert_refused("--cores", "0", words=["--cores 0"])
        self.assert_refused("--expect", words=["--canary"])

    def test_output_that_cannot_be_written(self):
        for where, words in (("/dev/full", "No space left"), (None, "is closed")):
            with open(where or os.devnull, "w") as out:
                closing = {} if where else {"preexec_fn": lambda: os.close(1)}
                status, _, err = self.run_script("--time", "1", stdout=out, **closing)
            self.assertEqual(2, status)
            self.assert_one_line(err, "standard output", words)
            self.assert_no_workers()
            self.assertFalse((self.build / "fuzz-summary.json").exists(), "there was no run")

    def test_missing_programs(self):
        for name in ("fuzz_script", "replay_heap", "heaplab"):
            path = self.build / "fuzz" / name
            data = path.read_bytes()
            path.unlink()
            self.assert_refused("--time", "1", words=[name, "make fuzz"])
            path.write_bytes(data)
            path.chmod(0o755)

    def test_no_targets(self):
        shutil.rmtree(self.root / "fuzz")
        self.assert_refused("--time", "1", words=["no target"])

    def test_second_job_in_the_same_tree(self):
        with (self.build / "fuzz.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assert_refused("--time", "1", words=["another fuzzing run"])


class Canary(TreeTest):
    """Here the tree's make compiles the stand-in; the patch gives it a bug that needs no word."""

    PATCH = (
        "--- a/fuzz/targets/heap.c\n+++ b/fuzz/targets/heap.c\n@@ -1 +1 @@\n"
        "-/* SPDX-License-Identifier: MIT */\n+static int always = 1;\n"
    )

    def setUp(self):
        super().setUp()
        flags = shlex.join(map(str, FLAGS))
        engines, script, here = (shlex.quote(str(path)) for path in (ENGINES, SCRIPT, HERE))
        fuzz = f"clang {flags} -fsanitize=fuzzer,address fuzz/targets/heap.c {engines}/stats.c"
        rules = (
            "build/fuzz/fuzz_heap: fuzz/targets/heap.c\n\tmkdir -p build/fuzz && "
            f"{fuzz} -o $@\n"
            "build/fuzz/replay_heap: fuzz/targets/heap.c\n\tmkdir -p build/fuzz && "
            f"clang {flags} fuzz/targets/heap.c {engines}/stats.c {engines}/replay.c "
            f"{script}/*.c -o $@\n"
            "build/fuzz/heaplab:\n\tmkdir -p build/fuzz && cp "
            f"{here}/standin_heaplab $@\n"
        )
        (self.root / "Makefile").write_text(rules)
        heap = self.root / "fuzz" / "targets" / "heap.c"
        text = heap.read_text().replace('has("bug1")', '(has("bug1") || CANARY)')
        marker = "/* SPDX-License-Identifier: MIT */\n"
        heap.write_text(marker + "#define CANARY 0\n" + text[len(marker) :])
        self.patch = self.root / "fuzz" / "bugs" / "canary.patch"
        self.patch.parent.mkdir()
        below = "".join(f" {line}" for line in text[len(marker) :].splitlines(True)[:3])
        self.patch.write_text(
            "--- a/fuzz/targets/heap.c\n+++ b/fuzz/targets/heap.c\n@@ -1,5 +1,5 @@\n"
            f" {marker}-#define CANARY 0\n+#define CANARY 1\n{below}"
        )

    def test_finds_the_planted_bug(self):
        status, out, err = self.run_script("--canary")
        self.assertEqual((1, ""), (status, err), out)
        self.assertRegex(out, r"canary: the planted bug was found after \d+\.\ds")
        self.assertIn("FINDING in heap: property=blocks", out)
        self.assertIn("replay: (cd build/canary/src && build/fuzz/", out)
        self.assertFalse((self.build / "findings").exists(), "the tree's own findings")
        self.assertIn("CANARY 0", (self.root / "fuzz" / "targets" / "heap.c").read_text())
        status, out, _ = self.run_script("--canary", "--expect")
        self.assertEqual(0, status, out)

    def test_silence_is_a_failure(self):
        text = self.patch.read_text().replace("+#define CANARY 1", "+#define CANARY 00")
        self.patch.write_text(text)
        for arguments, wanted in ((("--canary",), 3), (("--canary", "--expect"), 1)):
            status, out, _ = self.run_script(*arguments, "--time", "1")
            self.assertEqual(wanted, status, out)
            self.assertIn("CANARY FAILED: the planted bug was not found", out)

    def test_late_unreadable_and_unrepeatable_findings_are_failures(self):
        store = findings.Store(self.root)
        store.open()
        artifact = store.incoming / "x"
        artifact.write_bytes(b"B1")
        failure = signature.Failure("blocks", "property=blocks")
        log = "FAILURE property=blocks\n"
        found, _ = store.add(targets.describe("heap"), failure, artifact, log)
        job = types.SimpleNamespace(store=store, root=self.root, first_finding_seconds=1.0)
        found.replays = True
        within = canary.FOUND_WITHIN_SECONDS
        self.assertEqual([], canary.faults_of(job, within))
        job.first_finding_seconds = 10.5
        self.assertIn("only after 10.5s", canary.faults_of(job, within)[0])
        self.assertEqual([], canary.faults_of(job, 11))
        job.first_finding_seconds = 1.0
        found.replays = False
        self.assertIn("does not replay", canary.faults_of(job, within)[0])
        found.replays = True
        (found.folder / "script.txt").write_text("# nothing\nheap standin\n")
        self.assertIn("cannot be read", canary.faults_of(job, within)[0])
        (found.folder / "script.txt").write_text("heap standin\nbyte 42\n")
        (found.folder / "log.txt").write_text("#1 INITED\n")
        self.assertIn("names no failure", canary.faults_of(job, within)[0])

    def test_bad_patches(self):
        good = self.patch.read_text()
        for text in (good.replace("CANARY 0", "CANARY 7"), "no patch\n"):
            self.patch.write_text(text)
            status, out, err = self.run_script("--canary")
            self.assertEqual((2, ""), (status, out))
            self.assert_one_line(err, "fuzz/bugs/canary.patch", "does not apply")
        self.patch.unlink()
        status, out, err = self.run_script("--canary")
        self.assertEqual((2, ""), (status, out))
        self.assert_one_line(err, "fuzz/bugs/canary.patch", "missing")

    def test_build_that_fails(self):
        self.patch.write_text(self.patch.read_text().replace("CANARY 1", "CANARY )"))
        status, _, err = self.run_script("--canary")
        self.assertEqual(2, status)
        self.assert_one_line(err, "does not build", "build.log")


def run_in_two_processes():
    """Most tests wait for the clock, so two at a time take half as long."""
    names = [name for name, value in globals().items()
             if isinstance(value, type) and issubclass(value, unittest.TestCase)]
    shares = [names[0::2], names[1::2]]
    pipe = subprocess.PIPE
    commands = [[sys.executable, __file__, *share] for share in shares]
    processes = [subprocess.Popen(command, stderr=pipe, text=True) for command in commands]
    for process in processes:
        sys.stderr.write(process.communicate()[1])
    return max(abs(process.returncode) for process in processes)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(run_in_two_processes())
    unittest.main()
