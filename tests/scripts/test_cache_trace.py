#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of examples/cache_trace: the hits of LRU, SIEVE and Belady's rule on random traces are those
that a few lines of Python count, and traces that are none are refused in one line. Needs
`make build/debug/examples/cache_trace`.

  tests/scripts/test_cache_trace.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import random
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = TREE / "build/debug/examples/cache_trace"


def lru(keys, size):
    order, hits = [], 0
    for key in keys:
        if key in order:
            hits += 1
            order.remove(key)
        elif len(order) == size:
            order.pop(0)
        order.append(key)
    return hits


def sieve(keys, size):
    order, visited, hand, hits = [], set(), 0, 0
    for key in keys:
        if key in order:
            hits += 1
            visited.add(key)
            continue
        if len(order) == size:
            while order[hand % size] in visited:
                visited.discard(order[hand % size])
                hand = hand % size + 1
            hand %= size
            order.pop(hand)  # the hand is at the next one now
            if hand == len(order):
                hand = 0
        order.append(key)
    return hits


def best(keys, size):
    held, hits = set(), 0
    for i, key in enumerate(keys):
        if key in held:
            hits += 1
            continue
        if len(held) == size:
            rest = keys[i + 1:]
            held.remove(max(held, key=lambda k: rest.index(k) if k in rest else len(keys)))
        held.add(key)
    return hits


def setUpModule():
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing: `make {PROGRAM.relative_to(TREE)}` builds it")


class CacheTrace(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_cache_trace-")
        self.addCleanup(scratch.cleanup)
        self.path = pathlib.Path(scratch.name, "trace")

    def run_on(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def hits(self, policy, size):
        done = self.run_on(policy, size, self.path)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return list(map(int, done.stdout.split()))

    def test_random_traces(self):
        source = random.Random(20261130)
        for _ in range(12):
            distinct = source.randint(1, 30)
            keys = [int(source.paretovariate(0.6)) % distinct for _ in range(300)]
            self.path.write_text("".join(f"{key * 7919} {key} name\n" for key in keys))
            for size in (1, 2, source.randint(3, 12), 40):
                for policy, due in (("--lru", lru), ("--sieve", sieve), ("--best", best)):
                    with self.subTest(policy=policy, size=size, distinct=distinct):
                        self.assertEqual([300, len(set(keys)), due(keys, size)],
                                         self.hits(policy, size))

    def test_the_largest_key(self):
        self.path.write_text(f"{2 ** 64 - 1}\n0\n{2 ** 64 - 1}")
        self.assertEqual([3, 2, 1], self.hits("--lru", 2))

    def refused(self, words, *arguments):
        done = self.run_on(*arguments)
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, rf"^cache_trace: .*{words}.*\n$")

    def test_what_is_no_trace(self):
        for text in ("x\n", "1\n\n", "1\n2x\n", "1,2\n", f"{2 ** 64}\n"):
            self.path.write_text(text)
            self.refused("a line that does not begin with a number", "--lru", 2, self.path)
        self.path.write_text("")
        self.refused("has no accesses", "--best", 2, self.path)
        self.refused("cannot be opened", "--sieve", 2, self.path.with_name("none"))

    def test_bad_calls(self):
        self.path.write_text("1\n")
        self.refused("is no policy", "--fifo", 2, self.path)
        for arguments in (("--lru",), ("--lru", 2), ("--lru", 0, self.path),
                          ("--lru", 2 ** 20 + 1, self.path), ("--lru", "x", self.path),
                          ("--lru", 2, self.path, 4)):
            self.refused("usage", *arguments)


if __name__ == "__main__":
    unittest.main()
