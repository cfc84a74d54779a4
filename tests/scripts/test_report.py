#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the report (scripts/report, scripts/report_lib), on a small tree of its own whose fuzz
targets (standin.c) have known bugs. Needs clang. Takes less than a minute:

  tests/scripts/test_report.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import errno
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import surroundings

surroundings.make_usual()

from html_check import Checker
from standin_tree import TREE, TreeTest
from standin_tree import setUpModule, tearDownModule  # which unittest calls

from common_lib import outputs, script
from fuzz_lib.growth import POINTS_MAX, Growth, Point
from fuzz_lib.watchman import Watchman, candidates
from report_lib import charts, history, sample
from report_lib.template import Html, Template


def target_files(build):
    return sum(1 for name in ("corpus", "fuzz-corpus")
               for path in (build / name / "heap").glob("*") if path.is_file())


def a_run(name="r1", **more):
    run = {"id": name, "started": "2026-01-02T03:04:05+0000", "result": "clean", "seconds": 10.0,
           "targets": {"heap": {"executions": 5, "edges": 7, "corpus": 3,
                                "growth": [[0, 1, 5, 6, 1], [10, 5, 7, 9, 3]]}},
           "findings": [], "commit": "0123456789abcdef", "changed": False}
    return {**run, **more}


class Histories(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.path = self.folder / history.NAME
        self.addCleanup(self.scratch.cleanup)

    def test_none_is_empty(self):
        self.assertEqual(history.History([], []), history.read(self.folder))

    def test_what_is_appended_is_read(self):
        history.append(self.folder, a_run("r1"))
        history.append(self.folder, a_run("r2"))
        self.assertEqual(["r1", "r2"], [run["id"] for run in history.read(self.folder).runs])
        self.assertEqual([], history.read(self.folder).damage)

    def test_half_a_line_is_said_and_the_rest_used(self):
        history.append(self.folder, a_run("r1"))
        whole = self.path.read_bytes()
        self.path.write_bytes(whole + whole[:40])
        past = history.read(self.folder)
        self.assertEqual(["r1"], [run["id"] for run in past.runs])
        self.assertEqual([f"{history.NAME}, line 2: was not written to its end; it is left out"],
                         past.damage)
        history.append(self.folder, a_run("r3"))
        past = history.read(self.folder)
        self.assertEqual(["r1", "r3"], [run["id"] for run in past.runs])
        self.assertEqual(1, len(past.damage))
        self.assertIn("line 2: is no JSON", past.damage[0])

    def test_damage_of_each_kind_is_named(self):
        line = json.dumps(a_run()).encode()
        for wrong, words in (
            (b"[1]", "is no run"), (b"{}", "lacks 'id'"), (b"\xff\xfe", "is no JSON"),
            (b"[" * 100000, "is no JSON"),
            (line.replace(b'"seconds": 10.0', b'"seconds": "x"'), "lacks 'seconds'"),
            (line.replace(b'"edges": 7', b'"edges": null'), "no targets"),
            (line.replace(b"[10, 5, 7, 9, 3]", b"[10, 5]"), "no targets"),
            (line.replace(b'"findings": []', b'"findings": [3]'), "findings"),
        ):
            self.path.write_bytes(wrong + b"\n\n\0\0\n" + line + b"\n")
            past = history.read(self.folder)
            self.assertEqual(1, len(past.runs), wrong[:50])
            self.assertEqual(1, len(past.damage), wrong[:50])
            self.assertIn(words, past.damage[0])
            self.assertIn("line 1", past.damage[0])

    def test_what_is_no_file_is_said(self):
        self.path.symlink_to("/dev/full")
        self.assertEqual([f"{history.NAME} is no regular file"], history.read(self.folder).damage)
        with self.assertRaisesRegex(outputs.OutputError, "No space left"):
            history.append(self.folder, a_run())

    def test_a_full_disk_leaves_the_file_as_it_was(self):
        history.append(self.folder, a_run("r1"))
        before = self.path.read_bytes()
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with mock.patch("os.fsync", side_effect=error):
            with self.assertRaisesRegex(outputs.OutputError, "No space left"):
                history.append(self.folder, a_run("r2"))
        self.assertEqual(before, self.path.read_bytes())

    def test_runs_that_end_at_once_are_all_there(self):
        program = ("import sys; sys.path.insert(0, sys.argv[1]); import json, pathlib\n"
                   "from report_lib import history\n"
                   "run = json.loads(sys.argv[3])\n"
                   "for i in range(20):\n"
                   "    run['id'] = f'{sys.argv[4]}-{i}'\n"
                   "    history.append(pathlib.Path(sys.argv[2]), run)\n")
        words = [sys.executable, "-c", program, TREE / "scripts", self.folder, json.dumps(a_run())]
        processes = [subprocess.Popen([*words, str(i)]) for i in range(4)]
        self.assertEqual([0] * 4, [process.wait() for process in processes])
        past = history.read(self.folder)
        self.assertEqual((80, []), (len({run["id"] for run in past.runs}), past.damage))


class Intervals(unittest.TestCase):
    """Against figures from tables, and from scipy.stats.binomtest."""

    def test_none_failed(self):
        self.assertAlmostEqual(0.029513, sample.interval(0, 100)[1], 5)
        self.assertAlmostEqual(3 / 1e6, sample.interval(0, 10**6)[1], 7)
        self.assertEqual(0, sample.interval(0, 100)[0])

    def test_some_failed(self):
        low, high = sample.interval(1, 10)
        self.assertAlmostEqual(0.0025286, low, 6)
        self.assertAlmostEqual(0.4450161, high, 6)
        low, high = sample.interval(10, 10)
        self.assertAlmostEqual(0.6915029, low, 6)
        self.assertEqual(1, high)

    def test_wider_with_fewer(self):
        self.assertGreater(sample.interval(0, 10)[1], sample.interval(0, 1000)[1])


class Growths(unittest.TestCase):
    @staticmethod
    def grow(features, seconds=1.0):
        growth = Growth()
        for index, each in enumerate(features):
            growth.add(Point(index * seconds, index, each // 2, each, 1), True)
        return growth

    def test_the_last_find_is_the_last_rise(self):
        self.assertEqual(3, self.grow([10, 10, 20, 21, 21, 21]).last_find)
        self.assertIsNone(self.grow([0, 10, 10]).last_find, "what was there is no find")

    def test_what_is_loaded_is_no_find(self):
        growth = Growth()
        growth.add(Point(0, 0, 5, 5, 1), False)
        growth.add(Point(1, 0, 9, 9, 1), False)
        self.assertIsNone(growth.last_find)

    def test_points_stay_few_and_hold_the_last(self):
        growth = self.grow(range(5000))
        self.assertLessEqual(len(growth.whole()), POINTS_MAX + 1)
        self.assertGreater(len(growth.whole()), POINTS_MAX // 4)
        self.assertEqual(4999, growth.whole()[-1].features)
        seconds = [point.seconds for point in growth.whole()]
        self.assertEqual(sorted(set(seconds)), seconds)

    def test_bars(self):
        self.assertEqual("", self.grow([5]).bars(4, False))
        self.assertEqual("▁▁▁▁", self.grow([5, 5, 5]).bars(4, False))
        self.assertEqual("....", self.grow([5, 5, 5]).bars(4, True))
        bars = self.grow(range(10, 90)).bars(8, False)
        self.assertEqual(8, len(bars))
        self.assertEqual(sorted(bars), list(bars))
        self.assertEqual("█", bars[-1])


class Planted(unittest.TestCase):
    """The watchman, with a stand-in for scripts/fuzz that ends as it is told."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        for folder in ("docs", "fuzz/bugs", "scripts", "build/fuzz-logs"):
            (self.root / folder).mkdir(parents=True)
        rows = [f"| {name}: what. | {where} | 1 | 1/0.1 | - | - | - | - | - | {found} | 0.1 | 1 |"
                for name, where, found in (("quick", "src/heap", "12k/0.21"),
                                           ("slow", "src/heap", "9/2.01"), ("none", "src/heap", "-"),
                                           ("other", "src/alloc", "1/0.1"),
                                           ("gone", "src/heap", "1/0.1"))]
        (self.root / "docs/bugs.md").write_text("\n".join(rows) + "\n")
        for name in ("quick", "slow", "none", "other"):
            (self.root / f"fuzz/bugs/{name}.patch").write_text("")
        patcher = mock.patch.object(sys, "argv", [str(self.root / "scripts" / "x")])
        patcher.start()
        self.addCleanup(patcher.stop)

    def watch(self, body, seconds=10):
        """(what came to light, the watchman)"""
        (self.root / "scripts" / "fuzz").write_text(f"import sys, time\n{body}\n")
        watchman = Watchman(self.root, 2, 100.0, seed=1)
        self.assertIsNone(watchman.tick(100.9, 200))
        self.assertIsNone(watchman.process)
        end = time.monotonic() + seconds
        found = watchman.tick(101.0, 200)
        self.assertIsNotNone(watchman.process)
        while found is None and not watchman.tries and time.monotonic() < end:
            time.sleep(0.05)
            found = watchman.tick(103.0, 200)
        return found, watchman

    def test_only_what_is_found_at_once_is_drawn(self):
        self.assertEqual(["quick"], candidates(self.root))
        (self.root / "docs/bugs.md").unlink()
        with self.assertRaisesRegex(script.SetupError, "docs/bugs.md names no planted bug"):
            candidates(self.root)

    def test_found(self):
        dead, watchman = self.watch("print('canary: the planted bug was found after 1.5s (limit')")
        self.assertIsNone(dead)
        self.assertEqual([{"bug": "quick", "at": 3.0, "seconds": 60, "found": True,
                           "found_after": 1.5}], watchman.tries)

    def test_not_found_is_a_dead_harness(self):
        dead, watchman = self.watch("print('CANARY FAILED: asleep'); sys.exit(1)")
        self.assertEqual("the harness is dead: the planted bug quick was not found as it should be "
                         "(CANARY FAILED: asleep)", dead)
        self.assertFalse(watchman.tries[0]["found"])

    def test_found_without_a_word_is_not_found(self):
        self.assertIn("the harness is dead", self.watch("")[0])

    def test_what_does_not_build_is_said(self):
        dead, _ = self.watch("print('does not build'); sys.exit(2)")
        self.assertEqual("the planted bug quick could not be fuzzed: does not build", dead)

    def test_one_that_never_ends_is_ended(self):
        (self.root / "scripts" / "fuzz").write_text("import time\ntime.sleep(100)\n")
        watchman = Watchman(self.root, 2, 100.0)
        watchman.tick(101.0, 200)
        self.assertIsNone(watchman.tick(1000.0, 2000))
        self.assertIn("the harness is dead", watchman.tick(2000.0, 3000))
        self.assertIsNone(watchman.process)

    def test_the_end_of_the_run_ends_it_uncounted(self):
        (self.root / "scripts" / "fuzz").write_text("import time\ntime.sleep(100)\n")
        watchman = Watchman(self.root, 2, 100.0)
        self.assertIsNone(watchman.tick(101.0, 101.0))
        self.assertIsNone(watchman.process, "the time is up")
        watchman.tick(101.0, 200)
        process = watchman.process
        watchman.end()
        self.assertIsNotNone(process.poll())
        self.assertEqual([], watchman.tries)

    def test_the_same_seed_draws_the_same(self):
        for name in ("a", "b", "c"):
            (self.root / f"fuzz/bugs/{name}.patch").write_text("")
        row = "| {}: what. | src/heap | 1 | 1/0.1 | - | - | - | - | - | 1/0.1 | 0.1 | 1 |\n"
        (self.root / "docs/bugs.md").write_text("".join(row.format(each) for each in "abc"))
        draws = []
        for seed in (1, 1, 2, 3, 4):
            watchman = Watchman(self.root, 2, 0.0, seed)
            draws.append([watchman.chance.choice(watchman.names) for _ in range(8)])
        self.assertEqual(draws[0], draws[1])
        self.assertGreater(len({tuple(draw) for draw in draws}), 2)


class Templates(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.NamedTemporaryFile("w", suffix=".html")
        self.addCleanup(scratch.close)
        scratch.write("<p>{{a}}</p>\n<!-- part row -->\n<b>{{b}}</b>\n<!-- end row -->\n")
        scratch.flush()
        self.template = Template(pathlib.Path(scratch.name))

    def test_text_is_escaped_and_html_is_not(self):
        self.assertEqual("<b>&lt;&quot;&amp;</b>\n", self.template.fill("row", b='<"&'))
        self.assertEqual("<p><i></p>\n", self.template.whole(a=Html("<i>")))

    def test_each_word_has_a_value_and_each_value_a_word(self):
        for values in ({}, {"b": 1, "c": 2}, {"c": 1}):
            with self.assertRaises(KeyError):
                self.template.fill("row", **values)


class Charts(unittest.TestCase):
    def test_numbers_and_times(self):
        for value, text in ((0, "0"), (1234, "1,234"), (123456, "123k"), (4.5e6, "4.5M"),
                            (12e6, "12M"), (12.34, "12.3")):
            self.assertEqual(text, charts.number(value))
        for value, text in ((0, "0s"), (90, "90s"), (600, "10m"), (7200, "2h"), (9000, "2.5h")):
            self.assertEqual(text, charts.seconds(value))

    def test_ticks_are_round_and_inside(self):
        self.assertEqual([0, 200, 400, 600, 800], charts.ticks(0, 900)[:5])
        self.assertEqual([5], charts.ticks(5, 5))
        for high in (1, 20, 61, 599, 3600, 28800, 200000):
            self.assertLessEqual(len(charts.time_ticks(high)), 8)
            self.assertLessEqual(max(charts.time_ticks(high)), high)

    def test_a_curve_is_a_step(self):
        self.assertEqual([(0, 1), (2, 1), (2, 5), (3, 5)], charts.stepped([(0, 1), (2, 5), (3, 5)]))


class Reports(TreeTest):
    def page(self):
        checker = Checker(self.build / "report" / "index.html")
        self.assertEqual([], checker.faults)
        return checker.text

    def data(self):
        return json.loads((self.build / "report" / "report.json").read_text())

    def history(self):
        return history.read(self.build / "report")

    def test_a_clean_run_leaves_a_report(self):
        status, out, err = self.run_script("--time", "6", "--no-merge")
        self.assertEqual((0, ""), (status, err), out)
        self.assertTrue(out.endswith("\n  report: build/report/index.html\n"), out)
        text = self.page()
        for words in ("Nothing found", "Is the harness alive? Not measured", "make fuzz-canary",
                      "None, in this run or kept from earlier ones."):
            self.assertIn(words, text)
        run = self.data()["run"]
        summary = self.summary()
        for name, target in run["targets"].items():
            self.assertEqual(summary["targets"][name]["executions"], target["executions"])
            self.assertEqual(summary["targets"][name]["coverage"], target["edges"])
            self.assertEqual(0, target["corpus_start"])
            self.assertGreater(target["corpus"], 0)
            self.assertLessEqual(target["edges_start"], target["edges"])
            self.assertGreater(target["peak_mb"], 10)
            self.assertEqual(0, target["slowest_seconds"])
            self.assertIsNone(target["stability"], "libFuzzer measures none")
            self.assertEqual(target["executions"], target["growth"][-1][1])
            self.assertIn(f" {name} {target['executions']:,} ", text)
        self.assertEqual((4, ["a b", "b b"]), (run["pairs"]["all"], run["pairs"]["never"]))
        self.assertEqual(target_files(self.build), run["pairs"]["scripts"])
        self.assertIn("Of 4 pairs of operations, one after the other, 2 stand in", text)
        self.assertIn("Conditions: not measured; make coverage-heap", text)
        self.assertGreater(run["processor_seconds"], 0.1)
        self.assertEqual(len(set(run["seeds"])), len(run["seeds"]))
        self.assertGreaterEqual(len(run["seeds"]), 3)
        log = (self.build / "fuzz-logs" / "heap-0.1.log").read_text()
        self.assertIn(f"Seed: {run['seeds'][0]}", "".join(
            path.read_text() for path in (self.build / "fuzz-logs").glob("*.log")), log)
        self.assertIsNone(run["commit"], "this tree has none")
        self.assertEqual([run["id"]], [each["id"] for each in self.history().runs])

    def test_what_is_not_reached_is_listed_and_compared(self):
        measured = self.build / "coverage" / "corpus.json"
        measured.parent.mkdir()
        data = {"made": "2026-12-01T03:00:00+0000", "taken": 97, "all": 100,
                "never": [f"src/heap/a.c:{line}:5: f: never true: x" for line in (10, 20)]
                + ["src/heap/b.c:1:1: g: never false: y"]}
        measured.write_text(json.dumps(data))
        self.run_script("--time", "1", "--no-merge", "heap")
        text = self.page()
        self.assertIn("Of 100 sides of branches of the heap the corpus alone, without any suite, "
                      "takes 97 (97.0%), as make coverage-heap measured on 2026-12-01 03:00.", text)
        self.assertIn("3 sides never reached", text)
        self.assertIn("src/heap/b.c:1:1: g: never false: y", text)
        self.assertNotIn("reached for the first time", text)
        # One of two that read the same is reached now, the other one has moved, and one is lost.
        data["never"] = ["src/heap/a.c:31:5: f: never true: x", "src/heap/c.c:1:1: h: never true: z"]
        data["taken"] = 98
        measured.write_text(json.dumps(data))
        self.run_script("--time", "1", "--no-merge", "heap")
        text = self.page()
        self.assertIn("Since the run before that knew them: 2 reached for the first time, 1 not "
                      "reached any more.", text)
        self.assertIn("1 side lost", text)
        self.assertIn("Since the run before that counted them: 0 reached for the first time, 0 not",
                      text)
        # What is measured after a run comes with make report.
        data["made"] = "2026-12-01T04:00:00+0000"
        measured.write_text(json.dumps(data))
        self.assertEqual(0, self.run_script(script="report")[0])
        self.assertIn("2026-12-01 04:00", self.page())
        for damage in ("{", "[]", json.dumps({**data, "never": [1]}), json.dumps({**data, "all": "x"})):
            measured.write_text(damage)
            self.assertEqual(0, self.run_script(script="report")[0])
            self.assertIn("2026-12-01 04:00", self.page(), "what the run knew stays")

    def test_pairs_that_cannot_be_counted_are_not_measured(self):
        heaplab = self.build / "fuzz" / "heaplab"
        heaplab.write_text("#!/bin/sh\nexit 2\n")
        self.run_script("--time", "1", "--no-merge", "heap")
        self.assertIn("Pairs of operations: not measured in this run.", self.page())

    def test_the_next_run_begins_where_the_last_one_ended(self):
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap")
        corpus = self.data()["run"]["targets"]["heap"]["corpus"]
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap")
        run = self.data()["run"]
        self.assertEqual(corpus, run["targets"]["heap"]["corpus_start"])
        self.assertEqual(2, len(self.history().runs))
        self.assertIn("The latest 2 of 2 runs", self.page())
        self.assertIn("edges of heap over 2 runs", self.page().replace(",", ""))

    def test_a_finding_is_shown_with_what_replays_it(self):
        bugs = {"heap": "bug1"}
        self.seed("heap", "B1", b"B1")
        status, out, _ = self.run_script("--time", "2", "--no-merge", "--cores", "1", "heap",
                                         bugs=bugs)
        self.assertEqual(1, status, out)
        found = self.data()["run"]["findings"]
        self.assertEqual(["property=blocks detail=size"], [one["signature"] for one in found])
        self.assertTrue(found[0]["new"])
        self.assertEqual([5, 5], found[0]["again"])
        self.assertTrue(found[0]["shrunk"])
        text = self.page()
        for words in ("1 finding, 1 new", "fails 5 of 5 times", "byte 42", found[0]["command"],
                      "The shrunk script, 3 lines", "First met at commit not known"):
            self.assertIn(words, text)
        script = self.build / "report" / found[0]["files"]["script"]
        self.assertEqual("heap standin\nbyte 42\nbyte 31\n", script.read_text())

        # Now it is known, and then it is mended.
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap", bugs=bugs)
        self.assertFalse(self.data()["run"]["findings"][0]["new"])
        self.assertIn("1 finding, 0 new", self.page())
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap")
        older = self.data()["run"]["older"]
        self.assertEqual([("fixed", [0, 3])], [(one["status"], one["again"]) for one in older])
        self.assertIn("1 finding of earlier runs that were not met: 1 fixed", self.page())

    def test_a_script_that_drifts_is_not_called_shrunk(self):
        """The stand-in fails in another way in text form."""
        self.seed("heap", "B1", b"B1")
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "heap", bugs={"heap": "bug1"})
        shutil.rmtree(self.build / "report" / "findings")
        path = self.build / "report" / "report.json"
        data = self.data()
        data["run"]["findings"][0]["files"] = None
        path.write_text(json.dumps(data))
        self.run_script(script="report", bugs={"heap": "bug1 drift"})
        found = self.data()["run"]["findings"][0]
        self.assertFalse(found["shrunk"])
        self.assertIn("script, not shrunk", self.page())

    def test_an_interrupted_run_has_a_report_and_make_report_completes_it(self):
        self.seed("heap", "B1", b"B1")
        bugs = {"heap": "bug1"}
        process = self.start("--time", "60", "--no-merge", "--cores", "1", "heap", bugs=bugs)
        end = time.monotonic() + 30
        while time.monotonic() < end and not any(self.count("heap-blocks") for _ in (1,)):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(1, process.returncode)
        self.assertIn("Replayed: not tried.", self.page())
        status, out, err = self.run_script(script="report", bugs=bugs)
        self.assertEqual((0, "report: build/report/index.html\n", ""), (status, out, err))
        self.assertIn("fails 5 of 5 times", self.page())
        self.assertEqual(1, len(self.history().runs), "the same run")

    def test_no_run_is_said(self):
        status, out, err = self.run_script(script="report")
        self.assertEqual((2, ""), (status, out))
        self.assert_one_line(err, "build/report has no run to report", "make fuzz")

    def test_a_damaged_history_is_said_and_the_rest_used(self):
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "text")
        path = self.build / "report" / history.NAME
        path.write_bytes(b'{"half": \n' + path.read_bytes() + b'{"id": "no')
        status, out, err = self.run_script(script="report")
        self.assertEqual(0, status, err)
        self.assertEqual(2, len(err.splitlines()), err)
        self.assertIn("history.jsonl, line 1: is no JSON; it is left out", err)
        self.assertIn("history.jsonl, line 3: was not written to its end", err)
        self.assertIn("line 1: is no JSON; it is left out", self.page())
        self.assertIn("The latest 1 of 1 run,", self.page())

    def test_a_damaged_report_is_made_anew_from_the_history(self):
        self.run_script("--time", "1", "--no-merge", "--cores", "1", "text")
        for data in (b"", b"{", b"[]", b'{"run": {}}', b"\xff"):
            (self.build / "report" / "report.json").write_bytes(data)
            status, _, err = self.run_script(script="report")
            self.assertEqual((0, ""), (status, err))
            self.assertIn("Nothing found", self.page())
            self.assertEqual(1, len(self.data()["run"]["targets"]))

    def test_a_full_disk_loses_the_report_only(self):
        for name in ("index.html", history.NAME):
            folder = self.build / "report"
            folder.mkdir(exist_ok=True)
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to("/dev/full")
            status, out, err = self.run_script("--time", "1", "--no-merge", "--cores", "1", "text")
            self.assertEqual(0, status, out)
            self.assert_one_line(err, "no report was written", name, "No space left", "make report")
            self.assertEqual("clean", self.summary()["result"])
            (folder / name).unlink()

    def test_words_of_a_signature_are_no_html(self):
        evil = "property=<script>alert(1)</script> detail=\"&amp;"
        run = a_run(findings=[{"signature": evil, "target": "heap", "kind": "blocks",
                               "folder": "build/findings/none", "command": "<b>"}],
                    problems=["<i>"], result="findings")
        (self.build / "report").mkdir()
        history.append(self.build / "report", run)
        status, _, err = self.run_script(script="report")
        self.assertEqual((0, ""), (status, err))
        self.assertIn(evil, self.page())

    def free_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def get(self, port, path="/", host=None):
        """(status, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_a_run_is_served_while_it_runs(self):
        port = self.free_port()
        process = self.start("--time", "30", "--no-merge", "--cores", "1", "--serve", str(port),
                             "text")
        end = time.monotonic() + 20
        status, text = 0, ""
        while time.monotonic() < end and "Running" not in text:
            time.sleep(0.2)
            try:
                status, text = self.get(port)
            except OSError:
                pass  # not yet
        self.assertEqual(200, status)
        self.assertIn('<h1 class="warn">Running</h1>', text)
        self.assertIn('http-equiv="refresh" content="5"', text)
        self.assertEqual(200, self.get(port, "/report.json")[0])
        for path in ("/../fuzz.lock", "/%2e%2e/fuzz.lock", "/findings", "/findings/", "/none"):
            self.assertEqual(404, self.get(port, path)[0], path)
        self.assertEqual(403, self.get(port, host=f"evil.example:{port}")[0])
        # A second run cannot have the port, nor the folder.
        second, out, err = self.run_script("--time", "1", "--serve", str(port), "--check")
        self.assertEqual((2, ""), (second, out))
        self.assert_one_line(err, f"port {port}", "in use", "another")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((130, ""), (process.returncode, err))
        self.assertIn(f"the report, while it runs: http://127.0.0.1:{port}/", out)
        self.assertNotIn("http-equiv=\"refresh\"", (self.build / "report/index.html").read_text())
        self.assertRaises(OSError, self.get, port)

    def test_a_port_that_is_none_is_refused(self):
        for text in ("0", "65536", "-1", "http", "80 80", "\u0663", ""):
            status, _, err = self.run_script("--check", "--serve", text)
            self.assertEqual(2, status, text)
            self.assert_one_line(err, "SERVE=", "from 1 to 65535")

    def test_a_planted_bug_that_is_not_found_fails_the_run(self):
        (self.root / "docs").mkdir()
        (self.root / "docs/bugs.md").write_text(
            "| some: what. | src/heap | 1 | 1/0.1 | - | - | - | - | - | 1/0.1 | 0.1 | 1 |\n")
        (self.root / "fuzz/bugs").mkdir()
        (self.root / "fuzz/bugs/some.patch").write_text("--- a/none.c\n+++ b/none.c\n")
        process = self.start("--time", "100", "--no-merge", "--cores", "1", "--planted-every", "1s",
                             "text")
        out = ""
        while "PROBLEM" not in out and (line := process.stdout.readline()):
            out += line
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
        out += rest
        self.assertEqual((1, ""), (process.returncode, err), out)
        self.assertIn("PROBLEM: the planted bug some could not be fuzzed: ", out)
        self.assertIn("so this run proves nothing", out)
        canary = self.data()["run"]["canary"]
        self.assertEqual(("some", False), (canary["tries"][0]["bug"], canary["tries"][0]["found"]))
        self.assertIn("The harness is dead: of ", self.page())

    def test_planted_bugs_that_are_found_are_told(self):
        tries = [{"bug": "a", "at": 5.0, "seconds": 60, "found": True, "found_after": 2.0},
                 {"bug": "b", "at": 8.0, "seconds": 60, "found": True, "found_after": 1.0}]
        (self.build / "report").mkdir()
        history.append(self.build / "report", a_run(canary={"tries": tries}))
        self.run_script(script="report")
        self.assertIn("The harness is alive: 2 planted bugs found by this run's own build chain, "
                      "the last one (b) after 1.0 s, 2s before the end.", self.page())

    def test_earlier_runs_are_a_band(self):
        (self.build / "report").mkdir()
        for number in range(4):
            history.append(self.build / "report", a_run(f"r{number}"))
        self.run_script(script="report")
        self.assertIn("Band: 3 earlier runs", self.page())
        self.assertIn('<polygon class="band"', (self.build / "report/index.html").read_text())


if __name__ == "__main__":
    unittest.main()
