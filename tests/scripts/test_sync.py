#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make fuzz SYNC=: several machines, each a tree of its own here, share their finds through a
folder. Needs clang, and AFL++ for the one that takes part by itself.

  tests/scripts/test_sync.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import fcntl
import pathlib
import re
import shutil
import tempfile
import unittest

import surroundings

surroundings.make_usual()

from standin_tree import TREE, TreeTest, setUpModule, tearDownModule

sys.path.insert(0, str(TREE / "scripts"))

from common_lib.script import SetupError
from fuzz_lib import corpus, targets
from fuzz_lib.sync import GIVEN, Share


class Machine:
    """A tree with a corpus, and its part in the folder."""

    def __init__(self, folder, shared, host):
        self.files = corpus.Corpus(folder / host, targets.describe("heap"))
        self.files.open()
        self.share = Share(shared, host)
        self.problems = []
        self.share.open({"heap": self.files})

    def keep(self, *finds):
        for data in finds:
            (self.files.folder / corpus.sha1(data)).write_bytes(data)

    def kept(self):
        return sorted(path.read_bytes() for path in self.files.folder.iterdir())

    def exchange(self, now=0.0, force=True):
        self.share.exchange(now, self.problems.append, force)


class Shares(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_sync-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.shared = self.folder / "shared"
        self.shared.mkdir()

    def machine(self, host):
        machine = Machine(self.folder, self.shared, host)
        self.addCleanup(machine.share.close)
        return machine

    def queue(self, host):
        return sorted((self.shared / "heap" / host / "queue").iterdir())

    def test_finds_go_both_ways_and_not_back(self):
        a, b = self.machine("a"), self.machine("b")
        a.keep(b"1", b"2")
        b.keep(b"2", b"3")
        for _ in range(3):
            a.exchange()
            b.exchange()
        self.assertEqual([b"1", b"2", b"3"], a.kept())
        self.assertEqual(a.kept(), b.kept())
        self.assertEqual([2, 2], [len(self.queue(host)) for host in "ab"])
        self.assertEqual((2, 1), (a.share.gave, a.share.took))
        self.assertEqual((2, 1), (b.share.gave, b.share.took))
        self.assertEqual([], a.problems + b.problems)
        self.assertEqual(["id:000001,sha1:" + corpus.sha1(b"1"), "id:000002,sha1:" + corpus.sha1(b"2")],
                         [path.name for path in self.queue("a")])

    def test_a_later_run_goes_on(self):
        a = self.machine("a")
        a.keep(b"1")
        a.exchange()
        first, = self.queue("a")
        first.rename(first.with_name(first.name.replace("000001", "000007")))
        a.share.close()
        again = self.machine("a")
        again.keep(b"2")
        again.exchange()
        self.assertEqual(["id:000007", "id:000008"], [path.name[:9] for path in self.queue("a")])
        self.assertEqual(1, again.share.gave)

    def test_names_of_the_engines_own(self):
        """AFL++'s finds stand in the corpus by their hash, libFuzzer's too; others by any name."""
        a = self.machine("a")
        (a.files.folder / "mine").write_bytes(b"1")
        (a.files.folder / ".hidden").write_bytes(b"2")
        a.keep(b"1")
        a.exchange()
        self.assertEqual(1, len(self.queue("a")))

    def test_what_is_half_written_is_taken_when_it_is_whole(self):
        a, queue = self.machine("a"), self.shared / "heap" / "b" / "queue"
        queue.mkdir(parents=True)
        path = queue / f"id:000001,sha1:{corpus.sha1(b'whole')}"
        path.write_bytes(b"who")
        a.exchange()
        self.assertEqual([], a.kept())
        path.write_bytes(b"whole")
        a.exchange()
        self.assertEqual([b"whole"], a.kept())

    def test_afl_takes_part(self):
        a, queue = self.machine("a"), self.shared / "heap" / "m" / "queue"
        queue.mkdir(parents=True)
        (queue / "id:000000,time:0,execs:0,orig:first").write_bytes(b"theirs")
        (queue / "id:000001,time:9,execs:0,op:havoc").write_bytes(b"")
        (queue / "id:000002,time:9,execs:0,op:havoc").write_bytes(b"x" * 4097)
        (queue / ".state").mkdir()
        a.exchange()
        self.assertEqual([b"theirs"], a.kept())
        self.assertEqual({"theirs"}, {path.read_text() for path in a.files.folder.iterdir()})
        self.assertEqual([corpus.sha1(b"theirs")], a.files.not_lent())  # our afl-fuzz gets it, too

    def test_every_so_often(self):
        a, b = self.machine("a"), self.machine("b")
        a.keep(b"1")
        a.exchange(100.0, force=False)
        b.exchange(100.0, force=False)
        a.keep(b"2")
        a.exchange(129.9, force=False)
        self.assertEqual(1, len(self.queue("a")))
        a.exchange(130.0, force=False)
        self.assertEqual(2, len(self.queue("a")))
        b.exchange(120.0, force=False)
        self.assertEqual([b"1"], b.kept())

    def test_a_folder_that_fails_is_told_of(self):
        a = self.machine("a")
        a.keep(b"1")
        shutil.rmtree(self.shared / "heap")
        a.exchange()
        self.assertRegex(a.problems[0], "^finds are not shared: .*queue.*: there is no such folder")

    def test_one_run_of_each_name(self):
        self.machine("a")
        with self.assertRaisesRegex(SetupError, "another run is HOST_NAME=a in"):
            Machine(self.folder, self.shared, "a")

    def test_a_folder_that_cannot_be_written(self):
        with self.assertRaisesRegex(SetupError, "^SYNC: "):
            Machine(self.folder, self.folder / "none", "a")


class Runs(TreeTest):
    def setUp(self):
        super().setUp()
        self.shared = self.root / "shared"
        self.shared.mkdir()

    def finds(self, root):
        return {path.read_bytes() for path in (root / "build/fuzz-corpus/heap").glob("[0-9a-f]*")}

    def test_two_machines_share_finds(self):
        """The second one, which runs after the first, has what that has found, and its own."""
        mine = b"only on the first machine"
        (self.build / "fuzz-corpus" / "heap").mkdir(parents=True)
        (self.build / "fuzz-corpus" / "heap" / corpus.sha1(mine)).write_bytes(mine)
        status, out, err = self.run_script("--time", "1", "--no-merge", "heap",
                                           env={"SYNC": str(self.shared), "HOST_NAME": "one"})
        self.assertEqual((0, ""), (status, err), out)
        given = list((self.shared / "heap" / "one" / "queue").iterdir())
        self.assertGreater(len(given), 1)
        self.assertTrue(all(GIVEN.fullmatch(path.name) for path in given))
        self.assertIn(f"shared as one: {len(given)} inputs given, 0 taken\n", out)
        first = self.finds(self.root)
        other = self.root / "other"
        for folder in ("fuzz", "build/fuzz"):
            shutil.copytree(self.root / folder, other / folder)
        status, out, err = self.run_script("--root", other, "--sync", self.shared, "--host", "two",
                                           "--time", "1", "--no-merge", "heap")
        self.assertEqual((0, ""), (status, err), out)
        self.assertLessEqual(first, self.finds(other))
        taken = int(re.search(r"shared as two: \d+ inputs given, (\d+) taken\n", out)[1])
        self.assertTrue(1 <= taken <= len(given), out)
        self.assertIn(mine, self.finds(other))

    def refused(self, *arguments, words, **env):
        status, out, err = self.run_script(*arguments, env=env)
        self.assertEqual((2, ""), (status, out), err)
        self.assert_one_line(err, *words)

    def test_what_is_refused(self):
        self.refused(words=["SYNC=", "is no folder"], SYNC=str(self.root / "none"))
        self.refused(words=["HOST_NAME='a/b'"], SYNC=str(self.shared), HOST_NAME="a/b")
        self.refused(words=["HOST_NAME='.a'"], SYNC=str(self.shared), HOST_NAME=".a")
        self.refused(words=["HOST_NAME='a' goes with SYNC"], HOST_NAME="a")
        self.refused("--canary", words=["--canary", "SYNC"], SYNC=str(self.shared))
        with open(self.shared / ".one.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refused("--time", "1", words=["another run is HOST_NAME=one"],
                         SYNC=str(self.shared), HOST_NAME="one")


if __name__ == "__main__":
    unittest.main()
