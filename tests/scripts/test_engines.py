#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/fuzz with its second engine, on a small tree of its own whose fuzz targets
(standin.c) have known bugs. Needs clang and AFL++. Takes less than a minute:

  tests/scripts/test_engines.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import types
import unittest

import surroundings

surroundings.make_usual()

import standin_tree
from standin_tree import ENGINES, FLAGS, HERE, SCRIPT, TARGETS, TREE, TreeTest

from fuzz_lib import afl, corpus, findings, targets

MUTATE = TREE / "fuzz" / "mutate"
INCLUDES = [f"-I{TREE}/fuzz", f"-I{TREE}/include"]
AFL_PROGRAMS = {}  # name -> path of what is compiled


def setUpModule():
    standin_tree.setUpModule()
    program, mutator = standin_tree.SCRATCH / "afl", standin_tree.SCRATCH / "mutator.so"
    AFL_PROGRAMS["fuzz"], AFL_PROGRAMS["mutator"] = program, mutator
    sources = [HERE / "standin.c", ENGINES / "stats.c"]
    checks = "-fsanitize=fuzzer,address,undefined"
    env = os.environ | {"AFL_QUIET": "1"}
    subprocess.run(["afl-clang-fast", *FLAGS, checks, *sources, "-o", program], env=env, check=True)
    sources = [ENGINES / "afl.c", *MUTATE.glob("*.c"), *SCRIPT.glob("*.c")]
    command = ["clang", "-std=c11", "-O1", *INCLUDES, "-fPIC", "-shared", *sources, "-o", mutator]
    subprocess.run(command, check=True)


def tearDownModule():
    standin_tree.tearDownModule()


class AflTest(TreeTest):
    def setUp(self):
        super().setUp()
        self.afl = self.build / "afl"
        self.afl.mkdir()
        for name in TARGETS:
            os.link(AFL_PROGRAMS["fuzz"], self.afl / f"fuzz_{name}")
        os.link(AFL_PROGRAMS["mutator"], self.afl / "mutator.so")

    def assert_nothing_runs(self):
        """Neither workers nor afl-fuzz nor what that has started."""
        end = time.monotonic() + 2
        while (left := self.running()) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual([], left)

    def running(self):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_text(errors="replace")
            except OSError:
                continue  # it has ended meanwhile
            if f"{self.build}/" in words and "scripts/fuzz" not in words:
                found.append(words.replace("\0", " "))
        return found

    def executions(self, target):
        return self.summary()["targets"][target]["executions_by_engine"]


class Runs(AflTest):
    def test_both_engines_work_and_share(self):
        self.seed("heap", "seed-x", b"x" * 64)
        status, out, err = self.run_script("--time", "6", "--no-merge", "--engine", "both", "heap")
        self.assertEqual((0, ""), (status, err), out)
        self.assertIn("fuzzing heap x2 on", out)
        self.assertIn("result: clean", out)
        done = self.executions("heap")
        self.assertGreater(done["libfuzzer"], 1000)
        self.assertGreater(done["afl"], 1000)
        self.assertEqual("both", self.summary()["engine"])
        heap = self.summary()["targets"]["heap"]
        self.assertEqual(heap["executions"] * 1000, heap["checked_operations"])
        kept = {path.name for path in (self.build / "fuzz-corpus" / "heap").iterdir()}
        lent = self.build / "fuzz-afl" / "heap" / "corpus" / "queue"
        self.assertTrue(list(lent.iterdir()), "AFL++ was given nothing")
        queue = self.build / "fuzz-afl" / "heap" / "heap-afl0" / "queue"
        own = [path for path in queue.glob("id:*") if ",src:" in path.name]
        for path in own:
            if "sync:" not in path.name:
                self.assertIn(corpus.sha1(path.read_bytes()), kept)
        self.assert_nothing_runs()

    def test_afl_alone(self):
        status, out, err = self.run_script("--time", "4", "--no-merge", env={"ENGINE": "afl"})
        self.assertEqual((0, ""), (status, err), out)
        for name in TARGETS:
            self.assertEqual(["afl"], list(self.executions(name)))
            self.assertGreater(self.executions(name)["afl"], 100)
            self.assertGreater(self.summary()["targets"][name]["coverage"], 0)
        self.assert_nothing_runs()


class Ends(AflTest):
    """afl-fuzz is replaced by a shell script that waits for SIGINT, then ends with 1."""

    def end(self, begins, seconds="20"):
        folder = self.root / "bin"
        folder.mkdir()
        program = folder / "afl-fuzz"
        program.write_text(
            "#!/bin/sh\n"
            "cd build/fuzz-afl/heap && mkdir heap-afl0\n"
            f"{'touch' if begins else ':'} heap-afl0/fuzzer_stats\n"
            "trap 'echo Fork server crashed with signal 9; exit 1' INT\n"
            f"sleep {seconds} & wait $!; exit 1\n"
        )
        program.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        flags = ("--time", "3", "--no-merge", "--engine", "both", "heap")
        status, out, _ = self.run_script(*flags, env={"PATH": path})
        return status, out

    def test_told_to_end_while_it_starts(self):
        status, out = self.end(begins=False)
        self.assertEqual(0, status, out)
        self.assertIn("result: clean", out)

    def test_status_1_is_a_death_once_it_has_begun(self):
        status, out = self.end(begins=True)
        self.assertEqual(1, status, out)
        self.assertIn("worker heap-afl0 ended before its time", out)

    def test_status_1_is_a_death_when_nobody_asked(self):
        status, out = self.end(begins=False, seconds="0.1")
        self.assertEqual(1, status, out)
        self.assertIn("worker heap-afl0 ended before its time", out)


class Findings(AflTest):
    def test_empty_input_is_played_before_afl_starts(self):
        status, out, _ = self.run_script(
            "--time", "40", "--until-finding", "--engine", "afl", "text", bugs={"text": "empty"}
        )
        self.assertEqual(1, status, out)
        (found,) = self.summary()["targets"]["text"]["findings"]
        self.assertEqual("property=empty detail=none", found["signature"])
        self.assertTrue(found["replays"])
        self.assert_nothing_runs()

    def test_crashes_are_findings_as_any_other(self):
        bugs = {"text": "bug1"}
        self.seed("text", "almost", b"B\x11")
        status, out, _ = self.run_script(
            "--time", "40", "--until-finding", "--engine", "afl", "text", bugs=bugs
        )
        self.assertEqual(1, status, out)
        (found,) = self.summary()["targets"]["text"]["findings"]
        self.assertEqual("property=blocks detail=size", found["signature"])
        self.assertTrue(found["replays"])
        self.assertIn("FINDING in text: property=blocks", out)
        self.assertIn("FAILURE property=blocks", (self.root / found["folder"] / "log.txt").read_text())
        self.assertEqual(["text-blocks"], [name[:-9] for name in self.found()])
        self.assert_nothing_runs()

    def test_failing_seed_is_found_before_afl_starts(self):
        self.seed("heap", "B1", b"B1")
        bugs = {"heap": "bug1"}
        wanted = {"heap-blocks": 1}
        status, out = self.run_until(wanted, "--engine", "afl", "heap", bugs=bugs)
        self.assertEqual(1, status, out)
        self.assertIn("seed build/corpus/heap/B1 fails", out)
        self.assert_nothing_runs()


class Trials(AflTest):
    """What becomes of an input on which AFL++ saw its target fail."""

    def try_input(self, data, hang=False, bugs=None, target="text"):
        path = self.build / "findings" / ".incoming" / "trial-x"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        logs = self.build / "fuzz-logs"
        logs.mkdir(exist_ok=True)
        described = targets.describe(target)._replace(timeout=1)
        worker = types.SimpleNamespace(target=described, logs=logs, root=self.root)
        trial = afl.Trial(worker, path, hang)
        old = dict(os.environ)
        os.environ.update({f"STANDIN_{target}": bugs or "none"})
        try:
            end = time.monotonic() + 20
            while not trial.is_over() and time.monotonic() < end:
                time.sleep(0.02)
        finally:
            os.environ.clear()
            os.environ.update(old)
        return trial

    def test_failures_are_described(self):
        for data, bug, text in (
            (b"B1", "bug1", "property=blocks detail=size"),
            (b"OV", "overflow", "AddressSanitizer: heap-buffer-overflow"),
        ):
            failure = self.try_input(data, bugs=bug).failure
            self.assertTrue(failure.signature.startswith(text), failure)

    def test_what_only_the_afl_build_shows(self):
        shutil.copy(self.build / "fuzz" / "fuzz_text", self.build / "fuzz" / "kept")
        (self.build / "fuzz" / "fuzz_text").unlink()
        (self.build / "fuzz" / "fuzz_text").write_text("#!/bin/sh\nexit 0\n")
        (self.build / "fuzz" / "fuzz_text").chmod(0o755)
        trial = self.try_input(b"B1", bugs="bug1")
        self.assertEqual("property=blocks detail=size", trial.failure.signature)

    def test_a_crash_that_is_never_seen_again_is_a_finding(self):
        trial = self.try_input(b"B1")
        self.assertEqual("afl-crash", trial.failure.kind)
        self.assertIn("passes in both builds", trial.log)

    def test_slowness_is_none_and_a_hang_is_one(self):
        self.assertIsNone(self.try_input(b"HG", hang=True).failure)
        self.assertEqual("timeout", self.try_input(b"HG", hang=True, bugs="hang").failure.kind)

    def test_crashes_left_by_a_killed_run_are_kept(self):
        path = self.build / "fuzz-afl" / "heap" / "heap-afl0" / "crashes" / "id:000003,sig:06"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"precious")
        store = findings.Store(self.root)
        store.open()
        afl.clear(self.root, store)
        kept = self.build / "findings" / "left-heap-afl0-crashes-000003"
        self.assertEqual(b"precious", kept.read_bytes())
        self.assertFalse(path.exists())


class Interruptions(AflTest):
    def test_ctrl_c_and_sigterm_leave_nothing(self):
        for number, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("--time", "60", "--engine", "both", "heap")
            time.sleep(3)
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
            self.assertEqual((wanted, ""), (process.returncode, err), out)
            self.assertIn("result: interrupted", out)
            self.assertGreater(self.executions("heap")["afl"], 0)
            self.assert_nothing_runs()

    def test_kill_leaves_nothing(self):
        process = self.start("--time", "60", "--engine", "both", "heap")
        time.sleep(3)
        self.assertTrue([words for words in self.running() if "afl-fuzz" in words])
        process.kill()
        process.communicate()
        self.assert_nothing_runs()


class BadSetup(AflTest):
    def assert_refused(self, *arguments, words=(), **options):
        status, out, err = self.run_script(*arguments, **options)
        self.assertEqual((2, ""), (status, out), err)
        self.assert_one_line(err, *words)
        self.assertFalse((self.build / "fuzz-corpus").exists(), "nothing was written")

    def test_unknown_engines(self):
        for name in ("honggfuzz", "AFL", ""):
            self.assert_refused("--engine", name, words=[f"ENGINE='{name}'", "libfuzzer, afl, both"])
        self.assert_refused(env={"ENGINE": "all"}, words=["ENGINE='all'"])
        self.assert_refused("--canary", "--engine", "afl", words=["--canary"])

    def make(self, *arguments):
        """A dry run, so that nothing is built or fuzzed whatever make thinks of them."""
        command = ["make", "-n", "--no-print-directory", "-C", TREE, *arguments]
        alone = {name: value for name, value in os.environ.items()
                 if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=alone)

    def test_make_refuses_before_it_builds(self):
        apart = self.root / "a b.c"
        apart.write_text("int x;\n")
        mine = "examples/my_subject.c"  # of the tree, whose own path may have spaces in it
        for settings, *words in (
            (["ENGINE=all"], "ENGINE='all'", "libfuzzer, afl, both"),
            (["ENGINE="], "ENGINE=''"),
            (["FUZZ_TIME=abc"], "FUZZ_TIME='abc'", "write 90, 60s"),
            (["FUZZ_TIME="], "FUZZ_TIME=''"),
            (["FUZZ_TIME=a'b\"`c"], "FUZZ_TIME="),
            ([f"SUBJECT_SRC={mine}", "ENGINE=afl"], "ENGINE=libfuzzer only"),
            ([f"SUBJECT_SRC={mine}", "FUZZ_TIME=abc"], "FUZZ_TIME='abc'"),
            (["SUBJECT_SRC=none.c"], "SUBJECT_SRC: none.c: there is no such file"),
            ([f"SUBJECT_SRC={mine} none.c"], "SUBJECT_SRC: none.c: there is no such file"),
            ([f"SUBJECT_SRC={apart}"], f"{apart}: the spaces in its name", "another name"),
            ([f"SUBJECT_SRC={self.root}"], "cannot be read"),
        ):
            made = self.make("fuzz", *settings)
            self.assertEqual((2, ""), (made.returncode, made.stdout), settings)
            self.assert_one_line(made.stderr, *words)
        for settings in (["FUZZ_TIME=1h30m", "ENGINE=both"], [f"SUBJECT_SRC={mine} {mine}"]):
            made = self.make("fuzz", *settings)
            self.assertEqual((0, ""), (made.returncode, made.stderr), settings)
            self.assertIn("scripts/fuzz --time=", made.stdout)

    def test_make_refuses_numbers_before_it_builds(self):
        """Those that other programs than scripts/fuzz would read in the end."""
        for goal, setting, *bad in (("interleavings", "ROUNDS", "0", "abc", "-1", "", "1000001", "5 6"),
                                    ("sweep", "SWEEP_TIME", ""), ("peers", "PEERS_TIME", "07")):
            for value in bad:
                made = self.make(goal, f"{setting}={value}")
                self.assertEqual((2, ""), (made.returncode, made.stdout), (setting, value))
                self.assert_one_line(made.stderr, f"{setting}='{value}': no number from 1 to 1000000")
        for good in (["interleavings", "sweep", "peers"], ["interleavings", "ROUNDS=1000000"]):
            made = self.make(*good)
            self.assertEqual((0, ""), (made.returncode, made.stderr), good)

    def test_a_dry_run_runs_nothing(self):
        makefile = (TREE / "Makefile").read_text()
        self.assertEqual([], re.findall(r"(?m)^\t[@-]*\+.*", makefile))

    def test_missing_engine(self):
        tools = self.root / "tools"
        tools.mkdir()
        os.symlink(sys.executable, tools / "python3")
        for engine in ("afl", "both"):
            self.assert_refused("--engine", engine, env={"PATH": str(tools)},
                                words=["afl-fuzz is missing", "afl++", "ENGINE=libfuzzer"])

    def test_missing_programs(self):
        for name in ("fuzz_script", "mutator.so"):
            path = self.afl / name
            path.rename(self.afl / "away")
            self.assert_refused("--engine", "afl", words=[name, "make fuzz ENGINE=afl"])
            (self.afl / "away").rename(path)


class Forms(unittest.TestCase):
    def test_what_inputs_are_stands_in_the_targets(self):
        forms = {target.name: target.form for target in targets.discover(TREE)}
        self.assertLessEqual(set(forms.values()), {"script", "numbered", "bytes", "text"})
        known = {"heap": "script", "subjects": "numbered", "script": "bytes", "text": "text"}
        self.assertEqual(known, {name: forms[name] for name in known})


if __name__ == "__main__":
    unittest.main()
