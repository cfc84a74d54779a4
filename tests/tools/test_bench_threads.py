#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/bench-threads: that it measures what it says, and refuses bad options. Needs
build/release/bench-threads, which make tools-test builds.

  tests/tools/test_bench_threads.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import re
import subprocess
from pathlib import Path

import tap

TREE = Path(__file__).resolve().parent.parent.parent
PROGRAM = "build/release/bench-threads"


def run(*command):
    done = subprocess.run(command, cwd=TREE, text=True, timeout=280, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def test_every_loop_does_what_it_counts_on_every_source():
    status, listed = run(PROGRAM, "--list")
    assert status == 0
    sources = re.findall(r"^source (\S+)$", listed, re.M)
    loops = re.findall(r"^loop (\S+)$", listed, re.M)
    assert len(sources) >= 5 and len(loops) >= 3, listed
    for source in sources:
        for loop in loops:
            status, printed = run(PROGRAM, source, loop, "3", "1000")
            found = re.fullmatch(r"operations (\d+)\nseconds \d+\.\d{6}\n", printed)
            assert status == 0 and found, printed
            assert int(found[1]) >= 3 * 2 * 1000, (source, loop, printed)


def test_tables_have_every_number_of_threads():
    status, printed = run("scripts/bench-threads", "--rounds", "200", "--runs", "1",
                          "--threads", "1,3")
    assert status == 0, printed
    assert printed.count("| threads | 1 | 3 |") == 3, printed
    for name in ("glibc", r"th_pool \+ mutex", "th_concurrent_pool", "th_thread_cache, malloc"):
        assert len(re.findall(rf"^\| {name} \| [\d.]+ \([\d.]+\) \| [\d.]+ \([\d.]+\) \|$",
                              printed, re.M)) == 3, printed
    assert re.search(r"times its locked twin: pair [\d.]+ at 1, [\d.]+ at 3; churn ", printed)


def test_bad_options_are_refused():
    for options, words in ((("--threads", "0"), "--threads 0: numbers from 1 to 64"),
                           (("--threads", "two"), "--threads two: numbers from 1 to 64"),
                           (("--rounds", "0"), "--rounds 0: 1 at least"),
                           (("--demand", "--threads", "4"), "--threads must name 2")):
        status, printed = run("scripts/bench-threads", *options)
        assert status == 2 and words in printed, printed
    for arguments in (("nonesuch", "pair", "1", "1"), ("pool", "nonesuch", "1", "1"),
                      ("pool", "pair", "65", "1"), ("pool", "pair", "1", "x"), ("pool",)):
        status, printed = run(PROGRAM, *arguments)
        assert status == 2 and printed.startswith("bench-threads: "), printed
        assert printed.count("\n") == 1, printed


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
