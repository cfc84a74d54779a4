#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make kill-test: a sample says how often processes died and what of that was in a repair;
options are explained and refused. Needs build/debug/killtest, which make tools-test builds.

  tests/tools/test_killtest.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import re

import tap
from planted import run

KILLTEST = "build/debug/killtest"


def test_a_sample_says_who_died():
    status, printed = run(KILLTEST, "--kills", "0", "--stride", "60", "--nested", "1", "--only", "free")
    assert status == 0, printed
    said = re.search(r"^killtest: (\d+) deaths, (\d+) of them in a repair; \d+ repairs; seed 1; ",
                     printed, re.M)
    assert said and int(said[1]) > int(said[2]) > 0, printed
    assert printed.endswith(f"\n{said[1]} passed, 0 failed\n"), printed


def test_help():
    status, printed = run(KILLTEST, "--help")
    assert status == 0
    assert re.fullmatch(r"usage: killtest \[--quick\] .*\n", printed), printed


def test_bad_options_are_refused():
    for arguments, said in ((("--fast", "1"), "there is no option --fast"),
                            (("--bogus",), "there is no option --bogus"),
                            (("--bogus", "many"), "there is no option --bogus"),
                            (("free",), "there is no option free"),
                            (("--only",), "a text must follow --only"),
                            (("--kills", "many"), "a number must follow --kills"),
                            (("--kills", "-1"), "a number must follow --kills"),
                            (("--nested", "4294967296"), "too large a number for --nested"),
                            (("--seed",), "a number must follow --seed")):
        status, printed = run(KILLTEST, *arguments)
        assert status == 2, arguments
        assert printed.startswith(f"killtest: {said}; killtest ["), printed
        assert printed.count("\n") == 1, printed


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
