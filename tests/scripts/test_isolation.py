#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that no call of the tagged heap is left out where two heaps are played against one another, and
where one is frozen:

  tests/scripts/test_isolation.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import re
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
FUNCTION = re.compile(r"^(?:\w[\w ]*[ *])(th_heap_\w+)\(", re.MULTILINE)
CHANGING = re.compile(r"\b(th_heap_\w+)\(th_heap \*heap[,)]")

# What a heap of which nobody else knows anything is started with, by its own means.
NOT_FROZEN = {"th_heap_init": "starts the heap anew", "th_heap_attach": "the same",
              "th_heap_detach": "changes nothing",
              "th_heap_freeze": "see th_heap_thaw", "th_heap_thaw": "ends it"}


def read(name):
    return (TREE / name).read_text(encoding="utf-8")


def missing(names, text):
    return sorted(name for name in names if not re.search(rf"\b{name}\(", text))


class Isolation(unittest.TestCase):
    header = re.sub(r"/\*.*?\*/", "", read("include/tagheap/heap.h"), flags=re.S)

    def test_the_calls_are_found(self):
        names = set(FUNCTION.findall(self.header))
        self.assertIn("th_heap_alloc", names)
        self.assertGreater(len(names), 30)
        self.assertGreater(len(set(CHANGING.findall(self.header))), 15)

    def test_every_call_is_played_on_two_heaps(self):
        self.assertEqual(missing(set(FUNCTION.findall(self.header)),
                                 read("tests/test_isolation.c")), [])

    def test_every_change_is_tried_on_a_frozen_heap(self):
        names = set(CHANGING.findall(self.header)) - set(NOT_FROZEN)
        self.assertEqual(missing(names, read("tests/test_page_heap.c")), [])

    def test_a_call_that_is_left_out_is_named(self):
        self.assertEqual(missing({"th_heap_alloc", "th_heap_none"}, "x = th_heap_alloc(1);"),
                         ["th_heap_none"])


if __name__ == "__main__":
    unittest.main()
