#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make relacy: the sample of its programs is clean, and notices a memory order that is too
weak. Needs build/relacy/check, which make tools-test builds, and relacy.

  tests/tools/test_relacy.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import re
import tempfile
from pathlib import Path

import tap
from planted import plant, run

CHECK = "build/relacy/check"


def compiled_with(folder, path, old, new):
    """The program, with `old` in a file of src/ replaced."""
    plant(folder, path, old, new)
    status, printed = run("g++", "-std=c++17", "-O1", "-Isanitize/relacy", "-Iinclude",
                          f"-I{folder / 'src'}", "sanitize/relacy/check.cpp", "-o", folder / "check")
    assert status == 0, printed
    return folder / "check"


def test_the_sample_is_clean_and_says_how_much_it_explored():
    status, printed = run(CHECK, "--quick")
    assert status == 0, printed
    assert "VIOLATION" not in printed
    explored = re.search(r"^(\d+) executions explored$", printed, re.M)
    assert explored and int(explored[1]) > 100_000, printed
    assert len(re.findall(r" 2 threads +\d+ executions +clean$", printed, re.M)) >= 4, printed
    assert re.search(r" 3 threads +\d+ executions +clean$", printed, re.M), printed
    assert printed.endswith(" passed, 0 failed\n")


def test_a_release_that_is_missing_is_a_data_race():
    with tempfile.TemporaryDirectory() as name:
        check = compiled_with(Path(name), "alloc/index_stack.h", "TH_RELEASE, TH_RELAXED)",
                              "TH_RELAXED, TH_RELAXED)")
        status, printed = run(check, "stack-hand-over")
    assert status == 1, printed
    assert "VIOLATION relacy stack-hand-over: DATA RACE" in printed, printed


def test_a_name_that_no_program_has_is_refused():
    status, printed = run(CHECK, "nonesuch")
    assert status == 2
    assert printed == "check: no program has such a name; without one, all are run\n", printed
    for arguments in (("--bogus",), ("--quick", "--bogus"), ("stack-last-one", "--bogus"), ("-q",),
                      ("--bogus", "--help")):
        status, printed = run(CHECK, *arguments)
        assert status == 2, arguments
        option = "--bogus" if "--bogus" in arguments else "-q"
        assert printed == f"check: there is no option {option}; check [--quick] [PART OF A NAME]...\n"
    assert run(CHECK, "--help") == (0, "usage: check [--quick] [PART OF A NAME]...\n")


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
