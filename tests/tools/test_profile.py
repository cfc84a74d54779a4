#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make memcheck, cachegrind, callgrind and massif: that each tool runs, and that what it
says is there and right. Needs Valgrind, and the programs that make tools-test builds.

  tests/tools/test_profile.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import re
import subprocess
from pathlib import Path

import tap

TREE = Path(__file__).resolve().parent.parent.parent
PROGRAM = "build/release/examples/connection_arenas"
MEMCHECK_PROGRAM = "build/valgrind/examples/connection_arenas"
FINDING = 99


def profile(tool, *command):
    """(exit status, what was printed, what the tool wrote)"""
    done = subprocess.run(["scripts/profile", tool, *command], cwd=TREE, text=True, timeout=280,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    path = TREE / "build" / "profile" / f"{tool}.out"
    return done.returncode, done.stdout, path.read_text() if path.exists() else ""


def test_make_knows_the_tools():
    for tool, program in (("memcheck", MEMCHECK_PROGRAM), ("cachegrind", PROGRAM),
                          ("callgrind", PROGRAM), ("massif", PROGRAM)):
        done = subprocess.run(["make", "-n", tool], cwd=TREE, capture_output=True, text=True,
                              check=False)
        assert f"scripts/profile {tool} {program}" in done.stdout, done


def test_memcheck_is_content_with_a_good_program():
    status, shown, _ = profile("memcheck", MEMCHECK_PROGRAM)
    assert status == 0 and "memcheck: no finding" in shown, shown
    assert "connection_arenas: 120 requests" in shown, shown


def test_memcheck_reports_a_bad_program():
    status, shown, written = profile("memcheck", "build/valgrind/misuse/uninitialised_read")
    assert status == FINDING, shown
    assert "Conditional jump or move depends on uninitialised value(s)" in written, written
    assert "(uninitialised_read.c:" in shown, shown


def test_memcheck_reports_a_leak():
    status, shown, _ = profile("memcheck", "build/valgrind/misuse/leak_malloc")
    assert status == FINDING and "40 bytes in 1 blocks are definitely lost" in shown, shown


def test_cachegrind_counts_misses():
    status, shown, written = profile("cachegrind", PROGRAM)
    assert status == 0, shown
    events = re.search(r"^events: (.*)$", written, re.MULTILINE)[1].split()
    totals = dict(zip(events, map(int, re.search(r"^summary: (.*)$", written,
                                                 re.MULTILINE)[1].split())))
    assert totals["Ir"] > 10000 and 0 < totals["D1mr"] < totals["Dr"], totals
    assert 0 < totals["Bcm"] < totals["Bc"], totals
    assert "fn=th_arena_alloc\n" in written


def test_callgrind_counts_calls():
    status, shown, written = profile("callgrind", PROGRAM)
    assert status == 0, shown
    totals = re.search(r"^totals: (\d+)", written, re.MULTILINE)
    assert int(totals[1]) > 10000, totals
    assert re.search(r"^c?fn=\(\d+\) th_arena_alloc$", written, re.MULTILINE)
    assert "PROGRAM TOTALS" in shown, shown


def test_massif_sees_the_arenas_chunks():
    status, shown, written = profile("massif", PROGRAM)
    assert status == 0, shown
    peak = max(map(int, re.findall(r"^mem_heap_B=(\d+)$", written, re.MULTILINE)))
    assert peak >= 6 * 2 * 4096, peak  # 6 connections with 2 chunks each
    last = re.findall(r"^mem_heap_B=(\d+)$", written, re.MULTILINE)[-1]
    assert int(last) < 2 * 4096, last


def test_bad_arguments_are_refused():
    for command, words in ((["helgrind", "/bin/true"], "no tool 'helgrind'"),
                           (["massif", "/nowhere/program"], "is no program"),
                           (["massif"], "usage")):
        status, shown, _ = profile(*command)
        assert status == 2 and words in shown, (command, shown)


def test_a_failing_program_is_not_hidden():
    status, _, _ = profile("callgrind", "/bin/false")
    assert status == 1, status


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
