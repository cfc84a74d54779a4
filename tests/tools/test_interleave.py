#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make interleave: its sample is clean and says how much it explored, and notices a mistake
that shows in one order of atomic operations only. Needs what make tools-test builds, and gcc.

  tests/tools/test_interleave.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import re
import tempfile
from pathlib import Path

import tap
from planted import TREE, plant, run

PROGRAM = "build/interleave/interleave"
STACK = "alloc/index_stack.h"


def compiled_with(folder, path, old, new):
    """The program over a library with `old` in a file of src/ replaced."""
    plant(folder, path, old, new)
    sources = [*(TREE / "fuzz/interleave").glob("*.c"), TREE / "fuzz/cli/progress.c", *(folder / "src/base").glob("*.c"),
               *(folder / "src/alloc").glob("*.c"), *(folder / "src/os").glob("*.c")]
    status, printed = run("gcc", "-std=c11", "-O1", "-w", "-DTH_GUARD=3", "-DTH_ASSERTS=1",
                          "-Iinclude", f"-I{folder / 'src'}", "-Ifuzz", "-ffunction-sections",
                          "-Wl,--gc-sections", *sources, *(folder / "src/heap").glob("*.c"),
                          "-o", folder / "interleave")
    assert status == 0, printed
    return folder / "interleave"


def test_the_sample_is_clean_and_says_how_much_it_explored():
    status, printed = run(PROGRAM, "--quick")
    assert status == 0, printed
    families = re.findall(r": (\d+) programs, (\d+) interleavings, (\d+) states  clean$", printed,
                          re.M)
    assert len(families) >= 5, printed
    assert sum(int(interleavings) for _, interleavings, _ in families) > 10 ** 12, printed
    explored = re.search(r"^(\d+) programs, (\d+) states explored$", printed, re.M)
    assert explored and int(explored[1]) == sum(int(programs) for programs, _, _ in families)
    assert printed.endswith(" passed, 0 failed\n")


def test_a_tag_that_stays_is_noticed():
    with tempfile.TemporaryDirectory() as name:
        program = compiled_with(Path(name), STACK, "(old) + 1, below)", "(old), below)")
        status, printed = run(program, "--quick")
    assert status == 1, printed
    assert re.search(r"^VIOLATION interleave pool: ", printed, re.M), printed
    assert re.search(r"^  who went on: [01]+$", printed, re.M), printed


def test_bad_options_are_refused():
    status, printed = run(PROGRAM, "--fast")
    assert status == 2
    assert printed == "usage: interleave [--quick]\n", printed
    assert run(PROGRAM, "--help") == (0, printed)


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
